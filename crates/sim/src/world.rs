//! One run: shards, clients and connections, and who takes the next step. Everything follows from the seed.

use crate::check::{self, ProgramOrder, Verdict};
use crate::exchange::{Exchange, Progress};
use crate::history::Record;
use crate::network::Link;
use crate::rules::Rules;
use crate::seat::{Around, Seat};
use crate::trace::Trace;
use crate::workload::{Op, Role, Text, Workload};
use base::random::Random;
use config::Config;
use keyspace::ValueRef;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    pub rules: Rules,
    /// With operations on several keys.
    pub multi: bool,
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
}

/// Runs a plan.
pub fn run(plan: Plan) -> Outcome {
    let mut world = World::new(plan);
    let end = world.serve().and_then(|()| world.audit());
    let mut anomalies: Vec<Anomaly> = end.err().into_iter().collect();
    if anomalies.is_empty() {
        anomalies = world.leftovers();
    }
    match check::check(&world.history, plan.program_order, CHECK_BUDGET) {
        Verdict::Serializable => {}
        Verdict::Anomalous(text) => anomalies.push(Anomaly::Order(text)),
        Verdict::Undecided(text) => anomalies.push(Anomaly::Undecided(text)),
    }
    Outcome {
        plan,
        anomalies,
        history: world.history,
        trace: world.trace.hash(),
        steps: world.now,
        shards: world.seats.len(),
    }
}

/// Places the checker tries before it gives up.
const CHECK_BUDGET: usize = 200_000;
/// Steps after which a run has lost its way; usual ones take some thousand.
const STEPS_MAX: u64 = 200_000;

/// A client.
struct Lane {
    /// Its connections, and the one it uses now. It takes another when nothing is outstanding.
    links: Vec<usize>,
    link: usize,
    role: Role,
    /// Operations sent and not answered, by their place in the history.
    pending: VecDeque<usize>,
    /// The string it read last.
    last_read: usize,
    /// Out of 8: how readily it acts, and how readily the network does.
    eager: u64,
    quick: u64,
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
    /// Changes of each shard when it was last looked at.
    dirty: Vec<u64>,
    /// A shard that stands still, and until when.
    frozen: Option<(usize, u64)>,
    /// How often, in thousandths of its steps, that happens to a shard in the middle of a publication, before it has run all it
    /// took, and elsewhere.
    chill: [u64; 3],
    workload: Workload,
    history: Vec<Record>,
    /// Which operation writes a string.
    writers: HashMap<Text, usize>,
    /// Operations to send: by clients that write, by those that only read.
    ops_left: [usize; 2],
    trace: Trace,
    /// Connections that clients still break off.
    kills_left: u64,
}

impl World {
    fn new(plan: Plan) -> Self {
        let mut random = Random::from_seed(plan.seed);
        let shards = [1, 2, 3, 3, 3, 4, 4, 5][random.index(8)];
        let config = Arc::new(Config::default());
        let seats = (0..shards).map(|id| Seat::new(id, shards, plan.rules, &config, &mut random)).collect();
        let workload = Workload::new(plan.multi, &mut random);
        let mut world = Self {
            now: 0,
            exchange: Exchange::new(shards, plan.rules),
            seats,
            links: Vec::new(),
            lanes: Vec::new(),
            weights: (0..shards).map(|_| [1, 3, 10][random.index(3)]).collect(),
            dirty: vec![0; shards],
            frozen: None,
            chill: [[20, 150, 500], [0, 40, 150], [2, 8, 25]].map(|choice| choice[random.index(3)]),
            workload,
            history: Vec::new(),
            writers: HashMap::new(),
            ops_left: [20 + random.index(40), 30 + random.index(60)],
            trace: Trace::default(),
            kills_left: random.below(2) * random.below(4),
            random,
        };
        let roles = [Role::Writer, Role::Reader, Role::Reader, Role::Mixed];
        for index in 0..3 + world.random.index(4) {
            let role = if index < 2 { roles[index] } else { roles[world.random.index(4)] };
            world.enter(role);
        }
        world
    }

