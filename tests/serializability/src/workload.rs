//! What clients ask, at random.

use crate::history::{Effect, Key};
use crate::request::{Ending, Request};
use crate::step::Step;
use crate::world::World;
use base::random::Random;
use std::sync::atomic::Ordering;
use testkit::Client;

/// A kind of request, which can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// RPUSH and LRANGE of one list.
    Lists,
    /// XADD, XRANGE and XREAD; and streams wherever there are lists otherwise.
    Streams,
    /// SET, GET, SET … GET, MSET, MGET, EXISTS.
    Registers,
    /// RPUSH, LPOP and LMOVE of queues.
    Queues,
    /// XADD and XREADGROUP of streams whose group is a queue.
    Groups,
    /// MULTI … EXEC over one and several shards, also discarded, refused, with commands that fail.
    Blocks,
    /// WATCH, in the same pipeline as the transaction and ahead of it.
    Watches,
    /// EVAL and EVALSHA with declared keys.
    Scripts,
    /// The same with undeclared keys, or only some declared.
    UndeclaredScripts,
    /// Scripts that read the names of their keys.
    IndirectScripts,
    /// BLPOP and BLMOVE, which wait, and within transactions do not.
    Blocking,
    /// Clients that close their connections with requests under way.
    Vanishing,
    /// CLIENT KILL of clients with requests under way.
    Kills,
}

impl Kind {
    pub const ALL: [Kind; 13] = [
        Kind::Lists,
        Kind::Streams,
        Kind::Registers,
        Kind::Queues,
        Kind::Groups,
        Kind::Blocks,
        Kind::Watches,
        Kind::Scripts,
        Kind::UndeclaredScripts,
        Kind::IndirectScripts,
        Kind::Blocking,
        Kind::Vanishing,
        Kind::Kills,
    ];

    /// The kind of a name, as `{:?}` writes it, in any letters.
    pub fn of_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| format!("{kind:?}").eq_ignore_ascii_case(name))
    }

    /// How often it is chosen.
    fn weight(self) -> u64 {
        match self {
            Kind::Lists => 30,
            Kind::Registers => 30,
            Kind::Streams | Kind::Queues | Kind::Groups => 12,
            Kind::Blocks => 24,
            Kind::Watches => 10,
            Kind::Scripts | Kind::UndeclaredScripts => 12,
            Kind::IndirectScripts => 8,
            Kind::Blocking => 6,
            Kind::Vanishing | Kind::Kills => 0,
        }
    }

    /// The commands it takes.
    fn commands(self) -> &'static [&'static str] {
        match self {
            Kind::Lists => &["RPUSH", "LRANGE"],
            Kind::Streams => &["XADD", "XRANGE", "XREAD"],
            Kind::Registers => &["SET", "GET", "MSET", "MGET", "EXISTS"],
            Kind::Queues => &["RPUSH", "LPOP", "LMOVE"],
            Kind::Groups => &["XADD", "XGROUP", "XREADGROUP"],
            Kind::Blocks => &["MULTI", "EXEC", "DISCARD"],
            Kind::Watches => &["MULTI", "EXEC", "WATCH"],
            Kind::Scripts | Kind::UndeclaredScripts | Kind::IndirectScripts => &["EVAL", "EVALSHA", "SCRIPT"],
            Kind::Blocking => &["BLPOP", "BLMOVE"],
            Kind::Vanishing => &[],
            Kind::Kills => &["CLIENT"],
        }
    }

    /// Of these, those whose commands a server has.
    pub fn known_to(server: &mut Client, kinds: &[Kind]) -> Vec<Kind> {
        let has = |server: &mut Client, command: &&&str| {
            let reply = server.cmd(&["COMMAND", "INFO", command]);
            reply.items().is_some_and(|items| items.iter().all(|item| !item.is_null()))
        };
        let is_known = |kind: &&Kind| kind.commands().iter().all(|command| has(server, &command));
        kinds.iter().filter(is_known).copied().collect()
    }
}

