//! Blocked clients of every kind, on one shard and several, in every race.

use crate::trial::{Trial, request};
use base::random::Random;
use std::collections::BTreeMap;

/// A client of one of the shards.
#[derive(Clone, Copy)]
pub(super) struct Client {
    pub shard: usize,
    pub conn: usize,
    pub id: u64,
}

/// A trial with clients, who speak in lines.
pub(super) struct Bed {
    pub trial: Trial,
    next_id: u64,
}

impl Bed {
    pub fn new(shards: u16) -> Self {
        Self { trial: Trial::new(shards), next_id: 0 }
    }

    pub fn client(&mut self, shard: usize) -> Client {
        self.next_id += 1;
        let shard = shard % self.trial.shards.len();
        Client { shard, conn: self.trial.connect_to(shard, self.next_id), id: self.next_id }
    }

    pub fn send(&mut self, client: Client, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        self.trial.send_to(client.shard, client.conn, &request(&words));
    }

    /// Sends, and has everything come to its end.
    pub fn tell(&mut self, client: Client, line: &str) {
        self.send(client, line);
        self.trial.settle();
    }

    /// The replies so far, without lengths.
    pub fn heard(&mut self, client: Client) -> String {
        let bytes = self.trial.take_replies_of(client.shard, client.conn);
        let text = String::from_utf8(bytes).expect("text");
        let is_value = |line: &&str| !line.starts_with('$') && (!line.starts_with('*') || *line == "*-1");
        text.lines().filter(is_value).collect::<Vec<_>>().join(" ")
    }

    pub fn ask(&mut self, client: Client, line: &str) -> String {
        self.tell(client, line);
        self.heard(client)
    }

    /// As [`Bed::ask`] while other clients are held back by a pause.
    fn ask_paused(&mut self, client: Client, line: &str) -> String {
        self.send(client, line);
        self.trial.deliver_all();
        self.heard(client)
    }

    pub fn is_blocked(&self, client: Client) -> bool {
        self.trial.shards[client.shard].conn(client.conn).blocked.is_some()
    }

    /// Names of keys on each shard.
    pub fn keys(&self, name: &str) -> Vec<String> {
        (0..self.trial.shards.len() as u16).map(|shard| self.trial.key_on(shard, name)).collect()
    }

    /// Nobody waits, and nothing is left of those who did.
    pub fn is_clean(&self) -> bool {
        self.trial.shards.iter().all(|shard| {
            let awaited = &shard.cx.awaited;
            awaited.is_empty()
                && awaited.clients.is_empty()
                && awaited.timed == 0
                && shard.next_deadline_us().is_none()
                && shard.locks.is_empty()
                && shard.to_serve.is_empty()
                && shard.pending_holds == 0
        })
    }
}

#[test]
fn a_push_serves_who_has_waited_longest() {
    for shards in [1, 2, 4] {
        let mut bed = Bed::new(shards);
        let keys = bed.keys("k");
        let clients: Vec<_> = (0..5).map(|n| bed.client(n)).collect();
        let pusher = bed.client(1);
        for key in &keys {
            // Some wait for this key alone, some for all: they are served in one order.
            for (number, client) in clients.iter().enumerate() {
                let line = if number % 2 == 0 { key.clone() } else { keys.join(" ") };
                bed.tell(*client, &format!("BLPOP {line} 0"));
                assert!(bed.is_blocked(*client));
            }
            assert_eq!(bed.ask(pusher, &format!("RPUSH {key} 0 1 2")), ":3");
            for (number, client) in clients.iter().enumerate() {
                let expected = if number < 3 { format!("{key} {number}") } else { String::new() };
                assert_eq!(bed.heard(*client), expected);
            }
            assert_eq!(bed.ask(pusher, &format!("RPUSH {key} 3 4 5")), ":3");
            assert_eq!(bed.heard(clients[3]), format!("{key} 3"));
            assert_eq!(bed.heard(clients[4]), format!("{key} 4"));
            assert_eq!(bed.ask(pusher, &format!("LPOP {key}")), "5");
            assert!(bed.is_clean());
        }
    }
}

