//! A bucket: one cache line that tells where 20 records are.
//!
//! Records whose home it is fill the slots from the front, guests (records whose home is the bucket before)
//! from the back. `displaced` counts the records whose home it is and that are guests of the next one.

pub(crate) const SLOTS: usize = 20;

/// A record as a bucket knows it: tag of its hash and distance below the segment's base.
pub(crate) type Slot = (u8, u16);

#[repr(C, align(64))]
pub(crate) struct Bucket {
    tags: [u8; SLOTS],
    own: u8,
    guests: u8,
    /// Records of this home in the next bucket.
    pub(crate) displaced: u8,
    /// 1 if records of this home may be in an overflow segment.
    pub(crate) overflowed: u8,
    offsets: [u16; SLOTS],
}

const _: () = assert!(size_of::<Bucket>() == 64);

impl Bucket {
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        usize::from(self.own + self.guests) < SLOTS
    }

    #[inline]
    pub(crate) fn own_count(&self) -> usize {
        usize::from(self.own)
    }

    /// Bit set of the slots in use by records of this home.
    #[inline]
    pub(crate) fn own(&self) -> u32 {
        (1 << self.own) - 1
    }

    /// Bit set of the slots in use by guests.
    #[inline]
    pub(crate) fn guests(&self) -> u32 {
        ((1 << self.guests) - 1) << (SLOTS - usize::from(self.guests))
    }

    #[inline]
    pub(crate) fn used(&self) -> u32 {
        self.own() | self.guests()
    }

    /// Whether the slot is in use.
    #[inline]
    pub(crate) fn is_used(&self, slot: usize) -> bool {
        slot < SLOTS && (slot < usize::from(self.own) || slot + usize::from(self.guests) >= SLOTS)
    }

    #[inline]
    pub(crate) fn offset(&self, slot: usize) -> u16 {
        self.offsets[slot]
    }

    #[inline]
    pub(crate) fn set_offset(&mut self, slot: usize, offset: u16) {
        self.offsets[slot] = offset;
    }

    pub(crate) fn get(&self, slot: usize) -> Slot {
        (self.tags[slot], self.offsets[slot])
    }

    /// Bit set of the slots with this tag. Bits from 20 on and of unused slots mean nothing.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub(crate) fn matches(&self, tag: u8) -> u32 {
        use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_load_si128, _mm_movemask_epi8, _mm_set1_epi8};
        let line: *const __m128i = std::ptr::from_ref(self).cast();
        // SAFETY: SSE2 is part of x86-64; a bucket is 64 bytes, aligned to 64, all initialised, so both loads
        // are inside.
        unsafe {
            let tag = _mm_set1_epi8(tag as i8);
            let front = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_load_si128(line), tag)) as u32;
            let back = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_load_si128(line.add(1)), tag)) as u32;
            front | back << 16
        }
    }

    #[cfg(target_arch = "aarch64")]
    #[inline]
    pub(crate) fn matches(&self, tag: u8) -> u32 {
        use std::arch::aarch64::{
            vaddv_u8, vand_u8, vceqq_u8, vdupq_n_u8, vget_high_u8, vget_low_u8, vld1_u8, vld1q_u8,
        };
        const BITS: [u8; 8] = [1, 2, 4, 8, 16, 32, 64, 128];
        let line: *const u8 = std::ptr::from_ref(self).cast();
        let last = self.tags[16..].iter().rev().fold(0, |set, &t| set << 1 | u32::from(t == tag));
        // SAFETY: NEON is part of the aarch64 baseline; the first 16 bytes of a bucket are tags.
        unsafe {
            let equal = vceqq_u8(vld1q_u8(line), vdupq_n_u8(tag));
            let bits = vld1_u8(BITS.as_ptr());
            let low = u32::from(vaddv_u8(vand_u8(vget_low_u8(equal), bits)));
            let high = u32::from(vaddv_u8(vand_u8(vget_high_u8(equal), bits)));
            low | high << 8 | last << 16
        }
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    #[inline]
    pub(crate) fn matches(&self, tag: u8) -> u32 {
        self.tags.iter().rev().fold(0, |set, &t| set << 1 | u32::from(t == tag))
    }

    /// Adds a record of this home. The bucket must have room.
    #[inline]
    pub(crate) fn push_own(&mut self, (tag, offset): Slot) -> usize {
        debug_assert!(self.has_room());
        let slot = usize::from(self.own);
        self.own += 1;
        (self.tags[slot], self.offsets[slot]) = (tag, offset);
        slot
    }

    /// Adds a guest. The bucket must have room; the one before counts it as displaced.
    #[inline]
    pub(crate) fn push_guest(&mut self, (tag, offset): Slot) -> usize {
        debug_assert!(self.has_room());
        self.guests += 1;
        let slot = SLOTS - usize::from(self.guests);
        (self.tags[slot], self.offsets[slot]) = (tag, offset);
        slot
    }

    /// Takes away the last record of this home, if it has one here.
    pub(crate) fn pop_own(&mut self) -> Option<Slot> {
        let slot = usize::from(self.own).checked_sub(1)?;
        self.own -= 1;
        Some(self.get(slot))
    }

    /// Takes away a guest, if there is one.
    pub(crate) fn pop_guest(&mut self) -> Option<Slot> {
        self.guests = self.guests.checked_sub(1)?;
        Some(self.get(SLOTS - 1 - usize::from(self.guests)))
    }

    /// Empties a slot in use by moving the last record of its kind there; true if a guest was removed.
    pub(crate) fn take(&mut self, slot: usize) -> bool {
        debug_assert!(self.used() >> slot & 1 == 1);
        let guest = slot >= usize::from(self.own);
        let last = if guest { self.pop_guest() } else { self.pop_own() };
        (self.tags[slot], self.offsets[slot]) = last.unwrap_or((0, 0));
        guest
    }
}

