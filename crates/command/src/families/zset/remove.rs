//! ZREM and the ZREMRANGEBY… commands.

use super::ranges::{lex_range, score_range};
use crate::{Args, Cx, Event, Outcome, index_range};
use resp::Reply;
use std::ops::Range;
use types::ZSet;

/// ZREM key member [member …]
pub fn zrem(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let Some(mut zset) = cx.update::<ZSet>(args.key(1))? else {
        out.int(0);
        return Ok(());
    };
    let removed = args.from(2).filter(|member| zset.remove(member).is_some()).count();
    let emptied = zset.finish();
    tell(cx, args, "zrem", removed, emptied, out)
}

/// ZREMRANGEBYRANK key start stop
pub fn zremrangebyrank(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (start, stop) = (args.int(2)?, args.int(3)?);
    remove_range(cx, args, "zremrangebyrank", out, |zset| index_range::clamp(start, stop, zset.len()))
}

/// ZREMRANGEBYSCORE key min max
pub fn zremrangebyscore(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let range = score_range(&args[2], &args[3])?;
    remove_range(cx, args, "zremrangebyscore", out, |zset| zset.score_ranks(&range))
}

/// ZREMRANGEBYLEX key min max
pub fn zremrangebylex(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
