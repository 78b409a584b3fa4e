//! Snapshots: how long saving and loading take, and what clients and memory notice of a save under load.
//!
//! One server after the other, round by round: started, filled with `--keys` strings (16-byte keys, 32-byte values), saved while idle, put under
//! load by SETs on random keys for a while, first without a save and then with one, and started again with the file. A pause is the time
//! from when a pipeline of SETs has been sent until its last reply is there.
//!
//! The load comes from threads of this process (`taskset` says where). Extra memory is what the server's resident memory grows by
//! at most, with what a child of it has for itself.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Outcome;
use crate::args::Options;
use crate::client::{Client, info_field, write_command};
use crate::process::{Launch, Server};
use crate::procstat::settle;
use crate::spread::Spread;

const CONNECTIONS: usize = 4;
const PIPELINE: usize = 8;
/// Keys written in one pipeline before the start.
const KEYS_AT_ONCE: u64 = 500;
/// The load before a save begins, and what is measured without one.
const WARM_UP: Duration = Duration::from_millis(500);
const WITHOUT: Duration = Duration::from_secs(3);
/// A pipeline that takes longer is counted: shares of all say little where one save takes ten times as long as the other.
const SLOW: Duration = Duration::from_millis(1);
const LOOK: Duration = Duration::from_millis(2);
const SETTLE_LONGEST: Duration = Duration::from_secs(10);
const SAVE_LONGEST: Duration = Duration::from_secs(300);

/// The rows of the table.
const ROWS: [&str; 10] = [
    "BGSAVE while idle, s",
    "loading, s",
    "longest pause without a save, ms",
    "longest pause during one, ms",
    "p99.9 without a save, ms",
    "p99.9 during one, ms",
    "pipelines that took more than 1 ms without a save, each second",
    "pipelines that took more than 1 ms during one, all",
    "memory that comes without a save, MiB",
    "memory that comes during one, MiB",
];

/// Measures on every server in turn, prints a table and writes JSON if asked.
pub fn run(options: &Options, launches: &[Launch]) -> Outcome<()> {
    let mut results: Vec<(String, Vec<[f64; ROWS.len()]>)> = vec![Default::default(); launches.len()];
    for round in 0..options.rounds {
        for (launch, (name, figures)) in launches.iter().zip(&mut results) {
            let (found, figure) = measure(launch, options.keys)?;
            eprintln!("round {round}, {found}: {figure:.3?}");
            *name = found;
            figures.push(figure);
        }
    }
    let baseline = launches.len().saturating_sub(options.peers.len()).min(launches.len() - 1);
    let spread = |server: usize, row: usize| {
        Spread::of(results[server].1.iter().map(|figures| figures[row])).ok_or("there are no figures")
    };
    let mut rows = Vec::new();
    println!("{} keys, medians of {} rounds (smallest to largest)\n", options.keys, options.rounds);
    for (row, title) in ROWS.into_iter().enumerate() {
        println!("{title}");
        let base = spread(baseline, row)?.median;
        for (server, (name, _)) in results.iter().enumerate() {
            let Spread { median, min, max } = spread(server, row)?;
            println!("  {name:<28} {median:>9.3} ({min:.3} to {max:.3})  ratio {:.2}", median / base);
            rows.push(json!({"figure": title, "server": name, "median": median, "min": min, "max": max}));
        }
    }
    if let Some(path) = &options.json {
        fs::write(path, format!("{:#}\n", json!(rows)))?;
    }
    Ok(())
}

/// One server's turn: its name and figures.
fn measure(launch: &Launch, keys: u64) -> Outcome<(String, [f64; ROWS.len()])> {
    let mut server = Server::start(launch)?;
    fill(&mut server.client()?, keys)?;
    settle(server.pid, SETTLE_LONGEST)?;
    let idle_s = save(&server)?.as_secs_f64();
    let without = under_load(&server, keys, false)?;
    settle(server.pid, SETTLE_LONGEST)?;
    let with = under_load(&server, keys, true)?;
    server.client()?.call(&["SAVE"])?;
    server.restart()?;
    let load_s = load_seconds(&server.log()).ok_or("the log does not say how long loading took")?;
    let figures = [
        idle_s,
        load_s,
        without.longest_ms,
        with.longest_ms,
        without.p999_ms,
        with.p999_ms,
        without.slow as f64 / WITHOUT.as_secs_f64(),
        with.slow as f64,
        without.extra_mib,
        with.extra_mib,
    ];
    Ok((server.name.clone(), figures))
}

fn set(out: &mut Vec<u8>, key: u64, value: u64) {
    let (key, value) = (format!("key:{key:012}"), format!("{value:032x}"));
    write_command(out, ["SET", &key, &value].iter().map(|word| word.as_bytes()));
}

