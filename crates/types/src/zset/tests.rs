//! Both encodings behind one set, against each other and against a list kept in order.

use super::*;
use base::random::Random;

const LIMITS: ZSetLimits = ZSetLimits { max_listpack_entries: 40, max_listpack_value: 64 };

fn seed() -> HashSeed {
    HashSeed::new(5, 6)
}

type Elements = Vec<(Vec<u8>, f64)>;

fn owned<'a>(walk: impl Iterator<Item = (Item<'a>, f64)>) -> Elements {
    walk.map(|(member, score)| (member.to_vec(), score)).collect()
}

fn sort(list: &mut Elements) {
    list.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap().then_with(|| a.0.cmp(&b.0)));
}

fn draw_score(random: &mut Random) -> f64 {
    [
        0.1,
        -3.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e300,
        5e-324,
        4503599627370497.5,
        1e17,
        -0.0,
        2.5,
        7.0,
        1e16,
    ][random.index(12)]
}

fn draw_member(random: &mut Random) -> Vec<u8> {
    match random.index(3) {
        0 => format!("{}", random.index(40) as i64 - 20).into_bytes(),
        1 => format!("m{}", random.index(20)).into_bytes(),
        _ => vec![b'x'; random.index(10)],
    }
}

fn compare(set: &ZSet, list: &Elements, random: &mut Random) {
    assert_eq!(set.len(), list.len());
    assert_eq!(owned(set.iter()), *list);
    for (rank, (member, score)) in list.iter().enumerate() {
        assert_eq!(set.rank(member), Some((rank, *score)));
        assert_eq!(set.rank_back(member), Some((list.len() - 1 - rank, *score)));
        assert_eq!(set.score(member), Some(*score));
    }
    assert_eq!(owned(set.first().into_iter()), list.first().cloned().into_iter().collect::<Vec<_>>());
    assert_eq!(owned(set.last().into_iter()), list.last().cloned().into_iter().collect::<Vec<_>>());
    assert_eq!(set.random(u64::MAX).is_none(), list.is_empty());
    for huge in [usize::MAX, usize::MAX / 2 + 2] {
        assert!(set.get(huge).is_none() && set.range(huge..usize::MAX).next().is_none());
        assert!(set.range_back(huge..usize::MAX).next().is_none());
        assert_eq!(owned(set.range(0..huge)), *list);
    }
    let (start, end) = (random.index(list.len() + 2), random.index(list.len() + 3));
    let inside = &list[start.min(list.len())..end.clamp(start.min(list.len()), list.len())];
    assert_eq!(owned(set.range(start..end)), inside);
    assert_eq!(owned(set.range_back(start..end)), inside.iter().rev().cloned().collect::<Vec<_>>());
    let bound = |random: &mut Random| match random.index(2) {
        0 => ScoreBound::Inclusive(draw_score(random)),
        _ => ScoreBound::Exclusive(draw_score(random)),
    };
    let range = ScoreRange { min: bound(random), max: bound(random) };
    let inside: Elements = list.iter().filter(|(_, score)| range.contains(*score)).cloned().collect();
    assert_eq!(owned(set.range(set.score_ranks(&range))), inside, "{range:?}");
    let mut scanned = Vec::new();
    let mut cursor = 0;
    loop {
        cursor = set.scan(cursor, 7, |member, score| scanned.push((member.to_vec(), score)));
        if cursor == 0 {
            break;
        }
    }
    sort(&mut scanned);
    assert_eq!(scanned, *list);
}

