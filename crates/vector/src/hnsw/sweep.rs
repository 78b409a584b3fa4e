//! How what was removed leaves the graph (Singh and others, "FreshDiskANN: A Fast and Accurate Graph-Based ANN Index for Streaming Similarity
//! Search", 2021, algorithm 4), in steps.
//!
//! - What hangs under it is hung up elsewhere (`tree`). Then those searches end that may have begun before.
//! - Links have one direction, so it is not known who is linked to what was removed: all rows are looked at. Who has lost a link
//!   chooses anew among those it still has and those that the lost one was linked to, so that ways that led through the lost one lead past it.
//!
//! After a sweep no row leads to what was removed before it began.

use super::Graph;
use super::links::{Link, links, rewrite, slots};
use super::select::select;
use super::tree::{Tree, let_go};
use super::walk::Near;

/// Among so many of the nearest a vector chooses anew.
const CANDIDATES_MAX: usize = 128;
/// Looking at a row of links costs about as much as so many distances, one over that.
const ROWS_PER_DISTANCE: u32 = 8;

/// A sweep over all rows.
pub(crate) struct Sweep {
    /// What was removed before it began.
    gone: Vec<u32>,
    stage: Stage,
    /// Who reaches highest of those that have been seen and are there.
    highest: Option<(u32, usize)>,
}

#[derive(Clone, Copy)]
enum Stage {
    /// What hangs under the first so many has been hung up elsewhere.
    HangUp(usize),
    /// Those have to go who were there at an epoch.
    Wait(u64),
    /// All rows before this one have been looked at.
    Rows(u32),
}

impl Sweep {
    pub(crate) fn new(graph: &Graph, tree: &mut Tree, gone: Vec<u32>) -> Sweep {
        tree.leave(graph, &gone);
        if let Some(root) = tree.root() {
            let_go(graph, root);
        }
        Sweep { gone, stage: Stage::HangUp(0), highest: None }
    }

    /// How many slots will leave.
    pub(crate) fn len(&self) -> usize {
        self.gone.len()
    }

    /// Whether it can go on only when a search has ended.
    pub(crate) fn is_waiting(&self, graph: &Graph) -> bool {
        matches!(self.stage, Stage::Wait(then) if !graph.pins.is_over(then))
    }

    /// Goes on for about so many distances. Says whether all rows have been seen.
    pub(crate) fn step(&mut self, graph: &Graph, tree: &mut Tree, budget: &mut usize) -> bool {
        while *budget > 0 {
            self.stage = match self.stage {
                Stage::HangUp(done) => match self.gone.get(done) {
                    Some(slot) => {
                        *budget = budget.saturating_sub(1 + hang_up_elsewhere(graph, tree, *slot));
                        Stage::HangUp(done + 1)
                    }
                    None => Stage::Wait(graph.pins.now()),
                },
                Stage::Wait(then) if graph.pins.is_over(then) => Stage::Rows(0),
                Stage::Wait(_) => return false,
                Stage::Rows(slot) if slot == graph.store.end() => return true,
                Stage::Rows(slot) => {
                    let count = usize::from(slot.is_multiple_of(ROWS_PER_DISTANCE));
                    *budget = budget.saturating_sub(count + look_at(graph, tree, slot));
                    self.has_seen(graph, slot);
                    Stage::Rows(slot + 1)
                }
            };
        }
        false
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
    pub(crate) fn finish(self, graph: &Graph, tree: &mut Tree) -> Vec<u32> {
        if graph.links.entry().is_some_and(|(entry, _)| graph.store.label(entry).is_none()) {
            graph.links.set_entry(self.highest);
        }
        tree.have_left(&self.gone);
        self.gone
    }
}

fn is_there(graph: &Graph, slot: u32) -> bool {
    graph.store.label(slot).is_some()
}

/// Hangs up elsewhere what hangs under a slot that leaves; gives how many distances it took.
fn hang_up_elsewhere(graph: &Graph, tree: &mut Tree, leaving: u32) -> usize {
    let under: Vec<u32> = tree.under(graph, leaving).filter(|slot| tree.root() != Some(*slot)).collect();
    let plane = graph.store.walked();
    let mut count = 0;
    for slot in under {
        let rows = [graph.links.ground(slot), graph.links.ground(leaving)];
        let mut others: Vec<u32> = rows.into_iter().flat_map(slots).collect();
        others.sort_unstable();
        others.dedup();
        others.retain(|other| *other != slot && is_there(graph, *other));
        let mut near = Vec::with_capacity(others.len());
        plane.each(plane.ray(slot), &others, |other, distance| near.push(Near::new(other, distance)));
        near.sort_unstable();
        count += near.len() + tree.hang(graph, slot, near.iter().map(|near| near.slot())).0;
    }
    count
}

/// Takes out of the rows of a slot what is leaving, and what has been removed since; gives how many distances it took.
fn look_at(graph: &Graph, tree: &Tree, slot: u32) -> usize {
    // Whoever comes to what leaves gets on from there.
    if tree.is_leaving(slot) {
        return 0;
    }
    let stays = |link: Link| is_there(graph, link.slot) || link.is_kept && !tree.is_leaving(link.slot);
    let mut count = 0;
    let mut level = 0;
    while let Some(row) = graph.links.row(level, slot) {
        if !links(row, slot).all(stays) {
            count += repair(graph, level, slot, stays);
        }
        level += 1;
    }
    count
}

/// Takes out of a row what does not stay; gives how many distances it took.
fn repair(graph: &Graph, level: usize, slot: u32, stays: impl Fn(Link) -> bool) -> usize {
    let Some(row) = graph.links.row(level, slot) else { return 0 };
    graph.former.keep(&graph.links, slot);
    let (staying, lost): (Vec<Link>, Vec<Link>) = links(row, slot).partition(|link| stays(*link));
    let kept: Vec<u32> = staying.iter().filter(|link| link.is_kept).map(|link| link.slot).collect();
    let mut near: Vec<u32> = staying.iter().map(|link| link.slot).collect();
    if !is_there(graph, slot) {
        // It will be walked through until the next sweep.
        near.retain(|other| !kept.contains(other));
        rewrite(row, slot, stays, near);
        return 0;
    }
    for lost in lost {
        let others = graph.links.row(level, lost.slot).into_iter().flat_map(slots);
        near.extend(others.filter(|other| is_there(graph, *other)));
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
    let count = select(plane, &sorted, row.len(), &kept, &mut chosen);
    rewrite(row, slot, stays, chosen.into_iter().filter(|other| !kept.contains(other)));
    count + near.len()
}
