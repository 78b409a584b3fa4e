//! How many members an intersection, union or difference has.

use super::algebra::{Building, Operation, read_sets, visit};
use super::{SMALLEST_COST, TOTAL_COST, row};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;
use types::{Set, hyperloglog};

const READ_COUNTED: &[KeySpec] = &[KeySpec::counted(1, RO | ACCESS)];

pub const COMMANDS: &[Command] = &[
    row("SINTERCARD", sintercard)
        .arity(-3)
        .keys(READ_COUNTED)
        .flags(READONLY | MOVABLEKEYS)
        .since("7.0.0")
        .complexity(SMALLEST_COST)
        .summary("Returns how many members all of several sets have.")
        .syntax("numkeys:integer key:key* LIMIT@limit:integer?"),
    row("SUNIONCARD", sunioncard)
        .arity(-3)
        .keys(READ_COUNTED)
        .flags(READONLY | MOVABLEKEYS)
        .since("8.10.0")
        .complexity(TOTAL_COST)
        .summary("Returns how many members several sets have together, exactly or about.")
        .syntax("numkeys:integer key:key* approx=APPROX? LIMIT@limit:integer?"),
    row("SDIFFCARD", sdiffcard)
        .arity(-3)
        .keys(READ_COUNTED)
        .flags(READONLY | MOVABLEKEYS)
        .since("8.10.0")
        .complexity(TOTAL_COST)
        .summary("Returns how many members only the first of several sets has.")
        .syntax("numkeys:integer key:key* LIMIT@limit:integer?"),
];

/// SINTERCARD numkeys key [key …] [LIMIT limit]
fn sintercard(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    count(cx, args, Operation::Inter, out)
}

/// SUNIONCARD numkeys key [key …] [APPROX] [LIMIT limit]
fn sunioncard(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    count(cx, args, Operation::Union, out)
}

/// SDIFFCARD numkeys key [key …] [LIMIT limit]
fn sdiffcard(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    count(cx, args, Operation::Diff, out)
}

struct Options {
    /// Index behind the last key.
    keys_end: usize,
    /// No result is larger.
    limit: usize,
    approximate: bool,
}

impl Options {
    fn parse(args: Args<'_>, operation: Operation) -> Result<Self, Error> {
        let numkeys = args.int(1).ok().filter(|&n| n > 0);
        let numkeys = numkeys.ok_or_else(|| Error::err("numkeys should be greater than 0"))? as usize;
        if numkeys > args.len() - 2 {
            return Err(Error::err("Number of keys can't be greater than number of args"));
        }
        let keys_end = numkeys + 2;
        let mut options = Self { keys_end, limit: usize::MAX, approximate: false };
        let mut index = keys_end;
        while index < args.len() {
            if args.is(index, "LIMIT") && index + 1 < args.len() {
                let limit = args.int(index + 1).ok().and_then(|n| usize::try_from(n).ok());
                let limit = limit.ok_or_else(|| Error::err("LIMIT can't be negative"))?;
                options.limit = if limit == 0 { usize::MAX } else { limit };
                index += 2;
            } else if operation == Operation::Union && args.is(index, "APPROX") {
                options.approximate = true;
                index += 1;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(options)
    }
}

fn count(cx: &mut Cx<'_>, args: Args<'_>, operation: Operation, out: &mut Reply) -> Outcome {
    let options = Options::parse(args, operation)?;
    let building = Building::new(cx, args);
    let sets = read_sets(cx, args, 2..options.keys_end)?;
    if options.approximate {
        out.count(estimate(&sets).min(options.limit));
        return Ok(());
    }
    let mut count = 0;
    visit(operation, &sets, building, |_| {
        count += 1;
        count < options.limit
    });
    out.count(count);
    Ok(())
}

/// About how many members the union has: in 12 KiB, however many there are.
fn estimate(sets: &[Option<&Set>]) -> usize {
    const OWN: &str = "a value made here is valid";
    let mut value = hyperloglog::empty();
    hyperloglog::to_dense(&mut value).expect(OWN);
    for member in sets.iter().flatten().flat_map(|set| set.iter()) {
        member.with_text(|text| hyperloglog::add(&mut value, text, 0)).expect(OWN);
    }
    hyperloglog::count(&mut value).expect(OWN).cardinality as usize
}
