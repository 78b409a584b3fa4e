//! Where members stand: from the 32-bit hash of a member to the id of its leaf, without a copy of the member.
//!
//! Extendible hashing of small segments. A segment is a sorted array with gaps: a slot is `hash << 32 |
//! leaf`, its home is its hash's share of the array, and a slot stands at its home or behind it with no gap
//! between (linear probing that keeps the order of the hashes). So a look-up is a line or two, a split is a
//! cut, and a scan walks in the order of the hashes. Segments grow in small steps to 1,024 slots and then
//! split; nothing ever moves more than one segment but the doubling of the directory of 4-byte ids.
//!
//! The index holds one slot per element; two elements of one leaf with equal hashes have two equal slots, and
//! either may be taken for the other. It never looks at members: whoever asks compares those in the leaf.

use super::arena::Arena;
use super::leaf::size_class;
use table::prefetch::prefetch;

const EMPTY: u64 = u64::MAX;
/// The longest a segment gets, as long as splitting helps.
const SLOTS_MAX: usize = 1024;
/// Buddies of together fewer elements than this become one.
const MERGE_LEN: usize = 256;
/// Beyond this depth segments grow instead of splitting: hashes that equal each other so far may never part.
const DEPTH_MAX: u8 = 28;

#[derive(Clone)]
pub(super) struct Segment {
    slots: Box<[u64]>,
    len: u32,
    /// How many top bits all hashes here share.
    depth: u8,
}

#[derive(Clone)]
pub(super) struct Index {
    segments: Arena<Segment>,
    /// Segment ids by the top `depth` bits of the hash.
    directory: Vec<u32>,
    depth: u8,
    /// How many segments have each depth: when none has the directory's, the directory is halved.
    depths: [u32; DEPTH_MAX as usize + 1],
    slots: usize,
}

fn slot(hash: u32, leaf: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(leaf)
}

fn hash_of(slot: u64) -> u32 {
    (slot >> 32) as u32
}

/// Slots that may be a home; the rest takes what is pushed out at the end. The last slot is always empty.
fn homes(slots: usize) -> usize {
    slots - slots / 64 - 8
}

/// How many elements fit before a segment grows.
fn len_max(slots: usize) -> usize {
    homes(slots) * 27 / 32
}

impl Segment {
    fn new(slots: usize, depth: u8) -> Self {
        Self { slots: vec![EMPTY; slots].into_boxed_slice(), len: 0, depth }
    }

    fn home(&self, hash: u32) -> usize {
        let below = hash << self.depth;
        ((u64::from(below) * homes(self.slots.len()) as u64) >> 32) as usize
    }

    /// The first slot at or behind the home of `hash` that is empty or whose hash is not below it.
    #[inline]
    fn first(&self, hash: u32) -> usize {
        let mut at = self.home(hash);
        // An empty slot compares above every hash, and the last slot is empty.
        while self.slots[at] >> 32 < u64::from(hash) {
            at += 1;
        }
        at
    }

    /// The place of a slot, if it is there.
    fn position(&self, wanted: u64) -> Option<usize> {
        let mut at = self.first(hash_of(wanted));
        loop {
            let slot = self.slots[at];
            if slot == wanted {
                return Some(at);
            }
            if slot == EMPTY || hash_of(slot) != hash_of(wanted) {
                return None;
            }
            at += 1;
        }
    }

    /// False if there is no gap behind the place: the segment must grow.
    fn insert(&mut self, new: u64) -> bool {
        let at = self.first(hash_of(new));
        let Some(gap) = self.slots[at..].iter().position(|&slot| slot == EMPTY) else { return false };
        if at + gap + 1 >= self.slots.len() {
            return false;
        }
        self.slots.copy_within(at..at + gap, at + 1);
        self.slots[at] = new;
        self.len += 1;
        true
    }

