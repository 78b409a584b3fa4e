//! Append-only files of a running server: what is there after it was killed, started with another number of shards, or by redis-server.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use testkit::{Client, Program, Server, Value, await_info, info};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");
/// Without snapshots, and with DEBUG.
const PLAIN: [&str; 6] = ["--appendonly", "yes", "--save", "", "--enable-debug-command", "yes"];

fn try_server(settings: &[&str]) -> std::io::Result<Server> {
    Server::start(&Program::Peer(WEFT.into()), &[&PLAIN[..], settings].concat())
}

fn server(settings: &[&str]) -> Server {
    try_server(settings).expect("weft-server starts")
}

/// One that goes on with the files of another.
fn try_server_in(directory: &Path, settings: &[&str]) -> std::io::Result<Server> {
    let directory = directory.to_str().expect("a plain name");
    try_server(&[&["--dir", directory], settings].concat())
}

fn server_in(directory: &Path, settings: &[&str]) -> Server {
    try_server_in(directory, settings).expect("weft-server starts")
}

fn digest(client: &mut Client) -> String {
    client.run("DEBUG DIGEST").string().expect("a digest")
}

/// The incremental files that have something in them, and the others.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.join("appendonlydir")).expect("a directory");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn largest_log(directory: &Path) -> PathBuf {
    let is_log = |path: &PathBuf| path.to_string_lossy().ends_with(".incr.aof");
    let len = |path: &PathBuf| fs::metadata(path).expect("a file").len();
    files(directory).into_iter().filter(is_log).max_by_key(len).expect("a log")
}

/// Commands of all kinds, some of which concern all shards or several.
fn fill(client: &mut Client, round: usize) {
    for n in 0..60 {
        let tag = format!("{{{}}}", n % 17);
        let lines = [
            format!("SET {tag}text:{n} value-{n}-{round}"),
            format!("INCRBY {tag}number:{n} {n}"),
            format!("SET {tag}timed:{n} x EX {}", 1000 + n),
            format!("RPUSH {tag}list:{n} a b {n}"),
            format!("LPOP {tag}list:{n}"),
            format!("SADD {tag}set:{n} 1 2 {n} w{n} x{round}"),
            format!("SPOP {tag}set:{n}"),
            format!("HSET {tag}hash:{n} f {n} g w"),
            format!("ZADD {tag}zset:{n} 1.5 a {n} b"),
            format!("XADD {tag}stream:{n} * f {n}"),
            format!("MSET {tag}m:{n} {n} other:{n} {n} third:{n} {round}"),
            format!("COPY {tag}text:{n} copy:{n} REPLACE"),
            format!("RENAME other:{n} renamed:{n}"),
            format!("SUNIONSTORE union:{n} {tag}set:{n} set:{}", n / 2),
        ];
        lines.iter().for_each(|line| drop(client.run(line)));
        client.pipeline(&[
            vec!["MULTI".to_owned()],
            vec!["INCR".to_owned(), format!("tx:{n}")],
            vec!["RPUSH".to_owned(), format!("{tag}tx-list:{n}"), format!("{round}")],
            vec!["EXEC".to_owned()],
        ]);
        let script = "redis.call('INCR', KEYS[1]); redis.call('APPEND', KEYS[2], 'x'); return 1";
        client.cmd(&["EVAL", script, "2", &format!("script:{n}"), &format!("{tag}script:{n}")]);
    }
    let library = "#!lua name=lib\nredis.register_function('f', function() return 7 end)";
    assert!(!client.cmd(&["FUNCTION", "LOAD", "REPLACE", library]).is_error());
    assert!(client.run("SELECT 9").is_ok());
    client.run(&format!("SET nine {round}"));
    assert!(client.run("SELECT 0").is_ok());
}

