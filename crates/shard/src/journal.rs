//! The effects of what runs on this shard, on their way to the files.
//!
//! What a command does to keys of this shard goes into the chunk that this shard adds to its file (`command::journal`). What belongs
//! together on several shards is handed over for all of them: by who has brought the keys together, before it sends them home; by each for its share
//! of a split command, and closed by who merges the replies.

use crate::shard::Shard;
use command::journal::Effects;
use command::watches::HOME_SHIFT;
use journal::TxId;
use journal::chunk::Chunk;
use journal::queue::Added;

/// Numbers of operations leave room for so many in each millisecond before the clock of a later start can give them again.
const OPERATIONS_PER_MS_SHIFT: u32 = 7;

impl Shard {
    /// From now on effects are written down, or no longer. Its place in the order of operations must be the same on all shards.
    pub fn set_journal(&mut self, on: bool) {
        let journal = &mut self.cx.journal;
        (journal.is_on, journal.is_told) = (on, false);
        journal.effects.clear();
        journal.own = Chunk::default();
        self.added = Added::default();
        // Transactions are numbered like operations, and no two alike in the life of a file.
        self.next_op = self.next_op.max(self.cx.now_ms << OPERATIONS_PER_MS_SHIFT);
    }

    /// Whether there is something to hand over.
    #[inline]
    pub fn has_added(&self) -> bool {
        !self.cx.journal.own.is_empty() || !self.added.chunks.is_empty() || !self.added.closed.is_empty()
    }

    /// What was added since the last call. It must be handed over before anything of the turn is published or sent; the next is written into
    /// `spare`.
    pub fn take_added(&mut self, spare: Chunk) -> Added {
        let mut added = std::mem::take(&mut self.added);
        let own = std::mem::replace(&mut self.cx.journal.own, spare);
        if !own.is_empty() {
            added.chunks.push((self.cx.id, own));
        }
        added
    }

    /// The number of a transaction of several shards.
    pub(crate) fn next_tx(&mut self) -> TxId {
        let op = self.next_op();
        TxId(u64::from(self.cx.id) << HOME_SHIFT | op)
    }

    /// A transaction that began here is over on all shards.
    #[cold]
    pub(crate) fn close_tx(&mut self, tx: u64) {
        self.added.closed.push(TxId(tx));
    }

    /// Has what was done together written down, on all shards that it concerns or on none.
    pub(crate) fn add_together(&mut self, effects: &Effects) {
        if effects.is_empty() {
            return;
        }
        if effects.has_ends() {
            return self.add_generations(effects);
        }
        match effects.shards()[..] {
            [only] => self.add_to(only, |chunk| effects.write_block(chunk, None)),
            ref shards => {
                let tx = self.next_tx();
                for &shard in shards {
                    self.add_to(shard, |chunk| effects.write_part(chunk, shard, tx));
                }
                self.close_tx(tx.0);
            }
        }
    }

    /// The same of what concerns whole databases, too: all shards go on in the next generation.
    #[cold]
    fn add_generations(&mut self, effects: &Effects) {
        let (heads, rest) = effects.by_generation(self.cx.shards.into());
        for shard in 0..self.cx.shards {
            self.add_to(shard, |chunk| {
                for head in heads.iter() {
                    let words: Vec<_> = head.words.collect();
                    chunk.end_generation((shard == 0).then_some((head.db, &words)));
                }
            });
        }
        self.cx.journal.forget_time();
        self.add_together(&rest);
    }

    fn add_to(&mut self, shard: u16, write: impl FnOnce(&mut Chunk)) {
        if shard == self.cx.id {
            self.cx.journal.note_time();
            return write(&mut self.cx.journal.own);
        }
        let mut chunk = Chunk::default();
        write(&mut chunk);
        self.added.chunks.push((shard, chunk));
    }
}

#[cfg(test)]
mod files;
#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod tests;
