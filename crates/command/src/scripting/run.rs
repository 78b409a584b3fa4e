//! A script under way.

use super::Form;
use super::call::{self, Rights};
use crate::families::hash::import::about_fieldsets;
use crate::families::selected_db;
use crate::session::Fieldset;
use crate::{Args, Command, Error, OwnArgs, Plan, ShardCx, eviction, monitor};
use base::hash::HashSeed;
use config::LogLevel;
use resp::Reply;
use script::{Env, Flags, Function, Resume, Run, Step};
use std::sync::Arc;

/// A script that has run for longer than `busy-reply-threshold`, as SCRIPT KILL and FUNCTION STATS see it.
#[derive(Clone, Debug)]
pub struct Overdue {
    /// Of FCALL, not of EVAL.
    pub is_function: bool,
    /// The function's name.
    pub name: Vec<u8>,
    /// The client's command with its arguments.
    pub command: Vec<Vec<u8>>,
    pub begun_ns: u64,
    /// It has written: it can only be ended with the server.
    pub has_written: bool,
    /// Somebody wants it to end.
    pub is_killed: bool,
}

/// What a killed script answers, and a function, too.
const KILLED: &str = "Script killed by user with SCRIPT KILL...";

/// What a script does next.
pub enum Next {
    /// Calls the command that [`ScriptRun::call`] tells.
    Call,
    /// Nothing, but time has passed.
    Tick,
    /// It has ended, with this reply for the client.
    Done(Reply),
}

/// A script with the command it calls.
pub struct ScriptRun {
    run: Run,
    /// The function, if it is none of the scripts.
    function: Option<Arc<Function>>,
    form: Form,
    /// Unix µs when it began: its time stands still.
    began_us: u64,
    rights: Rights,
    /// The database that the script has selected.
    db: u16,
    /// Those it has prepared: its own, as in Redis, whatever its client has.
    fieldsets: Vec<Fieldset>,
    command: Option<&'static Command>,
    /// The arguments of the command, where they are not the words of the call: fields stand with their values.
    expanded: Option<Box<OwnArgs>>,
    is_call_resp3: bool,
    /// Its own reply, in the client's protocol.
    out: Reply,
    has_written: bool,
    begun_ns: u64,
    /// Its number among those that have run for too long.
    overdue: Option<u64>,
}

/// A command that a script calls.
#[derive(Clone, Copy)]
pub struct Called<'a> {
    pub command: &'static Command,
    pub args: Args<'a>,
    pub db: u16,
    pub resp3: bool,
}

impl ScriptRun {
    pub fn new(
        cx: &mut ShardCx,
        run: Run,
        form: Form,
        function: Option<Arc<Function>>,
        rights: Rights,
        (db, resp3): (u16, bool),
        begun_ns: u64,
    ) -> Self {
        let out = Reply { resp3, ..std::mem::take(&mut cx.scripts.spare.out) };
        Self {
            begun_ns,
            began_us: cx.wall_us(),
            form,
            overdue: None,
            run,
            function,
            rights,
            db,
            fieldsets: Vec::new(),
            command: None,
            expanded: None,
            is_call_resp3: false,
            out,
            has_written: false,
        }
    }

    /// Goes on: with the reply to the command it called, if it did.
    pub fn resume(&mut self, cx: &mut ShardCx, reply: Option<&Reply>) -> Next {
        self.go(cx, reply.map_or(Resume::Go, Resume::Reply))
    }

    /// As [`ScriptRun::resume`] after [`Next::Tick`]; ends it if somebody wants that. `args`: the client's command.
    pub fn go_on(&mut self, cx: &mut ShardCx, args: Args<'_>) -> Next {
        self.note_time(cx, args);
        let known = self.overdue.and_then(|id| cx.scripts.overdue_runs.get(&id));
        if known.is_some_and(|overdue| overdue.is_killed) {
            (cx.platform.log)(2, b"Lua script killed by user with SCRIPT KILL.");
            return self.go(cx, Resume::Kill(KILLED));
        }
        self.go(cx, Resume::Go)
    }

    /// Of FCALL, not of EVAL.
    pub fn is_function(&self) -> bool {
        self.function.is_some()
    }

    /// Unix µs when it began.
    pub fn began_us(&self) -> u64 {
        self.began_us
    }

    /// When it began, monotonic ns.
    pub(super) fn begun_ns(&self) -> u64 {
        self.begun_ns
    }

    /// Whether it has run for too long.
    pub fn is_overdue(&self) -> bool {
        self.overdue.is_some()
    }