    fn remove(&mut self, at: usize) {
        let mut end = at + 1;
        while self.slots[end] != EMPTY && self.home(hash_of(self.slots[end])) < end {
            end += 1;
        }
        self.slots.copy_within(at + 1..end, at);
        self.slots[end - 1] = EMPTY;
        self.len -= 1;
    }

    fn live(&self) -> impl Iterator<Item = u64> + Clone {
        self.slots.iter().copied().filter(|&slot| slot != EMPTY)
    }

    /// A segment of `live`, which come in order, in a little more than `wanted` slots where it needs them.
    fn build(live: impl Iterator<Item = u64> + Clone, mut wanted: usize, depth: u8) -> Self {
        'larger: loop {
            let mut new = Self::new(size_class(8 * wanted) / 8, depth);
            let mut free = 0;
            for slot in live.clone() {
                let at = free.max(new.home(hash_of(slot)));
                if at + 1 >= new.slots.len() {
                    wanted += wanted / 2;
                    continue 'larger;
                }
                new.slots[at] = slot;
                free = at + 1;
                new.len += 1;
            }
            return new;
        }
    }

    /// Whether a smaller array would do. Looked at every few removals only: where hashes crowd at the end of
    /// a segment, a rebuild may not get smaller and must not come again at once.
    fn is_sparse(&self) -> bool {
        self.len.is_multiple_of(16) && wanted(self.len as usize) * 5 < self.slots.len() * 3
    }
}

/// Slots for a segment of `len` elements and some more.
fn wanted(len: usize) -> usize {
    len + len / 3 + 16
}

impl Index {
    pub fn new() -> Self {
        let mut segments = Arena::new();
        let segment = Segment::new(wanted(0), 0);
        let slots = segment.slots.len();
        let id = segments.insert(segment);
        let mut depths = [0; DEPTH_MAX as usize + 1];
        depths[0] = 1;
        Self { segments, directory: vec![id], depth: 0, depths, slots }
    }

    pub fn bytes(&self) -> usize {
        self.segments.bytes() + self.directory.capacity() * size_of::<u32>() + self.slots * size_of::<u64>()
    }

    /// Its segments, once nothing is looked up any more.
    pub fn into_segments(self) -> Arena<Segment> {
        self.segments
    }

    fn entry(&self, hash: u32) -> usize {
        ((u64::from(hash) << self.depth) >> 32) as usize
    }

    fn segment_id(&self, hash: u32) -> u32 {
        self.directory[self.entry(hash)]
    }

    /// Asks for the line that a look-up of this hash will read first.
    #[inline]
    pub fn prefetch(&self, hash: u32) {
        let segment = &self.segments[self.segment_id(hash)];
        prefetch((&raw const segment.slots[segment.home(hash)]).cast());
    }

    /// The leaves that may hold a member with this hash.
    #[inline]
    pub fn leaves(&self, hash: u32) -> impl Iterator<Item = u32> + Clone {
        let segment = &self.segments[self.segment_id(hash)];
        segment.slots[segment.first(hash)..]
            .iter()
            .take_while(move |&&slot| hash_of(slot) == hash && slot != EMPTY)
            .map(|&slot| slot as u32)
    }

    pub fn insert(&mut self, hash: u32, leaf: u32) {
        loop {
            let id = self.segment_id(hash);
            let segment = &mut self.segments[id];
            if (segment.len as usize) < len_max(segment.slots.len()) && segment.insert(slot(hash, leaf)) {
                return;
            }
            self.make_room(id, hash);
        }
    }

    /// An element of this hash has moved from one leaf to another.
    pub fn relocate(&mut self, hash: u32, from: u32, to: u32) {
        let id = self.segment_id(hash);
        let segment = &mut self.segments[id];
        let at = segment.position(slot(hash, from)).expect("every element is in the index");
        segment.slots[at] = slot(hash, to);
    }

