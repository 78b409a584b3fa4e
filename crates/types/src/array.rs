//! The array: texts at positions from 0 to 2^64 - 2, most of which are empty.
//!
//! Positions go in pages of 4096 (`page`), those that have something in a directory (`directory`); an element takes as
//! few bytes as its text allows (`entry`). So an array of small numbers takes about two bytes for each, one of texts two
//! bytes more than these, and a single element far from all others about a hundred.
//!
//! Cost: looking at or changing one position takes two binary searches and a walk over at most 64 entries; a range costs by what it
//! has, and 64 pages at most for the way to it; never by its width. What takes long here is only what touches many elements.
//!
//! The cursor is the position written last by those that write at the next one; the array itself never moves it.

mod directory;
mod entry;
mod page;
mod row;
mod showing;
#[cfg(test)]
mod tests;

pub use entry::Element;

use base::number::{format_shortest, parse_f64};
use directory::Directory;
use page::{POSITIONS, Page};
use showing::ArrayShowing;

/// The highest position that can be set.
pub const INDEX_MAX: u64 = u64::MAX - 1;
/// Positions of a page.
pub const PAGE_POSITIONS: u64 = POSITIONS;

const LAST: u16 = POSITIONS as u16 - 1;

#[derive(Debug, Default)]
pub struct Array {
    directory: Directory,
    count: u64,
    /// Heap bytes of the pages.
    page_bytes: usize,
    /// See [`Array::cursor`].
    cursor: Option<u64>,
    showing: ArrayShowing,
}

impl Clone for Array {
    fn clone(&self) -> Self {
        let (directory, showing) = (self.directory.clone(), ArrayShowing::default());
        let mut copy = Self { directory, count: self.count, page_bytes: 0, cursor: self.cursor, showing };
        copy.directory.recount();
        for numbered in copy.directory.iter_mut() {
            numbered.page.settle();
            copy.page_bytes += numbered.page.heap_bytes();
        }
        copy
    }
}

/// The double that a text with a decimal point stands for, if its two lowest bits are clear and its own text is the same: Redis
/// keeps, computes with and saves such an element as a double, and any other fraction as its text.
pub fn exact_double(text: &[u8]) -> Option<f64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let points = digits.iter().filter(|&&byte| byte == b'.').count();
    if points != 1 || !digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return None;
    }
    let value = parse_f64(text).filter(|value| value.is_finite() && value.to_bits() & 3 == 0)?;
    let own = format_shortest(value);
    let same = own.as_bytes() == text || text.strip_suffix(b".0") == Some(own.as_bytes());
    same.then_some(value)
}

/// What an array consists of, for whoever asks how it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    pub dense_pages: usize,
    pub sparse_pages: usize,
    /// Positions that the blocks of dense pages cover, and how many of them are set.
    pub dense_covered: usize,
    pub dense_set: u64,
    /// Elements of sparse pages.
    pub sparse_set: usize,
}

fn split(index: u64) -> (u64, u16) {
    (index / POSITIONS, (index % POSITIONS) as u16)
}

impl Array {
    pub fn new() -> Self {
        Self::default()
    }

    /// Elements that are there.
    pub fn len(&self) -> u64 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// One more than the highest position that is set; 0 of an empty array.
    pub fn end(&self) -> u64 {
        self.directory.last().map_or(0, |last| last.number * POSITIONS + u64::from(last.page.last()) + 1)
    }

