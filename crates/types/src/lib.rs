//! The data types, one module each: pure values, no replies, no clock, no I/O.

pub mod zset;
