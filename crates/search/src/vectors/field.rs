//! A VECTOR field of a shard's index: which vectors each document has, and where they are searched.

use super::registry::Graphs;
use crate::DocumentId;
use crate::by_id::ById;
use crate::error::{Code, Error};
use crate::schema::{Algorithm, Element, FieldNumber, Metric, VectorOptions};
use ahash::RandomState;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use vector::{Flat, Handle, Hnsw, Loan, Parameters, Slot, Space};

/// Degrees below make no graph.
const M_MIN: usize = 2;
/// What a document costs in the list of slots.
const DOCUMENT_BYTES: usize = ById::<Slot>::ENTRY_BYTES;

/// The vectors of a shard's documents.
pub(crate) struct VectorField {
    pub(super) store: Store,
    slots: DocumentSlots,
}

/// Where vectors are.
pub(super) enum Store {
    /// Those of this shard's documents.
    Flat(Box<Flat>),
    /// Those of all shards' documents. Searches take what a reader keeps between them.
    Graph(RefCell<Handle>),
}

impl std::fmt::Debug for VectorField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VectorField").field("documents", &self.len()).finish_non_exhaustive()
    }
}

/// The kind of a field's vectors.
pub(super) fn space(options: &VectorOptions) -> Space {
    let element = match options.element {
        Element::Float32 => vector::Element::F32,
        Element::Float64 => vector::Element::F64,
        Element::Float16 => vector::Element::F16,
        Element::Bfloat16 => vector::Element::Bf16,
        Element::Int8 => vector::Element::I8,
        Element::Uint8 => vector::Element::U8,
    };
    let metric = match options.metric {
        Metric::L2 => vector::Metric::L2,
        Metric::InnerProduct => vector::Metric::Ip,
        Metric::Cosine => vector::Metric::Cosine,
    };
    Space::new(element, metric, options.dimension).expect("the schema has checked the dimension")
}

/// An empty graph for a field. SVS-VAMANA is this graph, too, with codes of bytes if it asks for any compression.
pub(super) fn graph(options: &VectorOptions) -> Hnsw {
    let default = Parameters::default();
    let parameters = match options.algorithm {
        Algorithm::Hnsw { m, ef_construction, ef_runtime, epsilon } => {
            Parameters { m: m.max(M_MIN), ef_construction, ef_runtime, epsilon, ..default }
        }
        Algorithm::Vamana { compression, construction_window, degree, search_window, epsilon, .. } => {
            Parameters {
                // On the ground there are twice as many links.
                m: (degree / 2).max(M_MIN),
                ef_construction: construction_window,
                ef_runtime: search_window,
                epsilon,
                by_codes: compression.is_some(),
                ..default
            }
        }
        Algorithm::Flat { .. } => default,
    };
    Hnsw::new(space(options), parameters).expect("the schema has checked the parameters")
}

impl VectorField {
    /// A field without documents; `graphs` says with whom its graph is shared, if with anybody.
    pub fn new(field: FieldNumber, options: &VectorOptions, graphs: Option<&Graphs>) -> Self {
        let store = match (&options.algorithm, graphs) {
            (Algorithm::Flat { .. }, _) => Store::Flat(Box::new(Flat::new(space(options)))),
            (_, Some(graphs)) => Store::Graph(RefCell::new(graphs.get(field, options))),
            (_, None) => Store::Graph(RefCell::new(vector::Shared::new(graph(options)).handle())),
        };
        Self { store, slots: DocumentSlots::default() }
    }

    /// How many of the shard's documents have a vector.
    pub fn len(&self) -> usize {
        self.slots.documents()
    }

    /// Memory. A graph that shards share is counted by each with its part of the vectors.
    pub fn bytes(&self) -> usize {
        let own = self.slots.bytes();
        own + match &self.store {
            Store::Flat(flat) => flat.bytes(),
            Store::Graph(handle) => self.part_of(handle, Handle::bytes),
        }
    }

    /// How much of that is vectors on loan, for which their documents account as well.
    pub fn lent_bytes(&self) -> usize {
        match &self.store {
            Store::Flat(_) => 0,
            Store::Graph(handle) => self.part_of(handle, Handle::lent_bytes),
        }
    }

    /// This shard's part of what is counted of a graph.
    fn part_of(&self, handle: &RefCell<Handle>, count: impl Fn(&Handle) -> usize) -> usize {
        let handle = handle.borrow();
        let all = handle.len();
        if all == 0 { 0 } else { (count(&handle) as f64 * self.slots.vectors as f64 / all as f64) as usize }
    }

