//! The server itself: what it does, how it is set up, what it has cost.
//!
//! Every shard knows only itself. A command that tells about the whole server has a part on each shard, and the client's
//! shard puts the parts together.

pub mod backup;
mod command;
mod command_table;
mod config;
mod debug;
mod docs;
mod hot_keys;
mod info;
mod info_lists;
mod info_numbers;
mod keyspace;
mod latency;
mod latency_reports;
mod lolwut;
mod memory;
pub mod modules;
pub(super) mod process;
pub mod reload;
mod slowlog;
pub mod syntax;

use crate::Command;
use crate::spec::flag::*;

const fn server(mut row: Command) -> Command {
    row.group = "server";
    row
}

const HELP_SUMMARY: &str = "Describes the subcommands.";

const fn row(mut row: Command, arity: i16, flags: u64, since: &'static str) -> Command {
    (row.group, row.since, row.arity, row.flags) = ("server", since, arity, flags);
    row
}

const ADMINISTRATION: u64 = ADMIN | NOSCRIPT | LOADING | STALE;
const ANY_TIME: u64 = LOADING | STALE;

pub const COMMANDS: &[&[Command]] = &[
    backup::COMMANDS,
    command::COMMANDS,
    config::COMMANDS,
    debug::COMMANDS,
    hot_keys::COMMANDS,
    info::COMMANDS,
    keyspace::COMMANDS,
    latency::COMMANDS,
    lolwut::COMMANDS,
    memory::COMMANDS,
    process::COMMANDS,
    slowlog::COMMANDS,
];
