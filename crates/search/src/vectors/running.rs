//! One search among the vectors of a field, in steps.

use super::FUEL_NS;
use super::field::{Store, VectorField};
use super::neighbours::Neighbours;
use super::options::Policy;
use super::parts::{Part, Wish};
use crate::DocumentId;
use roaring::RoaringBitmap;
use vector::{FlatSearch, Search};

/// If one of so many of a shard's documents passes, or fewer, their vectors are looked up one by one instead of all being looked at in order.
const FLAT_SHARE: usize = 8;

/// A search that is under way.
pub(super) struct Running {
    search: Kind,
    filter: Option<RoaringBitmap>,
    /// How many vectors are looked for. Grows if documents have several.
    vectors: usize,
}

enum Kind {
    Nothing,
    /// Vectors of a FLAT field in order.
    Flat(Box<FlatSearch>),
    /// A walk.
    Graph(Box<Search>),
    /// Documents that are left, whose vectors are looked at one by one, and the nearest up to there.
    Each(Box<roaring::bitmap::IntoIter>, Neighbours),
}

/// Whether it takes less to look at each of `passing` documents' vectors than to walk the graph. If shards share it, as many are taken to pass
/// elsewhere, in proportion.
pub(super) fn should_look_at_each(field: &VectorField, part: &Part, passing: usize) -> bool {
    let Wish::Nearest { k, ef, policy, .. } = part.wish else { return false };
    match (&field.store, policy) {
        (Store::Flat(_), _) => passing.saturating_mul(FLAT_SHARE) < field.len(),
        (Store::Graph(_), Some(policy)) => policy == Policy::Each,
        (Store::Graph(handle), None) => {
            let mut handle = handle.borrow_mut();
            let reader = handle.reader();
            let ef = ef.unwrap_or(reader.parameters().ef_runtime).max(k);
            let share = reader.slots() as f64 / field.len().max(1) as f64;
            // Finding a document's vector and comparing it takes about as long as a distance of a walk that asks a filter.
            reader.should_look_at_each((passing as f64 * share.max(1.0)) as usize, ef)
        }
    }
}

impl Part {
    /// How many documents are wanted.
    fn most(&self) -> usize {
        match self.wish {
            Wish::Nearest { k, .. } => k,
            Wish::Within { .. } => usize::MAX,
        }
    }
}

impl Running {
    /// Begins. `filter` says which documents pass.
    pub fn new(field: &VectorField, part: &Part, filter: Option<RoaringBitmap>) -> Self {
        let mut running = Self { search: Kind::Nothing, filter, vectors: part.most() };
        running.begin(field, part);
        running
    }

    /// Begins to look at each vector of these documents, which are all of this shard.
    pub fn each(part: &Part, documents: RoaringBitmap) -> Self {
        let search = Kind::Each(Box::new(documents.into_iter()), Neighbours::default());
        Self { search, filter: None, vectors: part.most() }
    }

    fn begin(&mut self, field: &VectorField, part: &Part) {
        let is_empty = self.filter.as_ref().is_some_and(RoaringBitmap::is_empty);
        if self.vectors == 0 || is_empty {
            return;
        }
        const CHECKED: &str = "the query's vector has been checked";
        self.search = match &field.store {
            Store::Flat(flat) => Kind::Flat(Box::new(match part.wish {
                Wish::Nearest { .. } => flat.nearest(&part.vector, self.vectors).expect(CHECKED),
                Wish::Within { radius, .. } => flat.within(&part.vector, radius).expect(CHECKED),
            })),
            Store::Graph(handle) => {
                let wish = match part.wish {
                    Wish::Nearest { ef, .. } => vector::Wish::Nearest { k: self.vectors, ef },
                    Wish::Within { radius, epsilon } => vector::Wish::Within { radius, epsilon },
                };
                let mut handle = handle.borrow_mut();
                let search = handle.reader().search(&part.vector, wish, self.filter.is_some());
                Kind::Graph(Box::new(search.expect(CHECKED)))
            }
        };
    }

    /// Goes on while `fuel` lasts. Gives what was found when that is all.
    pub fn step(&mut self, field: &VectorField, part: &Part, fuel: &mut usize) -> Option<Neighbours> {
        loop {
            if *fuel == 0 {
                return None;
            }
            let distances_per_fuel = (FUEL_NS / field.distance_ns()).max(1);
            let most = fuel.saturating_mul(distances_per_fuel);
            let filter = self.filter.as_ref();
            let passes = |id: DocumentId| filter.is_none_or(|ids| ids.contains(id));
            let (is_done, distances) = match (&mut self.search, &field.store) {
                (Kind::Flat(search), Store::Flat(flat)) => {
                    (search.step(flat, u32::try_from(most).unwrap_or(u32::MAX), passes), most)
                }
                (Kind::Graph(search), _) => {
                    let before = search.distances();
                    (search.step(most, passes), search.distances() - before)
                }
                (Kind::Each(documents, found), _) => {
                    let some: Vec<DocumentId> = documents.by_ref().take(most).collect();
                    let distances = field.distances(&part.vector, &some, part.most());
                    found.merge(Neighbours::new(distances, part.most()), part.most());
                    (documents.len() == 0, some.len())
                }
                _ => (true, 0),
            };
            *fuel = fuel.saturating_sub(distances / distances_per_fuel + 1);
            if !is_done {
                *fuel = 0;
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
            (Kind::Each(_, found), _) => return Some(found),
            _ => Vec::new(),
        };
        let may_be_more = found.len() >= self.vectors && self.vectors > 0;
        let found = found.into_iter().map(|found| (found.label, found.distance)).collect();
        let documents = Neighbours::new(found, part.most());
        (!may_be_more || documents.len() >= part.most()).then_some(documents)
    }
}
