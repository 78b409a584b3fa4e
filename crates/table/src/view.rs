//! Access to a segment: finding, placing and removing records in its buckets.
//!
//! Views borrow a live segment, as `&` and `&mut` would; they are pointers because the heap lies below the
//! base.

use crate::Layout;
use crate::bucket::{Bucket, Slot};
use crate::segment::{BUCKETS, Block, Header, LEN_MAX, Segment};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// Shared access to a segment.
pub(crate) struct View<'a, M> {
    base: NonNull<Block<M>>,
    life: PhantomData<&'a Block<M>>,
}

impl<M> Clone for View<'_, M> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for View<'_, M> {}

impl<'a, M> View<'a, M> {
    /// # Safety
    /// `base` is a live segment, and nobody has exclusive access to it, during 'a.
    #[inline]
    pub(crate) unsafe fn from_raw(base: NonNull<Block<M>>) -> Self {
        Self { base, life: PhantomData }
    }

    #[inline]
    pub(crate) fn base(self) -> NonNull<Block<M>> {
        self.base
    }

    #[inline]
    pub(crate) fn header(self) -> &'a Header<M> {
        // SAFETY: the segment is alive and shared during 'a.
        unsafe { &(*self.base.as_ptr()).header }
    }

    #[inline]
    pub(crate) fn bucket(self, index: usize) -> &'a Bucket {
        // SAFETY: as above.
        unsafe { &(&(*self.base.as_ptr()).buckets)[index % BUCKETS] }
    }

    /// Where the line of a bucket is, for a prefetch.
    #[inline]
    pub(crate) fn bucket_address(self, index: usize) -> *const u8 {
        self.base.as_ptr().cast::<u8>().wrapping_add(index * size_of::<Bucket>())
    }

    #[inline]
    pub(crate) fn header_address(self) -> *const u8 {
        self.base.as_ptr().cast::<u8>().wrapping_add(size_of::<[Bucket; BUCKETS]>())
    }

    /// Where the record at `offset` starts, for a prefetch.
    #[inline]
    pub(crate) fn record_address(self, offset: u16) -> *const u8 {
        self.base.as_ptr().cast::<u8>().wrapping_sub(usize::from(offset))
    }

    /// The record of a slot in use, and all that lies between it and the base.
    #[inline]
    pub(crate) fn record(self, bucket: usize, slot: usize) -> &'a [u8] {
        debug_assert!(self.bucket(bucket).used() >> slot & 1 == 1);
        let offset = usize::from(self.bucket(bucket).offset(slot));
        // SAFETY: offsets in buckets never exceed the fill, so the range is in the block, below the base; all
        // of a block is initialised; nobody writes to it during 'a.
        unsafe { std::slice::from_raw_parts(self.base.cast::<u8>().sub(offset).as_ptr(), offset) }
    }

    #[inline]
    pub(crate) fn next(self) -> Option<View<'a, M>> {
        let next = self.header().next.as_ref()?;
        Some(next.view())
    }

    /// The slot of the record of `key`, whose home is `home`, in this segment.
    #[inline]
    pub(crate) fn find<L: Layout<Meta = M>>(
        self,
        home: usize,
        tag: u8,
        key: &[u8],
    ) -> Option<(usize, usize)> {
        let bucket = self.bucket(home);
        let found = self.find_among::<L>(home, bucket.matches(tag) & bucket.own(), key);
        if found.is_some() || bucket.displaced == 0 { found } else { self.find_beside::<L>(home, tag, key) }
    }

    /// The same among those that are guests of the next bucket.
    fn find_beside<L: Layout>(self, home: usize, tag: u8, key: &[u8]) -> Option<(usize, usize)> {
        let beside = (home + 1) % BUCKETS;
        let bucket = self.bucket(beside);
        self.find_among::<L>(beside, bucket.matches(tag) & bucket.guests(), key)
    }

    #[inline(always)]
    fn find_among<L: Layout>(self, bucket: usize, slots: u32, key: &[u8]) -> Option<(usize, usize)> {
        let mut left = slots;
        while left != 0 {
            let slot = left.trailing_zeros() as usize;
            if same(L::key(self.record(bucket, slot)), key) {
                return Some((bucket, slot));
            }
            left &= left - 1;
        }
        None
    }

    /// Bucket, slots there and again for the bucket beside: all records whose home is `home`.
    pub(crate) fn at_home(self, home: usize) -> [(usize, u32); 2] {
        let beside = (home + 1) % BUCKETS;
        [(home, self.bucket(home).own()), (beside, self.bucket(beside).guests())]
    }
}

