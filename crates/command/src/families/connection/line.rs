//! One line for a client: CLIENT INFO and CLIENT LIST.

use super::client;
use super::filter::ClientType;
use crate::parts::Part;
use crate::session::Session;
use crate::spec::flag::*;
use crate::{Args, Command, Cx, Error, Outcome, ShardCx};
use resp::Reply;
use std::fmt::Write;

pub const LIST: Command =
    client(Command::on_all("LIST", part, merge).flags(ADMIN | SESSIONS).prepare(prepare))
        .arity(-2)
        .since("2.4.0")
        .complexity("O(N) where N is the number of client connections")
        .history(&[
            ("2.8.12", "Added unique client `id` field."),
            ("5.0.0", "Added optional `TYPE` filter."),
            ("6.0.0", "Added `user` field."),
            (
                "6.2.0",
                "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter.",
            ),
            ("7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."),
            ("7.0.3", "Added `ssub` field."),
            ("7.2.0", "Added `lib-name` and `lib-ver` fields."),
            ("7.4.0", "Added `watch` field."),
            ("8.0.0", "Added `io-thread` field."),
            ("8.8.0", "Added `read-events`, `parse-batch-cmd-sum` and `parse-batch-cnt` fields."),
        ])
        .tips(&["nondeterministic_output"])
        .summary("Lists the connections.")
        .syntax(
            "TYPE@client-type(normal=NORMAL|master=MASTER|replica=REPLICA|pubsub=PUBSUB)?^5.0.0 \
             ID@client-id:integer?*^6.2.0",
        );

/// Up to here what a client has not taken counts as its buffer (`obl`), beyond as a list of such pieces (`oll`, `omem`), as in Redis.
const REPLY_CHUNK_BYTES: usize = 16 * 1024;

/// The line, without its end. Names are bytes between `!` and `~`, so the line is text.
pub fn line(session: &Session, now_ms: u64) -> String {
    let seconds_since = |then_ms: u64| (now_ms / 1000).saturating_sub(then_ms / 1000);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut line = String::with_capacity(400);
    let transaction = session.transaction;
    let memory = session.bytes() + session.query_bytes + session.output_bytes + transaction.queued_bytes;
    let queued = if session.in_multi { transaction.queued as i64 } else { -1 };
    let (buffered, listed) = match session.output_bytes {
        few @ 0..=REPLY_CHUNK_BYTES => (few, 0),
        many => (0, many),
    };
    let events = if session.output_bytes > 0 { "rw" } else { "r" };
    let written = write!(
        line,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={} watch={} \
         qbuf={} qbuf-free=0 argv-mem=0 multi-mem={} rbs=0 rbp=0 obl={} oll={} omem={} tot-mem={memory} events={events} \
         cmd={} user=default redir={} resp={} lib-name={} lib-ver={} io-thread=0 tot-net-in={} tot-net-out={} \
         tot-cmds={} read-events={} parse-batch-cmd-sum={} parse-batch-cnt={}",
        session.id,
        session.addr,
        session.local_addr,
        session.fd,
        text(&session.name),
        seconds_since(session.created_ms),
        seconds_since(session.last_active_ms),
        flags(session),
        session.db,
        session.subscriptions[0],
        session.subscriptions[1],
        session.subscriptions[2],
        queued,
        transaction.watched,
        session.query_bytes,
        transaction.queued_bytes,
        buffered,
        listed.div_ceil(REPLY_CHUNK_BYTES),
        listed,
        session.last_command.map_or("NULL", |command| command.full_name),
        redirection(session),
        if session.resp3 { 3 } else { 2 },
        text(&session.lib_name),
        text(&session.lib_ver),
        session.net_in_bytes,
        session.net_out_bytes,
        session.commands,
        session.reads,
        session.parsing.requests,
        session.parsing.batches,
    );
    written.expect("writing to a string");
    line
}

/// The client that gets a client's tracking messages: itself as 0, or -1 while it has tracking off.
pub fn redirection(session: &Session) -> i64 {
    session.tracking.as_ref().map_or(-1, |mode| mode.target.map_or(0, |target| target.id as i64))
}

fn flags(session: &Session) -> String {
    let mode = session.tracking.as_deref();
    let letters = [
        (session.monitor, 'O'),
        (session.is_subscribed(), 'P'),
        (session.in_multi, 'x'),
        (session.blocked, 'b'),
        (mode.is_some(), 't'),
        (mode.is_some_and(|mode| mode.is_broken), 'R'),
        (mode.is_some_and(|mode| mode.is_broadcast), 'B'),
        (session.transaction.is_touched, 'd'),
        (session.close_after_reply, 'c'),
        (session.unix_socket, 'U'),
        (session.no_evict, 'e'),
        (session.no_touch, 'T'),
    ];
    let set: String = letters.iter().filter(|(is_set, _)| *is_set).map(|(_, letter)| *letter).collect();
    if set.is_empty() { "N".to_owned() } else { set }
}

/// What CLIENT LIST is limited to.
enum Wanted {
    All,
    Type(ClientType),
    Ids(Vec<u64>),
}

fn wanted(args: Args<'_>) -> Result<Wanted, Error> {
    if args.len() == 4 && args.is(2, "TYPE") {
        return Ok(Wanted::Type(ClientType::parse(&args[3])?));
    }
    if args.len() > 3 && args.is(2, "ID") {
        let ids = (3..args.len()).map(|i| args.int(i).map(|id| id as u64));
        return Ok(Wanted::Ids(ids.collect::<Result<_, _>>().map_err(|_| Error::err("Invalid client ID"))?));
    }
    if args.len() == 2 { Ok(Wanted::All) } else { Err(Error::SYNTAX) }
}

/// CLIENT LIST [TYPE type] | [ID id …]
fn prepare(_: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    wanted(args)?;
    Ok(args.from(0).map(<[u8]>::to_vec).collect())
}

/// Numbers and lines of this shard's clients.
fn part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (wanted, now_ms) = (wanted(args)?, cx.now_ms());
    let sessions = cx.shard.sessions.iter().map(|(_, session)| session).filter(|session| match &wanted {
        Wanted::All => true,
        Wanted::Type(class) => *class == ClientType::of(session),
        Wanted::Ids(ids) => ids.contains(&session.id),
    });
    let lines: Vec<(u64, String)> = sessions.map(|session| (session.id, line(session, now_ms))).collect();
    out.array(2 * lines.len());
    for (id, line) in lines {
        out.int(id as i64);
        out.bulk(line.as_bytes());
    }
    Ok(())
}

fn merge(_: &mut ShardCx, args: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let mut lines: Vec<(i64, &[u8])> = Vec::new();
    for part in parts {
        let mut part = Part::new(part);
        for _ in 0..part.array() / 2 {
            lines.push((part.int(), part.bulk()));
        }
    }
    lines.sort_unstable_by_key(|(id, _)| *id);
    if let Wanted::Ids(ids) = wanted(args)? {
        let order: Vec<_> = ids
            .iter()
            .filter_map(|id| lines.iter().find(|(known, _)| *known == *id as i64).copied())
            .collect();
        lines = order;
    }
    let text: Vec<u8> = lines.iter().flat_map(|(_, line)| [line, b"\n".as_slice()].concat()).collect();
    out.verbatim(b"txt", &text);
    Ok(())
}
