//! The entries of a page with many elements: up to 64 blocks of 64 positions.

use super::entry::{self, Encoded};
use super::row;
use std::ops::Range;

/// Positions of a block, and blocks of a page.
pub(super) const BLOCK: u16 = 64;

/// The blocks in which positions are set, ascending.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    /// Bit n: there is a block of the offsets from 64 n on.
    pub(super) there: u64,
    pub(super) blocks: Vec<Block>,
}

/// A bit for each position that is set, and their entries in one row.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub(super) set: u64,
    pub(super) row: Vec<u8>,
}

/// How many bits below `bit` are set.
pub(super) fn rank(bits: u64, bit: u16) -> usize {
    (bits & ((1 << bit) - 1)).count_ones() as usize
}

/// The bits from `first` to `last`, both included.
pub(super) fn bits_between(first: u16, last: u16) -> u64 {
    u64::MAX << first & u64::MAX >> (63 - last)
}

/// The bits of block `number` for the offsets from `first` to `last`.
pub(super) fn within(number: u16, first: u16, last: u16) -> u64 {
    let base = number * BLOCK;
    bits_between(first.saturating_sub(base).min(63), (last - base).min(63))
}

impl Block {
    /// Where the entry of `bit` begins, or would.
    pub(super) fn start(&self, bit: u16) -> usize {
        if self.set >> bit == 0 {
            return self.row.len();
        }
        let mut at = 0;
        for _ in 0..rank(self.set, bit) {
            at += entry::len(&self.row[at..]);
        }
        at
    }

    /// The bytes of the entries of these bits, which are next to each other.
    fn span(&self, bits: u64) -> Range<usize> {
        let (first, last) = (bits.trailing_zeros() as u16, 63 - bits.leading_zeros() as u16);
        let start = self.start(first);
        let mut end = start;
        for _ in 0..(self.set & bits_between(first, last)).count_ones() {
            end += entry::len(&self.row[end..]);
        }
        start..end
    }

    /// Where the entries begin; as many as bits are set.
    pub(super) fn starts(&self) -> [u16; BLOCK as usize] {
        let (mut starts, mut at) = ([0; BLOCK as usize], 0);
        for start in &mut starts[..self.set.count_ones() as usize] {
            *start = at as u16;
            at += entry::len(&self.row[at..]);
        }
        starts
    }
}

impl Blocks {
    /// Calls `see` with each block of `wanted`, until it says false.
    #[inline]
    pub(super) fn each(&self, wanted: u64, reverse: bool, mut see: impl FnMut(u16, &Block) -> bool) {
        let mut left = self.there & wanted;
        while left != 0 {
            let number =
                if reverse { 63 - left.leading_zeros() as u16 } else { left.trailing_zeros() as u16 };
            if !see(number, &self.blocks[rank(self.there, number)]) {
                return;
            }
            left ^= 1 << number;
        }
    }

    fn block_mut(&mut self, number: u16) -> &mut Block {
        let at = rank(self.there, number);
        if self.there >> number & 1 == 0 {
            if self.blocks.len() == self.blocks.capacity() {
                self.blocks.reserve_exact((self.blocks.len() / 2).clamp(1, 8));
            }
            self.blocks.insert(at, Block::default());
            self.there |= 1 << number;
        }
        &mut self.blocks[at]
    }

    /// Whether the position was empty.
    pub(super) fn set(&mut self, offset: u16, entry: &Encoded<'_>) -> bool {
        let block = self.block_mut(offset / BLOCK);
        let bit = offset % BLOCK;
        let fresh = block.set >> bit & 1 == 0;
        let start = block.start(bit);
        let end = if fresh { start } else { start + entry::len(&block.row[start..]) };
        row::replace(&mut block.row, start..end, b"", entry);
        block.set |= 1 << bit;
        fresh
    }

    /// Sets an offset behind all others to a ready entry.
    pub(super) fn append(&mut self, offset: u16, bytes: &[u8]) {
        let block = self.block_mut(offset / BLOCK);
        block.row.extend_from_slice(bytes);
        block.set |= 1 << (offset % BLOCK);
    }

    /// Empties the positions from `first` to `last`, both included; how many were set.
    pub(super) fn remove(&mut self, first: u16, last: u16) -> u16 {
        let mut removed = 0;
        let mut left = self.there & bits_between(first / BLOCK, last / BLOCK);
        while left != 0 {
            let number = left.trailing_zeros() as u16;
            left &= left - 1;
            let at = rank(self.there, number);
            let block = &mut self.blocks[at];
            let bits = block.set & within(number, first, last);
            removed += bits.count_ones() as u16;
            if bits == block.set {
                self.blocks.remove(at);
                self.there ^= 1 << number;
            } else if bits != 0 {
                let span = block.span(bits);
                row::cut(&mut block.row, span);
                block.set ^= bits;
            }
        }
        if self.blocks.len() * 2 <= self.blocks.capacity() {
            self.blocks.shrink_to(self.blocks.len());
        }
        removed
    }
}
