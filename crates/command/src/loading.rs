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
        let (rule, now_ms) = (self.ages.rule, self.seen_ms());
        match (idle_s, frequency) {
            (_, Some(frequency)) if rule.counts() => rule.with_count(frequency, now_ms),
            (Some(idle_s), _) if !rule.counts() => rule.idle_for(idle_s, now_ms),
            _ => self.clock_age(),
        }
    }

    /// The entry of a record. `None`: its time is over, or there is nothing in it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn entry_of(&self, record: &Record<'_>) -> Result<Option<Entry>, Damage> {
        // A time before 1970 is over.
        let expire = record.expire_ms.map(|at_ms| at_ms.max(0) as u64);
        if expire.is_some_and(|at_ms| at_ms <= self.now_ms) {
            return Ok(None);
        }
        let value = record.value(&self.shapes())?;
        let age = self.age_told(record.idle_s, record.frequency);
        Ok(value.map(|value| Entry { value, expire, age }))
    }

    /// Stores a key that a file has; whether there was none of that name.
    pub fn load(&mut self, db: u16, key: &[u8], entry: Entry) -> bool {
        let (key, now_ms) = (Key { bytes: key, hash: self.seed.hash(key) }, self.now_ms);
        let db = &mut self.dbs[db.into()];
        let is_new = matches!(db.find(key, now_ms), Found::Missing);
        if is_new {
            db.install(key, entry);
        }
        is_new
    }

    /// # Errors
    /// Why the library is none.
    pub fn load_library(&mut self, code: &[u8]) -> Result<(), Error> {
        libraries::load(self, code, false, &Trial::from_word(&[])).map(drop)
    }
}
