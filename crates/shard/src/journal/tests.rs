//! What is written of commands, seen in the files.

use super::files::{Files, Line};
use crate::trial::{Trial, request};
use base::random::Random;
use std::cell::Cell;

/// Shards that write down what they do, with a client of the first.
struct Bed {
    trial: Trial,
    conn: usize,
    files: Files,
}

impl Bed {
    fn new(shards: u16) -> Self {
        let mut trial = Trial::new(shards);
        trial.shards.iter_mut().for_each(|shard| shard.set_journal(true));
        let conn = trial.connect();
        Self { trial, conn, files: Files::new(shards.into()) }
    }

    fn ask(&mut self, words: &[&str]) -> String {
        let reply = self.trial.ask(self.conn, &request(words));
        self.files.write(&mut self.trial.journal);
        reply.escape_ascii().to_string()
    }

    fn line(&mut self, line: &str) -> String {
        self.ask(&line.split(' ').collect::<Vec<_>>())
    }

    /// What a shard's file has in the last generation, with the number of the block before each that is in one.
    fn blocks(&self, shard: usize) -> Vec<String> {
        let lines = self.files.lines(self.files.generations() - 1).swap_remove(shard);
        let text = |line: Line| match line.block {
            0 => line.text(),
            block => format!("{block}: {}", line.text()),
        };
        lines.into_iter().map(text).collect()
    }
}

#[test]
fn what_changes_something_is_written_as_it_was_given() {
    let mut bed = Bed::new(1);
    for line in ["SET a 1", "GET a", "INCR a", "DEL none", "LPUSH a x", "SELECT 3", "set B 2", "GET none"] {
        bed.line(line);
    }
    assert_eq!(bed.files.told(0), ["0 SET a 1", "0 INCR a", "3 set B 2"]);
}

#[test]
fn what_is_over_is_deleted_before_what_has_met_it() {
    let mut bed = Bed::new(1);
    bed.line("SET a 1 PX 5");
    bed.line("HSET h f 1 g 2");
    bed.line("HPEXPIRE h 5 FIELDS 1 f");
    let before = bed.files.told(0).len();
    bed.trial.set_time(10_000);
    bed.line("INCR a");
    bed.line("HINCRBY h f 7");
    assert_eq!(bed.files.told(0)[before..], ["0 DEL a", "0 INCR a", "0 HDEL h f", "0 HINCRBY h f 7"]);
}

#[test]
fn a_transaction_is_a_block() {
    let mut bed = Bed::new(1);
    for line in
        ["MULTI", "SET a 1", "GET a", "INCR a", "EXEC", "MULTI", "GET a", "EXEC", "MULTI", "INCR a", "EXEC"]
    {
        bed.line(line);
    }
    bed.ask(&[
        "EVAL",
        "redis.call('SET', KEYS[1], 2) redis.call('GET', KEYS[1]) return redis.call('DEL', KEYS[1])",
        "1",
        "a",
    ]);
    assert_eq!(bed.blocks(0), ["1: SET a 1", "1: INCR a", "INCR a", "2: SET a 2", "2: DEL a"]);
}

#[test]
fn a_script_that_is_taken_back_leaves_nothing_but_what_was_over() {
    let mut bed = Bed::new(2);
    let (here, over, there) =
        (bed.trial.key_on(0, "here"), bed.trial.key_on(0, "over"), bed.trial.key_on(1, "there"));
    bed.ask(&["SET", &over, "x"]);
    bed.ask(&["PEXPIREAT", &over, "5"]);
    bed.trial.set_time(10_000);
    let before = bed.files.told(0).len();
    let code =
        "redis.call('SET', KEYS[1], 'new') redis.call('GET', KEYS[2]) return redis.call('INCR', ARGV[1])";
    assert_eq!(bed.ask(&["EVAL", code, "2", &here, &over, &there]), ":1\\r\\n");
    assert_eq!(bed.files.told(0)[before..], [format!("0 DEL {over}"), format!("0 SET {here} new")]);
    assert_eq!(bed.files.told(1), [format!("0 INCR {there}")]);
    bed.files.check_transactions();
}

