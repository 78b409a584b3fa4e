//! What all shard threads share.

use crate::cores::Cores;
use crate::desk::SharedDesk;
use crate::journal::Journal;
use crate::loading::Progress;
use crate::log;
use crate::migrator::ProcessMigrator;
use crate::saving::{CANNOT_END, ProcessSaver};
use config::Config;
use runtime::Waker;
use runtime::signals::Signal;
use shard::Shard;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Changes on a shard that are not saved. Its thread writes it in nearly every turn: none shares the line.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Unsaved(pub(crate) AtomicU64);

/// What all shard threads share: set-up and a few words about the process, never data.
pub struct Process {
    pub config: Arc<Config>,
    /// There are more shards than processors.
    pub(crate) shares_processors: bool,
    /// As [`Cores::moves_among`].
    pub(crate) moves_among: Vec<usize>,
    /// On how many shards connections are dealt out.
    pub(crate) connection_shards: usize,
    pub wakers: Arc<Vec<OnceLock<Waker>>>,
    pub(crate) desks: Vec<OnceLock<SharedDesk>>,
    pub(crate) saver: Arc<ProcessSaver>,
    /// How far the shards are that load.
    pub(crate) progress: Arc<Progress>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) migrator: Arc<ProcessMigrator>,
    /// Changes on each shard since the last save, while there are save points.
    pub(crate) unsaved: Vec<Unsaved>,
    /// A signal asks for the end, which shard 0 brings about.
    pub(crate) end_asked_by: Mutex<Option<Signal>>,
    pub(crate) is_asked_to_end: AtomicBool,
    /// A signal has asked for the end, and it has not been found impossible since.
    expects_end: AtomicBool,
    /// How often a shard has freed so much that all should give memory back.
    pub(crate) purges: AtomicU64,
    pub(crate) ending: AtomicBool,
    /// The end does not wait for clients that do not read.
    pub(crate) at_once: AtomicBool,
    pub(crate) next_client: AtomicU64,
    /// Connections that have been let in and are not closed.
    pub(crate) clients: AtomicU64,
    /// The graphs of indexes, which shards share.
    pub(crate) graphs: Arc<command::indexes::Registry>,
    /// Bytes of data of each shard, for `maxmemory`.
    pub used_bytes: Vec<AtomicU64>,
    /// The path of the configuration file, or empty.
    pub config_file: String,
    pub about: OnceLock<Arc<command::platform::About>>,
    /// Shards that owe no reply any more, once the end has been asked for.
    pub(crate) settled: AtomicUsize,
}

impl Process {
    pub fn new(config: Arc<Config>, cores: &Cores, config_file: String) -> Self {
        let shards = cores.shards();
        let wakers = Arc::new((0..shards).map(|_| OnceLock::new()).collect());
        let progress = Arc::new(Progress::default());
        let journal = Arc::new(Journal::new(&config, Arc::clone(&wakers)));
        let saver = ProcessSaver::new(
            shards as u16,
            Arc::clone(&wakers),
            Arc::clone(&progress),
            Arc::clone(&journal),
        );
        let migrator = Arc::new(ProcessMigrator::new(Arc::clone(&wakers)));
        Self {
            config,
            shares_processors: cores.shared,
            moves_among: cores.moves_among.clone(),
            connection_shards: cores.connection_shards,
            migrator,
            saver: Arc::new(saver),
            progress,
            journal,
            wakers,
            desks: (0..shards).map(|_| OnceLock::new()).collect(),
            unsaved: (0..shards).map(|_| Unsaved::default()).collect(),
            end_asked_by: Mutex::new(None),
            is_asked_to_end: AtomicBool::new(false),
            expects_end: AtomicBool::new(false),
            purges: AtomicU64::new(0),
            graphs: Arc::default(),
            ending: AtomicBool::new(false),
            at_once: AtomicBool::new(false),
            next_client: AtomicU64::new(1),
            clients: AtomicU64::new(0),
            used_bytes: (0..shards).map(|_| AtomicU64::new(0)).collect(),
            config_file,
            about: OnceLock::new(),
            settled: AtomicUsize::new(0),
        }
    }

    /// Tells the other shards how much this one holds, and it how much they do.
    pub(crate) fn exchange_memory(&self, shard: &mut Shard) {
        let cx = &mut shard.cx;
        if cx.limits.memory_bytes_max == 0 {
            return;
        }
        let id = usize::from(cx.id);
        self.used_bytes[id].store(cx.used_bytes(), Ordering::Relaxed);
        let others = self.used_bytes.iter().enumerate().filter(|(other, _)| *other != id);
        cx.eviction.other_bytes = others.map(|(_, bytes)| bytes.load(Ordering::Relaxed)).sum();
    }

    /// Asks for the end as the configuration wants it after this signal: with a save or without.
    pub fn ask_for_end(&self, signal: Signal) {
        self.expects_end.store(true, Ordering::SeqCst);
        *self.end_asked_by.lock().unwrap_or_else(PoisonError::into_inner) = Some(signal);
        self.is_asked_to_end.store(true, Ordering::SeqCst);
        if let Some(waker) = self.wakers[0].get() {
            waker.wake();
        }
    }

    /// Whether a signal has asked for the end, and it has not been found impossible since.
    pub fn expects_end(&self) -> bool {
        self.expects_end.load(Ordering::SeqCst)
    }

    /// The end is not possible, for the data cannot be saved.
    pub(crate) fn stay(&self) {
        self.forget_end();
        log::warning("Error trying to save the DB, can't exit.");
        log::warning(CANNOT_END);
    }

    /// Nobody asks for the end any more.
    pub(crate) fn forget_end(&self) {
        self.expects_end.store(false, Ordering::SeqCst);
    }

    /// Asks all shards to end: pending replies are sent, nothing new is read. `at_once`: to nobody who does not take them now.
    pub fn end(&self, at_once: bool) {
        self.at_once.fetch_or(at_once, Ordering::SeqCst);
        if !self.ending.swap(true, Ordering::SeqCst) {
            log::notice("User requested shutdown...");
        }
        self.wakers.iter().filter_map(OnceLock::get).for_each(Waker::wake);
    }
}
