//! A query against an index: which documents, in which order, and why.
//!
//! Two rounds. [`StatisticsRound`] asks each shard what it knows of the query's words; the [`Statistics`] of all are added up. Then [`Evaluation`]
//! finds and scores a shard's documents, and [`Hits`] of several shards are put together. Both rounds go in steps of bounded length: a
//! step takes fuel, of which about one is used for each id or word looked at. Between steps documents may come and go: one that is
//! removed is not found any more, one that changes is found by what it is or by what it was, and nothing else is missed.

mod build;
mod cursor;
mod hits;
mod ids;
mod matched;
mod measure;
mod proximity;
mod ranges;
mod score;
mod statistics;

use crate::DocumentId;
use crate::index::Index;
use crate::query::Node;
use crate::sorting::Sorting;
use crate::vectors::{Aim, Finding, Vectors};
use build::Builder;
use cursor::{Cursor, Progress};
use hits::Collector;
use measure::Spent;
use roaring::RoaringBitmap;
use score::Scoring;
pub(crate) use statistics::Source;

pub use hits::{Hit, Hits, Order};
pub use matched::matched_terms;
pub use measure::{Children, Clock, Detail, IteratorProfile, Mode, Profile};
pub use score::{Explanation, Scorer};
pub use statistics::{Statistics, StatisticsRound};

/// So many hits are put into their order with the last step.
const SORTED_AT_ONCE: usize = 64;

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
    /// Nobody asks how well documents fit: all scores are 0.
    pub unscored: bool,
    /// INKEYS: nothing else is found.
    pub among: Option<RoaringBitmap>,
    /// How many of the first results are wanted: offset and number of LIMIT together.
    pub wanted: usize,
    /// The vector parts of the query, and what is known of them: all if there are several shards (see [`crate::vectors`]); with one shard the evaluation finds what they
    /// stand for itself.
    pub vectors: Vectors,
    /// Counts and times are taken, for FT.PROFILE.
    pub clock: Option<Clock>,
}

/// The second round on one shard, in steps.
#[derive(Debug)]
pub struct Evaluation {
    /// What is found before anything else.
    finding: Option<(Node, Box<Finding>)>,
    root: Cursor,
    /// The ids of all that is found, if they are wanted.
    ids: Option<RoaringBitmap>,
    statistics: Statistics,
    options: Options,
    /// The next id.
    next: Option<DocumentId>,
    collector: Collector,
    /// Puts what was found into its order.
    sorting: Option<Sorting<Hit>>,
    spent: Spent,
}

impl Evaluation {
    /// Begins. `statistics` are those of all shards.
    pub fn new(query: &Node, index: &Index, statistics: Statistics, options: Options) -> Self {
        let finding = (!options.vectors.parts().is_empty()).then(|| {
            let finding = Finding::new(query, index, &statistics, &options, Aim::All);
            (query.clone(), Box::new(finding))
        });
        let mut evaluation = Self::unbuilt(statistics, options);
        evaluation.finding = finding;
        if evaluation.finding.is_none() {
            evaluation.build(query, index);
        }
        evaluation
    }

    /// Begins to find just the ids of all documents, of which the vector parts are known.
    pub(crate) fn of_filter(query: &Node, index: &Index, statistics: Statistics, options: Options) -> Self {
        let mut evaluation = Self::unbuilt(statistics, Options { wanted: 0, ..options });
        evaluation.ids = Some(RoaringBitmap::new());
        evaluation.build(query, index);
        evaluation
    }

    fn unbuilt(statistics: Statistics, options: Options) -> Self {
        Self {
            finding: None,
            root: Cursor::empty(),
            ids: None,
            statistics,
            options,
            next: Some(0),
            collector: Collector::default(),
            sorting: None,
            spent: Spent::default(),
        }
    }

    fn build(&mut self, query: &Node, index: &Index) {
        self.root = Builder::new(index, &self.statistics, &self.options).cursor(query, Source::Words);
    }

