//! Union, intersection and difference of sorted sets and sets.

use super::source::{Source, find_all};
use super::{reply_elements, store};
use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use base::hash::HashSeed;
use resp::Reply;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;
use types::ZSet;
use types::listpack::{Item, Text};
use types::zset::ZSetLimits;

pub const COMMANDS: &[Command] = &[
    Command::new("ZDIFF", zdiff)
        .arity(-3)
        .keys(&[KeySpec::counted(1, RO | ACCESS)])
        .flags(READONLY | MOVABLEKEYS)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("6.2.0")
        .summary("Returns the members of the first sorted set that none of the others has.")
        .complexity(
            "O(N*K+M*log(M)) at worst, N: members of the first input, K: inputs, M: members of the result",
        )
        .syntax("numkeys:integer key:key* withscores=WITHSCORES?"),
    Command::new("ZDIFFSTORE", zdiffstore)
        .arity(-4)
        .keys(&[KeySpec::at(1, OW | UPDATE), KeySpec::counted(2, RO | ACCESS)])
        .flags(WRITE | DENYOOM | MOVABLEKEYS)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("6.2.0")
        .summary("Stores the members of the first sorted set that none of the others has.")
        .complexity(
            "O(N*K+M*log(M)) at worst, N: members of the first input, K: inputs, M: members of the result",
        )
        .syntax("destination:key numkeys:integer key:key*#1"),
    Command::new("ZINTER", zinter)
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
    Command::new("ZINTERCARD", zintercard)
        .arity(-3)
        .keys(&[KeySpec::counted(1, RO | ACCESS)])
        .flags(READONLY | MOVABLEKEYS)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("7.0.0")
        .summary("Counts the members that all of the sorted sets have.")
        .complexity("O(N*K) at worst, N: members of the smallest input, K: inputs")
        .syntax("numkeys:integer key:key* LIMIT@limit:integer?"),
    Command::new("ZINTERSTORE", zinterstore)
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
    Command::new("ZUNION", zunion)
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
    Command::new("ZUNIONSTORE", zunionstore)
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// How the scores of a member in several inputs become one.
#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
    /// The weights are added, whatever the scores are.
    Count,
}

impl Aggregate {
    /// What a score counts for, with the weight of its input; maybe not a number.
    fn weigh(self, score: f64, weight: f64) -> f64 {
        match self {
            Self::Count => weight,
            _ => score * weight,
        }
    }

    fn add(self, total: f64, value: f64) -> f64 {
        match self {
            Self::Sum | Self::Count => zero_for_nan(total + value),
            Self::Min if value < total => value,
            Self::Max if value > total => value,
            Self::Min | Self::Max => total,
        }
    }
}

/// Infinities that cancel out, and zero times infinity, make 0.
fn zero_for_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// What a command does with its result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Reply,
    Store,
    Count,
}

/// The arguments behind the keys.
struct Options {
    weights: Option<Vec<f64>>,
    aggregate: Aggregate,
    with_scores: bool,
    /// Of ZINTERCARD: no need to count further.
    limit: usize,
}

