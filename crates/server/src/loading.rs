//! Loading the data file.
//!
//! All shards read it at the same time, each its part, between turns in which clients are told that data is loading
//! ([`crate::shard_loop`]). Whatever is wrong with the file stops the start and leaves the file alone.

use crate::{KeptOn, log};
use command::ShardCx;
use command::loading::Coming;
use command::saving::LoadReport;
use config::Config;
use persist::load::{self, Found, Record, Remarks, Stop};
use recovery::{Halt, number_of, take_library, take_statement};
use runtime::{FileMap, clock};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// What a shard has loaded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loaded {
    pub keys: u64,
    /// Keys whose time was over.
    pub expired: u64,
    /// Collections without elements, which were left out.
    pub empty: u64,
}

/// How far all shards are, for all to see.
#[derive(Default)]
pub struct Progress {
    shards_left: AtomicUsize,
    begun_s: AtomicU64,
    total_bytes: AtomicU64,
    loaded_bytes: AtomicU64,
    used_memory_bytes: AtomicU64,
}

impl Progress {
    /// So many shards begin to load.
    fn begin(&self, shards: usize, total_bytes: u64, used_memory_bytes: u64) {
        self.begun_s.store(clock::wall_us() / 1_000_000, Ordering::Relaxed);
        self.total_bytes.store(total_bytes, Ordering::Relaxed);
        self.loaded_bytes.store(0, Ordering::Relaxed);
        self.used_memory_bytes.store(used_memory_bytes, Ordering::Relaxed);
        self.shards_left.store(shards, Ordering::Release);
    }

