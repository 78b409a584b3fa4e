//! Connections: who the client is, what it speaks, which other clients there are.
//!
//! Sessions live on the shard of their connection. CLIENT LIST, KILL, PAUSE and their like are all-shards commands; what
//! must happen to a connection (closing, holding back) is asked for by [`crate::state::Effect`].

mod client;
mod filter;
mod handshake;
mod kill;
mod line;
mod tracking;
mod wait;

use crate::Command;
use crate::spec::{acl, flag::*};

const CLIENT: u64 = NOSCRIPT | LOADING | STALE;

/// A subcommand of CLIENT with the flags that most have.
const fn client(mut row: Command) -> Command {
    row.flags |= CLIENT;
    row.acl(acl::CONNECTION).group("connection")
}

pub const COMMANDS: &[&[Command]] = &[client::COMMANDS, handshake::COMMANDS, wait::COMMANDS];
