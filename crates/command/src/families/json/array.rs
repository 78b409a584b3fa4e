//! Arrays: JSON.ARRAPPEND, ARRINDEX, ARRINSERT, ARRLEN, ARRPOP, ARRTRIM.

use super::document::{
    self, Located, depth, expected, index_out_of_bounds, inner_first, integer, located, matches, no_key,
    no_path_at, no_such, path, reply_numbers, update_present, without_document,
};
use super::get::{Shape, text};
use super::resp_form::expand;
use super::{DEPTH_MAX, row};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use json::edit::{Change, Step, look_up};
use json::path::Query;
use json::path::select::position;
use json::view::Array;
use json::{Document, Node, Number, View};
use resp::Reply;
use std::ops::Range;

const EACH: &str = "O(1) when path is evaluated to a single value, O(N) when path is evaluated to multiple values, where N is \
                    the size of the key";
const WHOLE: &str = "O(N) when path is evaluated to a single value where N is the size of the array, O(N) when path is evaluated \
                     to multiple values, where N is the size of the key";

pub const COMMANDS: &[Command] = &[
    row("JSON.ARRAPPEND", arrappend)
        .arity(-3)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .complexity(EACH)
        .summary("Appends values to the arrays at a path of a JSON document.")
        .syntax("key:key path:string value:string*"),
    row("JSON.ARRINDEX", arrindex)
        .arity(-4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity(WHOLE)
        .summary("Returns where a value first occurs in the arrays at a path of a JSON document.")
        .syntax("key:key path:string value:string range{start:integer stop:integer?}?"),
    row("JSON.ARRINSERT", arrinsert)
        .arity(-5)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .complexity(WHOLE)
        .summary("Inserts values into the arrays at a path of a JSON document.")
        .syntax("key:key path:string index:integer value:string*"),
    row("JSON.ARRLEN", arrlen)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity(EACH)
        .summary("Returns the lengths of the arrays at a path of a JSON document.")
        .syntax("key:key path:string?"),
    row("JSON.ARRPOP", arrpop)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE)
        .complexity(
            "O(N) when path is evaluated to a single value where N is the size of the array and the specified index is \
             not the last element, O(1) when path is evaluated to a single value and the specified index is the last \
             element, or O(N) when path is evaluated to multiple values, where N is the size of the key",
        )
        .summary("Removes an element of the arrays at a path of a JSON document and returns it.")
        .syntax("key:key path{path:string index:integer?}?"),
    row("JSON.ARRTRIM", arrtrim)
        .arity(5)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE)
        .complexity(WHOLE)
        .summary("Leaves only a range of the arrays at a path of a JSON document.")
        .syntax("key:key path:string start:integer stop:integer"),
];

fn length(view: View<'_>) -> Option<usize> {
    view.as_array().map(Array::len)
}

/// The length of the array at a place.
fn length_at(document: &Document, place: &[Step]) -> usize {
    look_up(document.view(), place).and_then(length).unwrap_or(0)
}

/// The values from argument `from` on.
fn values(args: Args<'_>, from: usize) -> Result<Vec<Node>, Error> {
    (from..args.len()).map(|at| document::json(args, at)).collect()
}

/// Changes the arrays that a path leads to, those inside others first, each by `change`, which gets its length and says what goes for what;
/// answers with their lengths.
fn change_each(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    out: &mut Reply,
    event: &'static str,
    query: &Query,
    located: &[(Vec<Step>, Option<usize>)],
    mut change: impl FnMut(usize) -> Vec<(Range<usize>, Vec<Node>)>,
) -> Outcome {
    let key = args.key(1);
    let mut document = update_present(cx, key)?;
    let mut lengths = vec![None; located.len()];
    for at in inner_first(located) {
        let (place, Some(_)) = &located[at] else { continue };
        for (range, values) in change(length_at(&document, place)) {
            document.apply(place, Change::Splice(range, values));
        }
        lengths[at] = Some(length_at(&document, place) as i64);
    }
    drop(document);
    if lengths.iter().any(Option::is_some) {
        cx.event(Event::Module, event, key.bytes);
    }
    reply_numbers(out, query, &lengths, || no_such(&args[2], "not an array"))
}

