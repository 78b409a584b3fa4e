//! Clients that cache what they have read (CLIENT TRACKING): nobody keeps what is not so any more, and nobody who has learned of a write
//! by the server still has from before it what was written.

use base::random::Random;
use litmus::{Arena, Play, everywhere};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use testkit::{Client, Value};

const WRITERS: usize = 3;
/// Keys of each writer, on all shards, that are written by commands for one shard each.
const OWN_KEYS: usize = 6;
/// Keys that everybody writes, in any way.
const SHARED_KEYS: usize = 6;
const MODES: [&str; 6] = ["", "NOLOOP", "OPTIN", "OPTOUT", "BCAST", "BCAST PREFIX own PREFIX shared"];

struct Names {
    /// Of each writer.
    own: Vec<Vec<String>>,
    shared: Vec<String>,
    /// Where each writer tells how far it has come, after it has got the reply.
    told: Vec<String>,
}

impl Names {
    fn new(arena: &Arena) -> Names {
        let own = |writer| arena.keys(&format!("own:{writer}:"), OWN_KEYS);
        let told = arena.keys("told", WRITERS);
        Names { own: (0..WRITERS).map(own).collect(), shared: arena.keys("shared", SHARED_KEYS), told }
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        self.own.iter().flatten().chain(&self.shared)
    }
}

fn number(value: &Value) -> u64 {
    value.string().map_or(0, |text| text.parse().expect("values are numbers"))
}

/// What a client asks for, in the order of the replies.
enum Asked {
    /// These keys, in an array if there are several.
    Keys(Vec<String>),
    /// How far a writer has come.
    Told(usize),
    /// Something else.
    Word,
}

/// A client that caches.
struct Reader<'a> {
    client: Client,
    names: &'a Names,
    mode: &'static str,
    cached: HashMap<String, u64>,
    asked: VecDeque<Asked>,
    random: Random,
    heard: usize,
}

