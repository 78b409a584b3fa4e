//! Searches, in steps.
//!
//! A search looks through the tail, walks the graph, and compares what it has found by the vectors themselves if it went by codes. As long as
//! it lasts no slot is used again that it may know of. What comes or goes meanwhile may be found or not.

use super::walk::{Goal, Near, Walk};
use super::{Graph, Loan, Parameters};
use crate::pins::Pin;
use crate::space::{Prepared, Ray};
use crate::store::{By, Reach};
use crate::top::Top;
use crate::{EF_MAX, Error, Found, Slot, Space};
use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// More is not kept in order in an array; who wants so many has all vectors looked at.
const WALK_MAX: usize = 16_384;
/// If one of so many vectors on the way was removed, those are not kept. The second is for what a walk has met.
const REMOVED_SHARE: usize = 16;
const REMOVED_NEARBY_SHARE: usize = 8;
/// What goes by upper halves is compared by whole vectors up to so many beyond the k nearest, or half as many again.
const HALVES_MORE: usize = 5;
/// So many are compared by upper halves before the nearest of them are by whole vectors.
const SOME: usize = 64;
/// So many slots are passed over in the time of one distance.
const SLOTS_PER_DISTANCE: usize = 32;

/// One who searches, on one thread.
pub struct Reader {
    graph: Arc<Graph>,
    /// Walks that have ended; their memory is used again.
    walks: Vec<Walk>,
    /// Distances that a walk computes for each vector it keeps, on the average of late.
    distances_per_ef: f64,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wish {
    /// The `k` nearest. The walk keeps `ef` at a time, or as many as the index says; at least `k`.
    Nearest { k: usize, ef: Option<usize> },
    /// All within a radius. The walk goes on up to a share `epsilon` of it beyond, or as the index says.
    Within { radius: f64, epsilon: Option<f64> },
}

/// A search that has begun.
pub struct Search {
    graph: Arc<Graph>,
    _pin: Pin,
    query: Prepared,
    /// How far the query reaches by upper halves, once that is asked.
    reach: OnceCell<Reach>,
    /// What stands for it where walks go.
    stand_in: Option<Prepared>,
    wish: Wish,
    goal: Goal,
    phase: Phase,
    walk: Walk,
    /// Of what was compared by the vectors themselves.
    top: Top,
    /// What of the tail was looked at already. If it was linked meanwhile the walk meets it again.
    seen: Vec<u32>,
    /// The nearest of the tail by upper halves, nearest first, if the walk goes by those, too.
    unlinked: Vec<Near>,
    distances: usize,
}

enum Phase {
    /// The places of the tail that are left.
    Tail(std::ops::Range<u64>),
    Walk,
    /// What the walk has found is compared by the vectors themselves, from the how manieth on.
    Compare(Vec<u32>, usize),
    /// All slots from this one on are looked at, or those in the list.
    All(u32),
    Among(Vec<u32>, usize),
    Done,
}

impl Reader {
    pub(super) fn new(graph: Arc<Graph>) -> Reader {
        Reader { graph, walks: Vec::new(), distances_per_ef: 16.0 }
    }

    pub fn space(&self) -> &Space {
        &self.graph.store.space
    }

    pub fn parameters(&self) -> &Parameters {
        &self.graph.parameters
    }

    /// How many slots have ever been used: about as many as there are vectors.
    pub fn slots(&self) -> usize {
        self.graph.store.end() as usize
    }

    /// How many vectors are not linked yet.
    pub fn tail_len(&self) -> usize {
        self.graph.tail.len()
    }

    /// About how long a walk takes for a distance, ns: mostly waiting for memory, as seen with 41,000 rows of 6 to 24 lines
    /// (docs/decisions/vectors-in-halves.md).
    pub fn distance_ns(&self) -> usize {
        41 + self.graph.store.walked().space.lines() * 26 / 10
    }

    /// How far the vector in a slot is from a query; `None` if there is none.
    ///
    /// # Errors
    /// For a query that is not a vector of this space.
    pub fn distance(&self, query: &[u8], slot: Slot) -> Result<Option<f64>, Error> {
        let query = self.space().prepare(query)?;
        // What has a label now is not written again before this pin has gone.
        let _pin = self.graph.pins.pin();
        Ok(self.graph.store.label(slot.0).map(|_| self.graph.store.distance(query.ray(), slot.0)))
    }

    /// Whether a loan is of that slot of this graph.
    pub fn has_lent(&self, slot: Slot, loan: &Loan) -> bool {
        loan.is_of(&self.graph, slot.0)
    }

