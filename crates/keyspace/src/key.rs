//! A key together with its hash, so that a hash is computed once per command however often the key is looked up.

use base::hash::HashSeed;

/// Longest key in bytes, as in Redis.
pub const KEY_BYTES_MAX: usize = 512 << 20;

#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    pub bytes: &'a [u8],
    pub hash: u64,
}

impl<'a> Key<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8], seed: &HashSeed) -> Self {
        Self { bytes, hash: seed.hash(bytes) }
    }
}
