//! Doubles as Redis reads and writes them: what `strtod` accepts in the C locale, and the shortest digits in fpconv's layout (Redis from 7.2 on). `%.17g`
//! (Redis up to 7.0) is in [`crate::general`].

use crate::float_text::{Format, Rounded, hex_digits, is_infinity, parse_hex, split_sign};
use crate::grisu;
use crate::number::{I64Buf, parse_i64};

const DOUBLE: Format = Format { mantissa_bits: 53, exponent_min: -1074, exponent_max: 971 };

/// Reads a double as `getDoubleFromObject` does: the grammar of `strtod` (decimal and hexadecimal, `inf` and
/// `infinity` in any case, a sign before either), and all of the text must be used. Refused besides: the empty text,
/// leading space, nan, and a number too large for a double or so small that it would become zero.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    if let Some(value) = parse_short(text) {
        return Some(value);
    }
    if let Some(integer) = parse_i64(text) {
        return Some(integer as f64);
    }
    let (negative, magnitude) = split_sign(text);
    let value = if let Some(digits) = hex_digits(magnitude) {
        parse_hex_f64(digits)?
    } else if magnitude.first()?.is_ascii_alphabetic() {
        is_infinity(magnitude).then_some(f64::INFINITY)?
    } else {
        parse_decimal_f64(magnitude)?
    };
    Some(if negative { -value } else { value })
}

