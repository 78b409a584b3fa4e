//! A block of a stream: up to some thousand bytes of entries, in the layout that Redis gives them, so that DUMP copies them.
//!
//! The row of a block, which are entries of a listpack:
//!
//! ```text
//! number of fields, field …, 0, then for each entry:
//! flags, ms and seq less those of the block, [number of fields,] value … or field value …, number of these items
//! ```
//!
//! The fields in front are those of the first entry; an entry that has the same ones has only its values ([`SAME_FIELDS`]). An
//! entry that was deleted stays where it is, marked ([`DELETED`]). In front of all that a listpack of Redis counts the entries;
//! here the counts stand beside the row.
//!
//! Invariant: the row is whole, ids ascend. Foreign rows enter only through [`Block::from_listpack`].

use super::id::StreamId;
use crate::listpack::entry::{self, Item};
use crate::listpack::{Corrupt, EMPTY_BYTES, Iter, LISTPACK_BYTES_MAX, Listpack};

/// An entry that is deleted.
pub const DELETED: u8 = 1;
/// An entry whose fields are those in front.
pub const SAME_FIELDS: u8 = 2;

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
    /// Items in the row.
    items: u32,
    live: u32,
    deleted: u32,
}

/// How far a block had come, to be cut back to it after entries have been added.
#[derive(Clone, Copy, Debug)]
pub struct BlockMark {
    row: usize,
    capacity: usize,
    items: u32,
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

    /// Items between the front of the entry and its count.
    fn values(&self) -> usize {
        if self.has_same_fields() { self.pairs } else { self.pairs * 2 }
    }
}

/// The integer of an item that is one.
#[inline]
fn int(item: Item<'_>) -> i64 {
    item.as_int().expect("checked when it came in")
}

#[inline]
fn skip(row: &[u8], mut at: usize, items: usize) -> usize {
    for _ in 0..items {
        at += entry::skip(&row[at..]);
    }
    at
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
        entry::push(&mut row, Item::Int(pairs as i64));
        words.step_by(2).for_each(|field| entry::push(&mut row, Item::new(field)));
        entry::push(&mut row, Item::Int(0));
        let entries_at = row.len() as u32;
        Self { master, row, entries_at, items: pairs as u32 + 2, live: 0, deleted: 0 }
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

    /// Bytes it takes as a listpack of Redis.
    pub fn listpack_bytes(&self) -> usize {
        let counts = entry::bytes(Item::Int(self.live.into())) + entry::bytes(Item::Int(self.deleted.into()));
        EMPTY_BYTES + counts + self.row.len()
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
        entry::push(&mut self.row, Item::Int(if same { SAME_FIELDS.into() } else { 0 }));
        entry::push(&mut self.row, Item::Int(id.ms.wrapping_sub(self.master.ms) as i64));
        entry::push(&mut self.row, Item::Int(id.seq.wrapping_sub(self.master.seq) as i64));
        let items = if same {
            words.skip(1).step_by(2).for_each(|value| entry::push(&mut self.row, Item::new(value)));
            pairs + 3
        } else {
            entry::push(&mut self.row, Item::Int(pairs as i64));
            words.for_each(|word| entry::push(&mut self.row, Item::new(word)));
            pairs * 2 + 4
        };
        entry::push(&mut self.row, Item::Int(items as i64));
        self.items += items as u32 + 1;
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
        int(entry::read(&self.row).0) as usize
    }

    /// The fields in front.
    pub fn names(&self) -> Iter<'_> {
        Iter::over(&self.row[entry::skip(&self.row)..self.entries_at as usize])
    }

    /// The items from `at` on.
    #[inline]
    pub fn items_at(&self, at: usize) -> Iter<'_> {
        Iter::over(&self.row[at..])
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
        let (flags, len) = entry::read(&self.row[at..]);
        let ms_at = at + len;
        let (ms, len) = entry::read(&self.row[ms_at..]);
        let seq_at = ms_at + len;
        let (seq, len) = entry::read(&self.row[seq_at..]);
        let id = StreamId::new(
            self.master.ms.wrapping_add(int(ms) as u64),
            self.master.seq.wrapping_add(int(seq) as u64),
        );
        let mut head = Head { id, flags: int(flags) as u8, pairs: 0, values_at: seq_at + len };
        if head.has_same_fields() {
            head.pairs = self.pairs();
        } else {
            let (pairs, len) = entry::read(&self.row[head.values_at..]);
            head.pairs = int(pairs) as usize;
            head.values_at += len;
        }
        head
    }

    /// Where the entry after the one with this head begins.
    #[inline]
    pub fn after(&self, head: &Head) -> usize {
        skip(&self.row, head.values_at, head.values() + 1)
    }

    /// Where the entry before `at` begins; `None` at the first.
    pub fn before(&self, at: usize) -> Option<usize> {
        if at == self.begin() {
            return None;
        }
        let mut start = at - entry::skip_back(&self.row[..at]);
        for _ in 0..int(entry::read(&self.row[start..]).0) {
            start -= entry::skip_back(&self.row[..start]);
        }
        Some(start)
    }

    /// The id of the last entry, deleted or not.
    pub fn last_id(&self) -> StreamId {
        self.before(self.end()).map_or(self.master, |at| self.head(at).id)
    }

    /// Marks the entry at `at`, which is live, as deleted.
    pub fn mark_deleted(&mut self, at: usize) {
        let flags = int(entry::read(&self.row[at..]).0) as u8 | DELETED;
        debug_assert_eq!(entry::skip(&self.row[at..]), 2);
        entry::write(Item::Int(flags.into()), &mut self.row[at..at + 2]);
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
            self.items -= Iter::over(&self.row[at..]).count() as u32;
            self.row.truncate(at);
            self.deleted -= 1;
        }
    }

    pub fn mark(&self) -> BlockMark {
        BlockMark { row: self.row.len(), capacity: self.row.capacity(), items: self.items, live: self.live }
    }

    /// Takes back what was added since the mark, during which nothing else was done; also the room that was got or given up.
    pub fn cut_back(&mut self, mark: BlockMark) {
        self.row.truncate(mark.row);
        self.row.shrink_to(mark.capacity);
        self.row.reserve_exact(mark.capacity - mark.row);
        (self.items, self.live) = (mark.items, mark.live);
    }

    /// Appends the listpack of Redis.
    pub fn append_listpack(&self, out: &mut Vec<u8>) {
        let total = self.listpack_bytes();
        out.reserve(total);
        let items = (self.items as usize + 2).min(u16::MAX as usize) as u16;
        out.extend_from_slice(&(total as u32).to_le_bytes());
        out.extend_from_slice(&items.to_le_bytes());
        entry::push(out, Item::Int(self.live.into()));
        entry::push(out, Item::Int(self.deleted.into()));
        out.extend_from_slice(&self.row);
        out.push(0xFF);
    }

    /// Takes a listpack of Redis whose ids are relative to `master`, after checking all of it.
    ///
    /// # Errors
    /// When it is not one, or counts other entries than it has.
    pub fn from_listpack(master: StreamId, bytes: Vec<u8>) -> Result<Self, Corrupt> {
        let listpack = Listpack::from_bytes(bytes)?;
        let row = listpack.entries();
        let mut reader = Reader { row, at: 0 };
        let (live, deleted) = (reader.count()?, reader.count()?);
        let front = reader.at;
        let pairs = reader.count()?;
        reader.pass(pairs)?;
        if reader.int()? != 0 {
            return Err(Corrupt);
        }
        let entries_at = reader.at - front;
        let mut found = (0, 0);
        let mut last = None;
        while reader.at < row.len() {
            let (flags, id) = reader.entry(master, pairs)?;
            let ascends = last.is_none_or(|last| id > last) && id >= master;
            if !ascends {
                return Err(Corrupt);
            }
            last = Some(id);
            if flags & DELETED == 0 {
                found.0 += 1
            } else {
                found.1 += 1
            };
        }
        if found != (live, deleted) || live + deleted == 0 {
            return Err(Corrupt);
        }
        let items = u32::try_from(listpack.len() - 2).map_err(|_| Corrupt)?;
        let row = row[front..].to_vec();
        Ok(Self {
            master,
            row,
            entries_at: entries_at as u32,
            items,
            live: live as u32,
            deleted: deleted as u32,
        })
    }
}

