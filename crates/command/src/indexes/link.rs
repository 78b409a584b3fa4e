//! Vectors are found as soon as they are there, and linked in their graphs later, in slices of bounded length, by whichever shard is awake.

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
