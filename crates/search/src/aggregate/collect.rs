//! REDUCE COLLECT: the rows of a group themselves, projected, each once if DISTINCT asks for that, sorted and cut.

use super::rows::{Fields, SortKey, compare_values};
use crate::error::{Code, Error, NONE_LEFT, shown};
use crate::expression::{Row, Value};
use crate::sorting::sorted;
use base::number::{parse_i64, parse_u64};
use std::cmp::Ordering;
use std::collections::HashMap;

/// FIELDS names no more than a schema has, and one.
const FIELDS_MAX: u64 = 1025;
/// SORTBY names no more.
const SORT_KEYS_MAX: usize = 8;
/// Each with its direction.
const SORT_WORDS_MAX: u64 = 16;
/// What SORTBY without LIMIT gives.
const SORTED_USUAL: usize = 10;
/// More rows than twice this many, and than twice what is wanted, are not kept.
const KEPT_MIN: usize = 64;

/// What COLLECT asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collect {
    /// The properties of each row; all that it has if there are none.
    pub fields: Option<Vec<Vec<u8>>>,
    pub is_distinct: bool,
    pub sort: Vec<SortKey>,
    /// How many rows are left out first, and how many are given.
    pub offset: usize,
    pub count: usize,
}

/// Words of a clause, as they are taken one after the other.
struct Words<'a> {
    rest: &'a [&'a [u8]],
}

fn bad(why: &str) -> Error {
    Error::bad_argument("COLLECT", why)
}

