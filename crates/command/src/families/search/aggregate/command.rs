//! FT.AGGREGATE: what all shards know of the query's words if that matters, then the rows of each as far as it can go with them alone, then all
//! together.

use super::cursors::{self, Opened};
use super::reply;
use super::request::{Column, Request};
use super::steps::{self, Flow, Reduction, Rows};
use crate::families::search::query::deadline::Deadline;
use crate::families::search::query::load::{self, Source};
use crate::families::search::query::vectors;
use crate::rounds::{Answer, Enquiry, Merge, Next, Part};
use crate::{Args, Cx, Error, ShardCx};
use resp::Reply;
use search::DocumentId;
use search::aggregate::Fields;
use search::evaluate::{Evaluation, Gathering, Hit, Options, Order, Statistics};
use search::expression::Value;
use search::index::{Index, SortValue};
use search::vectors::Vectors;
use std::sync::Arc;

/// The command.
pub struct Aggregate;

/// What a row counts that is read from its document, and what one counts that is not.
const DOCUMENT_FUEL: usize = 6;
const ROW_FUEL: usize = 2;

enum First {
    Gathered(Arc<Request>, Statistics),
    Flow(Arc<Request>, Flow, bool),
}

impl Enquiry for Aggregate {
    fn begin(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Box<dyn Part>, Error> {
        let request = Arc::new(Request::new(cx, args)?);
        let question = &request.question;
        let index = &question.index(cx.shard)?.index;
        let gathering =
            Gathering::new(&question.node, index, &question.settings.words).map_err(Error::search)?;
        let is_local = !request.adds_scores && question.is_local();
        if cx.shard.shards > 1 && !is_local {
            return Ok(Box::new(Gather { request, gathering: Some(gathering) }));
        }
        Ok(Box::new(Collect::new(cx.shard, request, Stage::Gather(gathering), true)))
    }

    fn merge() -> Box<dyn Merge> {
        Box::new(AfterFirst)
    }
}

struct Gather {
    request: Arc<Request>,
    gathering: Option<Gathering>,
}

impl Part for Gather {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        let index = &self.request.question.index(cx.shard)?.index;
        let gathering = self.gathering.as_mut().expect("it is not done");
        if !gathering.step(index, fuel) {
            return Ok(None);
        }
        let statistics = self.gathering.take().expect("seen above").finish(index);
        Ok(Some(Box::new(First::Gathered(Arc::clone(&self.request), statistics))))
    }
}

/// The rows of a shard.
struct Collect {
    request: Arc<Request>,
    deadline: Deadline,
    stage: Stage,
    rows: Reduction,
    is_timed_out: bool,
    is_first: bool,
}

enum Stage {
    Gather(Gathering),
    Begin(Statistics, Vectors),
    Evaluate(Box<Evaluation>),
    Rows(std::vec::IntoIter<Hit>),
    Done,
}

impl Collect {
    fn new(cx: &ShardCx, request: Arc<Request>, stage: Stage, is_first: bool) -> Self {
        let deadline = Deadline::of(&request.question, cx);
        Self { request, deadline, stage, rows: Reduction::default(), is_timed_out: false, is_first }
    }

