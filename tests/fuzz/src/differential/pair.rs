//! A weft-server and a peer, both running, with the same settings.

use super::sequence::grammar;
use super::{Difference, Peer, Remote, Rules, Sequence, compare, shrink};
use crate::grammar::Grammar;
use std::collections::HashSet;
use std::time::SystemTime;
use testkit::{Program, Server};

/// Settings of both.
const SETTINGS: [&str; 6] =
    ["--databases", "4", "--proto-max-bulk-len", "1mb", "--enable-debug-command", "yes"];

/// Two servers and what is known of them.
pub struct Pair {
    pub weft: Server,
    pub peer: Server,
    pub rules: Rules,
    grammar: Grammar,
}

impl Pair {
    /// Starts both; how they are compared follows from the peer's version.
    pub fn start(program: &Program, shards: u64) -> Self {
        let weft = Server::weft(&[&SETTINGS[..], &["--shards", &shards.to_string()]].concat());
        let peer = Server::start(program, &SETTINGS).unwrap_or_else(|error| panic!("{program:?}: {error}"));
        let with_modules = peer.client().run("COMMAND INFO FT.SEARCH").to_string().contains("ft.search");
        let rules = Rules { version: version(&peer), with_modules };
        let events = if rules.version < (8, 2) { "KEAnm" } else { "KEAnmoc" };
        for server in [&weft, &peer] {
            server.client().run(&format!("CONFIG SET notify-keyspace-events {events}"));
        }
        Self { weft, peer, rules, grammar: grammar(&rules) }
    }

    /// Plays the sequence of a seed, in RESP3 when it is odd.
    pub fn play(&self, seed: u64, len: usize, known: &HashSet<String>) -> Option<Difference> {
        let now_ms = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as u64);
        let sequence = Sequence::random(&self.grammar, &self.rules, seed, seed % 2 == 1, len, now_ms);
        compare(&mut self.connect(), &sequence, &self.rules, known)
    }

    /// The shortest form of a difference.
    pub fn shrink(&self, difference: Difference, known: &HashSet<String>) -> Difference {
        shrink(difference, &self.rules, known, || self.connect())
    }

    /// New connections to both.
    pub fn connect(&self) -> [Box<dyn Peer>; 2] {
        [&self.weft, &self.peer].map(|server| {
            let connected = Remote::connect_with_listener(server.port());
            Box::new(connected.unwrap_or_else(|error| panic!("{error}:\n{}", server.log_tail()))) as _
        })
    }
}

fn version(server: &Server) -> (u32, u32) {
    let info = server.client().run("INFO server").string().unwrap_or_default();
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or_default();
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}
