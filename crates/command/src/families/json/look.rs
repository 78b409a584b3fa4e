//! What values are: JSON.TYPE, JSON.OBJKEYS, JSON.OBJLEN.

use super::document::{
    self, expected, kind_of, matches, no_key, no_path_at, no_such, path, without_document,
};
use super::row;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Outcome};
use json::view::Object;
use resp::Reply;

pub const COMMANDS: &[Command] = &[
    row("JSON.TYPE", kind)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity(
            "O(1) when path is evaluated to a single value, O(N) when path is evaluated to multiple values, where N is \
             the size of the key",
        )
        .summary("Returns the types of the values at a path of a JSON document.")
        .syntax("key:key path:string?"),
    row("JSON.OBJKEYS", objkeys)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity(
            "O(N) when path is evaluated to a single value, where N is the number of keys in the object, O(N) when path \
             is evaluated to multiple values, where N is the size of the key",
        )
        .summary("Returns the names of the members of objects at a path of a JSON document.")
        .syntax("key:key path:string?"),
    row("JSON.OBJLEN", objlen)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity(
            "O(1) when path is evaluated to a single value, O(N) when path is evaluated to multiple values, where N is \
             the size of the key",
        )
        .summary("Returns the number of members of objects at a path of a JSON document.")
        .syntax("key:key path:string?"),
];

/// JSON.TYPE key [path]
fn kind(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let query = path(args, 2)?;
    let resp3 = cx.resp3;
    let document = document::read(cx, args.key(1))?;
    // RESP3 has an array around whatever there is to say.
    if resp3 {
        out.array(1);
    }
    let Some(document) = document else {
        out.null();
        return Ok(());
    };
    let found = matches(document, &query)?;
    if query.is_legacy() {
        match found.first() {
            Some(view) => out.bulk(kind_of(*view).as_bytes()),
            None => out.null(),
        }
        return Ok(());
    }
    out.array(found.len());
    found.iter().for_each(|view| out.bulk(kind_of(*view).as_bytes()));
    Ok(())
}

fn names(object: Object<'_>, out: &mut Reply) {
    out.array(object.len());
    object.iter().for_each(|(name, _)| out.bulk(name));
}

/// JSON.OBJKEYS key [path]
fn objkeys(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let query = path(args, 2)?;
    let Some(document) = document::read(cx, args.key(1))? else {
        return without_document(out, &query, no_key());
    };
    let found = matches(document, &query)?;
    if query.is_legacy() {
        match found.first() {
            None => out.null(),
            Some(view) => {
                let object = view.as_object();
                let given = args.get(2).unwrap_or(b".");
                names(object.ok_or_else(|| no_such(given, "not an object"))?, out);
            }
        }
        return Ok(());
    }
    out.array(found.len());
    for view in found {
        match view.as_object() {
            Some(object) => names(object, out),
            None => out.null(),
        }
    }
    Ok(())
}

/// JSON.OBJLEN key [path]
fn objlen(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let query = path(args, 2)?;
    let Some(document) = document::read(cx, args.key(1))? else {
        return without_document(out, &query, no_path_at(&query));
    };
    let found = matches(document, &query)?;
    if query.is_legacy() {
        match found.first() {
            None => out.null(),
            Some(view) => out.count(view.as_object().ok_or_else(|| expected("object", *view))?.len()),
        }
        return Ok(());
    }
    out.array(found.len());
    for view in found {
        match view.as_object() {
            Some(object) => out.count(object.len()),
            None => out.null(),
        }
    }
    Ok(())
}
