//! The blocks of a stream in the order of their ids: the last, which grows, stands by itself; those before it in a deque of
//! deques of bounded length, so that adding, trimming at the front and removing in the middle move a bounded number of them.

use super::block::{Block, BlockMark};
use super::id::StreamId;
use super::showing::LogShowing;
use std::collections::VecDeque;

/// Blocks in one row of the directory.
const ROW_BLOCKS_MAX: usize = 128;

/// Invariant: no row is empty; the ids of blocks ascend; without a last block there is none at all.
#[derive(Clone, Debug, Default)]
pub struct Log {
    rows: VecDeque<VecDeque<Block>>,
    last: Option<Block>,
    blocks: usize,
    /// Heap bytes of the blocks and the rows.
    bytes: usize,
    pub(super) showing: LogShowing,
}

/// Where a block stands; valid until blocks come or go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// As many as there are rows: the last block.
    row: usize,
    index: usize,
}

/// How far a log had come, to be cut back to it after entries have been added.
#[derive(Clone, Copy, Debug)]
pub struct LogMark {
    blocks: usize,
    last: Option<BlockMark>,
    /// Capacities of the directory and of its last row.
    rows: usize,
    row: usize,
}

/// Gives a deque the capacity that it had when it was not longer than now.
fn set_capacity<T>(deque: &mut VecDeque<T>, capacity: usize) {
    deque.shrink_to(capacity);
    deque.reserve_exact(capacity.saturating_sub(deque.len()));
}

fn row_bytes(row: &VecDeque<Block>) -> usize {
    row.capacity() * size_of::<Block>()
}

