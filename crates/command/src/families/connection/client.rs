//! The subcommands of CLIENT that concern the connection itself, and those that hold all connections back.

use super::{client, kill, line, tracking};
use crate::args::is_word;
use crate::session::ReplyMode;
use crate::spec::{acl, flag::*};
use crate::state::Pause;
use crate::{Args, Command, Cx, Error, Outcome, ShardCx, help as help_form, parts};
use resp::Reply;

pub const COMMANDS: &[Command] = &[Command::container("CLIENT", CLIENT_SUBCOMMANDS)
    .group("connection")
    .since("2.4.0")
    .complexity("Depends on subcommand.")
    .summary("Commands about client connections.")];

const CLIENT_SUBCOMMANDS: &[Command] = &[
    tracking::CACHING,
    client(Command::new("GETNAME", getname))
        .arity(2)
        .since("2.6.9")
        .complexity("O(1)")
        .summary("Returns the name of the connection."),
    tracking::GETREDIR,
    Command::new("HELP", help)
        .arity(2)
        .flags(LOADING | STALE)
        .acl(acl::CONNECTION)
        .group("connection")
        .since("5.0.0")
        .complexity("O(1)")
        .summary("Describes the subcommands."),
    client(Command::new("ID", id))
        .arity(2)
        .since("5.0.0")
        .complexity("O(1)")
        .summary("Returns the client's number."),
    client(Command::new("INFO", info).flags(SESSIONS))
        .arity(2)
        .since("6.2.0")
        .complexity("O(1)")
        .tips(&["nondeterministic_output"])
        .summary("Describes the connection."),
    kill::KILL,
    line::LIST,
    client(Command::new("NO-EVICT", no_evict).flags(ADMIN))
        .arity(3)
        .since("7.0.0")
        .complexity("O(1)")
        .summary("Exempts the connection from client eviction.")
        .syntax("enabled(on=ON|off=OFF)"),
    client(Command::new("NO-TOUCH", no_touch))
        .arity(3)
        .since("7.2.0")
        .complexity("O(1)")
        .summary("Says whether the client's commands renew the age of keys.")
        .syntax("enabled(on=ON|off=OFF)"),
    client(Command::on_all("PAUSE", pause_part, all_ok).flags(ADMIN).prepare(pause))
        .arity(-3)
        .since("3.0.0")
        .complexity("O(1)")
        .history(&[("6.2.0", "`CLIENT PAUSE WRITE` mode added along with the `mode` option.")])
        .summary("Holds back the commands of all clients for a while.")
        .syntax("timeout:integer mode(write=WRITE|all=ALL)?^6.2.0"),
    client(Command::new("REPLY", reply))
        .arity(3)
        .since("3.2.0")
        .complexity("O(1)")
        .summary("Says whether the client wants replies.")
        .syntax("action(on=ON|off=OFF|skip=SKIP)"),
    client(Command::new("SETINFO", setinfo))
        .arity(4)
        .since("7.2.0")
        .complexity("O(1)")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .summary("Names the library that the client uses.")
        .syntax("attr(LIB-NAME@libname:string|LIB-VER@libver:string)"),
    client(Command::new("SETNAME", setname))
        .arity(3)
        .since("2.6.9")
        .complexity("O(1)")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .summary("Names the connection.")
        .syntax("connection-name:string"),
    tracking::TRACKING,
    tracking::TRACKINGINFO,
    client(Command::on_all("UNBLOCK", unblock_part, unblock_merge).flags(ADMIN))
        .prepare(unblock)
        .arity(-3)
        .since("5.0.0")
        .complexity("O(log N) where N is the number of client connections")
        .summary("Wakes a client that waits in a blocking command.")
        .syntax("client-id:integer unblock-type(timeout=TIMEOUT|error=ERROR)?"),
    client(Command::on_all("UNPAUSE", unpause_part, all_ok).flags(ADMIN))
        .arity(2)
        .since("6.2.0")
        .complexity("O(N) Where N is the number of paused clients")
        .summary("Ends a pause of the clients."),
];

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
fn setname(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_name(&args[2])?;
    cx.session().name = args[2].to_vec();
    out.ok();
    Ok(())
}

/// CLIENT GETNAME
fn getname(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let session = cx.session();
    if session.name.is_empty() {
        out.null()
    } else {
        out.bulk(&session.name)
    }
    Ok(())
}

/// CLIENT SETINFO LIB-NAME name | LIB-VER version
fn setinfo(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
fn id(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.int(cx.session().id as i64);
    Ok(())
}

/// CLIENT INFO
fn info(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms();
    let mut text = line::line(cx.session(), now_ms);
    text.push('\n');
    out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

/// CLIENT REPLY ON | OFF | SKIP
fn reply(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
fn no_evict(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    cx.session().no_evict = on_or_off(&args[2])?;
    out.ok();
    Ok(())
}

/// CLIENT NO-TOUCH ON | OFF
fn no_touch(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    cx.session().no_touch = on_or_off(&args[2])?;
    out.ok();
    Ok(())
}

/// CLIENT PAUSE timeout [WRITE | ALL]; the parts get the end of the pause instead of its length.
fn pause(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
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

fn pause_part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
fn unpause_part(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    // The connection layer sees that the time is over.
    if let Some(pause) = &mut cx.shard.pause {
        pause.until_ms = 0;
    }
    out.ok();
    Ok(())
}

/// All shards have done it.
fn all_ok(_: &mut ShardCx, _: Args<'_>, _: &[&[u8]], out: &mut Reply) -> Outcome {
    out.ok();
    Ok(())
}

/// CLIENT UNBLOCK client-id [TIMEOUT | ERROR]
fn unblock(_: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    if args.len() > 4 {
        return Err(Error::subcommand_syntax("CLIENT", &args[1]));
    }
    if args.len() == 4 && !args.is(3, "TIMEOUT") && !args.is(3, "ERROR") {
        return Err(Error::err("CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
    }
    args.int(2)?;
    Ok(args.from(0).map(<[u8]>::to_vec).collect())
}

/// The shard that ends the client's waiting has it. One that is about to be served is blocked no more.
fn unblock_part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (client, with_error) = (args.int(2)? as u64, args.is(3, "ERROR"));
    let awaited = &mut cx.shard.awaited;
    let is_idle = awaited.clients.get(&client) == Some(&false);
    if is_idle {
        awaited.clients.remove(&client);
        awaited.freed.push((client, with_error));
    }
    out.int(i64::from(is_idle));
    Ok(())
}

fn unblock_merge(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    out.int(parts::sum(parts));
    Ok(())
}

/// CLIENT HELP
fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
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
