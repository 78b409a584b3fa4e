//! The table behind large hashes, with an expire time per field.
//!
//! Every segment of the table knows a time before which none of its fields expires (its meta), and the table
//! one before which none at all does. Both are lower bounds: taking an expire time away or moving it later
//! leaves them, and a sweep makes them exact again. Fields are not removed by reading, only by
//! `expire_fields`.
#![allow(unsafe_code)]

use super::record::{EXPIRE_MS_MAX, Earliest, Fields, INLINE_BYTES_MAX, Shape};
use crate::showing::{Element, Show, Showing};
use ::table::{Keep, Pos, Remains, Table};
use base::hash::HashSeed;

/// Draws of a random field before the live ones are counted.
const RANDOM_TRIES: usize = 32;

/// Hash fields in a table.
pub struct HashTable {
    table: Table<Fields>,
    /// Bytes of the blocks of long fields and values.
    block_bytes: usize,
    /// Fields that have an expire time.
    timed: usize,
    /// No field expires before.
    next_expire: u64,
    /// The pass of `expire_fields` under way: where it is, and a bound for the segments it has passed.
    pass_cursor: u64,
    pass_earliest: u64,
    /// The next segment to be shown.
    pub(crate) showing: Showing<u64>,
}

/// A field as the table holds it; `expire` 0 means never.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    pub field: &'a [u8],
    pub value: &'a [u8],
    pub expire: u64,
}

impl<'a> Parts<'a> {
    #[inline]
    fn of(record: &'a [u8]) -> Self {
        let shape = Shape::of(record);
        Self { field: shape.field(record), value: shape.value(record), expire: shape.expire(record) }
    }

    #[inline]
    pub fn is_live(&self, now: u64) -> bool {
        self.expire == 0 || self.expire > now
    }
}

impl<'a> From<Parts<'a>> for Element<'a> {
    fn from(parts: Parts<'a>) -> Self {
        Self::Field { field: parts.field, value: parts.value, expire: parts.expire }
    }
}

impl HashTable {
    pub fn new(seed: HashSeed) -> Self {
        let (next_expire, pass_earliest) = (u64::MAX, u64::MAX);
        Self {
            table: Table::new(seed),
            block_bytes: 0,
            timed: 0,
            next_expire,
            pass_cursor: 0,
            pass_earliest,
            showing: Showing::default(),
        }
    }

