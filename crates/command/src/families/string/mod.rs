//! Strings. Invariant: a string never grows beyond `proto-max-bulk-len`.

mod compare;
mod increx;
mod lcs;
mod number;
mod part;
mod read;
#[cfg(test)]
mod tests;
mod write;

use crate::spec::acl;
use crate::{Args, Command, Cx};

const fn row(name: &'static str, handler: crate::spec::Handler) -> Command {
    Command::new(name, handler).acl(acl::STRING).group("string").complexity("O(1)")
}

/// Asks for the cache lines of the keys, every `step`-th argument from `first` on, before the first is needed.
fn prefetch(cx: &mut Cx<'_>, args: Args<'_>, first: usize, step: usize) {
    const KEYS_MAX: usize = 64;
    if cx.shard.looked_ahead {
        return;
    }
    let mut hashes = [0; KEYS_MAX];
    let mut count = 0;
    for index in (first..args.len()).step_by(step).take(KEYS_MAX) {
        hashes[count] = args.key(index).hash;
        cx.db().prefetch_bucket(hashes[count]);
        count += 1;
    }
    hashes[..count].iter().for_each(|&hash| cx.db().prefetch_record(hash));
}

pub const COMMANDS: &[&[Command]] = &[
    compare::COMMANDS,
    increx::COMMANDS,
    lcs::COMMANDS,
    number::COMMANDS,
    part::COMMANDS,
    read::COMMANDS,
    write::COMMANDS,
];
