//! Numbers in order: pairs of a key and an id in leaves of bounded size. Exact, and a write moves at most a leaf.

use crate::DocumentId;
use roaring::RoaringBitmap;

/// A leaf that has more pairs is split.
const LEAF_PAIRS_MAX: usize = 512;

/// A number as a key that sorts like it. Both zeros are one; there is no key for nan, which is above all.
pub(crate) fn key(number: f64) -> u64 {
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

/// Pairs in order of key, then id; each at most once.
#[derive(Debug, Default)]
pub(crate) struct Ranges {
    leaves: Vec<Leaf>,
}

#[derive(Debug, Default)]
struct Leaf {
    keys: Vec<u64>,
    ids: Vec<DocumentId>,
}

impl Leaf {
    fn pair(&self, at: usize) -> (u64, DocumentId) {
        (self.keys[at], self.ids[at])
    }

    fn last(&self) -> (u64, DocumentId) {
        self.pair(self.keys.len() - 1)
    }

    /// How many pairs are below `pair`.
    fn rank(&self, pair: (u64, DocumentId)) -> usize {
        let start = self.keys.partition_point(|key| *key < pair.0);
        let end = self.keys.partition_point(|key| *key <= pair.0);
        start + self.ids[start..end].partition_point(|id| *id < pair.1)
    }
}

impl Ranges {
    /// Memory outside of this value.
    pub fn bytes(&self) -> usize {
        let leaves = self.leaves.iter().map(|leaf| leaf.keys.capacity() * 8 + leaf.ids.capacity() * 4);
        leaves.sum::<usize>() + self.leaves.capacity() * size_of::<Leaf>()
    }

    /// Adds a pair that is not there yet.
    pub fn insert(&mut self, key: u64, id: DocumentId) {
        if self.leaves.is_empty() {
            self.leaves.push(Leaf::default());
        }
        let last = self.leaves.len() - 1;
        let at =
            self.leaves.partition_point(|leaf| !leaf.keys.is_empty() && leaf.last() < (key, id)).min(last);
        let leaf = &mut self.leaves[at];
        let place = leaf.rank((key, id));
        leaf.keys.insert(place, key);
        leaf.ids.insert(place, id);
        if leaf.keys.len() > LEAF_PAIRS_MAX {
            // What comes in order fills leaves; anything else halves them.
            let middle = if at == last && place + 1 == leaf.keys.len() { place } else { leaf.keys.len() / 2 };
            let right = Leaf { keys: leaf.keys.split_off(middle), ids: leaf.ids.split_off(middle) };
            leaf.keys.shrink_to_fit();
            leaf.ids.shrink_to_fit();
            self.leaves.insert(at + 1, right);
        }
    }

    /// Removes a pair that is there.
    pub fn remove(&mut self, key: u64, id: DocumentId) {
        let at = self.leaves.partition_point(|leaf| leaf.last() < (key, id));
        let Some(leaf) = self.leaves.get_mut(at) else { return };
        let place = leaf.rank((key, id));
        if place == leaf.keys.len() || leaf.pair(place) != (key, id) {
            return;
        }
        leaf.keys.remove(place);
        leaf.ids.remove(place);
        if leaf.keys.is_empty() {
            self.leaves.remove(at);
        } else if leaf.keys.len() < LEAF_PAIRS_MAX / 4 && at + 1 < self.leaves.len() {
            self.join(at);
        }
    }

    /// Puts a leaf and the next together if they have room.
    fn join(&mut self, at: usize) {
        if self.leaves[at].keys.len() + self.leaves[at + 1].keys.len() <= LEAF_PAIRS_MAX / 2 {
            let right = self.leaves.remove(at + 1);
            self.leaves[at].keys.extend(right.keys);
            self.leaves[at].ids.extend(right.ids);
        }
    }

    /// How many pairs have keys from `low` to `high`, both included.
    pub fn count(&self, low: u64, high: u64) -> usize {
        if low > high {
            return 0;
        }
        let first = self.leaves.partition_point(|leaf| leaf.last().0 < low);
        let behind = self.leaves.partition_point(|leaf| leaf.last().0 <= high);
        let rank = |leaf: usize, pair| self.leaves.get(leaf).map_or(0, |leaf: &Leaf| leaf.rank(pair));
        let whole: usize = self.leaves[first..behind].iter().map(|leaf| leaf.keys.len()).sum();
        let tail = match high.checked_add(1) {
            Some(above) => rank(behind, (above, 0)),
            None => 0,
        };
        whole + tail - rank(first, (low, 0))
    }

    /// Takes the ids of pairs from `from` up to the key `high` into `out`: those of at least one leaf, and of more while `fuel` lasts,
    /// which each costs one. Says where to go on.
    pub fn collect(
        &self,
        from: (u64, DocumentId),
        high: u64,
        out: &mut RoaringBitmap,
        fuel: &mut usize,
    ) -> Option<(u64, DocumentId)> {
        let mut from = from;
        loop {
            let at = self.leaves.partition_point(|leaf| leaf.last() < from);
            let leaf = self.leaves.get(at)?;
            let (start, end) = (leaf.rank(from), leaf.keys.partition_point(|key| *key <= high));
            if start < end {
                out.extend(leaf.ids[start..end].iter().copied());
            }
            *fuel = fuel.saturating_sub(end.saturating_sub(start) + 1);
            if end < leaf.keys.len() {
                return None;
            }
            let (key, id) = leaf.last();
            from = match id.checked_add(1) {
                Some(next) => (key, next),
                None => (key.checked_add(1)?, 0),
            };
            if *fuel == 0 {
                return Some(from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn keys_sort_like_numbers() {
        let numbers = [f64::NEG_INFINITY, -1e300, -2.0, -1e-300, 0.0, 1e-300, 1.0, 2.5, 1e300, f64::INFINITY];
        assert!(numbers.windows(2).all(|pair| key(pair[0]) < key(pair[1])));
        assert_eq!(key(-0.0), key(0.0));
    }

    proptest! {
        #[test]
        fn like_a_sorted_set(
            steps in prop::collection::vec((0..4u8, 0..60u64, 0..80u32), 0..4000),
            (low, high, limit) in (0..70u64, 0..70u64, 1..400usize),
        ) {
            let (mut ranges, mut model) = (Ranges::default(), BTreeSet::new());
            for (what, key, id) in steps {
                if what > 0 {
                    if model.insert((key, id)) {
                        ranges.insert(key, id);
                    }
                } else if model.remove(&(key, id)) {
                    ranges.remove(key, id);
                }
            }
            prop_assert_eq!(ranges.count(0, u64::MAX), model.len());
            let within = || model.iter().filter(|(key, _)| (low..=high).contains(key));
            prop_assert_eq!(ranges.count(low, high), within().count());
            prop_assert_eq!(ranges.count(low, u64::MAX), model.iter().filter(|(key, _)| *key >= low).count());
            let mut found = RoaringBitmap::new();
            let mut from = Some((low, 0));
            while let Some(next) = from {
                from = ranges.collect(next, high, &mut found, &mut { limit });
            }
            if low <= high {
                prop_assert_eq!(found, within().map(|(_, id)| *id).collect::<RoaringBitmap>());
            }
        }
    }
}
