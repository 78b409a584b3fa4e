//! A small fast generator of pseudo-random numbers: xoshiro256++ (Blackman and Vigna, "Scrambled linear
//! pseudorandom number generators", 2021), seeded through splitmix64.
//!
//! The same seed gives the same numbers on every machine, for tests and the simulator. Not for secrets.

/// The generator. Cloning it repeats the sequence.
#[derive(Clone, Debug)]
pub struct Random {
    /// Never all zero: splitmix64 yields no four zeros in a row.
    state: [u64; 4],
}

impl Random {
    /// A generator whose whole sequence follows from `seed`.
    pub fn from_seed(seed: u64) -> Self {
        let mut mix = seed;
        Self { state: std::array::from_fn(|_| splitmix64(&mut mix)) }
    }

    /// 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number in `0..bound`, every one equally likely; 0 when `bound` is 0.
    ///
    /// Lemire, "Fast random integer generation in an interval", 2019: a multiplication, and a division only in the
    /// rare case that a draw might be biased.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        let mut product = u128::from(self.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            let biased = bound.wrapping_neg() % bound;
            while (product as u64) < biased {
                product = u128::from(self.next_u64()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }

    /// An index into something of `len` elements; 0 when there are none.
    #[inline]
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// A double in `[0, 1)`, a multiple of 2^-53.
    #[inline]
    pub fn unit_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Fills `bytes` with random bits.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }

    /// Puts `items` in random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }

    /// A second generator whose sequence is independent of this one's, for a part that shall not disturb it.
    pub fn fork(&mut self) -> Self {
        Self::from_seed(self.next_u64())
    }
}

fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_published_sequences() {
        // splitmix64 with seed 1234567 and xoshiro256++ with state 1, 2, 3, 4: the vectors of Rosetta Code and of
        // the `rand_xoshiro` crate.
        let mut mix = 1_234_567;
        assert_eq!(splitmix64(&mut mix), 6_457_827_717_110_365_317);
        assert_eq!(splitmix64(&mut mix), 3_203_168_211_198_807_973);
        let mut random = Random { state: [1, 2, 3, 4] };
        let expected = [
            41_943_041,
            58_720_359,
            3_588_806_011_781_223,
            3_591_011_842_654_386,
            9_228_616_714_210_784_205,
            9_973_669_472_204_895_162,
        ];
        assert_eq!(expected.map(|_| random.next_u64()), expected);
    }

    #[test]
    fn same_seed_same_sequence() {
        let (mut a, mut b, mut c) = (Random::from_seed(9), Random::from_seed(9), Random::from_seed(10));
        assert_eq!(a.next_u64(), b.next_u64());
        assert_ne!(a.next_u64(), c.next_u64());
        assert_ne!(a.fork().next_u64(), a.next_u64());
    }

    #[test]
    fn below_stays_below_and_is_even() {
        let mut random = Random::from_seed(1);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.below(1), 0);
        assert_eq!(random.index(0), 0);
        for bound in [2, 3, 10, 1 << 33, (1 << 63) + 1, u64::MAX] {
            assert!((0..1000).all(|_| random.below(bound) < bound), "{bound}");
        }
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[random.index(7)] += 1;
        }
        // Five standard deviations of a binomial with n = 70,000 and p = 1/7 are about 463.
        assert!(counts.iter().all(|&count| count.abs_diff(10_000) < 463), "{counts:?}");
    }

    #[test]
    fn unit_doubles_fill_the_unit_interval() {
        let mut random = Random::from_seed(2);
        let drawn: Vec<f64> = (0..10_000).map(|_| random.unit_f64()).collect();
        assert!(drawn.iter().all(|value| (0.0..1.0).contains(value)));
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        assert!((mean - 0.5).abs() < 0.015, "{mean}");
    }

    #[test]
    fn fill_and_shuffle_reach_every_element() {
        let mut random = Random::from_seed(3);
        let mut bytes = [0u8; 61];
        random.fill(&mut bytes);
        assert!(bytes[56..].iter().any(|&byte| byte != 0));
        let mut items: Vec<u32> = (0..100).collect();
        random.shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
        random.shuffle::<u32>(&mut []);
    }
}
