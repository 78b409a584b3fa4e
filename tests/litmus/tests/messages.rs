//! What is published: behind the writes before it, in the order of its publisher, to all who have been told that they listen.

use litmus::{Arena, Play, everywhere};
use testkit::{Client, Value};

/// Listens to channels, on a connection of its own.
fn listener(arena: &Arena, channels: &[&str]) -> Client {
    let mut client = arena.client();
    for channel in channels {
        let confirmed = client.cmd(&["SUBSCRIBE", channel]);
        assert_eq!(word(&confirmed, 0), "subscribe");
    }
    client
}

/// A part of a message.
fn word(message: &Value, at: usize) -> String {
    let part = message.items().and_then(|items| items.get(at)).and_then(Value::string);
    part.unwrap_or_else(|| panic!("{message}"))
}

/// The number that the next message says.
fn next_number(client: &mut Client) -> i64 {
    let message = client.receive().expect("a message");
    word(&message, 2).parse().unwrap_or_else(|_| panic!("{message}"))
}

/// Has a number written in some way and published in the same pipeline; whoever gets the message finds the number under the keys.
fn published_behind(
    rounds: usize,
    write: fn(&[String], &str) -> Vec<Vec<String>>,
    read: fn(&[String]) -> Vec<&str>,
) {
    everywhere(rounds, |arena| {
        let keys = arena.keys("written", 4);
        let mut play = Play::new();
        let (mut writer, keys) = (arena.client(), &keys);
        play.work(move || {
            for round in 1..=arena.rounds {
                let number = round.to_string();
                let mut commands = write(keys, &number);
                commands.push(["PUBLISH", "written", &number].map(String::from).to_vec());
                writer.pipeline(&commands);
            }
        });
        for _ in 0..4 {
            let (mut listener, mut reader) = (listener(arena, &["written"]), arena.client());
            play.work(move || {
                for round in 1..=arena.rounds {
                    assert_eq!(next_number(&mut listener), round as i64);
                    for key in read(keys) {
                        let found = reader.cmd(&["GET", key]);
                        assert!(
                            found.integer() >= Some(round as i64),
                            "{key} is {found} after message {round}"
                        );
                    }
                }
            });
        }
        play.run();
    });
}

fn all(keys: &[String]) -> Vec<&str> {
    keys.iter().map(String::as_str).collect()
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(String::from).to_vec()
}

#[test]
fn a_message_comes_behind_writes_of_single_keys() {
    published_behind(150, |keys, number| keys.iter().map(|key| words(["SET", key, number])).collect(), all);
}

#[test]
fn a_message_comes_behind_a_write_of_several_keys() {
    let write = |keys: &[String], number: &str| {
        let pairs = keys.iter().flat_map(|key| [key.clone(), number.to_owned()]);
        vec![[String::from("MSET")].into_iter().chain(pairs).collect()]
    };
    published_behind(150, write, all);
}

#[test]
fn a_message_comes_behind_what_takes_keys_to_another_shard() {
    let write = |keys: &[String], number: &str| {
        vec![
            words(["SET", &keys[0], number]),
            words(["RENAME", &keys[0], &keys[1]]),
            words(["COPY", &keys[1], &keys[2], "REPLACE"]),
        ]
    };
    published_behind(150, write, |keys| vec![&keys[1], &keys[2]]);
}

#[test]
fn a_message_comes_behind_a_transaction() {
    let write = |keys: &[String], number: &str| {
        let begin = [words(["MULTI"])].into_iter();
        let sets = keys.iter().map(|key| words(["SET", key, number]));
        begin.chain(sets).chain([words(["EXEC"])]).collect()
    };
    published_behind(100, write, all);
}

/// One with all its keys declared, and one that says nothing.
#[test]
fn a_message_comes_behind_a_script() {
    let write = |keys: &[String], number: &str| {
        let declared = "for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1]) end";
        let silent = "for at = 2, #ARGV do redis.call('SET', ARGV[at], ARGV[1]) end";
        vec![
            words(["EVAL", declared, "2", &keys[0], &keys[1], number]),
            words(["EVAL", silent, "0", number, &keys[2], &keys[3]]),
        ]
    };
    published_behind(60, write, all);
}

