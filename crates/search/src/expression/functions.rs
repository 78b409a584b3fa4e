//! The functions of expressions, one row each: name, how many arguments, and what it does with their values. What a function cannot take
//! is nothing, no number or an error, as RediSearch has it for each.

use super::evaluate::truth;
use super::time::Moment;
use super::value::Value;
use crate::error::{Code, Error, shown};
use crate::index::Place;
use base::number::parse_f64;

/// A function.
#[derive(Debug)]
pub(super) struct Function {
    pub name: &'static str,
    count_min: usize,
    count_max: usize,
    pub apply: Apply,
}

/// What a function does with the values of its arguments; it knows itself by name.
type Apply = fn(&Function, &[Value]) -> Result<Value, Error>;

impl Function {
    const fn new(name: &'static str, count_min: usize, count_max: usize, apply: Apply) -> Self {
        Self { name, count_min, count_max, apply }
    }

    pub fn check_count(&self, count: usize) -> Result<(), Error> {
        let (name, min, max) = (self.name, self.count_min, self.count_max);
        if (min..=max).contains(&count) {
            return Ok(());
        }
        let wanted = match (min, max) {
            (1, 1) => "1 argument".to_owned(),
            (min, max) if min == max => format!("{min} arguments"),
            (min, usize::MAX) => format!("at least {min} arguments"),
            (min, max) => format!("between {min} and {max} arguments"),
        };
        Err(Error::new(Code::Expression, format!("Function '{name}' expects {wanted}, but got {count}")))
    }

    /// An argument that must be a text.
    fn text<'v>(&self, values: &'v [Value], at: usize) -> Result<&'v [u8], Error> {
        match &values[at] {
            Value::Text(text) => Ok(text),
            other => Err(bad_type(self.name, at, other, "VALIDATE_ARG__STRING(v, 0)")),
        }
    }
}

/// The function of that name, in any case.
pub(super) fn find(name: &[u8]) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| name.eq_ignore_ascii_case(function.name.as_bytes()))
}

static FUNCTIONS: [Function; 32] = [
    // These three look at the expressions themselves, before there are values.
    Function::new("exists", 1, 1, |_, values| Ok(truth(values[0] != Value::Null))),
    Function::new("case", 3, 3, |_, _| Ok(Value::Null)),
    Function::new("matched_terms", 0, 1, |_, _| Ok(Value::Null)),
    Function::new("log", 1, 1, |_, values| math(values, f64::ln)),
    Function::new("log2", 1, 1, |_, values| math(values, f64::log2)),
    Function::new("exp", 1, 1, |_, values| math(values, f64::exp)),
    Function::new("sqrt", 1, 1, |_, values| math(values, f64::sqrt)),
    Function::new("abs", 1, 1, |_, values| math(values, f64::abs)),
    Function::new("ceil", 1, 1, |_, values| math(values, f64::ceil)),
    Function::new("floor", 1, 1, |_, values| math(values, f64::floor)),
    Function::new("upper", 1, 1, |_, values| with_text(values, <[u8]>::to_ascii_uppercase)),
    Function::new("lower", 1, 1, |_, values| with_text(values, <[u8]>::to_ascii_lowercase)),
    Function::new("to_str", 1, 1, |_, values| Ok(Value::Text(values[0].shown().unwrap_or_default()))),
    Function::new("to_number", 1, 1, to_number),
    Function::new("startswith", 2, 2, |function, values| {
        let (text, front) = (function.text(values, 0)?, function.text(values, 1)?);
        Ok(truth(text.starts_with(front)))
    }),
    Function::new("contains", 2, 2, |function, values| {
        let (text, part) = (function.text(values, 0)?, function.text(values, 1)?);
        Ok(Value::Number(occurrences(text, part)))
    }),
    Function::new("strlen", 1, 1, |function, values| {
        Ok(Value::Number(function.text(values, 0)?.len() as f64))
    }),
    Function::new("substr", 3, 3, substr),
    Function::new("format", 1, usize::MAX, format),
    Function::new("split", 1, 3, split),
    Function::new("timefmt", 1, 2, timefmt),
    Function::new("parsetime", 2, 2, parsetime),
    Function::new("day", 1, 1, |_, values| {
        moment(values, |at| Moment { hour: 0, minute: 0, second: 0, ..at }.seconds())
    }),
    Function::new("hour", 1, 1, |_, values| {
        moment(values, |at| Moment { minute: 0, second: 0, ..at }.seconds())
    }),
    Function::new("minute", 1, 1, |_, values| moment(values, |at| Moment { second: 0, ..at }.seconds())),
    Function::new("month", 1, 1, |_, values| {
        moment(values, |at| Moment { day: 1, hour: 0, minute: 0, second: 0, ..at }.seconds())
    }),
    Function::new("dayofweek", 1, 1, |_, values| moment(values, |at| at.day_of_week())),
    Function::new("dayofmonth", 1, 1, |_, values| moment(values, |at| at.day)),
    Function::new("dayofyear", 1, 1, |_, values| moment(values, |at| at.day_of_year())),
    Function::new("year", 1, 1, |_, values| moment(values, |at| at.year)),
    Function::new("monthofyear", 1, 1, |_, values| moment(values, |at| at.month)),
    Function::new("geodistance", 2, 4, geodistance),
];

