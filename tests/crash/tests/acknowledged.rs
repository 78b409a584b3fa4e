//! Servers with append-only files that are killed at any moment: what was acknowledged is there, whatever `appendfsync` says, and nothing that was not
//! asked for.
#![forbid(unsafe_code)]

use base::random::Random;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use testkit::{Client, Server, await_true};

const WRITERS: usize = 4;
const TIMES: usize = 6;

/// What one client has asked for and been told: numbers that ascend.
#[derive(Default)]
struct Told {
    sent: AtomicU64,
    acknowledged: AtomicU64,
}

/// The keys of a writer: a string, a list, and three strings that are written together.
fn keys(writer: usize) -> [String; 5] {
    ["string", "list", "one", "two", "three"].map(|name| format!("{name}:{writer}"))
}

/// Writes the next number to each of its keys, again and again, until nobody answers.
fn write(mut client: Client, writer: usize, told: &Told) {
    let [string, list, one, two, three] = keys(writer);
    loop {
        let number = told.sent.fetch_add(1, Ordering::SeqCst) + 1;
        let text = number.to_string();
        let commands = [
            vec!["SET", &string, &text],
            vec!["LPUSH", &list, &text],
            vec!["MSET", &one, &text, &two, &text, &three, &text],
        ];
        for words in &commands {
            match client.try_cmd(words) {
                Ok(reply) => assert!(!reply.is_error(), "{reply}"),
                Err(_) => return,
            }
        }
        told.acknowledged.store(number, Ordering::SeqCst);
    }
}

/// How often all that was asked for has been acknowledged, to all writers.
fn written_now(told: &[Told]) -> u64 {
    told.iter().map(|told| told.acknowledged.load(Ordering::SeqCst)).sum()
}

/// What a writer finds of its keys: the numbers of the string, the list and those three.
fn found(client: &mut Client, writer: usize) -> [u64; 3] {
    let [string, list, one, two, three] = keys(writer);
    let number = |text: Option<String>| text.map_or(0, |text| text.parse().expect("a number"));
    let reply = client.cmd(&["LRANGE", &list, "0", "-1"]);
    let items: Vec<u64> =
        reply.items().unwrap_or_default().iter().map(|item| number(item.clone().string())).collect();
    assert!(items.iter().rev().copied().eq(1..=items.len() as u64), "each number once: {reply}");
    let reply = client.cmd(&["MGET", &one, &two, &three]);
    let together = reply.items().expect("an array");
    assert!(together.iter().all(|value| *value == together[0]), "all or nothing: {reply}");
    [number(client.cmd(&["GET", &string]).string()), items.len() as u64, number(together[0].clone().string())]
}

fn kill_again_and_again(policy: &str, shards: &str, random: &mut Random) {
    let mut server = Server::weft(&["--shards", shards, "--appendonly", "yes", "--appendfsync", policy]);
    for time in 0..TIMES {
        assert!(server.client().run("FLUSHALL").is_ok());
        let told: Vec<Told> = (0..WRITERS).map(|_| Told::default()).collect();
        std::thread::scope(|scope| {
            for (writer, told) in told.iter().enumerate() {
                let client = server.client();
                scope.spawn(move || write(client, writer, told));
            }
            // At a random moment of a random write.
            let enough = random.below(400);
            await_true("some writes", || written_now(&told) > enough);
            std::thread::sleep(Duration::from_micros(random.below(500)));
            server.kill();
        });
        server.restart().expect("it starts again");
        let mut client = server.client();
        for (writer, told) in told.iter().enumerate() {
            let range = told.acknowledged.load(Ordering::SeqCst)..=told.sent.load(Ordering::SeqCst);
            let found = found(&mut client, writer);
            assert!(
                found.iter().all(|found| range.contains(found)),
                "{policy}, {shards} shards, time {time}: writer {writer} has {found:?}, not {range:?}"
            );
        }
    }
}

#[test]
fn what_was_acknowledged_outlives_the_process() {
    let mut random = Random::from_seed(11);
    for policy in ["always", "everysec", "no"] {
        for shards in ["1", "3"] {
            kill_again_and_again(policy, shards, &mut random);
        }
    }
}
