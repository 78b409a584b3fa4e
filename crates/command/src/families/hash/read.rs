//! Reading hashes.

use super::fields::{self, find, may_be_over};
use super::{READ, row};
use crate::items::{reply_value, run_item, run_value};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;
use types::Hash;

const LOOKED_AT: &[KeySpec] = &[KeySpec::at(1, RO)];
const PER_SIZE: &str = "O(N) where N is the size of the hash.";
const ANY_ORDER: &[&str] = &["nondeterministic_output_order"];

pub const COMMANDS: &[Command] = &[
    row("HEXISTS", hexists)
        .arity(3)
        .element(2)
        .keys(LOOKED_AT)
        .flags(READONLY | FAST)
        .since("2.0.0")
        .complexity("O(1)")
        .summary("Says whether a hash has a field.")
        .syntax("key:key field:string"),
    row("HGET", hget)
        .arity(3)
        .element(2)
        .keys(READ)
        .flags(READONLY | FAST)
        .since("2.0.0")
        .complexity("O(1)")
        .summary("Returns the value of a field.")
        .syntax("key:key field:string"),
    row("HGETALL", hgetall)
        .arity(2)
        .keys(READ)
        .flags(READONLY)
        .since("2.0.0")
        .complexity(PER_SIZE)
        .summary("Returns all fields and values of a hash.")
        .tips(ANY_ORDER)
        .syntax("key:key"),
    row("HKEYS", hkeys)
        .arity(2)
        .keys(READ)
        .flags(READONLY)
        .since("2.0.0")
        .complexity(PER_SIZE)
        .summary("Returns all fields of a hash.")
        .tips(ANY_ORDER)
        .syntax("key:key"),
    row("HLEN", hlen)
        .arity(2)
        .keys(LOOKED_AT)
        .flags(READONLY | FAST)
        .since("2.0.0")
        .complexity("O(1)")
        .summary("Returns the number of fields of a hash.")
        .syntax("key:key"),
    row("HMGET", hmget)
        .arity(-3)
        .element(2)
        .keys(READ)
        .flags(READONLY | FAST)
        .since("2.0.0")
        .complexity("O(N) where N is the number of fields being requested.")
        .summary("Returns the values of several fields.")
        .syntax("key:key field:string*"),
    row("HSTRLEN", hstrlen)
        .arity(3)
        .element(2)
        .keys(LOOKED_AT)
        .flags(READONLY | FAST)
        .since("3.2.0")
        .complexity("O(1)")
        .summary("Returns the length of the value of a field.")
        .syntax("key:key field:string"),
    row("HVALS", hvals)
        .arity(2)
        .keys(READ)
        .flags(READONLY)
        .since("2.0.0")
        .complexity(PER_SIZE)
        .summary("Returns all values of a hash.")
        .tips(ANY_ORDER)
        .syntax("key:key"),
];

/// What a command shows of each field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Both,
    Fields,
    Values,
}

/// HGET key field
fn hget(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    one(cx, args, |hash, now_ms| match hash.get(&args[2], now_ms) {
        Some(value) => {
            reply_value(out, value);
            true
        }
        None => false,
    })
    .map(|found| {
        if !found {
            out.null()
        }
    })
}

/// HEXISTS key field
fn hexists(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let found = one(cx, args, |hash, now_ms| hash.contains(&args[2], now_ms))?;
    out.int(i64::from(found));
    Ok(())
}

/// HSTRLEN key field
fn hstrlen(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let mut bytes = 0;
    one(cx, args, |hash, now_ms| match hash.get(&args[2], now_ms) {
        Some(value) => {
            bytes = value.len();
            true
        }
        None => false,
    })?;
    out.count(bytes);
    Ok(())
}

/// Has `look` look for the field in argument 2, and removes it if it was not found because it has expired.
#[inline]
fn one(cx: &mut Cx<'_>, args: Args<'_>, look: impl FnOnce(&Hash, u64) -> bool) -> Result<bool, Error> {
    let key = args.key(1);
    let Some(pos) = find(cx, key)? else { return Ok(false) };
    let now_ms = cx.now_ms();
    let hash = fields::at(cx, pos);
    if look(hash, now_ms) {
        return Ok(true);
    }
    if may_be_over(hash, now_ms) {
        fields::forget_expired(cx, key, pos, args.from(2).take(1));
    }
    Ok(false)
}

/// HMGET key field [field …]
fn hmget(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.key(1);
    let pos = find(cx, key)?;
    out.array(args.len() - 2);
    let Some(pos) = pos else {
        args.from(2).for_each(|_| out.null());
        return Ok(());
    };
    let now_ms = cx.now_ms();
    let hash = fields::at(cx, pos);
    let mut missed = false;
    for field in args.from(2) {
        match hash.get(field, now_ms) {
            Some(value) => reply_value(out, value),
            None => {
                missed = true;
                out.null();
            }
        }
    }
    if missed && may_be_over(hash, now_ms) {
        fields::forget_expired(cx, key, pos, args.from(2));
    }
    Ok(())
}

/// HLEN key: expired fields that are still there count.
fn hlen(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    out.count(cx.read::<Hash>(args.key(1))?.map_or(0, Hash::len));
    Ok(())
}

/// HGETALL key
fn hgetall(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    all(cx, args, out, Shown::Both)
}

/// HKEYS key
fn hkeys(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    all(cx, args, out, Shown::Fields)
}

/// HVALS key
fn hvals(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    all(cx, args, out, Shown::Values)
}

fn all(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply, shown: Shown) -> Outcome {
    let now_ms = cx.now_ms();
    let hash = cx.read::<Hash>(args.key(1))?;
    let len = hash.map_or(0, |hash| hash.live_len(now_ms));
    if shown == Shown::Both {
        out.map(len)
    } else {
        out.array(len)
    }
    let Some(hash) = hash else { return Ok(()) };
    let mut run = out.run(0);
    for entry in hash.iter(now_ms) {
        if shown != Shown::Values {
            run_item(&mut run, entry.field);
        }
        if shown != Shown::Fields {
            run_value(&mut run, entry.value);
        }
    }
    Ok(())
}
