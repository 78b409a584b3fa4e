//! FT.AGGREGATE: what all shards know of the query's words if that matters, then the rows of each as far as it can go with them alone, then all
//! together.

use super::cursors::{self, Opened};
use super::reply;
use super::request::{Column, Request};
use super::steps::{self, Flow, Reduction, Rows};
use crate::families::search::query::deadline::Deadline;
use crate::families::search::query::gather::{self, AfterRound, Ask, Heard};
use crate::families::search::query::load::{self, Source};
use crate::families::search::query::question::Question;
use crate::rounds::{Answer, Enquiry, Merge, Next, Part};
use crate::{Args, Cx, Error, ShardCx};
use resp::Reply;
use search::DocumentId;
use search::aggregate::Fields;
use search::evaluate::{Evaluation, Hit, Order, Statistics};
use search::expression::Value;
use search::index::{Index, SortValue};
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
        let request = Request::new(cx, args)?;
        gather::begin(cx.shard, request)
    }

    fn merge() -> Box<dyn Merge> {
        AfterRound::<Request>::boxed()
    }
}

/// The rows of a shard as far as it can take them.
pub struct Collected {
    flow: Flow,
    is_timed_out: bool,
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
        let evaluation = self.question.evaluation(cx, statistics, vectors, Order::Id, usize::MAX)?;
        Ok(Box::new(Collect {
            request: Arc::clone(self),
            deadline: Deadline::of(&self.question, cx),
            stage: Stage::Evaluate(Box::new(evaluation)),
            rows: Reduction::default(),
            is_timed_out: false,
        }))
    }

    fn found(
        self: Arc<Self>,
        cx: &mut Cx<'_>,
        found: Vec<Collected>,
        out: &mut Reply,
    ) -> Result<Next, Error> {
        let is_timed_out = found.iter().any(|one| one.is_timed_out);
        let flows = found.into_iter().map(|one| one.flow).collect();
        answer(cx, &self, flows, is_timed_out, out)
    }
}

/// The rows of a shard.
struct Collect {
    request: Arc<Request>,
    deadline: Deadline,
    stage: Stage,
    rows: Reduction,
    is_timed_out: bool,
}

enum Stage {
    Evaluate(Box<Evaluation>),
    Rows(std::vec::IntoIter<Hit>),
    Done,
}

impl Collect {
    /// Goes on with the next stage; what follows if it is done.
    fn advance(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Stage>, Error> {
        let request = Arc::clone(&self.request);
        let question = &request.question;
        let stage = std::mem::replace(&mut self.stage, Stage::Done);
        let (next, is_done) = match stage {
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
        row.written_us = index.documents.written_us(hit.id);
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
        let collected = Collected { flow, is_timed_out: self.is_timed_out };
        Ok(Some(Box::new(Heard::Found(request, collected))))
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
