//! Elements that come in every way to those who wait in line, and replies that wait until it is settled who gets them; mail is delivered in any order.

use crate::trial::{Trial, request};
use base::random::Random;
use std::cell::Cell;

const WAITERS: usize = 6;

/// How an element comes to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Push,
    /// While the key is held for somebody who finds nothing to move there.
    Locked,
    /// From a list, as a rule on another shard.
    Move,
    /// With a write on another shard.
    Transaction,
    /// By a script that does not declare it, and goes on elsewhere.
    Script,
    /// By a script among keys of several shards that takes many turns.
    Long,
    /// In another database, which takes the place of this one.
    Swap,
    /// The same in a transaction.
    SwapInTransaction,
    /// By somebody who waits for what is pushed to another list, and moves it.
    Moved,
}

const WAYS: [Way; 9] = [
    Way::Push,
    Way::Locked,
    Way::Move,
    Way::Transaction,
    Way::Script,
    Way::Long,
    Way::Swap,
    Way::SwapInTransaction,
    Way::Moved,
];

thread_local! {
    static CLOCK_NS: Cell<u64> = const { Cell::new(0) };
}

/// Every look at it takes a millisecond.
fn clock_ns() -> u64 {
    CLOCK_NS.set(CLOCK_NS.get() + 1_000_000);
    CLOCK_NS.get()
}

/// Two clients of a shard, the list to which an element goes, and another key.
struct Place {
    at: usize,
    pusher: usize,
    other: usize,
    key: String,
    elsewhere: String,
}

/// Shards, and clients who wait for keys of the first three.
struct Line {
    trial: Trial,
    random: Random,
    keys: Vec<String>,
    waiters: Vec<(usize, usize)>,
}

impl Line {
    /// Nobody waits yet.
    fn empty(seed: u64, shards: u16) -> Self {
        let random = Random::from_seed(seed);
        let mut trial = Trial::new(shards);
        let conn = trial.connect();
        assert_eq!(trial.ask(conn, &request(&["CONFIG", "SET", "busy-reply-threshold", "1"])), b"+OK\r\n");
        trial.shards.iter_mut().for_each(|shard| shard.cx.platform.clock_ns = clock_ns);
        let keys: Vec<String> = (0..3).map(|shard| trial.key_on(shard, "list")).collect();
        Self { trial, random, keys, waiters: Vec::new() }
    }

    fn new(seed: u64) -> Self {
        let mut line = Self::empty(seed, 3);
        (0..WAITERS).for_each(|_| line.wait_for_all());
        line
    }

    /// Any shard.
    fn anywhere(&mut self) -> usize {
        self.random.index(self.trial.shards.len())
    }

    /// One more client waits behind all others.
    fn wait(&mut self, words: &[&str]) {
        let shard = self.anywhere();
        let waiter = self.trial.connect_to(shard, self.waiters.len() as u64 + 1);
        self.trial.send_to(shard, waiter, &request(words));
        self.trial.settle();
        self.waiters.push((shard, waiter));
    }

    fn wait_for_all(&mut self) {
        let keys = self.keys.clone();
        self.wait(&["BLPOP", &keys[0], &keys[1], &keys[2], "0"]);
    }

    /// Who brings an element where.
    fn place(&mut self, way: Way, number: usize) -> Place {
        let at = self.anywhere();
        let [pusher, other] = [100, 200].map(|id| self.trial.connect_to(at, id + number as u64));
        let key = self.keys[self.random.index(3)].clone();
        let name = format!("{way:?}:{number}:");
        let elsewhere = self.trial.key_on(self.random.below(3) as u16, &name);
        if way == Way::Moved {
            self.trial.send_to(at, other, &request(&["BLMOVE", &elsewhere, &key, "LEFT", "LEFT", "0"]));
            self.trial.settle();
        }
        Place { at, pusher, other, key, elsewhere }
    }

    /// Delivers messages in any order until a client has a reply that is sent.
    fn until_answered(&mut self, at: usize, conn: usize) {
        let is_answered = |trial: &Trial| {
            let conn = &trial.shards[at].conns[conn];
            !conn.is_withheld() && !conn.out.is_empty() && conn.outstanding() == 0
        };
        while !is_answered(&self.trial) {
            let goes_on = self.trial.mail.messages().count() > 0 || self.trial.go_on();
            assert!(goes_on, "there is no reply");
            self.trial.deliver_any(&mut self.random);
        }
        let reply = self.trial.take_replies_of(at, conn);
        assert_ne!(reply[0], b'-', "{}", String::from_utf8_lossy(&reply));
    }

