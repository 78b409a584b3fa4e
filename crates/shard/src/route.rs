//! Which shard a command belongs to.

use base::slot::SlotMap;
use command::{Args, Command};

/// Where the keys of a command are.
pub enum Place {
    /// All on one shard (or there are none).
    One(u16),
    /// On several: the shard of each key, in order.
    Many(Vec<u16>),
}

/// Finds the shards of keys at `indexes`; without keys, `otherwise`.
pub fn place(map: SlotMap, args: Args<'_>, indexes: &[usize], otherwise: u16) -> Place {
    let Some((&first, rest)) = indexes.split_first() else { return Place::One(otherwise) };
    let shard = map.shard_of(&args[first]);
    if rest.iter().all(|&i| map.shard_of(&args[i]) == shard) {
        return Place::One(shard);
    }
    Place::Many(indexes.iter().map(|&i| map.shard_of(&args[i])).collect())
}

/// The shard a SCAN cursor names. Cursors are `position × shards + shard`.
pub fn cursor_shard(shards: u16, cursor: &[u8]) -> u16 {
    base::number::parse_u64_lenient(cursor).map_or(0, |c| (c % u64::from(shards)) as u16)
}

/// How many arguments belong to each key of a split command (MSET: two).
pub fn split_step(command: &Command) -> usize {
    match command.keys {
        [command::spec::KeySpec { find: command::spec::Find::Range { step, .. }, .. }] => *step as usize,
        _ => 1,
    }
}
