//! Large values that change in every way while they are saved: what is saved is what there was when the save began, and nobody waits
//! until all of a value is written.

use std::path::Path;
use std::time::{Duration, Instant};
use testkit::{Client, Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");
const ELEMENTS: usize = 30_000;

fn server(settings: &[&str]) -> Server {
    let settings = [settings, &["--enable-debug-command", "yes"]].concat();
    Server::start(&Program::Peer(WEFT.into()), &settings).expect("weft-server starts")
}

fn server_in(directory: &Path, settings: &[&str]) -> Server {
    server(&[&["--dir", directory.to_str().expect("a plain name")], settings].concat())
}

fn info(client: &mut Client, name: &str) -> String {
    let text = client.cmd(&["INFO"]).string().expect("INFO is text");
    let (_, rest) = text.split_once(&format!("\n{name}:")).expect("INFO has the figure");
    rest.lines().next().unwrap_or_default().to_owned()
}

fn await_save(client: &mut Client) {
    let begun = Instant::now();
    while info(client, "rdb_bgsave_in_progress") != "0" {
        assert!(begun.elapsed() < Duration::from_secs(60), "the save does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(info(client, "rdb_last_bgsave_status"), "ok");
}

fn digest(client: &mut Client) -> String {
    client.run("DEBUG DIGEST").string().expect("a digest")
}

/// A large value of each type under each of some names, and many short ones, which are written first.
fn fill(client: &mut Client, names: &[&str]) {
    client.run("DEBUG POPULATE 150000 filler 60");
    for name in names {
        for from in (0..ELEMENTS).step_by(500) {
            let numbers = from..from + 500;
            let words = |command: &str, kind: &str, each: &dyn Fn(usize) -> Vec<String>| {
                let front = [command.to_owned(), format!("{{{name}}}{kind}")];
                front.into_iter().chain(numbers.clone().flat_map(each)).collect::<Vec<String>>()
            };
            let commands = [
                words("HSET", "hash", &|n| vec![format!("field:{n}"), format!("value:{n}")]),
                words("HSET", "timed", &|n| vec![format!("field:{n}"), format!("value:{n}")]),
                words("SADD", "set", &|n| vec![format!("member:{n}")]),
                words("ZADD", "zset", &|n| vec![(n % 5000).to_string(), format!("member:{n}")]),
                words("RPUSH", "list", &|n| vec![format!("element:{n}")]),
            ];
            commands.iter().for_each(|words| assert!(!client.cmd(words).is_error()));
            client.run(&format!("HPEXPIRE {{{name}}}timed 900000 FIELDS 1 field:{from}"));
        }
        for n in 0..ELEMENTS / 10 {
            client.run(&format!("XADD {{{name}}}stream {}-1 field value:{n}", n + 1));
        }
        for n in 0..ELEMENTS / 10 {
            client.run(&format!("FT.SUGADD {{{name}}}hints text:{n} {n} PAYLOAD {n}"));
        }
        for n in 0..ELEMENTS / 10 {
            let line = format!("VADD {{{name}}}vectors VALUES 3 {n} {} 7 place:{n} M 4 EF 10", n % 90);
            assert!(!client.run(&line).is_error());
        }
        let numbers = (0..ELEMENTS).map(|n| (n * n).to_string()).collect::<Vec<_>>().join(",");
        assert!(!client.run(&format!("JSON.SET {{{name}}}numbers $ [{numbers}]")).is_error());
        for n in 0..ELEMENTS / 10 {
            let line = format!("XADD {{{name}}}messages IDMP producer:{} {n} * field {n}", n % 700);
            assert!(!client.run(&line).is_error());
        }
        client.run(&format!("SETRANGE {{{name}}}text 900000 end"));
        let long = format!("\"{}\"", "\\n-text-".repeat(100_000));
        let texts = format!("[{long},{{\"a\":{long}}}]");
        for (kind, text) in [("words", &long), ("texts", &texts)] {
            assert!(client.cmd(&["JSON.SET", &format!("{{{name}}}{kind}"), "$", text]).is_ok());
        }
        for from in (0..ELEMENTS).step_by(500) {
            let pairs = (from..from + 500).map(|n| format!("{} array-element-{n}", n * 3));
            let line = format!("ARMSET {{{name}}}array {}", pairs.collect::<Vec<_>>().join(" "));
            assert!(!client.run(&line).is_error());
        }
        client.cmd(&["RPUSH", &format!("{{{name}}}long"), "a", &"x".repeat(2_000_000), "b"]);
    }
}

/// Commands that change the values of a name where they are.
fn changes(name: &str, round: usize) -> Vec<String> {
    let n = round * 7919 % ELEMENTS;
    let lines = [
        format!("HSET hash field:{n} new field:new:{round} new"),
        format!("HDEL hash field:{}", n / 2),
        format!("HPEXPIRE timed 500000 FIELDS 1 field:{n}"),
        format!("HPERSIST timed FIELDS 1 field:{}", n / 500 * 500),
        format!("SADD set new:{round}"),
        format!("SREM set member:{n}"),
        "SPOP set 3".to_owned(),
        format!("ZADD zset {round} member:{n} {n} new:{round}"),
        format!("ZREM zset member:{}", n / 3),
        format!("ZINCRBY zset 2500 member:{}", n / 5),
        format!("ZREMRANGEBYRANK zset {} {}", n / 2, n / 2 + 20),
        "ZPOPMIN zset 2".to_owned(),
        format!("LSET list {} new", n / 4),
        "LPOP list 3".to_owned(),
        "RPOP list".to_owned(),
        format!("LPUSH list new:{round}"),
        format!("XADD stream {}-1 field new", ELEMENTS + round),
        format!("XDEL stream {}-1", n / 20),
        format!("SETRANGE text {n} new"),
        format!("SETRANGE text {} {}", n * 29, "wide".repeat(3000)),
        format!("SETBIT text {} 1", n * 200),
        format!("APPEND text more:{round}"),
        format!("BITFIELD text SET u8 {} 77 GET u8 0 INCRBY u16 {} 3", n * 100, n * 230),
        format!("ARSET array {n} new"),
        format!("RPUSH long new:{round}"),
        format!("LPUSH long {}", "long".repeat(50_000)),
        "LSET long 1 new".to_owned(),
        "LPOP long".to_owned(),
        format!("VADD vectors VALUES 3 {} 5 {round} new:{round} M 4 EF 10", n % 70),
        format!("VADD vectors VALUES 3 1 2 3 place:{} M 4 EF 10", n / 30),
        format!("VSETATTR vectors place:{} {{\"n\":{round}}}", n / 20),
        format!("VREM vectors place:{}", n / 10),
        format!("JSON.NUMINCRBY numbers $[{}] 0.5", n / 2),
        format!("JSON.ARRINSERT numbers $ {} 7", n / 3),
        "JSON.STRAPPEND words $ '\"more\"'".to_owned(),
        format!("JSON.STRAPPEND texts $[{}] '\"more\"'", round % 2),
        "JSON.STRAPPEND texts $[1].a '\"more\"'".to_owned(),
        format!("XADD messages IDMP producer:{} new:{round} * field new", n % 900),
        format!("FT.SUGADD hints text:{} 1 INCR", n / 10),
        format!("FT.SUGADD hints new:{round} 1"),
        format!("FT.SUGDEL hints text:{}", n / 20),
    ];
    let keys = [
        "hash", "timed", "set", "zset", "list", "stream", "text", "array", "long", "hints", "vectors",
        "numbers", "messages", "words", "texts",
    ];
    let named = |line: String| {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if keys.contains(&&*words[1]) {
            words[1] = format!("{{{name}}}{}", words[1]);
        }
        words.join(" ")
    };
    lines.into_iter().map(named).collect()
}

/// What ends with large values gone from their keys, each way once.
const DEPARTURES: &[&str] = &[
    "DEL {a}hash",
    "UNLINK {a}set",
    "SET {a}zset short",
    "RENAME {a}list {a}moved",
    "SET {a}text short",
    "PEXPIRE {b}hash 1",
    "EXPIRE {b}list 0",
    "SPOP {b}set 29000",
    "ZREMRANGEBYRANK {b}zset 0 -1",
    "SUNIONSTORE {b}timed {b}set",
    "COPY {b}stream {b}stream:copy",
    "RENAME {b}stream elsewhere",
    "RENAME {a}timed {a}other",
    "HSET {a}other field:7 new",
    "MOVE {a}stream 3",
    "MOVE {a}long 15",
    "RENAME {b}array {b}other",
    "ARSET {b}other 4 new",
    "RENAME {b}text {b}renamed",
    "SETRANGE {b}renamed 10 new",
    "RENAME {b}renamed {b}text",
    "DEL {b}text",
    "UNLINK {a}array",
    "DEL {b}long",
    "MOVE {a}hints 9",
    "RENAME {b}hints {b}moved",
    "FT.SUGADD {b}moved text:2 9",
    "UNLINK {b}moved",
    "RENAME {a}vectors {a}renamed",
    "VREM {a}renamed place:9",
    "UNLINK {a}renamed",
    "MOVE {b}vectors 9",
    "JSON.ARRPOP {a}numbers $ 5",
    "RENAME {a}numbers {a}pieces",
    "JSON.SET {b}numbers $ 5",
    "JSON.SET {b}words $ 5",
    "RENAME {a}words {a}sentences",
    "JSON.SET {a}sentences $ {}",
    "JSON.DEL {b}texts $[0]",
    "UNLINK {a}messages",
];

fn check(shards: &str, act: impl Fn(&Server, &mut Client)) {
    let server = server(&["--shards", shards]);
    let mut client = server.client();
    client.set_timeout(Duration::from_secs(60));
    fill(&mut client, &["a", "b"]);
    let before = digest(&mut client);
    assert!(!client.run("BGSAVE").is_error());
    act(&server, &mut client);
    await_save(&mut client);
    assert_ne!(digest(&mut client), before, "something has changed");
    let loaded = server_in(server.directory(), &["--shards", "3"]);
    let mut reader = loaded.client();
    reader.set_timeout(Duration::from_secs(60));
    assert_eq!(digest(&mut reader), before, "{shards} shards");
}

#[test]
fn values_that_change_are_saved_as_they_were() {
    for shards in ["1", "3"] {
        check(shards, |server, _| {
            std::thread::scope(|scope| {
                for name in ["a", "b"] {
                    scope.spawn(move || {
                        let mut client = server.client();
                        client.set_timeout(Duration::from_secs(60));
                        let mut round = 0;
                        while round < 20 || info(&mut client, "rdb_bgsave_in_progress") == "1" {
                            for line in changes(name, round) {
                                let reply = client.run(&line);
                                assert!(!reply.is_error(), "{line}: {reply}");
                            }
                            round += 1;
                        }
                    });
                }
            });
        });
    }
}

#[test]
fn values_that_go_are_saved_as_they_were() {
    for shards in ["1", "3"] {
        check(shards, |_, client| {
            // Some of them have changed before they go.
            for line in changes("a", 1).iter().chain(&changes("b", 2)).step_by(2) {
                assert!(!client.run(line).is_error(), "{line}");
            }
            for line in DEPARTURES {
                let reply = client.run(line);
                assert!(!reply.is_error(), "{line}: {reply}");
            }
        });
    }
}

/// Commands among large values of several shards, which bring them together.
fn lendings(round: usize) -> Vec<String> {
    let n = round * 7919 % ELEMENTS;
    let lines = [
        format!("SMOVE {{a}}set {{b}}set member:{n}"),
        format!("SMOVE {{b}}set {{a}}set member:{}", n / 2),
        "LMOVE {a}list {b}list LEFT RIGHT".to_owned(),
        "LMOVE {b}list {a}list LEFT LEFT".to_owned(),
        "SINTERCARD 2 {a}set {b}set LIMIT 1".to_owned(),
        "RENAME {a}hash {b}away".to_owned(),
        format!("HSET {{b}}away field:{n} new"),
        "RENAME {b}away {a}hash".to_owned(),
        "RENAME {b}array {a}away".to_owned(),
        "RENAME {a}away {b}array".to_owned(),
        "MULTI".to_owned(),
        format!("HDEL {{a}}timed field:{n}"),
        format!("ZADD {{b}}zset {round} member:{n}"),
        format!("SETRANGE {{a}}text {n} new"),
        format!("SETRANGE {{b}}text {n} new"),
        format!("XADD {{a}}stream {}-1 field new", ELEMENTS + round),
        format!("XADD {{b}}stream {}-1 field new", ELEMENTS + round),
        "EXEC".to_owned(),
        format!("ZADD {{b}}zset {round} new:{round}"),
    ];
    lines.into()
}

#[test]
fn values_that_are_lent_are_saved_as_they_were() {
    for shards in ["2", "3"] {
        check(shards, |server, client| {
            std::thread::scope(|scope| {
                for from in [0, 1000] {
                    scope.spawn(move || {
                        let mut client = server.client();
                        client.set_timeout(Duration::from_secs(60));
                        let mut round = from;
                        while round < from + 5 || info(&mut client, "rdb_bgsave_in_progress") == "1" {
                            // Two clients are in each other's way now and then: what is not there is an error.
                            lendings(round).iter().for_each(|line| _ = client.run(line));
                            round += 1;
                        }
                    });
                }
            });
            // Some go for good, elsewhere.
            for line in
                ["RENAME {a}zset {b}zset", "SUNIONSTORE {b}list {a}set {b}set", "DEL {a}text {b}text {a}set"]
            {
                assert!(!client.run(line).is_error(), "{line}");
            }
        });
    }
}

/// The same, of values that go while they are lent.
#[test]
fn values_that_go_elsewhere_are_saved_as_they_were() {
    for shards in ["2", "3"] {
        check(shards, |_, client| {
            let lines = [
                "SETRANGE {a}text 5 new",
                "RENAME {a}zset {b}zset",
                "RENAME {a}text {b}array",
                "SUNIONSTORE {b}list {a}set {b}set",
                "RENAME {b}hash {a}hash",
                "HSET {a}hash field:9 new",
                "MSET {a}list short {b}stream short",
                "RENAME {b}timed {a}timed",
                "HPERSIST {a}timed FIELDS 1 field:500",
                "COPY {a}stream {b}stream REPLACE",
                "LMOVE {a}long {b}other LEFT LEFT",
                "DEL {a}set {b}set {a}timed",
            ];
            for line in lines {
                let reply = client.run(line);
                assert!(!reply.is_error(), "{line}: {reply}");
            }
        });
    }
}

/// What each name has that is large.
const KINDS: &[&str] = &[
    "hash", "timed", "set", "zset", "list", "stream", "hints", "vectors", "numbers", "messages", "words",
    "texts", "text", "array", "long",
];

/// The same, of values that another server takes.
#[test]
fn values_that_are_carried_away_are_saved_as_they_were() {
    let other = server(&["--shards", "2"]);
    let port = other.port().to_string();
    for shards in ["1", "3"] {
        check(shards, |_, client| {
            for name in ["a", "b"] {
                let keys = KINDS.iter().map(|kind| format!("{{{name}}}{kind}"));
                let front = ["MIGRATE", "127.0.0.1", &port, "", "0", "60000", "REPLACE", "KEYS"];
                let words = front.into_iter().map(str::to_owned).chain(keys).collect::<Vec<String>>();
                let reply = client.cmd(&words);
                assert!(reply.is_ok(), "{reply}");
            }
        });
    }
}

/// A save does not wait for a server that does not answer.
#[test]
fn values_that_nobody_takes_are_saved_meanwhile() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("it is bound").port().to_string();
    let silent = std::sync::Mutex::new(Some(silent));
    check("1", |server, client| {
        std::thread::scope(|scope| {
            let port = &port;
            let carrier = scope.spawn(move || {
                let mut carrier = server.client();
                carrier.set_timeout(Duration::from_secs(120));
                carrier.run(&format!("MIGRATE 127.0.0.1 {port} {{b}}long 0 100000"))
            });
            // What asks about the whole server would wait for the other one.
            let (begun, file) = (Instant::now(), server.directory().join("dump.rdb"));
            while !file.exists() {
                assert!(begun.elapsed() < Duration::from_secs(60), "the save does not end");
                std::thread::sleep(Duration::from_millis(5));
            }
            drop(silent.lock().expect("nobody panics with it").take());
            let reply = carrier.join().expect("it has a reply");
            assert!(reply.is_error(), "{reply}");
        });
        assert!(!client.run("RPUSH {b}long more").is_error());
    });
}

/// Who gives a save up in the middle of large values has done no harm to them, and the next one is whole.
#[test]
fn a_save_that_is_given_up_leaves_large_values_alone() {
    let server = server(&["--shards", "2"]);
    let mut client = server.client();
    client.set_timeout(Duration::from_secs(60));
    fill(&mut client, &["a"]);
    let mut given_up = 0;
    for round in 0..40 {
        assert!(!client.run("BGSAVE").is_error());
        changes("a", round).iter().for_each(|line| _ = client.run(line));
        // One that has ended by now cannot be given up any more.
        given_up += usize::from(!client.run("BGSAVE CANCEL").is_error());
        await_save(&mut client);
        if given_up == 3 {
            break;
        }
    }
    assert!(given_up > 0, "all saves have ended before they could be given up");
    let before = digest(&mut client);
    assert!(client.run("SAVE").is_ok());
    let loaded = server_in(server.directory(), &["--shards", "2"]);
    assert_eq!(digest(&mut loaded.client()), before);
}
