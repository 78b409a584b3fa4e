//! Numbers as Redis reads them in directives, beside strictly decimal ones ([`base::number`]): C-like decimal, octal, memory sizes.
//! Only text to number and back; ranges are the table's business.

use base::words::is_space;

/// As C's strtoll over the whole text: blanks and a sign may lead, nothing may follow, an empty text is 0,
/// and what does not fit saturates. `save`, the seconds of output buffer limits and ports are read this way.
pub(crate) fn c_int(text: &[u8], radix: u32) -> Option<i64> {
    let start = text.iter().position(|b| !is_space(*b)).unwrap_or(text.len());
    let body = &text[start..];
    let (negative, digits) = match body {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, body),
    };
    if digits.is_empty() {
        return text.is_empty().then_some(0);
    }
    let mut magnitude: i64 = 0;
    for &byte in digits {
        let digit = i64::from(char::from(byte).to_digit(radix)?);
        magnitude = magnitude.saturating_mul(i64::from(radix)).saturating_add(digit);
    }
    Some(if negative { -magnitude } else { magnitude })
}

/// A number of bytes with an optional unit: b, k (1000), kb (1024), m, mb, g, gb in any case. A bare unit and
/// an empty text are 0, as in Redis. `None` if it is not a size or does not fit 64 bits (Redis wraps around
/// there).
pub fn memory(text: &[u8]) -> Option<u64> {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let scale: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let mut count: u64 = 0;
    for &byte in digits {
        count = count.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
    }
    count.checked_mul(scale)
}

/// A size as `CONFIG REWRITE` writes it: in the largest binary unit that divides it.
pub(crate) fn memory_text(bytes: u64) -> String {
    for (shift, unit) in [(30, "gb"), (20, "mb"), (10, "kb")] {
        if bytes != 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_numbers() {
        assert_eq!(c_int(b" +60", 10), Some(60));
        assert_eq!(c_int(b"", 10), Some(0));
        assert_eq!(c_int(b" ", 10), None);
        assert_eq!(c_int(b"6x", 10), None);
        assert_eq!(c_int(b"0770", 8), Some(0o770));
        assert_eq!(c_int(b"9", 8), None);
        assert_eq!(c_int(b"-99999999999999999999", 10), Some(-i64::MAX));
    }

    #[test]
    fn sizes() {
        for (text, want) in [
            ("", Some(0)),
            ("kb", Some(0)),
            ("1024", Some(1024)),
            ("1k", Some(1000)),
            ("1kB", Some(1024)),
            ("3MB", Some(3 << 20)),
            ("2g", Some(2_000_000_000)),
            ("2gb", Some(2 << 30)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("99999999999gb", None),
            ("-5", None),
            ("1x", None),
            ("1 mb", None),
        ] {
            assert_eq!(memory(text.as_bytes()), want, "{text:?}");
        }
        for (bytes, want) in
            [(0, "0"), (1000, "1000"), (3072, "3kb"), (100 << 20, "100mb"), (1 << 40, "1024gb")]
        {
            assert_eq!(memory_text(bytes), want);
            assert_eq!(memory(want.as_bytes()), Some(bytes));
        }
    }
}
