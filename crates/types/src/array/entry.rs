//! How one element stands in a row of bytes: as short as its text allows, and always giving back the same text.
//!
//! ```text
//! 0x00..=0x7f            the number 0 to 127
//! 0x80..=0xbf  text      0 to 63 bytes
//! 0xc0..=0xcf  1 byte    12 bits: a number from -2048 to 2047
//! 0xd0..=0xd6  2 to 8    a number in 2, 3, 4, 5, 6, 7 or 8 bytes, little endian, signed
//! 0xd7         nothing   a large element, which stands elsewhere
//! 0xd8         2, text   a text of so many bytes, little endian
//! 0xe0..=0xff  digits    a text of 1 to 32 characters out of `0123456789.-+e: `, two to a byte
//! ```
//! Decimal fractions, dates and long numbers take half their text that way.

use base::number::{I64Buf, parse_i64};

/// Longer texts are large elements.
pub const TEXT_BYTES_MAX: usize = 512;

const TEXT: u8 = 0x80;
const SHORT_TEXT_MAX: usize = 63;
const TWELVE_BITS: u8 = 0xc0;
const NUMBER: u8 = 0xd0;
const LARGE: u8 = 0xd7;
const LONG_TEXT: u8 = 0xd8;
const DIGITS: u8 = 0xe0;
const DIGITS_MAX: usize = 32;
const ALPHABET: &[u8; 16] = b"0123456789.-+e: ";

/// An element where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element<'a> {
    Int(i64),
    Text(&'a [u8]),
    /// So many characters, two to a byte.
    Digits(&'a [u8], usize),
}

impl<'a> Element<'a> {
    /// Its text, wherever it must be made.
    #[inline]
    pub fn with_text<R>(self, use_text: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::Int(value) => use_text(I64Buf::new(value).as_bytes()),
            Self::Text(text) => use_text(text),
            Self::Digits(packed, len) => {
                let mut text = [0; DIGITS_MAX];
                for (at, byte) in text[..len].iter_mut().enumerate() {
                    *byte = ALPHABET[usize::from(packed[at / 2] >> (at % 2 * 4) & 15)];
                }
                use_text(&text[..len])
            }
        }
    }

    pub fn to_vec(self) -> Vec<u8> {
        self.with_text(<[u8]>::to_vec)
    }
}

/// What is to be written: `head`, then `tail`.
pub struct Encoded<'a> {
    head: [u8; 20],
    head_len: usize,
    tail: &'a [u8],
}

impl<'a> Encoded<'a> {
    /// Of an element that is not large.
    pub fn new(text: &'a [u8]) -> Self {
        debug_assert!(text.len() <= TEXT_BYTES_MAX);
        if let Some(value) = parse_i64(text) {
            return Self::number(value);
        }
        // A text of one character is not longer than its packed form, and easier to read.
        if (2..=DIGITS_MAX).contains(&text.len())
            && let Some(packed) = Self::digits(text)
        {
            return packed;
        }
        let mut encoded = Self { head: [0; 20], head_len: 1, tail: text };
        if text.len() <= SHORT_TEXT_MAX {
            encoded.head[0] = TEXT | text.len() as u8;
        } else {
            encoded.head[0] = LONG_TEXT;
            encoded.head[1..3].copy_from_slice(&(text.len() as u16).to_le_bytes());
            encoded.head_len = 3;
        }
        encoded
    }

    /// The mark of an element that stands elsewhere.
    pub fn large() -> Self {
        let mut encoded = Self { head: [0; 20], head_len: 1, tail: b"" };
        encoded.head[0] = LARGE;
        encoded
    }

