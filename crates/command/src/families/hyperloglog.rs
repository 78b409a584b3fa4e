//! HyperLogLogs, which are strings. The algorithms are in `types::hyperloglog`.

use crate::spec::{Handler, KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use keyspace::Pos;
use keyspace::{Key, Value};
use resp::Reply;
use std::sync::Arc;
use types::hyperloglog::{self, Encoding, HllError, Registers};

const fn row(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler).acl(acl::HYPERLOGLOG).group("hyperloglog").since("2.8.9")
}

pub const COMMANDS: &[Command] = &[
    row("PFADD", pfadd)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | INSERT)])
        .flags(WRITE | DENYOOM | FAST)
        .complexity("O(1) to add every element.")
        .summary("Adds elements to a HyperLogLog; creates the key if it is absent.")
        .syntax("key:key element:string?*"),
    row("PFCOUNT", pfcount)
        .arity(-2)
        .keys(&[KeySpec::range(1, -1, 1, RW | ACCESS).notes(
            "RW because it may change the internal representation of the key, and propagate to replicas",
        )])
        .flags(READONLY | MAY_REPLICATE)
        .complexity("O(1) for a single key whose count is known; O(N) with N being the number of keys.")
        .summary("Estimates how many elements were added to a HyperLogLog, or to several together.")
        .syntax("key:key*"),
    row("PFMERGE", pfmerge)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | ACCESS | INSERT), KeySpec::range(2, -1, 1, RO | ACCESS)])
        .flags(WRITE | DENYOOM)
        .complexity("O(N) to merge N HyperLogLogs, but with high constant times.")
        .summary("Merges HyperLogLogs into one.")
        .syntax("destkey:key sourcekey:key?*#1"),
    row("PFDEBUG", pfdebug)
        .arity(3)
        .keys(&[KeySpec::at(2, RW | ACCESS)])
        .flags(WRITE | DENYOOM | ADMIN | SYSTEM)
        .complexity("N/A")
        .summary("Shows or changes how a HyperLogLog is stored.")
        .syntax("subcommand:string key:key"),
    row("PFSELFTEST", pfselftest)
        .arity(1)
        .flags(ADMIN | SYSTEM)
        .complexity("N/A")
        .summary("Checks that HyperLogLogs count as they should."),
];

fn failed(error: HllError) -> Error {
    Error::text(error.message())
}

/// The HyperLogLog at `pos`.
fn read<'c>(cx: &'c mut Cx<'_>, pos: Pos) -> Result<&'c [u8], Error> {
    let bytes = cx.db().str(pos).ok_or_else(|| Error::WRONG_TYPE)?.bytes();
    hyperloglog::validate(bytes).map_err(failed)?;
    Ok(bytes)
}

/// Changes the bytes at `pos`, which are a HyperLogLog. An error of `change` must leave them as they were.
fn edit<R>(
    cx: &mut Cx<'_>,
    key: Key<'_>,
    pos: Pos,
    change: impl FnOnce(&mut Vec<u8>) -> Result<R, HllError>,
) -> Result<R, Error> {
    let age = cx.shard.clock_age();
    cx.db().edit_str(key, Some(pos), true, age, Some(0..usize::MAX), change).map_err(failed)
}

fn create(cx: &mut Cx<'_>, key: Key<'_>, hll: Vec<u8>) {
    let age = cx.shard.clock_age();
    cx.db().put(key, None, Value::Str { bytes: Arc::new(hll), raw: true }, None, age);
}

/// PFADD key [element …]
pub fn pfadd(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let sparse_bytes_max = cx.shard.limits.hll_sparse_bytes_max;
    let add_all = |hll: &mut Vec<u8>| {
        args.from(2).try_fold(0, |changed, element| {
            hyperloglog::add(hll, element, sparse_bytes_max).map(|this| changed + usize::from(this))
        })
    };
    let key = args.key(1);
    let changed = match cx.find_for_write(key) {
        None => {
            let mut hll = hyperloglog::empty();
            let changed = add_all(&mut hll).map_err(failed)?;
            create(cx, key, hll);
            1 + changed
        }
        Some(pos) => {
            let encoding = hyperloglog::validate(read(cx, pos)?).map_err(failed)?;
            if encoding == Encoding::Sparse && args.len() > 3 {
                // Sound runs take any element; with others the first elements could be added and a later one fail.
                Registers::of(read(cx, pos)?).map_err(failed)?;
            }
            edit(cx, key, pos, add_all)?
        }
    };
    if changed > 0 {
        cx.event_of(changed, Event::String, "pfadd", key.bytes);
    }
    out.int(i64::from(changed > 0));
    Ok(())
}

