//! Streams against a map of the standard library.

use super::*;
use crate::sample::rounds;
use base::random::Random;
use std::collections::BTreeMap;

type Words = Vec<Vec<u8>>;
type Model = BTreeMap<StreamId, Words>;

fn words_of(entry: Entry<'_>) -> (StreamId, Words) {
    (entry.id, entry.fields.flat_map(|(field, value)| [field.to_vec(), value.to_vec()]).collect())
}

fn check(stream: &Stream, model: &Model, from: StreamId, to: StreamId, seed: u64) {
    assert_eq!(stream.len(), model.len(), "seed {seed}");
    assert_eq!(stream.first_id(), model.keys().next().copied().unwrap_or_default(), "seed {seed}");
    let expected: Vec<_> = model.iter().filter(|(id, _)| **id >= from && **id <= to).collect();
    let ours: Vec<_> = stream.range(from, to).map(words_of).collect();
    assert!(ours.iter().map(|(id, words)| (id, words)).eq(expected.iter().copied()), "seed {seed}");
    let ours: Vec<_> = stream.range_rev(from, to).map(words_of).collect();
    assert!(ours.iter().map(|(id, words)| (id, words)).eq(expected.iter().rev().copied()), "seed {seed}");
    let bytes: usize = stream.log.iter().map(Block::bytes).sum();
    assert!(stream.bytes() >= bytes, "seed {seed}");
    assert_eq!(stream.log.iter().map(Block::live).sum::<usize>(), model.len(), "seed {seed}");
    assert_eq!(stream.log.iter().count(), stream.blocks(), "seed {seed}");
}

fn random_limits(random: &mut Random) -> StreamLimits {
    StreamLimits {
        block_bytes_max: [0, 50, 400, 4096][random.index(4)],
        block_entries_max: [0, 1, 7, 100][random.index(4)],
    }
}

fn random_words(random: &mut Random) -> Words {
    let names: &[&str] = [&["a", "b", "c"][..], &["1", "b"], &["x"]][random.index(3)];
    let mut words = Vec::new();
    for name in names {
        words.push(name.as_bytes().to_vec());
        words.push(match random.index(4) {
            0 => random.next_u64().to_string().into_bytes(),
            1 => vec![b'v'; random.index(100)],
            2 if random.index(10) == 0 => vec![b'V'; random.index(6000)],
            _ => random.index(300).to_string().into_bytes(),
        });
    }
    words
}

fn random_id(random: &mut Random, last: StreamId) -> StreamId {
    StreamId::new(random.below(last.ms + 2), random.below(4))
}

fn step(stream: &mut Stream, model: &mut Model, random: &mut Random, limits: StreamLimits, seed: u64) {
    match random.index(20) {
        0 | 1 => {
            let id = random_id(random, stream.last_id());
            assert_eq!(stream.delete(id), model.remove(&id).is_some(), "seed {seed}");
        }
        2 if random.index(6) == 0 => {
            let max = random.below(model.len() as u64 + 5);
            let removed = stream.trim(Trim {
                to: TrimTo::Len(max),
                approximate: false,
                limit: 0,
                references: References::Keep,
            });
            let expected = (model.len() as u64).saturating_sub(max);
            assert_eq!(removed, expected, "seed {seed}");
            (0..expected).for_each(|_| drop(model.pop_first()));
        }
        3 if random.index(6) == 0 => {
            let min = random_id(random, stream.last_id());
            let removed = stream.trim(Trim {
                to: TrimTo::Id(min),
                approximate: false,
                limit: 0,
                references: References::Keep,
            });
            let left = model.split_off(&min);
            assert_eq!(removed as usize, model.len(), "seed {seed}");
            *model = left;
        }
        4 if random.index(3) == 0 => {
            let before = model.len() as u64;
            let (max, limit) = (before - random.below(before / 4 + 1), random.below(60));
            let removed = stream.trim(Trim {
                to: TrimTo::Len(max),
                approximate: true,
                limit,
                references: References::Keep,
            });
            assert!(before - removed >= max && (limit == 0 || removed <= limit), "seed {seed}");
            (0..removed).for_each(|_| drop(model.pop_first()));
        }
        5 if random.index(6) == 0 => {
            let id = random_id(random, stream.last_id());
            let fits = model.keys().next_back().is_none_or(|last| *last <= id);
            assert_eq!(stream.set_last_id(id), fits, "seed {seed}");
        }
        _ => {
            let (now_ms, words) = (stream.last_id().ms + random.below(2), random_words(random));
            let id = stream.last_id().next_at(now_ms).expect("far from the end");
            assert!(stream.append(id, words.iter().map(Vec::as_slice), limits));
            model.insert(id, words);
        }
    }
}

#[test]
fn streams_do_what_a_map_does() {
    for seed in 0..rounds(60) {
        let mut random = Random::from_seed(seed);
        let (mut stream, mut model, limits) = (Stream::new(), Model::new(), random_limits(&mut random));
        for _ in 0..random.index(1500) {
            step(&mut stream, &mut model, &mut random, limits, seed);
            if random.index(20) == 0 {
                let (from, to) =
                    (random_id(&mut random, stream.last_id()), random_id(&mut random, stream.last_id()));
                check(&stream, &model, from, to, seed);
                let id = random_id(&mut random, stream.last_id());
                assert_eq!(
                    stream.get(id).map(words_of),
                    model.get_key_value(&id).map(|(i, w)| (*i, w.clone()))
                );
            }
        }
        check(&stream, &model, StreamId::MIN, StreamId::MAX, seed);
        assert_eq!(stream.last().map(|entry| entry.id), model.keys().next_back().copied());
        check(&stream.clone(), &model, StreamId::MIN, StreamId::MAX, seed);
    }
}

