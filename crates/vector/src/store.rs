//! Where vectors lie: a slot for each, and whose they are.
//!
//! A store is shared by one owner, who writes, and any number of those who search. The owner writes a slot before anybody can know of
//! it, and writes it again only when nobody can know of it any more (see [`crate::pins`]).
//!
//! What a walk goes by may be less than the vector: codes beside it, or of f32 the upper halves (see [`crate::halves`]), which are a part of it.

use crate::halves;
use crate::kernel::Line;
use crate::plane::Plane;
use crate::rows::{Grow, ITEMS_MAX, Rows};
use crate::space::{Prepared, Ray};
use crate::{Element, Error, LABEL_MAX, Metric, Space};
use std::borrow::Cow;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Release};

/// By how much at most an upper half is less than the number, as a share of it.
const HALF_SHARE: f64 = 1.0 / 128.0;

/// Where a vector is, as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// What a walk goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The vectors as they are.
    Vectors,
    /// The upper halves, if vectors have some and take no more memory for it.
    Halves,
    /// Codes of a byte for each element, beside the vectors.
    Codes,
}

/// Where the vectors are, as they were sent.
enum Kept {
    /// In the plane that is walked.
    There,
    /// In a plane of their own.
    Apart(Box<Plane>),
    /// The upper halves in the plane that is walked, the lower ones here.
    Lower(Box<Rows>),
}

/// The vectors of an index, as those see them who search.
pub(crate) struct Store {
    pub space: Space,
    walked: Plane,
    kept: Kept,
    /// One more than the label, 0 if the slot is empty.
    labels: Grow<AtomicU32>,
    /// No slot from here on has ever been used.
    end: AtomicU32,
}

impl Store {
    pub(crate) fn new(space: Space, by: By) -> Result<Store, Error> {
        // Bytes and bits are as short as codes of them would be.
        let has_codes = by == By::Codes && space.element().sent_bytes(1) > 1 && !space.element().is_code();
        let has_halves =
            by == By::Halves && space.element() == Element::F32 && halves::are_worth_it(space.lines());
        let like = |element| Space::new(element, space.metric(), space.dimension()).map(Plane::new);
        let (walked, kept) = if has_codes {
            (like(Element::Q8)?, Kept::Apart(Box::new(Plane::new(space.clone()))))
        } else if has_halves {
            (like(Element::Bf16)?, Kept::Lower(Box::new(Rows::new(halves::lines(space.lines())))))
        } else {
            (Plane::new(space.clone()), Kept::There)
        };
        Ok(Store { space, walked, kept, labels: Grow::new(1), end: AtomicU32::new(0) })
    }

    /// As [`Grow::free_chunk`].
    pub(crate) fn free_chunk(&mut self) -> Option<usize> {
        let kept = match &mut self.kept {
            Kept::There => None,
            Kept::Apart(plane) => plane.free_chunk(),
            Kept::Lower(lower) => lower.free_chunk(),
        };
        kept.or_else(|| self.walked.free_chunk()).or_else(|| self.labels.free_chunk())
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
        &self.walked
    }

    /// How precisely [`Store::walked`] tells distances.
    pub(crate) fn by(&self) -> By {
        match self.kept {
            Kept::There => By::Vectors,
            Kept::Lower(_) => By::Halves,
            Kept::Apart(_) => By::Codes,
        }
    }

    /// What stands for a vector that has been checked in [`Store::walked`]; `None` if it does so itself.
    pub(crate) fn stand_in(&self, sent: &[u8], vector: &Prepared) -> Option<Prepared> {
        match self.kept {
            Kept::There => None,
            Kept::Apart(_) => Some(self.walked.space.code(&self.space.element().numbers(sent))),
            Kept::Lower(_) => {
                let [lines, _] = halves::split(&vector.lines);
                Some(Prepared { lines, head: vector.head })
            }
        }
    }

    /// How far a query reaches in [`Store::walked`].
    pub(crate) fn reach(&self, query: &Prepared) -> Reach {
        let by_halves = self.by() == By::Halves;
        let numbers = by_halves.then(|| self.space.element().numbers(Line::bytes(&query.lines)));
        let length = numbers.map(|numbers| numbers.iter().map(|it| it * it).sum::<f64>().sqrt());
        Reach { length, metric: self.space.metric() }
    }

    /// The vector in a slot as it was sent; `room` is where it is put together if need be.
    fn ray<'a>(&'a self, slot: u32, room: &'a mut Vec<Line>) -> Ray<'a> {
        match &self.kept {
            Kept::There => self.walked.ray(slot),
            Kept::Apart(plane) => plane.ray(slot),
            Kept::Lower(lower) => {
                let upper = self.walked.ray(slot);
                room.resize(self.space.lines(), Line::ZERO);
                halves::join(upper.lines, lower.row(slot), room);
                Ray { lines: room, head: upper.head }
            }
        }
    }

    /// Whether [`Store::vector`] gives back what was sent, byte by byte.
    pub(crate) fn keeps_what_was_sent(&self) -> bool {
        !self.space.element().is_code()
    }

    /// What a client has sent; of codes, what they stand for.
    pub(crate) fn vector(&self, slot: u32) -> Vec<u8> {
        self.space.restore(self.ray(slot, &mut Vec::new()))
    }

