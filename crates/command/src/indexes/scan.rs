//! Keys that were there before their index, or before it got more fields: they are looked at in slices of bounded length, while
//! everything else goes on.
//!
//! What changes meanwhile is indexed at once like any other change. A key that is on loan to another shard when its place in the table is passed
//! is looked at when it comes home.

use super::DB;
use crate::ShardCx;
use search::index::Index;

/// Keys between two looks at the clock.
const KEYS_AT_ONCE: usize = 16;
/// A slice ends after this time.
const NANOS_MAX: u64 = 250_000;
/// While too many vectors wait for their links some keys are looked at after this time, µs: whoever else adds vectors must not keep an index from being built.
const WAIT_FOR_LINKS_US: u64 = 100_000;
/// Keys that are looked at as part of the command that makes an index: a small database is indexed when it returns.
const KEYS_AT_FIRST: usize = 256;

/// What keys are looked at for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A new index: what has a document already is up to date.
    New,
    /// There is more to index: what has a document, too.
    Again,
}

/// A look at all keys of a shard.
#[derive(Debug)]
pub struct Scan {
    purpose: Purpose,
    cursor: u64,
    /// Keys that have been seen, some twice perhaps.
    pub seen: u64,
}

impl ShardCx {
    /// Has all keys looked at for an index, from the beginning.
    pub(super) fn begin_scan(&mut self, name: &[u8], purpose: Purpose) {
        let Some(index) = self.indexes.by_name.get_mut(name) else { return };
        self.indexes.scans += usize::from(index.scan.is_none());
        let is_again = index.scan.as_ref().is_some_and(|scan| scan.purpose == Purpose::Again);
        let purpose = if is_again { Purpose::Again } else { purpose };
        index.scan = Some(Scan { purpose, cursor: 0, seen: 0 });
    }

    /// All documents go, and all keys are looked at: database [`DB`] is another one now.
    pub fn index_anew(&mut self) {
        if self.replays() {
            return;
        }
        self.indexes.changed.clear();
        let names: Vec<Vec<u8>> = self.indexes.names().map(<[u8]>::to_vec).collect();
        for name in names {
            let number = self.indexes.next_number();
            let graphs = self.indexes.graphs(number, self.shards);
            if let Some(index) = self.indexes.by_name.get_mut(&name) {
                index.forget_all(graphs);
                if index.lends() {
                    self.indexes.begin_taking_back();
                }
            }
            self.begin_scan(&name, Purpose::New);
        }
        self.scan_first();
    }

    /// The same to its end, at once.
    pub fn index_all_anew(&mut self) {
        self.index_anew();
        while self.scan_some() {}
    }

    /// The part of the work that belongs to the command that has caused it.
    pub(super) fn scan_first(&mut self) {
        let mut left = KEYS_AT_FIRST;
        while left > 0 && self.may_scan() && self.scan_some() {
            left = left.saturating_sub(KEYS_AT_ONCE);
        }
    }

    fn may_scan(&self) -> bool {
        self.indexes.have_keys_to_see() && !self.is_kept_as_is()
    }

    /// Looks at keys for a bounded time; whether there are more.
    pub fn scan_for_indexes(&mut self) -> bool {
        if !self.may_scan() {
            return false;
        }
        let clock_ns = self.platform.clock_ns;
        let begun_ns = clock_ns();
        while self.scan_in_time() || self.take_some_back() {
            if clock_ns().saturating_sub(begun_ns) >= NANOS_MAX {
                return true;
            }
        }
        self.indexes.scans > 0
    }

    /// Looks at some keys, but not for an index whose vectors would have to wait for links behind too many others, unless it is time for that; whether there
    /// is more to do now.
    fn scan_in_time(&mut self) -> bool {
        let waited_us = self.now_us.saturating_sub(self.indexes.scanned_us);
        if !self.indexes.links_behind || waited_us >= WAIT_FOR_LINKS_US {
            self.indexes.scanned_us = self.now_us;
            return self.scan_some();
        }
        self.scan_some_of(|index| !index.has_vector_backlog())
    }

    /// Looks at some keys for one index; whether there is more to do for any.
    pub(super) fn scan_some(&mut self) -> bool {
        self.scan_some_of(|_| true)
    }

    fn scan_some_of(&mut self, may_scan: impl Fn(&Index) -> bool) -> bool {
        let is_scanned = |(name, index): (&Vec<u8>, &super::ShardIndex)| {
            let scan = index.scan.as_ref().filter(|_| may_scan(&index.index));
            scan.map(|scan| (name.clone(), scan.cursor, scan.purpose))
        };
        let Some((name, cursor, purpose)) = self.indexes.by_name.iter().find_map(is_scanned) else {
            return false;
        };
        let mut keys: Vec<Vec<u8>> = Vec::with_capacity(KEYS_AT_ONCE);
        let next = self.dbs[usize::from(DB)].scan(cursor, KEYS_AT_ONCE, |key, _, _| keys.push(key.to_vec()));
        let seen = keys.len() as u64;
        for key in keys {
            // A guest is its own shard's affair.
            let is_guest = self.shards > 1 && self.slots.shard_of(&key) != self.id;
            let index = &self.indexes.by_name[&name];
            let is_known = purpose == Purpose::New && index.documents.id_of(&key).is_some();
            if !is_guest && !is_known {
                self.follow_key(&key, Some(&name));
            }
        }
        let index = self.indexes.by_name.get_mut(&name).expect("no key takes an index away");
        let scan = index.scan.as_mut().expect("nor ends its scan");
        (scan.cursor, scan.seen) = (next, scan.seen + seen);
        if next == 0 {
            index.scan = None;
            self.indexes.scans -= 1;
        }
        self.settle_indexes();
        self.indexes.scans > 0
    }
}
