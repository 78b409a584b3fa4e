//! Going through a list from an index, towards either end.

use super::node::{Items, Node};
use super::{End, List};
use crate::listpack::{Item, Iter};

impl List {
    /// Up to `count` values from `index` on, towards the tail.
    pub fn range(&self, index: usize, count: usize) -> Range<'_> {
        self.range_from(index, count, End::Head)
    }

    /// Up to `count` values from `index` on, towards the head.
    pub fn range_rev(&self, index: usize, count: usize) -> RangeRev<'_> {
        RangeRev(self.range_from(index, count, End::Tail))
    }

    /// All values from head to tail.
    pub fn iter(&self) -> Range<'_> {
        self.range(0, self.len)
    }

    /// A walk that begins at `index`, coming from `end`.
    fn range_from(&self, index: usize, count: usize, end: End) -> Range<'_> {
        let (front, back) = self.slices();
        let empty = Items::Packed(Iter::over(&[]));
        if index >= self.len {
            return Range { items: empty, front: &[], back: &[], left: 0 };
        }
        let (number, within) = self.locate(index);
        let node = self.node(number);
        let items = if node.is_plain() {
            node.items()
        } else if end == End::Head {
            Items::Packed(Iter::over(&node.row()[node.offset(within)..]))
        } else {
            Items::Packed(Iter::over(&node.row()[..node.offset(within + 1)]))
        };
        let cut = number.min(front.len());
        let (front, back, left) = if end == End::Head {
            let front_rest = front.get(number + 1..).unwrap_or_default();
            let back_rest = back.get((number + 1).saturating_sub(front.len())..).unwrap_or_default();
            (front_rest, back_rest, self.len - index)
        } else {
            (&front[..cut], &back[..number - cut], index + 1)
        };
        Range { items, front, back, left: left.min(count) }
    }
}

/// Values towards the tail.
#[derive(Clone)]
pub struct Range<'a> {
    items: Items<'a>,
    front: &'a [Node],
    back: &'a [Node],
    left: usize,
}

impl<'a> Iterator for Range<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        loop {
            if let Some(item) = self.items.next() {
                return Some(item);
            }
            if self.front.is_empty() {
                std::mem::swap(&mut self.front, &mut self.back);
            }
            let (node, rest) = self.front.split_first()?;
            (self.items, self.front) = (node.items(), rest);
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Range<'_> {}

/// Values towards the head.
#[derive(Clone)]
pub struct RangeRev<'a>(Range<'a>);

impl<'a> Iterator for RangeRev<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        let range = &mut self.0;
        if range.left == 0 {
            return None;
        }
        range.left -= 1;
        loop {
            if let Some(item) = range.items.next_back() {
                return Some(item);
            }
            if range.back.is_empty() {
                std::mem::swap(&mut range.front, &mut range.back);
            }
            let (node, rest) = range.back.split_last()?;
            (range.items, range.back) = (node.items(), rest);
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.left, Some(self.0.left))
    }
}

impl ExactSizeIterator for RangeRev<'_> {}