#[test]
fn a_wait_ends_in_one_way_only() {
    for shards in [1, 4] {
        let mut bed = Bed::new(shards);
        let keys = bed.keys("k").join(" ");
        let (waiter, other) = (bed.client(0), bed.client(1));
        for keys in ["alone", &keys] {
            bed.trial.set_time(1_000_000);
            bed.tell(waiter, &format!("BLPOP {keys} 0.5"));
            bed.trial.set_time(1_499_999);
            bed.trial.settle();
            assert!(bed.is_blocked(waiter) && bed.heard(waiter).is_empty());
            bed.trial.set_time(1_500_000);
            bed.trial.settle();
            assert_eq!(bed.heard(waiter), "*-1");
            assert!(bed.is_clean() && !bed.is_blocked(waiter));
            bed.tell(waiter, &format!("BLPOP {keys} 0"));
            assert_eq!(bed.ask(other, &format!("CLIENT UNBLOCK {}", waiter.id)), ":1");
            assert_eq!(bed.ask(other, &format!("CLIENT UNBLOCK {} ERROR", waiter.id)), ":0");
            assert_eq!(bed.heard(waiter), "*-1");
            bed.tell(waiter, &format!("BLPOP {keys} 0"));
            assert_eq!(bed.ask(other, &format!("CLIENT UNBLOCK {} ERROR", waiter.id)), ":1");
            assert_eq!(bed.heard(waiter), "-UNBLOCKED client unblocked via CLIENT UNBLOCK");
            let gone = bed.client(0);
            bed.tell(gone, &format!("BLPOP {keys} 10"));
            bed.trial.close(gone.shard, gone.conn);
            bed.trial.settle();
            assert!(bed.is_clean());
        }
    }
}

/// Pushes wait, and so does who would begin to wait; who waits already is told of the end of the time, or freed.
#[test]
fn a_pause_holds_back_what_would_serve_and_lets_time_pass() {
    for (shards, mode) in [(1, "WRITE"), (1, "ALL"), (4, "WRITE"), (4, "ALL")] {
        let mut bed = Bed::new(shards);
        let [first, second] = ["k", "l"].map(|name| bed.trial.key_on(shards - 1, name));
        let keys = bed.keys("k").join(" ");
        let [brief, patient, freed, late, pusher, other] = [0, 1, 2, 3, 4, 5].map(|shard| bed.client(shard));
        bed.trial.set_time(1_000_000);
        bed.tell(brief, &format!("BLPOP {keys} 0.5"));
        bed.tell(patient, &format!("BLPOP {keys} 0"));
        bed.tell(freed, &format!("BLPOP {second} 0"));
        assert_eq!(bed.ask(other, &format!("CLIENT PAUSE 2000 {mode}")), "+OK");
        bed.send(late, &format!("BLPOP {second} 0.4"));
        bed.send(pusher, &format!("RPUSH {first} v"));
        bed.trial.deliver_all();
        if mode == "WRITE" {
            assert_eq!(bed.ask_paused(other, &format!("CLIENT UNBLOCK {}", freed.id)), ":1");
            assert_eq!(bed.heard(freed), "*-1");
            assert_eq!(bed.ask_paused(other, &format!("LLEN {first}")), ":0");
        }
        bed.trial.set_time(1_500_000);
        bed.trial.deliver_all();
        assert_eq!(bed.heard(brief), "*-1");
        bed.trial.set_time(2_999_000);
        bed.trial.deliver_all();
        assert_eq!([bed.heard(patient), bed.heard(late), bed.heard(pusher)], ["", "", ""]);
        bed.trial.set_time(3_000_000);
        bed.trial.settle();
        assert_eq!([bed.heard(patient), bed.heard(pusher)], [format!("{first} v"), ":1".to_owned()]);
        bed.trial.set_time(3_399_999);
        bed.trial.settle();
        assert_eq!(bed.heard(late), "");
        bed.trial.set_time(3_400_000);
        bed.trial.settle();
        assert_eq!(bed.heard(late), "*-1");
    }
}

