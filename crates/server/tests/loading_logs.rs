//! Servers that have append-only files to play: what clients are told meanwhile, and that the end may come.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use testkit::{Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");
const KEYS: usize = 3000;
const PATIENCE: Duration = Duration::from_secs(20);

fn try_server(settings: &[&str]) -> std::io::Result<Server> {
    Server::start(&Program::Peer(WEFT.into()), &[&["--appendonly", "yes"], settings].concat())
}

fn server(settings: &[&str]) -> Server {
    try_server(settings).expect("weft-server starts")
}

/// Connects to a server that is about to start.
fn connect(socket: &Path) -> UnixStream {
    let begun = Instant::now();
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE)).expect("it can be set");
                return stream;
            }
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What it answers, empty if it says nothing more.
fn ask(stream: &mut UnixStream, line: &str) -> String {
    if stream.write_all(format!("{line}\r\n").as_bytes()).is_err() {
        return String::new();
    }
    let mut reply = vec![0; 16 * 1024];
    let len = stream.read(&mut reply).unwrap_or(0);
    String::from_utf8_lossy(&reply[..len]).into_owned()
}

fn figure(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("{name} is not in {text}")).parse().expect("a number")
}

/// All files of a directory, with what is in them.
fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(directory.join("appendonlydir")).expect("a directory");
    let mut all: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.clone(), fs::read(path).expect("it can be read")))
        .collect();
    all.sort();
    all
}

/// A directory with a base and files behind it, written by so many shards, or by redis-server (0). `in_one_go`: only files, of commands of
/// many keys.
fn written_by(shards: &str, in_one_go: bool) -> Server {
    let mut first = match shards {
        "0" => Server::redis(&["--appendonly", "yes"]),
        _ => server(&["--shards", shards]),
    };
    let mut client = first.client();
    let keys: Vec<usize> = (0..KEYS).collect();
    let at_once = if in_one_go { 500 } else { 1 };
    for (place, some) in keys.chunks(at_once).enumerate() {
        if place == KEYS / 4 {
            assert!(!client.run("BGREWRITEAOF").is_error());
        }
        let words = some.iter().flat_map(|n| [format!("key:{n}"), format!("value-{n}")]);
        let words: Vec<String> = std::iter::once("MSET".to_owned()).chain(words).collect();
        assert!(client.cmd(&words).is_ok());
    }
    let begun = Instant::now();
    while !client.run("INFO persistence").string().expect("text").contains("aof_rewrite_in_progress:0") {
        assert!(begun.elapsed() < PATIENCE, "the rewrite does not end");
    }
    first.stop().expect("it ends");
    first
}

fn settings<'a>(directory: &'a str, socket: &'a Path, shards: &'a str, delay_us: &'a str) -> Vec<&'a str> {
    let socket = socket.to_str().expect("a plain name");
    let place = ["--dir", directory, "--unixsocket", socket];
    [&place[..], &["--shards", shards, "--key-load-delay", delay_us, "--save", "1 1"]].concat()
}

fn has_redis() -> bool {
    Program::redis().find().is_some()
}

#[test]
fn clients_are_told_while_files_are_played() {
    for (written, shards) in [("1", "1"), ("3", "3"), ("3", "2"), ("0", "2"), ("0", "1")] {
        if written == "0" && !has_redis() {
            eprintln!("not tried: no redis-server");
            continue;
        }
        let first = written_by(written, false);
        let directory = first.directory().to_str().expect("a plain name");
        let socket = first.directory().join("socket");
        let is_data = |(path, bytes): &(PathBuf, Vec<u8>)| {
            (!path.to_string_lossy().ends_with(".manifest")).then_some(bytes.len() as u64)
        };
        let total: u64 = contents(first.directory()).iter().filter_map(is_data).sum();
        let settings = settings(directory, &socket, shards, "500");
        let server = std::thread::scope(|scope| {
            let server = scope.spawn(|| server(&settings));
            // New connections go from shard to shard; some of these wait for others.
            let mut streams: Vec<_> = (0..3).map(|_| connect(&socket)).collect();
            for (place, line) in
                ["PING", "GET key:1", "DBSIZE", "FLUSHALL", "SET a b", "BGREWRITEAOF", "EVAL return 0"]
                    .into_iter()
                    .enumerate()
            {
                let reply = ask(&mut streams[place % 3], line);
                let told = "-LOADING Redis is loading the dataset in memory\r\n";
                assert_eq!(reply, told, "{written} to {shards}: {line}");
            }
            let (mut seen, mut last) = (BTreeSet::new(), 0);
            for turn in 0.. {
                let text = ask(&mut streams[turn % 3], "INFO persistence");
                if figure(&text, "loading") == 0 {
                    break;
                }
                let now = figure(&text, "loading_loaded_bytes");
                assert_eq!(figure(&text, "loading_total_bytes"), total, "{written} to {shards}");
                assert!(now >= last && now <= total, "{written} to {shards}: {last}, {now}, {total}");
                last = now;
                seen.insert(now);
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(seen.len() > 20, "{written} to {shards}: {seen:?}");
            server.join().expect("it starts")
        });
        let mut client = server.client();
        assert_eq!(client.run("DBSIZE").integer(), Some(KEYS as i64));
        assert_eq!(client.run("GET key:2999").string().as_deref(), Some("value-2999"));
        assert!(client.run("SET more 1").is_ok());
    }
}

/// Whether all is played, but for what stands behind the last command of a file.
fn is_played(text: &str) -> bool {
    figure(text, "loading_loaded_bytes") * 10 > figure(text, "loading_total_bytes") * 9
}

/// How the end is asked for.
fn end(stream: &mut UnixStream, pid: u64, how: &str) {
    match how {
        "SHUTDOWN" => assert_eq!(ask(stream, how), ""),
        signal => {
            let sent = std::process::Command::new("kill").args([signal, &pid.to_string()]).status();
            assert!(sent.expect("it is there").success());
        }
    }
}

#[test]
fn the_end_may_come_while_files_are_played_and_keys_dealt_out() {
    // To play what was written in one go takes no time; to deal it out does.
    for (written, shards, in_one_go) in
        [("2", "2", false), ("3", "2", false), ("3", "2", true), ("1", "1", false)]
    {
        let first = written_by(written, in_one_go);
        let before = contents(first.directory());
        let directory = first.directory().to_str().expect("a plain name");
        let socket = first.directory().join("socket");
        // It would take a minute.
        let settings = settings(directory, &socket, shards, "20000");
        for how in ["-TERM", "-INT", "SHUTDOWN"] {
            let error = std::thread::scope(|scope| {
                let server = scope.spawn(|| try_server(&settings));
                let mut stream = connect(&socket);
                let pid = figure(&ask(&mut stream, "INFO server"), "process_id");
                let begun = Instant::now();
                while in_one_go && !is_played(&ask(&mut stream, "INFO persistence")) {
                    assert!(begun.elapsed() < PATIENCE, "it is not played");
                }
                end(&mut stream, pid, how);
                server.join().expect("it ends").err().expect("it does not become ready").to_string()
            });
            assert!(error.contains("exit status: 0"), "{written} to {shards}, {how}: {error}");
            assert!(contents(first.directory()) == before, "{written} to {shards}, {how}");
        }
    }
}
