//! Invariant 2: commands with several keys are atomic and strictly serializable, wherever the keys lie.
//!
//! Each test keeps something constant by atomic commands only, and watches it by atomic commands.

use litmus::{Arena, Play, everywhere};
use testkit::{Client, Value};

fn words<'a>(command: &[&'a str], keys: &'a [String]) -> Vec<&'a str> {
    command.iter().copied().chain(keys.iter().map(String::as_str)).collect()
}

fn mset<'a>(command: &'a str, keys: &'a [String], value: &'a str) -> Vec<&'a str> {
    [command].into_iter().chain(keys.iter().flat_map(|key| [key.as_str(), value])).collect()
}

fn integer(client: &mut Client, command: &[&str]) -> i64 {
    let reply = client.cmd(command);
    reply.integer().unwrap_or_else(|| panic!("{command:?}: {reply}"))
}

fn items(reply: &Value) -> &[Value] {
    reply.items().unwrap_or_else(|| panic!("not an array: {reply}"))
}

/// All keys have the same value; on one connection of a single writer's, it never goes back.
fn assert_all_equal(client: &mut Client, keys: &[String]) -> Option<String> {
    let reply = client.cmd(&words(&["MGET"], keys));
    let values = items(&reply);
    assert!(values.iter().all(|value| *value == values[0]), "torn: {reply}");
    values[0].string()
}

#[test]
fn mset_and_mget_are_whole() {
    everywhere(700, |arena| {
        let keys = &arena.keys("whole", 6);
        let mut play = Play::new();
        for writer in 0..3 {
            let mut client = arena.client();
            play.work(move || {
                for round in 0..arena.rounds {
                    let value = format!("{writer}:{round}");
                    // In the other order now and then: the locks of one must not wait for the other's.
                    let mut own = keys.clone();
                    own.rotate_left(round % keys.len());
                    assert!(client.cmd(&mset("MSET", &own, &value)).is_ok());
                }
            });
        }
        for _ in 0..3 {
            let mut client = arena.client();
            play.watch(move || _ = assert_all_equal(&mut client, keys));
        }
        play.run();
    });
}

#[test]
fn msetnx_sets_all_or_nothing() {
    everywhere(500, |arena| {
        let keys = &arena.keys("msetnx", 4);
        let mut play = Play::new();
        for writer in 0..3usize {
            let mut client = arena.client();
            play.work(move || {
                for round in 0..arena.rounds {
                    let value = format!("{writer}:{round}");
                    let mut own = keys.clone();
                    own.rotate_left((round + writer) % keys.len());
                    if integer(&mut client, &mset("MSETNX", &own, &value)) == 1 {
                        assert_eq!(assert_all_equal(&mut client, keys), Some(value));
                        assert_eq!(integer(&mut client, &words(&["DEL"], &own)), own.len() as i64);
                    }
                }
            });
        }
        for _ in 0..2 {
            let mut client = arena.client();
            play.watch(move || _ = assert_all_equal(&mut client, keys));
        }
        play.run();
    });
}

#[test]
fn del_unlink_exists_and_touch_count_all_or_nothing() {
    everywhere(400, |arena| {
        let keys = &arena.keys("count", 5);
        let mut play = Play::new();
        for (writer, command) in ["MSET", "DEL", "UNLINK", "MSET"].into_iter().enumerate() {
            let (mut client, mut random) = (arena.client(), arena.random(writer));
            play.work(move || {
                for _ in 0..arena.rounds {
                    if command == "MSET" {
                        client.cmd(&mset("MSET", keys, "x"));
                        continue;
                    }
                    let mut own = keys.clone();
                    random.shuffle(&mut own);
                    let count = integer(&mut client, &words(&[command], &own));
                    assert!(count == 0 || count == keys.len() as i64, "{command}: {count}");
                }
            });
        }
        for command in ["EXISTS", "TOUCH"] {
            let mut client = arena.client();
            play.watch(move || {
                let count = integer(&mut client, &words(&[command], keys));
                assert!(count == 0 || count == keys.len() as i64, "{command}: {count}");
            });
        }
        play.run();
    });
}