#[test]
fn what_is_done_among_keys_of_several_shards_is_a_transaction() {
    let mut bed = Bed::new(2);
    let (a, b) = (bed.trial.key_on(0, "a"), bed.trial.key_on(1, "b"));
    bed.ask(&["SET", &a, "v"]);
    bed.ask(&["RENAME", &a, &b]);
    assert_eq!(bed.blocks(0), [format!("SET {a} v"), format!("1: DEL {a}")]);
    assert_eq!(bed.blocks(1), [format!("1: SET {b} v")]);
    bed.ask(&["MSET", &a, "1", &b, "2"]);
    let none = bed.trial.key_on(1, "none");
    bed.ask(&["DEL", &a, &none]);
    for words in [&["MULTI"][..], &["INCR", &b], &["EXEC"]] {
        bed.ask(words);
    }
    assert_eq!(bed.blocks(0)[2..], [format!("2: MSET {a} 1"), format!("3: DEL {a}")]);
    assert_eq!(bed.blocks(1)[1..], [format!("2: MSET {b} 2"), format!("INCR {b}")]);
    bed.files.check_transactions();
}

#[test]
fn whole_databases_end_a_generation() {
    for shards in [1, 4] {
        let mut bed = Bed::new(shards);
        for line in ["SET a 1", "FLUSHALL", "SET b 1", "SWAPDB 0 1", "SET c 1", "SELECT 1", "FLUSHDB"] {
            bed.line(line);
        }
        assert_eq!(bed.files.generations(), if shards == 1 { 1 } else { 4 });
        let (mut one, mut as_many) = (Trial::new(1), Trial::new(shards));
        bed.files.play_into_one(&mut one);
        bed.files.play_into(&mut as_many, &mut Random::from_seed(7));
        for mut fresh in [one, as_many] {
            let conn = fresh.connect();
            assert_eq!(fresh.ask(conn, &request(&["KEYS", "*"])), b"*1\r\n$1\r\nc\r\n");
            assert_eq!(fresh.ask(conn, b"SELECT 1\r\nDBSIZE\r\n"), b"+OK\r\n:0\r\n");
        }
    }
}

#[test]
fn functions_are_written_once() {
    for shards in [1, 4] {
        let mut bed = Bed::new(shards);
        let code = "#!lua name=lib\nredis.register_function('f', function(keys) return redis.call('INCR', keys[1]) end)";
        bed.ask(&["FUNCTION", "LOAD", code]);
        assert_eq!(bed.line("FCALL f 1 a"), ":1\\r\\n");
        let all: Vec<_> = (0..shards.into()).flat_map(|shard| bed.files.told(shard)).collect();
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(
            all[0].starts_with("0 FUNCTION LOAD #!lua name=lib\\n") && all[0].ends_with("end)"),
            "{all:?}"
        );
        assert!(all.contains(&"0 INCR a".to_owned()));
        let mut fresh = Trial::new(1);
        bed.files.play_into_one(&mut fresh);
        let conn = fresh.connect();
        assert_eq!(fresh.ask(conn, &request(&["FCALL", "f", "1", "a"])), b":2\r\n");
    }
}

#[test]
fn a_script_that_takes_several_turns_is_one_block() {
    for shards in [1, 2] {
        let mut bed = Bed::new(shards);
        bed.line("CONFIG SET busy-reply-threshold 1");
        bed.trial.shards.iter_mut().for_each(|shard| shard.cx.platform.clock_ns = slow_clock);
        let (here, there) = (bed.trial.key_on(0, "here"), bed.trial.key_on(shards - 1, "there"));
        let code = "redis.call('SET', KEYS[1], 1) for n = 1, 5000000 do end redis.call('INCR', KEYS[1]) return redis.call('SET', KEYS[2], 1)";
        bed.trial.send(bed.conn, &request(&["EVAL", code, "2", &here, &there]));
        bed.trial.deliver_all();
        assert!(bed.trial.shards[0].busy.is_some());
        bed.files.write(&mut bed.trial.journal);
        assert_eq!(bed.blocks(0), [""; 0]);
        bed.trial.settle();
        bed.files.write(&mut bed.trial.journal);
        let mut own =
            vec![format!("1: SET {here} 1"), format!("1: INCR {here}"), format!("1: SET {there} 1")];
        if shards > 1 {
            assert_eq!(bed.blocks(1), [own.pop().expect("three")]);
        }
        assert_eq!(bed.blocks(0), own);
        bed.files.check_transactions();
    }
}

