//! Hierarchical navigable small worlds: a graph that is walked to the nearest vectors.
//!
//! One owner ([`Hnsw`]) adds, links and removes; any number of readers ([`Reader`]) search meanwhile, on other threads too, and wait for nobody.
//!
//! - What is added is found at once: it enters the *tail*, which every search looks through, and is linked in steps (`linking`).
//! - What is removed is not found any more. Who is linked to it is linked anew by the next *sweep* over all rows; then, when nobody is
//!   left who may know of it (`pins`), its slot is used again.
//! - Linking, sweeping and searching go in steps, whose length is counted in distances computed, so that the owner's and the readers' threads
//!   can do other things in between. Which steps come when changes what is found a little, but never that there is a graph.
//!
//! The invariants: a slot is free, in the tail, being linked, linked, or waits for its release. A link leads to a slot that is linked, is being
//! linked, or waits for a sweep that has not begun or not ended. From wherever a walk comes to the ground links lead to everything that is linked
//! (`tree`). Rows, labels and links of a slot change only before anybody can
//! know of it, but for the links of those that are linked.

mod former;
mod linking;
mod links;
mod loans;
mod parameters;
#[cfg(test)]
mod reach;
mod remains;
mod remember;
mod save;
mod search;
mod select;
mod sweep;
mod tail;
mod tree;
mod walk;

pub use former::LinksAt;
pub use loans::Loan;
pub use parameters::{M_MAX, Parameters};
pub use remains::Remains;
pub use save::Saved;
pub use search::{Reader, Search, Wish};

use crate::pins::Pins;
use crate::store::{By, Slots, Store};
use crate::{Error, Slot, Space};
use base::random::Random;
use former::Former;
use linking::Linking;
use links::{Links, Places};
use loans::Loans;
use remember::Remembered;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use sweep::Sweep;
use tail::Tail;
use tree::Tree;
use walk::Walk;

/// No vector reaches higher.
const LEVEL_MAX: usize = 24;
/// How much longer than it should be a tail may become.
const TAIL_SLACK: usize = 4;
/// A sweep begins when one of so many slots waits for it.
const SWEEP_SHARE: usize = 50;
/// From one of so many on those who write should wait.
const BEHIND_SHARE: usize = 25;
/// With so many times as much those who write do some of the work themselves.
const FAR_BEHIND: usize = 3;
/// So many slots are freed in one step.
const RELEASE_MAX: usize = 64;

/// What owner and readers share.
pub(crate) struct Graph {
    pub store: Store,
    pub links: Links,
    pub tail: Tail,
    pub pins: Arc<Pins>,
    pub loans: Loans,
    pub former: Former,
    pub parameters: Parameters,
    /// How many linked slots have been removed and not been swept yet.
    pub removed: AtomicU32,
}

/// A graph, in the hands of its owner.
pub struct Hnsw {
    graph: Arc<Graph>,
    slots: Slots,
    places: Places,
    tree: Tree,
    levels: Random,
    /// How many candidates for links who is linked next looks for.
    ef_construction: usize,
    linking: Option<Linking>,
    sweep: Option<Sweep>,
    /// Linked slots that have been removed since the last sweep began.
    removed: Vec<u32>,
    /// What waits until those have gone who were there at an epoch.
    leaving: VecDeque<(u64, Vec<u32>)>,
    leaving_count: usize,
    /// Bytes of the counts of loans.
    loans_bytes: usize,
    /// Links of vectors that are to come back.
    remembered: Option<Box<Remembered>>,
    walk: Walk,
}

