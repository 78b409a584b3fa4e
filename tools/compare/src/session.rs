//! A run from start to report.

use std::fs;
use std::path::Path;

use crate::args::{Mode, Options, Program};
use crate::cases::Selection;
use crate::process::{Launch, Server, quoted};
use crate::rates::{self, Subject};
use crate::report::{Report, ServerInfo};
use crate::{Outcome, cases, chart, handover, instructions, machine, memory, snapshots, table};

pub fn run(options: &Options) -> Outcome<()> {
    match options.mode {
        Mode::Cases => cases::print(),
        Mode::Instructions => instructions::run(options, &launches(options)?)?,
        Mode::HandOver => handover::run(options, &launches(options)?)?,
        Mode::Snapshots => snapshots::run(options, &launches(options)?)?,
        Mode::Peers | Mode::Itself => {
            let report = measure(options)?;
            println!("\n{}", table::figures(&report));
            write_files(options, &report)?;
        }
    }
    Ok(())
}

/// The servers in the order in which they take turns: Weft first, then its peers.
fn launches(options: &Options) -> Outcome<Vec<Launch>> {
    let launch = |program: &Program, shards| Launch {
        program: program.clone(),
        cpus: options.server_cpus.clone(),
        shards,
        wrapper: Vec::new(),
    };
    let mut launches = Vec::new();
    if let Some(weft) = &options.weft {
        if options.shards.is_empty() {
            launches.push(launch(weft, None));
        }
        launches.extend(options.shards.iter().map(|&shards| launch(weft, Some(shards))));
    }
    if options.mode != Mode::Itself {
        launches.extend(options.peers.iter().map(|peer| launch(peer, None)));
    }
    if launches.is_empty() {
        return Err("there is no server to measure".into());
    }
    Ok(launches)
}

/// The first peer; against itself, the first shard count.
fn baseline(options: &Options, servers: usize) -> usize {
    let first_peer = servers.saturating_sub(options.peers.len());
    if options.mode == Mode::Itself || first_peer == servers { 0 } else { first_peer }
}

fn measure(options: &Options) -> Outcome<Report> {
    let selection = Selection::of(&options.cases)?;
    let launches = launches(options)?;
    let machine = machine::describe();
    let mut subjects = Vec::new();
    for launch in &launches {
        let server = Server::start(launch)?;
        eprintln!("started {} as process {}", server.name, server.pid);
        subjects.push(Subject::new(server));
    }
    let servers = subjects.iter().map(|subject| ServerInfo {
        name: subject.server.name.clone(),
        command_line: subject.server.command_line.clone(),
    });
    let mut report = Report {
        arguments: std::env::args().skip(1).map(|word| quoted(&word)).collect::<Vec<_>>().join(" "),
        machine,
        servers: servers.collect(),
        baseline: baseline(options, launches.len()),
        rounds: options.rounds,
        rates: Vec::new(),
        memory: Vec::new(),
        idle: Vec::new(),
        idle_seconds: options.idle_seconds,
    };
    for case in &selection.rates {
        report.rates.push(rates::measure(case, &mut subjects, options)?);
    }
    if selection.idle {
        report.idle = rates::idle(&subjects, options.idle_seconds)?;
    }
    drop(subjects);
    for case in &selection.memory {
        report.memory.push(memory::measure(case, &launches));
    }
    Ok(report)
}

fn write_files(options: &Options, report: &Report) -> Outcome<()> {
    if let Some(path) = &options.json {
        write(path, &format!("{:#}\n", report.to_json()))?;
    }
    if let Some(path) = &options.svg {
        write(path, &chart::svg(report, options.chart))?;
    }
    if let Some(path) = &options.markdown {
        // The chart is expected beside the document.
        let chart = options.svg.as_ref().and_then(|svg| svg.file_name()).map(|name| name.to_string_lossy());
        write(path, &table::document(report, chart.as_deref()))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Outcome<()> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
