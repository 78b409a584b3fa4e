//! The large sorted set: a counted B+ tree over packed leaves, and an index from members to leaves.
//!
//! Invariants: leaves, linked both ways, hold the elements in the order of (score, member); every inner node
//! knows how many elements are below each child; the index has one slot per element, with the id of its leaf.
//! Order: scores by value (-0 equals 0, NaN never comes in), equal scores by the bytes of the member.
//!
//! This file: the parts, looking up and walking down. Changes are in `grow` and `thin`, walks along the
//! leaves in `walk`.

use super::arena::{Arena, NONE};
use super::bounds::{Cut, LexBound, LexRange, Place, ScoreRange};
use super::index::Index;
use super::inner::Inner;
use super::leaf::{Leaf, Outs};
use crate::showing::{Element, Show, Showing};
use base::hash::HashSeed;
use std::ops::Range;

/// A sorted set of any size.
#[derive(Clone)]
pub struct Tree {
    pub(super) seed: HashSeed,
    pub(super) index: Index,
    pub(super) leaves: Arena<Leaf>,
    pub(super) inners: Arena<Box<Inner>>,
    pub(super) outs: Outs,
    /// An inner node, or the only leaf when `height` is 0.
    pub(super) root: u32,
    pub(super) height: usize,
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) len: usize,
    /// Bytes of the leaves' blocks, of the inner nodes and of the members out of line.
    pub(super) block_bytes: usize,
    pub(super) inner_bytes: usize,
    pub(super) out_bytes: usize,
    /// The number of the last showing.
    pub(super) shows: u32,
    pub(crate) showing: Showing<Below>,
}

/// Levels of inner nodes that a path may have. Nodes of a level hold on average 16 children or more, so that
/// this is never reached.
pub(super) const HEIGHT_MAX: usize = 16;

/// The way from the root to a leaf: at each level the node and the place of the child taken.
pub(super) struct Path {
    pub steps: [(u32, u8); HEIGHT_MAX],
    pub leaf: u32,
}

/// What is below is still to be shown.
#[derive(Debug)]
pub(crate) enum Below {
    End,
    Element(f64, Vec<u8>),
}

/// Leaves that are shown in one step.
const LEAVES_AT_ONCE: usize = 8;

/// Where an element stands.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub leaf: u32,
    pub at: usize,
}

impl Tree {
    pub fn new(seed: HashSeed) -> Self {
        let mut leaves = Arena::new();
        let root = leaves.insert(Leaf::new(NONE, NONE, 0));
        Self {
            seed,
            index: Index::new(),
            leaves,
            inners: Arena::new(),
            outs: Outs::new(),
            root,
            height: 0,
            first: root,
            last: root,
            len: 0,
            block_bytes: 0,
            inner_bytes: 0,
            out_bytes: 0,
            shows: 0,
            showing: Showing::default(),
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Heap bytes in use, this value itself among them.
    pub fn bytes(&self) -> usize {
        let arenas = self.leaves.bytes() + self.inners.bytes() + self.outs.bytes();
        size_of::<Self>() + self.index.bytes() + arenas + self.block_bytes + self.inner_bytes + self.out_bytes
    }

    #[inline]
    pub(super) fn hash(&self, member: &[u8]) -> u32 {
        (self.seed.hash(member) >> 32) as u32
    }

    #[inline]
    pub(super) fn find(&self, hash: u32, member: &[u8]) -> Option<Spot> {
        self.index.leaves(hash).find_map(|id| {
            let leaf = &self.leaves[id];
            leaf.touch_members();
            let view = leaf.view();
            let at = leaf.find(hash as u8, |at| view.member(at, &self.outs) == member)?;
            Some(Spot { leaf: id, at })
        })
    }

    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.find(self.hash(member), member).map(|spot| self.leaves[spot.leaf].score(spot.at))
    }

    /// How many elements stand before this one, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.rank_of(&Cut::before(score, member)), score))
    }

    /// How many elements stand below the cut.
    pub(super) fn rank_of(&self, cut: &Cut) -> usize {
        let (mut node, mut below) = (self.root, 0);
        for _ in 0..self.height {
            let inner = &self.inners[node];
            inner.prefetch();
            let at = inner.find(cut);
            below += inner.count_before(at);
            node = inner.child(at);
        }
        let leaf = &self.leaves[node];
        leaf.touch_scores();
        below as usize + leaf.view().rank(cut, &self.outs)
    }

