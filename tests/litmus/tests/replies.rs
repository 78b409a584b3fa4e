//! Invariant 4: replies come in the order of the requests, whatever stands between them; and a pipeline reads what it
//! has written.

use base::random::Random;
use litmus::script::{Expected, Script};
use litmus::{Arena, Play, everywhere};
use testkit::client::encode;
use testkit::{Client, Value};

const CONNECTIONS: usize = 6;
const COMMANDS_MAX: u64 = 150;

/// Sends bytes in pieces that end anywhere, now and then with a rest for the server to see the piece alone.
fn send_in_pieces(client: &mut Client, mut bytes: &[u8], random: &mut Random) {
    while !bytes.is_empty() {
        let most = [bytes.len(), 4000, 300, 40][random.index(4)].min(bytes.len());
        let (piece, rest) = bytes.split_at(1 + random.index(most));
        client.send_raw(piece).expect("the server takes input");
        bytes = rest;
        if random.below(16) == 0 {
            std::thread::yield_now();
        }
    }
}

/// One connection: random pipelines over keys of its own, each reply compared with the script's.
fn converse(arena: &Arena, number: usize, silences: bool) {
    let (mut client, mut random) = (arena.client(), arena.random(number));
    let keys = arena.keys(&format!("own{number}:"), 7);
    let mut script = Script::new(random.fork(), keys, silences);
    for round in 0..arena.rounds {
        let (mut bytes, mut expected, mut sent) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..1 + random.below(COMMANDS_MAX) {
            let (command, reply) = script.next_command();
            bytes.extend(encode(&command));
            expected.extend(reply.map(|reply| (sent.len(), reply)));
            sent.push(command);
        }
        if silences {
            // Twice: after a SKIP the first is silent.
            bytes.extend(encode(&["CLIENT", "REPLY", "OFF"]));
            let (command, reply) = script.speak();
            bytes.extend(encode(&command));
            expected.push((sent.len(), reply));
            sent.push(command);
        }
        send_in_pieces(&mut client, &bytes, &mut random);
        for (at, reply) in &expected {
            let got = client.reply().unwrap_or_else(|error| panic!("round {round}, command {at}: {error}"));
            let before = &sent[at.saturating_sub(12)..=*at];
            assert!(reply.admits(&got), "round {round}: {got} for {reply:?} after {before:#?}");
        }
        assert_eq!(client.unread(), b"");
    }
}

#[test]
fn replies_come_in_order_and_a_pipeline_reads_its_own_writes() {
    everywhere(60, |arena| {
        let mut play = Play::new();
        (0..CONNECTIONS).for_each(|number| play.work(move || converse(arena, number, false)));
        play.run();
    });
}

#[test]
fn replies_come_in_order_while_some_are_not_wanted() {
    everywhere(60, |arena| {
        let mut play = Play::new();
        (0..CONNECTIONS).for_each(|number| play.work(move || converse(arena, number, true)));
        play.run();
    });
}

/// The same in the middle of commands that hold the keys up: the pipeline must wait, not overtake.
#[test]
fn replies_come_in_order_while_others_hold_keys() {
    everywhere(40, |arena| {
        let shared = &arena.keys("shared", 4);
        let mut play = Play::new();
        for number in 0..3 {
            play.work(move || converse(arena, number, number == 0));
        }
        for number in 0..3 {
            let (mut client, mut random) = (arena.client(), arena.random(100 + number));
            play.watch(move || {
                let (from, to) = (random.index(4), random.index(4));
                let replies = client.pipeline(&[
                    vec!["SET", &shared[from], "1"],
                    vec!["RENAME", &shared[from], &shared[to]],
                    vec!["ECHO", "between"],
                    vec!["LPUSH", &shared[to], "1"],
                    vec!["DBSIZE"],
                    vec!["GET", &shared[from]],
                    vec!["PING"],
                ]);
                assert_eq!(replies[2], Value::bulk("between"));
                assert!(matches!(replies[4], Value::Integer(_)), "{}", replies[4]);
                assert_eq!(replies[6], Value::simple("PONG"));
                // Somebody else may have taken the key away meanwhile.
                assert!(replies[1].is_ok() || Expected::Error("ERR no such key").admits(&replies[1]));
            });
        }
        play.run();
    });
}

/// Many connections at once, each with a mixed pipeline in which every reply is told from every other.
#[test]
fn every_one_of_many_connections_gets_its_own_replies() {
    everywhere(8, |arena| {
        const MANY: usize = 200;
        let keys = arena.keys("crowd", 8);
        for round in 0..arena.rounds {
            let mut clients = arena.clients(MANY);
            for (number, client) in clients.iter_mut().enumerate() {
                for (n, key) in keys.iter().enumerate() {
                    let own = format!("{key}:{{{key}}}:{number}");
                    let value = format!("{round}-{number}-{n}");
                    client.send(&["SET", &own, &value]).expect("sent");
                    client.send(&["MSET", key, &value, &own, &value]).expect("sent");
                    client.send(&["MGET", &own, "nothing"]).expect("sent");
                    client.send(&["ECHO", &value]).expect("sent");
                }
            }
            for (number, client) in clients.iter_mut().enumerate() {
                for n in 0..keys.len() {
                    let value = Value::bulk(format!("{round}-{number}-{n}"));
                    let replies: Vec<Value> = (0..4).map(|_| client.reply().expect("a reply")).collect();
                    assert!(replies[0].is_ok() && replies[1].is_ok());
                    assert_eq!(replies[2], Value::Array(vec![value.clone(), Value::Null]));
                    assert_eq!(replies[3], value);
                }
            }
        }
    });
}
