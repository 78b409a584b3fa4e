//! Clients that wait for entries of streams on several shards: they see what was added since they began to wait, each entry once, in
//! the order of the stream, and miss none; of a consumer group, each entry goes to one consumer.

use litmus::{Arena, Play, everywhere};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use testkit::{Client, Value};

type Id = (u64, u64);
/// Entries of a reply by key.
type Read = Vec<(String, Vec<(Id, String)>)>;

fn id(value: &Value) -> Id {
    let text = value.string().expect("an id");
    let (ms, seq) = text.split_once('-').unwrap_or_else(|| panic!("{text} is no id"));
    (ms.parse().expect("a number"), seq.parse().expect("a number"))
}

fn shown((ms, seq): Id) -> String {
    format!("{ms}-{seq}")
}

fn entries(value: &Value) -> Vec<(Id, String)> {
    let entry = |entry: &Value| {
        let [at, words] = entry.items().expect("an entry") else { panic!("{entry}") };
        (id(at), words.items().expect("fields and values")[1].string().expect("a value"))
    };
    value.items().unwrap_or_else(|| panic!("entries, not {value}")).iter().map(entry).collect()
}

/// The reply to XREAD or XREADGROUP; nothing when its time was over.
fn read(value: &Value) -> Read {
    if value.is_null() {
        return Vec::new();
    }
    let stream = |stream: &Value| {
        let [key, list] = stream.items().expect("a stream") else { panic!("{stream}") };
        (key.string().expect("a key"), entries(list))
    };
    value.items().unwrap_or_else(|| panic!("streams, not {value}")).iter().map(stream).collect()
}

fn range(client: &mut Client, key: &str) -> Vec<(Id, String)> {
    entries(&client.cmd(&["XRANGE", key, "-", "+"]))
}

fn try_wait(client: &mut Client, options: &[&str], keys: &[String], ids: &[String]) -> io::Result<()> {
    let words = options.iter().copied().chain(["STREAMS"]).chain(keys.iter().chain(ids).map(String::as_str));
    client.send(&words.collect::<Vec<_>>())
}

fn wait(client: &mut Client, options: &[&str], keys: &[String], ids: &[String]) {
    try_wait(client, options, keys, ids).expect("the server listens");
}

