//! `compare`: measures Weft against its peers, or against itself, on this machine.
//!
//! Servers run side by side on loopback and are loaded in turn (A B A B …), so that a neighbour's noise falls
//! on all of them; the figure to trust is the ratio, and of the figures CPU time per request, which suffers
//! least from other work on the machine. The tool starts and stops every server itself and never touches one
//! that it did not start.
#![forbid(unsafe_code)]

mod args;
mod cases;
mod chart;
mod client;
mod data;
mod fan_out;
mod handover;
mod instructions;
mod load;
mod machine;
mod memory;
mod memtier;
mod process;
mod procstat;
mod rates;
mod report;
mod session;
mod snapshots;
mod spread;
mod table;
mod transactions;

use std::process::ExitCode;

/// What the world did: a server that does not start, a tool that is missing, an option that makes no sense.
type Failure = Box<dyn std::error::Error>;
type Outcome<T> = Result<T, Failure>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let ran = match words.split_first() {
        Some((first, rest)) if first == transactions::WORD => transactions::main(rest),
        Some((first, rest)) if first == fan_out::WORD => fan_out::main(rest),
        _ => args::parse(words.into_iter()).and_then(|options| session::run(&options)),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("compare: {failure}");
            ExitCode::FAILURE
        }
    }
}
