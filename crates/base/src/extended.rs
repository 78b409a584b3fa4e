//! The 80-bit extended doubles of the x87, in software: INCRBYFLOAT and HINCRBYFLOAT of Redis compute in C's
//! `long double`, and their replies show it (0.1 + 0.2 is 0.3).
//!
//! A mantissa of 64 bits, exponents of 15, every operation exact and then rounded once, ties to even. Only what those
//! commands need: reading, adding, writing.

mod read;
#[cfg(test)]
mod tests;

use self::read::{in_range, parse_decimal};
use crate::float_text::{
    Exact, Format, Rounded, hex_digits, is_infinity, parse_hex, shift_right_half_even, split_sign,
};
use crate::natural::Natural;
use crate::number::I64Buf;

const EXTENDED: Format = Format { mantissa_bits: 64, exponent_min: -16445, exponent_max: 16320 };

/// The longest text that Redis reads as a `long double`, in bytes.
pub const EXTENDED_TEXT_BYTES_MAX: usize = 5 * 1024 - 1;

/// An extended double.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extended(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Zero has no sign here: Redis never shows it.
    Zero,
    Finite {
        negative: bool,
        mantissa: u64,
        exponent: i64,
    },
    Infinite {
        negative: bool,
    },
    /// What the sum of opposite infinities is.
    NotANumber,
}

impl Extended {
    /// Zero, the value of a missing key or field.
    pub const ZERO: Self = Self(Kind::Zero);

    /// The largest finite number (`LDBL_MAX`).
    pub const MAX: Self = Self(Kind::Finite { negative: false, mantissa: u64::MAX, exponent: 16320 });

