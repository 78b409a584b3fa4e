//! ZRANDMEMBER.

use super::reply_elements;
use crate::items::{check_draws, reply_item};
use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use base::random::Random;
use resp::Reply;
use std::collections::HashSet;
use types::ZSet;
use types::listpack::Item;

pub const COMMANDS: &[Command] = &[Command::new("ZRANDMEMBER", zrandmember)
    .arity(-2)
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY)
    .acl(acl::SORTEDSET)
    .group("sorted-set")
    .since("6.2.0")
    .summary("Returns random members.")
    .complexity("O(N), N: members returned")
    .tips(&["nondeterministic_output"])
    .syntax("key:key options{count:integer withscores=WITHSCORES?}?")];

/// ZRANDMEMBER key [count [WITHSCORES]]
fn zrandmember(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 2 {
        return with_count(cx, args, out);
    }
    let number = cx.shard.random.next_u64();
    match cx.read::<ZSet>(args.key(1))?.and_then(|zset| zset.random(number)) {
        Some((member, _)) => reply_item(out, member),
        None => out.null(),
    }
    Ok(())
}

fn with_count(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let count = args.int(2)?;
    if count == i64::MIN {
        let text = "value is out of range, value must between -9223372036854775807 and 9223372036854775807";
        return Err(Error::err(text));
    }
    let with_scores = match args.len() {
        3 => false,
        4 if args.is(3, "WITHSCORES") => true,
        _ => return Err(Error::SYNTAX),
    };
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Error::OUT_OF_RANGE);
    }
    let mut random = cx.shard.random.clone();
    let Some(zset) = cx.read::<ZSet>(args.key(1))? else {
        out.array(0);
        return Ok(());
    };
    let wanted = usize::try_from(count.unsigned_abs()).map_err(|_| Error::OUT_OF_RANGE)?;
    if count < 0 {
        repeated(zset, wanted, with_scores, &mut random, out)?;
    } else {
        distinct(zset, wanted.min(zset.len()), with_scores, &mut random, out);
    }
    cx.shard.random = random;
    Ok(())
}

/// `count` elements, each drawn from the whole set.
fn repeated(zset: &ZSet, count: usize, with_scores: bool, random: &mut Random, out: &mut Reply) -> Outcome {
    check_draws(count as u64, zset.bytes(), zset.len())?;
    out.array(if with_scores && !out.resp3 { 2 * count } else { count });
    for _ in 0..count {
        let Some((member, score)) = zset.random(random.next_u64()) else { unreachable!("no set is empty") };
        if with_scores && out.resp3 {
            out.array(2);
        }
        reply_item(out, member);
        if with_scores {
            out.double(score);
        }
    }
    Ok(())
}

/// `count` different elements, in order of rank; there are as many.
fn distinct(zset: &ZSet, count: usize, with_scores: bool, random: &mut Random, out: &mut Reply) {
    let len = zset.len();
    if matches!(zset, ZSet::Tree(_)) && count < len / 3 {
        let mut ranks: Vec<usize> = sample(len, count, random).into_iter().collect();
        ranks.sort_unstable();
        let elements = ranks.into_iter().filter_map(|rank| zset.get(rank));
        return reply_elements(out, count, with_scores, elements);
    }
    // Selection sampling (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S): each element is taken with
    // the probability that those still wanted are among those still to come.
    let (mut wanted, mut left) = (count, len);
    let elements = zset.iter().filter(|_: &(Item<'_>, f64)| {
        let taken = random.index(left) < wanted;
        left -= 1;
        wanted -= usize::from(taken);
        taken
    });
    reply_elements(out, count, with_scores, elements);
}

/// `count` different numbers below `len`, all choices equally likely (Floyd; Bentley, "A sample of brilliance", 1987).
fn sample(len: usize, count: usize, random: &mut Random) -> HashSet<usize> {
    let mut chosen = HashSet::with_capacity(count);
    for last in len - count..len {
        let number = random.index(last + 1);
        if !chosen.insert(number) {
            chosen.insert(last);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_distinct_and_even() {
        let mut random = Random::from_seed(7);
        let mut drawn = [0; 20];
        for _ in 0..20_000 {
            let chosen = sample(20, 5, &mut random);
            assert_eq!(chosen.len(), 5);
            chosen.into_iter().for_each(|number| drawn[number] += 1);
        }
        assert!(drawn.iter().all(|count| (4_700..5_300).contains(count)), "{drawn:?}");
        assert_eq!(sample(5, 5, &mut random).len(), 5);
        assert!(sample(5, 0, &mut random).is_empty());
    }
}
