//! Cursors over document ids in ascending order, one for each part of a query. A cursor can be told to go to the first of its documents
//! from some id on; it stops in between when the fuel is used up, and goes on from there when it is asked again.

use super::ids::Ids;
use super::measure::Account;
use super::proximity::Proximity;
use super::ranges::Range;
use crate::DocumentId;
use crate::index::{Index, Reader, Word};
use crate::schema::{ALL_FIELDS, FieldMask};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Where a cursor has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    At(DocumentId),
    End,
    /// The fuel is used up.
    Pending,
}

/// A part of a query.
#[derive(Debug)]
pub(super) struct Cursor {
    pub kind: CursorKind,
    pub weight: f64,
    current: Option<DocumentId>,
    has_ended: bool,
    /// If it is counted.
    pub account: Option<Box<Account>>,
}

#[derive(Debug)]
pub(super) enum CursorKind {
    Empty,
    Ids(Ids),
    Term(TermCursor),
    Range(Range),
    Union(Union),
    Intersection(Intersection),
    /// All documents but those of the inner cursor.
    Not(Box<Cursor>, Ids),
    /// All documents; those of the inner cursor count.
    Optional(Box<Cursor>, Ids),
}

/// How a word counts in scores.
#[derive(Clone, Debug)]
pub(super) struct Rarity {
    pub word: Word,
    /// `ln(1 + (N - n + 0.5) / (n + 0.5))`
    pub bm25_std: f64,
    /// The whole part of `log2(1 + (N + 1) / n)`.
    pub tf_idf: f64,
}

impl Cursor {
    pub fn new(kind: CursorKind, weight: f64) -> Self {
        Self { kind, weight, current: None, has_ended: false, account: None }
    }

    pub fn empty() -> Self {
        Self::new(CursorKind::Empty, 1.0)
    }

    /// Whether it stands on a document.
    pub fn is_at(&self, id: DocumentId) -> bool {
        self.current == Some(id)
    }

    /// How many documents there may be.
    pub fn estimate(&self) -> u64 {
        match &self.kind {
            CursorKind::Empty => 0,
            CursorKind::Ids(ids) => ids.count,
            CursorKind::Term(term) => term.count,
            CursorKind::Range(range) => range.estimate(),
            CursorKind::Union(union) => union.children.iter().map(Self::estimate).sum(),
            CursorKind::Intersection(all) => all.required.iter().map(Self::estimate).min().unwrap_or(0),
            CursorKind::Not(_, all) | CursorKind::Optional(_, all) => all.count,
        }
    }

    /// Goes to the first document from `target` on; stays where it is if that is not before `target`.
    pub fn advance(&mut self, index: &Index, target: DocumentId, fuel: &mut usize) -> Progress {
        match self.current {
            Some(id) if id >= target => return Progress::At(id),
            _ if self.has_ended => return Progress::End,
            _ => {}
        }
        let begun_ns = self.account.as_ref().map_or(0, |account| (account.clock)());
        let progress = match &mut self.kind {
            CursorKind::Empty => Progress::End,
            CursorKind::Ids(ids) => ids.advance(target, fuel),
            CursorKind::Term(term) => term.advance(index, target, fuel),
            CursorKind::Range(range) => range.advance(index, target, fuel),
            CursorKind::Union(union) => union.advance(index, target, fuel),
            CursorKind::Intersection(all) => all.advance(index, target, fuel),
            CursorKind::Not(inner, all) => advance_not(inner, all, index, target, fuel),
            CursorKind::Optional(inner, all) => match all.advance(target, fuel) {
                Progress::At(id) => match inner.advance(index, id, fuel) {
                    Progress::Pending => Progress::Pending,
                    _ => Progress::At(id),
                },
                other => other,
            },
        };
        if let Some(account) = &mut self.account {
            account.reads += u64::from(matches!(progress, Progress::At(_)));
            account.ns += (account.clock)() - begun_ns;
        }
        match progress {
            Progress::At(id) => self.current = Some(id),
            Progress::End => (self.current, self.has_ended) = (None, true),
            Progress::Pending => {}
        }
        progress
    }

    /// The positions of the words found in the document that it stands on, in no order.
    pub fn positions(&self, index: &Index, id: DocumentId, out: &mut Vec<u32>) {
        if !self.is_at(id) {
            return;
        }
        match &self.kind {
            CursorKind::Term(term) => term.positions(index, id, out),
            CursorKind::Union(union) => {
                union.children.iter().for_each(|child| child.positions(index, id, out));
            }
            CursorKind::Intersection(all) => {
                all.required.iter().for_each(|child| child.positions(index, id, out));
            }
            CursorKind::Optional(inner, _) => inner.positions(index, id, out),
            CursorKind::Empty | CursorKind::Ids(_) | CursorKind::Range(_) | CursorKind::Not(..) => {}
        }
    }
}

