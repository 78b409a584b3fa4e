//! What a reply must be: an exact value, or a looser form where a reply is not fixed (order, time, random choice).
//!
//! Matching never changes anything; values to be remembered are taken by [`Expect::capture`] after a match.

use crate::pattern;
use std::collections::HashMap;
use testkit::Value;

/// Values remembered under a name within one section.
pub type Saved = HashMap<String, Value>;

/// The expectation for one reply, or for a part of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Expect {
    /// A scalar, or an empty aggregate, exactly.
    Exact(Value),
    /// `(any)`, `(any integer)` …
    Any(Kind),
    /// `(integer) 5..10`, both ends included.
    IntegerRange(i64, i64),
    /// `(double) 0.5..1.5`, both ends included.
    DoubleRange(f64, f64),
    /// `(match) glob`: a bulk string, status line or verbatim string.
    Match(Vec<u8>),
    /// `(error match) glob`
    ErrorMatch(Vec<u8>),
    /// `(one of) "a" "b"`: one of these bulk strings.
    OneOf(Vec<Vec<u8>>),
    /// `(array of 3)`: an array, or set, of that many elements.
    Count(usize),
    /// `(save name)`: any reply, remembered.
    Save(String),
    /// `(same name)`: equal to what was remembered.
    Same(String),
    /// `1) …`, `1~ …`, `1> …`
    Items { shape: Shape, items: Vec<Expect>, any_order: bool },
    /// `1# key => value`: a map, in any order.
    Pairs(Vec<(Expect, Expect)>),
    /// `-) …`: an array in any order; `-) a => b` are two elements of it that follow each other.
    Bag(Vec<(Expect, Option<Expect>)>),
    /// `(nothing)`: no reply comes for a short while.
    Nothing,
    /// `(closed)`: the server closes the connection.
    Closed,
    /// `?`: not yet known; to be recorded.
    Unrecorded,
}

/// The aggregates that are lists of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Array,
    Set,
    Push,
}

/// The word after `any`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Anything,
    Integer,
    Bulk,
    Double,
    Error,
    Array,
    Map,
    Set,
}

impl Expect {
    /// True when the value is what is expected here.
    pub fn matches(&self, value: &Value, saved: &Saved) -> bool {
        match self {
            Expect::Exact(expected) => same(expected, value),
            Expect::Any(kind) => kind.fits(value),
            Expect::IntegerRange(low, high) => {
                matches!(value, Value::Integer(number) if (low..=high).contains(&number))
            }
            Expect::DoubleRange(low, high) => {
                double(value).is_some_and(|number| (*low..=*high).contains(&number))
            }
            Expect::Match(glob) => {
                !value.is_error() && value.bytes().is_some_and(|text| pattern::matches(glob, text))
            }
            Expect::ErrorMatch(glob) => {
                value.is_error() && value.bytes().is_some_and(|text| pattern::matches(glob, text))
            }
            Expect::OneOf(all) => matches!(value, Value::Bulk(bytes) if all.contains(bytes)),
            Expect::Count(count) => value.items().is_some_and(|items| items.len() == *count),
            Expect::Save(_) => true,
            Expect::Same(name) => saved.get(name).is_some_and(|expected| same(expected, value)),
            Expect::Items { shape, items, any_order } => {
                let Some(values) = shape.items(value) else { return false };
                let fits = |e: usize, v: usize| items[e].matches(&values[v], saved);
                let in_order = || (0..items.len()).all(|index| fits(index, index));
                items.len() == values.len()
                    && if *any_order || *shape == Shape::Set {
                        assign(items.len(), &fits)
                    } else {
                        in_order()
                    }
            }
            Expect::Pairs(expected) => {
                let Value::Map(pairs) = value else { return false };
                expected.len() == pairs.len()
                    && assign(expected.len(), &|e, v| {
                        let (key, value) = &pairs[v];
                        expected[e].0.matches(key, saved) && expected[e].1.matches(value, saved)
                    })
            }
            Expect::Bag(expected) => matches_bag(expected, value, saved),
            Expect::Nothing | Expect::Closed | Expect::Unrecorded => false,
        }
    }

    /// Remembers what the `(save name)` parts stand for; `value` has matched.
    pub fn capture(&self, value: &Value, saved: &mut Saved) {
        match self {
            Expect::Save(name) => {
                saved.insert(name.clone(), value.clone());
            }
            Expect::Items { shape, items, any_order: false } => {
                for (item, value) in items.iter().zip(shape.items(value).unwrap_or_default()) {
                    item.capture(value, saved);
                }
            }
            _ => {}
        }
    }

    /// The same expectation with the order of the outermost elements free; `None` where that means nothing.
    pub fn in_any_order(self) -> Option<Expect> {
        match self {
            Expect::Items { shape, items, .. } => Some(Expect::Items { shape, items, any_order: true }),
            bag @ (Expect::Bag(_) | Expect::Pairs(_)) => Some(bag),
            _ => None,
        }
    }
}