#[test]
fn a_block_survives_as_a_listpack() {
    for seed in 0..30 {
        let mut random = Random::from_seed(seed);
        let (mut stream, mut model) = (Stream::new(), Model::new());
        for _ in 0..random.index(400) {
            step(&mut stream, &mut model, &mut random, StreamLimits::default(), seed);
        }
        let mut loaded = Stream::new();
        for node in stream.nodes() {
            let mut bytes = Vec::new();
            node.append_listpack(&mut bytes);
            assert_eq!(bytes.len(), node.listpack_bytes());
            loaded.push_node(node.master(), bytes.clone()).expect("it is sound");
            assert_eq!(loaded.push_node(node.master(), bytes), Err(crate::listpack::Corrupt));
        }
        check(&loaded, &model, StreamId::MIN, StreamId::MAX, seed);
        for block in stream.log.iter() {
            let mut bytes = Vec::new();
            block.append_listpack(&mut bytes);
            assert_eq!(bytes.len(), block.listpack_bytes());
            let again = Block::from_listpack(block.master, bytes.clone()).expect("it is sound");
            let mut once_more = Vec::new();
            again.append_listpack(&mut once_more);
            assert_eq!(bytes, once_more, "seed {seed}");
            assert_eq!((again.live(), again.deleted()), (block.live(), block.deleted()));
            for _ in 0..50 {
                let mut damaged = bytes.clone();
                let at = random.index(damaged.len());
                damaged[at] = random.next_u64() as u8;
                if let Ok(block) = Block::from_listpack(block.master, damaged) {
                    let mut at = block.begin();
                    while at < block.end() {
                        let head = block.head(at);
                        assert_eq!(Fields::of(&block, &head).count(), head.pairs);
                        at = block.after(at, &head);
                    }
                    while let Some(before) = block.before(at) {
                        at = before;
                    }
                    assert_eq!(at, block.begin());
                }
            }
        }
    }
}

#[test]
fn what_was_added_since_a_mark_can_be_taken_back() {
    for seed in 0..rounds(30) {
        let mut random = Random::from_seed(seed);
        let (mut stream, mut model, limits) = (Stream::new(), Model::new(), random_limits(&mut random));
        for _ in 0..6 {
            for _ in 0..random.index(300) {
                step(&mut stream, &mut model, &mut random, limits, seed);
            }
            let (mark, before, bytes) = (stream.mark(), format!("{stream:?}"), stream.bytes());
            let trim = Trim {
                to: match random.index(2) {
                    0 => TrimTo::Len((model.len() as u64 + 3).saturating_sub(random.below(130))),
                    _ => TrimTo::Id(random_id(&mut random, stream.last_id())),
                },
                approximate: random.index(2) == 0,
                limit: 0,
                references: References::Keep,
            };
            let count = [3, 40, 400][random.index(3)];
            for _ in 0..random.index(count) {
                let (outlasts, words) = (stream.outlasts(trim), random_words(&mut random));
                let id = stream.last_id().next_at(stream.last_id().ms).expect("far from the end");
                assert!(stream.append(id, words.iter().map(Vec::as_slice), limits));
                if outlasts {
                    assert_eq!(stream.trim(trim), 0, "seed {seed}: {trim:?}");
                }
            }
            stream.cut_back(mark);
            assert_eq!(format!("{stream:?}"), before, "seed {seed}");
            assert_eq!(stream.bytes(), bytes, "seed {seed}");
            check(&stream, &model, StreamId::MIN, StreamId::MAX, seed);
        }
    }
}

/// Trims that take something, as long as what they take is kept, and of the blocks that were complete.
#[test]
fn what_was_trimmed_since_a_mark_can_be_put_back() {
    let (mut kept, mut refused) = (0, 0);
    for seed in 0..rounds(60) {
        let mut random = Random::from_seed(seed);
        let (mut stream, mut model, limits) = (Stream::new(), Model::new(), random_limits(&mut random));
        for _ in 0..6 {
            for _ in 0..random.index(300) {
                step(&mut stream, &mut model, &mut random, limits, seed);
            }
            let blocks =
                |stream: &Stream| stream.log.iter().map(|block| format!("{block:?}")).collect::<Vec<_>>();
            let (mark, before) = (stream.mark(), blocks(&stream));
            let all = |stream: &Stream| (stream.len, stream.first_id, stream.last_id, stream.entries_added);
            let (numbers, mut front) = (all(&stream), StreamFront::default());
            for _ in 0..random.index(60) {
                let trim = Trim {
                    to: match random.index(2) {
                        0 => TrimTo::Len((stream.len() as u64 + 2).saturating_sub(random.below(9))),
                        _ => TrimTo::Id(random_id(&mut random, stream.last_id())),
                    },
                    approximate: random.index(2) == 0,
                    limit: random.below(3) * 10,
                    references: References::Keep,
                };
                let words = random_words(&mut random);
                if !stream.keep_front(trim, &mark, &mut front, 1 << 20) {
                    refused += 1;
                    continue;
                }
                if random.index(4) > 0 {
                    let id = stream.last_id().next_at(stream.last_id().ms).expect("far from the end");
                    assert!(stream.append(id, words.iter().map(Vec::as_slice), limits));
                }
                kept += u64::from(stream.trim(trim) > 0);
            }
            stream.put_front(front);
            stream.cut_back(mark);
            assert_eq!(blocks(&stream), before, "seed {seed}");
            assert_eq!(all(&stream), numbers, "seed {seed}");
            check(&stream, &model, StreamId::MIN, StreamId::MAX, seed);
        }
    }
    println!("{kept} trims put back, {refused} refused");
    assert!(kept > 500 && refused > 100, "{kept} {refused}");
}
