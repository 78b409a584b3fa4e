//! Connections move to the shard that serves most of their commands.
//!
//! Each connection keeps a candidate and a score (the majority vote of Boyer and Moore, 1981, with others' votes counted double): a
//! command for the candidate adds one, any other takes two away, so that the score grows only while more than two thirds of the commands
//! are for the candidate. At [`MOVE_AT`] the connection moves, as soon as nothing of it is under way. Random keys never get there.

use crate::shard::Shard;
use command::session::Session;
use command::state::Parsing;

/// Commands by which the candidate must be ahead.
const MOVE_AT: u32 = 2048;

/// Who serves a connection most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pull {
    candidate: u16,
    score: u32,
}

impl Pull {
    /// A command went to another shard; true when the connection should be there.
    #[inline]
    pub(crate) fn elsewhere(&mut self, shard: u16) -> bool {
        if self.candidate == shard {
            self.score += 1;
            return self.score >= MOVE_AT;
        }
        self.against();
        if self.score == 0 {
            *self = Self { candidate: shard, score: 1 };
        }
        false
    }

    /// As if the candidate had been ahead for a long time: one more command for it, and the connection moves. For the simulator,
    /// whose connections are short.
    pub fn hasten(&mut self) {
        if self.score > 0 {
            self.score = MOVE_AT - 1;
        }
    }

    /// A command ran here.
    #[inline]
    pub(crate) fn against(&mut self) {
        self.score = self.score.saturating_sub(2);
    }
}

/// A connection on its way to another shard.
pub struct Moving {
    pub session: Box<Session>,
    commands: u64,
    net_in_bytes: u64,
    net_out_bytes: u64,
    reads: u64,
    parsing: Parsing,
    last_active_ms: u64,
}

impl Shard {
    /// Whether any connection should move.
    pub fn has_movers(&self) -> bool {
        !self.wish_to_move.is_empty()
    }

    /// Connections that should move and can move now, with their destinations. Call after the replies are sent.
    pub fn movers(&mut self) -> Vec<(usize, u16)> {
        let mut now = Vec::new();
        if self.wish_to_move.is_empty() {
            return now;
        }
        for index in std::mem::take(&mut self.wish_to_move) {
            let conn = &mut self.conns[index as usize];
            let to = conn.pull.candidate;
            let session = self.cx.sessions.get(index as usize);
            let stays = conn.subscribed
                || self.cx.monitoring.contains(&(index as usize))
                || session.is_some_and(|session| session.tracking.is_some() || session.is_target);
            if !conn.open || conn.pull.score < MOVE_AT || stays {
                conn.moving = false;
            } else if conn.is_quiet() {
                now.push((index as usize, to));
            } else {
                // Its replies are still to come: look again after the next turn.
                self.wish_to_move.push(index);
            }
        }
        now
    }

    /// Takes a quiet connection out of this shard.
    pub fn detach(&mut self, index: usize) -> Option<Moving> {
        let conn = &self.conns[index];
        let (commands, last_active_ms) = (conn.commands, conn.last_active_ms);
        let (net_in_bytes, net_out_bytes) = (conn.net_in_bytes, conn.net_out_bytes);
        let (reads, parsing) = (conn.reads, conn.parsing);
        let session = self.cx.sessions.take(index)?;
        self.close(index);
        self.cx.stats.moved_connections += 1;
        Some(Moving { session, commands, net_in_bytes, net_out_bytes, reads, parsing, last_active_ms })
    }

    /// Takes over a connection from another shard; its index here.
    pub fn attach(&mut self, moving: Moving) -> usize {
        let index = self.open(*moving.session);
        self.cx.stats.connections -= 1;
        let conn = &mut self.conns[index];
        conn.commands = moving.commands;
        conn.net_in_bytes = moving.net_in_bytes;
        conn.net_out_bytes = moving.net_out_bytes;
        conn.reads = moving.reads;
        conn.parsing = moving.parsing;
        conn.last_active_ms = moving.last_active_ms;
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moves(mut next: impl FnMut(u32) -> Option<u16>) -> bool {
        let mut pull = Pull::default();
        (0..100_000).any(|n| match next(n) {
            Some(shard) => pull.elsewhere(shard),
            None => {
                pull.against();
                false
            }
        })
    }

    #[test]
    fn a_clear_majority_pulls_and_an_even_mix_does_not() {
        assert!(moves(|_| Some(3)));
        assert!(moves(|n| (n % 5 != 0).then_some(3)));
        assert!(!moves(|n| (n % 2 == 0).then_some(1)));
        assert!(!moves(|n| Some((n % 3) as u16 + 1)));
    }
}
