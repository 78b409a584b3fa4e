//! Runs many seeds, or one again: `sim [--from SEED] [--seeds COUNT] [--without RULE,…] [--directed] [--theme NAME] [--total] [--show] [--core] [--history] [--crashes]`.
#![forbid(unsafe_code)]

use sim::check::{self, ProgramOrder};
use sim::workload::Theme;
use sim::{Anomaly, Plan, Rule, Rules, run};
use std::process::ExitCode;

const USAGE: &str = "usage: sim [--from SEED] [--seeds COUNT] [--without RULE,…] [--directed] [--theme NAME] [--total] [--show] [--core] [--history] [--crashes]";

struct Options {
    from: u64,
    seeds: u64,
    broken: Vec<Rule>,
    directed: bool,
    theme: Option<Theme>,
    order: ProgramOrder,
    show: bool,
    history: bool,
    core: bool,
    crashes: bool,
}

fn options() -> Option<Options> {
    let mut options = Options {
        from: 0,
        seeds: 1000,
        broken: Vec::new(),
        directed: false,
        theme: None,
        order: ProgramOrder::Visible,
        show: false,
        history: false,
        core: false,
        crashes: false,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--from" => options.from = args.next()?.parse().ok()?,
            "--seeds" => options.seeds = args.next()?.parse().ok()?,
            "--without" => {
                let broken: Option<Vec<Rule>> = args.next()?.split(',').map(Rule::of_name).collect();
                options.broken = broken?;
            }
            "--directed" => options.directed = true,
            "--theme" => options.theme = Some(Theme::of_name(&args.next()?)?),
            "--total" => options.order = ProgramOrder::Total,
            "--history" => options.history = true,
            "--core" => options.core = true,
            "--show" => options.show = true,
            "--crashes" => options.crashes = true,
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
    if options.crashes {
        return crash_all(&options);
    }
    let (mut bad, mut undecided, mut ops, mut moves, mut visits) = (0, 0, 0, 0, 0);
    let (mut messages, mut invalidations, mut first) = (0, 0, None);
    for seed in options.from..options.from + options.seeds {
        let rules = Rules::without(&options.broken);
        let directed = options.broken.first().filter(|_| options.directed).map(|rule| rule.theme());
        let theme = options.theme.or(directed);
        let outcome = run(Plan { seed, rules, theme, program_order: options.order });
        ops += outcome.history.len();
        moves += outcome.moves;
        visits += outcome.visits;
        messages += outcome.messages;
        invalidations += outcome.invalidations;
        if matches!(outcome.anomalies[..], [Anomaly::Undecided(_)]) {
            undecided += 1;
            if options.show {
                println!("{}", outcome.describe());
            }
        } else if !outcome.anomalies.is_empty() {
            bad += 1;
            first.get_or_insert(seed);
            if options.show || bad <= 1 {
                println!("{}", outcome.describe());
            }
        }
        if options.core {
            let core = check::core(&outcome.history, options.order, 100_000);
            core.iter().for_each(|record| println!("{record}"));
        }
        if options.history {
            outcome.history.iter().for_each(|record| println!("{record}"));
        }
    }
    println!(
        "{bad} of {} seeds with anomalies, {undecided} undecided, {ops} operations, {messages} messages, \
         {invalidations} invalidations, {moves} moves, {visits} visits",
        options.seeds
    );
    if let Some(first) = first {
        println!("the first is {first}");
    }
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Processes whose power goes.
fn crash_all(options: &Options) -> ExitCode {
    let (mut crashes, mut acknowledged) = (0, 0);
    for seed in options.from..options.from + options.seeds {
        match sim::crash::run(seed, None) {
            Ok(survived) => {
                crashes += survived.crashes;
                acknowledged += survived.acknowledged;
            }
            Err(wrong) => {
                println!("{wrong}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{} seeds, {crashes} crashes, {acknowledged} operations acknowledged", options.seeds);
    ExitCode::SUCCESS
}
