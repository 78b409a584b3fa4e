//! Strings and truth values: JSON.STRAPPEND, JSON.STRLEN, JSON.TOGGLE.

use super::document::{
    self, expected, located, matches, no_key, no_path_at, no_such, path, reply_numbers, update_present,
    without_document,
};
use super::row;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use json::edit::look_up;
use json::{Node, View};
use resp::Reply;

const EACH: &str = "O(1) when path is evaluated to a single value, O(N) when path is evaluated to multiple values, where N is \
                    the size of the key";

pub const COMMANDS: &[Command] = &[
    row("JSON.STRAPPEND", strappend)
        .arity(-3)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .complexity(EACH)
        .summary("Appends a string to the strings at a path of a JSON document.")
        .syntax("key:key path:string? value:string"),
    row("JSON.STRLEN", strlen)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity(EACH)
        .summary("Returns the lengths of the strings at a path of a JSON document.")
        .syntax("key:key path:string?"),
    row("JSON.TOGGLE", toggle)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE)
        .since("2.0.0")
        .complexity(EACH)
        .summary("Turns the truth values at a path of a JSON document over.")
        .syntax("key:key path:string"),
];

/// JSON.STRAPPEND key [path] value
fn strappend(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 4 {
        return Err(Error::wrong_arity("json.strappend"));
    }
    let last = args.len() - 1;
    let query = if last == 3 { path(args, 2)? } else { json::path::Query::legacy_root() };
    let value = document::json(args, last)?;
    let more = value.view().as_string().ok_or_else(|| expected("string", value.view()))?;
    let key = args.key(1);
    let mut document = update_present(cx, key)?;
    let located = located(&document, &query, |view| view.as_string().is_some())?;
    let mut lengths = Vec::with_capacity(located.len());
    for (place, is_text) in &located {
        let text = look_up(document.view(), place).and_then(View::as_string).filter(|_| *is_text);
        let whole = text.map(|text| [text, more].concat());
        lengths.push(whole.as_ref().map(|whole| whole.len() as i64));
        if let Some(whole) = whole {
            document::replace(&mut document, place, Node::of(View::String(&whole)));
        }
    }
    drop(document);
    if lengths.iter().any(Option::is_some) {
        cx.event(Event::Module, "json.strappend", key.bytes);
    }
    let given = if last == 3 { &args[2] } else { &b"."[..] };
    reply_numbers(out, &query, &lengths, || no_such(given, "not a string"))
}

/// JSON.STRLEN key [path]
fn strlen(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let query = path(args, 2)?;
    let Some(document) = document::read(cx, args.key(1))? else {
        return without_document(out, &query, no_key());
    };
    let found = matches(document, &query)?;
    if query.is_legacy() {
        let first = found.first().ok_or_else(|| no_path_at(&query))?;
        out.count(first.as_string().ok_or_else(|| expected("string", *first))?.len());
        return Ok(());
    }
    out.array(found.len());
    for view in found {
        match view.as_string() {
            Some(text) => out.count(text.len()),
            None => out.null(),
        }
    }
    Ok(())
}

/// JSON.TOGGLE key path
fn toggle(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let query = path(args, 2)?;
    let key = args.key(1);
    let mut document = update_present(cx, key)?;
    let located = located(&document, &query, |view| match view {
        View::Bool(value) => Some(!value),
        _ => None,
    })?;
    for (place, value) in &located {
        if let Some(value) = value {
            document::replace(&mut document, place, Node::of(View::Bool(*value)));
        }
    }
    drop(document);
    let last = located.iter().rev().find_map(|(_, value)| *value);
    if last.is_some() {
        cx.event(Event::Module, "json.toggle", key.bytes);
    }
    if query.is_legacy() {
        let value = last.ok_or_else(|| no_such(&args[2], "not a bool"))?;
        out.bulk(if value { b"true" } else { b"false" });
        return Ok(());
    }
    let numbers: Vec<_> = located.iter().map(|(_, value)| value.map(i64::from)).collect();
    reply_numbers(out, &query, &numbers, no_key)
}
