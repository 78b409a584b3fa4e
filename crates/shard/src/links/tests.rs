//! Whose connection is marked while too many vectors are not linked: who adds more, and nobody else. What they send runs as ever.

use crate::conn::Slowing;
use crate::trial::{Trial, request};

/// An HSET with a vector of four f32: sixteen digits are its sixteen bytes.
fn hset(key: &str, number: usize) -> Vec<u8> {
    request(&["HSET", key, "v", &format!("{number:016}")])
}

/// An index with more vectors than may wait, on two shards.
fn behind() -> Trial {
    let mut trial = Trial::new(2);
    let conn = trial.connect();
    let create = ["FT.CREATE", "idx", "PREFIX", "1", "doc:", "SCHEMA", "v", "VECTOR", "HNSW", "6"];
    let create = [&create[..], &["TYPE", "FLOAT32", "DIM", "4", "DISTANCE_METRIC", "L2"]].concat();
    assert_eq!(trial.ask(conn, &request(&create)), b"+OK\r\n");
    for number in 0..300 {
        let key = trial.key_on(0, &format!("doc:{number}:"));
        assert_eq!(trial.ask(conn, &hset(&key, number)), b":1\r\n");
    }
    assert!(trial.shards[0].cx.indexes.are_links_behind());
    trial
}

#[test]
fn who_adds_vectors_is_marked_and_served() {
    let mut trial = behind();
    let [there, elsewhere] = [0, 1].map(|shard| trial.key_on(shard, "doc:"));
    let (other, plain) = (trial.key_on(0, "other:"), trial.key_on(0, "x"));
    let script = "return redis.call('HSET', KEYS[1], 'v', ARGV[1])";
    let adds = [
        (hset(&there, 1000), ":1\r\n", true),
        (hset(&elsewhere, 1001), ":1\r\n", true),
        (hset(&other, 1002), ":1\r\n", false),
        (request(&["SET", &plain, "y"]), "+OK\r\n", false),
        (request(&["GET", &plain]), "$1\r\ny\r\n", false),
        (request(&["HGET", &other, "v"]), "$16\r\n0000000000001002\r\n", false),
        (request(&["EVAL", script, "1", &there, "0123456789abcdef"]), ":0\r\n", true),
        (request(&["EVAL_RO", "return 1", "1", &there]), ":1\r\n", false),
        (request(&["RENAME", &other, &there]), "+OK\r\n", true),
        (request(&["HSET", &there, "other", "1"]), ":1\r\n", false),
        (request(&["HDEL", &there, "other"]), ":1\r\n", false),
        (request(&["EXPIRE", &there, "1000"]), ":1\r\n", false),
        (request(&["DEL", &elsewhere]), ":1\r\n", false),
        (request(&["FT.SEARCH", "idx", "*", "LIMIT", "0", "0"]), "*1\r\n:301\r\n", false),
    ];
    for (bytes, reply, is_marked) in adds {
        let conn = trial.connect();
        let name = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(String::from_utf8(trial.ask(conn, &bytes)).unwrap(), reply, "{name}");
        assert_eq!(trial.shards[0].conn(conn).slowing == Slowing::Marked, is_marked, "{name}");
    }
    let conn = trial.connect();
    let lines = [request(&["SELECT", "1"]), hset(&there, 1), request(&["SELECT", "0"])];
    assert_eq!(trial.ask(conn, &lines.concat()), b"+OK\r\n:1\r\n+OK\r\n");
    assert_eq!(trial.shards[0].conn(conn).slowing, Slowing::No);
    // What is queued will add some; what has begun is not kept from its end.
    let lines = [request(&["MULTI"]), hset(&there, 2), request(&["GET", &plain]), request(&["EXEC"])];
    assert_eq!(trial.ask(conn, &lines.concat()), b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:0\r\n$1\r\ny\r\n");
    assert_eq!(trial.shards[0].conn(conn).slowing, Slowing::Marked);
}

#[test]
fn nobody_is_marked_once_they_are_linked_or_gone() {
    for ends in ["links", "FLUSHALL", "FT.DROPINDEX"] {
        let mut trial = behind();
        match ends {
            "links" => while trial.shards[0].cx.link_for_indexes(false) {},
            "FLUSHALL" => {
                let conn = trial.connect();
                trial.ask(conn, &request(&["FLUSHALL"]));
            }
            _ => {
                let conn = trial.connect();
                assert_eq!(trial.ask(conn, &request(&["FT.DROPINDEX", "idx"])), b"+OK\r\n");
            }
        }
        // As before each wait of a shard that has some in line.
        trial.shards[0].cx.indexes.see_links();
        assert!(!trial.shards[0].cx.indexes.are_links_behind(), "{ends}");
        let conn = trial.connect();
        let key = trial.key_on(0, "doc:new");
        assert_eq!(trial.ask(conn, &hset(&key, 1)), b":1\r\n");
        assert_eq!(trial.shards[0].conn(conn).slowing, Slowing::No, "{ends}");
    }
}
