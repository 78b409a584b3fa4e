//! Which pending entries have been so for the longest time.

use super::{Delivery, Pending};
use crate::stream::StreamId;
use std::collections::BinaryHeap;

/// What was given back comes first, in the order it was; then the longest idle, and of equals the lower ID.
type Rank = (bool, u64, StreamId);

fn rank(id: StreamId, delivery: Delivery) -> Rank {
    (delivery.consumer.is_some(), delivery.at, id)
}

impl Pending {
    /// At most `count` entries that were given back, or delivered at `until_ms` or before: the longest idle first.
    pub fn oldest(&mut self, until_ms: u64, count: usize) -> Vec<StreamId> {
        if self.len == 0 || self.oldest_ms > until_ms || count == 0 {
            return Vec::new();
        }
        // The next look need not go further than what is found now.
        self.oldest_ms = u64::MAX;
        let mut chunks: Vec<(u64, usize)> = Vec::new();
        for (index, chunk) in self.chunks.iter().enumerate() {
            self.oldest_ms = self.oldest_ms.min(chunk.oldest_ms);
            if chunk.oldest_ms <= until_ms {
                chunks.push((chunk.oldest_ms, index));
            }
        }
        chunks.sort_unstable();
        let mut found: BinaryHeap<Rank> = BinaryHeap::new();
        for (oldest_ms, index) in chunks {
            // What was given back counts as of time 0, so with only such found, every chunk that has some is looked at.
            let is_past = |worst: &Rank| oldest_ms > if worst.0 { worst.1 } else { 0 };
            if found.len() == count && found.peek().is_some_and(is_past) {
                break;
            }
            let chunk = &mut self.chunks[index];
            let mut exact_ms = u64::MAX;
            for (id, delivery) in chunk.iter_from(StreamId::MIN) {
                exact_ms = exact_ms.min(delivery.at_ms());
                if delivery.at_ms() > until_ms {
                    continue;
                }
                found.push(rank(id, delivery));
                if found.len() > count {
                    found.pop();
                }
            }
            chunk.oldest_ms = exact_ms;
        }
        found.into_sorted_vec().into_iter().map(|(_, _, id)| id).collect()
    }

    /// Nothing has been pending since before this (unix ms; 0 if something was given back); `None` if nothing is pending.
    pub fn oldest_ms(&self) -> Option<u64> {
        (self.len > 0).then(|| self.chunks.iter().map(|chunk| chunk.oldest_ms).min().unwrap_or(0))
    }
}
