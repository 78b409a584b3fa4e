//! What has been added and is not linked yet: a queue in a ring, which every search looks through.
//!
//! The owner puts slots in at the end, links the first one and then moves the beginning on. Who reads an entry that has been used anew
//! meanwhile finds another vector that is there; the one that stood there before is linked by then.

use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};

pub(crate) struct Tail {
    /// One more than a slot. A power of two of them.
    ring: Box<[AtomicU32]>,
    begin: AtomicU64,
    end: AtomicU64,
}

impl Tail {
    /// Room for at least so many.
    pub(crate) fn new(most: usize) -> Tail {
        let ring = (0..most.next_power_of_two()).map(|_| AtomicU32::new(0)).collect();
        Tail { ring, begin: AtomicU64::new(0), end: AtomicU64::new(0) }
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.ring)
    }

    pub(crate) fn len(&self) -> usize {
        (self.end.load(Acquire) - self.begin.load(Acquire)) as usize
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() == self.ring.len()
    }

    /// The places that there are.
    pub(crate) fn places(&self) -> std::ops::Range<u64> {
        // In this order: what is linked between the two is found by its links.
        let begin = self.begin.load(Acquire);
        begin..self.end.load(Acquire)
    }

    pub(crate) fn get(&self, place: u64) -> Option<u32> {
        self.ring[place as usize % self.ring.len()].load(Acquire).checked_sub(1)
    }

    /// Appends a slot. For the owner alone, if it is not full.
    pub(crate) fn push(&self, slot: u32) {
        assert!(!self.is_full(), "a full tail is shortened first");
        let end = self.end.load(Acquire);
        self.ring[end as usize % self.ring.len()].store(slot + 1, Release);
        self.end.store(end + 1, Release);
    }

    pub(crate) fn first(&self) -> Option<u32> {
        let places = self.places();
        if places.is_empty() { None } else { self.get(places.start) }
    }

    /// Drops the first one. For the owner alone.
    pub(crate) fn pop(&self) {
        assert!(self.len() > 0, "only what is there can go");
        self.begin.fetch_add(1, Release);
    }

    pub(crate) fn contains(&self, slot: u32) -> bool {
        self.places().any(|place| self.get(place) == Some(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_in_first_out() {
        let tail = Tail::new(3);
        assert_eq!((tail.first(), tail.len()), (None, 0));
        for slot in 0..100 {
            tail.push(slot);
            tail.push(slot + 1000);
            assert_eq!(tail.first(), Some(slot));
            assert!(tail.contains(slot + 1000) && !tail.contains(7777));
            tail.pop();
            assert_eq!(tail.first(), Some(slot + 1000));
            tail.pop();
        }
        (0..4).for_each(|slot| tail.push(slot));
        assert!(tail.is_full());
        assert!(tail.places().filter_map(|place| tail.get(place)).eq(0..4));
    }
}