    /// Begins a search. `is_filtered` says whether the steps will let only some labels pass.
    pub fn search(&mut self, query: &[u8], wish: Wish, is_filtered: bool) -> Result<Search, Error> {
        let mut search = self.begin(query, wish)?;
        if let Goal::Nearest(ef) = search.goal {
            if ef > WALK_MAX {
                search.phase = Phase::All(0);
            } else if is_filtered || self.graph.has_many_removed() {
                search.goal = Goal::NearestThatPass(ef);
            }
        }
        Ok(search)
    }

    /// Begins to look at some slots only, each of them: for a filter that lets few pass.
    pub fn search_among(&mut self, query: &[u8], wish: Wish, slots: Vec<Slot>) -> Result<Search, Error> {
        let mut search = self.begin(query, wish)?;
        search.phase = Phase::Among(slots.into_iter().map(|slot| slot.0).collect(), 0);
        // No walk: it says nothing of what one without a filter computes.
        if let Goal::Nearest(ef) = search.goal {
            search.goal = Goal::NearestThatPass(ef);
        }
        Ok(search)
    }

    fn begin(&mut self, query: &[u8], wish: Wish) -> Result<Search, Error> {
        let parameters = &self.graph.parameters;
        let (mut goal, most) = match wish {
            Wish::Nearest { k, ef } => {
                let ef = ef.unwrap_or(parameters.ef_runtime);
                if k == 0 || !(1..=EF_MAX).contains(&ef) {
                    return Err(Error::Count);
                }
                (Goal::Nearest(ef.max(k)), k)
            }
            Wish::Within { radius, epsilon } => {
                let epsilon = epsilon.unwrap_or(parameters.epsilon);
                if !(radius >= 0.0 && epsilon >= 0.0) {
                    return Err(Error::Radius);
                }
                (Goal::Within { radius, epsilon }, usize::MAX)
            }
        };
        let store = &self.graph.store;
        let prepared = store.space.prepare(query)?;
        let stand_in = store.stand_in(query, &prepared);
        let reach = OnceCell::new();
        if let Goal::Within { radius, .. } = &mut goal {
            *radius = reach.get_or_init(|| store.reach(&prepared)).of(*radius);
        }
        Ok(Search {
            _pin: self.graph.pins.pin(),
            phase: Phase::Tail(self.graph.tail.places()),
            graph: Arc::clone(&self.graph),
            query: prepared,
            reach,
            stand_in,
            wish,
            goal,
            walk: self.walks.pop().unwrap_or_default(),
            top: Top::new(most),
            seen: Vec::new(),
            unlinked: Vec::new(),
            distances: 0,
        })
    }

    /// What a search has found, nearest first, without what has been removed meanwhile.
    pub fn finish(&mut self, search: Search) -> Vec<Found> {
        if let (Goal::Nearest(ef), Phase::Done) = (search.goal, &search.phase)
            && search.graph.store.by() != By::Codes
        {
            let ratio = search.distances as f64 / ef as f64;
            self.distances_per_ef += (ratio - self.distances_per_ef) / 32.0;
        }
        let Search { graph, top, walk, .. } = search;
        self.walks.push(walk);
        let found = |(slot, distance)| {
            let label = graph.store.label(slot)?;
            Some(Found { slot: Slot(slot), label, distance })
        };
        top.slots().filter_map(found).collect()
    }

    /// Searches in one go.
    pub fn nearest(&mut self, query: &[u8], k: usize, ef: Option<usize>) -> Result<Vec<Found>, Error> {
        let mut search = self.search(query, Wish::Nearest { k, ef }, false)?;
        while !search.step(usize::MAX, |_| true) {}
        Ok(self.finish(search))
    }

    /// Whether it is less work to look at each of `passing` vectors than to walk through all and let those pass. A walk that meets only a
    /// share `p` of what it could keep goes through `1 / p` times as many, so the two cross at `p = √(D / N)`, `D` being what a
    /// walk without a filter computes.
    pub fn should_look_at_each(&self, passing: usize, ef: usize) -> bool {
        let all = f64::from(self.graph.store.end());
        let unfiltered = self.distances_per_ef * ef as f64;
        (passing as f64) < (unfiltered * all).sqrt()
    }
}

impl Graph {
    /// Whether so much was removed that a walk that kept it would find too little else.
    fn has_many_removed(&self) -> bool {
        self.removed.load(Relaxed) as usize * REMOVED_SHARE > self.store.end() as usize
    }
}

impl Search {
    /// Distances computed so far.
    pub fn distances(&self) -> usize {
        self.distances
    }

    fn walked(&self) -> Ray<'_> {
        self.stand_in.as_ref().unwrap_or(&self.query).ray()
    }

