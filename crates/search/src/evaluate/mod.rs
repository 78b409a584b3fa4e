//! A query against an index: which documents, in which order, and why.
//!
//! Two rounds. [`Gathering`] asks each shard what it knows of the query's words; the [`Statistics`] of all are added up. Then [`Evaluation`]
//! finds and scores a shard's documents, and [`Hits`] of several shards are put together. Both rounds go in steps of bounded length: a
//! step takes fuel, of which about one is used for each id or word looked at. Between steps documents may come and go: one that is
//! removed is not found any more, one that changes is found by what it is or by what it was, and nothing else is missed.

mod build;
mod cursor;
mod gather;
mod hits;
mod proximity;
mod ranges;
mod score;

use crate::DocumentId;
use crate::index::Index;
use crate::query::Node;
use build::Builder;
use cursor::{Cursor, Progress};
pub(crate) use gather::Source;
use hits::Collector;
use roaring::RoaringBitmap;
use score::Scoring;

pub use gather::{Gathering, Statistics};
pub use hits::{Hit, Hits, Order};
pub use score::{Explanation, Scorer};

/// What an administrator may set.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// MINPREFIX: shorter beginnings and ends stand for no words.
    pub prefix_letters_min: usize,
    /// MAXPREFIXEXPANSIONS: a prefix stands for so many words at most.
    pub expansions_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { prefix_letters_min: 2, expansions_max: 200 }
    }
}

/// What a search asks beside its query.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub settings: Settings,
    pub scorer: Scorer,
    /// SLOP, where the query says nothing.
    pub slop: Option<i64>,
    /// INORDER, where the query says nothing.
    pub in_order: bool,
    /// EXPLAINSCORE.
    pub explains: bool,
    /// By what results are ordered.
    pub order: Order,
    /// How many of the first results are wanted: offset and number of LIMIT together.
    pub wanted: usize,
    /// The documents of each VECTOR_RANGE, in the order of the query.
    pub vector_sets: Vec<RoaringBitmap>,
}

/// The second round on one shard, in steps.
#[derive(Debug)]
pub struct Evaluation {
    root: Cursor,
    statistics: Statistics,
    options: Options,
    /// The next id.
    next: Option<DocumentId>,
    collector: Collector,
}

impl Evaluation {
    /// Begins. `statistics` are those of all shards.
    pub fn new(query: &Node, index: &Index, statistics: Statistics, options: Options) -> Self {
        let root = Builder::new(index, &statistics, &options).cursor(query, Source::Words);
        Self { root, statistics, options, next: Some(0), collector: Collector::default() }
    }

    /// Goes on while `fuel` lasts. Says whether that was all.
    pub fn step(&mut self, index: &Index, fuel: &mut usize) -> bool {
        while let Some(next) = self.next {
            match self.root.advance(index, next, fuel) {
                Progress::End => self.next = None,
                Progress::Pending => return false,
                Progress::At(id) => {
                    self.next = id.checked_add(1);
                    self.found(index, id);
                    if *fuel == 0 {
                        return self.next.is_none();
                    }
                }
            }
        }
        true
    }

    fn found(&mut self, index: &Index, id: DocumentId) {
        let Some(record) = index.record(id) else { return };
        self.collector.hits.total += 1;
        if self.options.wanted == 0 {
            return;
        }
        let scoring = Scoring {
            index,
            statistics: &self.statistics,
            scorer: &self.options.scorer,
            id,
            record,
            explains: self.options.explains,
        };
        let (score, explanation) = scoring.score(&self.root);
        let sort_value = match self.options.order {
            Order::Field { field, .. } => index.sort_value(id, field).cloned(),
            Order::Score | Order::Id => None,
        };
        let hits = &mut self.collector.hits;
        hits.score_max = hits.score_max.max(score);
        let hit = Hit { id, score, sort_value, explanation };
        self.collector.push(hit, self.options.order, self.options.wanted);
    }

    /// What was found; all steps must be done.
    pub fn finish(mut self) -> Hits {
        self.collector.hits.sort(self.options.order, self.options.wanted);
        self.collector.hits
    }
}