    pub fn encoding(&self) -> &'static str {
        "sliced-array"
    }

    /// Heap bytes held.
    pub fn bytes(&self) -> usize {
        self.page_bytes + self.directory.own_bytes()
    }

    /// The position that was written last by what writes at the next one; `None` if the next is 0.
    pub fn cursor(&self) -> Option<u64> {
        self.cursor
    }

    pub fn set_cursor(&mut self, cursor: Option<u64>) {
        debug_assert!(cursor != Some(u64::MAX), "the number stands for none");
        self.cursor = cursor;
    }

    /// Pages that have something; places for pages; groups of pages beyond the first.
    pub fn pages(&self) -> (usize, usize, usize) {
        (self.directory.len(), self.directory.room(), self.directory.extra_groups())
    }

    /// Looks at every page.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        for numbered in self.directory.iter() {
            let page = &numbered.page;
            if page.is_sparse() {
                figures.sparse_pages += 1;
                figures.sparse_set += page.positions_covered();
            } else {
                figures.dense_pages += 1;
                figures.dense_covered += page.positions_covered();
                figures.dense_set += page.count();
            }
        }
        figures
    }

    pub fn get(&self, index: u64) -> Option<Element<'_>> {
        let (number, offset) = split(index);
        let (place, found) = self.directory.find(number);
        if !found {
            return None;
        }
        self.directory.get(place)?.page.get(offset)
    }

    /// Sets a position; whether it was empty.
    pub fn set(&mut self, index: u64, text: &[u8]) -> bool {
        assert!(index <= INDEX_MAX, "callers check positions");
        let (number, offset) = split(index);
        self.keep_page(number);
        let (place, found) = self.directory.find(number);
        let place = if found { place } else { self.directory.insert(number, Page::new()) };
        let page = &mut self.directory.get_mut(place).expect("found or inserted").page;
        let before = page.heap_bytes();
        let fresh = page.set(offset, text);
        self.page_bytes = self.page_bytes + page.heap_bytes() - before;
        self.count += u64::from(fresh);
        fresh
    }

    /// Empties a position; whether it was set.
    pub fn remove(&mut self, index: u64) -> bool {
        self.remove_range(index, index) > 0
    }

    /// Empties the positions from `first` to `last`, both included; how many were set.
    pub fn remove_range(&mut self, first: u64, last: u64) -> u64 {
        let ((first_page, from), (last_page, to)) = (split(first), split(last));
        let mut removed = 0;
        if first_page == last_page {
            removed = self.remove_within(first_page, from, to);
        } else {
            let (whole_first, whole_last) = (from == 0, to == LAST);
            if !whole_first {
                removed += self.remove_within(first_page, from, LAST);
            }
            if !whole_last {
                removed += self.remove_within(last_page, 0, to);
            }
            let (low, high) = (first_page + u64::from(!whole_first), last_page - u64::from(!whole_last));
            let (page_bytes, showing) = (&mut self.page_bytes, &mut self.showing);
            self.directory.remove_between(low, high, |page| {
                removed += page.page.count();
                *page_bytes -= page.page.heap_bytes();
                showing.take(page);
            });
        }
        self.count -= removed;
        removed
    }

    /// Empties offsets of one page; how many were set.
    fn remove_within(&mut self, number: u64, from: u16, to: u16) -> u64 {
        let (place, found) = self.directory.find(number);
        if !found {
            return 0;
        }
        self.keep_page(number);
        let page = &mut self.directory.get_mut(place).expect("found").page;
        let before = page.heap_bytes();
        let removed = page.remove(from, to);
        self.page_bytes = self.page_bytes + page.heap_bytes() - before;
        if page.count() == 0 {
            self.page_bytes -= self.directory.remove(place).page.heap_bytes();
        }
        removed
    }

    /// How many positions from `first` to `last`, both included, are set.
    pub fn count_in(&self, first: u64, last: u64) -> u64 {
        let mut count = 0;
        self.each_page(first, last, false, |page, _, from, to| {
            count += page.count_in(from, to);
            true
        });
        count
    }

    /// Calls `see` with every element from `first` to `last`, both included and in that order (descending if `first` is the
    /// higher one), until it says false.
    #[inline]
    pub fn visit(&self, first: u64, last: u64, mut see: impl FnMut(u64, Element<'_>) -> bool) {
        let reverse = first > last;
        let (low, high) = if reverse { (last, first) } else { (first, last) };
        self.each_page(low, high, reverse, |page, base, from, to| {
            page.visit(from, to, reverse, &mut |offset, element| see(base + u64::from(offset), element))
        });
    }

    /// Calls `see` with the pages that have positions from `low` to `high`: the page, its first position, and the first and
    /// the last offset wanted.
    #[inline]
    fn each_page(
        &self,
        low: u64,
        high: u64,
        reverse: bool,
        mut see: impl FnMut(&Page, u64, u16, u16) -> bool,
    ) {
        let ((low_page, from), (high_page, to)) = (split(low), split(high));
        let mut place = if reverse {
            let (place, found) = self.directory.find(high_page);
            if found { Some(place) } else { self.directory.previous(place) }
        } else {
            Some(self.directory.find(low_page).0)
        };
        while let Some(here) = place
            && let Some(numbered) = self.directory.get(here)
            && (low_page..=high_page).contains(&numbered.number)
        {
            let from = if numbered.number == low_page { from } else { 0 };
            let to = if numbered.number == high_page { to } else { LAST };
            if !see(&numbered.page, numbered.number * POSITIONS, from, to) {
                return;
            }
            place = if reverse { self.directory.previous(here) } else { Some(self.directory.next(here)) };
        }
    }

    /// What is left of an array of several pages, or of one with many large elements, to be freed step by step.
    pub(crate) fn into_remains(self) -> Option<ArrayRemains> {
        let bytes = self.bytes();
        (self.effort() > 1).then_some(ArrayRemains { directory: self.directory, bytes })
    }

    /// Blocks of memory, about; 1 for a small array.
    pub(crate) fn effort(&self) -> usize {
        match self.directory.last() {
            Some(only) if self.directory.len() == 1 => only.page.allocations(),
            // Pages of different kinds: as many as there may be at least.
            _ => self.directory.len() + (self.count / 64) as usize,
        }
        .max(1)
    }
}

/// An array on its way out.
pub(crate) struct ArrayRemains {
    directory: Directory,
    bytes: usize,
}

/// Blocks of memory freed in one step, about.
const STEP_BLOCKS: usize = 128;

impl ArrayRemains {
    /// Heap bytes not yet freed.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Frees some pages, or some of the large elements of one; false if there were none.
    pub fn free_step(&mut self) -> bool {
        let mut freed = 0;
        while freed < STEP_BLOCKS {
            let own = self.directory.own_bytes();
            let Some(mut page) = self.directory.pop() else { return freed > 0 };
            let blocks = page.page.allocations();
            if blocks > STEP_BLOCKS * 2 {
                let before = page.page.heap_bytes();
                page.page.free_large(STEP_BLOCKS);
                self.bytes -= before - page.page.heap_bytes();
                self.directory.insert(page.number, page.page);
                return true;
            }
            freed += blocks;
            self.bytes -= page.page.heap_bytes() + own - self.directory.own_bytes();
        }
        true
    }
}
