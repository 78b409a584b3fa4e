//! The command families. A file has the rows of its commands in one `COMMANDS` slice, followed by their functions; a family of several
//! files puts their slices together.

use crate::{Args, Command, Error, ShardCx};

mod array;
mod bitmap;
mod connection;
mod dump;
mod functions;
mod generic;
mod geo;
pub(crate) mod hash;
mod hyperloglog;
mod json;
mod list;
mod pubsub;
pub mod scripting;
pub(crate) mod search;
mod server;

pub use generic::migrate;
pub use search::EXPIRE;
pub use server::process::{CLOSE, REOPEN};
pub use server::{backup, reload};
mod set;
pub mod stream;
mod string;
mod told;
pub mod transactions;
mod vectorset;
mod zset;

pub use server::syntax;

/// All families, file by file.
const ALL: &[&[&[Command]]] = &[
    connection::COMMANDS,
    server::COMMANDS,
    generic::COMMANDS,
    string::COMMANDS,
    bitmap::COMMANDS,
    &[hyperloglog::COMMANDS],
    list::COMMANDS,
    set::COMMANDS,
    hash::COMMANDS,
    zset::COMMANDS,
    geo::COMMANDS,
    stream::COMMANDS,
    array::COMMANDS,
    json::COMMANDS,
    vectorset::COMMANDS,
    search::COMMANDS,
    &[dump::COMMANDS],
    &[scripting::COMMANDS],
    &[functions::COMMANDS],
    &[transactions::COMMANDS],
    &[pubsub::COMMANDS],
];

/// The rows of all commands.
pub fn rows() -> impl Iterator<Item = &'static Command> {
    ALL.iter().copied().flatten().copied().flatten()
}

/// The database that a command names beside the client's own (COPY … DB n, MOVE key n); it may not exist.
pub fn other_db(args: Args<'_>) -> Option<u16> {
    let at = if args.is(0, "MOVE") { 2 } else { (3..args.len()).find(|&i| args.is(i, "DB"))? + 1 };
    u16::try_from(args.int(at).ok()?).ok()
}

/// The database that SELECT names.
///
/// # Errors
/// There is none.
pub fn selected_db(cx: &ShardCx, args: Args<'_>) -> Result<u16, Error> {
    let index = args.int(1)?;
    if i32::try_from(index).is_err() {
        return Err(Error::err("value is out of range, value must between -2147483648 and 2147483647"));
    }
    cx.dbs.number(index).ok_or_else(|| Error::DB_INDEX_OUT_OF_RANGE)
}
