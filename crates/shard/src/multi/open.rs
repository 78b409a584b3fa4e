//! Operations that learn only while they run which keys they need (scripts, SORT BY in a transaction), seen from the shard where
//! they run: `gates` tells how they come to all shards, and why they may ask for more.
//!
//! Keys they hold are brought here, and are in no keyspace while the operation waits for others. What concerns a whole keyspace
//! (KEYS, DBSIZE, FLUSHALL …) runs where the keys are: each shard is left alone for it first. Scripts of one turn are one operation (`together`).

mod keys;
mod parts;
mod rounds;
mod together;

pub(crate) use together::Gathering;

use crate::block;
use crate::blocking::WaitChange;
use crate::execute::{self, Caller};
use crate::gates::Want;
use crate::message::{Ask, Held, Message, OpId, Work};
use crate::multi::rounds::Answers;
use crate::parking::Parked;
use crate::shard::Shard;
use crate::steps::{Call, Step, Steps};
use crate::timing;
use crate::waiting::Waiters;
use command::change::{Change, DbKey};
use command::journal::Effects;
use command::pubsub::Publications;
use command::rounds::Merge;
use command::scripting::{Form, USED_MAX};
use command::spec::flag;
use command::tracking::{News, Tracker};
use command::{OwnArgs, Plan};
use resp::Reply;
use std::collections::VecDeque;
use together::Follower;

pub(crate) struct Open {
    asked: Parked,
    steps: Box<dyn Steps>,
    /// When it came (monotonic ns), or what is at hand of it began.
    begun_ns: u64,
    /// When the first of its scripts began to run.
    first_ns: u64,
    /// Scripts that came with it and run behind it, and those that are over, whose replies leave together.
    followers: VecDeque<Follower>,
    answers: Vec<(Parked, Reply)>,
    /// The shard's clocks when it began to run: to the operation time stands still. Meanwhile, what they say to others.
    now: Option<(u64, u64)>,
    others_now: (u64, u64),
    /// Keys that are locked for it and here, ascending.
    keys: Vec<DbKey>,
    /// Keys that its scripts have used, and whether it had to ask for some.
    used: Vec<Vec<u8>>,
    has_asked: bool,
    /// Entries that are in no keyspace while it waits.
    aside: Vec<Held>,
    /// What has happened to keys of other shards, in order.
    changes: Vec<Change>,
    /// What has been done so far to keys, or whole databases, of all shards.
    effects: Effects,
    /// What it has published: nobody hears of it before it is over.
    published: Publications,
    /// What has to be told of own keys and of flushes, behind the reply.
    news: Vec<News>,
    /// Messages still to come.
    missing: usize,
    next: Next,
    /// All shards are left alone to it.
    is_whole: bool,
    /// A key has changed that its client watches.
    is_touched: bool,
    /// Clients wait for a key of another shard that is here.
    is_awaited: bool,
    /// The shards where operations wait for keys that it has, or has had.
    awaited: Vec<u16>,
    /// All shards know that it has run for too long.
    is_told: bool,
    /// To what is at hand, once it is over.
    reply: Option<Reply>,
}

/// What is to be done when nothing is missing any more.
enum Next {
    Begin,
    /// The command at hand, for which something was missing.
    Call,
    /// Its parts have come back from the shards.
    Merge {
        args: Option<OwnArgs>,
        parts: Vec<Reply>,
    },
    /// A round of it has been answered.
    Answers {
        merge: Box<dyn Merge>,
        answers: Answers,
    },
    /// Time has passed.
    Go,
}

enum Tried {
    Replied,
    /// These keys must come here first.
    Lacks(Vec<DbKey>),
    /// All shards must be left alone first.
    LacksWhole,
    /// The shards run their parts.
    Parts,
}

impl Shard {
    /// Something has come for an operation that runs here.
    pub(crate) fn on_granted_open(
        &mut self,
        op: OpId,
        from: u16,
        held: Vec<Held>,
        (is_touched, waiters): (bool, Waiters),
    ) {
        let open = self.opens.get_mut(&op).expect("what comes belongs to operations under way");
        open.aside.extend(held);
        open.is_touched |= is_touched;
        open.is_awaited |= waiters != Waiters::Nobody;
        waiters.note(from, &mut open.awaited);
        open.missing -= 1;
        if open.missing == 0 {
            self.may_proceed.push_back(op);
        }
    }

