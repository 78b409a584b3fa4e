//! The ids of a stream's entries: a time in milliseconds and a sequence number, each the full 64 bits, ordered by both.
//!
//! Reads every form a client may write, and writes `ms-seq`. Knows no clock: the time comes in.

use base::number::{I64Buf, append_u64, parse_u64_lenient};
use std::fmt;

/// The id of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Unix time in ms.
    pub ms: u64,
    pub seq: u64,
}

/// Longer texts are no ids (Redis reads them into a buffer of so many bytes and a zero).
const TEXT_BYTES_MAX: usize = 127;

impl StreamId {
    /// `-` in ranges; no entry has it.
    pub const MIN: Self = Self::new(0, 0);
    /// `+` in ranges.
    pub const MAX: Self = Self::new(u64::MAX, u64::MAX);

    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// Reads `ms-seq`, or `ms` with the sequence number `missing_seq`.
    pub fn parse(text: &[u8], missing_seq: u64) -> Option<Self> {
        match NewId::parse(text, missing_seq)? {
            NewId::Given(id) => Some(id),
            NewId::Millisecond(_) => None,
        }
    }

    /// Reads an end of a range: as [`StreamId::parse`], and `-` and `+`.
    pub fn parse_bound(text: &[u8], missing_seq: u64) -> Option<Self> {
        match until_zero(text) {
            b"-" => Some(Self::MIN),
            b"+" => Some(Self::MAX),
            _ => Self::parse(text, missing_seq),
        }
    }

