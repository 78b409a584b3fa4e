//! Commands whose keys can be served by each shard alone (MGET, MSET, DEL …): each runs its share, one hop.
//!
//! A share is a command like any other, with some of the keys. The split commands of one turn form a *group*: their shares leave in the
//! same batches, one per shard. A batch that comes back stays with the group until what it answers has been merged, straight
//! from there to where the connection will send it from. Groups use their memory again and again: a command with ten keys
//! allocates nothing, and what is noted about it stands beside what is noted about the next.

use crate::message::{Ask, Batch, OpId, Ticket};
use crate::shard::Shard;
use command::args::copy_short;
use command::slowlog::Entry as SlowEntry;
use command::spec::Merge;
use command::{Args, Command, Error, OwnArgs, eviction};
use journal::TxId;
use resp::{Reply, reader};

/// Groups that keep their memory for the next turn, and how many commands and keys each has room for then.
const SPARES_MAX: usize = 64;
const SPARE_COMMANDS_MAX: usize = 4 * 1024;
const SPARE_KEYS_MAX: usize = 64 * 1024;

/// The split commands of a shard's clients that are under way.
#[derive(Default)]
pub(crate) struct Splits {
    groups: Vec<Group>,
    free: Vec<u32>,
    /// Commands in all groups.
    under_way: usize,
    /// While a command is written: the number of each shard's share, or [`NO_SHARE`].
    share_of: Vec<u16>,
    /// While a batch is looked through: the commands that it completes, by the number of their group.
    over: Vec<(u32, u32)>,
}

const NO_SHARE: u16 = u16::MAX;

/// The split commands of one turn, in the order in which they came.
#[derive(Default)]
struct Group {
    splits: Vec<Split>,
    shares: Vec<Share>,
    /// For each key of each command the number of its share.
    of_key: Vec<u16>,
    /// Those that have come back, until all that is in them has been merged.
    batches: Vec<Option<Returned>>,
    /// Commands under way.
    missing: usize,
}

/// A batch with the replies of shares.
struct Returned {
    batch: Box<Batch>,
    /// Shares whose command is still under way.
    unmerged: usize,
}

/// One command.
struct Split {
    ticket: Ticket,
    command: &'static Command,
    merge: Merge,
    /// A share of it runs on this shard; it writes, and one runs elsewhere.
    here: bool,
    elsewhere: bool,
    /// The first of its shares and keys in the group, and how many.
    shares: (u32, u32),
    keys: (u32, u32),
    /// Shares still to come.
    missing: u32,
    /// The arguments, if some of them stand by themselves: such do not come back with the batches.
    args: Option<Box<OwnArgs>>,
    /// The slowest of its shares that were slow, for the slow log.
    slow: Option<Box<SlowEntry>>,
    /// The number by which its shares are written down; 0 if they are not.
    tx: u64,
}

#[derive(Clone, Copy)]
struct Share {
    /// The number of its command in the group.
    split: u32,
    /// Which of the batches that have come back has its reply, and where in its replies, then, where the next element of it stands.
    /// While the command is written: its shard, and the first of its arguments in the batch.
    batch: u32,
    at: usize,
    /// Which of the batch's arguments is its first.
    first: u32,
}

/// Set in the number of a share that is not the first of its command.
pub(crate) const LATER: OpId = 1 << 63;

/// The number by which a share is asked for and answered.
#[inline]
fn number_of(group: u32, share: usize, is_first: bool) -> OpId {
    let later = if is_first { 0 } else { LATER };
    later | OpId::from(group) << 32 | share as OpId
}

/// The group and the share in it.
#[inline]
fn place_of(number: OpId) -> (usize, usize) {
    (((number & !LATER) >> 32) as usize, number as u32 as usize)
}

impl Splits {
    pub(crate) fn is_empty(&self) -> bool {
        self.under_way == 0
    }

