//! Commands that ask all shards, perhaps more than once, and take long: searches.
//!
//! Such a command goes in *rounds*. In each, every shard works on a [`Part`] of its own, a little in each turn, and ends with an [`Answer`]; from the
//! answers of all the client's shard makes the reply, or the parts of another round. Parts and answers are values that travel as they are: nothing is
//! written as bytes and read again.
//!
//! The parts of the first round are made on each shard, at the command's place in the order of all operations, so all find the same
//! definitions. Whatever else the first round finds out that the later ones need must go through its answers.

use crate::{Args, Cx, Error, Outcome};
use resp::Reply;
use std::any::Any;
use std::marker::PhantomData;

/// What a shard says at the end of a round.
pub type Answer = Box<dyn Any + Send>;

/// One shard's work in a round.
pub trait Part: Send {
    /// Goes on while `fuel` lasts, of which one is about half a microsecond. `None`: there is more to do.
    ///
    /// # Errors
    /// The command fails; what the other shards say does not matter any more.
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error>;
}

/// What is to be done with the answers of a round.
pub trait Merge: Send {
    /// Writes the reply; or says what is to be done next, having written nothing. `answers` are in the order of the parts, those of the first round in that of the shards.
    ///
    /// # Errors
    /// The command fails.
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error>;
}

/// What follows a round.
pub enum Next {
    /// The reply has been written.
    Done,
    /// Another round: parts with their shards, at least one, each shard once; and what is to be done with the answers, which come in this order.
    Round(Vec<(u16, Box<dyn Part>)>, Box<dyn Merge>),
}

/// What a client's shard has to do by itself with the answers of a round: at once, if it is little, else in a round of its own.
pub trait Work: Sized + Send + 'static {
    /// Goes on while `fuel` lasts; whether that was all.
    ///
    /// # Errors
    /// As [`Part::step`].
    fn go_on(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<bool, Error>;

    /// What follows.
    ///
    /// # Errors
    /// As [`Merge::merge`].
    fn then(self, cx: &mut Cx<'_>, out: &mut Reply) -> Result<Next, Error>;

    /// Does all of it, or begins to.
    ///
    /// # Errors
    /// As those.
    fn go(mut self, cx: &mut Cx<'_>, is_short: bool, out: &mut Reply) -> Result<Next, Error> {
        if !is_short {
            return Ok(Next::Round(
                vec![(cx.shard.id, Box::new(Some(self)))],
                Box::new(AfterWork::<Self>(PhantomData)),
            ));
        }
        while !self.go_on(cx, &mut { usize::MAX })? {}
        self.then(cx, out)
    }
}

impl<W: Work> Part for Option<W> {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        let is_done = self.as_mut().expect("it is not done").go_on(cx, fuel)?;
        Ok(if is_done { self.take().map(|done| Box::new(done) as Answer) } else { None })
    }
}

struct AfterWork<W>(PhantomData<fn(W)>);

impl<W: Work> Merge for AfterWork<W> {
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error> {
        let done = answers.into_iter().next().expect("there is a part");
        done.downcast::<W>().expect("of this round").then(cx, out)
    }
}

/// So many results are no reason for a round of its own.
pub const FEW: usize = 64;

/// What is written behind a reply that a part has made.
pub type End = Box<dyn FnOnce(&mut Cx<'_>, &mut Reply) + Send>;

/// A part of the client's shard that makes the reply, the last of the command: it ends with a [`Reply`].
pub struct RepliesWith {
    pub part: Box<dyn Part>,
    pub end: End,
}

impl RepliesWith {
    /// Makes the reply: at once, if there is little to do, else in a round of its own, a slice in each turn.
    ///
    /// # Errors
    /// As [`Part::step`].
    pub fn go(mut self, cx: &mut Cx<'_>, is_short: bool, out: &mut Reply) -> Result<Next, Error> {
        let end = AfterReply(self.end);
        if is_short {
            let made = finish(&mut *self.part, cx)?;
            end.write(cx, made, out);
            return Ok(Next::Done);
        }
        Ok(Next::Round(vec![(cx.shard.id, self.part)], Box::new(end)))
    }
}

/// The end of a reply that a part has made.
struct AfterReply(End);

impl AfterReply {
    fn write(self, cx: &mut Cx<'_>, made: Answer, out: &mut Reply) {
        let mut made = made.downcast::<Reply>().expect("it makes the reply");
        if out.is_empty() {
            std::mem::swap(out, &mut *made)
        } else {
            out.append(&mut made)
        }
        (self.0)(cx, out);
    }
}

impl Merge for AfterReply {
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error> {
        let made = answers.into_iter().next().expect("there is a part");
        self.write(cx, made, out);
        Ok(Next::Done)
    }
}

/// A command that goes in rounds.
pub trait Enquiry {
    /// Makes a shard's part of the first round.
    ///
    /// # Errors
    /// What is wrong with the arguments.
    fn begin(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Box<dyn Part>, Error>;

    /// What is done with the answers of the first round.
    fn merge() -> Box<dyn Merge>;
}

/// See [`Enquiry::begin`].
pub type BeginHandler = fn(&mut Cx<'_>, Args<'_>) -> Result<Box<dyn Part>, Error>;

/// An [`Enquiry`] as a row has it.
#[derive(Clone, Copy)]
pub struct Rounds {
    pub begin: BeginHandler,
    pub merge: fn() -> Box<dyn Merge>,
}

/// Fuel of one slice of a part at most, so that what else the shard is asked for does not wait; how long that may take `shard::slices` says.
pub const SLICE_FUEL: usize = 128;

/// Works on a part to its end.
///
/// # Errors
/// As [`Part::step`].
pub fn finish(part: &mut dyn Part, cx: &mut Cx<'_>) -> Result<Answer, Error> {
    loop {
        let mut fuel = SLICE_FUEL;
        if let Some(answer) = part.step(cx, &mut fuel)? {
            return Ok(answer);
        }
    }
}

/// Runs all rounds where there is one shard only, in one piece: inside transactions and scripts.
///
/// # Errors
/// What its parts and merges say.
pub fn run_whole<E: Enquiry>(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let mut part = E::begin(cx, args)?;
    let mut merge = E::merge();
    loop {
        let answer = finish(&mut *part, cx)?;
        match merge.merge(cx, vec![answer], out)? {
            Next::Done => return Ok(()),
            Next::Round(parts, next) => {
                part = parts.into_iter().next().expect("there is a part at least").1;
                merge = next;
            }
        }
    }
}
