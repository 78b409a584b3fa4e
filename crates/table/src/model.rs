//! Tests of the whole table against a std HashMap, with all invariants checked along the way.

use crate::bucket::ones;
use crate::position::{bucket, next_segment, position, tag};
use crate::segment::BUCKETS;
use crate::size::class_bytes;
use crate::view::View;
use crate::{Keep, Layout, RECORD_BYTES_MAX, Table};
use base::hash::HashSeed;
use base::random::Random;
use std::collections::{HashMap, HashSet};

/// Length (2 bytes), length of the key (1), key, value. The meta is the least value byte seen, as an expiry
/// would be.
struct Plain;

const FRAME_BYTES: usize = 3;

impl Layout for Plain {
    type Meta = Option<u8>;

    fn record_len(record: &[u8]) -> usize {
        u16::from_le_bytes([record[0], record[1]]).into()
    }

    fn key(record: &[u8]) -> &[u8] {
        &record[FRAME_BYTES..FRAME_BYTES + usize::from(record[2])]
    }

    fn merged_meta(left: &Self::Meta, right: &Self::Meta) -> Self::Meta {
        left.iter().chain(right).min().copied()
    }
}

fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let len = (FRAME_BYTES + key.len() + value.len()) as u16;
    [&len.to_le_bytes()[..], &[key.len() as u8], key, value].concat()
}

fn table(seed: u64) -> Table<Plain> {
    Table::new(HashSeed::new(seed, 7))
}

fn put(table: &mut Table<Plain>, key: &[u8], value: &[u8]) {
    let (hash, new) = (table.hash(key), record(key, value));
    let pos = match table.find(hash, key) {
        None => table.insert(hash, new.len(), |bytes| bytes.copy_from_slice(&new)),
        Some(pos) => {
            let before = table.record(pos).to_vec();
            table.replace(pos, new.len(), |old, bytes| {
                assert_eq!(old, before);
                if bytes.len() <= old.len() {
                    assert_eq!(bytes, &old[..bytes.len()]);
                }
                bytes.copy_from_slice(&new);
            })
        }
    };
    assert_eq!(table.record(pos), new);
    let least = value.first().copied();
    let meta = table.meta_mut(pos);
    *meta = meta.iter().chain(&least).min().copied();
}

fn delete(table: &mut Table<Plain>, key: &[u8]) -> bool {
    let found = table.find(table.hash(key), key);
    found.inspect(|&pos| table.remove(pos)).is_some()
}

fn check_segment(table: &Table<Plain>, segment: View<'_, Option<u8>>, at: u64, depth: u32) -> usize {
    let header = segment.header();
    assert_eq!((header.prefix, u32::from(header.depth)), (at, depth));
    let (mut len, mut live) = (0, 0);
    let mut spans = Vec::new();
    for home in 0..BUCKETS {
        let line = segment.bucket(home);
        assert_eq!(u32::from(line.displaced), segment.bucket(home + 1).guests().count_ones());
        assert!(line.displaced == 0 || !line.has_room(), "displaced from a bucket with room");
        for (place, slots) in segment.at_home(home) {
            for slot in ones(slots) {
                let bytes = segment.record(place, slot);
                let hash = table.hash(Plain::key(bytes));
                assert_eq!(bucket(position(hash), depth), home);
                assert_eq!(segment.bucket(place).get(slot).0, tag(hash));
                assert!(
                    position(hash) >= at && next_segment(at, depth).is_none_or(|end| position(hash) < end)
                );
                assert!(bytes.len() <= usize::from(header.fill));
                len += 1;
                live += Plain::record_len(bytes);
                spans.push((bytes.len(), Plain::record_len(bytes)));
            }
        }
    }
    spans.sort_unstable();
    assert!(spans.windows(2).all(|pair| pair[1].0 - pair[1].1 >= pair[0].0), "records overlap");
    assert_eq!((len, live), (usize::from(header.len), header.live_bytes()));
    assert!(header.fill <= header.capacity);
    len
}

