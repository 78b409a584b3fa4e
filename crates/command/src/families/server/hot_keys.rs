//! HOTKEYS: the keys that cost most, of all shards.

use super::{ANY_TIME, HELP_SUMMARY, row, server};
use crate::hot_keys::{Heaviest, Wanted};
use crate::parts::{self, Part};
use crate::platform::Usage;
use crate::spec::flag::*;
use crate::{Args, Command, Cx, Error, Outcome, ShardCx, help as help_form};
use resp::Reply;
use std::collections::HashMap;

pub const COMMANDS: &[Command] = &[server(Command::container("HOTKEYS", HOTKEYS))
    .since("8.6.0")
    .complexity("Depends on subcommand.")
    .summary("Finds the keys that cost most.")];

const HOTKEYS: &[Command] = &[
    row(Command::on_all("GET", part, get), 2, ADMIN | NOSCRIPT, "8.6.0")
        .complexity("O(K) where K is the number of hotkeys returned.")
        .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"])
        .summary("Tells which keys cost most."),
    row(Command::new("HELP", help), 2, ANY_TIME, "8.6.1").complexity("O(1)").summary(HELP_SUMMARY),
    row(Command::on_all("RESET", reset_part, reset), 2, ADMIN | NOSCRIPT, "8.6.0")
        .prepare(prepare_reset)
        .complexity("O(1)")
        .tips(&["request_policy:special"])
        .summary("Forgets what was found."),
    row(Command::on_all("START", start_part, start), -2, ADMIN | NOSCRIPT, "8.6.0")
        .prepare(prepare_start)
        .complexity("O(1)")
        .tips(&["request_policy:special"])
        .summary("Begins to look for the keys that cost most.")
        .syntax("METRICS@metrics{count:integer cpu=CPU? net=NET?} COUNT@k:integer? DURATION@seconds:integer? SAMPLE@ratio:integer? SLOTS@slots{count:integer slot:integer*}?"),
    row(Command::on_all("STOP", stop_part, stop), 2, ADMIN | NOSCRIPT, "8.6.0")
        .complexity("O(1)")
        .tips(&["request_policy:special"])
        .summary("Ends the search, and keeps what was found."),
];

/// Measures there are.
const METRICS_MAX: i64 = 2;
/// Keys that are told of unless the client wants another number.
const COUNT: usize = 10;
const COUNT_MAX: i64 = 64;
const DURATION_MAX_S: i64 = 1_000_000;
/// A server that is not part of a cluster has them all.
const SLOT_MAX: i64 = 16_383;

const UNDER_WAY: &str = "hotkey tracking session already in progress";
const STOP_FIRST: &str = "hotkey tracking session in progress, stop tracking first";

/// METRICS count [CPU] [NET] [COUNT k] [DURATION seconds] [SAMPLE ratio]
fn parse(args: Args<'_>) -> Result<Wanted, Error> {
    let number = |at: usize, most: i64, text: &str| {
        let number = args.int(at).ok().filter(|number| (1..=most).contains(number));
        number.ok_or_else(|| Error::err(text))
    };
    let is = |at: usize, word: &str| args[at].eq_ignore_ascii_case(word.as_bytes());
    if args.len() < 4 || !is(2, "METRICS") {
        return Err(Error::err("METRICS parameter is required"));
    }
    let metrics = number(3, METRICS_MAX, "METRICS count must be > 0 and <= 2")? as usize;
    let mut wanted = Wanted { cpu: false, net: false, count: COUNT, duration_ms: None, sample_ratio: 1 };
    let mut at = 4 + metrics;
    for at in 4..at.min(args.len()) {
        let (metric, name) = match () {
            () if is(at, "CPU") => (&mut wanted.cpu, "CPU"),
            () if is(at, "NET") => (&mut wanted.net, "NET"),
            // One that later servers know.
            () => continue,
        };
        if std::mem::replace(metric, true) {
            return Err(Error::err(format!("METRICS {name} defined more than once!")));
        }
    }
    if at > args.len() {
        return Err(Error::err("METRICS count does not match number of metric types provided"));
    }
    if !wanted.cpu && !wanted.net {
        return Err(Error::err("METRICS no valid metrics passed. Supported: CPU|NET"));
    }
    while at < args.len() {
        match () {
            () if at + 1 == args.len() => return Err(Error::SYNTAX),
            () if is(at, "COUNT") => {
                wanted.count = number(at + 1, COUNT_MAX, "COUNT must be between 1 and 64")? as usize;
            }
            () if is(at, "DURATION") => {
                let seconds = number(at + 1, DURATION_MAX_S, "DURATION must be between 1 and 1000000")?;
                wanted.duration_ms = Some(1000 * seconds as u64);
            }
            () if is(at, "SAMPLE") => {
                wanted.sample_ratio =
                    number(at + 1, i32::MAX.into(), "SAMPLE ratio must be positive")? as u64;
            }
            () if is(at, "SLOTS") => {
                return Err(Error::err("SLOTS parameter cannot be used in non-cluster mode"));
            }
            () => return Err(Error::SYNTAX),
        }
        at += 2;
    }
    Ok(wanted)
}

