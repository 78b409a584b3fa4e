//! The append-only files while shards run: what they hand over, the thread that carries it to disk, and what each may know of that.
//!
//! A [`Log`] is what shards see. They hand over what a turn has added and get a number for it; a thread takes all there is, again and
//! again, and tells up to which number everything is safe. With [`SyncPolicy::Always`] that means synced; else written. Nobody waits for the
//! disk but who would hand over more than may wait for it.

mod file;
mod flusher;
mod patience;
mod thread;
mod writer;

pub use self::file::Failure;
pub use self::writer::Writer;

use self::flusher::{Flusher, Flushes};
use self::patience::Patience;
use disk::Disk;
use journal::chunk::Chunk;
use journal::manifest::Manifest;
use journal::queue::{Added, Queue};
use runtime::clock;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// When what was appended is synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before anybody learns of it.
    Always,
    EverySecond,
    Never,
}

/// What a log tells its process, on the thread that writes.
pub trait Host: Send + Sync + 'static {
    /// What a shard wants to know of has happened.
    fn wake(&self, shard: usize);
    fn note(&self, line: &str);
    fn warn(&self, line: &str);
    /// What clients have been or would be told is not so: the process ends.
    fn stop(&self, reason: &str);
}

/// Why nothing may be written for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The system's words.
    pub reason: String,
    /// A sync has failed: only a new base helps.
    pub needs_rewrite: bool,
}

/// What there is to say of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogReport {
    /// Bytes handed over and not written.
    pub waiting_bytes: u64,
    /// Of all files, and as it was after the last rewrite or start.
    pub current_bytes: u64,
    pub base_bytes: u64,
    /// Something is written and not synced yet.
    pub is_unsynced: bool,
    /// Syncs that others had to wait for.
    pub delayed_syncs: u64,
    /// The files have been begun, and get into the manifest with the base that is still to come.
    pub awaits_base: bool,
    pub trouble: Option<Trouble>,
}

/// How a job has ended.
pub type JobOutcome = Result<(), Failure>;
/// Is told on the thread that writes.
pub type OnDone = Box<dyn FnOnce(&JobOutcome) + Send>;

/// What the thread is to do beside writing.
pub(crate) enum Job {
    /// Files are begun, which get into the manifest with the next base.
    Open { directory: PathBuf },
    /// Everything handed over is written and synced, and nothing more comes.
    Close,
    /// A new base stands in a directory.
    EndRewrite { begun: Begun, directory: PathBuf, bytes: u64 },
    /// The files of the generations that have ended by then get names in another directory, and tell these.
    Link { epoch: u64, directory: PathBuf, names: Arc<Mutex<Vec<String>>> },
}

/// A rewrite: which generation is the first that its base does not contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// So many generations had ended when its parts ran.
    pub epoch: u64,
    pub is_rdb: bool,
}

pub(crate) struct State {
    pub queue: Queue,
    pub jobs: VecDeque<(Job, OnDone)>,
    pub policy: SyncPolicy,
    /// Nothing is synced for now: `no-appendfsync-on-rewrite`.
    pub rests: bool,
    /// Something was handed over since a round was taken.
    pub is_fresh: bool,
    /// The thread sleeps; and it waits for more before it syncs.
    pub is_asleep: bool,
    pub collects: bool,
    /// It is to look at once what there is to do.
    pub hurries: bool,
    pub patience: Patience,
    /// Shards that wait for room, and others for jobs.
    pub waiters: u32,
    pub is_over: bool,
    pub report: LogReport,
    pub manifest: Manifest,
    pub directory: PathBuf,
    /// Ends of generations that have been handed over for each shard.
    pub ends: Vec<u64>,
}

/// What a shard waits for; each on a line of its own.
#[derive(Default)]
#[repr(align(128))]
struct Wanted {
    safe: AtomicU64,
    synced: AtomicU64,
}

