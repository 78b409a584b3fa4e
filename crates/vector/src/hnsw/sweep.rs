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
use super::select::Selection;
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
    /// The row that is being repaired.
    repair: Option<Repair>,
    /// Who reaches highest of those that have been seen and are there.
    highest: Option<(u32, usize)>,
}

#[derive(Clone, Copy)]
enum Stage {
    /// What hangs under the first so many has been hung up elsewhere, and so many of what hangs under the next.
    HangUp(usize, usize),
    /// Those have to go who were there at an epoch.
    Wait(u64),
    /// All rows before those of this slot have been looked at, and those of its own on levels below this one.
    Rows(u32, usize),
}

/// A row whose slot chooses anew to whom it is linked.
struct Repair {
    level: usize,
    slot: u32,
    selection: Selection,
}

impl Sweep {
    pub(crate) fn new(graph: &Graph, tree: &mut Tree, gone: Vec<u32>) -> Sweep {
        tree.leave(graph, &gone);
        if let Some(root) = tree.root() {
            let_go(graph, root);
        }
        Sweep { gone, stage: Stage::HangUp(0, 0), repair: None, highest: None }
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
                Stage::HangUp(done, under) => match self.gone.get(done) {
                    Some(slot) => match hang_up_elsewhere(graph, tree, *slot, under) {
                        Some(count) => {
                            *budget = budget.saturating_sub(1 + count);
                            Stage::HangUp(done, under + 1)
                        }
                        None => {
                            *budget -= 1;
                            Stage::HangUp(done + 1, 0)
                        }
                    },
                    None => Stage::Wait(graph.pins.now()),
                },
                Stage::Wait(then) if graph.pins.is_over(then) => Stage::Rows(0, 0),
                Stage::Wait(_) => return false,
                Stage::Rows(slot, _) if slot == graph.store.end() => return true,
                Stage::Rows(slot, level) => self.look_at(graph, tree, (slot, level), budget),
            };
        }
        false
    }

    /// Takes out of one row of a slot what is leaving, and what has been removed since, or goes on with that. Whoever comes to what leaves itself gets on
    /// from there.
    fn look_at(
        &mut self,
        graph: &Graph,
        tree: &Tree,
        (slot, level): (u32, usize),
        budget: &mut usize,
    ) -> Stage {
        let stays = |link: Link| is_there(graph, link.slot) || link.is_kept && !tree.is_leaving(link.slot);
        if let Some(repair) = &mut self.repair {
            if !repair.selection.step(graph.store.walked(), budget) {
                return Stage::Rows(slot, level);
            }
            self.repair.take().into_iter().for_each(|repair| repair.finish(graph, stays));
            return Stage::Rows(slot, level + 1);
        }
        let row = graph.links.row(level, slot).filter(|_| level > 0 || !tree.is_leaving(slot));
        let Some(row) = row else {
            *budget = budget.saturating_sub(usize::from(slot.is_multiple_of(ROWS_PER_DISTANCE)));
            self.has_seen(graph, slot);
            return Stage::Rows(slot + 1, 0);
        };
        if links(row, slot).all(stays) {
            return Stage::Rows(slot, level + 1);
        }
        self.repair = Repair::begin(graph, level, slot, stays, budget);
        Stage::Rows(slot, if self.repair.is_some() { level } else { level + 1 })
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

/// Hangs up elsewhere one of what hangs under a slot that leaves, whose row does not change any more; gives how many distances it took, `None` if there are no
/// more.
fn hang_up_elsewhere(graph: &Graph, tree: &mut Tree, leaving: u32, which: usize) -> Option<usize> {
    let slot = tree.under(graph, leaving).nth(which)?;
    if tree.root() == Some(slot) {
        return Some(0);
    }
    let plane = graph.store.walked();
    let rows = [graph.links.ground(slot), graph.links.ground(leaving)];
    let mut others: Vec<u32> = rows.into_iter().flat_map(slots).collect();
    others.sort_unstable();
    others.dedup();
    others.retain(|other| *other != slot && is_there(graph, *other));
    let mut near = Vec::with_capacity(others.len());
    plane.each(plane.ray(slot), &others, |other, distance| near.push(Near::new(other, distance)));
    near.sort_unstable();
    Some(near.len() + tree.hang(graph, slot, near.iter().map(|near| near.slot())).0)
}

impl Repair {
    /// Begins to take out of a row what does not stay; `None` if that is all.
    fn begin(
        graph: &Graph,
        level: usize,
        slot: u32,
        stays: impl Fn(Link) -> bool,
        budget: &mut usize,
    ) -> Option<Repair> {
        let row = graph.links.row(level, slot)?;
        let (staying, lost): (Vec<Link>, Vec<Link>) = links(row, slot).partition(|link| stays(*link));
        let kept: Vec<u32> = staying.iter().filter(|link| link.is_kept).map(|link| link.slot).collect();
        let mut near: Vec<u32> = staying.iter().map(|link| link.slot).collect();
        if !is_there(graph, slot) {
            // It will be walked through until the next sweep.
            near.retain(|other| !kept.contains(other));
            graph.former.keep(&graph.links, slot);
            rewrite(row, slot, stays, near);
            return None;
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
        *budget = budget.saturating_sub(near.len());
        sorted.sort_unstable();
        sorted.truncate(CANDIDATES_MAX);
        Some(Repair { level, slot, selection: Selection::new(sorted, row.len(), kept) })
    }

    /// Links anew. Meanwhile others may have linked back to the slot: what is kept of that stays, too.
    fn finish(self, graph: &Graph, stays: impl Fn(Link) -> bool) {
        let Repair { level, slot, selection } = self;
        let Some(row) = graph.links.row(level, slot) else { return };
        graph.former.keep(&graph.links, slot);
        let is_kept = |other: &u32| links(row, slot).any(|link| link.slot == *other && link.is_kept);
        let chosen: Vec<u32> = selection.finish().0.into_iter().filter(|other| !is_kept(other)).collect();
        rewrite(row, slot, stays, chosen);
    }
}
