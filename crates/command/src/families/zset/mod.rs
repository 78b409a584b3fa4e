//! Sorted sets. A key never holds an empty one: whatever takes the last member out removes the key.
//!
//! Ranges of scores, of members and of ranks all become ranks first (`ranges`), so counting, returning, storing and
//! removing share one way of choosing. The blocking commands are not here.

mod add;
mod algebra;
mod look;
mod pop;
mod random;
mod range;
mod ranges;
mod remove;
mod source;
pub(super) mod store;

use crate::Command;
use crate::items::{reply_item, run_item};
use crate::spec::{KeySpec, access::*, acl, flag::*};
use resp::Reply;
use types::listpack::Item;

pub use add::Options as AddOptions;
pub use add::add_pairs;

/// Room for a member of usual length with its header, and the most room that is made beforehand.
const MEMBER_BYTES: usize = 24;
const RUN_BYTES_MAX: usize = 64 << 10;

/// Writes members in order, with their scores if wanted: flat in RESP2, pairs in RESP3.
fn reply_elements<'a>(
    out: &mut Reply,
    count: usize,
    with_scores: bool,
    elements: impl Iterator<Item = (Item<'a>, f64)>,
) {
    if !with_scores {
        out.array(count);
        let mut run = out.run(count.saturating_mul(MEMBER_BYTES).min(RUN_BYTES_MAX));
        return elements.for_each(|(member, _)| run_item(&mut run, member));
    }
    out.array(if out.resp3 { count } else { 2 * count });
    for (member, score) in elements {
        if out.resp3 {
            out.array(2);
        }
        reply_item(out, member);
        out.double(score);
    }
}

