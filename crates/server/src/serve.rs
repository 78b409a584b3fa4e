//! The shards' threads, from the first to the last.

use crate::cores::Cores;
use crate::loading::{self, Loaded, Loading, Progress, Recovery};
use crate::platform;
use crate::preload::Preload;
use crate::process::Process;
use crate::shard_loop::{Mail, ShardLoop};
use crate::supervisor::Systemd;
use crate::{KeptOn, log};
use base::hash::HashSeed;
use command::ShardCx;
use command::saving::{LoadReport, Saver};
use command::shipping::Migrator;
use config::{Config, IoBackend};
use mailbox::{Exchange, Port};
use recovery::Halt;
use runtime::back_end::{self, RING_ENTRIES_MAX};
use runtime::signals::{self, Signal};
use runtime::{BackEnd, Listener, clock, thread};
use shard::Shard;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Barrier};
use std::time::Duration;

/// What a shard's thread found when it started.
struct Started {
    shard: usize,
    /// Entries of its ring, `None` with epoll; why there is no reactor.
    ring_entries: io::Result<Option<u32>>,
    /// Why it is epoll although io_uring would have been preferred.
    refusal: Option<io::Error>,
    /// Why it is not kept on its processor, or interrupts others on theirs.
    misplaced: Option<io::Error>,
}

/// What a shard's thread needs.
struct Seat {
    id: usize,
    cpu: Option<usize>,
    back_end: BackEnd,
    ring_entries: u32,
    seed: HashSeed,
    port: Port<Mail>,
    listeners: Vec<Listener>,
    process: Arc<Process>,
    loading: Arc<Loading>,
    /// With append-only files.
    recovery: Option<Arc<Recovery>>,
    /// Opened when all shards have what they need to serve.
    gate: Arc<Barrier>,
}

/// Serves until somebody asks for the end.
///
/// # Errors
/// Why there are no shards, for the log.
pub fn run(
    config: Arc<Config>,
    cores: &Cores,
    listeners: Vec<Listener>,
    systemd: &Systemd,
    config_file: String,
) -> Result<(), String> {
    let shards = cores.shards();
    let names: Vec<(bool, String)> = listeners.iter().map(|l| (l.is_unix, l.name.clone())).collect();
    let process = Arc::new(Process::new(Arc::clone(&config), cores, config_file));
    let ((tell, told), (tell_loaded, loaded)) = (channel(), channel());
    let (_, recovery_begun_us) = clock::now();
    let preload = Preload::of(&config);
    let recovery = open_recovery(&config, &process, preload.as_ref(), shards)?;
    let loading = open_loading(&config, &process, preload.as_ref(), recovery.as_deref())?;
    let begun_us = loading.has_file().then(|| loading.begun_us());
    let gate = Arc::new(Barrier::new(shards + 1));
    let seed = HashSeed::new(clock::entropy(), clock::entropy());
    let ring_entries = back_end::ring_entries(shards);
    let mut listeners = Some(listeners);
    let mut threads = Vec::with_capacity(shards);
    for (id, port) in Exchange::<Mail>::ports(shards).into_iter().enumerate() {
        let seat = Seat {
            id,
            cpu: cores.pinned[id],
            back_end: wanted(config.io_backend),
            ring_entries,
            seed: seed.clone(),
            port,
            listeners: listeners.take().unwrap_or_default(),
            process: Arc::clone(&process),
            loading: Arc::clone(&loading),
            recovery: recovery.clone(),
            gate: Arc::clone(&gate),
        };
        let (tell, tell_loaded) = (tell.clone(), tell_loaded.clone());
        let thread = thread::spawn(format!("shard-{id}"), move || run_shard(seat, &tell, &tell_loaded));
        threads.push(thread.map_err(|e| format!("Cannot start shard {id}: {}", runtime::reason(&e)))?);
    }
    drop(tell);
    report_start(told.iter().take(shards).collect(), ring_entries)?;
    drop(loading);
    watch_signals(Arc::clone(&process))
        .map_err(|e| format!("Cannot wait for signals: {}", runtime::reason(&e)))?;
    let is_loading = begun_us.is_some() || recovery.is_some();
    if !is_loading {
        report_ready(&names);
    }
    gate.wait();
    match await_loaded(&loaded, shards, &process.progress) {
        Ok(loaded) => {
            match (&preload, recovery) {
                (Some(preload), _) => {
                    preload.report(recovery_begun_us);
                    begin_journal_anew(&config, &process)?;
                }
                (None, Some(recovery)) => begin_journal(&config, &process, recovery, recovery_begun_us)?,
                (None, None) => {}
            }
            if let Some(begun_us) = begun_us {
                Loading::report(begun_us, &loaded);
                process.saver.note_loaded(&loaded);
            }
            if is_loading {
                report_ready(&names);
                process.end_loading();
            }
            systemd.tell("READY=1\nSTATUS=Ready to accept connections");
        }
        Err(Halt::Ended) => {}
        Err(Halt::Failed(reason)) => return Err(format!("Fatal error loading the DB. {reason}. Exiting.")),
    }
    for thread in threads {
        // A panic has ended the process long before.
        let _ = thread.join();
    }
    process.journal.finish();
    systemd.tell("STOPPING=1");
    Ok(())
}

