//! Commands run as the `shard` crate runs them, on a shard alone; values of other families are put in place by hand.

use crate::spec::Plan;
use crate::{Args, Cx, Error, ShardCx, eviction, sweep};
use base::hash::HashSeed;
use base::slot::SlotMap;
use config::Config;
use keyspace::{Key, Typed};
use resp::{Reply, Span};
use std::sync::Arc;
use types::hash::FieldTtl;
use types::list::End;
use types::{Hash, List, Set, ZSet};

pub const NOW_MS: u64 = 1_800_000_000_000;

pub struct Bed {
    pub shard: ShardCx,
}

impl Bed {
    pub fn new(settings: &[(&str, &str)]) -> Self {
        let mut bed = Self { shard: ShardCx::new(0, 1, Arc::new(Config::default()), HashSeed::new(1, 2), 3) };
        bed.configure(settings);
        bed.shard.now_ms = NOW_MS;
        bed
    }

    pub fn configure(&mut self, settings: &[(&str, &str)]) {
        let mut config = Config::clone(&self.shard.config);
        let pairs: Vec<(&str, &str)> = settings.to_vec();
        config.set(&pairs, config::Caller::default()).expect("good settings");
        self.shard.set_config(Arc::new(config));
    }

    /// The reply to a command whose words are separated by single spaces; bulks and numbers as bare words.
    pub fn run(&mut self, line: &str) -> String {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let (mut buf, mut spans) = (Vec::new(), Vec::new());
        for word in words {
            spans.push(Span { start: buf.len() as u32, len: word.len() as u32 });
            buf.extend_from_slice(word);
        }
        let seed = self.shard.seed.clone();
        let args = Args::new(&buf, &spans, &seed);
        let mut command = crate::lookup(&args[0]).expect("a command");
        if let Plan::Container = command.plan {
            command = crate::registry::subcommand(command, &args[1]).unwrap_or(command);
        }
        assert!(command.takes(args.len()), "{line}");
        let mut out = Reply::new(false);
        if let Err(error) = eviction::before(&mut self.shard, command) {
            return String::from_utf8_lossy(error.line()).into_owned();
        }
        let mut cx = Cx::internal(&mut self.shard, 0);
        if let Err(error) = (command.handler)(&mut cx, args, &mut out) {
            return String::from_utf8_lossy(error.line()).into_owned();
        }
        if let Plan::All(_, merge) = command.plan {
            let part = std::mem::take(&mut out.buf);
            merge(&mut self.shard, args, &[&part], &mut out).expect("parts merge");
        }
        words_of(&out.buf)
    }

    fn put<T: Typed>(&mut self, key: &str, value: T) {
        let key = Key::new(key.as_bytes(), &self.shard.seed);
        self.shard.dbs[0].put(key, None, value.into_value(), None, 0);
    }

    pub fn list(&mut self, key: &str, elements: &[&str]) {
        let mut list = List::new(self.shard.limits.list);
        elements.iter().for_each(|e| list.push(End::Tail, e.as_bytes()));
        self.put(key, list);
    }

    pub fn set(&mut self, key: &str, members: &[&str]) {
        let (limits, seed) = (self.shard.limits.set, self.shard.seed.clone());
        let mut set = Set::new(members[0].as_bytes(), members.len(), &limits, &seed);
        for member in members {
            set.add(member.as_bytes(), &limits, &seed);
        }
        self.put(key, set);
    }

    pub fn zset(&mut self, key: &str, members: &[(f64, &str)]) {
        let (limits, seed) = (self.shard.limits.zset, self.shard.seed.clone());
        let mut zset = ZSet::new();
        for (score, member) in members {
            zset.insert(member.as_bytes(), *score, &limits, &seed);
        }
        self.put(key, zset);
    }

