//! The subcommands of CLIENT that concern the connection itself, and those that hold all connections back.

use super::line;
use crate::args::is_word;
use crate::session::ReplyMode;
use crate::state::Pause;
use crate::{Args, Cx, Error, Outcome, ShardCx, help as help_form, parts};
use resp::Reply;

/// Whether a name keeps CLIENT LIST readable.
fn is_plain(name: &[u8]) -> bool {
    // What stands behind a zero byte is not looked at.
    name.iter().take_while(|&&b| b != 0).all(|b| (b'!'..=b'~').contains(b))
}

/// # Errors
/// When the name has blanks or unprintable characters.
pub fn check_name(name: &[u8]) -> Outcome {
    if is_plain(name) {
        return Ok(());
    }
    Err(Error::err("Client names cannot contain spaces, newlines or special characters."))
}

/// CLIENT SETNAME connection-name
pub fn setname(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_name(&args[2])?;
    cx.session().name = args[2].to_vec();
    out.ok();
    Ok(())
}

/// CLIENT GETNAME
pub fn getname(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let session = cx.session();
    if session.name.is_empty() {
        out.null()
    } else {
        out.bulk(&session.name)
    }
    Ok(())
}

/// CLIENT SETINFO LIB-NAME name | LIB-VER version
pub fn setinfo(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let is_name = args.is(2, "LIB-NAME");
    if !is_name && !args.is(2, "LIB-VER") {
        return Err(Error::naming("Unrecognized option '", &args[2], "'"));
    }
    if !is_plain(&args[3]) {
        return Err(Error::naming("", &args[2], " cannot contain spaces, newlines or special characters."));
    }
    let session = cx.session();
    let field = if is_name { &mut session.lib_name } else { &mut session.lib_ver };
    *field = args[3].to_vec();
    out.ok();
    Ok(())
}

/// CLIENT ID
pub fn id(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.int(cx.session().id as i64);
    Ok(())
}

