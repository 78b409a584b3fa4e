//! The append-only files of the process: the one log that all shards hand over to, if there is one.
//!
//! It begins with the process (`appendonly yes`) or when it is first asked for, and stays; while nothing is appended, it costs a look
//! at a flag.

use crate::{KeptOn, log as process_log};
use config::{AppendFsync, Config};
use disk::Disk;
use journal::chunk::Chunk;
use journal::manifest::Manifest;
use journal::queue::Added;
use persist::append::{Host, Log, LogReport, SyncPolicy, Writer};
use runtime::Waker;
use shard::Shard;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Bytes that may wait for the disk. Beyond, a shard that has more to write waits.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// What tells the process what has become of its files.
struct ProcessHost {
    wakers: Arc<Vec<OnceLock<Waker>>>,
}

impl Host for ProcessHost {
    fn wake(&self, shard: usize) {
        if let Some(waker) = self.wakers[shard].get() {
            waker.wake();
        }
    }

    fn note(&self, line: &str) {
        process_log::notice(line);
    }

    fn warn(&self, line: &str) {
        process_log::warning(line);
    }

    fn stop(&self, reason: &str) {
        process_log::warning(reason);
        std::process::exit(1);
    }
}

/// Who appends.
struct Members {
    /// How often appending was turned on, the start included, whether it was then or not.
    openings: u64,
    /// Shards that have joined since the last.
    count: usize,
}

/// What a process begins with that appends from the start.
pub const FIRST_OPENING: u64 = 1;

/// The log of the process, once there is one.
pub struct Journal {
    log: OnceLock<Log>,
    /// How often appending was turned on, if it is on; else 0. A shard appends when it has seen this change.
    opening: AtomicU64,
    members: Mutex<Members>,
    /// What the directory is called in the working directory, and where that was at the start.
    name: PathBuf,
    first_directory: PathBuf,
    prefix: String,
    wakers: Arc<Vec<OnceLock<Waker>>>,
}

pub fn policy(config: &Config) -> SyncPolicy {
    match config.appendfsync {
        AppendFsync::Always => SyncPolicy::Always,
        AppendFsync::EverySecond => SyncPolicy::EverySecond,
        AppendFsync::No => SyncPolicy::Never,
    }
}

impl Journal {
    pub fn new(config: &Config, wakers: Arc<Vec<OnceLock<Waker>>>) -> Self {
        let name = config.appenddirname.clone();
        // Who changes the working directory later moves the files with the next rewrite.
        let first_directory = std::path::absolute(&name).unwrap_or_else(|_| name.clone());
        Self {
            log: OnceLock::new(),
            opening: AtomicU64::new(0),
            members: Mutex::new(Members { openings: FIRST_OPENING, count: 0 }),
            name,
            first_directory,
            prefix: config.appendfilename.to_string_lossy().into_owned(),
            wakers,
        }
    }

    /// Where the files are.
    pub fn directory(&self) -> PathBuf {
        self.log.get().map_or_else(|| self.first_directory.clone(), Log::directory)
    }

    /// Where the next base goes, and what is appended from there on: the directory of the configured name in the working directory. It is made if it is
    /// not there.
    ///
    /// # Errors
    /// When it cannot be, for the log.
    pub fn next_directory(&self) -> Result<PathBuf, String> {
        let directory = std::path::absolute(&self.name).unwrap_or_else(|_| self.directory());
        if !directory.is_dir() {
            KeptOn
                .make_directory(&directory)
                .and_then(|()| KeptOn.sync_directory(disk::directory_of(&directory)))
                .map_err(|error| format!("making {}: {}", directory.display(), runtime::reason(&error)))?;
        }
        Ok(directory)
    }

    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    fn shards(&self) -> u16 {
        self.wakers.len() as u16
    }

    /// Appends to the files that a manifest lists, in a new generation. `base_bytes`: what was loaded.
    ///
    /// # Errors
    /// Why there can be no such files, for the log.
    pub fn start(&self, config: &Config, manifest: Manifest, base_bytes: u64) -> Result<(), String> {
        let mut writer = self.writer(self.directory(), manifest)?;
        writer.open(false).map_err(|failure| failure.to_string())?;
        writer.remove_history();
        self.run(config, writer, base_bytes)?;
        *self.members() = Members { openings: FIRST_OPENING, count: self.wakers.len() };
        self.opening.store(FIRST_OPENING, Ordering::SeqCst);
        Ok(())
    }

    fn writer(&self, directory: PathBuf, manifest: Manifest) -> Result<Writer<KeptOn>, String> {
        Writer::new(KeptOn, directory, manifest, self.shards()).map_err(|failure| failure.to_string())
    }

    fn run(&self, config: &Config, writer: Writer<KeptOn>, base_bytes: u64) -> Result<(), String> {
        let host = Arc::new(ProcessHost { wakers: Arc::clone(&self.wakers) });
        let log = Log::start(writer, self.shards(), policy(config), WAITING_BYTES_MAX, base_bytes, host)
            .map_err(|error| {
                format!("Cannot start the thread of the append-only file: {}", runtime::reason(&error))
            })?;
        if self.log.set(log).is_err() {
            unreachable!("it starts once");
        }
        Ok(())
    }

