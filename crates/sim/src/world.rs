//! One run: shards, clients and connections, and who takes the next step. Everything follows from the seed.

mod hearing;

use self::hearing::{check_ids, written};
use crate::caching::Cache;
use crate::check::{self, ProgramOrder, Verdict};
use crate::exchange::{Exchange, Progress};
use crate::freezer::Freezer;
use crate::history::Record;
use crate::listening::Listening;
use crate::network::Link;
use crate::op::{Op, Text, spell};
use crate::rules::Rules;
use crate::seat::{Around, Seat};
use crate::trace::Trace;
use crate::witness::{self, Execution, Witness};
use crate::workload::{CONSUMERS, Memory, Role, Theme, Workload};
use base::random::Random;
use config::Config;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use testkit::Value;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    pub rules: Rules,
    /// What clients do; without, the seed chooses.
    pub theme: Option<Theme>,
    pub program_order: ProgramOrder,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anomaly {
    /// No order explains what the clients saw.
    Order(String),
    /// The checker gave up.
    Undecided(String),
    /// A client got what is no reply to what it asked.
    Reply(String),
    /// A client got a message that it should not have got then, or did not get one.
    Message(String),
    /// A client that caches keeps what is out of date.
    Cache(String),
    /// Everybody waits.
    Standstill(String),
    /// All is answered, yet something is under way.
    Unsettled(String),
    /// An account of memory is wrong.
    Books(String),
}

/// What a run came to.
pub struct Outcome {
    pub plan: Plan,
    pub anomalies: Vec<Anomaly>,
    pub history: Vec<Record>,
    /// The same for the same plan, down to each step.
    pub trace: u64,
    pub steps: u64,
    pub shards: usize,
    pub theme: Theme,
    /// Connections that went from one shard to another.
    pub moves: u64,
    /// How often a shard ran the mail of another one.
    pub visits: u64,
    /// Replies of which the network took only a part at first.
    pub cuts: u64,
    /// What has been heard: messages of channels, invalidations.
    pub messages: usize,
    pub invalidations: usize,
}

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
        shards: world.seats.len(),
        theme: world.workload.theme,
        visits: world.seats.iter().map(|seat| seat.shard.cx.stats.visits).sum(),
        moves: world.seats.iter().map(|seat| seat.shard.cx.stats.moved_connections).sum(),
        cuts: world.seats.iter().map(|seat| seat.cuts).sum(),
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

/// A client.
struct Lane {
    /// Its connections, and the one it uses now. It takes another when nothing is outstanding.
    links: Vec<usize>,
    link: usize,
    role: Role,
    /// What was sent and not answered.
    pending: VecDeque<Awaited>,
    /// Reads of what is watched, by their place in the history: a transaction is to follow.
    watched: Vec<usize>,
    memory: Memory,
    /// Of a client that caches.
    cache: Option<Cache>,
    /// Out of 8: how readily it acts, and how readily the network does.
    eager: u64,
    quick: u64,
}

/// A reply to come.
#[derive(Clone, Copy)]
enum Awaited {
    /// To what only prepares an operation: WATCH, MULTI, a command that is queued.
    Aside,
    /// To an operation, by its place in the history.
    Op(usize),
}

struct World {
    random: Random,
    now: u64,
    exchange: Exchange,
    seats: Vec<Seat>,
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
        let seats = (0..shards)
            .map(|id| Seat::new(id, shards, plan.rules, (&config, &graphs), &mut random))
            .collect();
        let workload = Workload::new(plan.theme, shards, FIRST_MS, &mut random);
        // Without a reply, it is not known which of several keys has served.
        let kills_left = if workload.waits_for_many { 0 } else { random.below(2) * random.below(4) };
        let mut world = Self {
            now: 0,
            exchange: Exchange::new(shards, plan.rules),
            seats,
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
        let shards = self.seats.len();
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
        let shard = self.random.index(self.seats.len());
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
        self.seats.iter().all(|seat| seat.is_idle(&self.exchange, &self.links))
            && self.links.iter().all(Link::is_quiet)
    }

    /// Whether nothing can ever happen again, though replies are missing.
    fn stands_still(&self) -> bool {
        let waits = |lane: &Lane| {
            let has_no_more = self.ops_left[lane.role.budget()] == 0 && lane.watched.is_empty();
            let is_lost = self.links[lane.link].is_closed;
            lane.role == Role::Watcher || !is_lost && (!lane.pending.is_empty() || has_no_more)
        };
        let awaits_time = self.seats.iter().any(Seat::awaits_time);
        self.is_idle() && !awaits_time && self.lanes.iter().all(waits)
    }

