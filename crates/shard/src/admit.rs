//! Who may do what: commands that are refused before they run.

use crate::shard::Shard;
use command::session::Session;
use command::spec::{Verb, flag};
use command::{Args, Command, Error, Plan};
use config::WhoMay;

impl Shard {
    /// Whether a command has the arguments it needs and the client the right to it; answers the error if not.
    #[inline]
    pub(crate) fn admits(&mut self, index: usize, command: &Command, args: Args<'_>) -> bool {
        if !command.takes(args.len()) {
            self.reject(index, command, &Error::wrong_arity(command.full_name));
            return false;
        }
        if let Some(error) = self.refusal(command) {
            self.reject(index, command, &error);
            return false;
        }
        let unknown = !self.conns[index].authenticated;
        if unknown && command.flags & flag::NO_AUTH == 0 && self.cx.config.requirepass.is_some() {
            self.reject(index, command, &Error::NO_AUTH);
            return false;
        }
        (self.conns[index].takes_all || self.fits_subscriber(index, command))
            && (command.flags & flag::PROTECTED == 0 || self.may_use(index, command))
            && (!self.cx.is_loading || self.fits_loading(index, command))
            && (self.conns[index].transaction.is_none() || self.fits_transaction(index, command, args))
    }

    /// Whether a RESP2 client with subscriptions may send this; answers the error if not.
    #[cold]
    fn fits_subscriber(&mut self, index: usize, command: &Command) -> bool {
        let conn = &self.conns[index];
        if conn.resp3 || !conn.subscribed {
            return true;
        }
        if command.flags & flag::LISTENS != 0 || matches!(command.full_name, "ping" | "quit") {
            return true;
        }
        let error = Error::err(format_args!(
            "Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
            command.full_name
        ));
        self.reject(index, command, &error);
        false
    }

    /// Whether a command has nothing to do with data that is still loading; answers the error if it has.
    #[cold]
    fn fits_loading(&mut self, index: usize, command: &Command) -> bool {
        let fits = command.flags & flag::LOADING != 0;
        if !fits {
            self.reject(index, command, &Error::LOADING);
        }
        fits
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
        let is_exec = matches!(command.plan, Plan::Transaction(Verb::Exec));
        if is_exec || self.conns[index].transaction.is_some() {
            return self.reject_in_transaction(index, command, error);
        }
        self.reply_error(index, error);
    }
}
