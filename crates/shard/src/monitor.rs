//! MONITOR: every shard writes a line for each command of its clients, and sends the lines of a turn to the shards that
//! have monitors. A shard whose last monitor has gone says so when the next lines come.

use crate::message::Message;
use crate::shard::Shard;
use command::spec::flag;
use command::{Args, Command};
use std::io::Write;

impl Shard {
    /// Writes the line for a command that is about to run.
    #[cold]
    pub(crate) fn feed_monitors(&mut self, index: usize, command: &Command, args: Args<'_>) {
        if command.flags & (flag::ADMIN | flag::SKIP_MONITOR) != 0 {
            return;
        }
        let Some(session) = self.cx.sessions.get(index) else { return };
        let now_us = self.cx.wall_us();
        let mut line = std::mem::take(&mut self.cx.monitored);
        let (db, addr) = (self.conns[index].db, &session.addr);
        let head = write!(line, "+{}.{:06} [{db} {addr}]", now_us / 1_000_000, now_us % 1_000_000);
        head.expect("writing to a buffer");
        for (at, arg) in args.from(0).enumerate() {
            line.push(b' ');
            let shown = if command::slowlog::is_secret(command, args, at) { b"(redacted)" } else { arg };
            line.extend_from_slice(&config::quote(shown));
        }
        line.extend_from_slice(b"\r\n");
        self.cx.monitored = line;
    }

    /// Sends the lines of this turn. Call once per turn, before the messages are published.
    pub fn send_monitored(&mut self) {
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
