//! FT.SEARCH: first what all shards know of the query's words, then what each finds, then the fields of the documents that are shown. Where a
//! round can be left out it is: with one shard all happens in the first.

use super::ahead::{PAGE, ask_for_documents};
use super::deadline::Deadline;
use super::gather::{AfterRound, Ask, Heard};
use super::load::{self, Fields};
use super::question::Question;
use super::request::{Request, Sorting};
use super::warnings::Warnings;
use super::{gather, present, reply};
use crate::families::search::profile::meter::{Meter, Profiling, ShardProfile};
use crate::families::search::profile::{self, reply::Coordinator};
use crate::rounds::{Answer, Enquiry, Merge, Next, Part};
use crate::{Args, Cx, Error, ShardCx};
use resp::Reply;
use search::DocumentId;
use search::evaluate::{Evaluation, Hit, Hits, Options, Order, Statistics};
use search::expression::Value;
use search::index::SortValue;
use search::vectors::Vectors;
use std::collections::HashMap;
use std::sync::Arc;

/// The command.
pub struct Search;

/// With so many results the shards load what may be shown at once; else only what is, in another round.
const EAGER_MAX: usize = 32;
/// What loading a document, or one of its fields, counts.
const LOAD_FUEL: usize = 6;
const FIELD_FUEL: usize = 2;
/// What FT.PROFILE calls the reading of documents.
const LOADER: &str = "Loader";

/// A document that was found.
pub struct Document {
    pub key: Arc<[u8]>,
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
    pub hits: Hits,
    pub documents: HashMap<DocumentId, Document>,
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
        let evaluation = self.question.evaluation(cx, statistics, options)?;
        meter.created(begun_ns);
        Ok(Box::new(Find {
            meter,
            request: Arc::clone(self),
            deadline: Deadline::of(&self.question, cx),
            stage: Stage::Evaluate(Box::new(evaluation)),
            found: Found { warnings, ..Found::default() },
        }))
    }

    fn found(self: Arc<Self>, cx: &mut Cx<'_>, found: Vec<Found>, out: &mut Reply) -> Result<Next, Error> {
        found_all(cx, self, found, out)
    }
}

/// What a shard finds.
struct Find {
    request: Arc<Request>,
    deadline: Deadline,
    stage: Stage,
    found: Found,
    meter: Meter,
}

enum Stage {
    Evaluate(Box<Evaluation>),
    /// Reads what results are sorted by; so many are done.
    Sort(usize),
    /// Notes the keys of the results.
    Name,
    /// Reads the fields of results; the first of these, and the next.
    Load(usize),
    Done,
}

/// What an evaluation is to have in front, and how much of it.
fn order_and_wanted(request: &Request) -> (Order, usize) {
    match (&request.sorting, request.wanted()) {
        (_, 0) => (Order::Id, 0),
        (Sorting::Loaded { .. }, _) => (Order::Id, usize::MAX),
        (Sorting::Index(order), wanted) => (*order, wanted),
    }
}