    /// Goes on until about `budget` distances have been computed, keeping what `passes`. Says whether it has come to its end.
    pub fn step(&mut self, budget: usize, passes: impl Fn(u32) -> bool) -> bool {
        let mut left = budget.max(1);
        while left > 0 {
            let before = left;
            self.phase = match std::mem::replace(&mut self.phase, Phase::Done) {
                Phase::Tail(places) => self.look_at_tail(places, &mut left, &passes),
                Phase::Walk => self.walk_on(&mut left, &passes),
                Phase::Compare(slots, at) => {
                    let until = self.look_at(&slots, at, &mut left, &|_| true, false);
                    if until == slots.len() { Phase::Done } else { Phase::Compare(slots, until) }
                }
                Phase::Among(slots, at) => {
                    let until = self.look_at(&slots, at, &mut left, &passes, true);
                    if until == slots.len() { Phase::Done } else { Phase::Among(slots, until) }
                }
                Phase::All(next) => self.look_at_all(next, &mut left, &passes),
                Phase::Done => return true,
            };
            self.distances = self.distances.saturating_add(before - left);
        }
        matches!(self.phase, Phase::Done)
    }

    /// Ends the walk, if the search is at it: what it has found by now is what there is to find. For callers that have had enough.
    pub fn end_walk(&mut self) {
        if matches!(self.phase, Phase::Walk) {
            self.phase = self.compare_found(true, &|_| true);
        }
    }

    /// Keeps those of some slots that pass and are not too far. `sifts`: most of them may be far away.
    fn compare(&mut self, slots: &[u32], passes: &impl Fn(u32) -> bool, sifts: bool) {
        let graph = &self.graph;
        let limit = match self.wish {
            Wish::Within { radius, .. } => radius,
            Wish::Nearest { .. } => f64::INFINITY,
        };
        let is_wanted = |slot: &u32| graph.store.label(*slot).is_some_and(passes);
        let mut wanted: Vec<u32> = slots.iter().copied().filter(is_wanted).collect();
        if wanted.is_empty() {
            return;
        }
        let top = &mut self.top;
        let mut compare = |wanted: &[u32]| {
            graph.store.each(self.query.ray(), wanted, |slot, distance| {
                // NaN is not too far for who wants the nearest.
                if distance <= limit || limit == f64::INFINITY {
                    top.add(slot, distance);
                }
            });
            top.limit().unwrap_or(f64::INFINITY).min(limit)
        };
        let reach = || *self.reach.get_or_init(|| graph.store.reach(&self.query));
        let Some(stand_in) = self.stand_in.as_ref().filter(|_| sifts && reach().is_certain()) else {
            compare(&wanted);
            return;
        };
        let reach = reach();
        // Most of many need not be put together: it shows in their upper halves that they are too far.
        for some in wanted.chunks_mut(SOME) {
            let most = reach.of(compare(&[]));
            let mut near = 0;
            let mut places = [0; SOME];
            graph.store.walked().each(stand_in.ray(), some, |slot, distance| {
                places[near] = slot;
                near += usize::from(distance <= most || distance.is_nan());
            });
            compare(&places[..near]);
        }
    }

    fn look_at_tail(
        &mut self,
        mut places: std::ops::Range<u64>,
        left: &mut usize,
        passes: &impl Fn(u32) -> bool,
    ) -> Phase {
        let some: Vec<u32> =
            places.by_ref().take(*left).filter_map(|place| self.graph.tail.get(place)).collect();
        match self.most_by_halves() {
            Some(most) => self.sift_unlinked(&some, most, passes),
            None => {
                self.compare(&some, passes, true);
                self.seen.extend_from_slice(&some);
            }
        }
        *left = left.saturating_sub(some.len());
        if !places.is_empty() {
            return Phase::Tail(places);
        }
        // After the tail: what was linked meanwhile is found by its links.
        let Some(entry) = self.graph.links.entry() else { return self.compare_found(false, passes) };
        let mut walk = std::mem::take(&mut self.walk);
        walk.begin(&self.graph, self.walked(), entry, self.goal);
        self.walk = walk;
        self.seen.sort_unstable();
        Phase::Walk
    }

    /// How many of those that are nearest by upper halves are compared by whole vectors, if the search goes that way.
    fn most_by_halves(&self) -> Option<usize> {
        match (self.wish, self.graph.store.by()) {
            (Wish::Nearest { k, .. }, By::Halves) => Some(k.saturating_add(HALVES_MORE.max(k / 2))),
            _ => None,
        }
    }

    /// Keeps the nearest of these and of what has been kept of the tail, by upper halves: to put each of them together would take several times as long as the walk.
    fn sift_unlinked(&mut self, slots: &[u32], most: usize, passes: &impl Fn(u32) -> bool) {
        let store = &self.graph.store;
        let is_wanted = |slot: &u32| store.label(*slot).is_some_and(passes);
        let wanted: Vec<u32> = slots.iter().copied().filter(is_wanted).collect();
        let unlinked = &mut self.unlinked;
        let query = self.stand_in.as_ref().unwrap_or(&self.query).ray();
        store.walked().each(query, &wanted, |slot, distance| unlinked.push(Near::new(slot, distance)));
        unlinked.sort_unstable();
        let count = self.count_to_compare(&self.unlinked, most);
        self.unlinked.truncate(count);
    }

