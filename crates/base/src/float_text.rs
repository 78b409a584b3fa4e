//! What `strtod` and `strtold` share: the sign, the words for infinity, hexadecimal floats, and rounding an exact
//! binary value to a given format. Decimal digits are read by the callers, each at its own precision.

/// A binary floating-point format, as the rounding of [`Exact::round`] sees it.
#[derive(Clone, Copy)]
pub(crate) struct Format {
    /// Bits of the mantissa, the leading one included.
    pub mantissa_bits: u32,
    /// The exponent of the lowest mantissa bit of the smallest numbers (subnormal ones included).
    pub exponent_min: i64,
    /// The exponent of the lowest mantissa bit of the largest numbers.
    pub exponent_max: i64,
}

/// A number of a [`Format`]: `mantissa * 2^exponent`. The leading mantissa bit is set unless the exponent is the
/// smallest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounded {
    Zero,
    Finite { mantissa: u64, exponent: i64 },
    Infinite,
}

/// `mantissa * 2^exponent`, plus something less than `2^exponent` when `inexact`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exact {
    pub mantissa: u128,
    pub exponent: i64,
    pub inexact: bool,
}

impl Exact {
    /// The nearest number of the format, ties to the even mantissa.
    ///
    /// An inexact value must have more bits than the format, or else the part left out could not be weighed.
    pub(crate) fn round(self, format: Format) -> Rounded {
        let bits = 128 - self.mantissa.leading_zeros();
        if bits == 0 {
            return Rounded::Zero;
        }
        debug_assert!(!self.inexact || bits > format.mantissa_bits);
        let normal = self.exponent + i64::from(bits) - i64::from(format.mantissa_bits);
        let mut exponent = normal.max(format.exponent_min);
        let dropped = exponent - self.exponent;
        let mut mantissa = if dropped <= 0 {
            self.mantissa << -dropped
        } else {
            shift_right_half_even(self.mantissa, dropped as u64, self.inexact)
        };
        if mantissa >> format.mantissa_bits != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
        match mantissa {
            0 => Rounded::Zero,
            _ if exponent > format.exponent_max => Rounded::Infinite,
            _ => Rounded::Finite { mantissa: mantissa as u64, exponent },
        }
    }
}

/// `value / 2^shift` to the nearest integer, ties to even; `inexact` says that the value is a little larger.
pub(crate) fn shift_right_half_even(value: u128, shift: u64, inexact: bool) -> u128 {
    if shift == 0 {
        return value;
    }
    if shift > 128 {
        return 0;
    }
    let kept = value.checked_shr(shift as u32).unwrap_or(0);
    let rest = value << (128 - shift);
    let half = 1 << 127;
    kept + u128::from(rest > half || (rest == half && (inexact || kept & 1 == 1)))
}

/// Takes an optional sign off: whether it was `-`, and what follows.
pub(crate) fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// Whether an unsigned text means infinity.
pub(crate) fn is_infinity(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity")
}

/// The digits behind `0x`, if an unsigned text starts so.
pub(crate) fn hex_digits(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'0', b'x' | b'X', rest @ ..] => Some(rest),
        _ => None,
    }
}

/// Reads a hexadecimal float behind its `0x`: digits with at most one point, then perhaps `p` and a decimal exponent
/// of two. All of the text must be used.
pub(crate) fn parse_hex(text: &[u8]) -> Option<Exact> {
    let split = text.iter().position(|byte| byte.eq_ignore_ascii_case(&b'p')).unwrap_or(text.len());
    let (digits, power) = text.split_at(split);
    let mut exact = Exact { mantissa: 0, exponent: 0, inexact: false };
    let (mut seen_point, mut seen_digit) = (false, false);
    for &byte in digits {
        if byte == b'.' && !seen_point {
            seen_point = true;
            continue;
        }
        let digit = char::from(byte).to_digit(16)?;
        seen_digit = true;
        // Thirty-one digits are kept, which is more than any format holds; of the others it matters whether any is
        // not zero.
        if exact.mantissa >> 120 == 0 {
            exact.mantissa = exact.mantissa << 4 | u128::from(digit);
            exact.exponent -= if seen_point { 4 } else { 0 };
        } else {
            exact.inexact |= digit != 0;
            exact.exponent += if seen_point { 0 } else { 4 };
        }
    }
    if let [_, power @ ..] = power {
        exact.exponent += parse_exponent(power)?;
    }
    seen_digit.then_some(exact)
}

