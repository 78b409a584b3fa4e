//! Sorted sets: members with scores, in the order of (score, member). Scores order by value (-0 equals 0; NaN
//! never comes in), equal scores by the bytes of the member.
//!
//! Small sets are a listpack ([`Packed`]), large ones a counted B+ tree with an index of members ([`Tree`]).
//! Every range is first turned into ranks, at the cost of O(log n); whoever wants a count, an offset or a
//! limit takes it from there. This module makes no replies and knows no command.

mod arena;
mod bounds;
mod grow;
mod index;
mod inner;
mod leaf;
mod packed;
mod remains;
mod thin;
mod tree;
mod walk;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tree_tests;

use crate::listpack::{Corrupt, Item, Listpack};
use base::hash::HashSeed;
use std::iter::Take;
use std::ops::Range;

pub use bounds::{LexBound, LexRange, ScoreBound, ScoreRange};
pub use grow::Change;
pub use packed::{Packed, Pairs, PairsBack};
pub(crate) use remains::TreeRemains;
pub use tree::Tree;
pub use walk::{Backward, Forward};

/// Up to where a sorted set is a listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZSetLimits {
    pub max_listpack_entries: usize,
    /// Bytes of a member.
    pub max_listpack_value: usize,
}

impl Default for ZSetLimits {
    fn default() -> Self {
        Self { max_listpack_entries: 128, max_listpack_value: 64 }
    }
}

/// A sorted set of any size.
#[derive(Clone)]
pub enum ZSet {
    Listpack(Packed),
    Tree(Box<Tree>),
}