    /// A shard has run its part of a command for all.
    pub(crate) fn on_stepped(&mut self, op: OpId, from: u16, reply: Reply, effects: &Effects) {
        let open = self.opens.get_mut(&op).expect("what comes belongs to operations under way");
        open.effects.append(effects);
        let Next::Merge { parts, .. } = &mut open.next else { unreachable!("it waits for parts") };
        parts[from as usize] = reply;
        open.missing -= 1;
        if open.missing == 0 {
            self.may_proceed.push_back(op);
        }
    }

    /// Goes on with the operations that can. To be called after whatever may have brought them something.
    #[inline]
    pub(crate) fn proceed(&mut self) {
        while self.busy.is_none()
            && let Some(op) = self.may_proceed.pop_front()
        {
            self.proceed_with(op);
        }
    }

    #[cold]
    fn proceed_with(&mut self, op: OpId) {
        self.tell_changes();
        timing::begin_chunk(&mut self.cx);
        let mut open = self.opens.remove(&op).expect("operations under way are known");
        self.bring_in(&mut open);
        let mut reply = Reply::default();
        if matches!(open.next, Next::Begin) {
            open.first_ns = (self.cx.platform.clock_ns)();
        }
        let mut step = match std::mem::replace(&mut open.next, Next::Go) {
            Next::Begin if open.is_touched => {
                let mut out = Reply::new(open.asked.caller.resp3);
                out.null_array();
                Step::Done(out)
            }
            Next::Begin | Next::Go => self.resume_steps(&mut open, None),
            Next::Call => Step::Call,
            Next::Merge { args, parts } => {
                self.merge_open(&open, args, &parts, &mut reply);
                self.resume_steps(&mut open, Some(&reply))
            }
            Next::Answers { merge, answers } => {
                match self.merge_round_open(op, &mut open, merge, answers, &mut reply) {
                    true => self.resume_steps(&mut open, Some(&reply)),
                    false => {
                        self.keep(op, open);
                        return self.proceed_if_complete(op);
                    }
                }
            }
        };
        loop {
            match step {
                Step::Tick => {
                    let overdue = open.steps.overdue().filter(|_| !open.is_told);
                    open.is_told |= overdue.is_some();
                    open.next = Next::Go;
                    self.note_tick(&open);
                    self.set_aside(&mut open);
                    let client = open.asked.client();
                    self.keep(op, open);
                    self.ticked.push(op);
                    if let Some(is_function) = overdue {
                        self.tell_occupied(op, is_function, client);
                    }
                    return;
                }
                Step::Done(out) => {
                    self.end_at_hand(op, &mut open, out);
                    if !self.takes_next(&mut open) {
                        return self.end_open(op, open);
                    }
                    // To each of them it is the time at which it begins.
                    (self.cx.now_ms, self.cx.now_us) = open.others_now;
                    open.now = Some(open.others_now);
                    step = self.resume_steps(&mut open, None);
                    continue;
                }
                Step::Call => {}
            }
            reply.clear();
            match self.try_call(op, &mut open, &mut reply) {
                Tried::Replied => step = self.resume_steps(&mut open, Some(&reply)),
                Tried::Lacks(keys) => return self.wait_for_keys(op, open, keys),
                Tried::LacksWhole => return self.wait_for_whole(op, open),
                Tried::Parts => {
                    self.keep(op, open);
                    return self.proceed_if_complete(op);
                }
            }
        }
    }

    /// The operation waits. What it has to tell waits with it.
    fn keep(&mut self, op: OpId, mut open: Box<Open>) {
        open.news.extend(self.cx.tracking.take_news());
        self.opens.insert(op, open);
    }

    /// Has the steps go on among the keys that are here: a script that begins may evict some of them.
    fn resume_steps(&mut self, open: &mut Open, reply: Option<&Reply>) -> Step {
        self.cx.guests.receive(std::mem::take(&mut open.keys));
        self.cx.set_listening();
        self.cx.journal.begin_gathering();
        let step = open.steps.resume(&mut self.cx, reply);
        open.effects.append(&self.cx.journal.end_gathering());
        let (keys, changes) = self.cx.guests.leave();
        self.cx.set_listening();
        open.keys = keys;
        open.changes.extend(changes);
        step
    }

