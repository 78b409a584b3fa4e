//! The process: time, role, saving, ending; modules, of which there are none.

use super::{ANY_TIME, HELP_SUMMARY, keyspace, row, server};
use crate::saving::{Purpose, Refused};
use crate::spec::{acl, flag::*};
use crate::state::Effect;
use crate::{Args, Command, Cx, Error, Outcome, ShardCx, help as help_form};
use resp::Reply;

const MODULES: u64 = NO_ASYNC_LOADING | ADMIN | NOSCRIPT | PROTECTED;

pub const COMMANDS: &[Command] = &[
    server(Command::new("TIME", time))
        .arity(1)
        .flags(LOADING | STALE | FAST)
        .since("2.6.0")
        .complexity("O(1)")
        .tips(&["nondeterministic_output"])
        .summary("Returns the server's time."),
    server(Command::new("ROLE", role))
        .arity(1)
        .flags(NOSCRIPT | LOADING | STALE | FAST)
        .acl(acl::ADMIN | acl::DANGEROUS)
        .since("2.8.12")
        .complexity("O(1)")
        .summary("Tells the role in replication."),
    server(Command::new("LASTSAVE", lastsave))
        .arity(1)
        .flags(LOADING | STALE | FAST)
        .acl(acl::ADMIN | acl::DANGEROUS)
        .complexity("O(1)")
        .tips(&["nondeterministic_output"])
        .summary("Returns when the data was last saved, or the start of the server."),
    server(Command::on_all("SAVE", save_part, saved).prepare(begin_save))
        .arity(1)
        .flags(NO_ASYNC_LOADING | ADMIN | NOSCRIPT | NO_MULTI)
        .complexity("O(N) where N is the total number of keys in all databases")
        .summary("Saves all data to disk while clients wait."),
    server(Command::on_all("BGSAVE", bgsave_part, bgsave_begun).prepare(begin_bgsave))
        .arity(-1)
        .flags(NO_ASYNC_LOADING | ADMIN | NOSCRIPT)
        .complexity("O(1)")
        .history(&[("3.2.2", "Added the `SCHEDULE` option.")])
        .summary("Saves all data to disk in the background.")
        .syntax("schedule=SCHEDULE?^3.2.2"),
    server(Command::on_all("BGREWRITEAOF", rewrite_part, rewrite_begun).prepare(begin_rewrite))
        .arity(1)
        .flags(NO_ASYNC_LOADING | ADMIN | NOSCRIPT)
        .complexity("O(1)")
        .summary("Rewrites the append-only file in the background."),
    server(Command::new("SHUTDOWN", shutdown))
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
    server(Command::on_all("MONITOR", monitor_part, keyspace::ok).prepare_adding(monitor))
        .arity(1)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE)
        .summary("Shows every command as it is received."),
    server(Command::container("MODULE", MODULE))
        .since("4.0.0")
        .complexity("Depends on subcommand.")
        .summary("Commands about modules."),
];

const MODULE: &[Command] = &[
    row(Command::new("HELP", module_help), 2, ANY_TIME, "5.0.0").complexity("O(1)").summary(HELP_SUMMARY),
    row(Command::new("LIST", module_list), 2, ADMIN | NOSCRIPT, "4.0.0")
        .complexity("O(N) where N is the number of loaded modules.")
        .tips(&["nondeterministic_output_order"])
        .summary("Lists the modules: there are none."),
    row(Command::new("LOAD", module_refused), -3, MODULES, "4.0.0")
        .complexity("O(1)")
        .summary("Modules of Redis cannot be loaded.")
        .syntax("path:string arg:string?*"),
    row(Command::new("LOADEX", module_refused), -3, MODULES, "7.0.0")
        .complexity("O(1)")
        .summary("Modules of Redis cannot be loaded.")
        .syntax("path:string CONFIG@configs{name:string value:string}?** ARGS@args:string?*"),
    row(Command::new("UNLOAD", module_refused), 3, MODULES, "4.0.0")
        .complexity("O(1)")
        .summary("Modules of Redis cannot be loaded.")
        .syntax("name:string"),
];

/// TIME
fn time(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let now_us = cx.shard.in_script.unwrap_or_else(|| cx.shard.wall_us());
    out.array(2);
    out.bulk_int((now_us / 1_000_000) as i64);
    out.bulk_int((now_us % 1_000_000) as i64);
    Ok(())
}

/// ROLE
fn role(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.array(3);
    out.bulk(b"master");
    out.int(0);
    out.array(0);
    Ok(())
}

