//! Values through the format and back, and hostile bytes with a right check sum: whatever is accepted must be a value
//! on which every operation works.

mod steps;

use crate::dump::{open, payload, restore, seal};
use crate::encode::Options;
use crate::{Error, Shapes, Type, append_len, append_string};
use ::json::Document;
use ::json::edit::Change;
use base::hash::HashSeed;
use base::random::Random;
use keyspace::{Kind, Value, ValueRef};
use std::sync::Arc;
use types::array::INDEX_MAX;
use types::hash::FieldTtl;
use types::list::{End, ListLimit};
use types::listpack::Item;
use types::stream::{Group, Memory, References, StreamId, StreamLimits, Trim, TrimTo};
use types::vectorset::{Projection, Quant, Shape, Wanted};
use types::{Array, Hash, List, Set, Stream, Suggestions, VectorSet, ZSet};

/// All that a client can see of a value, sets and hashes in the order of their bytes.
pub(crate) fn content(value: &Value) -> Vec<(Vec<u8>, Vec<u8>)> {
    let text = |item: Item<'_>| item.to_vec();
    let mut content: Vec<_> = match value {
        Value::Str { bytes, .. } => vec![(bytes.to_vec(), Vec::new())],
        Value::List(list) => return list.range(0, list.len()).map(|item| (text(item), Vec::new())).collect(),
        Value::ZSet(zset) => {
            return zset.iter().map(|(member, score)| (text(member), score.to_le_bytes().to_vec())).collect();
        }
        Value::Stream(stream) => return stream_content(stream),
        Value::Json(json) => return vec![(format!("{json:?}").into(), Vec::new())],
        Value::Array(array) => {
            let mut content = vec![(format!("{:?}", array.cursor()).into(), Vec::new())];
            array.visit(0, INDEX_MAX, |index, element| {
                content.push((index.to_string().into(), element.to_vec()));
                true
            });
            return content;
        }
        Value::VectorSet(set) => return vector_content(set),
        Value::Suggestions(all) => {
            let all = (0..all.numbers_end()).filter_map(|number| all.suggestion(number));
            let rest = |it: &types::suggestions::Suggestion<'_>| format!("{} {:?}", it.score, it.payload);
            return all.map(|it| (it.text.to_vec(), rest(&it).into())).collect();
        }
        Value::Set(set) => set.iter().map(|member| (text(member), Vec::new())).collect(),
        Value::Hash(hash) => {
            let value =
                |entry: types::hash::Entry<'_>| [entry.value.to_vec(), format!(" {:?}", entry.expire).into()];
            hash.iter_all().map(|entry| (text(entry.field), value(entry).concat())).collect()
        }
    };
    content.sort();
    content
}

/// What is known of a set, then name, attributes and vector of each element.
fn vector_content(set: &VectorSet) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut content = vec![(format!("{:?}", set.shape()).into(), Vec::new())];
    content.extend(set.iter().map(|number| {
        let kept = set.kept(number).expect("an element");
        let rest = format!("{:?} {kept:?}", set.attributes(number));
        (set.name(number).expect("an element").to_vec(), rest.into())
    }));
    content
}

pub(crate) fn some_vectors(count: u64, random: &mut Random) -> VectorSet {
    let dimension = [1, 3, 70][random.index(3)];
    let quant = Quant::ALL[random.index(3)];
    let projection = if random.below(3) == 0 { Projection::new(dimension + 9, dimension) } else { None };
    let mut set = VectorSet::new(Shape { dimension, quant, m: 4 + random.index(20), projection });
    for _ in 0..count.min(100) {
        let numbers: Vec<f32> = (0..dimension).map(|_| random.unit_f64() as f32 - 0.5).collect();
        let vector = quant.vector(&numbers).expect("finite");
        let text = some_text(random);
        let attributes = if random.below(2) == 0 { &text[..] } else { b"" };
        set.add(&some_text(random), &vector, Some(attributes), 30).expect("room");
    }
    while set.len() > 1 && random.below(3) > 0 {
        let name = set.name(set.iter().next().expect("one")).expect("one").to_vec();
        assert!(set.remove(&name));
    }
    set
}

