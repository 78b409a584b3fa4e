//! FT.CURSOR: the rows of FT.AGGREGATE that are left.

use super::aggregate::cursors;
use super::aggregate::reply::{self, Shape};
use super::query::warnings::Warnings;
use super::query::words::{Words, bad_arguments, shown};
use crate::parts::sum;
use crate::spec::{acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome, Plan, ShardCx};
use base::number::parse_u64;
use resp::Reply;

pub const COMMANDS: &[Command] = &[Command::container("FT.CURSOR", SUBCOMMANDS)
    .flags(UPPER_CASE)
    .acl(acl::SEARCH)
    .group("search")
    .since("1.1.0")
    .summary("A container for commands about cursors.")
    .complexity("Depends on subcommand.")];

const SUBCOMMANDS: &[Command] = &[
    Command::new("READ", read)
        .plan(Plan::Cursor(3))
        .arity(-4)
        .flags(READONLY | UPPER_CASE)
        .acl(acl::SEARCH)
        .group("search")
        .since("1.1.0")
        .complexity("O(1)")
        .summary("Reads from a cursor.")
        .syntax("index:string cursor_id:integer COUNT@read_size:integer?"),
    Command::new("DEL", del)
        .plan(Plan::Cursor(3))
        .arity(4)
        .flags(READONLY | UPPER_CASE)
        .acl(acl::SEARCH)
        .group("search")
        .since("1.1.0")
        .complexity("O(1)")
        .summary("Deletes a cursor.")
        .syntax("index:string cursor_id:integer"),
    Command::on_all("GC", sweep, swept)
        .arity(-3)
        .flags(READONLY | UPPER_CASE)
        .acl(acl::SEARCH)
        .group("search")
        .since("1.1.0")
        .complexity("O(N) with N the number of cursors")
        .summary("Deletes the cursors whose time is over.")
        .syntax("index:string cursor_id:integer?"),
];

/// The cursor's number, of the index with this one.
fn cursor_of(cx: &Cx<'_>, number: u64, args: Args<'_>) -> Result<u64, Error> {
    let id = cursors::number(args.at(3))?;
    if cursors::is_of(cx.shard, id, number) { Ok(id) } else { Err(cursors::not_found(id)) }
}

/// FT.CURSOR READ index cursor_id [COUNT read_size]
fn read(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let number = cx.shard.index_for_read(args.at(2))?.definition.number;
    let id = cursor_of(cx, number, args)?;
    let mut words = Words::new(args, 4);
    let mut count = None;
    if words.take("COUNT") {
        let written = words.argument("COUNT")?;
        let given = parse_u64(written).filter(|count| *count > 0);
        let given =
            given.ok_or_else(|| bad_arguments(format_args!("Bad value for COUNT: `{}`", shown(written))))?;
        count = Some(usize::try_from(given).unwrap_or(usize::MAX));
    }
    if let Some(unknown) = words.next() {
        return Err(Error::text(format!("SEARCH_ARG_UNRECOGNIZED Unknown argument `{}`", shown(unknown))));
    }
    let read = cursors::read(cx.shard, id, count)?;
    let shape = Shape { resp3: cx.resp3, expands: read.expands, warnings: Warnings::default() };
    let total = if read.is_counted { 0 } else { reply::uncounted(shape, read.rows.len()) };
    out.array(2);
    reply::write(shape, total, &read.rows, out);
    out.natural(read.next);
    Ok(())
}

/// FT.CURSOR DEL index cursor_id
fn del(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let number = cx.shard.index(args.at(2))?.definition.number;
    let id = cursor_of(cx, number, args)?;
    if !cursors::close(cx.shard, id) {
        return Err(Error::text("SEARCH_CURSOR_NOT_FOUND Cursor does not exist"));
    }
    out.ok();
    Ok(())
}

/// FT.CURSOR GC index [cursor_id]
fn sweep(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    cx.shard.index(args.at(2))?;
    let now_us = cx.shard.now_us;
    out.count(cx.shard.cursors.sweep(now_us));
    Ok(())
}

fn swept(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    out.int(sum(parts));
    Ok(())
}
