//! The rounds of FT.HYBRID: what all shards know of the words of both queries; what the vector stands for; the best of each shard by either; then, of
//! the documents that have come together, what rows need of them.

use super::fusion::{Fused, vector_score};
use super::request::{KEY, Request};
use crate::families::search::aggregate::finish::Finishing;
use crate::families::search::aggregate::reply::write_row;
use crate::families::search::aggregate::steps::{self, Reduction};
use crate::families::search::aggregate::tally::Tally;
use crate::families::search::profile;
use crate::families::search::profile::meter::{Meter, Profiling, ShardProfile};
use crate::families::search::query::deadline::Deadline;
use crate::families::search::query::question::Question;
use crate::families::search::query::vectors;
use crate::families::search::query::warnings::Warnings;
use crate::indexes::documents::{DocumentKey, Held};
use crate::rounds::{Answer, Enquiry, Merge, Next, Part};
use crate::{Args, Cx, Error};
use resp::Reply;
use search::DocumentId;
use search::aggregate::Fields;
use search::evaluate::{Evaluation, Hit, Hits, Options, Order, Scorer, Statistics, StatisticsRound};
use search::expression::Value;
use search::vectors::Vectors;
use std::collections::HashMap;
use std::sync::Arc;

/// The command.
pub struct Hybrid;

/// What warnings call the two queries.
const QUERIES: [&str; 2] = ["SEARCH", "VSIM"];
/// What a row counts that is read from its document.
const DOCUMENT_FUEL: usize = 6;

impl Enquiry for Hybrid {
    fn begin(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Box<dyn Part>, Error> {
        cx.shard.count_query(args.at(1));
        Ok(begin(Request::new(cx, args.at(1), args, None)?))
    }

    fn merge() -> Box<dyn Merge> {
        Box::new(AfterGather)
    }
}

/// Makes a shard's part of the first round.
pub fn begin(request: Request) -> Box<dyn Part> {
    Box::new(Gather { request: Arc::new(request), gathering: None, known: Vec::new() })
}

/// The first round: what a shard knows of the words of both queries.
struct Gather {
    request: Arc<Request>,
    gathering: Option<StatisticsRound>,
    known: Vec<Statistics>,
}

/// With it the ids of documents rest: vectors are found by them before the shard is asked again.
type Known = (Arc<Request>, Vec<Statistics>, Held);

impl Part for Gather {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        let questions = [&self.request.search, &self.request.vector];
        while let Some(question) = questions.get(self.known.len()) {
            let index = &question.index(cx.shard)?.index;
            let mut gathering = match self.gathering.take() {
                Some(gathering) => gathering,
                None => StatisticsRound::new(&question.node, index, &question.settings.words)
                    .map_err(Error::search)?,
            };
            if !gathering.step(index, fuel) {
                self.gathering = Some(gathering);
                return Ok(None);
            }
            self.known.push(gathering.finish(index));
        }
        let held = self.request.vector.index(cx.shard)?.documents.hold();
        let known: Known = (Arc::clone(&self.request), std::mem::take(&mut self.known), held);
        Ok(Some(Box::new(known)))
    }
}

struct AfterGather;

impl Merge for AfterGather {
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error> {
        let (mut request, mut of_words, mut of_vector, mut held) = (None, Vec::new(), Vec::new(), Vec::new());
        for answer in answers {
            let (of, known, theirs) = *answer.downcast::<Known>().expect("of the first round");
            held.push(theirs);
            request.get_or_insert(of);
            let [words, vector] = <[Statistics; 2]>::try_from(known).expect("there are two queries");
            of_words.push(words);
            of_vector.push(vector);
        }
        let request = request.expect("there is a shard");
        let of_words = request.search.merge_statistics(of_words);
        let of_vector = request.vector.merge_statistics(of_vector);
        let question = Arc::clone(&request.vector);
        vectors::prepare(cx, question, of_vector, out, move |cx, of_vector, vectors, _| {
            let part = |(shard, held)| {
                let begin = [
                    (of_words.clone(), Vectors::new(Arc::clone(&request.search.parts))),
                    (of_vector.clone(), vectors.clone()),
                ];
                let find = Find::new(Arc::clone(&request), begin, held);
                (shard, Box::new(find) as Box<dyn Part>)
            };
            let parts = (0..cx.shard.shards).zip(held).map(part).collect();
            Ok(Next::Round(parts, Box::new(AfterFind { request })))
        })
    }
}