    fn number(value: i64) -> Self {
        let mut encoded = Self { head: [0; 20], head_len: 1, tail: b"" };
        match value {
            0..=0x7f => encoded.head[0] = value as u8,
            -2048..=2047 => {
                encoded.head[0] = TWELVE_BITS | (value >> 8 & 15) as u8;
                encoded.head[1] = value as u8;
                encoded.head_len = 2;
            }
            _ => {
                let significant = 65 - (value ^ value >> 63).leading_zeros() as usize;
                let bytes = significant.div_ceil(8).max(2);
                encoded.head[0] = NUMBER + bytes as u8 - 2;
                encoded.head[1..=bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
                encoded.head_len = 1 + bytes;
            }
        }
        encoded
    }

    fn digits(text: &[u8]) -> Option<Self> {
        let mut encoded = Self { head: [0; 20], head_len: 1 + text.len().div_ceil(2), tail: b"" };
        encoded.head[0] = DIGITS + (text.len() - 1) as u8;
        for (at, byte) in text.iter().enumerate() {
            let digit = ALPHABET.iter().position(|known| known == byte)?;
            encoded.head[1 + at / 2] |= (digit as u8) << (at % 2 * 4);
        }
        Some(encoded)
    }

    pub fn len(&self) -> usize {
        self.head_len + self.tail.len()
    }

    /// Writes it into `place`, which is as long.
    pub fn write_to(&self, place: &mut [u8]) {
        let (head, tail) = place.split_at_mut(self.head_len);
        head.copy_from_slice(&self.head[..self.head_len]);
        tail.copy_from_slice(self.tail);
    }
}

/// Bytes of the entry at the beginning of `bytes`.
#[inline]
pub fn len(bytes: &[u8]) -> usize {
    let first = bytes[0];
    match first {
        0..TEXT => 1,
        TEXT..TWELVE_BITS => 1 + usize::from(first & 0x3f),
        TWELVE_BITS..NUMBER => 2,
        NUMBER..LARGE => usize::from(first - NUMBER) + 3,
        LARGE => 1,
        DIGITS.. => 1 + (usize::from(first - DIGITS) + 2) / 2,
        _ => 3 + usize::from(u16::from_le_bytes([bytes[1], bytes[2]])),
    }
}

/// The element at the beginning of `bytes`; `None` for a large one.
#[inline]
pub fn read(bytes: &[u8]) -> Option<Element<'_>> {
    let first = bytes[0];
    Some(match first {
        0..TEXT => Element::Int(first.into()),
        TEXT..TWELVE_BITS => Element::Text(&bytes[1..=usize::from(first & 0x3f)]),
        TWELVE_BITS..NUMBER => {
            let bits = u16::from_be_bytes([first & 15, bytes[1]]);
            Element::Int(((bits << 4) as i16 >> 4).into())
        }
        NUMBER..LARGE => {
            let count = usize::from(first - NUMBER) + 2;
            let mut wide = [0; 8];
            wide[8 - count..].copy_from_slice(&bytes[1..=count]);
            Element::Int(i64::from_le_bytes(wide) >> ((8 - count) * 8))
        }
        LARGE => return None,
        DIGITS.. => {
            let count = usize::from(first - DIGITS) + 1;
            Element::Digits(&bytes[1..=count.div_ceil(2)], count)
        }
        _ => Element::Text(&bytes[3..len(bytes)]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(text: &[u8]) -> usize {
        let encoded = Encoded::new(text);
        let mut bytes = vec![0xaa; encoded.len() + 3];
        encoded.write_to(&mut bytes[..encoded.len()]);
        assert_eq!(len(&bytes), encoded.len(), "{text:?}");
        assert_eq!(read(&bytes).expect("not large").to_vec(), text);
        encoded.len()
    }

    #[test]
    fn every_text_comes_back() {
        let long = vec![b'x'; TEXT_BYTES_MAX];
        let cases: [(&[u8], usize); 30] = [
            (b"", 1),
            (b"0", 1),
            (b"127", 1),
            (b"128", 2),
            (b"-1", 2),
            (b"-2048", 2),
            (b"2047", 2),
            (b"2048", 3),
            (b"32767", 3),
            (b"-32769", 4),
            (b"8388607", 4),
            (b"2147483648", 6),
            (b"1099511627776", 7),
            (b"36028797018963967", 8),
            (b"-36028797018963969", 9),
            (b"9223372036854775807", 9),
            (b"-9223372036854775808", 9),
            (b"9223372036854775808", 11),
            (b"007", 3),
            (b"-", 2),
            (b"3.14", 3),
            (b"-1.5e+10", 5),
            (b"2026-11-21 20:30:00", 11),
            (b"0.12345678901234567", 11),
            (b"12345678901234567890123456789012", 17),
            (b"123456789012345678901234567890123", 34),
            (b"hello", 6),
            (&long[..63], 64),
            (&long[..64], 67),
            (&long, 515),
        ];
        for (text, bytes) in cases {
            assert_eq!(round(text), bytes, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn numbers_of_all_lengths() {
        for shift in 0..64 {
            for near in [-2, -1, 0, 1, 2] {
                for value in [(1i64 << shift).wrapping_add(near), (-1i64 << shift).wrapping_add(near)] {
                    round(value.to_string().as_bytes());
                }
            }
        }
    }

    #[test]
    fn a_large_one_is_only_marked() {
        let mut bytes = [0; 1];
        Encoded::large().write_to(&mut bytes);
        assert_eq!((len(&bytes), read(&bytes)), (1, None));
    }
}