/// Waits until so many clients are blocked.
fn await_blocked(client: &mut Client, count: usize) {
    let wanted = format!("blocked_clients:{count}\r\n");
    for _ in 0..20_000 {
        if client.cmd(&["INFO", "clients"]).string().is_some_and(|text| text.contains(&wanted)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("there are never {count} blocked clients");
}

/// Adds `count` entries to random ones of the keys, in pipelines; some of them by transactions and scripts.
fn write(arena: &Arena, number: usize, keys: &[String], count: usize) {
    const SCRIPT: &str = "for i = 1, #KEYS do redis.call('XADD', KEYS[i], '*', 'e', ARGV[1]) end";
    let (mut client, mut random) = (arena.client(), arena.random(number));
    let mut at = 0;
    while at < count {
        let mut commands: Vec<Vec<String>> = Vec::new();
        for _ in 0..1 + random.below(8) {
            at += 1;
            let text = format!("{number}:{at}");
            let (one, other) = (random.index(keys.len()), random.index(keys.len()));
            let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
            let add = |key: usize| words(&["XADD", &keys[key], "*", "e", &text]);
            match random.below(6) {
                0 => commands.extend([words(&["MULTI"]), add(one), add(other), words(&["EXEC"])]),
                1 if one != other => {
                    commands.push(words(&["EVAL", SCRIPT, "2", &keys[one], &keys[other], &text]));
                }
                _ => commands.push(add(one)),
            }
        }
        assert!(client.pipeline(&commands).iter().all(|reply| !reply.is_error()));
    }
}

#[test]
fn who_reads_on_sees_every_entry_once() {
    everywhere(400, |arena| {
        let keys = &arena.keys("log", 4);
        let writing = &AtomicUsize::new(3);
        let seen = &Mutex::new(Vec::new());
        let mut play = Play::new();
        for number in 0..3 {
            play.work(move || {
                write(arena, number, keys, arena.rounds);
                if writing.fetch_sub(1, Ordering::SeqCst) == 1 {
                    let mut client = arena.client();
                    for key in keys {
                        assert!(!client.cmd(&["XADD", key, "*", "e", "end"]).is_error());
                    }
                }
            });
        }
        for number in 0..6 {
            play.work(move || {
                let (mut client, mut random) = (arena.client(), arena.random(10 + number));
                let mut ids = vec![(0, 0); keys.len()];
                let mut got: Vec<Vec<(Id, String)>> = vec![Vec::new(); keys.len()];
                while got.iter().any(|list| list.last().is_none_or(|(_, text)| text != "end")) {
                    let count = (1 + random.below(20)).to_string();
                    let (few, all) = (["XREAD", "COUNT", &count, "BLOCK", "1000"], ["XREAD", "BLOCK", "0"]);
                    let options = if random.below(2) == 0 { &few[..] } else { &all };
                    let from: Vec<String> = ids.iter().map(|id| shown(*id)).collect();
                    wait(&mut client, options, keys, &from);
                    for (key, list) in read(&client.reply().expect("a reply")) {
                        let place = keys.iter().position(|known| *known == key).expect("a key of ours");
                        ids[place] = list.last().expect("streams without entries are left out").0;
                        got[place].extend(list);
                    }
                }
                seen.lock().expect("nobody panics").push(got);
            });
        }
        play.run();
        let mut client = arena.client();
        let whole: Vec<_> = keys.iter().map(|key| range(&mut client, key)).collect();
        for got in std::mem::take(&mut *seen.lock().expect("nobody panics")) {
            assert_eq!(got, whole);
        }
        await_blocked(&mut client, 0);
    });
}

/// What a reader sees of a round, from when it began to wait with `$`.
fn see_round(
    client: &mut Client,
    keys: &[String],
    before: &HashMap<String, Id>,
    last: &HashMap<String, Vec<(Id, String)>>,
) {
    let mut got: HashMap<String, Vec<(Id, String)>> = HashMap::new();
    let is_done = |got: &HashMap<String, Vec<(Id, String)>>| {
        keys.iter().all(|key| got.get(key).map_or(0, Vec::len) == last[key].len())
    };
    loop {
        for (key, list) in read(&client.reply().expect("a reply")) {
            got.entry(key).or_default().extend(list);
        }
        for (key, list) in &got {
            assert_eq!(list[..], last[key][..list.len()], "{key}");
        }
        if is_done(&got) {
            return;
        }
        let at = |key: &String| got.get(key).map_or(before[key], |list| list[list.len() - 1].0);
        let ids: Vec<String> = keys.iter().map(|key| shown(at(key))).collect();
        wait(client, &["XREAD", "BLOCK", "0"], keys, &ids);
    }
}

#[test]
fn who_waits_for_new_entries_gets_those_and_no_others() {
    const READERS: usize = 6;
    everywhere(60, |arena| {
        let keys = &arena.keys("news", 4);
        let (mut client, mut random) = (arena.client(), arena.random(0));
        let mut readers: Vec<Client> = arena.clients(READERS);
        let mut before: HashMap<String, Id> = keys.iter().map(|key| (key.clone(), (0, 0))).collect();
        for round in 0..arena.rounds {
            let wanted: Vec<Vec<String>> = readers
                .iter_mut()
                .map(|reader| {
                    let mut keys = keys.clone();
                    random.shuffle(&mut keys);
                    keys.truncate(1 + random.index(4));
                    wait(reader, &["XREAD", "BLOCK", "0"], &keys, &vec!["$".to_owned(); keys.len()]);
                    keys
                })
                .collect();
            await_blocked(&mut client, READERS);
            let mut play = Play::new();
            for number in 0..2 {
                play.work(move || write(arena, 1000 * round + number, keys, 8));
            }
            play.run();
            for key in keys {
                assert!(!client.cmd(&["XADD", key, "*", "e", "last"]).is_error());
            }
            let last: HashMap<String, Vec<(Id, String)>> = keys
                .iter()
                .map(|key| {
                    let from = format!("({}", shown(before[key]));
                    (key.clone(), entries(&client.cmd(&["XRANGE", key, &from, "+"])))
                })
                .collect();
            for (reader, keys) in readers.iter_mut().zip(&wanted) {
                see_round(reader, keys, &before, &last);
            }
            before.extend(last.into_iter().map(|(key, list)| (key, list[list.len() - 1].0)));
        }
    });
}

/// Waits for entries as a consumer until all is written, and tells what came; whose connection is killed begins anew with another name.
fn consume(arena: &Arena, number: usize, keys: &[String], writing: &AtomicUsize) -> Vec<(String, Read)> {
    let (mut random, mut done) = (arena.random(50 + number), Vec::new());
    for life in 0.. {
        let name = format!("consumer-{number}-{life}");
        let mut client = arena.client();
        if client.try_cmd(&["CLIENT", "SETNAME", "consumer"]).is_err() {
            continue;
        }
        let mut last: BTreeMap<String, Id> = BTreeMap::new();
        loop {
            let is_last = writing.load(Ordering::SeqCst) == 0;
            let count = (1 + random.below(5)).to_string();
            let options = ["XREADGROUP", "GROUP", "g", &name, "COUNT", &count, "BLOCK", "30"];
            let asked = try_wait(&mut client, &options, keys, &vec![">".to_owned(); keys.len()]);
            let Ok(reply) = asked.and_then(|()| client.reply()) else { break };
            let came = read(&reply);
            if came.is_empty() && is_last {
                return done;
            }
            for (key, list) in &came {
                for (id, text) in list {
                    let before = last.insert(key.clone(), *id);
                    assert!(before.is_none_or(|before| before < *id), "{key} {text} after {before:?}");
                }
            }
            done.push((name.clone(), came));
        }
    }
    unreachable!("lives do not end")
}

#[test]
fn each_entry_goes_to_one_consumer() {
    everywhere(300, |arena| {
        let keys = &arena.keys("work", 4);
        let mut client = arena.client();
        for key in keys {
            assert!(client.cmd(&["XGROUP", "CREATE", key, "g", "0", "MKSTREAM"]).is_ok());
        }
        let (writing, came) = (&AtomicUsize::new(3), &Mutex::new(Vec::new()));
        let killing = &AtomicBool::new(true);
        let mut play = Play::new();
        for number in 0..3 {
            play.work(move || {
                write(arena, number, keys, arena.rounds);
                writing.fetch_sub(1, Ordering::SeqCst);
            });
        }
        for number in 0..8 {
            play.work(move || {
                let done = consume(arena, number, keys, writing);
                came.lock().expect("nobody panics").extend(done);
                killing.store(false, Ordering::SeqCst);
            });
        }
        let (mut killer, mut random) = (arena.client(), arena.random(99));
        play.watch(move || {
            std::thread::sleep(Duration::from_millis(7));
            if writing.load(Ordering::SeqCst) > 0 && killing.load(Ordering::SeqCst) {
                let list = killer.cmd(&["CLIENT", "LIST"]).string().unwrap_or_default();
                let ids: Vec<&str> = list
                    .lines()
                    .filter(|line| line.contains("name=consumer"))
                    .filter_map(|line| line.split([' ', '=']).nth(1))
                    .collect();
                if !ids.is_empty() {
                    killer.cmd(&["CLIENT", "KILL", "ID", ids[random.index(ids.len())]]);
                }
            }
        });
        play.run();
        check_owners(&mut client, keys, &came.lock().expect("nobody panics"));
        await_blocked(&mut client, 0);
        arena.assert_all_answer(keys);
    });
}

/// Every entry is pending for one consumer, delivered once; and whoever got it is that one.
fn check_owners(client: &mut Client, keys: &[String], came: &[(String, Read)]) {
    let mut got: HashMap<(String, Id), String> = HashMap::new();
    for (name, streams) in came {
        for (key, list) in streams {
            for (id, text) in list {
                let before = got.insert((key.clone(), *id), name.clone());
                assert!(before.is_none(), "{text} of {key} went to {name} and {before:?}");
            }
        }
    }
    let (mut count, mut lost) = (0, 0);
    for key in keys {
        let pending = client.cmd(&["XPENDING", key, "g", "-", "+", "1000000"]);
        let pending = pending.items().expect("a list");
        let entries = range(client, key);
        assert_eq!(pending.len(), entries.len(), "{key}");
        for (entry, (at, text)) in pending.iter().zip(&entries) {
            let [owned, name, _, deliveries] = entry.items().expect("an entry") else { panic!("{entry}") };
            assert_eq!((id(owned), deliveries.integer()), (*at, Some(1)), "{text}");
            match got.remove(&(key.clone(), *at)) {
                Some(reader) => assert_eq!(name.string(), Some(reader), "{text}"),
                // On its way to one that was killed.
                None => lost += 1,
            }
            count += 1;
        }
    }
    assert!(got.is_empty(), "{got:?} went to consumers and is not pending");
    println!("{count} entries, {lost} on their way to consumers that were killed");
}