/// The usual case: up to eighteen digits, maybe a sign and a point, no exponent. Where the digits are an integer that a
/// double holds exactly, and the power of ten to divide by is one too, a single division rounds correctly (Clinger, "How to
/// read floating point numbers accurately", 1990). `None` says nothing about the text.
#[inline]
fn parse_short(text: &[u8]) -> Option<f64> {
    const TENS: [f64; 19] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
        1e18,
    ];
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if text.len() > 18 {
        return None;
    }
    let (mut digits, mut point) = (0u64, None);
    for (at, &byte) in text.iter().enumerate() {
        match byte.wrapping_sub(b'0') {
            digit @ 0..10 => digits = digits * 10 + u64::from(digit),
            _ if byte == b'.' && point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let behind_point = point.map_or(0, |at| text.len() - at - 1);
    if digits > 1 << 53 || text.len() == usize::from(point.is_some()) {
        return None;
    }
    let value = if behind_point == 0 { digits as f64 } else { digits as f64 / TENS[behind_point] };
    Some(if negative { -value } else { value })
}

fn parse_decimal_f64(text: &[u8]) -> Option<f64> {
    // The standard library knows words that `strtod` does not mean here, and would take a second sign.
    let fits = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    if !text.iter().all(fits) || matches!(text.first(), Some(b'+' | b'-')) {
        return None;
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let mut mantissa = text.iter().take_while(|byte| !byte.eq_ignore_ascii_case(&b'e'));
    let out_of_range =
        value.is_infinite() || (value == 0.0 && mantissa.any(|byte| (b'1'..=b'9').contains(byte)));
    (!out_of_range).then_some(value)
}

fn parse_hex_f64(digits: &[u8]) -> Option<f64> {
    let exact = parse_hex(digits)?;
    match exact.round(DOUBLE) {
        Rounded::Zero => (exact.mantissa == 0).then_some(0.0),
        Rounded::Infinite => None,
        Rounded::Finite { mantissa, exponent } => {
            // The leading bit, where there is one, adds one to the biased exponent.
            let biased = (exponent - DOUBLE.exponent_min) as u64;
            Some(f64::from_bits((biased << 52) + mantissa))
        }
    }
}

/// The longest text of a double in either format is shorter than this.
pub(crate) const F64_TEXT_BYTES_MAX: usize = 32;

/// The text of one double, on the stack; empty to begin with.
#[derive(Clone, Copy, Default)]
pub struct F64Buf {
    bytes: [u8; F64_TEXT_BYTES_MAX],
    len: usize,
}

impl F64Buf {
    fn new() -> Self {
        Self { bytes: [0; F64_TEXT_BYTES_MAX], len: 0 }
    }

    /// A whole number.
    pub fn from_i64(value: i64) -> Self {
        Self::of(I64Buf::new(value).as_bytes())
    }

    /// A text of at most [`F64_TEXT_BYTES_MAX`] bytes.
    pub fn of(text: &[u8]) -> Self {
        let mut buf = Self::new();
        buf.push(text);
        buf
    }

    fn push(&mut self, text: &[u8]) {
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text);
        self.len += text.len();
    }

    fn push_zeros(&mut self, count: usize) {
        self.push(&[b'0'; F64_TEXT_BYTES_MAX][..count]);
    }

    /// `d` or `d.ddd`, then an exponent of at least `digits_min` digits.
    pub(crate) fn push_scientific(&mut self, digits: &[u8], exponent: i32, digits_min: usize) {
        self.push(&digits[..1]);
        if digits.len() > 1 {
            self.push(b".");
            self.push(&digits[1..]);
        }
        self.push(if exponent < 0 { b"e-" } else { b"e+" });
        let exponent = I64Buf::from_u64(u64::from(exponent.unsigned_abs()));
        self.push_zeros(digits_min.saturating_sub(exponent.as_bytes().len()));
        self.push(exponent.as_bytes());
    }

    /// All digits with a point where `exponent`, that of the first digit, puts it.
    pub(crate) fn push_fixed(&mut self, digits: &[u8], exponent: i32) {
        if exponent < 0 {
            self.push(b"0.");
            self.push_zeros(exponent.unsigned_abs() as usize - 1);
            self.push(digits);
            return;
        }
        let whole = exponent as usize + 1;
        if whole >= digits.len() {
            self.push(digits);
            self.push_zeros(whole - digits.len());
        } else {
            self.push(&digits[..whole]);
            self.push(b".");
            self.push(&digits[whole..]);
        }
    }

    /// The text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The text of what both formats treat alike: nan, infinities, zeros.
pub(crate) fn format_special(value: f64) -> Option<F64Buf> {
    let text: &[u8] = if value.is_nan() {
        b"nan"
    } else if value == f64::INFINITY {
        b"inf"
    } else if value == f64::NEG_INFINITY {
        b"-inf"
    } else if value == 0.0 {
        if value.is_sign_negative() { b"-0" } else { b"0" }
    } else {
        return None;
    };
    Some(F64Buf::of(text))
}

/// The text of a double in replies of Redis from 7.2 on (`d2string`): an integer of at most 2^62 in full, anything
/// else in the fewest digits and the layout of fpconv.
pub fn format_shortest(value: f64) -> F64Buf {
    if let Some(special) = format_special(value) {
        return special;
    }
    const INTEGER_MAX: f64 = (1u64 << 62) as f64;
    if value.abs() <= INTEGER_MAX && value == (value as i64) as f64 {
        return F64Buf::of(I64Buf::new(value as i64).as_bytes());
    }
    let decimal = grisu::digits(value.abs());
    let digits = decimal.digits();
    let first_exponent = decimal.exponent + digits.len() as i32 - 1;
    let mut buf = F64Buf::of(if value < 0.0 { b"-" } else { b"" });
    let plain = if decimal.exponent >= 0 {
        decimal.exponent < 8
    } else {
        decimal.exponent > -7 || first_exponent.abs() < 4
    };
    if plain {
        buf.push_fixed(digits, first_exponent);
    } else {
        buf.push_scientific(digits, first_exponent, 1);
    }
    buf
}

/// Appends the text of a double in Redis's current format, [`format_shortest`].
#[inline]
pub fn append_f64(out: &mut Vec<u8>, value: f64) {
    // As for integers: a copy of fixed size is the cheaper one.
    let buf = format_shortest(value);
    let len = out.len() + buf.len;
    out.extend_from_slice(&buf.bytes);
    out.truncate(len);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::format_g17;
    use crate::random::Random;

    fn text(buf: F64Buf) -> String {
        String::from_utf8(buf.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn short_decimals_are_rounded_as_the_standard_library_does() {
        let mut random = Random::from_seed(5);
        for _ in 0..200_000 {
            let digits = random.next_u64() >> random.below(64);
            let mut given = digits.to_string();
            given.truncate(17);
            if random.below(4) > 0 {
                given.insert(random.index(given.len() + 1), '.');
            }
            if random.below(2) == 0 {
                given.insert(0, '-');
            }
            let expected: f64 = given.parse().unwrap();
            if let Some(value) = parse_short(given.as_bytes()) {
                assert_eq!(value.to_bits(), expected.to_bits(), "{given}");
            }
            assert_eq!(parse_f64(given.as_bytes()), Some(expected), "{given}");
        }
        for other in ["", ".", "-", "-.", "1e5", "+1", "1..2", "--1", "1-", " 1", "0x1", "9007199254740993"] {
            assert_eq!(parse_short(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn scores_as_redis_prints_them() {
        // A score given to ZADD, its ZSCORE by redis-server 7.0.15, and its text by fpconv as Redis 7.2 uses it.
        let asked = [
            ("0", "0", "0"),
            ("1", "1", "1"),
            ("-1", "-1", "-1"),
            ("10", "10", "10"),
            ("3.14", "3.1400000000000001", "3.14"),
            ("0.1", "0.10000000000000001", "0.1"),
            ("0.2", "0.20000000000000001", "0.2"),
            ("0.3", "0.29999999999999999", "0.3"),
            ("1e-5", "1.0000000000000001e-05", "0.00001"),
            ("0.00001234", "1.234e-05", "1.234e-5"),
            ("1.5e-7", "1.4999999999999999e-07", "1.5e-7"),
            ("1e-6", "9.9999999999999995e-07", "0.000001"),
            ("1e-7", "9.9999999999999995e-08", "1e-7"),
            ("0.0001", "0.0001", "0.0001"),
            ("0.00012345", "0.00012344999999999999", "1.2345e-4"),
            ("123456.789", "123456.789", "123456.789"),
            ("1e15", "1000000000000000", "1000000000000000"),
            ("1e16", "10000000000000000", "10000000000000000"),
            ("1e17", "1e+17", "100000000000000000"),
            ("1e20", "1e+20", "1e+20"),
            ("1e21", "1e+21", "1e+21"),
            ("1e22", "1e+22", "1e+22"),
            ("1.5e21", "1.5e+21", "1.5e+21"),
            ("123456789012345678", "1.2345678901234568e+17", "123456789012345680"),
            ("-123456789012345678", "-1.2345678901234568e+17", "-123456789012345680"),
            ("4611686018427387904", "4.6116860184273879e+18", "4611686018427387904"),
            ("4611686018427387905", "4.6116860184273879e+18", "4611686018427387904"),
            ("4611686018427388928", "4.6116860184273889e+18", "4611686018427389000"),
            ("9007199254740991", "9007199254740991", "9007199254740991"),
            ("9007199254740993", "9007199254740992", "9007199254740992"),
            ("9223372036854775807", "9.2233720368547758e+18", "9223372036854776000"),
            ("18446744073709551616", "1.8446744073709552e+19", "18446744073709552000"),
            ("1.7976931348623157e308", "1.7976931348623157e+308", "1.7976931348623157e+308"),
            ("2.2250738585072014e-308", "2.2250738585072014e-308", "2.2250738585072014e-308"),
            ("5e-324", "4.9406564584124654e-324", "5e-324"),
            ("2.98023223876953125e-8", "2.9802322387695312e-08", "2.9802322387695313e-8"),
            ("0.333333333333333333", "0.33333333333333331", "0.3333333333333333"),
            ("1e100", "1e+100", "1e+100"),
            ("-1e-100", "-1e-100", "-1e-100"),
            ("1234567890.12345", "1234567890.12345", "1234567890.12345"),
            ("5e-5", "5.0000000000000002e-05", "0.00005"),
            ("99999999999999990000", "9.9999999999999984e+19", "99999999999999980000"),
            ("inf", "inf", "inf"),
            ("-inf", "-inf", "-inf"),
            ("+inf", "inf", "inf"),
            ("INF", "inf", "inf"),
            ("infinity", "inf", "inf"),
            ("-Infinity", "-inf", "-inf"),
            ("0x10", "16", "16"),
            ("-0x1.8p1", "-3", "-3"),
            ("0x.8", "0.5", "0.5"),
            ("0x1p-1074", "4.9406564584124654e-324", "5e-324"),
            ("1.", "1", "1"),
            (".5", "0.5", "0.5"),
            ("-.5e1", "-5", "-5"),
            ("5.e3", "5000", "5000"),
            ("+7", "7", "7"),
            ("+1.5", "1.5", "1.5"),
            ("007", "7", "7"),
            ("0e-400", "0", "0"),
            ("1e308", "1e+308", "1e+308"),
        ];
        for (given, g17, shortest) in asked {
            let value = parse_f64(given.as_bytes()).unwrap_or_else(|| panic!("{given} is a float"));
            assert_eq!(text(format_g17(value)), g17, "{given}");
            assert_eq!(text(format_shortest(value)), shortest, "{given}");
        }
    }

    #[test]
    fn zero_keeps_its_sign() {
        // ZSCORE prints a small sorted set's -0 as 0, but because its listpack stores an integer.
        let zero = parse_f64(b"-0").unwrap();
        assert!(zero == 0.0 && zero.is_sign_negative());
        assert_eq!(text(format_g17(zero)), "-0");
        assert_eq!(text(format_shortest(zero)), "-0");
    }

    #[test]
    fn refuses_what_redis_refuses() {
        // ZADD of redis-server 7.0.15 answered "value is not a valid float".
        let refused = [
            "1e-324", "1e-400", "1e400", "-1e400", "1e309", "nan", "-nan", "NaN(1)", "0x", "0x.", "0x1p",
            "1e", "1e+", ".", "+", "-", "+-1", "1.2.3", "1,5", "1_000", "infinit", "inff", "in", "", " 1",
            "1 ", "\x091", "1\x0a", "1\x00", "\x0b1",
        ];
        for given in refused {
            assert_eq!(parse_f64(given.as_bytes()), None, "{given:?}");
        }
        assert_eq!(parse_f64(&[0xff, 0xfe]), None);
    }

    #[test]
    fn both_formats_read_back_as_the_same_double() {
        let seed = 31;
        let mut random = Random::from_seed(seed);
        for round in 0..100_000 {
            let value = match round % 3 {
                0 => f64::from_bits(random.next_u64()),
                1 => (random.next_u64() as i64 >> random.below(64)) as f64,
                _ => (random.unit_f64() * 1e6).round() / 1e3,
            };
            if value.is_nan() {
                continue;
            }
            for buf in [format_g17(value), format_shortest(value)] {
                let read = parse_f64(buf.as_bytes()).map(f64::to_bits);
                assert_eq!(read, Some(value.to_bits()), "seed {seed}: {value:e} as {}", text(buf));
            }
        }
    }

    #[test]
    fn hexadecimal_floats_round_to_even() {
        assert_eq!(parse_f64(b"0x1.00000000000008p0"), Some(1.0));
        assert_eq!(parse_f64(b"0x1.00000000000018p0"), Some(1.0 + 2.0 * f64::EPSILON));
        assert_eq!(parse_f64(b"0x1.000000000000080000000000000000000000001p0"), Some(1.0 + f64::EPSILON));
        assert_eq!(parse_f64(b"-0x0p-9999999999999999999999"), Some(-0.0));
        assert_eq!(parse_f64(b"0x1p-1075"), None);
        assert_eq!(parse_f64(b"0x1.8p-1075"), Some(f64::from_bits(1)));
        assert_eq!(parse_f64(b"0x1p1024"), None);
        assert_eq!(parse_f64(b"0x1.fffffffffffff7p1023"), Some(f64::MAX));
    }

    #[test]
    fn nan_has_a_text_but_is_not_read() {
        assert_eq!(text(format_g17(-f64::NAN)), "nan");
        assert_eq!(text(format_shortest(f64::NAN)), "nan");
        let mut out = b",".to_vec();
        append_f64(&mut out, 2.5);
        assert_eq!(out, b",2.5");
    }
}
