//! A script that has run for too long in one piece: it goes on a little in each turn, and meanwhile every other command on this shard is
//! answered with BUSY, but for those that can end it.
//!
//! What others ask of this shard that cannot be refused (keys to hold, entries that come back) waits until it is over.

use crate::block::Block;
use crate::blocking::Settling;
use crate::execute::Asked;
use crate::message::{Ask, Batch, Item, Message, Outcome, Progress, WaitMail};
use crate::multi::HeldKeys;
use crate::occupants::{IN_ONE_PIECE, can_be_refused};
use crate::parking::Parked;
use crate::shard::Shard;
use crate::{timing, transaction};
use command::scripting::whole::{Ended, Whole};
use command::spec::flag;
use command::tracking::{News, Tracker};
use command::{Args, Command, Error, Plan};
use std::collections::VecDeque;

/// The script, and who asked for it.
pub(crate) struct Busy {
    asked: Parked,
    whole: Box<Whole>,
    /// The operation among whose keys it runs, if these are of several shards.
    held: Option<HeldKeys>,
    /// Mail that waits for its end.
    mail: VecDeque<Message>,
    /// What has to be told, behind its reply.
    news: Vec<News>,
}

impl Busy {
    pub fn new(asked: &Asked<'_>, whole: Box<Whole>) -> Self {
        Self { asked: asked.parked(), whole, held: None, mail: VecDeque::new(), news: Vec::new() }
    }

    pub fn among(mut self, held: HeldKeys) -> Self {
        self.held = Some(held);
        self
    }

    /// Whether an item of a batch from shard `from` may have been sent by the script's client, behind the script: it waits, as its client
    /// does. Of a share only its shard is known; once that has heard of the script, it sends none.
    fn is_of_client(&self, from: u16, item: &Item, refused: bool) -> bool {
        from == self.asked.home
            && match (self.asked.ask, item.ask) {
                (Ask::Whole(own), Ask::Whole(other)) => {
                    (own.conn, own.generation) == (other.conn, other.generation)
                }
                (_, Ask::Share(..) | Ask::Part(_)) => refused,
                _ => false,
            }
    }

    /// Whether commands of a shard's clients wait.
    fn has_mail_of(&self, shard: u16) -> bool {
        self.mail.iter().any(|message| matches!(message, Message::Commands(batch) if batch.from == shard))
    }
}

impl Shard {
    pub(crate) fn begin_busy(&mut self, mut busy: Busy) {
        busy.news = self.cx.tracking.take_news();
        assert!(self.busy.is_none(), "one script at a time occupies a shard");
        self.cx.is_occupied = true;
        self.tell_occupied(IN_ONE_PIECE, busy.whole.is_function(), busy.asked.client());
        self.busy = Some(Box::new(busy));
    }

    /// Why a command has to be refused if a script runs.
    #[inline]
    pub(crate) fn refusal(&self, command: &Command) -> Option<Error> {
        let busy = self.busy.as_ref().filter(|_| command.flags & flag::ALLOW_BUSY == 0)?;
        Some(if busy.whole.is_function() { Error::BUSY_FUNCTION } else { Error::BUSY })
    }

    /// Lets the script go on for a while. Call once per turn.
    #[cold]
    pub(crate) fn go_on_with_script(&mut self) {
        let Some(mut busy) = self.busy.take() else { return };
        let seed = self.cx.seed.clone();
        let conn = self.conn_of(&busy.asked);
        if conn.is_none() {
            busy.whole.forget_client();
        }
        self.tell_changes();
        self.cx.tracking.caller = busy.asked.caller.tracker;
        timing::begin_chunk(&mut self.cx);
        let ended = busy.whole.go_on(&mut self.cx, busy.asked.args.args(&seed));
        timing::end_chunk(&mut self.cx);
        self.cx.tracking.caller = Tracker::NOBODY;
        busy.news.extend(self.cx.tracking.take_news());
        let Some(ended) = ended else {
            self.busy = Some(busy);
            return;
        };
        self.cx.is_occupied = false;
        self.tell_vacant(IN_ONE_PIECE);
        self.end_script(*busy, ended, conn);
    }

