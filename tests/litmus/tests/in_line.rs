//! Clients that wait for lists on all shards, one after the other, and elements that come in every way, each once whoever has brought the one before
//! has the reply: the client that has waited longest gets the first, whichever shard is quicker, and whatever else holds the lists
//! meanwhile.

use litmus::{Arena, Play, everywhere};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use testkit::{Client, await_info};

const WAITERS: usize = 5;
/// Others that ask for the lists together with keys of other shards, so that what comes waits for locks.
const OTHERS: usize = 2;

/// Lists of several shards that are never there.
const NONE: [&str; 4] = ["none:0", "none:1", "none:2", "none:3"];

/// Brings an element to a list; returns when the reply is there.
fn bring(client: &mut Client, way: usize, [list, other, number]: [&str; 3], element: &str) {
    const SCRIPT: &str = "redis.call('RPUSH', ARGV[1], ARGV[3]) return redis.call('INCR', ARGV[2])";
    let reply = match way {
        0 => client.cmd(&["RPUSH", list, element]),
        1 => {
            assert!(!client.cmd(&["RPUSH", other, element]).is_error());
            client.cmd(&["LMOVE", other, list, "LEFT", "LEFT"])
        }
        2 => {
            let commands =
                [vec!["MULTI"], vec!["RPUSH", list, element], vec!["SET", number, "1"], vec!["EXEC"]];
            client.pipeline(&commands).pop().expect("four replies")
        }
        _ => client.cmd(&["EVAL", SCRIPT, "0", list, number, element]),
    };
    assert!(!reply.is_error(), "{reply}");
}

/// Holds the lists again and again, and changes nothing.
fn hold(arena: &Arena, lists: &[String], number: usize, is_over: &AtomicBool) {
    let (mut client, mut random) = (arena.client(), arena.random(1000 + number));
    while !is_over.load(Ordering::SeqCst) {
        let list = &lists[random.index(lists.len())];
        let none = format!("none:{}", random.below(20));
        assert!(!client.cmd(&["LMOVE", &none, list, "LEFT", "LEFT"]).is_error());
    }
}

#[test]
fn who_has_waited_longest_is_served_first() {
    everywhere(120, |arena| {
        let lists = &arena.keys("list", 4);
        let (others, numbers) = (&arena.keys("other", 4), &arena.keys("number", 4));
        let is_over = &AtomicBool::new(false);
        let mut play = Play::new();
        (0..OTHERS).for_each(|number| play.work(move || hold(arena, lists, number, is_over)));
        play.work(move || {
            let _end = Ended(is_over);
            let (mut waiters, mut pushers) = (arena.clients(WAITERS), arena.clients(4));
            let (mut looker, mut random) = (arena.client(), arena.random(0));
            for round in 0..arena.rounds {
                let wait = ["BLPOP", &lists[0], &lists[1], &lists[2], &lists[3], "0"];
                for (number, waiter) in waiters.iter_mut().enumerate() {
                    waiter.send(&wait).expect("a connection");
                    await_info(&mut looker, "blocked_clients", &(number + 1).to_string());
                }
                for number in 0..WAITERS {
                    let at = [lists, others, numbers].map(|keys| keys[random.index(4)].as_str());
                    let pusher = &mut pushers[random.index(4)];
                    bring(pusher, random.index(4), at, &number.to_string());
                }
                for (number, waiter) in waiters.iter_mut().enumerate() {
                    let reply = waiter.reply().expect("a reply");
                    let element = reply.items().and_then(|items| items[1].string());
                    let expected = Some(number.to_string());
                    assert_eq!(element, expected, "round {round}, waiter {number}");
                }
            }
        });
        play.run();
    });
}

/// Holds the list that is meant at the moment, many times in a row, and changes nothing.
fn hold_one(arena: &Arena, lists: &[String], meant: &AtomicUsize, is_over: &AtomicBool) {
    let mut client = arena.client();
    while !is_over.load(Ordering::SeqCst) {
        let list = &lists[meant.load(Ordering::SeqCst)];
        let commands: Vec<_> =
            (0..20).map(|number| ["LMOVE", NONE[number % 4], list, "LEFT", "LEFT"]).collect();
        assert!(client.pipeline(&commands).iter().all(|reply| !reply.is_error()));
    }
}

/// The first in line moves what it gets to a list that others hold again and again; what is pushed behind it goes to those behind it.
#[test]
fn who_needs_a_list_that_others_hold_keeps_its_place() {
    everywhere(120, |arena| {
        let lists = &arena.keys("list", 4);
        // Each on the shard of the list with its number.
        let moved: &Vec<String> = &lists.iter().map(|list| format!("moved:{{{list}}}")).collect();
        let (is_over, meant) = (&AtomicBool::new(false), &AtomicUsize::new(0));
        let mut play = Play::new();
        (0..OTHERS).for_each(|_| play.work(move || hold_one(arena, moved, meant, is_over)));
        play.work(move || {
            let _end = Ended(is_over);
            let (mut waiters, mut pushers) = (arena.clients(3), arena.clients(4));
            let (mut looker, mut random) = (arena.client(), arena.random(0));
            for round in 0..arena.rounds {
                let source = random.index(4);
                let (to, other) = ((source + round % 3) % 4, &lists[(source + 1 + random.index(3)) % 4]);
                meant.store(to, Ordering::SeqCst);
                let source = lists[source].as_str();
                let moves = ["BLMOVE", source, &moved[to], "LEFT", "RIGHT", "0"];
                let pops = ["BLPOP", source, other, "0"];
                for (number, waiter) in waiters.iter_mut().enumerate() {
                    let words = if number == 0 { &moves[..] } else { &pops };
                    waiter.send(words).expect("a connection");
                    await_info(&mut looker, "blocked_clients", &(number + 1).to_string());
                }
                for words in [&["RPUSH", source, "0", "1"][..], &["RPUSH", other, "2"]] {
                    assert!(!pushers[random.index(4)].cmd(words).is_error());
                }
                for (number, waiter) in waiters.iter_mut().enumerate() {
                    let reply = waiter.reply().expect("a reply");
                    let element =
                        if number == 0 { Some(&reply) } else { reply.items().map(|items| &items[1]) };
                    let element = element.and_then(|element| element.string());
                    assert_eq!(element, Some(number.to_string()), "round {round}, waiter {number}");
                }
            }
        });
        play.run();
    });
}

/// Says so, also when the test has failed.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
