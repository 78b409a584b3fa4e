//! One shard and several answer alike: the same requests to both, in this process.
//!
//! `WEFT_FUZZ_SECONDS` (5) and `WEFT_FUZZ_SEED` as in the tests of random commands.
#![forbid(unsafe_code)]

use fuzz::differential::sequence::grammar;
use fuzz::differential::{Peer, Rules, Sequence, compare, rules, shrink};
use fuzz::engine::Engine;
use fuzz::episode::START_MS;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Steps of a sequence.
const STEPS: usize = 200;

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn one_shard_and_three_answer_alike() {
    let both = || -> [Box<dyn Peer>; 2] { [1, 3].map(|shards| Box::new(Engine::new(shards, 1, false)) as _) };
    let rules = Rules { version: rules::NEWEST, with_modules: true };
    let grammar = grammar(&rules);
    let end = Instant::now() + Duration::from_secs(from_env("WEFT_FUZZ_SECONDS").unwrap_or(5));
    let mut seed = from_env("WEFT_FUZZ_SEED").unwrap_or(1);
    while Instant::now() < end {
        let sequence = Sequence::random(&grammar, &rules, seed, seed % 2 == 1, STEPS, START_MS);
        if let Some(difference) = compare(&mut both(), &sequence, &rules, &HashSet::new()) {
            panic!(
                "WEFT_FUZZ_SEED={seed}: one shard (first) and three (second)\n{}",
                shrink(difference, &rules, &HashSet::new(), both)
            );
        }
        seed += 1;
    }
}
