//! Clients that cache, on several shards whose mail is delivered in any order.

use crate::message::Message;
use crate::trial::{Trial, request};
use base::random::Random;
use std::collections::HashMap;

/// A client of a shard with RESP3 that has done what the words say.
fn client(trial: &mut Trial, shard: usize, id: u64, words: &str) -> usize {
    let conn = trial.connect_to(shard, id);
    say(trial, shard, conn, "HELLO 3");
    if !words.is_empty() {
        assert_eq!(say(trial, shard, conn, words), "+OK|", "{words}");
    }
    conn
}

/// Sends a command, and returns all that has come when nothing is under way.
fn say(trial: &mut Trial, shard: usize, conn: usize, words: &str) -> String {
    trial.send_to(shard, conn, &request(&words.split(' ').collect::<Vec<_>>()));
    trial.settle();
    taken(trial, shard, conn)
}

fn taken(trial: &mut Trial, shard: usize, conn: usize) -> String {
    String::from_utf8(trial.take_replies_of(shard, conn)).expect("text").replace("\r\n", "|")
}

fn invalidated(keys: &[&str]) -> String {
    let keys: String = keys.iter().map(|key| format!("${}|{key}|", key.len())).collect();
    format!(">2|$10|invalidate|*{}|{keys}", keys.matches('$').count())
}

#[test]
fn readers_on_all_shards_hear_once_of_a_change() {
    let mut trial = Trial::new(3);
    let key = trial.key_on(2, "k");
    let readers: Vec<_> =
        (0..3).map(|shard| client(&mut trial, shard, 10 + shard as u64, "CLIENT TRACKING ON")).collect();
    let writer = client(&mut trial, 1, 20, "");
    for (shard, reader) in readers.iter().enumerate() {
        assert_eq!(say(&mut trial, shard, *reader, &format!("GET {key}")), "_|");
    }
    for round in 0..2 {
        assert_eq!(say(&mut trial, 1, writer, &format!("SET {key} {round}")), "+OK|");
        for (shard, reader) in readers.iter().enumerate() {
            let heard = if round == 0 { invalidated(&[&key]) } else { String::new() };
            assert_eq!(taken(&mut trial, shard, *reader), heard);
        }
    }
    // The reader's own changes come behind their replies.
    let reader = readers[1];
    assert_eq!(say(&mut trial, 1, reader, &format!("GET {key}")), "$1|1|");
    assert_eq!(say(&mut trial, 1, reader, &format!("DEL {key}")), format!(":1|{}", invalidated(&[&key])));
    let words = trial.shards.iter().map(|shard| shard.cx.tracking.figures()[1..3].to_vec());
    assert!(words.flatten().all(|figure| figure == 0));
}

/// Of a pipeline that the reader's shard has not published yet while a key changes elsewhere, no reply may tell what was written behind the
/// change before the reader is told of the change; though replies behind it are there already.
#[test]
fn a_change_is_told_before_what_was_asked_behind_it() {
    let mut trial = Trial::new(3);
    let keys: Vec<_> = (0..3).map(|shard| trial.key_on(shard, "k")).collect();
    let reader = client(&mut trial, 0, 1, "CLIENT TRACKING ON");
    let writer = client(&mut trial, 1, 2, "");
    for behind in [format!("GET {}", keys[0]), format!("MGET {} {}", keys[0], keys[2]), "PING".to_owned()] {
        say(&mut trial, 1, writer, &format!("MSET {} old {} old", keys[1], keys[2]));
        assert!(say(&mut trial, 0, reader, &format!("GET {}", keys[1])).ends_with("$3|old|"));
        let mut pipeline = request(&["GET", &keys[2]]);
        pipeline.extend(request(&behind.split(' ').collect::<Vec<_>>()));
        let range = 0..pipeline.len();
        trial.shards[0].receive(&pipeline, &[(reader as u32, range)]);
        trial.send_to(1, writer, &request(&["SET", &keys[1], "new"]));
        trial.send_to(1, writer, &request(&["SET", &keys[2], "new"]));
        trial.deliver_to(2);
        assert_eq!(taken(&mut trial, 1, writer), "+OK|", "the first is done, the second acknowledged later");
        trial.publish(0);
        trial.settle();
        let heard = taken(&mut trial, 0, reader);
        assert!(heard.starts_with(&format!("{}$3|new|", invalidated(&[&keys[1]]))), "{behind}: {heard}");
    }
}