fn advance_not(
    inner: &mut Cursor,
    all: &mut Ids,
    index: &Index,
    mut target: DocumentId,
    fuel: &mut usize,
) -> Progress {
    loop {
        let id = match all.advance(target, fuel) {
            Progress::At(id) => id,
            other => return other,
        };
        match inner.advance(index, id, fuel) {
            Progress::Pending => return Progress::Pending,
            Progress::At(found) if found == id => match id.checked_add(1) {
                Some(next) => target = next,
                None => return Progress::End,
            },
            _ => return Progress::At(id),
        }
        if *fuel == 0 {
            all.skip_to(target);
            return Progress::Pending;
        }
    }
}

/// A word in some fields.
#[derive(Debug)]
pub(super) struct TermCursor {
    pub rarity: Rarity,
    is_form: bool,
    fields: FieldMask,
    count: u64,
    reader: Option<(Reader, DocumentId)>,
    floor: DocumentId,
    version: u64,
}

impl TermCursor {
    pub fn new(index: &Index, rarity: Rarity, is_form: bool, fields: FieldMask) -> Self {
        let count = index.postings(&rarity.word, is_form).map_or(0, |postings| u64::from(postings.len()));
        Self { rarity, is_form, fields, count, reader: None, floor: 0, version: index.version() }
    }

    fn advance(&mut self, index: &Index, target: DocumentId, fuel: &mut usize) -> Progress {
        let mut target = target.max(self.floor);
        if self.version != index.version() {
            (self.version, self.reader) = (index.version(), None);
        }
        loop {
            if self.reader.as_ref().is_none_or(|(_, last)| *last < target) {
                let Some(postings) = index.postings(&self.rarity.word, self.is_form) else {
                    return Progress::End;
                };
                match postings.block_with(target, index.schema().economies) {
                    Some(reader) => self.reader = Some(reader),
                    None => return Progress::End,
                }
            }
            let Some((reader, last)) = &mut self.reader else { return Progress::End };
            while let Some(id) = reader.next() {
                *fuel = fuel.saturating_sub(1);
                if id >= target && reader.fields() & self.fields != 0 {
                    return Progress::At(id);
                }
            }
            target = match last.checked_add(1) {
                Some(next) => next.max(target),
                None => return Progress::End,
            };
            (self.reader, self.floor) = (None, target);
            if *fuel == 0 {
                return Progress::Pending;
            }
        }
    }

    /// How often it is in the document read last.
    pub fn frequency(&self) -> u32 {
        self.reader.as_ref().map_or(0, |(reader, _)| reader.frequency())
    }

    fn positions(&self, index: &Index, id: DocumentId, out: &mut Vec<u32>) {
        let Some((reader, _)) = &self.reader else { return };
        if self.fields == ALL_FIELDS {
            out.extend(reader.positions());
            return;
        }
        let Some(record) = index.record(id) else { return };
        let is_wanted =
            |position: &u32| record.field_at(*position).is_some_and(|bit| self.fields & (1 << bit) != 0);
        out.extend(reader.positions().filter(is_wanted));
    }
}

/// Documents of any child.
#[derive(Debug)]
pub(super) struct Union {
    pub children: Vec<Cursor>,
    /// Whether the children are the words that one part of the query stands for: a document is scored by the first of them that it has
    /// alone, as in RediSearch.
    pub is_expansion: bool,
    /// Children that stand on a document, the first first.
    heap: BinaryHeap<Reverse<(DocumentId, usize)>>,
    /// How many children have been asked for their first document.
    started: usize,
}

impl Union {
    pub fn new(children: Vec<Cursor>, is_expansion: bool) -> Self {
        Self { children, is_expansion, heap: BinaryHeap::new(), started: 0 }
    }

    /// The children by which the document is scored that they stand on.
    pub fn scored(&self, id: DocumentId) -> impl Iterator<Item = &Cursor> {
        let count = if self.is_expansion { 1 } else { usize::MAX };
        self.children.iter().filter(move |child| child.is_at(id)).take(count)
    }

