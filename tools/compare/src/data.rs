//! Data sets and their loader: exact keys, fast, the same on every server.
//!
//! Keys are redis-benchmark's: a prefix and 12 digits, `key:000000000001` (16 bytes), so that its random keys
//! with `-r N` hit what was loaded.

use std::io;

use crate::client::{Client, Reply, write_command};

/// What a data set is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `prefix` + 12 digits → `value_bytes` letters, with a TTL or without.
    Strings {
        value_bytes: usize,
        ttl: bool,
    },
    /// `prefix` + 12 digits → "1".
    Counters,
    /// One list of `value_bytes`-long elements.
    List {
        value_bytes: usize,
    },
    /// One set, hash or sorted set; members or fields are `member_prefix` + 12 digits.
    Set {
        member_prefix: &'static str,
    },
    Hash {
        member_prefix: &'static str,
        value_bytes: usize,
    },
    SortedSet {
        member_prefix: &'static str,
    },
    /// One stream; entries of three small fields.
    Stream,
}

/// A data set: its kind, its key (or key prefix) and the number of its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Data {
    pub kind: Kind,
    pub key: &'static str,
    pub count: u64,
}

/// Elements in one variadic command, and commands in one write.
const ELEMENTS_PER_COMMAND: u64 = 50;
const BATCH_BYTES: usize = 64 << 10;
const BATCH_COMMANDS_MAX: usize = 1000;

/// The time in the ids of streams begins here.
const FIRST_MS: u64 = 1_700_000_000_000;

/// A step coprime to every count in use: a prime above the largest count that is not divisible by it.
const STEP: u64 = 2_654_435_761;

impl Data {
    /// Loads the set through one pipelined connection, in an order that looks random.
    pub fn load(&self, client: &mut Client) -> io::Result<()> {
        let mut batch = Batch { client, bytes: Vec::with_capacity(2 * BATCH_BYTES), commands: 0 };
        let takes_many = self.is_one_key() && self.kind != Kind::Stream;
        let per_command = if takes_many { ELEMENTS_PER_COMMAND } else { 1 };
        let mut words: Vec<Vec<u8>> = Vec::new();
        let mut first = 0;
        while first < self.count {
            let end = (first + per_command).min(self.count);
            words.clear();
            self.command(first, end, &mut words);
            batch.push(&words)?;
            first = end;
        }
        batch.flush()
    }

    /// Deletes a set that is one key. Sets of many keys stay.
    pub fn delete(&self, client: &mut Client) -> io::Result<()> {
        if !self.is_one_key() {
            return Ok(());
        }
        match client.call(&["DEL", self.key])? {
            Reply::Error(text) => Err(io::Error::other(format!("DEL: {text}"))),
            _ => Ok(()),
        }
    }

    /// Whether the whole set lives under one key.
    pub fn is_one_key(&self) -> bool {
        !matches!(self.kind, Kind::Strings { .. } | Kind::Counters)
    }

    /// The command that loads the elements first..end.
    fn command(&self, first: u64, end: u64, words: &mut Vec<Vec<u8>>) {
        let (verb, value_bytes) = match self.kind {
            Kind::Strings { value_bytes, .. } => ("SET", value_bytes),
            Kind::Counters => ("SET", 0),
            Kind::List { value_bytes } => ("RPUSH", value_bytes),
            Kind::Set { .. } => ("SADD", 0),
            Kind::Hash { value_bytes, .. } => ("HSET", value_bytes),
            Kind::SortedSet { .. } => ("ZADD", 0),
            Kind::Stream => ("XADD", 0),
        };
        words.push(verb.into());
        if self.is_one_key() {
            words.push(self.key.into());
        }
        for place in first..end {
            let index = (place * STEP) % self.count;
            match self.kind {
                Kind::Strings { ttl, .. } => {
                    words.extend([numbered(self.key, index), value(value_bytes)]);
                    if ttl {
                        words.extend([b"EX".to_vec(), (100_000 + index % 10_000).to_string().into()]);
                    }
                }
                Kind::Counters => words.extend([numbered(self.key, index), b"1".to_vec()]),
                Kind::List { .. } => words.push(value(value_bytes)),
                Kind::Set { member_prefix } => words.push(numbered(member_prefix, index)),
                Kind::Hash { member_prefix, .. } => {
                    words.extend([numbered(member_prefix, index), value(value_bytes)]);
                }
                Kind::Stream => {
                    let sensor = format!("s{}", index % 1000).into();
                    let fields: [(&str, Vec<u8>); 3] = [
                        ("sensor", sensor),
                        ("value", index.to_string().into()),
                        ("unit", b"celsius".to_vec()),
                    ];
                    words.push(format!("{}-0", FIRST_MS + place).into());
                    fields.into_iter().for_each(|(name, value)| words.extend([name.into(), value]));
                }
                Kind::SortedSet { member_prefix } => {
                    words.extend([index.to_string().into(), numbered(member_prefix, index)]);
                }
            }
        }
    }
}

/// A value of letters: no server can take it for a number.
pub fn value(bytes: usize) -> Vec<u8> {
    b"abcdefghijklmnopqrstuvwxyz".iter().copied().cycle().take(bytes).collect()
}

fn numbered(prefix: &str, index: u64) -> Vec<u8> {
    format!("{prefix}{index:012}").into()
}

/// Commands on their way; flushed before they fill the socket's buffers.
struct Batch<'c> {
    client: &'c mut Client,
    bytes: Vec<u8>,
    commands: usize,
}

impl Batch<'_> {
    fn push(&mut self, words: &[Vec<u8>]) -> io::Result<()> {
        write_command(&mut self.bytes, words.iter().map(Vec::as_slice));
        self.commands += 1;
        if self.bytes.len() >= BATCH_BYTES || self.commands >= BATCH_COMMANDS_MAX {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.client.pipeline(&self.bytes, self.commands)?;
        self.bytes.clear();
        self.commands = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn words_of(data: Data) -> Vec<Vec<u8>> {
        let mut words = Vec::new();
        data.command(0, data.count, &mut words);
        words
    }

    #[test]
    fn keys_are_those_of_redis_benchmark_and_each_comes_once() {
        let data = Data { kind: Kind::Counters, key: "key:", count: 1000 };
        let keys: HashSet<Vec<u8>> =
            words_of(data).into_iter().filter(|word| word.starts_with(b"key:")).collect();
        assert_eq!(keys.len(), 1000);
        assert!(keys.contains(&b"key:000000000001"[..]) && keys.contains(&b"key:000000000999"[..]));
    }

    #[test]
    fn shapes_of_the_commands() {
        let hash = Data { kind: Kind::Hash { member_prefix: "f:", value_bytes: 3 }, key: "h", count: 1 };
        assert_eq!(words_of(hash), [&b"HSET"[..], b"h", b"f:000000000000", b"abc"]);
        let strings = Data { kind: Kind::Strings { value_bytes: 2, ttl: true }, key: "key:", count: 1 };
        assert_eq!(words_of(strings), [&b"SET"[..], b"key:000000000000", b"ab", b"EX", b"100000"]);
    }
}
