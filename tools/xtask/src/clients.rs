//! Real clients against running servers: our own with one shard and with four, and redis-server to prove the tests themselves.
//!
//! A client that cannot be installed fails its step, and a run that does not end is stopped after [`SECONDS_MAX`].

use crate::command_line::{Ran, command, run, run_shown};
use crate::provision;
use crate::test::{Outcome, cargo_tally, count_before};
use spec::Tally;
use std::ffi::OsStr;
use std::process::Command;
use testkit::{Program, Server};

/// How long one client may take against one server, in seconds. They need less than 60, on a busy machine too.
const SECONDS_MAX: &str = "300";

/// redis-py, through pytest.
pub fn redis_py() -> Outcome {
    provision::python()
        .map_or_else(Outcome::Broken, |python| pytest(python.as_os_str(), "tests/clients/redis_py"))
}

/// redis-cli and redis-benchmark, through pytest.
pub fn redis_tools() -> Outcome {
    if let Err(why) = provision::redis_server() {
        return Outcome::Broken(why);
    }
    provision::python()
        .map_or_else(Outcome::Broken, |python| pytest(python.as_os_str(), "tests/clients/redis_tools"))
}

fn pytest(python: &OsStr, directory: &str) -> Outcome {
    on_each_server(
        || {
            let options = ["-m", "pytest", "-q", "-p", "no:cacheprovider", directory];
            let mut pytest = bounded(python, &options);
            pytest.env("PYTHONDONTWRITEBYTECODE", "1");
            pytest
        },
        pytest_tally,
    )
}

/// What the last line of pytest's report says. What is expected to fail, and does, counts as left out.
pub fn pytest_tally(output: &str) -> Tally {
    let summary = output.lines().last().unwrap_or_default();
    Tally {
        passed: count_before(summary, " passed"),
        failed: count_before(summary, " failed") + count_before(summary, " error"),
        skipped: count_before(summary, " skipped") + count_before(summary, " xfailed"),
    }
}

/// ioredis, node-redis and what is built on them (BullMQ, locks, limiters), through Node's own test runner.
pub fn node() -> Outcome {
    let packages = match provision::node() {
        Ok(packages) => packages,
        Err(why) => return Outcome::Broken(why),
    };
    let files =
        ["ioredis", "node_redis", "caching", "coordination", "scripts", "streams", "pubsub", "bullmq"]
            .map(|name| format!("tests/clients/node/{name}.test.js"));
    on_each_server(
        || {
            let options = ["--test", "--test-reporter=tap", "--test-concurrency=1"];
            let mut node =
                bounded(OsStr::new("node"), &[&options[..], &files.each_ref().map(String::as_str)].concat());
            node.env("NODE_PATH", &packages);
            node
        },
        node_tally,
    )
}

/// What the closing lines of a TAP report say: `# pass 60`.
fn node_tally(output: &str) -> Tally {
    let number = |what: &str| {
        let line = output.lines().rev().find_map(|line| line.strip_prefix(what));
        line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    };
    let (failed, cancelled) = (number("# fail "), number("# cancelled "));
    Tally { passed: number("# pass "), failed: failed + cancelled, skipped: number("# skipped ") }
}

/// redis-rs, in a workspace of its own so that its dependencies stay out of ours. Building it is not part of the bounded time.
pub fn redis_rs() -> Outcome {
    if let Err(why) = provision::crates_of_redis_rs() {
        return Outcome::Broken(why);
    }
    let manifest = "tests/clients/redis_rs/Cargo.toml";
    let test = ["test", "--quiet", "--locked", "--test", "client", "--target-dir", "target/redis-rs"];
    let test = [&test[..], &["--manifest-path", manifest]].concat();
    match run(command("cargo", &test).arg("--no-run")) {
        Ok(true) => on_each_server(|| bounded(OsStr::new("cargo"), &test), cargo_tally),
        Ok(false) => Outcome::Broken("tests/clients/redis_rs does not build".into()),
        Err(why) => Outcome::Broken(why),
    }
}

/// A program that is stopped after [`SECONDS_MAX`].
pub fn bounded(program: &OsStr, arguments: &[&str]) -> Command {
    let mut all = vec![OsStr::new(SECONDS_MAX), program];
    all.extend(arguments.iter().map(OsStr::new));
    command("timeout", &all)
}

/// Runs a client, which finds the port in `WEFT_PORT`, and adds up what `tally` reads from its output.
fn on_each_server(client: impl Fn() -> Command, tally: impl Fn(&str) -> Tally) -> Outcome {
    let mut total = Tally::default();
    let servers = [
        (Program::redis(), vec![]),
        (Program::Weft, vec!["--shards", "1"]),
        (Program::Weft, vec!["--shards", "4"]),
    ];
    for (program, arguments) in servers {
        let server = match Server::start(&program, &arguments) {
            Ok(server) => server,
            Err(error) => return Outcome::Broken(error.to_string()),
        };
        match run_shown(client().env("WEFT_PORT", server.port().to_string())) {
            Ok(ran) => total.add(judged(&ran, tally(&ran.output))),
            Err(why) => return Outcome::Broken(why),
        }
    }
    Outcome::Counted(total)
}

/// A run that failed, or in which no test ran, counts as a failure whatever its output says.
pub fn judged(ran: &Ran, mut tally: Tally) -> Tally {
    if !ran.success || tally.passed == 0 {
        tally.failed = tally.failed.max(1);
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::{judged, node_tally, pytest_tally};
    use crate::command_line::Ran;
    use spec::Tally;

    #[test]
    fn reports_of_node_are_read() {
        let tally = node_tally("ok 1 - a\n# tests 5\n# pass 2\n# fail 1\n# cancelled 1\n# skipped 1\n");
        assert_eq!((tally.passed, tally.failed, tally.skipped), (2, 2, 1));
    }

    #[test]
    fn reports_of_pytest_are_read() {
        let tally = pytest_tally(
            "FAILED a\n3 failed, 40 passed, 2 skipped, 5 xfailed, 1 xpassed, 2 errors in 3.10s\n",
        );
        assert_eq!((tally.passed, tally.failed, tally.skipped), (40, 5, 7));
    }

    #[test]
    fn a_run_without_tests_is_a_failure() {
        let ran = |success| Ran { success, output: String::new() };
        let passed = |passed| Tally { passed, ..Tally::default() };
        assert_eq!(judged(&ran(true), passed(0)).failed, 1);
        assert_eq!(judged(&ran(false), passed(3)).failed, 1);
        assert_eq!(judged(&ran(true), passed(3)).failed, 0);
    }
}
