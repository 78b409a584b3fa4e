//! Intersection, union and difference.
//!
//! Members are visited where they lie. Only where a member could be met twice, or tested against very many sets, a set of
//! those met is built.

use super::{ANY_ORDER, SMALLEST_COST, TOTAL_COST, row};
use crate::items::run_item;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use base::hash::HashSeed;
use keyspace::Typed;
use resp::Reply;
use std::ops::Range;
use types::Set;
use types::intset::Intset;
use types::listpack::Item;
use types::set::SetLimits;

const READ_ALL: &[KeySpec] = &[KeySpec::range(1, -1, 1, RO | ACCESS)];
const STORED: &[KeySpec] = &[KeySpec::at(1, OW | UPDATE), KeySpec::range(2, -1, 1, RO | ACCESS)];

pub const COMMANDS: &[Command] = &[
    row("SINTER", sinter)
        .arity(-2)
        .keys(READ_ALL)
        .flags(READONLY)
        .complexity(SMALLEST_COST)
        .summary("Returns the members that all of several sets have.")
        .tips(ANY_ORDER)
        .syntax("key:key*"),
    row("SINTERSTORE", sinterstore)
        .arity(-3)
        .keys(STORED)
        .flags(WRITE | DENYOOM)
        .complexity(SMALLEST_COST)
        .summary("Stores the members that all of several sets have.")
        .syntax("destination:key key:key*#1"),
    row("SUNION", sunion)
        .arity(-2)
        .keys(READ_ALL)
        .flags(READONLY)
        .complexity(TOTAL_COST)
        .summary("Returns the members that any of several sets has.")
        .tips(ANY_ORDER)
        .syntax("key:key*"),
    row("SUNIONSTORE", sunionstore)
        .arity(-3)
        .keys(STORED)
        .flags(WRITE | DENYOOM)
        .complexity(TOTAL_COST)
        .summary("Stores the members that any of several sets has.")
        .syntax("destination:key key:key*#1"),
    row("SDIFF", sdiff)
        .arity(-2)
        .keys(READ_ALL)
        .flags(READONLY)
        .complexity(TOTAL_COST)
        .summary("Returns the members that only the first of several sets has.")
        .tips(ANY_ORDER)
        .syntax("key:key*"),
    row("SDIFFSTORE", sdiffstore)
        .arity(-3)
        .keys(STORED)
        .flags(WRITE | DENYOOM)
        .complexity(TOTAL_COST)
        .summary("Stores the members that only the first of several sets has.")
        .syntax("destination:key key:key*#1"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Inter,
    Union,
    Diff,
}

/// What building a set takes.
#[derive(Clone, Copy)]
pub struct Building<'a> {
    pub limits: SetLimits,
    pub seed: &'a HashSeed,
}

impl<'a> Building<'a> {
    pub fn new(cx: &Cx<'_>, args: Args<'a>) -> Self {
        Self { limits: cx.shard.limits.set, seed: args.seed() }
    }

    /// An empty set for any number of members, of which none may come twice in a reply.
    fn table(self) -> Set {
        Set::new(b"", usize::MAX, &self.limits, self.seed)
    }

    fn add(self, set: &mut Set, member: Item<'_>) -> bool {
        member.with_text(|text| set.add(text, &self.limits, self.seed))
    }
}

/// SINTER key [key …]
fn sinter(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    reply(cx, args, Operation::Inter, out)
}

/// SUNION key [key …]
fn sunion(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    reply(cx, args, Operation::Union, out)
}

/// SDIFF key [key …]
fn sdiff(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    reply(cx, args, Operation::Diff, out)
}

/// SINTERSTORE destination key [key …]
fn sinterstore(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    store(cx, args, Operation::Inter, out)
}

/// SUNIONSTORE destination key [key …]
fn sunionstore(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    store(cx, args, Operation::Union, out)
}

/// SDIFFSTORE destination key [key …]
fn sdiffstore(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    store(cx, args, Operation::Diff, out)
}

fn reply(cx: &mut Cx<'_>, args: Args<'_>, operation: Operation, out: &mut Reply) -> Outcome {
    let building = Building::new(cx, args);
    let sets = read_sets(cx, args, 1..args.len())?;
    let (mark, mut count) = (out.mark(), 0);
    let mut run = out.run(0);
    visit(operation, &sets, building, |member| {
        run_item(&mut run, member);
        count += 1;
        true
    });
    drop(run);
    out.set_around(mark, count);
    Ok(())
}

fn store(cx: &mut Cx<'_>, args: Args<'_>, operation: Operation, out: &mut Reply) -> Outcome {
    let building = Building::new(cx, args);
    let sets = read_sets(cx, args, 2..args.len())?;
    let mut result = Set::Intset(Intset::new());
    visit(operation, &sets, building, |member| {
        building.add(&mut result, member);
        true
    });
    let (key, len) = (args.key(1), result.len());
    if len > 0 {
        let age = cx.shard.clock_age();
        let pos = cx.find_for_write(key);
        cx.db().put(key, pos, result.into_value(), None, age);
        let event = match operation {
            Operation::Inter => "sinterstore",
            Operation::Union => "sunionstore",
            Operation::Diff => "sdiffstore",
        };
        cx.event(Event::Set, event, key.bytes);
    } else if cx.delete(key) {
        cx.event(Event::Generic, "del", key.bytes);
    }
    out.count(len);
    Ok(())
}