    /// `(field, value, expiry)`
    pub fn hash(&mut self, key: &str, fields: &[(&str, &str, Option<u64>)]) {
        let (limits, seed) = (self.shard.limits.hash, self.shard.seed.clone());
        let mut hash = Hash::new();
        for (field, value, expire) in fields {
            hash.set(field.as_bytes(), value.as_bytes(), FieldTtl::Clear, NOW_MS, &limits, &seed);
            hash.set_expire(field.as_bytes(), *expire, NOW_MS);
        }
        self.put(key, hash);
    }
}

/// A reply without its lengths.
fn words_of(reply: &[u8]) -> String {
    let text = String::from_utf8_lossy(reply);
    let mut words = Vec::new();
    let mut lines = text.split("\r\n");
    while let Some(line) = lines.next() {
        match line.as_bytes().first() {
            Some(b'$') if line == "$-1" => words.push("nil"),
            Some(b'$') => words.push(lines.next().expect("a bulk has a body")),
            Some(b':' | b'+') => words.push(&line[1..]),
            _ => {}
        }
    }
    words.join(" ")
}

#[test]
fn sort_orders_numbers_and_words() {
    let mut bed = Bed::new(&[]);
    bed.list("l", &["3", "1", "10", "2.5", "-1", "1e1"]);
    assert_eq!(bed.run("SORT l"), "-1 1 2.5 3 10 1e1");
    assert_eq!(bed.run("SORT l DESC"), "1e1 10 3 2.5 1 -1");
    assert_eq!(bed.run("SORT l LIMIT 1 2"), "1 2.5");
    assert_eq!(bed.run("SORT l LIMIT -5 2"), "-1 1");
    assert_eq!(bed.run("SORT l LIMIT 9 2"), "");
    assert_eq!(bed.run("SORT l LIMIT 4 -7"), "10 1e1");
    assert_eq!(bed.run("SORT l ALPHA"), "-1 1 10 1e1 2.5 3");
    assert_eq!(bed.run("SORT l LIMIT 9223372036854775807 9223372036854775807"), "");
    bed.list("bad", &["1", "x"]);
    assert_eq!(bed.run("SORT bad"), "ERR One or more scores can't be converted into double");
    assert_eq!(bed.run("SORT bad STORE l"), "ERR One or more scores can't be converted into double");
    assert_eq!(bed.run("SORT l LIMIT 0 1"), "-1");
}

#[test]
fn sort_keeps_the_order_it_is_told_to_keep() {
    let mut bed = Bed::new(&[]);
    bed.list("l", &["c", "a", "d", "b"]);
    bed.zset("z", &[(1.0, "d"), (2.0, "a"), (3.0, "c")]);
    bed.set("s", &["b", "a", "c"]);
    assert_eq!(bed.run("SORT l BY nosort"), "c a d b");
    assert_eq!(bed.run("SORT l BY nosort LIMIT 1 2"), "a d");
    assert_eq!(bed.run("SORT l BY nosort DESC LIMIT 0 3"), "b d a");
    assert_eq!(bed.run("SORT z BY nosort"), "d a c");
    assert_eq!(bed.run("SORT z BY nosort DESC LIMIT 1 5"), "a d");
    assert_eq!(bed.run("SORT z BY nosort LIMIT 3 1"), "");
    assert_eq!(bed.run("SORT s BY nosort STORE out"), "3");
    assert_eq!(bed.run("SORT out ALPHA"), "a b c");
    assert_eq!(bed.run("SORT s BY nosort LIMIT 1 1 STORE out"), "1");
    assert_eq!(bed.run("SORT out BY nosort"), "b");
}

