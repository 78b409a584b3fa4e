//! ZRANGE with all its options, ZRANGESTORE, and the older commands that each do a part of it.

use super::ranges::{lex_range, score_range};
use super::{reply_elements, store};
use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome, index_range};
use resp::Reply;
use std::ops::Range;
use types::ZSet;
use types::zset::{LexRange, ScoreRange, limit, limit_back};

pub const COMMANDS: &[Command] = &[
    Command::new("ZRANGE", zrange)
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
    Command::new("ZRANGEBYLEX", zrangebylex)
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
    Command::new("ZRANGEBYSCORE", zrangebyscore)
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
    Command::new("ZRANGESTORE", zrangestore)
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
    Command::new("ZREVRANGE", zrevrange)
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
    Command::new("ZREVRANGEBYLEX", zrevrangebylex)
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
    Command::new("ZREVRANGEBYSCORE", zrevrangebyscore)
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
];

/// What a range is measured in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    Rank,
    Score,
    Lex,
}

/// What a command's name says already; the rest is up to its options.
#[derive(Clone, Copy, Default)]
struct Form {
    measure: Option<Measure>,
    reverse: Option<bool>,
    /// ZRANGESTORE, which has no WITHSCORES.
    store: bool,
}

enum Bounds<'a> {
    Rank(i64, i64),
    Score(ScoreRange),
    Lex(LexRange<'a>),
}

/// Which elements are wanted, and in which order.
struct Query<'a> {
    bounds: Bounds<'a>,
    reverse: bool,
    offset: i64,
    /// Negative: all.
    count: i64,
    with_scores: bool,
}

impl<'a> Query<'a> {
    /// Reads the arguments behind the source key, which stands at `source`.
    #[inline]
    fn parse(args: Args<'a>, source: usize, form: Form) -> Result<Self, Error> {
        let (mut measure, mut reverse) = (form.measure, form.reverse);
        let (mut offset, mut count, mut with_scores) = (0, -1, false);
        let mut index = source + 3;
        while index < args.len() {
            if !form.store && args.is(index, "WITHSCORES") {
                with_scores = true;
            } else if args.is(index, "LIMIT") && args.len() - index > 2 {
                (offset, count) = (args.int(index + 1)?, args.int(index + 2)?);
                index += 2;
            } else if reverse.is_none() && args.is(index, "REV") {
                reverse = Some(true);
            } else if measure.is_none() && args.is(index, "BYLEX") {
                measure = Some(Measure::Lex);
            } else if measure.is_none() && args.is(index, "BYSCORE") {
                measure = Some(Measure::Score);
            } else {
                return Err(Error::SYNTAX);
            }
            index += 1;
        }
        let (measure, reverse) = (measure.unwrap_or(Measure::Rank), reverse.unwrap_or(false));
        if count != -1 && measure == Measure::Rank {
            return Err(LIMIT_WITHOUT_BY);
        }
        if with_scores && measure == Measure::Lex {
            return Err(SCORES_WITH_LEX);
        }
        // In reverse a range is given from its upper end.
        let (min, max) = if reverse { (source + 2, source + 1) } else { (source + 1, source + 2) };
        let bounds = match measure {
            Measure::Rank => Bounds::Rank(args.int(source + 1)?, args.int(source + 2)?),
            Measure::Score => Bounds::Score(score_range(args.at(min), args.at(max))?),
            Measure::Lex => Bounds::Lex(lex_range(args.at(min), args.at(max))?),
        };
        Ok(Self { bounds, reverse, offset, count, with_scores })
    }

    /// The ranks of the wanted elements, in ascending order whichever way they are walked.
    #[inline]
    fn ranks(&self, zset: &ZSet) -> Range<usize> {
        let ranks = match &self.bounds {
            &Bounds::Rank(start, stop) => {
                let len = zset.len();
                let ranks = index_range::clamp(start, stop, len);
                return if self.reverse { len - ranks.end..len - ranks.start } else { ranks };
            }
            Bounds::Score(range) => zset.score_ranks(range),
            Bounds::Lex(range) => zset.lex_ranks(range),
        };
        let Ok(offset) = usize::try_from(self.offset) else { return 0..0 };
        let count = usize::try_from(self.count).ok();
        if self.reverse { limit_back(ranks, offset, count) } else { limit(ranks, offset, count) }
    }
}

const LIMIT_WITHOUT_BY: Error = Error::Reply(std::borrow::Cow::Borrowed(
    b"ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
));
const SCORES_WITH_LEX: Error = Error::Reply(std::borrow::Cow::Borrowed(
    b"ERR syntax error, WITHSCORES not supported in combination with BYLEX",
));

#[inline]
fn reply(cx: &mut Cx<'_>, args: Args<'_>, form: Form, out: &mut Reply) -> Outcome {
    let query = Query::parse(args, 1, form)?;
    let Some(zset) = cx.read::<ZSet>(args.key(1))? else {
        out.array(0);
        return Ok(());
    };
    let ranks = query.ranks(zset);
    if query.reverse {
        reply_elements(out, ranks.len(), query.with_scores, zset.range_back(ranks));
    } else {
        reply_elements(out, ranks.len(), query.with_scores, zset.range(ranks));
    }
    Ok(())
}

/// ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
fn zrange(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    reply(cx, args, Form::default(), out)
}

fn reply_by(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply, measure: Measure, reverse: bool) -> Outcome {
    reply(cx, args, Form { measure: Some(measure), reverse: Some(reverse), store: false }, out)
}

/// ZREVRANGE key start stop [WITHSCORES]
fn zrevrange(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    reply_by(cx, args, out, Measure::Rank, true)
}

/// ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]
fn zrangebyscore(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    reply_by(cx, args, out, Measure::Score, false)
}

/// ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]
fn zrevrangebyscore(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    reply_by(cx, args, out, Measure::Score, true)
}

/// ZRANGEBYLEX key min max [LIMIT offset count]
fn zrangebylex(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    reply_by(cx, args, out, Measure::Lex, false)
}

/// ZREVRANGEBYLEX key max min [LIMIT offset count]
fn zrevrangebylex(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    reply_by(cx, args, out, Measure::Lex, true)
}

/// ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]
fn zrangestore(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let query = Query::parse(args, 2, Form { store: true, ..Form::default() })?;
    let (limits, seed) = (cx.shard.limits.zset, cx.shard.seed.clone());
    let mut made = ZSet::new();
    if let Some(zset) = cx.read::<ZSet>(args.key(2))? {
        let ranks = query.ranks(zset);
        made = ZSet::for_members(ranks.len(), 0, &limits, &seed);
        for (member, score) in zset.range(ranks) {
            member.with_text(|member| made.insert(member, score, &limits, &seed));
        }
    }
    store::store(cx, args.key(1), made, "zrangestore", out);
    Ok(())
}
