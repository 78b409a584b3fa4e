//! LATENCY: events of all shards, brought together by name; and how long commands take.

use super::info_lists::{self, Times};
use super::{ADMINISTRATION, ANY_TIME, HELP_SUMMARY, latency_reports, row, server};
use crate::latency::{SAMPLES_MAX, Sample};
use crate::parts::Part;
use crate::{Args, Command, Cx, Outcome, ShardCx, help as help_form, registry};
use resp::Reply;
use std::collections::{BTreeMap, BTreeSet};

const REPORT_TIPS: &[&str] =
    &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

pub const COMMANDS: &[Command] = &[server(Command::container("LATENCY", LATENCY))
    .since("2.8.13")
    .complexity("Depends on subcommand.")
    .summary("Looks into what took long.")];

const LATENCY: &[Command] = &[
    row(Command::on_all("DOCTOR", part, latency_reports::doctor), 2, ADMINISTRATION, "2.8.13")
        .complexity("O(1)")
        .tips(REPORT_TIPS)
        .summary("Reports on latency in words."),
    row(Command::on_all("GRAPH", part, latency_reports::graph), 3, ADMINISTRATION, "2.8.13")
        .complexity("O(1)")
        .tips(REPORT_TIPS)
        .summary("Draws the latency of an event.")
        .syntax("event:string"),
    row(Command::new("HELP", help), 2, ANY_TIME, "2.8.13").complexity("O(1)").summary(HELP_SUMMARY),
    row(Command::on_all("HISTOGRAM", times_part, histogram), -2, ADMINISTRATION, "7.0.0")
        .complexity("O(N) where N is the number of commands with latency information being retrieved.")
        .tips(REPORT_TIPS)
        .summary("Tells how many calls of commands took how long.")
        .syntax("command:string?*"),
    row(Command::on_all("HISTORY", part, history), 3, ADMINISTRATION, "2.8.13")
        .complexity("O(1)")
        .tips(REPORT_TIPS)
        .summary("Returns the samples of an event.")
        .syntax("event:string"),
    row(Command::on_all("LATEST", part, latest), 2, ADMINISTRATION, "2.8.13")
        .complexity("O(1)")
        .tips(REPORT_TIPS)
        .summary("Returns the latest sample of every event."),
    row(Command::on_all("RESET", reset_part, reset), -2, ADMINISTRATION, "2.8.13")
        .complexity("O(1)")
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum"])
        .summary("Forgets events.")
        .syntax("event:string?*"),
];

/// One event over all shards.
#[derive(Default)]
pub struct Event {
    /// Oldest first, one for a second.
    pub samples: Vec<Sample>,
    pub max_ms: u64,
}

/// This shard's events.
fn part(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.array(cx.shard.latency.iter().count());
    for (name, series) in cx.shard.latency.iter() {
        out.bulk(name.as_bytes());
        out.int(series.max_ms as i64);
        out.array(2 * series.samples.len());
        for sample in &series.samples {
            out.int(sample.time_s as i64);
            out.int(sample.millis as i64);
        }
    }
    Ok(())
}

/// The events that the parts told of.
pub fn events<'a>(parts: &[&'a [u8]]) -> BTreeMap<&'a str, Event> {
    let mut events: BTreeMap<&str, Event> = BTreeMap::new();
    for part in parts {
        let mut part = Part::new(part);
        for _ in 0..part.array() {
            let event = events.entry(part.text()).or_default();
            event.max_ms = event.max_ms.max(part.int() as u64);
            for _ in 0..part.array() / 2 {
                event.samples.push(Sample { time_s: part.int() as u64, millis: part.int() as u64 });
            }
        }
    }
    for event in events.values_mut() {
        event.samples.sort_by_key(|sample| (sample.time_s, std::cmp::Reverse(sample.millis)));
        event.samples.dedup_by_key(|sample| sample.time_s);
        let surplus = event.samples.len().saturating_sub(SAMPLES_MAX);
        event.samples.drain(..surplus);
    }
    events
}

/// LATENCY LATEST
fn latest(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let events = events(parts);
    out.array(events.len());
    for (name, event) in events {
        let last = event.samples.last().copied().unwrap_or(Sample { time_s: 0, millis: 0 });
        out.array(4);
        out.bulk(name.as_bytes());
        out.int(last.time_s as i64);
        out.int(last.millis as i64);
        out.int(event.max_ms as i64);
    }
    Ok(())
}

/// LATENCY HISTORY event
fn history(_: &mut ShardCx, args: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let events = events(parts);
    let name = events.keys().find(|name| args[2].eq_ignore_ascii_case(name.as_bytes()));
    let samples = name.map_or(&[][..], |name| &events[name].samples);
    out.array(samples.len());
    for sample in samples {
        out.array(2);
        out.int(sample.time_s as i64);
        out.int(sample.millis as i64);
    }
    Ok(())
}

/// LATENCY RESET [event …]
fn reset_part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let is_meant =
        |name: &str| args.len() == 2 || args.from(2).any(|arg| arg.eq_ignore_ascii_case(name.as_bytes()));
    let names: Vec<_> = cx.shard.latency.iter().map(|(name, _)| name).filter(|name| is_meant(name)).collect();
    out.array(names.len());
    for name in names {
        cx.shard.latency.reset(name.as_bytes());
        out.bulk(name.as_bytes());
    }
    Ok(())
}

fn reset(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let mut names = BTreeSet::new();
    for part in parts {
        let mut part = Part::new(part);
        names.extend((0..part.array()).map(|_| part.bulk()));
    }
    out.count(names.len());
    Ok(())
}

/// LATENCY HISTOGRAM [command …]
fn times_part(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    info_lists::write_times(cx, out);
    Ok(())
}

fn histogram(_: &mut ShardCx, args: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let mut times = Times::new();
    parts.iter().for_each(|part| info_lists::read_times(&mut Part::new(part), &mut times));
    if args.len() > 2 {
        let wanted: Vec<&str> = args.from(2).flat_map(names_meant).collect();
        times.retain(|name, _| wanted.contains(name));
    }
    out.map(times.len());
    for (name, histogram) in times {
        out.bulk(name.as_bytes());
        out.map(2);
        out.bulk(b"calls");
        out.int(histogram.total() as i64);
        out.bulk(b"histogram_usec");
        let points = histogram.cumulative();
        out.map(points.len());
        for (us, calls) in points {
            out.int(us as i64);
            out.int(calls as i64);
        }
    }
    Ok(())
}

/// A command's full name; a container means all its subcommands.
fn names_meant(name: &[u8]) -> Vec<&'static str> {
    let Some(row) = registry::lookup_full(name) else { return Vec::new() };
    std::iter::once(row).chain(row.subcommands).map(|row| row.full_name).collect()
}

/// LATENCY HELP
fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let lines = [
        ("DOCTOR", "Report on latency in words."),
        ("GRAPH <event>", "Draw the samples of an event."),
        ("HISTORY <event>", "Return the samples of an event."),
        ("LATEST", "Return the latest sample of every event."),
        ("RESET [<event> ...]", "Forget these events, or all."),
        ("HISTOGRAM [COMMAND ...]", "Return how many calls of these commands, or of all, took how long."),
    ];
    help_form::reply(out, "LATENCY", &lines);
    Ok(())
}
