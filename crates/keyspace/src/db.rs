//! One logical database of one shard.
//!
//! Invariants: `expiring` is the number of records with an expiry, `timed_hashes` of those with fields that have one; `outside` the exact bytes records own outside the
//! table, `live` those of the records themselves; `sizes` has each value in the bin of its size; a segment's `expire_min` is never later than its earliest expiry, its
//! `field_min` never later than that of any field of its hashes; `far` has an entry for exactly the records whose expiry
//! does not fit them.

mod expiry;
mod store;

use crate::age::AgeRule;
use crate::bin::{Bin, Free, Frees};
use crate::birth::Births;
use crate::entry::Entry;
use crate::key::Key;
use crate::record::{self, EXPIRE_MAX_MS, KeyLayout};
use crate::sizes::Sizes;
use crate::sweep::Sweep;
use crate::typed::{Typed, Update};
use crate::value::ValueRef;
use crate::walk::Walk;
use base::hash::HashSeed;
use std::collections::HashMap;
use table::{Pos, Table};

/// What a look-up came to.
#[derive(Clone, Copy)]
pub enum Found {
    /// A live entry.
    Live(Pos),
    /// There was one, but its time was over; it has been removed.
    Expired,
    Missing,
}

pub struct Db {
    pub(crate) table: Table<KeyLayout>,
    pub(crate) expiring: usize,
    pub(crate) timed_hashes: usize,
    pub(crate) outside: usize,
    pub(crate) live: usize,
    pub(crate) sizes: Sizes,
    /// How ages are renewed; the same in all databases of a shard.
    pub ages: AgeRule,
    /// When it frees what it lets go of; the same in all databases of a shard.
    pub frees: Frees,
    /// Keys that have come since somebody asked.
    pub births: Births,
    pub(crate) bin: Bin,
    pub(crate) sweep: Sweep,
    pub(crate) far: HashMap<Box<[u8]>, u64>,
    pub(crate) walk: Option<Box<Walk>>,
    /// Where short strings are while they change; kept for its memory.
    scratch: Vec<u8>,
}

impl Db {
    /// A database with a bin of its own.
    pub fn new(seed: HashSeed) -> Self {
        Self::with_bin(seed, Bin::default())
    }

    /// An empty database; what it frees step by step goes into `bin`.
    pub fn with_bin(seed: HashSeed, bin: Bin) -> Self {
        Self {
            table: Table::new(seed),
            expiring: 0,
            timed_hashes: 0,
            outside: 0,
            live: 0,
            sizes: Sizes::default(),
            ages: AgeRule::LRU,
            frees: Frees::default(),
            births: Births::default(),
            bin,
            sweep: Sweep::default(),
            far: HashMap::new(),
            walk: None,
            scratch: Vec::new(),
        }
    }

    /// Keys, expired ones not yet removed included.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Keys with an expiry.
    pub fn expiring(&self) -> usize {
        self.expiring
    }

    /// Hashes that have fields with an expire time.
    pub fn timed_hashes(&self) -> usize {
        self.timed_hashes
    }

    /// Bytes of the table and of everything its records own.
    pub fn bytes(&self) -> usize {
        self.table.bytes() + self.outside
    }

    /// Bytes of the table alone: what keys cost beyond large values.
    pub fn table_bytes(&self) -> usize {
        self.table.bytes()
    }

    /// Bytes of the records with their slots: what [`Db::table_bytes`] would be without any room to spare.
    pub fn live_bytes(&self) -> usize {
        self.live + self.len() * SLOT_BYTES
    }

    /// How large the values are.
    pub fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// Bytes that records own outside the table.
    pub fn outside_bytes(&self) -> usize {
        self.outside
    }

    pub fn segments(&self) -> usize {
        self.table.segments()
    }

