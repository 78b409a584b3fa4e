//! MEMORY: what keys and the server take.

use super::info_numbers::{self, Numbers};
use super::{ANY_TIME, HELP_SUMMARY, keyspace, row, server};
use crate::parts::Part;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome, ShardCx, help as help_form};
use resp::Reply;

/// MEMORY USAGE looks at one key.
const USAGE_KEYS: &[KeySpec] = &[KeySpec::at(2, RO)];

pub const COMMANDS: &[Command] = &[server(Command::container("MEMORY", MEMORY))
    .since("4.0.0")
    .complexity("Depends on subcommand.")
    .summary("Looks into the use of memory.")];

const MEMORY: &[Command] = &[
    row(Command::new("DOCTOR", doctor), 2, 0, "4.0.0")
        .complexity("O(1)")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .summary("Tells of problems with memory."),
    row(Command::new("HELP", help), 2, ANY_TIME, "4.0.0").complexity("O(1)").summary(HELP_SUMMARY),
    row(Command::new("MALLOC-STATS", malloc_stats), 2, 0, "4.0.0")
        .complexity("Depends on how much memory is allocated, could be slow")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .summary("Returns what the allocator tells."),
    row(Command::on_all("PURGE", purge, keyspace::ok), 2, 0, "4.0.0")
        .complexity("Depends on how much memory is allocated, could be slow")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .summary("Has the allocator give memory back."),
    row(Command::on_all("STATS", stats_part, stats), 2, SESSIONS, "4.0.0")
        .complexity("O(1)")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .summary("Tells what memory is used for."),
    row(Command::new("USAGE", usage), -3, READONLY, "4.0.0")
        .keys(USAGE_KEYS)
        .complexity("O(N) where N is the number of samples.")
        .summary("Tells how many bytes a key takes.")
        .syntax("key:key SAMPLES@count:integer?"),
];

/// MEMORY USAGE key [SAMPLES count]. Values know their size, so nothing is sampled.
fn usage(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    for at in (3..args.len()).step_by(2) {
        if !args.is(at, "SAMPLES") || at + 1 >= args.len() || args.int(at + 1)? < 0 {
            return Err(Error::SYNTAX);
        }
    }
    match cx.find_for_write(args.key(2)) {
        Some(pos) => out.count(cx.db().entry_bytes(pos)),
        None => out.null(),
    }
    Ok(())
}

/// MEMORY STATS
fn stats_part(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    info_numbers::of(cx.shard).write(out);
    info_numbers::write_databases(cx, out);
    // Tables of the databases that have keys.
    let used: Vec<_> = cx.shard.dbs.numbered().filter(|(_, db)| !db.is_empty()).collect();
    out.array(2 * used.len());
    for (index, db) in used {
        out.count(index.into());
        out.count(db.table_bytes());
    }
    Ok(())
}

fn stats(cx: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let mut numbers = Numbers::default();
    let mut keys = Vec::new();
    let mut tables = std::collections::BTreeMap::<i64, i64>::new();
    for part in parts {
        let mut part = Part::new(part);
        numbers.read_more(&mut part);
        info_numbers::read_databases(&mut part, &mut keys);
        for _ in 0..part.array() / 2 {
            let db = part.int();
            *tables.entry(db).or_default() += part.int();
        }
    }
    write_stats(&numbers, &tables, (cx.platform.usage)().rss_bytes, out);
    Ok(())
}

