//! How large the values of a database are, by powers of two: a histogram for each type that INFO keysizes tells of.

use crate::record;
use crate::value::{Kind, ValueRef};
use std::fmt;

/// Types that are told of.
const KINDS: usize = 5;
/// A bin for size 0, then one for each power of two.
const BINS: usize = 1 + u64::BITS as usize;

/// Of each type, how many values have no, one, two to three, four to seven … elements (strings: bytes).
#[derive(Clone, PartialEq, Eq)]
pub struct Sizes(Box<[[u64; BINS]; KINDS]>);

impl Default for Sizes {
    fn default() -> Self {
        Self(Box::new([[0; BINS]; KINDS]))
    }
}

impl fmt::Debug for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(Kind::ALL.map(|kind| (kind, self.of(kind).collect::<Vec<_>>()))).finish()
    }
}

impl Sizes {
    /// Of a type, those bins that are not empty: the least size that belongs there, and how many values do.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = (u64, u64)> {
        let bins = row(kind).map_or(&[][..], |row| &self.0[row]);
        let least = |bin: usize| if bin == 0 { 0 } else { 1 << (bin - 1) };
        bins.iter().enumerate().filter(|(_, count)| **count > 0).map(move |(bin, count)| (least(bin), *count))
    }

    /// So many more values of a size, as [`Sizes::of`] gives it.
    pub fn add(&mut self, kind: Kind, size: u64, count: u64) {
        if let Some(row) = row(kind) {
            self.0[row][bin(size as usize)] += count;
        }
    }

    #[inline]
    pub(crate) fn enter(&mut self, kind: Kind, size: usize) {
        if let Some(row) = row(kind) {
            self.0[row][bin(size)] += 1;
        }
    }

    #[inline]
    pub(crate) fn leave(&mut self, kind: Kind, size: usize) {
        if let Some(row) = row(kind) {
            self.0[row][bin(size)] -= 1;
        }
    }

    /// A value has another size now.
    #[inline]
    pub(crate) fn change(&mut self, kind: Kind, before: usize, after: usize) {
        // Whether their highest bits differ, that is, their bins.
        if before ^ after > before & after {
            self.leave(kind, before);
            self.enter(kind, after);
        }
    }

    #[inline]
    pub(crate) fn enter_record(&mut self, record: &[u8]) {
        if let Some((kind, size)) = of_record(record) {
            self.enter(kind, size);
        }
    }

    #[inline]
    pub(crate) fn leave_record(&mut self, record: &[u8]) {
        if let Some((kind, size)) = of_record(record) {
            self.leave(kind, size);
        }
    }
}

#[inline]
fn row(kind: Kind) -> Option<usize> {
    match kind {
        Kind::String => Some(0),
        Kind::List => Some(1),
        Kind::Set => Some(2),
        Kind::ZSet => Some(3),
        Kind::Hash => Some(4),
        _ => None,
    }
}

#[inline]
fn bin(size: usize) -> usize {
    (usize::BITS - size.leading_zeros()) as usize
}

/// Type and size of a record's value, if it is told of.
#[inline]
fn of_record(record: &[u8]) -> Option<(Kind, usize)> {
    if !record::owns_box(record) {
        return Some((Kind::String, record::payload_range(record).len()));
    }
    match record::value(record) {
        ValueRef::Str { bytes, .. } => Some((Kind::String, bytes.bytes().len())),
        ValueRef::List(list) => Some((Kind::List, list.len())),
        ValueRef::Set(set) => Some((Kind::Set, set.len())),
        ValueRef::ZSet(zset) => Some((Kind::ZSet, zset.len())),
        ValueRef::Hash(hash) => Some((Kind::Hash, hash.len())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_bin_of_its_size() {
        let sizes = [0, 1, 2, 3, 4, 7, 8, 1023, 1024, usize::MAX];
        for before in sizes {
            for after in sizes {
                let mut changed = Sizes::default();
                changed.enter(Kind::Set, before);
                changed.change(Kind::Set, before, after);
                let mut entered = Sizes::default();
                entered.enter(Kind::Set, after);
                assert_eq!(changed, entered, "{before} {after}");
            }
        }
        let mut told = Sizes::default();
        sizes.iter().for_each(|size| told.enter(Kind::Hash, *size));
        let bins: Vec<(u64, u64)> = told.of(Kind::Hash).collect();
        assert_eq!(bins, [(0, 1), (1, 1), (2, 2), (4, 2), (8, 1), (512, 1), (1024, 1), (1 << 63, 1)]);
        assert_eq!(told.of(Kind::Stream).count(), 0);
    }
}
