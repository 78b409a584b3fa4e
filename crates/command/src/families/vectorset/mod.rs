//! Vector sets: elements with vectors, found by what is near. Invariant: a set left empty goes with its key.
//!
//! What changes a set links and repairs its graph as far as it must, before it answers. Redis publishes no events of vector sets but those of keys
//! that come and go.

mod add;
mod argument;
mod change;
mod filter;
mod look;
mod members;
mod search;

use crate::Command;
use crate::spec::Handler;

pub const COMMANDS: &[&[Command]] =
    &[add::COMMANDS, change::COMMANDS, look::COMMANDS, members::COMMANDS, search::COMMANDS];

const fn row(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler).group("vector_set").since("8.0.0")
}
