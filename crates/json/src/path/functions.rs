//! The functions of expressions. A wrong number of arguments, or one of a kind that a function is not for, makes nothing.

use super::evaluate::{Evaluation, Item, Value};
use super::relate::size;
use super::select::{TooMuchWork, position};
use super::syntax::Function;
use crate::{Node, Number, View};

/// What a function makes of its arguments.
pub fn call<'a>(
    evaluation: &mut Evaluation<'a>,
    function: Function,
    arguments: Vec<Value<'a>>,
) -> Result<Value<'a>, TooMuchWork> {
    match function {
        Function::Append => return append(evaluation, arguments),
        Function::Concat => return Ok(concat(arguments)),
        _ => {}
    }
    let mut arguments = arguments.into_iter();
    let (first, second, more) = (arguments.next(), arguments.next(), arguments.next());
    let (Some(first), None) = (first, more) else { return Ok(Value::Nothing) };
    Ok(match (function, second) {
        (Function::Length, None) => {
            let length = first.single().and_then(|item| size(item.view()));
            Value::number(length.map(|length| Number::Int(length as i64)))
        }
        (Function::Count, None) => {
            let count = match first {
                Value::Nothing => 0,
                Value::Nodes(nodes) => nodes.len(),
                Value::List(items) => items.len(),
                Value::Node(_) | Value::Literal(_) | Value::Made(_) => 1,
            };
            Value::number(Some(Number::Int(count as i64)))
        }
        (Function::Value, None) => first.single().map_or(Value::Nothing, of_item),
        (Function::Keys, None) => keys(evaluation, first)?,
        (Function::Match | Function::Search, Some(second)) => {
            let is_whole = function == Function::Match;
            Value::bool(first.any(|text| {
                second.any(|pattern| match (text, pattern) {
                    (View::String(text), View::String(pattern)) => {
                        evaluation.matches(text, pattern, is_whole)
                    }
                    _ => Ok(false),
                })
            })?)
        }
        (Function::Abs, None) => Value::number(first.as_number().and_then(absolute)),
        (Function::Ceiling, None) => Value::number(first.as_number().and_then(|n| rounded(n, f64::ceil))),
        (Function::Floor, None) => Value::number(first.as_number().and_then(|n| rounded(n, f64::floor))),
        (Function::First, None) => element(first, 0),
        (Function::Last, None) => element(first, -1),
        (Function::Index, Some(second)) => match second.as_number() {
            Some(number) => element(first, number.as_f64() as i64),
            None => Value::Nothing,
        },
        (Function::Min | Function::Max | Function::Avg | Function::Sum | Function::Stddev, None) => {
            aggregate(evaluation, function, first)?
        }
        _ => Value::Nothing,
    })
}

