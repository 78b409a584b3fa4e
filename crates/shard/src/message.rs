//! What travels between shards.
//!
//! Commands travel in batches: per loop turn and destination one [`Batch`] with the arguments' bytes in one arena. The
//! receiver writes the replies into the same batch and sends it back, so a forwarded command allocates nothing.

use crate::backlog::Behind;
use crate::blocking::{ClaimedCommand, WaitChange};
use crate::execute::Caller;
use crate::gates::Want;
use crate::multi;
use crate::occupants::Occupant;
use crate::pubsub::News;
use crate::tracking::Changes;
use crate::waiting::Waiters;
use base::hash::HashSeed;
use command::change::Change;
use command::journal::Effects;
use command::rounds::{Answer, Part};
use command::scripting::Form;
use command::shipping::Delivery;
use command::slowlog::Entry as SlowEntry;
use command::tracking::{ClientRef, Tracker};
use command::watches::WatcherId;
use command::{Args, Command, Error, OwnArgs, args};
use keyspace::walk::Moving;
use resp::reply::Blob;
use resp::{Reply, Span};
use std::ops::Range;

/// Where a reply belongs: the connection (index and generation, for connections come and go) and the place in its
/// order of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub conn: u32,
    pub generation: u32,
    pub seq: u64,
}

impl Ticket {
    /// The connection, which is one of shard `home`.
    pub fn client(self, home: u16) -> ClientRef {
        ClientRef { home, conn: self.conn, generation: self.generation }
    }
}

/// A multi-shard operation under way on its home shard.
pub type OpId = u64;

/// What is asked of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Run the command; the reply belongs to a connection.
    Whole(Ticket),
    /// Run this share of a split command; the reply is merged at home. With the number of the transaction, if it is to be written down
    /// as one; else 0.
    Share(OpId, u64),
    /// Run the all-shards part of the command; the reply is merged at home.
    Part(OpId),
    /// Lock the keys (the arguments are the keys) and send their entries home. If a transaction asks, the item's hash is the number
    /// of its watcher.
    Hold(OpId),
    /// An operation comes that will say later what it needs.
    Open(OpId),
    /// Run the command; nobody wants to know.
    Nobody,
}

impl Ask {
    /// Whether the command runs, or a part of it; else its keys are held for another shard.
    pub fn runs(self) -> bool {
        !matches!(self, Self::Hold(_) | Self::Open(_))
    }

    /// Whether the command is counted where this runs: the shares and parts of one are, where the first of them runs.
    #[inline]
    pub fn counts(self) -> bool {
        match self {
            Self::Share(number, _) => number & multi::LATER == 0,
            Self::Part(number) => number >> multi::SHARE_SHIFT == 0,
            Self::Whole(_) | Self::Hold(_) | Self::Open(_) => true,
            Self::Nobody => false,
        }
    }

    /// The client of shard `home` that waits for the reply.
    pub fn client(self, home: u16) -> Option<ClientRef> {
        match self {
            Self::Whole(ticket) => Some(ticket.client(home)),
            _ => None,
        }
    }

    /// Whether other shards may take part.
    pub fn is_of_many(self) -> bool {
        !matches!(self, Self::Whole(_))
    }
}

/// How far a command has come when its batch goes home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It waits for a lock or for keys of other shards.
    Under,
    /// It waits until there is something for it to do.
    Blocked,
    /// Its reply stands in [`Batch::replies`].
    Replied,
}

/// What an item says about its client.
pub mod mark {
    /// What it reads grows no younger by that (CLIENT NO-TOUCH).
    pub const NO_TOUCH: u8 = 1;
    /// It has tracking on, and the next two mean something.
    pub const TRACKS: u8 = 2;
    pub const TRACKS_READS: u8 = 4;
    pub const IS_DEAF: u8 = 8;
}

