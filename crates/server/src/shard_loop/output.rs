//! Step 5 of a turn: one send per connection that has something to say.

use super::ShardLoop;
use super::messages::LINE_BYTES_MAX;
use crate::send::{self, Outcome};

/// Replies are held back for others of the same connection this long at most, and up to this many bytes.
const HOLD_BACK_US: u64 = 200;
const HOLD_BACK_BYTES_MAX: usize = 16 * 1024;
const HELD_BACK_MAX: usize = 4096;
/// So many bytes may wait for the reply before them without a look at the client's limit.
const HELD_REPLY_BYTES_FREE: usize = 64 * 1024;

impl ShardLoop {
    /// Step 5: one send per connection that has something to say.
    pub(super) fn flush(&mut self) {
        match self.is_gated() {
            true => self.flush_gated(),
            false => self.flush_all(),
        }
    }

    pub(super) fn flush_all(&mut self) {
        for token in std::mem::take(&mut self.unsent) {
            self.sent[token].waits = false;
            self.send(token);
        }
        let now_us = self.shard.cx.now_us;
        let held_until_us = now_us + HOLD_BACK_US;
        let mut dirty = std::mem::take(&mut self.shard.dirty_conns);
        for conn in dirty.drain(..) {
            let token = conn as usize;
            let conn = self.shard.conn_mut(token);
            conn.dirty = false;
            if conn.has_only_messages && conn.is_in_order() && conn.out.len() < LINE_BYTES_MAX {
                self.stand_in_line(token);
            } else if !conn.is_in_order() && conn.out.len() < HOLD_BACK_BYTES_MAX {
                // More is on its way from other shards, and one system call can carry all of it.
                let much = conn.held_bytes() > HELD_REPLY_BYTES_FREE;
                if self.sent[token].held_until_us == 0 {
                    self.sent[token].held_until_us = held_until_us;
                    self.held_back.push_back((token, held_until_us));
                }
                if much && self.reads_too_slowly(token) {
                    self.close(token);
                }
            } else {
                self.send_soon(token);
            }
        }
        self.send_line();
        self.send_together();
        if self.shard.dirty_conns.is_empty() {
            self.shard.dirty_conns = dirty;
        }
        self.send_held_back(now_us);
    }

    /// Sends what has been held back until now. The first that stays behind is one that really waits.
    fn send_held_back(&mut self, now_us: u64) {
        while let Some(&(token, until_us)) = self.held_back.front() {
            let waits = self.sent[token].held_until_us == until_us;
            if waits && until_us > now_us && self.held_back.len() <= HELD_BACK_MAX {
                return;
            }
            self.held_back.pop_front();
            if waits {
                self.send(token);
            }
        }
    }

    pub(super) fn send(&mut self, token: usize) {
        self.sent[token].held_until_us = 0;
        let now_ms = self.shard.cx.now_ms;
        let conn = self.shard.conn_mut(token);
        // What is withheld comes again, with a turn of its own, once it may go.
        if !conn.open || conn.is_withheld() {
            return;
        }
        let unsent = conn.out.len() - self.sent[token].bytes();
        let (sent, spares) = (&mut self.sent[token], &mut self.spares);
        let total = sent.sendable(&conn.out, conn.net_out_bytes);
        let outcome = send::flush(self.reactor.as_mut(), token, (&mut conn.out, total), sent, spares);
        conn.sent_in_part = self.sent[token].bytes() > 0;
        let sent = (unsent + self.sent[token].bytes() - conn.out.len()) as u64;
        conn.net_out_bytes += sent;
        if sent > 0 {
            conn.last_active_ms = now_ms;
            self.shard.cx.stats.writes += 1;
        }
        self.shard.cx.stats.net_out_bytes += sent;
        if outcome == Outcome::More {
            self.send_in_turn(token);
        }
        let conn = self.shard.conn_mut(token);
        let over = conn.closing && conn.is_in_order() && conn.out.is_empty();
        if outcome == Outcome::Broken || over || outcome == Outcome::Blocked && self.reads_too_slowly(token) {
            self.close(token);
        }
    }

    /// Has the connection's output sent when the replies of a turn are.
    pub(super) fn send_in_turn(&mut self, token: usize) {
        if !std::mem::replace(&mut self.sent[token].waits, true) {
            self.unsent.push(token);
        }
    }
}
