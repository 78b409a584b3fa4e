//! redis-py's own tests of search, JSON and vector sets, against our server with one shard and with four, in RESP2 and RESP3.
//!
//! They come with its source distribution and are not part of ours. What is expected to fail, and why, stands in
//! `tests/clients/redis_py_suite/expected.txt`; a test named there that passes is a failure.

use crate::clients::{bounded, judged, pytest_tally};
use crate::command_line::run_shown;
use crate::provision;
use crate::test::Outcome;
use spec::Tally;
use std::path::Path;
use std::process::Command;
use testkit::Server;

/// Below the suite's directory `tests`.
const FILES: &[&str] = &[
    "test_search.py",
    "test_search_aggregation.py",
    "test_search_querystring.py",
    "test_search_result.py",
    "test_json.py",
    "test_vsets.py",
    "test_asyncio/test_search.py",
    "test_asyncio/test_json.py",
    "test_asyncio/test_vsets.py",
];
/// What clients ask for; nothing is redis-py's usual, which is RESP3 with replies as in RESP2.
const PROTOCOLS: &[&[&str]] = &[&[], &["--protocol", "2"]];

/// The step.
pub fn step() -> Outcome {
    let (python, suite) = match provision::redis_py_suite() {
        Ok(installed) => installed,
        Err(why) => return Outcome::Broken(why),
    };
    let mut total = Tally::default();
    for shards in ["1", "4"] {
        let server = Server::weft(&["--shards", shards]);
        for protocol in PROTOCOLS {
            match run_shown(pytest(&python, &suite, server.port(), protocol).env("WEFT_SHARDS", shards)) {
                Ok(ran) => total.add(judged(&ran, pytest_tally(&ran.output))),
                Err(why) => return Outcome::Broken(why),
            }
        }
    }
    Outcome::Counted(total)
}

fn pytest(python: &Path, suite: &Path, port: u16, protocol: &[&str]) -> Command {
    let url = format!("redis://127.0.0.1:{port}");
    let fixed =
        ["-m", "pytest", "-q", "-p", "as_if_newest", "-p", "no:cacheprovider", "-o", "filterwarnings=ignore"];
    let servers = ["--redis-url", &url, "--redis-mod-url", &url];
    let mut pytest = bounded(python.as_os_str(), &[&fixed[..], &servers, protocol].concat());
    pytest.args(FILES.iter().map(|file| format!("tests/{file}"))).current_dir(suite);
    pytest.env("PYTHONPATH", crate::root().join("tests/clients/redis_py_suite"));
    pytest.env("PYTHONDONTWRITEBYTECODE", "1");
    pytest
}