    /// Operations that only gave others their turn go on.
    pub(crate) fn go_on(&mut self) {
        self.may_proceed.extend(self.ticked.drain(..));
        self.proceed();
    }

    fn proceed_if_complete(&mut self, op: OpId) {
        if self.opens[&op].missing == 0 {
            self.may_proceed.push_back(op);
        }
    }

    /// Runs the command at hand if all it needs is here.
    fn try_call(&mut self, op: OpId, open: &mut Open, out: &mut Reply) -> Tried {
        let seed = self.cx.seed.clone();
        let call = open.steps.call(&seed);
        match call.command.plan {
            Plan::All(..) | Plan::Rounds(_) | Plan::Cursor(_) if self.cx.shards > 1 => {
                if !open.is_whole {
                    return Tried::LacksWhole;
                }
                let args = OwnArgs::of(call.args);
                let (command, db, resp3) = (call.command, call.db, call.resp3);
                if let Plan::Rounds(rounds) = command.plan {
                    let caller = Caller { admitted: true, ..Caller::elsewhere(db, resp3) };
                    let work = |shard| (shard, Work::FirstAlone(command, OwnArgs::of(args.args(&seed))));
                    let works = (0..self.cx.shards).map(work).collect();
                    self.start_round_open(op, open, works, (rounds.merge)(), caller);
                    return Tried::Parts;
                }
                return self.start_steps(op, open, command, args, (db, resp3), out);
            }
            _ => {}
        }
        let mut keys = self.cx.keys_of(call.command, call.args, call.db);
        if open.asked.command.flags & flag::SCRIPT != 0 {
            for (_, key) in &keys {
                if open.used.len() < USED_MAX && !open.used.contains(key) {
                    open.used.push(key.clone());
                }
            }
        }
        keys.retain(|key| open.keys.binary_search(key).is_err());
        self.take_own(op, &mut keys, &mut open.keys);
        if !keys.is_empty() {
            return Tried::Lacks(keys);
        }
        self.cx.in_script = open.steps.in_script();
        let published = self.cx.pubsub.outbox.len();
        let is_of_all = matches!(call.command.plan, Plan::All(..));
        self.cx.journal.begin_gathering();
        let needed = self.call_among(&open.asked, &mut open.keys, &mut open.changes, call, out);
        open.effects.append(&self.cx.journal.end_gathering());
        if is_of_all {
            // There is only this shard, which others may use before the operation is over: what it has done to all keys has its place here.
            self.add_together(&std::mem::take(&mut open.effects));
        }
        self.cx.pubsub.take_since(published, &mut open.published);
        self.cx.in_script = None;
        match needed {
            None => Tried::Replied,
            Some(mut more) => {
                more.retain(|key| open.keys.binary_search(key).is_err());
                Tried::Lacks(more)
            }
        }
    }

    /// Runs one command among the keys that are here for it.
    fn call_among(
        &mut self,
        asked: &Parked,
        keys: &mut Vec<DbKey>,
        changes: &mut Vec<Change>,
        call: Call<'_>,
        out: &mut Reply,
    ) -> Option<Vec<DbKey>> {
        let conn = self.conn_of(asked);
        self.cx.guests.receive(std::mem::take(keys));
        self.cx.set_listening();
        let elsewhere = Caller::elsewhere(call.db, call.resp3);
        let tracker = block::tracker_now(&self.cx, conn, asked.caller.tracker);
        let caller = Caller { conn, admitted: true, tracker, ..elsewhere };
        self.cx.tracking.caller = tracker;
        let needed = match call.command.plan {
            // There is only this shard, or its parts would run elsewhere.
            Plan::All(_, merge) => {
                block::run_all(&mut self.cx, call.command, merge, call.args, caller, out);
                None
            }
            _ => execute::run_inside(&mut self.cx, call.command, call.args, caller, out),
        };
        self.cx.tracking.caller = Tracker::NOBODY;
        let (back, new) = self.cx.guests.leave();
        self.cx.set_listening();
        *keys = back;
        changes.extend(new);
        needed
    }

