//! Numbers as C's `%g` writes them.

/// So many digits as `%.Ng` would show, no zeros behind.
pub(crate) fn general(number: f64, digits: usize) -> String {
    if !number.is_finite() {
        let text = if number.is_nan() { "nan" } else { "inf" };
        return if number < 0.0 { format!("-{text}") } else { text.to_owned() };
    }
    let scientific = format!("{number:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= digits as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.abs());
    }
    // The same digits, with the point where it belongs.
    let (sign, mantissa) = if number.is_sign_negative() { mantissa.split_at(1) } else { ("", mantissa) };
    let mut text = String::with_capacity(digits + 8);
    text.push_str(sign);
    let mut left = exponent;
    if left < 0 {
        // Down to four zeros behind the point.
        text.push_str(&"0.000"[..=left.unsigned_abs() as usize]);
        left = -2;
    }
    for digit in mantissa.chars().filter(char::is_ascii_digit) {
        if left == -1 {
            text.push('.');
        }
        text.push(digit);
        left = (left - 1).max(-2);
    }
    text.truncate(without_zeros(&text).len());
    text
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// A number in results of FT.AGGREGATE: whole numbers whole, others with twelve digits.
pub(crate) fn result_text(number: f64) -> String {
    if number == number.trunc() && number.abs() < 2f64.powi(63) {
        return format!("{}", number as i64);
    }
    general(number, 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_c_writes_them() {
        for (number, expected) in [
            (0.1, "0.1"),
            (2.0, "2"),
            (1e6, "1e+06"),
            (123456.0, "123456"),
            (0.0001, "0.0001"),
            (0.00001234, "1.234e-05"),
            (-0.5, "-0.5"),
            (-0.0, "-0"),
            (0.0, "0"),
            (-0.000123456789, "-0.000123457"),
            (0.00012, "0.00012"),
            (0.0999999999, "0.1"),
            (-123.456789, "-123.457"),
            (100000.0, "100000"),
            (999999.5, "1e+06"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(general(number, 6), expected);
        }
        assert_eq!(result_text(0.28768207245178085), "0.287682072452");
        assert_eq!(result_text(1617235200.0), "1617235200");
        assert_eq!(result_text(-3.0), "-3");
        assert_eq!(result_text(6373878785249699840.0), "6373878785249699840");
        assert_eq!(result_text(1e300), "1e+300");
    }
}