fn check(table: &Table<Plain>) {
    let (mut len, mut bytes, mut segments) = (0, 0, 0);
    let mut at = Some(0);
    while let Some(start) = at {
        let (first, depth) = table.directory.view(start);
        let mut next = Some(first);
        while let Some(segment) = next {
            len += check_segment(table, segment, start, depth);
            bytes += class_bytes(segment.header().class);
            next = segment.next();
        }
        segments += 1;
        at = next_segment(start, depth);
    }
    assert_eq!((len, segments), (table.len(), table.segments()));
    assert!(bytes < table.bytes() && table.bytes() <= bytes + 32 * segments.max(64));
    assert_eq!(table.iter().count(), len);
}

fn check_equal(table: &Table<Plain>, model: &HashMap<Vec<u8>, Vec<u8>>) {
    check(table);
    assert_eq!(table.len(), model.len());
    for (key, value) in model {
        let pos = table.find(table.hash(key), key).expect("in the model");
        assert_eq!(table.record(pos), record(key, value));
    }
    for bytes in table.iter() {
        assert_eq!(record(Plain::key(bytes), &model[Plain::key(bytes)]), bytes);
    }
}

/// Random work on a table and a model. `longest`: of values; `growth`: inserts in 100.
fn work(table: &mut Table<Plain>, random: &mut Random, steps: usize, keys: usize, longest: usize) {
    let mut model = HashMap::new();
    for bytes in table.iter() {
        model.insert(Plain::key(bytes).to_vec(), bytes[FRAME_BYTES + Plain::key(bytes).len()..].to_vec());
    }
    let mut growing = true;
    for step in 0..steps {
        if step % (steps / 6).max(1) == 0 {
            growing = random.index(2) == 0 || model.len() < keys / 4;
            check_equal(table, &model);
        }
        let key = format!("key:{}", random.index(keys)).into_bytes();
        match random.index(100) {
            0..=1 => {
                let bar = random.index(12) as u8;
                let cursor = random.next_u64();
                table.sweep(cursor, |bytes, _| {
                    let key = Plain::key(bytes);
                    let value = model[key].first().copied();
                    if value.is_none_or(|value| value >= bar) {
                        return Keep::Yes;
                    }
                    model.remove(key);
                    Keep::Remove
                });
            }
            2 => {
                let pos = table.random(&mut || random.next_u64());
                assert_eq!(pos.is_none(), model.is_empty());
                assert!(pos.is_none_or(|pos| model.contains_key(Plain::key(table.record(pos)))));
            }
            3 if random.index(60) == 0 => {
                let records = random.index(2 * keys);
                table.expect(records, records * random.index(longest + 20));
                check_equal(table, &model);
            }
            draw if draw < if growing { 75 } else { 25 } => {
                let value = vec![random.next_u64() as u8; random.index(longest + 1)];
                put(table, &key, &value);
                model.insert(key, value);
            }
            _ => assert_eq!(delete(table, &key), model.remove(&key).is_some()),
        }
    }
    check_equal(table, &model);
    let least = model.values().filter_map(|value| value.first()).min().copied();
    let mut cursor = 0;
    let mut metas = Vec::new();
    loop {
        metas.push(*table.meta_at(cursor));
        cursor = table.next_segment(cursor);
        if cursor == 0 {
            break;
        }
    }
    // A meta is never later than any of its records, whatever was split and merged.
    assert!(least.is_none() || metas.iter().flatten().min() <= least.as_ref());
}

#[test]
fn agrees_with_a_hash_map() {
    for seed in 1..=if cfg!(miri) { 1 } else { 6 } {
        println!("seed {seed}");
        let mut random = Random::from_seed(seed);
        let mut table = table(seed);
        let steps = if cfg!(miri) { 100 } else { 30_000 };
        for (keys, longest) in
            [(200, 900), (20_000, 40), (3_000, 300), (50, RECORD_BYTES_MAX - 20), (30_000, 5)]
        {
            work(&mut table, &mut random, steps, keys, longest);
        }
    }
}

#[test]
fn overflows_where_splits_cannot_help() {
    for (seed, depth_max) in [(1, 0), (2, 1), (3, 3)] {
        println!("seed {seed}");
        let mut random = Random::from_seed(seed);
        let mut table = table(seed);
        table.depth_max = depth_max;
        let steps = if cfg!(miri) { 100 } else { 20_000 };
        work(&mut table, &mut random, steps, 8_000, 30);
        work(&mut table, &mut random, steps, 2_000, 700);
        assert!(table.segments() <= 1 << depth_max);
        table.clear();
        check(&table);
    }
}