fn parse_error(text: String) -> Error {
    Error::new(Code::Arguments, text)
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn is(&self, word: &str) -> bool {
        self.rest.first().is_some_and(|first| first.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// So many words of `clause`.
    fn take(&mut self, count: u64, clause: &str) -> Result<&'a [&'a [u8]], Error> {
        let taken = usize::try_from(count).ok().and_then(|count| self.rest.split_at_checked(count));
        let (taken, rest) = taken.ok_or_else(|| {
            bad(&format!("{clause}: Not enough arguments were provided based on argument count for {clause}"))
        })?;
        self.rest = rest;
        Ok(taken)
    }
}

impl Collect {
    /// Reads the arguments of COLLECT.
    ///
    /// # Errors
    /// In RediSearch's sentences.
    pub fn parse(arguments: &[&[u8]]) -> Result<Self, Error> {
        let mut words = Words { rest: arguments };
        if !words.is("FIELDS") {
            return Err(bad("FIELDS: Required positional argument missing or out of order"));
        }
        let fields = fields(&mut words)?;
        let mut collect = Self { fields, is_distinct: false, sort: Vec::new(), offset: 0, count: usize::MAX };
        let mut has_limit = false;
        while let Some(word) = words.next() {
            match &word.to_ascii_uppercase()[..] {
                b"DISTINCT" => collect.is_distinct = true,
                b"SORTBY" if collect.sort.is_empty() => collect.sort = sort_keys(&mut words)?,
                b"LIMIT" if !has_limit => {
                    has_limit = true;
                    (collect.offset, collect.count) = limit(&mut words)?;
                }
                _ => return Err(bad(&format!("{}: Unknown argument", shown(word)))),
            }
        }
        if !has_limit && !collect.sort.is_empty() {
            collect.count = SORTED_USUAL;
        }
        Ok(collect)
    }

    /// As [`super::Reducer::check_limit`].
    pub(super) fn check_limit(&self, most: u64) -> Result<(), Error> {
        let is_more = |number: usize| number != usize::MAX && number as u64 > most;
        for (what, number) in [("offset", self.offset), ("count", self.count)] {
            if is_more(number) {
                return Err(bad(&format!("LIMIT: LIMIT {what} exceeds maximum of {most}")));
            }
        }
        Ok(())
    }

    /// The properties that it reads.
    pub fn properties(&self) -> impl Iterator<Item = &[u8]> {
        let fields = self.fields.iter().flatten().map(Vec::as_slice);
        fields.chain(self.sort.iter().map(|key| &key.property[..]))
    }

    /// How many rows may be needed.
    fn kept(&self) -> usize {
        self.offset.saturating_add(self.count)
    }

    fn compare(&self, left: &Collected, right: &Collected) -> Ordering {
        let keys = self.sort.iter().zip(left.keys.iter().zip(&right.keys));
        let by_key = |(key, (left, right)): (&SortKey, (&Value, &Value))| {
            let there = |value| Some(value).filter(|value: &&Value| **value != Value::Null);
            compare_values(key.descending, there(left), there(right))
        };
        keys.map(by_key).find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
    }
}

fn fields(words: &mut Words<'_>) -> Result<Option<Vec<Vec<u8>>>, Error> {
    words.next();
    let count = words.next().ok_or_else(|| bad(&format!("FIELDS: {NONE_LEFT}")))?;
    if count == b"*" {
        return Ok(None);
    }
    let count =
        parse_u64(count).ok_or_else(|| bad("FIELDS: Expected number of fields or `*` after FIELDS"))?;
    if !(1..=FIELDS_MAX).contains(&count) {
        return Err(bad(&format!("FIELDS: FIELDS count must be in [1, {FIELDS_MAX}]")));
    }
    let named = words.take(count, "FIELDS")?.iter().map(|word| match word {
        [b'@', name @ ..] => Ok(name.to_vec()),
        [b'$', ..] => Ok(word.to_vec()),
        _ => Err(parse_error(format!(
            "Missing prefix: name requires '@' prefix, JSON path require '$' prefix, got: {} in FIELDS",
            shown(word)
        ))),
    });
    named.collect::<Result<_, _>>().map(Some)
}

fn sort_keys(words: &mut Words<'_>) -> Result<Vec<SortKey>, Error> {
    let count = words.next().and_then(parse_u64);
    let count = count.filter(|count| (1..=SORT_WORDS_MAX).contains(count));
    let count = count.ok_or_else(|| bad("SORTBY: Invalid argument count"))?;
    let mut keys: Vec<SortKey> = Vec::new();
    let mut may_turn = false;
    for word in words.take(count, "SORTBY")? {
        let descending = word.eq_ignore_ascii_case(b"DESC");
        if may_turn && (descending || word.eq_ignore_ascii_case(b"ASC")) {
            keys.last_mut().into_iter().for_each(|key| key.descending = descending);
            may_turn = false;
            continue;
        }
        let property = word.strip_prefix(b"@").ok_or_else(|| {
            parse_error(format!("Missing prefix: name requires '@' prefix ({})", shown(word)))
        })?;
        keys.push(SortKey { property: property.to_vec(), descending: false });
        may_turn = true;
    }
    if keys.len() > SORT_KEYS_MAX {
        return Err(bad(&format!("SORTBY: SORTBY exceeds maximum of {SORT_KEYS_MAX} fields")));
    }
    Ok(keys)
}

fn limit(words: &mut Words<'_>) -> Result<(usize, usize), Error> {
    let mut number = |what: &str, kind: &str, least: u64| {
        let number = words.next().and_then(parse_i64).and_then(|number| u64::try_from(number).ok());
        match number.filter(|number| *number >= least) {
            None => Err(bad(&format!("LIMIT: LIMIT {what} must be a {kind} integer"))),
            Some(number) => Ok(usize::try_from(number).unwrap_or(usize::MAX)),
        }
    };
    Ok((number("offset", "non-negative", 0)?, number("count", "positive", 1)?))
}

/// A row, and what it is sorted by.
#[derive(Clone, Debug)]
struct Collected {
    keys: Vec<Value>,
    row: Value,
    /// How many came before it.
    arrival: u64,
}

/// The rows of a group so far, as many as may be needed.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    rows: Vec<Collected>,
    /// Where what is told apart stands, if rows are distinct.
    seen: HashMap<Vec<u8>, usize>,
    /// How many have come.
    arrived: u64,
}

impl Rows {
    pub fn add(&mut self, collect: &Collect, row: &dyn Row) {
        let fields = match &collect.fields {
            None => row.properties(),
            Some(fields) => {
                let named = fields.iter().filter_map(|name| Some((name.clone(), row.property(name)?)));
                Fields::new(named.filter(|(_, value)| *value != Value::Null)).into_pairs()
            }
        };
        let there = fields.into_iter().filter(|(_, value)| *value != Value::Null).collect();
        let key = |key: &SortKey| row.property(&key.property).unwrap_or_default();
        let keys = collect.sort.iter().map(key).collect();
        self.take(collect, Collected { keys, row: Value::Map(there), arrival: 0 });
    }

