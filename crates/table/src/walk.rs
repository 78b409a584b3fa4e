//! A walk over the table that sees every record as it was when the walk began, while records change: for snapshots.
//!
//! Who walks goes from segment to segment; who is about to change, add or remove a record has the records that share its home bucket
//! visited first. Each segment says which of its home buckets have been visited in which walk, so that every record is visited
//! exactly once. Both halves of a split know what their parent knew; two halves are merged only if what is known of them can be said
//! of the whole.

use crate::bucket::ones;
use crate::position::{bucket, from_cursor, position};
use crate::segment::BUCKETS;
use crate::view::View;
use crate::{Layout, Table};

/// The home buckets of a segment that have been visited, a bit for each, and in which walk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Visited {
    walk: u32,
    homes: u32,
}

impl Visited {
    const ALL: u32 = u32::MAX;

    /// Those of a walk.
    fn in_walk(self, walk: u32) -> u32 {
        if self.walk == walk { self.homes } else { 0 }
    }

    /// What is known of one half (0 or 1) of a segment that splits. A home bucket of it becomes two.
    pub(crate) fn of_half(self, half: usize) -> Self {
        let parents = self.homes >> (half * BUCKETS / 2);
        let homes = (0..BUCKETS).filter(|home| parents >> (home / 2) & 1 == 1);
        Self { walk: self.walk, homes: homes.fold(0, |homes, home| homes | 1 << home) }
    }

    /// What is known of the segment that two halves become in `walk`, if it can be said: two home buckets become one.
    pub(crate) fn of_both(left: Self, right: Self, walk: u32) -> Option<Self> {
        let halves = [left.in_walk(walk), right.in_walk(walk)];
        let mut homes = 0;
        for home in 0..BUCKETS {
            let pair = halves[home / (BUCKETS / 2)] >> (home % (BUCKETS / 2) * 2) & 0b11;
            match pair {
                0b00 => {}
                0b11 => homes |= 1 << home,
                _ => return None,
            }
        }
        Some(Self { walk, homes })
    }
}

impl<L: Layout> Table<L> {
    /// Begins a walk, of which all records there are now are part. One that has not come to its end is forgotten.
    pub fn begin_walk(&mut self) {
        // A segment that has not been touched for as many walks as there are numbers would be taken for visited.
        self.walk = self.walk.checked_add(1).expect("a table sees fewer walks than that");
    }

    /// Forgets what has been visited: halves may be merged again whatever was known of them.
    pub fn end_walk(&mut self) {
        self.begin_walk();
    }

    /// Visits the records that have the same home as `hash`, if that has not been done in this walk.
    #[inline]
    pub fn visit_home(&mut self, hash: u64, visit: impl FnMut(&[u8])) {
        let at = position(hash);
        let (segment, depth) = self.directory.view(at);
        let home = bucket(at, depth);
        let homes = segment.header().visited.in_walk(self.walk);
        if homes >> home & 1 == 0 {
            visit_homes::<L>(segment, 1 << home, visit);
            let visited = Visited { walk: self.walk, homes: homes | 1 << home };
            self.directory.view_mut(at).0.header_mut().visited = visited;
        }
    }

    /// Visits the records of some homes of the segment at `cursor` that have not been visited in this walk. Returns the cursor to go on with; `None`
    /// after the last segment.
    pub fn visit_some(&mut self, cursor: u64, homes_max: usize, visit: impl FnMut(&[u8])) -> Option<u64> {
        let at = from_cursor(cursor);
        let segment = self.directory.view(at).0;
        let homes = segment.header().visited.in_walk(self.walk);
        let some = ones(!homes).take(homes_max).fold(0, |some, home| some | 1 << home);
        visit_homes::<L>(segment, some, visit);
        let visited = Visited { walk: self.walk, homes: homes | some };
        self.directory.view_mut(at).0.header_mut().visited = visited;
        match visited.homes == Visited::ALL {
            true => Some(self.next_segment(cursor)).filter(|&next| next != 0),
            false => Some(cursor),
        }
    }

    /// Visits all records of the segment at `cursor` that have not been visited in this walk. Returns the cursor of the next segment, 0
    /// after the last.
    pub fn visit_rest(&mut self, cursor: u64, visit: impl FnMut(&[u8])) -> u64 {
        let at = from_cursor(cursor);
        let segment = self.directory.view(at).0;
        let homes = segment.header().visited.in_walk(self.walk);
        if homes != Visited::ALL {
            visit_homes::<L>(segment, !homes, visit);
            let visited = Visited { walk: self.walk, homes: Visited::ALL };
            self.directory.view_mut(at).0.header_mut().visited = visited;
        }
        self.next_segment(cursor)
    }
}

/// Visits the records of a segment, and of those it has overflowed into, with these homes.
fn visit_homes<L: Layout>(first: View<'_, L::Meta>, homes: u32, mut visit: impl FnMut(&[u8])) {
    let mut next = Some(first);
    while let Some(segment) = next {
        for home in ones(homes) {
            for (bucket, slots) in segment.at_home(home) {
                for slot in ones(slots) {
                    let record = segment.record(bucket, slot);
                    visit(&record[..L::record_len(record)]);
                }
            }
        }
        next = segment.next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_know_what_their_segment_knew() {
        for homes in [0, u32::MAX, 0x8000_0001, 0x1234_5678, 0xffff_0000] {
            let parent = Visited { walk: 3, homes };
            let halves = [parent.of_half(0), parent.of_half(1)];
            assert_eq!(Visited::of_both(halves[0], halves[1], 3), Some(parent));
        }
        let [left, right] = [0b11, 0b10].map(|homes| Visited { walk: 3, homes });
        assert_eq!(Visited::of_both(left, left, 3), Some(Visited { walk: 3, homes: 0x1_0001 }));
        assert_eq!(Visited::of_both(left, right, 3), None);
        assert_eq!(Visited::of_both(left, right, 4), Some(Visited { walk: 4, homes: 0 }));
    }
}
