//! What one shard writes of a save: chunks of its entries.

use crate::save::{GIVEN_UP, Save};
use keyspace::ValueRef;
use keyspace::walk::{EntryRef, RecordId, Scribe};
use rdb::encode::Progress;
use rdb::file::{Age, BLOCK_BYTES, ChunkWriter, Meta};
use std::collections::HashMap;
use types::showing::Element;

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

/// A large value under way.
struct Large {
    writer: ChunkWriter,
    /// Where the front of its chunk is, if that was too much to be kept.
    spool: Option<u64>,
}

/// Writes the entries of one shard.
pub struct Pen {
    save: Save,
    shard: u16,
    hints: Hints,
    entries: ChunkWriter,
    /// For large values that are written in parts, each beside the others.
    large: HashMap<RecordId, Large>,
    next_record: u64,
    /// Bytes that those keep.
    held: usize,
    /// The writer of one that is done, whose chunk has room for more.
    spare: Option<ChunkWriter>,
    /// Nothing is begun any more.
    is_ending: bool,
    is_over: bool,
}

impl Pen {
    pub fn new(save: Save, shard: u16, hints: Hints) -> Self {
        let (options, sums) = save.options();
        Self {
            shard,
            hints,
            entries: ChunkWriter::new(options, sums),
            large: HashMap::new(),
            next_record: 0,
            held: 0,
            spare: None,
            is_ending: false,
            is_over: false,
            save,
        }
    }

    fn meta(&self, entry: &EntryRef<'_>) -> Meta {
        let age = match self.hints {
            Hints::Nothing => Age::Unsaid,
            Hints::Idle { fresh } => Age::Idle(u64::from(fresh.wrapping_sub(entry.age) & 0x00ff_ffff)),
            Hints::Frequency => Age::Frequency(entry.age as u8),
        };
        Meta { expire_ms: entry.expire, age }
    }

    /// Writes more of a large value. What is too much to be kept goes to disk.
    fn write_more<R>(&mut self, record: RecordId, write: impl FnOnce(&mut ChunkWriter) -> R) -> R {
        let writer = &mut self.large.get_mut(&record).expect("a record that was begun").writer;
        let before = writer.pending().len();
        let result = write(writer);
        self.held += writer.pending().len() - before;
        let is_long = writer.pending().len() >= CHUNK_BYTES;
        if self.held > self.save.held_bytes_max() {
            self.spool_longest();
        } else if is_long && self.large[&record].spool.is_some() {
            self.spool(record);
        }
        result
    }

    #[cold]
    fn spool_longest(&mut self) {
        let longest = self.large.iter().max_by_key(|(_, large)| large.writer.pending().len());
        if let Some((&record, _)) = longest {
            self.spool(record);
        }
    }

    #[cold]
    fn spool(&mut self, record: RecordId) {
        let Large { writer, spool } = self.large.get_mut(&record).expect("a record that was begun");
        if writer.pending().len() >= BLOCK_BYTES {
            let bytes = writer.take_blocks(Vec::new());
            self.held -= bytes.len();
            self.save.spool(*spool.get_or_insert_with(|| self.save.new_spool()), bytes);
        }
    }

    /// A large value is done.
    fn end_record(&mut self, record: RecordId) {
        let Large { mut writer, spool } = self.large.remove(&record).expect("a record that was begun");
        self.held -= writer.pending().len();
        if let Some(spool) = spool {
            let (bytes, written) = writer.finish(Vec::new());
            self.save.put_spooled(self.shard, spool, bytes, &written);
        } else if writer.pending().len() >= CHUNK_BYTES || self.spare.is_some() {
            Self::hand_over(&self.save, self.shard, &mut writer);
        }
        self.spare.get_or_insert(writer);
        self.end_if_done();
    }

    /// The shard has written all it has once what is lent to other shards is written, too.
    fn end_if_done(&mut self) {
        if !self.is_ending || !self.large.is_empty() {
            return;
        }
        if let Some(mut writer) = self.spare.take() {
            Self::hand_over(&self.save, self.shard, &mut writer);
        }
        self.is_over = true;
        self.save.end_shard();
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

    fn begin(&mut self, db: u16, entry: &EntryRef<'_>, by_element: bool) -> RecordId {
        let (options, sums) = self.save.options();
        let mut writer = self.spare.take().unwrap_or_else(|| ChunkWriter::new(options, sums));
        let meta = self.meta(entry);
        if by_element {
            writer.begin_elements(db.into(), entry.key, meta, entry.value);
        } else {
            writer.begin(db.into(), entry.key, meta, entry.value);
        }
        self.next_record += 1;
        let record = RecordId(self.next_record);
        self.held += writer.pending().len();
        self.large.insert(record, Large { writer, spool: None });
        record
    }

    fn write_on(&mut self, record: RecordId, value: ValueRef<'_>, to_the_end: bool) -> bool {
        loop {
            let is_done = self.write_more(record, |writer| writer.step(value, PART_BYTES)) == Progress::Done;
            if is_done {
                self.end_record(record);
            }
            if is_done || !to_the_end {
                return is_done;
            }
        }
    }

    fn element(&mut self, record: RecordId, element: Element<'_>) {
        self.write_more(record, |writer| writer.element(element));
    }

    fn begin_rest(&mut self, record: RecordId) {
        self.write_more(record, ChunkWriter::begin_rest);
    }

    fn end_elements(&mut self, record: RecordId) {
        self.write_more(record, ChunkWriter::end_elements);
        self.end_record(record);
    }

    fn field(&mut self, name: &str, value: &[u8]) {
        self.entries.field(name.as_bytes(), value);
        if self.entries.pending().len() >= CHUNK_BYTES {
            Self::hand_over(&self.save, self.shard, &mut self.entries);
        }
    }

    fn end(&mut self) {
        Self::hand_over(&self.save, self.shard, &mut self.entries);
        self.is_ending = true;
        self.end_if_done();
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
