//! One logical database of one shard.
//!
//! Invariants: `expiring` is the number of records with an expiry, `timed_hashes` of those with fields that have one; `outside` the exact bytes records own outside the
//! table, `live` those of the records themselves; a segment's `expire_min` is never later than its earliest expiry, its
//! `field_min` never later than that of any field of its hashes; `far` has an entry for exactly the records whose expiry
//! does not fit them.

use crate::age::AgeRule;
use crate::bin::{Bin, Free, Frees};
use crate::entry::Entry;
use crate::key::Key;
use crate::record::{self, Code, EXPIRE_MAX_MS, KeyLayout};
use crate::sweep::Sweep;
use crate::typed::{Typed, Update};
use crate::value::{StrRef, Value, ValueRef};
use base::hash::HashSeed;
use std::collections::HashMap;
use std::sync::Arc;
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
    /// How ages are renewed; the same in all databases of a shard.
    pub ages: AgeRule,
    /// When it frees what it lets go of; the same in all databases of a shard.
    pub frees: Frees,
    pub(crate) bin: Bin,
    pub(crate) sweep: Sweep,
    pub(crate) far: HashMap<Box<[u8]>, u64>,
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
            ages: AgeRule::LRU,
            frees: Frees::default(),
            bin,
            sweep: Sweep::default(),
            far: HashMap::new(),
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
        let found = self.judge(pos, now_ms);
        if let Found::Live(pos) = found {
            self.touch(pos, fresh);
        }
        found
    }

    /// Whether the entry is over.
    #[inline]
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

    #[inline]
    pub fn expire(&self, pos: Pos) -> Option<u64> {
        self.expire_of(self.table.record(pos))
    }

    #[inline]
    fn expire_of(&self, record: &[u8]) -> Option<u64> {
        match record::expire(record) {
            Some(EXPIRE_MAX_MS) => Some(self.far.get(record::key(record)).copied().unwrap_or(EXPIRE_MAX_MS)),
            expire => expire,
        }
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
    #[inline]
    pub fn update_used<T: Typed>(&mut self, pos: Pos, fresh: u32) -> Option<Update<'_, T>> {
        let record = self.table.record_open(pos);
        if record::code(record) != T::code() {
            return None;
        }
        let (value, old) = (record::boxed::<T>(record), record::age(record));
        self.renew(pos, old, fresh);
        Some(Update::of_boxed(self, pos, value))
    }

    #[inline]
    fn renewed(&mut self, pos: Pos, fresh: u32) -> u32 {
        self.ages.used(record::age(self.table.record_open(pos)), fresh)
    }

    /// Bytes of one entry: its record, its share of the table and what it owns outside.
    pub fn entry_bytes(&self, pos: Pos) -> usize {
        let record = self.table.record(pos);
        record.len() + record::outside_bytes(record) + SLOT_BYTES
    }

    /// Sets or clears the expiry.
    pub fn set_expire(&mut self, pos: Pos, expire: Option<u64>) -> Pos {
        let old = self.table.record(pos);
        let had = record::expire(old).is_some();
        let pos = match (had, expire) {
            (true, Some(at_ms)) => {
                record::set_expire(self.table.record_mut(pos), at_ms);
                pos
            }
            (false, None) => pos,
            _ => {
                let (code, payload) = (record::code(old), record::payload(old).len());
                let len = if expire.is_some() { old.len() + 6 } else { old.len() - 6 };
                self.live = self.live + len - old.len();
                self.table.replace(pos, len, |old, new| {
                    record::rewrite(old, new, code, expire, payload).copy_from_slice(record::payload(old));
                })
            }
        };
        self.note_expire(pos, had, expire);
        pos
    }

    fn note_expire(&mut self, pos: Pos, had: bool, expire: Option<u64>) {
        self.expiring = self.expiring + usize::from(expire.is_some()) - usize::from(had);
        if let Some(at_ms) = expire {
            let meta = self.table.meta_mut(pos);
            meta.expire_min = meta.expire_min.min(at_ms);
        }
        if !self.far.is_empty() || expire.is_some_and(|at_ms| at_ms >= EXPIRE_MAX_MS) {
            self.note_far(pos, expire);
        }
    }

    #[cold]
    fn note_far(&mut self, pos: Pos, expire: Option<u64>) {
        let key = record::key(self.table.record(pos));
        match expire.filter(|&at_ms| at_ms >= EXPIRE_MAX_MS) {
            Some(at_ms) => self.far.insert(key.into(), at_ms),
            None => self.far.remove(key),
        };
    }

    /// Fields of the hash at `pos` expire, none of them before `at_ms`.
    pub(crate) fn note_field_expire(&mut self, pos: Pos, at_ms: u64) {
        let meta = self.table.meta_mut(pos);
        meta.field_min = meta.field_min.min(at_ms);
    }

    /// Stores a string under a key that is at `pos`, or absent. Any earlier value and expiry go. `age`: of an entry made now.
    #[inline]
    pub fn put_str(
        &mut self,
        key: Key<'_>,
        pos: Option<Pos>,
        bytes: &[u8],
        expire: Option<u64>,
        age: u32,
    ) -> Pos {
        if !record::fits_inline(key.bytes, bytes.len()) {
            let value = Value::Str { bytes: Arc::new(bytes.to_vec()), raw: false };
            return self.put(key, pos, value, expire, age);
        }
        let len = record::len_for(key.bytes, expire.is_some(), bytes.len());
        let Some(pos) = pos else {
            self.live += len;
            let pos = self.table.insert(key.hash, len, |new| {
                record::write(new, key.bytes, Code::Inline, expire, age, bytes.len()).copy_from_slice(bytes);
            });
            if key.bytes.len() > record::INLINE_KEY_BYTES_MAX {
                self.outside += key.bytes.len();
            }
            if expire.is_some() {
                self.note_expire(pos, false, expire);
            }
            return pos;
        };
        let age = self.renewed(pos, age);
        let old = self.table.record(pos);
        let had = self.expire_of(old);
        if record::code(old) == Code::Inline && old.len() == len && had.is_some() == expire.is_some() {
            let record = self.table.record_mut(pos);
            record::payload_mut(record).copy_from_slice(bytes);
            record::set_age(record, age);
            if let Some(at_ms) = expire.filter(|_| expire != had) {
                record::set_expire(record, at_ms);
                self.note_expire(pos, true, expire);
            }
            return pos;
        }
        self.live = self.live + len - old.len();
        self.release_value(pos, self.frees.overwritten);
        let pos = self.table.replace(pos, len, |old, new| {
            record::rewrite(old, new, Code::Inline, expire, bytes.len()).copy_from_slice(bytes);
            record::set_age(new, age);
        });
        self.note_expire(pos, had.is_some(), expire);
        pos
    }

    /// Stores any value under a key that is at `pos`, or absent. Any earlier value and expiry go.
    pub fn put(
        &mut self,
        key: Key<'_>,
        pos: Option<Pos>,
        value: Value,
        expire: Option<u64>,
        age: u32,
    ) -> Pos {
        let value = match value {
            Value::Str { bytes, raw: false } if record::fits_inline(key.bytes, bytes.len()) => {
                return self.put_str(key, pos, &bytes, expire, age);
            }
            Value::Str { bytes, raw: true } if record::fits_inline(key.bytes, bytes.len()) => {
                let pos = self.put_str(key, pos, &bytes, expire, age);
                record::set_code(self.table.record_mut(pos), Code::InlineRaw);
                return pos;
            }
            value => value,
        };
        let field_expire = if let Value::Hash(hash) = &value { hash.next_expire() } else { None };
        let (code, payload) = record::leak(value);
        let len = record::len_for(key.bytes, expire.is_some(), payload.len());
        let (pos, had) = match pos {
            Some(pos) => {
                let age = self.renewed(pos, age);
                let old = self.table.record(pos);
                let had = record::expire(old).is_some();
                self.live = self.live + len - old.len();
                self.release_value(pos, self.frees.overwritten);
                let pos = self.table.replace(pos, len, |old, new| {
                    record::rewrite(old, new, code, expire, payload.len()).copy_from_slice(&payload);
                    record::set_age(new, age);
                });
                (pos, had)
            }
            None => {
                self.live += len;
                let pos = self.table.insert(key.hash, len, |new| {
                    record::write(new, key.bytes, code, expire, age, payload.len()).copy_from_slice(&payload);
                });
                if key.bytes.len() > record::INLINE_KEY_BYTES_MAX {
                    self.outside += key.bytes.len();
                }
                (pos, false)
            }
        };
        self.outside += record::value_outside_bytes(self.table.record(pos));
        self.note_expire(pos, had, expire);
        if let Some(at_ms) = field_expire {
            self.timed_hashes += 1;
            self.note_field_expire(pos, at_ms);
        }
        pos
    }

    /// Removes an entry as a command does by the way; see [`Frees::overwritten`].
    pub fn remove(&mut self, pos: Pos) {
        self.discard(pos, self.frees.overwritten);
    }

    /// Removes an entry and releases all it owns; what is large, when `free` says.
    pub fn discard(&mut self, pos: Pos, free: Free) {
        self.release_value(pos, free);
        self.forget(pos);
    }

    /// Takes an entry out; its value is now the caller's.
    pub fn take(&mut self, pos: Pos) -> Entry {
        let record = self.table.record(pos);
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
            match free {
                Free::Now => {
                    drop(value);
                    self.bin.note_freed(bytes);
                }
                Free::Later => self.bin.put(value),
            }
        }
    }

    /// Changes a string byte by byte: the bytes as they are (empty if the key is absent) go to `edit`. Keeps the
    /// expiry. `raw`: from now on the encoding is reported as `raw`.
    pub fn edit_str<R>(
        &mut self,
        key: Key<'_>,
        pos: Option<Pos>,
        raw: bool,
        age: u32,
        edit: impl FnOnce(&mut Vec<u8>) -> R,
    ) -> R {
        let Some(pos) = pos else {
            let mut bytes = Vec::new();
            let result = edit(&mut bytes);
            self.put(key, None, Value::Str { bytes: Arc::new(bytes), raw }, None, age);
            return result;
        };
        let record = self.table.record(pos);
        if matches!(record::code(record), Code::Blob | Code::BlobRaw) {
            self.touch(pos, age);
            let record = self.table.record_mut(pos);
            let before = record::value_outside_bytes(record);
            let result = edit(record::blob_mut(record));
            if raw {
                record::set_code(record, Code::BlobRaw);
            }
            let after = record::value_outside_bytes(record);
            self.account(before, after);
            return result;
        }
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        bytes.extend_from_slice(record::payload(record));
        let expire = self.expire(pos);
        let was_raw = record::code(record) == Code::InlineRaw;
        let result = edit(&mut bytes);
        let raw = raw || was_raw;
        if !record::fits_inline(key.bytes, bytes.len()) {
            self.put(key, Some(pos), Value::Str { bytes: Arc::new(bytes), raw }, expire, age);
            return result;
        }
        let pos = self.put_str(key, Some(pos), &bytes, expire, age);
        if raw {
            record::set_code(self.table.record_mut(pos), Code::InlineRaw);
        }
        self.scratch = bytes;
        result
    }

    /// The bytes of the string at `pos`, to be changed where they are; `None` if the value is none. From now on its
    /// encoding is reported as `raw`.
    pub fn str_mut(&mut self, pos: Pos) -> Option<&mut [u8]> {
        let record = self.table.record_mut(pos);
        match record::code(record) {
            Code::Inline | Code::InlineRaw => {
                record::set_code(record, Code::InlineRaw);
                return Some(record::payload_mut(self.table.record_mut(pos)));
            }
            Code::Blob | Code::BlobRaw => record::set_code(record, Code::BlobRaw),
            _ => return None,
        }
        let before = record::value_outside_bytes(record);
        // A reply may still hold the bytes; then this copies them, into less memory perhaps.
        record::blob_mut(record);
        let after = record::value_outside_bytes(record);
        self.account(before, after);
        Some(record::blob_mut(self.table.record_mut(pos)))
    }

    /// The string at `pos`, if the value is one.
    #[inline]
    pub fn str(&self, pos: Pos) -> Option<StrRef<'_>> {
        record::str(self.table.record_open(pos))
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
        match accounts.iter().find(|(_, booked, counted)| booked != counted) {
            None => Ok(()),
            Some((name, booked, counted)) => Err(format!("{name}: {booked} booked, {counted} counted")),
        }
    }

    /// Removes everything. `Later`: lets go of it in no time, however much it is.
    pub fn clear(&mut self, free: Free) {
        let (bytes, outside) = (self.bytes(), self.outside);
        match free {
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
        self.sweep = Sweep::default();
        self.far = HashMap::new();
    }

    fn release_all(&mut self) {
        if self.outside == 0 {
            // Then no record owns anything, and none needs to be looked at.
            return;
        }
        for record in self.table.iter() {
            if record::owns_box(record) {
                drop(record::take_value(record));
            }
            record::release_key(record);
        }
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        self.release_all();
    }
}

/// Bytes of a slot in a bucket: tag and offset.
const SLOT_BYTES: usize = 3;
