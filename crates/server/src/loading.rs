//! Loading the data file before anybody is served.
//!
//! All shards read it at the same time, each its part; keys of others that a shard comes upon are handed over afterwards. Whatever is
//! wrong with the file stops the start and leaves the file alone.

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
struct Stray {
    db: u16,
    key: Vec<u8>,
    entry: Entry,
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
    /// For each shard.
    strays: Vec<Mutex<Vec<Stray>>>,
    /// All have read their parts.
    read: Barrier,
    begun_us: u64,
}

impl Loading {
    /// Opens the file, if there is one.
    ///
    /// # Errors
    /// When there is one that cannot be opened.
    pub fn open(config: &Config, shards: usize) -> Result<Self, String> {
        let path = config.dbfilename.clone();
        remove_abandoned();
        let file = match FileMap::open(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(format!("Cannot open {}: {}", path.display(), runtime::reason(&error))),
        };
        let (_, begun_us) = clock::now();
        let strays = (0..shards).map(|_| Mutex::default()).collect();
        Ok(Self { path, file, sums: config.rdbchecksum, strays, read: Barrier::new(shards), begun_us })
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
        outcome.map_err(|stop| match stop {
            Stop::Damage(damage) => format!("{path}: {damage}"),
            Stop::Refused(reason) => format!("{path}: {reason}"),
        })?;
        let own = &self.strays[usize::from(cx.id)];
        for Stray { db, key, entry } in
            std::mem::take(&mut *own.lock().unwrap_or_else(PoisonError::into_inner))
        {
            store(cx, db, &key, entry, &mut loaded).map_err(|reason| format!("{path}: {reason}"))?;
        }
        Ok(loaded)
    }

    fn take(&self, cx: &mut ShardCx, found: Found<'_>, loaded: &mut Loaded) -> Result<(), String> {
        match found {
            Found::Function(code) => cx.load_library(&code).map_err(|error| {
                format!("a library of functions: {}", String::from_utf8_lossy(error.line()))
            }),
            Found::RecordForAll(record) if cx.slots.shard_of(&record.key) != cx.id => Ok(()),
            Found::Record(record) | Found::RecordForAll(record) => self.take_record(cx, &record, loaded),
        }
    }

    fn take_record(&self, cx: &mut ShardCx, record: &Record<'_>, loaded: &mut Loaded) -> Result<(), String> {
        let db = cx.dbs.number(record.db.into()).ok_or_else(|| {
            let count = cx.dbs.count();
            format!(
                "at byte {}: database {}, and there are {count} (`databases`)",
                record.offset(),
                record.db
            )
        })?;
        let Some(entry) = cx.entry_of(record).map_err(|damage| damage.to_string())? else {
            loaded.expired += 1;
            return Ok(());
        };
        let shard = cx.slots.shard_of(&record.key);
        if shard == cx.id {
            return store(cx, db, &record.key, entry, loaded);
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

/// What saves have left whose processes were killed takes room.
fn remove_abandoned() {
    match persist::remove_abandoned(&KeptOn, Path::new(".")) {
        Ok(names) => names.iter().for_each(|name| {
            log::notice(format_args!("Removed {}, left by a save that did not end", name.display()));
        }),
        Err(error) => {
            log::warning(format_args!("Cannot look for files that are left: {}", runtime::reason(&error)));
        }
    }
}

fn store(cx: &mut ShardCx, db: u16, key: &[u8], entry: Entry, loaded: &mut Loaded) -> Result<(), String> {
    if !cx.load(db, key, entry) {
        return Err(format!("key \"{}\" is there twice in database {db}", key.escape_ascii()));
    }
    loaded.keys += 1;
    Ok(())
}
