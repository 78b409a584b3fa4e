//! The index of the chunks of our own files: an AUX field right before the end.
//!
//! ```text
//! 250, "weft-index", and a string:
//!   layout, 1 (2 bytes, big endian: programs that print the string find it empty)
//!   how many wrote the file (2 bytes)
//!   of each chunk: offset, bytes, CRC-64, records (8 bytes each), who wrote it (2 bytes)
//!   bytes of this field from the 250 on (4 bytes), so that it is found from the end
//! ```
//! Numbers are little endian, but for the first. Chunks lie without a gap, in the order of the index.

use super::items::{Form, Items};
use super::{Damage, Doing, Item, opcode, padding};
use crate::{Error, Reader, append_len};
use base::crc64::{combine, crc64};

const NAME: &[u8] = b"weft-index";
const LAYOUT: u16 = 1;
const HEAD_BYTES: usize = 4;
const ENTRY_BYTES: usize = 34;
const LENGTH_BYTES: usize = 4;
/// What stands behind the index: an opcode and the check sum.
const END_BYTES: usize = 9;

/// A part of a file that can be read by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub offset: u64,
    pub bytes: u64,
    /// CRC-64 of them.
    pub sum: u64,
    pub records: u64,
    /// Which of those who wrote the file wrote it, from 0.
    pub source: u16,
}

impl Chunk {
    fn end(&self) -> Option<u64> {
        self.offset.checked_add(self.bytes)
    }
}

/// The index as an item.
pub fn item(sources: u16, chunks: &[Chunk]) -> Vec<u8> {
    let mut out = vec![opcode::AUX, NAME.len() as u8];
    out.extend_from_slice(NAME);
    append_len(&mut out, (HEAD_BYTES + chunks.len() * ENTRY_BYTES + LENGTH_BYTES) as u64);
    out.extend_from_slice(&LAYOUT.to_be_bytes());
    out.extend_from_slice(&sources.to_le_bytes());
    for chunk in chunks {
        for number in [chunk.offset, chunk.bytes, chunk.sum, chunk.records] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&chunk.source.to_le_bytes());
    }
    let bytes = out.len() + LENGTH_BYTES;
    out.extend_from_slice(&u32::try_from(bytes).expect("far fewer chunks").to_le_bytes());
    out
}

/// An index, as it was found.
pub struct Index {
    pub sources: u16,
    pub chunks: Vec<Chunk>,
}

impl Index {
    /// The index in the value of an AUX field, if that is its name. Whether it tells the truth is another question.
    pub fn of_field(name: &[u8], value: &[u8]) -> Option<Self> {
        let (layout, rest) = value.split_first_chunk::<2>().filter(|_| name == NAME)?;
        let (sources, rest) = rest.split_first_chunk::<2>()?;
        let (entries, _) = rest.split_last_chunk::<LENGTH_BYTES>()?;
        let (entries, over) = entries.as_chunks::<ENTRY_BYTES>();
        if u16::from_be_bytes(*layout) != LAYOUT || !over.is_empty() {
            return None;
        }
        let number = |entry: &[u8; ENTRY_BYTES], at: usize| {
            u64::from_le_bytes(entry[at..at + 8].try_into().expect("eight of 34 bytes"))
        };
        let chunks = entries.iter().map(|entry| Chunk {
            offset: number(entry, 0),
            bytes: number(entry, 8),
            sum: number(entry, 16),
            records: number(entry, 24),
            source: u16::from_le_bytes([entry[32], entry[33]]),
        });
        Some(Self { sources: u16::from_le_bytes(*sources), chunks: chunks.collect() })
    }
}

/// A file of our own with an index, in memory. The chunks cover all of it that has records.
pub struct Parts<'a> {
    bytes: &'a [u8],
    form: Form,
    index: Index,
    /// Where the index stands.
    index_at: usize,
    sums: bool,
}

impl<'a> Parts<'a> {
    /// Finds the index. `None`: the file is foreign, or the index does not agree with it; then it is to be read from the beginning
    /// ([`Items::of_file`]), by which damage will be found. `sums`: whether check sums are to be verified: that of the
    /// whole by those of the chunks now, that of each chunk when it is read.
    pub fn find(bytes: &'a [u8], sums: bool) -> Option<Self> {
        let form = Form::read(&mut Reader::new(bytes)).ok()?;
        let (front, stored) = bytes.split_last_chunk::<8>()?;
        let (_, length) = front.strip_suffix(&[opcode::END])?.split_last_chunk::<LENGTH_BYTES>()?;
        let index_at = bytes.len().checked_sub(END_BYTES + u32::from_le_bytes(*length) as usize)?;
        let mut reader = Reader::new(&bytes[index_at..bytes.len() - END_BYTES]);
        if reader.byte() != Ok(opcode::AUX) {
            return None;
        }
        let (name, value) = (reader.string().ok()?, reader.string().ok()?);
        let index = Index::of_field(&name, &value).filter(|_| reader.rest().is_empty())?;
        let has_sum = *stored != [0; 8];
        let parts = Self { bytes, form, index, index_at, sums: sums && has_sum };
        let agrees = parts.covers()
            && parts.tail_is_plain()
            && (!parts.sums || parts.sum(front) == u64::from_le_bytes(*stored));
        agrees.then_some(parts)
    }

