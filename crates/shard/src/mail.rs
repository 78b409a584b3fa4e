//! Mail from other shards: their commands are run, replies to ours take their places.

use crate::ahead::{Ahead, Look, look_ahead};
use crate::execute::{self, Asked, Caller, Needs};
use crate::message::{Ask, Batch, Item, Message, Outcome, Progress, REPLY_BYTES_MAX, Words, mark};
use crate::multi::away::HELD_BEFORE;
use crate::occupants::can_be_refused;
use crate::parking::parked;
use crate::shard::Shard;
use crate::timing;
use crate::tracking::Changes;
use base::hash::HashSeed;
use command::spec::flag;
use command::{Args, Command, Plan};
use journal::TxId;
use resp::Reply;
use std::vec::Drain;

impl Item {
    /// What to look ahead for; only for items with a key.
    #[inline]
    fn look<'a>(&self, words: Words<'a>) -> Look<'a> {
        Look::new(self.command, self.db, words.args, words.spans_of(self), self.key_index, self.hash)
    }
}

impl Shard {
    /// Mail, oldest first. A batch of commands must be armed by now.
    #[inline]
    pub fn on_message(&mut self, message: Message) {
        match message {
            Message::Commands(batch)
                if self.busy.is_none() && batch.earlier.is_none() && batch.news.is_none() =>
            {
                self.run_batch(batch);
            }
            Message::Replies(batch) if self.busy.is_none() => self.on_replies(batch),
            other => return self.on_any_message(other),
        }
        self.after_message();
    }

    #[inline]
    fn after_message(&mut self) {
        if !self.may_proceed.is_empty() {
            self.proceed();
        }
        self.tell_changes();
    }

    #[inline(never)]
    fn on_any_message(&mut self, mut message: Message) {
        if let Message::Commands(batch) = &mut message
            && let Some(news) = batch.news.take()
        {
            self.on_news(*news);
        }
        if self.busy.is_some() {
            return self.on_message_while_busy(message);
        }
        self.read_message(message);
        self.after_message();
    }

    /// Does what a message asks.
    pub(crate) fn read_message(&mut self, message: Message) {
        match message {
            Message::Commands(batch) if batch.earlier.is_none() => self.run_or_refuse(batch),
            Message::Commands(batch) => batch.in_order().for_each(|batch| self.run_or_refuse(batch)),
            Message::Replies(batch) => self.on_replies(batch),
            Message::Late { ask, command, mut reply } => {
                self.complete(ask, command, false, |out| out.append(&mut reply));
            }
            Message::Granted { op, from, keys, is_touched, waiters } => {
                self.on_granted(op, from, keys, (is_touched, waiters));
            }
            Message::Delivered { op, delivery } => self.on_delivered(op, delivery),
            Message::Release { home, op, keys, changes, wait, clients } => {
                self.on_release(home, op, (keys, changes), wait, clients);
            }
            Message::Wait(mail) => self.on_wait_mail(mail),
            Message::Want { home, op, want } => self.want(home, op, want),
            Message::Return { keys, changes } => self.on_return(keys, changes),
            Message::Step { home, op, command, args, caller } => {
                let (reply, effects) = self.run_step(command, &args, caller);
                let stepped = Message::Stepped { op, from: self.cx.id, reply, effects };
                self.outgoing.posts.push((home as usize, stepped));
            }
            Message::Stepped { op, from, reply, effects } => self.on_stepped(op, from, reply, &effects),
            Message::Round { home, op, work, caller } => self.on_round(home, op, work, caller),
            Message::Answered { op, from, answer, effects } => self.on_answered(op, from, answer, effects),
            Message::Slow { ask, entry } => self.on_slow(ask, *entry),
            Message::Touched { watcher } => self.on_touched(watcher),
            Message::Monitored { from, lines } => self.on_monitored(from, &lines),
            Message::News(news) => self.on_news(*news),
            Message::Made { by, bytes } => self.on_made(by, bytes),
            Message::Behind { behind, is_over } => self.on_behind(behind, is_over),
            Message::Changes(changes) => self.on_changes(*changes),
            Message::Forgone { home, prefixes } => self.on_forgone(home, prefixes),
            Message::MonitorsGone { from } => self.cx.monitors.retain(|shard| *shard != from),
            Message::Script { source } => self.on_script(&source),
            Message::Learns { form, name } => self.cx.scripts.hear_of_learning(form, &name),
            Message::Occupied { occupant, is_over } => {
                self.on_occupied(occupant, is_over);
                if is_over {
                    self.go_on_behind_script(occupant.client);
                }
            }
        }
    }

