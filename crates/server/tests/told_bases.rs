//! Append-only files whose base is told as commands, and in which times are noted: read again by this server and by Redis's own programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use testkit::{Client, Program, Server, await_info};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");
const TOLD: [&str; 10] = [
    "--appendonly",
    "yes",
    "--aof-use-rdb-preamble",
    "no",
    "--aof-timestamp-enabled",
    "yes",
    "--enable-debug-command",
    "yes",
    "--appendfsync",
    "always",
];

fn server(settings: &[&str]) -> Server {
    Server::start(&Program::Peer(WEFT.into()), &[&TOLD[..], settings].concat()).expect("weft-server starts")
}

fn server_in(directory: &Path, shards: &str) -> Server {
    server(&["--shards", shards, "--dir", directory.to_str().expect("a plain name")])
}

fn digest(client: &mut Client) -> String {
    client.run("DEBUG DIGEST").string().expect("a digest")
}

fn rewrite(client: &mut Client) {
    let before = testkit::info(client, "aof_rewrites");
    assert!(!client.run("BGREWRITEAOF").is_error());
    let after = before.parse::<u64>().expect("a number") + 1;
    await_info(client, "aof_rewrites", &after.to_string());
    assert_eq!(testkit::info(client, "aof_last_bgrewrite_status"), "ok");
}

fn fill(client: &mut Client) {
    for db in [3, 0] {
        assert!(client.run(&format!("SELECT {db}")).is_ok());
        client.run("DEL large:list");
        for n in 0..100 {
            let lines = [
                format!("SET text:{n} value-{n}"),
                format!("SET timed:{n} v PXAT 99999999999{n:03}"),
                format!("RPUSH list:{n} a b {n}"),
                format!("SADD set:{n} x {n} y"),
                format!("HSET hash:{n} f {n} g w"),
                format!("PEXPIREAT hash:{n} 99999999999{n:03}"),
                format!("ZADD zset:{n} 1.5 a {n} b -inf c 0.1 d"),
                format!("XADD stream:{n} {}-1 f {n}", n + 1),
                format!("XGROUP CREATE stream:{n} g 0"),
                format!("PFADD hll:{n} a b {n}"),
            ];
            for line in &lines {
                let reply = client.run(line);
                assert!(!reply.is_error() || line.starts_with('X'), "{line}: {reply:?}");
            }
        }
        for n in 0..1000 {
            client.run(&format!("RPUSH large:list {n}"));
            client.run(&format!("SADD large:set m{n}"));
            client.run(&format!("HSET large:hash f{n} {n}"));
            client.run(&format!("ZADD large:zset {n} m{n}"));
        }
        // Too long for its packed form, which knows no -0.
        client.run(&format!("ZADD signed:zset 0 a -0 {} -0 b 0.0 c", "long".repeat(20)));
        client.cmd(&["SET", "large:text", &"t\r\n".repeat(700_000)]);
    }
    let library = "#!lua name=lib\nredis.register_function('f', function() return 7 end)";
    assert!(!client.cmd(&["FUNCTION", "LOAD", "REPLACE", library]).is_error());
}

fn files(directory: &Path, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.join("appendonlydir")).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.to_string_lossy().ends_with(end)).collect()
}

