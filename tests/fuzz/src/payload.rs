//! Values as bytes, in all forms that are read, and what damage does to them: their check sums are put right, so that whoever reads
//! them must notice, or get a value on which every command works.

use crate::arguments::{self, one_in, pick};
use crate::engine::Engine;
use crate::episode::{CONNS, Episode, START_MS, Step, seeding};
use crate::grammar::Grammar;
use base::random::Random;
use keyspace::Kind;
use rdb::encode::Options;
use rdb::{Type, dump};
use testkit::old_values::old_values;
use testkit::text::unescape;

/// The key that damaged values are put under, and one for copies, on the same shard.
pub const KEY: &[u8] = b"{k}";
const COPY: &[u8] = b"{k}copy";

/// What the usual values lack: expire times in hashes, groups with what they have delivered and what was given back, producers, all
/// packed forms, elements that stand alone.
const FURTHER: &[&str] = &[
    "HSET h:timed a 1 b 2 c 3",
    "HPEXPIRE h:timed 90000000 FIELDS 1 a",
    "HSET h:table a x b 2 c xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "HPEXPIRE h:table 90000000 FIELDS 2 a b",
    "SADD s:words a b c 1 2 300",
    "SADD s:wide 1 70000 -5000000000",
    "RPUSH l:one a",
    "ZADD z:geo 3479099956230698 Palermo 3479447370796909 Catania",
    "XADD x:groups 1-1 a 1 b 2",
    "XADD x:groups 2-1 a 1 b 3",
    "XADD x:groups 3-1 c 1",
    "XADD x:groups 9-0 c 2",
    "XDEL x:groups 2-1",
    "XGROUP CREATE x:groups one 0",
    "XGROUP CREATE x:groups two 3-1 ENTRIESREAD 2",
    "XGROUP CREATECONSUMER x:groups one two",
    "XREADGROUP GROUP one one COUNT 2 STREAMS x:groups >",
    "XREADGROUP GROUP two two STREAMS x:groups >",
    "XADD x:empty 1-1 a 1",
    "XDEL x:empty 1-1",
    "XADD x:told IDMP one m1 * a 1",
    "XADD x:told IDMP two m2 * a 1",
    "XADD x:back 1-1 a 1",
    "XADD x:back 2-1 a 1",
    "XGROUP CREATE x:back one 0",
    "XREADGROUP GROUP one one STREAMS x:back >",
    "XNACK x:back one FAIL IDS 1 1-1",
    "SETRANGE s:zeros 100 x",
    "SET s:int -70000",
];

/// Type and value of all forms, each once in every way in which it is written.
pub fn corpus() -> Vec<Vec<u8>> {
    let mut engine = Engine::new(1, 1, false);
    let mut run = |words: &[Vec<u8>]| {
        engine.run(std::iter::once((0, words))).expect("one shard ends at once");
        let answer = engine.received(0).bytes;
        assert!(!answer.starts_with(b"-"), "{}: {}", words.concat().escape_ascii(), answer.escape_ascii());
    };
    for step in seeding() {
        if let Step::Request { words, .. } = step {
            run(&words);
        }
    }
    for line in FURTHER {
        run(&line.split(' ').map(unescape).collect::<Vec<_>>());
    }
    let long = vec![b"RPUSH".to_vec(), b"l:alone".to_vec(), b"a".to_vec(), vec![b'y'; 9000], b"b".to_vec()];
    run(&long);
    let mut bodies: Vec<_> = old_values().into_iter().map(|value| value.bytes).collect();
    for (_, value, _) in engine.shards[0].cx.dbs.iter().flat_map(keyspace::Db::iter) {
        for (version, compress) in [(10, false), (11, true), (12, false)] {
            let payload = dump::payload(value, &Options { version, compress });
            bodies.push(dump::open(&payload).expect("just sealed").to_vec());
        }
    }
    bodies.sort();
    bodies.dedup();
    bodies
}

/// Numbers that lengths, counts and offsets are replaced by, as files write them.
const LENGTHS: &[&[u8]] = &[
    &[0],
    &[1],
    &[0x3F],
    &[0x40, 0x40],
    &[0x7F, 0xFF],
    &[0x80, 0, 0, 0x40, 0],
    &[0x80, 0x7F, 0xFF, 0xFF, 0xFF],
    &[0x80, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0x81, 0, 0, 0, 1, 0, 0, 0, 0],
    &[0x81, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0xC0, 0xFF],
    &[0xC1, 0, 0x80],
    &[0xC2, 0, 0, 0, 0x80],
    &[0xFF, 0xFF, 0xFF, 0xFF],
    &[0, 0, 0, 0, 0, 0, 0xF8, 0x7F],
];