    fn run_or_refuse(&mut self, batch: Box<Batch>) {
        if self.busy.is_some() { self.refuse_batch(batch) } else { self.run_batch(batch) }
    }

    /// Runs the commands of another shard (or our own, sent through the mailbox for the sake of order).
    fn run_batch(&mut self, mut batch: Box<Batch>) {
        let Batch { from, items, spans, args, outside, outcomes, replies, changes, .. } = &mut *batch;
        let (from, words) = (*from, Words { args, spans, outside });
        let seed = self.cx.seed.clone();
        let has_shares = self.look_ahead_of(items, words);
        timing::begin_chunk(&mut self.cx);
        let mut ahead = has_shares.then(Ahead::default);
        let (mut sent, mut ran) = (0, items.len());
        self.batch_from = Some(from);
        for (index, item) in items.iter().enumerate() {
            let hashes = match &mut ahead {
                Some(ahead) => ahead.take(&self.cx.dbs, words, &items[index..], &seed),
                None => None,
            };
            let progress = self.run_item(from, item, words.of(item, &seed), hashes, replies);
            outcomes.push(Outcome::new(progress, replies.buf.len()));
            if let Some(new) = self.batch_changes.take() {
                changes.push((index - sent, new));
            }
            if replies.buf.len() > REPLY_BYTES_MAX {
                let have_run = (&items[sent..=index], outcomes.drain(..));
                self.send_part(from, have_run, std::mem::take(changes), replies);
                sent = index + 1;
            }
            if self.busy.is_some() {
                // A script has not come to its end: what is left comes in the middle of it.
                ran = index + 1;
                break;
            }
        }
        timing::end_chunk(&mut self.cx);
        self.batch_from = None;
        self.silence_killed();
        let rest = if ran < items.len() { rest_of(&batch, ran, &seed) } else { None };
        if (sent, ran) != (0, batch.items.len()) {
            batch.items.truncate(ran);
            batch.items.drain(..sent);
        }
        if !batch.outside.is_empty() {
            // A value that has been stored has one owner from here on, or it would be copied when it is changed.
            batch.outside.clear();
        }
        self.send_back(batch);
        if let Some(rest) = rest {
            self.refuse_batch(rest);
        }
    }

    /// Asks for what these will read; whether there are shares, which ask for their keys one after the other.
    #[inline]
    fn look_ahead_of(&self, items: &[Item], words: Words<'_>) -> bool {
        if let [item] = items {
            // There is nothing to overlap with but what a share has in itself.
            return matches!(item.ask, Ask::Share(..));
        }
        let (mut has_keyed, mut has_shares) = (false, false);
        for item in items {
            has_shares |= matches!(item.ask, Ask::Share(..));
            if item.key_index != 0 {
                has_keyed = true;
                self.cx.dbs[item.db as usize].prefetch_bucket(item.hash);
            }
        }
        if has_keyed && self.cx.tracking.remembers() {
            for item in items.iter().filter(|item| item.key_index != 0) {
                if item.marks & mark::TRACKS_READS != 0 || item.command.flags & flag::WRITE != 0 {
                    self.cx.tracking.look_ahead(item.hash);
                }
            }
        }
        if has_keyed {
            let keyed = items.iter().filter(|item| item.key_index != 0);
            look_ahead(&self.cx.dbs, keyed.map(|item| item.look(words)));
        }
        has_shares
    }

