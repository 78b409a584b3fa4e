//! What commands leave behind to be written into a journal: the effects, as commands that do the same again at any time.
//!
//! A command that changes data is written down as it was given. That is right where it does the same when it is played again, alone,
//! later, with what its shard has then. A handler whose command does not (it depends on the clock, on chance, on who waits, on the order of a hash table) says instead
//! what has come of it, with [`Cx::log`]. See `docs/decisions/append-only-files.md`.
//!
//! What keys of several shards are together for (`Guests`) is not written as it was given unless all its keys are one shard's: what
//! it has not told itself is written as the new value of each key that it has changed.
//!
//! What belongs together (a transaction, a script, an operation of several shards) is *gathered*, and handed on as a whole when it is over.

mod effects;

pub use effects::{Effects, Listed, Mark, Words};

use crate::change::DbKey;
use crate::indexes::saved::Statement;
use crate::notices::subkeys::{self, Subkeys};
use crate::spec::flag;
use crate::{Args, Command, Cx, Plan, ShardCx};
use ::journal::TxId;
use ::journal::chunk::Chunk;
use base::number::append_u64;
use keyspace::{Found, Key, ValueRef};
use rdb::encode::Options;
use std::sync::Arc;

/// A command of one key that has the same effect whenever it is played at its place among those of this key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    pub db: u16,
    /// Whose shard it concerns.
    pub key: Vec<u8>,
    pub words: Vec<Vec<u8>>,
}

/// What the running command has said of its effects, and what commands before it have left.
#[derive(Default)]
pub struct Journal {
    /// Somebody reads it.
    pub is_on: bool,
    /// How often it had been turned on, in the whole process, when this shard last turned it on (see [`crate::saving::Saver::run_rewrite`]).
    pub opening: u64,
    /// In place of the command as it was given.
    pub effects: Vec<Effect>,
    /// The command has said all there is to say: it is not written down as it was given.
    pub is_told: bool,
    /// What is to be added to this shard's file, in order.
    pub own: Chunk,
    /// Times are noted (`aof-timestamp-enabled`), unix seconds: what it is, and what has been noted last in this file.
    pub is_timed: bool,
    pub now_s: u64,
    noted_s: u64,
    /// What belongs together and is not over.
    gathered: Effects,
    is_gathering: bool,
    /// Keys that the running command has changed, as far as that must be known.
    changed: Vec<DbKey>,
}

impl Journal {
    /// From now on what happens belongs together, until [`Journal::end_gathering`]; whether that begins here.
    #[inline]
    pub fn begin_gathering(&mut self) -> bool {
        self.is_on && !std::mem::replace(&mut self.is_gathering, true)
    }

    /// It is over: what has been gathered.
    #[inline]
    pub fn end_gathering(&mut self) -> Effects {
        self.is_gathering = false;
        std::mem::take(&mut self.gathered)
    }

    /// It is over, and concerns this shard only: a block.
    pub fn end_block(&mut self) {
        self.is_gathering = false;
        if !self.gathered.is_empty() {
            self.note_time();
        }
        self.gathered.write_block(&mut self.own, None);
        self.gathered.clear();
    }

    /// It is over, and this shard's part of a transaction of several shards: nothing if nothing has happened.
    pub fn end_part(&mut self, tx: TxId) {
        self.is_gathering = false;
        if !self.gathered.is_empty() {
            self.note_time();
            self.own.begin_part(tx);
            self.gathered.iter().for_each(|listed| self.own.command(listed.db, listed.words));
            self.own.end_part();
        }
        self.gathered.clear();
    }

    /// What follows in this shard's file is from now on.
    #[inline]
    pub fn note_time(&mut self) {
        if self.is_timed && self.now_s > self.noted_s {
            self.noted_s = self.now_s;
            self.own.timestamp(self.now_s);
        }
    }

    /// The next is noted whatever it is.
    pub fn forget_time(&mut self) {
        self.noted_s = 0;
    }

    /// This shard's file ends; see [`Chunk::end_generation`].
    pub fn end_generation(&mut self, head: Option<(u16, &[&[u8]])>) {
        self.noted_s = 0;
        self.own.end_generation(head);
    }

    /// How far what is being gathered has come.
    pub fn mark(&self) -> Mark {
        self.gathered.mark()
    }

    /// What has been gathered since has not happened, but for keys whose time was over.
    pub fn take_back(&mut self, mark: Mark) {
        self.gathered.take_back(mark);
    }

    /// Adds a command to what is gathered, or to this shard's file.
    #[inline]
    fn add<'w>(&mut self, shard: u16, db: u16, words: impl ExactSizeIterator<Item = &'w [u8]>, stays: bool) {
        match self.is_gathering {
            true => self.gathered.push(shard, db, words, stays),
            false => {
                self.note_time();
                self.own.command(db, words);
            }
        }
    }
}

impl ShardCx {
    /// Whether effects are written down.
    #[inline]
    pub fn logs(&self) -> bool {
        self.journal.is_on
    }

