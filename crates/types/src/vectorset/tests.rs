//! Against brute force in f64, and against themselves.

use super::*;
use crate::remains::Remains;
use crate::sample::Sample;
use std::cell::Cell;
use std::collections::BTreeMap;

const DIMENSION: usize = 24;

fn shape(quant: Quant) -> Shape {
    Shape { dimension: DIMENSION, quant, m: 16, projection: None }
}

/// Points around some centres.
fn points(count: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut random = Sample::new(seed);
    let mut normal = || (0..4).map(|_| random.below(2000) as f32 / 1000.0 - 1.0).sum::<f32>();
    let centres: Vec<Vec<f32>> = (0..30).map(|_| (0..DIMENSION).map(|_| normal()).collect()).collect();
    (0..count).map(|n| centres[n * 7 % 30].iter().map(|it| it + 0.5 * normal()).collect()).collect()
}

fn name(n: usize) -> Vec<u8> {
    format!("element-{n}").into_bytes()
}

fn attributes(n: usize) -> Vec<u8> {
    if n.is_multiple_of(3) { Vec::new() } else { format!("{}", n % 50).into_bytes() }
}

fn filled(quant: Quant, points: &[Vec<f32>]) -> VectorSet {
    let mut set = VectorSet::new(shape(quant));
    for (n, point) in points.iter().enumerate() {
        let vector = quant.vector(point).unwrap();
        assert_eq!(set.add(&name(n), &vector, Some(&attributes(n)), 100), Ok(true));
    }
    set
}

fn wanted(count: usize, ef: usize) -> Wanted {
    Wanted { count, ef, exact: false, effort: None }
}

fn all(_: &[u8]) -> bool {
    true
}

