//! The thread that writes what shards have handed over.
//!
//! While nobody may learn of what is not synced, a round follows the other. Otherwise the thread looks again after a moment, so that nobody
//! need wake it while there is always something to write. It sleeps when there was nothing.

use super::writer::{Failure, Writer};
use super::{Begun, Job, JobOutcome, OnDone, Shared, State, SyncPolicy, Trouble, lock};
use disk::Disk;
use journal::manifest::Rewrite;
use journal::queue::Ticket;
use runtime::{clock, spawn_thread};
use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

/// Between two rounds, unless something may not wait.
const PAUSE: Duration = Duration::from_millis(2);
/// `appendfsync everysec`
const SYNC_NS: u64 = 1_000_000_000;
/// Whoever looks whether a rewrite is due is woken when the files have grown by so much.
const GROWTH_BYTES: u64 = 1 << 20;
/// After a failure it is tried again.
const RETRY: Duration = Duration::from_secs(1);

struct Carrier<D: Disk> {
    shared: Arc<Shared>,
    writer: Writer<D>,
    /// Up to where all is written, and synced.
    written: u64,
    synced: u64,
    synced_at_ns: u64,
    /// A sync has failed: nothing counts as synced before there is a new base.
    is_lost: bool,
    /// The round at hand could not be written.
    is_stuck: bool,
    /// Bytes of the base, and of generations that have ended since.
    base_bytes: u64,
    /// How large the files were when somebody was told.
    told_bytes: u64,
}

/// Starts it.
///
/// # Errors
/// When there is no such thread.
pub(super) fn start<D: Disk>(shared: Arc<Shared>, writer: Writer<D>, base_bytes: u64) -> io::Result<()> {
    let run = move || {
        let synced_at_ns = clock::monotonic_ns();
        let (written, synced, is_lost, is_stuck) = (0, 0, false, false);
        Carrier {
            shared,
            writer,
            written,
            synced,
            synced_at_ns,
            is_lost,
            is_stuck,
            base_bytes,
            told_bytes: base_bytes,
        }
        .run();
    };
    spawn_thread("journal".to_owned(), run).map(drop)
}

impl<D: Disk> Carrier<D> {
    fn run(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut state = lock(&shared.state);
        while !state.is_over {
            let (policy, rests, jobs_wait) = (state.policy, state.rests, !state.jobs.is_empty());
            let is_strict = policy == SyncPolicy::Always;
            state.hurries = false;
            let has_round = !self.is_stuck && self.take_round(&mut state);
            drop(state);
            if has_round || self.is_stuck {
                self.write(is_strict);
            }
            self.sync_if_due(policy, rests);
            shared.tell(if is_strict { self.synced } else { self.written }, self.synced);
            if jobs_wait {
                self.do_jobs();
            }
            state = lock(&shared.state);
            state.report.current_bytes = self.base_bytes + self.writer.bytes();
            if state.report.current_bytes > self.told_bytes + GROWTH_BYTES {
                self.told_bytes = state.report.current_bytes;
                shared.host.wake(0);
            }
            state.report.is_unsynced = self.writer.is_unsynced();
            state = self.pause(state, has_round);
        }
    }

    /// Takes what there is, if files are open for it.
    fn take_round(&mut self, state: &mut State) -> bool {
        if !self.writer.is_open() {
            return false;
        }
        state.is_fresh = false;
        let round = state.queue.take_round();
        let has_round = round.is_some();
        round.into_iter().for_each(|round| self.writer.begin(round));
        has_round
    }

    /// Writes the round at hand.
    fn write(&mut self, is_strict: bool) {
        let shared = Arc::clone(&self.shared);
        let round = match self.writer.go_on(is_strict) {
            Ok(round) => round,
            Err(failure) => return self.fail(&failure, is_strict),
        };
        let mut state = lock(&shared.state);
        round.into_iter().for_each(|round| state.queue.done(round));
        Ticket(self.written) = state.queue.done_up_to();
        if is_strict && !self.is_lost && !self.writer.is_unsynced() {
            self.synced = self.written;
        }
        if std::mem::take(&mut self.is_stuck) && !self.is_lost {
            shared.set_trouble(&mut state, None);
            drop(state);
            shared.host.warn("AOF write error looks solved. The server can write again.");
        }
        shared.moved.notify_all();
    }

    fn sync_if_due(&mut self, policy: SyncPolicy, rests: bool) {
        if !self.writer.is_unsynced() || self.is_lost {
            return;
        }
        let is_due = match policy {
            // Of the time when it could wait.
            SyncPolicy::Always => true,
            SyncPolicy::EverySecond => !rests && self.until_sync_ns() == 0,
            SyncPolicy::Never => false,
        };
        if is_due {
            self.synced_at_ns = clock::monotonic_ns();
            match self.writer.sync() {
                Ok(()) => self.synced = self.written,
                Err(failure) => self.fail(&failure, policy == SyncPolicy::Always),
            }
        }
    }

