//! Who adds vectors faster than they are linked waits with its connection; nobody else does, and what has waited comes in its order.

use crate::trial::{Trial, request};

const DIMENSION: usize = 4;
/// More than may wait to be linked.
const MANY: usize = 300;

fn hset(key: &str, number: usize) -> Vec<u8> {
    // Four bytes of letters are a number.
    let vector = format!("{number:016}");
    assert_eq!(vector.len(), 4 * DIMENSION);
    request(&["HSET", key, "v", &vector])
}

fn ask(trial: &mut Trial, (shard, conn): (usize, usize), bytes: &[u8]) -> String {
    trial.send_to(shard, conn, bytes);
    // Some wait: nothing is settled.
    while trial.deliver() {}
    seen(trial, (shard, conn))
}

fn seen(trial: &mut Trial, (shard, conn): (usize, usize)) -> String {
    String::from_utf8(trial.take_replies_of(shard, conn)).expect("text").replace("\r\n", " ")
}

#[test]
fn who_adds_vectors_where_too_many_are_not_linked_waits_and_nobody_else_does() {
    let mut trial = Trial::new(2);
    let (writer, other) = ((0, trial.connect()), (0, trial.connect_to(0, 1)));
    let elsewhere = (1, trial.connect_to(1, 2));
    let create = ["FT.CREATE", "idx", "PREFIX", "1", "doc:", "SCHEMA", "v", "VECTOR", "HNSW", "6"];
    let create = [&create[..], &["TYPE", "FLOAT32", "DIM", "4", "DISTANCE_METRIC", "L2"]].concat();
    assert_eq!(ask(&mut trial, writer, &request(&create)), "+OK ");
    let mut replies = String::new();
    for number in 0..MANY {
        replies += &ask(&mut trial, writer, &hset(&format!("doc:{number}"), number));
    }
    let written = replies.matches(":1 ").count();
    assert!((257..MANY).contains(&written), "{written}");
    // The other shard finds out in its next turn.
    trial.set_time(2000);
    let script = "return redis.call('HSET', KEYS[1], 'v', ARGV[1])";
    let block = [&request(&["MULTI"])[..], &hset("doc:block", 7), &request(&["EXEC"])].concat();
    for client in [other, elsewhere] {
        for (bytes, reply) in [
            (request(&["SET", "x", "y"]), "+OK "),
            (hset("apart", 1), if client == other { ":1 " } else { ":0 " }),
            (request(&["GET", "x"]), "$1 y "),
            (request(&["EVAL", "return redis.call('GET', KEYS[1])", "1", "x"]), "$1 y "),
        ] {
            assert_eq!(ask(&mut trial, client, &bytes), reply);
        }
        let key = format!("doc:script{}", client.0);
        let eval = request(&["EVAL", script, "1", &key, "0123456789abcdef"]);
        assert_eq!(ask(&mut trial, client, &[eval, request(&["PING"])].concat()), "");
    }
    let third = (1, trial.connect_to(1, 3));
    assert_eq!(ask(&mut trial, third, &block), "+OK +QUEUED ");
    let search = ["FT.SEARCH", "idx", "*", "LIMIT", "0", "0"];
    assert_eq!(ask(&mut trial, other, &request(&search)), "", "it stands behind a command that waits");
    let fourth = (0, trial.connect_to(0, 4));
    assert_eq!(ask(&mut trial, fourth, &request(&search)), format!("*1 :{written} "));
    while trial.shards[0].cx.link_for_indexes() {}
    trial.set_time(3000);
    (0..2).for_each(|shard| trial.send_to(shard, if shard == 0 { fourth.1 } else { third.1 }, b""));
    trial.settle();
    replies += &seen(&mut trial, writer);
    assert_eq!(replies, ":1 ".repeat(MANY));
    assert!(seen(&mut trial, other).starts_with(":1 +PONG *1 :"));
    assert_eq!(seen(&mut trial, elsewhere), ":1 +PONG ");
    assert_eq!(seen(&mut trial, third), "*1 :1 ");
    assert_eq!(ask(&mut trial, fourth, &request(&search)), format!("*1 :{} ", MANY + 3));
    assert!(!trial.shards.iter().any(|shard| shard.cx.indexes.are_links_behind()));
}