    /// Brings an element; returns when whoever has brought it has its reply.
    fn bring(&mut self, way: Way, Place { at, pusher, other, key, elsewhere }: &Place, element: &str) {
        let (at, pusher, other) = (*at, *pusher, *other);
        let words: &[&[&str]] = match way {
            Way::Push => &[&["RPUSH", key, element]],
            Way::Locked => {
                self.trial.send_to(at, other, &request(&["LMOVE", elsewhere, key, "LEFT", "LEFT"]));
                (0..self.random.below(6)).for_each(|_| _ = self.trial.deliver_any(&mut self.random));
                &[&["RPUSH", key, element]]
            }
            Way::Move => {
                self.trial.send_to(at, pusher, &request(&["RPUSH", elsewhere, element]));
                self.until_answered(at, pusher);
                &[&["LMOVE", elsewhere, key, "LEFT", "LEFT"]]
            }
            Way::Transaction => {
                &[&["MULTI"], &["RPUSH", key, element], &["SET", elsewhere, element], &["EXEC"]]
            }
            Way::Script => {
                let code = "redis.call('RPUSH', ARGV[1], ARGV[3]) return redis.call('INCR', ARGV[2])";
                &[&["EVAL", code, "0", key, elsewhere, element]]
            }
            Way::Long => {
                let code = "for i = 1, 100000 do end redis.call('RPUSH', KEYS[1], ARGV[1]) \
                            return redis.call('INCR', KEYS[2])";
                &[&["EVAL", code, "2", key, elsewhere, element]]
            }
            Way::Swap | Way::SwapInTransaction => {
                let words = [&["SELECT", "1"][..], &["RPUSH", key, element]].map(request).concat();
                self.trial.send_to(at, pusher, &words);
                self.until_answered(at, pusher);
                match way {
                    Way::Swap => &[&["SWAPDB", "0", "1"]],
                    _ => &[&["MULTI"], &["SWAPDB", "1", "0"], &["EXEC"]],
                }
            }
            Way::Moved => {
                self.trial.send_to(at, pusher, &request(&["RPUSH", elsewhere, element]));
                return self.until_answered(at, other);
            }
        };
        let words: Vec<u8> = words.iter().flat_map(|words| request(words)).collect();
        // A turn runs the mail that had come when it read what clients ask.
        while self.trial.deliver_to(at) {}
        self.trial.send_to(at, pusher, &words);
        self.until_answered(at, pusher);
    }

    /// Every waiter has got the element with its number.
    fn check(mut self, seed: u64, way: impl Fn(usize) -> Way) {
        self.trial.settle();
        for (number, (shard, waiter)) in self.waiters.into_iter().enumerate() {
            let reply = self.trial.take_replies_of(shard, waiter);
            let value = format!("$1\r\n{number}\r\n");
            let reply = String::from_utf8_lossy(&reply).into_owned();
            let way = way(number);
            assert!(reply.ends_with(&value), "seed {seed}: waiter {number} of {way:?} got {reply:?}");
        }
    }
}

/// Each element is brought once whoever has brought the one before has the reply, and waits for nothing else; messages arrive in any order.
fn bring_in_order(seed: u64, way: impl Fn(usize) -> Way) {
    let mut line = Line::new(seed);
    let places: Vec<Place> = (0..WAITERS).map(|number| line.place(way(number), number)).collect();
    for (number, place) in places.iter().enumerate() {
        line.bring(way(number), place, &number.to_string());
    }
    line.check(seed, way);
}

#[test]
fn who_waits_for_keys_of_several_shards_is_served_in_order() {
    for seed in 0..300 {
        bring_in_order(seed, |_| Way::Push);
    }
}

/// Also what had to wait for a lock, or is part of what happens on several shards.
#[test]
fn whichever_way_elements_come() {
    for way in WAYS {
        (0..200).for_each(|seed| bring_in_order(seed, |_| way));
    }
    for seed in 0..600 {
        bring_in_order(seed, |number| WAYS[(seed as usize + number * number) % WAYS.len()]);
    }
}

/// The first in line moves what it gets to a list of shard `to` that others hold again and again; two elements come at once, so that the
/// second is for the one behind it.
fn bring_to_a_mover(seed: u64, to: u16, way: impl Fn(usize) -> Way) {
    let mut line = Line::empty(seed, 3);
    let (source, moved) = (line.keys[0].clone(), line.trial.key_on(to, "moved"));
    line.wait(&["BLMOVE", &source, &moved, "LEFT", "RIGHT", "0"]);
    (1..WAITERS).for_each(|_| line.wait_for_all());
    let places: Vec<Place> = (2..WAITERS).map(|number| line.place(way(number), number)).collect();
    for id in 300..300 + line.random.below(4) {
        let at = line.anywhere();
        let holder = line.trial.connect_to(at, id);
        let elsewhere = line.trial.key_on(line.random.below(3) as u16, "nothing:");
        line.trial.send_to(at, holder, &request(&["LMOVE", &moved, &elsewhere, "LEFT", "LEFT"]));
        (0..line.random.below(4)).for_each(|_| _ = line.trial.deliver_any(&mut line.random));
    }
    let at = line.anywhere();
    let pusher = line.trial.connect_to(at, 400);
    while line.trial.deliver_to(at) {}
    line.trial.send_to(at, pusher, &request(&["RPUSH", &source, "0", "1"]));
    line.until_answered(at, pusher);
    for (number, place) in (2..).zip(&places) {
        line.bring(way(number), place, &number.to_string());
    }
    line.check(seed, way);
}