#[test]
fn sort_follows_patterns() {
    let mut bed = Bed::new(&[]);
    bed.list("l", &["a", "b", "c"]);
    bed.run("SET w:a 3");
    bed.run("SET w:c 1");
    bed.hash("h:a", &[("n", "x", None)]);
    bed.hash("h:b", &[("n", "w", None), ("gone", "1", Some(NOW_MS + 1))]);
    assert_eq!(bed.run("SORT l BY w:*"), "b c a");
    assert_eq!(bed.run("SORT l BY w:* DESC GET w:* GET #"), "3 a 1 c nil b");
    assert_eq!(bed.run("SORT l BY h:*->n ALPHA"), "c b a");
    assert_eq!(bed.run("SORT l BY w:* GET h:*->n GET h:* GET none"), "w nil nil nil nil nil x nil nil");
    bed.shard.now_ms = NOW_MS + 5;
    assert_eq!(bed.run("SORT l ALPHA GET h:*->gone STORE out"), "3");
    assert_eq!(bed.run("SORT out BY nosort GET #"), "  ");
    assert_eq!(bed.run("SORT none STORE out"), "0");
    assert_eq!(bed.run("EXISTS out"), "0");
}

#[test]
fn sort_asks_for_keys_of_other_shards_all_at_once() {
    let mut bed = Bed::new(&[]);
    (bed.shard.shards, bed.shard.slots) = (2, SlotMap::new(2));
    let here: Vec<String> =
        (0..100).map(|i| format!("k{i}")).filter(|k| bed.shard.has_key(0, k.as_bytes())).collect();
    bed.list(&here[0], &["1", "2"]);
    let line = format!("SORT {} BY w* GET g* STORE out", here[0]);
    let spans: Vec<Span> = line
        .split(' ')
        .scan(0, |at, word| {
            let span = Span { start: *at, len: word.len() as u32 };
            *at += word.len() as u32 + 1;
            Some(span)
        })
        .collect();
    let seed = bed.shard.seed.clone();
    let args = Args::new(line.as_bytes(), &spans, &seed);
    let run = |bed: &mut Bed| {
        let mut out = Reply::new(false);
        super::sort::sort(&mut Cx::internal(&mut bed.shard, 0), args, &mut out)
    };
    let all = [&b"g1"[..], b"g2", b"out", b"w1", b"w2"];
    assert!(
        all.iter().any(|key| bed.shard.has_key(0, key)) && !all.iter().all(|key| bed.shard.has_key(0, key))
    );
    let Err(Error::NeedKeys(mut asked)) = run(&mut bed) else { panic!("keys are elsewhere") };
    asked.sort();
    assert_eq!(asked, all.map(|key| (0, key.to_vec())), "own keys are to be locked as well");
    bed.shard.guests.receive(asked);
    assert_eq!(run(&mut bed), Ok(()));
}

#[test]
fn scan_returns_all_that_stays_whatever_else_happens() {
    let mut bed = Bed::new(&[]);
    for i in 0..2000 {
        bed.run(&format!("SET stays:{i} v"));
        bed.run(&format!("SET goes:{i} v"));
    }
    let (mut cursor, mut seen, mut step) = (String::from("0"), std::collections::HashSet::new(), 0);
    loop {
        let reply = bed.run(&format!("SCAN {cursor} COUNT 20 MATCH stays:*"));
        let mut words = reply.split(' ');
        cursor = words.next().expect("a cursor").to_owned();
        seen.extend(words.filter(|w| !w.is_empty()).map(str::to_owned));
        if cursor == "0" {
            break;
        }
        bed.run(&format!("DEL goes:{step} goes:{}", 1999 - step));
        bed.run(&format!("SET new:{step} v"));
        step += 1;
    }
    assert_eq!(seen.len(), 2000);
}

#[test]
fn scan_removes_what_it_finds_expired_if_it_would_have_returned_it() {
    let mut bed = Bed::new(&[]);
    bed.run("SET k v");
    bed.run("PEXPIRE k 10");
    bed.list("l", &["x"]);
    bed.run("PEXPIRE l 10");
    bed.shard.now_ms += 10;
    assert_eq!(bed.run("SCAN 0 TYPE string"), "0");
    assert_eq!(bed.shard.dbs[0].len(), 1);
    assert_eq!(bed.run("KEYS *"), "");
    assert_eq!(bed.run("RANDOMKEY"), "nil");
    assert_eq!((bed.shard.dbs[0].len(), bed.shard.stats.expired_keys), (0, 2));
}

