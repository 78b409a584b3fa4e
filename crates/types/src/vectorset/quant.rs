//! How the numbers of a vector are kept, and how far two vectors are apart, as Redis computes it.
//!
//! A vector is divided by its length first, so that the inner product of two is the cosine of their angle. Then it is kept as it is, as signed
//! bytes of which 127 stands for the largest number ([`Vector::range`]), or as signs. Distances go from 0 (same direction) to 2 (opposite).

use std::borrow::Cow;
use vector::Element;

/// How numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quant {
    /// f32
    None,
    /// Signed bytes.
    Q8,
    /// Signs.
    Bin,
}

/// A vector as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector {
    /// f32, little-endian; signed bytes; or bits, the first one lowest, in whole bytes.
    pub kept: Vec<u8>,
    /// Its length before.
    pub norm: f32,
    /// What 127 stands for; 0 if it is not kept as bytes.
    pub range: f32,
}

/// The same, most often where it lies.
#[derive(Clone, Debug)]
pub struct Kept<'a> {
    pub bytes: Cow<'a, [u8]>,
    pub norm: f32,
    pub range: f32,
}

impl Vector {
    pub fn kept(&self) -> Kept<'_> {
        Kept { bytes: Cow::Borrowed(&self.kept), norm: self.norm, range: self.range }
    }
}

impl Quant {
    /// All of them, in the order of their numbers in files.
    pub const ALL: [Quant; 3] = [Quant::None, Quant::Q8, Quant::Bin];

