//! XLEN, XRANGE and XREVRANGE.

use super::{ids, reply_entries, row};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;
use types::Stream;

const READ: &[KeySpec] = &[KeySpec::at(1, RO | ACCESS)];
const EXCLUSIVE: &[(&str, &str)] = &[("6.2.0", "Added exclusive ranges.")];

pub const COMMANDS: &[Command] = &[
    row("XLEN", xlen)
        .arity(2)
        .keys(&[KeySpec::at(1, RO)])
        .flags(READONLY | FAST)
        .since("5.0.0")
        .complexity("O(1)")
        .summary("Counts the entries of a stream.")
        .syntax("key:key"),
    row("XRANGE", xrange)
        .arity(-4)
        .keys(READ)
        .flags(READONLY)
        .since("5.0.0")
        .complexity("O(N), N: entries returned")
        .history(EXCLUSIVE)
        .summary("Returns the entries between two ids.")
        .syntax("key:key start:string end:string COUNT@count:integer?"),
    row("XREVRANGE", xrevrange)
        .arity(-4)
        .keys(READ)
        .flags(READONLY)
        .since("5.0.0")
        .complexity("O(N), N: entries returned")
        .history(EXCLUSIVE)
        .summary("Returns the entries between two ids, the last first.")
        .syntax("key:key end:string start:string COUNT@count:integer?"),
];

/// XLEN key
fn xlen(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let len = cx.read::<Stream>(args.key(1))?.map_or(0, Stream::len);
    out.count(len);
    Ok(())
}

/// XRANGE key start end [COUNT count]
fn xrange(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (from, to) = (ids::first(args, 2)?, ids::last(args, 3)?);
    range(cx, args, out, |stream, count, out| reply_entries(out, stream.range(from, to).take(count)))
}

/// XREVRANGE key end start [COUNT count]
fn xrevrange(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (from, to) = (ids::first(args, 3)?, ids::last(args, 2)?);
    range(cx, args, out, |stream, count, out| reply_entries(out, stream.range_rev(from, to).take(count)))
}

/// Either; `reply` writes at most so many entries.
fn range(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    out: &mut Reply,
    reply: impl FnOnce(&Stream, usize, &mut Reply) -> usize,
) -> Outcome {
    let count = count(args)?;
    match cx.read::<Stream>(args.key(1))? {
        None => out.array(0),
        Some(_) if count == 0 => out.null_array(),
        Some(stream) => _ = reply(stream, count, out),
    }
    Ok(())
}

/// Entries wanted at most. A negative count is none, but -1 itself says nothing.
fn count(args: Args<'_>) -> Result<usize, Error> {
    let (mut count, mut index) = (usize::MAX, 4);
    while index < args.len() {
        if !args.is(index, "COUNT") || index + 1 == args.len() {
            return Err(Error::SYNTAX);
        }
        count = usize::try_from(args.int(index + 1)?).unwrap_or(0);
        index += 2;
    }
    Ok(count)
}
