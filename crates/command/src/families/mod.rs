//! The command families. A family's file has its rows in one `COMMANDS` slice, followed by the functions.

use crate::{Args, Command};

mod bitmap;
mod connection;
mod dump;
mod generic;
mod geo;
mod hash;
mod hyperloglog;
mod list;
mod server;
mod set;
mod string;
mod zset;

pub use server::syntax;

/// All families.
pub const ALL: &[&[Command]] = &[
    connection::COMMANDS,
    server::COMMANDS,
    generic::COMMANDS,
    string::COMMANDS,
    bitmap::COMMANDS,
    hyperloglog::COMMANDS,
    list::COMMANDS,
    set::COMMANDS,
    hash::COMMANDS,
    zset::COMMANDS,
    geo::COMMANDS,
    dump::COMMANDS,
];

/// The database that a command names beside the client's own (COPY … DB n, MOVE key n); it may not exist.
pub fn other_db(args: Args<'_>) -> Option<u16> {
    let at = if args.is(0, "MOVE") { 2 } else { (3..args.len()).find(|&i| args.is(i, "DB"))? + 1 };
    u16::try_from(args.int(at).ok()?).ok()
}
