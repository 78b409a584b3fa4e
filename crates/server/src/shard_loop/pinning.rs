//! Where a shard runs: kept on a processor of its own, which spares it the way of its memory from one to another, until it has to wait there for
//! others that the scheduler could have put elsewhere. See docs/decisions/kept-on-a-processor.md.

use super::ShardLoop;
use crate::log;
use runtime::thread::{self, SchedStat, SchedStatFile};

/// Time between two looks while the shard is awake, µs.
const LOOK_US: u64 = 100_000;
/// What it may wait for its processor from one look to the next, ns; waking up alone takes some µs each time.
const WAIT_NS_MIN: u64 = 5_000_000;
/// It moves if it waits for longer than one such part of the time for which it runs.
const WAIT_PART: u64 = 5;

/// What a shard knows of the time for which it has to wait for its processor.
pub(super) struct Pinning {
    counts: Option<SchedStatFile>,
    /// At the last look, if there was one.
    last: Option<SchedStat>,
    /// `u64::MAX`: it stays where it is.
    pub(super) next_look_us: u64,
}

impl Pinning {
    /// Of the calling thread, which `may_move` if it is kept on a processor.
    pub(super) fn new(may_move: bool) -> Self {
        // Where the system does not count, it stays.
        let counts = may_move.then(|| SchedStatFile::open().ok()).flatten();
        let next_look_us = if counts.is_some() { 0 } else { u64::MAX };
        Self { counts, last: None, next_look_us }
    }

    /// Whether it has waited too much since the last look.
    fn has_waited(&mut self) -> bool {
        let now = self.counts.as_ref().and_then(|counts| counts.read().ok());
        let before = std::mem::replace(&mut self.last, now);
        before.zip(now).is_some_and(|(before, now)| is_crowded(before, now))
    }
}

impl ShardLoop {
    #[cold]
    pub(super) fn look_at_pinning(&mut self, now_us: u64) {
        self.pinning.next_look_us = now_us + LOOK_US;
        if !self.pinning.has_waited() {
            return;
        }
        self.pinning = Pinning::new(false);
        match thread::pin_to(&self.process.moves_among) {
            Ok(()) => log::notice(format_args!(
                "Shard {} had to wait for others on its processor: the scheduler chooses one from now on",
                self.id
            )),
            Err(error) => {
                log::warning(format_args!("Shard {} cannot leave its processor: {error}", self.id));
            }
        }
    }
}

/// Whether a thread had to wait for its processor between two looks.
fn is_crowded(before: SchedStat, now: SchedStat) -> bool {
    let (run_ns, wait_ns) =
        (now.run_ns.saturating_sub(before.run_ns), now.wait_ns.saturating_sub(before.wait_ns));
    wait_ns >= WAIT_NS_MIN && wait_ns > run_ns / WAIT_PART
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waking_up_is_no_waiting() {
        let before = SchedStat { run_ns: 7_000_000_000, wait_ns: 3_000_000_000 };
        let crowded = |run_ms: u64, wait_ms: u64| {
            let now = SchedStat {
                run_ns: before.run_ns + run_ms * 1_000_000,
                wait_ns: before.wait_ns + wait_ms * 1_000_000,
            };
            is_crowded(before, now)
        };
        assert!(!crowded(100, 10));
        assert!(!crowded(1, 4));
        assert!(crowded(50, 20));
    }

    #[test]
    fn who_may_not_move_does_not_look() {
        let mut pinning = Pinning::new(false);
        assert_eq!(pinning.next_look_us, u64::MAX);
        assert!(!pinning.has_waited());
    }
}
