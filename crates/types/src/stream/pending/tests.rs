//! Against a plain ordered map.

use super::*;
use base::random::Random;
use std::collections::BTreeMap;

const CONSUMERS: u32 = 70;

struct Twins {
    pending: Pending,
    model: BTreeMap<StreamId, Delivery>,
    back: u64,
    now: u64,
}

impl Twins {
    fn new() -> Self {
        Self { pending: Pending::default(), model: BTreeMap::new(), back: 0, now: 1_700_000_000_000 }
    }

    fn set(&mut self, id: StreamId, delivery: Delivery) {
        assert_eq!(self.pending.set(id, delivery), self.model.insert(id, delivery));
    }

    fn remove(&mut self, id: StreamId) {
        assert_eq!(self.pending.remove(id), self.model.remove(&id));
    }

    fn delivery(&mut self, random: &mut Random) -> Delivery {
        let consumer = ConsumerId(random.index(CONSUMERS as usize) as u32);
        match random.index(60) {
            0 => {
                self.back += 1;
                Delivery { consumer: None, at: self.back, count: random.next_u64() >> 40 }
            }
            1 => Delivery::new(consumer, random.next_u64() % self.now, i64::MAX as u64),
            _ => Delivery::new(consumer, self.now - random.index(100) as u64, 1 + random.index(3) as u64),
        }
    }

    /// An ID among those in use, or near one.
    fn near(&self, random: &mut Random) -> StreamId {
        let from = StreamId::new(random.next_u64() % 4000, random.next_u64() % 4);
        let found = self.model.range(from..).next().map_or(from, |(id, _)| *id);
        if random.index(4) == 0 { from } else { found }
    }

    fn check(&mut self, random: &mut Random) {
        let all: Vec<_> = self.model.iter().map(|(id, delivery)| (*id, *delivery)).collect();
        assert_eq!(self.pending.iter_from(StreamId::MIN).collect::<Vec<_>>(), all);
        assert_eq!(self.pending.len(), all.len());
        assert_eq!(
            self.pending.ends(),
            all.first().map(|first| (first.0, all.last().expect("there is a first").0))
        );
        let from = self.near(random);
        let expected: Vec<_> = self.model.range(from..).map(|(id, delivery)| (*id, *delivery)).collect();
        assert_eq!(self.pending.iter_from(from).collect::<Vec<_>>(), expected);
        for consumer in [None, Some(ConsumerId(random.index(CONSUMERS as usize) as u32))] {
            let expected: Vec<_> =
                expected.iter().copied().filter(|(_, delivery)| delivery.consumer == consumer).collect();
            assert_eq!(self.pending.iter_of(consumer, from).collect::<Vec<_>>(), expected);
        }
        let (until, count) = (self.now - random.index(150) as u64, random.index(300));
        let idle = self.model.iter().filter(|(_, delivery)| delivery.at_ms() <= until);
        let mut idle: Vec<_> =
            idle.map(|(id, delivery)| (delivery.consumer.is_some(), delivery.at, *id)).collect();
        idle.sort_unstable();
        let idle: Vec<_> = idle.into_iter().take(count).map(|(_, _, id)| id).collect();
        assert_eq!(self.pending.oldest(until, count), idle);
        let oldest = self.model.values().map(Delivery::at_ms).min();
        assert_eq!(self.pending.oldest_ms().is_some(), oldest.is_some());
        assert!(self.pending.oldest_ms() <= oldest);
        let bytes: usize = self.pending.chunks.iter().map(Chunk::heap_bytes).sum();
        assert_eq!(self.pending.heap_bytes, bytes);
    }
}

#[test]
fn it_is_an_ordered_map() {
    for seed in 0..12 {
        let (mut random, mut twins) = (Random::from_seed(seed), Twins::new());
        println!("seed {seed}");
        let mut last = StreamId::new(10, 0);
        for step in 0..6000 {
            twins.now += 1;
            let delivery = twins.delivery(&mut random);
            match random.index(if step % 3000 < 1500 { 10 } else { 30 }) {
                0..4 => {
                    last = if random.index(3) == 0 { last.next() } else { last.next_at(last.ms + 1) }
                        .expect("far from the end");
                    twins.set(last, delivery);
                }
                4 => {
                    let id = twins.near(&mut random);
                    twins.set(id, delivery);
                }
                5 if random.index(300) == 0 => {
                    let consumer = ConsumerId(random.index(CONSUMERS as usize) as u32);
                    let before = twins.model.len();
                    twins.model.retain(|_, delivery| delivery.consumer != Some(consumer));
                    assert_eq!(twins.pending.remove_of(consumer), before - twins.model.len());
                }
                6 => {
                    if let Some((&id, _)) = twins.model.first_key_value() {
                        twins.remove(id);
                    }
                }
                _ => {
                    let id = twins.near(&mut random);
                    assert_eq!(twins.pending.get(id), twins.model.get(&id).copied());
                    twins.remove(id);
                }
            }
            if step % 50 == 0 {
                twins.check(&mut random);
            }
        }
        twins.check(&mut random);
    }
}

#[test]
fn a_million_take_some_twenty_bytes_each() {
    let mut pending = Pending::default();
    let id = |n: u64| StreamId::new(1_700_000_000_000 + n / 3, n % 3);
    for n in 0..1_000_000 {
        pending.set(id(n), Delivery::new(ConsumerId(0), 1_700_000_000_000 + n, 1));
    }
    assert!(pending.bytes() < 22_000_000, "{}", pending.bytes());
    // One of a hundred stays.
    for n in (0..1_000_000).filter(|n| n % 100 != 7) {
        assert!(pending.remove(id(n)).is_some());
    }
    assert_eq!(pending.len(), 10_000);
    assert!(pending.bytes() < 600_000, "{}", pending.bytes());
    assert_eq!(pending.ends(), Some((id(7), id(999_907))));
    let mut steps = 0;
    while pending.free_step() {
        steps += 1;
    }
    assert!(steps > 0 && pending.is_empty() && pending.heap_bytes == 0);
}

#[test]
fn all_that_goes_gives_all_back() {
    let mut pending = Pending::default();
    for n in 0..1000 {
        pending.set(StreamId::new(n, u64::MAX), Delivery::new(ConsumerId(1), n, u64::MAX));
    }
    assert_eq!(pending.get(StreamId::new(5, u64::MAX)), Some(Delivery::new(ConsumerId(1), 5, u64::MAX)));
    (0..1000).for_each(|n| assert!(pending.remove(StreamId::new(n, u64::MAX)).is_some()));
    assert_eq!((pending.len(), pending.bytes(), pending.ends()), (0, 0, None));
}
