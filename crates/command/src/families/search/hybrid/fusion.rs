//! COMBINE: how documents that words have found and documents that a vector has found become one list.

use super::arguments::pairs;
use crate::Error;
use crate::families::search::query::words::{Words, bad_arguments, shown};
use base::number::{parse_f64, parse_i64};
use search::schema::Metric;

/// So many of each list are looked at, unless WINDOW says otherwise.
const WINDOW_DEFAULT: usize = 20;
/// CONSTANT (Cormack, Clarke and Büttcher: Reciprocal Rank Fusion, SIGIR 2009).
const CONSTANT_DEFAULT: f64 = 60.0;
/// ALPHA and BETA.
const WEIGHTS_DEFAULT: (f64, f64) = (0.3, 0.7);

/// How scores are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// A document has the sum of `1 / (constant + place)`, places counted from 1.
    Rrf { constant: f64 },
    /// A document has its score of words times `alpha` and that of its vector times `beta`.
    Linear { alpha: f64, beta: f64 },
}

/// COMBINE.
#[derive(Clone, Debug, PartialEq)]
pub struct Combine {
    pub method: Method,
    pub window: usize,
    /// What the score is called.
    pub score_name: Option<Vec<u8>>,
}

impl Default for Combine {
    fn default() -> Self {
        let method = Method::Rrf { constant: CONSTANT_DEFAULT };
        Self { method, window: WINDOW_DEFAULT, score_name: None }
    }
}

impl Combine {
    /// Reads what stands behind COMBINE.
    ///
    /// # Errors
    /// In RediSearch's words.
    pub fn parse(words: &mut Words<'_>) -> Result<Self, Error> {
        let method = words.next().unwrap_or_default().to_ascii_uppercase();
        let mut combine = Self::default();
        let name = match method.as_slice() {
            b"RRF" => "RRF",
            b"LINEAR" => {
                combine.method = Method::Linear { alpha: WEIGHTS_DEFAULT.0, beta: WEIGHTS_DEFAULT.1 };
                "LINEAR"
            }
            _ => return Err(bad_arguments("COMBINE: Invalid value for argument")),
        };
        let given = pairs(words, name)?;
        let (mut alpha, mut beta) = (None, None);
        for (option, value) in given.chunks_exact(2).map(|pair| (pair[0], pair[1])) {
            let number = |what: &str| {
                let number = parse_f64(value).filter(|number| !number.is_nan());
                number.ok_or_else(|| {
                    bad_arguments(format_args!("{what}: Could not convert argument to expected type"))
                })
            };
            match (option.to_ascii_uppercase().as_slice(), &mut combine.method) {
                (b"WINDOW", _) => combine.window = window(value)?,
                (b"YIELD_SCORE_AS", _) => combine.score_name = Some(value.to_vec()),
                (b"CONSTANT", Method::Rrf { constant }) => *constant = number("CONSTANT")?,
                (b"ALPHA", Method::Linear { .. }) => alpha = Some(number("ALPHA")?),
                (b"BETA", Method::Linear { .. }) => beta = Some(number("BETA")?),
                _ => return Err(bad_arguments(format_args!("{}: Unknown argument", shown(option)))),
            }
        }
        let missing = |what: &str| Err(Error::text(format!("SEARCH_SYNTAX Missing value for {what}")));
        match (alpha, beta) {
            (Some(alpha), Some(beta)) => combine.method = Method::Linear { alpha, beta },
            (Some(_), None) => return missing("BETA"),
            (None, Some(_)) => return missing("ALPHA"),
            (None, None) => {}
        }
        if words.take("YIELD_SCORE_AS") {
            if combine.score_name.is_some() {
                return Err(bad_arguments("YIELD_SCORE_AS specified more than once"));
            }
            let name = words.next();
            let name = name.ok_or_else(|| bad_arguments("Missing argument value for YIELD_SCORE_AS"))?;
            combine.score_name = Some(name.to_vec());
        }
        Ok(combine)
    }
}

