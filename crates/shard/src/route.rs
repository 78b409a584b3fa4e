//! Which shard a command belongs to.

use base::slot::key_slot;
use command::state::SLOTS;
use command::{Args, Command};

/// The slot table: which shard has which slot. Contiguous ranges, as even as can be.
#[derive(Clone, Copy, Debug)]
pub struct SlotMap {
    shards: u16,
}

impl SlotMap {
    pub fn new(shards: u16) -> Self {
        assert!(shards > 0 && u32::from(shards) <= SLOTS);
        Self { shards }
    }

    #[inline]
    pub fn shard_of_slot(self, slot: u16) -> u16 {
        (u32::from(slot) * u32::from(self.shards) / SLOTS) as u16
    }

    #[inline]
    pub fn shard_of(self, key: &[u8]) -> u16 {
        if self.shards == 1 { 0 } else { self.shard_of_slot(key_slot(key)) }
    }
}

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
    command::args::parse_cursor(cursor).map_or(0, |c| (c % u64::from(shards)) as u16)
}

/// How many arguments belong to each key of a split command (MSET: two).
pub fn split_step(command: &Command) -> usize {
    match command.keys {
        [command::spec::KeySpec { find: command::spec::Find::Range { step, .. }, .. }] => *step as usize,
        _ => 1,
    }
}