    /// Has keys come here that the command at hand needs.
    fn wait_for_keys(&mut self, op: OpId, mut open: Box<Open>, mut lacking: Vec<DbKey>) {
        self.set_aside(&mut open);
        lacking.sort();
        lacking.dedup();
        let mut by_shard: Vec<Vec<DbKey>> = (0..self.cx.shards).map(|_| Vec::new()).collect();
        lacking.into_iter().for_each(|key| by_shard[self.cx.slots.shard_of(&key.1) as usize].push(key));
        open.missing = by_shard.iter().filter(|keys| !keys.is_empty()).count();
        open.next = Next::Call;
        open.has_asked = true;
        assert!(open.missing > 0, "a command says that it lacks keys only if it does");
        self.keep(op, open);
        for (shard, keys) in by_shard.into_iter().enumerate().filter(|(_, keys)| !keys.is_empty()) {
            self.send_want(shard, op, Want::Keys { keys, watcher: 0 });
        }
    }

    /// Has all shards left alone.
    fn wait_for_whole(&mut self, op: OpId, mut open: Box<Open>) {
        self.set_aside(&mut open);
        open.missing = self.cx.shards as usize;
        open.next = Next::Call;
        (open.is_whole, open.has_asked) = (true, true);
        self.keep(op, open);
        (0..self.cx.shards as usize).for_each(|shard| self.send_want(shard, op, Want::Whole));
    }

    fn send_want(&mut self, shard: usize, op: OpId, want: Want) {
        let home = self.cx.id;
        if shard == home as usize {
            return self.want(home, op, want);
        }
        self.outgoing.posts.push((shard, Message::Want { home, op, want }));
    }

    /// What is at hand of an operation has come to its end.
    fn end_at_hand(&mut self, op: OpId, open: &mut Open, out: Reply) {
        if std::mem::take(&mut open.is_told) {
            self.tell_vacant(op);
        }
        let conn = self.conn_of(&open.asked);
        let Parked { home, ask, command, caller, args } = &open.asked;
        let seed = self.cx.seed.clone();
        let args = args.args(&seed);
        if let Some(nanos) =
            timing::end(&mut self.cx, command, args, Some(open.begun_ns), caller.counts, None)
        {
            self.cx.note_use(command, args, nanos, out.len());
        }
        self.tell_slow(*home, *ask);
        if command.flags & flag::SCRIPT != 0 {
            self.cx.scripts.note_keys_learned(Form::of(command), args, &open.used, open.has_asked);
        }
        if matches!(command.plan, Plan::Block) {
            self.end_block(conn);
        }
        open.reply = Some(out);
    }

    /// The operation is over: its keys go home, all gates are free, and the clients get their replies.
    fn end_open(&mut self, op: OpId, mut open: Box<Open>) {
        let own = self.waiters_of_any(open.keys.iter().map(|(db, key)| (*db, &key[..])));
        own.note(self.cx.id, &mut open.awaited);
        let answered = open.answers.iter().map(|(asked, _)| asked).chain([&open.asked]);
        let clients = answered.filter_map(|asked| asked.ask.client(asked.home));
        let settling = self.begin_settling(std::mem::take(&mut open.awaited), clients);
        self.set_aside(&mut open);
        self.add_together(&open.effects);
        self.cx.pubsub.outbox.append(&open.published, 0);
        let returned = self.by_owner(&mut open);
        let client = open.asked.client();
        // First the replies: what makes them out of date must come behind them. The keys are locked until they are home.
        let earlier = open.answers.into_iter();
        let mut clients = Vec::with_capacity(earlier.len());
        for (asked, out) in earlier {
            clients.push(asked.client());
            self.answer(asked.home, asked.ask, asked.command, out);
        }
        let Parked { home, ask, command, .. } = open.asked;
        self.answer(home, ask, command, open.reply.take().expect("it has come to its end"));
        self.cx.tracking.put_back(open.news);
        let home = self.cx.id;
        for (shard, (keys, changes)) in returned.into_iter().enumerate() {
            let (wait, clients) = (WaitChange::None, settling.clients_at(shard as u16));
            if shard == home as usize {
                self.on_release(home, op, (keys, changes), wait, clients);
            } else {
                self.outgoing
                    .posts
                    .push((shard, Message::Release { home, op, keys, changes, wait, clients }));
            }
        }
        clients.into_iter().chain([client]).for_each(|client| self.go_on_behind_script(client));
    }

    /// The connection of an operation's client, if it is on this shard and still there.
    pub(crate) fn conn_of(&self, asked: &Parked) -> Option<usize> {
        match asked.ask {
            Ask::Whole(ticket) if self.is_alive(asked.home, asked.ask) => Some(ticket.conn as usize),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
