//! 16 KiB of entries of keys whose hashes begin alike: open addressing in place. To remember a read touches one cache line, or the other one of its pair, which processors
//! bring along.

use super::entry::{Entry, Id};

/// Entries of a cache line.
const LINE_ENTRIES: usize = 4;
const LINES: usize = 256;
pub(super) const SLOTS: usize = LINES * LINE_ENTRIES;
/// Entries beyond which there is no room: one of four slots stays free, so that what is looked for is on its line or the other of the pair.
pub(super) const ENTRIES_MAX: usize = SLOTS / 4 * 3;

#[repr(align(64))]
#[derive(Clone, Copy, Default)]
struct Line([Entry; LINE_ENTRIES]);

const _: () = assert!(size_of::<Line>() == 64);

type Lines = [Line; LINES];

pub(super) struct Page {
    /// An entry stands on the line that its hash says, or, if that was full, on the other one of the pair, or in the pairs behind; behind the last is the first.
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

    /// The line that a hash says, by bits that pages do not look at.
    #[inline]
    fn home(hash: u64) -> usize {
        hash as usize % LINES
    }

    /// The lines where an entry may stand, in the order in which they are looked at.
    #[inline]
    fn behind(home: usize, step: usize) -> usize {
        match step {
            0 | 1 => home ^ step,
            _ => ((home & !1) + step) % LINES,
        }
    }

    /// Where a look-up begins.
    #[inline]
    pub fn line(&self, hash: u64) -> *const u8 {
        std::ptr::from_ref(&self.lines[Self::home(hash)]).cast()
    }

    #[inline]
    pub fn entry(&self, at: usize) -> &Entry {
        &self.lines[at / LINE_ENTRIES % LINES].0[at % LINE_ENTRIES]
    }

    #[inline]
    pub fn entry_mut(&mut self, at: usize) -> &mut Entry {
        &mut self.lines[at / LINE_ENTRIES % LINES].0[at % LINE_ENTRIES]
    }

    /// The slot of a key, or the free one where it would stand. There is a free one.
    #[inline]
    pub fn slot_of(&self, id: Id) -> Slot {
        let (home, mut step) = (Self::home(id.hash), 0);
        loop {
            let line = Self::behind(home, step);
            let entries = &self.lines[line].0;
            // All of the line are compared, which is quicker than to stop where nobody can foresee.
            let (mut found, mut free) = (0_u32, 0_u32);
            for (at, entry) in entries.iter().enumerate() {
                found |= u32::from(entry.id() == id && !entry.is_free()) << at;
                free |= u32::from(entry.is_free()) << at;
            }
            let first = line * LINE_ENTRIES;
            if found != 0 {
                return Slot::Taken(first + found.trailing_zeros() as usize);
            }
            if free != 0 {
                return Slot::Free(first + free.trailing_zeros() as usize);
            }
            step += 1;
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

    /// Frees a slot, and moves those up that stand elsewhere for want of theirs.
    pub fn remove(&mut self, at: usize) -> Entry {
        let removed = *self.entry(at);
        let mut free = at;
        while let Some(other) = self.displaced_from(free) {
            *self.entry_mut(free) = *self.entry(other);
            free = other;
        }
        *self.entry_mut(free) = Entry::default();
        self.len -= 1;
        removed
    }

    /// The slot of an entry that would stand in this one, were it not taken.
    fn displaced_from(&self, taken: usize) -> Option<usize> {
        let (line, pair) = (taken / LINE_ENTRIES, taken / (2 * LINE_ENTRIES));
        let other = (line ^ 1) * LINE_ENTRIES;
        // Those from other pairs look at the even line first.
        let passes = |home: usize| home == line || line.is_multiple_of(2) && home / 2 != pair;
        let has_passed =
            |at: &usize| !self.entry(*at).is_free() && passes(Self::home(self.entry(*at).hash()));
        if let found @ Some(_) = (other..other + LINE_ENTRIES).find(has_passed) {
            return found;
        }
        for step in 0..LINES / 2 {
            let first = (pair + step) * 2 * LINE_ENTRIES % SLOTS;
            let mut has_free = false;
            for at in (first..first + 2 * LINE_ENTRIES).filter(|at| *at != taken) {
                let entry = self.entry(at);
                has_free |= entry.is_free();
                let from = (pair + step + LINES / 2 - Self::home(entry.hash()) / 2) % (LINES / 2);
                if !entry.is_free() && step > 0 && from >= step {
                    return Some(at);
                }
            }
            // Nothing goes by where there is room.
            if has_free {
                return None;
            }
        }
        None
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