    /// A group without commands.
    fn begin_group(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.groups.push(Group::default());
            self.groups.len() as u32 - 1
        })
    }

    /// All commands of the group are over.
    fn end_group(&mut self, number: usize) {
        let group = &mut self.groups[number];
        debug_assert!(group.batches.iter().all(Option::is_none));
        group.splits.clear();
        group.shares.clear();
        group.of_key.clear();
        group.batches.clear();
        group.splits.shrink_to(SPARE_COMMANDS_MAX);
        group.shares.shrink_to(SPARE_COMMANDS_MAX);
        group.of_key.shrink_to(SPARE_KEYS_MAX);
        if self.free.len() >= SPARES_MAX {
            self.groups[number] = Group::default();
        }
        self.free.push(number as u32);
        if self.is_empty() && self.groups.len() > SPARES_MAX {
            self.groups.truncate(SPARES_MAX);
            self.free.clear();
            self.free.extend(0..SPARES_MAX as u32);
        }
    }

    /// The command to which a share belongs.
    fn of(&mut self, number: OpId) -> &mut Split {
        let (group, share) = place_of(number);
        let group = &mut self.groups[group];
        let split = group.shares[share].split as usize;
        &mut group.splits[split]
    }

    /// The reply of a share begins at `at` in the replies of the next batch that its group will be given; its arguments, if they are
    /// there, with number `first`.
    #[inline]
    pub(crate) fn note_reply(&mut self, number: OpId, at: usize, first: u32) {
        let (index, share) = place_of(number);
        let group = &mut self.groups[index];
        let share = &mut group.shares[share];
        *share = Share { batch: group.batches.len() as u32, at, first, ..*share };
        let split = &mut group.splits[share.split as usize];
        split.missing -= 1;
        if split.missing == 0 {
            self.over.push((index as u32, share.split));
        }
    }
}

