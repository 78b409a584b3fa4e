//! Step 1 of a turn: what the connections brought is read, without looking at it.

use super::{LISTENER_TOKENS, ShardLoop};
use runtime::Event;
use shard::conn::Slowing;
use std::ops::Range;

/// Input bytes collected before they are executed.
pub(super) const INPUT_BYTES: usize = 256 * 1024;
/// One connection's share of them per turn.
const INPUT_BYTES_PER_CONN: usize = 32 * 1024;
/// Input of one connection that waits for its own commands, beyond which it is not read for a while.
const HELD_INPUT_BYTES_MAX: usize = 1 << 20;

impl ShardLoop {
    /// Step 1: reads what the connections brought, without looking at it.
    pub(super) fn collect(&mut self) {
        let events = std::mem::take(&mut self.events);
        let mut used = 0;
        self.turn += 1;
        self.large_bytes = 0;
        // Nobody is read twice before all have been once: first who has waited for room, last who has had some.
        let (waited, unread) = (std::mem::take(&mut self.passed_over), std::mem::take(&mut self.unread));
        let readable = events.iter().filter_map(|e| match e {
            Event::Readable(token) => Some(*token),
            _ => None,
        });
        for token in waited.into_iter().chain(readable).chain(unread) {
            if self.shard.cx.is_closed {
                self.shut_out.push(token);
                continue;
            }
            if token >= LISTENER_TOKENS {
                self.accept(token - LISTENER_TOKENS);
                continue;
            }
            used = self.read(token, used);
        }
        for event in &events {
            match *event {
                // Not now: should the connection turn out to be broken, what was just read of it must have run.
                Event::Writable(token) if self.is_open(token) => self.send_in_turn(token),
                // There is no further event: the next turn finds the end of file behind what was read now.
                Event::Ended(token) if self.is_open(token) => self.unread.push(token),
                _ => {}
            }
        }
        self.events = events;
    }

    /// Reads from one connection into the shared buffer from `used` on; how much of it is used now.
    fn read(&mut self, token: usize, used: usize) -> usize {
        let conn = self.shard.conn(token);
        if !conn.open {
            return used;
        }
        // Several events of one connection may come together, or one with the rest of what it sent before. Its input must be
        // in one piece, and run before the end of it is seen.
        if conn.read_in_turn == self.turn {
            self.unread.push(token);
            return used;
        }
        if conn.slowing != Slowing::No {
            self.get_in_line(token);
            return used;
        }
        if conn.holds_back() && conn.input_bytes() > HELD_INPUT_BYTES_MAX {
            self.halted.push(token);
            return used;
        }
        let end = (used + INPUT_BYTES_PER_CONN).min(self.input.len());
        if end - used < INPUT_BYTES_PER_CONN / 4 {
            self.passed_over.push(token);
            return used;
        }
        if conn.large.is_some() {
            return self.read_large(token, used..end);
        }
        match self.reactor.recv(token, &mut self.input[used..end]) {
            Ok(0) => self.end_of_input(token),
            Ok(count) if self.sends_too_much(token, count) => self.close(token),
            Ok(count) => {
                self.has_input(token, used..used + count);
                if count == end - used {
                    self.unread.push(token);
                }
                return used + count;
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => self.unread.push(token),
            Err(_) => self.close(token),
        }
        used
    }

    /// Has connections read again that have gone on with their input.
    #[cold]
    pub(super) fn end_halts(&mut self) {
        let shard = &self.shard;
        self.unread.extend(self.halted.extract_if(.., |token| {
            let conn = shard.conn(*token);
            !conn.holds_back() || conn.input_bytes() <= HELD_INPUT_BYTES_MAX
        }));
    }

    /// Bytes of the shared buffer are a connection's input in this turn.
    #[inline]
    pub(super) fn has_input(&mut self, token: usize, range: Range<usize>) {
        self.inputs.push((token as u32, range));
        let conn = self.shard.conn_mut(token);
        conn.read_in_turn = self.turn;
        self.spares.lend(&mut conn.out);
    }

    /// Listeners' tokens are nobody's.
    fn is_open(&self, token: usize) -> bool {
        token < LISTENER_TOKENS && self.shard.conn(token).open
    }

    /// A client has sent all it will: it is gone, or waits for replies that are still on their way. What it sent before runs.
    pub(super) fn end_of_input(&mut self, token: usize) {
        let conn = self.shard.conn_mut(token);
        if conn.blocked.is_some() {
            // Nobody is there to be served.
            self.close(token);
        } else if conn.holds_back() {
            conn.ended = true;
        } else if conn.is_in_order() && conn.out.is_empty() {
            self.close(token);
        } else {
            conn.closing = true;
        }
    }
}
