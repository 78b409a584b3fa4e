//! The row of a command: all that is known of it without running it. COMMAND, arity checks, key extraction, routing and
//! the fuzzer's grammar derive from these rows.

use crate::session::Session;
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
/// Puts the arguments for another row: those of the client, and what the session adds to them.
pub type Expand = fn(&Session, Args<'_>, &mut dyn FnMut(&[u8]));

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
    /// On the shard that has its keys; if several have, the keys are locked and brought together.
    Keys,
    /// As `Keys`, but with keys on several shards each runs its share alone.
    Split(Merge),
    /// Every shard runs a part; the connection's shard merges.
    All(PartHandler, MergeHandler),
    /// On the shard that the cursor in argument 1 names (SCAN).
    Cursor,
    /// As `Keys`, but needs the session, which the shard of its key may not have: the other row runs there instead, with
    /// these arguments. The row's own handler is for callers that have both, a transaction's.
    WithSession(Expand, &'static Command),
    /// A container: its subcommands have the rows.
    Container,
}

/// Flags, named as COMMAND INFO names them.
pub mod flag {
    pub const WRITE: u32 = 1 << 0;
    pub const READONLY: u32 = 1 << 1;
    pub const DENYOOM: u32 = 1 << 2;
    pub const ADMIN: u32 = 1 << 3;
    pub const PUBSUB: u32 = 1 << 4;
    pub const NOSCRIPT: u32 = 1 << 5;
    pub const BLOCKING: u32 = 1 << 6;
    pub const LOADING: u32 = 1 << 7;
    pub const STALE: u32 = 1 << 8;
    pub const SKIP_MONITOR: u32 = 1 << 9;
    pub const SKIP_SLOWLOG: u32 = 1 << 10;
    pub const ASKING: u32 = 1 << 11;
    pub const FAST: u32 = 1 << 12;
    pub const NO_AUTH: u32 = 1 << 13;
    pub const MAY_REPLICATE: u32 = 1 << 14;
    pub const NO_MANDATORY_KEYS: u32 = 1 << 15;
    pub const NO_ASYNC_LOADING: u32 = 1 << 16;
    pub const NO_MULTI: u32 = 1 << 17;
    pub const ALLOW_BUSY: u32 = 1 << 18;
    pub const MOVABLEKEYS: u32 = 1 << 19;
    pub const PROTECTED: u32 = 1 << 20;
    /// Its keys may be in two databases (COPY, MOVE); not shown to clients.
    pub const CROSS_DB: u32 = 1 << 30;
    /// Its parts look at the sessions, which must be up to date; not shown to clients.
    pub const SESSIONS: u32 = 1 << 29;
    /// Its subcommands are rows for our sake; clients see one command (DEBUG). Not shown to clients.
    pub const ONE_NAME: u32 = 1 << 28;
    /// Takes so little time that it is timed together with its neighbours: set by the registry; not shown to clients.
    pub const SHORT: u32 = 1 << 27;
    /// Touches keys that no specification names (SORT … BY): set by the registry; not shown to clients.
    pub const UNKNOWN_KEYS: u32 = 1 << 26;
    /// Has its one key at a fixed place, and nothing but that key to do with: set by the registry; not shown to clients.
    pub const PLAIN: u32 = 1 << 25;
    /// Clients have no use for it (`syscmd` in COMMAND DOCS).
    pub const SYSTEM: u32 = 1 << 24;

    /// The flags that COMMAND INFO does not show.
    const UNSHOWN: [u32; 9] =
        [MAY_REPLICATE, PROTECTED, CROSS_DB, SESSIONS, ONE_NAME, SHORT, UNKNOWN_KEYS, PLAIN, SYSTEM];

    // Every flag has a bit of its own.
    const _: () = {
        let (mut seen, mut index) = (0, 0);
        while index < NAMES.len() + UNSHOWN.len() {
            let bit = if index < NAMES.len() { NAMES[index].0 } else { UNSHOWN[index - NAMES.len()] };
            assert!(bit.is_power_of_two() && seen & bit == 0, "two flags share a bit");
            seen |= bit;
            index += 1;
        }
    };

    /// Names in the order Redis lists them; it does not show MAY_REPLICATE and PROTECTED.
    pub const NAMES: [(u32, &str); 19] = [
        (WRITE, "write"),
        (READONLY, "readonly"),
        (DENYOOM, "denyoom"),
        (ADMIN, "admin"),
        (PUBSUB, "pubsub"),
        (NOSCRIPT, "noscript"),
        (BLOCKING, "blocking"),
        (LOADING, "loading"),
        (STALE, "stale"),
        (SKIP_MONITOR, "skip_monitor"),
        (SKIP_SLOWLOG, "skip_slowlog"),
        (ASKING, "asking"),
        (FAST, "fast"),
        (NO_AUTH, "no_auth"),
        (NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (NO_ASYNC_LOADING, "no_async_loading"),
        (NO_MULTI, "no_multi"),
        (ALLOW_BUSY, "allow_busy"),
        (MOVABLEKEYS, "movablekeys"),
    ];
}

/// ACL categories.
pub mod acl {
    pub const KEYSPACE: u32 = 1 << 0;
    pub const READ: u32 = 1 << 1;
    pub const WRITE: u32 = 1 << 2;
    pub const SET: u32 = 1 << 3;
    pub const SORTEDSET: u32 = 1 << 4;
    pub const LIST: u32 = 1 << 5;
    pub const HASH: u32 = 1 << 6;
    pub const STRING: u32 = 1 << 7;
    pub const BITMAP: u32 = 1 << 8;
    pub const HYPERLOGLOG: u32 = 1 << 9;
    pub const GEO: u32 = 1 << 10;
    pub const STREAM: u32 = 1 << 11;
    pub const PUBSUB: u32 = 1 << 12;
    pub const ADMIN: u32 = 1 << 13;
    pub const FAST: u32 = 1 << 14;
    pub const SLOW: u32 = 1 << 15;
    pub const BLOCKING: u32 = 1 << 16;
    pub const DANGEROUS: u32 = 1 << 17;
    pub const CONNECTION: u32 = 1 << 18;
    pub const TRANSACTION: u32 = 1 << 19;
    pub const SCRIPTING: u32 = 1 << 20;

    pub const NAMES: [(u32, &str); 21] = [
        (KEYSPACE, "keyspace"),
        (READ, "read"),
        (WRITE, "write"),
        (SET, "set"),
        (SORTEDSET, "sortedset"),
        (LIST, "list"),
        (HASH, "hash"),
        (STRING, "string"),
        (BITMAP, "bitmap"),
        (HYPERLOGLOG, "hyperloglog"),
        (GEO, "geo"),
        (STREAM, "stream"),
        (PUBSUB, "pubsub"),
        (ADMIN, "admin"),
        (FAST, "fast"),
        (SLOW, "slow"),
        (BLOCKING, "blocking"),
        (DANGEROUS, "dangerous"),
        (CONNECTION, "connection"),
        (TRANSACTION, "transaction"),
        (SCRIPTING, "scripting"),
    ];
}

/// What a command does with the keys of a key specification, named as COMMAND DOCS names them.
pub mod access {
    pub const RO: u16 = 1 << 0;
    pub const RW: u16 = 1 << 1;
    pub const OW: u16 = 1 << 2;
    pub const RM: u16 = 1 << 3;
    pub const ACCESS: u16 = 1 << 4;
    pub const UPDATE: u16 = 1 << 5;
    pub const INSERT: u16 = 1 << 6;
    pub const DELETE: u16 = 1 << 7;
    pub const NOT_KEY: u16 = 1 << 8;
    pub const INCOMPLETE: u16 = 1 << 9;
    pub const VARIABLE_FLAGS: u16 = 1 << 10;

    pub const NAMES: [(u16, &str); 11] = [
        (RO, "RO"),
        (RW, "RW"),
        (OW, "OW"),
        (RM, "RM"),
        (ACCESS, "access"),
        (UPDATE, "update"),
        (INSERT, "insert"),
        (DELETE, "delete"),
        (NOT_KEY, "not_key"),
        (INCOMPLETE, "incomplete"),
        (VARIABLE_FLAGS, "variable_flags"),
    ];
}

/// Where the search for keys begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    Index(u16),
    /// Behind this word, looked for from this argument on (negative: from the end, backwards).
    Keyword(&'static str, i16),
    Unknown,
}

/// Which arguments from there are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Up to `last` behind the first (negative: counted from the last argument), every `step`-th; `limit` > 1 with `last` -1:
    /// only the first 1/limit of the arguments.
    Range {
        last: i16,
        step: u16,
        limit: u16,
    },
    /// A count at `index` behind the beginning, keys from `first`, every `step`-th.
    KeyNum {
        index: u16,
        first: u16,
        step: u16,
    },
    Unknown,
}

/// One key specification (Redis: key-specs).
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    pub begin: Begin,
    pub find: Find,
    pub access: u16,
    pub notes: &'static str,
    /// Finds the one key (its index) of a specification that is `Unknown` to clients.
    pub finder: Option<fn(&Args<'_>) -> Option<usize>>,
}

impl KeySpec {
    /// One key at argument `index`.
    pub const fn at(index: u16, access: u16) -> Self {
        Self {
            begin: Begin::Index(index),
            find: Find::Range { last: 0, step: 1, limit: 0 },
            access,
            notes: "",
            finder: None,
        }
    }

    /// Keys from argument `index` to the one `last` behind it (negative: from the end), every `step`-th.
    pub const fn range(index: u16, last: i16, step: u16, access: u16) -> Self {
        Self {
            begin: Begin::Index(index),
            find: Find::Range { last, step, limit: 0 },
            access,
            notes: "",
            finder: None,
        }
    }

    /// A key count at argument `index`, the keys behind it.
    pub const fn counted(index: u16, access: u16) -> Self {
        Self {
            begin: Begin::Index(index),
            find: Find::KeyNum { index: 0, first: 1, step: 1 },
            access,
            notes: "",
            finder: None,
        }
    }

    /// One key behind a word.
    pub const fn keyword(word: &'static str, from: i16, access: u16) -> Self {
        Self {
            begin: Begin::Keyword(word, from),
            find: Find::Range { last: 0, step: 1, limit: 0 },
            access,
            notes: "",
            finder: None,
        }
    }

    /// Keys that no specification can name (SORT BY).
    pub const fn unknown(access: u16) -> Self {
        Self { begin: Begin::Unknown, find: Find::Unknown, access, notes: "", finder: None }
    }

    /// How to find the one key of an unknown specification.
    pub const fn found_by(mut self, finder: fn(&Args<'_>) -> Option<usize>) -> Self {
        self.finder = Some(finder);
        self
    }

    pub const fn notes(mut self, notes: &'static str) -> Self {
        self.notes = notes;
        self
    }

    /// The indexes of the keys this specification finds, appended to `out`.
    ///
    /// # Errors
    /// `ERR Invalid arguments specified for command` when a count does not fit the arguments.
    pub fn find(&self, args: &Args<'_>, out: &mut Vec<usize>) -> Outcome {
        if let Some(finder) = self.finder {
            out.extend(finder(args));
            return Ok(());
        }
        let Some(first) = self.first(args) else { return Ok(()) };
        let argc = args.len();
        let (first, last, step) = match self.find {
            Find::Unknown => return Ok(()),
            Find::Range { last, step, limit } => {
                let last = match last {
                    0.. => first + last as usize,
                    -1 if limit > 1 => first + (argc - first).div_ceil(limit as usize).saturating_sub(1),
                    _ => argc.saturating_sub(last.unsigned_abs() as usize),
                };
                (first, last, step as usize)
            }
            Find::KeyNum { index, first: offset, step } => {
                let invalid = Error::err("Invalid arguments specified for command");
                let count = args.get(first + index as usize).and_then(base::number::parse_i64);
                let count = count.filter(|&n| n >= 0 && n as usize <= argc).ok_or(invalid)? as usize;
                if count == 0 {
                    return Ok(());
                }
                let first = first + offset as usize;
                (first, first + (count - 1) * step as usize, step as usize)
            }
        };
        if last >= argc {
            return Err(Error::err("Invalid arguments specified for command"));
        }
        out.extend((first..=last).step_by(step));
        Ok(())
    }

    fn first(&self, args: &Args<'_>) -> Option<usize> {
        match self.begin {
            Begin::Index(index) => ((index as usize) < args.len()).then_some(index as usize),
            Begin::Keyword(word, from) if from >= 0 => {
                (from as usize..args.len()).find(|&i| args.is(i, word)).map(|i| i + 1)
            }
            Begin::Keyword(word, from) => {
                let start = args.len().checked_sub(from.unsigned_abs() as usize)?;
                (1..=start).rev().find(|&i| args.is(i, word)).map(|i| i + 1)
            }
            Begin::Unknown => None,
        }
        .filter(|&first| first < args.len())
    }
}

/// A command's row. Built with the `const` methods below.
#[derive(Clone, Copy)]
pub struct Command {
    /// Upper case; of a subcommand only its own word.
    pub name: &'static str,
    pub handler: Handler,
    /// Number of arguments with the name; negative: at least.
    pub arity: i16,
    pub flags: u32,
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
    /// Arguments that `prepare` adds at the end, which are nobody else's business.
    pub added_args: u8,
    /// Its number among all commands and subcommands; given by the registry.
    pub id: u16,
    /// `get`, `config|get`; given by the registry.
    pub full_name: &'static str,
    /// [`Command::only_key`], 0 for none; given by the registry.
    pub placed_key: u16,
    /// Argument that names an element of the collection under the key, 0 for none.
    pub element: u16,
}

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
            full_name: "",
            placed_key: 0,
            element: 0,
        }
    }

    /// A command that concerns every shard.
    pub const fn on_all(name: &'static str, part: PartHandler, merge: MergeHandler) -> Self {
        let mut row = Self::new(name, part);
        row.plan = Plan::All(part, merge);
        row
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

    pub const fn flags(mut self, flags: u32) -> Self {
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

    #[inline]
    pub fn is_write(&self) -> bool {
        self.flags & flag::WRITE != 0
    }

    /// Whether `argc` arguments are acceptable.
    #[inline]
    pub fn takes(&self, argc: usize) -> bool {
        if self.arity >= 0 { argc == self.arity as usize } else { argc >= self.arity.unsigned_abs() as usize }
    }

    /// Whether keys may be touched that no specification names.
    #[inline]
    pub fn has_unknown_keys(&self) -> bool {
        self.flags & flag::UNKNOWN_KEYS != 0
    }

    /// Whether what its connection sends next waits until it is done: where its keys are may show only while it runs, or it blocks.
    #[inline]
    pub fn is_fence(&self, shards: u16) -> bool {
        self.flags & flag::BLOCKING != 0 || shards > 1 && self.has_unknown_keys()
    }

    /// The index of the one key of a command that has exactly one, at a fixed place.
    #[inline]
    pub fn only_key(&self) -> Option<usize> {
        match self.keys {
            [KeySpec { begin: Begin::Index(index), find: Find::Range { last: 0, .. }, .. }] => {
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
