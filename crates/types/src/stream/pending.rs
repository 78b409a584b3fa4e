//! What a consumer group has delivered and nobody has acknowledged yet, ordered by ID.
//!
//! Rows lie in chunks of at most [`ROWS_MAX`], 20 bytes each: ID, time and count as 32 bits above the chunk's base, and the consumer in a
//! column of its own. A chunk with a row that does not fit (a huge delivery count, a sequence beyond 32 bits, a time a month off) keeps
//! whole words instead. Taking a row out marks it; a chunk is packed again when half of it is marked.
//!
//! There is no second index. A consumer's own entries are found by its column, whole chunks being passed over by a mask of who has rows
//! in them; the longest idle ones by the earliest time of each chunk.

use super::StreamId;
use std::collections::VecDeque;

mod chunk;
mod oldest;

use chunk::Chunk;

/// Rows of a chunk.
const ROWS_MAX: usize = 128;
/// Neighbours with fewer entries become one chunk.
const JOINED_MAX: usize = ROWS_MAX * 3 / 4;
/// Chunks freed in one step.
const STEP_CHUNKS: usize = 64;

/// Names a consumer within its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsumerId(pub(super) u32);

/// Nobody has the entry: it was given back.
const NOBODY: ConsumerId = ConsumerId(u32::MAX - 1);

/// Who an entry was delivered to last, when, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// `None`: it was given back to the group.
    pub consumer: Option<ConsumerId>,
    /// Unix ms; of what was given back, its number among all that were.
    pub(super) at: u64,
    pub count: u64,
}

impl Delivery {
    /// More deliveries are not counted: clients are told of a signed number.
    pub const COUNT_MAX: u64 = i64::MAX as u64;

    pub fn new(consumer: ConsumerId, at_ms: u64, count: u64) -> Self {
        Self { consumer: Some(consumer), at: at_ms, count }
    }

    /// How often it will have been delivered when it is again.
    pub fn count_next(&self) -> u64 {
        self.count.saturating_add(1).min(Self::COUNT_MAX)
    }

    /// When it was delivered, unix ms; 0 if it was given back.
    pub fn at_ms(&self) -> u64 {
        if self.consumer.is_some() { self.at } else { 0 }
    }

    /// For how long its consumer has had it, ms; what was given back, for ever.
    pub fn idle_ms(&self, now_ms: u64) -> u64 {
        if self.consumer.is_some() { now_ms.saturating_sub(self.at) } else { u64::MAX }
    }
}

/// The pending entries of a group.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    chunks: VecDeque<Chunk>,
    len: usize,
    /// Heap bytes of the chunks' buffers.
    heap_bytes: usize,
    /// Nothing has been pending for longer: unix ms.
    oldest_ms: u64,
}

impl Pending {
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Blocks of memory it has.
    pub fn blocks(&self) -> usize {
        self.chunks.len()
    }

    /// Heap bytes held.
    pub fn bytes(&self) -> usize {
        self.heap_bytes + self.chunks.capacity() * size_of::<Chunk>()
    }

    /// The chunk that has the ID, if any has.
    #[inline]
    fn chunk_of(&self, id: StreamId) -> Option<usize> {
        if self.chunks.get(1).is_none_or(|second| id < second.first()) {
            return self.chunks.front().is_some_and(|first| first.first() <= id).then_some(0);
        }
        Some(self.chunks.partition_point(|chunk| chunk.first() <= id) - 1)
    }

    pub fn get(&self, id: StreamId) -> Option<Delivery> {
        self.chunks[self.chunk_of(id)?].get(id)
    }

    /// The first and the last ID.
    pub fn ends(&self) -> Option<(StreamId, StreamId)> {
        let first = self.iter_from(StreamId::MIN).next()?.0;
        let last = self.chunks.iter().rev().find_map(Chunk::last_live)?;
        Some((first, last))
    }

    /// Enters a delivery, or replaces the one there was, which it returns.
    pub fn set(&mut self, id: StreamId, delivery: Delivery) -> Option<Delivery> {
        self.oldest_ms = if self.len == 0 { delivery.at_ms() } else { self.oldest_ms.min(delivery.at_ms()) };
        let index = match self.chunk_of(id) {
            Some(index) => index,
            None => self.first_for(id),
        };
        let chunk = &mut self.chunks[index];
        let before = chunk.heap_bytes();
        if chunk.is_full() && !chunk.has_row(id) {
            return self.set_beside(index, id, delivery);
        }
        let replaced = chunk.set(id, delivery);
        self.heap_bytes = self.heap_bytes - before + chunk.heap_bytes();
        self.len += usize::from(replaced.is_none());
        replaced
    }

