//! The modules of this crate under a scheduler that decides which thread takes the next step on shared memory: all schedules of small
//! cases, many random ones of larger ones. It stops everything when all threads wait, so that a lost wake-up shows.
//!
//! Shuttle gives sequentially consistent memory, which is what the protocols ask for (`SeqCst` wherever two threads look at each
//! other's flags). Loom would weaken these very accesses and raise false alarms.

#[path = "../src/exchange.rs"]
mod exchange;
#[path = "../src/queue.rs"]
mod queue;
mod sync {
    pub use shuttle::hint::spin_loop;
    pub use shuttle::sync::Arc;
    pub use shuttle::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
    pub use shuttle::thread::yield_now;

    /// Whoever waits soon lets others run.
    pub const SPINS: u32 = 1;
}

use exchange::{Exchange, Port};
use queue::{Nodes, Queue};
use shuttle::scheduler::DfsScheduler;
use shuttle::sync::Mutex;
use shuttle::{Config, Runner, thread};
use std::collections::VecDeque;
use std::sync::Arc;

/// Runs all schedules, or `most` of them; there must be many.
fn check_all(most: Option<usize>, test: impl Fn() + Send + Sync + 'static) {
    let runner = Runner::new(DfsScheduler::new(most, false), Config::default());
    let schedules = runner.run(test);
    assert!(schedules > 100, "{schedules}");
}

fn drained<T: Send>(port: &mut Port<T>) -> VecDeque<T> {
    let mut out = VecDeque::new();
    port.drain(&mut out);
    out
}

/// Two producers and a consumer: in all schedules, each producer's messages come in order and none is lost.
#[test]
fn a_queue_keeps_the_order_of_each_producer() {
    check_all(None, || {
        let queue = Arc::new(Queue::default());
        let producers: Vec<_> = [2u32, 1]
            .into_iter()
            .enumerate()
            .map(|(id, count)| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    let mut nodes = Nodes::default();
                    (0..count).for_each(|n| queue.push((id, n), &mut nodes));
                })
            })
            .collect();
        let (mut seen, mut nodes) = (VecDeque::new(), Nodes::default());
        queue.drain(&mut seen, &mut nodes);
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        queue.drain(&mut seen, &mut nodes);
        let of = |id| seen.iter().filter(move |(of, _)| *of == id).map(|(_, n)| *n).collect::<Vec<u32>>();
        assert_eq!((of(0), of(1)), (vec![0, 1], vec![0]));
    });
}

/// A shard that sleeps is woken by whoever sends it something, however the two meet.
#[test]
fn no_wake_up_is_lost() {
    check_all(Some(20_000), || {
        let mut ports = Exchange::<u8>::ports(2);
        let (mut receiver, mut sender) = (ports.remove(0), ports.remove(0));
        let shard = thread::spawn(move || {
            let mut got = VecDeque::new();
            while got.len() < 2 {
                if receiver.drain(&mut got) == 0 && receiver.prepare_sleep() {
                    thread::park();
                }
                receiver.awake();
            }
            got
        });
        let waker = shard.thread().clone();
        let mut asleep = false;
        sender.publish([(0, 1)].into_iter(), false, |_| asleep = true);
        if asleep && sender.rouse(0) {
            waker.unpark();
        }
        if sender.send(0, 2) {
            waker.unpark();
        }
        assert_eq!(shard.join().unwrap(), [1, 2]);
    });
}

