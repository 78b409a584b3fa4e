//! Which shard a command belongs to.

use base::slot::SlotMap;
use command::{Args, Command};

/// Where the keys of a command are, in memory that serves for the next command again.
#[derive(Default)]
pub struct Places {
    /// Where they stand among the arguments.
    pub indexes: Vec<usize>,
    /// The shard of each.
    pub shards: Vec<u16>,
}

impl Places {
    /// Finds the keys of a command and their shards. The one shard that has all of them, `otherwise` if there are none (a wrong
    /// count of keys is the handler's to complain about, in its own words); `None` if they are on several.
    pub fn find(&mut self, map: SlotMap, command: &Command, args: Args<'_>, otherwise: u16) -> Option<u16> {
        self.indexes.clear();
        self.shards.clear();
        if command.key_indexes(&args, &mut self.indexes).is_err() {
            return Some(otherwise);
        }
        self.shards.extend(self.indexes.iter().map(|&index| map.shard_of(args.at(index))));
        let Some((&first, rest)) = self.shards.split_first() else { return Some(otherwise) };
        rest.iter().all(|&shard| shard == first).then_some(first)
    }

    /// Keeps no more than what usual commands need.
    pub fn shrink(&mut self) {
        self.indexes.shrink_to(KEPT_KEYS_MAX);
        self.shards.shrink_to(KEPT_KEYS_MAX);
    }
}

/// So many keys' places are kept at most.
const KEPT_KEYS_MAX: usize = 1024;

/// The shard a SCAN cursor names. Cursors are `position × shards + shard`.
pub fn cursor_shard(shards: u16, cursor: &[u8]) -> u16 {
    base::number::parse_u64_lenient(cursor).map_or(0, |c| (c % u64::from(shards)) as u16)
}
