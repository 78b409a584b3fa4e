//! Running one command on this shard.

use crate::running;
use command::{Args, Command, Cx, Error, ShardCx, eviction};
use resp::Reply;

/// Who asked: the connection if it is this shard's, the database and the protocol.
#[derive(Clone, Copy)]
pub struct Caller {
    pub conn: Option<usize>,
    pub db: u16,
    pub resp3: bool,
}

/// Runs the handler; an error becomes its reply. Returns the keys that must be brought here first, if any: then nothing
/// has been written and nothing changed.
#[inline]
pub fn execute(
    shard: &mut ShardCx,
    command: &Command,
    args: Args<'_>,
    caller: Caller,
    out: &mut Reply,
) -> Option<Vec<Vec<u8>>> {
    let mark = out.mark();
    out.resp3 = caller.resp3;
    shard.stats.commands += 1;
    if let Err(error) = eviction::before(shard, command) {
        return fail(shard, error, mark, out);
    }
    running::note(command.name);
    let mut cx = Cx { shard, db: caller.db, resp3: caller.resp3, conn: caller.conn };
    match (command.handler)(&mut cx, args, out) {
        Ok(()) => None,
        Err(error) => fail(shard, error, mark, out),
    }
}

#[cold]
fn fail(shard: &mut ShardCx, error: Error, mark: (usize, usize), out: &mut Reply) -> Option<Vec<Vec<u8>>> {
    out.rewind(mark);
    if let Error::NeedKeys(keys) = error {
        return Some(keys);
    }
    shard.stats.error_replies += 1;
    out.error(error.line());
    None
}

/// The error for a name that no command has, as Redis words it.
pub fn unknown_command(name: &[u8], args: Args<'_>) -> Error {
    const SHOWN_BYTES_MAX: usize = 128;
    let mut shown = String::new();
    for arg in args.from(1) {
        if shown.len() >= SHOWN_BYTES_MAX {
            break;
        }
        let room = SHOWN_BYTES_MAX - shown.len();
        shown.push_str(&format!("'{}' ", String::from_utf8_lossy(&arg[..arg.len().min(room)])));
    }
    let name = String::from_utf8_lossy(&name[..name.len().min(SHOWN_BYTES_MAX)]).into_owned();
    Error::err(format_args!("unknown command '{name}', with args beginning with: {shown}"))
}
