//! Shards that sleep do what must be done all the same: keys and fields expire, memory is given back for others.

use std::time::Duration;
use testkit::{Program, Server, info_number};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

fn serve(settings: &[&str]) -> Server {
    Server::start(&Program::Peer(WEFT.into()), settings).expect("weft-server starts")
}

#[test]
fn keys_and_fields_expire_while_everybody_sleeps() {
    let server = serve(&["--shards", "2"]);
    let mut client = server.client();
    for n in 0..20 {
        client.run(&format!("SET late:{n} v EX 1000"));
        client.run(&format!("SET key:{n} v PX {}", 900 + n * 50));
        client.run(&format!("HSET hash:{n} gone v stays v"));
        client.run(&format!("HPEXPIRE hash:{n} {} FIELDS 1 gone", 900 + n * 50));
    }
    // In another database, and sooner than what the shards wait for.
    std::thread::sleep(Duration::from_millis(400));
    client.run("SELECT 3");
    client.run("SET soon v PX 200");
    let begun = server.cpu_time();
    std::thread::sleep(Duration::from_millis(2000));
    let used = server.cpu_time() - begun;
    // The very first command that comes learns what happened before it.
    let text = client.cmd(&["INFO"]).string().expect("INFO is text");
    for figure in ["expired_keys:21", "expired_subkeys:20", "db0:keys=40,expires=20,", "subexpiry=0"] {
        assert!(text.contains(figure), "{figure}: {text}");
    }
    assert!(!text.contains("db3:"), "{text}");
    assert!(used < Duration::from_millis(100), "{used:?}");
}

#[test]
fn a_shard_that_sleeps_gives_memory_for_one_that_grows() {
    let server = serve(&["--shards", "2", "--maxmemory", "8mb", "--maxmemory-policy", "allkeys-lru"]);
    let value = "v".repeat(10_000);
    // These two belong to different shards, and each client moves to the shard of its keys.
    for tag in ["foo", "bar"] {
        let (mut client, key) = (server.client(), format!("{{{tag}}}0"));
        for _ in 0..200 {
            assert_eq!(client.pipeline(&[["GET", key.as_str()]; 32]).len(), 32);
        }
        for n in 0..650 {
            let reply = client.cmd(&["SET", &format!("{{{tag}}}{n}"), &value]);
            assert!(reply.is_ok(), "{tag} {n}: {reply}");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(600));
    }
    let mut client = server.client();
    let mut left = |tag: &str| {
        let keys: Vec<String> = (0..650).map(|n| format!("{{{tag}}}{n}")).collect();
        let words: Vec<&str> = std::iter::once("EXISTS").chain(keys.iter().map(String::as_str)).collect();
        client.cmd(&words).integer().expect("a number")
    };
    let (first, second) = (left("foo"), left("bar"));
    assert!(
        (100..635).contains(&first) && second > 150,
        "{first} of the first, {second} of the second are left"
    );
    assert!(info_number(&mut client, "used_memory") < 9 << 20);
}
