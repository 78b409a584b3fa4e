//! Saves and loads of a running server: what is saved is what there was at one moment, whatever clients do meanwhile, and whatever
//! happens to a save, the file of the one before stays.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use testkit::{Client, Program, Server, Value, await_info, info};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

fn try_server(settings: &[&str]) -> std::io::Result<Server> {
    Server::start(&Program::Peer(WEFT.into()), settings)
}

fn server(settings: &[&str]) -> Server {
    try_server(settings).expect("weft-server starts")
}

/// One that loads what another has saved.
fn server_in(directory: &Path, settings: &[&str]) -> Server {
    let directory = directory.to_str().expect("a plain name");
    server(&[&["--dir", directory], settings].concat())
}

/// Waits for the end of the save under way.
fn await_save(client: &mut Client) {
    await_info(client, "rdb_bgsave_in_progress", "0");
    assert_eq!(info(client, "rdb_last_bgsave_status"), "ok");
}

/// Values of all types and forms, in two databases.
fn fill(client: &mut Client) {
    for db in [0, 9] {
        assert!(client.run(&format!("SELECT {db}")).is_ok());
        for n in 0..300 {
            let tag = format!("{{{}}}", n % 17);
            let words = [
                format!("SET {tag}text:{n} value-{n}"),
                format!("SET {tag}number:{n} {n}"),
                format!("SET {tag}timed:{n} x EX {}", 1000 + n),
                format!("RPUSH {tag}list:{n} a b {n}"),
                format!("SADD {tag}set:{n} 1 2 {n}"),
                format!("SADD {tag}words:{n} one two w{n}"),
                format!("HSET {tag}hash:{n} f {n} g w"),
                format!("ZADD {tag}zset:{n} 1.5 a {n} b"),
                format!("XADD {tag}stream:{n} {}-1 f {n}", n + 1),
                format!("PFADD {tag}hll:{n} a b {n}"),
            ];
            words.iter().for_each(|line| drop(client.run(line)));
        }
        for n in 0..3000 {
            client.run(&format!("RPUSH large:list {n}-{}", "x".repeat(30)));
            client.run(&format!("HSET large:hash field-{n} {}", "y".repeat(30)));
            client.run(&format!("SADD large:set member-{n}-{}", "z".repeat(30)));
            client.run(&format!("ZADD large:zset {n} member-{n}"));
        }
        client.cmd(&["SET", "large:text", &"t".repeat(200_000)]);
        client.run("XGROUP CREATE {1}stream:1 group 0");
        client.run("XREADGROUP GROUP group consumer STREAMS {1}stream:1 >");
    }
    assert!(client.run("SELECT 0").is_ok());
    let library = "#!lua name=lib\nredis.register_function('f', function() return 7 end)";
    assert!(!client.cmd(&["FUNCTION", "LOAD", library]).is_error());
}

/// All there is, as text.
fn contents(client: &mut Client) -> Vec<String> {
    let mut all = Vec::new();
    for db in [0, 9] {
        assert!(client.run(&format!("SELECT {db}")).is_ok());
        let Value::Array(keys) = client.run("KEYS *") else { panic!("KEYS gives an array") };
        for key in keys {
            let key = key.string().expect("a name");
            let kind = client.cmd(&["TYPE", &key]).string().expect("a type");
            let words: &[&str] = match kind.as_str() {
                "string" => &["GET", &key],
                "list" => &["LRANGE", &key, "0", "-1"],
                "set" => &["SORT", &key, "ALPHA"],
                "hash" => &["SORT", &key, "BY", "nosort"],
                "zset" => &["ZRANGE", &key, "0", "-1", "WITHSCORES"],
                "stream" => &["XINFO", "STREAM", &key],
                other => panic!("{other}"),
            };
            let mut value = match kind.as_str() {
                "hash" => {
                    let Value::Array(pairs) = client.cmd(&["HGETALL", &key]) else { panic!("an array") };
                    let mut pairs: Vec<String> = pairs.chunks(2).map(|pair| format!("{pair:?}")).collect();
                    pairs.sort();
                    pairs.concat()
                }
                _ => format!("{:?}", client.cmd(words)),
            };
            if kind == "stream" {
                let entries = client.cmd(&["XRANGE", &key, "-", "+"]);
                let groups = client.cmd(&["XPENDING", &key, "group"]);
                value = format!("{entries:?} {groups:?}");
            }
            let has_ttl = client.cmd(&["TTL", &key]).integer().is_some_and(|ttl| ttl > 900);
            all.push(format!("{db} {key} {kind} {value} {has_ttl}"));
        }
    }
    assert!(client.run("SELECT 0").is_ok());
    assert_eq!(client.run("FCALL f 0").integer(), Some(7));
    all.sort();
    all
}