/// The same where what is told comes with the replies to another client of the reader's shard.
#[test]
fn a_change_that_comes_with_replies_is_told_before_what_was_asked_behind_it() {
    let mut trial = Trial::new(3);
    let keys: Vec<_> = (0..3).map(|shard| trial.key_on(shard, "k")).collect();
    let reader = client(&mut trial, 0, 1, "CLIENT TRACKING ON");
    let (neighbour, writer) = (client(&mut trial, 0, 2, ""), client(&mut trial, 1, 3, ""));
    for behind in ["PING".to_owned(), format!("MGET {} {}", keys[0], keys[2])] {
        say(&mut trial, 1, writer, &format!("MSET {} old {} old", keys[1], keys[2]));
        assert!(say(&mut trial, 0, reader, &format!("GET {}", keys[1])).ends_with("$3|old|"));
        // One writer changes the key, and then another one, which the reader is not told of any more.
        trial.send_to(0, neighbour, &request(&["SET", &keys[1], "new"]));
        trial.deliver_to(1);
        assert_eq!(say_there(&mut trial, 1, writer, &format!("SET {} newer", keys[1])), "+OK|");
        let mut pipeline = request(&["GET", &keys[2]]);
        pipeline.extend(request(&behind.split(' ').collect::<Vec<_>>()));
        let range = 0..pipeline.len();
        trial.shards[0].receive(&pipeline, &[(reader as u32, range)]);
        trial.send_to(1, writer, &request(&["SET", &keys[2], "new"]));
        trial.deliver_to(2);
        trial.publish(0);
        trial.settle();
        taken(&mut trial, 0, neighbour);
        taken(&mut trial, 1, writer);
        let heard = taken(&mut trial, 0, reader);
        assert!(heard.starts_with(&format!("{}$3|new|", invalidated(&[&keys[1]]))), "{behind}: {heard}");
    }
}

/// Sends a command for a key of the client's shard; its reply.
fn say_there(trial: &mut Trial, shard: usize, conn: usize, words: &str) -> String {
    trial.send_to(shard, conn, &request(&words.split(' ').collect::<Vec<_>>()));
    taken(trial, shard, conn)
}

#[test]
fn reads_of_commands_with_keys_of_several_shards() {
    let mut trial = Trial::new(3);
    let keys: Vec<_> = (0..3).map(|shard| trial.key_on(shard, "k")).collect();
    let reader = client(&mut trial, 0, 1, "CLIENT TRACKING ON");
    let writer = client(&mut trial, 1, 2, "");
    let all = keys.join(" ");
    for read in ["MGET", "SUNION", "EVAL"] {
        let words = match read {
            "EVAL" => format!("EVAL return{{redis.call('MGET',unpack(KEYS))}} 3 {all}"),
            _ => format!("{read} {all}"),
        };
        say(&mut trial, 0, reader, &words);
        for key in &keys {
            say(&mut trial, 1, writer, &format!("SETRANGE {key} 0 x"));
            assert_eq!(taken(&mut trial, 0, reader), invalidated(&[key]), "{read}");
            say(&mut trial, 1, writer, &format!("DEL {key}"));
        }
    }
    // In a transaction, read before and behind a change.
    say(&mut trial, 0, reader, "MULTI");
    for words in [format!("GET {}", keys[1]), format!("SET {} 1", keys[1]), format!("MGET {all}")] {
        assert_eq!(say(&mut trial, 0, reader, &words), "+QUEUED|");
    }
    let replies = format!("*3|_|+OK|*3|_|$1|1|_|{}", invalidated(&[&keys[1]]));
    assert_eq!(say(&mut trial, 0, reader, "EXEC"), replies);
    say(&mut trial, 1, writer, &format!("RENAME {} {}", keys[1], keys[2]));
    let heard = taken(&mut trial, 0, reader);
    assert!(
        heard == invalidated(&[&keys[1]]) + &invalidated(&[&keys[2]])
            || heard == invalidated(&[&keys[2]]) + &invalidated(&[&keys[1]])
    );
}

