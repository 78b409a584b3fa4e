//! Arrays of nothing but numbers, at the width that these need.
//!
//! Whole numbers take 1, 2, 4 or 8 bytes each. Numbers with a fraction take 8, or 4 where that loses nothing: an element of fewer than 64 bits stands
//! for *the shortest decimal number that rounds to it*, not for its binary value. So 0.1 fits into 32 bits (and, when a client
//! asks for that, 16), is shown as it was given, and is the same 0.1 in comparisons. Embeddings, which begin as 32-bit numbers and are
//! printed as such, lose nothing and cost 4 bytes an element.

use crate::Number;
use half::{bf16, f16};

/// Arrays of fewer elements are kept as any other.
pub const LEN_MIN: usize = 4;

/// How the elements are kept; all in little-endian byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Width {
    I8 = 0,
    I16 = 1,
    I32 = 2,
    I64 = 3,
    F16 = 4,
    Bf16 = 5,
    F32 = 6,
    F64 = 7,
}

impl Width {
    /// The width with this number.
    pub fn of(number: u8) -> Option<Self> {
        const ALL: [Width; 8] =
            [Width::I8, Width::I16, Width::I32, Width::I64, Width::F16, Width::Bf16, Width::F32, Width::F64];
        ALL.get(usize::from(number)).copied()
    }

    /// Bytes of an element.
    pub fn bytes(self) -> usize {
        match self {
            Self::I8 => 1,
            Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::I64 | Self::F64 => 8,
        }
    }

    /// Whether the elements are whole numbers.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::I8 | Self::I16 | Self::I32 | Self::I64)
    }

    /// The narrowest that keeps a number as it is; none for those above `i64::MAX`.
    pub fn for_number(number: Number) -> Option<Self> {
        Some(match number {
            Number::Int(value) if i8::try_from(value).is_ok() => Self::I8,
            Number::Int(value) if i16::try_from(value).is_ok() => Self::I16,
            Number::Int(value) if i32::try_from(value).is_ok() => Self::I32,
            Number::Int(_) => Self::I64,
            Number::Unsigned(_) => return None,
            Number::Float(value) if Self::F32.keeps(value) => Self::F32,
            Number::Float(_) => Self::F64,
        })
    }

    /// The narrowest for elements of both; none if one has whole numbers and the other has not.
    pub fn join(self, other: Self) -> Option<Self> {
        match (self.is_whole(), other.is_whole()) {
            (true, true) => Some(if self.bytes() >= other.bytes() { self } else { other }),
            (false, false) if self == other => Some(self),
            (false, false) if self == Self::F64 || other == Self::F64 => Some(Self::F64),
            // Two of the narrow ones, neither of which holds the other's.
            (false, false) => Some(Self::F32),
            _ => None,
        }
    }

    /// Whether an element stands for exactly this number.
    fn keeps(self, value: f64) -> bool {
        self.rounded(value).is_some_and(|bits| self.shown(bits).to_bits() == value.to_bits())
    }

    /// The bits of the element nearest to a number; none if it is out of range.
    fn rounded(self, value: f64) -> Option<u64> {
        let (bits, is_finite) = match self {
            Self::F16 => (u64::from(f16::from_f64(value).to_bits()), f16::from_f64(value).is_finite()),
            Self::Bf16 => (u64::from(bf16::from_f64(value).to_bits()), bf16::from_f64(value).is_finite()),
            Self::F32 => (u64::from((value as f32).to_bits()), (value as f32).is_finite()),
            _ => (value.to_bits(), value.is_finite()),
        };
        is_finite.then_some(bits)
    }

    /// What the bits of an element stand for.
    fn shown(self, bits: u64) -> f64 {
        match self {
            Self::F16 => {
                shortest(f16::from_bits(bits as u16).to_f64(), |value| f16::from_f64(value).to_f64())
            }
            Self::Bf16 => {
                shortest(bf16::from_bits(bits as u16).to_f64(), |value| bf16::from_f64(value).to_f64())
            }
            Self::F32 => decimal(f32::from_bits(bits as u32)),
            _ => f64::from_bits(bits),
        }
    }
}

/// The shortest decimal number that rounds to a 32-bit one.
fn decimal(value: f32) -> f64 {
    // Most numbers of few digits need no detour.
    if value.fract() == 0.0 && value.abs() < 16_777_216.0 {
        return f64::from(value);
    }
    ryu::Buffer::new().format_finite(value).parse().expect("a number")
}

/// The shortest decimal number that `round` takes to a value of at most 11 significant bits.
fn shortest(value: f64, round: impl Fn(f64) -> f64) -> f64 {
    for digits in 0..5 {
        let nearest: f64 = format!("{value:.digits$e}").parse().expect("a number");
        if round(nearest) == value {
            return nearest;
        }
    }
    value
}

/// An array in this form, in whatever memory.
#[derive(Clone, Copy)]
pub struct NumbersRef<'a> {
    pub width: Width,
    /// The elements, one after the other.
    pub bytes: &'a [u8],
}

