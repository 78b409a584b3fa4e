//! Random members: taken out or only looked at.
//!
//! Where members must be distinct, a set is either gone through once, each member chosen with the probability that makes
//! all choices equally likely (Knuth, "The Art of Computer Programming" 3.4.2, algorithm S), or drawn from until there
//! are enough.

use super::members::reply_all;
use super::{ANY_OUTPUT, row};
use crate::items::{check_draws, reply_item, run_item};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use base::hash::HashSeed;
use base::random::Random;
use keyspace::Pos;
use keyspace::{Typed, Update};
use resp::Reply;
use types::Set;
use types::listpack::{Item, Listpack};
use types::set::SetLimits;

pub const COMMANDS: &[Command] = &[
    row("SPOP", spop)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
        .flags(WRITE | FAST | COUNTED)
        .complexity(
            "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
        )
        .summary("Removes random members of a set and returns them.")
        .history(&[("3.2.0", "Added the `count` argument.")])
        .tips(ANY_OUTPUT)
        .syntax("key:key count:integer?^3.2.0"),
    row("SRANDMEMBER", srandmember)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity(
            "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
        )
        .summary("Returns random members of a set.")
        .history(&[("2.6.0", "Added the optional `count` argument.")])
        .tips(ANY_OUTPUT)
        .syntax("key:key count:integer?^2.6.0"),
];

/// SPOP key [count]
fn spop(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 2 {
        return spop_many(cx, args, out);
    }
    let key = args.key(1);
    let Some(pos) = cx.find_for_write(key) else {
        out.null();
        return Ok(());
    };
    let (logs, mut popped) = (cx.logs(), Vec::new());
    let (mut set, random) = set_and_random(cx, pos)?;
    set.pop(&mut || random.next_u64(), |member| {
        if logs {
            popped = member.to_vec();
        }
        reply_item(out, member);
    });
    let emptied = set.finish();
    cx.event(Event::Set, "spop", key.bytes);
    if logs {
        cx.log(key.bytes, &[b"SREM", key.bytes, &popped]);
    }
    if emptied {
        cx.notice(Event::Generic, "del", key.bytes);
    }
    Ok(())
}

/// The set at `pos`, to be changed, and beside it the shard's random numbers.
#[inline]
fn set_and_random<'c>(cx: &'c mut Cx<'_>, pos: Pos) -> Result<(Update<'c, Set>, &'c mut Random), Error> {
    let age = cx.shard.clock_age();
    let shard = &mut *cx.shard;
    let set = shard.dbs[cx.db as usize].update_used::<Set>(pos, age).ok_or_else(|| Error::WRONG_TYPE)?;
    Ok((set, &mut shard.random))
}

/// SPOP key count
fn spop_many(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 3 {
        return Err(Error::SYNTAX);
    }
    let count = args.natural(2)?;
    let key = args.key(1);
    let Some(pos) = cx.find_for_write(key) else {
        out.set(0);
        return Ok(());
    };
    let limits = cx.shard.limits.set;
    let mut told = cx.logs().then(Vec::new);
    let (mut set, random) = set_and_random(cx, pos)?;
    let len = set.len();
    if count == 0 {
        out.set(0);
        return Ok(());
    }
    if count >= len {
        reply_all(out, &set);
        drop(set);
        cx.db().remove(pos);
        cx.event_of(len, Event::Set, "spop", key.bytes);
        cx.notice(Event::Generic, "del", key.bytes);
        if cx.logs() {
            cx.log_deleted(key.bytes);
        }
        return Ok(());
    }
    out.set(count);
    if draws_pay(&set, count) {
        for _ in 0..count {
            set.pop(&mut || random.next_u64(), |member| {
                told.iter_mut().for_each(|told| told.push(member.to_vec()));
                reply_item(out, member);
            });
        }
    } else {
        let rest = split(&set, count, random, &limits, args.seed(), told.as_mut(), out);
        set.exchange(rest);
    }
    drop(set);
    cx.event_of(count, Event::Set, "spop", key.bytes);
    if let Some(told) = told {
        cx.log_items(b"SREM", key.bytes, told.iter().map(Vec::as_slice));
    }
    Ok(())
}

/// Whether removing `count` members one by one is better than going through the whole set and building it anew. For
/// tables the rule is that of Redis, since it shows: a set built anew may be packed again.
fn draws_pay(set: &Set, count: usize) -> bool {
    match set {
        Set::Table(_) => (set.len() - count).saturating_mul(5) > count,
        _ => count.saturating_mul(8) < set.len(),
    }
}

/// Writes `count` random members, also into `told` if that is wanted, and returns a set of the others.
fn split(
    set: &Set,
    count: usize,
    random: &mut Random,
    limits: &SetLimits,
    seed: &HashSeed,
    mut told: Option<&mut Vec<Vec<u8>>>,
    out: &mut Reply,
) -> Set {
    let mut rest: Option<Set> = match set {
        Set::Listpack(_) => Some(Set::Listpack(Listpack::new())),
        _ => None,
    };
    let mut run = out.run(0);
    choose(set, count, random, |member, chosen| {
        if chosen {
            told.iter_mut().for_each(|told| told.push(member.to_vec()));
            return run_item(&mut run, member);
        }
        member.with_text(|text| {
            rest.get_or_insert_with(|| Set::new(text, 0, limits, seed)).add(text, limits, seed);
        });
    });
    rest.expect("fewer members are chosen than there are")
}

