//! The vector index as a process that a script can ask, so that it takes its turn beside other libraries (`compare.py`), and measurements
//! that need no other library.
//!
//! `vector-bench serve VECTORS QUERIES DIMENSION`, the files being f32 one after the other; then a line for each request, and for each a
//! line with the answer:
//!
//! Seconds are of processor time.
//!
//! - `build NAME METRIC M EF_CONSTRUCTION CODES` builds a graph: seconds, bytes of memory, bytes of the vectors;
//! - `flat NAME METRIC` builds an exact index: seconds, bytes, bytes;
//! - `search NAME K EF FILE` asks all queries and writes the labels found as u32 to the file: seconds, distances computed;
//! - `churn NAME SHARE` removes that share of the vectors and adds them again: seconds, bytes of memory.
//!
//! `vector-bench server COUNT DIMENSION EF SHARDS`: FT.SEARCH through a Weft server beside the library, in the forms that clients ask in; `filters` with the same arguments: with
//! filters; `tails`: the slowest queries, and GETs while queries and HSETs go on.
//!
//! `vector-bench scan DIMENSION MIB`: how fast an exact search reads, beside how fast memory can be read.
#![forbid(unsafe_code)]

mod clock;
mod data;
mod filters;
mod forms;
mod scan;
mod serve;
mod tails;
mod weft;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["serve", vectors, queries, dimension] => serve::serve(vectors, queries, dimension),
        ["server", count, dimension, ef, shards] => forms::measure(count, dimension, ef, shards),
        ["filters", count, dimension, ef, shards] => filters::measure(count, dimension, ef, shards),
        ["tails", count, dimension, ef, shards] => tails::measure(count, dimension, ef, shards),
        ["scan", dimension, mib] => scan::scan(dimension, mib),
        _ => Err("vector-bench serve VECTORS QUERIES DIMENSION, server|filters|tails COUNT DIMENSION EF SHARDS, or scan DIMENSION MIB".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
