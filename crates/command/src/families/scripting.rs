//! Scripts: EVAL and its kin, SCRIPT.

use crate::scripting::whole::evaluate;
use crate::scripting::{Sha, is_by_name};
use crate::spec::{KeySpec, PartHandler, access, acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome, ShardCx, help as help_form};
use base::sha1::sha1_hex;
use resp::{Reply, reader};

const fn eval(name: &'static str, keys: &'static [KeySpec], more: u32) -> Command {
    Command::new(name, evaluate)
        .arity(-3)
        .keys(keys)
        .flags(
            NOSCRIPT | STALE | SKIP_MONITOR | MAY_REPLICATE | NO_MANDATORY_KEYS | MOVABLEKEYS | SCRIPT | more,
        )
        .acl(acl::SCRIPTING)
        .group("scripting")
        .complexity("Depends on the script that is executed.")
}

const fn sub(name: &'static str, part: PartHandler, arity: i16, flags: u32) -> Command {
    Command::on_all(name, part, first)
        .arity(arity)
        .flags(flags)
        .acl(acl::SCRIPTING)
        .group("scripting")
        .since("2.6.0")
}

const WORST: &str = "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE";
const WORST_READ: &str = "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS";
const CHANGED: u16 = access::RW | access::ACCESS | access::UPDATE;
const READ_ONLY: u16 = access::RO | access::ACCESS;

pub const COMMANDS: &[Command] = &[
    eval("EVAL", &[KeySpec::counted(2, CHANGED).notes(WORST)], 0)
        .since("2.6.0")
        .summary("Runs a Lua script.")
        .syntax("script:string numkeys:integer key:key?* arg:string?*"),
    eval("EVALSHA", &[KeySpec::counted(2, CHANGED)], 0)
        .since("2.6.0")
        .summary("Runs a Lua script that the server knows by its SHA1 digest.")
        .syntax("sha1:string numkeys:integer key:key?* arg:string?*"),
    eval("EVAL_RO", &[KeySpec::counted(2, READ_ONLY).notes(WORST_READ)], READONLY)
        .since("7.0.0")
        .summary("Runs a Lua script that may not write.")
        .syntax("script:string numkeys:integer key:key?* arg:string?*"),
    eval("EVALSHA_RO", &[KeySpec::counted(2, READ_ONLY)], READONLY)
        .since("7.0.0")
        .summary("Runs a Lua script, which may not write, that the server knows by its SHA1 digest.")
        .syntax("sha1:string numkeys:integer key:key?* arg:string?*"),
    Command::container("SCRIPT", SCRIPTS)
        .acl(acl::SCRIPTING)
        .group("scripting")
        .since("2.6.0")
        .complexity("Depends on subcommand.")
        .summary("Commands about cached scripts."),
];

const SCRIPTS: &[Command] = &[
    sub("DEBUG", nothing, 3, NOSCRIPT)
        .prepare(debug)
        .since("3.2.0")
        .complexity("O(1)")
        .summary("Sets the debug mode of scripts, of which there is none.")
        .syntax("mode(yes=YES|sync=SYNC|no=NO)"),
    sub("EXISTS", exists, -3, NOSCRIPT)
        .complexity("O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).")
        .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"])
        .summary("Tells which scripts are cached.")
        .syntax("sha1:string*"),
    sub("FLUSH", flush, -2, NOSCRIPT)
        .complexity("O(N) with N being the number of scripts in cache")
        .history(&[("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers.")])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .summary("Removes all scripts from the cache.")
        .syntax("flush-type(async=ASYNC|sync=SYNC)?^6.2.0"),
    Command::new("HELP", help)
        .arity(2)
        .flags(LOADING | STALE)
        .acl(acl::SCRIPTING)
        .group("scripting")
        .since("5.0.0")
        .complexity("O(1)")
        .summary("Describes the subcommands."),
    Command::on_all("KILL", kill, merge_kill)
        .arity(2)
        .flags(NOSCRIPT | ALLOW_BUSY)
        .acl(acl::SCRIPTING)
        .group("scripting")
        .since("2.6.0")
        .complexity("O(1)")
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"])
        .summary("Ends a script that has not written yet."),
    sub("LOAD", load, 3, NOSCRIPT | STALE)
        .complexity("O(N) with N being the length in bytes of the script body.")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .summary("Puts a script into the cache.")
        .syntax("script:string"),
];

