//! SHUTDOWN with a save under load: what operations over several shards hold is saved, clients lose nothing that they were told of, and if
//! the end does not come, they are served as before.

use std::time::Duration;
use testkit::{Client, Program, Server, Value};

const LIMIT: Duration = Duration::from_secs(20);
const LISTS: usize = 6;
const ITEMS: usize = 60;
const COPIES: usize = 8;

fn server(settings: &[&str]) -> Server {
    Server::start(&Program::Peer(env!("CARGO_BIN_EXE_weft-server").into()), settings)
        .expect("weft-server starts")
}

/// The error that a reply is, or nothing.
fn error(reply: &Value) -> String {
    match reply {
        Value::Error(text) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    }
}

/// Moves elements between lists until the server ends.
fn move_elements(mut client: Client, mut at: usize) {
    loop {
        let (from, to) = (at % LISTS, at / LISTS % LISTS);
        at = at.wrapping_mul(25).wrapping_add(7);
        let words = ["LMOVE", &format!("list:{from}"), &format!("list:{to}"), "LEFT", "RIGHT"];
        if client.send(&words).is_err() || client.receive().is_err() {
            return;
        }
    }
}

/// Writes one number after the other to several keys at once; the last that it was told of.
fn write_copies(mut client: Client, name: &str) -> u64 {
    for number in 1.. {
        let words: Vec<String> =
            (0..COPIES).flat_map(|n| [format!("{name}:{n}"), number.to_string()]).collect();
        let words: Vec<&str> = ["MSET"].into_iter().chain(words.iter().map(String::as_str)).collect();
        if client.send(&words).is_err() || client.receive().map_or(true, |reply| !reply.is_ok()) {
            return number - 1;
        }
    }
    unreachable!("numbers do not end")
}

fn assert_whole(client: &mut Client, acknowledged: &[u64]) {
    let length = |n| client.run(&format!("LLEN list:{n}")).integer().expect("a length");
    assert_eq!((0..LISTS).map(length).sum::<i64>(), ITEMS as i64);
    for (writer, least) in acknowledged.iter().enumerate() {
        let value = |n| client.run(&format!("GET {writer}:{n}")).string();
        let values: Vec<_> = (0..COPIES).map(value).collect();
        let number: u64 = values[0].as_deref().map_or(0, |text| text.parse().expect("a number"));
        assert!(number >= *least, "{number} of {least}");
        assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
    }
}

#[test]
fn what_operations_hold_is_saved() {
    for (shards, signal) in [("4", false), ("3", true), ("4", false), ("4", true), ("1", false)] {
        let mut server = server(&["--shards", shards, "--save", "3600 1"]);
        let mut client = server.client();
        for n in 0..ITEMS {
            client.run(&format!("RPUSH list:{} {n}", n % LISTS));
        }
        let acknowledged: Vec<u64> = std::thread::scope(|scope| {
            (0..3).for_each(|at| {
                drop(scope.spawn({
                    let client = server.client();
                    move || move_elements(client, at)
                }))
            });
            let writer = |at: usize| {
                let client = server.client();
                scope.spawn(move || write_copies(client, &at.to_string()))
            };
            let writers: Vec<_> = (0..3).map(writer).collect();
            std::thread::sleep(Duration::from_millis(200));
            match signal {
                true => {
                    let pid = server.pid().to_string();
                    assert!(
                        std::process::Command::new("kill").arg(pid).status().expect("it is there").success()
                    );
                }
                false => client.send(&["SHUTDOWN"]).expect("it is there"),
            }
            writers.into_iter().map(|writer| writer.join().expect("it ends")).collect()
        });
        assert!(server.wait_exit(LIMIT).expect("it ends").success());
        server.restart().expect("it starts again");
        assert_whole(&mut server.client(), &acknowledged);
    }
}

