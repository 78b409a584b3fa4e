//! What vectors are made of, how clients send them, and how far apart two of them are by definition.
//!
//! All numbers are little-endian. A row is a vector as it is stored: in whole lines of 64 bytes, filled up with zeros, which
//! change neither inner products nor distances.

/// Of what a vector is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    F64,
    F32,
    F16,
    Bf16,
    I8,
    U8,
    /// Sent as f32, kept as signed bytes, each vector with a scale of its own.
    Q8,
    /// Sent as f32, kept as signs.
    Bit,
}

/// How far two vectors are apart, as FT.SEARCH reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// The square of the Euclidean distance.
    L2,
    /// One less the inner product.
    Ip,
    /// One less the cosine of the angle.
    Cosine,
}

impl Element {
    /// All of them, in the order of their numbers in files.
    pub const ALL: [Element; 8] = [
        Element::F64,
        Element::F32,
        Element::F16,
        Element::Bf16,
        Element::I8,
        Element::U8,
        Element::Q8,
        Element::Bit,
    ];

    /// As what clients send it.
    pub fn sent_as(self) -> Element {
        if self.is_code() { Element::F32 } else { self }
    }

    /// Whether what is kept is less than what was sent.
    pub fn is_code(self) -> bool {
        matches!(self, Element::Q8 | Element::Bit)
    }

    /// Bytes of a vector with so many elements, as clients send it.
    pub fn sent_bytes(self, dimension: usize) -> usize {
        dimension * self.sent_as().bits() / 8
    }

    /// Bytes of a vector with so many elements, as it is kept, without what fills up the last line.
    pub fn kept_bytes(self, dimension: usize) -> usize {
        (dimension * self.bits()).div_ceil(8)
    }

    /// The largest dimension: the kernels' sums of products of bytes fit into 32 bits. Of those that f32 may be walked by it is theirs.
    pub fn dimension_max(self) -> usize {
        let is_f32 = self.sent_as() == Element::F32 || self == Element::Bf16;
        if is_f32 { crate::F32_DIMENSION_MAX } else { crate::DIMENSION_MAX }
    }

    fn bits(self) -> usize {
        match self {
            Element::F64 => 64,
            Element::F32 => 32,
            Element::F16 | Element::Bf16 => 16,
            Element::I8 | Element::U8 | Element::Q8 => 8,
            Element::Bit => 1,
        }
    }

    /// The numbers that a client has sent. What does not make a whole number at the end is left out.
    pub fn numbers(self, bytes: &[u8]) -> Vec<f64> {
        match self.sent_as() {
            Element::F64 => bytes.as_chunks().0.iter().map(|it| f64::from_le_bytes(*it)).collect(),
            Element::F16 => each(bytes, |it| f16_to_f32(u16::from_le_bytes(it)).into()),
            Element::Bf16 => each(bytes, |it| bf16_to_f32(u16::from_le_bytes(it)).into()),
            Element::I8 => each(bytes, |it| i8::from_le_bytes(it).into()),
            Element::U8 => each(bytes, |[it]| it.into()),
            _ => each(bytes, |it| f32::from_le_bytes(it).into()),
        }
    }

    /// The bytes that a client would send for these numbers; integers are rounded and kept in range.
    pub fn bytes(self, numbers: &[f64]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.sent_bytes(numbers.len()));
        for &number in numbers {
            match self.sent_as() {
                Element::F64 => out.extend(number.to_le_bytes()),
                Element::F16 => out.extend(f32_to_f16(number as f32).to_le_bytes()),
                Element::Bf16 => out.extend(f32_to_bf16(number as f32).to_le_bytes()),
                Element::I8 => out.extend((number.round() as i8).to_le_bytes()),
                Element::U8 => out.push(number.round() as u8),
                _ => out.extend((number as f32).to_le_bytes()),
            }
        }
        out
    }
}

fn each<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.as_chunks::<N>().0.iter().map(|it| number(*it)).collect()
}

impl Metric {
    /// All of them, in the order of their numbers in files.
    pub const ALL: [Metric; 3] = [Metric::L2, Metric::Ip, Metric::Cosine];

