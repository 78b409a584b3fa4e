//! Single positions: set, read, emptied; and how many there are.

use super::{check_indexes, index, reply_element, row};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use resp::Reply;
use types::Array;
use types::array::INDEX_MAX;

pub const COMMANDS: &[Command] = &[
    row("ARSET", arset)
        .arity(-4)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .complexity("O(N) where N is the number of values")
        .summary("Sets one or more values in a row of an array, from a position on.")
        .syntax("key:key index:integer value:string*"),
    row("ARMSET", armset)
        .arity(-4)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .complexity("O(N) where N is the number of pairs")
        .summary("Sets values at positions of an array.")
        .syntax("key:key data{index:integer value:string}*"),
    row("ARGET", arget)
        .arity(3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .complexity("O(1)")
        .summary("Returns the value at a position of an array.")
        .syntax("key:key index:integer"),
    row("ARMGET", armget)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .complexity("O(N) where N is the number of indices")
        .summary("Returns the values at several positions of an array.")
        .syntax("key:key index:integer*"),
    row("ARDEL", ardel)
        .arity(-3)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE | FAST)
        .complexity("O(N) where N is the number of indices to delete")
        .summary("Empties positions of an array.")
        .syntax("key:key index:integer*"),
    row("ARLEN", arlen)
        .arity(2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .complexity("O(1)")
        .summary("Returns one more than the highest position of an array that is set.")
        .syntax("key:key"),
    row("ARCOUNT", arcount)
        .arity(2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .complexity("O(1)")
        .summary("Returns the number of positions of an array that are set.")
        .syntax("key:key"),
];

/// ARSET key index value [value …]
fn arset(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (key, first, count) = (args.key(1), index(args, 2)?, args.len() - 3);
    if first.checked_add(count as u64 - 1).is_none_or(|last| last > INDEX_MAX) {
        return Err(Error::err("array index overflow"));
    }
    let mut array = cx.upsert(key, Array::new)?;
    let added = (first..).zip(args.from(3)).filter(|(index, value)| array.set(*index, value)).count();
    drop(array);
    cx.event_of(count, Event::Array, "arset", key.bytes);
    out.count(added);
    Ok(())
}

/// ARMSET key index value [index value …]
fn armset(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if !args.len().is_multiple_of(2) {
        return Err(Error::wrong_arity("armset"));
    }
    check_indexes(args, 2, 2)?;
    let key = args.key(1);
    let mut array = cx.upsert(key, Array::new)?;
    let mut added = 0;
    for at in (2..args.len()).step_by(2) {
        added += usize::from(array.set(index(args, at)?, &args[at + 1]));
    }
    drop(array);
    cx.event_of((args.len() - 2) / 2, Event::Array, "armset", key.bytes);
    out.count(added);
    Ok(())
}

/// ARGET key index
fn arget(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let array = cx.read::<Array>(args.key(1))?;
    let index = index(args, 2)?;
    match array.and_then(|array| array.get(index)) {
        Some(element) => reply_element(out, element),
        None => out.null(),
    }
    Ok(())
}

/// ARMGET key index [index …]
fn armget(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let array = cx.read::<Array>(args.key(1))?;
    check_indexes(args, 2, 1)?;
    out.array(args.len() - 2);
    for at in 2..args.len() {
        let index = index(args, at)?;
        match array.and_then(|array| array.get(index)) {
            Some(element) => reply_element(out, element),
            None => out.null(),
        }
    }
    Ok(())
}

/// ARDEL key index [index …]
fn ardel(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_indexes(args, 2, 1)?;
    delete(cx, args, "ardel", out, |array| {
        let indexes = (2..args.len()).filter_map(|at| index(args, at).ok());
        indexes.filter(|&index| array.remove(index)).count() as u64
    })
}

/// Empties positions; tells and answers how many were set.
pub fn delete(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    event: &'static str,
    out: &mut Reply,
    empty: impl FnOnce(&mut Array) -> u64,
) -> Outcome {
    let key = args.key(1);
    let Some(mut array) = cx.update::<Array>(key)? else {
        out.int(0);
        return Ok(());
    };
    let removed = empty(&mut array);
    let emptied = array.finish();
    if removed > 0 {
        cx.event_of(removed as usize, Event::Array, event, key.bytes);
    }
    if emptied {
        cx.notice(Event::Generic, "del", key.bytes);
    }
    out.natural(removed);
    Ok(())
}

/// ARLEN key
fn arlen(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    out.natural(cx.read::<Array>(args.key(1))?.map_or(0, Array::end));
    Ok(())
}

/// ARCOUNT key
fn arcount(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    out.natural(cx.read::<Array>(args.key(1))?.map_or(0, Array::len));
    Ok(())
}