    fn describe(&self) -> String {
        let mut text: Vec<String> = self.seats.iter().flat_map(|seat| seat.shard.unsettled()).collect();
        text.extend(self.lanes.iter().filter_map(|lane| {
            let is_op = |awaited: &Awaited| match *awaited {
                Awaited::Op(place) => Some(place),
                Awaited::Aside => None,
            };
            let first = lane.pending.iter().find_map(is_op)?;
            Some(format!("unanswered: {}", self.history[first]))
        }));
        let full = (0..self.seats.len()).filter(|&id| self.exchange.has_mail(id));
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
        let progress = self.seats[id].step(&mut around);
        for host in self.seats[id].take_visits() {
            if self.seats[host].be_visited(&mut around) {
                self.seats[id].has_visited();
            }
        }
        self.trace.note(&[1, id as u64, progress as u64]);
        self.executions.extend(witness::take(2 * self.now));
        if progress != Progress::Waits {
            self.freezer.consider(id, &self.seats, &self.exchange, self.now, &mut self.random);
        }
    }

    /// One of the shards that could run.
    fn next_seat(&mut self) -> Option<usize> {
        let runs = |id: &usize| {
            !self.freezer.holds(*id) && !self.seats[*id].is_idle_at(self.now, &self.exchange, &self.links)
        };
        let awake: Vec<usize> = (0..self.seats.len()).filter(runs).collect();
        let mut at = self.random.below(awake.iter().map(|&id| self.weights[id]).sum());
        awake.into_iter().find(|&id| match at.checked_sub(self.weights[id]) {
            None => true,
            Some(rest) => {
                at = rest;
                false
            }
        })
    }

    /// A client and its connection take a step: bytes arrive, replies are read, operations are sent.
    fn lane_step(&mut self, index: usize) -> Result<(), Anomaly> {
        let lane = &self.lanes[index];
        let link = &mut self.links[lane.link];
        if self.random.below(8) < lane.quick {
            let whole = self.random.below(4) > 0;
            link.deliver(whole, &mut self.random);
        }
        self.read_replies(index)?;
        let lane = &self.lanes[index];
        if self.links[lane.link].is_closed {
            self.reconnect(index);
            return Ok(());
        }
        if self.kills_left > 0 && lane.role != Role::Watcher && self.random.below(200) == 0 {
            self.kills_left -= 1;
            if self.random.below(2) == 0 {
                self.links[lane.link].abandon(&mut self.random);
                self.reconnect(index);
            } else {
                self.kill_another(index);
            }
            return Ok(());
        }
        if !lane.watched.is_empty() {
            if lane.pending.is_empty() && self.random.below(8) < lane.eager {
                self.send_watched(index);
            }
            return Ok(());
        }
        if lane.role == Role::Listener && self.ops_left[0] > 0 && self.random.below(32) == 0 {
            self.toggle(index);
            return Ok(());
        }
        let lane = &self.lanes[index];
        let may_send = lane.pending.is_empty() || lane.role != Role::Reader && lane.pending.len() < 8;
        let reluctance = if lane.pending.is_empty() { 8 } else { 64 };
        let budget = lane.role.budget();
        if self.ops_left[budget] > 0 && may_send && self.random.below(reluctance) < lane.eager {
            if lane.role != Role::Reader && lane.pending.is_empty() {
                let looks = self.workload.looks(&mut self.random);
                if !looks.is_empty() {
                    self.ops_left[budget] = self.ops_left[budget].saturating_sub(looks.len() + 1);
                    self.watch(index, looks);
                    return Ok(());
                }
            }
            let lane = &mut self.lanes[index];
            let ops = self.workload.pipeline(lane.role, &mut lane.memory, &mut self.random);
            self.ops_left[budget] = self.ops_left[budget].saturating_sub(ops.len());
            self.choose_link(index, &ops);
            self.send(index, ops);
        }
        Ok(())
    }

    /// Takes another connection, if nothing is outstanding: mostly one to the shard that has the key.
    fn choose_link(&mut self, index: usize, ops: &[Op]) {
        let lane = &mut self.lanes[index];
        if !lane.pending.is_empty() || lane.links.len() < 2 {
            return;
        }
        let key = ops.first().and_then(|op| op.keys()?.first().copied());
        let owner = key.map(|key| self.workload.keys.owners[key]);
        let near = lane.links.iter().find(|link| self.links[**link].shard == owner);
        lane.link = match near {
            Some(link) if self.random.below(4) > 0 => *link,
            _ => lane.links[self.random.index(lane.links.len())],
        };
    }

