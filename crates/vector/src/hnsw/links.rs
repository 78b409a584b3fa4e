//! Who is linked to whom. Rows of links have one size and are atomic: those who search read them while the owner changes them.
//!
//! A row is read up to the first 0; what stands there is one more than a slot. While a row is rewritten a reader may meet a link twice, or
//! miss one, but none of those that are *kept* (see `tree`): these stay where they stand as long as they are kept. Whatever would leave a gap before
//! one of them is replaced by a link to the slot itself. A link may lead to what has been deleted, until the next sweep has come by (see
//! `sweep`): such a vector is walked through and not found.

use crate::rows::Grow;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// The links of all slots on all levels.
pub(crate) struct Links {
    ground: Grow<AtomicU32>,
    /// Of each slot, one more than its row on level 1, or 0.
    first: Grow<AtomicU32>,
    /// One more than the row on the next level, or 0; then the links.
    upper: Grow<AtomicU32>,
    /// Where walks begin: the level, and one more than the slot.
    entry: AtomicU64,
}

/// With fewer links on the ground there would be no room for a tree with branches.
const GROUND_MIN: usize = 8;

/// How many links a row on the ground has.
pub(crate) fn ground_links(m: usize) -> usize {
    (2 * m).max(GROUND_MIN)
}

/// The link is kept.
const KEPT: u32 = 1 << 31;
/// The link is kept, and leads up the tree.
const UP: u32 = 1 << 30;
/// What is left is one more than a slot.
const SLOT: u32 = UP - 1;

/// A link, as its owner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub slot: u32,
    pub is_kept: bool,
    /// Whether it is kept, and leads up the tree.
    pub is_up: bool,
}

impl Link {
    fn read(place: &AtomicU32) -> Option<Link> {
        let bits = place.load(Acquire);
        let slot = (bits & SLOT).checked_sub(1)?;
        Some(Link { slot, is_kept: bits & KEPT != 0, is_up: bits & UP != 0 })
    }

    fn store(self, place: &AtomicU32) {
        let flags = if self.is_kept { KEPT } else { 0 } | if self.is_up { UP } else { 0 };
        place.store((self.slot + 1) | flags, Release);
    }
}

/// The slots that a row leads to, in order; perhaps its own.
#[inline(always)]
pub(crate) fn slots(row: &[AtomicU32]) -> impl Iterator<Item = u32> {
    row.iter().map_while(|link| (link.load(Acquire) & SLOT).checked_sub(1))
}

/// The links in the row of a slot.
pub(crate) fn links(row: &[AtomicU32], own: u32) -> impl Iterator<Item = Link> {
    row.iter().map_while(Link::read).filter(move |link| link.slot != own)
}

/// Fills a row that nobody can know of.
pub(crate) fn write(row: &[AtomicU32], slots: impl Iterator<Item = u32>) {
    let links = slots.map(|slot| slot + 1).chain(std::iter::repeat(0));
    row.iter().zip(links).for_each(|(place, link)| place.store(link, Release));
}

/// Changes the row of a slot: kept links that `stay` stay where they are, and `others` take the place of all the rest.
pub(crate) fn rewrite(
    row: &[AtomicU32],
    own: u32,
    stays: impl Fn(Link) -> bool,
    others: impl IntoIterator<Item = u32>,
) {
    let does_stay = |place: &AtomicU32| Link::read(place).is_some_and(|link| link.is_kept && stays(link));
    let staying = row.iter().rposition(does_stay).map_or(0, |last| last + 1);
    let mut others = others.into_iter();
    for (at, place) in row.iter().enumerate() {
        if at < staying && does_stay(place) {
            continue;
        }
        let link = match others.next() {
            Some(slot) => slot + 1,
            None if at < staying => own + 1,
            None => 0,
        };
        place.store(link, Release);
    }
}

/// Adds a link that was not there, if there is room without dropping another. Says whether there was.
pub(crate) fn add(row: &[AtomicU32], own: u32, link: Link) -> bool {
    let is_free = |place: &&AtomicU32| Link::read(place).is_none_or(|link| link.slot == own);
    row.iter().find(is_free).map(|place| link.store(place)).is_some()
}

/// Puts a link in the place of the one that leads to `old`, if there is one. Says whether there was.
pub(crate) fn exchange(row: &[AtomicU32], old: u32, link: Link) -> bool {
    let is_old = |place: &&AtomicU32| Link::read(place).is_some_and(|link| link.slot == old);
    row.iter().find(is_old).map(|place| link.store(place)).is_some()
}

impl Links {
    pub(crate) fn new(m: usize) -> Links {
        let (ground, first, upper) = (Grow::new(ground_links(m)), Grow::new(1), Grow::new(1 + m));
        Links { ground, first, upper, entry: AtomicU64::new(0) }
    }

