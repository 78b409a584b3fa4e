//! The first base of append-only files is being made: before it is there the data is nowhere, so the server does not end, as redis-server does not.
#![forbid(unsafe_code)]

use crash::FaultyServer;
use std::process::Command;
use std::time::Duration;
use testkit::{await_info, await_true};

/// A server with data that has been told to append, and whose disk takes its time for the base.
fn appending(name: &str) -> FaultyServer {
    let faulty = FaultyServer::start(name, &["--shards", "3"]);
    let mut client = faulty.server.client();
    assert!(client.run("MSET a 1 b 2 c 3").is_ok());
    faulty.fail("sync -1 temp-weft");
    assert!(client.run("CONFIG SET appendonly yes").is_ok());
    await_info(&mut client, "aof_rewrite_in_progress", "1");
    faulty
}

#[test]
fn the_end_waits_for_it() {
    let mut faulty = appending("first-base");
    let mut client = faulty.server.client();
    for line in ["SHUTDOWN", "SHUTDOWN NOSAVE", "SHUTDOWN NOW"] {
        assert_eq!(
            client.run(line).to_string(),
            "(error) ERR Errors trying to SHUTDOWN. Check logs.",
            "{line}"
        );
    }
    let refusals = |log: String| log.matches("Writing initial AOF, can't exit.").count();
    let before = refusals(faulty.server.log());
    assert_eq!(before, 3);
    for tries in 1..3 {
        let pid = faulty.server.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill is there").success());
        await_true("the log says why", || refusals(faulty.server.log()) == before + tries);
        assert!(client.run("SET d 4").is_ok());
    }
    faulty.fail("");
    await_info(&mut client, "aof_rewrite_in_progress", "0");
    faulty.server.stop().expect("it ends");
    faulty.server.restart().expect("it starts");
}

#[test]
fn force_ends_it_all_the_same() {
    let mut faulty = appending("first-base-forced");
    let mut client = faulty.server.client();
    drop(client.try_cmd(&["SHUTDOWN", "NOSAVE", "FORCE"]));
    let status = faulty.server.wait_exit(Duration::from_secs(10)).expect("it ends");
    assert_eq!(status.code(), Some(0));
    assert!(faulty.server.log().contains("Writing initial AOF. Exit anyway."));
}
