//! Random and hostile input: command sequences made from the command table, played against shards in this process or
//! against running servers.
//!
//! All follows from a seed. An [`episode`] is a list of steps; [`play`] runs one against [`engine`]'s shards and checks
//! after each step what must always hold ([`state`]); a failing one is cut down to the steps that matter ([`shrink`]).
#![forbid(unsafe_code)]

pub mod arguments;
pub mod data_file;
pub mod differential;
pub mod engine;
pub mod episode;
pub mod grammar;
pub mod payload;
pub mod play;
pub mod saved;
pub mod shrink;
pub mod state;
pub mod watchdog;

pub use episode::{Episode, Step};
