//! How what was removed leaves the graph (Singh and others, "FreshDiskANN: A Fast and Accurate Graph-Based ANN Index for Streaming Similarity
//! Search", 2021, algorithm 4), in steps.
//!
//! Links have one direction, so it is not known who is linked to what was removed. A sweep looks at all rows. Who has lost a link
//! chooses anew among those it still has and those that the lost one was linked to, so that ways that led through the lost one lead
//! past it. After a sweep no row leads to what was removed before it began.

use super::Graph;
use super::links::{slots, write};
use super::select::select;
use super::walk::Near;

/// Among so many of the nearest a vector chooses anew.
const CANDIDATES_MAX: usize = 128;
/// Looking at a row of links costs about as much as so many distances, one over that.
const ROWS_PER_DISTANCE: u32 = 8;

/// A sweep over all rows.
pub(crate) struct Sweep {
    /// What was removed before it began.
    gone: Vec<u32>,
    next: u32,
    /// Who reaches highest of those that have been seen and are there.
    highest: Option<(u32, usize)>,
}

impl Sweep {
    pub(crate) fn new(gone: Vec<u32>) -> Sweep {
        Sweep { gone, next: 0, highest: None }
    }

    /// How many slots will leave.
    pub(crate) fn len(&self) -> usize {
        self.gone.len()
    }

    /// Goes on for about so many distances. Says whether all rows have been seen.
    pub(crate) fn step(&mut self, graph: &Graph, budget: &mut usize) -> bool {
        let end = graph.store.end();
        while *budget > 0 && self.next < end {
            let slot = self.next;
            self.next += 1;
            let mut count = usize::from(slot.is_multiple_of(ROWS_PER_DISTANCE));
            let mut level = 0;
            while let Some(row) = graph.links.row(level, slot) {
                if slots(row).any(|other| graph.store.label(other).is_none()) {
                    count += repair(graph, level, slot);
                }
                level += 1;
            }
            self.has_seen(graph, slot);
            *budget = budget.saturating_sub(count);
        }
        self.next == end
    }

    /// A slot that may be where walks begin.
    pub(crate) fn has_seen(&mut self, graph: &Graph, slot: u32) {
        let level = graph.links.level(slot);
        if self.highest.is_some_and(|(_, highest)| level <= highest) {
            return;
        }
        if graph.store.label(slot).is_some() && !graph.tail.contains(slot) {
            self.highest = Some((slot, level));
        }
    }

    /// All rows have been seen: nothing leads to these slots any more.
    pub(crate) fn finish(self, graph: &Graph) -> Vec<u32> {
        if graph.links.entry().is_some_and(|(entry, _)| graph.store.label(entry).is_none()) {
            graph.links.set_entry(self.highest);
        }
        self.gone
    }
}

/// Takes out of a row what is not there any more; gives how many distances it took.
fn repair(graph: &Graph, level: usize, slot: u32) -> usize {
    let Some(row) = graph.links.row(level, slot) else { return 0 };
    let is_there = |other: &u32| graph.store.label(*other).is_some();
    let (mut near, lost): (Vec<u32>, Vec<u32>) = slots(row).partition(is_there);
    if !is_there(&slot) {
        // It will be walked through until the next sweep.
        write(row, near.into_iter());
        return 0;
    }
    for lost in lost {
        near.extend(graph.links.row(level, lost).into_iter().flat_map(slots).filter(is_there));
    }
    near.sort_unstable();
    near.dedup();
    near.retain(|other| *other != slot);
    let plane = graph.store.walked();
    let mut sorted = Vec::with_capacity(near.len());
    plane.each(plane.ray(slot), &near, |slot, distance| sorted.push(Near::new(slot, distance)));
    sorted.sort_unstable();
    sorted.truncate(CANDIDATES_MAX);
    let mut chosen = Vec::new();
    let count = select(plane, &sorted, row.len(), &mut chosen);
    write(row, chosen.into_iter());
    count + near.len()
}
