//! Messages of a turn leave behind its replies, to so many connections at a time.
//!
//! One PUBLISH may be for tens of thousands, and each of them takes a system call's work. Sent in one go, they would keep everybody else
//! waiting, and whoever publishes would not have the reply before the last of them has the message. So those who have messages and nothing
//! else to get stand in a line, of which each turn serves the first. What is published meanwhile joins what waits for a connection, and
//! goes with it.
//!
//! Nobody waits for long: each turn serves a part of the line whatever its length, and whoever has much to get does not stand in it. A
//! connection keeps its order, for there is one output for replies and messages.

use super::ShardLoop;

/// Connections that a turn serves at least, and the part of the line that it serves.
const SERVED_MIN: usize = 256;
const SERVED_PART: usize = 8;
/// Whoever has more to get does not gain by waiting for more.
pub(super) const LINE_BYTES_MAX: usize = 16 * 1024;

impl ShardLoop {
    /// The connection waits for its turn to be sent its messages.
    pub(super) fn stand_in_line(&mut self, token: usize) {
        if !std::mem::replace(&mut self.sent[token].is_in_line, true) {
            self.line.push_back(token as u32);
        }
    }

    /// Sends the first of the line what they have to get.
    pub(super) fn send_line(&mut self) {
        if self.line.is_empty() {
            return;
        }
        // Some get it with a reply: before it is seen whether they still have to.
        self.send_together();
        let mut left = SERVED_MIN.max(self.line.len() / SERVED_PART);
        while left > 0 {
            let Some(token) = self.line.pop_front() else { return };
            let token = token as usize;
            // It may stand here twice, if its number went from one connection to another.
            let is_in_line = std::mem::take(&mut self.sent[token].is_in_line);
            let conn = self.shard.conn(token);
            if is_in_line && conn.open && !conn.out.is_empty() {
                self.send_soon(token);
                left -= 1;
            }
        }
    }
}
