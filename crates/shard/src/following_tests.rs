//! Indexes follow their keys: after any commands, with any delivery of messages, what is indexed is what the keys have.

use crate::trial::{Trial, request};
use base::random::Random;
use command::indexes::DB;
use keyspace::{Found, Key, ValueRef};

const KEYS: usize = 12;
const CREATE: [&str; 10] =
    ["FT.CREATE", "idx", "PREFIX", "2", "doc:", "{t}", "SCHEMA", "n", "NUMERIC", "SORTABLE"];

/// One of so many keys of each kind: some are of one slot, some are not indexed.
pub fn key_of(random: &mut Random, count: usize) -> String {
    let number = random.index(count);
    match random.index(4) {
        0 => format!("{{t}}{number}"),
        1 => format!("other:{number}"),
        _ => format!("doc:{number}"),
    }
}

fn key(random: &mut Random) -> String {
    key_of(random, KEYS)
}

/// One command, or several that belong together.
fn commands(random: &mut Random, now_ms: u64) -> Vec<u8> {
    let number = random.index(1000).to_string();
    let (one, other) = (key(random), key(random));
    let (one, other) = (one.as_str(), other.as_str());
    let soon = (now_ms + random.index(3000) as u64).to_string();
    let script = "redis.call('HSET', KEYS[1], 'n', ARGV[1]); redis.call('DEL', KEYS[2]); \
                  if ARGV[1] == '7' then redis.call('GET', ARGV[2]) end return 1";
    match random.index(22) {
        0..=4 => request(&["HSET", one, "n", &number]),
        5 => request(&["HSET", one, "n", "banana"]),
        6 => request(&["DEL", one, other]),
        7 => request(&["RENAME", one, other]),
        8 => request(&["COPY", one, other, "REPLACE"]),
        9 => request(&["SET", one, "text"]),
        10 => request(&["PEXPIREAT", one, &soon]),
        11 => request(&["HINCRBY", one, "n", "3"]),
        12 => request(&["HDEL", one, "n"]),
        13 => request(&["EVAL", script, "2", one, other, &number, "doc:elsewhere"]),
        14 => [
            request(&["MULTI"]),
            request(&["HSET", one, "n", &number]),
            request(&["RENAME", one, other]),
            request(&["EXEC"]),
        ]
        .concat(),
        15 => request(&["MOVE", one, "1"]),
        16 => [
            request(&["SELECT", "1"]),
            request(&["HSET", one, "n", "1"]),
            request(&["MOVE", one, "0"]),
            request(&["SELECT", "0"]),
        ]
        .concat(),
        17 => request(&["HPEXPIREAT", one, &soon, "FIELDS", "1", "n"]),
        18 => request(&["JSON.SET", one, "$", "{\"n\":5}"]),
        19 if random.index(10) == 0 => request(&["SWAPDB", "0", "1"]),
        20 if random.index(10) == 0 => {
            [request(&[["FLUSHALL", "FLUSHDB"][random.index(2)]]), request(&CREATE)].concat()
        }
        21 if random.index(10) == 0 => [request(&["FT.DROPINDEX", "idx"]), request(&CREATE)].concat(),
        _ => request(&["HGET", one, "n"]),
    }
}

/// What a key must be indexed by, as it is shown: `None` if it must not.
fn wanted(shard: &mut command::ShardCx, name: &[u8]) -> Option<String> {
    if !name.starts_with(b"doc:") && !name.starts_with(b"{t}") {
        return None;
    }
    let seed = shard.seed.clone();
    let now_ms = shard.now_ms;
    let Found::Live(pos) = shard.dbs[usize::from(DB)].find(Key::new(name, &seed), 0) else { return None };
    let ValueRef::Hash(hash) = shard.dbs[usize::from(DB)].value(pos) else { return None };
    let Some(item) = hash.get(b"n", now_ms) else { return Some("Missing".into()) };
    let text = item.with_text(|text| String::from_utf8_lossy(text).into_owned());
    text.parse::<f64>().ok().map(|number| format!("Number({number:?})"))
}

