//! Vectors are found as soon as they are there, and linked in their graphs later, in slices of bounded length, by whichever shard is awake.
//!
//! Searches look at each that is not linked yet. So when these are too many, whoever would add more waits with its connection (`shard::pause`) until some are
//! linked; the shard goes on, and nobody else waits.

use super::Indexes;
use crate::ShardCx;

/// Distances between two looks at the clock: 10 to 30 µs.
const DISTANCES: usize = 128;
/// A slice ends after this time, as one of a search does: what else the shard is asked for does not wait longer.
const NANOS_MAX: u64 = 50_000;

impl Indexes {
    /// Whether vectors wait for their links in any graph, whichever shard they came from.
    pub fn have_links_to_make(&self) -> bool {
        self.by_name.values().any(|index| index.index.has_vector_work())
    }

    /// Whether some graph had too many of them when this was last looked at.
    #[inline]
    pub fn are_links_behind(&self) -> bool {
        self.links_behind
    }

    /// Looks at it.
    pub fn see_links(&mut self) {
        self.links_behind = self.by_name.values().any(|index| index.index.has_vector_backlog());
    }

    /// Whether a key may be a document of an index with such a graph.
    pub fn adds_to_links(&self, key: &[u8]) -> bool {
        let mut behind = self.by_name.values().filter(|index| index.index.has_vector_backlog());
        behind.any(|index| index.definition.has_prefix_of(key))
    }
}

impl ShardCx {
    /// Links vectors for a bounded time; whether there is more to do.
    pub fn link_for_indexes(&mut self) -> bool {
        if !self.indexes.have_links_to_make() {
            return false;
        }
        let clock_ns = self.platform.clock_ns;
        let begun_ns = clock_ns();
        loop {
            let mut more = false;
            for index in self.indexes.by_name.values() {
                more |= index.index.vector_work(DISTANCES);
            }
            if !more || clock_ns().saturating_sub(begun_ns) >= NANOS_MAX {
                return more;
            }
        }
    }
}
