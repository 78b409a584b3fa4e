//! 4096 consecutive positions of an array: sparse while few are set, then blocks of 64.
//!
//! A sparse page is one row of entries, each with its offset (two bytes) in front. A block has a bit for each of its
//! positions and one row of entries; it is there if one of its bits is set. Large elements stand by themselves, and
//! only a mark in the row. Pages do not know where in the array they are.
//!
//! Invariants: `count` positions are set; `bytes` is what the page holds on the heap; offsets ascend; `large` has exactly
//! the offsets of the marks.

mod blocks;
mod large;

use self::blocks::{BLOCK, Block, Blocks, bits_between, rank, within};
use self::large::Large;
use super::entry::{self, Element, Encoded, TEXT_BYTES_MAX};
use super::row;
use std::ops::Range;

/// Positions of a page.
pub const POSITIONS: u64 = 4096;

/// A sparse page becomes blocks beyond so many entries or bytes.
const SPARSE_ENTRIES_MAX: u16 = 64;
const SPARSE_BYTES_MAX: usize = 1024;
/// Blocks become a sparse page again at so few entries, if these have so few bytes.
const BLOCKS_ENTRIES_MIN: u16 = 24;
const BLOCKS_BYTES_MIN: usize = 512;

const OFFSET_BYTES: usize = 2;

/// The elements of a page.
#[derive(Clone, Debug)]
pub struct Page {
    count: u16,
    bytes: usize,
    body: Body,
    large: Option<Box<Large>>,
}

#[derive(Clone, Debug)]
enum Body {
    Sparse(Vec<u8>),
    Blocks(Box<Blocks>),
}

fn offset_at(row: &[u8]) -> u16 {
    u16::from_le_bytes([row[0], row[1]])
}

impl Page {
    /// Without elements.
    pub fn new() -> Self {
        Self { count: 0, bytes: 0, body: Body::Sparse(Vec::new()), large: None }
    }

    /// Positions that are set.
    pub fn count(&self) -> u64 {
        self.count.into()
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        self.bytes
    }

    /// As [`Page::heap_bytes`], counted anew.
    pub fn recount(&self) -> usize {
        let body = match &self.body {
            Body::Sparse(row) => row.capacity(),
            Body::Blocks(blocks) => {
                let rows: usize = blocks.blocks.iter().map(|block| block.row.capacity()).sum();
                size_of::<Blocks>() + blocks.blocks.capacity() * size_of::<Block>() + rows
            }
        };
        body + self.large.as_ref().map_or(0, |large| large.heap_bytes())
    }

    /// To be called once for a copy, whose buffers have other capacities.
    pub fn settle(&mut self) {
        self.bytes = self.recount();
    }

    /// Whether it is one row of entries.
    pub fn is_sparse(&self) -> bool {
        matches!(self.body, Body::Sparse(_))
    }

    /// Blocks of memory it consists of, about.
    pub fn allocations(&self) -> usize {
        let body = match &self.body {
            Body::Sparse(_) => 1,
            Body::Blocks(blocks) => 2 + blocks.blocks.len(),
        };
        body + self.large.as_ref().map_or(0, |large| large.items.len())
    }

    /// Forgets up to `count` large elements of a page that nobody reads again.
    pub fn free_large(&mut self, count: usize) {
        if let Some(large) = &mut self.large {
            let (before, len) = (large.heap_bytes(), large.items.len());
            large.cut(len.saturating_sub(count)..len);
            self.bytes = self.bytes + large.heap_bytes() - before;
        }
    }

    /// The positions that blocks cover: what an array of pointers would have.
    pub fn positions_covered(&self) -> usize {
        match &self.body {
            Body::Sparse(_) => usize::from(self.count),
            Body::Blocks(blocks) => blocks.blocks.len() * usize::from(BLOCK),
        }
    }

    /// The highest offset that is set; the page is not empty.
    pub fn last(&self) -> u16 {
        let mut last = 0;
        self.visit(0, POSITIONS as u16 - 1, true, &mut |offset, _| {
            last = offset;
            false
        });
        last
    }