pub(crate) struct Shared {
    pub state: Mutex<State>,
    /// There is something to do.
    pub work: Condvar,
    /// Something has been done.
    pub moved: Condvar,
    handed: AtomicU64,
    written: AtomicU64,
    synced: AtomicU64,
    is_strict: AtomicBool,
    /// The thread has the flusher, for long perhaps.
    is_busy: AtomicBool,
    is_in_trouble: AtomicBool,
    wanted: Vec<Wanted>,
    waiting_bytes_max: usize,
    pub host: Arc<dyn Host>,
}

/// The log of all shards.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
    flusher: Arc<dyn Flushes>,
}

/// Nobody panics while holding it; and who does ends the process.
pub(crate) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn lock_names(names: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// Starts a thread that writes. Files are open already, or opened by [`Log::open`].
    ///
    /// # Errors
    /// When there is no such thread.
    pub fn start<D: Disk>(
        writer: Writer<D>,
        shards: u16,
        policy: SyncPolicy,
        waiting_bytes_max: usize,
        base_bytes: u64,
        host: Arc<dyn Host>,
    ) -> io::Result<Self> {
        let report = LogReport { base_bytes, current_bytes: base_bytes, ..LogReport::default() };
        let state = State {
            queue: Queue::new(shards),
            jobs: VecDeque::new(),
            policy,
            rests: false,
            is_fresh: false,
            is_asleep: false,
            collects: false,
            hurries: false,
            patience: Patience::default(),
            waiters: 0,
            is_over: false,
            report,
            manifest: writer.manifest().clone(),
            directory: writer.directory().to_owned(),
            ends: vec![0; shards.into()],
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            work: Condvar::new(),
            moved: Condvar::new(),
            handed: AtomicU64::new(0),
            written: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            is_strict: AtomicBool::new(policy == SyncPolicy::Always),
            is_busy: AtomicBool::new(false),
            is_in_trouble: AtomicBool::new(false),
            wanted: (0..shards).map(|_| Wanted::default()).collect(),
            waiting_bytes_max,
            host,
        });
        let disk = writer.disk().clone();
        let flusher = Arc::new(Mutex::new(Flusher::new(Arc::clone(&shared), writer, base_bytes)));
        thread::start(Arc::clone(&shared), Arc::clone(&flusher), disk)?;
        Ok(Self { shared, flusher })
    }

    /// Takes over what a turn of a shard has added, some of it for others, and writes all that may be written, unless the thread is at something
    /// that takes its time: then the thread does it. Waits while too much waits for that.
    pub fn hand_over(&self, added: Added) {
        if !self.shared.is_busy.load(Ordering::SeqCst) {
            return self.flusher.hand_over(added);
        }
        let mut state = lock(&self.shared.state);
        self.shared.take_in(&mut state, added);
        self.shared.call(&mut state);
        // In trouble nothing moves, and who reads must be served.
        let max = self.shared.waiting_bytes_max;
        while state.queue.bytes_waiting() > max
            && (state.hurries || !state.is_asleep)
            && !self.is_in_trouble()
        {
            state.report.delayed_syncs += 1;
            state = self.shared.wait(state);
        }
    }

    /// Asks for a sync of what was written, for which so many more replies wait. With [`SyncPolicy::Always`] nobody else does; when it begins is the
    /// thread's affair.
    pub fn await_sync(&self, replies: usize) {
        let mut state = lock(&self.shared.state);
        let are_there = state.patience.arrive(replies, clock::monotonic_ns);
        let calls = (are_there || !state.collects) && state.is_asleep && !state.hurries;
        if calls {
            state.hurries = true;
            drop(state);
            // Not before it can go on.
            self.shared.work.notify_one();
        }
    }

    /// An empty chunk, with the memory of one that has been written.
    pub fn chunk(&self) -> Chunk {
        lock(&self.shared.state).queue.chunk()
    }

    /// The number of what was handed over last, by any shard.
    #[inline]
    pub fn handed(&self) -> u64 {
        self.shared.handed.load(Ordering::SeqCst)
    }

    /// Up to which number clients may learn of everything: what is synced if the policy is [`SyncPolicy::Always`], else what is written. In trouble
    /// nothing is, and yet who reads must be served: writes are refused then.
    #[inline]
    pub fn safe(&self) -> u64 {
        if self.is_strict() {
            self.synced()
        } else if self.is_in_trouble() {
            u64::MAX
        } else {
            self.shared.written.load(Ordering::SeqCst)
        }
    }

    /// Up to which number all is synced.
    #[inline]
    pub fn synced(&self) -> u64 {
        self.shared.synced.load(Ordering::SeqCst)
    }

    /// Whether nobody may learn of what is not safe.
    #[inline]
    pub fn is_strict(&self) -> bool {
        self.shared.is_strict.load(Ordering::Relaxed)
    }

    /// Whether nothing may be written for now; [`Log::report`] says why.
    #[inline]
    pub fn is_in_trouble(&self) -> bool {
        self.shared.is_in_trouble.load(Ordering::Relaxed)
    }

    /// Has a shard woken when everything up to a number is safe. Whoever calls looks again afterwards, for it may be by now.
    pub fn wake_when_safe(&self, shard: usize, number: u64) {
        self.shared.wanted[shard].safe.store(number, Ordering::SeqCst);
    }

    /// The same for what is synced.
    pub fn wake_when_synced(&self, shard: usize, number: u64) {
        self.shared.wanted[shard].synced.store(number, Ordering::SeqCst);
    }

    /// How many generations will have ended with what a shard has handed over, and a `chunk` that it will.
    pub fn epoch_with(&self, shard: usize, chunk: &Chunk) -> u64 {
        lock(&self.shared.state).ends[shard] + chunk.generations_ended() as u64
    }

    /// From now on this is when what is appended is synced.
    pub fn set_policy(&self, policy: SyncPolicy) {
        let mut state = lock(&self.shared.state);
        state.policy = policy;
        self.shared.is_strict.store(policy == SyncPolicy::Always, Ordering::SeqCst);
        self.shared.call(&mut state);
    }

    /// While it rests nothing is synced, unless the policy is [`SyncPolicy::Always`].
    pub fn rest(&self, rests: bool) {
        let mut state = lock(&self.shared.state);
        state.rests = rests;
        self.shared.call(&mut state);
    }

    /// Begins files in a directory, which get into its manifest with the first base.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn open(&self, directory: PathBuf) -> JobOutcome {
        self.wait_for(Job::Open { directory })
    }

    /// Ends the files: nothing more is handed over.
    pub fn close(&self, on_done: OnDone) {
        self.add_job(Job::Close, on_done);
    }

    /// A new base stands in a directory, under [`Manifest::next_base_name`], and is so many bytes long. From there on what is appended goes there.
    pub fn end_rewrite(&self, begun: Begun, directory: PathBuf, bytes: u64, on_done: OnDone) {
        self.add_job(Job::EndRewrite { begun, directory, bytes }, on_done);
    }

    /// Once so many generations have ended ([`Log::epoch_with`]), their files get one more name in a directory, with a manifest that lists them: what is in them
    /// then is all there was at the end of the last. Returns their names.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn link_to(&self, epoch: u64, directory: PathBuf) -> Result<Vec<String>, Failure> {
        let names = Arc::<Mutex<Vec<String>>>::default();
        self.wait_for(Job::Link { epoch, directory, names: Arc::clone(&names) })?;
        let names = std::mem::take(&mut *lock_names(&names));
        Ok(names)
    }

    /// What is to be written and synced is so when this returns, if it can be; nothing more is handed over.
    ///
    /// # Errors
    /// When it is not.
    pub fn finish(&self) -> JobOutcome {
        self.wait_for(Job::Close)
    }

    fn wait_for(&self, job: Job) -> JobOutcome {
        let outcome = Arc::new(Mutex::new(None));
        let told = Arc::clone(&outcome);
        let take = |outcome: &Mutex<Option<JobOutcome>>| {
            outcome.lock().unwrap_or_else(PoisonError::into_inner).take()
        };
        let on_done = move |result: &JobOutcome| {
            *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(result.clone());
        };
        self.add_job(job, Box::new(on_done));
        let mut state = lock(&self.shared.state);
        loop {
            if let Some(result) = take(&outcome) {
                return result;
            }
            state = self.shared.wait(state);
        }
    }

    fn add_job(&self, job: Job, on_done: OnDone) {
        let mut state = lock(&self.shared.state);
        state.jobs.push_back((job, on_done));
        self.shared.call(&mut state);
    }

    /// The files as they are.
    pub fn manifest(&self) -> Manifest {
        lock(&self.shared.state).manifest.clone()
    }

    /// Where they are.
    pub fn directory(&self) -> PathBuf {
        lock(&self.shared.state).directory.clone()
    }

    pub fn report(&self) -> LogReport {
        let state = lock(&self.shared.state);
        LogReport { waiting_bytes: state.queue.bytes_waiting() as u64, ..state.report.clone() }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // The thread has the other.
        if Arc::strong_count(&self.shared) == 2 {
            let mut state = lock(&self.shared.state);
            state.is_over = true;
            self.shared.call(&mut state);
        }
    }
}

