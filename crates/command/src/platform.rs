//! What commands need of the machine and the process. The server supplies it at the start, the simulator its own: this
//! crate reads no clock and no file.

use crate::saving::Saver;
use crate::{Args, ShardCx};
use config::Config;

/// Calls into the runtime.
#[derive(Clone, Copy)]
pub struct Platform {
    /// Monotonic ns.
    pub clock_ns: fn() -> u64,
    /// Unix µs.
    pub wall_us: fn() -> u64,
    /// Stops the calling thread for so many µs (DEBUG SLEEP).
    pub sleep_us: fn(u64),
    /// What the process uses now.
    pub usage: fn() -> Usage,
    /// Brings into force what CONFIG SET changes of the process, before any shard takes the new configuration over: all of
    /// it or nothing. The working directory's whole path, if `dir` was set.
    pub apply: fn(&Change<'_>) -> Result<Option<Vec<u8>>, Refusal>,
    /// Writes a line to the log; the level is 0 (debug) to 3 (warning).
    pub log: fn(u8, &[u8]),
    /// Asks the allocator to give unused memory back.
    pub purge: fn(),
    /// Told of every command that was timed alone, right after it ran: on which shard, with which arguments. For the simulator.
    pub ran: Option<fn(&ShardCx, Args<'_>)>,
}

impl Default for Platform {
    /// A machine on which no time passes.
    fn default() -> Self {
        Self {
            clock_ns: || 0,
            wall_us: || 0,
            sleep_us: |_| {},
            usage: Usage::default,
            apply: |_| Ok(None),
            log: |_, _| {},
            purge: || {},
            ran: None,
        }
    }
}

/// What CONFIG SET is about to change.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    pub before: &'a Config,
    pub wanted: &'a Config,
    /// The directives that change.
    pub names: &'a [&'static str],
    pub shards: u16,
    /// Who has append-only files turned on and off.
    pub saver: Option<&'a dyn Saver>,
}

/// Why a change is not possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub directive: &'static str,
    /// As Redis says it.
    pub reason: String,
}

/// What the process and the calling thread use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub rss_bytes: u64,
    pub rss_peak_bytes: u64,
    /// Processor time in µs.
    pub user_us: u64,
    pub system_us: u64,
    pub children_user_us: u64,
    pub children_system_us: u64,
    pub thread_user_us: u64,
    pub thread_system_us: u64,
}

/// What stays the same while the process runs.
#[derive(Clone, Debug, Default)]
pub struct About {
    pub pid: u32,
    /// 40 hexadecimal digits, new at every start.
    pub run_id: String,
    /// Name, release and machine of the operating system.
    pub os: String,
    pub arch_bits: u32,
    pub executable: String,
    /// Empty without one.
    pub config_file: String,
    /// `epoll` or `io_uring`.
    pub io_backend: String,
    pub allocator: String,
    pub memory_total_bytes: u64,
    pub weft_version: String,
    /// Replaces the configuration file by what the function makes of its content; the reason if it cannot.
    pub rewrite_config: Option<RewriteFile>,
}

/// Gives the text of the configuration file to a function and replaces the file with what comes back.
pub type RewriteFile = fn(path: &str, rewrite: &dyn Fn(&[u8]) -> Vec<u8>) -> Result<(), String>;
