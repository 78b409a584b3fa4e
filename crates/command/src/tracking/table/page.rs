//! 16 KiB of entries of keys whose hashes begin alike: open addressing in place. To remember a read touches one cache line.

use super::entry::{Entry, Id};

/// Entries of a cache line.
const LINE_ENTRIES: usize = 4;
const LINES: usize = 256;
pub(super) const SLOTS: usize = LINES * LINE_ENTRIES;
/// Entries beyond which there is no room: one of four slots stays free, so that what is looked for is on its line or the next.
pub(super) const ENTRIES_MAX: usize = SLOTS / 4 * 3;

#[repr(align(64))]
#[derive(Clone, Copy, Default)]
struct Line([Entry; LINE_ENTRIES]);

const _: () = assert!(size_of::<Line>() == 64);

type Lines = [Line; LINES];

pub(super) struct Page {
    /// An entry stands on the line that its hash says or behind it; behind the last is the first.
    lines: Box<Lines>,
    len: u16,
    /// So many bits all hashes have in common.
    pub depth: u8,
    /// These, and zeros.
    pub prefix: u64,
}

/// Where an entry is, or would be.
#[derive(Clone, Copy)]
pub(super) enum Slot {
    Taken(usize),
    Free(usize),
}

impl Page {
    /// Heap bytes that each holds.
    pub const BYTES: usize = size_of::<Lines>();

    pub fn new(prefix: u64, depth: u8) -> Self {
        Self { lines: Box::new([Line::default(); LINES]), len: 0, depth, prefix }
    }

    /// Slots that are taken.
    #[inline]
    pub fn len(&self) -> usize {
        self.len.into()
    }

    /// The first slot of the line that a hash says, by bits that pages do not look at.
    #[inline]
    fn home(hash: u64) -> usize {
        hash as usize % LINES * LINE_ENTRIES
    }

    /// The line that a hash says.
    #[inline]
    pub fn line(&self, hash: u64) -> *const u8 {
        std::ptr::from_ref(&self.lines[hash as usize % LINES]).cast()
    }

    #[inline]
    pub fn entry(&self, at: usize) -> &Entry {
        &self.lines[at / LINE_ENTRIES % LINES].0[at % LINE_ENTRIES]
    }

    #[inline]
    pub fn entry_mut(&mut self, at: usize) -> &mut Entry {
        &mut self.lines[at / LINE_ENTRIES % LINES].0[at % LINE_ENTRIES]
    }

    #[inline]
    fn next(at: usize) -> usize {
        (at + 1) % SLOTS
    }

    /// The slot of a key, or the free one where it would stand. There is a free one.
    #[inline]
    pub fn slot_of(&self, id: Id) -> Slot {
        let mut at = Self::home(id.hash);
        loop {
            let entry = self.entry(at);
            if entry.id() == id && !entry.is_free() {
                return Slot::Taken(at);
            }
            if entry.is_free() {
                return Slot::Free(at);
            }
            at = Self::next(at);
        }
    }

    #[inline]
    pub fn has_room(&self) -> bool {
        self.len() < ENTRIES_MAX
    }

    /// Puts an entry into the free slot where it belongs.
    #[inline]
    pub fn enter(&mut self, at: usize, entry: Entry) {
        debug_assert!(self.has_room() && self.entry(at).is_free());
        *self.entry_mut(at) = entry;
        self.len += 1;
    }

    /// Puts in an entry that is not there; there is room.
    pub fn insert(&mut self, entry: Entry) {
        match self.slot_of(entry.id()) {
            Slot::Free(at) => self.enter(at, entry),
            Slot::Taken(_) => unreachable!("an entry stands in one place"),
        }
    }

    /// Frees a slot, and moves those up that stand behind it for want of theirs.
    pub fn remove(&mut self, at: usize) -> Entry {
        let removed = *self.entry(at);
        let distance = |from: usize, to: usize| (to + SLOTS - from) % SLOTS;
        let (mut free, mut at) = (at, at);
        loop {
            at = Self::next(at);
            let entry = *self.entry(at);
            if entry.is_free() {
                break;
            }
            if distance(Self::home(entry.hash()), at) >= distance(free, at) {
                *self.entry_mut(free) = entry;
                free = at;
            }
        }
        *self.entry_mut(free) = Entry::default();
        self.len -= 1;
        removed
    }

    /// Takes all entries out.
    pub fn drain(&mut self) -> impl Iterator<Item = Entry> + use<> {
        let lines = std::mem::replace(&mut *self.lines, [Line::default(); LINES]);
        self.len = 0;
        lines.into_iter().flat_map(|line| line.0).filter(|entry| !entry.is_free())
    }

    /// The slots that are taken.
    #[cfg(test)]
    pub fn taken(&self) -> impl Iterator<Item = usize> + '_ {
        (0..SLOTS).filter(|at| !self.entry(*at).is_free())
    }

    /// The first slot at a place or behind it that is taken. There must be one.
    pub fn taken_near(&self, at: usize) -> usize {
        let found = (at..at + SLOTS).map(|at| at % SLOTS).find(|at| !self.entry(*at).is_free());
        found.expect("the page is not empty")
    }
}