/// One command, or part of one, in a batch.
#[derive(Clone, Copy)]
pub struct Item {
    pub command: &'static Command,
    pub ask: Ask,
    pub db: u16,
    pub resp3: bool,
    /// First of its spans in [`Batch::spans`] and how many.
    pub spans: (u32, u32),
    /// Index of the key whose hash is known, 0 for none.
    pub key_index: u16,
    /// That hash; without one, for a command that may block, CLIENT ID, and for the share of a client that tracks, its connection.
    pub hash: u64,
    /// What is out of the ordinary about the client: see [`mark`].
    pub marks: u8,
    /// It writes, and what its connection wrote before may not be done yet: it waits at the gate, lest somebody who asks for one
    /// key after the other sees this write and not the one before.
    pub follows: bool,
}

/// What has become of an item when its batch goes home: how far it has come, and where its reply ends in [`Batch::replies`]. It begins where
/// the one before ends.
///
/// Outcomes stand by themselves, lest the receiver write into the items: what one processor has written another must wait for.
#[derive(Clone, Copy)]
pub struct Outcome(u64);

impl Outcome {
    const PROGRESS_BITS: u32 = 2;

    #[inline]
    pub fn new(progress: Progress, reply_end: usize) -> Self {
        Self((reply_end as u64) << Self::PROGRESS_BITS | progress as u64)
    }

    #[inline]
    pub fn progress(self) -> Progress {
        match self.0 & ((1 << Self::PROGRESS_BITS) - 1) {
            0 => Progress::Under,
            1 => Progress::Blocked,
            _ => Progress::Replied,
        }
    }

    #[inline]
    pub fn reply_end(self) -> usize {
        (self.0 >> Self::PROGRESS_BITS) as usize
    }
}

impl Item {
    /// Whose it is, if its client has tracking on.
    #[cold]
    pub(crate) fn tracker(&self, home: u16) -> Tracker {
        let is = |bit: u8| self.marks & bit != 0;
        let (conn, generation) = match self.ask {
            Ask::Whole(ticket) => (ticket.conn, ticket.generation),
            _ => ((self.hash >> 32) as u32, self.hash as u32),
        };
        let client = ClientRef { home, conn, generation };
        Tracker {
            client,
            is_on: is(mark::TRACKS),
            reads: is(mark::TRACKS_READS),
            is_deaf: is(mark::IS_DEAF),
            is_script: false,
            exception: 0,
        }
    }
}

/// Bytes of arguments, or spans, after which a batch takes no further command: the next one begins. Positions in a batch have 32 bits,
/// which so much and the largest request fit into.
const ARENA_BYTES_MAX: usize = if cfg!(test) { 1000 } else { 8 << 20 };
const SPANS_MAX: usize = 1 << 20;
/// Bytes of replies after which they go home, before the batch goes on.
pub(crate) const REPLY_BYTES_MAX: usize = if cfg!(test) { 1000 } else { 1 << 20 };
/// Room that a batch keeps for its next use, in each of its parts.
const KEPT_BYTES_MAX: usize = 2 << 20;
/// The same for one that there is no hurry to use again.
const KEPT_SPARE_BYTES_MAX: usize = 64 << 10;

/// The commands of one turn of one shard for another.
#[derive(Default)]
pub struct Batch {
    pub from: u16,
    pub turn: u64,
    /// The same turn's commands that stand before these, if they did not fit into one batch.
    pub earlier: Option<Box<Batch>>,
    /// What the receiver is to know before it runs any of the turn's commands.
    pub news: Option<Box<News>>,
    pub items: Vec<Item>,
    pub spans: Vec<Span>,
    pub args: Vec<u8>,
    /// Arguments that do not stand in `args`; gone once the commands have run.
    pub outside: Vec<Blob>,
    /// Of the items, once they have run.
    pub outcomes: Vec<Outcome>,
    pub replies: Reply,
    /// What clients have to be told behind the reply of the item at a place.
    pub changes: Vec<(usize, Changes)>,
    /// The shard that ran it, once it has.
    pub executed_by: u16,
}

/// What the items of a batch are made of.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    pub args: &'a [u8],
    pub spans: &'a [Span],
    pub outside: &'a Vec<Blob>,
}

