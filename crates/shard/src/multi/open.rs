//! Operations that learn only while they run which keys they need (scripts, SORT BY in a transaction), seen from the shard where
//! they run: `gates` tells how they come to all shards, and why they may ask for more.
//!
//! Keys they hold are brought here, and are in no keyspace while the operation waits for others. What concerns a whole keyspace
//! (KEYS, DBSIZE, FLUSHALL …) runs where the keys are: each shard is left alone for it first.

mod rounds;

use crate::block;
use crate::blocking::WaitChange;
use crate::execute::{self, Asked, Caller};
use crate::gates::Want;
use crate::message::{Ask, Held, Message, OpId, Work};
use crate::multi;
use crate::multi::rounds::Answers;
use crate::parking::Parked;
use crate::prepare::prepared;
use crate::shard::Shard;
use crate::steps::{Call, Step, Steps};
use crate::timing;
use command::change::{Change, DbKey};
use command::journal::Effects;
use command::pubsub::Publications;
use command::rounds::Merge;
use command::spec::flag;
use command::tracking::{News, Tracker};
use command::{Command, Error, OwnArgs, Plan};
use resp::Reply;

pub(crate) struct Open {
    asked: Parked,
    steps: Box<dyn Steps>,
    /// When it came (monotonic ns).
    begun_ns: u64,
    /// The shard's clocks when it began to run: to the operation time stands still. Meanwhile, what they say to others.
    now: Option<(u64, u64)>,
    others_now: (u64, u64),
    /// Keys that are locked for it and here, ascending.
    keys: Vec<DbKey>,
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
    /// All shards know that it has run for too long.
    is_told: bool,
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
    /// Has an operation come to all shards; it begins when `keys` are here.
    pub(crate) fn start_open(&mut self, asked: Asked<'_>, mut keys: Vec<DbKey>, steps: Box<dyn Steps>) {
        keys.sort();
        keys.dedup();
        let op = self.next_op();
        for shard in 0..self.cx.shards as usize {
            let batch = self.batch_for(shard);
            let first = batch.spans.len();
            batch.push(asked.command, Ask::Open(op), (asked.caller.db, asked.caller.resp3), first);
        }
        let watcher = super::hold::watcher_of(&asked);
        // The gate here is waited for, too: while the operation runs, its keys are in this shard's keyspace.
        let missing = 1 + self.ask_owners(op, asked.command, watcher, &keys);
        self.outgoing.exclusive = true;
        let open = Open {
            asked: asked.parked(),
            steps,
            begun_ns: (self.cx.platform.clock_ns)(),
            now: None,
            others_now: (0, 0),
            keys: Vec::new(),
            aside: Vec::new(),
            changes: Vec::new(),
            effects: Effects::default(),
            published: Publications::default(),
            news: Vec::new(),
            missing,
            next: Next::Begin,
            is_whole: false,
            is_touched: false,
            is_told: false,
        };
        self.opens.insert(op, Box::new(open));
    }

    /// Something has come for an operation that runs here.
    pub(crate) fn on_granted_open(&mut self, op: OpId, held: Vec<Held>, is_touched: bool) {
        let open = self.opens.get_mut(&op).expect("what comes belongs to operations under way");
        open.aside.extend(held);
        open.is_touched |= is_touched;
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
                    self.set_aside(&mut open);
                    let client = open.asked.client();
                    self.keep(op, open);
                    self.ticked.push(op);
                    if let Some(is_function) = overdue {
                        self.tell_occupied(op, is_function, client);
                    }
                    return;
                }
                Step::Done(out) => return self.end_open(op, open, out),
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
        open.is_whole = true;
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

