//! Random commands on several shards, whose files are then played again: into as many shards, and into one.

use super::files::Files;
use crate::trial::{Trial, request};
use base::random::Random;
use config::{Config, DirectiveId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `{s}` and so on are names of keys that most often have a value of that type; `{k}` any. `{v}` a value, `{n}` a small number, `{f}` a field or
/// member, `{ms}` a short time, `{at}` a moment before or after now, `{id}` of an entry.
const COMMANDS: &[&str] = &[
    "SET {s} {v}",
    "SET {s} {v} PX {ms}",
    "SET {s} {v} KEEPTTL GET",
    "SET {s} {v} PXAT {at} NX",
    "SETEX {s} {n} {v}",
    "GETSET {s} {v}",
    "GETDEL {s}",
    "GETEX {s} PX {ms}",
    "GETEX {s} PERSIST",
    "GET {s}",
    "APPEND {s} {v}",
    "SETRANGE {s} {n} {v}",
    "SETBIT {s} {n} 1",
    "BITFIELD {s} INCRBY u8 {n} 100",
    "BITOP OR {s} {s} {s}",
    "INCR {s}",
    "INCRBYFLOAT {s} 0.1",
    "DECRBY {s} {n}",
    "MSET {s} {v} {s} {v} {s} {v}",
    "MSETNX {s} {v} {s} {v}",
    "MGET {s} {s} {s}",
    "DEL {k}",
    "DEL {k} {k} {k}",
    "UNLINK {k} {k}",
    "EXISTS {k} {k} {k}",
    "TOUCH {k} {k}",
    "RENAME {k} {k}",
    "RENAMENX {k} {k}",
    "COPY {k} {k} REPLACE",
    "COPY {k} {k} DB 1 REPLACE",
    "MOVE {k} 1",
    "EXPIRE {k} {n}",
    "PEXPIRE {k} {ms}",
    "PEXPIRE {k} {ms} GT",
    "PEXPIREAT {k} {at}",
    "PERSIST {k}",
    "LPUSH {l} {v} {v}",
    "RPUSH {l} {v} {v} {v}",
    "LPUSHX {l} {v}",
    "LPOP {l}",
    "RPOP {l} {n}",
    "LREM {l} {n} {v}",
    "LSET {l} {n} {v}",
    "LTRIM {l} 0 {n}",
    "LINSERT {l} BEFORE {v} {v}",
    "LMOVE {l} {l} LEFT RIGHT",
    "RPOPLPUSH {l} {l}",
    "LMPOP 2 {l} {l} LEFT COUNT 2",
    "SORT {l} ALPHA STORE {l}",
    "SORT {t} BY nosort STORE {l}",
    "HSET {h} {f} {v} {f} {v}",
    "HSETNX {h} {f} {v}",
    "HDEL {h} {f} {f}",
    "HINCRBY {h} {f} {n}",
    "HINCRBYFLOAT {h} {f} 0.7",
    "HPEXPIRE {h} {ms} FIELDS 2 {f} {f}",
    "HEXPIRE {h} {n} FIELDS 1 {f}",
    "HPEXPIREAT {h} {at} FIELDS 1 {f}",
    "HPERSIST {h} FIELDS 1 {f}",
    "HGETEX {h} PX {ms} FIELDS 1 {f}",
    "HGETDEL {h} FIELDS 2 {f} {f}",
    "HSETEX {h} PX {ms} FIELDS 1 {f} {v}",
    "HGETALL {h}",
    "HGET {h} {f}",
    "SADD {t} {f} {f} {f}",
    "SREM {t} {f}",
    "SPOP {t}",
    "SPOP {t} {n}",
    "SMOVE {t} {t} {f}",
    "SUNIONSTORE {t} {t} {t}",
    "SINTERSTORE {t} {t} {t}",
    "SDIFFSTORE {t} {t} {t}",
    "ZADD {z} {n} {f} {n} {f}",
    "ZADD {z} INCR {n} {f}",
    "ZINCRBY {z} 0.3 {f}",
    "ZREM {z} {f}",
    "ZPOPMIN {z}",
    "ZPOPMAX {z} {n}",
    "ZMPOP 2 {z} {z} MIN COUNT 2",
    "ZUNIONSTORE {z} 2 {z} {t}",
    "ZINTERSTORE {z} 2 {z} {z} WEIGHTS 2 3",
    "ZRANGESTORE {z} {z} 0 {n}",
    "ZREMRANGEBYRANK {z} 0 0",
    "GEOADD {z} 13.3 38.1 {f}",
    "PFADD {p} {f} {f}",
    "PFMERGE {p} {p} {p}",
    "PFCOUNT {p} {p}",
    "PFCOUNT {p}",
    "XADD {x} * {f} {v}",
    "XADD {x} MAXLEN ~ 5 * {f} {v}",
    "XADD {x} MAXLEN 5 * {f} {v}",
    "XTRIM {x} MAXLEN {n}",
    "XDEL {x} 1-1",
    "XGROUP CREATE {x} g $ MKSTREAM",
    "XGROUP CREATE {x} g 0",
    "XGROUP DESTROY {x} g",
    "XGROUP CREATECONSUMER {x} g c",
    "XREADGROUP GROUP g c COUNT 2 STREAMS {x} >",
    "XREADGROUP GROUP g d COUNT 2 STREAMS {x} {x} > >",
    "XAUTOCLAIM {x} g d 0 0",
    "XGROUP DELCONSUMER {x} g c",
    "XGROUP SETID {x} g 0",
    "XSETID {x} 9999999999999-0",
    "RESTORE {k} 0 junk",
    "PUBLISH channel {v}",
    "KEYS *",
    "SCAN 0",
    "DBSIZE",
    "RANDOMKEY",
];

const RARE: &[&str] = &["FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "SWAPDB 1 2"];

const BLOCKING: &[&str] = &[
    "BLPOP {l} {l} {l} 0",
    "BRPOP {l} {l} 0.1",
    "BLMOVE {l} {l} LEFT LEFT 0",
    "BRPOPLPUSH {l} {l} 0",
    "BLMPOP 0 2 {l} {l} RIGHT COUNT 2",
    "BZPOPMIN {z} {z} 0",
    "BZMPOP 0 2 {z} {z} MAX",
    "XREADGROUP GROUP g e BLOCK 0 STREAMS {x} >",
];

const SCRIPTS: &[&str] = &[
    "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('APPEND', KEYS[2], ARGV[1])",
    "redis.call('DEL', KEYS[1]) redis.call('SET', ARGV[2], 'undeclared') return redis.call('RENAME', ARGV[2], KEYS[2])",
    "redis.call('GET', KEYS[1]) redis.pcall('LPUSH', ARGV[3], 'x') redis.pcall('INCR', KEYS[2]) return redis.pcall('PEXPIRE', KEYS[1], 20)",
    "redis.pcall('SPOP', KEYS[1]) redis.pcall('SPOP', ARGV[2]) return redis.pcall('ZPOPMIN', ARGV[3])",
    "for n = 1, 5 do redis.pcall('RPUSH', KEYS[1], n) end return redis.pcall('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'LEFT')",
    "redis.pcall('HSET', KEYS[1], 'f1', 'x') redis.pcall('HPEXPIRE', KEYS[1], 30, 'FIELDS', 1, 'f1') return redis.call('KEYS', '*')",
    "redis.pcall('SORT', KEYS[1], 'ALPHA', 'STORE', KEYS[2]) return redis.pcall('GET', ARGV[2])",
    "redis.call('SELECT', 1) redis.call('SET', KEYS[1], ARGV[1]) redis.call('SELECT', 0) return redis.pcall('INCR', KEYS[2])",
];

fn name(random: &mut Random, kind: char) -> String {
    let kinds = ['s', 'l', 'h', 't', 'z', 'x', 'p'];
    let kind = match kind {
        'k' => kinds[random.index(kinds.len())],
        _ if random.index(12) == 0 => kinds[random.index(kinds.len())],
        kind => kind,
    };
    format!("{kind}{}", random.index(5))
}

fn word(random: &mut Random, template: &str, now_ms: u64) -> String {
    match template {
        "{v}" => match random.index(3) {
            0 => random.index(100).to_string(),
            1 => format!("v{}", random.index(4)),
            _ => "long ".repeat(random.index(40)),
        },
        "{n}" => random.index(6).to_string(),
        "{f}" => format!("f{}", random.index(5)),
        "{ms}" => (random.index(200)).to_string(),
        "{at}" => (now_ms + random.index(200) as u64).saturating_sub(50).to_string(),
        _ => match template.strip_prefix('{').and_then(|rest| rest.chars().next()) {
            Some(kind) => name(random, kind),
            None => template.to_owned(),
        },
    }
}

fn fill(random: &mut Random, template: &str, now_ms: u64) -> Vec<u8> {
    let words: Vec<_> = template.split(' ').map(|part| word(random, part, now_ms)).collect();
    request(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn pick<'t>(random: &mut Random, of: &[&'t str]) -> &'t str {
    of[random.index(of.len())]
}

fn one(random: &mut Random, now_ms: u64) -> Vec<u8> {
    if random.index(10) == 0 {
        let [one, other, third, fourth] = [(); 4].map(|()| name(random, 'k'));
        let value = word(random, "{v}", now_ms);
        let words = ["EVAL", pick(random, SCRIPTS), "2", &one, &other, &value, &third, &fourth];
        return request(&words);
    }
    let list = if random.index(60) == 0 { RARE } else { COMMANDS };
    let template = pick(random, list);
    fill(random, template, now_ms)
}

struct Run {
    trial: Trial,
    files: Files,
    random: Random,
    now_us: u64,
    /// Each with its shard.
    conns: Vec<(usize, usize)>,
    /// What was asked, for who looks for what went wrong.
    asked: Vec<String>,
}

impl Run {
    fn new(shards: u16, seed: u64) -> Self {
        let mut trial = Trial::new(shards);
        let now_us = 1_000_000_000;
        trial.set_time(now_us);
        trial.shards.iter_mut().for_each(|shard| shard.set_journal(true));
        let conns = (0..3 * shards as usize).map(|at| (at % shards as usize, at as u64 + 1));
        let conns = conns.collect::<Vec<_>>();
        let conns = conns.into_iter().map(|(shard, id)| (shard, trial.connect_to(shard, id))).collect();
        let (files, random) = (Files::new(shards.into()), Random::from_seed(seed));
        Self { trial, files, random, now_us, conns, asked: Vec::new() }
    }

    fn send(&mut self, (shard, conn): (usize, usize), bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).replace("\r\n", " ");
        self.asked.push(format!("{} {shard}/{conn}: {text}", self.now_us / 1000));
        self.trial.send_to(shard, conn, bytes);
    }

    fn step(&mut self) {
        let at = self.random.index(self.conns.len());
        let client = self.conns[at];
        let now_ms = self.now_us / 1000;
        match self.random.index(20) {
            0 => {
                let template = pick(&mut self.random, BLOCKING);
                let bytes = fill(&mut self.random, template, now_ms);
                self.send(client, &bytes);
            }
            1 | 2 => {
                let mut bytes = request(&["MULTI"]);
                for _ in 0..=self.random.index(4) {
                    bytes.extend(one(&mut self.random, now_ms));
                }
                bytes.extend(request(&["EXEC"]));
                self.send(client, &bytes);
            }
            3 => {
                self.now_us += self.random.index(60_000) as u64;
                self.trial.set_time(self.now_us);
            }
            4 => {
                let shard = self.random.index(self.trial.shards.len());
                command::sweep::sweep(&mut self.trial.shards[shard].cx);
                self.trial.publish(shard);
            }
            5 => {
                let db = ["0", "0", "1"][self.random.index(3)];
                self.send(client, &request(&["SELECT", db]));
            }
            6 if self.random.index(4) == 0 => {
                // A client that waits goes, and another one comes.
                let (shard, conn) = self.conns.swap_remove(at);
                self.trial.close(shard, conn);
                let id = 100 + self.now_us + at as u64;
                self.conns.push((shard, self.trial.connect_to(shard, id)));
            }
            _ => {
                let bytes = one(&mut self.random, now_ms);
                self.send(client, &bytes);
            }
        }
        for _ in 0..self.random.index(8) {
            self.trial.deliver_any(&mut self.random);
        }
        if self.random.index(4) == 0 {
            self.trial.settle();
        }
        if self.random.index(10) == 0 {
            self.files.write(&mut self.trial.journal);
        }
    }

    fn finish(&mut self) {
        self.trial.settle();
        for (shard, conn) in std::mem::take(&mut self.conns) {
            self.trial.close(shard, conn);
        }
        self.trial.settle();
        self.files.write(&mut self.trial.journal);
        assert_eq!(self.trial.journal.bytes_waiting(), 0, "nothing waits for ever");
        self.files.check_transactions();
    }
}

