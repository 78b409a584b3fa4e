//! Values of rows: numbers, texts, lists, or nothing.

use crate::number::result_text;
use std::cmp::Ordering;

/// A value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    #[default]
    Null,
    Number(f64),
    Text(Vec<u8>),
    List(Vec<Value>),
    /// Names with values, as REDUCE COLLECT makes them.
    Map(Vec<(Vec<u8>, Value)>),
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<Vec<u8>>) -> Self {
        Self::Text(text.into())
    }

    /// As a number, if it is one or reads like one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// As it stands in a result; `None` for nothing, lists and maps.
    pub fn shown(&self) -> Option<Vec<u8>> {
        match self {
            Self::Number(number) => Some(result_text(*number).as_bytes().to_vec()),
            Self::Text(text) => Some(text.clone()),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Memory that it takes beside itself.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Null | Self::Number(_) => 0,
            Self::Text(text) => text.len(),
            Self::List(list) => list.iter().map(|value| size_of::<Self>() + value.bytes()).sum(),
            Self::Map(map) => {
                let pairs = map.iter().map(|(name, value)| name.len() + value.bytes());
                size_of_val(&map[..]) + pairs.sum::<usize>()
            }
        }
    }

    /// Whether a condition with this value holds.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Number(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
        }
    }

    /// The order of values: nothing first; a number and a text that reads like one as numbers, else as texts.
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Less,
            (_, Self::Null) => Ordering::Greater,
            (Self::Number(left), Self::Number(right)) => number_order(*left, *right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::List(left), Self::List(right)) => match (left.first(), right.first()) {
                (Some(left), Some(right)) => left.compare(right),
                _ => left.len().cmp(&right.len()),
            },
            (Self::Map(_), Self::Map(_)) => self.identity().cmp(&other.identity()),
            (Self::Map(_), _) => Ordering::Greater,
            (_, Self::Map(_)) => Ordering::Less,
            (Self::List(_), _) => Ordering::Greater,
            (_, Self::List(_)) => Ordering::Less,
            (left, right) => match (left.number(), right.number()) {
                (Some(left), Some(right)) => number_order(left, right),
                _ => left.shown().cmp(&right.shown()),
            },
        }
    }

    /// The order of values in conditions, where what cannot be compared counts as equal; `None` for a number beside what does not
    /// read like one.
    pub(super) fn predicate_order(&self, other: &Self) -> Option<Ordering> {
        Some(match (self, other) {
            (Self::Null, _) | (_, Self::Null) => self.compare(other),
            (Self::Number(_), _) | (_, Self::Number(_)) => {
                self.number()?.partial_cmp(&other.number()?).unwrap_or(Ordering::Equal)
            }
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::Text(text), _) => text[..].cmp(b""),
            (_, Self::Text(text)) => b""[..].cmp(text),
            (Self::List(left), Self::List(right)) => match (left.first(), right.first()) {
                (Some(left), Some(right)) => return left.predicate_order(right),
                _ => left.len().cmp(&right.len()),
            },
            (Self::List(_) | Self::Map(_), _) => Ordering::Equal,
        })
    }

    /// What two values that count as one have in common.
    pub(crate) fn identity(&self) -> Vec<u8> {
        match self {
            Self::Null => vec![0],
            Self::Number(number) => [&[1][..], &(number + 0.0).to_bits().to_be_bytes()].concat(),
            Self::Text(text) => [&[2][..], text].concat(),
            Self::Map(map) => {
                let pairs = map.iter().flat_map(|(name, value)| [Self::text(name.clone()), value.clone()]);
                [&[4][..], &Self::List(pairs.collect()).identity()].concat()
            }
            Self::List(list) => {
                let mut out = vec![3];
                for value in list {
                    let inside = value.identity();
                    out.extend((inside.len() as u64).to_be_bytes());
                    out.extend(inside);
                }
                out
            }
        }
    }

    /// The number of its type in sentences of errors, as RediSearch has them.
    pub(super) fn type_number(&self) -> u8 {
        match self {
            Self::Number(_) => 1,
            Self::Text(_) => 2,
            Self::Null => 3,
            Self::List(_) => 5,
            Self::Map(_) => 8,
        }
    }
}

/// Zeros of both signs are alike; what is no number stands at an end, so that lists can be sorted.
fn number_order(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| left.total_cmp(&right))
}
