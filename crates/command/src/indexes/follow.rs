//! Indexes follow their keys: what has changed is noted where all changes of keys pass ([`ShardCx::hear_of`]), and looked at again at the
//! end of the command, before anybody can know of the change. So a search after an acknowledged write finds it.
//!
//! What a script has changed that may yet be taken back, and keys of other shards that are here for a command, are not noted before they
//! are told: then nothing can be taken back, and the keys are at home. A key that is lent keeps its document meanwhile; nobody searches
//! before it is back.

use super::failures::Last;
use super::read::{refused, with_document};
use super::{DB, Indexes, ShardIndex};
use crate::{Cx, Event, ShardCx};
use keyspace::{Key, ValueRef};
use search::error::{Code, Error};

impl Indexes {
    /// A key of database [`DB`] has changed.
    pub(crate) fn note(&mut self, key: &[u8]) {
        if self.changed.last().is_none_or(|last| **last != *key) {
            self.changed.push(key.into());
        }
    }

    /// A key has come home that keys have been looked for without, or with a value that may have vectors of an index that has gone meanwhile.
    pub fn note_home(&mut self, db: u16, key: &[u8], value: Option<ValueRef<'_>>) {
        let lends = matches!(value, Some(ValueRef::Hash(hash)) if hash.lent_len() > 0);
        if (self.scans > 0 || lends) && db == DB {
            self.note(key);
        }
    }
}

impl ShardCx {
    /// A change is being told, if indexes follow any.
    #[inline]
    pub(crate) fn note_for_indexes(&mut self, db: u16, event: Option<(Event, &'static str)>, key: &[u8]) {
        // Times to live are not indexed. Those of fields are no other: but a hash that gets some has taken its vectors back.
        let is_of_time = matches!(event, Some((_, "expire" | "persist")));
        if self.indexes.follow() && db == DB && !is_of_time {
            self.indexes.note(key);
        }
    }

    /// Brings the indexes up to date, if keys have changed.
    #[inline]
    pub fn settle_indexes(&mut self) {
        if self.indexes.are_behind() {
            self.settle_changed();
        }
    }

    #[cold]
    #[inline(never)]
    fn settle_changed(&mut self) {
        // A key that is found to be over changes at that.
        while self.indexes.are_behind() {
            let mut changed = std::mem::take(&mut self.indexes.changed);
            changed.sort_unstable();
            changed.dedup();
            changed.iter().for_each(|key| self.follow_key(key, None));
            if self.indexes.changed.is_empty() {
                changed.clear();
                self.indexes.changed = changed;
            }
        }
        self.indexes.see_links();
    }

    /// Brings a key's documents up to date, in all indexes or in that of the name.
    pub(super) fn follow_key(&mut self, key: &[u8], only: Option<&[u8]>) {
        let seed = self.seed.clone();
        let pos = Cx::internal(self, DB).find_for_write(Key::new(key, &seed));
        let clock_ns = self.platform.clock_ns;
        let Self { indexes, dbs, now_ms, now_us, .. } = self;
        let now = (*now_ms, *now_us);
        let value = pos.map(|pos| dbs[usize::from(DB)].value(pos));
        let mut begun_ns = clock_ns();
        let mut follow = |index: &mut ShardIndex| {
            if index.follow(key, value, now) {
                let ended_ns = clock_ns();
                index.indexing_ns += ended_ns.saturating_sub(begun_ns);
                begun_ns = ended_ns;
            }
        };
        match only {
            Some(name) => indexes.by_name.get_mut(name).into_iter().for_each(follow),
            None => indexes.by_name.values_mut().for_each(&mut follow),
        }
        if let Some(pos) = pos {
            self.lend_vectors(key, pos);
        }
    }
}

impl ShardIndex {
    /// Has the document that a key now stands for, or none; whether that took any work.
    fn follow(&mut self, key: &[u8], value: Option<ValueRef<'_>>, (now_ms, now_us): (u64, u64)) -> bool {
        if !self.definition.has_prefix_of(key) {
            return false;
        }
        let Some(value) = value else {
            self.forget(key);
            return true;
        };
        let (index, documents, synonyms) = (&mut self.index, &mut self.documents, &self.synonyms);
        let outcome = with_document(&self.definition, (key, value, now_ms), |document| {
            let no_id = || (None, Error::new(Code::Generic, "no ids are left for documents"));
            let id = documents.add(key, now_us).ok_or_else(no_id)?;
            index.add(id, document, synonyms).map_err(refused)
        });
        match outcome {
            Ok(Some(())) => {}
            Ok(None) => self.forget(key),
            Err((field, error)) => {
                self.forget(key);
                let last = Last { error: error.to_string(), key: key.to_vec(), at_us: now_us };
                self.failures.note(field, &last);
            }
        }
        true
    }
}
