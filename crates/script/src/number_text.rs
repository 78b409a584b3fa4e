//! Doubles as C's `%.*g` writes them and `strtod` reads them.

use crate::lua::Message;
use base::number::{I64Buf, append_f64};

/// Appends a number as a command gets it: a whole one that an `i64` surely holds in full, anything else in the fewest digits.
pub fn append_argument(out: &mut Vec<u8>, number: f64) {
    if number.is_nan() {
        append_not_a_number(out, number);
    } else {
        // To a whole number zero has no sign.
        append_f64(out, if number == 0.0 { 0.0 } else { number });
    }
}

/// C tells the sign, which the processor sets.
fn append_not_a_number(out: &mut Vec<u8>, number: f64) {
    out.extend_from_slice(if number.is_sign_negative() { b"-nan" } else { b"nan" });
}

/// Appends `%.<precision>g`; `precision` is 1 to 17.
pub fn append_general(out: &mut Vec<u8>, number: f64, precision: usize) {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    if number.abs() < POWERS[precision.min(15)]
        && number.trunc() == number
        && (number != 0.0 || number.is_sign_positive())
    {
        return out.extend_from_slice(I64Buf::new(number as i64).as_bytes());
    }
    if number.is_nan() {
        return append_not_a_number(out, number);
    }
    if number.is_infinite() {
        return out.extend_from_slice(if number < 0.0 { b"-inf" } else { b"inf" });
    }
    // All digits and the exponent, correctly rounded: d.ddde-5.
    let text = Message::new(format_args!("{:.*e}", precision - 1, number.abs()));
    let text = text.as_bytes();
    let e = text.iter().position(|&byte| byte == b'e').expect("scientific notation has an exponent");
    let exponent: i32 =
        std::str::from_utf8(&text[e + 1..]).ok().and_then(|it| it.parse().ok()).expect("a small number");
    let mut digits = [b'0'; 20];
    let mut len = 0;
    for &digit in text[..e].iter().filter(|byte| byte.is_ascii_digit()) {
        digits[len] = digit;
        len += 1;
    }
    while len > 1 && digits[len - 1] == b'0' {
        len -= 1;
    }
    if number.is_sign_negative() {
        out.push(b'-');
    }
    lay_out(out, &digits[..len], exponent, precision as i32);
}

fn lay_out(out: &mut Vec<u8>, digits: &[u8], exponent: i32, precision: i32) {
    let append_fraction = |out: &mut Vec<u8>, fraction: &[u8]| {
        if !fraction.is_empty() {
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
    };
    if exponent < -4 || exponent >= precision {
        out.push(digits[0]);
        append_fraction(out, &digits[1..]);
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(Message::new(format_args!("e{sign}{:02}", exponent.abs())).as_bytes());
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + (-exponent - 1) as usize, b'0');
        out.extend_from_slice(digits);
    } else {
        let whole = exponent as usize + 1;
        out.extend_from_slice(&digits[..whole.min(digits.len())]);
        out.resize(out.len() + whole.saturating_sub(digits.len()), b'0');
        append_fraction(out, &digits[whole.min(digits.len())..]);
    }
}

/// The number that the text begins with, and its length; length 0 if it begins with none.
pub fn read_leading(text: &[u8]) -> (f64, usize) {
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let negative = text.first() == Some(&b'-');
    let body = &text[sign..];
    let (number, len) = read_magnitude(body);
    if len == 0 {
        return (0.0, 0);
    }
    (if negative { -number } else { number }, sign + len)
}

fn read_magnitude(text: &[u8]) -> (f64, usize) {
    let begins = |word: &[u8]| text.len() >= word.len() && text[..word.len()].eq_ignore_ascii_case(word);
    if begins(b"infinity") {
        return (f64::INFINITY, 8);
    }
    if begins(b"inf") {
        return (f64::INFINITY, 3);
    }
    if begins(b"nan") {
        return (f64::NAN, 3);
    }
    if begins(b"0x") {
        let (number, len) = read_hexadecimal(&text[2..]);
        return if len == 0 { (0.0, 1) } else { (number, len + 2) };
    }
    let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut len = digits(0);
    let mut count = len;
    if text.get(len) == Some(&b'.') {
        let fraction = digits(len + 1);
        count += fraction;
        len += if count > 0 { 1 + fraction } else { 0 };
    }
    if count == 0 {
        return (0.0, 0);
    }
    if matches!(text.get(len), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(len + 1), Some(b'+' | b'-')));
        let exponent = text.get(len + 1 + sign..).map_or(0, |_| digits(len + 1 + sign));
        len += if exponent > 0 { 1 + sign + exponent } else { 0 };
    }
    let number = std::str::from_utf8(&text[..len]).ok().and_then(|it| it.parse().ok());
    (number.expect("digits are a number"), len)
}