impl<'a> Words<'a> {
    /// The arguments of an item, whose hash, if it has one, is known.
    #[inline]
    pub fn of(self, item: &Item, seed: &'a HashSeed) -> Args<'a> {
        let args = Args::with_hash(self.args, self.spans_of(item), seed, item.key_index as usize, item.hash);
        args.with_outside(self.outside)
    }

    #[inline]
    pub fn spans_of(self, item: &Item) -> &'a [Span] {
        &self.spans[item.spans.0 as usize..(item.spans.0 + item.spans.1) as usize]
    }
}

/// Batches kept for reuse.
const POOL_MAX: usize = 64;
/// How many of them may have much room: what one large reply has gone through must not stay for good.
const POOL_LARGE_MAX: usize = 4;

impl Batch {
    /// Nobody needs it any more: it is emptied, and kept for later if there are not many.
    #[allow(clippy::vec_box)]
    pub(crate) fn give_back(mut self: Box<Self>, pool: &mut Vec<Box<Self>>) {
        self.clear();
        if pool.len() >= POOL_LARGE_MAX && self.room_bytes() > KEPT_SPARE_BYTES_MAX {
            self.shrink(KEPT_SPARE_BYTES_MAX);
        }
        if pool.len() < POOL_MAX {
            pool.push(self);
        }
    }

    pub fn clear(&mut self) {
        self.items.clear();
        self.outcomes.clear();
        self.outside.clear();
        self.spans.clear();
        self.args.clear();
        self.replies.clear();
        self.changes.clear();
        if self.room_bytes() > KEPT_BYTES_MAX {
            self.shrink(KEPT_BYTES_MAX);
        }
    }

    #[inline]
    fn room_bytes(&self) -> usize {
        self.spans.capacity() * size_of::<Span>() + self.args.capacity() + self.replies.buf.capacity()
    }

    /// Gives back what each part has beyond so many bytes.
    #[cold]
    #[inline(never)]
    fn shrink(&mut self, bytes: usize) {
        self.spans.shrink_to(bytes / size_of::<Span>());
        self.args.shrink_to(bytes);
        self.replies.buf.shrink_to(bytes);
    }

