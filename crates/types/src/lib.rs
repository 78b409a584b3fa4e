//! The data types a key can hold and the algorithms on their bytes. Pure: no keyspace, no replies, no clock,
//! no I/O.

pub mod bits;
pub mod geohash;
pub mod hyperloglog;
pub mod lcs;
#[cfg(test)]
mod sample;