#[test]
fn whoever_is_first_and_needs_a_key_that_others_hold_keeps_its_place() {
    for to in 0..3 {
        for seed in 0..300 {
            bring_to_a_mover(seed, to, |_| Way::Push);
            bring_to_a_mover(seed, to, |number| WAYS[(seed as usize + number) % WAYS.len()]);
        }
    }
}

/// Two clients read groups of streams of three shards; one stream gets an entry, one goes by a command of several shards, and then the third
/// gets an entry.
#[test]
fn who_is_to_be_told_that_a_stream_is_gone_gets_nothing_of_another() {
    for (seed, name) in (0..300).flat_map(|seed| ["DEL", "UNLINK", "MSET"].map(|name| (seed, name))) {
        let mut line = Line::empty(seed, 6);
        let keys = line.keys.clone();
        let setter = line.trial.connect();
        for key in &keys {
            let words = ["XGROUP", "CREATE", key, "group", "$", "MKSTREAM"];
            assert_eq!(line.trial.ask(setter, &request(&words)), b"+OK\r\n");
        }
        for consumer in ["one", "two"] {
            let head = ["XREADGROUP", "GROUP", "group", consumer, "BLOCK", "0", "STREAMS"];
            line.wait(&[&head[..], &[&keys[0], &keys[1], &keys[2]], &[">"; 3]].concat());
        }
        let other = line.trial.key_on(line.random.below(6) as u16, "other");
        let add = |key| vec!["XADD", key, "*", "field", "value"];
        let end = match name {
            "MSET" => vec![name, &other, "v", &keys[1], "v"],
            _ => vec![name, &other, &keys[1]],
        };
        for (id, words) in [(10, add(&keys[0])), (11, end), (12, add(&keys[2]))] {
            let at = line.anywhere();
            let client = line.trial.connect_to(at, id);
            while line.trial.deliver_to(at) {}
            line.trial.send_to(at, client, &request(&words));
            line.until_answered(at, client);
        }
        line.trial.settle();
        for ((shard, waiter), begins) in line.waiters.into_iter().zip(*b"*-") {
            let reply = line.trial.take_replies_of(shard, waiter);
            assert_eq!(reply[0], begins, "seed {seed}, {name}: {}", String::from_utf8_lossy(&reply));
        }
    }
}

/// Each of two keys is claimed for another operation: neither is enough.
#[test]
fn a_reply_waits_for_all_keys_that_its_command_has_pushed_to() {
    let mut trial = Trial::new(2);
    let [one, other, there] =
        [(0, "one"), (0, "other"), (1, "there")].map(|(shard, name)| trial.key_on(shard, name));
    for (id, key) in [(1, &one), (2, &other)] {
        let waiter = trial.connect_to(1, id);
        trial.send_to(1, waiter, &request(&["BLPOP", key, &there, "0"]));
        trial.settle();
    }
    let pusher = trial.connect_to(0, 3);
    let words = [&["MULTI"][..], &["RPUSH", &one, "v"], &["RPUSH", &other, "v"], &["EXEC"]];
    trial.send(pusher, &words.map(request).concat());
    let mut random = Random::from_seed(1);
    while !trial.shards[0].withholding.open.is_empty() {
        assert_eq!(trial.shards[0].conns[pusher].withheld, 1);
        assert!(trial.mail.messages().count() > 0 || trial.go_on(), "it is never settled");
        trial.deliver_any(&mut random);
    }
    trial.settle();
    assert_eq!(trial.shards[0].conns[pusher].withheld, 0);
    assert_eq!(trial.take_replies(pusher), b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:1\r\n");
}

/// Nobody sends more for a client that has gone, and another one in its place is answered.
#[test]
fn a_connection_that_ends_while_its_reply_is_withheld_leaves_nothing_behind() {
    let mut trial = Trial::new(2);
    let (here, there) = (trial.key_on(0, "here"), trial.key_on(1, "there"));
    let (waiter, pusher) = (trial.connect_to(1, 1), trial.connect_to(0, 2));
    trial.send_to(1, waiter, &request(&["BLPOP", &here, &there, "0"]));
    trial.settle();
    trial.send(pusher, &request(&["RPUSH", &here, "v"]));
    assert_eq!(trial.shards[0].conns[pusher].withheld, 1);
    assert!(!trial.shards[0].dirty_conns.contains(&(pusher as u32)));
    trial.close(0, pusher);
    let next = trial.connect_to(0, 3);
    assert_eq!(next, pusher);
    assert_eq!(trial.ask(next, &request(&["LLEN", &here])), b":0\r\n");
    assert_eq!(trial.shards[0].conns[next].withheld, 0);
    assert!(trial.take_replies_of(1, waiter).starts_with(b"*2\r\n"));
}