    /// The id after this one; `None` after the last.
    #[inline]
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self::new(self.ms.checked_add(1)?, 0)),
        }
    }

    /// The id before this one; `None` before 0-0.
    #[inline]
    pub fn prev(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self::new(self.ms.checked_sub(1)?, u64::MAX)),
        }
    }

    /// The id that an entry gets at `now_ms` behind this one: never one from before it, whatever the clock says. `None`
    /// behind the last.
    #[inline]
    pub fn next_at(self, now_ms: u64) -> Option<Self> {
        if now_ms > self.ms { Some(Self::new(now_ms, 0)) } else { self.next() }
    }

    /// Whether this is 0-0.
    pub fn is_zero(self) -> bool {
        self == Self::MIN
    }

    /// Appends `ms-seq`.
    #[inline]
    pub fn append_to(self, out: &mut Vec<u8>) {
        append_u64(out, self.ms);
        out.push(b'-');
        append_u64(out, self.seq);
    }

    /// `ms-seq` on the stack.
    #[inline]
    pub fn text(self) -> IdText {
        let (ms, seq) = (I64Buf::from_u64(self.ms), I64Buf::from_u64(self.seq));
        let (ms, seq) = (ms.as_bytes(), seq.as_bytes());
        let mut text = IdText { bytes: [0; 41], len: ms.len() + 1 + seq.len() };
        text.bytes[..ms.len()].copy_from_slice(ms);
        text.bytes[ms.len()] = b'-';
        text.bytes[ms.len() + 1..text.len].copy_from_slice(seq);
        text
    }

    /// The 16 bytes that stand for it in files: both numbers with the highest byte first.
    pub fn to_be_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    /// The reverse of [`StreamId::to_be_bytes`].
    pub fn from_be_bytes(bytes: [u8; 16]) -> Self {
        let number = u128::from_be_bytes(bytes);
        Self::new((number >> 64) as u64, number as u64)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// The text of an id.
#[derive(Clone, Copy)]
pub struct IdText {
    bytes: [u8; 41],
    len: usize,
}

impl IdText {
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The id that a client asks for a new entry, other than `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewId {
    Given(StreamId),
    /// `ms-*`: the next one of that millisecond.
    Millisecond(u64),
}

impl NewId {
    /// Reads `ms-seq`, `ms-*`, or `ms` with the sequence number `missing_seq`.
    pub fn parse(text: &[u8], missing_seq: u64) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let text = until_zero(text);
        let Some(dash) = text.iter().position(|&byte| byte == b'-') else {
            return Some(Self::Given(StreamId::new(parse_u64_lenient(text)?, missing_seq)));
        };
        let (ms, seq) = (parse_u64_lenient(&text[..dash])?, &text[dash + 1..]);
        if seq == b"*" {
            return Some(Self::Millisecond(ms));
        }
        Some(Self::Given(StreamId::new(ms, parse_u64_lenient(seq)?)))
    }

    /// The id for an entry behind `last`; `None` if there is none after it.
    pub fn behind(self, last: StreamId) -> Option<StreamId> {
        let id = match self {
            Self::Given(id) => id,
            Self::Millisecond(ms) if ms == last.ms => StreamId::new(ms, last.seq.checked_add(1)?),
            Self::Millisecond(ms) => StreamId::new(ms, 0),
        };
        (id > last).then_some(id)
    }
}

fn until_zero(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64, seq: u64) -> StreamId {
        StreamId::new(ms, seq)
    }

    #[test]
    fn texts_become_ids() {
        for (text, expected) in [
            ("1-2", Some(id(1, 2))),
            ("7", Some(id(7, 9))),
            ("0", Some(id(0, 9))),
            ("18446744073709551615-18446744073709551615", Some(StreamId::MAX)),
            ("18446744073709551616-0", None),
            ("", None),
            ("-", None),
            ("+", None),
            ("1-", None),
            ("1-*", None),
            ("-1-1", None),
            ("1--1", None),
            ("1-1-1", None),
            ("a-1", None),
            ("1-1 ", None),
            (" 1-+1", Some(id(1, 1))),
            ("1-1\0x", Some(id(1, 1))),
        ] {
            assert_eq!(StreamId::parse(text.as_bytes(), 9), expected, "{text:?}");
        }
        assert_eq!(StreamId::parse(&[b'0'; 127], 3), Some(id(0, 3)));
        assert_eq!(StreamId::parse(&[b'0'; 128], 3), None);
        assert_eq!(StreamId::parse_bound(b"-", 0), Some(StreamId::MIN));
        assert_eq!(StreamId::parse_bound(b"+", 0), Some(StreamId::MAX));
        assert_eq!(StreamId::parse_bound(b"5", u64::MAX), Some(id(5, u64::MAX)));
        assert_eq!(NewId::parse(b"5-*", 0), Some(NewId::Millisecond(5)));
        assert_eq!(NewId::parse(b"5-**", 0), None);
    }

    #[test]
    fn ids_stand_in_a_row() {
        assert_eq!(id(1, u64::MAX).next(), Some(id(2, 0)));
        assert_eq!(id(2, 0).prev(), Some(id(1, u64::MAX)));
        assert_eq!((StreamId::MAX.next(), StreamId::MIN.prev()), (None, None));
        assert!(id(1, u64::MAX) < id(2, 0) && id(2, 0) < id(2, 1));
        assert_eq!(id(5, 3).next_at(4), Some(id(5, 4)));
        assert_eq!(id(5, 3).next_at(5), Some(id(5, 4)));
        assert_eq!(id(5, 3).next_at(6), Some(id(6, 0)));
        assert_eq!(StreamId::MAX.next_at(6), None);
    }

    #[test]
    fn new_ids_are_greater_than_the_last() {
        let last = id(5, 3);
        assert_eq!(NewId::Given(id(5, 3)).behind(last), None);
        assert_eq!(NewId::Given(id(5, 4)).behind(last), Some(id(5, 4)));
        assert_eq!(NewId::Millisecond(5).behind(last), Some(id(5, 4)));
        assert_eq!(NewId::Millisecond(4).behind(last), None);
        assert_eq!(NewId::Millisecond(6).behind(last), Some(id(6, 0)));
        assert_eq!(NewId::Millisecond(5).behind(id(5, u64::MAX)), None);
        assert_eq!(NewId::Millisecond(0).behind(StreamId::MIN), Some(id(0, 1)));
    }

    #[test]
    fn ids_are_written_as_they_are_read() {
        for id in [StreamId::MIN, id(1526919030474, 55), StreamId::MAX] {
            let mut out = Vec::new();
            id.append_to(&mut out);
            assert_eq!(out, id.to_string().into_bytes());
            assert_eq!(out, id.text().as_bytes());
            assert_eq!(StreamId::parse(&out, 0), Some(id));
            assert_eq!(StreamId::from_be_bytes(id.to_be_bytes()), id);
        }
        assert!(id(1, 255).to_be_bytes() < id(1, 256).to_be_bytes());
    }
}