/// What append-only files say, if there are to be any.
fn open_recovery(
    config: &Config,
    process: &Process,
    preload: Option<&Preload>,
    shards: usize,
) -> Result<Option<Arc<Recovery>>, String> {
    let failed = |reason| format!("Fatal error loading the append-only files. {reason}. Exiting.");
    if let Some(preload) = preload {
        return preload.open_recovery(config, shards).map(|found| found.map(Arc::new)).map_err(failed);
    }
    if !config.appendonly {
        return Ok(None);
    }
    let journal = &process.journal;
    let directory = journal.directory();
    let place = (&*directory, journal.prefix());
    let recovery = Recovery::open(KeptOn, loading::Log, config, place, shards).map_err(failed)?;
    if directory.is_dir() {
        loading::remove_abandoned(&directory);
    }
    if recovery.is_empty() && config.dbfilename.exists() {
        let (directory, file) = (directory.display(), config.dbfilename.display());
        log::warning(format_args!(
            "There are no append-only files in {directory}: starting without data, as Redis does. What is in {file} is not \
             loaded; to take it over, start with appendonly no and say CONFIG SET appendonly yes"
        ));
    }
    Ok(Some(Arc::new(recovery)))
}

/// The data file, if there is one.
fn open_loading(
    config: &Config,
    process: &Process,
    preload: Option<&Preload>,
    recovery: Option<&Recovery>,
) -> Result<Arc<Loading>, String> {
    let (progress, shards) = (&process.progress, process.wakers.len());
    let loading = match preload {
        None => Loading::open(config, &config.dbfilename, progress, shards, recovery),
        Some(preload) => preload
            .open_loading(config, progress, shards, recovery)
            .map_err(|reason| format!("Fatal error loading the DB. {reason}. Exiting.")),
    };
    loading.map(Arc::new)
}

/// What is loaded is not what the append-only files say, if there are to be any: begins new ones, which take the place of those once they have a base.
fn begin_journal_anew(config: &Config, process: &Process) -> Result<(), String> {
    if !config.appendonly {
        return Ok(());
    }
    let begun = process.journal.turn_on(config);
    begun.map_err(|reason| format!("Fatal error opening the append-only files. {reason}. Exiting."))
}

