//! How a row is written down: what a command has by default, and a `const` method for everything else.

use super::keys::Find;
use super::{Command, Handler, KeySpec, Merge, MergeHandler, PartHandler, Plan, PrepareHandler};
use crate::rounds::{self, BeginHandler, Enquiry, Rounds};

impl Command {
    pub const fn new(name: &'static str, handler: Handler) -> Self {
        Self {
            name,
            handler,
            arity: -1,
            flags: 0,
            acl: 0,
            keys: &[],
            plan: Plan::Connection,
            group: "",
            since: "1.0.0",
            summary: "",
            complexity: "",
            history: &[],
            deprecated_since: "",
            replaced_by: "",
            tips: &[],
            syntax: "",
            subcommands: &[],
            prepare: None,
            added_args: 0,
            id: 0,
            steps: None,
            full_name: "",
            placed_key: 0,
            key_step: 1,
            element: 0,
        }
    }

    /// A command that concerns every shard.
    pub const fn on_all(name: &'static str, part: PartHandler, merge: MergeHandler) -> Self {
        let mut row = Self::new(name, part);
        row.plan = Plan::All(part, merge);
        row
    }

    /// A command that asks every shard, in rounds.
    pub const fn in_rounds<E: Enquiry>(name: &'static str) -> Self {
        let mut row = Self::new(name, rounds::run_whole::<E>);
        row.plan = Plan::Rounds(Rounds { begin: E::begin, merge: E::merge });
        row
    }

    /// How it goes on where its handler says that it takes long ([`crate::Error::Long`]), in turns of others: the part's answer is the [`resp::Reply`]. Its key does
    /// not change meanwhile.
    pub const fn in_steps(mut self, begin: BeginHandler) -> Self {
        self.steps = Some(begin);
        self
    }

    /// What runs on the client's shard before a command for all shards sets out.
    pub const fn prepare(mut self, prepare: PrepareHandler) -> Self {
        self.prepare = Some(prepare);
        self
    }

    /// As [`Command::prepare`], which puts one argument behind the client's.
    pub const fn prepare_adding(mut self, prepare: PrepareHandler) -> Self {
        self.added_args = 1;
        self.prepare(prepare)
    }

    /// A container such as CONFIG. Called without a known subcommand it answers an error.
    pub const fn container(name: &'static str, subcommands: &'static [Command]) -> Self {
        let mut row = Self::new(name, crate::registry::container_without_subcommand);
        row.plan = Plan::Container;
        row.subcommands = subcommands;
        row.arity = -2;
        row
    }

    /// Makes a container of a command that does something by itself.
    pub const fn with_subcommands(mut self, subcommands: &'static [Command]) -> Self {
        self.subcommands = subcommands;
        self
    }

    pub const fn arity(mut self, arity: i16) -> Self {
        self.arity = arity;
        self
    }

    pub const fn flags(mut self, flags: u64) -> Self {
        self.flags = flags;
        self
    }

    pub const fn acl(mut self, categories: u32) -> Self {
        self.acl = categories;
        self
    }

    /// The key specifications; the command then runs where its keys are.
    pub const fn keys(mut self, keys: &'static [KeySpec]) -> Self {
        self.keys = keys;
        if let [KeySpec { find: Find::Range { step, .. }, .. }] = keys {
            self.key_step = *step;
        }
        if let Plan::Connection = self.plan {
            self.plan = Plan::Keys;
        }
        self
    }

    /// Keys on several shards: each runs its share.
    pub const fn split(mut self, merge: Merge) -> Self {
        self.plan = Plan::Split(merge);
        self
    }

    pub const fn plan(mut self, plan: Plan) -> Self {
        self.plan = plan;
        self
    }

    pub const fn group(mut self, group: &'static str) -> Self {
        self.group = group;
        self
    }

    pub const fn since(mut self, version: &'static str) -> Self {
        self.since = version;
        self
    }

    pub const fn summary(mut self, text: &'static str) -> Self {
        self.summary = text;
        self
    }

    pub const fn complexity(mut self, text: &'static str) -> Self {
        self.complexity = text;
        self
    }

    pub const fn history(mut self, entries: &'static [(&'static str, &'static str)]) -> Self {
        self.history = entries;
        self
    }

    pub const fn deprecated(mut self, since: &'static str, replaced_by: &'static str) -> Self {
        self.deprecated_since = since;
        self.replaced_by = replaced_by;
        self
    }

    pub const fn tips(mut self, tips: &'static [&'static str]) -> Self {
        self.tips = tips;
        self
    }

    pub const fn syntax(mut self, syntax: &'static str) -> Self {
        self.syntax = syntax;
        self
    }

    /// The argument that names the (first) element looked for: the memory for it is asked for ahead.
    pub const fn element(mut self, index: u16) -> Self {
        self.element = index;
        self
    }
}