    fn until_sync_ns(&self) -> u64 {
        (self.synced_at_ns + SYNC_NS).saturating_sub(clock::monotonic_ns())
    }

    /// Something is not as it was to be: nothing more may be written by clients for now.
    fn fail(&mut self, failure: &Failure, is_strict: bool) {
        let shared = Arc::clone(&self.shared);
        if !self.is_stuck && !self.is_lost {
            shared.host.warn(&format!("Error with the append-only file: {failure}"));
        }
        if is_strict {
            let reason =
                "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...";
            shared.host.stop(reason);
        }
        self.is_lost |= failure.is_of_sync;
        self.is_stuck |= !failure.is_of_sync || self.writer.has_round();
        let trouble = Trouble { reason: failure.reason.clone(), needs_rewrite: self.is_lost };
        shared.set_trouble(&mut lock(&shared.state), Some(trouble));
    }

    /// Does what else there is to do, as far as it can be done by now.
    fn do_jobs(&mut self) {
        let shared = Arc::clone(&self.shared);
        loop {
            let mut state = lock(&shared.state);
            let is_late = match state.jobs.front() {
                None => return,
                Some((Job::EndRewrite { begun, .. }, _)) => self.writer.epoch() >= begun.epoch,
                Some((Job::Close, _)) => self.is_stuck || !self.writer.is_open() || !state.is_fresh,
                Some((Job::Open, _)) => true,
            };
            if !is_late {
                return;
            }
            let Some((job, on_done)) = state.jobs.pop_front() else { return };
            drop(state);
            self.do_job(&job, on_done);
        }
    }

    fn do_job(&mut self, job: &Job, on_done: OnDone) {
        let shared = Arc::clone(&self.shared);
        let outcome = match *job {
            Job::Open => self.writer.open(true),
            Job::Close => self.close(),
            Job::EndRewrite { begun, bytes } => self.end_rewrite(begun, bytes),
        };
        lock(&shared.state).manifest = self.writer.manifest().clone();
        on_done(&outcome);
        shared.moved.notify_all();
    }

    fn close(&mut self) -> JobOutcome {
        let shared = Arc::clone(&self.shared);
        let (closed, round) = self.writer.close();
        let mut state = lock(&shared.state);
        round.into_iter().for_each(|round| state.queue.done(round));
        // What still waits is without its other parts, or cannot be written.
        state.queue.give_up();
        Ticket(self.written) = state.queue.done_up_to();
        (self.synced, self.is_stuck, self.is_lost) = (self.written, false, false);
        self.writer.forget_ends(state.ends.iter().copied().max().unwrap_or(0));
        shared.set_trouble(&mut state, None);
        drop(state);
        shared.tell(self.written, self.synced);
        closed
    }

    fn end_rewrite(&mut self, begun: Begun, bytes: u64) -> JobOutcome {
        let shared = Arc::clone(&self.shared);
        let newest = self.writer.manifest().generation();
        let generation =
            if self.writer.is_open() { newest - (self.writer.epoch() - begun.epoch) } else { newest + 1 };
        self.writer.end_rewrite(Rewrite { generation }, begun.is_rdb)?;
        (self.base_bytes, self.told_bytes) = (bytes, bytes);
        let mut state = lock(&shared.state);
        state.report.base_bytes = bytes + self.writer.bytes();
        // What was before is in the base, and that is synced; what came since is in files whose syncs have not failed.
        self.is_lost = self.writer.is_lost();
        if !self.is_lost && !self.is_stuck {
            shared.set_trouble(&mut state, None);
        }
        Ok(())
    }

    /// Waits until there is something to do.
    fn pause<'s>(&self, mut state: MutexGuard<'s, State>, has_written: bool) -> MutexGuard<'s, State>
    where
        Self: 's,
    {
        let is_strict = state.policy == SyncPolicy::Always;
        let is_fresh = state.is_fresh && self.writer.is_open();
        let timeout = if self.is_stuck {
            Some(RETRY)
        } else if state.hurries {
            return state;
        } else if has_written && !is_strict {
            Some(PAUSE)
        } else if is_fresh {
            return state;
        } else {
            state.is_idle = true;
            // Who waits for room gets none by waiting.
            self.shared.moved.notify_all();
            let syncs = state.policy == SyncPolicy::EverySecond && self.writer.is_unsynced() && !self.is_lost;
            syncs.then(|| Duration::from_nanos(self.until_sync_ns()))
        };
        let mut left = timeout;
        let begun_ns = clock::monotonic_ns();
        while !(state.hurries || state.is_over) {
            match left {
                None => state = self.shared.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let waited = self.shared.work.wait_timeout(state, left);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
            let gone = Duration::from_nanos(clock::monotonic_ns() - begun_ns);
            left = timeout.map(|timeout| timeout.saturating_sub(gone));
            if left == Some(Duration::ZERO) {
                break;
            }
        }
        state.is_idle = false;
        state
    }
}
