//! The server itself: what it does, how it is set up, what it has cost.
//!
//! Every shard knows only itself. A command that tells about the whole server has a part on each shard, and the client's
//! shard puts the parts together.

use crate::Command;
use crate::spec::{KeySpec, access::RO, acl, flag::*};

mod command;
mod command_table;
mod config;
mod debug;
mod docs;
mod info;
mod info_lists;
mod info_numbers;
mod keyspace;
mod latency;
mod latency_reports;
mod lolwut;
mod memory;
mod process;
mod rows;
mod slowlog;
pub mod syntax;

const fn server(mut row: Command) -> Command {
    row.group = "server";
    row
}

const HELP_SUMMARY: &str = "Describes the subcommands.";

pub const COMMANDS: &[Command] = &[
    server(Command::on_all("DBSIZE", keyspace::dbsize, keyspace::sum))
        .arity(1)
        .flags(READONLY | FAST)
        .acl(acl::KEYSPACE)
        .complexity("O(1)")
        .tips(&["request_policy:all_shards", "response_policy:agg_sum"])
        .summary("Counts the keys of the database."),
    server(Command::on_all("FLUSHALL", keyspace::flushall, keyspace::ok))
        .arity(-1)
        .flags(WRITE)
        .acl(acl::KEYSPACE | acl::DANGEROUS)
        .complexity("O(N) where N is the total number of keys in all databases")
        .history(rows::FLUSH_HISTORY)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .summary("Removes all keys of all databases.")
        .syntax(rows::FLUSH_SYNTAX),
    server(Command::on_all("FLUSHDB", keyspace::flushdb, keyspace::ok))
        .arity(-1)
        .flags(WRITE)
        .acl(acl::KEYSPACE | acl::DANGEROUS)
        .complexity("O(N) where N is the number of keys in the selected database")
        .history(rows::FLUSH_HISTORY)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .summary("Removes all keys of the database.")
        .syntax(rows::FLUSH_SYNTAX),
    server(Command::on_all("SWAPDB", keyspace::swapdb, keyspace::ok).prepare(keyspace::prepare_swapdb))
        .arity(3)
        .flags(WRITE | FAST)
        .acl(acl::KEYSPACE | acl::DANGEROUS)
        .since("4.0.0")
        .complexity("O(N) where N is the count of clients watching or blocking on keys from both databases.")
        .summary("Exchanges two databases.")
        .syntax("index1:integer index2:integer"),
    server(Command::new("TIME", process::time))
        .arity(1)
        .flags(LOADING | STALE | FAST)
        .since("2.6.0")
        .complexity("O(1)")
        .tips(&["nondeterministic_output"])
        .summary("Returns the server's time."),
    server(Command::new("LOLWUT", lolwut::lolwut))
        .arity(-1)
        .flags(READONLY | FAST)
        .since("5.0.0")
        .summary("Draws a picture and tells the version.")
        .syntax("VERSION@version:integer?"),
    server(Command::new("ROLE", process::role))
        .arity(1)
        .flags(NOSCRIPT | LOADING | STALE | FAST)
        .acl(acl::ADMIN | acl::DANGEROUS)
        .since("2.8.12")
        .complexity("O(1)")
        .summary("Tells the role in replication."),
    server(Command::new("LASTSAVE", process::lastsave))
        .arity(1)
        .flags(LOADING | STALE | FAST)
        .acl(acl::ADMIN | acl::DANGEROUS)
        .complexity("O(1)")
        .tips(&["nondeterministic_output"])
        .summary("Returns when the data was last saved, or the start of the server."),
    server(Command::new("SAVE", process::save))
        .arity(1)
        .flags(NO_ASYNC_LOADING | ADMIN | NOSCRIPT | NO_MULTI)
        .complexity("O(N) where N is the total number of keys in all databases")
        .summary("Saves all data to disk while clients wait."),
    server(Command::new("BGSAVE", process::save))
        .arity(-1)
        .flags(NO_ASYNC_LOADING | ADMIN | NOSCRIPT)
        .complexity("O(1)")
        .history(&[("3.2.2", "Added the `SCHEDULE` option.")])
        .summary("Saves all data to disk in the background.")
        .syntax("schedule=SCHEDULE?^3.2.2"),
    server(Command::new("BGREWRITEAOF", process::save))
        .arity(1)
        .flags(NO_ASYNC_LOADING | ADMIN | NOSCRIPT)
        .complexity("O(1)")
        .summary("Rewrites the append-only file in the background."),
    server(Command::new("SHUTDOWN", process::shutdown))
        .arity(-1)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY)
        .complexity(
            "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
        )
        .history(&[("7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers.")])
        .summary("Saves, if so configured, and ends the server.")
        .syntax(
            "save-selector(nosave=NOSAVE|save=SAVE)? now=NOW?^7.0.0 force=FORCE?^7.0.0 abort=ABORT?^7.0.0",
        ),
    server(Command::on_all("MONITOR", process::monitor_part, keyspace::ok).prepare_adding(process::monitor))
        .arity(1)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE)
        .summary("Shows every command as it is received."),
    server(Command::on_all("INFO", info::part, info::merge))
        .arity(-1)
        .flags(LOADING | STALE | SESSIONS)
        .acl(acl::DANGEROUS)
        .complexity("O(1)")
        .history(&[("7.0.0", "Added support for taking multiple section arguments.")])
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .summary("Tells facts and figures about the server.")
        .syntax("section:string?*"),
    server(Command::new("DEBUG", debug::unknown).plan(crate::Plan::Container))
        .with_subcommands(debug::SUBCOMMANDS)
        .arity(-2)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE | PROTECTED | ONE_NAME)
        .complexity("Depends on subcommand.")
        .summary("Looks into the server, for its developers."),
    server(Command::container("CONFIG", rows::CONFIG))
        .since("2.0.0")
        .complexity("Depends on subcommand.")
        .summary("Reads and changes the configuration."),
    server(Command::new("COMMAND", command::all).plan(crate::Plan::Container))
        .with_subcommands(rows::COMMAND)
        .arity(-1)
        .flags(LOADING | STALE)
        .acl(acl::CONNECTION)
        .since("2.8.13")
        .complexity("O(N) where N is the total number of Redis commands")
        .tips(&["nondeterministic_output_order"])
        .summary("Describes all commands."),
    server(Command::container("MEMORY", rows::MEMORY))
        .since("4.0.0")
        .complexity("Depends on subcommand.")
        .summary("Looks into the use of memory."),
    server(Command::container("SLOWLOG", rows::SLOWLOG))
        .since("2.2.12")
        .complexity("Depends on subcommand.")
        .summary("Reads the log of slow commands."),
    server(Command::container("LATENCY", rows::LATENCY))
        .since("2.8.13")
        .complexity("Depends on subcommand.")
        .summary("Looks into what took long."),
    server(Command::container("MODULE", rows::MODULE))
        .since("4.0.0")
        .complexity("Depends on subcommand.")
        .summary("Commands about modules."),
];

/// MEMORY USAGE looks at one key.
const USAGE_KEYS: &[KeySpec] = &[KeySpec::at(2, RO)];