#[test]
fn far_expiries_are_kept_exactly() {
    let mut bed = Bed::new(&[]);
    bed.run("SET k v");
    for at_ms in [(1u64 << 48) - 2, (1 << 48) - 1, 1 << 48, (1 << 48) + 5, i64::MAX as u64] {
        assert_eq!(bed.run(&format!("PEXPIREAT k {at_ms}")), "1");
        assert_eq!(bed.run("PEXPIRETIME k"), at_ms.to_string());
    }
    assert_eq!(bed.run("COPY k c"), "1");
    assert_eq!(bed.run("RENAME k r"), "OK");
    assert_eq!(bed.run("PEXPIRETIME r"), i64::MAX.to_string());
    assert_eq!(bed.run("PEXPIRETIME c"), i64::MAX.to_string());
    assert_eq!(bed.run("SET r v"), "OK");
    assert_eq!(bed.run("PTTL r"), "-1");
    assert_eq!(bed.run("PEXPIREAT r 281474976710655"), "1");
    assert_eq!(bed.run("PEXPIRETIME r"), "281474976710655");
}

#[test]
fn expire_conditions() {
    let mut bed = Bed::new(&[]);
    bed.run("SET k v");
    for (line, reply) in [
        ("EXPIRE k 100 XX", "0"),
        ("EXPIRE k 100 GT", "0"),
        ("EXPIRE k 100 LT", "1"),
        ("EXPIRE k 100 LT", "0"),
        ("EXPIRE k 100 GT", "0"),
        ("EXPIRE k 101 XX GT", "1"),
        ("EXPIRE k 50 NX", "0"),
        ("EXPIRE k 50 NX LT", "ERR NX and XX, GT or LT options at the same time are not compatible"),
        ("EXPIRE k -1 GT", "0"),
        ("EXPIRE k x NOPE", "ERR Unsupported option NOPE"),
        ("PEXPIRE k 9223372036854775807", "ERR invalid expire time in 'pexpire' command"),
        ("EXPIRE k -9223372036854775808", "ERR invalid expire time in 'expire' command"),
        ("TTL k", "101"),
        ("PEXPIRE k -9223372036854775808", "1"),
        ("TTL k", "-2"),
    ] {
        assert_eq!(bed.run(line), reply, "{line}");
    }
}

#[test]
fn active_expiry_removes_keys_and_fields() {
    let mut bed = Bed::new(&[]);
    for i in 0..5000 {
        bed.run(&format!("SET k{i} v"));
        bed.run(&format!("PEXPIRE k{i} {}", 1 + i));
    }
    bed.hash("h", &[("a", "1", Some(NOW_MS + 10)), ("b", "2", None)]);
    bed.hash("all", &[("a", "1", Some(NOW_MS + 10))]);
    bed.shard.now_ms += 2500;
    bed.shard.active_expire = false;
    assert!(!sweep::sweep(&mut bed.shard));
    assert_eq!(bed.shard.dbs[0].len(), 5002);
    bed.shard.active_expire = true;
    while sweep::sweep(&mut bed.shard) {}
    assert_eq!(bed.shard.dbs[0].len(), 2501);
    assert_eq!((bed.shard.stats.expired_keys, bed.shard.stats.expired_fields), (2500, 2));
    assert_eq!(bed.run("TYPE all"), "none");
    bed.shard.now_ms += 10_000;
    while sweep::sweep(&mut bed.shard) {}
    assert_eq!(bed.run("KEYS *"), "h");
    assert!(!bed.shard.dbs[0].has_expiry() || !sweep::sweep(&mut bed.shard));
    assert!(bed.shard.dbs[0].live_bytes() > 0);
    bed.run("DEL h");
    let db = &bed.shard.dbs[0];
    assert_eq!((db.live_bytes(), db.outside_bytes(), db.expiring()), (0, 0, 0));
}

