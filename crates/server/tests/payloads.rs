//! Values travel between weft-server and redis-server by DUMP and RESTORE, in both directions, and are the same at both
//! ends. Besides the redis-server in `PATH` the servers in `RDB_PEERS` (paths separated by colons) are tried; where
//! there is none there is nothing to try.

use base::random::Random;
use std::path::PathBuf;
use testkit::{Client, Program, Server, Value};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

fn peers() -> Vec<Program> {
    let named = std::env::var_os("RDB_PEERS").unwrap_or_default();
    let named: Vec<PathBuf> = std::env::split_paths(&named).filter(|path| path.is_file()).collect();
    let mut peers: Vec<_> = named.into_iter().map(Program::Peer).collect();
    peers.extend(Program::redis().find().map(|_| Program::redis()));
    peers
}

fn some_text(kind: usize, random: &mut Random) -> Vec<u8> {
    let mut noise = vec![0; random.index(100)];
    random.fill(&mut noise);
    match kind {
        0 => (random.below(400) as i64 - 200).to_string().into(),
        1 => (random.next_u64() as i64).to_string().into(),
        2 => noise,
        3 => vec![b'z'; 1 + 7000 * random.index(3)],
        _ => some_text(random.index(3), random),
    }
}

/// Values of all types in all their forms; the keys begin with the command that made them.
fn fill(client: &mut Client, random: &mut Random) -> Vec<String> {
    let mut keys = Vec::new();
    for kind in 0..5 {
        for count in [1, 20, 130, 700] {
            if kind == 3 && count > 20 {
                continue;
            }
            let texts: Vec<_> = (0..count).map(|_| some_text(kind, random)).collect();
            let score = |random: &mut Random| (random.unit_f64() * 8.0 - 4.0).to_string().into_bytes();
            let pairs = texts.iter().flat_map(|text| [text.clone(), some_text(kind, random)]).collect();
            let scored = texts.iter().flat_map(|text| [score(random), text.clone()]).collect();
            for (command, parts) in [
                ("SET", vec![texts[0].clone()]),
                ("HSET", pairs),
                ("ZADD", scored),
                ("RPUSH", texts.clone()),
                ("SADD", texts),
            ] {
                let key = format!("{command}-{kind}-{count}");
                let mut words = vec![command.as_bytes().to_vec(), key.clone().into()];
                words.extend(parts);
                assert!(!client.cmd(&words).is_error(), "{key}");
                keys.push(key);
            }
        }
    }
    keys
}

/// All of a value, in an order that does not depend on the server.
fn content(client: &mut Client, key: &str) -> Vec<Vec<u8>> {
    let command = key.split('-').next().expect("keys begin with a command");
    let reply = match command {
        "SET" => client.cmd(&["GET", key]),
        "RPUSH" => client.cmd(&["LRANGE", key, "0", "-1"]),
        "SADD" => client.cmd(&["SMEMBERS", key]),
        "HSET" => client.cmd(&["HGETALL", key]),
        _ => client.cmd(&["ZRANGE", key, "0", "-1", "WITHSCORES"]),
    };
    let Some(items) = reply.items() else { return vec![reply.bytes().expect("a string").to_vec()] };
    let mut flat: Vec<_> = items.iter().map(|item| item.bytes().expect("a string").to_vec()).collect();
    match command {
        "SADD" => flat.sort(),
        "HSET" => {
            let mut pairs: Vec<_> = flat.chunks(2).map(<[_]>::to_vec).collect();
            pairs.sort();
            flat = pairs.concat();
        }
        // Old servers write scores with more digits.
        "ZADD" => flat.chunks_mut(2).for_each(|pair| {
            let score = base::number::parse_f64(&pair[1]).expect("a score");
            pair[1] = score.to_le_bytes().to_vec();
        }),
        _ => {}
    }
    flat
}

fn dump(client: &mut Client, key: &str) -> Vec<u8> {
    client.cmd(&["DUMP", key]).bytes().expect("a payload").to_vec()
}

fn restore(client: &mut Client, key: &str, payload: &[u8]) -> Value {
    client.cmd(&[b"RESTORE", key.as_bytes(), b"0", payload, b"REPLACE"])
}

/// Of the version that ends a payload.
fn version(payload: &[u8]) -> u8 {
    payload[payload.len() - 10]
}

/// Everything from one server to the other, and back under the same name. Payloads newer than `version_max` stay.
fn there_and_back(from: &mut Client, to: &mut Client, version_max: [u8; 2], what: &str) {
    from.run("FLUSHALL");
    to.run("FLUSHALL");
    let mut random = Random::from_seed(23);
    let mut passed = 0;
    for key in fill(from, &mut random) {
        let before = content(from, &key);
        let payload = dump(from, &key);
        if version(&payload) > version_max[0] {
            continue;
        }
        assert!(restore(to, &key, &payload).is_ok(), "{what} {key}");
        assert!(content(to, &key) == before, "{what} {key}: other content");
        let payload = dump(to, &key);
        if version(&payload) > version_max[1] {
            continue;
        }
        assert!(restore(from, &key, &payload).is_ok(), "{what} {key}, back");
        assert!(content(from, &key) == before, "{what} {key}: other content, back");
        passed += 1;
    }
    assert!(passed > 60, "{what}: {passed} values passed");
}

#[test]
fn values_travel_between_servers() {
    for peer in peers() {
        let theirs = Server::start(&peer, &["--save", ""]).expect("the peer starts");
        let mut them = theirs.client();
        for shards in ["1", "4"] {
            let arguments = ["--shards", shards];
            let ours = Server::start(&Program::Peer(WEFT.into()), &arguments).expect("our server starts");
            let mut us = ours.client();
            them.run("SET SET-k v");
            let known = version(&dump(&mut them, "SET-k"));
            there_and_back(&mut them, &mut us, [u8::MAX, known], &format!("{peer:?} first"));
            there_and_back(&mut us, &mut them, [known, u8::MAX], &format!("{peer:?} last"));
        }
    }
}
