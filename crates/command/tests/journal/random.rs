//! Random commands while time goes on; what was written down, played again at another time under another hash seed, with collections in
//! other forms, makes the same data.

use crate::bed::{Bed, NOW_MS, row_of, words};
use crate::{journalling, lines, replay};
use base::random::Random;

/// Commands; a letter in braces stands for something random (see [`fill`]).
const COMMANDS: &str = "
SET {s} {e} | SET {s} {e} PX {d} | SET {s} {e} PXAT {t} | SET {s} {e} KEEPTTL GET | SET {s} {e} NX EX 1 | SET {k} {e} XX
SET {s} {e} IFEQ {e} PX {d} | SETEX {s} 1 {e} | PSETEX {s} {d} {e} | SETNX {s} {e} | GETSET {s} {e}
MSET {s} {e} {s} {e} | MSETNX {s} {e} {s} {e} | MSETEX 2 {s} {e} {s} {e} PX {d} | MSETEX 2 {s} {e} {s} {e} XX KEEPTTL
GETEX {s} PX {d} | GETEX {s} PERSIST | GETEX {s} PXAT {t} | GETDEL {s} | APPEND {s} {e} | SETRANGE {s} {c} {e}
INCR {s} | DECRBY {s} {n} | INCRBYFLOAT {s} 0.1 | INCREX {s} BYFLOAT 0.3 PX {d} ENX | INCREX {s} BYINT {n} PERSIST
INCREX {s} PXAT {t} | DELEX {s} IFEQ {e} | SETBIT {s} {c} 1 | BITFIELD {s} INCRBY u8 {c} 100 | BITOP XOR {s} {s} {s}
PFADD {p} {e} {e} | PFCOUNT {p} | PFMERGE {p} {p} | DEL {k} {k} | UNLINK {k} | RENAME {k} {k} | RENAMENX {k} {k}
COPY {k} {k} REPLACE | COPY {k} {k} DB 1 | MOVE {k} 1 | EXPIRE {k} 1 | PEXPIRE {k} {d} GT | PEXPIRE {k} {d} | PEXPIREAT {k} {t} | PERSIST {k}
SORT {l} ALPHA STORE {l} | SORT {m} BY {h}->{f} GET # GET {h}->{f} ALPHA STORE {l} | SORT {m} BY {s}* GET {h}->* DESC ALPHA STORE {l}
SORT {m} BY nosort STORE {l} | SORT {z} ALPHA STORE {l} | SORT {m} BY none* ALPHA LIMIT 0 2 STORE {l}
LPUSH {l} {e} {e} | RPUSH {l} {e} {e} {e} | LPUSHX {l} {e} | LPOP {l} {c} | RPOP {l} | LMPOP 2 {l} {l} RIGHT COUNT {c}
BLPOP {l} {l} 0 | BRPOP {l} 0 | BLMPOP 0 2 {l} {l} LEFT COUNT {c} | LMOVE {l} {l} LEFT RIGHT | RPOPLPUSH {l} {l}
BLMOVE {l} {l} RIGHT RIGHT 0 | BRPOPLPUSH {l} {l} 0 | LMOVEM {l} {l} LEFT LEFT COUNT {c} OBO | LMOVEM {l} {l} RIGHT LEFT COUNT {c} BULK
BLMOVEM {l} {l} LEFT RIGHT 0 EXACTLY {c} OBO | LSET {l} 0 {e} | LINSERT {l} AFTER {e} {e} | LREM {l} {n} {e} | LTRIM {l} 0 4
SADD {m} {e} {e} {e} | SADD {m} {e} {f} | SREM {m} {e} | SMOVE {m} {m} {e} | SPOP {m} | SPOP {m} {c} | SUNIONSTORE {m} {m} {m}
SINTERSTORE {m} {m} {m} | SDIFFSTORE {m} {m} {m} | HSET {h} {f} {e} {f} {e} | HSET {h} {f} {c} | HSETNX {h} {f} {e}
HINCRBY {h} {f} {n} | HINCRBYFLOAT {h} {f} 0.1 | HDEL {h} {f} | HPEXPIRE {h} {d} FIELDS 2 {f} {f} | HPEXPIRE {h} {d} XX FIELDS 1 {f}
HPEXPIREAT {h} {t} FIELDS 2 {f} {f} | HEXPIRE {h} 1 NX FIELDS 1 {f} | HPERSIST {h} FIELDS 2 {f} {f} | HGETDEL {h} FIELDS 2 {f} {f}
HGETEX {h} PX {d} FIELDS 2 {f} {f} | HGETEX {h} PERSIST FIELDS 2 {f} {f} | HGETEX {h} PXAT {t} FIELDS 1 {f}
HSETEX {h} PX {d} FIELDS 2 {f} {e} {f} {e} | HSETEX {h} KEEPTTL FIELDS 2 {f} {e} {f} {e} | HSETEX {h} FNX FIELDS 1 {f} {e}
HSETEX {h} FXX KEEPTTL FIELDS 1 {f} {e} | HSETEX {h} PXAT {t} FIELDS 1 {f} {e} | HIMPORT SET {h} fields {e} {e} | HGETALL {h} | HLEN {h}
ZADD {z} {n} {e} {c} {e} | ZADD {z} GT CH {n} {e} | ZINCRBY {z} 0.1 {e} | ZREM {z} {e} | ZREMRANGEBYRANK {z} 0 0 | ZPOPMIN {z} | ZPOPMAX {z} {c}
ZMPOP 2 {z} {z} MIN COUNT {c} | BZPOPMIN {z} {z} 0 | BZPOPMAX {z} 0 | BZMPOP 0 2 {z} {z} MAX COUNT {c} | ZUNIONSTORE {z} 2 {z} {m} WEIGHTS 2 0.3
ZINTERSTORE {z} 2 {z} {m} | ZDIFFSTORE {z} 2 {z} {z} | ZRANGESTORE {z} {z} 0 2 | GEOADD {z} 13.3{c} 38.1 {e} | GEOSEARCHSTORE {z} {z} FROMLONLAT 13 38 BYRADIUS 500 km COUNT 2 ANY
XADD {x} * {f} {e} | XADD {x} {i} {f} {e} | XADD {x} * {f} {e} | XADD {x} NOMKSTREAM MAXLEN ~ 16 * {f} {e} | XADD {x} MAXLEN = 29 * {f} {e}
XADD {x} MINID ~ {o} LIMIT 5 * {f} {e} | XADD {x} DELREF MAXLEN ~ 15 * {f} {e} | XADD {x} IDMP {u} {e} * {f} {e} | XADD {x} IDMPAUTO {u} MAXLEN 40 * {f} {e}
XTRIM {x} MAXLEN ~ 1{c} | XTRIM {x} MINID ~ {o} | XTRIM {x} MAXLEN 13 | XTRIM {x} MINID {o} DELREF | XTRIM {x} MAXLEN 1{c} ACKED | XADD {x} ACKED MAXLEN 1{c} * {f} {e} | XDEL {x} {i} | XDELEX {x} DELREF IDS 1 {i}
XDELEX {x} ACKED IDS 2 {i} {o} | XSETID {x} {y} | XCFGSET {x} IDMP-DURATION {c} | XIDMPRECORD {x} {u} {e} {i} | XGROUP CREATE {x} {g} {i} MKSTREAM
XGROUP CREATE {x} {g} $ MKSTREAM ENTRIESREAD {c} | XGROUP SETID {x} {g} {i} ENTRIESREAD {c} | XGROUP SETID {x} {g} 0 | XGROUP DESTROY {x} {g}
XADD {x} * {f} {e} {f} {e} | XGROUP CREATE {x} {g} 0 MKSTREAM | XGROUP CREATE {x} {g} 0 | XREADGROUP GROUP {g} {u} STREAMS {x} > | XREADGROUP GROUP {g} {u} COUNT 3 STREAMS {x} >
XGROUP CREATECONSUMER {x} {g} {u} | XGROUP DELCONSUMER {x} {g} {u} | XREADGROUP GROUP {g} {u} COUNT {c} STREAMS {x} > | XREADGROUP GROUP {g} {u} STREAMS {x} {x} > >
XREADGROUP GROUP {g} {u} NOACK COUNT {c} STREAMS {x} > | XREADGROUP GROUP {g} {u} COUNT {c} CLAIM {d} STREAMS {x} > | XCLAIM {x} {g} {u} {d} {i} {i} {i}
XCLAIM {x} {g} {u} 0 {i} {i} FORCE IDLE {d} LASTID {i} | XCLAIM {x} {g} {u} 0 {i} TIME {t} RETRYCOUNT {c} JUSTID FORCE | XAUTOCLAIM {x} {g} {u} {d} 0 COUNT {c}
XAUTOCLAIM {x} {g} {u} 0 0 JUSTID | XACK {x} {g} {i} {i} | XACKDEL {x} {g} ACKED IDS 2 {i} {i} | XNACK {x} {g} SILENT IDS 3 {i} {i} {i} | XNACK {x} {g} FATAL IDS 1 {i} FORCE
ARSET {a} {c} {e} {e} | ARMSET {a} {c} {e} 90 {e} | ARDEL {a} {c} | ARDELRANGE {a} 0 {c} | ARINSERT {a} {e} {e} | ARRING {a} {c} {e} {e} | ARSEEK {a} {c}
VADD {v} VALUES 3 {n} {c} {n} {e} | VADD {v} VALUES 3 {n} {n} {n} {e} CAS SETATTR {e} | VREM {v} {e} | VSETATTR {v} {e} {f}
FLUSHDB | SWAPDB 0 1
";