/// The shards of two keys have something for a client at the same time: one of them serves it, the other goes on.
#[test]
fn two_shards_claim_one_client() {
    let mut bed = Bed::new(4);
    let keys = bed.keys("k");
    let (waiter, next) = (bed.client(0), bed.client(3));
    let pushers = [bed.client(1), bed.client(2)];
    bed.tell(waiter, &format!("BLPOP {} {} 0", keys[1], keys[2]));
    bed.tell(next, &format!("BLPOP {} {} {} 0", keys[0], keys[1], keys[2]));
    for (pusher, key) in pushers.into_iter().zip([&keys[1], &keys[2]]) {
        bed.send(pusher, &format!("RPUSH {key} {key}-value"));
    }
    bed.trial.settle();
    let mut heard = [bed.heard(waiter), bed.heard(next)];
    heard.sort();
    let mut expected = [1, 2].map(|at| format!("{0} {0}-value", keys[at]));
    expected.sort();
    assert_eq!(heard, expected);
    assert!(bed.is_clean());
}

/// While the coordinator of the client that waited first makes up its mind, nobody overtakes it.
#[test]
fn who_comes_later_does_not_overtake_a_claim() {
    let mut bed = Bed::new(4);
    let keys = bed.keys("k");
    let (waiter, pusher) = (bed.client(0), bed.client(1));
    bed.tell(waiter, &format!("BLPOP {} 0", keys.join(" ")));
    bed.send(pusher, &format!("RPUSH {} first", keys[1]));
    // The push ran on its shard, and is answered.
    assert_eq!(bed.heard(pusher), ":1");
    for line in [format!("LPOP {}", keys[1]), format!("EXISTS {}", keys[1]), "DBSIZE".to_owned()] {
        bed.send(pusher, &line);
    }
    let other = bed.client(2);
    bed.send(other, &format!("LMPOP 2 {} {} LEFT", keys[1], keys[2]));
    bed.trial.settle();
    assert_eq!(bed.heard(waiter), format!("{} first", keys[1]));
    assert_eq!(bed.heard(pusher), "$-1 :0 :0".replace("$-1 ", ""));
    assert_eq!(bed.heard(other), "*-1");
    assert!(bed.is_clean());
}

/// A claim that is followed up wins over the end of the time and over CLIENT UNBLOCK, but not over an empty key.
#[test]
fn a_claim_wins_over_the_end_of_the_time() {
    for line in ["BLPOP {a} {b} 0.001", "BLMOVE {a} {b} LEFT RIGHT 0.001"] {
        let mut bed = Bed::new(4);
        let keys = bed.keys("k");
        let (waiter, pusher) = (bed.client(0), bed.client(1));
        let line = line.replace("{a}", &keys[1]).replace("{b}", &keys[2]);
        bed.trial.set_time(1000);
        bed.tell(waiter, &line);
        bed.send(pusher, &format!("RPUSH {} x", keys[1]));
        // The claim is on its way; the coordinator follows it up, then the time is over.
        assert!(bed.trial.deliver());
        bed.trial.set_time(10_000);
        bed.send(pusher, &format!("CLIENT UNBLOCK {}", waiter.id));
        bed.trial.settle();
        assert!(bed.heard(waiter).ends_with('x'), "{line}");
        assert_eq!(bed.heard(pusher), ":1 :0");
        assert_eq!(bed.ask(pusher, &format!("LLEN {}", keys[1])), ":0");
        assert!(bed.is_clean());
    }
}

/// Blocked clients of every kind, those who serve them, those who take from under them, and operations of several shards, with messages
/// in any order: no element is lost or given twice, nobody waits for what is there, everything comes to an end.
#[test]
fn every_element_goes_to_one_client() {
    for seed in 0..300 {
        let mut random = Random::from_seed(seed);
        let shards = [1, 2, 4][seed as usize % 3];
        Play::new(shards).run(&mut random, seed);
    }
}