#[test]
fn client_caching_holds_for_a_transaction_of_several_shards_and_not_beyond() {
    for choice in ["OPTOUT", "OPTIN"] {
        let mut trial = Trial::new(3);
        let keys: Vec<_> = (0..3).map(|shard| trial.key_on(shard, "k")).collect();
        let reader = client(&mut trial, 0, 1, &format!("CLIENT TRACKING ON {choice}"));
        let writer = client(&mut trial, 1, 2, "");
        let read =
            ["MULTI".to_owned(), format!("GET {}", keys[1]), format!("GET {}", keys[2]), "EXEC".to_owned()];
        let yes_no = if choice == "OPTIN" { "YES" } else { "NO" };
        // The exception before the transaction; none; one in the transaction; one behind it, whose key is read only when the transaction is over.
        for case in 0..4 {
            let mut pipeline = Vec::new();
            let mut push = |words: &str| pipeline.extend(request(&words.split(' ').collect::<Vec<_>>()));
            let caching = format!("CLIENT CACHING {yes_no}");
            if case == 0 {
                push(&caching);
            }
            for (index, words) in read.iter().enumerate() {
                push(words);
                if case == 2 && index == 0 {
                    push(&caching);
                }
            }
            if case == 3 {
                push(&caching);
            }
            trial.send_to(0, reader, &pipeline);
            trial.settle();
            let replies = if case == 2 { "*3|" } else { "*2|" };
            assert!(taken(&mut trial, 0, reader).contains(replies));
            if case == 3 {
                assert_eq!(say(&mut trial, 0, reader, &format!("GET {}", keys[0])), "_|");
            }
            keys.iter().for_each(|key| {
                say(&mut trial, 1, writer, &format!("SET {key} {case}"));
                say(&mut trial, 1, writer, &format!("DEL {key}"));
            });
            let heard = taken(&mut trial, 0, reader);
            let is_heard = |key: &String| heard.contains(&invalidated(&[key]));
            let is_excepted = matches!(case, 0 | 2);
            let of_block = is_excepted == (choice == "OPTIN");
            assert_eq!(
                [is_heard(&keys[1]), is_heard(&keys[2])],
                [of_block; 2],
                "{choice}, case {case}: {heard}"
            );
            assert_eq!(is_heard(&keys[0]), case == 3 && choice == "OPTIN", "{choice}, case {case}: {heard}");
        }
    }
}

/// What CLIENT CACHING NO has said before a transaction is over when tracking is turned on in it without OPTOUT.
#[test]
fn tracking_that_is_turned_on_in_a_transaction_remembers_what_it_reads() {
    let mut trial = Trial::new(1);
    let reader = client(&mut trial, 0, 1, "CLIENT TRACKING ON OPTOUT");
    let writer = client(&mut trial, 0, 2, "");
    for (on, is_told) in [("CLIENT TRACKING ON OPTOUT", false), ("CLIENT TRACKING ON", true)] {
        for words in ["CLIENT CACHING NO", "MULTI", on, "GET k", "EXEC"] {
            say(&mut trial, 0, reader, words);
        }
        say(&mut trial, 0, writer, "SET k 1");
        assert_eq!(taken(&mut trial, 0, reader).contains("invalidate"), is_told, "{on}");
    }
}

