//! A graph in the hands of several threads: each adds, removes and searches; nobody loses anything.

use base::random::Random;
use std::sync::Arc;
use vector::{Element, Error, Handle, Hnsw, Metric, Parameters, Shared, Slot, Space, Wish};

const DIMENSION: usize = 8;
const THREADS: u32 = 3;
const ROUNDS: usize = if cfg!(miri) { 40 } else { 3000 };
/// Labels of a thread.
const OWN: u32 = if cfg!(miri) { 10 } else { 200 };

fn shared() -> Arc<Shared> {
    let space = Space::new(Element::F32, Metric::L2, DIMENSION).unwrap();
    let parameters = Parameters { m: 4, ef_construction: 20, tail_max: 16, ..Parameters::default() };
    Shared::new(Hnsw::new(space, parameters).unwrap())
}

fn vector(random: &mut Random) -> Vec<u8> {
    Element::F32.bytes(&(0..DIMENSION).map(|_| random.unit_f64()).collect::<Vec<_>>())
}

/// All labels from a search that keeps everything.
fn all(handle: &mut Handle, query: &[u8]) -> Vec<(u32, f64)> {
    let wish = Wish::Nearest { k: 5000, ef: None };
    let mut search = handle.reader().search(query, wish, false).unwrap();
    while !search.step(100, |_| true) {}
    handle.reader().finish(search).iter().map(|found| (found.label, found.distance)).collect()
}

/// One thread's life; gives what it has in the end.
fn live(mut handle: Handle, thread: u32) -> Vec<(u32, Vec<u8>)> {
    let mut random = Random::from_seed(u64::from(thread));
    let mut own: Vec<Option<(Slot, Vec<u8>)>> = vec![None; OWN as usize];
    for round in 0..ROUNDS {
        let at = random.index(own.len());
        let label = thread * OWN + at as u32;
        let new = vector(&mut random);
        match own[at].take() {
            Some((slot, _)) if random.index(3) == 0 => handle.remove(slot).unwrap(),
            Some((slot, _)) => own[at] = Some((handle.replace(slot, label, &new).unwrap(), new)),
            None => own[at] = Some((handle.insert(label, &new).unwrap(), new)),
        }
        if random.index(4) == 0 {
            handle.work(random.index(300));
        }
        if round % 20 == 0 {
            // Whatever the others do: what is this thread's own is there, as it is.
            let query = vector(&mut random);
            let found = all(&mut handle, &query);
            for (at, entry) in own.iter().enumerate() {
                let label = thread * OWN + at as u32;
                let times = found.iter().filter(|(other, _)| *other == label).count();
                assert_eq!(times, usize::from(entry.is_some()), "thread {thread}, round {round}, {label}");
                if let Some((slot, vector)) = entry {
                    let [numbers, query_numbers] = [vector, &query].map(|it| Element::F32.numbers(it));
                    let expected = Metric::L2.distance(&query_numbers, &numbers);
                    let distance = handle.distance(&query, *slot).unwrap().unwrap();
                    assert!((distance - expected).abs() < 1e-5, "{distance} instead of {expected}");
                }
            }
        }
    }
    let with_label =
        |(at, entry): (usize, Option<(Slot, Vec<u8>)>)| Some((thread * OWN + at as u32, entry?.1));
    own.into_iter().enumerate().filter_map(with_label).collect()
}

#[test]
fn threads_add_remove_link_and_search() {
    let shared = shared();
    let handles: Vec<Handle> = (0..THREADS).map(|_| shared.handle()).collect();
    let lives: Vec<_> =
        (0..).zip(handles).map(|(thread, handle)| std::thread::spawn(move || live(handle, thread))).collect();
    let mut expected: Vec<(u32, Vec<u8>)> = lives.into_iter().flat_map(|life| life.join().unwrap()).collect();
    expected.sort();
    let mut handle = shared.handle();
    while handle.work(10_000) {}
    assert!(!handle.has_work());
    assert_eq!((handle.len(), handle.tail_len()), (expected.len(), 0));
    let query = vector(&mut Random::from_seed(77));
    let mut found = all(&mut handle, &query);
    found.sort_by_key(|(label, _)| *label);
    assert!(found.iter().map(|(label, _)| *label).eq(expected.iter().map(|(label, _)| *label)));
}

#[test]
fn who_adds_much_links_as_much() {
    let handle = shared().handle();
    let mut random = Random::from_seed(3);
    for label in 0..if cfg!(miri) { 40 } else { 1000 } {
        handle.insert(label, &vector(&mut random)).unwrap();
        assert!(handle.tail_len() <= 17, "{label}: {}", handle.tail_len());
    }
    assert!(handle.has_work());
    assert_eq!(handle.insert(1, &[0; 3]), Err(Error::Length { bytes: 3, expected: 4 * DIMENSION }));
    assert_eq!(handle.distance(&[0; 4 * DIMENSION], Slot(1_000_000)), Ok(None));
}
