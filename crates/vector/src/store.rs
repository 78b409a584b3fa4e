//! Where vectors lie: one row for each slot, and whose they are.
//!
//! A store is shared by one owner, who writes, and any number of those who search. The owner writes a row before anybody can know of its
//! slot, and writes it again only when nobody can know of it any more (see [`crate::pins`]).

use crate::kernel::{Line, prefetch};
use crate::rows::{Grow, ITEMS_MAX, Rows};
use crate::space::{Head, Prepared, Ray};
use crate::{Error, LABEL_MAX, Space};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Lines of a row that are asked for by themselves.
const LINES_AHEAD: usize = 4;

/// Where a vector is, as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// Rows of one kind.
pub(crate) struct Plane {
    pub space: Space,
    rows: Rows,
    /// Of codes factor and square as f32, else the factor as f64.
    heads: Option<Grow<AtomicU32>>,
}

impl Plane {
    fn new(space: Space) -> Plane {
        let heads = space.has_heads().then(|| Grow::new(2));
        Plane { rows: Rows::new(space.lines()), heads, space }
    }

    fn make(&self, slot: u32) -> usize {
        self.rows.make(slot) + self.heads.as_ref().map_or(0, |heads| heads.make(slot))
    }

    /// # Safety
    ///
    /// As [`Rows::write`] says.
    unsafe fn write(&self, slot: u32, vector: &Prepared) {
        // SAFETY: the caller's promise.
        unsafe { self.rows.write(slot, Line::bytes(&vector.lines)) };
        if let Some(heads) = &self.heads {
            let words = if self.space.element().is_code() {
                [vector.head.factor, vector.head.square].map(|it| (it as f32).to_bits())
            } else {
                let bits = vector.head.factor.to_bits();
                [bits as u32, (bits >> 32) as u32]
            };
            heads.get(slot).iter().zip(words).for_each(|(place, word)| place.store(word, Relaxed));
        }
    }

    #[inline(always)]
    fn head(&self, slot: u32) -> Head {
        let Some(heads) = &self.heads else { return Head { factor: 1.0, square: 0.0 } };
        let words = heads.get(slot);
        let (first, second) = (words[0].load(Relaxed), words[1].load(Relaxed));
        if self.space.element().is_code() {
            return Head { factor: f32::from_bits(first).into(), square: f32::from_bits(second).into() };
        }
        Head { factor: f64::from_bits(u64::from(first) | u64::from(second) << 32), square: 0.0 }
    }

    /// The vector in a slot.
    #[inline(always)]
    pub(crate) fn ray(&self, slot: u32) -> Ray<'_> {
        Ray { lines: self.rows.row(slot), head: self.head(slot) }
    }

    /// How far the vector in a slot is from a query.
    #[inline]
    pub(crate) fn distance(&self, query: Ray, slot: u32) -> f64 {
        self.space.distance(query, self.ray(slot))
    }

    #[inline(always)]
    fn rows(&self, slots: &[u32; 4]) -> [&[Line]; 4] {
        let [a, b, c, d] = *slots;
        [self.rows.row(a), self.rows.row(b), self.rows.row(c), self.rows.row(d)]
    }

    #[inline(always)]
    fn heads(&self, slots: &[u32; 4]) -> [Head; 4] {
        let [a, b, c, d] = *slots;
        [self.head(a), self.head(b), self.head(c), self.head(d)]
    }

    /// How far four vectors are from a query.
    #[inline]
    pub(crate) fn four(&self, query: Ray, slots: &[u32; 4]) -> [f64; 4] {
        let rows = self.rows(slots);
        self.space.four(query, &rows, self.heads(slots), &rows)
    }

    /// Asks for the vector in a slot.
    #[inline(always)]
    pub(crate) fn prefetch(&self, slot: u32) {
        // The processor guesses that the following lines will be wanted.
        self.rows.row(slot).iter().take(LINES_AHEAD).for_each(|line| prefetch(std::slice::from_ref(line)));
        if let Some(heads) = &self.heads {
            prefetch(heads.get(slot));
        }
    }

    /// The same as [`Plane::each`] for slots that mostly follow one another: memory is read in one stream, which the processor itself
    /// sees coming better than it can be told.
    #[inline(always)]
    pub(crate) fn each_in_order(&self, query: Ray, slots: &[u32], mut each: impl FnMut(u32, f64)) {
        for slot in slots {
            each(*slot, self.distance(query, *slot));
        }
    }

    /// Calls `each` with how far every one of `slots` is from a query; while some are looked at, the next ones are on their way.
    #[inline(always)]
    pub(crate) fn each(&self, query: Ray, slots: &[u32], mut each: impl FnMut(u32, f64)) {
        let (fours, rest) = slots.as_chunks::<4>();
        // What is left over becomes four by repeating the last one, unless it is one.
        let last = match *rest {
            [a, b] => Some([a, b, b, b]),
            [a, b, c] => Some([a, b, c, c]),
            _ => None,
        };
        let mut rows = fours.first().or(last.as_ref()).map(|four| self.rows(four));
        let all = fours.iter().chain(&last);
        for (four, following) in all.clone().zip(all.map(Some).skip(1).chain([None])) {
            let Some(now) = rows else { break };
            rows = following.map(|four| self.rows(four));
            let heads = self.heads(four);
            let distances = self.space.four(query, &now, heads, rows.as_ref().unwrap_or(&now));
            for (at, (slot, distance)) in four.iter().zip(distances).enumerate() {
                if at == 0 || *slot != four[at - 1] {
                    each(*slot, distance);
                }
            }
        }
        if let [slot] = *rest {
            each(slot, self.distance(query, slot));
        }
    }
}