    pub fn remove(&mut self, hash: u32, leaf: u32) {
        let id = self.segment_id(hash);
        let segment = &mut self.segments[id];
        let at = segment.position(slot(hash, leaf)).expect("every element is in the index");
        segment.remove(at);
        if !segment.is_sparse() {
            return;
        }
        let len = segment.len as usize;
        let build = Segment::build(segment.live(), wanted(len), segment.depth);
        self.set_segment(id, build);
        if len < MERGE_LEN / 2 {
            self.merge(id, hash);
        }
    }

    fn set_segment(&mut self, id: u32, new: Segment) {
        self.slots += new.slots.len();
        self.slots -= std::mem::replace(&mut self.segments[id], new).slots.len();
    }

    /// Grows the segment, or splits it.
    fn make_room(&mut self, id: u32, hash: u32) {
        let segment = &self.segments[id];
        let (len, depth) = (segment.len as usize, segment.depth);
        let grown = segment.slots.len() + 1;
        let bit = 1u32 << (31 - depth);
        let low = segment.live().take_while(|&slot| hash_of(slot) & bit == 0).count();
        if grown <= SLOTS_MAX || depth == DEPTH_MAX || low == 0 || low == len {
            let build = Segment::build(segment.live(), grown, depth);
            return self.set_segment(id, build);
        }
        let right = Segment::build(segment.live().skip(low), wanted(len - low), depth + 1);
        let left = Segment::build(segment.live().take(low), wanted(low), depth + 1);
        if depth == self.depth {
            self.double_directory();
        }
        self.slots += right.slots.len();
        self.set_segment(id, left);
        let new = self.segments.insert(right);
        let covered = 1usize << (self.depth - depth);
        let start = self.entry(hash) & !(covered - 1);
        self.directory[start + covered / 2..start + covered].fill(new);
        self.depths[depth as usize] -= 1;
        self.depths[depth as usize + 1] += 2;
    }

    fn double_directory(&mut self) {
        let mut doubled = Vec::with_capacity(2 * self.directory.len());
        for &id in &self.directory {
            doubled.extend([id, id]);
        }
        self.directory = doubled;
        self.depth += 1;
    }

    /// Makes one segment of this and its buddy, if both are as deep and together small.
    fn merge(&mut self, id: u32, hash: u32) {
        let depth = self.segments[id].depth;
        if depth == 0 {
            return;
        }
        let covered = 1usize << (self.depth - depth);
        let start = self.entry(hash) & !(covered - 1);
        let buddy = self.directory[start ^ covered];
        if self.segments[buddy].depth != depth {
            return;
        }
        let (low, high) = if start & covered == 0 { (id, buddy) } else { (buddy, id) };
        let (left, right) = (&self.segments[low], &self.segments[high]);
        let len = (left.len + right.len) as usize;
        if len >= MERGE_LEN {
            return;
        }
        let both = Segment::build(left.live().chain(right.live()), wanted(len), depth - 1);
        self.set_segment(low, both);
        self.slots -= self.segments.remove(high).slots.len();
        let start = start & !covered;
        self.directory[start..start + 2 * covered].fill(low);
        self.depths[depth as usize] -= 2;
        self.depths[depth as usize - 1] += 1;
        while self.depths[self.depth as usize] == 0 {
            self.directory = self.directory.iter().step_by(2).copied().collect();
            self.depth -= 1;
        }
    }

    /// Visits the slots from `from` on, in the order of their hashes, one `(hash, leaf)` for each that
    /// differs from those before it, until `visit` returns false at the first slot of a hash.
    pub fn walk(&self, from: u32, mut visit: impl FnMut(u32, u32) -> bool) {
        let mut hash = from;
        loop {
            let segment = &self.segments[self.segment_id(hash)];
            let mut at = segment.first(hash);
            while at + 1 < segment.slots.len() {
                let slot = segment.slots[at];
                if slot != EMPTY && !visit(hash_of(slot), slot as u32) {
                    return;
                }
                at += 1;
            }
            let span = 1u64 << (32 - segment.depth);
            let next = (u64::from(hash) / span + 1) * span;
            let Ok(next) = u32::try_from(next) else { return };
            hash = next;
        }
    }
}

