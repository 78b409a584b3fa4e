//! Requests made from the rows of the command table: name, then arguments as the row's syntax has them, and then, now and
//! then, something wrong.

use crate::arguments::{self, by_kind, one_in, pick};
use base::random::Random;
use command::families::syntax::{self, Argument};
use command::spec::flag;
use command::{Command, Plan};

/// Commands that end the process, the connection or the replies, go to other machines, or make the clock matter.
const LEFT_OUT: &[&str] = &[
    "migrate",
    "shutdown",
    "monitor",
    "client|reply",
    "client|pause",
    "client|kill",
    "config|set",
    "config|rewrite",
    "failover",
    "replicaof",
    "slaveof",
    "psync",
    "sync",
    "subscribe",
    "psubscribe",
    "ssubscribe",
    "unsubscribe",
    "punsubscribe",
    "sunsubscribe",
    "save",
    "bgsave",
    "bgrewriteaof",
];

/// Subcommands of DEBUG that are safe to play with.
const DEBUG: &[&str] = &["HELP", "OBJECT", "LISTPACK", "QUICKLIST", "HTSTATS-KEY", "PROTOCOL", "ERROR"];

/// What a request may be made of.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Commands and arguments since this version of Redis are left out, as `(major, minor)`.
    pub before: (u32, u32),
    /// Whether what were modules of Redis before 8.0 is there, too.
    pub with_modules: bool,
    /// Only commands whose reply follows from what went before, save for random picks, and no times close to now.
    pub deterministic: bool,
}

impl Default for Scope {
    fn default() -> Self {
        Self { before: (u32::MAX, 0), with_modules: true, deterministic: false }
    }
}

impl Scope {
    pub fn knows(&self, since: &str) -> bool {
        let mut parts = since.split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < self.before
    }

    /// Whether a command is there.
    pub fn has(&self, row: &Command) -> bool {
        // They tell the versions of what were modules; Redis itself has these since 8.0, if it was made with them.
        let was_module = row.group == "json" || row.full_name.starts_with("FT.");
        self.knows(if was_module { "8.0.0" } else { row.since }) && (self.with_modules || !was_module)
    }

    fn allows(&self, row: &Command) -> bool {
        // Their replies are about the server rather than about the data.
        const ABOUT_DATA: [&str; 14] = [
            "flushall",
            "flushdb",
            "dbsize",
            "swapdb",
            "select",
            "echo",
            "ping",
            "reset",
            "client|setname",
            "client|getname",
            "client|no-evict",
            "client|no-touch",
            "command|getkeys",
            "command|getkeysandflags",
        ];
        let about_server =
            ["server", "connection"].contains(&row.group) && !ABOUT_DATA.contains(&row.full_name);
        let about_memory = ["object|refcount", "memory|usage"].contains(&row.full_name);
        // Among many replies of one EXEC each would have to be compared in its own way.
        let in_blocks = row.group == "transactions";
        // A real server would wait for nobody; and what scripts say is compared in dialogues.
        let is_apart = row.flags & flag::BLOCKING != 0 || row.group == "scripting";
        let by_chance =
            in_blocks || is_apart || about_server || about_memory || row.full_name.ends_with("|help");
        !LEFT_OUT.contains(&row.full_name) && self.has(row) && !(self.deterministic && by_chance)
    }
}

/// All that requests are made from.
pub struct Grammar {
    rows: Vec<Row>,
    scope: Scope,
    /// DUMP payloads of values of every type.
    pub payloads: Vec<Vec<u8>>,
    /// The keys that most requests are about; none: those of each command's type.
    pub keys: Vec<Vec<u8>>,
}

struct Row {
    command: &'static Command,
    words: Vec<&'static str>,
    syntax: Vec<Argument>,
}

/// A request in the making.
struct Draft<'a> {
    random: &'a mut Random,
    grammar: &'a Grammar,
    command: &'static Command,
    out: Vec<Vec<u8>>,
    /// Keys announced by a count that stands before them.
    announced: Option<usize>,
    now_ms: u64,
}

impl Grammar {
    /// Everything in the table that `scope` allows.
    pub fn new(scope: Scope) -> Self {
        let mut rows = Vec::new();
        let mut add = |command: &'static Command, words: Vec<&'static str>| {
            let left_out =
                command.full_name == "debug" && !words.get(1).is_some_and(|sub| DEBUG.contains(sub));
            if scope.allows(command) && !left_out {
                let syntax = syntax::parse(command.syntax).unwrap_or_default();
                rows.push(Row { command, words, syntax });
            }
        };
        for command in command::registry::all() {
            if !matches!(command.plan, Plan::Container) {
                add(command, vec![command.name]);
            }
            command.subcommands.iter().for_each(|sub| add(sub, vec![command.name, sub.name]));
        }
        Self { rows, scope, payloads: Vec::new(), keys: Vec::new() }
    }

    /// How many commands and subcommands it makes requests of.
    pub fn commands(&self) -> usize {
        self.rows.len()
    }

    /// A request of any command.
    pub fn request(&self, random: &mut Random, now_ms: u64) -> Vec<Vec<u8>> {
        if !self.scope.deterministic && one_in(random, 60) {
            return arguments::setting(random);
        }
        let mut row = pick(random, &self.rows);
        // What wipes everything away would otherwise leave little to play with.
        let wipes = ["flushall", "flushdb", "swapdb", "reset", "quit", "hello", "select"];
        while wipes.contains(&row.command.full_name) && random.below(8) > 0 {
            row = pick(random, &self.rows);
        }
        self.request_of(random, row, now_ms)
    }