    /// About how long one distance takes in a search, ns.
    pub fn distance_ns(&self) -> usize {
        match &self.store {
            Store::Flat(flat) => flat.distance_ns(),
            Store::Graph(handle) => handle.borrow_mut().reader().distance_ns(),
        }
    }

    /// Whether vectors of the graph wait to be linked. Looks at no lock.
    pub fn has_work(&self) -> bool {
        matches!(&self.store, Store::Graph(handle) if handle.borrow().has_work())
    }

    /// Whether that is so much that those who write should wait. Looks at no lock.
    pub fn is_behind(&self) -> bool {
        matches!(&self.store, Store::Graph(handle) if handle.borrow().is_behind())
    }

    /// Links and repairs for about so many distances; says whether there is more to do.
    pub fn work(&self, distances: usize) -> bool {
        match &self.store {
            Store::Flat(_) => false,
            Store::Graph(handle) => handle.borrow().work(distances),
        }
    }

    /// Gives a document these vectors, which have been checked, instead of those it has. One that it has already stays where it is.
    ///
    /// # Errors
    /// There is no room. The document has no vectors then.
    pub fn put(&mut self, id: DocumentId, vectors: &[Cow<'_, [u8]>]) -> Result<(), Error> {
        let old = self.slots.take(id);
        let mut new = Vec::with_capacity(vectors.len());
        let mut is_full = false;
        for (at, vector) in vectors.iter().enumerate() {
            let done = match old.get(at) {
                Some(slot) => self.store.replace(*slot, id, vector),
                None => self.store.insert(id, vector),
            };
            match done {
                Ok(slot) => new.push(slot),
                Err(_) => {
                    is_full = true;
                    break;
                }
            }
        }
        let left = if is_full {
            new.len()..old.len().max(new.len())
        } else {
            vectors.len()..old.len().max(vectors.len())
        };
        left.filter_map(|at| old.get(at)).for_each(|slot| self.store.remove(*slot));
        if is_full {
            new.iter().for_each(|slot| self.store.remove(*slot));
            return Err(Error::new(Code::Generic, "Could not add vector: the index has no room left"));
        }
        self.slots.put(id, new);
        Ok(())
    }

    /// Takes a document's vectors out.
    pub fn remove(&mut self, id: DocumentId) {
        for slot in self.slots.take(id) {
            self.store.remove(slot);
        }
    }

    /// Whether its vectors are in a graph.
    pub fn is_graph(&self) -> bool {
        matches!(self.store, Store::Graph(_))
    }

    /// Whether a document has just one vector, in a graph, where it does not move.
    pub fn lends(&self, id: DocumentId) -> bool {
        self.is_graph() && self.slots(id).len() == 1
    }

    /// A document's vector as it was sent, to be read for as long as who asks for it wants, if [`VectorField::lends`].
    pub fn lend(&self, id: DocumentId) -> Option<Loan> {
        match (&self.store, self.slots(id)) {
            (Store::Graph(handle), [slot]) => handle.borrow().lend(*slot),
            _ => None,
        }
    }

    /// Whether a loan is of a document's vector.
    pub fn has_lent(&self, id: DocumentId, loan: &Loan) -> bool {
        match (&self.store, self.slots(id)) {
            (Store::Graph(handle), [slot]) => handle.borrow().has_lent(*slot, loan),
            _ => false,
        }
    }

    /// See [`crate::index::Index::save_links`].
    pub fn save_links(&self, ids: &[DocumentId], out: &mut Vec<u8>) {
        if let Store::Graph(handle) = &self.store {
            let slots: Vec<Slot> = ids.iter().flat_map(|id| self.slots(*id)).copied().collect();
            handle.borrow().save_links(&slots, out);
        }
    }

    /// See [`crate::index::Index::remember_links`].
    pub fn remember_links(&self, links: &[u8]) {
        if let Store::Graph(handle) = &self.store {
            // Of a graph of another kind, or broken: there is nothing to be remembered then.
            let _ = handle.borrow().remember(links);
        }
    }

    /// See [`crate::index::Index::has_all_back`].
    pub fn has_all_back(&self, shards: usize) {
        if let Store::Graph(handle) = &self.store {
            handle.borrow().has_all_back(shards);
        }
    }

    /// Where the vectors of a document are.
    pub(super) fn slots(&self, id: DocumentId) -> &[Slot] {
        self.slots.get(id)
    }

    /// How far the vectors of some of this shard's documents are from a query that has been checked: of at least the `most` nearest documents.
    pub(super) fn distances(&self, query: &[u8], ids: &[DocumentId], most: usize) -> Vec<(DocumentId, f64)> {
        const CHECKED: &str = "the query's vector has been checked";
        if ids.is_empty() || most == 0 {
            return Vec::new();
        }
        let slots = ids.iter().flat_map(|id| self.slots(*id)).copied().collect();
        // Those of one document may be the nearest of all.
        let most = if self.slots.several.is_empty() { most } else { usize::MAX };
        let found = match &self.store {
            Store::Flat(flat) => {
                let mut search = flat.nearest(query, most).expect(CHECKED).among(slots);
                while !search.step(flat, u32::MAX, |_| true) {}
                search.finish(flat)
            }
            Store::Graph(handle) => {
                let mut handle = handle.borrow_mut();
                let wish = vector::Wish::Nearest { k: most, ef: None };
                let mut search = handle.reader().search_among(query, wish, slots).expect(CHECKED);
                while !search.step(usize::MAX, |_| true) {}
                handle.reader().finish(search)
            }
        };
        found.into_iter().map(|found| (found.label, found.distance)).collect()
    }

    /// How far a document of this shard is from a query that has been checked.
    pub fn distance(&self, query: &[u8], id: DocumentId) -> Option<f64> {
        let distance = |slot: &Slot| match &self.store {
            Store::Flat(flat) => flat.distance(query, *slot).ok(),
            Store::Graph(handle) => handle.borrow().distance(query, *slot).ok().flatten(),
        };
        self.slots(id).iter().filter_map(distance).min_by(f64::total_cmp)
    }
}

impl Store {
    fn insert(&mut self, id: DocumentId, vector: &[u8]) -> Result<Slot, vector::Error> {
        match self {
            Store::Flat(flat) => flat.insert(id, vector),
            Store::Graph(handle) => handle.get_mut().insert(id, vector),
        }
    }

