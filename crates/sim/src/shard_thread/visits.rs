//! The mail of a shard that sleeps, run by the thread that brings it (`docs/decisions/visits.md`).

use super::{Around, At, ShardThread};
use crate::exchange::{Exchange, Mail};
use shard::Message;

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
        while let Some(Mail::Shard(message)) = self.mail.front()
            && self.is_for_visitors(message, around.exchange)
            && around.random.below(8) > 0
        {
            let Some(Mail::Shard(message)) = self.mail.pop_front() else { break };
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

    fn is_for_visitors(&self, message: &Message, exchange: &Exchange) -> bool {
        match message {
            Message::Commands(batch) => {
                let runs = batch
                    .commands()
                    .all(|item| item.ask.runs() || self.shard.is_brief_item(batch.from, item));
                runs && exchange.is_armed(batch.from as usize, batch.turn)
            }
            message => self.shard.is_reply_alone(message) || self.shard.brief_keys(message).is_some(),
        }
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
