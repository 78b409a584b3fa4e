//! A walk over a database that writes every entry down as it was when the walk began, while entries change: for snapshots.
//!
//! The walk goes on in steps of bounded length, at its user's pace ([`Db::walk_on`]). Whoever changes the database has what is about to
//! change written down first: the few entries of one bucket of the table. Large values are left for the end and written in parts; who
//! changes one that is not written waits until it is.
//!
//! A database that is emptied leaves what it held to the walk. One that is exchanged with another takes its walk along.

use crate::bin::Bin;
use crate::db::Db;
use crate::record::{self, EXPIRE_MAX_MS, KeyLayout};
use crate::value::ValueRef;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use table::{Pos, Table};

type Far = HashMap<Box<[u8]>, u64>;

/// Values that own more than this outside their record are large, bytes.
const LARGE_BYTES: usize = 64 * 1024;

/// An entry as it is to be written down.
pub struct EntryRef<'a> {
    pub key: &'a [u8],
    pub value: ValueRef<'a>,
    /// Expiry in unix milliseconds.
    pub expire: Option<u64>,
    /// The 24-bit age field (LRU clock or LFU counter).
    pub age: u32,
}

/// Writes entries down.
pub trait Scribe: Send {
    /// Writes an entry of database `db`.
    fn write(&mut self, db: u16, entry: &EntryRef<'_>);

    /// Begins to write an entry of which [`Scribe::write_on`] writes the value. Others may be written meanwhile.
    fn begin(&mut self, db: u16, entry: &EntryRef<'_>);

    /// Writes a part of the value that was begun, all of it if `to_the_end`; whether it is done. It has not changed since.
    fn write_on(&mut self, value: ValueRef<'_>, to_the_end: bool) -> bool;

    /// All entries have been written. Who drops a scribe that has not come to its end gives up what it has written.
    fn end(&mut self);
}

/// One for all databases of a shard.
pub type SharedScribe = Arc<Mutex<dyn Scribe>>;

pub(crate) struct Walk {
    /// The number of the database when the walk began.
    number: u16,
    scribe: SharedScribe,
    /// The segment to be visited next, until all have been.
    cursor: Option<u64>,
    /// Keys of large values that are still to be written.
    large: HashSet<Box<[u8]>>,
    /// That of the one that has been begun.
    begun: Option<Box<[u8]>>,
    /// What the database held before it was emptied.
    left: Option<Left>,
}

/// A table that belongs to nothing but the walk any more.
struct Left {
    table: Table<KeyLayout>,
    far: Far,
    /// Bytes that its records own outside.
    outside: usize,
}

impl Left {
    /// Has what is left freed, step by step.
    fn put_into(mut self, bin: &Bin) {
        let empty = Table::new(self.table.seed().clone());
        let table = std::mem::replace(&mut self.table, empty);
        bin.put_table(table.into_remains(), self.outside);
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        record::release_all(&self.table);
    }
}

fn entry<'a>(record: &'a [u8], far: &Far) -> EntryRef<'a> {
    let key = record::key(record);
    let expire = match record::expire(record) {
        Some(EXPIRE_MAX_MS) => Some(far.get(key).copied().unwrap_or(EXPIRE_MAX_MS)),
        expire => expire,
    };
    EntryRef { key, value: record::value(record), expire, age: record::age(record) }
}

/// The right to write. A scribe that has panicked has ended the process.
pub fn lock(scribe: &SharedScribe) -> MutexGuard<'_, dyn Scribe + 'static> {
    scribe.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Walk {
    /// Writes what `visit` comes upon, but for large values, which are only remembered.
    fn write<R>(&mut self, far: &Far, visit: impl FnOnce(&mut dyn FnMut(&[u8])) -> R) -> R {
        let (number, large, mut scribe) = (self.number, &mut self.large, lock(&self.scribe));
        visit(&mut |record| {
            if record::value_outside_bytes(record) > LARGE_BYTES {
                large.insert(record::key(record).into());
            } else {
                scribe.write(number, &entry(record, far));
            }
        })
    }

    /// Goes on for a segment or a part of a large value; whether there was anything left.
    fn step(&mut self, table: &mut Table<KeyLayout>, far: &Far) -> bool {
        if let Some(cursor) = self.cursor {
            let next = self.write(far, |visit| table.visit_rest(cursor, visit));
            self.cursor = (next != 0).then_some(next);
            return true;
        }
        if let Some(key) = self.begun.take() {
            let is_done = lock(&self.scribe).write_on(record::value(find(table, &key)), false);
            self.begun = (!is_done).then_some(key);
            return true;
        }
        let Some(key) = self.large.iter().next().cloned() else { return false };
        self.large.remove(&key);
        lock(&self.scribe).begin(self.number, &entry(find(table, &key), far));
        self.begun = Some(key);
        true
    }

    /// Writes the value of a key to its end, if it is large and that has not been done.
    fn keep_large(&mut self, table: &Table<KeyLayout>, far: &Far, key: &[u8]) {
        if self.begun.as_deref() == Some(key) {
            lock(&self.scribe).write_on(record::value(find(table, key)), true);
            self.begun = None;
        } else if self.large.remove(key) {
            lock(&self.scribe).write(self.number, &entry(find(table, key), far));
        }
    }

    fn large(&self) -> impl Iterator<Item = &[u8]> {
        self.large.iter().chain(&self.begun).map(|key| &**key)
    }
}

/// The record of a key that the walk has come upon. Nobody has removed it: they would have had it written.
fn find<'a>(table: &'a Table<KeyLayout>, key: &[u8]) -> &'a [u8] {
    let pos = table.find(table.hash(key), key).expect("what is still to be written is there");
    table.record(pos)
}

