//! Cursors from a query and what all shards know of its words.

use super::cursor::{Cursor, CursorKind, Intersection, Rarity, TermCursor, Union};
use super::ids::Ids;
use super::measure::{Account, Name};
use super::proximity::Proximity;
use super::ranges::Range;
use super::statistics::{Source, tf_idf, wanted, word};
use super::{Options, Statistics};
use crate::index::{Index, Word};
use crate::query::{Kind, Node};
use crate::schema::FieldMask;
use crate::vectors::Neighbours;
use roaring::RoaringBitmap;
use std::sync::Arc;

/// Puts cursors together.
pub(super) struct Builder<'a> {
    pub index: &'a Index,
    pub statistics: &'a Statistics,
    pub options: &'a Options,
    /// The next expansion of the statistics.
    expansion: usize,
    /// The next vector part.
    part: usize,
}

impl<'a> Builder<'a> {
    pub fn new(index: &'a Index, statistics: &'a Statistics, options: &'a Options) -> Self {
        Self { index, statistics, options, expansion: 0, part: 0 }
    }

    pub fn cursor(&mut self, node: &Node, source: Source) -> Cursor {
        let cursor = self.uncounted(node, source);
        self.counted(cursor, node, source)
    }

    /// A cursor with an account, if accounts are kept and it has none.
    fn counted(&self, mut cursor: Cursor, node: &Node, source: Source) -> Cursor {
        if let (Some(clock), None) = (self.options.clock, &cursor.account) {
            let vectors = &self.options.vectors;
            let name = Name::of(&cursor.kind, node, source, self.index.schema(), vectors);
            cursor.account = Some(Box::new(Account::new(clock, name)));
        }
        cursor
    }

    fn uncounted(&mut self, node: &Node, source: Source) -> Cursor {
        let weight = node.attributes.weight();
        if let Some(cursor) = self.expanded(node, source) {
            return cursor;
        }
        if let Some((source, word)) = word(node, self.index, source) {
            return self.word(word, source, node.fields, weight);
        }
        let kind = match &node.kind {
            Kind::All => CursorKind::Ids(Ids::all(self.index)),
            Kind::Exact(nodes) | Kind::Intersection(nodes) => return self.intersection(node, nodes),
            Kind::Union(nodes) => {
                let children = nodes.iter().map(|child| self.cursor(child, source)).collect();
                return union(children, weight, false);
            }
            Kind::Tag { field, values } => {
                let values = values.iter().map(|value| self.cursor(value, Source::Tags(*field))).collect();
                return union(values, weight, false);
            }
            Kind::Not(inner) => CursorKind::Not(Box::new(self.cursor(inner, source)), Ids::all(self.index)),
            Kind::Optional(inner) => {
                CursorKind::Optional(Box::new(self.cursor(inner, source)), Ids::all(self.index))
            }
            Kind::Numeric { field, range } => CursorKind::Range(Range::numbers(self.index, *field, *range)),
            Kind::Geo { field, circle } => CursorKind::Range(Range::circle(self.index, *field, circle)),
            Kind::Geoshape { field, relation, shape, .. } => {
                CursorKind::Range(Range::shapes(self.index, *field, *relation, shape))
            }
            Kind::Missing { field } => CursorKind::Ids(Ids::new(self.index.missing(*field).clone(), None)),
            Kind::Nearest { filter, .. } => {
                let found = self.found();
                if filter.kind == Kind::All {
                    CursorKind::Ids(Ids::of_all(found))
                } else {
                    let passing = self.cursor(filter, source);
                    let found = Cursor::new(CursorKind::Ids(Ids::new(found, None)), 0.0);
                    CursorKind::Intersection(Intersection::new(
                        vec![found, passing],
                        Vec::new(),
                        Vec::new(),
                        None,
                    ))
                }
            }
            Kind::Within(_) => CursorKind::Ids(Ids::new(self.found(), None)),
            _ => CursorKind::Empty,
        };
        Cursor::new(kind, weight)
    }

    /// The documents of the next vector part.
    fn found(&mut self) -> RoaringBitmap {
        let found = self.options.vectors.found(self.part).map(Neighbours::ids);
        self.part += 1;
        found.unwrap_or_default()
    }

