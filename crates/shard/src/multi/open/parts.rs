//! Commands that concern a whole keyspace inside operations that learn as they go: each shard runs its part, for it is left alone to the operation.

use super::{Next, Open, Tried};
use crate::execute::{self, Caller};
use crate::message::{Message, OpId};
use crate::multi;
use crate::prepare::prepared;
use crate::shard::Shard;
use command::journal::Effects;
use command::spec::flag;
use command::{Command, Error, OwnArgs, Plan};
use resp::Reply;

impl Shard {
    /// Has the shards run their parts of a command, all keys being where they belong.
    pub(super) fn start_steps(
        &mut self,
        op: OpId,
        open: &mut Open,
        command: &'static Command,
        mut args: OwnArgs,
        (db, resp3): (u16, bool),
        out: &mut Reply,
    ) -> Tried {
        let seed = self.cx.seed.clone();
        let mut only = None;
        match (command.plan, command.prepare) {
            (Plan::Cursor(at), _) => {
                let cursor = args.args(&seed).get(at).unwrap_or_default();
                only = Some(crate::route::cursor_shard(self.cx.shards, cursor));
            }
            (_, Some(prepare)) => {
                let conn = self.conn_of(&open.asked);
                let caller = Caller { conn, ..Caller::elsewhere(db, resp3) };
                match prepared(&mut self.cx, command, prepare, args.args(&seed), caller, true) {
                    Ok(own) => args = own,
                    Err(error) => {
                        self.cx.count_error(&error);
                        out.error(error.line());
                        return Tried::Replied;
                    }
                }
            }
            _ => {}
        }
        self.return_keys(open);
        let shards = only.map_or(0..self.cx.shards, |shard| shard..shard + 1);
        open.missing = shards.len();
        let mut parts: Vec<_> = (0..self.cx.shards).map(|_| Reply::default()).collect();
        for shard in shards {
            let args = OwnArgs::of(args.args(&seed));
            let counts = only.is_some() || shard == 0;
            let caller = Caller { counts, admitted: true, ..Caller::elsewhere(db, resp3) };
            if shard == self.cx.id {
                let (reply, effects) = self.run_step(command, &args, caller);
                parts[shard as usize] = reply;
                open.effects.append(&effects);
                open.missing -= 1;
            } else {
                let home = self.cx.id;
                let step = Message::Step { home, op, command, args, caller };
                self.outgoing.posts.push((shard as usize, step));
            }
        }
        open.next = Next::Merge { args: only.is_none().then_some(args), parts };
        Tried::Parts
    }

    /// Runs this shard's part of a command of an operation to which this shard is left alone.
    /// With its reply, what it has done, which the operation has written down.
    pub(crate) fn run_step(
        &mut self,
        command: &'static Command,
        args: &OwnArgs,
        caller: Caller,
    ) -> (Reply, Effects) {
        if command.flags & flag::SESSIONS != 0 {
            self.sync_to_sessions();
        }
        let seed = self.cx.seed.clone();
        let mut out = Reply::new(caller.resp3);
        self.cx.journal.begin_gathering();
        let needed = execute::run_inside(&mut self.cx, command, args.args(&seed), caller, &mut out);
        let effects = self.cx.journal.end_gathering();
        if needed.is_some() {
            out.error(Error::NeedKeys(Vec::new()).line());
        }
        self.silence_killed();
        (out, effects)
    }

    pub(super) fn merge_open(
        &mut self,
        open: &Open,
        args: Option<OwnArgs>,
        parts: &[Reply],
        out: &mut Reply,
    ) {
        let seed = self.cx.seed.clone();
        let call = open.steps.call(&seed);
        out.resp3 = call.resp3;
        match (call.command.plan, args) {
            (Plan::All(_, merge), Some(args)) => {
                multi::merge_parts(&mut self.cx, merge, args.args(&seed), parts, out)
            }
            _ => parts.iter().for_each(|part| out.append_part(part, 0..part.buf.len())),
        }
    }
}