    /// Has the shards run their parts of a command, all keys being where they belong.
    fn start_steps(
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

    fn merge_open(&mut self, open: &Open, args: Option<OwnArgs>, parts: &[Reply], out: &mut Reply) {
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

    /// Puts the keys that are here for the operation into the keyspace; it is the time at which it began, again.
    fn bring_in(&mut self, open: &mut Open) {
        open.others_now = (self.cx.now_ms, self.cx.now_us);
        (self.cx.now_ms, self.cx.now_us) = *open.now.get_or_insert(open.others_now);
        for held in open.aside.drain(..) {
            open.keys.push((held.db, held.key.clone()));
            self.put_back(held);
        }
        open.keys.sort();
        open.keys.dedup();
    }

    /// Takes them out while the operation waits, and sets the clocks right.
    fn set_aside(&mut self, open: &mut Open) {
        for (db, key) in open.keys.drain(..) {
            let (held, is_over) = self.take_out(db, key);
            if is_over {
                self.cx.add_gone(&mut open.effects, held.db, &held.key);
                self.tell_expired(&held, &mut open.changes);
            }
            open.aside.push(held);
        }
        (self.cx.now_ms, self.cx.now_us) = open.others_now;
    }

    /// Sends the keys home, where they stay locked.
    fn return_keys(&mut self, open: &mut Open) {
        self.set_aside(open);
        for (shard, (keys, changes)) in self.by_owner(open).into_iter().enumerate() {
            if shard == self.cx.id as usize {
                self.on_return(keys, changes);
            } else if !keys.is_empty() {
                self.outgoing.posts.push((shard, Message::Return { keys, changes }));
            }
        }
    }

    /// Keys of this shard come home from an operation that goes on; they stay locked.
    pub(crate) fn on_return(&mut self, keys: Vec<Held>, changes: Vec<Change>) {
        self.come_home(keys, changes);
    }

    fn by_owner(&self, open: &mut Open) -> Vec<(Vec<Held>, Vec<Change>)> {
        let mut back: Vec<(Vec<Held>, Vec<Change>)> =
            (0..self.cx.shards).map(|_| Default::default()).collect();
        for held in open.aside.drain(..) {
            back[self.cx.slots.shard_of(&held.key) as usize].0.push(held);
        }
        for change in open.changes.drain(..) {
            back[self.cx.slots.shard_of(&change.key) as usize].1.push(change);
        }
        back
    }

    /// The operation is over: its keys go home, all gates are free, and the client gets its reply.
    fn end_open(&mut self, op: OpId, mut open: Box<Open>, out: Reply) {
        if open.is_told {
            self.tell_vacant(op);
        }
        self.set_aside(&mut open);
        self.add_together(&open.effects);
        self.cx.pubsub.outbox.append(&open.published, 0);
        let returned = self.by_owner(&mut open);
        let (conn, client) = (self.conn_of(&open.asked), open.asked.client());
        let Parked { home, ask, command, caller, args } = open.asked;
        let seed = self.cx.seed.clone();
        let args = args.args(&seed);
        if let Some(nanos) =
            timing::end(&mut self.cx, command, args, Some(open.begun_ns), caller.counts, None)
        {
            self.cx.note_use(command, args, nanos, out.len());
        }
        self.tell_slow(home, ask);
        if matches!(command.plan, Plan::Block) {
            self.end_block(conn);
        }
        // First the reply: what makes it out of date must come behind it. The keys are locked until they are home.
        self.answer(home, ask, command, out);
        self.cx.tracking.put_back(open.news);
        let home = self.cx.id;
        for (shard, (keys, changes)) in returned.into_iter().enumerate() {
            if shard == home as usize {
                self.on_release(home, op, keys, changes, WaitChange::None);
            } else {
                let wait = WaitChange::None;
                self.outgoing.posts.push((shard, Message::Release { home, op, keys, changes, wait }));
            }
        }
        self.go_on_behind_script(client);
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
mod tests {
    use super::*;
    use crate::trial::{Trial, request};
    use base::hash::HashSeed;
    use command::ShardCx;

    /// Runs these commands one after the other, and answers with all replies.
    struct Walk {
        calls: Vec<Vec<String>>,
        at: usize,
        own: OwnArgs,
        out: Reply,
        ticks: bool,
    }

    impl Walk {
        fn new(calls: &[&[&str]]) -> Self {
            let calls = calls.iter().map(|call| call.iter().map(|word| (*word).to_owned()).collect());
            let own = OwnArgs::of_words(Vec::new());
            Self { calls: calls.collect(), at: 0, own, out: Reply::default(), ticks: false }
        }
    }

    impl Steps for Walk {
        fn resume(&mut self, _cx: &mut ShardCx, reply: Option<&Reply>) -> Step {
            if let Some(reply) = reply {
                self.out.append_part(reply, 0..reply.buf.len());
                self.at += 1;
                self.ticks = true;
                return Step::Tick;
            }
            self.ticks = false;
            let Some(words) = self.calls.get(self.at) else {
                return Step::Done(std::mem::take(&mut self.out));
            };
            self.own = OwnArgs::of_words(words.iter().map(|word| word.clone().into_bytes()).collect());
            Step::Call
        }

        fn call<'a>(&'a self, seed: &'a HashSeed) -> Call<'a> {
            let command = command::lookup(self.calls[self.at][0].as_bytes()).expect("a command");
            Call { command, args: self.own.args(seed), db: 0, resp3: false }
        }
    }

    fn start(trial: &mut Trial, conn: usize, keys: &[&str], calls: &[&[&str]]) {
        let shard = &mut trial.shards[0];
        let ask = Ask::Whole(shard.expect(conn));
        shard.conns[conn].through_own_mailbox += 1;
        let own = OwnArgs::of_words(vec![b"SORT".to_vec(), b"x".to_vec()]);
        let (seed, caller) = (shard.cx.seed.clone(), Caller::of(conn, &shard.conns[conn]));
        let command = command::lookup(b"sort").expect("a command");
        let asked = Asked { home: 0, ask, command, caller, args: own.args(&seed) };
        let keys = keys.iter().map(|key| (0, key.as_bytes().to_vec())).collect();
        shard.start_open(asked, keys, Box::new(Walk::new(calls)));
        trial.publish(0);
    }

    #[test]
    fn keys_of_all_shards_come_as_they_are_needed() {
        let mut trial = Trial::new(4);
        let conn = trial.connect();
        let keys: Vec<_> = (0..8).map(|n| trial.key_on(n % 4, &format!("k{n}-"))).collect();
        for key in &keys[..4] {
            trial.ask(conn, &request(&["SET", key, "1"]));
        }
        let (k, more) = (&keys, ["x", "y"]);
        start(
            &mut trial,
            conn,
            &[&k[1]],
            &[
                &["INCR", &k[0]],
                &["INCR", &k[1]],
                &["RENAME", &k[2], &k[7]],
                &["DBSIZE"],
                &["INCR", &k[3]],
                &["GET", &k[7]],
                &["SADD", &k[6], more[0], more[1]],
                &["SCAN", "0"],
                &["MGET", &k[0], &k[1], &k[2], &k[3], &k[7]],
                &["LPUSH", &k[7], "wrong"],
            ],
        );
        trial.settle();
        let replies = String::from_utf8(trial.take_replies(conn)).expect("text");
        assert!(replies.starts_with(":2\r\n:2\r\n+OK\r\n:4\r\n:2\r\n$1\r\n1\r\n:2\r\n*2\r\n"), "{replies}");
        let end = "*5\r\n$1\r\n2\r\n$1\r\n2\r\n$-1\r\n$1\r\n2\r\n$1\r\n1\r\n-WRONGTYPE Operation against a key holding the wrong kind of \
                   value\r\n";
        assert!(replies.ends_with(end), "{replies}");
        assert_eq!(trial.ask(conn, &request(&["DBSIZE"])), b":5\r\n");
        assert_eq!(trial.ask(conn, &request(&["GET", &k[7]])), b"$1\r\n1\r\n");
    }

    /// Its client may go: it comes to its end all the same.
    #[test]
    fn an_operation_outlives_its_client() {
        for steps in 0..12 {
            let mut trial = Trial::new(3);
            let (conn, other) = (trial.connect_to(0, 1), trial.connect_to(1, 2));
            let keys: Vec<_> = (0..3).map(|n| trial.key_on(n, "k")).collect();
            let calls: Vec<_> = keys.iter().map(|key| ["INCR", key.as_str()]).collect();
            start(&mut trial, conn, &[], &calls.iter().map(|call| &call[..]).collect::<Vec<_>>());
            (0..steps).for_each(|_| _ = trial.deliver());
            trial.close(0, conn);
            trial.send_to(1, other, &request(&["MGET", &keys[0], &keys[1], &keys[2]]));
            trial.settle();
            let seen = trial.take_replies_of(1, other);
            assert_eq!(seen, b"*3\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n", "after {steps} messages");
        }
    }

    /// An operation ends on one shard a little later than on another. Who counts keys meanwhile waits there, and is not overtaken: it
    /// would count a key that was written after one that it has not counted.
    #[test]
    fn who_counts_keys_at_the_gate_is_not_overtaken() {
        let mut trial = Trial::new(3);
        let (conn, counter) = (trial.connect(), trial.connect_to(0, 2));
        let (early, late) = (trial.connect_to(1, 3), trial.connect_to(2, 4));
        let keys: Vec<_> = (0..3).map(|n| trial.key_on(n, "k")).collect();
        start(&mut trial, conn, &[], &[&["GET", &keys[1]], &["GET", &keys[0]]]);
        trial.send(counter, b"DBSIZE\r\n");
        while !trial.shards[0].opens.is_empty() {
            assert!(trial.deliver() || trial.go_on());
        }
        while trial.deliver_to(1) {}
        trial.send_to(1, early, &request(&["SET", &keys[1], "v"]));
        assert_eq!(trial.take_replies_of(1, early), b"+OK\r\n");
        trial.send_to(2, late, &request(&["SET", &keys[2], "v"]));
        trial.settle();
        assert_eq!(trial.take_replies(counter), b":0\r\n");
        assert_eq!(trial.take_replies_of(2, late), b"+OK\r\n");
    }

    /// A script that begins may have to make room: what goes then may be another shard's, which hears of it.
    #[test]
    fn what_is_evicted_when_a_script_begins_is_told_to_its_owner() {
        let mut trial = Trial::new(2);
        let (conn, watcher) = (trial.connect(), trial.connect_to(1, 2));
        let key = trial.key_on(1, "k");
        trial.ask(conn, &request(&["CONFIG", "SET", "maxmemory-policy", "allkeys-random"]));
        trial.ask(conn, &request(&["SET", &key, &"v".repeat(10_000)]));
        let ask = |trial: &mut Trial, words: &[&str]| {
            trial.send_to(1, watcher, &request(words));
            trial.settle();
            trial.take_replies_of(1, watcher)
        };
        assert_eq!(ask(&mut trial, &["WATCH", &key]), b"+OK\r\n");
        trial.shards[0].cx.limits.memory_bytes_max = 5000;
        let words = [&["MULTI"][..], &["EVAL", "return 1", "1", &key], &["EXEC"]];
        trial.ask(conn, &words.map(request).concat());
        assert_eq!(trial.ask(conn, &request(&["EXISTS", &key])), b":0\r\n");
        assert_eq!(ask(&mut trial, &["MULTI"]), b"+OK\r\n");
        assert_eq!(ask(&mut trial, &["EXEC"]), b"*-1\r\n");
    }

    /// Whatever the order in which mail is run, nobody sees a part of an operation, and all come to an end.
    #[test]
    fn operations_of_all_kinds_pass_each_other() {
        let mut trial = Trial::new(4);
        let conns: Vec<_> = (0..6).map(|_| trial.connect()).collect();
        let keys: Vec<_> = (0..4).map(|n| trial.key_on(n, "k")).collect();
        let all = [&keys[0][..], &keys[1], &keys[2], &keys[3]];
        for round in 0..50 {
            let text = round.to_string();
            let set: Vec<_> = all.iter().map(|key| ["SET", *key, &text]).collect();
            let mut calls: Vec<&[&str]> = set.iter().map(|call| &call[..]).collect();
            calls.rotate_left(round % 4);
            start(&mut trial, conns[0], &[], &calls);
            start(
                &mut trial,
                conns[1],
                &all[..round % 3],
                &[&["GET", all[3]], &["DBSIZE"], &["GET", all[2]]],
            );
            trial.send(conns[2], &request(&[&["MGET"], &all[..]].concat()));
            trial.send(conns[3], &request(&["SORT", all[1], "BY", "nosort", "GET", all[2]]));
            trial.send(conns[4], &request(&["SINTERSTORE", "none", all[0], all[1]]));
            trial.send(conns[5], &request(&["GET", all[round % 4]]));
            trial.settle();
            let seen = String::from_utf8(trial.take_replies(conns[2])).expect("text");
            let values: Vec<_> =
                seen.lines().filter(|line| !line.starts_with(['*', '$']) || *line == "$-1").collect();
            assert!(values.windows(2).all(|pair| pair[0] == pair[1]), "{seen}");
            conns.iter().for_each(|conn| drop(trial.take_replies(*conn)));
        }
    }
}
