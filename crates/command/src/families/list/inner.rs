//! Changes inside a list: by index, by value, by range.

use super::{PUSHED, row};
use crate::index_range::{clamp, resolve};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use resp::Reply;
use types::List;
use types::list::End;
use types::listpack::Needle;

pub const COMMANDS: &[Command] = &[
    row("LSET", lset)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .complexity(
            "O(N) where N is the length of the list. Setting either the first or the last element of the list \
             is O(1).",
        )
        .summary("Replaces the element at an index of a list.")
        .syntax("key:key index:integer element:string"),
    row("LINSERT", linsert)
        .arity(5)
        .keys(&[PUSHED])
        .flags(WRITE | DENYOOM)
        .since("2.2.0")
        .complexity(
            "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that \
             inserting somewhere on the left end on the list (head) can be considered O(1) and inserting \
             somewhere on the right end (tail) is O(N).",
        )
        .summary("Puts an element before or behind another one of a list.")
        .syntax("key:key where(before=BEFORE|after=AFTER) pivot:string element:string"),
    row("LREM", lrem)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE)
        .complexity("O(N+M) where N is the length of the list and M is the number of elements removed.")
        .summary("Removes elements equal to a value from a list.")
        .syntax("key:key count:integer element:string"),
    row("LTRIM", ltrim)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE)
        .complexity("O(N) where N is the number of elements to be removed by the operation.")
        .summary("Removes the elements of a list that are not between two indexes.")
        .syntax("key:key start:integer stop:integer"),
];

/// LSET key index element
fn lset(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.key(1);
    let mut list = cx.update::<List>(key)?.ok_or_else(|| Error::NO_SUCH_KEY)?;
    let index = resolve(args.int(2)?, list.len()).ok_or_else(|| Error::INDEX_OUT_OF_RANGE)?;
    list.set(index, &args[3]);
    drop(list);
    cx.event(Event::List, "lset", key.bytes);
    out.ok();
    Ok(())
}

/// LINSERT key BEFORE|AFTER pivot element
fn linsert(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let behind = match () {
        () if args.is(2, "AFTER") => 1,
        () if args.is(2, "BEFORE") => 0,
        () => return Err(Error::SYNTAX),
    };
    let key = args.key(1);
    let Some(mut list) = cx.update::<List>(key)? else {
        out.int(0);
        return Ok(());
    };
    let pivot = Needle::new(&args[3]);
    let Some(index) = list.iter().position(|item| pivot.matches(item)) else {
        out.int(-1);
        return Ok(());
    };
    list.insert(index + behind, &args[4]);
    let len = list.len();
    drop(list);
    cx.event(Event::List, "linsert", key.bytes);
    out.count(len);
    Ok(())
}

/// LREM key count element
fn lrem(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let count = args.int(2)?;
    let (limit, end) = match count {
        i64::MIN => return Err(super::long_range_error()),
        0 => (usize::MAX, End::Head),
        _ if count < 0 => (count.unsigned_abs() as usize, End::Tail),
        _ => (count as usize, End::Head),
    };
    let key = args.key(1);
    let Some(mut list) = cx.update::<List>(key)? else {
        out.int(0);
        return Ok(());
    };
    let removed = list.remove_matching(&args[3], limit, end);
    let emptied = list.finish();
    if removed > 0 {
        cx.event_of(removed, Event::List, "lrem", key.bytes);
    }
    if emptied {
        cx.notice(Event::Generic, "del", key.bytes);
    }
    out.count(removed);
    Ok(())
}

/// LTRIM key start stop
fn ltrim(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (start, stop) = (args.int(2)?, args.int(3)?);
    let key = args.key(1);
    let Some(mut list) = cx.update::<List>(key)? else {
        out.ok();
        return Ok(());
    };
    let kept = clamp(start, stop, list.len());
    let removed = list.len() - kept.len();
    list.keep(kept.start, kept.len());
    let emptied = list.finish();
    cx.event_of(removed, Event::List, "ltrim", key.bytes);
    if emptied {
        cx.notice(Event::Generic, "del", key.bytes);
    }
    out.ok();
    Ok(())
}