/// The largest exponent that [`parse_exponent`] returns. Longer texts than this could not outweigh it.
const EXPONENT_MAX: i64 = 1 << 50;

/// Reads the exponent of a float: an optional sign and at least one digit, nothing else. Saturates.
pub(crate) fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude =
        digits.iter().fold(0, |value: i64, &byte| (value * 10 + i64::from(byte - b'0')).min(EXPONENT_MAX));
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOUBLE: Format = Format { mantissa_bits: 53, exponent_min: -1074, exponent_max: 971 };

    #[test]
    fn rounds_half_to_even() {
        assert_eq!(shift_right_half_even(0b101, 1, false), 0b10);
        assert_eq!(shift_right_half_even(0b111, 1, false), 0b100);
        assert_eq!(shift_right_half_even(0b101, 1, true), 0b11);
        assert_eq!(shift_right_half_even(u128::MAX, 128, false), 1);
        assert_eq!(shift_right_half_even(1 << 127, 128, false), 0);
        assert_eq!(shift_right_half_even(1 << 127, 128, true), 1);
        assert_eq!(shift_right_half_even(u128::MAX, 129, false), 0);
        assert_eq!(shift_right_half_even(7, 0, true), 7);
    }

    #[test]
    fn rounding_knows_the_ends_of_the_format() {
        let round = |mantissa, exponent| Exact { mantissa, exponent, inexact: false }.round(DOUBLE);
        assert_eq!(round(0, 5), Rounded::Zero);
        assert_eq!(round(1, -1074), Rounded::Finite { mantissa: 1, exponent: -1074 });
        assert_eq!(round(1, -1075), Rounded::Zero);
        assert_eq!(round(3, -1075), Rounded::Finite { mantissa: 2, exponent: -1074 });
        assert_eq!(round(1, -(1 << 60)), Rounded::Zero);
        assert_eq!(round(1, 1023), Rounded::Finite { mantissa: 1 << 52, exponent: 971 });
        assert_eq!(round(1, 1024), Rounded::Infinite);
        assert_eq!(round((1 << 54) - 1, 970), Rounded::Infinite);
        assert_eq!(round(1, 1 << 60), Rounded::Infinite);
    }

    #[test]
    fn hexadecimal_grammar() {
        let exact = |mantissa, exponent| Some(Exact { mantissa, exponent, inexact: false });
        assert_eq!(parse_hex(b"1"), exact(1, 0));
        assert_eq!(parse_hex(b"A.8P-3"), exact(0xa8, -7));
        assert_eq!(parse_hex(b".8"), exact(8, -4));
        assert_eq!(parse_hex(b"8."), exact(8, 0));
        assert_eq!(parse_hex(b"1p+4"), exact(1, 4));
        for refused in ["", ".", "p1", ".p1", "1p", "1p+", "1p1.", "1..", "1.2.3", "g", "1 ", "1p1p1", "-1"] {
            assert_eq!(parse_hex(refused.as_bytes()), None, "{refused}");
        }
        let long = [&b"1"[..], &[b'0'; 40], b"1"].concat();
        assert_eq!(parse_hex(&long), Some(Exact { mantissa: 1 << 120, exponent: 44, inexact: true }));
    }

    #[test]
    fn exponents_saturate() {
        assert_eq!(parse_exponent(b"-12"), Some(-12));
        assert_eq!(parse_exponent(&[b'9'; 100]), Some(EXPONENT_MAX));
        assert_eq!(parse_exponent(b""), None);
        assert_eq!(parse_exponent(b"+"), None);
        assert_eq!(parse_exponent(b"1a"), None);
    }
}
