//! FT.HYBRID as it is written.

use super::fusion::Combine;
use super::subqueries::{SearchPart, VectorPart, no_dialect};
use crate::families::search::aggregate::arguments::{Load, apply, group, load, sort};
use crate::families::search::aggregate::steps::{Arrange, Step};
use crate::families::search::query::settings::QuerySettings;
use crate::families::search::query::words::{Words, bad_arguments, shown};
use crate::{Args, Error};
use base::number::{parse_f64, parse_i64, parse_u64};
use search::expression::Expression;
use search::query::Parameters;

/// So many results are shown unless LIMIT says otherwise.
const LIMIT_DEFAULT: usize = 10;
/// GROUPBY names no more properties.
const PROPERTIES_MAX: u64 = u16::MAX as u64;

/// FT.HYBRID and what stands behind it.
#[derive(Debug)]
pub struct HybridArguments {
    pub search: SearchPart,
    pub vector: VectorPart,
    pub combine: Combine,
    pub loads: Vec<(usize, Load)>,
    pub steps: Vec<Step>,
    pub parameters: Parameters,
    pub timeout_ms: Option<u64>,
    /// NOSORT.
    pub keeps_order: bool,
    has_parameters: bool,
    has_combine: bool,
}

impl HybridArguments {
    /// Reads the arguments from the third on.
    ///
    /// # Errors
    /// In RediSearch's words.
    pub fn parse(args: Args<'_>, settings: &QuerySettings) -> Result<Self, Error> {
        let mut words = Words::new(args, 2);
        subqueries(&mut words)?;
        let search = SearchPart::parse(&mut words)?;
        let vector = VectorPart::parse(&mut words)?;
        let mut this = Self {
            search,
            vector,
            combine: Combine::default(),
            loads: Vec::new(),
            steps: Vec::new(),
            parameters: Parameters::default(),
            timeout_ms: None,
            keeps_order: false,
            has_parameters: false,
            has_combine: false,
        };
        while let Some(word) = words.next() {
            this.option(word, &mut words, settings)?;
        }
        let is_sorted =
            this.steps.iter().any(|step| matches!(step, Step::Arrange(arrange) if arrange.is_sorted));
        if is_sorted && this.keeps_order {
            return Err(bad_arguments("NOSORT is not allowed with SORTBY"));
        }
        if !this.steps.iter().any(|step| matches!(step, Step::Arrange(_))) {
            this.arrange().limit = Some((0, LIMIT_DEFAULT));
        }
        Ok(this)
    }

    fn option(&mut self, word: &[u8], words: &mut Words<'_>, settings: &QuerySettings) -> Result<(), Error> {
        let once = |was_there: &mut bool, what: &str| match std::mem::replace(was_there, true) {
            true => Err(bad_arguments(format_args!("{what}: Argument specified multiple times"))),
            false => Ok(()),
        };
        match word.to_ascii_uppercase().as_slice() {
            b"COMBINE" => {
                once(&mut self.has_combine, "COMBINE")?;
                self.combine = Combine::parse(words)?;
            }
            b"LIMIT" => self.arrange().limit = Some(limit(words, settings.results_max)?),
            b"SORTBY" => self.sort(words)?,
            b"NOSORT" => self.keeps_order = true,
            b"PARAMS" => {
                once(&mut self.has_parameters, "PARAMS")?;
                if words.peek().and_then(parse_u64).is_none_or(|count| count == 0) {
                    return Err(bad_arguments("PARAMS: Invalid argument count"));
                }
                self.parameters = Parameters::new(&words.counted("PARAMS")?).map_err(Error::search)?;
            }
            b"TIMEOUT" => {
                let given = words
                    .next()
                    .ok_or_else(|| bad_arguments("TIMEOUT: Not enough arguments were provided"))?;
                let timeout = parse_u64(given);
                self.timeout_ms =
                    Some(timeout.ok_or_else(|| bad_arguments("TIMEOUT requires a non negative integer"))?);
            }
            b"LOAD" => self.load(words)?,
            b"GROUPBY" => {
                let count = words.peek().and_then(parse_u64);
                let count =
                    count.ok_or_else(|| bad_arguments("GROUPBY: Failed to parse the argument count"))?;
                if count > PROPERTIES_MAX {
                    return Err(bad_arguments("GROUPBY: Invalid argument count"));
                }
                self.steps.push(Step::Group(group(words, settings)?));
            }
            b"APPLY" => self.steps.push(apply(words)?),
            b"FILTER" => {
                let text = words.argument("FILTER")?;
                self.steps.push(Step::Filter(Expression::parse(text).map_err(Error::search)?));
            }
            b"DIALECT" => return Err(no_dialect()),
            _ => return Err(bad_arguments(format_args!("{}: Unknown argument", shown(word)))),
        }
        Ok(())
    }

    fn load(&mut self, words: &mut Words<'_>) -> Result<(), Error> {
        if let Some(count) = words.peek().and_then(parse_u64)
            && count >= words.left() as u64
        {
            return Err(bad_arguments("Not enough arguments for LOAD"));
        }
        let before = words.rest();
        let load = load(words)?;
        if let Load::Fields(_) = &load {
            let taken = &before[1..before.len() - words.left()];
            let mut taken = taken.iter();
            while let Some(field) = taken.next() {
                check_prefix(field, "LOAD")?;
                if taken.as_slice().first().is_some_and(|word| word.eq_ignore_ascii_case(b"AS")) {
                    taken.next();
                    taken.next();
                }
            }
        }
        self.loads.push((self.steps.len(), load));
        Ok(())
    }