/// Elements by ascending rank.
#[derive(Clone)]
pub enum Walk<'a> {
    Listpack(Take<Pairs<'a>>),
    Tree(Forward<'a>),
}

/// Elements by descending rank.
#[derive(Clone)]
pub enum WalkBack<'a> {
    Listpack(Take<PairsBack<'a>>),
    Tree(Backward<'a>),
}

/// The part of `ranks` that LIMIT leaves when they are walked upwards; `None`: no end.
pub fn limit(ranks: Range<usize>, offset: usize, count: Option<usize>) -> Range<usize> {
    let start = ranks.start.saturating_add(offset).min(ranks.end);
    start..start.saturating_add(count.unwrap_or(usize::MAX)).min(ranks.end)
}

/// The part of `ranks` that LIMIT leaves when they are walked downwards; `None`: no end.
pub fn limit_back(ranks: Range<usize>, offset: usize, count: Option<usize>) -> Range<usize> {
    let end = ranks.end.saturating_sub(offset).max(ranks.start);
    end.saturating_sub(count.unwrap_or(usize::MAX)).max(ranks.start)..end
}

impl Default for ZSet {
    fn default() -> Self {
        Self::new()
    }
}

impl ZSet {
    /// An empty listpack.
    pub fn new() -> Self {
        Self::Listpack(Packed::new())
    }

    /// An empty set that is to take `len` members, the longest known of `member_bytes`.
    pub fn for_members(len: usize, member_bytes: usize, limits: &ZSetLimits, seed: &HashSeed) -> Self {
        if len <= limits.max_listpack_entries && member_bytes <= limits.max_listpack_value {
            return Self::new();
        }
        Self::Tree(Box::new(Tree::new(seed.clone())))
    }

    /// Takes a listpack from outside (member, score, … in strict order); [`ZSet::settle`] then applies the
    /// limits.
    pub fn from_listpack(list: Listpack) -> Result<Self, Corrupt> {
        Packed::from_listpack(list).map(Self::Listpack)
    }

    /// The listpack, if it is one.
    pub fn as_listpack(&self) -> Option<&Listpack> {
        match self {
            Self::Listpack(packed) => Some(packed.as_listpack()),
            Self::Tree(_) => None,
        }
    }

    /// The encoding as OBJECT ENCODING names it.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Listpack(_) => "listpack",
            Self::Tree(_) => "skiplist",
        }
    }

    /// Turns into what the limits ask for, either way. O(n) where it turns.
    pub fn settle(&mut self, limits: &ZSetLimits, seed: &HashSeed) {
        let fits = self.len() <= limits.max_listpack_entries
            && self.iter().all(|(member, _)| member.len() <= limits.max_listpack_value);
        match self {
            Self::Listpack(_) if !fits => self.make_tree(seed),
            Self::Tree(tree) if fits => {
                let mut packed = Packed::new();
                for (member, score) in tree.iter() {
                    if !packed.fits(member.len()) {
                        return;
                    }
                    packed.append(member, score);
                }
                *self = Self::Listpack(packed);
            }
            _ => {}
        }
    }

    /// To be called before `count` members are added at once: a listpack becomes a tree now if it could not hold so many.
    #[inline]
    pub fn expect(&mut self, count: usize, limits: &ZSetLimits, seed: &HashSeed) {
        if count > limits.max_listpack_entries && matches!(self, Self::Listpack(_)) {
            self.make_tree(seed);
        }
    }

    fn make_tree(&mut self, seed: &HashSeed) {
        let mut tree = Box::new(Tree::new(seed.clone()));
        for (member, score) in self.iter() {
            member.with_text(|member| tree.insert(member, score));
        }
        *self = Self::Tree(tree);
    }

    /// What is left of a tree, to be freed step by step; nothing of what is one block.
    pub(crate) fn into_remains(self) -> Option<TreeRemains> {
        if let Self::Tree(tree) = self { Some(TreeRemains::new(*tree)) } else { None }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Listpack(packed) => packed.len(),
            Self::Tree(tree) => tree.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Heap bytes in use, exact, in O(1).
    pub fn bytes(&self) -> usize {
        match self {
            Self::Listpack(packed) => packed.bytes(),
            Self::Tree(tree) => tree.bytes(),
        }
    }

    /// Looks the member up once and sets the score that `decide` makes of the old one (`None`: no such
    /// member); when it makes `None`, or the old score again, all stays as it is. NaN must not come out of
    /// `decide`.
    pub fn update(
        &mut self,
        member: &[u8],
        limits: &ZSetLimits,
        seed: &HashSeed,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Change {
        let packed = match self {
            Self::Tree(tree) => return tree.update(member, decide),
            Self::Listpack(packed) => packed,
        };
        if packed.may_grow(member, limits) || packed.score(member).is_some() {
            return packed.update(member, decide);
        }
        match decide(None) {
            None => Change { old: None, new: None },
            Some(score) => {
                self.make_tree(seed);
                self.insert(member, score, limits, seed)
            }
        }
    }

    /// Sets the score of a member, new or not.
    pub fn insert(&mut self, member: &[u8], score: f64, limits: &ZSetLimits, seed: &HashSeed) -> Change {
        match self {
            Self::Tree(tree) => tree.insert(member, score),
            Self::Listpack(packed) if packed.may_grow(member, limits) => packed.insert(member, score),
            Self::Listpack(_) => self.update(member, limits, seed, |_| Some(score)),
        }
    }

    /// Takes a member out and returns its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Listpack(packed) => packed.remove(member),
            Self::Tree(tree) => tree.remove(member),
        }
    }

    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Listpack(packed) => packed.score(member),
            Self::Tree(tree) => tree.score(member),
        }
    }

    /// How many elements stand before this one, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            Self::Listpack(packed) => packed.rank(member),
            Self::Tree(tree) => tree.rank(member),
        }
    }

    /// How many elements stand behind this one, and its score.
    pub fn rank_back(&self, member: &[u8]) -> Option<(usize, f64)> {
        self.rank(member).map(|(rank, score)| (self.len() - 1 - rank, score))
    }

    /// The element of this rank.
    pub fn get(&self, rank: usize) -> Option<(Item<'_>, f64)> {
        match self {
            Self::Listpack(packed) => packed.range(rank..rank.saturating_add(1)).next(),
            Self::Tree(tree) => tree.get(rank).map(|(member, score)| (Item::Str(member), score)),
        }
    }

    pub fn first(&self) -> Option<(Item<'_>, f64)> {
        self.range(0..1).next()
    }

    pub fn last(&self) -> Option<(Item<'_>, f64)> {
        self.range_back(self.len().saturating_sub(1)..self.len()).next()
    }

    /// An element by a random number: all are equally likely, as far as 64 bits can be divided evenly.
    pub fn random(&self, number: u64) -> Option<(Item<'_>, f64)> {
        self.get(((u128::from(number) * self.len() as u128) >> 64) as usize)
    }

    /// The ranks of the elements in a range of scores.
    pub fn score_ranks(&self, range: &ScoreRange) -> Range<usize> {
        match self {
            Self::Listpack(packed) => packed.score_ranks(range),
            Self::Tree(tree) => tree.score_ranks(range),
        }
    }

    /// The ranks of the elements in a range of members. Where scores differ the answer means nothing, as with
    /// Redis.
    pub fn lex_ranks(&self, range: &LexRange) -> Range<usize> {
        match self {
            Self::Listpack(packed) => packed.lex_ranks(range),
            Self::Tree(tree) => tree.lex_ranks(range),
        }
    }

    pub fn iter(&self) -> Walk<'_> {
        self.range(0..self.len())
    }

    /// The elements of these ranks (cut to those there are), lowest first.
    pub fn range(&self, ranks: Range<usize>) -> Walk<'_> {
        match self {
            Self::Listpack(packed) => Walk::Listpack(packed.range(ranks)),
            Self::Tree(tree) => Walk::Tree(tree.range(ranks)),
        }
    }

    /// The elements of these ranks (cut to those there are), highest first.
    pub fn range_back(&self, ranks: Range<usize>) -> WalkBack<'_> {
        match self {
            Self::Listpack(packed) => WalkBack::Listpack(packed.range_back(ranks)),
            Self::Tree(tree) => WalkBack::Tree(tree.range_back(ranks)),
        }
    }

    /// Takes the elements of these ranks out, showing each before it goes, lowest first; returns how many.
    pub fn remove_ranks(&mut self, ranks: Range<usize>, mut visit: impl FnMut(Item, f64)) -> usize {
        match self {
            Self::Listpack(packed) => packed.remove_ranks(ranks, visit),
            Self::Tree(tree) => tree.remove_ranks(ranks, |member, score| visit(Item::Str(member), score)),
        }
    }

    /// Takes the first element out, showing it before; false if there is none.
    pub fn pop_first(&mut self, visit: impl FnMut(Item, f64)) -> bool {
        self.remove_ranks(0..1, visit) == 1
    }

    /// Takes the last element out, showing it before; false if there is none.
    pub fn pop_last(&mut self, visit: impl FnMut(Item, f64)) -> bool {
        self.remove_ranks(self.len().saturating_sub(1)..self.len(), visit) == 1
    }

    /// Visits elements from `cursor` on (0: from the start), at least `count` of them if there are as many,
    /// and returns the cursor to go on with, 0 at the end. What is there from the start to the end of a whole
    /// scan is visited at least once, whatever changes between the calls. A listpack is visited whole.
    /// Cursors are at most 2^32.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Item, f64)) -> u64 {
        match self {
            Self::Tree(tree) => tree.scan(cursor, count, |member, score| visit(Item::Str(member), score)),
            Self::Listpack(_) => {
                self.iter().for_each(|(member, score)| visit(member, score));
                0
            }
        }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = (Item<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Listpack(pairs) => pairs.next(),
            Self::Tree(elements) => elements.next().map(|(member, score)| (Item::Str(member), score)),
        }
    }

    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, init: B, mut take: F) -> B {
        match self {
            Self::Listpack(pairs) => pairs.fold(init, take),
            Self::Tree(elements) => {
                elements.fold(init, |so_far, (member, score)| take(so_far, (Item::Str(member), score)))
            }
        }
    }
}

impl<'a> Iterator for WalkBack<'a> {
    type Item = (Item<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Listpack(pairs) => pairs.next(),
            Self::Tree(elements) => elements.next().map(|(member, score)| (Item::Str(member), score)),
        }
    }
}
