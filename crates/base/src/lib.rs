//! The ground floor: hashing, numbers as Redis writes and reads them, patterns, check sums, random numbers.
//! Pure functions and small values. This crate never does I/O, never reads a clock and knows no Weft type.
#![forbid(unsafe_code)]

pub mod glob;
pub mod hash;
pub mod number;
pub mod random;
pub mod slot;

mod double;
mod float_text;
mod grisu;
