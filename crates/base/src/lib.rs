//! The ground floor: hashing, numbers as Redis writes and reads them, words, patterns, check sums,
//! random numbers.
//! Pure functions and small values. This crate never does I/O, never reads a clock and knows no Weft type.
#![forbid(unsafe_code)]

pub mod blob;
pub mod clock;
pub mod crc64;
pub mod extended;
pub mod glob;
pub mod hash;
pub mod lzf;
pub mod number;
pub mod random;
pub mod sha1;
pub mod slot;
pub mod words;
pub mod xxh3;

mod double;
mod float_text;
mod general;
mod grisu;
mod natural;
