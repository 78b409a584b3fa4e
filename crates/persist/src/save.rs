//! One snapshot of all shards on its way into a file.
//!
//! The file is written under another name, and takes the place of the old one when all of it is on disk: whatever happens before, the
//! old one stays. A failure of any part is a failure of the whole, told once, with the path.

use crate::writer_thread::{self, Job};
use disk::Disk;
use rdb::encode::Options;
use rdb::file::{Head, Plan, Written};
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What is saved where.
#[derive(Clone, Debug)]
pub struct Target {
    /// The file that is replaced.
    pub path: PathBuf,
    pub options: Options,
    /// `rdbchecksum`
    pub sums: bool,
    /// Bytes that may wait for the disk, of all shards. Beyond, a shard that has more to write waits.
    pub waiting_bytes_max: usize,
    /// Bytes of large values under way that a shard keeps; what is more goes into files of their own until they are done.
    pub held_bytes_max: usize,
}

/// With this begin the names of files that are not whole yet. Behind it stands the number of the process that writes it.
const TEMPORARY: &str = "temp-weft-";

/// Why there is no file when somebody has given the save up.
pub const GIVEN_UP: &str = "it was given up";

/// How a save ended: the length of the file in bytes, or why there is none.
pub type Outcome = Result<u64, String>;

/// Is told how a save has ended, on the thread that wrote it.
pub type OnEnd = Box<dyn FnOnce(&Outcome) + Send>;

/// What all shards and the writing thread share of a save.
pub(crate) struct Shared {
    pub target: Target,
    /// Where it is written until it is whole.
    pub temporary: PathBuf,
    places: Mutex<Places>,
    waiting: Mutex<Waiting>,
    /// Somebody may go on: bytes have reached the disk, or the save is over.
    moved: Condvar,
    keys: AtomicU64,
    /// Spools there have been, and files of them.
    spools: AtomicU64,
    spool_files: AtomicU64,
}

/// Which part of the file is whose.
struct Places {
    /// From the head on ([`Save::set_head`]) until the file is complete, when it is taken.
    plan: Option<Plan>,
    has_head: bool,
    next_offset: u64,
    shards: u16,
    /// Shards that have not written all they have.
    shards_left: u16,
}

#[derive(Default)]
struct Waiting {
    bytes: usize,
    /// The first failure; nothing more is written then.
    failure: Option<String>,
    outcome: Option<Outcome>,
}

/// A snapshot of all shards that is being written.
#[derive(Clone)]
pub struct Save {
    shared: Arc<Shared>,
    jobs: Sender<Job>,
}

/// Nobody panics while holding one of these locks; and who does ends the process.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes what saves into a directory have left whose processes were killed; the names of what was removed.
///
/// # Errors
/// When the directory cannot be read.
pub fn remove_abandoned(disk: &impl Disk, directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = disk.list(directory)?;
    names.retain(|name| name.as_os_str().as_encoded_bytes().starts_with(TEMPORARY.as_bytes()));
    // One that cannot be removed does no harm but to take room.
    names.retain(|name| disk.remove_abandoned(&directory.join(name)).unwrap_or(false));
    Ok(names)
}

impl Save {
    /// Opens a file beside the target. Nothing is written before it has a head.
    ///
    /// # Errors
    /// When the file cannot be made, or the thread that writes it.
    pub fn begin(disk: impl Disk, target: Target, shards: u16, on_end: OnEnd) -> io::Result<Self> {
        let temporary = target.path.with_file_name(format!("{TEMPORARY}{}.rdb", std::process::id()));
        let places = Places { plan: None, has_head: false, next_offset: 0, shards, shards_left: shards };
        let shared = Arc::new(Shared {
            target,
            temporary,
            places: Mutex::new(places),
            waiting: Mutex::default(),
            moved: Condvar::new(),
            keys: AtomicU64::new(0),
            spools: AtomicU64::new(0),
            spool_files: AtomicU64::new(0),
        });
        let (jobs, inbox) = channel();
        writer_thread::start(disk, Arc::clone(&shared), inbox, on_end)?;
        Ok(Self { shared, jobs })
    }

    /// Whether nobody has said yet what the file begins with.
    pub fn awaits_head(&self) -> bool {
        !lock(&self.shared.places).has_head
    }

    /// Says what the file begins with, unless somebody has. It tells of libraries and indexes, which are to be those of the moment that is
    /// saved: so it is made where the first shard begins its part, before which nothing has a place in the file.
    pub fn set_head(&self, head: &Head<'_>) {
        let mut places = lock(&self.shared.places);
        if std::mem::replace(&mut places.has_head, true) {
            return;
        }
        let plan = Plan::new(head, places.shards, self.shared.target.sums);
        let bytes = plan.head().to_vec();
        places.next_offset = bytes.len() as u64;
        places.plan = Some(plan);
        drop(places);
        self.send(bytes.len(), Job::Write { offset: 0, bytes });
    }

