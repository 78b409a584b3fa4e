//! Graphs against exact search: what is found, what comes and goes, what is refused.

mod clustered;

use base::random::Random;
use clustered::{DIMENSION, clustered, exact, fill, graph, recall};
use vector::{Element, Error, Hnsw, M_MAX, Metric, Parameters, Slot, Space, Wish};

const COUNT: usize = 4000;

#[test]
fn the_nearest_are_found() {
    let vectors = clustered(COUNT, 1);
    for metric in Metric::ALL {
        for by_codes in [false, true] {
            let mut index = graph(metric, Parameters { by_codes, ..Parameters::default() });
            fill(&mut index, &vectors);
            // Whether a part is in the tail makes no difference.
            let mut reader = index.reader();
            assert!(index.tail_len() > 0);
            let reached = recall(&mut reader, metric, &vectors, 60, |_| true, false);
            assert!(reached >= 0.97, "{metric:?} {by_codes}: {reached}");
            index.finish();
            assert_eq!(index.tail_len(), 0);
            let reached = recall(&mut reader, metric, &vectors, 60, |_| true, false);
            assert!(reached >= 0.97, "{metric:?} {by_codes}: {reached}");
        }
    }
}

#[test]
fn what_passes_is_found() {
    let vectors = clustered(COUNT, 1);
    let mut index = graph(Metric::L2, Parameters::default());
    let slots = fill(&mut index, &vectors);
    index.finish();
    let mut reader = index.reader();
    for share in [2, 10, 50] {
        let passes = |label: u32| label.is_multiple_of(share);
        let reached = recall(&mut reader, Metric::L2, &vectors, 40, passes, true);
        assert!(reached >= 0.97, "one of {share}: {reached}");
        // Looking at each of them is exact.
        let some: Vec<Slot> = slots.iter().copied().step_by(share as usize).collect();
        for query in clustered(5, 77) {
            let wish = Wish::Nearest { k: 10, ef: None };
            let mut search = reader.search_among(&query, wish, some.clone()).unwrap();
            while !search.step(64, |_| true) {}
            let found: Vec<u32> = reader.finish(search).iter().map(|found| found.label).collect();
            let expected = exact(Metric::L2, &vectors, &query, passes);
            assert_eq!(found, expected.iter().map(|(_, label)| *label).collect::<Vec<_>>());
        }
    }
    // How many those were says nothing of a walk's cost.
    for query in clustered(200, 78) {
        let wish = Wish::Nearest { k: 10, ef: Some(40) };
        let mut search = reader.search_among(&query, wish, slots.clone()).unwrap();
        while !search.step(usize::MAX, |_| true) {}
        reader.finish(search);
    }
    assert!(reader.should_look_at_each(20, 40) && !reader.should_look_at_each(slots.len() * 9 / 10, 40));
}

#[test]
fn ranges_are_found() {
    let vectors = clustered(COUNT, 1);
    for by_codes in [false, true] {
        let mut index = graph(Metric::L2, Parameters { by_codes, ..Parameters::default() });
        fill(&mut index, &vectors);
        let mut reader = index.reader();
        let (mut found_count, mut there) = (0, 0);
        for query in clustered(30, 55) {
            let query_numbers = Element::F32.numbers(&query);
            for radius in [0.0, 16.0, 20.0] {
                let wish = Wish::Within { radius, epsilon: Some(0.2) };
                let mut search = reader.search(&query, wish, false).unwrap();
                while !search.step(50, |label| label % 2 == 0) {}
                let found = reader.finish(search);
                assert!(found.iter().all(|it| it.distance <= radius && it.label % 2 == 0));
                found_count += found.len();
                let distance = |it: &[u8]| Metric::L2.distance(&query_numbers, &Element::F32.numbers(it));
                there += vectors.iter().step_by(2).filter(|it| distance(it) <= radius).count();
            }
        }
        assert!(there > 300, "{there}");
        assert!(found_count as f64 >= 0.95 * there as f64, "{found_count} of {there}");
    }
}

