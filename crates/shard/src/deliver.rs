//! Replies on their way to a connection of this shard: in its order, and if it wants them.

use crate::message::{Ask, Batch, Item, Message, Outcome, Progress, Ticket, WaitMail};
use crate::shard::Shard;
use command::session::ReplyMode;
use command::spec::flag;
use command::{Command, Error};
use resp::Reply;

/// Replies that are worth less than waking the thread of their connections.
const REPLIES_ALONE_MAX: usize = 2;

impl Shard {
    /// Gives a connection of this shard a reply that is complete, in its order and if it wants it.
    pub(crate) fn deliver_here(&mut self, index: usize, out: &mut Reply) {
        // CLIENT REPLY OFF and SKIP say nothing themselves, which must not count as the reply that is skipped.
        if out.is_empty() || self.discards(index) {
            return;
        }
        self.conns[index].hold_or_send(out);
    }

    /// Whether a message is nothing but the reply of a command or two whose connections wait for nothing else, and have brought
    /// nothing else: whoever has it can do all that there is to do.
    pub fn is_reply_alone(&self, message: &Message) -> bool {
        match message {
            Message::Wait(WaitMail::Unblocked { ticket, .. }) => self.awaits_alone(*ticket),
            Message::Replies(batch) => self.are_replies_alone(batch),
            _ => false,
        }
    }

    /// The same of a batch that has come back.
    pub fn are_replies_alone(&self, batch: &Batch) -> bool {
        let is_alone = |(item, outcome): (&Item, &Outcome)| match (outcome.progress(), item.ask) {
            (Progress::Replied, Ask::Whole(ticket)) => self.awaits_alone(ticket),
            _ => false,
        };
        batch.items.len() <= REPLIES_ALONE_MAX && batch.items.iter().zip(&batch.outcomes).all(is_alone)
    }

    fn awaits_alone(&self, ticket: Ticket) -> bool {
        let conn = &self.conns[ticket.conn as usize];
        let is_same = conn.open && conn.generation == ticket.generation;
        // Its own shard moves it, once it has its reply.
        is_same && conn.outstanding() == 1 && conn.input_bytes() == 0 && !conn.moving
    }

    /// Connections whose input may go on and which have none need no turn for that.
    pub fn forget_idle_resumes(&mut self) {
        let conns = &mut self.conns;
        self.resume.retain(|&index| {
            let conn = &mut conns[index as usize];
            conn.resumes = conn.open && (conn.ended || conn.input_bytes() > 0);
            conn.resumes
        });
    }

    /// The same with what a command has written: that subscriptions have begun or ended is told in any case.
    pub(crate) fn deliver_result(&mut self, index: usize, command: &Command, out: &mut Reply) {
        if command.flags & flag::LISTENS == flag::LISTENS && self.discards(index) {
            return self.conns[index].hold_or_send(out);
        }
        self.deliver_here(index, out);
    }

    /// Whether the reply of the command at hand is not wanted; ends a SKIP.
    fn discards(&mut self, index: usize) -> bool {
        let conn = &mut self.conns[index];
        match conn.replies {
            ReplyMode::On => false,
            ReplyMode::Off => true,
            ReplyMode::SkipNext => {
                if let Some(session) = self.cx.sessions.get_mut(index) {
                    session.reply_mode = ReplyMode::On;
                }
                conn.replies = ReplyMode::On;
                true
            }
        }
    }

    /// A place in the connection's order of replies.
    pub(crate) fn expect(&mut self, index: usize) -> Ticket {
        let discard = self.discards(index);
        let conn = &mut self.conns[index];
        let seq = conn.expect(discard);
        if conn.tracker.is_on {
            conn.asks_with(self.outgoing.publications + 1);
        }
        Ticket { conn: index as u32, generation: conn.generation, seq }
    }

    pub(crate) fn reply_error(&mut self, index: usize, error: &Error) {
        self.cx.count_error(error);
        let mut out = Reply::new(self.conns[index].resp3);
        out.error(error.line());
        self.deliver_here(index, &mut out);
        self.mark_dirty(index);
    }

    #[inline]
    pub(crate) fn mark_dirty(&mut self, index: usize) {
        let conn = &mut self.conns[index];
        conn.has_only_messages = false;
        if !conn.dirty {
            conn.dirty = true;
            self.dirty_conns.push(index as u32);
        }
    }

    /// A reply has taken its place: send it, and go on with a connection that waited for all of them.
    pub(crate) fn after_fulfil(&mut self, index: usize) {
        self.mark_dirty(index);
        let conn = &mut self.conns[index];
        if conn.fenced && conn.is_in_order() {
            conn.fenced = false;
            self.resume_later(index);
        }
    }
}