fn check(trial: &mut Trial, what: &str) {
    for shard in &mut trial.shards {
        let cx = &mut shard.cx;
        cx.settle_indexes();
        while cx.scan_for_indexes() {}
        // What is over and not gone yet is indexed until it goes.
        let now_ms = cx.now_ms;
        command::sweep::sweep(cx);
        assert_eq!(cx.now_ms, now_ms);
        let names: Vec<Vec<u8>> = cx.dbs[usize::from(DB)].iter().map(|(name, ..)| name.to_vec()).collect();
        let mut expected: Vec<_> =
            names.into_iter().filter_map(|name| wanted(cx, &name).map(|value| (name, value))).collect();
        let index = cx.indexes.get(b"idx").expect("there is an index");
        let mut found: Vec<_> = index
            .documents
            .iter()
            .map(|(id, name)| {
                let value = index.index.sort_value(id, 0).expect("its document is indexed");
                (name.to_vec(), format!("{value:?}"))
            })
            .collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{what}, shard {}", cx.id);
        assert_eq!(index.index.len(), found.len(), "{what}");
    }
}

fn run(seed: u64, shards: u16) {
    let mut random = Random::from_seed(seed);
    let mut trial = Trial::new(shards);
    let mut now_us = 5_000_000;
    trial.set_time(now_us);
    let mut conns = Vec::new();
    for n in 0..3 {
        let shard = random.index(shards.into());
        conns.push((shard, trial.connect_to(shard, 100 + n)));
    }
    let conn = trial.connect();
    assert_eq!(trial.ask(conn, &request(&CREATE)), b"+OK\r\n");
    for step in 0..120 {
        let (shard, conn) = conns[random.index(conns.len())];
        let bytes = commands(&mut random, now_us / 1000);
        trial.send_to(shard, conn, &bytes);
        for _ in 0..random.index(6) {
            trial.deliver_any(&mut random);
        }
        if random.index(8) == 0 {
            let shard = random.index(shards.into());
            trial.shards[shard].cx.scan_for_indexes();
            trial.publish(shard);
        }
        if random.index(12) == 0 {
            now_us += random.index(2_000_000) as u64;
            trial.set_time(now_us);
        }
        if random.index(10) == 0 {
            trial.settle();
            check(&mut trial, &format!("seed {seed}, {shards} shards, step {step}"));
        }
    }
    trial.settle();
    check(&mut trial, &format!("seed {seed}, {shards} shards, end"));
}

#[test]
fn what_is_indexed_is_what_the_keys_have() {
    for seed in 0..150 {
        for shards in [1, 2, 3] {
            run(seed, shards);
        }
    }
}

/// Many keys are looked at in slices, and what changes meanwhile is not lost, nor what is lent to another shard when its turn comes.
#[test]
fn keys_that_were_there_before() {
    for shards in [1, 2] {
        let mut trial = Trial::new(shards);
        trial.set_time(5_000_000);
        let conn = trial.connect();
        for n in 0..2000 {
            trial.send(conn, &request(&["HSET", &format!("doc:{n}"), "n", &n.to_string()]));
        }
        trial.settle();
        trial.take_replies(conn);
        assert_eq!(trial.ask(conn, &request(&CREATE)), b"+OK\r\n");
        let is_indexing = |trial: &Trial| {
            trial
                .shards
                .iter()
                .any(|shard| shard.cx.indexes.get(b"idx").is_some_and(|index| index.scan.is_some()))
        };
        assert!(is_indexing(&trial), "2000 keys are not looked at in one step");
        for n in 0..500 {
            let (one, other) = (format!("doc:{n}"), format!("doc:{}", 2000 - n));
            trial.send(conn, &request(&["RENAME", &one, &other]));
            if n % 7 == 0 {
                let shard = n % usize::from(shards);
                trial.shards[shard].cx.scan_for_indexes();
            }
            trial.deliver();
        }
        trial.settle();
        check(&mut trial, &format!("{shards} shards"));
        assert!(!is_indexing(&trial));
    }
}

/// Commands sent together: the index that FT.INFO has asked about is another, or gone, when all shards have answered.
#[test]
fn info_tells_of_the_index_that_was_asked_about() {
    let create = ["FT.CREATE", "idx", "STOPWORDS", "1", "a", "SCHEMA", "n", "NUMERIC"].as_slice();
    let info = ["FT.INFO", "idx"].as_slice();
    let alter = ["FT.ALTER", "idx", "SCHEMA", "ADD", "m", "TAG", "t", "TEXT"].as_slice();
    let lines = [create, info, alter, info, &["FT.DROPINDEX", "idx"], info];
    for shards in [1, 2, 4] {
        let mut one_by_one = Trial::new(shards);
        let conn = one_by_one.connect();
        let replies: Vec<u8> = lines.iter().flat_map(|line| one_by_one.ask(conn, &request(line))).collect();
        let mut together = Trial::new(shards);
        let conn = together.connect();
        let all: Vec<u8> = lines.iter().flat_map(|line| request(line)).collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(text(&together.ask(conn, &all)), text(&replies), "{shards} shards");
    }
}
