//! Who writes: a shard in its turn, what it has added; the log's own thread, what takes longer.
//!
//! Both hold the flusher meanwhile. A shard that writes pays for one call of the system and wakes nobody, and nothing that it tells anybody can
//! be lost by a process that is killed. What may take as long as the disk likes (syncs, new files, manifests, what has failed
//! before) is the thread's: as long as it is at that, shards leave what they have added in the queue. It syncs without holding anything.

use super::file::Failure;
use super::writer::{Syncing, Writer};
use super::{Begun, Job, JobOutcome, OnDone, Shared, SyncPolicy, Trouble, lock, lock_names};
use disk::Disk;
use journal::manifest::Rewrite;
use journal::queue::{Added, Ticket};
use runtime::clock;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// `appendfsync everysec`
const SYNC_NS: u64 = 1_000_000_000;
/// Whoever looks whether a rewrite is due is woken when the files have grown by so much.
const GROWTH_BYTES: u64 = 1 << 20;

/// What shards see of a flusher.
pub(super) trait Flushes: Send + Sync {
    /// Takes over what a shard has added and writes all there is, if nothing is in the way.
    fn hand_over(&self, added: Added);
}

impl<D: Disk> Flushes for Mutex<Flusher<D>> {
    fn hand_over(&self, added: Added) {
        self.lock().unwrap_or_else(PoisonError::into_inner).hand_over(added);
    }
}

pub(super) struct Flusher<D: Disk> {
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

/// A sync that is under way, and up to where all will be safe.
pub(super) struct UnderWay<D: Disk> {
    pub syncing: Syncing<D::File>,
    covers: u64,
    pub begun_ns: u64,
}

impl<D: Disk> Flusher<D> {
    pub fn new(shared: Arc<Shared>, writer: Writer<D>, base_bytes: u64) -> Self {
        Self {
            shared,
            writer,
            written: 0,
            synced: 0,
            synced_at_ns: clock::monotonic_ns(),
            is_lost: false,
            is_stuck: false,
            base_bytes,
            told_bytes: base_bytes,
        }
    }

    pub fn is_stuck(&self) -> bool {
        self.is_stuck
    }

    /// A shard hands over, and writes.
    fn hand_over(&mut self, added: Added) {
        let mut state = lock(&self.shared.state);
        self.shared.take_in(&mut state, added);
        if self.is_stuck || self.writer.has_round() || !self.writer.is_open() {
            return self.shared.call(&mut state);
        }
        state.is_fresh = false;
        let (round, policy) = (state.queue.take_appends(), state.policy);
        if state.queue.is_at_end() {
            self.shared.call(&mut state);
        }
        drop(state);
        let Some(round) = round else { return };
        self.writer.begin(round);
        self.write(policy);
    }

    /// Takes what there is, ends of generations included, if files are open for it.
    pub fn take_round(&mut self) -> bool {
        if self.is_stuck || !self.writer.is_open() {
            return false;
        }
        let mut state = lock(&self.shared.state);
        state.is_fresh = false;
        let round = state.queue.take_round();
        let has_round = round.is_some();
        round.into_iter().for_each(|round| self.writer.begin(round));
        has_round
    }

    /// Writes the round at hand.
    pub fn write(&mut self, policy: SyncPolicy) {
        let is_strict = policy == SyncPolicy::Always;
        let round = match self.writer.go_on(is_strict) {
            Ok(round) => round,
            Err(failure) => return self.fail(&failure, is_strict),
        };
        let shared = &*self.shared;
        let mut state = lock(&shared.state);
        round.into_iter().for_each(|round| state.queue.done(round));
        Ticket(self.written) = state.queue.done_up_to();
        let is_first = !std::mem::replace(&mut state.report.is_unsynced, self.writer.is_unsynced());
        state.report.current_bytes = self.base_bytes + self.writer.bytes();
        let has_grown = state.report.current_bytes > self.told_bytes + GROWTH_BYTES;
        if has_grown {
            self.told_bytes = state.report.current_bytes;
        }
        let is_solved = std::mem::take(&mut self.is_stuck) && !self.is_lost;
        if is_solved {
            shared.set_trouble(&mut state, None);
        }
        if is_first && policy == SyncPolicy::EverySecond {
            // It sees to it that it is synced in time. With `always`, who waits for that asks for it.
            shared.call_from_idleness(&mut state);
        }
        shared.has_moved(&state);
        drop(state);
        if is_strict {
            // Nobody waits for that alone.
            shared.set_written(self.written);
        } else {
            shared.tell(self.written, self.synced);
        }
        if is_solved {
            shared.host.warn("AOF write error looks solved. The server can write again.");
        }
        if has_grown {
            shared.host.wake(0);
        }
    }

    /// Begins the sync that is due, if one is.
    pub fn begin_sync(&mut self, policy: SyncPolicy, rests: bool) -> Option<UnderWay<D>> {
        if self.is_lost {
            return None;
        }
        if !self.writer.is_unsynced() {
            // A generation that has ended has been synced.
            self.synced = self.written;
            return None;
        }
        let is_due = match policy {
            SyncPolicy::Always => true,
            SyncPolicy::EverySecond => !rests && self.until_sync_ns() == 0,
            SyncPolicy::Never => false,
        };
        if !is_due {
            return None;
        }
        let begun_ns = clock::monotonic_ns();
        self.synced_at_ns = begun_ns;
        let syncing = self.writer.begin_sync()?;
        Some(UnderWay { syncing, covers: self.written, begun_ns })
    }

