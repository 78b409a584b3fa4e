//! Asking for the memory inside collections, ahead of the commands that will read it: of elements in large ones, and of small ones as
//! a whole.

use crate::db::Db;
use crate::key::Key;
use crate::value::ValueRef;
use table::prefetch::prefetch;
use types::hash::HashTable;
use types::set::SetTable;
use types::zset::ZSet;

/// The elements under a key, where they stand in a table.
#[derive(Clone, Copy)]
pub enum Elements<'a> {
    Set(&'a SetTable),
    Hash(&'a HashTable),
}

impl<'a> Elements<'a> {
    /// Those of a value, if they stand in a table that knows stages.
    #[inline]
    pub fn of(value: ValueRef<'a>) -> Option<Self> {
        match value {
            ValueRef::Set(set) => set.table().map(Self::Set),
            ValueRef::Hash(hash) => hash.table().map(Self::Hash),
            _ => None,
        }
    }

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
    /// The value under a key. Changes nothing: what is over may be shown.
    #[inline]
    pub fn peek(&self, key: Key<'_>) -> Option<ValueRef<'_>> {
        self.table.find(key.hash, key.bytes).map(|pos| self.value(pos))
    }

    /// The elements under a key, if they stand in a table that knows stages. Changes nothing: what is over may be shown.
    #[inline]
    pub fn elements(&self, key: Key<'_>) -> Option<Elements<'_>> {
        Elements::of(self.peek(key)?)
    }
}

impl ValueRef<'_> {
    /// Asks for the head of a collection that may be small.
    #[inline]
    pub fn prefetch_head(self) {
        match self {
            Self::Hash(hash) => prefetch((&raw const *hash).cast()),
            Self::ZSet(zset) => prefetch((&raw const *zset).cast()),
            _ => {}
        }
    }

    /// Reads the head and asks for both ends of the elements, if they stand in one piece: the processor finds by itself what it
    /// needs between them.
    #[inline]
    pub fn prefetch_packed(self) {
        let packed = match self {
            Self::Hash(hash) => match hash.listpack() {
                Some(list) => list.as_bytes(),
                None => return,
            },
            Self::ZSet(ZSet::Listpack(packed)) => packed.as_listpack().as_bytes(),
            _ => return,
        };
        [packed.first(), packed.get(64), packed.last()].into_iter().flatten().for_each(|line| prefetch(line));
    }
}