/// HOTKEYS START
fn prepare_start(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    if cx.shard.hot_keys.active(cx.shard.now_ms).is_some() {
        return Err(Error::err(UNDER_WAY));
    }
    parse(args)?;
    Ok(args.from(0).map(<[u8]>::to_vec).collect())
}

/// Whether it has begun, or another client was faster; the same on all shards.
fn start_part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let wanted = parse(args)?;
    let now_ms = cx.shard.now_ms;
    let shard = &mut *cx.shard;
    let begins = shard.hot_keys.active(now_ms).is_none();
    if begins {
        shard.hot_keys.start(wanted, now_ms, (shard.platform.usage)());
        shard.set_timing();
    }
    out.int(begins.into());
    Ok(())
}

fn start(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    if parts::sum(parts) == 0 {
        return Err(Error::err(UNDER_WAY));
    }
    out.ok();
    Ok(())
}

/// HOTKEYS STOP
fn stop_part(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let is_stopped = cx.shard.hot_keys.stop(cx.shard.now_ms);
    cx.shard.set_timing();
    out.int(is_stopped.into());
    Ok(())
}

fn stop(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    if parts::sum(parts) == 0 {
        out.null()
    } else {
        out.ok()
    }
    Ok(())
}

/// HOTKEYS RESET
fn prepare_reset(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    if cx.shard.hot_keys.active(cx.shard.now_ms).is_some() {
        return Err(Error::err(STOP_FIRST));
    }
    Ok(args.from(0).map(<[u8]>::to_vec).collect())
}

fn reset_part(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let is_over = cx.shard.hot_keys.active(cx.shard.now_ms).is_none();
    if is_over {
        cx.shard.hot_keys.reset();
    }
    out.int(is_over.into());
    Ok(())
}

fn reset(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    if parts::sum(parts) == 0 {
        return Err(Error::err(STOP_FIRST));
    }
    out.ok();
    Ok(())
}

/// What this shard has found; nothing if nobody has asked.
fn part(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let now_ms = cx.shard.now_ms;
    let Some(session) = cx.shard.hot_keys.session() else {
        out.array(0);
        return Ok(());
    };
    out.array(7);
    out.int(session.is_active(now_ms).into());
    out.int(session.nanos as i64);
    out.int(session.bytes as i64);
    out.int(session.sampled_bytes as i64);
    out.int(session.duration_ms(now_ms) as i64);
    for heaviest in [&session.by_nanos, &session.by_bytes] {
        write_keys(heaviest, out);
    }
    Ok(())
}

fn write_keys(heaviest: &Heaviest, out: &mut Reply) {
    out.array(2 * heaviest.certain().len());
    for (key, weight) in heaviest.certain() {
        out.bulk(key);
        out.int(weight as i64);
    }
}

