//! What writes all data down: saves into the file that the configuration names, and new bases of append-only files. One at a time.

use crate::backup::Backup;
use crate::journal::{FIRST_OPENING, Journal};
use crate::loading::{Loaded, Progress};
use crate::reload::Anew;
use crate::{KeptOn, REDIS_VERSION, log};
use command::ShardCx;
use command::saving::{LogReport, Purpose, Refused, Report, Saver, Source};
use config::Config;
use disk::Disk;
use keyspace::walk::SharedScribe;
use persist::append::{Begun, JobOutcome, Log};
use persist::{GIVEN_UP, Head, Hints, OnEnd, Options, Outcome, Pen, Save, Target};
use runtime::{Waker, clock};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// Of what may wait for the disk each shard keeps so much more of large values under way, one part in so many.
const HELD_SHARE: usize = 8;

pub struct ProcessSaver {
    shards: u16,
    state: Arc<Mutex<State>>,
    ended: Arc<Ended>,
    progress: Arc<Progress>,
    pub(crate) journal: Arc<Journal>,
    anew: Anew,
    pub(crate) backup: Arc<Backup>,
}

/// How the last save has ended, for a look in every turn.
struct Ended {
    fails: AtomicBool,
    /// Saves that have succeeded.
    count: AtomicU64,
    /// Of the shards, which are to know at once.
    wakers: Arc<Vec<OnceLock<Waker>>>,
    /// The end was told.
    told: Condvar,
    /// Something is to be begun as soon as it can.
    is_scheduled: AtomicBool,
}

impl Ended {
    fn tell(&self) {
        self.told.notify_all();
        self.wakers.iter().filter_map(OnceLock::get).for_each(Waker::wake);
    }
}

struct State {
    under_way: Option<UnderWay>,
    begun_s: u64,
    report: Report,
    log: LogReport,
    /// Begin as soon as nothing is under way.
    is_save_scheduled: bool,
    /// When the last rewrite that failed did; unix seconds.
    rewrite_failed_s: Option<u64>,
    /// What the last rewrite was begun in, and how many shards have not run their parts of it.
    rewrite_opening: u64,
    parts_left: u16,
    /// So many generations have ended where the parts of the last rewrite have run.
    epoch: u64,
}

struct UnderWay {
    save: Save,
    purpose: Purpose,
}

/// In the log, when the process goes on though it should end.
pub const CANNOT_END: &str = "Errors trying to shut down the server. Check the logs for more information.";
/// After a rewrite that failed the next is tried no sooner, seconds.
const RETRY_S: u64 = 5;

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_s() -> u64 {
    clock::wall_us() / 1_000_000
}

impl ProcessSaver {
    pub fn new(
        shards: u16,
        wakers: Arc<Vec<OnceLock<Waker>>>,
        progress: Arc<Progress>,
        journal: Arc<Journal>,
    ) -> Self {
        let report = Report {
            under_way: None,
            last_save_s: now_s(),
            is_last_ok: true,
            last_try_s: 0,
            last_took_s: None,
            count: 0,
            loaded: (0, 0),
            loading: None,
        };
        let state = State {
            under_way: None,
            begun_s: 0,
            report,
            log: LogReport::default(),
            is_save_scheduled: false,
            rewrite_failed_s: None,
            rewrite_opening: FIRST_OPENING,
            parts_left: 0,
            epoch: 0,
        };
        let (fails, count) = (AtomicBool::new(false), AtomicU64::new(0));
        let ended = Arc::new(Ended {
            fails,
            count,
            wakers,
            told: Condvar::new(),
            is_scheduled: AtomicBool::new(false),
        });
        let anew = Anew::default();
        let (state, backup) = (Arc::new(Mutex::new(state)), Arc::default());
        Self { shards, state, ended, progress, journal, anew, backup }
    }

    /// Tells a shard what has become of the last save, before it runs anything.
    #[inline]
    pub fn tell(&self, cx: &mut ShardCx) {
        let fails = self.ended.fails.load(Ordering::Relaxed);
        cx.refuses_writes = fails && cx.needs_saves() || self.journal.is_in_trouble();
        if self.ended.count.load(Ordering::Relaxed) != cx.saved.count() {
            cx.note_saved();
        }
    }

