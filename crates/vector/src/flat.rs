//! Exact search: every vector is looked at (FLAT).
//!
//! An index belongs to one shard. A search goes on in steps, between which vectors may come and go: what was there from its beginning to its
//! end is certainly seen.

use crate::space::Prepared;
use crate::store::{By, Slots, Store};
use crate::top::Top;
use crate::{Error, Found, Slot, Space};

/// So many rows are read in one go.
const SOME: usize = 256;

/// An index that is searched exactly.
pub struct Flat {
    store: Store,
    slots: Slots,
}

/// A search that has begun.
pub struct FlatSearch {
    query: Prepared,
    goal: Goal,
    /// What is looked at: these, or all.
    among: Option<Vec<u32>>,
    next: u32,
}

enum Goal {
    Nearest(Top),
    Within(f64, Vec<(u32, f64)>),
}

impl Flat {
    pub fn new(space: Space) -> Flat {
        let store = Store::new(space, By::Vectors).expect("the space is there");
        Flat { store, slots: Slots::default() }
    }

    pub fn space(&self) -> &Space {
        &self.store.space
    }

    pub fn len(&self) -> usize {
        self.slots.len
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        size_of::<Flat>() + self.slots.bytes()
    }

    /// About how long a search takes for a vector, ns: it reads them in one stream, at some 15 bytes a ns.
    pub fn distance_ns(&self) -> usize {
        10 + self.store.space.lines() * 4
    }

    /// Adds a vector as a client sent it.
    pub fn insert(&mut self, label: u32, sent: &[u8]) -> Result<Slot, Error> {
        self.slots.put(&self.store, label, sent).map(Slot)
    }

    /// Removes a vector; its slot will be used again.
    pub fn remove(&mut self, slot: Slot) -> Result<(), Error> {
        self.slots.forget(&self.store, slot.0)?;
        // Searches borrow the index for each step, and look slots up anew in the next.
        self.slots.release(slot.0);
        Ok(())
    }

    pub fn label(&self, slot: Slot) -> Option<u32> {
        self.store.label(slot.0)
    }

    /// Whether that is the vector under this label in a slot.
    pub fn holds(&self, slot: Slot, label: u32, sent: &[u8]) -> bool {
        self.store.label(slot.0) == Some(label) && *self.store.kept(slot.0) == *sent
    }

    /// The bytes that were sent; of codes, what they stand for.
    pub fn vector(&self, slot: Slot) -> Option<Vec<u8>> {
        self.store.label(slot.0)?;
        Some(self.store.vector(slot.0))
    }

    /// How far a vector is from a query, as precisely as its elements allow.
    pub fn distance(&self, query: &[u8], slot: Slot) -> Result<f64, Error> {
        let query = self.space().prepare(query)?;
        self.store.label(slot.0).ok_or(Error::NoSuchSlot)?;
        Ok(self.store.distance(query.ray(), slot.0))
    }

    /// Begins to look for the `k` nearest.
    pub fn nearest(&self, query: &[u8], k: usize) -> Result<FlatSearch, Error> {
        if k == 0 {
            return Err(Error::Count);
        }
        let query = self.space().prepare(query)?;
        Ok(FlatSearch { query, goal: Goal::Nearest(Top::new(k)), among: None, next: 0 })
    }

    /// Begins to look for all that are not farther than `radius`.
    pub fn within(&self, query: &[u8], radius: f64) -> Result<FlatSearch, Error> {
        if radius.is_nan() || radius < 0.0 {
            return Err(Error::Radius);
        }
        let query = self.space().prepare(query)?;
        Ok(FlatSearch { query, goal: Goal::Within(radius, Vec::new()), among: None, next: 0 })
    }
}

impl FlatSearch {
    /// Looks only at these slots, each of them: for a filter that lets few pass. To be said before the first step.
    pub fn among(mut self, slots: Vec<Slot>) -> FlatSearch {
        let mut slots: Vec<u32> = slots.into_iter().map(|slot| slot.0).collect();
        // In the order in which they lie in memory.
        slots.sort_unstable();
        self.among = Some(slots);
        self
    }

    /// Looks at up to `rows` more slots, of those whose labels pass. Says whether all have been seen.
    pub fn step(&mut self, index: &Flat, rows: u32, passes: impl Fn(u32) -> bool) -> bool {
        let store = &index.store;
        let end = self.among.as_ref().map_or(store.end(), |slots| slots.len() as u32);
        let until = end.min(self.next.saturating_add(rows.max(1)));
        let mut some = Vec::with_capacity(SOME);
        for at in self.next..until {
            let slot = self.among.as_ref().map_or(at, |slots| slots[at as usize]);
            if store.label(slot).is_some_and(&passes) {
                some.push(slot);
            }
            if some.len() == SOME || at + 1 == until {
                store
                    .walked()
                    .each_in_order(self.query.ray(), &some, |slot, distance| self.goal.add(slot, distance));
                some.clear();
            }
        }
        self.next = until;
        until == end
    }

    /// What has been found, nearest first, without what has been removed meanwhile.
    pub fn finish(self, index: &Flat) -> Vec<Found> {
        let slots: Vec<u32> = match self.goal {
            Goal::Nearest(top) => top.slots().map(|(slot, _)| slot).collect(),
            Goal::Within(_, found) => found.into_iter().map(|(slot, _)| slot).collect(),
        };
        let exact = |slot: u32| {
            let label = index.store.label(slot)?;
            Some(Found { slot: Slot(slot), label, distance: index.store.distance(self.query.ray(), slot) })
        };
        let mut found: Vec<Found> = slots.into_iter().filter_map(exact).collect();
        found.sort_by_key(|found| (crate::top::order_f64(found.distance), found.slot));
        found
    }
}

impl Goal {
    #[inline]
    fn add(&mut self, slot: u32, distance: f64) {
        match self {
            Goal::Nearest(top) => top.add(slot, distance),
            Goal::Within(radius, found) if distance <= *radius => found.push((slot, distance)),
            Goal::Within(..) => {}
        }
    }
}
