//! Random histories of many clients, checked as a whole: every register is linearizable, everything together is strictly
//! serializable, and every connection's writes are in its order.
//!
//! `LITMUS_OPERATIONS` is the number of operations for each of the two larger settings; by default it suits CI.

use litmus::history::record;
use litmus::{cycles, everywhere, registers};
use std::time::Instant;

const CLIENTS: usize = 12;
const OPERATIONS: usize = 100_000;

#[test]
fn random_histories_are_strictly_serializable() {
    let given = std::env::var("LITMUS_OPERATIONS").ok().and_then(|text| text.parse().ok());
    everywhere(given.unwrap_or(OPERATIONS), |arena| {
        let start = Instant::now();
        let operations = record(arena, CLIENTS, arena.rounds);
        let recorded = start.elapsed();
        assert!(operations.len() >= arena.rounds / CLIENTS * CLIENTS);
        registers::check(&operations).unwrap_or_else(|anomaly| panic!("seed {}: {anomaly}", arena.seed));
        cycles::check(&operations).unwrap_or_else(|anomaly| panic!("seed {}: {anomaly}", arena.seed));
        println!(
            "{} operations in {recorded:.1?}, checked in {:.1?}",
            operations.len(),
            start.elapsed() - recorded
        );
    });
}
