//! The table of connections: who comes and goes, and what is kept both here and in the session.
//!
//! Each connection has a number, which goes to another one after it is closed; the generation tells them apart. What every command
//! looks at is copied from the session; what is counted per connection is written into the session when a command wants to see it.

use crate::conn::Conn;
use crate::shard::Shard;
use command::session::Session;
use command::tracking::{ClientRef, Tracker};

impl Shard {
    /// A new connection; its index, which stays its name until [`Shard::close`].
    pub fn open(&mut self, mut session: Session) -> usize {
        let index = match self.free_conns.pop() {
            Some(index) => index as usize,
            None => {
                self.conns.push(Conn::default());
                self.conns.len() - 1
            }
        };
        let generation = self.conns[index].generation;
        self.conns[index] = Conn::new(generation, true);
        session.client = ClientRef { home: self.cx.id, conn: index as u32, generation };
        self.cx.sessions.put(index, session);
        self.cx.stats.connections += 1;
        self.sync_from_session(index);
        index
    }

    /// The connection is gone; replies still on their way to it will be dropped.
    pub fn close(&mut self, conn: usize) {
        if !self.conns[conn].open {
            return;
        }
        self.drop_transaction(conn);
        self.expect_nothing(conn);
        let slot = &mut self.conns[conn];
        // Its buffers come back with what else is freed.
        self.cx.bin.note_freed(slot.out.buf.capacity() + slot.held_bytes());
        let generation = slot.generation.wrapping_add(1);
        *slot = Conn::new(generation, false);
        if let Some(session) = self.cx.sessions.take(conn) {
            self.cx.forget_session(conn, &session);
        }
        self.cx.monitoring.retain(|index| *index != conn);
        self.free_conns.push(conn as u32);
    }

    /// It waits for nothing more and listens to nothing.
    pub(crate) fn expect_nothing(&mut self, conn: usize) {
        let slot = &mut self.conns[conn];
        let (blocked, subscribed) = (slot.blocked.take(), std::mem::take(&mut slot.subscribed));
        if subscribed {
            self.cx.pubsub.leave(conn);
            self.cx.set_notices();
        }
        if let Some(at) = blocked {
            self.leave_wait(at);
        }
    }

    pub fn conn(&self, conn: usize) -> &Conn {
        &self.conns[conn]
    }

    pub fn conn_mut(&mut self, conn: usize) -> &mut Conn {
        &mut self.conns[conn]
    }

    /// Takes over what commands change in the session.
    pub(crate) fn sync_from_session(&mut self, index: usize) {
        let Some(session) = self.cx.sessions.get(index) else { return };
        let conn = &mut self.conns[index];
        conn.db = session.db;
        conn.resp3 = session.resp3;
        conn.replies = session.reply_mode;
        conn.authenticated = session.authenticated;
        conn.subscribed = session.is_subscribed();
        conn.takes_all = session.authenticated && (session.resp3 || !conn.subscribed);
        conn.closing |= session.close_after_reply;
        conn.no_touch = session.no_touch;
        let mode = session.tracking.as_ref();
        conn.tracker = mode.map_or(Tracker::NOBODY, |mode| mode.tracker());
        conn.is_excepted = mode.is_some_and(|mode| mode.is_excepted);
        if session.no_touch {
            self.cx.ages.note_no_touch();
        }
    }

    /// Writes what is counted per connection into all sessions.
    pub(crate) fn sync_to_sessions(&mut self) {
        (0..self.conns.len()).for_each(|index| self.sync_to_session(index));
    }

    /// Writes what is counted for one connection into its session.
    pub(crate) fn sync_to_session(&mut self, index: usize) {
        let conn = &self.conns[index];
        let Some(session) = self.cx.sessions.get_mut(index) else { return };
        session.commands = conn.commands;
        session.last_command = conn.last_command;
        session.last_active_ms = conn.last_active_ms.max(session.created_ms);
        session.query_bytes = conn.input_bytes();
        session.output_bytes = conn.out.len() + conn.held_bytes();
        session.transaction = conn.transaction.as_ref().map(|t| t.figures()).unwrap_or_default();
        session.blocked = conn.blocked.is_some();
        session.paused = !conn.postponed.is_empty();
        session.net_in_bytes = conn.net_in_bytes;
        session.net_out_bytes = conn.net_out_bytes;
        session.reads = conn.reads;
        session.parsing = conn.parsing;
    }
}