impl Shape {
    fn items(self, value: &Value) -> Option<&[Value]> {
        match (self, value) {
            (Shape::Array, Value::Array(items)) => Some(items),
            (Shape::Set, Value::Set(items)) => Some(items),
            (Shape::Push, Value::Push(items)) => Some(items),
            _ => None,
        }
    }
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        match self {
            Kind::Anything => true,
            Kind::Integer => matches!(value, Value::Integer(_)),
            Kind::Bulk => matches!(value, Value::Bulk(_)),
            Kind::Double => matches!(value, Value::Double(_)),
            Kind::Error => value.is_error(),
            Kind::Array => matches!(value, Value::Array(_)),
            Kind::Map => matches!(value, Value::Map(_)),
            Kind::Set => matches!(value, Value::Set(_)),
        }
    }
}

/// Equality, with NaN equal to itself.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Double(a), Value::Double(b)) => a == b || (a.is_nan() && b.is_nan()),
        _ => a == b,
    }
}

/// A double, or the bulk string that stands for it in RESP2.
fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Double(number) => Some(*number),
        Value::Bulk(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
        _ => None,
    }
}

fn matches_bag(expected: &[(Expect, Option<Expect>)], value: &Value, saved: &Saved) -> bool {
    let Some(values) = value.items() else { return false };
    let step = if expected.iter().any(|(_, second)| second.is_some()) { 2 } else { 1 };
    values.len() == expected.len() * step
        && assign(expected.len(), &|e, v| {
            let (first, second) = &expected[e];
            let fits =
                |expect: &Expect, at: usize| values.get(at).is_some_and(|value| expect.matches(value, saved));
            fits(first, v * step) && second.as_ref().is_none_or(|second| fits(second, v * step + 1))
        })
}

/// True when `count` expectations can be paired one to one with `count` values that fit them.
/// Augmenting paths (Kuhn 1955), so that a loose pattern never takes the only partner of a strict one for good.
fn assign(count: usize, fits: &dyn Fn(usize, usize) -> bool) -> bool {
    let mut owner: Vec<Option<usize>> = vec![None; count];
    (0..count).all(|expected| place(expected, fits, &mut owner, &mut vec![false; count]))
}

fn place(
    expected: usize,
    fits: &dyn Fn(usize, usize) -> bool,
    owner: &mut [Option<usize>],
    seen: &mut [bool],
) -> bool {
    for value in 0..owner.len() {
        if seen[value] || !fits(expected, value) {
            continue;
        }
        seen[value] = true;
        if owner[value].is_none_or(|other| place(other, fits, owner, seen)) {
            owner[value] = Some(expected);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notation::parse;

    fn check(text: &str, value: &Value) -> bool {
        let lines: Vec<&str> = text.lines().collect();
        parse(&lines).unwrap().matches(value, &Saved::new())
    }

    #[test]
    fn order_matters_only_where_it_is_fixed() {
        let ab = Value::bulks(&["a", "b"]);
        assert!(check("1) \"a\"\n2) \"b\"", &ab));
        assert!(!check("1) \"b\"\n2) \"a\"", &ab));
        assert!(check("-) \"b\"\n-) \"a\"", &ab));
        assert!(!check("-) \"b\"\n-) \"b\"", &ab));
        assert!(check("1~ \"b\"\n2~ \"a\"", &Value::Set(ab.items().unwrap().to_vec())));
    }

    #[test]
    fn pairs_of_a_flat_array_stay_together() {
        let flat = Value::bulks(&["f", "1", "g", "2"]);
        assert!(check("-) \"g\" => \"2\"\n-) \"f\" => \"1\"", &flat));
        assert!(!check("-) \"g\" => \"1\"\n-) \"f\" => \"2\"", &flat));
    }

    #[test]
    fn a_loose_pattern_leaves_the_strict_one_its_value() {
        assert!(check("-) (any)\n-) \"a\"", &Value::bulks(&["a", "b"])));
        assert!(!check("-) (any)\n-) \"a\"", &Value::bulks(&["c", "b"])));
    }

    #[test]
    fn ranges_patterns_and_choices() {
        assert!(check("(integer) 5..10", &Value::Integer(10)));
        assert!(check("(integer) ..-1", &Value::Integer(-7)));
        assert!(!check("(integer) 5..10", &Value::Integer(11)));
        assert!(check("(double) 1.4..1.6", &Value::Double(1.5)));
        assert!(check("(match) v=*", &Value::bulk("v=1")));
        assert!(!check("(match) *", &Value::Error(b"ERR".to_vec())));
        assert!(check("(error match) ERR *", &Value::Error(b"ERR x".to_vec())));
        assert!(check("(one of) \"a\" \"b\"", &Value::bulk("b")));
        assert!(check("(array of 2)", &Value::bulks(&["a", "b"])));
        assert!(!check("(nil)", &Value::NullArray));
    }

    #[test]
    fn a_saved_value_is_compared_later() {
        let mut saved = Saved::new();
        parse(&["1) (save id)", "2) (any)"]).unwrap().capture(&Value::bulks(&["7", "x"]), &mut saved);
        assert!(parse(&["(same id)"]).unwrap().matches(&Value::bulk("7"), &saved));
        assert!(!parse(&["(same id)"]).unwrap().matches(&Value::bulk("8"), &saved));
    }
}