impl Log {
    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// Heap bytes held.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.bytes + self.rows.capacity() * size_of::<VecDeque<Block>>()
    }

    /// The block that grows.
    #[inline]
    pub fn last(&self) -> Option<&Block> {
        self.last.as_ref()
    }

    fn end(&self) -> Place {
        Place { row: self.rows.len(), index: 0 }
    }

    /// The block at a place.
    #[inline]
    pub fn get(&self, place: Place) -> &Block {
        match self.rows.get(place.row) {
            Some(row) => &row[place.index],
            None => self.last.as_ref().expect("places are of blocks"),
        }
    }

    pub fn first_place(&self) -> Option<Place> {
        self.last.as_ref().map(|_| Place { row: 0, index: 0 })
    }

    pub fn next(&self, place: Place) -> Option<Place> {
        let row = self.rows.get(place.row)?;
        if place.index + 1 < row.len() {
            Some(Place { index: place.index + 1, ..place })
        } else {
            Some(Place { row: place.row + 1, index: 0 })
        }
    }

    /// The first block that begins behind an id.
    pub fn behind(&self, id: StreamId) -> Option<Place> {
        match self.find(id) {
            Some(place) => self.next(place),
            None => self.first_place(),
        }
    }

    pub fn prev(&self, place: Place) -> Option<Place> {
        match place.index.checked_sub(1) {
            Some(index) => Some(Place { index, ..place }),
            None => {
                let row = place.row.checked_sub(1)?;
                Some(Place { row, index: self.rows[row].len() - 1 })
            }
        }
    }

    /// The last block that begins at `id` or before it.
    pub fn find(&self, id: StreamId) -> Option<Place> {
        if self.last.as_ref()?.master <= id {
            return Some(self.end());
        }
        let row = self.rows.partition_point(|row| row[0].master <= id).checked_sub(1)?;
        let index = self.rows[row].partition_point(|block| block.master <= id) - 1;
        Some(Place { row, index })
    }

    /// Changes the block at a place.
    #[inline]
    pub fn change<R>(&mut self, place: Place, f: impl FnOnce(&mut Block) -> R) -> R {
        let block = match self.rows.get_mut(place.row) {
            Some(row) => &mut row[place.index],
            None => self.last.as_mut().expect("places are of blocks"),
        };
        self.showing.keep(block);
        let before = block.bytes();
        let result = f(block);
        self.bytes = self.bytes + block.bytes() - before;
        result
    }

    /// Changes the last block, which there is.
    #[inline]
    pub fn change_last<R>(&mut self, f: impl FnOnce(&mut Block) -> R) -> R {
        let block = self.last.as_mut().expect("there is a last block");
        self.showing.keep(block);
        let before = block.bytes();
        let result = f(block);
        self.bytes = self.bytes + block.bytes() - before;
        result
    }

    /// Adds a block behind all others.
    pub fn push(&mut self, block: Block) {
        self.bytes += block.bytes();
        self.blocks += 1;
        let Some(mut sealed) = self.last.replace(block) else { return };
        let before = sealed.bytes();
        sealed.seal();
        self.bytes = self.bytes + sealed.bytes() - before;
        if self.rows.back().is_none_or(|row| row.len() == ROW_BLOCKS_MAX) {
            self.rows.push_back(VecDeque::new());
        }
        let row = self.rows.back_mut().expect("there is one now");
        let before = row_bytes(row);
        row.push_back(sealed);
        self.bytes = self.bytes + row_bytes(row) - before;
    }

    pub fn mark(&self) -> LogMark {
        LogMark {
            blocks: self.blocks,
            last: self.last.as_ref().map(Block::mark),
            rows: self.rows.capacity(),
            row: self.rows.back().map_or(0, VecDeque::capacity),
        }
    }

    /// Takes back what was added since the mark, during which nothing else was done.
    pub fn cut_back(&mut self, mark: LogMark) {
        while self.blocks > mark.blocks {
            self.remove(self.end());
        }
        if let Some(last) = mark.last {
            self.change_last(|block| block.cut_back(last));
        }
        if let Some(row) = self.rows.back_mut() {
            let before = row_bytes(row);
            set_capacity(row, mark.row);
            self.bytes = self.bytes + row_bytes(row) - before;
        }
        set_capacity(&mut self.rows, mark.rows);
    }

    /// Puts a block back that stood at the front: in the place of what has become of it, or before all others.
    pub fn restore(&mut self, block: Block) {
        if let Some(place) = self.find(block.master) {
            debug_assert_eq!(self.get(place).master, block.master, "all before it are gone");
            return self.change(place, |now| *now = block);
        }
        self.bytes += block.bytes();
        self.blocks += 1;
        if self.rows.front().is_none_or(|row| row.len() == ROW_BLOCKS_MAX) {
            self.rows.push_front(VecDeque::new());
        }
        let row = self.rows.front_mut().expect("there is one now");
        let before = row_bytes(row);
        row.push_front(block);
        self.bytes = self.bytes + row_bytes(row) - before;
    }

    /// Removes a block.
    pub fn remove(&mut self, place: Place) -> Block {
        let block = match self.rows.get_mut(place.row) {
            Some(row) => row.remove(place.index).expect("places are of blocks"),
            None => {
                let before = self.take_last_sealed();
                std::mem::replace(&mut self.last, before).expect("places are of blocks")
            }
        };
        self.showing.keep(&block);
        self.bytes -= block.bytes();
        self.blocks -= 1;
        self.tidy(place.row);
        block
    }

    /// Takes the block before the last one out of its row.
    fn take_last_sealed(&mut self) -> Option<Block> {
        let block = self.rows.back_mut()?.pop_back();
        self.tidy(self.rows.len() - 1);
        block
    }

    /// Drops a row without blocks, and joins one with few to the row after it.
    fn tidy(&mut self, index: usize) {
        let Some(row) = self.rows.get(index) else { return };
        if row.is_empty() {
            let row = self.rows.remove(index).expect("it is there");
            self.bytes -= row_bytes(&row);
        } else if row.len() < ROW_BLOCKS_MAX / 4
            && self.rows.get(index + 1).is_some_and(|next| next.len() < ROW_BLOCKS_MAX / 2)
        {
            let next = self.rows.remove(index + 1).expect("it is there");
            let row = &mut self.rows[index];
            self.bytes -= row_bytes(&next) + row_bytes(row);
            row.extend(next);
            self.bytes += row_bytes(row);
        } else {
            return;
        }
        if self.rows.capacity() > 64 && self.rows.len() * 4 < self.rows.capacity() {
            self.rows.shrink_to(self.rows.len() * 2);
        }
    }

    /// All blocks in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Block> {
        self.rows.iter().flatten().chain(&self.last)
    }

    /// Gives up some blocks at the front, to be freed; false if there were none.
    pub fn free_row(&mut self) -> bool {
        match self.rows.pop_front() {
            Some(row) => {
                self.bytes -= row_bytes(&row) + row.iter().map(Block::bytes).sum::<usize>();
                self.blocks -= row.len();
                true
            }
            None => match self.last.take() {
                Some(block) => {
                    self.bytes -= block.bytes();
                    self.blocks -= 1;
                    true
                }
                None => false,
            },
        }
    }
}
