//! Scripts that take too long, step by step: a clock goes on whenever it is read, and each turn lets a script run for a moment.

use crate::trial::{Trial, request};
use command::session::Session;
use std::cell::Cell;

thread_local! {
    static CLOCK_NS: Cell<u64> = const { Cell::new(0) };
}

/// Every look at it takes two milliseconds.
fn clock_ns() -> u64 {
    CLOCK_NS.set(CLOCK_NS.get() + 2_000_000);
    CLOCK_NS.get()
}

/// Shards on which a script has run for too long at once.
fn trial(shards: u16) -> Trial {
    let mut trial = Trial::new(shards);
    let conn = trial.connect();
    for setting in
        [["busy-reply-threshold", "1"], ["slowlog-log-slower-than", "0"], ["latency-monitor-threshold", "1"]]
    {
        let words = [&["CONFIG", "SET"], &setting[..]].concat();
        assert_eq!(trial.ask(conn, &request(&words)), b"+OK\r\n");
    }
    trial.close(0, conn);
    trial.shards.iter_mut().for_each(|shard| shard.cx.platform.clock_ns = clock_ns);
    trial
}

/// Sets a key once it has counted far; all its keys are declared.
const SLOW: &str = "for i = 1, tonumber(ARGV[1]) do end return redis.call('SET', KEYS[1], 'done')";
const FAR: &str = "5000000";

fn slow(key: &str) -> Vec<u8> {
    request(&["EVAL", SLOW, "1", key, FAR])
}

/// The script has run before: it is known to use declared keys only, and what stands behind it is sent on.
fn know(trial: &mut Trial, key: &str) {
    let conn = trial.connect();
    trial.ask(conn, &request(&["EVAL", SLOW, "1", key, "0"]));
    trial.close(0, conn);
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text").replace("\r\n", " ")
}

const BUSY: &str = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE. ";

/// Who has seen one half of an MSET tells the client of the script, which must see the other.
#[test]
fn what_has_come_meanwhile_is_done_before_what_the_client_has_waited_with() {
    let mut trial = trial(2);
    let (here, there) = (trial.key_on(0, "here"), trial.key_on(1, "there"));
    let (runner, writer, reader) = (trial.connect(), trial.connect_to(1, 2), trial.connect_to(1, 3));
    let other = trial.key_on(0, "other");
    know(&mut trial, &other);
    // It has been sent when nobody knew of the script.
    trial.send_to(1, writer, &request(&["MSET", &here, "new", &there, "new"]));
    trial.send(runner, &slow(&other));
    trial.deliver_all();
    assert!(trial.shards[0].busy.is_some());
    trial.send_to(1, reader, &request(&["GET", &there]));
    assert_eq!(text(trial.take_replies_of(1, reader)), "$3 new ");
    trial.send(runner, &request(&["GET", &here]));
    trial.settle();
    assert_eq!(text(trial.take_replies(runner)), "+OK $3 new ");
    assert_eq!(text(trial.take_replies_of(1, writer)), "+OK ");
}

/// It is tried in one piece, takes too long, and then turns out to need a key of another shard.
#[test]
fn what_a_script_has_published_before_it_is_taken_back_comes_once() {
    const SCRIPT: &str = "redis.call('PUBLISH', 'c', 'before') for i = 1, tonumber(ARGV[1]) do end \
                          local far = redis.call('GET', ARGV[2]) redis.call('PUBLISH', 'c', 'after') return far";
    let message = |text: &str| format!("*3 $7 message $1 c ${} {text} ", text.len());
    for leaves in [0, 1, 2] {
        let mut trial = trial(2);
        let (runner, listener, other) = (trial.connect(), trial.connect_to(0, 2), trial.connect_to(0, 3));
        let elsewhere = trial.connect_to(1, 4);
        let (far, near) = (trial.key_on(1, "far"), trial.key_on(0, "near"));
        for (shard, conn) in [(0, listener), (0, other), (1, elsewhere)] {
            trial.send_to(shard, conn, &request(&["SUBSCRIBE", "c"]));
            trial.settle();
            assert_eq!(text(trial.take_replies_of(shard, conn)), "*3 $9 subscribe $1 c :1 ");
        }
        // What stands before it in the same turn is published, too.
        let requests =
            [request(&["PUBLISH", "c", "early"]), request(&["EVAL", SCRIPT, "1", &near, FAR, &far])].concat();
        trial.send(runner, &requests);
        assert!(trial.shards[0].busy.is_some());
        match leaves {
            0 => {}
            1 => trial.send(other, &request(&["RESET"])),
            _ => trial.close(0, other),
        }
        trial.settle();
        assert_eq!(text(trial.take_replies(runner)), ":3 $-1 ");
        let all = ["early", "before", "after"].map(message).concat();
        assert_eq!(text(trial.take_replies(listener)), all, "{leaves}");
        assert_eq!(text(trial.take_replies_of(1, elsewhere)), all, "{leaves}");
        if leaves == 0 {
            assert_eq!(text(trial.take_replies(other)), all);
        } else if leaves == 1 {
            let replies = text(trial.take_replies(other));
            assert!(replies.contains("+RESET ") && !replies.contains("after"), "{replies}");
        }
    }
}

