//! Some rows of pending entries, ascending.
//!
//! A copy shares them until one of both changes: so a snapshot has all that is pending in a group of a million entries at once.

use super::{ConsumerId, Delivery, NOBODY, ROWS_MAX};
use crate::stream::StreamId;
use std::sync::Arc;

/// The row is no longer there.
const GONE: ConsumerId = ConsumerId(u32::MAX);
/// Times up to 24 days before a chunk's first fit as well.
const TIME_BACK_MS: u64 = 1 << 31;
/// So many marked rows may always stay.
const GONE_MAX: usize = 16;

/// All but the consumer, as differences from the chunk's base.
#[derive(Clone, Copy, Debug)]
struct Small {
    ms: u32,
    seq: u32,
    at: u32,
    count: u32,
}

#[derive(Clone, Copy, Debug)]
struct Large {
    id: StreamId,
    at: u64,
    count: u64,
}

#[derive(Clone, Debug)]
enum Rows {
    Small(Arc<Vec<Small>>),
    Large(Arc<Vec<Large>>),
}

/// A column to be changed; first copied, with the same room, if it is shared.
#[inline]
fn own<T: Clone>(column: &mut Arc<Vec<T>>) -> &mut Vec<T> {
    if Arc::strong_count(column) > 1 {
        let mut copy = Vec::with_capacity(column.capacity());
        copy.extend_from_slice(column);
        *column = Arc::new(copy);
    }
    Arc::make_mut(column)
}

#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// No ID is below it.
    first: StreamId,
    /// What times are counted from; known with the first row.
    base_at: u64,
    /// No time (see `Delivery::at_ms`) is below it.
    pub oldest_ms: u64,
    /// Bit n: a consumer whose number is n modulo 64 may have a row.
    owners: u64,
    live: usize,
    consumers: Arc<Vec<ConsumerId>>,
    rows: Rows,
}

fn bit(consumer: ConsumerId) -> u64 {
    1 << (consumer.0 % 64)
}

impl Chunk {
    /// An empty chunk whose first ID will be `first`.
    pub fn new(first: StreamId, capacity: usize) -> Self {
        Self {
            first,
            base_at: 0,
            oldest_ms: u64::MAX,
            owners: 0,
            live: 0,
            consumers: Arc::new(Vec::with_capacity(capacity)),
            rows: Rows::Small(Arc::new(Vec::with_capacity(capacity))),
        }
    }

    #[inline]
    pub fn first(&self) -> StreamId {
        self.first
    }

    /// Entries that are there.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Rows, those marked as gone included.
    pub fn rows_len(&self) -> usize {
        self.consumers.len()
    }

    #[inline]
    pub fn is_full(&self) -> bool {
        self.rows_len() == ROWS_MAX
    }

    /// Whether it should be packed.
    #[inline]
    pub fn is_sparse(&self) -> bool {
        self.live == 0 || self.rows_len() - self.live > self.live.max(GONE_MAX)
    }

    pub fn heap_bytes(&self) -> usize {
        let rows = match &self.rows {
            Rows::Small(rows) => rows.capacity() * size_of::<Small>(),
            Rows::Large(rows) => rows.capacity() * size_of::<Large>(),
        };
        rows + self.consumers.capacity() * size_of::<ConsumerId>()
    }

    pub fn may_have(&self, consumer: ConsumerId) -> bool {
        self.owners & bit(consumer) != 0
    }

    #[inline]
    fn small(&self, id: StreamId, delivery: Delivery) -> Option<Small> {
        Some(Small {
            ms: u32::try_from(id.ms.checked_sub(self.first.ms)?).ok()?,
            seq: u32::try_from(id.seq).ok()?,
            at: u32::try_from(delivery.at.checked_sub(self.base_at)?).ok()?,
            count: u32::try_from(delivery.count).ok()?,
        })
    }

    #[inline]
    fn id(&self, index: usize) -> StreamId {
        match &self.rows {
            Rows::Small(rows) => {
                StreamId { ms: self.first.ms + u64::from(rows[index].ms), seq: u64::from(rows[index].seq) }
            }
            Rows::Large(rows) => rows[index].id,
        }
    }

    #[inline]
    fn delivery(&self, index: usize) -> Delivery {
        let (at, count) = match &self.rows {
            Rows::Small(rows) => (self.base_at + u64::from(rows[index].at), u64::from(rows[index].count)),
            Rows::Large(rows) => (rows[index].at, rows[index].count),
        };
        let consumer = self.consumers[index];
        Delivery { consumer: (consumer != NOBODY).then_some(consumer), at, count }
    }

    fn is_live(&self, index: usize) -> bool {
        self.consumers[index] != GONE
    }

    /// The row of an ID, marked or not; else the place where it would stand.
    #[inline]
    fn find(&self, id: StreamId) -> Result<usize, usize> {
        match &self.rows {
            Rows::Small(rows) => {
                let Some(ms) = id.ms.checked_sub(self.first.ms) else { return Err(0) };
                let wanted = (ms, id.seq);
                rows.binary_search_by_key(&wanted, |row| (u64::from(row.ms), u64::from(row.seq)))
            }
            Rows::Large(rows) => rows.binary_search_by_key(&id, |row| row.id),
        }
    }

    pub fn has_row(&self, id: StreamId) -> bool {
        self.find(id).is_ok()
    }

