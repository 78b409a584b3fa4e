//! What is left of a graph that nobody needs any more. It goes in the chunks that its arrays are made of (`rows`): each is at most a 32nd of
//! its array.

use super::{Graph, Hnsw};
use std::sync::Arc;

/// A graph on its way out.
pub struct Remains {
    /// `None` if there is nothing left, or if who still searches has it.
    graph: Option<Box<Graph>>,
    bytes: usize,
}

impl Hnsw {
    /// What is left to be freed step by step. As long as somebody has a [`Reader`](super::Reader) or a [`Loan`](super::Loan) of it, that one keeps the
    /// graph, and frees it.
    pub fn into_remains(self) -> Remains {
        let bytes = self.bytes() - size_of::<Hnsw>();
        Remains { graph: Arc::into_inner(self.graph).map(Box::new), bytes }
    }
}

impl Remains {
    /// Heap bytes that are not freed yet.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Frees a chunk; false if nothing was left.
    pub fn free_step(&mut self) -> bool {
        let Some(graph) = &mut self.graph else {
            return std::mem::take(&mut self.bytes) > 0;
        };
        let rows = graph.store.free_chunk().or_else(|| graph.links.free_chunk());
        match rows.or_else(|| graph.loans.free_chunk()) {
            Some(bytes) => self.bytes = self.bytes.saturating_sub(bytes),
            None => (self.graph, self.bytes) = (None, 0),
        }
        true
    }
}
