//! At the memory limit: a command over several shards is done or refused as a whole, and all shards together keep to it.

use testkit::{Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

#[test]
fn keys_of_several_shards_are_all_written_or_none() {
    let server = Server::start(&Program::Peer(WEFT.into()), &["--shards", "4"]).expect("weft-server starts");
    let mut client = server.client();
    client.run("CONFIG SET maxmemory 3mb");
    let value = "v".repeat(20_000);
    let (mut written, mut refused) = (0, 0);
    let mut kept: Vec<Vec<String>> = Vec::new();
    for round in 0..400 {
        let keys: Vec<String> = (0..8).map(|n| format!("round {round} key {n}")).collect();
        let mut words = vec!["MSET"];
        keys.iter().for_each(|key| words.extend([key.as_str(), value.as_str()]));
        let reply = client.cmd(&words);
        let mut exists = vec!["EXISTS"];
        exists.extend(keys.iter().map(String::as_str));
        let found = client.cmd(&exists).integer();
        if reply.is_ok() {
            written += 1;
            assert_eq!(found, Some(8), "round {round}");
            kept.push(keys);
        } else {
            refused += 1;
            let text = reply.to_string();
            assert!(text.contains("OOM command not allowed when used memory > 'maxmemory'."), "{text}");
            assert_eq!(found, Some(0), "round {round}");
            // A little below the limit again: it is crossing it that could leave something half written.
            for keys in kept.split_off(kept.len() - 3) {
                keys.iter().for_each(|key| drop(client.cmd(&["DEL", key])));
            }
        }
    }
    assert!(written > 10 && refused > 20, "{written} written, {refused} refused");
}

/// Length of the values that many write, and what a key of theirs costs beside at most.
const VALUE_BYTES: usize = 20_000;
const KEY_COST_BYTES_MAX: usize = 128;
const LIMIT_BYTES: usize = 16 << 20;
const SHARDS: usize = 4;
/// What a shard takes in from clients in one turn: 256 KiB, and 1 MiB of large values. The others do not know of it yet.
const TURN_BYTES_MAX: usize = (256 + 1024) << 10;

/// Writes values under keys of its own until one is refused; how many were stored. The other replies to its pipelines count, too.
fn fill(server: &Server, name: usize, value_bytes: usize, pipeline: usize) -> usize {
    let mut client = server.client();
    let value = "v".repeat(value_bytes);
    let mut stored = 0;
    for round in 0.. {
        let keys: Vec<String> = (0..pipeline).map(|n| format!("{name} {round} {n}")).collect();
        let commands: Vec<[&str; 3]> = keys.iter().map(|key| ["SET", key.as_str(), &value]).collect();
        let commands: Vec<&[&str]> = commands.iter().map(|command| &command[..]).collect();
        let replies = client.pipeline(&commands);
        let accepted = replies.iter().filter(|reply| reply.is_ok()).count();
        stored += accepted;
        if accepted < pipeline {
            break;
        }
    }
    stored
}

fn limited() -> Server {
    let arguments = ["--shards", &SHARDS.to_string(), "--maxmemory", &LIMIT_BYTES.to_string()];
    Server::start(&Program::Peer(WEFT.into()), &arguments).expect("weft-server starts")
}

#[test]
fn one_client_after_the_other_keeps_to_the_limit() {
    let server = limited();
    // Large ones, so that each counts; the last is let in before it is above the limit.
    let value_bytes = 1 << 20;
    let stored = fill(&server, 0, value_bytes, 1);
    assert!((stored - 1) * value_bytes <= LIMIT_BYTES, "{stored} values");
    assert!((stored + 1) * value_bytes > LIMIT_BYTES, "{stored} values");
    // Whoever has been told of the last write is told of the limit, on whichever shard he asks.
    assert!((0..64).all(|n| fill(&server, 1000 + n, 1, 1) == 0));
}

#[test]
fn clients_at_the_same_time_exceed_the_limit_by_a_turn_of_each_shard_at_most() {
    let server = limited();
    let stored: usize = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..12)
            .map(|name| {
                scope.spawn({
                    let server = &server;
                    move || fill(server, name, VALUE_BYTES, 16)
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().expect("no client fails")).sum()
    });
    assert_eq!(server.client().run("DBSIZE").integer(), Some(stored as i64));
    let excess = (stored * (VALUE_BYTES + KEY_COST_BYTES_MAX)).saturating_sub(LIMIT_BYTES);
    println!("{excess} bytes above the limit");
    assert!(excess <= SHARDS * TURN_BYTES_MAX, "{excess} bytes above the limit");
}