    /// What is due by itself: what was scheduled, and a rewrite once the files have grown, or if only that helps.
    pub fn due(&self, config: &Config) -> Option<Purpose> {
        self.look_after_backup(config);
        let waits = self.backup.holds_rewrites();
        let mut state = lock(&self.state);
        let is_scheduled = state.log.is_rewrite_scheduled || state.is_save_scheduled;
        self.ended.is_scheduled.store(is_scheduled, Ordering::Relaxed);
        if state.under_way.is_some() {
            return None;
        }
        let tries = state.rewrite_failed_s.is_none_or(|at_s| now_s().saturating_sub(at_s) > RETRY_S);
        if state.log.is_rewrite_scheduled && tries && !waits {
            let appends = config.appendonly || self.journal.is_on();
            if !appends || self.journal.has_all() && !state.has_parts_left() {
                return Some(Purpose::Rewrite);
            }
            if !self.journal.is_on() {
                drop(state);
                self.begin_log(config);
                return None;
            }
        }
        if std::mem::take(&mut state.is_save_scheduled) {
            return Some(Purpose::Snapshot);
        }
        drop(state);
        (tries && self.journal.is_on() && self.needs_rewrite(config, waits)).then_some(Purpose::Rewrite)
    }

    /// Whether something may become due though nobody asks for anything. Of files that grow the looker is told.
    #[inline]
    pub fn awaits_look(&self) -> bool {
        self.ended.is_scheduled.load(Ordering::Relaxed)
            || self.journal.is_in_trouble()
            || self.backup.awaits_look()
    }

    fn needs_rewrite(&self, config: &Config, waits: bool) -> bool {
        let report = self.journal.report();
        if report.trouble.is_some_and(|trouble| trouble.needs_rewrite) {
            return true;
        }
        if waits {
            return false;
        }
        let percent = u64::from(config.auto_aof_rewrite_percentage);
        let (now, before) = (report.current_bytes, report.base_bytes.max(1));
        let growth = (now.saturating_mul(100) / before).saturating_sub(100);
        let is_due = percent > 0 && now > config.auto_aof_rewrite_min_size && growth >= percent;
        if is_due {
            log::notice(format_args!("Starting automatic rewriting of AOF on {growth}% growth"));
        }
        is_due
    }

    /// Nothing is appended any more, so nothing is rewritten.
    pub fn end_rewrites(&self) {
        if self.backup.state().is_under_way() {
            self.backup.lock().fail("appendonly is stopped");
        }
        if self.is_rewriting() {
            self.give_up();
        }
        lock(&self.state).log.is_rewrite_scheduled = false;
    }

    /// Turns appending on. The first base is made when all shards append; if files cannot be begun, that is tried again.
    pub fn begin_log(&self, config: &Config) {
        if let Err(reason) = self.journal.turn_on(config) {
            lock(&self.state).end_rewrite(&Err(reason));
        }
        self.schedule(Purpose::Rewrite);
    }

    /// What all shards have loaded.
    pub fn note_loaded(&self, all: &[Loaded]) {
        lock(&self.state).report.loaded =
            all.iter().fold((0, 0), |(keys, expired), one| (keys + one.keys, expired + one.expired));
    }
}

impl State {
    /// Whether another rewrite could be taken for the last one by a shard that has not come to it.
    fn has_parts_left(&self) -> bool {
        /// Longer than a shard may take to come to it, unless it never will.
        const PATIENCE_S: u64 = 60;
        self.parts_left > 0 && now_s().saturating_sub(self.begun_s) < PATIENCE_S
    }

    /// A rewrite is over, the manifest included.
    fn end_rewrite(&mut self, outcome: &Result<(), String>) {
        self.under_way = None;
        let log = &mut self.log;
        log.rewrite_begun_s = None;
        log.last_rewrite_took_s = Some(now_s().saturating_sub(self.begun_s));
        log.has_last_rewrite_failed = outcome.is_err();
        match outcome {
            Ok(()) => {
                log::notice("Background AOF rewrite finished successfully");
                log.rewrites += 1;
                (log.rewrites_failed, self.rewrite_failed_s) = (0, None);
            }
            Err(reason) => {
                log::warning(format_args!("Background AOF rewrite failed: {reason}"));
                log.rewrites_failed += 1;
                self.rewrite_failed_s = Some(now_s());
            }
        }
    }

