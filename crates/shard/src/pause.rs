//! CLIENT PAUSE: commands are kept with their connection, which reads no further; when the pause is over they run in
//! their order. The shard itself never waits.

use crate::queue::Queued;
use crate::shard::Shard;
use command::spec::{Verb, flag};
use command::{Args, OwnArgs, Plan};

impl Shard {
    /// Keeps a command back if the pause says so, or if one before it on this connection is; whether it did.
    #[cold]
    pub(crate) fn postpone(&mut self, q: &Queued, args: Args<'_>) -> bool {
        let Some(pause) = self.cx.pause else { return false };
        let conn = &mut self.conns[q.conn as usize];
        let is_meant = q.command.is_some_and(|command| {
            let queued =
                if let Plan::Transaction(Verb::Exec) = command.plan { conn.queued_flags() } else { 0 };
            let flags = command.flags | queued;
            !pause.writes_only || flags & (flag::WRITE | flag::MAY_REPLICATE) != 0
        });
        let is_over = pause.until_ms <= self.cx.now_ms;
        if !conn.open || conn.closing || conn.postponed.is_empty() && (is_over || !is_meant) {
            return false;
        }
        conn.postponed.push_back(OwnArgs::of(args));
        true
    }

    /// When the pause ends (unix ms), if there is one.
    pub fn pause_end_ms(&self) -> Option<u64> {
        self.cx.pause.map(|pause| pause.until_ms)
    }

    /// Once the pause is over, runs what it held back. Call once per turn.
    pub fn end_pause(&mut self) {
        if self.cx.pause.is_none_or(|pause| pause.until_ms > self.cx.now_ms) {
            return;
        }
        self.cx.pause = None;
        let held = (0..self.conns.len()).filter(|&index| !self.conns[index].postponed.is_empty());
        for index in held.collect::<Vec<_>>() {
            self.run_postponed(index);
        }
    }

    /// Runs a connection's commands that have been held back, unless they must wait again: for the end of a pause or of a script, or for
    /// replies of those before them, with which the connection goes on ([`Shard::resume`]).
    pub(crate) fn run_postponed(&mut self, index: usize) {
        let conn = &mut self.conns[index];
        if self.cx.pause.is_some() || conn.fenced && !conn.is_in_order() {
            return;
        }
        // A fence among those held back holds when it has run.
        conn.fenced = false;
        let mut held = std::mem::take(&mut self.conns[index].postponed);
        while let Some(one) = held.pop_front() {
            self.run_kept(index, &one);
            let conn = &mut self.conns[index];
            if !conn.open || conn.closing {
                return;
            }
            if conn.fenced {
                break;
            }
        }
        let conn = &mut self.conns[index];
        conn.postponed.append(&mut held);
        if conn.postponed.is_empty() && (conn.ended || !conn.input.is_empty()) {
            self.resume_later(index);
        }
    }
}
