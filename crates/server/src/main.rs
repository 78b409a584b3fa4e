//! `weft-server`: reads the configuration, opens the sockets, starts one thread per shard and waits for the end.
#![forbid(unsafe_code)]

mod apply;
mod backup;
mod cores;
mod crash;
mod desk;
mod files;
mod journal;
mod listen;
mod loading;
mod log;
mod migrator;
mod oom_score;
mod open_files;
#[cfg(feature = "planted")]
mod planted;
mod platform;
mod preload;
mod process;
mod reload;
mod requests;
mod saving;
mod send;
mod serve;
mod shard_loop;
mod start;
mod supervisor;

/// The disk on which data is kept.
#[cfg(feature = "planted")]
use planted::disk::PlantedDisk as KeptOn;
#[cfg(not(feature = "planted"))]
use runtime::SystemDisk as KeptOn;

/// Of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Of the Redis that it stands in for.
const REDIS_VERSION: &str = "7.4.0";

#[global_allocator]
static ALLOCATOR: runtime::Allocator = runtime::Allocator;

fn main() {
    std::process::exit(start::run(std::env::args_os().skip(1).collect()));
}
