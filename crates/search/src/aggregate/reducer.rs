//! REDUCE: which reducer, over which property, under which name.

use super::Collect;
use crate::error::{Code, Error, NONE_LEFT, NOT_CONVERTED, OUT_OF_BOUNDS, shown};
use base::number::{parse_f64, parse_u64};

/// RANDOM_SAMPLE draws no more.
const SAMPLE_MAX: u64 = 1000;

/// A reducer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reducer {
    pub kind: ReducerKind,
    /// The property, without `@`; empty for COUNT.
    pub property: Vec<u8>,
    /// What its value is called: AS, or a name made of the reducer's.
    pub alias: Vec<u8>,
}

/// What a reducer does with the values of its property.
#[derive(Clone, Debug, PartialEq)]
pub enum ReducerKind {
    Count,
    CountDistinct,
    /// By HyperLogLog.
    CountDistinctish,
    Sum,
    Min,
    Max,
    Average,
    /// Of a sample.
    StandardDeviation,
    /// From 0 to 1.
    Quantile(f64),
    ToList,
    FirstValue {
        /// The property that decides, and whether its greatest value does.
        by: Option<(Vec<u8>, bool)>,
    },
    RandomSample(usize),
    Collect(Box<Collect>),
}

impl Reducer {
    /// Reads `name` with the arguments that its count covers, and AS.
    ///
    /// # Errors
    /// A reducer that there is not, or arguments that it does not take.
    pub fn parse(name: &[u8], arguments: &[&[u8]], alias: Option<&[u8]>) -> Result<Self, Error> {
        let upper = name.to_ascii_uppercase();
        let what = shown(&upper);
        let bad = |why: &str| Error::bad_argument(&what, why);
        if upper == b"COLLECT" {
            let kind = ReducerKind::Collect(Box::new(Collect::parse(arguments)?));
            return Ok(Self { kind, property: Vec::new(), alias: alias_of(name, arguments, alias) });
        }
        let mut rest = arguments.iter().copied();
        let kind = if upper == b"COUNT" {
            let kind = ReducerKind::Count;
            if !arguments.is_empty() {
                return Err(Error::new(Code::Arguments, "Count accepts 0 values only"));
            }
            return Ok(Self { kind, property: Vec::new(), alias: alias_of(name, arguments, alias) });
        } else {
            let plain = match &upper[..] {
                b"COUNT_DISTINCT" => Some(ReducerKind::CountDistinct),
                b"COUNT_DISTINCTISH" => Some(ReducerKind::CountDistinctish),
                b"SUM" => Some(ReducerKind::Sum),
                b"MIN" => Some(ReducerKind::Min),
                b"MAX" => Some(ReducerKind::Max),
                b"AVG" => Some(ReducerKind::Average),
                b"STDDEV" => Some(ReducerKind::StandardDeviation),
                b"TOLIST" => Some(ReducerKind::ToList),
                _ => None,
            };
            let property = rest.next();
            match (plain, &upper[..]) {
                (Some(kind), _) => (kind, property),
                (None, b"QUANTILE") => (quantile(&bad, rest.next())?, property),
                (None, b"FIRST_VALUE") => (first_value(&bad, &mut rest)?, property),
                (None, b"RANDOM_SAMPLE") => (random_sample(&bad, rest.next())?, property),
                _ => {
                    return Err(Error::new(Code::Arguments, format!("No such reducer: {}", shown(name))));
                }
            }
        };
        let (kind, property) = kind;
        let property = property_name(&bad, property)?;
        if let Some(more) = rest.next() {
            return Err(bad(&format!("Unknown argument `{}`", shown(more))));
        }
        Ok(Self { kind, property, alias: alias_of(name, arguments, alias) })
    }
}

impl Reducer {
    /// Whether it gives no more results than MAXAGGREGATERESULTS says.
    ///
    /// # Errors
    /// LIMIT of COLLECT with more.
    pub fn check_limit(&self, results_max: u64) -> Result<(), Error> {
        match &self.kind {
            ReducerKind::Collect(collect) => collect.check_limit(results_max),
            _ => Ok(()),
        }
    }

    /// The properties that it reads.
    pub fn properties(&self) -> Vec<&[u8]> {
        match &self.kind {
            ReducerKind::Count => Vec::new(),
            ReducerKind::Collect(collect) => collect.properties().collect(),
            ReducerKind::FirstValue { by: Some((by, _)) } => vec![&self.property, by],
            _ => vec![&self.property],
        }
    }
}

/// Clients leave the `@` out, and RediSearch takes it so.
fn property_name(bad: &dyn Fn(&str) -> Error, written: Option<&[u8]>) -> Result<Vec<u8>, Error> {
    let written = written.ok_or_else(|| bad(NONE_LEFT))?;
    Ok(written.strip_prefix(b"@").unwrap_or(written).to_vec())
}

fn quantile(bad: &dyn Fn(&str) -> Error, share: Option<&[u8]>) -> Result<ReducerKind, Error> {
    let share = parse_f64(share.ok_or_else(|| bad(NONE_LEFT))?).ok_or_else(|| bad(NOT_CONVERTED))?;
    if (0.0..=1.0).contains(&share) {
        return Ok(ReducerKind::Quantile(share));
    }
    Err(Error::new(Code::Arguments, "Percentage must be between 0.0 and 1.0"))
}

fn random_sample(bad: &dyn Fn(&str) -> Error, size: Option<&[u8]>) -> Result<ReducerKind, Error> {
    let size = parse_u64(size.ok_or_else(|| bad(NONE_LEFT))?).ok_or_else(|| bad(NOT_CONVERTED))?;
    if size > SAMPLE_MAX {
        return Err(Error::new(Code::Arguments, "Sample size too large"));
    }
    if size == 0 { Err(bad(OUT_OF_BOUNDS)) } else { Ok(ReducerKind::RandomSample(size as usize)) }
}

fn first_value<'a>(
    bad: &dyn Fn(&str) -> Error,
    rest: &mut impl Iterator<Item = &'a [u8]>,
) -> Result<ReducerKind, Error> {
    let Some(word) = rest.next() else { return Ok(ReducerKind::FirstValue { by: None }) };
    if !word.eq_ignore_ascii_case(b"BY") {
        return Err(bad(&format!("Unknown argument `{}`", shown(word))));
    }
    let by = property_name(bad, rest.next())?;
    let descending = match rest.next().map(<[u8]>::to_ascii_uppercase).as_deref() {
        None | Some(b"ASC") => false,
        Some(b"DESC") => true,
        Some(other) => return Err(bad(&format!("Unknown argument `{}`", shown(other)))),
    };
    Ok(ReducerKind::FirstValue { by: Some((by, descending)) })
}

/// AS, or `__generated_alias` with the reducer's name and arguments in small letters.
fn alias_of(name: &[u8], arguments: &[&[u8]], alias: Option<&[u8]>) -> Vec<u8> {
    if let Some(alias) = alias {
        return alias.to_vec();
    }
    let arguments = arguments.iter().map(|argument| argument.strip_prefix(b"@").unwrap_or(argument));
    let arguments = arguments.collect::<Vec<_>>().join(&b","[..]);
    [b"__generated_alias", name, &arguments[..]].concat().to_ascii_lowercase()
}
