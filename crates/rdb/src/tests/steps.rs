//! Values written in steps.

use super::{content, some_value};
use crate::dump::{restore, seal};
use crate::encode::{Encoder, Options, Progress};
use crate::{Reader, Shapes, Type, append_len};
use base::hash::HashSeed;
use base::random::Random;
use keyspace::Value;
use std::ops::Range;
use std::sync::Arc;
use types::hash::{FieldTtl, HashLimits};
use types::showing::Showable;
use types::stream::{Group, Memory, StreamId, StreamLimits};
use types::{Array, Hash, Set, Stream};

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

/// What a snapshot writes of a value whose parts are shown: what it was, though by then it is another.
fn shown_as_it_was(value: &mut Value, options: &Options, mut change: impl FnMut(&mut Value)) -> Vec<u8> {
    fn showable(value: &mut Value) -> Showable<'_> {
        match value {
            Value::Stream(stream) => Showable::Stream(stream),
            Value::Array(array) => Showable::Array(array),
            _ => panic!("another type"),
        }
    }
    assert!(showable(value).begin());
    let mut encoder = Encoder::new(value.view(), options);
    let mut out = vec![encoder.kind().byte()];
    encoder.begin_elements(value.view(), &mut out);
    while showable(value).show_on(&mut |element| encoder.element(&mut out, element)) {
        change(value);
    }
    let rest = showable(value).take_rest();
    showable(value).end();
    change(value);
    match rest.map(Value::Stream) {
        None => encoder.end_elements(&mut out),
        Some(rest) => {
            encoder.begin_rest(&mut out);
            while encoder.step(rest.view(), &mut out, 10_000) == Progress::More {
                change(value);
            }
        }
    }
    seal(&mut out, encoder.kind().version());
    out
}

#[test]
fn what_changes_on_the_way_is_written_as_it_was() {
    let (seed, mut random) = (HashSeed::new(1, 2), Random::from_seed(3));
    let shapes = Shapes::with_defaults(&seed);
    let options = Options { version: 14, compress: true };
    // Few enough pending entries and messages of producers to be written with the blocks, and too many.
    for (read, messages) in [(500, 100), (15_000, 100), (500, 9000)] {
        let mut stream = stream_with_groups(20_000, read);
        add_messages(&mut stream, 0..messages);
        let mut value = Value::Stream(Box::new(stream));
        let before = content(&value);
        let payload = shown_as_it_was(&mut value, &options, |value| {
            let Value::Stream(stream) = value else { unreachable!() };
            for _ in 0..100 {
                let id = StreamId::new(1 + random.below(20_000), 0);
                stream.groups.forget(id);
                stream.delete(StreamId::new(1 + random.below(20_000), 0));
            }
            let mut room = 0..30;
            let consumer = stream.with_group(b"one", |_, group| group.consumer_of(b"consumer 1"));
            stream.read_on(b"one", consumer, 9, |_| room.next().is_some());
            stream.with_group(b"two", |_, group| _ = group.delete_consumer(b"consumer 0"));
            let first = 10_000 + random.below(80_000);
            add_messages(stream, first..first + 30);
        });
        let back = restore(&payload, &shapes).expect("own bytes");
        assert!(content(&back) == before, "{read} pending, {messages} messages");
        assert!(content(&value) != before);
    }
    let mut array = Array::new();
    (0..100_000).for_each(|index| _ = array.set(index * 3, format!("{index}").as_bytes()));
    array.set_cursor(Some(77));
    let mut value = Value::Array(Box::new(array));
    let before = content(&value);
    let payload = shown_as_it_was(&mut value, &options, |value| {
        let Value::Array(array) = value else { unreachable!() };
        (0..50).for_each(|_| _ = array.set(random.below(400_000), b"new"));
        array.remove_range(290_000 - random.below(9000), 300_000);
    });
    assert!(content(&restore(&payload, &shapes).expect("own bytes")) == before);
    assert!(content(&value) != before);
}

/// A hash without times is for everybody, also if it is kept as one that has them.
#[test]
fn a_hash_that_could_have_times_is_read_by_old_servers() {
    let (seed, limits) =
        (HashSeed::new(1, 2), HashLimits { max_listpack_entries: 8, max_listpack_value: 64 });
    let mut hash = Hash::new();
    hash.set(b"field", b"value", FieldTtl::Clear, 0, &limits, &seed);
    hash.expect_expires();
    let mut value = Value::Hash(Box::new(hash));
    for (version, kind) in [(10, Type::Hash), (12, Type::HashListpackEx)] {
        let (payload, _) = in_steps(&value, &Options { version, compress: true }, usize::MAX, usize::MAX);
        assert_eq!(payload[0], kind.byte());
        assert_eq!(content(&restore(&payload, &Shapes::with_defaults(&seed)).unwrap()), content(&value));
    }
    let Value::Hash(hash) = &mut value else { unreachable!() };
    hash.set_expire(b"field", Some(5), 0);
    let (payload, _) = in_steps(&value, &Options { version: 10, compress: true }, usize::MAX, usize::MAX);
    assert_eq!(payload[0], Type::HashListpackEx.byte());
}

/// Redis 5 has written lengths that are none, and every later Redis reads them.
#[test]
fn a_stream_of_another_length_than_it_says_is_read() {
    let stream = stream_with_groups(100, 0);
    let mut bytes = Vec::new();
    append_len(&mut bytes, stream.blocks() as u64);
    for block in stream.nodes() {
        crate::stream::append_block(&mut bytes, block, &mut Vec::new(), false);
    }
    // A length of 120, the last id, no groups.
    [120, 100, 0, 0].into_iter().for_each(|number| append_len(&mut bytes, number));
    let read = |bytes: &[u8]| crate::stream::read(Type::Stream, &mut Reader::new(bytes));
    let again = read(&bytes).expect("it is read");
    assert_eq!((again.len(), again.entries_added, again.first_id().ms), (100, 120, 1));
    let nothing: Vec<u8> = [0, 120, 100, 0, 0].into_iter().collect();
    assert!(read(&nothing).is_err());
}

/// `count` entries and two groups, of which consumers have so many each.
fn stream_with_groups(count: u64, read: usize) -> Stream {
    let mut stream = Stream::new();
    let limits = StreamLimits { block_bytes_max: 4096, block_entries_max: 100 };
    for ms in 1..=count {
        stream.append(StreamId::new(ms, 0), [&b"field"[..], b"value"].into_iter(), limits);
    }
    for name in [b"one", b"two"] {
        stream.groups.add(Group::new(name, StreamId::MIN, None));
        for n in 0..3 {
            let consumer = format!("consumer {n}");
            let consumer = stream.with_group(name, |_, group| group.add_consumer(consumer.as_bytes(), 5));
            let mut room = 0..read / 3;
            stream.read_on(name, consumer, 7, |_| room.next().is_some());
        }
    }
    stream
}

/// Messages of a hundred producers.
fn add_messages(stream: &mut Stream, numbers: Range<u64>) {
    let producers = stream.producers_mut(Memory { duration_s: 86_400, messages_max: 80 });
    for n in numbers {
        let (producer, message) = (format!("producer {}", n % 100), format!("message {n}"));
        producers.add(producer.as_bytes(), message.as_bytes(), StreamId::new(n + 1, 0), 0);
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
    add_messages(&mut stream, 0..9000);
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
