//! The walk through a graph to what is near (Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical
//! Navigable Small World graphs", 2016, algorithms 2 and 5), in steps.
//!
//! On the upper levels it goes to the nearest neighbour as long as that is nearer. On the level that it is to search it keeps the `ef`
//! nearest it has met and goes on from the nearest it has not been at, until it has been at all of them. What is kept stands in order in
//! one array: with the few hundred there are, moving some of them costs less than a heap.

use super::Graph;
use super::links::slots;
use crate::kernel::prefetch;
use crate::plane::Plane;
use crate::space::Ray;
use crate::top::{number_f32, order_f32};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A slot and how far it is: the order of the distance, the slot, and a bit for whether the walk has been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Near(u64);

impl Near {
    #[inline(always)]
    pub(crate) fn new(slot: u32, distance: f64) -> Near {
        Near(u64::from(order_f32(distance as f32)) << 32 | u64::from(slot) << 1)
    }

    #[inline(always)]
    pub(crate) fn slot(self) -> u32 {
        self.0 as u32 >> 1
    }

    pub(crate) fn distance(self) -> f64 {
        number_f32((self.0 >> 32) as u32).into()
    }

    fn is_done(self) -> bool {
        self.0 & 1 == 1
    }
}

/// The nearest that a walk has met, nearest first.
#[derive(Default)]
struct Pool {
    most: usize,
    near: Vec<Near>,
    /// The walk has been at all before this one.
    next: usize,
}

impl Pool {
    fn begin(&mut self, most: usize) {
        self.near.clear();
        (self.most, self.next) = (most, 0);
    }

    #[inline(always)]
    fn is_too_far(&self, near: Near) -> bool {
        self.near.len() == self.most && self.near.last().is_none_or(|last| near >= *last)
    }

    #[inline]
    fn add(&mut self, near: Near) {
        if self.is_too_far(near) {
            return;
        }
        if self.near.len() == self.most {
            self.near.pop();
        }
        let at = self.near.partition_point(|it| *it < near);
        self.near.insert(at, near);
        self.next = self.next.min(at);
    }

    /// Where the walk has not been, without going there.
    #[inline]
    fn ahead(&mut self) -> Option<Near> {
        while self.near.get(self.next)?.is_done() {
            self.next += 1;
        }
        Some(self.near[self.next])
    }

    fn take(&mut self) -> Option<Near> {
        let near = self.ahead()?;
        self.near[self.next].0 |= 1;
        Some(near)
    }
}

/// Which slots a walk has met: a byte for each, and the number of the walk, so that nothing need be cleared.
#[derive(Default)]
struct Met {
    walks: Vec<u8>,
    walk: u8,
}

impl Met {
    fn begin(&mut self, end: u32) {
        if self.walk == u8::MAX {
            self.walks.fill(0);
            self.walk = 0;
        }
        self.walk += 1;
        if self.walks.len() < end as usize {
            self.walks.resize(end as usize, 0);
        }
    }

    /// Whether the slot is met for the first time.
    #[inline(always)]
    fn add(&mut self, slot: u32) -> bool {
        if let Some(walk) = self.walks.get_mut(slot as usize) {
            return std::mem::replace(walk, self.walk) != self.walk;
        }
        self.grow(slot)
    }

    /// A slot that came after the walk had begun.
    #[cold]
    fn grow(&mut self, slot: u32) -> bool {
        self.walks.resize(slot as usize + 1, 0);
        self.walks[slot as usize] = self.walk;
        true
    }
}

/// What a walk keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    /// The nearest it meets, whatever they are.
    Nearest(usize),
    /// The nearest that pass. It goes through the others as long as they are nearer than the last of those.
    NearestThatPass(usize),
    /// All within the radius that pass. It goes on up to a share of that radius beyond.
    Within { radius: f64, epsilon: f64 },
}

/// A walk, and the memory it needs, to be used again and again.
#[derive(Default)]
pub(crate) struct Walk {
    goal: Option<Goal>,
    pool: Pool,
    met: Met,
    /// Where to go next, if that is more than what is kept.
    ahead: BinaryHeap<Reverse<Near>>,
    found: Vec<Near>,
    /// How near the walk has come, if it is to find a range.
    nearest: f64,
    fresh: Vec<u32>,
    /// On the way down: where it is, and on which level it looks around.
    down: Option<(Near, usize)>,
}

impl Walk {
    /// Begins at `entry`, a slot and its level, which is not below the one that is to be searched.
    pub(crate) fn begin(&mut self, graph: &Graph, query: Ray, entry: (u32, usize), goal: Goal) {
        self.clear(graph, goal);
        let near = Near::new(entry.0, graph.store.walked().distance(query, entry.0));
        self.down = Some((near, entry.1));
    }

    /// Begins on a level where the walk is already, at what the last one has found.
    pub(crate) fn go_on(&mut self, graph: &Graph, starts: &[Near], goal: Goal) {
        self.clear(graph, goal);
        for near in starts {
            self.met.add(near.slot());
            self.keep(graph, *near, &|_| true);
        }
    }

