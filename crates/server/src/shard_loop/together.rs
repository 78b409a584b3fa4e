//! Sending to many connections in one call: what is published, and the replies of a busy turn.
//!
//! With io_uring that saves the system calls but one of a few hundred. A connection whose socket has not taken everything, or which has
//! more to say than fits here, goes the ordinary way.

use super::ShardLoop;

/// Fewer sends gain nothing by it.
const SENDS_MIN: usize = 16;
const SENDS_MAX: usize = 256;
/// What has more to say costs much more than a call.
const BYTES_MAX: usize = 32 * 1024;

impl ShardLoop {
    /// Sends what a connection has to say, soon or at once.
    #[inline]
    pub(super) fn send_soon(&mut self, token: usize) {
        let conn = self.shard.conn(token);
        let is_simple = conn.open && !conn.closing && !conn.is_withheld() && conn.out.blobs.is_empty();
        if is_simple && (1..=BYTES_MAX).contains(&conn.out.buf.len()) && self.sent[token].is_fresh() {
            self.together.push(token);
            if self.together.len() == SENDS_MAX {
                self.send_together();
            }
        } else {
            self.send(token);
        }
    }

    /// Sends what [`ShardLoop::send_soon`] has left.
    pub(super) fn send_together(&mut self) {
        let mut tokens = std::mem::take(&mut self.together);
        if tokens.len() < SENDS_MIN {
            tokens.drain(..).for_each(|token| self.send(token));
        } else {
            self.send_all(&tokens);
            tokens.clear();
        }
        self.together = tokens;
    }

    fn send_all(&mut self, tokens: &[usize]) {
        let mut results = std::mem::take(&mut self.send_results);
        let shard = &*self.shard;
        let sends: Vec<_> = tokens.iter().map(|&token| (token, &shard.conn(token).out.buf[..])).collect();
        self.reactor.send_each(&sends, &mut results);
        let (now_ms, mut total) = (self.shard.cx.now_ms, 0);
        let shard = &mut *self.shard;
        for (&token, result) in tokens.iter().zip(&results) {
            let (conn, sent) = (shard.conn_mut(token), &mut self.sent[token]);
            let Ok(count) = result else { continue };
            total += *count as u64;
            conn.net_out_bytes += *count as u64;
            conn.last_active_ms = now_ms;
            sent.held_until_us = 0;
            sent.add(*count, &mut conn.out, &mut self.spares);
        }
        shard.cx.stats.net_out_bytes += total;
        shard.cx.stats.writes += tokens.len() as u64;
        // The sockets that take no more, and those that are broken.
        for &token in tokens {
            if !self.shard.conn(token).out.is_empty() {
                self.send(token);
            }
        }
        results.clear();
        self.send_results = results;
    }
}
