//! Dialogue tests as data files: commands and the replies they must get, replayed against a running server.
//!
//! The format is described in `tests/spec/README.md`. [`dialogue`] reads a file, [`expect`] compares replies,
//! [`session`] plays one section, [`suite`] plays all files against the servers asked for, several at a time.
//!
//! The same files run against our server and against a real redis-server: that proves the expectations themselves.
#![forbid(unsafe_code)]

pub mod coverage;
pub mod dialogue;
pub mod expect;
mod notation;
mod pattern;
pub mod peer;
mod record;
mod session;
pub mod suite;

pub use suite::{Options, Tally};
