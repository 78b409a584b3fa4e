//! Keeping to `maxmemory`: evicting keys, or refusing commands that need memory.
//!
//! What counts is memory for data, over all shards. A shard knows what the others use as of its turn ([`Eviction::other_bytes`],
//! told by the runtime); when all together are above the limit, each frees its share of the excess, in proportion to what it
//! holds: before each of its commands that may need memory, and in its housekeeping.
//!
//! The table gives memory back in blocks, long after the keys in them are gone. So that one eviction shows at once, the table
//! counts as its records divided by how full it is when it is well filled (`fill`): what is free in its blocks is free.
//!
//! What is being freed step by step does not count, or everything would be evicted meanwhile; but while it is there above the
//! limit, commands that need memory free some of it first.
//!
//! Which key goes is chosen as in Redis: `maxmemory-samples` keys by chance into a pool of the best candidates seen so far,
//! then the best of the pool.

use crate::spec::flag;
use crate::{Command, Cx, Error, Event, ShardCx, freeing};
use config::MaxmemoryPolicy;
use keyspace::sample::Sampled;
use keyspace::{Db, Found, Free, Key, age};

/// Candidates kept between evictions (Redis: EVPOOL_SIZE).
const POOL_LEN: usize = 16;
/// Keys evicted before one command at most, and in one round of housekeeping. While there is progress, commands may pass.
const KEYS_PER_COMMAND: usize = 64;
const KEYS_PER_TICK: usize = 8192;
/// A round of housekeeping ends after this time, too, looked at whenever so many keys have gone.
const NANOS_PER_TICK: u64 = 250_000;
const KEYS_BETWEEN_LOOKS: usize = 8;
/// With several shards, housekeeping aims this much (1/64) below the limit, so that a shard whose share grows finds room without
/// evicting what it has just written.
const SLACK_SHIFT: u32 = 6;
/// How far the remembered fill goes towards the real one in each round of housekeeping.
const FILL_STEP: f64 = 1.0 / 8.0;
/// An empty server takes more than this, which does not count; but who sets the limit below it wants no command to find memory.
const EMPTY_BYTES: u64 = 4096;
/// A table is never taken to be emptier than this.
const FILL_MIN: f64 = 0.5;

#[derive(Default)]
pub struct Eviction {
    /// Bytes of data of all other shards, as last heard.
    pub other_bytes: u64,
    /// Sorted, the best candidate last.
    pool: Vec<Candidate>,
    /// Which of the databases that are there the random policies take from next.
    next_db: usize,
    /// Records' share of their tables when these were last well filled.
    fill: f64,
}

struct Candidate {
    /// The higher, the sooner it goes.
    score: u64,
    db: u16,
    key: Vec<u8>,
}

impl ShardCx {
    /// Bytes of data of this shard, as `maxmemory` counts them, with what indexes and cursors own as of the last tick; what is free in the tables'
    /// blocks does not count.
    pub fn used_bytes(&self) -> u64 {
        let (table, live, outside) = self.memory();
        self.search_bytes() as u64
            + outside
            + (table as f64).min(live as f64 / self.eviction.fill.max(FILL_MIN)) as u64
    }

    /// Bytes of all tables, of the records in them, and outside.
    fn memory(&self) -> (u64, u64, u64) {
        let add = |sum: (u64, u64, u64), db: &Db| {
            let (table, live, outside) = (db.table_bytes(), db.live_bytes(), db.outside_bytes());
            (sum.0 + table as u64, sum.1 + live as u64, sum.2 + outside as u64)
        };
        self.dbs.iter().filter(|db| !db.is_empty()).fold((0, 0, 0), add)
    }

    fn note_fill(&mut self, step: f64) {
        let (table, live, _) = self.memory();
        let now = if table == 0 { FILL_MIN } else { live as f64 / table as f64 };
        let fill = &mut self.eviction.fill;
        *fill = if now > *fill { now } else { *fill - (*fill - now) * step };
    }

    fn all_used_bytes(&self) -> u64 {
        self.used_bytes() + self.eviction.other_bytes
    }
}

/// To be called before a command runs: makes room for commands that may need memory. While the data cannot be saved, nothing is written.
///
/// # Errors
/// OOM, MISCONF
#[inline]
pub fn before(shard: &mut ShardCx, command: &Command) -> Result<(), Error> {
    if refuses_nothing(shard) { Ok(()) } else { admit(shard, command) }
}

/// Whether every command may run, as far as memory and disk are concerned.
#[inline]
pub fn refuses_nothing(shard: &ShardCx) -> bool {
    shard.limits.memory_bytes_max == 0 && !shard.refuses_writes
}

