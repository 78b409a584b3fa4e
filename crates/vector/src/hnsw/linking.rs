//! How a vector is linked, in steps (Malkov and Yashunin, algorithm 1).
//!
//! On each of its levels, from the highest down, it looks for what is near and chooses whom to link to. Then it has each of them link back. Who
//! has as many links as it may have chooses anew among them and the new one.

use super::Graph;
use super::links::{Link, add, links, rewrite, write};
use super::select::Selection;
use super::tree::Tree;
use super::walk::{Goal, Near, Walk};
use std::sync::atomic::Ordering::Relaxed;

/// A vector that is being linked.
pub(crate) struct Linking {
    slot: u32,
    /// Its highest level.
    level: usize,
    /// How many candidates it looks for.
    ef: usize,
    /// Whom it has chosen, of each level that it has looked at, the highest first.
    chosen: Vec<Vec<u32>>,
    /// Among whom it chooses, while it does.
    selection: Option<Selection>,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    /// Nobody has been asked yet.
    Begin,
    /// It looks for what is near, on its way down or on the level that is named.
    Look(usize),
    /// It chooses on a level among what it has found.
    Choose(usize),
    /// Those it has chosen on a level link back; so many have done so.
    LinkBack { level: usize, done: usize },
}

impl Linking {
    /// Begins to link a slot, which has empty rows up to `level`.
    pub(crate) fn new(slot: u32, level: usize, ef: usize) -> Linking {
        Linking { slot, level, ef, chosen: Vec::new(), selection: None, stage: Stage::Begin }
    }

    pub(crate) fn slot(&self) -> u32 {
        self.slot
    }

    /// Goes on for about so many distances. `None` when it is linked.
    pub(crate) fn step(
        mut self,
        graph: &Graph,
        tree: &mut Tree,
        walk: &mut Walk,
        budget: &mut usize,
    ) -> Option<Linking> {
        while *budget > 0 {
            self.stage = match self.stage {
                Stage::Begin => {
                    let Some(entry) = graph.links.entry() else {
                        tree.hang(graph, self.slot, std::iter::empty());
                        graph.links.set_entry(Some((self.slot, self.level)));
                        return None;
                    };
                    walk.begin(graph, graph.store.walked().ray(self.slot), entry, self.goal(graph));
                    walk.pass_over(self.slot);
                    Stage::Look(self.level.min(entry.1))
                }
                Stage::Look(level) => {
                    let query = graph.store.walked().ray(self.slot);
                    if !walk.step(graph, query, level, budget, &|_| true) {
                        Stage::Look(level)
                    } else {
                        self.selection = Some(self.begin_selection(graph, walk));
                        Stage::Choose(level)
                    }
                }
                Stage::Choose(level) => {
                    let selection = self.selection.as_mut().expect("it has found some to choose among");
                    if selection.step(graph.store.walked(), budget) {
                        self.link_to_chosen(graph, tree, level, budget);
                        self.after_look(graph, walk, level)
                    } else {
                        Stage::Choose(level)
                    }
                }
                Stage::LinkBack { level, done } => {
                    let Some(chosen) = self.chosen.last() else {
                        self.rise(graph);
                        return None;
                    };
                    match chosen.get(done) {
                        Some(other) => {
                            link_back(graph, level, *other, self.slot, budget);
                            Stage::LinkBack { level, done: done + 1 }
                        }
                        None => {
                            self.chosen.pop();
                            Stage::LinkBack { level: level + 1, done: 0 }
                        }
                    }
                }
            };
        }
        Some(self)
    }

    /// On to the next lower level; from the ground up others link back, so that whoever comes down to this one gets on from it.
    fn after_look(&self, graph: &Graph, walk: &mut Walk, level: usize) -> Stage {
        if level == 0 {
            return Stage::LinkBack { level: 0, done: 0 };
        }
        let starts: Vec<Near> = walk.found().collect();
        walk.go_on(graph, &starts, self.goal(graph));
        walk.pass_over(self.slot);
        Stage::Look(level - 1)
    }

    fn goal(&self, graph: &Graph) -> Goal {
        // What was removed would take the places of those that can be linked to.
        if graph.removed.load(Relaxed) > 0 { Goal::NearestThatPass(self.ef) } else { Goal::Nearest(self.ef) }
    }

    /// Begins to choose among what the walk has found.
    fn begin_selection(&self, graph: &Graph, walk: &Walk) -> Selection {
        let near = walk.found().filter(|near| self.is_other_and_there(graph, near.slot())).collect();
        Selection::new(near, graph.parameters.m, Vec::new())
    }

    /// Whether a slot is there and is not this one.
    fn is_other_and_there(&self, graph: &Graph, slot: u32) -> bool {
        graph.store.label(slot).is_some() && slot != self.slot
    }

    /// Links to those it has chosen.
    fn link_to_chosen(&mut self, graph: &Graph, tree: &mut Tree, level: usize, budget: &mut usize) {
        let Some(selection) = self.selection.take() else { return };
        if let Some(row) = graph.links.row(level, self.slot) {
            write(row, selection.chosen().iter().copied());
        }
        if level == 0 {
            // Some may have been removed while it chose.
            let near = selection.near().iter().map(|near| near.slot());
            let near = near.filter(|slot| self.is_other_and_there(graph, *slot));
            let (count, is_root) = tree.hang(graph, self.slot, near);
            *budget = budget.saturating_sub(count);
            // If nothing else stays, nothing leads here.
            if is_root {
                graph.links.set_entry(Some((self.slot, self.level)));
            }
        }
        self.chosen.push(selection.finish().0);
    }

    /// Whoever reaches highest is where walks begin.
    fn rise(&self, graph: &Graph) {
        if graph.links.entry().is_none_or(|(_, top)| self.level > top) {
            graph.links.set_entry(Some((self.slot, self.level)));
        }
    }
}

/// Has `from` link to `to`, if it has room for that or finds it better than what it has.
fn link_back(graph: &Graph, level: usize, from: u32, to: u32, budget: &mut usize) {
    let Some(row) = graph.links.row(level, from) else { return };
    let linked: Vec<Link> = links(row, from).collect();
    if linked.iter().any(|link| link.slot == to) {
        return;
    }
    graph.former.keep(&graph.links, from);
    if add(row, from, Link { slot: to, is_kept: false, is_up: false }) {
        *budget = budget.saturating_sub(1);
        return;
    }
    let plane = graph.store.walked();
    let kept: Vec<u32> = linked.iter().filter(|link| link.is_kept).map(|link| link.slot).collect();
    let others: Vec<u32> = linked.iter().map(|link| link.slot).chain([to]).collect();
    let mut near = Vec::with_capacity(others.len());
    plane.each(plane.ray(from), &others, |slot, distance| near.push(Near::new(slot, distance)));
    near.sort_unstable();
    *budget = budget.saturating_sub(near.len());
    // In one piece, for there are few.
    let mut left = usize::MAX;
    let mut selection = Selection::new(near, row.len(), kept);
    while !selection.step(plane, &mut left) {}
    *budget = budget.saturating_sub(usize::MAX - left);
    let (chosen, kept) = selection.finish();
    rewrite(row, from, |_| true, chosen.into_iter().filter(|slot| !kept.contains(slot)));
}
