//! List against a deque of strings, with node limits small enough to split often, and its encodings.

use super::*;
use crate::listpack::Corrupt;
use base::random::Random;

fn random_value(rng: &mut Random) -> Vec<u8> {
    match rng.index(12) {
        0..=3 => rng.index(20).to_string().into_bytes(),
        4 => (rng.next_u64() as i64).to_string().into_bytes(),
        5 => vec![b'l'; rng.index(600)],
        6 if rng.index(8) == 0 => vec![b'L'; 3000 + rng.index(9000)],
        _ => vec![b'a' + rng.index(4) as u8; rng.index(40)],
    }
}

fn check(list: &List, model: &VecDeque<Vec<u8>>, seed: u64) {
    assert_eq!(list.len(), model.len(), "seed {seed}");
    assert!(list.iter().map(|i| i.to_vec()).eq(model.iter().cloned()), "seed {seed}");
    let back = list.range_rev(list.len().wrapping_sub(1), usize::MAX);
    assert!(back.map(|i| i.to_vec()).eq(model.iter().rev().cloned()), "seed {seed}");
    let (front, rest) = list.slices();
    let nodes = || front.iter().chain(rest);
    assert_eq!(list.heap_bytes, nodes().map(Node::heap_bytes).sum::<usize>(), "seed {seed}");
    assert_eq!(list.len, nodes().map(Node::count).sum::<usize>(), "seed {seed}");
    if matches!(list.body, Body::Many(_)) {
        assert!(nodes().all(|node| node.count() > 0), "seed {seed}");
    }
}

fn end(rng: &mut Random) -> End {
    if rng.index(2) == 0 { End::Head } else { End::Tail }
}

fn step(rng: &mut Random, list: &mut List, model: &mut VecDeque<Vec<u8>>, seed: u64) {
    let (value, index, end) = (random_value(rng), rng.index(model.len() + 1), end(rng));
    match rng.index(20) {
        0..=7 => {
            list.push(end, &value);
            if end == End::Head { model.push_front(value) } else { model.push_back(value) }
        }
        8..=10 => {
            let expect = if end == End::Head { model.pop_front() } else { model.pop_back() };
            assert_eq!(list.peek(end).map(|i| i.to_vec()), expect, "seed {seed}");
            assert_eq!(list.pop(end, |item| item.to_vec()), expect, "seed {seed}");
        }
        11..=13 => {
            list.insert(index, &value);
            model.insert(index, value);
        }
        14 => {
            assert_eq!(list.set(index, &value), index < model.len(), "seed {seed}");
            if index < model.len() {
                model[index] = value;
            }
        }
        15 => {
            let limit = if rng.index(2) == 0 { usize::MAX } else { 1 + rng.index(3) };
            assert_eq!(
                list.remove_matching(&value, limit, end),
                model_remove(model, &value, limit, end),
                "seed {seed}"
            );
        }
        16 => {
            let count = rng.index(12);
            let removed = list.remove_range(index, count);
            assert_eq!(removed, model.drain(index..(index + count).min(model.len())).count(), "seed {seed}");
        }
        17 if rng.index(20) == 0 => {
            let count = rng.index(model.len() + 2);
            list.keep(index, count);
            model.truncate((index + count).min(model.len()));
            model.drain(..index.min(model.len()));
        }
        _ => read_step(rng, list, model, index, seed),
    }
}

fn read_step(rng: &mut Random, list: &List, model: &VecDeque<Vec<u8>>, index: usize, seed: u64) {
    assert_eq!(list.get(index).map(|i| i.to_vec()).as_ref(), model.get(index), "seed {seed}");
    let count = rng.index(30);
    let ours = list.range(index, count).map(|i| i.to_vec());
    assert!(ours.eq(model.iter().skip(index).take(count).cloned()), "seed {seed}");
    let ours = list.range_rev(index, count).map(|i| i.to_vec());
    let theirs = model.iter().take(index + 1).rev().take(count).cloned();
    assert!(index >= model.len() || ours.eq(theirs), "seed {seed}");
}

