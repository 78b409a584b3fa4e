//! Scripts: EVAL and its kin, SCRIPT.

use crate::parts::Part;
use crate::scripting::whole::evaluate;
use crate::scripting::{Form, Killing, Sha};
use crate::spec::{Handler, KeySpec, PartHandler, access, acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome, ShardCx, help as help_form};
use resp::Reply;

/// A command that runs a script or a function.
pub(super) const fn eval(
    name: &'static str,
    handler: Handler,
    keys: &'static [KeySpec],
    more: u64,
) -> Command {
    Command::new(name, handler)
        .arity(-3)
        .keys(keys)
        .flags(
            NOSCRIPT | STALE | SKIP_MONITOR | MAY_REPLICATE | NO_MANDATORY_KEYS | MOVABLEKEYS | SCRIPT | more,
        )
        .acl(acl::SCRIPTING)
        .group("scripting")
        .complexity("Depends on the script that is executed.")
}

const fn sub(name: &'static str, part: PartHandler, arity: i16, flags: u64) -> Command {
    Command::on_all(name, part, first)
        .arity(arity)
        .flags(flags)
        .acl(acl::SCRIPTING)
        .group("scripting")
        .since("2.6.0")
}

pub(super) const WORST: &str =
    "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE";
pub(super) const WORST_READ: &str =
    "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS";
pub(super) const CHANGED: u16 = access::RW | access::ACCESS | access::UPDATE;
pub(super) const READ_ONLY: u16 = access::RO | access::ACCESS;

pub const COMMANDS: &[Command] = &[
    eval("EVAL", run_eval, &[KeySpec::counted(2, CHANGED).notes(WORST)], 0)
        .since("2.6.0")
        .summary("Runs a Lua script.")
        .syntax("script:string numkeys:integer key:key?* arg:string?*"),
    eval("EVALSHA", run_evalsha, &[KeySpec::counted(2, CHANGED)], 0)
        .since("2.6.0")
        .summary("Runs a Lua script that the server knows by its SHA1 digest.")
        .syntax("sha1:string numkeys:integer key:key?* arg:string?*"),
    eval("EVAL_RO", run_eval_ro, &[KeySpec::counted(2, READ_ONLY).notes(WORST_READ)], READONLY)
        .since("7.0.0")
        .summary("Runs a Lua script that may not write.")
        .syntax("script:string numkeys:integer key:key?* arg:string?*"),
    eval("EVALSHA_RO", run_evalsha_ro, &[KeySpec::counted(2, READ_ONLY)], READONLY)
        .since("7.0.0")
        .summary("Runs a Lua script, which may not write, that the server knows by its SHA1 digest.")
        .syntax("sha1:string numkeys:integer key:key?* arg:string?*"),
    Command::container("SCRIPT", SCRIPTS)
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

/// EVAL script numkeys [key …] [arg …]
fn run_eval(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    evaluate(cx, Form::EVAL, args, out)
}

/// EVALSHA sha1 numkeys [key …] [arg …]
fn run_evalsha(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    evaluate(cx, Form::EVALSHA, args, out)
}

/// EVAL_RO script numkeys [key …] [arg …]
fn run_eval_ro(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    evaluate(cx, Form::EVAL.read_only(), args, out)
}

/// EVALSHA_RO sha1 numkeys [key …] [arg …]
fn run_evalsha_ro(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    evaluate(cx, Form::EVALSHA.read_only(), args, out)
}

fn nothing(_: &mut Cx<'_>, _: Args<'_>, _: &mut Reply) -> Outcome {
    Ok(())
}

/// All shards answer the same.
pub(super) fn first(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
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

/// SCRIPT KILL, on one shard.
fn kill(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.int(cx.shard.scripts.kill(false) as i64);
    Ok(())
}

fn merge_kill(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    tell_killing(parts, Error::BUSY_FUNCTION, out)
}

const UNKILLABLE: &str = "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.";

/// What has happened on any shard counts more than that nothing has on others. `other`: what runs is not of this kind.
pub(super) fn tell_killing(parts: &[&[u8]], other: Error, out: &mut Reply) -> Outcome {
    let killing = parts.iter().map(|part| Part::new(part).int()).max();
    if killing == Some(Killing::Killed as i64) {
        out.ok();
        return Ok(());
    }
    Err(match killing {
        Some(it) if it == Killing::HasWritten as i64 => Error::text(UNKILLABLE),
        Some(it) if it == Killing::OtherKind as i64 => other,
        _ => Error::text("NOTBUSY No scripts in execution right now."),
    })
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
pub fn learn(cx: &mut ShardCx, form: Form, args: Args<'_>) -> Result<bool, Error> {
    if form.is_function || form.by_digest || cx.scripts.get(&cx.scripts.digest(args.at(1))).is_some() {
        return Ok(false);
    }
    cx.scripts.load(args.at(1), true).map(|_| true)
}
