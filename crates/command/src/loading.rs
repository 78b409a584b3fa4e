//! Taking in what a data file has.

use crate::scripting::libraries::{self, Trial};
use crate::{Error, ShardCx};
use keyspace::{Db, Entry, Found, Key, Pos};
use rdb::Shapes;
use rdb::file::{Damage, Record};
use std::fmt;

/// A record that is about to be loaded.
pub struct Coming<'a> {
    db: u16,
    hash: u64,
    record: Record<'a>,
}

/// Why a record cannot be loaded.
#[derive(Debug)]
pub enum Unloaded {
    Damage(Damage),
    /// There is such a key.
    Twice {
        /// Where the second begins, bytes from the beginning of the file.
        offset: u64,
        db: u16,
        key: Vec<u8>,
    },
}

/// What there is to store of a record.
pub enum Content {
    Entry(Entry),
    /// Its time is over.
    Expired,
    /// A collection without elements, which nobody can have.
    Empty,
}

/// What has come of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub keys: usize,
    pub expired: usize,
    pub empty: usize,
}

impl fmt::Display for Unloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damage(damage) => damage.fmt(f),
            Self::Twice { offset, db, key } => {
                let key = key.escape_ascii();
                write!(f, "at byte {offset}: key \"{key}\" is there twice in database {db}")
            }
        }
    }
}

impl ShardCx {
    /// Which form collections take that are read from bytes.
    pub(crate) fn shapes(&self) -> Shapes<'_> {
        let limits = &self.limits;
        Shapes { list: limits.list, set: limits.set, hash: limits.hash, zset: limits.zset, seed: &self.seed }
    }

    /// The age of a key of which this is told: what the policy has no use for is passed over.
    pub(crate) fn age_told(&self, idle_s: Option<u64>, frequency: Option<u8>) -> u32 {
        let (rule, now_ms) = (self.ages.rule, self.seen_ms());
        match (idle_s, frequency) {
            (_, Some(frequency)) if rule.counts() => rule.with_count(frequency, now_ms),
            (Some(idle_s), _) if !rule.counts() => rule.idle_for(idle_s, now_ms),
            _ => self.clock_age(),
        }
    }

    /// The entry of a record. `is_base`: commands follow that were written down when its time was not over, and another deletes it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn entry_of(&self, record: &Record<'_>, is_base: bool) -> Result<Content, Damage> {
        // A time before 1970 is over.
        let expire = record.expire_ms.map(|at_ms| at_ms.max(0) as u64);
        if !is_base && expire.is_some_and(|at_ms| at_ms <= self.now_ms) {
            return Ok(Content::Expired);
        }
        let value = record.value(&self.shapes())?;
        let age = self.age_told(record.idle_s, record.frequency);
        Ok(value.map_or(Content::Empty, |value| Content::Entry(Entry { value, expire, age })))
    }

    /// A record that is to be loaded with others.
    #[inline]
    pub fn foresee<'a>(&self, db: u16, record: Record<'a>) -> Coming<'a> {
        Coming { db, hash: self.seed.hash(&record.key), record }
    }

    /// Stores what has been foreseen. `is_base`: see [`ShardCx::entry_of`].
    ///
    /// # Errors
    /// The first that cannot be stored.
    pub fn load_foreseen(&mut self, coming: &mut Vec<Coming<'_>>, is_base: bool) -> Result<Counts, Unloaded> {
        // First the places of all in their tables are asked for, in short loops: a processor finds several pages at a time only as far as
        // it looks ahead.
        for Coming { db, hash, .. } in &*coming {
            self.dbs[usize::from(*db)].prefetch_bucket_for_write(*hash);
        }
        for Coming { db, hash, .. } in &*coming {
            self.dbs[usize::from(*db)].prefetch_record_for_write(*hash);
        }
        let mut counts = Counts::default();
        for Coming { db, hash, record } in coming.drain(..) {
            let key = Key { bytes: &record.key, hash };
            let is_new = match (record.expire_ms, record.string().map_err(Unloaded::Damage)?) {
                (None, Some(text)) => {
                    let age = self.age_told(record.idle_s, record.frequency);
                    self.load_new(db, key, |db| db.load_str(key, &text, age))
                }
                _ => match self.entry_of(&record, is_base).map_err(Unloaded::Damage)? {
                    Content::Expired => {
                        counts.expired += 1;
                        continue;
                    }
                    Content::Empty => {
                        counts.empty += 1;
                        continue;
                    }
                    Content::Entry(entry) => self.load_new(db, key, |db| db.install(key, entry)),
                },
            };
            if !is_new {
                return Err(Unloaded::Twice { offset: record.offset(), db, key: record.key.to_vec() });
            }
            counts.keys += 1;
        }
        Ok(counts)
    }

    /// Stores a key that a file has; whether there was none of that name.
    pub fn load(&mut self, db: u16, key: &[u8], entry: Entry) -> bool {
        let key = Key { bytes: key, hash: self.seed.hash(key) };
        self.load_new(db, key, |db| db.install(key, entry))
    }

    #[inline]
    fn load_new(&mut self, db: u16, key: Key<'_>, store: impl FnOnce(&mut Db) -> Pos) -> bool {
        let db = &mut self.dbs[db.into()];
        let is_new = matches!(db.find(key, 0), Found::Missing);
        if is_new {
            store(db);
        }
        is_new
    }

    /// The code of all libraries.
    pub fn library_codes(&self) -> Vec<Vec<u8>> {
        self.scripts.functions.shelf.libraries().map(|(_, library)| library.code.to_vec()).collect()
    }

    /// Has these libraries and no others.
    ///
    /// # Errors
    /// Why one of them is none.
    pub fn replace_libraries(&mut self, codes: &[Vec<u8>]) -> Result<(), Error> {
        if self.library_codes() == codes {
            return Ok(());
        }
        self.scripts.functions.flush();
        codes.iter().try_for_each(|code| self.load_library(code))
    }

    /// Takes all keys out, each with its database.
    pub fn take_all(&mut self, mut visit: impl FnMut(u16, Vec<u8>, Entry)) {
        /// Keys that are noted before they are taken out.
        const AT_ONCE: usize = 1024;
        let numbers: Vec<u16> = self.dbs.numbered().map(|(number, _)| number).collect();
        for number in numbers {
            let mut cursor = 0;
            loop {
                cursor = self.take_some(number, cursor, AT_ONCE, |key, entry| visit(number, key, entry));
                if cursor == 0 {
                    break;
                }
            }
        }
    }

    /// Takes some keys of a database out, `count` or a few more, from where the last call has stopped (0: from the beginning); where the
    /// next goes on, 0 when there is none left.
    pub fn take_some(
        &mut self,
        db: u16,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(Vec<u8>, Entry),
    ) -> u64 {
        let db = &mut self.dbs[usize::from(db)];
        let mut keys = Vec::with_capacity(count);
        let cursor = db.scan(cursor, count, |key, _, _| keys.push(key.to_vec()));
        for key in keys {
            // One may be met twice.
            if let Found::Live(pos) = db.find(Key::new(&key, &self.seed), 0) {
                let entry = db.take(pos);
                visit(key, entry);
            }
        }
        cursor
    }

    /// # Errors
    /// Why the library is none.
    pub fn load_library(&mut self, code: &[u8]) -> Result<(), Error> {
        libraries::load(self, code, false, &Trial::from_word(&[])).map(drop)
    }
}
