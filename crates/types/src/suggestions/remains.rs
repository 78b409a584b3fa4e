//! What is left of many suggestions that no key has any more.

use super::{Entry, Leaf, Suggestions};
use crate::remains::Effort;

/// Entries that are freed in one step.
const STEP: usize = 64;

/// Suggestions on their way out.
pub(crate) struct SuggestionsRemains {
    entries: Vec<Option<Entry>>,
    leaves: Vec<Leaf>,
    text_bytes: usize,
    /// Heap bytes beside those of texts and payloads.
    other_bytes: usize,
}

impl Suggestions {
    /// What is left to be freed step by step; `None` of few, which are freed now.
    pub(crate) fn into_remains(self) -> Option<SuggestionsRemains> {
        let other_bytes = self.frame_bytes();
        (self.effort() > 1).then_some(SuggestionsRemains {
            entries: self.entries,
            leaves: self.leaves,
            text_bytes: self.text_bytes,
            other_bytes,
        })
    }
}

impl Effort for Suggestions {
    fn effort(&self) -> usize {
        self.entries.len()
    }
}

impl SuggestionsRemains {
    /// Heap bytes not yet freed.
    pub fn bytes(&self) -> usize {
        self.other_bytes + self.text_bytes
    }

    /// Frees some texts, then the leaves; false if nothing was left.
    pub fn free_step(&mut self) -> bool {
        if !self.entries.is_empty() {
            let rest = self.entries.len().saturating_sub(STEP);
            self.text_bytes -=
                self.entries.drain(rest..).flatten().map(|entry| entry.heap_bytes()).sum::<usize>();
            return true;
        }
        let has_more = self.leaves.capacity() > 0;
        self.leaves.truncate(self.leaves.len().saturating_sub(STEP));
        if self.leaves.is_empty() {
            (self.entries, self.leaves) = (Vec::new(), Vec::new());
            self.other_bytes = 0;
        }
        has_more
    }
}