impl Group {
    /// A command's shares have been merged. Their batches, if they are done with, go to `spares`.
    fn release(&mut self, split: usize, mut spare: impl FnMut(Box<Batch>)) {
        let (first, count) = self.splits[split].shares;
        for share in &self.shares[first as usize..(first + count) as usize] {
            let returned = &mut self.batches[share.batch as usize];
            let left = returned.as_mut().map(|returned| {
                returned.unmerged -= 1;
                returned.unmerged
            });
            if left == Some(0)
                && let Some(Returned { batch, .. }) = returned.take()
            {
                spare(batch);
            }
        }
        self.missing -= 1;
    }
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
        let step = usize::from(command.key_step);
        if !(args.len() - 1).is_multiple_of(step) {
            return self.reply_error(conn, &Error::wrong_arity(command.full_name));
        }
        if let Some(error) = self.refusal_of_many(command, |shard| shards.contains(&shard)) {
            return self.reject(conn, command, &error);
        }
        if let Err(error) = eviction::before(&mut self.cx, command) {
            return self.reject(conn, command, &error);
        }
        let tx = if self.cx.logs() && command.is_write() { self.next_tx().0 } else { 0 };
        let group = match self.outgoing.splits {
            Some(group) => group,
            None => *self.outgoing.splits.insert(self.splits.begin_group()),
        };
        let of = &self.splits.groups[group as usize];
        let (first_share, first_key) = (of.shares.len(), of.of_key.len());
        self.write_shares(group, args, indexes, shards, step);
        let ticket = self.expect(conn);
        let slot = &mut self.conns[conn];
        slot.expect_parts();
        let (db, (marks, client)) = ((slot.db, slot.resp3), slot.marks());
        let of = &mut self.splits.groups[group as usize];
        let mut here = false;
        for (number, share) in of.shares.iter_mut().enumerate().skip(first_share) {
            here |= share.batch == u32::from(self.cx.id);
            let batch = self.outgoing.batches[share.batch as usize].as_mut().expect("it has the arguments");
            let ask = Ask::Share(number_of(group, number, number == first_share), tx);
            batch.push(command, ask, db, share.first as usize);
            if marks != 0 {
                batch.mark(marks, client);
            }
        }
        // There are at least two.
        let elsewhere = command.may_write();
        slot.through_own_mailbox += u32::from(here);
        slot.writes_elsewhere += u32::from(elsewhere);
        let shares = (first_share as u32, (of.shares.len() - first_share) as u32);
        let keys = (first_key as u32, (of.of_key.len() - first_key) as u32);
        let args = (!args.all_inside()).then(|| Box::new(OwnArgs::of(args)));
        let missing = shares.1;
        of.splits.push(Split {
            ticket,
            command,
            merge,
            here,
            elsewhere,
            shares,
            keys,
            missing,
            args,
            slow: None,
            tx,
        });
        of.missing += 1;
        self.splits.under_way += 1;
        self.outgoing.exclusive = true;
    }

    /// Writes the arguments of all shares into the batches of their shards, in one pass, and notes the shares.
    fn write_shares(&mut self, group: u32, args: Args<'_>, indexes: &[usize], shards: &[u16], step: usize) {
        let mut share_of = std::mem::take(&mut self.splits.share_of);
        share_of.resize(self.cx.shards as usize, NO_SHARE);
        let first_share = self.splits.groups[group as usize].shares.len();
        for (&index, &shard) in indexes.iter().zip(shards) {
            if share_of[shard as usize] == NO_SHARE {
                share_of[shard as usize] = (self.begin_share(group, shard, args) - first_share) as u16;
            }
            let batch = self.outgoing.batches[shard as usize].as_mut().expect("it has been begun");
            match step {
                1 => batch.push_arg_of(args, index),
                _ => batch.push_args_of(args, index..index + step),
            }
        }
        let of = &mut self.splits.groups[group as usize];
        of.of_key.extend(shards.iter().map(|&shard| share_of[shard as usize]));
        of.shares[first_share..].iter().for_each(|share| share_of[share.batch as usize] = NO_SHARE);
        self.splits.share_of = share_of;
    }

    /// Another shard has keys of the command; its share's number in the group.
    fn begin_share(&mut self, group: u32, shard: u16, args: Args<'_>) -> usize {
        let batch = self.batch_for(shard as usize);
        let first = batch.spans.len() as u32;
        batch.push_name(args);
        let of = &mut self.splits.groups[group as usize];
        of.shares.push(Share { split: of.splits.len() as u32, batch: u32::from(shard), at: 0, first });
        of.shares.len() - 1
    }

    /// A batch has come back whose shares have been noted: it stays with its group, and the commands that are complete are over.
    pub(crate) fn keep_batch(&mut self, of: OpId, batch: Box<Batch>, unmerged: usize) {
        let group = &mut self.splits.groups[place_of(of).0];
        group.batches.push(Some(Returned { batch, unmerged }));
        let mut over = std::mem::take(&mut self.splits.over);
        for (group, split) in over.drain(..) {
            self.end_split(group as usize, split as usize);
        }
        self.splits.over = over;
    }

    /// A share has been done later than its batch, or earlier.
    #[cold]
    pub(crate) fn on_share(&mut self, number: OpId, write: impl FnOnce(&mut Reply)) {
        let mut batch = self.batch_pool.pop().unwrap_or_default();
        write(&mut batch.replies);
        self.splits.note_reply(number, 0, 0);
        self.keep_batch(number, batch, 1);
    }

    /// All shares are there.
    fn end_split(&mut self, group: usize, index: usize) {
        let of = &mut self.splits.groups[group];
        let split = &mut of.splits[index];
        let Split { ticket, merge, here, elsewhere, tx, .. } = *split;
        if tx != 0 {
            self.added.closed.push(TxId(tx));
        }
        if let Some(entry) = split.slow.take() {
            self.log_slow_split(group, index, *entry);
        }
        let conn = &mut self.conns[ticket.conn as usize];
        let is_there = conn.generation == ticket.generation;
        let of = &mut self.splits.groups[group];
        if is_there {
            conn.through_own_mailbox -= u32::from(here);
            conn.writes_elsewhere -= u32::from(elsewhere);
            conn.fulfil(ticket.seq, |to| of.merge(index, merge, to));
        }
        of.splits[index].args = None;
        let pool = &mut self.batch_pool;
        of.release(index, |batch| batch.give_back(pool));
        self.splits.under_way -= 1;
        if of.missing == 0 {
            self.splits.end_group(group);
        }
        if is_there {
            self.after_fulfil(ticket.conn as usize);
        }
    }

    #[cold]
    fn log_slow_split(&mut self, group: usize, index: usize, mut entry: SlowEntry) {
        let of = &self.splits.groups[group];
        let Split { ticket, command, args, .. } = &of.splits[index];
        let (ticket, seed, config) = (*ticket, &self.cx.seed, &self.cx.config);
        // A share has only some of the arguments. They are shown if the others cannot be put together: a share had to wait.
        match args {
            Some(args) => entry.keep_args(command, args.args(seed), config),
            None => {
                if let Some(args) = of.arguments(index) {
                    entry.keep_args(command, args.args(seed), config);
                }
            }
        }
        self.log_slow_of(Ask::Whole(ticket), entry);
    }

    /// A share was slow: if it is the slowest so far, the operation is as slow as it.
    pub(crate) fn on_slow_share(&mut self, number: OpId, entry: SlowEntry) {
        let slow = &mut self.splits.of(number).slow;
        if slow.as_ref().is_none_or(|slow| slow.micros < entry.micros) {
            *slow = Some(Box::new(entry));
        }
    }
}

