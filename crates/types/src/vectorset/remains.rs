//! What is left of a large vector set that no key has any more.

use super::{Entry, VectorSet};
use crate::remains::Effort;
use vector::{Hnsw, Remains as Graph};

/// Elements that are freed in one step.
const STEP: usize = 64;

/// A vector set on its way out.
pub(crate) struct VectorSetRemains {
    entries: Vec<Option<Entry>>,
    text_bytes: usize,
    graph: Graph,
    /// Heap bytes beside those of names, attributes and the graph.
    other_bytes: usize,
}

impl VectorSet {
    /// What is left to be freed step by step; `None` of a small one, which is freed now.
    pub(crate) fn into_remains(self) -> Option<VectorSetRemains> {
        let (bytes, text_bytes) = (self.bytes(), self.text_bytes);
        let other_bytes = bytes - text_bytes - (self.graph.bytes() - size_of::<Hnsw>());
        (self.effort() > 1).then_some(VectorSetRemains {
            entries: self.entries,
            text_bytes,
            graph: {
                // It would keep the graph.
                drop(self.reader);
                self.graph.into_remains()
            },
            other_bytes,
        })
    }
}

impl Effort for VectorSet {
    fn effort(&self) -> usize {
        self.len()
    }
}

impl VectorSetRemains {
    /// Heap bytes not yet freed.
    pub fn bytes(&self) -> usize {
        self.other_bytes + self.text_bytes + self.graph.bytes()
    }

    /// Frees some names and attributes, then a part of the graph; false if nothing was left.
    pub fn free_step(&mut self) -> bool {
        if self.entries.is_empty() {
            self.other_bytes = 0;
            return self.graph.free_step();
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