#[test]
fn a_listpack_and_a_tree_behave_alike() {
    for number in 0..20 {
        println!("seed {number}");
        let mut random = Random::from_seed(number);
        let large = ZSetLimits { max_listpack_entries: 1000, max_listpack_value: 64 };
        let none = ZSetLimits { max_listpack_entries: 0, max_listpack_value: 0 };
        let mut list: Elements = Vec::new();
        let mut sets = [(ZSet::new(), large), (ZSet::new(), none), (ZSet::new(), LIMITS)];
        for _ in 0..400 {
            let (member, score) = (draw_member(&mut random), draw_score(&mut random));
            let old = list.iter().position(|(other, _)| *other == member);
            let remove = random.index(4) == 0;
            let expected = match old {
                Some(at) if remove => Some(list.remove(at).1),
                Some(at) => Some(std::mem::replace(&mut list[at].1, score)),
                None if remove => None,
                None => {
                    list.push((member.clone(), score));
                    None
                }
            };
            sort(&mut list);
            for (set, limits) in &mut sets {
                let found = if remove {
                    set.remove(&member)
                } else {
                    set.insert(&member, score, limits, &seed()).old
                };
                assert_eq!(found, expected);
            }
        }
        for (set, _) in &mut sets {
            compare(set, &list, &mut random);
        }
        assert_eq!((sets[0].0.encoding(), sets[1].0.encoding()), ("listpack", "skiplist"));
        let reloaded = sets[0].0.as_listpack().unwrap().as_bytes().to_vec();
        let reloaded = ZSet::from_listpack(Listpack::from_bytes(reloaded).unwrap()).unwrap_or_default();
        compare(&reloaded, &list, &mut random);
        for (set, _) in &mut sets {
            let mut list = list.clone();
            while !list.is_empty() {
                let start = random.index(list.len());
                let mut gone = Vec::new();
                let count =
                    set.remove_ranks(start..start + 3, |member, score| gone.push((member.to_vec(), score)));
                let end = list.len().min(start + 3);
                assert_eq!(list.drain(start..end).collect::<Vec<_>>(), gone);
                assert_eq!(count, gone.len());
            }
            assert!(set.is_empty() && !set.pop_first(|_, _| ()) && !set.pop_last(|_, _| ()));
        }
    }
}

#[test]
fn the_encoding_follows_the_limits() {
    let limits = ZSetLimits::default();
    let mut set = ZSet::new();
    for n in 0..128 {
        set.insert(format!("{n}").as_bytes(), 1.0, &limits, &seed());
    }
    assert_eq!(set.encoding(), "listpack");
    assert_eq!(set.update(b"new", &limits, &seed(), |_| None), Change { old: None, new: None });
    set.insert(b"5", 2.0, &limits, &seed());
    assert_eq!(set.encoding(), "listpack");
    set.insert(b"new", 1.0, &limits, &seed());
    assert_eq!(set.encoding(), "skiplist");
    let before = owned(set.iter());
    assert!(set.pop_last(|member, score| assert_eq!((member.to_vec(), score), (b"5".to_vec(), 2.0))));
    assert_eq!(set.encoding(), "skiplist");
    set.settle(&limits, &seed());
    assert_eq!(set.encoding(), "listpack");
    assert_eq!(owned(set.iter()), before[..128]);

    let mut set = ZSet::new();
    set.insert(&[b'm'; 64], 1.0, &limits, &seed());
    assert_eq!(set.encoding(), "listpack");
    set.insert(&[b'm'; 65], 1.0, &limits, &seed());
    assert_eq!(set.encoding(), "skiplist");
    assert_eq!(ZSet::for_members(129, 1, &limits, &seed()).encoding(), "skiplist");
}

#[test]
fn foreign_listpacks_are_checked() {
    let load = |items: &[&[u8]]| {
        let mut list = Listpack::new();
        items.iter().for_each(|item| list.append(Item::new(item)));
        ZSet::from_listpack(list)
    };
    assert!(load(&[b"a", b"1", b"b", b"1.5"]).is_ok_and(|set| set.rank(b"b") == Some((1, 1.5))));
    for bad in [
        &[&b"a"[..], b"1", b"b"][..],
        &[b"a", b"x"],
        &[b"a", b"nan"],
        &[b"b", b"1", b"a", b"1"],
        &[b"a", b"2", b"b", b"1"],
        &[b"a", b"1", b"a", b"1"],
        &[b"a", b"1", b"a", b"2"],
    ] {
        assert!(load(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn limits_cut_ranks_from_either_end() {
    assert_eq!(limit(10..20, 2, Some(3)), 12..15);
    assert_eq!(limit(10..20, 2, None), 12..20);
    assert_eq!(limit(10..20, 30, Some(1)), 20..20);
    assert_eq!(limit(10..20, usize::MAX, Some(usize::MAX)), 20..20);
    assert_eq!(limit_back(10..20, 2, Some(3)), 15..18);
    assert_eq!(limit_back(10..20, 2, None), 10..18);
    assert_eq!(limit_back(10..20, 30, Some(1)), 10..10);
}
