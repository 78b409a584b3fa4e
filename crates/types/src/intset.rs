//! Intset: a sorted array of distinct integers, byte for byte the format of Redis (RDB files carry it as it
//! is).
//!
//! Layout: width of one integer in bytes (u32: 2, 4 or 8), count (u32), integers ascending; all little
//! endian. All integers have the width of the widest ever added; adding a wider one rewrites the array,
//! removing never does.
//!
//! Invariant: the bytes are always a valid intset. Lookup is a binary search, adding and removing move the
//! tail.

use crate::listpack::Corrupt;

const HEADER_BYTES: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intset {
    raw: Vec<u8>,
}

impl Default for Intset {
    fn default() -> Self {
        Self::new()
    }
}

fn width_of(value: i64) -> usize {
    if i16::try_from(value).is_ok() {
        2
    } else if i32::try_from(value).is_ok() {
        4
    } else {
        8
    }
}

#[inline]
fn read(raw: &[u8], width: usize, index: usize) -> i64 {
    let at = HEADER_BYTES + index * width;
    match width {
        2 => i64::from(i16::from_le_bytes([raw[at], raw[at + 1]])),
        4 => i64::from(i32::from_le_bytes(raw[at..at + 4].try_into().expect("four bytes"))),
        _ => i64::from_le_bytes(raw[at..at + 8].try_into().expect("eight bytes")),
    }
}

impl Intset {
    pub fn new() -> Self {
        Self { raw: vec![2, 0, 0, 0, 0, 0, 0, 0] }
    }

    /// Takes foreign bytes after checking width, length and order. An empty intset is refused, as Redis does.
    pub fn from_bytes(raw: Vec<u8>) -> Result<Self, Corrupt> {
        if raw.len() < HEADER_BYTES {
            return Err(Corrupt);
        }
        let set = Self { raw };
        let width = u32::from_le_bytes(set.raw[..4].try_into().expect("four bytes")) as usize;
        let count = u32::from_le_bytes(set.raw[4..8].try_into().expect("four bytes")) as usize;
        if !matches!(width, 2 | 4 | 8)
            || count == 0
            || count.checked_mul(width) != Some(set.raw.len() - HEADER_BYTES)
        {
            return Err(Corrupt);
        }
        if set.iter().zip(set.iter().skip(1)).any(|(a, b)| a >= b) {
            return Err(Corrupt);
        }
        Ok(set)
    }

