//! Links that are saved and remembered: the graph is the same again, whatever the order in which its vectors come back.

use base::random::Random;
use std::sync::Arc;
use vector::{Element, Error, Handle, Hnsw, Metric, Parameters, Shared, Slot, Space};

const DIMENSION: usize = 8;
const COUNT: u32 = if cfg!(miri) { 60 } else { 1500 };

fn shared(metric: Metric) -> Arc<Shared> {
    let space = Space::new(Element::F32, metric, DIMENSION).unwrap();
    let parameters = Parameters { m: 4, ef_construction: 20, tail_max: 16, ..Parameters::default() };
    Shared::new(Hnsw::new(space, parameters).unwrap())
}

/// Some of them twice.
fn vectors() -> Vec<Vec<u8>> {
    let mut random = Random::from_seed(1);
    let mut all: Vec<Vec<u8>> = Vec::new();
    for _ in 0..COUNT {
        let numbers: Vec<f64> = (0..DIMENSION).map(|_| random.unit_f64()).collect();
        let is_old = !all.is_empty() && random.index(50) == 0;
        all.push(if is_old { all[random.index(all.len())].clone() } else { Element::F32.bytes(&numbers) });
    }
    all
}

fn insert(handle: &Handle, vectors: &[Vec<u8>], labels: impl Iterator<Item = u32>) -> Vec<Slot> {
    labels.map(|label| handle.insert(label, &vectors[label as usize]).unwrap()).collect()
}

fn saved(handle: &Handle, slots: &[Slot]) -> Vec<Vec<u8>> {
    let some = |slots: &[Slot]| {
        let mut out = Vec::new();
        handle.save_links(slots, &mut out);
        out
    };
    slots.chunks(40).map(some).collect()
}

/// What is found for each vector, by distance: labels of equal vectors may change places.
fn found(handle: &mut Handle, vectors: &[Vec<u8>]) -> Vec<Vec<u64>> {
    let one = |vector: &Vec<u8>| {
        let found = handle.reader().nearest(vector, 5, Some(5)).unwrap();
        found.iter().map(|found| found.distance.to_bits()).collect()
    };
    vectors.iter().map(one).collect()
}

#[test]
fn the_same_answers_without_linking() {
    let vectors = vectors();
    for metric in [Metric::L2, Metric::Cosine] {
        let mut handle = shared(metric).handle();
        let slots = insert(&handle, &vectors, 0..COUNT);
        while handle.work(1000) {}
        let blocks = saved(&handle, &slots);
        let expected = found(&mut handle, &vectors);

        let again = shared(metric);
        let mut handles: Vec<Handle> = (0..3).map(|_| again.handle()).collect();
        // Each has some of the blocks, and some more than once; the vectors come in another order.
        for (number, block) in blocks.iter().enumerate() {
            handles[number % 3].remember(block).unwrap();
            handles[number % 2].remember(block).unwrap();
        }
        for (number, handle) in handles.iter().enumerate() {
            let own = (0..COUNT).rev().filter(|label| *label as usize % 3 == number);
            insert(handle, &vectors, own);
            assert_eq!((handle.tail_len(), handle.work(1000)), (0, false));
            handle.has_all_back(3);
        }
        let handle = &mut handles[0];
        assert_eq!((handle.len(), handle.tail_len()), (COUNT as usize, 0));
        let same = found(handle, &vectors).iter().zip(&expected).filter(|(a, b)| a == b).count();
        // Which of equal vectors a link leads to is left to chance.
        assert!(same * 100 > 97 * vectors.len(), "{same} of {}", vectors.len());
    }
}

#[test]
fn what_is_new_is_linked_and_what_is_missing_is_left_out() {
    let vectors = vectors();
    let handle = shared(Metric::L2).handle();
    let slots = insert(&handle, &vectors, 0..COUNT - 10);
    while handle.work(1000) {}
    let blocks = saved(&handle, &slots);
    for new in [10, 40] {
        let mut again = shared(Metric::L2).handle();
        blocks.iter().for_each(|block| again.remember(block).unwrap());
        let labels = (0..COUNT).filter(|label| label % 7 != 0 || *label >= COUNT - new);
        let slots = insert(&again, &vectors, labels.clone());
        // Also when somebody cannot wait.
        if new == 40 {
            again.remove(slots[0]).unwrap();
            insert(&again, &vectors, labels.clone().take(1));
        }
        again.has_all_back(1);
        while again.work(1000) {}
        let all = again.reader().nearest(&vectors[3], COUNT as usize, None).unwrap();
        let mut found: Vec<u32> = all.iter().map(|found| found.label).collect();
        found.sort_unstable();
        assert!(found.into_iter().eq(labels), "{new} new ones");
    }
}

#[test]
fn broken_bytes_do_no_harm() {
    let vectors = vectors();
    let handle = shared(Metric::L2).handle();
    let slots = insert(&handle, &vectors, 0..60);
    while handle.work(1000) {}
    let mut bytes = Vec::new();
    handle.save_links(&slots, &mut bytes);
    assert_eq!(shared(Metric::Cosine).handle().remember(&bytes), Err(Error::Broken { at: 0 }));
    let mut random = Random::from_seed(9);
    for _ in 0..if cfg!(miri) { 5 } else { 500 } {
        let mut broken = bytes.clone();
        for _ in 0..1 + random.index(8) {
            let at = 20 + random.index(broken.len() - 20);
            broken[at] = random.next_u64() as u8;
        }
        broken.truncate(broken.len() - random.index(2) * random.index(broken.len()));
        let mut again = shared(Metric::L2).handle();
        let _ = again.remember(&broken);
        insert(&again, &vectors, 0..60);
        again.has_all_back(1);
        while again.work(1000) {}
        assert_eq!(again.reader().nearest(&vectors[3], 60, None).unwrap().len(), 60);
    }
}