#[test]
fn a_scan_misses_nothing_while_the_table_grows_and_shrinks() {
    for seed in 1..=8 {
        println!("seed {seed}");
        let mut random = Random::from_seed(seed);
        let mut table = table(seed);
        let (stay, come) = if cfg!(miri) { (50, 300) } else { (1_000, 30_000) };
        (0..stay).for_each(|n| put(&mut table, format!("stay:{n}").as_bytes(), b"value"));
        let mut others = 0;
        for round in 0..6 {
            let mut seen = HashSet::new();
            let mut cursor = 0;
            loop {
                let before = cursor;
                cursor = table.scan(cursor, 1 + random.index(50), |bytes| {
                    seen.insert(Plain::key(bytes).to_vec());
                });
                assert!(cursor == 0 || cursor > before && cursor < 1 << 48);
                if cursor == 0 {
                    break;
                }
                let many = random.index(come / 20);
                for _ in 0..many {
                    if round % 2 == 0 && others < come {
                        put(&mut table, format!("other:{others}").as_bytes(), &[9; 30]);
                        others += 1;
                    } else if round % 2 == 1 && others > 0 {
                        others -= 1;
                        assert!(delete(&mut table, format!("other:{others}").as_bytes()));
                    }
                }
            }
            check(&table);
            assert!((0..stay).all(|n| seen.contains(format!("stay:{n}").as_bytes())), "round {round}");
        }
    }
}

#[test]
fn a_quiet_scan_visits_each_record_once_in_the_order_of_hashes() {
    let mut table = table(3);
    let many = if cfg!(miri) { 700 } else { 20_000 };
    (0..many).for_each(|n| put(&mut table, format!("{n}").as_bytes(), b"v"));
    let (mut cursor, mut seen, mut count) = (0, HashSet::new(), 0);
    loop {
        let next = table.scan(cursor, 10, |bytes| {
            let at = table.cursor_of(table.hash(Plain::key(bytes)));
            assert!(at >= cursor);
            seen.insert(Plain::key(bytes).to_vec());
            count += 1;
        });
        if next == 0 {
            break;
        }
        cursor = next;
    }
    assert_eq!((seen.len(), count), (many, many));
    let mut segments = 0;
    let mut visited = 0;
    cursor = 0;
    loop {
        cursor = table.visit_segment(cursor, |_| visited += 1);
        segments += 1;
        if cursor == 0 {
            break;
        }
    }
    assert_eq!((segments, visited), (table.segments(), many));
}

#[test]
fn a_table_that_knows_what_comes_takes_the_shape_it_would_grow_into() {
    let many = if cfg!(miri) { 1_000 } else { 60_000 };
    let (mut grown, mut told) = (table(12), table(12));
    for number in 0..many {
        if number == many / 50 {
            let bytes = told.iter().map(Plain::record_len).sum::<usize>();
            told.expect(many, bytes * 50);
            check(&told);
        }
        for table in [&mut grown, &mut told] {
            put(table, format!("{number}").as_bytes(), &[5; 40]);
        }
    }
    check(&told);
    let (grown, told) = (grown.bytes() as f64, told.bytes() as f64);
    assert!((told / grown - 1.0).abs() < 0.1 || cfg!(miri), "{grown} grown, {told} told");
}

#[test]
fn memory_goes_down_with_the_content() {
    for order in 0..3 {
        let mut table = table(11);
        let many = if cfg!(miri) { 1_000 } else { 50_000 };
        let mut keys: Vec<usize> = (0..many).collect();
        keys.iter().for_each(|n| put(&mut table, format!("{n}").as_bytes(), &[5; 40]));
        let full = table.bytes();
        match order {
            0 => (),
            1 => keys.reverse(),
            _ => keys.sort_by_key(|n| table.hash(format!("{n}").as_bytes())),
        }
        for (at, n) in keys.iter().enumerate() {
            if at % (many / 10) == 0 {
                check(&table);
                let left = many - at;
                assert!(
                    table.bytes() <= 2 * full * left / many + full / 10,
                    "{order}: {} for {left}",
                    table.bytes()
                );
            }
            assert!(delete(&mut table, format!("{n}").as_bytes()));
        }
        check(&table);
        assert!(table.bytes() <= 2 * 2560 && table.segments() == 1, "{order}: {}", table.bytes());
    }
}