    pub(crate) fn held_bytes_max(&self) -> usize {
        self.shared.target.held_bytes_max
    }

    pub(crate) fn options(&self) -> (Options, bool) {
        (self.shared.target.options, self.shared.target.sums)
    }

    /// Gives a finished chunk its place in the file and has it written there. Waits while too much waits for the disk.
    pub(crate) fn put(&self, shard: u16, bytes: Vec<u8>, written: &Written) {
        let offset = self.place(shard, written);
        self.send(bytes.len(), Job::Write { offset, bytes });
    }

    /// The number of a new spool, for a chunk whose place is not known.
    pub(crate) fn new_spool(&self) -> u64 {
        self.shared.spools.fetch_add(1, Ordering::Relaxed)
    }

    /// Has blocks of a chunk written that is not finished. Waits as [`Save::put`] does.
    pub(crate) fn spool(&self, spool: u64, bytes: Vec<u8>) {
        self.send(bytes.len(), Job::Spool { spool, bytes });
    }

    /// As [`Save::put`], of a chunk of which `bytes` are the end, and the rest was spooled.
    pub(crate) fn put_spooled(&self, shard: u16, spool: u64, bytes: Vec<u8>, written: &Written) {
        let offset = self.place(shard, written);
        self.send(bytes.len(), Job::Place { spool, offset, bytes });
    }

    /// Gives a finished chunk its place in the file.
    fn place(&self, shard: u16, written: &Written) -> u64 {
        self.shared.keys.fetch_add(written.records, Ordering::Relaxed);
        let mut places = lock(&self.shared.places);
        assert!(places.has_head, "the head was written first");
        let offset = places.next_offset;
        places.next_offset += written.bytes;
        if let Some(plan) = &mut places.plan {
            plan.add(offset, shard, written);
        }
        offset
    }

    /// Hands over what so many bytes wait for.
    fn send(&self, bytes: usize, job: Job) {
        let max = self.shared.target.waiting_bytes_max;
        let mut waiting = lock(&self.shared.waiting);
        while waiting.bytes > 0 && waiting.bytes + bytes > max && waiting.failure.is_none() {
            waiting = self.shared.moved.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.failure.is_none() {
            waiting.bytes += bytes;
            drop(waiting);
            // Without its thread the save is over, and has said why.
            let _ = self.jobs.send(job);
        }
    }

    /// Whether so much waits for the disk that a shard that need not write more should not.
    pub fn is_behind(&self) -> bool {
        lock(&self.shared.waiting).bytes > self.shared.target.waiting_bytes_max / 2
    }

    /// A shard has written all it has.
    pub(crate) fn end_shard(&self) {
        let mut places = lock(&self.shared.places);
        places.shards_left -= 1;
        if places.shards_left == 0 {
            let _ = self.jobs.send(Job::End);
        }
    }

    /// Gives the save up: the old file stays.
    pub fn cancel(&self, reason: &str) {
        self.shared.fail(reason);
        let _ = self.jobs.send(Job::End);
    }

    /// How it ended, if it has.
    pub fn outcome(&self) -> Option<Outcome> {
        lock(&self.shared.waiting).outcome.clone()
    }

    /// Waits for the end.
    pub fn wait(&self) -> Outcome {
        let mut waiting = lock(&self.shared.waiting);
        loop {
            if let Some(outcome) = &waiting.outcome {
                return outcome.clone();
            }
            waiting = self.shared.moved.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Entries that have been written down so far.
    pub fn keys(&self) -> u64 {
        self.shared.keys.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// Where some of a chunk goes whose place in the file is not known.
    pub fn spool_path(&self) -> PathBuf {
        let number = self.spool_files.fetch_add(1, Ordering::Relaxed);
        self.target.path.with_file_name(format!("{TEMPORARY}{}-{number}.rdb", std::process::id()))
    }

    /// Nothing more is written: the first reason is kept.
    pub fn fail(&self, reason: impl Display) {
        lock(&self.waiting).failure.get_or_insert_with(|| reason.to_string());
        self.moved.notify_all();
    }

    pub fn failure(&self) -> Option<String> {
        lock(&self.waiting).failure.clone()
    }

    /// These bytes wait no longer.
    pub fn moved(&self, bytes: usize) {
        lock(&self.waiting).bytes -= bytes;
        self.moved.notify_all();
    }

    /// Where everything stands, once all of it is there.
    pub fn take_plan(&self) -> Option<Plan> {
        lock(&self.places).plan.take()
    }

    pub fn end(&self, outcome: Outcome) {
        lock(&self.waiting).outcome = Some(outcome);
        self.moved.notify_all();
    }
}