/// Equality of keys. They are short: words at a time beat a call to memcmp.
#[inline(always)]
fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if a.len() < 8 {
        return a.iter().zip(b).all(|(a, b)| a == b);
    }
    let word = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let last = a.len() - 8;
    let mut at = 0;
    while at < last {
        if word(a, at) != word(b, at) {
            return false;
        }
        at += 8;
    }
    word(a, last) == word(b, last)
}

/// Exclusive access to a segment.
pub(crate) struct ViewMut<'a, M> {
    base: NonNull<Block<M>>,
    life: PhantomData<&'a mut Block<M>>,
}

impl<'a, M> ViewMut<'a, M> {
    /// # Safety
    /// `base` is a live segment, and nobody else has access to it, during 'a.
    #[inline]
    pub(crate) unsafe fn from_raw(base: NonNull<Block<M>>) -> Self {
        Self { base, life: PhantomData }
    }

    #[inline]
    pub(crate) fn view(&self) -> View<'_, M> {
        View { base: self.base, life: PhantomData }
    }

    #[inline]
    pub(crate) fn header_mut(&mut self) -> &mut Header<M> {
        // SAFETY: the segment is alive and ours alone during 'a; the borrow is limited to that of self.
        unsafe { &mut (*self.base.as_ptr()).header }
    }

    #[inline]
    pub(crate) fn bucket_mut(&mut self, index: usize) -> &mut Bucket {
        // SAFETY: as above.
        unsafe { &mut (&mut (*self.base.as_ptr()).buckets)[index % BUCKETS] }
    }

    pub(crate) fn into_header(self) -> &'a mut Header<M> {
        // SAFETY: as above; self is used up.
        unsafe { &mut (*self.base.as_ptr()).header }
    }

    pub(crate) fn into_next(self) -> Option<ViewMut<'a, M>> {
        self.into_header().next.as_mut().map(Segment::view_mut)
    }

    /// The first `len` bytes of the record of a slot in use.
    #[inline]
    pub(crate) fn into_record(self, bucket: usize, slot: usize, len: usize) -> &'a mut [u8] {
        let offset = usize::from(self.view().bucket(bucket).offset(slot));
        assert!(len <= offset && self.view().bucket(bucket).is_used(slot));
        // SAFETY: as in `View::record`, and ours alone during 'a.
        unsafe { std::slice::from_raw_parts_mut(self.base.cast::<u8>().sub(offset).as_ptr(), len) }
    }

    /// The `len` bytes of the heap from `offset` below the base.
    #[inline]
    pub(crate) fn heap_mut(&mut self, offset: u16, len: usize) -> &mut [u8] {
        assert!(len <= usize::from(offset) && offset <= self.view().header().capacity);
        // SAFETY: inside the block, below the base, as asserted; initialised; ours alone.
        unsafe {
            std::slice::from_raw_parts_mut(self.base.cast::<u8>().sub(usize::from(offset)).as_ptr(), len)
        }
    }

    /// The record of `old_len` at `old` beside the bytes of a new one at `new`, lower in the heap.
    pub(crate) fn old_and_new(
        &mut self,
        old: u16,
        old_len: usize,
        new: u16,
        new_len: usize,
    ) -> (&[u8], &mut [u8]) {
        let lower = self.heap_mut(new, usize::from(new));
        let (fresh, above) = lower.split_at_mut(new_len);
        let at = usize::from(new - old) - new_len;
        (&above[at..at + old_len], fresh)
    }

    #[inline]
    pub(crate) fn has_heap_room(&self, len: usize) -> bool {
        let header = self.view().header();
        usize::from(header.capacity - header.fill) >= len
    }

    /// Room for a record of `len` bytes: its bucket, slot and offset. `None` if there is none in heap or
    /// buckets.
    #[inline]
    pub(crate) fn admit(&mut self, home: usize, tag: u8, len: usize) -> Option<(usize, usize, u16)> {
        if usize::from(self.view().header().len) >= LEN_MAX || !self.has_heap_room(len) {
            return None;
        }
        let offset = self.view().header().fill + len as u16;
        let (bucket, slot) = self.place(home, (tag, offset))?;
        let header = self.header_mut();
        header.fill = offset;
        header.len += 1;
        Some((bucket, slot, offset))
    }

    #[inline]
    fn place(&mut self, home: usize, record: Slot) -> Option<(usize, usize)> {
        if self.view().bucket(home).has_room() {
            return Some((home, self.bucket_mut(home).push_own(record)));
        }
        let beside = (home + 1) % BUCKETS;
        if !self.view().bucket(beside).has_room() {
            self.shift_from(home, beside)?;
        }
        self.bucket_mut(home).displaced += 1;
        Some((beside, self.bucket_mut(beside).push_guest(record)))
    }

    /// Makes room in the full bucket `from` by moving one record of each bucket from there to the next, up to
    /// the first with room. As a bucket with displaced records is always full, looking to that side only
    /// finds room whenever there is a placement at all.
    #[cold]
    fn shift_from(&mut self, home: usize, from: usize) -> Option<()> {
        let mut free = from;
        while !self.view().bucket(free).has_room() {
            if self.view().bucket(free).own_count() == 0 {
                return None;
            }
            free = (free + 1) % BUCKETS;
            if free == home {
                return None;
            }
        }
        while free != from {
            let before = (free + BUCKETS - 1) % BUCKETS;
            let record = self.bucket_mut(before).pop_own()?;
            self.bucket_mut(before).displaced += 1;
            self.bucket_mut(free).push_guest(record);
            free = before;
        }
        Some(())
    }

    /// Removes the record of `len` bytes of a slot in use.
    pub(crate) fn remove(&mut self, bucket: usize, slot: usize, len: usize) {
        self.forget(bucket, slot, len);
        self.draw_back(bucket);
    }

    /// Removes as `remove` does but leaves displaced records where they are; `draw_back` all buckets
    /// afterwards.
    pub(crate) fn forget(&mut self, bucket: usize, slot: usize, len: usize) {
        let offset = self.view().bucket(bucket).offset(slot);
        let header = self.header_mut();
        header.len -= 1;
        if header.len == 0 {
            (header.fill, header.dead) = (0, 0);
        } else if offset == header.fill {
            header.fill -= len as u16;
        } else {
            header.dead += len as u16;
        }
        if self.bucket_mut(bucket).take(slot) {
            self.bucket_mut(bucket + BUCKETS - 1).displaced -= 1;
        }
    }

    /// Fills room in a bucket with what was displaced from it, then the room that leaves, and so on.
    pub(crate) fn draw_back(&mut self, bucket: usize) {
        let mut bucket = bucket % BUCKETS;
        loop {
            let beside = (bucket + 1) % BUCKETS;
            let mut drawn = false;
            while self.view().bucket(bucket).displaced > 0 && self.view().bucket(bucket).has_room() {
                let record =
                    self.bucket_mut(beside).pop_guest().expect("displaced records are guests beside");
                self.bucket_mut(bucket).displaced -= 1;
                self.bucket_mut(bucket).push_own(record);
                drawn = true;
            }
            if !drawn {
                return;
            }
            bucket = beside;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn same_compares_every_byte() {
        let text: Vec<u8> = (0..40).collect();
        for len in 0..=40 {
            assert!(same(&text[..len], &text.clone()[..len]));
            for at in 0..len {
                let mut other = text[..len].to_vec();
                other[at] ^= 1;
                assert!(!same(&text[..len], &other), "{len} {at}");
            }
        }
        assert!(!same(b"abc", b"abcd"));
    }
}