    /// A request of each command of these groups.
    pub fn requests_of(&self, random: &mut Random, groups: &[&str], now_ms: u64) -> Vec<Vec<Vec<u8>>> {
        let rows = self.rows.iter().filter(|row| groups.contains(&row.command.group));
        rows.map(|row| self.request_of(random, row, now_ms)).collect()
    }

    fn request_of(&self, random: &mut Random, row: &Row, now_ms: u64) -> Vec<Vec<u8>> {
        let out = row.words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let mut draft = Draft { random, grammar: self, command: row.command, out, announced: None, now_ms };
        draft.arguments(&row.syntax, 0);
        draft.fill_up(row.words.len());
        let mut out = draft.out;
        if one_in(random, 7) {
            // A time in the wrong place may be close to now.
            let kinds =
                if self.scope.deterministic && row.command.syntax.contains("seconds") { 2 } else { 5 };
            spoil(random, &mut out, row.words.len(), kinds);
        }
        if one_in(random, 10) {
            out[0].make_ascii_lowercase();
        }
        out
    }
}

impl Draft<'_> {
    fn arguments(&mut self, arguments: &[Argument], depth: usize) {
        // Options may come in any order.
        let (mut fixed, mut options) = (Vec::new(), Vec::new());
        for argument in arguments {
            if !options.is_empty() || argument.optional && argument.token.is_some() {
                options.push(argument);
            } else {
                fixed.push(argument);
            }
        }
        let all_optional = options.iter().all(|argument| argument.optional);
        if all_optional && depth == 0 && one_in(self.random, 3) {
            self.random.shuffle(&mut options);
        }
        fixed.into_iter().chain(options).for_each(|argument| self.argument(argument, depth));
    }

    fn argument(&mut self, argument: &Argument, depth: usize) {
        if argument.optional && self.random.below(5) < 3 {
            return;
        }
        if argument.since.as_ref().is_some_and(|since| !self.grammar.scope.knows(since)) {
            return;
        }
        let count = match (argument.multiple, self.announced) {
            (false, _) => 1,
            (true, Some(count)) if argument.kind == "key" => count,
            (true, _) if one_in(self.random, 40) => 40,
            (true, _) => 1 + self.random.index(3),
        };
        for turn in 0..count {
            if let Some(token) = &argument.token
                && argument.kind != "pure-token"
                && (turn == 0 || argument.multiple_token)
            {
                self.out.push(token.clone().into_bytes());
            }
            self.one(argument, depth);
        }
    }

    fn one(&mut self, argument: &Argument, depth: usize) {
        match argument.kind.as_str() {
            "pure-token" => self.out.extend(argument.token.clone().map(String::into_bytes)),
            "oneof" => {
                let chosen = pick(self.random, &argument.arguments);
                self.argument(chosen, depth + 1);
            }
            "block" => self.arguments(&argument.arguments, depth + 1),
            kind => self.plain(kind, &argument.name),
        }
    }

    fn plain(&mut self, kind: &str, name: &str) {
        if ["numkeys", "numfields"].contains(&name) && self.random.below(10) > 0 {
            let count = 1 + self.random.index(3);
            self.announced = Some(count);
            return self.out.push(count.to_string().into_bytes());
        }
        if name.starts_with("serialized") && !self.grammar.payloads.is_empty() {
            let mut payload = pick(self.random, &self.grammar.payloads).clone();
            if one_in(self.random, 4) {
                let at = self.random.index(payload.len());
                payload[at] = self.random.next_u64() as u8;
            }
            return self.out.push(payload);
        }
        if kind == "key" && !self.grammar.keys.is_empty() && self.random.below(10) > 0 {
            return self.out.push(pick(self.random, &self.grammar.keys).clone());
        }
        if name == "script" && self.random.below(10) > 0 {
            return self.out.push(pick(self.random, arguments::SCRIPTS).as_bytes().to_vec());
        }
        let argument = match self.grammar.scope.deterministic {
            true => arguments::far_time(self.random, name, self.now_ms),
            false => None,
        };
        let argument =
            argument.unwrap_or_else(|| by_kind(self.random, self.command, kind, name, self.now_ms));
        self.out.push(argument);
    }

    /// Commands without syntax get as many arguments as they must have.
    fn fill_up(&mut self, named: usize) {
        let least = self.command.arity.unsigned_abs() as usize;
        if self.command.syntax.is_empty() {
            while self.out.len() < least.max(named) {
                let key = self.command.only_key() == Some(self.out.len());
                let argument = match key {
                    true if !self.grammar.keys.is_empty() => pick(self.random, &self.grammar.keys).clone(),
                    true => arguments::key(self.random, self.command),
                    false => arguments::string(self.random),
                };
                self.out.push(argument);
            }
        }
    }
}

/// One thing wrong, of the first `kinds`: an argument too few, twice, elsewhere, something else, or too many.
fn spoil(random: &mut Random, out: &mut Vec<Vec<u8>>, named: usize, kinds: u64) {
    let room = out.len() - named;
    let at = named + random.index(room);
    match random.below(kinds) {
        0 if room > 0 => drop(out.remove(at)),
        1 if room > 0 => out.push(out[at].clone()),
        2 if room > 0 => {
            let other = named + random.index(room);
            out.swap(at, other);
        }
        3 if room > 0 => {
            out[at] = match one_in(random, 2) {
                true => arguments::integer(random),
                false => arguments::string(random),
            }
        }
        _ => out.push(arguments::string(random)),
    }
}