/// What is known of a stream, then id and words of each entry.
fn stream_content(stream: &Stream) -> Vec<(Vec<u8>, Vec<u8>)> {
    let all = (stream.last_id(), stream.first_id(), stream.max_deleted_id, stream.entries_added);
    let mut content = vec![(format!("{all:?}").into(), Vec::new())];
    let producers = stream.producers().into_iter().flat_map(|it| it.iter());
    for (producer, message, id) in producers.flat_map(|(name, all)| all.map(move |(m, id)| (name, m, id))) {
        content[0].1.extend_from_slice(&[producer, b" ", message, id.to_string().as_bytes()].concat());
    }
    for entry in stream.range(StreamId::MIN, StreamId::MAX) {
        let words = entry.fields.flat_map(|(field, value)| [field.to_vec(), value.to_vec()]);
        content.push((entry.id.to_string().into(), words.collect::<Vec<_>>().join(&0)));
    }
    for group in stream.groups.iter() {
        let pending: Vec<_> = group.pending().iter_from(StreamId::MIN).collect();
        let consumers: Vec<_> = group
            .consumers()
            .map(|(id, who)| {
                let own = group.pending().iter_of(Some(id), StreamId::MIN).count();
                assert_eq!(own, who.pending());
                (who.name().to_vec(), who.seen_ms, own)
            })
            .collect();
        let times = pending.iter().map(|(id, delivery)| (*id, delivery.at_ms(), delivery.count));
        let about = (group.last_id, group.entries_read, group.given_back());
        let text = format!("{about:?} {consumers:?} {:?}", times.collect::<Vec<_>>());
        content.push((group.name().to_vec(), text.into()));
    }
    content
}

fn add_groups(stream: &mut Stream, random: &mut Random) {
    for n in 0..random.below(3) {
        let name = format!("group{n}").into_bytes();
        let read = (random.below(2) == 0).then(|| random.below(9));
        stream.groups.add(Group::new(&name, StreamId::new(random.below(3), 0), read));
        for n in 0..random.below(4) {
            let now_ms = 1_700_000_000_000 + random.below(1000);
            let who = stream.with_group(&name, |_, group| group.add_consumer(&[b'a' + n as u8], now_ms));
            let mut room = 0..random.below(40);
            stream.read_on(&name, who, now_ms, |_| room.next().is_some());
        }
        stream.with_group(&name, |_, group| {
            let ids: Vec<_> = group.pending().iter_from(StreamId::MIN).map(|(id, _)| id).collect();
            for id in ids {
                match random.below(10) {
                    0 => group.give_back(id, random.next_u64()),
                    1..=4 => _ = group.acknowledge(id),
                    _ => {}
                }
            }
        });
    }
}

fn some_stream(count: u64, random: &mut Random) -> Stream {
    let (mut stream, bytes) = (Stream::new(), [200, 4096, 0][random.index(3)]);
    let limits = StreamLimits { block_bytes_max: bytes, block_entries_max: 100 };
    for _ in 0..count {
        let id = stream.last_id().next_at(stream.last_id().ms + random.below(2)).expect("far from the end");
        let words: Vec<_> = (0..2 * (1 + random.index(3))).map(|_| some_text(random)).collect();
        let words = if random.below(2) == 0 { vec![b"a".to_vec(), words[0].clone()] } else { words };
        stream.append(id, words.iter().map(Vec::as_slice), limits);
        if random.below(8) == 0 {
            stream.delete(StreamId::new(random.below(id.ms + 1), random.below(3)));
        }
    }
    if random.below(4) == 0 {
        let producers = stream.producers_mut(Memory { duration_s: 9, messages_max: 5 });
        for n in 0..random.below(20) {
            let (producer, message) = (some_text(random), some_text(random));
            producers.insert(&producer, &message, StreamId::new(n, n));
        }
        producers.added = random.next_u64();
    }
    if random.below(4) == 0 {
        stream.trim(Trim {
            to: TrimTo::Len(random.below(count)),
            approximate: false,
            limit: 0,
            references: References::Keep,
        });
    }
    add_groups(&mut stream, random);
    stream
}