    fn replace(&mut self, slot: Slot, id: DocumentId, vector: &[u8]) -> Result<Slot, vector::Error> {
        match self {
            Store::Flat(flat) if flat.holds(slot, id, vector) => Ok(slot),
            Store::Flat(flat) => {
                let new = flat.insert(id, vector)?;
                flat.remove(slot)?;
                Ok(new)
            }
            Store::Graph(handle) => handle.get_mut().replace(slot, id, vector),
        }
    }

    fn remove(&mut self, slot: Slot) {
        let removed = match self {
            Store::Flat(flat) => flat.remove(slot),
            Store::Graph(handle) => handle.get_mut().remove(slot),
        };
        removed.expect("a document's vectors are there");
    }
}

/// Which vectors documents have: nearly all of them one.
struct DocumentSlots {
    one: ById<Slot>,
    several: HashMap<DocumentId, Box<[Slot]>, RandomState>,
    vectors: usize,
}

impl Default for DocumentSlots {
    fn default() -> Self {
        // Ids are handed out, not chosen by clients, so constant seeds do.
        let several = HashMap::with_hasher(RandomState::with_seeds(1, 2, 3, 4));
        Self { one: ById::default(), several, vectors: 0 }
    }
}

impl DocumentSlots {
    fn documents(&self) -> usize {
        self.one.len() + self.several.len()
    }

    fn bytes(&self) -> usize {
        let several = self.several.values().map(|slots| 16 + size_of_val(&**slots)).sum::<usize>();
        self.documents() * DOCUMENT_BYTES + several
    }

    fn get(&self, id: DocumentId) -> &[Slot] {
        match self.one.get(id) {
            Some(slot) => std::slice::from_ref(slot),
            None if self.several.is_empty() => &[],
            None => self.several.get(&id).map_or(&[], Box::as_ref),
        }
    }

    fn put(&mut self, id: DocumentId, slots: Vec<Slot>) {
        self.vectors += slots.len();
        match slots[..] {
            [] => {}
            [slot] => {
                self.one.insert(id, slot);
            }
            _ => {
                self.several.insert(id, slots.into());
            }
        }
    }

    fn take(&mut self, id: DocumentId) -> Vec<Slot> {
        let slots = match self.one.remove(id) {
            Some(slot) => vec![slot],
            None => self.several.remove(&id).map(Vec::from).unwrap_or_default(),
        };
        self.vectors -= slots.len();
        slots
    }
}