/// Where the arrays are that get values, which must not make them too deep.
fn receivers(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    query: &Query,
    values: &[Node],
) -> Result<Located<Option<usize>>, Error> {
    let document = update_present(cx, args.key(1))?;
    let located = located(&document, query, length)?;
    let deepest = values.iter().map(|value| depth(value.view())).max().unwrap_or(0);
    let is_too_deep = |(place, length): &(Vec<Step>, Option<usize>)| {
        length.is_some() && place.len() + 1 + deepest > DEPTH_MAX
    };
    if located.iter().any(is_too_deep) {
        return Err(Error::err("recursion limit exceeded"));
    }
    Ok(located)
}

/// JSON.ARRAPPEND key path value [value …]
fn arrappend(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() < 4 {
        return Err(Error::wrong_arity("json.arrappend"));
    }
    let (query, values) = (path(args, 2)?, values(args, 3)?);
    let located = receivers(cx, args, &query, &values)?;
    change_each(cx, args, out, "json.arrappend", &query, &located, |len| vec![(len..len, values.clone())])
}

/// JSON.ARRINSERT key path index value [value …]
fn arrinsert(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (query, index, values) = (path(args, 2)?, integer(args, 3)?, values(args, 4)?);
    let located = receivers(cx, args, &query, &values)?;
    let at = |len: usize| position(index, len).filter(|&at| at <= len);
    if located.iter().filter_map(|(_, len)| *len).any(|len| at(len).is_none()) {
        return Err(index_out_of_bounds());
    }
    change_each(cx, args, out, "json.arrinsert", &query, &located, |len| {
        at(len).map(|at| (at..at, values.clone())).into_iter().collect()
    })
}

/// JSON.ARRTRIM key path start stop
fn arrtrim(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (query, start, stop) = (path(args, 2)?, integer(args, 3)?, integer(args, 4)?);
    let located = {
        let document = update_present(cx, args.key(1))?;
        located(&document, &query, length)?
    };
    change_each(cx, args, out, "json.arrtrim", &query, &located, |len| {
        let kept = kept(start, stop, len);
        vec![(kept.end..len, Vec::new()), (0..kept.start, Vec::new())]
    })
}

/// The range that stays, both ends included and cut to the array.
fn kept(start: i64, stop: i64, len: usize) -> Range<usize> {
    let start = position(start, len).unwrap_or(0);
    match position(stop, len) {
        Some(stop) if start < len && start <= stop => start..(stop + 1).min(len),
        _ => 0..0,
    }
}

/// JSON.ARRPOP key [FORMAT format] [path [index]]
fn arrpop(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (mut shape, mut at) = (None, 2);
    if args.len() > 3 && args.is(2, "FORMAT") {
        shape = Some(Shape::named(&args[3], "STRINGS", cx.resp3)?);
        at = 4;
    }
    if args.len() > at + 2 {
        return Err(Error::wrong_arity("json.arrpop"));
    }
    let query = path(args, at)?;
    if shape.is_some() && query.is_legacy() {
        return Err(Error::err("FORMAT argument is not supported with a legacy path"));
    }
    // What is no number stands for the last, as there.
    let index = if args.len() > at + 1 { args.int(at + 1).unwrap_or(-1) } else { -1 };
    let key = args.key(1);
    let mut document = update_present(cx, key)?;
    let located = located(&document, &query, length)?;
    let mut popped: Vec<Option<Option<Node>>> = vec![None; located.len()];
    for at in inner_first(&located) {
        let (place, Some(_)) = &located[at] else { continue };
        popped[at] = Some(pop(&mut document, place, index));
    }
    drop(document);
    if popped.iter().any(|popped| matches!(popped, Some(Some(_)))) {
        cx.event(Event::Module, "json.arrpop", key.bytes);
    }
    let show = |node: &Option<Node>, out: &mut Reply| match node {
        None => out.null(),
        Some(node) => match shape {
            None | Some(Shape::Text) => out.bulk(&text(node.view())),
            Some(shape) => expand(node.view(), shape, out),
        },
    };
    if query.is_legacy() {
        let last = popped.iter().rev().find_map(Option::as_ref);
        let given = args.get(at).unwrap_or(b".");
        show(last.ok_or_else(|| no_such(given, "not an array"))?, out);
        return Ok(());
    }
    out.array(popped.len());
    popped.iter().for_each(|popped| show(popped.as_ref().unwrap_or(&None), out));
    Ok(())
}