    fn take(&mut self, collect: &Collect, new: Collected) {
        let new = Collected { arrival: self.arrived, ..new };
        self.arrived += 1;
        if collect.is_distinct {
            let place = *self.seen.entry(new.row.identity()).or_insert(self.rows.len());
            if let Some(known) = self.rows.get_mut(place) {
                if collect.compare(&new, known).is_lt() {
                    *known = new;
                }
                return;
            }
        }
        if collect.sort.is_empty() && self.rows.len() >= collect.kept() {
            self.seen.retain(|_, place| *place < self.rows.len());
            return;
        }
        self.rows.push(new);
        if self.rows.len() > collect.kept().max(KEPT_MIN).saturating_mul(2) {
            self.sort(collect);
            self.rows.truncate(collect.kept());
            self.seen.clear();
            if collect.is_distinct {
                let places = self.rows.iter().enumerate();
                self.seen = places.map(|(place, known)| (known.row.identity(), place)).collect();
            }
        }
    }

    /// Rows that are alike keep the order in which they came.
    fn sort(&mut self, collect: &Collect) {
        let rows = std::mem::take(&mut self.rows);
        self.rows =
            sorted(rows, |left, right| collect.compare(left, right).then(left.arrival.cmp(&right.arrival)));
    }

    pub fn merge(&mut self, mut other: Self, collect: &Collect) {
        other.rows.sort_by_key(|row| row.arrival);
        other.rows.into_iter().for_each(|row| self.take(collect, row));
    }

