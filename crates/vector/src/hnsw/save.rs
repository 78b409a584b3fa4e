//! A graph as bytes, for snapshots, and back.
//!
//! The vectors are not in it: they lie with the documents, and whoever reads the graph asks for each by its label. What is in it is checked:
//! lengths and a check sum before anything is believed, then every number. A link to what is not there is left out. The tree that keeps
//! everything in reach (`tree`) is made anew from the links, of which those on the ground begin with the one up the tree: whatever is read, everything is in reach. A vector that is
//! not there any more, or has changed, is left out, too; who has one that the graph lacks inserts it as usual.
//!
//! All numbers are little-endian, u32 if not said otherwise:
//!
//! ```text
//! "weftHNSW" version M dimension element metric codes   head
//! slots entries entry level                             how many slots there were, how many are in it, where walks begin
//! slot label fingerprint levels                         an entry, in the order of slots; the fingerprint is of the vector's bytes
//!     count link…                                       for each level, from the ground up
//! check sum                                             u64: CRC-64 of all before
//! ```

use super::links::{ground_links, slots, write};
use super::tree::up_first;
use super::{Hnsw, LEVEL_MAX};
use crate::rows::ITEMS_MAX;
use crate::store::By;
use crate::{Element, Error, LABEL_MAX, Metric, Parameters, Space};
use base::crc64::crc64;
use base::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"weftHNSW";
const VERSION: u32 = 1;
/// Bytes of an entry without links.
const ENTRY_BYTES: usize = 16;

/// A graph that was read and found sound, without its vectors.
pub struct Saved {
    entries: Vec<Entry>,
    entry: Option<(u32, usize)>,
    parameters: Parameters,
    space: Space,
}

struct Entry {
    slot: u32,
    label: u32,
    /// `None` if whatever has the label is what was saved.
    fingerprint: Option<u32>,
    levels: Vec<Vec<u32>>,
}

fn fingerprint(vector: &[u8]) -> u32 {
    xxh3_64(vector) as u32
}

pub(super) fn number<T: PartialEq>(all: &[T], one: T) -> u32 {
    all.iter().position(|it| *it == one).unwrap_or_default() as u32
}

impl Hnsw {
    /// Appends the graph of what is linked. What is in the tail is not in it.
    pub fn save(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let (graph, space) = (&self.graph, self.space());
        let parameters = &graph.parameters;
        out.extend_from_slice(MAGIC);
        let mut put = |number: u32| out.extend_from_slice(&number.to_le_bytes());
        put(VERSION);
        put(parameters.m as u32);
        put(space.dimension() as u32);
        put(number(&Element::ALL, space.element()));
        put(number(&Metric::ALL, space.metric()));
        put((graph.store.by() == By::Codes).into());
        let is_linked = |slot: &u32| graph.store.label(*slot).is_some() && !graph.tail.contains(*slot);
        let entries: Vec<u32> = (0..graph.store.end()).filter(is_linked).collect();
        let entry = graph.links.entry().filter(|(slot, _)| is_linked(slot));
        put(graph.store.end());
        put(entries.len() as u32);
        put(entry.map_or(0, |(slot, _)| slot + 1));
        put(entry.map_or(0, |(_, level)| level as u32));
        for slot in entries {
            let vector = graph.store.vector(slot);
            let level = graph.links.level(slot);
            put(slot);
            put(graph.store.label(slot).unwrap_or(LABEL_MAX));
            put(fingerprint(&vector));
            put(level as u32 + 1);
            for level in 0..=level {
                let links: Vec<u32> = if level == 0 {
                    up_first(graph, slot).filter(is_linked).collect()
                } else {
                    graph.links.row(level, slot).into_iter().flat_map(slots).filter(is_linked).collect()
                };
                put(links.len() as u32);
                links.into_iter().for_each(&mut put);
            }
        }
        let sum = crc64(0, &out[start..]);
        out.extend_from_slice(&sum.to_le_bytes());
    }
}

