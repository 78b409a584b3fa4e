//! Several commands that must look like one: a script, a transaction. What comes next shows only while they run.

use base::hash::HashSeed;
use command::{Args, Command, OwnArgs, ShardCx};
use resp::Reply;

/// A command to run among others.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub command: &'static Command,
    pub args: Args<'a>,
    pub db: u16,
    pub resp3: bool,
}

pub(crate) enum Step {
    /// The command that [`Steps::call`] tells is to be run.
    Call,
    /// Nothing, but time has passed.
    Tick,
    /// It is over; the reply for the client.
    Done(Reply),
}

/// A machine that asks for one command after the other.
pub(crate) trait Steps: Send {
    /// Goes on, with the reply to the command before if it asked for one.
    fn resume(&mut self, cx: &mut ShardCx, reply: Option<&Reply>) -> Step;

    /// When the script began (unix µs) that has asked for the command, if one has.
    fn in_script(&self) -> Option<u64> {
        None
    }

    /// Whether a script among them has run for too long; with it, whether it is a function.
    fn overdue(&self) -> Option<bool> {
        None
    }

    /// The command asked for last.
    fn call<'a>(&'a self, seed: &'a HashSeed) -> Call<'a>;
}

/// One command by itself, whose keys show while it runs.
pub(crate) struct Once {
    pub command: &'static Command,
    pub args: OwnArgs,
    pub db: u16,
    pub resp3: bool,
}

impl Steps for Once {
    fn resume(&mut self, _cx: &mut ShardCx, reply: Option<&Reply>) -> Step {
        let Some(reply) = reply else { return Step::Call };
        let mut out = Reply::new(self.resp3);
        out.append_part(reply, 0..reply.buf.len());
        Step::Done(out)
    }

    fn call<'a>(&'a self, seed: &'a HashSeed) -> Call<'a> {
        let args = self.args.args(seed);
        Call { command: self.command, args, db: self.db, resp3: self.resp3 }
    }
}
