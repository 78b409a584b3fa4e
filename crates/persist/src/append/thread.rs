//! The thread of the log: it syncs, does what shards have left, and what else takes as long as the disk likes.
//!
//! With `always` a sync follows the other as long as somebody waits, unless it is better to [wait](super::patience) for others. Otherwise the thread
//! sleeps until it is time, or it is called.

use super::flusher::Flusher;
use super::{Shared, State, SyncPolicy, lock};
use disk::Disk;
use runtime::{clock, spawn_thread};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// After a failure it is tried again.
const RETRY: Duration = Duration::from_secs(1);

struct Thread<D: Disk> {
    shared: Arc<Shared>,
    flusher: Arc<Mutex<Flusher<D>>>,
    disk: D,
}

/// Starts it.
///
/// # Errors
/// When there is no such thread.
pub(super) fn start<D: Disk>(
    shared: Arc<Shared>,
    flusher: Arc<Mutex<Flusher<D>>>,
    disk: D,
) -> io::Result<()> {
    let thread = Thread { shared, flusher, disk };
    spawn_thread("journal".to_owned(), move || thread.run()).map(drop)
}

impl<D: Disk> Thread<D> {
    fn flusher(&self) -> MutexGuard<'_, Flusher<D>> {
        self.flusher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let shared = &*self.shared;
        let mut state = lock(&shared.state);
        while !state.is_over {
            let (policy, rests) = (state.policy, state.rests);
            let has_jobs = !state.jobs.is_empty();
            let is_left = state.queue.has_waiting() || has_jobs;
            state.hurries = false;
            drop(state);
            let mut flusher = self.flusher();
            if is_left || flusher.is_stuck() {
                flusher = self.write_what_is_left(flusher, policy);
            }
            flusher = self.sync(flusher, policy, rests);
            flusher.tell();
            if has_jobs {
                shared.is_busy.store(true, Ordering::SeqCst);
                flusher.do_jobs();
                shared.is_busy.store(false, Ordering::SeqCst);
            }
            let (is_stuck, awaits_sync, until_ns) =
                (flusher.is_stuck(), flusher.awaits_sync(), flusher.until_sync_ns());
            // In this order, so that no shard writes between this look and the sleep without calling.
            state = lock(&shared.state);
            drop(flusher);
            let policy = state.policy;
            state = match policy {
                _ if state.hurries => state,
                _ if is_stuck => self.sleep(state, Some(RETRY)),
                SyncPolicy::Always => self.sleep_between_syncs(state, awaits_sync),
                SyncPolicy::EverySecond if awaits_sync && !state.rests => {
                    self.sleep(state, Some(Duration::from_nanos(until_ns)))
                }
                SyncPolicy::EverySecond | SyncPolicy::Never => self.sleep(state, None),
            };
        }
    }

    /// Writes what shards could not.
    fn write_what_is_left<'s>(
        &'s self,
        mut flusher: MutexGuard<'s, Flusher<D>>,
        policy: SyncPolicy,
    ) -> MutexGuard<'s, Flusher<D>> {
        self.shared.is_busy.store(true, Ordering::SeqCst);
        loop {
            let was_stuck = flusher.is_stuck();
            if !(flusher.take_round() || was_stuck) {
                break;
            }
            flusher.write(policy);
            // Behind a round that could not be written stands what was handed over meanwhile: nobody calls for that again.
            if !was_stuck || flusher.is_stuck() {
                break;
            }
        }
        self.shared.is_busy.store(false, Ordering::SeqCst);
        flusher
    }

    /// Syncs if it is time. Shards write meanwhile.
    fn sync<'s>(
        &'s self,
        mut flusher: MutexGuard<'s, Flusher<D>>,
        policy: SyncPolicy,
        rests: bool,
    ) -> MutexGuard<'s, Flusher<D>> {
        let Some(mut under_way) = flusher.begin_sync(policy, rests) else { return flusher };
        drop(flusher);
        let is_strict = policy == SyncPolicy::Always;
        if is_strict {
            lock(&self.shared.state).patience.begin();
        }
        let begun_ns = under_way.begun_ns;
        self.disk.sync_each(&mut under_way.syncing.files);
        flusher = self.flusher();
        flusher.end_sync(under_way, policy);
        if is_strict {
            lock(&self.shared.state).patience.end(begun_ns, clock::monotonic_ns());
        }
        flusher
    }

    fn sleep_between_syncs<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        awaits_sync: bool,
    ) -> MutexGuard<'s, State> {
        let Some(until_ns) = state.patience.until_ns() else {
            return if awaits_sync { state } else { self.sleep(state, None) };
        };
        let left_ns = until_ns.saturating_sub(clock::monotonic_ns());
        state.collects = true;
        state = self.sleep(state, Some(Duration::from_nanos(left_ns)));
        state.collects = false;
        if state.patience.until_ns().is_some() && !state.hurries {
            state.patience.give_up();
        }
        state
    }

    /// Sleeps until it is called, or so long.
    fn sleep<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        timeout: Option<Duration>,
    ) -> MutexGuard<'s, State> {
        let begun_ns = clock::monotonic_ns();
        state.is_asleep = true;
        // Who waits for room gets none by waiting.
        self.shared.has_moved(&state);
        while !(state.hurries || state.is_over) {
            let gone = Duration::from_nanos(clock::monotonic_ns() - begun_ns);
            let left = timeout.map(|timeout| timeout.saturating_sub(gone));
            state = match left {
                Some(Duration::ZERO) => break,
                None => self.shared.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let waited = self.shared.work.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state.is_asleep = false;
        state
    }
}
