//! Commands whose keys can be served by each shard alone (MGET, MSET, DEL …): each runs its share, one hop.

use super::{Kind, SHARE_SHIFT};
use crate::message::Ask;
use crate::shard::Shard;
use command::spec::Merge;
use command::{Args, Command, Error, eviction};
use resp::{Reply, reader};

impl Shard {
    /// A command whose keys (at `indexes`, on `shards`) can be served by each shard alone.
    pub(crate) fn start_split(
        &mut self,
        conn: usize,
        command: &'static Command,
        args: Args<'_>,
        merge: Merge,
        indexes: &[usize],
        shards: &[u16],
    ) {
        let step = crate::route::split_step(command);
        if !(args.len() - 1).is_multiple_of(step) {
            return self.reply_error(conn, &Error::wrong_arity(command.full_name));
        }
        if let Some(error) = self.refusal_of_many(command, |shard| shards.contains(&shard)) {
            return self.reject(conn, command, &error);
        }
        if let Err(error) = eviction::before(&mut self.cx, command) {
            return self.reject(conn, command, &error);
        }
        let mut involved: Vec<u16> = Vec::new();
        shards.iter().for_each(|s| {
            if !involved.contains(s) {
                involved.push(*s)
            }
        });
        let op = self.next_op();
        let conn_db = (self.conns[conn].db, self.conns[conn].resp3);
        let no_touch = self.conns[conn].no_touch;
        for (share, &shard) in involved.iter().enumerate() {
            let batch = self.batch_for(shard as usize);
            let first = batch.spans.len();
            batch.push_arg_of(args, 0);
            for (&index, _) in indexes.iter().zip(shards).filter(|(_, s)| **s == shard) {
                (index..index + step).for_each(|i| batch.push_arg_of(args, i));
            }
            // The share is told by the upper bits of the operation's number.
            let ask = Ask::Share(op | (share as u64) << SHARE_SHIFT);
            batch.push(command, ask, conn_db, first);
            if no_touch {
                batch.mark_no_touch();
            }
        }
        let of_key = shards
            .iter()
            .map(|s| involved.iter().position(|i| i == s).expect("just collected") as u16)
            .collect();
        let shares = involved.iter().map(|&s| (s, Reply::default())).collect();
        let kind = Kind::Split { merge, shares, of_key };
        self.begin(conn, op, command, args, kind, &involved);
    }
}

pub(super) fn merge_shares(merge: Merge, shares: &[(u16, Reply)], of_key: &[u16], out: &mut Reply) {
    if let Some((_, error)) = shares.iter().find(|(_, reply)| reader::is_error(&reply.buf)) {
        return out.raw(&error.buf);
    }
    match merge {
        Merge::Ok => out.ok(),
        Merge::Sum => {
            out.int(shares.iter().filter_map(|(_, reply)| reader::integer(&reply.buf)).sum());
        }
        Merge::Elements => {
            // Walk each share's array in step with the keys.
            let mut at: Vec<usize> = shares
                .iter()
                .map(|(_, reply)| reader::header(&reply.buf, 0).map_or(0, |(_, _, next)| next))
                .collect();
            out.array(of_key.len());
            for &share in of_key {
                let (reply, at) = (&shares[share as usize].1, &mut at[share as usize]);
                *at += copy_element(reply, *at, out);
            }
        }
    }
}

/// Copies the element of `reply` that begins at `start` in its buffer; its length there.
fn copy_element(reply: &Reply, start: usize, out: &mut Reply) -> usize {
    let shared = reply.blobs.iter().find(|(pos, _)| *pos > start);
    if let (Some((_, count, next)), Some((pos, blob))) = (reader::header(&reply.buf, start), shared) {
        // The element's header, then the shared bytes, then the line end.
        if *pos == next && count as usize == blob.len() {
            out.bulk_shared(blob.clone());
            return next + 2 - start;
        }
    }
    let len = reader::reply_len(&reply.buf[start..]).expect("shards write whole replies");
    out.raw(&reply.buf[start..start + len]);
    len
}
