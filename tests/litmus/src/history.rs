//! What clients did and saw, with the times between which it happened.
//!
//! The workload has two kinds of keys. *Registers* hold a number that is never written twice. *Logs* only grow, by APPEND of
//! numbers of a fixed width that are never appended twice: who reads one sees all its appends in their order, and the reply
//! of APPEND tells the place of its own. [`registers::check`] and [`cycles::check`] judge the outcome.
//!
//! [`registers::check`]: crate::registers::check
//! [`cycles::check`]: crate::cycles::check

use crate::{Arena, Play};
use base::random::Random;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use testkit::client::encode;
use testkit::{Client, Value};

/// Digits of a number in a log.
const WIDTH: usize = 8;
const REGISTERS: usize = 8;
/// Logs in use at a time.
const LOGS: usize = 6;
/// After so many appends other logs are used, lest the old ones grow too long to be read often.
const APPENDS_PER_LOGS: u64 = 240;
/// Pipelines are at most this long.
const PIPELINE_MAX: u64 = 10;

/// Something that is unique among all writes.
pub type Number = u32;

/// What an operation did to a key or saw of it. An operation has at most one of each kind for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A register was set.
    Put { key: u32, value: Number },
    /// A register was read; `None`: it had never been set.
    Got { key: u32, value: Option<Number> },
    /// A log grew; `place` counts from 0.
    Appended { key: u32, value: Number, place: u32 },
    /// A log was read.
    Listed { key: u32, values: Vec<Number> },
}

impl Effect {
    /// The key.
    pub fn key(&self) -> u32 {
        match self {
            Effect::Put { key, .. }
            | Effect::Got { key, .. }
            | Effect::Appended { key, .. }
            | Effect::Listed { key, .. } => *key,
        }
    }

    /// Whether it changes the key.
    pub fn is_write(&self) -> bool {
        matches!(self, Effect::Put { .. } | Effect::Appended { .. })
    }
}

/// An operation that has been answered.
#[derive(Clone, Debug)]
pub struct Operation {
    pub client: u32,
    /// Which pipeline of the client; its operations follow each other.
    pub pipeline: u32,
    /// Just before the pipeline was sent, and just after the reply was read, in ns since the start.
    pub invoked_ns: u64,
    pub completed_ns: u64,
    pub effects: Vec<Effect>,
}

/// A request, with what is to be made of its reply.
enum Request {
    Get(u32),
    Set(u32, Number),
    Exchange(u32, Number),
    Mset(Vec<(u32, Number)>),
    Mget(Vec<u32>),
    Append(u32, Number),
}

/// What all clients share.
struct World {
    registers: Vec<String>,
    /// The prefix of the logs on each shard: a hash tag.
    logs: Vec<String>,
    next_number: AtomicU64,
    appends: AtomicU64,
    start: Instant,
}

impl World {
    fn number(&self) -> Number {
        u32::try_from(self.next_number.fetch_add(1, Ordering::Relaxed)).expect("fewer than 2^32 writes")
    }

    fn name(&self, key: u32) -> String {
        let key = key as usize;
        match key.checked_sub(REGISTERS) {
            None => self.registers[key].clone(),
            Some(log) => format!("{{{}}}:{}", self.logs[log % LOGS], log / LOGS),
        }
    }

    fn log(&self, random: &mut Random) -> u32 {
        let generation = self.appends.load(Ordering::Relaxed) / APPENDS_PER_LOGS;
        (REGISTERS + generation as usize * LOGS + random.index(LOGS)) as u32
    }

    fn request(&self, random: &mut Random) -> Request {
        let register = random.index(REGISTERS) as u32;
        let mut several = |most: u64| {
            let mut keys: Vec<u32> = (0..REGISTERS as u32).collect();
            random.shuffle(&mut keys);
            keys.truncate(2 + random.below(most - 1) as usize);
            keys
        };
        let (few, some) = (several(4), several(5));
        match random.below(20) {
            0..=3 => Request::Get(register),
            4..=6 => Request::Set(register, self.number()),
            7..=8 => Request::Exchange(register, self.number()),
            9..=11 => Request::Mset(few.into_iter().map(|key| (key, self.number())).collect()),
            12..=16 => {
                let logs: Vec<u32> = (0..random.below(3)).map(|_| self.log(random)).collect();
                let mut keys = [logs, some].concat();
                keys.sort_unstable();
                keys.dedup();
                random.shuffle(&mut keys);
                Request::Mget(keys)
            }
            _ => {
                self.appends.fetch_add(1, Ordering::Relaxed);
                Request::Append(self.log(random), self.number())
            }
        }
    }

