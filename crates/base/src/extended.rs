//! The 80-bit extended doubles of the x87, in software: INCRBYFLOAT and HINCRBYFLOAT of Redis compute in C's
//! `long double`, and their replies show it (0.1 + 0.2 is 0.3).
//!
//! A mantissa of 64 bits, exponents of 15, every operation exact and then rounded once, ties to even. Only what those
//! commands need: reading, adding, writing.

use crate::float_text::shift_right_half_even;
use crate::float_text::{
    Exact, Format, Rounded, hex_digits, is_infinity, parse_exponent, parse_hex, split_sign,
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

/// `None` for what `strtold` reports as out of range.
fn in_range(rounded: Rounded, is_zero: bool) -> Option<Rounded> {
    match rounded {
        Rounded::Infinite => None,
        Rounded::Zero if !is_zero => None,
        _ => Some(rounded),
    }
}

/// Reads digits with at most one point, then perhaps `e` and an exponent.
fn parse_decimal(text: &[u8]) -> Option<Rounded> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_A_FLOAT: &str = "ERR value is not a valid float";
    const NOT_FINITE: &str = "ERR increment would produce NaN or Infinity";

    fn increment(value: &[u8], by: &[u8]) -> String {
        let (Some(value), Some(by)) = (Extended::parse(value), Extended::parse(by)) else {
            return NOT_A_FLOAT.to_owned();
        };
        let sum = value.plus(by);
        if sum.is_finite() { human(sum) } else { NOT_FINITE.to_owned() }
    }

    #[test]
    fn seventeen_digits() {
        let short = |number: Extended| {
            let mut out = Vec::new();
            number.append_short(&mut out);
            String::from_utf8(out).unwrap()
        };
        let cases = [
            ("0", "0"),
            ("60", "60"),
            ("-1.5", "-1.5"),
            ("0.3", "0.3"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("12345678901234567", "12345678901234567"),
            ("123456789012345678", "1.2345678901234568e+17"),
            ("99999999999999999.9", "1e+17"),
            ("1e100", "1e+100"),
            ("-2.5e-4000", "-2.5e-4000"),
            ("1000", "1000"),
            ("3.14159265358979323846", "3.1415926535897932"),
            ("inf", "inf"),
        ];
        for (text, expected) in cases {
            assert_eq!(short(Extended::parse(text.as_bytes()).unwrap()), expected);
        }
        for (double, expected) in
            [(0.1, "0.10000000000000001"), (-2.5, "-2.5"), (1e300, "1.0000000000000001e+300")]
        {
            assert_eq!(short(Extended::from_f64(double)), expected);
        }
        assert_eq!(short(Extended::from_f64(5e-324)), "4.9406564584124654e-324");
        assert_eq!(short(Extended::from_f64(0.0)), "0");
    }

    #[test]
    fn whole_parts() {
        let whole = |text: &str| Extended::parse(text.as_bytes()).unwrap().whole();
        for (text, expected) in [
            ("0", Some(0)),
            ("2.9", Some(2)),
            ("-2.9", Some(-2)),
            ("1e-4000", Some(0)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("-9223372036854775808.5", Some(i64::MIN)),
            ("1e30", None),
            ("1e4000", None),
            ("-inf", None),
        ] {
            assert_eq!(whole(text), expected, "{text}");
        }
    }

    #[test]
    fn order_and_sign() {
        let ascending =
            ["-inf", "-1e4932", "-2", "-1.5", "-1e-4930", "0", "1e-4930", "0.1", "7", "1e30", "inf"];
        let number = |text: &str| Extended::parse(text.as_bytes()).unwrap();
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(number(a).exceeds(number(b)), i > j, "{a} {b}");
                assert_eq!(number(b).negated().exceeds(number(a).negated()), i > j, "{a} {b}");
            }
        }
        assert!(
            number("inf").exceeds(Extended::MAX) && Extended::MAX.exceeds(number("1.1897314953572317e4932"))
        );
        assert!(!Extended::MAX.plus(Extended::MAX).is_finite());
        let nan = number("inf").plus(number("-inf"));
        assert!(!nan.exceeds(Extended::ZERO) && !Extended::ZERO.exceeds(nan));
    }

    fn human(number: Extended) -> String {
        let mut out = Vec::new();
        number.append_human(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn increments_as_redis_server_answers() {
        // INCRBYFLOAT of redis-server 7.0.15 on x86-64: stored value, increment, reply.
        let asked = [
            ("0", "0", "0"),
            ("-0", "0", "0"),
            ("0.1", "0.2", "0.3"),
            ("3", "1.1", "4.1"),
            ("10.5", "0.1", "10.6"),
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("1", "-1", "0"),
            ("-1", "0.5", "-0.5"),
            ("1.5", "-1.5", "0"),
            ("0", "-0.000000000000000001", "0"),
            ("0", "0.00000000000000001", "0.00000000000000001"),
            ("0", "0.000000000000000005", "0"),
            ("0", "0.0000000000000000051", "0.00000000000000001"),
            ("0", "0.000000000000000015", "0.00000000000000002"),
            ("0", "-0.000000000000000005", "0"),
            ("0", "1e-30", "0"),
            ("1", "1e-17", "1.00000000000000001"),
            ("1", "5e-18", "1"),
            ("1", "1e-18", "1"),
            ("1e17", "0.1", "100000000000000000.1015625"),
            ("1e18", "0.1", "1000000000000000000.125"),
            ("1e19", "0.5", "10000000000000000000"),
            ("1e20", "1", "100000000000000000000"),
            ("18446744073709551615", "0", "18446744073709551615"),
            ("18446744073709551615", "1", "18446744073709551616"),
            ("18446744073709551616", "1", "18446744073709551616"),
            ("18446744073709551616", "3", "18446744073709551620"),
            ("36893488147419103232", "3", "36893488147419103236"),
            ("9223372036854775807", "1", "9223372036854775808"),
            ("-9223372036854775808", "-1", "-9223372036854775809"),
            ("9007199254740993", "0.5", "9007199254740993.5"),
            ("3.14159265358979323846", "0", "3.14159265358979324"),
            ("2.71828182845904523536", "0", "2.71828182845904524"),
            ("0.333333333333333333333333", "0", "0.33333333333333333"),
            ("1e22", "0", "10000000000000000000000"),
            ("1e23", "0", "100000000000000000000000"),
            ("1e30", "0", "1000000000000000000024696061952"),
            ("1e40", "-1e40", "0"),
            ("1e40", "-1e39", "8999999999999999999864347064079101198336"),
            ("123456789.123456789", "987654321.987654321", "1111111111.11111110995989293"),
            ("0x10", "0", "16"),
            ("0x1.8p1", "0.5", "3.5"),
            ("-0x.8", "0", "-0.5"),
            ("0x1p-17", "0", "0.00000762939453125"),
            ("0x1p-60", "0", "0"),
            ("0x1p63", "-0x1p-1", "9223372036854775807.5"),
            ("0x1.fffffffffffffffep63", "0x1p-1", "18446744073709551616"),
            ("0x1p64", "0x1p0", "18446744073709551616"),
            ("0x1p64", "0x1.8p1", "18446744073709551620"),
            ("1.", ".5", "1.5"),
            ("+1", "+2", "3"),
            ("99999.99", "0.01", "100000"),
            ("1234567890123456789012345", "1", "1234567890123456788955136"),
            ("7", "-0.7", "6.3"),
            ("0.7", "0.1", "0.8"),
            ("100", "-99.99", "0.01"),
            ("1e-4951", "1e-4951", NOT_A_FLOAT),
            ("3.6e-4951", "0", "0"),
            ("1e-5000", "0", NOT_A_FLOAT),
            ("1e5000", "0", NOT_A_FLOAT),
            ("inf", "0", NOT_FINITE),
            ("-inf", "1", NOT_FINITE),
            ("inf", "-inf", NOT_FINITE),
            ("infinity", "1", NOT_FINITE),
            ("nan", "0", NOT_A_FLOAT),
            ("1e4932", "1e4932", NOT_FINITE),
            ("0", "", NOT_A_FLOAT),
            ("0", "abc", NOT_A_FLOAT),
            ("0", " 1", NOT_A_FLOAT),
            ("0", "1e", NOT_A_FLOAT),
            ("0", "0x", NOT_A_FLOAT),
            ("0", ".", NOT_A_FLOAT),
            ("0", "1.2.3", NOT_A_FLOAT),
            ("0", "1,5", NOT_A_FLOAT),
            ("0", "--1", NOT_A_FLOAT),
            ("0", "+-1", NOT_A_FLOAT),
            ("0e99999", "1", "1"),
        ];
        for (value, by, reply) in asked {
            assert_eq!(increment(value.as_bytes(), by.as_bytes()), reply, "{value} {by}");
        }
    }

    #[test]
    fn the_longest_texts() {
        let long = |len: usize| [b"0.".to_vec(), vec![b'3'; len - 2]].concat();
        assert_eq!(human(Extended::parse(&long(EXTENDED_TEXT_BYTES_MAX)).unwrap()), "0.33333333333333333");
        assert_eq!(Extended::parse(&long(EXTENDED_TEXT_BYTES_MAX + 1)), None);
        assert_eq!(Extended::parse(&[b'9'; EXTENDED_TEXT_BYTES_MAX]), None);
        let largest = human(Extended::parse(b"0x1.fffffffffffffffep16383").unwrap());
        assert_eq!(largest.len(), 4933);
        assert!(
            largest.starts_with("118973149535723176502") && largest.ends_with("6811989770240"),
            "{largest}"
        );
        assert_eq!(increment(largest.as_bytes(), largest.as_bytes()), NOT_FINITE);
    }

    #[test]
    fn infinities_and_what_follows_from_them() {
        let infinity = Extended::parse(b"-Infinity").unwrap();
        assert!(!infinity.is_finite());
        assert_eq!(human(infinity), "-inf");
        assert_eq!(human(Extended::parse(b"+inf").unwrap()), "inf");
        let nan = infinity.plus(Extended::parse(b"inf").unwrap());
        assert!(!nan.is_finite());
        assert_eq!(human(nan.plus(Extended::ZERO)), "nan");
    }

    #[test]
    fn sums_of_integers_are_exact() {
        let seed = 51;
        let mut random = crate::random::Random::from_seed(seed);
        for _ in 0..20_000 {
            let mut draw = || random.next_u64() as i64 >> random.below(64);
            let (a, b) = (draw(), draw());
            let sum = i128::from(a) + i128::from(b);
            if sum.unsigned_abs() <= u128::from(u64::MAX) {
                let found = Extended::from_i64(a).plus(Extended::from_i64(b));
                assert_eq!(human(found), sum.to_string(), "seed {seed}: {a} + {b}");
            }
        }
    }

    #[test]
    fn decimal_and_hexadecimal_agree() {
        // The same value, written exactly in both bases, goes through big and through machine arithmetic.
        let seed = 52;
        let mut random = crate::random::Random::from_seed(seed);
        for _ in 0..2_000 {
            let (mantissa, shift) = (random.next_u64(), random.below(64) as u32);
            let by_hex = Extended::parse(format!("0x{mantissa:x}p-{shift}").as_bytes()).unwrap();
            let mut digits = Natural::from_u64(mantissa);
            digits.multiply_power_of_five(shift);
            let mut decimal = Vec::new();
            digits.append_decimal(&mut decimal);
            decimal.extend(format!("e-{shift}").bytes());
            assert_eq!(Extended::parse(&decimal), Some(by_hex), "seed {seed}: {mantissa:x} {shift}");
        }
    }
}
