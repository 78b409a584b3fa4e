//! Commands that go in rounds inside operations that learn as they go: every shard works on its part in one piece, for it is left alone to the operation.

use super::{Next as Waiting, Open};
use crate::execute::Caller;
use crate::message::{Message, OpId, Work};
use crate::multi::rounds::Answers;
use crate::shard::Shard;
use crate::slices::context;
use command::Error;
use command::journal::Effects;
use command::rounds::{Answer, Merge, Next};
use resp::Reply;

impl Shard {
    /// Has the shards work on their parts of a round, all keys being where they belong.
    pub(super) fn start_round_open(
        &mut self,
        op: OpId,
        open: &mut Open,
        works: Vec<(u16, Work)>,
        merge: Box<dyn Merge>,
        caller: Caller,
    ) {
        self.return_keys(open);
        open.missing = works.len();
        let mut answers = Answers::of(works.iter().map(|(shard, _)| *shard));
        for (shard, work) in works {
            let home = self.cx.id;
            if shard == home {
                let (answer, effects) = self.work_alone(work, caller);
                answers.put(shard, answer);
                open.effects.append(&effects);
                open.missing -= 1;
            } else {
                self.outgoing.posts.push((usize::from(shard), Message::Round { home, op, work, caller }));
            }
        }
        open.next = Waiting::Answers { merge, answers };
    }

    /// What a shard says at the end of a round.
    pub(crate) fn on_answered_open(
        &mut self,
        op: OpId,
        from: u16,
        answer: Result<Answer, Error>,
        effects: &Effects,
    ) {
        let open = self.opens.get_mut(&op).expect("what comes belongs to operations under way");
        open.effects.append(effects);
        let Waiting::Answers { answers, .. } = &mut open.next else { unreachable!("it waits for answers") };
        answers.put(from, answer);
        open.missing -= 1;
        if open.missing == 0 {
            self.may_proceed.push_back(op);
        }
    }

    /// Does what follows a round; whether that is the reply, which is in `out`. Else another round has begun.
    pub(super) fn merge_round_open(
        &mut self,
        op: OpId,
        open: &mut Open,
        merge: Box<dyn Merge>,
        answers: Answers,
        out: &mut Reply,
    ) -> bool {
        let seed = self.cx.seed.clone();
        let call = open.steps.call(&seed);
        let (command, caller) = (call.command, Caller::elsewhere(call.db, call.resp3));
        out.resp3 = caller.resp3;
        let merged = answers.collected();
        let merged = merged.and_then(|answers| merge.merge(&mut context(self, caller), answers, out));
        match merged {
            Ok(Next::Done) => return true,
            Ok(Next::Round(parts, merge)) => {
                let works = parts.into_iter().map(|(shard, part)| (shard, Work::PartAlone(part))).collect();
                self.start_round_open(op, open, works, merge, caller);
                return false;
            }
            Err(error) => {
                self.cx.commands.failed(command.id);
                self.cx.count_error(&error);
                out.clear();
                out.error(error.line());
            }
        }
        true
    }
}
