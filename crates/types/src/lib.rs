//! The data types that stand behind keys: pure values, one file or folder each, and the algorithms on their
//! bytes. This crate knows no keyspace, no reply and no clock (times come in as arguments), and depends only on
//! `base`, `table` and `vector`.
#![deny(unsafe_code)]

pub mod array;
pub mod bits;
pub mod geohash;
pub mod hash;
pub mod hyperloglog;
pub mod intset;
pub mod lcs;
pub mod list;
pub mod listpack;
mod outline;
pub mod remains;
#[cfg(test)]
mod rng;
#[cfg(test)]
mod sample;
pub mod set;
pub mod showing;
pub mod stream;
pub mod suggestions;
pub mod vectorset;
pub mod zset;

pub use array::Array;
pub use hash::Hash;
pub use list::List;
pub use remains::Remains;
pub use set::Set;
pub use stream::Stream;
pub use suggestions::Suggestions;
pub use vectorset::VectorSet;
pub use zset::ZSet;
