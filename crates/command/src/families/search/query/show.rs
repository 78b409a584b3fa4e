//! The end of FT.SEARCH on the client's shard: the documents of all shards in one order, the fields of those that are shown, the reply; all of it in slices if there are many.

use super::reply;
use super::request::Request;
use super::search::{Document, Found, LOAD_FUEL, Loaded, loaded};
use crate::families::search::profile::meter::ShardProfile;
use crate::families::search::profile::{self, reply::Coordinator};
use crate::indexes::documents::DocumentKey;
use crate::rounds::{Answer, FEW, Merge, Next, Part, RepliesWith, Work};
use crate::{Cx, Error};
use resp::Reply;
use search::evaluate::{Order, Scorer};
use search::sorting::Sorting;
use std::sync::Arc;

/// What putting a document into its place counts, and writing it.
const PLACE_FUEL: usize = 1;
const WRITE_FUEL: usize = 3;

/// What is told of a profiled search beside its results.
struct Told {
    shards: Vec<ShardProfile>,
    /// When the results began to be put together (monotonic ns).
    begun_ns: u64,
}

/// What all shards have found: answers if there are few documents and all that is shown is there; else in more rounds.
pub fn put_together(
    cx: &mut Cx<'_>,
    request: Arc<Request>,
    all: Vec<Found>,
    out: &mut Reply,
) -> Result<Next, Error> {
    let told = Told { begun_ns: (cx.shard.platform.clock_ns)(), shards: Vec::new() };
    let mut arrange = Arrange {
        order: request.order(),
        stage: Stage::Dealt,
        found: Found::default(),
        lists: (0..cx.shard.shards).map(|_| Vec::new()).collect(),
        request,
        told,
    };
    let mut runs = Vec::new();
    for one in all {
        arrange.found.total += one.total;
        arrange.found.score_max = arrange.found.score_max.max(one.score_max);
        arrange.found.warnings.add(one.warnings);
        arrange.told.shards.extend(one.profile);
        runs.push(one.documents);
    }
    let count: usize = runs.iter().map(Vec::len).sum();
    arrange.stage = Stage::Sort(Sorting::of_runs(runs.into_iter(), arrange.request.wanted()));
    arrange.go(cx, count <= FEW, out)
}

/// Puts the documents of all shards into one order, and finds out of which the fields are still to be read.
struct Arrange {
    request: Arc<Request>,
    order: Order,
    stage: Stage,
    found: Found,
    /// The keys of these, by shard, in the order of the documents.
    lists: Vec<Vec<DocumentKey>>,
    told: Told,
}

enum Stage {
    Sort(Sorting<Document>),
    /// So many documents have been seen.
    Deal(std::vec::IntoIter<Document>, usize),
    Dealt,
}

impl Arrange {
    /// Goes on while `fuel` lasts; whether that was all.
    fn step(&mut self, fuel: &mut usize) -> bool {
        loop {
            let stage = std::mem::replace(&mut self.stage, Stage::Dealt);
            self.stage = match stage {
                Stage::Sort(mut sorting) => {
                    let order = self.order;
                    if sorting.step(|left, right| order.compare_apart(&left.hit, &right.hit), fuel) {
                        Stage::Deal(sorting.finish().into_iter(), 0)
                    } else {
                        Stage::Sort(sorting)
                    }
                }
                Stage::Deal(documents, seen) => self.deal(documents, seen, fuel),
                Stage::Dealt => return true,
            };
            if *fuel == 0 && !matches!(self.stage, Stage::Dealt) {
                return false;
            }
        }
    }

    /// Leaves out those before the first that is shown.
    fn deal(&mut self, mut documents: std::vec::IntoIter<Document>, seen: usize, fuel: &mut usize) -> Stage {
        let mut seen = seen;
        while *fuel > 0 {
            *fuel = fuel.saturating_sub(PLACE_FUEL);
            let Some(document) = documents.next() else { return Stage::Dealt };
            seen += 1;
            if seen <= self.request.limit.0 {
                continue;
            }
            if !self.request.no_content && matches!(document.loaded, Loaded::NotYet) {
                self.lists[usize::from(document.shard)].push(document.key.clone());
            }
            self.found.documents.push(document);
        }
        Stage::Deal(documents, seen)
    }

