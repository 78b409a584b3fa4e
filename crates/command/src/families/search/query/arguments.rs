//! FT.SEARCH as it is written.

use super::options::QueryOptions;
use super::words::{Words, bad_arguments, shown};
use crate::{Args, Error};
use base::number::{parse_f64, parse_u64};
use search::query::{Circle, NumericRange, Unit};
use search::summarize::Summary;

/// FT.SEARCH and what stands behind it.
#[derive(Clone, Debug, Default)]
pub struct SearchArguments {
    pub query: Vec<u8>,
    pub options: QueryOptions,
    pub no_content: bool,
    pub with_payloads: bool,
    pub with_sort_keys: bool,
    pub filters: Vec<(Vec<u8>, GlobalFilter)>,
    /// RETURN; `None` for all.
    pub fields: Option<Vec<Returned>>,
    pub highlight: Option<Highlight>,
    pub summarize: Option<Summarize>,
    pub sort_by: Option<SortBy>,
    /// First and count.
    pub limit: (usize, usize),
}

/// FILTER or GEOFILTER of a field.
#[derive(Clone, Copy, Debug)]
pub enum GlobalFilter {
    Numeric(NumericRange),
    Geo(Circle),
}

/// A field of RETURN.
#[derive(Clone, Debug)]
pub struct Returned {
    /// The name of a field of the schema, or of a hash, or a path.
    pub path: Vec<u8>,
    /// What it is called in the reply.
    pub name: Vec<u8>,
}

/// HIGHLIGHT.
#[derive(Clone, Debug)]
pub struct Highlight {
    /// `None` for all.
    pub fields: Option<Vec<Vec<u8>>>,
    pub tags: (Vec<u8>, Vec<u8>),
}

/// SUMMARIZE.
#[derive(Clone, Debug)]
pub struct Summarize {
    /// `None` for all.
    pub fields: Option<Vec<Vec<u8>>>,
    pub summary: Summary,
}

/// SORTBY.
#[derive(Clone, Debug)]
pub struct SortBy {
    pub field: Vec<u8>,
    pub descending: bool,
}

/// SORTBY stands there twice.
pub const TWO_SORTS: &str = "Multiple SORTBY steps are not allowed. Sort multiple fields in a single step";

/// So many results are shown unless LIMIT says otherwise.
const LIMIT_DEFAULT: usize = 10;

impl SearchArguments {
    /// Reads the arguments of FT.SEARCH. `results_max`: MAXSEARCHRESULTS.
    ///
    /// # Errors
    /// In RediSearch's words.
    pub fn parse(args: Args<'_>, results_max: usize) -> Result<Self, Error> {
        let query = args.at(2).to_vec();
        let mut this = Self { query, limit: (0, LIMIT_DEFAULT), ..Self::default() };
        let mut words = Words::new(args, 3);
        while words.left() > 0 {
            if this.options.take(&mut words)? {
                continue;
            }
            this.option(&mut words, results_max)?;
        }
        if this.options.explains && !this.options.with_scores {
            return Err(bad_arguments("EXPLAINSCORE must be accompanied with WITHSCORES"));
        }
        if this.fields.as_ref().is_some_and(Vec::is_empty) {
            this.no_content = true;
        }
        // The last that may be shown is MAXSEARCHRESULTS-th.
        this.limit.1 = this.limit.1.min(results_max.saturating_sub(this.limit.0));
        Ok(this)
    }

    fn option(&mut self, words: &mut Words<'_>, results_max: usize) -> Result<(), Error> {
        let name = words.next().unwrap_or_default().to_ascii_uppercase();
        match name.as_slice() {
            b"NOCONTENT" => self.no_content = true,
            b"WITHSCORES" => self.options.with_scores = true,
            b"WITHPAYLOADS" => self.with_payloads = true,
            b"WITHSORTKEYS" => self.with_sort_keys = true,
            b"FILTER" => self.filters.push(numeric_filter(words)?),
            b"GEOFILTER" => self.filters.push(geo_filter(words)?),
            b"RETURN" => self.fields = Some(returned(words)?),
            b"HIGHLIGHT" => self.highlight = Some(highlight(words)?),
            b"SUMMARIZE" => self.summarize = Some(summarize(words)?),
            b"SORTBY" => {
                if self.sort_by.is_some() {
                    return Err(bad_arguments(TWO_SORTS));
                }
                self.sort_by = Some(sort_by(words)?);
            }
            b"LIMIT" => self.limit = limit(words, (results_max, results_max), "exceeds maximum of")?,
            // Results are always counted.
            b"WITHCOUNT" | b"WITHOUTCOUNT" => {}
            b"ADDSCORES" => return Err(bad_arguments("ADDSCORES is not supported on FT.SEARCH")),
            b"WITHCURSOR" | b"GROUPBY" | b"APPLY" | b"LOAD" => {
                return Err(bad_arguments(format_args!("{} is not supported on FT.SEARCH", shown(&name))));
            }
            _ => return Err(words.unknown()),
        }
        Ok(())
    }
}

