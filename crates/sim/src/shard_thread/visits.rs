//! The mail of a shard that sleeps, run by the thread that brings it (`docs/decisions/visits.md`).

use super::{Around, At, ShardThread};
use crate::exchange::{Exchange, Mail};
use crate::rules::Rule;
use shard::VISIT_COMMANDS_MAX;

impl ShardThread {
    /// Sleeping shards whose mail this one, in the middle of its publication, runs itself.
    pub fn take_visits(&mut self) -> Vec<usize> {
        self.publication.as_mut().map_or_else(Vec::new, |publication| std::mem::take(&mut publication.visits))
    }

    /// It has run the mail of another shard.
    pub fn has_visited(&mut self) {
        self.visits += 1;
        self.shard.cx.stats.visits += 1;
    }

    /// Another shard runs the mail of this one, if it really sleeps; whether it did. What it does not run is left, and this one
    /// roused.
    pub fn be_visited(&mut self, around: &mut Around<'_>) -> bool {
        if self.at != At::Asleep || !around.exchange.is_asleep(self.id) {
            around.exchange.set_asleep(self.id, false);
            return false;
        }
        around.exchange.drain(self.id, &mut self.mail);
        self.shard.set_time(around.now_ms, around.now_us);
        let mut left = VISIT_COMMANDS_MAX;
        while let Some(at) = self.next_for_visitors(&mut left, around.exchange)
            && around.random.below(8) > 0
        {
            let Some(Mail::Shard(message)) = self.mail.remove(at) else { break };
            self.shard.on_message(message);
        }
        self.shard.send_news();
        around.journal(&mut self.shard);
        if self.shard.outgoing.put_news_first() {
            for (to, message) in self.shard.outgoing.posts.drain(..) {
                if let Some(message) = self.faults.pass(to, message) {
                    around.exchange.post(to, Mail::Shard(message));
                }
            }
        }
        // Replies that must wait are its own affair.
        if !self.shard.has_outgoing() && around.is_all_safe() && around.random.below(8) > 0 {
            self.send_in_visit(around);
        }
        let has_work = !self.mail.is_empty()
            || self.shard.has_outgoing()
            || self.faults.has_late()
            || !self.shard.dirty_conns.is_empty()
            || self.shard.has_ready_input();
        if has_work {
            around.exchange.set_asleep(self.id, false);
        }
        true
    }

    /// The place in the mail of what a visitor runs next, if that is for visitors and no longer than as many commands as are `left`: of the oldest message.
    fn next_for_visitors(&self, left: &mut usize, exchange: &Exchange) -> Option<usize> {
        let is_for_visitors = |at: usize| {
            let Some(Mail::Shard(message)) = self.mail.get(at) else { return None };
            let is_armed = message.armed_by().is_none_or(|(from, turn)| exchange.is_armed(from, turn));
            self.shard.is_for_visitors(message).filter(|errand| is_armed && errand.commands <= *left)
        };
        let places = if self.rules.keep(Rule::Oldest) { 0..1 } else { 0..self.mail.len() };
        let (at, errand) = places.rev().find_map(|at| Some((at, is_for_visitors(at)?)))?;
        *left -= errand.commands;
        Some(at)
    }

    /// Whoever visits sends what is complete and has not been begun with.
    fn send_in_visit(&mut self, around: &mut Around<'_>) {
        self.shard.forget_idle_resumes();
        for conn in std::mem::take(&mut self.shard.dirty_conns) {
            let state = self.shard.conn_mut(conn as usize);
            let is_whole = state.open && state.is_in_order() && !state.closing;
            if is_whole && self.sent[conn as usize] == 0 {
                state.dirty = false;
                self.gate(conn, around);
                self.send(conn as usize, around);
            } else {
                self.shard.dirty_conns.push(conn);
            }
        }
    }
}