/// LASTSAVE: as in Redis the start of the server until something has been saved.
fn lastsave(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let report = cx.shard.saver.as_ref().map(|saver| saver.report());
    out.int(report.map_or(cx.shard.started_ms / 1000, |report| report.last_save_s) as i64);
    Ok(())
}

/// Opens the file of a save; its parts begin next.
fn begin(cx: &Cx<'_>) -> Result<(), Error> {
    cx.shard.open_save(Purpose::Snapshot).map_err(|refused| match refused {
        Refused::UnderWay(Purpose::Snapshot) => Error::err("Background save already in progress"),
        Refused::UnderWay(Purpose::Rewrite) => Error::err(
            "An AOF log rewriting in progress: can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE \
             whenever possible.",
        ),
        Refused::Failed => Error::text("ERR"),
    })
}

/// A rewrite gives way to what may not wait, and begins anew later.
pub(super) fn postpone_rewrite(cx: &Cx<'_>) {
    if let Some(saver) = cx.shard.saver.as_ref().filter(|saver| saver.is_rewriting()) {
        saver.give_up();
        saver.schedule(Purpose::Rewrite);
    }
}

fn words(args: Args<'_>) -> Vec<Vec<u8>> {
    args.from(0).map(<[u8]>::to_vec).collect()
}

/// SAVE: all shards do nothing else until the data is on disk.
fn begin_save(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    postpone_rewrite(cx);
    begin(cx).map(|()| words(args))
}

fn save_part(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    cx.shard.begin_saving();
    while cx.shard.save_on() {}
    out.ok();
    Ok(())
}

fn saved(cx: &mut ShardCx, _: Args<'_>, _: &[&[u8]], out: &mut Reply) -> Outcome {
    if !cx.saver.as_ref().is_some_and(|saver| saver.wait()) {
        return Err(Error::text("ERR"));
    }
    out.ok();
    Ok(())
}

/// BGSAVE [SCHEDULE | CANCEL]
fn begin_bgsave(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    if args.len() == 2 && args.is(1, "CANCEL") {
        let is_under_way = cx.shard.saver.as_ref().is_some_and(|saver| saver.report().under_way.is_some());
        let refusal = "Background saving is currently not in progress or scheduled";
        return if is_under_way { Ok(words(args)) } else { Err(Error::err(refusal)) };
    }
    if args.len() > 2 || args.len() == 2 && !args.is(1, "SCHEDULE") {
        return Err(Error::SYNTAX);
    }
    let saver = cx.shard.saver.as_ref().filter(|saver| saver.is_rewriting());
    if args.len() == 2
        && let Some(saver) = saver
    {
        saver.schedule(Purpose::Snapshot);
        return Ok(vec![args[0].to_vec(), LATER.to_vec()]);
    }
    begin(cx).map(|()| words(args))
}

/// In place of an argument of the parts: nothing begins now.
const LATER: &[u8] = b"later";

fn is_for_later(args: Args<'_>) -> bool {
    args.get(1) == Some(LATER)
}

fn bgsave_part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    match args.len() == 2 && args.is(1, "CANCEL") {
        _ if is_for_later(args) => {}
        true => cx.shard.give_up_saving(),
        false => cx.shard.begin_saving(),
    }
    out.ok();
    Ok(())
}

fn bgsave_begun(_: &mut ShardCx, args: Args<'_>, _: &[&[u8]], out: &mut Reply) -> Outcome {
    out.status(match args.len() == 2 && args.is(1, "CANCEL") {
        _ if is_for_later(args) => "Background saving scheduled",
        true => "Background saving cancelled",
        false => "Background saving started",
    });
    Ok(())
}

/// BGREWRITEAOF. What a transaction has done so far is written down when it is over, which must not be behind what a base contains: so none
/// begins in one.
fn begin_rewrite(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let begun = if cx.deny_blocking {
        Err(Refused::UnderWay(Purpose::Snapshot))
    } else {
        cx.shard.open_save(Purpose::Rewrite)
    };
    match (begun, &cx.shard.saver) {
        (Ok(()), _) => Ok(words(args)),
        (Err(Refused::UnderWay(Purpose::Snapshot)), Some(saver)) => {
            saver.schedule(Purpose::Rewrite);
            Ok(vec![args[0].to_vec(), LATER.to_vec()])
        }
        (Err(Refused::UnderWay(_)), _) => {
            Err(Error::err("Background append only file rewriting already in progress"))
        }
        (Err(Refused::Failed), _) => Err(Error::err(
            "Can't execute an AOF background rewriting. Please check the server logs for more information.",
        )),
    }
}

fn rewrite_part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if !is_for_later(args) {
        cx.shard.begin_rewriting();
    }
    out.ok();
    Ok(())
}

