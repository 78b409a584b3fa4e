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

/// Three shards, and clients who wait for a key of each.
struct Line {
    trial: Trial,
    random: Random,
    keys: Vec<String>,
    waiters: Vec<(usize, usize)>,
}

impl Line {
    fn new(seed: u64) -> Self {
        let mut random = Random::from_seed(seed);
        let mut trial = Trial::new(3);
        let conn = trial.connect();
        assert_eq!(trial.ask(conn, &request(&["CONFIG", "SET", "busy-reply-threshold", "1"])), b"+OK\r\n");
        trial.shards.iter_mut().for_each(|shard| shard.cx.platform.clock_ns = clock_ns);
        let keys: Vec<String> = (0..3).map(|shard| trial.key_on(shard, "list")).collect();
        let mut waiters = Vec::new();
        for number in 0..WAITERS {
            let shard = random.index(3);
            let waiter = trial.connect_to(shard, number as u64 + 1);
            trial.send_to(shard, waiter, &request(&["BLPOP", &keys[0], &keys[1], &keys[2], "0"]));
            trial.settle();
            waiters.push((shard, waiter));
        }
        Self { trial, random, keys, waiters }
    }

    /// Who brings an element where.
    fn place(&mut self, way: Way, number: usize) -> Place {
        let at = self.random.index(3);
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
            let value = format!("\r\n$1\r\n{number}\r\n");
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
