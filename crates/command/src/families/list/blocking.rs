//! The forms that wait for an element: BLPOP, BRPOP, BLMPOP, BLMOVE, BLMOVEM and BRPOPLPUSH.
//!
//! They find out whether there is anything to do as their kin do that do not wait; the waiting itself is the `shard` crate's business.

use super::ends::{Popping, removed, tell_popped};
use super::transfer::{Batch, move_many, move_one, tell_moved};
use super::{POPPED, end_at, row};
use crate::blocking::{Awaits, Overdue, Wait, seconds};
use crate::items::reply_item;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Outcome};
use resp::Reply;
use types::List;
use types::list::End;

const PUSHED_SECOND: KeySpec = KeySpec::at(2, RW | INSERT);
const POPPED_ANY: KeySpec = KeySpec::range(1, -2, 1, RW | ACCESS | DELETE);
const DOUBLE_TIMEOUT: &[(&str, &str)] =
    &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")];

pub const COMMANDS: &[Command] = &[
    row("BLPOP", blpop)
        .arity(-3)
        .keys(&[POPPED_ANY])
        .flags(WRITE | BLOCKING)
        .since("2.0.0")
        .complexity("O(N) where N is the number of provided keys.")
        .history(DOUBLE_TIMEOUT)
        .summary("Removes the first element of the first list that has any and returns both; waits for one if none has.")
        .syntax("key:key* timeout:double"),
    row("BRPOP", brpop)
        .arity(-3)
        .keys(&[POPPED_ANY])
        .flags(WRITE | BLOCKING)
        .since("2.0.0")
        .complexity("O(N) where N is the number of provided keys.")
        .history(DOUBLE_TIMEOUT)
        .summary("Removes the last element of the first list that has any and returns both; waits for one if none has.")
        .syntax("key:key* timeout:double"),
    row("BLMPOP", blmpop)
        .arity(-5)
        .keys(&[KeySpec::counted(2, RW | ACCESS | DELETE)])
        .flags(WRITE | BLOCKING | MOVABLEKEYS)
        .since("7.0.0")
        .complexity("O(N+M) where N is the number of provided keys and M is the number of elements returned.")
        .summary("Removes elements of the first list that has any and returns them with its key; waits for some if none has.")
        .syntax(
            "timeout:double numkeys:integer key:key* where(left=LEFT|right=RIGHT) COUNT@count:integer?",
        ),
    row("BLMOVE", blmove)
        .arity(6)
        .keys(&[POPPED, PUSHED_SECOND])
        .flags(WRITE | DENYOOM | BLOCKING)
        .since("6.2.0")
        .complexity("O(1)")
        .summary("Moves an element from an end of one list to an end of another and returns it; waits for one if there is none.")
        .syntax(
            "source:key destination:key#1 wherefrom(left=LEFT|right=RIGHT) whereto(left=LEFT|right=RIGHT) \
             timeout:double",
        ),
    row("BLMOVEM", blmovem)
        .arity(-6)
        .keys(&[POPPED, PUSHED_SECOND])
        .flags(WRITE | DENYOOM | BLOCKING)
        .since("8.10.0")
        .complexity("O(N) where N is the number of elements moved.")
        .summary("Moves elements from an end of one list to an end of another and returns them; waits until there are enough.")
        .syntax(
            "source:key destination:key#1 wherefrom(left=LEFT|right=RIGHT) whereto(left=LEFT|right=RIGHT) \
             timeout:double how-many{selector(COUNT@count:integer|EXACTLY@exactly:integer) \
             ordering(obo=OBO|bulk=BULK)}?",
        ),
    row("BRPOPLPUSH", brpoplpush)
        .arity(4)
        .keys(&[POPPED, PUSHED_SECOND])
        .flags(WRITE | DENYOOM | BLOCKING)
        .since("2.2.0")
        .deprecated("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")
        .complexity("O(1)")
        .history(DOUBLE_TIMEOUT)
        .summary("Moves the last element of one list before the head of another and returns it; waits for one if there is none.")
        .syntax("source:key destination:key#1 timeout:double"),
];

fn waits(keys: Vec<usize>, timeout_us: Option<u64>) -> Wait {
    Wait { awaits: Awaits::List, keys, timeout_us, overdue: Overdue::NullArray, ..Wait::default() }
}

/// BLPOP key [key …] timeout
fn blpop(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    pop(cx, args, End::Head, out)
}

/// BRPOP key [key …] timeout
fn brpop(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    pop(cx, args, End::Tail, out)
}

fn pop(cx: &mut Cx<'_>, args: Args<'_>, end: End, out: &mut Reply) -> Outcome {
    let last = args.len() - 1;
    let timeout_us = seconds(cx, args, last)?;
    for index in 1..last {
        if cx.passes_over(index) {
            continue;
        }
        let key = args.key(index);
        let Some(mut list) = cx.update::<List>(key)? else { continue };
        out.array(2);
        out.bulk(key.bytes);
        list.pop(end, |item| reply_item(out, item));
        let emptied = list.finish();
        removed(cx, key, end, 1, emptied);
        if cx.logs() {
            tell_popped(cx, key, end, None);
        }
        return Ok(());
    }
    cx.wait(waits((1..last).collect(), timeout_us), out)
}

/// BLMPOP timeout numkeys key [key …] LEFT|RIGHT [COUNT count]
fn blmpop(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let popping = Popping::parse(args, 2)?;
    let timeout_us = seconds(cx, args, 1)?;
    if popping.pop(cx, args, out)? {
        return Ok(());
    }
    cx.wait(waits(popping.keys.collect(), timeout_us), out)
}

/// BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout
fn blmove(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (from, to) = (end_at(args, 3)?, end_at(args, 4)?);
    let timeout_us = seconds(cx, args, 5)?;
    move_or_wait(cx, args, from, to, timeout_us, out)
}

/// BRPOPLPUSH source destination timeout
fn brpoplpush(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let timeout_us = seconds(cx, args, 3)?;
    move_or_wait(cx, args, End::Tail, End::Head, timeout_us, out)
}

fn move_or_wait(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    from: End,
    to: End,
    timeout_us: Option<u64>,
    out: &mut Reply,
) -> Outcome {
    // Without a source it waits, whatever the destination is.
    let there_is = cx.find_for_write(args.key(1)).is_some();
    if there_is || cx.deny_blocking {
        move_one(cx, args, from, to, out)?;
        if there_is && cx.logs() && !cx.shard.journal.is_told {
            tell_moved(cx, args, from, to);
        }
        return Ok(());
    }
    cx.wait(waits(vec![1], timeout_us), out)
}

/// BLMOVEM source destination LEFT|RIGHT LEFT|RIGHT timeout [COUNT count|EXACTLY count OBO|BULK]
fn blmovem(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (from, to) = (end_at(args, 3)?, end_at(args, 4)?);
    let timeout_us = seconds(cx, args, 5)?;
    let batch = Batch::parse(args, 6)?;
    if move_many(cx, args, from, to, batch, out)? {
        return Ok(());
    }
    cx.wait(waits(vec![1], timeout_us), out)
}