/// Where nothing is left of what it has published, nobody waits for anything.
#[test]
fn what_is_taken_back_of_a_script_was_for_nobody() {
    const SCRIPT: &str = "if redis.call('GET', KEYS[1]) == 'quiet' then return 1 end redis.call('PUBLISH', 'c', 'x') \
                          for i = 1, tonumber(ARGV[1]) do end return redis.call('GET', ARGV[2])";
    let mut trial = trial(2);
    let (runner, listener, other) = (trial.connect(), trial.connect_to(0, 2), trial.connect_to(0, 3));
    let (far, near) = (trial.key_on(1, "far"), trial.key_on(0, "near"));
    for conn in [listener, other] {
        trial.ask(conn, &request(&["SUBSCRIBE", "c"]));
    }
    trial.send(runner, &request(&["EVAL", SCRIPT, "1", &near, FAR, &far]));
    assert!(trial.shards[0].busy.is_some());
    // It waits for the script's end, and stands before its second run.
    let writer = trial.connect_to(1, 5);
    trial.send_to(1, writer, &request(&["MSET", &near, "quiet", &far, "x"]));
    trial.send(other, &request(&["RESET"]));
    trial.settle();
    let (reply, heard) = (text(trial.take_replies(runner)), text(trial.take_replies(listener)));
    match reply.as_str() {
        ":1 " => assert_eq!(heard, ""),
        _ => assert_eq!((reply.as_str(), heard.as_str()), ("$-1 ", "*3 $7 message $1 c $1 x ")),
    }
}

/// It waits for its own script; others are refused.
#[test]
fn what_a_client_sends_behind_its_script_waits_wherever_that_runs() {
    for there in 0..2 {
        let mut trial = trial(2);
        let (runner, other) = (trial.connect(), trial.connect_to(0, 2));
        let (key, far) = (trial.key_on(there, "k"), trial.key_on(1 - there, "far"));
        know(&mut trial, &key);
        let behind = [
            slow(&key),
            request(&["GET", &key]),
            request(&["APPEND", &key, "!"]),
            request(&["MGET", &key, &far]),
            request(&["MSET", &key, "set", &far, "set"]),
            request(&["DBSIZE"]),
        ];
        trial.send(runner, &behind.concat());
        trial.deliver_all();
        assert!(trial.shards[there as usize].busy.is_some());
        trial.send(runner, &request(&["MGET", &key, &far]));
        trial.send(runner, &request(&["SORT", &key, "BY", "nosort", "GET", &far]));
        trial.send(runner, &request(&["PING"]));
        trial.send(other, &request(&["GET", &key]));
        trial.send(other, &request(&["APPEND", &key, "?"]));
        trial.deliver_all();
        assert!(trial.shards[there as usize].busy.is_some());
        assert_eq!(text(trial.take_replies(other)), BUSY.repeat(2), "on shard {there}");
        trial.settle();
        let expected = "+OK $4 done :5 *2 $5 done! $-1 +OK :2 *2 $3 set $3 set ";
        let replies = text(trial.take_replies(runner));
        assert!(replies.starts_with(expected) && replies.ends_with("+PONG "), "on shard {there}: {replies}");
    }
}

/// A command that lets nothing pass is among those that waited: what stands behind it is not forgotten.
#[test]
fn fences_among_what_has_waited_for_a_script_hold_up_and_let_go() {
    for shards in [1, 2] {
        let mut trial = trial(shards);
        let runner = trial.connect();
        let (key, far) = (trial.key_on(0, "k"), trial.key_on(shards - 1, "far"));
        know(&mut trial, &key);
        trial.send(runner, &slow(&key));
        trial.deliver_all();
        assert!(trial.shards[0].busy.is_some());
        let lines = [
            &["GET", &key][..],
            &["RPUSH", &far, "v"],
            &["BLPOP", &far, &key, "0"],
            &["GET", &key],
            &["SORT", "none"],
            &["PING"],
        ];
        trial.send(runner, &lines.map(request).concat());
        trial.settle();
        let expected = format!("+OK $4 done :1 *2 ${} {far} $1 v $4 done *0 +PONG ", far.len());
        assert_eq!(text(trial.take_replies(runner)), expected);
        assert_eq!(trial.ask(runner, b"PING\r\n"), b"+PONG\r\n");
    }
}

