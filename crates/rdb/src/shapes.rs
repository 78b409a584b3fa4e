//! Which form a collection takes when it has been read.

use base::hash::HashSeed;
use types::hash::HashLimits;
use types::list::ListLimit;
use types::set::SetLimits;
use types::zset::ZSetLimits;

/// The limits of packed forms, and the seed of all tables.
#[derive(Clone, Copy)]
pub struct Shapes<'a> {
    pub list: ListLimit,
    pub set: SetLimits,
    pub hash: HashLimits,
    pub zset: ZSetLimits,
    pub seed: &'a HashSeed,
}

impl<'a> Shapes<'a> {
    /// The limits that Redis has by default.
    pub fn with_defaults(seed: &'a HashSeed) -> Self {
        Self {
            list: ListLimit::default(),
            set: SetLimits::default(),
            hash: HashLimits::default(),
            zset: ZSetLimits::default(),
            seed,
        }
    }
}
