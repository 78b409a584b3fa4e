//! A block of a stream: what takes up to some thousand bytes as a listpack of Redis, in less ([`listpack`] has that layout).
//!
//! The row of a block:
//!
//! ```text
//! number of fields, field …, then for each entry:
//! flags, ms less that of the block, [seq less that of the block,] [number of fields,] value … or field value …, bytes of all these
//! ```
//!
//! Flags are a byte, the length at the end is written so that it can be read backwards, and all else are bodies of entries of a listpack.
//! The fields in front are those of the first entry; an entry that has the same ones has only its values ([`SAME_FIELDS`]). An
//! entry that was deleted stays where it is, marked ([`DELETED`]). What Redis counts in front stands beside the row.
//!
//! Invariant: the row is whole, ids ascend. Foreign rows enter only through [`Block::from_listpack`].

mod listpack;

use super::id::StreamId;
use crate::listpack::LISTPACK_BYTES_MAX;
use crate::listpack::body::{self, Items};
use crate::listpack::entry::{self, Item};

/// An entry that is deleted.
pub const DELETED: u8 = 1;
/// An entry whose fields are those in front.
pub const SAME_FIELDS: u8 = 2;
/// An entry whose seq stands in the row. Redis has no such flag, nor room for it.
const HAS_SEQ: u8 = 0x80;
/// Bytes of a flag, or a number below 128, in a listpack.
const SMALL_ENTRY_BYTES: usize = 2;

/// Capacity grows by half, up to what a block most often takes.
const CAPACITY_MIN: usize = 48;

/// A full block may keep this share of its row as room, one part in so many, rather than be copied.
const SPARE_SHARE: usize = 32;

/// How large a block may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// `stream-node-max-bytes`; 0 is no limit.
    pub block_bytes_max: usize,
    /// `stream-node-max-entries`, deleted ones included; 0 is no limit.
    pub block_entries_max: usize,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { block_bytes_max: 4096, block_entries_max: 100 }
    }
}

#[derive(Clone, Debug)]
pub struct Block {
    /// What the ids of the entries are relative to: the id of the first.
    pub master: StreamId,
    row: Vec<u8>,
    /// Where the first entry begins.
    entries_at: u32,
    /// Bytes of the row as entries of a listpack.
    packed_bytes: u32,
    live: u32,
    deleted: u32,
}

/// How far a block had come, to be cut back to it after entries have been added.
#[derive(Clone, Copy, Debug)]
pub struct BlockMark {
    row: usize,
    capacity: usize,
    packed_bytes: u32,
    live: u32,
}

/// The front of an entry in a block.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub id: StreamId,
    pub flags: u8,
    /// Pairs of field and value.
    pub pairs: usize,
    /// Where its values, or fields and values, begin.
    pub values_at: usize,
}

impl Head {
    pub fn is_live(&self) -> bool {
        self.flags & DELETED == 0
    }

    pub fn has_same_fields(&self) -> bool {
        self.flags & SAME_FIELDS != 0
    }

    /// Items between the front of the entry and its end.
    fn values(&self) -> usize {
        if self.has_same_fields() { self.pairs } else { self.pairs * 2 }
    }

    /// What a listpack has at the end of the entry: the number of items before that.
    fn items(&self) -> usize {
        self.values() + if self.has_same_fields() { 3 } else { 4 }
    }
}

/// The integer of an item that is one.
#[inline]
fn int(item: Item<'_>) -> i64 {
    item.as_int().expect("checked when it came in")
}

