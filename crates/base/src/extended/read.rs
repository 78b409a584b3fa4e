//! Decimal texts into extended doubles, exactly and then rounded once.

use super::EXTENDED;
use crate::float_text::{Exact, Rounded, parse_exponent};
use crate::natural::Natural;

/// `None` for what `strtold` reports as out of range.
pub(super) fn in_range(rounded: Rounded, is_zero: bool) -> Option<Rounded> {
    match rounded {
        Rounded::Infinite => None,
        Rounded::Zero if !is_zero => None,
        _ => Some(rounded),
    }
}

/// Reads digits with at most one point, then perhaps `e` and an exponent.
pub(super) fn parse_decimal(text: &[u8]) -> Option<Rounded> {
    let split = text.iter().position(|byte| byte.eq_ignore_ascii_case(&b'e')).unwrap_or(text.len());
    let (mantissa, power) = text.split_at(split);
    let mut exponent = if let [_, power @ ..] = power { parse_exponent(power)? } else { 0 };
    let mut digits = Vec::with_capacity(mantissa.len());
    let mut seen_point = false;
    for &byte in mantissa {
        match byte {
            b'.' if !seen_point => seen_point = true,
            b'0'..=b'9' => {
                digits.push(byte);
                exponent -= i64::from(seen_point);
            }
            _ => return None,
        }
    }
    if digits.is_empty() {
        return None;
    }
    while digits.last() == Some(&b'0') {
        digits.pop();
        exponent += 1;
    }
    let leading = digits.iter().take_while(|&&byte| byte == b'0').count();
    let digits = &digits[leading..];
    if digits.is_empty() {
        return Some(Rounded::Zero);
    }
    in_range(round_decimal(digits, exponent), false)
}

/// The nearest number to `digits * 10^exponent`; there are digits, and the first is not `0`.
fn round_decimal(digits: &[u8], exponent: i64) -> Rounded {
    // The range of the format, 3.6e-4951 to 1.2e4932, with something to spare. It bounds the work below.
    let leading_exponent = exponent + digits.len() as i64 - 1;
    if leading_exponent > 4950 {
        return Rounded::Infinite;
    }
    if leading_exponent < -4970 {
        return Rounded::Zero;
    }
    let exact = if digits.len() <= 19 && (-18..=18).contains(&exponent) {
        exact_small(digits, exponent)
    } else if exponent >= 0 {
        let mut value = Natural::from_decimal(digits);
        value.multiply_power_of_five(exponent as u32);
        let (mantissa, binary_exponent, inexact) = value.top_bits();
        Exact { mantissa, exponent: binary_exponent + exponent, inexact }
    } else {
        divide(Natural::from_decimal(digits), exponent.unsigned_abs() as u32)
    };
    exact.round(EXTENDED)
}

/// The common case, in machine words.
fn exact_small(digits: &[u8], exponent: i64) -> Exact {
    let value = digits.iter().fold(0, |value: u64, &byte| value * 10 + u64::from(byte - b'0'));
    let power = 10u128.pow(exponent.unsigned_abs() as u32);
    if exponent >= 0 {
        return Exact { mantissa: u128::from(value) * power, exponent: 0, inexact: false };
    }
    // 10^18 is below 2^60, so the quotient has more than 64 bits.
    let shift = u128::from(value).leading_zeros();
    let shifted = u128::from(value) << shift;
    Exact { mantissa: shifted / power, exponent: -i64::from(shift), inexact: shifted % power != 0 }
}

/// `value / 10^power`, by long division in base two.
fn divide(mut value: Natural, power: u32) -> Exact {
    /// Bits of the quotient: those of the mantissa, one to round, and one because the first may be zero.
    const QUOTIENT_BITS: i64 = 66;
    let mut divisor = Natural::from_u64(1);
    divisor.multiply_power_of_five(power);
    let lengthening = value.bits() as i64 - divisor.bits() as i64;
    if lengthening > 0 {
        divisor.shift_left(lengthening.unsigned_abs());
    } else {
        value.shift_left(lengthening.unsigned_abs());
    }
    let mut mantissa = 0;
    for _ in 0..QUOTIENT_BITS {
        mantissa <<= 1;
        if value >= divisor {
            value.subtract(&divisor);
            mantissa |= 1;
        }
        value.shift_left(1);
    }
    let exponent = lengthening - i64::from(power) - (QUOTIENT_BITS - 1);
    Exact { mantissa, exponent, inexact: !value.is_zero() }
}
