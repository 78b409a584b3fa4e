//! Where a shard runs: kept on a processor of its own, which spares it the way of its memory from one to another, until it has to wait there for
//! others that the scheduler could have put elsewhere. See docs/decisions/kept-on-a-processor.md.

use super::ShardLoop;
use crate::log;
use runtime::thread::{self, RunTimes, Times};

/// Time between two looks while the shard is awake, µs.
const LOOK_US: u64 = 100_000;
/// What it may wait for its processor from one look to the next, ns; waking up alone takes some µs each time.
const WAIT_NS_MIN: u64 = 5_000_000;
/// It moves if it waits for longer than one such part of the time for which it runs.
const WAIT_PART: u64 = 5;

/// What a shard knows of the time for which it has to wait for its processor.
pub(super) struct Place {
    run_times: Option<RunTimes>,
    last: Times,
    /// `u64::MAX`: it stays where it is.
    pub(super) next_look_us: u64,
}

impl Place {
    /// Of the calling thread, which `may_move` if it is kept on a processor.
    pub(super) fn new(may_move: bool) -> Self {
        // Where the system does not count, it stays.
        let run_times = may_move.then(|| RunTimes::open().ok()).flatten();
        let next_look_us = if run_times.is_some() { 0 } else { u64::MAX };
        Self { run_times, last: Times::default(), next_look_us }
    }

    /// Whether it has waited too much since the last look.
    fn has_waited(&mut self) -> bool {
        let Some(now) = self.run_times.as_ref().and_then(|times| times.read().ok()) else { return false };
        let last = std::mem::replace(&mut self.last, now);
        is_crowded(now.ran_ns.saturating_sub(last.ran_ns), now.waited_ns.saturating_sub(last.waited_ns))
    }
}

impl ShardLoop {
    #[cold]
    pub(super) fn look_at_place(&mut self, now_us: u64) {
        self.place.next_look_us = now_us + LOOK_US;
        if !self.place.has_waited() {
            return;
        }
        self.place = Place::new(false);
        match thread::keep_on(&self.process.moves_among) {
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

fn is_crowded(ran_ns: u64, waited_ns: u64) -> bool {
    waited_ns >= WAIT_NS_MIN && waited_ns > ran_ns / WAIT_PART
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waking_up_is_no_waiting() {
        assert!(!is_crowded(100_000_000, 10_000_000));
        assert!(!is_crowded(1_000_000, 4_000_000));
        assert!(is_crowded(50_000_000, 20_000_000));
    }

    #[test]
    fn a_thread_that_another_keeps_waiting_notices_that() {
        let cpu = thread::available_cpus()[0];
        let waits = std::thread::spawn(move || {
            thread::pin_to(cpu).unwrap();
            let mut place = Place::new(true);
            place.has_waited();
            let other = std::thread::spawn(|| turn_over(300));
            let noticed = (0..100).any(|_| {
                turn_over(20);
                place.has_waited()
            });
            other.join().unwrap();
            noticed
        });
        assert!(waits.join().unwrap());
        assert!(!Place::new(false).has_waited());
    }

    /// Keeps a processor busy, for some ms.
    fn turn_over(ms: u64) {
        let until_ns = runtime::clock::monotonic_ns() + ms * 1_000_000;
        while runtime::clock::monotonic_ns() < until_ns {
            std::hint::spin_loop();
        }
    }
}
