//! Random commands of the families that work on strings, good and bad: none may panic, and one that fails must leave
//! everything as it was.

use crate::{Args, Cx, Error, ShardCx, families};
use base::hash::HashSeed;
use base::random::Random;
use config::Config;
use keyspace::{Key, Typed};
use resp::{Reply, Span, reader};
use std::collections::BTreeMap;
use std::sync::Arc;
use types::List;
use types::list::End;

const NOW_MS: u64 = 1_800_000_000_000;
const LIST: &str = "list";
const WORDS: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "7",
    "16",
    "100",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "nan",
    "inf",
    "-inf",
    "1.5",
    "1e4932",
    "-1e4932",
    "",
    "x",
    "#3",
    "u8",
    "i64",
    "u63",
    "u64",
    "AND",
    "NOT",
    "XOR",
    "ONE",
    "DIFF",
    "BIT",
    "BYTE",
    "GET",
    "SET",
    "INCRBY",
    "OVERFLOW",
    "FAIL",
    "SAT",
    "WRAP",
    "NX",
    "XX",
    "EX",
    "PX",
    "EXAT",
    "PXAT",
    "KEEPTTL",
    "PERSIST",
    "IFEQ",
    "IFNE",
    "IFDEQ",
    "IFDNE",
    "b6acb9d84a38ff74",
    "BYINT",
    "BYFLOAT",
    "LBOUND",
    "UBOUND",
    "SATURATE",
    "ENX",
    "LEN",
    "IDX",
    "MINMATCHLEN",
    "WITHMATCHLEN",
    "DECODE",
    "GETREG",
    "TODENSE",
    "ENCODING",
];
const KEYS: &[&str] = &["a", "b", "c", "h", LIST, "none"];

struct Bed {
    shard: ShardCx,
    random: Random,
}

type Content = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

impl Bed {
    fn new(seed: u64) -> Self {
        let config = Arc::new(Config::default());
        let mut shard = ShardCx::new(0, 1, config, HashSeed::new(seed, 2), seed);
        shard.now_ms = NOW_MS;
        shard.limits.string_bytes_max = 4096;
        Self { shard, random: Random::from_seed(seed) }
    }

    /// Nothing but a list.
    fn reset(&mut self) {
        let mut list = List::new(self.shard.limits.list);
        list.push(End::Head, b"x");
        let key = Key::new(LIST.as_bytes(), &self.shard.seed);
        self.shard.dbs[0].clear(keyspace::Free::Now);
        self.shard.dbs[0].put(key, None, list.into_value(), None, 0);
    }

    fn run(&mut self, words: &[&str]) -> Result<Vec<u8>, Error> {
        let (mut buf, mut spans) = (Vec::new(), Vec::new());
        for word in words {
            spans.push(Span { start: buf.len() as u32, len: word.len() as u32 });
            buf.extend_from_slice(word.as_bytes());
        }
        let seed = self.shard.seed.clone();
        let args = Args::new(&buf, &spans, &seed);
        let command = crate::lookup(&args[0]).expect("a command");
        if !command.takes(args.len()) {
            return Err(Error::wrong_arity(command.name));
        }
        let mut out = Reply::new(self.random.index(2) == 0);
        (command.handler)(&mut Cx::internal(&mut self.shard, 0), args, &mut out)?;
        Ok(out.buf)
    }

    /// All live strings. A list counts as empty.
    fn content(&self) -> Content {
        let entry = |key: &[u8], value: keyspace::ValueRef<'_>, expire| {
            let bytes = match value {
                keyspace::ValueRef::Str { bytes, .. } => bytes.bytes().to_vec(),
                _ => Vec::new(),
            };
            (key.to_vec(), (bytes, expire))
        };
        let live = |expire: Option<u64>| expire.is_none_or(|at_ms| at_ms > self.shard.now_ms);
        let entries = self.shard.dbs[0].iter().filter(|(_, _, expire)| live(*expire));
        entries.map(|(key, value, expire)| entry(key, value, expire)).collect()
    }

    fn pick<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.random.index(words.len())]
    }
}

#[test]
fn no_command_panics_or_fails_half_way() {
    let (own, bits) = (super::COMMANDS, families::bitmap::COMMANDS);
    let commands: Vec<&str> = [own, bits, &[families::hyperloglog::COMMANDS]]
        .iter()
        .flat_map(|family| family.iter().flat_map(|file| file.iter().map(|row| row.name)))
        .filter(|&name| name != "PFSELFTEST")
        .collect();
    for seed in 1..=4 {
        println!("seed {seed}");
        let mut bed = Bed::new(seed);
        for step in 0..40_000 {
            if step % 100 == 0 {
                bed.reset();
            }
            let mut words = vec![bed.pick(&commands)];
            let count = bed.random.index(9);
            for index in 0..count {
                let is_key = index == 0 || bed.random.index(3) == 0;
                words.push(if is_key { bed.pick(KEYS) } else { bed.pick(WORDS) });
            }
            let (before, dirty) = (bed.content(), bed.shard.dirty);
            match bed.run(&words) {
                Err(error) => assert!(bed.content() == before, "{words:?} failed half way: {error:?}"),
                Ok(reply) => {
                    assert_eq!(reader::reply_len(&reply), Some(reply.len()), "{words:?}: one whole reply");
                    let changed = bed.content() != before;
                    assert!(!changed || bed.shard.dirty > dirty, "{words:?} changed something silently");
                }
            }
            bed.shard.now_ms += bed.random.below(3);
        }
    }
}
