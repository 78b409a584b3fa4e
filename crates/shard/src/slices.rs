//! Parts of commands that go in rounds, as the shard sees them that works on them: a little in each turn, so that nothing else waits long. And commands
//! of one key that turn out to take long ([`command::Command::in_steps`]): one part, behind a lock of their key that they share; who only reads passes by.
//!
//! A turn has fuel for one slice, less if fuel takes longer than it should: long vectors that lie far away do. Parts that come when it is used up, or while others have not had their turn, queue. While keys of this shard are
//! lent to other shards, a part waits like any command that looks at all keys; between its slices it holds no lock.

use crate::execute::{self, Asked, Caller};
use crate::locks::{Thing, WaiterId};
use crate::message::{Message, OpId, Work};
use crate::multi::SHARE_SHIFT;
use crate::parking::{Job, Parked};
use crate::shard::Shard;
use command::journal::Effects;
use command::rounds::{self, Answer, Part, Rounds, SLICE_FUEL};
use command::{Args, Cx, Error, Plan};
use resp::Reply;
use std::collections::VecDeque;

/// A part on which this shard works.
pub(crate) struct Slice {
    of: Of,
    part: Box<dyn Part>,
    caller: Caller,
}

/// Of what it is a part.
enum Of {
    Round {
        home: u16,
        op: OpId,
    },
    /// All of a command, which shares the lock of its key.
    Command {
        parked: Box<Parked>,
        lock: WaiterId,
        /// Monotonic ns.
        begun_ns: u64,
    },
}

/// What a slice should take.
const SLICE_NS: u64 = 50_000;
/// Of slices with less fuel it is not looked how long they take.
const WEIGHED_FUEL_MIN: usize = 16;

/// Parts that are not done.
pub(crate) struct Slices {
    queue: VecDeque<Slice>,
    /// What has been used in this turn.
    used: usize,
    /// How long one fuel takes, as seen lately, ns.
    fuel_ns: u64,
    /// Parts that wait until no key is lent.
    parked: usize,
}

impl Default for Slices {
    fn default() -> Self {
        Self { queue: VecDeque::new(), used: 0, fuel_ns: SLICE_NS / SLICE_FUEL as u64, parked: 0 }
    }
}

impl Slices {
    /// The fuel of a turn.
    fn fuel(&self) -> usize {
        ((SLICE_NS / self.fuel_ns) as usize).clamp(SLICE_FUEL / 8, SLICE_FUEL)
    }

    /// Notes how long it has taken to use so much fuel.
    fn weigh(&mut self, fuel: usize, ns: u64) {
        if fuel < WEIGHED_FUEL_MIN {
            return;
        }
        // Who was not given the processor meanwhile has not been slow.
        let most = 8 * SLICE_NS / SLICE_FUEL as u64;
        let seen = (ns / fuel as u64).clamp(1, most);
        self.fuel_ns = (7 * self.fuel_ns + seen) / 8;
    }

    /// Whether there is something to go on with in the next turn.
    #[inline]
    pub fn has_work(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether the next turn has something to do here.
    #[inline]
    pub fn are_used(&self) -> bool {
        self.used > 0 || self.has_work()
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.parked == 0
    }
}

/// Where a part or a merge works: for a client that is not told anything on the way.
pub(crate) fn context(shard: &mut Shard, caller: Caller) -> Cx<'_> {
    Cx { shard: &mut shard.cx, db: caller.db, resp3: caller.resp3, conn: None, deny_blocking: true }
}

impl Shard {
    /// The command has come to this shard: makes the part of the first round and begins with it.
    pub(crate) fn begin_part(
        &mut self,
        (home, op): (u16, OpId),
        rounds: Rounds,
        args: Args<'_>,
        caller: Caller,
    ) {
        let op = op & ((1 << SHARE_SHIFT) - 1);
        match (rounds.begin)(&mut context(self, caller), args) {
            Ok(part) => self.begin_slice(home, op, part, caller),
            Err(error) => self.answer_round(home, op, Err(error), Effects::default()),
        }
    }

    /// A shard asks for a part.
    pub(crate) fn on_round(&mut self, home: u16, op: OpId, work: Work, caller: Caller) {
        match work {
            Work::Part(part) => self.begin_slice(home, op, part, caller),
            alone => {
                let (answer, effects) = self.work_alone(alone, caller);
                self.answer_round(home, op, answer, effects);
            }
        }
        self.after_command();
    }

    /// Works on a part to its end, for an operation to which this shard is left alone: what is written down meanwhile is a part of what that
    /// does.
    pub(crate) fn work_alone(&mut self, work: Work, caller: Caller) -> (Result<Answer, Error>, Effects) {
        self.cx.journal.begin_gathering();
        let seed = self.cx.seed.clone();
        let cx = &mut context(self, caller);
        let part = match work {
            Work::Part(part) | Work::PartAlone(part) => Ok(part),
            Work::FirstAlone(command, args) => {
                let Plan::Rounds(rounds) = command.plan else { unreachable!("it goes in rounds") };
                (rounds.begin)(cx, args.args(&seed))
            }
        };
        let answer = part.and_then(|mut part| rounds::finish(&mut *part, cx));
        (answer, self.cx.journal.end_gathering())
    }

