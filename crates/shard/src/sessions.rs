//! What connections count and what sessions show: brought together before a command looks at the sessions.

use crate::shard::Shard;
use command::session::Session;
use command::{Command, Error};
use config::WhoMay;

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
        session.query_bytes = conn.input_bytes();
        session.output_bytes = conn.out.len() + conn.held_bytes();
        session.net_in_bytes = conn.net_in_bytes;
        session.net_out_bytes = conn.net_out_bytes;
    }

    /// Whether the configuration lets this client use DEBUG or MODULE; answers the error if not.
    #[cold]
    pub(crate) fn may_use(&mut self, index: usize, command: &Command) -> bool {
        let is_debug = command.full_name == "debug";
        let (option, who) = match is_debug {
            true => ("enable-debug-command", self.cx.config.enable_debug_command),
            false => ("enable-module-command", self.cx.config.enable_module_command),
        };
        let is_local = self.cx.sessions.get(index).is_some_and(Session::is_local);
        if who == WhoMay::Everybody || who == WhoMay::Local && is_local {
            return true;
        }
        let name = if is_debug { "DEBUG" } else { "MODULE" };
        let error = Error::err(format_args!(
            "{name} command not allowed. If the {option} option is set to \"local\", you can run it from a local \
             connection, otherwise you need to set this option in the configuration file, and then restart the server."
        ));
        self.reject(index, command, &error);
        false
    }

    /// Refuses a command before it runs.
    #[cold]
    pub(crate) fn reject(&mut self, index: usize, command: &Command, error: &Error) {
        self.cx.commands.rejected(command.id);
        self.reply_error(index, error);
    }
}
