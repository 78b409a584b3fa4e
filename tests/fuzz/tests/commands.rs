//! Random commands against shards in this process.
//!
//! `WEFT_FUZZ_SECONDS` says for how long (20 s unless given), `WEFT_FUZZ_SEED` where to begin: the first seed of one of our
//! reports plays that episode again. `WEFT_FUZZ_FAILURES` different failures are looked for before it stops (1).
#![forbid(unsafe_code)]

use fuzz::grammar::{Grammar, Scope};
use fuzz::play::{Failure, Tally, payloads, play};
use fuzz::shrink::shrink;
use fuzz::{Episode, watchdog};
use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime};

/// Steps of an episode.
const STEPS: usize = 150;
const DEFAULT_SECONDS: u64 = 20;

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn report(episode: &Episode, failure: &Failure) -> String {
    let (short, last) = shrink(episode, failure);
    format!(
        "{}\n\nWEFT_FUZZ_SEED={}, {} of {} steps:\n{short}\n=> {}",
        failure.what,
        episode.seed,
        short.steps.len(),
        episode.steps.len(),
        last.what
    )
}

#[test]
fn random_commands_keep_all_invariants() {
    let seconds = from_env("WEFT_FUZZ_SECONDS").unwrap_or(DEFAULT_SECONDS);
    let first = from_env("WEFT_FUZZ_SEED").unwrap_or_else(|| {
        SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64 % 1_000_000_000_000)
    });
    let mut grammar = Grammar::new(Scope::default());
    grammar.payloads = payloads();
    println!("{} commands, first seed {first}", grammar.commands());
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut seed, mut steps, mut failures) = (first, 0, Vec::new());
    let mut tally = Tally::default();
    let mut kinds = HashSet::new();
    let failures_max = from_env("WEFT_FUZZ_FAILURES").unwrap_or(1) as usize;
    while Instant::now() < end && failures.len() < failures_max {
        for shards in [1, 3] {
            let episode = Episode::random(&grammar, seed, shards, STEPS);
            steps += episode.steps.len();
            if let Err(failure) = play(&episode, &mut tally)
                && kinds.insert(failure.kind())
            {
                failures.push(report(&episode, &failure));
            }
        }
        seed += 1;
    }
    watchdog::done();
    let (requests, successes) = tally.sums();
    println!("{requests} requests alone, {successes} without an error; never: {:?}", tally.without_success());
    println!("{} episodes, {steps} steps", (seed - first) * 2);
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
