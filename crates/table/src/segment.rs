//! A segment: 32 buckets, a header and the heap of its records, in one block.
//!
//! The heap lies below the base (where the buckets start) and grows down. So a record is found from the base
//! and its distance alone, and all from a record up to the base is initialised memory, without a look at the
//! header.
//!
//! Invariants:
//! - the offset of a slot in use is between 1 and `fill`; `fill` ≤ `capacity`, the bytes of the block below
//!   the base;
//! - `len` slots are in use; `dead` bytes of the heap belong to no record;
//! - a bucket's `displaced` is the number of guests of the next bucket (the last's next is the first);
//! - a bucket with displaced records is full.

use crate::Layout;
use crate::bucket::{Bucket, SLOTS, ones};
use crate::position::BUCKET_BITS;
use crate::size::{ALIGNMENT, class_for, request_bytes};
use crate::view::{View, ViewMut};
use crate::walk::Visited;
use std::alloc::{Layout as Request, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

pub(crate) const BUCKETS: usize = 1 << BUCKET_BITS;

/// Records after which a segment splits: 95 % of its slots. Beyond, ever more records would be displaced.
pub(crate) const LEN_MAX: usize = BUCKETS * SLOTS * 95 / 100;

pub(crate) struct Header<M> {
    /// First position of the segment.
    pub(crate) prefix: u64,
    pub(crate) visited: Visited,
    /// Overflow segment, where splitting cannot help any more.
    pub(crate) next: Option<Segment<M>>,
    pub(crate) fill: u16,
    pub(crate) dead: u16,
    pub(crate) capacity: u16,
    pub(crate) len: u16,
    pub(crate) depth: u8,
    pub(crate) class: u8,
    /// True if this is an overflow segment.
    pub(crate) overflow: bool,
    pub(crate) meta: M,
}

impl<M> Header<M> {
    /// Bytes of the heap that belong to records.
    pub(crate) fn live_bytes(&self) -> usize {
        usize::from(self.fill - self.dead)
    }
}

/// What stands at the base.
#[repr(C, align(64))]
pub(crate) struct Block<M> {
    pub(crate) buckets: [Bucket; BUCKETS],
    pub(crate) header: Header<M>,
}

/// The smallest class with room for `heap_bytes` of records.
pub(crate) fn class_for_heap<M>(heap_bytes: usize) -> Option<u8> {
    class_for(size_of::<Block<M>>() + heap_bytes)
}

/// Bytes for records in a block of `class`.
pub(crate) fn heap_capacity<M>(class: u8) -> usize {
    request_bytes(class) - size_of::<Block<M>>()
}

fn request(class: u8) -> Request {
    Request::from_size_align(request_bytes(class), ALIGNMENT).expect("a class is a valid size")
}

/// Owns a block.
pub(crate) struct Segment<M>(NonNull<Block<M>>);

// SAFETY: a segment owns its block alone, as a Box would.
unsafe impl<M: Send> Send for Segment<M> {}
// SAFETY: shared access gives only shared access to the meta and to bytes.
unsafe impl<M: Sync> Sync for Segment<M> {}

impl<M: Default> Segment<M> {
    /// An empty segment in a block of `class`.
    pub(crate) fn new(class: u8, prefix: u64, depth: u32) -> Self {
        const { assert!(align_of::<Block<M>>() == ALIGNMENT && size_of::<Block<M>>() <= 4096) };
        let capacity = heap_capacity::<M>(class);
        // SAFETY: the size is not 0.
        let start = unsafe { alloc_zeroed(request(class)) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(request(class)) };
        // SAFETY: capacity + size_of::<Block> is the size of the block, and capacity is a multiple of the
        // alignment as both of its terms are.
        let base = unsafe { start.add(capacity) }.cast::<Block<M>>();
        let header = Header {
            prefix,
            visited: Visited::default(),
            next: None,
            fill: 0,
            dead: 0,
            capacity: capacity as u16,
            len: 0,
            depth: depth as u8,
            class,
            overflow: false,
            meta: M::default(),
        };
        // SAFETY: inside the block, aligned; buckets are plain numbers for which all zeros is "empty".
        unsafe { (&raw mut (*base.as_ptr()).header).write(header) };
        Self(base)
    }
}

impl<M> Segment<M> {
    pub(crate) fn view(&self) -> View<'_, M> {
        // SAFETY: alive as long as self, and borrowed as self is.
        unsafe { View::from_raw(self.0) }
    }

    pub(crate) fn view_mut(&mut self) -> ViewMut<'_, M> {
        // SAFETY: alive as long as self, and borrowed exclusively as self is.
        unsafe { ViewMut::from_raw(self.0) }
    }

    /// Gives up ownership; `from_raw` takes it back.
    pub(crate) fn into_raw(self) -> NonNull<Block<M>> {
        std::mem::ManuallyDrop::new(self).0
    }

    /// # Safety
    /// `base` comes from `into_raw` and is taken back once.
    pub(crate) unsafe fn from_raw(base: NonNull<Block<M>>) -> Self {
        Self(base)
    }
}

impl<M> Drop for Segment<M> {
    fn drop(&mut self) {
        let mut next = self.view_mut().header_mut().next.take();
        while let Some(mut segment) = next {
            next = segment.view_mut().header_mut().next.take();
        }
        let (class, capacity) = (self.view().header().class, self.view().header().capacity);
        // SAFETY: this owner frees the block it allocated, with the same size, and its header is dropped
        // once.
        unsafe {
            (&raw mut (*self.0.as_ptr()).header).drop_in_place();
            dealloc(self.0.cast::<u8>().sub(usize::from(capacity)).as_ptr(), request(class));
        }
    }
}

impl<M: Default> ViewMut<'_, M> {
    /// A copy of this segment in a block of `class`, without dead bytes. Takes the meta and overflow segments
    /// along.
    pub(crate) fn resized<L: Layout<Meta = M>>(&mut self, class: u8) -> Segment<M> {
        let (prefix, depth) = (self.view().header().prefix, self.view().header().depth);
        let mut segment = Segment::new(class, prefix, u32::from(depth));
        let mut to = segment.view_mut();
        for index in 0..BUCKETS {
            // SAFETY: both are live buckets, and buckets are plain numbers.
            unsafe { std::ptr::copy_nonoverlapping(self.view().bucket(index), to.bucket_mut(index), 1) };
        }
        if self.view().header().dead == 0 {
            let fill = self.view().header().fill;
            to.heap_mut(fill, usize::from(fill)).copy_from_slice(self.heap_mut(fill, usize::from(fill)));
            to.header_mut().fill = fill;
        } else {
            self.copy_records::<L>(&mut to);
        }
        let (from, header) = (self.header_mut(), to.header_mut());
        header.visited = from.visited;
        header.next = from.next.take();
        header.len = from.len;
        header.meta = std::mem::take(&mut from.meta);
        segment
    }

    fn copy_records<L: Layout>(&mut self, to: &mut ViewMut<'_, M>) {
        let mut fill = 0;
        for bucket in 0..BUCKETS {
            for slot in ones(self.view().bucket(bucket).used()) {
                let record = self.view().record(bucket, slot);
                let len = L::record_len(record);
                fill += len as u16;
                to.heap_mut(fill, len).copy_from_slice(&record[..len]);
                to.bucket_mut(bucket).set_offset(slot, fill);
            }
        }
        to.header_mut().fill = fill;
    }
}
