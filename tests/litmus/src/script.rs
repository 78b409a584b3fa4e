//! Random commands on keys that only one connection uses, with the replies they must get: a model of a few commands
//! over several databases. Local, remote and multi-shard commands, errors, SELECT and CLIENT REPLY stand in any order.

use base::random::Random;
use std::collections::BTreeMap;
use testkit::Value;

/// Databases that SELECT goes to.
const DATABASES: usize = 3;

/// What is right, or only the beginning of an error line.
#[derive(Clone, Debug)]
pub enum Expected {
    Exactly(Value),
    Error(&'static str),
}

impl Expected {
    /// Whether a reply is right.
    pub fn admits(&self, reply: &Value) -> bool {
        match self {
            Expected::Exactly(value) => value == reply,
            Expected::Error(start) => {
                matches!(reply, Value::Error(line) if line.starts_with(start.as_bytes()))
            }
        }
    }
}

enum Replies {
    On,
    Off,
    SkipNext,
}

/// The state that the commands so far have led to.
pub struct Script {
    random: Random,
    keys: Vec<String>,
    databases: Vec<BTreeMap<String, String>>,
    database: usize,
    replies: Replies,
    /// CLIENT REPLY is used.
    silences: bool,
    echoes: u64,
}

fn ok() -> Expected {
    Expected::Exactly(Value::simple("OK"))
}

fn integer(number: usize) -> Expected {
    Expected::Exactly(Value::Integer(number as i64))
}

fn bulk(value: Option<&String>) -> Value {
    value.map_or(Value::Null, Value::bulk)
}

impl Script {
    /// A script over `keys`, which nobody else may touch, in databases that are empty of them.
    pub fn new(random: Random, keys: Vec<String>, silences: bool) -> Script {
        let databases = vec![BTreeMap::new(); DATABASES];
        Script { random, keys, databases, database: 0, replies: Replies::On, silences, echoes: 0 }
    }

    /// The next command, and its reply if there is one.
    pub fn next_command(&mut self) -> (Vec<String>, Option<Expected>) {
        if self.silences && self.random.below(12) == 0 {
            return self.client_reply();
        }
        let (words, expected) = self.command();
        let expected = match self.replies {
            Replies::On => Some(expected),
            Replies::Off => None,
            Replies::SkipNext => {
                self.replies = Replies::On;
                None
            }
        };
        (words, expected)
    }

    /// The command that makes the server speak again, whatever came before: its reply is the last of all.
    pub fn speak(&mut self) -> (Vec<String>, Expected) {
        self.replies = Replies::On;
        (words(&["CLIENT", "REPLY", "ON"]), ok())
    }

    fn client_reply(&mut self) -> (Vec<String>, Option<Expected>) {
        let mode = ["ON", "OFF", "SKIP", "SKIP"][self.random.index(4)];
        // A SKIP within OFF changes nothing, and one that follows a SKIP is skipped but counts again.
        let (next, reply) = match (mode, &self.replies) {
            ("OFF", _) | ("SKIP", Replies::Off) => (Replies::Off, None),
            ("SKIP", _) => (Replies::SkipNext, None),
            // Its reply would be the one to skip; not a case that clients need.
            ("ON", Replies::SkipNext) => return (words(&["CLIENT", "REPLY", "OFF"]), self.silent()),
            _ => (Replies::On, Some(ok())),
        };
        self.replies = next;
        (words(&["CLIENT", "REPLY", mode]), reply)
    }

    fn silent(&mut self) -> Option<Expected> {
        self.replies = Replies::Off;
        None
    }

    fn key(&mut self) -> String {
        self.keys[self.random.index(self.keys.len())].clone()
    }

    /// Two to five different keys.
    fn several(&mut self) -> Vec<String> {
        let mut keys = self.keys.clone();
        self.random.shuffle(&mut keys);
        keys.truncate(2 + self.random.index(4));
        keys
    }