#[test]
fn ages_by_policy() {
    let mut bed = Bed::new(&[]);
    bed.run("SET k v");
    bed.shard.now_ms += 10_000;
    assert_eq!(bed.run("OBJECT IDLETIME k"), "10");
    bed.run("TTL k");
    bed.run("EXISTS k");
    assert_eq!(bed.run("OBJECT IDLETIME k"), "10");
    bed.run("GET k");
    assert_eq!(bed.run("OBJECT IDLETIME k"), "0");
    bed.configure(&[("maxmemory-policy", "allkeys-lrm")]);
    bed.shard.now_ms += 10_000;
    bed.run("GET k");
    assert_eq!(bed.run("OBJECT IDLETIME k"), "10");
    bed.run("EXPIRE k 100");
    assert_eq!(bed.run("OBJECT IDLETIME k"), "0");
    bed.configure(&[("maxmemory-policy", "allkeys-lfu"), ("lfu-log-factor", "0")]);
    bed.run("SET f v");
    assert_eq!(bed.run("OBJECT FREQ f"), "5");
    (0..20).for_each(|_| drop(bed.run("GET f")));
    bed.run("SET f w");
    assert_eq!(bed.run("OBJECT FREQ f"), "26");
    bed.shard.now_ms += 6 * 60_000;
    assert_eq!(bed.run("OBJECT FREQ f"), "20");
    assert!(bed.run("OBJECT IDLETIME f").starts_with("ERR An LFU"));
}

fn fill(bed: &mut Bed, from: usize, count: usize) -> usize {
    let value = "v".repeat(100);
    (from..from + count).filter(|i| bed.run(&format!("SET key:{i} {value}")) == "OK").count()
}

#[test]
fn without_eviction_writes_are_refused_and_reads_are_not() {
    let mut bed = Bed::new(&[("maxmemory", "500000")]);
    let written = fill(&mut bed, 0, 10_000);
    assert!((2000..4500).contains(&written), "{written}");
    assert!(bed.run("SET more v").starts_with("OOM command not allowed when used memory > 'maxmemory'."));
    assert_eq!(bed.run("EXISTS key:0"), "1");
    assert_eq!(bed.run("DEL key:0 key:1"), "2");
}

#[test]
fn eviction_keeps_to_the_limit_and_to_the_policy() {
    for policy in ["allkeys-lru", "allkeys-lrm", "allkeys-lfu", "allkeys-random"] {
        let mut bed = Bed::new(&[("maxmemory", "1000000"), ("maxmemory-policy", policy)]);
        assert_eq!(fill(&mut bed, 0, 20_000), 20_000, "{policy}");
        let used = bed.shard.used_bytes();
        assert!((800_000..=1_010_000).contains(&used), "{policy}: {used}");
        let real = bed.shard.data_bytes();
        assert!(real < 1_250_000, "{policy}: {real}");
        assert_eq!(bed.shard.stats.evicted_keys as usize, 20_000 - bed.shard.dbs[0].len());
    }
}

#[test]
fn lru_evicts_old_keys_first() {
    let mut bed = Bed::new(&[("maxmemory-policy", "allkeys-lru"), ("maxmemory-samples", "10")]);
    fill(&mut bed, 0, 3000);
    bed.shard.now_ms += 100_000;
    (0..1500).for_each(|i| drop(bed.run(&format!("GET key:{i}"))));
    let limit = bed.shard.used_bytes().to_string();
    bed.configure(&[("maxmemory", &limit)]);
    fill(&mut bed, 3000, 1000);
    let left = |bed: &mut Bed, range: std::ops::Range<usize>| {
        range.filter(|i| bed.run(&format!("EXISTS key:{i}")) == "1").count()
    };
    assert!(left(&mut bed, 0..1500) > 1450);
    assert!(left(&mut bed, 1500..3000) < 700);
}