#[test]
fn recall_and_memory_stand_churn() {
    let vectors = clustered(COUNT, 1);
    let mut index = graph(Metric::L2, Parameters::default());
    let mut slots = fill(&mut index, &vectors);
    index.finish();
    let mut reader = index.reader();
    let before = recall(&mut reader, Metric::L2, &vectors, 30, |_| true, false);
    let bytes = index.bytes();
    let mut random = Random::from_seed(3);
    // All at once, and one by one.
    for wave in [COUNT, 1] {
        let mut labels: Vec<usize> = (0..COUNT).filter(|label| label % 10 != wave % 7).collect();
        random.shuffle(&mut labels);
        for some in labels.chunks(wave) {
            for label in some {
                index.remove(slots[*label]).unwrap();
                while index.is_behind() {
                    index.work(1000);
                }
            }
            for label in some {
                slots[*label] = index.insert(*label as u32, &vectors[*label]).unwrap();
                while index.is_behind() {
                    index.work(1000);
                }
            }
        }
        index.finish();
        assert_eq!(index.len(), COUNT);
        let after = recall(&mut reader, Metric::L2, &vectors, 30, |_| true, false);
        assert!(after >= before - 0.01, "{after} after {before}");
        assert!(index.bytes() as f64 <= 1.1 * bytes as f64, "{} bytes after {bytes}", index.bytes());
    }
}

#[test]
fn any_order_of_coming_and_going_keeps_everything_in_reach() {
    let vectors = clustered(1000, 2);
    let parameters = Parameters { m: 6, ef_construction: 40, tail_max: 20, ..Parameters::default() };
    for seed in 0..6 {
        let mut random = Random::from_seed(seed);
        let mut index = graph(Metric::Cosine, Parameters { seed, ..parameters });
        let mut reader = index.reader();
        let mut here: Vec<(u32, Slot)> = Vec::new();
        let mut absent: Vec<u32> = (0..1000).collect();
        for _ in 0..4000 {
            match random.below(20) {
                0..8 if !absent.is_empty() => {
                    let label = absent.swap_remove(random.index(absent.len()));
                    here.push((label, index.insert(label, &vectors[label as usize]).unwrap()));
                }
                8..15 if !here.is_empty() => {
                    let (label, slot) = here.swap_remove(random.index(here.len()));
                    index.remove(slot).unwrap();
                    absent.push(label);
                }
                15 if !here.is_empty() => {
                    // What was just there is found.
                    let (label, _) = here[random.index(here.len())];
                    let found = reader.nearest(&vectors[label as usize], 3, Some(60)).unwrap();
                    assert!(
                        found.iter().any(|it| it.label == label),
                        "seed {seed}: {label} of {}",
                        here.len()
                    );
                    assert!(found.iter().all(|it| here.iter().any(|(label, _)| *label == it.label)));
                }
                16 if random.below(40) == 0 => here.drain(..).for_each(|(label, slot)| {
                    index.remove(slot).unwrap();
                    absent.push(label);
                }),
                _ => {
                    index.work(random.index(400));
                }
            }
            assert_eq!(index.len(), here.len());
        }
        index.finish();
        assert_eq!(reader.nearest(&vectors[0], 1000, Some(1000)).unwrap().len(), here.len(), "seed {seed}");
        for (label, _) in here {
            let found = reader.nearest(&vectors[label as usize], 1, Some(60)).unwrap();
            assert_eq!(found[0].label, label, "seed {seed}");
        }
    }
}

#[test]
fn a_search_survives_what_happens_meanwhile() {
    let vectors = clustered(1500, 2);
    let mut index = graph(Metric::L2, Parameters { tail_max: 50, ..Parameters::default() });
    let slots = fill(&mut index, &vectors);
    index.finish();
    let mut reader = index.reader();
    let mut search = reader.search(&vectors[7], Wish::Nearest { k: 10, ef: Some(100) }, false).unwrap();
    assert!(!search.step(200, |_| true));
    let bytes = index.bytes();
    slots.iter().skip(8).for_each(|slot| index.remove(*slot).unwrap());
    index.finish();
    // No slot is used again as long as the search may know of it.
    for (label, vector) in vectors.iter().enumerate().take(100) {
        let slot = index.insert(5000 + label as u32, vector).unwrap();
        assert!(!slots.contains(&slot));
    }
    while !search.step(10, |_| true) {}
    let found = reader.finish(search);
    assert!(!found.is_empty() && found.iter().all(|it| it.label < 8));
    index.finish();
    let found = reader.nearest(&vectors[7], 3, None).unwrap();
    assert!(found[0].distance == 0.0 && found[1].distance == 0.0 && found[2].distance > 0.0);
    assert!(index.bytes() as f64 <= 1.2 * bytes as f64);
    let slot = index.insert(9, &vectors[9]).unwrap();
    assert!(slots.contains(&slot));
}

