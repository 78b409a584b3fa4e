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

use crate::ahead::KEYS_MAX;
use crate::spec::acl;
use crate::{Args, Command, Cx};

const fn row(name: &'static str, handler: crate::spec::Handler) -> Command {
    Command::new(name, handler).acl(acl::STRING).group("string").complexity("O(1)")
}

/// Asks for the cache lines of the keys, every `step`-th argument from `first` on, before the first is needed, and notes their
/// hashes.
fn prefetch(cx: &mut Cx<'_>, args: Args<'_>, first: usize, step: usize) {
    let ahead = &mut cx.shard.keys_ahead;
    if ahead.are_asked_for() {
        return;
    }
    ahead.clear();
    let db = &cx.shard.dbs[cx.db as usize];
    for index in (first..args.len()).step_by(step).take(KEYS_MAX) {
        let hash = args.key(index).hash;
        db.prefetch_bucket(hash);
        ahead.note(hash);
    }
    ahead.hashes().iter().for_each(|&hash| db.prefetch_record(hash));
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