/// The vectors of an index, as those see them who search.
pub(crate) struct Store {
    /// As they were sent.
    pub full: Plane,
    /// Codes that stand for them, if a graph is to be walked by codes.
    pub codes: Option<Plane>,
    /// One more than the label, 0 if the slot is empty.
    labels: Grow<AtomicU32>,
    /// No slot from here on has ever been used.
    end: AtomicU32,
}

impl Store {
    pub(crate) fn new(space: Space, codes: Option<Space>) -> Store {
        let (full, codes) = (Plane::new(space), codes.map(Plane::new));
        Store { full, codes, labels: Grow::new(1), end: AtomicU32::new(0) }
    }

    /// The label of a slot that has a vector.
    #[inline]
    pub(crate) fn label(&self, slot: u32) -> Option<u32> {
        if slot >= self.end() {
            return None;
        }
        self.labels.get(slot)[0].load(Acquire).checked_sub(1)
    }

    #[inline]
    pub(crate) fn end(&self) -> u32 {
        self.end.load(Acquire)
    }

    /// What a walk goes by.
    #[inline(always)]
    pub(crate) fn walked(&self) -> &Plane {
        self.codes.as_ref().unwrap_or(&self.full)
    }
}

/// What the owner knows of the slots of a store.
#[derive(Default)]
pub(crate) struct Slots {
    /// Those that have been used and can be used again.
    free: Vec<u32>,
    /// How many have a vector.
    pub len: usize,
    /// Bytes of the store's arrays.
    bytes: usize,
}

impl Slots {
    /// Bytes of the store's arrays and of this.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.free.capacity() * size_of::<u32>()
    }

    /// The slot that the next vector would get.
    pub(crate) fn next(&self, store: &Store) -> Result<u32, Error> {
        match self.free.last() {
            Some(slot) => Ok(*slot),
            None if store.end() < ITEMS_MAX => Ok(store.end()),
            None => Err(Error::Full),
        }
    }

    /// Puts a vector into the slot that [`Slots::next`] named.
    pub(crate) fn put(&mut self, store: &Store, label: u32, sent: &[u8]) -> Result<u32, Error> {
        if label == LABEL_MAX {
            return Err(Error::Label);
        }
        let vector = store.full.space.prepare(sent)?;
        let code = store.codes.as_ref().map(|codes| (codes, code(store, codes, sent)));
        let slot = self.next(store)?;
        self.free.pop();
        self.place(store, slot);
        // SAFETY: the slot has never been used or is free. Slots become free when nobody can know of them any more; who learns of
        // this one does so by its label or by a link, which are stored afterwards, and loaded with Acquire.
        unsafe {
            store.full.write(slot, &vector);
            if let Some((codes, code)) = &code {
                codes.write(slot, code);
            }
        }
        store.labels.get(slot)[0].store(label + 1, Release);
        self.len += 1;
        Ok(slot)
    }

    /// Makes a place for a slot.
    fn place(&mut self, store: &Store, slot: u32) {
        if slot < store.end() {
            return;
        }
        self.bytes += store.full.make(slot) + store.labels.make(slot);
        self.bytes += store.codes.as_ref().map_or(0, |codes| codes.make(slot));
        store.end.store(slot + 1, Release);
    }

    /// Whatever is in the slot is not found any more. It is not free yet.
    pub(crate) fn forget(&mut self, store: &Store, slot: u32) -> Result<(), Error> {
        store.label(slot).ok_or(Error::NoSuchSlot)?;
        store.labels.get(slot)[0].store(0, Release);
        self.len -= 1;
        Ok(())
    }

    /// A forgotten slot may be used again: nobody who searches can know of it any more.
    pub(crate) fn release(&mut self, slot: u32) {
        self.free.push(slot);
    }
}

/// The code of a vector that has been checked.
fn code(store: &Store, codes: &Plane, sent: &[u8]) -> Prepared {
    let sent = store.full.space.element().numbers(sent);
    codes.space.code(&sent)
}