#[test]
fn the_same_steps_give_the_same_graph() {
    let vectors = clustered(700, 4);
    let build = || {
        let mut index = graph(Metric::Ip, Parameters::default());
        let slots = fill(&mut index, &vectors);
        index.finish();
        let links: Vec<_> = slots.iter().map(|slot| index.neighbours(*slot, 0)).collect();
        (links, index.level(), index.bytes())
    };
    assert_eq!(build(), build());
}

#[test]
fn unchanged_bytes_change_nothing() {
    let vectors = clustered(300, 4);
    let mut index = graph(Metric::L2, Parameters::default());
    let slots = fill(&mut index, &vectors);
    index.finish();
    assert_eq!(index.replace(slots[5], 5, &vectors[5]), Ok(slots[5]));
    assert_eq!(index.tail_len(), 0);
    let other = index.replace(slots[5], 5, &vectors[6]).unwrap();
    assert_ne!(other, slots[5]);
    assert_eq!(
        (index.len(), index.label(slots[5]), index.vector(other)),
        (300, None, Some(vectors[6].clone()))
    );
    assert_eq!(index.replace(slots[5], 5, &vectors[6]), Err(Error::NoSuchSlot));
    assert_eq!(index.replace(other, 5, &[1]), Err(Error::Length { bytes: 1, expected: 4 * DIMENSION }));
    assert_eq!(index.len(), 300);
}

#[test]
fn many_vectors_may_be_the_same() {
    let vector = &clustered(1, 4)[0];
    let mut index = graph(Metric::Cosine, Parameters::default());
    fill(&mut index, &vec![vector.clone(); 1000]);
    index.finish();
    let found = index.reader().nearest(vector, 10, Some(50)).unwrap();
    assert_eq!(found.len(), 10);
    assert!(found.iter().all(|it| it.distance.abs() < 1e-6));
}

/// What the upper halves of numbers cannot tell apart is told apart, linked or not.
#[test]
fn each_of_a_narrow_heap_is_found_by_its_own_vector() {
    let mut random = Random::from_seed(21);
    let base: Vec<f64> = (0..DIMENSION).map(|_| random.unit_f64()).collect();
    let near = |number: u32| -> Vec<u8> {
        let moved: Vec<f64> = base.iter().map(|it| it + f64::from(number) * 1e-5).collect();
        Element::F32.bytes(&moved)
    };
    let mut index = graph(Metric::L2, Parameters { tail_max: 200, ..Parameters::default() });
    for number in 0..100 {
        index.insert(number, &near(number)).unwrap();
    }
    let mut reader = index.reader();
    for is_linked in [false, true] {
        if is_linked {
            index.finish();
        }
        for number in 0..100 {
            let mut search =
                reader.search(&near(number), Wish::Nearest { k: 1, ef: Some(200) }, false).unwrap();
            while !search.step(64, |_| true) {}
            let found: Vec<u32> = reader.finish(search).iter().map(|found| found.label).collect();
            assert_eq!(found, [number], "linked: {is_linked}");
        }
    }
}

#[test]
fn more_than_there_is_can_be_asked_for() {
    let vectors = clustered(200, 4);
    let mut index = graph(Metric::L2, Parameters::default());
    let mut reader = index.reader();
    assert_eq!(reader.nearest(&vectors[0], 10, None), Ok(vec![]));
    fill(&mut index, &vectors);
    for k in [200, 100_000, usize::MAX] {
        assert_eq!(reader.nearest(&vectors[0], k, None).unwrap().len(), 200);
    }
}

