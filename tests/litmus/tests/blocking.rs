//! Clients that wait for elements of lists on several shards, while others are killed: every element is delivered once, and to each
//! client in the order in which it was pushed.

use litmus::{Arena, Play, everywhere};
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use testkit::{Client, Value};

const PRODUCERS: usize = 3;
const CONSUMERS: usize = 16;
/// Whoever takes this stops. There are enough for everybody on every key.
const END: &str = "end";

/// How a consumer waits.
#[derive(Clone, Copy)]
enum Way {
    /// For all keys, which lie on all shards.
    All,
    One,
    /// For one key, whose elements it moves to a list on another shard.
    Move,
}

/// What has become of the elements.
#[derive(Default)]
struct Tally {
    taken: Mutex<Vec<String>>,
    killed: AtomicUsize,
}

/// An element: who pushed it, to which key, and its number there.
fn parts(element: &str) -> (String, usize) {
    let (from, number) = element.rsplit_once(':').expect("an element of ours");
    (from.to_owned(), number.parse().expect("a number"))
}

fn named(arena: &Arena) -> Client {
    let mut client = arena.client();
    assert!(client.cmd(&["CLIENT", "SETNAME", "consumer"]).is_ok());
    client
}

/// One wait; `None` when its time was over.
fn take(client: &mut Client, way: Way, keys: &[String], number: usize) -> io::Result<Option<String>> {
    let own = keys[number % keys.len()].as_str();
    let mut command: Vec<&str> = match way {
        Way::All => ["BLPOP"].into_iter().chain(keys.iter().map(String::as_str)).collect(),
        Way::One => vec!["BLPOP", own],
        Way::Move => vec!["BLMOVE", own, "moved", "LEFT", "RIGHT"],
    };
    // The first keys would be served for ever: everybody begins somewhere else.
    if let Way::All = way {
        command[1..].rotate_left(number % keys.len());
    }
    command.push("0.05");
    match client.try_cmd(&command)? {
        Value::Null | Value::NullArray => Ok(None),
        Value::Array(items) => Ok(items[1].string()),
        other if other.is_error() => panic!("{command:?}: {other}"),
        other => Ok(other.string()),
    }
}

fn consume(arena: &Arena, way: Way, keys: &[String], number: usize, tally: &Tally) {
    let mut client = named(arena);
    let mut last: BTreeMap<String, usize> = BTreeMap::new();
    loop {
        match take(&mut client, way, keys, number) {
            Ok(None) => {}
            Ok(Some(element)) if element == END => return,
            Ok(Some(element)) => {
                let (from, number) = parts(&element);
                let before = last.insert(from, number);
                assert!(before.is_none_or(|before| before < number), "{element} came after {before:?}");
                if !matches!(way, Way::Move) {
                    tally.taken.lock().expect("nobody panics with it").push(element);
                }
            }
            Err(_) => {
                tally.killed.fetch_add(1, Ordering::SeqCst);
                client = named(arena);
            }
        }
    }
}

fn produce(arena: &Arena, keys: &[String], number: usize, producing: &AtomicUsize) {
    let mut client = arena.client();
    let mut random = arena.random(number);
    for round in 0..arena.rounds {
        let key = &keys[random.index(keys.len())];
        let element = format!("{number}:{key}:{round}");
        let other = &keys[random.index(keys.len())];
        match random.below(4) {
            // Two at once, as a rule on two shards.
            0 => {
                let second = format!("{number}:{other}:second:{round}");
                let commands = [
                    vec!["MULTI"],
                    vec!["RPUSH", key, &element],
                    vec!["RPUSH", other, &second],
                    vec!["EXEC"],
                ];
                assert!(!client.pipeline(&commands)[3].is_error());
            }
            _ => assert!(client.cmd(&["RPUSH", key, &element]).integer().is_some()),
        }
    }
    if producing.fetch_sub(1, Ordering::SeqCst) == 1 {
        for key in keys {
            let ends: Vec<&str> = ["RPUSH", key].into_iter().chain([END; 3 * CONSUMERS]).collect();
            assert!(!client.cmd(&ends).is_error());
        }
    }
}

/// Kills one of the consumers.
fn kill(client: &mut Client, at: usize) {
    let list = client.cmd(&["CLIENT", "LIST"]).string().unwrap_or_default();
    let consumers: Vec<&str> = list.lines().filter(|line| line.contains("name=consumer")).collect();
    let victim = consumers.get(at % consumers.len().max(1)).and_then(|line| line.split([' ', '=']).nth(1));
    if let Some(id) = victim {
        assert!(!client.cmd(&["CLIENT", "KILL", "ID", id]).is_error());
    }
}

#[test]
fn every_element_is_delivered_once() {
    everywhere(500, |arena| {
        let keys = &arena.keys("queue", 4);
        let (tally, producing) = (&Tally::default(), &AtomicUsize::new(PRODUCERS));
        let mut play = Play::new();
        for number in 0..CONSUMERS {
            let way = [Way::All, Way::All, Way::One, Way::Move][number / 4];
            play.work(move || consume(arena, way, keys, number, tally));
        }
        for number in 0..PRODUCERS {
            play.work(move || produce(arena, keys, number, producing));
        }
        let (mut killer, mut random) = (arena.client(), arena.random(99));
        play.watch(move || {
            if producing.load(Ordering::SeqCst) > 0 {
                kill(&mut killer, random.index(CONSUMERS));
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        });
        play.run();
        let mut client = arena.client();
        let mut elements = std::mem::take(&mut *tally.taken.lock().expect("nobody panics with it"));
        for list in keys.iter().map(String::as_str).chain(["moved"]) {
            let left = client.cmd(&["LRANGE", list, "0", "-1"]);
            elements.extend(left.items().expect("a list").iter().filter_map(Value::string));
        }
        elements.retain(|element| element != END);
        let count = elements.len();
        let unique: HashSet<String> = elements.into_iter().collect();
        assert_eq!(unique.len(), count, "an element was delivered twice");
        let pushed = pushed(arena, keys);
        let (lost, killed) = (pushed - count, tally.killed.load(Ordering::SeqCst));
        assert!(lost <= killed, "{lost} of {pushed} elements are lost, {killed} clients were killed");
        println!("{pushed} elements, {killed} clients killed, {lost} elements on their way to them");
        arena.assert_all_answer(keys);
        let clients = client.cmd(&["INFO", "clients"]).string().unwrap_or_default();
        assert!(clients.contains("blocked_clients:0\r\n") && clients.contains("total_blocking_keys:0\r\n"));
    });
}

/// How many elements the producers push: as their random numbers say.
fn pushed(arena: &Arena, keys: &[String]) -> usize {
    let count = |number: usize| {
        let mut random = arena.random(number);
        (0..arena.rounds)
            .map(|_| {
                random.index(keys.len());
                random.index(keys.len());
                1 + usize::from(random.below(4) == 0)
            })
            .sum::<usize>()
    };
    (0..PRODUCERS).map(count).sum()
}
