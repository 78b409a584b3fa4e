//! One file of many chunks: what stands before and behind them. The chunks follow each other without a gap in whatever order
//! they come, the first behind the head; so a counter that starts with the head's length gives each its place. A chunk whose length is not known
//! before it is finished can be written at the end as long as nobody else takes a place.

use super::chunk::Written;
use super::index::{self, Chunk};
use super::{opcode, padding};
use crate::{append_len, append_string};
use base::crc64::{combine, crc64};
use base::number::I64Buf;

/// What a file says of itself, of functions and of databases.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The version of the format, as long as no value needs a newer one.
    pub version: u16,
    pub compress: bool,
    /// `redis-ver`
    pub server_version: &'a str,
    /// `ctime`: unix time in seconds.
    pub time_s: u64,
    /// `used-mem`
    pub used_memory_bytes: u64,
    /// Further AUX fields, such as `repl-id`.
    pub fields: &'a [(&'a str, &'a [u8])],
    /// `aof-base`: whether it is the base of an append-only file.
    pub is_aof_base: bool,
    /// The code of each library.
    pub functions: &'a [&'a [u8]],
    /// Databases with the number of their keys, and of those that expire.
    pub sizes: &'a [(u32, u64, u64)],
}

impl Head<'_> {
    /// One that says nothing that is not needed: of the oldest version that is written, compressed.
    pub const PLAIN: Head<'static> = Head {
        version: crate::VERSION_MIN,
        compress: true,
        server_version: "",
        time_s: 0,
        used_memory_bytes: 0,
        fields: &[],
        is_aof_base: false,
        functions: &[],
        sizes: &[],
    };

    fn bytes(&self) -> Vec<u8> {
        let mut out = header(self.version).to_vec();
        let number = |number: u64| I64Buf::from_u64(number);
        let mut field = |name: &str, value: &[u8]| {
            out.push(opcode::AUX);
            append_string(&mut out, name.as_bytes(), self.compress);
            append_string(&mut out, value, self.compress);
        };
        field("redis-ver", self.server_version.as_bytes());
        field("redis-bits", b"64");
        field("ctime", number(self.time_s).as_bytes());
        field("used-mem", number(self.used_memory_bytes).as_bytes());
        self.fields.iter().for_each(|(name, value)| field(name, value));
        field("aof-base", number(self.is_aof_base.into()).as_bytes());
        for code in self.functions {
            out.push(opcode::FUNCTION);
            append_string(&mut out, code, self.compress);
        }
        for &(db, keys, expiring) in self.sizes {
            out.push(opcode::SELECT_DB);
            append_len(&mut out, db.into());
            out.push(opcode::RESIZE_DB);
            append_len(&mut out, keys);
            append_len(&mut out, expiring);
        }
        let bytes = out.len() as u64;
        padding::append(&mut out, bytes);
        out
    }
}

fn header(version: u16) -> [u8; 9] {
    let digit = |power: u16| b'0' + (version / power % 10) as u8;
    [b'R', b'E', b'D', b'I', b'S', digit(1000), digit(100), digit(10), digit(1)]
}

/// Where the parts of a file go.
#[derive(Debug)]
pub struct Plan {
    head: Vec<u8>,
    version: u16,
    sums: bool,
    sources: u16,
    chunks: Vec<Chunk>,
}

/// What is still to be written when all chunks are.
#[derive(Debug)]
pub struct Ending {
    /// Goes to the beginning of the file; it is as long as [`Plan::head`].
    pub head: Vec<u8>,
    /// Whether it differs from that, because some value needed a newer version.
    pub is_head_new: bool,
    /// Goes behind the last chunk; with it the file ends.
    pub tail: Vec<u8>,
    pub tail_offset: u64,
}

impl Plan {
    /// `sources`: how many write, such as shards. `sums`: whether the file gets a check sum.
    pub fn new(head: &Head<'_>, sources: u16, sums: bool) -> Self {
        let (version, head) = (head.version, head.bytes());
        Self { head, version, sums, sources, chunks: Vec::new() }
    }

    /// The beginning of the file, which may change ([`Ending::is_head_new`]). The first chunk goes behind it.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// A chunk that `source` (from 0) has written at `offset`. In any order.
    pub fn add(&mut self, offset: u64, source: u16, written: &Written) {
        let &Written { bytes, sum, records, version } = written;
        assert!(bytes.is_multiple_of(padding::BLOCK_BYTES as u64), "chunks are filled up");
        if bytes > 0 {
            self.chunks.push(Chunk { offset, bytes, sum, records, source });
            self.version = self.version.max(version);
        }
    }

    /// What remains to be written when all chunks are there.
    pub fn finish(mut self) -> Ending {
        self.chunks.sort_unstable_by_key(|chunk| chunk.offset);
        let end = self.chunks.iter().fold(self.head.len() as u64, |end, chunk| {
            assert!(chunk.offset == end, "chunks follow each other without a gap");
            end + chunk.bytes
        });
        let is_head_new = !self.head.starts_with(&header(self.version));
        self.head[..9].copy_from_slice(&header(self.version));
        let index = index::item(self.sources, &self.chunks);
        let mut tail = Vec::new();
        padding::append(&mut tail, end + (index.len() + 1 + size_of::<u64>()) as u64);
        tail.extend_from_slice(&index);
        tail.push(opcode::END);
        tail.extend_from_slice(&self.sum(&tail).to_le_bytes());
        Ending { head: self.head, is_head_new, tail, tail_offset: end }
    }

    /// The check sum of the whole.
    fn sum(&self, tail: &[u8]) -> u64 {
        if !self.sums {
            return 0;
        }
        let parts = self.chunks.iter().map(|chunk| (chunk.sum, chunk.bytes));
        let tail = (crc64(0, tail), tail.len() as u64);
        parts.chain([tail]).fold(crc64(0, &self.head), |sum, (next, bytes)| combine(sum, next, bytes))
    }
}