#[test]
fn every_kind_of_element_can_be_linked() {
    for element in Element::ALL {
        for metric in Metric::ALL {
            let mut index = Hnsw::new(
                Space::new(element, metric, 24).unwrap(),
                Parameters { by_codes: true, ..Parameters::default() },
            )
            .unwrap();
            let mut random = Random::from_seed(11);
            let mut vector =
                || element.bytes(&(0..24).map(|_| random.unit_f64() * 100.0 + 1.0).collect::<Vec<_>>());
            let vectors: Vec<Vec<u8>> = (0..400).map(|_| vector()).collect();
            fill(&mut index, &vectors);
            index.finish();
            let found = index.reader().nearest(&vectors[3], 10, Some(400)).unwrap();
            assert_eq!(found.len(), 10);
            if metric != Metric::Ip && element != Element::Bit {
                assert_eq!(found[0].label, 3, "{element:?} {metric:?}");
            }
        }
    }
}

#[test]
fn links_lead_both_near_and_up() {
    let vectors = clustered(2000, 4);
    let mut index = graph(Metric::L2, Parameters::default());
    let slots = fill(&mut index, &vectors);
    index.finish();
    assert!((1..=5).contains(&index.level()));
    let levels: Vec<usize> = slots
        .iter()
        .map(|slot| (0..).take_while(|level| index.neighbours(*slot, *level).is_some()).count())
        .collect();
    let higher = levels.iter().filter(|count| **count > 1).count();
    assert!((60..200).contains(&higher), "{higher} of 2000 above the ground");
    for slot in slots {
        let linked = index.neighbours(slot, 0).unwrap();
        assert!(!linked.is_empty() && linked.len() <= 32 && linked.iter().all(|(other, _)| *other != slot));
    }
}

#[test]
fn bad_input_is_refused() {
    let space = || Space::new(Element::F32, Metric::Cosine, 2).unwrap();
    let refused = |parameters| Hnsw::new(space(), parameters).err();
    let usual = Parameters::default();
    for m in [0, 1, M_MAX + 1, 65_537, usize::MAX] {
        assert_eq!(refused(Parameters { m, ..usual }), Some(Error::Parameter("M")));
    }
    for count in [0, vector::EF_MAX + 1, usize::MAX] {
        assert!(refused(Parameters { ef_construction: count, ..usual }).is_some());
        assert!(refused(Parameters { ef_runtime: count, ..usual }).is_some());
        assert!(refused(Parameters { tail_max: count, ..usual }).is_some());
    }
    for epsilon in [-0.1, f64::NAN, f64::INFINITY] {
        assert_eq!(refused(Parameters { epsilon, ..usual }), Some(Error::Parameter("EPSILON")));
    }
    let mut index = Hnsw::new(space(), usual).unwrap();
    let vector = |numbers: &[f64]| Element::F32.bytes(numbers);
    assert_eq!(index.insert(1, &[0; 7]), Err(Error::Length { bytes: 7, expected: 8 }));
    assert_eq!(index.insert(1, &vector(&[f64::NAN, 1.0])), Err(Error::NotFinite));
    assert_eq!(index.insert(1, &vector(&[0.0, 0.0])), Err(Error::ZeroNorm));
    assert_eq!(index.insert(vector::LABEL_MAX, &vector(&[1.0, 0.0])), Err(Error::Label));
    assert_eq!((index.len(), index.tail_len()), (0, 0));
    index.insert(1, &vector(&[1.0, 0.0])).unwrap();
    let mut reader = index.reader();
    let query = vector(&[1.0, 0.5]);
    for (k, ef) in [(0, None), (1, Some(0)), (1, Some(usize::MAX))] {
        assert_eq!(reader.nearest(&query, k, ef), Err(Error::Count));
    }
    assert_eq!(reader.nearest(&vector(&[0.0, 0.0]), 1, None), Err(Error::ZeroNorm));
    for (radius, epsilon) in [(-1.0, None), (f64::NAN, None), (1.0, Some(-1.0)), (1.0, Some(f64::NAN))] {
        assert_eq!(reader.search(&query, Wish::Within { radius, epsilon }, false).err(), Some(Error::Radius));
    }
    assert_eq!(index.remove(Slot(1)), Err(Error::NoSuchSlot));
    assert_eq!(index.remove(Slot(u32::MAX)), Err(Error::NoSuchSlot));
    assert_eq!(index.neighbours(Slot(7), 0), None);
    assert_eq!(index.neighbours(Slot(0), 1), None);
}

