//! Scripts that come in one turn and learn as they go: one operation, in which they run one after the other.
//!
//! They would follow each other in any case, for each holds the gates of all shards. As one operation they come to the shards once, with all keys
//! that are known of, and what one has brought is there for the next. They are published together, and are over together: to everybody else it is as if they
//! were one longer script.

use super::{Next, Open};
use crate::execute::{Asked, Caller};
use crate::message::{Ask, Message, OpId};
use crate::multi::hold;
use crate::parking::Parked;
use crate::script::ScriptSteps;
use crate::shard::Shard;
use crate::steps::Steps;
use crate::waiting::Waiters;
use command::change::DbKey;
use command::journal::Effects;
use command::pubsub::Publications;
use command::scripting::Form;
use command::spec::flag;
use command::watches::WatcherId;
use command::{Args, Command, OwnArgs, eviction};
use resp::Reply;
use std::collections::VecDeque;

/// Scripts of one operation; and keys that are asked for at once, after which no further script joins.
const SCRIPTS_MAX: usize = 32;
const KEYS_MAX: usize = 256;
/// An operation that has been under way for longer takes no further script, ns: those that are over wait for its end.
const LONG_NS: u64 = 5_000_000;

/// An operation that has not been published yet.
pub(crate) struct Gathering {
    op: OpId,
    command: &'static Command,
    watcher: WatcherId,
    /// What all of them are known to need.
    keys: Vec<DbKey>,
    scripts: usize,
    /// The connection of this shard that brought the last of them.
    conn: Option<usize>,
}

impl Gathering {
    fn has_room(&self) -> bool {
        self.scripts > 0 && self.scripts < SCRIPTS_MAX && self.keys.len() < KEYS_MAX
    }
}

/// A script that runs behind others.
pub(super) struct Follower {
    asked: Parked,
    steps: Box<dyn Steps>,
}

impl Open {
    /// An operation that begins with one script, or what else learns as it goes.
    fn new(asked: Parked, steps: Box<dyn Steps>, now_ns: u64) -> Self {
        Self {
            asked,
            steps,
            begun_ns: now_ns,
            first_ns: now_ns,
            followers: VecDeque::new(),
            answers: Vec::new(),
            now: None,
            others_now: (0, 0),
            keys: Vec::new(),
            used: Vec::new(),
            has_asked: false,
            aside: Vec::new(),
            changes: Vec::new(),
            effects: Effects::default(),
            published: Publications::default(),
            news: Vec::new(),
            missing: 0,
            next: Next::Begin,
            is_whole: false,
            is_touched: false,
            is_awaited: false,
            awaited: Vec::new(),
            is_told: false,
            reply: None,
        }
    }
}

impl Shard {
    /// What has come to its end makes room for the script behind it, if there is one and it may run in the same operation: the others are an
    /// operation of their own from here on if somebody waits for what this one may have changed, who comes first, or if it has taken long, for all
    /// get their replies when it ends.
    pub(super) fn takes_next(&mut self, open: &mut Open) -> bool {
        let now_ns = (self.cx.platform.clock_ns)();
        while open.followers.front().is_some_and(|next| self.has_gone(&next.asked)) {
            // Its client has been closed before it began.
            let Some(Follower { asked, .. }) = open.followers.pop_front() else { break };
            self.cx.scripts.note_given_up(Form::of(asked.command), asked.args.args(&self.cx.seed));
            let nothing = Reply::new(asked.caller.resp3);
            open.answers.push((asked, nothing));
        }
        if open.followers.is_empty() {
            return false;
        }
        // What had all shards to itself may have changed what others wait for anywhere.
        let is_awaited = open.is_awaited || open.is_whole || self.awaits_any(&open.keys);
        // Not behind the save with which the server ends: all that is answered is in that.
        if !self.cx.is_closed && (is_awaited || now_ns.saturating_sub(open.first_ns) > LONG_NS) {
            self.send_on(open);
            return false;
        }
        let Some(Follower { asked, steps }) = open.followers.pop_front() else { return false };
        let reply = open.reply.take().expect("it has come to its end");
        open.answers.push((std::mem::replace(&mut open.asked, asked), reply));
        open.steps = steps;
        open.begun_ns = now_ns;
        open.used.clear();
        open.has_asked = false;
        true
    }

    /// The script at hand gives others their turn. If it has run for long, it goes alone from now on: those before it wait for its end.
    pub(super) fn note_tick(&mut self, open: &Open) {
        let Parked { command, args, .. } = &open.asked;
        let begun_ns = open.begun_ns.max(open.first_ns);
        let is_long = (self.cx.platform.clock_ns)().saturating_sub(begun_ns) > LONG_NS;
        if is_long && command.flags & flag::SCRIPT != 0 {
            let seed = self.cx.seed.clone();
            self.cx.scripts.note_long(Form::of(command), args.args(&seed));
        }
    }

    /// Whether the client of this shard that has asked for it is gone.
    fn has_gone(&self, asked: &Parked) -> bool {
        let is_client = asked.home == self.cx.id && matches!(asked.ask, Ask::Whole(_));
        is_client && !self.is_alive(asked.home, asked.ask)
    }

    /// Whether clients wait for any of these keys, as far as they are of this shard.
    pub(super) fn awaits_any(&self, keys: &[DbKey]) -> bool {
        self.waiters_of_any(keys.iter().map(|(db, key)| (*db, &key[..]))) != Waiters::Nobody
    }

