//! Runs many seeds, or one again: `sim [--from SEED] [--seeds COUNT] [--without RULE,…] [--single] [--show] [--core]`.
#![forbid(unsafe_code)]

use sim::{Anomaly, Plan, Rule, Rules, run};
use std::process::ExitCode;

const USAGE: &str =
    "usage: sim [--from SEED] [--seeds COUNT] [--without RULE,…] [--single] [--show] [--core]";

struct Options {
    from: u64,
    seeds: u64,
    rules: Rules,
    multi: bool,
    show: bool,
    core: bool,
}

fn options() -> Option<Options> {
    let mut options =
        Options { from: 0, seeds: 1000, rules: Rules::ALL, multi: true, show: false, core: false };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--from" => options.from = args.next()?.parse().ok()?,
            "--seeds" => options.seeds = args.next()?.parse().ok()?,
            "--without" => {
                let broken: Option<Vec<Rule>> = args.next()?.split(',').map(Rule::of_name).collect();
                options.rules = Rules::without(&broken?);
            }
            "--single" => options.multi = false,
            "--core" => options.core = true,
            "--show" => options.show = true,
            _ => return None,
        }
    }
    Some(options)
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let (mut bad, mut undecided, mut ops) = (0, 0, 0);
    for seed in options.from..options.from + options.seeds {
        let outcome = run(Plan { seed, rules: options.rules, multi: options.multi });
        ops += outcome.history.len();
        if outcome.anomalies == [Anomaly::Undecided] {
            undecided += 1;
        } else if !outcome.anomalies.is_empty() {
            bad += 1;
            if options.show || bad <= 1 {
                println!("{}", outcome.describe());
            }
        }
        if options.core {
            let core = sim::check::core(&outcome.history, 100, 100_000);
            core.iter().for_each(|record| println!("{record}"));
        }
        if options.show {
            outcome.history.iter().for_each(|record| println!("{record}"));
        }
    }
    println!("{bad} of {} seeds with anomalies, {undecided} undecided, {ops} operations", options.seeds);
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
