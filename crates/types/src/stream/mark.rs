//! How far a stream had come before entries were added: as long as nothing else is done, it can be cut back to that, at a cost that
//! does not grow with the stream. Trims at its front may come between, if copies of the blocks that they touch are kept.

use super::block::Block;
use super::id::StreamId;
use super::log::LogMark;
use super::{References, Stream, Trim, TrimTo};

/// A state of a stream, of use until something is done to it other than adding entries, and trimming what a [`StreamFront`] has kept.
#[derive(Clone, Copy, Debug)]
pub struct StreamMark {
    log: LogMark,
    /// Where the last block begins.
    last_block: Option<StreamId>,
    len: u64,
    first_id: StreamId,
    last_id: StreamId,
    entries_added: u64,
}

/// Blocks at the front of a stream, as they were before trims removed or changed them.
#[derive(Clone, Debug, Default)]
pub struct StreamFront {
    /// Ascending.
    blocks: Vec<Block>,
    bytes: usize,
}

impl StreamFront {
    /// Heap bytes of the blocks.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn keep(&mut self, block: &Block) {
        if self.blocks.last().is_none_or(|last| last.master < block.master) {
            self.bytes += block.bytes();
            self.blocks.push(block.clone());
        }
    }
}

impl Stream {
    pub fn mark(&self) -> StreamMark {
        StreamMark {
            log: self.log.mark(),
            last_block: self.log.last().map(|block| block.master),
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

    /// Adds to `front` what this trim may take, one more entry having been added perhaps. False if that is not only of blocks that
    /// were complete at the mark, or more than `bytes_max`, or if the trim does something to groups.
    pub fn keep_front(
        &self,
        trim: Trim,
        mark: &StreamMark,
        front: &mut StreamFront,
        bytes_max: usize,
    ) -> bool {
        if trim.references != References::Keep && !self.groups.is_empty() {
            return false;
        }
        let (mut left, mut removed) = (self.len + 1, 0);
        let mut next = self.log.first_place();
        while let Some(place) = next {
            let block = self.log.get(place);
            let live = block.live() as u64;
            let (is_done, is_whole) = match trim.to {
                TrimTo::Len(max) => (left <= max, left - live >= max),
                TrimTo::Id(min) => (false, block.last_id() < min),
            };
            let is_too_much = trim.limit != 0 && removed + live > trim.limit;
            if is_done || is_too_much || trim.approximate && !is_whole {
                break;
            }
            if mark.last_block.is_none_or(|last| block.master >= last) {
                return false;
            }
            front.keep(block);
            if front.bytes > bytes_max {
                return false;
            }
            if !is_whole {
                break;
            }
            (left, removed) = (left - live, removed + live);
            next = self.log.next(place);
        }
        true
    }

    /// Puts back what trims have taken; to be followed by [`Stream::cut_back`].
    pub fn put_front(&mut self, front: StreamFront) {
        front.blocks.into_iter().rev().for_each(|block| self.log.restore(block));
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
