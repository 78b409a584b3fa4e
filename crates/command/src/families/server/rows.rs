//! The rows of the subcommands.

use super::{
    HELP_SUMMARY, USAGE_KEYS, command, config, keyspace, latency, latency_reports, memory, process, slowlog,
};
use crate::Command;
use crate::spec::{acl, flag::*};

pub const FLUSH_SYNTAX: &str = "flush-type(async=ASYNC^4.0.0|sync=SYNC^6.2.0)?";
pub const FLUSH_HISTORY: &[(&str, &str)] = &[
    ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
    ("6.2.0", "Added the `SYNC` flushing mode modifier."),
];

const fn row(mut row: Command, arity: i16, flags: u32, since: &'static str) -> Command {
    (row.group, row.since, row.arity, row.flags) = ("server", since, arity, flags);
    row
}

const ADMINISTRATION: u32 = ADMIN | NOSCRIPT | LOADING | STALE;
const ANY_TIME: u32 = LOADING | STALE;

pub const CONFIG: &[Command] = &[
    row(Command::new("GET", config::get), -3, ADMINISTRATION, "2.0.0")
        .complexity("O(N) when N is the number of configuration parameters provided")
        .history(&[("7.0.0", "Added the ability to pass multiple pattern parameters in one call")])
        .summary("Returns parameters.")
        .syntax("parameter:string*"),
    row(Command::new("HELP", config::help), 2, ANY_TIME, "5.0.0").complexity("O(1)").summary(HELP_SUMMARY),
    row(Command::on_all("RESETSTAT", config::resetstat, keyspace::ok), 2, ADMINISTRATION, "2.0.0")
        .complexity("O(1)")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .summary("Sets the statistics to zero."),
    row(Command::new("REWRITE", config::rewrite), 2, ADMINISTRATION, "2.8.0")
        .complexity("O(1)")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .summary("Writes the present configuration to its file."),
    row(Command::on_all("SET", config::set, keyspace::ok), -4, ADMINISTRATION, "2.0.0")
        .prepare_adding(config::prepare_set)
        .complexity("O(N) when N is the number of configuration parameters provided")
        .history(&[("7.0.0", "Added the ability to set multiple parameters in one call.")])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .summary("Changes parameters, all or none.")
        .syntax("data{parameter:string value:string}*"),
];

pub const COMMAND: &[Command] = &[
    row(Command::new("COUNT", command::count), 2, ANY_TIME, "2.8.13")
        .acl(acl::CONNECTION)
        .complexity("O(1)")
        .summary("Counts the commands."),
    row(Command::new("DOCS", command::docs), -2, ANY_TIME, "7.0.0")
        .acl(acl::CONNECTION)
        .complexity("O(N) where N is the number of commands to look up")
        .tips(&["nondeterministic_output_order"])
        .summary("Documents commands.")
        .syntax("command-name:string?*"),
    row(Command::new("GETKEYS", command::getkeys), -3, ANY_TIME, "2.8.13")
        .acl(acl::CONNECTION)
        .complexity("O(N) where N is the number of arguments to the command")
        .summary("Finds the keys in a command.")
        .syntax("command:string arg:string?*"),
    row(Command::new("GETKEYSANDFLAGS", command::getkeysandflags), -3, ANY_TIME, "7.0.0")
        .acl(acl::CONNECTION)
        .complexity("O(N) where N is the number of arguments to the command")
        .summary("Finds the keys in a command, and what it does with them.")
        .syntax("command:string arg:string?*"),
    row(Command::new("HELP", command::help), 2, ANY_TIME, "5.0.0")
        .acl(acl::CONNECTION)
        .complexity("O(1)")
        .summary(HELP_SUMMARY),
    row(Command::new("INFO", command::info), -2, ANY_TIME, "2.8.13")
        .acl(acl::CONNECTION)
        .complexity("O(N) where N is the number of commands to look up")
        .history(&[("7.0.0", "Allowed to be called with no argument to get info on all commands.")])
        .tips(&["nondeterministic_output_order"])
        .summary("Describes commands.")
        .syntax("command-name:string?*"),
    row(Command::new("LIST", command::list), -2, ANY_TIME, "7.0.0")
        .acl(acl::CONNECTION)
        .complexity("O(N) where N is the total number of Redis commands")
        .tips(&["nondeterministic_output_order"])
        .summary("Lists the names of commands.")
        .syntax(
            "FILTERBY@filterby(MODULE@module-name:string|ACLCAT@category:string|PATTERN@pattern:pattern)?",
        ),
];

