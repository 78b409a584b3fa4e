//! Running servers in several settings, and keys that lie on chosen shards of them.

use base::random::Random;
use base::slot::SlotMap;
use std::time::{SystemTime, UNIX_EPOCH};
use testkit::{Client, Server};

/// How a server is started: shards and back end. The first two are where most of the work is done.
const SETTINGS: [(u16, &str); 5] = [(4, "epoll"), (4, "io_uring"), (8, "auto"), (2, "auto"), (1, "auto")];
/// The settings after the first two are given this part of the rounds.
const MINOR_PART: usize = 4;

/// A running server, with what a test needs to know of it.
pub struct Arena {
    pub server: Server,
    pub shards: u16,
    /// How many rounds the test should make.
    pub rounds: usize,
    pub seed: u64,
}

/// Runs a test in every setting. `LITMUS_BACK_ENDS` (a list with commas) leaves out other back ends, for systems that
/// lack one; `LITMUS_TIMES` multiplies the rounds.
pub fn everywhere(rounds: usize, test: impl Fn(&Arena)) {
    let seed = seed();
    let rounds = rounds * number("LITMUS_TIMES").map_or(1, |times| times as usize);
    let back_ends = std::env::var("LITMUS_BACK_ENDS").ok();
    for (place, (shards, back_end)) in SETTINGS.into_iter().enumerate() {
        let is_wanted = |list: &String| list.split(',').any(|name| name == back_end);
        if back_end != "auto" && !back_ends.as_ref().is_none_or(is_wanted) {
            println!("left out: {back_end}");
            continue;
        }
        let rounds = if place < 2 { rounds } else { (rounds / MINOR_PART).max(1) };
        println!("{shards} shards, {back_end}, {rounds} rounds, LITMUS_SEED={seed}");
        test(&Arena::start(shards, back_end, rounds, seed));
    }
}

/// From `LITMUS_SEED`, or a new one.
fn seed() -> u64 {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_nanos() as u64;
    number("LITMUS_SEED").unwrap_or_else(now)
}

/// The number in an environment variable.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

impl Arena {
    fn start(shards: u16, back_end: &str, rounds: usize, seed: u64) -> Arena {
        let count = shards.to_string();
        let server = Server::weft(&["--shards", &count, "--io-backend", back_end]);
        Arena { server, shards, rounds, seed }
    }

    /// A new connection.
    pub fn client(&self) -> Client {
        self.server.client()
    }

    /// Connections that have their homes on all shards, as new connections are spread over them.
    pub fn clients(&self, count: usize) -> Vec<Client> {
        (0..count).map(|_| self.client()).collect()
    }

    /// Random numbers of worker `number`.
    pub fn random(&self, number: usize) -> Random {
        Random::from_seed(self.seed ^ (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// The shard a key lies on.
    pub fn shard_of(&self, key: &str) -> u16 {
        SlotMap::new(self.shards).shard_of(key.as_bytes())
    }

    /// `count` keys that begin with `prefix`, the first on the first shard, the second on the second, and so on around.
    pub fn keys(&self, prefix: &str, count: usize) -> Vec<String> {
        let mut next = 0u32;
        let mut on = |shard: u16| loop {
            let key = format!("{prefix}{next}");
            next += 1;
            if self.shard_of(&key) == shard {
                return key;
            }
        };
        (0..count).map(|place| on((place % usize::from(self.shards)) as u16)).collect()
    }

    /// Every shard answers, and no key of `keys` is locked by something that has gone.
    pub fn assert_all_answer(&self, keys: &[String]) {
        // Several connections, so that every shard is the home of one.
        for mut client in self.clients(2 * usize::from(self.shards)) {
            for key in keys {
                assert!(!client.cmd(&["TYPE", key]).is_error());
            }
            assert!(!client.cmd(&["DBSIZE"]).is_error());
        }
    }
}
