//! `cargo xtask test`: everything CI runs, as a list of steps. To add a step, add a line to [`STEPS`].
//!
//! Every step runs even when one before it failed. The last line of the output is `N passed, N failed, N skipped`,
//! where a check that could not run (a program or a crate is not there yet) counts as skipped, never as passed.

use crate::command_line::{command, run, run_shown};
use crate::{arm, clients, provision, redis_py_suite, spec_task, tidy};
use spec::peer::Peer;
use spec::{Options, Tally, suite};
use std::time::Instant;
use testkit::Program;

/// One line of CI.
struct Step {
    name: &'static str,
    run: fn() -> Outcome,
}

/// Counts of the checks within a step, or why it could not run.
pub enum Outcome {
    Counted(Tally),
    /// A single check.
    Single(bool),
    Skipped(String),
    Broken(String),
}

impl Outcome {
    /// Those of the parts of a step as one: the first that could not run, or the sum.
    pub fn all(parts: impl Iterator<Item = Self>) -> Self {
        let mut tally = Tally::default();
        for part in parts {
            match part {
                Self::Counted(counted) => tally.add(counted),
                Self::Single(passed) => {
                    tally.passed += usize::from(passed);
                    tally.failed += usize::from(!passed);
                }
                other => return other,
            }
        }
        Self::Counted(tally)
    }
}

const STEPS: &[Step] = &[
    Step { name: "provision", run: provision_step },
    Step { name: "tidy", run: tidy_step },
    Step { name: "build", run: build_step },
    Step { name: "unit", run: unit_step },
    Step { name: "arm", run: arm::step },
    Step { name: "spec-redis", run: || spec_step(Peer::program("redis-server")) },
    Step { name: "spec-1-shard", run: || spec_step(Peer::weft(1)) },
    Step { name: "spec-4-shards", run: || spec_step(Peer::weft(4)) },
    Step { name: "litmus", run: litmus_step },
    Step { name: "serializability", run: serializability_step },
    Step { name: "crash", run: crash_step },
    Step { name: "redis-py", run: clients::redis_py },
    Step { name: "redis-py-suite", run: redis_py_suite::step },
    Step { name: "redis-tools", run: clients::redis_tools },
    Step { name: "node", run: clients::node },
    Step { name: "redis-rs", run: clients::redis_rs },
    Step { name: "fuzz", run: fuzz_step },
    Step { name: "differential", run: differential_step },
];

/// Runs the steps named, or all; false when anything failed.
pub fn main(arguments: &[String]) -> Result<bool, String> {
    if arguments.iter().any(|argument| argument == "--list") {
        STEPS.iter().for_each(|step| println!("{}", step.name));
        return Ok(true);
    }
    if let Some(unknown) = arguments.iter().find(|name| STEPS.iter().all(|step| step.name != *name)) {
        return Err(format!("there is no step {unknown}; see cargo xtask test --list"));
    }
    let mut total = Tally::default();
    let mut table = Vec::new();
    for step in
        STEPS.iter().filter(|step| arguments.is_empty() || arguments.iter().any(|name| name == step.name))
    {
        println!("==> {}", step.name);
        let start = Instant::now();
        let (tally, result) = judged((step.run)());
        total.add(tally);
        table.push(format!("{:16} {:7.1} s  {result}", step.name, start.elapsed().as_secs_f64()));
    }
    println!("\n{}\n", table.join("\n"));
    println!("{total}");
    Ok(total.failed == 0)
}

fn judged(outcome: Outcome) -> (Tally, String) {
    match outcome {
        Outcome::Counted(tally) => (tally, tally.to_string()),
        Outcome::Single(true) => (Tally { passed: 1, ..Tally::default() }, "passed".into()),
        Outcome::Single(false) => (Tally { failed: 1, ..Tally::default() }, "FAILED".into()),
        Outcome::Skipped(why) => (Tally { skipped: 1, ..Tally::default() }, format!("skipped: {why}")),
        Outcome::Broken(why) => (Tally { failed: 1, ..Tally::default() }, format!("FAILED: {why}")),
    }
}

/// Installs what the steps need. What cannot be installed is a failure: a run without it would say too little.
fn provision_step() -> Outcome {
    let results = [
        provision::redis_server(),
        provision::python().map(|_| ()),
        provision::redis_py_suite().map(|_| ()),
        provision::node().map(|_| ()),
        provision::crates_of_redis_rs(),
    ];
    let problems: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    if problems.is_empty() { Outcome::Single(true) } else { Outcome::Broken(problems.join("; ")) }
}

fn tidy_step() -> Outcome {
    tidy::main(&[]).map_or_else(Outcome::Broken, Outcome::Single)
}

fn build_step() -> Outcome {
    if !crate::root().join("crates/server/Cargo.toml").is_file() {
        return Outcome::Skipped("there is no crate server yet".into());
    }
    let build = run(&mut command("cargo", &["build", "--profile", "fast", "--bin", "weft-server"]));
    build.map_or_else(Outcome::Broken, Outcome::Single)
}

/// All tests of all crates. The dialogues, the tests on running servers and the fuzzer have steps of their own and are left out here.
fn unit_step() -> Outcome {
    let apart = ["litmus", "serializability", "crash", "fuzz"].map(|name| ["--exclude", name]);
    cargo_test(&[&["--workspace"], apart.as_flattened(), &["--", "--skip", "dialogues_hold_for"]].concat())
}

