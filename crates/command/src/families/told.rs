//! What handlers of several families tell the journal, in words that redis-server 7.0 knows.
//!
//! Everything here is called only where effects are written down ([`Cx::logs`]), but for [`ShardCx::replays`].

use crate::journal::Effect;
use crate::{Cx, ShardCx};
use base::number::I64Buf;
use keyspace::Free;

/// Words of one command that may become very many. Redis reads requests of up to a million words.
const WORDS_MAX: usize = 1024;

impl ShardCx {
    /// What runs now was written down before, and is played again: at time 0, so that nothing is over but what was found to be. It was accepted when it
    /// first ran.
    #[inline]
    pub fn replays(&self) -> bool {
        self.now_ms == 0
    }

    /// When somebody is said to have done what runs now, unix ms.
    #[inline]
    pub fn seen_ms(&self) -> u64 {
        if self.replays() { self.started_ms } else { self.now_ms }
    }
}

impl Cx<'_> {
    /// As [`Cx::log`] of words that need not be copied.
    pub fn log_words(&mut self, key: &[u8], words: Vec<Vec<u8>>) {
        if self.logs() {
            let (db, key) = (self.db, key.to_vec());
            self.shard.journal.effects.push(Effect { db, key, words });
            self.shard.journal.is_told = true;
        }
    }

    /// `name key item …`, in as many commands as are needed.
    pub fn log_items<'i>(&mut self, name: &[u8], key: &[u8], items: impl Iterator<Item = &'i [u8]>) {
        self.log_groups(name, key, items, 1);
    }

    /// The same where so many items in a row belong together.
    pub fn log_groups<'i>(
        &mut self,
        name: &[u8],
        key: &[u8],
        items: impl Iterator<Item = &'i [u8]>,
        group: usize,
    ) {
        let head = [name.to_vec(), key.to_vec()];
        let mut words = head.to_vec();
        for item in items {
            if words.len() - head.len() >= WORDS_MAX && (words.len() - head.len()).is_multiple_of(group) {
                self.log_words(key, std::mem::replace(&mut words, head.to_vec()));
            }
            words.push(item.to_vec());
        }
        if words.len() > head.len() {
            self.log_words(key, words);
        }
    }

    /// A string has been stored; without a time it has the one it had if that is `kept`.
    pub fn log_set(&mut self, key: &[u8], value: &[u8], at_ms: Option<u64>, kept: bool) {
        match at_ms {
            Some(at_ms) => {
                self.log(key, &[b"SET", key, value, b"PXAT", I64Buf::from_u64(at_ms).as_bytes()]);
            }
            None if kept => self.log(key, &[b"SET", key, value, b"KEEPTTL"]),
            None => self.log(key, &[b"SET", key, value]),
        }
    }

    /// A key has got a time to live.
    pub fn log_expire(&mut self, key: &[u8], at_ms: u64) {
        self.log(key, &[b"PEXPIREAT", key, I64Buf::from_u64(at_ms).as_bytes()]);
    }

    /// A key is gone.
    pub fn log_deleted(&mut self, key: &[u8]) {
        self.log(key, &[b"DEL", key]);
    }

    /// A key is gone because of the time it was given.
    pub fn log_over(&mut self, key: &[u8]) {
        let later = matches!(self.db().frees.expired, Free::Later);
        self.log(key, &[if later { &b"UNLINK"[..] } else { b"DEL" }, key]);
    }
}