/// The best of a shard, of one query after the other.
struct Find {
    request: Arc<Request>,
    begin: std::array::IntoIter<(Statistics, Vectors), 2>,
    deadline: Option<Deadline>,
    evaluation: Option<Box<Evaluation>>,
    /// Of the query whose turn it is.
    warnings: Warnings,
    meter: Meter,
    found: Vec<Found>,
    _held: Held,
}

/// What a query has found on a shard.
struct Found {
    documents: Vec<(DocumentKey, Hit)>,
    score_max: f64,
    warnings: Warnings,
    /// FT.PROFILE: how.
    profile: Option<ShardProfile>,
}

impl Find {
    fn new(request: Arc<Request>, begin: [(Statistics, Vectors); 2], held: Held) -> Self {
        let (begin, meter) = (begin.into_iter(), Meter::default());
        let warnings = Warnings::default();
        let (deadline, evaluation, found) = (None, None, Vec::new());
        Self { request, begin, deadline, evaluation, warnings, meter, found, _held: held }
    }

    /// The query whose turn it is, how its documents are ordered, and how many are wanted.
    fn query(&self) -> (Arc<Question>, Order, usize) {
        let (of_words, of_vector) = self.request.wanted;
        match self.found.len() {
            0 => (Arc::clone(&self.request.search), Order::Score, of_words),
            _ => {
                (Arc::clone(&self.request.vector), Order::Distance { part: 0, descending: false }, of_vector)
            }
        }
    }
}

impl Find {
    /// Takes over what a query has found.
    fn end_evaluation(&mut self, evaluation: Evaluation) -> Hits {
        let begun_ns = self.meter.now_ns();
        let profile = evaluation.profile();
        let hits = evaluation.finish();
        if let Some(profile) = profile {
            let (of_words, sorter_ns) = (self.found.is_empty(), profile.sorter_ns);
            self.meter.evaluated(profile, of_words, !of_words);
            let ns = sorter_ns + self.meter.now_ns() - begun_ns;
            self.meter.add("Sorter".into(), hits.hits.len() as u64, ns);
        }
        hits
    }
}

impl Part for Find {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        while self.found.len() < 2 {
            let (question, order, wanted) = self.query();
            let deadline = *self.deadline.get_or_insert_with(|| Deadline::of(&question, cx.shard));
            if let (None, Some((statistics, vectors))) = (&self.evaluation, self.begin.as_slice().first()) {
                let (statistics, vectors) = (statistics.clone(), vectors.clone());
                self.warnings = Warnings { is_cut: statistics.is_cut, ..Warnings::default() };
                self.meter = Meter::of(&question);
                let begun_ns = self.meter.now_ns();
                let options = Options { vectors, ..question.options(order, wanted) };
                let evaluation = question.evaluation(cx.shard, statistics, options)?;
                self.meter.created(begun_ns);
                self.evaluation = Some(Box::new(evaluation));
                self.begin.next();
            }
            let evaluation = self.evaluation.as_mut().expect("just made");
            let index = &question.index(cx.shard)?.index;
            let begun_ns = self.meter.now_ns();
            let is_done = evaluation.step(index, fuel);
            self.meter.worked(begun_ns);
            if !is_done {
                if !self.warnings.is_timed_out && deadline.is_over(cx.shard)? {
                    self.warnings.is_timed_out = true;
                    evaluation.stop();
                }
                return Ok(None);
            }
            let Some(evaluation) = self.evaluation.take() else { unreachable!("seen above") };
            let hits = self.end_evaluation(*evaluation);
            let documents = &question.index(cx.shard)?.documents;
            let named = |mut hit: Hit| {
                hit.written_us = documents.written_us(hit.id);
                Some((documents.key_of(hit.id)?.clone(), hit))
            };
            let found = hits.hits.into_iter().filter_map(named).collect();
            let (score_max, warnings) = (hits.score_max, self.warnings);
            let profile = self.meter.finish(cx.shard, warnings);
            self.found.push(Found { documents: found, score_max, warnings, profile });
        }
        Ok(Some(Box::new(std::mem::take(&mut self.found))))
    }
}

struct AfterFind {
    request: Arc<Request>,
}

/// A document of any shard. What has the same score comes in the order of its writing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Document {
    written_us: u64,
    id: DocumentId,
    shard: usize,
    key: DocumentKey,
}

