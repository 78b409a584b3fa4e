//! Commands whose keys can be served by each shard alone (MGET, MSET, DEL …): each runs its share, one hop.
//!
//! A share is a command like any other, with some of the keys. Its reply goes into the memory of the operation, and when all are there,
//! the whole reply is written where the connection will send it from. Operations use slots and their memory again and again: a
//! command with ten keys allocates nothing.

use super::SHARE_SHIFT;
use crate::message::{Ask, OpId, Ticket};
use crate::shard::Shard;
use command::slowlog::Entry as SlowEntry;
use command::spec::Merge;
use command::{Args, Command, Error, OwnArgs, eviction};
use resp::{Reply, reader};

/// Slots that keep their memory for the next operation, and how many bytes each.
const SPARES_MAX: usize = 1024;
const SPARE_BYTES_MAX: usize = 4 * 1024;
/// Elements that are not longer are copied quickly.
const SHORT_BYTES: usize = 64;

/// The split commands of a shard's clients that are under way.
#[derive(Default)]
pub(crate) struct Splits {
    slots: Vec<Split>,
    free: Vec<u32>,
    /// While one is begun: the number of each shard's share, if it has one.
    share_of: Vec<Option<u16>>,
}

/// One of them.
#[derive(Default)]
struct Split {
    /// The command and whose it is; `None`: the slot is free.
    of: Option<(Ticket, &'static Command, Merge)>,
    args: OwnArgs,
    /// For each key the share it belongs to.
    of_key: Vec<u16>,
    shares: Vec<Share>,
    /// Of all shares, as they came.
    replies: Reply,
    /// Shares still to come.
    missing: usize,
    /// A share of it runs on this shard; it writes, and one runs elsewhere.
    here: bool,
    elsewhere: bool,
    /// The slowest of its shares that were slow, for the slow log.
    slow: Option<Box<SlowEntry>>,
}

#[derive(Clone, Copy)]
struct Share {
    shard: u16,
    /// While the commands are written: the first of its arguments in the batch.
    first: usize,
    /// Where its reply begins in those of all, then, where the next element of it does.
    at: usize,
}

impl Splits {
    pub(crate) fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    /// A slot that nobody uses.
    #[inline]
    fn take(&mut self) -> usize {
        if let Some(index) = self.free.pop() {
            return index as usize;
        }
        self.slots.push(Split::default());
        self.slots.len() - 1
    }

    /// Nobody uses the slot any more.
    #[inline]
    fn give_back(&mut self, index: usize) {
        let split = &mut self.slots[index];
        split.of = None;
        split.of_key.clear();
        split.shares.clear();
        split.replies.clear();
        split.replies.buf.shrink_to(SPARE_BYTES_MAX);
        split.of_key.shrink_to(SPARE_BYTES_MAX / size_of::<u16>());
        split.args.clear_to(SPARE_BYTES_MAX);
        if self.free.len() >= SPARES_MAX {
            self.slots[index] = Split::default();
        }
        self.free.push(index as u32);
        if self.is_empty() && self.slots.len() > SPARES_MAX {
            self.slots.truncate(SPARES_MAX);
            self.free.clear();
            self.free.extend(0..SPARES_MAX as u32);
        }
    }