    /// Fields, expired ones that are still there included.
    #[inline]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Heap bytes held.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.table.bytes() + self.block_bytes
    }

    /// No field expires before this; `u64::MAX` if none ever does.
    #[inline]
    pub fn next_expire(&self) -> u64 {
        self.next_expire
    }

    /// Stage 1 of a look-up to come: asks for the line of the bucket. Returns the hash for stage 2.
    #[inline]
    pub fn prefetch_bucket(&self, field: &[u8]) -> u64 {
        let hash = self.table.hash(field);
        self.table.prefetch_bucket_for_write(hash);
        hash
    }

    /// Stage 2: reads the bucket and asks for the record, and for the place of a new one.
    #[inline]
    pub fn prefetch_record(&self, hash: u64) {
        self.table.prefetch_record_for_write(hash);
    }

    #[inline]
    pub fn find(&self, field: &[u8]) -> Option<Pos> {
        self.table.find(self.table.hash(field), field)
    }

    /// The field at a place that `find` gave.
    #[inline]
    pub fn parts(&self, pos: Pos) -> Parts<'_> {
        Parts::of(self.table.record(pos))
    }

    /// Adds a field known absent.
    pub fn insert(&mut self, field: &[u8], value: &[u8], expire: u64) {
        let shape = Shape::new(field.len(), value.len(), expire != 0);
        let hash = self.table.hash(field);
        self.keep_home(hash);
        let pos = self.table.insert(hash, shape.len(), |record| {
            shape.write_head(expire, record);
            shape.write_field(field, record);
            shape.write_value(value, record);
        });
        self.block_bytes += Shape::block_bytes(field, value);
        self.note_expire(pos, false, expire);
    }

    /// Gives the field at `pos` a new value (`None` keeps it) and expire time (0 takes it away).
    pub fn rewrite(&mut self, pos: Pos, value: Option<&[u8]>, expire: u64) {
        self.keep_at(pos);
        let old_shape = Shape::of(self.table.record(pos));
        let has_expire = expire != 0;
        if let Some(value) = value
            && old_shape.has_inline_value(value.len())
            && old_shape.has_expire() == has_expire
        {
            let record = self.table.record_mut(pos);
            old_shape.write_head(expire, record);
            old_shape.value_mut(record).copy_from_slice(value);
            return self.note_expire(pos, has_expire, expire);
        }
        let replaced = value.map(|_| old_shape.value_block(self.table.record(pos)));
        let shape =
            value.map_or(old_shape, |value| old_shape.with_value(value.len())).with_expire(has_expire);
        let pos = self.table.replace(pos, shape.len(), |old, record| {
            shape.write_head(expire, record);
            shape.move_field(old_shape, old, record);
            match value {
                Some(value) => shape.write_value(value, record),
                None => shape.move_value(old_shape, old, record),
            }
        });
        if let Some(value) = value.filter(|value| value.len() > INLINE_BYTES_MAX) {
            self.block_bytes += value.len();
        }
        if let Some(blocks) = replaced {
            // SAFETY: the new record holds a new value, nothing refers to the old one any more.
            self.block_bytes -= unsafe { blocks.free() };
        }
        self.note_expire(pos, old_shape.has_expire(), expire);
    }

    pub fn remove(&mut self, pos: Pos) {
        self.keep_at(pos);
        let record = self.table.record(pos);
        let shape = Shape::of(record);
        let blocks = shape.blocks(record);
        self.table.remove(pos);
        // SAFETY: the only record with these references is gone.
        self.block_bytes -= unsafe { blocks.free() };
        self.lose_times(usize::from(shape.has_expire()));
    }

    /// So many fields have lost their expire time, or are gone with it.
    #[inline]
    fn lose_times(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        self.timed -= count;
        if self.timed == 0 {
            // What the segments know are bounds still, if far too low.
            (self.next_expire, self.pass_earliest) = (u64::MAX, u64::MAX);
        }
    }

    /// Counts a field that had an expire time or not and now has this one (0: none), and keeps the bounds below.
    #[inline]
    fn note_expire(&mut self, pos: Pos, had: bool, expire: u64) {
        if expire == 0 {
            return self.lose_times(usize::from(had));
        }
        self.timed += usize::from(!had);
        debug_assert!(expire <= EXPIRE_MS_MAX);
        let meta = self.table.meta_mut(pos);
        *meta = Earliest(expire).min(*meta);
        self.next_expire = self.next_expire.min(expire);
        self.pass_earliest = self.pass_earliest.min(expire);
    }

    /// Removes fields whose time has come, until `budget` is spent: every segment passed costs one, every
    /// segment swept as many as it has fields. `next_expire` is above `now` only after a whole pass.
    pub fn expire_fields(&mut self, now: u64, budget: usize, mut on_expired: impl FnMut(&[u8])) -> usize {
        let (mut spent, mut removed) = (0, 0);
        while self.next_expire <= now && spent < budget {
            let cursor = self.pass_cursor;
            spent += 1;
            self.pass_cursor = if self.table.meta_at(cursor).0 <= now {
                let (visited, expired) = self.sweep(cursor, now, &mut on_expired);
                spent += visited;
                removed += expired;
                self.pass_cursor
            } else {
                self.pass_earliest = self.pass_earliest.min(self.table.meta_at(cursor).0);
                self.table.next_segment(cursor)
            };
            if self.pass_cursor == 0 {
                self.next_expire = std::mem::replace(&mut self.pass_earliest, u64::MAX);
            }
        }
        removed
    }

    /// Sweeps one segment and moves the pass behind it; returns how many fields were visited and removed.
    fn sweep(&mut self, cursor: u64, now: u64, on_expired: &mut impl FnMut(&[u8])) -> (usize, usize) {
        let (mut visited, mut expired, mut freed, mut earliest) = (0, 0, 0, Earliest::default());
        if self.showing.is_on() {
            let showing = &mut self.showing;
            self.table.visit_rest(cursor, |record| showing.keep(Parts::of(record).into()));
        }
        self.pass_cursor = self.table.sweep(cursor, |record, meta| {
            let shape = Shape::of(record);
            let expire = shape.expire(record);
            let gone = expire != 0 && expire <= now;
            visited += 1;
            if gone {
                expired += 1;
                on_expired(shape.field(record));
                // SAFETY: the table forgets this record when the closure returns, without looking at its key.
                freed += unsafe { shape.blocks(record).free() };
            } else if expire != 0 {
                earliest = earliest.min(Earliest(expire));
            }
            *meta = earliest;
            if gone { Keep::Remove } else { Keep::Yes }
        });
        self.block_bytes -= freed;
        self.pass_earliest = self.pass_earliest.min(earliest.0);
        self.lose_times(expired);
        (visited, expired)
    }

    // ---- showing all while they change

    pub(crate) fn begin_showing(&mut self) {
        self.table.begin_walk();
        self.showing.begin(0);
    }

    /// To be called before a field with this hash comes, changes or goes.
    #[inline]
    fn keep_home(&mut self, hash: u64) {
        if self.showing.is_on() {
            let showing = &mut self.showing;
            self.table.visit_home(hash, |record| showing.keep(Parts::of(record).into()));
        }
    }

    #[inline]
    fn keep_at(&mut self, pos: Pos) {
        if self.showing.is_on() {
            self.keep_home(self.table.hash(self.parts(pos).field));
        }
    }

    pub(crate) fn show_on(&mut self, show: Show<'_>) -> bool {
        self.showing.show_kept(show);
        let Some(cursor) = self.showing.take_place() else { return false };
        let next = self.table.visit_rest(cursor, |record| show(Parts::of(record).into()));
        self.showing.go_on_at((next != 0).then_some(next));
        next != 0
    }

    pub(crate) fn end_showing(&mut self) {
        self.table.end_walk();
        self.showing.end();
    }

    /// Fields that have not expired. Counts only in segments where one may have.
    pub fn live_len(&self, now: u64) -> usize {
        if self.next_expire > now {
            return self.len();
        }
        let (mut expired, mut cursor) = (0, 0);
        loop {
            cursor = if self.table.meta_at(cursor).0 <= now {
                self.table
                    .visit_segment(cursor, |record| expired += usize::from(!Parts::of(record).is_live(now)))
            } else {
                self.table.next_segment(cursor)
            };
            if cursor == 0 {
                return self.len() - expired;
            }
        }
    }

    /// See `Table::scan`; shows expired fields too.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Parts<'_>)) -> u64 {
        self.table.scan(cursor, count, |record| visit(Parts::of(record)))
    }

    /// A random live field.
    pub fn random(&self, now: u64, random: &mut impl FnMut() -> u64) -> Option<Parts<'_>> {
        for _ in 0..RANDOM_TRIES {
            let parts = self.parts(self.table.random(random)?);
            if parts.is_live(now) {
                return Some(parts);
            }
        }
        let nth = crate::set::pick(self.live_len(now), random)?;
        self.iter().filter(|parts| parts.is_live(now)).nth(nth)
    }

    /// What is left of it, to be freed step by step.
    pub fn into_remains(mut self) -> HashRemains {
        let empty = Table::new(self.table.seed().clone());
        let table = std::mem::replace(&mut self.table, empty).into_remains();
        HashRemains { table, block_bytes: std::mem::take(&mut self.block_bytes) }
    }

    /// All fields, expired ones included, in table order.
    pub fn iter(&self) -> TableIter<'_> {
        TableIter(self.table.iter())
    }
}