/// Text of a kind that some encoding treats specially.
pub(crate) fn some_text(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0 => (random.below(300) as i64 - 150).to_string().into(),
        1 => (random.next_u64() as i64 >> random.below(64)).to_string().into(),
        2 => vec![b'a'; random.index(40)],
        3 => {
            let mut noise = vec![0; random.index(100)];
            random.fill(&mut noise);
            noise
        }
        4 if random.below(10) == 0 => vec![random.below(4) as u8; 9000],
        _ => format!("member:{}", random.below(1_000_000)).into(),
    }
}

fn some_suggestions(count: u64, random: &mut Random) -> Suggestions {
    let mut suggestions = Suggestions::new();
    for n in 0..count {
        let payload = (random.below(2) == 0).then(|| some_text(random));
        let text = [n.to_string().as_bytes(), &some_text(random)].concat();
        suggestions.add(&text, random.below(100) as f32 / 8.0, false, payload.as_deref());
    }
    suggestions.add(b"some", 1.0, true, None);
    suggestions
}

pub(crate) fn some_value(random: &mut Random, shapes: &Shapes<'_>) -> Value {
    let count = [1, 3, 20, 150, 600][random.index(5)];
    match random.below(11) {
        10 => Value::Suggestions(Box::new(some_suggestions(count, random))),
        8 => Value::VectorSet(Box::new(some_vectors(count, random))),
        0 => Value::string(&some_text(random)),
        7 => Value::Json(Box::new(some_document(count, random))),
        6 => Value::Stream(Box::new(some_stream(count, random))),
        1 => {
            let mut list = List::new(shapes.list);
            (0..count).for_each(|_| list.push(End::Tail, &some_text(random)));
            Value::List(Box::new(list))
        }
        2 => {
            let (ints, first) = (random.below(2) == 0, random.below(1 << 40).to_string());
            let mut set = Set::new(first.as_bytes(), 1, &shapes.set, shapes.seed);
            set.add(first.as_bytes(), &shapes.set, shapes.seed);
            for _ in 0..count {
                let member = some_text(random);
                if !ints || Item::new(&member).as_int().is_some() {
                    set.add(&member, &shapes.set, shapes.seed);
                }
            }
            Value::Set(Box::new(set))
        }
        3 | 4 => {
            let mut hash = Hash::new();
            let expiring = random.below(2) == 0;
            for _ in 0..count {
                let (field, value) = (some_text(random), some_text(random));
                hash.set(&field, &value, FieldTtl::Clear, 0, &shapes.hash, shapes.seed);
                if expiring && random.below(3) == 0 {
                    hash.set_expire(&field, Some(1 + random.below(1 << 48)), 0);
                }
            }
            Value::Hash(Box::new(hash))
        }
        5 => {
            let mut array = Array::new();
            let spread = [1, 3, 5000, u64::MAX / 1000][random.index(4)];
            for _ in 0..count {
                let number = format!("{}", random.below(1000) as f64 / 8.0).into_bytes();
                let text = if random.below(3) == 0 { number } else { some_text(random) };
                array.set(random.below(900) * spread, &text);
            }
            array.set_cursor([None, Some(random.below(INDEX_MAX)), Some(INDEX_MAX)][random.index(3)]);
            Value::Array(Box::new(array))
        }
        _ => {
            let mut zset = ZSet::new();
            for _ in 0..count {
                let scores = [0.0, 1.5, f64::INFINITY, f64::MIN, f64::from_bits(1), random.unit_f64()];
                zset.insert(&some_text(random), scores[random.index(6)], &shapes.zset, shapes.seed);
            }
            Value::ZSet(Box::new(zset))
        }
    }
}

