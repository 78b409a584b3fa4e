//! Where a term is: ids in ascending order, each with how often, in which fields and at which positions, in blocks of encoded bytes.
//!
//! A block knows its first and last id, so a reader that looks for an id skips all others. A write changes one block, whose bytes are
//! moved; only one that is full is decoded, to be halved. A reader keeps the bytes of the block it is in; a write to it
//! meanwhile makes a copy.

use super::varint;
use crate::DocumentId;
use crate::schema::{ALL_FIELDS, Economies, FieldMask};
use std::sync::Arc;

/// A block that has more entries is split.
const BLOCK_ENTRIES_MAX: usize = 128;

/// What is known of a term in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: DocumentId,
    /// How often, each time counted by the field's weight.
    pub frequency: u32,
    /// In which fields.
    pub fields: FieldMask,
    /// At which positions, ascending.
    pub positions: Vec<u32>,
}

/// The documents of a term.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    blocks: Vec<Block>,
    count: u32,
}

#[derive(Debug)]
struct Block {
    first: DocumentId,
    last: DocumentId,
    count: u16,
    bytes: Arc<Vec<u8>>,
}

impl Block {
    fn bytes(&self) -> usize {
        size_of::<Self>() + size_of::<Vec<u8>>() + 16 + self.bytes.capacity()
    }

    fn new(entries: &[Entry], economies: Economies) -> Self {
        let first = entries[0].id;
        let mut bytes = Vec::new();
        let mut before = first;
        for entry in entries {
            encode(&mut bytes, entry, before, economies);
            before = entry.id;
        }
        bytes.shrink_to_fit();
        Self { first, last: before, count: entries.len() as u16, bytes: Arc::new(bytes) }
    }

    /// The first entry whose id is not below `id`; `id` is not above the last.
    fn locate(&self, id: DocumentId, economies: Economies) -> Located {
        let mut reader = Reader::new(Arc::clone(&self.bytes), self.first, economies);
        let (mut before, mut start) = (None, 0);
        while let Some(found) = reader.next() {
            if found >= id {
                return Located { id: found, before, start, end: reader.at };
            }
            (before, start) = (Some(found), reader.at);
        }
        unreachable!("the last id of a block is not below what is looked for")
    }

    /// Puts `bytes` in the place of those from `start` to the difference of the entry at `from`, and behind them that difference as it
    /// then is. Only the bytes of the block are moved.
    fn splice(&mut self, start: usize, from: usize, bytes: Vec<u8>, difference: Option<u32>) -> isize {
        let own = Arc::make_mut(&mut self.bytes);
        let before = own.capacity();
        let (mut bytes, mut end) = (bytes, from);
        if let Some(difference) = difference {
            varint::get_u32(own, &mut end);
            varint::put_u32(&mut bytes, difference);
        }
        own.splice(start..end, bytes);
        if own.capacity() > 2 * own.len() + 16 {
            own.shrink_to_fit();
        }
        own.capacity() as isize - before as isize
    }

    /// Adds an entry in front of another one.
    fn insert(&mut self, entry: &Entry, economies: Economies) -> isize {
        let next = self.locate(entry.id, economies);
        debug_assert!(next.id > entry.id);
        let mut bytes = Vec::new();
        encode(&mut bytes, entry, next.before.unwrap_or(entry.id), economies);
        if next.before.is_none() {
            self.first = entry.id;
        }
        self.count += 1;
        self.splice(next.start, next.start, bytes, Some(next.id - entry.id))
    }

    /// Removes an entry, if it is there.
    fn remove(&mut self, id: DocumentId, economies: Economies) -> Option<isize> {
        let found = self.locate(id, economies);
        if found.id != id {
            return None;
        }
        self.count -= 1;
        if id == self.last {
            self.last = found.before.unwrap_or(id);
            return Some(self.splice(found.start, found.end, Vec::new(), None));
        }
        let next = id + self.locate_difference(found.end);
        if found.before.is_none() {
            self.first = next;
        }
        let difference = next - found.before.unwrap_or(next);
        Some(self.splice(found.start, found.end, Vec::new(), Some(difference)))
    }

