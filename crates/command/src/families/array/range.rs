//! Ranges of positions: read, gone through, emptied.

use super::element::delete;
use super::{EMPTY_MAX, check_indexes, index, reply_pair, reply_positions, row};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;
use types::Array;

pub const COMMANDS: &[Command] = &[
    row("ARGETRANGE", argetrange)
        .arity(4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity("O(N) where N is the range length")
        .summary("Returns the values at all positions of a range of an array.")
        .syntax("key:key start:integer end:integer"),
    row("ARSCAN", arscan)
        .arity(-4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity("O(N) where N is the number of existing elements in the range")
        .summary("Returns the positions of a range of an array that are set, with their values.")
        .syntax("key:key start:integer end:integer LIMIT@limit:integer?"),
    row("ARDELRANGE", ardelrange)
        .arity(-4)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE)
        .complexity(
            "Proportional to the number of existing elements / slices touched, not to the numeric span of the \
             requested ranges",
        )
        .summary("Empties ranges of positions of an array.")
        .syntax("key:key range{start:integer end:integer}*"),
];

/// ARGETRANGE key start end
fn argetrange(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (first, last) = (index(args, 2)?, index(args, 3)?);
    let array = cx.read::<Array>(args.key(1))?;
    let count = first.abs_diff(last) + 1;
    if count > EMPTY_MAX {
        return Err(Error::err(format_args!("range exceeds maximum of {EMPTY_MAX} items")));
    }
    out.array(count as usize);
    reply_positions(out, array, first, last);
    Ok(())
}

/// The number behind LIMIT at argument `at`.
pub fn limit(args: Args<'_>, at: usize) -> Result<u64, Error> {
    match u64::try_from(args.int(at)?) {
        Ok(limit) if limit > 0 => Ok(limit),
        _ => Err(Error::err("LIMIT must be positive")),
    }
}

/// ARSCAN key start end [LIMIT limit]
fn arscan(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (first, last) = (index(args, 2)?, index(args, 3)?);
    let limit = match args.len() {
        4 => u64::MAX,
        6 if args.is(4, "LIMIT") => limit(args, 5)?,
        6 => return Err(Error::SYNTAX),
        _ => return Err(Error::wrong_arity("arscan")),
    };
    let (mark, mut count) = (out.mark(), 0);
    if let Some(array) = cx.read::<Array>(args.key(1))? {
        array.visit(first, last, |index, element| {
            reply_pair(out, index, element);
            count += 1;
            count < limit
        });
    }
    out.array_around(mark, count as usize);
    Ok(())
}

/// ARDELRANGE key start end [start end …]
fn ardelrange(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if !args.len().is_multiple_of(2) {
        return Err(Error::wrong_arity("ardelrange"));
    }
    check_indexes(args, 2, 1)?;
    delete(cx, args, "ardelrange", out, |array| {
        let bounds = |at| Some((index(args, at).ok()?, index(args, at + 1).ok()?));
        let ranges = (2..args.len()).step_by(2).filter_map(bounds);
        ranges.map(|(start, end)| array.remove_range(start.min(end), start.max(end))).sum()
    })
}
