//! Faults planted in the running server are found, as cycles in what its clients saw.

use serializability::player::{Plan, record};
use serializability::workload::Kind;
use serializability::{Anomaly, Class, check};
use testkit::{Program, Server};

const SHARDS: u16 = 4;
const OPERATIONS: usize = 20_000;
/// After so many histories without an anomaly a fault counts as not found.
const ROUNDS_MAX: u64 = 10;

/// The server with faults stands beside the one without.
fn program() -> Program {
    let server = Program::Weft.find().expect("weft-server is built");
    let planted = server.with_file_name("weft-server-planted");
    assert!(planted.is_file(), "cargo build --profile fast --package planted builds what is missing");
    Program::Peer(planted)
}

/// Nothing that locks keys: locks that are asked for in different orders do not come to an end, and there would be no history.
const KINDS: &[Kind] = &[Kind::Lists, Kind::Registers];

/// The anomaly of a history, if it has one.
fn history(fault: &str, seed: u64) -> Option<Anomaly> {
    let arguments = ["--shards", &SHARDS.to_string()];
    let server = Server::start_in(&program(), &arguments, &[("WEFT_PLANTED", fault)]);
    let server = server.unwrap_or_else(|error| panic!("no server: {error}"));
    let plan = Plan { seed, clients: 12, operations: OPERATIONS, shards: SHARDS, kinds: KINDS.to_vec() };
    record(&plan, &|| server.try_client()).and_then(check).err()
}

fn is_found(fault: &str) {
    for seed in 0..ROUNDS_MAX {
        if let Some(anomaly) = history(fault, seed) {
            println!("{fault} is found with seed {seed}: {anomaly}");
            assert!(matches!(anomaly.class, Class::GSingle { .. } | Class::G2 { .. }), "{anomaly}");
            return;
        }
    }
    panic!("{fault} is not found in {ROUNDS_MAX} histories");
}

#[test]
fn operations_in_different_orders_in_two_mailboxes_are_found() {
    is_found("reordered");
}

#[test]
fn a_part_that_is_executed_early_is_found() {
    is_found("early");
}

#[test]
fn without_a_fault_nothing_is_found() {
    assert_eq!(history("none", 0), None);
}