/// All that was there is loaded: goes on with it.
fn begin_journal(
    config: &Config,
    process: &Process,
    recovery: Arc<Recovery>,
    begun_us: u64,
) -> Result<(), String> {
    let failed = |reason: String| format!("Fatal error opening the append-only files. {reason}. Exiting.");
    // The shards have let go of it before they said that they have loaded.
    let recovery = Arc::into_inner(recovery).expect("nobody else has it");
    let is_empty = recovery.is_empty();
    let (bytes, manifest) = recovery.finish().map_err(failed)?;
    if !is_empty {
        let (_, now_us) = clock::now();
        let seconds = now_us.saturating_sub(begun_us) as f64 / 1e6;
        log::notice(format_args!("DB loaded from append only file: {seconds:.3} seconds"));
    }
    process.journal.start(config, manifest, bytes).map_err(failed)
}

fn wanted(choice: IoBackend) -> BackEnd {
    match choice {
        IoBackend::Auto => BackEnd::Auto,
        IoBackend::IoUring => BackEnd::Uring,
        IoBackend::Epoll => BackEnd::Epoll,
    }
}

/// Time between two lines in the log about how far loading is.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// What all shards have loaded.
fn await_loaded(
    told: &Receiver<Result<Loaded, Halt>>,
    shards: usize,
    progress: &Progress,
) -> Result<Vec<Loaded>, Halt> {
    let mut all = Vec::with_capacity(shards);
    while all.len() < shards {
        match told.recv_timeout(PROGRESS_EVERY) {
            Ok(loaded) => all.push(loaded?),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(LoadReport { loaded_bytes, total_bytes, .. }) = progress.report() {
                    let percent = loaded_bytes as f64 / total_bytes.max(1) as f64 * 100.0;
                    log::notice(format_args!(
                        "Loading: {loaded_bytes} of {total_bytes} bytes ({percent:.1} %)"
                    ));
                }
            }
            // A shard's thread has gone without a word, which only a reactor that fails does.
            Err(RecvTimeoutError::Disconnected) => return Err(Halt::Ended),
        }
    }
    Ok(all)
}

/// Says once what all shards found.
fn report_start(started: Vec<Started>, ring_entries: u32) -> Result<(), String> {
    let shards = started.len();
    let (mut epoll, mut smallest, mut refusal) = (0, u32::MAX, None);
    for one in started {
        if let Some(error) = one.misplaced {
            let reason = runtime::reason(&error);
            log::warning(format_args!("Shard {} cannot be scheduled as it should be: {reason}", one.shard));
        }
        match one.ring_entries {
            Err(error) => return Err(format!("I/O: no io_uring. {}", back_end::explain(&error, shards))),
            Ok(Some(entries)) => smallest = smallest.min(entries),
            Ok(None) => epoll += 1,
        }
        refusal = one.refusal.or(refusal);
    }
    match &refusal {
        None if epoll > 0 => log::notice("I/O: epoll"),
        None => log::notice(format_args!("I/O: io_uring, {smallest} entries in each ring")),
        Some(error) => {
            let why = back_end::explain(error, shards);
            log::warning(format_args!(
                "I/O: epoll for {epoll} of {shards} shards, io_uring is refused. {why}"
            ));
        }
    }
    if refusal.is_none() && epoll == 0 && smallest < RING_ENTRIES_MAX.max(ring_entries) {
        let kib = back_end::ring_bytes(RING_ENTRIES_MAX) / 1024 * shards as u64;
        log::notice(format_args!(
            "The rings are smaller than they could be, for want of locked memory: {kib} KiB would be enough (ulimit -l, \
             LimitMEMLOCK=)"
        ));
    }
    Ok(())
}

fn report_ready(names: &[(bool, String)]) {
    let listed: Vec<&str> = names.iter().map(|(_, name)| name.as_str()).collect();
    log::notice(format_args!("Listening on {}", listed.join(", ")));
    log::notice("Server initialized");
    for (unix, kind) in [(false, "tcp"), (true, "unix")] {
        if names.iter().any(|(is_unix, _)| *is_unix == unix) {
            log::notice(format_args!("Ready to accept connections {kind}"));
        }
    }
}