    /// Whether the next command belongs into another batch.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.args.len() > ARENA_BYTES_MAX || self.spans.len() > SPANS_MAX
    }

    /// The commands of all batches of this turn.
    pub fn commands(&self) -> impl Iterator<Item = &Item> {
        std::iter::successors(Some(self), |batch| batch.earlier.as_deref()).flat_map(|batch| &batch.items)
    }

    /// Whether there is a part of a command that all shards run.
    pub fn has_part(&self) -> bool {
        self.commands().any(|item| matches!(item.ask, Ask::Part(_)))
    }

    /// The batches of this turn in the order they were begun.
    pub fn in_order(mut self: Box<Self>) -> impl Iterator<Item = Box<Self>> {
        let mut earlier = self.earlier.take();
        let mut batches = vec![self];
        while let Some(mut batch) = earlier {
            earlier = batch.earlier.take();
            batches.push(batch);
        }
        batches.into_iter().rev()
    }

    /// Adds a command whose arguments have been pushed: the spans from `first` on.
    #[inline]
    pub fn push(&mut self, command: &'static Command, ask: Ask, (db, resp3): (u16, bool), first: usize) {
        self.push_keyed(command, ask, (db, resp3), first, (0, 0));
    }

    /// The same for a command with one key, whose index and hash are known.
    #[inline]
    pub fn push_keyed(
        &mut self,
        command: &'static Command,
        ask: Ask,
        (db, resp3): (u16, bool),
        first: usize,
        (key_index, hash): (u16, u64),
    ) {
        let spans = (first as u32, (self.spans.len() - first) as u32);
        self.items.push(Item { command, ask, db, resp3, spans, key_index, hash, marks: 0, follows: false });
    }

    /// The command pushed last writes while others of its connection are under way.
    #[inline]
    pub fn mark_follows(&mut self) {
        if let Some(item) = self.items.last_mut() {
            item.follows = true;
        }
    }

    /// What is out of the ordinary about the client of the command pushed last; a share that is marked must say whose it is.
    #[cold]
    pub fn mark(&mut self, marks: u8, client: ClientRef) {
        if let Some(item) = self.items.last_mut() {
            item.marks = marks;
            if matches!(item.ask, Ask::Share(..)) {
                item.hash = u64::from(client.conn) << 32 | u64::from(client.generation);
            }
        }
    }

    /// Takes over an item of another batch, with its arguments.
    pub fn keep(&mut self, item: &Item, args: Args<'_>) {
        let first = self.spans.len();
        self.push_args(args);
        let spans = (first as u32, (self.spans.len() - first) as u32);
        self.items.push(Item { spans, ..*item });
    }

    /// Copies one argument in.
    #[inline]
    pub fn push_arg(&mut self, arg: &[u8]) {
        debug_assert!(self.args.len() + arg.len() <= args::INSIDE_BYTES_MAX + ARENA_BYTES_MAX);
        self.spans.push(Span { start: self.args.len() as u32, len: arg.len() as u32 });
        self.args.extend_from_slice(arg);
    }

    /// Copies all arguments in, but for those that stand outside their buffer, which are shared.
    #[inline]
    pub fn push_args(&mut self, args: Args<'_>) {
        args::push_all(args, &mut self.args, &mut self.spans, &mut self.outside);
    }

    /// Copies the name of a share's command in, or points to it if the share before was asked for by the same letters.
    #[inline]
    pub fn push_name(&mut self, args: Args<'_>) {
        if let Some(&Item { ask: Ask::Share(..), spans: (first, _), .. }) = self.items.last() {
            let name = self.spans[first as usize];
            if name.inside(&self.args) == args.get(0) {
                return self.spans.push(name);
            }
        }
        self.push_arg_of(args, 0);
    }

    /// Copies some of them in.
    #[inline]
    pub fn push_args_of(&mut self, args: Args<'_>, range: Range<usize>) {
        args::push_some(args, range, &mut self.args, &mut self.spans, &mut self.outside);
    }

    /// The same with one of them.
    #[inline]
    pub fn push_arg_of(&mut self, args: Args<'_>, index: usize) {
        args::push(args, index, &mut self.args, &mut self.spans, &mut self.outside);
    }
}

/// A key with what stands under it, on its way between shards. The entry is out of any keyspace meanwhile, its key locked.
pub struct Held {
    pub db: u16,
    pub key: Vec<u8>,
    pub entry: Option<Moving>,
}

