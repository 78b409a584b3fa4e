//! What UNLINK, FLUSHALL ASYNC and the lazyfree directives let go of is freed by a shard that has nothing else to do as well as
//! by one that has, is counted as Redis counts it, and goes back to the operating system.

use std::time::{Duration, Instant};
use testkit::{Client, Program, Server, info_number};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

fn server(settings: &[&str]) -> Server {
    Server::start(&Program::Peer(WEFT.into()), settings).expect("weft-server starts")
}

/// Waits without asking for anything but this, now and then.
fn await_zero(client: &mut Client, name: &str) {
    let begun = Instant::now();
    while info_number(client, name) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{name} does not become 0");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn fill_set(client: &mut Client, key: &str, members: usize) {
    for from in (0..members).step_by(500) {
        let mut words = vec!["SADD".to_owned(), key.to_owned()];
        words.extend((from..from + 500).map(|n| format!("member of some length {n}")));
        client.cmd(&words);
    }
}

#[test]
fn an_idle_server_frees_all_and_then_sleeps() {
    for shards in ["1", "2"] {
        let server = server(&["--shards", shards, "--enable-debug-command", "yes"]);
        let mut client = server.client();
        client.run("DEBUG POPULATE 400000 key 100");
        let full = server.resident_bytes();
        let used = info_number(&mut client, "used_memory");
        assert!(client.run("FLUSHALL ASYNC").is_ok());
        assert_eq!(client.run("DBSIZE").integer(), Some(0));
        await_zero(&mut client, "lazyfree_pending_objects");
        assert_eq!(info_number(&mut client, "lazyfreed_objects"), 400_000);
        assert!(info_number(&mut client, "used_memory") < used / 10);
        let rest = server.resident_bytes();
        assert!(rest < full / 2, "{rest} of {full} bytes are still resident");
        client.run("CONFIG RESETSTAT");
        assert_eq!(info_number(&mut client, "lazyfreed_objects"), 0);
        std::thread::sleep(Duration::from_millis(300));
        let before = server.cpu_time();
        std::thread::sleep(Duration::from_millis(500));
        assert!(server.cpu_time() - before < Duration::from_millis(30), "it sleeps again");
    }
}

#[test]
fn clients_are_served_while_memory_is_freed() {
    let server = server(&["--shards", "1", "--enable-debug-command", "yes"]);
    let (mut client, mut other) = (server.client(), server.client());
    client.run("DEBUG POPULATE 1000000 key 600");
    client.run("FLUSHALL ASYNC");
    // Each key has a block of its own: this takes long enough to be seen half done.
    let (mut served, mut last) = (0, u64::MAX);
    while last > 0 {
        assert!(other.run("SET key value").is_ok());
        let pending = info_number(&mut other, "lazyfree_pending_objects");
        assert!(pending <= last);
        served += u32::from(pending < last);
        last = pending;
    }
    assert!(served > 3, "served {served} times");
    assert_eq!(client.run("DBSIZE").integer(), Some(1));
}

#[test]
fn directives_say_what_is_freed_later() {
    let server = server(&["--shards", "1", "--enable-debug-command", "yes"]);
    let mut client = server.client();
    let mut freed = 0;
    let mut check = |client: &mut Client, directive: &str, lines: &[&str]| {
        for lazy in ["no", "yes"] {
            client.cmd(&["CONFIG", "SET", directive, lazy]);
            fill_set(client, "large", 2000);
            lines.iter().for_each(|line| drop(client.run(line)));
            await_zero(client, "lazyfree_pending_objects");
            freed += u64::from(lazy == "yes");
            assert_eq!(info_number(client, "lazyfreed_objects"), freed, "{directive} {lazy}");
            client.run("FLUSHALL SYNC");
        }
        client.cmd(&["CONFIG", "SET", directive, "no"]);
    };
    check(&mut client, "lazyfree-lazy-user-del", &["DEL large"]);
    check(&mut client, "lazyfree-lazy-server-del", &["SET large x"]);
    check(&mut client, "lazyfree-lazy-server-del", &["SET x 1", "RENAME x large"]);
    check(&mut client, "lazyfree-lazy-expire", &["EXPIRE large -1"]);
    check(&mut client, "lazyfree-lazy-expire", &["PEXPIRE large 1", "DEBUG SLEEP 0.02", "GET large"]);
    fill_set(&mut client, "large", 2000);
    client.run("UNLINK large");
    await_zero(&mut client, "lazyfree_pending_objects");
    assert_eq!(info_number(&mut client, "lazyfreed_objects"), freed + 1);
    client.run("CONFIG SET lazyfree-lazy-user-flush yes");
    client.run("MSET a 1 b 2 c 3");
    client.run("FLUSHDB");
    await_zero(&mut client, "lazyfree_pending_objects");
    assert_eq!(info_number(&mut client, "lazyfreed_objects"), freed + 4);
    client.run("CONFIG SET lazyfree-lazy-eviction yes maxmemory-policy allkeys-lru");
    fill_set(&mut client, "large", 20_000);
    client.run("CONFIG SET maxmemory 300kb");
    client.run("SET other x");
    await_zero(&mut client, "lazyfree_pending_objects");
    assert_eq!(info_number(&mut client, "lazyfreed_objects"), freed + 5);
    assert_eq!(client.run("EXISTS large").integer(), Some(0));
}