    fn of(&mut self, tagged: OpId) -> &mut Split {
        let split = &mut self.slots[slot_of(tagged)];
        assert!(split.of.is_some(), "shares belong to operations under way");
        split
    }
}

fn slot_of(tagged: OpId) -> usize {
    (tagged & ((1 << SHARE_SHIFT) - 1)) as usize
}

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
        let op = self.splits.take();
        self.write_shares(op, args, indexes, shards, step);
        let ticket = self.expect(conn);
        let slot = &mut self.conns[conn];
        slot.expect_parts();
        let (db, (marks, client)) = ((slot.db, slot.resp3), slot.marks());
        let split = &mut self.splits.slots[op];
        split.of = Some((ticket, command, merge));
        split.args.refill(args);
        split.missing = split.shares.len();
        split.here = split.shares.iter().any(|share| share.shard == self.cx.id);
        // There are at least two.
        split.elsewhere = command.may_write();
        slot.through_own_mailbox += u32::from(split.here);
        slot.writes_elsewhere += u32::from(split.elsewhere);
        for (number, share) in split.shares.iter().enumerate() {
            let batch = self.outgoing.batches[share.shard as usize].as_mut().expect("it has the arguments");
            // The share is told by the upper bits of the operation's number.
            let ask = Ask::Share(op as u64 | (number as u64) << SHARE_SHIFT);
            batch.push(command, ask, db, share.first);
            if marks != 0 {
                batch.mark(marks, client);
            }
        }
        self.outgoing.exclusive = true;
    }

    /// Writes the arguments of all shares into the batches of their shards, in one pass, and notes the shares.
    fn write_shares(&mut self, op: usize, args: Args<'_>, indexes: &[usize], shards: &[u16], step: usize) {
        let mut share_of = std::mem::take(&mut self.splits.share_of);
        share_of.resize(self.cx.shards as usize, None);
        for (&index, &shard) in indexes.iter().zip(shards) {
            let number = match share_of[shard as usize] {
                Some(number) => number,
                None => {
                    let batch = self.batch_for(shard as usize);
                    let first = batch.spans.len();
                    batch.push_name(args);
                    let shares = &mut self.splits.slots[op].shares;
                    shares.push(Share { shard, first, at: 0 });
                    *share_of[shard as usize].insert(shares.len() as u16 - 1)
                }
            };
            self.splits.slots[op].of_key.push(number);
            let batch = self.outgoing.batches[shard as usize].as_mut().expect("it has been begun");
            (index..index + step).for_each(|at| batch.push_arg_of(args, at));
        }
        self.splits.slots[op].shares.iter().for_each(|share| share_of[share.shard as usize] = None);
        self.splits.share_of = share_of;
    }

    /// A share has been done.
    #[inline]
    pub(crate) fn on_share(&mut self, tagged: OpId, write: impl FnOnce(&mut Reply)) {
        let split = self.splits.of(tagged);
        split.shares[(tagged >> SHARE_SHIFT) as usize].at = split.replies.buf.len();
        write(&mut split.replies);
        split.missing -= 1;
        if split.missing == 0 {
            self.end_split(slot_of(tagged));
        }
    }

    /// All shares are there.
    fn end_split(&mut self, op: usize) {
        let split = &mut self.splits.slots[op];
        let Some((ticket, command, merge)) = split.of else { unreachable!("it is under way") };
        if let Some(entry) = split.slow.take() {
            return self.end_slow_split(op, command, *entry);
        }
        let conn = &mut self.conns[ticket.conn as usize];
        let is_there = conn.generation == ticket.generation;
        if is_there {
            conn.through_own_mailbox -= u32::from(split.here);
            conn.writes_elsewhere -= u32::from(split.elsewhere);
            conn.fulfil(ticket.seq, |to| split.merge(merge, to));
        }
        self.splits.give_back(op);
        if is_there {
            self.after_fulfil(ticket.conn as usize);
        }
    }

    #[cold]
    fn end_slow_split(&mut self, op: usize, command: &Command, mut entry: SlowEntry) {
        // A share has only some of the arguments.
        let args = self.splits.slots[op].args.args(&self.cx.seed);
        entry.keep_args(command, args, &self.cx.config);
        self.log_slow_of(Ask::Share(op as OpId), entry);
        self.end_split(op);
    }

    /// A share was slow: if it is the slowest so far, the operation is as slow as it.
    pub(crate) fn on_slow_share(&mut self, tagged: OpId, entry: SlowEntry) {
        let slow = &mut self.splits.of(tagged).slow;
        if slow.as_ref().is_none_or(|slow| slow.micros < entry.micros) {
            *slow = Some(Box::new(entry));
        }
    }

    /// The client of a split command that is under way.
    pub(crate) fn client_of_split(&self, tagged: OpId) -> Option<Ticket> {
        self.splits.slots[slot_of(tagged)].of.map(|(ticket, ..)| ticket)
    }
}