/// Reads the row of a foreign listpack, whose items have been checked.
struct Reader<'a> {
    row: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn int(&mut self) -> Result<i64, Corrupt> {
        if self.at == self.row.len() {
            return Err(Corrupt);
        }
        let (item, len) = entry::read(&self.row[self.at..]);
        self.at += len;
        item.as_int().ok_or(Corrupt)
    }

    /// A number of things, of which each takes a byte at least.
    fn count(&mut self) -> Result<usize, Corrupt> {
        let count = usize::try_from(self.int()?).map_err(|_| Corrupt)?;
        if count > self.row.len() { Err(Corrupt) } else { Ok(count) }
    }

    fn pass(&mut self, items: usize) -> Result<(), Corrupt> {
        for _ in 0..items {
            if self.at == self.row.len() {
                return Err(Corrupt);
            }
            self.at += entry::skip(&self.row[self.at..]);
        }
        Ok(())
    }

    fn entry(&mut self, master: StreamId, pairs: usize) -> Result<(u8, StreamId), Corrupt> {
        // One byte, so that the mark of a deleted entry has room.
        if !matches!(entry::read(&self.row[self.at..]), (Item::Int(0..=127), _)) {
            return Err(Corrupt);
        }
        let flags = self.int()? as u8;
        let (ms, seq) = (self.int()?, self.int()?);
        let items = if flags & SAME_FIELDS != 0 {
            self.pass(pairs)?;
            pairs + 3
        } else {
            let pairs = self.count()?;
            self.pass(pairs * 2)?;
            pairs * 2 + 4
        };
        if self.int()? != items as i64 {
            return Err(Corrupt);
        }
        let id = StreamId::new(master.ms.wrapping_add(ms as u64), master.seq.wrapping_add(seq as u64));
        Ok((flags, id))
    }
}
