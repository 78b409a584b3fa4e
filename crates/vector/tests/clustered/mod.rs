//! Clustered vectors, and how many of the nearest are found.

use base::random::Random;
use vector::{Element, Found, Hnsw, Metric, Parameters, Reader, Slot, Space};

pub const DIMENSION: usize = 64;

/// Points around some centres.
pub fn clustered(count: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut random = Random::from_seed(99);
    let normal = |random: &mut Random| (0..6).map(|_| random.unit_f64() - 0.5).sum::<f64>();
    let centres: Vec<Vec<f64>> =
        (0..40).map(|_| (0..DIMENSION).map(|_| normal(&mut random)).collect()).collect();
    let mut random = Random::from_seed(seed);
    (0..count)
        .map(|_| {
            let centre = &centres[random.index(centres.len())];
            let point: Vec<f64> = centre.iter().map(|it| it + 0.6 * normal(&mut random)).collect();
            Element::F32.bytes(&point)
        })
        .collect()
}

pub fn graph(metric: Metric, parameters: Parameters) -> Hnsw {
    Hnsw::new(Space::new(Element::F32, metric, DIMENSION).unwrap(), parameters).unwrap()
}

/// Adds vectors, waiting as a server would.
pub fn fill(index: &mut Hnsw, vectors: &[Vec<u8>]) -> Vec<Slot> {
    let add = |(label, vector): (usize, &Vec<u8>)| {
        let slot = index.insert(label as u32, vector).unwrap();
        while index.is_behind() {
            index.work(300);
        }
        slot
    };
    vectors.iter().enumerate().map(add).collect()
}

/// Labels of the 10 nearest of those that pass, by definition.
pub fn exact(
    metric: Metric,
    vectors: &[Vec<u8>],
    query: &[u8],
    passes: impl Fn(u32) -> bool,
) -> Vec<(f64, u32)> {
    let query = Element::F32.numbers(query);
    let mut all: Vec<(f64, u32)> = (0..vectors.len() as u32)
        .filter(|label| passes(*label))
        .map(|label| (metric.distance(&query, &Element::F32.numbers(&vectors[label as usize])), label))
        .collect();
    all.sort_by(|a, b| a.partial_cmp(b).unwrap());
    all.truncate(10);
    all
}

/// Which share of the 10 nearest is found, on the average of some queries.
pub fn recall(
    reader: &mut Reader,
    metric: Metric,
    vectors: &[Vec<u8>],
    ef: usize,
    passes: impl Fn(u32) -> bool,
    is_filtered: bool,
) -> f64 {
    let queries = clustered(50, 1234);
    let mut hits = 0;
    for query in &queries {
        let wish = vector::Wish::Nearest { k: 10, ef: Some(ef) };
        let mut search = reader.search(query, wish, is_filtered).unwrap();
        while !search.step(100, &passes) {}
        let found: Vec<Found> = reader.finish(search);
        assert!(found.len() <= 10 && found.windows(2).all(|pair| pair[0].distance <= pair[1].distance));
        let expected = exact(metric, vectors, query, &passes);
        hits += found.iter().filter(|it| expected.iter().any(|(_, label)| *label == it.label)).count();
    }
    hits as f64 / (queries.len() * 10) as f64
}