    /// All are in their places: the reply, or the reading of what is not there yet.
    fn next(self, cx: &mut Cx<'_>, out: &mut Reply) -> Result<Next, Error> {
        let Self { request, found, lists, told, .. } = self;
        let part = |(shard, keys): (usize, Vec<DocumentKey>)| {
            let (keys, loaded) = (keys.into_iter(), Vec::new());
            (shard as u16, Box::new(Load { request: Arc::clone(&request), keys, loaded }) as Box<dyn Part>)
        };
        let wanted = lists.into_iter().enumerate().filter(|(_, keys)| !keys.is_empty());
        let parts: Vec<_> = wanted.map(part).collect();
        if parts.is_empty() {
            return write(cx, request, found, Vec::new(), told, out);
        }
        let shards = parts.iter().map(|(shard, _)| *shard).collect();
        Ok(Next::Round(parts, Box::new(AfterLoad { request, found, shards, told })))
    }
}

impl Work for Arrange {
    fn go_on(&mut self, _: &mut Cx<'_>, fuel: &mut usize) -> Result<bool, Error> {
        Ok(self.step(fuel))
    }

    fn then(self, cx: &mut Cx<'_>, out: &mut Reply) -> Result<Next, Error> {
        self.next(cx, out)
    }
}

/// The fields of a shard's documents that are shown.
struct Load {
    request: Arc<Request>,
    keys: std::vec::IntoIter<DocumentKey>,
    loaded: Vec<Loaded>,
}

impl Part for Load {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        while *fuel > 0 {
            let Some(key) = self.keys.next() else {
                return Ok(Some(Box::new(std::mem::take(&mut self.loaded))));
            };
            *fuel = fuel.saturating_sub(LOAD_FUEL);
            self.loaded.push(loaded(cx, &key, &self.request));
        }
        Ok(None)
    }
}

struct AfterLoad {
    request: Arc<Request>,
    found: Found,
    /// That were asked.
    shards: Vec<u16>,
    told: Told,
}

impl Merge for AfterLoad {
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error> {
        let Self { request, found, shards, told } = *self;
        let mut loads: Vec<_> = (0..cx.shard.shards).map(|_| Vec::new().into_iter()).collect();
        for (shard, answer) in shards.into_iter().zip(answers) {
            loads[usize::from(shard)] = answer.downcast::<Vec<Loaded>>().expect("of this round").into_iter();
        }
        write(cx, request, found, loads, told, out)
    }
}

/// Writes the reply, in slices if it is long. `loads` has by shard what was read of the documents that had come without.
fn write(
    cx: &mut Cx<'_>,
    request: Arc<Request>,
    mut found: Found,
    loads: Vec<std::vec::IntoIter<Loaded>>,
    told: Told,
    out: &mut Reply,
) -> Result<Next, Error> {
    let profiled = request.question.profiling.map(|profiling| (profiling, told));
    let mut reply = Reply::new(out.resp3);
    if profiled.is_some() {
        profile::reply::begin(&mut reply);
    }
    let count = found.documents.len();
    reply::begin(&request, &found, &mut reply);
    let documents = std::mem::take(&mut found.documents).into_iter();
    let writing = Write { request, score_max: found.score_max, documents, loads, reply };
    let end = move |_: &mut Cx<'_>, out: &mut Reply| {
        let Some((profiling, Told { shards, begun_ns })) = profiled else { return };
        let now_ns = (profiling.clock)();
        let coordinator = match shards.len() {
            1 => Coordinator::None,
            _ => Coordinator::Search { total_ns: now_ns - profiling.begun_ns, post_ns: now_ns - begun_ns },
        };
        profile::reply::end(profiling, &shards, &coordinator, out);
    };
    RepliesWith { part: Box::new(writing), end: Box::new(end) }.go(cx, count <= FEW, out)
}

/// The documents of the reply.
struct Write {
    request: Arc<Request>,
    score_max: f64,
    documents: std::vec::IntoIter<Document>,
    loads: Vec<std::vec::IntoIter<Loaded>>,
    reply: Reply,
}

impl Part for Write {
    fn step(&mut self, _: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        let is_relative = self.request.question.scorer == Scorer::Bm25StdNorm;
        while *fuel > 0 {
            let Some(mut document) = self.documents.next() else {
                return Ok(Some(Box::new(std::mem::take(&mut self.reply))));
            };
            *fuel = fuel.saturating_sub(WRITE_FUEL);
            if is_relative {
                document.hit.normalize(self.score_max);
            }
            if let (Loaded::NotYet, Some(loads)) =
                (&document.loaded, self.loads.get_mut(usize::from(document.shard)))
            {
                document.loaded = loads.next().unwrap_or(Loaded::Gone);
            }
            reply::write(&self.request, &document, &mut self.reply);
        }
        Ok(None)
    }
}
