//! LATENCY GRAPH and DOCTOR: the events as a drawing and in words.

use super::latency::{Event, events};
use crate::latency::Sample;
use crate::{Args, Error, Outcome, ShardCx};
use resp::Reply;
use std::fmt::Write;

/// Columns of the graph, as many as the latest samples shown.
const COLUMNS: usize = 80;
const ROWS: u64 = 4;

/// LATENCY GRAPH event
pub fn graph(cx: &mut ShardCx, args: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let events = events(parts);
    let Some((name, event)) = events.iter().find(|(name, _)| args[2].eq_ignore_ascii_case(name.as_bytes()))
    else {
        return Err(Error::naming("No samples available for event '", &args[2], "'"));
    };
    out.verbatim(b"txt", drawn(name, event, cx.now_ms / 1000).as_bytes());
    Ok(())
}

fn drawn(name: &str, event: &Event, now_s: u64) -> String {
    let shown = &event.samples[event.samples.len().saturating_sub(COLUMNS)..];
    let high = shown.iter().map(|s| s.millis).max().unwrap_or(0);
    let low = shown.iter().map(|s| s.millis).min().unwrap_or(0);
    let mut text = format!("{name} - high {high} ms, low {low} ms (all time high {} ms)\n", event.max_ms);
    text.push_str(&"-".repeat(COLUMNS));
    text.push('\n');
    let height = |sample: &Sample| (sample.millis - low) * (ROWS * 2 - 1) / (high - low).max(1);
    for row in (0..ROWS).rev() {
        let column = |sample: &Sample| match height(sample) {
            top if top / 2 > row => '|',
            top if top / 2 == row && top % 2 == 1 => '#',
            top if top / 2 == row => '_',
            _ => ' ',
        };
        let line: String = shown.iter().map(column).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    // Ages, written downwards.
    let ages: Vec<Vec<char>> =
        shown.iter().map(|s| age(now_s.saturating_sub(s.time_s)).chars().collect()).collect();
    for row in 0..ages.iter().map(Vec::len).max().unwrap_or(0) {
        let line: String = ages.iter().map(|age| age.get(row).copied().unwrap_or(' ')).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// LATENCY DOCTOR
pub fn doctor(cx: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let events = events(parts);
    let mut text = String::new();
    if events.is_empty() && cx.config.latency_monitor_threshold == 0 {
        text.push_str(
            "Latency monitoring is off. Turn it on with \
             \"CONFIG SET latency-monitor-threshold <milliseconds>\".\n",
        );
    } else if events.is_empty() {
        text.push_str("No latency spike has been observed.\n");
    } else {
        text.push_str("Latency spikes have been observed:\n\n");
        for (number, (name, event)) in events.iter().enumerate() {
            describe(number + 1, name, event, cx.now_ms / 1000, &mut text);
        }
        advise(cx, &events.keys().copied().collect::<Vec<_>>(), &mut text);
    }
    out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

fn describe(number: usize, name: &str, event: &Event, now_s: u64, text: &mut String) {
    let count = event.samples.len().max(1) as u64;
    let mean = event.samples.iter().map(|s| s.millis).sum::<u64>() / count;
    let deviation = event.samples.iter().map(|s| s.millis.abs_diff(mean)).sum::<u64>() / count;
    let first_s = event.samples.first().map_or(now_s, |s| s.time_s);
    let period_s = now_s.saturating_sub(first_s).max(1) as f64 / count as f64;
    let line = writeln!(
        text,
        "{number}. {name}: {count} latency spikes (average {mean}ms, mean deviation {deviation}ms, period {period_s:.2} \
         sec). Worst all time event {}ms.",
        event.max_ms
    );
    line.expect("writing to a string");
}

fn advise(cx: &ShardCx, names: &[&str], text: &mut String) {
    text.push_str("\nAdvice:\n\n");
    if names.contains(&"command") {
        if cx.config.slowlog_log_slower_than < 0 || cx.config.slowlog_max_len == 0 {
            text.push_str(
                "- The slow log is off: CONFIG SET slowlog-log-slower-than tells which commands are slow.\n",
            );
        } else {
            text.push_str("- SLOWLOG GET tells which commands are slow.\n");
        }
        text.push_str(
            "- Commands over large values take long, and so does deleting them: split such values up.\n",
        );
    }
    if names.contains(&"fast-command") {
        text.push_str(
            "- Commands that do little took long: the server did not get the processor. Look for other load, \
             overcommitted virtual machines, and more shards than cores.\n",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_has_its_peaks_on_top() {
        let samples = (0..5).map(|i| Sample { time_s: 100 + i, millis: 100 + i * 10 }).collect();
        let text = drawn("command", &Event { samples, max_ms: 400 }, 105);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "command - high 140 ms, low 100 ms (all time high 400 ms)");
        assert_eq!(lines[2], "    #");
        assert_eq!(lines[6], "54321");
        assert_eq!(lines[7], "sssss");
    }
}
