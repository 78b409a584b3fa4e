//! Vectors around centres, and which are nearest.

use base::random::Random;

/// Neighbours that are asked for.
pub const K: usize = 10;
const CENTRES: usize = 200;
/// How far vectors lie from their centres, to how far these lie from each other.
const SPREAD: f32 = 0.8;

/// Vectors, one after the other, always the same.
pub struct Points {
    random: Random,
    dimension: usize,
    centres: Vec<Vec<f32>>,
    /// In which directions vectors differ from their centres; none: in all.
    directions: Vec<Vec<f32>>,
}

impl Points {
    /// `latent`: in how many directions vectors of one centre differ, as those of texts do in few; 0: in all.
    pub fn new(dimension: usize, latent: usize) -> Points {
        let mut random = Random::from_seed(1);
        let centres = (0..CENTRES).map(|_| point(&mut random, dimension)).collect();
        let directions = (0..latent).map(|_| point(&mut random, dimension)).collect();
        Points { random, dimension, centres, directions }
    }

    pub fn dimension(&self) -> usize {
        self.dimension
    }

    pub fn next(&mut self) -> Vec<f32> {
        let mut vector = self.centres[self.random.index(CENTRES)].clone();
        if self.directions.is_empty() {
            let noise = point(&mut self.random, self.dimension);
            vector.iter_mut().zip(noise).for_each(|(at, noise)| *at += SPREAD * noise);
            return vector;
        }
        let share = SPREAD / (self.directions.len() as f32).sqrt();
        for direction in &self.directions {
            let far = share * normal(&mut self.random) * std::f32::consts::SQRT_2;
            vector.iter_mut().zip(direction).for_each(|(at, part)| *at += far * part);
        }
        vector
    }

    pub fn take(&mut self, count: usize) -> Vec<Vec<f32>> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// About normally distributed, with a variance of a half.
fn normal(random: &mut Random) -> f32 {
    (0..6).map(|_| random.unit_f64() - 0.5).sum::<f64>() as f32
}

fn point(random: &mut Random, dimension: usize) -> Vec<f32> {
    (0..dimension).map(|_| normal(random)).collect()
}

/// Vectors, each with a random number and one that goes with where it lies, so that ranges of either are filters of any size; and queries.
pub struct Data {
    pub dimension: usize,
    pub vectors: Vec<Vec<f32>>,
    /// Of each vector: a random number, and how far it reaches in one direction, as shares of all vectors below it.
    pub shares: Vec<[f64; 2]>,
    pub queries: Vec<Vec<f32>>,
}

impl Data {
    pub fn new(count: usize, queries: usize, dimension: usize) -> Data {
        let mut points = Points::new(dimension, 0);
        let (vectors, queries) = (points.take(count), points.take(queries));
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|a, b| vectors[*a][0].total_cmp(&vectors[*b][0]));
        let mut shares = vec![[0.0; 2]; count];
        for (at, vector) in order.into_iter().enumerate() {
            shares[vector] = [points.random.unit_f64(), at as f64 / count as f64];
        }
        Data { dimension, vectors, shares, queries }
    }

    /// The nearest of those that pass, for the first queries.
    pub fn exact(&self, queries: usize, passes: impl Fn(&[f64; 2]) -> bool) -> Vec<Vec<usize>> {
        let there: Vec<usize> = (0..self.vectors.len()).filter(|at| passes(&self.shares[*at])).collect();
        let nearest = |query: &Vec<f32>| {
            let distance = |at: &usize| {
                let parts = self.vectors[*at].iter().zip(query).map(|(a, b)| (a - b) * (a - b));
                parts.sum::<f32>()
            };
            let mut all: Vec<(f32, usize)> = there.iter().map(|at| (distance(at), *at)).collect();
            let count = K.min(all.len());
            if count > 0 {
                all.select_nth_unstable_by(count - 1, |a, b| a.0.total_cmp(&b.0));
            }
            all[..count].iter().map(|(_, at)| *at).collect()
        };
        self.queries.iter().take(queries).map(nearest).collect()
    }
}

/// A vector as a field has it.
pub fn blob(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Which share of what is there was found.
pub fn recall(found: &[Vec<usize>], exact: &[Vec<usize>]) -> f64 {
    let there: usize = exact.iter().map(Vec::len).sum();
    let both =
        found.iter().zip(exact).map(|(found, exact)| exact.iter().filter(|at| found.contains(at)).count());
    both.sum::<usize>() as f64 / there.max(1) as f64
}