#[cfg(test)]
impl Index {
    /// Panics where an invariant does not hold; returns the number of slots in use.
    pub fn check(&self) -> usize {
        let (mut len, mut slots, mut entry, mut depths) = (0, 0, 0, [0; DEPTH_MAX as usize + 1]);
        assert_eq!(self.directory.len(), 1 << self.depth);
        while entry < self.directory.len() {
            let segment = &self.segments[self.directory[entry]];
            let covered = 1usize << (self.depth - segment.depth);
            assert!(self.directory[entry..entry + covered].iter().all(|&id| id == self.directory[entry]));
            let (mut last, mut run) = (0, 0);
            for (at, &slot) in segment.slots.iter().enumerate() {
                if slot == EMPTY {
                    run = at + 1;
                    continue;
                }
                assert!(hash_of(slot) >= last, "slots stand in the order of their hashes");
                last = hash_of(slot);
                assert_eq!((self.entry(last)) / covered, entry / covered);
                assert!((run..=at).contains(&segment.home(last)), "no gap between a slot and its home");
            }
            assert_eq!(segment.slots.last(), Some(&EMPTY));
            assert_eq!(segment.live().count(), segment.len as usize);
            len += segment.len as usize;
            slots += segment.slots.len();
            depths[segment.depth as usize] += 1;
            entry += covered;
        }
        assert_eq!((slots, depths), (self.slots, self.depths));
        len
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::random::Random;

    /// `hashes` makes a hash of a random number: all of the space, few values, or a corner of it.
    fn run(seed: u64, steps: usize, hashes: impl Fn(u32) -> u32) {
        println!("seed {seed}");
        let (mut index, mut random, mut model) = (Index::new(), Random::from_seed(seed), Vec::new());
        for nth in 0..steps {
            if model.is_empty() || (random.index(10) < 8) == (nth * 12 < steps * 7) {
                let (hash, leaf) = (hashes(random.next_u64() as u32), random.index(50) as u32);
                index.insert(hash, leaf);
                model.push((hash, leaf));
            } else {
                let (hash, leaf) = model.swap_remove(random.index(model.len()));
                if random.index(2) == 0 {
                    index.remove(hash, leaf);
                } else {
                    let to = random.index(50) as u32;
                    index.relocate(hash, leaf, to);
                    model.push((hash, to));
                }
            }
            if nth % (steps / 12) == 0 {
                assert_eq!(index.check(), model.len());
            }
        }
        for &(hash, leaf) in model.iter().step_by(41) {
            let found = index.leaves(hash).filter(|&other| other == leaf).count();
            assert_eq!(found, model.iter().filter(|&&slot| slot == (hash, leaf)).count());
        }
        let mut seen = Vec::new();
        index.walk(0, |hash, leaf| {
            seen.push((hash, leaf));
            true
        });
        assert!(seen.is_sorted_by_key(|&(hash, _)| hash));
        seen.sort_unstable();
        model.sort_unstable();
        assert_eq!(seen, model);
        model.iter().for_each(|&(hash, leaf)| index.remove(hash, leaf));
        assert_eq!(index.check(), 0);
        assert!(index.bytes() < 12 << 10, "{}", index.bytes());
    }

    #[test]
    fn slots_are_found_moved_and_removed_however_the_hashes_fall() {
        run(1, 24_000, |hash| hash);
        run(2, 24_000, |hash| hash >> 14);
        // They crowd at the end of one segment, where every step costs as much as there are elements.
        run(3, 6000, |hash| hash | 0xff00_0000);
        run(4, 24_000, |hash| if hash & 127 == 0 { u32::MAX } else { hash });
        run(5, 24_000, |hash| hash & 0x8000_003f);
    }
}
