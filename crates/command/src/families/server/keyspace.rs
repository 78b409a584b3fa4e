//! Commands over whole databases.

use super::server;
use crate::saving::Purpose;
use crate::spec::{acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome, ShardCx, indexes, parts};
use keyspace::Free;
use resp::Reply;

const FLUSH_SYNTAX: &str = "flush-type(async=ASYNC^4.0.0|sync=SYNC^6.2.0)?";
const FLUSH_HISTORY: &[(&str, &str)] = &[
    ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
    ("6.2.0", "Added the `SYNC` flushing mode modifier."),
];

pub const COMMANDS: &[Command] = &[
    server(Command::on_all("DBSIZE", dbsize, sum))
        .arity(1)
        .flags(READONLY | FAST)
        .acl(acl::KEYSPACE)
        .complexity("O(1)")
        .tips(&["request_policy:all_shards", "response_policy:agg_sum"])
        .summary("Counts the keys of the database."),
    server(Command::on_all("FLUSHALL", flushall, all_flushed))
        .arity(-1)
        .flags(WRITE)
        .acl(acl::KEYSPACE | acl::DANGEROUS)
        .complexity("O(N) where N is the total number of keys in all databases")
        .history(FLUSH_HISTORY)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .summary("Removes all keys of all databases.")
        .syntax(FLUSH_SYNTAX),
    server(Command::on_all("FLUSHDB", flushdb, flushed))
        .arity(-1)
        .flags(WRITE)
        .acl(acl::KEYSPACE | acl::DANGEROUS)
        .complexity("O(N) where N is the number of keys in the selected database")
        .history(FLUSH_HISTORY)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .summary("Removes all keys of the database.")
        .syntax(FLUSH_SYNTAX),
    server(Command::on_all("SWAPDB", swapdb, flushed).prepare(prepare_swapdb))
        .arity(3)
        .flags(WRITE | FAST)
        .acl(acl::KEYSPACE | acl::DANGEROUS)
        .since("4.0.0")
        .complexity("O(N) where N is the count of clients watching or blocking on keys from both databases.")
        .summary("Exchanges two databases.")
        .syntax("index1:integer index2:integer"),
];

/// DBSIZE
fn dbsize(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let len = cx.db().len();
    out.count(len);
    Ok(())
}

/// The parts' numbers added up.
fn sum(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    out.int(parts::sum(parts));
    Ok(())
}

/// Every part has done it.
pub fn ok(_: &mut ShardCx, _: Args<'_>, _: &[&[u8]], out: &mut Reply) -> Outcome {
    out.ok();
    Ok(())
}

/// The same for commands after which no key is what it was: whoever caches keys is told.
fn flushed(cx: &mut ShardCx, _: Args<'_>, _: &[&[u8]], out: &mut Reply) -> Outcome {
    cx.tell_flushed();
    out.ok();
    Ok(())
}

/// Where there are save points, what was saved before would come back after a crash: the empty data is saved at once.
fn all_flushed(cx: &mut ShardCx, args: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    if let Some(saver) = cx.saver.as_ref().filter(|_| !cx.config.save.is_empty() && !cx.is_loading) {
        saver.schedule(Purpose::Snapshot);
    }
    flushed(cx, args, parts, out)
}

/// ASYNC | SYNC. Both remove all keys at once; the question is when their memory comes back.
fn flush_mode(cx: &Cx<'_>, args: Args<'_>) -> Result<Free, Error> {
    match args.len() {
        1 => Ok(Free::later_if(cx.shard.config.lazyfree_lazy_user_flush)),
        2 if args.is(1, "ASYNC") => Ok(Free::Later),
        2 if args.is(1, "SYNC") => Ok(Free::Now),
        _ => Err(Error::SYNTAX),
    }
}

/// FLUSHDB [ASYNC | SYNC]
fn flushdb(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let free = flush_mode(cx, args)?;
    let (removed, db) = (cx.db().len() as u64, cx.db);
    cx.shard.touch_watched_in(db, None);
    cx.shard.awaited.note_all(db);
    cx.shard.begin_tracked_flush();
    cx.db().clear(free);
    if db == indexes::DB {
        cx.shard.drop_indexes();
    }
    cx.shard.dirty += removed;
    out.ok();
    Ok(())
}

/// FLUSHALL [ASYNC | SYNC]
fn flushall(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let free = flush_mode(cx, args)?;
    for db in 0..cx.shard.dbs.count() {
        cx.shard.touch_watched_in(db as u16, None);
        cx.shard.awaited.note_all(db as u16);
    }
    cx.shard.begin_tracked_flush();
    // As in Redis: what is being saved is worth nothing any more. A new base is, with this command behind it.
    if !cx.shard.saver.as_ref().is_some_and(|saver| saver.is_rewriting()) {
        cx.shard.give_up_saving();
    }
    for db in cx.shard.dbs.iter_mut() {
        cx.shard.dirty += db.len() as u64;
        db.clear(free);
    }
    cx.shard.drop_indexes();
    out.ok();
    Ok(())
}

/// SWAPDB index1 index2
fn prepare_swapdb(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let index = |at: usize, which: &str| {
        let index = args.int(at).ok().and_then(|index| i32::try_from(index).ok());
        index.ok_or_else(|| Error::err(format_args!("invalid {which} DB index")))
    };
    let (first, second) = (index(1, "first")?, index(2, "second")?);
    let is_known = |index: i32| cx.shard.dbs.number(index.into()).is_some();
    if !is_known(first) || !is_known(second) {
        return Err(Error::DB_INDEX_OUT_OF_RANGE);
    }
    Ok(args.from(0).map(<[u8]>::to_vec).collect())
}

fn swapdb(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (first, second) = (args.int(1)? as u16, args.int(2)? as u16);
    cx.shard.begin_tracked_flush();
    if first != second {
        cx.shard.touch_watched_in(first, Some(second));
        cx.shard.touch_watched_in(second, Some(first));
        cx.shard.dbs.swap(first, second);
        if [first, second].contains(&indexes::DB) {
            cx.shard.index_anew();
        }
        [first, second].into_iter().for_each(|db| cx.shard.awaited.note_all(db));
    }
    // One change, however many shards make it.
    cx.shard.dirty += u64::from(cx.shard.id == 0);
    out.ok();
    Ok(())
}
