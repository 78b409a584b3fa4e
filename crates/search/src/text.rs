//! Words: how a text falls into them, and what forms of a word are the same.
//!
//! Bytes that are no UTF-8 are kept as they are; only ASCII letters are made small in such words.

mod fold;
mod language;
mod levenshtein;
mod metaphone;
mod pattern;
mod stem;
mod stop_words;
mod tokens;

pub use fold::{fold, sort_key};
pub use language::Language;
pub use metaphone::metaphone;
pub use pattern::Pattern;
pub use stem::{STEM_LETTERS_MIN, stem};
pub use stop_words::StopWords;
pub use tokens::{Token, Tokens, is_separator, unescape};

pub(crate) use levenshtein::{Levenshtein, Near};
