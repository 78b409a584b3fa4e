//! A graph in the hands of several threads: each adds, removes and searches; nobody loses anything.

use base::random::Random;
use std::sync::{Arc, Mutex};
use vector::{Element, Error, Handle, Hnsw, Loan, Metric, Parameters, Shared, Slot, Space, Wish};

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

/// Adds, lends and removes; what is lent is read and given back later, by another thread too.
fn borrow(handle: Handle, thread: u32, loans: &Mutex<Vec<(Loan, Vec<u8>)>>) {
    let mut random = Random::from_seed(100 + u64::from(thread));
    let mut own: Vec<(Slot, Vec<u8>)> = Vec::new();
    for _ in 0..ROUNDS {
        match random.index(4) {
            0 | 1 if own.len() < OWN as usize => {
                let new = vector(&mut random);
                own.push((handle.insert(thread, &new).unwrap(), new));
            }
            2 if !own.is_empty() => {
                let (slot, vector) = &own[random.index(own.len())];
                let loan = handle.lend(*slot).expect("it is there");
                assert!(handle.has_lent(*slot, &loan) && loan.sent_bytes() == vector.len());
                loans.lock().unwrap().push((loan, vector.clone()));
            }
            3 if !own.is_empty() => {
                let at = random.index(own.len());
                handle.remove(own.swap_remove(at).0).unwrap();
            }
            _ => _ = handle.work(random.index(500)),
        }
        let mut loans = loans.lock().unwrap();
        if loans.len() > 30 || random.index(3) == 0 && !loans.is_empty() {
            let at = random.index(loans.len());
            let (loan, vector) = loans.swap_remove(at);
            drop(loans);
            assert_eq!(loan.to_vec(), vector);
        }
    }
    own.into_iter().for_each(|(slot, _)| handle.remove(slot).unwrap());
}

#[test]
fn what_is_lent_stays_as_it_is_wherever_it_is() {
    let (shared, loans) = (shared(), Mutex::default());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (handle, loans) = (shared.handle(), &loans);
            scope.spawn(move || borrow(handle, thread, loans));
        }
    });
    let handle = shared.handle();
    assert_eq!(handle.lend(Slot(0)).map(drop), None, "nothing is there any more");
    drop((handle, shared));
    // The graph has gone, what is lent of it has not.
    for (loan, vector) in loans.into_inner().unwrap() {
        assert_eq!(loan.to_vec(), vector);
    }
}

/// Who has vectors on loan for ever so long costs their slots and no others.
#[test]
fn slots_that_come_back_are_used_again() {
    let handle = shared().handle();
    let mut random = Random::from_seed(5);
    let few = if cfg!(miri) { 8 } else { 200 };
    let mut bytes = 0;
    for round in 0..10 {
        let mut lent = Vec::new();
        for label in 0..few {
            let slot = handle.insert(label, &vector(&mut random)).unwrap();
            lent.push((slot, handle.lend(slot).unwrap(), handle.lend(slot).unwrap()));
        }
        while handle.work(10_000) {}
        // Loans end before the vector goes, after it has gone, or one before and one after.
        let mut later = Vec::new();
        for (number, (slot, first, second)) in lent.into_iter().enumerate() {
            match number % 3 {
                0 => drop(second),
                _ => later.push(second),
            }
            if number % 2 == 0 {
                drop(first);
                handle.remove(slot).unwrap();
            } else {
                handle.remove(slot).unwrap();
                drop(first);
            }
        }
        while handle.work(10_000) {}
        drop(later);
        while handle.work(10_000) {}
        if round == 3 {
            bytes = handle.bytes();
        }
    }
    // Working memory may differ; a slot that is lost in each round would be much more.
    assert!(handle.bytes() < bytes + bytes / 8, "{} after {bytes}", handle.bytes());
}

#[test]
fn who_adds_far_too_much_links_as_much() {
    let handle = shared().handle();
    let mut random = Random::from_seed(3);
    for label in 0..if cfg!(miri) { 60 } else { 1000 } {
        handle.insert(label, &vector(&mut random)).unwrap();
        assert!(handle.tail_len() <= 3 * 16 + 1, "{label}: {}", handle.tail_len());
        assert_eq!(handle.is_behind(), handle.tail_len() > 16, "{label}");
    }
    assert!(handle.has_work() && handle.is_behind());
    while handle.work(100) {
        assert_eq!(handle.is_behind(), handle.tail_len() > 16);
    }
    assert!(!handle.has_work() && !handle.is_behind());
    assert_eq!(handle.insert(1, &[0; 3]), Err(Error::Length { bytes: 3, expected: 4 * DIMENSION }));
    assert_eq!(handle.distance(&[0; 4 * DIMENSION], Slot(1_000_000)), Ok(None));
}

/// Nobody would look again when the search ends.
#[test]
fn nobody_waits_for_the_end_of_a_search() {
    let mut handle = shared().handle();
    let mut random = Random::from_seed(4);
    let mut slots: Vec<Slot> =
        (0..1000).map(|label| handle.insert(label, &vector(&mut random)).unwrap()).collect();
    while handle.work(1000) {}
    let wish = Wish::Nearest { k: 1, ef: None };
    let search = handle.reader().search(&vector(&mut random), wish, false).unwrap();
    slots.drain(..100).for_each(|slot| handle.remove(slot).unwrap());
    assert!(handle.is_behind());
    while handle.work(1000) {}
    assert!(!handle.has_work() && !handle.is_behind(), "the slots wait for the search");
    drop(search);
    handle.remove(slots.swap_remove(0)).unwrap();
    assert!(handle.is_behind());
    while handle.work(1000) {}
    assert!(!handle.is_behind());
}
