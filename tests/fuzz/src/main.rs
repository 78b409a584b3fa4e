//! `fuzz --differential [--seed N] [--seconds N] [--shards N] [--all]`: random requests to a running weft-server and a
//! running redis-server, and what they answer differently. For use by hand: not every difference is a fault.
#![forbid(unsafe_code)]

use fuzz::differential::{Difference, Peer, compare, grammar, requests, shrink};
use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime};
use testkit::Server;

/// Requests between two FLUSHALLs.
const REQUESTS: usize = 200;
/// The version of the redis-server compared with.
const VERSION: (u32, u32) = (7, 1);

fn option(name: &str) -> Option<u64> {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1)?.parse().ok()
}

fn main() {
    if !std::env::args().any(|argument| argument == "--differential") {
        return println!("fuzz --differential [--seed N] [--seconds N] [--shards N]");
    }
    let shards = option("--shards").unwrap_or(1).to_string();
    let limits = ["--databases", "4", "--proto-max-bulk-len", "1mb", "--enable-debug-command", "yes"];
    let weft = Server::weft(&[&limits[..], &["--shards", &shards]].concat());
    let redis = Server::redis(&limits);
    let both = || -> [Box<dyn Peer>; 2] {
        [&weft, &redis].map(|server| {
            let mut client = server.client();
            client.run("FLUSHALL");
            Box::new(client) as Box<dyn Peer>
        })
    };
    let grammar = grammar(VERSION);
    let end = Instant::now() + Duration::from_secs(option("--seconds").unwrap_or(20));
    let (mut seed, mut seen) = (option("--seed").unwrap_or(1), HashSet::new());
    while Instant::now() < end {
        let now_ms = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as u64);
        let all = requests(&grammar, seed, REQUESTS, now_ms);
        let [mut first, mut second] = both();
        if let Some(difference) = compare(first.as_mut(), second.as_mut(), seed, &all)
            && seen.insert(kind(&difference))
        {
            println!("{}\n", shrink(difference, both));
        }
        seed += 1;
    }
    println!("{} kinds of differences up to seed {seed}", seen.len());
}

/// Differences of one command with the same beginnings of the answers are shown once.
fn kind(difference: &Difference) -> String {
    let name = difference.requests.last().map(|words| words[0].to_ascii_uppercase()).unwrap_or_default();
    let beginning = |text: &String| text.chars().take(18).filter(|c| c.is_alphabetic()).collect::<String>();
    format!("{} {:?}", name.escape_ascii(), difference.answers.each_ref().map(beginning))
}