    /// The scripts that have not run come to the shards anew, with the keys that are here. Nobody knows of them yet; and of their connections nothing
    /// has come behind them.
    fn send_on(&mut self, open: &mut Open) {
        self.send_gathered();
        let publication = self.outgoing.publications + 1;
        for follower in &open.followers {
            if let Some(index) = self.conn_of(&follower.asked)
                && let Ask::Whole(ticket) = follower.asked.ask
                && self.conns[index].tracker.is_on
            {
                self.conns[index].asks_from(publication, ticket.seq);
            }
        }
        let scripts = open.followers.len();
        let Some(Follower { asked, steps }) = open.followers.pop_front() else { return };
        let op = self.next_op();
        let command = asked.command;
        let mut rest = Open::new(asked, steps, (self.cx.platform.clock_ns)());
        rest.followers = std::mem::take(&mut open.followers);
        self.opens.insert(op, Box::new(rest));
        // What is lacking then is asked for.
        let keys = open.keys.iter().take(KEYS_MAX).cloned().collect();
        self.gathering = Some(Gathering { op, command, watcher: 0, keys, scripts, conn: None });
    }

    /// Has an operation come to all shards at the end of this turn; it begins when `keys` are here.
    pub(crate) fn start_open(&mut self, asked: Asked<'_>, mut keys: Vec<DbKey>, steps: Box<dyn Steps>) {
        let is_script = asked.command.flags & flag::SCRIPT != 0;
        let goes_together = is_script && !self.cx.scripts.take_run_alone(Form::of(asked.command), asked.args);
        // Who has gone left its number to others.
        let conn = asked.caller.conn.filter(|_| self.is_alive(asked.home, asked.ask));
        if is_script {
            self.cx.scripts.note_begun(Form::of(asked.command), asked.args);
        }
        if let Some(gathering) = self.gathering.as_mut().filter(|it| goes_together && it.has_room()) {
            gathering.keys.append(&mut keys);
            gathering.scripts += 1;
            gathering.conn = conn;
            let open = self.opens.get_mut(&gathering.op).expect("it has begun in this turn");
            open.followers.push_back(Follower { asked: asked.parked(), steps });
            return;
        }
        self.send_gathered();
        let op = self.next_op();
        let (command, watcher) = (asked.command, hold::watcher_of(&asked));
        let open = Open::new(asked.parked(), steps, (self.cx.platform.clock_ns)());
        self.opens.insert(op, Box::new(open));
        let scripts = usize::from(goes_together);
        self.gathering = Some(Gathering { op, command, watcher, keys, scripts, conn });
        if !goes_together {
            self.send_gathered();
        }
    }

    /// Puts the operation that has been gathered into the batches of this turn.
    #[cold]
    pub(crate) fn send_gathered(&mut self) {
        let Some(Gathering { op, command, watcher, mut keys, .. }) = self.gathering.take() else { return };
        keys.sort();
        keys.dedup();
        let open = &self.opens[&op];
        let (db, resp3) = (open.asked.caller.db, open.asked.caller.resp3);
        for shard in 0..self.cx.shards as usize {
            let batch = self.batch_for(shard);
            let first = batch.spans.len();
            batch.push(command, Ask::Open(op), (db, resp3), first);
        }
        // The gate here is waited for, too: while the operation runs, its keys are in this shard's keyspace.
        let missing = 1 + self.ask_owners(op, command, watcher, &keys);
        self.opens.get_mut(&op).expect("seen above").missing = missing;
        self.outgoing.exclusive = true;
    }

    /// A script of a client of this shard, to run as an operation that learns as it goes.
    pub(crate) fn start_learning(
        &mut self,
        conn: usize,
        command: &'static Command,
        args: Args<'_>,
        keys: Vec<DbKey>,
    ) {
        if let Err(error) = eviction::before(&mut self.cx, command) {
            return self.reject(conn, command, &error);
        }
        let ask = Ask::Whole(self.expect(conn));
        let caller = Caller::of(conn, &self.conns[conn]);
        // Whatever the connection sends next goes behind this by the same way.
        self.conns[conn].through_own_mailbox += 1;
        let asked = Asked { home: self.cx.id, ask, command, caller, args };
        if let Some(error) = self.refusal_of_many(command, |_| true) {
            return self.refuse_asked(&asked, &error);
        }
        let steps = ScriptSteps::new(command, OwnArgs::of(args), caller.db, caller.resp3);
        self.start_open(asked, keys, Box::new(steps));
    }

    /// Tells the client's shard of a script that has turned out to learn as it goes.
    pub(crate) fn tell_learning(&mut self, home: u16, news: Option<(Form, Vec<u8>)>) {
        if let Some((form, name)) = news.filter(|_| home != self.cx.id) {
            self.outgoing.posts.push((home.into(), Message::Learns { form, name }));
        }
    }

    /// Whether a command of the connection is a script that goes together with others: with those before it, behind which it runs whatever it needs; or, if it
    /// is known to learn, with those behind it.
    pub(crate) fn joins_or_begins(&mut self, conn: usize, command: &Command, args: Args<'_>) -> bool {
        if command.flags & flag::SCRIPT == 0 {
            return false;
        }
        let joins = self.is_gathering_for(conn);
        if !joins && self.repeating != Some(conn) {
            return false;
        }
        self.cx.scripts.take_run_together(Form::of(command), args) || joins
    }

    /// Whether the connection's last script has been gathered, and one more may join it: nothing else of the connection may come now.
    pub(crate) fn is_gathering_for(&self, conn: usize) -> bool {
        self.gathering.as_ref().is_some_and(|it| it.conn == Some(conn) && it.has_room())
    }
}
