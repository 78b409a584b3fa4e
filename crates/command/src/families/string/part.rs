//! Parts of strings written in place.

use super::row;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::string_value::{check_len, edit, put_arg};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use resp::Reply;

pub const COMMANDS: &[Command] = &[
    row("APPEND", append)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | INSERT)])
        .flags(WRITE | DENYOOM | FAST)
        .since("2.0.0")
        .complexity("O(1) amortized for short values: memory is asked for in growing steps.")
        .summary("Appends a string to the value of a key; creates the key if it is absent.")
        .syntax("key:key value:string"),
    row("SETRANGE", setrange)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .since("2.2.0")
        .complexity("O(M) with M being the length of the value argument, if the string need not grow.")
        .summary("Overwrites a part of the string stored at a key; fills up with zeros before it.")
        .syntax("key:key offset:integer value:string"),
];

/// APPEND key value
fn append(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (key, value) = (args.key(1), args.at(2));
    let Some(pos) = cx.find_for_write(key) else {
        put_arg(cx, key, None, args, 2, None);
        cx.event(Event::String, "append", key.bytes);
        out.count(value.len());
        return Ok(());
    };
    let len = cx.db().str(pos).ok_or_else(|| Error::WRONG_TYPE)?.bytes().len();
    let total = check_len(cx, len, value.len())?;
    edit(cx, key, Some(pos), total, [], |bytes| bytes[len..].copy_from_slice(value))?;
    cx.event(Event::String, "append", key.bytes);
    out.count(total);
    Ok(())
}

/// SETRANGE key offset value
fn setrange(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let offset = usize::try_from(args.int(2)?).map_err(|_| Error::OFFSET_OUT_OF_RANGE)?;
    let (key, value) = (args.key(1), args.at(3));
    let pos = cx.find_for_write(key);
    let len = match pos {
        Some(pos) => cx.db().str(pos).ok_or_else(|| Error::WRONG_TYPE)?.bytes().len(),
        None => 0,
    };
    if value.is_empty() {
        out.count(len);
        return Ok(());
    }
    let end = check_len(cx, offset, value.len())?;
    edit(cx, key, pos, end, Some(offset..end), |bytes| bytes[offset..end].copy_from_slice(value))?;
    cx.event(Event::String, "setrange", key.bytes);
    out.count(len.max(end));
    Ok(())
}