fn nothing(_: &mut Cx<'_>, _: Args<'_>, _: &mut Reply) -> Outcome {
    Ok(())
}

/// All shards answer the same.
fn first(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    out.raw(parts[0]);
    Ok(())
}

/// SCRIPT DEBUG YES|SYNC|NO
fn debug(_: &mut Cx<'_>, _: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    Err(Error::err("SCRIPT DEBUG is not supported: there is no debugger for scripts"))
}

/// SCRIPT LOAD script
fn load(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let sha = cx.shard.scripts.load(&args[2], false)?;
    out.bulk(&sha);
    Ok(())
}

/// SCRIPT EXISTS sha1 [sha1 …]
fn exists(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    out.array(args.len() - 2);
    for name in args.from(2) {
        let sha: Option<Sha> = name.to_ascii_lowercase().try_into().ok();
        out.int(i64::from(sha.is_some_and(|sha| cx.shard.scripts.get(&sha).is_some())));
    }
    Ok(())
}

/// SCRIPT FLUSH [ASYNC|SYNC]
fn flush(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let fits = args.len() == 2 || args.len() == 3 && (args.is(2, "ASYNC") || args.is(2, "SYNC"));
    if !fits {
        return Err(Error::err("SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    cx.shard.scripts.flush();
    out.ok();
    Ok(())
}

const UNKILLABLE: &str = "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.";

/// SCRIPT KILL, on one shard: what there was to end, and whether that could be.
fn kill(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.int(match cx.shard.scripts.kill(false) {
        None => NO_SCRIPT,
        Some(false) => HAS_WRITTEN,
        Some(true) => KILLED,
    });
    Ok(())
}

const NO_SCRIPT: i64 = 0;
const HAS_WRITTEN: i64 = 1;
const KILLED: i64 = 2;

/// What has happened on any shard counts more than that nothing has on others.
fn merge_kill(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    match parts.iter().filter_map(|part| reader::integer(part)).max() {
        Some(KILLED) => out.ok(),
        Some(HAS_WRITTEN) => return Err(Error::text(UNKILLABLE)),
        _ => return Err(Error::text("NOTBUSY No scripts in execution right now.")),
    }
    Ok(())
}

/// SCRIPT HELP
fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    help_form::lines(
        out,
        "SCRIPT",
        &[
            "DEBUG (YES|SYNC|NO)",
            "    Set the debug mode for subsequent scripts executed.",
            "EXISTS <sha1> [<sha1> ...]",
            "    Return information about the existence of the scripts in the script cache.",
            "FLUSH [ASYNC|SYNC]",
            "    Flush the Lua scripts cache. Very dangerous on replicas.",
            "    When called without the optional mode argument, the behavior is determined",
            "    by the lazyfree-lazy-user-flush configuration directive. Valid modes are:",
            "    * ASYNC: Asynchronously flush the scripts cache.",
            "    * SYNC: Synchronously flush the scripts cache.",
            "KILL",
            "    Kill the currently executing Lua script.",
            "LOAD <script>",
            "    Load a script into the scripts cache without executing it.",
        ],
    );
    Ok(())
}

/// A script that EVAL brings and that this shard does not know yet: all others are to learn it, too.
///
/// # Errors
/// It does not compile.
pub fn learn(cx: &mut ShardCx, args: Args<'_>) -> Result<bool, Error> {
    if is_by_name(args.at(0)) || cx.scripts.get(&sha1_hex(args.at(1))).is_some() {
        return Ok(false);
    }
    cx.scripts.load(args.at(1), true).map(|_| true)
}