pub const MEMORY: &[Command] = &[
    row(Command::new("DOCTOR", memory::doctor), 2, 0, "4.0.0")
        .complexity("O(1)")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .summary("Tells of problems with memory."),
    row(Command::new("HELP", memory::help), 2, ANY_TIME, "4.0.0").complexity("O(1)").summary(HELP_SUMMARY),
    row(Command::new("MALLOC-STATS", memory::malloc_stats), 2, 0, "4.0.0")
        .complexity("Depends on how much memory is allocated, could be slow")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .summary("Returns what the allocator tells."),
    row(Command::on_all("PURGE", memory::purge, keyspace::ok), 2, 0, "4.0.0")
        .complexity("Depends on how much memory is allocated, could be slow")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .summary("Has the allocator give memory back."),
    row(Command::on_all("STATS", memory::stats_part, memory::stats), 2, SESSIONS, "4.0.0")
        .complexity("O(1)")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .summary("Tells what memory is used for."),
    row(Command::new("USAGE", memory::usage), -3, READONLY, "4.0.0")
        .keys(USAGE_KEYS)
        .complexity("O(N) where N is the number of samples.")
        .summary("Tells how many bytes a key takes.")
        .syntax("key:key SAMPLES@count:integer?"),
];

pub const SLOWLOG: &[Command] = &[
    row(Command::on_all("GET", slowlog::part, slowlog::get), -2, ADMIN | ANY_TIME, "2.2.12")
        .prepare(slowlog::prepare_get)
        .complexity("O(N) where N is the number of entries returned")
        .history(&[
            ("4.0.0", "Added client IP address, port and name to the reply."),
            ("8.10.0", "Added original command argument count to the reply."),
        ])
        .tips(&["request_policy:all_nodes", "nondeterministic_output"])
        .summary("Returns entries.")
        .syntax("count:integer?"),
    row(Command::new("HELP", slowlog::help), 2, ANY_TIME, "6.2.0").complexity("O(1)").summary(HELP_SUMMARY),
    row(Command::on_all("LEN", slowlog::len_part, slowlog::len), 2, ADMIN | ANY_TIME, "2.2.12")
        .complexity("O(1)")
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"])
        .summary("Counts the entries."),
    row(Command::on_all("RESET", slowlog::reset, keyspace::ok), 2, ADMIN | ANY_TIME, "2.2.12")
        .complexity("O(N) where N is the number of entries in the slowlog")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .summary("Removes all entries."),
];

const REPORT_TIPS: &[&str] =
    &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

pub const LATENCY: &[Command] = &[
    row(Command::on_all("DOCTOR", latency::part, latency_reports::doctor), 2, ADMINISTRATION, "2.8.13")
        .complexity("O(1)")
        .tips(REPORT_TIPS)
        .summary("Reports on latency in words."),
    row(Command::on_all("GRAPH", latency::part, latency_reports::graph), 3, ADMINISTRATION, "2.8.13")
        .complexity("O(1)")
        .tips(REPORT_TIPS)
        .summary("Draws the latency of an event.")
        .syntax("event:string"),
    row(Command::new("HELP", latency::help), 2, ANY_TIME, "2.8.13").complexity("O(1)").summary(HELP_SUMMARY),
    row(Command::on_all("HISTOGRAM", latency::times_part, latency::histogram), -2, ADMINISTRATION, "7.0.0")
        .complexity("O(N) where N is the number of commands with latency information being retrieved.")
        .tips(REPORT_TIPS)
        .summary("Tells how many calls of commands took how long.")
        .syntax("command:string?*"),
    row(Command::on_all("HISTORY", latency::part, latency::history), 3, ADMINISTRATION, "2.8.13")
        .complexity("O(1)")
        .tips(REPORT_TIPS)
        .summary("Returns the samples of an event.")
        .syntax("event:string"),
    row(Command::on_all("LATEST", latency::part, latency::latest), 2, ADMINISTRATION, "2.8.13")
        .complexity("O(1)")
        .tips(REPORT_TIPS)
        .summary("Returns the latest sample of every event."),
    row(Command::on_all("RESET", latency::reset_part, latency::reset), -2, ADMINISTRATION, "2.8.13")
        .complexity("O(1)")
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum"])
        .summary("Forgets events.")
        .syntax("event:string?*"),
];

const MODULES: u32 = NO_ASYNC_LOADING | ADMIN | NOSCRIPT | PROTECTED;

pub const MODULE: &[Command] = &[
    row(Command::new("HELP", process::module_help), 2, ANY_TIME, "5.0.0")
        .complexity("O(1)")
        .summary(HELP_SUMMARY),
    row(Command::new("LIST", process::module_list), 2, ADMIN | NOSCRIPT, "4.0.0")
        .complexity("O(N) where N is the number of loaded modules.")
        .tips(&["nondeterministic_output_order"])
        .summary("Lists the modules: there are none."),
    row(Command::new("LOAD", process::module_refused), -3, MODULES, "4.0.0")
        .complexity("O(1)")
        .summary("Modules of Redis cannot be loaded.")
        .syntax("path:string arg:string?*"),
    row(Command::new("LOADEX", process::module_refused), -3, MODULES, "7.0.0")
        .complexity("O(1)")
        .summary("Modules of Redis cannot be loaded.")
        .syntax("path:string CONFIG@configs{name:string value:string}?** ARGS@args:string?*"),
    row(Command::new("UNLOAD", process::module_refused), 3, MODULES, "4.0.0")
        .complexity("O(1)")
        .summary("Modules of Redis cannot be loaded.")
        .syntax("name:string"),
];
