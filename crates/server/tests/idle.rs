//! Shards that sleep do what must be done all the same: keys and fields expire, memory is given back for others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use testkit::{Client, Program, Server, info_number};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

fn serve(settings: &[&str]) -> Server {
    Server::start(&Program::Peer(WEFT.into()), settings).expect("weft-server starts")
}

/// Takes so many messages of a client that listens: how many there were of each channel.
fn listen(listener: &mut Client, count: usize) -> BTreeMap<String, usize> {
    let mut channels = BTreeMap::new();
    for _ in 0..count {
        let message = listener.receive().expect("a message");
        let channel = message.items().and_then(|items| items[2].clone().string()).expect("a channel");
        *channels.entry(channel).or_default() += 1;
    }
    channels
}

/// What happens by itself is learned from messages: to ask for it would wake the shards.
#[test]
fn keys_and_fields_expire_while_everybody_sleeps() {
    let server = serve(&["--shards", "2", "--notify-keyspace-events", "Exh"]);
    let (mut client, mut listener) = (server.client(), server.client());
    let reply = listener.cmd(&["PSUBSCRIBE", "__keyevent@*"]);
    assert!(!reply.is_error(), "{reply}");
    // Shards that would sleep for long learn of what comes sooner, also in another database.
    for n in 0..20 {
        client.run(&format!("SET late:{n} v EX 1000"));
        client.run(&format!("HSET hash:{n} gone v stays v"));
    }
    client.run("SELECT 3");
    client.run("SET soon v PX 200");
    while !listen(&mut listener, 1).contains_key("__keyevent@3__:expired") {}
    client.run("SELECT 0");
    let (begun, begun_cpu) = (Instant::now(), server.cpu_time());
    for n in 0..20 {
        client.run(&format!("SET key:{n} v PX {}", 900 + n * 50));
        client.run(&format!("HPEXPIRE hash:{n} {} FIELDS 1 gone", 900 + n * 50));
    }
    let told = listen(&mut listener, 60);
    let used = server.cpu_time() - begun_cpu;
    assert!(used * 8 < begun.elapsed(), "{used:?} of {:?}", begun.elapsed());
    for (event, count) in [("expired", 20), ("hexpired", 20), ("hexpire", 20)] {
        assert_eq!(told.get(&format!("__keyevent@0__:{event}")), Some(&count), "{event}: {told:?}");
    }
    let text = client.cmd(&["INFO"]).string().expect("INFO is text");
    for figure in ["expired_keys:21", "expired_subkeys:20", "db0:keys=40,expires=20,", "subexpiry=0"] {
        assert!(text.contains(figure), "{figure}: {text}");
    }
    assert!(!text.contains("db3:"), "{text}");
}

/// How many of the keys of a tag are there. Only their shard is asked.
fn count_of(client: &mut Client, tag: &str) -> i64 {
    let keys: Vec<String> = (0..650).map(|n| format!("{{{tag}}}{n}")).collect();
    let words: Vec<&str> = std::iter::once("EXISTS").chain(keys.iter().map(String::as_str)).collect();
    client.cmd(&words).integer().expect("a number")
}

#[test]
fn a_shard_that_sleeps_gives_memory_for_one_that_grows() {
    let server = serve(&["--shards", "2", "--maxmemory", "8mb", "--maxmemory-policy", "allkeys-lru"]);
    let value = "v".repeat(10_000);
    // These two belong to different shards, and each client moves to the shard of its keys.
    let [mut first, mut second] = ["foo", "bar"].map(|tag| {
        let (mut client, key) = (server.client(), format!("{{{tag}}}0"));
        for _ in 0..200 {
            assert_eq!(client.pipeline(&[["GET", key.as_str()]; 32]).len(), 32);
        }
        client
    });
    let set = |client: &mut Client, key: &str| {
        let reply = client.cmd(&["SET", key, &value]);
        assert!(reply.is_ok(), "{key}: {reply}");
    };
    for n in 0..650 {
        set(&mut first, &format!("{{foo}}{n}"));
    }
    let begun = count_of(&mut first, "foo");
    assert!(begun > 500, "{begun} are there");
    server.await_sleep(Duration::from_millis(400));
    // From here on nobody asks the first shard for anything. Beside what it has there is no room for 300 of the other's.
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut count = 0;
    while count < 300 {
        assert!(Instant::now() < deadline, "the other has room for {count}");
        (0..650).for_each(|n| set(&mut second, &format!("{{bar}}{n}")));
        count = count_of(&mut second, "bar");
    }
    let left = count_of(&mut first, "foo");
    assert!((1..begun).contains(&left), "{left} of {begun} are left");
    while info_number(&mut first, "used_memory") >= 9 << 20 {
        assert!(Instant::now() < deadline, "memory stays above the limit");
        std::thread::yield_now();
    }
}