    /// Whether the chunks follow each other without a gap, behind the header and before the index.
    fn covers(&self) -> bool {
        let mut next = self.head_bytes();
        next >= super::items::HEADER_BYTES as u64
            && self.index.chunks.iter().all(|chunk| {
                let follows = chunk.offset == next;
                chunk.end().filter(|_| follows).is_some_and(|end| {
                    next = end;
                    true
                })
            })
            && next <= self.index_at as u64
    }

    /// Whether nothing stands between chunks and index but padding.
    fn tail_is_plain(&self) -> bool {
        let from = self.tail_offset();
        Items::of_part(self.form, &self.bytes[from..self.index_at], from as u64)
            .all(|item| matches!(item, Ok(Item::Aux { name, .. }) if *name == *padding::NAME))
    }

    /// The check sum of the whole, if the index is right.
    fn sum(&self, front: &[u8]) -> u64 {
        let head = crc64(0, &self.bytes[..self.head_bytes() as usize]);
        let tail = &front[self.tail_offset()..];
        let parts = self.index.chunks.iter().map(|chunk| (chunk.sum, chunk.bytes));
        let tail = (crc64(0, tail), tail.len() as u64);
        parts.chain([tail]).fold(head, |sum, (next, bytes)| combine(sum, next, bytes))
    }

    fn head_bytes(&self) -> u64 {
        self.index.chunks.first().map_or(self.index_at as u64, |chunk| chunk.offset)
    }

    fn tail_offset(&self) -> usize {
        let last = self.index.chunks.last().and_then(Chunk::end);
        last.unwrap_or(self.head_bytes()) as usize
    }

    pub fn form(&self) -> Form {
        self.form
    }

    /// How many wrote the file: the records of each are in the chunks of which it is the source.
    pub fn sources(&self) -> u16 {
        self.index.sources
    }

    pub fn chunks(&self) -> &[Chunk] {
        &self.index.chunks
    }

    /// What stands before the first chunk: AUX fields, functions, sizes.
    pub fn head(&self) -> Items<'a> {
        Items::of_head(self.form, &self.bytes[..self.head_bytes() as usize])
    }

    /// The database that a chunk begins with, which is that of nearly all its records.
    pub fn database(&self, number: usize) -> Option<u32> {
        let mut reader = Reader::new(self.bytes.get(self.index.chunks[number].offset as usize..)?);
        let is_named = reader.byte() == Ok(opcode::SELECT_DB);
        reader.length().ok().filter(|_| is_named)?.try_into().ok()
    }

    /// The items of a chunk, counted from 0.
    ///
    /// # Errors
    /// When it is not what was written. To find out where the damage is, read the whole file.
    pub fn chunk(&self, number: usize) -> Result<Items<'a>, Damage> {
        let (chunk, bytes) = self.bytes_of(number);
        let found = if self.sums { crc64(0, bytes) } else { chunk.sum };
        if found != chunk.sum {
            return Err(chunk_damage(number, chunk, Error::CheckSum { stored: chunk.sum, found }));
        }
        self.chunk_unverified(number)
    }

    /// As [`Parts::chunk`], for who leaves its check sum to others.
    ///
    /// # Errors
    /// When it cannot be a chunk.
    pub fn chunk_unverified(&self, number: usize) -> Result<Items<'a>, Damage> {
        let (chunk, bytes) = self.bytes_of(number);
        if bytes.first().is_some_and(|first| *first != opcode::SELECT_DB) {
            return Err(chunk_damage(number, chunk, Error::Corrupt("a chunk begins with its database")));
        }
        Ok(Items::of_part(self.form, bytes, chunk.offset))
    }

    fn bytes_of(&self, number: usize) -> (&Chunk, &'a [u8]) {
        let chunk = &self.index.chunks[number];
        (chunk, &self.bytes[chunk.offset as usize..][..chunk.bytes as usize])
    }
}

#[cold]
fn chunk_damage(number: usize, chunk: &Chunk, error: Error) -> Damage {
    Damage { offset: chunk.offset, item: chunk.offset, doing: Doing::Chunk(number), key: None, error }
}
