//! With `appendfsync always` no reply leaves before its sync: neither that to a push, nor that to a client that waited and was served by it, wherever the keys are.
#![forbid(unsafe_code)]

use crash::FaultyServer;
use std::time::Duration;
use testkit::{Client, Value, await_info};

/// How long it is looked whether a reply comes that must not.
const LOOK: Duration = Duration::from_millis(50);

/// Who waits, who serves it, and what both are told in the end.
struct Case {
    waits: &'static str,
    serves: &'static [&'static str],
    served: &'static str,
    last: &'static str,
}

const CASES: [Case; 9] = [
    Case { waits: "BLPOP a 0", serves: &["RPUSH a x"], served: "a x", last: "(integer) 1" },
    Case { waits: "BLPOP a b c d e f 0", serves: &["RPUSH e x"], served: "e x", last: "(integer) 1" },
    Case { waits: "BZPOPMIN a b c d e f 0", serves: &["ZADD c 1 x"], served: "c x 1", last: "(integer) 1" },
    Case { waits: "BLMOVE a f LEFT LEFT 0", serves: &["RPUSH a x"], served: "x", last: "(integer) 1" },
    Case {
        waits: "BLMOVE {t}a {t}b LEFT LEFT 0",
        serves: &["LPUSH {t}a x"],
        served: "x",
        last: "(integer) 1",
    },
    Case {
        waits: "BLMPOP 0 4 a b c d LEFT COUNT 2",
        serves: &["MULTI", "RPUSH b x", "SET f 1", "EXEC"],
        served: "b x",
        last: "(integer) 1 OK",
    },
    Case {
        waits: "BLPOP a b 0",
        serves: &["EVAL redis.call('RPUSH',KEYS[1],'x');return(redis.call('INCR',KEYS[2])) 2 b g"],
        served: "b x",
        last: "(integer) 1",
    },
    Case { waits: "BRPOP b a 0", serves: &["RENAME source b"], served: "b x", last: "OK" },
    Case {
        waits: "XREADGROUP GROUP g me BLOCK 0 STREAMS s >",
        serves: &["XADD s 1-1 field x"],
        served: "s 1-1 field x",
        last: "1-1",
    },
];

/// The words of a reply in their order.
fn words(reply: &Value) -> String {
    match reply {
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(" "),
        Value::Bulk(text) | Value::Simple(text) => text.escape_ascii().to_string(),
        other => other.to_string(),
    }
}

fn check(shards: &str) {
    let settings = [
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
        "--auto-aof-rewrite-percentage",
        "0",
        "--shards",
        shards,
    ];
    let faulty = FaultyServer::start(&format!("withheld-{shards}"), &settings);
    let mut control = faulty.server.client();
    for Case { waits, serves, served, last } in CASES {
        assert!(control.run("FLUSHALL").is_ok());
        assert!(!control.run("RPUSH source x").is_error());
        assert!(control.run("XGROUP CREATE s g $ MKSTREAM").is_ok());
        let (mut waiter, mut pusher): (Client, Client) = (faulty.server.client(), faulty.server.client());
        waiter.send(&waits.split(' ').collect::<Vec<_>>()).expect("it is sent");
        await_info(&mut control, "blocked_clients", "1");
        let (end, before) = serves.split_last().expect("a command that serves");
        before.iter().for_each(|line| assert!(!pusher.run(line).is_error(), "{line}"));
        faulty.fail("sync -1 .incr.aof");
        pusher.send(&end.split(' ').collect::<Vec<_>>()).expect("it is sent");
        faulty.await_waiting();
        assert_eq!(waiter.receive_within(LOOK), b"", "{waits}, {shards} shards");
        assert_eq!(pusher.receive_within(LOOK), b"", "{end}, {shards} shards");
        faulty.fail("");
        assert_eq!(words(&pusher.reply().expect("it is answered")), last, "{end}");
        let told = words(&waiter.reply().expect("it is served"));
        assert_eq!(told, served, "{waits}");
    }
}

#[test]
fn replies_wait_for_their_sync_on_one_shard() {
    check("1");
}

#[test]
fn replies_wait_for_their_sync_on_four_shards() {
    check("4");
}
