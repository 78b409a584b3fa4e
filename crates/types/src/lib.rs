//! The data types that stand behind keys: pure values, one file or folder each. This crate knows no keyspace,
//! no reply and no clock (times come in as arguments), and depends only on `base` and `table`.
#![deny(unsafe_code)]

pub mod hash;
pub mod intset;
pub mod list;
pub mod listpack;
mod outline;
pub mod set;