impl Group {
    /// Makes one reply of those of the shares.
    fn merge(&self, split: usize, merge: Merge, out: &mut Reply) {
        let split = &self.splits[split];
        let shares = &self.shares[split.shares.0 as usize..][..split.shares.1 as usize];
        let cursor_of = |share: &Share| Cursor { replies: self.replies_of(share), at: share.at };
        if let Some(error) = shares.iter().map(cursor_of).find(|share| reader::is_error(share.rest())) {
            let len = reader::reply_len(error.rest()).expect("shards write whole replies");
            return out.raw(&error.rest()[..len]);
        }
        match merge {
            Merge::Ok => out.ok(),
            Merge::Sum => {
                let count = |share: &Share| reader::integer(cursor_of(share).rest()).unwrap_or(0);
                out.int(shares.iter().map(count).sum());
            }
            Merge::Elements => {
                let of_key = &self.of_key[split.keys.0 as usize..][..split.keys.1 as usize];
                let cursors = shares.iter().map(|share| cursor_of(share).into_array());
                out.array(of_key.len());
                if shares.len() <= FEW_SHARES {
                    let mut few = [const { Cursor { replies: &NO_REPLY, at: 0 } }; FEW_SHARES];
                    few.iter_mut().zip(cursors).for_each(|(to, cursor)| *to = cursor);
                    return copy_elements(&mut few, of_key, out);
                }
                copy_elements(&mut cursors.collect::<Vec<_>>(), of_key, out);
            }
        }
    }

    fn replies_of(&self, share: &Share) -> &Reply {
        &self.returned(share).batch.replies
    }

    fn returned(&self, share: &Share) -> &Returned {
        match &self.batches[share.batch as usize] {
            Some(returned) => returned,
            None => unreachable!("a batch stays until its shares have been merged"),
        }
    }

    /// The arguments of a command put together from those of its shares, if all batches have them.
    #[cold]
    fn arguments(&self, split: usize) -> Option<OwnArgs> {
        let split = &self.splits[split];
        let shares = &self.shares[split.shares.0 as usize..][..split.shares.1 as usize];
        let of_key = &self.of_key[split.keys.0 as usize..][..split.keys.1 as usize];
        let step = usize::from(split.command.key_step);
        let arg = |share: &Share, index: usize| {
            let batch = &self.returned(share).batch;
            batch.spans.get(share.first as usize + index)?.inside(&batch.args).map(<[u8]>::to_vec)
        };
        let mut taken = vec![1; shares.len()];
        let mut words = vec![arg(shares.first()?, 0)?];
        for &number in of_key {
            let from = &mut taken[number as usize];
            for index in *from..*from + step {
                words.push(arg(&shares[number as usize], index)?);
            }
            *from += step;
        }
        Some(OwnArgs::of_words(words))
    }
}

/// So many shares are followed at once without a list of their own.
const FEW_SHARES: usize = 8;

static NO_REPLY: Reply = Reply { buf: Vec::new(), blobs: Vec::new(), resp3: false };

/// The place in the replies of a batch where a share's next reply or element begins.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    replies: &'a Reply,
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    fn rest(self) -> &'a [u8] {
        &self.replies.buf[self.at..]
    }

    /// Before the first element of the array that begins here.
    fn into_array(self) -> Self {
        let header = reader::header(&self.replies.buf, self.at);
        Self { at: header.map_or(self.at, |(_, _, next)| next), ..self }
    }

    /// Copies the next element.
    #[inline]
    fn copy_element(&mut self, out: &mut Reply) {
        if !self.replies.blobs.is_empty()
            && let Some(len) = share_element(self.replies, self.at, out)
        {
            self.at += len;
            return;
        }
        let element = self.rest();
        let len = reader::bulk_len(element).or_else(|| reader::reply_len(element));
        let len = len.expect("shards write whole replies");
        copy_short(&mut out.buf, element, len);
        self.at += len;
    }
}