    fn words(&self, request: &Request) -> Vec<String> {
        let set = |key: u32, value: Number| ["SET".into(), self.name(key), value.to_string()];
        match request {
            Request::Get(key) => vec!["GET".into(), self.name(*key)],
            Request::Set(key, value) => set(*key, *value).to_vec(),
            Request::Exchange(key, value) => [&set(*key, *value)[..], &["GET".into()]].concat(),
            Request::Mset(pairs) => {
                let pairs = pairs.iter().flat_map(|(key, value)| [self.name(*key), value.to_string()]);
                ["MSET".to_string()].into_iter().chain(pairs).collect()
            }
            Request::Mget(keys) => {
                ["MGET".to_string()].into_iter().chain(keys.iter().map(|key| self.name(*key))).collect()
            }
            Request::Append(key, value) => {
                vec!["APPEND".into(), self.name(*key), format!("{value:0WIDTH$x}")]
            }
        }
    }

    fn client(
        &self,
        client: u32,
        connection: &mut Client,
        mut random: Random,
        count: usize,
    ) -> Vec<Operation> {
        let mut done = Vec::with_capacity(count);
        for pipeline in 0.. {
            if done.len() >= count {
                break;
            }
            // Every third request goes alone.
            let length = if random.below(3) == 0 { 1 } else { 1 + random.below(PIPELINE_MAX) };
            let requests: Vec<Request> = (0..length).map(|_| self.request(&mut random)).collect();
            let bytes: Vec<u8> = requests.iter().flat_map(|request| encode(&self.words(request))).collect();
            let invoked_ns = self.now_ns();
            connection.send_raw(&bytes).expect("the server takes input");
            for request in &requests {
                let reply = connection.reply().expect("the server answers");
                let completed_ns = self.now_ns();
                let effects = effects(request, &reply);
                done.push(Operation { client, pipeline, invoked_ns, completed_ns, effects });
            }
        }
        done
    }

    fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
}

/// What a reply tells.
///
/// # Panics
/// When it is no reply to such a request.
fn effects(request: &Request, reply: &Value) -> Vec<Effect> {
    match request {
        Request::Get(key) => vec![got(*key, reply)],
        Request::Set(key, value) => {
            assert!(reply.is_ok(), "SET: {reply}");
            vec![Effect::Put { key: *key, value: *value }]
        }
        Request::Exchange(key, value) => vec![got(*key, reply), Effect::Put { key: *key, value: *value }],
        Request::Mset(pairs) => {
            assert!(reply.is_ok(), "MSET: {reply}");
            pairs.iter().map(|&(key, value)| Effect::Put { key, value }).collect()
        }
        Request::Mget(keys) => {
            let values = reply.items().unwrap_or_else(|| panic!("MGET: {reply}"));
            assert_eq!(values.len(), keys.len());
            keys.iter().zip(values).map(|(&key, value)| got(key, value)).collect()
        }
        Request::Append(key, value) => {
            let length = reply.integer().unwrap_or_else(|| panic!("APPEND: {reply}")) as usize;
            assert!(length > 0 && length.is_multiple_of(WIDTH), "APPEND: {reply}");
            vec![Effect::Appended { key: *key, value: *value, place: (length / WIDTH - 1) as u32 }]
        }
    }
}

fn got(key: u32, reply: &Value) -> Effect {
    let text = reply.string();
    if (key as usize) < REGISTERS {
        let value = text.map(|text| text.parse().unwrap_or_else(|_| panic!("register {key}: {text}")));
        return Effect::Got { key, value };
    }
    let text = text.unwrap_or_default();
    assert!(text.len().is_multiple_of(WIDTH), "log {key}: {text}");
    let number = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).expect("digits");
        Number::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("log {key}: {text}"))
    };
    Effect::Listed { key, values: text.as_bytes().chunks(WIDTH).map(number).collect() }
}

/// Lets `clients` clients do about `count` operations together, and gives all of them, each client's in its order.
pub fn record(arena: &Arena, clients: usize, count: usize) -> Vec<Operation> {
    let world = World {
        registers: arena.keys("register", REGISTERS),
        logs: arena.keys("log", LOGS),
        next_number: AtomicU64::new(1),
        appends: AtomicU64::new(0),
        start: Instant::now(),
    };
    let all = Mutex::new(Vec::new());
    let mut play = Play::new();
    for client in 0..clients {
        let (world, all) = (&world, &all);
        play.work(move || {
            let mut connection = arena.client();
            let done = world.client(client as u32, &mut connection, arena.random(client), count / clients);
            all.lock().expect("no client has panicked").push(done);
        });
    }
    play.run();
    let mut all = all.into_inner().expect("no client has panicked");
    all.sort_by_key(|done| done.first().map(|operation| operation.client));
    all.concat()
}
