//! The small sorted set: one listpack of member, score, member, score … in the order of (score, member), as
//! Redis lays it out. Integral scores are stored as integers, others as the shortest text that reads back the
//! same, which is what Redis writes from 7.2 on; every Redis reads both. Everything here walks the listpack:
//! it is meant for a hundred elements. Members that are canonical integers are stored as integers and compare
//! as their text.

use super::ZSetLimits;
use super::bounds::{LexRange, ScoreRange};
use super::grow::Change;
use crate::listpack::{At, Corrupt, Item, Iter, Listpack};
use base::number::{self, F64Buf};
use std::cmp::Ordering;
use std::iter::Take;
use std::ops::Range;

/// Room for the text of any score.
const SCORE_TEXT_BYTES_MAX: usize = 32;

/// A sorted set in a listpack.
#[derive(Clone)]
pub struct Packed {
    list: Listpack,
}

impl Default for Packed {
    fn default() -> Self {
        Self::new()
    }
}

impl Packed {
    pub fn new() -> Self {
        Self { list: Listpack::new() }
    }

    /// Takes a listpack from outside: pairs of member and score in strict order.
    pub fn from_listpack(list: Listpack) -> Result<Self, Corrupt> {
        let mut items = list.iter();
        let mut last: Option<(Item, f64)> = None;
        let mut members = std::collections::HashSet::new();
        while let Some(member) = items.next() {
            let score = items.next().and_then(read_score).ok_or(Corrupt)?;
            let in_order = last.is_none_or(|(below, low)| order(low, below, score, member) == Ordering::Less);
            if !in_order || !members.insert(member.to_vec()) {
                return Err(Corrupt);
            }
            last = Some((member, score));
        }
        Ok(Self { list })
    }

    pub fn as_listpack(&self) -> &Listpack {
        &self.list
    }

    pub fn len(&self) -> usize {
        self.list.len() / 2
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Heap bytes in use.
    pub fn bytes(&self) -> usize {
        self.list.bytes()
    }

    /// Whether a new member of `bytes` may come in without passing what a listpack holds at most.
    pub fn fits(&self, bytes: usize) -> bool {
        self.list.fits(bytes.saturating_add(SCORE_TEXT_BYTES_MAX))
    }

    /// Whether the member may come in, new, and the set stay a listpack.
    #[inline]
    pub(super) fn may_grow(&self, member: &[u8], limits: &ZSetLimits) -> bool {
        self.len() < limits.max_listpack_entries
            && member.len() <= limits.max_listpack_value
            && self.fits(member.len())
    }

    fn score_behind(&self, member: At) -> f64 {
        let at = self.list.next(member).expect("every member has a score behind it");
        read_score(self.list.get(at)).expect("scores were checked when they came in")
    }

    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.list.find_first(member, 1).map(|at| self.score_behind(at))
    }

    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let mut pairs = Pairs(self.list.iter());
        let (rank, (_, score)) = pairs.by_ref().enumerate().find(|(_, (item, _))| is(*item, member))?;
        Some((rank, score))
    }

    /// As [`super::Tree::update`].
    pub fn update(&mut self, member: &[u8], decide: impl FnOnce(Option<f64>) -> Option<f64>) -> Change {
        let at = self.list.find_first(member, 1);
        let old = at.map(|at| self.score_behind(at));
        let Some(new) = decide(old) else { return Change { old, new: old } };
        assert!(!new.is_nan(), "a score is a number");
        match (at, old) {
            (Some(_), Some(score)) if score == new => return Change { old, new: old },
            (Some(at), _) => _ = self.list.remove(at, 2),
            _ => {}
        }
        self.insert_new(member, new);
        Change { old, new: Some(new) }
    }

    /// Sets the score of a member, new or not.
    pub fn insert(&mut self, member: &[u8], score: f64) -> Change {
        assert!(!score.is_nan(), "a score is a number");
        // Names are compared without reading the scores between them, so this look is a quick one.
        let Some(at) = self.list.find_first(member, 1) else {
            self.insert_new(member, score);
            return Change { old: None, new: Some(score) };
        };
        let low = self.score_behind(at);
        if low != score {
            self.list.remove(at, 2);
            self.insert_new(member, score);
        }
        Change { old: Some(low), new: Some(if low == score { low } else { score }) }
    }

    fn insert_new(&mut self, member: &[u8], score: f64) {
        let item = Item::new(member);
        let at = if self.belongs_behind(item, score) { None } else { self.first_above(item, score) };
        self.insert_at(at.unwrap_or(self.list.end()), item, score);
    }

    /// Whether all members stand below this one. Scores are often times, which grow.
    fn belongs_behind(&self, member: Item, score: f64) -> bool {
        let last = PairsBack(self.list.iter()).next();
        last.is_none_or(|(other, low)| order(low, other, score, member) != Ordering::Greater)
    }

    fn first_above(&self, member: Item, score: f64) -> Option<At> {
        let mut at = self.list.first();
        while let Some(pair) = at {
            let (other, low, next) = self.pair(pair);
            if order(low, other, score, member) == Ordering::Greater {
                break;
            }
            at = next;
        }
        at
    }

    fn insert_at(&mut self, at: At, member: Item, score: f64) {
        let mut text = F64Buf::default();
        self.list.insert_row(at, &[member, score_item(score, &mut text)]);
    }

    /// Member and score at a place, and the place of the next pair.
    #[inline]
    fn pair(&self, at: At) -> (Item<'_>, f64, Option<At>) {
        let (member, behind) = self.list.get_next(at);
        let (score, next) = self.list.get_next(behind.expect("every member has a score behind it"));
        (member, read_score(score).expect("scores were checked when they came in"), next)
    }

    /// Puts an element behind all others; it must belong there.
    pub(super) fn append(&mut self, member: &[u8], score: f64) {
        self.list.append(Item::new(member));
        self.list.append(score_item(score, &mut F64Buf::default()));
    }

    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let at = self.list.find_first(member, 1)?;
        let score = self.score_behind(at);
        self.list.remove(at, 2);
        Some(score)
    }

    pub fn remove_ranks(&mut self, ranks: Range<usize>, mut visit: impl FnMut(Item, f64)) -> usize {
        let ranks = ranks.start..ranks.end.min(self.len());
        if ranks.is_empty() {
            return 0;
        }
        self.range(ranks.clone()).for_each(|(member, score)| visit(member, score));
        self.list.remove_range(2 * ranks.start as i64, 2 * ranks.len());
        ranks.len()
    }

    pub fn score_ranks(&self, range: &ScoreRange) -> Range<usize> {
        let above_min = |(_, score): &(Item, f64)| range.is_above_min(*score);
        self.ranks(above_min, |(_, score)| !range.is_below_max(*score))
    }

    pub fn lex_ranks(&self, range: &LexRange) -> Range<usize> {
        let above_min = |(member, _): &(Item, f64)| member.with_text(|text| range.min.is_below(text));
        self.ranks(above_min, |(member, _)| !member.with_text(|text| range.max.is_above(text)))
    }

    fn ranks(
        &self,
        starts: impl Fn(&(Item, f64)) -> bool,
        ends: impl Fn(&(Item, f64)) -> bool,
    ) -> Range<usize> {
        let len = self.len();
        let mut pairs = Pairs(self.list.iter()).enumerate().skip_while(|(_, pair)| !starts(pair)).peekable();
        let Some(&(start, _)) = pairs.peek() else { return len..len };
        start..pairs.find(|(_, pair)| ends(pair)).map_or(len, |(end, _)| end)
    }

    pub fn range(&self, ranks: Range<usize>) -> Take<Pairs<'_>> {
        let (mut items, before) = (self.list.iter(), ranks.start.min(self.len()));
        if before > 0 {
            items.nth(2 * before - 1);
        }
        Pairs(items).take(ranks.len())
    }

    pub fn range_back(&self, ranks: Range<usize>) -> Take<PairsBack<'_>> {
        let len = self.len();
        let ranks = ranks.start..ranks.end.min(len);
        let (mut items, behind) = (self.list.iter(), len - ranks.end);
        if behind > 0 {
            items.nth_back(2 * behind - 1);
        }
        PairsBack(items).take(ranks.len())
    }
}

