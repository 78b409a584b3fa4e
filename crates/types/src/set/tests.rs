//! Set against a set of the standard library, through all forms, and the conversions of Redis.

use super::*;
use base::random::Random;
use std::collections::BTreeSet;

fn seed() -> HashSeed {
    HashSeed::new(1, 2)
}

fn random_member(rng: &mut Random, spread: usize) -> Vec<u8> {
    let number = rng.index(spread);
    match number % 7 {
        0..=2 => number.to_string().into_bytes(),
        3 => format!("member:{number}").into_bytes(),
        4 => ((number as i64) << 40).to_string().into_bytes(),
        5 => format!("{number:0>60}").into_bytes(),
        _ => format!("{number:x>width$}", width = 240 + number % 30).into_bytes(),
    }
}

fn check(set: &Set, model: &BTreeSet<Vec<u8>>, seed: u64) {
    assert_eq!(set.len(), model.len(), "seed {seed}");
    let mut members: Vec<_> = set.iter().map(|item| item.to_vec()).collect();
    members.sort();
    assert!(members.iter().eq(model), "seed {seed}");
    let (mut scanned, mut cursor) = (BTreeSet::new(), 0);
    loop {
        cursor = set.scan(cursor, 10, |item| {
            scanned.insert(item.to_vec());
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(&scanned, model, "seed {seed}");
}

#[test]
fn behaves_like_a_set() {
    for number in 0..60 {
        let mut rng = Random::from_seed(number);
        let spread = [20, 300, 2000][number as usize % 3];
        let limits = SetLimits {
            max_intset_entries: rng.index(60),
            max_listpack_entries: rng.index(80),
            ..Default::default()
        };
        let (mut set, mut model) = (Set::new(b"1", 1, &limits, &seed()), BTreeSet::new());
        for step in 0..1200 {
            let mut member = random_member(&mut rng, spread);
            if step < 40 && number % 2 == 0 {
                member = rng.index(spread).to_string().into_bytes();
            }
            match rng.index(10) {
                0..=5 => {
                    assert_eq!(set.add(&member, &limits, &seed()), model.insert(member), "seed {number}")
                }
                6..=7 => assert_eq!(set.remove(&member), model.remove(&member), "seed {number}"),
                8 => assert_eq!(set.contains(&member), model.contains(&member), "seed {number}"),
                _ => {
                    let shown = set.random(&mut || rng.next_u64()).map(|item| item.to_vec());
                    assert_eq!(
                        shown.map(|member| model.contains(&member)),
                        (!model.is_empty()).then_some(true)
                    );
                    let any = (!model.is_empty()).then_some(true);
                    assert_eq!(
                        set.pop(&mut || rng.next_u64(), |member| member.to_vec())
                            .map(|member| model.remove(&member)),
                        any
                    );
                }
            }
        }
        check(&set, &model, number);
        let copy = set.clone();
        drop(set);
        check(&copy, &model, number);
    }
}

fn set_of(members: impl IntoIterator<Item = String>) -> Set {
    let (limits, mut set) = (SetLimits::default(), Set::new(b"1", 1, &SetLimits::default(), &seed()));
    for member in members {
        set.add(member.as_bytes(), &limits, &seed());
    }
    set
}

#[test]
fn encodings_change_as_in_redis() {
    let numbers = |count: usize| (0..count).map(|n| n.to_string());
    assert_eq!(set_of(numbers(512)).encoding(), "intset");
    assert_eq!(set_of(numbers(513)).encoding(), "hashtable");
    assert_eq!(set_of(numbers(127).chain(["x".into()])).encoding(), "listpack");
    assert_eq!(set_of(numbers(128).chain(["x".into()])).encoding(), "hashtable");
    assert_eq!(set_of(["1".into(), "x".repeat(64)]).encoding(), "listpack");
    assert_eq!(set_of(["1".into(), "x".repeat(65)]).encoding(), "hashtable");
    let words = |count: usize| ["x".to_string()].into_iter().chain(numbers(count));
    assert_eq!(set_of(words(127)).encoding(), "listpack");
    assert_eq!(set_of(words(128)).encoding(), "hashtable");
    let limits = SetLimits::default();
    assert_eq!(Set::new(b"x", 129, &limits, &seed()).encoding(), "hashtable");
    assert_eq!(Set::new(b"1", 512, &limits, &seed()).encoding(), "intset");
}

#[test]
fn files_are_checked() {
    let (limits, set) = (SetLimits::default(), set_of(["a".into(), "b".into(), "7".into()]));
    let Set::Listpack(listpack) = &set else { panic!("few and short") };
    let back =
        Set::from_listpack(listpack.as_bytes().to_vec(), &limits, &seed()).expect("own bytes are valid");
    assert!(back.contains(b"7") && back.len() == 3);
    let mut twice = listpack.clone();
    twice.append(Item::Str(b"a"));
    assert!(Set::from_listpack(twice.into_bytes(), &limits, &seed()).is_err());
    let small = SetLimits { max_listpack_entries: 2, max_intset_entries: 2, ..limits };
    let back = Set::from_listpack(listpack.as_bytes().to_vec(), &small, &seed()).unwrap();
    assert_eq!((back.encoding(), back.len()), ("hashtable", 3));
    let Set::Intset(intset) = set_of((0..3).map(|n| n.to_string())) else { panic!("integers") };
    let back = Set::from_intset(intset.as_bytes().to_vec(), &small, &seed()).unwrap();
    assert_eq!((back.encoding(), back.len()), ("hashtable", 3));
}

#[test]
fn a_large_set_is_small_in_memory() {
    let limits = SetLimits::default();
    let mut set = Set::new(b"x", 1_000_000, &limits, &seed());
    for number in 0..200_000 {
        set.add(format!("member:{number:09}").as_bytes(), &limits, &seed());
    }
    assert_eq!(set.len(), 200_000);
    assert!(set.bytes() / set.len() <= 30, "{} bytes each", set.bytes() / set.len());
}
