//! Active expiry, with its events. The bookkeeping of what expires where is `keyspace::sweep`'s.

use crate::{Cx, Event, ShardCx};
use keyspace::Swept;

/// Work for all databases in one sweep at the lowest `active-expire-effort`, in units of `keyspace::Db::sweep`: some hundred
/// segments looked at, or many more passed over; about a millisecond.
const WORK: usize = 8192;

/// Segments looked at to learn when a sweep is due, in all databases: about a millisecond, and a gigabyte of keys.
const SEGMENTS_LOOKED_AT: usize = 16_384;

/// What one key or hash has lost.
enum Gone {
    Key(Vec<u8>),
    Fields { key: Vec<u8>, count: usize, emptied: bool },
}

/// Removes keys and fields whose time is over, for a bounded time. Call it ten times a second; whether it should go on
/// sooner, because there is more to remove.
pub fn sweep(shard: &mut ShardCx) -> bool {
    if !shard.active_expire || shard.cron_paused || shard.is_occupied {
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
    let begun_ns = (shard.platform.clock_ns)();
    for db in dbs {
        if work == 0 {
            break;
        }
        work = shard.dbs[db as usize].sweep(shard.now_ms, work, |swept| gone.push(Gone::new(swept)));
        tell(&mut Cx::internal(shard, db), gone.drain(..));
    }
    shard.stats.expire_nanos += (shard.platform.clock_ns)().saturating_sub(begun_ns);
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

impl Gone {
    fn new(swept: Swept<'_>) -> Self {
        match swept {
            Swept::Key(key) => Self::Key(key.to_vec()),
            Swept::Fields { key, count, emptied } => Self::Fields { key: key.to_vec(), count, emptied },
        }
    }
}

fn tell(cx: &mut Cx<'_>, gone: impl Iterator<Item = Gone>) {
    for gone in gone {
        match gone {
            Gone::Key(key) => {
                cx.shard.stats.expired_keys += 1;
                cx.notice(Event::Expired, "expired", &key);
            }
            Gone::Fields { key, count, emptied } => {
                cx.shard.stats.expired_fields += count as u64;
                cx.notice(Event::Hash, "hexpired", &key);
                if emptied {
                    cx.notice(Event::Generic, "del", &key);
                }
            }
        }
    }
}
