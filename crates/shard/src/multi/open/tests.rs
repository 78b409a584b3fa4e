//! Operations that ask for keys as they go, played in one thread.

use super::*;
use crate::execute::Asked;
use crate::trial::{Trial, request};
use base::hash::HashSeed;
use command::ShardCx;
use std::cell::Cell;

/// Runs these commands one after the other, and answers with all replies.
struct Walk {
    calls: Vec<Vec<String>>,
    at: usize,
    own: OwnArgs,
    out: Reply,
    ticks: bool,
}

impl Walk {
    fn new(calls: &[&[&str]]) -> Self {
        let calls = calls.iter().map(|call| call.iter().map(|word| (*word).to_owned()).collect());
        let own = OwnArgs::of_words(Vec::new());
        Self { calls: calls.collect(), at: 0, own, out: Reply::default(), ticks: false }
    }
}

impl Steps for Walk {
    fn resume(&mut self, _cx: &mut ShardCx, reply: Option<&Reply>) -> Step {
        if let Some(reply) = reply {
            self.out.append_part(reply, 0..reply.buf.len());
            self.at += 1;
            self.ticks = true;
            return Step::Tick;
        }
        self.ticks = false;
        let Some(words) = self.calls.get(self.at) else {
            return Step::Done(std::mem::take(&mut self.out));
        };
        self.own = OwnArgs::of_words(words.iter().map(|word| word.clone().into_bytes()).collect());
        Step::Call
    }

    fn call<'a>(&'a self, seed: &'a HashSeed) -> Call<'a> {
        let command = command::lookup(self.calls[self.at][0].as_bytes()).expect("a command");
        Call { command, args: self.own.args(seed), db: 0, resp3: false }
    }
}

fn start(trial: &mut Trial, conn: usize, keys: &[&str], calls: &[&[&str]]) {
    let shard = &mut trial.shards[0];
    let ask = Ask::Whole(shard.expect(conn));
    shard.conns[conn].through_own_mailbox += 1;
    let own = OwnArgs::of_words(vec![b"SORT".to_vec(), b"x".to_vec()]);
    let (seed, caller) = (shard.cx.seed.clone(), Caller::of(conn, &shard.conns[conn]));
    let command = command::lookup(b"sort").expect("a command");
    let asked = Asked { home: 0, ask, command, caller, args: own.args(&seed) };
    let keys = keys.iter().map(|key| (0, key.as_bytes().to_vec())).collect();
    shard.start_open(asked, keys, Box::new(Walk::new(calls)));
    trial.publish(0);
}

#[test]
fn keys_of_all_shards_come_as_they_are_needed() {
    let mut trial = Trial::new(4);
    let conn = trial.connect();
    let keys: Vec<_> = (0..8).map(|n| trial.key_on(n % 4, &format!("k{n}-"))).collect();
    for key in &keys[..4] {
        trial.ask(conn, &request(&["SET", key, "1"]));
    }
    let (k, more) = (&keys, ["x", "y"]);
    start(
        &mut trial,
        conn,
        &[&k[1]],
        &[
            &["INCR", &k[0]],
            &["INCR", &k[1]],
            &["RENAME", &k[2], &k[7]],
            &["DBSIZE"],
            &["INCR", &k[3]],
            &["GET", &k[7]],
            &["SADD", &k[6], more[0], more[1]],
            &["SCAN", "0"],
            &["MGET", &k[0], &k[1], &k[2], &k[3], &k[7]],
            &["LPUSH", &k[7], "wrong"],
        ],
    );
    trial.settle();
    let replies = String::from_utf8(trial.take_replies(conn)).expect("text");
    assert!(replies.starts_with(":2\r\n:2\r\n+OK\r\n:4\r\n:2\r\n$1\r\n1\r\n:2\r\n*2\r\n"), "{replies}");
    let end = "*5\r\n$1\r\n2\r\n$1\r\n2\r\n$-1\r\n$1\r\n2\r\n$1\r\n1\r\n-WRONGTYPE Operation against a key holding the wrong kind of \
               value\r\n";
    assert!(replies.ends_with(end), "{replies}");
    assert_eq!(trial.ask(conn, &request(&["DBSIZE"])), b":5\r\n");
    assert_eq!(trial.ask(conn, &request(&["GET", &k[7]])), b"$1\r\n1\r\n");
}