    /// Goes on with the next stage; what follows if it is done.
    fn advance(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Stage>, Error> {
        let request = Arc::clone(&self.request);
        let question = &request.question;
        let stage = std::mem::replace(&mut self.stage, Stage::Done);
        let (next, is_done) = match stage {
            Stage::Gather(mut gathering) => {
                let index = &question.index(cx.shard)?.index;
                match gathering.step(index, fuel) {
                    true => {
                        let vectors = Vectors::new(Arc::clone(&question.parts));
                        (Stage::Begin(gathering.finish(index), vectors), true)
                    }
                    false => (Stage::Gather(gathering), false),
                }
            }
            Stage::Begin(statistics, vectors) => (self.begin(cx, statistics, vectors)?, true),
            Stage::Evaluate(mut evaluation) => {
                let index = &question.index(cx.shard)?.index;
                let is_done = evaluation.step(index, fuel) || self.is_late(cx)?;
                match is_done {
                    true => (Stage::Rows(evaluation.finish().hits.into_iter()), true),
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
                if is_done { (Stage::Done, false) } else { (Stage::Rows(hits), false) }
            }
            Stage::Done => (Stage::Done, false),
        };
        self.stage = next;
        Ok(is_done.then_some(Stage::Done))
    }

    fn is_late(&mut self, cx: &Cx<'_>) -> Result<bool, Error> {
        self.is_timed_out = self.deadline.is_over(cx.shard)?;
        Ok(self.is_timed_out)
    }

    fn begin(&self, cx: &mut Cx<'_>, statistics: Statistics, vectors: Vectors) -> Result<Stage, Error> {
        let question = &self.request.question;
        let mut options = Options { vectors, ..question.options(Order::Id, usize::MAX) };
        let index = question.index(cx.shard)?;
        options.among = question.among(index);
        let evaluation = Evaluation::new(&question.node, &index.index, statistics, options);
        Ok(Stage::Evaluate(Box::new(evaluation)))
    }

    /// Makes the row of a document, and takes it through the first steps.
    fn add_row(&mut self, cx: &mut Cx<'_>, hit: &Hit, fuel: &mut usize) -> Result<(), Error> {
        let request = &self.request;
        let reads = request.reads_documents();
        *fuel = fuel.saturating_sub(if reads { DOCUMENT_FUEL } else { ROW_FUEL });
        let mut row = Fields::default();
        if request.adds_scores {
            row.set(b"__score", Value::Number(hit.score));
        }
        for (name, distance) in request.question.parts.names().zip(&hit.distances) {
            if let (Some(name), Some(distance)) = (name, distance) {
                row.set(name, Value::Number(*distance));
            }
        }
        let index = request.question.index(cx.shard)?;
        let sorted: Vec<_> =
            request.columns.iter().map(|column| sort_value(column, &index.index, hit.id)).collect();
        if !reads {
            fill(None, sorted, request, &mut row);
        } else {
            let Some(key) = index.documents.key_of(hit.id).cloned() else { return Ok(()) };
            let on = request.question.definition.schema.on;
            let Some(source) = load::document(cx, &key, on) else { return Ok(()) };
            fill(Some((&source, &key)), sorted, request, &mut row);
        }
        if steps::apply_plain(&request.steps, &mut row)? {
            self.rows.add(request.first_of_all_rows(), row, &mut cx.shard.random);
        }
        Ok(())
    }
}

/// What of a row the index has.
fn sort_value(column: &Column, index: &Index, id: DocumentId) -> Option<Value> {
    let Column::Sorted { field, .. } = column else { return None };
    match index.sort_value(id, *field)? {
        SortValue::Number(number) => Some(Value::Number(*number)),
        SortValue::Text(text) => Some(Value::text(&**text)),
        SortValue::Missing => None,
    }
}

/// Fills a row, in the order in which its columns were named, from what the index has and what stands under the key.
fn fill(
    source: Option<(&Source<'_>, &[u8])>,
    sorted: Vec<Option<Value>>,
    request: &Request,
    row: &mut Fields,
) {
    for (column, sorted) in request.columns.iter().zip(sorted) {
        match column {
            Column::Sorted { name, .. } => sorted.into_iter().for_each(|value| row.set(name, value)),
            Column::Document(wanted) => {
                let value = source.and_then(|(source, key)| source.value(key, wanted, request.manner()));
                value.into_iter().for_each(|value| row.set(&wanted.name, value));
            }
        }
    }
    if let (true, Some((source, _))) = (request.loads_all, source) {
        source.all_values(request.manner(), |name, value| {
            if row.get(name).is_none() {
                row.set(name, value);
            }
        });
    }
}

impl Part for Collect {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        while self.advance(cx, fuel)?.is_some() {}
        if !matches!(self.stage, Stage::Done) {
            return Ok(None);
        }
        let request = Arc::clone(&self.request);
        let flow = std::mem::take(&mut self.rows).finish(request.first_of_all_rows());
        Ok(Some(if self.is_first {
            Box::new(First::Flow(request, flow, self.is_timed_out))
        } else {
            Box::new((flow, self.is_timed_out))
        }))
    }
}

struct AfterFirst;

impl Merge for AfterFirst {
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error> {
        let mut request = None;
        let (mut statistics, mut flows, mut is_timed_out) = (Vec::new(), Vec::new(), false);
        for answer in answers {
            match *answer.downcast::<First>().expect("of the first round") {
                First::Gathered(of, known) => {
                    request.get_or_insert(of);
                    statistics.push(known);
                }
                First::Flow(of, flow, is_late) => {
                    request.get_or_insert(of);
                    flows.push(flow);
                    is_timed_out |= is_late;
                }
            }
        }
        let request = request.expect("there is a shard");
        request.question.count_use(cx.shard);
        if statistics.is_empty() {
            return answer(cx, &request, flows, is_timed_out, out);
        }
        let statistics = request.question.merge_statistics(statistics);
        let question = Arc::clone(&request.question);
        vectors::prepare(cx, question, statistics, out, |cx, statistics, vectors, _| {
            let part = |shard| {
                let stage = Stage::Begin(statistics.clone(), vectors.clone());
                let collect = Collect::new(cx.shard, Arc::clone(&request), stage, false);
                (shard, Box::new(collect) as Box<dyn Part>)
            };
            let parts = (0..cx.shard.shards).map(part).collect();
            Ok(Next::Round(parts, Box::new(AfterCollect { request })))
        })
    }
}

struct AfterCollect {
    request: Arc<Request>,
}

impl Merge for AfterCollect {
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error> {
        let answers =
            answers.into_iter().map(|answer| *answer.downcast::<(Flow, bool)>().expect("of this round"));
        let (flows, late): (Vec<_>, Vec<_>) = answers.unzip();
        answer(cx, &self.request, flows, late.contains(&true), out)
    }
}

/// Takes the rows of all shards to the end, and shows them, or the first of them and a cursor.
fn answer(
    cx: &mut Cx<'_>,
    request: &Request,
    flows: Vec<Flow>,
    is_timed_out: bool,
    out: &mut Reply,
) -> Result<Next, Error> {
    let flow = steps::finish(&request.steps, flows, &mut cx.shard.random)?;
    let Rows::Plain(mut rows) = flow.rows else { unreachable!("all steps are done") };
    rows.truncate(request.question.settings.rows_max);
    let is_counted = flow.is_counted || request.counts;
    let total = if is_counted { flow.total } else { u64::from(!rows.is_empty()) };
    let shape = reply::Shape { resp3: cx.resp3, expands: request.question.expands, is_timed_out };
    let Some(options) = request.cursor else {
        reply::write(shape, total, &rows, out);
        return Ok(Next::Done);
    };
    let rest = rows.split_off(options.rows.min(rows.len()));
    let id = if rows.len() < options.rows {
        0
    } else {
        let opened = Opened {
            number: request.question.definition.number,
            rows: rest.into(),
            options,
            expands: request.question.expands,
        };
        cursors::open(cx.shard, opened, request.question.settings.cursors_max)?
    };
    out.array(2);
    reply::write(shape, total, &rows, out);
    out.natural(id);
    Ok(Next::Done)
}
