//! JSON.MERGE (RFC 7396).

use super::document::{self, located, path};
use super::set::{at_the_root, create};
use super::{DEPTH_MAX, row};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Event, Outcome};
use json::edit::{Change, Step, apply, look_up};
use json::{Document, Node, View};
use keyspace::Update;
use resp::Reply;

pub const COMMANDS: &[Command] = &[row("JSON.MERGE", merge)
    .arity(-4)
    .keys(&[KeySpec::at(1, RW | UPDATE)])
    .flags(WRITE | DENYOOM)
    .since("2.6.0")
    .complexity(
        "O(M+N) when path is evaluated to a single value where M is the size of the original value (if it exists) and N \
         is the size of the new value, O(M+N) when path is evaluated to multiple values where M is the size of the key \
         and N is the size of the new value * the number of original values in the key",
    )
    .summary("Merges a value into a JSON document at a path.")
    .syntax("key:key path:string value:string")];

/// JSON.MERGE key path value
fn merge(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() != 4 {
        return Err(crate::Error::wrong_arity("json.merge"));
    }
    let (query, patch) = (path(args, 2)?, document::json(args, 3)?);
    let key = args.key(1);
    let Some(mut document) = document::update(cx, key)? else {
        if !query.is_root() {
            return Err(at_the_root());
        }
        drop(cx.upsert(key, || Document::new(without_nulls(patch.view())))?);
        cx.event(Event::Module, "json.merge", key.bytes);
        out.ok();
        return Ok(());
    };
    let located = located(&document, &query, |_| ())?;
    let (mut is_complete, mut changed) = (true, false);
    if located.is_empty() {
        changed = match patch.view() {
            // There is nothing to be removed.
            View::Null => false,
            view => create(&mut document, &query, &without_nulls(view))?,
        };
        is_complete = changed;
    }
    let depth = document::depth(patch.view());
    let mut last = None;
    for at in document::inner_first(&located) {
        let place = &located[at].0;
        // One that was found twice is merged into once: it may be gone now.
        if last.replace(place) == Some(place) {
            continue;
        }
        let fits = place.len() + depth <= DEPTH_MAX;
        if fits {
            merge_at(&mut document, &mut place.clone(), patch.view());
        }
        changed |= fits;
        is_complete &= fits;
    }
    drop(document);
    if changed {
        cx.event(Event::Module, "json.merge", key.bytes);
    }
    if is_complete {
        out.ok()
    } else {
        out.null()
    }
    Ok(())
}

/// Merges into what is at a place, where there is something.
fn merge_at(document: &mut Update<'_, Document>, place: &mut Vec<Step>, patch: View<'_>) {
    let Some(members) = patch.as_object() else {
        let is_inner = matches!(patch, View::Null) && !place.is_empty();
        if let Some((last, outer)) = place.split_last().filter(|_| is_inner) {
            match last {
                Step::Name(name) => document.apply(outer, Change::Remove(name.clone())),
                Step::Index(index) => document.apply(outer, Change::Take(vec![*index])),
            };
            return;
        }
        document::replace(document, place, Node::of(patch));
        return;
    };
    if !matches!(look_up(document.view(), place), Some(View::Object(_))) {
        document::replace(document, place, without_nulls(patch));
        return;
    }
    for (name, value) in members.iter() {
        place.push(Step::Name(name.into()));
        let is_there = look_up(document.view(), place).is_some();
        if is_there {
            merge_at(document, place, value);
        }
        place.pop();
        if !is_there && !matches!(value, View::Null) {
            document.apply(place, Change::Put(name.into(), without_nulls(value)));
        }
    }
}

/// What a patch makes of nothing: members that are null are left out, however deep in objects.
fn without_nulls(patch: View<'_>) -> Node {
    let View::Object(members) = patch else { return Node::of(patch) };
    let mut node = Node::empty_object();
    for (name, value) in members.iter().filter(|(_, value)| !matches!(value, View::Null)) {
        apply(&mut node, &[], Change::Put(name.into(), without_nulls(value)));
    }
    node
}