#[test]
fn a_flush_is_told_once_and_what_was_read_before_is_forgotten() {
    let mut trial = Trial::new(3);
    let keys: Vec<_> = (0..3).map(|shard| trial.key_on(shard, "k")).collect();
    let readers: Vec<_> =
        (0..3).map(|shard| client(&mut trial, shard, 10 + shard as u64, "CLIENT TRACKING ON")).collect();
    let broadcast = client(&mut trial, 1, 20, "CLIENT TRACKING ON BCAST PREFIX none");
    for (shard, reader) in readers.iter().enumerate() {
        say(&mut trial, shard, *reader, &format!("MGET {}", keys.join(" ")));
    }
    assert_eq!(say(&mut trial, 0, readers[0], "FLUSHALL"), "+OK|>2|$10|invalidate|_|");
    for (shard, conn) in [(1, readers[1]), (2, readers[2]), (1, broadcast)] {
        assert_eq!(taken(&mut trial, shard, conn), ">2|$10|invalidate|_|");
    }
    assert!(trial.shards.iter().all(|shard| shard.cx.tracking.figures()[1] == 0));
    say(&mut trial, 0, readers[0], &format!("SET {} 1", keys[1]));
    assert!(readers.iter().enumerate().all(|(shard, reader)| taken(&mut trial, shard, *reader).is_empty()));
}

#[test]
fn prefixes_are_heard_of_from_all_shards_and_end_with_their_clients() {
    let mut trial = Trial::new(3);
    let keys: Vec<_> = (0..3).map(|shard| trial.key_on(shard, "user:")).collect();
    let conn = client(&mut trial, 2, 1, "CLIENT TRACKING ON BCAST NOLOOP PREFIX user: PREFIX item:");
    let other = client(&mut trial, 2, 2, "CLIENT TRACKING ON BCAST PREFIX user:");
    let writer = client(&mut trial, 0, 3, "");
    for key in &keys {
        say(&mut trial, 0, writer, &format!("SET {key} 1"));
        for conn in [conn, other] {
            assert_eq!(taken(&mut trial, 2, conn), invalidated(&[key]));
        }
        // Its own change it need not hear of; others must.
        assert_eq!(say(&mut trial, 2, conn, &format!("SET {key} 2")), "+OK|");
        assert_eq!(taken(&mut trial, 2, other), invalidated(&[key]));
    }
    say(&mut trial, 0, writer, "SET other 1");
    assert_eq!(taken(&mut trial, 2, conn) + &taken(&mut trial, 2, other), "");
    let known =
        |trial: &Trial| trial.shards.iter().map(|shard| shard.cx.tracking.figures()[3]).collect::<Vec<_>>();
    assert_eq!(known(&trial), [2, 2, 2]);
    trial.close(2, conn);
    trial.settle();
    assert_eq!(known(&trial), [1, 1, 1]);
    assert_eq!(say(&mut trial, 2, other, "RESET"), "+RESET|");
    trial.settle();
    assert_eq!(known(&trial), [0, 0, 0]);
    assert!(trial.shards.iter().all(|shard| !shard.cx.is_listening && !shard.cx.tracking.has_clients()));
}

/// Whoever knows that a key was written has been told, before it hears anything else.
#[test]
fn prefixes_are_heard_of_before_what_was_asked_later() {
    let mut trial = Trial::new(2);
    let key = trial.key_on(1, "user:");
    let conn = client(&mut trial, 0, 1, "CLIENT TRACKING ON BCAST PREFIX user:");
    let (writer, there) = (client(&mut trial, 0, 2, ""), client(&mut trial, 1, 3, ""));
    // Written and read by way of the same batch.
    let set = request(&["SET", &key, "1"]);
    let get = request(&["GET", &key]);
    let buf = [&set[..], &get].concat();
    let inputs = [(writer as u32, 0..set.len()), (conn as u32, set.len()..buf.len())];
    trial.shards[0].receive(&buf, &inputs);
    trial.publish(0);
    trial.settle();
    assert_eq!(taken(&mut trial, 0, conn), invalidated(&[&key]) + "$1|1|");
    // Written elsewhere, and what is answered at home in the turn that brings the message.
    trial.send_to(1, there, &request(&["SET", &key, "2"]));
    assert_eq!(taken(&mut trial, 1, there), "+OK|");
    let (to, message) = trial.take_mail().expect("shard 0 has to be told");
    assert_eq!(to, 0);
    trial.shards[0].on_message(message);
    trial.send_to(0, conn, b"PING\r\n");
    assert_eq!(taken(&mut trial, 0, conn), invalidated(&[&key]) + "+PONG|");
}

