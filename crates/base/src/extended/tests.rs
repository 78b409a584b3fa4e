//! What redis-server answers to increments, and texts there and back.

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
    let ascending = ["-inf", "-1e4932", "-2", "-1.5", "-1e-4930", "0", "1e-4930", "0.1", "7", "1e30", "inf"];
    let number = |text: &str| Extended::parse(text.as_bytes()).unwrap();
    for (i, a) in ascending.iter().enumerate() {
        for (j, b) in ascending.iter().enumerate() {
            assert_eq!(number(a).exceeds(number(b)), i > j, "{a} {b}");
            assert_eq!(number(b).negated().exceeds(number(a).negated()), i > j, "{a} {b}");
        }
    }
    assert!(number("inf").exceeds(Extended::MAX) && Extended::MAX.exceeds(number("1.1897314953572317e4932")));
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
    assert!(largest.starts_with("118973149535723176502") && largest.ends_with("6811989770240"), "{largest}");
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
