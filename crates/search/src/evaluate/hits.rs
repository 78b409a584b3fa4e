//! The first of the documents found, in order; those of several shards put together.

use super::score::Explanation;
use crate::DocumentId;
use crate::index::SortValue;
use crate::schema::FieldNumber;
use std::cmp::Ordering;

/// By what results are ordered. What is equal goes by id on a shard, and by when it was written where those of several are put together.
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
    /// When the document was written, in µs; for the order of documents of several shards.
    pub written_us: u64,
}

impl Hit {
    /// BM25STD.NORM: divides the score by the greatest of all.
    pub fn normalize(&mut self, most: f64) {
        let score = self.score;
        self.score = if most > 0.0 { score / most } else { 0.0 };
        if let Some(why) = self.explanation.take() {
            let relative = self.score;
            let text = format!(
                "Final BM25STD.NORM: {relative:.2} = Original Score: {score:.2} / Max Score: {most:.2}"
            );
            self.explanation = Some(Explanation { text, children: why.children });
        }
    }
}

impl Order {
    /// How two documents of a shard stand to each other.
    pub fn compare(self, left: &Hit, right: &Hit) -> Ordering {
        self.rank(left, right).then_with(|| self.turned(left.id.cmp(&right.id)))
    }

    /// How two documents of different shards stand to each other.
    pub fn compare_apart(self, left: &Hit, right: &Hit) -> Ordering {
        let written = |hit: &Hit| (hit.written_us, hit.id);
        self.rank(left, right).then_with(|| self.turned(written(left).cmp(&written(right))))
    }

    /// The order of documents that sort alike: as they were written, backwards where values are.
    fn turned(self, ordering: Ordering) -> Ordering {
        if matches!(self, Self::Field { descending: true, .. }) { ordering.reverse() } else { ordering }
    }

    /// As [`Order::compare`], where many may be equal.
    pub fn rank(self, left: &Hit, right: &Hit) -> Ordering {
        match self {
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
        }
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
    /// Puts those of one shard into their order.
    pub fn sort(&mut self, order: Order, wanted: usize) {
        self.hits.sort_by(|left, right| order.compare(left, right));
        self.hits.truncate(wanted);
    }

    /// BM25STD.NORM: divides the scores by the greatest. Once, when the hits of all shards are together.
    pub fn normalize(&mut self) {
        let most = self.score_max;
        self.hits.iter_mut().for_each(|hit| hit.normalize(most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sorting::Sorting;

    fn hits(of: &[(DocumentId, f64, u64)]) -> Vec<Hit> {
        let hit = |&(id, score, written_us): &_| Hit {
            id,
            score,
            sort_value: None,
            distances: Box::default(),
            explanation: None,
            written_us,
        };
        of.iter().map(hit).collect()
    }

    fn ids(shards: &[&[(DocumentId, f64, u64)]], wanted: usize) -> Vec<DocumentId> {
        let mut sorting = Sorting::of_runs(shards.iter().map(|of| hits(of)), wanted);
        while !sorting.step(|left, right| Order::Score.compare_apart(left, right), &mut { usize::MAX }) {}
        sorting.finish().iter().map(|hit| hit.id).collect()
    }

    #[test]
    fn equals_of_several_shards_come_as_they_were_written() {
        let shards: [&[_]; 3] = [
            &[(1, 2.0, 50), (2, 1.0, 10), (3, 1.0, 40)],
            &[(11, 2.0, 60), (12, 1.0, 20)],
            &[(21, 3.0, 90), (22, 1.0, 30), (23, 1.0, 40)],
        ];
        assert_eq!(ids(&shards, 99), [21, 1, 11, 2, 12, 22, 3, 23]);
    }

    #[test]
    fn the_first_are_the_same_however_many_are_wanted() {
        // Ids that are used again: the order of a shard is not that of writing.
        let shards: [&[_]; 2] = [&[(1, 1.0, 90), (2, 1.0, 10)], &[(11, 1.0, 30), (12, 1.0, 20)]];
        let all = ids(&shards, 4);
        for wanted in 0..=4 {
            let first: Vec<_> = shards.iter().map(|of| &of[..wanted.min(of.len())]).collect();
            assert_eq!(ids(&first, wanted), all[..wanted]);
        }
    }
}
