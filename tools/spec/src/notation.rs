//! Reads the text of an expectation: the text form of a value (`testkit::text`) and the looser forms.

use crate::expect::{Expect, Kind, Shape};
use testkit::{Value, words};

/// How an element of an aggregate begins: `12) `, `1~ `, `1# `, `1> `, `-) `.
struct Marker<'a> {
    label: &'a str,
    mark: char,
    /// Column at which the element itself begins.
    width: usize,
}

/// The number of lines at the front that belong to one reply.
pub fn reply_length(lines: &[&str]) -> usize {
    let Some(first) = lines.first().and_then(|line| marker(line)) else { return lines.len().min(1) };
    let belongs = |line: &&str| {
        blanks(line) >= first.width
            || marker(line).is_some_and(|next| next.label != "1" && next.mark == first.mark)
    };
    1 + lines[1..].iter().take_while(|line| belongs(line)).count()
}

/// The expectation that these lines say. All lines are used; errors name what is wrong, for the author.
pub fn parse(lines: &[&str]) -> Result<Expect, String> {
    let Some(first) = lines.first() else { return Err("an empty expectation".into()) };
    match marker(first) {
        Some(first) => aggregate(lines, &first),
        None if lines.len() == 1 => scalar(first),
        None => Err(format!("lines follow a value that has only one: {first}")),
    }
}

fn aggregate(lines: &[&str], first: &Marker) -> Result<Expect, String> {
    let mut elements = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let next = marker(lines[at]).ok_or_else(|| format!("an element was expected: {}", lines[at]))?;
        let number = (elements.len() + 1).to_string();
        if next.mark != first.mark || (next.label == "-") != (first.label == "-") {
            return Err(format!("elements of different kinds in one aggregate: {}", lines[at]));
        }
        if next.label != "-" && next.label != number {
            return Err(format!("element {number} was expected: {}", lines[at]));
        }
        let rest = &lines[at][next.width..];
        let more = lines[at + 1..].iter().take_while(|line| blanks(line) >= next.width).count();
        let block: Vec<&str> = lines[at + 1..at + 1 + more].iter().map(|line| &line[next.width..]).collect();
        let paired = if next.mark == '#' || next.label == "-" { split_arrow(rest) } else { None };
        let (head, tail) = paired.map_or((rest, None), |(key, value)| (key, Some(value)));
        let value = match tail {
            Some("") => Some(parse(&block)?),
            Some(value) if block.is_empty() => Some(scalar(value)?),
            Some(_) => return Err(format!("a nested value begins on the line after =>: {}", lines[at])),
            None => None,
        };
        let key = match value {
            Some(_) => scalar(head)?,
            None => parse(&[&[head][..], &block].concat())?,
        };
        elements.push((key, value));
        at += 1 + more;
    }
    shaped(first, elements)
}

fn shaped(first: &Marker, elements: Vec<(Expect, Option<Expect>)>) -> Result<Expect, String> {
    let pairs = elements.iter().filter(|(_, value)| value.is_some()).count();
    if pairs != 0 && pairs != elements.len() {
        return Err("either all elements are pairs (key => value) or none".into());
    }
    let items = |shape| Expect::Items {
        shape,
        items: elements.iter().map(|(item, _)| item.clone()).collect(),
        any_order: false,
    };
    match (first.label, first.mark) {
        ("-", ')') => Ok(Expect::Bag(elements)),
        ("-", _) => Err("elements in any order are written -)".into()),
        (_, ')') => Ok(items(Shape::Array)),
        (_, '~') => Ok(items(Shape::Set)),
        (_, '>') => Ok(items(Shape::Push)),
        _ if pairs == 0 => Err("a map is written 1# key => value".into()),
        _ => Ok(Expect::Pairs(
            elements.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect(),
        )),
    }
}

