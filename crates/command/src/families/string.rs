//! Strings. Invariant: a string never grows beyond `proto-max-bulk-len`.

use crate::spec::{KeySpec, Merge, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use base::number::I64Buf;
use keyspace::Key;
use keyspace::value::StrRef;
use resp::Reply;

pub const COMMANDS: &[Command] = &[
    Command::new("GET", get)
        .arity(2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .acl(acl::STRING)
        .group("string")
        .summary("Returns the string value of a key.")
        .complexity("O(1)"),
    Command::new("SET", set)
        .arity(-3)
        .keys(&[KeySpec::at(1, OW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .acl(acl::STRING),
    Command::new("INCR", incr).arity(2).keys(&[KeySpec::at(1, RW | UPDATE)]).flags(WRITE | DENYOOM | FAST),
    Command::new("MGET", mget)
        .arity(-2)
        .keys(&[KeySpec::range(1, -1, 1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .split(Merge::Elements),
    Command::new("MSET", mset)
        .arity(-3)
        .keys(&[KeySpec::range(1, -1, 2, OW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .split(Merge::Ok),
];

/// Writes a string value as a bulk; large ones are not copied.
#[inline]
fn reply_str(out: &mut Reply, value: StrRef<'_>) {
    match value {
        StrRef::Shared(blob) if blob.len() >= SHARE_BYTES_MIN => out.bulk_shared(blob.clone()),
        value => out.bulk(value.bytes()),
    }
}

/// From this length on a value is sent from where it lies.
const SHARE_BYTES_MIN: usize = 16 * 1024;

/// GET key
fn get(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    match cx.str(args.key(1))? {
        Some(value) => reply_str(out, value),
        None => out.null(),
    }
    Ok(())
}

/// SET key value
fn set(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    put(cx, args.key(1), &args[2], None);
    cx.event(Event::String, "set", &args[1]);
    out.ok();
    Ok(())
}

#[inline]
fn put(cx: &mut Cx<'_>, key: Key<'_>, value: &[u8], expire: Option<u64>) {
    let age = cx.shard.clock_age();
    let pos = cx.find_for_write(key);
    cx.db().put_str(key, pos, value, expire, age);
}

/// INCR key
fn incr(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    add(cx, args.key(1), 1, out)
}

fn add(cx: &mut Cx<'_>, key: Key<'_>, by: i64, out: &mut Reply) -> Outcome {
    let age = cx.shard.clock_age();
    let pos = cx.find_for_write(key);
    let (old, expire) = match pos {
        None => (0, None),
        Some(pos) => {
            let text = cx.db().str(pos).ok_or(Error::WRONG_TYPE)?.bytes();
            (base::number::parse_i64(text).ok_or(Error::NOT_AN_INTEGER)?, cx.db().expire(pos))
        }
    };
    let new = old.checked_add(by).ok_or(Error::OVERFLOW)?;
    let text = I64Buf::new(new);
    cx.db().put_str(key, pos, text.as_bytes(), expire, age);
    cx.event(Event::String, "incrby", key.bytes);
    out.int(new);
    Ok(())
}

/// MGET key [key …]
fn mget(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    prefetch(cx, args, 1);
    out.array(args.len() - 1);
    for index in 1..args.len() {
        match cx.str(args.key(index)) {
            Ok(Some(value)) => reply_str(out, value),
            _ => out.null(),
        }
    }
    Ok(())
}

/// Asks for the cache lines of all keys, every `step`-th argument from 1 on, before the first is needed.
fn prefetch(cx: &mut Cx<'_>, args: Args<'_>, step: usize) {
    let keys = || (1..args.len()).step_by(step).take(64);
    keys().for_each(|i| cx.shard.dbs[cx.db as usize].prefetch_bucket(args.key(i).hash));
    keys().for_each(|i| cx.shard.dbs[cx.db as usize].prefetch_record(args.key(i).hash));
}

/// MSET key value [key value …]
fn mset(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() % 2 == 0 {
        return Err(Error::wrong_arity("mset"));
    }
    prefetch(cx, args, 2);
    for index in (1..args.len()).step_by(2) {
        put(cx, args.key(index), &args[index + 1], None);
        cx.event(Event::String, "set", &args[index]);
    }
    out.ok();
    Ok(())
}