#[test]
fn what_is_saved_is_loaded_by_any_number_of_shards() {
    let first = server(&["--shards", "1"]);
    fill(&mut first.client());
    let before = contents(&mut first.client());
    assert!(first.client().run("SAVE").is_ok());
    for shards in ["4", "4", "3", "1"] {
        let next = server_in(first.directory(), &["--shards", shards]);
        let mut client = next.client();
        assert!(contents(&mut client) == before, "with {shards} shards");
        assert_eq!(info(&mut client, "rdb_last_load_keys_loaded"), before.len().to_string());
        assert!(!client.run("BGSAVE").is_error());
        await_save(&mut client);
    }
}

#[test]
fn redis_server_loads_what_is_saved_and_the_other_way_round() {
    let first = server(&["--shards", "3"]);
    fill(&mut first.client());
    let before = contents(&mut first.client());
    assert!(first.client().run("SAVE").is_ok());
    let directory = first.directory().to_str().expect("a plain name").to_owned();
    let redis = Server::redis(&["--dir", &directory]);
    assert!(contents(&mut redis.client()) == before);
    assert!(redis.client().run("SAVE").is_ok());
    let last = server_in(first.directory(), &["--shards", "2"]);
    assert!(contents(&mut last.client()) == before);
}

/// A file has the version that was asked for, or the one that a value in it needs.
#[test]
fn files_are_of_the_version_that_is_configured() {
    let server = server(&["--shards", "2"]);
    let mut client = server.client();
    let file = server.directory().join("dump.rdb");
    let mut saved = |words: &str, version: &[u8]| {
        assert!(!client.run(words).is_error(), "{words}");
        assert!(client.run("SAVE").is_ok());
        let bytes = std::fs::read(&file).expect("it is there");
        assert_eq!(bytes[..9].escape_ascii().to_string(), version.escape_ascii().to_string(), "{words}");
    };
    saved("SADD words one two three", b"REDIS0010");
    saved("CONFIG SET rdb-version 11", b"REDIS0011");
    saved("CONFIG SET rdb-version 12", b"REDIS0012");
    saved("CONFIG SET rdb-version 10", b"REDIS0010");
    saved("HSET hash f v", b"REDIS0010");
    saved("HEXPIRE hash 1000 FIELDS 1 f", b"REDIS0012");
    saved("DEL hash", b"REDIS0010");
    assert!(client.run("CONFIG SET rdb-version 9").is_error());
}

