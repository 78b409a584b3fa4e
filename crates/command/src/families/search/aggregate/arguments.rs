//! FT.AGGREGATE as it is written.

use super::steps::{Arrange, Step};
use crate::families::search::query::arguments::{Returned, TWO_SORTS, limit};
use crate::families::search::query::options::QueryOptions;
use crate::families::search::query::settings::QuerySettings;
use crate::families::search::query::words::{Words, bad_arguments, shown};
use crate::{Args, Error};
use base::number::parse_u64;
use search::aggregate::{Grouping, Reducer, SortKey};
use search::expression::Expression;

/// SORTBY names no more properties.
const SORT_KEYS_MAX: usize = 8;

/// FT.AGGREGATE and what stands behind it.
#[derive(Debug, Default)]
pub struct AggregateArguments {
    pub query: Vec<u8>,
    pub options: QueryOptions,
    pub steps: Vec<Step>,
    /// LOAD, in the order given, each with the number of steps before it.
    pub loads: Vec<(usize, Load)>,
    pub cursor: Option<CursorOptions>,
    /// ADDSCORES.
    pub adds_scores: bool,
    /// WITHCOUNT.
    pub counts: bool,
}

/// LOAD.
#[derive(Debug)]
pub enum Load {
    All,
    Fields(Vec<Returned>),
}

/// WITHCURSOR.
#[derive(Clone, Copy, Debug)]
pub struct CursorOptions {
    pub rows: usize,
    pub idle_ms: u64,
}

impl AggregateArguments {
    /// Reads the arguments.
    ///
    /// # Errors
    /// In RediSearch's words.
    pub fn parse(args: Args<'_>, settings: &QuerySettings) -> Result<Self, Error> {
        let query = args.at(2).to_vec();
        let mut this = Self { query, ..Self::default() };
        let mut words = Words::new(args, 3);
        while words.left() > 0 {
            // FT.SEARCH alone explains scores.
            let is_refused = words.peek().is_some_and(|next| next.eq_ignore_ascii_case(b"EXPLAINSCORE"));
            if !is_refused && this.options.take(&mut words)? {
                continue;
            }
            this.option(&mut words, settings)?;
        }
        this.options.with_scores = this.adds_scores;
        Ok(this)
    }

    fn option(&mut self, words: &mut Words<'_>, settings: &QuerySettings) -> Result<(), Error> {
        let written = words.next().unwrap_or_default();
        let name = written.to_ascii_uppercase();
        match name.as_slice() {
            b"ADDSCORES" => self.adds_scores = true,
            b"WITHCOUNT" => self.counts = true,
            b"WITHOUTCOUNT" => self.counts = false,
            b"LOAD" => self.loads.push((self.steps.len(), load(words)?)),
            b"GROUPBY" => self.steps.push(Step::Group(group(words, settings)?)),
            b"APPLY" => self.steps.push(apply(words)?),
            b"FILTER" => {
                let text = words.argument("FILTER")?;
                self.steps.push(Step::Filter(Expression::parse(text).map_err(Error::search)?));
            }
            b"SORTBY" => {
                let (keys, max) = sort(words)?;
                let arrange = self.arrange();
                if arrange.is_sorted {
                    return Err(bad_arguments(TWO_SORTS));
                }
                (arrange.is_sorted, arrange.keys) = (true, keys);
                // MAX is a limit: the later of both counts, but none takes back that no rows are wanted.
                if max.is_some() && arrange.limit != Some((0, 0)) {
                    (arrange.max, arrange.limit) = (max, None);
                }
            }
            b"LIMIT" => {
                let most = (settings.results_max, settings.rows_max);
                let given = limit(words, most, "exceeds maximum of")?;
                let arrange = self.arrange();
                (arrange.limit, arrange.max) = (Some(given), None);
            }
            b"WITHCURSOR" => self.cursor = Some(cursor(words, settings)?),
            b"RETURN" | b"HIGHLIGHT" | b"SUMMARIZE" | b"WITHSCORES" | b"NOCONTENT" | b"WITHPAYLOADS"
            | b"WITHSORTKEYS" | b"EXPLAINSCORE" => {
                let text = format!("{} is not supported on FT.AGGREGATE", shown(&name));
                return Err(bad_arguments(text));
            }
            _ => return Err(words.unknown()),
        }
        Ok(())
    }

    /// SORTBY and LIMIT beside each other are one step.
    fn arrange(&mut self) -> &mut Arrange {
        if !matches!(self.steps.last(), Some(Step::Arrange(_))) {
            self.steps.push(Step::Arrange(Arrange::default()));
        }
        let Some(Step::Arrange(arrange)) = self.steps.last_mut() else { unreachable!("just put there") };
        arrange
    }
}

