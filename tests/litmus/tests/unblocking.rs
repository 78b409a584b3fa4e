//! Clients that wait for entries of streams, and all that may end that, in every order, step by step and at once: CLIENT UNBLOCK, CLIENT
//! KILL, the end of their time, and a transaction that adds entries, removes the group or puts something else in place of the
//! stream. One thing ends it, once; no entry is lost, and none is with two consumers. So it is when what was waited for is more than its
//! client may have unread. (CVE-2026-23479 of Redis: a client that went while the command it had waited with was run again.)

use litmus::{Arena, everywhere};
use std::io::ErrorKind;
use std::time::Duration;
use testkit::{Client, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Unblock,
    Kill,
    Exec,
    /// Its time ends.
    Pass,
}

const EVENTS: [Event; 4] = [Event::Unblock, Event::Kill, Event::Exec, Event::Pass];
const ORDERS: usize = 24;

/// What the transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Add,
    Destroy,
    Retype,
    Delete,
}

const DEEDS: [Deed; 4] = [Deed::Add, Deed::Destroy, Deed::Retype, Deed::Delete];

#[derive(Clone, Copy, Debug)]
struct Case {
    order: [Event; 4],
    deed: Deed,
    in_group: bool,
    at_once: bool,
}

const CASES: usize = ORDERS * DEEDS.len() * 4;

impl Case {
    fn of(number: usize) -> Case {
        let (mut left, mut at) = (EVENTS.to_vec(), number % ORDERS);
        let order = std::array::from_fn(|place| {
            let count = EVENTS.len() - place;
            let chosen = left.remove(at % count);
            at /= count;
            chosen
        });
        let rest = number / ORDERS;
        Case {
            order,
            deed: DEEDS[rest % DEEDS.len()],
            in_group: rest / DEEDS.len() % 2 == 1,
            at_once: rest / DEEDS.len() / 2 % 2 == 1,
        }
    }
}

/// How the wait ended.
#[derive(Debug, PartialEq)]
enum End {
    /// Keys of which entries came.
    Entries(Vec<String>),
    Nothing,
    Unblocked,
    Error(String),
    Closed,
}

fn end_of(reply: std::io::Result<Value>) -> End {
    match reply {
        Err(error) => {
            assert_ne!(error.kind(), ErrorKind::TimedOut, "whoever waits is answered in the end");
            End::Closed
        }
        Ok(reply) if reply.is_null() => End::Nothing,
        Ok(reply) if reply.is_error() => {
            let text = reply.string().unwrap_or_default();
            if text == "UNBLOCKED client unblocked via CLIENT UNBLOCK" {
                End::Unblocked
            } else {
                End::Error(text)
            }
        }
        Ok(reply) => {
            let key = |stream: &Value| stream.items().expect("a stream")[0].string().expect("a key");
            End::Entries(reply.items().expect("streams").iter().map(key).collect())
        }
    }
}

struct Scene<'a> {
    client: Client,
    others: [Client; 3],
    keys: &'a [String],
    case: Case,
    waiter: String,
}

impl Scene<'_> {
    fn deed(&self) -> Vec<Vec<&str>> {
        let of = |key| match self.case.deed {
            Deed::Add => vec!["XADD", key, "1-1", "f", "v"],
            Deed::Destroy => vec!["XGROUP", "DESTROY", key, "g"],
            Deed::Retype => vec!["SET", key, "v"],
            Deed::Delete => vec!["DEL", key],
        };
        let parts = self.keys.iter().map(|key| of(key));
        [vec!["MULTI"]].into_iter().chain(parts).chain([vec!["EXEC"]]).collect()
    }

    fn commands(&self, event: Event) -> Vec<Vec<&str>> {
        match event {
            Event::Unblock => vec![vec!["CLIENT", "UNBLOCK", &self.waiter, "ERROR"]],
            Event::Kill => vec![vec!["CLIENT", "KILL", "ID", &self.waiter]],
            Event::Exec => self.deed(),
            Event::Pass => Vec::new(),
        }
    }

    /// What CLIENT UNBLOCK answered.
    fn run(&mut self) -> i64 {
        let mut unblocked = 0;
        let mut sent: Vec<(Event, usize)> = Vec::new();
        for (place, event) in self.case.order.into_iter().enumerate() {
            if event == Event::Pass {
                if !self.case.at_once {
                    std::thread::sleep(Duration::from_millis(12));
                }
                continue;
            }
            let bytes: Vec<u8> =
                self.commands(event).iter().flat_map(|words| testkit::client::encode(words)).collect();
            let other = place % self.others.len();
            self.others[other].send_raw(&bytes).expect("the server listens");
            sent.push((event, other));
            if !self.case.at_once {
                self.take(&mut sent, &mut unblocked);
            }
        }
        self.take(&mut sent, &mut unblocked);
        unblocked
    }

    fn take(&mut self, sent: &mut Vec<(Event, usize)>, unblocked: &mut i64) {
        for (event, other) in sent.drain(..) {
            let count = self.commands(event).len();
            for _ in 0..count {
                let reply = self.others[other].reply().expect("a reply");
                assert!(!reply.is_error(), "{reply}");
                if event == Event::Unblock {
                    *unblocked = reply.integer().expect("0 or 1");
                }
            }
        }
    }

    /// Nothing is lost or twice there; `end` is what the waiter has.
    fn check_entries(&mut self, end: &End) {
        let pending = |client: &mut Client, key: &str| {
            let reply = client.cmd(&["XPENDING", key, "g", "-", "+", "9"]);
            reply.items().expect("a list").len()
        };
        for key in self.keys {
            let has = pending(&mut self.client, key);
            match end {
                End::Entries(keys) => assert_eq!(has, usize::from(keys.contains(key)), "{:?}", self.case),
                // Perhaps they were on their way to it.
                End::Closed => assert!(has <= 1, "{:?}", self.case),
                _ => assert_eq!(has, 0, "{:?}: {end:?}", self.case),
            }
            let rest = self.client.cmd(&["XREADGROUP", "GROUP", "g", "rest", "STREAMS", key, ">"]);
            assert_eq!(rest.is_null(), has == 1, "{:?}: {rest}", self.case);
            assert_eq!(pending(&mut self.client, key), 1, "{:?}", self.case);
        }
    }
}

