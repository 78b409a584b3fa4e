//! Commands that go in rounds (searches), seen from the client's shard: the first round comes to all shards like a command that all run a part of, at
//! one place in the order of all operations; what the merge of a round asks for next is sent as it is.

use super::Kind;
use crate::execute::Caller;
use crate::message::{Ask, Message, OpId, Work};
use crate::shard::Shard;
use crate::slices::context;
use crate::timing;
use command::journal::Effects;
use command::rounds::{Answer, Merge, Next, Part};
use command::{Args, Command, Error, Plan};
use resp::Reply;

/// A round under way.
pub(crate) struct Round {
    merge: Box<dyn Merge>,
    answers: Answers,
    /// When the command came (monotonic ns).
    begun_ns: u64,
}

/// What shards say in a round, in the order of its parts.
pub(crate) struct Answers(Vec<(u16, Option<Result<Answer, Error>>)>);

impl Answers {
    /// Of these shards, none yet.
    pub fn of(shards: impl Iterator<Item = u16>) -> Self {
        Self(shards.map(|shard| (shard, None)).collect())
    }

    /// A shard has answered.
    pub fn put(&mut self, from: u16, answer: Result<Answer, Error>) {
        let mut of = self.0.iter_mut().filter(|(shard, _)| *shard == from);
        of.next().expect("a shard answers that was asked").1 = Some(answer);
    }

    /// All answers, or the first error among them.
    pub fn collected(self) -> Result<Vec<Answer>, Error> {
        self.0.into_iter().map(|(_, answer)| answer.expect("all have answered")).collect()
    }
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
        let answers = Answers::of(0..self.cx.shards);
        let kind = Kind::Round(Round { merge: (rounds.merge)(), answers, begun_ns });
        let all: Vec<u16> = (0..self.cx.shards).collect();
        // Alone, too, who wants all of a shard waits for keys that are on their way to another server.
        if shards > 1 || !self.away.is_empty() {
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
        round.answers.put(from, answer);
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
        let merged = match answers.collected() {
            // Whoever asked is gone.
            Ok(_) if !is_wanted => Ok(Next::Done),
            Ok(answers) => merge.merge(&mut context(self, caller), answers, &mut out),
            Err(error) => Err(error),
        };
        match merged {
            Ok(Next::Round(parts, merge)) => {
                let answers = Answers::of(parts.iter().map(|(shard, _)| *shard));
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

    /// Sends shards their parts; the own one last, for it may be the end of the round.
    fn send_round(&mut self, op: OpId, parts: Vec<(u16, Box<dyn Part>)>, caller: Caller) {
        let (home, caller) = (self.cx.id, Caller::elsewhere(caller.db, caller.resp3));
        let mut own = None;
        for (shard, part) in parts {
            let work = Work::Part(part);
            if shard == home {
                own = Some(work);
            } else {
                self.outgoing.posts.push((usize::from(shard), Message::Round { home, op, work, caller }));
            }
        }
        if let Some(work) = own {
            self.on_round(home, op, work, caller);
        }
    }
}

#[cfg(test)]
mod held_ids_tests;
#[cfg(test)]
mod long_answers_tests;
#[cfg(test)]
mod tests;
