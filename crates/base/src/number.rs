//! Integers as Redis reads and writes them, and the door to its doubles.
//!
//! Reading is strict on purpose: a text is accepted only when writing the number back gives the same bytes, so a
//! stored value may be kept as an integer and still be returned unchanged. Only [`parse_u64_lenient`] takes the forms that
//! Redis reads with the C library (leading blanks, `+`). This module does not know error texts.

pub use crate::double::{F64Buf, append_f64, format_shortest, parse_f64};
pub use crate::general::{format_g17, format_general};

/// The longest decimal text of an `i64`, in bytes: `-9223372036854775808`.
pub const I64_TEXT_BYTES_MAX: usize = 20;

/// Reads an `i64` with the strictness of Redis's `string2ll`: digits only, after at most one `-`; no leading `+`,
/// zero or space, no `-0`, the full range.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    if let [b'-', digits @ ..] = text {
        let magnitude = parse_u64(digits)?;
        if magnitude == 0 || magnitude > i64::MIN.unsigned_abs() {
            return None;
        }
        return Some((magnitude as i64).wrapping_neg());
    }
    i64::try_from(parse_u64(text)?).ok()
}

/// Reads a `u64` with the same strictness: digits only, no leading zero except in `0` itself.
#[inline]
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    let (&first, rest) = text.split_first()?;
    if !first.is_ascii_digit() || (first == b'0' && !rest.is_empty()) || text.len() > 20 {
        return None;
    }
    // Nineteen digits always fit; only a twentieth can overflow.
    let (safe, last) = rest.split_at(rest.len().min(18));
    let mut value = u64::from(first - b'0');
    for &byte in safe {
        value = value * 10 + digit(byte)?;
    }
    match last {
        [] => Some(value),
        [byte, ..] => value.checked_mul(10)?.checked_add(digit(*byte)?),
    }
}