#[test]
fn another_client_on_another_shard_gets_the_messages_until_it_goes() {
    let mut trial = Trial::new(3);
    let key = trial.key_on(0, "k");
    let target = client(&mut trial, 2, 7, "");
    let reader = client(&mut trial, 1, 8, "CLIENT TRACKING ON REDIRECT 7");
    assert!(
        say(&mut trial, 1, reader, "CLIENT TRACKING ON REDIRECT 9")
            .starts_with("-ERR The client ID you want")
    );
    assert_eq!(say(&mut trial, 1, reader, "CLIENT GETREDIR"), ":7|");
    say(&mut trial, 1, reader, &format!("GET {key}"));
    assert_eq!(say(&mut trial, 1, reader, &format!("SET {key} 1")), "+OK|");
    assert_eq!(taken(&mut trial, 2, target), invalidated(&[&key]));
    trial.close(2, target);
    trial.settle();
    say(&mut trial, 1, reader, &format!("GET {key}"));
    let broken = ">2|$21|tracking-redir-broken|:7|";
    assert_eq!(say(&mut trial, 1, reader, &format!("SET {key} 1")), format!("+OK|{broken}"));
    assert!(say(&mut trial, 1, reader, "CLIENT TRACKINGINFO").contains("$15|broken_redirect|"));
    assert!(say(&mut trial, 1, reader, "CLIENT INFO").contains(" flags=tR "));
}

/// Whatever the order in which mail comes to the shards: a client that keeps what it reads and forgets what it is told to keeps
/// nothing in the end that is not so, and never falls behind what it has read itself.
#[test]
fn caches_are_right_in_the_end_whatever_the_order_of_mail() {
    for seed in 0..60 {
        let mut random = Random::from_seed(seed);
        let shards = 1 + random.index(4);
        let mut trial = Trial::new(shards as u16);
        let keys: Vec<_> = (0..6).map(|n| trial.key_on((n % shards) as u16, &format!("k{n}-"))).collect();
        let modes = ["", " NOLOOP", " BCAST", " OPTOUT"];
        let mut caches: Vec<_> = (0..4usize)
            .map(|n| {
                let words = format!("CLIENT TRACKING ON{}", modes[(seed as usize + n) % 4]);
                Cache::new(client(&mut trial, n % shards, 10 + n as u64, &words), n % shards)
            })
            .collect();
        let writers: Vec<_> =
            (0..3).map(|n| (client(&mut trial, n % shards, 30 + n as u64, ""), n % shards)).collect();
        let mut value = 0;
        for step in 0..400 {
            let pick = |random: &mut Random| keys[random.index(keys.len())].clone();
            if random.below(2) == 0 {
                let at = random.index(caches.len());
                let read: Vec<_> = (0..1 + random.index(3)).map(|_| pick(&mut random)).collect();
                caches[at].read(&mut trial, &read, random.below(4) == 0);
            } else {
                let (conn, shard) = writers[random.index(writers.len())];
                value += 1;
                let (one, other) = (pick(&mut random), pick(&mut random));
                let words = match random.below(12) {
                    0 => format!("RENAME {one} {other}"),
                    1 => format!("MSET {one} {value} {other} {value}"),
                    2 => format!("DEL {one} {other}"),
                    3 => format!(
                        "EVAL redis.call('SET',KEYS[1],ARGV[1])redis.call('SET',KEYS[2],ARGV[1]) 2 {one} {other} {value}"
                    ),
                    4 if random.below(5) == 0 => "FLUSHALL".to_owned(),
                    _ => format!("SET {one} {value}"),
                };
                trial.send_to(shard, conn, &request(&words.split(' ').collect::<Vec<_>>()));
            }
            for _ in 0..random.below(6) {
                trial.deliver_any(&mut random);
            }
            let at = random.index(caches.len());
            caches[at].listen(&mut trial, &format!("seed {seed}, step {step}"));
        }
        trial.settle();
        for cache in &mut caches {
            cache.listen(&mut trial, &format!("seed {seed}, end"));
        }
        let (conn, shard) = writers[0];
        trial.take_replies_of(shard, conn);
        for key in &keys {
            let now = say(&mut trial, shard, conn, &format!("GET {key}"));
            for (number, cache) in caches.iter().enumerate() {
                if let Some(cached) = cache.cached.get(key) {
                    assert_eq!(*cached, now, "seed {seed}, cache {number}, {key}");
                }
            }
        }
    }
}