    /// A sync has ended.
    pub fn end_sync(&mut self, under_way: UnderWay<D>, policy: SyncPolicy) {
        match self.writer.end_sync(under_way.syncing) {
            Ok(()) => self.synced = under_way.covers,
            Err(failure) => self.fail(&failure, policy == SyncPolicy::Always),
        }
        lock(&self.shared.state).report.is_unsynced = self.writer.is_unsynced();
    }

    pub fn tell(&self) {
        self.shared.tell(self.written, self.synced);
    }

    pub fn until_sync_ns(&self) -> u64 {
        (self.synced_at_ns + SYNC_NS).saturating_sub(clock::monotonic_ns())
    }

    /// Whether a sync will be due once its time has come.
    pub fn awaits_sync(&self) -> bool {
        self.writer.is_unsynced() && !self.is_lost
    }

    /// Something is not as it was to be: nothing more may be written by clients for now.
    fn fail(&mut self, failure: &Failure, is_strict: bool) {
        let shared = Arc::clone(&self.shared);
        if !self.is_stuck && !self.is_lost {
            shared.host.warn(&format!("Error with the append-only file: {failure}"));
        }
        if is_strict {
            // Redis's own programs would read the filler, but whoever looks at the files should not have to wonder.
            self.writer.cut_room();
            let reason =
                "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...";
            shared.host.stop(reason);
        }
        self.is_lost |= failure.is_of_sync;
        self.is_stuck |= !failure.is_of_sync || self.writer.has_round();
        let trouble = Trouble { reason: failure.reason.clone(), needs_rewrite: self.is_lost };
        let mut state = lock(&shared.state);
        shared.set_trouble(&mut state, Some(trouble));
        // It tries again.
        shared.call(&mut state);
    }

    /// Does what else there is to do, as far as it can be done by now.
    pub fn do_jobs(&mut self) {
        let shared = Arc::clone(&self.shared);
        loop {
            let mut state = lock(&shared.state);
            let is_late = match state.jobs.front() {
                None => return,
                Some((Job::EndRewrite { begun, .. }, _)) => self.writer.epoch() >= begun.epoch,
                Some((Job::Close, _)) => self.is_stuck || !self.writer.is_open() || !state.is_fresh,
                // In trouble it never comes to that.
                Some((Job::Link { epoch, .. }, _)) => {
                    self.is_stuck || self.is_lost || !self.writer.is_open() || self.writer.epoch() >= *epoch
                }
                Some((Job::Open { .. }, _)) => true,
            };
            if !is_late {
                return;
            }
            let Some((job, on_done)) = state.jobs.pop_front() else { return };
            drop(state);
            self.do_job(job, on_done);
        }
    }

    fn do_job(&mut self, job: Job, on_done: OnDone) {
        let shared = Arc::clone(&self.shared);
        let outcome = match job {
            Job::Open { directory } => self.writer.open_in(directory),
            Job::Close => self.close(),
            Job::EndRewrite { begun, directory, bytes } => self.end_rewrite(begun, &directory, bytes),
            Job::Link { epoch, directory, names } => {
                self.link_to(epoch, &directory).map(|linked| *lock_names(&names) = linked)
            }
        };
        let mut state = lock(&shared.state);
        state.manifest = self.writer.manifest().clone();
        let has_moved = state.directory != self.writer.directory();
        if has_moved {
            state.directory = self.writer.directory().to_owned();
        }
        state.report.awaits_base = self.writer.is_open() && self.writer.is_provisional() && !self.is_lost;
        drop(state);
        if has_moved {
            shared
                .host
                .note(&format!("The append-only files are in {} now", self.writer.directory().display()));
        }
        on_done(&outcome);
        shared.has_moved(&lock(&shared.state));
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
        // The files that are opened next begin with one number for all shards.
        let ends = state.ends.iter().copied().max().unwrap_or(0);
        state.ends.fill(ends);
        self.writer.forget_ends(ends);
        shared.set_trouble(&mut state, None);
        drop(state);
        shared.tell(self.written, self.synced);
        closed
    }

    fn link_to(&self, epoch: u64, directory: &Path) -> Result<Vec<String>, Failure> {
        let Some(fresh) = self.writer.epoch().checked_sub(epoch).filter(|_| self.writer.is_open()) else {
            let doing = "ending the append-only files".to_owned();
            return Err(Failure { doing, reason: "it is not possible now".to_owned(), is_of_sync: false });
        };
        self.writer.link_to(directory, fresh + 1)
    }

    fn end_rewrite(&mut self, begun: Begun, directory: &Path, bytes: u64) -> JobOutcome {
        let shared = Arc::clone(&self.shared);
        let newest = self.writer.manifest().generation();
        let generation =
            if self.writer.is_open() { newest - (self.writer.epoch() - begun.epoch) } else { newest + 1 };
        self.writer.end_rewrite(directory, Rewrite { generation }, begun.is_rdb)?;
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
}
