//! One burst of load from an outside generator, and what it reports. Here: redis-benchmark, or our own for
//! transactions and for messages.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::args::{Generator, Options};
use crate::cases::{Case, SHA, VALUE, VALUE_BYTES};
use crate::client::{Client, Reply};
use crate::data::value;
use crate::process::{ENDS_WITH_US, quoted, temporary_directory};
use crate::{Outcome, fan_out, memtier, transactions};

/// What the generator says about a burst.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// Requests that were answered; the generator may round up to whole pipelines.
    pub requests: u64,
    pub requests_per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    /// The server's CPU time, if the generator has asked for it: else it is that from the generator's start to its end.
    pub cpu: Option<Cpu>,
}

/// CPU time of a server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cpu {
    pub seconds: f64,
    /// The part of it in user space, 0 to 1.
    pub user_share: f64,
}

/// The words that load `port` with a case.
pub fn command_words(case: &Case, port: u16, options: &Options) -> Outcome<Vec<String>> {
    let sha = if port == 0 { SHA.into() } else { sha_of_script(case, port)? };
    let mut words: Vec<String> = ["taskset", "-c", &options.load_cpus].map(str::to_owned).into();
    match options.generator {
        _ if case.is_transaction() => words.extend(transaction_words(case, port)?),
        _ if case.is_fan_out() => words.extend(fan_out_words(case, port)?),
        Generator::RedisBenchmark => words.extend(redis_benchmark_words(case, port, options, &sha)),
        Generator::Memtier if case.tracking => return Err("only redis-benchmark turns tracking on".into()),
        Generator::Memtier => words.extend(memtier::words(case, port, options)?),
    }
    Ok(words)
}

fn redis_benchmark_words(case: &Case, port: u16, options: &Options, sha: &str) -> Vec<String> {
    let mut words = vec!["redis-benchmark".to_owned(), "-h".into(), "127.0.0.1".into()];
    let mut option = |name: &str, value: u64| words.extend([name.to_owned(), value.to_string()]);
    option("-p", port.into());
    option("-n", case.requests);
    option("-c", case.connections.into());
    option("-P", case.pipeline.into());
    option("-r", case.range);
    option("--precision", 3);
    if options.load_threads > 1 {
        option("--threads", options.load_threads.into());
    }
    if case.tracking {
        words.push("--enable-tracking".into());
    }
    words.extend(filled_in(case, sha));
    words
}

/// This program as the generator.
fn transaction_words(case: &Case, port: u16) -> Outcome<Vec<String>> {
    let program = std::env::current_exe()?.to_string_lossy().into_owned();
    let numbers = [port.into(), case.connections.into(), case.pipeline.into(), case.requests, case.range]
        .map(|n: u64| n.to_string());
    let mut words = vec![program, transactions::WORD.to_owned()];
    words.extend(numbers);
    words.extend(filled_in(case, SHA));
    Ok(words)
}

/// This program as the generator of messages, with room for its connections.
fn fan_out_words(case: &Case, port: u16) -> Outcome<Vec<String>> {
    let program = std::env::current_exe()?.to_string_lossy().into_owned();
    let files = format!("--nofile={}", case.connections + 64);
    let mut words = vec!["prlimit".to_owned(), files, program, fan_out::WORD.to_owned()];
    let numbers = [port.into(), case.connections.into(), case.pipeline.into(), case.requests];
    words.extend(numbers.map(|n: u64| n.to_string()));
    words.push(fan_out::pace(case.one_by_one).to_owned());
    words.extend(filled_in(case, SHA));
    Ok(words)
}

/// The command with everything but the random numbers.
pub fn filled_in(case: &Case, sha: &str) -> Vec<String> {
    let payload = String::from_utf8_lossy(&value(VALUE_BYTES)).into_owned();
    let fill = |&word: &&str| match word {
        VALUE => payload.clone(),
        SHA => sha.to_owned(),
        _ => word.to_owned(),
    };
    case.command.iter().map(fill).collect()
}

/// Has the server know the case's script; its digest.
pub fn sha_of_script(case: &Case, port: u16) -> Outcome<String> {
    let Some(script) = case.script else { return Ok(String::new()) };
    match Client::connect(port)?.call(&["SCRIPT", "LOAD", script])? {
        Reply::Bulk(sha) => Ok(String::from_utf8_lossy(&sha).into_owned()),
        other => Err(format!("SCRIPT LOAD: {other:?}").into()),
    }
}