fn play(arena: &Arena, keys: &[String], case: Case, pauses: bool) {
    let mut client = arena.client();
    for key in keys {
        client.cmd(&["DEL", key]);
        assert!(client.cmd(&["XGROUP", "CREATE", key, "g", "0", "MKSTREAM"]).is_ok());
    }
    let mut waiter = arena.client();
    let number = waiter.cmd(&["CLIENT", "ID"]).integer().expect("a number").to_string();
    let time = if case.at_once { "2" } else { "10" };
    let (mut words, from) = match case.in_group {
        true => (vec!["XREADGROUP", "GROUP", "g", "c", "BLOCK", time, "STREAMS"], ">"),
        false => (vec!["XREAD", "BLOCK", time, "STREAMS"], "$"),
    };
    words.extend(keys.iter().map(String::as_str));
    words.extend(keys.iter().map(|_| from));
    let others = [arena.client(), arena.client(), arena.client()];
    let mut scene = Scene { client, others, keys, case, waiter: number };
    waiter.send(&words).expect("the server listens");
    if pauses || !case.at_once {
        // It is most likely blocked by then.
        std::thread::sleep(Duration::from_millis(1));
    }
    let unblocked = scene.run();
    let end = end_of(waiter.reply());
    match &end {
        End::Entries(_) => assert_eq!(case.deed, Deed::Add, "{case:?}"),
        End::Error(text) => assert!(case.deed != Deed::Add, "{case:?}: {text}"),
        End::Unblocked => assert_eq!(unblocked, 1, "{case:?}"),
        End::Nothing | End::Closed => {}
    }
    if unblocked == 1 {
        assert!(matches!(end, End::Unblocked | End::Closed), "{case:?}: {end:?}");
    }
    if case.deed == Deed::Add && case.in_group {
        scene.check_entries(&end);
    }
    // It was killed, and there is no second answer.
    assert_eq!(end_of(waiter.try_cmd(&["PING"])), End::Closed, "{case:?}");
}

#[test]
fn a_wait_ends_once_in_whatever_order() {
    everywhere(CASES, |arena| {
        let keys = &arena.keys("stream", 3);
        for round in 0..arena.rounds {
            // So that a few rounds are of all kinds.
            play(arena, keys, Case::of(round * 85 % CASES), round % 2 == 0);
        }
        arena.assert_all_answer(keys);
        let clients = arena.client().cmd(&["INFO", "clients"]).string().unwrap_or_default();
        assert!(
            clients.contains("blocked_clients:0\r\n") && clients.contains("total_blocking_keys:0\r\n"),
            "{clients}"
        );
    });
}

#[test]
fn who_waits_may_be_cut_off_by_what_comes() {
    const BYTES: usize = 24 << 20;
    everywhere(4, |arena| {
        let keys = &arena.keys("stream", 4);
        let mut client = arena.client();
        assert!(client.cmd(&["CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0"]).is_ok());
        for (round, key) in keys.iter().enumerate().take(arena.rounds) {
            assert!(client.cmd(&["XGROUP", "CREATE", key, "g", "$", "MKSTREAM"]).is_ok());
            let mut waiters = arena.clients(4);
            for (place, waiter) in waiters.iter_mut().enumerate() {
                let other = &keys[(round + place + 1) % keys.len()];
                let words = match place % 2 {
                    0 => vec!["XREAD", "BLOCK", "0", "STREAMS", key, other, "$", "$"],
                    _ => vec!["XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", key, ">"],
                };
                waiter.send(&words).expect("the server listens");
            }
            await_blocked(&mut client, 4);
            let large = vec![b'x'; BYTES];
            assert!(!client.cmd(&[b"XADD", key.as_bytes(), b"*", b"f", &large]).is_error());
            // One consumer has the entry; the other waits on.
            await_blocked(&mut client, 1);
            assert_eq!(client.cmd(&["XGROUP", "DESTROY", key, "g"]).integer(), Some(1));
            await_blocked(&mut client, 0);
            let ends: Vec<End> = waiters.iter_mut().map(|waiter| end_of(waiter.reply())).collect();
            let refused = ends.iter().filter(|end| matches!(end, End::Error(_))).count();
            let closed = ends.iter().filter(|end| **end == End::Closed).count();
            assert_eq!((refused, closed), (1, 3), "{ends:?}");
            assert_eq!(client.cmd(&["DEL", key]).integer(), Some(1));
        }
        arena.assert_all_answer(keys);
    });
}

/// Waits until so many clients are blocked.
fn await_blocked(client: &mut Client, count: usize) {
    let wanted = format!("blocked_clients:{count}\r\n");
    let is_so = |client: &mut Client| {
        client.cmd(&["INFO", "clients"]).string().is_some_and(|text| text.contains(&wanted))
    };
    for _ in 0..20_000 {
        if is_so(client) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("there are never {count} blocked clients");
}