#[test]
fn what_is_evicted_is_deleted() {
    let mut bed = Bed::new(1);
    bed.line("CONFIG SET maxmemory 100kb maxmemory-policy allkeys-random");
    let value = "v".repeat(200);
    for n in 0..3000 {
        bed.ask(&["SET", &format!("key {n}"), &value]);
    }
    let mut fresh = Trial::new(1);
    bed.files.play_into_one(&mut fresh);
    let (mut keys, conn) = (bed.line("DBSIZE"), fresh.connect());
    assert_ne!(keys, ":3000\\r\\n");
    assert_eq!(fresh.ask(conn, b"DBSIZE\r\n").escape_ascii().to_string(), keys);
    keys = bed.line("KEYS *");
    let sorted = |text: &str| {
        let mut names: Vec<_> = text.split("\\r\\n").map(str::to_owned).collect();
        names.sort();
        names
    };
    let others = fresh.ask(conn, &request(&["KEYS", "*"])).escape_ascii().to_string();
    assert_eq!(sorted(&others), sorted(&keys));
}

/// Whoever looks whether a client can be served, or whose watched key was over, finds it gone, and says so.
#[test]
fn what_is_found_over_without_a_command_is_deleted() {
    let mut bed = Bed::new(2);
    let (over, other) = (bed.trial.key_on(0, "over"), bed.trial.key_on(1, "other"));
    for words in [
        &["SET", &over, "x"][..],
        &["PEXPIREAT", &over, "5"],
        &["WATCH", &over],
        &["MULTI"],
        &["GET", &other],
    ] {
        bed.ask(words);
    }
    bed.trial.set_time(10_000);
    assert_eq!(bed.ask(&["EXEC"]), "*-1\\r\\n");
    assert_eq!(bed.files.told(0).last().map(String::as_str), Some(format!("0 DEL {over}").as_str()));
    // The same where keys are swapped: what was over does not come to another database.
    for words in [&["SET", &over, "x"][..], &["PEXPIREAT", &over, "15"], &["WATCH", &over]] {
        bed.ask(words);
    }
    bed.trial.set_time(20_000);
    bed.ask(&["SWAPDB", "0", "1"]);
    let told = bed.files.told(0);
    assert_eq!(told[told.len() - 2..], [format!("0 DEL {over}"), "0 SWAPDB 0 1".to_owned()]);
    assert_eq!(bed.files.told(1), [""; 0]);
    // A key that has been lent.
    bed.ask(&["SELECT", "1"]);
    bed.ask(&["SET", &over, "x"]);
    bed.ask(&["PEXPIREAT", &over, "25"]);
    bed.trial.set_time(30_000);
    bed.ask(&["COPY", &over, &other]);
    assert_eq!(bed.files.told(0).last().map(String::as_str), Some(format!("1 DEL {over}").as_str()));
}

/// Others may use a single shard between two steps of a transaction: what it does to all keys has its place among what they do.
#[test]
fn a_flush_in_a_transaction_has_its_place() {
    for shards in [1, 3] {
        let mut bed = Bed::new(shards);
        let keys = [0, 0, shards - 1].map(|shard| bed.trial.key_on(shard, "k"));
        bed.ask(&["MSET", &keys[0], "1", &keys[2], "1"]);
        for words in [
            &["MULTI"][..],
            &["SET", &keys[0], "2"],
            &["FLUSHALL"],
            &["SET", &keys[2], "3"],
            &["SELECT", "1"],
        ] {
            bed.ask(words);
        }
        bed.ask(&["EVAL", "return redis.call('SET', KEYS[1], 4)", "1", &keys[1]]);
        for line in ["SWAPDB 1 2", "EXEC"] {
            bed.line(line);
        }
        let (mut one, mut as_many) = (Trial::new(1), Trial::new(shards));
        bed.files.play_into_one(&mut one);
        bed.files.play_into(&mut as_many, &mut Random::from_seed(7));
        for mut fresh in [one, as_many] {
            let conn = fresh.connect();
            assert_eq!(fresh.ask(conn, &request(&["KEYS", "*"])), request(&[&keys[2]]));
            assert_eq!(fresh.ask(conn, b"SELECT 1\r\nDBSIZE\r\n"), b"+OK\r\n:0\r\n");
            assert_eq!(fresh.ask(conn, &request(&["SELECT", "2"])), b"+OK\r\n");
            assert_eq!(fresh.ask(conn, &request(&["KEYS", "*"])), request(&[&keys[1]]));
        }
        bed.files.check_transactions();
    }
}