/// Each share's array is walked in step with the keys.
fn copy_elements(cursors: &mut [Cursor<'_>], of_key: &[u16], out: &mut Reply) {
    of_key.iter().for_each(|&number| cursors[number as usize].copy_element(out));
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
            assert!(splits.is_empty() && splits.groups.len() <= SPARES_MAX);
            assert_eq!(splits.free.len(), splits.groups.len());
            let is_clear = |group: &Group| group.shares.is_empty() && group.batches.is_empty();
            assert!(splits.groups.iter().all(is_clear));
            let room = splits.groups.iter().map(|group| group.shares.capacity());
            assert!(room.max() <= Some(SPARE_COMMANDS_MAX));
        }
        assert_eq!(trial.ask(conn, &request(&["EXISTS", a, a, c, "none"])), b":3\r\n");
    }

    /// Keys that stand by themselves travel so, too.
    #[test]
    fn large_keys_among_small_ones() {
        let mut trial = Trial::new(2);
        let conn = trial.connect();
        let large = "k".repeat(40_000);
        let keys = [0, 1].map(|shard| trial.key_on(shard, &large));
        let (here, there) = (trial.key_on(0, "here"), trial.key_on(1, "there"));
        let [large_here, large_there] = keys.each_ref().map(String::as_str);
        let pairs = ["MSET", large_there, "1", &here, "2", &there, "3", large_here, "4"];
        assert_eq!(trial.ask(conn, &request(&pairs)), b"+OK\r\n");
        let expected = b"*5\r\n$1\r\n3\r\n$1\r\n1\r\n$1\r\n4\r\n$1\r\n2\r\n$1\r\n1\r\n";
        let words = ["MGET", &there, large_there, large_here, &here, large_there];
        assert_eq!(trial.ask(conn, &request(&words)), expected);
        assert_eq!(trial.ask(conn, &request(&["EXISTS", large_there, &there, large_here])), b":3\r\n");
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

    /// The slow log shows all arguments, those of the shares in the order of the keys.
    #[test]
    fn slow_commands_are_told_with_all_arguments() {
        let mut trial = Trial::new(3);
        let conn = trial.connect();
        trial.ask(conn, &request(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]));
        let keys = [trial.key_on(2, "a"), trial.key_on(0, "b"), trial.key_on(2, "c"), trial.key_on(1, "d")];
        let [a, b, c, d] = keys.each_ref().map(String::as_str);
        let large = "x".repeat(40_000);
        for words in [
            &["mset", a, "1", b, "2", c, "3", d, "4"][..],
            &["MGET", d, c, b, a, c],
            &["mset", b, &large, a, "5"],
            &["exists", a, b],
        ] {
            trial.ask(conn, &request(words));
            let log = trial.ask(conn, &request(&["SLOWLOG", "GET", "20"]));
            let log = String::from_utf8(log).expect("text");
            let shown = words.iter().map(|word| match word.len() {
                len if len > 128 => format!("{}... ({} more bytes)", &word[..128], len - 128),
                _ => (*word).to_owned(),
            });
            let shown: Vec<_> = shown.collect();
            let shown: Vec<_> = shown.iter().map(String::as_str).collect();
            let args = String::from_utf8(request(&shown)).expect("text");
            assert!(log.contains(&args), "{args} in {log}");
        }
    }

    /// Commands that wait for a lock keep nothing but their own batches, and those of the same turn go on.
    #[test]
    fn a_command_that_waits_holds_up_no_other() {
        let mut trial = Trial::new(3);
        let (conn, other) = (trial.connect(), trial.connect());
        let keys = [trial.key_on(0, "a"), trial.key_on(1, "b"), trial.key_on(2, "c"), trial.key_on(1, "d")];
        let [a, b, c, d] = keys.each_ref().map(String::as_str);
        // The keys of RENAME are locked on two shards until its second half comes.
        trial.ask(conn, &request(&["MSET", a, "1", b, "2", c, "3", d, "4"]));
        trial.send(other, &request(&["RENAME", b, c]));
        (0..2).for_each(|_| assert!(trial.deliver()));
        let both = [request(&["MGET", a, b]), request(&["MGET", a, d])].concat();
        trial.send(conn, &both);
        trial.settle();
        assert_eq!(trial.take_replies(conn), b"*2\r\n$1\r\n1\r\n$-1\r\n*2\r\n$1\r\n1\r\n$1\r\n4\r\n");
        assert_eq!(trial.take_replies(other), b"+OK\r\n");
    }
}