/// Of one connection's messages, which it publishes itself, in transactions and by scripts on any shard, all come, in order.
#[test]
fn messages_come_in_the_order_of_their_publisher() {
    const CHANNELS: [&str; 3] = ["one", "two", "three"];
    const BATCH: usize = 12;
    everywhere(60, |arena| {
        let keys = arena.keys("key", 4);
        let mut play = Play::new();
        for publisher in 0..2 {
            let (mut client, keys, mut random) = (arena.client(), &keys, arena.random(publisher));
            play.work(move || {
                for round in 0..arena.rounds {
                    let mut commands = Vec::new();
                    for at in 0..BATCH {
                        let number = ((round * BATCH + at) * 2 + publisher).to_string();
                        let (channel, key) = (CHANNELS[random.index(3)], &keys[random.index(4)]);
                        match random.below(6) {
                            0 => {
                                let script = "return redis.call('PUBLISH', ARGV[1], ARGV[2])";
                                commands.push(words(["EVAL", script, "1", key, channel, &number]));
                            }
                            1 => {
                                let other = &keys[random.index(4)];
                                commands.push(words(["MULTI"]));
                                commands.push(words(["INCR", key]));
                                commands.push(words(["PUBLISH", channel, &number]));
                                commands.push(words(["INCR", other]));
                                commands.push(words(["EXEC"]));
                            }
                            2 => {
                                commands.push(words(["INCR", key]));
                                commands.push(words(["PUBLISH", channel, &number]));
                            }
                            _ => commands.push(words(["PUBLISH", channel, &number])),
                        }
                    }
                    client.pipeline(&commands);
                }
            });
        }
        for _ in 0..4 {
            let mut listener = listener(arena, &CHANNELS);
            play.work(move || {
                let mut next = [0, 1];
                for _ in 0..2 * arena.rounds * BATCH {
                    let number = next_number(&mut listener);
                    assert_eq!(number, next[number as usize % 2]);
                    next[number as usize % 2] += 2;
                }
            });
        }
        play.run();
    });
}

/// Whoever has been told that it listens gets what anybody publishes who knows of that.
#[test]
fn a_subscription_that_is_confirmed_is_known_everywhere() {
    everywhere(300, |arena| {
        let mut publishers = arena.clients(2 * usize::from(arena.shards));
        let mut listener = arena.client();
        for round in 0..arena.rounds {
            let (channel, text) = (format!("channel{}", round % 7), round.to_string());
            let (begin, end) =
                if round % 2 == 0 { ("SUBSCRIBE", "UNSUBSCRIBE") } else { ("PSUBSCRIBE", "PUNSUBSCRIBE") };
            listener.cmd(&[begin, &channel]);
            let publisher = &mut publishers[round % (2 * usize::from(arena.shards))];
            assert_eq!(publisher.cmd(&["PUBLISH", &channel, &text]).integer(), Some(1));
            let message = listener.receive().expect("a message");
            assert_eq!(
                message.items().and_then(|items| items.last()).and_then(Value::string),
                Some(text.clone())
            );
            listener.cmd(&[end]);
            assert_eq!(publisher.cmd(&["PUBLISH", &channel, &text]).integer(), Some(0));
        }
    });
}

/// The events of a key come in the order of its changes, by whichever shard and together with which other keys it is changed.
#[test]
fn events_of_a_key_come_in_the_order_of_its_changes() {
    /// What happens to the first key of a pair and to the second one, again and again.
    const FIRST: [&str; 5] = ["set", "append", "incrby", "expire", "rename_from"];
    const SECOND: [&str; 4] = ["rename_to", "persist", "setrange", "del"];
    everywhere(60, |arena| {
        arena.client().run("CONFIG SET notify-keyspace-events KA");
        let keys = arena.keys("key", 8);
        let mut play = Play::new();
        for pair in keys.chunks(2) {
            let mut client = arena.client();
            play.work(move || {
                let (first, second) = (&pair[0], &pair[1]);
                let script = "redis.call('INCR', KEYS[1]) return redis.call('EXPIRE', KEYS[1], 1000)";
                for _ in 0..arena.rounds {
                    client.pipeline(&[
                        words(["SET", first, "1"]),
                        words(["APPEND", first, "1"]),
                        words(["EVAL", script, "1", first]),
                        words(["RENAME", first, second]),
                        words(["MULTI"]),
                        words(["PERSIST", second]),
                        words(["EXISTS", first]),
                        words(["SETRANGE", second, "0", "x"]),
                        words(["EXEC"]),
                        words(["DEL", second]),
                    ]);
                }
            });
        }
        for _ in 0..3 {
            let (mut listener, keys) = (arena.client(), &keys);
            listener.cmd(&["PSUBSCRIBE", "__keyspace@0__:*"]);
            play.work(move || {
                let mut seen = vec![0; keys.len()];
                for _ in 0..arena.rounds * keys.len() / 2 * (FIRST.len() + SECOND.len()) {
                    let message = listener.receive().expect("an event");
                    let (channel, name) = (word(&message, 2), word(&message, 3));
                    let key = keys.iter().position(|key| channel.ends_with(key)).expect("a key");
                    let expected = match key % 2 {
                        0 => FIRST[seen[key] % FIRST.len()],
                        _ => SECOND[seen[key] % SECOND.len()],
                    };
                    assert_eq!(name, expected, "{message}");
                    seen[key] += 1;
                }
            });
        }
        play.run();
    });
}