    /// The connection in use is lost: another takes its place.
    fn reconnect(&mut self, index: usize) {
        let link = self.connect_anywhere();
        let lane = &mut self.lanes[index];
        lane.links.iter_mut().filter(|old| **old == lane.link).for_each(|old| *old = link);
        lane.link = link;
        lane.pending.clear();
        lane.watched.clear();
        self.greet(index);
    }

    /// A client has the connection of another killed.
    fn kill_another(&mut self, index: usize) {
        let victims = self.lanes.iter().enumerate();
        let victims: Vec<usize> = victims
            .filter(|(other, lane)| *other != index && lane.role != Role::Watcher)
            .map(|(_, lane)| lane.link)
            .collect();
        let victim = victims[self.random.index(victims.len())];
        self.send(index, vec![Op::Kill(victim)]);
    }

    /// Watches what these operations read, and has them read it.
    fn watch(&mut self, index: usize, looks: Vec<Op>) {
        let keys = looks.iter().filter_map(Op::keys).flatten();
        let names = keys.map(|key| self.workload.keys.names[key].clone());
        let request: Vec<String> = ["WATCH".to_owned()].into_iter().chain(names).collect();
        let lane = &mut self.lanes[index];
        self.links[lane.link].send(&testkit::client::encode(&request));
        lane.pending.push_back(Awaited::Aside);
        lane.watched = (self.history.len()..self.history.len() + looks.len()).collect();
        self.send(index, looks);
    }

    /// All that is watched has been read: the transaction.
    fn send_watched(&mut self, index: usize) {
        let places = std::mem::take(&mut self.lanes[index].watched);
        let seen = places.into_iter().filter_map(|place| {
            let record = &self.history[place];
            let key = record.op.keys()?.first().copied()?;
            Some((key, record.returned.as_ref()?.1.clone()))
        });
        let seen = seen.collect();
        let block = self.workload.block_after(seen, &mut self.random);
        self.send(index, vec![block]);
    }

    fn send(&mut self, index: usize, ops: Vec<Op>) {
        let lane = &mut self.lanes[index];
        for op in ops {
            let (place, is_alone) = (self.history.len(), lane.pending.is_empty());
            let word =
                lane.cache.as_mut().and_then(|cache| cache.ask(place, &op, is_alone, &mut self.random));
            if let Some(word) = word {
                self.links[lane.link].send(&testkit::client::encode(&word));
                lane.pending.push_back(Awaited::Aside);
            }
            op.new_texts().into_iter().for_each(|text| _ = self.writers.insert(text.clone(), place));
            for request in op.prelude(&self.workload.keys.names) {
                self.links[lane.link].send(&testkit::client::encode(&request));
                lane.pending.push_back(Awaited::Aside);
            }
            let mut request = op.args(&self.workload.keys.names);
            // Of those with one key, the next that look alike are as far away as can be.
            let about = if request.len() == 2 { request.concat() } else { request[0].clone() };
            let count = self.asked.entry(about).or_default();
            spell(&mut request[0], *count);
            *count += 1;
            self.links[lane.link].send(&testkit::client::encode(&request));
            lane.pending.push_back(Awaited::Op(self.history.len()));
            // Odd, so that what is sent in the step in which a reply is read comes after it.
            let invoked = 2 * self.now + 1;
            self.history.push(Record { link: lane.link, op, request, invoked, returned: None, seen: None });
        }
    }

