//! SLOWLOG: the slow commands of all shards as one log, newest first.

use super::{ANY_TIME, HELP_SUMMARY, keyspace, row, server};
use crate::parts::Part;
use crate::slowlog::Entry;
use crate::spec::flag::*;
use crate::{Args, Command, Cx, Error, Outcome, ShardCx, help as help_form, parts};
use resp::Reply;

pub const COMMANDS: &[Command] = &[server(Command::container("SLOWLOG", SLOWLOG))
    .since("2.2.12")
    .complexity("Depends on subcommand.")
    .summary("Reads the log of slow commands.")];

const SLOWLOG: &[Command] = &[
    row(Command::on_all("GET", part, get), -2, ADMIN | ANY_TIME, "2.2.12")
        .prepare(prepare_get)
        .complexity("O(N) where N is the number of entries returned")
        .history(&[
            ("4.0.0", "Added client IP address, port and name to the reply."),
            ("8.10.0", "Added original command argument count to the reply."),
        ])
        .tips(&["request_policy:all_nodes", "nondeterministic_output"])
        .summary("Returns entries.")
        .syntax("count:integer?"),
    row(Command::new("HELP", help), 2, ANY_TIME, "6.2.0").complexity("O(1)").summary(HELP_SUMMARY),
    row(Command::on_all("LEN", len_part, len), 2, ADMIN | ANY_TIME, "2.2.12")
        .complexity("O(1)")
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"])
        .summary("Counts the entries."),
    row(Command::on_all("RESET", reset, keyspace::ok), 2, ADMIN | ANY_TIME, "2.2.12")
        .complexity("O(N) where N is the number of entries in the slowlog")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .summary("Removes all entries."),
];

/// Entries that GET returns unless told.
const COUNT: i64 = 10;

/// SLOWLOG GET [count]
fn prepare_get(_: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    if args.len() > 3 {
        return Err(Error::subcommand_syntax("SLOWLOG", &args[1]));
    }
    if args.len() == 3 && !args.int(2).is_ok_and(|count| count >= -1) {
        return Err(Error::err("count should be greater than or equal to -1"));
    }
    Ok(args.from(0).map(<[u8]>::to_vec).collect())
}

fn wanted(args: Args<'_>) -> usize {
    let count = if args.len() == 3 { args.int(2).unwrap_or(COUNT) } else { COUNT };
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// The entries of this shard: time in µs, and the entry as the client gets it. Numbers are unique over all shards.
fn part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (id, shards) = (u64::from(cx.shard.id), u64::from(cx.shard.shards));
    let entries: Vec<&Entry> = cx.shard.slow_log.iter().take(wanted(args)).collect();
    out.array(2 * entries.len());
    for entry in entries {
        out.int(entry.time_us as i64);
        let mut shown = Reply::new(false);
        shown.array(7);
        shown.int((entry.id * shards + id) as i64);
        shown.int((entry.time_us / 1_000_000) as i64);
        shown.int(entry.micros as i64);
        shown.array(entry.args.len());
        entry.args.iter().for_each(|arg| shown.bulk(arg));
        shown.bulk(entry.addr.as_bytes());
        shown.bulk(&entry.name);
        shown.int(entry.argc as i64);
        out.bulk(&shown.buf);
    }
    Ok(())
}

fn get(cx: &mut ShardCx, args: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let mut entries: Vec<(i64, &[u8])> = Vec::new();
    for part in parts {
        let mut part = Part::new(part);
        entries.extend((0..part.array() / 2).map(|_| (part.int(), part.bulk())));
    }
    entries.sort_by_key(|(time_us, _)| std::cmp::Reverse(*time_us));
    entries.truncate(wanted(args).min(cx.config.slowlog_max_len as usize));
    out.array(entries.len());
    entries.iter().for_each(|(_, entry)| out.raw(entry));
    Ok(())
}

/// SLOWLOG LEN
fn len_part(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.count(cx.shard.slow_log.len());
    Ok(())
}

/// Each shard keeps as many entries as the whole log may have: the log ends where the limit says.
fn len(cx: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    out.int(parts::sum(parts).min(cx.config.slowlog_max_len as i64));
    Ok(())
}

/// SLOWLOG RESET
fn reset(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    cx.shard.slow_log.clear();
    out.ok();
    Ok(())
}

/// SLOWLOG HELP
fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let lines = [
        (
            "GET [<count>]",
            "Return the newest entries (10 unless told, -1 for all): id, time, µs, arguments, client, name, argument count.",
        ),
        ("LEN", "Return the number of entries."),
        ("RESET", "Remove all entries."),
    ];
    help_form::reply(out, "SLOWLOG", &lines);
    Ok(())
}
