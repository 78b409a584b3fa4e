//! What stands beside a vector in a query: EF_RUNTIME, EPSILON, HYBRID_POLICY and so on.

use crate::error::{Code, Error};
use crate::schema::Algorithm;
use base::number::{parse_f64, parse_u64};

/// How the nearest are found among those that pass a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// Every vector that passes is looked at.
    Each,
    /// The graph is walked. BATCH_SIZE changes nothing of that: the filter is asked on the way.
    Walk,
}

/// What the options of a part say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Chosen {
    pub ef: Option<usize>,
    pub epsilon: Option<f64>,
    pub policy: Option<Policy>,
    has_batch_size: bool,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Nearest,
    NearestThatPass,
    Within,
}

/// The names that options have behind `=> {$…}`. Others are unknown there.
pub(crate) const NAMES: &[&[u8]] = &[
    b"ef_runtime",
    b"epsilon",
    b"hybrid_policy",
    b"batch_size",
    b"search_window_size",
    b"search_buffer_capacity",
    b"use_search_history",
    b"rerank",
    b"shard_k_ratio",
];

fn because(code: Code, why: &str) -> Error {
    Error::new(code, format!("{why} (Error parsing vector similarity parameters)"))
}

impl Chosen {
    /// Reads the options of a part.
    pub fn read(options: &[(Vec<u8>, Vec<u8>)], algorithm: &Algorithm, asked: Asked) -> Result<Self, Error> {
        let mut chosen = Self::default();
        for (name, value) in options {
            chosen.set(&name.to_ascii_lowercase(), value, algorithm, asked)?;
        }
        if chosen.policy == Some(Policy::Each) && chosen.has_batch_size {
            return Err(because(Code::NoBatches, "'batch size' is irrelevant for the selected policy"));
        }
        if chosen.policy == Some(Policy::Each) && chosen.ef.is_some() {
            return Err(because(Code::NoWalk, "'EF_RUNTIME' is irrelevant for the selected policy"));
        }
        Ok(chosen)
    }

    fn set(&mut self, name: &[u8], value: &[u8], algorithm: &Algorithm, asked: Asked) -> Result<(), Error> {
        let invalid = || because(Code::Value, "Invalid value was given");
        let unknown = || because(Code::Option, "Invalid option");
        let count =
            || parse_u64(value).and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
        let is_graph = !matches!(algorithm, Algorithm::Flat { .. });
        let is_vamana = matches!(algorithm, Algorithm::Vamana { .. });
        match name {
            b"ef_runtime" if is_graph && !is_vamana && asked != Asked::Within => {
                self.ef = Some(count().filter(|ef| *ef <= vector::EF_MAX).ok_or_else(invalid)?);
            }
            b"search_window_size" if is_vamana => {
                self.ef = Some(count().filter(|ef| *ef <= vector::EF_MAX).ok_or_else(invalid)?);
            }
            b"epsilon" if asked != Asked::Within => {
                return Err(because(
                    Code::NotRange,
                    "range query attributes were sent for a non-range query",
                ));
            }
            b"epsilon" if is_graph => {
                let epsilon = parse_f64(value).filter(|epsilon| *epsilon > 0.0 && epsilon.is_finite());
                self.epsilon = Some(epsilon.ok_or_else(invalid)?);
            }
            b"hybrid_policy" | b"batch_size" if asked != Asked::NearestThatPass => {
                return Err(because(
                    Code::NotHybrid,
                    "hybrid query attributes were sent for a non-hybrid query",
                ));
            }
            b"batch_size" => {
                count().ok_or_else(invalid)?;
                self.has_batch_size = true;
            }
            b"hybrid_policy" => {
                self.policy = Some(match value.to_ascii_lowercase().as_slice() {
                    b"adhoc_bf" => Policy::Each,
                    b"batches" => Policy::Walk,
                    _ => return Err(because(Code::Value, "invalid hybrid policy was given")),
                });
            }
            b"shard_k_ratio" if asked != Asked::Within => {
                // How many of the k nearest a shard should look for of its own. Here all shards look for all k together.
                let ratio = parse_f64(value).filter(|ratio| *ratio > 0.0 && *ratio <= 1.0);
                ratio.ok_or_else(|| because(Code::Value, "Invalid shard k ratio value"))?;
            }
            _ => return Err(unknown()),
        }
        Ok(())
    }
}
