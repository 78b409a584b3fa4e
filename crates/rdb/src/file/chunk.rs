//! A part of a file that is written by itself: records, with the choice of their database in front.

use super::{opcode, padding};
use crate::encode::{Encoder, Options, Progress};
use crate::{append_len, append_string};
use base::crc64::crc64;
use keyspace::ValueRef;
use types::showing::Element;

/// What is known of a key beside its value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meta {
    /// Unix time in ms.
    pub expire_ms: Option<u64>,
    pub age: Age,
}

/// What a file says of a key's use, for the policy by which keys are evicted. Redis writes it only under such a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Age {
    #[default]
    Unsaid,
    /// Seconds since it was last used (LRU).
    Idle(u64),
    /// How often it is used, on a logarithmic scale (LFU).
    Frequency(u8),
}

/// A chunk that is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub bytes: u64,
    /// CRC-64 of them, 0 if none was wanted.
    pub sum: u64,
    pub records: u64,
    /// The oldest version of the format that has all types that occur.
    pub version: u16,
}

/// So much is summed at a time.
const SUM_BYTES: usize = 32 << 10;

/// Writes a chunk. Its bytes are taken out as they come or when it is finished ([`ChunkWriter::take_blocks`]). While a value is
/// written in steps, records that cannot wait go to another writer's chunk.
#[derive(Debug)]
pub struct ChunkWriter {
    options: Options,
    /// What has been written and not been taken.
    out: Vec<u8>,
    taken_bytes: u64,
    /// Of what has been taken, and of the first `summed` bytes of what has not.
    sum: Option<u64>,
    summed: usize,
    db: Option<u32>,
    records: u64,
    version: u16,
    /// The value under way.
    encoder: Option<Encoder>,
}

impl ChunkWriter {
    /// `sums`: whether the file gets a check sum (`rdbchecksum`).
    pub fn new(options: Options, sums: bool) -> Self {
        Self {
            options,
            out: Vec::new(),
            taken_bytes: 0,
            sum: sums.then_some(0),
            summed: 0,
            db: None,
            records: 0,
            version: 0,
            encoder: None,
        }
    }

    /// Writes an AUX field between records: other servers pass over one that they do not know.
    pub fn field(&mut self, name: &[u8], value: &[u8]) {
        assert!(self.encoder.is_none(), "a record is written whole");
        // Every chunk begins with a database.
        self.select(self.db.unwrap_or(0));
        self.out.push(opcode::AUX);
        append_string(&mut self.out, name, false);
        append_string(&mut self.out, value, self.options.compress);
    }

    fn select(&mut self, db: u32) {
        if self.db != Some(db) {
            self.db = Some(db);
            self.out.push(opcode::SELECT_DB);
            append_len(&mut self.out, db.into());
        }
    }

    /// Writes a record.
    pub fn record(&mut self, db: u32, key: &[u8], meta: Meta, value: ValueRef<'_>) {
        self.begin(db, key, meta, value);
        let progress = self.step(value, usize::MAX);
        assert!(progress == Progress::Done, "the budget has no end");
    }

    /// Writes all of a record but its value, which [`ChunkWriter::step`] writes until it is done; until then it does not change.
    pub fn begin(&mut self, db: u32, key: &[u8], meta: Meta, value: ValueRef<'_>) {
        assert!(self.encoder.is_none(), "a record is written whole");
        self.select(db);
        if let Some(at_ms) = meta.expire_ms {
            self.out.push(opcode::EXPIRE_MS);
            self.out.extend_from_slice(&at_ms.to_le_bytes());
        }
        match meta.age {
            Age::Unsaid => {}
            Age::Idle(seconds) => {
                self.out.push(opcode::IDLE);
                append_len(&mut self.out, seconds);
            }
            Age::Frequency(count) => self.out.extend_from_slice(&[opcode::FREQUENCY, count]),
        }
        let encoder = Encoder::new(value, &self.options);
        let kind = encoder.kind();
        self.out.push(kind.byte());
        append_string(&mut self.out, key, self.options.compress);
        self.version = self.version.max(kind.version());
        self.records += 1;
        self.encoder = Some(encoder);
    }

