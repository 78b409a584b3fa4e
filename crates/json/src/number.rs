//! JSON's numbers: whole ones as far as 64 bits go, else in double precision.

use base::number::{append_i64, append_u64};
use std::cmp::Ordering;

/// A number. Whole numbers are `Unsigned` only above `i64::MAX`; `Float` is finite.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    Int(i64),
    Unsigned(u64),
    Float(f64),
}

impl Number {
    /// The value in double precision, rounded.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Unsigned(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    /// The value if it was written as a whole number that 64 bits with a sign can hold.
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(value),
            _ => None,
        }
    }

    /// Whether it was written as a whole number.
    pub fn is_whole(self) -> bool {
        !matches!(self, Self::Float(_))
    }

    /// A finite result.
    pub fn finite(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self::Float(value))
    }

    /// The sum: whole if both are and 64 bits hold it, nothing if it is not finite.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.combine(other, i64::checked_add, |a, b| a + b)
    }

    /// The product, likewise.
    pub fn times(self, other: Self) -> Option<Self> {
        self.combine(other, i64::checked_mul, |a, b| a * b)
    }

    /// The difference, likewise.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.combine(other, i64::checked_sub, |a, b| a - b)
    }

    /// The same with the other sign.
    pub fn negated(self) -> Option<Self> {
        match self {
            Self::Int(value) => {
                value.checked_neg().map_or_else(|| Self::finite(-self.as_f64()), |n| Some(Self::Int(n)))
            }
            Self::Unsigned(value) => {
                let whole = 0_i64.checked_sub_unsigned(value);
                whole.map_or_else(|| Self::finite(-self.as_f64()), |n| Some(Self::Int(n)))
            }
            Self::Float(value) => Some(Self::Float(-value)),
        }
    }

    fn combine(
        self,
        other: Self,
        whole: fn(i64, i64) -> Option<i64>,
        float: fn(f64, f64) -> f64,
    ) -> Option<Self> {
        if let (Some(a), Some(b)) = (self.as_i64(), other.as_i64())
            && let Some(result) = whole(a, b)
        {
            return Some(Self::Int(result));
        }
        Self::finite(float(self.as_f64(), other.as_f64()))
    }

    /// The order of the values, exact also between whole numbers and doubles.
    pub fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(&b).expect("both are finite"),
            (Self::Float(a), whole) => whole.compare_to_float(a).reverse(),
            (whole, Self::Float(b)) => whole.compare_to_float(b),
            (a, b) => a.whole().cmp(&b.whole()),
        }
    }

    fn whole(self) -> i128 {
        match self {
            Self::Int(value) => i128::from(value),
            Self::Unsigned(value) => i128::from(value),
            Self::Float(value) => value as i128,
        }
    }

    /// Compares a whole number with a double, without rounding the whole number.
    fn compare_to_float(self, float: f64) -> Ordering {
        // What is beyond i128 saturates, and is beyond 64 bits all the same.
        let truncated = float as i128;
        self.whole().cmp(&truncated).then_with(|| 0.0_f64.partial_cmp(&float.fract()).expect("finite"))
    }

    /// Appends the text: the shortest that reads as the same value, a double always with a point or an exponent.
    pub fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Int(value) => append_i64(out, value),
            Self::Unsigned(value) => append_u64(out, value),
            Self::Float(value) => out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes()),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.compare(*other) == Ordering::Equal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: Number) -> String {
        let mut out = Vec::new();
        number.write(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn texts() {
        assert_eq!(text(Number::Int(i64::MIN)), "-9223372036854775808");
        assert_eq!(text(Number::Int(0)), "0");
        assert_eq!(text(Number::Unsigned(u64::MAX)), "18446744073709551615");
        for (value, expected) in [
            (1.0, "1.0"),
            (-0.5, "-0.5"),
            (1e20, "1e20"),
            (1.5e-7, "1.5e-7"),
            (123_456_789.25, "123456789.25"),
            (-0.0, "-0.0"),
        ] {
            assert_eq!(text(Number::Float(value)), expected);
        }
    }

    #[test]
    fn whole_numbers_and_doubles_compare_exactly() {
        let large = 9_007_199_254_740_993;
        assert_eq!(Number::Int(large).compare(Number::Float(9_007_199_254_740_992.0)), Ordering::Greater);
        assert_eq!(
            Number::Unsigned(u64::MAX).compare(Number::Float(18_446_744_073_709_551_616.0)),
            Ordering::Less
        );
        assert_eq!(Number::Int(1), Number::Float(1.0));
        assert_eq!(Number::Int(1).compare(Number::Float(1.5)), Ordering::Less);
        assert_eq!(Number::Int(-1).compare(Number::Float(-1.5)), Ordering::Greater);
        assert_eq!(Number::Float(1e300).compare(Number::Int(i64::MAX)), Ordering::Greater);
    }

    #[test]
    fn sums_stay_whole_while_they_can() {
        assert!(matches!(Number::Int(2).plus(Number::Int(3)), Some(Number::Int(5))));
        assert!(matches!(Number::Int(2).plus(Number::Float(0.5)), Some(Number::Float(2.5))));
        assert!(matches!(Number::Int(i64::MAX).plus(Number::Int(1)), Some(Number::Float(_))));
        assert!(Number::Float(f64::MAX).times(Number::Int(2)).is_none());
    }
}