/// Takes the element out that is nearest to an index.
fn pop(document: &mut Document, place: &[Step], index: i64) -> Option<Node> {
    let array = look_up(document.view(), place).and_then(View::as_array)?;
    let last = array.len().checked_sub(1)?;
    let at = position(index, array.len()).map_or(0, |at| at.min(last));
    let node = array.get(at).map(Node::of);
    document.apply(place, Change::Take(vec![at]));
    node
}

/// JSON.ARRLEN key [path]
fn arrlen(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let query = path(args, 2)?;
    let Some(document) = document::read(cx, args.key(1))? else {
        return without_document(out, &query, no_key());
    };
    let found = matches(document, &query)?;
    if query.is_legacy() {
        let first = found.first().and_then(|view| length(*view));
        out.count(first.ok_or_else(|| no_such(args.get(2).unwrap_or(b"."), "not an array"))?);
        return Ok(());
    }
    out.array(found.len());
    for view in found {
        match length(view) {
            Some(length) => out.count(length),
            None => out.null(),
        }
    }
    Ok(())
}

/// JSON.ARRINDEX key path value [start [stop]]
fn arrindex(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 6 {
        return Err(Error::wrong_arity("json.arrindex"));
    }
    let (query, wanted) = (path(args, 2)?, document::json(args, 3)?);
    let start = if args.len() > 4 { integer(args, 4)? } else { 0 };
    let stop = if args.len() > 5 { integer(args, 5)? } else { 0 };
    let document = document::read(cx, args.key(1))?.ok_or_else(|| no_path_at(&query))?;
    let found = matches(document, &query)?;
    let index_in = |array: Array<'_>| index_of(array, wanted.view(), start, stop).map_or(-1, |at| at as i64);
    if query.is_legacy() {
        let first = found.first().ok_or_else(|| no_path_at(&query))?;
        out.int(index_in(first.as_array().ok_or_else(|| expected("array", *first))?));
        return Ok(());
    }
    out.array(found.len());
    for view in found {
        match view.as_array() {
            Some(array) => out.int(index_in(array)),
            None => out.null(),
        }
    }
    Ok(())
}

/// The first element from `start` on and before `stop` that is a value; 0 stands for the end. Bounds are cut to the array.
fn index_of(array: Array<'_>, wanted: View<'_>, start: i64, stop: i64) -> Option<usize> {
    let len = array.len();
    let start = position(start, len).unwrap_or(0);
    let stop = if stop == 0 { len } else { position(stop, len).unwrap_or(0).min(len) };
    let range = array.iter().enumerate().skip(start).take(stop.saturating_sub(start));
    range.into_iter().find(|(_, element)| is_same(*element, wanted)).map(|(at, _)| at)
}

/// Equal also in how numbers are written: 1 is not 1.0.
fn is_same(a: View<'_>, b: View<'_>) -> bool {
    match (a, b) {
        (View::Number(a), View::Number(b)) => Number::is_whole(a) == b.is_whole() && a == b,
        (View::Array(a), View::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| is_same(a, b))
        }
        (View::Object(a), View::Object(b)) => {
            let mut members = a.iter();
            a.len() == b.len() && members.all(|(name, a)| b.get(name).is_some_and(|b| is_same(a, b)))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_cut_to_the_array() {
        assert_eq!(kept(1, -2, 7), 1..6);
        assert_eq!(kept(0, 99, 5), 0..5);
        for (start, stop) in [(99, 2), (-1, 0), (3, 2), (0, -9)] {
            assert!(kept(start, stop, 5).is_empty());
        }
        assert_eq!(kept(-99, 1, 5), 0..2);
        assert_eq!(kept(i64::MIN, i64::MAX, 5), 0..5);
    }
}
