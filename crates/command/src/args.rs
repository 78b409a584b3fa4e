//! The arguments of one command: spans into the buffer they arrived in, the command's name first.

use crate::error::Error;
use base::hash::HashSeed;
use keyspace::Key;
use resp::Span;
use std::ops::Index;

#[derive(Clone, Copy)]
pub struct Args<'a> {
    buf: &'a [u8],
    spans: &'a [Span],
    seed: &'a HashSeed,
    /// Index of the key that was hashed on the way in (0: none) and its hash.
    hashed: usize,
    hash: u64,
}

impl<'a> Args<'a> {
    pub fn new(buf: &'a [u8], spans: &'a [Span], seed: &'a HashSeed) -> Self {
        Self { buf, spans, seed, hashed: 0, hash: 0 }
    }

    /// As [`Args::new`], with the hash of argument `index` already known.
    pub fn with_hash(buf: &'a [u8], spans: &'a [Span], seed: &'a HashSeed, index: usize, hash: u64) -> Self {
        Self { buf, spans, seed, hashed: index, hash }
    }

    /// Number of arguments, the name included.
    #[inline]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// The argument at `index`, if there are so many.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|s| s.of(self.buf))
    }

    /// The argument at `index`, which the arity check has made sure of.
    #[inline]
    pub fn at(&self, index: usize) -> &'a [u8] {
        self.spans[index].of(self.buf)
    }

    /// The key at `index`, hashed.
    #[inline]
    pub fn key(&self, index: usize) -> Key<'a> {
        let bytes = self.at(index);
        if index == self.hashed && index != 0 {
            return Key { bytes, hash: self.hash };
        }
        Key::new(bytes, self.seed)
    }

    /// The arguments from `index` on.
    pub fn from(
        &self,
        index: usize,
    ) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + Clone + use<'a> {
        let (buf, spans) = (self.buf, self.spans);
        spans[index.min(spans.len())..].iter().map(move |s| s.of(buf))
    }

    pub fn spans(&self) -> &'a [Span] {
        self.spans
    }

    pub fn buf(&self) -> &'a [u8] {
        self.buf
    }

    pub fn seed(&self) -> &'a HashSeed {
        self.seed
    }

    /// Whether the argument at `index` exists and equals `word` (upper case) in any case.
    #[inline]
    pub fn is(&self, index: usize, word: &str) -> bool {
        self.get(index).is_some_and(|arg| is_word(arg, word))
    }

    /// A signed 64-bit number.
    ///
    /// # Errors
    /// `ERR value is not an integer or out of range`
    #[inline]
    pub fn int(&self, index: usize) -> Result<i64, Error> {
        self.get(index).and_then(base::number::parse_i64).ok_or(Error::NOT_AN_INTEGER)
    }

    /// A number that is not negative.
    ///
    /// # Errors
    /// `ERR value is out of range, must be positive`, also for what is no number
    pub fn natural(&self, index: usize) -> Result<usize, Error> {
        let number = self.get(index).and_then(base::number::parse_i64);
        number.and_then(|n| usize::try_from(n).ok()).ok_or(Error::MUST_BE_POSITIVE)
    }

    /// A cursor of SCAN and its kin.
    ///
    /// # Errors
    /// `ERR invalid cursor`
    pub fn cursor(&self, index: usize) -> Result<u64, Error> {
        self.get(index).and_then(parse_cursor).ok_or(Error::INVALID_CURSOR)
    }

    /// A double.
    ///
    /// # Errors
    /// `ERR value is not a valid float`
    pub fn float(&self, index: usize) -> Result<f64, Error> {
        self.get(index).and_then(base::number::parse_f64).ok_or(Error::NOT_A_FLOAT)
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];
    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        self.at(index)
    }
}

/// Whether `arg` is `word`, which is in upper case, in any case.
#[inline]
pub fn is_word(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

/// A natural number that fits 64 bits, as Redis reads it: what ends at a zero byte and is not a negative integer in its
/// plain form may have blanks and a sign in front, and a minus then counts down from 2^64.
pub fn parse_cursor(text: &[u8]) -> Option<u64> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    if let Some(plain) = base::number::parse_i64(text) {
        return u64::try_from(plain).ok();
    }
    let blanks = text.iter().take_while(|byte| b" \t\n\x0b\x0c\r".contains(byte)).count();
    let (negative, digits) = match &text[blanks..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if negative { number.wrapping_neg() } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_natural_numbers() {
        assert_eq!(parse_cursor(b"0"), Some(0));
        assert_eq!(parse_cursor(b" \t+007"), Some(7));
        assert_eq!(parse_cursor(b"7\x00x"), Some(7));
        assert_eq!(parse_cursor(b"-01"), Some(u64::MAX));
        assert_eq!(parse_cursor(b"18446744073709551615"), Some(u64::MAX));
        for bad in [&b""[..], b"-1", b"+", b" ", b"1 ", b"x", b"- 1", b"+-1", b"18446744073709551616", b"1.0"]
        {
            assert_eq!(parse_cursor(bad), None);
        }
    }
}
