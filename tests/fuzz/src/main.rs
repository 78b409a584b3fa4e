//! `fuzz [--peer PROGRAM] [--seconds N] [--seed N] [--seeds N] [--shards N] [--steps N] [--kinds N]`: random sequences to a
//! running weft-server and a running redis-server, and what they answer differently. It ends with success when there was
//! nothing after so many seconds or seeds (whichever is given), and shows at most so many kinds of differences. `fuzz
//! --malformed` sends broken requests instead. The peer is the redis-server in `PATH` unless given here or in
//! `WEFT_FUZZ_PEER`.
#![forbid(unsafe_code)]

use fuzz::differential::{malformed, pair::Pair};
use std::collections::HashSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use testkit::Program;

/// The argument behind a word.
fn option(name: &str) -> Option<String> {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1).cloned()
}

fn number(name: &str, default: u64) -> u64 {
    option(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} {text}: a number is wanted")))
}

fn ended(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn main() -> ExitCode {
    let program = option("--peer").or_else(|| std::env::var("WEFT_FUZZ_PEER").ok());
    let program = program.map_or_else(Program::redis, |path| Program::Peer(path.into()));
    let pair = Pair::start(&program, number("--shards", 1));
    if std::env::args().any(|argument| argument == "--malformed") {
        let differences = malformed::compare(&pair, number("--seed", 1), number("--seeds", 300) as usize);
        differences.iter().for_each(|difference| println!("{difference}\n"));
        println!("{} differences", differences.len());
        return ended(differences.is_empty());
    }
    let (steps, kinds) = (number("--steps", 150) as usize, number("--kinds", 100) as usize);
    let end = Instant::now() + Duration::from_secs(number("--seconds", u64::from(u32::MAX)));
    let (mut seed, mut seen) = (number("--seed", 1), HashSet::new());
    let last = seed.saturating_add(number("--seeds", u64::MAX));
    while Instant::now() < end && seed < last && seen.len() < kinds {
        if let Some(difference) = pair.play(seed, steps, &seen)
            && !seen.contains(&difference.kind)
        {
            let kind = difference.kind.clone();
            println!("{}\n", pair.shrink(difference, &seen));
            seen.insert(kind);
        }
        seed += 1;
        // What a peer has been asked for may be more than it can bear.
        assert!(pair.peer.resident_bytes() < 4 << 30, "the peer grows, seed {seed}");
    }
    println!("{} kinds of differences before seed {seed}", seen.len());
    ended(seen.is_empty())
}