#[test]
fn other_numbers_of_shards_find_the_same() {
    let first = server(&["--shards", "1"]);
    let directory = first.directory().to_owned();
    let mut current = Some(first);
    let mut keep = Vec::new();
    for (round, shards) in ["1", "4", "3", "3", "1", "2", "2"].into_iter().enumerate() {
        if round > 0 {
            let before = current.take().map(|mut server: Server| {
                let mut client = server.client();
                let digest = digest(&mut client);
                if round % 2 == 0 {
                    server.stop().expect("it ends");
                } else {
                    // Written is enough, if only the process dies.
                    await_info(&mut client, "aof_buffer_length", "0");
                    server.kill();
                }
                keep.push(server);
                digest
            });
            let next = server_in(&directory, &["--shards", shards]);
            assert_eq!(Some(digest(&mut next.client())), before, "{shards} shards in round {round}");
            assert_eq!(next.client().run("FCALL f 0").integer(), Some(7));
            current = Some(next);
        }
        let server = current.as_ref().expect("one runs");
        let mut client = server.client();
        match round {
            2 => assert!(client.run("FLUSHDB").is_ok()),
            4 => assert!(client.run("SWAPDB 0 9").is_ok()),
            5 => assert!(client.run("FLUSHALL").is_ok()),
            _ => {}
        }
        fill(&mut client, round);
        if round % 3 == 0 {
            let begun = "Background append only file rewriting started";
            assert_eq!(client.run("BGREWRITEAOF").string().as_deref(), Some(begun));
            fill(&mut client, round + 10);
            await_info(&mut client, "aof_rewrite_in_progress", "0");
            assert_eq!(info(&mut client, "aof_last_bgrewrite_status"), "ok");
        }
    }
}

/// What one client has done: it sets a pair of keys of one shard, keys of several, in a transaction and without, and grows a list.
#[derive(Default)]
struct Told {
    pair: u64,
    several: u64,
    block: u64,
    list: u64,
}

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

/// Writes until the server is gone.
fn write_on(mut client: Client, writer: usize, told: &Mutex<Told>) {
    let mut n = 0;
    let mut ask = |words: &[String]| client.try_cmd(words).is_ok_and(|reply| !reply.is_error());
    loop {
        n += 1;
        let set = |name: String| vec!["SET".to_owned(), name, n.to_string()];
        if !ask(&set(format!("{{{writer}}}x"))) || !ask(&set(format!("{{{writer}}}y"))) {
            return;
        }
        told.lock().unwrap().pair = n;
        let mut several = vec!["MSET".to_owned()];
        KEYS.iter().for_each(|key| several.extend([format!("{key}:{writer}"), n.to_string()]));
        if !ask(&several) {
            return;
        }
        told.lock().unwrap().several = n;
        if !ask(&["MULTI".to_owned()])
            || !KEYS.iter().all(|key| ask(&set(format!("block:{key}:{writer}"))))
            || !ask(&["EXEC".to_owned()])
        {
            return;
        }
        told.lock().unwrap().block = n;
        if !ask(&["RPUSH".to_owned(), format!("list:{writer}"), n.to_string()]) {
            return;
        }
        told.lock().unwrap().list = n;
    }
}

fn number(client: &mut Client, key: &str) -> u64 {
    client.cmd(&["GET", key]).string().map_or(0, |text| text.parse().expect("a number"))
}

/// What must be there of what a client was told; what it was not told may be there, or not.
fn check(client: &mut Client, writer: usize, told: &Told, is_strict: bool) {
    let fits = |found: u64, told: u64| found <= told + 1 && (!is_strict || found >= told);
    let (x, y) = (number(client, &format!("{{{writer}}}x")), number(client, &format!("{{{writer}}}y")));
    assert!(y <= x && x <= y + 1 && fits(y, told.pair), "{x} and {y}: {}", told.pair);
    for (prefix, told) in [("", told.several), ("block:", told.block)] {
        let found: Vec<u64> =
            KEYS.iter().map(|key| number(client, &format!("{prefix}{key}:{writer}"))).collect();
        assert!(found.iter().all(|n| *n == found[0]) && fits(found[0], told), "{prefix} {found:?}: {told}");
    }
    let Value::Array(list) = client.cmd(&["LRANGE", &format!("list:{writer}"), "0", "-1"]) else {
        panic!("a list")
    };
    let list: Vec<u64> = list.iter().filter_map(|n| n.string()?.parse().ok()).collect();
    assert!(list.iter().copied().eq(1..=list.len() as u64), "without gaps, each once");
    assert!(fits(list.len() as u64, told.list), "{} elements: {}", list.len(), told.list);
}