/// Its client may go: it comes to its end all the same.
#[test]
fn an_operation_outlives_its_client() {
    for steps in 0..12 {
        let mut trial = Trial::new(3);
        let (conn, other) = (trial.connect_to(0, 1), trial.connect_to(1, 2));
        let keys: Vec<_> = (0..3).map(|n| trial.key_on(n, "k")).collect();
        let calls: Vec<_> = keys.iter().map(|key| ["INCR", key.as_str()]).collect();
        start(&mut trial, conn, &[], &calls.iter().map(|call| &call[..]).collect::<Vec<_>>());
        (0..steps).for_each(|_| _ = trial.deliver());
        trial.close(0, conn);
        trial.send_to(1, other, &request(&["MGET", &keys[0], &keys[1], &keys[2]]));
        trial.settle();
        let seen = trial.take_replies_of(1, other);
        assert_eq!(seen, b"*3\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n", "after {steps} messages");
    }
}

/// An operation ends on one shard a little later than on another. Who counts keys meanwhile waits there, and is not overtaken: it
/// would count a key that was written after one that it has not counted.
#[test]
fn who_counts_keys_at_the_gate_is_not_overtaken() {
    let mut trial = Trial::new(3);
    let (conn, counter) = (trial.connect(), trial.connect_to(0, 2));
    let (early, late) = (trial.connect_to(1, 3), trial.connect_to(2, 4));
    let keys: Vec<_> = (0..3).map(|n| trial.key_on(n, "k")).collect();
    start(&mut trial, conn, &[], &[&["GET", &keys[1]], &["GET", &keys[0]]]);
    trial.send(counter, b"DBSIZE\r\n");
    while !trial.shards[0].opens.is_empty() {
        assert!(trial.deliver() || trial.go_on());
    }
    while trial.deliver_to(1) {}
    trial.send_to(1, early, &request(&["SET", &keys[1], "v"]));
    assert_eq!(trial.take_replies_of(1, early), b"+OK\r\n");
    trial.send_to(2, late, &request(&["SET", &keys[2], "v"]));
    trial.settle();
    assert_eq!(trial.take_replies(counter), b":0\r\n");
    assert_eq!(trial.take_replies_of(2, late), b"+OK\r\n");
}

/// A script that begins may have to make room: what goes then may be another shard's, which hears of it.
#[test]
fn what_is_evicted_when_a_script_begins_is_told_to_its_owner() {
    let mut trial = Trial::new(2);
    let (conn, watcher) = (trial.connect(), trial.connect_to(1, 2));
    let key = trial.key_on(1, "k");
    trial.ask(conn, &request(&["CONFIG", "SET", "maxmemory-policy", "allkeys-random"]));
    trial.ask(conn, &request(&["SET", &key, &"v".repeat(10_000)]));
    let ask = |trial: &mut Trial, words: &[&str]| {
        trial.send_to(1, watcher, &request(words));
        trial.settle();
        trial.take_replies_of(1, watcher)
    };
    assert_eq!(ask(&mut trial, &["WATCH", &key]), b"+OK\r\n");
    trial.shards[0].cx.limits.memory_bytes_max = 5000;
    let words = [&["MULTI"][..], &["EVAL", "return 1", "1", &key], &["EXEC"]];
    trial.ask(conn, &words.map(request).concat());
    assert_eq!(trial.ask(conn, &request(&["EXISTS", &key])), b":0\r\n");
    assert_eq!(ask(&mut trial, &["MULTI"]), b"+OK\r\n");
    assert_eq!(ask(&mut trial, &["EXEC"]), b"*-1\r\n");
}

/// Whatever the order in which mail is run, nobody sees a part of an operation, and all come to an end.
#[test]
fn operations_of_all_kinds_pass_each_other() {
    let mut trial = Trial::new(4);
    let conns: Vec<_> = (0..6).map(|_| trial.connect()).collect();
    let keys: Vec<_> = (0..4).map(|n| trial.key_on(n, "k")).collect();
    let all = [&keys[0][..], &keys[1], &keys[2], &keys[3]];
    for round in 0..50 {
        let text = round.to_string();
        let set: Vec<_> = all.iter().map(|key| ["SET", *key, &text]).collect();
        let mut calls: Vec<&[&str]> = set.iter().map(|call| &call[..]).collect();
        calls.rotate_left(round % 4);
        start(&mut trial, conns[0], &[], &calls);
        start(&mut trial, conns[1], &all[..round % 3], &[&["GET", all[3]], &["DBSIZE"], &["GET", all[2]]]);
        trial.send(conns[2], &request(&[&["MGET"], &all[..]].concat()));
        trial.send(conns[3], &request(&["SORT", all[1], "BY", "nosort", "GET", all[2]]));
        trial.send(conns[4], &request(&["SINTERSTORE", "none", all[0], all[1]]));
        trial.send(conns[5], &request(&["GET", all[round % 4]]));
        trial.settle();
        let seen = String::from_utf8(trial.take_replies(conns[2])).expect("text");
        let values: Vec<_> =
            seen.lines().filter(|line| !line.starts_with(['*', '$']) || *line == "$-1").collect();
        assert!(values.windows(2).all(|pair| pair[0] == pair[1]), "{seen}");
        conns.iter().for_each(|conn| drop(trial.take_replies(*conn)));
    }
}

