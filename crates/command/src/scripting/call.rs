//! What a command must be for a script to call it: the checks of Redis, in their order and words.

use crate::registry::{lookup, subcommand};
use crate::spec::flag;
use crate::{Args, Command, Error, Plan};

/// What a script may do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rights {
    /// It was called by a `…_RO` command, or has the flag `no-writes`.
    pub read_only: bool,
    /// Commands that need memory are refused: there was none when the script began, and nothing it did has freed any.
    pub out_of_memory: bool,
}

/// The command that a script calls.
///
/// # Errors
/// Why it may not.
pub fn check(args: Args<'_>, rights: Rights) -> Result<&'static Command, Error> {
    let unknown = || Error::err("Unknown Redis command called from script");
    let mut command = lookup(args.at(0)).ok_or_else(unknown)?;
    if let Plan::Container = command.plan
        && let Some(name) = args.get(1)
    {
        command = subcommand(command, name).ok_or_else(unknown)?;
    }
    if !command.takes(args.len()) {
        return Err(Error::err("Wrong number of args calling Redis command from script"));
    }
    if command.flags & flag::NOSCRIPT != 0 {
        return Err(Error::err("This Redis command is not allowed from script"));
    }
    if command.is_write() && rights.read_only {
        return Err(Error::err("Write commands are not allowed from read-only scripts."));
    }
    if command.flags & flag::DENYOOM != 0 && rights.out_of_memory {
        return Err(Error::OUT_OF_MEMORY);
    }
    Ok(command)
}

/// Whether there is such a command, and the user may run it: there is only one user, who may everything.
pub fn exists(words: &[&[u8]]) -> Option<bool> {
    let command = words.first().and_then(|name| lookup(name))?;
    let fits = match (command.plan, words.get(1)) {
        (Plan::Container, Some(name)) => subcommand(command, name).is_some_and(|sub| sub.takes(words.len())),
        _ => command.takes(words.len()),
    };
    fits.then_some(true)
}
