//! The first of the documents found, in order; those of several shards put together.

use super::score::Explanation;
use crate::DocumentId;
use crate::index::SortValue;
use crate::schema::FieldNumber;
use std::cmp::Ordering;

/// By what results are ordered. What is equal goes by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The best first.
    #[default]
    Score,
    /// By a SORTABLE field; documents without it come last.
    Field { field: FieldNumber, descending: bool },
    /// By the distance of a vector part of the query; documents that it has not found come last.
    Distance { part: usize, descending: bool },
    /// As they are found.
    Id,
}

/// A document that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    pub id: DocumentId,
    pub score: f64,
    /// Of the field that results are ordered by.
    pub sort_value: Option<SortValue>,
    /// How far it is, for each vector part of the query that has found it.
    pub distances: Box<[Option<f64>]>,
    pub explanation: Option<Explanation>,
}

impl Order {
    /// How two documents stand to each other.
    pub fn compare(self, left: &Hit, right: &Hit) -> Ordering {
        let by_value = match self {
            Self::Id => Ordering::Equal,
            Self::Score => right.score.total_cmp(&left.score),
            Self::Distance { part, descending } => {
                let distance = |hit: &Hit| hit.distances.get(part).copied().flatten();
                match (distance(left), distance(right)) {
                    (Some(left), Some(right)) if descending => right.total_cmp(&left),
                    (Some(left), Some(right)) => left.total_cmp(&right),
                    (left, right) => right.is_some().cmp(&left.is_some()),
                }
            }
            Self::Field { descending, .. } => compare_values(&left.sort_value, &right.sort_value, descending),
        };
        by_value.then(left.id.cmp(&right.id))
    }
}

fn compare_values(left: &Option<SortValue>, right: &Option<SortValue>, descending: bool) -> Ordering {
    let turned = |ordering: Ordering| if descending { ordering.reverse() } else { ordering };
    let known = |value: &Option<SortValue>| !matches!(value, None | Some(SortValue::Missing));
    match (left, right) {
        (Some(SortValue::Number(left)), Some(SortValue::Number(right))) => turned(left.total_cmp(right)),
        (Some(SortValue::Text(left)), Some(SortValue::Text(right))) => turned(left.cmp(right)),
        (Some(SortValue::Number(_)), Some(SortValue::Text(_))) => turned(Ordering::Less),
        (Some(SortValue::Text(_)), Some(SortValue::Number(_))) => turned(Ordering::Greater),
        (left, right) => known(right).cmp(&known(left)),
    }
}

/// Takes documents in and keeps the first.
#[derive(Debug, Default)]
pub(super) struct Collector {
    pub hits: Hits,
    /// The last of those kept when there were last too many: what comes behind it is not among the first.
    bar: Option<Hit>,
}

impl Collector {
    pub fn push(&mut self, hit: Hit, order: Order, wanted: usize) {
        if self.bar.as_ref().is_some_and(|bar| order.compare(bar, &hit).is_lt()) {
            return;
        }
        let hits = &mut self.hits.hits;
        hits.push(hit);
        let room = wanted.saturating_mul(2).max(64);
        if hits.len() < room || wanted == 0 || wanted >= room {
            return;
        }
        let (_, last, _) = hits.select_nth_unstable_by(wanted - 1, |left, right| order.compare(left, right));
        self.bar = Some(Hit { explanation: None, ..last.clone() });
        hits.truncate(wanted);
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hits {
    /// How many documents.
    pub total: u64,
    /// The first of them.
    pub hits: Vec<Hit>,
    /// The greatest score of all, also of those that are not among the first.
    pub score_max: f64,
}

impl Hits {
    pub(super) fn sort(&mut self, order: Order, wanted: usize) {
        self.hits.sort_by(|left, right| order.compare(left, right));
        self.hits.truncate(wanted);
    }

    /// Adds what another shard has found.
    pub fn merge(&mut self, other: Self, order: Order, wanted: usize) {
        self.total += other.total;
        self.score_max = self.score_max.max(other.score_max);
        self.hits.extend(other.hits);
        self.sort(order, wanted);
    }

    /// BM25STD.NORM: divides the scores by the greatest. Once, when the hits of all shards are together.
    pub fn normalize(&mut self) {
        let most = self.score_max;
        for hit in &mut self.hits {
            let score = hit.score;
            hit.score = if most > 0.0 { score / most } else { 0.0 };
            if let Some(why) = hit.explanation.take() {
                let text = format!(
                    "Final BM25STD.NORM: {:.2} = Original Score: {score:.2} / Max Score: {most:.2}",
                    hit.score
                );
                hit.explanation = Some(Explanation { text, children: why.children });
            }
        }
    }
}
