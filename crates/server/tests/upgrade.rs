//! Data files of other servers, of today and of old: we start from them with the same digest of all data, whatever the number of shards,
//! and they start from what we make of them. With the redis-server in `PATH`, and with other servers by `RDB_PEERS=path:path`.

use std::path::Path;
use std::time::Duration;
use testkit::old_values::{OldValue, old_file, old_values};
use testkit::{Client, Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");
const LIBRARY: &str = "#!lua name=lib\nredis.register_function('f', function() return 7 end)";
/// So that packed and other forms need few elements, elements that stand alone occur, and each file has each form.
const LIMITS: &[&str] = &[
    "--set-max-intset-entries",
    "40",
    "--hash-max-listpack-entries",
    "20",
    "--zset-max-listpack-entries",
    "20",
    "--list-max-listpack-size",
    "-1",
    "--stream-node-max-entries",
    "5",
    "--enable-debug-command",
    "yes",
    "--appendonly",
    "no",
];
const DATABASES: [u32; 3] = [0, 7, 15];

fn peers() -> Vec<Program> {
    let named = std::env::var_os("RDB_PEERS").unwrap_or_default();
    let named = std::env::split_paths(&named).map(Program::Peer);
    named.chain([Program::redis()]).filter(|program| program.find().is_some()).collect()
}

fn start(program: &Program, settings: &[&str]) -> Server {
    Server::start(program, &[LIMITS, settings].concat())
        .unwrap_or_else(|error| panic!("{program:?}: {error}"))
}

/// A server that starts from the file in a directory.
fn start_in(program: &Program, directory: &Path, settings: &[&str]) -> Server {
    start(program, &[&["--dir", directory.to_str().expect("a plain name")], settings].concat())
}

fn client(server: &Server) -> Client {
    let mut client = server.client();
    client.set_timeout(Duration::from_secs(60));
    client
}

fn digest(client: &mut Client) -> String {
    let digest = client.run("DEBUG DIGEST");
    assert!(!digest.is_error(), "{digest}");
    digest.string().expect("a digest")
}

/// Whether the server knows a command.
fn knows(client: &mut Client, name: &str) -> bool {
    let answer = client.cmd(&["COMMAND", "INFO", name]);
    answer.items().is_some_and(|items| items[0].items().is_some())
}

/// Whether INFO has a line that begins so.
fn is_of(client: &mut Client, beginning: &str) -> bool {
    client
        .run("INFO server")
        .string()
        .is_some_and(|text| text.lines().any(|line| line.starts_with(beginning)))
}

/// A value of every type in every form, in some databases; keys that expire; a library.
fn fill(client: &mut Client) {
    let has_field_times = knows(client, "HPEXPIREAT");
    // Later servers write other digits of a score into their digests.
    let is_7_0 = is_of(client, "redis_version:7.0.");
    let (divisor, huge, zero) = if is_7_0 { (3.0, "1e300", "-0") } else { (4.0, "700000", "0") };
    for db in DATABASES {
        assert!(client.run(&format!("SELECT {db}")).is_ok());
        let mut run = |words: &[&str]| {
            let answer = client.cmd(words);
            assert!(!answer.is_error(), "{words:?}: {answer}");
        };
        for (name, text) in [
            ("byte", "-7".to_owned()),
            ("short", "1000".to_owned()),
            ("int", "-70000".to_owned()),
            ("long", "5000000000".to_owned()),
            ("words", "some words".to_owned()),
            ("packed", "ab".repeat(500)),
            ("large", "0123456789".repeat(9000)),
            ("empty", String::new()),
        ] {
            run(&["SET", &format!("string:{name}"), &text]);
        }
        run(&["SETBIT", "bits", "4000", "1"]);
        run(&["PFADD", "hll:sparse", "a", "b", "c"]);
        (0..2000).for_each(|n| run(&["PFADD", "hll:dense", &n.to_string()]));
        run(&["GEOADD", "geo", "13.361389", "38.115556", "Palermo", "15.087269", "37.502669", "Catania"]);
        for (name, count) in [("few", 3), ("many", 1500)] {
            for n in 0..count {
                let (number, word) = (n.to_string(), format!("element:{n}"));
                run(&["RPUSH", &format!("list:{name}"), &number, &word]);
                run(&["SADD", &format!("words:{name}"), &number, &word]);
                run(&["SADD", &format!("ints:{name}"), &(n * 7).to_string()]);
                run(&["HSET", &format!("hash:{name}"), &number, &word, &word, &number]);
                run(&["ZADD", &format!("zset:{name}"), &(f64::from(n) / divisor).to_string(), &word]);
                run(&["ZADD", &format!("zset:{name}"), &number, &number]);
                run(&["XADD", &format!("stream:{name}"), &format!("{}-1", n + 1), "f", &word, "n", &number]);
            }
        }
        run(&["RPUSH", "list:many", &"y".repeat(20_000)]);
        run(&["SADD", "ints:wide", "1", "70000", "-5000000000"]);
        run(&["HSET", "hash:long", "field", &"z".repeat(3000)]);
        run(&["ZADD", "zset:few", "inf", "up", "-inf", "down", zero, "zero", huge, "huge"]);
        run(&["XDEL", "stream:many", "3-1", "700-1"]);
        run(&["XTRIM", "stream:many", "MAXLEN", "1000"]);
        run(&["XADD", "stream:none", "1-1", "a", "b"]);
        run(&["XDEL", "stream:none", "1-1"]);
        for stream in ["stream:few", "stream:many"] {
            run(&["XGROUP", "CREATE", stream, "group", "0"]);
            run(&["XGROUP", "CREATE", stream, "other", "$", "ENTRIESREAD", "2"]);
            run(&["XREADGROUP", "GROUP", "group", "one", "COUNT", "40", "STREAMS", stream, ">"]);
            run(&["XREADGROUP", "GROUP", "group", "two", "COUNT", "2", "STREAMS", stream, ">"]);
            run(&["XGROUP", "CREATECONSUMER", stream, "other", "idle"]);
        }
        run(&["XACK", "stream:many", "group", "510-1", "511-1"]);
        if has_field_times {
            for (name, count) in [("few", 4), ("many", 200)] {
                for n in 0..count {
                    run(&["HSET", &format!("times:{name}"), &format!("f{n}"), "v"]);
                    let at_ms = (20_000_000_000_000u64 + n).to_string();
                    let field = format!("f{}", n / 2);
                    run(&["HPEXPIREAT", &format!("times:{name}"), &at_ms, "FIELDS", "1", &field]);
                }
            }
        }
        for key in ["string:words", "list:few", "hash:many", "stream:few"] {
            run(&["PEXPIREAT", key, "20000000000000"]);
        }
    }
    assert!(client.run("SELECT 0").is_ok());
    let loaded = client.cmd(&["FUNCTION", "LOAD", LIBRARY]);
    assert!(!loaded.is_error(), "{loaded}");
}

/// What streams have beside their entries, which no digest sees, and functions.
fn told(client: &mut Client) -> Vec<String> {
    let mut told = vec![client.run("FCALL f 0").to_string()];
    for db in DATABASES {
        assert!(client.run(&format!("SELECT {db}")).is_ok());
        for stream in ["stream:few", "stream:many", "stream:none"] {
            for group in ["group", "other"] {
                let pending = client.run(&format!("XPENDING {stream} {group} - + 100"));
                // How long ago depends on when this is asked.
                let entries = pending.items().unwrap_or_default().iter().map(|entry| {
                    let parts = entry.items().expect("four parts");
                    format!("{} {} {}", parts[0], parts[1], parts[3])
                });
                told.push(format!("{stream} {group} {}", entries.collect::<Vec<_>>().join(",")));
            }
            let groups = client.run(&format!("XINFO GROUPS {stream}"));
            told.push(groups.to_string());
            let about = client.run(&format!("XINFO STREAM {stream}"));
            // As in files: how the blocks are kept in memory is each server's own.
            let pairs = about.items().expect("pairs").chunks(2).filter(|pair| {
                let name = pair[0].string().unwrap_or_default();
                !name.starts_with("radix-tree")
                    && !name.starts_with("idmp")
                    && !name.starts_with("iids")
                    && !name.starts_with("pids")
            });
            told.push(pairs.map(|pair| format!("{} {}", pair[0], pair[1])).collect::<Vec<_>>().join(","));
        }
        let times = client.run("HPEXPIRETIME times:many FIELDS 3 f0 f50 f150");
        // Servers without such times have no such hash.
        let times =
            Some(times).filter(|times| times.items().is_some_and(|items| items[1].integer() > Some(0)));
        told.push(times.map_or(String::new(), |times| times.to_string()));
        told.push(client.run("PEXPIRETIME list:few").to_string());
    }
    assert!(client.run("SELECT 0").is_ok());
    told
}

fn compare(told: &[String], expected: &[String], program: &Program) {
    assert_eq!(told.len(), expected.len());
    told.iter().zip(expected).for_each(|(told, expected)| assert_eq!(told, expected, "{program:?}"));
}

fn save(client: &mut Client) {
    let saved = client.run("SAVE");
    assert!(saved.is_ok(), "{saved}");
}

/// From a file in `directory` by 1, 4 and 3 shards, each with what the one before has saved. `ask`: what is seen at the end.
fn through_shards<T>(directory: &Path, expected: Option<&str>, ask: impl Fn(&mut Client) -> T) -> T {
    let weft = Program::Peer(WEFT.into());
    let mut expected = expected.map(str::to_owned);
    let mut answer = None;
    for shards in ["1", "4", "3"] {
        let server = start_in(&weft, directory, &["--shards", shards]);
        let mut client = client(&server);
        let found = digest(&mut client);
        assert_eq!(&found, expected.get_or_insert(found.clone()), "{shards} shards");
        answer = Some(ask(&mut client));
        save(&mut client);
    }
    answer.expect("three were asked")
}

#[test]
fn files_of_servers_at_hand_come_back_as_they_were() {
    for program in peers() {
        let first = start(&program, &[]);
        let mut asked = client(&first);
        fill(&mut asked);
        let (before, told_before) = (digest(&mut asked), told(&mut asked));
        save(&mut asked);
        let is_valkey = is_of(&mut asked, "valkey_version");
        // Its digests say nothing of the times of fields.
        let ours = through_shards(first.directory(), Some(&*before).filter(|_| !is_valkey), told);
        compare(&ours, &told_before, &program);
        // Valkey has a form of its own for fields with times, and does not read that of Redis.
        if is_valkey {
            let server = start_in(&Program::Peer(WEFT.into()), first.directory(), &["--shards", "2"]);
            let mut client = client(&server);
            for db in DATABASES {
                assert!(client.run(&format!("SELECT {db}")).is_ok());
                client.run("DEL times:few times:many");
                asked.run(&format!("SELECT {db}"));
                asked.run("DEL times:few times:many");
            }
            save(&mut client);
        }
        let before = digest(&mut asked);
        let last = start_in(&program, first.directory(), &[]);
        let mut asked_last = client(&last);
        assert_eq!(digest(&mut asked_last), before, "{program:?}");
        compare(&told(&mut asked_last), &told(&mut asked), &program);
    }
}

/// What a policy of eviction needs to know of each key.
#[test]
fn hints_of_use_come_back() {
    for program in peers() {
        for policy in ["allkeys-lfu", "allkeys-lru"] {
            let settings = ["--maxmemory-policy", policy];
            let first = start(&program, &settings);
            let mut asked = client(&first);
            assert!(asked.run("SET key v").is_ok());
            (0..300).for_each(|_| _ = asked.run("GET key"));
            let word = if policy == "allkeys-lfu" { "FREQ" } else { "IDLETIME" };
            if word == "IDLETIME" {
                std::thread::sleep(Duration::from_millis(2100));
            }
            let before = asked.run(&format!("OBJECT {word} key")).integer().expect("a number");
            assert!(before >= 2, "{program:?} {policy}: {before}");
            save(&mut asked);
            for (program, further) in [(&Program::Peer(WEFT.into()), &["--shards", "2"][..]), (&program, &[])]
            {
                let server = start_in(program, first.directory(), &[&settings[..], further].concat());
                let mut client = client(&server);
                let after = client.run(&format!("OBJECT {word} key")).integer().expect("a number");
                assert!(
                    (before - 1..=before + 4).contains(&after),
                    "{program:?} {policy}: {before}, {after}"
                );
                save(&mut client);
            }
        }
    }
}

/// Every form that was ever written, in files of all versions that have it.
#[test]
fn files_of_old_are_read_as_redis_server_reads_them() {
    let redis = Program::redis();
    for version in 1..=10 {
        let known = |value: &OldValue| value.since <= version;
        let values: Vec<_> = old_values().into_iter().filter(known).collect();
        let keeper = start(&redis, &[]);
        let file = keeper.directory().join("dump.rdb");
        std::fs::write(&file, old_file(version, 3, &values)).expect("a file");
        let read = |program: &Program, settings: &[&str]| {
            let server = start_in(program, keeper.directory(), settings);
            let mut client = client(&server);
            assert!(client.run("SELECT 3").is_ok());
            assert_eq!(client.run("DBSIZE").integer(), Some(values.len() as i64), "version {version}");
            digest(&mut client)
        };
        let expected = read(&redis, &[]);
        through_shards(keeper.directory(), Some(&expected), |_| ());
        assert_eq!(read(&redis, &[]), expected, "version {version}");
    }
}
