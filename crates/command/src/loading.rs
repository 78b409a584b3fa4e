//! Taking in what a data file has.

use crate::scripting::libraries::{self, Trial};
use crate::{Error, ShardCx};
use keyspace::{Entry, Found, Key};
use rdb::Shapes;
use rdb::file::{Damage, Record};

impl ShardCx {
    /// Which form collections take that are read from bytes.
    pub(crate) fn shapes(&self) -> Shapes<'_> {
        let limits = &self.limits;
        Shapes { list: limits.list, set: limits.set, hash: limits.hash, zset: limits.zset, seed: &self.seed }
    }

    /// The age of a key of which this is told: what the policy has no use for is passed over.
    pub(crate) fn age_told(&self, idle_s: Option<u64>, frequency: Option<u8>) -> u32 {
        let (rule, now_ms) = (self.ages.rule, self.now_ms);
        match (idle_s, frequency) {
            (_, Some(frequency)) if rule.counts() => rule.with_count(frequency, now_ms),
            (Some(idle_s), _) if !rule.counts() => rule.idle_for(idle_s, now_ms),
            _ => self.clock_age(),
        }
    }

    /// The entry of a record. `None`: its time is over, or there is nothing in it. `is_base`: commands follow that were written down when
    /// its time was not over, and another deletes it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn entry_of(&self, record: &Record<'_>, is_base: bool) -> Result<Option<Entry>, Damage> {
        // A time before 1970 is over.
        let expire = record.expire_ms.map(|at_ms| at_ms.max(0) as u64);
        if !is_base && expire.is_some_and(|at_ms| at_ms <= self.now_ms) {
            return Ok(None);
        }
        let value = record.value(&self.shapes())?;
        let age = self.age_told(record.idle_s, record.frequency);
        Ok(value.map(|value| Entry { value, expire, age }))
    }

    /// Stores a key that a file has; whether there was none of that name.
    pub fn load(&mut self, db: u16, key: &[u8], entry: Entry) -> bool {
        let key = Key { bytes: key, hash: self.seed.hash(key) };
        let db = &mut self.dbs[db.into()];
        let is_new = matches!(db.find(key, 0), Found::Missing);
        if is_new {
            db.install(key, entry);
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
        let seed = self.seed.clone();
        for (number, db) in self.dbs.iter_mut_numbered() {
            let keys: Vec<Vec<u8>> = db.iter().map(|(key, ..)| key.to_vec()).collect();
            for key in keys {
                if let Found::Live(pos) = db.find(Key::new(&key, &seed), 0) {
                    let entry = db.take(pos);
                    visit(number, key, entry);
                }
            }
        }
    }

    /// # Errors
    /// Why the library is none.
    pub fn load_library(&mut self, code: &[u8]) -> Result<(), Error> {
        libraries::load(self, code, false, &Trial::from_word(&[])).map(drop)
    }
}
