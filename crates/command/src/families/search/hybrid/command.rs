//! The rounds of FT.HYBRID: what all shards know of the words of both queries; what the vector stands for; the best of each shard by either; then, of
//! the documents that have come together, what rows need of them.

use super::fusion::{Fused, vector_score};
use super::request::{KEY, Request};
use crate::families::search::aggregate::reply::write_row;
use crate::families::search::aggregate::steps::{self, Reduction, Rows};
use crate::families::search::aggregate::tally::Tally;
use crate::families::search::query::deadline::{Deadline, WARNING};
use crate::families::search::query::question::Question;
use crate::families::search::query::vectors;
use crate::rounds::{Answer, Enquiry, Merge, Next, Part};
use crate::{Args, Cx, Error};
use resp::Reply;
use search::aggregate::Fields;
use search::evaluate::{Evaluation, Gathering, Hit, Order, Scorer, Statistics};
use search::expression::Value;
use search::vectors::Vectors;
use std::collections::HashMap;
use std::sync::Arc;

/// The command.
pub struct Hybrid;

/// What a row counts that is read from its document.
const DOCUMENT_FUEL: usize = 6;

impl Enquiry for Hybrid {
    fn begin(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Box<dyn Part>, Error> {
        cx.shard.count_query(args.at(1));
        let request = Arc::new(Request::new(cx, args.at(1), args)?);
        Ok(Box::new(Gather { request, gathering: None, known: Vec::new() }))
    }

    fn merge() -> Box<dyn Merge> {
        Box::new(AfterGather)
    }
}

/// The first round: what a shard knows of the words of both queries.
struct Gather {
    request: Arc<Request>,
    gathering: Option<Gathering>,
    known: Vec<Statistics>,
}

type Known = (Arc<Request>, Vec<Statistics>);

impl Part for Gather {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        let questions = [&self.request.search, &self.request.vector];
        while let Some(question) = questions.get(self.known.len()) {
            let index = &question.index(cx.shard)?.index;
            let mut gathering = match self.gathering.take() {
                Some(gathering) => gathering,
                None => {
                    Gathering::new(&question.node, index, &question.settings.words).map_err(Error::search)?
                }
            };
            if !gathering.step(index, fuel) {
                self.gathering = Some(gathering);
                return Ok(None);
            }
            self.known.push(gathering.finish(index));
        }
        let known: Known = (Arc::clone(&self.request), std::mem::take(&mut self.known));
        Ok(Some(Box::new(known)))
    }
}

struct AfterGather;

