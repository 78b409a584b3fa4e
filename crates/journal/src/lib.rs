//! Append-only files as bytes: what shards add to them, in which order it is written, and how it is read again.
//!
//! The way down: each shard fills a [`chunk::Chunk`] in its turn and hands it to the [`queue::Queue`]; who writes the files
//! takes [`round::Round`]s out of it and has each file's [`round::Tail`] make one run of bytes of what is to be appended; which files there are,
//! the [`manifest::Manifest`] says. The way back: a [`survey`] says what of a file is whole, [`recovery`] where the files are to be cut so that no
//! transaction is torn, and a [`reader::Reader`] gives the commands. See `docs/decisions/append-only-files.md`.
//!
//! This crate is pure: bytes in, bytes out. It opens no file, reads no clock, starts no thread and knows no command but
//! SELECT, MULTI and EXEC.
#![forbid(unsafe_code)]

pub mod chunk;
pub mod manifest;
pub mod queue;
pub mod reader;
pub mod recovery;
pub mod round;
pub mod survey;

use std::fmt;

/// A transaction of several shards. Ids are never used twice, not even after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxId(pub u64);

impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What stands before the id on the line that marks a part of a transaction of several shards.
pub const TX_MARK: &[u8] = b"#weft-tx ";

/// What a command, in the form of a request, ends and MULTI and EXEC look like.
pub(crate) const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
pub(crate) const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";
