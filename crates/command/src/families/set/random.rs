//! Random members: taken out or only looked at.
//!
//! Where members must be distinct, a set is either gone through once, each member chosen with the probability that makes
//! all choices equally likely (Knuth, "The Art of Computer Programming" 3.4.2, algorithm S), or drawn from until there
//! are enough.

use super::members::reply_all;
use crate::items::{check_draws, reply_item, run_item};
use crate::{Args, Cx, Error, Event, Outcome};
use base::hash::HashSeed;
use base::random::Random;
use keyspace::Pos;
use keyspace::{Typed, Update};
use resp::Reply;
use types::Set;
use types::listpack::{Item, Listpack};
use types::set::SetLimits;

/// SPOP key [count]
pub fn spop(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 2 {
        return spop_many(cx, args, out);
    }
    let key = args.key(1);
    let Some(pos) = find_set(cx, args)? else {
        out.null();
        return Ok(());
    };
    let (mut set, random) = set_and_random(cx, pos);
    set.pop(&mut || random.next_u64(), |member| reply_item(out, member));
    let emptied = set.finish();
    cx.event(Event::Set, "spop", key.bytes);
    if emptied {
        cx.event(Event::Generic, "del", key.bytes);
    }
    Ok(())
}

/// Where the set under the first key stands, to be changed.
#[inline]
fn find_set(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Option<Pos>, Error> {
    let Some(pos) = cx.find_for_write(args.key(1)) else { return Ok(None) };
    if Set::of(cx.db().value(pos)).is_none() {
        return Err(Error::WRONG_TYPE);
    }
    cx.touch(pos);
    Ok(Some(pos))
}

/// The set at `pos` and, beside it, the shard's random numbers.
#[inline]
fn set_and_random<'c>(cx: &'c mut Cx<'_>, pos: Pos) -> (Update<'c, Set>, &'c mut Random) {
    let shard = &mut *cx.shard;
    (shard.dbs[cx.db as usize].update::<Set>(pos), &mut shard.random)
}

/// SPOP key count
fn spop_many(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 3 {
        return Err(Error::SYNTAX);
    }
    let count = args.int(2).ok().and_then(|n| usize::try_from(n).ok()).ok_or(Error::MUST_BE_POSITIVE)?;
    let key = args.key(1);
    let (pos, count) = match find_set(cx, args)? {
        Some(pos) if count > 0 => (pos, count),
        _ => {
            out.set(0);
            return Ok(());
        }
    };
    let limits = cx.shard.limits.set;
    let (mut set, random) = set_and_random(cx, pos);
    let len = set.len();
    if count >= len {
        reply_all(out, &set);
        drop(set);
        cx.db().remove(pos);
        cx.event(Event::Set, "spop", key.bytes);
        cx.event(Event::Generic, "del", key.bytes);
        return Ok(());
    }
    out.set(count);
    if draws_pay(&set, count) {
        for _ in 0..count {
            set.pop(&mut || random.next_u64(), |member| reply_item(out, member));
        }
    } else {
        *set = split(&set, count, random, &limits, args.seed(), out);
    }
    drop(set);
    cx.event(Event::Set, "spop", key.bytes);
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

/// Writes `count` random members and returns a set of the others.
fn split(
    set: &Set,
    count: usize,
    random: &mut Random,
    limits: &SetLimits,
    seed: &HashSeed,
    out: &mut Reply,
) -> Set {
    let mut rest: Option<Set> = match set {
        Set::Listpack(_) => Some(Set::Listpack(Listpack::new())),
        _ => None,
    };
    let mut run = out.run(0);
    choose(set, count, random, |member, chosen| {
        if chosen {
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
pub fn srandmember(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
    let set = Set::of(db.value(pos)).ok_or(Error::WRONG_TYPE)?;
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
