//! Exact search against the definition.

use base::random::Random;
use vector::{Element, Error, Flat, Found, Metric, Slot, Space};

fn random_vector(element: Element, dimension: usize, random: &mut Random) -> Vec<u8> {
    element.bytes(&(0..dimension).map(|_| (random.unit_f64() * 250.0 - 125.0).round()).collect::<Vec<_>>())
}

fn run(index: &Flat, mut search: vector::FlatSearch, rows: u32, passes: impl Fn(u32) -> bool) -> Vec<Found> {
    while !search.step(index, rows, &passes) {}
    search.finish(index)
}

/// What is found, by definition.
fn by_definition(
    element: Element,
    metric: Metric,
    vectors: &[(u32, Vec<u8>)],
    query: &[u8],
) -> Vec<(f64, u32)> {
    let query = element.numbers(query);
    let mut all: Vec<(f64, u32)> =
        vectors.iter().map(|(label, it)| (metric.distance(&query, &element.numbers(it)), *label)).collect();
    all.sort_by(|a, b| a.partial_cmp(b).unwrap());
    all
}

#[test]
fn the_nearest_are_found() {
    let count = if cfg!(miri) { 40 } else { 500 };
    for element in [Element::F64, Element::F32, Element::F16, Element::Bf16, Element::I8, Element::U8] {
        for metric in Metric::ALL {
            for dimension in [1, 2, 17, 100] {
                let mut random = Random::from_seed(dimension as u64);
                let mut index = Flat::new(Space::new(element, metric, dimension).unwrap());
                let mut vectors = Vec::new();
                while vectors.len() < count {
                    let vector = random_vector(element, dimension, &mut random);
                    let label = vectors.len() as u32 + 10;
                    // Of a few elements all may be zero.
                    if index.insert(label, &vector).is_ok() {
                        vectors.push((label, vector));
                    }
                }
                let query = vectors[3].1.clone();
                let expected = by_definition(element, metric, &vectors, &query);
                for rows in [1, 7, u32::MAX] {
                    let found = run(&index, index.nearest(&query, 20).unwrap(), rows, |_| true);
                    assert_eq!(found.len(), 20);
                    for (found, (distance, _)) in found.iter().zip(&expected) {
                        let allowed = 1e-5 * (1.0 + distance.abs());
                        assert!((found.distance - distance).abs() <= allowed, "{element:?} {metric:?}");
                    }
                }
                let radius = expected[count / 4].0.max(0.0);
                let found = run(&index, index.within(&query, radius).unwrap(), 100, |_| true);
                let inside = |by: f64| expected.iter().filter(|(it, _)| *it <= radius + by).count();
                let edge = 1e-5 * (1.0 + radius);
                assert!(
                    (inside(-edge)..=inside(edge)).contains(&found.len()),
                    "{element:?} {metric:?} {radius}"
                );
                assert!(found.windows(2).all(|pair| pair[0].distance <= pair[1].distance));
            }
        }
    }
}

#[test]
fn only_what_passes_is_found() {
    let mut random = Random::from_seed(5);
    let mut index = Flat::new(Space::new(Element::F32, Metric::L2, 8).unwrap());
    for label in 0..100 {
        index.insert(label, &random_vector(Element::F32, 8, &mut random)).unwrap();
    }
    let query = random_vector(Element::F32, 8, &mut random);
    let found = run(&index, index.nearest(&query, 1000).unwrap(), 9, |label| label % 3 == 0);
    assert_eq!(found.len(), 34);
    assert!(found.iter().all(|found| found.label % 3 == 0));
    assert!(run(&index, index.nearest(&query, 5).unwrap(), 9, |_| false).is_empty());
}

#[test]
fn slots_stay_and_are_used_again() {
    let mut random = Random::from_seed(6);
    let space = Space::new(Element::F32, Metric::Cosine, 5).unwrap();
    let mut index = Flat::new(space);
    let mut here: Vec<(Slot, u32, Vec<u8>)> = Vec::new();
    for round in 0..if cfg!(miri) { 200 } else { 5000u32 } {
        if here.len() > 60 || random.below(3) == 0 && !here.is_empty() {
            let (slot, label, vector) = here.swap_remove(random.index(here.len()));
            assert_eq!((index.label(slot), index.vector(slot)), (Some(label), Some(vector)));
            index.remove(slot).unwrap();
            assert_eq!((index.label(slot), index.vector(slot)), (None, None));
            assert_eq!(index.remove(slot), Err(Error::NoSuchSlot));
        } else {
            let vector = random_vector(Element::F32, 5, &mut random);
            let slot = index.insert(round, &vector).unwrap();
            assert!(here.iter().all(|(other, _, _)| *other != slot) && slot.0 <= 61);
            here.push((slot, round, vector));
        }
        assert_eq!(index.len(), here.len());
    }
    let query = random_vector(Element::F32, 5, &mut random);
    let found = run(&index, index.nearest(&query, 100).unwrap(), 3, |_| true);
    let mut labels: Vec<u32> = found.iter().map(|found| found.label).collect();
    let mut expected: Vec<u32> = here.iter().map(|(_, label, _)| *label).collect();
    labels.sort_unstable();
    expected.sort_unstable();
    assert_eq!(labels, expected);
    assert!(index.bytes() < 20_000);
}