    pub(super) fn descend(&self, cut: &Cut) -> Path {
        self.path(|inner| {
            inner.prefetch();
            inner.find(cut)
        })
    }

    /// The way to the element of this rank, and where in its leaf it stands; the rank is below the length.
    pub(super) fn descend_rank(&self, rank: usize) -> (Path, usize) {
        let mut left = rank as u64;
        let path = self.path(|inner| {
            let (at, below) = inner.find_rank(left);
            left = below;
            at
        });
        (path, left as usize)
    }

    fn path(&self, mut choose: impl FnMut(&Inner) -> usize) -> Path {
        let mut path = Path { steps: [(NONE, 0); HEIGHT_MAX], leaf: self.root };
        for step in &mut path.steps[..self.height] {
            let inner = &self.inners[path.leaf];
            let at = choose(inner);
            *step = (path.leaf, at as u8);
            path.leaf = inner.child(at);
        }
        path
    }

    /// The ranks of the elements in a range of scores; empty ranges may stand anywhere.
    pub fn score_ranks(&self, range: &ScoreRange) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        self.rank_of(&Cut::start(range.min))..self.rank_of(&Cut::end(range.max))
    }

    /// The ranks of the elements in a range of members, taking for granted that all scores are equal.
    pub fn lex_ranks(&self, range: &LexRange) -> Range<usize> {
        if self.is_empty() {
            return 0..0;
        }
        let score = self.leaves[self.first].score(0);
        let rank = |place| self.rank_of(&Cut { score, place });
        let start = match range.min {
            LexBound::Min => 0,
            LexBound::Max => self.len,
            LexBound::Inclusive(min) => rank(Place::Before(min)),
            LexBound::Exclusive(min) => rank(Place::After(min)),
        };
        let end = match range.max {
            LexBound::Min => 0,
            LexBound::Max => self.len,
            LexBound::Inclusive(max) => rank(Place::After(max)),
            LexBound::Exclusive(max) => rank(Place::Before(max)),
        };
        start..end.max(start)
    }

    // ---- showing all while they change

    pub(crate) fn begin_showing(&mut self) {
        self.shows = self.shows.checked_add(1).expect("a tree is shown less often than that");
        self.showing.begin(Below::End);
    }

    /// To be called before anything changes in a leaf.
    #[inline]
    pub(super) fn keep_leaf(&mut self, id: u32) {
        if self.showing.is_on() && self.leaves[id].shown != self.shows {
            let mut showing = std::mem::take(&mut self.showing);
            self.show_leaf(id, &mut |element| showing.keep(element));
            self.showing = showing;
        }
    }

    /// Shows the elements of a leaf, if that has not been done, the highest first.
    fn show_leaf(&mut self, id: u32, show: Show<'_>) {
        let leaf = &self.leaves[id];
        if leaf.shown != self.shows {
            let view = leaf.view();
            for at in (0..leaf.len()).rev() {
                show(Element::Scored { member: view.member(at, &self.outs), score: view.score(at) });
            }
            self.leaves[id].shown = self.shows;
        }
    }

    pub(crate) fn show_on(&mut self, show: Show<'_>) -> bool {
        self.showing.show_kept(show);
        let mut next = self.showing.take_place();
        for _ in 0..LEAVES_AT_ONCE {
            // What has come since stands in leaves that have been kept: below a leaf that has been passed nobody has been forgotten.
            let below = match &next {
                None => return false,
                Some(Below::End) => self.len,
                Some(Below::Element(score, member)) => self.rank_of(&Cut::before(*score, member)),
            };
            if below == 0 {
                return false;
            }
            let leaf = self.descend_rank(below - 1).0.leaf;
            self.show_leaf(leaf, show);
            let view = self.leaves[leaf].view();
            next = Some(Below::Element(view.score(0), view.member(0, &self.outs).to_vec()));
        }
        self.showing.go_on_at(next);
        true
    }

    /// The element of this rank.
    pub fn get(&self, rank: usize) -> Option<(&[u8], f64)> {
        if rank >= self.len {
            return None;
        }
        let (path, at) = self.descend_rank(rank);
        let view = self.leaves[path.leaf].view();
        Some((view.member(at, &self.outs), view.score(at)))
    }
}
