//! JSON.NUMINCRBY and JSON.NUMMULTBY.

use super::document::{self, located, no_such, path, update_present};
use super::get::text;
use super::resp_form::number_of_resp3;
use super::row;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use json::edit::{Step, look_up};
use json::view::Array;
use json::{Document, Node, Number, View};
use resp::Reply;

const EACH: &str = "O(1) when path is evaluated to a single value, O(N) when path is evaluated to multiple values, where N is \
                    the size of the key";

pub const COMMANDS: &[Command] = &[
    row("JSON.NUMINCRBY", numincrby)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE)
        .complexity(EACH)
        .summary("Adds a number to the numbers at a path of a JSON document.")
        .syntax("key:key path:string value:double"),
    row("JSON.NUMMULTBY", nummultby)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE)
        .complexity(EACH)
        .summary("Multiplies the numbers at a path of a JSON document.")
        .syntax("key:key path:string value:double"),
];

/// What is done with a number.
#[derive(Clone, Copy)]
struct Operation {
    event: &'static str,
    whole: fn(i128, i128) -> Option<i128>,
    float: fn(f64, f64) -> f64,
}

/// JSON.NUMINCRBY key path value
fn numincrby(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let add = Operation { event: "json.numincrby", whole: i128::checked_add, float: |a, b| a + b };
    change(cx, args, out, add)
}

/// JSON.NUMMULTBY key path value
fn nummultby(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let multiply = Operation { event: "json.nummultby", whole: i128::checked_mul, float: |a, b| a * b };
    change(cx, args, out, multiply)
}

fn change(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply, operation: Operation) -> Outcome {
    let query = path(args, 2)?;
    let operand = document::json(args, 3)?;
    let operand = operand.view().as_number().ok_or_else(|| Error::err("bad input number"))?;
    let (key, resp3) = (args.key(1), cx.resp3);
    let mut document = update_present(cx, key)?;
    let located = located(&document, &query, |view| view.as_number())?;
    let mut results = Vec::with_capacity(located.len());
    let mut among_whole = AmongWhole::default();
    // All that can fail comes first.
    for (place, number) in &located {
        let result = match number {
            Some(number) => {
                let result = calculate(*number, operand, operation, among_whole.has(&document, place));
                Some(result.ok_or_else(|| Error::err("numeric overflow"))?)
            }
            None => None,
        };
        results.push(result);
    }
    for ((place, _), result) in located.iter().zip(&results) {
        if let Some(result) = result {
            document::replace(&mut document, place, Node::of(View::Number(*result)));
        }
    }
    drop(document);
    let last = results.iter().rev().find_map(|result| *result);
    if query.is_legacy() && last.is_none() {
        return Err(no_such(&args[2], "does not contains a number"));
    }
    if last.is_some() {
        cx.event(Event::Module, operation.event, key.bytes);
    }
    let shown = |result: &Option<Number>| result.map_or(View::Null, View::Number);
    if query.is_legacy() && !resp3 {
        out.bulk(&text(shown(&last)));
    } else if resp3 {
        if query.is_legacy() {
            results = vec![last];
        }
        out.array(results.len());
        for result in results {
            match result {
                Some(number) => number_of_resp3(number, out),
                None => out.null(),
            }
        }
    } else {
        let mut list = vec![b'['];
        for (at, result) in results.iter().enumerate() {
            list.extend_from_slice(if at == 0 { b"" } else { b"," });
            list.extend_from_slice(&text(shown(result)));
        }
        list.push(b']');
        out.bulk(&list);
    }
    Ok(())
}

/// Whether numbers are elements of an array of nothing but whole numbers: RedisJSON keeps those in arrays of their own, which grow as far
/// as 64 bits without a sign go. The last array is remembered, for its elements come one after the other.
#[derive(Default)]
struct AmongWhole {
    last: Option<(Vec<Step>, bool)>,
}

impl AmongWhole {
    fn has(&mut self, document: &Document, place: &[Step]) -> bool {
        let Some((Step::Index(_), outer)) = place.split_last() else { return false };
        if let Some((last, is_whole)) = &self.last
            && last == outer
        {
            return *is_whole;
        }
        let is_whole = match look_up(document.view(), outer) {
            Some(View::Array(Array::Numbers(numbers))) => numbers.width.is_whole(),
            Some(View::Array(array)) => {
                array.iter().all(|element| element.as_number().is_some_and(Number::is_whole))
            }
            _ => false,
        };
        self.last = Some((outer.to_vec(), is_whole));
        is_whole
    }
}

/// The result, if it is not too large.
fn calculate(a: Number, b: Number, operation: Operation, is_among_whole: bool) -> Option<Number> {
    match (whole(a), whole(b)) {
        (Some(left), Some(right)) if is_among_whole => {
            let result = (operation.whole)(left, right)?;
            let small = i64::try_from(result).map(Number::Int);
            small.or_else(|_| u64::try_from(result).map(Number::Unsigned)).ok()
        }
        (Some(left), Some(right)) if a.as_i64().is_some() && b.as_i64().is_some() => {
            i64::try_from((operation.whole)(left, right)?).ok().map(Number::Int)
        }
        _ => Number::finite((operation.float)(a.as_f64(), b.as_f64())),
    }
}

fn whole(number: Number) -> Option<i128> {
    match number {
        Number::Int(value) => Some(value.into()),
        Number::Unsigned(value) => Some(value.into()),
        Number::Float(_) => None,
    }
}