    /// Reads a number as `string2ld` does: the grammar of `strtold`, infinities included, and all of the text must be
    /// used. Refused besides: the empty text, one longer than [`EXTENDED_TEXT_BYTES_MAX`], leading space, nan, and a
    /// number too large for the format or so small that it would become zero.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > EXTENDED_TEXT_BYTES_MAX {
            return None;
        }
        let (negative, magnitude) = split_sign(text);
        let rounded = if let Some(digits) = hex_digits(magnitude) {
            let exact = parse_hex(digits)?;
            in_range(exact.round(EXTENDED), exact.mantissa == 0)?
        } else if magnitude.first()?.is_ascii_alphabetic() {
            is_infinity(magnitude).then_some(Rounded::Infinite)?
        } else {
            parse_decimal(magnitude)?
        };
        Some(Self::new(negative, rounded))
    }

    /// An integer; every `i64` is exact.
    pub fn from_i64(value: i64) -> Self {
        let exact = Exact { mantissa: u128::from(value.unsigned_abs()), exponent: 0, inexact: false };
        Self::new(value < 0, exact.round(EXTENDED))
    }

    /// A double; every one is exact.
    pub fn from_f64(value: f64) -> Self {
        let (negative, bits) = (value.is_sign_negative(), value.to_bits() & !(1 << 63));
        if value.is_nan() {
            return Self(Kind::NotANumber);
        }
        if value.is_infinite() {
            return Self(Kind::Infinite { negative });
        }
        let (field, fraction) = ((bits >> 52) as i64, bits & ((1 << 52) - 1));
        let mantissa = if field == 0 { fraction } else { fraction | 1 << 52 };
        let exact = Exact { mantissa: mantissa.into(), exponent: field.max(1) - 1075, inexact: false };
        Self::new(negative, exact.round(EXTENDED))
    }

    fn new(negative: bool, rounded: Rounded) -> Self {
        Self(match rounded {
            Rounded::Zero => Kind::Zero,
            Rounded::Finite { mantissa, exponent } => Kind::Finite { negative, mantissa, exponent },
            Rounded::Infinite => Kind::Infinite { negative },
        })
    }

    /// Whether this is neither an infinity nor nan. Redis refuses an increment whose result is not.
    pub fn is_finite(self) -> bool {
        matches!(self.0, Kind::Zero | Kind::Finite { .. })
    }

    /// The nearest number to the sum. It may be infinite, or nan if the operands are opposite infinities.
    pub fn plus(self, other: Self) -> Self {
        use Kind::{Finite, Infinite, NotANumber, Zero};
        match (self.0, other.0) {
            (NotANumber, _) | (_, NotANumber) => Self(NotANumber),
            (Infinite { negative: a }, Infinite { negative: b }) if a != b => Self(NotANumber),
            (infinite @ Infinite { .. }, _) | (_, infinite @ Infinite { .. }) => Self(infinite),
            (Zero, kind) | (kind, Zero) => Self(kind),
            (
                Finite { negative: a_negative, mantissa: a, exponent: a_exponent },
                Finite { negative: b_negative, mantissa: b, exponent: b_exponent },
            ) => {
                // With the larger exponent first, and the larger mantissa if they are equal, the sum has the sign of
                // the first: a smaller exponent means a smaller number.
                let (a, b) = ((a_exponent, a, a_negative), (b_exponent, b, b_negative));
                let (large, small) = if a >= b { (a, b) } else { (b, a) };
                Self::new(large.2, sum(large, small).round(EXTENDED))
            }
        }
    }

    /// The number with the other sign.
    pub fn negated(self) -> Self {
        Self(match self.0 {
            Kind::Finite { negative, mantissa, exponent } => {
                Kind::Finite { negative: !negative, mantissa, exponent }
            }
            Kind::Infinite { negative } => Kind::Infinite { negative: !negative },
            kind => kind,
        })
    }

    /// Whether this is greater than `other`. Nan is not, and nothing is greater than nan.
    pub fn exceeds(self, other: Self) -> bool {
        match (self.0, other.0) {
            (Kind::NotANumber, _) | (_, Kind::NotANumber) => false,
            // Equal infinities have no difference.
            (a, b) if a == b => false,
            _ => !self.plus(other.negated()).is_negative_or_zero(),
        }
    }

    fn is_negative_or_zero(self) -> bool {
        matches!(self.0, Kind::Zero | Kind::Finite { negative: true, .. } | Kind::Infinite { negative: true })
    }

    /// The number without its fraction, if that fits; nan has none.
    pub fn whole(self) -> Option<i64> {
        let Kind::Finite { negative, mantissa, exponent } = self.0 else {
            return (self.0 == Kind::Zero).then_some(0);
        };
        let shift = u32::try_from(exponent.unsigned_abs()).unwrap_or(u32::MAX);
        let magnitude = if exponent < 0 {
            u128::from(mantissa).checked_shr(shift).unwrap_or(0)
        } else if shift < 64 {
            u128::from(mantissa) << shift
        } else {
            return None;
        };
        let magnitude = i128::try_from(magnitude).ok()?;
        i64::try_from(if negative { -magnitude } else { magnitude }).ok()
    }

    /// Appends the number as `ld2string` does for people: seventeen digits after the point, rounded to nearest, less
    /// the zeros at the end; no exponent.
    pub fn append_human(self, out: &mut Vec<u8>) {
        match self.0 {
            Kind::NotANumber => out.extend_from_slice(b"nan"),
            Kind::Infinite { negative: true } => out.extend_from_slice(b"-inf"),
            Kind::Infinite { negative: false } => out.extend_from_slice(b"inf"),
            Kind::Zero => out.push(b'0'),
            Kind::Finite { negative, mantissa, exponent } if exponent >= 0 => {
                if negative {
                    out.push(b'-');
                }
                let mut integer = Natural::from_u64(mantissa);
                integer.shift_left(exponent as u64);
                integer.append_decimal(out);
            }
            Kind::Finite { negative, mantissa, exponent } => {
                append_fixed(out, negative, mantissa, exponent.unsigned_abs());
            }
        }
    }
}

/// Digits that [`Extended::append_short`] writes.
const SHORT_DIGITS: usize = 17;

