//! How segments change size: growth, compaction, splits, merges, overflow.
//!
//! Each is a copy of one or two blocks of at most 64 KiB; nothing here takes longer.

use crate::Layout;
use crate::bucket::ones;
use crate::position::{bucket, position, tag};
use crate::prefetch::prefetch;
use crate::segment::{BUCKETS, Block, Header, LEN_MAX, Segment, class_for_heap, heap_capacity};
use crate::size::{CLASS_MAX, class_bytes};
use crate::table::Table;
use crate::view::{View, ViewMut};
use crate::walk::Visited;
use std::ptr::NonNull;

/// A segment this full splits rather than taking a larger block: 85 % of the slots.
const SPLIT_LEN: usize = LEN_MAX * 85 / 95;

/// Two segments with less than this together are merged: 60 % of the slots and five eighths of the largest heap.
const MERGE_LEN: usize = LEN_MAX * 60 / 95;
const MERGE_BYTES: usize = 40 * 1024;

/// One dead byte in this many is worth a compaction.
const DEAD_SHARE: usize = 8;

pub(crate) enum Room {
    /// There may be room now.
    Retry,
    /// Splitting cannot help: the record must go into an overflow segment.
    Overflow,
}

/// A record on its way into one of two halves.
#[derive(Clone, Copy)]
struct Move {
    position: u64,
    bucket: u8,
    slot: u8,
    tag: u8,
    len: u16,
}

impl<L: Layout> Table<L> {
    /// Makes room for a record of `len` bytes in the segment of `at` that has just refused it.
    #[cold]
    #[inline(never)]
    pub(crate) fn make_room(&mut self, at: u64, len: usize) -> Room {
        let (segment, depth) = self.directory.view(at);
        let header = segment.header();
        if usize::from(header.capacity - header.fill) < len {
            let live = header.live_bytes();
            let worth_compacting = usize::from(header.dead) * DEAD_SHARE >= usize::from(header.capacity);
            if worth_compacting {
                let class = class_for_heap::<L::Meta>(live + len + live / 16).unwrap_or(CLASS_MAX);
                self.resize(at, class);
                return Room::Retry;
            }
            let splits = usize::from(header.len) >= SPLIT_LEN && depth < self.depth_max;
            if header.class < CLASS_MAX && !splits {
                let class = class_for_heap::<L::Meta>(live + len).unwrap_or(CLASS_MAX);
                self.resize(at, class.max(header.class + 1));
                return Room::Retry;
            }
        }
        if depth >= self.depth_max {
            return Room::Overflow;
        }
        self.split(at);
        Room::Retry
    }

    pub(crate) fn resize(&mut self, at: u64, class: u8) {
        let segment = self.directory.view_mut(at).0.resized::<L>(class);
        drop(self.directory.replace(segment));
        self.moved();
    }

    pub(crate) fn split(&mut self, at: u64) {
        let (parent, depth) = self.directory.view(at);
        let mut moves = [Move { position: 0, bucket: 0, slot: 0, tag: 0, len: 0 }; LEN_MAX];
        let moves = &mut moves[..usize::from(parent.header().len)];
        let right_bit = 1 << (63 - depth);
        let bytes = self.plan_split(parent, right_bit, moves);
        let prefix = parent.header().prefix;
        let mut halves = [0, 1].map(|half| {
            let class = class_for_heap::<L::Meta>(bytes[half]).unwrap_or(CLASS_MAX);
            let mut segment = Segment::new(class, prefix | (right_bit * half as u64), depth + 1);
            let mut to = segment.view_mut();
            to.header_mut().visited = parent.header().visited.of_half(half);
            to.header_mut().meta = L::split_meta(&parent.header().meta);
            segment
        });
        let mut left_over = Vec::new();
        for planned in moves {
            let record = parent.record(planned.bucket.into(), planned.slot.into());
            let record = &record[..planned.len.into()];
            let mut to = halves[usize::from(planned.position & right_bit != 0)].view_mut();
            match to.admit(bucket(planned.position, depth + 1), planned.tag, record.len()) {
                Some((.., offset)) => to.heap_mut(offset, record.len()).copy_from_slice(record),
                None => left_over.push(*planned),
            }
        }
        let [left, right] = halves;
        let parent = self.directory.split(left, right);
        self.moved();
        // Only when very uneven: all of one half in few buckets. These may split further.
        for planned in left_over {
            let record = parent.view().record(planned.bucket.into(), planned.slot.into());
            let record = &record[..planned.len.into()];
            self.insert(self.hash(L::key(record)), record.len(), |new| new.copy_from_slice(record));
            self.len -= 1;
        }
    }

    /// Where each record of `parent` goes, and how many bytes go to each half.
    fn plan_split(&self, parent: View<'_, L::Meta>, right_bit: u64, moves: &mut [Move]) -> [usize; 2] {
        let mut bytes = [0; 2];
        let mut moves = moves.iter_mut();
        for bucket in 0..BUCKETS {
            for slot in ones(parent.bucket(bucket + 1).used()) {
                prefetch(parent.record_address(parent.bucket(bucket + 1).offset(slot)));
            }
            for (slot, planned) in ones(parent.bucket(bucket).used()).zip(&mut moves) {
                let record = parent.record(bucket, slot);
                let (hash, len) = (self.hash(L::key(record)), L::record_len(record));
                let position = position(hash);
                *planned = Move {
                    position,
                    bucket: bucket as u8,
                    slot: slot as u8,
                    tag: tag(hash),
                    len: len as u16,
                };
                bytes[usize::from(position & right_bit != 0)] += len;
            }
        }
        bytes
    }