    fn advance(&mut self, index: &Index, target: DocumentId, fuel: &mut usize) -> Progress {
        while self.started < self.children.len() {
            match self.children[self.started].advance(index, target, fuel) {
                Progress::Pending => return Progress::Pending,
                Progress::At(id) => self.heap.push(Reverse((id, self.started))),
                Progress::End => {}
            }
            self.started += 1;
        }
        while let Some(mut top) = self.heap.peek_mut() {
            let Reverse((id, number)) = *top;
            if id >= target {
                return Progress::At(id);
            }
            match self.children[number].advance(index, target, fuel) {
                Progress::Pending => return Progress::Pending,
                Progress::At(id) => *top = Reverse((id, number)),
                Progress::End => {
                    std::collections::binary_heap::PeekMut::pop(top);
                }
            }
        }
        Progress::End
    }
}

/// Documents of all children.
#[derive(Debug)]
pub(super) struct Intersection {
    /// In the order of the query.
    pub required: Vec<Cursor>,
    /// Places in `required`, the rarest first.
    order: Vec<usize>,
    /// Ranges of so many numbers that it is cheaper to look at the documents' numbers.
    checks: Vec<Range>,
    /// What is behind `-`.
    excluded: Vec<Cursor>,
    /// What is behind `~`.
    pub optional: Vec<Cursor>,
    proximity: Option<Proximity>,
    floor: DocumentId,
}

/// A range is not collected if it has so many times the documents of the rarest other part.
const CHECK_RATIO: u64 = 8;

impl Intersection {
    /// `required` must not be empty.
    pub fn new(
        required: Vec<Cursor>,
        excluded: Vec<Cursor>,
        optional: Vec<Cursor>,
        proximity: Option<Proximity>,
    ) -> Self {
        let least = |cursor: &Cursor| match &cursor.kind {
            CursorKind::Range(_) => u64::MAX,
            _ => cursor.estimate(),
        };
        let rarest = required.iter().map(least).min().unwrap_or(u64::MAX);
        let (mut kept, mut checks) = (Vec::new(), Vec::new());
        for cursor in required {
            let is_wide = rarest < u64::MAX && cursor.estimate() / CHECK_RATIO > rarest;
            match cursor {
                Cursor { kind: CursorKind::Range(range), .. } if is_wide => checks.push(range),
                cursor => kept.push(cursor),
            }
        }
        let mut order: Vec<usize> = (0..kept.len()).collect();
        order.sort_by_key(|place| kept[*place].estimate());
        Self { required: kept, order, checks, excluded, optional, proximity, floor: 0 }
    }

    /// What is behind `-`.
    pub fn excluded(&self) -> &[Cursor] {
        &self.excluded
    }

    /// How many ranges are only checked: they count in scores all the same.
    pub fn checks(&self) -> usize {
        self.checks.len()
    }

    fn advance(&mut self, index: &Index, target: DocumentId, fuel: &mut usize) -> Progress {
        self.floor = self.floor.max(target);
        loop {
            match self.candidate(index, fuel) {
                Progress::At(id) => match self.accepts(index, id, fuel) {
                    Some(true) => return Progress::At(id),
                    Some(false) => match id.checked_add(1) {
                        Some(next) => self.floor = next,
                        None => return Progress::End,
                    },
                    None => return Progress::Pending,
                },
                other => return other,
            }
            if *fuel == 0 {
                return Progress::Pending;
            }
        }
    }

    /// The first document from the floor on that all required children have.
    fn candidate(&mut self, index: &Index, fuel: &mut usize) -> Progress {
        'again: loop {
            for &place in &self.order {
                match self.required[place].advance(index, self.floor, fuel) {
                    Progress::At(id) if id > self.floor => {
                        self.floor = id;
                        if place != self.order[0] {
                            if *fuel == 0 {
                                return Progress::Pending;
                            }
                            continue 'again;
                        }
                    }
                    Progress::At(_) => {}
                    other => return other,
                }
            }
            return Progress::At(self.floor);
        }
    }

    /// Whether everything else holds of a document; `None` if the fuel was used up.
    fn accepts(&mut self, index: &Index, id: DocumentId, fuel: &mut usize) -> Option<bool> {
        if !self.checks.iter().all(|range| range.accepts(index, id)) {
            return Some(false);
        }
        for cursor in &mut self.excluded {
            match cursor.advance(index, id, fuel) {
                Progress::Pending => return None,
                Progress::At(found) if found == id => return Some(false),
                _ => {}
            }
        }
        if let Some(proximity) = &self.proximity
            && !proximity.holds(&self.required, index, id)
        {
            return Some(false);
        }
        for cursor in &mut self.optional {
            if cursor.advance(index, id, fuel) == Progress::Pending {
                return None;
            }
        }
        Some(true)
    }
}