    /// The words that a prefix and its kind stand for.
    fn expanded(&mut self, node: &Node, source: Source) -> Option<Cursor> {
        if !matches!(node.kind, Kind::Affix(_) | Kind::Wildcard(_) | Kind::Fuzzy { .. }) {
            return None;
        }
        if wanted(node, self.index, &self.options.settings, source).is_none() {
            return Some(Cursor::empty());
        }
        let words = self.statistics.expansions.get(self.expansion).cloned().unwrap_or_default();
        self.expansion += 1;
        let cursor = |word| self.counted(self.word(word, source, node.fields, 1.0), node, source);
        let children = words.into_iter().map(cursor).collect();
        Some(union(children, node.attributes.weight(), true))
    }

    fn word(&self, word: Word, source: Source, fields: FieldMask, weight: f64) -> Cursor {
        let count = self.statistics.frequency(source, &word);
        if count == 0 {
            return Cursor::empty();
        }
        let rarity = rarity(Arc::clone(&word), self.statistics.documents, count);
        let kind = match source {
            Source::Tags(field) => {
                let ids = self.index.tags(field).and_then(|tags| tags.get(&word)).cloned();
                CursorKind::Ids(Ids::new(ids.unwrap_or_default(), Some(rarity)))
            }
            _ => CursorKind::Term(TermCursor::new(self.index, rarity, source == Source::Forms, fields)),
        };
        Cursor::new(kind, weight)
    }

    fn intersection(&mut self, node: &Node, nodes: &[Node]) -> Cursor {
        let (mut required, mut excluded, mut optional) = (Vec::new(), Vec::new(), Vec::new());
        for child in nodes {
            let weight = child.attributes.weight();
            match &child.kind {
                Kind::Not(inner) => excluded.push(self.cursor(inner, Source::Words)),
                Kind::Optional(inner) => {
                    let mut cursor = self.cursor(inner, Source::Words);
                    cursor.weight *= weight;
                    optional.push(cursor);
                }
                _ => required.push(self.cursor(child, Source::Words)),
            }
        }
        let weight = node.attributes.weight();
        if required.is_empty() {
            required.push(Cursor::new(CursorKind::Ids(Ids::all(self.index)), 0.0));
        }
        if required.len() == 1 && excluded.is_empty() && optional.is_empty() && weight == 1.0 {
            return required.remove(0);
        }
        let proximity = self.proximity(node);
        let intersection = Intersection::new(required, excluded, optional, proximity);
        Cursor::new(CursorKind::Intersection(intersection), weight)
    }

    fn proximity(&self, node: &Node) -> Option<Proximity> {
        // Without positions there are no phrases: words are enough.
        if self.index.schema().economies.no_offsets {
            return None;
        }
        if matches!(node.kind, Kind::Exact(_)) {
            return Some(Proximity { slop: Some(0), in_order: true });
        }
        let slop = node.attributes.slop.or(self.options.slop);
        let slop = slop.and_then(|slop| u32::try_from(slop).ok());
        let in_order = node.attributes.in_order.unwrap_or(self.options.in_order);
        (slop.is_some() || in_order).then_some(Proximity { slop, in_order })
    }
}

/// A union; of one child that child, as FT.SEARCH explains its scores.
fn union(mut children: Vec<Cursor>, weight: f64, is_expansion: bool) -> Cursor {
    children.retain(|child| !matches!(child.kind, CursorKind::Empty));
    match children.len() {
        0 => Cursor::empty(),
        1 if weight == 1.0 => children.remove(0),
        _ => Cursor::new(CursorKind::Union(Union::new(children, is_expansion)), weight),
    }
}

/// How rare a word is that `count` of `documents` have.
fn rarity(word: Word, documents: u64, count: u64) -> Rarity {
    let (all, with) = (documents as f64, count as f64);
    let bm25_std = (1.0 + (all - with + 0.5).max(0.5) / (with + 0.5)).ln();
    let tf_idf = tf_idf(all, with);
    Rarity { word, bm25_std, tf_idf }
}
