//! A map from names to something, in the order of the names. A copy takes no time worth telling: both share what neither has changed, some
//! hundred names at a time.
//!
//! Two levels: chunks of at most [`CHUNK_NAMES`], each behind a reference count. The list of chunks is copied, a million names being four
//! thousand or more of them; a chunk when one of its names comes, goes or changes and somebody else has it as well.

use std::ops::Bound;
use std::sync::Arc;

/// Names of a chunk.
const CHUNK_NAMES: usize = 256;
/// Neighbours with fewer names become one chunk.
const JOINED_MAX: usize = CHUNK_NAMES / 2;

type Entry<V> = (Arc<[u8]>, V);

/// Invariant: no chunk is empty, and names ascend in each and from each to the next.
#[derive(Clone, Debug)]
pub struct Names<V> {
    chunks: Vec<Arc<Vec<Entry<V>>>>,
    len: usize,
}

impl<V> Default for Names<V> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<V: Clone> Names<V> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Blocks of memory it has.
    pub fn blocks(&self) -> usize {
        self.chunks.len()
    }

    /// Frees some names, of a map on its way out; shows what goes. False if nothing was left.
    pub fn free_step(&mut self, mut gone: impl FnMut(&[u8], &V)) -> bool {
        let Some(chunk) = self.chunks.pop() else { return false };
        self.len -= chunk.len();
        chunk.iter().for_each(|(name, value)| gone(name, value));
        true
    }

    /// The chunk that has the name, if any has; else the one in which it belongs, or 0.
    fn chunk_of(&self, name: &[u8]) -> usize {
        self.chunks.partition_point(|chunk| *chunk[0].0 <= *name).saturating_sub(1)
    }

    /// Where a name is, or `Err` where it belongs.
    fn find(&self, name: &[u8]) -> Result<(usize, usize), (usize, usize)> {
        let chunk = self.chunk_of(name);
        let entries = self.chunks.get(chunk).map_or(&[][..], |entries| entries);
        match entries.binary_search_by(|(other, _)| (**other).cmp(name)) {
            Ok(at) => Ok((chunk, at)),
            Err(at) => Err((chunk, at)),
        }
    }

    pub fn get(&self, name: &[u8]) -> Option<&V> {
        let (chunk, at) = self.find(name).ok()?;
        Some(&self.chunks[chunk][at].1)
    }

    /// To be changed: nobody else sees that.
    pub fn get_mut(&mut self, name: &[u8]) -> Option<&mut V> {
        let (chunk, at) = self.find(name).ok()?;
        Some(&mut Arc::make_mut(&mut self.chunks[chunk])[at].1)
    }

    /// Adds a name that is not there.
    pub fn add(&mut self, name: &[u8], value: V) {
        let Err((chunk, at)) = self.find(name) else { unreachable!("it is not there") };
        self.len += 1;
        let entry = (Arc::from(name), value);
        let Some(entries) = self.chunks.get_mut(chunk).map(Arc::make_mut) else {
            return self.chunks.push(Arc::new(vec![entry]));
        };
        entries.insert(at, entry);
        if entries.len() <= CHUNK_NAMES {
            return;
        }
        // Names that come in their order leave full chunks behind.
        let is_last = at + 1 == entries.len();
        let right = entries.split_off(if is_last { at } else { entries.len() / 2 });
        self.chunks.insert(chunk + 1, Arc::new(right));
    }

    /// Removes a name that may be there.
    pub fn remove(&mut self, name: &[u8]) {
        let Ok((chunk, at)) = self.find(name) else { return };
        self.len -= 1;
        let entries = Arc::make_mut(&mut self.chunks[chunk]);
        entries.remove(at);
        let len = entries.len();
        if len == 0 {
            self.chunks.remove(chunk);
            return;
        }
        let has_room = |at: usize| self.chunks.get(at).is_some_and(|other| other.len() + len <= JOINED_MAX);
        let into = if chunk > 0 && has_room(chunk - 1) {
            chunk - 1
        } else if has_room(chunk + 1) {
            chunk
        } else {
            return;
        };
        let from = self.chunks.remove(into + 1);
        let from = Arc::try_unwrap(from).unwrap_or_else(|shared| (*shared).clone());
        Arc::make_mut(&mut self.chunks[into]).extend(from);
    }

    /// Names from one on, in their order.
    pub fn iter_from(&self, from: Bound<&[u8]>) -> impl Iterator<Item = (&Arc<[u8]>, &V)> {
        let (chunk, at) = match from {
            Bound::Unbounded => (0, 0),
            Bound::Included(name) => self.find(name).unwrap_or_else(|place| place),
            Bound::Excluded(name) => {
                self.find(name).map_or_else(|place| place, |(chunk, at)| (chunk, at + 1))
            }
        };
        let chunks = self.chunks[chunk.min(self.chunks.len())..].iter();
        chunks.flat_map(|entries| entries.iter()).skip(at).map(|(name, value)| (name, value))
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter_from(Bound::Unbounded).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::random::Random;
    use std::collections::BTreeMap;

    type Model = BTreeMap<Vec<u8>, u64>;

    fn check(names: &Names<u64>, model: &Model, random: &mut Random) {
        assert_eq!((names.len(), names.is_empty()), (model.len(), model.is_empty()));
        assert!(names.chunks.iter().all(|chunk| (1..=CHUNK_NAMES).contains(&chunk.len())));
        let from = draw_name(random);
        for bound in [Bound::Unbounded, Bound::Included(&*from), Bound::Excluded(&*from)] {
            let listed = names.iter_from(bound).map(|(name, value)| (&**name, *value));
            let expected = model.range::<[u8], _>((bound, Bound::Unbounded));
            assert!(listed.eq(expected.map(|(name, value)| (&**name, *value))));
        }
        assert!(names.values().eq(model.values()));
    }

    fn draw_name(random: &mut Random) -> Vec<u8> {
        format!("{:x}", random.below(4000)).into_bytes()
    }

    #[test]
    fn it_is_a_map_and_copies_stay_as_they_are() {
        let seed = 12;
        let mut random = Random::from_seed(seed);
        let (mut names, mut model) = (Names::default(), Model::new());
        let mut copies: Vec<(Names<u64>, Model)> = Vec::new();
        let mut most_chunks = 0;
        for round in 0..60_000 {
            let name = draw_name(&mut random);
            // It grows, then shrinks.
            let removes = if round % 20_000 < 12_000 { 1 } else { 3 };
            if random.below(4) < removes {
                names.remove(&name);
                model.remove(&name);
            } else if let Some(value) = names.get_mut(&name) {
                *value += 1;
                *model.get_mut(&name).expect("it is there") += 1;
            } else {
                names.add(&name, round);
                model.insert(name.clone(), round);
            }
            assert_eq!(names.get(&name), model.get(&name), "seed {seed}");
            most_chunks = most_chunks.max(names.chunks.len());
            if random.below(500) == 0 {
                check(&names, &model, &mut random);
                copies.push((names.clone(), model.clone()));
            }
            if copies.len() > 3 {
                let (copy, then) = copies.swap_remove(random.index(4));
                check(&copy, &then, &mut random);
            }
        }
        assert!(most_chunks > 8, "{most_chunks} chunks");
        let (copy, mut gone) = (names.clone(), 0);
        while names.free_step(|_, _| gone += 1) {}
        assert_eq!(gone, model.len());
        check(&names, &Model::new(), &mut random);
        check(&copy, &model, &mut random);
    }

    #[test]
    fn names_that_come_in_order_fill_their_chunks() {
        let mut names = Names::default();
        (0..100_000_u32).for_each(|number| names.add(&number.to_be_bytes(), number));
        assert_eq!(names.chunks.len(), 100_000_usize.div_ceil(CHUNK_NAMES));
        // A change copies one chunk and no other.
        let copy = names.clone();
        *names.get_mut(&77_u32.to_be_bytes()).expect("it is there") = 0;
        let shared = names.chunks.iter().zip(&copy.chunks).filter(|(one, other)| Arc::ptr_eq(one, other));
        assert_eq!(shared.count(), names.chunks.len() - 1);
    }
}