/// Delivers everything; how many operations that learn as they go have begun meanwhile.
fn settle_and_count(trial: &mut Trial) -> usize {
    let mut begun = 0;
    while let Some((to, message)) = trial.take_mail() {
        if let Message::Commands(batch) = &message {
            begun += batch.commands().filter(|item| to == 0 && matches!(item.ask, Ask::Open(_))).count();
        }
        trial.shards[to].on_message(message);
        trial.shards[to].resume();
        trial.publish(to);
    }
    trial.settle();
    begun
}

/// The same script over and over again in one pipeline comes to the shards once; what stands before and behind it stays there, whatever becomes of one of
/// the runs.
#[test]
fn a_pipeline_of_scripts_that_learn_is_one_operation() {
    for (is_declared_on_one_shard, names) in [(false, "3"), (true, "3"), (true, "1")] {
        let mut trial = Trial::new(4);
        let conn = trial.connect();
        let (counter, other) = (trial.key_on(2, "counter"), trial.key_on(1, "other"));
        // Names that nobody can foresee, and nothing at all behind an error.
        let code = "local n = redis.call('INCR', KEYS[1]) if n == 4 then return redis.call('LPUSH', KEYS[1], n) end \
                    for step = 1, tonumber(ARGV[2]) do redis.call('SET', ARGV[1] .. (n * step * 7919) % 1009, n) end return n";
        let eval = match is_declared_on_one_shard {
            true => request(&["EVAL", code, "1", &counter, "job:", names]),
            false => request(&["EVAL", code, "2", &counter, &other, "job:", names]),
        };
        for round in 0..3 {
            let mut pipeline = request(&["SET", &counter, "0"]);
            (0..12).for_each(|_| pipeline.extend(&eval));
            pipeline.extend(request(&["GET", &counter]));
            trial.send(conn, &pipeline);
            let begun = settle_and_count(&mut trial);
            // Where the declared key is, it has to show first that it learns.
            assert!(begun == 1 || is_declared_on_one_shard && round == 0, "round {round}: {begun}");
            let seen = String::from_utf8(trial.take_replies(conn)).expect("text");
            let mut lines: Vec<_> = seen.lines().collect();
            assert!(lines.remove(4).starts_with("-WRONGTYPE"), "{seen}");
            let numbers = ["+OK", ":1", ":2", ":3", ":5", ":6", ":7", ":8", ":9", ":10", ":11", ":12"];
            assert_eq!((&lines[..12], &lines[12..]), (&numbers[..], &["$2", "12"][..]));
        }
        for n in [1, 2, 3, 5, 12] {
            let (name, text) = (format!("job:{}", (n * 7919) % 1009), n.to_string());
            let expected = format!("${}\r\n{text}\r\n", text.len());
            assert_eq!(trial.ask(conn, &request(&["GET", &name])), expected.as_bytes());
        }
    }
}

/// Who has waited for what one script has pushed comes before the next script, though both are in one operation.
#[test]
fn who_waits_is_served_between_scripts_that_go_together() {
    for shard in 0..3 {
        let mut trial = Trial::new(3);
        let (conn, waiter) = (trial.connect(), trial.connect_to(1, 7));
        let (counter, other) = (trial.key_on(2, "counter"), trial.key_on(1, "other"));
        let queue = trial.key_on(shard, "queue");
        trial.send_to(1, waiter, &request(&["BLPOP", &queue, "0"]));
        trial.settle();
        let code = "redis.call('INCR', KEYS[1]) return redis.call(ARGV[1], ARGV[2], ARGV[3])";
        let eval = |command, last| request(&["EVAL", code, "2", &counter, &other, command, &queue, last]);
        let pipeline =
            [eval("LPUSH", "a"), eval("LPOP", "1"), eval("LPUSH", "b"), eval("LPOP", "1")].concat();
        trial.send(conn, &pipeline);
        let opens = trial.shards.iter().flat_map(|shard| shard.opens.values());
        assert_eq!(opens.map(|open| open.followers.len()).sum::<usize>(), 3);
        trial.settle();
        let seen = String::from_utf8(trial.take_replies(conn)).expect("text");
        assert_eq!(seen, ":1\r\n$-1\r\n:1\r\n*1\r\n$1\r\nb\r\n", "the queue is on shard {shard}");
        let seen = String::from_utf8(trial.take_replies_of(1, waiter)).expect("text");
        assert!(seen.ends_with("$1\r\na\r\n"), "{seen}");
    }
}

