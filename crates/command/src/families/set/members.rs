//! Adding, removing and looking up members.

use super::{ANY_ORDER, ANY_OUTPUT, row};
use crate::items::{reply_item, run_item};
use crate::scan_options::ScanOptions;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use base::number::I64Buf;
use keyspace::Typed;
use resp::Reply;
use types::Set;

pub const COMMANDS: &[Command] = &[
    row("SADD", sadd)
        .arity(-3)
        .element(2)
        .keys(&[KeySpec::at(1, RW | INSERT)])
        .flags(WRITE | DENYOOM | FAST)
        .complexity(
            "O(1) for each element added, so O(N) to add N elements when the command is called with multiple \
             arguments.",
        )
        .summary("Adds members to a set; creates the set if there is none.")
        .history(&[("2.4.0", "Accepts multiple `member` arguments.")])
        .syntax("key:key member:string*"),
    row("SREM", srem)
        .arity(-3)
        .element(2)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE | FAST)
        .complexity("O(N) where N is the number of members to be removed.")
        .summary("Removes members from a set.")
        .history(&[("2.4.0", "Accepts multiple `member` arguments.")])
        .syntax("key:key member:string*"),
    row("SMOVE", smove)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE), KeySpec::at(2, RW | INSERT)])
        .flags(WRITE | FAST)
        .complexity("O(1)")
        .summary("Moves a member from one set to another.")
        .syntax("source:key destination:key#1 member:string"),
    row("SISMEMBER", sismember)
        .arity(3)
        .element(2)
        .keys(&[KeySpec::at(1, RO)])
        .flags(READONLY | FAST)
        .complexity("O(1)")
        .summary("Tells whether a set has a member.")
        .syntax("key:key member:string"),
    row("SMISMEMBER", smismember)
        .arity(-3)
        .element(2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .since("6.2.0")
        .complexity("O(N) where N is the number of elements being checked for membership")
        .summary("Tells of each of several members whether a set has it.")
        .syntax("key:key member:string*"),
    row("SCARD", scard)
        .arity(2)
        .keys(&[KeySpec::at(1, RO)])
        .flags(READONLY | FAST)
        .complexity("O(1)")
        .summary("Returns the number of members of a set.")
        .syntax("key:key"),
    row("SMEMBERS", smembers)
        .arity(2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity("O(N) where N is the set cardinality.")
        .summary("Returns all members of a set.")
        .tips(ANY_ORDER)
        .syntax("key:key"),
    row("SSCAN", sscan)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .since("2.8.0")
        .complexity(
            "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor \
             to return back to 0. N is the number of elements inside the collection.",
        )
        .summary("Goes through the members of a set step by step.")
        .tips(ANY_OUTPUT)
        .syntax("key:key cursor:integer MATCH@pattern:pattern? COUNT@count:integer?"),
];

/// SADD key member [member …]
fn sadd(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (key, count) = (args.key(1), args.len() - 2);
    let (limits, seed) = (cx.shard.limits.set, args.seed());
    let mut set = cx.upsert(key, || Set::new(&args[2], count, &limits, seed))?;
    set.expect(count, &limits, seed);
    let added = args.from(2).filter(|member| set.add(member, &limits, seed)).count();
    drop(set);
    if added > 0 {
        cx.event_of(added, Event::Set, "sadd", key.bytes);
    }
    out.count(added);
    Ok(())
}

/// SREM key member [member …]
fn srem(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.key(1);
    let Some(mut set) = cx.update::<Set>(key)? else {
        out.int(0);
        return Ok(());
    };
    let removed = args.from(2).filter(|member| set.remove(member)).count();
    let emptied = set.finish();
    if removed > 0 {
        cx.event_of(removed, Event::Set, "srem", key.bytes);
    }
    if emptied {
        cx.notice(Event::Generic, "del", key.bytes);
    }
    out.count(removed);
    Ok(())
}

/// SMOVE source destination member
fn smove(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (source, destination, member) = (args.key(1), args.key(2), &args[3]);
    let destination_pos = cx.find_for_write(destination);
    let Some(pos) = cx.find_for_write(source) else {
        out.int(0);
        return Ok(());
    };
    let set = Set::of(cx.db().value(pos)).ok_or_else(|| Error::WRONG_TYPE)?;
    let there = set.contains(member);
    if destination_pos.is_some_and(|pos| Set::of(cx.db().value(pos)).is_none()) {
        return Err(Error::WRONG_TYPE);
    }
    if !there || source.bytes == destination.bytes {
        out.int(i64::from(there));
        return Ok(());
    }
    cx.touch(pos);
    let mut set = cx.db().update::<Set>(pos);
    set.remove(member);
    let emptied = set.finish();
    cx.event(Event::Set, "srem", source.bytes);
    if emptied {
        cx.notice(Event::Generic, "del", source.bytes);
    }
    let (limits, seed) = (cx.shard.limits.set, args.seed());
    let mut set = cx.upsert(destination, || Set::new(member, 1, &limits, seed))?;
    let added = set.add(member, &limits, seed);
    drop(set);
    if added {
        cx.event(Event::Set, "sadd", destination.bytes);
    }
    // Of keys that come from several shards each has its own.
    if cx.logs() && cx.shard.guests.are_here() {
        cx.log(source.bytes, &[b"SREM", source.bytes, member]);
        if added {
            cx.log(destination.bytes, &[b"SADD", destination.bytes, member]);
        }
    }
    out.int(1);
    Ok(())
}

/// SISMEMBER key member
fn sismember(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let there = cx.read::<Set>(args.key(1))?.is_some_and(|set| set.contains(&args[2]));
    out.int(i64::from(there));
    Ok(())
}

/// SMISMEMBER key member [member …]
fn smismember(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let set = cx.read::<Set>(args.key(1))?;
    out.array(args.len() - 2);
    for member in args.from(2) {
        out.int(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

/// SCARD key
fn scard(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    out.count(cx.read::<Set>(args.key(1))?.map_or(0, Set::len));
    Ok(())
}

/// SMEMBERS key
fn smembers(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    match cx.read::<Set>(args.key(1))? {
        Some(set) => reply_all(out, set),
        None => out.set(0),
    }
    Ok(())
}

/// All members as a set.
pub fn reply_all(out: &mut Reply, set: &Set) {
    out.set(set.len());
    let mut run = out.run(0);
    set.iter().for_each(|member| run_item(&mut run, member));
}

/// SSCAN key cursor [MATCH pattern] [COUNT count]
fn sscan(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let cursor = args.cursor(2)?;
    let Some(set) = cx.read::<Set>(args.key(1))? else {
        out.array(2);
        out.bulk(b"0");
        out.array(0);
        return Ok(());
    };
    let options = ScanOptions::parse(args, 3, false)?;
    let mark = out.mark();
    let mut count = 0;
    let next = set.scan(cursor, options.count, |member| {
        if options.admits(member) {
            count += 1;
            reply_item(out, member);
        }
    });
    out.array_around(mark, count);
    out.before(mark, |out| {
        out.array(2);
        out.bulk(I64Buf::from_u64(next).as_bytes());
    });
    Ok(())
}
