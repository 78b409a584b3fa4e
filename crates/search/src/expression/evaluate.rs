//! The value of an expression for a row.

use super::{Node, Operator, Row, Value};
use crate::error::{Code, Error, shown};
use std::cmp::Ordering;

pub(super) fn evaluate(node: &Node, row: &dyn Row) -> Result<Value, Error> {
    match node {
        Node::Literal(value) => Ok(value.clone()),
        Node::Property(name) => row.property(name).ok_or_else(|| missing(name)),
        Node::Negated(inner) => {
            let value = evaluate(inner, row)?;
            Ok(value.number().map_or(Value::Null, |number| Value::Number(-number)))
        }
        Node::Not(inner) => Ok(truth(!evaluate(inner, row)?.is_true())),
        Node::Binary(operator @ (Operator::Or | Operator::And), left, right) => {
            logical(*operator == Operator::Or, left, right, row)
        }
        Node::Binary(operator, left, right) => {
            binary(*operator, &evaluate(left, row)?, &evaluate(right, row)?)
        }
        Node::Call(function, arguments) => match (function.name, &arguments[..]) {
            ("exists", [Node::Property(name)]) => Ok(truth(row.property(name).is_some())),
            ("case", [condition, if_true, if_false]) => {
                let chosen = if evaluate(condition, row)?.is_true() { if_true } else { if_false };
                evaluate(chosen, row)
            }
            ("matched_terms", _) => {
                let limit = arguments.first().map(|limit| evaluate(limit, row)).transpose()?;
                let limit = limit.and_then(|limit| limit.number()).filter(|limit| *limit >= 1.0);
                let terms = row.matched_terms(limit.map_or(100, |limit| limit.min(100.0) as usize));
                let list: Vec<Value> = terms.into_iter().map(Value::Text).collect();
                Ok(if list.is_empty() { Value::Null } else { Value::List(list) })
            }
            _ => {
                let values = arguments.iter().map(|argument| evaluate(argument, row));
                (function.apply)(function, &values.collect::<Result<Vec<_>, _>>()?)
            }
        },
    }
}

fn missing(name: &[u8]) -> Error {
    let name = shown(name);
    let text = format!(
        "Could not find the value for a parameter name, consider using EXISTS if applicable for {name}"
    );
    Error::new(Code::ValueMissing, text)
}

pub(super) fn truth(holds: bool) -> Value {
    Value::Number(f64::from(u8::from(holds)))
}

/// A property that is missing counts as false where the other side decides, and is an error where it does not.
fn logical(is_or: bool, left: &Node, right: &Node, row: &dyn Row) -> Result<Value, Error> {
    let mut without = None;
    for operand in [left, right] {
        let holds = match operand {
            Node::Property(name) => row.property(name).map_or_else(
                || {
                    without = Some(missing(name));
                    false
                },
                |value| value.is_true(),
            ),
            other => evaluate(other, row)?.is_true(),
        };
        if holds == is_or {
            return Ok(truth(is_or));
        }
    }
    without.map_or_else(|| Ok(truth(!is_or)), Err)
}

fn binary(operator: Operator, left: &Value, right: &Value) -> Result<Value, Error> {
    let ordered = |holds: fn(Ordering) -> bool| match left.predicate_order(right) {
        Some(order) => Ok(truth(holds(order))),
        None => Err(Error::new(Code::Number, "Error converting string")),
    };
    let equal = || left.predicate_order(right).is_some_and(Ordering::is_eq);
    match operator {
        Operator::Equal => return Ok(truth(equal())),
        Operator::Unequal => return Ok(truth(!equal())),
        Operator::Less => return ordered(Ordering::is_lt),
        Operator::LessOrEqual => return ordered(Ordering::is_le),
        Operator::Greater => return ordered(Ordering::is_gt),
        Operator::GreaterOrEqual => return ordered(Ordering::is_ge),
        _ => {}
    }
    let (Some(left), Some(right)) = (left.number(), right.number()) else {
        return Err(Error::new(Code::Number, "Invalid numeric value"));
    };
    Ok(Value::Number(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        // What C calls fmod.
        Operator::Modulo => left % right,
        _ => left.powf(right),
    }))
}
