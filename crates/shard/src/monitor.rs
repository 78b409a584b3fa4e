//! MONITOR: every shard writes a line for each command of its clients, and sends the lines of a turn to the shards that
//! have monitors. A shard whose last monitor has gone says so when the next lines come.

use crate::block::Block;
use crate::message::Message;
use crate::shard::Shard;
use command::families::selected_db;
use command::spec::Verb;
use command::{Args, Command, Plan, monitor};

impl Shard {
    /// Writes the line for a command that is about to run.
    #[cold]
    pub(crate) fn feed_monitors(&mut self, index: usize, command: &Command, args: Args<'_>) {
        if let Plan::Transaction(Verb::Exec) = command.plan {
            self.feed_queued(index);
        }
        self.feed_line(index, command, args, self.conns[index].db);
    }

    /// The commands that EXEC is about to run.
    fn feed_queued(&mut self, index: usize) {
        let Some(transaction) = self.conns[index].transaction.take() else { return };
        let seed = self.cx.seed.clone();
        if transaction.runs() && !self.cx.is_touched(transaction.watcher) {
            for step in Block::of(transaction.block.args(&seed)).steps() {
                self.feed_line(index, step.command, step.args, step.db);
            }
        }
        self.conns[index].transaction = Some(transaction);
    }

    fn feed_line(&mut self, index: usize, command: &Command, args: Args<'_>, db: u16) {
        // The database that there is behind the command, as Redis shows it.
        let selected = (command.name == "SELECT").then(|| selected_db(&self.cx, args));
        let db = selected.and_then(Result::ok).unwrap_or(db);
        if let Some(session) = self.cx.sessions.get(index) {
            let addr = session.addr.clone();
            monitor::write(&mut self.cx, &addr, db, command, args);
        }
    }

    /// Sends the lines of this turn.
    pub(crate) fn send_monitored(&mut self) {
        if self.cx.monitored.is_empty() {
            return;
        }
        let lines = std::mem::take(&mut self.cx.monitored);
        for shard in self.cx.monitors.clone() {
            if shard == self.cx.id {
                self.on_monitored(shard, &lines);
            } else {
                let message = Message::Monitored { from: self.cx.id, lines: lines.clone() };
                self.outgoing.posts.push((shard as usize, message));
            }
        }
    }

    pub(crate) fn on_monitored(&mut self, from: u16, lines: &[u8]) {
        for conn in self.cx.monitoring.clone() {
            self.conns[conn].push(lines);
            self.mark_dirty(conn);
        }
        if !self.cx.monitoring.is_empty() {
            return;
        }
        if from == self.cx.id {
            self.cx.monitors.retain(|shard| *shard != from);
        } else {
            let gone = Message::MonitorsGone { from: self.cx.id };
            self.outgoing.posts.push((from as usize, gone));
        }
    }
}
