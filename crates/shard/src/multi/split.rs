//! Commands whose keys can be served by each shard alone (MGET, MSET, DEL …): each runs its share, one hop.
//!
//! A share is a command like any other, with some of the keys. The split commands of one turn form a *group*: their shares leave in the
//! same batches, one per shard. A batch that comes back stays with the group until what it answers has been merged, straight
//! from there to where the connection will send it from. Groups use their memory again and again: a command with ten keys
//! allocates nothing, and what is noted about it stands beside what is noted about the next.

mod merge;

use crate::message::{Ask, Batch, OpId, Ticket};
use crate::shard::Shard;
use command::slowlog::Entry as SlowEntry;
use command::spec::Merge;
use command::{Args, Command, Error, OwnArgs, eviction};
use journal::TxId;
use resp::Reply;

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
        self.tell_heard_before(ticket.conn as usize);
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

#[cfg(test)]
mod tests;
