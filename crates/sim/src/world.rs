//! One run: shards, clients and connections, and who takes the next step. Everything follows from the seed.

mod hearing;
mod lane;

use self::lane::{Awaited, Lane};
use crate::check::{self, Verdict};
use crate::exchange::{Exchange, Progress};
use crate::freezer::Freezer;
use crate::history::Record;
use crate::listening::Listening;
use crate::network::Link;
use crate::op::{Op, Text};
use crate::outcome::{Anomaly, Outcome, Plan};
use crate::shard_thread::{Around, ShardThread};
use crate::trace::Trace;
use crate::witness::{self, Execution, Witness};
use crate::workload::{CONSUMERS, Memory, Role, Theme, Workload};
use base::random::Random;
use config::Config;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use testkit::Value;

/// Runs a plan.
pub fn run(plan: Plan) -> Outcome {
    witness::take(0);
    let mut world = World::new(plan);
    let end = world.serve().and_then(|()| world.audit());
    let mut anomalies: Vec<Anomaly> = end.err().into_iter().collect();
    if anomalies.is_empty() {
        anomalies = world.leftovers();
    }
    let history = world.whole_history();
    let keys = &world.workload.keys;
    let witness = Witness { executions: &world.executions, names: &keys.names, owners: &keys.owners };
    match check::check(&history, Some(&witness), plan.program_order, CHECK_BUDGET) {
        Verdict::Serializable => {}
        Verdict::Anomalous(text) => anomalies.push(Anomaly::Order(text)),
        Verdict::Undecided(text) => anomalies.push(Anomaly::Undecided(text)),
    }
    Outcome {
        plan,
        anomalies,
        history,
        trace: world.trace.hash(),
        steps: world.now,
        shards: world.threads.len(),
        theme: world.workload.theme,
        visits: world.threads.iter().map(|thread| thread.shard.cx.stats.visits).sum(),
        moves: world.threads.iter().map(|thread| thread.shard.cx.stats.moved_connections).sum(),
        cuts: world.threads.iter().map(|thread| thread.cuts).sum(),
        messages: world.listening.count(),
        invalidations: world.invalidations,
    }
}

/// Places the checker tries before it gives up.
const CHECK_BUDGET: usize = 50_000;
/// Steps after which a run has lost its way; usual ones take some thousand.
const STEPS_MAX: u64 = 1_000_000;
/// More than clients can wait for ever in a run.
const GIFTS_MAX: u64 = 50;
/// Steps to a millisecond of the shards' clock.
const STEPS_PER_MS: u64 = 256;
/// Unix ms at which runs begin.
const FIRST_MS: u64 = 1_700_000_000_000;

struct World {
    random: Random,
    now: u64,
    exchange: Exchange,
    threads: Vec<ShardThread>,
    links: Vec<Link>,
    lanes: Vec<Lane>,
    /// How readily each shard runs.
    weights: Vec<u64>,
    freezer: Freezer,
    workload: Workload,
    history: Vec<Record>,
    /// What the shards have executed, in order.
    executions: Vec<Execution>,
    /// How often a command has been asked for, by name; or by name and key.
    asked: HashMap<Vec<u8>, u64>,
    /// Where in the history the operations of a connection begin that no watcher has seen.
    unseen: HashMap<usize, usize>,
    /// Which operation writes a string, by its place in the history.
    writers: HashMap<Text, usize>,
    /// Which id an entry of a stream has.
    ids: HashMap<Text, String>,
    listening: Listening,
    invalidations: usize,
    /// Operations to send: by clients that write, by those that only read.
    ops_left: [usize; 2],
    trace: Trace,
    /// Connections that clients still break off, or kill.
    kills_left: u64,
    /// How often all streams still get something for those who wait for ever.
    gifts_left: u64,
    /// Bytes under way to a client at most.
    room: usize,
}