/// Chooses requests for one client.
pub struct Workload<'a> {
    pub world: &'a World,
    pub kinds: &'a [Kind],
    pub random: Random,
    /// Its number among the clients, and its connection.
    pub client: usize,
    pub connection: u32,
}

/// Milliseconds that a blocking command waits at most.
const WAIT_MS_MAX: u64 = 15;
/// Elements in queues beyond which they are rather emptied.
const STOCK: i64 = 20;

impl Workload<'_> {
    pub fn has(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.random.below(count) == 0
    }

    /// What is sent in one go, or a WATCH that is followed by [`Workload::after_watch`].
    pub fn pipeline(&mut self) -> Vec<Request> {
        if self.has(Kind::Watches) && self.one_in(12) {
            let looks = self.looks();
            return vec![Request::Watch(looks)];
        }
        let length = if self.one_in(3) { 1 } else { 1 + self.random.below(10) };
        (0..length).map(|_| self.request()).collect()
    }

    /// The transaction after a WATCH, by what was seen.
    pub fn after_watch(&mut self, seen: Vec<Effect>) -> Vec<Request> {
        let steps = self.steps_on(&seen);
        vec![Request::Block { looks: Vec::new(), seen, steps, ending: Ending::Exec }]
    }

    fn request(&mut self) -> Request {
        if self.has(Kind::Kills) && self.one_in(1500) {
            let victim = self.random.index(self.world.connections.len());
            let connection = self.world.connections[victim].load(Ordering::Relaxed);
            let server_id = self.world.server_ids[victim].load(Ordering::Relaxed);
            // One that has not come yet has no number.
            if victim != self.client && server_id > 0 {
                return Request::Kill { connection, server_id };
            }
        }
        let total = self.kinds.iter().map(|kind| kind.weight()).sum();
        let mut at = self.random.below(total);
        let chosen = self.kinds.iter().find(|kind| match at.checked_sub(kind.weight()) {
            None => true,
            Some(rest) => {
                at = rest;
                false
            }
        });
        match chosen.expect("some kind has weight") {
            Kind::Lists => Request::Single(self.list_step()),
            Kind::Registers => Request::Single(self.register_step()),
            Kind::Streams => Request::Single(self.stream_step()),
            Kind::Queues => Request::Single(self.queue_step()),
            Kind::Groups => Request::Single(self.group_step()),
            Kind::Blocks => self.block(),
            Kind::Watches => {
                let looks = self.looks();
                let on: Vec<Effect> = looks.iter().map(seen_by).collect();
                let steps = self.steps_on(&on);
                Request::Block { looks, seen: Vec::new(), steps, ending: Ending::Exec }
            }
            Kind::Scripts => self.script(false),
            Kind::UndeclaredScripts => self.script(true),
            Kind::IndirectScripts => {
                let register = self.world.shared(&mut self.random);
                let value = self.one_in(2).then(|| self.world.number());
                self.world.list_to_append(&mut self.random);
                let generation = self.world.generation();
                let by_hash = self.one_in(2);
                Request::Indirect { register, generation, element: self.world.number(), value, by_hash }
            }
            Kind::Blocking => Request::Single(self.blocking_step()),
            Kind::Vanishing | Kind::Kills => unreachable!("they have no weight"),
        }
    }

    fn list_step(&mut self) -> Step {
        match self.random.below(5) {
            0..=2 => {
                let count = if self.one_in(8) { 2 } else { 1 };
                self.append(count)
            }
            _ => Step::List(self.row()),
        }
    }

    fn is_stream(&mut self) -> bool {
        self.has(Kind::Streams) && self.one_in(3)
    }

    /// A list or stream in use.
    fn row(&mut self) -> Key {
        match self.is_stream() {
            true => self.world.stream(&mut self.random),
            false => self.world.list(&mut self.random),
        }
    }

    fn stream_step(&mut self) -> Step {
        match self.random.below(4) {
            0 => Step::List(self.world.stream(&mut self.random)),
            1 => Step::Append(self.world.stream_to_append(&mut self.random), vec![self.world.number()]),
            _ => {
                let count = 1 + self.random.index(4);
                let mut keys: Vec<Key> = (0..count).map(|_| self.world.stream(&mut self.random)).collect();
                keys.sort_unstable();
                keys.dedup();
                self.random.shuffle(&mut keys);
                Step::ReadAll(keys)
            }
        }
    }

    fn append(&mut self, count: usize) -> Step {
        let key = match self.is_stream() {
            true => self.world.stream_to_append(&mut self.random),
            false => self.world.list_to_append(&mut self.random),
        };
        Step::Append(key, (0..count).map(|_| self.world.number()).collect())
    }

    fn own_register(&mut self) -> Key {
        self.world.owned(self.connection, &mut self.random)
    }

    /// Registers of different connections, or shared ones, each once.
    fn registers(&mut self) -> Vec<Key> {
        let count = 1 + self.random.index(5);
        let mut keys: Vec<Key> = (0..count)
            .map(|_| match self.random.below(4) {
                0 => self.world.shared(&mut self.random),
                _ => {
                    let connection = self.world.some_connection(&mut self.random);
                    self.world.owned(connection, &mut self.random)
                }
            })
            .collect();
        keys.sort_unstable();
        keys.dedup();
        self.random.shuffle(&mut keys);
        keys
    }

    fn register_step(&mut self) -> Step {
        match self.random.below(10) {
            0 => Step::Put(self.own_register(), self.world.number()),
            1 | 2 => {
                let mut keys: Vec<Key> = (0..2 + self.random.index(3)).map(|_| self.own_register()).collect();
                keys.sort_unstable();
                keys.dedup();
                Step::PutAll(keys.into_iter().map(|key| (key, self.world.number())).collect())
            }
            3 => Step::Swap(self.world.shared(&mut self.random), self.world.number()),
            4 => Step::Get(self.world.shared(&mut self.random)),
            5 => Step::Exist(self.registers()),
            _ => Step::GetAll(self.registers()),
        }
    }

    fn some_queue(&mut self) -> Key {
        let connection = self.world.some_connection(&mut self.random);
        self.world.queue(connection, &mut self.random)
    }

    fn queue_step(&mut self) -> Step {
        let stock = self.world.stock.load(Ordering::Relaxed);
        if self.random.below(3) > u64::from(stock < STOCK) {
            self.world.stock.fetch_sub(1, Ordering::Relaxed);
            let from = self.some_queue();
            return match self.random.below(2) {
                0 => Step::Pop(from),
                _ => Step::Move(from, self.world.list_to_append(&mut self.random)),
            };
        }
        let key = self.world.queue(self.connection, &mut self.random);
        let count = 1 + self.random.index(2);
        self.world.stock.fetch_add(count as i64, Ordering::Relaxed);
        Step::Push(key, (0..count).map(|_| self.world.number()).collect())
    }

    /// An entry for a group of its own, or the next one of any, for which it may wait.
    fn group_step(&mut self) -> Step {
        let stock = self.world.group_stock.load(Ordering::Relaxed);
        if self.random.below(3) > u64::from(stock < STOCK) {
            self.world.group_stock.fetch_sub(1, Ordering::Relaxed);
            let connection = self.world.some_connection(&mut self.random);
            let from = self.world.group(connection, &mut self.random);
            let waits = self.has(Kind::Blocking) && self.one_in(4);
            return if waits {
                Step::AwaitPop(vec![from], 1 + self.random.below(WAIT_MS_MAX))
            } else {
                Step::Pop(from)
            };
        }
        self.world.group_stock.fetch_add(1, Ordering::Relaxed);
        let key = self.world.group(self.connection, &mut self.random);
        Step::Push(key, vec![self.world.number()])
    }

    fn blocking_step(&mut self) -> Step {
        self.world.stock.fetch_sub(1, Ordering::Relaxed);
        let wait_ms = 1 + self.random.below(WAIT_MS_MAX);
        if self.one_in(2) {
            let from = self.some_queue();
            return Step::AwaitMove(from, self.world.list_to_append(&mut self.random), wait_ms);
        }
        let mut keys: Vec<Key> = (0..1 + self.random.index(4)).map(|_| self.some_queue()).collect();
        let mut seen = Vec::new();
        keys.retain(|key| {
            !seen.contains(key) && {
                seen.push(*key);
                true
            }
        });
        Step::AwaitPop(keys, wait_ms)
    }

    /// A command for a transaction.
    fn step(&mut self) -> Step {
        match self.random.below(12) {
            0..=6 if self.has(Kind::Streams) && self.one_in(4) => self.stream_step(),
            0..=6 => self.list_step(),
            7..=9 => self.register_step(),
            10 if self.has(Kind::Blocking) && self.one_in(3) => self.blocking_step(),
            10 if self.has(Kind::Groups) => self.group_step(),
            _ => self.queue_step(),
        }
    }

    fn block(&mut self) -> Request {
        let mut steps: Vec<Step> = (0..self.random.index(6)).map(|_| self.step()).collect();
        if self.one_in(4)
            && let Some(tag) = steps.iter().find_map(|step| match step {
                Step::Append(key, _) | Step::List(key) => Some(*key),
                _ => None,
            })
        {
            // All on one list, and so on one shard.
            steps = (0..1 + self.random.index(4)).map(|_| self.on_list(tag)).collect();
        }
        let ending = match self.random.below(16) {
            0 => Ending::Discard,
            1 => Ending::Broken,
            2 => Ending::Failing,
            _ => Ending::Exec,
        };
        Request::Block { looks: Vec::new(), seen: Vec::new(), steps, ending }
    }

    fn on_list(&mut self, key: Key) -> Step {
        match self.random.below(2) {
            0 => Step::Append(key, vec![self.world.number()]),
            _ => Step::List(key),
        }
    }

    /// Reads of what is watched: lists, streams and shared registers.
    fn looks(&mut self) -> Vec<Step> {
        let mut looks = vec![Step::List(self.row())];
        if self.one_in(2) {
            looks.push(Step::Get(self.world.shared(&mut self.random)));
        }
        if self.one_in(3) {
            looks.push(Step::List(self.row()));
        }
        looks
    }

    /// What a transaction does after it has seen something: it changes some of that, and others.
    fn steps_on(&mut self, seen: &[Effect]) -> Vec<Step> {
        let mut steps = Vec::new();
        for effect in seen {
            match (self.random.below(3), effect.key()) {
                (0, _) => {}
                (_, key) if key.is_row() => steps.push(Step::Append(key, vec![self.world.number()])),
                (_, key @ Key::Shared(_)) => steps.push(Step::Put(key, self.world.number())),
                _ => {}
            }
        }
        if self.one_in(2) {
            steps.push(self.list_step());
        }
        steps
    }

    fn script(&mut self, undeclared: bool) -> Request {
        let step = |load: &mut Self| match load.random.below(8) {
            0..=3 => load.append(1),
            4 | 5 => Step::List(load.row()),
            6 => Step::Swap(load.world.shared(&mut load.random), load.world.number()),
            _ => Step::Get(load.world.shared(&mut load.random)),
        };
        let steps: Vec<Step> = (0..1 + self.random.index(4)).map(|_| step(self)).collect();
        let declared = if undeclared { self.random.index(steps.len()) } else { steps.len() };
        let fails_after = self.one_in(16).then(|| 1 + self.random.index(steps.len()));
        // What the register held is told by the reply only.
        let tells = |step: &Step| !matches!(step, Step::Swap(..));
        let fails_after = fails_after.filter(|_| steps.iter().all(tells));
        Request::Script { steps, declared, fails_after, by_hash: self.one_in(2) }
    }
}

/// What a read will have seen, as far as its key is concerned.
fn seen_by(look: &Step) -> Effect {
    match look {
        Step::List(key) => Effect::List { key: *key, elements: Box::default() },
        Step::Get(key) => Effect::Got { key: *key, value: None },
        other => unreachable!("{other:?} is no look"),
    }
}