fn of_item(item: Item<'_>) -> Value<'_> {
    match item {
        Item::There(view) => Value::Literal(view),
        Item::Made(node) => Value::Made(node),
    }
}

/// The names of the members of all objects among values.
pub fn keys<'a>(evaluation: &mut Evaluation<'a>, receiver: Value<'a>) -> Result<Value<'a>, TooMuchWork> {
    let views = match receiver {
        Value::Nodes(nodes) => nodes,
        Value::Node(view) | Value::Literal(view) => vec![view],
        _ => Vec::new(),
    };
    let mut names = Vec::new();
    for view in views {
        let Some(object) = view.as_object() else { continue };
        evaluation.steps(object.len() as u64)?;
        names.extend(object.iter().map(|(name, _)| Item::There(View::String(name))));
    }
    Ok(Value::List(names))
}

fn absolute(number: Number) -> Option<Number> {
    match number {
        Number::Int(value) => value.checked_abs().map(Number::Int),
        Number::Unsigned(value) => Some(Number::Unsigned(value)),
        Number::Float(value) => Number::finite(value.abs()),
    }
}

fn rounded(number: Number, round: fn(f64) -> f64) -> Option<Number> {
    match number {
        Number::Float(value) => Number::finite(round(value)),
        whole => Some(whole),
    }
}

/// An element of an array, counted from the end if negative. Several values are an array of them.
fn element(array: Value<'_>, index: i64) -> Value<'_> {
    let of_array = |view: View<'_>, index: i64| {
        let array = view.as_array()?;
        array.get(position(index, array.len())?).map(Node::of)
    };
    match array {
        Value::Nodes(nodes) if nodes.len() != 1 => {
            let found = position(index, nodes.len()).and_then(|index| nodes.get(index).copied());
            found.map_or(Value::Nothing, Value::Literal)
        }
        Value::List(mut items) => match position(index, items.len()) {
            Some(index) if index < items.len() => of_item(items.swap_remove(index)),
            _ => Value::Nothing,
        },
        Value::Made(node) => of_array(node.view(), index).map_or(Value::Nothing, Value::Made),
        other => match other.single() {
            Some(Item::There(view)) => {
                let array = view.as_array();
                let found = array.and_then(|array| array.get(position(index, array.len())?));
                found.map_or(Value::Nothing, Value::Literal)
            }
            _ => Value::Nothing,
        },
    }
}

/// Of an array of nothing but numbers, or of several numbers.
fn aggregate<'a>(
    evaluation: &mut Evaluation<'a>,
    function: Function,
    array: Value<'a>,
) -> Result<Value<'a>, TooMuchWork> {
    let numbers: Option<Vec<f64>> = match &array {
        Value::Nodes(nodes) if nodes.len() > 1 => nodes.iter().map(|node| number_of(*node)).collect(),
        Value::List(items) => items.iter().map(|item| number_of(item.view())).collect(),
        _ => array.single().and_then(|item| {
            let array = item.view().as_array()?;
            array.iter().map(number_of).collect()
        }),
    };
    let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty()) else { return Ok(Value::Nothing) };
    evaluation.steps(numbers.len() as u64)?;
    let count = numbers.len() as f64;
    let sum: f64 = numbers.iter().sum();
    let result = match function {
        Function::Min => numbers.iter().copied().fold(f64::INFINITY, f64::min),
        Function::Max => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Function::Avg => sum / count,
        Function::Sum => sum,
        _ => {
            let mean = sum / count;
            (numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / count).sqrt()
        }
    };
    Ok(Value::number(Number::finite(result)))
}

fn number_of(view: View<'_>) -> Option<f64> {
    view.as_number().map(Number::as_f64)
}

/// The texts one behind the other.
fn concat(arguments: Vec<Value<'_>>) -> Value<'_> {
    let mut whole = Vec::new();
    for argument in &arguments {
        let is_text = argument.any(|view| {
            whole.extend_from_slice(view.as_string().unwrap_or_default());
            Ok(view.as_string().is_some())
        });
        if is_text != Ok(true) || matches!(argument, Value::Nodes(nodes) if nodes.len() > 1) {
            return Value::Nothing;
        }
    }
    if arguments.is_empty() { Value::Nothing } else { Value::Made(Node::of(View::String(&whole))) }
}

/// The elements of an array, or several values, and behind them each argument as one more.
fn append<'a>(evaluation: &mut Evaluation<'a>, arguments: Vec<Value<'a>>) -> Result<Value<'a>, TooMuchWork> {
    let mut arguments = arguments.into_iter();
    let receiver = arguments.next().unwrap_or(Value::Nothing);
    if matches!(receiver, Value::Nothing) || arguments.len() == 0 {
        return Ok(Value::Nothing);
    }
    let mut items = elements(receiver.into_items());
    evaluation.steps(items.len() as u64)?;
    for argument in arguments {
        match as_element(argument) {
            Some(item) => items.push(item),
            None => return Ok(Value::Nothing),
        }
    }
    Ok(Value::List(items))
}

/// What a list of one array stands for are its elements.
fn elements(items: Vec<Item<'_>>) -> Vec<Item<'_>> {
    match items.as_slice() {
        [Item::There(View::Array(array))] => array.iter().map(Item::There).collect(),
        [Item::Made(node)] => match node.view() {
            View::Array(array) => array.iter().map(|element| Item::Made(Node::of(element))).collect(),
            _ => items,
        },
        _ => items,
    }
}

/// An argument as one element: several values are an array of them.
fn as_element(argument: Value<'_>) -> Option<Item<'_>> {
    match argument {
        Value::Nodes(nodes) if nodes.len() > 1 => {
            Some(Item::Made(Node::array_of(nodes.into_iter().map(Node::of))))
        }
        other => other.single(),
    }
}