/// Runs one burst to its end, or kills the generator when it takes too long.
pub fn run(case: &Case, port: u16, options: &Options) -> Outcome<Burst> {
    let words = command_words(case, port, options)?;
    let directory = temporary_directory("load")?;
    let result = run_in(&words, &directory, Duration::from_secs(options.timeout_seconds));
    let text = result.and_then(|()| Ok(fs::read_to_string(directory.join("out"))?));
    let _ = fs::remove_dir_all(&directory);
    let text = text?;
    let burst = match options.generator {
        _ if case.is_transaction() => transactions::parse(&text),
        _ if case.is_fan_out() => fan_out::parse(&text),
        Generator::RedisBenchmark => parse(&text),
        Generator::Memtier => memtier::parse(&text),
    };
    let tail = || text.lines().rev().take(3).collect::<Vec<_>>().join(" / ");
    burst.ok_or_else(|| format!("{} reported nothing usable: {}", words[3], tail()).into())
}

/// Output goes to a file: a pipe that nobody empties would stop the generator.
fn run_in(words: &[String], directory: &std::path::Path, longest: Duration) -> Outcome<()> {
    let out = File::create(directory.join("out"))?;
    let mut child = Command::new(ENDS_WITH_US[0])
        .args(&ENDS_WITH_US[1..])
        .args(words)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", ENDS_WITH_US[0]))?;
    let end = Instant::now() + longest;
    while Instant::now() < end {
        if let Some(status) = child.try_wait()? {
            if status.success() {
                return Ok(());
            }
            let text = fs::read_to_string(directory.join("out")).unwrap_or_default();
            let last = text.rsplit(['\r', '\n']).find(|line| !line.trim().is_empty()).unwrap_or_default();
            return Err(format!("{} failed ({status}): {}", words[3], last.trim()).into());
        }
        sleep(Duration::from_millis(5));
    }
    child.kill()?;
    child.wait()?;
    Err(format!("{} took longer than {} s", words[3], longest.as_secs()).into())
}

/// Reads redis-benchmark's report for people, the only one with p99.9.
fn parse(text: &str) -> Option<Burst> {
    let number_before = |line: &str, tail: &str| line.trim().strip_suffix(tail)?.trim().parse::<f64>().ok();
    let mut lines = text.split(['\r', '\n']);
    let requests =
        lines.clone().find_map(|line| line.split_once(" requests completed in")?.0.trim().parse().ok())?;
    let requests_per_second = lines.clone().find_map(|line| {
        number_before(line.trim().strip_prefix("throughput summary:")?, "requests per second")
    })?;
    // "99.902% <= 3.791 milliseconds (cumulative count 99904)", percentiles rising.
    let p999_ms = lines.clone().find_map(|line| {
        let (percent, rest) = line.split_once("% <= ")?;
        let enough = percent.trim().parse::<f64>().ok()? >= 99.9;
        if enough { rest.split_once(" milliseconds")?.0.parse().ok() } else { None }
    })?;
    // The summary's last line stands under the heads avg, min, p50, p95, p99, max.
    lines.find(|line| line.trim_start().starts_with("avg ") && line.trim_end().ends_with("max"))?;
    let summary: Vec<f64> = lines
        .find(|line| !line.trim().is_empty())?
        .split_whitespace()
        .map(|word| word.parse().ok())
        .collect::<Option<_>>()?;
    let [_, _, p50_ms, _, p99_ms, _] = summary[..] else { return None };
    Some(Burst { requests, requests_per_second, p50_ms, p99_ms, p999_ms, cpu: None })
}

/// The words with a placeholder for the port, for reports.
pub fn shown(case: &Case, options: &Options) -> String {
    let words = command_words(case, 0, options).unwrap_or_default();
    let mut port_next = false;
    let shown = words.iter().map(|word| {
        let port = std::mem::replace(
            &mut port_next,
            ["-p", transactions::WORD, fan_out::WORD].contains(&word.as_str()),
        );
        if port { "PORT".to_owned() } else { quoted(word) }
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
GET k: rps=0.0 (overall: 0.0)\r====== GET key:__rand_int__ ======
  100000 requests completed in 0.21 seconds
  50 parallel clients

Latency by percentile distribution:
0.000% <= 0.335 milliseconds (cumulative count 16)
99.805% <= 3.735 milliseconds (cumulative count 99808)
99.902% <= 3.791 milliseconds (cumulative count 99904)
100.000% <= 3.839 milliseconds (cumulative count 100000)

Cumulative distribution of latencies:
100.000% <= 4.103 milliseconds (cumulative count 100000)

Summary:
  throughput summary: 485436.91 requests per second
  latency summary (msec):
          avg       min       p50       p95       p99       max
        1.442     0.328     1.335     2.567     3.279     3.839
";

    #[test]
    fn reads_the_report() {
        let burst = parse(REPORT).unwrap();
        assert_eq!(burst.requests, 100_000);
        assert_eq!(burst.requests_per_second, 485_436.91);
        assert_eq!((burst.p50_ms, burst.p99_ms, burst.p999_ms), (1.335, 3.279, 3.791));
    }

    #[test]
    fn a_cut_report_is_no_report() {
        for length in 0..REPORT.len() - 45 {
            assert_eq!(parse(&REPORT[..length]), None, "{length}");
        }
    }
}
