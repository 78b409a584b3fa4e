//! What stands behind SEARCH and VSIM in FT.HYBRID.

use crate::Error;
use crate::families::search::query::words::{Words, bad_arguments, shown};
use base::number::{format_shortest, parse_f64, parse_u64};

/// So many nearest are looked for without KNN and RANGE.
const K_DEFAULT: usize = 10;

/// SEARCH.
#[derive(Clone, Debug, Default)]
pub struct SearchPart {
    pub query: Vec<u8>,
    pub scorer: Option<Vec<u8>>,
    /// YIELD_SCORE_AS.
    pub score_name: Option<Vec<u8>>,
}

/// VSIM.
#[derive(Clone, Debug)]
pub struct VectorPart {
    /// Without `@`.
    pub field: Vec<u8>,
    /// The parameter that has the vector, without `$`.
    pub parameter: Vec<u8>,
    pub wish: VectorWish,
    /// A query that documents must pass.
    pub filter: Option<Vec<u8>>,
    /// Options of the vector as FT.SEARCH names them.
    pub options: Vec<(Vec<u8>, Vec<u8>)>,
    /// YIELD_SCORE_AS.
    pub score_name: Option<Vec<u8>>,
}

/// KNN and RANGE.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum VectorWish {
    Nearest { k: usize },
    Within { radius: f64 },
}

fn syntax(text: impl std::fmt::Display) -> Error {
    Error::text(format!("SEARCH_SYNTAX {text}"))
}

fn duplicate(what: &str) -> Error {
    Error::text(format!("SEARCH_PARAM_DUP Duplicate {what} argument"))
}

fn missing_value(what: &str) -> Error {
    bad_arguments(format_args!("Missing argument value for {what}"))
}

fn unknown(word: &[u8], place: &str) -> Error {
    Error::text(format!("SEARCH_ARG_UNRECOGNIZED Unknown argument `{}` in {place}", shown(word)))
}

/// That DIALECT is nowhere in FT.HYBRID.
pub fn no_dialect() -> Error {
    bad_arguments(
        "DIALECT is not supported in FT.HYBRID or any of its subqueries. Please check the documentation on \
         search-default-dialect configuration.",
    )
}

impl SearchPart {
    /// Reads SEARCH and what stands behind it up to VSIM, which is taken.
    ///
    /// # Errors
    /// In RediSearch's words.
    pub fn parse(words: &mut Words<'_>) -> Result<Self, Error> {
        if !words.take("SEARCH") {
            return Err(syntax("SEARCH keyword is required"));
        }
        let query = words.next().ok_or_else(|| bad_arguments("No query string provided for SEARCH"))?;
        let mut part = Self { query: query.to_vec(), ..Self::default() };
        while let Some(word) = words.next() {
            match word.to_ascii_uppercase().as_slice() {
                b"VSIM" => return Ok(part),
                b"SCORER" => part.scorer = Some(value(words, "SCORER")?),
                b"YIELD_SCORE_AS" if part.score_name.is_some() => return Err(duplicate("YIELD_SCORE_AS")),
                b"YIELD_SCORE_AS" => part.score_name = Some(value(words, "YIELD_SCORE_AS")?),
                b"DIALECT" => return Err(no_dialect()),
                _ => return Err(unknown(word, "SEARCH")),
            }
        }
        Err(syntax("VSIM argument is required"))
    }
}

fn value(words: &mut Words<'_>, what: &str) -> Result<Vec<u8>, Error> {
    words.next().map(<[u8]>::to_vec).ok_or_else(|| missing_value(what))
}

impl VectorPart {
    /// Reads what stands behind VSIM.
    ///
    /// # Errors
    /// In RediSearch's words.
    pub fn parse(words: &mut Words<'_>) -> Result<Self, Error> {
        let field = words.next().ok_or_else(|| syntax("Missing vector field name"))?;
        let field =
            field.strip_prefix(b"@").ok_or_else(|| syntax("Missing @ prefix for vector field name"))?;
        let vector = words.next().ok_or_else(|| syntax("Missing vector argument"))?;
        let parameter = vector
            .strip_prefix(b"$")
            .ok_or_else(|| syntax("Invalid vector argument, expected a parameter name starting with $"))?;
        let mut part = Self {
            field: field.to_vec(),
            parameter: parameter.to_vec(),
            wish: VectorWish::Nearest { k: K_DEFAULT },
            filter: None,
            options: Vec::new(),
            score_name: None,
        };
        if words.take("KNN") {
            part.nearest(words)?;
        } else if words.take("RANGE") {
            part.within(words)?;
        }
        loop {
            if part.filter.is_none() && words.take("FILTER") {
                part.filter(words)?;
            } else if words.take("YIELD_SCORE_AS") {
                if part.score_name.is_some() {
                    return Err(duplicate("YIELD_SCORE_AS"));
                }
                part.score_name = Some(value(words, "YIELD_SCORE_AS")?);
            } else {
                return Ok(part);
            }
        }
    }