/// A clock of which every look takes two milliseconds.
fn slow_clock() -> u64 {
    thread_local! {
        static CLOCK_NS: Cell<u64> = const { Cell::new(0) };
    }
    CLOCK_NS.set(CLOCK_NS.get() + 2_000_000);
    CLOCK_NS.get()
}

#[test]
fn what_is_over_when_it_goes_home_is_deleted() {
    let mut bed = Bed::new(2);
    bed.line("CONFIG SET busy-reply-threshold 1");
    bed.trial.shards.iter_mut().for_each(|shard| shard.cx.platform.clock_ns = slow_clock);
    let (here, there) = (bed.trial.key_on(0, "here"), bed.trial.key_on(1, "there"));
    let code =
        "redis.call('SET', KEYS[1], 1) redis.call('SET', KEYS[2], 1, 'PX', 5) for n = 1, 5000000 do end";
    bed.trial.send(bed.conn, &request(&["EVAL", code, "2", &here, &there]));
    bed.trial.deliver_all();
    bed.trial.set_time(10_000_000);
    bed.trial.settle();
    bed.files.write(&mut bed.trial.journal);
    assert_eq!(bed.blocks(1), [format!("1: SET {there} 1 PXAT 5"), format!("1: DEL {there}")]);
}

/// What a claim was about is over when the client is to be served.
#[test]
fn what_is_over_when_it_is_to_be_served_is_deleted() {
    let mut bed = Bed::new(2);
    let (here, there) = (bed.trial.key_on(0, "here"), bed.trial.key_on(1, "there"));
    let pusher = bed.trial.connect_to(1, 2);
    bed.trial.send(bed.conn, &request(&["BLPOP", &here, &there, "0"]));
    bed.trial.settle();
    let push = [&["MULTI"][..], &["RPUSH", &there, "x"], &["PEXPIREAT", &there, "5"], &["EXEC"]];
    bed.trial.send_to(1, pusher, &push.map(request).concat());
    bed.trial.set_time(10_000);
    bed.trial.settle();
    bed.files.write(&mut bed.trial.journal);
    assert_eq!(bed.files.told(1).last().map(String::as_str), Some(format!("0 DEL {there}").as_str()));
}

#[test]
fn only_what_has_changed_is_written() {
    let mut bed = Bed::new(2);
    let (a, b) = (bed.trial.key_on(0, "a"), bed.trial.key_on(1, "b"));
    bed.ask(&["SADD", &a, "x"]);
    bed.ask(&["SUNIONSTORE", &b, &a]);
    bed.ask(&["SUNIONSTORE", &b, &b, &a]);
    assert_eq!(bed.files.told(0), [format!("0 SADD {a} x")]);
    assert_eq!(bed.files.told(1).len(), 2);
}

#[test]
fn who_waits_for_a_group_is_a_consumer() {
    let mut bed = Bed::new(1);
    bed.line("XGROUP CREATE x g $ MKSTREAM");
    bed.trial
        .send(bed.conn, &request(&"XREADGROUP GROUP g c BLOCK 0 STREAMS x >".split(' ').collect::<Vec<_>>()));
    bed.trial.settle();
    bed.files.write(&mut bed.trial.journal);
    assert_eq!(bed.files.told(0)[1..], ["0 XGROUP CREATECONSUMER x g c"]);
}

