//! Doubles as C's `%g` writes them: with so many digits at most, correctly rounded, no zeros behind.

use crate::double::{F64_TEXT_BYTES_MAX, F64Buf, format_special};
use crate::grisu;
use crate::number::I64Buf;
use std::io::Write;

/// No text has more digits.
const DIGITS_MAX: usize = 17;
/// With so many digits or fewer those that tell a double from others are rounded, instead of its exact value.
const ROUNDED_MAX: usize = 14;

/// Digits, the first of them not zero, and the power of ten of the first.
struct Scientific {
    digits: [u8; DIGITS_MAX],
    len: usize,
    exponent: i32,
}

/// The text of a double in replies of Redis up to 7.0: `%.17g`.
pub fn format_g17(value: f64) -> F64Buf {
    if value.abs() < 1e15 && value == value.trunc() && (value != 0.0 || value.is_sign_positive()) {
        return F64Buf::of(I64Buf::new(value as i64).as_bytes());
    }
    format_general(value, DIGITS_MAX)
}

/// `%.<precision>g`, of 1 to 17 digits.
///
/// # Panics
/// With another precision.
pub fn format_general(value: f64, precision: usize) -> F64Buf {
    assert!((1..=DIGITS_MAX).contains(&precision), "a double has no more digits than that");
    if let Some(special) = format_special(value) {
        return special;
    }
    let rounded = if precision <= ROUNDED_MAX { rounded(value.abs(), precision) } else { None };
    let Scientific { digits, len, exponent } = rounded.unwrap_or_else(|| exact(value.abs(), precision));
    let digits = &digits[..len];
    let significant = digits.iter().rposition(|digit| *digit != b'0').map_or(1, |last| last + 1);
    let mut text = F64Buf::of(if value < 0.0 { b"-" } else { b"" });
    if (-4..precision as i32).contains(&exponent) {
        text.push_fixed(&digits[..significant], exponent);
    } else {
        text.push_scientific(&digits[..significant], exponent, 2);
    }
    text
}

/// Rounds the few digits that tell a double from others. They lie at most 11 units of a seventeenth digit (half the step to the
/// next double) from its exact value; `None` if a half may lie between the two, so that they might be rounded to different sides.
fn rounded(value: f64, precision: usize) -> Option<Scientific> {
    const UNITS_MAX: u32 = 12;
    // Subnormals lie further apart than that.
    if !value.is_normal() {
        return None;
    }
    let decimal = grisu::digits(value);
    let given = decimal.digits();
    let mut digits = [b'0'; DIGITS_MAX];
    digits.get_mut(..given.len())?.copy_from_slice(given);
    let mut exponent = decimal.exponent + given.len() as i32 - 1;
    let (kept, rest) = digits.split_at_mut(precision);
    let (mut units, mut half) = (0u32, 5u32);
    for (at, digit) in rest.iter().take(9).enumerate() {
        units = units * 10 + u32::from(digit - b'0');
        half *= if at > 0 { 10 } else { 1 };
    }
    // Of more than nine digits behind, those that are left out count for less than one of these.
    if units.abs_diff(half) <= UNITS_MAX {
        return None;
    }
    if units > half {
        match kept.iter().rposition(|digit| *digit != b'9') {
            Some(last) => {
                kept[last] += 1;
                kept[last + 1..].fill(b'0');
            }
            None => {
                kept.fill(b'0');
                kept[0] = b'1';
                exponent += 1;
            }
        }
    }
    Some(Scientific { digits, len: precision, exponent })
}

/// As the standard library rounds.
fn exact(value: f64, precision: usize) -> Scientific {
    let mut text = [0u8; F64_TEXT_BYTES_MAX];
    let mut rest = &mut text[..];
    write!(rest, "{value:.*e}", precision - 1).expect("seventeen digits and an exponent fit");
    let unused = rest.len();
    let text = &text[..F64_TEXT_BYTES_MAX - unused];
    let (mut digits, mut len, mut exponent) = ([b'0'; DIGITS_MAX], 0, 0i32);
    let mut parts = text.split(|byte| *byte == b'e');
    for digit in parts.next().unwrap_or_default().iter().filter(|byte| **byte != b'.') {
        digits[len] = *digit;
        len += 1;
    }
    let power = parts.next().unwrap_or_default();
    for digit in power.iter().filter(|byte| **byte != b'-') {
        exponent = exponent * 10 + i32::from(digit - b'0');
    }
    Scientific { digits, len, exponent: if power.first() == Some(&b'-') { -exponent } else { exponent } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn text(value: f64, precision: usize) -> String {
        String::from_utf8(format_general(value, precision).as_bytes().to_vec()).expect("digits")
    }

    #[test]
    fn as_c_writes_them() {
        for (value, precision, expected) in [
            (0.1, 6, "0.1"),
            (2.0, 6, "2"),
            (1e6, 6, "1e+06"),
            (123456.0, 6, "123456"),
            (0.0001, 6, "0.0001"),
            (0.00001234, 6, "1.234e-05"),
            (-0.5, 6, "-0.5"),
            (-0.0, 6, "-0"),
            (0.0, 6, "0"),
            (-0.000123456789, 6, "-0.000123457"),
            (0.0999999999, 6, "0.1"),
            (-123.456789, 6, "-123.457"),
            (100000.0, 6, "100000"),
            (999999.5, 6, "1e+06"),
            (0.5, 1, "0.5"),
            (2.5, 1, "2"),
            (3.5, 1, "4"),
            (0.125, 2, "0.12"),
            (1e300, 12, "1e+300"),
            (5e-324, 12, "4.94065645841e-324"),
            (0.28768207245178085, 12, "0.287682072452"),
            (f64::INFINITY, 6, "inf"),
            (f64::NEG_INFINITY, 6, "-inf"),
            (f64::NAN, 6, "nan"),
        ] {
            assert_eq!(text(value, precision), expected);
        }
    }

    /// The short way says what the exact one does, also for numbers that lie close to a half.
    #[test]
    fn rounding_few_digits_is_rounding_the_number() {
        let mut random = Random::from_seed(12);
        let mut short = 0;
        for turn in 0..400_000 {
            let precision = 1 + random.index(ROUNDED_MAX);
            let value = match turn % 4 {
                0 => f64::from_bits(random.next_u64() & !(1 << 63)),
                1 => random.unit_f64() * 10f64.powi(random.index(40) as i32 - 20),
                2 => f64::from(random.unit_f64() as f32),
                // A half behind so many digits, or its neighbours.
                _ => {
                    let most = 10u64.pow(precision as u32);
                    let digits = random.next_u64() % most * 10 + 5;
                    let half: f64 = format!("{digits}e{}", random.index(30) as i32 - 20).parse().unwrap();
                    f64::from_bits(half.to_bits() + random.index(5) as u64 - 2 * u64::from(half > 1e-10))
                }
            };
            if !value.is_finite() || value == 0.0 {
                continue;
            }
            let (Scientific { digits, len, exponent }, short_one) =
                (exact(value, precision), rounded(value, precision));
            let Some(short_one) = short_one else { continue };
            short += 1;
            let (found, expected) =
                ((&short_one.digits[..short_one.len], short_one.exponent), (&digits[..len], exponent));
            assert_eq!(found, expected, "{value:e} with {precision} digits");
        }
        assert!(short > 200_000, "the short way is the usual one: {short}");
    }
}
