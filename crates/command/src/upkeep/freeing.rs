//! Giving memory back step by step: what UNLINK, FLUSHALL ASYNC and the `lazyfree-lazy-…` directives leave in the bin.
//!
//! It is the shard's own thread that frees, a slice at a time between its commands: most of the memory came from this thread's
//! heap, and a slice is too short to be noticed.

use crate::ShardCx;

/// Steps of one slice at most, for a clock that stands still.
const STEPS_MAX: usize = 1024;
/// Steps by which a command that needs memory helps.
const HELP_STEPS: usize = 4;
/// So many bytes freed are worth telling the allocator to return what it can; at the end, less. It takes some hundred µs.
const PURGE_BYTES: usize = 32 << 20;
const LAST_PURGE_BYTES: usize = 4 << 20;

/// What a [`slice`] has left and done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// There is more to free.
    pub more: bool,
    /// The allocator has been told to return what this thread's heap has.
    pub has_purged: bool,
}

/// Frees for about `nanos_max`. The allocator returns the memory in portions.
pub fn slice(shard: &mut ShardCx, nanos_max: u64) -> Slice {
    let begun_ns = (shard.platform.clock_ns)();
    for _ in 0..STEPS_MAX {
        if !shard.bin.free_step() {
            break;
        }
        if (shard.platform.clock_ns)().saturating_sub(begun_ns) >= nanos_max {
            break;
        }
    }
    let worth = if shard.bin.is_empty() { LAST_PURGE_BYTES } else { PURGE_BYTES };
    let has_purged = shard.bin.freed_bytes() >= worth;
    if has_purged {
        shard.bin.take_freed_bytes();
        (shard.platform.purge)();
    }
    shard.check_latency("lazyfree-cycle", (shard.platform.clock_ns)().saturating_sub(begun_ns));
    Slice { more: !shard.bin.is_empty(), has_purged }
}

/// Whether [`slice`] has something to do: memory to free, or freed memory to return.
#[inline]
pub fn is_due(shard: &ShardCx) -> bool {
    shard.bin.has_work(PURGE_BYTES)
}

/// Frees a little, before a command that needs memory.
pub fn help(shard: &mut ShardCx) {
    for _ in 0..HELP_STEPS {
        if !shard.bin.free_step() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Config;
    use keyspace::{Free, Key, Value};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static PURGES: AtomicUsize = AtomicUsize::new(0);

    fn shard() -> ShardCx {
        ShardCx::new(0, 1, Arc::new(Config::default()), base::hash::HashSeed::new(1, 2), 3)
    }

    fn fill(shard: &mut ShardCx, keys: usize, bytes: usize) {
        let seed = shard.seed.clone();
        for n in 0..keys {
            let name = format!("key {n}").into_bytes();
            shard.dbs[0].put(Key::new(&name, &seed), None, Value::string(&vec![b'v'; bytes]), None, 0);
        }
    }

    #[test]
    fn a_slice_is_short_and_the_last_one_returns_the_memory() {
        let mut shard = shard();
        shard.platform.purge = || {
            PURGES.fetch_add(1, Ordering::Relaxed);
        };
        // Each look at this clock takes a millisecond.
        shard.platform.clock_ns = || {
            static NOW: AtomicUsize = AtomicUsize::new(0);
            NOW.fetch_add(1_000_000, Ordering::Relaxed) as u64
        };
        fill(&mut shard, 100_000, 400);
        shard.dbs[0].clear(Free::Later);
        assert!(is_due(&shard));
        let mut slices = 0;
        while slice(&mut shard, 2_000_000).more {
            slices += 1;
        }
        assert!(slices > 100);
        assert!((1..=3).contains(&PURGES.load(Ordering::Relaxed)));
        assert!(!is_due(&shard) && shard.bin.freed() == 100_000);
    }

    #[test]
    fn a_clock_that_stands_still_does_not_make_a_slice_endless() {
        let mut shard = shard();
        for _ in 0..STEPS_MAX + 1 {
            fill(&mut shard, 1, 10);
            shard.dbs[0].clear(Free::Later);
        }
        let left = shard.bin.pending();
        assert!(slice(&mut shard, 1).more);
        assert!((1..left).contains(&shard.bin.pending()));
        while slice(&mut shard, 1).more {}
        assert_eq!(shard.bin.pending(), 0);
    }

    #[test]
    fn commands_that_need_memory_wait_for_what_is_being_freed() {
        let mut config = Config::default();
        config.set(&[("maxmemory", "8mb")], config::Caller::default()).expect("a good setting");
        let mut shard = shard();
        shard.set_config(Arc::new(config));
        fill(&mut shard, 100_000, 60);
        let set = crate::lookup(b"SET").expect("a command");
        assert!(crate::eviction::before(&mut shard, set).is_err());
        shard.dbs[0].clear(Free::Later);
        let bytes = shard.bin.bytes();
        assert!(crate::eviction::before(&mut shard, set).is_ok());
        assert!(shard.bin.bytes() < bytes);
        while shard.bin.bytes() > 8 << 20 {
            crate::eviction::before(&mut shard, set).expect("what is being freed is not held against it");
        }
        // Below the limit nobody needs to help.
        let bytes = shard.bin.bytes();
        crate::eviction::before(&mut shard, set).expect("there is room");
        assert_eq!(shard.bin.bytes(), bytes);
    }
}
