//! A test case: steps that follow from a seed, and can be played again with some of them left out.

use crate::grammar::Grammar;
use base::random::Random;
use std::fmt;
use testkit::text::quote;

/// Unix ms at the beginning of every episode.
pub const START_MS: u64 = 1_700_000_000_000;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A request on a connection, answered before the next step.
    Request { conn: usize, words: Vec<Vec<u8>> },
    /// Requests on several connections that arrive in the same turn.
    Together(Vec<(usize, Vec<Vec<u8>>)>),
    /// Time passes, in ms.
    Pass(u64),
    /// All data is written into a data file of this version, and read again.
    Save(u16),
}

/// Steps, and the shape of what they are played on.
#[derive(Clone, Debug)]
pub struct Episode {
    pub seed: u64,
    pub shards: u16,
    pub resp3: bool,
    pub steps: Vec<Step>,
}

/// Connections of an episode; connection `c` belongs to shard `c % shards`.
pub const CONNS: usize = 6;

impl Episode {
    /// An episode of `len` random steps behind those that put a value of every kind under the usual keys.
    pub fn random(grammar: &Grammar, seed: u64, shards: u16, len: usize) -> Self {
        let mut random = Random::from_seed(seed);
        let resp3 = random.below(2) == 1;
        let mut steps = seeding();
        let mut now_ms = START_MS;
        for _ in 0..len {
            steps.push(match random.below(40) {
                0 => {
                    let passed_ms = if random.below(20) == 0 { 100_000 } else { random.below(3000) };
                    now_ms += passed_ms;
                    Step::Pass(passed_ms)
                }
                1..=3 => Step::Together(
                    (0..2 + random.index(12))
                        .map(|_| (random.index(CONNS), grammar.request(&mut random, now_ms)))
                        .collect(),
                ),
                _ => Step::Request { conn: random.index(CONNS), words: grammar.request(&mut random, now_ms) },
            });
        }
        Self { seed, shards, resp3, steps }
    }
}

/// Requests that put a value of every type and encoding under the keys of [`crate::arguments`].
pub fn seeding() -> Vec<Step> {
    const LINES: &[&str] = &[
        "SET s1 hello",
        "SET {t}s 12345",
        "SET num 41 PX 2500",
        "SET bits \\xff\\x00\\x0f",
        "PFADD hll a b c",
        "PFADD {t}hll d e",
        "RPUSH l1 a b c 1 2 a",
        "RPUSH {t}l x y z",
        "SADD set1 a b c 1",
        "SADD {t}set b c d",
        "SADD ints 1 2 3 500 70000",
        "HSET h1 a 1 b 2.5 c hello d 9223372036854775807",
        "HSET {t}h a x",
        "ZADD z1 1 a 2 b 3 c 3 d",
        "ZADD {t}z 0 a 0 b 0 c inf e -inf d",
        "PEXPIRE {t}h 4000",
        "GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
        "GEOADD {t}geo 2.35 48.85 a",
        "ARMSET ar1 0 a 1 1.5 7 hello 5000 12 18446744073709551614 last",
        "ARRING {t}ar 5 1 2 3 a b c d",
        "XADD x1 1-1 a 1 b 2",
        "XADD x1 2-1 a c b d",
        "XADD x1 5-0 c x",
        "XADD {t}x 3-3 a 1",
        "VADD v1 VALUES 2 1 0 a SETATTR {\"n\":1}",
        "VADD v1 VALUES 2 0 1 b",
        "VADD {t}v REDUCE 2 VALUES 3 1 2 3 a NOQUANT M 5",
    ];
    let mut all: Vec<Vec<Vec<u8>>> =
        LINES.iter().map(|line| line.split(' ').map(testkit::text::unescape).collect()).collect();
    let many = |name: &str, key: &str, each: &dyn Fn(usize) -> Vec<Vec<u8>>| {
        let mut words = vec![name.as_bytes().to_vec(), key.as_bytes().to_vec()];
        (0..600).for_each(|i| words.extend(each(i)));
        words
    };
    let word = |i: usize| format!("element:{i}").into_bytes();
    let number = |i: usize| (i % 97).to_string().into_bytes();
    all.push(many("RPUSH", "big:l", &|i| vec![word(i)]));
    all.push(many("SADD", "big:set", &|i| vec![word(i)]));
    all.push(many("HSET", "big:h", &|i| vec![word(i), number(i)]));
    let entry = |i: usize| {
        [b"XADD".to_vec(), b"big:x".to_vec(), format!("{i}-1").into_bytes(), b"n".to_vec(), word(i)]
    };
    all.extend((1..130).map(|i| entry(i).to_vec()));
    all.push(many("ZADD", "big:z", &|i| vec![number(i), word(i)]));
    all.extend((0..130).map(|i| {
        let name = [b"VADD".to_vec(), b"big:v".to_vec(), b"VALUES".to_vec(), b"2".to_vec()];
        [&name[..], &[number(i), number(i * i + 1), word(i), b"BIN".to_vec()]].concat()
    }));
    all.extend((0..130).map(|i| {
        let name = [b"FT.SUGADD".to_vec(), b"big:sug".to_vec()];
        [&name[..], &[word(i), number(i), b"PAYLOAD".to_vec(), number(i)]].concat()
    }));
    all.push(many("ARMSET", "big:ar", &|i| vec![(i * i).to_string().into_bytes(), word(i)]));
    let members: Vec<String> = (0..300).map(|i| format!("\"m{i}\":[{i},{{\"a\":\"x{i}\"}}]")).collect();
    for (key, text) in [
        ("j1", r#"{"a":1,"b":[1,2.5,"x",null,true,{"a":"xyz"}],"c":{"a":[3,4],"b":"text"}}"#.to_owned()),
        ("{t}j", format!("[{}0.5]", "1.5,2.25,".repeat(100))),
        ("big:j", format!("{{{},\"a\":[]}}", members.join(","))),
    ] {
        let words = ["JSON.SET", key, "$", &text];
        all.push(words.iter().map(|word| word.as_bytes().to_vec()).collect());
    }
    all.into_iter().map(|words| Step::Request { conn: 0, words }).collect()
}

/// A request as a person would type it, long words cut short.
pub fn shown(words: &[Vec<u8>]) -> String {
    let one = |word: &Vec<u8>| match word.len() {
        0..=200 => quote(word),
        len => format!("{}…({len} bytes)", quote(&word[..40])),
    };
    words.iter().map(one).collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { conn, words } => write!(f, "{conn}> {}", shown(words)),
            Self::Together(requests) => {
                let lines = requests.iter().map(|(conn, words)| format!("{conn}> {}", shown(words)));
                write!(f, "together: {}", lines.collect::<Vec<_>>().join(" | "))
            }
            Self::Pass(ms) => write!(f, "{ms} ms pass"),
            Self::Save(version) => write!(f, "a file of version {version}"),
        }
    }
}

impl fmt::Display for Episode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {} shards, RESP{}", self.seed, self.shards, if self.resp3 { 3 } else { 2 })?;
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}
