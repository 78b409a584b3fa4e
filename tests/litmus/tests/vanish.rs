//! Clients that go away with operations under way: no lock stays, no key is lost, and everybody else is served.

use litmus::{Arena, Play, everywhere};
use std::time::Duration;
use testkit::client::encode;

fn words(line: &str) -> Vec<u8> {
    encode(&line.split(' ').collect::<Vec<_>>())
}

/// A pipeline over `keys` that locks, moves and reads them in every way.
fn pipeline(arena: &Arena, keys: &[String], number: usize) -> Vec<u8> {
    let mut random = arena.random(number);
    let mut bytes = Vec::new();
    for _ in 0..1 + random.index(40) {
        let (from, to) = (&keys[random.index(keys.len())], &keys[random.index(keys.len())]);
        let line = match random.below(12) {
            0..=2 => format!("RENAME {from} {to}"),
            3 => format!("MGET {from} {to} other"),
            4 => format!("EXISTS {from} {to}"),
            5 => "DBSIZE".into(),
            6 => "SORT ids BY weight_* GET object_*".into(),
            7 => format!("SUNIONSTORE union {from} {to} sets"),
            8 => format!("BITOP OR bits {from} {to}"),
            9 => "LMOVE list list:2 LEFT RIGHT".into(),
            10 => "LMOVE list:2 list LEFT RIGHT".into(),
            _ => "SMOVE set set:2 member".into(),
        };
        bytes.extend(words(&line));
    }
    // The last request may be cut short.
    bytes.truncate(bytes.len() - random.index(bytes.len().min(30)));
    bytes
}

#[test]
fn nothing_stays_locked_or_is_lost_when_clients_vanish() {
    everywhere(150, |arena| {
        let keys = &arena.keys("token", 5);
        let mut first = arena.client();
        for line in [
            "RPUSH list a b c",
            "RPUSH ids 1 2 3 4 5",
            "MSET weight_1 3 weight_2 1 object_1 x",
            "SADD set member",
        ] {
            assert!(!first.cmd(&line.split(' ').collect::<Vec<_>>()).is_error());
        }
        first.cmd(&["SET", &keys[0], "token"]);
        let mut play = Play::new();
        for worker in 0..3 {
            play.work(move || {
                for round in 0..arena.rounds {
                    let mut client = arena.client();
                    // A request that was cut short has no reply.
                    client.set_timeout(Duration::from_millis(20));
                    let bytes = pipeline(arena, keys, worker * 1_000_000 + round);
                    // The server may have closed a connection for its own reasons; that too is a client gone.
                    let _ = client.send_raw(&bytes);
                    if round % 3 == 0 {
                        let _ = client.receive_raw(1);
                    }
                }
            });
        }
        let mut client = arena.client();
        play.watch(move || {
            let command: Vec<&str> = ["EXISTS"].into_iter().chain(keys.iter().map(String::as_str)).collect();
            assert_eq!(client.cmd(&command).integer(), Some(1));
        });
        play.run();
        let others =
            ["list", "list:2", "set", "set:2", "ids", "union", "bits", "weight_1", "object_1", "sets"];
        let all: Vec<String> = keys.iter().cloned().chain(others.map(String::from)).collect();
        arena.assert_all_answer(&all);
        assert_left(arena);
    });
}

/// What the pipelines moved is all there.
fn assert_left(arena: &Arena) {
    let mut client = arena.client();
    let sum = |client: &mut testkit::Client, commands: [&[&str]; 2]| {
        commands.iter().filter_map(|command| client.cmd(command).integer()).sum::<i64>()
    };
    assert_eq!(sum(&mut client, [&["LLEN", "list"], &["LLEN", "list:2"]]), 3);
    assert_eq!(sum(&mut client, [&["SCARD", "set"], &["SCARD", "set:2"]]), 1);
}

/// A connection takes the place of one that has gone: it must not get the other's replies, and is in order from the start.
#[test]
fn a_new_connection_gets_nothing_of_the_one_before() {
    everywhere(200, |arena| {
        let keys = arena.keys("slot", 6);
        for round in 0..arena.rounds {
            let mut gone = arena.client();
            let mget: Vec<&str> = ["MGET"].into_iter().chain(keys.iter().map(String::as_str)).collect();
            let mut bytes = Vec::new();
            for _ in 0..20 {
                bytes.extend(encode(&mget));
                bytes.extend(encode(&["RENAME", &keys[0], &keys[1]]));
                bytes.extend(encode(&["SET", &keys[2], "x"]));
            }
            gone.send_raw(&bytes).expect("sent");
            drop(gone);
            for mut client in arena.clients(usize::from(arena.shards)) {
                let word = round.to_string();
                let replies =
                    client.pipeline(&[vec!["ECHO", &word], vec!["MGET", "no", "none"], vec!["ECHO", &word]]);
                assert_eq!((replies[0].string(), replies[2].string()), (Some(word.clone()), Some(word)));
                assert_eq!(replies[1].items().map(<[_]>::len), Some(2));
                assert_eq!(client.unread(), b"");
            }
        }
    });
}

/// CLIENT KILL closes from the server's side, in the middle of anything.
#[test]
fn killed_clients_leave_nothing_locked() {
    everywhere(100, |arena| {
        let keys = &arena.keys("kill", 4);
        arena.client().cmd(&["SET", &keys[0], "token"]);
        let mut play = Play::new();
        for worker in 0..2 {
            play.work(move || {
                let mut killer = arena.client();
                for round in 0..arena.rounds {
                    let mut victim = arena.client();
                    let id = victim.cmd(&["CLIENT", "ID"]).integer().expect("an id").to_string();
                    let _ = victim.send_raw(&pipeline(arena, keys, worker * 1_000_000 + round));
                    let killed = killer.cmd(&["CLIENT", "KILL", "ID", &id]).integer();
                    assert!(matches!(killed, Some(0 | 1)));
                }
            });
        }
        play.run();
        arena.assert_all_answer(keys);
        let mut client = arena.client();
        let command: Vec<&str> = ["EXISTS"].into_iter().chain(keys.iter().map(String::as_str)).collect();
        assert_eq!(client.cmd(&command).integer(), Some(1));
    });
}
