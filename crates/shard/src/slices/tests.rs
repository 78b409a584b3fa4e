//! Commands of one key that take many turns: searches in a vector set that looks at each of its elements.

use crate::trial::{Trial, request};
use base::random::Random;

const ELEMENTS: usize = 5000;

/// A vector set on a shard; its key.
fn fill(trial: &mut Trial, conn: usize, shard: u16) -> String {
    let (key, mut random) = (trial.key_on(shard, "set"), Random::from_seed(3));
    for number in 0..ELEMENTS {
        let [x, y] = [(); 2].map(|()| (random.below(2000) as i64 - 1000).to_string());
        let element = format!("e{number}");
        let words = ["VADD", &key, "VALUES", "2", &x, &y, &element, "NOQUANT", "EF", "10"];
        assert_eq!(trial.ask(conn, &request(&words)), b":1\r\n");
    }
    key
}

fn looking(key: &str) -> Vec<u8> {
    request(&["VSIM", key, "ELE", "e7", "TRUTH", "COUNT", "5", "WITHSCORES"])
}

/// What the search finds at once, in a transaction.
fn found(trial: &mut Trial, conn: usize, key: &str) -> Vec<u8> {
    let words = [request(&["MULTI"]), looking(key), request(&["EXEC"])].concat();
    let reply = trial.ask(conn, &words);
    reply.strip_prefix(b"+OK\r\n+QUEUED\r\n*1\r\n").expect("it has run").to_vec()
}

#[test]
fn others_are_served_and_who_writes_waits() {
    for shards in [1, 3] {
        for shard in 0..shards {
            let mut trial = Trial::new(shards);
            let [conn, reader, writer] = [(); 3].map(|()| trial.connect());
            let key = fill(&mut trial, conn, shard);
            let expected = found(&mut trial, conn, &key);
            assert!(expected.starts_with(b"*10\r\n$2\r\ne7\r\n"), "{}", expected.escape_ascii());
            trial.send(conn, &looking(&key));
            trial.deliver_all();
            trial.send(writer, &request(&["VREM", &key, "e7"]));
            trial.deliver_all();
            let other = trial.key_on(shard, "other");
            trial.send(reader, &request(&["APPEND", &other, "x"]));
            trial.deliver_all();
            assert_eq!(trial.take_replies(reader), b":1\r\n", "{shards} shards");
            assert!(trial.take_replies(conn).is_empty() && trial.take_replies(writer).is_empty());
            trial.settle();
            assert_eq!(trial.take_replies(conn), expected, "{shards} shards");
            assert_eq!(trial.take_replies(writer), b":1\r\n");
            assert_eq!(trial.ask(conn, &looking(&key)), b"-ERR element not found in set\r\n");
        }
    }
}

#[test]
fn who_reads_does_not_wait() {
    let mut trial = Trial::new(1);
    let [conn, reader] = [(); 2].map(|()| trial.connect());
    let key = fill(&mut trial, conn, 0);
    trial.send(conn, &looking(&key));
    trial.send(reader, &request(&["VCARD", &key]));
    assert_eq!(trial.take_replies(reader), format!(":{ELEMENTS}\r\n").as_bytes());
    assert!(trial.take_replies(conn).is_empty());
    trial.settle();
    assert!(!trial.take_replies(conn).is_empty());
}

/// A pipeline finds what it has written, and no more, in any order in which mail comes.
#[test]
fn a_pipeline_is_answered_in_its_order() {
    for shards in [1, 2] {
        let mut trial = Trial::new(shards);
        let [conn, other, third] = [(); 3].map(|()| trial.connect());
        let key = fill(&mut trial, conn, shards - 1);
        let before = found(&mut trial, third, &key);
        let change = request(&["VADD", &key, "VALUES", "2", "1", "1", "e7", "NOQUANT"]);
        trial.send(conn, &[looking(&key), change.clone(), looking(&key), request(&["PING"])].concat());
        let mut random = Random::from_seed(9);
        for _ in 0..20 {
            trial.send(other, &looking(&key));
            trial.deliver_any(&mut random);
        }
        trial.settle();
        let after = found(&mut trial, third, &key);
        assert_ne!(before, after);
        let expected = [before.clone(), b":0\r\n".to_vec(), after.clone(), b"+PONG\r\n".to_vec()].concat();
        assert_eq!(trial.take_replies(conn), expected, "{shards} shards");
        let others = trial.take_replies(other);
        let count = |what: &[u8]| others.windows(what.len()).filter(|some| *some == what).count();
        assert_eq!(count(&before) + count(&after), 20);
    }
}

#[test]
fn a_set_that_goes_as_a_whole_is_not_waited_for() {
    for shards in [1, 2] {
        let mut trial = Trial::new(shards);
        let [conn, other] = [(); 2].map(|()| trial.connect());
        let key = fill(&mut trial, conn, 0);
        trial.send(conn, &looking(&key));
        trial.deliver_all();
        assert!(trial.take_replies(conn).is_empty());
        trial.send(other, &request(&["FLUSHALL"]));
        trial.deliver_all();
        assert_eq!(trial.take_replies(other), b"+OK\r\n");
        trial.settle();
        assert_eq!(trial.take_replies(conn), b"*0\r\n");
    }
}

#[test]
fn who_has_gone_gets_nothing() {
    for shards in [1, 2] {
        let mut trial = Trial::new(shards);
        let conn = trial.connect();
        let key = fill(&mut trial, conn, shards - 1);
        trial.send(conn, &looking(&key));
        trial.deliver_all();
        trial.close(0, conn);
        let next = trial.connect();
        trial.settle();
        assert_eq!(trial.ask(next, &request(&["VCARD", &key])), format!(":{ELEMENTS}\r\n").as_bytes());
    }
}
