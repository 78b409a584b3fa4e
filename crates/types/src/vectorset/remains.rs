//! What is left of a large vector set that no key has any more.

use super::{Entry, VectorSet};
use crate::remains::Effort;
use vector::Hnsw;

/// Elements that are freed in one step.
const STEP: usize = 64;

/// A vector set on its way out.
pub(crate) struct VectorSetRemains {
    entries: Vec<Option<Entry>>,
    text_bytes: usize,
    graph: Option<Hnsw>,
    /// Heap bytes beside those of names, attributes and the graph.
    other_bytes: usize,
}

impl VectorSet {
    /// What is left to be freed step by step; `None` of a small one, which is freed now.
    pub(crate) fn into_remains(self) -> Option<VectorSetRemains> {
        let (bytes, text_bytes) = (self.bytes(), self.text_bytes);
        let other_bytes = bytes - text_bytes - graph_bytes(&self.graph);
        (self.effort() > 1).then_some(VectorSetRemains {
            entries: self.entries,
            text_bytes,
            graph: Some(self.graph),
            other_bytes,
        })
    }
}

fn graph_bytes(graph: &Hnsw) -> usize {
    graph.bytes() - size_of::<Hnsw>()
}

impl Effort for VectorSet {
    fn effort(&self) -> usize {
        self.len()
    }
}

impl VectorSetRemains {
    /// Heap bytes not yet freed.
    pub fn bytes(&self) -> usize {
        self.other_bytes + self.text_bytes + self.graph.as_ref().map_or(0, graph_bytes)
    }

    /// Frees some names and attributes, at last the graph; false if nothing was left.
    pub fn free_step(&mut self) -> bool {
        if self.entries.is_empty() {
            self.other_bytes = 0;
            return self.graph.take().is_some();
        }
        let rest = self.entries.len().saturating_sub(STEP);
        self.text_bytes -=
            self.entries.drain(rest..).flatten().map(|entry| entry.text_bytes()).sum::<usize>();
        if self.entries.is_empty() {
            self.entries = Vec::new();
            self.other_bytes = 0;
        }
        true
    }
}
