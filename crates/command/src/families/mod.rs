//! The command families. A family's file has its rows in one `COMMANDS` slice, followed by the functions.

use crate::{Args, Command};

mod bitmap;
mod generic;
mod hyperloglog;
mod probe;
mod string;

/// All families.
pub const ALL: &[&[Command]] =
    &[bitmap::COMMANDS, generic::COMMANDS, hyperloglog::COMMANDS, probe::COMMANDS, string::COMMANDS];

/// The database that a command names beside the client's own (COPY … DB n, MOVE key n); it may not exist.
pub fn other_db(args: Args<'_>) -> Option<u16> {
    let at = if args.is(0, "MOVE") { 2 } else { (3..args.len()).find(|&i| args.is(i, "DB"))? + 1 };
    u16::try_from(args.int(at).ok()?).ok()
}