impl<'a> Reader<'a> {
    fn new(arena: &Arena, names: &'a Names, place: usize) -> Reader<'a> {
        let (mut client, mode) = (arena.client(), MODES[place % MODES.len()]);
        client.hello3();
        assert!(client.run(&format!("CLIENT TRACKING ON {mode}")).is_ok());
        let (cached, asked, random) = (HashMap::new(), VecDeque::new(), arena.random(100 + place));
        Reader { client, names, mode, cached, asked, random, heard: 0 }
    }

    fn send(&mut self, words: &[&str], asked: Asked) {
        self.client.send(words).expect("the server is there");
        self.asked.push_back(asked);
    }

    fn ask(&mut self) {
        let names = self.names;
        let pick = |random: &mut Random| match random.below(2) {
            0 => &names.shared[random.index(SHARED_KEYS)],
            _ => &names.own[random.index(WRITERS)][random.index(OWN_KEYS)],
        };
        match self.random.below(4) {
            0 => {
                let writer = self.random.index(WRITERS);
                self.send(&["GET", &names.told[writer]], Asked::Told(writer));
            }
            kind => {
                if self.mode == "OPTIN" {
                    self.send(&["CLIENT", "CACHING", "YES"], Asked::Word);
                }
                let count = if kind == 1 { 4 } else { 1 };
                let keys: Vec<String> = (0..count).map(|_| pick(&mut self.random).clone()).collect();
                let word = if kind == 1 { "MGET" } else { "GET" };
                let words: Vec<&str> = [word].into_iter().chain(keys.iter().map(String::as_str)).collect();
                self.client.send(&words).expect("the server is there");
                self.asked.push_back(Asked::Keys(keys));
            }
        }
    }

    /// Asks for a few things at once, and takes in what comes.
    fn look(&mut self) {
        for _ in 0..1 + self.random.index(4) {
            self.ask();
        }
        self.listen();
    }

    /// Takes in what comes until all replies are there.
    fn listen(&mut self) {
        while !self.asked.is_empty() {
            let value = self.client.receive().expect("the server answers");
            match value {
                Value::Push(parts) => self.forget(&parts),
                reply => self.keep(reply),
            }
        }
    }

    fn forget(&mut self, parts: &[Value]) {
        assert_eq!(parts[0].string().as_deref(), Some("invalidate"));
        self.heard += 1;
        match &parts[1] {
            Value::Null => self.cached.clear(),
            Value::Array(keys) => keys.iter().for_each(|key| {
                self.cached.remove(&key.string().expect("keys are strings"));
            }),
            other => panic!("{other}"),
        }
    }

    fn keep(&mut self, reply: Value) {
        match self.asked.pop_front().expect("a reply is to a request") {
            Asked::Word => assert!(reply.is_ok(), "{reply}"),
            Asked::Keys(keys) => match reply {
                Value::Array(values) => keys.into_iter().zip(&values).for_each(|(key, value)| {
                    self.cached.insert(key, number(value));
                }),
                value => {
                    self.cached.extend(keys.into_iter().map(|key| (key, number(&value))));
                }
            },
            // With BCAST what a turn brings comes behind its replies, as in Redis.
            Asked::Told(_) if self.mode.starts_with("BCAST") => {}
            Asked::Told(writer) => {
                let told = number(&reply);
                for (place, key) in self.names.own[writer].iter().enumerate() {
                    // A writer goes round its keys.
                    let since = (told + OWN_KEYS as u64 - place as u64) % OWN_KEYS as u64;
                    let least = told.checked_sub(since);
                    if let (Some(cached), Some(least)) = (self.cached.get(key), least) {
                        let is_gone = *cached == 0;
                        assert!(
                            is_gone || *cached >= least,
                            "{key} is {cached} in the cache ({}), and {told} has been told",
                            self.mode
                        );
                    }
                }
            }
        }
    }
}

/// Writes its own keys in turn, each by a command for one shard, and tells of it; in between, shared keys in any way.
fn write(arena: &Arena, names: &Names, writer: usize) {
    let (mut client, mut random) = (arena.client(), arena.random(writer));
    let own = &names.own[writer];
    for round in 1..=arena.rounds as u64 {
        let (key, version) = (&own[(round % OWN_KEYS as u64) as usize], round.to_string());
        match random.below(6) {
            0 => {
                let script = "return redis.call('SET', KEYS[1], ARGV[1])";
                assert!(client.cmd(&["EVAL", script, "1", key, &version]).is_ok());
            }
            1 => {
                let block = [&["MULTI"][..], &["GET", key], &["SET", key, &version], &["EXEC"]];
                assert!(!client.pipeline(&block)[3].is_error());
            }
            2 => {
                let other = &names.told[writer];
                // Nobody has been told of the version in between.
                assert!(client.cmd(&["MSET", key, &version, &format!("{other}:x"), &version]).is_ok());
            }
            _ => assert!(client.cmd(&["SET", key, &version]).is_ok()),
        }
        assert!(client.cmd(&["SET", &names.told[writer], &version]).is_ok());
        if random.below(3) == 0 {
            write_shared(&mut client, &mut random, names, &version);
        }
    }
}

fn write_shared(client: &mut Client, random: &mut Random, names: &Names, version: &str) {
    let mut pick = || names.shared[random.index(SHARED_KEYS)].as_str();
    let (one, two, three) = (pick(), pick(), pick());
    let both = "redis.call('SET', KEYS[1], ARGV[1]) redis.call('SET', KEYS[2], ARGV[1])";
    let undeclared = "redis.call('SET', ARGV[2], ARGV[1]) redis.call('DEL', ARGV[3])";
    match random.below(9) {
        0 => drop(client.cmd(&["RENAME", one, two])),
        1 => drop(client.cmd(&["MSET", one, version, two, version, three, version])),
        2 => drop(client.cmd(&["DEL", one, two])),
        3 => drop(client.cmd(&["EVAL", both, "2", one, two, version])),
        4 => drop(client.cmd(&["EVAL", undeclared, "0", version, one, two])),
        5 => {
            let block = [&["MULTI"][..], &["SET", one, version], &["GET", two], &["DEL", three], &["EXEC"]];
            drop(client.pipeline(&block));
        }
        6 => drop(client.cmd(&["SET", one, version, "PX", "1"])),
        7 if random.below(10) == 0 => drop(client.cmd(&["FLUSHALL"])),
        _ => drop(client.cmd(&["SET", one, version])),
    }
}

#[test]
fn caches_follow_what_is_written() {
    everywhere(2000, |arena| {
        let names = Names::new(arena);
        let mut readers: Vec<Reader> = (0..12).map(|place| Reader::new(arena, &names, place)).collect();
        let mut play = Play::new();
        (0..WRITERS).for_each(|writer| {
            let names = &names;
            play.work(move || write(arena, names, writer));
        });
        for readers in readers.chunks_mut(4) {
            play.watch(move || readers.iter_mut().for_each(Reader::look));
        }
        play.run();
        check_at_the_end(arena, &names, &mut readers);
    });
}

/// When nothing changes any more, what is cached is so.
fn check_at_the_end(arena: &Arena, names: &Names, readers: &mut [Reader<'_>]) {
    // What is over goes when somebody looks at it, if it has not gone before.
    std::thread::sleep(Duration::from_millis(5));
    let mut client = arena.client();
    let now: HashMap<&String, u64> =
        names.all().map(|key| (key, number(&client.cmd(&["GET", key])))).collect();
    std::thread::sleep(Duration::from_millis(20));
    for reader in readers {
        reader.send(&["CLIENT", "SETNAME", "reader"], Asked::Word);
        reader.listen();
        assert!(reader.heard > 0);
        for (key, cached) in &reader.cached {
            assert_eq!(cached, &now[key], "{key} in the cache of a reader ({})", reader.mode);
        }
    }
}

/// Connections that begin and end to track, and go without a word: the others hear what they should.
#[test]
fn trackers_come_and_go() {
    everywhere(400, |arena| {
        let names = Names::new(arena);
        let mut reader = Reader::new(arena, &names, 0);
        let mut listener = Reader::new(arena, &names, 5);
        let mut play = Play::new();
        let shared = &names.shared;
        (0..2).for_each(|number| {
            play.work(move || {
                let mut random = arena.random(number);
                for _ in 0..arena.rounds {
                    let mut client = arena.client();
                    client.hello3();
                    let mode = MODES[random.index(MODES.len())];
                    let words = format!("CLIENT TRACKING ON {mode}");
                    let words: Vec<&str> = words.split_whitespace().collect();
                    client.send(&words).expect("the server is there");
                    for _ in 0..random.index(4) {
                        let key = &shared[random.index(SHARED_KEYS)];
                        client.send(&["GET", key]).expect("the server is there");
                        client
                            .send(&["SET", key, &random.below(1000).to_string()])
                            .expect("the server is there");
                    }
                    if random.below(2) == 0 {
                        client.send(&["CLIENT", "TRACKING", "OFF"]).expect("the server is there");
                        client.send(&["PING"]).expect("the server is there");
                        while client.receive().expect("the server answers") != Value::simple("PONG") {}
                    }
                }
            });
        });
        play.watch(|| reader.look());
        play.watch(|| listener.look());
        play.run();
        check_at_the_end(arena, &names, &mut [reader, listener]);
        let info = || arena.client().cmd(&["INFO"]).string().unwrap_or_default();
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        let is_over = |info: &str| {
            info.contains("tracking_clients:0\r\n") && info.contains("tracking_total_prefixes:0\r\n")
        };
        while !is_over(&info()) {
            assert!(std::time::Instant::now() < deadline, "clients that are gone are still known");
            std::thread::sleep(Duration::from_millis(10));
        }
    });
}
