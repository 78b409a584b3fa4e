//! The version of a segment, for snapshots: a number that says up to which snapshot its records are written down.
//!
//! It is ready for them and used by nobody yet but tests: the one who walks over the table will go by cursor, who changes a
//! record in between by its `Pos`. A version is 0 at first and kept by both halves of a split; segments of different versions
//! are never merged. Overflow segments have that of the segment they belong to.

use crate::position::from_cursor;
use crate::{Layout, Pos, Table};

impl<L: Layout> Table<L> {
    /// The version of the segment that holds the record.
    #[inline]
    pub fn version(&self, pos: Pos) -> u64 {
        self.header(pos).version
    }

    #[inline]
    pub fn set_version(&mut self, pos: Pos, version: u64) {
        self.header_mut(pos).version = version;
    }

    /// The version of the segment at `cursor`.
    pub fn version_at(&self, cursor: u64) -> u64 {
        self.directory.view(from_cursor(cursor)).0.header().version
    }

    pub fn set_version_at(&mut self, cursor: u64, version: u64) {
        self.directory.view_mut(from_cursor(cursor)).0.header_mut().version = version;
    }
}