    /// The difference that the entry at `at` begins with.
    fn locate_difference(&self, at: usize) -> u32 {
        varint::get_u32(&self.bytes, &mut { at })
    }

    fn entries(&self, economies: Economies) -> Vec<Entry> {
        let mut reader = Reader::new(Arc::clone(&self.bytes), self.first, economies);
        std::iter::from_fn(|| reader.next_entry()).collect()
    }
}

/// An entry in the bytes of a block.
struct Located {
    id: DocumentId,
    /// The id before it.
    before: Option<DocumentId>,
    start: usize,
    end: usize,
}

fn encode(out: &mut Vec<u8>, entry: &Entry, before: DocumentId, economies: Economies) {
    varint::put_u32(out, entry.id - before);
    if !economies.no_frequencies {
        varint::put_u32(out, entry.frequency);
    }
    if !economies.no_fields {
        varint::put(out, entry.fields);
    }
    if !economies.no_offsets {
        let mut positions = Vec::with_capacity(entry.positions.len() * 2);
        varint::put_ascending(&mut positions, entry.positions.iter().copied());
        varint::put_u32(out, positions.len() as u32);
        out.extend_from_slice(&positions);
    }
}

impl Postings {
    /// How many documents.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Memory outside of this value.
    pub fn bytes(&self) -> usize {
        let spare = self.blocks.capacity() - self.blocks.len();
        self.blocks.iter().map(Block::bytes).sum::<usize>() + spare * size_of::<Block>()
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Adds a document that is not there yet. Says by how much the memory has grown.
    pub fn insert(&mut self, entry: &Entry, economies: Economies) -> isize {
        self.count += 1;
        let capacity = self.blocks.capacity();
        let grown = self.insert_into_block(entry, economies);
        grown + ((self.blocks.capacity() - capacity) * size_of::<Block>()) as isize
    }

    fn insert_into_block(&mut self, entry: &Entry, economies: Economies) -> isize {
        let at = self.blocks.partition_point(|block| block.last < entry.id);
        let Some(block) = self.blocks.get_mut(at) else { return self.append(entry, economies) };
        if usize::from(block.count) < BLOCK_ENTRIES_MAX {
            return block.insert(entry, economies);
        }
        let mut entries = block.entries(economies);
        let place = entries.partition_point(|known| known.id < entry.id);
        debug_assert!(entries.get(place).is_none_or(|known| known.id != entry.id));
        entries.insert(place, entry.clone());
        let (left, right) = entries.split_at(entries.len() / 2);
        let halves = [Block::new(left, economies), Block::new(right, economies)];
        let after: usize = halves.iter().map(|block| block.bytes() - size_of::<Block>()).sum();
        let before = self.blocks[at].bytes() - size_of::<Block>();
        self.blocks.splice(at..=at, halves);
        after as isize - before as isize
    }

    fn append(&mut self, entry: &Entry, economies: Economies) -> isize {
        if let Some(block) = self.blocks.last_mut()
            && usize::from(block.count) < BLOCK_ENTRIES_MAX
        {
            let before = block.bytes.capacity();
            encode(Arc::make_mut(&mut block.bytes), entry, block.last, economies);
            block.last = entry.id;
            block.count += 1;
            return block.bytes.capacity() as isize - before as isize;
        }
        let block = Block::new(std::slice::from_ref(entry), economies);
        let grown = block.bytes() - size_of::<Block>();
        self.blocks.push(block);
        grown as isize
    }

    /// Removes a document, if it is there. Says by how much the memory has grown.
    pub fn remove(&mut self, id: DocumentId, economies: Economies) -> isize {
        let at = self.blocks.partition_point(|block| block.last < id);
        let Some(block) = self.blocks.get_mut(at) else { return 0 };
        let Some(grown) = block.remove(id, economies) else { return 0 };
        self.count -= 1;
        if block.count > 0 {
            return grown;
        }
        let bytes = block.bytes() - size_of::<Block>();
        let capacity = self.blocks.capacity();
        self.blocks.remove(at);
        if self.blocks.is_empty() {
            self.blocks = Vec::new();
        }
        let fewer = capacity - self.blocks.capacity();
        grown - (bytes + fewer * size_of::<Block>()) as isize
    }

    /// A reader of the first block whose last id is not below `id`.
    pub fn block_with(&self, id: DocumentId, economies: Economies) -> Option<(Reader, DocumentId)> {
        let block = self.blocks.get(self.blocks.partition_point(|block| block.last < id))?;
        Some((Reader::new(Arc::clone(&block.bytes), block.first, economies), block.last))
    }
}

/// Reads a block from the front.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    bytes: Arc<Vec<u8>>,
    at: usize,
    economies: Economies,
    /// The id that the next difference adds to, then the id of the entry read.
    id: DocumentId,
    frequency: u32,
    fields: FieldMask,
    positions: (usize, usize),
}

