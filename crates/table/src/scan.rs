//! Going through a table: scans, sweeps, iteration, random records.
//!
//! A cursor is a place in the order of hashes, not in memory: whatever the table does between calls, all
//! records below the cursor have been visited and those above have not.

use crate::bucket::{SLOTS, ones};
use crate::position::{bucket, from_cursor, next_bucket, next_segment, position, to_cursor};
use crate::prefetch::prefetch;
use crate::segment::BUCKETS;
use crate::table::{Pos, Table};
use crate::view::{View, ViewMut};
use crate::{Keep, Layout};

/// Tries to hit a used slot of a segment by chance, before counting. A segment in a filled table is at least
/// 45 % full.
const RANDOM_TRIES: usize = 32;

/// Records drawn side by side.
const GROUP: usize = 16;

impl<L: Layout> Table<L> {
    /// Visits records in the order of their hashes from `cursor` (0 at first). Stops at the first bucket
    /// boundary at which `count` records or more were visited. Returns the next cursor, below 2^48, or 0 at
    /// the end.
    ///
    /// A record that is in the table from the start to the end of a whole scan is visited at least once,
    /// whatever splits, merges and compactions happen between calls; after a merge some may be visited twice.
    /// Any cursor is allowed.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8])) -> u64 {
        let mut at = from_cursor(cursor);
        let mut visited = 0;
        loop {
            let (first, depth) = self.directory.view(at);
            let mut next = Some(first);
            while let Some(segment) = next {
                for (bucket, slots) in segment.at_home(bucket(at, depth)) {
                    visited += slots.count_ones() as usize;
                    ones(slots).for_each(|slot| visit(exact::<L>(segment, bucket, slot)));
                }
                next = segment.next();
            }
            let Some(next) = next_bucket(at, depth) else { return 0 };
            if visited >= count {
                return to_cursor(Some(next));
            }
            at = next;
        }
    }

    /// The cursor of a hash: a scan that returned `c` has visited exactly the records with `cursor_of(hash) <
    /// c`, and the sweep and segment calls take it as a place in the segment of that hash.
    pub fn cursor_of(&self, hash: u64) -> u64 {
        to_cursor(Some(position(hash)))
    }

    /// The cursor of the segment after the one at `cursor`, 0 after the last.
    pub fn next_segment(&self, cursor: u64) -> u64 {
        let at = from_cursor(cursor);
        to_cursor(next_segment(at, self.directory.view(at).1))
    }

    /// The meta of the segment at `cursor`.
    pub fn meta_at(&self, cursor: u64) -> &L::Meta {
        &self.directory.view(from_cursor(cursor)).0.header().meta
    }

    /// Asks for the line of the meta of the segment at `cursor`.
    #[inline]
    pub fn prefetch_meta(&self, cursor: u64) {
        prefetch(self.directory.view(from_cursor(cursor)).0.header_address());
    }

    pub fn meta_at_mut(&mut self, cursor: u64) -> &mut L::Meta {
        &mut self.directory.view_mut(from_cursor(cursor)).0.into_header().meta
    }

    /// Visits all records of the segment at `cursor`. Returns the cursor of the next segment, 0 after the
    /// last.
    pub fn visit_segment(&self, cursor: u64, mut visit: impl FnMut(&[u8])) -> u64 {
        let mut next = Some(self.directory.view(from_cursor(cursor)).0);
        while let Some(segment) = next {
            for (bucket, slot) in slots(segment) {
                visit(exact::<L>(segment, bucket, slot));
            }
            next = segment.next();
        }
        self.next_segment(cursor)
    }

    /// Visits all records of the segment at `cursor` together with the segment's meta, and removes those for
    /// which `visit` says so. Returns the cursor of the next segment, 0 after the last. For expiry: bounded
    /// work per call.
    pub fn sweep(&mut self, cursor: u64, mut visit: impl FnMut(&[u8], &mut L::Meta) -> Keep) -> u64 {
        let at = from_cursor(cursor);
        let mut meta = std::mem::take(self.meta_at_mut(cursor));
        let (first, depth) = self.directory.view_mut(at);
        let mut next = Some(first);
        let mut removed = 0;
        while let Some(mut segment) = next {
            removed += sweep_one::<L>(&mut segment, &mut meta, &mut visit);
            next = segment.into_next();
        }
        *self.meta_at_mut(cursor) = meta;
        if removed > 0 {
            self.len -= removed;
            self.moved();
            self.give_back(at);
        }
        to_cursor(next_segment(at, depth))
    }

    /// A record by chance. As even as the loads of segments are: a record in a segment with 10 % more records
    /// than it should have by the width of its stretch is 10 % less likely (the deviation is about 5 %); in a
    /// table of one segment exactly even. `None` if the table is empty. `random` gives evenly distributed
    /// numbers.
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<Pos> {
        if self.is_empty() {
            return None;
        }
        loop {
            if let Some((segment, bucket, slot)) = self.pick(random(), random(), random) {
                return Some(self.pos(segment.base(), bucket, slot));
            }
        }
    }

    /// As many records as there are in `out`, each as by [`Table::random`], so with repetitions; the memory of all is asked for
    /// before any is looked at. False, and nothing, if the table is empty.
    pub fn random_many(&self, out: &mut [Option<Pos>], random: &mut impl FnMut() -> u64) -> bool {
        if self.is_empty() {
            return false;
        }
        for group in out.chunks_mut(GROUP) {
            let mut draws = [(0, 0); GROUP];
            for draw in &mut draws[..group.len()] {
                *draw = (random(), random());
                let (place, first) = *draw;
                let segment = self.directory.view(position(place)).0;
                prefetch(segment.header_address());
                prefetch(segment.bucket_address(place_in_segment(first).0));
            }
            for (out, &(place, first)) in group.iter_mut().zip(&draws) {
                let mut drawn = self.pick(place, first, random);
                while drawn.is_none() {
                    drawn = self.pick(random(), random(), random);
                }
                *out = drawn.map(|(segment, bucket, slot)| {
                    prefetch(segment.record_address(segment.bucket(bucket).offset(slot)));
                    self.pos(segment.base(), bucket, slot)
                });
            }
        }
        true
    }

    /// A record of the segment at a place drawn by chance, the bucket of `first` tried first; `None` if it has none.
    #[inline]
    fn pick(
        &self,
        place: u64,
        first: u64,
        random: &mut impl FnMut() -> u64,
    ) -> Option<(View<'_, L::Meta>, usize, usize)> {
        let mut segment = self.directory.view(position(place)).0;
        // Overflow segments count as more segments of the same stretch.
        while let Some(next) = segment.next() {
            if random().is_multiple_of(2) {
                break;
            }
            segment = next;
        }
        if segment.header().len == 0 {
            return None;
        }
        let mut draw = first;
        for _ in 0..RANDOM_TRIES {
            let (bucket, slot) = place_in_segment(draw);
            if segment.bucket(bucket).used() >> slot & 1 == 1 {
                return Some((segment, bucket, slot));
            }
            draw = random();
        }
        let nth = random() % u64::from(segment.header().len);
        let (bucket, slot) = slots(segment).nth(nth as usize)?;
        Some((segment, bucket, slot))
    }

    /// All records, segment by segment in the order of hashes.
    pub fn iter(&self) -> Iter<'_, L> {
        let (segment, depth) = self.directory.view(0);
        Iter { table: self, segment, bucket: 0, left: segment.bucket(0).used(), next: next_segment(0, depth) }
    }
}