    /// A client comes. Those that only read act at once, for what they may see wrongly does not last.
    fn enter(&mut self, role: Role) {
        let count = if role == Role::Reader { 1 + self.random.index(3) } else { 1 };
        let links: Vec<usize> = (0..count).map(|_| self.connect()).collect();
        let (eager, quick) = match role {
            Role::Reader => (8, 8),
            _ => (1 + self.random.below(8), 2 + self.random.below(7)),
        };
        let (link, last_read) = (links[0], self.random.index(4));
        self.lanes.push(Lane { links, link, role, pending: VecDeque::new(), last_read, eager, quick });
    }

    fn connect(&mut self) -> usize {
        let shard = self.random.index(self.seats.len());
        self.links.push(Link::new(shard));
        self.links.len() - 1
    }

    /// Runs until all operations have been sent and answered, and all shards sleep.
    fn serve(&mut self) -> Result<(), Anomaly> {
        while !self.is_over() {
            self.now += 1;
            if self.now > STEPS_MAX || self.now.is_multiple_of(64) && self.stands_still() {
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
        self.ops_left == [0, 0] && self.lanes.iter().all(|lane| lane.pending.is_empty()) && self.is_idle()
    }

    fn is_idle(&self) -> bool {
        self.seats.iter().all(|seat| seat.is_idle(&self.exchange, &self.links))
            && self.links.iter().all(Link::is_quiet)
    }

    /// Whether nothing can ever happen again, though replies are missing.
    fn stands_still(&self) -> bool {
        self.is_idle() && self.lanes.iter().all(|lane| !lane.pending.is_empty())
    }

    fn describe(&self) -> String {
        let mut text: Vec<String> = self.seats.iter().flat_map(|seat| seat.shard.unsettled()).collect();
        text.extend(self.lanes.iter().filter_map(|lane| {
            let first = lane.pending.front()?;
            Some(format!("unanswered: {}", self.history[*first]))
        }));
        let full = (0..self.seats.len()).filter(|&id| self.exchange.has_mail(id));
        text.extend(full.map(|id| format!("shard {id}: unread mail")));
        text.join("\n")
    }

    /// One shard takes a step.
    fn seat_step(&mut self) {
        if self.frozen.is_some_and(|(_, until)| until <= self.now) {
            self.frozen = None;
        }
        let Some(id) = self.next_seat() else { return };
        let mut around = Around {
            exchange: &mut self.exchange,
            links: &mut self.links,
            random: &mut self.random,
            now_us: self.now,
        };
        let seat = &mut self.seats[id];
        let progress = seat.step(&mut around);
        self.trace.note(&[1, id as u64, progress as u64]);
        self.look_for_writes(id);
        self.consider_freezing(id, progress);
    }

    /// Notes which writes show in a shard's keyspace for the first time.
    fn look_for_writes(&mut self, id: usize) {
        let shard = &self.seats[id].shard;
        let dirty: u64 = shard.cx.dirty;
        if std::mem::replace(&mut self.dirty[id], dirty) == dirty {
            return;
        }
        for (_, value, _) in shard.cx.dbs[0].iter() {
            let ValueRef::Str { bytes, .. } = value else { continue };
            for text in check::texts(bytes.bytes()) {
                if let Some(&place) = self.writers.get(&text) {
                    self.history[place].applied.get_or_insert(2 * self.now);
                }
            }
        }
    }

    /// One of the shards that could run.
    fn next_seat(&mut self) -> Option<usize> {
        let runs = |id: &usize| {
            self.frozen.is_none_or(|(frozen, _)| frozen != *id)
                && !self.seats[*id].is_idle(&self.exchange, &self.links)
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

    /// Stops a shard for a while, rather where it hurts.
    fn consider_freezing(&mut self, id: usize, progress: Progress) {
        if self.frozen.is_some() || progress == Progress::Waits {
            return;
        }
        let seat = &self.seats[id];
        let place = if seat.is_mid_publication() { 0 } else { 2 - usize::from(seat.is_loaded()) };
        if self.random.below(1000) < self.chill[place] {
            self.frozen = Some((id, self.now + 30 + self.random.below(400)));
        }
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
        if self.kills_left > 0 && self.random.below(200) == 0 {
            self.kills_left -= 1;
            self.links[lane.link].abandon(&mut self.random);
            let link = self.connect();
            let lane = &mut self.lanes[index];
            lane.links.iter_mut().filter(|old| **old == lane.link).for_each(|old| *old = link);
            lane.link = link;
            lane.pending.clear();
            return Ok(());
        }
        let may_send = lane.pending.is_empty() || lane.role != Role::Reader && lane.pending.len() < 8;
        let reluctance = if lane.pending.is_empty() { 8 } else { 64 };
        let budget = usize::from(lane.role == Role::Reader);
        if self.ops_left[budget] > 0 && may_send && self.random.below(reluctance) < lane.eager {
            let lane = &mut self.lanes[index];
            if lane.pending.is_empty() {
                lane.link = lane.links[self.random.index(lane.links.len())];
            }
            let ops = self.workload.pipeline(lane.role, &mut lane.last_read, &mut self.random);
            self.ops_left[budget] = self.ops_left[budget].saturating_sub(ops.len());
            self.send(index, ops);
        }
        Ok(())
    }

    fn send(&mut self, index: usize, ops: Vec<Op>) {
        let lane = &mut self.lanes[index];
        for op in ops {
            self.links[lane.link].send(&op.encode(&self.workload.keys));
            lane.pending.push_back(self.history.len());
            for text in op.new_texts() {
                self.writers.insert(text.clone(), self.history.len());
            }
            // Odd, so that what is sent in the step in which a reply is read comes after it.
            self.history.push(Record {
                link: lane.link,
                op,
                invoked: 2 * self.now + 1,
                returned: None,
                applied: None,
            });
        }
    }

    fn read_replies(&mut self, index: usize) -> Result<(), Anomaly> {
        let lane = &mut self.lanes[index];
        let link = &mut self.links[lane.link];
        loop {
            match testkit::decode(&link.arrived) {
                Ok(None) => return Ok(()),
                Err(error) => return Err(Anomaly::Reply(error.to_string())),
                Ok(Some((reply, used))) => {
                    link.arrived.drain(..used);
                    let Some(place) = lane.pending.pop_front() else {
                        return Err(Anomaly::Reply(format!("nobody asked for {reply}")));
                    };
                    self.trace.note(&[2, lane.link as u64, place as u64]);
                    self.trace.note_text(&reply.to_string());
                    let record = &mut self.history[place];
                    if matches!(&record.op, Op::Echo(text) if reply.bytes() != Some(text)) {
                        return Err(Anomaly::Reply(format!("{record}, but got {reply}")));
                    }
                    record.returned = Some((2 * self.now, reply));
                }
            }
        }
    }

    /// At the end a new client reads everything.
    fn audit(&mut self) -> Result<(), Anomaly> {
        self.kills_left = 0;
        self.frozen = None;
        self.lanes.clear();
        self.enter(Role::Reader);
        self.ops_left = [0, 0];
        self.now += 1;
        let reads = self.workload.keys.audit();
        self.send(0, reads);
        self.serve()
    }

    /// What should not be there when all is answered.
    fn leftovers(&self) -> Vec<Anomaly> {
        let unsettled = self.seats.iter().flat_map(|seat| seat.shard.unsettled()).map(Anomaly::Unsettled);
        let mail = (0..self.seats.len()).filter(|&id| self.exchange.has_mail(id));
        let unread = mail.map(|id| Anomaly::Unsettled(format!("shard {id}: unread mail")));
        let books = self.seats.iter().flat_map(|seat| &seat.shard.cx.dbs);
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
            "seed {} ({} shards, {} operations, {} steps; rules broken: {broken}; multi: {}; {:?})\n",
            self.plan.seed,
            self.shards,
            self.history.len(),
            self.steps,
            self.plan.multi,
            self.plan.program_order
        );
        for anomaly in &self.anomalies {
            text += &match anomaly {
                Anomaly::Order(why) => format!("no order explains it: {why}"),
                Anomaly::Undecided(why) => format!("the checker gave up: {why}"),
                Anomaly::Reply(why) => format!("wrong reply: {why}\n"),
                Anomaly::Standstill(why) => format!("everybody waits:\n{why}\n"),
                Anomaly::Unsettled(why) => format!("left over: {why}\n"),
                Anomaly::Books(why) => format!("wrong account: {why}\n"),
            };
        }
        text
    }
}