impl Merge for AfterFind {
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error> {
        let request = self.request;
        let mut lists: [Vec<(Document, Hit)>; 2] = Default::default();
        let (mut warnings, mut score_max, mut profiles) = ([Warnings::default(); 2], 0_f64, Vec::new());
        for (shard, answer) in answers.into_iter().enumerate() {
            let mut found = *answer.downcast::<Vec<Found>>().expect("of this round");
            profiles.push(found.iter_mut().filter_map(|found| found.profile.take()).collect());
            for (at, (list, found)) in lists.iter_mut().zip(found).enumerate() {
                warnings[at].add(found.warnings);
                if at == 0 {
                    score_max = score_max.max(found.score_max);
                }
                let of_shard = |(key, hit): (DocumentKey, Hit)| {
                    (Document { written_us: hit.written_us, id: hit.id, shard, key }, hit)
                };
                list.extend(found.documents.into_iter().map(of_shard));
            }
        }
        let [mut words, mut vectors] = lists;
        let by = |order: Order| {
            move |left: &(Document, Hit), right: &(Document, Hit)| {
                order.rank(&left.1, &right.1).then_with(|| left.0.cmp(&right.0))
            }
        };
        words.sort_by(by(Order::Score));
        words.truncate(request.wanted.0);
        vectors.sort_by(by(Order::Distance { part: 0, descending: false }));
        vectors.truncate(request.wanted.1);
        let is_relative = request.search.scorer == Scorer::Bm25StdNorm && score_max > 0.0;
        let scale = if is_relative { score_max } else { 1.0 };
        let words: Vec<_> = words.into_iter().map(|(document, hit)| (document, hit.score / scale)).collect();
        let distance = |hit: &Hit| hit.distances.first().copied().flatten();
        let score = |(document, hit): (Document, Hit)| {
            Some((document, vector_score(request.metric, distance(&hit)?)))
        };
        let vectors: Vec<_> = vectors.into_iter().filter_map(score).collect();
        let mut meter = Meter::of(&request.search);
        let begun_ns = meter.now_ns();
        let mut fused = request.combine.method.fuse(&words, &vectors);
        if request.keeps_order {
            fused.sort_by(|left, right| left.document.cmp(&right.document));
        }
        meter.passed("Hybrid Merger", fused.len() as u64, begun_ns);
        let begun_ns = meter.now_ns();
        let after = AfterLoad { request, warnings, profiles, meter, begun_ns };
        if !after.request.columns.reads_documents() {
            let rows = fused.into_iter().map(|one| after.request.given_row(&one)).collect();
            return after.answer(cx, rows, out);
        }
        let mut of_shards: HashMap<usize, Vec<(usize, Fused<Document>)>> = HashMap::new();
        for (place, one) in fused.into_iter().enumerate() {
            of_shards.entry(one.document.shard).or_default().push((place, one));
        }
        let part = |(shard, documents): (usize, Vec<_>)| {
            let request = Arc::clone(&after.request);
            let load = Load { request, documents: documents.into_iter(), rows: Vec::new() };
            (shard as u16, Box::new(load) as Box<dyn Part>)
        };
        let parts: Vec<_> = of_shards.into_iter().map(part).collect();
        if parts.is_empty() {
            return after.answer(cx, Vec::new(), out);
        }
        Ok(Next::Round(parts, Box::new(after)))
    }
}

impl Request {
    /// What a row has without its document, by name.
    fn given(&self, name: &[u8], one: &Fused<Document>) -> Option<Value> {
        let number = |score: Option<f64>| score.map(Value::Number);
        match name {
            KEY => Some(Value::text(&*one.document.key)),
            name if *name == self.score_name => number(Some(one.score)),
            name if self.search_name.as_deref() == Some(name) => number(one.search_score),
            name if self.vector_name.as_deref() == Some(name) => number(one.vector_score),
            _ => None,
        }
    }

    fn given_row(&self, one: &Fused<Document>) -> Fields {
        let mut row = Fields::default();
        self.columns.fill_given(|name| self.given(name, one), &mut row);
        row
    }
}

/// The rows of a shard's documents.
struct Load {
    request: Arc<Request>,
    documents: std::vec::IntoIter<(usize, Fused<Document>)>,
    rows: Vec<(usize, Fields)>,
}