/// What its connection has written before makes no difference to a transaction that watches it afterwards.
#[test]
fn a_watch_does_not_overtake_a_write_of_its_connection() {
    let mut trial = trial(2);
    let (here, there) = (trial.key_on(0, "here"), trial.key_on(1, "there"));
    let (runner, watcher) = (trial.connect(), trial.connect_to(1, 2));
    trial.send_to(1, watcher, &request(&["MSET", &here, "1", &there, "1"]));
    trial.send(runner, &slow(&trial.key_on(0, "other")));
    trial.deliver_all();
    assert!(trial.shards[0].busy.is_some());
    trial.send_to(1, watcher, &request(&["WATCH", &here]));
    trial.settle();
    for line in [&["MULTI"][..], &["INCR", &here], &["EXEC"]] {
        trial.send_to(1, watcher, &request(line));
        trial.settle();
    }
    assert_eq!(text(trial.take_replies_of(1, watcher)), "+OK +OK +OK +QUEUED *1 :2 ");
}

/// Of a script, and of those inside it.
#[test]
fn the_books_are_kept_of_scripts_that_took_long() {
    for (first, second) in [(0, 0), (1, 1), (0, 1)] {
        let mut trial = trial(2);
        let runner = trial.connect();
        let (first, second) = (trial.key_on(first, "a"), trial.key_on(second, "b"));
        trial.send(runner, &request(&["EVAL", SLOW, "2", &first, &second, FAR]));
        trial.settle();
        let words = request(&["EVAL", &SLOW.replace("[1]", "[#ARGV]"), "2", &first, &second, FAR]);
        trial.send(runner, &words);
        trial.settle();
        assert_eq!(text(trial.take_replies(runner)), "+OK +OK ");
        let id = command::lookup(b"EVAL").expect("a command").id;
        let rows = trial.shards.iter().map(|shard| shard.cx.commands.row(id));
        let (calls, nanos) = rows.fold((0, 0), |(calls, nanos), row| (calls + row.calls, nanos + row.nanos));
        assert!(calls == 2 && nanos > 200_000_000, "{calls} calls, {nanos} ns");
        let log = trial.shards[0].cx.slow_log.iter().filter(|entry| entry.args[0] == b"EVAL");
        let micros: Vec<_> = log.map(|entry| entry.micros).collect();
        assert!(micros.len() == 2 && micros.iter().all(|micros| *micros > 100_000), "{micros:?}");
        let events = trial.shards.iter().flat_map(|shard| shard.cx.latency.iter());
        assert!(events.map(|(event, _)| event).any(|event| event == "command"));
    }
}

/// Another one may have got its number.
#[test]
fn a_client_that_has_gone_is_not_named() {
    let mut trial = trial(1);
    let runner = trial.connect();
    trial.send(runner, &slow("k"));
    trial.deliver_all();
    assert!(trial.shards[0].busy.is_some());
    trial.close(0, runner);
    let session = Session { authenticated: true, addr: "other:1".to_owned(), ..Session::default() };
    let other = trial.shards[0].open(session);
    assert_eq!(other, runner);
    trial.settle();
    assert_eq!(text(trial.ask(other, &request(&["GET", "k"]))), "$4 done ");
    let log = trial.shards[0]
        .cx
        .slow_log
        .iter()
        .filter(|entry| [&b"EVAL"[..], b"SET"].contains(&&entry.args[0][..]));
    let addrs: Vec<_> = log.map(|entry| entry.addr.as_str()).collect();
    assert_eq!(addrs, ["?:0", "?:0"]);
}

/// As if it had come to its end when it began.
#[test]
fn time_stands_still_while_a_script_runs() {
    let mut trial = trial(2);
    let conn = trial.connect();
    let (here, there) = (trial.key_on(0, "here"), trial.key_on(1, "there"));
    let code = |middle: &str| {
        format!("redis.call('SET', KEYS[1], 'v', 'PX', 50) {middle} return redis.call('PTTL', KEYS[1])")
    };
    trial.send(conn, &request(&["EVAL", &code("for i = 1, 5000000 do end"), "1", &here]));
    trial.deliver_all();
    assert!(trial.shards[0].busy.is_some());
    trial.set_time(1_000_000);
    trial.settle();
    assert_eq!(text(trial.take_replies(conn)), ":50 ");
    assert_eq!(trial.ask(conn, &request(&["EXISTS", &here])), b":0\r\n");
    // The same for one that waits for a key.
    let eval = request(&["EVAL", &code(&format!("redis.call('GET', '{there}')")), "1", &here]);
    trial.send(conn, &[request(&["MULTI"]), eval, request(&["EXEC"])].concat());
    let mut now_us = 1_000_000;
    while trial.deliver() {
        now_us += 100_000;
        trial.set_time(now_us);
    }
    trial.settle();
    assert_eq!(text(trial.take_replies(conn)), "+OK +QUEUED *1 :50 ");
    assert_eq!(trial.ask(conn, &request(&["EXISTS", &here])), b":0\r\n");
}