#[test]
fn values_come_back_as_they_were() {
    let (mut random, seed) = (Random::from_seed(11), HashSeed::new(1, 2));
    let shapes = Shapes::with_defaults(&seed);
    let mut kinds = std::collections::BTreeSet::new();
    for round in 0..400 {
        let value = some_value(&mut random, &shapes);
        for version in [10, 11, 12] {
            let options = Options { version, compress: round % 2 == 0 };
            let payload = payload(value.view(), &options);
            kinds.insert((payload[0], payload[payload.len() - 10]));
            let back = restore(&payload, &shapes).unwrap_or_else(|e| panic!("round {round}: {e:?}"));
            assert_eq!(content(&back), content(&value), "round {round}");
            assert_eq!(back.view().encoding(), value.view().encoding(), "round {round}");
        }
    }
    let expected = [
        (0, 10),
        (2, 10),
        (4, 10),
        (5, 10),
        // A document.
        (7, 10),
        (11, 10),
        (16, 10),
        (17, 10),
        (18, 10),
        (19, 10),
        (20, 11),
        (21, 11),
        (24, 12),
        (25, 12),
        (26, 13),
        (27, 14),
        (28, 14),
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn groups_come_back_with_what_the_layout_knows() {
    let (mut stream, seed) = (Stream::new(), HashSeed::new(1, 2));
    let id = |ms| StreamId::new(ms, 0);
    (1..=4).for_each(|ms| {
        assert!(stream.append(id(ms), [&b"f"[..], b"v"].into_iter(), StreamLimits::default()))
    });
    stream.groups.add(Group::new(b"g", id(0), Some(0)));
    let who = stream.with_group(b"g", |_, group| {
        group.add_consumer(b"idle", 50);
        group.add_consumer(b"busy", 100)
    });
    assert_eq!(stream.read_on(b"g", who, 200, |_| true), 4);
    for (version, given_back) in [(10, &[][..]), (11, &[]), (11, &[4, 2])] {
        stream.with_group(b"g", |_, group| given_back.iter().for_each(|ms| group.give_back(id(*ms), 7)));
        let active_ms = if version == 10 { [Some(100), Some(50)] } else { [Some(200), None] };
        let oldest: Vec<_> =
            given_back.iter().copied().chain((1..=4).filter(|ms| !given_back.contains(ms))).collect();
        let options = Options { version, compress: true };
        let back = restore(&payload(ValueRef::Stream(&stream), &options), &Shapes::with_defaults(&seed));
        let Ok(Value::Stream(mut back)) = back else { panic!("a stream went in") };
        assert_eq!(stream_content(&back), stream_content(&stream));
        back.with_group(b"g", |_, group| {
            assert_eq!(group.consumers().map(|(_, who)| who.active_ms).collect::<Vec<_>>(), active_ms);
            assert_eq!(group.oldest(1000, 9), oldest.iter().map(|ms| id(*ms)).collect::<Vec<_>>());
        });
    }
}

#[test]
fn what_was_given_back_is_just_what_no_consumer_has() {
    let id = |ms| StreamId::new(ms, 0);
    let load = |ids: &[u64]| {
        let mut group = Group::new(b"g", id(9), None);
        (1..=3).for_each(|ms| assert!(group.load(id(ms), 0, 1)));
        let who = group.add_consumer(b"c", 5).expect("the first");
        assert!(group.load_owner(id(2), who));
        let ids: Vec<_> = ids.iter().map(|ms| id(*ms)).collect();
        let fits = group.load_given_back(&ids);
        group.loaded();
        assert!(!fits || group.given_back_in_order() == ids);
        fits
    };
    assert!(load(&[1, 3]) && load(&[3, 1]));
    for wrong in [&[][..], &[1], &[1, 1], &[1, 2], &[1, 4], &[1, 2, 3], &[3, 1, 3]] {
        assert!(!load(wrong), "{wrong:?}");
    }
}

/// A document of so many members, some of which have others inside.
pub(crate) fn some_document(count: u64, random: &mut Random) -> Document {
    let mut text = b"{".to_vec();
    for n in 0..count {
        let value = match random.below(6) {
            0 => format!("[{}1.5]", "0.25,".repeat(random.index(200))),
            1 => format!("{{\"a\":[null,true,{}],\"b\":{{}}}}", random.next_u64()),
            2 => format!("[{}\"é\"]", "1,[],".repeat(random.index(20))),
            3 => format!("{}", random.next_u64() as i64),
            4 => format!("{:?}", random.unit_f64()),
            _ => format!("\"{}\"", "x".repeat(random.index(100))),
        };
        text.extend_from_slice(format!("{}\"member {n}\":{value}", if n == 0 { "" } else { "," }).as_bytes());
    }
    text.push(b'}');
    Document::new(::json::parse(&text, None).expect("JSON"))
}

/// Does to an accepted value what commands may do.
fn exercise(value: Value, random: &mut Random, shapes: &Shapes<'_>) {
    let before = content(&value);
    let (text, other) = (some_text(random), some_text(random));
    let approximate = random.below(2) == 0;
    let mut dice = || random.next_u64();
    match value {
        Value::Str { .. } => {}
        Value::Stream(mut stream) => {
            assert_eq!(stream.len(), before.len() - 1 - stream.groups.len());
            assert_eq!(stream.range_rev(StreamId::MIN, StreamId::MAX).count(), stream.len());
            if let Some(id) = stream.last_id().next() {
                stream.append(id, [&text[..], &other].into_iter(), StreamLimits::default());
            }
            stream.trim(Trim { to: TrimTo::Len(2), approximate, limit: 0, references: References::Keep });
            let names: Vec<_> = stream.groups.iter().map(|group| group.name().to_vec()).collect();
            for name in names {
                let who = stream.with_group(&name, |_, group| group.add_consumer(b"another", 1));
                stream.read_on(&name, who, 7, |_| true);
                stream.with_group(&name, |_, group| {
                    let oldest = group.oldest(u64::MAX, 3);
                    assert!(oldest.into_iter().all(|id| group.acknowledge(id)));
                    who.into_iter().for_each(|_| _ = group.delete_consumer(b"another"));
                });
            }
            while let Some(last) = stream.last().map(|entry| entry.id) {
                assert!(stream.get(last).is_some() && stream.delete(last));
            }
            assert!(stream.is_empty());
        }
        Value::List(mut list) => {
            assert_eq!(list.len(), before.len());
            assert!(
                list.get(list.len() / 2).is_some_and(|item| !item.to_vec().is_empty() || item.is_empty())
            );
            list.insert(list.len() / 2, &text);
            list.set(0, &other);
            list.push(End::Head, &text);
            list.push(End::Tail, &other);
            while list.pop(End::Tail, |item| item.len()).is_some() {
                list.pop(End::Head, |item| item.len());
            }
        }
        Value::Set(mut set) => {
            assert_eq!(set.len(), before.len());
            assert!(before.iter().all(|(member, _)| set.contains(member)));
            set.add(&text, &shapes.set, shapes.seed);
            assert!(set.random(&mut dice).is_some());
            before.iter().for_each(|(member, _)| assert!(set.remove(member)));
            while set.pop(&mut dice, |_| ()).is_some() {}
        }
        Value::Hash(mut hash) => {
            assert_eq!(hash.len(), before.len());
            assert!(before.iter().all(|(field, _)| hash.contains(field, 0)));
            hash.set(&text, &other, FieldTtl::Keep, 0, &shapes.hash, shapes.seed);
            hash.set_expire(&text, Some(5), 0);
            hash.random(0, &mut dice);
            while hash.next_expire().is_some_and(|at_ms| at_ms <= 1 << 40) {
                hash.expire_fields(1 << 40, 100, |_| {});
            }
            before.iter().for_each(|(field, _)| _ = hash.remove(field, 0));
            assert!(hash.len() <= 1);
        }
        Value::ZSet(mut zset) => {
            assert_eq!(zset.len(), before.len());
            for (rank, (member, _)) in before.iter().enumerate() {
                assert_eq!(zset.rank(member).map(|(rank, _)| rank), Some(rank));
            }
            zset.insert(&text, 0.25, &shapes.zset, shapes.seed);
            zset.insert(&before[0].0, -1.0, &shapes.zset, shapes.seed);
            assert_eq!(zset.range_back(0..zset.len()).count(), zset.len());
            before.iter().for_each(|(member, _)| assert!(zset.remove(member).is_some()));
        }
        Value::Json(mut json) => {
            json.apply(&[], Change::Put((*b"new").into(), ::json::Node::null()));
            json.apply(&[], Change::Take(vec![0]));
            assert_eq!(json.bytes(), json.root().heap_bytes());
        }
        Value::VectorSet(mut set) => {
            assert_eq!(set.len() + 1, before.len());
            let numbers: Vec<f32> = (0..set.shape().dimension).map(|n| n as f32 - 1.5).collect();
            let vector = set.shape().quant.vector(&numbers).expect("finite");
            let wanted = Wanted { count: 10, ef: 20, exact: false, effort: None };
            assert!(!set.nearest(&vector, &wanted, &|_| true).is_empty());
            set.add(&text, &vector, Some(&other), 20).expect("room");
            assert!(set.iter().all(|number| set.links(number).is_some()));
            before[1..].iter().for_each(|(name, _)| assert!(set.remove(name)));
            assert!(set.len() <= 1);
        }
        Value::Suggestions(all) => exercise_suggestions(*all, &before, &text, &other),
        Value::Array(mut array) => {
            assert_eq!(array.len() as usize + 1, before.len());
            array.set(random.below(INDEX_MAX), &text);
            array.set(array.end() - 1, &other);
            let last = array.end() - 1;
            assert!(array.remove_range(0, last / 2) + array.remove_range(last / 2, last) > 0);
            assert!(array.is_empty());
        }
    }
}

fn exercise_suggestions(mut all: Suggestions, before: &[(Vec<u8>, Vec<u8>)], text: &[u8], payload: &[u8]) {
    assert_eq!(all.len(), before.len());
    assert_eq!(all.search(b"", true, usize::MAX).len(), before.len());
    all.add(text, 1.0, true, Some(payload));
    before.iter().for_each(|(text, _)| assert!(all.remove(text)));
    assert!(all.len() <= 1);
}

/// Changes a few bytes, or their number.
pub(crate) fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let (at, near) = (random.index(bytes.len()), random.below(7) as u8);
        match random.below(8) {
            0 => bytes[at] = random.next_u64() as u8,
            1 => bytes[at] = bytes[at].wrapping_add(1),
            2 => bytes[at] = bytes[at].wrapping_sub(near),
            3 => bytes[at] ^= 1 << near,
            4 => bytes[at] = [0, 0xFF, 0x7F, 0x80, 0xFE, 0xC3, 0x81][usize::from(near)],
            5 => drop(bytes.remove(at)),
            6 => bytes.insert(at, near),
            _ => bytes.truncate(at + 1),
        }
        if bytes.is_empty() {
            bytes.push(near);
        }
    }
}