/// What shards say to each other about blocked clients.
pub enum WaitMail {
    /// The command with this ticket, whose batch has gone home without it, waits on shard `from`.
    Blocked { from: u16, ticket: Ticket },
    /// The connection is gone.
    Cancel { home: u16, ticket: Ticket },
    /// The reply of a command that has waited on the shard of its keys.
    Unblocked { ticket: Ticket, command: &'static Command, reply: Reply },
    /// To the coordinator of an operation: shard `from` has something for it.
    Claim { op: OpId, from: u16 },
    /// The answer: it is to be served there.
    Serve { home: u16, op: OpId, claimed: Box<ClaimedCommand> },
    /// What came of that: its reply; or nothing, and after how long (µs) it is to be tried again.
    Served { op: OpId, from: u16, outcome: Result<Reply, Option<u64>> },
    /// To a shard in whose queues an operation stands: to be tried again, though nothing has happened.
    Look { home: u16, op: OpId },
    /// The operation is over.
    Forget { home: u16, op: OpId },
    /// The next reply to a client waits until it has been settled so many `times` who gets what its command has brought.
    Withhold { client: ClientRef, times: u32 },
    /// It is, once.
    Settled { client: ClientRef },
}

/// A shard's work in a round.
pub enum Work {
    /// A part, a little in each turn.
    Part(Box<dyn Part>),
    /// The same to its end: an operation to which the receiver is left alone wants it.
    PartAlone(Box<dyn Part>),
    /// The same with the part of the first round, which is to be made.
    FirstAlone(&'static Command, OwnArgs),
}

pub enum Message {
    /// Executable once the sender's turn is published.
    Commands(Box<Batch>),
    /// A batch that comes back with the replies it has.
    Replies(Box<Batch>),
    /// The reply of a command that had waited for a lock.
    Late { ask: Ask, command: &'static Command, reply: Reply },
    /// The keys that an operation asked to hold, from shard `from`.
    /// `is_touched`: one of them has been watched for it, and has changed; `waiters`: who waits for them there.
    Granted { op: OpId, from: u16, keys: Vec<Held>, is_touched: bool, waiters: Waiters },
    /// What an operation of this shard had carried to another server has come to this.
    Delivered { op: OpId, delivery: Box<Delivery> },
    /// The operation is over (or starts anew): put the entries back, tell those who listen what has happened to them, unlock.
    /// The replies of `clients` wait until it is settled who gets what is there now.
    Release {
        home: u16,
        op: OpId,
        keys: Vec<Held>,
        changes: Vec<Change>,
        wait: WaitChange,
        clients: Vec<ClientRef>,
    },
    /// About commands that wait until there is something for them to do.
    Wait(WaitMail),
    /// An operation that has come needs more.
    Want { home: u16, op: OpId, want: Want },
    /// Keys of an operation come home and stay locked.
    Return { keys: Vec<Held>, changes: Vec<Change> },
    /// Run this part of a command of an operation to which the receiver is left alone.
    Step { home: u16, op: OpId, command: &'static Command, args: OwnArgs, caller: Caller },
    /// It has run on shard `from`.
    Stepped { op: OpId, from: u16, reply: Reply, effects: Effects },
    /// Work on this part of a command that goes in rounds.
    Round { home: u16, op: OpId, work: Work, caller: Caller },
    /// What shard `from` says at the end of a round, and what it has written down meanwhile.
    Answered { op: OpId, from: u16, answer: Result<Answer, Error>, effects: Effects },
    /// A command that ran elsewhere was slow: for the slow log of the shard whose client it is.
    Slow { ask: Ask, entry: Box<SlowEntry> },
    /// A key that this watcher, a connection of the receiver's, watches has changed.
    Touched { watcher: WatcherId },
    /// A script that a client has brought: it may be named by its digest from now on.
    Script { source: Vec<u8> },
    /// A script of a client of the receiver's has turned out to learn as it goes: how it is called, and by what name.
    Learns { form: Form, name: Vec<u8> },
    /// Lines for the monitors of the receiver.
    Monitored { from: u16, lines: Vec<u8> },
    /// A script has run for too long, or such a script is over.
    Occupied { occupant: Occupant, is_over: bool },
    /// What is published, and who listens; without commands of the same turn.
    News(Box<News>),
    /// Shard `by` has made so many bytes of output of the receiver's messages.
    Made { by: u16, bytes: u64 },
    /// A shard is behind with another one's messages, or no longer.
    Behind { behind: Behind, is_over: bool },
    /// What clients of the receiver that cache are to be told.
    Changes(Box<Changes>),
    /// No client of shard `home` wants to hear of these prefixes any more, as of the wishes with these numbers.
    Forgone { home: u16, prefixes: Vec<(Vec<u8>, u64)> },
    /// Shard `from` has no monitors any more.
    MonitorsGone { from: u16 },
}

impl Message {
    /// Whether it has a part of a command that all shards run.
    pub fn has_part(&self) -> bool {
        matches!(self, Self::Commands(batch) if batch.has_part())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, request};

    fn command() -> &'static Command {
        command::lookup(b"GET").expect("there is GET")
    }

    #[test]
    fn an_item_is_no_more_than_a_cache_line() {
        assert_eq!((size_of::<Item>(), size_of::<Outcome>()), (56, 8));
    }

    #[test]
    fn outcomes_say_what_they_were_told() {
        for progress in [Progress::Under, Progress::Blocked, Progress::Replied] {
            for end in [0, 1, 5 << 30] {
                let outcome = Outcome::new(progress, end);
                assert_eq!((outcome.progress(), outcome.reply_end()), (progress, end));
            }
        }
    }

    #[test]
    fn batches_of_a_turn_come_in_the_order_they_were_begun() {
        let mut last: Option<Box<Batch>> = None;
        for number in 0..5 {
            let mut batch = Box::new(Batch { earlier: last.take(), ..Batch::default() });
            batch.push(command(), Ask::Part(number), (0, false), 0);
            last = Some(batch);
        }
        let last = last.expect("five");
        assert_eq!(last.commands().count(), 5);
        let asks = last.in_order().map(|batch| batch.items[0].ask);
        assert!(asks.eq((0..5).map(Ask::Part)));
    }

    /// Arguments and replies of one turn that are many times what a batch takes.
    #[test]
    fn what_does_not_fit_into_a_batch_goes_in_several() {
        let mut trial = Trial::new(3);
        let conn = trial.connect();
        let (here, there) = (trial.key_on(0, "here"), trial.key_on(2, "there"));
        let (mut requests, mut expected) = (Vec::new(), Vec::new());
        let long = "v".repeat(700);
        for round in 0..40 {
            let value = format!("{round}{long}");
            requests.extend(request(&["SET", &there, &value]));
            requests.extend(request(&["SET", &here, &value]));
            requests.extend(request(&["GETRANGE", &there, "0", "-1"]));
            requests.extend(request(&["MGET", &here, &there, "none"]));
            requests.extend(request(&["GET", &here]));
            let bulk = format!("${}\r\n{value}\r\n", value.len());
            let all = format!("+OK\r\n+OK\r\n{bulk}*3\r\n{bulk}{bulk}$-1\r\n{bulk}");
            expected.extend_from_slice(all.as_bytes());
        }
        trial.send(conn, &requests);
        let waiting = trial.mail.batches().map(|batch| batch.args.len());
        assert!(waiting.clone().count() > 40 && waiting.max().unwrap_or(0) < 3 * ARENA_BYTES_MAX);
        trial.settle();
        assert!(trial.take_replies(conn) == expected);
    }

    /// Keys to be held are many, too, and each of them is needed.
    #[test]
    fn keys_that_do_not_fit_into_a_batch_are_held_together() {
        let mut trial = Trial::new(3);
        let conn = trial.connect();
        let keys: Vec<_> = (0..300).map(|number| format!("a rather long name of a set, {number}")).collect();
        for (number, key) in keys.iter().enumerate() {
            trial.ask(conn, &request(&["SADD", key, &number.to_string()]));
        }
        let mut words = vec!["SUNIONSTORE", "union"];
        words.extend(keys.iter().map(String::as_str));
        assert_eq!(trial.ask(conn, &request(&words)), b":300\r\n");
        assert_eq!(trial.ask(conn, &request(&["SCARD", "union"])), b":300\r\n");
        assert_eq!(trial.ask(conn, b"DBSIZE\r\n"), b":301\r\n");
    }

    #[test]
    fn what_has_carried_a_large_reply_is_not_kept_whole() {
        let mut pool = Vec::new();
        let batches = (0..2 * POOL_MAX).map(|_| {
            let mut batch = Box::<Batch>::default();
            batch.replies.buf.reserve(1 << 20);
            batch.args.reserve(1 << 20);
            batch
        });
        batches.for_each(|batch| batch.give_back(&mut pool));
        let kept: usize = pool.iter().map(|batch| batch.room_bytes()).sum();
        assert_eq!(pool.len(), POOL_MAX);
        let bytes_max = POOL_LARGE_MAX * 2 * KEPT_BYTES_MAX + POOL_MAX * 2 * KEPT_SPARE_BYTES_MAX;
        assert!((POOL_LARGE_MAX << 20..=bytes_max).contains(&kept), "{kept} bytes");
    }
}
