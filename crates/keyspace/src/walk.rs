//! A walk over a database that writes every entry down as it was when the walk began, while entries change: for snapshots.
//!
//! The walk goes on in steps of bounded length, at its user's pace ([`Db::walk_on`]). Whoever changes the database has what is about to
//! change written down first: the few entries of one bucket of the table. Large values are left for the end and written in parts; who
//! changes one that is not written waits until it is.
//!
//! A database that is emptied leaves what it held to the walk. One that is exchanged with another takes its walk along.

use crate::bin::Bin;
use crate::db::Db;
use crate::record::{self, EXPIRE_MAX_MS, KeyLayout, showable};
use crate::value::{Value, ValueRef};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use table::{Pos, Table};
use types::showing::{Element, Showable};

type Far = HashMap<Box<[u8]>, u64>;

/// Values that own more than this outside their record are large, bytes.
const LARGE_BYTES: usize = 64 * 1024;
/// Home buckets, of the 32 of a segment, that are written in one step: some 200 entries at most.
const HOMES_AT_ONCE: usize = 8;
/// Large values whose keys are gone may wait as long as they take no more than this, bytes.
const ORPHAN_BYTES_MAX: usize = 8 << 20;
/// A value keeps no more than this for the walk when a command is over, bytes.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// An entry as it is to be written down.
pub struct EntryRef<'a> {
    pub key: &'a [u8],
    pub value: ValueRef<'a>,
    /// Expiry in unix milliseconds.
    pub expire: Option<u64>,
    /// The 24-bit age field (LRU clock or LFU counter).
    pub age: u32,
}

/// A record that is being written beside others: a number that the scribe has given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordId(pub u64);

