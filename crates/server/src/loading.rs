//! Loading the data file before anybody is served.
//!
//! All shards read it at the same time, each its part; keys of others that a shard comes upon are handed over afterwards. Whatever is
//! wrong with the file stops the start and leaves the file alone.

use crate::recovery::Recovery;
use crate::{KeptOn, log};
use command::ShardCx;
use config::Config;
use keyspace::Entry;
use persist::load::{self, Found, Record, Stop};
use runtime::{FileMap, clock};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Barrier, Mutex, PoisonError};

/// A key on its way to the shard that has it.
pub struct Stray {
    pub db: u16,
    pub key: Vec<u8>,
    pub entry: Entry,
}

/// What a shard has loaded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loaded {
    pub keys: u64,
    /// Keys whose time was over.
    pub expired: u64,
}

/// A data file, and what its readers share.
pub struct Loading {
    path: PathBuf,
    file: Option<FileMap>,
    sums: bool,
    /// It is the base of append-only files.
    is_base: bool,
    /// For each shard.
    strays: Vec<Mutex<Vec<Stray>>>,
    /// All have read their parts.
    read: Barrier,
    begun_us: u64,
}

impl Loading {
    /// Opens the file, if there is one: that of snapshots, or the base of append-only files, if there are any.
    ///
    /// # Errors
    /// When there is one that cannot be opened.
    pub fn open(config: &Config, shards: usize, recovery: Option<&Recovery>) -> Result<Self, String> {
        let base = recovery.map(|recovery| recovery.base_for_all().map(Path::to_owned));
        let is_base = base.is_some();
        let path = base.unwrap_or_else(|| Some(config.dbfilename.clone())).unwrap_or_default();
        remove_abandoned(Path::new("."));
        let file = match FileMap::open(&path) {
            _ if path.as_os_str().is_empty() => None,
            Ok(file) => Some(file),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(format!("Cannot open {}: {}", path.display(), runtime::reason(&error))),
        };
        let (_, begun_us) = clock::now();
        let strays = (0..shards).map(|_| Mutex::default()).collect();
        let (sums, read) = (config.rdbchecksum, Barrier::new(shards));
        Ok(Self { path, file, sums, is_base, strays, read, begun_us })
    }

    /// Reads a shard's part, on its own thread; all shards must.
    ///
    /// # Errors
    /// What is wrong with the file, and where.
    pub fn run(&self, cx: &mut ShardCx) -> Result<Loaded, String> {
        let Some(file) = &self.file else { return Ok(Loaded::default()) };
        let mut loaded = Loaded::default();
        let place = (cx.id.into(), cx.shards.into());
        let outcome = load::read(file, self.sums, place, |found| self.take(cx, found, &mut loaded));
        self.read.wait();
        let path = self.path.display();
        outcome.map_err(|stop| in_words(&self.path, stop))?;
        let own = &self.strays[usize::from(cx.id)];
        for stray in std::mem::take(&mut *own.lock().unwrap_or_else(PoisonError::into_inner)) {
            take_stray(cx, stray).map_err(|reason| format!("{path}: {reason}"))?;
            loaded.keys += 1;
        }
        Ok(loaded)
    }

    fn take(&self, cx: &mut ShardCx, found: Found<'_>, loaded: &mut Loaded) -> Result<(), String> {
        match found {
            Found::Function(code) => take_library(cx, &code),
            Found::RecordForAll(record) if cx.slots.shard_of(&record.key) != cx.id => Ok(()),
            Found::Record(record) | Found::RecordForAll(record) => self.take_record(cx, &record, loaded),
        }
    }

    fn take_record(&self, cx: &mut ShardCx, record: &Record<'_>, loaded: &mut Loaded) -> Result<(), String> {
        let Some((db, entry)) = entry_of(cx, record, self.is_base)? else {
            loaded.expired += 1;
            return Ok(());
        };
        let shard = cx.slots.shard_of(&record.key);
        if shard == cx.id {
            loaded.keys += 1;
            return take_stray(cx, Stray { db, key: record.key.to_vec(), entry });
        }
        let mut strays = self.strays[usize::from(shard)].lock().unwrap_or_else(PoisonError::into_inner);
        strays.push(Stray { db, key: record.key.to_vec(), entry });
        Ok(())
    }

    /// Says what has come of it.
    pub fn report(&self, all: &[Loaded]) {
        if self.file.is_none() {
            return;
        }
        let (_, now_us) = clock::now();
        let keys: u64 = all.iter().map(|one| one.keys).sum();
        let expired: u64 = all.iter().map(|one| one.expired).sum();
        log::notice(format_args!("Done loading RDB, keys loaded: {keys}, keys expired: {expired}."));
        let seconds = (now_us - self.begun_us) as f64 / 1e6;
        log::notice(format_args!("DB loaded from disk: {seconds:.3} seconds"));
    }
}

/// The entry of a record, and its database, unless its time is over.
fn entry_of(cx: &ShardCx, record: &Record<'_>, is_base: bool) -> Result<Option<(u16, Entry)>, String> {
    let db = cx.dbs.number(record.db.into()).ok_or_else(|| {
        let (count, offset) = (cx.dbs.count(), record.offset());
        format!("at byte {offset}: database {}, and there are {count} (`databases`)", record.db)
    })?;
    let entry = cx.entry_of(record, is_base).map_err(|damage| damage.to_string())?;
    Ok(entry.map(|entry| (db, entry)))
}

fn take_library(cx: &mut ShardCx, code: &[u8]) -> Result<(), String> {
    cx.load_library(code)
        .map_err(|error| format!("a library of functions: {}", String::from_utf8_lossy(error.line())))
}

/// Stores a key where it belongs.
///
/// # Errors
/// When there is one of that name.
pub fn take_stray(cx: &mut ShardCx, Stray { db, key, entry }: Stray) -> Result<(), String> {
    match cx.load(db, &key, entry) {
        true => Ok(()),
        false => Err(format!("key \"{}\" is there twice in database {db}", key.escape_ascii())),
    }
}

fn in_words(path: &Path, stop: Stop<String>) -> String {
    let path = path.display();
    match stop {
        Stop::Damage(damage) => format!("{path}: {damage}"),
        Stop::Refused(reason) => format!("{path}: {reason}"),
    }
}

/// Loads a base for who has every key; where the data ends, and commands may follow.
///
/// # Errors
/// What is wrong with the file, and where.
pub fn load_base(cx: &mut ShardCx, path: &Path, bytes: &[u8], sums: bool) -> Result<usize, String> {
    let end = load::read_front(bytes, sums, |found| match found {
        Found::Function(code) => take_library(cx, &code),
        Found::Record(record) | Found::RecordForAll(record) => match entry_of(cx, &record, true)? {
            Some((db, entry)) => take_stray(cx, Stray { db, key: record.key.to_vec(), entry }),
            None => Ok(()),
        },
    });
    end.map_err(|stop| in_words(path, stop))
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
