//! One shard and several answer alike: the same requests to both, in this process.
//!
//! `WEFT_FUZZ_SECONDS` (5) and `WEFT_FUZZ_SEED` as in the tests of random commands.
#![forbid(unsafe_code)]

use fuzz::differential::{Peer, compare, grammar, requests, shrink};
use fuzz::engine::Engine;
use fuzz::episode::START_MS;
use std::time::{Duration, Instant};

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn one_shard_and_three_answer_alike() {
    let both = || -> [Box<dyn Peer>; 2] { [1, 3].map(|shards| Box::new(Engine::new(shards, 1, false)) as _) };
    let grammar = grammar((u32::MAX, 0));
    let end = Instant::now() + Duration::from_secs(from_env("WEFT_FUZZ_SECONDS").unwrap_or(5));
    let mut seed = from_env("WEFT_FUZZ_SEED").unwrap_or(1);
    while Instant::now() < end {
        let all = requests(&grammar, seed, 200, START_MS);
        let [mut one, mut three] = both();
        if let Some(difference) = compare(one.as_mut(), three.as_mut(), seed, &all) {
            panic!(
                "WEFT_FUZZ_SEED={seed}: one shard (first) and three (second)\n{}",
                shrink(difference, both)
            );
        }
        seed += 1;
    }
}
