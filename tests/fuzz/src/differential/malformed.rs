//! Broken requests.

use super::pair::Pair;

/// Differences.
pub fn compare(_pair: &Pair) -> Vec<String> {
    Vec::new()
}