impl Options {
    /// `first` is the argument behind the last of `keys` keys.
    fn parse(args: Args<'_>, first: usize, keys: usize, op: Operation, end: Use) -> Result<Self, Error> {
        let mut options =
            Self { weights: None, aggregate: Aggregate::Sum, with_scores: false, limit: usize::MAX };
        let weighs = op != Operation::Diff && end != Use::Count;
        let mut index = first;
        while index < args.len() {
            let left = args.len() - index;
            if weighs && left > keys && args.is(index, "WEIGHTS") {
                let weights = args.from(index + 1).take(keys).map(base::number::parse_f64);
                let weights: Option<Vec<_>> = weights.collect();
                options.weights = Some(weights.ok_or(Error::err("weight value is not a float"))?);
                index += keys;
            } else if weighs && left > 1 && args.is(index, "AGGREGATE") {
                options.aggregate = match index + 1 {
                    word if args.is(word, "SUM") => Aggregate::Sum,
                    word if args.is(word, "MIN") => Aggregate::Min,
                    word if args.is(word, "MAX") => Aggregate::Max,
                    word if args.is(word, "COUNT") => Aggregate::Count,
                    _ => return Err(Error::SYNTAX),
                };
                index += 1;
            } else if end == Use::Reply && args.is(index, "WITHSCORES") {
                options.with_scores = true;
            } else if end == Use::Count && left > 1 && args.is(index, "LIMIT") {
                let limit = args.int(index + 1).ok().and_then(|limit| usize::try_from(limit).ok());
                let limit = limit.ok_or(Error::err("LIMIT can't be negative"))?;
                options.limit = if limit == 0 { usize::MAX } else { limit };
                index += 1;
            } else {
                return Err(Error::SYNTAX);
            }
            index += 1;
        }
        Ok(options)
    }
}

/// ZUNION numkeys key [key …] [WEIGHTS weight …] [AGGREGATE SUM | MIN | MAX | COUNT] [WITHSCORES]
fn zunion(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    combine(cx, args, Operation::Union, Use::Reply, "zunion", out)
}

/// ZUNIONSTORE destination numkeys key [key …] [WEIGHTS weight …] [AGGREGATE SUM | MIN | MAX | COUNT]
fn zunionstore(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    combine(cx, args, Operation::Union, Use::Store, "zunionstore", out)
}

/// ZINTER numkeys key [key …] [WEIGHTS weight …] [AGGREGATE SUM | MIN | MAX | COUNT] [WITHSCORES]
fn zinter(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    combine(cx, args, Operation::Inter, Use::Reply, "zinter", out)
}

/// ZINTERSTORE destination numkeys key [key …] [WEIGHTS weight …] [AGGREGATE SUM | MIN | MAX | COUNT]
fn zinterstore(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    combine(cx, args, Operation::Inter, Use::Store, "zinterstore", out)
}

/// ZINTERCARD numkeys key [key …] [LIMIT limit]
fn zintercard(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    combine(cx, args, Operation::Inter, Use::Count, "zintercard", out)
}

/// ZDIFF numkeys key [key …] [WITHSCORES]
fn zdiff(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    combine(cx, args, Operation::Diff, Use::Reply, "zdiff", out)
}

/// ZDIFFSTORE destination numkeys key [key …]
fn zdiffstore(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    combine(cx, args, Operation::Diff, Use::Store, "zdiffstore", out)
}

fn combine(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    op: Operation,
    end: Use,
    name: &'static str,
    out: &mut Reply,
) -> Outcome {
    let count_at = if end == Use::Store { 2 } else { 1 };
    let (first, count) = (count_at + 1, args.int(count_at)?);
    if count < 1 {
        return Err(Error::err(format_args!("at least 1 input key is needed for '{name}' command")));
    }
    let count =
        usize::try_from(count).ok().filter(|&n| n <= args.len() - first).ok_or_else(|| Error::SYNTAX)?;
    let places = find_all(cx, (first..first + count).map(|index| args.key(index)))?;
    let options = Options::parse(args, first + count, count, op, end)?;
    let (limits, seed) = (cx.shard.limits.zset, cx.shard.seed.clone());
    let db = &cx.shard.dbs[cx.db as usize];
    let mut inputs = Vec::with_capacity(places.len());
    for (nth, place) in places.into_iter().enumerate() {
        let source = place.map_or(Ok(Source::Missing), |pos| Source::at(db, pos))?;
        inputs.push((source, options.weights.as_ref().map_or(1.0, |weights| weights[nth])));
    }
    if op != Operation::Diff {
        // Scores are added up in this order, which decides how sums are rounded.
        inputs.sort_by_key(|(source, _)| source.len());
    }
    if end == Use::Count {
        out.count(count_common(&inputs, options.limit));
        return Ok(());
    }
    let mut result = match op {
        Operation::Union => union(&inputs, options.aggregate),
        Operation::Inter => intersection(&inputs, options.aggregate),
        Operation::Diff => difference(&mut inputs),
    };
    result.sort_unstable_by(order);
    if end == Use::Store {
        let made = build(&result, &limits, &seed);
        store::store(cx, args.key(1), made, name, out);
    } else {
        let elements = result.iter().map(|(member, score)| (Item::Str(member.bytes()), *score));
        reply_elements(out, result.len(), options.with_scores, elements);
    }
    Ok(())
}

