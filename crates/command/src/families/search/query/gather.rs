//! The rounds that FT.SEARCH and its kind share: what all shards know of the query's words and vectors, then what each finds. Where the first can be
//! left out it is: then, and with one shard, each shard goes on with what it knows itself.

use super::question::Question;
use super::vectors;
use crate::indexes::documents::Held;
use crate::rounds::{Answer, Merge, Next, Part};
use crate::{Cx, Error, ShardCx};
use resp::Reply;
use search::evaluate::{Statistics, StatisticsRound};
use search::vectors::Vectors;
use std::sync::Arc;

/// A command with a question, read on each shard alike.
pub trait Ask: Send + Sync + Sized + 'static {
    /// What a shard finds.
    type Found: Send + 'static;

    fn question(&self) -> &Arc<Question>;

    /// Whether a shard can find its documents without knowing what the others know.
    fn is_local(&self) -> bool;

    /// Begins to find, with what is known of words and vectors. The part ends with [`Heard::Found`].
    ///
    /// # Errors
    /// The index has been dropped since.
    fn find(
        self: &Arc<Self>,
        cx: &mut ShardCx,
        statistics: Statistics,
        vectors: Vectors,
    ) -> Result<Box<dyn Part>, Error>;

    /// All shards have found what they have: writes the reply, or says what is to be done next.
    ///
    /// # Errors
    /// The command fails.
    fn found(
        self: Arc<Self>,
        cx: &mut Cx<'_>,
        found: Vec<Self::Found>,
        out: &mut Reply,
    ) -> Result<Next, Error>;
}

/// The answer of a shard in the first rounds.
pub enum Heard<A: Ask> {
    /// What is known of words; and from now on no document's id becomes another's: vectors may be found by the id before this shard is asked again.
    Known(Arc<A>, Statistics, Held),
    Found(Arc<A>, A::Found),
}

/// Makes a shard's part of the first round.
///
/// # Errors
/// The index is gone.
pub fn begin<A: Ask>(cx: &mut ShardCx, ask: A) -> Result<Box<dyn Part>, Error> {
    let question = ask.question();
    let index = &question.index(cx)?.index;
    let gathering =
        StatisticsRound::new(&question.node, index, &question.settings.words).map_err(Error::search)?;
    let goes_on = cx.shards == 1 || ask.is_local();
    Ok(Box::new(Gather { ask: Arc::new(ask), stage: Stage::Gather(gathering), goes_on }))
}

/// The first round.
struct Gather<A> {
    ask: Arc<A>,
    stage: Stage,
    /// Finds documents with what the shard itself knows.
    goes_on: bool,
}

enum Stage {
    Gather(StatisticsRound),
    Find(Box<dyn Part>),
    Done,
}

impl<A: Ask> Part for Gather<A> {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        if let Stage::Gather(gathering) = &mut self.stage {
            let question = self.ask.question();
            let index = &question.index(cx.shard)?.index;
            if !gathering.step(index, fuel) {
                return Ok(None);
            }
            let Stage::Gather(gathering) = std::mem::replace(&mut self.stage, Stage::Done) else {
                unreachable!("seen above")
            };
            let statistics = gathering.finish(index);
            if !self.goes_on {
                let held = question.index(cx.shard)?.documents.hold();
                return Ok(Some(Box::new(Heard::Known(Arc::clone(&self.ask), statistics, held))));
            }
            let vectors = Vectors::new(Arc::clone(&question.parts));
            self.stage = Stage::Find(self.ask.find(cx.shard, statistics, vectors)?);
        }
        let Stage::Find(part) = &mut self.stage else { unreachable!("it is not done") };
        part.step(cx, fuel)
    }
}

/// What follows the first round, and that in which shards find.
pub struct AfterRound<A>(std::marker::PhantomData<fn(A)>);

impl<A: Ask> AfterRound<A> {
    pub fn boxed() -> Box<dyn Merge> {
        Box::new(Self(std::marker::PhantomData))
    }
}

impl<A: Ask> Merge for AfterRound<A> {
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error> {
        let mut ask = None;
        let (mut known, mut held, mut found) = (Vec::new(), Vec::new(), Vec::new());
        for answer in answers {
            match *answer.downcast::<Heard<A>>().expect("of these rounds") {
                Heard::Known(of, statistics, theirs) => {
                    ask.get_or_insert(of);
                    known.push(statistics);
                    held.push(theirs);
                }
                Heard::Found(of, theirs) => {
                    ask.get_or_insert(of);
                    found.push(theirs);
                }
            }
        }
        let ask = ask.expect("there is a shard");
        if known.is_empty() {
            return ask.found(cx, found, out);
        }
        let question = Arc::clone(ask.question());
        let statistics = question.merge_statistics(known);
        vectors::prepare(cx, question, statistics, out, move |cx, statistics, vectors, _| {
            let part = |(shard, held)| {
                let begin = Some((statistics.clone(), vectors.clone()));
                let find = Find { ask: Arc::clone(&ask), begin, part: None, _held: held };
                (shard, Box::new(find) as Box<dyn Part>)
            };
            let parts = (0..cx.shard.shards).zip(held).map(part).collect();
            Ok(Next::Round(parts, self))
        })
    }
}

/// What a shard finds once all is known.
struct Find<A> {
    ask: Arc<A>,
    begin: Option<(Statistics, Vectors)>,
    part: Option<Box<dyn Part>>,
    _held: Held,
}

impl<A: Ask> Part for Find<A> {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        if let Some((statistics, vectors)) = self.begin.take() {
            self.part = Some(self.ask.find(cx.shard, statistics, vectors)?);
        }
        self.part.as_mut().expect("it has begun").step(cx, fuel)
    }
}
