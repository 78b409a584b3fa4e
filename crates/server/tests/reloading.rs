//! DEBUG RELOAD and DEBUG LOADAOF: what was there is there again, whatever clients do meanwhile, and what cannot be loaded changes nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use testkit::{Client, Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

fn server(shards: &str, settings: &[&str]) -> Server {
    let all = [&["--shards", shards, "--enable-debug-command", "yes"], settings].concat();
    Server::start(&Program::Peer(WEFT.into()), &all).expect("weft-server starts")
}

/// Keys of all types on all shards, some in another database, some whose time comes; and a library.
fn fill(client: &mut Client) {
    for db in [9, 0] {
        assert!(client.run(&format!("SELECT {db}")).is_ok());
        for n in 0..200 {
            let words = [
                format!("SET text:{n} value-{n}"),
                format!("SET timed:{n} x EX {}", 1000 + n),
                format!("RPUSH list:{n} a b {n}"),
                format!("SADD set:{n} 1 2 {n}"),
                format!("HSET hash:{n} f {n} g w"),
                format!("ZADD zset:{n} 1.5 a {n} b"),
                format!("XADD stream:{n} {}-1 f {n}", n + 1),
            ];
            words.iter().for_each(|line| assert!(!client.run(line).is_error(), "{line}"));
        }
    }
    let library = "#!lua name=lib\nredis.register_function('f', function() return 7 end)";
    assert!(!client.cmd(&["FUNCTION", "LOAD", library]).is_error());
}

fn digest(client: &mut Client) -> String {
    client.run("DEBUG DIGEST").string().expect("a digest")
}

#[test]
fn all_is_there_again() {
    for shards in ["1", "3"] {
        for log in ["no", "yes"] {
            let server = server(shards, &["--appendonly", log]);
            let mut client = server.client();
            fill(&mut client);
            let before = digest(&mut client);
            assert!(client.run("DEBUG RELOAD").is_ok());
            assert_eq!(digest(&mut client), before);
            assert_eq!(client.run("FCALL f 0").integer(), Some(7));
            assert_eq!(client.run("DEBUG LOADAOF").is_ok(), log == "yes");
            assert_eq!(digest(&mut client), before);
            assert_eq!(client.run("FCALL f 0").integer(), Some(7));
            // A save that is under way does not matter, nor does one that comes.
            assert!(!client.run("BGSAVE").is_error());
            assert!(client.run("DEBUG RELOAD").is_ok());
            assert!(!client.run("BGREWRITEAOF").is_error());
            assert!(client.run("DEBUG RELOAD").is_ok());
            // Without append-only files there may be a base by now, or not.
            assert!(client.run("DEBUG LOADAOF").is_ok() || log == "no");
            assert!(client.run("SAVE").is_ok());
            assert_eq!(digest(&mut client), before);
        }
    }
}

/// Each writer counts with keys of its own, one of them with a share on every shard: nothing that was acknowledged is lost, and what a client
/// has written together is there together.
#[test]
fn writers_lose_nothing() {
    for shards in ["1", "4"] {
        let server = server(shards, &["--appendonly", "yes"]);
        let stop = AtomicBool::new(false);
        let (server, stop) = (&server, &stop);
        std::thread::scope(|scope| {
            for writer in 0..3 {
                scope.spawn(move || {
                    let mut client = server.client();
                    for count in 1.. {
                        let name = |n: usize| format!("w{writer}:{n}");
                        assert_eq!(client.cmd(&["INCR", &name(0)]).integer(), Some(count));
                        let text = count.to_string();
                        let (a, b, c, d) = (name(1), name(2), name(3), name(4));
                        assert!(client.cmd(&["MSET", &a, &text, &b, &text, &c, &text, &d, &text]).is_ok());
                        let all = client.cmd(&["MGET", &a, &b, &c, &d]);
                        assert_eq!(all, client.cmd(&["MGET", &a, &a, &a, &a]));
                        if stop.load(Ordering::SeqCst) {
                            return;
                        }
                    }
                });
            }
            let mut client = server.client();
            for _ in 0..10 {
                assert!(client.run("DEBUG RELOAD").is_ok());
                assert!(client.run("DEBUG LOADAOF").is_ok());
            }
            stop.store(true, Ordering::SeqCst);
        });
        let mut client = server.client();
        let before = digest(&mut client);
        assert!(client.run("DEBUG LOADAOF").is_ok());
        assert_eq!(digest(&mut client), before);
    }
}

/// What comes from a file without having been saved before is written down, too.
#[test]
fn what_comes_from_a_file_is_there_after_a_restart() {
    for shards in ["1", "3"] {
        let mut first = server(shards, &["--appendonly", "yes"]);
        let mut client = first.client();
        fill(&mut client);
        assert!(client.run("SAVE").is_ok());
        let before = digest(&mut client);
        for n in 0..200 {
            client.run(&format!("DEL text:{n}"));
            client.run(&format!("LPUSH text:{n} other"));
            client.run(&format!("SET more:{n} x"));
        }
        assert!(!client.run("FUNCTION FLUSH").is_error());
        assert!(client.run("DEBUG RELOAD NOSAVE").is_ok());
        assert_eq!(digest(&mut client), before);
        client.run("APPEND text:7 more");
        client.run("SET text:8 other");
        assert!(client.run("DEBUG RELOAD NOSAVE NOFLUSH").is_error());
        assert_eq!(client.run("GET text:8").string().as_deref(), Some("other"));
        assert!(client.run("DEBUG RELOAD NOSAVE NOFLUSH MERGE").is_ok());
        assert_eq!(digest(&mut client), before);
        client.run("LPUSH new a");
        let before = digest(&mut client);
        assert!(client.run("DEBUG LOADAOF").is_ok());
        assert_eq!(digest(&mut client), before);
        first.kill();
        let directory = first.directory().to_str().expect("a plain name");
        let second = server("2", &["--appendonly", "yes", "--dir", directory]);
        let mut client = second.client();
        assert_eq!(digest(&mut client), before);
        assert_eq!(client.run("FCALL f 0").integer(), Some(7));
    }
}

#[test]
fn what_cannot_be_loaded_changes_nothing() {
    for shards in ["1", "3"] {
        let server = server(shards, &[]);
        let mut client = server.client();
        fill(&mut client);
        let before = digest(&mut client);
        assert!(client.run("DEBUG RELOAD NOSAVE").is_error());
        assert!(client.run("DEBUG LOADAOF").is_error());
        assert!(client.run("SAVE").is_ok());
        let path = server.directory().join("dump.rdb");
        let mut bytes = std::fs::read(&path).expect("it has been saved");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        std::fs::write(&path, bytes).expect("it can be written");
        for options in ["NOSAVE", "NOSAVE NOFLUSH MERGE"] {
            assert!(client.run(&format!("DEBUG RELOAD {options}")).is_error());
            assert_eq!(digest(&mut client), before);
            assert_eq!(client.run("FCALL f 0").integer(), Some(7));
        }
        assert!(client.run("DEBUG RELOAD").is_ok());
        assert_eq!(digest(&mut client), before);
    }
}
