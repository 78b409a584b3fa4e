//! A vector set in parts, as files have it, and back.
//!
//! Links in files go both ways: Redis takes no others. What leads one way only is left out, and the graph that is made of the rest when the set is
//! read sees to it that everything is in reach.

use super::showing::VectorSetShowing;
use super::{Entry, Hit, Kept, Quant, Shape, Vector, VectorSet, parameters, space};
use crate::vectorset::order::Order;
use std::borrow::Cow;
use vector::{LinksAt, Saved, Slot};

/// In files no element reaches higher.
pub const SAVED_LEVEL_MAX: usize = 15;

/// An element as a file has it.
#[derive(Debug)]
pub struct Node<'a> {
    pub number: u32,
    pub name: &'a [u8],
    pub attributes: Option<&'a [u8]>,
    pub kept: Kept<'a>,
    /// Whom it is linked to and they to it, in the order of numbers, level after level from the ground up.
    pub links: Vec<Vec<Hit>>,
}

/// An element that was read.
pub struct Record {
    pub name: Vec<u8>,
    /// None if it is empty.
    pub attributes: Vec<u8>,
    pub vector: Vector,
    /// Level after level from the ground up; elements go by their places among those that were read.
    pub links: Vec<Vec<u32>>,
}

/// A set as it is, or as it was when a showing of it began.
pub(super) struct Moment<'a> {
    set: &'a VectorSet,
    showing: Option<&'a VectorSetShowing>,
    links: LinksAt<'a>,
}

impl<'a> Moment<'a> {
    /// `showing`: of the time when it began; else now.
    pub fn of(set: &'a VectorSet, showing: Option<&'a VectorSetShowing>) -> Self {
        Self { set, showing, links: set.graph.links_at(showing.is_some()) }
    }

    fn entry(&self, number: u32) -> Option<(&'a Entry, Kept<'a>)> {
        if let Some(former) = self.showing.and_then(|showing| showing.former(number)) {
            let former = former?;
            let (norm, range) = (former.entry.norm, former.entry.range);
            return Some((&former.entry, Kept { bytes: Cow::Borrowed(&former.vector), norm, range }));
        }
        Some((self.set.entry(number)?, self.set.kept(number)?))
    }

    /// The number of the element in a slot.
    fn number(&self, slot: Slot) -> Option<u32> {
        let former = self.showing.and_then(|showing| showing.former_number(slot));
        former.unwrap_or_else(|| self.set.graph.label(slot))
    }

    fn hit(&self, own: &Kept<'_>, number: u32) -> Option<Hit> {
        let shape = &self.set.shape;
        let distance = shape.quant.distance(own, &self.entry(number)?.1, shape.dimension);
        Some(Hit { number, distance })
    }

    /// The element with this number.
    pub fn node(&self, number: u32) -> Option<Node<'a>> {
        let (entry, own) = self.entry(number)?;
        let levels = (0..=SAVED_LEVEL_MAX).map_while(|level| {
            let mut links = Vec::new();
            let is_there = self.links.each(entry.slot, level, |other| {
                if self.links.lead(other, level, entry.slot)
                    && let Some(hit) = self.number(other).and_then(|number| self.hit(&own, number))
                {
                    links.push(hit);
                }
            });
            links.sort_unstable_by_key(|hit| hit.number);
            links.dedup_by_key(|hit| hit.number);
            is_there.then_some(links)
        });
        let links = levels.collect();
        Some(Node { number, name: &entry.name, attributes: entry.attributes.as_deref(), kept: own, links })
    }
}

impl VectorSet {
    /// One more than the highest number of an element.
    pub fn numbers_end(&self) -> u32 {
        self.entries.len() as u32
    }