impl Part for Load {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        let request = &self.request;
        while *fuel > 0 {
            let Some((place, one)) = self.documents.next() else {
                return Ok(Some(Box::new(std::mem::take(&mut self.rows))));
            };
            *fuel = fuel.saturating_sub(DOCUMENT_FUEL);
            let mut row = Fields::default();
            let given = |name: &[u8]| request.given(name, &one);
            let id = request.search.index(cx.shard)?.documents.id_of(&one.document.key);
            if let Some(id) = id
                && request.columns.read(cx, &request.search, id, given, &mut row)?
            {
                self.rows.push((place, row));
            }
        }
        Ok(None)
    }
}

struct AfterLoad {
    request: Arc<Request>,
    /// Of each query.
    warnings: [Warnings; 2],
    /// What each shard tells of both queries, if it does.
    profiles: Vec<Vec<ShardProfile>>,
    meter: Meter,
    /// When documents began to be read (monotonic ns), if that is measured.
    begun_ns: u64,
}

impl Merge for AfterLoad {
    fn merge(
        mut self: Box<Self>,
        cx: &mut Cx<'_>,
        answers: Vec<Answer>,
        out: &mut Reply,
    ) -> Result<Next, Error> {
        let mut rows = Vec::new();
        for answer in answers {
            rows.extend(*answer.downcast::<Vec<(usize, Fields)>>().expect("of this round"));
        }
        rows.sort_by_key(|(place, _)| *place);
        let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
        self.meter.passed("Loader", rows.len() as u64, self.begun_ns);
        self.answer(cx, rows, out)
    }
}

impl AfterLoad {
    /// Takes the rows through the steps, and shows them.
    fn answer(mut self, cx: &mut Cx<'_>, rows: Vec<Fields>, out: &mut Reply) -> Result<Next, Error> {
        let request = Arc::clone(&self.request);
        let profiling = request.search.profiling;
        let mut tally = Tally::new(profiling.map(|profiling| profiling.clock), request.steps.len());
        let barrier = steps::barrier(&request.steps).map(|at| &request.steps[at]);
        let (random, mut reduction) = (&mut cx.shard.random, Reduction::default());
        for mut row in rows {
            if steps::apply_plain(&request.steps, &mut row, &mut tally)? {
                reduction.add(barrier, row, random)?;
            }
        }
        while !reduction.step(barrier, &mut { usize::MAX }) {}
        let mut finishing = Finishing::new(&request.steps, vec![reduction.finish(barrier)]);
        while !finishing.step(&request.steps, random, &mut tally, &mut { usize::MAX })? {}
        let (rows, total, _) = finishing.finish();
        match (profiling, out.resp3) {
            (None, _) => out.map(4),
            (Some(_), true) => out.map(5),
            // What is told of the parts has no name there.
            (Some(_), false) => out.array(9),
        }
        out.status("total_results");
        out.natural(total);
        out.status("results");
        out.array(rows.len());
        rows.iter().for_each(|row| write_row(row, out));
        out.status("warnings");
        let named = QUERIES.iter().zip(self.warnings);
        let texts: Vec<_> = named.flat_map(|(name, of)| of.texts().map(move |text| (text, name))).collect();
        out.array(texts.len());
        texts.iter().for_each(|(text, name)| out.status(&format!("{text} ({name})")));
        out.status("execution_time");
        out.double(((cx.shard.platform.clock_ns)() - request.begun_ns) as f64 / 1e6);
        if let Some(profiling) = profiling {
            self.write_profile(cx, profiling, &tally, out);
        }
        Ok(Next::Done)
    }
    fn write_profile(&mut self, cx: &Cx<'_>, profiling: Profiling, tally: &Tally, out: &mut Reply) {
        let steps = &self.request.steps;
        for step in tally.processors(steps, 0..steps.len()) {
            // Without SORTBY results come by score.
            let is_sorter = step.name == "Pager/Limiter" && !self.request.keeps_order;
            self.meter.add(if is_sorter { "Sorter".into() } else { step.name }, step.results, step.ns);
        }
        let processors = self.meter.finish(cx.shard, Warnings::default()).map(|profile| profile.processors);
        let mut all = Warnings::default();
        self.warnings.iter().for_each(|warnings| all.add(*warnings));
        let processors = processors.unwrap_or_default();
        profile::reply::end_hybrid(profiling, &self.profiles, (cx.shard.id, all), &processors, out);
    }
}
