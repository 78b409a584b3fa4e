//! FT.SEARCH: first what all shards know of the query's words, then what each finds, then the fields of the documents that are shown ([`super::show`]).
//! Where a round can be left out it is: with one shard nearly all happens in the first.

use super::ahead::{PAGE, ask_for_documents};
use super::deadline::Deadline;
use super::gather::{AfterRound, Ask, Heard};
use super::load::{self, Fields};
use super::question::Question;
use super::request::{Request, SortSource};
use super::warnings::Warnings;
use super::{gather, present, show};
use crate::families::search::profile::meter::{Meter, ShardProfile};
use crate::indexes::documents::{DocumentKey, Held};
use crate::rounds::{Answer, Enquiry, Merge, Next, Part};
use crate::{Args, Cx, Error, ShardCx};
use resp::Reply;
use search::evaluate::{Evaluation, Hit, Options, Order, Statistics};
use search::expression::Value;
use search::index::SortValue;
use search::sorting::Sorting;
use search::vectors::Vectors;
use std::sync::Arc;

/// The command.
pub struct Search;

/// With so many results the shards load what may be shown at once; else only what is, in another round.
const EAGER_MAX: usize = 32;
/// What noting the key of a document counts, and loading it, or one of its fields.
const NAME_FUEL: usize = 1;
pub const LOAD_FUEL: usize = 6;
const FIELD_FUEL: usize = 2;
/// What FT.PROFILE calls the reading of documents.
const LOADER: &str = "Loader";

/// A document that was found.
pub struct Document {
    pub hit: Hit,
    /// Whose it is.
    pub shard: u16,
    pub key: DocumentKey,
    pub payload: Option<Box<[u8]>>,
    pub loaded: Loaded,
}

/// Its fields.
pub enum Loaded {
    NotYet,
    /// The document has gone since.
    Gone,
    Fields(Fields),
}

/// What a shard has found, or all of them have.
#[derive(Default)]
pub struct Found {
    /// How many documents.
    pub total: u64,
    /// The greatest score of all.
    pub score_max: f64,
    /// The first of them, in their order.
    pub documents: Vec<Document>,
    pub warnings: Warnings,
    /// FT.PROFILE: how.
    pub profile: Option<ShardProfile>,
}

impl Enquiry for Search {
    fn begin(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Box<dyn Part>, Error> {
        cx.shard.count_query(args.at(1));
        let request = Request::new(cx, args.at(1), args, None)?;
        gather::begin(cx.shard, request)
    }

    fn merge() -> Box<dyn Merge> {
        AfterRound::<Request>::boxed()
    }
}

impl Ask for Request {
    type Found = Found;

    fn question(&self) -> &Arc<Question> {
        &self.question
    }

    /// Nothing is scored, and no word stands for others.
    fn is_local(&self) -> bool {
        let scores = self.wanted() > 0 && (self.with_scores || self.order() == Order::Score);
        !scores && self.question.is_local()
    }

    fn find(
        self: &Arc<Self>,
        cx: &mut ShardCx,
        statistics: Statistics,
        vectors: Vectors,
    ) -> Result<Box<dyn Part>, Error> {
        let (order, wanted) = order_and_wanted(self);
        let mut meter = Meter::of(&self.question);
        let begun_ns = meter.now_ns();
        let warnings = Warnings { is_cut: statistics.is_cut, ..Warnings::default() };
        let mut options = Options { vectors, ..self.question.options(order, wanted) };
        options.unscored = !self.with_scores && order != Order::Score;
        let held = self.question.index(cx)?.documents.hold();
        let evaluation = self.question.evaluation(cx, statistics, options)?;
        meter.created(begun_ns);
        Ok(Box::new(Find {
            meter,
            request: Arc::clone(self),
            deadline: Deadline::of(&self.question, cx),
            stage: Stage::Evaluate(Box::new(evaluation)),
            found: Found { warnings, ..Found::default() },
            _held: held,
        }))
    }

