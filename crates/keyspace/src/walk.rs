//! A walk over a database that writes every entry down as it was when the walk began, while entries change: for snapshots.
//!
//! The walk goes on in steps of bounded length, at its user's pace ([`Db::walk_on`]). Whoever changes the database has what is about to
//! change written down first: the few entries of one bucket of the table. Large values are left for the end and written in parts, see
//! [`large`].
//!
//! A database that is emptied leaves what it held to the walk. One that is exchanged with another takes its walk along.

mod large;
mod text;

pub use self::large::Moving;

use self::large::Begun;
use crate::bin::Bin;
use crate::db::Db;
use crate::record::{self, EXPIRE_MAX_MS, KeyLayout};
use crate::value::{Value, ValueRef};
use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use table::{Pos, Table};
use types::showing::Element;

type Far = HashMap<Box<[u8]>, u64>;

/// Values that own more than this outside their record are large, bytes.
const LARGE_BYTES: usize = 64 * 1024;
/// Home buckets, of the 32 of a segment, that are written in one step: some 200 entries at most.
const HOMES_AT_ONCE: usize = 8;

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

    /// All elements of the value have been written, and [`Scribe::write_on`] writes what is left: of a stream with its groups alone.
    fn begin_rest(&mut self, record: RecordId);

    /// All elements of the value have been written.
    fn end_elements(&mut self, record: RecordId);

    /// Writes something beside the entries: a name and a value that who knows the name understands. Before [`Scribe::end`].
    fn field(&mut self, name: &str, value: &[u8]);

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
    /// It is only for values that have come from another database, and were begun there: nothing else is to be written.
    is_for_others: bool,
    /// Keys of large values that are still to be begun.
    large: HashSet<Box<[u8]>>,
    /// Those that have been begun, and the order in which they are written.
    begun: HashMap<Box<[u8]>, Begun>,
    order: VecDeque<Box<[u8]>>,
    /// Large values whose keys are gone, and the bytes that they take.
    orphans: VecDeque<(Begun, Value)>,
    orphan_bytes: usize,
    /// What was written as it was and nobody has any more, unless others share it.
    spent: Option<Value>,
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
    fn new(number: u16, scribe: SharedScribe) -> Self {
        Self {
            number,
            scribe,
            cursor: Some(0),
            is_for_others: false,
            large: HashSet::new(),
            begun: HashMap::new(),
            order: VecDeque::new(),
            orphans: VecDeque::new(),
            orphan_bytes: 0,
            spent: None,
            left: None,
        }
    }

    /// Writes what `visit` comes upon, but for large values, which are only remembered.
    fn write<R>(&mut self, far: &Far, visit: impl FnOnce(&mut dyn FnMut(&[u8])) -> R) -> R {
        if self.is_for_others {
            return visit(&mut |_| ());
        }
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
            self.spent.take().into_iter().for_each(|value| bin.put(value));
        } else if let Some(cursor) = self.cursor {
            self.cursor = self.write(far, |visit| table.visit_some(cursor, HOMES_AT_ONCE, visit));
        } else if let Some(key) = self.large.iter().next().cloned() {
            self.begin(table, far, &key);
        } else {
            return false;
        }
        true
    }
}

/// Where a key stands that the walk has come upon. Nobody has removed it: they would have told the walk.
fn place_of(table: &Table<KeyLayout>, key: &[u8]) -> Pos {
    table.find(table.hash(key), key).expect("what is still to be written is there")
}

impl Db {
    /// Begins a walk over all entries there are now. `number`: of the database, for the scribe. Ends one under way; what is here to be written for others
    /// is written first.
    pub fn begin_walk(&mut self, number: u16, scribe: SharedScribe) {
        while self.walk.as_ref().is_some_and(|walk| walk.is_for_others) {
            self.walk_on();
        }
        self.end_walk();
        self.table.begin_walk();
        self.walk = Some(Box::new(Walk::new(number, scribe)));
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
            self.keep_key(pos, |_, _, _| {});
        }
    }

    /// To be called before the value at `pos` changes where it is, unless it is a string.
    #[inline]
    pub(crate) fn keep_value(&mut self, pos: Pos) {
        if self.walk.is_some() {
            self.keep_key(pos, |walk, table, key| walk.write_what_cannot_change(table, key));
        }
    }

    /// To be called before bytes of the string at `pos` change where they are. What is appended is no change.
    #[inline]
    pub(crate) fn keep_bytes(&mut self, pos: Pos, changes: impl IntoIterator<Item = Range<usize>>) {
        if self.walk.is_some() {
            self.keep_key(pos, |walk, table, key| walk.keep_bytes(table, key, changes));
        }
    }

    /// To be called before the value at `pos` leaves the shard.
    #[inline]
    pub(crate) fn keep_whole(&mut self, pos: Pos) {
        if self.walk.is_some() {
            self.keep_key(pos, |walk, table, key| walk.write_to_the_end(table, key));
        }
    }

    /// `act`: on what has been begun of the value, if it is large.
    #[cold]
    fn keep_key(&mut self, pos: Pos, act: impl FnOnce(&mut Walk, &mut Table<KeyLayout>, &[u8])) {
        let key = self.key_at(pos).to_vec();
        self.keep(|walk, table, far| {
            let hash = table.hash(&key);
            walk.write(far, |visit| table.visit_home(hash, visit));
            walk.begin(table, far, &key);
            act(walk, table, &key);
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
        self.keep(|walk, table, _| walk.take_kept(table, &key));
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
