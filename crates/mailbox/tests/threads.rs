//! Queue and exchange between real threads. `schedules.rs` has the same protocols under a scheduler that can stop a thread anywhere.

use mailbox::Exchange;
use mailbox::queue::{Nodes, Queue};
use std::collections::VecDeque;
use std::sync::Arc;

/// Miri is some thousand times slower, and finds what it can find in few rounds.
const ROUNDS: u32 = if cfg!(miri) { 20 } else { 500 };

/// Every shard publishes exclusive pairs to two mailboxes; both must show them in the same order.
#[test]
fn exclusive_publications_have_one_order_everywhere() {
    let ports = Exchange::<(usize, u32)>::ports(3);
    let writers: Vec<_> = ports
        .into_iter()
        .enumerate()
        .map(|(id, mut port)| {
            std::thread::spawn(move || {
                for n in 0..ROUNDS {
                    let pair = [(0, (id, n)), (1, (id, n))];
                    port.publish(pair.into_iter(), true, |_| {});
                }
                port
            })
        })
        .collect();
    let mut ports: Vec<_> = writers.into_iter().map(|w| w.join().unwrap()).collect();
    let (mut first, mut second) = (VecDeque::new(), VecDeque::new());
    ports[0].drain(&mut first);
    ports[1].drain(&mut second);
    assert_eq!(first.len(), 3 * ROUNDS as usize);
    assert_eq!(first, second);
}

/// A shared publication to two mailboxes stands on the same side of an exclusive one in both.
#[test]
fn shared_publications_are_not_torn_by_exclusive_ones() {
    for _ in 0..ROUNDS {
        let mut ports = Exchange::<char>::ports(4);
        let (mut multi, mut plain) = (ports.pop().unwrap(), ports.pop().unwrap());
        let threads = [
            std::thread::spawn(move || multi.publish([(0, 'm'), (1, 'm')].into_iter(), true, |_| {})),
            std::thread::spawn(move || plain.publish([(1, 's'), (0, 's')].into_iter(), false, |_| {})),
        ];
        threads.into_iter().for_each(|t| t.join().unwrap());
        let (mut first, mut second) = (VecDeque::new(), VecDeque::new());
        ports[0].drain(&mut first);
        ports[1].drain(&mut second);
        assert_eq!(first, second);
    }
}

#[test]
fn a_sleeper_is_woken_once() {
    let mut ports = Exchange::<u8>::ports(2);
    assert!(ports[1].prepare_sleep());
    let mut asleep = Vec::new();
    ports[0].publish([(1, 1), (1, 2)].into_iter(), false, |to| asleep.push(to));
    assert_eq!(asleep, [1]);
    assert!(ports[0].rouse(1) && !ports[0].rouse(1));
    assert!(!ports[0].send(1, 3));
    assert!(!ports[1].prepare_sleep());
}

#[test]
fn order_of_each_producer_is_kept() {
    let queue = Arc::new(Queue::default());
    let producers: Vec<_> = (0..4u32)
        .map(|id| {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || {
                let mut nodes = Nodes::default();
                (0..2 * ROUNDS).for_each(|n| queue.push((id, n), &mut nodes));
            })
        })
        .collect();
    let (mut seen, mut nodes, mut next) = (VecDeque::new(), Nodes::default(), [0u32; 4]);
    let mut total = 0;
    while total < 8 * ROUNDS as usize {
        total += queue.drain(&mut seen, &mut nodes);
        for (id, n) in seen.drain(..) {
            assert_eq!(n, next[id as usize]);
            next[id as usize] += 1;
        }
    }
    producers.into_iter().for_each(|p| p.join().unwrap());
    assert!(queue.is_empty());
}

#[test]
fn what_is_left_is_dropped() {
    let queue = Queue::default();
    let value = Arc::new(());
    queue.push(Arc::clone(&value), &mut Nodes::default());
    drop(queue);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn what_messages_stood_in_is_used_again_and_holds_nothing() {
    let (queue, value) = (Queue::default(), Arc::new(()));
    let (mut out, mut nodes) = (VecDeque::new(), Nodes::default());
    for round in 1..4 {
        (0..200 * round).for_each(|_| queue.push(Arc::clone(&value), &mut nodes));
        assert_eq!(queue.drain(&mut out, &mut nodes), 200 * round);
        out.clear();
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