    pub fn seed(&self) -> &HashSeed {
        self.table.seed()
    }

    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        self.table.prefetch_bucket(hash);
    }

    #[inline]
    pub fn prefetch_record(&self, hash: u64) {
        self.table.prefetch_record(hash);
    }

    /// Stage 1 of an insertion to come, see [`Table::prefetch_bucket_for_write`].
    #[inline]
    pub fn prefetch_bucket_for_write(&self, hash: u64) {
        self.table.prefetch_bucket_for_write(hash);
    }

    /// Stage 2, see [`Table::prefetch_record_for_write`].
    #[inline]
    pub fn prefetch_record_for_write(&self, hash: u64) {
        self.table.prefetch_record_for_write(hash);
    }

    /// Makes room for so many keys in all, if they are like those that are here; see [`Table::expect`].
    pub fn expect(&mut self, keys: usize) {
        let bytes = self.live as f64 / self.len().max(1) as f64 * keys as f64;
        self.table.expect(keys, bytes as usize);
    }

    /// The name of a key, by its hash and by what is to be true of it.
    pub fn key_of(&self, hash: u64, is_name: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
        let record = self.table.find_by(hash, |record| is_name(record::key(record)))?;
        Some(record::key(record))
    }

    /// Looks a key up; an entry whose time is over at `now_ms` is removed on the way.
    #[inline]
    pub fn find(&mut self, key: Key<'_>, now_ms: u64) -> Found {
        let Some(pos) = self.table.find(key.hash, key.bytes) else { return Found::Missing };
        self.judge(pos, now_ms)
    }

    /// As [`Db::find`]; the age of a live entry is renewed as by [`Db::touch`].
    #[inline]
    pub fn find_used(&mut self, key: Key<'_>, now_ms: u64, fresh: u32) -> Found {
        let Some(pos) = self.table.find(key.hash, key.bytes) else { return Found::Missing };
        let record = self.table.record_open(pos);
        let old = record::age(record);
        if record::expire(record).is_some_and(|at_ms| at_ms <= now_ms) {
            self.remove_expired(pos);
            return Found::Expired;
        }
        self.renew(pos, old, fresh);
        Found::Live(pos)
    }

    /// Whether the entry is over.
    #[inline(always)]
    fn judge(&mut self, pos: Pos, now_ms: u64) -> Found {
        if record::expire(self.table.record_open(pos)).is_some_and(|at_ms| at_ms <= now_ms) {
            self.remove_expired(pos);
            return Found::Expired;
        }
        Found::Live(pos)
    }

    #[cold]
    fn remove_expired(&mut self, pos: Pos) {
        self.discard(pos, self.frees.expired);
    }

    #[inline]
    pub fn record(&self, pos: Pos) -> &[u8] {
        self.table.record(pos)
    }

    #[inline]
    pub fn value(&self, pos: Pos) -> ValueRef<'_> {
        record::value(self.table.record_open(pos))
    }

    pub fn age(&self, pos: Pos) -> u32 {
        record::age(self.table.record(pos))
    }

    /// Sets the age field; leaves the line clean when it is the same already.
    #[inline]
    pub fn set_age(&mut self, pos: Pos, age: u32) {
        if record::age(self.table.record_open(pos)) != age {
            record::set_age(self.table.record_front(pos, record::HEAD_BYTES), age);
        }
    }

    /// Renews the age of an entry that is used now; `fresh` is [`AgeRule::fresh`].
    #[inline]
    pub fn touch(&mut self, pos: Pos, fresh: u32) {
        let old = record::age(self.table.record_open(pos));
        self.renew(pos, old, fresh);
    }

    #[inline]
    fn renew(&mut self, pos: Pos, old: u32, fresh: u32) {
        let age = self.ages.used(old, fresh);
        if age != old {
            record::set_age(self.table.record_front(pos, record::HEAD_BYTES), age);
        }
    }

    /// The right to change the value at `pos` if it is a `T`; the entry's age is renewed as by [`Db::touch`]. Looks at the
    /// record once.
    #[inline(always)]
    pub fn update_used<T: Typed>(&mut self, pos: Pos, fresh: u32) -> Option<Update<'_, T>> {
        self.keep_value(pos);
        let record = self.table.record_open(pos);
        if record::code(record) != T::code() {
            return None;
        }
        let (value, old) = (record::boxed::<T>(record), record::age(record));
        self.renew(pos, old, fresh);
        Some(Update::of_boxed(self, pos, value))
    }

    /// Bytes of one entry: its record, its share of the table and what it owns outside.
    pub fn entry_bytes(&self, pos: Pos) -> usize {
        let record = self.table.record(pos);
        record.len() + record::outside_bytes(record) + SLOT_BYTES
    }

    /// Removes an entry as a command does by the way; see [`Frees::overwritten`].
    pub fn remove(&mut self, pos: Pos) {
        self.discard(pos, self.frees.overwritten);
    }

    /// Removes an entry and releases all it owns; what is large, when `free` says.
    pub fn discard(&mut self, pos: Pos, free: Free) {
        self.keep_entry(pos);
        self.sizes.leave_record(self.table.record(pos));
        self.release_value(pos, free);
        self.forget(pos);
    }

    /// Takes an entry out; its value is now the caller's, who may give it to another shard.
    pub fn take(&mut self, pos: Pos) -> Entry {
        self.keep_whole(pos);
        self.take_out(pos)
    }

    /// Takes an entry out of which the walk needs nothing more.
    pub(crate) fn take_out(&mut self, pos: Pos) -> Entry {
        let record = self.table.record(pos);
        self.sizes.leave_record(record);
        self.outside -= record::value_outside_bytes(record);
        self.timed_hashes -= usize::from(record::has_timed_fields(record));
        let entry = Entry {
            value: record::take_value(record),
            expire: self.expire_of(record),
            age: record::age(record),
        };
        self.forget(pos);
        entry
    }

    /// Puts an entry under a key that is absent.
    pub fn install(&mut self, key: Key<'_>, entry: Entry) -> Pos {
        self.put(key, None, entry.value, entry.expire, entry.age)
    }

    /// Puts back what was taken out: nobody is told.
    pub fn put_back(&mut self, key: Key<'_>, entry: Entry) {
        self.silently(|db| db.install(key, entry));
    }

    /// Does something of which nobody is told that a key has come.
    pub fn silently<R>(&mut self, act: impl FnOnce(&mut Self) -> R) -> R {
        let are_noted = std::mem::replace(&mut self.births.are_noted, false);
        let result = act(self);
        self.births.are_noted = are_noted;
        result
    }

    /// Removes a record whose value has been released or taken.
    fn forget(&mut self, pos: Pos) {
        let record = self.table.record(pos);
        self.expiring -= usize::from(record::expire(record).is_some());
        self.outside -= record::key_outside_bytes(record);
        self.live -= record.len();
        if record::expire(record) == Some(EXPIRE_MAX_MS) {
            self.far.remove(record::key(record));
        }
        record::release_key(record);
        self.table.remove(pos);
    }

    /// Releases what the value of a record owns; the payload must not be read again.
    #[inline]
    fn release_value(&mut self, pos: Pos, free: Free) {
        let record = self.table.record(pos);
        if record::owns_box(record) {
            let bytes = record::value_outside_bytes(record);
            self.outside -= bytes;
            self.timed_hashes -= usize::from(record::has_timed_fields(record));
            let value = record::take_value(record);
            let Some(value) = self.leave_value(|db| db.key_at(pos).to_vec(), value) else { return };
            match free {
                Free::Now => {
                    drop(value);
                    self.bin.note_freed(bytes);
                }
                Free::Later => self.bin.put(value),
            }
        }
    }

    /// The right to change the value at `pos`, which must be a `T`.
    pub fn update<T: Typed>(&mut self, pos: Pos) -> Update<'_, T> {
        Update::new(self, pos)
    }

    pub(crate) fn account(&mut self, before: usize, after: usize) {
        self.outside = self.outside + after - before;
    }

    /// Visits entries from `cursor` on; see [`Table::scan`] for the guarantee. Entries may be expired.
    pub fn scan(
        &self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(&[u8], ValueRef<'_>, Option<u64>),
    ) -> u64 {
        self.table.scan(cursor, count, |r| visit(record::key(r), record::value(r), self.expire_of(r)))
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], ValueRef<'_>, Option<u64>)> {
        self.table.iter().map(|r| (record::key(r), record::value(r), self.expire_of(r)))
    }

    /// A random entry, maybe an expired one.
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<Pos> {
        self.table.random(random)
    }

    pub fn key_at(&self, pos: Pos) -> &[u8] {
        record::key(self.table.record(pos))
    }

    /// Counts anew what the books say.
    ///
    /// # Errors
    /// The account that is wrong, with its value and what it should be.
    pub fn audit(&self) -> Result<(), String> {
        let records = || self.table.iter();
        let far = records().filter(|r| record::expire(r) == Some(EXPIRE_MAX_MS)).count();
        let accounts = [
            ("live", self.live, records().map(<[u8]>::len).sum()),
            ("outside", self.outside, records().map(record::outside_bytes).sum()),
            ("expiring", self.expiring, records().filter(|r| record::expire(r).is_some()).count()),
            ("far", self.far.len(), far),
            ("timed_hashes", self.timed_hashes, records().filter(|r| record::has_timed_fields(r)).count()),
        ];
        let mut sizes = Sizes::default();
        records().for_each(|record| sizes.enter_record(record));
        match accounts.iter().find(|(_, booked, counted)| booked != counted) {
            None if sizes != self.sizes => Err(format!("sizes: {:?} booked, {sizes:?} counted", self.sizes)),
            None => Ok(()),
            Some((name, booked, counted)) => Err(format!("{name}: {booked} booked, {counted} counted")),
        }
    }

    /// Removes everything. `Later`: lets go of it in no time, however much it is.
    pub fn clear(&mut self, free: Free) {
        let (bytes, outside) = (self.bytes(), self.outside);
        match free {
            _ if self.leave_to_walk() => {}
            Free::Now => {
                self.release_all();
                self.table.clear();
                self.bin.note_freed(bytes);
            }
            Free::Later if self.is_empty() => {}
            Free::Later => {
                let empty = Table::new(self.seed().clone());
                let table = std::mem::replace(&mut self.table, empty);
                self.bin.put_table(table.into_remains(), outside);
            }
        }
        (self.expiring, self.timed_hashes, self.outside, self.live) = (0, 0, 0, 0);
        self.sizes = Sizes::default();
        self.sweep = Sweep::default();
        self.far = HashMap::new();
    }

    fn release_all(&mut self) {
        if self.outside == 0 {
            // Then no record owns anything, and none needs to be looked at.
            return;
        }
        record::release_all(&self.table);
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        self.release_all();
    }
}

/// Bytes of a slot in a bucket: tag and offset.
const SLOT_BYTES: usize = 3;