/// Values in the types that are no longer written.
pub(crate) fn old_payloads() -> Vec<Vec<u8>> {
    let strings = |kind: Type, count: u64, texts: &[&str]| {
        let mut out = vec![kind.byte()];
        append_len(&mut out, count);
        texts.iter().for_each(|text| append_string(&mut out, text.as_bytes(), true));
        out
    };
    let blob = |kind: Type, raw: &[u8]| {
        let mut out = vec![kind.byte()];
        append_string(&mut out, raw, false);
        out
    };
    let ziplist = b"\x1c\0\0\0\x0e\0\0\0\x03\0\x00\xf3\x02\xf6\x02\x0bHello World\xff";
    let pairs = b"\x15\0\0\0\x12\0\0\0\x04\0\x00\x01a\x03\xf2\x02\x01b\x03\xf3\xff";
    let zipmap = b"\x02\x03foo\x03\x00bar\x05hello\x05\x02world??\xff";
    let triples = b"\x13\0\0\0\x03\0\x81f\x02\x81v\x02\xf1\xe8\x03\x03\xff".to_vec();
    let triples = [&(triples.len() as u32).to_le_bytes()[..], &triples[4..]].concat();
    let mut scores = strings(Type::ZSetText, 2, &["a"]);
    scores.extend_from_slice(b"\x031.5\x01b\xfe");
    let mut early = vec![Type::HashMetadataEarly.byte()];
    append_len(&mut early, 2);
    early.extend_from_slice(b"\x00\x01f\x01v\x43\xe8\x01g\x01w");
    vec![
        strings(Type::List, 4, &["a", "12", "a", "long long long long long long"]),
        scores,
        blob(Type::HashZipmap, zipmap),
        blob(Type::ListZiplist, ziplist),
        blob(Type::ZSetZiplist, pairs),
        blob(Type::HashZiplist, pairs),
        [&[Type::ListQuicklist.byte(), 1][..], &blob(Type::ListQuicklist, ziplist)[1..]].concat(),
        early,
        blob(Type::HashListpackExEarly, &triples),
    ]
}