    /// The element at an offset, if it is set.
    pub fn get(&self, offset: u16) -> Option<Element<'_>> {
        let row = match &self.body {
            Body::Sparse(row) => {
                let (range, found) = sparse_find(row, offset);
                if !found {
                    return None;
                }
                &row[range.start + OFFSET_BYTES..]
            }
            Body::Blocks(blocks) => {
                let (number, bit) = (offset / BLOCK, offset % BLOCK);
                if blocks.there >> number & 1 == 0 {
                    return None;
                }
                let block = &blocks.blocks[rank(blocks.there, number)];
                if block.set >> bit & 1 == 0 {
                    return None;
                }
                &block.row[block.start(bit)..]
            }
        };
        Some(self.element(offset, row))
    }

    /// The element at `offset`, whose entry is at the beginning of `row`.
    #[inline]
    fn element<'a>(&'a self, offset: u16, row: &'a [u8]) -> Element<'a> {
        entry::read(row).unwrap_or_else(|| {
            let large = self.large.as_ref().expect("a mark has its element");
            let at = large.find(offset).expect("a mark has its element");
            Element::Text(&large.items[at].1)
        })
    }

    /// Sets a position; whether it was empty.
    pub fn set(&mut self, offset: u16, text: &[u8]) -> bool {
        let before = self.part_bytes(offset);
        self.forget_large(offset, offset);
        let entry = if text.len() > TEXT_BYTES_MAX {
            self.large.get_or_insert_default().insert(offset, text);
            Encoded::large()
        } else {
            Encoded::new(text)
        };
        let fresh = match &mut self.body {
            Body::Sparse(row) => {
                let (range, found) = sparse_find(row, offset);
                row::replace(row, range, &offset.to_le_bytes(), &entry);
                !found
            }
            Body::Blocks(blocks) => blocks.set(offset, &entry),
        };
        self.bytes = self.bytes + self.part_bytes(offset) - before;
        self.count += u16::from(fresh);
        if let Body::Sparse(row) = &self.body
            && (self.count > SPARSE_ENTRIES_MAX || row.len() > SPARSE_BYTES_MAX)
        {
            self.rebuild(false);
        }
        fresh
    }

    /// Bytes of the buffers that a change at `offset` may grow or shrink.
    fn part_bytes(&self, offset: u16) -> usize {
        let body = match &self.body {
            Body::Sparse(row) => row.capacity(),
            Body::Blocks(blocks) => {
                let number = offset / BLOCK;
                let block = blocks.blocks.get(rank(blocks.there, number));
                let there = blocks.there >> number & 1 == 1;
                let row = block.filter(|_| there).map_or(0, |block| block.row.capacity());
                row + blocks.blocks.capacity() * size_of::<Block>()
            }
        };
        body + self.large.as_ref().map_or(0, |large| large.heap_bytes())
    }

    fn forget_large(&mut self, first: u16, last: u16) {
        if let Some(large) = &mut self.large {
            large.remove(first, last);
            if large.items.is_empty() {
                self.large = None;
            }
        }
    }

    /// Empties the positions from `first` to `last`, both included; how many were set.
    pub fn remove(&mut self, first: u16, last: u16) -> u64 {
        let removed = match &mut self.body {
            Body::Sparse(row) => {
                let start = sparse_find(row, first).0.start;
                let (mut end, mut removed) = (start, 0);
                while end < row.len() && offset_at(&row[end..]) <= last {
                    end += OFFSET_BYTES + entry::len(&row[end + OFFSET_BYTES..]);
                    removed += 1;
                }
                if removed > 0 {
                    row::cut(row, start..end);
                }
                removed
            }
            Body::Blocks(blocks) => blocks.remove(first, last),
        };
        if removed == 0 {
            return 0;
        }
        self.forget_large(first, last);
        self.count -= removed;
        let few = |blocks: &Blocks| blocks.blocks.iter().map(|block| block.row.len()).sum::<usize>();
        if let Body::Blocks(blocks) = &self.body
            && self.count <= BLOCKS_ENTRIES_MIN
            && few(blocks) <= BLOCKS_BYTES_MIN
        {
            self.rebuild(true);
        } else {
            self.bytes = self.recount();
        }
        removed.into()
    }

    /// Lays the same elements out anew, in one row or in blocks.
    fn rebuild(&mut self, sparse: bool) {
        let (mut row_of_all, mut blocks) = (Vec::new(), Blocks::default());
        self.visit_rows(&mut |offset, bytes| {
            if sparse {
                row_of_all.extend_from_slice(&offset.to_le_bytes());
                row_of_all.extend_from_slice(bytes);
            } else {
                blocks.append(offset, bytes);
            }
        });
        row_of_all.shrink_to_fit();
        blocks.blocks.iter_mut().for_each(|block| block.row.shrink_to_fit());
        self.body = if sparse { Body::Sparse(row_of_all) } else { Body::Blocks(Box::new(blocks)) };
        self.bytes = self.recount();
    }

    /// Calls `see` with the bytes of each entry, ascending.
    fn visit_rows(&self, see: &mut impl FnMut(u16, &[u8])) {
        match &self.body {
            Body::Sparse(row) => {
                let mut at = 0;
                while at < row.len() {
                    let from = at + OFFSET_BYTES;
                    let end = from + entry::len(&row[from..]);
                    see(offset_at(&row[at..]), &row[from..end]);
                    at = end;
                }
            }
            Body::Blocks(blocks) => blocks.each(u64::MAX, false, |number, block| {
                let (mut left, mut at) = (block.set, 0);
                while left != 0 {
                    let end = at + entry::len(&block.row[at..]);
                    see(number * BLOCK + left.trailing_zeros() as u16, &block.row[at..end]);
                    at = end;
                    left &= left - 1;
                }
                true
            }),
        }
    }

    /// How many positions from `first` to `last`, both included, are set.
    pub fn count_in(&self, first: u16, last: u16) -> u64 {
        if (first, last) == (0, POSITIONS as u16 - 1) {
            return self.count();
        }
        let mut count = 0;
        match &self.body {
            Body::Sparse(_) => {
                self.visit(first, last, false, &mut |_, _| {
                    count += 1;
                    true
                });
            }
            Body::Blocks(blocks) => {
                blocks.each(bits_between(first / BLOCK, last / BLOCK), false, |number, block| {
                    count += u64::from((block.set & within(number, first, last)).count_ones());
                    true
                });
            }
        }
        count
    }

    /// Calls `see` with every element from offset `first` to `last`, both included, in ascending or in reverse order, until
    /// it says false; whether it never did.
    #[inline]
    pub fn visit(
        &self,
        first: u16,
        last: u16,
        reverse: bool,
        see: &mut impl FnMut(u16, Element<'_>) -> bool,
    ) -> bool {
        match &self.body {
            Body::Sparse(row) => self.visit_sparse(row, first, last, reverse, see),
            Body::Blocks(blocks) => {
                let mut more = true;
                blocks.each(bits_between(first / BLOCK, last / BLOCK), reverse, |number, block| {
                    more = self.visit_block(number, block, within(number, first, last), reverse, see);
                    more
                });
                more
            }
        }
    }

    fn visit_sparse(
        &self,
        row: &[u8],
        first: u16,
        last: u16,
        reverse: bool,
        see: &mut impl FnMut(u16, Element<'_>) -> bool,
    ) -> bool {
        let mut starts = [0u16; SPARSE_ENTRIES_MAX as usize];
        let (mut at, mut count) = (0, 0);
        while at < row.len() {
            let offset = offset_at(&row[at..]);
            if offset > last {
                break;
            }
            if offset >= first {
                starts[count] = at as u16;
                count += 1;
            }
            at += OFFSET_BYTES + entry::len(&row[at + OFFSET_BYTES..]);
        }
        let mut show = |&start: &u16| {
            let (offset, entry) = row[usize::from(start)..].split_at(OFFSET_BYTES);
            let offset = offset_at(offset);
            see(offset, self.element(offset, entry))
        };
        let starts = &starts[..count];
        if reverse { starts.iter().rev().all(&mut show) } else { starts.iter().all(&mut show) }
    }

    #[inline]
    fn visit_block(
        &self,
        number: u16,
        block: &Block,
        wanted: u64,
        reverse: bool,
        see: &mut impl FnMut(u16, Element<'_>) -> bool,
    ) -> bool {
        let base = number * BLOCK;
        if reverse {
            let starts = block.starts();
            let mut left = block.set & wanted;
            while left != 0 {
                let bit = 63 - left.leading_zeros() as u16;
                let row = &block.row[usize::from(starts[rank(block.set, bit)])..];
                if !see(base + bit, self.element(base + bit, row)) {
                    return false;
                }
                left ^= 1 << bit;
            }
            return true;
        }
        let (mut left, mut at) = (block.set, 0);
        while left != 0 {
            let bit = left.trailing_zeros() as u16;
            if wanted >> bit == 0 {
                break;
            }
            let row = &block.row[at..];
            if wanted >> bit & 1 == 1 && !see(base + bit, self.element(base + bit, row)) {
                return false;
            }
            at += entry::len(row);
            left &= left - 1;
        }
        true
    }
}

/// The entry of an offset in a sparse row, or the empty place where it belongs; and whether it is there.
fn sparse_find(row: &[u8], offset: u16) -> (Range<usize>, bool) {
    let mut at = 0;
    while at < row.len() {
        let here = offset_at(&row[at..]);
        if here > offset {
            break;
        }
        let end = at + OFFSET_BYTES + entry::len(&row[at + OFFSET_BYTES..]);
        if here == offset {
            return (at..end, true);
        }
        at = end;
    }
    (at..at, false)
}
