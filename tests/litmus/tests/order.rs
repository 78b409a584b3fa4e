//! Invariant 3: writes of one connection become visible in the order it sent them, even pipelined to different shards.

use litmus::{Arena, Play, everywhere};
use testkit::{Client, Value};

/// Keys of a chain, written first to last.
const CHAIN: usize = 9;
const WRITERS: usize = 2;
/// Times the whole chain is written in one pipeline.
const LAPS: usize = 4;

/// The number a key holds; 0 when it has never been written.
fn number(value: &Value) -> i64 {
    value.integer().unwrap_or(0)
}

/// Writers, each with a chain of its own that it writes in order; `look` is called with one chain after the other.
fn chains(arena: &Arena, write: fn(&str, &str) -> Vec<String>, looks: &[fn(&mut Client, &[String])]) {
    let chains: Vec<Vec<String>> =
        (0..WRITERS).map(|writer| arena.keys(&format!("chain{writer}:"), CHAIN)).collect();
    let mut play = Play::new();
    for chain in &chains {
        let mut client = arena.client();
        play.work(move || {
            for round in 0..arena.rounds {
                let laps = (1..=LAPS).map(|lap| (round * LAPS + lap).to_string());
                let commands: Vec<Vec<String>> =
                    laps.flat_map(|value| chain.iter().map(move |key| write(key, &value))).collect();
                client.pipeline(&commands);
            }
        });
    }
    for look in looks {
        let (mut clients, chains) = (arena.clients(2), &chains);
        play.watch(move || {
            clients.iter_mut().for_each(|client| chains.iter().for_each(|chain| look(client, chain)));
        });
    }
    play.run();
}

fn set(key: &str, value: &str) -> Vec<String> {
    ["SET", key, value].map(String::from).to_vec()
}

/// Reads one key after the other, last written first: an earlier key must be as new, or newer.
fn look_backwards(client: &mut Client, chain: &[String]) {
    let mut last = 0;
    for key in chain.iter().rev() {
        let now = number(&client.cmd(&["GET", key]));
        assert!(now >= last, "{key} is {now} after a later key was {last}");
        last = now;
    }
}

/// Reads all keys at once: the numbers may only fall along the chain, and by one at most, as the laps are in order too.
fn look_at_once(client: &mut Client, chain: &[String]) {
    let command: Vec<&str> = ["MGET"].into_iter().chain(chain.iter().map(String::as_str)).collect();
    let reply = client.cmd(&command);
    let numbers: Vec<i64> = reply.items().expect("MGET gives an array").iter().map(number).collect();
    assert!(numbers.is_sorted_by(|a, b| a >= b), "{numbers:?}");
    assert!(numbers[0] - numbers[CHAIN - 1] <= 1, "{numbers:?}");
}

/// The same by pairs: never the new y with the old x.
fn look_at_pairs(client: &mut Client, chain: &[String]) {
    for pair in chain.windows(2) {
        let reply = client.cmd(&["MGET", &pair[1], &pair[0]]);
        let [y, x] = reply.items().expect("MGET gives an array") else { panic!("{reply}") };
        assert!(number(x) >= number(y), "{} is {x} while {} is {y}", pair[0], pair[1]);
    }
}

#[test]
fn pipelined_writes_to_different_shards_are_seen_in_order() {
    everywhere(500, |arena| chains(arena, set, &[look_backwards, look_at_once, look_at_pairs]));
}

/// The same when every other write is one of several keys, or one that locks keys on two shards.
#[test]
fn pipelined_writes_of_one_and_of_many_keys_are_seen_in_order() {
    fn write(key: &str, value: &str) -> Vec<String> {
        let words: Vec<String> = match key.bytes().last().unwrap_or(0) % 3 {
            0 => vec!["MSET".into(), key.into(), value.into(), format!("beside:{key}"), value.into()],
            1 => ["BITOP", "OR", key, &format!("value:{value}"), "nothing"].map(String::from).to_vec(),
            _ => set(key, value),
        };
        words
    }
    everywhere(120, |arena| {
        let mut client = arena.client();
        for value in 1..=arena.rounds * LAPS {
            client.cmd(&["SET", &format!("value:{value}"), &value.to_string()]);
        }
        chains(arena, write, &[look_backwards, look_at_once, look_at_pairs]);
    });
}

/// The pattern of job queues: the hash of a job, then its id into the list. Whoever pops the id finds the hash.
#[test]
fn who_pops_a_job_finds_what_was_written_before_it() {
    everywhere(250, |arena| {
        let (queues, doing) = (arena.keys("queue", 4), arena.keys("doing", 4));
        let mut play = Play::new();
        for producer in 0..2 {
            let (mut client, queues) = (arena.client(), &queues);
            play.work(move || {
                for round in 0..arena.rounds {
                    let mut commands = Vec::new();
                    for n in 0..6 {
                        let id = format!("{producer}-{round}-{n}");
                        let hash = ["HSET", &format!("job:{id}"), "id", &id].map(String::from);
                        commands.push(hash.to_vec());
                        commands.push(["LPUSH", &queues[n % queues.len()], &id].map(String::from).to_vec());
                    }
                    client.pipeline(&commands);
                }
            });
        }
        for worker in 0..4 {
            let (mut client, queue, doing) = (arena.client(), &queues[worker], &doing[worker]);
            play.watch(move || {
                let popped = match worker % 2 {
                    0 => client.cmd(&["RPOP", queue]),
                    _ => client.cmd(&["LMOVE", queue, doing, "RIGHT", "LEFT"]),
                };
                let Some(id) = popped.string() else { return };
                let found = client.cmd(&["HGET", &format!("job:{id}"), "id"]);
                assert_eq!(found.string(), Some(id));
            });
        }
        play.run();
    });
}

/// A counter is raised on one shard and copied to others by hand: readers never see the copy ahead.
#[test]
fn a_write_after_a_rename_is_not_seen_before_it() {
    everywhere(250, |arena| {
        let keys = arena.keys("renamed", 4);
        let (mut writer, mut reader, keys) = (arena.client(), arena.client(), &keys);
        let mut play = Play::new();
        play.work(move || {
            for round in 1..=arena.rounds {
                let value = round.to_string();
                writer.pipeline(&[
                    vec!["SET", &keys[0], &value],
                    vec!["RENAME", &keys[0], &keys[1]],
                    vec!["SET", &keys[2], &value],
                    vec!["COPY", &keys[2], &keys[3], "REPLACE"],
                ]);
            }
        });
        play.watch(move || {
            let numbers: Vec<i64> = [3, 2, 1].map(|n| number(&reader.cmd(&["GET", &keys[n]]))).to_vec();
            assert!(numbers.is_sorted(), "{numbers:?}");
        });
        play.run();
    });
}
