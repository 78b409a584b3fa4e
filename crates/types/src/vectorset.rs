//! The vector set: elements, each with a vector and perhaps attributes, and the graph that finds those whose vectors are near.
//!
//! An element is a number, which is its label in the graph; `order` has the numbers in the order of names, which is how an element is found by its
//! name. Vectors lie in the graph (`vector`) as they are kept (`quant`), attributes beside the names as the bytes that were given.
//!
//! A vector that is added is linked at once: so what is in files and what VLINKS shows is the whole graph, and the same commands make the same
//! graph. What removing leaves to do is done in steps by those who change the set afterwards.

mod nearing;
mod order;
mod projection;
mod quant;
mod remains;
mod saved;
mod showing;
#[cfg(test)]
mod tests;

pub use nearing::Nearing;
pub use order::Spot;
pub use projection::Projection;
pub use quant::{Kept, Quant, Vector};
pub use saved::{Node, Record, SAVED_LEVEL_MAX};

pub(crate) use remains::VectorSetRemains;

use order::Order;
use showing::VectorSetShowing;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use vector::{EF_MAX, Hnsw, Metric, Parameters, Reader, Slot, Space};

/// Dimensions go up to this.
pub const DIMENSION_MAX: usize = vector::F32_DIMENSION_MAX;
/// Links of an element on a level; on the ground twice as many.
pub const M_MIN: usize = 4;
pub const M_MAX: usize = vector::M_MAX;

/// Distances that are computed between two looks at what is left to do.
const STEP: usize = 2048;
/// Filtered searches in sets with fewer elements that have attributes look at each of them.
const EACH_MAX: usize = 1000;

/// The numbers of sets, which tell one from another (`vset-uid`).
static UIDS: AtomicU64 = AtomicU64::new(0);

/// An element.
#[derive(Clone, Debug)]
struct Entry {
    name: Box<[u8]>,
    /// Not empty.
    attributes: Option<Box<[u8]>>,
    slot: Slot,
    norm: f32,
    range: f32,
}

impl Entry {
    fn text_bytes(&self) -> usize {
        self.name.len() + self.attributes.as_ref().map_or(0, |text| text.len())
    }
}

/// What all vectors of a set have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    pub dimension: usize,
    pub quant: Quant,
    pub m: usize,
    /// How vectors are reduced that come with more dimensions.
    pub projection: Option<Projection>,
}

/// A set of named vectors.
pub struct VectorSet {
    shape: Shape,
    graph: Hnsw,
    /// Its memory, a byte for each element, is the shard's work space: no read changes what a set is said to take.
    reader: RefCell<Option<Reader>>,
    /// By number; `None` are free.
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    order: Order,
    /// Bytes of names and attributes.
    text_bytes: usize,
    with_attributes: usize,
    uid: u64,
    /// Vectors that have ever been added.
    made: u64,
    showing: Option<Box<VectorSetShowing>>,
}

/// What is looked for near a vector.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// So many at most.
    pub count: usize,
    /// How many candidates the walk keeps; at least `count`.
    pub ef: usize,
    /// Every element is looked at.
    pub exact: bool,
    /// A filter says which pass by their attributes, without any nothing does; so many may be asked about.
    pub effort: Option<usize>,
}

/// An element that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    pub number: u32,
    /// 0 to 2.
    pub distance: f32,
}

impl Hit {
    /// The nearest first; of those equally near the one with the lower number.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.distance.total_cmp(&other.distance).then(self.number.cmp(&other.number))
    }
}