    fn found(self: Arc<Self>, cx: &mut Cx<'_>, found: Vec<Found>, out: &mut Reply) -> Result<Next, Error> {
        show::put_together(cx, self, found, out)
    }
}

/// What a shard finds.
struct Find {
    request: Arc<Request>,
    deadline: Deadline,
    stage: Stage,
    found: Found,
    meter: Meter,
    _held: Held,
}

enum Stage {
    Evaluate(Box<Evaluation>),
    /// Reads what results are sorted by; so many are done.
    Value(Vec<Hit>, usize),
    /// Puts them into their order.
    Sort(Sorting<Hit>),
    /// Notes the keys of the results, and reads their fields if these are wanted at once.
    Read(std::vec::IntoIter<Hit>),
    Done,
}

/// What an evaluation is to have in front, and how much of it.
fn order_and_wanted(request: &Request) -> (Order, usize) {
    match (&request.sorting, request.wanted()) {
        (_, 0) => (Order::Id, 0),
        (SortSource::Loaded { .. }, _) => (Order::Id, usize::MAX),
        (SortSource::Index(order), wanted) => (*order, wanted),
    }
}

impl Find {
    /// Goes on with a stage while `fuel` lasts: with what, next.
    fn advance(&mut self, cx: &mut Cx<'_>, stage: Stage, fuel: &mut usize) -> Result<Stage, Error> {
        let request = Arc::clone(&self.request);
        Ok(match stage {
            Stage::Evaluate(mut evaluation) => {
                let index = &request.question.index(cx.shard)?.index;
                if !evaluation.step(index, fuel) {
                    if !self.found.warnings.is_timed_out && self.deadline.is_over(cx.shard)? {
                        self.found.warnings.is_timed_out = true;
                        evaluation.stop();
                    }
                    *fuel = 0;
                    return Ok(Stage::Evaluate(evaluation));
                }
                self.end_evaluation(*evaluation)
            }
            Stage::Value(hits, at) => self.read_values(cx, hits, at, fuel)?,
            Stage::Sort(mut sorting) => {
                let (begun_ns, order) = (self.meter.now_ns(), request.order());
                let is_done = sorting.step(|left, right| order.compare(left, right), fuel);
                if !is_done {
                    self.meter.passed("Sorter", 0, begun_ns);
                    return Ok(Stage::Sort(sorting));
                }
                let hits = sorting.finish();
                self.meter.passed("Sorter", hits.len() as u64, begun_ns);
                Stage::Read(hits.into_iter())
            }
            Stage::Read(hits) => self.read(cx, hits, fuel)?,
            Stage::Done => Stage::Done,
        })
    }

    /// Takes over what was found.
    fn end_evaluation(&mut self, evaluation: Evaluation) -> Stage {
        let request = &self.request;
        let begun_ns = self.meter.now_ns();
        let profile = evaluation.profile();
        let hits = evaluation.finish();
        (self.found.total, self.found.score_max) = (hits.total, hits.score_max);
        let hits = hits.hits;
        if let Some(profile) = profile {
            let (wanted, sorter_ns) = (request.wanted(), profile.sorter_ns);
            let scores = wanted > 0 && (request.with_scores || request.order() == Order::Score);
            self.meter.evaluated(profile, scores, !request.question.parts.is_empty());
            match &request.sorting {
                _ if wanted == 0 => self.meter.passed("Counter", 1, begun_ns),
                SortSource::Loaded { .. } => {}
                SortSource::Index(_) => {
                    let ns = self.meter.now_ns() - begun_ns;
                    self.meter.add("Sorter".into(), hits.len() as u64, sorter_ns + ns);
                }
            }
        }
        match request.sorting {
            SortSource::Loaded { .. } => Stage::Value(hits, 0),
            SortSource::Index(_) => Stage::Read(hits.into_iter()),
        }
    }

    /// Reads the values by which results are sorted.
    fn read_values(
        &mut self,
        cx: &mut Cx<'_>,
        mut hits: Vec<Hit>,
        mut at: usize,
        fuel: &mut usize,
    ) -> Result<Stage, Error> {
        let SortSource::Loaded { wanted, .. } = &self.request.sorting else { unreachable!("they are read") };
        let question = &self.request.question;
        let on = question.definition.schema.on;
        let (begun_ns, first) = (self.meter.now_ns(), at);
        while *fuel > 0
            && let Some(hit) = hits.get_mut(at)
        {
            *fuel = fuel.saturating_sub(FIELD_FUEL);
            let key = question.index(cx.shard)?.documents.key_of(hit.id).cloned();
            let value =
                key.and_then(|key| load::document(cx, &key, on)?.value(&key, wanted, self.request.manner()));
            hit.sort_value = Some(match value {
                Some(Value::Number(number)) => SortValue::Number(number),
                Some(Value::Text(text)) => SortValue::Text(text.into()),
                _ => SortValue::Missing,
            });
            at += 1;
        }
        self.meter.passed(LOADER, (at - first) as u64, begun_ns);
        if at < hits.len() {
            return Ok(Stage::Value(hits, at));
        }
        Ok(Stage::Sort(Sorting::new(hits, self.request.wanted())))
    }