/// Reads numbers and knows where it is.
struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bytes<'_> {
    fn number(&mut self) -> Result<u32, Error> {
        let broken = Error::Broken { at: self.at };
        let four = self.bytes.get(self.at..self.at + 4).ok_or(broken)?;
        self.at += 4;
        Ok(u32::from_le_bytes(four.try_into().map_err(|_| broken)?))
    }

    /// A number that must be below `end`.
    fn below(&mut self, end: u32) -> Result<u32, Error> {
        let at = self.at;
        self.number().and_then(|number| if number < end { Ok(number) } else { Err(Error::Broken { at }) })
    }

    /// That so many numbers are left at least: nothing is allocated for what is not there.
    fn has(&self, numbers: usize) -> Result<(), Error> {
        let left = (self.bytes.len() - self.at) / 4;
        if numbers <= left { Ok(()) } else { Err(Error::Broken { at: self.at }) }
    }
}

impl Saved {
    /// Reads what [`Hnsw::save`] wrote, for an index with this space and these parameters.
    pub fn read(bytes: &[u8], space: Space, parameters: Parameters) -> Result<Saved, Error> {
        parameters.check()?;
        let broken = |at: usize| Error::Broken { at };
        let body = bytes.len().checked_sub(8).ok_or(broken(bytes.len()))?;
        let sum = u64::from_le_bytes(bytes[body..].try_into().map_err(|_| broken(body))?);
        if !bytes.starts_with(MAGIC) {
            return Err(broken(0));
        }
        if crc64(0, &bytes[..body]) != sum {
            return Err(broken(body));
        }
        let mut bytes = Bytes { bytes: &bytes[..body], at: MAGIC.len() };
        let expected = [
            VERSION,
            parameters.m as u32,
            space.dimension() as u32,
            number(&Element::ALL, space.element()),
            number(&Metric::ALL, space.metric()),
        ];
        for expected in expected {
            let at = bytes.at;
            if bytes.number()? != expected {
                return Err(broken(at));
            }
        }
        // Codes are made anew; a graph that was made by them leads the same way.
        bytes.below(2)?;
        let slot_count = bytes.below(ITEMS_MAX)?;
        let count = bytes.below(slot_count.saturating_add(1))?;
        let entry = bytes.below(slot_count + 1)?.checked_sub(1);
        let level = bytes.below(LEVEL_MAX as u32 + 1)? as usize;
        bytes.has(count as usize * ENTRY_BYTES / 4)?;
        let mut entries = Vec::with_capacity(count as usize);
        let mut next = 0;
        for _ in 0..count {
            let at = bytes.at;
            let entry = read_entry(&mut bytes, slot_count, &parameters)?;
            if entry.slot < next {
                return Err(broken(at));
            }
            next = entry.slot + 1;
            entries.push(entry);
        }
        if bytes.at != body {
            return Err(broken(bytes.at));
        }
        // The entry reaches as high as it says.
        let reaches = |slot: u32| entries.iter().any(|it| it.slot == slot && it.levels.len() == level + 1);
        if entry.is_some_and(|slot| !reaches(slot)) {
            return Err(broken(MAGIC.len()));
        }
        Ok(Saved { entries, entry: entry.map(|slot| (slot, level)), parameters, space })
    }

    /// A graph that was saved in another form, as what each vector is linked to on each of its levels, from the ground up: vectors go by their
    /// places in `all`, which are their labels, too. Links that lead nowhere, or to those that do not reach so high, are left out.
    ///
    /// # Errors
    /// For parameters out of their range, more vectors than there can be, and one without a level or with too many.
    pub fn of_links(space: Space, parameters: Parameters, all: Vec<Vec<Vec<u32>>>) -> Result<Saved, Error> {
        parameters.check()?;
        if all.len() >= ITEMS_MAX as usize {
            return Err(Error::Full);
        }
        let mut entry = None;
        for (slot, levels) in all.iter().enumerate() {
            if !(1..=LEVEL_MAX + 1).contains(&levels.len()) {
                return Err(Error::Broken { at: slot });
            }
            if entry.is_none_or(|(_, level)| levels.len() > level + 1) {
                entry = Some((slot as u32, levels.len() - 1));
            }
        }
        let entries = (0..).zip(all);
        let entries =
            entries.map(|(slot, levels)| Entry { slot, label: slot, fingerprint: None, levels }).collect();
        Ok(Saved { entries, entry, parameters, space })
    }

