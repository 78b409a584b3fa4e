//! Strings as arrays of bits: bit 0 is the most significant bit of the first byte. Single bits, counts and
//! positions stand here, [`combine`] has the operations of `BITOP` and [`field`] the integers of `BITFIELD`.
//!
//! Offsets and ranges come from clients and are checked; that a string is long enough for a write is up to
//! the caller, who has grown it. This module knows no keys and no replies.
#![forbid(unsafe_code)]

pub mod combine;
pub mod field;

use std::fmt;

/// What is wrong with an argument of a bit command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitError {
    Offset,
    FieldType,
    NotTakesOneSource,
    /// `BITOP DIFF`, `DIFF1` and `ANDOR` (named here) take at least two sources.
    TooFewSources(&'static str),
}

impl fmt::Display for BitError {
    /// The text of the error reply, without a code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BitError::Offset => f.write_str("bit offset is not an integer or out of range"),
            BitError::FieldType => f.write_str(
                "Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
            ),
            BitError::NotTakesOneSource => f.write_str("BITOP NOT must be called with a single source key."),
            BitError::TooFewSources(name) => {
                write!(f, "BITOP {name} must be called with at least two source keys.")
            }
        }
    }
}

impl std::error::Error for BitError {}

/// What the ends of a range count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeUnit {
    Byte,
    Bit,
}

/// A range as the client gave it: both ends included, negative numbers count from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub start: i64,
    /// `None`: to the end of the string (`BITPOS` only).
    pub end: Option<i64>,
    pub unit: RangeUnit,
}

impl Range {
    /// The bits of the range within a string of `len` bytes, end excluded; `None` if it is empty.
    fn bits(&self, len: usize) -> Option<std::ops::Range<usize>> {
        let unit_bits = if self.unit == RangeUnit::Bit { 1 } else { 8 };
        let total = (len * 8 / unit_bits) as i64;
        let from_end = |index: i64| if index < 0 { (total + index).max(0) } else { index };
        let start = from_end(self.start);
        let end = self.end.map_or(total - 1, |end| from_end(end).min(total - 1));
        (start <= end).then(|| start as usize * unit_bits..(end as usize + 1) * unit_bits)
    }
}

/// The bit at `offset`; bits beyond the end are clear.
pub fn get(bytes: &[u8], offset: u64) -> bool {
    let byte = usize::try_from(offset / 8).ok().and_then(|index| bytes.get(index));
    byte.is_some_and(|byte| byte & mask(offset) != 0)
}

/// Writes the bit at `offset`, which must lie within the string, and returns what it was.
pub fn set(bytes: &mut [u8], offset: u64, on: bool) -> bool {
    let mask = mask(offset);
    let byte = &mut bytes[(offset / 8) as usize];
    let was = *byte & mask != 0;
    *byte = if on { *byte | mask } else { *byte & !mask };
    was
}

fn mask(offset: u64) -> u8 {
    0x80 >> (offset % 8)
}

/// Number of set bits.
pub fn count(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(8);
    let rest: u64 = words.remainder().iter().map(|byte| u64::from(byte.count_ones())).sum();
    rest + words.map(|word| u64::from(word_at(word).count_ones())).sum::<u64>()
}

/// Number of set bits in a range.
pub fn count_range(bytes: &[u8], range: Range) -> u64 {
    // Redis checks this before it clips, so a reversed range of two negative ends never counts the first bit.
    let reversed = range.start < 0 && range.end.is_some_and(|end| end < 0 && range.start > end);
    let Some(bits) = range.bits(bytes.len()).filter(|_| !reversed) else { return 0 };
    let (first, last) = (bits.start / 8, (bits.end - 1) / 8);
    let before = bytes[first] & !(0xff >> (bits.start % 8));
    let after = bytes[last] & !last_byte_mask(bits.end);
    count(&bytes[first..=last]) - u64::from(before.count_ones() + after.count_ones())
}

/// The bits of the last byte that lie before `end` (a bit offset, excluded, not 0).
fn last_byte_mask(end: usize) -> u8 {
    0xff << (7 - (end - 1) % 8)
}

/// The offset of the first bit equal to `bit`, or -1. `bytes` is `None` for a missing key, which is endlessly
/// zero.
///
/// Without an end of the range, a string of ones is followed by zeros: the first clear bit is then the one
/// after the string. With an end, there is no clear bit.
pub fn position(bytes: Option<&[u8]>, bit: bool, range: Option<Range>) -> i64 {
    let Some(bytes) = bytes else { return if bit { -1 } else { 0 } };
    let range = range.unwrap_or(Range { start: 0, end: None, unit: RangeUnit::Byte });
    let Some(bits) = range.bits(bytes.len()) else { return -1 };
    match find(bytes, bit, bits) {
        Some(offset) => offset as i64,
        None if !bit && range.end.is_none() => bytes.len() as i64 * 8,
        None => -1,
    }
}

/// The first bit equal to `bit` in a range of bit offsets that is not empty.
fn find(bytes: &[u8], bit: bool, bits: std::ops::Range<usize>) -> Option<usize> {
    // Searching a clear bit is searching a set bit in the complement.
    let flip = if bit { 0 } else { 0xff };
    let (first, last) = (bits.start / 8, (bits.end - 1) / 8);
    let at = |index: usize, byte: u8| index * 8 + byte.leading_zeros() as usize;
    let head = (bytes[first] ^ flip) & 0xff >> (bits.start % 8);
    if first == last {
        let head = head & last_byte_mask(bits.end);
        return (head != 0).then(|| at(first, head));
    }
    if head != 0 {
        return Some(at(first, head));
    }
    let inner = &bytes[first + 1..last];
    let skip = u64::from_ne_bytes([flip; 8]);
    let words = inner.chunks_exact(8).take_while(|word| word_at(word) == skip).count() * 8;
    if let Some(index) = inner[words..].iter().position(|&byte| byte != flip) {
        let index = words + index;
        return Some(at(first + 1 + index, inner[index] ^ flip));
    }
    let tail = (bytes[last] ^ flip) & last_byte_mask(bits.end);
    (tail != 0).then(|| at(last, tail))
}

fn word_at(chunk: &[u8]) -> u64 {
    u64::from_ne_bytes(chunk.try_into().expect("chunks of 8 bytes"))
}

#[cfg(test)]
mod tests;
