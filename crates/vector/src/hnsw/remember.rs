//! Links that are remembered while the vectors they belong to come back one by one, in any order and from several threads: for a start after a
//! save, where documents are indexed anew.
//!
//! A vector is known again by a fingerprint of its bytes, so it does not matter under which label it comes back, nor from whom; equal vectors are as good as each other. What comes back
//! is in its slot at once, and linked when all have come ([`Hnsw::link_remembered`]); until then no search finds it. What comes besides enters the tail then.
//!
//! A graph may change while it is saved, some slots at a time. A link to what has gone meanwhile leads nowhere and is left out; one to a slot that has another vector by then is a link like
//! any other.
//!
//! All numbers are little-endian:
//!
//! ```text
//! version M dimension element metric          u32 each
//! slot fingerprint levels                     u32, u64, u8: an entry; 128 more levels where walks begin
//!     count link…                             u16, u32 each: for each level, from the ground up
//! ```

use super::links::slots;
use super::save::number;
use super::tree::up_first;
use super::{Hnsw, LEVEL_MAX};
use crate::{Element, Error, Metric, Slot};
use base::xxh3::xxh3_64;
use std::collections::{HashMap, HashSet};

const VERSION: u32 = 1;
const HEAD_BYTES: usize = 20;
const IS_ENTRY: u8 = 1 << 7;

/// What is remembered, and what has come back of it.
#[derive(Default)]
pub(super) struct Remembered {
    /// Entries as they were saved, without heads.
    bytes: Vec<u8>,
    /// The slots that those had.
    seen: HashSet<u32>,
    /// Where the entries are whose vectors have not come back, by fingerprint.
    missing: HashMap<u64, Vec<usize>>,
    /// New slots, each with where its entry is.
    back: Vec<(u32, usize)>,
    /// Slots of what else has come.
    others: Vec<u32>,
}

/// An entry, as far as it has been read.
struct Entry {
    slot: u32,
    fingerprint: u64,
    /// Walks began here.
    is_entry: bool,
    levels: Vec<Vec<u32>>,
}

/// Takes so many bytes.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*first)
}

/// Reads an entry; nothing is allocated for what is not there.
fn read(bytes: &mut &[u8]) -> Option<Entry> {
    let (slot, fingerprint) = (u32::from_le_bytes(take(bytes)?), u64::from_le_bytes(take(bytes)?));
    let [level_count] = take(bytes)?;
    let (is_entry, level_count) = (level_count & IS_ENTRY != 0, level_count & !IS_ENTRY);
    if !(1..=LEVEL_MAX + 1).contains(&level_count.into()) {
        return None;
    }
    let level = |bytes: &mut &[u8]| {
        let count = u16::from_le_bytes(take(bytes)?);
        let (links, rest) = bytes.split_at_checked(4 * usize::from(count))?;
        *bytes = rest;
        Some(links.as_chunks::<4>().0.iter().map(|link| u32::from_le_bytes(*link)).collect())
    };
    let levels = (0..level_count).map(|_| level(bytes)).collect::<Option<_>>()?;
    Some(Entry { slot, fingerprint, is_entry, levels })
}

impl Hnsw {
    fn head(&self) -> [u8; HEAD_BYTES] {
        let space = self.space();
        let numbers = [
            VERSION,
            self.parameters().m as u32,
            space.dimension() as u32,
            number(&Element::ALL, space.element()),
            number(&Metric::ALL, space.metric()),
        ];
        let mut head = [0; HEAD_BYTES];
        head.as_chunks_mut::<4>().0.iter_mut().zip(numbers).for_each(|(place, it)| *place = it.to_le_bytes());
        head
    }