#[test]
fn types_of_old_are_read() {
    let seed = HashSeed::new(1, 2);
    let shapes = Shapes::with_defaults(&seed);
    let contents: Vec<_> = old_payloads()
        .into_iter()
        .map(|mut old| {
            let kind = old[0];
            seal(&mut old, 6);
            let value = restore(&old, &shapes).unwrap_or_else(|e| panic!("type {kind}: {e:?}"));
            let is_scored = value.view().kind() == Kind::ZSet;
            let shown = |(name, value): &(Vec<u8>, Vec<u8>)| match &value[..] {
                [] => name.escape_ascii().to_string(),
                score if is_scored => {
                    format!("{}={}", name.escape_ascii(), f64::from_le_bytes(score.try_into().unwrap()))
                }
                value => format!("{}={}", name.escape_ascii(), value.escape_ascii()),
            };
            content(&value).iter().map(shown).collect::<Vec<_>>().join(",")
        })
        .collect();
    let expected = [
        "a,12,a,long long long long long long",
        "a=1.5,b=inf",
        "foo=bar None,hello=world None",
        "2,5,Hello World",
        "a=1,b=2",
        "a=1 None,b=2 None",
        "2,5,Hello World",
        "f=v None,g=w Some(1000)",
        "f=v Some(1000)",
    ];
    assert_eq!(contents, expected);
}

