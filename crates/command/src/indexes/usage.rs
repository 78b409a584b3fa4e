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

/// How often any index was asked, also those that have gone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// FT.SEARCH and its kind.
    pub queries: u64,
    /// Reads of cursors.
    pub cursor_reads: u64,
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
        self.touch(name);
        self.index(name)
    }

    /// A command that comes to all shards asks an index, if there is one of that name.
    pub fn count_query(&mut self, name: &[u8]) {
        self.indexes.asked.queries += u64::from(self.id == 0);
        self.count_usage(name, |usage| usage.queries += 1);
        self.touch(name);
    }

    /// A command that comes to all shards is about an index, if there is one of that name.
    pub fn count_admin(&mut self, name: &[u8]) {
        self.count_usage(name, |usage| usage.admin += 1);
    }

    /// A query of it was read in a dialect.
    pub fn count_dialect(&mut self, name: &[u8], dialect: Dialect) {
        self.count_usage(name, |usage| usage.dialects[dialect as usize] = true);
    }

    /// The time of a TEMPORARY index begins anew.
    fn touch(&mut self, name: &[u8]) {
        let now_us = self.now_us;
        if let Some(index) = self.indexes.get_mut(name) {
            index.used_us = now_us;
        }
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
        self.indexes.asked.cursor_reads += 1;
        let index = self.indexes.get_mut(name).ok_or_else(|| index_not_found(name))?;
        index.usage.queries += 1;
        Ok(index)
    }
}