/// Kills a server under load, again and again.
fn kill_under_load(settings: &[&str], is_strict: bool, rewrites: bool, load: Duration) {
    const WRITERS: usize = 6;
    for round in 0..3 {
        let mut first = server(settings);
        let told: Vec<Arc<Mutex<Told>>> = (0..WRITERS).map(|_| Arc::default()).collect();
        let writers: Vec<_> = told
            .iter()
            .enumerate()
            .map(|(writer, told)| {
                let (client, told) = (first.client(), Arc::clone(told));
                std::thread::spawn(move || write_on(client, writer, &told))
            })
            .collect();
        let begun = Instant::now();
        while begun.elapsed() < load {
            std::thread::sleep(load / 5);
            if rewrites {
                first.client().run("BGREWRITEAOF");
            }
        }
        std::thread::sleep(Duration::from_millis(round * 7));
        first.kill();
        writers.into_iter().for_each(|writer| writer.join().expect("it ends with the server"));
        for shards in [None, Some("3")] {
            let shards = shards.map_or_else(Vec::new, |shards| vec!["--shards", shards]);
            let again = server_in(first.directory(), &[settings, &shards].concat());
            let mut client = again.client();
            for (writer, told) in told.iter().enumerate() {
                check(&mut client, writer, &told.lock().unwrap(), is_strict);
            }
        }
    }
}

const LOAD: Duration = Duration::from_millis(250);

#[test]
fn with_always_nothing_that_was_acknowledged_is_lost() {
    for shards in ["1", "2", "4"] {
        kill_under_load(&["--shards", shards, "--appendfsync", "always"], true, false, LOAD);
    }
}

#[test]
fn otherwise_there_is_what_was_done_first_and_nothing_by_halves() {
    for policy in ["everysec", "no"] {
        kill_under_load(&["--shards", "3", "--appendfsync", policy], false, false, LOAD);
    }
}

#[test]
fn a_rewrite_loses_nothing_whenever_it_is_killed() {
    kill_under_load(&["--shards", "2", "--appendfsync", "always"], true, true, LOAD * 2);
    kill_under_load(&["--shards", "3"], false, true, LOAD * 2);
}

#[test]
fn what_is_torn_off_the_end_is_cut_and_damage_refuses_the_start() {
    let mut first = server(&["--shards", "1", "--appendfsync", "always"]);
    let mut client = first.client();
    (0..50).for_each(|n| assert!(client.run(&format!("SET key:{n} {n}")).is_ok()));
    (0..50).for_each(|n| drop(client.run(&format!("INCR key:{n}"))));
    first.stop().expect("it ends");
    let path = largest_log(first.directory());
    let whole = fs::read(&path).expect("it can be read");
    // Each inside of what a round has, in front of which there is always a line that may be missing without a trace.
    let inside = |text: &str| {
        whole.len() - whole.windows(text.len()).position(|it| it == text.as_bytes()).expect("it is there") - 3
    };
    for cut in [1, 3, 20, inside("key:20\r\n$"), inside("INCR\r\n$6\r\nkey:30"), inside("key:1\r\n")] {
        let torn = &whole[..whole.len() - cut];
        let refuses = || {
            fs::write(&path, torn).expect("it can be written");
            try_server_in(first.directory(), &["--shards", "1", "--aof-load-truncated", "no"])
        };
        // Where only a seal is torn, nothing is missing.
        assert!(refuses().is_err() || cut > 20, "{cut}");
        assert!(cut > 20 || fs::read(&path).expect("it is there") == torn, "it is left alone");
        restore(first.directory(), &path);
        fs::write(&path, torn).expect("it can be written");
        let again = server_in(first.directory(), &["--shards", "1"]);
        let mut client = again.client();
        let found: Vec<Option<u64>> =
            (0..50).map(|n| client.cmd(&["GET", &format!("key:{n}")]).string()?.parse().ok()).collect();
        let set = found.iter().take_while(|n| n.is_some()).count();
        assert!(found[set..].iter().all(Option::is_none), "{found:?}");
        let more = (0..).zip(&found).take_while(|(n, found)| **found == Some(n + 1)).count();
        assert!(found[more..set].iter().zip(more as u64..).all(|(found, n)| *found == Some(n)), "{found:?}");
        assert!(fs::metadata(&path).expect("a file").len() <= torn.len() as u64);
        drop(again);
        // What the next start has begun is nothing to this one.
        restore(first.directory(), &path);
    }
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    fs::write(&path, &damaged).expect("it can be written");
    let start = |bytes: &str| {
        let allows = "--aof-load-corrupt-tail-max-size";
        try_server_in(first.directory(), &["--shards", "1", allows, bytes])
    };
    for bytes in ["0", "10"] {
        assert!(start(bytes).is_err());
        assert_eq!(fs::read(&path).expect("it is there"), damaged, "it is left alone");
    }
    // Unless that much may be damaged: what stands in front of it is there.
    let again = start("1mb").expect("it starts");
    assert_eq!(again.client().run("GET key:0").string().as_deref(), Some("0"));
    assert!(fs::metadata(&path).expect("a file").len() <= whole.len() as u64 / 2);
}