    fn end(&mut self, outcome: &Outcome) {
        self.under_way = None;
        let took_s = now_s().saturating_sub(self.begun_s);
        match outcome {
            Ok(bytes) => {
                log::notice(format_args!("DB saved on disk: {bytes} bytes"));
                let report = &mut self.report;
                (report.last_save_s, report.is_last_ok, report.last_took_s) = (now_s(), true, Some(took_s));
                report.count += 1;
            }
            Err(reason) if reason == GIVEN_UP => log::warning("The save was given up"),
            Err(reason) => {
                log::warning(format_args!("The data could not be saved: {reason}"));
                (self.report.is_last_ok, self.report.last_took_s) = (false, Some(took_s));
            }
        }
    }
}

impl ProcessSaver {
    /// The base has been written, or not: if it has, the manifest is next.
    fn on_rewritten(&self, log: &Log, directory: PathBuf, transcript: Option<Transcript>) -> OnEnd {
        let (own, ended, log) = (Arc::clone(&self.state), Arc::clone(&self.ended), log.clone());
        let backup = Arc::clone(&self.backup);
        Box::new(move |outcome: &Outcome| {
            let resting = log.clone();
            let on_done = {
                let own = Arc::clone(&own);
                move |outcome: Result<(), String>| {
                    resting.rest(false);
                    lock(&own).end_rewrite(&outcome);
                    ended.tell();
                }
            };
            let is_rdb = transcript.is_none();
            let (backup, base_of) = (Arc::clone(&backup), log.clone());
            let on_done = move |outcome: Result<(), String>| {
                let base = || base_of.manifest().base().map(|base| base_of.directory().join(&base.name));
                let path = outcome.as_ref().map(|()| base().unwrap_or_default());
                backup.on_rewritten(path.map_err(String::as_str));
                on_done(outcome);
            };
            let outcome = match (outcome, transcript) {
                (Ok(_), Some(transcript)) => transcript.write(),
                (outcome, _) => outcome.clone(),
            };
            match outcome {
                Ok(bytes) => {
                    let begun = Begun { epoch: lock(&own).epoch, is_rdb };
                    let on_done = move |outcome: &JobOutcome| {
                        on_done(outcome.clone().map_err(|failure| failure.to_string()));
                    };
                    log.end_rewrite(begun, directory, bytes, Box::new(on_done));
                }
                Err(reason) => on_done(Err(reason)),
            }
        })
    }

    fn on_saved(&self) -> OnEnd {
        let (own, ended) = (Arc::clone(&self.state), Arc::clone(&self.ended));
        Box::new(move |outcome: &Outcome| {
            let mut state = lock(&own);
            state.end(outcome);
            ended.fails.store(!state.report.is_last_ok, Ordering::Relaxed);
            ended.count.store(state.report.count, Ordering::Relaxed);
            drop(state);
            ended.tell();
        })
    }

    fn open(&self, config: &Config, path: PathBuf, on_end: OnEnd) -> io::Result<Save> {
        let memory_bytes = config.rdb_save_memory as usize;
        let target = Target {
            path,
            options: Options { version: config.rdb_version, compress: config.rdbcompression },
            sums: config.rdbchecksum,
            waiting_bytes_max: memory_bytes,
            held_bytes_max: memory_bytes / HELD_SHARE,
        };
        Save::begin(KeptOn, target, self.shards, on_end)
    }

    fn begin_snapshot(&self, cx: &ShardCx, state: &mut State) -> Result<(), Refused> {
        state.report.last_try_s = now_s();
        let path = cx.config.dbfilename.clone();
        match self.open(&cx.config, path, self.on_saved()) {
            Ok(save) => {
                log::notice("Saving the data");
                state.under_way = Some(UnderWay { save, purpose: Purpose::Snapshot });
                state.begun_s = now_s();
                Ok(())
            }
            Err(error) => {
                let (name, reason) = (cx.config.dbfilename.display(), runtime::reason(&error));
                log::warning(format_args!("The data cannot be saved as {name}: {reason}"));
                state.report.is_last_ok = false;
                self.ended.fails.store(true, Ordering::Relaxed);
                Err(Refused::Failed)
            }
        }
    }