#[test]
fn readers_and_the_owner_do_not_wait_for_each_other() {
    const STAY: usize = 100;
    let vectors = clustered(1200, 6);
    // A label says which vector it has.
    let vector_of = |label: u32| &vectors[label as usize % vectors.len()];
    let mut index =
        graph(Metric::L2, Parameters { m: 8, ef_construction: 50, tail_max: 30, ..Parameters::default() });
    let mut slots = fill(&mut index, &vectors[..600]);
    // A search that keeps all it meets.
    let everything = Wish::Nearest { k: 5000, ef: Some(5000) };
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let mut reader = index.reader();
            let (vectors, is_over) = (&vectors, &is_over);
            scope.spawn(move || {
                let mut random = Random::from_seed(thread);
                let mut asked = 0;
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) || asked < 100 {
                    let query = &vectors[random.index(vectors.len())];
                    let mut search = reader.search(query, everything, false).unwrap();
                    while !search.step(1 + random.index(200), |_| true) {}
                    let found = reader.finish(search);
                    // Whatever was found is what it is said to be, and nothing that stays is missing, whatever comes and goes meanwhile.
                    let numbers = Element::F32.numbers(query);
                    let mut times = [0; STAY];
                    for it in &found {
                        let distance =
                            Metric::L2.distance(&numbers, &Element::F32.numbers(vector_of(it.label)));
                        assert!((it.distance - distance).abs() <= 1e-4 * (1.0 + distance), "{it:?}");
                        times.iter_mut().skip(it.label as usize).take(1).for_each(|times| *times += 1);
                    }
                    assert_eq!(times, [1; STAY], "search {asked}");
                    asked += 1;
                }
            });
        }
        let mut random = Random::from_seed(9);
        for round in 1..3000 {
            let at = STAY + random.index(slots.len() - STAY);
            index.remove(slots[at]).unwrap();
            let label = (round * vectors.len() + random.index(vectors.len())) as u32;
            slots[at] = index.insert(label, vector_of(label)).unwrap();
            while index.is_behind() {
                index.work(1 + random.index(500));
            }
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    index.finish();
    assert_eq!(index.len(), 600);
    let mut reader = index.reader();
    for slot in slots {
        let (label, vector) = (index.label(slot).unwrap(), index.vector(slot).unwrap());
        let found = reader.nearest(&vector, 600, Some(600)).unwrap();
        assert!(found.len() == 600 && found.iter().any(|it| it.label == label));
    }
}

#[test]
fn a_walk_that_is_ended_gives_what_it_has_found() {
    let vectors = clustered(2000, 1);
    let mut index = graph(Metric::L2, Parameters::default());
    fill(&mut index, &vectors);
    index.finish();
    let mut reader = index.reader();
    let wish = Wish::Nearest { k: 10, ef: Some(10) };
    // Few pass: without an end the walk would go through nearly all.
    let passes = |label: u32| label.is_multiple_of(500);
    let mut search = reader.search(&vectors[0], wish, true).unwrap();
    while search.distances() < 300 {
        assert!(!search.step(50, passes));
    }
    search.end_walk();
    while !search.step(usize::MAX, passes) {}
    assert!(search.distances() < 600, "{}", search.distances());
    let found = reader.finish(search);
    assert!(found.iter().all(|found| passes(found.label)) && found[0].label == 0, "{found:?}");
}

#[test]
fn the_effort_of_linking_can_change() {
    let vectors = clustered(300, 1);
    let mut index = graph(Metric::L2, Parameters::default());
    assert_eq!(index.set_ef_construction(0), Err(Error::Parameter("EF_CONSTRUCTION")));
    let slot = index.insert(0, &vectors[0]).unwrap();
    assert_eq!(index.kept(slot).as_deref(), Some(&vectors[0][..]));
    for (label, vector) in (1..).zip(&vectors[1..]) {
        index.set_ef_construction(1 + label as usize % 50).unwrap();
        index.insert(label, vector).unwrap();
        index.finish();
    }
    let slot = index.insert(1000, &vectors[7]).unwrap();
    assert_eq!(index.links(slot, 0).unwrap().count(), 0);
    index.finish();
    assert!(index.links(slot, 0).unwrap().count() > 0 && index.links(slot, 25).is_none());
    index.remove(slot).unwrap();
    assert!(index.kept(slot).is_none() && index.links(slot, 0).is_none());
}
