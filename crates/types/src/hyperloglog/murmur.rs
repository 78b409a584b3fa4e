//! MurmurHash64A (Austin Appleby, public domain), little endian on every machine, and what HyperLogLog reads
//! from it.
#![forbid(unsafe_code)]

use super::{INDEX_BITS, RANK_BITS, REGISTERS};

/// The seed of Redis; a part of the format, since it decides which register an element belongs to.
const SEED: u64 = 0xadc8_3b19;
const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
const SHIFT: u32 = 47;

/// The register an element belongs to, and the rank (1 to 51): the position of the lowest set bit in the
/// rest.
pub(super) fn index_and_rank(element: &[u8]) -> (usize, u8) {
    let hash = murmur64a(element, SEED);
    let index = hash as usize & (REGISTERS - 1);
    // The guard bit bounds the rank where all the remaining bits are zero.
    let rest = (hash >> INDEX_BITS) | (1 << RANK_BITS);
    (index, rest.trailing_zeros() as u8 + 1)
}

fn murmur64a(key: &[u8], seed: u64) -> u64 {
    let mut hash = seed ^ (key.len() as u64).wrapping_mul(MULTIPLIER);
    let words = key.chunks_exact(8);
    let tail = words.remainder();
    for word in words {
        let mut k = u64::from_le_bytes(word.try_into().expect("chunks of 8 bytes"));
        k = k.wrapping_mul(MULTIPLIER);
        k ^= k >> SHIFT;
        k = k.wrapping_mul(MULTIPLIER);
        hash = (hash ^ k).wrapping_mul(MULTIPLIER);
    }
    if !tail.is_empty() {
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> SHIFT;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_is_within_its_range() {
        for n in 0..100_000u32 {
            let (index, rank) = index_and_rank(&n.to_be_bytes());
            assert!(index < REGISTERS);
            assert!((1..=RANK_BITS as u8 + 1).contains(&rank));
        }
    }
}
