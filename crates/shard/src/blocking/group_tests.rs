//! Consumers that wait: they share what comes, and hear of the end of their group, whatever else happens at the same time.

use super::tests::{Bed, Client};
use base::random::Random;

const NO_GROUP: &str = "in XREADGROUP with GROUP option";

fn read(group: &str, name: &str, keys: &[String], block_ms: u32) -> String {
    let ids = vec![">"; keys.len()].join(" ");
    format!("XREADGROUP GROUP {group} {name} BLOCK {block_ms} STREAMS {} {ids}", keys.join(" "))
}

/// A stream with the groups g and h on each shard.
fn streams(bed: &mut Bed) -> Vec<String> {
    let (keys, client) = (bed.keys("s"), bed.client(0));
    for key in &keys {
        for group in ["g", "h"] {
            assert_eq!(bed.ask(client, &format!("XGROUP CREATE {key} {group} $ MKSTREAM")), "+OK");
        }
    }
    keys
}

#[test]
fn the_end_of_what_they_wait_for_is_told_to_all() {
    let acts = [
        "DEL {key}",
        "UNLINK {key}",
        "SET {key} text",
        "RENAME {key} {key}2",
        "XGROUP DESTROY {key} g",
        "PEXPIRE {key} -1",
        "FLUSHALL",
        "FLUSHDB",
        "SWAPDB 0 1",
        "MOVE {key} 1",
    ];
    for shards in [1, 2, 4] {
        for act in acts {
            let mut bed = Bed::new(shards);
            let keys = streams(&mut bed);
            let (one, all, other, actor) = (bed.client(0), bed.client(1), bed.client(2), bed.client(3));
            let key = keys.last().expect("a key").clone();
            bed.tell(one, &read("g", "one", std::slice::from_ref(&key), 0));
            bed.tell(all, &read("g", "all", &keys, 0));
            bed.tell(other, &read("h", "other", std::slice::from_ref(&key), 0));
            assert!([one, all, other].iter().all(|client| bed.is_blocked(*client)));
            bed.ask(actor, &act.replace("{key}", &key));
            let expected = if act.starts_with("SET") { "-WRONGTYPE" } else { NO_GROUP };
            for client in [one, all] {
                let heard = bed.heard(client);
                assert!(heard.contains(expected), "{shards} shards, {act}: {heard:?}");
            }
            if act.starts_with("XGROUP") {
                assert!(bed.is_blocked(other));
                bed.ask(actor, &format!("XADD {key} 1-1 f v"));
                assert_eq!(bed.heard(other), format!("{key} 1-1 f v"));
            } else {
                assert!(bed.heard(other).contains(expected));
            }
            assert!(bed.is_clean(), "{shards} shards, {act}");
        }
    }
}

#[test]
fn what_is_left_lying_is_claimed_when_it_is_time() {
    for shards in [1, 4] {
        let mut bed = Bed::new(shards);
        let keys = streams(&mut bed);
        let (first, waiter, late) = (bed.client(0), bed.client(1), bed.client(2));
        bed.trial.set_time(1_000_000);
        let key = keys.last().expect("a key").clone();
        bed.ask(first, &format!("XADD {key} 1-1 f v"));
        bed.ask(first, &read("g", "first", std::slice::from_ref(&key), 0));
        let claim = |name| read("g", name, &keys, 0).replace("STREAMS", "CLAIM 500 STREAMS");
        bed.tell(waiter, &claim("waiter"));
        bed.tell(late, &claim("late"));
        for (now_us, client) in [(1_500_000, waiter), (2_000_000, late)] {
            bed.trial.set_time(now_us - 1000);
            bed.trial.settle();
            assert!(bed.is_blocked(client) && bed.heard(client).is_empty());
            bed.trial.set_time(now_us);
            bed.trial.settle();
            let heard = bed.heard(client);
            assert!(heard.starts_with(&format!("{key} 1-1 f v :5")), "{heard:?}");
        }
        assert!(bed.is_clean());
    }
}

/// What may happen to a client that waits (CVE-2026-23479): in every order, with messages under way.
#[test]
fn a_wait_ends_once_in_every_order() {
    const ACTS: usize = 5;
    let mut orders = vec![Vec::new()];
    for _ in 0..ACTS {
        orders = orders
            .iter()
            .flat_map(|order: &Vec<usize>| {
                let next = (0..ACTS).filter(|act| !order.contains(act));
                next.map(|act| [&order[..], &[act]].concat()).collect::<Vec<_>>()
            })
            .collect();
    }
    for shards in [1, 4] {
        for (number, order) in orders.iter().enumerate() {
            for closes in [false, true] {
                end_in_order(shards, order, closes, number as u64);
            }
        }
    }
}

