//! Stream: an append-only log of entries, each some pairs of field and value under an id that is greater than all before it.
//!
//! The entries stand in blocks ([`block`]) in a directory ordered by id ([`log`]). When a block is full, and which entries an
//! approximate trim leaves, follows the rules of Redis exactly, for replies show it. A deleted entry is marked in its block; the
//! block goes when none is left in it.
//!
//! A stream may be empty: its key stays, and its last id, too.

mod block;
mod group;
mod groups;
mod id;
mod log;
mod mark;
mod names;
mod nodes;
mod pending;
mod producers;
mod range;
mod reading;
mod showing;
#[cfg(test)]
mod tests;
mod trim;

pub use block::StreamLimits;
pub use group::{Consumer, Group};
pub use groups::{GroupMut, Groups};
pub use id::{IdText, NewId, StreamId};
pub use mark::{StreamFront, StreamMark};
pub use nodes::{Node, StreamRemains};
pub use pending::{ConsumerId, Delivery, Pending};
pub use producers::{Memory, Producers, name_of_pairs};
pub use range::{Entries, EntriesRev, Entry, Fields};
pub use trim::{Deletion, References, Trim, TrimTo};

use crate::listpack::LISTPACK_BYTES_MAX;
use block::Block;
use log::Log;

/// A stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    log: Log,
    len: u64,
    /// Of the first entry that is there; 0-0 if there is none.
    first_id: StreamId,
    last_id: StreamId,
    /// The greatest id of an entry that was deleted, other than by trimming.
    pub max_deleted_id: StreamId,
    /// Entries ever added.
    pub entries_added: u64,
    pub groups: Groups,
    /// Who adds each message once at most; from the first that does, or from the first setting on.
    producers: Option<Box<Producers>>,
}

impl Stream {
    pub fn new() -> Self {
        Self::default()
    }

    /// Entries that are there.
    #[inline]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The id of the first entry; 0-0 if there is none.
    #[inline]
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The greatest id an entry ever had, or what XSETID has put in its place.
    #[inline]
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// Changes the last id; false, and nothing is changed, if there are entries with greater ones.
    pub fn set_last_id(&mut self, id: StreamId) -> bool {
        if self.last().is_some_and(|last| last.id > id) {
            return false;
        }
        // Deleted entries with greater ids must go, or those to come would stand behind them.
        while let Some(place) =
            self.log.find(StreamId::MAX).filter(|&place| self.log.get(place).last_id() > id)
        {
            if self.log.get(place).live() == 0 {
                self.log.remove(place);
            } else {
                self.log.change(place, |block| block.cut(id));
            }
        }
        self.last_id = id;
        true
    }

    /// Producers that add each message once at most, if there ever were any.
    pub fn producers(&self) -> Option<&Producers> {
        self.producers.as_deref()
    }

    /// The same to be changed; `memory` is what they are remembered by if there were none.
    pub fn producers_mut(&mut self, memory: Memory) -> &mut Producers {
        self.producers.get_or_insert_with(|| Box::new(Producers::new(memory)))
    }

    /// These are all there ever were.
    pub fn set_producers(&mut self, producers: Option<Producers>) {
        self.producers = producers.map(Box::new);
    }

    /// Heap bytes held.
    #[inline]
    pub fn bytes(&self) -> usize {
        let producers = self.producers.as_ref().map_or(0, |it| size_of::<Producers>() + it.bytes());
        self.log.bytes() + self.groups.bytes() + producers
    }

    /// Blocks the entries stand in.
    pub fn blocks(&self) -> usize {
        self.log.blocks()
    }

    /// Adds an entry of `pairs` pairs behind all others: `words` are field, value, field ….
    ///
    /// `id` is greater than `last_id`. False, and nothing is added, if the words are too large for a block in all.
    #[inline]
    pub fn append<'a>(
        &mut self,
        id: StreamId,
        words: impl Iterator<Item = &'a [u8]> + Clone,
        limits: StreamLimits,
    ) -> bool {
        assert!(id > self.last_id, "ids ascend");
        let (count, bytes) =
            words.clone().fold((0, 0), |(count, bytes), word| (count + 1, bytes + word.len()));
        if bytes > LISTPACK_BYTES_MAX {
            return false;
        }
        let pairs = count / 2;
        if self.log.last().is_none_or(|block| block.is_full(bytes, limits)) {
            self.log.push(Block::new(id, words.clone(), pairs, bytes + (count + 8) * 3));
        }
        self.log.change_last(|block| block.append(id, words, pairs, bytes));
        self.len += 1;
        self.entries_added += 1;
        self.last_id = id;
        if self.len == 1 {
            self.first_id = id;
        }
        true
    }

    /// Entries from `from` to `to`, both included, in ascending order.
    pub fn range(&self, from: StreamId, to: StreamId) -> Entries<'_> {
        Entries::new(&self.log, from, to)
    }

    /// Entries from `to` down to `from`, both included.
    pub fn range_rev(&self, from: StreamId, to: StreamId) -> EntriesRev<'_> {
        EntriesRev::new(&self.log, from, to)
    }

    /// The entry with this id.
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// The last entry.
    pub fn last(&self) -> Option<Entry<'_>> {
        self.range_rev(StreamId::MIN, StreamId::MAX).next()
    }

    /// Deletes an entry; whether there was one.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some(place) = self.log.find(id) else { return false };
        let block = self.log.get(place);
        let mut at = block.begin();
        let found = loop {
            if at == block.end() {
                break None;
            }
            let head = block.head(at);
            if head.id >= id {
                break (head.id == id && head.is_live()).then_some(at);
            }
            at = block.after(at, &head);
        };
        let Some(at) = found else { return false };
        if block.live() == 1 {
            self.log.remove(place);
        } else {
            self.log.change(place, |block| block.mark_deleted(at));
        }
        self.len -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        if id == self.first_id {
            self.find_first();
        }
        true
    }

    fn find_first(&mut self) {
        self.first_id =
            self.range(StreamId::MIN, StreamId::MAX).next().map_or(StreamId::MIN, |entry| entry.id);
    }
}
