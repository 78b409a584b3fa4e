//! Instructions per request in user space, counted by callgrind: a figure that no neighbour disturbs.
//!
//! Two bursts of different length are counted separately and subtracted, so connection set-up and background
//! work fall out. The kernel's instructions are not counted; a server that spins while it waits counts that.
//!
//! Compare a server with its own past by this figure, not with another server: Valkey 9.1 spends half as many
//! instructions again as Redis 7.0 on a pipelined GET and yet less time, because it waits less for memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::args::Options;
use crate::cases::{Case, Selection};
use crate::process::{Launch, Server, temporary_directory};
use crate::rates::{Subject, adjusted, prepare};
use crate::{Outcome, load};

/// Requests in the two bursts; under valgrind a request takes some twenty times longer.
const SHORT: u64 = 4_000;
const LONG: u64 = 24_000;
/// A pipeline of messages to many counts as so many thousand requests, and there must be more than one of them.
const FAN_OUT: u64 = 20;
/// Elements loaded before, at most.
const KEYS_MAX: u64 = 100_000;

/// Counts every chosen case on every server, prints a table and writes JSON if asked.
pub fn run(options: &Options, launches: &[Launch]) -> Outcome<()> {
    let selection = Selection::of(&options.cases)?;
    let mut options = options.clone();
    options.keys = options.keys.min(KEYS_MAX);
    let mut results = Vec::new();
    println!("{:<14} {:<28} {:>22}", "case", "server", "instructions/request");
    for case in &selection.rates {
        for launch in launches {
            let (server, counted) = count(case, launch, &options)?;
            let shown =
                counted.as_ref().map_or_else(|error| format!("- ({error})"), |count| format!("{count:.0}"));
            println!("{:<14} {server:<28} {shown:>22}", case.name);
            results.push(json!({"case": case.name, "server": server, "instructions": counted.ok()}));
        }
    }
    if let Some(path) = &options.json {
        fs::write(path, format!("{:#}\n", json!(results)))?;
    }
    Ok(())
}

/// The server's name and its instructions per request, or why they could not be counted.
fn count(case: &Case, launch: &Launch, options: &Options) -> Outcome<(String, Result<f64, String>)> {
    let (directory, keep) = match &options.callgrind_dir {
        Some(directory) => (directory.clone(), true),
        None => (temporary_directory("callgrind")?, false),
    };
    fs::create_dir_all(&directory)?;
    let directory = fs::canonicalize(directory)?;
    let mut launch = launch.clone();
    launch.wrapper =
        ["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no", "--trace-children=yes"]
            .map(str::to_owned)
            .into();
    launch.wrapper.push(format!("--callgrind-out-file={}/{}.%p", directory.display(), case.name));
    let mut subject = Subject::new(Server::start(&launch)?);
    let name = subject.server.name.clone();
    let counted = count_bursts(case, &mut subject, options, &directory).map_err(|error| error.to_string());
    drop(subject);
    if !keep {
        fs::remove_dir_all(&directory)?;
    }
    Ok((name, counted))
}

fn count_bursts(case: &Case, subject: &mut Subject, options: &Options, directory: &Path) -> Outcome<f64> {
    // Popping cases find an element for every request of both bursts.
    let times = if case.is_fan_out() { FAN_OUT } else { 1 };
    let both = adjusted(case, &Options { requests: Some(times * (SHORT + LONG)), ..options.clone() });
    let (short, long) = (Case { requests: times * SHORT, ..both }, Case { requests: times * LONG, ..both });
    prepare(&long, subject, options)?;
    let (pid, port) = (subject.server.pid, subject.server.port);
    control(&["-i", "on"], pid)?;
    let mut counts = Vec::new();
    for (part, case) in [(1, short), (2, long)] {
        let burst = load::run(&case, port, options)?;
        control(&["-d"], pid)?;
        let file = directory.join(format!("{}.{pid}.{part}", case.name));
        counts.push((burst.requests as f64, total_in(&file)?));
    }
    control(&["-i", "off"], pid)?;
    Ok((counts[1].1 - counts[0].1) / (counts[1].0 - counts[0].0))
}

fn control(words: &[&str], pid: u32) -> Outcome<()> {
    let output = Command::new("callgrind_control").args(words).arg(pid.to_string()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && text.contains("OK") {
        return Ok(());
    }
    Err(format!("callgrind_control {words:?} failed: {}", text.trim()).into())
}

/// The sum of a part that callgrind has written.
fn total_in(file: &PathBuf) -> Outcome<f64> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    total.ok_or_else(|| format!("{} has no total", file.display()).into())
}
