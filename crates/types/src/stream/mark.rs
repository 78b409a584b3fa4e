//! How far a stream had come before entries were added: as long as nothing else is done, it can be cut back to that, at a cost that
//! does not grow with the stream.

use super::id::StreamId;
use super::log::LogMark;
use super::{Stream, Trim, TrimTo};

/// A state of a stream, of use until something is done to it other than adding entries.
#[derive(Clone, Copy, Debug)]
pub struct StreamMark {
    log: LogMark,
    len: u64,
    first_id: StreamId,
    last_id: StreamId,
    entries_added: u64,
}

impl Stream {
    pub fn mark(&self) -> StreamMark {
        StreamMark {
            log: self.log.mark(),
            len: self.len,
            first_id: self.first_id,
            last_id: self.last_id,
            entries_added: self.entries_added,
        }
    }

    /// Takes back the entries that were added since the mark, and their memory: it is as it was.
    pub fn cut_back(&mut self, mark: StreamMark) {
        self.log.cut_back(mark.log);
        (self.len, self.entries_added) = (mark.len, mark.entries_added);
        (self.first_id, self.last_id) = (mark.first_id, mark.last_id);
    }

    /// Whether it is certain that this trim removes nothing after one more entry has been added.
    pub fn outlasts(&self, trim: Trim) -> bool {
        let Some(block) = self.log.first_place().map(|place| self.log.get(place)) else { return false };
        match trim.to {
            TrimTo::Len(max) if self.len < max => true,
            // A block goes as a whole, if what is left is enough.
            TrimTo::Len(max) => trim.approximate && self.len + 1 - (block.live() as u64) < max,
            TrimTo::Id(min) if trim.approximate => block.last_id() >= min,
            TrimTo::Id(min) => self.len > 0 && self.first_id >= min,
        }
    }
}
