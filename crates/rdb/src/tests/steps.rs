//! Values written in steps.

use super::{content, some_value};
use crate::dump::{restore, seal};
use crate::encode::{Encoder, Options, Progress};
use crate::{Shapes, Type};
use base::hash::HashSeed;
use base::random::Random;
use keyspace::Value;
use std::sync::Arc;
use types::stream::{Group, StreamId, StreamLimits};
use types::{Set, Stream};

/// The payload of a value, and how many steps it took; no step appends more than `most` bytes.
fn in_steps(value: &Value, options: &Options, budget: usize, most: usize) -> (Vec<u8>, usize) {
    let mut encoder = Encoder::new(value.view(), options);
    let (mut out, mut steps) = (vec![encoder.kind().byte()], 0);
    loop {
        let before = out.len();
        let progress = encoder.step(value.view(), &mut out, budget);
        steps += 1;
        assert!(out.len() - before <= most, "{} bytes in a step", out.len() - before);
        if progress == Progress::Done {
            seal(&mut out, encoder.kind().version());
            return (out, steps);
        }
        // The text of a large document is measured first.
        assert!(out.len() > before || matches!(value, Value::Json(_)), "a step does something");
    }
}

#[test]
fn a_value_in_steps_is_the_value() {
    let (mut random, seed) = (Random::from_seed(23), HashSeed::new(1, 2));
    let shapes = Shapes::with_defaults(&seed);
    for round in 0..300 {
        let value = some_value(&mut random, &shapes);
        let version = 10 + random.below(5) as u16;
        let options = Options { version, compress: random.below(2) == 0 };
        let (whole, once) = in_steps(&value, &options, usize::MAX, usize::MAX);
        assert_eq!(once, 1);
        for budget in [0, 1, 10, 300, 9000] {
            let (payload, steps) = in_steps(&value, &options, budget, usize::MAX);
            // Long strings are not compressed when they are divided.
            let is_json = matches!(value, Value::Json(_));
            assert!(budget < 9000 || is_json || payload == whole, "round {round}");
            let passes = if is_json { 2 } else { 1 };
            assert!(
                steps <= passes * (payload.len() / budget.max(1) + 1),
                "round {round}: {steps} steps of {budget}"
            );
            let back = restore(&payload, &shapes).unwrap_or_else(|e| panic!("round {round}: {e:?}"));
            assert_eq!(content(&back), content(&value), "round {round}");
        }
    }
}

#[test]
fn steps_are_bounded() {
    let seed = HashSeed::new(1, 2);
    let shapes = Shapes::with_defaults(&seed);
    let mut set = Set::new(b"member", 0, &shapes.set, shapes.seed);
    (0..100_000).for_each(|n| _ = set.add(format!("member {n}").as_bytes(), &shapes.set, shapes.seed));
    let mut stream = Stream::new();
    let limits = StreamLimits { block_bytes_max: 4096, block_entries_max: 100 };
    for ms in 1..=30_000 {
        stream.append(StreamId::new(ms, 0), [&b"field"[..], b"value"].into_iter(), limits);
    }
    for name in [b"one", b"two"] {
        stream.groups.add(Group::new(name, StreamId::MIN, None));
        let mut consumers = Vec::new();
        for n in 0..1000 {
            let consumer = format!("consumer {n}");
            consumers.push(stream.with_group(name, |_, group| group.add_consumer(consumer.as_bytes(), 5)));
        }
        for consumer in consumers.into_iter().step_by(50) {
            let mut room = 0..1000;
            stream.read_on(name, consumer, 7, |_| room.next().is_some());
        }
    }
    let noise = |len| Value::Str { bytes: Arc::new(vec![b'x'; len]), raw: false };
    let values = [Value::Set(Box::new(set)), Value::Stream(Box::new(stream)), noise(3 << 20)];
    for value in values {
        let options = Options { version: 12, compress: false };
        let (payload, steps) = in_steps(&value, &options, 10_000, 20_000);
        assert!(steps >= payload.len() / 20_000, "{steps}");
        let back = restore(&payload, &shapes).expect("own bytes");
        assert!(content(&back) == content(&value));
        assert_ne!(payload[0], Type::SetListpack.byte());
    }
}

#[test]
#[should_panic(expected = "does not change")]
fn a_value_that_shrinks_on_the_way_is_noticed() {
    let seed = HashSeed::new(1, 2);
    let shapes = Shapes::with_defaults(&seed);
    let mut set = Set::new(b"member", 0, &shapes.set, shapes.seed);
    (0..1000).for_each(|n| _ = set.add(format!("member {n}").as_bytes(), &shapes.set, shapes.seed));
    let mut value = Value::Set(Box::new(set));
    let (mut encoder, mut out) = (Encoder::new(value.view(), &Options::default()), Vec::new());
    assert_eq!(encoder.step(value.view(), &mut out, 100), Progress::More);
    let Value::Set(set) = &mut value else { unreachable!() };
    (0..1000).for_each(|n| _ = set.remove(format!("member {n}").as_bytes()));
    while encoder.step(value.view(), &mut out, 100) == Progress::More {}
}
