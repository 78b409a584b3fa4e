//! Saves of the process: one at a time, into the file that the configuration names.

use crate::loading::Loaded;
use crate::{KeptOn, REDIS_VERSION, log};
use command::ShardCx;
use command::saving::{Refused, Report, Saver};
use keyspace::walk::SharedScribe;
use persist::{GIVEN_UP, Head, Hints, Options, Outcome, Pen, Save, Target};
use runtime::{Waker, clock};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// The version of the format: that of Redis 7.0, which everything newer reads, too. A value that needs a newer one gets it.
const FORMAT_VERSION: u16 = 10;
/// Bytes that may wait for the disk.
const WAITING_BYTES_MAX: usize = 32 << 20;

pub struct ProcessSaver {
    shards: u16,
    state: Arc<Mutex<State>>,
    ended: Arc<Ended>,
}

/// How the last save has ended, for a look in every turn.
struct Ended {
    fails: AtomicBool,
    /// Saves that have succeeded.
    count: AtomicU64,
    /// Of the shards, which are to know at once.
    wakers: Arc<Vec<OnceLock<Waker>>>,
}

struct State {
    under_way: Option<Save>,
    begun_s: u64,
    report: Report,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_s() -> u64 {
    clock::wall_us() / 1_000_000
}

impl ProcessSaver {
    pub fn new(shards: u16, wakers: Arc<Vec<OnceLock<Waker>>>) -> Self {
        let report = Report {
            under_way: None,
            last_save_s: now_s(),
            is_last_ok: true,
            last_try_s: 0,
            last_took_s: None,
            count: 0,
            loaded: (0, 0),
        };
        let state = Arc::new(Mutex::new(State { under_way: None, begun_s: 0, report }));
        let ended = Arc::new(Ended { fails: AtomicBool::new(false), count: AtomicU64::new(0), wakers });
        Self { shards, state, ended }
    }

    /// Tells a shard what has become of the last save, before it runs anything.
    #[inline]
    pub fn tell(&self, cx: &mut ShardCx) {
        let fails = self.ended.fails.load(Ordering::Relaxed);
        cx.refuses_writes = fails && cx.needs_saves();
        if self.ended.count.load(Ordering::Relaxed) != cx.saved.count() {
            cx.note_saved();
        }
    }

    /// What all shards have loaded.
    pub fn note_loaded(&self, all: &[Loaded]) {
        lock(&self.state).report.loaded =
            all.iter().fold((0, 0), |(keys, expired), one| (keys + one.keys, expired + one.expired));
    }
}

impl State {
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

impl Saver for ProcessSaver {
    fn begin(&self, cx: &ShardCx, functions: &[&[u8]]) -> Result<(), Refused> {
        let mut state = lock(&self.state);
        if state.under_way.is_some() {
            return Err(Refused::UnderWay);
        }
        let target = Target {
            path: cx.config.dbfilename.clone(),
            options: Options { version: FORMAT_VERSION, compress: cx.config.rdbcompression },
            sums: cx.config.rdbchecksum,
            waiting_bytes_max: WAITING_BYTES_MAX,
        };
        let head = Head {
            version: FORMAT_VERSION,
            compress: cx.config.rdbcompression,
            server_version: REDIS_VERSION,
            time_s: now_s(),
            used_memory_bytes: runtime::usage::resident_bytes().0,
            fields: &[("weft-ver", crate::VERSION.as_bytes())],
            is_aof_base: false,
            functions,
            sizes: &[],
        };
        state.report.last_try_s = now_s();
        let (own, ended) = (Arc::clone(&self.state), Arc::clone(&self.ended));
        let on_end = Box::new(move |outcome: &Outcome| {
            let mut state = lock(&own);
            state.end(outcome);
            ended.fails.store(!state.report.is_last_ok, Ordering::Relaxed);
            ended.count.store(state.report.count, Ordering::Relaxed);
            ended.wakers.iter().filter_map(OnceLock::get).for_each(Waker::wake);
        });
        match Save::begin(KeptOn, target, &head, self.shards, on_end) {
            Ok(save) => {
                log::notice("Saving the data");
                (state.under_way, state.begun_s) = (Some(save), now_s());
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

    fn scribe(&self, cx: &ShardCx) -> Option<SharedScribe> {
        let save = lock(&self.state).under_way.clone()?;
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
        let save = lock(&self.state).under_way.clone();
        if let Some(save) = save {
            save.cancel(GIVEN_UP);
            // Its end is told before it is over.
            let _ = save.wait();
        }
    }

    fn wait(&self) -> bool {
        let save = lock(&self.state).under_way.clone();
        match save {
            Some(save) => save.wait().is_ok(),
            None => lock(&self.state).report.is_last_ok,
        }
    }

    fn is_behind(&self) -> bool {
        lock(&self.state).under_way.as_ref().is_some_and(Save::is_behind)
    }

    fn report(&self) -> Report {
        let state = lock(&self.state);
        let under_way = state.under_way.as_ref().map(|save| (state.begun_s, save.keys()));
        Report { under_way, ..state.report }
    }
}