fn window(value: &[u8]) -> Result<usize, Error> {
    let window = parse_i64(value);
    let window =
        window.ok_or_else(|| bad_arguments("WINDOW: Could not convert argument to expected type"))?;
    match usize::try_from(window) {
        Ok(window) if window > 0 => Ok(window),
        _ => Err(bad_arguments("WINDOW: Value below minimum")),
    }
}

/// A document of either list, or of both.
#[derive(Clone, Debug, PartialEq)]
pub struct Fused<D> {
    pub document: D,
    /// Of the words.
    pub search_score: Option<f64>,
    /// Of the vector.
    pub vector_score: Option<f64>,
    pub score: f64,
}

impl Method {
    /// Puts two lists together, each in the order of its places. The best first, and what has the same score by document.
    pub fn fuse<D: Ord + Clone>(self, search: &[(D, f64)], vectors: &[(D, f64)]) -> Vec<Fused<D>> {
        let mut all = std::collections::BTreeMap::new();
        let mut add = |list: &[(D, f64)], of_words: bool| {
            for (place, (document, score)) in list.iter().enumerate() {
                let fused = all.entry(document.clone()).or_insert_with(|| Fused {
                    document: document.clone(),
                    search_score: None,
                    vector_score: None,
                    score: 0.0,
                });
                let own = if of_words { &mut fused.search_score } else { &mut fused.vector_score };
                *own = Some(*score);
                fused.score += match self {
                    Self::Rrf { constant } => 1.0 / (constant + (place + 1) as f64),
                    Self::Linear { alpha, beta } => (if of_words { alpha } else { beta }) * score,
                };
            }
        };
        add(search, true);
        add(vectors, false);
        let mut all: Vec<_> = all.into_values().collect();
        all.sort_by(|left, right| right.score.total_cmp(&left.score));
        all
    }
}

/// A distance as a score: the nearer the greater, but for IP, whose distance RediSearch takes as it is.
pub fn vector_score(metric: Metric, distance: f64) -> f64 {
    match metric {
        Metric::L2 => 1.0 / (1.0 + distance),
        Metric::Cosine => (1.0 + (1.0 - distance)) / 2.0,
        Metric::InnerProduct => (1.0 + distance) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_by_their_reciprocals() {
        let (search, vectors) = ([("a", 9.0), ("b", 2.0)], [("c", 0.5), ("a", 0.25)]);
        let fused = Method::Rrf { constant: 1.0 }.fuse(&search, &vectors);
        let shown: Vec<_> = fused.iter().map(|one| (one.document, one.score)).collect();
        assert_eq!(shown, [("a", 1.0 / 2.0 + 1.0 / 3.0), ("c", 1.0 / 2.0), ("b", 1.0 / 3.0)]);
        assert_eq!((fused[0].search_score, fused[0].vector_score), (Some(9.0), Some(0.25)));
        assert_eq!((fused[1].search_score, fused[1].vector_score), (None, Some(0.5)));
    }

    #[test]
    fn scores_are_weighed() {
        let (search, vectors) = ([("a", 2.0)], [("b", 1.0), ("a", 0.5)]);
        let fused = Method::Linear { alpha: 0.5, beta: 2.0 }.fuse(&search, &vectors);
        let shown: Vec<_> = fused.iter().map(|one| (one.document, one.score)).collect();
        assert_eq!(shown, [("a", 2.0), ("b", 2.0)]);
    }

    #[test]
    fn distances_become_scores_as_in_redisearch() {
        assert_eq!(vector_score(Metric::L2, 0.0), 1.0);
        assert_eq!(vector_score(Metric::L2, 3.0), 0.25);
        assert_eq!(vector_score(Metric::Cosine, 0.5), 0.75);
        assert_eq!(vector_score(Metric::InnerProduct, 0.5), 0.75);
    }
}
