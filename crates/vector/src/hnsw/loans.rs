//! Vectors that are lent: their documents read them here instead of keeping a copy of their own.
//!
//! A loan may outlast the vector's stay in the graph, and the graph itself: its slot is not used again before all of its loans have come back. Loans
//! are made by the owner; anybody may read what he has on loan and give it back, on any thread.
//!
//! For each slot there is a count of its loans, and a mark that says that the graph has let go of it. Who gives the last loan of such a slot back
//! hands the slot over to the owner. So between the two each slot becomes free once.

use super::Graph;
use crate::rows::Grow;
use std::fmt;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

/// The graph has let go of the slot.
const LET_GO: u32 = 1 << 31;

/// Which slots are lent.
pub(crate) struct Loans {
    /// Made for those that have ever been lent.
    counts: Grow<AtomicU32>,
    /// How many loans there are.
    len: AtomicUsize,
    /// Slots that the graph had let go of before their last loan came back.
    returned: Mutex<Vec<u32>>,
}

impl Default for Loans {
    fn default() -> Self {
        Self { counts: Grow::new(1), len: AtomicUsize::new(0), returned: Mutex::default() }
    }
}

impl Loans {
    fn returned(&self) -> MutexGuard<'_, Vec<u32>> {
        self.returned.lock().expect("nobody panics who has it")
    }

    /// The graph lets go of a slot; whether nobody has it on loan. Else it will be among [`Loans::take_returned`]. For the owner alone.
    pub fn let_go(&self, slot: u32) -> bool {
        let Some([count]) = self.counts.find(slot) else { return true };
        // Acquire: what the last borrower has read was read before the slot is written again.
        let is_free = count.fetch_or(LET_GO, AcqRel) == 0;
        if is_free {
            count.store(0, Relaxed);
        }
        is_free
    }

    /// Slots that have become free by their loans' end. For the owner alone.
    pub fn take_returned(&self) -> Vec<u32> {
        let returned = std::mem::take(&mut *self.returned());
        for slot in &returned {
            self.counts.get(*slot)[0].store(0, Relaxed);
        }
        returned
    }

    /// How many loans there are.
    pub fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    fn give_back(&self, slot: u32) {
        self.len.fetch_sub(1, Relaxed);
        if self.counts.get(slot)[0].fetch_sub(1, AcqRel) == LET_GO + 1 {
            self.returned().push(slot);
        }
    }

    /// As [`Grow::free_chunk`].
    pub fn free_chunk(&mut self) -> Option<usize> {
        self.counts.free_chunk()
    }
}

/// A vector on loan: it can be read until this is dropped.
pub struct Loan {
    graph: Arc<Graph>,
    slot: u32,
}

impl Loan {
    /// Lends a slot that has a vector, and gives the bytes that were allocated for it. For the owner alone.
    pub(super) fn new(graph: &Arc<Graph>, slot: u32) -> (Self, usize) {
        let bytes = graph.loans.counts.make(slot);
        graph.loans.counts.get(slot)[0].fetch_add(1, Relaxed);
        graph.loans.len.fetch_add(1, Relaxed);
        (Self { graph: Arc::clone(graph), slot }, bytes)
    }

    /// Bytes of the vector as it was sent.
    pub fn sent_bytes(&self) -> usize {
        self.graph.store.space.sent_bytes()
    }

    /// The vector as it was sent.
    pub fn to_vec(&self) -> Vec<u8> {
        self.graph.store.vector(self.slot)
    }

    /// Whether it is of that slot of that graph.
    pub(super) fn is_of(&self, graph: &Arc<Graph>, slot: u32) -> bool {
        self.slot == slot && Arc::ptr_eq(&self.graph, graph)
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.graph.loans.give_back(self.slot);
    }
}

impl fmt::Debug for Loan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loan").field("slot", &self.slot).finish_non_exhaustive()
    }
}
