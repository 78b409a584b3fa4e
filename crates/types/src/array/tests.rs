//! Array against an ordered map, with positions close together, far apart and at the end of what there is.

use super::*;
use crate::sample::rounds;
use base::random::Random;
use std::collections::BTreeMap;
use std::ops::Bound;

type Model = BTreeMap<u64, Vec<u8>>;

fn text(random: &mut Random) -> Vec<u8> {
    let number = random.below(1 << 20);
    match random.below(9) {
        0 | 1 => (number % 128).to_string().into_bytes(),
        2 => (number as i64 - (1 << 19)).to_string().into_bytes(),
        3 => format!("{number}.{}", number % 100).into_bytes(),
        4 => format!("value:{number}").into_bytes(),
        5 => vec![b'x'; random.index(600)],
        6 => Vec::new(),
        7 => format!("2026-11-21 10:{:02}:00", number % 60).into_bytes(),
        _ => i64::MAX.wrapping_sub(number as i64).to_string().into_bytes(),
    }
}

fn position(random: &mut Random) -> u64 {
    match random.below(12) {
        0..=3 => random.below(300),
        4..=6 => 40_000 + random.below(5000),
        7 => random.below(1 << 20) * 64,
        8 => random.below(200) * POSITIONS,
        9 => INDEX_MAX - random.below(5000),
        10 => random.below(INDEX_MAX),
        _ => 4000 + random.below(200),
    }
}

fn bounds(random: &mut Random) -> (u64, u64) {
    let first = position(random);
    let last = if random.below(3) == 0 { position(random) } else { first.saturating_add(random.below(400)) };
    (first.min(last), first.max(last).min(INDEX_MAX))
}

fn check(array: &Array, model: &Model, seed: u64) {
    array.directory.check();
    assert_eq!(array.len(), model.len() as u64, "seed {seed}");
    assert_eq!(array.end(), model.last_key_value().map_or(0, |(index, _)| index + 1), "seed {seed}");
    let pages: usize = array.directory.iter().map(|numbered| numbered.page.recount()).sum();
    assert_eq!(array.bytes(), pages + array.directory.own_bytes(), "seed {seed}");
    let (mut seen, mut expected) = (Vec::new(), model.iter());
    array.visit(0, INDEX_MAX, |index, element| {
        seen.push(index);
        expected.next().is_some_and(|(at, text)| (*at, text.clone()) == (index, element.to_vec()))
    });
    assert!(seen.iter().eq(model.keys()), "seed {seed}");
    let mut back = Vec::new();
    array.visit(INDEX_MAX, 0, |index, element| {
        assert_eq!(element.to_vec(), model[&index], "seed {seed}");
        back.push(index);
        true
    });
    assert!(back.iter().rev().eq(model.keys()), "seed {seed}");
}

fn run(seed: u64, steps: usize) {
    let mut random = Random::from_seed(seed);
    let (mut array, mut model) = (Array::new(), Model::new());
    for step in 0..steps {
        let (first, last) = bounds(&mut random);
        match random.below(20) {
            0..=11 => {
                let (index, text) = (position(&mut random), text(&mut random));
                assert_eq!(array.set(index, &text), model.insert(index, text).is_none(), "seed {seed}");
            }
            12..=14 => {
                let index = position(&mut random);
                assert_eq!(array.remove(index), model.remove(&index).is_some(), "seed {seed}");
            }
            15 if random.below(4) == 0 => {
                let before = model.len();
                model.retain(|index, _| !(first..=last).contains(index));
                assert_eq!(array.remove_range(first, last), (before - model.len()) as u64, "seed {seed}");
            }
            16 => {
                for index in first..=last.min(first + 300) {
                    let text = text(&mut random);
                    array.set(index, &text);
                    model.insert(index, text);
                }
            }
            17 => {
                let range = (Bound::Included(first), Bound::Included(last));
                assert_eq!(array.count_in(first, last), model.range(range).count() as u64, "seed {seed}");
                let mut expected = model.range(range).map(|(index, text)| (*index, text.clone()));
                let mut left = random.below(40);
                array.visit(first, last, |index, element| {
                    assert_eq!(expected.next(), Some((index, element.to_vec())), "seed {seed}");
                    left = left.saturating_sub(1);
                    left > 0
                });
                assert!(left == 0 || expected.next().is_none(), "seed {seed}");
            }
            18 => {
                let range = (Bound::Included(first), Bound::Included(last));
                let mut expected = model.range(range).rev().map(|(index, text)| (*index, text.clone()));
                array.visit(last, first, |index, element| {
                    assert_eq!(expected.next(), Some((index, element.to_vec())), "seed {seed}");
                    true
                });
                assert_eq!(expected.next(), None, "seed {seed}");
            }
            _ => {
                let index = position(&mut random);
                assert_eq!(array.get(index).map(Element::to_vec), model.get(&index).cloned(), "seed {seed}");
            }
        }
        if step % 100 == 0 {
            check(&array, &model, seed);
        }
    }
    check(&array, &model, seed);
    check(&array.clone(), &model, seed);
    for index in model.keys() {
        assert!(array.remove(*index), "seed {seed}");
    }
    check(&array, &Model::new(), seed);
    assert_eq!(array.directory.len(), 0);
}

