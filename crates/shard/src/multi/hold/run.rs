//! What runs among keys that have been brought together, and what becomes of the operation then: it is over, waits, or needs more.

use super::{Done, HeldKeys};
use crate::blocking::{Settling, WaitChange};
use crate::busy::Busy;
use crate::execute::{self, Asked, Needs};
use crate::message::OpId;
use crate::multi::{Kind, Operation};
use crate::shard::Shard;
use crate::transaction;
use command::blocking::Wait;
use command::change::DbKey;
use command::scripting::Form;
use command::spec::flag;
use command::{Args, Command, Plan};
use resp::Reply;

/// Attempts of a command that keeps finding that it needs other keys than it was given; then it gets them as it goes.
const ATTEMPTS_MAX: u32 = 3;
const SCRIPT_ATTEMPTS_MAX: u32 = 1;

impl Shard {
    /// All keys are here: runs the command among them and sends them home.
    pub(crate) fn run_held(&mut self, op: OpId, mut operation: Operation) {
        let Kind::Hold { keys, wanted, is_touched, awaited, attempts } = &mut operation.kind else {
            unreachable!()
        };
        let (is_touched, attempts) = (*is_touched, *attempts);
        let (keys, wanted, awaited) = (std::mem::take(keys), std::mem::take(wanted), std::mem::take(awaited));
        let mut held_keys = HeldKeys { op, places: Vec::with_capacity(keys.len()), awaited };
        for (from, held) in keys {
            let (db, key) = self.put_back(held);
            held_keys.places.push((from, db, key));
        }
        self.cx.guests.receive(wanted);
        self.cx.set_listening();
        let seed = self.cx.seed.clone();
        let Operation { home, ask, command, caller, .. } = operation;
        let asked = Asked { home, ask, command, caller, args: operation.args.args(&seed) };
        let mut out = Reply::new(caller.resp3);
        self.cx.journal.begin_gathering();
        let needs = self.run_among(op, asked, is_touched, &mut out);
        if let Some(whole) = self.cx.scripts.overdue.take() {
            return self.begin_busy(Busy::new(&asked, whole).among(held_keys));
        }
        let (keys, mut done) = self.leave_guests();
        if let Some(mut all) = operation.earlier.take() {
            all.changes.append(&mut done.changes);
            all.effects.append(&done.effects);
            done = *all;
        }
        self.tell_slow(home, ask);
        match needs {
            None => self.end_held(&asked, attempts, out, held_keys, done),
            Some(Needs::Wait(wait)) => {
                let has_waited = self.blocked_ops.has(op);
                let waits = self.wait_held(&operation, op, &keys, wait);
                self.send_home(held_keys, done, waits, &Settling::default());
                if has_waited {
                    self.give_up_claim(op);
                }
            }
            Some(Needs::Steps) => unreachable!("it has one key, which is nobody's guest"),
            Some(Needs::Away(shipment)) => {
                operation.earlier = Some(Box::new(done));
                self.send_away(op, operation, held_keys, keys, shipment);
            }
            Some(Needs::Keys(more)) => {
                self.send_home(held_keys, done, Vec::new(), &Settling::default());
                self.ask_for_more(asked, keys, more, attempts);
            }
        }
    }

    /// Runs the command, or says why it does not run.
    fn run_among(&mut self, op: OpId, asked: Asked<'_>, is_touched: bool, out: &mut Reply) -> Option<Needs> {
        let mut caller = asked.caller;
        if !self.is_alive(asked.home, asked.ask) {
            caller.conn = None;
        }
        // Memory was granted when it came; nothing is taken for a client that has gone.
        caller.admitted |= self.blocked_ops.has(op);
        if is_touched {
            transaction::run_touched(&mut self.cx, caller, out)
        } else if self.blocked_ops.is_abandoned(op) {
            None
        } else {
            execute::execute(&mut self.cx, asked.command, asked.args, caller, out)
        }
    }

    /// What ran among the keys does so no longer; which they were, and what it has done.
    fn leave_guests(&mut self) -> (Vec<DbKey>, Done) {
        let effects = self.cx.journal.end_gathering();
        let (keys, changes) = self.cx.guests.leave();
        self.cx.set_listening();
        (keys, Done { changes, effects })
    }

