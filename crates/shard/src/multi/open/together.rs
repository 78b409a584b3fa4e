//! Scripts that come in one turn and learn as they go: one operation, in which they run one after the other.
//!
//! They would follow each other in any case, for each holds the gates of all shards. As one operation they come to the shards once, with all keys
//! that are known of, and what one has brought is there for the next. They are published together, and are over together: to everybody else it is as if they
//! were one longer script.

use super::{Next, Open};
use crate::execute::{Asked, Caller};
use crate::message::Ask;
use crate::multi::hold;
use crate::parking::Parked;
use crate::script::ScriptSteps;
use crate::shard::Shard;
use crate::steps::Steps;
use command::change::DbKey;
use command::journal::Effects;
use command::pubsub::Publications;
use command::scripting::Form;
use command::spec::flag;
use command::watches::WatcherId;
use command::{Args, Command, OwnArgs, eviction};
use std::collections::VecDeque;

/// Scripts of one operation; and keys that are asked for at once, after which no further script joins.
const SCRIPTS_MAX: usize = 32;
const KEYS_MAX: usize = 256;

/// An operation that has not been published yet.
pub(crate) struct Gathering {
    op: u64,
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
    /// What has come to its end makes room for the script behind it, if there is one.
    pub(super) fn takes_next(&mut self, now_ns: u64) -> bool {
        let Some(Follower { asked, steps }) = self.followers.pop_front() else { return false };
        let reply = self.reply.take().expect("it has come to its end");
        self.answers.push((std::mem::replace(&mut self.asked, asked), reply));
        self.steps = steps;
        self.begun_ns = now_ns;
        self.used.clear();
        self.has_asked = false;
        true
    }
}

impl Shard {
    /// Has an operation come to all shards at the end of this turn; it begins when `keys` are here.
    pub(crate) fn start_open(&mut self, asked: Asked<'_>, mut keys: Vec<DbKey>, steps: Box<dyn Steps>) {
        let is_script = asked.command.flags & flag::SCRIPT != 0;
        let conn = asked.caller.conn.filter(|_| asked.home == self.cx.id);
        if is_script {
            self.cx.scripts.note_begun(Form::of(asked.command), asked.args);
        }
        if let Some(gathering) = self.gathering.as_mut().filter(|it| is_script && it.has_room()) {
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
        let open = Open {
            asked: asked.parked(),
            steps,
            begun_ns: (self.cx.platform.clock_ns)(),
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
            is_told: false,
            reply: None,
        };
        self.opens.insert(op, Box::new(open));
        let scripts = usize::from(is_script);
        self.gathering = Some(Gathering { op, command, watcher, keys, scripts, conn });
        if !is_script {
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

    /// Whether a command of the connection is a script that goes together with others: with those before it, behind which it runs whatever it needs; or, if it
    /// is known to learn, with those behind it.
    pub(crate) fn goes_together(&mut self, conn: usize, command: &Command, args: Args<'_>) -> bool {
        let joins = self.is_gathering_for(conn);
        if command.flags & flag::SCRIPT == 0 || !joins && self.repeating != Some(conn) {
            return false;
        }
        self.cx.scripts.is_to_go_together(Form::of(command), args) || joins
    }

    /// Whether the connection's last script has been gathered, and one more may join it: nothing else of the connection may come now.
    pub(crate) fn is_gathering_for(&self, conn: usize) -> bool {
        self.gathering.as_ref().is_some_and(|it| it.conn == Some(conn) && it.has_room())
    }
}