/// Runs redis-check-aof, if it is there; whether it has found fault.
fn check(arguments: &[&str]) {
    if let Ok(output) = Command::new("redis-check-aof").args(arguments).output() {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_base_of_commands_is_read_by_everybody() {
    for shards in ["1", "3"] {
        let mut first = server(&["--shards", shards, "--appendfsync", "everysec"]);
        let mut client = first.client();
        fill(&mut client);
        rewrite(&mut client);
        client.run("SELECT 3");
        client.run("FLUSHDB");
        fill(&mut client);
        client.run("DEL text:1 list:2");
        let before = digest(&mut client);
        assert!(client.run("DEBUG LOADAOF").is_ok());
        assert_eq!(digest(&mut client), before);
        rewrite(&mut client);
        client.run("SET more 1");
        let before = digest(&mut client);
        assert!(client.run("DEBUG LOADAOF").is_ok());
        let bases = files(first.directory(), ".base.aof");
        assert_eq!((bases.len(), files(first.directory(), ".base.rdb").len()), (1, 0));
        let base = fs::read(&bases[0]).expect("a base");
        assert!(base.starts_with(b"#TS:1") && base.len() > 4_000_000);
        first.kill();
        assert!(files(first.directory(), "").iter().all(|path| !path.to_string_lossy().contains("temp")));
        let manifest = first.directory().join("appendonlydir/appendonly.aof.manifest");
        check(&[manifest.to_str().expect("a plain name")]);
        for again in [shards, "2"] {
            let mut second = server_in(first.directory(), again);
            let mut client = second.client();
            assert_eq!(digest(&mut client), before);
            assert_eq!(client.run("FCALL f 0").integer(), Some(7));
            assert_eq!(client.run("EXISTS text:1 list:2 more").integer(), Some(1));
            second.kill();
        }
        if Program::redis().find().is_some() {
            let directory = first.directory().to_str().expect("a plain name");
            let settings = ["--dir", directory, "--appendonly", "yes", "--enable-debug-command", "yes"];
            let redis = Server::redis(&settings);
            assert_eq!(digest(&mut redis.client()), before);
        }
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

#[test]
fn files_are_cut_at_a_time() {
    let mut first = server(&["--shards", "1"]);
    let mut client = first.client();
    client.run("SET early 1");
    client.run("MULTI");
    client.run("SET also 1");
    client.run("INCR early");
    client.run("EXEC");
    std::thread::sleep(Duration::from_millis(1100));
    let until_s = now_s();
    std::thread::sleep(Duration::from_millis(1100));
    client.run("SET late 1");
    first.stop().expect("it ends");
    let manifest = first.directory().join("appendonlydir/appendonly.aof.manifest");
    let manifest = manifest.to_str().expect("a plain name");
    let log = files(first.directory(), ".incr.aof").remove(0);
    let text = fs::read(&log).expect("a log");
    let times = text.windows(4).filter(|window| window == b"#TS:").count();
    assert!((2..=3).contains(&times), "{times}");
    if Program::redis().find().is_none() {
        return;
    }
    check(&["--truncate-to-timestamp", &until_s.to_string(), manifest]);
    let second = server_in(first.directory(), "1");
    let mut client = second.client();
    assert_eq!(client.run("EXISTS early also").integer(), Some(2));
    assert_eq!(client.run("GET early").string().as_deref(), Some("2"));
    assert_eq!(client.run("EXISTS late").integer(), Some(0));
}

/// With several shards, whatever ends a generation on the way.
#[test]
fn times_are_read_over() {
    let mut first = server(&["--shards", "3", "--appendfsync", "everysec"]);
    let mut client = first.client();
    let begun_s = now_s();
    while now_s() < begun_s + 3 {
        for n in 0..20 {
            client.run(&format!("INCR count:{n}"));
            client.run(&format!("MSET a{n} 1 b{n} 2 c{n} 3"));
        }
        client.run("MULTI");
        client.run("RENAME a1 z1");
        client.run("INCR count:1");
        client.run("EXEC");
        std::thread::sleep(Duration::from_millis(50));
    }
    client.run("SELECT 5");
    client.run("SET gone 1");
    client.run("FLUSHDB");
    client.run("SET here 1");
    let before = digest(&mut client);
    assert!(client.run("DEBUG LOADAOF").is_ok());
    assert_eq!(digest(&mut client), before);
    first.stop().expect("it ends");
    for shards in ["3", "2"] {
        let mut second = server_in(first.directory(), shards);
        assert_eq!(digest(&mut second.client()), before);
        second.stop().expect("it ends");
    }
}
