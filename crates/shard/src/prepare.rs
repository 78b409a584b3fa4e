//! All-shards commands that the client's shard looks at first.

use crate::shard::Shard;
use command::spec::PrepareHandler;
use command::{Args, Command, Cx};
use resp::Span;

impl Shard {
    /// Lets the command refuse itself or say with which arguments its parts run, then sends the parts.
    pub(crate) fn start_prepared(
        &mut self,
        conn: usize,
        command: &'static Command,
        args: Args<'_>,
        prepare: PrepareHandler,
    ) {
        let (db, resp3) = (self.conns[conn].db, self.conns[conn].resp3);
        let mut cx = Cx { shard: &mut self.cx, db, resp3, conn: Some(conn) };
        match prepare(&mut cx, args) {
            Err(error) => {
                self.cx.commands.failed(command.id);
                self.reply_error(conn, &error);
            }
            Ok(words) => {
                let (buf, spans) = joined(&words);
                let seed = self.cx.seed.clone();
                self.start_parts(conn, command, Args::new(&buf, &spans, &seed));
            }
        }
        self.sync_from_session(conn);
    }
}

fn joined(words: &[Vec<u8>]) -> (Vec<u8>, Vec<Span>) {
    let (mut buf, mut spans) = (Vec::new(), Vec::with_capacity(words.len()));
    for word in words {
        spans.push(Span { start: buf.len() as u32, len: word.len() as u32 });
        buf.extend_from_slice(word);
    }
    (buf, spans)
}