/// A client that caches.
struct Cache {
    conn: usize,
    shard: usize,
    cached: HashMap<String, String>,
    /// The keys of requests whose replies are still to come; whether they were asked one by one.
    asked: std::collections::VecDeque<(Vec<String>, bool)>,
    heard: Vec<u8>,
}

impl Cache {
    fn new(conn: usize, shard: usize) -> Self {
        Self { conn, shard, cached: HashMap::new(), asked: Default::default(), heard: Vec::new() }
    }

    fn read(&mut self, trial: &mut Trial, keys: &[String], in_block: bool) {
        let mut bytes = Vec::new();
        let words = |first: &str| -> Vec<u8> {
            let mut words = vec![first];
            words.extend(keys.iter().map(String::as_str));
            request(&words)
        };
        if in_block {
            bytes.extend(request(&["MULTI"]));
            bytes.extend(words("MGET"));
            bytes.extend(request(&["EXEC"]));
        } else {
            bytes.extend(words("MGET"));
        }
        self.asked.push_back((keys.to_vec(), in_block));
        trial.send_to(self.shard, self.conn, &bytes);
    }

    /// Takes in what has come.
    fn listen(&mut self, trial: &mut Trial, context: &str) {
        self.heard.extend(trial.take_replies_of(self.shard, self.conn));
        let heard = std::mem::take(&mut self.heard);
        let text = String::from_utf8(heard).expect("text");
        let mut lines = text.split_inclusive("\r\n").peekable();
        let mut next = || lines.next().expect("whole replies").trim_end().to_owned();
        let mut left = text.matches("\r\n").count();
        while left > 0 {
            let (before, line) = (left, next());
            let mut used = 1;
            if line == ">2" {
                next();
                next();
                used += 3;
                match next().as_str() {
                    "_" => self.cached.clear(),
                    many => {
                        for _ in 0..many[1..].parse::<usize>().expect("a number") {
                            next();
                            self.cached.remove(&next());
                            used += 2;
                        }
                    }
                }
            } else if line.starts_with('*') {
                let (keys, in_block) = self.asked.pop_front().expect(context);
                if in_block {
                    next();
                    used += 1;
                }
                for key in keys {
                    let header = next();
                    used += 1;
                    let value = match header.as_str() {
                        "_" => "_|".to_owned(),
                        header => {
                            used += 1;
                            format!("{header}|{}|", next())
                        }
                    };
                    self.cached.insert(key, value);
                }
            } else {
                assert!(matches!(line.as_str(), "+OK" | "+QUEUED"), "{context}: {line}");
            }
            left = before - used;
        }
    }
}

#[test]
fn changes_of_a_turn_travel_together_and_behind_what_was_read_before() {
    let mut trial = Trial::new(2);
    let keys: Vec<_> = (0..3).map(|n| trial.key_on(1, &format!("k{n}-"))).collect();
    let reader = client(&mut trial, 0, 1, "CLIENT TRACKING ON");
    let writer = client(&mut trial, 1, 2, "");
    let mut requests = Vec::new();
    keys.iter().for_each(|key| requests.extend(request(&["GET", key])));
    trial.send_to(0, reader, &requests);
    assert!(trial.deliver());
    let mut writes = Vec::new();
    keys.iter().for_each(|key| writes.extend(request(&["SET", key, "1"])));
    trial.send_to(1, writer, &writes);
    let kinds: Vec<_> = trial.mail.messages().map(|message| matches!(message, Message::Changes(_))).collect();
    assert_eq!(kinds, [false, true]);
    trial.settle();
    let expected = "_|".repeat(3) + &keys.iter().map(|key| invalidated(&[key])).collect::<String>();
    assert_eq!(taken(&mut trial, 0, reader), expected);
}
