//! What a connection says of itself: AUTH, HELLO, SELECT, RESET, and the smallest talk.

use super::client::check_name;
use crate::families::selected_db;
use crate::families::server::modules;
use crate::session::{ReplyMode, Session};
use crate::spec::{acl, flag::*};
use crate::state::REDIS_VERSION;
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;

pub const COMMANDS: &[Command] = &[
    Command::new("AUTH", auth)
        .arity(-2)
        .flags(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY)
        .acl(acl::CONNECTION)
        .group("connection")
        .complexity("O(N) where N is the number of passwords defined for the user")
        .history(&[("6.0.0", "Added ACL style (username and password).")])
        .summary("Proves who the client is.")
        .syntax("username:string?^6.0.0 password:string"),
    Command::new("HELLO", hello)
        .arity(-1)
        .flags(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY)
        .acl(acl::CONNECTION)
        .group("connection")
        .since("6.0.0")
        .complexity("O(1)")
        .history(&[(
            "6.2.0",
            "`protover` made optional; when called without arguments the command reports the current connection's context.",
        )])
        .summary("Agrees on a protocol version, and tells about the server.")
        .syntax("arguments{protover:integer AUTH@auth{username:string password:string}? SETNAME@clientname:string?}?"),
    Command::new("PING", ping)
        .arity(-1)
        .flags(FAST)
        .acl(acl::CONNECTION)
        .group("connection")
        .complexity("O(1)")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .summary("Answers PONG, or the message.")
        .syntax("message:string?"),
    Command::new("ECHO", echo)
        .arity(2)
        .flags(LOADING | STALE | FAST)
        .acl(acl::CONNECTION)
        .group("connection")
        .complexity("O(1)")
        .summary("Answers the message.")
        .syntax("message:string"),
    Command::new("QUIT", quit)
        .arity(-1)
        .flags(ALLOW_BUSY | NOSCRIPT | LOADING | STALE | FAST | NO_AUTH)
        .acl(acl::CONNECTION)
        .group("connection")
        .complexity("O(1)")
        .deprecated("7.2.0", "just closing the connection")
        .summary("Closes the connection."),
    Command::new("RESET", reset)
        .arity(1)
        .flags(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY | LISTENS)
        .acl(acl::CONNECTION)
        .group("connection")
        .since("6.2.0")
        .complexity("O(1)")
        .summary("Makes the connection as it was when it was new."),
    Command::new("SELECT", select)
        .arity(2)
        .flags(LOADING | STALE | FAST)
        .acl(acl::CONNECTION)
        .group("connection")
        .complexity("O(1)")
        .summary("Chooses the database of this connection.")
        .syntax("index:integer"),
];

/// AUTH [username] password
fn auth(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    match args.len() {
        2 if cx.shard.config.requirepass.is_none() => {
            return Err(Error::err(
                "AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?",
            ));
        }
        2 => authenticate(cx, b"default", &args[1])?,
        3 => authenticate(cx, &args[1], &args[2])?,
        _ => return Err(Error::SYNTAX),
    }
    out.ok();
    Ok(())
}

/// The only user is `default`; without `requirepass` any password will do.
fn authenticate(cx: &mut Cx<'_>, user: &[u8], password: &[u8]) -> Outcome {
    let known = match &cx.shard.config.requirepass {
        None => true,
        Some(secret) => is_same_secret(secret, password),
    };
    if user != b"default" || !known {
        cx.shard.stats.denied_auth += 1;
        return Err(Error::WRONG_PASS);
    }
    cx.session().authenticated = true;
    Ok(())
}

/// Compares without telling by the time it takes how much of a guess was right.
fn is_same_secret(secret: &[u8], guess: &[u8]) -> bool {
    let differences = (0..guess.len().max(secret.len()))
        .map(|i| secret.get(i).copied().unwrap_or(0) ^ guess.get(i).copied().unwrap_or(0))
        .fold(0, |all, bits| all | bits);
    std::hint::black_box(differences) == 0 && secret.len() == guess.len()
}