impl NumbersRef<'_> {
    pub fn len(self) -> usize {
        self.bytes.len() / self.width.bytes()
    }

    pub fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// An element that is there.
    pub fn get(self, index: usize) -> Number {
        let size = self.width.bytes();
        let element = &self.bytes[index * size..][..size];
        let mut wide = [0; 8];
        wide[..size].copy_from_slice(element);
        let bits = u64::from_le_bytes(wide);
        match self.width {
            Width::I8 => Number::Int(i64::from(bits as i8)),
            Width::I16 => Number::Int(i64::from(bits as i16)),
            Width::I32 => Number::Int(i64::from(bits as i32)),
            Width::I64 => Number::Int(bits as i64),
            width => Number::Float(width.shown(bits)),
        }
    }

    /// Appends the text of an element that is there.
    pub fn write(self, index: usize, out: &mut Vec<u8>) {
        if self.width == Width::F32 {
            let element = self.bytes[4 * index..][..4].try_into().expect("four bytes");
            let value = f32::from_le_bytes(element);
            // Beyond these, 64-bit numbers of as many digits are laid out in another way.
            if value == 0.0 || (1e-4..1e12).contains(&value.abs()) {
                out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
                return;
            }
        }
        self.get(index).write(out);
    }

    pub fn iter(self) -> impl DoubleEndedIterator<Item = Number> + ExactSizeIterator {
        (0..self.len()).map(move |index| self.get(index))
    }
}

/// Appends an element. False, and nothing appended, if a number with a fraction is out of the width's range. Whole numbers must fit.
pub fn push(width: Width, number: Number, out: &mut Vec<u8>) -> bool {
    let bits = match (width.is_whole(), number) {
        (true, Number::Int(value)) => value as u64,
        (true, _) => unreachable!("the width is for whole numbers"),
        (false, number) => match width.rounded(number.as_f64()) {
            Some(bits) => bits,
            None => return false,
        },
    };
    out.extend_from_slice(&bits.to_le_bytes()[..width.bytes()]);
    true
}

/// Rewrites elements at a width that has room for them.
pub fn widen(from: NumbersRef<'_>, to: Width) -> Vec<u8> {
    let mut out = Vec::with_capacity(from.len() * to.bytes());
    for number in from.iter() {
        let fits = push(to, number, &mut out);
        debug_assert!(fits, "it is wider");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(width: Width, number: Number) -> Number {
        let mut bytes = Vec::new();
        assert!(push(width, number, &mut bytes));
        NumbersRef { width, bytes: &bytes }.get(0)
    }

    #[test]
    fn short_decimals_survive_narrow_widths() {
        for value in [0.3, 0.1, 0.7, 1.0, 2.5, 100.0, -0.3, -0.1, -100.0, 0.0, -0.0] {
            for width in [Width::F16, Width::Bf16, Width::F32, Width::F64] {
                let Number::Float(read) = one(width, Number::Float(value)) else { panic!("no fraction") };
                assert_eq!(read.to_bits(), f64::to_bits(value), "{value} as {width:?}");
            }
        }
        assert!(!push(Width::F16, Number::Float(1e100), &mut Vec::new()));
        assert!(!push(Width::F32, Number::Float(1e100), &mut Vec::new()));
    }

    #[test]
    fn the_narrowest_width() {
        let cases = [
            (Number::Int(-128), Some(Width::I8)),
            (Number::Int(128), Some(Width::I16)),
            (Number::Int(40_000), Some(Width::I32)),
            (Number::Int(i64::MIN), Some(Width::I64)),
            (Number::Unsigned(u64::MAX), None),
            (Number::Float(0.123_456_79), Some(Width::F32)),
            (Number::Float(0.123_456_789_012), Some(Width::F64)),
            (Number::Float(1e300), Some(Width::F64)),
        ];
        for (number, width) in cases {
            assert_eq!(Width::for_number(number), width, "{number:?}");
        }
        assert_eq!(Width::I8.join(Width::I32), Some(Width::I32));
        assert_eq!(Width::I8.join(Width::F32), None);
        assert_eq!(Width::F16.join(Width::Bf16), Some(Width::F32));
    }

    proptest! {
        #[test]
        fn what_was_a_32_bit_number_stays_one(bits in any::<u32>()) {
            let value = f32::from_bits(bits);
            prop_assume!(value.is_finite());
            let text = ryu::Buffer::new().format_finite(value).to_owned();
            let number = Number::Float(text.parse().expect("a number"));
            prop_assert_eq!(Width::for_number(number), Some(Width::F32));
            let mut shown = Vec::new();
            let mut bytes = Vec::new();
            push(Width::F32, number, &mut bytes);
            NumbersRef { width: Width::F32, bytes: &bytes }.write(0, &mut shown);
            let mut as_double = Vec::new();
            number.write(&mut as_double);
            prop_assert_eq!(&shown, &as_double);
            let again: f64 = std::str::from_utf8(&shown).expect("ASCII").parse().expect("a number");
            prop_assert_eq!(again, number.as_f64());
        }

        #[test]
        fn doubles_never_change(value in proptest::num::f64::NORMAL) {
            let width = Width::for_number(Number::Float(value)).expect("a width");
            prop_assert_eq!(one(width, Number::Float(value)).as_f64().to_bits(), value.to_bits());
        }

        #[test]
        fn whole_numbers_never_change(value in any::<i64>()) {
            let width = Width::for_number(Number::Int(value)).expect("a width");
            prop_assert_eq!(one(width, Number::Int(value)).as_i64(), Some(value));
        }
    }
}
