//! Seeded random inputs for the tests of this crate. The seed is fixed unless `WEFT_SEED` is set, and is
//! printed (the test runner shows it when a test fails), so that every failure can be replayed.
#![forbid(unsafe_code)]

use base::random::Random;

/// How many rounds a test of random inputs makes: as many as it usually does, times `WEFT_ROUNDS` if that is set.
pub fn rounds(usual: u64) -> u64 {
    let times = std::env::var("WEFT_ROUNDS").ok().and_then(|text| text.parse().ok());
    usual * times.unwrap_or(1)
}

/// A generator that says where it began.
pub struct Sample(Random);

impl Sample {
    /// Begins from `WEFT_SEED`, or else from `default_seed`.
    pub fn new(default_seed: u64) -> Self {
        let seed = std::env::var("WEFT_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(default_seed);
        println!("seed: WEFT_SEED={seed}");
        Self(Random::from_seed(seed))
    }

    /// 64 random bits.
    pub fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// An index into something of `len` elements.
    pub fn index(&mut self, len: usize) -> usize {
        self.0.index(len)
    }

    /// A number in `low..high`.
    pub fn real(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.unit_f64()
    }

    /// Bytes of any value.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill(&mut bytes);
        bytes
    }
}
