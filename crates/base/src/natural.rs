//! Natural numbers of any size, with just the operations that exact conversion between decimal and binary needs.

use std::cmp::Ordering;

/// Limbs of 32 bits, the lowest first; the highest is not zero, so zero has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Natural(Vec<u32>);

impl Natural {
    pub(crate) fn from_u64(value: u64) -> Self {
        let mut natural = Self(vec![value as u32, (value >> 32) as u32]);
        natural.trim();
        natural
    }

    /// The value of decimal digits in ASCII.
    pub(crate) fn from_decimal(digits: &[u8]) -> Self {
        let mut natural = Self(Vec::with_capacity(digits.len() / 9 + 1));
        for chunk in digits.chunks(9) {
            let value = chunk.iter().fold(0, |value, &byte| value * 10 + u32::from(byte - b'0'));
            natural.multiply_add(10u32.pow(chunk.len() as u32), value);
        }
        natural
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    /// The length in bits; 0 for zero.
    pub(crate) fn bits(&self) -> u64 {
        self.0.last().map_or(0, |top| self.0.len() as u64 * 32 - u64::from(top.leading_zeros()))
    }

    /// Multiplies by `5^power`.
    pub(crate) fn multiply_power_of_five(&mut self, power: u32) {
        // 5^13 is the largest that fits a limb.
        for _ in 0..power / 13 {
            self.multiply_add(5u32.pow(13), 0);
        }
        self.multiply_add(5u32.pow(power % 13), 0);
    }

    fn multiply_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for limb in &mut self.0 {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry != 0 {
            self.0.push(carry as u32);
        }
    }

    pub(crate) fn shift_left(&mut self, bits: u64) {
        if self.is_zero() {
            return;
        }
        let (limbs, rest) = ((bits / 32) as usize, (bits % 32) as u32);
        if rest != 0 {
            let mut carry = 0;
            for limb in &mut self.0 {
                let shifted = (u64::from(*limb) << rest) | carry;
                *limb = shifted as u32;
                carry = shifted >> 32;
            }
            self.0.push(carry as u32);
        }
        self.0.splice(0..0, std::iter::repeat_n(0, limbs));
        self.trim();
    }

    /// Subtracts a number that is not larger.
    pub(crate) fn subtract(&mut self, other: &Self) {
        let mut borrow = 0;
        for (index, limb) in self.0.iter_mut().enumerate() {
            let taken = i64::from(other.0.get(index).copied().unwrap_or(0)) + borrow;
            let difference = i64::from(*limb) - taken;
            *limb = difference as u32;
            borrow = i64::from(difference < 0);
        }
        assert_eq!(borrow, 0, "subtracted a larger number");
        self.trim();
    }

    /// The highest 128 bits, the exponent of two of their lowest, and whether any bit below is set.
    pub(crate) fn top_bits(&self) -> (u128, i64, bool) {
        let exponent = self.bits().saturating_sub(128);
        let (limbs, rest) = ((exponent / 32) as usize, exponent % 32);
        let limb = |index: usize| self.0.get(index).copied().unwrap_or(0);
        let whole = (0..4).fold(0, |value, index| value | u128::from(limb(limbs + index)) << (32 * index));
        let (mut top, mut below) = (whole, self.0[..limbs.min(self.0.len())].iter().any(|&limb| limb != 0));
        if rest != 0 {
            below |= whole & ((1 << rest) - 1) != 0;
            top = whole >> rest | u128::from(limb(limbs + 4)) << (128 - rest);
        }
        (top, exponent as i64, below)
    }

    /// Appends the decimal digits; `0` for zero.
    pub(crate) fn append_decimal(&self, out: &mut Vec<u8>) {
        if self.is_zero() {
            return out.push(b'0');
        }
        let mut rest = self.clone();
        let mut chunks = Vec::with_capacity(self.0.len() * 32 / 29 + 1);
        while !rest.is_zero() {
            chunks.push(rest.divide_small(1_000_000_000));
        }
        let mut chunks = chunks.iter().rev();
        out.extend(chunks.next().map(u32::to_string).unwrap_or_default().bytes());
        for chunk in chunks {
            out.extend(format!("{chunk:09}").bytes());
        }
    }

    /// Divides and returns the remainder.
    fn divide_small(&mut self, divisor: u32) -> u32 {
        let mut remainder = 0;
        for limb in self.0.iter_mut().rev() {
            let value = remainder << 32 | u64::from(*limb);
            *limb = (value / u64::from(divisor)) as u32;
            remainder = value % u64::from(divisor);
        }
        self.trim();
        remainder as u32
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        let lengths = self.0.len().cmp(&other.0.len());
        lengths.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn natural(value: u128) -> Natural {
        Natural::from_decimal(value.to_string().as_bytes())
    }

    fn decimal(natural: &Natural) -> String {
        let mut out = Vec::new();
        natural.append_decimal(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn agrees_with_u128() {
        let seed = 41;
        let mut random = Random::from_seed(seed);
        for _ in 0..20_000 {
            let mut draw = || {
                let bits = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
                bits.checked_shr(random.below(129) as u32).unwrap_or(0)
            };
            let (a, b) = (draw(), draw());
            let (small, large) = (a.min(b), a.max(b));
            assert_eq!(decimal(&natural(a)), a.to_string(), "seed {seed}");
            assert_eq!(natural(a).cmp(&natural(b)), a.cmp(&b));
            assert_eq!(natural(a).bits(), u64::from(128 - a.leading_zeros()));
            assert_eq!(natural(a).top_bits(), (a, 0, false));
            let mut difference = natural(large);
            difference.subtract(&natural(small));
            assert_eq!(difference, natural(large - small));
            let shift = random.below(u64::from(a.leading_zeros()) + 1);
            let mut shifted = natural(a);
            shifted.shift_left(shift);
            assert_eq!(shifted, natural(a.checked_shl(shift as u32).unwrap_or(0)));
        }
    }

    #[test]
    fn large_powers() {
        let mut power = Natural::from_u64(1);
        power.multiply_power_of_five(500);
        power.shift_left(500);
        assert_eq!(decimal(&power), format!("1{}", "0".repeat(500)));
        assert_eq!(power, Natural::from_decimal(format!("1{}", "0".repeat(500)).as_bytes()));
        let mut power = Natural::from_u64(3);
        power.shift_left(300);
        assert_eq!(power.top_bits(), (3 << 126, 174, false));
        let (top, exponent, below) = {
            power.multiply_add(1, 1);
            power.top_bits()
        };
        assert_eq!((top, exponent, below), (3 << 126, 174, true));
    }
}