/// The manifest lists only this file again.
fn restore(directory: &Path, log: &Path) {
    let name = log.file_name().expect("a name").to_string_lossy().into_owned();
    let manifest = directory.join("appendonlydir/appendonly.aof.manifest");
    let text = fs::read_to_string(&manifest).expect("it is there");
    let line = text.lines().find(|line| line.contains(&name)).expect("it is listed");
    fs::write(&manifest, format!("{line}\n")).expect("it can be written");
}

fn redis_in(directory: &Path) -> Server {
    let settings = ["--appendonly", "yes", "--save", "", "--enable-debug-command", "yes", "--dir"];
    let directory = directory.to_str().expect("a plain name");
    Server::start(&Program::redis(), &[&settings[..], &[directory]].concat()).expect("redis-server starts")
}

#[test]
fn redis_server_goes_on_with_our_files_and_we_with_its() {
    if Program::redis().find().is_none() {
        eprintln!("not tried: no redis-server");
        return;
    }
    for shards in ["1", "3"] {
        let mut ours = server(&["--shards", shards, "--appendfsync", "always"]);
        let directory = ours.directory().to_owned();
        let mut client = ours.client();
        fill(&mut client, 1);
        assert!(client.run("FLUSHDB").is_ok());
        fill(&mut client, 2);
        client.run("BGREWRITEAOF");
        fill(&mut client, 3);
        await_info(&mut client, "aof_rewrite_in_progress", "0");
        let before = digest(&mut client);
        ours.stop().expect("it ends");
        let mut theirs = redis_in(&directory);
        let mut client = theirs.client();
        assert_eq!(digest(&mut client), before, "{shards} shards");
        for n in 0..100 {
            client.run(&format!("SET theirs:{n} {n} PX 100000000"));
            client.run(&format!("SADD theirs:set {n}"));
            client.run("SPOP theirs:set");
        }
        let before = digest(&mut client);
        theirs.stop().expect("it ends");
        let mut ours = server_in(&directory, &["--shards", shards]);
        let mut client = ours.client();
        assert_eq!(digest(&mut client), before, "{shards} shards");
        client.run("SET again 1");
        let before = digest(&mut client);
        ours.stop().expect("it ends");
        assert_eq!(digest(&mut redis_in(&directory).client()), before, "{shards} shards");
    }
}

#[test]
fn a_file_of_before_redis_7_is_taken_over() {
    let first = server(&["--shards", "2"]);
    let directory = first.directory().to_owned();
    drop(first);
    let _ = fs::remove_dir_all(directory.join("appendonlydir"));
    fs::create_dir_all(&directory).expect("a directory");
    let old = directory.join("appendonly.aof");
    let commands = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n";
    fs::write(&old, commands).expect("it can be written");
    for _ in 0..2 {
        let server = server_in(&directory, &["--shards", "2"]);
        assert_eq!(server.client().run("GET a").string().as_deref(), Some("2"));
        assert!(!old.exists());
    }
    let _ = fs::remove_dir_all(directory);
}

