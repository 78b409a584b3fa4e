//! The cardinality from the histogram of register values: Otmar Ertl, "New cardinality estimation algorithms
//! for HyperLogLog sketches", arXiv:1702.01284, with the operations in the order Redis has them, so that the
//! same registers give the same integer.
#![forbid(unsafe_code)]

use super::dense::Histogram;
use super::{RANK_BITS, REGISTERS};

/// 1 / (2 ln 2).
#[allow(clippy::excessive_precision)]
const ALPHA_INFINITY: f64 = 0.721347520444481703680;

pub(super) fn cardinality(histogram: &Histogram) -> u64 {
    let m = REGISTERS as f64;
    let rank_max = RANK_BITS as usize + 1;
    let mut z = m * tau((m - f64::from(histogram[rank_max])) / m);
    for &count in histogram[1..rank_max].iter().rev() {
        z += f64::from(count);
        z *= 0.5;
    }
    z += m * sigma(f64::from(histogram[0]) / m);
    let estimate = (ALPHA_INFINITY * m * m / z).round();
    // Registers that no hash can produce make `z` zero. C's llroundl gives the lowest integer there.
    if estimate < i64::MAX as f64 { estimate as u64 } else { i64::MIN as u64 }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let mut y = 1.0;
    let mut z = x;
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let mut y = 1.0;
    let mut z = 1.0 - x;
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if before == z {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(pairs: &[(usize, u32)]) -> Histogram {
        let mut histogram = [0; 64];
        pairs.iter().for_each(|&(value, count)| histogram[value] = count);
        histogram
    }

    #[test]
    fn edges() {
        assert_eq!(cardinality(&histogram(&[(0, 16384)])), 0);
        assert_eq!(cardinality(&histogram(&[(0, 16383), (1, 1)])), 1);
        assert_eq!(cardinality(&histogram(&[(51, 16384)])), 1 << 63);
        assert_eq!(cardinality(&histogram(&[(63, 16384)])), 1 << 63);
        assert!(cardinality(&histogram(&[(51, 16383), (50, 1)])) > 1 << 60);
    }
}