    fn read_replies(&mut self, index: usize) -> Result<(), Anomaly> {
        loop {
            let link = &mut self.links[self.lanes[index].link];
            let (reply, used) = match testkit::decode(&link.arrived) {
                Ok(None) => return Ok(()),
                Err(error) => return Err(Anomaly::Reply(error.to_string())),
                Ok(Some(decoded)) => decoded,
            };
            link.arrived.drain(..used);
            if self.lanes[index].role == Role::Watcher {
                self.see(&reply);
                continue;
            }
            if let Value::Push(parts) = &reply {
                self.trace.note(&[3, self.lanes[index].link as u64]);
                self.trace.note_text(&reply.to_string());
                self.hear(index, parts)?;
                continue;
            }
            let lane = &mut self.lanes[index];
            let place = match lane.pending.pop_front() {
                None => return Err(Anomaly::Reply(format!("nobody asked for {reply}"))),
                Some(Awaited::Aside) if matches!(reply, Value::Simple(_) | Value::Map(_)) => continue,
                Some(Awaited::Aside) => {
                    return Err(Anomaly::Reply(format!("a transaction is not begun by {reply}")));
                }
                Some(Awaited::Op(place)) => place,
            };
            self.trace.note(&[2, lane.link as u64, place as u64]);
            self.trace.note_text(&reply.to_string());
            let record = &mut self.history[place];
            if matches!(&record.op, Op::Echo(text) if reply.bytes() != Some(text)) {
                return Err(Anomaly::Reply(format!("{record}, but got {reply}")));
            }
            if let Op::Block { seen, .. } = &record.op
                && reply.is_null()
            {
                if seen.is_empty() {
                    return Err(Anomaly::Reply(format!("{record}, but got {reply}")));
                }
                record.op = Op::Refused;
            }
            if let Op::BlPop(keys, _) = &mut record.op
                && let Some([name, _]) = reply.items()
            {
                // Of several keys that get something at the same time, any may serve who waits for them.
                let names = &self.workload.keys.names;
                keys.retain(|key| name.bytes() == Some(names[*key].as_bytes()));
            }
            if let Op::Stream(op) = &mut record.op {
                let names = &self.workload.keys.names;
                let shown = op.shown(&reply, names);
                let shown = shown.ok_or_else(|| Anomaly::Reply(format!("{op:?}, but got {reply}")))?;
                check_ids(&mut self.ids, &shown)?;
                op.keep_served(&shown.iter().map(|(key, _)| *key).collect::<Vec<_>>());
                lane.memory.bookmarks.keep(op, shown);
            }
            record.returned = Some((2 * self.now, reply));
            if let Some(cache) = &mut self.lanes[index].cache {
                let written = written(&self.history, &self.writers, &self.workload);
                cache.keep(place, &written).map_err(Anomaly::Cache)?;
            }
        }
    }

    /// A watcher reads a line: time, database, address, and the words of a request in quotes.
    fn see(&mut self, line: &Value) {
        let line = line.string().unwrap_or_default();
        let Some((head, words)) = line.split_once("] ") else { return };
        let Some(link) = head.rsplit(' ').next().and_then(|addr| addr.parse::<usize>().ok()) else { return };
        let words: Vec<&[u8]> = words.split('"').skip(1).step_by(2).map(str::as_bytes).collect();
        let unseen = self.unseen.entry(link).or_default();
        let is_it = |record: &Record| record.link == link && record.request == words;
        if let Some(at) = self.history[*unseen..].iter().position(is_it) {
            self.history[*unseen + at].seen = Some(2 * self.now);
            *unseen += at + 1;
        }
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
        let unsettled = self.seats.iter().flat_map(|seat| seat.shard.unsettled()).map(Anomaly::Unsettled);
        let mail = (0..self.seats.len()).filter(|&id| self.exchange.has_mail(id));
        let unread = mail.map(|id| Anomaly::Unsettled(format!("shard {id}: unread mail")));
        let books = self.seats.iter().flat_map(|seat| seat.shard.cx.dbs.iter());
        let wrong = books.filter_map(|db| db.audit().err()).map(Anomaly::Books);
        unsettled.chain(unread).chain(wrong).collect()
    }
}

impl Outcome {
    /// How to see it again, and what went wrong.
    pub fn describe(&self) -> String {
        let broken: Vec<&str> = crate::rules::Rule::ALL
            .into_iter()
            .filter(|rule| !self.plan.rules.keep(*rule))
            .map(|rule| rule.name())
            .collect();
        let broken = if broken.is_empty() { "none".to_owned() } else { broken.join(",") };
        let mut text = format!(
            "seed {} ({} shards, {} operations, {} steps, {} moves; rules broken: {broken}; {:?}; {:?})\n",
            self.plan.seed,
            self.shards,
            self.history.len(),
            self.steps,
            self.moves,
            self.theme,
            self.plan.program_order
        );
        for anomaly in &self.anomalies {
            text += &match anomaly {
                Anomaly::Order(why) => format!("no order explains it: {why}"),
                Anomaly::Undecided(why) => format!("the checker gave up: {why}"),
                Anomaly::Reply(why) => format!("wrong reply: {why}\n"),
                Anomaly::Message(why) => format!("wrong message: {why}\n"),
                Anomaly::Cache(why) => format!("wrong cache: {why}\n"),
                Anomaly::Standstill(why) => format!("everybody waits:\n{why}\n"),
                Anomaly::Unsettled(why) => format!("left over: {why}\n"),
                Anomaly::Books(why) => format!("wrong account: {why}\n"),
            };
        }
        text
    }
}
