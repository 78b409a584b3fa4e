//! Functions: FUNCTION, FCALL and FCALL_RO.

use super::scripting::{CHANGED, READ_ONLY, WORST, WORST_READ, eval, first, tell_killing};
use crate::parts::Part;
use crate::scripting::libraries::{self, Library, Trial};
use crate::scripting::whole::evaluate;
use crate::scripting::{Form, run::Overdue};
use crate::spec::{KeySpec, MergeHandler, PartHandler, acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome, ShardCx, help as help_form};
use base::glob::matches_nocase;
use resp::Reply;
use script::Function;

const fn row(mut row: Command, arity: i16, flags: u64) -> Command {
    (row.group, row.since, row.arity, row.flags, row.acl) =
        ("scripting", "7.0.0", arity, flags, acl::SCRIPTING);
    row
}

const fn sub(
    name: &'static str,
    (part, merge): (PartHandler, MergeHandler),
    arity: i16,
    flags: u64,
) -> Command {
    row(Command::on_all(name, part, merge), arity, NOSCRIPT | flags)
}

const ON_ALL: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

pub const COMMANDS: &[Command] = &[
    eval("FCALL", fcall, &[KeySpec::counted(2, CHANGED).notes(WORST)], 0)
        .complexity("Depends on the function that is executed.")
        .since("7.0.0")
        .summary("Calls a function of a library.")
        .syntax("function:string numkeys:integer key:key?* arg:string?*"),
    eval("FCALL_RO", fcall_ro, &[KeySpec::counted(2, READ_ONLY).notes(WORST_READ)], READONLY)
        .complexity("Depends on the function that is executed.")
        .since("7.0.0")
        .summary("Calls a function, which may not write, of a library.")
        .syntax("function:string numkeys:integer key:key?* arg:string?*"),
    Command::container("FUNCTION", FUNCTIONS)
        .group("scripting")
        .since("7.0.0")
        .complexity("Depends on subcommand.")
        .summary("Commands about libraries of functions."),
];

const FUNCTIONS: &[Command] = &[
    sub("DELETE", (delete, first), 3, WRITE)
        .complexity("O(1)")
        .tips(ON_ALL)
        .summary("Removes a library and its functions.")
        .syntax("library-name:string"),
    sub("DUMP", (dump, first), 2, 0)
        .complexity("O(N) where N is the number of functions")
        .summary("Returns all libraries as one string of bytes."),
    sub("FLUSH", (flush, first), -2, WRITE)
        .complexity("O(N) where N is the number of functions deleted")
        .tips(ON_ALL)
        .summary("Removes all libraries.")
        .syntax("flush-type(async=ASYNC|sync=SYNC)?"),
    row(Command::new("HELP", help), 2, LOADING | STALE)
        .complexity("O(1)")
        .summary("Describes the subcommands."),
    sub("KILL", (kill, merge_kill), 2, ALLOW_BUSY)
        .complexity("O(1)")
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"])
        .summary("Ends a function that has not written yet."),
    sub("LIST", (list, first), -2, 0)
        .complexity("O(N) where N is the number of functions")
        .tips(&["nondeterministic_output_order"])
        .summary("Tells about the libraries and their functions.")
        .syntax("LIBRARYNAME@library-name-pattern:string? withcode=WITHCODE?"),
    sub("LOAD", (load, first), -3, WRITE | DENYOOM)
        .prepare_adding(try_to_load)
        .complexity("O(1) (considering compilation time is redundant)")
        .tips(ON_ALL)
        .summary("Makes a library.")
        .syntax("replace=REPLACE? function-code:string"),
    sub("RESTORE", (restore, first), -3, WRITE | DENYOOM)
        .prepare_adding(try_to_restore)
        .complexity("O(N) where N is the number of functions on the payload")
        .tips(ON_ALL)
        .summary("Makes the libraries that FUNCTION DUMP has returned.")
        .syntax("serialized-value:string policy(flush=FLUSH|append=APPEND|replace=REPLACE)?"),
    sub("STATS", (stats, merge_stats), 2, ALLOW_BUSY)
        .complexity("O(1)")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .summary("Tells about the function that runs, and about the engines."),
];

/// FCALL function numkeys [key …] [arg …]
fn fcall(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    evaluate(cx, Form::FCALL, args, out)
}

/// FCALL_RO function numkeys [key …] [arg …]
fn fcall_ro(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    evaluate(cx, Form::FCALL.read_only(), args, out)
}

/// The client's words, and what came of the attempt.
fn with_trial(args: Args<'_>, trial: &Trial) -> Vec<Vec<u8>> {
    args.from(0).map(<[u8]>::to_vec).chain([trial.to_word()]).collect()
}

/// Whether a library may replace another one of its name.
fn load_options(args: Args<'_>, code_at: usize) -> Result<bool, Error> {
    match (2..code_at).find(|&index| !args.is(index, "REPLACE")) {
        Some(unknown) => Err(Error::naming("Unknown option given: ", args.at(unknown), "")),
        None => Ok(code_at > 2),
    }
}