/// What stands behind APPLY.
///
/// # Errors
/// An expression that cannot be read, and AS without a name.
pub fn apply(words: &mut Words<'_>) -> Result<Step, Error> {
    let text = words.argument("APPLY")?;
    let expression = Expression::parse(text).map_err(Error::search)?;
    let name =
        if words.take("AS") { words.next().ok_or_else(|| bad_arguments("AS needs argument"))? } else { text };
    Ok(Step::Apply(expression, name.to_vec()))
}

/// What stands behind LOAD.
///
/// # Errors
/// In RediSearch's words.
pub fn load(words: &mut Words<'_>) -> Result<Load, Error> {
    if words.take("*") {
        return Ok(Load::All);
    }
    if words.peek().is_some_and(|count| parse_u64(count).is_none()) {
        return Err(bad_arguments("Bad arguments for LOAD: Expected number of fields or `*`"));
    }
    let mut listed = words.counted("LOAD")?.into_iter().peekable();
    let mut fields = Vec::new();
    while let Some(word) = listed.next() {
        let path = word.strip_prefix(b"@").unwrap_or(word).to_vec();
        let mut name = path.clone();
        if listed.next_if(|word| word.eq_ignore_ascii_case(b"AS")).is_some() {
            let alias = listed.next();
            name = alias
                .ok_or_else(|| bad_arguments("LOAD path AS name - must be accompanied with NAME"))?
                .to_vec();
        }
        fields.push(Returned { path, name });
    }
    Ok(Load::Fields(fields))
}

/// What stands behind GROUPBY.
///
/// # Errors
/// In RediSearch's words.
pub fn group(words: &mut Words<'_>, settings: &QuerySettings) -> Result<Grouping, Error> {
    let properties = words.counted("GROUPBY")?;
    let mut reducers = Vec::new();
    while words.take("REDUCE") {
        let name = words.argument("REDUCE")?;
        let arguments = words.counted(&shown(&name.to_ascii_uppercase()))?;
        let alias = if words.take("AS") { Some(words.argument("AS")?) } else { None };
        let reducer = Reducer::parse(name, &arguments, alias).map_err(Error::search)?;
        reducer.check_limit(settings.rows_max as u64).map_err(Error::search)?;
        reducers.push(reducer);
    }
    Grouping::new(&properties, reducers, settings.groups_max).map_err(Error::search)
}

/// What stands behind SORTBY: by what, and MAX.
///
/// # Errors
/// In RediSearch's words.
pub fn sort(words: &mut Words<'_>) -> Result<(Vec<SortKey>, Option<usize>), Error> {
    let mut keys: Vec<SortKey> = Vec::new();
    for word in words.counted("SORTBY")? {
        if let Some(property) = word.strip_prefix(b"@") {
            if keys.len() == SORT_KEYS_MAX {
                return Err(bad_arguments(format_args!("Cannot sort by more than {SORT_KEYS_MAX} fields")));
            }
            keys.push(SortKey { property: property.to_vec(), descending: false });
            continue;
        }
        let descending = match word.to_ascii_uppercase().as_slice() {
            b"ASC" => false,
            b"DESC" => true,
            _ => {
                let word = shown(word);
                let text =
                    format!("Bad arguments for SORTBY: Unknown property `{word}`. Did you mean `@{word}`?");
                return Err(bad_arguments(text));
            }
        };
        match keys.last_mut() {
            Some(key) => key.descending = descending,
            None => {
                return Err(bad_arguments(format_args!(
                    "Bad arguments for SORTBY: Unknown property `{0}`. Did you mean `@{0}`?",
                    shown(word)
                )));
            }
        }
    }
    let max = if words.take("MAX") { Some(words.count("MAX")? as usize) } else { None };
    Ok((keys, max))
}

fn cursor(words: &mut Words<'_>, settings: &QuerySettings) -> Result<CursorOptions, Error> {
    let mut options = CursorOptions { rows: settings.cursor_rows, idle_ms: settings.cursor_idle_ms };
    let positive = |count: u64, what: &str| match count {
        0 => Err(bad_arguments(format_args!("Bad arguments for {what}: Value is outside acceptable bounds"))),
        count => Ok(count),
    };
    loop {
        if words.take("COUNT") {
            options.rows = positive(words.count("COUNT")?, "COUNT")?.min(u64::from(u32::MAX)) as usize;
        } else if words.take("MAXIDLE") {
            options.idle_ms = positive(words.count("MAXIDLE")?, "MAXIDLE")?.min(settings.cursor_idle_ms);
        } else {
            return Ok(options);
        }
    }
}