impl Db {
    /// Begins a walk over all entries there are now. `number`: of the database, for the scribe. Ends one under way.
    pub fn begin_walk(&mut self, number: u16, scribe: SharedScribe) {
        self.end_walk();
        self.table.begin_walk();
        let (large, begun, left) = (HashSet::new(), None, None);
        self.walk = Some(Box::new(Walk { number, scribe, cursor: Some(0), large, begun, left }));
    }

    /// Goes on with the walk for a step of bounded length; whether there is more of it.
    pub fn walk_on(&mut self) -> bool {
        let Some(mut walk) = self.walk.take() else { return false };
        let has_more = match walk.left.take() {
            Some(mut left) => {
                let has_more = walk.step(&mut left.table, &left.far);
                walk.left = Some(left);
                has_more
            }
            None => walk.step(&mut self.table, &self.far),
        };
        self.walk = Some(walk);
        if !has_more {
            self.end_walk();
        }
        has_more
    }

    /// Whether a walk is under way.
    pub fn is_walked(&self) -> bool {
        self.walk.is_some()
    }

    /// Ends the walk, wherever it is.
    pub fn end_walk(&mut self) {
        let Some(walk) = self.walk.take() else { return };
        match walk.left {
            Some(left) => left.put_into(&self.bin),
            None => self.table.end_walk(),
        }
    }

    /// To be called before a key with this hash comes.
    #[inline]
    pub(crate) fn keep_home(&mut self, hash: u64) {
        if self.walk.is_some() {
            self.keep(|walk, table, far| walk.write(far, |visit| table.visit_home(hash, visit)));
        }
    }

    /// To be called before the entry at `pos` changes or goes; its age alone is no matter.
    #[inline]
    pub(crate) fn keep_entry(&mut self, pos: Pos) {
        if self.walk.is_some() {
            self.keep_key(pos);
        }
    }

    #[cold]
    fn keep_key(&mut self, pos: Pos) {
        let key = self.key_at(pos).to_vec();
        self.keep(|walk, table, far| {
            let hash = table.hash(&key);
            walk.write(far, |visit| table.visit_home(hash, visit));
            walk.keep_large(table, far, &key);
        });
    }

    /// To be called before anything changes in the segment at `cursor`.
    #[inline]
    pub(crate) fn keep_segment(&mut self, cursor: u64) {
        if self.walk.is_some() {
            self.keep(|walk, table, far| {
                let next = walk.write(far, |visit| table.visit_rest(cursor, visit));
                let is_here = |key: &&[u8]| {
                    let place = table.cursor_of(table.hash(key));
                    place >= cursor && (next == 0 || place < next)
                };
                let large: Vec<Vec<u8>> = walk.large().filter(is_here).map(<[u8]>::to_vec).collect();
                large.iter().for_each(|key| walk.keep_large(table, far, key));
            });
        }
    }

    /// What the walk has to do with the table, unless it has one of its own.
    #[cold]
    fn keep(&mut self, act: impl FnOnce(&mut Walk, &mut Table<KeyLayout>, &Far)) {
        if let Some(walk) = self.walk.as_deref_mut().filter(|walk| walk.left.is_none()) {
            act(walk, &mut self.table, &self.far);
        }
    }

    /// Leaves all entries to the walk, if it needs them; whether it does.
    pub(crate) fn leave_to_walk(&mut self) -> bool {
        let Some(walk) = self.walk.as_deref_mut().filter(|walk| walk.left.is_none()) else { return false };
        let empty = Table::new(self.table.seed().clone());
        let table = std::mem::replace(&mut self.table, empty);
        walk.left = Some(Left { table, far: std::mem::take(&mut self.far), outside: self.outside });
        true
    }
}
