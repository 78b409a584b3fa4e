//! The hash that places a key in a table. Seeded per process, so that nobody outside can build collisions.

use ahash::{AHasher, RandomState};
use std::collections::HashMap;
use std::hash::BuildHasher;

/// The seed of every table of one process. Cheap to clone; all shards hold the same.
#[derive(Clone)]
pub struct HashSeed(RandomState);

impl HashSeed {
    /// A seed from 128 random bits.
    pub fn new(low: u64, high: u64) -> Self {
        Self(RandomState::with_seeds(low, high, low.rotate_left(32) ^ 0x9e37_79b9_7f4a_7c15, !high))
    }

    /// The 64-bit hash of a key. All bits are usable; tables take the top ones for the segment.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.0.hash_one(key)
    }
}

/// So that it can be the hash of maps, too: many times quicker than the standard one.
impl BuildHasher for HashSeed {
    type Hasher = AHasher;

    #[inline]
    fn build_hasher(&self) -> AHasher {
        self.0.build_hasher()
    }
}

/// A map that is looked into for every command of a kind.
pub type QuickMap<K, V> = HashMap<K, V, HashSeed>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_hash_other_seed_other_hash() {
        let (a, b) = (HashSeed::new(1, 2), HashSeed::new(1, 3));
        assert_eq!(a.hash(b"key"), a.clone().hash(b"key"));
        assert_ne!(a.hash(b"key"), b.hash(b"key"));
    }
}