    /// How many of those that stand in their order by upper halves are to be compared by whole vectors: so many, and all that
    /// halves can hardly tell from the query.
    fn count_to_compare(&self, near: &[Near], most: usize) -> usize {
        let Wish::Nearest { k, .. } = self.wish else { return near.len() };
        let last = near.get(k.saturating_sub(1)).map(|near| near.distance());
        let reach = || *self.reach.get_or_init(|| self.graph.store.reach(&self.query));
        match last {
            Some(last)
                if near.len() > most && self.graph.store.by() == By::Halves && reach().is_certain() =>
            {
                let limit = reach().of(reach().of(last.min(reach().of(0.0))));
                near.partition_point(|near| near.distance() <= limit).max(most)
            }
            _ => near.len().min(most),
        }
    }

    fn walk_on(&mut self, left: &mut usize, passes: &impl Fn(u32) -> bool) -> Phase {
        let mut walk = std::mem::take(&mut self.walk);
        let is_over = walk.step(&self.graph, self.walked(), 0, left, passes);
        self.walk = walk;
        if !is_over {
            return Phase::Walk;
        }
        if let (Goal::Nearest(ef), Some(entry)) = (self.goal, self.graph.links.entry())
            && self.has_met_many_removed()
        {
            self.goal = Goal::NearestThatPass(ef);
            let mut walk = std::mem::take(&mut self.walk);
            walk.begin(&self.graph, self.walked(), entry, self.goal);
            self.walk = walk;
            return Phase::Walk;
        }
        self.compare_found(true, passes)
    }

    /// On to comparing what the walk has found, if there was one.
    fn compare_found(&self, has_walked: bool, passes: &impl Fn(u32) -> bool) -> Phase {
        let is_there = |near: &Near| self.graph.store.label(near.slot()).is_some_and(passes);
        let most = match (self.wish, self.most_by_halves()) {
            (_, Some(most)) => most,
            (Wish::Nearest { k, .. }, None) if self.graph.store.by() == By::Vectors => k,
            _ => usize::MAX,
        };
        let mut near: Vec<Near> = self.walk.found().filter(|_| has_walked).filter(is_there).collect();
        if !self.unlinked.is_empty() {
            // What was linked meanwhile may be among both, with distances that differ in their last digits.
            near.extend(self.unlinked.iter().filter(|near| is_there(near)));
            near.sort_unstable_by_key(|near| near.slot());
            near.dedup_by_key(|near| near.slot());
            near.sort_unstable();
        }
        near.truncate(self.count_to_compare(&near, most));
        let mut found: Vec<u32> = near.into_iter().map(Near::slot).collect();
        found.retain(|slot| self.seen.binary_search(slot).is_err());
        Phase::Compare(found, 0)
    }

    /// Whether what was removed took so many places in a walk that too few were left for the rest.
    fn has_met_many_removed(&self) -> bool {
        let k = match self.wish {
            Wish::Nearest { k, .. } => k,
            Wish::Within { .. } => 0,
        };
        if self.graph.removed.load(Relaxed) == 0 {
            return false;
        }
        let met = self.walk.found().count();
        let there = self.walk.found().filter(|near| self.graph.store.label(near.slot()).is_some()).count();
        (met - there) * REMOVED_NEARBY_SHARE > met || met > there && there < k
    }

    /// Compares what is in the list from `at` on; up to where. `sifts` as for [`Search::compare`].
    fn look_at(
        &mut self,
        slots: &[u32],
        at: usize,
        left: &mut usize,
        passes: &impl Fn(u32) -> bool,
        sifts: bool,
    ) -> usize {
        let until = slots.len().min(at.saturating_add(*left));
        self.compare(&slots[at..until], passes, sifts);
        *left -= until - at;
        until
    }

    fn look_at_all(&mut self, next: u32, left: &mut usize, passes: &impl Fn(u32) -> bool) -> Phase {
        let end = self.graph.store.end();
        let until = end.min(next.saturating_add(u32::try_from(*left).unwrap_or(u32::MAX)));
        let some: Vec<u32> = (next..until).filter(|slot| self.graph.store.label(*slot).is_some()).collect();
        self.compare(&some, passes, true);
        *left = left.saturating_sub(some.len() + (until - next) as usize / SLOTS_PER_DISTANCE);
        if until == end { Phase::Done } else { Phase::All(until) }
    }
}
