//! Entries in a row, two to a cache line.

use super::entry::Entry;
use std::ops::{Index, IndexMut};

/// Entries of a cache line.
pub(super) const LINE_ENTRIES: usize = 2;

#[repr(align(64))]
#[derive(Clone, Copy, Default)]
struct Line([Entry; LINE_ENTRIES]);

const _: () = assert!(size_of::<Line>() == 64);

#[derive(Default)]
pub(super) struct Slots(Vec<Line>);

impl Slots {
    /// So many free ones, which are a multiple of [`LINE_ENTRIES`].
    pub fn new(len: usize) -> Self {
        debug_assert!(len.is_multiple_of(LINE_ENTRIES));
        Self(vec![Line::default(); len / LINE_ENTRIES])
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.0.len() * LINE_ENTRIES
    }

    /// Heap bytes held.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Line>()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().flat_map(|line| &line.0)
    }

    /// The first slot of the line that a hash says, which is where its entry stands, or behind it. In the order of the lower halves of
    /// hashes, so that what grows is copied from front to back. There must be slots.
    #[inline]
    pub fn home(&self, hash: u64) -> usize {
        ((u64::from(hash as u32) * self.0.len() as u64) >> 32) as usize * LINE_ENTRIES
    }

    /// The line that a hash says.
    #[inline]
    pub fn line(&self, hash: u64) -> *const u8 {
        let line = self.0.get(self.home(hash) / LINE_ENTRIES);
        line.map_or(std::ptr::null(), |line| std::ptr::from_ref(line).cast())
    }

    #[inline]
    pub fn next(&self, at: usize) -> usize {
        if at + 1 == self.len() { 0 } else { at + 1 }
    }

    /// How many slots `to` is behind `from`.
    pub fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.len() - from }
    }
}

impl Index<usize> for Slots {
    type Output = Entry;

    #[inline]
    fn index(&self, at: usize) -> &Entry {
        &self.0[at / LINE_ENTRIES].0[at % LINE_ENTRIES]
    }
}

impl IndexMut<usize> for Slots {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut Entry {
        &mut self.0[at / LINE_ENTRIES].0[at % LINE_ENTRIES]
    }
}