/// One token under several names; `step` moves it from the first to the second, or fails.
fn a_token_moves(arena: &Arena, keys: &[String], step: impl Fn(&mut Client, &str, &str) + Sync) {
    let mut play = Play::new();
    let step = &step;
    for mover in 0..3 {
        let (mut client, mut random) = (arena.client(), arena.random(mover));
        play.work(move || {
            for _ in 0..arena.rounds {
                let from = random.index(keys.len());
                let to = (from + 1 + random.index(keys.len() - 1)) % keys.len();
                step(&mut client, &keys[from], &keys[to]);
            }
        });
    }
    for _ in 0..2 {
        let mut client = arena.client();
        play.watch(move || assert_eq!(integer(&mut client, &words(&["EXISTS"], keys)), 1));
    }
    play.run();
}

#[test]
fn while_a_key_is_renamed_exactly_one_name_exists() {
    everywhere(400, |arena| {
        for count in [2, 4] {
            let keys = arena.keys("name", count);
            arena.client().cmd(&["SET", &keys[0], "token"]);
            a_token_moves(arena, &keys, |client, from, to| {
                let reply = client.cmd(&["RENAME", from, to]);
                assert!(reply.is_ok() || reply.to_string().contains("no such key"), "{reply}");
                let names = [from, to].map(String::from);
                let reply = client.cmd(&words(&["MGET"], &names));
                assert!(items(&reply).iter().filter(|value| !value.is_null()).count() <= 1, "{reply}");
            });
            let reply = arena.client().cmd(&words(&["MGET"], &keys));
            assert_eq!(items(&reply).iter().filter_map(Value::string).collect::<Vec<_>>(), ["token"]);
            arena.client().cmd(&["FLUSHALL"]);
        }
    });
}

#[test]
fn renamenx_never_overwrites() {
    everywhere(300, |arena| {
        let keys = arena.keys("nx", 4);
        arena.client().cmd(&["SET", &keys[0], "token"]);
        a_token_moves(arena, &keys, |client, from, to| {
            let reply = client.cmd(&["RENAMENX", from, to]);
            assert!(
                reply.integer() == Some(1) || reply.to_string().contains("no such key"),
                "{from} {to}: {reply}"
            );
        });
    });
}

#[test]
fn the_only_element_is_in_exactly_one_list() {
    everywhere(400, |arena| {
        let keys = arena.keys("list", 4);
        arena.client().cmd(&["RPUSH", &keys[0], "token"]);
        a_token_moves(arena, &keys, |client, from, to| {
            let reply = match from < to {
                true => client.cmd(&["LMOVE", from, to, "RIGHT", "LEFT"]),
                false => client.cmd(&["RPOPLPUSH", from, to]),
            };
            assert!(reply.is_null() || reply.string().as_deref() == Some("token"), "{reply}");
        });
    });
}

#[test]
fn lists_lose_and_double_nothing() {
    everywhere(300, |arena| {
        let keys = &arena.keys("ring", 5);
        let mut all: Vec<String> = (0..40).map(|n| format!("e{n}")).collect();
        arena.client().cmd(&words(&["RPUSH", &keys[0]], &all));
        let mut play = Play::new();
        for mover in 0..4 {
            let (mut client, mut random) = (arena.client(), arena.random(mover));
            play.work(move || {
                for _ in 0..arena.rounds {
                    let commands: Vec<Vec<&str>> = (0..4)
                        .map(|_| {
                            let (from, to) = (&keys[random.index(5)], &keys[random.index(5)]);
                            let ends = ["LEFT", "RIGHT"];
                            vec!["LMOVE", from, to, ends[random.index(2)], ends[random.index(2)]]
                        })
                        .collect();
                    client.pipeline(&commands).iter().for_each(|reply| assert!(!reply.is_error(), "{reply}"));
                }
            });
        }
        play.run();
        let mut client = arena.client();
        let lists: Vec<Value> = keys.iter().map(|key| client.cmd(&["LRANGE", key, "0", "-1"])).collect();
        let mut found: Vec<String> =
            lists.iter().flat_map(|list| items(list).iter().filter_map(Value::string)).collect();
        found.sort();
        all.sort();
        assert_eq!(found, all);
    });
}

