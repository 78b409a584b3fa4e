//! Names of elements: VRANGE, VRANDMEMBER.

use super::row;
use crate::items::check_draws;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use base::number::parse_i64;
use base::random::Random;
use resp::Reply;
use types::VectorSet;

pub const COMMANDS: &[Command] = &[
    row("VRANGE", vrange)
        .arity(-4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | UPPER_CASE)
        .since("8.4.0")
        .complexity("O(log(K)+M) where K is the number of elements in the start prefix, and M is the number of elements returned.")
        .summary("Return elements in a lexicographical range")
        .syntax("key:key start:string end:string count:integer?"),
    row("VRANDMEMBER", vrandmember)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | UPPER_CASE)
        .complexity("O(N) where N is the absolute value of the count argument.")
        .summary("Return one or multiple random members from a vector set.")
        .tips(&["nondeterministic_output"])
        .syntax("key:key count:integer?"),
];

/// Where a range of names begins or ends.
enum Bound<'a> {
    Least,
    Greatest,
    Including(&'a [u8]),
    Excluding(&'a [u8]),
}

impl<'a> Bound<'a> {
    fn of(text: &'a [u8]) -> Option<Bound<'a>> {
        match text {
            b"-" => Some(Bound::Least),
            b"+" => Some(Bound::Greatest),
            [b'[', name @ ..] if !name.is_empty() => Some(Bound::Including(name)),
            [b'(', name @ ..] if !name.is_empty() => Some(Bound::Excluding(name)),
            _ => None,
        }
    }
}

/// VRANGE key start end [count]
fn vrange(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 5 {
        return Err(Error::wrong_arity("VRANGE"));
    }
    let count = match args.get(4) {
        None => -1,
        Some(text) => parse_i64(text).ok_or_else(|| Error::err("invalid COUNT value"))?,
    };
    let start = Bound::of(&args[2]).ok_or_else(|| Error::err("invalid start range format"))?;
    let end = Bound::of(&args[3]).ok_or_else(|| Error::err("invalid end range format"))?;
    if matches!(start, Bound::Greatest) || matches!(end, Bound::Least) {
        return Err(Error::err("'-' can only be used as first argument, '+' only as second"));
    }
    let Some(set) = cx.read::<VectorSet>(args.key(1))? else {
        out.array(0);
        return Ok(());
    };
    let (first, left_out) = match start {
        Bound::Including(name) => (name, None),
        Bound::Excluding(name) => (name, Some(name)),
        Bound::Least | Bound::Greatest => (&b""[..], None),
    };
    let is_within = |name: &&[u8]| match end {
        Bound::Including(end) => *name <= end,
        Bound::Excluding(end) => *name < end,
        Bound::Least | Bound::Greatest => true,
    };
    let most = usize::try_from(count).unwrap_or(usize::MAX);
    let names = set.range(first).filter_map(|number| set.name(number));
    let names = names.skip_while(|name| Some(*name) == left_out).take_while(is_within).take(most);
    let names: Vec<&[u8]> = names.collect();
    out.array(names.len());
    names.into_iter().for_each(|name| out.bulk(name));
    Ok(())
}

/// VRANDMEMBER key [count]
fn vrandmember(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 3 {
        return Err(Error::wrong_arity("VRANDMEMBER"));
    }
    let count = match args.get(2) {
        None => None,
        Some(text) => Some(parse_i64(text).ok_or_else(|| Error::err("COUNT value is not an integer"))?),
    };
    if count == Some(0) {
        out.array(0);
        return Ok(());
    }
    let mut random = cx.shard.random.clone();
    let Some(set) = cx.read::<VectorSet>(args.key(1))? else {
        match count {
            Some(_) => out.array(0),
            None => out.null(),
        }
        return Ok(());
    };
    let (at_rank, len) = (set.by_rank(), set.len());
    let reply_name = |out: &mut Reply, rank: usize| {
        out.bulk(at_rank(rank).and_then(|number| set.name(number)).unwrap_or_default());
    };
    match count {
        None => reply_name(out, random.index(len)),
        Some(count) if count < 0 => {
            check_draws(count.unsigned_abs(), set.bytes(), len)?;
            out.array(count.unsigned_abs() as usize);
            (0..count.unsigned_abs()).for_each(|_| reply_name(out, random.index(len)));
        }
        Some(count) => {
            let count = usize::try_from(count).unwrap_or(usize::MAX).min(len);
            out.array(count);
            distinct(len, count, &mut random, |rank| reply_name(out, rank));
        }
    }
    drop(at_rank);
    cx.shard.random = random;
    Ok(())
}

/// `count` different ranks below `len`, ascending, all choices equally likely (Knuth, "The Art of Computer Programming" 3.4.2, algorithm S).
fn distinct(len: usize, count: usize, random: &mut Random, mut see: impl FnMut(usize)) {
    let mut wanted = count;
    for rank in 0..len {
        if random.index(len - rank) < wanted {
            wanted -= 1;
            see(rank);
        }
    }
}