/// All data as text: by database and key what is there and when it is over.
fn content(trial: &mut Trial) -> BTreeMap<String, String> {
    let mut config = Config::default();
    config.assign(DirectiveId::of("enable-debug-command"), b"yes").expect("a good setting");
    let config = Arc::new(config);
    trial.shards.iter_mut().for_each(|shard| shard.cx.set_config(Arc::clone(&config)));
    let conn = trial.connect();
    let mut ask = |words: &[&str]| trial.ask(conn, &request(words)).escape_ascii().to_string();
    let mut all = BTreeMap::new();
    let kinds = ['s', 'l', 'h', 't', 'z', 'x', 'p'];
    let fields: Vec<_> = (0..5).map(|n| format!("f{n}")).collect();
    for db in ["0", "1", "2"] {
        ask(&["SELECT", db]);
        for key in kinds.iter().flat_map(|kind| (0..5).map(move |n| format!("{kind}{n}"))) {
            if ask(&["EXISTS", &key]) == ":0\\r\\n" {
                continue;
            }
            let mut text =
                [ask(&["TYPE", &key]), ask(&["DEBUG", "DIGEST-VALUE", &key]), ask(&["PEXPIRETIME", &key])]
                    .concat();
            if text.starts_with("+hash") {
                let words = ["HPEXPIRETIME", &key, "FIELDS", "5"]
                    .into_iter()
                    .chain(fields.iter().map(String::as_str));
                text += &ask(&words.collect::<Vec<_>>());
            }
            if text.starts_with("+stream") {
                text += &ask(&["XINFO", "GROUPS", &key]);
                text += &ask(&["XPENDING", &key, "g", "-", "+", "100"]);
                let info = ask(&["XINFO", "STREAM", &key]);
                text += info.split("last-generated-id").nth(1).unwrap_or_default();
            }
            all.insert(format!("{db} {key}"), text);
        }
        let size = ask(&["DBSIZE"]);
        all.insert(format!("{db} size"), size);
    }
    all
}

