//! One search among the vectors of a field, in steps.

use super::DISTANCE_FUEL;
use super::field::{Store, VectorField};
use super::neighbours::Neighbours;
use super::options::Policy;
use super::parts::{Part, Wish};
use crate::DocumentId;
use roaring::RoaringBitmap;
use std::collections::HashSet;
use vector::{FlatSearch, Search};

/// Of a shard's vectors so many times fewer must pass that each of those is looked up instead of all in order.
const FLAT_SHARE: usize = 8;

/// A search that is under way.
pub(super) struct Running {
    search: Kind,
    filter: Option<RoaringBitmap>,
    /// How many vectors are looked for. Grows if documents have several.
    vectors: usize,
    each: bool,
}

enum Kind {
    Nothing,
    Flat(Box<FlatSearch>),
    Graph(Box<Search>),
}

/// Whether it takes less to look at each of `passing` documents' vectors than to walk the graph. If shards share it, as many are taken to pass
/// elsewhere, in proportion.
pub(super) fn should_look_at_each(field: &VectorField, part: &Part, passing: usize) -> bool {
    let Wish::Nearest { k, ef, policy, .. } = part.wish else { return false };
    let Store::Graph(handle) = &field.store else { return false };
    match policy {
        Some(Policy::Each) => true,
        Some(Policy::Walk) => false,
        None => {
            let mut handle = handle.borrow_mut();
            let reader = handle.reader();
            let ef = ef.unwrap_or(reader.parameters().ef_runtime).max(k);
            let share = reader.slots() as f64 / field.len().max(1) as f64;
            reader.should_look_at_each((passing as f64 * share.max(1.0)) as usize, ef)
        }
    }
}

impl Running {
    /// Begins. `filter` says which documents pass; with `each` their vectors are looked at one by one, which are then all of this shard.
    pub fn new(field: &VectorField, part: &Part, filter: Option<RoaringBitmap>, each: bool) -> Self {
        let vectors = match part.wish {
            Wish::Nearest { k, .. } => k,
            Wish::Within { .. } => usize::MAX,
        };
        let mut running = Self { search: Kind::Nothing, filter, vectors, each };
        running.begin(field, part);
        running
    }

    fn begin(&mut self, field: &VectorField, part: &Part) {
        let is_empty = self.filter.as_ref().is_some_and(RoaringBitmap::is_empty);
        if self.vectors == 0 || is_empty {
            return;
        }
        let checked = "the query's vector has been checked";
        self.search = match &field.store {
            Store::Flat(flat) => {
                let search = match part.wish {
                    Wish::Nearest { .. } => flat.nearest(&part.vector, self.vectors),
                    Wish::Within { radius, .. } => flat.within(&part.vector, radius),
                };
                let search = search.expect(checked);
                let few = |ids: &&RoaringBitmap| (ids.len() as usize).saturating_mul(FLAT_SHARE) < flat.len();
                Kind::Flat(Box::new(match self.filter.as_ref().filter(few) {
                    Some(ids) => search.among(field.slots_of(ids)),
                    None => search,
                }))
            }
            Store::Graph(handle) => {
                let wish = match part.wish {
                    Wish::Nearest { ef, .. } => vector::Wish::Nearest { k: self.vectors, ef },
                    Wish::Within { radius, epsilon } => vector::Wish::Within { radius, epsilon },
                };
                let each = self.filter.as_ref().filter(|_| self.each);
                let among = each.map(|ids| field.slots_of(ids));
                let mut handle = handle.borrow_mut();
                let reader = handle.reader();
                let search = match among {
                    Some(slots) => reader.search_among(&part.vector, wish, slots),
                    None => reader.search(&part.vector, wish, self.filter.is_some()),
                };
                Kind::Graph(Box::new(search.expect(checked)))
            }
        };
    }

    /// Goes on while `fuel` lasts. Gives what was found when that is all.
    pub fn step(&mut self, field: &VectorField, part: &Part, fuel: &mut usize) -> Option<Neighbours> {
        loop {
            if *fuel == 0 {
                return None;
            }
            let distances = (*fuel / DISTANCE_FUEL).max(1);
            let filter = self.filter.as_ref();
            let passes = |id: DocumentId| filter.is_none_or(|ids| ids.contains(id));
            let is_done = match (&mut self.search, &field.store) {
                (Kind::Flat(search), Store::Flat(flat)) => {
                    let rows = u32::try_from(distances).unwrap_or(u32::MAX);
                    let is_done = search.step(flat, rows, passes);
                    *fuel = if is_done { fuel.saturating_sub(1) } else { 0 };
                    is_done
                }
                (Kind::Graph(search), _) => {
                    let before = search.distances();
                    let is_done = search.step(distances, passes);
                    let used = (search.distances() - before).saturating_mul(DISTANCE_FUEL);
                    *fuel = if is_done { fuel.saturating_sub(used.max(1)) } else { 0 };
                    is_done
                }
                _ => true,
            };
            if !is_done {
                return None;
            }
            if let Some(found) = self.finish(field, part) {
                return Some(found);
            }
            // Several of the nearest vectors belong to one document: more are looked for.
            self.vectors = self.vectors.saturating_mul(2);
            self.begin(field, part);
        }
    }

    /// What was found; `None` if too few documents are among so many vectors.
    fn finish(&mut self, field: &VectorField, part: &Part) -> Option<Neighbours> {
        let found = match (std::mem::replace(&mut self.search, Kind::Nothing), &field.store) {
            (Kind::Flat(search), Store::Flat(flat)) => search.finish(flat),
            (Kind::Graph(search), Store::Graph(handle)) => handle.borrow_mut().reader().finish(*search),
            _ => Vec::new(),
        };
        let k = match part.wish {
            Wish::Nearest { k, .. } => k,
            Wish::Within { .. } => usize::MAX,
        };
        if found.len() >= self.vectors && self.vectors > 0 {
            let documents: HashSet<DocumentId> = found.iter().map(|found| found.label).collect();
            if documents.len() < k {
                return None;
            }
        }
        Some(Neighbours::new(found.into_iter().map(|found| (found.label, found.distance)).collect(), k))
    }
}