    /// The script has come to its end: it is answered, or begins anew with further keys, and what waited for that goes on.
    fn end_script(&mut self, busy: Busy, ended: Ended, conn: Option<usize>) {
        let Busy { asked, held, mut mail, whole, news } = busy;
        let client = asked.client();
        let Parked { home, ask, command, caller, args } = asked;
        let seed = self.cx.seed.clone();
        let args = args.args(&seed);
        match ended {
            Ended::Reply(out) => {
                let begun_ns = Some(whole.begun_ns());
                if let Some(nanos) = timing::end(&mut self.cx, command, args, begun_ns, caller.counts, conn) {
                    self.cx.note_use(command, args, nanos, out.len());
                }
                self.tell_slow(home, ask);
                let awaited = held.as_ref().map_or_else(Vec::new, HeldKeys::awaited);
                let settling = self.begin_settling(awaited, ask.client(home));
                let pusher = ask.client(home).filter(|_| self.may_be_claimed());
                pusher.into_iter().for_each(|client| self.withhold(client, 1));
                self.answer(home, ask, command, out);
                self.cx.tracking.put_back(news);
                let unsettled = self.look_for_claims(|shard| {
                    held.into_iter().for_each(|held| _ = shard.end_holding(held, &settling));
                    shard.run_ready();
                    shard.after_command();
                });
                if let Some(client) = pusher {
                    self.settle_with(unsettled, vec![client]);
                }
            }
            Ended::Again(mut more) => {
                self.cx.tracking.put_back(news);
                let keys = held.map(|held| self.end_holding(held, &Settling::default()));
                more.extend(keys.into_iter().flatten());
                self.hold_with_own_keys(Asked { home, ask, command, caller, args }, more);
                self.run_ready();
                self.after_command();
            }
        }
        // What has come meanwhile stands before what the script's client has been waiting with.
        while let Some(message) = mail.pop_front() {
            self.on_message(message);
        }
        self.go_on_behind_script(client);
    }

    /// Mail for a shard that is occupied.
    #[cold]
    pub(crate) fn on_message_while_busy(&mut self, message: Message) {
        match message {
            Message::Commands(batch) => batch.in_order().for_each(|batch| self.refuse_batch(batch)),
            Message::Replies(_)
            | Message::Late { .. }
            | Message::Answered { .. }
            | Message::Slow { .. }
            | Message::Monitored { .. }
            | Message::News(_)
            | Message::Made { .. }
            | Message::Behind { .. }
            | Message::Changes(_)
            | Message::Wait(WaitMail::Withhold { .. } | WaitMail::Settled { .. })
            | Message::Occupied { .. } => {
                self.read_message(message);
            }
            other => self.busy.as_mut().expect("it is occupied").mail.push_back(other),
        }
    }

    /// What is answered to a command that does not run. A transaction ends with that, and what it watches here.
    fn busy_error(&mut self, error: Error, command: &Command, args: Args<'_>) -> Error {
        if !matches!(command.plan, Plan::Block) {
            return error;
        }
        self.cx.unwatch(Block::of(args).watcher);
        transaction::abort_error(&error)
    }

    /// Answers what can be answered, and keeps the rest.
    pub(crate) fn refuse_batch(&mut self, mut batch: Box<Batch>) {
        let seed = self.cx.seed.clone();
        let mut rest = Batch { from: batch.from, turn: batch.turn, ..Batch::default() };
        let (items, mut done) = (std::mem::take(&mut batch.items), Vec::new());
        let mut out = std::mem::take(&mut batch.replies);
        for item in items {
            let spans = &batch.spans[item.spans.0 as usize..(item.spans.0 + item.spans.1) as usize];
            let args = Args::new(&batch.args, spans, &seed).with_outside(&batch.outside);
            // Others may have run their part of it already.
            let refused = self.refusal(item.command).is_some();
            let is_part = refused && item.ask.is_of_many() && !can_be_refused(item.ask, item.command);
            let busy = self.busy.as_ref().expect("it is occupied");
            let is_behind = || !rest.items.is_empty() || busy.has_mail_of(batch.from);
            // WATCH does not overtake what its connection has sent before.
            let follows = !refused && !matches!(item.ask, Ask::Part(_)) && is_behind();
            let waits = follows || is_part || busy.is_of_client(batch.from, &item, refused);
            if !item.ask.runs() || matches!(item.ask, Ask::Nobody) || waits {
                rest.keep(&item, args);
                continue;
            }
            if let Some(error) = self.refusal(item.command) {
                self.cx.commands.rejected(item.command.id);
                let error = self.busy_error(error, item.command, args);
                self.cx.count_error(&error);
                out.error(error.line());
                batch.outcomes.push(Outcome::new(Progress::Replied, out.buf.len()));
            } else {
                let progress = self.run_item(batch.from, &item, args, None, &mut out);
                batch.outcomes.push(Outcome::new(progress, out.buf.len()));
            }
            done.push(item);
        }
        batch.items = done;
        batch.replies = out;
        batch.outside.clear();
        self.send_back(batch);
        if !rest.items.is_empty() {
            let mail = &mut self.busy.as_mut().expect("it is occupied").mail;
            mail.push_back(Message::Commands(Box::new(rest)));
        }
    }
}

#[cfg(test)]
mod tests;
