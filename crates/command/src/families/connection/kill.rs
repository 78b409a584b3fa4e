//! CLIENT KILL: every shard asks its connection layer to close what the filter means. What its client sends next waits until all have:
//! it comes behind everything that the victims have sent on.

use super::client;
use super::filter::Filter;
use crate::spec::flag::*;
use crate::state::Effect;
use crate::{Args, Cx, Error, Outcome, ShardCx};
use crate::{Command, parts};
use resp::Reply;

pub const KILL: Command =
    client(Command::on_all("KILL", part, merge).flags(ADMIN | SESSIONS | FENCES).prepare_adding(prepare))
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
        );

/// CLIENT KILL addr:port | filter value …; the parts get the asking client's number behind the arguments.
fn prepare(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let own = cx.session().id;
    Filter::parse(args, args.len(), own)?;
    let mut sent: Vec<Vec<u8>> = args.from(0).map(<[u8]>::to_vec).collect();
    sent.push(own.to_string().into_bytes());
    Ok(sent)
}

fn part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let own = args.int(args.len() - 1)? as u64;
    let filter = Filter::parse(args, args.len() - 1, own)?;
    let now_ms = cx.now_ms();
    let victims: Vec<(usize, u64)> = cx
        .shard
        .sessions
        .iter()
        .filter(|(_, session)| filter.fits(session, now_ms))
        .map(|(conn, session)| (conn, session.id))
        .collect();
    for &(conn, id) in &victims {
        // Whoever kills itself still gets the answer.
        let effect = if id == own { Effect::CloseAfterReply { conn } } else { Effect::Kill { conn } };
        cx.shard.effects.push(effect);
    }
    out.count(victims.len());
    Ok(())
}

fn merge(_: &mut ShardCx, args: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let killed = parts::sum(parts);
    // The old form had one argument; ours has the client's number behind it.
    if args.len() != 4 {
        out.int(killed);
    } else if killed == 0 {
        return Err(Error::err("No such client"));
    } else {
        out.ok();
    }
    Ok(())
}