impl Split {
    /// Makes one reply of those of the shares.
    fn merge(&mut self, merge: Merge, out: &mut Reply) {
        let Self { replies, shares, of_key, .. } = self;
        if let Some(error) = shares.iter().find(|share| reader::is_error(&replies.buf[share.at..])) {
            let line = &replies.buf[error.at..];
            return out.raw(&line[..reader::reply_len(line).expect("shards write whole replies")]);
        }
        match merge {
            Merge::Ok => out.ok(),
            Merge::Sum => {
                let count = |share: &Share| reader::header(&replies.buf, share.at).map_or(0, |(_, n, _)| n);
                out.int(shares.iter().map(count).sum());
            }
            Merge::Elements => {
                for share in &mut *shares {
                    share.at = reader::header(&replies.buf, share.at).map_or(share.at, |(_, _, next)| next);
                }
                out.array(of_key.len());
                out.buf.reserve(replies.buf.len() + SHORT_BYTES);
                // Each share's array is walked in step with the keys.
                for &number in &*of_key {
                    let share = &mut shares[number as usize];
                    share.at += copy_element(replies, share.at, out);
                }
            }
        }
    }
}

/// Copies the element of `replies` that begins at `start` in its buffer; its length there.
#[inline]
fn copy_element(replies: &Reply, start: usize, out: &mut Reply) -> usize {
    if !replies.blobs.is_empty()
        && let Some(len) = share_element(replies, start, out)
    {
        return len;
    }
    let element = &replies.buf[start..];
    let len = reader::bulk_len(element).or_else(|| reader::reply_len(element));
    let len = len.expect("shards write whole replies");
    match element.first_chunk::<SHORT_BYTES>() {
        // A copy of a fixed length needs no call.
        Some(chunk) if len <= SHORT_BYTES => {
            let end = out.buf.len() + len;
            out.raw(chunk);
            out.buf.truncate(end);
        }
        _ => out.raw(&element[..len]),
    }
    len
}

/// The same for a value that does not stand in the buffer.
#[cold]
fn share_element(replies: &Reply, start: usize, out: &mut Reply) -> Option<usize> {
    let (_, count, next) = reader::header(&replies.buf, start)?;
    let place = replies.blobs.partition_point(|(at, _)| *at <= start);
    let (_, blob) =
        replies.blobs.get(place).filter(|(at, blob)| *at == next && count as usize == blob.len())?;
    // The element's header, then the shared bytes, then the line end.
    out.bulk_shared(blob.clone());
    Some(next + 2 - start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, request};

    /// The memory of many operations at once is given back, that of a few is kept.
    #[test]
    fn slots_serve_again_and_do_not_pile_up() {
        let mut trial = Trial::new(3);
        let conn = trial.connect();
        let keys = [trial.key_on(0, "a"), trial.key_on(1, "b"), trial.key_on(2, "c")];
        let [a, b, c] = keys.each_ref().map(String::as_str);
        trial.ask(conn, &request(&["MSET", a, "1", b, "2", c, "3"]));
        for count in [1, SPARES_MAX, 5 * SPARES_MAX, 10] {
            trial.send(conn, &request(&["MGET", c, a, "none", b, a]).repeat(count));
            assert!(!trial.shards[0].splits.is_empty());
            trial.settle();
            let reply = b"*5\r\n$1\r\n3\r\n$1\r\n1\r\n$-1\r\n$1\r\n2\r\n$1\r\n1\r\n";
            assert!(trial.take_replies(conn) == reply.repeat(count));
            let splits = &trial.shards[0].splits;
            assert!(splits.is_empty() && splits.slots.len() <= SPARES_MAX.max(count.min(SPARES_MAX)));
            assert!(splits.slots.iter().all(|split| split.of.is_none() && split.replies.is_empty()));
        }
        assert_eq!(trial.ask(conn, &request(&["EXISTS", a, a, c, "none"])), b":3\r\n");
    }

    /// Values sent from where they lie, beside others and alone.
    #[test]
    fn large_values_among_small_ones() {
        let mut trial = Trial::new(2);
        let conn = trial.connect();
        let (here, there) = (trial.key_on(0, "here"), trial.key_on(1, "there"));
        let large = "x".repeat(100_000);
        trial.ask(conn, &request(&["SET", &here, "small"]));
        trial.ask(conn, &request(&["SET", &there, &large]));
        let bulk = format!("$100000\r\n{large}\r\n");
        let expected = format!("*5\r\n{bulk}$5\r\nsmall\r\n{bulk}$-1\r\n$5\r\nsmall\r\n");
        let reply = trial.ask(conn, &request(&["MGET", &there, &here, &there, "none", &here]));
        assert!(reply == expected.as_bytes());
    }
}
