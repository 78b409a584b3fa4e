//! JSON.RESP, and values as those of the protocol.

use super::document::{self, STEPS, matches, no_path_at, path_or_projection, too_much};
use super::get::{Shape, text};
use super::row;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Outcome};
use json::path::project;
use json::{Number, View};
use resp::Reply;

pub const COMMANDS: &[Command] = &[row("JSON.RESP", resp)
    .arity(-2)
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY)
    .complexity(
        "O(N) when path is evaluated to a single value, where N is the size of the value, O(N) when path is evaluated to \
         multiple values, where N is the size of the key",
    )
    .summary("Returns the values at a path of a JSON document as values of the protocol.")
    .syntax("key:key path:string?")];

/// JSON.RESP key [path]
fn resp(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (query, resp3) = (path_or_projection(args, 2)?, cx.resp3);
    let Some(document) = document::read(cx, args.key(1))? else {
        out.null();
        return Ok(());
    };
    if query.is_legacy() {
        let first = matches(document, &query)?.first().copied();
        shown(first.ok_or_else(|| no_path_at(&query))?, resp3, out);
        return Ok(());
    }
    let items = project(&query, document.view(), STEPS).map_err(too_much)?;
    out.array(items.len());
    items.iter().for_each(|item| shown(item.view(), resp3, out));
    Ok(())
}

/// Arrays begin with `[`, objects with `{`.
fn shown(view: View<'_>, resp3: bool, out: &mut Reply) {
    match view {
        View::Null => out.null(),
        View::Bool(value) => out.status(if value { "true" } else { "false" }),
        View::Number(Number::Int(value)) => out.int(value),
        View::Number(Number::Unsigned(value)) => out.bulk(value.to_string().as_bytes()),
        View::Number(Number::Float(value)) if resp3 => out.double(value),
        View::Number(Number::Float(value)) => out.bulk(value.to_string().as_bytes()),
        View::String(text) => out.bulk(text),
        View::Array(array) => {
            out.array(1 + array.len());
            out.status("[");
            array.iter().for_each(|element| shown(element, resp3, out));
        }
        View::Object(object) => {
            out.array(1 + 2 * object.len());
            out.status("{");
            for (name, value) in object.iter() {
                out.bulk(name);
                shown(value, resp3, out);
            }
        }
    }
}

/// A value as RESP3 has it, as far as `shape` says.
pub fn expand(view: View<'_>, shape: Shape, out: &mut Reply) {
    match view {
        View::Array(_) | View::Object(_) if shape != Shape::Whole => out.bulk(&text(view)),
        View::Null => out.null(),
        View::Bool(value) => out.boolean(value),
        View::Number(number) => number_of_resp3(number, out),
        View::String(text) => out.bulk(text),
        View::Array(array) => {
            out.array(array.len());
            array.iter().for_each(|element| expand(element, shape, out));
        }
        View::Object(object) => {
            out.map(object.len());
            for (name, value) in object.iter() {
                out.bulk(name);
                expand(value, shape, out);
            }
        }
    }
}

/// A number that RESP3 has as a double if it has a fraction.
pub fn number_of_resp3(number: Number, out: &mut Reply) {
    match number {
        Number::Int(value) => out.int(value),
        Number::Unsigned(value) => out.double(value as f64),
        Number::Float(value) => out.double(value),
    }
}
