//! What a command must be for a script to call it: the checks of Redis, in their order and words.

use crate::registry::{lookup, subcommand};
use crate::spec::{access, flag};
use crate::{Args, Command, Error, Plan, ShardCx, eviction};
use script::Words;

/// What a script may do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rights {
    /// It was called by a `…_RO` command, or has the flag `no-writes`.
    pub read_only: bool,
    /// It may call DEBUG.
    pub may_debug: bool,
    /// Commands that need memory are refused: there was none when the script began, and nothing it did has freed any.
    pub out_of_memory: bool,
    /// Writes are refused: the data could not be saved when the script began.
    pub refuses_writes: bool,
}

/// The command that a script calls.
///
/// # Errors
/// There is none.
pub fn find(args: Args<'_>) -> Result<&'static Command, Error> {
    let unknown = || Error::err("Unknown Redis command called from script");
    let mut command = lookup(args.at(0)).ok_or_else(unknown)?;
    if let Plan::Container = command.plan
        && let Some(name) = args.get(1)
    {
        command = subcommand(command, name).ok_or_else(unknown)?;
    }
    Ok(command)
}

/// Whether a script may call a command.
///
/// # Errors
/// Why it may not.
pub fn check(shard: &ShardCx, command: &Command, args: Args<'_>, rights: Rights) -> Result<(), Error> {
    if !command.takes(args.len()) {
        return Err(Error::err("Wrong number of args calling Redis command from script"));
    }
    let is_debug = rights.may_debug && command.full_name.starts_with("debug");
    if command.flags & flag::NOSCRIPT != 0 && !is_debug {
        return Err(Error::err("This Redis command is not allowed from script"));
    }
    if command.flags & (flag::WRITE | flag::MAY_REPLICATE) != 0 && rights.read_only {
        return Err(Error::err("Write commands are not allowed from read-only scripts."));
    }
    if command.flags & flag::WRITE != 0
        && rights.refuses_writes
        && let Some(error) = eviction::refusal_to_write(shard, command)
    {
        return Err(error);
    }
    if command.flags & flag::DENYOOM != 0 && rights.out_of_memory {
        return Err(Error::OUT_OF_MEMORY);
    }
    Ok(())
}

/// Whether there is such a command, whatever its arguments, and the user may run it: there is only one user, who may everything.
pub fn exists(words: Words<'_>) -> Option<bool> {
    let command = words.get(0).and_then(lookup)?;
    match (command.plan, words.get(1)) {
        (Plan::Container, Some(name)) => subcommand(command, name).map(|_| true),
        _ => Some(true),
    }
}

/// Which arguments of a command are keys, as far as that can be told of what is known of them (the name and constants of a script);
/// `None` if others could be, too, or if the command does more than to use its keys in the selected database.
pub(super) fn key_places(args: &[Option<&[u8]>]) -> Option<Vec<usize>> {
    let command = lookup(args.first().copied()??)?;
    let is_plain = matches!(command.plan, Plan::Keys | Plan::Split(_) | Plan::Connection | Plan::Anywhere);
    let goes_elsewhere = flag::CROSS_DB | flag::NOSCRIPT | flag::UNKNOWN_KEYS | flag::PUBLISHES;
    if !is_plain || command.flags & goes_elsewhere != 0 || command.full_name == "select" {
        return None;
    }
    let mut places = Vec::new();
    for spec in command.keys.iter().filter(|spec| spec.access & access::NOT_KEY == 0) {
        places.extend(spec.places(args)?);
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_keys_are_told_only_if_they_are_certain() {
        let of = |line: &str| {
            let args: Vec<_> = line.split(' ').map(|word| (word != "?").then_some(word.as_bytes())).collect();
            key_places(&args)
        };
        assert_eq!(of("get ?"), Some(vec![1]));
        assert_eq!(of("SET ? ? PX ?"), Some(vec![1]));
        assert_eq!(of("mset ? ? ? ?"), Some(vec![1, 3]));
        assert_eq!(of("del ? ? ?"), Some(vec![1, 2, 3]));
        assert_eq!(of("zunionstore ? 2 ? ? weights 1 2"), Some(vec![1, 3, 4]));
        assert_eq!(of("ping"), Some(vec![]));
        for unknown in [
            "zunionstore ? ? ? ?",
            "sort ?",
            "georadius ? ? ? ? ?",
            "copy ? ?",
            "move ? 1",
            "select 1",
            "dbsize",
            "nosuch ?",
            "?",
            "eval ? 0",
        ] {
            assert_eq!(of(unknown), None, "{unknown}");
        }
    }
}
