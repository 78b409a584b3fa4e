//! What is played: steps of one request or of some that belong together.

use super::rules::{Form, Rules};
use super::{Request, left_out};
use crate::arguments::{self, one_in, pick};
use crate::grammar::{Grammar, Scope};
use base::random::Random;

/// Requests that stay together when a sequence is shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub requests: Vec<Request>,
}

/// Steps that follow from a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    pub seed: u64,
    pub resp3: bool,
    pub steps: Vec<Step>,
}

/// Thresholds between encodings, as at the start of every sequence.
const THRESHOLDS: &str = "CONFIG SET list-max-listpack-size -2 hash-max-listpack-entries 128 \
    hash-max-listpack-value 64 set-max-intset-entries 512 zset-max-listpack-entries 128 \
    zset-max-listpack-value 64 hll-sparse-max-bytes 3000";
const NEWER_THRESHOLDS: &str = "CONFIG SET set-max-listpack-entries 128 set-max-listpack-value 64";

/// What SORT is played on.
const SORTED: &[u8] = b"{t}sorted";

/// All members have the same score, so that lexicographic ranges mean something.
const EQUAL_SCORES: &str = "ZADD {t}lex 0 a 0 b 0 c 0 aa 0 bb 0 1 0 10 0 -5 0 hello";

impl Sequence {
    /// Requests before the first step.
    pub const PREPARATIONS: usize = 4;

    /// `len` random steps after those that put values everywhere.
    pub fn random(grammar: &Grammar, rules: &Rules, seed: u64, resp3: bool, len: usize, now_ms: u64) -> Self {
        let (mut random, scope) = (Random::from_seed(seed), rules.scope(true));
        let mut steps: Vec<Step> = crate::episode::seeding()
            .into_iter()
            .filter_map(|step| match step {
                crate::Step::Request { words, .. } => Some(Step { requests: vec![words] }),
                _ => None,
            })
            .filter(|step| !is_short_lived(&step.requests[0]) && is_known(&scope, &step.requests[0]))
            .collect();
        let all = steps.len() + len;
        while steps.len() < all {
            let request = match random.below(40) {
                0 => arguments::setting(&mut random),
                1 => nonsense(&mut random),
                _ => grammar.request(&mut random, now_ms),
            };
            if !left_out::contains(rules, &request)
                && !request.iter().any(|word| word.starts_with(b"maxmemory"))
            {
                steps.push(step(request));
            }
        }
        Self { seed, resp3, steps }
    }

    /// All requests in order.
    pub fn requests(&self) -> Vec<Request> {
        let hello = if self.resp3 { "HELLO 3" } else { "HELLO 2" };
        let preparations = [hello, "FLUSHALL", THRESHOLDS, NEWER_THRESHOLDS].map(words);
        preparations.into_iter().chain(self.steps.iter().flat_map(|step| step.requests.clone())).collect()
    }
}

/// The first byte of the payloads of arrays, and of vector sets and JSON documents.
const NEWER: [u8; 2] = [28, 7];

/// The commands that a peer of this version knows, as far as their replies follow from the data.
pub fn grammar(rules: &Rules) -> Grammar {
    let mut grammar = Grammar::new(rules.scope(true));
    grammar.payloads = crate::play::payloads();
    // What the newer commands store, an older peer does not take.
    grammar.payloads.retain(|payload| !NEWER.contains(&payload[0]));
    grammar
}

fn is_known(scope: &Scope, request: &Request) -> bool {
    command::lookup(&request[0]).is_none_or(|row| scope.has(row))
}

fn words(line: &str) -> Request {
    line.split_whitespace().map(|word| word.as_bytes().to_vec()).collect()
}

/// Time passes otherwise on two servers.
fn is_short_lived(request: &Request) -> bool {
    request.iter().any(|word| word.eq_ignore_ascii_case(b"PX")) || request[0] == b"PEXPIRE"
}

/// A request with what makes it comparable: values to look at beforehand, and none left that chance has made.
fn step(mut request: Request) -> Step {
    let name = request[0].to_ascii_uppercase();
    let by_lex = request.iter().any(|word| word.eq_ignore_ascii_case(b"BYLEX"));
    if by_lex || name.ends_with(b"BYLEX") || name == b"ZLEXCOUNT" {
        let key = if name == b"ZRANGESTORE" { 2 } else { 1 };
        if let Some(key) = request.get_mut(key) {
            *key = b"{t}lex".to_vec();
        }
        return Step { requests: vec![words("DEL {t}lex"), words(EQUAL_SCORES), request] };
    }
    if name.starts_with(b"SORT") && request.len() > 1 {
        // It makes a skiplist of a sorted set in Redis: of a copy here.
        let key = std::mem::replace(&mut request[1], SORTED.to_vec());
        let copy = [b"COPY".to_vec(), key, SORTED.to_vec(), b"REPLACE".to_vec()].to_vec();
        let form = Form::of(&request);
        let repair = if form.is_determined(&request) { vec![b"DEL".to_vec()] } else { request.clone() };
        let repair = [vec![b"DEL".to_vec(), SORTED.to_vec()], repair[1..].to_vec()].concat();
        return Step { requests: vec![copy, request, repair] };
    }
    if name == b"INCRBYFLOAT" && request.len() > 1 {
        // Redis leaves a number without a fraction as a text; afterwards both are.
        let repair = vec![b"APPEND".to_vec(), request[1].clone(), Vec::new()];
        return Step { requests: vec![request, repair] };
    }
    if Form::of(&request).is_determined(&request) {
        return Step { requests: vec![request] };
    }
    let mut repair = words("DEL");
    repair.extend(request.iter().skip(1).cloned());
    Step { requests: vec![request, repair] }
}

/// A command or subcommand that does not exist, with anything behind it.
fn nonsense(random: &mut Random) -> Request {
    const CONTAINERS: [&str; 8] =
        ["OBJECT", "CONFIG", "CLIENT", "COMMAND", "MEMORY", "SLOWLOG", "LATENCY", "object"];
    let mut request = match one_in(random, 2) {
        true => vec![pick(random, &CONTAINERS).as_bytes().to_vec()],
        false => Vec::new(),
    };
    let first = loop {
        let word = arguments::string(random);
        if command::lookup(&word).is_none() {
            break word;
        }
    };
    request.push(first);
    for _ in 0..random.below(5) {
        request.push(arguments::string(random));
    }
    if one_in(random, 4) {
        request.push(vec![b'x'; 100 + random.index(100)]);
    }
    request
}