struct Play {
    bed: Bed,
    keys: Vec<String>,
    workers: Vec<Client>,
    plain: Vec<Client>,
    awaited: BTreeMap<u64, Vec<String>>,
    pushed: usize,
    seen: Vec<usize>,
    closed: usize,
    now_us: u64,
}

impl Play {
    fn new(shards: u16) -> Self {
        let mut bed = Bed::new(shards);
        let keys = ["a", "b"].iter().flat_map(|name| bed.keys(name)).collect();
        let workers = (0..6).map(|n| bed.client(n)).collect();
        let plain = (0..4).map(|n| bed.client(n)).collect();
        let (awaited, seen) = (BTreeMap::new(), Vec::new());
        Self { bed, keys, workers, plain, awaited, pushed: 0, seen, closed: 0, now_us: 1_000_000 }
    }

    fn key(&self, random: &mut Random) -> String {
        self.keys[random.index(self.keys.len())].clone()
    }

    fn run(&mut self, random: &mut Random, seed: u64) {
        for _ in 0..150 {
            match random.below(4) {
                0 => self.wait(random),
                1 => self.change(random),
                2 => self.disturb(random),
                _ => {}
            }
            for _ in 0..random.below(4) {
                self.bed.trial.deliver_any(random);
            }
            self.listen();
        }
        self.bed.trial.settle();
        self.listen();
        let left: Vec<String> = self.keys.clone();
        for key in &left {
            let client = self.plain[0];
            // What it has heard so far were no elements of its own.
            self.bed.heard(client);
            let values = self.bed.ask(client, &format!("LRANGE {key} 0 -1"));
            if !values.is_empty() {
                let waits =
                    |worker: &&Client| self.awaited.get(&worker.id).is_some_and(|keys| keys.contains(key));
                let hungry = self.workers.iter().filter(|worker| self.bed.is_blocked(**worker)).find(waits);
                assert!(hungry.is_none(), "seed {seed}: somebody waits for {key}, which has {values}");
            }
            self.note(&values);
        }
        self.seen.sort_unstable();
        let count = self.seen.len();
        self.seen.dedup();
        assert_eq!(self.seen.len(), count, "seed {seed}: an element came twice");
        let missing = self.pushed - count;
        assert!(missing <= self.closed, "seed {seed}: {missing} elements are lost, {} clients", self.closed);
        for worker in self.workers.clone() {
            self.bed.trial.close(worker.shard, worker.conn);
        }
        self.bed.trial.settle();
        assert!(self.bed.is_clean(), "seed {seed}");
    }

    /// Elements are numbers with a letter in front.
    fn note(&mut self, heard: &str) {
        let numbers = heard.split(' ').filter_map(|word| word.strip_prefix('v')?.parse::<usize>().ok());
        self.seen.extend(numbers);
    }

    fn listen(&mut self) {
        for worker in self.workers.clone() {
            let heard = self.bed.heard(worker);
            // What was moved is still in a list.
            if self.awaited.get(&worker.id).is_none_or(|keys| keys[0] != "moves") {
                self.note(&heard);
            }
        }
    }

    fn wait(&mut self, random: &mut Random) {
        let worker = self.workers[random.index(self.workers.len())];
        let slot = self.bed.trial.shards[worker.shard].conn(worker.conn);
        if slot.outstanding() > 0 || slot.fenced {
            return;
        }
        self.listen();
        let timeout = ["0", "0.01", "1"][random.index(3)];
        let keys: Vec<_> = (0..1 + random.index(3)).map(|_| self.key(random)).collect();
        let (from, to) = (self.key(random), self.key(random));
        let line = match random.below(4) {
            0 => format!("BLPOP {} {timeout}", keys.join(" ")),
            1 => format!("BRPOP {} {timeout}", keys.join(" ")),
            2 => format!("BLMPOP {timeout} {} {} LEFT COUNT 2", keys.len(), keys.join(" ")),
            _ => format!("BLMOVE {from} {to} LEFT RIGHT {timeout}"),
        };
        let awaited = if line.starts_with("BLMOVE") { vec!["moves".to_owned(), from] } else { keys };
        self.awaited.insert(worker.id, awaited);
        self.bed.send(worker, &line);
    }