impl Hnsw {
    pub fn new(space: Space, parameters: Parameters) -> Result<Hnsw, Error> {
        parameters.check()?;
        let graph = Graph {
            store: Store::new(space, if parameters.by_codes { By::Codes } else { By::Halves })?,
            links: Links::new(parameters.m),
            tail: Tail::new(parameters.tail_max * TAIL_SLACK),
            pins: Arc::default(),
            loans: Loans::default(),
            former: Former::default(),
            parameters,
            removed: AtomicU32::new(0),
        };
        Ok(Hnsw {
            graph: Arc::new(graph),
            slots: Slots::default(),
            places: Places::default(),
            tree: Tree::default(),
            levels: Random::from_seed(parameters.seed),
            ef_construction: parameters.ef_construction,
            linking: None,
            sweep: None,
            removed: Vec::new(),
            leaving: VecDeque::new(),
            leaving_count: 0,
            loans_bytes: 0,
            remembered: None,
            walk: Walk::default(),
        })
    }

    /// One who searches; each thread has its own.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.graph))
    }

    pub fn space(&self) -> &Space {
        &self.graph.store.space
    }

    pub fn parameters(&self) -> &Parameters {
        &self.graph.parameters
    }

    pub fn len(&self) -> usize {
        self.slots.len
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// From now on who is linked looks for so many candidates: for callers that say so with each vector. What is being linked goes on as
    /// it began.
    ///
    /// # Errors
    /// As for [`Parameters::ef_construction`].
    pub fn set_ef_construction(&mut self, ef_construction: usize) -> Result<(), Error> {
        Parameters { ef_construction, ..*self.parameters() }.check()?;
        self.ef_construction = ef_construction;
        Ok(())
    }

    /// How many vectors are not linked yet.
    pub fn tail_len(&self) -> usize {
        self.graph.tail.len()
    }

    /// The highest level, which tells how long the way down is.
    pub fn level(&self) -> usize {
        self.graph.links.entry().map_or(0, |(_, level)| level)
    }

    /// Bytes of memory, without those that readers have for themselves.
    pub fn bytes(&self) -> usize {
        let waiting =
            self.removed.capacity() + self.leaving.iter().map(|(_, some)| some.capacity()).sum::<usize>();
        let own =
            size_of::<Hnsw>() + size_of::<Graph>() + self.graph.tail.bytes() + waiting * size_of::<u32>();
        own + self.slots.bytes()
            + self.places.bytes()
            + self.tree.bytes()
            + self.walk.bytes()
            + self.loans_bytes
    }

    /// Bytes of the vectors that are on loan, for whom the borrowers account, too.
    pub fn lent_bytes(&self) -> usize {
        self.graph.loans.len() * self.space().sent_bytes()
    }

    pub fn label(&self, slot: Slot) -> Option<u32> {
        self.graph.store.label(slot.0)
    }

    /// The bytes that were sent; of codes, what they stand for.
    pub fn vector(&self, slot: Slot) -> Option<Vec<u8>> {
        self.label(slot)?;
        Some(self.graph.store.vector(slot.0))
    }

    /// The bytes that are kept of a vector: those that were sent, or their code.
    pub fn kept(&self, slot: Slot) -> Option<Cow<'_, [u8]>> {
        self.label(slot)?;
        Some(self.graph.store.kept(slot.0))
    }

    /// The vectors that a vector is linked to on a level, in no order; `None` above its own.
    pub fn links(&self, slot: Slot, level: usize) -> Option<impl Iterator<Item = Slot> + '_> {
        self.label(slot)?;
        let row = self.graph.links.row(level, slot.0)?;
        Some(links::slots(row).map(Slot).filter(move |other| *other != slot && self.label(*other).is_some()))
    }

    /// The vectors that a vector is linked to on a level, and how far they are; `None` above its own.
    pub fn neighbours(&self, slot: Slot, level: usize) -> Option<Vec<(Slot, f64)>> {
        self.label(slot)?;
        let row = self.graph.links.row(level, slot.0)?;
        let there = links::slots(row).filter(|other| *other != slot.0 && self.label(Slot(*other)).is_some());
        Some(self.graph.store.distances(slot.0, there))
    }

    /// Adds a vector as a client sent it. It is found from now on.
    pub fn insert(&mut self, label: u32, sent: &[u8]) -> Result<Slot, Error> {
        let slot = self.slots.put(&self.graph.store, label, sent)?;
        match self.remembered {
            None => self.enter_tail(slot),
            Some(_) => self.come_back(slot, sent),
        }
        Ok(Slot(slot))
    }

    /// A vector in its slot is found from now on, and linked some time.
    fn enter_tail(&mut self, slot: u32) {
        // A caller that does not wait when it is behind waits here.
        while self.graph.tail.is_full() {
            self.link(usize::MAX);
        }
        self.places.make(&self.graph.links, slot, 0);
        self.graph.tail.push(slot);
    }

    /// Puts a vector in the place of another. The slot stays the same if the bytes do.
    pub fn replace(&mut self, slot: Slot, label: u32, sent: &[u8]) -> Result<Slot, Error> {
        let old = self.label(slot).ok_or(Error::NoSuchSlot)?;
        if old == label && self.vector(slot).is_some_and(|vector| vector == sent) {
            return Ok(slot);
        }
        let new = self.insert(label, sent)?;
        self.remove(slot)?;
        Ok(new)
    }

    /// Removes a vector. It is not found from now on.
    pub fn remove(&mut self, slot: Slot) -> Result<(), Error> {
        // What has come back can go only once it is linked.
        self.link_remembered();
        self.slots.forget(&self.graph.store, slot.0)?;
        if self.linking.as_ref().is_some_and(|linking| linking.slot() == slot.0) {
            self.linking = None;
            self.graph.tail.pop();
            self.removed.push(slot.0);
        } else if !self.graph.tail.contains(slot.0) {
            self.removed.push(slot.0);
        }
        self.tell_removed();
        Ok(())
    }

    /// Tells those who search how much of what they meet has been removed.
    fn tell_removed(&self) {
        let swept = self.sweep.as_ref().map_or(0, Sweep::len);
        self.graph.removed.store((self.removed.len() + swept) as u32, Relaxed);
    }

    /// Whether those who add or remove should wait until some of the work is done.
    pub fn is_behind(&self) -> bool {
        self.has_backlog(1)
    }

    /// Whether that is so much that they should do some of it themselves.
    pub fn is_far_behind(&self) -> bool {
        self.has_backlog(FAR_BEHIND)
    }

    /// Whether `times` as much waits as should.
    fn has_backlog(&self, times: usize) -> bool {
        let waiting = self.waiting();
        self.tail_len() > self.graph.parameters.tail_max * times
            || waiting > 64 * times && waiting * BEHIND_SHARE > (self.slots.len + waiting) * times
    }

    /// How many slots are neither used nor free.
    fn waiting(&self) -> usize {
        let swept = self.sweep.as_ref().map_or(0, Sweep::len);
        self.removed.len() + swept + self.leaving_count
    }

    /// Links what was added and repairs what was removed, until about `budget` distances have been computed. Says whether there is more to do
    /// now; what waits for a search to end is not.
    pub fn work(&mut self, budget: usize) -> bool {
        if self.remembered.is_some() {
            return false;
        }
        let mut left = budget.max(1);
        self.release();
        while left > 0 {
            let before = left;
            if self.linking.is_some() || !self.can_sweep() && self.graph.tail.len() > 0 {
                left = self.link(left);
            } else if self.can_sweep() {
                // What was added meanwhile has its turn between two steps of a sweep.
                let half = if self.graph.tail.len() > 0 { left / 2 } else { 0 };
                left = self.sweep_on(left - half) + half;
                if half > 0 {
                    left = self.link(left);
                }
            }
            if left == before {
                break;
            }
        }
        self.linking.is_some() || self.graph.tail.len() > 0 || self.can_sweep() || self.can_release()
    }

    /// Does all there is to do, with whatever was removed, but for what waits for a search to end.
    pub fn finish(&mut self) {
        while self.work(usize::MAX) {}
        while match &self.sweep {
            Some(sweep) => !sweep.is_waiting(&self.graph),
            None => !self.removed.is_empty(),
        } {
            self.sweep_on(usize::MAX);
        }
        while self.can_release() {
            self.release();
        }
    }

    /// Whether a sweep is under way and does not wait, or should begin.
    fn can_sweep(&self) -> bool {
        match &self.sweep {
            Some(sweep) => !sweep.is_waiting(&self.graph),
            None => self.removed.len() * SWEEP_SHARE > self.slots.len,
        }
    }

    /// Goes on with the first one of the tail; gives what is left of the budget.
    fn link(&mut self, budget: usize) -> usize {
        let mut left = budget;
        let linking = match self.linking.take() {
            Some(linking) => linking,
            None => {
                let Some(slot) = self.graph.tail.first() else { return left };
                if self.graph.store.label(slot).is_none() {
                    // Removed before it was linked.
                    self.graph.tail.pop();
                    self.leave(vec![slot]);
                    return left - 1;
                }
                let level = self.draw_level();
                self.places.make(&self.graph.links, slot, level);
                Linking::new(slot, level, self.ef_construction)
            }
        };
        let slot = linking.slot();
        match linking.step(&self.graph, &mut self.tree, &mut self.walk, &mut left) {
            Some(linking) => self.linking = Some(linking),
            None => {
                self.graph.tail.pop();
                if let Some(sweep) = &mut self.sweep {
                    sweep.has_seen(&self.graph, slot);
                }
            }
        }
        left
    }

    /// Level `n` and above with the probability `m^-n`.
    fn draw_level(&mut self) -> usize {
        let drawn = -(1.0 - self.levels.unit_f64()).ln() / (self.graph.parameters.m as f64).ln();
        (drawn as usize).min(LEVEL_MAX)
    }

    /// Goes on with the sweep, or begins one; gives what is left of the budget.
    fn sweep_on(&mut self, budget: usize) -> usize {
        let mut left = budget;
        let (graph, tree, removed) = (&self.graph, &mut self.tree, &mut self.removed);
        let sweep = self.sweep.get_or_insert_with(|| Sweep::new(graph, tree, std::mem::take(removed)));
        if sweep.step(graph, tree, &mut left)
            && let Some(sweep) = self.sweep.take()
        {
            let gone = sweep.finish(&self.graph, &mut self.tree);
            self.leave(gone);
            self.tell_removed();
        }
        left
    }

    /// Nothing leads to these slots any more.
    fn leave(&mut self, slots: Vec<u32>) {
        self.leaving_count += slots.len();
        self.leaving.push_back((self.graph.pins.now(), slots));
        self.release();
    }

    /// The vector in a slot, as it was sent, for as long as who asks for it keeps it; `None` if there is none, or if only its code is kept.
    pub fn lend(&mut self, slot: Slot) -> Option<Loan> {
        self.label(slot)?;
        if !self.graph.store.keeps_what_was_sent() {
            return None;
        }
        let (loan, bytes) = Loan::new(&self.graph, slot.0);
        self.loans_bytes += bytes;
        Some(loan)
    }

    /// Whether there are slots of which nobody can know any more.
    fn can_release(&self) -> bool {
        self.leaving.front().is_some_and(|(then, _)| self.graph.pins.is_over(*then))
    }

    /// Frees some of what nobody can know of any more.
    fn release(&mut self) {
        let mut left = RELEASE_MAX;
        while left > 0
            && self.can_release()
            && let Some((_, slots)) = self.leaving.front_mut()
        {
            let some = slots.split_off(slots.len().saturating_sub(left));
            if slots.is_empty() {
                self.leaving.pop_front();
            }
            left -= some.len();
            self.leaving_count -= some.len();
            for slot in some {
                self.places.release(&self.graph.links, slot);
                if self.graph.loans.let_go(slot) {
                    self.slots.release(slot);
                }
            }
        }
        self.graph.loans.take_returned().into_iter().for_each(|slot| self.slots.release(slot));
    }
}