fn marker(line: &str) -> Option<Marker<'_>> {
    let text = line.trim_start();
    let indent = line.len() - text.len();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let length = if text.starts_with('-') { 1 } else { digits };
    let mark = text[length..].chars().next()?;
    let is_marker = length > 0 && ")~#>".contains(mark) && text[length + 1..].starts_with(' ');
    is_marker.then(|| Marker { label: &text[..length], mark, width: indent + length + 2 })
}

fn blanks(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The key and the value of `key => value`; the value is empty when it begins on the next line.
fn split_arrow(text: &str) -> Option<(&str, &str)> {
    let key_end = match words::first(text) {
        Ok((_, after)) if text.starts_with('"') => text.len() - after.len(),
        _ => text.find(" =>")?,
    };
    let value = text[key_end..].strip_prefix(" =>")?;
    Some((&text[..key_end], value.trim_start()))
}

fn scalar(text: &str) -> Result<Expect, String> {
    if text.starts_with('"') {
        return Ok(Expect::Exact(Value::Bulk(quoted(text)?)));
    }
    if text == "?" {
        return Ok(Expect::Unrecorded);
    }
    if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') || text.is_empty() {
        return Err(format!("a status line does not begin so; write (status) \"…\" if it does: {text}"));
    }
    let Some(inner) = text.strip_prefix('(') else { return Ok(Expect::Exact(Value::simple(text))) };
    let (name, rest) = inner.split_once(')').ok_or_else(|| format!("( is not closed: {text}"))?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let unknown = || format!("this form is not known: {text}");
    let exact = match name {
        "nil" => Value::Null,
        "nil array" => Value::NullArray,
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        "empty array" => Value::Array(vec![]),
        "empty set" => Value::Set(vec![]),
        "empty push" => Value::Push(vec![]),
        "empty map" => Value::Map(vec![]),
        "status" => Value::Simple(quoted(rest)?),
        "error" if rest.starts_with('"') => Value::Error(quoted(rest)?),
        "error" => Value::Error(rest.as_bytes().to_vec()),
        "blob error" => Value::BlobError(quoted(rest)?),
        "big number" => Value::BigNumber(rest.to_owned()),
        "integer" if rest.contains("..") => {
            return range(rest, i64::MIN, i64::MAX).map(ranged(Expect::IntegerRange));
        }
        "integer" => match rest.parse() {
            Ok(natural) if natural > i64::MAX as u64 => Value::Natural(natural),
            _ => Value::Integer(rest.parse().map_err(|_| unknown())?),
        },
        "double" if rest.contains("..") => {
            return range(rest, f64::NEG_INFINITY, f64::INFINITY).map(ranged(Expect::DoubleRange));
        }
        "double" => Value::Double(rest.parse().map_err(|_| unknown())?),
        _ => return loose(name, rest).unwrap_or_else(|| Err(unknown())),
    };
    Ok(Expect::Exact(exact))
}

/// The forms that are not the text of a value.
fn loose(name: &str, rest: &str) -> Option<Result<Expect, String>> {
    let kind = |kind| Some(Ok(Expect::Any(kind)));
    match name {
        "any" => kind(Kind::Anything),
        "any integer" => kind(Kind::Integer),
        "any bulk" => kind(Kind::Bulk),
        "any double" => kind(Kind::Double),
        "any error" => kind(Kind::Error),
        "any array" => kind(Kind::Array),
        "any map" => kind(Kind::Map),
        "any set" => kind(Kind::Set),
        "match" => Some(Ok(Expect::Match(rest.as_bytes().to_vec()))),
        "error match" => Some(Ok(Expect::ErrorMatch(rest.as_bytes().to_vec()))),
        "one of" => Some(words::split(rest).map(Expect::OneOf)),
        "nothing" => Some(Ok(Expect::Nothing)),
        "closed" => Some(Ok(Expect::Closed)),
        _ => {
            let (verb, argument) = name.split_once(' ')?;
            match verb {
                "save" => Some(Ok(Expect::Save(argument.to_owned()))),
                "same" => Some(Ok(Expect::Same(argument.to_owned()))),
                "verbatim" => Some(
                    quoted(rest)
                        .map(|text| Expect::Exact(Value::Verbatim { format: argument.to_owned(), text })),
                ),
                "array" => argument.strip_prefix("of ")?.parse().ok().map(|count| Ok(Expect::Count(count))),
                _ => None,
            }
        }
    }
}

