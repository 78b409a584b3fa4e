//! Strings as numbers: counters.

use super::row;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::string_value::put_changed;
use crate::{Args, Command, Cx, Error, Event, Outcome};
use base::extended::Extended;
use base::number::{I64Buf, parse_i64};
use keyspace::Key;
use resp::Reply;

pub const COMMANDS: &[Command] = &[
    row("INCR", incr)
        .arity(2)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .summary("Adds one to the integer value of a key; an absent key counts as 0.")
        .syntax("key:key"),
    row("DECR", decr)
        .arity(2)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .summary("Subtracts one from the integer value of a key; an absent key counts as 0.")
        .syntax("key:key"),
    row("INCRBY", incrby)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .summary("Adds a number to the integer value of a key; an absent key counts as 0.")
        .syntax("key:key increment:integer"),
    row("DECRBY", decrby)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .summary("Subtracts a number from the integer value of a key; an absent key counts as 0.")
        .syntax("key:key decrement:integer"),
    row("INCRBYFLOAT", incrbyfloat)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .since("2.6.0")
        .summary("Adds a number to the floating point value of a key; an absent key counts as 0.")
        .syntax("key:key increment:double"),
];

/// INCR key
fn incr(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    add(cx, args.key(1), 1, out)
}

/// DECR key
fn decr(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    add(cx, args.key(1), -1, out)
}

/// INCRBY key increment
fn incrby(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let by = args.int(2)?;
    add(cx, args.key(1), by, out)
}

/// DECRBY key decrement
fn decrby(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let by = args.int(2)?.checked_neg().ok_or_else(|| Error::err("decrement would overflow"))?;
    add(cx, args.key(1), by, out)
}

fn add(cx: &mut Cx<'_>, key: Key<'_>, by: i64, out: &mut Reply) -> Outcome {
    let pos = cx.find_for_write(key);
    let old = match pos {
        None => 0,
        Some(pos) => {
            let text = cx.db().str(pos).ok_or_else(|| Error::WRONG_TYPE)?.bytes();
            parse_i64(text).ok_or_else(|| Error::NOT_AN_INTEGER)?
        }
    };
    let new = old.checked_add(by).ok_or_else(|| Error::OVERFLOW)?;
    let (text, age) = (I64Buf::new(new), cx.shard.clock_age());
    let fits = pos.is_some_and(|pos| cx.db().overwrite_str(pos, text.as_bytes(), age));
    if !fits {
        let expire = pos.and_then(|pos| cx.db().expire(pos));
        put_changed(cx, key, pos, text.as_bytes(), expire);
    }
    cx.event(Event::String, "incrby", key.bytes);
    out.int(new);
    Ok(())
}

/// INCRBYFLOAT key increment
fn incrbyfloat(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.key(1);
    let pos = cx.find_for_write(key);
    let (old, expire) = match pos {
        None => (Extended::ZERO, None),
        Some(pos) => {
            let text = cx.db().str(pos).ok_or_else(|| Error::WRONG_TYPE)?.bytes();
            (Extended::parse(text).ok_or_else(|| Error::NOT_A_FLOAT)?, cx.db().expire(pos))
        }
    };
    let new = old.plus(Extended::parse(&args[2]).ok_or_else(|| Error::NOT_A_FLOAT)?);
    if !new.is_finite() {
        return Err(Error::NAN_OR_INFINITY);
    }
    let mut text = Vec::new();
    new.append_human(&mut text);
    put_changed(cx, key, pos, &text, expire);
    cx.event(Event::String, "incrbyfloat", key.bytes);
    if cx.logs() {
        cx.log_set(key.bytes, &text, None, true);
    }
    out.bulk(&text);
    Ok(())
}