/// Accounts on all shards whose sum stays the same, and pairs of keys that are always written together.
#[test]
fn a_save_is_what_there_was_at_one_moment() {
    const ACCOUNTS: usize = 40;
    for shards in ["4", "1"] {
        let server = server(&["--shards", shards]);
        let mut client = server.client();
        for n in 0..ACCOUNTS {
            client.run(&format!("SET account:{n} 1000"));
        }
        // So that a save takes a while.
        for n in 0..30_000 {
            client
                .send(&["SET", &format!("filler:{n}"), "some value of a certain length"])
                .expect("it is there");
        }
        (0..30_000).for_each(|_| drop(client.receive().expect("it answers")));
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for worker in 0..3usize {
                let (server, is_over) = (&server, &is_over);
                scope.spawn(move || {
                    let mut client = server.client();
                    let mut round = worker;
                    while !is_over.load(Ordering::Relaxed) {
                        round += 7;
                        let (from, to) = (round % ACCOUNTS, (round * 3 + 1) % ACCOUNTS);
                        let (from, to) = (format!("account:{from}"), format!("account:{to}"));
                        let text = round.to_string();
                        match round % 3 {
                            0 => {
                                let block = [&["MULTI"][..], &["DECR", &from], &["INCR", &to], &["EXEC"]];
                                client.pipeline(&block);
                            }
                            1 => {
                                let script =
                                    "redis.call('DECRBY', ARGV[1], 2) redis.call('INCRBY', ARGV[2], 2)";
                                assert!(!client.cmd(&["EVAL", script, "0", &from, &to]).is_error());
                            }
                            _ => {
                                let pair = [format!("left:{worker}"), format!("right:{worker}")];
                                assert!(client.cmd(&["MSET", &pair[0], &text, &pair[1], &text]).is_ok());
                            }
                        }
                    }
                });
            }
            for _ in 0..4 {
                assert!(!client.run("BGSAVE").is_error());
                await_save(&mut client);
                let loaded = server_in(server.directory(), &["--shards", "3"]);
                let mut reader = loaded.client();
                let mut sum = 0;
                for n in 0..ACCOUNTS {
                    let value = reader.run(&format!("GET account:{n}")).string().expect("it is there");
                    sum += value.parse::<i64>().expect("a number");
                }
                assert_eq!(sum, 1000 * ACCOUNTS as i64, "{shards} shards");
                for worker in 0..3 {
                    let left = reader.run(&format!("GET left:{worker}"));
                    assert_eq!(left, reader.run(&format!("GET right:{worker}")), "{shards} shards");
                }
                let count = (0..30_000)
                    .step_by(777)
                    .filter(|n| !matches!(reader.run(&format!("GET filler:{n}")), Value::Null));
                assert_eq!(count.count(), 39);
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn whatever_happens_to_a_save_the_file_before_stays() {
    let mut server = server(&["--shards", "2", "--enable-debug-command", "yes"]);
    let mut client = server.client();
    client.run("SET kept yes");
    assert!(client.run("SAVE").is_ok());
    let file = server.directory().join("dump.rdb");
    let saved = std::fs::read(&file).expect("it is there");
    // Given up, by a client or because everything is gone.
    for words in ["BGSAVE CANCEL", "FLUSHALL"] {
        client.run("DEBUG POPULATE 300000 key 100");
        assert!(!client.run("BGSAVE").is_error());
        assert_eq!(info(&mut client, "rdb_bgsave_in_progress"), "1");
        assert!(client.run("BGSAVE").is_error() && client.run("SAVE").is_error(), "one at a time");
        assert!(!client.run(words).is_error(), "{words}");
        await_info(&mut client, "rdb_bgsave_in_progress", "0");
        assert_eq!(info(&mut client, "rdb_last_bgsave_status"), "ok");
        assert!(std::fs::read(&file).expect("it is there") == saved, "{words}");
    }
    assert!(client.run("BGSAVE CANCEL").is_error(), "there is none");
    // Killed.
    client.run("DEBUG POPULATE 300000 key 100");
    assert!(!client.run("BGSAVE").is_error());
    server.kill();
    assert!(std::fs::read(&file).expect("it is there") == saved);
    server.restart().expect("it starts again");
    let mut client = server.client();
    assert_eq!(client.run("GET kept").string().as_deref(), Some("yes"));
    assert_eq!(client.run("DBSIZE").integer(), Some(1));
    // It cannot be replaced.
    std::fs::remove_file(&file).expect("it is there");
    std::fs::create_dir(&file).expect("a directory");
    assert!(client.run("SAVE").is_error());
    assert_eq!(info(&mut client, "rdb_last_bgsave_status"), "err");
    assert!(client.run("SET k v").is_ok(), "without save points nothing is refused");
    assert!(client.run("CONFIG SET save 3600,1000").is_error());
    assert!(client.cmd(&["CONFIG", "SET", "save", "3600 1000"]).is_ok());
    let refused = client.run("SET k v");
    assert!(refused.to_string().contains("MISCONF"), "{refused}");
    assert!(!client.run("GET k").is_error());
    assert!(client.run("SHUTDOWN").is_error(), "what cannot be saved is not thrown away");
    assert!(client.run("SHUTDOWN SAVE").is_error());
    assert!(server.is_running());
    std::fs::remove_dir(&file).expect("it is there");
    assert!(client.run("SAVE").is_ok());
    assert!(client.run("SET k v").is_ok());
}

/// Asks by a Unix socket, on which a server can be asked that is not ready yet.
fn ask(socket: &Path, line: &str) -> String {
    let begun = Instant::now();
    let mut stream = loop {
        match UnixStream::connect(socket) {
            Ok(stream) => break stream,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(20), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("it can be set");
    stream.write_all(format!("{line}\r\n").as_bytes()).expect("it is there");
    let mut reply = vec![0; 16 * 1024];
    let len = stream.read(&mut reply).expect("it answers");
    String::from_utf8_lossy(&reply[..len]).into_owned()
}

#[test]
fn clients_are_told_while_data_is_loading() {
    for (shards, written_by) in [("1", "1"), ("3", "3"), ("2", "1")] {
        let first = server(&["--shards", written_by]);
        let mut client = first.client();
        (0..3000).for_each(|n| drop(client.run(&format!("SET key:{n} value-{n}"))));
        assert!(client.run("SAVE").is_ok());
        let directory = first.directory().to_str().expect("a plain name").to_owned();
        let socket = first.directory().join("socket");
        let settings = [
            &["--dir", &directory, "--shards", shards, "--key-load-delay", "500"][..],
            &["--save", "1 1", "--unixsocket", socket.to_str().expect("a plain name")],
        ]
        .concat();
        let server = std::thread::scope(|scope| {
            let server = scope.spawn(|| server(&settings));
            for line in ["PING", "GET key:1", "DBSIZE", "FLUSHALL", "BGSAVE", "EVAL return 0"] {
                let reply = ask(&socket, line);
                assert!(
                    reply.starts_with("-LOADING Redis is loading the dataset in memory"),
                    "{line}: {reply}"
                );
            }
            assert!(ask(&socket, "CONFIG SET maxmemory-policy allkeys-lru").starts_with("+OK"));
            assert!(ask(&socket, "CONFIG GET dir").starts_with("*2"));
            assert!(ask(&socket, "SET a").starts_with("-ERR wrong number of arguments"));
            let text = ask(&socket, "INFO persistence");
            for line in ["loading:1", "async_loading:0", "loading_start_time:", "loading_eta_seconds:"] {
                assert!(text.contains(line), "{line} is not in {text}");
            }
            server.join().expect("it starts")
        });
        let mut client = server.client();
        assert_eq!(info(&mut client, "loading"), "0");
        assert_eq!(client.run("DBSIZE").integer(), Some(3000));
        assert_eq!(client.run("GET key:2999").string().as_deref(), Some("value-2999"));
    }
}

#[test]
fn the_end_may_come_while_data_is_loading() {
    let first = server(&["--shards", "2"]);
    let mut client = first.client();
    (0..3000).for_each(|n| drop(client.run(&format!("SET key:{n} value-{n}"))));
    assert!(client.run("SAVE").is_ok());
    let file = first.directory().join("dump.rdb");
    let saved = std::fs::read(&file).expect("it is there");
    let directory = first.directory().to_str().expect("a plain name").to_owned();
    let socket = first.directory().join("socket");
    let settings = [
        &["--dir", &directory, "--shards", "2", "--key-load-delay", "1000"][..],
        &["--save", "1 1", "--unixsocket", socket.to_str().expect("a plain name")],
    ]
    .concat();
    for line in ["SHUTDOWN", "SHUTDOWN SAVE", ""] {
        std::thread::scope(|scope| {
            let server = scope.spawn(|| try_server(&settings));
            let text = ask(&socket, "INFO server");
            let pid = text.lines().find_map(|line| line.strip_prefix("process_id:")).expect("its number");
            if line.is_empty() {
                let signal = std::process::Command::new("kill").args(["-TERM", pid]).status();
                assert!(signal.expect("it is there").success());
            } else {
                assert_eq!(ask(&socket, line), "");
            }
            let error = server.join().expect("it ends").err().expect("it does not become ready").to_string();
            assert!(error.contains("exit status: 0"), "{line}: {error}");
        });
        assert!(std::fs::read(&file).expect("it is there") == saved, "{line}");
    }
}

#[test]
fn damage_stops_the_start_and_is_left_alone() {
    let first = server(&["--shards", "2"]);
    let mut client = first.client();
    (0..500).for_each(|n| drop(client.run(&format!("SET key:{n} value-{n}"))));
    assert!(client.run("SAVE").is_ok());
    let file = first.directory().join("dump.rdb");
    let whole = std::fs::read(&file).expect("it is there");
    let directory = first.directory().to_str().expect("a plain name").to_owned();
    for kind in 0..4 {
        let mut damaged = whole.clone();
        match kind {
            0 => damaged.truncate(whole.len() / 2),
            1 => damaged[whole.len() / 2] ^= 1,
            2 => damaged.clear(),
            _ => damaged[0] = b'X',
        }
        std::fs::write(&file, &damaged).expect("it can be written");
        let refused = try_server(&["--dir", &directory, "--shards", "2"]);
        let error = refused.err().expect("it does not start").to_string();
        assert!(error.contains("dump.rdb: at byte"), "{error}");
        assert!(std::fs::read(&file).expect("it is there") == damaged);
    }
}

#[test]
fn save_points_and_the_end_save_what_has_changed() {
    for shards in ["1", "4"] {
        let mut server = server(&["--shards", shards, "--save", "1 5"]);
        let mut client = server.client();
        let file = server.directory().join("dump.rdb");
        (0..4).for_each(|n| drop(client.run(&format!("SET key:{n} v"))));
        assert_eq!(info(&mut client, "rdb_changes_since_last_save"), "4");
        std::thread::sleep(Duration::from_millis(2500));
        assert!(!file.exists(), "too few changes");
        client.run("SET key:4 v");
        await_info(&mut client, "rdb_saves", "1");
        assert!(file.exists());
        await_info(&mut client, "rdb_changes_since_last_save", "0");
        std::thread::sleep(Duration::from_millis(2500));
        assert_eq!(info(&mut client, "rdb_saves"), "1", "nothing has changed since");
        // By a signal, by a command, and without.
        client.run("SET by signal");
        assert!(server.stop().expect("it ends").success());
        server.restart().expect("it starts again");
        let mut client = server.client();
        assert_eq!(client.run("DBSIZE").integer(), Some(6), "{shards} shards");
        client.run("SET by command");
        client.send(&["SHUTDOWN"]).expect("it is there");
        assert!(server.wait_exit(Duration::from_secs(20)).expect("it ends").success());
        server.restart().expect("it starts again");
        let mut client = server.client();
        assert_eq!(client.run("GET by").string().as_deref(), Some("command"));
        client.run("SET by nobody");
        client.send(&["SHUTDOWN", "NOSAVE"]).expect("it is there");
        assert!(server.wait_exit(Duration::from_secs(20)).expect("it ends").success());
        server.restart().expect("it starts again");
        assert_eq!(server.client().run("GET by").string().as_deref(), Some("command"));
    }
}

/// What a signal does is configured; and a server that cannot save says that it stays.
#[test]
fn signals_end_the_server_as_configured() {
    for (flags, saves_at, is_saved) in
        [("save", "", true), ("nosave", "3600 1", false), ("default", "3600 1", true), ("now save", "", true)]
    {
        let mut server = server(&["--shards", "2", "--save", saves_at]);
        let mut client = server.client();
        assert!(client.cmd(&["CONFIG", "SET", "shutdown-on-sigterm", flags]).is_ok());
        client.run("SET k v");
        assert!(server.stop().expect("it ends").success(), "{flags}");
        assert_eq!(server.directory().join("dump.rdb").exists(), is_saved, "{flags}");
    }
    let mut server = server(&["--shards", "2", "--save", "3600 1"]);
    let mut client = server.client();
    let file = server.directory().join("dump.rdb");
    std::fs::create_dir(&file).expect("a directory");
    for count in 1..3 {
        let signal = std::process::Command::new("kill").args(["-INT", &server.pid().to_string()]).status();
        assert!(signal.expect("it is there").success());
        let begun = Instant::now();
        while server.log().matches("Error trying to save the DB, can't exit.").count() < count {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", server.log_tail());
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(server.is_running() && !client.run("GET k").is_error());
    }
    assert!(client.cmd(&["CONFIG", "SET", "shutdown-on-sigterm", "force"]).is_ok());
    assert!(server.stop().expect("it ends").success());
}

/// Where there are save points, what was there before FLUSHALL does not come back after a crash.
#[test]
fn what_is_flushed_stays_away() {
    for (flush, saves_at, is_back) in [
        (&["FLUSHALL"][..], "3600 1", false),
        (&["FLUSHALL", "ASYNC"], "3600 1", false),
        (&["EVAL", "return redis.call('FLUSHALL')", "0"], "3600 1", false),
        (&["FLUSHALL"], "", true),
    ] {
        let mut server = server(&["--shards", "2", "--save", saves_at]);
        let mut client = server.client();
        assert!(client.cmd(&["MSET", "a", "1", "b", "2", "c", "3"]).is_ok());
        assert!(client.cmd(&["SAVE"]).is_ok());
        let before = client.run("LASTSAVE");
        std::thread::sleep(Duration::from_millis(1100));
        assert!(client.cmd(flush).is_ok());
        let begun = Instant::now();
        while !is_back && client.run("LASTSAVE") == before {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", server.log_tail());
            std::thread::sleep(Duration::from_millis(5));
        }
        server.kill();
        server.restart().expect("it starts again");
        let found = server.client().run("EXISTS a b c").to_string();
        assert!(found.ends_with(if is_back { "3" } else { "0" }), "{flush:?}: {found}");
    }
}

/// Who asks twice for the end gets it once: what is being saved is not begun again, and nothing is left beside it.
#[test]
fn a_second_signal_changes_nothing() {
    let mut server = server(&["--shards", "2", "--save", "3600 1", "--enable-debug-command", "yes"]);
    let mut client = server.client();
    assert!(client.cmd(&["DEBUG", "POPULATE", "100000"]).is_ok());
    let pid = server.pid().to_string();
    for _ in 0..4 {
        let _ = std::process::Command::new("kill").args(["-TERM", &pid]).status();
        std::thread::sleep(Duration::from_millis(3));
    }
    assert!(server.wait_exit(Duration::from_secs(20)).expect("it ends").success());
    let log = server.log();
    for line in ["Received SIGTERM", "Saving the data", "DB saved on disk"] {
        assert_eq!(log.matches(line).count(), 1, "{log}");
    }
    let left: Vec<_> = std::fs::read_dir(server.directory())
        .expect("it is there")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("temp-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Whatever a client was told is done is saved when the server ends by itself.
#[test]
fn what_was_acknowledged_before_the_end_is_saved() {
    for shards in ["1", "4"] {
        let mut server = server(&["--shards", shards, "--save", "3600 1"]);
        let acknowledged: Vec<usize> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..3)
                .map(|worker| {
                    let server = &server;
                    scope.spawn(move || {
                        let mut client = server.client();
                        let mut count = 0;
                        while client.send(&["SET", &format!("{worker}:{count}"), "v"]).is_ok()
                            && client.receive().is_ok_and(|reply| reply.is_ok())
                        {
                            count += 1;
                        }
                        count
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(300));
            server.client().send(&["SHUTDOWN"]).expect("it is there");
            workers.into_iter().map(|worker| worker.join().expect("it ends")).collect()
        });
        assert!(server.wait_exit(Duration::from_secs(20)).expect("it ends").success());
        server.restart().expect("it starts again");
        let mut client = server.client();
        for (worker, count) in acknowledged.into_iter().enumerate() {
            assert!(count > 0);
            for n in 0..count {
                let value = client.run(&format!("GET {worker}:{n}"));
                assert_eq!(value.string().as_deref(), Some("v"), "{worker}:{n} of {count}, {shards} shards");
            }
        }
    }
}