/// What collections become tables at, and blocks of streams are full at, while commands run; and when they are played again.
const FORMS: [&[(&str, &str)]; 2] = [
    &[
        ("stream-node-max-entries", "4"),
        ("hash-max-listpack-entries", "5"),
        ("set-max-listpack-entries", "4"),
        ("set-max-intset-entries", "4"),
        ("zset-max-listpack-entries", "4"),
        ("list-max-listpack-size", "3"),
        ("stream-idmp-duration", "1"),
    ],
    &[("stream-node-max-entries", "7"), ("stream-idmp-maxsize", "9")],
];

/// What random commands are made of.
struct Source<'a> {
    random: Random,
    commands: Vec<&'a str>,
    /// Of each type.
    keys: u64,
    /// Of entries of streams, the newest last.
    ids: Vec<String>,
}

impl Source<'_> {
    fn key(&mut self, kind: &str) -> String {
        format!("{kind}{}", self.random.below(self.keys))
    }

    /// What stands for a letter: keys of a type (`k`: of any), elements, fields, distances and points in time, ids, older ids.
    fn fill(&mut self, letter: &str, now_ms: u64) -> String {
        match letter {
            "k" => {
                let kind = ["s", "l", "m", "h", "z", "x", "a", "p", "v"][self.random.index(9)];
                self.key(kind)
            }
            "s" | "l" | "m" | "h" | "z" | "x" | "a" | "p" | "v" => self.key(letter),
            "e" if self.random.below(3) == 0 => format!("e{}", self.random.below(12)),
            "e" => self.random.below(20).to_string(),
            "f" => format!("f{}", self.random.below(7)),
            "n" => (self.random.below(10) as i64 - 4).to_string(),
            "c" => (1 + self.random.below(5)).to_string(),
            "d" => (1 + self.random.below(400)).to_string(),
            "t" => (now_ms + self.random.below(400) - 100).to_string(),
            "i" if self.ids.is_empty() || self.random.below(8) == 0 => {
                format!("{now_ms}-{}", self.random.below(2))
            }
            "i" => {
                let back = 1 + self.random.index(self.ids.len().min(12));
                self.ids[self.ids.len() - back].clone()
            }
            "o" => {
                let back = 20 + self.random.index(20);
                self.ids.len().checked_sub(back).map_or_else(|| "0-1".to_owned(), |at| self.ids[at].clone())
            }
            "y" => format!("{}-9", now_ms + self.random.below(5)),
            "g" => format!("g{}", self.random.below(2)),
            "u" => format!("u{}", self.random.below(3)),
            _ => panic!("{letter} stands for nothing"),
        }
    }

    /// A command in which letters in braces have been filled in.
    fn command(&mut self, now_ms: u64) -> String {
        let mut text = String::new();
        let mut rest = self.commands[self.random.index(self.commands.len())];
        // Whole databases go seldom.
        if rest.starts_with("FLUSH") && self.random.below(10) > 0 {
            rest = self.commands[0];
        }
        while let Some((before, behind)) = rest.split_once('{') {
            let (letter, behind) = behind.split_once('}').expect("braces come in pairs");
            text += before;
            text += &self.fill(letter, now_ms);
            rest = behind;
        }
        text + rest
    }
}

