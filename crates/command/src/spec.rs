//! The row of a command: all that is known of it without running it. COMMAND, arity checks, key extraction, routing and
//! the fuzzer's grammar derive from these rows.

pub mod access;
pub mod acl;
mod build;
pub mod flag;
mod keys;

pub use keys::{Begin, Find, KeySpec};

use crate::rounds::{BeginHandler, Rounds};
use crate::session::Fieldset;
use crate::{Args, Cx, Error, Outcome, ShardCx};
use resp::Reply;

/// Runs a command on one shard that has all its keys.
pub type Handler = fn(&mut Cx<'_>, Args<'_>, &mut Reply) -> Outcome;

/// One shard's part of a command that concerns all shards.
pub type PartHandler = fn(&mut Cx<'_>, Args<'_>, &mut Reply) -> Outcome;

/// Makes the client's reply from the parts of all shards, in shard order.
pub type MergeHandler = fn(&mut ShardCx, Args<'_>, &[&[u8]], &mut Reply) -> Outcome;

/// Looks at a command for all shards before it leaves the client's shard: refuses it, or says with which arguments the
/// parts and the merge run (the client's own, with what only its shard knows added).
pub type PrepareHandler = fn(&mut Cx<'_>, Args<'_>) -> Result<Vec<Vec<u8>>, Error>;
/// Puts the arguments for another row: those of the client, and what the fieldsets of its session, or script, add to them.
pub type Expand = fn(&[Fieldset], Args<'_>, &mut dyn FnMut(&[u8]));

/// How the parts of a split command become one reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Integers are added up.
    Sum,
    /// One `+OK` stands for all.
    Ok,
    /// Each key has one element of an array, in the order of the keys.
    Elements,
}

/// Where and how a command runs.
#[derive(Clone, Copy)]
pub enum Plan {
    /// On the shard of the connection; touches no key.
    Connection,
    /// On whichever shard has it: that of the client, or of the script or the transaction that it is part of. Touches no key.
    Anywhere,
    /// On the shard that has its keys; if several have, the keys are locked and brought together.
    Keys,
    /// As `Keys`, but with keys on several shards each runs its share alone.
    Split(Merge),
    /// Every shard runs a part; the connection's shard merges.
    All(PartHandler, MergeHandler),
    /// Every shard works on parts of it, round after round; the connection's shard merges.
    Rounds(Rounds),
    /// On the shard that the cursor in the argument with this number names (SCAN).
    Cursor(usize),
    /// As `Keys`, but needs the session, which the shard of its key may not have: the other row runs there instead, with
    /// these arguments. The row's own handler is for callers that have both, a transaction's.
    WithSession(Expand, &'static Command),
    /// A container: its subcommands have the rows.
    Container,
    /// Begins, ends or conditions a transaction: a matter of the connection.
    Transaction(Verb),
    /// The commands of a transaction, at EXEC: where all their keys are; if those are on several shards, they are locked and
    /// brought together. The `shard` crate has the rows.
    Block,
}

/// What is done with a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Multi,
    Exec,
    Discard,
    Watch,
    Unwatch,
}

/// A command's row. Built with the `const` methods of `build`.
#[derive(Clone, Copy)]
pub struct Command {
    /// Upper case; of a subcommand only its own word.
    pub name: &'static str,
    pub handler: Handler,
    /// Number of arguments with the name; negative: at least.
    pub arity: i16,
    pub flags: u64,
    /// ACL categories beyond those that follow from the flags.
    pub acl: u32,
    pub keys: &'static [KeySpec],
    pub plan: Plan,
    pub group: &'static str,
    pub since: &'static str,
    pub summary: &'static str,
    pub complexity: &'static str,
    /// `(version, what changed)`
    pub history: &'static [(&'static str, &'static str)],
    pub deprecated_since: &'static str,
    pub replaced_by: &'static str,
    pub tips: &'static [&'static str],
    /// The arguments in the notation that `docs` reads; see `families::command_docs`.
    pub syntax: &'static str,
    pub subcommands: &'static [Command],
    pub prepare: Option<PrepareHandler>,
    /// See [`Command::in_steps`].
    pub steps: Option<BeginHandler>,
    /// Arguments that `prepare` adds at the end, which are nobody else's business.
    pub added_args: u8,
    /// Its number among all commands and subcommands; given by the registry.
    pub id: u16,
    /// `get`, `config|get`; given by the registry.
    pub full_name: &'static str,
    /// [`Command::only_key`], 0 for none; given by the registry.
    pub placed_key: u16,
    /// How many arguments belong to each key, if its only specification says so (MSET: two).
    pub key_step: u16,
    /// Argument that names an element of the collection under the key, 0 for none.
    pub element: u16,
}

impl Command {
    #[inline]
    pub fn is_write(&self) -> bool {
        self.flags & flag::WRITE != 0
    }

    /// Whether it can write: a script may call commands that do.
    #[inline]
    pub fn may_write(&self) -> bool {
        self.flags & (flag::WRITE | flag::SCRIPT) != 0
    }

    /// Whether `argc` arguments are acceptable.
    #[inline]
    pub fn takes(&self, argc: usize) -> bool {
        let argc_min = usize::from(self.arity.unsigned_abs());
        argc == argc_min || self.arity < 0 && argc > argc_min
    }

    /// Whether keys may be touched that no specification names.
    #[inline]
    pub fn has_unknown_keys(&self) -> bool {
        self.flags & flag::UNKNOWN_KEYS != 0
    }

    /// Whether what its connection sends next waits until it is done: where its keys are may show only while it runs, or it blocks, or
    /// changes how shards see the connection.
    #[inline]
    pub fn is_fence(&self, shards: u16) -> bool {
        self.flags & flag::BLOCKING != 0
            || matches!(self.plan, Plan::Rounds(_))
            || shards > 1 && (self.has_unknown_keys() || self.flags & flag::FENCES != 0)
    }

    /// The index of the one key of a command that has exactly one, at a fixed place.
    #[inline]
    pub fn only_key(&self) -> Option<usize> {
        match self.keys {
            [KeySpec { begin: Begin::Index(index), find: Find::Range { last: 0, .. }, access, .. }]
                if access & access::NOT_KEY == 0 =>
            {
                Some(*index as usize)
            }
            _ => None,
        }
    }

    /// The indexes of all keys.
    ///
    /// # Errors
    /// As [`KeySpec::find`].
    pub fn key_indexes(&self, args: &Args<'_>, out: &mut Vec<usize>) -> Outcome {
        for spec in self.keys {
            if spec.access & access::NOT_KEY == 0 {
                spec.find(args, out)?;
            }
        }
        Ok(())
    }
}