    /// The index, with the vectors that `vector` has under the labels that are asked for; no two should have the same. Gives the labels and
    /// slots of what is in it.
    pub fn restore(
        self,
        mut vector: impl FnMut(u32) -> Option<Vec<u8>>,
    ) -> Result<(Hnsw, Vec<(u32, crate::Slot)>), Error> {
        let mut index = Hnsw::new(self.space, self.parameters)?;
        // Slots are numbered anew, without gaps.
        let mut renumbered = vec![None; self.entries.len()];
        let mut there = Vec::new();
        let mut labels = Vec::new();
        for (at, entry) in self.entries.iter().enumerate() {
            let Some(sent) = vector(entry.label).filter(|sent| entry.is_of(&index, sent)) else {
                continue;
            };
            let Ok(slot) = index.slots.put(&index.graph.store, entry.label, &sent) else { continue };
            index.places.make(&index.graph.links, slot, entry.levels.len() - 1);
            renumbered[at] = Some(slot);
            there.push((slot, entry));
            labels.push((entry.label, crate::Slot(slot)));
        }
        let renumbered =
            |old: u32| renumbered[self.entries.binary_search_by_key(&old, |entry| entry.slot).ok()?];
        let entry = self.entry.and_then(|(slot, level)| Some((renumbered(slot)?, level)));
        let there: Vec<(u32, &[Vec<u32>])> =
            there.iter().map(|(slot, entry)| (*slot, entry.levels.as_slice())).collect();
        index.connect(&there, entry, renumbered);
        Ok((index, labels))
    }
}

impl Hnsw {
    /// Links slots that nobody knows of yet to each other, as they were: `there` has their links on each level, from the ground up, by numbers of which `renumbered`
    /// says which slots they are now. Walks begin at `entry`, or at one that reaches highest.
    pub(super) fn connect(
        &mut self,
        there: &[(u32, &[Vec<u32>])],
        entry: Option<(u32, usize)>,
        renumbered: impl Fn(u32) -> Option<u32>,
    ) {
        let Self { graph, tree, .. } = self;
        for (slot, levels) in there {
            for (level, links) in levels.iter().enumerate() {
                let reaches = |other: &u32| graph.links.row(level, *other).is_some();
                let links = links.iter().filter_map(|other| renumbered(*other));
                if let Some(row) = graph.links.row(level, *slot) {
                    write(row, links.filter(|other| other != slot && reaches(other)));
                }
            }
        }
        let highest = || there.iter().map(|(slot, levels)| (*slot, levels.len() - 1)).max_by_key(|it| it.1);
        let begin = entry.or_else(highest);
        // What was linked before may reach higher.
        let entry = [graph.links.entry(), begin].into_iter().flatten().max_by_key(|(_, level)| *level);
        graph.links.set_entry(entry);
        let others = there.iter().map(|(slot, _)| *slot);
        for slot in begin.map(|(slot, _)| slot).into_iter().chain(others) {
            if tree.root() != Some(slot) {
                let linked: Vec<u32> = slots(graph.links.ground(slot)).collect();
                tree.hang(graph, slot, linked.into_iter());
            }
        }
    }
}

impl Entry {
    /// Whether this is the vector that was saved.
    fn is_of(&self, index: &Hnsw, sent: &[u8]) -> bool {
        self.fingerprint.is_none_or(|fingerprint| fingerprint_of(index, sent) == Some(fingerprint))
    }
}

/// The fingerprint that a vector would have been saved with.
fn fingerprint_of(index: &Hnsw, sent: &[u8]) -> Option<u32> {
    let space = index.space();
    let prepared = space.prepare(sent).ok()?;
    Some(fingerprint(&space.restore(prepared.ray())))
}

fn read_entry(bytes: &mut Bytes, slot_count: u32, parameters: &Parameters) -> Result<Entry, Error> {
    let slot = bytes.below(slot_count)?;
    let label = bytes.below(LABEL_MAX)?;
    let fingerprint = bytes.number()?;
    let at = bytes.at;
    let count = bytes.below(LEVEL_MAX as u32 + 2)?;
    if count == 0 {
        return Err(Error::Broken { at });
    }
    let mut levels = Vec::with_capacity(count as usize);
    for level in 0..count {
        let most = if level == 0 { ground_links(parameters.m) } else { parameters.m };
        let count = bytes.below(most as u32 + 1)? as usize;
        bytes.has(count)?;
        levels.push((0..count).map(|_| bytes.below(slot_count)).collect::<Result<Vec<u32>, Error>>()?);
    }
    Ok(Entry { slot, label, fingerprint: Some(fingerprint), levels })
}
