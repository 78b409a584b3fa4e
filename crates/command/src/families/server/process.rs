//! The process: time, role, saving, ending; modules, of which there are none.

use crate::state::Effect;
use crate::{Args, Cx, Error, Outcome, help as help_form};
use resp::Reply;

/// TIME
pub fn time(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let now_us = cx.shard.wall_us();
    out.array(2);
    out.bulk_int((now_us / 1_000_000) as i64);
    out.bulk_int((now_us % 1_000_000) as i64);
    Ok(())
}

/// ROLE
pub fn role(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.array(3);
    out.bulk(b"master");
    out.int(0);
    out.array(0);
    Ok(())
}

/// LASTSAVE: as in Redis the start of the server until something has been saved.
pub fn lastsave(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.int((cx.shard.started_ms / 1000) as i64);
    Ok(())
}

/// SAVE, BGSAVE, BGREWRITEAOF
pub fn save(_: &mut Cx<'_>, args: Args<'_>, _: &mut Reply) -> Outcome {
    if args.is(0, "BGSAVE") && args.len() > 1 && (args.len() > 2 || !args.is(1, "SCHEDULE")) {
        return Err(Error::SYNTAX);
    }
    Err(Error::err("persistence is not part of this version: nothing is saved"))
}

/// SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]
pub fn shutdown(cx: &mut Cx<'_>, args: Args<'_>, _: &mut Reply) -> Outcome {
    let (mut save, mut nosave, mut now, mut force, mut abort) = (false, false, false, false, false);
    for at in 1..args.len() {
        let known = [
            ("SAVE", &mut save),
            ("NOSAVE", &mut nosave),
            ("NOW", &mut now),
            ("FORCE", &mut force),
            ("ABORT", &mut abort),
        ];
        let option = known.into_iter().find(|(word, _)| args.is(at, word)).ok_or(Error::SYNTAX)?;
        *option.1 = true;
    }
    if save && nosave || abort && args.len() > 2 {
        return Err(Error::SYNTAX);
    }
    if abort {
        return Err(Error::err("No shutdown in progress."));
    }
    if save && !force {
        return Err(Error::err("Errors trying to SHUTDOWN. Check logs."));
    }
    cx.shard.effects.push(Effect::Shutdown { now });
    Ok(())
}

/// MONITOR; the parts get the number of the monitor's shard.
pub fn monitor(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let conn = cx.conn.expect("prepared on the client's shard");
    cx.session().monitor = true;
    if !cx.shard.monitoring.contains(&conn) {
        cx.shard.monitoring.push(conn);
    }
    Ok(vec![args[0].to_vec(), cx.shard.id.to_string().into_bytes()])
}

pub fn monitor_part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let shard = args.int(1)? as u16;
    if !cx.shard.monitors.contains(&shard) {
        cx.shard.monitors.push(shard);
    }
    out.ok();
    Ok(())
}

/// MODULE LIST
pub fn module_list(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.array(0);
    Ok(())
}

/// MODULE LOAD, LOADEX, UNLOAD
pub fn module_refused(_: &mut Cx<'_>, args: Args<'_>, _: &mut Reply) -> Outcome {
    if args.is(1, "UNLOAD") {
        return Err(Error::err("Error unloading module: no such module with that name"));
    }
    Err(Error::err("Error loading the extension: modules written for Redis cannot be loaded"))
}

/// MODULE HELP
pub fn module_help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let lines = [
        ("LIST", "List the modules: there are none."),
        ("LOAD <path> [<arg> ...]", "Refused: modules written for Redis cannot be loaded."),
        ("LOADEX <path> [[CONFIG NAME VALUE]...] [ARGS ...]", "Refused likewise."),
        ("UNLOAD <name>", "Refused likewise."),
    ];
    help_form::reply(out, "MODULE", &lines);
    Ok(())
}
