//! The lines that MONITOR shows.

use super::slowlog;
use crate::spec::flag;
use crate::{Args, Command, ShardCx};
use std::io::Write;

/// Writes the line for a command, among those of this turn. `who`: an address, or `lua` for scripts.
#[cold]
pub fn write(cx: &mut ShardCx, who: &str, db: u16, command: &Command, args: Args<'_>) {
    // Commands that run others show themselves before these.
    let is_skipped = command.flags & flag::SKIP_MONITOR != 0 && command.flags & flag::SCRIPT == 0;
    if is_skipped || command.flags & flag::ADMIN != 0 {
        return;
    }
    let now_us = cx.wall_us();
    let line = &mut cx.monitored;
    let head = write!(line, "+{}.{:06} [{db} {who}]", now_us / 1_000_000, now_us % 1_000_000);
    head.expect("writing to a buffer");
    for (at, arg) in args.from(0).enumerate() {
        line.push(b' ');
        let shown = if slowlog::is_secret(command, args, at) { b"(redacted)" } else { arg };
        line.extend_from_slice(&base::words::quote(shown));
    }
    line.extend_from_slice(b"\r\n");
}
