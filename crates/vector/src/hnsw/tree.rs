//! Why everything that is linked is in reach: a tree, kept among the links on the ground.
//!
//! Rows have room for few links, and whoever chooses anew may drop the last one that leads somewhere; the rule by which it chooses knows nothing of that. So each
//! linked slot but one, the root, has a slot that it *hangs under*: both link to each other on the ground, and those two links are kept. Who
//! comes to the ground anywhere gets everywhere, however the other links are chosen.
//!
//! What was removed stays in the tree until a sweep takes it out (see `sweep`). It is *leaving* then: what hangs under it is hung
//! up elsewhere, and the tree is whole again without it. A search that has begun before may have read some rows as they were and reads others
//! as they will be. For its sake the links of the tree as it was are kept as well, until all such searches have ended, and the rows of
//! what leaves do not change any more.
//!
//! In a row of `n` places at most `n / 2 - 1` are for what hangs under a slot. While a sweep hangs up anew there may be as many that have been there before, the way up,
//! and the former way up, so that all of it always fits.

use super::Graph;
use super::links::{Link, add, exchange, links, slots};
use super::walk::Near;

/// A way up that is longer is not followed to its end.
const WAY_UP_MAX: usize = 256;
/// So many of those that are near are asked for room.
const ASKED_MAX: usize = 16;

/// What the owner knows of the tree besides the links.
#[derive(Default)]
pub(crate) struct Tree {
    root: Option<u32>,
    /// A bit for each slot: whether it is leaving.
    leaving: Vec<u64>,
}

impl Tree {
    pub(crate) fn bytes(&self) -> usize {
        self.leaving.capacity() * size_of::<u64>()
    }

    pub(crate) fn root(&self) -> Option<u32> {
        self.root
    }

    pub(crate) fn is_leaving(&self, slot: u32) -> bool {
        let word = self.leaving.get(slot as usize / 64).copied().unwrap_or_default();
        word >> (slot % 64) & 1 == 1
    }

    /// These slots are leaving from now on. If the root is one of them, one that hangs under them and stays takes its place.
    pub(crate) fn leave(&mut self, graph: &Graph, slots: &[u32]) {
        self.leaving.resize(graph.store.end().div_ceil(64) as usize, 0);
        for slot in slots {
            self.leaving[*slot as usize / 64] |= 1 << (slot % 64);
        }
        if self.root.is_some_and(|root| self.is_leaving(root)) {
            self.root = slots.iter().find_map(|slot| self.under(graph, *slot).next());
        }
    }

    /// These have left.
    pub(crate) fn have_left(&mut self, slots: &[u32]) {
        for slot in slots {
            self.leaving[*slot as usize / 64] &= !(1 << (slot % 64));
        }
    }

    /// What hangs under a slot and is not leaving.
    pub(crate) fn under<'a>(&'a self, graph: &'a Graph, slot: u32) -> impl Iterator<Item = u32> + 'a {
        let is_under = |link: &Link| link.is_kept && !link.is_up && !self.is_leaving(link.slot);
        links(graph.links.ground(slot), slot).filter(is_under).map(|link| link.slot)
    }

    /// What a slot hangs under, if that is not leaving.
    fn over(&self, graph: &Graph, slot: u32) -> Option<u32> {
        up(graph, slot).filter(|over| !self.is_leaving(*over))
    }

    fn has_room(&self, graph: &Graph, slot: u32) -> bool {
        self.under(graph, slot).count() < graph.links.ground(slot).len() / 2 - 1
    }

    /// Whether a slot is known to hang in another tree than under `top`, which hangs under nothing.
    fn is_elsewhere(&self, graph: &Graph, slot: u32, top: u32) -> bool {
        let mut at = slot;
        for _ in 0..WAY_UP_MAX {
            if at == top {
                return false;
            }
            match self.over(graph, at) {
                Some(over) => at = over,
                None => return true,
            }
        }
        false
    }

    /// Hangs a slot, which hangs under nothing that stays, under the first of `near` that can take it, or else anywhere. Gives how many
    /// distances it took, and whether it has become the root instead.
    pub(crate) fn hang(
        &mut self,
        graph: &Graph,
        slot: u32,
        near: impl Iterator<Item = u32>,
    ) -> (usize, bool) {
        let Some(root) = self.root.filter(|root| *root != slot) else {
            self.root = Some(slot);
            return (0, true);
        };
        let is_alone = self.under(graph, slot).next().is_none();
        let is_fit =
            |over: &u32| self.has_room(graph, *over) && (is_alone || self.is_elsewhere(graph, *over, slot));
        if let Some(over) = near.take(ASKED_MAX).find(is_fit) {
            return (tie(graph, slot, over), false);
        }
        // Down from the root, where this one does not hang, towards it. Whoever has nothing under it has room.
        let (mut over, mut count) = (root, 0);
        let plane = graph.store.walked();
        while !self.has_room(graph, over) {
            let under: Vec<u32> = self.under(graph, over).collect();
            count += under.len();
            let mut nearest = None;
            plane.each(plane.ray(slot), &under, |other, distance| {
                nearest = nearest.into_iter().chain([Near::new(other, distance)]).min();
            });
            let Some(next) = nearest else { break };
            over = next.slot();
        }
        (count + tie(graph, slot, over), false)
    }
}

/// What a slot hangs under.
fn up(graph: &Graph, slot: u32) -> Option<u32> {
    links(graph.links.ground(slot), slot).find(|link| link.is_up).map(|link| link.slot)
}

/// The links of a slot on the ground, what it hangs under first.
pub(crate) fn up_first(graph: &Graph, slot: u32) -> impl Iterator<Item = u32> {
    let up = up(graph, slot);
    let others = slots(graph.links.ground(slot)).filter(move |other| *other != slot && Some(*other) != up);
    up.into_iter().chain(others)
}

/// Lets go of the way up; the link is kept.
pub(crate) fn let_go(graph: &Graph, slot: u32) {
    if let Some(over) = up(graph, slot) {
        exchange(graph.links.ground(slot), over, Link { slot: over, is_kept: true, is_up: false });
    }
}

/// Links two slots to each other for good; gives how many distances that took.
fn tie(graph: &Graph, slot: u32, over: u32) -> usize {
    let_go(graph, slot);
    keep(graph, slot, Link { slot: over, is_kept: true, is_up: true })
        + keep(graph, over, Link { slot, is_kept: true, is_up: false })
}

/// Sees to it that a slot has a link. If there is no room the farthest one that is not kept makes room.
fn keep(graph: &Graph, slot: u32, link: Link) -> usize {
    let row = graph.links.ground(slot);
    graph.former.keep(&graph.links, slot);
    if exchange(row, link.slot, link) || add(row, slot, link) {
        return 0;
    }
    let plane = graph.store.walked();
    let others: Vec<u32> = links(row, slot).filter(|link| !link.is_kept).map(|link| link.slot).collect();
    let mut farthest = None;
    plane.each(plane.ray(slot), &others, |other, distance| {
        farthest = farthest.into_iter().chain([Near::new(other, distance)]).max();
    });
    let farthest = farthest.expect("a row has more places than links are kept");
    exchange(row, farthest.slot(), link);
    others.len()
}
