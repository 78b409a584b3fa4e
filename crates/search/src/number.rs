//! Numbers as results have them.

use base::number::{F64Buf, format_general};

/// A number in results, rows of FT.AGGREGATE and distances of FT.SEARCH: whole numbers whole, others with twelve digits, as C writes them.
pub fn result_text(number: f64) -> F64Buf {
    const WHOLE_MAX: f64 = (1u64 << 63) as f64;
    if number == number.trunc() && number.abs() < WHOLE_MAX {
        return F64Buf::from_i64(number as i64);
    }
    if number.is_nan() && number.is_sign_negative() {
        return F64Buf::of(b"-nan");
    }
    format_general(number, 12)
}

/// So many digits as `%.Ng` of C would show.
pub(crate) fn general(number: f64, digits: usize) -> String {
    String::from_utf8_lossy(format_general(number, digits).as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_whole() {
        for (number, expected) in [
            (0.28768207245178085, "0.287682072452"),
            (1617235200.0, "1617235200"),
            (-3.0, "-3"),
            (-0.0, "0"),
            (6373878785249699840.0, "6373878785249699840"),
            (1e300, "1e+300"),
            (-0.5, "-0.5"),
            (f64::NAN, "nan"),
            (-f64::NAN, "-nan"),
        ] {
            assert_eq!(result_text(number).as_bytes(), expected.as_bytes());
        }
        assert_eq!(general(0.0999999999, 6), "0.1");
    }
}
