//! FT.AGGREGATE: what all shards know of the query's words if that matters, then the rows of each as far as it can go with them alone, then all
//! together ([`super::show`]).

use super::request::Request;
use super::show;
use super::steps::{self, Flow, Reduction};
use super::tally::Tally;
use crate::families::search::profile::meter::{Meter, ShardProfile};
use crate::families::search::query::deadline::Deadline;
use crate::families::search::query::gather::{self, AfterRound, Ask, Heard};
use crate::families::search::query::question::Question;
use crate::families::search::query::warnings::Warnings;
use crate::indexes::documents::Held;
use crate::rounds::{Answer, Enquiry, Merge, Next, Part};
use crate::{Args, Cx, Error, ShardCx};
use resp::Reply;
use search::aggregate::Fields;
use search::evaluate::{Evaluation, Hit, Options, Order, Scorer, Statistics};
use search::expression::Value;
use search::query::Kind;
use search::vectors::Vectors;
use std::sync::Arc;

/// The command.
pub struct Aggregate;

/// What a row counts that is read from its document, and what one counts that is not.
const DOCUMENT_FUEL: usize = 6;
const ROW_FUEL: usize = 2;

impl Enquiry for Aggregate {
    fn begin(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Box<dyn Part>, Error> {
        cx.shard.count_query(args.at(1));
        let request = Request::new(cx, args.at(1), args, None)?;
        gather::begin(cx.shard, request)
    }

    fn merge() -> Box<dyn Merge> {
        AfterRound::<Request>::boxed()
    }
}

/// The rows of a shard as far as it can take them.
pub struct Collected {
    pub flow: Flow,
    pub warnings: Warnings,
    /// FT.PROFILE: how, and what the steps have counted.
    pub profile: Option<(ShardProfile, Tally)>,
}

impl Ask for Request {
    type Found = Collected;

    fn question(&self) -> &Arc<Question> {
        &self.question
    }

    fn is_local(&self) -> bool {
        !self.adds_scores && self.question.is_local()
    }

    fn find(
        self: &Arc<Self>,
        cx: &mut ShardCx,
        statistics: Statistics,
        vectors: Vectors,
    ) -> Result<Box<dyn Part>, Error> {
        let mut meter = Meter::of(&self.question);
        let begun_ns = meter.now_ns();
        let warnings = Warnings { is_cut: statistics.is_cut, ..Warnings::default() };
        // Without a filter what is nearest comes first, as the graph or the list of vectors gives it.
        let order = match &self.question.node.kind {
            Kind::Nearest { filter, .. } if filter.kind == Kind::All => {
                Order::Distance { part: 0, descending: false }
            }
            _ => Order::Id,
        };
        let options = Options { vectors, ..self.question.options(order, usize::MAX) };
        let held = self.question.index(cx)?.documents.hold();
        let evaluation = self.question.evaluation(cx, statistics, options)?;
        meter.created(begun_ns);
        Ok(Box::new(Collect {
            _held: held,
            meter,
            tally: self.tally(),
            request: Arc::clone(self),
            deadline: Deadline::of(&self.question, cx),
            stage: Stage::Evaluate(Box::new(evaluation)),
            rows: Reduction::default(),
            warnings,
        }))
    }