/// Visits all members and tells of each whether it is among `count` chosen ones; every choice is equally likely.
fn choose(set: &Set, count: usize, random: &mut Random, mut visit: impl FnMut(Item<'_>, bool)) {
    let (mut wanted, mut left) = (count, set.len());
    for member in set.iter() {
        let chosen = random.index(left) < wanted;
        wanted -= usize::from(chosen);
        left -= 1;
        visit(member, chosen);
    }
}

/// SRANDMEMBER key [count]
fn srandmember(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 3 {
        return Err(Error::SYNTAX);
    }
    let count = if args.len() == 3 { Some(args.int(2)?) } else { None };
    if count == Some(i64::MIN) {
        const MAX: i64 = i64::MAX;
        return Err(Error::err(format_args!("value is out of range, value must between -{MAX} and {MAX}")));
    }
    let Some(pos) = cx.find(args.key(1)) else {
        match count {
            Some(_) => out.array(0),
            None => out.null(),
        }
        return Ok(());
    };
    let shard = &mut *cx.shard;
    let (db, random) = (&shard.dbs[cx.db as usize], &mut shard.random);
    let set = Set::of(db.value(pos)).ok_or_else(|| Error::WRONG_TYPE)?;
    match count {
        None => set.random(&mut || random.next_u64()).into_iter().for_each(|member| reply_item(out, member)),
        Some(count) if count < 0 => return with_repeats(set, count.unsigned_abs(), random, out),
        Some(count) => distinct(set, count as usize, random, &shard.limits.set, args.seed(), out),
    }
    Ok(())
}

/// `count` members in random order, each drawn from all.
fn with_repeats(set: &Set, count: u64, random: &mut Random, out: &mut Reply) -> Outcome {
    check_draws(count, set.bytes(), set.len())?;
    out.array(count as usize);
    let mut run = out.run(0);
    match set {
        // Finding the n-th entry of a listpack takes a walk: for many draws the entries are found once.
        Set::Listpack(listpack) if count > 1 => {
            let members: Vec<Item<'_>> = listpack.iter().collect();
            (0..count).for_each(|_| run_item(&mut run, members[random.index(members.len())]));
        }
        _ => (0..count).for_each(|_| {
            let member = set.random(&mut || random.next_u64()).expect("a set in the keyspace has members");
            run_item(&mut run, member);
        }),
    }
    Ok(())
}

/// Up to `count` different members.
fn distinct(
    set: &Set,
    count: usize,
    random: &mut Random,
    limits: &SetLimits,
    seed: &HashSeed,
    out: &mut Reply,
) {
    let len = set.len();
    out.array(count.min(len));
    let mut run = out.run(0);
    if count >= len {
        return set.iter().for_each(|member| run_item(&mut run, member));
    }
    if count == 1 {
        return set.random(&mut || random.next_u64()).into_iter().for_each(|m| run_item(&mut run, m));
    }
    if matches!(set, Set::Listpack(_)) || count.saturating_mul(3) > len {
        return choose(set, count, random, |member, chosen| {
            if chosen {
                run_item(&mut run, member);
            }
        });
    }
    let mut seen = Set::new(b"", usize::MAX, limits, seed);
    while seen.len() < count {
        let member = set.random(&mut || random.next_u64()).expect("a set in the keyspace has members");
        if member.with_text(|text| seen.add(text, limits, seed)) {
            run_item(&mut run, member);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(members: impl Iterator<Item = usize>, prefix: &str) -> Set {
        let (limits, seed) = (SetLimits::default(), HashSeed::new(1, 2));
        let mut set = Set::new(format!("{prefix}0").as_bytes(), 1, &limits, &seed);
        members.for_each(|n| {
            set.add(format!("{prefix}{n}").as_bytes(), &limits, &seed);
        });
        set
    }

    #[test]
    fn every_member_is_chosen_equally_often() {
        const ROUNDS: usize = 20_000;
        let mut random = Random::from_seed(7);
        for prefix in ["", "m"] {
            let set = numbered(0..10, prefix);
            let mut hits = [0usize; 10];
            for _ in 0..ROUNDS {
                let (mut index, mut count) = (0, 0);
                choose(&set, 3, &mut random, |_, chosen| {
                    hits[index] += usize::from(chosen);
                    count += usize::from(chosen);
                    index += 1;
                });
                assert_eq!((index, count), (10, 3));
            }
            // 3/10 of the rounds each; five standard deviations to either side.
            assert!(hits.iter().all(|&n| n.abs_diff(ROUNDS * 3 / 10) < 325), "{hits:?}");
        }
    }

    #[test]
    fn a_split_set_loses_nothing_and_keeps_its_form() {
        let (limits, seed) = (SetLimits::default(), HashSeed::new(1, 2));
        let mut random = Random::from_seed(9);
        for (prefix, len, encoding) in [("", 300, "intset"), ("m", 100, "listpack"), ("m", 900, "listpack")] {
            let set = numbered(0..len, prefix);
            let mut out = Reply::new(false);
            let rest = split(&set, len - 50, &mut random, &limits, &seed, None, &mut out);
            assert_eq!((rest.len(), rest.encoding()), (50, encoding));
            assert!(rest.iter().all(|member| set.contains_item(member)));
            let replied = out.buf.iter().filter(|&&b| b == b'$').count();
            assert_eq!(replied, len - 50);
        }
    }
}