fn numeric_filter(words: &mut Words<'_>) -> Result<(Vec<u8>, GlobalFilter), Error> {
    if words.left() < 3 {
        return Err(bad_arguments("FILTER requires 3 arguments"));
    }
    let field = words.next().unwrap_or_default().to_vec();
    let mut bound = |which: &str| {
        let word = words.next().unwrap_or_default();
        let (excluded, number) = match word.strip_prefix(b"(") {
            Some(number) => (true, number),
            None => (false, word),
        };
        let bound = parse_f64(number).filter(|number| !number.is_nan());
        let wrong = || bad_arguments(format_args!("Bad {which} range: {}", shown(word)));
        Ok::<_, Error>((bound.ok_or_else(wrong)?, excluded))
    };
    let ((min, excludes_min), (max, excludes_max)) = (bound("lower")?, bound("upper")?);
    Ok((field, GlobalFilter::Numeric(NumericRange { min, max, excludes_min, excludes_max })))
}

fn geo_filter(words: &mut Words<'_>) -> Result<(Vec<u8>, GlobalFilter), Error> {
    if words.left() < 5 {
        return Err(bad_arguments("GEOFILTER requires 5 arguments"));
    }
    let field = words.next().unwrap_or_default().to_vec();
    let (longitude, latitude) = (words.number("<lon>")?, words.number("<lat>")?);
    let radius = words.number("<radius>")?;
    let unit = words.next().unwrap_or_default();
    let unit = Unit::parse(unit)
        .ok_or_else(|| bad_arguments(format_args!("Unknown distance unit {}", shown(unit))))?;
    Ok((field, GlobalFilter::Geo(Circle { longitude, latitude, radius, unit })))
}

fn returned(words: &mut Words<'_>) -> Result<Vec<Returned>, Error> {
    let listed = words.counted("RETURN")?;
    let mut fields = Vec::with_capacity(listed.len());
    let mut listed = listed.into_iter().peekable();
    while let Some(word) = listed.next() {
        let path = word.to_vec();
        let mut name = path.clone();
        if listed.next_if(|word| word.eq_ignore_ascii_case(b"AS")).is_some() {
            let alias = listed
                .next()
                .ok_or_else(|| bad_arguments("RETURN path AS name - must be accompanied with NAME"))?;
            if alias.eq_ignore_ascii_case(b"AS") {
                return Err(bad_arguments("Alias for RETURN cannot be `AS`"));
            }
            name = alias.to_vec();
        }
        // The first of a name counts.
        if fields.iter().all(|field: &Returned| field.name != name) {
            fields.push(Returned { path, name });
        }
    }
    Ok(fields)
}

fn listed_fields(words: &mut Words<'_>) -> Result<Option<Vec<Vec<u8>>>, Error> {
    if !words.take("FIELDS") {
        return Ok(None);
    }
    Ok(Some(words.counted("FIELDS")?.into_iter().map(<[u8]>::to_vec).collect()))
}

fn highlight(words: &mut Words<'_>) -> Result<Highlight, Error> {
    let bad = |_| bad_arguments("Bad arguments for HIGHLIGHT");
    let mut highlight = Highlight { fields: None, tags: (b"<b>".to_vec(), b"</b>".to_vec()) };
    if let Some(fields) = listed_fields(words).map_err(bad)? {
        highlight.fields = Some(fields);
    }
    if words.take("TAGS") {
        let mut tag = || words.argument("HIGHLIGHT").map(<[u8]>::to_vec).map_err(bad);
        highlight.tags = (tag()?, tag()?);
    }
    Ok(highlight)
}

fn summarize(words: &mut Words<'_>) -> Result<Summarize, Error> {
    let bad = |_| bad_arguments("Bad arguments for SUMMARIZE");
    let fields = listed_fields(words).map_err(bad)?;
    let mut summary = Summary::default();
    loop {
        if words.take("FRAGS") {
            summary.fragments = words.count("FRAGS").map_err(bad)?.clamp(1, u64::from(u16::MAX)) as usize;
        } else if words.take("LEN") {
            summary.words = words.count("LEN").map_err(bad)?.clamp(1, u64::from(u32::MAX)) as usize;
        } else if words.take("SEPARATOR") {
            summary.separator = words.argument("SEPARATOR").map_err(bad)?.to_vec();
        } else {
            return Ok(Summarize { fields, summary });
        }
    }
}

fn sort_by(words: &mut Words<'_>) -> Result<SortBy, Error> {
    let field = words.argument("SORTBY")?.to_vec();
    let mut descending = false;
    if words.take("DESC") {
        descending = true;
    } else {
        words.take("ASC");
    }
    if words.take("MAX") {
        return Err(bad_arguments("SORTBY MAX is not supported by FT.SEARCH"));
    }
    // Results are always counted.
    let _ = words.take("WITHCOUNT") || words.take("WITHOUTCOUNT");
    Ok(SortBy { field, descending })
}

/// LIMIT's two numbers, of which the first and the second may be no greater than those.
///
/// # Errors
/// Not two numbers, or too large ones.
pub fn limit(
    words: &mut Words<'_>,
    (first_max, count_max): (usize, usize),
    exceeds: &str,
) -> Result<(usize, usize), Error> {
    let mut number = || words.next().and_then(parse_u64).and_then(|number| usize::try_from(number).ok());
    let (Some(first), Some(count)) = (number(), number()) else {
        return Err(bad_arguments("LIMIT needs two numeric arguments"));
    };
    let over = |text: String| Err(Error::text(format!("SEARCH_LIMIT_OVER {text}")));
    if count == 0 && first != 0 {
        return over("The `offset` of the LIMIT must be 0 when `num` is 0".to_owned());
    }
    if count > count_max {
        return over(format!("LIMIT {exceeds} {count_max}"));
    }
    if first > first_max {
        return over(format!("OFFSET {exceeds} {first_max}"));
    }
    Ok((first, count))
}
