//! An inner node: up to 64 children with the number of elements below each, and what separates neighbours.
//!
//! Separator `i` (from 1) is above every element of child `i - 1` and not above any of child `i`. It is a
//! score alone wherever scores differ; only between equal scores it also carries the shortest text that tells
//! the members apart. Separators stay true when elements leave, so removing never changes them.

use super::bounds::{Cut, Place};
use super::leaf::halve;
use table::prefetch::prefetch;

pub(super) const FANOUT: usize = 64;

pub(super) struct Inner {
    len: usize,
    scores: [f64; FANOUT],
    children: [u32; FANOUT],
    counts: [u64; FANOUT],
    /// The separators' texts; empty as long as all of them are.
    texts: Vec<Text>,
}

/// A separator's text; short ones need no heap.
#[derive(Clone)]
enum Text {
    Short(u8, [u8; Text::SHORT_MAX]),
    Long(Box<[u8]>),
}

/// What stands between two neighbours in the order.
pub(super) struct Separator {
    score: f64,
    text: Text,
}

impl Text {
    const SHORT_MAX: usize = 22;
    const EMPTY: Text = Text::Short(0, [0; Self::SHORT_MAX]);

    fn new(text: &[u8]) -> Self {
        if text.len() > Self::SHORT_MAX {
            return Self::Long(text.into());
        }
        let mut short = [0; Self::SHORT_MAX];
        short[..text.len()].copy_from_slice(text);
        Self::Short(text.len() as u8, short)
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(len, text) => &text[..*len as usize],
            Self::Long(text) => text,
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Short(0, _))
    }
}

impl Separator {
    /// The shortest separator of two elements, the first of which is below the second.
    pub fn between(below: (f64, &[u8]), above: (f64, &[u8])) -> Self {
        if below.0 < above.0 {
            return Self { score: above.0, text: Text::EMPTY };
        }
        let common = below.1.iter().zip(above.1).take_while(|(a, b)| a == b).count();
        Self { score: above.0, text: Text::new(&above.1[..common + 1]) }
    }
}

impl Clone for Inner {
    /// The texts keep their capacity, so that a copy has as many bytes.
    fn clone(&self) -> Self {
        let mut texts = Vec::with_capacity(self.texts.capacity());
        texts.extend_from_slice(&self.texts);
        Self { texts, ..*self }
    }
}