    fn begin_rewrite(&self, cx: &ShardCx, state: &mut State) -> Result<(), Refused> {
        let begun = self.journal.log_now(&cx.config).and_then(|log| {
            let directory = self.journal.next_directory()?;
            log.rest(cx.config.no_appendfsync_on_rewrite);
            let transcript =
                (!cx.config.aof_use_rdb_preamble).then(|| Transcript::new(&directory, log, &cx.config));
            let path = match &transcript {
                Some(transcript) => transcript.from.clone(),
                None => directory.join(log.manifest().next_base_name(true)),
            };
            let on_end = self.on_rewritten(log, directory, transcript);
            let save = self.open(&cx.config, path.clone(), on_end);
            save.map_err(|error| format!("{}: {}", path.display(), runtime::reason(&error)))
        });
        match begun {
            Ok(save) => {
                log::notice("Background append only file rewriting started");
                self.backup.on_rewrite_begun();
                state.log.is_rewrite_scheduled = false;
                state.log.rewrite_begun_s = Some(now_s());
                state.under_way = Some(UnderWay { save, purpose: Purpose::Rewrite });
                state.begun_s = now_s();
                (state.rewrite_opening, state.parts_left) = (self.journal.opening(), self.shards);
                Ok(())
            }
            Err(reason) => {
                state.end_rewrite(&Err(reason));
                Err(Refused::Failed)
            }
        }
    }
}

/// Has the file begin with what a shard has beside its keys.
fn begin_file(save: &Save, cx: &ShardCx, functions: &[&[u8]], purpose: Purpose) {
    let statements = cx.indexes.fields();
    let own = [("weft-ver", crate::VERSION.as_bytes())].into_iter();
    let fields: Vec<_> =
        own.chain(statements.iter().map(|(name, value)| (*name, value.as_slice()))).collect();
    save.set_head(&Head {
        version: cx.config.rdb_version,
        compress: cx.config.rdbcompression,
        server_version: REDIS_VERSION,
        time_s: now_s(),
        used_memory_bytes: runtime::usage::resident_bytes().0,
        fields: &fields,
        is_aof_base: purpose == Purpose::Rewrite,
        functions,
        sizes: &[],
    });
}

/// A base that is to be told as commands: how, once there is one in the format of snapshots.
struct Transcript {
    from: PathBuf,
    to: PathBuf,
    /// The time is noted.
    is_timed: bool,
}

impl Transcript {
    fn new(directory: &Path, log: &Log, config: &Config) -> Self {
        let to = directory.join(log.manifest().next_base_name(false));
        // What is left of it by a process that was killed is removed like what saves have left.
        let from = directory.join(format!("temp-weft-{}.base", std::process::id()));
        Self { from, to, is_timed: config.aof_timestamp_enabled }
    }

    /// How long the base is.
    fn write(&self) -> Outcome {
        let temporary = self.from.with_extension("aof");
        let told = persist::transcript::transcribe(
            KeptOn,
            &self.from,
            (&temporary, &self.to),
            self.is_timed.then(now_s),
        );
        // It has been told, or is of no use.
        let _ = KeptOn.remove(&self.from);
        told
    }
}

impl Saver for ProcessSaver {
    fn begin(&self, cx: &ShardCx, purpose: Purpose) -> Result<(), Refused> {
        let mut state = lock(&self.state);
        match &state.under_way {
            Some(under_way) => Err(Refused::UnderWay(under_way.purpose)),
            None if purpose == Purpose::Snapshot => self.begin_snapshot(cx, &mut state),
            None if self.backup.holds_rewrites() => Err(Refused::UnderWay(Purpose::Snapshot)),
            None if (cx.config.appendonly || self.journal.is_on())
                && (!self.journal.has_all() || state.has_parts_left()) =>
            {
                // Soon.
                Err(Refused::UnderWay(Purpose::Snapshot))
            }
            None => self.begin_rewrite(cx, &mut state),
        }
    }

    fn schedule(&self, purpose: Purpose) {
        let mut state = lock(&self.state);
        match purpose {
            Purpose::Snapshot => state.is_save_scheduled = true,
            Purpose::Rewrite => state.log.is_rewrite_scheduled = true,
        }
        self.ended.is_scheduled.store(true, Ordering::Relaxed);
        drop(state);
        self.ended.tell();
    }

    fn is_rewriting(&self) -> bool {
        lock(&self.state).under_way.as_ref().is_some_and(|under_way| under_way.purpose == Purpose::Rewrite)
    }