fn math(values: &[Value], apply: fn(f64) -> f64) -> Result<Value, Error> {
    Ok(Value::Number(values[0].number().map_or(f64::NAN, apply)))
}

fn with_text(values: &[Value], apply: fn(&[u8]) -> Vec<u8>) -> Result<Value, Error> {
    let Value::Text(text) = &values[0] else { return Ok(Value::Null) };
    Ok(Value::Text(apply(text)))
}

fn bad_type(function: &str, argument: usize, value: &Value, check: &str) -> Error {
    let kind = value.type_number();
    let text =
        format!("Invalid type ({kind}) for argument {argument} in function '{function}'. {check} was false.");
    Error::new(Code::Arguments, text)
}

fn to_number(_: &Function, values: &[Value]) -> Result<Value, Error> {
    let refuse = || {
        let text = shown(&values[0].shown().unwrap_or_default());
        Error::new(Code::Arguments, format!("to_number: cannot convert string '{text}'"))
    };
    values[0].number().map(Value::Number).ok_or_else(refuse)
}

/// How often a part is found, overlapping too. Each byte of the text is looked at once or twice (Knuth, Morris and Pratt 1977).
fn occurrences(text: &[u8], part: &[u8]) -> f64 {
    if part.is_empty() {
        return text.len() as f64 + 1.0;
    }
    if part.len() > text.len() {
        return 0.0;
    }
    // How long the longest front of the part is that ends at each of its bytes, but for the part itself.
    let mut fronts = vec![0; part.len()];
    let longer = |fronts: &[usize], mut matched: usize, byte: u8| {
        while matched > 0 && (matched == part.len() || part[matched] != byte) {
            matched = fronts[matched - 1];
        }
        matched + usize::from(part[matched] == byte)
    };
    for at in 1..part.len() {
        fronts[at] = longer(&fronts, fronts[at - 1], part[at]);
    }
    let (mut matched, mut count) = (0, 0.0);
    for byte in text {
        matched = longer(&fronts, matched, *byte);
        count += f64::from(u8::from(matched == part.len()));
    }
    count
}

/// What would begin before the start begins at the end; a negative count leaves so many bytes out at the end.
fn substr(function: &Function, values: &[Value]) -> Result<Value, Error> {
    let number = |at: usize| match &values[at] {
        Value::Number(number) => Ok(*number as i32),
        other => Err(bad_type(function.name, at, other, "VALIDATE_ARG__TYPE(v, RSValueType_Number)")),
    };
    let (offset, count) = (i64::from(number(1)?), i64::from(number(2)?));
    let Value::Text(text) = &values[0] else {
        return Err(Error::new(Code::Arguments, "Invalid type for substr. Expected string"));
    };
    let length = text.len() as i64;
    let start = if offset < 0 { length + offset } else { offset.min(length) };
    let start = if start < 0 { length } else { start };
    let count = if count < 0 { (length - start + count).max(0) } else { count.min(length - start) };
    Ok(Value::text(&text[start as usize..(start + count) as usize]))
}

