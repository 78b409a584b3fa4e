//! JSON.DEL, JSON.FORGET and JSON.CLEAR.

use super::document::{self, located, path, update_present};
use super::row;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Event, Outcome};
use json::edit::{Change, Step};
use json::{Document, Node, Number, View};
use resp::Reply;

const REMOVAL: &str = "O(N) when path is evaluated to a single value where N is the size of the deleted value, O(N) when path \
                       is evaluated to multiple values, where N is the size of the key";

pub const COMMANDS: &[Command] = &[
    row("JSON.DEL", del)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE)
        .complexity(REMOVAL)
        .summary("Deletes the values at a path of a JSON document.")
        .syntax("key:key path:string?"),
    row("JSON.FORGET", del)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE)
        .complexity(REMOVAL)
        .summary("Deletes the values at a path of a JSON document.")
        .syntax("key:key path:string?"),
    row("JSON.CLEAR", clear)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE)
        .since("2.0.0")
        .complexity(
            "O(N) when path is evaluated to a single value where N is the size of the values, O(N) when path is \
             evaluated to multiple values, where N is the size of the key",
        )
        .summary("Empties arrays and objects and sets numbers to 0 at a path of a JSON document.")
        .syntax("key:key path:string?"),
];

/// JSON.DEL key [path]; JSON.FORGET is the same
fn del(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let query = path(args, 2)?;
    let key = args.key(1);
    let Some(mut document) = document::update(cx, key)? else {
        out.int(0);
        return Ok(());
    };
    let (mut count, mut is_over) = (1, query.is_root());
    if !is_over {
        let places = located(&document, &query, |_| ())?.into_iter().map(|(place, ())| place).collect();
        count = remove_all(&mut document, places);
        let is_empty = match document.view() {
            View::Array(array) => array.is_empty(),
            View::Object(object) => object.is_empty(),
            _ => false,
        };
        is_over = count > 0 && is_empty;
    }
    drop(document);
    if is_over {
        cx.delete(key);
    }
    if count > 0 {
        cx.event(Event::Module, "json.del", key.bytes);
    }
    out.count(count);
    Ok(())
}

/// Removes what is at these places; how many there were, without those inside others.
fn remove_all(document: &mut Document, mut places: Vec<Vec<Step>>) -> usize {
    places.sort_unstable();
    // What is inside another stands behind it.
    let mut outermost: Vec<Vec<Step>> = Vec::with_capacity(places.len());
    for place in places {
        if !outermost.last().is_some_and(|outer| place.starts_with(outer)) {
            outermost.push(place);
        }
    }
    let count = outermost.len();
    // The elements of one array together, from the last array on: what is in front keeps its place.
    let mut indexes = Vec::new();
    while let Some(mut place) = outermost.pop() {
        match place.pop() {
            Some(Step::Name(name)) => drop(document.apply(&place, Change::Remove(name))),
            Some(Step::Index(index)) => {
                indexes.push(index);
                let goes_on = outermost.last().is_some_and(
                    |next| matches!(next.split_last(), Some((Step::Index(_), outer)) if outer == place),
                );
                if !goes_on {
                    indexes.reverse();
                    document.apply(&place, Change::Take(std::mem::take(&mut indexes)));
                }
            }
            None => {}
        }
    }
    count
}

/// JSON.CLEAR key [path]
fn clear(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 3 {
        return Err(crate::Error::wrong_arity("json.clear"));
    }
    let query = path(args, 2)?;
    let key = args.key(1);
    let mut document = update_present(cx, key)?;
    let located = located(&document, &query, cleared)?;
    let mut count = 0;
    for at in document::inner_first(&located) {
        if let (place, Some(value)) = &located[at] {
            count += usize::from(document::replace(&mut document, place, value.clone()));
        }
    }
    drop(document);
    if count > 0 {
        cx.event(Event::Module, "json.clear", key.bytes);
    }
    out.count(count);
    Ok(())
}

/// What a value is once cleared, if that is something else.
fn cleared(view: View<'_>) -> Option<Node> {
    match view {
        View::Array(array) if !array.is_empty() => Some(Node::array_of(std::iter::empty())),
        View::Object(object) if !object.is_empty() => Some(Node::empty_object()),
        View::Number(number) if number != Number::Int(0) => Some(Node::of(View::Number(Number::Int(0)))),
        _ => None,
    }
}