/// A sleeper's mail is run by its thread or by visitors, who take what it sits at while it sleeps. All is run, in order: also what a
/// visitor leaves, and what a visitor finds who comes late, when the mail it came for has long been run.
#[test]
fn visitors_lose_no_mail() {
    const MESSAGES: u8 = 3;
    #[derive(Default)]
    struct Desk {
        run: Vec<u8>,
        mail: VecDeque<u8>,
    }
    /// Runs one message or none, and leaves the rest.
    fn visit(port: &mut Port<u8>, desk: &Mutex<Desk>, own: &thread::Thread) {
        let served = desk.try_lock().is_ok_and(|mut desk| {
            let Desk { run, mail } = &mut *desk;
            port.drain_of(0, mail);
            if run.len().is_multiple_of(2) {
                run.extend(mail.pop_front());
            }
            mail.is_empty() && run.len() < usize::from(MESSAGES)
        });
        if !served && port.rouse(0) {
            own.unpark();
        }
    }
    shuttle::check_random(
        || {
            let mut ports = Exchange::<u8>::ports(3);
            let (mut receiver, mut sender, mut late) = (ports.remove(0), ports.remove(0), ports.remove(0));
            let desk = Arc::new(Mutex::new(Desk::default()));
            let own = Arc::clone(&desk);
            let shard = thread::spawn(move || {
                loop {
                    let mut desk = own.lock().unwrap();
                    receiver.drain(&mut desk.mail);
                    while let Some(message) = desk.mail.pop_front() {
                        desk.run.push(message);
                    }
                    if desk.run.len() == usize::from(MESSAGES) {
                        return desk.run.clone();
                    }
                    if receiver.prepare_sleep() {
                        drop(desk);
                        thread::park();
                    }
                    receiver.awake();
                }
            });
            let (waker, its) = (shard.thread().clone(), Arc::clone(&desk));
            let late = thread::spawn(move || (0..6).for_each(|_| visit(&mut late, &its, &waker)));
            for n in 0..MESSAGES {
                let mut asleep = false;
                sender.publish([(0, n)].into_iter(), false, |_| asleep = true);
                if asleep {
                    visit(&mut sender, &desk, shard.thread());
                }
            }
            late.join().unwrap();
            assert_eq!(shard.join().unwrap(), [0, 1, 2]);
        },
        60_000,
    );
}

/// Exclusive publications of two shards stand in the same order in both mailboxes; a shared one beside them on the same side of
/// each in both.
#[test]
fn publications_stand_in_one_order() {
    shuttle::check_random(
        || {
            let mut ports = Exchange::<char>::ports(5);
            let [a, b, c] = ['a', 'b', 's'].map(|name| {
                let mut port = ports.pop().unwrap();
                thread::spawn(move || {
                    let (first, second) = if name == 'a' { (0, 1) } else { (1, 0) };
                    port.publish([(first, name), (second, name)].into_iter(), name != 's', |_| {});
                })
            });
            [a, b, c].into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(drained(&mut ports[0]), drained(&mut ports[1]));
        },
        4_000,
    );
}

/// Who leaves for another mailbox because no operation has come yet arrives there before any does.
#[test]
fn what_is_sent_between_operations_overtakes_none() {
    let leave_or_not = || {
        let mut ports = Exchange::<char>::ports(3);
        let (mut leaver, mut receiver, mut multi) = (ports.remove(0), ports.remove(0), ports.remove(0));
        let operation = thread::spawn(move || multi.publish([(1, 'm'), (0, 'm')].into_iter(), true, |_| {}));
        let mut mail = VecDeque::new();
        let leave = |mail: &VecDeque<char>| if mail.is_empty() { vec![(1, 'v')] } else { Vec::new() };
        leaver.send_between(&mut mail, leave, |_| {});
        operation.join().unwrap();
        let expected: &[char] = if mail.is_empty() { &['v', 'm'] } else { &['m'] };
        assert_eq!(drained(&mut receiver), expected);
    };
    shuttle::check_random(leave_or_not, 5_000);
}

/// Once a message counts, its turn's others are in their mailboxes.
#[test]
fn one_turns_messages_count_together() {
    shuttle::check_random(
        || {
            let mut ports = Exchange::<(usize, u64)>::ports(3);
            let mut sender = ports.pop().unwrap();
            let other = ports.pop().unwrap();
            let mut reader = ports.pop().unwrap();
            assert_eq!(reader.shards(), 3);
            let publisher = thread::spawn(move || {
                for _ in 0..2 {
                    let turn = sender.next_turn();
                    sender.publish([(0, (2, turn)), (1, (2, turn))].into_iter(), false, |_| {});
                }
            });
            for (from, turn) in drained(&mut reader) {
                reader.wait_armed(from, turn);
                assert!(other.has_mail());
            }
            publisher.join().unwrap();
        },
        4_000,
    );
}
