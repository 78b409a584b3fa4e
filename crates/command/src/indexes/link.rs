//! Vectors are found as soon as they are there, and linked in their graphs later, in slices of bounded length, by whichever shard is awake.
//!
//! Searches look at each that is not linked yet. So while these are too many, a connection that writes documents has its turn only when some are linked: it
//! is not read meanwhile (`server::shard_loop::slowed`). What it has sent is done as ever.

use super::{Indexes, ShardIndex};
use crate::ShardCx;
use crate::spec::flag;
use crate::{Args, Command};
use search::schema::Kind;

/// Distances between two looks at the clock: 5 to 20 µs.
const DISTANCES: usize = 64;
/// A slice ends after this time, as one of a search does: what else the shard is asked for does not wait longer.
const NANOS_MAX: u64 = 50_000;
/// The same while there are searches as well, which have their slice in the same turn.
const NANOS_BESIDE_SEARCHES: u64 = 20_000;

impl Indexes {
    /// Whether vectors wait for their links in any graph, whichever shard they came from.
    pub fn have_links_to_make(&self) -> bool {
        self.by_name.values().any(|index| index.index.has_vector_work())
    }

    /// Whether they were too many in some graph when this was last looked at.
    #[inline]
    pub fn are_links_behind(&self) -> bool {
        self.links_behind
    }

    /// Looks at it.
    pub fn see_links(&mut self) {
        self.links_behind = self.by_name.values().any(|index| index.index.has_vector_backlog());
    }

    /// Whether a command that writes a key of database 0 may add a vector to such a graph: the key may be a document of its index, and if it writes fields
    /// of a hash it names one with vectors.
    pub fn may_add_to_links(&self, command: &Command, args: Args<'_>, key: &[u8]) -> bool {
        let names = |path: &[u8]| (2..args.len()).any(|at| args.at(at) == path);
        let has_one = |index: &ShardIndex| {
            let mut vectors =
                index.index.schema().fields.iter().filter(|field| matches!(field.kind, Kind::Vector(_)));
            match command.group {
                "hash" => vectors.any(|field| names(&field.path)),
                // Of the others only what brings a whole value: RESTORE and COPY may need memory, RENAME and its kind need none.
                "generic" => command.flags & flag::DENYOOM != 0 || command.name.starts_with("RENAME"),
                _ => true,
            }
        };
        let mut behind = self.by_name.values().filter(|index| index.index.has_vector_backlog());
        behind.any(|index| index.definition.has_prefix_of(key) && has_one(index))
    }
}

impl ShardCx {
    /// Links vectors for a bounded time, `beside_searches` a shorter one; whether there is more to do.
    pub fn link_for_indexes(&mut self, beside_searches: bool) -> bool {
        if !self.indexes.have_links_to_make() {
            self.indexes.links_behind = false;
            return false;
        }
        let nanos_max = if beside_searches { NANOS_BESIDE_SEARCHES } else { NANOS_MAX };
        let clock_ns = self.platform.clock_ns;
        let begun_ns = clock_ns();
        let indexes = &mut self.indexes;
        let count = indexes.by_name.len();
        // From where the last slice has ended: every index has its turn.
        let mut done = 0;
        let next = indexes.next_linked;
        for index in indexes.by_name.values().cycle().skip(next % count) {
            indexes.next_linked = (indexes.next_linked + 1) % count;
            done = if index.index.vector_work(DISTANCES) { 0 } else { done + 1 };
            if done == count || clock_ns().saturating_sub(begun_ns) >= nanos_max {
                break;
            }
        }
        self.indexes.see_links();
        done < count
    }
}
