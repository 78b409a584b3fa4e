//! Replies on their way to a connection of this shard: in its order, and if it wants them.

use crate::message::Ticket;
use crate::shard::Shard;
use command::Error;
use command::session::ReplyMode;
use resp::Reply;

impl Shard {
    /// Gives a connection of this shard a reply that is complete, in its order and if it wants it.
    pub(crate) fn deliver_here(&mut self, index: usize, out: &mut Reply) {
        // CLIENT REPLY OFF and SKIP say nothing themselves, which must not count as the reply that is skipped.
        if out.is_empty() || self.discards(index) {
            return;
        }
        let conn = &mut self.conns[index];
        if conn.is_in_order() {
            conn.out.append(out);
        } else {
            conn.hold(|held| held.append(out));
        }
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