/// `%s` stands for the next argument, `%%` for a percent sign; nothing else is known.
fn format(function: &Function, values: &[Value]) -> Result<Value, Error> {
    let refuse = |text: &str| Err(Error::new(Code::Arguments, text));
    let pattern = function.text(values, 0)?;
    let (mut out, mut arguments, mut bytes) = (Vec::new(), values[1..].iter(), pattern.iter());
    while let Some(&byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'%') => out.push(b'%'),
            Some(b's') => match arguments.next() {
                Some(value) => out.extend(value.shown().unwrap_or_else(|| b"(null)".to_vec())),
                None => return refuse("Not enough arguments for format"),
            },
            Some(_) => return refuse("Unknown format specifier passed"),
            None => return refuse("Bad format string!"),
        }
    }
    Ok(Value::Text(out))
}

fn split(function: &Function, values: &[Value]) -> Result<Value, Error> {
    let set = |at: usize, default: &'static [u8]| {
        if at < values.len() { function.text(values, at) } else { Ok(default) }
    };
    let (text, separators, strips) = (function.text(values, 0)?, set(1, b",")?, set(2, b" ")?);
    let parts = text.split(|byte| separators.contains(byte)).map(|part| {
        let start = part.iter().position(|byte| !strips.contains(byte)).unwrap_or(part.len());
        let end = part.iter().rposition(|byte| !strips.contains(byte)).map_or(start, |end| end + 1);
        &part[start..end]
    });
    Ok(Value::List(parts.filter(|part| !part.is_empty()).map(Value::text).collect()))
}

/// A part of a time since 1970.
fn moment(values: &[Value], part: fn(Moment) -> i64) -> Result<Value, Error> {
    let moment = values[0].number().filter(|seconds| *seconds >= 0.0).and_then(Moment::new);
    Ok(moment.map_or(Value::Null, |moment| Value::Number(part(moment) as f64)))
}

fn timefmt(_: &Function, values: &[Value]) -> Result<Value, Error> {
    let format = match values.get(1) {
        None => "%FT%TZ",
        Some(Value::Text(format)) => match std::str::from_utf8(format) {
            Ok(format) => format,
            Err(_) => return Ok(Value::Null),
        },
        Some(other) => {
            return Err(bad_type("time", 1, other, "VALIDATE_ARG__TYPE(v, RSValueType_String)"));
        }
    };
    let text = values[0].number().and_then(Moment::new).and_then(|moment| moment.format(format));
    Ok(text.filter(|text| !text.is_empty()).map_or(Value::Null, Value::text))
}

fn parsetime(function: &Function, values: &[Value]) -> Result<Value, Error> {
    let (text, format) = (function.text(values, 0)?, function.text(values, 1)?);
    let (Ok(text), Ok(format)) = (std::str::from_utf8(text), std::str::from_utf8(format)) else {
        return Ok(Value::Null);
    };
    let moment = Moment::parse(text, format);
    Ok(moment.map_or(Value::Null, |moment| Value::Number(moment.seconds() as f64)))
}

/// Metres with two digits, as GEODIST would round them.
fn geodistance(_: &Function, values: &[Value]) -> Result<Value, Error> {
    let mut places = Vec::with_capacity(2);
    let mut rest = values;
    while let [first, behind @ ..] = rest {
        let written = match first {
            Value::Text(text) => place(text),
            _ => None,
        };
        let (place, behind) = match (written, behind) {
            (Some(place), _) => (place, behind),
            (None, [second, behind @ ..]) => match (first.number(), second.number()) {
                (Some(longitude), Some(latitude)) => (Place { longitude, latitude }, behind),
                _ => return Ok(Value::Null),
            },
            (None, []) => return Ok(Value::Null),
        };
        places.push(place);
        rest = behind;
    }
    let [left, right] = places[..] else { return Ok(Value::Null) };
    Ok(Value::Number((left.distance_metres(right) * 100.0).round() / 100.0))
}

fn place(text: &[u8]) -> Option<Place> {
    let comma = text.iter().position(|byte| *byte == b',')?;
    let number = |text: &[u8]| parse_f64(text.trim_ascii());
    Some(Place { longitude: number(&text[..comma])?, latitude: number(&text[comma + 1..])? })
}

#[cfg(test)]
mod tests {
    use super::super::{Expression, Row};
    use super::*;
    use std::collections::HashMap;

