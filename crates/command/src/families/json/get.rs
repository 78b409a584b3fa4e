//! JSON.GET and JSON.MGET: values as text.

use super::document::{self, STEPS, matches, no_path_at, path_or_projection, too_much};
use super::resp_form::expand;
use super::row;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use json::path::{Item, Query, project};
use json::write::{write_at, write_list, write_string};
use json::{Document, Format, View, write};
use resp::Reply;

pub const COMMANDS: &[Command] = &[
    row("JSON.GET", get)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity(
            "O(N) when path is evaluated to a single value where N is the size of the value, O(N) when path is evaluated \
             to multiple values, where N is the size of the key",
        )
        .summary("Returns the values at paths of a JSON document as text.")
        .syntax(
            "key:key INDENT@indent:string? NEWLINE@newline:string? SPACE@space:string? path:string?*",
        ),
    row("JSON.MGET", mget)
        .arity(-3)
        .keys(&[KeySpec::range(1, -2, 1, RO | ACCESS)])
        .flags(READONLY)
        .complexity(
            "O(M*N) when path is evaluated to a single value where M is the number of keys and N is the size of the \
             value, O(N1+N2+...+Nm) when path is evaluated to multiple values where m is the number of keys and Ni is \
             the size of the i-th key",
        )
        .summary("Returns the values at a path of several JSON documents as text.")
        .syntax("key:key* path:string"),
];

/// Text of more bytes cannot be sent (`proto-max-bulk-len`).
const TEXT_BYTES_MAX: usize = 512 << 20;

/// How RESP3 clients want values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As one text.
    Text,
    /// As values of the protocol, arrays and objects in them as text.
    Outermost,
    /// As values of the protocol.
    Whole,
}

impl Shape {
    /// The word behind FORMAT, of which `text` stands for text.
    pub fn named(word: &[u8], text: &str, resp3: bool) -> Result<Self, Error> {
        let shape = if word.eq_ignore_ascii_case(text.as_bytes()) {
            Self::Text
        } else if word.eq_ignore_ascii_case(b"EXPAND1") {
            Self::Outermost
        } else if word.eq_ignore_ascii_case(b"EXPAND") {
            Self::Whole
        } else {
            return Err(Error::err("wrong reply format"));
        };
        if resp3 { Ok(shape) } else { Err(Error::err("FORMAT argument is not supported on RESP2")) }
    }
}

/// JSON.GET key [INDENT indent] [NEWLINE newline] [SPACE space] [FORMAT format] [path …]
fn get(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (mut format, mut shape, mut at) = (Format::default(), Shape::Text, 2);
    while at < args.len() {
        let argument = args.get(at + 1);
        if args.is(at, "NOESCAPE") {
            // Kept for clients of RedisJSON 1; text is never escaped more than it must be.
            at += 1;
            continue;
        }
        match argument {
            Some(text) if args.is(at, "INDENT") => format.indent = text,
            Some(text) if args.is(at, "NEWLINE") => format.newline = text,
            Some(text) if args.is(at, "SPACE") => format.space = text,
            Some(word) if args.is(at, "FORMAT") => shape = Shape::named(word, "STRING", cx.resp3)?,
            _ => break,
        }
        at += 2;
    }
    let paths = (at..args.len()).map(|at| Ok((&args[at], path_or_projection(args, at)?)));
    let mut paths: Vec<(&[u8], Query)> = paths.collect::<Result<_, Error>>()?;
    let Some(document) = document::read(cx, args.key(1))? else {
        out.null();
        return Ok(());
    };
    if paths.is_empty() {
        paths.push((b".", Query::legacy_root()));
    }
    if shape != Shape::Text {
        out.array(paths.len());
        for (_, query) in &paths {
            let items = project(query, document.view(), STEPS).map_err(too_much)?;
            out.array(items.len());
            items.iter().for_each(|item| expand(item.view(), shape, out));
        }
        return Ok(());
    }
    let mut text = Vec::new();
    match paths.as_slice() {
        [(_, query)] => append(document, query, query.is_legacy(), &format, 0, &mut text)?,
        _ => append_object(document, &paths, &format, &mut text)?,
    }
    out.bulk(&text);
    Ok(())
}

/// Appends an object with a member for each path.
fn append_object(
    document: &Document,
    paths: &[(&[u8], Query)],
    format: &Format<'_>,
    text: &mut Vec<u8>,
) -> Outcome {
    let all_legacy = paths.iter().all(|(_, query)| query.is_old_form());
    let is_last = |at: usize| !paths[at + 1..].iter().any(|(given, _)| *given == paths[at].0);
    let once = (0..paths.len()).filter(|&at| is_last(at));
    let mut outcome = Ok(());
    write_list(b"{}", once, format, 0, text, |at, text| {
        let (given, query) = &paths[at];
        write_string(given, text);
        text.push(b':');
        text.extend_from_slice(format.space);
        let as_one = all_legacy && query.is_legacy();
        if outcome.is_ok() {
            outcome = append(document, query, as_one, format, 1, text);
        }
    });
    outcome
}

/// Appends the first of the values that a path leads to, or a list of all.
fn append(
    document: &Document,
    query: &Query,
    as_one: bool,
    format: &Format<'_>,
    depth: usize,
    text: &mut Vec<u8>,
) -> Outcome {
    if as_one {
        let first = matches(document, query)?.first().copied();
        write_at(first.ok_or_else(|| no_path_at(query))?, format, depth, text);
        return Ok(());
    }
    let items = project(query, document.view(), STEPS).map_err(too_much)?;
    let mut is_too_long = false;
    write_list(b"[]", items.iter().map(Item::view), format, depth, text, |view, text| {
        is_too_long |= text.len() > TEXT_BYTES_MAX;
        if !is_too_long {
            write_at(view, format, depth + 1, text);
        }
    });
    if is_too_long { Err(Error::STRING_TOO_LONG) } else { Ok(()) }
}

/// JSON.MGET key [key …] path
fn mget(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let last = args.len() - 1;
    // What cannot be evaluated is nothing under any key, as there.
    let query = path_or_projection(args, last).ok();
    out.array(last - 1);
    for at in 1..last {
        let document = document::read(cx, args.key(at));
        let (Ok(Some(document)), Some(query)) = (document, &query) else {
            out.null();
            continue;
        };
        let mut text = Vec::new();
        match append(document, query, query.is_legacy(), &Format::default(), 0, &mut text) {
            Ok(()) => out.bulk(&text),
            Err(_) => out.null(),
        }
    }
    Ok(())
}

/// The text of a value.
pub fn text(view: View<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    write(view, &Format::default(), &mut text);
    text
}