    /// The serialised form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.raw
    }

    /// Heap bytes held.
    pub fn bytes(&self) -> usize {
        self.raw.capacity()
    }

    #[inline]
    fn width(&self) -> usize {
        usize::from(self.raw[0])
    }

    #[inline]
    pub fn len(&self) -> usize {
        (self.raw.len() - HEADER_BYTES) / self.width()
    }

    pub fn is_empty(&self) -> bool {
        self.raw.len() == HEADER_BYTES
    }

    /// The integer at `index` in ascending order.
    #[inline]
    pub fn get(&self, index: usize) -> Option<i64> {
        (index < self.len()).then(|| read(&self.raw, self.width(), index))
    }

    pub fn min(&self) -> Option<i64> {
        self.get(0)
    }

    pub fn max(&self) -> Option<i64> {
        self.get(self.len().checked_sub(1)?)
    }

    /// Ascending.
    pub fn iter(&self) -> Iter<'_> {
        Iter { raw: &self.raw, width: self.width(), indexes: 0..self.len() }
    }

    /// Index of `value`, or where it would be inserted.
    pub fn search(&self, value: i64) -> Result<usize, usize> {
        let width = self.width();
        let (mut low, mut high) = (0, self.len());
        if high > 0 && value > read(&self.raw, width, high - 1) {
            return Err(high);
        }
        while low < high {
            let middle = low.midpoint(high);
            let found = read(&self.raw, width, middle);
            match found.cmp(&value) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    #[inline]
    pub fn contains(&self, value: i64) -> bool {
        width_of(value) <= self.width() && self.search(value).is_ok()
    }

    /// Adds `value`; false if it was there.
    pub fn add(&mut self, value: i64) -> bool {
        if width_of(value) > self.width() {
            self.widen(width_of(value));
        }
        let (Err(index), width) = (self.search(value), self.width()) else { return false };
        let (at, len) = (HEADER_BYTES + index * width, self.raw.len());
        if self.raw.capacity() - len < width {
            self.raw.reserve_exact(width.max(len / 8));
        }
        self.raw.resize(len + width, 0);
        self.raw.copy_within(at..len, at + width);
        self.raw[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        self.write_count();
        true
    }

    /// Removes `value`; false if it was not there.
    pub fn remove(&mut self, value: i64) -> bool {
        let (Ok(index), width) = (self.search(value), self.width()) else { return false };
        let at = HEADER_BYTES + index * width;
        self.raw.drain(at..at + width);
        self.write_count();
        if self.raw.capacity() > 64 && self.raw.capacity() / 2 > self.raw.len() {
            self.raw.shrink_to(self.raw.len() + self.raw.len() / 4);
        }
        true
    }

    fn widen(&mut self, width: usize) {
        let mut raw = Vec::with_capacity(HEADER_BYTES + (self.len() + 1) * width);
        raw.extend_from_slice(&[width as u8, 0, 0, 0, 0, 0, 0, 0]);
        for value in self.iter() {
            raw.extend_from_slice(&value.to_le_bytes()[..width]);
        }
        self.raw = raw;
        self.write_count();
    }

    fn write_count(&mut self) {
        let count = self.len() as u32;
        self.raw[4..8].copy_from_slice(&count.to_le_bytes());
    }
}

/// The integers, ascending.
#[derive(Clone)]
pub struct Iter<'a> {
    raw: &'a [u8],
    width: usize,
    indexes: std::ops::Range<usize>,
}

impl Iterator for Iter<'_> {
    type Item = i64;

    #[inline]
    fn next(&mut self) -> Option<i64> {
        self.indexes.next().map(|index| read(self.raw, self.width, index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.indexes.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use base::random::Random;
    use std::collections::BTreeSet;

    #[test]
    fn known_bytes_and_upgrade() {
        let mut set = Intset::new();
        assert!(set.add(5) && set.add(-1) && !set.add(5));
        assert_eq!(set.as_bytes(), [2, 0, 0, 0, 2, 0, 0, 0, 0xFF, 0xFF, 5, 0]);
        assert!(set.add(70_000));
        assert_eq!(set.as_bytes()[..8], [4, 0, 0, 0, 3, 0, 0, 0]);
        assert!(set.add(i64::MIN) && set.add(i64::MAX));
        assert_eq!(set.iter().collect::<Vec<_>>(), [i64::MIN, -1, 5, 70_000, i64::MAX]);
        assert_eq!((set.min(), set.max(), set.get(5)), (Some(i64::MIN), Some(i64::MAX), None));
    }

    #[test]
    fn behaves_like_a_sorted_set() {
        for seed in 0..40 {
            let mut rng = Random::from_seed(seed);
            let (mut set, mut model) = (Intset::new(), BTreeSet::new());
            let wide = rng.index(60);
            for _ in 0..600 {
                let value = rng.next_u64() as i64 >> (4 + (rng.index(wide + 1)));
                match rng.index(3) {
                    0 => assert_eq!(set.remove(value), model.remove(&value), "seed {seed}"),
                    _ => assert_eq!(set.add(value), model.insert(value), "seed {seed}"),
                }
                assert_eq!(set.contains(value), model.contains(&value));
                assert_eq!(set.len(), model.len());
            }
            assert!(set.iter().eq(model.iter().copied()), "seed {seed}");
            let back = Intset::from_bytes(set.as_bytes().to_vec());
            assert_eq!(back.as_ref(), if set.is_empty() { Err(&Corrupt) } else { Ok(&set) });
        }
    }

    #[test]
    fn hostile_bytes_are_refused() {
        let bad: [&[u8]; 7] = [
            &[],
            &[2, 0, 0, 0, 0, 0, 0, 0],
            &[3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0],
            &[2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 1, 0],
            &[2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 0],
            &[2, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0],
            &[8, 0, 0, 0, 0, 0, 0, 0x20],
        ];
        for raw in bad {
            assert_eq!(Intset::from_bytes(raw.to_vec()), Err(Corrupt), "{raw:?}");
        }
    }
}