/// Behind `0x`.
fn read_hexadecimal(text: &[u8]) -> (f64, usize) {
    let (mut mantissa, mut exponent, mut count, mut len) = (0u64, 0i64, 0, 0);
    let mut is_fraction = false;
    while let Some(&byte) = text.get(len) {
        if byte == b'.' && !is_fraction {
            is_fraction = true;
        } else if let Some(digit) = char::from(byte).to_digit(16) {
            count += 1;
            if mantissa >> 60 == 0 {
                mantissa = mantissa << 4 | u64::from(digit);
                exponent -= if is_fraction { 4 } else { 0 };
            } else {
                // What does not fit only says whether there is something.
                mantissa |= u64::from(digit != 0);
                exponent += if is_fraction { 0 } else { 4 };
            }
        } else {
            break;
        }
        len += 1;
    }
    if count == 0 {
        return (0.0, 0);
    }
    if matches!(text.get(len), Some(b'p' | b'P')) {
        let sign = usize::from(matches!(text.get(len + 1), Some(b'+' | b'-')));
        let from = len + 1 + sign;
        let digits =
            text.get(from..).map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
        if digits > 0 {
            let power = text[from..from + digits]
                .iter()
                .fold(0i64, |sum, digit| (sum * 10 + i64::from(digit - b'0')).min(1 << 40));
            exponent += if text[len + 1] == b'-' { -power } else { power };
            len = from + digits;
        }
    }
    (scale(mantissa as f64, exponent), len)
}

/// `number * 2^exponent`, in steps that neither overflow nor vanish too early.
fn scale(mut number: f64, exponent: i64) -> f64 {
    let mut rest = exponent.clamp(-4000, 4000);
    while rest != 0 {
        let step = rest.clamp(-1000, 1000);
        number *= 2f64.powi(step as i32);
        rest -= step;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn general(number: f64, precision: usize) -> String {
        let mut out = Vec::new();
        append_general(&mut out, number, precision);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn as_printf() {
        for (number, precision, text) in [
            (0.0, 14, "0"),
            (-0.0, 14, "-0"),
            (0.1, 14, "0.1"),
            (1.0 / 3.0, 14, "0.33333333333333"),
            (2.0 / 3.0, 3, "0.667"),
            (123456.0, 3, "1.23e+05"),
            (1e14, 14, "1e+14"),
            (99999999999999.0, 14, "99999999999999"),
            (1e-5, 14, "1e-05"),
            (0.0001, 14, "0.0001"),
            (1e100, 14, "1e+100"),
            (1.5e300, 14, "1.5e+300"),
            (9.5, 1, "1e+01"),
            (-1234.5678, 6, "-1234.57"),
            (f64::INFINITY, 14, "inf"),
        ] {
            assert_eq!(general(number, precision), text);
        }
    }

    #[test]
    fn as_strtod() {
        for (text, number, len) in [
            ("12,", 12.0, 2),
            ("-1.5e3]", -1500.0, 6),
            ("1e", 1.0, 1),
            ("1e+", 1.0, 1),
            ("1.", 1.0, 2),
            (".5", 0.5, 2),
            (".", 0.0, 0),
            ("-", 0.0, 0),
            ("+7", 7.0, 2),
            ("007", 7.0, 3),
            ("0x10", 16.0, 4),
            ("0x1.8p1", 3.0, 7),
            ("0xg", 0.0, 1),
            ("Infinity", f64::INFINITY, 8),
            ("-infx", f64::NEG_INFINITY, 4),
            ("1e999", f64::INFINITY, 5),
        ] {
            assert_eq!(read_leading(text.as_bytes()), (number, len), "{text}");
        }
    }
}
