//! Seeded random inputs for the tests of this crate. The seed is fixed unless `WEFT_SEED` is set, and is
//! printed (the test runner shows it when a test fails), so that every failure can be replayed.
#![forbid(unsafe_code)]

/// How many rounds a test of random inputs makes: as many as it usually does, times `WEFT_ROUNDS` if that is set.
pub fn rounds(usual: u64) -> u64 {
    let times = std::env::var("WEFT_ROUNDS").ok().and_then(|text| text.parse().ok());
    usual * times.unwrap_or(1)
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub struct Sample(u64);

impl Sample {
    pub fn new(default_seed: u64) -> Self {
        let seed = std::env::var("WEFT_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(default_seed);
        println!("seed: WEFT_SEED={seed}");
        Sample(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn index(&mut self, bound: usize) -> usize {
        self.below(bound as u64) as usize
    }

    /// A number in `low..high`.
    pub fn real(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.next() >> 11) as f64 / (1u64 << 53) as f64)
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}