    fn found(
        self: Arc<Self>,
        cx: &mut Cx<'_>,
        found: Vec<Collected>,
        out: &mut Reply,
    ) -> Result<Next, Error> {
        show::put_together(cx, self, found, out)
    }
}

/// The rows of a shard.
struct Collect {
    request: Arc<Request>,
    deadline: Deadline,
    stage: Stage,
    rows: Reduction,
    warnings: Warnings,
    meter: Meter,
    tally: Tally,
    _held: Held,
}

enum Stage {
    Evaluate(Box<Evaluation>),
    Rows(std::vec::IntoIter<Hit>),
    /// What is left to be done with them on this shard.
    Reduce,
    Done,
}

impl Collect {
    /// Goes on with a stage; whether the next can begin.
    fn advance(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<bool, Error> {
        let request = Arc::clone(&self.request);
        let question = &request.question;
        let stage = std::mem::replace(&mut self.stage, Stage::Done);
        let (next, goes_on) = match stage {
            Stage::Evaluate(mut evaluation) => {
                let index = &question.index(cx.shard)?.index;
                let is_done = evaluation.step(index, fuel);
                if !is_done && !self.warnings.is_timed_out && self.is_late(cx)? {
                    evaluation.stop();
                }
                match is_done {
                    true => {
                        if let Some(profile) = evaluation.profile() {
                            self.meter.evaluated(profile, request.adds_scores, !question.parts.is_empty());
                        }
                        let mut found = evaluation.finish();
                        if question.scorer == Scorer::Bm25StdNorm {
                            found.normalize();
                        }
                        (Stage::Rows(found.hits.into_iter()), true)
                    }
                    false => (Stage::Evaluate(evaluation), false),
                }
            }
            Stage::Rows(mut hits) => {
                while *fuel > 0
                    && let Some(hit) = hits.next()
                {
                    self.add_row(cx, &hit, fuel)?;
                }
                let is_done = hits.as_slice().is_empty() || self.is_late(cx)?;
                if is_done { (Stage::Reduce, true) } else { (Stage::Rows(hits), false) }
            }
            Stage::Reduce => {
                let is_done = self.rows.step(request.first_of_all_rows(), fuel);
                (if is_done { Stage::Done } else { Stage::Reduce }, false)
            }
            Stage::Done => (Stage::Done, false),
        };
        self.stage = next;
        Ok(goes_on)
    }

    fn is_late(&mut self, cx: &Cx<'_>) -> Result<bool, Error> {
        self.warnings.is_timed_out = self.deadline.is_over(cx.shard)?;
        Ok(self.warnings.is_timed_out)
    }

    /// Makes the row of a document, and takes it through the first steps.
    fn add_row(&mut self, cx: &mut Cx<'_>, hit: &Hit, fuel: &mut usize) -> Result<(), Error> {
        let request = &self.request;
        let reads = request.columns.reads_documents();
        *fuel = fuel.saturating_sub(if reads { DOCUMENT_FUEL } else { ROW_FUEL });
        let begun_ns = self.meter.now_ns();
        let mut row = Fields::default();
        for (name, distance) in request.question.parts.names().zip(&hit.distances) {
            if let (Some(name), Some(distance)) = (name, distance) {
                row.set(name, Value::Number(*distance));
            }
        }
        if request.adds_scores {
            row.set(b"__score", Value::Number(hit.score));
        }
        row.written_us = request.question.index(cx.shard)?.documents.written_us(hit.id);
        if request.asks_for_terms {
            row.terms = request.question.matched_terms(cx.shard, hit.id)?;
        }
        if !request.columns.read(cx, &request.question, hit.id, |_| None, &mut row)? {
            return Ok(());
        }
        if reads {
            self.meter.passed("Loader", 1, begun_ns);
        }
        if steps::apply_plain(&request.steps, &mut row, &mut self.tally)? {
            let begun_ns = self.tally.now_ns();
            self.rows.add(request.first_of_all_rows(), row, &mut cx.shard.random)?;
            if let Some(barrier) = steps::barrier(&request.steps) {
                self.tally.passed(barrier, 0, begun_ns);
            }
        }
        Ok(())
    }
}

impl Part for Collect {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        let begun_ns = self.meter.now_ns();
        while self.advance(cx, fuel)? {}
        self.meter.worked(begun_ns);
        if !matches!(self.stage, Stage::Done) {
            return Ok(None);
        }
        let request = Arc::clone(&self.request);
        let flow = std::mem::take(&mut self.rows).finish(request.first_of_all_rows());
        let profile = self.meter.finish(cx.shard, self.warnings).map(|mut profile| {
            // What a shard alone cannot end is told where it ends.
            let own = steps::barrier(&request.steps).unwrap_or(request.steps.len());
            profile.processors.extend(self.tally.processors(&request.steps, 0..own));
            (profile, std::mem::take(&mut self.tally))
        });
        let collected = Collected { flow, warnings: self.warnings, profile };
        Ok(Some(Box::new(Heard::Found(request, collected))))
    }
}

impl Request {
    /// Counts of the steps, if it is profiled.
    pub fn tally(&self) -> Tally {
        Tally::new(self.question.profiling.map(|profiling| profiling.clock), self.steps.len())
    }
}
