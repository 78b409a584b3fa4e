//! Commands whose arguments do not stand in the input as they are: all-shards commands that the client's shard looks at
//! first, inline requests with quotes, commands that were held back.

use crate::execute::Caller;
use crate::shard::Shard;
use command::spec::PrepareHandler;
use command::{Args, Command, Cx, Error, OwnArgs, ShardCx};
use resp::inline::{needs_rewrite, split_words};

/// The arguments with which the parts of a command for all shards run; an error is counted as the command's.
pub(crate) fn prepared(
    cx: &mut ShardCx,
    command: &Command,
    prepare: PrepareHandler,
    args: Args<'_>,
    caller: Caller,
    deny_blocking: bool,
) -> Result<OwnArgs, Error> {
    let Caller { conn, db, resp3, .. } = caller;
    let words = prepare(&mut Cx { shard: cx, db, resp3, conn, deny_blocking }, args);
    words.map(OwnArgs::of_words).inspect_err(|_| cx.commands.failed(command.id))
}

impl Shard {
    /// Lets the command refuse itself or say with which arguments its parts run, then sends the parts.
    pub(crate) fn start_prepared(
        &mut self,
        conn: usize,
        command: &'static Command,
        args: Args<'_>,
        prepare: PrepareHandler,
    ) {
        let caller = Caller::of(conn, &self.conns[conn]);
        match prepared(&mut self.cx, command, prepare, args, caller, false) {
            Err(error) => self.reply_error(conn, &error),
            Ok(own) => {
                let seed = self.cx.seed.clone();
                self.start_parts(conn, command, own.args(&seed));
            }
        }
        self.sync_from_session(conn);
    }
}

impl Shard {
    /// An inline request whose words have escapes cannot be read in place: decodes and runs it. Where the next request
    /// begins, or `None` if it is no such line. Nothing may be queued.
    pub(crate) fn run_quoted_line(&mut self, conn: usize, buf: &[u8], at: usize) -> Option<usize> {
        let rest = &buf[at..];
        let len = rest.iter().position(|&b| b == b'\n')?;
        if rest.first() == Some(&b'*') || !needs_rewrite(&rest[..len]) {
            return None;
        }
        let words = split_words(&rest[..len])?;
        self.run_kept(conn, &OwnArgs::of_words(words));
        Some(at + len + 1)
    }
}
