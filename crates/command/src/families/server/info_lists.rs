//! The lists in INFO: statistics by command, by error code, and times by command.

use crate::histogram::Histogram;
use crate::parts::Part;
use crate::{Cx, registry};
use resp::Reply;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Calls, ns, rejected and failed calls by full name; how many were written to the slow log, their µs, and those of the longest.
pub type Costs = BTreeMap<&'static str, [u64; 7]>;

pub fn write_costs(cx: &Cx<'_>, out: &mut Reply) {
    let used: Vec<_> = cx.shard.commands.used().collect();
    out.array(8 * used.len());
    for (id, row) in used {
        let slow = cx.shard.slow_log.costs.get(&(id as u16)).copied().unwrap_or_default();
        out.count(id);
        [row.calls, row.nanos, row.rejected, row.failed].iter().for_each(|n| out.int(*n as i64));
        [slow.count, slow.micros, slow.micros_max].iter().for_each(|n| out.int(*n as i64));
    }
}

pub fn read_costs(part: &mut Part<'_>, costs: &mut Costs) {
    for _ in 0..part.array() / 8 {
        // Subcommands of DEBUG share a name.
        let cost = costs.entry(registry::by_id(part.int() as usize).full_name).or_default();
        let [sums @ .., slow_micros_max] = cost;
        sums.iter_mut().for_each(|sum| *sum += part.int() as u64);
        *slow_micros_max = (*slow_micros_max).max(part.int() as u64);
    }
}

/// As INFO shows times of the slow log: ms.
pub fn millis(micros: u64) -> String {
    format!("{:.2}", micros as f64 / 1000.0)
}

pub fn show_costs(costs: &Costs, text: &mut String) {
    text.push_str("# Commandstats\r\n");
    for (name, [calls, nanos, rejected, failed, slow, slow_micros, slow_micros_max]) in costs {
        let per_call = if *calls == 0 { 0.0 } else { *nanos as f64 / 1000.0 / *calls as f64 };
        let line = write!(
            text,
            "cmdstat_{name}:calls={calls},usec={},usec_per_call={per_call:.2},rejected_calls={rejected},\
             failed_calls={failed}",
            nanos / 1000,
        );
        line.expect("writing to a string");
        if *slow > 0 {
            let (sum, max) = (millis(*slow_micros), millis(*slow_micros_max));
            let line =
                write!(text, ",slowlog_count={slow},slowlog_time_ms_sum={sum},slowlog_time_ms_max={max}");
            line.expect("writing to a string");
        }
        text.push_str("\r\n");
    }
}

/// Error replies by code.
pub type Errors = BTreeMap<String, u64>;

pub fn write_errors(cx: &Cx<'_>, out: &mut Reply) {
    out.array(2 * cx.shard.errors.iter().len());
    for (code, count) in cx.shard.errors.iter() {
        out.bulk(code.as_bytes());
        out.int(count as i64);
    }
}

pub fn read_errors(part: &mut Part<'_>, errors: &mut Errors) {
    for _ in 0..part.array() / 2 {
        let code = String::from_utf8_lossy(part.bulk()).into_owned();
        *errors.entry(code).or_default() += part.int() as u64;
    }
}

pub fn show_errors(errors: &Errors, text: &mut String) {
    text.push_str("# Errorstats\r\n");
    for (code, count) in errors {
        // A code with such characters would break the line's form.
        let code: String = code.chars().map(|c| if c == ':' || c == '=' { '_' } else { c }).collect();
        write!(text, "errorstat_{code}:count={count}\r\n").expect("writing to a string");
    }
}

/// Histograms by full name.
pub type Times = BTreeMap<&'static str, Histogram>;

pub fn write_times(cx: &Cx<'_>, out: &mut Reply) {
    let used: Vec<_> =
        cx.shard.commands.used().filter_map(|(id, row)| Some((id, row.times.as_ref()?))).collect();
    out.array(used.len());
    for (id, times) in used {
        out.count(id);
        let filled: Vec<_> = times.filled().collect();
        out.array(2 * filled.len());
        for (bucket, count) in filled {
            out.count(bucket);
            out.int(i64::from(count));
        }
    }
}

pub fn read_times(part: &mut Part<'_>, times: &mut Times) {
    for _ in 0..part.array() {
        let histogram = times.entry(registry::by_id(part.int() as usize).full_name).or_default();
        for _ in 0..part.array() / 2 {
            let (bucket, count) = (part.int() as usize, part.int() as u32);
            histogram.add_bucket(bucket, count);
        }
    }
}

pub fn show_times(times: &Times, percentiles: &[f64], text: &mut String) {
    text.push_str("# Latencystats\r\n");
    for (name, histogram) in times {
        let values: Vec<String> = percentiles
            .iter()
            .map(|p| format!("p{p}={:.3}", histogram.percentile(*p) as f64 / 1000.0))
            .collect();
        write!(text, "latency_percentiles_usec_{name}:{}\r\n", values.join(","))
            .expect("writing to a string");
    }
}
