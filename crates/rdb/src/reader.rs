//! Lengths, strings and numbers, read from a slice that may be hostile: every read is checked against what is left.

use crate::Error;
use crate::writer::{COMPRESSED, INT_8, INT_16, INT_32, LEN_32, LEN_64, SPECIAL};
use base::lzf;
use base::number::I64Buf;
use std::ops::Deref;

/// A place in a row of bytes.
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// A string that was read: where it stood, or what it stood for.
pub enum Text<'a> {
    Raw(&'a [u8]),
    Int(I64Buf),
    Unpacked(Vec<u8>),
}

impl Deref for Text<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Raw(bytes) => bytes,
            Self::Int(digits) => digits.as_bytes(),
            Self::Unpacked(bytes) => bytes,
        }
    }
}

impl Text<'_> {
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Unpacked(bytes) => bytes,
            other => other.to_vec(),
        }
    }
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// `Truncated` if there are not so many; the same holds for all reads below.
    pub fn take(&mut self, count: u64) -> Result<&'a [u8], Error> {
        let count = usize::try_from(count).map_err(|_| Error::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub fn byte(&mut self) -> Result<u8, Error> {
        self.array().map(|[byte]| byte)
    }

    /// Four bytes, little endian.
    pub fn u32_le(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes, little endian: a time.
    pub fn u64_le(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    /// A score of eight bytes.
    pub fn f64_le(&mut self) -> Result<f64, Error> {
        self.array().map(f64::from_le_bytes)
    }

    /// A length or count.
    ///
    /// # Errors
    /// `Corrupt` if it is the beginning of an encoded string.
    pub fn length(&mut self) -> Result<u64, Error> {
        let first = self.byte()?;
        self.length_behind(first)
    }

    fn length_behind(&mut self, first: u8) -> Result<u64, Error> {
        match first {
            0..0x40 => Ok(u64::from(first)),
            0x40..0x80 => Ok(u64::from(first & 0x3F) << 8 | u64::from(self.byte()?)),
            LEN_32 => self.array().map(|bytes| u64::from(u32::from_be_bytes(bytes))),
            LEN_64 => self.array().map(u64::from_be_bytes),
            _ => Err(Error::Corrupt("length")),
        }
    }

    /// The number of elements of a collection.
    ///
    /// # Errors
    /// `Empty` for none.
    pub fn count(&mut self) -> Result<u64, Error> {
        self.length().and_then(|count| if count == 0 { Err(Error::Empty) } else { Ok(count) })
    }

    /// Passes over a string, whatever its encoding. What is compressed is not looked at.
    #[inline]
    pub fn skip_string(&mut self) -> Result<(), Error> {
        let first = self.byte()?;
        let bytes = match first {
            INT_8 => 1,
            INT_16 => 2,
            INT_32 => 4,
            COMPRESSED => {
                let packed_bytes = self.length()?;
                self.length()?;
                packed_bytes
            }
            0..SPECIAL => self.length_behind(first)?,
            _ => return Err(Error::Corrupt("string encoding")),
        };
        self.take(bytes).map(drop)
    }

    /// A string in any of its encodings.
    pub fn string(&mut self) -> Result<Text<'a>, Error> {
        let first = self.byte()?;
        let int = |value: i64| Ok(Text::Int(I64Buf::new(value)));
        match first {
            INT_8 => int(i8::from_le_bytes(self.array()?).into()),
            INT_16 => int(i16::from_le_bytes(self.array()?).into()),
            INT_32 => int(i32::from_le_bytes(self.array()?).into()),
            COMPRESSED => self.compressed(),
            0..SPECIAL => {
                let len = self.length_behind(first)?;
                self.take(len).map(Text::Raw)
            }
            _ => Err(Error::Corrupt("string encoding")),
        }
    }

    fn compressed(&mut self) -> Result<Text<'a>, Error> {
        let (packed_len, len) = (self.length()?, self.length()?);
        let packed = self.take(packed_len)?;
        let text = usize::try_from(len).ok().and_then(|len| lzf::decompress(packed, len));
        text.map(Text::Unpacked).ok_or(Error::Corrupt("compressed string"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string_error(bytes: &[u8]) -> Error {
        Reader::new(bytes).string().map(Text::into_vec).unwrap_err()
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_refused() {
        assert_eq!(Reader::new(b"").length(), Err(Error::Truncated));
        assert_eq!(Reader::new(&[0x40]).length(), Err(Error::Truncated));
        assert_eq!(Reader::new(&[0x82, 0, 0, 0, 0]).length(), Err(Error::Corrupt("length")));
        assert_eq!(Reader::new(&[0xC0, 1]).length(), Err(Error::Corrupt("length")));
        assert_eq!(Reader::new(&[0]).count(), Err(Error::Empty));
        assert_eq!(string_error(&[5, b'a']), Error::Truncated);
        assert_eq!(string_error(&[0x81, 255, 255, 255, 255, 255, 255, 255, 255, 1]), Error::Truncated);
        assert_eq!(string_error(&[0xC4, 0]), Error::Corrupt("string encoding"));
        assert_eq!(string_error(&[0xC1, 0]), Error::Truncated);
        assert_eq!(string_error(&[0xC3, 2, 10, 0, b'a']), Error::Corrupt("compressed string"));
        let huge = [0xC3, 2, 0x81, 255, 255, 255, 255, 255, 255, 255, 255, 0, b'a'];
        assert_eq!(string_error(&huge), Error::Corrupt("compressed string"));
    }

    #[test]
    fn reads_follow_each_other() {
        let mut reader = Reader::new(&[0xC0, 0xFF, 2, b'a', b'b', 7]);
        assert_eq!(&*reader.string().unwrap(), b"-1");
        assert_eq!(&*reader.string().unwrap(), b"ab");
        assert_eq!(reader.rest(), [7]);
    }
}