impl Merge for AfterGather {
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error> {
        let (mut request, mut of_words, mut of_vector) = (None, Vec::new(), Vec::new());
        for answer in answers {
            let (of, known) = *answer.downcast::<Known>().expect("of the first round");
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
            let part = |shard| {
                let begin = [
                    (of_words.clone(), Vectors::new(Arc::clone(&request.search.parts))),
                    (of_vector.clone(), vectors.clone()),
                ];
                let find = Find::new(Arc::clone(&request), begin);
                (shard, Box::new(find) as Box<dyn Part>)
            };
            let parts = (0..cx.shard.shards).map(part).collect();
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
    found: Vec<Found>,
}

/// What a query has found on a shard.
struct Found {
    documents: Vec<(Arc<[u8]>, Hit)>,
    score_max: f64,
    is_timed_out: bool,
}

impl Find {
    fn new(request: Arc<Request>, begin: [(Statistics, Vectors); 2]) -> Self {
        Self { request, begin: begin.into_iter(), deadline: None, evaluation: None, found: Vec::new() }
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

impl Part for Find {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        while self.found.len() < 2 {
            let (question, order, wanted) = self.query();
            let deadline = *self.deadline.get_or_insert_with(|| Deadline::of(&question, cx.shard));
            if let (None, Some((statistics, vectors))) = (&self.evaluation, self.begin.as_slice().first()) {
                let (statistics, vectors) = (statistics.clone(), vectors.clone());
                let evaluation = question.evaluation(cx.shard, statistics, vectors, order, wanted)?;
                self.evaluation = Some(Box::new(evaluation));
                self.begin.next();
            }
            let evaluation = self.evaluation.as_mut().expect("just made");
            let index = &question.index(cx.shard)?.index;
            let is_done = evaluation.step(index, fuel);
            let is_timed_out = !is_done && deadline.is_over(cx.shard)?;
            if !is_done && !is_timed_out {
                return Ok(None);
            }
            let Some(evaluation) = self.evaluation.take() else { unreachable!("seen above") };
            let hits = evaluation.finish();
            let documents = &question.index(cx.shard)?.documents;
            let named = |hit: Hit| Some((Arc::clone(documents.key_of(hit.id)?), hit));
            let found = hits.hits.into_iter().filter_map(named).collect();
            self.found.push(Found { documents: found, score_max: hits.score_max, is_timed_out });
        }
        Ok(Some(Box::new(std::mem::take(&mut self.found))))
    }
}

struct AfterFind {
    request: Arc<Request>,
}

/// A document of any shard: by its key, for that is the order of what has the same score.
type Document = (Arc<[u8]>, usize);

impl Merge for AfterFind {
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error> {
        let request = self.request;
        let mut lists: [Vec<(Document, Hit)>; 2] = Default::default();
        let (mut warnings, mut score_max) = (Vec::new(), 0_f64);
        for (shard, answer) in answers.into_iter().enumerate() {
            let found = *answer.downcast::<Vec<Found>>().expect("of this round");
            for ((list, found), name) in lists.iter_mut().zip(found).zip(["SEARCH", "VSIM"]) {
                if found.is_timed_out && !warnings.contains(&name) {
                    warnings.push(name);
                }
                if name == "SEARCH" {
                    score_max = score_max.max(found.score_max);
                }
                list.extend(found.documents.into_iter().map(|(key, hit)| ((key, shard), hit)));
            }
        }
        let [mut words, mut vectors] = lists;
        let by = |order: Order| {
            move |left: &(Document, Hit), right: &(Document, Hit)| order.compare(&left.1, &right.1)
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
        let mut fused = request.combine.method.fuse(&words, &vectors);
        if request.keeps_order {
            fused.sort_by(|left, right| left.document.cmp(&right.document));
        }
        let after = AfterLoad { request, warnings };
        if !after.request.columns.reads_documents() {
            let rows = fused.into_iter().map(|one| after.request.given_row(&one)).collect();
            return after.answer(cx, rows, out);
        }
        let mut of_shards: HashMap<usize, Vec<(usize, Fused<Document>)>> = HashMap::new();
        for (place, one) in fused.into_iter().enumerate() {
            of_shards.entry(one.document.1).or_default().push((place, one));
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
            KEY => Some(Value::text(&*one.document.0)),
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
            let id = request.search.index(cx.shard)?.documents.id_of(&one.document.0);
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
    warnings: Vec<&'static str>,
}

impl Merge for AfterLoad {
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error> {
        let mut rows = Vec::new();
        for answer in answers {
            rows.extend(*answer.downcast::<Vec<(usize, Fields)>>().expect("of this round"));
        }
        rows.sort_by_key(|(place, _)| *place);
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        self.answer(cx, rows, out)
    }
}

impl AfterLoad {
    /// Takes the rows through the steps, and shows them.
    fn answer(&self, cx: &mut Cx<'_>, rows: Vec<Fields>, out: &mut Reply) -> Result<Next, Error> {
        let request = &self.request;
        let barrier = steps::barrier(&request.steps).map(|at| &request.steps[at]);
        let (random, mut reduction) = (&mut cx.shard.random, Reduction::default());
        for mut row in rows {
            if steps::apply_plain(&request.steps, &mut row, &mut Tally::default())? {
                reduction.add(barrier, row, random);
            }
        }
        let flows = vec![reduction.finish(barrier)];
        let flow = steps::finish(&request.steps, flows, random, &mut Tally::default())?;
        let Rows::Plain(rows) = flow.rows else { unreachable!("all steps are done") };
        out.map(4);
        out.status("total_results");
        out.natural(flow.total);
        out.status("results");
        out.array(rows.len());
        rows.iter().for_each(|row| write_row(row, out));
        out.status("warnings");
        out.array(self.warnings.len());
        self.warnings.iter().for_each(|name| out.status(&format!("{WARNING} ({name})")));
        out.status("execution_time");
        out.double(((cx.shard.platform.clock_ns)() - request.begun_ns) as f64 / 1e6);
        Ok(Next::Done)
    }
}
