//! `fuzz [--peer PROGRAM] [--seconds N] [--seed N] [--shards N] [--steps N] [--kinds N]`: random requests to a running
//! weft-server and a running redis-server, and what they answer differently, for as long as one likes. `fuzz --malformed`
//! sends broken requests instead. The peer is the redis-server in `PATH` unless given here or in `WEFT_FUZZ_PEER`.
#![forbid(unsafe_code)]

use fuzz::differential::{malformed, pair::Pair};
use std::collections::HashSet;
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

fn main() {
    let program = option("--peer").or_else(|| std::env::var("WEFT_FUZZ_PEER").ok());
    let program = program.map_or_else(Program::redis, |path| Program::Peer(path.into()));
    let pair = Pair::start(&program, number("--shards", 1));
    if std::env::args().any(|argument| argument == "--malformed") {
        let differences = malformed::compare(&pair);
        differences.iter().for_each(|difference| println!("{difference}\n"));
        return println!("{} differences", differences.len());
    }
    let (steps, kinds) = (number("--steps", 150) as usize, number("--kinds", 100) as usize);
    let end = Instant::now() + Duration::from_secs(number("--seconds", 20));
    let (mut seed, mut seen) = (number("--seed", 1), HashSet::new());
    while Instant::now() < end && seen.len() < kinds {
        if let Some(difference) = pair.play(seed, steps, &seen)
            && !seen.contains(&difference.kind)
        {
            let kind = difference.kind.clone();
            println!("{}\n", pair.shrink(difference, &seen));
            seen.insert(kind);
        }
        seed += 1;
    }
    println!("{} kinds of differences up to seed {seed}", seen.len());
}
