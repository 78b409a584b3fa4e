//! What shards must know of the vectors of a query before each finds its documents, where there are several: graphs are one for all, so the
//! client's shard walks them; the nearest among a filter's documents, or without a graph, are put together from what every shard has.

use super::question::Question;
use crate::rounds::{Answer, Merge, Next, Part};
use crate::{Cx, Error};
use resp::Reply;
use search::evaluate::{Options, Order, Statistics};
use search::vectors::{Share, Sharing, Vectors, Walk};
use std::sync::Arc;

/// What comes when all is known.
pub trait Then:
    FnOnce(&mut Cx<'_>, Statistics, Vectors, &mut Reply) -> Result<Next, Error> + Send + 'static
{
}

impl<F> Then for F where
    F: FnOnce(&mut Cx<'_>, Statistics, Vectors, &mut Reply) -> Result<Next, Error> + Send + 'static
{
}

/// Finds out what is to be known of the vectors, in as many rounds as it takes, then does `then`.
pub fn prepare(
    cx: &mut Cx<'_>,
    question: Arc<Question>,
    statistics: Statistics,
    out: &mut Reply,
    then: impl Then,
) -> Result<Next, Error> {
    let vectors = Vectors::new(Arc::clone(&question.parts));
    if vectors.parts().is_empty() {
        return then(cx, statistics, vectors, out);
    }
    let preparation = Preparation { question, statistics, then };
    if !vectors.wants_walk() {
        return preparation.share(cx, vectors, out);
    }
    Ok(preparation.walk(cx, vectors, Vec::new(), false))
}

struct Preparation<F> {
    question: Arc<Question>,
    statistics: Statistics,
    then: F,
}

impl<F: Then> Preparation<F> {
    /// This shard walks the graphs.
    fn walk(self, cx: &Cx<'_>, vectors: Vectors, shares: Vec<Share>, is_last: bool) -> Next {
        let walk = Some(Walk::new(vectors, shares));
        let part = Box::new(Walking { question: Arc::clone(&self.question), walk }) as Box<dyn Part>;
        let after = AfterWalk { preparation: self, is_last };
        Next::Round(vec![(cx.shard.id, part)], Box::new(after))
    }

    /// All shards say what they have, if that matters.
    fn share(self, cx: &mut Cx<'_>, vectors: Vectors, out: &mut Reply) -> Result<Next, Error> {
        if !vectors.wants_shares() {
            return (self.then)(cx, self.statistics, vectors, out);
        }
        let part = |shard| {
            let part = ShareOf {
                question: Arc::clone(&self.question),
                begin: Some((self.statistics.clone(), vectors.clone())),
                sharing: None,
            };
            (shard, Box::new(part) as Box<dyn Part>)
        };
        let parts = (0..cx.shard.shards).map(part).collect();
        Ok(Next::Round(parts, Box::new(AfterShares { preparation: self, vectors })))
    }
}

struct Walking {
    question: Arc<Question>,
    walk: Option<Walk>,
}

impl Part for Walking {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        let index = &self.question.index(cx.shard)?.index;
        let is_done = self.walk.as_mut().is_none_or(|walk| walk.step(index, fuel));
        Ok(is_done.then(|| Box::new(self.walk.take().map(Walk::finish).unwrap_or_default()) as Answer))
    }
}

struct AfterWalk<F> {
    preparation: Preparation<F>,
    is_last: bool,
}

impl<F: Then> Merge for AfterWalk<F> {
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error> {
        let vectors = answers.into_iter().next().expect("one shard walks");
        let vectors = *vectors.downcast::<Vectors>().expect("of a walk");
        let Preparation { statistics, then, .. } = self.preparation;
        match self.is_last {
            true => then(cx, statistics, vectors, out),
            false => {
                let question = self.preparation.question;
                Preparation { question, statistics, then }.share(cx, vectors, out)
            }
        }
    }
}

struct ShareOf {
    question: Arc<Question>,
    begin: Option<(Statistics, Vectors)>,
    sharing: Option<Sharing>,
}

impl Part for ShareOf {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        let of = self.question.index(cx.shard)?;
        if let Some((statistics, vectors)) = self.begin.take() {
            let options = self.question.options(Order::Id, 0);
            let options = Options { vectors, among: self.question.among(of), ..options };
            self.sharing = Some(Sharing::new(&self.question.node, &of.index, &statistics, &options));
        }
        let is_done = self.sharing.as_mut().is_none_or(|sharing| sharing.step(&of.index, fuel));
        Ok(is_done.then(|| Box::new(self.sharing.take().map(Sharing::finish)) as Answer))
    }
}

struct AfterShares<F> {
    preparation: Preparation<F>,
    vectors: Vectors,
}

impl<F: Then> Merge for AfterShares<F> {
    fn merge(
        self: Box<Self>,
        cx: &mut Cx<'_>,
        answers: Vec<Answer>,
        _out: &mut Reply,
    ) -> Result<Next, Error> {
        let share = |answer: Answer| *answer.downcast::<Option<Share>>().expect("of this round");
        let shares = answers.into_iter().filter_map(share).collect();
        Ok(self.preparation.walk(cx, self.vectors, shares, true))
    }
}
