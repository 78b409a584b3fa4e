//! HyperLogLog in the exact string format of Redis, so that `GET`, `DUMP` and replication carry the same
//! bytes.
//!
//! ```text
//! +------+---+-----+----------+~~~~~~~~~~~+
//! | HYLL | E | 000 | card x 8 | registers |
//! +------+---+-----+----------+~~~~~~~~~~~+
//! ```
//!
//! `E` is the encoding (0 dense, 1 sparse). `card` is the last computed cardinality, little endian; its top
//! bit says that it is out of date. Dense registers are 16384 fields of 6 bits; the sparse form is described
//! in `sparse`.
//!
//! The values are plain strings that any client may have written with `SET`, so every function here checks
//! what it reads: bytes that are no HyperLogLog, or runs that do not add up to 16384 registers, are errors
//! and never panics. This module knows no keys and no replies.
#![forbid(unsafe_code)]

mod dense;
mod estimate;
mod murmur;
mod sparse;
mod union;

pub use union::Registers;

use std::fmt::{self, Write};

/// Number of registers (2^14).
pub const REGISTERS: usize = 1 << INDEX_BITS;
/// Length in bytes of every dense value.
pub const DENSE_BYTES: usize = HEADER_BYTES + dense::BYTES;
/// Default of `hll-sparse-max-bytes`: a sparse value longer than this becomes dense.
pub const SPARSE_BYTES_MAX_DEFAULT: usize = 3000;

const INDEX_BITS: u32 = 14;
/// Hash bits left for counting zeros; the largest register value is one more than this.
const RANK_BITS: u32 = 64 - INDEX_BITS;
const HEADER_BYTES: usize = 16;
const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING_AT: usize = 4;
const CARDINALITY_AT: usize = 8;
/// The byte of the cached cardinality whose top bit marks the cache as out of date.
const STALE_AT: usize = 15;
const STALE: u8 = 0x80;

/// What is wrong with a string that was used as a HyperLogLog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HllError {
    /// No HyperLogLog header, or a dense value of the wrong length.
    NotHyperLogLog,
    /// The header is fine but the sparse runs are not.
    Corrupted,
}

impl HllError {
    /// The error reply, code included, without the leading `-`.
    pub fn message(self) -> &'static str {
        match self {
            HllError::NotHyperLogLog => "WRONGTYPE Key is not a valid HyperLogLog string value.",
            HllError::Corrupted => "INVALIDOBJ Corrupted HLL object detected",
        }
    }
}

impl fmt::Display for HllError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for HllError {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Dense,
    Sparse,
}

impl Encoding {
    /// As `PFDEBUG ENCODING` names it.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Dense => "dense",
            Encoding::Sparse => "sparse",
        }
    }
}

/// What `PFCOUNT` of one key found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The estimate. Above `i64::MAX` only for hostile registers; Redis then replies with the same bits as
    /// `i64`.
    pub cardinality: u64,
    /// The cached cardinality in the string was rewritten: the key counts as modified.
    pub cache_updated: bool,
}

/// A fresh sparse value with no elements. Its cache is marked out of date, as after the `PFADD` that makes a
/// key.
pub fn empty() -> Vec<u8> {
    let mut hll = Vec::with_capacity(HEADER_BYTES + 16);
    hll.extend_from_slice(MAGIC);
    hll.resize(HEADER_BYTES, 0);
    hll[ENCODING_AT] = 1;
    hll[STALE_AT] = STALE;
    sparse::push_zeros(&mut hll, REGISTERS);
    hll
}

/// Checks the header and, for a dense value, the length. Sparse runs are checked when they are read.
pub fn validate(hll: &[u8]) -> Result<Encoding, HllError> {
    if hll.len() < HEADER_BYTES || &hll[..MAGIC.len()] != MAGIC {
        return Err(HllError::NotHyperLogLog);
    }
    match hll[ENCODING_AT] {
        0 if hll.len() == DENSE_BYTES => Ok(Encoding::Dense),
        1 => Ok(Encoding::Sparse),
        _ => Err(HllError::NotHyperLogLog),
    }
}

