//! CLIENT KILL: every shard asks its connection layer to close what the filter means.

use super::filter::Filter;
use crate::parts;
use crate::state::Effect;
use crate::{Args, Cx, Error, Outcome, ShardCx};
use resp::Reply;

/// CLIENT KILL addr:port | filter value …; the parts get the asking client's number behind the arguments.
pub fn prepare(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let own = cx.session().id;
    Filter::parse(args, args.len(), own)?;
    let mut sent: Vec<Vec<u8>> = args.from(0).map(<[u8]>::to_vec).collect();
    sent.push(own.to_string().into_bytes());
    Ok(sent)
}

pub fn part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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

pub fn merge(_: &mut ShardCx, args: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
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
