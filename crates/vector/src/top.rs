//! The nearest of all that have been seen.

use std::collections::BinaryHeap;

/// A vector that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    pub slot: crate::Slot,
    pub label: u32,
    pub distance: f64,
}

/// Keeps the `most` nearest. Of two at the same distance the one in the lower slot is nearer; NaN is farther than anything.
#[derive(Clone)]
pub(crate) struct Top {
    most: usize,
    heap: BinaryHeap<(u64, u32)>,
}

/// Bits in the order of the numbers, NaN last, -0 as 0.
#[inline(always)]
pub(crate) fn order_f64(number: f64) -> u64 {
    if number.is_nan() {
        return u64::MAX;
    }
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// The same for `f32`.
#[inline(always)]
pub(crate) fn order_f32(number: f32) -> u32 {
    if number.is_nan() {
        return u32::MAX;
    }
    let bits = (number + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// The number that [`order_f32`] put in order; of NaN, some NaN.
#[inline(always)]
pub(crate) fn number_f32(order: u32) -> f32 {
    f32::from_bits(if order >> 31 == 1 { order & !(1 << 31) } else { !order })
}

/// The number that [`order_f64`] put in order; of NaN, some NaN.
pub(crate) fn number_f64(order: u64) -> f64 {
    f64::from_bits(if order >> 63 == 1 { order & !(1 << 63) } else { !order })
}

impl Top {
    pub(crate) fn new(most: usize) -> Top {
        Top { most, heap: BinaryHeap::new() }
    }

    #[inline]
    pub(crate) fn add(&mut self, slot: u32, distance: f64) {
        let entry = (order_f64(distance), slot);
        if self.heap.len() < self.most {
            self.heap.push(entry);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && entry < *worst
        {
            *worst = entry;
        }
    }

    /// How far the last one is, if there is no room for one that is farther.
    #[inline]
    pub(crate) fn limit(&self) -> Option<f64> {
        self.heap.peek().filter(|_| self.heap.len() >= self.most).map(|(order, _)| number_f64(*order))
    }

    /// The slots and how far they are, nearest first.
    pub(crate) fn slots(self) -> impl Iterator<Item = (u32, f64)> {
        self.heap.into_sorted_vec().into_iter().map(|(order, slot)| (slot, number_f64(order)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_put_in_order() {
        let numbers = [f64::NEG_INFINITY, -2.0, -1e-300, 0.0, 1e-300, 1.0, f64::INFINITY, f64::NAN];
        assert!(numbers.windows(2).all(|pair| order_f64(pair[0]) < order_f64(pair[1])));
        assert!(
            numbers
                .map(|it| it as f32 * 1e30)
                .windows(2)
                .all(|pair| order_f32(pair[0]) <= order_f32(pair[1]))
        );
        assert_eq!((order_f64(-0.0), order_f32(-0.0)), (order_f64(0.0), order_f32(0.0)));
        for number in [-3.5f32, 0.0, 7.25, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(number_f32(order_f32(number)), number);
            assert_eq!(number_f64(order_f64(number.into())), number.into());
        }
        assert!(number_f32(order_f32(f32::NAN)).is_nan() && number_f64(order_f64(f64::NAN)).is_nan());
    }

    #[test]
    fn the_nearest_are_kept() {
        let mut top = Top::new(3);
        for (slot, distance) in [(1, 5.0), (2, f64::NAN), (3, 1.0), (5, 2.0), (4, 2.0), (6, 9.0)] {
            top.add(slot, distance);
        }
        assert_eq!(top.limit(), Some(2.0));
        assert!(top.slots().eq([(3, 1.0), (4, 2.0), (5, 2.0)]));
        let mut none = Top::new(0);
        assert_eq!(none.limit(), None);
        none.add(1, 1.0);
        assert_eq!(none.slots().count(), 0);
    }
}