impl World {
    fn new(plan: Plan) -> Self {
        let mut random = Random::from_seed(plan.seed);
        let shards = [1, 2, 2, 4, 4, 4, 4, 8][random.index(8)];
        let (config, graphs) = (Arc::new(Config::default()), Arc::default());
        let threads = (0..shards)
            .map(|id| ShardThread::new(id, shards, plan.rules, (&config, &graphs), &mut random))
            .collect();
        let workload = Workload::new(plan.theme, shards, FIRST_MS, &mut random);
        // Without a reply, it is not known which of several keys has served.
        let kills_left = if workload.waits_for_many { 0 } else { random.below(2) * random.below(4) };
        let mut world = Self {
            now: 0,
            exchange: Exchange::new(shards, plan.rules),
            threads,
            links: Vec::new(),
            lanes: Vec::new(),
            weights: (0..shards).map(|_| [1, 3, 10][random.index(3)]).collect(),
            freezer: Freezer::new(workload.theme, &mut random),
            history: Vec::new(),
            executions: Vec::new(),
            asked: HashMap::new(),
            unseen: HashMap::new(),
            writers: HashMap::new(),
            ids: HashMap::new(),
            listening: Listening::default(),
            invalidations: 0,
            ops_left: workload.size(&mut random),
            trace: Trace::default(),
            kills_left,
            gifts_left: GIFTS_MAX,
            room: [usize::MAX, usize::MAX, 64, 7][random.index(4)],
            workload,
            random,
        };
        let (first, others) = world.workload.roles();
        for index in 0..3 + world.random.index(4) {
            let other = others[world.random.index(others.len())];
            world.enter(*first.get(index).unwrap_or(&other));
        }
        world
    }

    /// A client comes. Those that only read act at once, for what they may see wrongly does not last.
    fn enter(&mut self, role: Role) {
        let shards = self.threads.len();
        let links: Vec<usize> = match role {
            Role::Reader if self.workload.theme != Theme::Expiry && self.random.below(4) > 0 => {
                (0..shards).map(|shard| self.connect(shard)).collect()
            }
            // What its own shard's clients ask reaches a watcher first.
            Role::Watcher if self.random.below(4) > 0 => {
                let shard = self.lanes.first().and_then(|lane| self.links[lane.link].shard).unwrap_or(0);
                vec![self.connect(shard)]
            }
            _ => vec![self.connect_anywhere()],
        };
        let (eager, quick) = match role {
            Role::Reader | Role::Watcher | Role::Listener => (8, 8),
            // For who waits for each reply to get anything done while a shard stands still.
            Role::Writer if self.workload.theme == Theme::Caches => (8, 8),
            _ => (1 + self.random.below(8), 2 + self.random.below(7)),
        };
        let mut memory = Memory { last_read: self.random.index(4), ..Memory::default() };
        memory.bookmarks.consumer = self.lanes.len() % CONSUMERS;
        let link = links[0];
        self.lanes.push(Lane {
            links,
            link,
            role,
            pending: VecDeque::new(),
            watched: Vec::new(),
            memory,
            cache: None,
            eager,
            quick,
        });
        self.greet(self.lanes.len() - 1);
    }

    fn connect(&mut self, shard: usize) -> usize {
        self.links.push(Link::new(shard, self.room));
        self.links.len() - 1
    }

    fn connect_anywhere(&mut self) -> usize {
        let shard = self.random.index(self.threads.len());
        self.connect(shard)
    }

    fn now_ms(&self) -> u64 {
        FIRST_MS + self.now / STEPS_PER_MS
    }