/// Starts the thread that sleeps until a signal comes.
fn watch_signals(process: Arc<Process>) -> io::Result<()> {
    let watch = move || {
        while let Ok(signal) = signals::wait() {
            if process.expects_end() {
                if signal == Signal::Interrupt {
                    log::warning("You insist... exiting now.");
                    std::process::exit(1);
                }
                // The end is under way: what it saves need not be saved twice.
                continue;
            }
            log::warning(format_args!("Received {} scheduling shutdown...", signal.name()));
            process.ask_for_end(signal);
        }
    };
    thread::spawn("signals".to_owned(), watch).map(drop)
}

fn run_shard(seat: Seat, tell: &Sender<Started>, tell_loaded: &Sender<Result<Loaded, Halt>>) {
    let Seat { id, cpu, process, .. } = seat;
    let misplaced = match cpu {
        Some(cpu) => thread::pin_to(&[cpu]).err(),
        None if process.shares_processors => thread::interrupt_nobody().err(),
        None => None,
    };
    if !process.shares_processors {
        thread::request_short_time_slices();
    }
    let opened = match back_end::open(seat.back_end, seat.ring_entries) {
        Ok(opened) => opened,
        Err(error) => {
            let _ = tell.send(Started { shard: id, ring_entries: Err(error), refusal: None, misplaced });
            return;
        }
    };
    if process.wakers[id].set(opened.reactor.waker()).is_err() {
        unreachable!("each shard starts once");
    }
    let (ring_entries, refusal) = (Ok(opened.ring_entries), opened.refusal);
    let _ = tell.send(Started { shard: id, ring_entries, refusal, misplaced });
    let shards = process.wakers.len() as u16;
    let mut cx =
        ShardCx::new(id as u16, shards, Arc::clone(&process.config), seat.seed.clone(), clock::entropy());
    let about = process.about.get_or_init(|| platform::about(opened.reactor.name(), &process.config_file));
    platform::install(&mut cx, about);
    cx.indexes.share_graphs(Arc::clone(&process.graphs));
    cx.saver = Some(Arc::clone(&process.saver) as Arc<dyn Saver>);
    cx.migrator = Some(Arc::clone(&process.migrator) as Arc<dyn Migrator>);
    cx.is_loading = seat.loading.has_file() || seat.recovery.is_some();
    seat.gate.wait();
    let shard = Shard::new(cx);
    let shard_loop = ShardLoop::new(shard, opened.reactor, seat.port, Arc::clone(&process), seat.listeners);
    let of_all = || {
        let mut cx = ShardCx::new(0, 1, Arc::clone(&process.config), seat.seed.clone(), clock::entropy());
        platform::install(&mut cx, about);
        cx
    };
    if let Err(error) = load_and_run(shard_loop, seat.loading, seat.recovery, of_all, tell_loaded) {
        panic!("the reactor of shard {id} failed: {error}");
    }
}

fn load_and_run(
    mut shard_loop: ShardLoop,
    loading: Arc<Loading>,
    recovery: Option<Arc<Recovery>>,
    of_all: impl FnOnce() -> ShardCx,
    tell_loaded: &Sender<Result<Loaded, Halt>>,
) -> io::Result<()> {
    shard_loop.listen()?;
    let mut loaded = shard_loop.load(loading)?;
    if let Some(recovery) = recovery
        && loaded.is_ok()
        && let Err(halt) = shard_loop.recover(&recovery, of_all)?
    {
        loaded = Err(halt);
    }
    let has_failed = matches!(loaded, Err(Halt::Failed(_)));
    if loaded.is_ok() {
        shard_loop.end_loading();
    }
    let _ = tell_loaded.send(loaded);
    if has_failed {
        // The process ends; to give back what has been loaded would only take time.
        std::mem::forget(shard_loop);
        return Ok(());
    }
    shard_loop.run()
}