    /// The name that VINFO gives.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "f32",
            Self::Q8 => "int8",
            Self::Bin => "bin",
        }
    }

    pub(super) fn element(self) -> Element {
        match self {
            Self::None => Element::F32,
            Self::Q8 => Element::Q8,
            Self::Bin => Element::Bit,
        }
    }

    /// Bytes of a vector of so many numbers, as it is kept.
    pub fn kept_bytes(self, dimension: usize) -> usize {
        self.element().kept_bytes(dimension)
    }

    /// Bytes of a vector as files and VEMB … RAW have it: bits in words of 64.
    pub fn raw_bytes(self, dimension: usize) -> usize {
        match self {
            Self::Bin => dimension.div_ceil(64) * 8,
            _ => self.kept_bytes(dimension),
        }
    }

    /// A vector as it will be kept. `None` if a number or the length is not finite.
    pub fn vector(self, numbers: &[f32]) -> Option<Vector> {
        let square: f64 = numbers.iter().map(|number| f64::from(*number) * f64::from(*number)).sum();
        let norm = square.sqrt() as f32;
        if !norm.is_finite() {
            return None;
        }
        // A vector of length zero stays what it is: 1 away from all others.
        // Divided by the norm as it is kept, so that what is multiplied by it again is nearly always what was given, as in Redis.
        let unit = numbers.iter().map(|number| if norm == 0.0 { 0.0 } else { number / norm });
        Some(match self {
            Self::None => Vector { kept: unit.flat_map(f32::to_le_bytes).collect(), norm, range: 0.0 },
            Self::Q8 => {
                let unit: Vec<f32> = unit.collect();
                let range = unit.iter().fold(0.0f32, |range, number| range.max(number.abs()));
                let scale = if range == 0.0 { 0.0 } else { 127.0 / range };
                let kept = unit.iter().map(|number| (number * scale).round() as i8 as u8).collect();
                Vector { kept, norm, range }
            }
            Self::Bin => {
                let mut kept = vec![0; self.kept_bytes(numbers.len())];
                for (at, number) in numbers.iter().enumerate() {
                    kept[at / 8] |= u8::from(*number > 0.0) << (at % 8);
                }
                // As Redis has it.
                Vector { kept, norm, range: 1.0 }
            }
        })
    }

    /// The numbers of length one that a kept vector stands for; of signs 1 and -1.
    pub fn unit(self, kept: &Kept<'_>, dimension: usize) -> Vec<f32> {
        let bytes = &kept.bytes;
        match self {
            Self::None => bytes.as_chunks().0.iter().map(|it| f32::from_le_bytes(*it)).collect(),
            Self::Q8 => bytes.iter().map(|code| f32::from(*code as i8) * kept.range / 127.0).collect(),
            Self::Bin => {
                let sign = |at: usize| if bytes[at / 8] >> (at % 8) & 1 == 1 { 1.0 } else { -1.0 };
                (0..dimension).map(sign).collect()
            }
        }
    }

    /// The numbers that were given, as far as they are still known (VEMB).
    pub fn numbers(self, kept: &Kept<'_>, dimension: usize) -> Vec<f32> {
        let mut numbers = self.unit(kept, dimension);
        if self != Self::Bin {
            numbers.iter_mut().for_each(|number| *number *= kept.norm);
        }
        numbers
    }

    /// What a graph takes for the vector: the same bytes come of it.
    pub(super) fn sent(self, kept: &Kept<'_>, dimension: usize) -> Vec<u8> {
        match self {
            Self::None => kept.bytes.to_vec(),
            _ => self.unit(kept, dimension).into_iter().flat_map(f32::to_le_bytes).collect(),
        }
    }

    /// How far two vectors are apart, 0 to 2.
    pub fn distance(self, a: &Kept<'_>, b: &Kept<'_>, dimension: usize) -> f32 {
        match self {
            Self::None => {
                let numbers = |kept: &Kept<'_>| {
                    let numbers = kept.bytes.as_chunks().0.iter();
                    numbers.map(|it| f64::from(f32::from_le_bytes(*it))).collect::<Vec<f64>>()
                };
                let dot: f64 = numbers(a).iter().zip(numbers(b)).map(|(a, b)| a * b).sum();
                (1.0 - dot as f32).clamp(0.0, 2.0)
            }
            Self::Q8 if a.range == 0.0 || b.range == 0.0 => 1.0,
            Self::Q8 => {
                let product = |(a, b): (&u8, &u8)| i32::from(*a as i8) * i32::from(*b as i8);
                let dot: i32 = a.bytes.iter().zip(b.bytes.iter()).map(product).sum();
                let scale = (a.range / 127.0) * (b.range / 127.0);
                (1.0 - dot as f32 * scale).clamp(0.0, 2.0)
            }
            Self::Bin => {
                let differ: u32 = a.bytes.iter().zip(b.bytes.iter()).map(|(a, b)| (a ^ b).count_ones()).sum();
                differ as f32 * 2.0 / dimension as f32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_redis() {
        let vector = Quant::Q8.vector(&[3.0, -4.0, 0.0, 1e-9]).unwrap();
        assert_eq!((vector.norm, vector.range), (5.0, 0.8));
        assert_eq!(vector.kept, [95, 0x81, 0, 0]);
        let numbers = Quant::Q8.numbers(&vector.kept(), 4);
        assert!((numbers[0] - 3.0).abs() < 0.02 && numbers[1] == -4.0, "{numbers:?}");
        let vector = Quant::None.vector(&[3.0, 4.0]).unwrap();
        assert_eq!(vector.kept, [0.6f32.to_le_bytes(), 0.8f32.to_le_bytes()].concat());
        let vector = Quant::Bin.vector(&[1.0, 4.32, 0.0, 0.05, -2.9, 0.0, 0.0, 0.0, 1.0]).unwrap();
        assert_eq!(vector.kept, [0b1011, 1]);
        assert_eq!(Quant::Bin.numbers(&vector.kept(), 5), [1.0, 1.0, -1.0, 1.0, -1.0]);
        assert_eq!(
            (Quant::Bin.raw_bytes(65), Quant::Q8.raw_bytes(65), Quant::None.raw_bytes(65)),
            (16, 65, 260)
        );
    }

    #[test]
    fn distances_are_those_of_the_angle() {
        let pairs: [([f32; 2], [f32; 2], f32); 4] = [
            ([1.0, 0.0], [5.0, 0.0], 0.0),
            ([1.0, 0.0], [-1.0, 0.0], 2.0),
            ([1.0, 0.0], [0.0, 7.0], 1.0),
            ([0.0, 0.0], [1.0, 1.0], 1.0),
        ];
        for (a, b, expected) in pairs {
            for quant in [Quant::None, Quant::Q8] {
                let (a, b) = (quant.vector(&a).unwrap(), quant.vector(&b).unwrap());
                assert_eq!(quant.distance(&a.kept(), &b.kept(), 2), expected, "{quant:?} {a:?} {b:?}");
            }
        }
        let [a, b] = [[1.0, 1.0, -1.0], [1.0, -1.0, 1.0]].map(|it| Quant::Bin.vector(&it).unwrap());
        assert_eq!(Quant::Bin.distance(&a.kept(), &b.kept(), 3), 4.0 / 3.0);
    }

    #[test]
    fn what_has_no_end_is_refused() {
        for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(Quant::Q8.vector(&[1.0, number]), None);
        }
        assert_eq!(Quant::None.vector(&[f32::MAX, f32::MAX]), None);
        let tiny = Quant::None.vector(&[1e-30, 0.0]).unwrap();
        assert_eq!((tiny.norm, Quant::None.unit(&tiny.kept(), 2)), (1e-30, vec![1.0, 0.0]));
    }
}