    fn note_time(&mut self, cx: &mut ShardCx, args: Args<'_>) {
        let limit_ms = cx.config.busy_reply_threshold;
        let millis = (cx.platform.clock_ns)().saturating_sub(self.begun_ns) / 1_000_000;
        if self.overdue.is_some() || limit_ms == 0 || millis < limit_ms {
            return;
        }
        let overdue = Overdue {
            is_function: self.is_function(),
            name: self.function.as_ref().map_or_else(Vec::new, |function| function.name().to_vec()),
            command: args.from(0).map(<[u8]>::to_vec).collect(),
            begun_ns: self.begun_ns,
            has_written: self.has_written,
            is_killed: false,
        };
        self.overdue = Some(cx.scripts.add_overdue(overdue));
        let text = format!(
            "Slow script detected: still in execution after {millis} milliseconds. You can try killing the script using the {} command.",
            if self.is_function() { "FUNCTION KILL" } else { "SCRIPT KILL" }
        );
        (cx.platform.log)(3, text.as_bytes());
    }

    /// It is over.
    pub(super) fn end(&mut self, cx: &mut ShardCx) {
        if let Some(id) = self.overdue.take() {
            cx.scripts.overdue_runs.remove(&id);
        }
    }

    /// It has called a command that writes.
    fn note_write(&mut self, cx: &mut ShardCx) {
        self.has_written = true;
        if let Some(overdue) = self.overdue.and_then(|id| cx.scripts.overdue_runs.get_mut(&id)) {
            overdue.has_written = true;
        }
    }

    fn go(&mut self, cx: &mut ShardCx, first: Resume<'_>) -> Next {
        // What the host itself answers, which is rare.
        let mut answer: Option<Box<Reply>> = None;
        let mut with = first;
        loop {
            let engine = cx.scripts.engine_of(self.function.is_some());
            let step = self.run.resume(engine, with, &mut self.out);
            with = match step {
                Step::Tick => return Next::Tick,
                Step::Done(done) => {
                    self.end(cx);
                    let out = std::mem::take(&mut self.out);
                    if done.is_error_to_count {
                        cx.count_script_error(&out);
                    }
                    if out.buf.starts_with(b"-") {
                        cx.commands.failed(self.form.command_id());
                    }
                    return Next::Done(out);
                }
                Step::Log { level, line } => {
                    (cx.platform.log)(level, line);
                    Resume::Go
                }
                Step::Clock => Resume::Clock((cx.platform.clock_ns)() as f64 / 1e9),
                Step::AclCheck(words) => Resume::Allowed(call::exists(words)),
                Step::Call(wanted) => {
                    self.is_call_resp3 = wanted.is_resp3;
                    self.expanded = None;
                    match self.admit(cx, &mut answer) {
                        Ok(Some(command)) => {
                            if command.is_write() {
                                self.note_write(cx);
                            }
                            self.command = Some(command);
                            return Next::Call;
                        }
                        Ok(None) => {}
                        Err(error) => {
                            cx.count_error(&error);
                            refreshed(&mut answer).error(error.line());
                        }
                    }
                    Resume::Reply(answer.as_deref().expect("it has been written"))
                }
            };
        }
    }

    /// The command at hand, unless it has been done and answered: SELECT and fieldsets are the script's own affair.
    fn admit(
        &mut self,
        cx: &mut ShardCx,
        answer: &mut Option<Box<Reply>>,
    ) -> Result<Option<&'static Command>, Error> {
        let words = self.run.words();
        if words.text.len() > crate::args::INSIDE_BYTES_MAX {
            return Err(Error::STRING_TOO_LONG);
        }
        let args = Args::new(words.text, words.spans, &cx.seed);
        let mut command = call::find(args)?;
        if let Err(error) = call::check(cx, command, args, self.rights) {
            cx.commands.rejected(command.id);
            return Err(error);
        }
        let is_done = match command.plan {
            Plan::Connection => self.run_own(cx, command, answer)?,
            Plan::WithSession(expand, row) => {
                let mut own = Vec::new();
                expand(&self.fieldsets, args, &mut |word| own.push(word.to_vec()));
                self.expanded = Some(Box::new(OwnArgs::of_words(own)));
                command = row;
                false
            }
            _ => false,
        };
        if !cx.monitors.is_empty() {
            let (words, seed) = (self.run.words(), cx.seed.clone());
            monitor::write(cx, "lua", self.db, command, Args::new(words.text, words.spans, &seed));
        }
        Ok((!is_done).then_some(command))
    }

    /// Runs the command at hand if it is about what a script has for itself; whether it is.
    fn run_own(
        &mut self,
        cx: &mut ShardCx,
        command: &'static Command,
        answer: &mut Option<Box<Reply>>,
    ) -> Result<bool, Error> {
        let (words, seed) = (self.run.words(), cx.seed.clone());
        let args = Args::new(words.text, words.spans, &seed);
        let fieldsets = about_fieldsets(command);
        if command.full_name != "select" && fieldsets.is_none() {
            return Ok(false);
        }
        cx.commands.ran_in_run(command.id, true);
        let out = refreshed(answer);
        let done = match fieldsets {
            Some(run) => run(&mut self.fieldsets, args, out),
            None => selected_db(cx, args).map(|db| {
                self.db = db;
                out.ok();
            }),
        };
        done.inspect_err(|_| cx.commands.failed(command.id))?;
        Ok(true)
    }

    /// The command it calls.
    pub fn call<'a>(&'a self, seed: &'a HashSeed) -> Called<'a> {
        let words = self.run.words();
        let args = match &self.expanded {
            Some(own) => own.args(seed),
            None => Args::new(words.text, words.spans, seed),
        };
        Called {
            command: self.command.expect("it has called one"),
            args,
            db: self.db,
            resp3: self.is_call_resp3,
        }
    }
}

