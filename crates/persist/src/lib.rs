//! The data on disk: snapshots of all shards in one RDB file. Knows no command and no shard's thread.
//!
//! A [`Save`] is one snapshot on its way into a file. Every shard has a [`Pen`] that writes its entries down, and a thread of the
//! save's own carries what is written to disk, so that no shard waits for that as long as the disk keeps up. [`load`] reads a file.

#![forbid(unsafe_code)]

pub mod append;
pub mod load;
mod pen;
mod save;
#[cfg(test)]
mod tests;
pub mod transcript;
mod writer_thread;

pub use pen::{Hints, Pen};
pub use rdb::encode::Options;
pub use rdb::file::Head;
pub use save::{GIVEN_UP, OnEnd, Outcome, Save, Target, remove_abandoned};
