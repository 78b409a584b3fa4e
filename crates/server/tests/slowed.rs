//! Who writes documents faster than their vectors are linked is slowed, and never forgotten: whatever ends the wait, everybody gets all replies.

use base::random::Random;
use std::thread;
use testkit::client::encode;
use testkit::{Program, Server, await_true};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");
const DIMENSION: usize = 64;
const WRITERS: usize = 6;
/// Commands of each.
const COUNT: usize = 300;
/// Of a pipeline.
const DEPTH: usize = 30;

fn create(server: &Server, name: &str) {
    let schema = format!("v VECTOR HNSW 6 TYPE FLOAT32 DIM {DIMENSION} DISTANCE_METRIC L2");
    let reply = server.client().run(&format!("FT.CREATE {name} PREFIX 1 d: SCHEMA {schema}"));
    assert!(reply.is_ok(), "{reply:?}");
}

fn vector(random: &mut Random) -> Vec<u8> {
    (0..DIMENSION).flat_map(|_| (random.unit_f64() as f32).to_le_bytes()).collect()
}

/// A document anew, in one of the ways in which that can come; and how many replies that gives.
fn write(way: usize, key: &str, vector: &[u8]) -> (Vec<u8>, usize) {
    let hset: [&[u8]; 4] = [b"HSET", key.as_bytes(), b"v", vector];
    match way % 3 {
        0 => (encode(&hset), 1),
        1 => {
            let lines = [encode(&["MULTI"]), encode(&hset), encode(&["EXEC"])];
            (lines.concat(), 3)
        }
        _ => {
            let script = b"return redis.call('HSET', KEYS[1], 'v', ARGV[1])";
            (encode(&[&b"EVAL"[..], script, b"1", key.as_bytes(), vector]), 1)
        }
    }
}

/// Writes, some at a time.
fn live(server: &Server, writer: usize) {
    let mut client = server.client();
    let mut random = Random::from_seed(writer as u64);
    let depth = if writer.is_multiple_of(2) { 1 } else { DEPTH };
    for _ in 0..COUNT / depth {
        let mut replies = 0;
        let mut bytes = Vec::new();
        for _ in 0..depth {
            let key = format!("d:{writer}:{}", random.index(100));
            let (some, count) = write(writer, &key, &vector(&mut random));
            bytes.extend(some);
            replies += count;
        }
        client.send_raw(&bytes).expect("it takes them");
        (0..replies).for_each(|_| drop(client.reply().expect("each is answered")));
    }
}

fn all_end(shards: &str, ends: Option<&str>) {
    let server =
        Server::start(&Program::Peer(WEFT.into()), &["--shards", shards]).expect("weft-server starts");
    create(&server, "i");
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let server = &server;
            scope.spawn(move || live(server, writer));
        }
        if ends.is_none() {
            // It is built though others add vectors all the time.
            create(&server, "late");
        }
        if let Some(ends) = ends {
            // What all wait for has gone, again and again.
            let mut client = server.client();
            for _ in 0..20 {
                client.run(ends);
                create(&server, "i");
            }
        }
    });
    if ends.is_none() {
        let mut client = server.client();
        let keys = client.run("DBSIZE");
        for index in ["i", "late"] {
            let count = format!("FT.SEARCH {index} * LIMIT 0 0");
            await_true("all documents are indexed", || {
                client.run(&count).items().is_some_and(|found| found.contains(&keys))
            });
        }
    }
}

#[test]
fn all_writers_end() {
    ["1", "3"].into_iter().for_each(|shards| all_end(shards, None));
}

#[test]
fn all_writers_end_though_what_they_wait_for_goes() {
    all_end("1", Some("FLUSHALL"));
    all_end("2", Some("FT.DROPINDEX i"));
}
