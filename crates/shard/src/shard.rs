//! The shard's loop turn, seen from inside.
//!
//! The caller (runtime or simulator) takes the steps in the order of [`crate::TURN`]: it collects input; hands over all mail; then
//! the input; then publishes [`Shard::outgoing`]; then sends the replies of [`Shard::dirty_conns`].

use crate::backlog::Backlog;
use crate::blocking::{Syncs, Withholding};
use crate::busy::Busy;
use crate::conn::Conn;
use crate::gates::Gate;
use crate::locks::{Locks, Ready, WaiterId};
use crate::message::{Batch, Message, OpId};
use crate::multi::open::{Gathering, Open};
use crate::multi::wait::BlockedOperations;
use crate::multi::{Ending, Operation, Splits};
use crate::occupants::Occupant;
use crate::parking::Job;
use crate::pubsub::{News, Sending};
use crate::queue::Queued;
use crate::route::Places;
use crate::slices::Slices;
use crate::tracking::Changes;
use crate::transaction::Transaction;
use crate::waiting::{WaitId, Waiting};
use base::hash::QuickMap;
use command::change::DbKey;
use command::watches::WatcherId;
use command::{OwnArgs, ShardCx};
use journal::queue::Added;
use resp::{Reply, Span};
use std::cell::Cell;
use std::collections::{HashMap, HashSet, VecDeque};

/// What a turn leaves to be published.
#[derive(Default)]
pub struct Outgoing {
    /// Commands for each shard (the own one included), to be published together.
    pub batches: Vec<Option<Box<Batch>>>,
    /// Whether there are any: with many shards the list is not worth a look.
    pub has_batches: bool,
    /// Some of them are parts of multi-shard operations.
    pub exclusive: bool,
    /// The group of the split commands among them.
    pub(crate) splits: Option<u32>,
    /// What other shards are to know before they get anything else of this turn; each shard once.
    pub news: Vec<(usize, Box<News>)>,
    /// Who waits no longer: what follows in commands of this turn must not meet him.
    pub(crate) cancels: Vec<(usize, Message)>,
    /// Replies and continuations: need no order among others.
    pub posts: Vec<(usize, Message)>,
    /// The number of the last publication of commands.
    pub(crate) publications: u64,
}

pub struct Shard {
    pub cx: ShardCx,
    pub(crate) conns: Vec<Conn>,
    pub(crate) free_conns: Vec<u32>,
    /// Connections with replies to send, each once.
    pub dirty_conns: Vec<u32>,
    pub outgoing: Outgoing,
    // Boxed as they travel: taking one moves a pointer.
    #[allow(clippy::vec_box)]
    pub(crate) batch_pool: Vec<Box<Batch>>,
    /// The shard whose batch runs now; what its clients have to be told behind the reply of the command at hand.
    pub(crate) batch_from: Option<u16>,
    pub(crate) batch_changes: Option<Changes>,
    pub(crate) locks: Locks<Job>,
    /// Locks held here for operations, by home shard and operation.
    pub(crate) holds: QuickMap<(u16, OpId), Vec<WaiterId>>,
    pub(crate) ops: QuickMap<OpId, Operation>,
    pub(crate) splits: Splits,
    /// Parts of commands that go in rounds, on which this shard works a little in each turn.
    pub(crate) slices: Slices,
    /// Operations of this shard that learn as they go, those that can go on, and those that only gave others their turn.
    pub(crate) opens: QuickMap<OpId, Box<Open>>,
    /// Operations that wait for another server.
    pub(crate) away: QuickMap<OpId, Operation>,
    /// Of these the keys, by their places, that a save has begun to write.
    pub(crate) begun_away: Vec<(OpId, usize)>,
    pub(crate) may_proceed: VecDeque<OpId>,
    pub(crate) ticked: Vec<OpId>,
    /// One that is to be published at the end of this turn; and the connection whose command at hand comes again right behind.
    pub(crate) gathering: Option<Gathering>,
    pub(crate) repeating: Option<usize>,
    /// A script that occupies this shard.
    pub(crate) busy: Option<Box<Busy>>,
    /// Scripts of any shard that have run for too long.
    pub(crate) occupants: Vec<Occupant>,
    /// Operations of any shard that have come here for what they will need, by home shard and number.
    pub(crate) gates: QuickMap<(u16, OpId), Gate>,
    pub(crate) next_op: OpId,
    pub(crate) queue: Vec<Queued>,
    /// So many of them are scripts whose first keys are looked ahead for. It is counted where a request is only looked up.
    pub(crate) queued_scripts: Cell<usize>,
    pub(crate) spans: Vec<Span>,
    pub(crate) scratch: Reply,
    pub(crate) places: Places,
    /// Commands sent to other shards and replies that came back, since start.
    pub(crate) forwarded: u64,
    pub(crate) returned: u64,
    /// Connections whose input may go on.
    pub(crate) resume: VecDeque<u32>,
    pub(crate) ready: Ready<Job>,
    /// Connections of this shard that watch keys, by the number of the watcher; the last such number.
    pub(crate) watchers: HashMap<WatcherId, u32>,
    pub(crate) last_watcher: WatcherId,
    /// Transactions that are over, whose buffers serve again.
    #[allow(clippy::vec_box)]
    pub(crate) spare_transactions: Vec<Box<Transaction>>,
    /// Operations of several shards that wait for a lock.
    pub(crate) pending_holds: usize,
    /// Commands that wait for keys of this shard, and those with keys on several shards that this one coordinates.
    pub(crate) waiting: Waiting,
    /// Those of them that wait for a sync.
    pub(crate) syncs: Syncs,
    pub(crate) blocked_ops: BlockedOperations,
    /// Replies that wait until somebody has been served.
    pub(crate) withholding: Withholding,
    /// Keys to be served as soon as they are free.
    pub(crate) to_serve: HashSet<DbKey>,
    /// Waits with locks that must not keep holds waiting.
    pub(crate) yielding: Vec<WaitId>,
    /// What has been published for other shards in this turn.
    pub(crate) sending: Sending,
    pub(crate) backlog: Backlog,
    /// Connections that want to move to another shard.
    pub(crate) wish_to_move: Vec<u32>,
    /// What is to be written of this turn, beside what this shard's commands have done here.
    pub(crate) added: Added,
    /// The command that is played again.
    pub(crate) playing: OwnArgs,
    /// The end of the process that this shard brings about, once the data is saved.
    pub(crate) ending: Option<Ending>,
}