/// Reads a `u64` as Redis's `string2ull`, by which it reads cursors and the ids of streams: what ends at a zero byte and is
/// not a negative integer in its plain form may have blanks and a sign in front, and a minus then counts down from 2^64.
pub fn parse_u64_lenient(text: &[u8]) -> Option<u64> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    if let Some(plain) = parse_i64(text) {
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

#[inline]
fn digit(byte: u8) -> Option<u64> {
    let value = byte.wrapping_sub(b'0');
    (value < 10).then_some(u64::from(value))
}

/// Appends the decimal text of `value`.
#[inline]
pub fn append_i64(out: &mut Vec<u8>, value: i64) {
    match u64::try_from(value) {
        Ok(value) => append_u64(out, value),
        Err(_) => I64Buf::new(value).append_to(out),
    }
}

/// Appends the decimal text of `value`.
#[inline]
pub fn append_u64(out: &mut Vec<u8>, value: u64) {
    if value < 100_000_000 {
        let (text, len) = short_text(value);
        let end = out.len() + len;
        out.extend_from_slice(&text);
        out.truncate(end);
    } else {
        I64Buf::from_u64(value).append_to(out);
    }
}

/// How many bytes the decimal text of `value` takes, sign included.
#[inline]
pub fn i64_text_bytes(value: i64) -> usize {
    usize::from(value < 0) + value.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1
}

/// The eight decimal digits of a number below 10^8, leading zeros included, each in a byte: the first in the lowest.
///
/// All eight at once, in one register: the halves of four digits, then their pairs, then the digits are taken apart by
/// multiplying with a reciprocal. Memory written byte by byte and read back as words would cost more than this.
#[inline]
fn eight_digits(value: u64) -> u64 {
    debug_assert!(value < 100_000_000);
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((pairs - tens * 10) << 8)
}

const ASCII_ZEROS: u64 = u64::from_le_bytes(*b"00000000");

/// The text of a number below 10^8 without leading zeros, and its length; zeros follow it.
#[inline]
pub fn short_text(value: u64) -> ([u8; 8], usize) {
    let digits = eight_digits(value);
    // Zero keeps its last digit.
    let leading = (digits.trailing_zeros() / 8).min(7);
    (((digits | ASCII_ZEROS) >> (leading * 8)).to_le_bytes(), 8 - leading as usize)
}

/// The decimal text of one integer, on the stack.
#[derive(Clone, Copy)]
pub struct I64Buf {
    /// The text stands at the start. Pieces are written eight bytes at a time, hence more room than it can take.
    bytes: [u8; 24],
    len: usize,
}

impl I64Buf {
    /// The text of a signed integer.
    #[inline]
    pub fn new(value: i64) -> Self {
        let mut buf = Self { bytes: [0; 24], len: 0 };
        if value < 0 {
            buf.bytes[0] = b'-';
            buf.len = 1;
        }
        buf.push(value.unsigned_abs());
        buf
    }

    /// The text of an unsigned integer.
    #[inline]
    pub fn from_u64(value: u64) -> Self {
        let mut buf = Self { bytes: [0; 24], len: 0 };
        buf.push(value);
        buf
    }

    #[inline]
    fn push(&mut self, value: u64) {
        const PIECE: u64 = 100_000_000;
        if value < PIECE {
            return self.push_first(value);
        }
        let (high, low) = (value / PIECE, value % PIECE);
        if high < PIECE {
            self.push_first(high);
        } else {
            self.push_first(high / PIECE);
            self.push_eight(high % PIECE);
        }
        self.push_eight(low);
    }

    #[inline]
    fn push_first(&mut self, value: u64) {
        let (text, len) = short_text(value);
        self.bytes[self.len..self.len + 8].copy_from_slice(&text);
        self.len += len;
    }

    #[inline]
    fn push_eight(&mut self, value: u64) {
        let text = (eight_digits(value) | ASCII_ZEROS).to_le_bytes();
        self.bytes[self.len..self.len + 8].copy_from_slice(&text);
        self.len += 8;
    }

    /// The text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Appends the text. Copying all bytes and taking some back is cheaper than copying a number known only at run
    /// time.
    #[inline]
    fn append_to(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len;
        out.extend_from_slice(&self.bytes);
        out.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn accepts_what_string2ll_accepts() {
        let accepted = [
            ("0", 0),
            ("1", 1),
            ("-1", -1),
            ("10", 10),
            ("-99", -99),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775807", -i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ];
        for (text, value) in accepted {
            assert_eq!(parse_i64(text.as_bytes()), Some(value), "{text}");
        }
    }

    #[test]
    fn refuses_what_string2ll_refuses() {
        let refused = [
            "",
            "-",
            "--1",
            "+1",
            "-0",
            "00",
            "01",
            "-01",
            " 1",
            "1 ",
            "1a",
            "a",
            "-a",
            "1.0",
            "1e3",
            "0x1",
            "\0",
            "1\0",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551615",
            "99999999999999999999",
            "-99999999999999999999",
            "100000000000000000000",
            "184467440737095516160",
        ];
        for text in refused {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_i64(&[0xb1, 0xff]), None);
    }

    #[test]
    fn reads_the_whole_range_of_u64() {
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"18446744073709551620"), None);
        assert_eq!(parse_u64(b"99999999999999999999"), None);
        assert_eq!(parse_u64(b"0"), Some(0));
        for refused in [&b""[..], b"-1", b"+1", b"00", b"1 "] {
            assert_eq!(parse_u64(refused), None);
        }
    }

    #[test]
    fn all_numbers_of_up_to_five_digits_and_the_borders_of_pieces() {
        let borders = [100_000_000u64, 10_000_000_000_000_000, u64::MAX];
        let near = borders
            .into_iter()
            .flat_map(|border| (border - 3..=border).chain(border..border.saturating_add(3)));
        for value in (0..100_000).chain(99_990_000..100_000_000).chain(near) {
            let mut out = Vec::new();
            append_u64(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
            assert_eq!(I64Buf::from_u64(value).as_bytes(), out);
        }
    }

    #[test]
    fn text_and_number_are_inverse() {
        let seed = 7;
        let mut random = Random::from_seed(seed);
        let edges = [0, 1, 9, 10, 99, 100, 101, 999, 1000, i64::MAX, i64::MIN, i64::MIN + 1, -1, -10, -100];
        let drawn: Vec<i64> = (0..20_000).map(|_| (random.next_u64() >> random.below(64)) as i64).collect();
        for value in
            edges.into_iter().chain(drawn.iter().copied()).chain(drawn.iter().map(|v| v.wrapping_neg()))
        {
            let mut out = b"x".to_vec();
            append_i64(&mut out, value);
            assert_eq!(&out[1..], value.to_string().as_bytes(), "seed {seed}");
            assert_eq!(parse_i64(&out[1..]), Some(value));
            assert_eq!(i64_text_bytes(value), out.len() - 1);
            out.clear();
            append_u64(&mut out, value as u64);
            assert_eq!(out, (value as u64).to_string().as_bytes());
            assert_eq!(parse_u64(&out), Some(value as u64));
        }
    }

    #[test]
    fn cursors_and_ids_may_have_blanks_and_a_sign() {
        assert_eq!(parse_u64_lenient(b"0"), Some(0));
        assert_eq!(parse_u64_lenient(b" \t+007"), Some(7));
        assert_eq!(parse_u64_lenient(b"7\x00x"), Some(7));
        assert_eq!(parse_u64_lenient(b"-01"), Some(u64::MAX));
        assert_eq!(parse_u64_lenient(b"18446744073709551615"), Some(u64::MAX));
        for bad in [&b""[..], b"-1", b"+", b" ", b"1 ", b"x", b"- 1", b"+-1", b"18446744073709551616", b"1.0"]
        {
            assert_eq!(parse_u64_lenient(bad), None);
        }
    }
}
