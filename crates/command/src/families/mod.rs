//! The command families. A family's file has its rows in one `COMMANDS` slice, followed by the functions.

use crate::{Args, Command};

mod list;
mod probe;
mod set;
mod string;

/// All families.
pub const ALL: &[&[Command]] = &[string::COMMANDS, list::COMMANDS, set::COMMANDS, probe::COMMANDS];

/// The database that a command names beside the client's own (COPY … DB n).
pub fn other_db(args: Args<'_>) -> Option<u16> {
    let at = (3..args.len()).find(|&i| args.is(i, "DB"))?;
    u16::try_from(args.int(at + 1).ok()?).ok()
}
