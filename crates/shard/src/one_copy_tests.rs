//! Documents with vectors that lie in an index answer as if they had them, whatever is done to them and to the index; and they lie there exactly if the index has them.

use crate::following_tests::key_of;
use crate::trial::{Trial, request};
use base::random::Random;
use command::indexes::DB;
use keyspace::ValueRef;

const KEYS: usize = 6;
const ELEMENTS: usize = 64;
const CREATE: [&str; 16] = [
    "FT.CREATE",
    "idx",
    "PREFIX",
    "2",
    "doc:",
    "{t}",
    "SCHEMA",
    "v",
    "VECTOR",
    "HNSW",
    "6",
    "TYPE",
    "FLOAT32",
    "DIM",
    "64",
    "DISTANCE_METRIC",
];

fn create(name: &str) -> Vec<u8> {
    let mut words = CREATE.to_vec();
    words[1] = name;
    words.push("COSINE");
    request(&words)
}

fn key(random: &mut Random) -> String {
    key_of(random, KEYS)
}

/// Letters are numbers as well as any other four bytes.
fn vector(random: &mut Random) -> String {
    let few = random.index(3);
    (0..4 * ELEMENTS).map(|at| char::from(b'a' + ((at * few + random.index(2)) % 26) as u8)).collect()
}

/// A command, and whether it is about indexes: then it is for one of the two only.
fn command(random: &mut Random, now_ms: u64) -> (Vec<u8>, bool) {
    let (one, other, vector) = (key(random), key(random), vector(random));
    let (one, other, vector) = (one.as_str(), other.as_str(), vector.as_str());
    let soon = (now_ms + random.index(3000) as u64).to_string();
    let number = random.index(1000).to_string();
    let script = "local a = redis.call('HGET', KEYS[1], 'v'); redis.call('HSET', KEYS[1], 'v', ARGV[1]); \
                  redis.call('RENAME', KEYS[1], KEYS[2]); \
                  if ARGV[2] == '1' then redis.call('GET', 'doc:elsewhere') end return a";
    let of_index = match random.index(60) {
        0 => Some(create("idx")),
        1 => Some(create("a second one")),
        2 => Some(request(&["FT.DROPINDEX", "idx"])),
        3 => Some(request(&["FT.DROPINDEX", "a second one"])),
        4 => Some(request(&["FT.ALTER", "idx", "SCHEMA", "ADD", "year", "NUMERIC"])),
        _ => None,
    };
    if let Some(bytes) = of_index {
        return (bytes, true);
    }
    let few = (random.index(40) == 0).then(|| match random.index(4) {
        0 => request(&["SWAPDB", "0", "1"]),
        1 => request(&["FLUSHDB", "ASYNC"]),
        2 => request(&["FLUSHALL"]),
        _ => request(&["SWAPDB", "1", "0"]),
    });
    let bytes = few.unwrap_or_else(|| match random.index(27) {
        0..=4 => request(&["HSET", one, "title", "A title", "v", vector, "year", &number]),
        5 => request(&["HSET", one, "v", &vector[..200]]),
        6 => request(&["HSET", one, "title", "Another title"]),
        7 => request(&["DEL", one]),
        8 => request(&["UNLINK", one]),
        9 => request(&["RENAME", one, other]),
        10 => request(&["COPY", one, other, "REPLACE"]),
        11 => request(&["MOVE", one, "1"]),
        12 => [request(&["SELECT", "1"]), request(&["MOVE", one, "0"]), request(&["SELECT", "0"])].concat(),
        13 => request(&["HINCRBY", one, "year", "3"]),
        14 => request(&["HDEL", one, ["v", "title"][random.index(2)]]),
        15 => request(&["HPEXPIREAT", one, &soon, "FIELDS", "1", ["v", "year"][random.index(2)]]),
        16 => request(&["HPERSIST", one, "FIELDS", "1", "v"]),
        17 => request(&["PEXPIREAT", one, &soon]),
        18 => request(&["EVAL", script, "2", one, other, vector, ["0", "1"][random.index(2)]]),
        19 => request(&["HGETALL", one]),
        20 => request(&["HMGET", one, "v", "year", "nothing"]),
        21 => request(&["HSTRLEN", one, "v"]),
        22 => request(&["HVALS", one]),
        23 => request(&["HSCAN", one, "0"]),
        24 => request(&["DUMP", one]),
        25 => request(&["HGETDEL", one, "FIELDS", "2", "v", "title"]),
        _ => [
            request(&["MULTI"]),
            request(&["HSET", one, "v", vector]),
            request(&["HGET", one, "v"]),
            request(&["RENAME", one, other]),
            request(&["HGETALL", other]),
            request(&["EXEC"]),
        ]
        .concat(),
    });
    (bytes, false)
}

/// Whether an index has vectors of the hashes under such keys.
fn is_indexed(cx: &command::ShardCx, name: &[u8]) -> bool {
    let exists = [b"idx".as_slice(), b"a second one"].into_iter().any(|name| cx.indexes.get(name).is_some());
    exists && (name.starts_with(b"doc:") || name.starts_with(b"{t}"))
}

/// How many hashes lend.
fn check(trial: &mut Trial, what: &str) -> usize {
    let mut lending = 0;
    for shard in &mut trial.shards {
        let cx = &mut shard.cx;
        cx.settle_indexes();
        command::sweep::sweep(cx);
        cx.settle_indexes();
        while cx.scan_for_indexes() {}
        while cx.link_for_indexes(false) {}
        for (number, db) in cx.dbs.numbered() {
            assert_eq!(db.audit(), Ok(()), "{what}");
            for (name, value, _) in db.iter() {
                let ValueRef::Hash(hash) = value else { continue };
                let has_vector = hash.get(b"v", cx.now_ms).is_some_and(|value| value.len() == 4 * ELEMENTS);
                let expected = has_vector && number == DB && is_indexed(cx, name);
                let shown = String::from_utf8_lossy(name).into_owned();
                assert_eq!(
                    hash.lent_len(),
                    usize::from(expected),
                    "{what}, shard {}, {number}, {shown}",
                    cx.id
                );
                lending += usize::from(expected);
            }
        }
    }
    lending
}

fn run(seed: u64, shards: u16) -> usize {
    let mut random = Random::from_seed(seed);
    let (mut with, mut without) = (Trial::new(shards), Trial::new(shards));
    let (conn, conn_without) = (with.connect(), without.connect());
    let mut now_us = 5_000_000;
    let mut lending = 0;
    with.ask(conn, &create("idx"));
    for step in 0..150 {
        if step % 12 == 0 {
            now_us += random.index(1_500_000) as u64;
        }
        with.set_time(now_us);
        without.set_time(now_us);
        let (bytes, is_of_index) = command(&mut random, now_us / 1000);
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let what = format!("seed {seed}, {shards} shards, step {step}: {shown}");
        let reply = with.ask(conn, &bytes);
        if !is_of_index {
            assert!(reply == without.ask(conn_without, &bytes), "{what}");
        }
        if random.index(6) == 0 {
            let shard = random.index(shards.into());
            with.shards[shard].cx.scan_for_indexes();
            with.publish(shard);
        }
        if random.index(8) == 0 {
            with.settle();
            without.settle();
            lending += check(&mut with, &what);
            check(&mut without, &what);
        }
    }
    lending
}

#[test]
fn who_asks_cannot_tell_where_a_vector_is() {
    let mut lending = 0;
    for seed in 0..120 {
        for shards in [1, 3] {
            lending += run(seed, shards);
        }
    }
    assert!(lending > 3000, "{lending} hashes lent");
}