    fn sort(&mut self, words: &mut Words<'_>) -> Result<(), Error> {
        let count = words.peek().and_then(parse_f64);
        let count = count.ok_or_else(|| bad_arguments("SORTBY: Failed to parse the argument count"))?;
        if count < 1.0 {
            return Err(bad_arguments("SORTBY: Invalid argument count"));
        }
        if count >= words.left() as f64 {
            let text = "SORTBY: Not enough arguments were provided based on argument count";
            return Err(bad_arguments(text));
        }
        for word in words.rest().into_iter().skip(1).take(count as usize) {
            if !word.eq_ignore_ascii_case(b"ASC") && !word.eq_ignore_ascii_case(b"DESC") {
                check_prefix(word, "SORTBY")?;
            }
        }
        let (keys, max) = sort(words)?;
        let arrange = self.arrange();
        if arrange.is_sorted {
            return Err(bad_arguments("SORTBY: Argument specified multiple times"));
        }
        (arrange.is_sorted, arrange.keys, arrange.max) = (true, keys, max);
        Ok(())
    }

    /// SORTBY and LIMIT behind the last GROUPBY are one step, at the place of the first.
    fn arrange(&mut self) -> &mut Arrange {
        let ungrouped =
            self.steps.iter().rposition(|step| matches!(step, Step::Group(_))).map_or(0, |at| at + 1);
        let at = self.steps[ungrouped..].iter().position(|step| matches!(step, Step::Arrange(_)));
        let at = at.map(|at| at + ungrouped);
        let at = at.unwrap_or_else(|| {
            self.steps.push(Step::Arrange(Arrange::default()));
            self.steps.len() - 1
        });
        let Step::Arrange(arrange) = &mut self.steps[at] else { unreachable!("seen above") };
        arrange
    }
}

/// How many queries there are, which may be left out.
fn subqueries(words: &mut Words<'_>) -> Result<(), Error> {
    let Some(first) = words.peek() else {
        return Err(bad_arguments("Missing subqueries count for FT.HYBRID"));
    };
    if first.eq_ignore_ascii_case(b"SEARCH") {
        return Ok(());
    }
    words.next();
    match parse_u64(first) {
        Some(2) => Ok(()),
        None | Some(0) => {
            Err(Error::text("SEARCH_SYNTAX Invalid subqueries count: expected an unsigned integer"))
        }
        Some(_) => Err(bad_arguments("FT.HYBRID currently supports only two subqueries")),
    }
}

fn check_prefix(name: &[u8], place: &str) -> Result<(), Error> {
    if name.starts_with(b"@") || name.starts_with(b"$") {
        return Ok(());
    }
    Err(bad_arguments(format_args!(
        "Missing prefix: name requires '@' prefix, JSON path require '$' prefix, got: {} in {place}",
        shown(name)
    )))
}

fn limit(words: &mut Words<'_>, results_max: usize) -> Result<(usize, usize), Error> {
    if words.left() < 2 {
        return Err(bad_arguments("LIMIT: Not enough arguments were provided"));
    }
    let mut number = |what: &str| {
        let number = words.next().and_then(parse_i64).and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| bad_arguments(format_args!("LIMIT {what} must be a non-negative integer")))
    };
    let (first, count) = (number("offset")?, number("count")?);
    let over = |text: String| Err(Error::text(format!("SEARCH_LIMIT_OVER {text}")));
    match (first, count) {
        (1.., 0) => over("The `offset` of the LIMIT must be 0 when `num` is 0".to_owned()),
        _ if count > results_max => over(format!("LIMIT exceeds maximum of {results_max}")),
        _ if first > results_max => over(format!("OFFSET exceeds maximum of {results_max}")),
        limit => Ok(limit),
    }
}

/// Names and values behind the method of COMBINE, as many words as the next one says.
pub fn pairs<'a>(words: &mut Words<'a>, method: &str) -> Result<Vec<&'a [u8]>, Error> {
    let missing = || bad_arguments(format_args!("Missing {method} argument count"));
    let written = words.next().ok_or_else(missing)?;
    let count = parse_u64(written).and_then(|count| usize::try_from(count).ok()).ok_or_else(|| {
        let why = match parse_f64(written) {
            Some(number) if number < 0.0 => "Value is outside acceptable bounds",
            _ => "Could not convert argument to expected type",
        };
        bad_arguments(format_args!("Invalid {method} argument count, error: {why}"))
    })?;
    if count % 2 == 1 {
        return Err(bad_arguments(format_args!(
            "{method} expects pairs of key value arguments, argument count must be an even number"
        )));
    }
    if words.left() < count {
        let text = format!(
            "SEARCH_SYNTAX Not enough arguments in {method}, specified {count} but provided only {}",
            words.left()
        );
        return Err(Error::text(text));
    }
    Ok((0..count).filter_map(|_| words.next()).collect())
}