    /// By definition, in f64. What the kernels are held against; of vectors of length zero the cosine is NaN.
    pub fn distance(self, a: &[f64], b: &[f64]) -> f64 {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        match self {
            Metric::L2 => a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum(),
            Metric::Ip => 1.0 - dot(a, b),
            Metric::Cosine => 1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt(),
        }
    }
}

/// IEEE 754 binary16 to binary32, exactly.
#[inline]
pub fn f16_to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let magnitude = u32::from(half & 0x7fff);
    let bits = match magnitude {
        0x7c00.. => 0x7f80_0000 | (magnitude << 13),
        0x0400.. => (magnitude << 13) + ((127 - 15) << 23),
        // Subnormal: so many times 2^-24.
        _ => (magnitude as f32 * (1.0 / (1 << 24) as f32)).to_bits(),
    };
    f32::from_bits(sign | bits)
}

/// IEEE 754 binary32 to binary16, to the nearest, ties to even.
pub fn f32_to_f16(number: f32) -> u16 {
    let bits = number.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        return sign | 0x7e00;
    }
    // From halfway between the largest number and the next power of two on.
    if magnitude >= 0x477f_f000 {
        return sign | 0x7c00;
    }
    let half = if magnitude < 0x3880_0000 {
        // Subnormal: adding 0.5 puts what counts into the last bits, rounded.
        (f32::from_bits(magnitude) + 0.5).to_bits() - 0.5f32.to_bits()
    } else {
        let rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
        (rounded - ((127 - 15) << 23)) >> 13
    };
    sign | half as u16
}

/// bfloat16 is the upper half of a binary32.
#[inline]
pub fn bf16_to_f32(half: u16) -> f32 {
    f32::from_bits(u32::from(half) << 16)
}

/// To the nearest, ties to even.
pub fn f32_to_bf16(number: f32) -> u16 {
    let bits = number.to_bits();
    if number.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_come_back() {
        for half in (0..=u16::MAX).step_by(if cfg!(miri) { 97 } else { 1 }) {
            let number = f16_to_f32(half);
            assert_eq!(number.is_nan(), half & 0x7fff > 0x7c00);
            if !number.is_nan() {
                assert_eq!(f32_to_f16(number), half, "{number}");
                assert_eq!(f32_to_bf16(bf16_to_f32(half)), half);
            }
        }
        for (number, half) in [(1.0, 0x3c00), (65504.0, 0x7bff), (65519.0, 0x7bff), (65520.0, 0x7c00)] {
            assert_eq!(f32_to_f16(number), half);
        }
        // Halfway between two halves the even one is taken.
        assert_eq!(f32_to_f16(1.0 + 1.0 / 2048.0), 0x3c00);
        assert_eq!(f32_to_f16(1.0 + 3.0 / 2048.0), 0x3c02);
        assert_eq!(f32_to_f16(1.0 / (1 << 25) as f32), 0);
        assert_eq!(f32_to_f16(1.0 / (1 << 24) as f32), 1);
    }

    #[test]
    fn numbers_come_back() {
        for element in Element::ALL {
            let numbers = [1.0, 0.0, 2.0, 125.0];
            let bytes = element.bytes(&numbers);
            assert_eq!(bytes.len(), element.sent_bytes(4));
            assert_eq!(element.numbers(&bytes), numbers);
        }
        assert_eq!(Element::I8.numbers(&Element::I8.bytes(&[-200.0, -3.4])), [-128.0, -3.0]);
        assert_eq!(Element::U8.numbers(&Element::U8.bytes(&[-1.0, 300.0])), [0.0, 255.0]);
        assert_eq!((Element::Bit.kept_bytes(9), Element::Q8.kept_bytes(9)), (2, 9));
    }

    #[test]
    fn distances_are_what_they_say() {
        let (a, b) = ([1.0, 2.0], [2.0, 4.0]);
        assert_eq!(Metric::L2.distance(&a, &b), 5.0);
        assert_eq!(Metric::Ip.distance(&a, &b), -9.0);
        assert!(Metric::Cosine.distance(&a, &b).abs() < 1e-15);
        assert!(Metric::Cosine.distance(&a, &[0.0, 0.0]).is_nan());
    }
}