    pub fn get(&self, id: StreamId) -> Option<Delivery> {
        let index = self.find(id).ok()?;
        self.is_live(index).then(|| self.delivery(index))
    }

    pub fn last_live(&self) -> Option<StreamId> {
        let index = (0..self.rows_len()).rev().find(|&index| self.is_live(index))?;
        Some(self.id(index))
    }

    /// Whether all rows are below an ID.
    pub fn ends_before(&self, id: StreamId) -> bool {
        self.rows_len() == 0 || self.id(self.rows_len() - 1) < id
    }

    /// Enters or replaces a row. There is room, and `id` is not below `first`.
    pub fn set(&mut self, id: StreamId, delivery: Delivery) -> Option<Delivery> {
        if self.rows_len() == 0 {
            self.base_at = delivery.at.saturating_sub(TIME_BACK_MS);
        }
        let small = self.small(id, delivery);
        if small.is_none() {
            self.enlarge();
        }
        let place = if self.ends_before(id) { Err(self.rows_len()) } else { self.find(id) };
        let (index, replaced) = match place {
            Ok(index) => (index, self.is_live(index).then(|| self.delivery(index))),
            Err(index) => (index, None),
        };
        let consumer = delivery.consumer.unwrap_or(NOBODY);
        match place {
            Ok(_) => own(&mut self.consumers)[index] = consumer,
            Err(_) => own(&mut self.consumers).insert(index, consumer),
        }
        match (&mut self.rows, small) {
            (Rows::Small(rows), Some(row)) if place.is_ok() => own(rows)[index] = row,
            (Rows::Small(rows), Some(row)) => own(rows).insert(index, row),
            (Rows::Large(rows), _) => {
                let row = Large { id, at: delivery.at, count: delivery.count };
                match place {
                    Ok(_) => own(rows)[index] = row,
                    Err(_) => own(rows).insert(index, row),
                }
            }
            (Rows::Small(_), None) => unreachable!("the rows are large now"),
        }
        self.live += usize::from(replaced.is_none());
        self.owners |= bit(consumer);
        self.oldest_ms = self.oldest_ms.min(delivery.at_ms());
        replaced
    }

    #[cold]
    fn enlarge(&mut self) {
        if let Rows::Small(_) = self.rows {
            let rows = 0..self.rows_len();
            let large = rows.map(|index| {
                let Delivery { at, count, .. } = self.delivery(index);
                Large { id: self.id(index), at, count }
            });
            self.rows = Rows::Large(Arc::new(large.collect()));
        }
    }

    /// Takes a row out by marking it.
    #[inline]
    pub fn remove(&mut self, id: StreamId) -> Option<Delivery> {
        let index = self.find(id).ok()?;
        if !self.is_live(index) {
            return None;
        }
        let removed = self.delivery(index);
        own(&mut self.consumers)[index] = GONE;
        self.live -= 1;
        Some(removed)
    }

    /// Takes out all rows of a consumer; how many there were.
    pub fn remove_of(&mut self, consumer: ConsumerId) -> usize {
        if !self.consumers.contains(&consumer) {
            return 0;
        }
        let rows = own(&mut self.consumers).iter_mut().filter(|owner| **owner == consumer);
        let count = rows.map(|owner| *owner = GONE).count();
        self.live -= count;
        count
    }

    /// The same rows, none of them marked, as small as they can be.
    pub fn pack(&mut self) {
        *self = self.rebuilt(self.first, 0);
    }

    /// Has room for an ID below its first.
    pub fn begin_at(&mut self, id: StreamId) {
        *self = self.rebuilt(id, 1);
    }

    fn rebuilt(&self, first: StreamId, room: usize) -> Self {
        let mut chunk = Self::new(first, self.live + room);
        chunk.append(self);
        chunk
    }

    /// The upper half goes to another chunk.
    pub fn split(&mut self) -> Self {
        let middle = self.rows_len() / 2;
        let (first, until) = (self.id(middle), self.rows_len());
        let (mut lower, mut upper) = (Self::new(self.first, ROWS_MAX), Self::new(first, ROWS_MAX));
        lower.append_rows(self, 0..middle);
        upper.append_rows(self, middle..until);
        *self = lower;
        upper
    }

    /// Appends the rows of a chunk, which come behind its own.
    pub fn append(&mut self, other: &Self) {
        self.append_rows(other, 0..other.rows_len());
    }

    fn append_rows(&mut self, other: &Self, rows: std::ops::Range<usize>) {
        for index in rows.filter(|&index| other.is_live(index)) {
            self.set(other.id(index), other.delivery(index));
        }
    }

    /// Entries from an ID on.
    pub fn iter_from(&self, from: StreamId) -> impl Iterator<Item = (StreamId, Delivery)> {
        let start = if from <= self.first { 0 } else { self.find(from).unwrap_or_else(|place| place) };
        let rows = (start..self.rows_len()).filter(|&index| self.is_live(index));
        rows.map(|index| (self.id(index), self.delivery(index)))
    }

    /// Those of one consumer.
    pub fn iter_of(
        &self,
        consumer: ConsumerId,
        from: StreamId,
    ) -> impl Iterator<Item = (StreamId, Delivery)> {
        let start = if from <= self.first { 0 } else { self.find(from).unwrap_or_else(|place| place) };
        let rows = self.consumers[start..].iter().enumerate().filter(move |(_, owner)| **owner == consumer);
        rows.map(move |(index, _)| (self.id(start + index), self.delivery(start + index)))
    }
}
