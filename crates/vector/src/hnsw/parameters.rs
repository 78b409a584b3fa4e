//! What a graph is made with.

use crate::{EF_MAX, Error};

/// M goes up to this.
pub const M_MAX: usize = 4096;

/// Parameters of a graph, with their usual values as defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// Links of a vector on each level; on the ground twice as many.
    pub m: usize,
    /// How many candidates for links are looked for.
    pub ef_construction: usize,
    /// How many candidates a search keeps that does not say otherwise.
    pub ef_runtime: usize,
    /// How far beyond the radius a search for a range looks, as a share of it, if it does not say otherwise.
    pub epsilon: f64,
    /// Whether the graph is walked by codes of a byte for each element; what comes out is compared by the vectors themselves.
    pub by_codes: bool,
    /// From so many vectors on that are not linked yet, those who write should wait: [`crate::Hnsw::is_behind`].
    pub tail_max: usize,
    /// What levels are drawn from.
    pub seed: u64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            m: 16,
            ef_construction: 200,
            ef_runtime: 10,
            epsilon: 0.01,
            by_codes: false,
            tail_max: 256,
            seed: 0x6772_6170_6873,
        }
    }
}

impl Parameters {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let is_count = |number: usize| (1..=EF_MAX).contains(&number);
        match self {
            _ if !(2..=M_MAX).contains(&self.m) => Err(Error::Parameter("M")),
            _ if !is_count(self.ef_construction) => Err(Error::Parameter("EF_CONSTRUCTION")),
            _ if !is_count(self.ef_runtime) => Err(Error::Parameter("EF_RUNTIME")),
            _ if !(self.epsilon >= 0.0 && self.epsilon.is_finite()) => Err(Error::Parameter("EPSILON")),
            _ if !is_count(self.tail_max) => Err(Error::Parameter("the tail")),
            _ => Ok(()),
        }
    }
}
