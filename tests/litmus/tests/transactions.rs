//! Transactions on several shards: nobody sees half of one, what is watched has not changed when one runs, and what follows one sees
//! what it did.

use litmus::{Arena, Play, everywhere};
use testkit::{Client, Value};

fn block(commands: &[Vec<&str>]) -> Vec<Vec<String>> {
    let owned = |command: &Vec<&str>| command.iter().map(|word| (*word).to_owned()).collect();
    let (multi, exec) = (vec!["MULTI".to_owned()], vec!["EXEC".to_owned()]);
    [multi].into_iter().chain(commands.iter().map(owned)).chain([exec]).collect()
}

/// The replies of the commands of a block that is sent as one pipeline; `None` if a watched key had changed.
fn exec(client: &mut Client, commands: &[Vec<&str>]) -> Option<Vec<Value>> {
    let replies = client.pipeline(&block(commands));
    let (last, queued) = replies.split_last().expect("EXEC is answered");
    assert!(queued.iter().all(|reply| !reply.is_error()), "{queued:?}");
    if last.is_null() {
        return None;
    }
    let items = last.items().unwrap_or_else(|| panic!("not an array: {last}"));
    assert!(items.len() == commands.len() && items.iter().all(|item| !item.is_error()), "{last}");
    Some(items.to_vec())
}

fn number(value: &Value) -> i64 {
    value.string().map_or_else(|| value.integer(), |text| text.parse().ok()).unwrap_or(0)
}

#[test]
fn nobody_sees_half_of_a_block() {
    everywhere(500, |arena| {
        let keys = &arena.keys("whole", 5);
        let mut play = Play::new();
        for writer in 0..3usize {
            let mut client = arena.client();
            play.work(move || {
                for round in 0..arena.rounds {
                    let value = format!("{writer}:{round}");
                    // All keys, or those of one shard by itself and back again; in any order.
                    let mut sets: Vec<_> =
                        keys.iter().map(|key| vec!["SET", key.as_str(), value.as_str()]).collect();
                    sets.rotate_left((round + writer) % keys.len());
                    if round % 3 == 0 {
                        sets.insert(1, vec!["CLIENT", "SETNAME", "writer"]);
                    }
                    if round % 5 == 0 {
                        // It concerns all shards, at which the keys written so far are home meanwhile.
                        sets.insert(3, vec!["DBSIZE"]);
                    }
                    exec(&mut client, &sets).expect("nothing is watched");
                    assert!(client.cmd(&["GET", &keys[0]]).string().is_some());
                }
            });
        }
        for reader in 0..3 {
            let mut client = arena.client();
            play.watch(move || {
                let values = if reader == 0 {
                    let words: Vec<_> = ["MGET"].into_iter().chain(keys.iter().map(String::as_str)).collect();
                    client.cmd(&words).items().expect("an array").to_vec()
                } else {
                    let gets: Vec<_> = keys.iter().map(|key| vec!["GET", key.as_str()]).collect();
                    exec(&mut client, &gets).expect("nothing is watched")
                };
                assert!(values.iter().all(|value| *value == values[0]), "torn: {values:?}");
            });
        }
        play.run();
        arena.assert_all_answer(keys);
    });
}

#[test]
fn transfers_keep_the_sum() {
    everywhere(500, |arena| {
        let keys = &arena.keys("account", 4);
        let mut play = Play::new();
        for worker in 0..3usize {
            let (mut client, mut random) = (arena.client(), arena.random(worker));
            play.work(move || {
                for _ in 0..arena.rounds / 5 {
                    // Five blocks in one pipeline, with something between them.
                    let mut commands = Vec::new();
                    for _ in 0..5 {
                        let (from, to) = (&keys[random.index(keys.len())], &keys[random.index(keys.len())]);
                        let amount = random.below(100).to_string();
                        // PING has it run on the client's shard, EXISTS where the keys are.
                        let between = if random.below(2) == 0 { vec!["PING"] } else { vec!["EXISTS", from] };
                        let (take, give) = (vec!["DECRBY", from, &amount], vec!["INCRBY", to, &amount]);
                        commands.extend(block(&[take, between, give]));
                        commands.push(vec!["GET".to_owned(), from.clone()]);
                    }
                    assert!(client.pipeline(&commands).iter().all(|reply| !reply.is_error()));
                }
            });
        }
        let mut client = arena.client();
        play.watch(move || {
            let words: Vec<_> = ["MGET"].into_iter().chain(keys.iter().map(String::as_str)).collect();
            let reply = client.cmd(&words);
            let values = reply.items().expect("an array");
            assert_eq!(values.iter().map(number).sum::<i64>(), 0, "{reply}");
        });
        play.run();
    });
}