/// Clients of several shards at once, and those who look at everything meanwhile.
#[test]
fn nobody_sees_a_part_of_scripts_that_go_together() {
    let mut together = 0;
    for seed in 0..40 {
        let mut random = base::random::Random::from_seed(seed);
        let mut trial = Trial::new(3);
        let clients: Vec<_> =
            (0..3).map(|shard| (shard, trial.connect_to(shard, 1 + shard as u64))).collect();
        let looker = trial.connect_to(1, 9);
        let keys: Vec<_> = (0..3).map(|n| trial.key_on(n, "k")).collect();
        // Both keys always have the same number; which they are shows only while it runs (`n % 1` is 0, of which the analysis knows nothing).
        let code = "local n = redis.call('INCR', KEYS[1]) redis.call('SET', ARGV[1 + n % 1], n) return n";
        for (shard, conn) in &clients {
            let eval = request(&["EVAL", code, "2", &keys[0], &keys[1], &keys[2]]);
            trial.send_to(*shard, *conn, &eval.repeat(1 + random.index(6)));
        }
        let opens = trial.shards.iter().flat_map(|shard| shard.opens.values());
        together += opens.filter(|open| !open.followers.is_empty()).count();
        for _ in 0..10 {
            trial.send_to(1, looker, &request(&["MGET", &keys[0], &keys[2]]));
            (0..random.index(12)).for_each(|_| _ = trial.deliver_any(&mut random));
        }
        while trial.deliver_any(&mut random) || trial.deliver() {}
        trial.settle();
        let seen = String::from_utf8(trial.take_replies_of(1, looker)).expect("text");
        let values: Vec<_> = seen
            .lines()
            .filter(|line| !line.starts_with('*') && (!line.starts_with('$') || *line == "$-1"))
            .collect();
        assert_eq!(values.len(), 20, "seed {seed}: {seen}");
        assert!(values.chunks(2).all(|pair| pair[0] == pair[1]), "seed {seed}: {seen}");
    }
    assert!(together > 20, "{together} operations of several scripts");
}

thread_local! {
    static CLOCK_NS: Cell<u64> = const { Cell::new(0) };
}

/// Every look at it takes two milliseconds.
fn clock_ns() -> u64 {
    CLOCK_NS.set(CLOCK_NS.get() + 2_000_000);
    CLOCK_NS.get()
}

/// The client of a quick script need not wait for the end of a slow one that comes in the same turn, once that has shown how long it takes.
#[test]
fn a_script_that_takes_long_goes_alone() {
    let mut trial = Trial::new(3);
    trial.shards[0].cx.platform.clock_ns = clock_ns;
    let (one, other) = (trial.connect(), trial.connect());
    let (here, there) = (trial.key_on(0, "here"), trial.key_on(2, "there"));
    let code = "for i = 1, tonumber(ARGV[3]) do end \
                for step = 1, 3 do redis.call('SET', ARGV[1] .. (ARGV[2] * step * 7919) % 1009, KEYS[1]) end return 1";
    let slow = format!("{code} -- slowly");
    let eval = |code, number: u32, rounds| {
        let number = number.to_string();
        request(&["EVAL", code, "2", &here, &there, "job:", &number, rounds])
    };
    for number in 0..8 {
        assert_eq!(trial.ask(one, &eval(code, number, "1")), b":1\r\n");
        assert_eq!(trial.ask(other, &eval(&slow, number, "300000")), b":1\r\n");
    }
    let (quick, slow) = (eval(code, 9, "1"), eval(&slow, 10, "300000"));
    let (both, first) = ([quick.clone(), slow].concat(), quick.len());
    trial.shards[0].receive(&both, &[(one as u32, 0..first), (other as u32, first..both.len())]);
    trial.publish(0);
    assert_eq!(trial.shards[0].opens.len(), 2);
    while trial.shards[0].conns[one].outstanding() > 0 {
        assert!(trial.deliver() || trial.go_on());
    }
    assert_eq!(trial.take_replies(one), b":1\r\n");
    assert_eq!(trial.shards[0].conns[other].outstanding(), 1);
    trial.settle();
    assert_eq!(trial.take_replies(other), b":1\r\n");
}