/// The iterator over all records of a table.
pub struct Iter<'a, L: Layout> {
    table: &'a Table<L>,
    segment: View<'a, L::Meta>,
    bucket: usize,
    /// Slots of the bucket not yet visited.
    left: u32,
    /// First position of the next segment.
    next: Option<u64>,
}

impl<'a, L: Layout> Iterator for Iter<'a, L> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while self.left == 0 {
            self.bucket += 1;
            if self.bucket == BUCKETS {
                self.bucket = 0;
                self.segment = match self.segment.next() {
                    Some(overflow) => overflow,
                    None => {
                        // At the end: stay at the end.
                        self.bucket = BUCKETS - 1;
                        let at = self.next?;
                        self.bucket = 0;
                        let (segment, depth) = self.table.directory.view(at);
                        self.next = next_segment(at, depth);
                        segment
                    }
                };
            }
            self.left = self.segment.bucket(self.bucket).used();
        }
        let slot = self.left.trailing_zeros() as usize;
        self.left &= self.left - 1;
        Some(exact::<L>(self.segment, self.bucket, slot))
    }
}

fn exact<L: Layout>(segment: View<'_, L::Meta>, bucket: usize, slot: usize) -> &[u8] {
    let record = segment.record(bucket, slot);
    &record[..L::record_len(record)]
}

/// A bucket and a slot by chance.
#[inline]
fn place_in_segment(random: u64) -> (usize, usize) {
    let pick = ((random >> 32) as usize * (BUCKETS * SLOTS)) >> 32;
    (pick / SLOTS, pick % SLOTS)
}

/// Bucket and slot of all records of a segment.
fn slots<M>(segment: View<'_, M>) -> impl Iterator<Item = (usize, usize)> {
    (0..BUCKETS).flat_map(move |bucket| ones(segment.bucket(bucket).used()).map(move |slot| (bucket, slot)))
}

/// Visits the records of one segment and removes what is not kept; returns how many.
fn sweep_one<L: Layout>(
    segment: &mut ViewMut<'_, L::Meta>,
    meta: &mut L::Meta,
    visit: &mut impl FnMut(&[u8], &mut L::Meta) -> Keep,
) -> usize {
    let mut doomed = [0u32; BUCKETS];
    for (bucket, slot) in slots(segment.view()) {
        if visit(exact::<L>(segment.view(), bucket, slot), meta) == Keep::Remove {
            doomed[bucket] |= 1 << slot;
        }
    }
    let forget = |segment: &mut ViewMut<'_, L::Meta>, bucket: usize, slot: usize| {
        let len = exact::<L>(segment.view(), bucket, slot).len();
        segment.forget(bucket, slot, len);
    };
    for (bucket, &doomed) in doomed.iter().enumerate() {
        // The last record of its kind moves into the slot, so go from there: own records downwards, guests
        // upwards.
        let own = doomed & segment.view().bucket(bucket).own();
        (0..SLOTS).rev().filter(|slot| own >> slot & 1 == 1).for_each(|slot| forget(segment, bucket, slot));
        ones(doomed & !own).for_each(|slot| forget(segment, bucket, slot));
    }
    if doomed.iter().any(|&doomed| doomed != 0) {
        (0..BUCKETS).for_each(|bucket| segment.draw_back(bucket));
    }
    doomed.iter().map(|doomed| doomed.count_ones() as usize).sum()
}
