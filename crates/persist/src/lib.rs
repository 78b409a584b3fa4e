//! The data on disk: snapshots of all shards in one RDB file. Opens and writes files; knows no command and no shard's thread.
//!
//! A [`Save`] is one snapshot on its way into a file. Every shard has a [`Pen`] that writes its entries down, and a thread of the
//! save's own carries what is written to disk, so that no shard waits for that as long as the disk keeps up.

#![forbid(unsafe_code)]

mod carrier;
mod pen;
mod save;
#[cfg(test)]
mod tests;

pub use pen::{Hints, Pen};
pub use save::{Outcome, Save, Target};