fn order((below, low): &(Member<'_>, f64), (above, high): &(Member<'_>, f64)) -> Ordering {
    low.partial_cmp(high).unwrap_or(Ordering::Equal).then_with(|| below.bytes().cmp(above.bytes()))
}

fn build(result: &[(Member<'_>, f64)], limits: &ZSetLimits, seed: &HashSeed) -> ZSet {
    let longest = result.iter().map(|(member, _)| member.bytes().len()).max().unwrap_or(0);
    let mut zset = ZSet::for_members(result.len(), longest, limits, seed);
    for (member, score) in result {
        zset.insert(member.bytes(), *score, limits, seed);
    }
    zset
}

type Input<'a> = (Source<'a>, f64);

fn union<'a>(inputs: &[Input<'a>], aggregate: Aggregate) -> Vec<(Member<'a>, f64)> {
    let largest = inputs.last().map_or(0, |(source, _)| source.len());
    let mut totals: HashMap<Member<'a>, f64> = HashMap::with_capacity(largest);
    for (source, weight) in inputs {
        source.visit(|member, score| {
            let value = zero_for_nan(aggregate.weigh(score, *weight));
            totals
                .entry(Member(member.text()))
                .and_modify(|total| *total = aggregate.add(*total, value))
                .or_insert(value);
            ControlFlow::Continue(())
        });
    }
    totals.into_iter().collect()
}

/// `inputs` come smallest first.
fn intersection<'a>(inputs: &[Input<'a>], aggregate: Aggregate) -> Vec<(Member<'a>, f64)> {
    let [(smallest, weight), others @ ..] = inputs else { unreachable!("there is an input") };
    let mut result = Vec::new();
    smallest.visit(|member, score| {
        let text = member.text();
        // As in Redis only the first product is made a number before it is added to.
        let start = zero_for_nan(aggregate.weigh(score, *weight));
        let total = others.iter().try_fold(start, |total, (source, weight)| {
            source.score(&text).map(|score| aggregate.add(total, aggregate.weigh(score, *weight)))
        });
        result.extend(total.map(|total| (Member(text), total)));
        ControlFlow::Continue(())
    });
    result
}

/// How many members all inputs have, as far as `limit`. `inputs` come smallest first.
fn count_common(inputs: &[Input<'_>], limit: usize) -> usize {
    let [(smallest, _), others @ ..] = inputs else { unreachable!("there is an input") };
    let mut common = 0;
    smallest.visit(|member, _| {
        let text = member.text();
        common += usize::from(others.iter().all(|(source, _)| source.score(&text).is_some()));
        if common >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    common
}

/// What the first input has and none of the others. The largest of these are asked first.
fn difference<'a>(inputs: &mut [Input<'a>]) -> Vec<(Member<'a>, f64)> {
    let [(first, _), others @ ..] = inputs else { unreachable!("there is an input") };
    others.sort_by_key(|(source, _)| std::cmp::Reverse(source.len()));
    let mut result = Vec::new();
    first.visit(|member, score| {
        let text = member.text();
        if others.iter().all(|(source, _)| source.score(&text).is_none()) {
            result.push((Member(text), score));
        }
        ControlFlow::Continue(())
    });
    result
}

/// A member where it lies; one that is stored as an integer is on the stack.
struct Member<'a>(Text<'a>);

impl Member<'_> {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Member<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Member<'_> {}

impl Hash for Member<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.bytes());
    }
}
