//! What commands leave behind to be written into a journal: the effects, as commands that do the same again at any time.
//!
//! A command that changes data is written down as it was given. That is right where it does the same when it is played again, alone,
//! later, with what its shard has then. A handler whose command does not (it depends on the clock, on chance, on who waits, on the order of a hash table) says instead
//! what has come of it, with [`Cx::log`]. See `docs/decisions/append-only-files.md`.

use crate::{Cx, ShardCx};

/// A command of one key that has the same effect whenever it is played at its place among those of this key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    pub db: u16,
    /// Whose shard it concerns.
    pub key: Vec<u8>,
    pub words: Vec<Vec<u8>>,
}

/// What the running command has said of its effects.
#[derive(Default)]
pub struct Journal {
    /// Somebody reads it.
    pub is_on: bool,
    /// In place of the command as it was given.
    pub effects: Vec<Effect>,
    /// The command has said all there is to say: it is not written down as it was given.
    pub is_told: bool,
}

impl ShardCx {
    /// Whether effects are written down.
    #[inline]
    pub fn logs(&self) -> bool {
        self.journal.is_on
    }
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