pub const COMMANDS: &[Command] = &[
    Command::new("ZADD", add::zadd)
        .arity(-4)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("1.2.0")
        .summary("Adds members to a sorted set, or changes their scores.")
        .complexity("O(log(N)) for each member, N: members of the set")
        .history(&[("2.4.0", "Accepts multiple elements."), ("3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."), ("6.2.0", "Added the `GT` and `LT` options.")])
        .syntax(
            "key:key condition(nx=NX|xx=XX)?^3.0.2 comparison(gt=GT|lt=LT)?^6.2.0 change=CH?^3.0.2 \
             increment=INCR?^3.0.2 data{score:double member:string}*",
        ),
    Command::new("ZCARD", look::zcard)
        .arity(2)
        .keys(&[KeySpec::at(1, RO)])
        .flags(READONLY | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("1.2.0")
        .summary("Returns how many members a sorted set has.")
        .complexity("O(1)")
        .syntax("key:key"),
    Command::new("ZCOUNT", look::zcount)
        .arity(4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("2.0.0")
        .summary("Counts the members whose scores lie in a range.")
        .complexity("O(log(N)), N: members of the set")
        .syntax("key:key min:double max:double"),
    Command::new("ZDIFF", algebra::zdiff)
        .arity(-3)
        .keys(&[KeySpec::counted(1, RO | ACCESS)])
        .flags(READONLY | MOVABLEKEYS)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("6.2.0")
        .summary("Returns the members of the first sorted set that none of the others has.")
        .complexity("O(N*K+M*log(M)) at worst, N: members of the first input, K: inputs, M: members of the result")
        .syntax("numkeys:integer key:key* withscores=WITHSCORES?"),
    Command::new("ZDIFFSTORE", algebra::zdiffstore)
        .arity(-4)
        .keys(&[KeySpec::at(1, OW | UPDATE), KeySpec::counted(2, RO | ACCESS)])
        .flags(WRITE | DENYOOM | MOVABLEKEYS)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("6.2.0")
        .summary("Stores the members of the first sorted set that none of the others has.")
        .complexity("O(N*K+M*log(M)) at worst, N: members of the first input, K: inputs, M: members of the result")
        .syntax("destination:key numkeys:integer key:key*#1"),
    Command::new("ZINCRBY", add::zincrby)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("1.2.0")
        .summary("Adds to the score of a member.")
        .complexity("O(log(N)), N: members of the set")
        .syntax("key:key increment:integer member:string"),
    Command::new("ZINTER", algebra::zinter)
        .arity(-3)
        .keys(&[KeySpec::counted(1, RO | ACCESS)])
        .flags(READONLY | MOVABLEKEYS)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("6.2.0")
        .summary("Returns the members that all of the sorted sets have.")
        .complexity(
            "O(N*K+M*log(M)) at worst, N: members of the smallest input, K: inputs, M: members of the \
             result",
        )
        .history(&[("8.8.0", "Added `COUNT` aggregate option.")])
        .syntax(
            "numkeys:integer key:key* WEIGHTS@weight:integer?* \
             AGGREGATE@aggregate(sum=SUM|min=MIN|max=MAX|count=COUNT^8.8.0)? withscores=WITHSCORES?",
        ),
    Command::new("ZINTERCARD", algebra::zintercard)
        .arity(-3)
        .keys(&[KeySpec::counted(1, RO | ACCESS)])
        .flags(READONLY | MOVABLEKEYS)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("7.0.0")
        .summary("Counts the members that all of the sorted sets have.")
        .complexity("O(N*K) at worst, N: members of the smallest input, K: inputs")
        .syntax("numkeys:integer key:key* LIMIT@limit:integer?"),
    Command::new("ZINTERSTORE", algebra::zinterstore)
        .arity(-4)
        .keys(&[KeySpec::at(1, OW | UPDATE), KeySpec::counted(2, RO | ACCESS)])
        .flags(WRITE | DENYOOM | MOVABLEKEYS)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("2.0.0")
        .summary("Stores the members that all of the sorted sets have.")
        .complexity(
            "O(N*K+M*log(M)) at worst, N: members of the smallest input, K: inputs, M: members of the \
             result",
        )
        .history(&[("8.8.0", "Added `COUNT` aggregate option.")])
        .syntax(
            "destination:key numkeys:integer key:key*#1 WEIGHTS@weight:integer?* \
             AGGREGATE@aggregate(sum=SUM|min=MIN|max=MAX|count=COUNT^8.8.0)?",
        ),
    Command::new("ZLEXCOUNT", look::zlexcount)
        .arity(4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("2.8.9")
        .summary("Counts the members that lie in a range of names.")
        .complexity("O(log(N)), N: members of the set")
        .syntax("key:key min:string max:string"),
    Command::new("ZMPOP", pop::zmpop)
        .arity(-4)
        .keys(&[KeySpec::counted(1, RW | ACCESS | DELETE)])
        .flags(WRITE | MOVABLEKEYS)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("7.0.0")
        .summary("Removes and returns members with the lowest or highest scores of the first sorted set that has any.")
        .complexity("O(K+M*log(N)), K: keys, N: members of the set, M: members removed")
        .syntax("numkeys:integer key:key* where(min=MIN|max=MAX) COUNT@count:integer?"),
    Command::new("ZMSCORE", look::zmscore)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("6.2.0")
        .summary("Returns the scores of several members.")
        .complexity("O(N), N: members asked for")
        .syntax("key:key member:string*"),
    Command::new("ZPOPMAX", pop::zpopmax)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
        .flags(WRITE | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("5.0.0")
        .summary("Removes and returns the members with the highest scores.")
        .complexity("O(M*log(N)), N: members of the set, M: members removed")
        .syntax("key:key count:integer?"),
    Command::new("ZPOPMIN", pop::zpopmin)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
        .flags(WRITE | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("5.0.0")
        .summary("Removes and returns the members with the lowest scores.")
        .complexity("O(M*log(N)), N: members of the set, M: members removed")
        .syntax("key:key count:integer?"),
    Command::new("ZRANDMEMBER", random::zrandmember)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("6.2.0")
        .summary("Returns random members.")
        .complexity("O(N), N: members returned")
        .tips(&["nondeterministic_output"])
        .syntax("key:key options{count:integer withscores=WITHSCORES?}?"),
    Command::new("ZRANGE", range::zrange)
        .arity(-4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("1.2.0")
        .summary("Returns members by a range of ranks, scores or names.")
        .complexity("O(log(N)+M), N: members of the set, M: members returned")
        .history(&[("6.2.0", "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.")])
        .syntax(
            "key:key start:string stop:string sortby(byscore=BYSCORE|bylex=BYLEX)?^6.2.0 rev=REV?^6.2.0 \
             LIMIT@limit{offset:integer count:integer}?^6.2.0 withscores=WITHSCORES?",
        ),
    Command::new("ZRANGEBYLEX", range::zrangebylex)
        .arity(-4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("2.8.9")
        .summary("Returns members by a range of names.")
        .complexity("O(log(N)+M), N: members of the set, M: members returned")
        .deprecated("6.2.0", "`ZRANGE` with the `BYLEX` argument")
        .syntax("key:key min:string max:string LIMIT@limit{offset:integer count:integer}?"),
    Command::new("ZRANGEBYSCORE", range::zrangebyscore)
        .arity(-4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("1.0.5")
        .summary("Returns members by a range of scores.")
        .complexity("O(log(N)+M), N: members of the set, M: members returned")
        .history(&[("2.0.0", "Added the `WITHSCORES` modifier.")])
        .deprecated("6.2.0", "`ZRANGE` with the `BYSCORE` argument")
        .syntax(
            "key:key min:double max:double withscores=WITHSCORES?^2.0.0 LIMIT@limit{offset:integer \
             count:integer}?",
        ),
    Command::new("ZRANGESTORE", range::zrangestore)
        .arity(-5)
        .keys(&[KeySpec::at(1, OW | UPDATE), KeySpec::at(2, RO | ACCESS)])
        .flags(WRITE | DENYOOM)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("6.2.0")
        .summary("Stores members chosen by a range of ranks, scores or names.")
        .complexity("O(log(N)+M), N: members of the source, M: members stored")
        .syntax(
            "dst:key src:key#1 min:string max:string sortby(byscore=BYSCORE|bylex=BYLEX)? rev=REV? \
             LIMIT@limit{offset:integer count:integer}?",
        ),
    Command::new("ZRANK", look::zrank)
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
    Command::new("ZREM", remove::zrem)
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
    Command::new("ZREMRANGEBYLEX", remove::zremrangebylex)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("2.8.9")
        .summary("Removes the members that lie in a range of names.")
        .complexity("O(log(N)+M), N: members of the set, M: members removed")
        .syntax("key:key min:string max:string"),
    Command::new("ZREMRANGEBYRANK", remove::zremrangebyrank)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("2.0.0")
        .summary("Removes the members that lie in a range of ranks.")
        .complexity("O(log(N)+M), N: members of the set, M: members removed")
        .syntax("key:key start:integer stop:integer"),
    Command::new("ZREMRANGEBYSCORE", remove::zremrangebyscore)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("1.2.0")
        .summary("Removes the members whose scores lie in a range.")
        .complexity("O(log(N)+M), N: members of the set, M: members removed")
        .syntax("key:key min:double max:double"),
    Command::new("ZREVRANGE", range::zrevrange)
        .arity(-4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("1.2.0")
        .summary("Returns members by a range of ranks, highest score first.")
        .complexity("O(log(N)+M), N: members of the set, M: members returned")
        .deprecated("6.2.0", "`ZRANGE` with the `REV` argument")
        .syntax("key:key start:integer stop:integer withscores=WITHSCORES?"),
    Command::new("ZREVRANGEBYLEX", range::zrevrangebylex)
        .arity(-4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("2.8.9")
        .summary("Returns members by a range of names, last name first.")
        .complexity("O(log(N)+M), N: members of the set, M: members returned")
        .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments")
        .syntax("key:key max:string min:string LIMIT@limit{offset:integer count:integer}?"),
    Command::new("ZREVRANGEBYSCORE", range::zrevrangebyscore)
        .arity(-4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("2.2.0")
        .summary("Returns members by a range of scores, highest first.")
        .complexity("O(log(N)+M), N: members of the set, M: members returned")
        .history(&[("2.1.6", "`min` and `max` can be exclusive.")])
        .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")
        .syntax(
            "key:key max:double min:double withscores=WITHSCORES? LIMIT@limit{offset:integer \
             count:integer}?",
        ),
    Command::new("ZREVRANK", look::zrevrank)
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
    Command::new("ZSCAN", look::zscan)
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
    Command::new("ZSCORE", look::zscore)
        .arity(3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("1.2.0")
        .summary("Returns the score of a member.")
        .complexity("O(1)")
        .syntax("key:key member:string"),
    Command::new("ZUNION", algebra::zunion)
        .arity(-3)
        .keys(&[KeySpec::counted(1, RO | ACCESS)])
        .flags(READONLY | MOVABLEKEYS)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("6.2.0")
        .summary("Returns the members that any of the sorted sets has.")
        .complexity("O(N+M*log(M)), N: members of all inputs, M: members of the result")
        .history(&[("8.8.0", "Added `COUNT` aggregate option.")])
        .syntax(
            "numkeys:integer key:key* WEIGHTS@weight:integer?* \
             AGGREGATE@aggregate(sum=SUM|min=MIN|max=MAX|count=COUNT^8.8.0)? withscores=WITHSCORES?",
        ),
    Command::new("ZUNIONSTORE", algebra::zunionstore)
        .arity(-4)
        .keys(&[KeySpec::at(1, OW | UPDATE), KeySpec::counted(2, RO | ACCESS)])
        .flags(WRITE | DENYOOM | MOVABLEKEYS)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("2.0.0")
        .summary("Stores the members that any of the sorted sets has.")
        .complexity("O(N+M*log(M)), N: members of all inputs, M: members of the result")
        .history(&[("8.8.0", "Added `COUNT` aggregate option.")])
        .syntax(
            "destination:key numkeys:integer key:key*#1 WEIGHTS@weight:integer?* \
             AGGREGATE@aggregate(sum=SUM|min=MIN|max=MAX|count=COUNT^8.8.0)?",
        ),
];