impl Shared {
    /// Takes over what a shard has added.
    fn take_in(&self, state: &mut State, added: Added) {
        for (shard, chunk) in &added.chunks {
            state.ends[usize::from(*shard)] += chunk.generations_ended() as u64;
        }
        let ticket = state.queue.hand_over(added);
        self.handed.store(ticket.0, Ordering::SeqCst);
        state.is_fresh = true;
    }

    /// Has the thread look at once what there is to do.
    fn call(&self, state: &mut State) {
        state.hurries = true;
        if state.is_asleep {
            self.work.notify_one();
        }
    }

    /// The same if it sleeps; if not, it will look.
    fn call_from_idleness(&self, state: &mut State) {
        if state.is_asleep && !state.hurries {
            self.call(state);
        }
    }

    /// Waits until something has been done.
    fn wait<'s>(&self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        state.waiters += 1;
        state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.waiters -= 1;
        state
    }

    fn has_moved(&self, state: &State) {
        if state.waiters > 0 {
            self.moved.notify_all();
        }
    }

    fn set_written(&self, written: u64) {
        self.written.store(written, Ordering::SeqCst);
    }

    /// Everything up to these numbers is written, and synced; whoever waits for it is woken.
    fn tell(&self, written: u64, synced: u64) {
        self.set_written(written);
        self.synced.store(synced, Ordering::SeqCst);
        let safe = if self.is_strict.load(Ordering::SeqCst) { synced } else { written };
        for (shard, wanted) in self.wanted.iter().enumerate() {
            let reached = |wanted: &AtomicU64, number: u64| {
                let awaited = wanted.load(Ordering::SeqCst);
                // Who waits may have begun to wait for something else meanwhile, and looks by itself then.
                (1..=number).contains(&awaited)
                    && wanted.compare_exchange(awaited, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok()
            };
            if reached(&wanted.safe, safe) | reached(&wanted.synced, synced) {
                self.host.wake(shard);
            }
        }
    }

    fn set_trouble(&self, state: &mut State, trouble: Option<Trouble>) {
        self.is_in_trouble.store(trouble.is_some(), Ordering::SeqCst);
        if trouble.is_some() {
            // Nobody waits any more for what is not written.
            let waits = |wanted: &Wanted| wanted.safe.swap(0, Ordering::SeqCst) > 0;
            let waiting = self.wanted.iter().enumerate().filter(|(_, wanted)| waits(wanted));
            waiting.for_each(|(shard, _)| self.host.wake(shard));
        }
        state.report.trouble = trouble;
        self.has_moved(state);
    }
}

#[cfg(test)]
mod crashes;
#[cfg(test)]
mod tests;
