//! Asking for the memory of elements inside large collections, ahead of the commands that look for them.

use crate::db::Db;
use crate::key::Key;
use crate::value::ValueRef;
use types::hash::HashTable;
use types::set::SetTable;

/// The elements under a key, where they stand in a table.
#[derive(Clone, Copy)]
pub enum Elements<'a> {
    Set(&'a SetTable),
    Hash(&'a HashTable),
}

impl Elements<'_> {
    /// Stage 1: asks for the line of an element's bucket. Returns the element's hash for stage 2.
    #[inline]
    pub fn prefetch_bucket(self, element: &[u8]) -> u64 {
        match self {
            Self::Set(table) => table.prefetch_bucket(element),
            Self::Hash(table) => table.prefetch_bucket(element),
        }
    }

    /// Stage 2: reads the bucket and asks for the element's record.
    #[inline]
    pub fn prefetch_record(self, hash: u64) {
        match self {
            Self::Set(table) => table.prefetch_record(hash),
            Self::Hash(table) => table.prefetch_record(hash),
        }
    }
}

impl Db {
    /// The elements under a key, if they stand in a table that knows stages. Changes nothing: what is over may be shown.
    #[inline]
    pub fn elements(&self, key: Key<'_>) -> Option<Elements<'_>> {
        let pos = self.table.find(key.hash, key.bytes)?;
        match self.value(pos) {
            ValueRef::Set(set) => set.table().map(Elements::Set),
            ValueRef::Hash(hash) => hash.table().map(Elements::Hash),
            _ => None,
        }
    }
}
