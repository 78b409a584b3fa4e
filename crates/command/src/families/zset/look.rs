//! Commands that look at single members, count, or go through a set.

use super::ranges::{lex_range, score_range};
use crate::items::reply_item;
use crate::scan_options::ScanOptions;
use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use base::number::I64Buf;
use resp::Reply;
use std::ops::Range;
use types::ZSet;

pub const COMMANDS: &[Command] = &[
    Command::new("ZCARD", zcard)
        .arity(2)
        .keys(&[KeySpec::at(1, RO)])
        .flags(READONLY | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("1.2.0")
        .summary("Returns how many members a sorted set has.")
        .complexity("O(1)")
        .syntax("key:key"),
    Command::new("ZCOUNT", zcount)
        .arity(4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("2.0.0")
        .summary("Counts the members whose scores lie in a range.")
        .complexity("O(log(N)), N: members of the set")
        .syntax("key:key min:double max:double"),
    Command::new("ZLEXCOUNT", zlexcount)
        .arity(4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("2.8.9")
        .summary("Counts the members that lie in a range of names.")
        .complexity("O(log(N)), N: members of the set")
        .syntax("key:key min:string max:string"),
    Command::new("ZMSCORE", zmscore)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("6.2.0")
        .summary("Returns the scores of several members.")
        .complexity("O(N), N: members asked for")
        .syntax("key:key member:string*"),
    Command::new("ZRANK", zrank)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("2.0.0")
        .summary("Returns how many members stand before a member.")
        .complexity("O(log(N)), N: members of the set")
        .history(&[("7.2.0", "Added the optional `WITHSCORE` argument.")])
        .syntax("key:key member:string withscore=WITHSCORE?"),
    Command::new("ZREVRANK", zrevrank)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("2.0.0")
        .summary("Returns how many members stand behind a member.")
        .complexity("O(log(N)), N: members of the set")
        .history(&[("7.2.0", "Added the optional `WITHSCORE` argument.")])
        .syntax("key:key member:string withscore=WITHSCORE?"),
    Command::new("ZSCAN", zscan)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("2.8.0")
        .summary("Goes through the members and scores step by step.")
        .complexity("O(1) for each call, O(N) for a whole iteration, N: members of the set")
        .tips(&["nondeterministic_output"])
        .syntax("key:key cursor:integer MATCH@pattern:pattern? COUNT@count:integer?"),
    Command::new("ZSCORE", zscore)
        .arity(3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("1.2.0")
        .summary("Returns the score of a member.")
        .complexity("O(1)")
        .syntax("key:key member:string"),
];

/// ZCARD key
fn zcard(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    out.count(cx.read::<ZSet>(args.key(1))?.map_or(0, ZSet::len));
    Ok(())
}

/// ZCOUNT key min max
fn zcount(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let range = score_range(&args[2], &args[3])?;
    count(cx, args, out, |zset| zset.score_ranks(&range))
}

/// ZLEXCOUNT key min max
fn zlexcount(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let range = lex_range(&args[2], &args[3])?;
    count(cx, args, out, |zset| zset.lex_ranks(&range))
}

fn count(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply, ranks: impl Fn(&ZSet) -> Range<usize>) -> Outcome {
    out.count(cx.read::<ZSet>(args.key(1))?.map_or(0, |zset| ranks(zset).len()));
    Ok(())
}

/// ZSCORE key member
fn zscore(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    match cx.read::<ZSet>(args.key(1))?.and_then(|zset| zset.score(&args[2])) {
        Some(score) => out.double(score),
        None => out.null(),
    }
    Ok(())
}

/// ZMSCORE key member [member …]
fn zmscore(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let zset = cx.read::<ZSet>(args.key(1))?;
    out.array(args.len() - 2);
    for member in args.from(2) {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => out.double(score),
            None => out.null(),
        }
    }
    Ok(())
}

/// ZRANK key member [WITHSCORE]
fn zrank(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    rank(cx, args, "zrank", out, ZSet::rank)
}

/// ZREVRANK key member [WITHSCORE]
fn zrevrank(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    rank(cx, args, "zrevrank", out, ZSet::rank_back)
}

fn rank(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    name: &str,
    out: &mut Reply,
    look: impl Fn(&ZSet, &[u8]) -> Option<(usize, f64)>,
) -> Outcome {
    let with_score = match args.len() {
        3 => false,
        4 if args.is(3, "WITHSCORE") => true,
        4 => return Err(Error::SYNTAX),
        _ => return Err(Error::wrong_arity(name)),
    };
    match cx.read::<ZSet>(args.key(1))?.and_then(|zset| look(zset, &args[2])) {
        Some((rank, score)) if with_score => {
            out.array(2);
            out.count(rank);
            out.double(score);
        }
        Some((rank, _)) => out.count(rank),
        None if with_score => out.null_array(),
        None => out.null(),
    }
    Ok(())
}

/// ZSCAN key cursor [MATCH pattern] [COUNT count]
fn zscan(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let cursor = args.cursor(2)?;
    let zset = cx.read::<ZSet>(args.key(1))?;
    let (mut found, mut elements, mut next) = (Reply::new(out.resp3), 0, 0);
    if let Some(zset) = zset {
        let options = ScanOptions::parse(args, 3, false)?;
        // Redis writes what it has in a table with 17 digits.
        let format = match zset.as_listpack() {
            Some(_) => base::number::format_shortest,
            None => base::number::format_g17,
        };
        next = zset.scan(cursor, options.count, |member, score| {
            if options.admits(member) {
                elements += 2;
                reply_item(&mut found, member);
                // A bulk string in RESP3 as well.
                found.bulk(format(score).as_bytes());
            }
        });
    }
    out.array(2);
    out.bulk(I64Buf::from_u64(next).as_bytes());
    out.array(elements);
    out.append(&mut found);
    Ok(())
}