    /// The log, begun now if it has not been.
    ///
    /// # Errors
    /// Why there is none, for the log.
    pub fn log_now(&self, config: &Config) -> Result<&Log, String> {
        if self.log.get().is_none() {
            let directory = self.next_directory()?;
            let manifest = recovery::read_manifest(&KeptOn, &directory, &self.prefix)?;
            let manifest = manifest.unwrap_or_else(|| Manifest::new(&self.prefix));
            let writer = self.writer(directory, manifest)?;
            self.run(config, writer, 0)?;
        }
        Ok(self.log.get().expect("it has begun"))
    }

    pub fn log(&self) -> Option<&Log> {
        self.log.get()
    }

    /// How often appending was turned on, if it is on; else 0.
    #[inline]
    pub fn opening(&self) -> u64 {
        self.opening.load(Ordering::Acquire)
    }

    /// Whether shards append.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.opening() != 0
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins files, to which shards append as soon as they notice. What they append before the parts of the first rewrite have run is
    /// for nobody: by then all of them do, whoever has brought keys of several together.
    ///
    /// # Errors
    /// Why there can be no such files, for the log.
    pub fn turn_on(&self, config: &Config) -> Result<(), String> {
        let mut members = self.members();
        if self.is_on() {
            return Ok(());
        }
        let log = self.log_now(config)?;
        let directory = self.next_directory()?;
        log.open(directory).map_err(|failure| failure.to_string())?;
        log.set_policy(policy(config));
        *members = Members { openings: members.openings + 1, count: 0 };
        self.opening.store(members.openings, Ordering::SeqCst);
        drop(members);
        self.wake_all();
        Ok(())
    }

    /// Ends the files. What was handed over by now is a whole: nothing in it depends on what comes, and that is dropped.
    pub fn turn_off(&self) {
        let _members = self.members();
        if !self.is_on() {
            return;
        }
        self.opening.store(0, Ordering::SeqCst);
        if let Some(log) = self.log.get() {
            log.close(Box::new(|outcome| match outcome {
                Ok(()) => process_log::notice("The append-only files are closed"),
                Err(failure) => {
                    process_log::warning(format_args!("Closing the append-only files: {failure}"))
                }
            }));
        }
        self.wake_all();
    }

    fn wake_all(&self) {
        self.wakers.iter().filter_map(OnceLock::get).for_each(Waker::wake);
    }

    /// A shard appends; whether all do now.
    pub fn join(&self, opening: u64) -> bool {
        let mut members = self.members();
        members.count += usize::from(self.opening() == opening);
        members.count == self.wakers.len()
    }

    /// Whether all shards append.
    pub fn has_all(&self) -> bool {
        self.is_on() && self.members().count == self.wakers.len()
    }

    /// The end of the process: what was handed over is written and synced.
    pub fn finish(&self) {
        let Some(log) = self.log.get().filter(|_| self.is_on()) else { return };
        process_log::notice("Calling fsync() on the AOF file.");
        if let Err(failure) = log.finish() {
            process_log::warning(format_args!("The append-only file is not complete: {failure}"));
        }
    }

    /// Hands over what a shard has added, if it has added anything. Before any of it is published, or anybody is told.
    #[inline]
    pub fn take_from(&self, shard: &mut Shard) {
        if shard.has_added() {
            self.take_all_from(shard);
        }
    }

    #[cold]
    #[inline(never)]
    fn take_all_from(&self, shard: &mut Shard) {
        let Some(log) = self.log.get().filter(|_| shard.cx.journal.opening == self.opening()) else {
            // Nobody reads it, or no more: it has not noticed yet.
            drop(shard.take_added(Chunk::default()));
            return;
        };
        let added: Added = shard.take_added(log.chunk());
        log.hand_over(added);
    }

    /// Whether something was handed over that nobody may learn of yet.
    #[inline]
    pub fn holds_back(&self) -> bool {
        // In this order: what is safe by then was handed over before.
        self.is_on() && self.log.get().is_some_and(|log| log.handed() > log.safe())
    }

    /// What was handed over is to be synced if the policy is to, and so many more replies wait for that.
    pub fn ask_for_sync(&self, replies: usize) {
        if let Some(log) = self.log.get().filter(|log| log.is_strict()) {
            log.await_sync(replies);
        }
    }

    #[inline]
    pub fn handed(&self) -> u64 {
        self.log.get().map_or(0, Log::handed)
    }

    #[inline]
    pub fn safe(&self) -> u64 {
        self.log.get().map_or(0, Log::safe)
    }

    pub fn synced(&self) -> u64 {
        self.log.get().map_or(0, Log::synced)
    }

    pub fn wake_when_synced(&self, shard: usize, number: u64) {
        if let Some(log) = self.log.get() {
            log.wake_when_synced(shard, number);
        }
    }

    pub fn wake_when_safe(&self, shard: usize, number: u64) {
        if let Some(log) = self.log.get() {
            log.wake_when_safe(shard, number);
        }
    }

    /// Whether nothing may be written for now.
    #[inline]
    pub fn is_in_trouble(&self) -> bool {
        self.is_on() && self.log.get().is_some_and(Log::is_in_trouble)
    }

    pub fn report(&self) -> LogReport {
        self.log.get().map_or_else(LogReport::default, Log::report)
    }
}
