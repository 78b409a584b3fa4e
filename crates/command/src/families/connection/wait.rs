//! WAIT and WAITAOF. There are no replicas yet, so none acknowledges anything: whoever asks for one waits until the time is over.

use crate::blocking::{Awaits, Overdue, Wait, milliseconds};
use crate::spec::{acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;

pub const COMMANDS: &[Command] = &[
    Command::new("WAIT", wait)
        .arity(3)
        .flags(BLOCKING)
        .acl(acl::CONNECTION)
        .group("generic")
        .since("3.0.0")
        .complexity("O(1)")
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .summary("Waits until replicas have acknowledged the connection's writes; returns how many have.")
        .syntax("numreplicas:integer timeout:integer"),
    Command::new("WAITAOF", waitaof)
        .arity(4)
        .flags(BLOCKING)
        .acl(acl::CONNECTION)
        .group("generic")
        .since("7.2.0")
        .complexity("O(1)")
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .summary("Waits until the connection's writes are in the append-only file here and on replicas; returns where they are.")
        .syntax("numlocal:integer numreplicas:integer timeout:integer"),
];

/// WAIT numreplicas timeout
fn wait(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let replicas = args.int(1)?;
    let timeout_us = milliseconds(cx, args, 2)?;
    until_over(cx, replicas > 0, timeout_us, Overdue::None, out)
}

/// WAITAOF numlocal numreplicas timeout
fn waitaof(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let local = args.int(1)?;
    if !(0..=1).contains(&local) {
        return Err(Error::err("value is out of range, value must between 0 and 1"));
    }
    let replicas = args.natural(2)?;
    let timeout_us = milliseconds(cx, args, 3)?;
    let (waits, overdue) = (replicas > 0, Overdue::NoneAndNone);
    if local == 0 {
        return until_over(cx, waits, timeout_us, overdue, out);
    }
    if !cx.logs() {
        return Err(Error::err("WAITAOF cannot be used when numlocal is set but appendonly is disabled."));
    }
    let awaits = if waits { Awaits::SyncAndTime } else { Awaits::Sync };
    cx.wait(Wait { awaits, timeout_us, overdue, ..Wait::default() }, out)
}

fn until_over(
    cx: &Cx<'_>,
    waits: bool,
    timeout_us: Option<u64>,
    overdue: Overdue,
    out: &mut Reply,
) -> Outcome {
    if !waits {
        overdue.write(out);
        return Ok(());
    }
    cx.wait(Wait { awaits: Awaits::Time, timeout_us, overdue, ..Wait::default() }, out)
}