    /// Appends how these slots are linked, those of them that are; nothing if none is.
    pub fn save_links(&self, those: &[Slot], out: &mut Vec<u8>) {
        let graph = &self.graph;
        let is_linked = |slot: &u32| graph.store.label(*slot).is_some() && !graph.tail.contains(*slot);
        let head = self.head();
        let start = out.len();
        for slot in those.iter().map(|slot| slot.0).filter(is_linked) {
            if out.len() == start {
                out.extend_from_slice(&head);
            }
            let level = graph.links.level(slot);
            out.extend_from_slice(&slot.to_le_bytes());
            out.extend_from_slice(&xxh3_64(&graph.store.vector(slot)).to_le_bytes());
            let is_entry = graph.links.entry().is_some_and(|(entry, _)| entry == slot);
            let mark = if is_entry { IS_ENTRY } else { 0 };
            out.push(mark | (level as u8 + 1));
            for level in 0..=level {
                let links: Vec<u32> = match level {
                    0 => up_first(graph, slot).filter(is_linked).collect(),
                    _ => {
                        let row = graph.links.row(level, slot);
                        row.into_iter().flat_map(slots).filter(is_linked).collect()
                    }
                };
                out.extend_from_slice(&(links.len() as u16).to_le_bytes());
                links.iter().for_each(|link| out.extend_from_slice(&link.to_le_bytes()));
            }
        }
    }

    /// Remembers what [`Hnsw::save_links`] wrote, once: from now on until [`Hnsw::link_remembered`] nothing is linked.
    ///
    /// # Errors
    /// It is broken, or of a graph of another kind. What was read before that is remembered.
    pub fn remember(&mut self, saved: &[u8]) -> Result<(), Error> {
        let Some(mut rest) = saved.strip_prefix(&self.head()) else { return Err(Error::Broken { at: 0 }) };
        let remembered = self.remembered.get_or_insert_default();
        while !rest.is_empty() {
            let before = rest;
            let entry = read(&mut rest).ok_or(Error::Broken { at: saved.len() - before.len() })?;
            if remembered.seen.insert(entry.slot) {
                remembered.missing.entry(entry.fingerprint).or_default().push(remembered.bytes.len());
                remembered.bytes.extend_from_slice(&before[..before.len() - rest.len()]);
            }
        }
        Ok(())
    }

    /// A vector has come that is in its slot, before the time has come to link.
    pub(super) fn come_back(&mut self, slot: u32, sent: &[u8]) {
        let Some(remembered) = &mut self.remembered else { return };
        let at = remembered.missing.get_mut(&xxh3_64(sent)).and_then(Vec::pop);
        let entry = at.and_then(|at| Some((at, read(&mut &remembered.bytes[at..])?)));
        let level = match entry {
            Some((at, entry)) => {
                remembered.back.push((slot, at));
                entry.levels.len() - 1
            }
            None => {
                remembered.others.push(slot);
                0
            }
        };
        let too_many = remembered.others.len() >= self.graph.parameters.tail_max;
        self.places.make(&self.graph.links, slot, level);
        if too_many {
            // So much is new that it is linked as it comes, and so is what comes back from now on.
            self.link_remembered();
        }
    }

    /// Links all that has come back as it was, and forgets the rest. What has come besides is found from now on, and linked as usual.
    pub fn link_remembered(&mut self) {
        let Some(remembered) = self.remembered.take() else { return };
        let Remembered { bytes, back, others, .. } = *remembered;
        let entries: Vec<(u32, Entry)> =
            back.iter().filter_map(|(slot, at)| Some((*slot, read(&mut &bytes[*at..])?))).collect();
        let now: HashMap<u32, u32> = entries.iter().map(|(slot, entry)| (entry.slot, *slot)).collect();
        let there: Vec<(u32, &[Vec<u32>])> =
            entries.iter().map(|(slot, entry)| (*slot, entry.levels.as_slice())).collect();
        // It may have become another while the graph was saved.
        let begins = entries.iter().filter(|(_, entry)| entry.is_entry);
        let begin = begins.map(|(slot, entry)| (*slot, entry.levels.len() - 1)).max_by_key(|it| it.1);
        self.connect(&there, begin, |old| now.get(&old).copied());
        for slot in others {
            self.enter_tail(slot);
        }
    }
}
