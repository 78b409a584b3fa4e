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

use crate::spec::Handler;
use crate::{Command, Cx, Error};
use types::VectorSet;

pub const COMMANDS: &[&[Command]] =
    &[add::COMMANDS, change::COMMANDS, look::COMMANDS, members::COMMANDS, search::COMMANDS];

const fn row(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler).group("vector_set").since("8.0.0")
}

impl Cx<'_> {
    /// The set under a key, without counting as a look at it.
    fn peek_vectors(&mut self, key: keyspace::Key<'_>) -> Result<Option<&VectorSet>, Error> {
        let Some(pos) = self.find_for_write(key) else { return Ok(None) };
        let set = <VectorSet as keyspace::Typed>::of(self.db().value(pos));
        set.ok_or(Error::WRONG_TYPE).map(Some)
    }
}