    /// A command that has run on this shard takes many turns. Who writes to its key waits; who reads does not.
    pub(crate) fn begin_steps(&mut self, asked: Asked<'_>) {
        let mut indexes = Vec::new();
        asked.command.key_indexes(&asked.args, &mut indexes).unwrap_or_default();
        let key = |index: &usize| Thing::Key(asked.caller.db, asked.args[*index].to_vec());
        let things = indexes.iter().map(|index| (key(index), true)).collect();
        let mut ready = std::mem::take(&mut self.ready);
        self.locks.enqueue(things, Job::Steps(Box::new(asked.parked())), &mut ready);
        self.ready = ready;
        self.run_ready();
    }

    /// It has the lock.
    pub(crate) fn take_steps(&mut self, parked: Parked, lock: WaiterId) {
        let begun_ns = (self.cx.platform.clock_ns)();
        let (seed, caller) = (self.cx.seed.clone(), parked.caller);
        let begin = parked.command.steps.expect("its row says how it goes on");
        let begun = begin(&mut context(self, caller), parked.args.args(&seed));
        let of = Of::Command { parked: Box::new(parked), lock, begun_ns };
        match begun {
            Ok(part) => self.slices.queue.push_back(Slice { of, part, caller }),
            Err(error) => self.end_slice(of, caller, Err(error)),
        }
    }

    fn begin_slice(&mut self, home: u16, op: OpId, part: Box<dyn Part>, caller: Caller) {
        let slice = Slice { of: Of::Round { home, op }, part, caller };
        if self.slices.has_work() || self.slices.used >= self.slices.fuel() {
            return self.slices.queue.push_back(slice);
        }
        self.start_slice(slice);
    }

    /// Works on a part as soon as no key is lent to another shard.
    fn start_slice(&mut self, slice: Slice) {
        if matches!(slice.of, Of::Command { .. }) || !self.locks.is_contended(&Thing::Shard) {
            return self.work_on(slice);
        }
        self.slices.parked += 1;
        let mut ready = std::mem::take(&mut self.ready);
        self.locks.enqueue(vec![(Thing::Shard, false)], Job::Slice(Box::new(slice)), &mut ready);
        self.ready = ready;
        self.run_ready();
    }

    /// Works on a part that has been waiting for its lock.
    pub(crate) fn work_on_parked(&mut self, slice: Slice) {
        self.slices.parked -= 1;
        self.work_on(slice);
    }

    fn work_on(&mut self, mut slice: Slice) {
        let mut fuel = self.slices.fuel().saturating_sub(self.slices.used).max(1);
        let had = fuel;
        let begun_ns = (self.cx.platform.clock_ns)();
        let ended = slice.part.step(&mut context(self, slice.caller), &mut fuel);
        let used = (had - fuel).max(1);
        self.slices.used += used;
        self.slices.weigh(used, (self.cx.platform.clock_ns)().saturating_sub(begun_ns));
        let answer = match ended {
            Ok(None) => return self.slices.queue.push_back(slice),
            Ok(Some(answer)) => Ok(answer),
            Err(error) => Err(error),
        };
        self.end_slice(slice.of, slice.caller, answer);
    }

    fn end_slice(&mut self, of: Of, caller: Caller, answer: Result<Answer, Error>) {
        match of {
            Of::Round { home, op } => self.answer_round(home, op, answer, Effects::default()),
            Of::Command { parked, lock, begun_ns } => {
                self.end_steps(&parked, (caller, begun_ns), answer);
                self.unlock(lock);
                self.run_ready();
            }
        }
    }

    /// A command has been done in steps.
    fn end_steps(
        &mut self,
        parked: &Parked,
        (mut caller, begun_ns): (Caller, u64),
        answer: Result<Answer, Error>,
    ) {
        let Parked { home, ask, command, args, .. } = parked;
        let reply =
            answer.map(|answer| *answer.downcast::<Reply>().expect("its part answers with the reply"));
        let reply = reply.unwrap_or_else(|error| {
            self.cx.commands.failed(command.id);
            self.cx.count_error(&error);
            let mut reply = Reply::new(caller.resp3);
            reply.error(error.line());
            reply
        });
        caller.conn = caller.conn.filter(|_| self.is_alive(*home, *ask));
        let seed = self.cx.seed.clone();
        execute::end_steps(&mut self.cx, command, args.args(&seed), caller, begun_ns);
        self.tell_slow(*home, *ask);
        self.answer(*home, *ask, command, reply);
    }

    fn answer_round(&mut self, home: u16, op: OpId, answer: Result<Answer, Error>, effects: Effects) {
        let from = self.cx.id;
        if home == from {
            return self.on_answered(op, from, answer, effects);
        }
        self.outgoing.posts.push((home as usize, Message::Answered { op, from, answer, effects }));
    }

    /// Goes on with parts while the turn's fuel lasts; whether there were any. Call once per turn: after all others have their replies.
    #[inline]
    pub fn work_on_parts(&mut self) -> bool {
        let has_work = self.slices.are_used() && self.busy.is_none();
        if has_work {
            self.go_on_with_parts();
        }
        has_work
    }

    /// Whether there are parts to go on with.
    pub fn has_queued_parts(&self) -> bool {
        self.slices.has_work()
    }

    #[cold]
    fn go_on_with_parts(&mut self) {
        let mut left = self.slices.queue.len();
        while left > 0
            && self.slices.used < self.slices.fuel()
            && let Some(slice) = self.slices.queue.pop_front()
        {
            left -= 1;
            self.start_slice(slice);
            self.after_command();
        }
        self.slices.used = 0;
        self.tell_changes();
    }
}

#[cfg(test)]
mod tests;
