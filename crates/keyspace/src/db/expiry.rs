//! When entries expire: beside the time in the record, the earliest of each segment and the times that fit no record.

use super::Db;
use crate::record::{self, EXPIRE_MAX_MS};
use table::Pos;

impl Db {
    #[inline]
    pub fn expire(&self, pos: Pos) -> Option<u64> {
        self.expire_of(self.table.record(pos))
    }

    #[inline]
    pub(super) fn expire_of(&self, record: &[u8]) -> Option<u64> {
        match record::expire(record) {
            Some(EXPIRE_MAX_MS) => Some(self.far.get(record::key(record)).copied().unwrap_or(EXPIRE_MAX_MS)),
            expire => expire,
        }
    }

    /// Sets or clears the expiry.
    pub fn set_expire(&mut self, pos: Pos, expire: Option<u64>) -> Pos {
        self.keep_entry(pos);
        let old = self.table.record(pos);
        let had = record::expire(old).is_some();
        let pos = match (had, expire) {
            (true, Some(at_ms)) => {
                record::set_expire(self.table.record_mut(pos), at_ms);
                pos
            }
            (false, None) => pos,
            _ => {
                let (code, payload) = (record::code(old), record::payload(old).len());
                let len = if expire.is_some() { old.len() + 6 } else { old.len() - 6 };
                self.live = self.live + len - old.len();
                self.table.replace(pos, len, |old, new| {
                    record::rewrite(old, new, code, expire, payload).copy_from_slice(record::payload(old));
                })
            }
        };
        self.note_expire(pos, had, expire);
        pos
    }

    pub(super) fn note_expire(&mut self, pos: Pos, had: bool, expire: Option<u64>) {
        self.expiring = self.expiring + usize::from(expire.is_some()) - usize::from(had);
        if let Some(at_ms) = expire {
            let meta = self.table.meta_mut(pos);
            meta.expire_min = meta.expire_min.min(at_ms);
        }
        if !self.far.is_empty() || expire.is_some_and(|at_ms| at_ms >= EXPIRE_MAX_MS) {
            self.note_far(pos, expire);
        }
    }

    #[cold]
    fn note_far(&mut self, pos: Pos, expire: Option<u64>) {
        let key = record::key(self.table.record(pos));
        match expire.filter(|&at_ms| at_ms >= EXPIRE_MAX_MS) {
            Some(at_ms) => self.far.insert(key.into(), at_ms),
            None => self.far.remove(key),
        };
    }

    /// Fields of the hash at `pos` expire, none of them before `at_ms`.
    pub(crate) fn note_field_expire(&mut self, pos: Pos, at_ms: u64) {
        let meta = self.table.meta_mut(pos);
        meta.field_min = meta.field_min.min(at_ms);
    }
}
