//! The same requests to two servers, whatever they are, and what they answer differently.

use crate::engine::Engine;
use crate::episode::shown;
use crate::grammar::{Grammar, Scope};
use base::random::Random;
use testkit::{Client, Value, decode};

/// Something that answers requests on one connection.
pub trait Peer {
    fn answer(&mut self, words: &[Vec<u8>]) -> Value;
}

impl Peer for Client {
    fn answer(&mut self, words: &[Vec<u8>]) -> Value {
        self.cmd(words)
    }
}

impl Peer for Engine {
    fn answer(&mut self, words: &[Vec<u8>]) -> Value {
        self.run([(0, words)].into_iter()).expect("every request comes to an end");
        let bytes = self.received(0).bytes;
        decode(&bytes).expect("a well-formed reply").expect("a whole reply").0
    }
}

/// A request that was answered in two ways, after some others.
#[derive(Clone, Debug)]
pub struct Difference {
    pub seed: u64,
    /// Requests that led there, the last of them the one.
    pub requests: Vec<Vec<Vec<u8>>>,
    pub answers: [String; 2],
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {}:", self.seed)?;
        self.requests.iter().try_for_each(|words| writeln!(f, "> {}", shown(words)))?;
        let [first, second] = &self.answers;
        write!(f, "first:  {}\nsecond: {}", cut(first), cut(second))
    }
}

fn cut(text: &str) -> String {
    text.chars().take(400).collect()
}

/// Requests whose replies follow from what went before, known before a version of Redis.
pub fn grammar(before: (u32, u32)) -> Grammar {
    Grammar::new(Scope { before, deterministic: true })
}

/// Random requests after those that put values everywhere.
pub fn requests(grammar: &Grammar, seed: u64, len: usize, now_ms: u64) -> Vec<Vec<Vec<u8>>> {
    let mut random = Random::from_seed(seed);
    let mut all: Vec<Vec<Vec<u8>>> = crate::episode::seeding()
        .into_iter()
        .filter_map(|step| match step {
            crate::Step::Request { words, .. } => Some(words),
            _ => None,
        })
        .filter(|words| !words.iter().any(|word| word.eq_ignore_ascii_case(b"PX")) && words[0] != b"PEXPIRE")
        .collect();
    all.extend((0..len).map(|_| grammar.request(&mut random, now_ms)));
    all.retain(|words| !is_left_out(words));
    all
}

/// What later versions do otherwise, and answers that nobody specifies: lexicographic ranges of members with different
/// scores.
fn is_left_out(words: &[Vec<u8>]) -> bool {
    let name = words[0].to_ascii_uppercase();
    // Redis 7.0 looks at some arguments only when the key exists, and shows doubles with 17 digits.
    const OTHERWISE: [&[u8]; 13] = [
        b"BITPOS",
        b"PEXPIRE",
        b"BITCOUNT",
        b"GEOPOS",
        b"GEORADIUS",
        b"GEORADIUS_RO",
        b"GEORADIUSBYMEMBER",
        b"GEORADIUSBYMEMBER_RO",
        b"GEOSEARCH",
        b"PFDEBUG",
        b"LPOS",
        b"BITOP",
        b"PSETEX",
    ];
    if OTHERWISE.contains(&name.as_slice()) || name.ends_with(b"RANK") && words.len() > 3 {
        return true;
    }
    let by_lex = words.iter().any(|word| word.eq_ignore_ascii_case(b"BYLEX"));
    by_lex || name.ends_with(b"BYLEX") || name == b"ZLEXCOUNT"
}

/// Plays requests to both; the first difference, if any.
pub fn compare(
    first: &mut dyn Peer,
    second: &mut dyn Peer,
    seed: u64,
    requests: &[Vec<Vec<u8>>],
) -> Option<Difference> {
    for (index, words) in requests.iter().enumerate() {
        let answers = [first.answer(words), second.answer(words)].map(|value| plain(words, value));
        if answers[0] != answers[1] {
            let requests = requests[..=index].to_vec();
            return Some(Difference { seed, requests, answers: answers.map(|value| value.to_string()) });
        }
    }
    None
}

/// The shortest run of requests that still ends in the same difference. `both` gives two fresh servers.
pub fn shrink(difference: Difference, mut both: impl FnMut() -> [Box<dyn Peer>; 2]) -> Difference {
    let mut best = difference;
    let mut piece = best.requests.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        while at < best.requests.len() {
            let mut fewer = best.requests.clone();
            fewer.drain(at..(at + piece).min(fewer.len()));
            let [mut first, mut second] = both();
            match compare(first.as_mut(), second.as_mut(), best.seed, &fewer) {
                Some(found) if found.requests.last() == best.requests.last() => best = found,
                _ => at += piece,
            }
        }
        piece /= 2;
    }
    best
}

/// A reply without what may differ: the order where there is none, and the time that passes between two servers.
fn plain(words: &[Vec<u8>], value: Value) -> Value {
    let name = words[0].to_ascii_uppercase();
    let command = command::lookup(&name);
    let unordered = name.starts_with(b"SORT")
        || command.is_some_and(|row| row.tips.contains(&"nondeterministic_output_order"));
    match same_double(value) {
        Value::Array(items) | Value::Set(items) if unordered && name == b"HGETALL" => {
            let mut pairs: Vec<String> = items.chunks(2).map(|pair| format!("{pair:?}")).collect();
            pairs.sort();
            Value::Simple(pairs.concat().into_bytes())
        }
        Value::Array(mut items) | Value::Set(mut items) if unordered => {
            items.sort_by_cached_key(|item| format!("{item:?}"));
            Value::Array(items)
        }
        Value::Integer(ms) if (name == b"PTTL" || name == b"TTL") && ms > 0 => Value::Integer(1),
        Value::Integer(ms) if name == b"PEXPIRETIME" || name == b"EXPIRETIME" => Value::Integer(ms.signum()),
        value => value,
    }
}

/// Doubles in one form, however many digits were thought necessary.
fn same_double(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(same_double).collect()),
        Value::Bulk(bytes) => {
            match std::str::from_utf8(&bytes).ok().and_then(|text| text.parse::<f64>().ok()) {
                Some(number) if number.is_finite() => Value::Bulk(format!("{number:e}").into_bytes()),
                _ => Value::Bulk(bytes),
            }
        }
        value => value,
    }
}