#[test]
fn volatile_policies_spare_keys_without_expiry() {
    for policy in ["volatile-lru", "volatile-lrm", "volatile-lfu", "volatile-random", "volatile-ttl"] {
        let mut bed = Bed::new(&[("maxmemory-policy", policy)]);
        fill(&mut bed, 0, 2000);
        // Few among many.
        (0..100).for_each(|i| drop(bed.run(&format!("EXPIRE key:{i} {}", 1000 + i))));
        bed.configure(&[("maxmemory", &bed.shard.used_bytes().to_string())]);
        let written = fill(&mut bed, 2000, 500);
        assert!((50..400).contains(&written), "{policy}: {written}");
        assert_eq!(bed.shard.stats.evicted_keys, 100, "{policy}");
        assert_eq!(bed.shard.dbs[0].expiring(), 0);
        assert!(bed.run("SET k v").starts_with("OOM"));
    }
}

#[test]
fn shards_share_the_limit() {
    let mut bed = Bed::new(&[("maxmemory", "2000000"), ("maxmemory-policy", "allkeys-lru")]);
    (bed.shard.shards, bed.shard.slots) = (2, SlotMap::new(2));
    // The other shard holds half; this one finds room for the other half.
    bed.shard.eviction.other_bytes = 1_000_000;
    fill(&mut bed, 0, 20_000);
    let used = bed.shard.used_bytes();
    assert!((800_000..1_050_000).contains(&used), "{used}");
    // It takes its part when the other one grows.
    bed.shard.eviction.other_bytes = 1_500_000;
    while eviction::tick(&mut bed.shard) && bed.shard.used_bytes() > 800_000 {}
    let used = bed.shard.used_bytes();
    assert!((600_000..900_000).contains(&used), "{used}");
}

#[test]
fn keys_move_to_databases_far_out() {
    let mut bed = Bed::new(&[("maxmemory-policy", "allkeys-random")]);
    bed.shard.dbs = keyspace::Databases::new(65_536, bed.shard.seed.clone(), bed.shard.bin.clone());
    bed.run("SET k v");
    assert_eq!(bed.run("COPY k k DB 65535"), "1");
    assert_eq!(bed.run("MOVE k 65535"), "0");
    assert_eq!(bed.run("MOVE k 40000"), "1");
    assert_eq!(bed.run("COPY k k DB 65536"), "ERR DB index is out of range");
    assert_eq!(
        bed.shard.dbs.numbered().filter(|(_, db)| db.len() == 1).map(|(n, _)| n).collect::<Vec<_>>(),
        [40_000, 65_535]
    );
    // Eviction finds them.
    bed.shard.limits.memory_bytes_max = 1;
    eviction::tick(&mut bed.shard);
    assert_eq!(bed.shard.stats.evicted_keys, 2);
}

#[test]
fn a_paused_cron_leaves_keys_alone() {
    let mut bed = Bed::new(&[("maxmemory-policy", "allkeys-random")]);
    fill(&mut bed, 0, 100);
    bed.run("PEXPIRE key:1 1");
    bed.shard.now_ms += 10;
    bed.shard.limits.memory_bytes_max = 1;
    bed.shard.cron_paused = true;
    assert!(!sweep::sweep(&mut bed.shard) && !eviction::tick(&mut bed.shard));
    assert_eq!(bed.shard.dbs[0].len(), 100);
    bed.shard.cron_paused = false;
    // CLIENT PAUSE
    bed.shard.pause = Some(crate::state::Pause { until_ms: u64::MAX, writes_only: true });
    assert!(!eviction::tick(&mut bed.shard));
    assert_eq!(bed.shard.dbs[0].len(), 100);
    bed.shard.pause = None;
    sweep::sweep(&mut bed.shard);
    eviction::tick(&mut bed.shard);
    assert_eq!((bed.shard.stats.expired_keys, bed.shard.dbs[0].len()), (1, 0));
}
