//! Commands that go in rounds (searches), seen from the client's shard: the first round comes to all shards like a command that all run a part of, at
//! one place in the order of all operations; what the merge of a round asks for next is sent as it is.

use super::Kind;
use crate::execute::Caller;
use crate::message::{Ask, Message, OpId, Work};
use crate::shard::Shard;
use crate::timing;
use command::journal::Effects;
use command::rounds::{Answer, Merge, Next, Part};
use command::{Args, Command, Cx, Error, Plan};
use resp::Reply;

/// A round under way.
pub(crate) struct Round {
    merge: Box<dyn Merge>,
    /// Those that have come, by shard.
    answers: Vec<Option<Result<Answer, Error>>>,
    /// When the command came (monotonic ns).
    begun_ns: u64,
}

/// What shards have said in a round, or the first error among it.
pub(crate) fn collected(answers: Vec<Option<Result<Answer, Error>>>) -> Result<Vec<Answer>, Error> {
    answers.into_iter().map(|answer| answer.expect("all have answered")).collect()
}

/// An error that a shard has answered instead of taking part.
pub(super) fn refused(reply: &Reply) -> Error {
    let line = reply.buf.strip_prefix(b"-").unwrap_or(&reply.buf);
    Error::Reply(line.strip_suffix(b"\r\n").unwrap_or(line).to_vec().into())
}

impl Shard {
    /// A command that asks every shard, perhaps more than once.
    pub(crate) fn start_rounds(&mut self, conn: usize, command: &'static Command, args: Args<'_>) {
        if let Some(error) = self.refusal_of_many(command, |_| true) {
            return self.reject(conn, command, &error);
        }
        let Plan::Rounds(rounds) = command.plan else { unreachable!("it goes in rounds") };
        let shards = usize::from(self.cx.shards);
        let begun_ns = (self.cx.platform.clock_ns)();
        let answers = (0..shards).map(|_| None).collect();
        let kind = Kind::Round(Round { merge: (rounds.merge)(), answers, begun_ns });
        let all: Vec<u16> = (0..self.cx.shards).collect();
        if shards > 1 {
            let conn_db = (self.conns[conn].db, self.conns[conn].resp3);
            let op = self.send_parts(command, args, conn_db);
            return self.begin(conn, op, command, args, kind, &all);
        }
        let op = self.next_op();
        let was_exclusive = self.outgoing.exclusive;
        self.begin(conn, op, command, args, kind, &all);
        self.outgoing.exclusive = was_exclusive;
        let conn = &self.conns[conn];
        let caller = Caller::elsewhere(conn.db, conn.resp3);
        self.begin_part((self.cx.id, op), rounds, args, caller);
        self.after_command();
    }

    /// What a shard says at the end of a round.
    pub(crate) fn on_answered(
        &mut self,
        op: OpId,
        from: u16,
        answer: Result<Answer, Error>,
        effects: Effects,
    ) {
        if self.opens.contains_key(&op) {
            return self.on_answered_open(op, from, answer, &effects);
        }
        let operation = self.ops.get_mut(&op).expect("parts belong to operations under way");
        let Kind::Round(round) = &mut operation.kind else { unreachable!("it goes in rounds") };
        round.answers[usize::from(from)] = Some(answer);
        operation.missing -= 1;
        if operation.missing == 0 {
            self.end_round(op);
        }
    }

    fn end_round(&mut self, op: OpId) {
        let mut operation = self.ops.remove(&op).expect("it is under way");
        let Kind::Round(Round { merge, answers, begun_ns }) = operation.kind else { unreachable!() };
        let (command, caller) = (operation.command, operation.caller);
        let mut out = Reply::new(caller.resp3);
        let is_wanted = match operation.ask {
            Ask::Whole(ticket) => self.conns[ticket.conn as usize].generation == ticket.generation,
            _ => false,
        };
        let merged = match collected(answers) {
            // Whoever asked is gone.
            Ok(_) if !is_wanted => Ok(Next::Done),
            Ok(answers) => merge.merge(&mut context(self, caller), answers, &mut out),
            Err(error) => Err(error),
        };
        match merged {
            Ok(Next::Round(parts, merge)) => {
                let answers = parts.iter().map(|_| None).collect();
                operation.kind = Kind::Round(Round { merge, answers, begun_ns });
                operation.missing = parts.len();
                self.ops.insert(op, operation);
                return self.send_round(op, parts, caller);
            }
            Ok(Next::Done) => {}
            Err(error) => {
                self.cx.commands.failed(command.id);
                self.cx.count_error(&error);
                out.clear();
                out.error(error.line());
            }
        }
        let seed = self.cx.seed.clone();
        let args = operation.args.args(&seed);
        let conn = caller.conn.filter(|_| is_wanted);
        if let Some(nanos) = timing::end(&mut self.cx, command, args, Some(begun_ns), true, conn) {
            self.cx.note_use(command, args, nanos, out.len());
        }
        self.tell_slow(self.cx.id, operation.ask);
        self.end(operation.ask, operation.here, operation.elsewhere, &mut out);
    }

    /// Sends every shard its part; the own one last, for it may be the end of the round.
    fn send_round(&mut self, op: OpId, parts: Vec<Box<dyn Part>>, caller: Caller) {
        let (home, caller) = (self.cx.id, Caller::elsewhere(caller.db, caller.resp3));
        let mut own = None;
        for (shard, part) in parts.into_iter().enumerate() {
            let work = Work::Part(part);
            if shard == usize::from(home) {
                own = Some(work);
            } else {
                self.outgoing.posts.push((shard, Message::Round { home, op, work, caller }));
            }
        }
        self.on_round(home, op, own.expect("there is a part for each shard"), caller);
    }
}

/// Where a merge of an operation works.
pub(super) fn context(shard: &mut Shard, caller: Caller) -> Cx<'_> {
    Cx { shard: &mut shard.cx, db: caller.db, resp3: caller.resp3, conn: None, deny_blocking: true }
}

#[cfg(test)]
mod tests;