/// HELLO [protover [AUTH username password] [SETNAME clientname]]
fn hello(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let mut resp3 = cx.resp3;
    if args.len() > 1 {
        let version =
            args.int(1).map_err(|_| Error::err("Protocol version is not an integer or out of range"))?;
        if !(2..=3).contains(&version) {
            return Err(Error::text("NOPROTO unsupported protocol version"));
        }
        resp3 = version == 3;
    }
    let (mut credentials, mut name) = (None, None);
    let mut at = 2;
    while at < args.len() {
        let more = args.len() - 1 - at;
        if args.is(at, "AUTH") && more >= 2 {
            credentials = Some((args.at(at + 1), args.at(at + 2)));
            at += 3;
        } else if args.is(at, "SETNAME") && more >= 1 {
            check_name(args.at(at + 1))?;
            name = Some(args.at(at + 1));
            at += 2;
        } else {
            return Err(Error::naming("Syntax error in HELLO option '", &args[at], "'"));
        }
    }
    if let Some((user, password)) = credentials {
        authenticate(cx, user, password)?;
    }
    if !cx.session().authenticated && cx.shard.config.requirepass.is_some() {
        return Err(Error::text(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> \
             option can be used to authenticate the client and select the RESP protocol version at the same time",
        ));
    }
    let session = cx.session();
    if let Some(name) = name {
        session.name = name.to_vec();
    }
    session.resp3 = resp3;
    out.resp3 = resp3;
    describe(session.id, resp3, out);
    Ok(())
}

fn describe(id: u64, resp3: bool, out: &mut Reply) {
    out.map(7);
    let mut pair = |name: &str, value: &str| {
        out.bulk(name.as_bytes());
        out.bulk(value.as_bytes());
    };
    pair("server", "redis");
    pair("version", REDIS_VERSION);
    out.bulk(b"proto");
    out.int(if resp3 { 3 } else { 2 });
    out.bulk(b"id");
    out.int(id as i64);
    let mut pair = |name: &str, value: &str| {
        out.bulk(name.as_bytes());
        out.bulk(value.as_bytes());
    };
    pair("mode", "standalone");
    pair("role", "master");
    out.bulk(b"modules");
    modules::list(out);
}

/// PING [message]
fn ping(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() <= 2 && !cx.resp3 && cx.conn.is_some() && cx.session().is_subscribed() {
        // In RESP2 it looks like a message there.
        out.array(2);
        out.bulk(b"pong");
        out.bulk(args.get(1).unwrap_or_default());
        return Ok(());
    }
    match args.len() {
        1 => out.raw(b"+PONG\r\n"),
        2 => out.bulk(&args[1]),
        _ => return Err(Error::wrong_arity("ping")),
    }
    Ok(())
}

/// ECHO message
fn echo(_: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    out.bulk(&args[1]);
    Ok(())
}

/// QUIT
fn quit(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    cx.session().close_after_reply = true;
    out.ok();
    Ok(())
}

/// RESET
fn reset(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let authenticated = cx.shard.config.requirepass.is_none();
    let conn = cx.conn;
    cx.shard.monitoring.retain(|index| Some(*index) != conn);
    if let Some(conn) = conn {
        cx.shard.pubsub.settle();
        cx.shard.pubsub.leave(conn);
        cx.shard.set_notices();
        cx.shard.end_mode(conn);
    }
    let session = cx.session();
    *session = Session {
        id: session.id,
        client: session.client,
        addr: std::mem::take(&mut session.addr),
        local_addr: std::mem::take(&mut session.local_addr),
        lib_name: std::mem::take(&mut session.lib_name),
        lib_ver: std::mem::take(&mut session.lib_ver),
        authenticated,
        reply_mode: ReplyMode::On,
        unix_socket: session.unix_socket,
        is_target: session.is_target,
        fd: session.fd,
        created_ms: session.created_ms,
        last_active_ms: session.last_active_ms,
        last_command: session.last_command,
        net_in_bytes: session.net_in_bytes,
        net_out_bytes: session.net_out_bytes,
        commands: session.commands,
        ..Session::default()
    };
    out.resp3 = false;
    out.status("RESET");
    Ok(())
}

/// SELECT index
fn select(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    cx.session().db = selected_db(cx.shard, args)?;
    out.ok();
    Ok(())
}