/// Members move between sets; every command that looks at all sets sees every member exactly once, also the ones that store.
#[test]
fn smove_keeps_every_member_in_exactly_one_set() {
    everywhere(300, |arena| {
        let keys = &arena.keys("set", 3);
        let [a, b, c] = &keys[..] else { unreachable!() };
        let members: Vec<String> = (0..30).map(|n| format!("m{n}")).collect();
        arena.client().cmd(&words(&["SADD", a], &members));
        let (mut play, all) = (Play::new(), members.len() as i64);
        for mover in 0..3 {
            let (mut client, mut random, members) = (arena.client(), arena.random(mover), &members);
            play.work(move || {
                for _ in 0..arena.rounds {
                    let (from, to) = (random.index(3), random.index(3));
                    let member = &members[random.index(members.len())];
                    integer(&mut client, &["SMOVE", &keys[from], &keys[to], member]);
                }
            });
        }
        let mut client = arena.client();
        play.watch(move || {
            assert_eq!(items(&client.cmd(&["SUNION", a, b, c])).len() as i64, all);
            assert_eq!(items(&client.cmd(&["SINTER", a, b])), []);
            assert_eq!(integer(&mut client, &["SINTERCARD", "2", b, c]), 0);
        });
        let mut client = arena.client();
        play.watch(move || {
            assert_eq!(integer(&mut client, &["SUNIONSTORE", "union", a, b, c]), all);
            assert_eq!(integer(&mut client, &["SINTERSTORE", "none", a, c]), 0);
            assert_eq!(integer(&mut client, &["SDIFFSTORE", "none", "union", a, b, c]) % all, 0);
        });
        let mut client = arena.client();
        play.watch(move || {
            let union = integer(&mut client, &["SCARD", "union"]);
            assert!(union == all || union == 0, "{union}");
            assert_eq!(integer(&mut client, &["EXISTS", "none", "none:2"]), 0);
        });
        play.run();
    });
}

/// A copy is what the source was at one moment: never ahead of it, never torn, and never older than an acknowledged one.
#[test]
fn copy_takes_one_moment() {
    everywhere(400, |arena| {
        let keys = &arena.keys("copy", 3);
        let mut play = Play::new();
        let (mut client, mut copier, mut reader) = (arena.client(), arena.client(), arena.client());
        play.work(move || {
            for round in 1..=arena.rounds {
                let value = round.to_string();
                client.cmd(&["SET", &keys[0], &value]);
                client.cmd(&["COPY", &keys[0], &keys[1], "REPLACE"]);
                assert_eq!(client.cmd(&["GET", &keys[1]]).string(), Some(value));
            }
        });
        play.watch(move || _ = copier.cmd(&["COPY", &keys[1], &keys[2], "REPLACE"]));
        play.watch(move || {
            let reply = reader.cmd(&words(&["MGET"], keys));
            let numbers: Vec<i64> = items(&reply).iter().map(|v| v.integer().unwrap_or(0)).collect();
            assert!(numbers.is_sorted_by(|a, b| a >= b), "{numbers:?}");
            assert!(numbers[0] - numbers[1] <= 1, "{numbers:?}");
        });
        play.run();
    });
}

