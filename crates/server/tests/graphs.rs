//! Graphs of vectors of a server that is started again: walks lead where they led before, from a data file and from append-only files, and documents have their vectors.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;
use testkit::{Client, Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");
const COUNT: usize = 2500;
const DIMENSION: usize = 80;
const QUERIES: usize = 200;

fn server(directory: Option<&Path>, shards: &str, appends: bool) -> Server {
    let mut settings = vec!["--save", "", "--shards", shards];
    settings.extend(["--appendonly", if appends { "yes" } else { "no" }]);
    if let Some(directory) = directory {
        settings.extend(["--dir", directory.to_str().expect("a plain name")]);
    }
    Server::start(&Program::Peer(WEFT.into()), &settings).expect("weft-server starts")
}

fn vectors() -> Vec<Vec<u8>> {
    // Knuth's linear congruential generator (MMIX).
    let mut state = 3_u64;
    let mut number = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let mut one = || (0..DIMENSION).flat_map(|_| number().to_le_bytes()).collect();
    (0..COUNT + QUERIES).map(|_| one()).collect()
}

fn words(line: &str, blob: &[u8], rest: &str) -> Vec<Vec<u8>> {
    let words = |line: &str| line.split_whitespace().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
    [words(line), vec![blob.to_vec()], words(rest)].concat()
}

fn fill(client: &mut Client, vectors: &[Vec<u8>], order: impl Iterator<Item = usize>) {
    let create =
        format!("FT.CREATE i SCHEMA v VECTOR HNSW 6 TYPE FLOAT32 DIM {DIMENSION} DISTANCE_METRIC L2");
    assert!(!client.run(&create).is_error());
    let commands: Vec<_> =
        order.map(|n| words(&format!("HSET k{n} title t{n} v"), &vectors[n], "")).collect();
    commands.chunks(64).for_each(|some| _ = client.pipeline(some));
}

/// Waits until all is linked.
fn settle(server: &Server) {
    loop {
        let time = || testkit::process::cpu_time(server.pid()).expect("it runs");
        let before = time();
        sleep(Duration::from_millis(300));
        if time() == before {
            return;
        }
    }
}

/// What walks find that see little of the graph.
fn found(client: &mut Client, vectors: &[Vec<u8>]) -> Vec<String> {
    let ask = |query: &Vec<u8>| {
        let mut command: Vec<Vec<u8>> =
            [&b"FT.SEARCH"[..], b"i", b"*=>[KNN 10 @v $b EF_RUNTIME 10 AS d]"].map(<[u8]>::to_vec).into();
        command.extend(words("NOCONTENT SORTBY d PARAMS 2 b", query, "DIALECT 2"));
        format!("{:?}", client.pipeline(&[command]))
    };
    vectors[COUNT..].iter().map(ask).collect()
}

fn same(some: &[String], others: &[String]) -> usize {
    some.iter().zip(others).filter(|(one, other)| one == other).count()
}

fn has_all(client: &mut Client, vectors: &[Vec<u8>]) {
    for (n, vector) in vectors[..COUNT].iter().enumerate().step_by(50) {
        let reply = client.pipeline(&[words(&format!("HGET k{n}"), b"v", "")]);
        assert_eq!(reply[0].bytes(), Some(vector.as_slice()), "k{n}");
    }
}

#[test]
fn walks_lead_where_they_led() {
    let vectors = vectors();
    let first = server(None, "2", false);
    let mut client = first.client();
    fill(&mut client, &vectors, 0..COUNT);
    settle(&first);
    let expected = found(&mut client, &vectors);
    assert!(!client.run("SAVE").is_error());
    for shards in ["2", "3", "1"] {
        let started = server(Some(first.directory()), shards, false);
        let mut client = started.client();
        let same = same(&found(&mut client, &vectors), &expected);
        assert!(same * 100 >= QUERIES * 97, "{same} of {QUERIES} are the same with {shards} shards");
        has_all(&mut client, &vectors);
    }
    // Another graph of the same vectors answers otherwise.
    let other = server(None, "2", false);
    let mut client = other.client();
    fill(&mut client, &vectors, (0..COUNT).rev());
    settle(&other);
    let same = same(&found(&mut client, &vectors), &expected);
    assert!(same * 100 < QUERIES * 90, "{same} of {QUERIES} are the same by chance");
}

#[test]
fn a_base_of_append_only_files_has_them() {
    let vectors = vectors();
    for (before, after) in [("2", "2"), ("2", "1"), ("1", "2")] {
        let mut killed = server(None, before, true);
        let mut client = killed.client();
        fill(&mut client, &vectors, 0..COUNT);
        settle(&killed);
        client.run("BGREWRITEAOF");
        testkit::await_info(&mut client, "aof_rewrite_in_progress", "0");
        // What is written behind the base.
        client.run("HSET k7 title another");
        let expected = found(&mut client, &vectors);
        killed.kill();
        let again = server(Some(killed.directory()), after, true);
        let mut client = again.client();
        let same = same(&found(&mut client, &vectors), &expected);
        assert!(
            same * 100 >= QUERIES * 97,
            "{same} of {QUERIES} are the same, {before} shards, then {after}"
        );
        has_all(&mut client, &vectors);
    }
}
