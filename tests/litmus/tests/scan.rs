//! The promise of SCAN over shards: what is there from the start to the end is returned, while tables grow and shrink
//! around it.

use litmus::{Play, everywhere};
use std::collections::BTreeSet;
use testkit::Client;

/// Calls until a scan is over, at most; a cursor that goes round for ever is a failure.
const CALLS_MAX: usize = 100_000;

/// A whole scan: every key returned.
fn scan(client: &mut Client, options: &[&str]) -> BTreeSet<String> {
    let (mut cursor, mut found) = ("0".to_string(), BTreeSet::new());
    for _ in 0..CALLS_MAX {
        let reply = client.cmd(&[&["SCAN", &cursor], options].concat());
        let [next, keys] = reply.items().expect("SCAN gives two") else { panic!("{reply}") };
        found.extend(keys.items().expect("keys").iter().map(|key| key.string().expect("a key")));
        cursor = next.string().expect("a cursor");
        if cursor == "0" {
            return found;
        }
    }
    panic!("a scan did not end");
}

#[test]
fn what_stays_is_returned_while_other_keys_come_and_go() {
    everywhere(24, |arena| {
        let stays: BTreeSet<String> = (0..1000).map(|n| format!("stay:{n}")).collect();
        let mut client = arena.client();
        for chunk in stays.iter().collect::<Vec<_>>().chunks(100) {
            let pairs = chunk.iter().flat_map(|key| [key.as_str(), "x"]);
            client.cmd(&["MSET"].into_iter().chain(pairs).collect::<Vec<_>>());
        }
        let (mut play, stays) = (Play::new(), &stays);
        for writer in 0..2 {
            let mut client = arena.client();
            // Up to a few thousand keys more, then fewer: tables double and are halved.
            play.work(move || {
                for round in 0..arena.rounds {
                    for part in 0..20 {
                        let names: Vec<String> =
                            (0..100).map(|n| format!("go:{writer}:{part}:{n}")).collect();
                        let commands: Vec<Vec<&str>> = match round % 2 {
                            0 => names.iter().map(|name| vec!["SET", name, "x"]).collect(),
                            _ => names.iter().map(|name| vec!["DEL", name]).collect(),
                        };
                        client.pipeline(&commands);
                    }
                }
            });
        }
        let mut client = arena.client();
        // Keys that other shards borrow for a moment are there all the same.
        play.work(move || {
            for n in 0..arena.rounds * 20 {
                let (from, to) = (format!("stay:{}", n % 1000), format!("stay:{}", (n * 7 + 1) % 1000));
                client.cmd(&["COPY", &from, &to, "REPLACE"]);
                client.cmd(&["BITOP", "OR", "go:bits", &from, &to]);
            }
        });
        let option_sets: [&'static [&'static str]; 3] =
            [&["COUNT", "100"], &["MATCH", "stay:*", "COUNT", "37"], &["COUNT", "1000", "TYPE", "string"]];
        for options in option_sets {
            let mut client = arena.client();
            play.watch(move || {
                let found = scan(&mut client, options);
                let missed: Vec<&String> = stays.difference(&found).collect();
                assert!(missed.is_empty(), "{options:?} missed {missed:?}");
            });
        }
        play.run();
        let stayed: BTreeSet<String> = client_keys(&mut arena.client());
        assert!(stays.is_subset(&stayed));
    });
}

fn client_keys(client: &mut Client) -> BTreeSet<String> {
    client.cmd(&["KEYS", "stay:*"]).items().expect("keys").iter().filter_map(|key| key.string()).collect()
}

/// KEYS is one moment: a key that is always there under one of two names is seen exactly once.
#[test]
fn keys_and_dbsize_see_a_renamed_key_once() {
    everywhere(300, |arena| {
        let names = &arena.keys("name", 3);
        arena.client().cmd(&["SET", &names[0], "x"]);
        let mut play = Play::new();
        for mover in 0..2 {
            let mut client = arena.client();
            play.work(move || {
                for round in 0..arena.rounds {
                    client.cmd(&["RENAME", &names[(round + mover) % 3], &names[(round + mover + 1) % 3]]);
                }
            });
        }
        let (mut keys, mut size) = (arena.client(), arena.client());
        play.watch(move || assert_eq!(keys.cmd(&["KEYS", "*"]).items().map(<[_]>::len), Some(1)));
        play.watch(move || assert_eq!(size.cmd(&["DBSIZE"]).integer(), Some(1)));
        play.run();
    });
}

/// Nothing is added or removed: a scan returns every key once or more, whatever COUNT is, and nothing else.
#[test]
fn a_quiet_keyspace_is_scanned_whole() {
    everywhere(4, |arena| {
        let mut client = arena.client();
        for size in [0usize, 1, 10, 500, 5000] {
            client.cmd(&["FLUSHALL"]);
            let names: BTreeSet<String> = (0..size).map(|n| format!("key:{n}")).collect();
            let commands: Vec<Vec<&str>> = names.iter().map(|name| vec!["SET", name, "x"]).collect();
            client.pipeline(&commands);
            for count in ["1", "10", "333", "100000"] {
                assert_eq!(scan(&mut client, &["COUNT", count]), names);
            }
        }
    });
}