impl Clone for HashTable {
    /// A deep copy: long fields and values get blocks of their own.
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.table.seed().clone());
        for parts in self.iter() {
            copy.insert(parts.field, parts.value, parts.expire);
        }
        copy
    }
}

impl Drop for HashTable {
    fn drop(&mut self) {
        if self.block_bytes == 0 {
            return;
        }
        for record in self.table.iter() {
            // SAFETY: nothing reads the records after this but the table's drop, which frees memory without
            // looking at them.
            unsafe { Shape::of(record).blocks(record).free() };
        }
    }
}

/// A table of fields on its way out.
pub struct HashRemains {
    table: Remains<Fields>,
    block_bytes: usize,
}

impl HashRemains {
    /// Heap bytes not yet freed.
    pub fn bytes(&self) -> usize {
        self.table.bytes() + self.block_bytes
    }

    /// Frees one segment with what its fields own; false if there was none.
    pub fn free_step(&mut self) -> bool {
        if self.block_bytes == 0 {
            return self.table.free_segment();
        }
        let block_bytes = &mut self.block_bytes;
        self.table.free_segment_showing(|record| {
            // SAFETY: the segment goes next, without a look at its records.
            *block_bytes -= unsafe { Shape::of(record).blocks(record).free() };
        })
    }
}

impl Drop for HashRemains {
    fn drop(&mut self) {
        while self.block_bytes > 0 && self.free_step() {}
    }
}

/// The fields of a table.
pub struct TableIter<'a>(::table::Iter<'a, Fields>);

impl<'a> Iterator for TableIter<'a> {
    type Item = Parts<'a>;

    #[inline]
    fn next(&mut self) -> Option<Parts<'a>> {
        self.0.next().map(Parts::of)
    }
}