/// What concurrent clients may rely on, on the running server with several shards and both back ends. One test at a time, for
/// their threads are to meet each other.
fn litmus_step() -> Outcome {
    if Program::Weft.find().is_none() {
        return Outcome::Skipped("weft-server is not built".into());
    }
    cargo_test(&["--package", "litmus", "--", "--test-threads", "1"])
}

/// Long random histories of the running server are strictly serializable, and faults planted in it are found. One test at a time, for
/// the clients are to keep the server busy.
fn serializability_step() -> Outcome {
    if Program::Weft.find().is_none() || Program::redis().find().is_none() {
        return Outcome::Skipped("weft-server is not built, or there is no redis-server".into());
    }
    with_planted(|| cargo_test(&["--package", "serializability", "--", "--test-threads", "1"]))
}

/// Servers that are killed, or whose disk fails. One test at a time, for they need the disk.
fn crash_step() -> Outcome {
    if Program::Weft.find().is_none() {
        return Outcome::Skipped("weft-server is not built".into());
    }
    with_planted(|| cargo_test(&["--package", "crash", "--", "--test-threads", "1"]))
}

/// Runs something with the server that has faults at hand.
fn with_planted(run_tests: fn() -> Outcome) -> Outcome {
    match run(&mut command("cargo", &["build", "--profile", "fast", "--package", "planted"])) {
        Ok(true) => run_tests(),
        Ok(false) => Outcome::Broken("the server with faults does not build".into()),
        Err(why) => Outcome::Broken(why),
    }
}

/// Random commands and bytes, hostile clients. `WEFT_FUZZ_SECONDS` says for how long.
fn fuzz_step() -> Outcome {
    cargo_test(&["--package", "fuzz"])
}

/// The same random sequences and the same broken requests to our server and to redis-server, which must answer alike.
fn differential_step() -> Outcome {
    let program = Program::redis();
    if program.find().is_none() || Program::Weft.find().is_none() {
        return Outcome::Skipped("redis-server or weft-server is not there".into());
    }
    let build = run(&mut command("cargo", &["build", "--profile", "fast", "--package", "fuzz"]));
    if !matches!(build, Ok(true)) {
        return Outcome::Broken(build.err().unwrap_or_else(|| "the player does not build".into()));
    }
    let mut tally = Tally::default();
    for options in [
        &["--seed", "1", "--seeds", "250", "--shards", "1"][..],
        &["--seed", "251", "--seeds", "250", "--shards", "4"],
        &["--malformed", "--shards", "4"],
    ] {
        let arguments =
            [&["run", "--quiet", "--profile", "fast", "--package", "fuzz", "--"], options].concat();
        match run(&mut command("cargo", &arguments)) {
            Ok(true) => tally.passed += 1,
            Ok(false) => tally.failed += 1,
            Err(why) => return Outcome::Broken(why),
        }
    }
    Outcome::Counted(tally)
}

fn cargo_test(arguments: &[&str]) -> Outcome {
    cargo_test_with(arguments, [])
}

/// The same with variables of the environment.
pub fn cargo_test_with<const N: usize>(arguments: &[&str], settings: [(&str, String); N]) -> Outcome {
    let arguments = [&["test", "--profile", "fast", "--no-fail-fast"], arguments].concat();
    let ran = match run_shown(command("cargo", &arguments).envs(settings)) {
        Ok(ran) => ran,
        Err(why) => return Outcome::Broken(why),
    };
    let tally = cargo_tally(&ran.output);
    if !ran.success && tally.failed == 0 {
        return Outcome::Broken("cargo test failed without a failed test".into());
    }
    Outcome::Counted(tally)
}

/// What the closing lines of `cargo test` say.
pub fn cargo_tally(output: &str) -> Tally {
    let mut tally = Tally::default();
    for line in output.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        tally.passed += count_before(line, " passed");
        tally.failed += count_before(line, " failed");
        tally.skipped += count_before(line, " ignored");
    }
    tally
}

fn spec_step(peer: Peer) -> Outcome {
    if !peer.is_available() {
        return Outcome::Skipped(format!("{} is not there", peer.name));
    }
    let options = Options {
        directory: spec_task::directory(),
        peers: vec![peer],
        filters: vec![],
        workers_max: spec_task::WORKERS_MAX,
        record: false,
    };
    match suite::run(&options) {
        Ok(tally) if tally.passed == 0 && tally.failed == 0 => {
            Outcome::Broken("no dialogue was replayed".into())
        }
        Ok(tally) => Outcome::Counted(tally),
        Err(error) => Outcome::Broken(error.to_string()),
    }
}

/// The number that stands right before a word: 12 in `12 passed`.
pub fn count_before(line: &str, word: &str) -> usize {
    let Some(at) = line.find(word) else { return 0 };
    let start = line[..at].rfind(|c: char| !c.is_ascii_digit()).map_or(0, |before| before + 1);
    line[start..at].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::count_before;

    #[test]
    fn numbers_are_read_from_summaries() {
        let cargo = "ok. 14 passed; 2 failed; 0 ignored; 0 measured";
        assert_eq!((count_before(cargo, " passed"), count_before(cargo, " failed")), (14, 2));
        assert_eq!(count_before("1 failed, 23 passed in 0.55s", " passed"), 23);
        assert_eq!(count_before("23 passed in 0.55s", " error"), 0);
    }
}
