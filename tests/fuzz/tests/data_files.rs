//! Damaged data files with right check sums: they are refused, with the place, or loaded, and then every command works on what they
//! hold.
//!
//! `WEFT_FUZZ_SECONDS` says for how long (15 s unless given), `WEFT_FUZZ_SEED` where to begin (1): the seed of one of our reports
//! plays that file again.
#![forbid(unsafe_code)]

use base::random::Random;
use fuzz::data_file::{check, foreign, load, own, spoil};
use fuzz::engine::Engine;
use fuzz::episode::{CONNS, START_MS};
use fuzz::grammar::{Grammar, Scope};
use fuzz::{Episode, Step, payload, watchdog};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use testkit::{Program, Server};

const DEFAULT_SECONDS: u64 = 15;
/// Commands that are played on what a file holds.
const REQUESTS: usize = 12;
/// Files that a running server gets.
const STARTS: u64 = 40;

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn some_file(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut file = if random.below(2) == 0 { foreign(random, corpus) } else { own(random, corpus) };
    if random.below(8) > 0 {
        spoil(random, &mut file, corpus);
    }
    file
}

/// Loads a file and plays a little on it; whether it was accepted.
fn play(grammar: &Grammar, random: &mut Random, file: &[u8], seed: u64) -> Result<bool, String> {
    let shards = 1 + random.below(3) as u16;
    let mut engine = Engine::new(shards, seed, false);
    let is_accepted = load(&mut engine, file);
    check(&engine)?;
    if is_accepted {
        for _ in 0..REQUESTS {
            let words = grammar.request(random, START_MS);
            engine.run(std::iter::once((random.index(CONNS), words.as_slice())))?;
            (0..CONNS).for_each(|conn| drop(engine.received(conn)));
            engine.check_quiet()?;
        }
        fuzz::state::of(&engine)?;
    }
    Ok(is_accepted)
}

#[test]
fn damaged_files_are_refused_or_bear_commands() {
    let seconds = from_env("WEFT_FUZZ_SECONDS").unwrap_or(DEFAULT_SECONDS);
    let first = from_env("WEFT_FUZZ_SEED").unwrap_or(1);
    let corpus = payload::corpus();
    let mut grammar = Grammar::new(Scope::default());
    grammar.keys = (0..30)
        .map(|key| format!("key:{key}"))
        .chain((0..24).map(|key| format!("key:{}:{}", key % 3, key / 3)))
        .map(String::into_bytes)
        .collect();
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut seed, mut accepted) = (first, 0);
    while Instant::now() < end {
        let episode = Episode { seed, shards: 0, resp3: false, steps: vec![Step::Pass(0)] };
        watchdog::progress(&episode, 0);
        let mut random = Random::from_seed(seed);
        let file = some_file(&mut random, &corpus);
        let outcome = catch_unwind(AssertUnwindSafe(|| play(&grammar, &mut random, &file, seed)));
        match outcome {
            Ok(Ok(is_accepted)) => accepted += u64::from(is_accepted),
            Ok(Err(what)) => panic!("WEFT_FUZZ_SEED={seed}: {what}"),
            Err(_) => panic!("WEFT_FUZZ_SEED={seed}: see above"),
        }
        seed += 1;
    }
    watchdog::done();
    println!("{accepted} of {} files were accepted", seed - first);
    assert!(accepted > (seed - first) / 50, "{accepted} of {} files were accepted", seed - first);
}

/// The directory of a server that has ended.
fn directory() -> (Server, PathBuf) {
    let server = Server::weft(&["--shards", "1"]);
    let path = server.directory().to_path_buf();
    (server, path)
}

/// A server that starts from such a file, or does not: then it says why, and leaves the file alone.
#[test]
fn a_server_starts_from_a_damaged_file_or_says_why_not() {
    let first = from_env("WEFT_FUZZ_SEED").unwrap_or(1);
    let corpus = payload::corpus();
    let (_keeper, path) = directory();
    let (mut started, mut refused) = (0, 0);
    for seed in first..first + STARTS {
        let mut random = Random::from_seed(seed);
        let bytes = some_file(&mut random, &corpus);
        let name = format!("file-{seed}.rdb");
        std::fs::write(path.join(&name), &bytes).expect("a file");
        let shards = (1 + random.below(3)).to_string();
        let directory = path.to_str().expect("a plain name");
        let settings = ["--dir", directory, "--dbfilename", &name, "--shards", &shards];
        match Server::start(&Program::Weft, &[&settings[..], &["--enable-debug-command", "yes"]].concat()) {
            Ok(server) => {
                let mut client = server.client();
                client.set_timeout(Duration::from_secs(30));
                assert!(client.run("DEBUG DIGEST").string().is_some(), "seed {seed}: {}", server.log_tail());
                assert!(client.run("SAVE").is_ok(), "seed {seed}: {}", server.log_tail());
                assert!(client.run("FLUSHALL").is_ok(), "seed {seed}: {}", server.log_tail());
                started += 1;
            }
            Err(why) => {
                let why = why.to_string();
                assert!(!why.contains("panicked") && why.contains(&name), "seed {seed}: {why}");
                assert!(std::fs::read(path.join(&name)).is_ok_and(|file| file == bytes), "seed {seed}");
                refused += 1;
            }
        }
    }
    println!("{started} started, {refused} refused");
    assert!(started > 0 && refused > 0, "{started} started, {refused} refused");
}