fn end_in_order(shards: u16, order: &[usize], closes: bool, seed: u64) {
    let mut random = Random::from_seed(seed);
    let mut bed = Bed::new(shards);
    let keys = streams(&mut bed);
    let (waiter, next, actor, killer) = (bed.client(1), bed.client(2), bed.client(0), bed.client(3));
    bed.trial.set_time(1_000_000);
    bed.tell(waiter, &read("g", "waiter", &keys, 500));
    bed.tell(next, &read("g", "next", &keys, 0));
    let key = keys[random.index(keys.len())].clone();
    for act in order {
        match act {
            0 => bed.send(killer, &format!("CLIENT UNBLOCK {} ERROR", waiter.id)),
            1 if closes => bed.trial.close(waiter.shard, waiter.conn),
            1 => bed.send(killer, &format!("CLIENT KILL ID {}", next.id)),
            2 => bed.trial.set_time(2_000_000),
            3 => {
                let lines = [
                    "MULTI".to_owned(),
                    format!("XADD {key} * f value"),
                    format!("XGROUP DESTROY {key} g"),
                    format!("XGROUP CREATE {key} g 0"),
                    "EXEC".to_owned(),
                ];
                lines.iter().for_each(|line| bed.send(actor, line));
            }
            _ => bed.send(actor, &format!("DEL {key}")),
        }
        for _ in 0..random.below(3) {
            bed.trial.deliver_any(&mut random);
        }
    }
    bed.trial.settle();
    if !closes {
        let heard = bed.heard(waiter);
        let ends = ["*-1", "-UNBLOCKED", NO_GROUP, "value"];
        let count: usize = ends.iter().map(|end| heard.matches(end).count()).sum();
        assert_eq!(count, 1, "{shards} shards, {order:?}: {heard:?}");
        assert!(!bed.is_blocked(waiter));
    }
    bed.ask(actor, "FLUSHALL");
    assert!(bed.is_clean(), "{shards} shards, {order:?}");
}

/// Consumers, producers, and what disturbs them, with messages in any order.
struct Play {
    bed: Bed,
    keys: Vec<String>,
    workers: Vec<Client>,
    plain: Vec<Client>,
    added: usize,
    seen: Vec<usize>,
    now_us: u64,
}

impl Play {
    fn new(shards: u16) -> Self {
        let mut bed = Bed::new(shards);
        let keys = streams(&mut bed);
        let workers = (0..6).map(|n| bed.client(n)).collect();
        let plain = (0..4).map(|n| bed.client(n)).collect();
        Self { bed, keys, workers, plain, added: 0, seen: Vec::new(), now_us: 1_000_000 }
    }

    fn key(&self, random: &mut Random) -> String {
        self.keys[random.index(self.keys.len())].clone()
    }

    fn listen(&mut self) {
        for worker in self.workers.clone() {
            let heard = self.bed.heard(worker);
            let numbers = heard.split(' ').filter_map(|word| word.strip_prefix('v')?.parse::<usize>().ok());
            self.seen.extend(numbers);
        }
    }

    fn wait(&mut self, random: &mut Random, options: &[&str]) {
        let at = random.index(self.workers.len());
        let worker = self.workers[at];
        let slot = self.bed.trial.shards[worker.shard].conn(worker.conn);
        if slot.outstanding() > 0 || slot.fenced {
            return;
        }
        self.listen();
        let mut keys: Vec<_> = (0..1 + random.index(3)).map(|_| self.key(random)).collect();
        keys.sort();
        keys.dedup();
        let block_ms = [0, 10, 1000][random.index(3)];
        let option = options[random.index(options.len())];
        let line =
            read("g", &format!("w{at}"), &keys, block_ms).replace("STREAMS", &format!("{option}STREAMS"));
        self.bed.send(worker, &line);
    }

    fn add(&mut self, random: &mut Random) {
        let client = self.plain[random.index(self.plain.len())];
        let mut lines: Vec<String> = Vec::new();
        for _ in 0..1 + random.below(3) {
            self.added += 1;
            lines.push(format!("XADD {} * f v{}", self.key(random), self.added));
        }
        if lines.len() > 1 {
            lines.insert(0, "MULTI".to_owned());
            lines.push("EXEC".to_owned());
        }
        lines.iter().for_each(|line| self.bed.send(client, line));
    }

