//! A block as the listpack that Redis has in memory and in files:
//!
//! ```text
//! entries that are there, entries that are deleted, number of fields, field …, 0, then for each entry:
//! flags, ms and seq less those of the block, [number of fields,] value … or field value …, number of these items
//! ```

use super::{Block, DELETED, HAS_SEQ, Head, SAME_FIELDS, SMALL_ENTRY_BYTES};
use crate::listpack::body;
use crate::listpack::entry::{self, Item};
use crate::listpack::{Corrupt, EMPTY_BYTES, Listpack};
use crate::stream::id::StreamId;

impl Block {
    /// Bytes it takes as a listpack of Redis.
    pub fn listpack_bytes(&self) -> usize {
        let counts = entry::bytes(Item::Int(self.live.into())) + entry::bytes(Item::Int(self.deleted.into()));
        EMPTY_BYTES + counts + self.packed_bytes as usize
    }

    /// Appends the listpack of Redis.
    pub fn append_listpack(&self, out: &mut Vec<u8>) {
        let (start, total) = (out.len(), self.listpack_bytes());
        out.reserve(total);
        out.extend_from_slice(&(total as u32).to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        entry::push(out, Item::Int(self.live.into()));
        entry::push(out, Item::Int(self.deleted.into()));
        let (mut at, mut items) = (0, 3);
        while at < self.begin() {
            at += body::push_entry(out, &self.row[at..]);
            items += 1;
        }
        entry::push(out, Item::Int(0));
        while at < self.end() {
            let head = self.head(at);
            self.append_entry(&head, out);
            items += head.items() + 1;
            at = self.after(at, &head);
        }
        out.push(0xFF);
        debug_assert_eq!(out.len() - start, total);
        let items = items.min(u16::MAX as usize) as u16;
        out[start + 4..start + 6].copy_from_slice(&items.to_le_bytes());
    }

    fn append_entry(&self, head: &Head, out: &mut Vec<u8>) {
        entry::push(out, Item::Int(head.flags.into()));
        let [ms, seq] = self.distance(head.id);
        entry::push(out, ms);
        entry::push(out, seq);
        if !head.has_same_fields() {
            entry::push(out, Item::Int(head.pairs as i64));
        }
        let mut at = head.values_at;
        for _ in 0..head.values() {
            at += body::push_entry(out, &self.row[at..]);
        }
        entry::push(out, Item::Int(head.items() as i64));
    }

    /// Bytes of an entry in a listpack.
    pub(super) fn packed_bytes_of(&self, head: &Head) -> usize {
        let [ms, seq] = self.distance(head.id);
        let pairs = if head.has_same_fields() { 0 } else { entry::bytes(Item::Int(head.pairs as i64)) };
        let (mut at, mut values) = (head.values_at, 0);
        for _ in 0..head.values() {
            values += body::entry_bytes(&self.row[at..]);
            at += body::skip(&self.row[at..]);
        }
        let ends = SMALL_ENTRY_BYTES + entry::bytes(Item::Int(head.items() as i64));
        ends + entry::bytes(ms) + entry::bytes(seq) + pairs + values
    }

    /// How far an id is behind that of the block.
    fn distance(&self, id: StreamId) -> [Item<'static>; 2] {
        let ms = id.ms.wrapping_sub(self.master.ms) as i64;
        [Item::Int(ms), Item::Int(id.seq.wrapping_sub(self.master.seq) as i64)]
    }

    /// Takes a listpack of Redis whose ids are relative to `master`, after checking all of it. Values stay as they are written there.
    ///
    /// # Errors
    /// When it is not one, or counts other entries than it has.
    pub fn from_listpack(master: StreamId, bytes: Vec<u8>) -> Result<Self, Corrupt> {
        let listpack = Listpack::from_bytes(bytes)?;
        let row = listpack.entries();
        let mut reader = Reader { row, at: 0, bodies: Vec::with_capacity(row.len()) };
        let (live, deleted) = (reader.count()?, reader.count()?);
        let pairs = reader.count()?;
        body::push(&mut reader.bodies, Item::Int(pairs as i64));
        reader.take(pairs)?;
        if reader.int()? != 0 {
            return Err(Corrupt);
        }
        let entries_at = reader.bodies.len() as u32;
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
        let row = reader.bodies.as_slice().to_vec();
        let (live, deleted) = (live as u32, deleted as u32);
        let mut block = Self { master, row, entries_at, packed_bytes: 0, live, deleted };
        block.packed_bytes = block.count_packed_bytes();
        Ok(block)
    }

    /// Bytes of the row as entries of a listpack, counted.
    fn count_packed_bytes(&self) -> u32 {
        let (mut at, mut bytes) = (0, SMALL_ENTRY_BYTES);
        while at < self.begin() {
            bytes += body::entry_bytes(&self.row[at..]);
            at += body::skip(&self.row[at..]);
        }
        while at < self.end() {
            let head = self.head(at);
            bytes += self.packed_bytes_of(&head);
            at = self.after(at, &head);
        }
        bytes as u32
    }
}

/// Reads the row of a foreign listpack, whose items have been checked, and writes that of the block.
struct Reader<'a> {
    row: &'a [u8],
    at: usize,
    bodies: Vec<u8>,
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

    /// Takes items over as they are.
    fn take(&mut self, items: usize) -> Result<(), Corrupt> {
        for _ in 0..items {
            if self.at == self.row.len() {
                return Err(Corrupt);
            }
            let row = &self.row[self.at..];
            self.bodies.extend_from_slice(&row[..body::skip(row)]);
            self.at += entry::skip(row);
        }
        Ok(())
    }

    fn entry(&mut self, master: StreamId, pairs: usize) -> Result<(u8, StreamId), Corrupt> {
        // One byte, so that there is room for a flag of our own.
        if !matches!(entry::read(&self.row[self.at..]), (Item::Int(0..=127), _)) {
            return Err(Corrupt);
        }
        let flags = self.int()? as u8;
        let (ms, seq) = (self.int()?, self.int()?);
        let at = self.bodies.len();
        self.bodies.push(flags | if seq == 0 { 0 } else { HAS_SEQ });
        body::push(&mut self.bodies, Item::Int(ms));
        if seq != 0 {
            body::push(&mut self.bodies, Item::Int(seq));
        }
        let items = if flags & SAME_FIELDS != 0 {
            self.take(pairs)?;
            pairs + 3
        } else {
            let pairs = self.count()?;
            body::push(&mut self.bodies, Item::Int(pairs as i64));
            self.take(pairs * 2)?;
            pairs * 2 + 4
        };
        if self.int()? != items as i64 {
            return Err(Corrupt);
        }
        let len = self.bodies.len() - at;
        body::push_length(&mut self.bodies, len);
        let id = StreamId::new(master.ms.wrapping_add(ms as u64), master.seq.wrapping_add(seq as u64));
        Ok((flags, id))
    }
}