/// Does a little harm: bits, bytes, numbers, pieces that go, come twice, or come from elsewhere.
pub fn damage(random: &mut Random, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
    let times = if one_in(random, 2) { 1 } else { 1 + random.below(4) };
    for _ in 0..times {
        if bytes.len() < 2 {
            bytes.extend_from_slice(&[0; 4]);
        }
        let at = random.index(bytes.len());
        let end = (at + 1 + random.index(16)).min(bytes.len());
        match random.below(12) {
            0 => bytes[at] = random.next_u64() as u8,
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = bytes[at].wrapping_add(1),
            3 => bytes[at] = bytes[at].wrapping_sub(1),
            4 => bytes[at] = *pick(random, &[0, 1, 0x7F, 0x80, 0xF0, 0xFE, 0xFF, 0xC3, 0x81, 0xF4]),
            5 => drop(bytes.remove(at)),
            6 => bytes.insert(at, random.next_u64() as u8),
            7 => bytes.extend_from_within(at..end),
            8 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(end..end, piece);
            }
            9 => drop(bytes.drain(at..end)),
            10 => {
                let length = *pick(random, LENGTHS);
                let over = (at + random.index(length.len() + 1)).min(bytes.len());
                bytes.splice(at..over, length.iter().copied());
            }
            _ => {
                let other = pick(random, others);
                let from = random.index(other.len());
                let piece = &other[from..(from + 1 + random.index(40)).min(other.len())];
                bytes.splice(at..end, piece.iter().copied());
            }
        }
    }
}

/// A payload with a right check sum.
pub fn sealed(body: &[u8]) -> Vec<u8> {
    let mut payload = body.to_vec();
    dump::seal(&mut payload, 12);
    payload
}

/// The groups of commands that are meant for a value.
fn groups(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::String => &["string", "bitmap", "hyperloglog", "generic"],
        Kind::List => &["list", "generic"],
        Kind::Set => &["set", "generic"],
        Kind::Hash => &["hash", "generic"],
        Kind::ZSet => &["sorted-set", "geo", "generic"],
        Kind::Stream => &["stream", "generic"],
        Kind::Array => &["array", "generic"],
        Kind::Json => &["json", "generic"],
        Kind::VectorSet => &["vector_set", "generic"],
        Kind::Suggestions => &["suggestion", "generic"],
    }
}

fn line(words: &[&[u8]]) -> Step {
    Step::Request { conn: 0, words: words.iter().map(|word| word.to_vec()).collect() }
}

/// What is done to every value that was accepted, beside the commands of its type.
fn probes(random: &mut Random) -> Vec<Step> {
    let version = 10 + random.below(5) as u16;
    vec![
        Step::Save(version),
        line(&[b"DUMP", KEY]),
        line(&[b"DEBUG", b"DIGEST-VALUE", KEY]),
        line(&[b"DEBUG", b"OBJECT", KEY]),
        line(&[b"MEMORY", b"USAGE", KEY, b"SAMPLES", b"0"]),
        line(&[b"OBJECT", b"ENCODING", KEY]),
        line(&[b"COPY", KEY, COPY, b"REPLACE"]),
        line(&[b"COPY", KEY, KEY, b"DB", b"1", b"REPLACE"]),
        line(&[b"SORT", KEY, b"ALPHA", b"STORE", COPY]),
    ]
}

/// A damaged value with a right check sum, and every command of its type, each on the value as it was accepted or as the one before
/// has left it.
pub fn episode(grammar: &Grammar, corpus: &[Vec<u8>], seed: u64, shards: u16) -> (Type, Episode) {
    let mut random = Random::from_seed(seed);
    let (kind, body) = loop {
        let mut body = pick(&mut random, corpus).clone();
        damage(&mut random, &mut body, corpus);
        // What is no type at all is soon refused.
        if let Some(kind) = body.first().and_then(|&byte| Type::from_byte(byte)) {
            break (kind, body);
        }
    };
    let payload = sealed(&body);
    let restore = || line(&[b"RESTORE", KEY, b"0", &payload, b"REPLACE"]);
    let mut steps = Vec::new();
    if one_in(&mut random, 2) {
        steps.push(Step::Request { conn: 0, words: arguments::setting(&mut random) });
    }
    steps.push(restore());
    steps.extend(probes(&mut random));
    let mut requests = grammar.requests_of(&mut random, groups(kind.value_kind()), START_MS);
    random.shuffle(&mut requests);
    for words in requests {
        if one_in(&mut random, 3) {
            steps.push(restore());
        }
        steps.push(Step::Request { conn: random.index(CONNS), words });
    }
    steps.push(Step::Save(10 + random.below(5) as u16));
    steps.extend([
        restore(),
        line(&[b"PEXPIRE", KEY, b"100"]),
        line(&[b"PEXPIRE", COPY, b"2000"]),
        Step::Pass(5000),
        restore(),
        line(&[b"HPEXPIRE", KEY, b"100", b"FIELDS", b"1", b"a"]),
        Step::Pass(5000),
        Step::Save(12),
        line(&[b"DEL", KEY]),
        line(&[b"FLUSHALL"]),
    ]);
    (kind, Episode { seed, shards, resp3: random.below(2) == 1, steps })
}
