//! MULTI, EXEC, DISCARD, WATCH, UNWATCH: the rows, and what is left to do when the `shard` crate has seen to the connection's part.
//!
//! What travels are other rows than those that clients know: WATCH as [`WATCHED`], which names the watcher beside each key; the queued
//! commands as a block, whose rows the `shard` crate has.

use crate::spec::{KeySpec, Plan, Verb, access, acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;

const fn row(name: &'static str, handler: crate::spec::Handler, verb: Verb) -> Command {
    Command::new(name, handler)
        .arity(1)
        .plan(Plan::Transaction(verb))
        .flags(NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY)
        .acl(acl::TRANSACTION)
        .group("transactions")
}

pub const COMMANDS: &[Command] = &[
    row("MULTI", multi, Verb::Multi).since("1.2.0").complexity("O(1)").summary("Begins a transaction."),
    row("EXEC", exec, Verb::Exec)
        .flags(NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG)
        .since("1.2.0")
        .complexity("Depends on commands in the transaction")
        .summary("Runs all commands of the transaction."),
    row("DISCARD", discard, Verb::Discard)
        .since("2.0.0")
        .complexity("O(N), when N is the number of queued commands")
        .summary("Discards the transaction."),
    row("WATCH", watch, Verb::Watch)
        .arity(-2)
        .keys(&[KeySpec::range(1, -1, 1, access::RO)])
        .since("2.2.0")
        .complexity("O(1) for every key.")
        .summary("Has the next transaction run only if none of the keys changes before.")
        .syntax("key:key*"),
    row("UNWATCH", ok, Verb::Unwatch)
        .since("2.2.0")
        .complexity("O(1)")
        .summary("Forgets about all watched keys."),
];

/// WATCH as it travels: `WATCH key watcher [key watcher …]`; a share of it goes to each shard.
pub const WATCHED: Command = Command::new("WATCH", watched)
    .arity(-3)
    .keys(&[KeySpec::range(1, -1, 2, access::RO)])
    .split(crate::spec::Merge::Ok);

/// The end of it, with the same arguments.
pub const UNWATCHED: Command =
    Command::new("UNWATCH", unwatched).arity(-3).keys(&[KeySpec::range(1, -1, 2, access::RO)]);

/// What the `shard` crate puts behind EXEC when the block does not run.
pub const ABORTED: &[u8] = b"aborted";
pub const TOUCHED: &[u8] = b"touched";

/// MULTI
fn multi(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    if std::mem::replace(&mut cx.session().in_multi, true) {
        return Err(Error::err("MULTI calls can not be nested"));
    }
    out.ok();
    Ok(())
}

/// EXEC, unless it runs a block.
fn exec(_: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    match args.get(1) {
        Some(TOUCHED) => out.null_array(),
        Some(ABORTED) => {
            return Err(Error::text("EXECABORT Transaction discarded because of previous errors."));
        }
        _ => return Err(Error::err("EXEC without MULTI")),
    }
    Ok(())
}

/// DISCARD
fn discard(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    if !std::mem::take(&mut cx.session().in_multi) {
        return Err(Error::err("DISCARD without MULTI"));
    }
    out.ok();
    Ok(())
}

/// WATCH inside MULTI; outside, [`WATCHED`] runs.
fn watch(_: &mut Cx<'_>, _: Args<'_>, _: &mut Reply) -> Outcome {
    Err(Error::err("WATCH inside MULTI is not allowed"))
}

/// UNWATCH
fn ok(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.ok();
    Ok(())
}

/// The number that an argument of this crate's or the `shard` crate's making holds.
fn watcher(args: Args<'_>, index: usize) -> u64 {
    u64::from_le_bytes(args.at(index).try_into().expect("a watcher's number has eight bytes"))
}

fn watched(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    for index in (1..args.len()).step_by(2) {
        cx.shard.watch(watcher(args, index + 1), cx.db, args.key(index));
    }
    out.ok();
    Ok(())
}

fn unwatched(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    cx.shard.unwatch(watcher(args, 2));
    out.ok();
    Ok(())
}
