//! The packed table: one hash table for the keyspace, for sets and for the fields of hashes.
//!
//! Extendible hashing of small fixed segments (after Dash, VLDB 2020) whose records are plain bytes in one
//! block:
//!
//! ```text
//!   directory ──> │ free │ record … record record │ 32 buckets × 64 bytes │ header │
//!                        <── heap, growing down ── ^ base, 64-aligned; at most 64 KiB in all
//! ```
//!
//! - A directory entry gives the base and the depth of a segment, a bucket the distance of each record below
//!   the base. A lookup reads the directory (small, warm), one bucket line and the record: no page table, no
//!   header.
//! - Splits are spread: positions are bent so that one end of the hash space is twice as dense as the other
//!   (`position.rs`). At any size some segments are half full and some about to split; there is no wave of
//!   splits that halves the fill of the whole table at once.
//! - A bucket overflows into the next one, shifting records on when that is full too, so segments split at
//!   about 95 %.
//! - No operation pays more than a copy of some 64 KiB blocks. The directory grows in small parts.
//!
//! What it does not do: it knows nothing of what a record means beyond [`Layout`], owns nothing a record
//! points to, and has no inner locking.

mod bucket;
mod directory;
mod expect;
#[cfg(test)]
mod model;
mod position;
pub mod prefetch;
mod remains;
mod reshape;
mod scan;
mod segment;
mod size;
mod table;
mod view;
mod walk;

pub use remains::Remains;
pub use scan::Iter;
pub use table::{Pos, Table};

/// Longest record in bytes. Larger things go out of line by the user of the table.
pub const RECORD_BYTES_MAX: usize = 1024;

/// What a table must know of the bytes of a record.
pub trait Layout {
    /// Data of the user's, one per segment (the earliest expiry, …).
    type Meta: Default + Clone;

    /// Length in bytes of the record at the start of `record`, which extends past its end.
    fn record_len(record: &[u8]) -> usize;

    /// The key of the record at the start of `record`, which extends past its end.
    fn key(record: &[u8]) -> &[u8];

    /// The meta of each half when a segment splits.
    fn split_meta(parent: &Self::Meta) -> Self::Meta {
        parent.clone()
    }

    /// The meta of a segment that takes up two. Override it where the halves may differ (the minimum of two
    /// times).
    fn merged_meta(left: &Self::Meta, right: &Self::Meta) -> Self::Meta {
        let _ = right;
        left.clone()
    }
}

/// What a sweep does with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Yes,
    Remove,
}
