//! ZREM and the ZREMRANGEBY… commands.

use super::ranges::{lex_range, score_range};
use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Event, Outcome, index_range};
use resp::Reply;
use std::ops::Range;
use types::ZSet;

pub const COMMANDS: &[Command] = &[
    Command::new("ZREM", zrem)
        .arity(-3)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("1.2.0")
        .summary("Removes members.")
        .complexity("O(M*log(N)), N: members of the set, M: members removed")
        .history(&[("2.4.0", "Accepts multiple elements.")])
        .syntax("key:key member:string*"),
    Command::new("ZREMRANGEBYLEX", zremrangebylex)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("2.8.9")
        .summary("Removes the members that lie in a range of names.")
        .complexity("O(log(N)+M), N: members of the set, M: members removed")
        .syntax("key:key min:string max:string"),
    Command::new("ZREMRANGEBYRANK", zremrangebyrank)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("2.0.0")
        .summary("Removes the members that lie in a range of ranks.")
        .complexity("O(log(N)+M), N: members of the set, M: members removed")
        .syntax("key:key start:integer stop:integer"),
    Command::new("ZREMRANGEBYSCORE", zremrangebyscore)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("1.2.0")
        .summary("Removes the members whose scores lie in a range.")
        .complexity("O(log(N)+M), N: members of the set, M: members removed")
        .syntax("key:key min:double max:double"),
];

/// ZREM key member [member …]
fn zrem(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let Some(mut zset) = cx.update::<ZSet>(args.key(1))? else {
        out.int(0);
        return Ok(());
    };
    let removed = args.from(2).filter(|member| zset.remove(member).is_some()).count();
    let emptied = zset.finish();
    tell(cx, args, "zrem", removed, emptied, out)
}

/// ZREMRANGEBYRANK key start stop
fn zremrangebyrank(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (start, stop) = (args.int(2)?, args.int(3)?);
    remove_range(cx, args, "zremrangebyrank", out, |zset| index_range::clamp(start, stop, zset.len()))
}

/// ZREMRANGEBYSCORE key min max
fn zremrangebyscore(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let range = score_range(&args[2], &args[3])?;
    remove_range(cx, args, "zremrangebyscore", out, |zset| zset.score_ranks(&range))
}

/// ZREMRANGEBYLEX key min max
fn zremrangebylex(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let range = lex_range(&args[2], &args[3])?;
    remove_range(cx, args, "zremrangebylex", out, |zset| zset.lex_ranks(&range))
}

fn remove_range(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    event: &'static str,
    out: &mut Reply,
    ranks: impl Fn(&ZSet) -> Range<usize>,
) -> Outcome {
    let Some(mut zset) = cx.update::<ZSet>(args.key(1))? else {
        out.int(0);
        return Ok(());
    };
    let ranks = ranks(&zset);
    let removed = zset.remove_ranks(ranks, |_, _| {});
    let emptied = zset.finish();
    tell(cx, args, event, removed, emptied, out)
}

fn tell(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    event: &'static str,
    removed: usize,
    emptied: bool,
    out: &mut Reply,
) -> Outcome {
    if removed > 0 {
        cx.event_of(removed, Event::ZSet, event, &args[1]);
    }
    if emptied {
        cx.notice(Event::Generic, "del", &args[1]);
    }
    out.count(removed);
    Ok(())
}