    /// True if the segment may be worth a smaller block or a merge.
    #[inline]
    pub(crate) fn is_sparse(header: &Header<L::Meta>) -> bool {
        let few = usize::from(header.len) <= MERGE_LEN / 2 && header.len % 16 == 0;
        few || Self::has_much_room(header)
    }

    /// Whether the heap has so much room that a smaller block is certain to do, which is fuller. A third is free, for blocks have
    /// an eighth more than they need and their sizes are a quarter apart at most; the kilobyte stands for the buckets, which stay.
    #[inline]
    fn has_much_room(header: &Header<L::Meta>) -> bool {
        let (live, capacity) = (header.live_bytes(), usize::from(header.capacity));
        live * 2 < capacity || (live + 1024) * 3 < capacity * 2
    }

    /// Gives memory of the segment at `at` back, if it is sparse: by merging it, or by a smaller block.
    #[cold]
    #[inline(never)]
    pub(crate) fn give_back(&mut self, at: u64) {
        while self.merge(at) {}
        let header = self.directory.view(at).0.header();
        let live = header.live_bytes();
        let class = class_for_heap::<L::Meta>(live + live / 8 + 64).unwrap_or(CLASS_MAX);
        if Self::has_much_room(header) && class < header.class {
            self.resize(at, class);
        }
    }

    /// Merges the segment at `at` with its other half if both together are sparse.
    fn merge(&mut self, at: u64) -> bool {
        let (segment, depth) = self.directory.view(at);
        if depth == 0 {
            return false;
        }
        let other_bit = 1 << (64 - depth);
        let (other, other_depth) = self.directory.view(segment.header().prefix ^ other_bit);
        let (a, b) = (segment.header(), other.header());
        let bytes = a.live_bytes() + b.live_bytes();
        let fits = usize::from(a.len + b.len) <= MERGE_LEN && bytes <= MERGE_BYTES;
        let alike = other_depth == depth && a.next.is_none() && b.next.is_none();
        if !fits || !alike {
            return false;
        }
        let (left, right) = if a.prefix < b.prefix { (segment, other) } else { (other, segment) };
        let visited = Visited::of_both(left.header().visited, right.header().visited, self.walk);
        let Some(visited) = visited else { return false };
        let Some(mut both) = Self::merged(left, right, depth - 1, bytes) else { return false };
        both.view_mut().header_mut().visited = visited;
        drop(self.directory.merge(both));
        self.moved();
        true
    }

    fn merged(
        left: View<'_, L::Meta>,
        right: View<'_, L::Meta>,
        depth: u32,
        bytes: usize,
    ) -> Option<Segment<L::Meta>> {
        let class = class_for_heap::<L::Meta>(bytes + bytes / 16 + 64)?;
        let mut both = Segment::new(class, left.header().prefix, depth);
        let mut to = both.view_mut();
        to.header_mut().meta = L::merged_meta(&left.header().meta, &right.header().meta);
        for (half, from) in [left, right].into_iter().enumerate() {
            for home in 0..BUCKETS {
                for (bucket, slots) in from.at_home(home) {
                    for slot in ones(slots) {
                        let record = from.record(bucket, slot);
                        let record = &record[..L::record_len(record)];
                        let tag = from.bucket(bucket).get(slot).0;
                        let (.., offset) = to.admit(half * BUCKETS / 2 + home / 2, tag, record.len())?;
                        to.heap_mut(offset, record.len()).copy_from_slice(record);
                    }
                }
            }
        }
        Some(both)
    }

    /// Room for a record in an overflow segment, of which another is added if need be.
    pub(crate) fn admit_overflowed(
        &mut self,
        at: u64,
        tag: u8,
        len: usize,
    ) -> (NonNull<Block<L::Meta>>, usize, usize, u16) {
        debug_assert!(len <= heap_capacity::<L::Meta>(CLASS_MAX));
        let (mut segment, depth) = self.directory.view_mut(at);
        let home = bucket(at, depth);
        let prefix = segment.view().header().prefix;
        let mut added = 0;
        loop {
            segment.bucket_mut(home).overflowed = 1;
            if segment.view().header().next.is_none() {
                let mut next = Segment::new(CLASS_MAX, prefix, depth);
                next.view_mut().header_mut().overflow = true;
                segment.header_mut().next = Some(next);
                added += class_bytes(CLASS_MAX);
            }
            let next = segment.into_header().next.as_mut().expect("there is one now");
            let mut next: ViewMut<'_, L::Meta> = next.view_mut();
            if let Some((bucket, slot, offset)) = next.admit(home, tag, len) {
                let base = next.view().base();
                self.directory.count_overflow(added);
                return (base, bucket, slot, offset);
            }
            segment = next;
        }
    }
}
