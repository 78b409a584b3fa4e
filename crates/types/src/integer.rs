//! Integers as Redis recognises and writes them inside strings: canonical decimal, signed 64 bit.
//! Canonical means that the text of the number gives back exactly the same bytes: no plus sign, no leading
//! zeros, no minus zero, no spaces.

/// Longest decimal text of an i64, sign included.
pub const TEXT_BYTES_MAX: usize = 20;

/// The integer whose canonical text is `bytes`, if it is one.
#[inline]
pub fn parse(bytes: &[u8]) -> Option<i64> {
    let first = *bytes.first()?;
    if bytes.len() > TEXT_BYTES_MAX || !(first == b'-' || first.is_ascii_digit()) {
        return None;
    }
    parse_digits(bytes, first)
}

fn parse_digits(bytes: &[u8], first: u8) -> Option<i64> {
    let negative = first == b'-';
    let digits = &bytes[usize::from(negative)..];
    match digits.first()? {
        b'0' => return if bytes.len() == 1 { Some(0) } else { None },
        b'1'..=b'9' => {}
        _ => return None,
    }
    let mut magnitude = 0u64;
    for &digit in digits {
        let value = digit.wrapping_sub(b'0');
        if value > 9 {
            return None;
        }
        magnitude = magnitude.checked_mul(10)?.checked_add(u64::from(value))?;
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Writes the canonical text of `value` into the end of `buffer` and returns it.
#[inline]
pub fn text(value: i64, buffer: &mut [u8; TEXT_BYTES_MAX]) -> &[u8] {
    let mut rest = value.unsigned_abs();
    let mut at = TEXT_BYTES_MAX;
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        buffer[at] = b'-';
    }
    &buffer[at..]
}

/// Length of the canonical text of `value`.
#[inline]
pub fn text_len(value: i64) -> usize {
    let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    digits + usize::from(value < 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_text_is_an_integer() {
        for good in ["0", "7", "-1", "10", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(parse(good.as_bytes()), good.parse().ok(), "{good}");
        }
        let bad = ["", "-", "+1", "00", "01", "-0", "-01", " 1", "1 ", "1a", "9223372036854775808"];
        for text in
            bad.iter().chain(&["-9223372036854775809", "18446744073709551616", "99999999999999999999"])
        {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn text_is_what_the_standard_library_writes() {
        let mut value = 1i64;
        for step in 0..2000i64 {
            for v in [value, value.wrapping_neg(), step, i64::MAX, i64::MIN, 0] {
                let mut buffer = [0; TEXT_BYTES_MAX];
                let written = text(v, &mut buffer);
                assert_eq!(written, v.to_string().as_bytes());
                assert_eq!(written.len(), text_len(v));
                assert_eq!(parse(written), Some(v));
            }
            value = value.wrapping_mul(3).wrapping_add(step);
        }
    }
}