fn try_to_load(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let code_at = args.len() - 1;
    load_options(args, code_at)?;
    let trial = Trial::of(cx.shard, std::iter::once(args.at(code_at).to_vec()));
    Ok(with_trial(args, &trial))
}

/// FUNCTION LOAD [REPLACE] code
fn load(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let code_at = args.len() - 2;
    let replace = load_options(args, code_at)?;
    let trial = Trial::from_word(args.at(code_at + 1));
    let name = libraries::load(cx.shard, args.at(code_at), replace, &trial)?;
    count_change(cx.shard);
    out.bulk(&name);
    Ok(())
}

/// All shards have changed together: one counts.
fn count_change(cx: &mut ShardCx) {
    cx.dirty += u64::from(cx.id == 0);
}

/// What FUNCTION RESTORE does with the libraries that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Flush,
    Append,
    Replace,
}

fn policy(args: Args<'_>, len: usize) -> Result<Policy, Error> {
    match len {
        3 => Ok(Policy::Append),
        4 if args.is(3, "APPEND") => Ok(Policy::Append),
        4 if args.is(3, "REPLACE") => Ok(Policy::Replace),
        4 if args.is(3, "FLUSH") => Ok(Policy::Flush),
        4 => Err(Error::err("Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")),
        _ => Err(Error::subcommand_syntax("FUNCTION", args.at(1))),
    }
}

/// The libraries in a payload.
fn codes<'a>(
    cx: &ShardCx,
    payload: &'a [u8],
) -> Result<impl Iterator<Item = Result<Vec<u8>, Error>> + use<'a>, Error> {
    use rdb::libraries::Refused;
    let open = if cx.skip_checksums { rdb::dump::open_unsummed } else { rdb::dump::open };
    let body = open(payload).ok_or_else(|| Error::BAD_DUMP)?;
    Ok(rdb::libraries::codes(body).map(|code| {
        code.map_err(|refused| {
            Error::err(match refused {
                Refused::Old => "Pre-GA function format not supported",
                Refused::Other => "given type is not a function",
                Refused::Code(_) => "Failed loading library payload",
            })
        })
    }))
}

fn try_to_restore(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    policy(args, args.len())?;
    let codes = codes(cx.shard, args.at(2))?;
    let trial = Trial::of(cx.shard, codes.map_while(Result::ok));
    Ok(with_trial(args, &trial))
}

/// FUNCTION RESTORE payload [FLUSH|APPEND|REPLACE]
fn restore(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let len = args.len() - 1;
    let policy = policy(args, len)?;
    let codes = codes(cx.shard, args.at(2))?;
    let shelf = libraries::load_all(cx.shard, codes, &Trial::from_word(args.at(len)))?;
    let functions = &mut cx.shard.scripts.functions;
    match policy {
        Policy::Flush => {
            functions.flush();
            functions.shelf = shelf;
        }
        Policy::Append | Policy::Replace => functions.shelf.join(shelf, policy == Policy::Replace)?,
    }
    count_change(cx.shard);
    out.ok();
    Ok(())
}

/// FUNCTION DELETE library
fn delete(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if !cx.shard.scripts.functions.delete(args.at(2)) {
        return Err(Error::err("Library not found"));
    }
    count_change(cx.shard);
    out.ok();
    Ok(())
}

/// FUNCTION DUMP
fn dump(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let libraries = cx.shard.scripts.functions.shelf.libraries();
    let codes = libraries.map(|(_, library)| &*library.code);
    out.bulk(&rdb::libraries::payload(codes, cx.shard.config.rdbcompression));
    Ok(())
}

/// FUNCTION FLUSH [ASYNC|SYNC]
fn flush(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 3 {
        return Err(Error::subcommand_syntax("FUNCTION", args.at(1)));
    }
    if args.len() == 3 && !args.is(2, "ASYNC") && !args.is(2, "SYNC") {
        return Err(Error::err("FUNCTION FLUSH only supports SYNC|ASYNC option"));
    }
    let is_async = args.len() == 2 && cx.shard.config.lazyfree_lazy_user_flush || args.is(2, "ASYNC");
    let functions = &mut cx.shard.scripts.functions;
    if is_async && cx.shard.id == 0 {
        // With the engine, as Redis counts. It does not take long: one interpreter goes as a whole.
        cx.shard.bin.count(functions.shelf.functions_count() as u64 + 1);
    }
    functions.flush();
    count_change(cx.shard);
    out.ok();
    Ok(())
}

/// FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]
fn list(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (mut pattern, mut with_code, mut at) = (None, false, 2);
    while at < args.len() {
        if !with_code && args.is(at, "WITHCODE") {
            with_code = true;
        } else if pattern.is_none() && args.is(at, "LIBRARYNAME") {
            at += 1;
            pattern = Some(args.get(at).ok_or_else(|| Error::err("library name argument was not given"))?);
        } else {
            return Err(Error::naming("Unknown argument ", args.at(at), ""));
        }
        at += 1;
    }
    let is_wanted = |name: &[u8]| pattern.is_none_or(|pattern| matches_nocase(pattern, name));
    let libraries = cx.shard.scripts.functions.shelf.libraries();
    let wanted: Vec<_> = libraries.filter(|(name, _)| is_wanted(name)).collect();
    out.array(wanted.len());
    wanted.into_iter().for_each(|(name, library)| write_library(name, library, with_code, out));
    Ok(())
}

fn write_library(name: &[u8], library: &Library, with_code: bool, out: &mut Reply) {
    out.map(if with_code { 4 } else { 3 });
    out.bulk(b"library_name");
    out.bulk(name);
    out.bulk(b"engine");
    out.bulk(b"LUA");
    out.bulk(b"functions");
    out.array(library.functions.len());
    library.functions.iter().for_each(|function| write_function(function, out));
    if with_code {
        out.bulk(b"library_code");
        out.bulk(&library.code);
    }
}

fn write_function(function: &Function, out: &mut Reply) {
    out.map(3);
    out.bulk(b"name");
    out.bulk(function.name());
    out.bulk(b"description");
    match function.description() {
        Some(description) => out.bulk(description),
        None => out.null(),
    }
    out.bulk(b"flags");
    out.set(function.flags().names().count());
    function.flags().names().for_each(|flag| out.status(flag));
}

/// FUNCTION KILL, on one shard.
fn kill(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.int(cx.shard.scripts.kill(true) as i64);
    Ok(())
}

fn merge_kill(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    tell_killing(parts, Error::BUSY, out)
}

/// FUNCTION STATS, on one shard: whether a script runs for too long, and the function that does.
fn stats(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let mut overdue = cx.shard.scripts.overdue_runs.values();
    out.int(i64::from(overdue.clone().any(|overdue| !overdue.is_function)));
    let Some(Overdue { name, command, begun_ns, .. }) = overdue.find(|overdue| overdue.is_function) else {
        out.array(0);
        return Ok(());
    };
    out.array(2 + command.len());
    out.bulk(name);
    let nanos = (cx.shard.platform.clock_ns)().saturating_sub(*begun_ns);
    out.int((nanos / 1_000_000) as i64);
    command.iter().for_each(|word| out.bulk(word));
    Ok(())
}

fn merge_stats(cx: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let (mut running, mut runs_script) = (None, false);
    for part in parts {
        let mut part = Part::new(part);
        runs_script |= part.int() != 0;
        let len = part.array();
        if len > 0 {
            let (name, millis) = (part.bulk(), part.int());
            let command: Vec<_> = (2..len).map(|_| part.bulk()).collect();
            running = running.or(Some((name, millis, command)));
        }
    }
    if running.is_none() && runs_script {
        return Err(Error::BUSY);
    }
    out.map(2);
    out.bulk(b"running_script");
    match running {
        None => out.null(),
        Some((name, millis, command)) => {
            out.map(3);
            out.bulk(b"name");
            out.bulk(name);
            out.bulk(b"command");
            out.array(command.len());
            command.into_iter().for_each(|word| out.bulk(word));
            out.bulk(b"duration_ms");
            out.int(millis);
        }
    }
    let shelf = &cx.scripts.functions.shelf;
    out.bulk(b"engines");
    out.map(1);
    out.bulk(b"LUA");
    out.map(2);
    out.bulk(b"libraries_count");
    out.count(shelf.libraries().len());
    out.bulk(b"functions_count");
    out.count(shelf.functions_count());
    Ok(())
}

/// FUNCTION HELP
fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    help_form::lines(
        out,
        "FUNCTION",
        &[
            "LOAD [REPLACE] <FUNCTION CODE>",
            "    Create a new library with the given library name and code.",
            "DELETE <LIBRARY NAME>",
            "    Delete the given library.",
            "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
            "    Return general information on all the libraries:",
            "    * Library name",
            "    * The engine used to run the Library",
            "    * Functions list",
            "    * Library code (if WITHCODE is given)",
            "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
            "STATS",
            "    Return information about the current function running:",
            "    * Function name",
            "    * Command used to run the function",
            "    * Duration in MS that the function is running",
            "    If no function is running, return nil",
            "    In addition, returns a list of available engines.",
            "KILL",
            "    Kill the current running function.",
            "FLUSH [ASYNC|SYNC]",
            "    Delete all the libraries.",
            "    When called without the optional mode argument, the behavior is determined by the",
            "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
            "    * ASYNC: Asynchronously flush the libraries.",
            "    * SYNC: Synchronously flush the libraries.",
            "DUMP",
            "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
            "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
            "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
            "    control how to handle existing libraries (default APPEND):",
            "    * FLUSH: delete all existing libraries.",
            "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
            "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
            "      libraries with the new libraries (notice that even on this option there is a chance of failure",
            "      in case of functions name collision with another library).",
        ],
    );
    Ok(())
}