    /// Whether the fields of the result in this place are read at once.
    fn loads(&self, shards: u16, place: usize) -> bool {
        let request = &self.request;
        let is_last = shards == 1;
        let is_eager = is_last || request.wanted() <= EAGER_MAX || request.question.profiling.is_some();
        !request.no_content && is_eager && (!is_last || place >= request.limit.0)
    }

    /// Notes the keys of the next results, and when they were written; and reads the fields.
    fn read(
        &mut self,
        cx: &mut Cx<'_>,
        mut hits: std::vec::IntoIter<Hit>,
        fuel: &mut usize,
    ) -> Result<Stage, Error> {
        let (request, first) = (Arc::clone(&self.request), self.found.documents.len());
        let (with_payloads, shard, is_alone) = (request.with_payloads, cx.shard.id, cx.shard.shards == 1);
        let loads = self.loads(cx.shard.shards, first);
        let each = if loads { LOAD_FUEL } else { NAME_FUEL };
        // What is only named ends where what is shown begins.
        let named = if is_alone && first < request.limit.0 { request.limit.0 - first } else { PAGE };
        let count = if *fuel == 0 { 0 } else { (*fuel / each + 1).min(PAGE).min(hits.len()).min(named) };
        *fuel = fuel.saturating_sub(count * each);
        let index = request.question.index(cx.shard)?;
        index.documents.ask_for_keys(hits.as_slice().iter().take(count).map(|hit| hit.id));
        self.found.documents.extend(hits.by_ref().take(count).filter_map(|mut hit| {
            let key = index.documents.key_of(hit.id)?.clone();
            let record = || index.index.record(hit.id);
            let payload = if with_payloads {
                record().and_then(|record| record.payload().map(Into::into))
            } else {
                None
            };
            // Only documents of several shards are compared by it.
            hit.written_us = if is_alone { 0 } else { index.documents.written_us(hit.id) };
            Some(Document { hit, shard, key, payload, loaded: Loaded::NotYet })
        }));
        if loads {
            let begun_ns = self.meter.now_ns();
            let documents = &mut self.found.documents[first..];
            ask_for_documents(cx.shard, documents.iter().map(|document| &document.key), &request.selection);
            for document in documents.iter_mut() {
                document.loaded = loaded(cx, &document.key, &request);
            }
            let count = documents.len() as u64;
            self.meter.passed(LOADER, count, begun_ns);
        }
        Ok(if hits.as_slice().is_empty() { Stage::Done } else { Stage::Read(hits) })
    }
}

impl Part for Find {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        let begun_ns = self.meter.now_ns();
        loop {
            let stage = std::mem::replace(&mut self.stage, Stage::Done);
            self.stage = self.advance(cx, stage, fuel)?;
            if *fuel == 0 || matches!(self.stage, Stage::Done) {
                break;
            }
        }
        self.meter.worked(begun_ns);
        if !matches!(self.stage, Stage::Done) {
            return Ok(None);
        }
        let (request, mut found) = (Arc::clone(&self.request), std::mem::take(&mut self.found));
        found.profile = self.meter.finish(cx.shard, found.warnings);
        Ok(Some(Box::new(Heard::Found(request, found))))
    }
}

/// A document's fields as they are shown.
pub fn loaded(cx: &mut Cx<'_>, key: &[u8], request: &Request) -> Loaded {
    let definition = &request.question.definition;
    let Some(source) = load::document(cx, key, definition.schema.on) else { return Loaded::Gone };
    let mut fields = source.shown(key, &request.selection, request.manner());
    present::dress(cx, request, &mut fields);
    Loaded::Fields(fields)
}