#[test]
fn what_comes_and_goes_during_a_search() {
    let mut index = Flat::new(Space::new(Element::F32, Metric::L2, 1).unwrap());
    let vector = |number: f64| Element::F32.bytes(&[number]);
    let slots: Vec<Slot> = (0..10).map(|at| index.insert(at, &vector(at.into())).unwrap()).collect();
    let mut search = index.nearest(&vector(0.0), 3).unwrap();
    assert!(!search.step(&index, 5, |_| true));
    index.remove(slots[1]).unwrap();
    index.remove(slots[9]).unwrap();
    while !search.step(&index, 1, |_| true) {}
    let labels: Vec<u32> = search.finish(&index).iter().map(|found| found.label).collect();
    assert_eq!(labels, [0, 2]);
}

#[test]
fn codes_are_near_what_they_stand_for() {
    let mut random = Random::from_seed(8);
    for metric in Metric::ALL {
        let mut index = Flat::new(Space::new(Element::Q8, metric, 64).unwrap());
        let numbers: Vec<f64> = (0..64).map(|_| random.unit_f64() * 2.0 - 1.0).collect();
        let other: Vec<f64> = (0..64).map(|_| random.unit_f64() * 2.0 - 1.0).collect();
        let slot = index.insert(1, &Element::Q8.bytes(&numbers)).unwrap();
        let restored = Element::Q8.numbers(&index.vector(slot).unwrap());
        assert!(restored.iter().zip(&numbers).all(|(a, b)| (a - b).abs() < 0.01));
        let distance = index.distance(&Element::Q8.bytes(&other), slot).unwrap();
        assert!((distance - metric.distance(&numbers, &other)).abs() < 0.2, "{metric:?}: {distance}");
    }
    let mut index = Flat::new(Space::new(Element::Bit, Metric::Cosine, 4).unwrap());
    let slot = index.insert(1, &Element::Bit.bytes(&[1.0, -1.0, 0.5, -0.1])).unwrap();
    assert_eq!(Element::Bit.numbers(&index.vector(slot).unwrap()), [1.0, -1.0, 1.0, -1.0]);
    assert_eq!(index.distance(&Element::Bit.bytes(&[1.0, 1.0, 1.0, 1.0]), slot), Ok(1.0));
}

#[test]
fn bad_input_is_refused() {
    for element in Element::ALL {
        for dimension in [0, element.dimension_max() + 1, usize::MAX] {
            assert_eq!(Space::new(element, Metric::L2, dimension).err(), Some(Error::Dimension));
        }
        assert!(Space::new(element, Metric::L2, element.dimension_max()).is_ok());
    }
    let mut index = Flat::new(Space::new(Element::F32, Metric::Cosine, 2).unwrap());
    let vector = |numbers: &[f64]| Element::F32.bytes(numbers);
    assert_eq!(index.insert(1, &[0; 7]), Err(Error::Length { bytes: 7, expected: 8 }));
    assert_eq!(index.insert(1, &[]), Err(Error::Length { bytes: 0, expected: 8 }));
    assert_eq!(index.insert(1, &vector(&[f64::NAN, 1.0])), Err(Error::NotFinite));
    assert_eq!(index.insert(1, &vector(&[f64::INFINITY, 1.0])), Err(Error::NotFinite));
    assert_eq!(index.insert(1, &vector(&[0.0, -0.0])), Err(Error::ZeroNorm));
    assert_eq!(index.insert(vector::LABEL_MAX, &vector(&[1.0, 0.0])), Err(Error::Label));
    assert_eq!((index.len(), index.label(Slot(0))), (0, None));
    let slot = index.insert(1, &vector(&[1.0, 0.0])).unwrap();
    assert_eq!(index.nearest(&vector(&[1.0, 0.0]), 0).err(), Some(Error::Count));
    assert_eq!(index.within(&vector(&[1.0, 0.0]), -1.0).err(), Some(Error::Radius));
    assert_eq!(index.within(&vector(&[1.0, 0.0]), f64::NAN).err(), Some(Error::Radius));
    assert_eq!(index.nearest(&[1], 1).err(), Some(Error::Length { bytes: 1, expected: 8 }));
    assert_eq!(index.distance(&vector(&[1.0, 0.0]), Slot(9)), Err(Error::NoSuchSlot));
    assert_eq!(index.remove(Slot(u32::MAX)), Err(Error::NoSuchSlot));
    assert_eq!(
        run(&index, index.nearest(&vector(&[5.0, 0.0]), usize::MAX).unwrap(), 0, |_| true)[0].slot,
        slot
    );
    for element in [Element::F64, Element::F16, Element::Bf16, Element::Q8, Element::Bit] {
        let space = Space::new(element, Metric::L2, 1).unwrap();
        assert_eq!(space.check(&element.bytes(&[f64::NEG_INFINITY])), Err(Error::NotFinite));
        assert_eq!(space.check(&element.bytes(&[f64::NAN])), Err(Error::NotFinite));
        assert_eq!(space.check(&element.bytes(&[0.0])), Ok(()));
    }
    // Too long for f32, and too short: there is a direction all the same.
    for number in [1e30, 1e-30] {
        index.insert(2, &vector(&[number, number])).unwrap();
    }
}
