//! The command families. A family's file has its rows in one `COMMANDS` slice, followed by the functions.

use crate::{Args, Command};

mod generic;
mod hash;
mod probe;
mod string;

/// All families.
pub const ALL: &[&[Command]] = &[generic::COMMANDS, hash::COMMANDS, string::COMMANDS, probe::COMMANDS];

/// The database that a command names beside the client's own (COPY … DB n, MOVE key n); it may not exist.
pub fn other_db(args: Args<'_>) -> Option<u16> {
    let at = if args.is(0, "MOVE") { 2 } else { (3..args.len()).find(|&i| args.is(i, "DB"))? + 1 };
    u16::try_from(args.int(at).ok()?).ok()
}