    /// So many bytes more are loaded.
    pub fn add(&self, bytes: u64) {
        self.loaded_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A shard has loaded its part; whether all have.
    pub fn end_shard(&self) -> bool {
        self.shards_left.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Whether some shard has not loaded its part.
    pub fn is_under_way(&self) -> bool {
        self.shards_left.load(Ordering::Acquire) > 0
    }

    pub fn report(&self) -> Option<LoadReport> {
        let total_bytes = self.total_bytes.load(Ordering::Relaxed);
        self.is_under_way().then(|| LoadReport {
            begun_s: self.begun_s.load(Ordering::Relaxed),
            total_bytes,
            // Some of it may be looked at once more.
            loaded_bytes: self.loaded_bytes.load(Ordering::Relaxed).min(total_bytes),
            used_memory_bytes: self.used_memory_bytes.load(Ordering::Relaxed),
        })
    }
}

/// A data file.
pub struct Loading {
    path: PathBuf,
    file: Option<FileMap>,
    sums: bool,
    /// What is over is loaded, too: it is the base of append-only files, or another deletes it.
    is_base: bool,
    /// It is indexed later: it is the base of append-only files, or loaded beside what there is.
    is_indexed_later: bool,
    begun_us: u64,
}

/// Records that are looked at before the first of them is stored: the memory that they need is on its way meanwhile.
const AT_ONCE: usize = 64;
/// Who reads a part of the file.
pub trait Reader {
    fn cx(&mut self) -> &mut ShardCx;

    /// Does something else if it is time for that; whether to go on.
    fn breathe(&mut self) -> bool;
}

/// So many keys tell what those are like that are still to come.
const SAMPLE_KEYS: usize = 4096;

impl Loading {
    /// Opens the snapshot, if there is one, which so many shards are about to read, or the base of append-only files if it is
    /// these that are loaded. If there is anything to load, that goes on until [`Progress::end_shard`] has been called once more than there are shards: by who
    /// sees to what all shards need, and says that the server is ready.
    ///
    /// # Errors
    /// When there is one that cannot be opened.
    pub fn open(
        config: &Config,
        snapshot: &Path,
        progress: &Progress,
        shards: usize,
        recovery: Option<&Recovery>,
    ) -> Result<Self, String> {
        remove_abandoned(Path::new("."));
        let base = recovery.map(|recovery| recovery.base_for_all().unwrap_or(Path::new("")));
        let log_bytes = recovery.map_or(0, Recovery::bytes);
        let (is_base, path) = (base.is_some(), base.unwrap_or(snapshot).to_owned());
        let (_, begun_us) = clock::now();
        let mut loading =
            Self { path, file: None, sums: config.rdbchecksum, is_base, is_indexed_later: is_base, begun_us };
        let parties = shards + 1;
        if is_base {
            progress.begin(parties, log_bytes, 0);
        }
        match FileMap::open(&loading.path) {
            _ if loading.path.as_os_str().is_empty() => {}
            Ok(file) => {
                let remarks = load::remarks(&file);
                tell(&remarks);
                let total_bytes = log_bytes.max(file.len() as u64);
                progress.begin(parties, total_bytes, remarks.used_memory_bytes.unwrap_or(0));
                loading.file = Some(file);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                return Err(format!("Cannot open {}: {}", loading.path.display(), runtime::reason(&error)));
            }
        }
        Ok(loading)
    }

    /// The same beside what there is; with the keys whose time is over if they `are_wanted`: another deletes them.
    pub fn aside(mut self, are_wanted: bool) -> Self {
        self.is_base |= are_wanted;
        self.is_indexed_later = true;
        self
    }

    /// Whether there is anything to load.
    pub fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// Reads a shard's part, on its own thread; all shards must.
    ///
    /// # Errors
    /// What is wrong with the file, and where; or that the end was asked for.
    pub fn run(&self, reader: &mut impl Reader, progress: &Progress) -> Result<Loaded, Halt> {
        let Some(file) = &self.file else { return Ok(Loaded::default()) };
        let cx = reader.cx();
        let place = (cx.id.into(), cx.shards.into());
        let mut part = Part {
            progress,
            is_base: self.is_base,
            loaded: Loaded::default(),
            coming: Vec::new(),
            bytes: 0,
            expected: Vec::new(),
        };
        let mut seen = 0;
        let outcome = load::read(file, self.sums, place, |found| {
            part.take(reader.cx(), found)?;
            seen += 1;
            let is_delayed = dawdle(reader.cx().config.key_load_delay, seen);
            if (seen.is_multiple_of(AT_ONCE) || is_delayed) && !reader.breathe() {
                return Err(Halt::Ended);
            }
            Ok(())
        });
        let outcome = outcome.and_then(|()| part.store(reader.cx()).map_err(Stop::Refused));
        let outcome = outcome.and_then(|()| self.index(reader).map_err(Stop::Refused));
        let path = self.path.display();
        match outcome {
            Ok(()) => Ok(part.loaded),
            Err(Stop::Damage(damage)) => Err(Halt::Failed(format!("{path}: {damage}"))),
            Err(Stop::Refused(Halt::Failed(reason))) => Err(Halt::Failed(format!("{path}: {reason}"))),
            Err(Stop::Refused(Halt::Ended)) => Err(Halt::Ended),
        }
    }

    /// Indexes what was loaded, unless that is for later.
    fn index(&self, reader: &mut impl Reader) -> Result<(), Halt> {
        if self.is_indexed_later {
            return Ok(());
        }
        reader.cx().begin_indexing_loaded();
        while reader.cx().index_loaded() {
            if !reader.breathe() {
                return Err(Halt::Ended);
            }
        }
        Ok(())
    }

    /// Says what has come of it, if there was a file: when it was opened, and what all shards have loaded.
    pub fn report(begun_us: u64, all: &[Loaded]) {
        let (_, now_us) = clock::now();
        let keys: u64 = all.iter().map(|one| one.keys).sum();
        let expired: u64 = all.iter().map(|one| one.expired).sum();
        let done = format!("Done loading RDB, keys loaded: {keys}, keys expired: {expired}");
        match all.iter().map(|one| one.empty).sum::<u64>() {
            0 => log::notice(format_args!("{done}.")),
            empty => log::warning(format_args!("{done}, empty keys skipped: {empty}.")),
        }
        let seconds = (now_us - begun_us) as f64 / 1e6;
        log::notice(format_args!("DB loaded from disk: {seconds:.3} seconds"));
    }

    /// Monotonic µs when the file was opened.
    pub fn begun_us(&self) -> u64 {
        self.begun_us
    }
}

/// The append-only files that the process starts with.
pub type Recovery = recovery::Recovery<KeptOn, Log>;

/// What is said of them is for the log.
pub struct Log;

impl recovery::Teller for Log {
    fn note(&self, line: &str) {
        log::notice(line);
    }

    fn warn(&self, line: &str) {
        log::warning(line);
    }
}

/// What saves have left whose processes were killed takes room.
pub fn remove_abandoned(directory: &Path) {
    match persist::remove_abandoned(&KeptOn, directory) {
        Ok(names) => names.iter().for_each(|name| {
            log::notice(format_args!("Removed {}, left by a save that did not end", name.display()));
        }),
        Err(error) => {
            log::warning(format_args!("Cannot look for files that are left: {}", runtime::reason(&error)));
        }
    }
}

/// Makes loading take longer, for tests (`key-load-delay`); whether it did.
#[inline]
pub fn dawdle(delay: i32, seen: usize) -> bool {
    let micros = match delay {
        0 => 0,
        1.. => delay as u64,
        _ => u64::from(seen.is_multiple_of(delay.unsigned_abs() as usize)),
    };
    if micros > 0 {
        std::thread::sleep(Duration::from_micros(micros));
    }
    micros > 0
}

/// Says what the file says of itself.
fn tell(remarks: &Remarks) {
    if let Some(version) = &remarks.server_version {
        log::notice(format_args!("Loading RDB produced by version {version}"));
    }
    if let Some(at_s) = remarks.written_s {
        let age_s = (clock::wall_us() / 1_000_000).saturating_sub(at_s);
        log::notice(format_args!("RDB age {age_s} seconds"));
    }
    if let Some(bytes) = remarks.used_memory_bytes {
        let mib = bytes as f64 / f64::from(1 << 20);
        log::notice(format_args!("RDB memory usage when created {mib:.2} Mb"));
    }
}

/// A shard on its way through its part.
struct Part<'a> {
    progress: &'a Progress,
    is_base: bool,
    loaded: Loaded,
    coming: Vec<Coming<'a>>,
    /// Of the file, that what is coming takes.
    bytes: u64,
    /// Databases for which no room has been made, and how many keys they will have.
    expected: Vec<(u16, usize)>,
}

impl<'a> Part<'a> {
    fn take(&mut self, cx: &mut ShardCx, found: Found<'a>) -> Result<(), Halt> {
        match found {
            Found::Function(code) => take_library(cx, &code).map_err(Halt::Failed),
            Found::Statement(value) => take_statement(cx, &value).map_err(Halt::Failed),
            Found::Links(value) => {
                cx.indexes.keep_links(&value);
                Ok(())
            }
            Found::Expected { db, keys } => {
                self.expected.extend(cx.dbs.number(db.into()).map(|db| (db, keys)));
                Ok(())
            }
            Found::PassedOver(module) => {
                if cx.id == 0 {
                    log::warning(format_args!(
                        "Passing over what the module {} has written",
                        module.as_str()
                    ));
                }
                Ok(())
            }
            Found::Record { record, is_for_all } => {
                let is_own = cx.slots.shard_of(&record.key) == cx.id;
                match is_own || !is_for_all {
                    true => self.take_record(cx, record, is_own),
                    false => Ok(()),
                }
            }
        }
    }