    fn disturb(&mut self, random: &mut Random) {
        let client = self.plain[random.index(self.plain.len())];
        let at = random.index(self.workers.len());
        let (one, two) = (self.key(random), self.key(random));
        match random.below(7) {
            0 => self.bed.send(client, "DBSIZE"),
            1 => self.bed.send(client, &format!("EXISTS {one} {two}")),
            2 => self.bed.send(client, &format!("CLIENT UNBLOCK {}", self.workers[at].id)),
            3 => {
                self.now_us += 8000;
                self.bed.trial.set_time(self.now_us);
            }
            4 => {
                self.listen();
                let worker = self.workers[at];
                self.bed.trial.close(worker.shard, worker.conn);
                self.workers[at] = self.bed.client(random.index(4));
            }
            5 => self.bed.send(client, &format!("XGROUP CREATECONSUMER {one} g other")),
            _ => self.bed.send(client, "SWAPDB 0 0"),
        }
    }

    fn end(&mut self, random: &mut Random) {
        let client = self.plain[random.index(self.plain.len())];
        let (one, two) = (self.key(random), self.key(random));
        let line = match random.below(7) {
            0 => format!("DEL {one}"),
            1 => format!("SET {one} text"),
            2 => format!("XGROUP DESTROY {one} g"),
            3 if one != two => format!("RENAME {one} {two}"),
            4 => "FLUSHALL".to_owned(),
            _ => format!("XGROUP CREATE {one} g 0 MKSTREAM"),
        };
        self.bed.send(client, &line);
    }

    fn deliver(&mut self, random: &mut Random) {
        for _ in 0..random.below(4) {
            self.bed.trial.deliver_any(random);
        }
        self.listen();
    }
}

#[test]
fn every_entry_goes_to_one_consumer() {
    for seed in 0..150 {
        let mut random = Random::from_seed(seed);
        let mut play = Play::new([1, 2, 4][seed as usize % 3]);
        for _ in 0..150 {
            match random.below(4) {
                0 => play.wait(&mut random, &["", "", "COUNT 1 "]),
                1 => play.add(&mut random),
                2 => play.disturb(&mut random),
                _ => {}
            }
            play.deliver(&mut random);
        }
        play.bed.trial.settle();
        play.listen();
        play.seen.sort_unstable();
        let count = play.seen.len();
        play.seen.dedup();
        assert_eq!(play.seen.len(), count, "seed {seed}: an entry came twice");
        // All that was added is pending, or can still be read; then nobody waits for it.
        let (client, mut found) = (play.plain[0], 0);
        for key in play.keys.clone() {
            play.bed.heard(client);
            let left = play.bed.ask(client, &format!("XREADGROUP GROUP g last STREAMS {key} >"));
            let waits = play.workers.iter().any(|worker| play.bed.is_blocked(*worker));
            assert!(
                left == "*-1" || !waits || shards_apart(&play, &key),
                "seed {seed}: somebody waits for {left}"
            );
            let pending = play.bed.ask(client, &format!("XPENDING {key} g"));
            let count =
                pending.split(' ').next().and_then(|word| word.strip_prefix(':')?.parse::<usize>().ok());
            found += count.expect("a count");
        }
        assert_eq!(found, play.added, "seed {seed}");
        for worker in play.workers.clone() {
            play.bed.trial.close(worker.shard, worker.conn);
        }
        play.bed.trial.settle();
        assert!(play.bed.is_clean(), "seed {seed}");
    }
}

/// Whether nobody waits for this key.
fn shards_apart(play: &Play, key: &str) -> bool {
    let awaited =
        play.bed.trial.shards.iter().any(|shard| shard.cx.awaited.find(0, key.as_bytes()).is_some());
    !awaited
}

#[test]
fn everything_comes_to_an_end_when_groups_come_and_go() {
    for seed in 0..150 {
        let mut random = Random::from_seed(seed);
        let mut play = Play::new([1, 2, 4][seed as usize % 3]);
        for _ in 0..150 {
            match random.below(5) {
                0 => play.wait(&mut random, &["", "NOACK ", "CLAIM 5 ", "CLAIM 0 COUNT 1 "]),
                1 => play.add(&mut random),
                2 => play.disturb(&mut random),
                3 => play.end(&mut random),
                _ => {}
            }
            play.deliver(&mut random);
        }
        play.bed.trial.settle();
        let client = play.plain[0];
        play.bed.ask(client, "FLUSHALL");
        let blocked = play.workers.iter().filter(|worker| play.bed.is_blocked(**worker)).count();
        assert_eq!(blocked, 0, "seed {seed}: somebody waits for groups that are gone");
        assert!(play.bed.is_clean(), "seed {seed}");
    }
}