fn some_shapes<'a>(random: &mut Random, seed: &'a HashSeed) -> Shapes<'a> {
    let mut shapes = Shapes::with_defaults(seed);
    let mut entries = || [0, 1, 5, 128, 512, usize::MAX][random.index(6)];
    shapes.set.max_intset_entries = entries();
    shapes.set.max_listpack_entries = entries();
    shapes.hash.max_listpack_entries = entries();
    shapes.zset.max_listpack_entries = entries();
    let bytes = [0, 1, 64, usize::MAX][random.index(4)];
    shapes.set.max_listpack_value = bytes;
    shapes.hash.max_listpack_value = bytes;
    shapes.zset.max_listpack_value = bytes;
    shapes.list = ListLimit::new([-5, -2, -1, 0, 1, 7, i32::MAX][random.index(7)]);
    shapes
}

/// Damages payloads of all types, puts the check sum right and takes what comes.
fn survive(seed: u64, rounds: usize) -> (usize, usize) {
    let (mut random, hash_seed) = (Random::from_seed(seed), HashSeed::new(seed, 2));
    let shapes = Shapes::with_defaults(&hash_seed);
    let old = old_payloads();
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..rounds {
        let mut body = if random.below(3) == 0 {
            old[random.index(old.len())].clone()
        } else {
            let options = Options { version: 10 + random.below(3) as u16, compress: random.below(4) == 0 };
            let whole = payload(some_value(&mut random, &shapes).view(), &options);
            open(&whole).expect("just sealed").to_vec()
        };
        damage(&mut body, &mut random);
        seal(&mut body, 12);
        let shapes = some_shapes(&mut random, &hash_seed);
        let Ok(value) = restore(&body, &shapes) else {
            refused += 1;
            continue;
        };
        accepted += 1;
        let again = payload(value.view(), &Options::default());
        let back = restore(&again, &shapes).unwrap_or_else(|e| panic!("seed {seed} round {round}: {e:?}"));
        assert_eq!(content(&back), content(&value), "seed {seed} round {round}");
        exercise(value, &mut random, &shapes);
    }
    (accepted, refused)
}