/// One less the cosine.
fn by_definition(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Distances by definition of those that pass, nearest first.
fn exact(points: &[Vec<f32>], query: &[f32], passes: impl Fn(usize) -> bool) -> Vec<(f64, Vec<u8>)> {
    let those = points.iter().enumerate().filter(|(n, _)| passes(*n));
    let mut all: Vec<(f64, Vec<u8>)> =
        those.map(|(n, point)| (by_definition(query, point), name(n))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all
}

/// Which share of the 10 nearest is found, of some queries.
fn recall(set: &VectorSet, points: &[Vec<f32>], ef: usize) -> f64 {
    let queries = self::points(40, 77);
    let mut hits = 0;
    for query in &queries {
        let expected = exact(points, query, |_| true);
        let found = set.nearest(&set.shape().quant.vector(query).unwrap(), &wanted(10, ef), &all);
        let within = expected[9].0 + 1e-6;
        let is_near = |hit: &&Hit| {
            let at = points.iter().enumerate().find(|(n, _)| set.name(hit.number) == Some(&name(*n)[..]));
            at.is_some_and(|(_, point)| by_definition(query, point) <= within)
        };
        hits += found.iter().filter(is_near).count();
    }
    hits as f64 / (queries.len() * 10) as f64
}

#[test]
fn an_exact_search_finds_what_the_definition_says() {
    let points = points(700, 1);
    for (quant, error) in [(Quant::None, 1e-6), (Quant::Q8, 0.02)] {
        let set = filled(quant, &points);
        for (round, query) in self::points(30, 5).iter().enumerate() {
            let passes = |text: &[u8]| text < b"2";
            let effort = round.is_multiple_of(2).then_some(1);
            let wanted = Wanted { count: 25, ef: 1, exact: true, effort };
            let found = set.nearest(&quant.vector(query).unwrap(), &wanted, &passes);
            let expected = exact(&points, query, |n| {
                let text = attributes(n);
                effort.is_none() || !text.is_empty() && passes(&text)
            });
            assert_eq!(found.len(), 25);
            for (hit, (distance, name)) in found.iter().zip(&expected) {
                assert!((f64::from(hit.distance) - distance).abs() < error, "{hit:?} {distance}");
                assert!(quant == Quant::Q8 || set.name(hit.number) == Some(name));
            }
        }
    }
}

#[test]
fn bits_are_compared_exactly() {
    let points = points(500, 2);
    let set = filled(Quant::Bin, &points);
    let query = &self::points(1, 5)[0];
    let differ =
        |point: &Vec<f32>| point.iter().zip(query).filter(|(a, b)| (**a > 0.0) != (**b > 0.0)).count();
    let mut expected: Vec<usize> = points.iter().map(differ).collect();
    expected.sort_unstable();
    let found =
        set.nearest(&Quant::Bin.vector(query).unwrap(), &Wanted { exact: true, ..wanted(100, 1) }, &all);
    let distances: Vec<f32> = found.iter().map(|hit| hit.distance).collect();
    let expected: Vec<f32> = expected[..100].iter().map(|n| *n as f32 * 2.0 / DIMENSION as f32).collect();
    assert_eq!(distances, expected);
}

#[test]
fn the_graph_finds_nearly_all() {
    let points = points(3000, 3);
    for (quant, least) in [(Quant::None, 0.97), (Quant::Q8, 0.93)] {
        let recall = recall(&filled(quant, &points), &points, 100);
        assert!(recall >= least, "{quant:?}: {recall}");
    }
}

#[test]
fn what_comes_and_goes_is_as_in_a_map() {
    let mut random = Sample::new(4);
    let points = points(400, 4);
    let quant = Quant::Q8;
    let (mut set, mut map) = (VectorSet::new(shape(quant)), BTreeMap::new());
    for round in 0..6000 {
        let (n, at) = (random.below(300) as usize, random.below(400) as usize);
        let vector = quant.vector(&points[at]).unwrap();
        match random.below(if round < 3000 { 4 } else { 8 }) {
            0 | 1 => {
                let is_new = set.add(&name(n), &vector, None, 20);
                let old = map.get(&name(n)).map(|(_, text): &(Vector, Vec<u8>)| text.clone());
                assert_eq!(is_new, Ok(old.is_none()));
                map.insert(name(n), (vector, old.unwrap_or_default()));
            }
            2 => {
                let text = attributes(at);
                assert_eq!(set.add(&name(n), &vector, Some(&text), 20), Ok(!map.contains_key(&name(n))));
                map.insert(name(n), (vector, text));
            }
            3 => {
                if let Some(number) = set.find(&name(n)) {
                    set.set_attributes(number, &attributes(at));
                    map.get_mut(&name(n)).expect("as in the set").1 = attributes(at);
                }
            }
            _ => assert_eq!(set.remove(&name(n)), map.remove(&name(n)).is_some()),
        }
        if round % 500 == 0 {
            assert_same(&set, &map);
            assert_same(&set.clone(), &map);
        }
    }
    for n in 0..300 {
        assert_eq!(set.remove(&name(n)), map.remove(&name(n)).is_some());
    }
    assert!(set.is_empty() && set.text_bytes == 0 && set.with_attributes() == 0);
}

fn assert_same(set: &VectorSet, map: &BTreeMap<Vec<u8>, (Vector, Vec<u8>)>) {
    assert_eq!(set.len(), map.len());
    let rank = set.by_rank();
    for (at, (number, (name, (vector, text)))) in set.iter().zip(map).enumerate() {
        assert_eq!(
            (set.name(number), set.find(name), rank(at)),
            (Some(&name[..]), Some(number), Some(number))
        );
        assert_eq!(set.attributes(number).unwrap_or_default(), text);
        let kept = set.kept(number).unwrap();
        assert_eq!((&kept.bytes[..], kept.norm, kept.range), (&vector.kept[..], vector.norm, vector.range));
        let found = set.nearest(vector, &wanted(5, 100), &all);
        let is_there = |hit: &Hit| hit.number == number || hit.distance <= found[0].distance + 1e-3;
        assert!(found.iter().any(is_there));
    }
    assert_eq!(set.text_bytes, set.entries.iter().flatten().map(Entry::text_bytes).sum::<usize>());
    assert_eq!(set.with_attributes(), map.values().filter(|(_, text)| !text.is_empty()).count());
}

#[test]
fn recall_stands_churn() {
    let points = points(2500, 6);
    let mut set = filled(Quant::Q8, &points[..1500]);
    for n in 0..1350 {
        assert!(set.remove(&name(n)));
    }
    for (n, point) in points.iter().enumerate().skip(1500) {
        set.add(&name(n), &Quant::Q8.vector(point).unwrap(), None, 100).unwrap();
    }
    let before = filled(Quant::Q8, &points[1350..]);
    let queries = self::points(40, 78);
    let mut same = 0;
    for query in &queries {
        let query = Quant::Q8.vector(query).unwrap();
        let expected = set.nearest(&query, &Wanted { exact: true, ..wanted(10, 1) }, &all);
        let found = set.nearest(&query, &wanted(10, 100), &all);
        same += found.iter().filter(|hit| hit.distance <= expected[9].distance).count();
    }
    assert!(same >= queries.len() * 10 * 95 / 100, "{same}");
    assert_eq!(set.len(), before.len());
    // What was removed is given back, but for what is to be used again.
    assert!(set.bytes() < before.bytes() * 5 / 2, "{} {}", set.bytes(), before.bytes());
}

#[test]
fn a_set_comes_back_from_its_parts() {
    let points = points(1500, 7);
    for quant in Quant::ALL {
        let mut set = filled(quant, &points);
        (0..300).for_each(|n| assert!(set.remove(&name(n))));
        let numbers: Vec<u32> = (0..set.numbers_end()).filter(|number| set.node(*number).is_some()).collect();
        let mut records = Vec::new();
        for node in numbers.iter().filter_map(|number| set.node(*number)) {
            for (level, links) in node.links.iter().enumerate() {
                for other in links {
                    assert!(
                        set.node(other.number).unwrap().links[level]
                            .iter()
                            .any(|it| it.number == node.number),
                        "both ways"
                    );
                }
            }
            let place = |other: &Hit| numbers.binary_search(&other.number).unwrap() as u32;
            records.push(Record {
                name: node.name.to_vec(),
                attributes: node.attributes.unwrap_or_default().to_vec(),
                vector: Vector {
                    kept: node.kept.bytes.to_vec(),
                    norm: node.kept.norm,
                    range: node.kept.range,
                },
                links: node.links.iter().map(|links| links.iter().map(place).collect()).collect(),
            });
        }
        let again = VectorSet::of_records(shape(quant), records).unwrap();
        assert_eq!((again.len(), again.with_attributes()), (1200, set.with_attributes()));
        for (a, b) in set.iter().zip(again.iter()) {
            assert_eq!((set.name(a), set.attributes(a)), (again.name(b), again.attributes(b)));
            let (a, b) = (set.kept(a).unwrap(), again.kept(b).unwrap());
            assert_eq!((a.bytes, a.norm, a.range), (b.bytes, b.norm, b.range));
        }
        if quant != Quant::Bin {
            let (before, after) = (recall(&set, &points[300..], 100), recall(&again, &points[300..], 100));
            assert!(after >= before - 0.03, "{quant:?}: {after} after {before}");
        }
    }
}

#[test]
fn parts_that_cannot_be_are_refused() {
    let vector = Quant::Q8.vector(&points(1, 1)[0]).unwrap();
    let record = |name: &[u8], links: Vec<Vec<u32>>| Record {
        name: name.to_vec(),
        attributes: Vec::new(),
        vector: vector.clone(),
        links,
    };
    let read = |records: Vec<Record>| VectorSet::of_records(shape(Quant::Q8), records).map(|set| set.len());
    assert_eq!(read(vec![]), Err("a vector set without elements"));
    assert_eq!(
        read(vec![record(b"a", vec![vec![]]), record(b"a", vec![vec![]])]),
        Err("two elements of one name")
    );
    assert_eq!(read(vec![record(b"a", vec![])]), Err("the links of an element"));
    assert_eq!(read(vec![record(b"a", vec![vec![]; 99])]), Err("the links of an element"));
    for kept in [vec![], vec![0; DIMENSION + 1]] {
        let broken = Record { vector: Vector { kept, ..vector.clone() }, ..record(b"a", vec![vec![]]) };
        assert_eq!(read(vec![broken]), Err("the vector of an element"));
    }
    let broken =
        Record { vector: Vector { range: f32::NAN, ..vector.clone() }, ..record(b"a", vec![vec![]]) };
    assert_eq!(read(vec![broken]), Err("the vector of an element"));
    // Links that lead nowhere do no harm.
    let odd = vec![record(b"a", vec![vec![1, 1, 7, 0]]), record(b"b", vec![vec![], vec![0]])];
    assert_eq!(read(odd), Ok(2));
}

#[test]
fn filters_are_asked_no_more_often_than_they_may() {
    let points = points(3000, 8);
    let set = filled(Quant::None, &points);
    let query = Quant::None.vector(&points[0]).unwrap();
    let asked = Cell::new(0);
    let passes = |text: &[u8]| {
        asked.set(asked.get() + 1);
        text == b"7"
    };
    let search = |effort| set.nearest(&query, &Wanted { effort: Some(effort), ..wanted(10, 100) }, &passes);
    let some = search(100);
    // Those without attributes are not asked, and count.
    assert!((1..=100).contains(&asked.take()));
    assert!(some.iter().all(|hit| set.attributes(hit.number) == Some(b"7")));
    let expected = exact(&points, &points[0], |n| attributes(n) == b"7");
    let all = search(100_000);
    let is_expected = |(hit, (_, name)): (&Hit, &(f64, Vec<u8>))| set.name(hit.number) == Some(name);
    assert!(all.len() == 10 && all.iter().zip(&expected).filter(|it| is_expected(*it)).count() >= 8);
}

#[test]
fn a_search_in_steps_finds_the_same_and_outlives_what_is_removed() {
    let points = points(3000, 11);
    let mut set = filled(Quant::Q8, &points);
    let passes = |text: &[u8]| text < b"5";
    for (exact, effort) in
        [(false, None), (true, None), (false, Some(500)), (true, Some(500)), (false, Some(1))]
    {
        let wanted = Wanted { exact, effort, ..wanted(20, 150) };
        let query = Quant::Q8.vector(&points[7]).unwrap();
        let whole = set.nearest(&query, &wanted, &passes);
        for some in [1, 7, 300] {
            let (mut nearing, mut steps) = (set.begin_nearest(query.clone(), &wanted), 1);
            let distances = || some;
            while !nearing.step(&set, &mut distances(), &passes) {
                steps += 1;
            }
            assert!(some > 7 || effort == Some(1) || steps > 20, "{steps}");
            assert_eq!(nearing.finish(), whole);
        }
    }
    for (exact, least) in [(false, 1), (true, 20)] {
        let wanted = Wanted { exact, ..wanted(20, 150) };
        let query = Quant::Q8.vector(&points[7]).unwrap();
        let mut nearing = set.begin_nearest(query, &wanted);
        let from = set.len();
        let mut left = 0..;
        while !nearing.step(&set, &mut 5, &all) {
            let n = left.next().unwrap_or(0);
            if n < 1000 {
                set.remove(&name(from - 1 - n));
            }
        }
        let found = nearing.finish();
        assert!(found.len() >= least && found.iter().all(|hit| set.name(hit.number).is_some()));
    }
}

#[test]
fn links_lead_to_what_is_near() {
    let points = points(500, 9);
    let set = filled(Quant::None, &points);
    for number in set.iter() {
        let levels = set.links(number).unwrap();
        assert!(!levels.is_empty() && levels.len() <= set.level() + 1);
        let ground = levels.last().unwrap();
        assert!(!ground.is_empty() && ground.len() <= 32);
        assert!(ground.iter().all(|hit| hit.number != number && set.name(hit.number).is_some()));
    }
    assert_eq!(set.links(10_000), None);
    let alone = filled(Quant::None, &points[..1]);
    assert_eq!(alone.links(0), Some(vec![vec![]; alone.level() + 1]));
}

#[test]
fn large_ones_are_freed_step_by_step() {
    let points = points(2000, 10);
    let set = filled(Quant::Q8, &points);
    let bytes = set.bytes();
    let mut remains = Remains::of_vector_set(set).unwrap();
    assert_eq!(remains.bytes(), bytes);
    let mut steps = 0;
    let mut before = bytes;
    while remains.free_step() {
        assert!(remains.bytes() <= before);
        // The graph goes in parts as well.
        assert!(before - remains.bytes() <= bytes / 4, "{before} of {bytes}, then {}", remains.bytes());
        before = remains.bytes();
        steps += 1;
    }
    assert!(steps > 100 && remains.bytes() == 0, "{steps} {}", remains.bytes());
    assert!(Remains::of_vector_set(filled(Quant::Q8, &points[..1])).is_none());
}

#[test]
fn the_largest_dimension_works() {
    let numbers =
        |n: usize| (0..DIMENSION_MAX).map(|at| ((at * 31 + n * 17) % 256) as f32 - 128.0).collect::<Vec<_>>();
    for quant in Quant::ALL {
        let mut set = VectorSet::new(Shape { dimension: DIMENSION_MAX, ..shape(quant) });
        for n in 0..5 {
            set.add(&name(n), &quant.vector(&numbers(n)).unwrap(), None, 10).unwrap();
        }
        let found = set.nearest(&quant.vector(&numbers(3)).unwrap(), &wanted(1, 10), &all);
        assert_eq!(set.name(found[0].number), Some(&name(3)[..]));
        // Codes are not quite as long as what they stand for.
        assert!(found[0].distance < 0.02);
    }
}