/// Commands of others wait while it looks as if the end came, and run when it does not.
#[test]
fn an_end_that_does_not_come_keeps_nobody() {
    for shards in ["1", "4"] {
        let mut server =
            server(&["--shards", shards, "--save", "3600 1", "--stop-writes-on-bgsave-error", "no"]);
        let (mut client, mut other) = (server.client(), server.client());
        let file = server.directory().join("dump.rdb");
        std::fs::create_dir(&file).expect("a directory");
        for round in 1..6 {
            let count = 200;
            let asked: Vec<u8> = (0..count).flat_map(|_| testkit::client::encode(&["INCR", "n"])).collect();
            other.send_raw(&asked).expect("it is there");
            for end in [&mut client, &mut server.client()] {
                let reply = error(&end.run("SHUTDOWN"));
                assert_eq!(reply, "ERR Errors trying to SHUTDOWN. Check logs.", "{shards} shards");
            }
            for n in 1..=count {
                assert_eq!(other.receive().expect("a reply").integer(), Some((round - 1) * count + n));
            }
        }
        std::fs::remove_dir(&file).expect("it is there");
        client.send(&["SHUTDOWN"]).expect("it is there");
        assert!(server.wait_exit(LIMIT).expect("it ends").success());
        server.restart().expect("it starts again");
        assert_eq!(server.client().run("GET n"), Value::bulk("1000"));
    }
}

/// What waits for keys that are on their way to another server is either not answered, or saved.
#[test]
fn what_waits_for_keys_on_their_way_is_saved_or_not_told_of() {
    for shards in ["1", "4"] {
        let mut server = server(&["--shards", shards, "--save", "3600 1"]);
        let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = silent.local_addr().expect("it is bound").port().to_string();
        let [mut mover, mut scripted, mut queued, mut last] = [(); 4].map(|()| server.client());
        assert!(mover.run("MSET k1 5 k2 1").is_ok());
        mover.send(&["MIGRATE", "127.0.0.1", &port, "", "0", "700", "KEYS", "k1"]).expect("sent");
        let (mut stream, _) = silent.accept().expect("it comes");
        std::io::Read::read_exact(&mut stream, &mut [0; 16]).expect("it is sent");
        scripted.send(&["EVAL", "return redis.call('SET', 'sc' .. 'ript', 'v')", "0"]).expect("sent");
        ["MULTI", "SET queued v", "EXEC"].iter().for_each(|line| {
            queued.send(&line.split(' ').collect::<Vec<_>>()).expect("sent");
        });
        assert!(queued.receive().expect("a reply").is_ok());
        last.send(&["SHUTDOWN", "SAVE"]).expect("sent");
        let is_told = scripted.receive().is_ok_and(|reply| reply.is_ok());
        let is_queued = queued.receive().is_ok() && queued.receive().is_ok_and(|reply| !reply.is_error());
        assert!(server.wait_exit(LIMIT).expect("it ends").success());
        server.restart().expect("it starts again");
        let mut client = server.client();
        assert_eq!(client.run("MGET k1 k2"), Value::bulks(&["5", "1"]), "{shards} shards");
        for (key, is_there) in [("script", is_told), ("queued", is_queued)] {
            assert!(
                !is_there || client.run(&format!("GET {key}")) == Value::bulk("v"),
                "{key}, {shards} shards"
            );
        }
    }
}

/// A script that may write for ever is ended first.
#[test]
fn scripts_that_run_for_too_long_are_waited_for() {
    for shards in ["1", "4"] {
        let mut server = server(&["--shards", shards, "--save", "3600 1", "--busy-reply-threshold", "50"]);
        let (mut client, mut runner) = (server.client(), server.client());
        assert!(client.run("SET k v").is_ok());
        runner.send(&["EVAL", "while true do redis.call('GET', KEYS[1]) end", "1", "k"]).expect("sent");
        let begun = std::time::Instant::now();
        while !error(&client.cmd(&["DBSIZE"])).starts_with("BUSY") {
            assert!(begun.elapsed() < LIMIT);
        }
        for words in [&["SHUTDOWN"][..], &["SHUTDOWN", "SAVE"]] {
            let reply = error(&client.cmd(words));
            assert!(reply.starts_with("BUSY Redis is busy running a script."), "{reply}");
        }
        let pid = server.pid().to_string();
        assert!(std::process::Command::new("kill").arg(pid).status().expect("it is there").success());
        std::thread::sleep(Duration::from_millis(200));
        assert!(client.cmd(&["SCRIPT", "KILL"]).is_ok());
        assert!(server.wait_exit(LIMIT).expect("it ends").success());
        server.restart().expect("it starts again");
        assert_eq!(server.client().run("GET k"), Value::bulk("v"));
    }
}
