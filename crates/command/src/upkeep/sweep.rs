//! Active expiry, with its events. The bookkeeping of what expires where is `keyspace::sweep`'s.

use crate::notices::subkeys::Subkeys;
use crate::{Cx, Event, ShardCx};
use keyspace::Swept;

/// Work for all databases in one sweep at the lowest `active-expire-effort`, in units of `keyspace::Db::sweep`: some hundred
/// segments looked at, or many more passed over.
const WORK: usize = 8192;
/// A sweep ends after this time, too: where all of a segment expires, some hundred keys go at once.
const NANOS_MAX: u64 = 250_000;

/// Segments looked at to learn when a sweep is due, in all databases: about a millisecond, and a gigabyte of keys.
const SEGMENTS_LOOKED_AT: usize = 16_384;

/// What one key or hash has lost.
enum Gone {
    Key(Vec<u8>),
    Fields { key: Vec<u8>, fields: Subkeys, emptied: bool },
}

/// Removes keys and fields whose time is over, for a bounded time. Call it ten times a second; whether it should go on
/// sooner, because there may be more to remove.
pub fn sweep(shard: &mut ShardCx) -> bool {
    if !shard.active_expire || shard.is_kept_as_is() {
        return false;
    }
    let mut work = WORK * shard.config.active_expire_effort as usize;
    let mut dbs: Vec<u16> =
        shard.dbs.numbered().filter(|(_, db)| db.has_expiry()).map(|(number, _)| number).collect();
    if dbs.is_empty() {
        return false;
    }
    let first = shard.random.index(dbs.len());
    dbs.rotate_left(first);
    let mut gone = Vec::new();
    let is_named = shard.names_fields();
    let clock_ns = shard.platform.clock_ns;
    let begun_ns = clock_ns();
    for db in dbs {
        if work == 0 {
            break;
        }
        let has_time = || clock_ns().saturating_sub(begun_ns) < NANOS_MAX;
        let mut fields = Subkeys::new(is_named);
        work = shard.dbs[db as usize].sweep(shard.now_ms, work, has_time, |swept| match swept {
            Swept::Key(key) => gone.push(Gone::Key(key.to_vec())),
            Swept::Field(field) => fields.add(field),
            Swept::Fields { key, count, emptied } => {
                let fields = std::mem::replace(&mut fields, Subkeys::new(is_named));
                debug_assert_eq!(fields.count(), count, "every field was shown");
                gone.push(Gone::Fields { key: key.to_vec(), fields, emptied });
            }
        });
        tell(&mut Cx::internal(shard, db), gone.drain(..));
    }
    shard.settle_indexes();
    let nanos = clock_ns().saturating_sub(begun_ns);
    shard.stats.expire_nanos += nanos;
    shard.check_latency("expire-cycle", nanos);
    work == 0
}

/// A time, unix ms, before which no sweep finds anything if nothing changes; `u64::MAX`: never. `None` if that would take too
/// long to find out.
pub fn next_due_ms(shard: &ShardCx) -> Option<u64> {
    let mut due_ms = u64::MAX;
    if !shard.active_expire {
        return Some(due_ms);
    }
    let mut budget = SEGMENTS_LOOKED_AT;
    for db in shard.dbs.iter().filter(|db| db.has_expiry()) {
        due_ms = due_ms.min(db.next_due_ms(budget)?);
        budget -= db.segments();
    }
    Some(due_ms)
}

fn tell(cx: &mut Cx<'_>, gone: impl Iterator<Item = Gone>) {
    for gone in gone {
        match gone {
            Gone::Key(key) => {
                cx.shard.stats.expired_keys += 1;
                cx.shard.write_gone(cx.db, &key);
                cx.notice(Event::Expired, "expired", &key);
            }
            Gone::Fields { key, fields, emptied } => cx.note_expired_fields(&key, &fields, emptied),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::{Config, MaxmemoryPolicy};
    use keyspace::Key;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    const KEYS: usize = 20_000;

    /// A shard with keys that expire at 1, and a clock of which each look takes 0.1 ms.
    fn shard() -> ShardCx {
        let mut config = Config::default();
        let settings =
            [("maxmemory", "100kb"), ("maxmemory-policy", "allkeys-lru"), ("latency-monitor-threshold", "1")];
        config.set(&settings, config::Caller::default()).expect("good settings");
        assert_eq!(config.maxmemory_policy, MaxmemoryPolicy::AllkeysLru);
        let seed = base::hash::HashSeed::new(1, 2);
        let mut shard = ShardCx::new(0, 1, Arc::new(Config::default()), seed.clone(), 3);
        shard.set_config(Arc::new(config));
        shard.platform.clock_ns = || {
            static NOW: AtomicU64 = AtomicU64::new(0);
            NOW.fetch_add(100_000, Ordering::Relaxed)
        };
        for n in 0..KEYS {
            let name = format!("key {n}").into_bytes();
            shard.dbs[0].put_str(Key::new(&name, &seed), None, b"v", Some(1), 0);
        }
        shard
    }

    #[test]
    fn a_slice_is_short_however_much_expires_or_must_go() {
        let mut shard = shard();
        assert!(crate::eviction::tick(&mut shard));
        let evicted = shard.stats.evicted_keys;
        assert!((1..100).contains(&evicted), "{evicted} evicted");
        shard.now_ms = 2;
        assert!(sweep(&mut shard));
        let expired = shard.stats.expired_keys;
        assert!((1..KEYS as u64 / 4).contains(&expired), "{expired} expired");
        let mut slices = 0;
        while sweep(&mut shard) {
            slices += 1;
        }
        assert!(slices > 2 && shard.dbs[0].is_empty());
        // None of them took a millisecond.
        assert_eq!(shard.latency.iter().count(), 0);
    }

    #[test]
    fn what_took_long_has_a_name() {
        let mut shard = shard();
        shard.platform.clock_ns = || {
            static NOW: AtomicU64 = AtomicU64::new(0);
            NOW.fetch_add(2_000_000, Ordering::Relaxed)
        };
        crate::eviction::tick(&mut shard);
        shard.now_ms = 2;
        sweep(&mut shard);
        shard.dbs[0].clear(keyspace::Free::Later);
        crate::freeing::slice(&mut shard, 1);
        let names: Vec<_> = shard.latency.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["eviction-cycle", "expire-cycle", "lazyfree-cycle"]);
    }
}