/// What has come to a database before that was flushed is gone, though it is another command that brought it there.
#[test]
fn what_was_moved_into_a_flushed_database_is_gone() {
    let mut bed = Bed::new(2);
    let (a, b) = (bed.trial.key_on(0, "a"), bed.trial.key_on(1, "b"));
    bed.ask(&["MSET", &a, "1", &b, "1"]);
    for words in
        [&["MULTI"][..], &["MOVE", &a, "1"], &["SELECT", "1"], &["FLUSHDB"], &["SET", &b, "2"], &["EXEC"]]
    {
        bed.ask(words);
    }
    let mut fresh = Trial::new(1);
    bed.files.play_into_one(&mut fresh);
    let conn = fresh.connect();
    assert_eq!(fresh.ask(conn, &request(&["KEYS", "*"])), request(&[&b]));
    fresh.ask(conn, b"SELECT 1\r\n");
    assert_eq!(fresh.ask(conn, &request(&["KEYS", "*"])), request(&[&b]));
}

#[test]
fn what_is_evicted_for_a_script_in_a_transaction_is_deleted() {
    let mut bed = Bed::new(1);
    let value = "v".repeat(200);
    for n in 0..1000 {
        bed.ask(&["SET", &format!("key {n}"), &value]);
    }
    bed.line("CONFIG SET maxmemory 100kb maxmemory-policy allkeys-random");
    for words in [&["MULTI"][..], &["EVAL", "return 1", "0"], &["EXEC"]] {
        bed.ask(words);
    }
    let mut fresh = Trial::new(1);
    bed.files.play_into_one(&mut fresh);
    let (size, conn) = (bed.line("DBSIZE"), fresh.connect());
    assert_ne!(size, ":1000\\r\\n");
    assert_eq!(fresh.ask(conn, b"DBSIZE\r\n").escape_ascii().to_string(), size);
}

/// A script that only counts, in a transaction that goes on afterwards.
const COUNT: [&str; 3] = ["EVAL", "for n = 1, 3000000 do end", "0"];

#[test]
fn what_others_write_behind_a_flush_stays() {
    let mut bed = Bed::new(1);
    bed.trial.shards[0].cx.platform.clock_ns = slow_clock;
    let other = bed.trial.connect_to(0, 2);
    let block = [&["MULTI"][..], &["SET", "a", "1"], &["FLUSHALL"], &COUNT, &["SET", "b", "1"], &["EXEC"]];
    bed.trial.send(bed.conn, &block.map(request).concat());
    bed.trial.deliver_all();
    bed.trial.send(other, &request(&["SET", "c", "1"]));
    assert_eq!(bed.trial.take_replies(other), b"+OK\r\n");
    assert!(!bed.trial.take_replies(bed.conn).ends_with(b"+OK\r\n"));
    bed.trial.settle();
    bed.files.write(&mut bed.trial.journal);
    let mut fresh = Trial::new(1);
    bed.files.play_into_one(&mut fresh);
    let conn = fresh.connect();
    assert_eq!(fresh.ask(conn, &request(&["EXISTS", "a", "b", "c"])), b":2\r\n");
}

#[test]
fn nothing_expires_by_itself_where_an_operation_is_alone() {
    let mut bed = Bed::new(2);
    bed.trial.shards.iter_mut().for_each(|shard| shard.cx.platform.clock_ns = slow_clock);
    let key = bed.trial.key_on(1, "k");
    let block = [&["MULTI"][..], &["SET", &key, "1", "PX", "5"], &["DBSIZE"], &COUNT, &COUNT, &["EXEC"]];
    bed.trial.send(bed.conn, &block.map(request).concat());
    while !bed.trial.shards[1].cx.is_left_alone {
        assert!(bed.trial.deliver() || bed.trial.go_on(), "it comes to that");
    }
    bed.trial.deliver_all();
    bed.trial.set_time(10_000);
    command::sweep::sweep(&mut bed.trial.shards[1].cx);
    bed.trial.settle();
    command::sweep::sweep(&mut bed.trial.shards[1].cx);
    bed.trial.publish(1);
    bed.files.write(&mut bed.trial.journal);
    assert_eq!(bed.blocks(1), [format!("SET {key} 1 PXAT 5"), format!("DEL {key}")]);
}
