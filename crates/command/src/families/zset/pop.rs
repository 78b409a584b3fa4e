//! ZPOPMIN, ZPOPMAX and ZMPOP, and their forms that wait.

use crate::blocking::{Awaits, Overdue, Wait, seconds};
use crate::items::reply_item;
use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use base::number::I64Buf;
use keyspace::{Key, Update};
use resp::Reply;
use std::ops::Range;
use types::ZSet;
use types::listpack::Item;

const POPPED_ANY: KeySpec = KeySpec::range(1, -2, 1, RW | ACCESS | DELETE);
const DOUBLE_TIMEOUT: &[(&str, &str)] =
    &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")];

pub const COMMANDS: &[Command] = &[
    Command::new("BZMPOP", bzmpop)
        .arity(-5)
        .keys(&[KeySpec::counted(2, RW | ACCESS | DELETE)])
        .flags(WRITE | BLOCKING | MOVABLEKEYS)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("7.0.0")
        .summary("Removes and returns members with the lowest or highest scores of the first sorted set that has any; waits for some if none has.")
        .complexity("O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.")
        .syntax("timeout:double numkeys:integer key:key* where(min=MIN|max=MAX) COUNT@count:integer?"),
    Command::new("BZPOPMAX", bzpopmax)
        .arity(-3)
        .keys(&[POPPED_ANY])
        .flags(WRITE | BLOCKING | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("5.0.0")
        .history(DOUBLE_TIMEOUT)
        .summary("Removes and returns the member with the highest score of the first sorted set that has any; waits for one if none has.")
        .complexity("O(log(N)) with N being the number of elements in the sorted set.")
        .syntax("key:key* timeout:double"),
    Command::new("BZPOPMIN", bzpopmin)
        .arity(-3)
        .keys(&[POPPED_ANY])
        .flags(WRITE | BLOCKING | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("5.0.0")
        .history(DOUBLE_TIMEOUT)
        .summary("Removes and returns the member with the lowest score of the first sorted set that has any; waits for one if none has.")
        .complexity("O(log(N)) with N being the number of elements in the sorted set.")
        .syntax("key:key* timeout:double"),
    Command::new("ZMPOP", zmpop)
        .arity(-4)
        .keys(&[KeySpec::counted(1, RW | ACCESS | DELETE)])
        .flags(WRITE | MOVABLEKEYS)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("7.0.0")
        .summary("Removes and returns members with the lowest or highest scores of the first sorted set that has any.")
        .complexity("O(K+M*log(N)), K: keys, N: members of the set, M: members removed")
        .syntax("numkeys:integer key:key* where(min=MIN|max=MAX) COUNT@count:integer?"),
    Command::new("ZPOPMAX", zpopmax)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
        .flags(WRITE | FAST | COUNTED)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("5.0.0")
        .summary("Removes and returns the members with the highest scores.")
        .complexity("O(M*log(N)), N: members of the set, M: members removed")
        .syntax("key:key count:integer?"),
    Command::new("ZPOPMIN", zpopmin)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
        .flags(WRITE | FAST | COUNTED)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("5.0.0")
        .summary("Removes and returns the members with the lowest scores.")
        .complexity("O(M*log(N)), N: members of the set, M: members removed")
        .syntax("key:key count:integer?"),
];

/// The end that is popped from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

impl End {
    /// The command that pops there.
    fn command(self) -> &'static [u8] {
        if self == Self::Min { b"ZPOPMIN" } else { b"ZPOPMAX" }
    }
}

/// ZPOPMIN key [count]
fn zpopmin(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    pop_one_key(cx, args, End::Min, out)
}

/// ZPOPMAX key [count]
fn zpopmax(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    pop_one_key(cx, args, End::Max, out)
}

fn pop_one_key(cx: &mut Cx<'_>, args: Args<'_>, end: End, out: &mut Reply) -> Outcome {
    let count = match args.len() {
        2 => 1,
        3 => args.int(2).ok().and_then(|n| usize::try_from(n).ok()).ok_or_else(|| Error::MUST_BE_POSITIVE)?,
        _ => return Err(Error::SYNTAX),
    };
    let key = args.key(1);
    let Some(zset) = cx.update::<ZSet>(key)?.filter(|_| count > 0) else {
        out.array(0);
        return Ok(());
    };
    let count = count.min(zset.len());
    // With a count RESP3 has pairs.
    let pairs = out.resp3 && args.len() == 3;
    out.array(if pairs { count } else { 2 * count });
    let emptied = pop(zset, end, count, pairs, out);
    tell(cx, key, end, count, emptied);
    Ok(())
}

/// What ZMPOP and BZMPOP pop, and from where.
struct Popping {
    /// The arguments that are keys.
    keys: Range<usize>,
    end: End,
    count: usize,
}

impl Popping {
    /// Reads the arguments from the number of keys on, which stands at `index`.
    fn parse(args: Args<'_>, index: usize) -> Result<Self, Error> {
        let positive =
            |index: usize| args.int(index).ok().and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0);
        let keys = positive(index).ok_or(Error::err("numkeys should be greater than 0"))?;
        let end_at = keys.checked_add(index + 1).ok_or_else(|| Error::SYNTAX)?;
        let end = match args.get(end_at) {
            Some(_) if args.is(end_at, "MIN") => End::Min,
            Some(_) if args.is(end_at, "MAX") => End::Max,
            _ => return Err(Error::SYNTAX),
        };
        let count = match args.len() - end_at {
            1 => 1,
            _ if !args.is(end_at + 1, "COUNT") || args.len() - end_at == 2 => return Err(Error::SYNTAX),
            left => {
                let count = positive(end_at + 2).ok_or(Error::err("count should be greater than 0"))?;
                if left > 3 {
                    return Err(Error::SYNTAX);
                }
                count
            }
        };
        Ok(Self { keys: index + 1..end_at, end, count })
    }

    /// Pops from the first of the sets that there is; whether there is one.
    fn pop(&self, cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Result<bool, Error> {
        for index in self.keys.clone() {
            if cx.passes_over(index) {
                continue;
            }
            let key = args.key(index);
            let Some(zset) = cx.update::<ZSet>(key)? else { continue };
            let count = self.count.min(zset.len());
            out.array(2);
            out.bulk(key.bytes);
            out.array(count);
            let emptied = pop(zset, self.end, count, true, out);
            tell(cx, key, self.end, count, emptied);
            if cx.logs() {
                let count = I64Buf::from_u64(count as u64);
                cx.log(key.bytes, &[self.end.command(), key.bytes, count.as_bytes()]);
            }
            return Ok(true);
        }
        Ok(false)
    }
}

/// ZMPOP numkeys key [key …] MIN | MAX [COUNT count]
fn zmpop(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if !Popping::parse(args, 1)?.pop(cx, args, out)? {
        out.null_array();
    }
    Ok(())
}

fn waits(keys: Vec<usize>, timeout_us: Option<u64>) -> Wait {
    Wait { awaits: Awaits::SortedSet, keys, timeout_us, overdue: Overdue::NullArray, ..Wait::default() }
}

/// BZMPOP timeout numkeys key [key …] MIN | MAX [COUNT count]
fn bzmpop(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let popping = Popping::parse(args, 2)?;
    let timeout_us = seconds(cx, args, 1)?;
    if popping.pop(cx, args, out)? {
        return Ok(());
    }
    cx.wait(waits(popping.keys.collect(), timeout_us), out)
}

/// BZPOPMIN key [key …] timeout
fn bzpopmin(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    pop_or_wait(cx, args, End::Min, out)
}

/// BZPOPMAX key [key …] timeout
fn bzpopmax(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    pop_or_wait(cx, args, End::Max, out)
}

fn pop_or_wait(cx: &mut Cx<'_>, args: Args<'_>, end: End, out: &mut Reply) -> Outcome {
    let last = args.len() - 1;
    let timeout_us = seconds(cx, args, last)?;
    for index in 1..last {
        if cx.passes_over(index) {
            continue;
        }
        let key = args.key(index);
        let Some(zset) = cx.update::<ZSet>(key)? else { continue };
        out.array(3);
        out.bulk(key.bytes);
        let emptied = pop(zset, end, 1, false, out);
        tell(cx, key, end, 1, emptied);
        if cx.logs() {
            cx.log(key.bytes, &[end.command(), key.bytes]);
        }
        return Ok(());
    }
    cx.wait(waits((1..last).collect(), timeout_us), out)
}

/// Writes and removes `count` elements, of which there are as many; whether the set is now empty.
fn pop(mut zset: Update<'_, ZSet>, end: End, count: usize, pairs: bool, out: &mut Reply) -> bool {
    let mut write = |member: Item<'_>, score| {
        if pairs {
            out.array(2);
        }
        reply_item(out, member);
        out.double(score);
    };
    let len = zset.len();
    match end {
        End::Min => _ = zset.remove_ranks(0..count, write),
        End::Max if count == 1 => _ = zset.remove_ranks(len - 1..len, write),
        End::Max => {
            zset.range_back(len - count..len).for_each(|(member, score)| write(member, score));
            zset.remove_ranks(len - count..len, |_, _| {});
        }
    }
    zset.finish()
}

fn tell(cx: &mut Cx<'_>, key: Key<'_>, end: End, count: usize, emptied: bool) {
    cx.event_of(count, Event::ZSet, if end == End::Min { "zpopmin" } else { "zpopmax" }, key.bytes);
    if emptied {
        cx.notice(Event::Generic, "del", key.bytes);
    }
}