/// Writes entries down.
pub trait Scribe: Send {
    /// Writes an entry of database `db`.
    fn write(&mut self, db: u16, entry: &EntryRef<'_>);

    /// Begins to write an entry whose value follows; others may be written meanwhile. `by_element`: the elements follow one by one
    /// ([`Scribe::element`]), in any order, as many as there are now; else [`Scribe::write_on`] writes it.
    fn begin(&mut self, db: u16, entry: &EntryRef<'_>, by_element: bool) -> RecordId;

    /// Writes a part of the value that was begun, all of it if `to_the_end`; whether it is done. It has not changed since.
    fn write_on(&mut self, record: RecordId, value: ValueRef<'_>, to_the_end: bool) -> bool;

    /// Writes an element of the value that was begun.
    fn element(&mut self, record: RecordId, element: Element<'_>);

    /// All elements of the value have been written.
    fn end_elements(&mut self, record: RecordId);

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
    /// Keys of large values that are still to be begun.
    large: HashSet<Box<[u8]>>,
    /// Those that have been begun, and the order in which they are written.
    begun: HashMap<Box<[u8]>, Begun>,
    order: VecDeque<Box<[u8]>>,
    /// Large values whose keys are gone, and the bytes that they take.
    orphans: VecDeque<(Begun, Value)>,
    orphan_bytes: usize,
    /// What the database held before it was emptied.
    left: Option<Left>,
}

/// A large value on its way.
#[derive(Clone, Copy)]
struct Begun {
    record: RecordId,
    /// It is shown element by element, and keeps by itself what is about to change.
    by_element: bool,
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

    /// Goes on for a segment or a part of a large value; whether there was anything left. What is over goes into the bin.
    fn step(&mut self, table: &mut Table<KeyLayout>, far: &Far, bin: &Bin) -> bool {
        // What has been begun takes memory until it is done.
        if !self.orphans.is_empty() {
            self.write_orphan(bin, false);
        } else if let Some(key) = self.order.pop_front() {
            if !self.write_begun(table, &key, false) {
                self.order.push_front(key);
            }
        } else if let Some(cursor) = self.cursor {
            self.cursor = self.write(far, |visit| table.visit_some(cursor, HOMES_AT_ONCE, visit));
        } else if let Some(key) = self.large.iter().next().cloned() {
            self.begin(table, far, &key);
        } else {
            return false;
        }
        true
    }

    /// Begins to write the value of a key, if it is large and that has not been done.
    fn begin(&mut self, table: &mut Table<KeyLayout>, far: &Far, key: &[u8]) {
        let Some(key) = self.large.take(key) else { return };
        let pos = place_of(table, &key);
        let by_element = showable(table, pos).is_some_and(|mut showable| showable.begin());
        let record = lock(&self.scribe).begin(self.number, &entry(table.record(pos), far), by_element);
        self.begun.insert(key.clone(), Begun { record, by_element });
        self.order.push_back(key);
    }

    /// Goes on with a value that has been begun; whether it is over.
    fn write_begun(&mut self, table: &mut Table<KeyLayout>, key: &[u8], to_the_end: bool) -> bool {
        let Some(&Begun { record, by_element }) = self.begun.get(key) else { return true };
        let (pos, mut scribe) = (place_of(table, key), lock(&self.scribe));
        let is_over = if by_element {
            let mut showable = showable(table, pos).expect("it has not been put in another form");
            write_elements(&mut *scribe, record, &mut showable, to_the_end)
        } else {
            scribe.write_on(record, record::value(table.record(pos)), to_the_end)
        };
        drop(scribe);
        if is_over {
            self.begun.remove(key);
        }
        is_over
    }

    /// Goes on with a value whose key is gone.
    fn write_orphan(&mut self, bin: &Bin, to_the_end: bool) {
        let Some((Begun { record, by_element }, mut value)) = self.orphans.pop_front() else { return };
        let mut scribe = lock(&self.scribe);
        let is_over = match value.showable() {
            Some(mut showable) if by_element => {
                write_elements(&mut *scribe, record, &mut showable, to_the_end)
            }
            _ => scribe.write_on(record, value.view(), to_the_end),
        };
        drop(scribe);
        if is_over {
            self.orphan_bytes -= value.outside_bytes();
            bin.put(value);
        } else {
            self.orphans.push_front((Begun { record, by_element }, value));
        }
    }

    /// Takes a value over whose key goes, if it is large and not written; otherwise it is given back.
    pub(crate) fn adopt(&mut self, key: &[u8], value: Value, bin: &Bin) -> Option<Value> {
        // What it has begun of a table of its own has nothing to do with the database any more.
        if self.left.is_some() {
            return Some(value);
        }
        let Some(begun) = self.begun.remove(key) else { return Some(value) };
        self.order.retain(|other| **other != *key);
        self.orphan_bytes += value.outside_bytes();
        self.orphans.push_back((begun, value));
        while self.orphan_bytes > ORPHAN_BYTES_MAX {
            self.write_orphan(bin, true);
        }
        None
    }

    /// Writes the value of a key to its end, if it is large and that has not been done.
    fn write_large(&mut self, table: &mut Table<KeyLayout>, far: &Far, key: &[u8]) {
        self.begin(table, far, key);
        if self.begun.contains_key(key) {
            self.write_begun(table, key, true);
            self.order.retain(|other| **other != *key);
        }
    }

    /// Shows nobody anything any more.
    fn end(mut self, table: &mut Table<KeyLayout>, bin: &Bin) {
        for key in self.order {
            if let Some(mut showable) = showable(table, place_of(table, &key)) {
                showable.end();
            }
        }
        self.orphans.drain(..).for_each(|(_, value)| bin.put(value));
    }
}

/// Writes some of the elements of a value, or all that are left; whether those were the last.
fn write_elements(
    scribe: &mut dyn Scribe,
    record: RecordId,
    showable: &mut Showable<'_>,
    to_the_end: bool,
) -> bool {
    while showable.show_on(&mut |element| scribe.element(record, element)) {
        if !to_the_end {
            return false;
        }
    }
    showable.end();
    scribe.end_elements(record);
    true
}

/// Where a key stands that the walk has come upon. Nobody has removed it: they would have told the walk.
fn place_of(table: &Table<KeyLayout>, key: &[u8]) -> Pos {
    table.find(table.hash(key), key).expect("what is still to be written is there")
}

impl Db {
    /// Begins a walk over all entries there are now. `number`: of the database, for the scribe. Ends one under way.
    pub fn begin_walk(&mut self, number: u16, scribe: SharedScribe) {
        self.end_walk();
        self.table.begin_walk();
        self.walk = Some(Box::new(Walk {
            number,
            scribe,
            cursor: Some(0),
            large: HashSet::new(),
            begun: HashMap::new(),
            order: VecDeque::new(),
            orphans: VecDeque::new(),
            orphan_bytes: 0,
            left: None,
        }));
    }

    /// Goes on with the walk for a step of bounded length; whether there is more of it.
    pub fn walk_on(&mut self) -> bool {
        let Some(mut walk) = self.walk.take() else { return false };
        let has_more = match walk.left.take() {
            Some(mut left) => {
                let has_more = walk.step(&mut left.table, &left.far, &self.bin);
                walk.left = Some(left);
                has_more
            }
            None => walk.step(&mut self.table, &self.far, &self.bin),
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
        let Some(mut walk) = self.walk.take() else { return };
        match walk.left.take() {
            Some(mut left) => {
                walk.end(&mut left.table, &self.bin);
                left.put_into(&self.bin);
            }
            None => {
                walk.end(&mut self.table, &self.bin);
                self.table.end_walk();
            }
        }
    }

    /// To be called before a key with this hash comes.
    #[inline]
    pub(crate) fn keep_home(&mut self, hash: u64) {
        if self.walk.is_some() {
            self.keep(|walk, table, far| walk.write(far, |visit| table.visit_home(hash, visit)));
        }
    }

    /// To be called before the entry at `pos` changes, or goes and its value with it; its age alone is no matter.
    #[inline]
    pub(crate) fn keep_entry(&mut self, pos: Pos) {
        if self.walk.is_some() {
            self.keep_key(pos, |_| false);
        }
    }

    /// To be called before the value at `pos` changes where it is.
    #[inline]
    pub(crate) fn keep_value(&mut self, pos: Pos) {
        if self.walk.is_some() {
            self.keep_key(pos, |begun| !begun.by_element);
        }
    }

    /// To be called before the value at `pos` goes elsewhere.
    #[inline]
    pub(crate) fn keep_whole(&mut self, pos: Pos) {
        if self.walk.is_some() {
            self.keep_key(pos, |_| true);
        }
    }

    /// `is_over`: whether a large value that has been begun must be written to its end.
    #[cold]
    fn keep_key(&mut self, pos: Pos, is_over: impl FnOnce(Begun) -> bool) {
        let key = self.key_at(pos).to_vec();
        self.keep(|walk, table, far| {
            let hash = table.hash(&key);
            walk.write(far, |visit| table.visit_home(hash, visit));
            walk.begin(table, far, &key);
            if walk.begun.get(&key[..]).is_some_and(|begun| is_over(*begun)) {
                walk.write_large(table, far, &key);
            }
        });
    }

    /// A value whose key goes is the walk's, if it has not written it; otherwise it is given back. [`Db::keep_entry`] has been called.
    #[inline]
    pub(crate) fn leave_value(&mut self, key: impl FnOnce(&Self) -> Vec<u8>, value: Value) -> Option<Value> {
        if self.walk.is_none() {
            return Some(value);
        }
        let key = key(self);
        self.walk.as_mut().and_then(|walk| walk.adopt(&key, value, &self.bin))
    }

    /// Has the walk take what the value at `pos` has kept for it, before that is much.
    #[cold]
    pub(crate) fn take_kept(&mut self, pos: Pos) {
        let key = self.key_at(pos).to_vec();
        self.keep(|walk, table, _| {
            let Some(&Begun { record, by_element: true }) = walk.begun.get(&key[..]) else { return };
            let mut showable = showable(table, pos).expect("it has not been put in another form");
            if showable.kept_bytes() > KEPT_BYTES_MAX {
                let mut scribe = lock(&walk.scribe);
                showable.show_kept(&mut |element| scribe.element(record, element));
            }
        });
    }

    /// To be called before anything changes in the segment at `cursor`.
    #[inline]
    pub(crate) fn keep_segment(&mut self, cursor: u64) {
        if self.walk.is_some() {
            self.keep(|walk, table, far| {
                let next = walk.write(far, |visit| table.visit_rest(cursor, visit));
                let is_here = |key: &[u8]| {
                    let place = table.cursor_of(table.hash(key));
                    place >= cursor && (next == 0 || place < next)
                };
                let large: Vec<Box<[u8]>> = walk.large.iter().filter(|key| is_here(key)).cloned().collect();
                large.iter().for_each(|key| walk.begin(table, far, key));
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
