//! Damaged values with right check sums: RESTORE refuses them, or takes a value on which every command of its type works.
//!
//! `WEFT_FUZZ_SECONDS` says for how long (20 s unless given), `WEFT_FUZZ_SEED` where to begin (1): the seed of one of our reports
//! plays that value again.
#![forbid(unsafe_code)]

use fuzz::grammar::{Grammar, Scope};
use fuzz::payload::{self, KEY};
use fuzz::play::{Tally, play};
use fuzz::shrink::shrink;
use fuzz::{Episode, Step, watchdog};
use rdb::{Shapes, Type, dump};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const DEFAULT_SECONDS: u64 = 20;

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The payload that an episode restores.
fn restored(episode: &Episode) -> &[u8] {
    let payload = episode.steps.iter().find_map(|step| match step {
        Step::Request { words, .. } if words[0] == b"RESTORE" => Some(&words[3]),
        _ => None,
    });
    payload.expect("every episode restores")
}

#[test]
fn every_form_is_accepted_when_nothing_is_wrong_with_it() {
    let seed = base::hash::HashSeed::new(1, 2);
    let mut types = std::collections::BTreeSet::new();
    for body in payload::corpus() {
        let payload = payload::sealed(&body);
        let accepted = dump::restore(&payload, &Shapes::with_defaults(&seed));
        assert!(accepted.is_ok(), "{}: {:?}", body.escape_ascii(), accepted.err());
        types.insert(body[0]);
    }
    let missing: Vec<_> = Type::ALL.iter().filter(|kind| !types.contains(&kind.byte())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn damaged_values_are_refused_or_bear_every_command() {
    let seconds = from_env("WEFT_FUZZ_SECONDS").unwrap_or(DEFAULT_SECONDS);
    let first = from_env("WEFT_FUZZ_SEED").unwrap_or(1);
    let mut grammar = Grammar::new(Scope::default());
    grammar.keys = vec![KEY.to_vec(), KEY.to_vec(), b"{k}copy".to_vec()];
    let corpus = payload::corpus();
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut seed, mut tally, hash_seed) = (first, Tally::default(), base::hash::HashSeed::new(1, 2));
    let mut taken = BTreeMap::<u8, (u64, u64)>::new();
    while Instant::now() < end {
        let (kind, episode) = payload::episode(&grammar, &corpus, seed, 1 + 2 * (seed % 4 / 3) as u16);
        let counts = taken.entry(kind.byte()).or_default();
        counts.0 += 1;
        // What is refused is only seen to be refused, most of the time.
        let is_accepted = dump::restore(restored(&episode), &Shapes::with_defaults(&hash_seed)).is_ok();
        counts.1 += u64::from(is_accepted);
        if (is_accepted || seed.is_multiple_of(64))
            && let Err(failure) = play(&episode, &mut tally)
        {
            let (short, last) = shrink(&episode, &failure);
            let bytes = restored(&episode).escape_ascii().to_string();
            panic!("{}\n\nWEFT_FUZZ_SEED={seed}\n{bytes}\n{short}\n=> {}", failure.what, last.what);
        }
        seed += 1;
    }
    watchdog::done();
    let (requests, successes) = tally.sums();
    println!("{} values, {requests} requests, {successes} without an error", seed - first);
    println!("type: values, accepted: {taken:?}");
    let accepted: u64 = taken.values().map(|counts| counts.1).sum();
    assert!(accepted > (seed - first) / 20, "{accepted} of {} were accepted", seed - first);
}