    fn command(&mut self) -> (Vec<String>, Expected) {
        let key = self.key();
        let number = self.random.below(1000).to_string();
        match self.random.below(18) {
            0..=2 => (words(&["GET", &key]), Expected::Exactly(bulk(self.database().get(&key)))),
            3..=4 => {
                self.database().insert(key.clone(), number.clone());
                (words(&["SET", &key, &number]), ok())
            }
            5 => {
                let value = self.database().entry(key.clone()).or_default();
                value.push_str(&number);
                let len = value.len();
                (words(&["APPEND", &key, &number]), integer(len))
            }
            6 => self.incr(&key),
            7 => {
                self.echoes += 1;
                let word = format!("echo-{}", self.echoes);
                (words(&["ECHO", &word]), Expected::Exactly(Value::bulk(&word)))
            }
            8 => {
                self.database = self.random.index(DATABASES);
                (words(&["SELECT", &self.database.to_string()]), ok())
            }
            9 => self.refused(&key),
            10..=16 => self.many_keys(),
            _ => (words(&["STRLEN", &key]), integer(self.database().get(&key).map_or(0, String::len))),
        }
    }

    fn database(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.databases[self.database]
    }

    fn incr(&mut self, key: &str) -> (Vec<String>, Expected) {
        let words = words(&["INCR", key]);
        let value = self.database().get(key).map_or("0", String::as_str);
        // Strings grown by APPEND may have a leading zero or be too long, which INCR refuses.
        let read = value.parse::<i64>().ok().filter(|number| number.to_string() == value);
        let Some(next) = read.and_then(|number| number.checked_add(1)) else {
            return (words, Expected::Error("ERR "));
        };
        self.database().insert(key.into(), next.to_string());
        (words, Expected::Exactly(Value::Integer(next)))
    }

    fn refused(&mut self, key: &str) -> (Vec<String>, Expected) {
        let has = self.database().contains_key(key);
        match self.random.below(5) {
            0 => (words(&["NOSUCHCOMMAND", key]), Expected::Error("ERR unknown command")),
            1 => (words(&["GET", key, "more"]), Expected::Error("ERR wrong number of arguments")),
            2 => (words(&["MSET", key, "1", "odd"]), Expected::Error("ERR wrong number of arguments")),
            3 => (words(&["SELECT", "999"]), Expected::Error("ERR DB index is out of range")),
            _ if has => (words(&["HGET", key, "field"]), Expected::Error("WRONGTYPE")),
            _ => (words(&["HGET", key, "field"]), Expected::Exactly(Value::Null)),
        }
    }

    fn many_keys(&mut self) -> (Vec<String>, Expected) {
        let keys = self.several();
        let kind = self.random.below(8);
        let number = self.random.below(1000).to_string();
        let database = self.database();
        let existing = keys.iter().filter(|key| database.contains_key(*key)).count();
        let all = |name: &str| words(&[name]).into_iter().chain(keys.clone()).collect();
        let pairs = |name: &str| {
            words(&[name]).into_iter().chain(keys.iter().flat_map(|key| [key.clone(), number.clone()]))
        };
        match kind {
            0..=1 => {
                let values = keys.iter().map(|key| bulk(database.get(key))).collect();
                (all("MGET"), Expected::Exactly(Value::Array(values)))
            }
            2 => {
                database.extend(keys.iter().map(|key| (key.clone(), number.clone())));
                (pairs("MSET").collect(), ok())
            }
            3 => {
                if existing == 0 {
                    database.extend(keys.iter().map(|key| (key.clone(), number.clone())));
                }
                (pairs("MSETNX").collect(), integer(usize::from(existing == 0)))
            }
            4 => {
                keys.iter().for_each(|key| _ = database.remove(key));
                (all("DEL"), integer(existing))
            }
            5 => (all("EXISTS"), integer(existing)),
            6 => match database.remove(&keys[0]) {
                None => (words(&["RENAME", &keys[0], &keys[1]]), Expected::Error("ERR no such key")),
                Some(value) => {
                    database.insert(keys[1].clone(), value);
                    (words(&["RENAME", &keys[0], &keys[1]]), ok())
                }
            },
            _ => {
                let copied =
                    database.get(&keys[0]).cloned().map(|value| database.insert(keys[1].clone(), value));
                (words(&["COPY", &keys[0], &keys[1], "REPLACE"]), integer(usize::from(copied.is_some())))
            }
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}