    pub fn finish(mut self, collect: &Collect) -> Value {
        self.sort(collect);
        let rows = self.rows.into_iter().skip(collect.offset).take(collect.count);
        Value::List(rows.map(|collected| collected.row).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::random::Random;

    fn parse(text: &str) -> Result<Collect, String> {
        let words: Vec<&[u8]> = text.split(' ').filter(|word| !word.is_empty()).map(str::as_bytes).collect();
        let read = Collect::parse(&words).and_then(|read| read.check_limit(1000).map(|()| read));
        read.map_err(|error| error.to_string())
    }

    #[test]
    fn errors_are_those_of_its_tests() {
        for (text, expected) in [
            ("", "FIELDS: Required positional argument missing or out of order"),
            (
                "SORTBY 1 @price FIELDS 1 @price",
                "FIELDS: Required positional argument missing or out of order",
            ),
            ("FIELDS 1 price", "Missing prefix: name requires '@' prefix, JSON path require '$' prefix"),
            ("FIELDS 1 *", "name requires '@' prefix, JSON path require '$' prefix, got: * in FIELDS"),
            ("FIELDS * @a", "Bad arguments for COLLECT: @a: Unknown argument"),
            ("FIELDS", "Bad arguments for COLLECT: FIELDS: Expected an argument, but none provided"),
            ("FIELDS abc", "Expected number of fields or `*` after FIELDS"),
            ("FIELDS 2 @a", "Not enough arguments were provided based on argument count for FIELDS"),
            ("FIELDS 1 @x FOO 1 2", "Bad arguments for COLLECT: FOO: Unknown argument"),
            ("FIELDS 1 @x SORTBY 0", "Bad arguments for COLLECT: SORTBY: Invalid argument count"),
            ("FIELDS 1 @x SORTBY 17 @a", "Bad arguments for COLLECT: SORTBY: Invalid argument count"),
            ("FIELDS 1 @x SORTBY 1 ASC", "Missing prefix: name requires '@' prefix"),
            ("FIELDS 1 @x SORTBY 3 @price ASC ASC", "Missing prefix: name requires '@' prefix"),
            (
                "FIELDS 1 $..price SORTBY 1 $..price",
                "SEARCH_PARSE_ARGS Missing prefix: name requires '@' prefix ($..price)",
            ),
            ("FIELDS 1 @x SORTBY 9 @a @b @c @d @e @f @g @h @i", "SORTBY exceeds maximum of 8 fields"),
            ("FIELDS 0", "FIELDS count must be in [1, 1025]"),
            ("FIELDS 1026 @x", "FIELDS count must be in [1, 1025]"),
            ("FIELDS 1 @x LIMIT -1 10", "LIMIT offset must be a non-negative integer"),
            ("FIELDS 1 @x LIMIT 0 0", "LIMIT count must be a positive integer"),
            ("FIELDS 1 @x LIMIT 0 1001", "LIMIT count exceeds maximum of 1000"),
            ("FIELDS 1 @x LIMIT 1001 1", "LIMIT offset exceeds maximum of 1000"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.starts_with("SEARCH_PARSE_ARGS ") && error.contains(expected), "{text}: {error}");
        }
    }

    fn rows(count: usize, random: &mut Random) -> Vec<Fields> {
        let row = |n: usize| {
            let price =
                if random.below(5) == 0 { Value::Null } else { Value::Number(random.below(9) as f64) };
            let fields = [("name", Value::text(format!("{}", random.below(30)))), ("price", price)];
            let number = [("n", Value::Number(n as f64))];
            Fields::new(
                fields.into_iter().chain(number).map(|(name, value)| (name.as_bytes().to_vec(), value)),
            )
        };
        (0..count).map(row).collect()
    }

    /// What all rows give when they are looked at together.
    fn expected(collect: &Collect, rows: &[Fields]) -> Vec<Value> {
        let mut sorted: Vec<&Fields> = rows.iter().collect();
        sorted.sort_by(|left, right| crate::aggregate::compare_rows(&collect.sort, left, right));
        let project = |row: &Fields| {
            let names =
                collect.fields.clone().unwrap_or_else(|| row.iter().map(|(name, _)| name.to_vec()).collect());
            let pairs = names.into_iter().filter_map(|name| Some((name.clone(), row.get(&name)?.clone())));
            Value::Map(pairs.filter(|(_, value)| *value != Value::Null).collect())
        };
        let mut out: Vec<Value> = Vec::new();
        for row in sorted.into_iter().map(project) {
            if !collect.is_distinct || !out.contains(&row) {
                out.push(row);
            }
        }
        out.into_iter().skip(collect.offset).take(collect.count).collect()
    }

    #[test]
    fn rows_are_those_of_all_looked_at_together() {
        for (seed, text) in [
            "FIELDS 1 @n",
            "FIELDS *",
            "FIELDS 2 @name @price DISTINCT",
            "FIELDS 1 @name SORTBY 2 @price DESC",
            "FIELDS 2 @n @price SORTBY 3 @price ASC @name LIMIT 3 7",
            "FIELDS 1 @name DISTINCT SORTBY 2 @price ASC LIMIT 2 20",
            "LIMIT 5 1 FIELDS 1 @n",
            "FIELDS 1 @n LIMIT 990 200",
        ]
        .iter()
        .enumerate()
        {
            let Ok(collect) = parse(text) else { continue };
            let mut random = Random::from_seed(seed as u64);
            let all = rows(1000, &mut random);
            let (mut one, mut first, mut second) = (Rows::default(), Rows::default(), Rows::default());
            all.iter().for_each(|row| one.add(&collect, row));
            all[..400].iter().for_each(|row| first.add(&collect, row));
            all[400..].iter().for_each(|row| second.add(&collect, row));
            let expected = Value::List(expected(&collect, &all));
            assert_eq!(one.finish(&collect), expected, "{text}");
            first.merge(second, &collect);
            assert_eq!(first.finish(&collect), expected, "{text} on two");
        }
        assert!(parse("LIMIT 5 1 FIELDS 1 @n").is_err());
    }

    #[test]
    fn few_rows_are_kept() {
        let collect = parse("FIELDS 1 @n SORTBY 1 @n").expect("right");
        let mut some = Rows::default();
        rows(5000, &mut Random::from_seed(1)).iter().for_each(|row| some.add(&collect, row));
        assert!(some.rows.len() <= 2 * KEPT_MIN);
    }
}