fn played(run: &Run, shards: u16, play: impl FnOnce(&Files, &mut Trial)) -> Trial {
    let mut fresh = Trial::new(shards);
    fresh.set_time(run.now_us);
    play(&run.files, &mut fresh);
    fresh
}

fn compare(run: &mut Run, expected: &BTreeMap<String, String>, mut other: Trial, how: &str) {
    let found = content(&mut other);
    if let Some((key, value)) = expected.iter().find(|(key, value)| found.get(*key) != Some(value)) {
        let name = key.split(' ').nth(1).unwrap_or_default();
        let files: Vec<_> = (0..run.trial.shards.len())
            .flat_map(|shard| run.files.told(shard).into_iter().map(move |line| format!("{shard}: {line}")))
            .filter(|line| line.contains(name) || line.contains("SWAPDB") || line.contains("FLUSH"))
            .collect();
        let asked: Vec<_> = run.asked.iter().filter(|line| line.contains(name)).cloned().collect();
        panic!(
            "{how}: {key}\n{value}\n{:?}\nasked\n{}\nfiles\n{}",
            found.get(key),
            asked[asked.len().saturating_sub(30)..].join("\n"),
            files[files.len().saturating_sub(40)..].join("\n")
        );
    }
    assert_eq!(found.len(), expected.len(), "{how}");
}

fn check(shards: u16, seed: u64, steps: usize) {
    let mut run = Run::new(shards, seed);
    (0..steps).for_each(|_| run.step());
    run.finish();
    let expected = content(&mut run.trial);
    let mut random = Random::from_seed(seed);
    let other = played(&run, shards, |files, trial| files.play_into(trial, &mut random));
    compare(&mut run, &expected, other, &format!("{shards} shards, seed {seed}"));
    let other = played(&run, 1, |files, trial| files.play_into_one(trial));
    compare(&mut run, &expected, other, &format!("{shards} shards into one, seed {seed}"));
}

#[test]
fn what_was_written_is_there_again() {
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(12);
    for seed in 0..seeds {
        for shards in [1, 2, 4] {
            check(shards, seed, 400);
        }
    }
}
