//! Nothing of a turn goes to clients before all that any shard had handed to the journal by its end is safe: synced with `appendfsync always`, else
//! written, so that it outlives the process. A turn writes what it has added by itself; so without `always` something waits only if that cannot
//! be: other parts of a transaction are missing, or a generation ends.
//!
//! That is enough, for what a reply or a message tells of was handed over before it could be made. The shard serves on meanwhile: what
//! later turns add to a connection's output waits for its own round and does not keep back what came before.

use super::ShardLoop;
use std::collections::VecDeque;

/// What the turns of a shard have added to its clients' outputs and may not be sent yet.
#[derive(Default)]
pub(super) struct Gate {
    /// Oldest first.
    turns: VecDeque<Gated>,
    spare: Vec<Vec<Output>>,
}

/// What one turn has added.
struct Gated {
    /// The last hand-over that must be safe.
    ticket: u64,
    outputs: Vec<Output>,
}

struct Output {
    token: u32,
    generation: u32,
    /// Where it ends, counted from the connection's first byte.
    end: u64,
}

/// Lists of outputs kept for later turns.
const SPARES_MAX: usize = 8;

impl ShardLoop {
    /// Whether replies wait, or have to, for the journal.
    #[inline]
    pub(super) fn is_gated(&self) -> bool {
        !self.gate.turns.is_empty() || self.process.journal.holds_back()
    }

    /// Clients wait until what they have written is synced: those for whom it is are answered.
    #[cold]
    pub(super) fn see_to_syncs(&mut self) {
        let journal = &self.process.journal;
        if let Some(number) = self.shard.note_handed(journal.handed()) {
            journal.wake_when_synced(self.id, number);
        }
        self.shard.note_synced(journal.synced());
    }

    /// Whether something may be sent that had to wait.
    #[inline]
    pub(super) fn gate_opens(&self) -> bool {
        self.gate.turns.front().is_some_and(|turn| turn.ticket <= self.process.journal.safe())
    }

    /// Step 5 while replies wait: what may go goes, and this turn's output gets its place behind.
    #[cold]
    pub(super) fn flush_gated(&mut self) {
        // In this order: what is handed over meanwhile waits for a later look.
        let ticket = self.process.journal.handed();
        let safe = self.process.journal.safe();
        self.open_gate(safe);
        if ticket <= safe {
            debug_assert!(self.gate.turns.is_empty());
            return self.flush_all();
        }
        let replies = self.gate_turn(ticket);
        self.process.journal.ask_for_sync(replies);
        for token in std::mem::take(&mut self.unsent) {
            self.sent[token].waits = false;
            self.send_soon(token);
        }
        self.send_line();
        self.send_together();
        if let Some(first) = self.gate.turns.front() {
            self.process.journal.wake_when_safe(self.id, first.ticket);
        }
    }

    /// Has the outputs sent whose rounds are done.
    fn open_gate(&mut self, safe: u64) {
        while self.gate.turns.front().is_some_and(|turn| turn.ticket <= safe) {
            let Some(mut turn) = self.gate.turns.pop_front() else { return };
            for output in turn.outputs.drain(..) {
                let token = output.token as usize;
                let conn = self.shard.conn(token);
                if conn.open && conn.generation == output.generation {
                    self.sent[token].gated_turns -= 1;
                    self.sent[token].free_to = output.end;
                    self.send_in_turn(token);
                }
            }
            if self.gate.spare.len() < SPARES_MAX {
                self.gate.spare.push(turn.outputs);
            }
        }
    }

    /// What this turn has added to the clients' outputs waits; how many of them.
    fn gate_turn(&mut self, ticket: u64) -> usize {
        if self.shard.dirty_conns.is_empty() {
            return 0;
        }
        let mut outputs = self.gate.spare.pop().unwrap_or_default();
        let mut dirty = std::mem::take(&mut self.shard.dirty_conns);
        for token in dirty.drain(..) {
            let conn = self.shard.conn_mut(token as usize);
            conn.dirty = false;
            if !conn.open {
                continue;
            }
            let sent = &mut self.sent[token as usize];
            let unsent = sent.unsent(&conn.out) as u64;
            if sent.gated_turns == 0 {
                // Of older output, which its socket has not taken, what had to wait before may go; the rest goes with this.
                sent.free_to = sent.free_to.max(conn.net_out_bytes);
            }
            sent.gated_turns += 1;
            let end = conn.net_out_bytes + unsent;
            outputs.push(Output { token, generation: conn.generation, end });
            if unsent > 0 && self.reads_too_slowly(token as usize) {
                self.close(token as usize);
            }
        }
        if self.shard.dirty_conns.is_empty() {
            self.shard.dirty_conns = dirty;
        }
        let count = outputs.len();
        self.gate.turns.push_back(Gated { ticket, outputs });
        count
    }
}
