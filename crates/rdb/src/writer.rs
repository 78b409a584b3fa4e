//! Lengths and strings, written.
//!
//! ```text
//! 00llllll                      a length below 64
//! 01llllll llllllll             a length below 16384
//! 10000000 then 4 bytes         a length below 2^32, big endian
//! 10000001 then 8 bytes         any length, big endian
//! 11000000 then 1 byte          a string that is an integer of 8 bits
//! 11000001 then 2 bytes         of 16 bits, little endian
//! 11000010 then 4 bytes         of 32 bits, little endian
//! 11000011 then two lengths     a compressed string: bytes compressed, bytes in full, and the former
//! ```

use base::{lzf, number};

pub(crate) const LEN_32: u8 = 0x80;
pub(crate) const LEN_64: u8 = 0x81;
/// The two bits that say "not a length"; the others say what.
pub(crate) const SPECIAL: u8 = 0xC0;
pub(crate) const INT_8: u8 = SPECIAL;
pub(crate) const INT_16: u8 = SPECIAL | 1;
pub(crate) const INT_32: u8 = SPECIAL | 2;
pub(crate) const COMPRESSED: u8 = SPECIAL | 3;

/// The longest text of an integer of 32 bits: shorter than this no string needs to be looked at.
const INT_TEXT_BYTES_MAX: usize = 11;
/// Strings up to this length are not compressed.
const COMPRESS_BYTES_MIN: usize = 21;
/// The longest form of a length.
const LENGTH_BYTES_MAX: usize = 9;
/// What compression must save.
const COMPRESS_GAIN_MIN: usize = 4;

/// Appends a length or count.
pub fn append_len(out: &mut Vec<u8>, len: u64) {
    match len {
        0..0x40 => out.push(len as u8),
        0x40..0x4000 => out.extend_from_slice(&(0x4000 | len as u16).to_be_bytes()),
        0x4000..=0xFFFF_FFFF => {
            out.push(LEN_32);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
        _ => {
            out.push(LEN_64);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
}

/// Appends a string: as an integer if it is the text of a small one, compressed if it shrinks and `compress` is set.
pub fn append_string(out: &mut Vec<u8>, text: &[u8], compress: bool) {
    if text.len() <= INT_TEXT_BYTES_MAX
        && let Some(value) = number::parse_i64(text)
        && append_small_int(out, value)
    {
        return;
    }
    if compress && text.len() >= COMPRESS_BYTES_MIN && append_compressed(out, text) {
        return;
    }
    append_len(out, text.len() as u64);
    out.extend_from_slice(text);
}

/// Appends a string compressed, if it shrinks.
fn append_compressed(out: &mut Vec<u8>, text: &[u8]) -> bool {
    let begin = out.len();
    out.push(COMPRESSED);
    // Room for the two lengths, of which one is not known yet.
    append_len(out, text.len() as u64);
    append_len(out, text.len() as u64);
    let packed_from = out.len();
    if !lzf::append_compressed(out, text, text.len() - COMPRESS_GAIN_MIN) {
        out.truncate(begin);
        return false;
    }
    let packed_bytes = out.len() - packed_from;
    let mut lengths = Vec::with_capacity(2 * LENGTH_BYTES_MAX);
    append_len(&mut lengths, packed_bytes as u64);
    append_len(&mut lengths, text.len() as u64);
    let to = begin + 1 + lengths.len();
    out[begin + 1..to].copy_from_slice(&lengths);
    if to != packed_from {
        out.copy_within(packed_from.., to);
        out.truncate(to + packed_bytes);
    }
    true
}

/// Appends an integer of at most 32 bits; false if it is larger.
fn append_small_int(out: &mut Vec<u8>, value: i64) -> bool {
    if let Ok(value) = i8::try_from(value) {
        out.extend_from_slice(&[INT_8, value as u8]);
    } else if let Ok(value) = i16::try_from(value) {
        out.push(INT_16);
        out.extend_from_slice(&value.to_le_bytes());
    } else if let Ok(value) = i32::try_from(value) {
        out.push(INT_32);
        out.extend_from_slice(&value.to_le_bytes());
    } else {
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reader;

    fn string(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        append_string(&mut out, text, true);
        assert_eq!(&*Reader::new(&out).string().unwrap(), text);
        out
    }

    #[test]
    fn lengths_take_the_shortest_form() {
        let cases: [(u64, &[u8]); 8] = [
            (0, &[0]),
            (63, &[63]),
            (64, &[0x40, 64]),
            (16383, &[0x7F, 0xFF]),
            (16384, &[0x80, 0, 0, 0x40, 0]),
            (u32::MAX.into(), &[0x80, 255, 255, 255, 255]),
            (1 << 32, &[0x81, 0, 0, 0, 1, 0, 0, 0, 0]),
            (u64::MAX, &[0x81, 255, 255, 255, 255, 255, 255, 255, 255]),
        ];
        for (len, bytes) in cases {
            let mut out = Vec::new();
            append_len(&mut out, len);
            assert_eq!(out, bytes, "{len}");
            assert_eq!(Reader::new(&out).length(), Ok(len));
        }
    }

    #[test]
    fn strings_that_are_small_integers() {
        assert_eq!(string(b"127"), [0xC0, 127]);
        assert_eq!(string(b"-128"), [0xC0, 0x80]);
        assert_eq!(string(b"128"), [0xC1, 0x80, 0]);
        assert_eq!(string(b"-32769"), [0xC2, 0xFF, 0x7F, 0xFF, 0xFF]);
        assert_eq!(string(b"-2147483648"), [0xC2, 0, 0, 0, 0x80]);
        assert_eq!(string(b"2147483648"), b"\x0A2147483648");
        assert_eq!(string(b"007"), b"\x03007");
        assert_eq!(string(b""), [0]);
    }

    #[test]
    fn strings_that_shrink_are_compressed() {
        assert_eq!(string(&[b'a'; 20])[0], 20);
        assert_eq!(string(&[b'a'; 21])[..3], [COMPRESSED, 5, 21]);
        let mut out = Vec::new();
        append_string(&mut out, &[b'a'; 100], false);
        assert_eq!(out.len(), 102);
        let mixed: Vec<u8> = (0..=255).collect();
        assert_eq!(string(&mixed)[..2], [0x41, 0]);
    }
}