/// All commands among some keys of each type, or those of one letter on one key.
fn source<'a>(seed: u64, all: &[&'a str]) -> Source<'a> {
    let focus = [None, Some('X'), Some('H')][seed as usize % 3];
    let commands =
        all.iter().copied().filter(|it| focus.is_none_or(|letter| it.starts_with(letter))).collect();
    let keys = if focus.is_some() { 1 } else { 3 };
    Source { random: Random::from_seed(seed), commands, keys, ids: Vec::new() }
}

fn run(seed: u64, all: &[&str]) {
    let mut source = source(seed, all);
    let mut bed: Bed = journalling(seed, FORMS[0]);
    bed.ask("HIMPORT PREPARE fields f0 f3");
    let (mut written, mut asked) = (Vec::new(), Vec::new());
    for step in 1..=400 {
        let random = &mut source.random;
        bed.shard.now_ms += if random.below(40) == 0 { random.below(1500) } else { random.below(12) };
        bed.shard.now_us = bed.shard.now_ms * 1000;
        if random.below(20) == 0 {
            command::sweep::sweep(&mut bed.shard);
        }
        let db = u16::from(random.below(20) == 0);
        let line = source.command(bed.shard.now_ms);
        bed.run(db, &words(&line));
        let effects = bed.take();
        for (_, words) in effects.iter().filter(|(_, words)| words[0] == b"XADD") {
            let ids = words.iter().filter(|word| word.len() >= 15 && word.contains(&b'-'));
            source.ids.extend(ids.map(|id| String::from_utf8_lossy(id).into_owned()));
        }
        asked.push(format!("{} {db}: {line} => {}", bed.shard.now_ms - NOW_MS, lines(&effects).join(" ; ")));
        written.extend(effects);
        if step % 100 == 0
            && let Err(problem) = replay(&bed, &written, FORMS[1])
        {
            panic!("seed {seed}: {problem}\n{}", asked.join("\n"));
        }
    }
}

#[test]
fn what_was_written_down_makes_the_same_data() {
    let commands: Vec<&str> =
        COMMANDS.lines().flat_map(|line| line.split(" | ")).filter(|it| !it.is_empty()).collect();
    commands.iter().for_each(|it| {
        let sample: Vec<_> = it.replace(['{', '}'], "").split(' ').map(|w| w.as_bytes().to_vec()).collect();
        assert!(row_of(&sample).takes(sample.len()), "{it}");
    });
    let first = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    match first {
        Some(seed) => run(seed, &commands),
        None => (0..240).for_each(|seed| run(seed, &commands)),
    }
}
