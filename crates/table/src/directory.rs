//! The directory: which segment covers a position.
//!
//! A root of up to 1,024 entries, indexed by the top bits of a position. While it is smaller it doubles as a
//! whole; once full, an entry that needs more becomes a small directory of its own, which doubles by itself.
//! So growth of the directory is many small steps: at 20 million records a step copies about a hundred
//! entries.
//!
//! An entry is a pointer (segments and small directories are aligned to 64) with a code in its low 6 bits:
//! the depth of the segment, or `SUB` plus the bits of the small directory. Invariants: a segment of depth d
//! stands in exactly the entries of the stretch of 2^-d that it covers, and is owned by the directory; small
//! directories stand in one entry.

use crate::segment::{Block, Segment};
use crate::size::class_bytes;
use crate::view::{View, ViewMut};
use std::alloc::{Layout as Request, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

const ROOT_BITS_MAX: u32 = 10;
const SUB_BITS_MAX: u32 = 15;
const CODES: usize = 64;
/// Code of a small directory of 0 bits (there is none); depths are below.
const SUB: usize = 48;

/// Segments are never deeper. With bits to spare for 10 billion records.
pub(crate) const DEPTH_MAX: u32 = ROOT_BITS_MAX + SUB_BITS_MAX;

const _: () = assert!((DEPTH_MAX as usize) < SUB && SUB + (SUB_BITS_MAX as usize) < CODES);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry(NonNull<u8>);

impl Entry {
    fn new(pointer: NonNull<u8>, code: usize) -> Self {
        debug_assert!(pointer.addr().get().is_multiple_of(CODES) && code < CODES);
        Self(pointer.map_addr(|address| address | code))
    }

    #[inline]
    fn code(self) -> usize {
        self.0.addr().get() % CODES
    }

    #[inline]
    fn pointer(self) -> NonNull<u8> {
        // SAFETY: moves to the start of the allocation the entry was made from.
        unsafe { self.0.sub(self.code()) }
    }

    /// Bits of the small directory, `None` for a segment.
    #[inline]
    fn sub_bits(self) -> Option<u32> {
        self.code().checked_sub(SUB).map(|bits| bits as u32)
    }
}

fn sub_request(bits: u32) -> Request {
    Request::from_size_align(size_of::<Entry>() << bits, CODES).expect("small directories are small")
}

fn sub_bytes(bits: u32) -> usize {
    sub_request(bits).pad_to_align().size()
}

pub(crate) struct Directory<M> {
    root: Vec<Entry>,
    root_bits: u32,
    /// Segments, overflow segments left out.
    segments: usize,
    /// Bytes of blocks and small directories.
    bytes: usize,
    owns: PhantomData<Segment<M>>,
}

// SAFETY: the directory owns its segments and small directories alone.
unsafe impl<M: Send> Send for Directory<M> {}
// SAFETY: shared access gives views of segments only, which are Sync.
unsafe impl<M: Sync> Sync for Directory<M> {}

/// Bytes of a segment's block. Overflow segments are counted when added and stay as long as the directory.
fn bytes_of<M>(segment: View<'_, M>) -> usize {
    class_bytes(segment.header().class)
}

impl<M> Directory<M> {
    /// A directory of one segment of depth 0.
    pub(crate) fn new(first: Segment<M>) -> Self {
        let bytes = bytes_of(first.view());
        let root = vec![Entry::new(first.into_raw().cast(), 0)];
        Self { root, root_bits: 0, segments: 1, bytes, owns: PhantomData }
    }

    pub(crate) fn segments(&self) -> usize {
        self.segments
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.root.capacity() * size_of::<Entry>()
    }

    #[inline]
    fn root_index(&self, position: u64) -> usize {
        ((position >> 1) >> (63 - self.root_bits)) as usize
    }

    #[inline]
    fn sub_index(position: u64, bits: u32) -> usize {
        ((position << ROOT_BITS_MAX) >> (64 - bits)) as usize
    }

    #[inline]
    fn entry(&self, position: u64) -> Entry {
        // SAFETY: the root has 2^root_bits entries and the index root_bits bits.
        let entry = unsafe { *self.root.get_unchecked(self.root_index(position)) };
        match entry.sub_bits() {
            None => entry,
            // SAFETY: a small directory of `bits` has 2^bits entries.
            Some(bits) => unsafe {
                *entry.pointer().cast::<Entry>().add(Self::sub_index(position, bits)).as_ref()
            },
        }
    }

    /// The segment that covers `position`, and its depth.
    #[inline]
    pub(crate) fn view(&self, position: u64) -> (View<'_, M>, u32) {
        let entry = self.entry(position);
        // SAFETY: segments in the directory are alive, and borrowed as the directory is.
        (unsafe { View::from_raw(entry.pointer().cast::<Block<M>>()) }, entry.code() as u32)
    }

    #[inline]
    pub(crate) fn view_mut(&mut self, position: u64) -> (ViewMut<'_, M>, u32) {
        let entry = self.entry(position);
        // SAFETY: segments in the directory are alive and owned by it, and it is borrowed exclusively.
        (unsafe { ViewMut::from_raw(entry.pointer().cast::<Block<M>>()) }, entry.code() as u32)
    }

    /// Puts a segment in the place of the one with the same prefix and depth, which it returns.
    pub(crate) fn replace(&mut self, segment: Segment<M>) -> Segment<M> {
        let old = self.take(segment.view().header().prefix);
        debug_assert!(old.view().header().depth == segment.view().header().depth);
        self.put(segment);
        old
    }

    /// Puts two halves in the place of a segment, which it returns.
    pub(crate) fn split(&mut self, left: Segment<M>, right: Segment<M>) -> Segment<M> {
        let old = self.take(left.view().header().prefix);
        self.put(left);
        self.put(right);
        old
    }

    /// Puts a segment in the place of its two halves, which it returns.
    pub(crate) fn merge(&mut self, both: Segment<M>) -> [Segment<M>; 2] {
        let (prefix, depth) = (both.view().header().prefix, u32::from(both.view().header().depth));
        let halves = [self.take(prefix), self.take(prefix | 1 << (63 - depth))];
        self.put(both);
        self.narrow(prefix);
        halves
    }

    /// Tells that overflow segments of `bytes` were added.
    pub(crate) fn count_overflow(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Takes ownership of the segment at `position`, whose entries must be written over at once.
    fn take(&mut self, position: u64) -> Segment<M> {
        // SAFETY: the entry's segment was given by `into_raw`; callers overwrite all its entries before
        // anything else.
        let segment = unsafe { Segment::from_raw(self.entry(position).pointer().cast()) };
        self.segments -= 1;
        self.bytes -= bytes_of(segment.view());
        segment
    }

    /// Writes a segment into all the entries it covers, deepening the directory as needed.
    fn put(&mut self, segment: Segment<M>) {
        let (prefix, depth) = (segment.view().header().prefix, u32::from(segment.view().header().depth));
        self.segments += 1;
        self.bytes += bytes_of(segment.view());
        let entry = Entry::new(segment.into_raw().cast(), depth as usize);
        while depth > self.root_bits && self.root_bits < ROOT_BITS_MAX {
            let mut doubled = Vec::with_capacity(2 * self.root.len());
            doubled.extend(self.root.iter().flat_map(|&entry| [entry, entry]));
            self.root = doubled;
            self.root_bits += 1;
        }
        let at = self.root_index(prefix);
        if depth > self.root_bits {
            let sub = self.deepened(at, depth - self.root_bits);
            let bits = sub.len().trailing_zeros();
            let start = Self::sub_index(prefix, bits);
            sub[start..start + (1 << (bits + ROOT_BITS_MAX - depth))].fill(entry);
            return;
        }
        for at in at..at + (1 << (self.root_bits - depth)) {
            self.free_sub(at);
            self.root[at] = entry;
        }
    }

    /// The small directory at root entry `at`, made to have at least `bits` bits.
    fn deepened(&mut self, at: usize, bits: u32) -> &mut [Entry] {
        let had = self.root[at].sub_bits().unwrap_or(0);
        if had < bits {
            let old = self.root[at];
            let fill = |index: usize| match had {
                0 => old,
                // SAFETY: the old small directory has 2^had entries, and index has `bits` bits.
                _ => unsafe { *old.pointer().cast::<Entry>().add(index >> (bits - had)).as_ref() },
            };
            let sub = self.new_sub(bits, fill);
            self.free_sub(at);
            self.root[at] = sub;
        }
        self.sub_mut(at).expect("it is a small directory now")
    }

    fn sub_mut(&mut self, at: usize) -> Option<&mut [Entry]> {
        let bits = self.root[at].sub_bits()?;
        let start = self.root[at].pointer().cast::<Entry>();
        // SAFETY: small directories have 2^bits initialised entries and are owned by the directory.
        Some(unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), 1 << bits) })
    }

    fn new_sub(&mut self, bits: u32, fill: impl Fn(usize) -> Entry) -> Entry {
        assert!((1..=SUB_BITS_MAX).contains(&bits));
        // SAFETY: the size is not 0.
        let start = unsafe { alloc(sub_request(bits)) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(sub_request(bits)) };
        for index in 0..1 << bits {
            // SAFETY: inside the allocation, which is aligned to 64.
            unsafe { start.cast::<Entry>().add(index).write(fill(index)) };
        }
        self.bytes += sub_bytes(bits);
        Entry::new(start, SUB + bits as usize)
    }

    /// Frees the small directory at root entry `at`, if it is one; the entry must be written over at once.
    fn free_sub(&mut self, at: usize) {
        if let Some(bits) = self.root[at].sub_bits() {
            self.bytes -= sub_bytes(bits);
            // SAFETY: allocated by `new_sub` with the same size; callers overwrite the entry.
            unsafe { dealloc(self.root[at].pointer().as_ptr(), sub_request(bits)) };
        }
    }

    /// Halves what covers `position` as long as no segment there needs the depth.
    fn narrow(&mut self, position: u64) {
        let at = self.root_index(position);
        while let Some(sub) = self.sub_mut(at) {
            if !sub.chunks(2).all(|pair| pair[0] == pair[1]) {
                return;
            }
            let halved: Vec<Entry> = sub.iter().copied().step_by(2).collect();
            let bits = halved.len().trailing_zeros();
            let entry = if bits == 0 { halved[0] } else { self.new_sub(bits, |index| halved[index]) };
            self.free_sub(at);
            self.root[at] = entry;
        }
        while self.root_bits > 0
            && self.root.chunks(2).all(|pair| pair[0] == pair[1] && pair[0].sub_bits().is_none())
        {
            self.root = self.root.iter().copied().step_by(2).collect();
            self.root_bits -= 1;
        }
    }
}

impl<M> Directory<M> {
    /// Frees the segment at position `at`; the first position behind it. No position of it may be asked for again.
    pub(crate) fn free_segment(&mut self, at: u64) -> Option<u64> {
        let (first, depth) = self.view(at);
        let (mut bytes, mut next) = (bytes_of(first), first.next());
        while let Some(overflow) = next {
            bytes += bytes_of(overflow);
            next = overflow.next();
        }
        self.bytes -= bytes;
        self.segments -= 1;
        // SAFETY: the entry's segment was given by `into_raw`, and the caller reads its entries no more.
        drop(unsafe { Segment::<M>::from_raw(self.entry(at).pointer().cast()) });
        crate::position::next_segment(at, depth)
    }

    /// Frees the segments from position `next` on and all small directories; nothing is left to look up then.
    pub(crate) fn free_from(&mut self, mut next: Option<u64>) {
        while let Some(at) = next {
            next = self.free_segment(at);
        }
        for at in 0..self.root.len() {
            self.free_sub(at);
        }
        self.root = Vec::new();
    }
}

impl<M> Drop for Directory<M> {
    fn drop(&mut self) {
        self.free_from(Some(0));
    }
}
