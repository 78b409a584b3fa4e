//! Histories of the running server over TCP, on 1, 2, 4 and 8 shards, and of redis-server, which is a test of the test.
//!
//! `SERIALIZABILITY_SEED` repeats a seed (the threads' timing is not repeated by it); `SERIALIZABILITY_OPERATIONS` is the number of
//! operations for each server, by default one that suits CI.

use serializability::check;
use serializability::player::{Plan, census, record};
use serializability::workload::Kind;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use testkit::{Program, Server};

const CLIENTS: usize = 12;
const OPERATIONS: usize = 100_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Records a history, checks it, and sees to it that it has everything in it.
fn play(program: &Program, arguments: &[&str], shards: u16) {
    let server = Server::start(program, arguments).unwrap_or_else(|error| panic!("no server: {error}"));
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_nanos() as u64;
    let kinds = Kind::known_to(&mut server.client(), &Kind::ALL);
    assert_eq!(kinds, Kind::ALL, "nothing is left out");
    let plan = Plan {
        seed: number("SERIALIZABILITY_SEED").unwrap_or_else(now),
        clients: CLIENTS,
        operations: number("SERIALIZABILITY_OPERATIONS").map_or(OPERATIONS, |count| count as usize),
        shards,
        kinds,
    };
    println!("{program:?} {arguments:?}: SERIALIZABILITY_SEED={}", plan.seed);
    let start = Instant::now();
    let operations = record(&plan, &|| server.try_client()).unwrap_or_else(|anomaly| panic!("{anomaly}"));
    let recorded = start.elapsed();
    let census = census(&operations);
    let summary = check(operations).unwrap_or_else(|anomaly| panic!("{anomaly}"));
    println!("recorded in {recorded:.1?}, checked in {:.1?}: {summary:?}", start.elapsed() - recorded);
    assert!(summary.operations >= plan.operations / CLIENTS * CLIENTS);
    assert!(
        summary.unknown > 0 && summary.unknown_seen > 0,
        "no connection was lost with requests under way"
    );
    for (name, counts) in &census {
        println!("  {name}: {counts:?}");
    }
    // WATCH must have let some pass and stopped others.
    if let Some((_, [done, refused, _])) = census.iter().find(|(name, _)| name.starts_with("WATCH … MULTI"))
    {
        assert!(*done > 0 && *refused > 0, "{done} transactions passed, {refused} did not");
    }
}

#[test]
fn redis_server_is_strictly_serializable() {
    play(&Program::redis(), &[], 1);
}

#[test]
fn one_shard_is_strictly_serializable() {
    play(&Program::Weft, &["--shards", "1"], 1);
}

#[test]
fn two_shards_are_strictly_serializable() {
    play(&Program::Weft, &["--shards", "2"], 2);
}

#[test]
fn four_shards_are_strictly_serializable() {
    play(&Program::Weft, &["--shards", "4"], 4);
}

#[test]
fn four_shards_with_epoll_are_strictly_serializable() {
    play(&Program::Weft, &["--shards", "4", "--io-backend", "epoll"], 4);
}

#[test]
fn eight_shards_are_strictly_serializable() {
    play(&Program::Weft, &["--shards", "8"], 8);
}
