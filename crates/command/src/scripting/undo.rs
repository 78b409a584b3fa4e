//! What a script has changed so far, to be taken back when it must run again in another way.

use crate::ShardCx;
use crate::change::DbKey;
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
    dirty: Option<u64>,
}

impl Journal {
    /// Keeps what is under these keys, if that is not kept yet; whether there was room for all.
    pub fn keep(&mut self, cx: &mut ShardCx, keys: &[DbKey]) -> bool {
        self.dirty.get_or_insert(cx.dirty);
        keys.iter().all(|key| self.before.contains_key(key) || self.keep_one(cx, key))
    }

    fn keep_one(&mut self, cx: &mut ShardCx, key: &DbKey) -> bool {
        let (db, name) = (key.0 as usize, Key::new(&key.1, &cx.seed));
        let (now_ms, space) = (cx.now_ms, &mut cx.dbs[db]);
        let entry = match space.find(name, now_ms) {
            Found::Missing | Found::Expired => None,
            Found::Live(pos) => {
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
                space.install(key, entry);
            }
        }
        if let Some(dirty) = self.dirty {
            cx.dirty = dirty;
        }
    }
}