    struct Properties(HashMap<&'static str, Value>);

    impl Row for Properties {
        fn property(&self, name: &[u8]) -> Option<Value> {
            self.0.get(std::str::from_utf8(name).ok()?).cloned()
        }

        fn matched_terms(&self, limit: usize) -> Vec<Vec<u8>> {
            vec![b"foo".to_vec(); limit.min(2)]
        }
    }

    fn evaluate(text: &str) -> Result<Value, String> {
        let properties = [
            ("foo", Value::Number(12_234_556.0)),
            ("name", Value::text("Jon")),
            ("digits", Value::text("20210401")),
            ("place", Value::text("29.69465,34.95126")),
            ("null", Value::Null),
            ("a.b", Value::Number(7.0)),
        ];
        let expression = Expression::parse(text.as_bytes()).map_err(|error| error.to_string())?;
        expression.evaluate(&Properties(properties.into_iter().collect())).map_err(|error| error.to_string())
    }

    /// A value as it is shown; lists in brackets.
    fn shown(text: &str) -> String {
        fn show(value: &Value) -> String {
            match value {
                Value::Null => "null".to_owned(),
                Value::List(list) => format!("[{}]", list.iter().map(show).collect::<Vec<_>>().join("|")),
                other => String::from_utf8(other.shown().unwrap()).unwrap(),
            }
        }
        show(&evaluate(text).unwrap_or_else(|error| panic!("{text}: {error}")))
    }

    #[test]
    fn values_of_expressions() {
        for (text, expected) in [
            ("1 + 2 * 3", "7"),
            ("(1 + 2) * 3", "9"),
            ("2 ^ 3 ^ 2", "512"),
            ("10 - 3 - 2", "5"),
            ("7 % 4 + -2", "1"),
            ("-2 ^ 2", "4"),
            ("-9223372036854775808 % -1", "0"),
            ("-14275897 % 5", "-2"),
            ("547758.3 % 5.1", "3.00000000008"),
            ("1 / 4", "0.25"),
            ("1 / 0", "inf"),
            ("floor(sqrt(90)) % 10", "9"),
            ("@foo - (@foo % 3600)", "12232800"),
            ("@digits + 1", "20210402"),
            ("1 < 2 && 2 < 3 || 0", "1"),
            ("!1 || 0", "0"),
            ("!!3", "1"),
            ("@name == 'Jon' && @foo > 20", "1"),
            ("@name != 'jon'", "1"),
            ("'10' == 10", "1"),
            ("'b' > 'a'", "1"),
            ("@a.b", "7"),
            ("inf", "inf"),
            ("-inf", "-inf"),
            ("\"foo's \\\"bar\\\"\"", "foo's \"bar\""),
            ("log2(8) + exp(0) + abs(-3) + ceil(1.2) + floor(1.8)", "10"),
            ("exp(@foo)", "inf"),
            ("upper('größe')", "GRößE"),
            ("upper(1)", "null"),
            ("lower('FOO')", "foo"),
            ("startswith('hello', 'hel')", "1"),
            ("contains('papapa', 'pa')", "3"),
            ("contains('abc', '')", "4"),
            ("contains('aaa', 'aa')", "2"),
            ("contains('abababa', 'aba')", "3"),
            ("contains('aabaabaaab', 'aab')", "3"),
            ("contains('ab', 'abc')", "0"),
            ("strlen('hello')", "5"),
            ("substr('hello', 0, 3)", "hel"),
            ("substr('hello', -2, -1)", "l"),
            ("substr('hello', 1, -1)", "ell"),
            ("substr('hello', 0, -1000)", ""),
            ("substr('hello', -1000, 2)", ""),
            ("abs('a')", "nan"),
            ("sqrt('4')", "2"),
            ("1 == 'a'", "0"),
            ("1 != 'a'", "1"),
            ("0 == -0.0", "1"),
            ("split('b,a') < split('c')", "1"),
            ("'a' > split('c')", "1"),
            ("@gone && 1", "0"),
            ("@gone || 1", "1"),
            ("1 && @gone", "0"),
            ("timefmt(0, '')", "null"),
            ("to_str(split('a'))", ""),
            ("day(-1)", "null"),
            ("substr('test', 3, 1000)", "t"),
            ("substr('test', 30, 1)", ""),
            ("format('%s-test', 'test')", "test-test"),
            ("format('%%s-test', 'test')", "%s-test"),
            ("format('%s|%s', upper(1), 2.50)", "(null)|2.5"),
            ("split('hello world,  foo,,,bar,', ',', ' ')", "[hello world|foo|bar]"),
            ("split('hello world,  foo,,,bar,', ' ', ',')", "[hello|world|foo,,,bar]"),
            ("split('hello world,  foo,,,bar,', '', '')", "[hello world,  foo,,,bar,]"),
            ("split('hello world,  foo,,,bar,')", "[hello world|foo|bar]"),
            ("split('')", "[]"),
            ("timefmt(1517417144)", "2018-01-31T16:45:44Z"),
            ("timefmt('awfawf')", "null"),
            ("timefmt(235325153152356426246246246254)", "null"),
            ("parsetime(@digits, '%Y%m%d')", "1617235200"),
            ("day(1517417144)", "1517356800"),
            ("hour(1517417144)", "1517414400"),
            ("minute(1517417144)", "1517417100"),
            ("month(1517417144)", "1514764800"),
            ("dayofweek(1517417144)", "3"),
            ("dayofmonth(1517417144)", "31"),
            ("dayofyear(1517417144)", "30"),
            ("year(1517417144)", "2018"),
            ("monthofyear(@foo)", "4"),
            ("monthofyear('bad')", "null"),
            ("geodistance(@place,29.69,34.94)", "1322.22"),
            ("geodistance('29.69,34.94', @place)", "1322.22"),
            ("geodistance(29.69,34.94,29.69465,34.95126)", "1322.22"),
            ("exists(@foo) + exists(@gone)", "1"),
            ("case(exists(@gone), @gone, 'no foo')", "no foo"),
            ("matched_terms()", "[foo|foo]"),
            ("matched_terms(1)", "[foo]"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (text, part) in [
            ("substr('test')", "Function 'substr' expects 3 arguments, but got 1"),
            ("split()", "Function 'split' expects between 1 and 3 arguments, but got 0"),
            ("parsetime(11)", "Function 'parsetime' expects 2 arguments, but got 1"),
            ("unexisting_function(1)", "Unknown function name 'unexisting_function'"),
            ("!!unexisting_function(@title)", "Unknown function name 'unexisting_function'"),
            ("aSCHEMA", "SEARCH_EXPR Unknown symbol 'aSCHEMA'"),
            ("substr('test', 'test', 'test')", "Invalid type (2) for argument 1 in function 'substr'"),
            (
                "parsetime(11,22)",
                "Invalid type (1) for argument 0 in function 'parsetime'. VALIDATE_ARG__STRING(v, 0) was false.",
            ),
            (
                "strlen(1)",
                "Invalid type (1) for argument 0 in function 'strlen'. VALIDATE_ARG__STRING(v, 0) was false.",
            ),
            (
                "contains('a', 1)",
                "for argument 1 in function 'contains'. VALIDATE_ARG__STRING(v, 0) was false.",
            ),
            (
                "substr('a', 1, 'b')",
                "argument 2 in function 'substr'. VALIDATE_ARG__TYPE(v, RSValueType_Number) was",
            ),
            ("substr(1, 1, 1)", "Invalid type for substr. Expected string"),
            ("timefmt(1, 2)", "in function 'time'. VALIDATE_ARG__TYPE(v, RSValueType_String) was false."),
            ("to_number('a')", "to_number: cannot convert string 'a'"),
            ("1 + 'a'", "SEARCH_NUMERIC_VALUE_INVALID Invalid numeric value"),
            ("1 < 'a'", "SEARCH_NUMERIC_VALUE_INVALID Error converting string"),
            ("@gone || 0", "consider using EXISTS"),
            (
                "@gone > 2",
                "Could not find the value for a parameter name, consider using EXISTS if applicable for gone",
            ),
            ("1 +", "Syntax error"),
            ("(1", "Syntax error"),
            ("'abc", "Syntax error"),
            ("1 2", "Syntax error"),
            ("@", "Syntax error"),
            ("1e999", "Syntax error"),
        ] {
            let error = evaluate(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        for bomb in [
            "(".repeat(1_000_000),
            "!".repeat(1_000_000),
            "-".repeat(1_000_000),
            "1^".repeat(1_000_000),
            "1+".repeat(1_000_000),
        ] {
            assert!(evaluate(&bomb).is_err());
        }
        assert!(evaluate(&format!("1{}", "+1".repeat(300))).is_ok());
    }
}