/// The positions of the bits set in `set`, from the lowest.
pub(crate) fn ones(set: u32) -> impl Iterator<Item = usize> {
    let mut left = set;
    std::iter::from_fn(move || {
        let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
        left &= left - 1;
        Some(bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Bucket {
        Bucket { tags: [0; SLOTS], own: 0, guests: 0, displaced: 0, overflowed: 0, offsets: [0; SLOTS] }
    }

    #[test]
    fn own_from_the_front_guests_from_the_back() {
        let mut bucket = empty();
        for n in 0..12 {
            assert_eq!(bucket.push_own((n, 100 + u16::from(n))), usize::from(n));
        }
        for n in 0..8 {
            assert_eq!(bucket.push_guest((n, 200 + u16::from(n))), 19 - usize::from(n));
        }
        assert!(!bucket.has_room());
        assert_eq!(bucket.used(), 0xf_ffff);
        assert_eq!(bucket.matches(3) & bucket.own(), 1 << 3);
        assert_eq!(bucket.matches(3) & bucket.guests(), 1 << 16);
        assert_eq!(bucket.matches(99) & bucket.used(), 0);
        assert!(!bucket.take(3));
        assert_eq!(bucket.get(3), (11, 111));
        assert!(bucket.take(16));
        assert_eq!(bucket.get(16), (7, 207));
        assert_eq!((bucket.own_count(), bucket.guests().count_ones()), (11, 7));
        assert_eq!(bucket.pop_own(), Some((10, 110)));
        assert_eq!(bucket.pop_guest(), Some((6, 206)));
    }

    #[test]
    fn matches_agree_with_a_plain_search() {
        let mut bucket = empty();
        for slot in 0..SLOTS {
            bucket.push_own(((slot % 7) as u8, 1));
        }
        for tag in 0..8u8 {
            let plain =
                (0..SLOTS).filter(|slot| (slot % 7) as u8 == tag).fold(0, |set, slot| set | 1 << slot);
            assert_eq!(bucket.matches(tag) & 0xf_ffff, plain);
        }
        assert_eq!(ones(0b1010_0001).collect::<Vec<_>>(), [0, 5, 7]);
    }
}
