//! How fast an exact search reads its vectors.

use crate::clock::Clock;
use base::random::Random;
use std::error::Error;
use std::hint::black_box;
use vector::kernel::{Isa, Kernel, Line, Sum};
use vector::{Element, Flat, Metric, Space};

/// Compares an exact search with reading the same amount of memory, turn by turn, and prints the medians.
pub fn scan(dimension: &str, mib: &str) -> Result<(), Box<dyn Error>> {
    let (dimension, mib): (usize, usize) = (dimension.parse()?, mib.parse()?);
    let mut random = Random::from_seed(7);
    let mut vector =
        || Element::F32.bytes(&(0..dimension).map(|_| random.unit_f64() - 0.5).collect::<Vec<_>>());
    let mut index = Flat::new(Space::new(Element::F32, Metric::L2, dimension)?);
    let count = (mib << 20) / (dimension * 4);
    let some: Vec<Vec<u8>> = (0..1000).map(|_| vector()).collect();
    for label in 0..count {
        index.insert(label as u32, &some[label % some.len()])?;
    }
    let memory = vec![1u64; count * dimension / 2];
    let (mut reading, mut searching) = (Vec::new(), Vec::new());
    for _ in 0..15 {
        let begin = Clock::start();
        black_box(sum(&memory));
        reading.push(rate(memory.len() * 8, begin));
        let begin = Clock::start();
        let mut search = index.nearest(&some[0], 10)?;
        while !search.step(&index, u32::MAX, |_| true) {}
        black_box(search.finish(&index));
        searching.push(rate(count * dimension * 4, begin));
    }
    let (reading, searching) = (median(reading), median(searching));
    println!("reading {reading:.2} GB/s, exact search {searching:.2} GB/s: {:.3}", searching / reading);
    kernels(dimension);
    Ok(())
}

/// Sums 64-bit words: eight at a time, in as many parts.
fn sum(memory: &[u64]) -> u64 {
    let mut sums = [0u64; 32];
    for some in memory.chunks_exact(32) {
        for (sum, word) in sums.iter_mut().zip(some) {
            *sum = sum.wrapping_add(*word);
        }
    }
    sums.iter().fold(0, |sum, part| sum.wrapping_add(*part))
}

fn rate(bytes: usize, begin: Clock) -> f64 {
    bytes as f64 / begin.seconds() / 1e9
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Nanoseconds for each row, from the cache.
fn kernels(dimension: usize) {
    for element in Element::ALL {
        let bytes = vec![1; element.kept_bytes(dimension)];
        let rows: Vec<Vec<Line>> = (0..5).map(|_| Line::pack(&bytes)).collect();
        for sum in [Sum::Dot, Sum::L2] {
            print!("{element:?} {sum:?}:");
            for isa in Isa::ALL {
                let Some(kernel) = Kernel::with(isa, element, sum) else { continue };
                let four = [&rows[1][..], &rows[2], &rows[3], &rows[4]];
                let times = 400_000;
                let begin = Clock::start();
                for _ in 0..times {
                    black_box(kernel.one(black_box(&rows[0]), &rows[1]));
                }
                let one = begin.seconds() * 1e9 / f64::from(times);
                let begin = Clock::start();
                for _ in 0..times {
                    black_box(kernel.four(black_box(&rows[0]), &four, &four));
                }
                let four = begin.seconds() * 1e9 / f64::from(times) / 4.0;
                print!(" {isa:?} {one:.1} ns, by fours {four:.1} ns;");
            }
            println!();
        }
    }
}
