//! DEBUG RELOAD and DEBUG LOADAOF: an operation for which all shards are left alone, in several steps
//! (`command::families::reload`).

use crate::block;
use crate::execute::{Asked, Caller};
use crate::message::Ask;
use crate::shard::Shard;
use crate::steps::{Call, Step, Steps};
use base::hash::HashSeed;
use command::families::reload::{self, HAND_OVER, LEAVE, LOAD, SAVE, STEP, TAKE};
use command::saving::{Reload, Source};
use command::{Args, Command, OwnArgs, ShardCx};
use resp::{Reply, reader};
use std::sync::LazyLock;

static STEP_ROW: LazyLock<Command> = LazyLock::new(|| block::as_row_of("debug", &STEP));

impl Shard {
    /// Begins what all shards are left alone for.
    pub(crate) fn start_alone(&mut self, conn: usize, command: &'static Command, args: Args<'_>) {
        match command.name {
            "SEAL" => self.start_seal(conn, command, args),
            _ => self.start_reload(conn, command, args),
        }
    }

    fn start_reload(&mut self, conn: usize, command: &'static Command, args: Args<'_>) {
        let reload = match reload::read(args) {
            Ok(reload) => reload,
            Err(error) => {
                self.cx.commands.failed(command.id);
                return self.reply_error(conn, &error);
            }
        };
        let asked = self.asked_alone(conn, command, args);
        let first = match reload {
            Reload { source: Source::Log, .. } => HAND_OVER,
            Reload { saves: true, .. } => SAVE,
            Reload { saves: false, .. } => LOAD,
        };
        let (args, failure) = (OwnArgs::of_words(Vec::new()), None);
        let resp3 = asked.caller.resp3;
        let steps = Reloading { reload, step: first, args, failure, resp3, has_begun: false };
        self.start_open(asked, Vec::new(), Box::new(steps));
    }

    pub(crate) fn asked_alone<'a>(
        &mut self,
        conn: usize,
        command: &'static Command,
        args: Args<'a>,
    ) -> Asked<'a> {
        let ask = Ask::Whole(self.expect(conn));
        let caller = Caller::of(conn, &self.conns[conn]);
        self.conns[conn].through_own_mailbox += 1;
        Asked { home: self.cx.id, ask, command, caller, args }
    }
}

struct Reloading {
    reload: Reload,
    step: &'static [u8],
    args: OwnArgs,
    /// What went wrong, and is to be told once all shards have forgotten what they have loaded.
    failure: Option<Reply>,
    resp3: bool,
    has_begun: bool,
}

impl Reloading {
    fn begin(&mut self, step: &'static [u8]) -> Step {
        self.step = step;
        self.args = OwnArgs::of_words(reload::words(step, self.reload));
        Step::Call
    }
}

impl Steps for Reloading {
    fn resume(&mut self, _: &mut ShardCx, reply: Option<&Reply>) -> Step {
        let Some(reply) = reply else {
            assert!(!std::mem::replace(&mut self.has_begun, true), "it goes on with replies only");
            return self.begin(self.step);
        };
        let mut copy = Reply::new(self.resp3);
        copy.append_part(reply, 0..reply.buf.len());
        let is_error = reader::is_error(&reply.buf);
        match self.step {
            SAVE if is_error => Step::Done(copy),
            HAND_OVER | SAVE => self.begin(LOAD),
            LOAD if is_error => {
                self.failure = Some(copy);
                self.begin(LEAVE)
            }
            LOAD => self.begin(TAKE),
            _ => Step::Done(self.failure.take().unwrap_or(copy)),
        }
    }

    fn call<'a>(&'a self, seed: &'a HashSeed) -> Call<'a> {
        Call { command: &STEP_ROW, args: self.args.args(seed), db: 0, resp3: self.resp3 }
    }
}
