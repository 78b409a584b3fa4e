//! Long histories: `serializability [--peer PROGRAM] [--shards N,…] [--operations COUNT] [--clients COUNT] [--seed SEED] [--kinds NAME,…]
//! [--without NAME,…] [--rounds COUNT]`.
#![forbid(unsafe_code)]

use serializability::check;
use serializability::player::{Plan, census, record};
use serializability::workload::Kind;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use testkit::{Program, Server};

struct Options {
    peer: Option<PathBuf>,
    shards: Vec<u16>,
    rounds: u64,
    plan: Plan,
}

fn options() -> Option<Options> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_nanos() as u64;
    let plan = Plan { seed: now, clients: 12, operations: 1_000_000, shards: 1, kinds: Kind::ALL.to_vec() };
    let mut options = Options { peer: None, shards: vec![1, 2, 4, 8], rounds: 1, plan };
    let mut args = std::env::args().skip(1);
    let kinds = |names: String| names.split(',').map(Kind::of_name).collect::<Option<Vec<Kind>>>();
    while let Some(arg) = args.next() {
        let value = args.next()?;
        match arg.as_str() {
            "--peer" => options.peer = Some(value.into()),
            "--shards" => options.shards = value.split(',').map(|n| n.parse().ok()).collect::<Option<_>>()?,
            "--operations" => options.plan.operations = value.parse().ok()?,
            "--clients" => options.plan.clients = value.parse().ok()?,
            "--seed" => options.plan.seed = value.parse().ok()?,
            "--rounds" => options.rounds = value.parse().ok()?,
            "--kinds" => options.plan.kinds = kinds(value)?,
            "--without" => {
                let without = kinds(value)?;
                options.plan.kinds.retain(|kind| !without.contains(kind));
            }
            _ => return None,
        }
    }
    if options.peer.is_some() {
        options.shards = vec![1];
    }
    Some(options)
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("the arguments are explained at the top of tests/serializability/src/main.rs");
        return ExitCode::from(2);
    };
    let mut anomalies = 0;
    for round in 0..options.rounds {
        for &shards in &options.shards {
            let plan = Plan { shards, seed: options.plan.seed.wrapping_add(round), ..options.plan.clone() };
            anomalies += u64::from(!run(&options, plan));
        }
    }
    println!("{anomalies} anomalies");
    if anomalies == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether nothing was wrong.
fn run(options: &Options, mut plan: Plan) -> bool {
    let server = match &options.peer {
        Some(peer) => Server::start(&Program::Peer(peer.clone()), &[] as &[&str]),
        None => Server::start(&Program::Weft, &["--shards", &plan.shards.to_string()]),
    };
    let server = server.unwrap_or_else(|error| panic!("no server: {error}"));
    let known = Kind::known_to(&mut server.client(), &plan.kinds);
    for left_out in plan.kinds.iter().filter(|kind| !known.contains(kind)) {
        println!("left out, for the server lacks its commands: {left_out:?}");
    }
    plan.kinds = known;
    println!("{} shards, --seed {}", plan.shards, plan.seed);
    let start = Instant::now();
    let operations = match record(&plan, &|| server.try_client()) {
        Ok(operations) => operations,
        Err(anomaly) => {
            println!("{anomaly}");
            return false;
        }
    };
    let recorded = start.elapsed();
    for (name, [done, refused, unknown]) in census(&operations) {
        println!("  {name}: {done} done, {refused} refused, {unknown} without a reply");
    }
    match check(operations) {
        Ok(summary) => {
            let checked = start.elapsed() - recorded;
            println!("  recorded in {recorded:.1?}, checked in {checked:.1?}: {summary:?}");
            true
        }
        Err(anomaly) => {
            println!("{anomaly}");
            false
        }
    }
}
