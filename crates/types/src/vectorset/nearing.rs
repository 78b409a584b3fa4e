//! A search for what is near, in steps.
//!
//! Between steps it holds nothing: vectors that it may still look at stay where they are (`vector`'s pins), whatever becomes of the set. What is
//! removed meanwhile is not found, what is added may be. Callers that want one moment see to it that the set does not change.

use super::{EACH_MAX, Hit, VectorSet, Wanted};
use crate::vectorset::Vector;
use std::cell::Cell;
use vector::{EF_MAX, Found, Search, Slot, Wish};

/// Distances that are computed between two looks whether the filter has had enough.
const DISTANCES_AT_ONCE: usize = 256;
/// So many elements are passed over in the time of one distance.
const ELEMENTS_PER_DISTANCE: usize = 16;

/// A search that has begun.
pub struct Nearing {
    vector: Vector,
    query: Vec<u8>,
    wish: Wish,
    effort: Option<usize>,
    /// How many have been asked by the filter.
    asked: Cell<usize>,
    state: State,
}

enum State {
    /// Every element is to be looked at: those from this number on are still to be gathered.
    Gathering(usize, Vec<Slot>),
    Searching(Box<Search>),
    /// What was found, and that of it whose distance is known as precisely as can be.
    Found(std::vec::IntoIter<Found>, Vec<Hit>),
    Nothing,
}

impl VectorSet {
    /// Begins to look for the elements nearest to a vector.
    pub fn begin_nearest(&self, vector: Vector, wanted: &Wanted) -> Nearing {
        let count = wanted.count.min(self.len());
        let query = self.shape.quant.sent(&vector.kept(), self.shape.dimension);
        let wish = Wish::Nearest { k: count.max(1), ef: Some(wanted.ef.max(count).clamp(1, EF_MAX)) };
        let effort = wanted.effort.unwrap_or(usize::MAX);
        let looks_at_each =
            wanted.exact || wanted.effort.is_some() && self.with_attributes <= effort.min(EACH_MAX);
        let state = match (count, looks_at_each) {
            (0, _) => State::Nothing,
            (_, true) => State::Gathering(0, Vec::new()),
            (_, false) => {
                let mut reader = self.reader.borrow_mut();
                let reader = reader.get_or_insert_with(|| self.graph.reader());
                let search = reader.search(&query, wish, wanted.effort.is_some());
                State::Searching(Box::new(search.expect("the vector and the wish were checked")))
            }
        };
        // Who looks at each asks each.
        let effort = wanted.effort.map(|effort| if looks_at_each { usize::MAX } else { effort });
        Nearing { vector, query, wish, effort, asked: Cell::new(0), state }
    }

    /// The elements nearest to a vector, nearest first, of those equally near the one with the lower number. `passes`: by its attributes.
    pub fn nearest(&self, vector: &Vector, wanted: &Wanted, passes: &dyn Fn(&[u8]) -> bool) -> Vec<Hit> {
        let mut nearing = self.begin_nearest(vector.clone(), wanted);
        let mut distances = usize::MAX;
        while !nearing.step(self, &mut distances, passes) {}
        nearing.finish()
    }
}

impl Nearing {
    /// Goes on until about so many distances have been computed, which are taken off; whether it has come to its end.
    pub fn step(&mut self, set: &VectorSet, distances: &mut usize, passes: &dyn Fn(&[u8]) -> bool) -> bool {
        loop {
            if let State::Found(found, _) = &self.state
                && found.as_slice().is_empty()
            {
                return true;
            }
            if *distances == 0 {
                return false;
            }
            match &mut self.state {
                State::Nothing => return true,
                State::Found(found, hits) => {
                    let some = found.by_ref().take(DISTANCES_AT_ONCE.min(*distances));
                    *distances -= some.len();
                    hits.extend(some.filter_map(|found| set.hit(&self.vector.kept(), found.label)));
                }
                State::Gathering(from, slots) => {
                    let most = DISTANCES_AT_ONCE.min(*distances) * ELEMENTS_PER_DISTANCE;
                    // Callers may have let it become smaller.
                    let rest = set.entries.get(*from..).unwrap_or_default();
                    let some = &rest[..rest.len().min(most)];
                    let is_filtered = self.effort.is_some();
                    let wanted = some.iter().flatten().filter(|it| !is_filtered || it.attributes.is_some());
                    slots.extend(wanted.map(|it| it.slot));
                    *from += some.len();
                    *distances = distances.saturating_sub(some.len() / ELEMENTS_PER_DISTANCE + 1);
                    if *from >= set.entries.len() {
                        let slots = std::mem::take(slots);
                        self.state =
                            State::Searching(Box::new(set.search_among(&self.query, self.wish, slots)));
                    }
                }
                State::Searching(search) => {
                    let (effort, asked) = (self.effort, &self.asked);
                    let is_spent = || effort.is_some_and(|effort| asked.get() >= effort);
                    let passes = |number: u32| {
                        if effort.is_none() {
                            return true;
                        }
                        if is_spent() {
                            return false;
                        }
                        asked.set(asked.get() + 1);
                        set.attributes(number).is_some_and(passes)
                    };
                    let before = search.distances();
                    let is_over = search.step(DISTANCES_AT_ONCE.min(*distances), passes);
                    *distances = distances.saturating_sub((search.distances() - before).max(1));
                    if is_over {
                        self.end_search(set);
                    } else if is_spent() {
                        search.end_walk();
                    }
                }
            }
        }
    }

    fn end_search(&mut self, set: &VectorSet) {
        if let State::Searching(search) = std::mem::replace(&mut self.state, State::Nothing) {
            let mut reader = set.reader.borrow_mut();
            let found = reader.as_mut().map_or_else(Vec::new, |reader| reader.finish(*search));
            self.state = State::Found(found.into_iter(), Vec::new());
        }
    }

    /// What has been found of what was still there, in no order; all steps must be done.
    pub fn into_hits(self) -> Vec<Hit> {
        if let State::Found(_, hits) = self.state { hits } else { Vec::new() }
    }

    /// As [`Nearing::into_hits`], the nearest first.
    pub fn finish(self) -> Vec<Hit> {
        let mut hits = self.into_hits();
        hits.sort_by(Hit::compare);
        hits
    }
}

impl VectorSet {
    fn search_among(&self, query: &[u8], wish: Wish, slots: Vec<Slot>) -> Search {
        let mut reader = self.reader.borrow_mut();
        let reader = reader.get_or_insert_with(|| self.graph.reader());
        reader.search_among(query, wish, slots).expect("the vector and the wish were checked")
    }
}