impl Extended {
    /// Appends the number as `ld2string` does for machines (`%.17Lg`): seventeen digits in all, less the zeros at the end, with
    /// an exponent where it is below -4 or above 16.
    pub fn append_short(self, out: &mut Vec<u8>) {
        let Kind::Finite { negative, mantissa, exponent } = self.0 else { return self.append_human(out) };
        let (mut digits, mut power) = decimal_digits(mantissa, exponent);
        power += round_digits(&mut digits);
        while digits.len() > 1 && digits.last() == Some(&b'0') {
            digits.pop();
        }
        if negative {
            out.push(b'-');
        }
        if !(-4..SHORT_DIGITS as i64).contains(&power) {
            out.push(digits[0]);
            if digits.len() > 1 {
                out.push(b'.');
                out.extend_from_slice(&digits[1..]);
            }
            let sign = if power < 0 { '-' } else { '+' };
            return out.extend_from_slice(format!("e{sign}{:02}", power.unsigned_abs()).as_bytes());
        }
        if power < 0 {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', (-power - 1) as usize));
            return out.extend_from_slice(&digits);
        }
        let whole = power as usize + 1;
        out.extend(digits.iter().copied().chain(std::iter::repeat(b'0')).take(whole));
        if digits.len() > whole {
            out.push(b'.');
            out.extend_from_slice(&digits[whole..]);
        }
    }
}

/// All decimal digits of `mantissa * 2^exponent`, and the power of ten of the first.
fn decimal_digits(mantissa: u64, exponent: i64) -> (Vec<u8>, i64) {
    let (mut value, mut digits) = (Natural::from_u64(mantissa), Vec::new());
    if exponent >= 0 {
        value.shift_left(exponent.unsigned_abs());
    } else {
        value.multiply_power_of_five(exponent.unsigned_abs() as u32);
    }
    value.append_decimal(&mut digits);
    let power = digits.len() as i64 - 1 + exponent.min(0);
    (digits, power)
}

/// Rounds to seventeen digits, ties to even; 1 if that makes one digit more in front of the point.
fn round_digits(digits: &mut Vec<u8>) -> i64 {
    if digits.len() <= SHORT_DIGITS {
        return 0;
    }
    let rest = digits.split_off(SHORT_DIGITS);
    let odd = digits[SHORT_DIGITS - 1] % 2 == 1;
    let exactly_half = rest[0] == b'5' && rest[1..].iter().all(|&digit| digit == b'0');
    if rest[0] < b'5' || exactly_half && !odd {
        return 0;
    }
    let nines = digits.iter().rev().take_while(|&&digit| digit == b'9').count();
    let at = SHORT_DIGITS - nines;
    digits[at..].fill(b'0');
    if at > 0 {
        digits[at - 1] += 1;
        return 0;
    }
    digits[0] = b'1';
    1
}

/// Appends `mantissa / 2^shift`.
fn append_fixed(out: &mut Vec<u8>, negative: bool, mantissa: u64, shift: u64) {
    const SCALE: u128 = 10u128.pow(17);
    let scaled = shift_right_half_even(u128::from(mantissa) * SCALE, shift, false);
    if scaled == 0 {
        return out.push(b'0');
    }
    if negative {
        out.push(b'-');
    }
    // Both parts fit: the value is below 2^63 and the scale below 2^57.
    out.extend_from_slice(I64Buf::from_u64((scaled / SCALE) as u64).as_bytes());
    let mut fraction = (scaled % SCALE) as u64;
    if fraction != 0 {
        let mut digits = 17;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            digits -= 1;
        }
        let text = I64Buf::from_u64(fraction);
        out.push(b'.');
        out.extend(std::iter::repeat_n(b'0', digits - text.as_bytes().len()));
        out.extend_from_slice(text.as_bytes());
    }
}

/// The magnitude of the sum of two finite numbers, each given as exponent, mantissa and sign; the first is not smaller.
fn sum(large: (i64, u64, bool), small: (i64, u64, bool)) -> Exact {
    /// So many bits the larger number is shifted left at most, which leaves two for carries.
    const ROOM: u64 = 62;
    let distance = (large.0 - small.0) as u64;
    let lift = distance.min(ROOM);
    let sunk = distance - lift;
    let a = u128::from(large.1) << lift;
    let b = u128::from(small.1).checked_shr(sunk.min(128) as u32).unwrap_or(0);
    // What the shift cuts off the smaller number. The larger then has its top bit set, so there are bits enough left
    // to round.
    let lost = sunk >= 64 || u128::from(small.1) != b << sunk;
    let mantissa = if large.2 == small.2 { a + b } else { a - b - u128::from(lost) };
    Exact { mantissa, exponent: large.0 - lift as i64, inexact: lost }
}