impl Shard {
    pub fn new(mut cx: ShardCx) -> Self {
        cx.run_inside = crate::script::run_inside;
        let (shards, seed) = (cx.shards as usize, cx.seed.clone());
        let outgoing = Outgoing { batches: (0..shards).map(|_| None).collect(), ..Outgoing::default() };
        Self {
            cx,
            conns: Vec::new(),
            free_conns: Vec::new(),
            dirty_conns: Vec::new(),
            outgoing,
            batch_pool: Vec::new(),
            batch_from: None,
            batch_changes: None,
            locks: Locks::new(&seed),
            holds: QuickMap::with_hasher(seed.clone()),
            ops: QuickMap::with_hasher(seed.clone()),
            splits: Splits::default(),
            slices: Slices::default(),
            opens: QuickMap::with_hasher(seed.clone()),
            away: QuickMap::with_hasher(seed.clone()),
            begun_away: Vec::new(),
            may_proceed: VecDeque::new(),
            ticked: Vec::new(),
            gathering: None,
            repeating: None,
            busy: None,
            occupants: Vec::new(),
            gates: QuickMap::with_hasher(seed),
            next_op: 1,
            queue: Vec::new(),
            queued_scripts: Cell::new(0),
            spans: Vec::new(),
            scratch: Reply::default(),
            places: Places::default(),
            forwarded: 0,
            returned: 0,
            resume: VecDeque::new(),
            ready: Ready::new(),
            watchers: HashMap::new(),
            last_watcher: 0,
            spare_transactions: Vec::new(),
            pending_holds: 0,
            waiting: Waiting::default(),
            syncs: Syncs::default(),
            blocked_ops: BlockedOperations::default(),
            withholding: Withholding::default(),
            to_serve: HashSet::new(),
            yielding: Vec::new(),
            sending: Sending::default(),
            backlog: Backlog::default(),
            wish_to_move: Vec::new(),
            added: Added::default(),
            playing: OwnArgs::default(),
            ending: None,
        }
    }

    /// The clocks as of now: unix ms and monotonic µs.
    pub fn set_time(&mut self, now_ms: u64, now_us: u64) {
        self.cx.now_ms = now_ms;
        self.cx.now_us = now_us;
        self.cx.journal.now_s = now_ms / 1000;
        self.cx.stats.turns += 1;
        self.cx.sample_rates();
    }

    /// Tells other shards what this turn has brought for them. Call once per turn, before the messages are published.
    #[inline]
    pub fn send_news(&mut self) {
        if self.gathering.is_some() {
            self.send_gathered();
        }
        let has_pushes = !self.cx.monitored.is_empty() || self.cx.watches.has_touched();
        if has_pushes || self.has_pubsub_news() || self.cx.tracking.is_untold() {
            self.send_all_news();
        }
    }

    #[inline(never)]
    fn send_all_news(&mut self) {
        self.send_monitored();
        self.tell_touched();
        self.tell_published();
        self.tell_prefixes();
    }

    /// Whether commands of this shard's connections are under way on other shards.
    pub fn awaits_others(&self) -> bool {
        let operations = !self.splits.is_empty() || !self.ops.is_empty() || !self.opens.is_empty();
        self.forwarded > self.returned || operations
    }

    /// Whether any key is locked here or any command waits for a lock.
    pub fn holds_locks(&self) -> bool {
        !self.locks.is_empty() || !self.holds.is_empty() || !self.ready.is_empty()
    }

    /// Whether anything waits to be published.
    pub fn has_outgoing(&self) -> bool {
        !self.outgoing.posts.is_empty()
            || !self.outgoing.cancels.is_empty()
            || !self.outgoing.news.is_empty()
            || self.outgoing.has_batches
            || self.gathering.is_some()
            || self.has_pubsub_news()
            || self.cx.tracking.is_untold()
    }
}