/// All that is under the keys of a command, one key after the other, and whether any of them is dense.
fn union_of(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(Registers, bool), Error> {
    let (mut union, mut dense) = (Registers::new(), false);
    for index in 1..args.len() {
        if let Some(pos) = cx.find(args.key(index)) {
            dense |= union.merge(read(cx, pos)?).map_err(failed)? == Encoding::Dense;
        }
    }
    Ok((union, dense))
}

/// PFCOUNT key [key …]
pub fn pfcount(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 2 {
        let (union, _) = union_of(cx, args)?;
        out.int(union.cardinality() as i64);
        return Ok(());
    }
    let Some(pos) = cx.find(args.key(1)) else {
        out.int(0);
        return Ok(());
    };
    let known = hyperloglog::cached(read(cx, pos)?);
    let cardinality = match known {
        Some(cardinality) => cardinality,
        None => {
            let bytes = cx.db().str_mut(pos, Some(0..usize::MAX)).expect("it is a string");
            let count = hyperloglog::count(bytes).map_err(failed)?;
            cx.changed(&args[1]);
            count.cardinality
        }
    };
    out.int(cardinality as i64);
    Ok(())
}

/// PFMERGE destkey [sourcekey …]
pub fn pfmerge(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (union, dense) = union_of(cx, args)?;
    let sparse_bytes_max = cx.shard.limits.hll_sparse_bytes_max;
    let key = args.key(1);
    match cx.find_for_write(key) {
        Some(pos) => edit(cx, key, pos, |hll| union.store(hll, dense, sparse_bytes_max))?,
        None => {
            let mut hll = hyperloglog::empty();
            union.store(&mut hll, dense, sparse_bytes_max).map_err(failed)?;
            create(cx, key, hll);
        }
    }
    // The event is that of a mass addition.
    cx.event(Event::String, "pfadd", key.bytes);
    out.ok();
    Ok(())
}

/// PFDEBUG GETREG | DECODE | ENCODING | TODENSE key, PFDEBUG SIMD ON | OFF
pub fn pfdebug(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.is(1, "SIMD") {
        // There is one way to merge registers here; the compiler chose its instructions.
        let answer = [("ON", "enabled"), ("OFF", "disabled")].into_iter().find(|(word, _)| args.is(2, word));
        out.status(answer.ok_or_else(|| Error::err("Argument must be ON or OFF"))?.1);
        return Ok(());
    }
    let key = args.key(2);
    let pos = cx.find_for_write(key).ok_or_else(|| Error::err("The specified key does not exist"))?;
    let hll = read(cx, pos)?;
    if args.is(1, "GETREG") {
        let registers = Registers::of(hll).map_err(failed)?;
        to_dense(cx, key, pos)?;
        out.array(registers.as_slice().len());
        registers.as_slice().iter().for_each(|&value| out.int(i64::from(value)));
    } else if args.is(1, "DECODE") {
        let text = hyperloglog::decode(hll).map_err(failed)?;
        out.bulk(text.ok_or_else(|| Error::err("HLL encoding is not sparse"))?.as_bytes());
    } else if args.is(1, "ENCODING") {
        out.status(hyperloglog::validate(hll).map_err(failed)?.name());
    } else if args.is(1, "TODENSE") {
        let converted = to_dense(cx, key, pos)?;
        out.int(i64::from(converted));
    } else {
        return Err(Error::naming("Unknown PFDEBUG subcommand '", &args[1], "'"));
    }
    Ok(())
}

fn to_dense(cx: &mut Cx<'_>, key: Key<'_>, pos: Pos) -> Result<bool, Error> {
    let converted = edit(cx, key, pos, hyperloglog::to_dense)?;
    if converted {
        cx.changed(key.bytes);
    }
    Ok(converted)
}

/// PFSELFTEST
pub fn pfselftest(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    /// Few enough not to hold up the shard.
    const ELEMENTS: u64 = 100_000;
    let test_failed = |what: &str| Error::text(format!("TESTFAILED {what}"));
    let sparse_bytes_max = cx.shard.limits.hll_sparse_bytes_max;
    let seed = cx.shard.random.next_u64();
    let (mut dense, mut sparse) = (hyperloglog::empty(), hyperloglog::empty());
    hyperloglog::to_dense(&mut dense).map_err(failed)?;
    let mut checkpoint = 1;
    for number in 1..=ELEMENTS {
        let element = (number ^ seed).to_le_bytes();
        hyperloglog::add(&mut dense, &element, sparse_bytes_max).map_err(failed)?;
        hyperloglog::add(&mut sparse, &element, sparse_bytes_max).map_err(failed)?;
        if number != checkpoint {
            continue;
        }
        let estimate = hyperloglog::count(&mut dense).map_err(failed)?.cardinality;
        if hyperloglog::count(&mut sparse).map_err(failed)?.cardinality != estimate {
            return Err(test_failed("dense/sparse disagree"));
        }
        // Six times the standard error, 1.04/√16384.
        let error_max = (number as f64 * 6.0 * 1.04 / 128.0).ceil() as u64;
        if estimate.abs_diff(number) > error_max {
            let error = estimate.abs_diff(number);
            return Err(test_failed(&format!("Too big error. card:{number} abserr:{error}")));
        }
        checkpoint *= 10;
    }
    out.ok();
    Ok(())
}
