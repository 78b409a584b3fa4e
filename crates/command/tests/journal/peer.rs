//! The cases beside what redis-server 7.0 writes, where it is installed.

use crate::bed::{Bed, NOW_MS, line, words};
use crate::{Case, cases, journalling};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use testkit::{Program, Server};

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_millis() as u64
}

fn incremental_file(server: &Server) -> PathBuf {
    let directory = server.directory().join("appendonlydir");
    let files =
        std::fs::read_dir(&directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let is_incremental = |path: &Path| {
        path.extension().is_some_and(|it| it == "aof") && path.to_string_lossy().contains(".incr.")
    };
    let mut found: Vec<_> = files.filter(|path| is_incremental(path)).collect();
    assert_eq!(found.len(), 1, "one file is written to");
    found.remove(0)
}

/// Requests as lines of words, but for what only frames them.
fn commands(bytes: &[u8]) -> Vec<String> {
    let (mut all, mut rest) = (Vec::new(), bytes);
    while let Ok(Some((value, used))) = testkit::decode(rest) {
        rest = &rest[used..];
        let testkit::Value::Array(words) = value else { panic!("a request") };
        let words: Vec<_> = words.iter().map(|word| word.string().expect("a word")).collect();
        let is_frame = ["SELECT", "MULTI", "EXEC"].contains(&words[0].to_uppercase().as_str());
        if !is_frame {
            all.push(words.join(" "));
        }
    }
    assert!(rest.is_empty(), "whole requests");
    all
}

/// Times that are about now are taken for as long before or after the time of the cases, in whole seconds.
fn at_time_of_cases(word: &str, now_ms: u64) -> String {
    let (digits, rest) = word.split_at(word.find('-').unwrap_or(word.len()));
    let Some(ms) = digits.parse::<u64>().ok().filter(|ms| ms.abs_diff(now_ms) < 1_000_000) else {
        return word.to_owned();
    };
    let offset_ms = (ms as i64 - now_ms as i64 + 500).div_euclid(1000) * 1000;
    format!("{}{rest}", NOW_MS as i64 + offset_ms)
}

/// Names of commands and words that Redis writes in lower case, or as they were given.
fn comparable(line: &str, now_ms: u64) -> String {
    let words = line.split(' ').map(|word| at_time_of_cases(word, now_ms));
    words.collect::<Vec<_>>().join(" ").to_uppercase()
}

fn check(server: &Server, case: &Case) -> Result<(), String> {
    let (mut client, file) = (server.client(), incremental_file(server));
    client.run("FLUSHALL");
    case.before.iter().for_each(|line| {
        client.run(line);
    });
    let before = std::fs::metadata(&file).expect("a file").len() as usize;
    let now_ms = now_ms();
    let reply = client.cmd(&words(case.command));
    if reply.is_error() {
        return Err(format!("{reply:?}"));
    }
    let bytes = std::fs::read(&file).expect("a file");
    let found: Vec<_> = commands(&bytes[before..]).iter().map(|line| comparable(line, now_ms)).collect();
    let expected: Vec<_> = case.of_redis.iter().map(|line| line.to_uppercase()).collect();
    if found == expected { Ok(()) } else { Err(found.join(" ; ")) }
}

#[test]
fn redis_server_writes_the_same_or_what_is_said() {
    if Program::redis().find().is_none() {
        return;
    }
    let server = Server::redis(&["--save", "", "--appendonly", "yes", "--appendfsync", "no"]);
    let mut problems = Vec::new();
    for case in cases().filter(|case| case.since.is_none()) {
        if let Err(problem) = check(&server, &case) {
            problems.push(format!("{} => {problem}", case.command));
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// What redis-server 7.0 cannot load: values that it cannot have.
const NEWER: &[&str] = &[
    "HPEXPIREAT",
    "HPERSIST",
    "HSETEX",
    "LMOVEM",
    "XACKDEL",
    "XCFGSET",
    "XDELEX",
    "XIDMPRECORD",
    "XNACK",
    "ACKED",
    "ARSET",
    "ARMSET",
    "ARINSERT",
    "ARRING",
    "VADD",
    "VREM",
    "VSETATTR",
    "FT.CREATE",
    "FT.SUGADD",
    "FT.SUGDEL",
    "PFDEBUG",
    "JSON.SET",
    "JSON.MSET",
    "JSON.MERGE",
];

/// The same with times to live far away, whenever this runs.
fn with_late_times(mut words: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let at = match words[0].as_slice() {
        b"SET" => words.iter().position(|word| word == b"PXAT").map(|index| index + 1),
        b"PEXPIREAT" => Some(2),
        _ => None,
    };
    at.into_iter().for_each(|index| words[index] = b"4900000000000".to_vec());
    words
}

/// Plays what was written down of a case; whether there is anything that it can load.
fn load(server: &Server, case: &Case) -> Result<bool, String> {
    let mut bed: Bed = journalling(1, &[]);
    case.before.iter().chain([&case.command]).for_each(|line| _ = bed.ask(line));
    let written = bed.take();
    let is_newer = |word: &Vec<u8>| NEWER.iter().any(|newer| newer.as_bytes() == word);
    if written.iter().any(|(_, words)| words.iter().any(is_newer)) {
        return Ok(false);
    }
    let mut client = server.client();
    client.run("FLUSHALL");
    for (db, words) in written {
        client.run(&format!("SELECT {db}"));
        let reply = client.cmd(&with_late_times(words.clone()));
        if reply.is_error() {
            return Err(format!("{}: {reply:?}", line(&words)));
        }
    }
    let (expected, found) = (bed.digest(), client.run("DEBUG DIGEST").string());
    if found.as_deref() == Some(&expected) { Ok(true) } else { Err(format!("{expected} {found:?}")) }
}

#[test]
fn redis_server_makes_the_same_data_of_what_is_written() {
    if Program::redis().find().is_none() {
        return;
    }
    let server = Server::redis(&["--save", "", "--enable-debug-command", "yes"]);
    let (mut problems, mut loaded) = (Vec::new(), 0);
    for case in cases() {
        match load(&server, &case) {
            Ok(did) => loaded += usize::from(did),
            Err(problem) => {
                problems.push(format!("{} ; {} => {problem}", case.before.join(" ; "), case.command))
            }
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    assert!(loaded > 150, "{loaded}");
}