fn quoted(text: &str) -> Result<Vec<u8>, String> {
    if !text.starts_with('"') {
        return Err(format!("a string in double quotes was expected: {text}"));
    }
    match words::first(text)? {
        (bytes, "") => Ok(bytes),
        (_, after) => Err(format!("this follows the closing quote: {after}")),
    }
}

fn range<T: std::str::FromStr>(text: &str, lowest: T, highest: T) -> Result<(T, T), String> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let end = |end: &str, open: T| match end {
        "" => Ok(open),
        _ => end.parse().map_err(|_| format!("not a range: {text}")),
    };
    Ok((end(low, lowest)?, end(high, highest)?))
}

fn ranged<T>(make: fn(T, T) -> Expect) -> impl Fn((T, T)) -> Expect {
    move |(low, high)| make(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::text;

    /// A random value of every type, from a small generator with a fixed seed.
    fn random(state: &mut u64, depth: usize) -> Value {
        *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let pick = (*state >> 33) as usize;
        let bytes: Vec<u8> = (0..pick % 5).map(|n| (pick >> n) as u8).collect();
        let mut some = |count: usize| (0..count).map(|_| random(state, depth + 1)).collect::<Vec<Value>>();
        match pick % if depth > 3 { 10 } else { 14 } {
            0 => Value::Simple(bytes),
            1 => Value::Integer(pick as i64 - 1_000_000),
            2 => Value::Bulk(bytes),
            3 => Value::Null,
            4 => Value::NullArray,
            5 => Value::Boolean(pick.is_multiple_of(2)),
            6 => Value::Double(pick as f64 / 64.0),
            7 => Value::BlobError(bytes),
            8 => Value::Verbatim { format: "txt".into(), text: bytes },
            9 => Value::Error(bytes),
            10 => Value::Array(some(pick / 16 % 13)),
            11 => Value::Set(some(pick / 16 % 4)),
            12 => Value::Push(some(pick / 16 % 4)),
            _ => Value::Map(
                (0..pick / 16 % 4).map(|n| (Value::Integer(n as i64), some(1).remove(0))).collect(),
            ),
        }
    }

    #[test]
    fn the_text_of_a_value_expects_that_value() {
        let mut state = 7;
        for round in 0..3000 {
            let value = random(&mut state, 0);
            let lines = text::lines(&value);
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert_eq!(reply_length(&lines), lines.len(), "round {round}: {value}");
            let expect = parse(&lines).unwrap_or_else(|error| panic!("round {round}: {error}\n{value}"));
            assert!(expect.matches(&value, &Default::default()), "round {round}:\n{value}\n{expect:?}");
        }
    }

    #[test]
    fn replies_that_follow_each_other_are_told_apart() {
        let lines = ["1) \"a\"", "2) 1) \"b\"", "   2) \"c\"", "1) \"d\"", "OK"];
        assert_eq!(reply_length(&lines), 3);
        assert_eq!(reply_length(&lines[3..]), 1);
        assert_eq!(reply_length(&lines[4..]), 1);
    }

    #[test]
    fn mistakes_are_found() {
        for lines in [
            &["1) \"a\"", "3) \"b\""][..],
            &["1) \"a\"", "2~ \"b\""],
            &["(integre) 1"],
            &["\"open"],
            &["1# \"key\""],
            &["-) \"a\"", "-) \"b\" => \"c\""],
            &["(integer) x"],
        ] {
            assert!(parse(lines).is_err(), "{lines:?}");
        }
    }
}
