//! What one shard writes of a save: chunks of its entries.

use crate::save::{GIVEN_UP, Save};
use keyspace::ValueRef;
use keyspace::walk::{EntryRef, Scribe};
use rdb::encode::Progress;
use rdb::file::{Age, ChunkWriter, Meta};

/// Chunks are handed over when they are this long, bytes.
const CHUNK_BYTES: usize = 1 << 20;
/// Bytes of a large value that are written at a time.
const PART_BYTES: usize = 64 * 1024;

/// What is said of the use of keys: nothing, unless keys are evicted by it (as in Redis).
#[derive(Clone, Copy, Debug)]
pub enum Hints {
    Nothing,
    /// Seconds since the last use; the age of an entry that is used now.
    Idle {
        fresh: u32,
    },
    Frequency,
}

/// Writes the entries of one shard.
pub struct Pen {
    save: Save,
    shard: u16,
    hints: Hints,
    entries: ChunkWriter,
    /// For the one large value that is written in parts, beside the others.
    large: ChunkWriter,
    is_over: bool,
}

impl Pen {
    pub fn new(save: Save, shard: u16, hints: Hints) -> Self {
        let (options, sums) = save.options();
        let writer = || ChunkWriter::new(options, sums);
        Self { shard, hints, entries: writer(), large: writer(), is_over: false, save }
    }

    fn meta(&self, entry: &EntryRef<'_>) -> Meta {
        let age = match self.hints {
            Hints::Nothing => Age::Unsaid,
            Hints::Idle { fresh } => Age::Idle(u64::from(fresh.wrapping_sub(entry.age) & 0x00ff_ffff)),
            Hints::Frequency => Age::Frequency(entry.age as u8),
        };
        Meta { expire_ms: entry.expire, age }
    }

    fn hand_over(save: &Save, shard: u16, writer: &mut ChunkWriter) {
        let (bytes, written) = writer.finish(Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8));
        if written.bytes > 0 {
            save.put(shard, bytes, &written);
        }
    }
}

impl Scribe for Pen {
    fn write(&mut self, db: u16, entry: &EntryRef<'_>) {
        let meta = self.meta(entry);
        self.entries.record(db.into(), entry.key, meta, entry.value);
        if self.entries.pending().len() >= CHUNK_BYTES {
            Self::hand_over(&self.save, self.shard, &mut self.entries);
        }
    }

    fn begin(&mut self, db: u16, entry: &EntryRef<'_>) {
        let meta = self.meta(entry);
        self.large.begin(db.into(), entry.key, meta, entry.value);
    }

    fn write_on(&mut self, value: ValueRef<'_>, to_the_end: bool) -> bool {
        let budget = if to_the_end { usize::MAX } else { PART_BYTES };
        let is_done = self.large.step(value, budget) == Progress::Done;
        if is_done && self.large.pending().len() >= CHUNK_BYTES {
            Self::hand_over(&self.save, self.shard, &mut self.large);
        }
        is_done
    }

    fn end(&mut self) {
        Self::hand_over(&self.save, self.shard, &mut self.entries);
        Self::hand_over(&self.save, self.shard, &mut self.large);
        self.is_over = true;
        self.save.end_shard();
    }
}

impl Drop for Pen {
    /// Who stops before the end gives the save up.
    fn drop(&mut self) {
        if !self.is_over {
            self.save.cancel(GIVEN_UP);
        }
    }
}