    /// A chunk that may begin with an ID below all others.
    #[cold]
    fn first_for(&mut self, id: StreamId) -> usize {
        match self.chunks.front_mut() {
            Some(chunk) if !chunk.is_full() => {
                let before = chunk.heap_bytes();
                chunk.begin_at(id);
                self.heap_bytes = self.heap_bytes - before + chunk.heap_bytes();
            }
            _ => self.chunks.push_front(Chunk::new(id, 0)),
        }
        0
    }

    /// A full chunk is in the way: behind all, a new one; else half of the chunk moves to another.
    #[cold]
    fn set_beside(&mut self, index: usize, id: StreamId, delivery: Delivery) -> Option<Delivery> {
        let full = &mut self.chunks[index];
        let before = full.heap_bytes();
        let beside = if full.ends_before(id) { Chunk::new(id, ROWS_MAX) } else { full.split() };
        self.heap_bytes = self.heap_bytes - before + full.heap_bytes() + beside.heap_bytes();
        match index + 1 == self.chunks.len() {
            true => self.chunks.push_back(beside),
            false => self.chunks.insert(index + 1, beside),
        }
        self.set(id, delivery)
    }

    /// Takes an entry out.
    #[inline]
    pub fn remove(&mut self, id: StreamId) -> Option<Delivery> {
        let index = self.chunk_of(id)?;
        let chunk = &mut self.chunks[index];
        let removed = chunk.remove(id)?;
        self.len -= 1;
        if chunk.is_sparse() {
            self.pack(index);
        }
        Some(removed)
    }

    /// Gives back what a chunk no longer needs; it goes if it is empty, or its neighbour has room for what it has.
    #[cold]
    fn pack(&mut self, index: usize) {
        self.heap_bytes -= self.chunks[index].heap_bytes();
        self.chunks[index].pack();
        let len = self.chunks[index].len();
        if len == 0 {
            self.chunks.remove(index);
            return self.shrink();
        }
        self.heap_bytes += self.chunks[index].heap_bytes();
        let has_room = |at: usize| self.chunks.get(at).is_some_and(|other| other.len() + len <= JOINED_MAX);
        let into = if index > 0 && has_room(index - 1) {
            index - 1
        } else if has_room(index + 1) {
            index
        } else {
            return;
        };
        let from = self.chunks.remove(into + 1).expect("there is a neighbour");
        let chunk = &mut self.chunks[into];
        self.heap_bytes -= chunk.heap_bytes() + from.heap_bytes();
        chunk.pack();
        chunk.append(&from);
        self.heap_bytes += chunk.heap_bytes();
        self.shrink();
    }

    /// Gives back what the directory no longer needs.
    fn shrink(&mut self) {
        if self.chunks.is_empty()
            || (self.chunks.capacity() > 64 && self.chunks.len() * 4 < self.chunks.capacity())
        {
            self.chunks.shrink_to(self.chunks.len() * 2);
        }
    }

    /// Entries from an ID on.
    pub fn iter_from(&self, from: StreamId) -> impl Iterator<Item = (StreamId, Delivery)> {
        let start = self.chunk_of(from).unwrap_or(0);
        self.chunks.range(start.min(self.chunks.len())..).flat_map(move |chunk| chunk.iter_from(from))
    }

    /// Those of one consumer, or of nobody, from an ID on.
    pub fn iter_of(
        &self,
        consumer: Option<ConsumerId>,
        from: StreamId,
    ) -> impl Iterator<Item = (StreamId, Delivery)> {
        let owner = consumer.unwrap_or(NOBODY);
        let start = self.chunk_of(from).unwrap_or(0);
        let chunks = self.chunks.range(start.min(self.chunks.len())..);
        chunks.filter(move |chunk| chunk.may_have(owner)).flat_map(move |chunk| chunk.iter_of(owner, from))
    }

    /// Takes out all of one consumer; how many there were.
    pub fn remove_of(&mut self, consumer: ConsumerId) -> usize {
        let before = self.len;
        let mut index = 0;
        while let Some(chunk) = self.chunks.get_mut(index) {
            let removed = if chunk.may_have(consumer) { chunk.remove_of(consumer) } else { 0 };
            self.len -= removed;
            let chunks = self.chunks.len();
            if removed > 0 {
                self.pack(index);
            }
            // What came from the next chunk is looked at as well.
            index = if self.chunks.len() == chunks { index + 1 } else { index.saturating_sub(1) };
        }
        before - self.len
    }

    /// Frees some of it, of a group on its way out; false if nothing was left.
    pub fn free_step(&mut self) -> bool {
        let count = self.chunks.len().min(STEP_CHUNKS);
        let from = self.chunks.len() - count;
        let freed = self.chunks.drain(from..).map(|chunk| (chunk.len(), chunk.heap_bytes()));
        let (rows, bytes) = freed.fold((0, 0), |sum, chunk| (sum.0 + chunk.0, sum.1 + chunk.1));
        self.len -= rows;
        self.heap_bytes -= bytes;
        count > 0
    }
}

#[cfg(test)]
mod tests;