    /// As [`ChunkWriter::begin`], of a value whose elements follow one by one.
    pub fn begin_elements(&mut self, db: u32, key: &[u8], meta: Meta, value: ValueRef<'_>) {
        self.begin(db, key, meta, value);
        self.encoder.as_mut().expect("just begun").begin_elements(value, &mut self.out);
    }

    /// Writes an element of the value that was begun, see [`Encoder::element`].
    #[inline]
    pub fn element(&mut self, element: Element<'_>) {
        self.encoder.as_mut().expect("a record was begun").element(&mut self.out, element);
        if self.out.len() - self.summed >= SUM_BYTES {
            self.add_up();
        }
    }

    /// The elements have been written; [`ChunkWriter::step`] writes what is left, see [`Encoder::begin_rest`].
    pub fn begin_rest(&mut self) {
        self.encoder.as_mut().expect("a record was begun").begin_rest(&mut self.out);
    }

    /// The elements have been written.
    pub fn end_elements(&mut self) {
        self.encoder.take().expect("a record was begun").end_elements(&mut self.out);
    }

    /// Writes about `budget_bytes` of the value that was begun, see [`Encoder::step`].
    pub fn step(&mut self, value: ValueRef<'_>, budget_bytes: usize) -> Progress {
        let encoder = self.encoder.as_mut().expect("a record was begun");
        let progress = encoder.step(value, &mut self.out, budget_bytes);
        if progress == Progress::Done {
            self.encoder = None;
        }
        if self.out.len() - self.summed >= SUM_BYTES {
            self.add_up();
        }
        progress
    }

    /// Whether a value has been begun and not finished.
    pub fn is_in_record(&self) -> bool {
        self.encoder.is_some()
    }

    /// Bytes of the chunk so far.
    pub fn bytes(&self) -> u64 {
        self.taken_bytes + self.out.len() as u64
    }

    /// What has been written and not been taken.
    pub fn pending(&self) -> &[u8] {
        &self.out
    }

    /// Takes out what is written, as far as it is whole blocks. The rest goes on in `fresh`, which is emptied.
    pub fn take_blocks(&mut self, mut fresh: Vec<u8>) -> Vec<u8> {
        let whole = self.out.len() - self.out.len() % padding::BLOCK_BYTES;
        fresh.clear();
        fresh.extend_from_slice(&self.out[whole..]);
        self.add_up();
        let mut taken = std::mem::replace(&mut self.out, fresh);
        taken.truncate(whole);
        (self.taken_bytes, self.summed) = (self.taken_bytes + whole as u64, 0);
        taken
    }

    /// Sums what has been written, as far as it is whole blocks: as it comes, so that it is still in the cache, and a chunk that is
    /// finished costs little more than any other moment.
    fn add_up(&mut self) {
        let whole = self.out.len() - self.out.len() % padding::BLOCK_BYTES;
        if let Some(sum) = &mut self.sum {
            *sum = crc64(*sum, &self.out[self.summed..whole]);
            self.summed = whole;
        }
    }

    /// Ends the chunk, filled up to whole blocks. Its last bytes are returned; the writer is ready for another chunk, which begins
    /// in `fresh`.
    pub fn finish(&mut self, fresh: Vec<u8>) -> (Vec<u8>, Written) {
        assert!(self.encoder.is_none(), "a record is written whole");
        let bytes = self.bytes();
        padding::append(&mut self.out, bytes);
        let last = self.take_blocks(fresh);
        debug_assert!(self.out.is_empty(), "it was filled up");
        let written = Written {
            bytes: self.taken_bytes,
            sum: self.sum.unwrap_or(0),
            records: self.records,
            version: self.version,
        };
        self.sum = self.sum.map(|_| 0);
        (self.taken_bytes, self.records, self.version, self.db) = (0, 0, 0, None);
        (last, written)
    }
}