    /// Runs until all operations have been sent and answered, and all shards sleep.
    fn serve(&mut self) -> Result<(), Anomaly> {
        while !self.is_over() {
            self.now += 1;
            let stands_still = self.now.is_multiple_of(64) && self.stands_still();
            if self.now > STEPS_MAX || stands_still && !self.serve_patient()? {
                return Err(Anomaly::Standstill(self.describe()));
            }
            if self.random.below(3) == 0 {
                let lane = self.random.index(self.lanes.len());
                self.lane_step(lane)?;
            } else {
                self.seat_step();
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let is_done = |lane: &Lane| lane.pending.is_empty() && lane.watched.is_empty();
        self.ops_left == [0, 0] && self.lanes.iter().all(is_done) && self.is_idle()
    }

    fn is_idle(&self) -> bool {
        self.threads.iter().all(|thread| thread.is_idle(&self.exchange, &self.links))
            && self.links.iter().all(Link::is_quiet)
    }

    /// Whether nothing can ever happen again, though replies are missing.
    fn stands_still(&self) -> bool {
        let waits = |lane: &Lane| {
            let has_no_more = self.ops_left[lane.role.budget()] == 0 && lane.watched.is_empty();
            let is_lost = self.links[lane.link].is_closed;
            lane.role == Role::Watcher || !is_lost && (!lane.pending.is_empty() || has_no_more)
        };
        let awaits_time = self.threads.iter().any(ShardThread::awaits_time);
        self.is_idle() && !awaits_time && self.lanes.iter().all(waits)
    }

    fn describe(&self) -> String {
        let mut text: Vec<String> = self.threads.iter().flat_map(|thread| thread.shard.unsettled()).collect();
        text.extend(self.lanes.iter().filter_map(|lane| {
            let is_op = |awaited: &Awaited| match *awaited {
                Awaited::Op(place) => Some(place),
                Awaited::Aside => None,
            };
            let first = lane.pending.iter().find_map(is_op)?;
            Some(format!("unanswered: {}", self.history[first]))
        }));
        let full = (0..self.threads.len()).filter(|&id| self.exchange.has_mail(id));
        text.extend(full.map(|id| format!("shard {id}: unread mail")));
        text.join("\n")
    }

    /// One shard takes a step.
    fn seat_step(&mut self) {
        self.freezer.thaw(self.now);
        let Some(id) = self.next_seat() else { return };
        let mut around = Around {
            now_ms: self.now_ms(),
            now_us: self.now,
            exchange: &mut self.exchange,
            links: &mut self.links,
            random: &mut self.random,
            log: None,
        };
        let progress = self.threads[id].step(&mut around);
        for host in self.threads[id].take_visits() {
            if self.threads[host].be_visited(&mut around) {
                self.threads[id].has_visited();
            }
        }
        self.trace.note(&[1, id as u64, progress as u64]);
        self.executions.extend(witness::take(2 * self.now));
        if progress != Progress::Waits {
            self.freezer.consider(id, &self.threads, &self.exchange, self.now, &mut self.random);
        }
    }

    /// One of the shards that could run.
    fn next_seat(&mut self) -> Option<usize> {
        let runs = |id: &usize| {
            !self.freezer.holds(*id) && !self.threads[*id].is_idle_at(self.now, &self.exchange, &self.links)
        };
        let awake: Vec<usize> = (0..self.threads.len()).filter(runs).collect();
        let mut at = self.random.below(awake.iter().map(|&id| self.weights[id]).sum());
        awake.into_iter().find(|&id| match at.checked_sub(self.weights[id]) {
            None => true,
            Some(rest) => {
                at = rest;
                false
            }
        })
    }

    /// At the end a new client reads everything.
    fn audit(&mut self) -> Result<(), Anomaly> {
        self.kills_left = 0;
        self.freezer.rest();
        self.lanes.retain(|lane| matches!(lane.role, Role::Watcher | Role::Listener | Role::Cacher));
        self.enter(Role::Reader);
        self.ops_left = [0, 0];
        self.now += 1;
        let reads = self.workload.audit();
        let first = self.history.len();
        self.send(self.lanes.len() - 1, reads);
        self.serve()?;
        self.check_caches(first)?;
        let is_dead = |link: &usize| self.links[*link].is_gone || self.links[*link].is_closed;
        let dead: BTreeSet<usize> = (0..self.links.len()).filter(is_dead).collect();
        self.listening.check(&self.history, &dead).map_err(Anomaly::Message)
    }

    /// What clients asked, and the times at which something expired. Shards look at their own clocks: for an operation on several keys
    /// that is under way at such a time, it may have come on one shard when the operation, on another, has been done long ago.
    fn whole_history(&self) -> Vec<Record> {
        let mut history = self.history.clone();
        let mut deadlines = self.workload.deadlines.clone();
        deadlines.sort_unstable();
        deadlines.dedup();
        for at_ms in deadlines.into_iter().filter(|at_ms| *at_ms <= self.now_ms()) {
            let at = 2 * (at_ms - FIRST_MS) * STEPS_PER_MS;
            let invoked =
                self.history.iter().filter(|record| record.runs_over(at)).map(|record| record.invoked);
            let invoked = invoked.min().unwrap_or(at);
            for &key in &self.workload.keys.strings {
                let op = Op::Strike(key, at_ms);
                let request = op.args(&self.workload.keys.names);
                let returned = Some((at, Value::Null));
                history.push(Record { link: usize::MAX, op, request, invoked, returned, seen: None });
            }
        }
        history.sort_by_key(|record| record.invoked);
        history
    }

    /// What should not be there when all is answered.
    fn leftovers(&self) -> Vec<Anomaly> {
        let unsettled =
            self.threads.iter().flat_map(|thread| thread.shard.unsettled()).map(Anomaly::Unsettled);
        let mail = (0..self.threads.len()).filter(|&id| self.exchange.has_mail(id));
        let unread = mail.map(|id| Anomaly::Unsettled(format!("shard {id}: unread mail")));
        let books = self.threads.iter().flat_map(|thread| thread.shard.cx.dbs.iter());
        let wrong = books.filter_map(|db| db.audit().err()).map(Anomaly::Books);
        unsettled.chain(unread).chain(wrong).collect()
    }
}
