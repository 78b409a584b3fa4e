//! How long it takes from a push until the client that waited for it has the element.
//!
//! One client waits in BRPOP, another one pushes; the time runs from the push's departure to the arrival of the waiting client's reply.
//! The servers take turns, a few hundred hand-overs each. New connections of a server with several shards go to one shard after the
//! other, so the two clients are on different ones; the key changes every time, so as a rule it is on a third.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Outcome;
use crate::args::Options;
use crate::client::{Client, Reply};
use crate::process::{Launch, Server};

/// Hand-overs of one server's turn, and what `--scale` multiplies.
const PER_TURN: usize = 200;
const TURNS: usize = 20;
/// Time for the waiting client to get there.
const PAUSE: Duration = Duration::from_micros(300);
const KEYS: usize = 64;

/// Measures on every server in turn, prints a table and writes JSON if asked.
pub fn run(options: &Options, launches: &[Launch]) -> Outcome<()> {
    let mut servers = Vec::new();
    for launch in launches {
        let server = Server::start(launch)?;
        let clients = (server.client()?, server.client()?);
        servers.push((server, clients, Vec::new()));
    }
    let turns = (TURNS as f64 * options.scale).ceil() as usize;
    for _ in 0..turns {
        for (_, (waiter, pusher), times) in &mut servers {
            for number in 0..PER_TURN {
                times.push(hand_over(waiter, pusher, number)?);
            }
        }
    }
    println!("{:<28} {:>9} {:>9} {:>9}   p50 to the first peer's", "server", "p50, µs", "p90, µs", "p99, µs");
    let at = |times: &[Duration], part: f64| {
        times[(times.len() as f64 * part) as usize].as_nanos() as f64 / 1000.0
    };
    servers.iter_mut().for_each(|(_, _, times)| times.sort_unstable());
    let baseline = servers.len().saturating_sub(options.peers.len()).min(servers.len() - 1);
    let base_us = at(&servers[baseline].2, 0.5);
    let mut results = Vec::new();
    for (server, _, times) in &servers {
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|part| at(times, part));
        println!("{:<28} {p50:>9.1} {p90:>9.1} {p99:>9.1}   {:.2}", server.name, p50 / base_us);
        results.push(
            json!({"case": "handover", "server": server.name, "p50_us": p50, "p90_us": p90, "p99_us": p99}),
        );
    }
    if let Some(path) = &options.json {
        std::fs::write(path, format!("{:#}\n", json!(results)))?;
    }
    Ok(())
}

/// One hand-over.
fn hand_over(waiter: &mut Client, pusher: &mut Client, number: usize) -> Outcome<Duration> {
    let (key, element) = (format!("queue:{}", number % KEYS), number.to_string());
    waiter.send(&["BRPOP", &key, "0"])?;
    sleep(PAUSE);
    let begun = Instant::now();
    pusher.send(&["LPUSH", &key, &element])?;
    let got = waiter.receive()?;
    let elapsed = begun.elapsed();
    pusher.receive()?;
    let expected = [key, element].map(|text| Reply::Bulk(text.into_bytes()));
    if got != Reply::Array(expected.to_vec()) {
        return Err(format!("instead of an element came {got:?}").into());
    }
    Ok(elapsed)
}
