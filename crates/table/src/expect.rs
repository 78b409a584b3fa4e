//! Room for records that are known to come: the table takes the shape it will have, without a split or a copy on the way.

use crate::Layout;
use crate::position::stretch_share;
use crate::segment::{LEN_MAX, class_for_heap, heap_capacity};
use crate::size::CLASS_MAX;
use crate::table::Table;

/// A segment that is expected to be fuller than this is split beforehand: what comes spreads by some four percent.
const LEN_EXPECTED: f64 = LEN_MAX as f64 * 0.88;
/// As much of the largest heap.
const HEAP_SHARE: f64 = 0.9;
/// What a block has beyond what its records are expected to take.
const SPREAD: f64 = 1.03;

impl<L: Layout> Table<L> {
    /// Makes room for so many records in all, of so many bytes in all. It is a hint: what comes beyond finds room as ever, and room
    /// that is not needed is given back only when records go.
    pub fn expect(&mut self, records: usize, bytes: usize) {
        if records > self.len {
            self.expect_from(0, 0, records as f64, bytes as f64);
        }
    }

    /// The same for the stretch of positions of a depth that begins at `prefix`.
    fn expect_from(&mut self, prefix: u64, depth: u32, records: f64, bytes: f64) {
        let share = stretch_share(prefix, depth);
        let (own, own_bytes) = (records * share, bytes * share);
        let is_full =
            own > LEN_EXPECTED || own_bytes > heap_capacity::<L::Meta>(CLASS_MAX) as f64 * HEAP_SHARE;
        let found = self.directory.view(prefix).1;
        if found > depth || is_full && depth < self.depth_max {
            if found == depth {
                self.split(prefix);
            }
            self.expect_from(prefix, depth + 1, records, bytes);
            self.expect_from(prefix | 1 << (63 - depth), depth + 1, records, bytes);
            return;
        }
        let class = class_for_heap::<L::Meta>((own_bytes * SPREAD) as usize).unwrap_or(CLASS_MAX);
        if class > self.directory.view(prefix).0.header().class {
            self.resize(prefix, class);
        }
    }
}