fn fill(client: &mut Client, keys: u64) -> Outcome<()> {
    let mut requests = Vec::new();
    for first in (0..keys).step_by(KEYS_AT_ONCE as usize) {
        let behind = keys.min(first + KEYS_AT_ONCE);
        requests.clear();
        (first..behind).for_each(|key| set(&mut requests, key, random(key)));
        client.pipeline(&requests, (behind - first) as usize)?;
    }
    Ok(())
}

/// SplitMix64, one step.
fn random(seed: u64) -> u64 {
    let z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// Saves in the background, and waits for the end.
fn save(server: &Server) -> Outcome<Duration> {
    let mut client = server.client()?;
    let begun = Instant::now();
    client.call(&["BGSAVE"])?;
    loop {
        sleep(LOOK);
        let info = client.info("persistence")?;
        if info_field(&info, "rdb_bgsave_in_progress") == Some("0") {
            return match info_field(&info, "rdb_last_bgsave_status") {
                Some("ok") => Ok(begun.elapsed()),
                _ => Err("the save has failed".into()),
            };
        }
        if begun.elapsed() > SAVE_LONGEST {
            return Err("the save does not end".into());
        }
    }
}

/// What was noticed under load.
struct Noticed {
    longest_ms: f64,
    p999_ms: f64,
    /// Pipelines that took longer than [`SLOW`].
    slow: usize,
    extra_mib: f64,
}

fn under_load(server: &Server, keys: u64, saves: bool) -> Outcome<Noticed> {
    let (is_measured, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let load =
            scope.spawn(|| send(server, keys, &is_measured, &is_over).map_err(|error| error.to_string()));
        let memory = scope.spawn(|| {
            let before = resident(server.pid);
            let mut most = before;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(resident(server.pid));
                sleep(LOOK);
            }
            (most - before) as f64 / f64::from(1 << 20)
        });
        sleep(WARM_UP);
        is_measured.store(true, Ordering::Relaxed);
        let saved = match saves {
            true => save(server).map(drop).map_err(|error| error.to_string()),
            false => {
                sleep(WITHOUT);
                Ok(())
            }
        };
        is_over.store(true, Ordering::Relaxed);
        let extra_mib = memory.join().map_err(|_| "the memory could not be watched")?;
        let mut times = load.join().map_err(|_| "the load has ended")??;
        saved?;
        times.sort_unstable();
        let at = |part: f64| {
            let place = ((times.len() as f64 * part) as usize).min(times.len().saturating_sub(1));
            times.get(place).map_or(f64::NAN, |nanos| *nanos as f64 / 1e6)
        };
        let slow = times.iter().filter(|nanos| u128::from(**nanos) > SLOW.as_nanos()).count();
        Ok(Noticed { longest_ms: at(1.0), p999_ms: at(0.999), slow, extra_mib })
    })
}

/// Nanoseconds of each pipeline that was sent while it is measured.
fn send(server: &Server, keys: u64, is_measured: &AtomicBool, is_over: &AtomicBool) -> Outcome<Vec<u64>> {
    let mut clients = (0..CONNECTIONS).map(|_| server.client()).collect::<Result<Vec<_>, _>>()?;
    let (mut number, mut times, mut requests) = (1u64, Vec::new(), Vec::new());
    while !is_over.load(Ordering::Relaxed) {
        for client in &mut clients {
            requests.clear();
            for _ in 0..PIPELINE {
                number += 1;
                set(&mut requests, random(number) % keys, number);
            }
            let counts = is_measured.load(Ordering::Relaxed);
            let begun = Instant::now();
            client.pipeline(&requests, PIPELINE)?;
            if counts {
                times.push(begun.elapsed().as_nanos() as u64);
            }
        }
    }
    Ok(times)
}

/// Resident bytes of a process, as the kernel keeps count, and what its children have for themselves.
fn resident(pid: u32) -> i64 {
    let own = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages: i64 = own.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let private = |child: &str| -> i64 {
        let rollup = fs::read_to_string(format!("/proc/{child}/smaps_rollup")).unwrap_or_default();
        let lines = rollup.lines().filter_map(|line| line.strip_prefix("Private_Dirty:"));
        lines.filter_map(|rest| rest.split_whitespace().next()?.parse::<i64>().ok()).sum()
    };
    pages * 4096 + children.split_whitespace().map(private).sum::<i64>() * 1024
}

/// What the last line of the log about that says.
fn load_seconds(log: &str) -> Option<f64> {
    let (_, rest) = log.rsplit_once("DB loaded from disk: ")?;
    rest.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_load_counts() {
        let log = "x DB loaded from disk: 1.5 seconds\ny DB loaded from disk: 0.250 seconds\n";
        assert_eq!(load_seconds(log), Some(0.25));
        assert_eq!(load_seconds("nothing"), None);
    }

    #[test]
    fn this_process_has_memory() {
        assert!(resident(std::process::id()) > 0);
    }
}
