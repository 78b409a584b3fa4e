//! Links as they were at a moment, while they change: for snapshots of vector sets. In the graph of a search field it is never on.
//!
//! From that moment on the rows of a slot are copied before they change for the first time, and the copies stay until nobody asks for them any more. Only the owner
//! changes rows, so only the owner copies; those who search know nothing of it.

use super::links::{Links, slots};
use super::{Graph, Hnsw};
use crate::Slot;
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard};

/// What a slot takes beside its links; about.
const SLOT_BYTES: usize = 64;

/// Rows that have changed since.
#[derive(Default)]
pub(crate) struct Former {
    is_on: AtomicBool,
    rows: Mutex<Rows>,
}

#[derive(Default)]
struct Rows {
    /// Of each slot, from the ground up.
    of: HashMap<u32, Vec<Vec<u32>>>,
    bytes: usize,
}

impl Former {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().expect("nobody panics who has it")
    }

    /// To be called before a row of this slot changes.
    #[inline]
    pub(crate) fn keep(&self, links: &Links, slot: u32) {
        if self.is_on.load(Relaxed) {
            self.copy(links, slot);
        }
    }

    #[cold]
    fn copy(&self, links: &Links, slot: u32) {
        let rows = &mut *self.rows();
        rows.of.entry(slot).or_insert_with(|| {
            let levels = (0..).map_while(|level| Some(slots(links.row(level, slot)?).collect()));
            let levels: Vec<Vec<u32>> = levels.collect();
            rows.bytes += SLOT_BYTES;
            rows.bytes +=
                levels.iter().map(|row| size_of::<Vec<u32>>() + size_of_val(&row[..])).sum::<usize>();
            levels
        });
    }
}

impl Hnsw {
    /// From now on links are kept as they are now.
    pub fn keep_links(&mut self) {
        self.forget_links();
        self.graph.former.is_on.store(true, Relaxed);
    }

    /// Nobody asks for links as they were any more.
    pub fn forget_links(&mut self) {
        self.graph.former.is_on.store(false, Relaxed);
        *self.graph.former.rows() = Rows::default();
    }

    /// Keeps those of a vector that is about to be removed, whose slot may be used again.
    pub fn keep_links_of(&mut self, slot: Slot) {
        self.graph.former.keep(&self.graph.links, slot.0);
    }

    /// Bytes of links that are kept; about.
    pub fn former_bytes(&self) -> usize {
        self.graph.former.rows().bytes
    }

    /// The links there are, or, if they are kept, those there were.
    pub fn links_at(&self, is_former: bool) -> LinksAt<'_> {
        LinksAt { graph: &self.graph, rows: is_former.then(|| self.graph.former.rows()) }
    }
}

/// The links of a moment. They may lead to what has been removed.
pub struct LinksAt<'a> {
    graph: &'a Graph,
    rows: Option<MutexGuard<'a, Rows>>,
}

impl LinksAt<'_> {
    /// Shows where those of a slot lead on a level; whether it reaches so high.
    pub fn each(&self, slot: Slot, level: usize, mut see: impl FnMut(Slot)) -> bool {
        let mut see = |other: u32| {
            if other != slot.0 {
                see(Slot(other));
            }
        };
        match self.rows.as_ref().and_then(|rows| rows.of.get(&slot.0)) {
            Some(levels) => {
                let row = levels.get(level);
                row.into_iter().flatten().copied().for_each(see);
                row.is_some()
            }
            None => {
                let row = self.graph.links.row(level, slot.0);
                row.into_iter().flat_map(slots).for_each(&mut see);
                row.is_some()
            }
        }
    }

    /// Whether one of them leads from a slot to another on a level.
    pub fn lead(&self, from: Slot, level: usize, to: Slot) -> bool {
        let mut is_there = false;
        self.each(from, level, |other| is_there |= other == to);
        is_there
    }
}
