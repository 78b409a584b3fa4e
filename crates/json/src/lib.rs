//! JSON values as Redis keeps them: parsed, shown, looked into and changed.
//!
//! A document is a tree of [`Node`]s whose branches are *packed*: a scalar, and every array or object of up to [`packed::BYTES_MAX`] bytes, is
//! one run of bytes, about as long as its text without blanks. Only what is larger has its children as nodes of their own, an object then with an index
//! of its names. So a small document is one allocation, a large one is changed where it is changed, and no change moves more than a few
//! kilobytes. Long arrays of nothing but integers, or of nothing but numbers with a fraction, are kept as such ([`numbers`]), at the width they
//! need: 1,536 numbers of an embedding cost 6 KiB.
//!
//! Reading sees none of this: a [`View`] is a value in either form. Depth is bounded by the parser (128), so nothing here need fear for the stack.
//!
//! For snapshots a large document can be shown as it was while it changes ([`showing`]).
//!
//! What leads into documents are [`path`]s.
//!
//! Deliberately absent: keys, replies.
#![forbid(unsafe_code)]

pub mod document;
pub mod edit;
pub mod node;
pub mod number;
pub mod numbers;
pub mod packed;
pub mod parse;
pub mod path;
pub mod showing;
pub mod view;
pub mod write;

pub use document::Document;
pub use node::Node;
pub use number::Number;
pub use parse::{Hint, parse};
pub use view::View;
pub use write::{Format, write};