fn write_stats(numbers: &Numbers, tables: &std::collections::BTreeMap<i64, i64>, rss: u64, out: &mut Reply) {
    let used = numbers.data_bytes + numbers.beside_bytes();
    let peak = (numbers.peak_bytes + numbers.beside_bytes()).max(used);
    let dataset = numbers.data_bytes - numbers.table_bytes;
    let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
    let ratio = rss as f64 / used.max(1) as f64;
    let int = |out: &mut Reply, name: &str, value: i64| {
        out.bulk(name.as_bytes());
        out.int(value);
    };
    let double = |out: &mut Reply, name: &str, value: f64| {
        out.bulk(name.as_bytes());
        out.double_text(format!("{value}").as_bytes());
    };
    out.map(33 + tables.len());
    int(out, "peak.allocated", peak as i64);
    int(out, "total.allocated", used as i64);
    for name in ["startup.allocated", "replication.backlog", "replica.fullsync.buffer", "clients.slaves"] {
        int(out, name, 0);
    }
    int(out, "clients.normal", numbers.client_bytes as i64);
    for name in ["cluster.links", "aof.buffer"] {
        int(out, name, 0);
    }
    int(out, "lua.caches", numbers.eval_cache_bytes as i64);
    int(out, "functions.caches", numbers.function_cache_bytes as i64);
    int(out, "script.VMs", (numbers.eval_bytes + numbers.function_bytes) as i64);
    for (db, bytes) in tables {
        out.bulk(format!("db.{db}").as_bytes());
        out.map(2);
        int(out, "overhead.hashtable.main", *bytes);
        int(out, "overhead.hashtable.expires", 0);
    }
    int(out, "overhead.db.hashtable.lut", numbers.table_bytes as i64);
    int(out, "overhead.db.hashtable.rehashing", 0);
    int(out, "overhead.total", (numbers.table_bytes + numbers.beside_bytes()) as i64);
    int(out, "db.dict.rehashing.count", 0);
    int(out, "keys.count", numbers.keys as i64);
    int(out, "keys.bytes-per-key", numbers.data_bytes.checked_div(numbers.keys).unwrap_or(0) as i64);
    int(out, "dataset.bytes", dataset as i64);
    double(out, "dataset.percentage", percent(dataset, used));
    double(out, "peak.percentage", percent(used, peak));
    int(out, "allocator.allocated", used as i64);
    int(out, "allocator.active", rss as i64);
    int(out, "allocator.resident", rss as i64);
    int(out, "allocator.muzzy", 0);
    double(out, "allocator-fragmentation.ratio", ratio);
    int(out, "allocator-fragmentation.bytes", rss as i64 - used as i64);
    for name in ["allocator-rss", "rss-overhead"] {
        // What the allocator holds is not told apart from what the process has.
        double(out, &format!("{name}.ratio"), 1.0);
        int(out, &format!("{name}.bytes"), 0);
    }
    double(out, "fragmentation", ratio);
    int(out, "fragmentation.bytes", rss as i64 - used as i64);
}

/// MEMORY DOCTOR
fn doctor(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let rss = (cx.shard.platform.usage)().rss_bytes;
    let total = cx.shard.about.memory_total_bytes;
    let text = if total > 0 && rss > total / 10 * 9 {
        "The process takes nearly all memory of the machine: set maxmemory, or store less.\n"
    } else if cx.shard.config.maxmemory > total && total > 0 {
        "maxmemory is more than the machine has: it will not protect it.\n"
    } else {
        "No problems with memory were found.\n"
    };
    out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

/// MEMORY PURGE, on each shard for the memory of its thread.
fn purge(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    (cx.shard.platform.purge)();
    out.ok();
    Ok(())
}

/// MEMORY MALLOC-STATS
fn malloc_stats(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.bulk(b"Stats not supported for the current allocator");
    Ok(())
}

/// MEMORY HELP
fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let lines = [
        ("DOCTOR", "Tell of problems with memory."),
        ("MALLOC-STATS", "Return what the allocator tells."),
        ("PURGE", "Have the allocator give memory back."),
        ("STATS", "Tell what memory is used for."),
        (
            "USAGE <key> [SAMPLES <count>]",
            "Return the bytes that a key and its value take; nothing is sampled.",
        ),
    ];
    help_form::reply(out, "MEMORY", &lines);
    Ok(())
}