/// Adds one element; true if a register (and so, in general, the estimate) changed. A value that outgrows
/// `sparse_bytes_max` or needs a register above 32 becomes dense.
pub fn add(hll: &mut Vec<u8>, element: &[u8], sparse_bytes_max: usize) -> Result<bool, HllError> {
    let (index, rank) = murmur::index_and_rank(element);
    let changed = match validate(hll)? {
        Encoding::Dense => dense::raise(&mut hll[HEADER_BYTES..], index, rank),
        Encoding::Sparse => raise_sparse(hll, &mut sparse::Cursor::default(), index, rank, sparse_bytes_max)?,
    };
    if changed {
        invalidate_cache(hll);
    }
    Ok(changed)
}

/// Raises one register of a sparse value, converting it to dense where it must. True if the register changed.
fn raise_sparse(
    hll: &mut Vec<u8>,
    cursor: &mut sparse::Cursor,
    index: usize,
    rank: u8,
    sparse_bytes_max: usize,
) -> Result<bool, HllError> {
    match sparse::raise(hll, cursor, index, rank, sparse_bytes_max)? {
        sparse::Raised::Unchanged => Ok(false),
        sparse::Raised::Changed => Ok(true),
        sparse::Raised::NeedsDense => {
            to_dense(hll)?;
            Ok(dense::raise(&mut hll[HEADER_BYTES..], index, rank))
        }
    }
}

/// The cardinality in the cache of one value, if that is valid. The value must have passed [`validate`].
pub fn cached(hll: &[u8]) -> Option<u64> {
    let cached = hll[CARDINALITY_AT..HEADER_BYTES].try_into().expect("the cache is 8 bytes");
    (hll[STALE_AT] & STALE == 0).then(|| u64::from_le_bytes(cached))
}

/// The cardinality of one value, from its cache if that is valid; otherwise computed and written to the
/// cache.
pub fn count(hll: &mut [u8]) -> Result<Count, HllError> {
    let encoding = validate(hll)?;
    if let Some(cardinality) = cached(hll) {
        return Ok(Count { cardinality, cache_updated: false });
    }
    let registers = &hll[HEADER_BYTES..];
    let histogram = match encoding {
        Encoding::Dense => dense::histogram(registers),
        Encoding::Sparse => sparse::histogram(registers)?,
    };
    let cardinality = estimate::cardinality(&histogram);
    hll[CARDINALITY_AT..HEADER_BYTES].copy_from_slice(&cardinality.to_le_bytes());
    Ok(Count { cardinality, cache_updated: true })
}

/// Converts a sparse value to dense; true if there was something to convert (`PFDEBUG TODENSE`).
pub fn to_dense(hll: &mut Vec<u8>) -> Result<bool, HllError> {
    if validate(hll)? == Encoding::Dense {
        return Ok(false);
    }
    let mut converted = vec![0; DENSE_BYTES];
    converted[..HEADER_BYTES].copy_from_slice(&hll[..HEADER_BYTES]);
    converted[ENCODING_AT] = 0;
    let registers = &mut converted[HEADER_BYTES..];
    sparse::for_each_run(&hll[HEADER_BYTES..], |first, run, value| {
        if value > 0 {
            (first..first + run).for_each(|index| dense::set(registers, index, value));
        }
    })?;
    *hll = converted;
    Ok(true)
}

/// The sparse runs as text (`PFDEBUG DECODE`): `z:run`, `Z:run` and `v:value,run`, separated by spaces.
/// `None` if the value is dense (Redis then says "HLL encoding is not sparse").
pub fn decode(hll: &[u8]) -> Result<Option<String>, HllError> {
    if validate(hll)? == Encoding::Dense {
        return Ok(None);
    }
    let mut text = String::new();
    for opcode in sparse::opcodes(&hll[HEADER_BYTES..]) {
        let opcode = opcode?;
        let separator = if text.is_empty() { "" } else { " " };
        let written = match (opcode.value, opcode.bytes) {
            (0, 1) => write!(text, "{separator}z:{}", opcode.run),
            (0, _) => write!(text, "{separator}Z:{}", opcode.run),
            (value, _) => write!(text, "{separator}v:{value},{}", opcode.run),
        };
        written.expect("writing to a String cannot fail");
    }
    Ok(Some(text))
}

/// Marks the cached cardinality as out of date. The value must have passed [`validate`].
fn invalidate_cache(hll: &mut [u8]) {
    hll[STALE_AT] |= STALE;
}

#[cfg(test)]
mod tests;
