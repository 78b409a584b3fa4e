//! What FT.PROFILE answers around the reply of the command that it profiles.

use super::meter::{Processor, Profiling, ShardProfile};
use crate::families::search::query::reply::write_warnings;
use crate::families::search::query::warnings::Warnings;
use resp::Reply;
use search::evaluate::{Children, IteratorProfile, Mode};

/// That there was nothing to warn of.
const NO_WARNING: &str = "None";

/// What is told of the shard that puts results together.
#[derive(Debug)]
pub enum Coordinator {
    /// There is one shard only, which tells everything.
    None,
    /// Of FT.SEARCH: all of it, and the reply.
    Search { total_ns: u64, post_ns: u64 },
    /// Of FT.AGGREGATE.
    Aggregate(ShardProfile),
}

/// What stands before the results.
pub fn begin(out: &mut Reply) {
    match out.resp3 {
        true => {
            out.map(2);
            out.status("Results");
        }
        false => out.array(2),
    }
}

/// What stands behind the results.
pub fn end(profiling: Profiling, shards: &[ShardProfile], coordinator: &Coordinator, out: &mut Reply) {
    if out.resp3 {
        out.status("Profile");
    }
    let is_limited = profiling.is_limited;
    out.map(2);
    out.status("Shards");
    out.array(shards.len());
    for shard in shards {
        write_shard(shard, shards.len() > 1, is_limited, out);
    }
    out.status("Coordinator");
    match coordinator {
        Coordinator::None => out.map(0),
        Coordinator::Search { total_ns, post_ns } => {
            out.map(2);
            time("Total Coordinator time", *total_ns, out);
            time("Post Processing time", *post_ns, out);
        }
        Coordinator::Aggregate(profile) => write_shard(profile, true, is_limited, out),
    }
}

/// What stands behind the results of FT.HYBRID, which are not apart from it: of each shard what is told of the words and of the vector, and of the shard
/// that puts them together what became of them.
pub fn end_hybrid(
    profiling: Profiling,
    shards: &[Vec<ShardProfile>],
    (home, warnings): (u16, Warnings),
    processors: &[Processor],
    out: &mut Reply,
) {
    if out.resp3 {
        out.status("Profile");
    }
    let is_named = shards.len() > 1;
    out.map(2);
    out.status("Shards");
    out.array(shards.len());
    for queries in shards {
        out.map(queries.len() + usize::from(is_named));
        if let (true, Some(first)) = (is_named, queries.first()) {
            name_shard(first.shard, out);
        }
        for (name, query) in ["SEARCH", "VSIM"].into_iter().zip(queries) {
            out.status(name);
            write_shard(query, false, profiling.is_limited, out);
        }
    }
    out.status("Coordinator");
    out.map(2 + usize::from(is_named));
    if is_named {
        name_shard(home, out);
    }
    write_warning(warnings, out);
    write_processors(processors, out);
}

fn name_shard(shard: u16, out: &mut Reply) {
    out.status("Shard ID");
    out.bulk(shard.to_string().as_bytes());
}

fn write_warning(warnings: Warnings, out: &mut Reply) {
    out.status("Warning");
    if warnings == Warnings::default() {
        out.array(1);
        return out.status(NO_WARNING);
    }
    write_warnings(warnings, out);
}

fn write_processors(processors: &[Processor], out: &mut Reply) {
    out.status("Result processors profile");
    out.array(processors.len());
    processors.iter().for_each(|processor| write_processor(processor, out));
}

fn write_shard(profile: &ShardProfile, is_named: bool, is_limited: bool, out: &mut Reply) {
    out.map(6 + usize::from(is_named) + usize::from(profile.iterators.is_some()));
    if is_named {
        name_shard(profile.shard, out);
    }
    time("Total profile time", profile.total_ns, out);
    time("Parsing time", profile.parsing_ns, out);
    time("Workers queue time", profile.queue_ns, out);
    time("Pipeline creation time", profile.creation_ns, out);
    write_warning(profile.warnings, out);
    if let Some(iterators) = &profile.iterators {
        out.status("Iterators profile");
        write_iterator(iterators, is_limited, out);
    }
    write_processors(&profile.processors, out);
}

fn write_processor(processor: &Processor, out: &mut Reply) {
    out.map(3);
    out.status("Type");
    out.bulk(processor.name.as_bytes());
    time("Time", processor.ns, out);
    count("Results processed", processor.results, out);
}

fn write_iterator(iterator: &IteratorProfile, is_limited: bool, out: &mut Reply) {
    let modes = iterator.mode.map_or(0, |mode| if matches!(mode, Mode::Asking(_)) { 4 } else { 1 });
    let children = usize::from(!matches!(iterator.children, Children::None));
    let (details, estimates) = (iterator.detail.iter().count(), iterator.estimate.iter().count());
    out.map(3 + details + estimates + modes + children);
    out.status("Type");
    out.status(iterator.kind);
    if let Some((name, detail)) = &iterator.detail {
        out.status(name);
        out.bulk(detail);
    }
    time("Time", iterator.ns, out);
    count("Number of reading operations", iterator.reads, out);
    if let Some(estimate) = iterator.estimate {
        count("Estimated number of matches", estimate, out);
    }
    if let Some(mode) = iterator.mode {
        write_mode(mode, out);
    }
    match &iterator.children {
        Children::None => {}
        Children::One(child) => {
            out.status("Child iterator");
            write_iterator(child, is_limited, out);
        }
        Children::Like(children) if is_limited => {
            out.status("Child iterators");
            out.status(&format!("The number of iterators in the union is {}", children.len()));
        }
        Children::Several(children) | Children::Like(children) => {
            out.status("Child iterators");
            out.array(children.len());
            children.iter().for_each(|child| write_iterator(child, is_limited, out));
        }
    }
}

/// How vectors were looked for. Asking the filter on the way through a graph is told as one batch, for RediSearch knows no such thing.
fn write_mode(mode: Mode, out: &mut Reply) {
    out.status("Vector search mode");
    match mode {
        Mode::Nearest => out.status("STANDARD_KNN"),
        Mode::Within => out.status("RANGE_QUERY"),
        Mode::Each => out.status("HYBRID_ADHOC_BF"),
        Mode::Asking(most) => {
            out.status("HYBRID_BATCHES");
            count("Batches number", 1, out);
            count("Largest batch size", most as u64, out);
            count("Largest batch iteration (zero based)", 0, out);
        }
    }
}

fn count(name: &str, count: u64, out: &mut Reply) {
    out.status(name);
    out.natural(count);
}

/// Milliseconds.
fn time(name: &str, ns: u64, out: &mut Reply) {
    out.status(name);
    out.double(ns as f64 / 1e6);
}