/// Sums over the shards.
#[derive(Default)]
struct Found<'a> {
    is_active: bool,
    nanos: i64,
    bytes: i64,
    sampled_bytes: i64,
    duration_ms: i64,
    by_nanos: HashMap<&'a [u8], i64>,
    by_bytes: HashMap<&'a [u8], i64>,
}

impl<'a> Found<'a> {
    fn of(parts: &[&'a [u8]]) -> Self {
        let mut found = Self::default();
        for part in parts {
            let mut part = Part::new(part);
            if part.array() == 0 {
                continue;
            }
            found.is_active |= part.int() != 0;
            found.nanos += part.int();
            found.bytes += part.int();
            found.sampled_bytes += part.int();
            found.duration_ms = found.duration_ms.max(part.int());
            for sums in [&mut found.by_nanos, &mut found.by_bytes] {
                for _ in 0..part.array() / 2 {
                    let key = part.bulk();
                    *sums.entry(key).or_default() += part.int();
                }
            }
        }
        found
    }
}

/// HOTKEYS GET
fn get(cx: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let Some(session) = cx.hot_keys.session() else {
        out.null();
        return Ok(());
    };
    let (wanted, before) = (session.wanted, &session.usage);
    let found = Found::of(parts);
    let usage: Usage = (cx.platform.usage)();
    out.array(1);
    out.map(7 + if wanted.cpu { 3 } else { 0 } + if wanted.net { 2 } else { 0 });
    let field = |out: &mut Reply, name: &str, value: i64| {
        out.bulk(name.as_bytes());
        out.int(value);
    };
    field(out, "tracking-active", found.is_active.into());
    field(out, "sample-ratio", wanted.sample_ratio as i64);
    out.bulk(b"selected-slots");
    out.array(1);
    out.array(2);
    out.int(0);
    out.int(SLOT_MAX);
    field(out, "all-commands-all-slots-us", found.nanos / 1000);
    field(out, "net-bytes-all-commands-all-slots", found.bytes);
    field(out, "collection-start-time-unix-ms", session.began_ms as i64);
    field(out, "collection-duration-ms", found.duration_ms);
    if wanted.cpu {
        let millis = |now_us: u64, then_us: u64| (now_us.saturating_sub(then_us) / 1000) as i64;
        field(out, "total-cpu-time-user-ms", millis(usage.user_us, before.user_us));
        field(out, "total-cpu-time-sys-ms", millis(usage.system_us, before.system_us));
    }
    if wanted.net {
        field(out, "total-net-bytes", found.sampled_bytes);
    }
    if wanted.cpu {
        show_keys(out, "by-cpu-time-us", wanted.count, found.by_nanos, 1000);
    }
    if wanted.net {
        show_keys(out, "by-net-bytes", wanted.count, found.by_bytes, 1);
    }
    Ok(())
}

/// The heaviest keys first, in units of `unit`; none of which there is not one.
fn show_keys(out: &mut Reply, name: &str, count: usize, sums: HashMap<&[u8], i64>, unit: i64) {
    let mut keys: Vec<(i64, &[u8])> = sums.into_iter().map(|(key, weight)| (weight, key)).collect();
    keys.sort_by(|(a, a_key), (b, b_key)| b.cmp(a).then(a_key.cmp(b_key)));
    keys.truncate(count);
    keys.retain(|(weight, _)| weight / unit > 0);
    out.bulk(name.as_bytes());
    out.array(2 * keys.len());
    for (weight, key) in keys {
        out.bulk(key);
        out.int(weight / unit);
    }
}

/// HOTKEYS HELP
fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let lines = [
        (
            "START METRICS <count> [CPU] [NET] [COUNT <k>] [DURATION <seconds>] [SAMPLE <ratio>]",
            "Look for the k keys (10 unless told) that cost most time (CPU) or bytes (NET), in one command of <ratio>.",
        ),
        ("STOP", "Look no longer; what was found stays."),
        ("GET", "Return what was found."),
        ("RESET", "Forget what was found."),
    ];
    help_form::reply(out, "HOTKEYS", &lines);
    Ok(())
}
