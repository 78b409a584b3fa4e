//! Commands over whole databases.

use crate::{Args, Cx, Error, Outcome, ShardCx, parts};
use keyspace::Free;
use resp::Reply;

/// DBSIZE
pub fn dbsize(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let len = cx.db().len();
    out.count(len);
    Ok(())
}

/// The parts' numbers added up.
pub fn sum(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    out.int(parts::sum(parts));
    Ok(())
}

/// Every part has done it.
pub fn ok(_: &mut ShardCx, _: Args<'_>, _: &[&[u8]], out: &mut Reply) -> Outcome {
    out.ok();
    Ok(())
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
pub fn flushdb(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let free = flush_mode(cx, args)?;
    let removed = cx.db().len() as u64;
    cx.db().clear(free);
    cx.shard.dirty += removed;
    out.ok();
    Ok(())
}

/// FLUSHALL [ASYNC | SYNC]
pub fn flushall(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let free = flush_mode(cx, args)?;
    for db in cx.shard.dbs.iter_mut() {
        cx.shard.dirty += db.len() as u64;
        db.clear(free);
    }
    out.ok();
    Ok(())
}

/// SWAPDB index1 index2
pub fn prepare_swapdb(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
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

pub fn swapdb(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    cx.shard.dbs.swap(args.int(1)? as u16, args.int(2)? as u16);
    // One change, however many shards make it.
    cx.shard.dirty += u64::from(cx.shard.id == 0);
    out.ok();
    Ok(())
}