/// Both operands always change together, so their difference is always zero.
#[test]
fn bitop_reads_its_operands_at_one_moment() {
    everywhere(400, |arena| {
        let (operands, results) = (&arena.keys("bits", 3), &arena.keys("xor", 2));
        let mut play = Play::new();
        for writer in 0..2u8 {
            let mut client = arena.client();
            play.work(move || {
                for round in 0..arena.rounds {
                    let value = char::from(b'A' + writer + (round % 20) as u8).to_string().repeat(20);
                    client.cmd(&mset("MSET", operands, &value));
                }
            });
        }
        for result in results {
            let mut client = arena.client();
            play.watch(move || {
                client.cmd(&["BITOP", "XOR", result, &operands[0], &operands[1]]);
                assert_eq!(integer(&mut client, &["BITCOUNT", result]), 0);
                let both = client.cmd(&["BITOP", "AND", "and", &operands[0], &operands[1], &operands[2]]);
                assert!(both.integer().is_some(), "{both}");
                let and = client.cmd(&["GET", "and"]).string().unwrap_or_default();
                assert!(and.bytes().all(|byte| byte == and.as_bytes()[0]), "{and}");
            });
        }
        play.run();
    });
}

/// FLUSHALL is one moment for all shards, beside everything that moves keys between them.
#[test]
fn a_flush_leaves_all_or_nothing() {
    everywhere(250, |arena| {
        let (keys, others) = (&arena.keys("flush", 4), &arena.keys("other", 4));
        let mut play = Play::new();
        let (mut client, mut flusher, mut mover) = (arena.client(), arena.client(), arena.client());
        play.work(move || {
            for round in 0..arena.rounds {
                client.cmd(&mset("MSET", keys, &round.to_string()));
            }
        });
        play.work(move || {
            for round in 0..arena.rounds {
                let command = ["FLUSHALL", "FLUSHDB"][round % 2];
                assert!(flusher.cmd(&[command]).is_ok());
            }
        });
        play.work(move || {
            for round in 0..arena.rounds {
                mover.cmd(&mset("MSETNX", others, "x"));
                let (from, to) = (round % 4, (round + 1) % 4);
                mover.cmd(&["BITOP", "OR", &others[to], &others[from], &others[(round + 2) % 4]]);
                mover.cmd(&["COPY", &others[from], &others[to], "REPLACE"]);
            }
        });
        let (mut reader, mut counter) = (arena.client(), arena.client());
        play.watch(move || _ = assert_all_equal(&mut reader, keys));
        play.watch(move || {
            // Exactly both groups, one of them, or nothing: all commands that write here write whole groups.
            let count = integer(&mut counter, &["DBSIZE"]);
            assert!([0, 4, 8].contains(&count), "DBSIZE {count}");
        });
        play.run();
        arena.assert_all_answer(keys);
    });
}

/// SORT BY and GET over patterns: each element's weight and object are those of one moment.
#[test]
fn sort_by_and_get_see_one_moment() {
    everywhere(120, |arena| {
        let mut client = arena.client();
        let ids: Vec<String> = (0..8).map(|n| n.to_string()).collect();
        let objects: Vec<String> = ids.iter().map(|id| format!("object_{id}")).collect();
        client.cmd(&words(&["RPUSH", "ids"], &ids));
        client.cmd(&mset("MSET", &objects, "0"));
        let (mut play, objects) = (Play::new(), &objects);
        play.work(move || {
            for round in 0..arena.rounds {
                client.cmd(&mset("MSET", objects, &round.to_string()));
                client.cmd(&["RENAME", &objects[0], "away"]);
                client.cmd(&["RENAME", "away", &objects[0]]);
            }
        });
        for _ in 0..2 {
            let mut client = arena.client();
            play.watch(move || {
                let reply = client.cmd(&["SORT", "ids", "BY", "object_*", "GET", "object_*"]);
                let values: Vec<_> = items(&reply).iter().filter(|value| !value.is_null()).collect();
                assert!(values.len() >= 7 && values.iter().all(|value| *value == values[0]), "{reply}");
                let stored = integer(&mut client, &["SORT", "ids", "BY", "object_*", "STORE", "sorted"]);
                assert_eq!(stored, 8);
            });
        }
        play.run();
    });
}