#[test]
fn full_tables_are_compact() {
    let many: usize = if cfg!(miri) { 2_000 } else { 400_000 };
    for (value_bytes, bound) in [(2, 27.0), (39, 66.0)] {
        let mut table = table(5);
        for n in 0..many {
            // Key of 12 bytes: records of 17 and 54 bytes.
            put(&mut table, format!("{n:012}").as_bytes(), &vec![1; value_bytes]);
            if n >= 100_000 && n % 1_000 == 0 {
                let each = table.bytes() as f64 / (n + 1) as f64;
                assert!(each <= bound, "{each:.2} bytes each for {} records", n + 1);
            }
        }
        check(&table);
    }
}

#[test]
fn random_records_are_near_even() {
    let mut table = table(9);
    let many = if cfg!(miri) { 50 } else { 3_000 };
    (0..many).for_each(|n| put(&mut table, &[(n % 256) as u8, (n / 256) as u8], b""));
    let mut random = Random::from_seed(4);
    let mut counts = HashMap::new();
    for _ in 0..many * 200 {
        let pos = table.random(&mut || random.next_u64()).expect("not empty");
        *counts.entry(Plain::key(table.record(pos)).to_vec()).or_insert(0u32) += 1;
    }
    let near_even = |counts: &HashMap<Vec<u8>, u32>| counts.values().all(|count| (100..320).contains(count));
    assert!(counts.len() == many && near_even(&counts));
    counts.clear();
    for _ in 0..many * 200 / 20 {
        let mut drawn = [None; 20];
        assert!(table.random_many(&mut drawn, &mut || random.next_u64()));
        for pos in drawn {
            let key = Plain::key(table.record(pos.expect("all are drawn"))).to_vec();
            *counts.entry(key).or_insert(0) += 1;
        }
    }
    assert!(counts.len() == many && near_even(&counts));
    table.clear();
    assert!(!table.random_many(&mut [None], &mut || random.next_u64()));
}

#[test]
#[should_panic(expected = "a Pos from before")]
fn a_stale_pos_panics() {
    let mut table = table(1);
    put(&mut table, b"a", b"1");
    let pos = table.find(table.hash(b"a"), b"a").expect("just put");
    table.remove(pos);
    table.record(pos);
}

/// Records are changed, added and removed, so that segments split, merge and overflow, while a walk goes on: it sees what there was
/// when it began, each record once.
#[test]
fn a_walk_sees_what_there_was_when_it_began() {
    let (rounds, most) = if cfg!(miri) { (2, 300) } else { (24, 12_000) };
    for round in 0..rounds {
        let (mut table, mut random) = (table(round), Random::from_seed(round));
        if round % 3 == 0 {
            table.depth_max = 2;
        }
        let keys = 1 + random.index(most);
        let key = |n: usize| n.to_string().into_bytes();
        for walk in 0..3 {
            for n in 0..keys {
                match random.index(3) {
                    0 => put(&mut table, &key(n), &[walk, n as u8]),
                    1 => drop(delete(&mut table, &key(n))),
                    _ => {}
                }
            }
            let before: Vec<Vec<u8>> = table.iter().map(<[u8]>::to_vec).collect();
            let mut seen: Vec<Vec<u8>> = Vec::new();
            table.begin_walk();
            let mut cursor = 0;
            // Few keys are left, or many come: what has been visited ahead is merged and split.
            let grows = random.index(2) == 0;
            loop {
                for _ in 0..random.index(keys / 8 + 2) {
                    let n = random.index(2 * keys);
                    let hash = table.hash(&key(n));
                    table.visit_home(hash, |record| seen.push(record.to_vec()));
                    match grows == (random.index(8) > 0) {
                        true => put(&mut table, &key(n), &[100 + walk; 40]),
                        false => drop(delete(&mut table, &key(n))),
                    }
                }
                cursor = table.visit_rest(cursor, |record| seen.push(record.to_vec()));
                if cursor == 0 || random.index(most) == 0 {
                    break;
                }
            }
            if cursor == 0 {
                let mut before = before;
                before.sort();
                seen.sort();
                assert!(seen == before, "round {round}, walk {walk}: {} of {}", seen.len(), before.len());
            }
            table.end_walk();
            check(&table);
        }
    }
}