    fn turn_log_on(&self, config: &Config) -> bool {
        self.disown_log(config);
        let begun = self.journal.turn_on(config);
        if let Err(reason) = &begun {
            log::warning(format_args!("The append-only files cannot be begun: {reason}"));
        }
        begun.is_ok()
    }

    fn turn_log_off(&self) {
        self.journal.turn_off();
        self.end_rewrites();
    }

    fn refuses_end(&self, force: bool) -> bool {
        let is_wanted = self.journal.is_on() && !self.backup.lock().has_own_log;
        if !(is_wanted && self.journal.report().awaits_base) {
            return false;
        }
        let state = lock(&self.state);
        let is_under_way = state.under_way.as_ref().is_some_and(|one| one.purpose == Purpose::Rewrite);
        // One that has failed may fail again and again.
        let is_near = state.log.is_rewrite_scheduled && state.rewrite_failed_s.is_none();
        drop(state);
        let is_being_made = is_under_way || is_near;
        if is_being_made && force {
            log::warning("Writing initial AOF. Exit anyway.");
        } else if is_being_made {
            log::warning("Writing initial AOF, can't exit.");
            log::warning(CANNOT_END);
        }
        is_being_made && !force
    }

    fn log_report(&self) -> LogReport {
        let (report, opening) = (self.journal.report(), self.journal.opening());
        let state = lock(&self.state);
        LogReport {
            trouble: report.trouble.map(|trouble| trouble.reason),
            is_open: opening != 0 && state.rewrite_opening == opening,
            current_bytes: report.current_bytes,
            base_bytes: report.base_bytes,
            waiting_bytes: report.waiting_bytes,
            is_unsynced: report.is_unsynced,
            delayed_syncs: report.delayed_syncs,
            ..state.log.clone()
        }
    }

    fn scribe(&self, cx: &ShardCx, functions: &[&[u8]]) -> Option<SharedScribe> {
        let mut state = lock(&self.state);
        if let Some(log) = self.journal.log() {
            state.epoch = log.epoch_with(cx.id.into(), &cx.journal.own);
        }
        let UnderWay { save, purpose } = state.under_way.as_ref()?;
        let (save, purpose) = (save.clone(), *purpose);
        drop(state);
        if save.awaits_head() {
            begin_file(&save, cx, functions, purpose);
        }
        let policy = cx.config.maxmemory_policy;
        let hints = if policy.is_lfu() {
            Hints::Frequency
        } else if policy.is_lru() {
            Hints::Idle { fresh: cx.ages.rule.fresh(cx.now_ms) }
        } else {
            Hints::Nothing
        };
        Some(Arc::new(Mutex::new(Pen::new(save, cx.id, hints))))
    }

    fn give_up(&self) {
        let mut state = lock(&self.state);
        if let Some(under_way) = &state.under_way {
            under_way.save.cancel(GIVEN_UP);
        }
        // Its end is told before another begins.
        while state.under_way.is_some() {
            state = self.ended.told.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wait(&self) -> bool {
        let save = lock(&self.state).under_way.as_ref().map(|under_way| under_way.save.clone());
        match save {
            Some(save) => save.wait().is_ok(),
            None => lock(&self.state).report.is_last_ok,
        }
    }

    fn is_behind(&self) -> bool {
        lock(&self.state).under_way.as_ref().is_some_and(|under_way| under_way.save.is_behind())
    }

    fn report(&self) -> Report {
        let state = lock(&self.state);
        let snapshot = state.under_way.as_ref().filter(|one| one.purpose == Purpose::Snapshot);
        let under_way = snapshot.map(|one| (state.begun_s, one.save.keys()));
        Report { under_way, loading: self.progress.report(), ..state.report }
    }

    fn run_rewrite(&self, opening: u64) -> bool {
        let mut state = lock(&self.state);
        state.parts_left = state.parts_left.saturating_sub(1);
        opening == state.rewrite_opening && opening == self.journal.opening()
    }

    fn open_reload(&self, cx: &mut ShardCx, source: Source) -> bool {
        self.anew.open(cx, source, &self.journal)
    }

    fn reload(&self, cx: &mut ShardCx, _: Source) -> bool {
        self.anew.load(cx)
    }

    fn close_reload(&self, taken: Option<Source>) {
        self.anew.close(taken);
    }
}