#[test]
fn damaged_payloads_are_refused_or_work() {
    let rounds = std::env::var("RDB_DAMAGE_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000);
    let seed = std::env::var("RDB_DAMAGE_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let (accepted, refused) = survive(seed, rounds);
    assert!(accepted > rounds / 20 && refused > rounds / 20, "{accepted} accepted, {refused} refused");
}

#[test]
fn huge_announcements_allocate_nothing() {
    let seed = HashSeed::new(1, 2);
    let shapes = Shapes::with_defaults(&seed);
    for kind in Type::ALL {
        for count in [1 << 20, 1 << 32, u64::MAX / 2, u64::MAX] {
            let mut body = vec![kind.byte()];
            append_len(&mut body, count);
            let plain = body.clone();
            // Where a time stands in front, or a compressed string announces its length.
            let timed = [&[kind.byte()][..], &[0; 8], &body[1..]].concat();
            let packed = [&[kind.byte(), 0xC3, 1][..], &body[1..], &[0]].concat();
            let has_time = matches!(kind, Type::HashMetadata | Type::HashListpackEx);
            for mut body in [if has_time { timed } else { plain }, packed] {
                seal(&mut body, 12);
                assert!(restore(&body, &shapes).is_err(), "{kind:?} {count}");
            }
        }
    }
}

#[test]
fn twins_disorder_and_nothing_are_refused() {
    let seed = HashSeed::new(1, 2);
    let shapes = Shapes::with_defaults(&seed);
    let refused = |body: &[u8]| {
        let mut body = body.to_vec();
        seal(&mut body, 12);
        match restore(&body, &shapes) {
            Err(crate::dump::Refused::Value(error)) => error,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("{} was accepted", body.escape_ascii()),
        }
    };
    let twice = |what| Error::Corrupt(what);
    let packed = twice("packed encoding");
    assert_eq!(refused(b"\x02\x02\x01a\x01a"), twice("member of a set comes twice"));
    assert_eq!(refused(b"\x02\x03\xc0\x01\xc0\x02\x011"), twice("member of a set comes twice"));
    assert_eq!(refused(b"\x04\x02\x01a\x01b\x01a\x01c"), twice("field of a hash comes twice"));
    assert_eq!(refused(b"\x03\x02\x01a\xfe\x01a\xff"), twice("member of a sorted set comes twice"));
    assert_eq!(refused(b"\x03\x01\x01a\xfd"), twice("score is not a number"));
    assert_eq!(refused(b"\x05\x01\x01a\0\0\0\0\0\0\xf8\x7f"), twice("score is not a number"));
    assert_eq!(refused(b"\x0b\x0c\x02\0\0\0\x02\0\0\0\x02\0\x01\0"), packed);
    assert_eq!(refused(b"\x0b\x08\x02\0\0\0\0\0\0\0"), packed);
    assert_eq!(refused(b"\x14\x0d\x0d\0\0\0\x02\0\x81a\x02\x81a\x02\xff"), packed);
    assert_eq!(refused(b"\x10\x0d\x0d\0\0\0\x02\0\x81a\x02\x81a\x02\x00\xff"), packed);
    // b at 1 before a at 1; then a lone member.
    assert_eq!(refused(b"\x11\x11\x11\0\0\0\x04\0\x81b\x02\x01\x01\x81a\x02\x01\x01\xff"), packed);
    assert_eq!(refused(b"\x11\x0a\x0a\0\0\0\x01\0\x81b\x02\xff"), packed);
    for empty in [&b"\x01\x00"[..], b"\x02\x00", b"\x03\x00", b"\x04\x00", b"\x05\x00", b"\x12\x00"] {
        assert_eq!(refused(empty), Error::Empty);
    }
    for kind in [16, 17, 20] {
        assert_eq!(refused(&[&[kind, 7][..], b"\x07\0\0\0\0\0\xff"].concat()), Error::Empty);
    }
    assert_eq!(refused(b"\x12\x01\x02\x07\x07\0\0\0\0\0\xff"), Error::Empty);
    assert_eq!(refused(b"\x12\x01\x01\x00"), twice("node of a list"));
    assert_eq!(refused(b"\x12\x01\x03\x01a"), twice("node of a list"));
}

#[test]
fn a_long_string_is_restored_as_it_was() {
    let seed = HashSeed::new(1, 2);
    let value = Value::Str { bytes: Arc::new(vec![b'x'; 1 << 20]), raw: false };
    let packed = payload(value.view(), &Options::default());
    assert!(packed.len() < (1 << 20) / 50);
    assert_eq!(content(&restore(&packed, &Shapes::with_defaults(&seed)).ok().unwrap()), content(&value));
}