impl Block {
    /// A block for an entry of these words (field, value …); it is empty still.
    pub fn new<'a>(
        master: StreamId,
        words: impl Iterator<Item = &'a [u8]>,
        pairs: usize,
        room: usize,
    ) -> Self {
        let mut row = Vec::with_capacity(room.max(CAPACITY_MIN));
        let mut packed_bytes = body::push(&mut row, Item::Int(pairs as i64)) + SMALL_ENTRY_BYTES;
        words.step_by(2).for_each(|field| packed_bytes += body::push(&mut row, Item::new(field)));
        let entries_at = row.len() as u32;
        Self { master, row, entries_at, packed_bytes: packed_bytes as u32, live: 0, deleted: 0 }
    }

    /// Entries that are there.
    #[inline]
    pub fn live(&self) -> usize {
        self.live as usize
    }

    /// Entries that are deleted and still take place.
    #[inline]
    pub fn deleted(&self) -> usize {
        self.deleted as usize
    }

    /// Heap bytes held.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.row.capacity()
    }

    /// Whether an entry with words of so many bytes in all goes into a new block.
    #[inline]
    pub fn is_full(&self, words_bytes: usize, limits: StreamLimits) -> bool {
        let bytes_max = match limits.block_bytes_max {
            0 => LISTPACK_BYTES_MAX,
            bytes => bytes.min(LISTPACK_BYTES_MAX),
        };
        let entries_max = limits.block_entries_max;
        self.listpack_bytes() + words_bytes >= bytes_max
            || (entries_max != 0 && self.live() + self.deleted() >= entries_max)
    }

    /// Gives back the room for further entries.
    pub fn seal(&mut self) {
        // Allocators leave a row that shrinks by less than half where it is, with all its room.
        if self.row.capacity() - self.row.len() > self.row.len() / SPARE_SHARE {
            self.row = self.row.as_slice().into();
        } else {
            self.row.shrink_to_fit();
        }
    }

    /// Adds an entry of the words field, value …, whose bytes are `words_bytes` in all.
    pub fn append<'a>(
        &mut self,
        id: StreamId,
        words: impl Iterator<Item = &'a [u8]> + Clone,
        pairs: usize,
        words_bytes: usize,
    ) {
        let same = self.are_fields(words.clone().step_by(2), pairs);
        self.reserve(words_bytes + (pairs * 2 + 5) * 10);
        let (at, seq) = (self.row.len(), id.seq.wrapping_sub(self.master.seq) as i64);
        self.row.push(if same { SAME_FIELDS } else { 0 } | if seq == 0 { 0 } else { HAS_SEQ });
        let ms = id.ms.wrapping_sub(self.master.ms) as i64;
        let mut packed_bytes = SMALL_ENTRY_BYTES + body::push(&mut self.row, Item::Int(ms));
        packed_bytes += if seq == 0 { SMALL_ENTRY_BYTES } else { body::push(&mut self.row, Item::Int(seq)) };
        let mut put = |item| packed_bytes += body::push(&mut self.row, item);
        let items = if same {
            words.skip(1).step_by(2).for_each(|value| put(Item::new(value)));
            pairs + 3
        } else {
            put(Item::Int(pairs as i64));
            words.for_each(|word| put(Item::new(word)));
            pairs * 2 + 4
        };
        let len = self.row.len() - at;
        body::push_length(&mut self.row, len);
        self.packed_bytes += (packed_bytes + entry::bytes(Item::Int(items as i64))) as u32;
        self.live += 1;
    }

    /// Room for `need` bytes at most: an entry alone gets no more than that, others leave some.
    #[inline]
    fn reserve(&mut self, need: usize) {
        if self.row.capacity() - self.row.len() < need {
            self.row.reserve_exact(need.max(self.row.len() / 2));
        }
    }

    /// Whether the fields in front are these.
    fn are_fields<'a>(&self, mut fields: impl Iterator<Item = &'a [u8]>, pairs: usize) -> bool {
        let mut front = self.names();
        self.pairs() == pairs
            && fields.all(|field| match front.next() {
                Some(Item::Str(bytes)) => bytes == field,
                Some(item) => item.eq_bytes(field),
                None => false,
            })
    }

    fn pairs(&self) -> usize {
        int(body::read(&self.row).0) as usize
    }

    /// The fields in front.
    pub fn names(&self) -> Items<'_> {
        Items::over(&self.row[body::skip(&self.row)..self.entries_at as usize])
    }

    /// The items from `at` on.
    #[inline]
    pub fn items_at(&self, at: usize) -> Items<'_> {
        Items::over(&self.row[at..])
    }

    /// Where the first entry begins.
    #[inline]
    pub fn begin(&self) -> usize {
        self.entries_at as usize
    }

    /// Where the last entry ends.
    #[inline]
    pub fn end(&self) -> usize {
        self.row.len()
    }

    /// The front of the entry that begins at `at`.
    pub fn head(&self, at: usize) -> Head {
        let flags = self.row[at];
        let (ms, len) = body::read(&self.row[at + 1..]);
        let mut values_at = at + 1 + len;
        let mut seq = 0;
        if flags & HAS_SEQ != 0 {
            let (item, len) = body::read(&self.row[values_at..]);
            (seq, values_at) = (int(item), values_at + len);
        }
        let id = StreamId::new(
            self.master.ms.wrapping_add(int(ms) as u64),
            self.master.seq.wrapping_add(seq as u64),
        );
        let mut head = Head { id, flags: flags & !HAS_SEQ, pairs: 0, values_at };
        if head.has_same_fields() {
            head.pairs = self.pairs();
        } else {
            let (pairs, len) = body::read(&self.row[head.values_at..]);
            head.pairs = int(pairs) as usize;
            head.values_at += len;
        }
        head
    }

    /// Where the entry after the one with this head, which begins at `at`, begins.
    #[inline]
    pub fn after(&self, at: usize, head: &Head) -> usize {
        let mut end = head.values_at;
        for _ in 0..head.values() {
            end += body::skip(&self.row[end..]);
        }
        end + body::length_bytes(end - at)
    }

    /// Where the entry before `at` begins; `None` at the first.
    #[inline]
    pub fn before(&self, at: usize) -> Option<usize> {
        (at != self.begin()).then(|| at - entry::skip_back(&self.row[..at]))
    }

    /// The id of the last entry, deleted or not.
    pub fn last_id(&self) -> StreamId {
        self.before(self.end()).map_or(self.master, |at| self.head(at).id)
    }

    /// Marks the entry at `at`, which is live, as deleted.
    pub fn mark_deleted(&mut self, at: usize) {
        self.row[at] |= DELETED;
        self.live -= 1;
        self.deleted += 1;
    }

    /// Drops deleted entries at the end, down to those with `id` or a smaller one.
    pub fn cut(&mut self, id: StreamId) {
        while let Some(at) = self.before(self.end()) {
            let head = self.head(at);
            if head.id <= id || head.is_live() {
                break;
            }
            self.packed_bytes -= self.packed_bytes_of(&head) as u32;
            self.row.truncate(at);
            self.deleted -= 1;
        }
    }

    pub fn mark(&self) -> BlockMark {
        BlockMark {
            row: self.row.len(),
            capacity: self.row.capacity(),
            packed_bytes: self.packed_bytes,
            live: self.live,
        }
    }

    /// Takes back what was added since the mark, during which nothing else was done; also the room that was got or given up.
    pub fn cut_back(&mut self, mark: BlockMark) {
        self.row.truncate(mark.row);
        self.row.shrink_to(mark.capacity);
        self.row.reserve_exact(mark.capacity - mark.row);
        (self.packed_bytes, self.live) = (mark.packed_bytes, mark.live);
    }
}