/// CLIENT INFO
pub fn info(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms();
    let mut text = line::line(cx.session(), now_ms);
    text.push('\n');
    out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

/// CLIENT REPLY ON | OFF | SKIP
pub fn reply(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let session = cx.session();
    if args.is(2, "ON") {
        session.reply_mode = ReplyMode::On;
        out.ok();
    } else if args.is(2, "OFF") {
        session.reply_mode = ReplyMode::Off;
    } else if args.is(2, "SKIP") {
        if session.reply_mode != ReplyMode::Off {
            session.reply_mode = ReplyMode::SkipNext;
        }
    } else {
        return Err(Error::SYNTAX);
    }
    Ok(())
}

fn on_or_off(word: &[u8]) -> Result<bool, Error> {
    match word {
        word if is_word(word, "ON") => Ok(true),
        word if is_word(word, "OFF") => Ok(false),
        _ => Err(Error::SYNTAX),
    }
}

/// CLIENT NO-EVICT ON | OFF
pub fn no_evict(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    cx.session().no_evict = on_or_off(&args[2])?;
    out.ok();
    Ok(())
}

/// CLIENT NO-TOUCH ON | OFF
pub fn no_touch(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    cx.session().no_touch = on_or_off(&args[2])?;
    out.ok();
    Ok(())
}

/// CLIENT GETREDIR
pub fn getredir(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.int(-1);
    Ok(())
}

/// CLIENT TRACKINGINFO
pub fn trackinginfo(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.map(3);
    out.bulk(b"flags");
    out.set(1);
    out.bulk(b"off");
    out.bulk(b"redirect");
    out.int(-1);
    out.bulk(b"prefixes");
    out.array(0);
    Ok(())
}

/// CLIENT TRACKING ON | OFF …
pub fn tracking(_: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if on_or_off(&args[2])? {
        return Err(Error::err("CLIENT TRACKING ON is not supported yet"));
    }
    out.ok();
    Ok(())
}

/// CLIENT CACHING YES | NO
pub fn caching(_: &mut Cx<'_>, _: Args<'_>, _: &mut Reply) -> Outcome {
    // Nothing is tracked yet.
    Err(Error::err(
        "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    ))
}

/// CLIENT PAUSE timeout [WRITE | ALL]; the parts get the end of the pause instead of its length.
pub fn pause(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    if args.len() > 4 {
        return Err(Error::subcommand_syntax("CLIENT", &args[1]));
    }
    let writes_only = args.is(3, "WRITE");
    if args.len() == 4 && !writes_only && !args.is(3, "ALL") {
        return Err(Error::err("CLIENT PAUSE mode must be WRITE or ALL"));
    }
    let length_ms = args.int(2).map_err(|_| Error::err("timeout is not an integer or out of range"))?;
    let length_ms = u64::try_from(length_ms).map_err(|_| Error::TIMEOUT_NEGATIVE)?;
    let until_ms = cx.now_ms().checked_add(length_ms).filter(|until| i64::try_from(*until).is_ok());
    let until_ms = until_ms.ok_or(Error::err("timeout is out of range"))?;
    let mode = if writes_only { "WRITE" } else { "ALL" };
    Ok(["CLIENT", "PAUSE", &until_ms.to_string(), mode].map(|word| word.as_bytes().to_vec()).to_vec())
}

pub fn pause_part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms();
    let mut pause = Pause { until_ms: args.int(2)? as u64, writes_only: args.is(3, "WRITE") };
    // Of two pauses the longer and the stricter holds.
    if let Some(old) = cx.shard.pause.filter(|old| old.until_ms > now_ms) {
        pause.until_ms = pause.until_ms.max(old.until_ms);
        pause.writes_only &= old.writes_only;
    }
    cx.shard.pause = Some(pause);
    out.ok();
    Ok(())
}

/// CLIENT UNPAUSE
pub fn unpause_part(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    // The connection layer sees that the time is over.
    if let Some(pause) = &mut cx.shard.pause {
        pause.until_ms = 0;
    }
    out.ok();
    Ok(())
}

/// All shards have done it.
pub fn all_ok(_: &mut ShardCx, _: Args<'_>, _: &[&[u8]], out: &mut Reply) -> Outcome {
    out.ok();
    Ok(())
}

/// CLIENT UNBLOCK client-id [TIMEOUT | ERROR]
pub fn unblock(_: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    if args.len() > 4 {
        return Err(Error::subcommand_syntax("CLIENT", &args[1]));
    }
    if args.len() == 4 && !args.is(3, "TIMEOUT") && !args.is(3, "ERROR") {
        return Err(Error::err("CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
    }
    args.int(2)?;
    Ok(args.from(0).map(<[u8]>::to_vec).collect())
}

/// No command blocks yet, so there is nobody to wake.
pub fn unblock_part(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.int(0);
    Ok(())
}

pub fn unblock_merge(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    out.int(parts::sum(parts));
    Ok(())
}

/// CLIENT HELP
pub fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    help_form::reply(
        out,
        "CLIENT",
        &[
            ("CACHING (YES|NO)", "Track, or do not track, the keys of the next command (OPTIN, OPTOUT)."),
            ("GETNAME", "Return the name of this connection."),
            ("GETREDIR", "Return the client that gets this connection's tracking messages."),
            ("ID", "Return the number of this connection."),
            ("INFO", "Describe this connection."),
            ("KILL <ip:port>", "Close the connection from this address."),
            (
                "KILL <option> <value> [<option> <value> [...]]",
                "Close all connections that fit ADDR, LADDR, TYPE, USER, ID, MAXAGE; SKIPME (yes|no) spares this one.",
            ),
            ("LIST [TYPE (normal|master|replica|pubsub)] [ID <id> ...]", "Describe connections, one a line."),
            ("NO-EVICT (ON|OFF)", "Exempt this connection from client eviction."),
            ("NO-TOUCH (ON|OFF)", "Leave the age of keys alone when this connection reads them."),
            ("PAUSE <timeout> [WRITE|ALL]", "Hold back commands, or only writes, for so many milliseconds."),
            ("REPLY (ON|OFF|SKIP)", "Send replies, or none, or none to the next command."),
            ("SETINFO <option> <value>", "Name the library (LIB-NAME) and its version (LIB-VER)."),
            ("SETNAME <name>", "Name this connection."),
            ("TRACKING (ON|OFF) [...]", "Turn messages for client-side caching on or off."),
            ("TRACKINGINFO", "Describe what is tracked for this connection."),
            ("UNBLOCK <id> [TIMEOUT|ERROR]", "Wake a client that waits in a blocking command."),
            ("UNPAUSE", "End a pause."),
        ],
    );
    Ok(())
}