impl Find {
    /// Goes on with the next stage; what follows if it is done.
    fn advance(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Stage>, Error> {
        let request = Arc::clone(&self.request);
        let question = &request.question;
        Ok(Some(match &mut self.stage {
            Stage::Evaluate(evaluation) => {
                let index = &question.index(cx.shard)?.index;
                if !evaluation.step(index, fuel) {
                    self.found.warnings.is_timed_out = self.deadline.is_over(cx.shard)?;
                    if !self.found.warnings.is_timed_out {
                        return Ok(None);
                    }
                }
                let Stage::Evaluate(evaluation) = std::mem::replace(&mut self.stage, Stage::Done) else {
                    unreachable!("seen above")
                };
                self.end_evaluation(*evaluation);
                if matches!(request.sorting, Sorting::Loaded { .. }) { Stage::Sort(0) } else { Stage::Name }
            }
            Stage::Sort(_) => {
                if !self.sort(cx, fuel)? {
                    return Ok(None);
                }
                Stage::Name
            }
            Stage::Name => {
                self.name(cx)?;
                let is_last = cx.shard.shards == 1;
                let is_eager = is_last || request.wanted() <= EAGER_MAX || question.profiling.is_some();
                let loads = !request.no_content && is_eager;
                if loads { Stage::Load(if is_last { request.limit.0 } else { 0 }) } else { Stage::Done }
            }
            Stage::Load(at) => {
                let (begun_ns, first) = (self.meter.now_ns(), *at);
                while let Some(hit) = self.found.hits.hits.get(*at) {
                    if *fuel == 0 {
                        self.meter.passed(LOADER, (*at - first) as u64, begun_ns);
                        return Ok(None);
                    }
                    *fuel = fuel.saturating_sub(LOAD_FUEL);
                    if (*at - first).is_multiple_of(PAGE) {
                        let next = self.found.hits.hits[*at..].iter();
                        let keys = next.map(|hit| &self.found.documents[&hit.id].key);
                        ask_for_documents(cx.shard, keys, &request.selection);
                    }
                    let document = self.found.documents.get_mut(&hit.id).expect("all results have a key");
                    document.loaded = loaded(cx, &document.key, &request);
                    *at += 1;
                }
                self.meter.passed(LOADER, (*at - first) as u64, begun_ns);
                Stage::Done
            }
            Stage::Done => return Ok(None),
        }))
    }

    /// Takes over what was found.
    fn end_evaluation(&mut self, evaluation: Evaluation) {
        let request = &self.request;
        let begun_ns = self.meter.now_ns();
        let profile = evaluation.profile();
        self.found.hits = evaluation.finish();
        let Some(profile) = profile else { return };
        let (wanted, sorter_ns) = (request.wanted(), profile.sorter_ns);
        let scores = wanted > 0 && (request.with_scores || request.order() == Order::Score);
        self.meter.evaluated(profile, scores, !request.question.parts.is_empty());
        match &request.sorting {
            _ if wanted == 0 => self.meter.passed("Counter", 1, begun_ns),
            Sorting::Loaded { .. } => {}
            Sorting::Index(_) => {
                let (kept, ns) = (self.found.hits.hits.len() as u64, self.meter.now_ns() - begun_ns);
                self.meter.add("Sorter".into(), kept, sorter_ns + ns);
            }
        }
    }

    /// Reads the values by which results are sorted; whether that is done.
    fn sort(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<bool, Error> {
        let Stage::Sort(at) = &mut self.stage else { unreachable!("it is at that") };
        let Sorting::Loaded { wanted, .. } = &self.request.sorting else { unreachable!("as above") };
        let question = &self.request.question;
        let on = question.definition.schema.on;
        let (begun_ns, first) = (self.meter.now_ns(), *at);
        while let Some(hit) = self.found.hits.hits.get_mut(*at) {
            if *fuel == 0 {
                self.meter.passed(LOADER, (*at - first) as u64, begun_ns);
                return Ok(false);
            }
            *fuel = fuel.saturating_sub(FIELD_FUEL);
            let key = question.index(cx.shard)?.documents.key_of(hit.id).cloned();
            let value =
                key.and_then(|key| load::document(cx, &key, on)?.value(&key, wanted, self.request.manner()));
            hit.sort_value = Some(match value {
                Some(Value::Number(number)) => SortValue::Number(number),
                Some(Value::Text(text)) => SortValue::Text(text.into()),
                _ => SortValue::Missing,
            });
            *at += 1;
        }
        self.meter.passed(LOADER, (*at - first) as u64, begun_ns);
        let begun_ns = self.meter.now_ns();
        self.found.hits.sort(self.request.order(), self.request.wanted());
        self.meter.passed("Sorter", self.found.hits.hits.len() as u64, begun_ns);
        Ok(true)
    }

    /// Notes the keys of the results, whose ids may soon be others', and when they were written.
    fn name(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        let with_payloads = self.request.with_payloads;
        let index = self.request.question.index(cx.shard)?;
        let Found { hits, documents, .. } = &mut self.found;
        index.documents.ask_for_keys(hits.hits.iter().take(PAGE).map(|hit| hit.id));
        hits.hits.retain_mut(|hit| {
            let Some(key) = index.documents.key_of(hit.id) else { return false };
            let record = || index.index.record(hit.id);
            let payload =
                if with_payloads { record().and_then(|record| record.payload.clone()) } else { None };
            let document = Document { key: Arc::clone(key), payload, loaded: Loaded::NotYet };
            hit.written_us = index.documents.written_us(hit.id);
            documents.insert(hit.id, document);
            true
        });
        Ok(())
    }
}

impl Part for Find {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        let begun_ns = self.meter.now_ns();
        while let Some(next) = self.advance(cx, fuel)? {
            self.stage = next;
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
fn loaded(cx: &mut Cx<'_>, key: &[u8], request: &Request) -> Loaded {
    let definition = &request.question.definition;
    let Some(source) = load::document(cx, key, definition.schema.on) else { return Loaded::Gone };
    let mut fields = source.shown(key, &request.selection, request.manner());
    present::dress(cx, request, &mut fields);
    Loaded::Fields(fields)
}

/// Puts together what all shards have found: answers if all that is shown is there.
fn found_all(
    cx: &mut Cx<'_>,
    request: Arc<Request>,
    all: Vec<Found>,
    out: &mut Reply,
) -> Result<Next, Error> {
    let begun_ns = (cx.shard.platform.clock_ns)();
    let mut found = Found::default();
    let mut profiles = Vec::new();
    let (order, wanted) = (request.order(), request.wanted());
    // Which shard has which document.
    let mut owners = HashMap::new();
    for (shard, one) in all.into_iter().enumerate() {
        owners.extend(one.documents.keys().map(|id| (*id, shard)));
        found.documents.extend(one.documents);
        found.warnings.add(one.warnings);
        profiles.extend(one.profile);
        found.hits.merge(one.hits, order, wanted);
    }
    if request.question.scorer == search::evaluate::Scorer::Bm25StdNorm {
        found.hits.normalize();
    }
    let first = request.limit.0.min(found.hits.hits.len());
    found.hits.hits.drain(..first);
    let is_there = |hit: &Hit| !matches!(found.documents[&hit.id].loaded, Loaded::NotYet);
    if request.no_content || found.hits.hits.iter().all(is_there) {
        match request.question.profiling {
            None => reply::write(cx, &request, &found, out),
            Some(profiling) => {
                write_profiled(cx, &request, &found, profiling, (&profiles, begun_ns), out);
            }
        }
        return Ok(Next::Done);
    }
    let mut lists: Vec<Vec<(DocumentId, Arc<[u8]>)>> = (0..cx.shard.shards).map(|_| Vec::new()).collect();
    for hit in found.hits.hits.iter().filter(|hit| !is_there(hit)) {
        lists[owners[&hit.id]].push((hit.id, Arc::clone(&found.documents[&hit.id].key)));
    }
    let part = |(shard, keys): (usize, Vec<_>)| {
        let (keys, loaded) = (keys.into_iter(), Vec::new());
        (shard as u16, Box::new(Load { request: Arc::clone(&request), keys, loaded }) as Box<dyn Part>)
    };
    let wanted = lists.into_iter().enumerate().filter(|(_, keys)| !keys.is_empty());
    let parts = wanted.map(part).collect();
    Ok(Next::Round(parts, Box::new(AfterLoad { request, found })))
}

/// The reply, and what the shards tell of it; it was begun to be put together then.
fn write_profiled(
    cx: &Cx<'_>,
    request: &Request,
    found: &Found,
    profiling: Profiling,
    (shards, begun_ns): (&[ShardProfile], u64),
    out: &mut Reply,
) {
    profile::reply::begin(out);
    reply::write(cx, request, found, out);
    let now_ns = (profiling.clock)();
    let coordinator = match shards.len() {
        1 => Coordinator::None,
        _ => Coordinator::Search { total_ns: now_ns - profiling.begun_ns, post_ns: now_ns - begun_ns },
    };
    profile::reply::end(profiling, shards, &coordinator, out);
}

/// The third round: the fields of a shard's documents that are shown.
struct Load {
    request: Arc<Request>,
    keys: std::vec::IntoIter<(DocumentId, Arc<[u8]>)>,
    loaded: Vec<(DocumentId, Loaded)>,
}

impl Part for Load {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        while *fuel > 0 {
            let Some((id, key)) = self.keys.next() else {
                return Ok(Some(Box::new(std::mem::take(&mut self.loaded))));
            };
            *fuel = fuel.saturating_sub(LOAD_FUEL);
            self.loaded.push((id, loaded(cx, &key, &self.request)));
        }
        Ok(None)
    }
}

struct AfterLoad {
    request: Arc<Request>,
    found: Found,
}

impl Merge for AfterLoad {
    fn merge(
        mut self: Box<Self>,
        cx: &mut Cx<'_>,
        answers: Vec<Answer>,
        out: &mut Reply,
    ) -> Result<Next, Error> {
        for answer in answers {
            let all = answer.downcast::<Vec<(DocumentId, Loaded)>>().expect("of the third round");
            for (id, loaded) in *all {
                self.found.documents.get_mut(&id).expect("it was found").loaded = loaded;
            }
        }
        reply::write(cx, &self.request, &self.found, out);
        Ok(Next::Done)
    }
}
