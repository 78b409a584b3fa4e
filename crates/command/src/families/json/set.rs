//! JSON.SET and JSON.MSET.

use super::document::{self, index_out_of_bounds, located, path};
use super::{DEPTH_MAX, row};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use json::edit::{Change, Step, look_up};
use json::numbers::Width;
use json::path::select::position;
use json::path::{Pick, Query};
use json::{Document, Node, View};
use keyspace::{Key, Update};
use resp::Reply;

pub const COMMANDS: &[Command] = &[
    row("JSON.SET", set)
        .arity(-4)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .complexity(
            "O(M+N) when path is evaluated to a single value where M is the size of the original value (if it exists) \
             and N is the size of the new value, O(M+N) when path is evaluated to multiple values where M is the size \
             of the key and N is the size of the new value * the number of original values in the key",
        )
        .summary("Sets the value at a path of a JSON document.")
        .syntax(
            "key:key path:string value:string condition(nx=NX|xx=XX)? \
             FPHA@fpha(fp16=FP16|bf16=BF16|fp32=FP32|fp64=FP64)?",
        ),
    row("JSON.MSET", mset)
        .arity(-4)
        .keys(&[KeySpec::range(1, -1, 3, RW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .since("2.6.0")
        .complexity(
            "O(K*(M+N)) where k is the number of keys in the command, when path is evaluated to a single value where M \
             is the size of the original value (if it exists) and N is the size of the new value",
        )
        .summary("Sets values at paths of several JSON documents.")
        .syntax("triplet{key:key path:string value:string}*"),
];

/// When a value is set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    /// The path leads to nothing.
    Absent,
    /// It leads somewhere.
    Present,
}

/// JSON.SET key path value [NX | XX] [FPHA FP16 | BF16 | FP32 | FP64]
fn set(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (mut condition, mut hint, mut at) = (Condition::Always, None, 4);
    while at < args.len() {
        if args.is(at, "NX") && condition == Condition::Always {
            condition = Condition::Absent;
        } else if args.is(at, "XX") && condition == Condition::Always {
            condition = Condition::Present;
        } else if args.is(at, "FPHA") && hint.is_none() {
            at += 1;
            hint = Some(width(args.get(at).ok_or_else(|| Error::wrong_arity("json.set"))?)?);
        } else {
            return Err(Error::SYNTAX);
        }
        at += 1;
    }
    let query = path(args, 2)?;
    let value = document::parse(&args[3], hint)?;
    let key = args.key(1);
    let Some(mut document) = document::update(cx, key)? else {
        if condition == Condition::Present {
            out.null();
            return Ok(());
        }
        if !query.is_root() {
            return Err(at_the_root());
        }
        drop(cx.upsert(key, || Document::new(value))?);
        cx.event(Event::Module, "json.set", key.bytes);
        out.ok();
        return Ok(());
    };
    if query.is_root() {
        if condition == Condition::Absent {
            out.null();
            return Ok(());
        }
        document.exchange(Document::new(value));
        drop(document);
        cx.event(Event::Module, "json.set", key.bytes);
        out.ok();
        return Ok(());
    }
    let done = put(&mut document, &query, &value, condition)?;
    drop(document);
    if done.changed {
        cx.event(Event::Module, "json.set", key.bytes);
    }
    if done.is_complete {
        out.ok()
    } else {
        out.null()
    }
    Ok(())
}

fn width(name: &[u8]) -> Result<Width, Error> {
    match name.to_ascii_uppercase().as_slice() {
        b"FP16" => Ok(Width::F16),
        b"BF16" => Ok(Width::Bf16),
        b"FP32" => Ok(Width::F32),
        b"FP64" => Ok(Width::F64),
        _ => Err(Error::err("invalid FPHA type")),
    }
}

pub fn at_the_root() -> Error {
    Error::err("new objects must be created at the root")
}

/// What has come of setting a value.
#[derive(Clone, Copy)]
pub struct Done {
    pub changed: bool,
    /// Nowhere where it should have been set it could not.
    pub is_complete: bool,
}

/// Sets a value at a path inside a document.
fn put(
    document: &mut Update<'_, Document>,
    query: &Query,
    value: &Node,
    condition: Condition,
) -> Result<Done, Error> {
    let located = located(document, query, |_| ())?;
    if located.is_empty() {
        if condition == Condition::Present {
            return Ok(Done { changed: false, is_complete: false });
        }
        let changed = create(document, query, value)?;
        return Ok(Done { changed, is_complete: changed });
    }
    if condition == Condition::Absent {
        return Ok(Done { changed: false, is_complete: false });
    }
    let depth = document::depth(value.view());
    let mut done = Done { changed: false, is_complete: true };
    for at in document::inner_first(&located) {
        let place = &located[at].0;
        let fits = place.len() + depth <= DEPTH_MAX && document::replace(document, place, value.clone());
        done.changed |= fits;
        done.is_complete &= fits;
    }
    Ok(done)
}

/// Adds the member that a path names, if what it is to be in is there. The path leads to nothing.
pub fn create(document: &mut Document, query: &Query, value: &Node) -> Result<bool, Error> {
    let picks = query.picks().ok_or_else(|| Error::err("wrong static path"))?;
    let Some((last, outer)) = picks.split_last() else { return Ok(false) };
    let Some(place) = place_of(document.view(), outer) else { return Ok(false) };
    match (last, look_up(document.view(), &place)) {
        (Pick::Name(name), Some(View::Object(_))) => {
            if place.len() + 1 + document::depth(value.view()) > DEPTH_MAX {
                return Ok(false);
            }
            Ok(document.apply(&place, Change::Put((*name).into(), value.clone())))
        }
        (Pick::Index(_), Some(View::Array(_))) => Err(index_out_of_bounds()),
        (Pick::Index(_), Some(_)) => Err(Error::err("path not an array")),
        _ => Ok(false),
    }
}

/// The place that steps lead to.
fn place_of(root: View<'_>, picks: &[Pick<'_>]) -> Option<Vec<Step>> {
    let (mut view, mut place) = (root, Vec::with_capacity(picks.len()));
    for pick in picks {
        let step = match (pick, view) {
            (Pick::Name(name), View::Object(_)) => Step::Name((*name).into()),
            (Pick::Index(index), View::Array(array)) => Step::Index(position(*index, array.len())?),
            _ => return None,
        };
        view = look_up(view, std::slice::from_ref(&step))?;
        place.push(step);
    }
    Some(place)
}

/// JSON.MSET key path value [key path value …]
fn mset(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if !(args.len() - 1).is_multiple_of(3) {
        return Err(Error::wrong_arity("json.mset"));
    }
    let mut values = Vec::with_capacity(args.len() / 3);
    for at in (1..args.len()).step_by(3) {
        let (query, value) = (path(args, at + 1)?, document::json(args, at + 2)?);
        let is_there = document::read(cx, args.key(at))?.is_some();
        let is_made = || values.iter().any(|(other, _, _)| args[*other] == args[at]);
        if !is_there && !query.is_root() && !is_made() {
            return Err(at_the_root());
        }
        values.push((at, query, value));
    }
    let mut is_complete = true;
    for (at, query, value) in values {
        let key = args.key(at);
        // The others stay where a path cannot be made, however that is said elsewhere.
        let done = put_one(cx, key, &query, value).unwrap_or(Done { changed: false, is_complete: false });
        is_complete &= done.is_complete;
        if done.changed {
            cx.event(Event::Module, "json.mset", key.bytes);
        }
    }
    if is_complete {
        out.ok();
    } else {
        out.null();
    }
    Ok(())
}

/// Sets a value in a document, or as one.
fn put_one(cx: &mut Cx<'_>, key: Key<'_>, query: &Query, value: Node) -> Result<Done, Error> {
    let whole = Done { changed: true, is_complete: true };
    let Some(mut document) = document::update(cx, key)? else {
        drop(cx.upsert(key, || Document::new(value))?);
        return Ok(whole);
    };
    if query.is_root() {
        document.exchange(Document::new(value));
        return Ok(whole);
    }
    put(&mut document, query, &value, Condition::Always)
}