/// Whether commands that need memory would be refused now, though room has been made as far as possible.
pub fn lacks_memory(shard: &mut ShardCx) -> bool {
    shard.limits.memory_bytes_max != 0 && find_room(shard).is_err()
}

#[cold]
fn admit(shard: &mut ShardCx, command: &Command) -> Result<(), Error> {
    if let Some(error) = refusal_to_write(shard, command) {
        return Err(error);
    }
    let needs_room = shard.limits.memory_bytes_max != 0 && command.flags & flag::DENYOOM != 0;
    if needs_room { find_room(shard) } else { Ok(()) }
}

/// MISCONF, while the data cannot be saved: writes are refused, and PING, so that whoever watches over the server knows.
pub fn refusal_to_write(shard: &ShardCx, command: &Command) -> Option<Error> {
    let is_refused =
        shard.refuses_writes && (command.flags & flag::WRITE != 0 || command.full_name == "ping");
    if !is_refused {
        return None;
    }
    Some(match unsaved(shard)? {
        Unsaved::Snapshot => Error::CANNOT_SAVE,
        Unsaved::Log(reason) => Error::text(format!("MISCONF Errors writing to the AOF file: {reason}")),
    })
}

/// The same of a script that says that it writes.
pub fn refusal_of_script(shard: &ShardCx) -> Option<Error> {
    if !shard.refuses_writes {
        return None;
    }
    Some(match unsaved(shard)? {
        Unsaved::Snapshot => Error::NO_SCRIPT_CAN_SAVE,
        Unsaved::Log(reason) => Error::text(format!(
            "MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. Writable \
             scripts are blocked. Use 'no-writes' flag for read only scripts. AOF error: {reason}"
        )),
    })
}

/// What cannot be written to disk.
enum Unsaved {
    Snapshot,
    /// Append-only files; the system's words.
    Log(String),
}

/// Why writes are refused; `None` if the disk is well again since this turn began.
fn unsaved(shard: &ShardCx) -> Option<Unsaved> {
    let Some(saver) = &shard.saver else { return Some(Unsaved::Snapshot) };
    match shard.needs_saves() && !saver.report().is_last_ok {
        true => Some(Unsaved::Snapshot),
        false => saver.log_report().trouble.map(Unsaved::Log),
    }
}

fn find_room(shard: &mut ShardCx) -> Result<(), Error> {
    if shard.all_used_bytes() + shard.bin.bytes() as u64 > shard.limits.memory_bytes_max {
        freeing::help(shard);
    }
    let limit = shard.limits.memory_bytes_max;
    if limit < EMPTY_BYTES && shard.config.maxmemory_policy == MaxmemoryPolicy::NoEviction {
        return Err(Error::OUT_OF_MEMORY);
    }
    if shard.all_used_bytes() <= limit {
        return Ok(());
    }
    // A table that is fuller than remembered makes the figure too high.
    shard.note_fill(0.0);
    if free(shard, limit, KEYS_PER_COMMAND, u64::MAX) {
        return Ok(());
    }
    // Where this shard has nothing to evict, the others soon will.
    let evicts = shard.shards > 1 && shard.config.maxmemory_policy != MaxmemoryPolicy::NoEviction;
    let tolerated = if evicts { limit + (limit >> SLACK_SHIFT) } else { limit };
    if shard.all_used_bytes() <= tolerated { Ok(()) } else { Err(Error::OUT_OF_MEMORY) }
}

/// Housekeeping, ten times a second: evicts what the limit demands. Whether it should go on sooner.
pub fn tick(shard: &mut ShardCx) -> bool {
    let limit = shard.limits.memory_bytes_max;
    if limit == 0 || shard.is_kept_as_is() || shard.pause.is_some() {
        return false;
    }
    // What the last round has evicted is out of the indexes before they are counted.
    shard.settle_indexes();
    shard.count_search_bytes();
    shard.note_fill(FILL_STEP);
    free(shard, target(shard), KEYS_PER_TICK, NANOS_PER_TICK);
    shard.all_used_bytes() > limit && shard.config.maxmemory_policy != MaxmemoryPolicy::NoEviction
}

/// Whether every shard is to evict its share now. Those that sleep do not know.
pub fn concerns_all(shard: &ShardCx) -> bool {
    shard.limits.memory_bytes_max != 0
        && shard.config.maxmemory_policy != MaxmemoryPolicy::NoEviction
        && shard.all_used_bytes() > target(shard)
}

/// What the shards bring the bytes in use down to. Each knows of the others what they said last.
fn target(shard: &ShardCx) -> u64 {
    let limit = shard.limits.memory_bytes_max;
    if shard.shards > 1 { limit - (limit >> SLACK_SHIFT) } else { limit }
}