/// The sets under the keys at `indexes`; `None` for keys that are absent.
///
/// # Errors
/// WRONGTYPE
pub fn read_sets<'c>(
    cx: &'c mut Cx<'_>,
    args: Args<'_>,
    indexes: Range<usize>,
) -> Result<Vec<Option<&'c Set>>, Error> {
    // One after the other, up to the first that is none: what is over goes now, so that the second look finds them where they stay.
    for index in indexes.clone() {
        cx.read::<Set>(args.key(index))?;
    }
    let places: Vec<_> = indexes.map(|index| cx.find_for_write(args.key(index))).collect();
    let db = &cx.shard.dbs[cx.db as usize];
    let set_at = |pos| Set::of(db.value(pos)).ok_or_else(|| Error::WRONG_TYPE);
    places.into_iter().map(|place| place.map(set_at).transpose()).collect()
}

/// Visits each member of the result once, in any order, until `see` returns false.
pub fn visit(
    operation: Operation,
    sets: &[Option<&Set>],
    building: Building<'_>,
    see: impl FnMut(Item<'_>) -> bool,
) {
    match operation {
        Operation::Inter => intersection(sets, see),
        Operation::Union => union(sets, building, see),
        Operation::Diff => difference(sets, building, see),
    }
}

fn intersection(sets: &[Option<&Set>], mut see: impl FnMut(Item<'_>) -> bool) {
    let Some(mut sets) = sets.iter().copied().collect::<Option<Vec<&Set>>>() else { return };
    sets.sort_unstable_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return };
    let in_all = |member: &Item<'_>| others.iter().all(|set| set.contains_item(*member));
    smallest.iter().filter(in_all).all(&mut see);
}

/// The largest set is visited as it is; of the others, what it does not have.
fn union(sets: &[Option<&Set>], building: Building<'_>, mut see: impl FnMut(Item<'_>) -> bool) {
    let mut sets: Vec<&Set> = sets.iter().copied().flatten().collect();
    sets.sort_unstable_by_key(|set| std::cmp::Reverse(set.len()));
    let Some((largest, others)) = sets.split_first() else { return };
    if !largest.iter().all(&mut see) {
        return;
    }
    let mut met = (others.len() > 1).then(|| building.table());
    for set in others {
        let mut news = set.iter().filter(|member| {
            !largest.contains_item(*member) && met.as_mut().is_none_or(|met| building.add(met, *member))
        });
        if !news.all(&mut see) {
            return;
        }
    }
}

/// Tests each member of the first set against the others; if that would be many tests, against the union of the others.
fn difference(sets: &[Option<&Set>], building: Building<'_>, mut see: impl FnMut(Item<'_>) -> bool) {
    let Some((Some(first), others)) = sets.split_first() else { return };
    let mut others: Vec<&Set> = others.iter().copied().flatten().collect();
    if others.iter().any(|set| std::ptr::eq(*set, *first)) {
        return;
    }
    let total: usize = others.iter().map(|set| set.len()).sum();
    let all;
    if first.len().saturating_mul(others.len().saturating_sub(1)) > 2 * total {
        let mut union = building.table();
        others.iter().flat_map(|set| set.iter()).for_each(|member| {
            building.add(&mut union, member);
        });
        all = union;
        others = vec![&all];
    }
    // The larger a set, the likelier it has the member.
    others.sort_unstable_by_key(|set| std::cmp::Reverse(set.len()));
    let in_none = |member: &Item<'_>| !others.iter().any(|set| set.contains_item(*member));
    first.iter().filter(in_none).all(&mut see);
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::random::Random;
    use std::collections::BTreeSet;

    type Model = BTreeSet<Vec<u8>>;

    /// A set of random members, of any form, with its model.
    fn sample(random: &mut Random, building: Building<'_>) -> (Set, Model) {
        let (mut set, mut model) = (Set::Intset(Intset::new()), Model::new());
        let most = [4, 40, 600][random.index(3)];
        let (len, letters) = (random.index(most), random.index(3) == 0);
        for _ in 0..len {
            let number = random.index(700);
            let member = if letters { format!("m{number}") } else { number.to_string() }.into_bytes();
            assert_eq!(set.add(&member, &building.limits, building.seed), model.insert(member));
        }
        (set, model)
    }

    fn expected(operation: Operation, models: &[&Model]) -> Model {
        let (first, others) = models.split_first().unwrap();
        others.iter().fold((*first).clone(), |result, model| match operation {
            Operation::Inter => result.intersection(model).cloned().collect(),
            Operation::Union => result.union(model).cloned().collect(),
            Operation::Diff => result.difference(model).cloned().collect(),
        })
    }

    #[test]
    fn behaves_like_sorted_sets() {
        let seed = HashSeed::new(3, 4);
        let building = Building { limits: SetLimits::default(), seed: &seed };
        for run in 0..300 {
            let mut random = Random::from_seed(run);
            let samples: Vec<_> = (0..1 + random.index(6)).map(|_| sample(&mut random, building)).collect();
            let sets: Vec<_> = samples.iter().map(|(set, _)| (!set.is_empty()).then_some(set)).collect();
            let models: Vec<_> = samples.iter().map(|(_, model)| model).collect();
            for operation in [Operation::Inter, Operation::Union, Operation::Diff] {
                let (mut found, mut seen) = (Model::new(), 0);
                visit(operation, &sets, building, |member| {
                    seen += 1;
                    found.insert(member.to_vec())
                });
                assert_eq!(found, expected(operation, &models), "seed {run}");
                assert_eq!(seen, found.len(), "seed {run}: a member came twice");
            }
        }
    }
}
