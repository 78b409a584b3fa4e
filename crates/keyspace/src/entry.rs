//! A whole entry taken out of its keyspace, with all that belongs to it.

use crate::value::Value;

/// What stands under a key: for RENAME, MOVE, COPY, and for commands that borrow keys from other shards.
pub struct Entry {
    pub value: Value,
    /// Expiry in unix milliseconds.
    pub expire: Option<u64>,
    /// The 24-bit age field (LRU clock or LFU counter).
    pub age: u32,
}
