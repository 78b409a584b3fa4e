//! Between the rounds of a search for what is nearest no document's id becomes another's: the one that has it then would be shown instead.

use crate::trial::{Trial, request};

/// More than so many ids must be free for one to be used again (`command::indexes::documents`).
const FREE: usize = 1100;
const NEAREST: &str = "doc:nearest";

fn hset(key: &str, number: u32) -> Vec<u8> {
    // Four bytes of letters are a number; those that begin alike lie close together.
    request(&["HSET", key, "v", &format!("{number:08}{number:08}")])
}

fn ask(trial: &mut Trial, (shard, conn): (usize, usize), bytes: &[u8]) {
    trial.send_to(shard, conn, bytes);
    trial.settle();
    let reply = trial.take_replies_of(shard, conn);
    assert!(!reply.is_empty() && reply[0] != b'-', "{}", String::from_utf8_lossy(&reply));
}

/// An index with many free ids, of which that of [`NEAREST`] is the lowest once it goes; connections to its shard and to the other one.
fn prepared() -> (Trial, [usize; 2], usize) {
    let mut trial = Trial::new(2);
    let client = (0, trial.connect());
    let create = ["FT.CREATE", "idx", "PREFIX", "1", "doc:", "SCHEMA", "v", "VECTOR", "HNSW", "6"];
    ask(
        &mut trial,
        client,
        &request(&[&create[..], &["TYPE", "FLOAT32", "DIM", "4", "DISTANCE_METRIC", "L2"]].concat()),
    );
    ask(&mut trial, client, &hset(NEAREST, 11111111));
    ask(&mut trial, client, &hset("doc:next", 11112222));
    let home = (0..2).find(|shard| {
        trial.shards[*shard]
            .cx
            .dbs
            .numbered()
            .any(|(_, db)| db.iter().any(|(key, ..)| key == NEAREST.as_bytes()))
    });
    let home = home.expect("one shard has it");
    let filler = |trial: &Trial, number: usize| trial.key_on(home as u16, &format!("doc:filler{number}-"));
    for number in 0..FREE {
        let key = filler(&trial, number);
        ask(&mut trial, client, &hset(&key, 90000000 + number as u32));
        if number % 200 == 0 {
            while trial.shards[0].cx.link_for_indexes(false) {}
            trial.set_time(1000 * number as u64);
        }
    }
    for number in 0..FREE {
        let key = filler(&trial, number);
        ask(&mut trial, client, &request(&["DEL", &key]));
    }
    while trial.shards[0].cx.link_for_indexes(false) {}
    let conns = [0, 1].map(|shard| trial.connect_to(shard, 10 + shard as u64));
    (trial, conns, home)
}

#[test]
fn a_document_that_comes_during_a_search_is_not_taken_for_one_that_was_found() {
    let search = [
        "FT.SEARCH",
        "idx",
        "*=>[KNN 1 @v $b]",
        "NOCONTENT",
        "PARAMS",
        "2",
        "b",
        "1111111111111111",
        "DIALECT",
        "2",
    ];
    let mut changed = 0;
    for asked in [0, 1] {
        for step in 0.. {
            let (mut trial, conns, home) = prepared();
            trial.send_to(asked, conns[asked], &request(&search));
            let is_under_way = (0..step).all(|_| trial.deliver());
            if !is_under_way || trial.take_replies_of(asked, conns[asked]).starts_with(b"*") {
                break;
            }
            let client = trial.connect_to(home, 99);
            let stranger = trial.key_on(home as u16, "doc:stranger");
            let change = [request(&["DEL", NEAREST]), hset(&stranger, 99999999)].concat();
            trial.send_to(home, client, &change);
            trial.settle();
            assert_eq!(trial.take_replies_of(home, client), b":1\r\n:1\r\n");
            let reply = String::from_utf8(trial.take_replies_of(asked, conns[asked])).expect("text");
            assert!(reply.starts_with('*') && !reply.contains("stranger"), "after {step} messages: {reply}");
            changed += 1;
        }
    }
    assert!(changed > 2, "{changed}");
}