/// Counts all of `keys` up by one, optimistically; how often it had to begin anew.
fn count_up(client: &mut Client, keys: &[String], watched: &[String]) -> usize {
    for attempt in 0.. {
        let watch: Vec<_> = ["WATCH"].into_iter().chain(watched.iter().map(String::as_str)).collect();
        assert!(client.cmd(&watch).is_ok());
        let values: Vec<_> = keys.iter().map(|key| number(&client.cmd(&["GET", key])) + 1).collect();
        let value = values[0].to_string();
        let sets: Vec<_> = keys.iter().map(|key| vec!["SET", key.as_str(), value.as_str()]).collect();
        if exec(client, &sets).is_some() {
            // They were read one by one, but nobody wrote meanwhile.
            assert!(values.iter().all(|value| *value == values[0]), "torn: {values:?}");
            return attempt;
        }
    }
    unreachable!("some attempt succeeds")
}

/// Many clients count `keys` up; all that is watched is `watched`.
fn counters(arena: &Arena, keys: &[String], watched: &[String], workers: usize) {
    let mut play = Play::new();
    for _ in 0..workers {
        let mut client = arena.client();
        play.work(move || {
            for _ in 0..arena.rounds {
                let value = |client: &mut Client| number(&client.cmd(&["GET", &keys[0]]));
                let before = value(&mut client);
                count_up(&mut client, keys, watched);
                assert!(value(&mut client) > before);
            }
        });
    }
    play.run();
    let mut client = arena.client();
    for key in keys {
        let value = number(&client.cmd(&["GET", key]));
        assert_eq!(value, (arena.rounds * workers) as i64, "{key}: increments were lost");
    }
    arena.assert_all_answer(keys);
}

#[test]
fn no_increment_is_lost_on_one_key() {
    everywhere(60, |arena| {
        let keys = arena.keys("counter", 1);
        counters(arena, &keys, &keys, 8);
    });
}

#[test]
fn no_increment_is_lost_on_keys_of_several_shards() {
    everywhere(40, |arena| {
        let keys = arena.keys("counters", 3);
        counters(arena, &keys, &keys, 6);
    });
}

/// What is written lies elsewhere than what is watched.
#[test]
fn a_key_that_is_only_watched_counts() {
    everywhere(200, |arena| {
        let keys = &arena.keys("guarded", 2);
        let (guard, guarded) = (&keys[0], &keys[1]);
        let mut play = Play::new();
        let mut client = arena.client();
        play.work(move || {
            for round in 1..=arena.rounds {
                let round = round.to_string();
                // First the guard, then what it guards.
                assert!(client.cmd(&["SET", guard, &round]).is_ok());
                assert!(client.cmd(&["SET", guarded, &round]).is_ok());
            }
        });
        for _ in 0..2 {
            let mut client = arena.client();
            play.watch(move || {
                assert!(client.cmd(&["WATCH", guard]).is_ok());
                let seen = number(&client.cmd(&["GET", guard]));
                if let Some(values) = exec(&mut client, &[vec!["GET", guarded]]) {
                    let value = number(&values[0]);
                    assert!(value == seen || value + 1 == seen, "{guard} was {seen}, {guarded} is {value}");
                }
            });
        }
        play.run();
    });
}

#[test]
fn clients_that_vanish_leave_nothing_watched_or_held() {
    everywhere(200, |arena| {
        let keys = &arena.keys("gone", 4);
        let mut play = Play::new();
        for worker in 0..3usize {
            let mut random = arena.random(worker);
            play.work(move || {
                for _ in 0..arena.rounds {
                    let mut client = arena.client();
                    let watch: Vec<_> =
                        ["WATCH"].into_iter().chain(keys.iter().map(String::as_str)).collect();
                    let mut bytes = testkit::client::encode(&watch);
                    let incr: Vec<_> = keys.iter().map(|key| vec!["INCR", key.as_str()]).collect();
                    block(&incr).iter().for_each(|words| bytes.extend(testkit::client::encode(words)));
                    bytes.truncate(bytes.len() - random.index(bytes.len()));
                    let _ = client.send_raw(&bytes);
                }
            });
        }
        let mut client = arena.client();
        play.watch(move || {
            let gets: Vec<_> = keys.iter().map(|key| vec!["GET", key.as_str()]).collect();
            let values = exec(&mut client, &gets).expect("nothing is watched");
            assert!(values.iter().all(|value| *value == values[0]), "torn: {values:?}");
        });
        play.run();
        arena.assert_all_answer(keys);
    });
}
