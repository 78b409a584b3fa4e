//! Whether keys exist, what type they have, and moving them about.

use super::GENERIC;
use crate::spec::{KeySpec, Merge, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use keyspace::{Entry, Free, Key};
use resp::Reply;

const RO_KEY: &[KeySpec] = &[KeySpec::at(1, RO)];
const MANY_TIPS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

pub const COMMANDS: &[Command] = &[
    Command::new("COPY", copy)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS), KeySpec::at(2, OW | UPDATE)])
        .flags(WRITE | DENYOOM | CROSS_DB)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("6.2.0")
        .complexity(
            "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
        )
        .summary("Copies the value of a key to another key.")
        .syntax("source:key destination:key#1 DB@destination-db:integer? replace=REPLACE?"),
    Command::new("DEL", del)
        .arity(-2)
        .keys(&[KeySpec::range(1, -1, 1, RM | DELETE)])
        .flags(WRITE)
        .acl(acl::KEYSPACE)
        .split(Merge::Sum)
        .group("generic")
        .complexity("O(N) where N is the number of keys, and for each collection the number of its elements.")
        .summary("Deletes keys.")
        .tips(MANY_TIPS)
        .syntax("key:key*"),
    Command::new("EXISTS", exists)
        .arity(-2)
        .keys(&[KeySpec::range(1, -1, 1, RO)])
        .flags(READONLY | FAST)
        .acl(acl::KEYSPACE)
        .split(Merge::Sum)
        .group("generic")
        .complexity("O(N) where N is the number of keys to check.")
        .summary("Counts how many of the keys exist.")
        .history(&[("3.0.3", "Accepts multiple `key` arguments.")])
        .tips(MANY_TIPS)
        .syntax("key:key*"),
    Command::new("MOVE", move_key)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | FAST | CROSS_DB)
        .acl(acl::KEYSPACE)
        .group("generic")
        .complexity("O(1)")
        .summary("Moves a key to another database.")
        .syntax("key:key db:integer"),
    Command::new("RENAME", rename)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE), KeySpec::at(2, OW | UPDATE)])
        .flags(WRITE)
        .acl(acl::KEYSPACE)
        .group("generic")
        .complexity("O(1)")
        .summary("Renames a key, over another if there is one.")
        .syntax("key:key newkey:key#1"),
    Command::new("RENAMENX", renamenx)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE), KeySpec::at(2, OW | INSERT)])
        .flags(WRITE | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .complexity("O(1)")
        .summary("Renames a key unless there is one of the new name.")
        .history(&[(
            "3.2.0",
            "The command no longer returns an error when source and destination names are the same.",
        )])
        .syntax("key:key newkey:key#1"),
    Command::new("TOUCH", touch)
        .arity(-2)
        .keys(&[KeySpec::range(1, -1, 1, RO)])
        .flags(READONLY | FAST)
        .acl(acl::KEYSPACE)
        .split(Merge::Sum)
        .group("generic")
        .since("3.2.1")
        .complexity("O(N) where N is the number of keys that will be touched.")
        .summary("Marks keys as used now and counts those that exist.")
        .tips(MANY_TIPS)
        .syntax("key:key*"),
    Command::new("TYPE", type_name)
        .arity(2)
        .keys(RO_KEY)
        .flags(READONLY | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .complexity("O(1)")
        .summary("Names the type of the value under a key.")
        .syntax("key:key"),
    Command::new("UNLINK", unlink)
        .arity(-2)
        .keys(&[KeySpec::range(1, -1, 1, RM | DELETE)])
        .flags(WRITE | FAST)
        .acl(acl::KEYSPACE)
        .split(Merge::Sum)
        .group("generic")
        .since("4.0.0")
        .complexity("O(1) for each key, plus the work of giving back its memory.")
        .summary("Deletes keys; as DEL.")
        .tips(MANY_TIPS)
        .syntax("key:key*"),
];

/// DEL key [key …]
fn del(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let free = Free::later_if(cx.shard.config.lazyfree_lazy_user_del);
    remove(cx, args, free, out)
}

/// UNLINK key [key …]
fn unlink(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    remove(cx, args, Free::Later, out)
}

fn remove(cx: &mut Cx<'_>, args: Args<'_>, free: Free, out: &mut Reply) -> Outcome {
    let mut removed = 0;
    for index in 1..args.len() {
        if cx.discard(args.key(index), free) {
            removed += 1;
            cx.event(GENERIC, "del", &args[index]);
        }
    }
    out.count(removed);
    Ok(())
}

/// EXISTS key [key …]
fn exists(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let found = (1..args.len()).filter(|&index| cx.find_untouched(args.key(index)).is_some()).count();
    out.count(found);
    Ok(())
}

/// TOUCH key [key …]. Touches even for clients that do not otherwise.
fn touch(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let mut touched = 0;
    for index in 1..args.len() {
        if let Some(pos) = cx.find_untouched(args.key(index)) {
            cx.touch(pos);
            touched += 1;
        }
    }
    out.count(touched);
    Ok(())
}

/// TYPE key
fn type_name(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    match cx.find_untouched(args.key(1)) {
        Some(pos) => out.status(cx.db().value(pos).kind().name()),
        None => out.status("none"),
    }
    Ok(())
}

/// RENAME key newkey
fn rename(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (from, to) = (args.key(1), args.key(2));
    if cx.find_for_write(from).is_none() {
        return Err(Error::NO_SUCH_KEY);
    }
    if from.bytes != to.bytes {
        let kinds = [to, from].map(|key| cx.kind_in(cx.db, key));
        cx.delete(to);
        move_to(cx, from, to);
        cx.notice_overwritten(cx.db, to.bytes, kinds);
    }
    out.ok();
    Ok(())
}

/// RENAMENX key newkey
fn renamenx(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (from, to) = (args.key(1), args.key(2));
    if cx.find_for_write(from).is_none() {
        return Err(Error::NO_SUCH_KEY);
    }
    let free = from.bytes != to.bytes && cx.find_for_write(to).is_none();
    if free {
        move_to(cx, from, to);
    }
    out.int(i64::from(free));
    Ok(())
}

/// Moves the entry of `from`, which is there, to `to`, which is not.
fn move_to(cx: &mut Cx<'_>, from: Key<'_>, to: Key<'_>) {
    let pos = cx.find_for_write(from).expect("looked up by the caller");
    cx.shard.take_vectors_back(cx.db, pos);
    let moving = cx.db().depart(pos);
    cx.db().arrive(to, moving);
    cx.event(GENERIC, "rename_from", from.bytes);
    cx.notice(GENERIC, "rename_to", to.bytes);
}

/// A database's number.
fn db_index(cx: &Cx<'_>, args: Args<'_>, index: usize) -> Result<u16, Error> {
    let number = i32::try_from(args.int(index)?).map_err(|_| {
        Error::err(format_args!("value is out of range, value must between {} and {}", i32::MIN, i32::MAX))
    })?;
    cx.shard.dbs.number(number.into()).ok_or_else(|| Error::DB_INDEX_OUT_OF_RANGE)
}

/// COPY source destination [DB destination-db] [REPLACE]
fn copy(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (mut db, mut replace) = (cx.db, false);
    let mut index = 3;
    while index < args.len() {
        if args.is(index, "REPLACE") {
            replace = true;
        } else if args.is(index, "DB") && index + 1 < args.len() {
            db = db_index(cx, args, index + 1)?;
            index += 1;
        } else {
            return Err(Error::SYNTAX);
        }
        index += 1;
    }
    let (from, to) = (args.key(1), args.key(2));
    if db == cx.db && from.bytes == to.bytes {
        return Err(Error::SAME_OBJECT);
    }
    let copied = cx.find(from).is_some() && (replace || cx.find_in(db, to).is_none());
    if copied {
        copy_to(cx, from, db, to);
    }
    out.int(i64::from(copied));
    Ok(())
}

/// Copies the entry of `from`, which is there, over whatever is at `to` in `db`.
fn copy_to(cx: &mut Cx<'_>, from: Key<'_>, db: u16, to: Key<'_>) {
    let age = cx.shard.clock_age();
    let kinds = [cx.kind_in(db, to), cx.kind_in(cx.db, from)];
    if let Some(old) = cx.find_in(db, to) {
        cx.shard.dbs[db as usize].remove(old);
    }
    let pos = cx.find_for_write(from).expect("looked up by the caller");
    let (value, expire) = (cx.db().value(pos).duplicate(), cx.db().expire(pos));
    cx.shard.dbs[db as usize].install(to, Entry { value, expire, age });
    cx.event_in(db, GENERIC, "copy_to", to.bytes);
    cx.notice_overwritten(db, to.bytes, kinds);
}

/// MOVE key db
fn move_key(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let db = db_index(cx, args, 2)?;
    if db == cx.db {
        return Err(Error::SAME_OBJECT);
    }
    let key = args.key(1);
    let moved = match cx.find_for_write(key) {
        Some(pos) if cx.find_in(db, key).is_none() => {
            cx.shard.take_vectors_back(cx.db, pos);
            let moving = cx.db().depart(pos);
            cx.shard.dbs[db as usize].arrive(key, moving);
            cx.event(GENERIC, "move_from", key.bytes);
            cx.notice_in(db, GENERIC, "move_to", key.bytes);
            true
        }
        _ => false,
    };
    out.int(i64::from(moved));
    Ok(())
}
