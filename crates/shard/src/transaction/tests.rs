//! Transactions on one and several shards, and what they leave behind.

use crate::trial::{Trial, request};

fn pipeline(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| request(&line.split(' ').collect::<Vec<_>>())).collect()
}

fn ask(trial: &mut Trial, conn: usize, lines: &[&str]) -> String {
    String::from_utf8(trial.ask(conn, &pipeline(lines))).expect("text")
}

fn assert_nothing_is_watched(trial: &Trial) {
    assert!(trial.shards.iter().all(|shard| shard.cx.watches.is_empty() && shard.watchers.is_empty()));
}

#[test]
fn a_block_for_one_other_shard_is_one_item() {
    let mut trial = Trial::new(3);
    let conn = trial.connect();
    let (a, b) = (trial.key_on(2, "a"), trial.key_on(2, "b"));
    let lines = ["MULTI", &format!("SET {a} 1"), &format!("MSET {a} 2 {b} 3"), &format!("INCR {b}"), "EXEC"];
    trial.send(conn, &pipeline(&lines));
    assert_eq!(trial.mail.batches().map(|batch| batch.items.len()).collect::<Vec<_>>(), [1]);
    trial.settle();
    let replies = String::from_utf8(trial.take_replies(conn)).expect("text");
    assert_eq!(replies, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n+OK\r\n:4\r\n");
}

#[test]
fn what_follows_a_block_that_chooses_a_database_waits_for_it() {
    let mut trial = Trial::new(3);
    let conn = trial.connect();
    let (here, there) = (trial.key_on(0, "here"), trial.key_on(1, "there"));
    let set = |value: &str| format!("MSET {here} {value} {there} {value}");
    let get = format!("GET {there}");
    let lines = [&set("0"), "MULTI", "SELECT 3", &set("3"), "EXEC", &get, "MULTI", "SELECT 0", "EXEC", &get];
    let replies = ask(&mut trial, conn, &lines);
    let block = "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n$1\r\n3\r\n";
    assert_eq!(replies, format!("+OK\r\n{block}+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n$1\r\n0\r\n"));
}

/// All of it runs, but the client reads nothing behind the answer that says so, and asks for nothing more.
#[test]
fn who_kills_itself_reads_no_further() {
    for shards in [1, 3] {
        for (kill, answer) in [
            ("CLIENT KILL ID 7 SKIPME no", ":1\r\n"),
            ("CLIENT KILL USER default SKIPME no", ":1\r\n"),
            ("CLIENT KILL 127.0.0.1:7", "+OK\r\n"),
        ] {
            let mut trial = Trial::new(shards);
            let conn = trial.connect_to(0, 7);
            trial.shards[0].cx.sessions.get_mut(conn).expect("it is there").addr = "127.0.0.1:7".into();
            let key = trial.key_on(shards - 1, "k");
            let (set, again, read) = (format!("SET {key} 1"), format!("INCR {key}"), format!("GET {key}"));
            let eval = format!("EVAL return{{redis.call('INCR',KEYS[1])}} 1 {key}");
            let late = format!("SET {key} late");
            let lines = ["MULTI", &set, kill, kill, &eval, &again, &read, "EXEC", &late];
            let replies = ask(&mut trial, conn, &lines);
            let queued = "+QUEUED\r\n".repeat(6);
            assert_eq!(replies, format!("+OK\r\n{queued}*6\r\n+OK\r\n{answer}"), "{shards} shards, {kill}");
            assert!(trial.shards[0].conn(conn).closing);
            let other = trial.connect();
            assert_eq!(ask(&mut trial, other, &[&read]), "$1\r\n3\r\n", "{shards} shards");
        }
    }
}

/// A script in it may take its time, on a single shard, too.
#[test]
fn what_follows_a_block_with_a_script_sees_what_it_has_done() {
    for shards in [1, 2] {
        let mut trial = Trial::new(shards);
        let conn = trial.connect();
        let block = [request(&["MULTI"]), request(&["EVAL", "return redis.call('INCR', 'n')", "0"])].concat();
        for (at, round) in [1, 3].into_iter().enumerate() {
            let rest = pipeline(&["EXEC", "GET n", "INCR n"]);
            let all = [&block[..], &rest].concat();
            // In one piece, and in two.
            let (first, second) = all.split_at(at * block.len());
            trial.send(conn, first);
            trial.send(conn, second);
            trial.settle();
            let replies = String::from_utf8(trial.take_replies(conn)).expect("text");
            let expected = format!("*1\r\n:{round}\r\n$1\r\n{round}\r\n:{}\r\n", round + 1);
            assert_eq!(replies, format!("+OK\r\n+QUEUED\r\n{expected}"), "{shards} shards");
        }
    }
}

#[test]
fn a_change_on_any_shard_keeps_the_block_from_running() {
    for changed in 0..3 {
        let mut trial = Trial::new(4);
        let (conn, other) = (trial.connect(), trial.connect());
        let keys: Vec<_> = (0..4).map(|shard| trial.key_on(shard, "k")).collect();
        let watch = format!("WATCH {} {} {}", keys[0], keys[1], keys[2]);
        assert_eq!(ask(&mut trial, conn, &[&watch]), "+OK\r\n");
        // By a block over several shards, too: its changes are told where the keys live.
        let change = format!("MSET {} 1 {} 1", keys[changed], keys[3]);
        ask(&mut trial, other, &["MULTI", "PING", &change, "EXEC"]);
        let set = format!("SET {} 2", keys[3]);
        let replies = ask(&mut trial, conn, &["MULTI", &set, "EXEC", "MULTI", "PING", "EXEC"]);
        assert_eq!(replies, "+OK\r\n+QUEUED\r\n*-1\r\n+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n");
        assert_nothing_is_watched(&trial);
    }
}

#[test]
fn nothing_stays_watched() {
    let mut trial = Trial::new(4);
    let keys: Vec<_> = (0..4).map(|shard| trial.key_on(shard, "k")).collect();
    let watch = format!("WATCH {} {} {} {}", keys[0], keys[1], keys[2], keys[3]);
    let set = format!("SET {} 1", keys[1]);
    let ends: [&[&str]; 7] = [
        &["UNWATCH"],
        &["MULTI", "DISCARD"],
        &["MULTI", "EXEC"],
        &["MULTI", &set, "EXEC"],
        &["MULTI", "NOSUCH", "EXEC"],
        &["RESET"],
        &["UNWATCH", &watch, "SELECT 1", &watch, "MULTI", "PING", "EXEC"],
    ];
    for end in ends {
        let conn = trial.connect();
        // All in one pipeline, and step by step.
        ask(&mut trial, conn, &[&[watch.as_str()], end].concat());
        assert_nothing_is_watched(&trial);
        ask(&mut trial, conn, &[&watch]);
        assert!(trial.shards.iter().all(|shard| !shard.cx.watches.is_empty()));
        assert!(!trial.shards[0].conn(conn).is_quiet(), "it would move away from what it watches");
        ask(&mut trial, conn, end);
        assert_nothing_is_watched(&trial);
        assert!(trial.shards[0].conn(conn).is_quiet());
    }
}

#[test]
fn connections_that_close_leave_nothing_watched() {
    for delivered in 0..20 {
        let mut trial = Trial::new(4);
        let (conn, other) = (trial.connect(), trial.connect());
        let keys: Vec<_> = (0..4).map(|shard| trial.key_on(shard, "k")).collect();
        let watch = format!("WATCH {} {} {} {}", keys[0], keys[1], keys[2], keys[3]);
        let rename = format!("RENAME {} {}", keys[1], keys[0]);
        // The registrations wait for keys that another client moves.
        trial.send(other, &pipeline(&[&rename]));
        trial.send(conn, &pipeline(&[&watch, "MULTI", &format!("INCR {}", keys[2]), "EXEC", &watch]));
        (0..delivered).for_each(|_| _ = trial.deliver());
        trial.shards[0].close(conn);
        trial.publish(0);
        trial.settle();
        assert_nothing_is_watched(&trial);
    }
}

/// Blocks that run in one piece and step by step, of clients that go at any time.
#[test]
fn blocks_of_clients_that_have_gone_come_to_an_end() {
    for all in ["PING", "DBSIZE"] {
        for delivered in 0..40 {
            let mut trial = Trial::new(4);
            let (conn, other) = (trial.connect(), trial.connect());
            let keys: Vec<_> = (0..4).map(|shard| trial.key_on(shard, "k")).collect();
            let set = |key: &String| format!("SET {key} 1");
            let lines = [
                "MULTI",
                &set(&keys[0]),
                &set(&keys[1]),
                "SELECT 2",
                all,
                "CLIENT INFO",
                &set(&keys[2]),
                "HELLO 3",
                "EXEC",
            ];
            trial.send(conn, &pipeline(&lines));
            (0..delivered).for_each(|_| _ = trial.deliver());
            trial.shards[0].close(conn);
            trial.publish(0);
            trial.settle();
            let mget = format!("MGET {} {}", keys[0], keys[1]);
            assert_eq!(ask(&mut trial, other, &[&mget, "DBSIZE"]), "*2\r\n$1\r\n1\r\n$1\r\n1\r\n:2\r\n");
        }
    }
}

/// A key that is over when another operation asks for it goes then, which its watchers must learn.
#[test]
fn a_key_that_is_over_when_it_is_lent_has_changed() {
    let mut trial = Trial::new(2);
    let (conn, other) = (trial.connect(), trial.connect());
    let (here, there) = (trial.key_on(0, "here"), trial.key_on(1, "there"));
    ask(&mut trial, conn, &[&format!("SET {there} 1 PX 100"), &format!("WATCH {there}")]);
    trial.shards.iter_mut().for_each(|shard| shard.set_time(200, 200_000));
    let rename = format!("RENAME {there} {here}");
    assert_eq!(ask(&mut trial, other, &[&rename]), "-ERR no such key\r\n");
    assert_eq!(ask(&mut trial, conn, &["MULTI", "PING", "EXEC"]), "+OK\r\n+QUEUED\r\n*-1\r\n");
}

#[test]
fn what_is_queued_is_counted_and_forgotten() {
    let mut trial = Trial::new(1);
    let conn = trial.connect();
    let long = "v".repeat(100_000);
    ask(&mut trial, conn, &["WATCH k", "MULTI", &format!("SET k {long}")]);
    let figures = trial.shards[0].conn(conn).transaction.as_ref().expect("MULTI has come").figures();
    assert_eq!((figures.queued, figures.watched, figures.is_touched), (1, 1, false));
    assert!((100_000..101_000).contains(&figures.queued_bytes));
    assert_eq!(trial.shards[0].conn(conn).queued_bytes(), figures.queued_bytes);
    ask(&mut trial, conn, &["EXEC"]);
    assert_eq!(trial.shards[0].conn(conn).queued_bytes(), 0);
    assert!(trial.shards[0].spare_transactions.iter().all(|spare| spare.bytes() == 0));
}