impl Inner {
    pub fn new(child: u32, count: u64) -> Self {
        let mut inner = Self {
            len: 1,
            scores: [0.0; FANOUT],
            children: [0; FANOUT],
            counts: [0; FANOUT],
            texts: Vec::new(),
        };
        (inner.children[0], inner.counts[0]) = (child, count);
        inner
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_full(&self) -> bool {
        self.len == FANOUT
    }

    /// Heap bytes, the node itself among them.
    pub fn bytes(&self) -> usize {
        let long = |text: &Text| if let Text::Long(text) = text { text.len() } else { 0 };
        size_of::<Self>()
            + self.texts.capacity() * size_of::<Text>()
            + self.texts.iter().map(long).sum::<usize>()
    }

    pub fn child(&self, at: usize) -> u32 {
        self.children[..self.len][at]
    }

    pub fn set_child(&mut self, at: usize, child: u32) {
        self.children[..self.len][at] = child;
    }

    pub fn count(&self, at: usize) -> u64 {
        self.counts[..self.len][at]
    }

    pub fn count_mut(&mut self, at: usize) -> &mut u64 {
        &mut self.counts[..self.len][at]
    }

    /// Elements below the first `at` children.
    pub fn count_before(&self, at: usize) -> u64 {
        self.counts[..at].iter().sum()
    }

    pub fn total(&self) -> u64 {
        self.count_before(self.len)
    }

    /// Asks for what a search by cut reads, all at once: halving would find out line by line.
    #[inline]
    pub fn prefetch(&self) {
        self.scores[..self.len].iter().step_by(8).for_each(|line| prefetch((&raw const *line).cast()));
        self.children[..self.len].iter().step_by(16).for_each(|line| prefetch((&raw const *line).cast()));
    }

    /// The child that holds the cut.
    #[inline]
    pub fn find(&self, cut: &Cut) -> usize {
        let scores = &self.scores[1..self.len];
        let low = scores.partition_point(|&score| score < cut.score);
        if scores.get(low).is_none_or(|&score| score != cut.score) {
            return low;
        }
        let ties = scores[low..].partition_point(|&score| score <= cut.score);
        low + match cut.place {
            Place::Above => ties,
            Place::Below => halve(ties, |at| self.text(low + at + 1).is_empty()),
            Place::Before(_) | Place::After(_) if self.texts.is_empty() => ties,
            Place::Before(member) | Place::After(member) => {
                halve(ties, |at| self.text(low + at + 1) <= member)
            }
        }
    }

    fn text(&self, at: usize) -> &[u8] {
        self.texts.get(at).map_or(&[], Text::as_bytes)
    }

    /// The child that holds the element of this rank, and its rank in there.
    #[inline]
    pub fn find_rank(&self, mut rank: u64) -> (usize, u64) {
        for (at, &count) in self.counts[..self.len].iter().enumerate() {
            if rank < count {
                return (at, rank);
            }
            rank -= count;
        }
        unreachable!("ranks below the total have a child")
    }

    /// Puts a child at `at`; `separator` stands between it and the neighbour that was there first: the one
    /// before it, or for a new first child the one behind it.
    pub fn insert(&mut self, at: usize, child: u32, count: u64, separator: Separator) {
        debug_assert!(!self.is_full() && at <= self.len);
        let len = self.len;
        self.len += 1;
        self.children.copy_within(at..len, at + 1);
        self.counts.copy_within(at..len, at + 1);
        (self.children[at], self.counts[at]) = (child, count);
        let at = at.max(1);
        self.scores.copy_within(at..len, at + 1);
        self.scores[at] = separator.score;
        if !separator.text.is_empty() && self.texts.is_empty() {
            self.texts.reserve_exact(FANOUT);
            self.texts.resize(len, Text::EMPTY);
        }
        if !self.texts.is_empty() {
            self.texts.insert(at, separator.text);
        }
    }

    /// Takes child `at` out; its place goes to the neighbour before it, for the first child to the one behind
    /// it.
    pub fn remove(&mut self, at: usize) {
        let len = self.len;
        self.children.copy_within(at + 1..len, at);
        self.counts.copy_within(at + 1..len, at);
        let gone = at.max(1);
        if gone < len {
            self.scores.copy_within(gone + 1..len, gone);
        }
        if gone < self.texts.len() {
            self.texts.remove(gone);
        }
        self.len -= 1;
        self.drop_texts();
    }

    /// Gives the texts' memory back when the last one that says something is gone.
    fn drop_texts(&mut self) {
        self.texts.truncate(self.len);
        if self.texts.iter().skip(1).all(Text::is_empty) {
            self.texts = Vec::new();
        }
    }

    /// Cuts the children from `at` (not the first) off into a node of their own.
    pub fn split_off(&mut self, at: usize) -> (Separator, Box<Self>) {
        let mut right = Box::new(Self::new(self.children[at], self.counts[at]));
        right.len = self.len - at;
        right.scores[..right.len].copy_from_slice(&self.scores[at..self.len]);
        right.children[..right.len].copy_from_slice(&self.children[at..self.len]);
        right.counts[..right.len].copy_from_slice(&self.counts[at..self.len]);
        let mut separator = Separator { score: self.scores[at], text: Text::EMPTY };
        if !self.texts.is_empty() {
            right.texts.reserve_exact(FANOUT);
            right.texts.extend(self.texts.drain(at..));
            separator.text = std::mem::replace(&mut right.texts[0], Text::EMPTY);
            right.drop_texts();
        }
        self.len = at;
        self.drop_texts();
        (separator, right)
    }

    /// The separator before child `at` (not the first).
    pub fn separator(&self, at: usize) -> Separator {
        Separator { score: self.scores[at], text: self.texts.get(at).cloned().unwrap_or(Text::EMPTY) }
    }

    /// Puts the children of the node behind this one behind ours.
    pub fn join(&mut self, separator: Separator, right: &Self) {
        self.insert(self.len, right.children[0], right.counts[0], separator);
        for at in 1..right.len {
            self.insert(self.len, right.children[at], right.counts[at], right.separator(at));
        }
    }

    /// Whether an element stands on the right side of every separator that bounds child `at`.
    #[cfg(test)]
    pub fn admits(&self, at: usize, element: (f64, &[u8])) -> bool {
        let above = |at: usize| {
            let score = self.scores[at];
            score < element.0 || (score == element.0 && self.text(at) <= element.1)
        };
        (at == 0 || above(at)) && (at + 1 >= self.len || !above(at + 1))
    }
}