/// There is no room for another vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl VectorSet {
    /// An empty one.
    ///
    /// # Panics
    /// If the dimension is not 1 to [`DIMENSION_MAX`] or `m` not [`M_MIN`] to [`M_MAX`]: callers check that.
    pub fn new(shape: Shape) -> VectorSet {
        let graph = Hnsw::new(space(&shape), parameters(&shape)).expect("callers check parameters");
        VectorSet::with_graph(shape, graph)
    }

    fn with_graph(shape: Shape, graph: Hnsw) -> VectorSet {
        VectorSet {
            shape,
            graph,
            reader: RefCell::new(None),
            entries: Vec::new(),
            free: Vec::new(),
            order: Order::default(),
            text_bytes: 0,
            with_attributes: 0,
            uid: UIDS.fetch_add(1, Relaxed),
            made: 0,
            showing: None,
        }
    }

    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn encoding(&self) -> &'static str {
        "raw"
    }

    /// How many elements have attributes.
    pub fn with_attributes(&self) -> usize {
        self.with_attributes
    }

    /// The highest level of the graph.
    pub fn level(&self) -> usize {
        self.graph.level()
    }

    pub fn uid(&self) -> u64 {
        self.uid
    }

    /// Vectors that have ever been added.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// Heap bytes.
    pub fn bytes(&self) -> usize {
        let projection = self.shape.projection.as_ref().map_or(0, Projection::bytes);
        let numbers =
            self.entries.capacity() * size_of::<Option<Entry>>() + self.free.capacity() * size_of::<u32>();
        self.graph.bytes() - size_of::<Hnsw>() + self.text_bytes + numbers + self.order.bytes() + projection
    }

    fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.get(number as usize)?.as_ref()
    }

    /// The name of an element.
    pub fn name(&self, number: u32) -> Option<&[u8]> {
        Some(&self.entry(number)?.name)
    }

    /// The attributes of an element.
    pub fn attributes(&self, number: u32) -> Option<&[u8]> {
        self.entry(number)?.attributes.as_deref()
    }

    /// The vector of an element.
    pub fn kept(&self, number: u32) -> Option<Kept<'_>> {
        let entry = self.entry(number)?;
        Some(Kept { bytes: self.graph.kept(entry.slot)?, norm: entry.norm, range: entry.range })
    }

    /// The first element that is not before a name.
    pub fn seek(&self, name: &[u8]) -> Spot {
        self.order.find(|number| self.name(number).is_some_and(|other| other < name))
    }

    /// The element of that name.
    pub fn find(&self, name: &[u8]) -> Option<u32> {
        self.order.get(self.seek(name)).filter(|number| self.name(*number) == Some(name))
    }

    /// All elements in the order of their names, from the first one that is not before `name`.
    pub fn range(&self, name: &[u8]) -> impl Iterator<Item = u32> + '_ {
        self.order.from(self.seek(name))
    }

    /// All elements in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.order.iter()
    }

    /// For several elements by their ranks: call the result with each.
    pub fn by_rank(&self) -> impl Fn(usize) -> Option<u32> + '_ {
        let starts = self.order.starts();
        move |rank| self.order.at(&starts, rank)
    }

    /// Adds an element, or gives one that is there another vector; whether it was added. `attributes`: those it shall have from now on, none if they
    /// are empty; `None` leaves them as they are. `ef`: how many candidates for links are looked for.
    ///
    /// # Errors
    /// There is no room; nothing has changed then.
    ///
    /// # Panics
    /// If the vector was not made by [`Quant::vector`] from `dimension` numbers, or `ef` is 0 or too large.
    pub fn add(
        &mut self,
        name: &[u8],
        vector: &Vector,
        attributes: Option<&[u8]>,
        ef: usize,
    ) -> Result<bool, Full> {
        let spot = self.seek(name);
        let found = self.order.get(spot).filter(|number| self.name(*number) == Some(name));
        let number = found.or(self.free.last().copied()).unwrap_or(self.entries.len() as u32);
        let sent = self.shape.quant.sent(&vector.kept(), self.shape.dimension);
        self.keep_element(number);
        self.graph.set_ef_construction(ef.min(EF_MAX)).expect("callers check the effort");
        let slot = match self.graph.insert(number, &sent) {
            Ok(slot) => slot,
            Err(vector::Error::Full) => return Err(Full),
            Err(error) => panic!("a vector that was checked: {error}"),
        };
        self.slot_comes(slot);
        self.made += 1;
        let (norm, range) = (vector.norm, vector.range);
        if let Some(entry) = self.entries.get_mut(number as usize).and_then(Option::as_mut) {
            let old = std::mem::replace(&mut entry.slot, slot);
            (entry.norm, entry.range) = (norm, range);
            self.keep_slot(old, number);
            self.graph.remove(old).expect("an element has a vector");
        } else {
            let entry = Entry { name: name.into(), attributes: None, slot, norm, range };
            self.text_bytes += entry.text_bytes();
            match self.free.pop() {
                Some(_) => self.entries[number as usize] = Some(entry),
                None => self.entries.push(Some(entry)),
            }
            self.order.insert(spot, number);
        }
        if let Some(attributes) = attributes {
            self.set_attributes(number, attributes);
        }
        self.link();
        Ok(found.is_none())
    }

    /// Links what was added.
    fn link(&mut self) {
        while self.graph.tail_len() > 0 {
            self.graph.work(STEP);
        }
    }

    /// Gives an element attributes, none if they are empty.
    pub fn set_attributes(&mut self, number: u32, attributes: &[u8]) {
        self.keep_element(number);
        let Some(entry) = self.entries.get_mut(number as usize).and_then(Option::as_mut) else { return };
        self.text_bytes -= entry.text_bytes();
        self.with_attributes -= usize::from(entry.attributes.is_some());
        entry.attributes = (!attributes.is_empty()).then(|| attributes.into());
        self.with_attributes += usize::from(entry.attributes.is_some());
        self.text_bytes += entry.text_bytes();
    }

    /// Removes an element; whether it was there.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let spot = self.seek(name);
        let Some(number) = self.order.get(spot).filter(|number| self.name(*number) == Some(name)) else {
            return false;
        };
        self.keep_element(number);
        let Some(entry) = self.entries[number as usize].take() else { return false };
        self.keep_slot(entry.slot, number);
        self.order.remove(spot);
        self.text_bytes -= entry.text_bytes();
        self.with_attributes -= usize::from(entry.attributes.is_some());
        self.free.push(number);
        self.graph.remove(entry.slot).expect("an element has a vector");
        // What waits for a search to end is left to who comes later.
        while self.graph.work(STEP) && self.graph.is_behind() {}
        true
    }

    /// An element and how far it is from a vector.
    fn hit(&self, vector: &Kept<'_>, number: u32) -> Option<Hit> {
        let distance = self.shape.quant.distance(vector, &self.kept(number)?, self.shape.dimension);
        Some(Hit { number, distance })
    }

    /// The elements that one is linked to, level after level, the highest first.
    pub fn links(&self, number: u32) -> Option<Vec<Vec<Hit>>> {
        let (entry, own) = (self.entry(number)?, self.kept(number)?);
        let mut levels: Vec<Vec<Hit>> = (0..)
            .map_while(|level| self.graph.links(entry.slot, level))
            .map(|links| links.filter_map(|slot| self.hit(&own, self.graph.label(slot)?)).collect())
            .collect();
        levels.reverse();
        Some(levels)
    }
}

fn space(shape: &Shape) -> Space {
    // Vectors have the length one, so the inner product is the cosine; of length zero are those that were given so.
    Space::new(shape.quant.element(), Metric::Ip, shape.dimension).expect("callers check the dimension")
}

fn parameters(shape: &Shape) -> Parameters {
    Parameters { m: shape.m, tail_max: 1, ..Parameters::default() }
}