    fn nearest(&mut self, words: &mut Words<'_>) -> Result<(), Error> {
        let mut k = None;
        options(words, "KNN", &["K", "EF_RUNTIME", "SHARD_K_RATIO"], |name, value| {
            let count =
                parse_u64(value).and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
            match name {
                "K" => k = Some(count.ok_or_else(|| syntax("Invalid K value"))?),
                "EF_RUNTIME" => {
                    count.ok_or_else(|| syntax("Invalid EF_RUNTIME value"))?;
                    self.options.push((b"ef_runtime".to_vec(), value.to_vec()));
                }
                _ => {
                    check_ratio(value)?;
                    self.options.push((b"shard_k_ratio".to_vec(), value.to_vec()));
                }
            }
            Ok(())
        })?;
        let k = k.ok_or_else(|| bad_arguments("Missing required argument K"))?;
        self.wish = VectorWish::Nearest { k };
        Ok(())
    }

    fn within(&mut self, words: &mut Words<'_>) -> Result<(), Error> {
        let mut found = None;
        options(words, "RANGE", &["RADIUS", "EPSILON"], |name, value| {
            let number = parse_f64(value).filter(|number| number.is_finite());
            match name {
                "RADIUS" => {
                    let radius = number.filter(|radius| *radius >= 0.0);
                    found = Some(radius.ok_or_else(|| syntax("Invalid RADIUS value"))?);
                }
                _ => {
                    number.filter(|epsilon| *epsilon > 0.0).ok_or_else(|| syntax("Invalid EPSILON value"))?;
                    self.options.push((b"epsilon".to_vec(), value.to_vec()));
                }
            }
            Ok(())
        })?;
        let radius = found.ok_or_else(|| bad_arguments("Missing required argument RADIUS"))?;
        self.wish = VectorWish::Within { radius };
        Ok(())
    }

    /// FILTER, with or without a count of what belongs to it.
    fn filter(&mut self, words: &mut Words<'_>) -> Result<(), Error> {
        let first = words.next().ok_or_else(|| bad_arguments("Missing argument count for FILTER"))?;
        let Some(count) = parse_u64(first).and_then(|count| usize::try_from(count).ok()) else {
            self.filter = Some(first.to_vec());
            return Ok(());
        };
        let mut belonging = Vec::new();
        for at in 0..count {
            // What comes behind the filter belongs to it only if it is one of its options.
            let is_option = |word: &[u8]| {
                word.eq_ignore_ascii_case(b"POLICY") || word.eq_ignore_ascii_case(b"BATCH_SIZE")
            };
            let next = words.peek().filter(|word| at % 2 != 1 || is_option(word));
            let Some(word) = next else {
                return Err(syntax(format_args!(
                    "Not enough arguments in FILTER, specified {count} but provided only {at}"
                )));
            };
            words.next();
            belonging.push(word);
        }
        let mut belonging = belonging.into_iter();
        let query = belonging.next().ok_or_else(|| bad_arguments("Missing filter expression in FILTER"))?;
        self.filter = Some(query.to_vec());
        while let (Some(name), Some(value)) = (belonging.next(), belonging.next()) {
            if name.eq_ignore_ascii_case(b"BATCH_SIZE") {
                self.options.push((b"batch_size".to_vec(), value.to_vec()));
                continue;
            }
            let policy: &[u8] = match value.to_ascii_uppercase().as_slice() {
                b"ADHOC" => b"adhoc_bf",
                b"BATCHES" => b"batches",
                _ => return Err(bad_arguments("POLICY: Invalid value for argument")),
            };
            self.options.push((b"hybrid_policy".to_vec(), policy.to_vec()));
        }
        Ok(())
    }
}

/// Reads as many options as the next word says, names and values.
fn options(
    words: &mut Words<'_>,
    place: &str,
    names: &[&'static str],
    mut take: impl FnMut(&'static str, &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let written = words.next().ok_or_else(|| bad_arguments("Missing argument count"))?;
    let count = parse_u64(written);
    let count = count.ok_or_else(|| syntax("Invalid argument count: expected an unsigned integer"))?;
    if count == 0 || count % 2 == 1 {
        return Err(syntax(format_args!(
            "Invalid argument count: {count} (must be a positive even number for key/value pairs)"
        )));
    }
    let mut seen: Vec<&str> = Vec::new();
    for at in 0..count / 2 {
        let Some(word) = words.next() else {
            let text = format!("Expected arguments {count}, but {} were provided", at * 2);
            return Err(bad_arguments(text));
        };
        let known = names.iter().find(|name| word.eq_ignore_ascii_case(name.as_bytes()));
        let name = *known.ok_or_else(|| unknown(word, place))?;
        if seen.contains(&name) {
            return Err(duplicate(name));
        }
        seen.push(name);
        take(name, words.next().ok_or_else(|| missing_value(name))?)?;
    }
    Ok(())
}

fn check_ratio(value: &[u8]) -> Result<(), Error> {
    let invalid = |text: String| Err(Error::text(format!("SEARCH_INVAL Invalid shard k ratio value{text}")));
    match parse_f64(value).filter(|ratio| !ratio.is_nan()) {
        None => invalid(format!(" '{}'", shown(value))),
        Some(ratio) if ratio > 0.0 && ratio <= 1.0 => Ok(()),
        Some(ratio) => {
            let ratio = format_shortest(ratio);
            let ratio = String::from_utf8_lossy(ratio.as_bytes()).into_owned();
            invalid(format!(": Shard k ratio must be greater than 0 and at most 1 (got {ratio})"))
        }
    }
}
