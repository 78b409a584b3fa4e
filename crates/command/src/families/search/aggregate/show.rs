//! The end of FT.AGGREGATE on the client's shard: the rows of all shards taken to the end, and the reply, or the first of it and a cursor; in slices if there are many.

use super::command::Collected;
use super::cursors::{self, Opened};
use super::finish::Finishing;
use super::reply::{self, Shape};
use super::request::Request;
use super::steps;
use super::tally::Tally;
use crate::families::search::profile::meter::{Meter, Profiling, ShardProfile};
use crate::families::search::profile::{self, reply::Coordinator};
use crate::families::search::query::warnings::Warnings;
use crate::rounds::{Answer, FEW, Next, Part, RepliesWith, Work};
use crate::{Cx, Error};
use resp::Reply;
use search::aggregate::Fields;
use std::collections::VecDeque;
use std::sync::Arc;

/// What weighing a row counts, and writing it.
const WEIGH_FUEL: usize = 1;
const WRITE_FUEL: usize = 3;

/// What is told of a profiled aggregation beside its rows.
struct Told {
    profiling: Profiling,
    shards: Vec<ShardProfile>,
    /// When the rows began to be put together (monotonic ns), and how many there were.
    begun_ns: u64,
    rows: u64,
}

/// What all shards have: answers if that is little, else in more rounds.
pub fn put_together(
    cx: &mut Cx<'_>,
    request: Arc<Request>,
    mut found: Vec<Collected>,
    out: &mut Reply,
) -> Result<Next, Error> {
    let mut warnings = Warnings::default();
    found.iter().for_each(|one| warnings.add(one.warnings));
    let profiles: Vec<_> = found.iter_mut().filter_map(|one| one.profile.take()).collect();
    let tally = match profiles.as_slice() {
        [(_, tally)] => tally.clone(),
        _ => request.tally(),
    };
    let told = request.question.profiling.map(|profiling| Told {
        profiling,
        shards: profiles.into_iter().map(|(profile, _)| profile).collect(),
        begun_ns: (profiling.clock)(),
        rows: found.iter().map(|one| one.flow.total).sum(),
    });
    let flows: Vec<_> = found.into_iter().map(|one| one.flow).collect();
    let count: usize = flows.iter().map(steps::Flow::len).sum();
    let finishing = Finishing::new(&request.steps, flows);
    Finish { request, finishing, tally, warnings, told }.go(cx, count <= FEW, out)
}

/// Takes the rows to the end of the steps.
struct Finish {
    request: Arc<Request>,
    finishing: Finishing,
    tally: Tally,
    warnings: Warnings,
    told: Option<Told>,
}

impl Work for Finish {
    fn go_on(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<bool, Error> {
        self.finishing.step(&self.request.steps, &mut cx.shard.random, &mut self.tally, fuel)
    }

    /// All steps are done: the rows that are shown, and those that are left for a cursor.
    fn then(self, cx: &mut Cx<'_>, out: &mut Reply) -> Result<Next, Error> {
        let Self { request, finishing, tally, warnings, told } = self;
        let (mut rows, total, is_counted) = finishing.finish();
        rows.truncate(request.question.settings.rows_max);
        let is_counted = is_counted || request.counts;
        let shape = Shape { resp3: cx.resp3, expands: request.question.expands, warnings };
        let is_opened = request.cursor.is_some_and(|options| rows.len() >= options.rows);
        let rest = match request.cursor {
            Some(options) if is_opened => rows.split_off(options.rows),
            _ => Vec::new(),
        };
        let (weighed, bytes) = (0, 0);
        let is_short = rest.len() <= FEW;
        let (rest, total) = (rest.into(), is_counted.then_some(total));
        Weigh { request, rows, rest, weighed, bytes, total, shape, tally, told, is_opened }
            .go(cx, is_short, out)
    }
}

/// Finds out how much memory the rows take that are left for a cursor.
struct Weigh {
    request: Arc<Request>,
    rows: Vec<Fields>,
    rest: VecDeque<Fields>,
    weighed: usize,
    bytes: usize,
    /// How many rows there were, if some step has counted them.
    total: Option<u64>,
    shape: Shape,
    tally: Tally,
    told: Option<Told>,
    /// There is to be a cursor.
    is_opened: bool,
}

impl Work for Weigh {
    fn go_on(&mut self, _: &mut Cx<'_>, fuel: &mut usize) -> Result<bool, Error> {
        while *fuel > 0 {
            *fuel = fuel.saturating_sub(WEIGH_FUEL);
            let Some(row) = self.rest.get(self.weighed) else { return Ok(true) };
            self.weighed += 1;
            self.bytes += row.bytes();
        }
        Ok(false)
    }

    /// Opens the cursor, and begins to write.
    fn then(self, cx: &mut Cx<'_>, out: &mut Reply) -> Result<Next, Error> {
        let Self { request, rows, rest, bytes, total, shape, tally, told, is_opened, .. } = self;
        let is_counted = total.is_some();
        let count = rows.len();
        let total = total.unwrap_or_else(|| reply::uncounted(shape, count));
        let id = match request.cursor {
            Some(options) if is_opened => {
                let (number, expands) = (request.question.definition.number, request.question.expands);
                let opened = Opened { number, rows: rest, options, expands, is_counted };
                Some(cursors::open(cx.shard, opened, bytes, request.question.settings.cursors_max)?)
            }
            Some(_) => Some(0),
            None => None,
        };
        let mut written = Reply::new(out.resp3);
        if told.is_some() {
            profile::reply::begin(&mut written);
        }
        if id.is_some() {
            written.array(2);
        }
        reply::begin(shape, total, count, &mut written);
        let writing = Write { shape, rows: rows.into_iter(), reply: written };
        let end = move |cx: &mut Cx<'_>, out: &mut Reply| {
            if let Some(id) = id {
                out.natural(id);
            }
            if let Some(told) = told {
                told.write(cx, &request, &tally, shape.warnings, out);
            }
        };
        RepliesWith { part: Box::new(writing), end: Box::new(end) }.go(cx, count <= FEW, out)
    }
}

/// The rows of the reply.
struct Write {
    shape: Shape,
    rows: std::vec::IntoIter<Fields>,
    reply: Reply,
}

impl Part for Write {
    fn step(&mut self, _: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        while *fuel > 0 {
            let Some(row) = self.rows.next() else {
                return Ok(Some(Box::new(std::mem::take(&mut self.reply))));
            };
            *fuel = fuel.saturating_sub(WRITE_FUEL);
            reply::write_one(self.shape, &row, &mut self.reply);
        }
        Ok(None)
    }
}

impl Told {
    /// Writes what comes behind the rows.
    fn write(mut self, cx: &Cx<'_>, request: &Request, tally: &Tally, warnings: Warnings, out: &mut Reply) {
        let clock = self.profiling.clock;
        let barrier = steps::barrier(&request.steps).unwrap_or(request.steps.len());
        let rest = tally.processors(&request.steps, barrier..request.steps.len());
        let coordinator = if let [alone] = self.shards.as_mut_slice() {
            alone.processors.extend(rest);
            alone.total_ns = clock() - self.profiling.begun_ns;
            Coordinator::None
        } else {
            let mut meter = Meter::of(&request.question);
            meter.add("Network".into(), self.rows, 0);
            meter.worked(self.begun_ns);
            rest.into_iter().for_each(|step| meter.add(step.name, step.results, step.ns));
            meter.finish(cx.shard, warnings).map_or(Coordinator::None, Coordinator::Aggregate)
        };
        profile::reply::end(self.profiling, &self.shards, &coordinator, out);
    }
}
