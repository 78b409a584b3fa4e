//! One graph in the hands of several threads: all of them add, remove, search and link.
//!
//! [`Hnsw`] has one owner at a time. Who adds or removes becomes the owner for as long as that takes, by a lock; who links does so for one step of
//! at most [`STEP`] distances. So nobody waits longer for the lock than such a step of each other thread takes, and searches ([`Reader`]) do
//! not look at it at all. The lock is what makes the `&mut Hnsw` of each owner the only one, and what the last owner has done known to the next:
//! all that `store`, `links` and `pins` ask of *the owner* is asked of whoever holds it.
//!
//! A thread may ask a vector's distance by its slot, outside of a search. It pins itself meanwhile, like a search.

use crate::{Error, Hnsw, Loan, Reader, Slot, Space};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard};

/// Distances that are computed while the lock is held, about.
pub const STEP: usize = 256;
/// So many steps at most are taken by who adds while linking is behind.
const STEPS_MAX: usize = 64;

/// What all handles of a graph share.
pub struct Shared {
    owner: Mutex<Hnsw>,
    /// Whether something is to be linked or repaired.
    has_work: AtomicBool,
    /// Whether that is so much that those who write should wait. Only while there is some.
    is_behind: AtomicBool,
    /// How many threads have brought back what they remember.
    complete: AtomicUsize,
}

/// A graph as one thread has it.
pub struct Handle {
    shared: Arc<Shared>,
    reader: Reader,
}

impl Shared {
    pub fn new(graph: Hnsw) -> Arc<Shared> {
        Arc::new(Shared {
            owner: Mutex::new(graph),
            has_work: AtomicBool::new(false),
            is_behind: AtomicBool::new(false),
            complete: AtomicUsize::new(0),
        })
    }

    fn owner(&self) -> MutexGuard<'_, Hnsw> {
        self.owner.lock().expect("who has panicked as the owner has ended the process")
    }

    /// Tells whether there is something to do, and whether it is too much. For the owner.
    fn tell(&self, graph: &Hnsw, has_work: bool) {
        self.has_work.store(has_work, Release);
        self.is_behind.store(has_work && graph.is_behind(), Release);
    }

    /// A handle for another thread.
    pub fn handle(self: &Arc<Self>) -> Handle {
        let reader = self.owner().reader();
        Handle { shared: Arc::clone(self), reader }
    }
}

impl Handle {
    /// What other handles can be made of.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub fn reader(&mut self) -> &mut Reader {
        &mut self.reader
    }

    pub fn space(&self) -> &Space {
        self.reader.space()
    }

    /// Vectors of all threads.
    pub fn len(&self) -> usize {
        self.shared.owner().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory, without those that readers have for themselves.
    pub fn bytes(&self) -> usize {
        self.shared.owner().bytes()
    }

    /// As [`Hnsw::lent_bytes`].
    pub fn lent_bytes(&self) -> usize {
        self.shared.owner().lent_bytes()
    }

    /// Vectors that are not linked yet.
    pub fn tail_len(&self) -> usize {
        self.reader.tail_len()
    }

    /// Adds a vector as a client sent it. It is found from now on, by all threads.
    pub fn insert(&self, label: u32, sent: &[u8]) -> Result<Slot, Error> {
        self.change(|graph| graph.insert(label, sent))
    }

    /// Puts a vector in the place of another. The slot stays the same if the bytes do.
    pub fn replace(&self, slot: Slot, label: u32, sent: &[u8]) -> Result<Slot, Error> {
        self.change(|graph| graph.replace(slot, label, sent))
    }

    /// Removes a vector. It is not found from now on.
    pub fn remove(&self, slot: Slot) -> Result<(), Error> {
        self.change(|graph| graph.remove(slot))
    }

    /// As [`Hnsw::lend`].
    pub fn lend(&self, slot: Slot) -> Option<Loan> {
        self.shared.owner().lend(slot)
    }

    /// Whether a loan is of that slot of this graph.
    pub fn has_lent(&self, slot: Slot, loan: &Loan) -> bool {
        self.reader.has_lent(slot, loan)
    }

    /// As [`Hnsw::save_links`].
    pub fn save_links(&self, those: &[Slot], out: &mut Vec<u8>) {
        self.shared.owner().save_links(those, out);
    }

    /// As [`Hnsw::remember`].
    pub fn remember(&self, saved: &[u8]) -> Result<(), Error> {
        self.shared.owner().remember(saved)
    }

    /// One of so many threads has brought back all it has; the last one links what is remembered. Until then nobody searches.
    pub fn has_all_back(&self, threads: usize) {
        if self.shared.complete.fetch_add(1, AcqRel) + 1 == threads {
            self.shared.owner().link_remembered();
            self.shared.has_work.store(true, Release);
        }
    }

    /// Changes the graph. Who should wait and does not links about as much as it has added once linking is far behind, so that the tail stays short.
    fn change<T>(&self, change: impl FnOnce(&mut Hnsw) -> Result<T, Error>) -> Result<T, Error> {
        let mut graph = self.shared.owner();
        let done = change(&mut graph)?;
        let tail_len = graph.tail_len();
        let is_far_behind = graph.is_far_behind();
        self.shared.tell(&graph, true);
        drop(graph);
        if is_far_behind {
            for _ in 0..STEPS_MAX {
                let mut graph = self.shared.owner();
                let more = graph.work(STEP);
                self.shared.tell(&graph, more);
                if !more || graph.tail_len() < tail_len || !graph.is_far_behind() {
                    break;
                }
            }
        }
        Ok(done)
    }

    /// Whether something is to be linked or repaired. Looks at no lock.
    pub fn has_work(&self) -> bool {
        self.shared.has_work.load(Acquire)
    }

    /// Whether that is so much that those who add or remove should wait until some of it is done. Looks at no lock. What waits for a search to end
    /// does not count: it is not known when somebody looks at that again.
    pub fn is_behind(&self) -> bool {
        self.shared.is_behind.load(Acquire)
    }

    /// Links and repairs until about `budget` distances have been computed, in steps between which others may become the owner. Says whether there is
    /// more to do.
    pub fn work(&self, budget: usize) -> bool {
        let mut left = budget.max(1);
        while left > 0 {
            let mut graph = self.shared.owner();
            let step = left.min(STEP);
            let more = graph.work(step);
            // Still the owner: who adds something says so afterwards.
            self.shared.tell(&graph, more);
            if !more {
                return false;
            }
            left -= step;
        }
        true
    }

    /// How far the vector in a slot is from a query; `None` if there is none.
    ///
    /// # Errors
    /// For a query that is not a vector of this space.
    pub fn distance(&self, query: &[u8], slot: Slot) -> Result<Option<f64>, Error> {
        self.reader.distance(query, slot)
    }
}