    /// Whether somebody needs to know which fields of a hash have changed.
    #[inline]
    pub(crate) fn names_fields(&self) -> bool {
        self.notices.subkeys || self.logs()
    }

    /// A command has run without error: writes down what it has done. `dirty`: the count of changes before it.
    #[cold]
    #[inline(never)]
    pub fn write_down(&mut self, command: &Command, args: Args<'_>, db: u16, dirty: u64) {
        let is_told = std::mem::take(&mut self.journal.is_told);
        if is_told {
            return self.write_told();
        }
        // What runs other commands has written down what those have done.
        let is_made_of_others = command.flags & flag::SCRIPT != 0 || matches!(command.plan, Plan::Block);
        // What developers do to the data is not written down, as in Redis (DEBUG POPULATE).
        let is_written = command.flags & (flag::WRITE | flag::MAY_REPLICATE) != 0;
        if is_made_of_others || !is_written {
            return self.journal.changed.clear();
        }
        if self.shards > 1 {
            if self.guests.are_here() {
                return self.write_among_guests(command, args, db, dirty);
            }
            if matches!(command.plan, Plan::All(..)) {
                return self.write_of_all(command, args, db, dirty);
            }
        }
        if self.dirty <= dirty {
            return;
        }
        let words = words_given(command, args);
        if words == args.len()
            && !self.journal.is_gathering
            && let Some(request) = args.as_it_came()
        {
            self.journal.note_time();
            return self.journal.own.request(db, request);
        }
        self.journal.add(self.id, db, args.from(0).take(words), false);
    }

    /// A command has failed, or waits: it has done nothing, but for what it says itself (a client that waits for entries of a group is a
    /// consumer from then on).
    #[cold]
    pub fn write_failed(&mut self) {
        self.journal.is_told = false;
        self.write_told();
    }

    /// Writes what the handler has said.
    fn write_told(&mut self) {
        self.journal.changed.clear();
        let mut told = std::mem::take(&mut self.journal.effects);
        for Effect { db, key, words } in told.drain(..) {
            let shard = self.slots.shard_of(&key);
            self.journal.add(shard, db, words.iter().map(Vec::as_slice), false);
        }
        self.journal.effects = told;
    }

    /// Writes a command of which every shard has run a part.
    fn write_of_all(&mut self, command: &Command, args: Args<'_>, db: u16, dirty: u64) {
        if is_of_databases(command) {
            // Every shard must say so, whether it had anything there or not.
            let words = args.from(0);
            if self.journal.is_gathering {
                return self.journal.gathered.push_end(self.id, db, words);
            }
            let words: Vec<_> = words.collect();
            return self.journal.end_generation((self.id == 0).then_some((db, &words)));
        }
        if self.id == 0 && self.dirty > dirty {
            let words = words_given(command, args);
            self.journal.add(self.id, db, args.from(0).take(words), false);
        }
    }

    /// Writes what a command has done among keys of several shards.
    fn write_among_guests(&mut self, command: &Command, args: Args<'_>, db: u16, dirty: u64) {
        let mut changed = std::mem::take(&mut self.journal.changed);
        if self.dirty <= dirty {
            changed.clear();
            self.journal.changed = changed;
            return;
        }
        let keys = self.keys_of(command, args, db);
        let shards = keys.iter().map(|(_, key)| self.slots.shard_of(key));
        if command.flags & flag::CROSS_DB == 0
            && let Some(shard) = one(shards)
        {
            let words = words_given(command, args);
            return self.journal.add(shard, db, args.from(0).take(words), false);
        }
        if changed.is_empty() {
            changed = keys;
        }
        changed.sort();
        changed.dedup();
        changed.iter().for_each(|(db, key)| self.write_value(*db, key));
    }

    /// Writes what all shards have done and the first says for them: the running command says itself what else it has done.
    pub(crate) fn write_for_all(&mut self, words: &[&[u8]]) {
        if self.logs() && self.id == 0 {
            self.journal.add(self.id, 0, words.iter().copied(), false);
        }
        self.journal.is_told = true;
    }

    /// Writes what is under a key now.
    fn write_value(&mut self, db: u16, key: &[u8]) {
        let shard = self.slots.shard_of(key);
        let seed = self.seed.clone();
        let journal = &mut self.journal;
        let space = &mut self.dbs[db as usize];
        let Found::Live(pos) = space.find(Key::new(key, &seed), 0) else {
            return journal.add(shard, db, [&b"DEL"[..], key].into_iter(), false);
        };
        let mut at_ms = Vec::new();
        append_u64(&mut at_ms, space.expire(pos).unwrap_or(0));
        match space.value(pos) {
            ValueRef::Str { bytes, .. } => {
                let len = if at_ms == b"0" { 3 } else { 5 };
                let words = [&b"SET"[..], key, bytes.bytes(), b"PXAT", &at_ms];
                journal.add(shard, db, words.into_iter().take(len), false);
            }
            value => {
                let options = Options { compress: self.config.rdbcompression, version: RESTORE_VERSION };
                let payload = rdb::dump::payload(value, &options);
                let words = [&b"RESTORE"[..], key, &at_ms, &payload, b"REPLACE", b"ABSTTL"];
                journal.add(shard, db, words.into_iter(), false);
            }
        }
    }