/// Frees this shard's share of what is above `target`, `keys_max` keys at most and for about `nanos_max`. False if there was
/// nothing to evict.
fn free(shard: &mut ShardCx, target: u64, keys_max: usize, nanos_max: u64) -> bool {
    let own = shard.used_bytes();
    let total = own + shard.eviction.other_bytes;
    if shard.config.maxmemory_policy == MaxmemoryPolicy::NoEviction || total <= target {
        return false;
    }
    let share = u128::from(total - target) * u128::from(own) / u128::from(total);
    let goal = own - (share as u64).clamp(1.min(own), own);
    let clock_ns = shard.platform.clock_ns;
    let (begun_ns, mut nanos) = (clock_ns(), 0);
    let mut evicted = 0;
    while shard.used_bytes() > goal && evicted < keys_max && nanos < nanos_max && evict_one(shard) {
        evicted += 1;
        if evicted.is_multiple_of(KEYS_BETWEEN_LOOKS) {
            nanos = clock_ns().saturating_sub(begun_ns);
        }
    }
    shard.check_latency("eviction-cycle", clock_ns().saturating_sub(begun_ns));
    evicted > 0
}

/// Evicts the best candidate; false if there is none.
fn evict_one(shard: &mut ShardCx) -> bool {
    match shard.config.maxmemory_policy {
        MaxmemoryPolicy::AllkeysRandom | MaxmemoryPolicy::VolatileRandom => evict_random(shard),
        _ => evict_best(shard),
    }
}

fn evict_random(shard: &mut ShardCx) -> bool {
    let volatile = shard.config.maxmemory_policy.is_volatile();
    let present = shard.dbs.iter().count();
    for _ in 0..present {
        let at = shard.eviction.next_db % present;
        shard.eviction.next_db = at + 1;
        let mut chosen = None;
        let (number, db) = shard.dbs.numbered().nth(at).expect("as many as were counted");
        sample(db, volatile, 1, &mut shard.random, |s| chosen = Some(s.key.to_vec()));
        if chosen.is_some_and(|key| evict(shard, number, &key)) {
            return true;
        }
    }
    false
}

fn evict_best(shard: &mut ShardCx) -> bool {
    // Candidates may be gone by now; a pool filled anew has one that is not, if there is any.
    for _ in 0..2 {
        fill_pool(shard);
        while let Some(best) = shard.eviction.pool.pop() {
            if evict(shard, best.db, &best.key) {
                return true;
            }
        }
    }
    false
}

fn fill_pool(shard: &mut ShardCx) {
    let (policy, now_ms, rule) = (shard.config.maxmemory_policy, shard.now_ms, shard.ages.rule);
    let count = shard.config.maxmemory_samples as usize;
    for (db, space) in shard.dbs.numbered().filter(|(_, space)| !space.is_empty()) {
        let pool = &mut shard.eviction.pool;
        sample(space, policy.is_volatile(), count, &mut shard.random, |sampled| {
            let score = match policy {
                MaxmemoryPolicy::VolatileTtl => u64::MAX - sampled.expire.unwrap_or(u64::MAX),
                _ if policy.is_lfu() => u64::from(u8::MAX - rule.count(sampled.age, now_ms)),
                _ => age::idle_seconds(sampled.age, now_ms),
            };
            offer(pool, score, db, sampled.key);
        });
    }
}

fn sample(
    db: &Db,
    volatile: bool,
    count: usize,
    random: &mut base::random::Random,
    visit: impl FnMut(Sampled<'_>),
) {
    let mut random = || random.next_u64();
    if volatile {
        db.sample_expiring(count, &mut random, visit);
    } else {
        db.sample(count, &mut random, visit);
    }
}

fn offer(pool: &mut Vec<Candidate>, score: u64, db: u16, key: &[u8]) {
    let at = pool.partition_point(|candidate| candidate.score < score);
    if pool.len() == POOL_LEN && at == 0 || pool.iter().any(|c| c.db == db && c.key == key) {
        return;
    }
    pool.insert(at, Candidate { score, db, key: key.to_vec() });
    if pool.len() > POOL_LEN {
        pool.remove(0);
    }
}

/// Removes a key, if it is (still) there and may go.
fn evict(shard: &mut ShardCx, db: u16, key: &[u8]) -> bool {
    let volatile = shard.config.maxmemory_policy.is_volatile();
    let hashed = Key::new(key, &shard.seed);
    let space = &mut shard.dbs[db as usize];
    let Found::Live(pos) = space.find(hashed, 0) else { return false };
    if volatile && space.expire(pos).is_none() {
        return false;
    }
    space.discard(pos, Free::later_if(shard.config.lazyfree_lazy_eviction));
    shard.stats.evicted_keys += 1;
    shard.write_gone(db, key);
    Cx::internal(shard, db).notice(Event::Evicted, "evicted", key);
    true
}