    /// The command has its reply.
    fn end_held(&mut self, asked: &Asked<'_>, attempts: u32, out: Reply, held_keys: HeldKeys, done: Done) {
        let Asked { home, ask, command, args, .. } = *asked;
        let op = held_keys.op;
        let is_changed =
            |shard: &u16| done.changes.iter().any(|change| self.cx.slots.shard_of(&change.key) == *shard);
        let mut settlers = held_keys.awaited.clone();
        settlers.retain(|shard| *shard == self.cx.id || is_changed(shard));
        let settling = self.begin_settling(settlers, ask.client(home));
        if self.blocked_ops.has(op) {
            let waits = self.each_shard(|| WaitChange::Leave);
            self.send_home(held_keys, done, waits, &settling);
            return self.end_operation(op, None, out);
        }
        if command.flags & flag::SCRIPT != 0 {
            let used = std::mem::take(&mut self.cx.scripts.undeclared);
            if !used.is_empty() {
                self.note_asking(home, (command, args), &used, attempts);
            }
            self.cx.scripts.note_keys(Form::of(command), args, &used, attempts > 0);
        }
        if matches!(command.plan, Plan::Block) {
            let conn = asked.caller.conn.filter(|_| self.is_alive(home, ask));
            self.end_block(conn);
        }
        // First the reply: what makes it out of date must come behind it. The keys are locked until they are home.
        self.answer(home, ask, command, out);
        self.send_home(held_keys, done, Vec::new(), &settling);
    }

    /// The command waits, for the first time or again; what becomes of its places in the queues of the shards.
    fn wait_held(
        &mut self,
        operation: &Operation,
        op: OpId,
        keys: &[DbKey],
        wait: Box<Wait>,
    ) -> Vec<WaitChange> {
        if self.blocked_ops.has(op) {
            self.each_shard(|| WaitChange::Stay)
        } else if self.is_alive(operation.home, operation.ask) {
            self.block_operation(op, operation, keys, wait)
        } else {
            // What nobody waits for need not be remembered.
            Vec::new()
        }
    }

    /// The command has asked for keys in vain, having changed nothing, and its keys are home: it is tried again among all of them, or gets them as it goes.
    fn ask_for_more(&mut self, asked: Asked<'_>, mut keys: Vec<DbKey>, more: Vec<DbKey>, attempts: u32) {
        if asked.command.flags & flag::AWAY != 0 {
            // Fewer each time.
            return self.hold_keys(asked, more, attempts);
        }
        keys.extend(more);
        // What a script has changed is taken back each time.
        let is_script = asked.command.flags & flag::SCRIPT != 0;
        let attempts_max = if is_script { SCRIPT_ATTEMPTS_MAX } else { ATTEMPTS_MAX };
        if attempts < attempts_max {
            return self.hold_keys(asked, keys, attempts + 1);
        }
        if !self.take_over(&asked, &mut keys) {
            let steps = self.steps_of(&asked);
            self.start_open(asked, keys, steps);
        }
    }

    /// A script has run among held keys, undeclared ones among them: whether they had been foreseen, or it has asked for them. If it does that regularly, the
    /// client's shard is told.
    fn note_asking(
        &mut self,
        home: u16,
        (command, args): (&Command, Args<'_>),
        used: &[Vec<u8>],
        attempts: u32,
    ) {
        let form = Form::of(command);
        // What is foreseen is brought together where the client is.
        let has_asked = attempts > 0 || home != self.cx.id || {
            let foreseen = self.cx.scripts.foreseen(form, args);
            used.iter().any(|key| !foreseen.contains(key))
        };
        let news = self.cx.scripts.note_asking(form, args, has_asked);
        self.tell_learning(home, news);
    }

    /// The command for which keys were brought here is over: they go home. Which they were. `settling`: as for [`Shard::send_home`].
    pub(crate) fn end_holding(&mut self, held_keys: HeldKeys, settling: &Settling) -> Vec<DbKey> {
        let (keys, done) = self.leave_guests();
        self.send_home(held_keys, done, Vec::new(), settling);
        keys
    }

    /// As [`Shard::hold_keys`], with the keys that the command names itself.
    pub(crate) fn hold_with_own_keys(&mut self, asked: Asked<'_>, mut keys: Vec<DbKey>) {
        keys.extend(self.cx.keys_of(asked.command, asked.args, asked.caller.db));
        self.hold_keys(asked, keys, 0);
    }

    fn each_shard(&self, change: impl Fn() -> WaitChange) -> Vec<WaitChange> {
        (0..self.cx.shards).map(|_| change()).collect()
    }
}
