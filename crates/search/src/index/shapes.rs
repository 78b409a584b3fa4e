//! Where shapes are: boxes around them in leaves, near ones together, each leaf with a box around all of its own. A search looks at the box of every leaf, and into
//! those that it meets: an R-tree of one level, whose leaves are in the order of a curve through the middles (Kamel and Faloutsos 1994 pack them by one).

use crate::DocumentId;
use crate::shape::{Extent, Shape};
use roaring::RoaringBitmap;

/// Shapes in a leaf; a full one becomes two.
const LEAF_MAX: usize = 128;

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Of its middle on the curve.
    key: u64,
    id: DocumentId,
    extent: Extent,
}

#[derive(Debug)]
struct Leaf {
    entries: Vec<Entry>,
    extent: Extent,
}

impl Leaf {
    fn new(entries: Vec<Entry>) -> Self {
        let extent = entries.iter().fold(Extent::NONE, |extent, entry| extent.with(entry.extent));
        Self { entries, extent }
    }
}

/// The shapes of a field.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    /// In order of keys and ids; none is empty.
    leaves: Vec<Leaf>,
    ids: RoaringBitmap,
    /// Entries that there is room for.
    room: usize,
}

/// A number of 16 bits that grows with a coordinate.
fn rank(number: f64) -> u64 {
    let bits = number.to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    // Sign, exponent and four bits of the fraction.
    ordered >> 48
}

/// The bits of all coordinates of the middle, the highest of each first.
fn key(extent: &Extent) -> u64 {
    let ranks = [0, 1, 2].map(|axis| rank(extent.low[axis] / 2.0 + extent.high[axis] / 2.0));
    (0..16).rev().flat_map(|bit| ranks.map(|rank| rank >> bit & 1)).fold(0, |key, bit| key << 1 | bit)
}

impl Shapes {
    /// The documents that have one.
    pub fn ids(&self) -> &RoaringBitmap {
        &self.ids
    }

    /// Memory; of the set of ids estimated.
    pub fn bytes(&self) -> usize {
        let of_ids = self.ids.serialized_size();
        self.leaves.capacity() * size_of::<Leaf>() + self.room * size_of::<Entry>() + of_ids
    }

    fn leaf(&self, key: u64, id: DocumentId) -> usize {
        let is_before =
            |leaf: &Leaf| leaf.entries.first().is_some_and(|first| (first.key, first.id) <= (key, id));
        self.leaves.partition_point(is_before).saturating_sub(1)
    }

    /// Adds the shape of a document that has none.
    pub fn insert(&mut self, id: DocumentId, shape: &Shape) {
        let extent = shape.extent();
        let key = key(&extent);
        let at = self.leaf(key, id);
        self.ids.insert(id);
        if self.leaves.is_empty() {
            self.leaves.push(Leaf::new(Vec::new()));
        }
        let leaf = &mut self.leaves[at];
        self.room -= leaf.entries.capacity();
        let place = leaf.entries.partition_point(|entry| (entry.key, entry.id) < (key, id));
        leaf.entries.insert(place, Entry { key, id, extent });
        leaf.extent = leaf.extent.with(extent);
        let split = (leaf.entries.len() > LEAF_MAX).then(|| leaf.entries.split_off(LEAF_MAX / 2));
        if let Some(entries) = split {
            *leaf = Leaf::new(std::mem::take(&mut leaf.entries));
            self.room += leaf.entries.capacity() + entries.capacity();
            self.leaves.insert(at + 1, Leaf::new(entries));
        } else {
            self.room += leaf.entries.capacity();
        }
    }

    /// Removes the shape of a document.
    pub fn remove(&mut self, id: DocumentId, shape: &Shape) {
        let key = key(&shape.extent());
        let at = self.leaf(key, id);
        let Some(leaf) = self.leaves.get_mut(at) else { return };
        let Ok(place) = leaf.entries.binary_search_by_key(&(key, id), |entry| (entry.key, entry.id)) else {
            return;
        };
        leaf.entries.remove(place);
        self.ids.remove(id);
        if leaf.entries.is_empty() {
            self.room -= leaf.entries.capacity();
            self.leaves.remove(at);
        } else {
            *leaf = Leaf::new(std::mem::take(&mut leaf.entries));
        }
    }

    /// Adds documents to `found` whose shapes may meet a box, from a leaf on; the leaf to go on with when `fuel` is used up before the end.
    pub fn collect(
        &self,
        from: usize,
        extent: &Extent,
        found: &mut RoaringBitmap,
        fuel: &mut usize,
    ) -> Option<usize> {
        for (at, leaf) in self.leaves.iter().enumerate().skip(from) {
            if *fuel == 0 {
                return Some(at);
            }
            *fuel -= 1;
            if leaf.extent.meets(extent) {
                *fuel = fuel.saturating_sub(leaf.entries.len());
                let meeting = leaf.entries.iter().filter(|entry| entry.extent.meets(extent));
                found.extend(meeting.map(|entry| entry.id));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Coordinates;
    use base::random::Random;
    use std::collections::HashMap;

    fn some(random: &mut Random) -> Shape {
        let (x, y) = (random.below(2000) as i64 - 1000, random.below(2000) as i64 - 1000);
        let text = match random.below(2) {
            0 => format!("POINT({x} {y})"),
            _ => {
                let side = 1 + random.below(50) as i64;
                format!("POLYGON(({x} {y}, {} {y}, {x} {}))", x + side, y + side)
            }
        };
        crate::shape::read(text.as_bytes(), Coordinates::Flat).expect("a shape")
    }

    #[test]
    fn what_meets_a_box_is_found() {
        let mut random = Random::from_seed(3);
        let mut shapes = Shapes::default();
        let mut known: HashMap<DocumentId, Shape> = HashMap::new();
        for step in 0..6000_u32 {
            let id = random.below(2500) as DocumentId;
            if let Some(shape) = known.remove(&id) {
                shapes.remove(id, &shape);
            }
            if random.below(if step > 4000 { 3 } else { 10 }) > 0 {
                let shape = some(&mut random);
                shapes.insert(id, &shape);
                known.insert(id, shape);
            }
            if step % 100 == 0 {
                let extent = some(&mut random).extent();
                let (mut found, mut from, mut turns) = (RoaringBitmap::new(), 0, 0);
                while let Some(next) = shapes.collect(from, &extent, &mut found, &mut 7) {
                    assert!(next > from);
                    (from, turns) = (next, turns + 1);
                }
                assert!(turns >= shapes.leaves.len() / 8);
                let expected: RoaringBitmap = known
                    .iter()
                    .filter(|(_, shape)| shape.extent().meets(&extent))
                    .map(|(id, _)| *id)
                    .collect();
                assert_eq!(found, expected);
                assert_eq!(shapes.ids().len(), known.len() as u64);
                let room: usize = shapes.leaves.iter().map(|leaf| leaf.entries.capacity()).sum();
                assert_eq!(shapes.room, room);
            }
        }
    }
}
