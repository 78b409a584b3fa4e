//! Vectors of one kind, a row for each slot, and how far they are from a query, by ones and by fours.

use crate::Space;
use crate::kernel::{Line, prefetch};
use crate::rows::{Grow, Rows};
use crate::space::{Head, Prepared, Ray};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// Lines of a row that are asked for by themselves. The processor guesses that the following ones will be wanted.
const LINES_AHEAD: usize = 4;
/// So many rows are looked up at once. A multiple of four.
const SOME: usize = 32;

/// Rows of one kind.
pub(crate) struct Plane {
    pub space: Space,
    rows: Rows,
    /// Of codes factor and square as f32, else the factor as f64.
    heads: Option<Grow<AtomicU32>>,
}

impl Plane {
    pub(crate) fn new(space: Space) -> Plane {
        let heads = space.has_heads().then(|| Grow::new(2));
        Plane { rows: Rows::new(space.lines()), heads, space }
    }

    /// Makes a place for a slot; gives the bytes that were allocated.
    pub(crate) fn make(&self, slot: u32) -> usize {
        self.rows.make(slot) + self.heads.as_ref().map_or(0, |heads| heads.make(slot))
    }

    /// As [`Grow::free_chunk`].
    pub(crate) fn free_chunk(&mut self) -> Option<usize> {
        self.rows.free_chunk().or_else(|| self.heads.as_mut()?.free_chunk())
    }

    /// Writes a vector whose place has been made.
    ///
    /// # Safety
    ///
    /// As [`Rows::write`] says.
    pub(crate) unsafe fn write(&self, slot: u32, vector: &Prepared) {
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
        for some in slots.chunks(SOME) {
            self.some(query, some, &mut each);
        }
    }

    /// The same for up to [`SOME`] slots.
    #[inline(always)]
    fn some(&self, query: Ray, slots: &[u32], each: &mut impl FnMut(u32, f64)) {
        let mut rows: [&[Line]; SOME] = [&[]; SOME];
        for (row, slot) in rows.iter_mut().zip(slots) {
            *row = self.rows.row(*slot);
            row.iter().take(LINES_AHEAD).for_each(|line| prefetch(std::slice::from_ref(line)));
        }
        // The last four are filled up by repeating the last one.
        let (Some(last), Some(last_row)) = (slots.last(), slots.len().checked_sub(1).map(|at| rows[at]))
        else {
            return;
        };
        rows[slots.len()..slots.len().next_multiple_of(4)].fill(last_row);
        let (fours, _) = rows.as_chunks::<4>();
        for (at, some) in slots.chunks(4).enumerate() {
            if let [slot] = some {
                each(*slot, self.distance(query, *slot));
                break;
            }
            let mut four = [*last; 4];
            four[..some.len()].copy_from_slice(some);
            let next = if 4 * at + 4 < slots.len() { &fours[at + 1] } else { &fours[at] };
            let distances = self.space.four(query, &fours[at], self.heads(&four), next);
            some.iter().zip(distances).for_each(|(slot, distance)| each(*slot, distance));
        }
    }
}