/// Members with their scores.
#[derive(Clone)]
pub struct Pairs<'a>(Iter<'a>);

/// Members with their scores, last first.
#[derive(Clone)]
pub struct PairsBack<'a>(Iter<'a>);

impl<'a> Iterator for Pairs<'a> {
    type Item = (Item<'a>, f64);

    fn next(&mut self) -> Option<Self::Item> {
        let member = self.0.next()?;
        Some((member, read_score(self.0.next()?)?))
    }
}

impl<'a> Iterator for PairsBack<'a> {
    type Item = (Item<'a>, f64);

    fn next(&mut self) -> Option<Self::Item> {
        let score = read_score(self.0.next_back()?)?;
        Some((self.0.next_back()?, score))
    }
}

/// What is stored of a score; `text` is where it stands if it is no integer. Zero has no sign here.
fn score_item(score: f64, text: &mut F64Buf) -> Item<'_> {
    const INTEGER_MAX: f64 = (1u64 << 62) as f64;
    if score.abs() <= INTEGER_MAX && (score as i64) as f64 == score {
        return Item::Int(score as i64);
    }
    *text = number::format_shortest(score);
    Item::Str(text.as_bytes())
}

fn read_score(item: Item) -> Option<f64> {
    match item {
        Item::Int(score) => Some(score as f64),
        Item::Str(text) => number::parse_f64(text),
    }
}

fn is(item: Item, member: &[u8]) -> bool {
    item.with_text(|text| text == member)
}

/// How (low, below) stands to (high, above) in the order of sorted sets.
fn order(low: f64, below: Item, high: f64, above: Item) -> Ordering {
    // Scores are never NaN; `partial_cmp` takes -0 and 0 for equal, as it should.
    low.partial_cmp(&high)
        .unwrap_or(Ordering::Equal)
        .then_with(|| below.with_text(|below| above.with_text(|above| below.cmp(above))))
}
