//! A transaction that runs command by command, for some of its commands concern all shards, or show only while they run which keys they
//! need. It runs on its client's shard.

use crate::block::{self, Block};
use crate::script::ScriptSteps;
use crate::steps::{Call, Step, Steps};
use base::hash::HashSeed;
use command::spec::flag;
use command::{Args, OwnArgs, ShardCx};
use resp::Reply;

pub(crate) struct BlockSteps {
    args: OwnArgs,
    /// Where the head of the next command stands, and how many are left; where that of the one at hand does.
    next: usize,
    left: usize,
    at: usize,
    /// Its connection on this shard, and the client's id.
    client: (usize, u64),
    resp3: bool,
    /// The script at hand.
    script: Option<ScriptSteps>,
    out: Reply,
    /// The client has killed itself, and reads nothing more.
    is_deaf: bool,
}

impl BlockSteps {
    pub fn new(args: Args<'_>, client: (usize, u64), resp3: bool) -> Self {
        let block = Block::of(args);
        let (next, left) = (block.first(), block.commands());
        let mut out = Reply::new(resp3);
        out.array(left);
        Self {
            args: OwnArgs::of(args),
            next,
            left,
            at: next,
            client,
            resp3,
            script: None,
            out,
            is_deaf: false,
        }
    }
}

impl BlockSteps {
    fn append(&mut self, cx: &ShardCx, reply: &Reply) {
        if !self.is_deaf {
            self.out.append_part(reply, 0..reply.buf.len());
            self.is_deaf = block::is_leaving(cx, self.client.0);
        }
    }

    /// What the script at hand wants; nothing if it has ended.
    fn go_on_with_script(&mut self, cx: &mut ShardCx, reply: Option<&Reply>) -> Option<Step> {
        match self.script.as_mut()?.resume(cx, reply) {
            Step::Done(out) => {
                self.append(cx, &out);
                self.script = None;
                None
            }
            other => Some(other),
        }
    }
}

impl Steps for BlockSteps {
    fn resume(&mut self, cx: &mut ShardCx, reply: Option<&Reply>) -> Step {
        if self.script.is_some() {
            if let Some(step) = self.go_on_with_script(cx, reply) {
                return step;
            }
        } else if let Some(reply) = reply {
            self.append(cx, reply);
        }
        let session = cx.sessions.get(self.client.0).filter(|session| session.id == self.client.1);
        let is_there = session.is_some();
        self.resp3 = session.map_or(self.resp3, |session| session.resp3);
        while self.left > 0 {
            self.at = self.next;
            self.left -= 1;
            let (step, next) = Block::of(self.args.args(&cx.seed)).step_at(self.at);
            self.next = next;
            if step.command.flags & flag::SCRIPT != 0 {
                self.script =
                    Some(ScriptSteps::new(step.command, OwnArgs::of(step.args), step.db, self.resp3));
                if let Some(step) = self.go_on_with_script(cx, None) {
                    return step;
                }
            } else if is_there || !block::needs_client(step.command) {
                return Step::Call;
            } else {
                let mut out = Reply::new(self.resp3);
                out.null();
                self.append(cx, &out);
            }
        }
        Step::Done(std::mem::take(&mut self.out))
    }

    fn in_script(&self) -> Option<u64> {
        self.script.as_ref()?.in_script()
    }

    fn overdue(&self) -> Option<bool> {
        self.script.as_ref()?.overdue()
    }

    fn call<'a>(&'a self, seed: &'a HashSeed) -> Call<'a> {
        if let Some(script) = &self.script {
            return script.call(seed);
        }
        let (step, _) = Block::of(self.args.args(seed)).step_at(self.at);
        Call { command: step.command, args: step.args, db: step.db, resp3: self.resp3 }
    }
}
