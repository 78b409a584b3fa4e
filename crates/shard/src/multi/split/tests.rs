//! Groups of split commands, and what comes back of them.

use super::*;
use crate::trial::{Trial, request};

/// The memory of many operations at once is given back, that of a few is kept.
#[test]
fn slots_serve_again_and_do_not_pile_up() {
    let mut trial = Trial::new(3);
    let conn = trial.connect();
    let keys = [trial.key_on(0, "a"), trial.key_on(1, "b"), trial.key_on(2, "c")];
    let [a, b, c] = keys.each_ref().map(String::as_str);
    trial.ask(conn, &request(&["MSET", a, "1", b, "2", c, "3"]));
    for count in [1, SPARES_MAX, 5 * SPARES_MAX, 10] {
        trial.send(conn, &request(&["MGET", c, a, "none", b, a]).repeat(count));
        assert!(!trial.shards[0].splits.is_empty());
        trial.settle();
        let reply = b"*5\r\n$1\r\n3\r\n$1\r\n1\r\n$-1\r\n$1\r\n2\r\n$1\r\n1\r\n";
        assert!(trial.take_replies(conn) == reply.repeat(count));
        let splits = &trial.shards[0].splits;
        assert!(splits.is_empty() && splits.groups.len() <= SPARES_MAX);
        assert_eq!(splits.free.len(), splits.groups.len());
        let is_clear = |group: &Group| group.shares.is_empty() && group.batches.is_empty();
        assert!(splits.groups.iter().all(is_clear));
        let room = splits.groups.iter().map(|group| group.shares.capacity());
        assert!(room.max() <= Some(SPARE_COMMANDS_MAX));
    }
    assert_eq!(trial.ask(conn, &request(&["EXISTS", a, a, c, "none"])), b":3\r\n");
}

/// Keys that stand by themselves travel so, too.
#[test]
fn large_keys_among_small_ones() {
    let mut trial = Trial::new(2);
    let conn = trial.connect();
    let large = "k".repeat(40_000);
    let keys = [0, 1].map(|shard| trial.key_on(shard, &large));
    let (here, there) = (trial.key_on(0, "here"), trial.key_on(1, "there"));
    let [large_here, large_there] = keys.each_ref().map(String::as_str);
    let pairs = ["MSET", large_there, "1", &here, "2", &there, "3", large_here, "4"];
    assert_eq!(trial.ask(conn, &request(&pairs)), b"+OK\r\n");
    let expected = b"*5\r\n$1\r\n3\r\n$1\r\n1\r\n$1\r\n4\r\n$1\r\n2\r\n$1\r\n1\r\n";
    let words = ["MGET", &there, large_there, large_here, &here, large_there];
    assert_eq!(trial.ask(conn, &request(&words)), expected);
    assert_eq!(trial.ask(conn, &request(&["EXISTS", large_there, &there, large_here])), b":3\r\n");
}

/// Values sent from where they lie, beside others and alone.
#[test]
fn large_values_among_small_ones() {
    let mut trial = Trial::new(2);
    let conn = trial.connect();
    let (here, there) = (trial.key_on(0, "here"), trial.key_on(1, "there"));
    let large = "x".repeat(100_000);
    trial.ask(conn, &request(&["SET", &here, "small"]));
    trial.ask(conn, &request(&["SET", &there, &large]));
    let bulk = format!("$100000\r\n{large}\r\n");
    let expected = format!("*5\r\n{bulk}$5\r\nsmall\r\n{bulk}$-1\r\n$5\r\nsmall\r\n");
    let reply = trial.ask(conn, &request(&["MGET", &there, &here, &there, "none", &here]));
    assert!(reply == expected.as_bytes());
}

/// The slow log shows all arguments, those of the shares in the order of the keys.
#[test]
fn slow_commands_are_told_with_all_arguments() {
    let mut trial = Trial::new(3);
    let conn = trial.connect();
    trial.ask(conn, &request(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]));
    let keys = [trial.key_on(2, "a"), trial.key_on(0, "b"), trial.key_on(2, "c"), trial.key_on(1, "d")];
    let [a, b, c, d] = keys.each_ref().map(String::as_str);
    let large = "x".repeat(40_000);
    for words in [
        &["mset", a, "1", b, "2", c, "3", d, "4"][..],
        &["MGET", d, c, b, a, c],
        &["mset", b, &large, a, "5"],
        &["exists", a, b],
    ] {
        trial.ask(conn, &request(words));
        let log = trial.ask(conn, &request(&["SLOWLOG", "GET", "20"]));
        let log = String::from_utf8(log).expect("text");
        let shown = words.iter().map(|word| match word.len() {
            len if len > 128 => format!("{}... ({} more bytes)", &word[..128], len - 128),
            _ => (*word).to_owned(),
        });
        let shown: Vec<_> = shown.collect();
        let shown: Vec<_> = shown.iter().map(String::as_str).collect();
        let args = String::from_utf8(request(&shown)).expect("text");
        assert!(log.contains(&args), "{args} in {log}");
    }
}

/// Commands that wait for a lock keep nothing but their own batches, and those of the same turn go on.
#[test]
fn a_command_that_waits_holds_up_no_other() {
    let mut trial = Trial::new(3);
    let (conn, other) = (trial.connect(), trial.connect());
    let keys = [trial.key_on(0, "a"), trial.key_on(1, "b"), trial.key_on(2, "c"), trial.key_on(1, "d")];
    let [a, b, c, d] = keys.each_ref().map(String::as_str);
    // The keys of RENAME are locked on two shards until its second half comes.
    trial.ask(conn, &request(&["MSET", a, "1", b, "2", c, "3", d, "4"]));
    trial.send(other, &request(&["RENAME", b, c]));
    (0..2).for_each(|_| assert!(trial.deliver()));
    let both = [request(&["MGET", a, b]), request(&["MGET", a, d])].concat();
    trial.send(conn, &both);
    trial.settle();
    assert_eq!(trial.take_replies(conn), b"*2\r\n$1\r\n1\r\n$-1\r\n*2\r\n$1\r\n1\r\n$1\r\n4\r\n");
    assert_eq!(trial.take_replies(other), b"+OK\r\n");
}
