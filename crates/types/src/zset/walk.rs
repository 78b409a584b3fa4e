//! Walks: along the leaves by rank, either way, and through the index in the order of the hashes.

use super::arena::NONE;
use super::leaf::{Leaf, View};
use super::tree::Tree;
use std::ops::Range;

/// Elements by ascending rank.
#[derive(Clone)]
pub struct Forward<'a> {
    tree: &'a Tree,
    leaf: &'a Leaf,
    view: View<'a>,
    at: usize,
    left: usize,
}

/// Elements by descending rank.
#[derive(Clone)]
pub struct Backward<'a> {
    tree: &'a Tree,
    leaf: &'a Leaf,
    view: View<'a>,
    /// Elements of the leaf still to come.
    at: usize,
    left: usize,
}

impl Tree {
    /// The elements of these ranks (cut to those there are), lowest first.
    pub fn range(&self, ranks: Range<usize>) -> Forward<'_> {
        let ranks = ranks.start..ranks.end.min(self.len);
        let (leaf, at) = self.leaf_of(if ranks.is_empty() { 0 } else { ranks.start });
        self.touch_walk(leaf, leaf.next, at + ranks.len() > leaf.len());
        Forward { tree: self, leaf, view: leaf.view(), at, left: ranks.len() }
    }

    /// The elements of these ranks (cut to those there are), highest first.
    pub fn range_back(&self, ranks: Range<usize>) -> Backward<'_> {
        let ranks = ranks.start..ranks.end.min(self.len);
        let (leaf, at) = self.leaf_of(if ranks.is_empty() { 0 } else { ranks.end - 1 });
        self.touch_walk(leaf, leaf.prev, ranks.len() > at + 1);
        Backward { tree: self, leaf, view: leaf.view(), at: at + 1, left: ranks.len() }
    }

    /// A walk starts in `leaf` and goes on in `next` if it is longer.
    fn touch_walk(&self, leaf: &Leaf, next: u32, goes_on: bool) {
        leaf.touch_all();
        self.touch_next(next, goes_on);
    }

    #[inline]
    fn touch_next(&self, next: u32, goes_on: bool) {
        if goes_on && next != NONE {
            self.leaves[next].touch_all();
        }
    }

    fn leaf_of(&self, rank: usize) -> (&Leaf, usize) {
        if rank == 0 {
            return (&self.leaves[self.first], 0);
        }
        let (path, at) = self.descend_rank(rank);
        (&self.leaves[path.leaf], at)
    }

    pub fn iter(&self) -> Forward<'_> {
        self.range(0..self.len)
    }

    /// Visits elements in the order of their members' hashes, from `cursor` on (0: from the start), until at
    /// least `count` were visited; returns the cursor to go on with, 0 at the end. An element that is there
    /// from the start to the end of a whole scan is visited at least once, whatever changes between the
    /// calls; elements with equal hashes are visited together. Cursors are at most 2^32.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8], f64)) -> u64 {
        let Ok(from) = u32::try_from(cursor) else { return 0 };
        let (mut seen, mut last, mut next) = (0, None, 0);
        // The leaves already seen with the present hash: of equal slots, one look finds all elements.
        let mut leaves = Vec::new();
        self.index.walk(from, |hash, id| {
            if last != Some(hash) {
                if seen >= count.max(1) {
                    next = u64::from(hash);
                    return false;
                }
                last = Some(hash);
                leaves.clear();
            }
            if !leaves.contains(&id) {
                leaves.push(id);
                seen += self.visit_hash(hash, id, &mut visit);
            }
            true
        });
        next
    }

    fn visit_hash(&self, hash: u32, id: u32, visit: &mut impl FnMut(&[u8], f64)) -> usize {
        let leaf = &self.leaves[id];
        let view = leaf.view();
        let mut seen = 0;
        leaf.find(hash as u8, |at| {
            let member = view.member(at, &self.outs);
            if self.hash(member) == hash {
                visit(member, view.score(at));
                seen += 1;
            }
            false
        });
        seen
    }
}

impl Forward<'_> {
    /// Steps into the next leaf and asks for the one behind it, if the elements left may reach there.
    fn go_on(&mut self) {
        self.leaf = &self.tree.leaves[self.leaf.next];
        self.view = self.leaf.view();
        self.at = 0;
        self.tree.touch_next(self.leaf.next, self.left >= self.leaf.len());
    }
}

impl<'a> Iterator for Forward<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        if self.at == self.view.scores.len() {
            self.go_on();
        }
        self.at += 1;
        Some((self.view.member(self.at - 1, &self.tree.outs), self.view.score(self.at - 1)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }

    /// A leaf at a time.
    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(mut self, init: B, mut take: F) -> B {
        let mut so_far = init;
        while self.left > 0 {
            if self.at == self.view.scores.len() {
                self.go_on();
            }
            let end = self.view.scores.len().min(self.at + self.left);
            so_far = self.view.fold(self.at..end, &self.tree.outs, so_far, &mut take);
            self.left -= end - self.at;
            self.at = end;
        }
        so_far
    }
}

impl<'a> Iterator for Backward<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        if self.at == 0 {
            self.leaf = &self.tree.leaves[self.leaf.prev];
            self.view = self.leaf.view();
            self.at = self.view.scores.len();
            self.tree.touch_next(self.leaf.prev, self.left >= self.leaf.len());
        }
        self.at -= 1;
        Some((self.view.member(self.at, &self.tree.outs), self.view.score(self.at)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Forward<'_> {}
impl ExactSizeIterator for Backward<'_> {}