    fn take_record(&mut self, cx: &mut ShardCx, record: Record<'a>, is_own: bool) -> Result<(), Halt> {
        let db = number_of(cx, &record).map_err(Halt::Failed)?;
        if !is_own {
            let (key, offset) = (record.key.escape_ascii(), record.offset());
            let reason = format!("at byte {offset}: key \"{key}\" is not of the shard that the index names");
            return Err(Halt::Failed(reason));
        }
        self.bytes += record.bytes();
        self.coming.push(cx.foresee(db, record));
        if self.coming.len() < AT_ONCE { Ok(()) } else { self.store(cx) }
    }

    /// Stores what has been looked at.
    fn store(&mut self, cx: &mut ShardCx) -> Result<(), Halt> {
        let counts = cx.load_foreseen(&mut self.coming, self.is_base);
        let counts = counts.map_err(|unloaded| Halt::Failed(unloaded.to_string()))?;
        self.loaded.keys += counts.keys as u64;
        self.loaded.expired += counts.expired as u64;
        self.loaded.empty += counts.empty as u64;
        self.progress.add(std::mem::take(&mut self.bytes));
        self.expected.retain(|&(db, keys)| {
            let db = &mut cx.dbs[db.into()];
            let is_known = db.len() >= SAMPLE_KEYS;
            if is_known {
                db.expect(keys);
            }
            !is_known
        });
        Ok(())
    }
}
