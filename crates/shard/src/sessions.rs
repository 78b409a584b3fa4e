//! What connections count and what sessions show: brought together before a command looks at the sessions.

use crate::shard::Shard;
use command::{Command, Error};

impl Shard {
    /// Writes what is counted per connection into all sessions.
    pub(crate) fn sync_to_sessions(&mut self) {
        (0..self.conns.len()).for_each(|index| self.sync_to_session(index));
    }

    /// Writes what is counted for one connection into its session.
    pub(crate) fn sync_to_session(&mut self, index: usize) {
        let conn = &self.conns[index];
        let Some(session) = self.cx.sessions.get_mut(index) else { return };
        session.commands = conn.commands;
        session.last_command = conn.last_command;
        session.last_active_ms = conn.last_active_ms.max(session.created_ms);
        session.query_bytes = conn.input.len() + conn.postponed.iter().map(|p| p.buf.len()).sum::<usize>();
        session.output_bytes = conn.out.len();
        session.net_in_bytes = conn.net_in_bytes;
        session.net_out_bytes = conn.net_out_bytes;
    }

    /// Refuses a command before it runs.
    #[cold]
    pub(crate) fn reject(&mut self, index: usize, command: &Command, error: &Error) {
        self.cx.commands.rejected(command.id);
        self.reply_error(index, error);
    }
}
