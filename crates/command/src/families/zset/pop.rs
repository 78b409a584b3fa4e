//! ZPOPMIN, ZPOPMAX and ZMPOP.

use crate::items::reply_item;
use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use keyspace::{Key, Update};
use resp::Reply;
use types::ZSet;
use types::listpack::Item;

pub const COMMANDS: &[Command] = &[
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
        3 => args.int(2).ok().and_then(|n| usize::try_from(n).ok()).ok_or(Error::MUST_BE_POSITIVE)?,
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

/// ZMPOP numkeys key [key …] MIN | MAX [COUNT count]
fn zmpop(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let positive =
        |index: usize| args.int(index).ok().and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0);
    let keys = positive(1).ok_or(Error::err("numkeys should be greater than 0"))?;
    let end_at = keys.checked_add(2).ok_or(Error::SYNTAX)?;
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
    for index in 2..end_at {
        let key = args.key(index);
        let Some(zset) = cx.update::<ZSet>(key)? else { continue };
        let count = count.min(zset.len());
        out.array(2);
        out.bulk(key.bytes);
        out.array(count);
        let emptied = pop(zset, end, count, true, out);
        tell(cx, key, end, count, emptied);
        return Ok(());
    }
    out.null_array();
    Ok(())
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