fn rewrite_begun(_: &mut ShardCx, args: Args<'_>, _: &[&[u8]], out: &mut Reply) -> Outcome {
    out.status(if is_for_later(args) {
        "Background append only file rewriting scheduled"
    } else {
        "Background append only file rewriting started"
    });
    Ok(())
}

/// SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]
fn shutdown(cx: &mut Cx<'_>, args: Args<'_>, _: &mut Reply) -> Outcome {
    let (mut save, mut nosave, mut now, mut force, mut abort) = (false, false, false, false, false);
    for at in 1..args.len() {
        let known = [
            ("SAVE", &mut save),
            ("NOSAVE", &mut nosave),
            ("NOW", &mut now),
            ("FORCE", &mut force),
            ("ABORT", &mut abort),
        ];
        let option = known.into_iter().find(|(word, _)| args.is(at, word)).ok_or_else(|| Error::SYNTAX)?;
        *option.1 = true;
    }
    if save && nosave || abort && args.len() > 2 {
        return Err(Error::SYNTAX);
    }
    if abort {
        return Err(Error::err("No shutdown in progress."));
    }
    let can_save = cx.shard.saver.is_some();
    if save && !can_save && !force {
        return Err(Error::CANNOT_END);
    }
    if cx.shard.saver.as_ref().is_some_and(|saver| saver.refuses_end(force)) {
        return Err(Error::CANNOT_END);
    }
    // What has been loaded so far is not to take the place of what there is to load.
    let can_save = can_save && !cx.shard.is_loading;
    let saves = can_save && (save || !nosave && !cx.shard.config.save.is_empty());
    let conn = cx.conn;
    cx.shard.effects.push(if saves {
        Effect::SaveAndEnd { conn, now, force }
    } else {
        Effect::Shutdown { now }
    });
    Ok(())
}

/// What comes of a SHUTDOWN that saves: first no shard begins anything for its clients any more, then all that has begun comes to its
/// end before the data is saved. So what is saved is all that anybody was told of. The argument is the shard that asks; it is told.
pub const CLOSE: Command = Command::on_all("SHUTDOWN", close_part, closed);

fn close_part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if std::mem::replace(&mut cx.shard.is_closed, true) {
        // Another end has come to every shard before this one.
        if args.int(1)? == i64::from(cx.shard.id) {
            cx.shard.effects.push(Effect::Closed { is_refused: true });
        }
        return Err(Error::CANNOT_END);
    }
    out.ok();
    Ok(())
}

fn closed(cx: &mut ShardCx, _: Args<'_>, _: &[&[u8]], _: &mut Reply) -> Outcome {
    cx.effects.push(Effect::Closed { is_refused: false });
    Ok(())
}

/// The end did not come: clients are served again.
pub const REOPEN: Command = Command::on_all("SHUTDOWN", reopen_part, keyspace::ok);

fn reopen_part(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    cx.shard.is_closed = false;
    out.ok();
    Ok(())
}

/// MONITOR; the parts get the number of the monitor's shard.
fn monitor(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    if cx.deny_blocking {
        return Err(Error::err("MONITOR isn't allowed for DENY BLOCKING client"));
    }
    let conn = cx.conn.expect("prepared on the client's shard");
    cx.session().monitor = true;
    if !cx.shard.monitoring.contains(&conn) {
        cx.shard.monitoring.push(conn);
    }
    Ok(vec![args[0].to_vec(), cx.shard.id.to_string().into_bytes()])
}

fn monitor_part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let shard = args.int(1)? as u16;
    if !cx.shard.monitors.contains(&shard) {
        cx.shard.monitors.push(shard);
    }
    out.ok();
    Ok(())
}

/// MODULE LIST
fn module_list(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.array(0);
    Ok(())
}

/// MODULE LOAD, LOADEX, UNLOAD
fn module_refused(_: &mut Cx<'_>, args: Args<'_>, _: &mut Reply) -> Outcome {
    if args.is(1, "UNLOAD") {
        return Err(Error::err("Error unloading module: no such module with that name"));
    }
    Err(Error::err("Error loading the extension: modules written for Redis cannot be loaded"))
}

/// MODULE HELP
fn module_help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let lines = [
        ("LIST", "List the modules: there are none."),
        ("LOAD <path> [<arg> ...]", "Refused: modules written for Redis cannot be loaded."),
        ("LOADEX <path> [[CONFIG NAME VALUE]...] [ARGS ...]", "Refused likewise."),
        ("UNLOAD <name>", "Refused likewise."),
    ];
    help_form::reply(out, "MODULE", &lines);
    Ok(())
}