    /// As [`Grow::free_chunk`].
    pub(crate) fn free_chunk(&mut self) -> Option<usize> {
        let upper = self.upper.free_chunk().or_else(|| self.first.free_chunk());
        upper.or_else(|| self.ground.free_chunk())
    }

    /// Where a walk begins: a slot and its level. `None` if nothing is linked.
    pub(crate) fn entry(&self) -> Option<(u32, usize)> {
        let entry = self.entry.load(Acquire);
        (entry as u32).checked_sub(1).map(|slot| (slot, (entry >> 32) as usize))
    }

    pub(crate) fn set_entry(&self, entry: Option<(u32, usize)>) {
        let entry = entry.map_or(0, |(slot, level)| (level as u64) << 32 | u64::from(slot + 1));
        self.entry.store(entry, Release);
    }

    /// The row of a slot on a level, if it reaches so high.
    #[inline(always)]
    pub(crate) fn row(&self, level: usize, slot: u32) -> Option<&[AtomicU32]> {
        if level == 0 {
            return Some(self.ground.get(slot));
        }
        let mut upper = self.first.get(slot)[0].load(Acquire);
        for _ in 1..level {
            upper = self.upper.get(upper.checked_sub(1)?)[0].load(Acquire);
        }
        Some(&self.upper.get(upper.checked_sub(1)?)[1..])
    }

    /// The row of a slot on the ground.
    #[inline(always)]
    pub(crate) fn ground(&self, slot: u32) -> &[AtomicU32] {
        self.ground.get(slot)
    }

    /// The highest level of a slot.
    pub(crate) fn level(&self, slot: u32) -> usize {
        let mut level = 0;
        let mut upper = self.first.get(slot)[0].load(Relaxed);
        while upper != 0 {
            level += 1;
            upper = self.upper.get(upper - 1)[0].load(Relaxed);
        }
        level
    }
}

/// What the owner knows of the places in [`Links`].
#[derive(Default)]
pub(crate) struct Places {
    /// Rows above the ground that can be used again.
    free: Vec<u32>,
    /// No row above the ground from here on has ever been used.
    end: u32,
    bytes: usize,
}

impl Places {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.free.capacity() * size_of::<u32>()
    }

    /// Makes rows for a slot, up to `level`.
    pub(crate) fn make(&mut self, links: &Links, slot: u32, level: usize) {
        self.bytes += links.ground.make(slot) + links.first.make(slot);
        let mut above = 0;
        for _ in 0..level {
            let row = self.free.pop().unwrap_or_else(|| {
                self.end += 1;
                self.bytes += links.upper.make(self.end - 1);
                self.end - 1
            });
            write(&links.upper.get(row)[1..], std::iter::empty());
            links.upper.get(row)[0].store(above, Release);
            above = row + 1;
        }
        links.first.get(slot)[0].store(above, Release);
    }

    /// Takes the rows of a slot back, which nobody can know of any more.
    pub(crate) fn release(&mut self, links: &Links, slot: u32) {
        write(links.ground.get(slot), std::iter::empty());
        let mut upper = links.first.get(slot)[0].swap(0, Relaxed);
        while upper != 0 {
            self.free.push(upper - 1);
            upper = links.upper.get(upper - 1)[0].load(Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_made_and_taken_back() {
        let (links, mut places) = (Links::new(4), Places::default());
        for slot in 0..100 {
            places.make(&links, slot, slot as usize % 4);
            for level in 0..=slot as usize % 4 {
                write(links.row(level, slot).unwrap(), 0..=level as u32);
            }
        }
        for slot in 0..100 {
            let top = slot as usize % 4;
            assert_eq!(links.level(slot), top);
            assert!(links.row(top + 1, slot).is_none());
            for level in 0..=top {
                let row = links.row(level, slot).unwrap();
                assert_eq!(row.len(), if level == 0 { 8 } else { 4 });
                assert!(slots(row).eq(0..=level as u32));
            }
        }
        let (end, bytes) = (places.end, places.bytes);
        (0..100).for_each(|slot| places.release(&links, slot));
        assert!(
            (0..100)
                .all(|slot| links.level(slot) == 0 && slots(links.row(0, slot).unwrap()).next().is_none())
        );
        (0..100).for_each(|slot| places.make(&links, slot, slot as usize % 4));
        assert_eq!((places.end, places.bytes), (end, bytes));
        assert!((0..100).all(|slot| {
            (0..=slot as usize % 4).all(|level| slots(links.row(level, slot).unwrap()).next().is_none())
        }));
    }

    #[test]
    fn the_entry_is_kept() {
        let links = Links::new(4);
        assert_eq!(links.entry(), None);
        links.set_entry(Some((0, 3)));
        assert_eq!(links.entry(), Some((0, 3)));
        links.set_entry(None);
        assert_eq!(links.entry(), None);
    }
}
