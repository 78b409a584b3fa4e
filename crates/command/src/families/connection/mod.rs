//! Connections: who the client is, what it speaks, which other clients there are.
//!
//! Sessions live on the shard of their connection. CLIENT LIST, KILL, PAUSE and their like are all-shards commands; what
//! must happen to a connection (closing, holding back) is asked for by [`crate::state::Effect`].

use crate::Command;
use crate::spec::{acl, flag::*};

mod client;
mod filter;
mod handshake;
mod kill;
mod line;

const CLIENT: u32 = NOSCRIPT | LOADING | STALE;

/// A subcommand of CLIENT with the flags that most have.
const fn client(mut row: Command) -> Command {
    row.flags |= CLIENT;
    row.acl(acl::CONNECTION).group("connection")
}

pub const COMMANDS: &[Command] = &[
    Command::new("AUTH", handshake::auth)
        .arity(-2)
        .flags(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY)
        .acl(acl::CONNECTION)
        .group("connection")
        .complexity("O(N) where N is the number of passwords defined for the user")
        .history(&[("6.0.0", "Added ACL style (username and password).")])
        .summary("Proves who the client is.")
        .syntax("username:string?^6.0.0 password:string"),
    Command::new("HELLO", handshake::hello)
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
    Command::new("PING", handshake::ping)
        .arity(-1)
        .flags(FAST)
        .acl(acl::CONNECTION)
        .group("connection")
        .complexity("O(1)")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .summary("Answers PONG, or the message.")
        .syntax("message:string?"),
    Command::new("ECHO", handshake::echo)
        .arity(2)
        .flags(LOADING | STALE | FAST)
        .acl(acl::CONNECTION)
        .group("connection")
        .complexity("O(1)")
        .summary("Answers the message.")
        .syntax("message:string"),
    Command::new("QUIT", handshake::quit)
        .arity(-1)
        .flags(ALLOW_BUSY | NOSCRIPT | LOADING | STALE | FAST | NO_AUTH)
        .acl(acl::CONNECTION)
        .group("connection")
        .complexity("O(1)")
        .deprecated("7.2.0", "just closing the connection")
        .summary("Closes the connection."),
    Command::new("RESET", handshake::reset)
        .arity(1)
        .flags(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY)
        .acl(acl::CONNECTION)
        .group("connection")
        .since("6.2.0")
        .complexity("O(1)")
        .summary("Makes the connection as it was when it was new."),
    Command::new("SELECT", handshake::select)
        .arity(2)
        .flags(LOADING | STALE | FAST)
        .acl(acl::CONNECTION)
        .group("connection")
        .complexity("O(1)")
        .summary("Chooses the database of this connection.")
        .syntax("index:integer"),
    Command::container("CLIENT", CLIENT_SUBCOMMANDS)
        .group("connection")
        .since("2.4.0")
        .complexity("Depends on subcommand.")
        .summary("Commands about client connections."),
];

