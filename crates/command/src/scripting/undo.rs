//! What a script has changed so far, to be taken back when it must run again in another way; who listens is told of it when that
//! cannot happen any more.

use crate::change::{Change, DbKey};
use crate::{Cx, Event, ShardCx};
use keyspace::{Entry, Found, Key};
use std::collections::HashMap;

/// Bytes of an entry that is copied before it is changed, and of all of them. A script that changes more at once, unannounced, runs
/// as an operation that need not take anything back.
const ENTRY_BYTES_MAX: usize = 4096;
const BYTES_MAX: usize = 256 * 1024;

#[derive(Default)]
pub struct Journal {
    before: HashMap<DbKey, Option<Entry>>,
    bytes: usize,
    /// Counters when it began.
    counts: Option<Counts>,
    /// The commands it has called.
    calls: Vec<u16>,
    /// What nobody has been told of yet.
    changes: Vec<Change>,
}

struct Counts {
    dirty: u64,
    hits: u64,
    misses: u64,
}

impl Journal {
    /// The script goes on: from now on nobody is told of changes.
    pub fn begin(&mut self, cx: &mut ShardCx) {
        let (dirty, hits, misses) = (cx.dirty, cx.stats.hits, cx.stats.misses);
        self.counts.get_or_insert(Counts { dirty, hits, misses });
        // What it changes now may be what it has read, or changed before.
        cx.is_listening |= !self.changes.is_empty();
        cx.untold = Some(std::mem::take(&mut self.changes));
    }

    /// It has stopped, for a while or for good.
    pub fn pause(&mut self, cx: &mut ShardCx) {
        self.changes = cx.untold.take().unwrap_or_default();
    }

    /// It has called a command.
    pub fn note_call(&mut self, id: u16) {
        self.calls.push(id);
    }

    /// It has come to its end: who listens is told.
    pub fn tell(self, cx: &mut ShardCx) {
        self.changes.into_iter().for_each(|change| cx.hear(change));
    }

    /// Keeps what is under these keys, if that is not kept yet; whether there was room for all.
    pub fn keep(&mut self, cx: &mut ShardCx, keys: &[DbKey]) -> bool {
        keys.iter().all(|key| self.before.contains_key(key) || self.keep_one(cx, key))
    }

    fn keep_one(&mut self, cx: &mut ShardCx, key: &DbKey) -> bool {
        let seed = cx.seed.clone();
        // One that is over goes now, with a word to those who listen: that is not taken back.
        let found = Cx::internal(cx, key.0).find_for_write(Key::new(&key.1, &seed));
        let space = &mut cx.dbs[key.0 as usize];
        let entry = match found {
            None => None,
            Some(pos) => {
                let bytes = space.entry_bytes(pos);
                self.bytes += bytes;
                if bytes > ENTRY_BYTES_MAX || self.bytes > BYTES_MAX {
                    return false;
                }
                let (value, expire, age) = (space.value(pos).duplicate(), space.expire(pos), space.age(pos));
                Some(Entry { value, expire, age })
            }
        };
        self.before.insert(key.clone(), entry);
        true
    }

    /// Puts everything back as it was.
    pub fn undo(self, cx: &mut ShardCx) {
        for ((db, name), entry) in self.before {
            let key = Key::new(&name, &cx.seed);
            let (now_ms, space) = (cx.now_ms, &mut cx.dbs[db as usize]);
            if let Found::Live(pos) = space.find(key, now_ms) {
                space.remove(pos);
            }
            if let Some(entry) = entry {
                space.put_back(key, entry);
            }
        }
        if let Some(counts) = self.counts {
            (cx.dirty, cx.stats.hits, cx.stats.misses) = (counts.dirty, counts.hits, counts.misses);
        }
        self.calls.into_iter().for_each(|id| cx.commands.take_back(id));
        // What was over was over before, and is gone.
        let stays = |change: &Change| matches!(change.event, Some((Event::Expired | Event::Evicted, _)));
        self.changes.into_iter().filter(stays).for_each(|change| cx.hear(change));
    }
}