#[test]
fn behaves_like_a_map() {
    for seed in 0..rounds(12) {
        run(seed, 1500);
    }
}

#[test]
fn large_elements_come_and_go_among_others() {
    let mut array = Array::new();
    let mut model = Model::new();
    for index in 0..500 {
        let text = vec![b'a' + (index % 26) as u8; if index % 3 == 0 { 2000 } else { 5 }];
        array.set(index * 7, &text);
        model.insert(index * 7, text);
    }
    check(&array, &model, 0);
    for index in (0..500).step_by(2) {
        array.set(index * 7, b"small");
        model.insert(index * 7, b"small".to_vec());
    }
    check(&array, &model, 0);
    assert_eq!(array.remove_range(100, 3000), model.range(100..=3000).count() as u64);
    model.retain(|index, _| !(100..=3000).contains(index));
    check(&array, &model, 0);
}

#[test]
fn many_pages_far_apart_cost_their_elements() {
    let mut array = Array::new();
    let step = 1 << 40;
    for number in (0..20_000u64).rev() {
        assert!(array.set(number * step, b"x"));
    }
    array.directory.check();
    assert!(array.bytes() < 20_000 * 128, "{}", array.bytes());
    assert_eq!(array.count_in(0, INDEX_MAX), 20_000);
    assert_eq!(array.remove_range(step, 19_998 * step), 19_998);
    assert_eq!((array.len(), array.pages().0), (2, 2));
    array.directory.check();
}

#[test]
fn elements_in_a_row_take_little_more_than_their_texts() {
    let bytes_each = |text: &dyn Fn(u64) -> String| {
        let mut array = Array::new();
        (0..100_000).for_each(|index| {
            array.set(index, text(index).as_bytes());
        });
        array.bytes() as f64 / 100_000.0
    };
    // Redis takes 8 bytes for a number or up to 7 bytes of text, and 8 and a block of the allocator for longer ones.
    for (text, most) in [
        (&(|index: u64| (index % 100).to_string()) as &dyn Fn(u64) -> String, 2.0),
        (&|index| index.to_string(), 4.5),
        (&|index| format!("{}.{:02}", index, index % 100), 6.5),
        (&|index| format!("user:{index:011}"), 21.0),
    ] {
        let each = bytes_each(text);
        assert!(each < most, "{}: {each}", text(12345));
    }
}

#[test]
fn what_goes_gives_its_memory_back() {
    let mut array = Array::new();
    (0..50_000).for_each(|index| {
        array.set(index, b"some text of this length");
    });
    let full = array.bytes();
    (0..50_000).filter(|index| index % 100 != 0).for_each(|index| {
        array.remove(index);
    });
    assert_eq!(array.len(), 500);
    assert!(array.bytes() * 10 < full, "{} of {full}", array.bytes());
}
