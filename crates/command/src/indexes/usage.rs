//! How often an index was asked. Of a command that comes to all shards one counts, so the counts of shards are added up.

use super::{ShardIndex, index_not_found};
use crate::{Error, ShardCx};
use search::query::Dialect;

/// What FT.INFO tells of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// FT.SEARCH and its kind, and reads of cursors.
    pub queries: u64,
    /// Commands about the index.
    pub admin: u64,
    /// Whether it was asked in a dialect, from 1 on.
    pub dialects: [bool; Self::DIALECTS],
}

impl Usage {
    /// How many dialects there are.
    pub const DIALECTS: usize = 4;
}

impl ShardCx {
    /// The index of that name or alias, after all that has changed, for a command about it.
    ///
    /// # Errors
    /// There is none.
    pub fn index_for_admin(&mut self, name: &[u8]) -> Result<&mut ShardIndex, Error> {
        self.count_admin(name);
        self.index(name)
    }

    /// A command that comes to all shards asks an index, if there is one of that name.
    pub fn count_query(&mut self, name: &[u8]) {
        self.count_usage(name, |usage| usage.queries += 1);
    }

    /// A command that comes to all shards is about an index, if there is one of that name.
    pub fn count_admin(&mut self, name: &[u8]) {
        self.count_usage(name, |usage| usage.admin += 1);
    }

    /// A query of it was read in a dialect.
    pub fn count_dialect(&mut self, name: &[u8], dialect: Dialect) {
        self.count_usage(name, |usage| usage.dialects[dialect as usize] = true);
    }

    fn count_usage(&mut self, name: &[u8], count: impl FnOnce(&mut Usage)) {
        if self.id == 0
            && let Some(index) = self.indexes.get_mut(name)
        {
            count(&mut index.usage);
        }
    }

    /// The index of that name or alias, after all that has changed, for a read of a cursor on this shard alone.
    ///
    /// # Errors
    /// There is none.
    pub fn index_for_read(&mut self, name: &[u8]) -> Result<&mut ShardIndex, Error> {
        self.settle_indexes();
        let index = self.indexes.get_mut(name).ok_or_else(|| index_not_found(name))?;
        index.usage.queries += 1;
        Ok(index)
    }
}