    /// Sends the first items of a batch home, with the many bytes of replies that they have, while the rest is still to run.
    #[cold]
    fn send_part(
        &mut self,
        home: u16,
        (items, outcomes): (&[Item], Drain<'_, Outcome>),
        changes: Vec<(usize, Changes)>,
        replies: &mut Reply,
    ) {
        let mut part = self.batch_pool.pop().unwrap_or_default();
        part.from = home;
        part.items.extend_from_slice(items);
        part.outcomes.extend(outcomes);
        part.changes = changes;
        std::mem::swap(&mut part.replies, replies);
        self.send_back(part);
    }

    /// Sends a batch home that has run.
    pub(crate) fn send_back(&mut self, mut batch: Box<Batch>) {
        batch.executed_by = self.cx.id;
        if batch.from == self.cx.id {
            self.on_replies(batch);
        } else {
            self.outgoing.posts.push((batch.from as usize, Message::Replies(batch)));
        }
    }

    /// One item of a batch; a reply that it has is in `out`. `hashes`: those of its keys, if it is a share whose keys have been
    /// asked for.
    #[inline]
    pub(crate) fn run_item(
        &mut self,
        home: u16,
        item: &Item,
        args: Args<'_>,
        hashes: Option<&[u64]>,
        out: &mut Reply,
    ) -> Progress {
        let is_plain = match item.ask {
            Ask::Share(..) => true,
            Ask::Whole(_) => {
                item.command.flags & flag::PLAIN != 0 && item.key_index != 0 && home != self.cx.id
            }
            _ => false,
        };
        if is_plain && item.marks == 0 && self.locks.is_empty() {
            return self.run_plain_item(home, item, args, hashes, out);
        }
        self.run_any_item(home, item, args, out)
    }

    /// A share, or a command of another shard that has nothing to do with but its one key, of a client about which nothing is out of the
    /// ordinary, on a shard where nothing is locked.
    #[inline]
    fn run_plain_item(
        &mut self,
        home: u16,
        item: &Item,
        args: Args<'_>,
        hashes: Option<&[u64]>,
        out: &mut Reply,
    ) -> Progress {
        let (admitted, mark) = (matches!(item.ask, Ask::Share(..)), out.mark());
        let caller = Caller { admitted, counts: item.ask.counts(), ..Caller::elsewhere(item.db, item.resp3) };
        self.cx.ages.caller_no_touch = false;
        self.cx.has_locks = false;
        if let Some(hashes) = hashes {
            self.cx.keys_ahead.give(hashes);
        }
        let needs = self.execute_for(item.ask, item.command, args, caller, out);
        if hashes.is_some() {
            self.cx.keys_ahead.clear();
        }
        let progress = match needs {
            None => {
                self.tell_slow(home, item.ask);
                Progress::Replied
            }
            Some(needs) => {
                let asked = Asked { home, ask: item.ask, command: item.command, caller, args };
                self.provide_elsewhere(asked, needs)
            }
        };
        self.end_item(home, item, progress, (out, mark))
    }

    /// Sees to what an item of a batch, whose reply begins at `mark`, has brought for others.
    #[inline]
    fn end_item(
        &mut self,
        home: u16,
        item: &Item,
        progress: Progress,
        (out, mark): (&mut Reply, (usize, usize)),
    ) -> Progress {
        if !self.cx.has_news() {
            return progress;
        }
        let claimed = self.after_claiming_command();
        match (progress, item.ask) {
            _ if claimed.is_empty() => progress,
            (Progress::Replied, Ask::Part(_) | Ask::Share(..)) => {
                self.withhold_part(claimed, (home, item.ask, item.command), (out, mark));
                Progress::Under
            }
            (Progress::Replied, ask) => {
                if let Some(client) = ask.client(home) {
                    self.withhold_for(client, claimed);
                }
                progress
            }
            _ => progress,
        }
    }

    fn run_any_item(&mut self, home: u16, item: &Item, args: Args<'_>, out: &mut Reply) -> Progress {
        let mut caller = Caller::elsewhere(item.db, item.resp3);
        if item.key_index == 0 {
            caller.client = item.hash;
        }
        self.cx.ages.caller_no_touch = item.marks & mark::NO_TOUCH != 0;
        if item.marks != 0 {
            if item.marks & mark::NO_TOUCH != 0 {
                self.cx.ages.note_no_touch();
            }
            caller.tracker = item.tracker(home);
        }
        match item.ask {
            Ask::Hold(op) => {
                let keys = args.from(0).map(<[u8]>::to_vec).collect();
                self.hold(home, op, item.db, keys, item.hash);
                return Progress::Under;
            }
            Ask::Open(op) => {
                self.queue_at_gate(home, op);
                return Progress::Under;
            }
            Ask::Whole(_) | Ask::Share(..) | Ask::Part(_) | Ask::Nobody => {}
        }
        if !self.locks.is_empty()
            && let Some(things) =
                self.contended(item.ask.is_of_many() || item.follows, item.command, args, item.db)
        {
            if let Some(error) =
                self.refusal_to_wait(item.command).filter(|_| can_be_refused(item.ask, item.command))
            {
                self.cx.commands.rejected(item.command.id);
                self.cx.count_error(&error);
                out.error(error.line());
                return Progress::Replied;
            }
            self.park(things, parked(home, item.ask, item.command, caller, args));
            return Progress::Under;
        }
        if item.command.flags & flag::SESSIONS != 0 {
            self.sync_to_sessions();
        }
        let mark = out.mark();
        let progress = self.run_for(home, item.ask, item.command, args, caller, out);
        self.end_item(home, item, progress, (out, mark))
    }

    /// Runs a command on behalf of `home`; a reply that it has is in `out`. If keys of other shards were needed, this shard has begun
    /// to bring them here.
    pub(crate) fn run_for(
        &mut self,
        home: u16,
        ask: Ask,
        command: &'static Command,
        args: Args<'_>,
        mut caller: Caller,
        out: &mut Reply,
    ) -> Progress {
        if let (Ask::Whole(ticket), true) = (ask, home == self.cx.id) {
            let conn = &self.conns[ticket.conn as usize];
            caller.conn = (conn.generation == ticket.generation).then_some(ticket.conn as usize);
        }
        // All shares and parts of a command write, or none does: the client's shard has decided.
        caller.admitted = matches!(ask, Ask::Share(..) | Ask::Part(_)) || matches!(command.plan, Plan::Block);
        caller.counts = ask.counts();
        self.cx.has_locks = !self.locks.is_empty();
        if let (Ask::Part(op), Plan::Rounds(rounds)) = (ask, command.plan) {
            self.begin_part((home, op), rounds, args, caller);
            return Progress::Under;
        }
        let needs = self.execute_for(ask, command, args, caller, out);
        self.has_run(Asked { home, ask, command, caller, args }, needs)
    }

    /// Executes a command; what a share of one that is written down does is a part of a transaction.
    #[inline]
    fn execute_for(
        &mut self,
        ask: Ask,
        command: &'static Command,
        args: Args<'_>,
        caller: Caller,
        out: &mut Reply,
    ) -> Option<Needs> {
        match ask {
            Ask::Share(_, tx) if tx != 0 => self.execute_share(TxId(tx), command, args, caller, out),
            _ => execute::execute(&mut self.cx, command, args, caller, out),
        }
    }

    #[cold]
    fn execute_share(
        &mut self,
        tx: TxId,
        command: &'static Command,
        args: Args<'_>,
        caller: Caller,
        out: &mut Reply,
    ) -> Option<Needs> {
        let gathers = self.cx.journal.begin_gathering();
        let needs = execute::execute(&mut self.cx, command, args, caller, out);
        if gathers {
            self.cx.journal.end_part(tx);
        }
        needs
    }

    /// A command has run, or needs something first.
    #[inline]
    fn has_run(&mut self, asked: Asked<'_>, needs: Option<Needs>) -> Progress {
        match needs {
            None => {
                self.tell_slow(asked.home, asked.ask);
                if matches!(asked.command.plan, Plan::Block) {
                    self.end_block(asked.caller.conn);
                }
                Progress::Replied
            }
            Some(needs) => self.provide_elsewhere(asked, needs),
        }
    }

    /// Sees to what a command of another shard, or one that came through the mailbox, needs before it can do anything.
    #[cold]
    fn provide_elsewhere(&mut self, asked: Asked<'_>, needs: Needs) -> Progress {
        match needs {
            Needs::Wait(wait) => {
                self.begin_wait(asked, *wait);
                Progress::Blocked
            }
            Needs::Steps => {
                self.begin_steps(asked);
                Progress::Under
            }
            Needs::Away(_) => unreachable!("{HELD_BEFORE}"),
            Needs::Keys(mut keys) => {
                if asked.command.flags & flag::AWAY == 0 {
                    keys.extend(self.cx.keys_of(asked.command, asked.args, asked.caller.db));
                }
                self.hold_keys(asked, keys, 0);
                Progress::Under
            }
        }
    }

    /// Replies to commands that this shard's connections or operations sent out.
    fn on_replies(&mut self, mut batch: Box<Batch>) {
        let Batch { items, outcomes, replies, changes, executed_by, .. } = &mut *batch;
        let executed_by = *executed_by;
        let executed_here = executed_by == self.cx.id;
        let mut start = 0;
        let has_changes = !changes.is_empty();
        if has_changes {
            // The next one last.
            changes.reverse();
        }
        // The last of the shares that it answers, and how many they are.
        let mut shares = (0, 0);
        for (at, (item, outcome)) in items.iter().zip(&*outcomes).enumerate() {
            match (outcome.progress(), item.ask) {
                (Progress::Replied, Ask::Share(number, _)) => {
                    self.splits.note_reply(number, start, item.spans.0);
                    shares = (number, shares.1 + 1);
                    start = outcome.reply_end();
                }
                (Progress::Replied, _) => {
                    let reply = start..outcome.reply_end();
                    start = reply.end;
                    self.complete(item.ask, item.command, executed_here, |out| {
                        out.append_part(replies, reply);
                    });
                }
                (Progress::Blocked, Ask::Whole(ticket)) => self.on_blocked(executed_by, ticket),
                (Progress::Blocked | Progress::Under, _) => {}
            }
            if has_changes && let Some((_, changes)) = changes.pop_if(|(behind, _)| *behind == at) {
                self.on_changes(changes);
            }
        }
        match shares {
            (_, 0) => batch.give_back(&mut self.batch_pool),
            (last, count) => self.keep_batch(last, batch, count),
        }
    }

    /// The reply of a command that has run here on behalf of `home`, by itself.
    pub(crate) fn answer(&mut self, home: u16, ask: Ask, command: &'static Command, mut reply: Reply) {
        if home == self.cx.id {
            self.complete(ask, command, true, |out| out.append(&mut reply));
        } else {
            self.outgoing.posts.push((home as usize, Message::Late { ask, command, reply }));
        }
    }

    /// A reply has come for something this shard asked. `here`: it ran on this shard.
    pub(crate) fn complete(
        &mut self,
        ask: Ask,
        command: &'static Command,
        here: bool,
        write: impl FnOnce(&mut Reply),
    ) {
        match ask {
            Ask::Whole(ticket) => {
                self.returned += u64::from(!here);
                self.tell_heard_before(ticket.conn as usize);
                let conn = &mut self.conns[ticket.conn as usize];
                if conn.generation != ticket.generation {
                    return;
                }
                if here {
                    conn.through_own_mailbox -= 1;
                } else if command.may_write() {
                    conn.writes_elsewhere -= 1;
                }
                conn.fulfil(ticket.seq, write);
                self.after_fulfil(ticket.conn as usize);
            }
            Ask::Share(op, _) => self.on_share(op, write),
            Ask::Part(op) => self.on_part(op, write),
            Ask::Nobody => {}
            Ask::Hold(_) | Ask::Open(_) => unreachable!("a hold is answered by its keys"),
        }
    }
}

/// The items of a batch from a place on as a batch of their own.
#[cold]
fn rest_of(batch: &Batch, from: usize, seed: &HashSeed) -> Option<Box<Batch>> {
    let mut rest = Batch { from: batch.from, turn: batch.turn, ..Batch::default() };
    for item in &batch.items[from..] {
        let spans = &batch.spans[item.spans.0 as usize..(item.spans.0 + item.spans.1) as usize];
        rest.keep(item, Args::new(&batch.args, spans, seed).with_outside(&batch.outside));
    }
    Some(Box::new(rest))
}