impl Reader {
    fn new(bytes: Arc<Vec<u8>>, first: DocumentId, economies: Economies) -> Self {
        Self { bytes, at: 0, economies, id: first, frequency: 1, fields: ALL_FIELDS, positions: (0, 0) }
    }

    /// Reads the next entry; says its id.
    #[inline]
    pub fn next(&mut self) -> Option<DocumentId> {
        let bytes = &self.bytes[..];
        if self.at == bytes.len() {
            return None;
        }
        self.id += varint::get_u32(bytes, &mut self.at);
        if !self.economies.no_frequencies {
            self.frequency = varint::get_u32(bytes, &mut self.at);
        }
        if !self.economies.no_fields {
            self.fields = varint::get(bytes, &mut self.at);
        }
        if !self.economies.no_offsets {
            let length = varint::get_u32(bytes, &mut self.at) as usize;
            self.positions = (self.at, self.at + length);
            self.at += length;
        }
        Some(self.id)
    }

    fn next_entry(&mut self) -> Option<Entry> {
        let id = self.next()?;
        let positions = self.positions().collect();
        Some(Entry { id, frequency: self.frequency, fields: self.fields, positions })
    }

    /// Of the entry read last.
    pub fn frequency(&self) -> u32 {
        self.frequency
    }

    /// Of the entry read last.
    pub fn fields(&self) -> FieldMask {
        self.fields
    }

    /// Of the entry read last.
    pub fn positions(&self) -> impl Iterator<Item = u32> + '_ {
        varint::ascending(&self.bytes[self.positions.0..self.positions.1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn entry(id: DocumentId, seed: u32) -> Entry {
        let positions = (0..seed % 5).map(|n| n * 70 + seed % 50).collect();
        Entry { id, frequency: seed % 300 + 1, fields: 1 << (seed % 128), positions }
    }

    fn all(postings: &Postings) -> Vec<Entry> {
        postings.blocks.iter().flat_map(|block| block.entries(Economies::default())).collect()
    }

    proptest! {
        #[test]
        fn like_a_sorted_map(steps in prop::collection::vec((any::<bool>(), 0..600u32, any::<u32>()), 0..1500)) {
            let (mut postings, mut model) = (Postings::default(), BTreeMap::new());
            let mut bytes = 0isize;
            for (adds, id, seed) in steps {
                if adds && !model.contains_key(&id) {
                    bytes += postings.insert(&entry(id, seed), Economies::default());
                    model.insert(id, entry(id, seed));
                } else if !adds {
                    bytes += postings.remove(id, Economies::default());
                    model.remove(&id);
                }
                prop_assert_eq!(postings.len() as usize, model.len());
            }
            prop_assert_eq!(all(&postings), model.values().cloned().collect::<Vec<_>>());
            prop_assert_eq!(postings.bytes() as isize, bytes);
            for id in 0..620 {
                let expected = model.range(id..).next().map(|(id, _)| *id);
                let found = postings.block_with(id, Economies::default()).and_then(|(mut reader, _)| {
                    std::iter::from_fn(|| reader.next()).find(|found| *found >= id)
                });
                prop_assert_eq!(found, expected);
            }
        }
    }
}