    /// Finds what the vector parts of the query stand for; says whether that is done.
    fn find(&mut self, index: &Index, fuel: &mut usize) -> bool {
        let Some((_, finding)) = &mut self.finding else { return true };
        if !finding.step(index, fuel) {
            return false;
        }
        if let Some((query, finding)) = self.finding.take() {
            self.options.vectors = finding.vectors;
            index.ask_for_records(self.options.vectors.nearest());
            self.build(&query, index);
        }
        true
    }

    /// Goes on while `fuel` lasts. Says whether that was all.
    pub fn step(&mut self, index: &Index, fuel: &mut usize) -> bool {
        if !self.find(index, fuel) {
            return false;
        }
        while let Some(mut next) = self.next {
            if let Some(among) = &self.options.among {
                let Some(candidate) = among.range(next..).next() else {
                    self.next = None;
                    break;
                };
                (next, *fuel) = (candidate, fuel.saturating_sub(1));
                self.spent.among += 1;
            }
            match self.root.advance(index, next, fuel) {
                Progress::End => self.next = None,
                Progress::Pending => return false,
                Progress::At(id) => {
                    self.next = id.checked_add(1);
                    if self.options.among.as_ref().is_none_or(|among| among.contains(id)) {
                        self.found(index, id);
                    }
                    if *fuel == 0 {
                        return self.next.is_none() && self.arrange(fuel);
                    }
                }
            }
        }
        self.arrange(fuel)
    }

    /// Puts what was found into its order; whether that is done.
    fn arrange(&mut self, fuel: &mut usize) -> bool {
        let order = self.options.order;
        if order == Order::Id || self.collector.hits.hits.len() <= SORTED_AT_ONCE && self.sorting.is_none() {
            return true;
        }
        let begun_ns = self.options.clock.map_or(0, |clock| clock());
        let hits = &mut self.collector.hits.hits;
        let wanted = self.options.wanted;
        let sorting = self.sorting.get_or_insert_with(|| Sorting::new(std::mem::take(hits), wanted));
        let is_done = sorting.step(|left, right| order.compare(left, right), fuel);
        self.spent.sorter_ns += self.options.clock.map_or(0, |clock| clock()) - begun_ns;
        is_done
    }

    fn found(&mut self, index: &Index, id: DocumentId) {
        let Some(record) = index.record(id) else { return };
        self.collector.hits.total += 1;
        if let Some(ids) = &mut self.ids {
            ids.insert(id);
        }
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
        let clock = self.options.clock;
        let now_ns = || clock.map_or(0, |clock| clock());
        let begun_ns = now_ns();
        let (score, explanation) =
            if self.options.unscored { (0.0, None) } else { scoring.score(&self.root) };
        let scored_ns = now_ns();
        let sort_value = match self.options.order {
            Order::Field { field, .. } => index.sort_value(id, field).cloned(),
            Order::Score | Order::Id | Order::Distance { .. } => None,
        };
        let distances = self.options.vectors.distances(id);
        let known_ns = now_ns();
        let hits = &mut self.collector.hits;
        hits.score_max = hits.score_max.max(score);
        let hit = Hit { id, score, sort_value, distances, explanation, written_us: 0 };
        self.collector.push(hit, self.options.order, self.options.wanted);
        if clock.is_some() {
            self.spent.scored += 1;
            self.spent.scorer_ns += scored_ns - begun_ns;
            self.spent.metrics_ns += known_ns - scored_ns;
            self.spent.sorter_ns += now_ns() - known_ns;
        }
    }

    /// The documents that a filter has found; all steps must be done.
    pub(crate) fn take_ids(&mut self) -> RoaringBitmap {
        self.ids.take().unwrap_or_default()
    }

    /// No more is looked for: what is left is to put what there is into its order.
    pub fn stop(&mut self) {
        (self.finding, self.next) = (None, None);
    }

    /// What was found, in its order; all steps must be done.
    pub fn finish(self) -> Hits {
        let Options { order, wanted, .. } = self.options;
        let mut hits = self.collector.hits;
        match self.sorting {
            Some(sorting) => hits.hits = sorting.finish(),
            // They are found in the order of their ids.
            None if order == Order::Id => hits.hits.truncate(wanted),
            None => hits.sort(order, wanted),
        }
        hits
    }
}