    /// What a client has sent, or its code if that is all there is.
    pub(crate) fn kept(&self, slot: u32) -> Cow<'_, [u8]> {
        match &self.kept {
            Kept::There => Cow::Borrowed(self.space.kept(self.walked.ray(slot))),
            Kept::Apart(plane) => Cow::Borrowed(self.space.kept(plane.ray(slot))),
            Kept::Lower(_) => Cow::Owned(self.vector(slot)),
        }
    }

    /// How far the vector in a slot is from a query, as precisely as elements allow.
    pub(crate) fn distance(&self, query: Ray, slot: u32) -> f64 {
        self.space.distance(query, self.ray(slot, &mut Vec::new()))
    }

    /// How far a vector is from others.
    pub(crate) fn distances(&self, slot: u32, others: impl Iterator<Item = u32>) -> Vec<(Slot, f64)> {
        let mut room = Vec::new();
        let query = self.ray(slot, &mut room);
        others.map(|other| (Slot(other), self.distance(query, other))).collect()
    }

    /// Calls `each` with how far every one of `slots` is from a query, as precisely as elements allow.
    pub(crate) fn each(&self, query: Ray, slots: &[u32], mut each: impl FnMut(u32, f64)) {
        match &self.kept {
            Kept::There => self.walked.each(query, slots, each),
            Kept::Apart(plane) => plane.each(query, slots, each),
            Kept::Lower(lower) => {
                let mut room = Vec::new();
                for slot in slots {
                    lower.prefetch(*slot);
                    self.walked.prefetch(*slot);
                }
                for slot in slots {
                    each(*slot, self.space.distance(query, self.ray(*slot, &mut room)));
                }
            }
        }
    }
}

/// Up to which distance in [`Store::walked`] those may be that are within a radius. Of halves it is known how much their distances
/// may differ; of codes it is not, nor of inner products of vectors that are much longer than the query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// The query's, if it goes by halves.
    length: Option<f64>,
    metric: Metric,
}

impl Reach {
    /// That distance for a radius.
    pub(crate) fn of(self, radius: f64) -> f64 {
        let Some(length) = self.length else { return radius };
        match self.metric {
            Metric::L2 => {
                (radius.max(0.0).sqrt() + HALF_SHARE * (2.0 * length + radius.max(0.0).sqrt())).powi(2)
            }
            Metric::Ip => radius + 2.0 * HALF_SHARE * length * length,
            Metric::Cosine => radius + 2.0 * HALF_SHARE,
        }
    }

    /// Whether nobody within a radius is farther than [`Reach::of`] says.
    pub(crate) fn is_certain(self) -> bool {
        self.length.is_some() && self.metric != Metric::Ip
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
        let vector = store.space.prepare(sent)?;
        let stand_in = store.stand_in(sent, &vector);
        let slot = self.next(store)?;
        self.free.pop();
        self.place(store, slot);
        // SAFETY: the slot has never been used or is free. Slots become free when nobody can know of them any more, and nobody has them
        // on loan; who learns of this one does so by its label or by a link, which are stored afterwards, and loaded with Acquire.
        unsafe {
            store.walked.write(slot, stand_in.as_ref().unwrap_or(&vector));
            match &store.kept {
                Kept::There => {}
                Kept::Apart(plane) => plane.write(slot, &vector),
                Kept::Lower(lower) => lower.write(slot, Line::bytes(&halves::split(&vector.lines)[1])),
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
        self.bytes += store.walked.make(slot) + store.labels.make(slot);
        self.bytes += match &store.kept {
            Kept::There => 0,
            Kept::Apart(plane) => plane.make(slot),
            Kept::Lower(lower) => lower.make(slot),
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use base::random::Random;

    #[test]
    fn what_is_within_a_radius_is_within_reach_by_halves() {
        for metric in [Metric::L2, Metric::Cosine] {
            let space = Space::new(Element::F32, metric, 32).unwrap();
            let (store, mut slots) = (Store::new(space, By::Halves).unwrap(), Slots::default());
            assert_eq!(store.by(), By::Halves);
            let mut random = Random::from_seed(4);
            for label in 0..500 {
                let spread = [1e-3, 0.1, 1.0, 50.0][random.index(4)];
                let mut near = |number: f64| {
                    Element::F32.numbers(&Element::F32.bytes(&[number + spread * (random.unit_f64() - 0.5)]))
                        [0]
                };
                let query: Vec<f64> = (0..32).map(|at| near(f64::from(at) - 11.3)).collect();
                let other: Vec<f64> = query.iter().map(|it| near(*it)).collect();
                let [query, sent] = [query, other].map(|it| Element::F32.bytes(&it));
                let slot = slots.put(&store, label, &sent).unwrap();
                assert_eq!(store.vector(slot), sent);
                let query_as_kept = store.space.prepare(&query).unwrap();
                let stand_in = store.stand_in(&query, &query_as_kept).unwrap();
                let exact = store.distance(query_as_kept.ray(), slot);
                let walked = store.walked().distance(stand_in.ray(), slot);
                let reach = store.reach(&query_as_kept).of(exact.max(0.0));
                assert!(walked <= reach, "{metric:?}: {walked} beyond {reach} for {exact}");
                assert!(reach <= exact * 2.0 + 3.0, "{metric:?}: {reach} for {exact}");
            }
        }
    }
}