#[test]
fn it_is_turned_on_and_off_while_clients_write() {
    let mut first = server(&["--shards", "3", "--appendonly", "no"]);
    let directory = first.directory().to_owned();
    let mut client = first.client();
    fill(&mut client, 1);
    assert_eq!(info(&mut client, "aof_enabled"), "0");
    let is_over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|writer| {
            let (mut client, is_over) = (first.client(), Arc::clone(&is_over));
            std::thread::spawn(move || {
                let mut n = 0;
                while !is_over.load(Ordering::Relaxed) {
                    n += 1;
                    client.run(&format!("INCR count:{writer}"));
                    client.run(&format!("MSET one:{writer} {n} two:{writer} {n} three:{writer} {n}"));
                }
            })
        })
        .collect();
    for _ in 0..3 {
        assert!(client.run("CONFIG SET appendonly yes").is_ok());
        await_info(&mut client, "aof_enabled", "1");
        let begun = Instant::now();
        while info(&mut client, "aof_pending_rewrite") != "0" {
            assert!(begun.elapsed() < Duration::from_secs(30));
        }
        await_info(&mut client, "aof_rewrite_in_progress", "0");
        assert!(client.run("CONFIG SET appendfsync always").is_ok());
        std::thread::sleep(Duration::from_millis(30));
        assert!(client.run("CONFIG SET appendfsync everysec").is_ok());
        assert!(client.run("CONFIG SET appendonly no").is_ok());
        assert_eq!(info(&mut client, "aof_enabled"), "0");
    }
    assert!(client.run("CONFIG SET appendonly yes").is_ok());
    let begun = Instant::now();
    while info(&mut client, "aof_pending_rewrite") != "0"
        || info(&mut client, "aof_rewrite_in_progress") != "0"
    {
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
    std::thread::sleep(Duration::from_millis(30));
    is_over.store(true, Ordering::Relaxed);
    writers.into_iter().for_each(|writer| writer.join().expect("it has not panicked"));
    let before = digest(&mut client);
    first.stop().expect("it ends");
    for shards in ["3", "2"] {
        let again = server_in(&directory, &["--shards", shards]);
        assert_eq!(digest(&mut again.client()), before, "{shards} shards");
    }
}

#[test]
fn files_that_grow_are_rewritten_by_themselves() {
    let settings = ["--auto-aof-rewrite-min-size", "64kb", "--auto-aof-rewrite-percentage", "100"];
    let mut first = server(&[&["--shards", "2"], &settings[..]].concat());
    let mut client = first.client();
    let begun = Instant::now();
    while info(&mut client, "aof_rewrites") == "0" {
        (0..2000).for_each(|n| drop(client.cmd(&["SET", "key", &format!("{n}-{}", "x".repeat(2000))])));
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing is rewritten");
    }
    await_info(&mut client, "aof_rewrite_in_progress", "0");
    let before = digest(&mut client);
    first.stop().expect("it ends");
    assert_eq!(digest(&mut server_in(first.directory(), &["--shards", "2"]).client()), before);
}

#[test]
fn room_made_ahead_is_cut_off_at_the_end_and_passed_over_after_a_crash() {
    let mut first = server(&["--shards", "1", "--appendfsync", "always"]);
    let mut client = first.client();
    (0..100).for_each(|n| assert!(client.run(&format!("SET key:{n} {}", "y".repeat(n + 1))).is_ok()));
    let before = digest(&mut client);
    let path = largest_log(first.directory());
    let filled = fs::read(&path).expect("it can be read");
    assert!(
        filled.len() > 1 << 20 && (filled.ends_with(b"#\n") || filled.ends_with(b"\n#")),
        "{} bytes",
        filled.len()
    );
    let mut redis = Program::redis().find().map(|_| first.directory().join("redis"));
    if let Some(directory) = redis.take() {
        fs::create_dir_all(directory.join("appendonlydir")).expect("a directory");
        for file in files(first.directory()) {
            let name = file.file_name().expect("a name");
            fs::copy(&file, directory.join("appendonlydir").join(name)).expect("it can be copied");
        }
        assert_eq!(digest(&mut redis_in(&directory).client()), before);
    }
    first.stop().expect("it ends");
    assert!(fs::metadata(&path).expect("a file").len() < 1 << 20);
    OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|_| fs::write(&path, &filled))
        .expect("it can be written");
    assert_eq!(digest(&mut server_in(first.directory(), &["--shards", "1"]).client()), before);
    assert!(fs::metadata(&path).expect("a file").len() < 1 << 20);
}

#[test]
fn waitaof_waits_for_the_sync_of_what_the_client_has_written() {
    for (shards, policy) in [("1", "everysec"), ("3", "everysec"), ("2", "always")] {
        let server = server(&["--shards", shards, "--appendfsync", policy]);
        let mut client = server.client();
        for round in 0..3 {
            (0..20).for_each(|n| assert!(client.run(&format!("SET key:{n} {round}")).is_ok()));
            let reply = client.run("WAITAOF 1 0 10000");
            assert_eq!(
                format!("{reply}"),
                format!("{}", client.run("WAITAOF 1 0 10000")),
                "{shards} {policy}"
            );
        }
        client.run("SET key:1 x");
        let begun = Instant::now();
        client.run("WAITAOF 1 1 50");
        assert!(begun.elapsed() >= Duration::from_millis(50), "nobody has a replica");
    }
}