    /// Writes what has come from a file beside the data or, with `flushes`, in place of it: this shard's keys and all libraries. All shards do.
    pub(crate) fn write_reloaded(
        &mut self,
        flushes: bool,
        keys: &[DbKey],
        codes: &[Arc<[u8]>],
        indexes: &[Statement],
    ) {
        if !self.logs() {
            return;
        }
        debug_assert!(self.journal.is_gathering, "what belongs together");
        let (id, is_first) = (self.id, self.id == 0);
        match flushes {
            true if self.shards > 1 => self.journal.gathered.push_end(id, 0, [&b"FLUSHALL"[..]].into_iter()),
            true => self.journal.add(id, 0, [&b"FLUSHALL"[..]].into_iter(), false),
            false => {}
        }
        if flushes && is_first {
            self.journal.add(id, 0, [&b"FUNCTION"[..], b"FLUSH"].into_iter(), false);
        }
        for words in indexes.iter().filter(|_| flushes && is_first) {
            self.journal.add(id, 0, words.iter().map(Vec::as_slice), false);
        }
        for code in codes.iter().filter(|_| is_first) {
            self.journal.add(id, 0, [&b"FUNCTION"[..], b"LOAD", b"REPLACE", code].into_iter(), false);
        }
        keys.iter().for_each(|(db, key)| self.write_value(*db, key));
    }

    /// Writes that a key is gone: its time was over, or there was no room for it. That is not taken back whatever the running command comes to.
    #[inline]
    pub fn write_gone(&mut self, db: u16, key: &[u8]) {
        if self.logs() {
            self.write_gone_words(db, key, &[b"DEL", key]);
        }
    }

    /// The same in a list.
    pub fn add_gone(&self, effects: &mut Effects, db: u16, key: &[u8]) {
        if self.logs() {
            effects.push(self.slots.shard_of(key), db, [&b"DEL"[..], key].into_iter(), true);
        }
    }

    /// The same of fields of a hash.
    pub(crate) fn write_gone_fields(&mut self, db: u16, key: &[u8], fields: &Subkeys) {
        if !self.logs() || fields.is_empty() {
            return;
        }
        let mut words = vec![&b"HDEL"[..], key];
        words.extend(subkeys::each(fields.names()));
        debug_assert_eq!(words.len(), 2 + fields.count(), "they are named while effects are written down");
        self.write_gone_words(db, key, &words);
    }

    #[cold]
    fn write_gone_words(&mut self, db: u16, key: &[u8], words: &[&[u8]]) {
        let shard = if self.guests.are_here() { self.slots.shard_of(key) } else { self.id };
        self.journal.add(shard, db, words.iter().copied(), true);
    }

    /// A key may have been changed by the running command, among keys of several shards.
    #[inline]
    pub(crate) fn note_changed(&mut self, db: u16, key: &[u8]) {
        if self.journal.is_on {
            self.journal.changed.push((db, key.to_vec()));
        }
    }
}

/// The version of payloads that redis-server 7.0 takes, where a value can be told in it.
pub(crate) const RESTORE_VERSION: u16 = 10;

/// Whether a command concerns whole databases, on all shards at once.
fn is_of_databases(command: &Command) -> bool {
    matches!(command.full_name, "flushall" | "flushdb" | "swapdb")
}

/// The number that all of them are.
fn one(mut numbers: impl Iterator<Item = u16>) -> Option<u16> {
    let first = numbers.next()?;
    numbers.all(|other| other == first).then_some(first)
}

/// How many of its words a command was given: what its preparation has added stands behind them.
fn words_given(command: &Command, args: Args<'_>) -> usize {
    args.len() - usize::from(command.added_args)
}

impl Cx<'_> {
    /// Whether effects are written down: what [`Cx::log`] needs need not be made otherwise.
    #[inline]
    pub fn logs(&self) -> bool {
        self.shard.journal.is_on
    }

    /// Writes down what the running command has done to a key, in place of the command as it was given. Several calls stand in their order.
    pub fn log(&mut self, key: &[u8], words: &[&[u8]]) {
        self.log_in(self.db, key, words);
    }

    /// As [`Cx::log`] in another database.
    pub fn log_in(&mut self, db: u16, key: &[u8], words: &[&[u8]]) {
        if !self.logs() {
            return;
        }
        let words = words.iter().map(|word| word.to_vec()).collect();
        self.shard.journal.effects.push(Effect { db, key: key.to_vec(), words });
        self.shard.journal.is_told = true;
    }

    /// The running command has changed nothing that must be there after a restart.
    pub fn log_nothing(&mut self) {
        self.shard.journal.is_told = true;
    }
}