/// A reply to be written, in the memory of the one before.
#[cold]
fn refreshed(answer: &mut Option<Box<Reply>>) -> &mut Reply {
    let reply = answer.get_or_insert_default();
    reply.clear();
    reply
}

/// What the client asked for, taken apart.
pub struct Evaluation<'a> {
    /// Keys and arguments, if there are few: most scripts have no more.
    few: [&'a [u8]; FEW_WORDS],
    /// If there are more.
    many: Vec<&'a [u8]>,
    len: usize,
    /// So many of the words are keys.
    keys: usize,
}

const FEW_WORDS: usize = 8;

impl<'a> Evaluation<'a> {
    /// EVAL script numkeys [key …] [arg …], and its kin.
    ///
    /// # Errors
    /// The count of keys is none, or does not fit.
    pub fn of(form: Form, args: Args<'a>) -> Result<Self, Error> {
        let count = args.int(2).map_err(|error| match form.is_function {
            true => Error::err("Bad number of keys provided"),
            false => error,
        })?;
        if count > args.len() as i64 - 3 {
            return Err(Error::err("Number of keys can't be greater than number of args"));
        }
        let keys = usize::try_from(count).map_err(|_| Error::err("Number of keys can't be negative"))?;
        let len = args.len() - 3;
        let mut asked = Self { few: [b""; FEW_WORDS], many: Vec::new(), len, keys };
        if len > FEW_WORDS {
            asked.many = args.from(3).collect();
        } else {
            asked.few.iter_mut().zip(args.from(3)).for_each(|(place, word)| *place = word);
        }
        Ok(asked)
    }

    fn words(&self) -> &[&'a [u8]] {
        if self.len > FEW_WORDS { &self.many } else { &self.few[..self.len] }
    }

    pub fn keys(&self) -> &[&'a [u8]] {
        &self.words()[..self.keys]
    }

    pub fn args(&self) -> &[&'a [u8]] {
        &self.words()[self.keys..]
    }
}

/// What a script may do by its flags (none: the rules from before there were any) and by how it was called.
///
/// # Errors
/// It may not run at all.
pub fn rights(cx: &mut ShardCx, flags: Option<Flags>, read_only: bool) -> Result<Rights, Error> {
    let lacks_memory = eviction::lacks_memory(cx);
    let may_debug = cx.scripts_may_debug;
    let Some(flags) = flags else {
        let refuses_writes = cx.refuses_writes;
        return Ok(Rights { read_only, may_debug, out_of_memory: lacks_memory, refuses_writes });
    };
    let writes = !flags.has(Flags::NO_WRITES);
    if lacks_memory && writes && !flags.has(Flags::ALLOW_OOM) {
        return Err(Error::OUT_OF_MEMORY);
    }
    if writes && let Some(error) = eviction::refusal_of_script(cx) {
        return Err(error);
    }
    if read_only && writes {
        return Err(Error::err("Can not execute a script with write flag using *_ro command."));
    }
    let read_only = read_only || !writes;
    Ok(Rights { read_only, may_debug, out_of_memory: false, refuses_writes: false })
}

impl ShardCx {
    /// What the engine needs to know of the server.
    pub(crate) fn script_env(&self) -> Env {
        let log_level_min = match self.config.loglevel {
            LogLevel::Debug => 0,
            LogLevel::Verbose => 1,
            LogLevel::Notice => 2,
            LogLevel::Warning => 3,
            LogLevel::Nothing => 4,
        };
        Env { log_level_min }
    }

    /// A script has ended with an error of its own.
    fn count_script_error(&mut self, reply: &Reply) {
        let line = reply.buf.split(|&byte| byte == b'\r').next().unwrap_or_default();
        if let Some(line) = line.strip_prefix(b"-") {
            self.count_error(&Error::Reply(line.to_vec().into()));
        }
    }
}