const CLIENT_SUBCOMMANDS: &[Command] = &[
    client(Command::new("CACHING", client::caching))
        .arity(3)
        .since("6.0.0")
        .complexity("O(1)")
        .summary("Says whether the keys of the next command are tracked.")
        .syntax("mode(yes=YES|no=NO)"),
    client(Command::new("GETNAME", client::getname))
        .arity(2)
        .since("2.6.9")
        .complexity("O(1)")
        .summary("Returns the name of the connection."),
    client(Command::new("GETREDIR", client::getredir))
        .arity(2)
        .since("6.0.0")
        .complexity("O(1)")
        .summary("Returns the client that gets this connection's tracking messages."),
    Command::new("HELP", client::help)
        .arity(2)
        .flags(LOADING | STALE)
        .acl(acl::CONNECTION)
        .group("connection")
        .since("5.0.0")
        .complexity("O(1)")
        .summary("Describes the subcommands."),
    client(Command::new("ID", client::id))
        .arity(2)
        .since("5.0.0")
        .complexity("O(1)")
        .summary("Returns the client's number."),
    client(Command::new("INFO", client::info).flags(SESSIONS))
        .arity(2)
        .since("6.2.0")
        .complexity("O(1)")
        .tips(&["nondeterministic_output"])
        .summary("Describes the connection."),
    client(Command::on_all("KILL", kill::part, kill::merge).flags(ADMIN | SESSIONS).prepare_adding(kill::prepare))
        .arity(-3)
        .since("2.4.0")
        .complexity("O(N) where N is the number of client connections")
        .history(&[
            ("2.8.12", "Added new filter format."),
            ("2.8.12", "`ID` option."),
            ("3.2.0", "Added `master` type in for `TYPE` option."),
            ("5.0.0", "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility."),
            ("6.2.0", "`LADDR` option."),
            ("7.4.0", "`MAXAGE` option."),
        ])
        .summary("Closes connections.")
        .syntax(
            "filter(old-format/ip;port:string~2.8.12|new-format(ID@client-id:integer?^2.8.12|\
             TYPE@client-type(normal=NORMAL|master=MASTER^3.2.0|slave=SLAVE|replica=REPLICA^5.0.0|pubsub=PUBSUB)?^2.8.12|\
             USER@username:string?|ADDR@addr/ip;port:string?|LADDR@laddr/ip;port:string?^6.2.0|SKIPME@skipme(yes=YES|no=NO)?|\
             MAXAGE@maxage:integer?^7.4.0)*)",
        ),
    client(Command::on_all("LIST", line::part, line::merge).flags(ADMIN | SESSIONS).prepare(line::prepare))
        .arity(-2)
        .since("2.4.0")
        .complexity("O(N) where N is the number of client connections")
        .history(&[
            ("2.8.12", "Added unique client `id` field."),
            ("5.0.0", "Added optional `TYPE` filter."),
            ("6.0.0", "Added `user` field."),
            ("6.2.0", "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter."),
            ("7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."),
            ("7.0.3", "Added `ssub` field."),
            ("7.2.0", "Added `lib-name` and `lib-ver` fields."),
            ("7.4.0", "Added `watch` field."),
            ("8.0.0", "Added `io-thread` field."),
        ])
        .tips(&["nondeterministic_output"])
        .summary("Lists the connections.")
        .syntax(
            "TYPE@client-type(normal=NORMAL|master=MASTER|replica=REPLICA|pubsub=PUBSUB)?^5.0.0 \
             ID@client-id:integer?*^6.2.0",
        ),
    client(Command::new("NO-EVICT", client::no_evict).flags(ADMIN))
        .arity(3)
        .since("7.0.0")
        .complexity("O(1)")
        .summary("Exempts the connection from client eviction.")
        .syntax("enabled(on=ON|off=OFF)"),
    client(Command::new("NO-TOUCH", client::no_touch))
        .arity(3)
        .since("7.2.0")
        .complexity("O(1)")
        .summary("Says whether the client's commands renew the age of keys.")
        .syntax("enabled(on=ON|off=OFF)"),
    client(Command::on_all("PAUSE", client::pause_part, client::all_ok).flags(ADMIN).prepare(client::pause))
        .arity(-3)
        .since("3.0.0")
        .complexity("O(1)")
        .history(&[("6.2.0", "`CLIENT PAUSE WRITE` mode added along with the `mode` option.")])
        .summary("Holds back the commands of all clients for a while.")
        .syntax("timeout:integer mode(write=WRITE|all=ALL)?^6.2.0"),
    client(Command::new("REPLY", client::reply))
        .arity(3)
        .since("3.2.0")
        .complexity("O(1)")
        .summary("Says whether the client wants replies.")
        .syntax("action(on=ON|off=OFF|skip=SKIP)"),
    client(Command::new("SETINFO", client::setinfo))
        .arity(4)
        .since("7.2.0")
        .complexity("O(1)")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .summary("Names the library that the client uses.")
        .syntax("attr(LIB-NAME@libname:string|LIB-VER@libver:string)"),
    client(Command::new("SETNAME", client::setname))
        .arity(3)
        .since("2.6.9")
        .complexity("O(1)")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .summary("Names the connection.")
        .syntax("connection-name:string"),
    client(Command::new("TRACKING", client::tracking))
        .arity(-3)
        .since("6.0.0")
        .complexity("O(1). Some options may introduce additional complexity.")
        .summary("Turns messages for client-side caching on or off.")
        .syntax(
            "status(on=ON|off=OFF) REDIRECT@client-id:integer? PREFIX@prefix:string?** bcast=BCAST? optin=OPTIN? \
             optout=OPTOUT? noloop=NOLOOP?",
        ),
    client(Command::new("TRACKINGINFO", client::trackinginfo))
        .arity(2)
        .since("6.2.0")
        .complexity("O(1)")
        .summary("Describes what is tracked for this connection."),
    client(Command::on_all("UNBLOCK", client::unblock_part, client::unblock_merge).flags(ADMIN))
        .prepare(client::unblock)
        .arity(-3)
        .since("5.0.0")
        .complexity("O(log N) where N is the number of client connections")
        .summary("Wakes a client that waits in a blocking command.")
        .syntax("client-id:integer unblock-type(timeout=TIMEOUT|error=ERROR)?"),
    client(Command::on_all("UNPAUSE", client::unpause_part, client::all_ok).flags(ADMIN))
        .arity(2)
        .since("6.2.0")
        .complexity("O(N) Where N is the number of paused clients")
        .summary("Ends a pause of the clients."),
];