fn model_remove(model: &mut VecDeque<Vec<u8>>, value: &[u8], limit: usize, end: End) -> usize {
    let mut places: Vec<usize> = (0..model.len()).filter(|&i| model[i] == value).collect();
    if end == End::Tail {
        places.reverse();
    }
    places.truncate(limit);
    places.sort_unstable_by(|a, b| b.cmp(a));
    for &place in &places {
        model.remove(place);
    }
    places.len()
}

#[test]
fn behaves_like_a_deque() {
    for seed in 0..200 {
        let mut rng = Random::from_seed(seed);
        let limit = [-1, -2, 1, 3, 17, 128, 0, -5][seed as usize % 8];
        let (mut list, mut model) = (List::new(ListLimit::new(limit)), VecDeque::new());
        for number in 0..1500 {
            step(&mut rng, &mut list, &mut model, seed);
            if number % 50 == 0 {
                check(&list, &model, seed);
            }
        }
        check(&list, &model, seed);
        check(&list.clone(), &model, seed);
        reload(&list, &model, seed);
    }
}

fn reload(list: &List, model: &VecDeque<Vec<u8>>, seed: u64) {
    let mut back = List::new(list.limit);
    for node in list.nodes() {
        let mut raw = Vec::new();
        node.append_to(&mut raw);
        match node {
            NodeView::Plain(_) => back.load_plain(&raw),
            NodeView::Packed { .. } => back.load_listpack(raw).expect("own bytes are valid"),
        }
    }
    back.finish_load();
    check(&back, model, seed);
}

#[test]
fn encodings_change_as_in_redis() {
    let mut list = List::new(ListLimit::new(-2));
    assert_eq!(list.encoding(), "listpack");
    list.push(End::Tail, &[b'x'; 8185]);
    assert_eq!(list.encoding(), "listpack", "7 bytes and the value make exactly the limit");
    list.push(End::Tail, b"y");
    assert_eq!(list.encoding(), "quicklist");
    assert_eq!(list.pop(End::Head, |i| i.len()), Some(8185));
    assert_eq!(list.encoding(), "listpack", "one node below half the limit");

    let mut list = List::new(ListLimit::new(4));
    for _ in 0..4 {
        list.push(End::Head, b"v");
    }
    assert_eq!(list.encoding(), "listpack");
    list.push(End::Head, b"v");
    assert_eq!((list.encoding(), list.nodes().len()), ("quicklist", 2));
    list.pop(End::Head, |_| ());
    list.pop(End::Head, |_| ());
    assert_eq!(list.encoding(), "quicklist", "three are more than half of four");
    list.pop(End::Head, |_| ());
    assert_eq!(list.encoding(), "listpack");
}

#[test]
fn one_command_is_judged_as_a_whole() {
    let mut list = List::new(ListLimit::new(-1));
    list.grow(4096, 41);
    assert_eq!(list.encoding(), "quicklist");
    let mut list = List::new(ListLimit::new(-1));
    list.grow(40 * 100, 40);
    (0..40).for_each(|_| list.push_grown(End::Tail, &[b'x'; 100]));
    assert_eq!((list.encoding(), list.len()), ("listpack", 40));
}

#[test]
fn memory_follows_the_content() {
    let mut list = List::new(ListLimit::default());
    let value = [b'v'; 100];
    for _ in 0..100_000 {
        list.push(End::Head, &value);
    }
    assert!(list.bytes() < 100_000 * 106, "{}", list.bytes());
    // One in a hundred stays.
    for index in (0..100_000).step_by(100) {
        list.set(index, b"keep");
    }
    assert_eq!(list.remove_matching(&value, usize::MAX, End::Tail), 99_000);
    assert!(list.bytes() < 1000 * 110, "{}", list.bytes());
    list.keep(0, 1);
    assert_eq!((list.encoding(), list.len()), ("listpack", 1));
    assert!(list.bytes() <= 64, "{}", list.bytes());
}

#[test]
fn hostile_nodes_are_refused() {
    let mut list = List::new(ListLimit::default());
    assert_eq!(list.load_listpack(vec![7, 0, 0, 0, 1, 0, 0xFF]), Err(Corrupt));
    assert_eq!(list.load_listpack(vec![7, 0, 0, 0, 0, 0, 0xFF]), Ok(()));
    list.load_plain(b"");
    list.finish_load();
    assert_eq!((list.len(), list.encoding()), (1, "listpack"));
}