    /// An element for a file.
    pub fn node(&self, number: u32) -> Option<Node<'_>> {
        Moment::of(self, None).node(number)
    }

    /// A set of elements that were read. Vectors must be as long as the shape says.
    ///
    /// # Errors
    /// What cannot be: two elements of one name, none at all, numbers without end, too many levels or elements.
    pub fn of_records(shape: Shape, records: Vec<Record>) -> Result<VectorSet, &'static str> {
        let mut all = Vec::with_capacity(records.len());
        let mut those = Vec::with_capacity(records.len());
        for mut record in records {
            all.push(std::mem::take(&mut record.links));
            those.push(record);
        }
        if those.is_empty() {
            return Err("a vector set without elements");
        }
        if !those.iter().all(|record| is_sound(&shape, &record.vector)) {
            return Err("the vector of an element");
        }
        let mut sorted: Vec<u32> = (0..those.len() as u32).collect();
        sorted.sort_unstable_by(|a, b| those[*a as usize].name.cmp(&those[*b as usize].name));
        if sorted.windows(2).any(|pair| those[pair[0] as usize].name == those[pair[1] as usize].name) {
            return Err("two elements of one name");
        }
        let saved = Saved::of_links(space(&shape), parameters(&shape), all);
        let saved = saved.map_err(|_| "the links of an element")?;
        let sent = |number: u32| {
            let vector = &those.get(number as usize)?.vector;
            Some(shape.quant.sent(&vector.kept(), shape.dimension))
        };
        let (graph, slots) = saved.restore(sent).map_err(|_| "the links of an element")?;
        if slots.len() != those.len() {
            return Err("the vector of an element");
        }
        let mut set = VectorSet::with_graph(shape, graph);
        set.made = those.len() as u64;
        set.order = Order::of_sorted(&sorted);
        // Slots come in the order of numbers.
        for (record, (_, slot)) in those.into_iter().zip(slots) {
            let Record { name, attributes, vector, .. } = record;
            let attributes = (!attributes.is_empty()).then(|| attributes.into_boxed_slice());
            let entry = Entry {
                name: name.into_boxed_slice(),
                attributes,
                slot,
                norm: vector.norm,
                range: vector.range,
            };
            set.text_bytes += entry.text_bytes();
            set.with_attributes += usize::from(entry.attributes.is_some());
            set.entries.push(Some(entry));
        }
        Ok(set)
    }
}

/// Whether a vector is one that [`super::Quant::vector`] could have made: its numbers are those of a vector of length one, or all 0.
fn is_sound(shape: &Shape, vector: &Vector) -> bool {
    let (quant, kept) = (shape.quant, &vector.kept);
    if kept.len() != quant.kept_bytes(shape.dimension) || !(vector.norm.is_finite() && vector.norm >= 0.0) {
        return false;
    }
    match quant {
        Quant::None => quant.unit(&vector.kept(), shape.dimension).iter().all(|number| number.abs() < 2.0),
        Quant::Q8 => {
            let largest = kept.iter().map(|code| (*code as i8).unsigned_abs()).max();
            // The largest of so many numbers cannot be less than all of the same size would be.
            largest == Some(127) && (0.001..2.0).contains(&vector.range)
                || largest == Some(0) && vector.range == 0.0
        }
        // What is behind the last sign.
        Quant::Bin => {
            let signs = shape.dimension % 8;
            vector.range == 1.0 && (signs == 0 || kept.last().is_some_and(|last| last >> signs == 0))
        }
    }
}

impl Clone for VectorSet {
    fn clone(&self) -> VectorSet {
        // Numbers without gaps.
        let numbers: Vec<u32> =
            (0..self.numbers_end()).filter(|number| self.entry(*number).is_some()).collect();
        let place = |slot: Slot| {
            let number = self.graph.label(slot)?;
            numbers.binary_search(&number).ok().map(|place| place as u32)
        };
        let record = |number: &u32| {
            let entry = self.entry(*number)?;
            let levels = (0..).map_while(|level| self.graph.links(entry.slot, level));
            let Kept { bytes, norm, range } = self.kept(*number)?;
            Some(Record {
                name: entry.name.to_vec(),
                attributes: entry.attributes.as_deref().unwrap_or_default().to_vec(),
                vector: Vector { kept: bytes.into_owned(), norm, range },
                links: levels.map(|links| links.filter_map(place).collect()).collect(),
            })
        };
        let records: Vec<Record> = numbers.iter().filter_map(record).collect();
        if records.is_empty() {
            return VectorSet::new(self.shape.clone());
        }
        let mut set = VectorSet::of_records(self.shape.clone(), records).expect("what is there can be");
        set.made = self.made;
        set
    }
}
