//! Watched keys of this shard, and whether they have changed since (WATCH).
//!
//! Who watches is a number of one connection for one set of keys, up to EXEC or UNWATCH; the next set has another. A key of the set that
//! changes settles the matter: the watcher is touched, and its other keys here are watched no longer.
//!
//! A watched key is never one whose time was over before: WATCH removes such a key first. So one that goes because its time is over
//! has changed, whoever finds out.

use crate::change::DbKey;
use crate::{Cx, ShardCx};
use keyspace::{Found, Key};
use std::collections::HashMap;

/// Who watches; in the upper bits the shard of the connection. 0 is nobody.
pub type WatcherId = u64;

/// Where the shard's number stands in a [`WatcherId`].
pub const HOME_SHIFT: u32 = 48;

#[derive(Default)]
struct Watcher {
    keys: Vec<DbKey>,
    is_touched: bool,
}

#[derive(Default)]
pub struct Watches {
    by_key: HashMap<DbKey, Vec<WatcherId>>,
    watchers: HashMap<WatcherId, Watcher>,
    /// Watchers that have been touched, of which their shards have not been told.
    touched: Vec<WatcherId>,
}

impl Watches {
    pub fn is_empty(&self) -> bool {
        self.watchers.is_empty()
    }

    /// Keys that somebody watches.
    pub fn keys(&self) -> usize {
        self.by_key.len()
    }

    fn add(&mut self, watcher: WatcherId, key: DbKey) {
        let entry = self.watchers.entry(watcher).or_default();
        if entry.is_touched {
            return;
        }
        let watching = self.by_key.entry(key.clone()).or_default();
        if !watching.contains(&watcher) {
            watching.push(watcher);
            entry.keys.push(key);
        }
    }

    /// Forgets what a watcher watches here; whether any of it has changed.
    fn forget(&mut self, watcher: WatcherId) -> bool {
        let Some(entry) = self.watchers.remove(&watcher) else { return false };
        self.forget_keys(watcher, entry.keys);
        entry.is_touched
    }

    fn forget_keys(&mut self, watcher: WatcherId, keys: Vec<DbKey>) {
        for key in keys {
            let watching = self.by_key.get_mut(&key).expect("a watcher's keys are watched");
            watching.retain(|other| *other != watcher);
            if watching.is_empty() {
                self.by_key.remove(&key);
            }
        }
    }

    /// A key has changed.
    pub(crate) fn touch(&mut self, db: u16, key: Vec<u8>) {
        for watcher in self.by_key.get(&(db, key)).cloned().unwrap_or_default() {
            let entry = self.watchers.get_mut(&watcher).expect("who watches is known");
            entry.is_touched = true;
            let keys = std::mem::take(&mut entry.keys);
            self.forget_keys(watcher, keys);
            self.touched.push(watcher);
        }
    }

    /// The watched keys of a database.
    fn keys_in(&self, db: u16) -> Vec<Vec<u8>> {
        let mut keys: Vec<_> =
            self.by_key.keys().filter(|key| key.0 == db).map(|key| key.1.clone()).collect();
        keys.sort_unstable();
        keys
    }

    /// Whether any watcher has been touched since they were taken last.
    pub fn has_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Watchers that have been touched since this was asked last.
    pub fn take_touched(&mut self) -> Vec<WatcherId> {
        std::mem::take(&mut self.touched)
    }
}

impl ShardCx {
    /// Begins to watch a key of this shard.
    pub fn watch(&mut self, watcher: WatcherId, db: u16, key: Key<'_>) {
        Cx::internal(self, db).find_for_write(key);
        self.watches.add(watcher, (db, key.bytes.to_vec()));
        self.set_listening();
    }

    /// Ends what a watcher watches on this shard; whether any of it has changed.
    pub fn unwatch(&mut self, watcher: WatcherId) -> bool {
        // What is over has changed, whether anybody has looked or not.
        let keys = self.watches.watchers.get(&watcher).map(|entry| entry.keys.clone()).unwrap_or_default();
        let seed = self.seed.clone();
        for (db, key) in keys {
            Cx::internal(self, db).find_for_write(Key::new(&key, &seed));
        }
        let is_touched = self.watches.forget(watcher);
        self.set_listening();
        is_touched
    }

    /// Whether what a watcher watches on this shard has changed, as far as is known.
    pub fn is_touched(&self, watcher: WatcherId) -> bool {
        self.watches.watchers.get(&watcher).is_some_and(|entry| entry.is_touched)
    }

    /// All keys of a database go, and those of another one, if any, take their place: a watched key changes if it is in either.
    pub(crate) fn touch_watched_in(&mut self, db: u16, other: Option<u16>) {
        let (seed, now_ms) = (self.seed.clone(), self.now_ms);
        for name in self.watches.keys_in(db) {
            let key = Key::new(&name, &seed);
            let found = self.dbs[db as usize].find(key, now_ms);
            if matches!(found, Found::Expired) {
                self.write_gone(db, &name);
            }
            let was = !matches!(found, Found::Missing);
            let comes = |other: u16, cx: &mut Self| Cx::internal(cx, other).find_for_write(key).is_some();
            if was || other.is_some_and(|other| comes(other, self)) {
                self.watches.touch(db, name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> DbKey {
        (0, name.as_bytes().to_vec())
    }

    #[test]
    fn a_change_touches_all_who_watch_and_nobody_else() {
        let mut watches = Watches::default();
        for (watcher, name) in [(1, "a"), (1, "b"), (2, "b"), (2, "b"), (3, "c")] {
            watches.add(watcher, key(name));
        }
        watches.touch(1, b"b".to_vec());
        watches.touch(0, b"none".to_vec());
        assert!(watches.take_touched().is_empty());
        watches.touch(0, b"b".to_vec());
        assert_eq!(watches.take_touched(), [1, 2]);
        assert_eq!(watches.by_key.len(), 1);
        watches.add(1, key("d"));
        assert_eq!([1, 2, 3, 4].map(|watcher| watches.forget(watcher)), [true, true, false, false]);
        assert!(watches.is_empty() && watches.by_key.is_empty());
    }
}
