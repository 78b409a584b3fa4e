//! Servers that are killed at any moment: what is on disk is what there was at one moment, and whole.
#![forbid(unsafe_code)]

use base::random::Random;
use crash::names;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use testkit::{Client, Server, info};

const KEYS: usize = 60;
const TIMES: usize = 24;

/// All keys have the value that one MSET has written; which.
fn state(client: &mut Client) -> u64 {
    let words: Vec<String> =
        std::iter::once("MGET".to_owned()).chain((0..KEYS).map(|n| format!("key:{n}"))).collect();
    let reply = client.cmd(&words);
    let values = reply.items().expect("an array");
    assert!(values.iter().all(|value| *value == values[0]), "one moment: {reply}");
    values[0].clone().string().map_or(0, |text| text.parse().expect("a number"))
}

/// Writes all keys again and again, each time with the next number, until it is over or nobody answers.
fn write(mut client: Client, sent: &AtomicU64, acknowledged: &AtomicU64, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let number = sent.fetch_add(1, Ordering::SeqCst) + 1;
        let pairs = (0..KEYS).flat_map(|n| [format!("key:{n}"), number.to_string()]);
        let words: Vec<String> = std::iter::once("MSET".to_owned()).chain(pairs).collect();
        match client.try_cmd(&words) {
            Ok(reply) if reply.is_ok() => acknowledged.store(number, Ordering::SeqCst),
            _ => return,
        }
    }
}

/// Saves one time after the other until nobody answers; the number that was acknowledged before the last save began that is known to have
/// succeeded.
fn save(mut client: Client, begun: u64, acknowledged: &AtomicU64, known: &AtomicU64) {
    let mut saves = begun;
    loop {
        let before = acknowledged.load(Ordering::SeqCst);
        if !client.try_cmd(&["BGSAVE"]).is_ok_and(|reply| !reply.is_error()) {
            return;
        }
        loop {
            let Ok(reply) = client.try_cmd(&["INFO", "persistence"]) else { return };
            let text = reply.string().unwrap_or_default();
            if text.contains("rdb_bgsave_in_progress:0") {
                assert!(text.contains("rdb_last_bgsave_status:ok"), "{text}");
                saves += 1;
                assert!(text.contains(&format!("rdb_saves:{saves}\r\n")), "{text}");
                break;
            }
        }
        known.store(before, Ordering::SeqCst);
    }
}

#[test]
fn what_a_killed_server_has_saved_is_whole_and_from_one_moment() {
    let seed = 7;
    let mut random = Random::from_seed(seed);
    let mut amidst = 0;
    for shards in ["3", "1"] {
        let mut server = Server::weft(&["--shards", shards, "--enable-debug-command", "yes"]);
        let mut client = server.client();
        assert!(client.run("DEBUG POPULATE 100000 filler 100").is_ok());
        assert!(client.run("SAVE").is_ok());
        let (sent, acknowledged, known) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        for round in 0..TIMES / 2 {
            let is_over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let (writer, mut saver) = (server.client(), server.client());
                let begun = info(&mut saver, "rdb_saves").parse().expect("a number");
                scope.spawn(|| write(writer, &sent, &acknowledged, &is_over));
                let (acknowledged, known) = (&acknowledged, &known);
                scope.spawn(move || save(saver, begun, acknowledged, known));
                std::thread::sleep(Duration::from_micros(random.below(150_000)));
                server.kill();
                is_over.store(true, Ordering::Relaxed);
            });
            amidst += usize::from(names(&server).iter().any(|name| name.starts_with("temp-weft-")));
            server.restart().expect("it starts again");
            assert_eq!(names(&server), ["dump.rdb"], "what is left is removed");
            let mut client = server.client();
            let found = state(&mut client);
            let range = known.load(Ordering::SeqCst)..=sent.load(Ordering::SeqCst);
            assert!(range.contains(&found), "round {round}, seed {seed}: {found} is not in {range:?}");
            assert_eq!(info(&mut client, "rdb_last_load_keys_expired"), "0");
            let fillers =
                client.run("DBSIZE").integer().unwrap_or_default() - i64::from(found > 0) * KEYS as i64;
            assert_eq!(fillers, 100_000);
            // What was not saved is gone; the numbers go on.
            acknowledged.store(found, Ordering::SeqCst);
            known.store(found, Ordering::SeqCst);
        }
    }
    assert!(amidst >= TIMES / 4, "only {amidst} times within a save");
}