    fn clear(&mut self, graph: &Graph, goal: Goal) {
        self.goal = Some(goal);
        let most = match goal {
            Goal::Nearest(most) | Goal::NearestThatPass(most) => most,
            Goal::Within { .. } => 0,
        };
        self.pool.begin(most);
        self.met.begin(graph.store.end());
        self.ahead.clear();
        self.found.clear();
        self.nearest = f64::INFINITY;
        self.down = None;
    }

    /// Slots that the walk shall take for met.
    pub(crate) fn pass_over(&mut self, slot: u32) {
        self.met.add(slot);
    }

    /// Goes on, on `level` once it is there, until about so many distances are computed. Says whether it has come to its end.
    pub(crate) fn step(
        &mut self,
        graph: &Graph,
        query: Ray,
        level: usize,
        budget: &mut usize,
        passes: &impl Fn(u32) -> bool,
    ) -> bool {
        let plane = graph.store.walked();
        while *budget > 0 {
            if let Some((near, at)) = self.down {
                self.go_down(graph, plane, query, (near, at), level, budget, passes);
                continue;
            }
            let Some(near) = self.next() else { return true };
            self.look_around(graph, plane, query, near.slot(), level, passes);
            *budget = budget.saturating_sub(self.fresh.len().max(1));
        }
        false
    }

    #[expect(clippy::too_many_arguments, reason = "one step of `step`")]
    fn go_down(
        &mut self,
        graph: &Graph,
        plane: &Plane,
        query: Ray,
        (near, at): (Near, usize),
        level: usize,
        budget: &mut usize,
        passes: &impl Fn(u32) -> bool,
    ) {
        let mut best = near;
        self.fresh.clear();
        if at > level {
            self.fresh.extend(graph.links.row(at, near.slot()).into_iter().flat_map(slots));
        }
        plane.each(query, &self.fresh, |slot, distance| best = best.min(Near::new(slot, distance)));
        *budget = budget.saturating_sub(self.fresh.len().max(1));
        if best.slot() != near.slot() {
            self.down = Some((best, at));
        } else if at > level + 1 {
            self.down = Some((near, at - 1));
        } else {
            self.arrive(graph, near, passes);
        }
    }

    /// Comes to the level that is to be searched.
    fn arrive(&mut self, graph: &Graph, near: Near, passes: &impl Fn(u32) -> bool) {
        self.down = None;
        self.met.add(near.slot());
        self.keep(graph, near, passes);
    }

    /// Where to go next, if anywhere.
    #[inline]
    fn next(&mut self) -> Option<Near> {
        match self.goal? {
            Goal::Nearest(_) => self.pool.take(),
            Goal::NearestThatPass(_) => {
                let Reverse(near) = self.ahead.pop()?;
                if self.pool.is_too_far(near) { None } else { Some(near) }
            }
            Goal::Within { radius, epsilon } => {
                let Reverse(near) = self.ahead.pop()?;
                // Outside the radius, on the way to it, nearer is good enough.
                let limit = radius.max(self.nearest);
                if near.distance() > limit + limit.abs() * epsilon { None } else { Some(near) }
            }
        }
    }

    /// Looks at those that a slot is linked to.
    #[inline]
    fn look_around(
        &mut self,
        graph: &Graph,
        plane: &Plane,
        query: Ray,
        slot: u32,
        level: usize,
        passes: &impl Fn(u32) -> bool,
    ) {
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.clear();
        if let Some(row) = graph.links.row(level, slot) {
            for slot in slots(row) {
                if self.met.add(slot) {
                    plane.prefetch(slot);
                    fresh.push(slot);
                }
            }
        }
        // If nothing nearer turns up, the walk will be there next.
        if let Some(next) = self.pool.ahead()
            && let Some(row) = graph.links.row(level, next.slot())
        {
            row.chunks(16).for_each(prefetch);
        }
        plane.each(query, &fresh, |slot, distance| self.keep(graph, Near::new(slot, distance), passes));
        self.fresh = fresh;
    }

    /// Keeps what is worth it.
    #[inline(always)]
    fn keep(&mut self, graph: &Graph, near: Near, passes: &impl Fn(u32) -> bool) {
        let is_found = |near: Near| graph.store.label(near.slot()).is_some_and(passes);
        match self.goal {
            Some(Goal::Nearest(_)) => self.pool.add(near),
            Some(Goal::NearestThatPass(_)) if self.pool.is_too_far(near) => {}
            Some(Goal::NearestThatPass(_)) => {
                self.ahead.push(Reverse(near));
                if is_found(near) {
                    self.pool.add(near);
                }
            }
            Some(Goal::Within { radius, epsilon }) => {
                let distance = near.distance();
                self.nearest = self.nearest.min(distance);
                let limit = radius.max(self.nearest);
                if distance <= limit + limit.abs() * epsilon {
                    self.ahead.push(Reverse(near));
                }
                if distance <= radius && is_found(near) {
                    self.found.push(near);
                }
            }
            None => {}
        }
    }

    /// What has been found, nearest first; of a range, in no order.
    pub(crate) fn found(&self) -> impl Iterator<Item = Near> {
        self.pool.near.iter().chain(&self.found).map(|near| Near(near.0 & !1))
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.met.walks.capacity() + (self.pool.near.capacity() + self.found.capacity()) * size_of::<Near>()
    }
}