    fn change(&mut self, random: &mut Random) {
        let client = self.plain[random.index(self.plain.len())];
        let (one, two) = (self.key(random), self.key(random));
        let mut value = || {
            self.pushed += 1;
            format!("v{}", self.pushed)
        };
        match random.below(6) {
            0..=2 => {
                let line = format!("RPUSH {one} {}", value());
                self.bed.send(client, &line);
            }
            3 => {
                let lines =
                    [format!("RPUSH {one} {}", value()), format!("LPUSH {two} {} {}", value(), value())];
                self.bed.send(client, "MULTI");
                lines.iter().for_each(|line| self.bed.send(client, line));
                self.bed.send(client, "EXEC");
            }
            _ => self.bed.send(client, &format!("LMOVE {one} {two} RIGHT LEFT")),
        }
    }

    fn disturb(&mut self, random: &mut Random) {
        let client = self.plain[random.index(self.plain.len())];
        let at = random.index(self.workers.len());
        let (one, two) = (self.key(random), self.key(random));
        match random.below(8) {
            0 => self.bed.send(client, "DBSIZE"),
            1 => self.bed.send(client, &format!("SORT {one} ALPHA BY nosort GET {two}")),
            2 => self.bed.send(client, &format!("EXISTS {one} {two}")),
            3 => self.bed.send(client, &format!("CLIENT UNBLOCK {}", self.workers[at].id)),
            4 => {
                self.now_us += 8000;
                self.bed.trial.set_time(self.now_us);
            }
            5 => {
                self.listen();
                let worker = self.workers[at];
                self.bed.trial.close(worker.shard, worker.conn);
                self.closed += 2;
                self.workers[at] = self.bed.client(random.index(4));
            }
            6 => self.bed.send(client, &format!("SINTERSTORE none {one} {two}")),
            _ => self.bed.send(client, "SWAPDB 0 0"),
        }
    }
}

/// A client goes while its command waits for the key it moves to; the next to wait for anything gets the number of the key it had
/// waited for. Only those who wait for that key have their turn.
#[test]
fn who_goes_while_it_is_about_to_be_served_leaves_others_alone() {
    for has_successor in [false, true] {
        let mut bed = Bed::new(2);
        let [from, to, new] = ["from", "to", "new"].map(|name| bed.trial.key_on(0, name));
        let away = bed.trial.key_on(1, "away");
        let [mover, next, pusher, holder, late] = [0, 0, 0, 0, 0].map(|shard| bed.client(shard));
        bed.tell(mover, &format!("BLMOVE {from} {to} LEFT RIGHT 0"));
        if has_successor {
            bed.tell(next, &format!("BLPOP {from} 0"));
        }
        // The target is locked until mail comes.
        bed.send(holder, &format!("LMOVE {away} {to} LEFT LEFT"));
        while !bed.trial.shards[0].holds_locks() {
            assert!(bed.trial.deliver());
        }
        bed.send(pusher, &format!("RPUSH {from} v"));
        assert!(bed.is_blocked(mover));
        bed.trial.close(mover.shard, mover.conn);
        bed.send(late, &format!("BLPOP {new} 0"));
        bed.trial.settle();
        assert_eq!(bed.heard(pusher), ":1");
        let served = if has_successor { format!("{from} v") } else { String::new() };
        assert_eq!(bed.heard(next), served);
        assert_eq!(bed.heard(late), "");
        assert_eq!(bed.ask(pusher, &format!("LLEN {from}")), if has_successor { ":0" } else { ":1" });
        assert_eq!(bed.ask(pusher, &format!("RPUSH {new} w")), ":1");
        assert_eq!(bed.heard(late), format!("{new} w"));
    }
}
