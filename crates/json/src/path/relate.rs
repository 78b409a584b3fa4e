//! Relations between values. Where an operand is several values, a relation holds if it does of any.

use super::evaluate::{Evaluation, Value};
use super::select::TooMuchWork;
use super::syntax::Relation;
use crate::View;
use crate::view::Array;
use std::cmp::Ordering;

/// What a value by itself says in a condition: a path that it leads somewhere, a made value or literal that it is not false.
pub fn truth(value: &Value<'_>) -> bool {
    match value {
        Value::Nothing => false,
        Value::Nodes(nodes) => !nodes.is_empty(),
        Value::Literal(View::Bool(value)) => *value,
        Value::Node(_) | Value::Literal(_) | Value::Made(_) | Value::List(_) => true,
    }
}

/// Whether a relation holds.
pub fn relate(
    evaluation: &mut Evaluation<'_>,
    left: &Value<'_>,
    relation: Relation,
    right: &Value<'_>,
) -> Result<bool, TooMuchWork> {
    if relation == Relation::NotIn {
        // The strict opposite, but of nothing nothing holds.
        let is_there = left.any(|_| Ok(true))?;
        return Ok(is_there && !relate(evaluation, left, Relation::In, right)?);
    }
    if relation == Relation::In
        && let Value::Nodes(nodes) = right
        && nodes.len() > 1
    {
        // Several values are themselves what something may be among.
        let is_one = left.any(|left| {
            for node in nodes {
                if is_equal(evaluation, left, *node)? {
                    return Ok(true);
                }
            }
            Ok(false)
        })?;
        if is_one {
            return Ok(true);
        }
    }
    left.any(|left| right.any(|right| holds(evaluation, left, relation, right)))
}

fn holds(
    evaluation: &mut Evaluation<'_>,
    left: View<'_>,
    relation: Relation,
    right: View<'_>,
) -> Result<bool, TooMuchWork> {
    evaluation.step()?;
    Ok(match relation {
        Relation::Equal => is_equal(evaluation, left, right)?,
        Relation::Unequal => !is_equal(evaluation, left, right)?,
        Relation::Less => order(left, right) == Some(Ordering::Less),
        Relation::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
        Relation::Greater => order(left, right) == Some(Ordering::Greater),
        Relation::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
        Relation::Matches => match (left, right) {
            (View::String(text), View::String(pattern)) => evaluation.matches(text, pattern, false)?,
            _ => false,
        },
        Relation::In => match right {
            View::Array(array) => has(evaluation, array, left)?,
            _ => false,
        },
        Relation::NotIn => unreachable!("asked as its opposite"),
        Relation::SubsetOf => match (left, right) {
            (View::Array(left), View::Array(right)) => count_in(evaluation, left, right)? == left.len(),
            _ => false,
        },
        Relation::AnyOf => match (left, right) {
            (View::Array(left), View::Array(right)) => count_in(evaluation, left, right)? > 0,
            _ => false,
        },
        Relation::NoneOf => match (left, right) {
            (View::Array(left), View::Array(right)) => count_in(evaluation, left, right)? == 0,
            _ => false,
        },
        Relation::SizeOf => match (size(left), right.as_number()) {
            (Some(size), Some(number)) => number.as_f64().trunc() == size as f64,
            _ => false,
        },
        Relation::Empty => match (size(left), right) {
            (Some(size), View::Bool(value)) => (size == 0) == value,
            _ => false,
        },
    })
}

/// Characters of a string, elements of an array, members of an object; nothing else has any.
pub fn size(view: View<'_>) -> Option<usize> {
    match view {
        View::String(text) => Some(text.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()),
        View::Array(array) => Some(array.len()),
        View::Object(object) => Some(object.len()),
        _ => None,
    }
}

/// Counts what comparing takes: about the smaller of the two.
fn is_equal(evaluation: &mut Evaluation<'_>, left: View<'_>, right: View<'_>) -> Result<bool, TooMuchWork> {
    let width = |view: View<'_>| match view {
        View::String(text) => 1 + text.len() / 64,
        View::Array(array) => 1 + array.len(),
        View::Object(object) => 1 + object.len(),
        _ => 1,
    };
    evaluation.steps(width(left).min(width(right)) as u64)?;
    Ok(left == right)
}

fn order(left: View<'_>, right: View<'_>) -> Option<Ordering> {
    match (left, right) {
        (View::Number(a), View::Number(b)) => Some(a.compare(b)),
        (View::String(a), View::String(b)) => Some(a.cmp(b)),
        // Neither is less, but they may be the same.
        (View::Bool(a), View::Bool(b)) => (a == b).then_some(Ordering::Equal),
        (View::Null, View::Null) => Some(Ordering::Equal),
        _ => None,
    }
}

fn has(evaluation: &mut Evaluation<'_>, array: Array<'_>, wanted: View<'_>) -> Result<bool, TooMuchWork> {
    for element in array.iter() {
        if is_equal(evaluation, element, wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How many elements of one array the other has.
fn count_in(evaluation: &mut Evaluation<'_>, of: Array<'_>, among: Array<'_>) -> Result<usize, TooMuchWork> {
    let mut count = 0;
    for element in of.iter() {
        count += usize::from(has(evaluation, among, element)?);
    }
    Ok(count)
}
