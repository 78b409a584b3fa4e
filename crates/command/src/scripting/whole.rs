//! A script that runs in one piece, on a shard that has its keys.

use super::run::{Evaluation, Next, ScriptRun, rights};
use super::undo::Journal;
use super::{Form, Named, SPARE_BYTES_MAX, USED_MAX, script_of};
use crate::change::DbKey;
use crate::journal::Mark;
use crate::{Args, Command, Cx, Error, Outcome, Plan, ShardCx};
use resp::Reply;
use std::sync::Arc;

/// Who runs a command inside another one.
#[derive(Clone, Copy, Debug)]
pub struct Inside {
    pub conn: Option<usize>,
    pub db: u16,
    pub resp3: bool,
    /// Unix µs when the script began.
    pub began_us: u64,
}

/// Runs a command inside another one; the keys that it needs and that are not here, if any: then it has done nothing.
pub type RunInside = fn(&mut ShardCx, &'static Command, Args<'_>, Inside, &mut Reply) -> Option<Vec<DbKey>>;

/// A script that runs in one piece, or would like to.
pub struct Whole {
    run: ScriptRun,
    /// It has not begun.
    is_new: bool,
    /// What it has changed, if that may have to be taken back.
    journal: Option<Journal>,
    /// Keys that it has declared, and that are known to be here; ascending. With `None`, every key is here.
    declared: Option<Vec<DbKey>>,
    /// Others that it has used.
    undeclared: Vec<Vec<u8>>,
    conn: Option<usize>,
    /// The shard's clocks (unix ms, monotonic µs) when it began: to a script time stands still.
    now: (u64, u64),
    /// Bytes of lines for monitors when it began, and how many messages had been published.
    monitored: usize,
    published: usize,
    /// What it does is gathered for its sake; and how far that had come when it began.
    gathers: bool,
    gathered: Mark,
}

/// How an overdue script has come to its end.
pub enum Ended {
    Reply(Reply),
    /// It has to run again, with these keys, or as an operation that learns as it goes.
    Again(Vec<DbKey>),
}

/// EVAL script numkeys [key …] [arg …], EVALSHA, FCALL, and all `_RO`: in one piece, if all it touches is here.
pub fn evaluate(cx: &mut Cx<'_>, form: Form, args: Args<'_>, out: &mut Reply) -> Outcome {
    let begun_ns = match cx.shard.commands.run_began_ns() {
        0 => (cx.shard.platform.clock_ns)(),
        // It is timed alone: the clock has just been read.
        began_ns => began_ns,
    };
    cx.shard.scripts.undeclared.clear();
    let (run, named) = begin(cx, form, args, begun_ns)?;
    let scripts = &mut cx.shard.scripts;
    let is_tame = cx.shard.shards == 1 || scripts.learning(&named).is_some_and(|known| known.is_tame);
    if !is_tame && scripts.learns(&named) {
        cx.shard.learns = true;
        return Err(Error::NeedKeys(Vec::new()));
    }
    let (journal, declared) = if is_tame {
        (None, None)
    } else {
        let mut keys: Vec<_> =
            Evaluation::of(form, args)?.keys().iter().map(|key| (cx.db, key.to_vec())).collect();
        keys.sort();
        (Some(Journal::default()), Some(keys))
    };
    let now = (cx.shard.now_ms, cx.shard.now_us);
    let (monitored, published) = (cx.shard.monitored.len(), cx.shard.pubsub.outbox.len());
    let gathers = cx.shard.journal.begin_gathering();
    let gathered = cx.shard.journal.mark();
    let conn = cx.conn;
    let undeclared = Vec::new();
    let mut whole = Whole {
        run,
        is_new: true,
        journal,
        declared,
        undeclared,
        conn,
        now,
        monitored,
        published,
        gathers,
        gathered,
    };
    match whole.go_on(cx.shard, args) {
        None => {
            // The shard goes on with it, a little at a time.
            cx.shard.scripts.overdue = Some(Box::new(whole));
            Err(Error::NeedKeys(Vec::new()))
        }
        Some(Ended::Reply(mut reply)) => {
            out.append(&mut reply);
            cx.shard.scripts.keep_reply(reply);
            Ok(())
        }
        Some(Ended::Again(keys)) => Err(Error::NeedKeys(keys)),
    }
}

/// Begins a script, or a function: finds it, and what it may do.
///
/// # Errors
/// It is not known, does not compile or may not run.
pub fn start(cx: &mut Cx<'_>, form: Form, args: Args<'_>) -> Result<ScriptRun, Error> {
    let begun_ns = (cx.shard.platform.clock_ns)();
    begin(cx, form, args, begun_ns).map(|(run, _)| run)
}

fn begin<'a>(
    cx: &mut Cx<'_>,
    form: Form,
    args: Args<'a>,
    begun_ns: u64,
) -> Result<(ScriptRun, Named<'a>), Error> {
    if form.is_function {
        return begin_function(cx, form, args, begun_ns);
    }
    let asked = Evaluation::of(form, args)?;
    let (sha, script) = script_of(&mut cx.shard.scripts, form, args.at(1))?;
    let rights = rights(cx.shard, script.flags(), form.read_only)?;
    let env = cx.shard.script_env();
    let run = cx.shard.scripts.engine.start(&script, asked.keys(), asked.args(), env);
    Ok((ScriptRun::new(cx.shard, run, form, None, rights, (cx.db, cx.resp3), begun_ns), Named::Script(sha)))
}

fn begin_function<'a>(
    cx: &mut Cx<'_>,
    form: Form,
    args: Args<'a>,
    begun_ns: u64,
) -> Result<(ScriptRun, Named<'a>), Error> {
    let name = args.at(1);
    let known = cx.shard.scripts.functions.shelf.known(name);
    let function = known.map(|known| Arc::clone(&known.function));
    let function = function.ok_or_else(|| Error::err("Function not found"))?;
    let asked = Evaluation::of(form, args)?;
    let rights = rights(cx.shard, Some(function.flags()), form.read_only)?;
    let env = cx.shard.script_env();
    let run = cx.shard.scripts.functions.engine().start_function(&function, asked.keys(), asked.args(), env);
    let run = ScriptRun::new(cx.shard, run, form, Some(function), rights, (cx.db, cx.resp3), begun_ns);
    Ok((run, Named::Function(name)))
}

impl Whole {
    /// Of FCALL, not of EVAL.
    pub fn is_function(&self) -> bool {
        self.run.is_function()
    }

    /// When it began, monotonic ns.
    pub fn begun_ns(&self) -> u64 {
        self.run.begun_ns()
    }

    /// Its client has gone.
    pub fn forget_client(&mut self) {
        self.conn = None;
    }

    /// Runs on, until it ends or, if it has run for too long already, time passes. `args`: the client's command.
    pub fn go_on(&mut self, cx: &mut ShardCx, args: Args<'_>) -> Option<Ended> {
        if let Some(journal) = &mut self.journal {
            journal.begin(cx);
        }
        let others_now = (cx.now_ms, cx.now_us);
        (cx.now_ms, cx.now_us) = self.now;
        let stopped = self.go(cx, args);
        (cx.now_ms, cx.now_us) = others_now;
        if let Some(journal) = &mut self.journal {
            journal.pause(cx);
        }
        let ended = match stopped? {
            Ok(reply) => {
                if let Some(journal) = self.journal.take() {
                    journal.tell(cx);
                }
                cx.scripts.undeclared = std::mem::take(&mut self.undeclared);
                Ended::Reply(reply)
            }
            Err(lacking) => Ended::Again(self.take_back(cx, lacking)),
        };
        if self.gathers {
            cx.journal.end_block();
        }
        Some(ended)
    }

    /// The same, with the reply, or what it lacks.
    fn go(&mut self, cx: &mut ShardCx, args: Args<'_>) -> Option<Result<Reply, Vec<DbKey>>> {
        let mut answer = std::mem::take(&mut cx.scripts.spare.answer);
        let ended = self.go_with(cx, args, &mut answer);
        if answer.buf.capacity() <= SPARE_BYTES_MAX {
            answer.clear();
            cx.scripts.spare.answer = answer;
        }
        ended
    }

    /// The same, with memory for the replies to the commands it calls.
    fn go_with(
        &mut self,
        cx: &mut ShardCx,
        args: Args<'_>,
        answer: &mut Reply,
    ) -> Option<Result<Reply, Vec<DbKey>>> {
        let mut next = match std::mem::take(&mut self.is_new) {
            true => self.run.resume(cx, None),
            false => self.run.go_on(cx, args),
        };
        loop {
            next = match next {
                Next::Done(reply) => return Some(Ok(reply)),
                Next::Tick if self.run.is_overdue() => return None,
                Next::Tick => self.run.go_on(cx, args),
                Next::Call => {
                    answer.clear();
                    if let Err(lacking) = self.call(cx, answer) {
                        return Some(Err(lacking));
                    }
                    self.run.resume(cx, Some(answer))
                }
            };
        }
    }

    /// Runs the command at hand.
    ///
    /// # Errors
    /// The keys that must be brought here; none if it must be able to stop and go on.
    fn call(&mut self, cx: &mut ShardCx, out: &mut Reply) -> Result<(), Vec<DbKey>> {
        let seed = cx.seed.clone();
        let called = self.run.call(&seed);
        if let (Some(declared), Some(journal)) = (&self.declared, &mut self.journal) {
            // What names its keys only while it runs (SORT … STORE) changes keys of which nothing is known here.
            let is_open = called.command.has_unknown_keys() && called.command.is_write();
            if is_open || matches!(called.command.plan, Plan::All(..) | Plan::Rounds(_) | Plan::Cursor(_)) {
                return Err(Vec::new());
            }
            let keys = cx.keys_of(called.command, called.args, called.db);
            let is_here = |key: &&DbKey| {
                cx.has_key(key.0, &key.1)
                    && (!cx.has_locks || cx.guests.are_here() || declared.binary_search(key).is_ok())
            };
            let lacking: Vec<_> = keys.iter().filter(|key| !is_here(key)).cloned().collect();
            if !lacking.is_empty() {
                return Err(lacking);
            }
            for (_, key) in keys.iter().filter(|key| declared.binary_search(key).is_err()) {
                if self.undeclared.len() < USED_MAX && !self.undeclared.contains(key) {
                    self.undeclared.push(key.clone());
                }
            }
            if called.command.is_write() && !journal.keep(cx, called.command, called.args, &keys) {
                return Err(Vec::new());
            }
        }
        let inside =
            Inside { conn: self.conn, db: called.db, resp3: called.resp3, began_us: self.run.began_us() };
        if let Some(lacking) = (cx.run_inside)(cx, called.command, called.args, inside, out) {
            return Err(lacking);
        }
        if let Some(journal) = &mut self.journal {
            journal.note_call(called.command.id);
        }
        Ok(())
    }

    /// What it has changed is as it was. If no key is `lacking`, it is to run as an operation that learns as it goes.
    fn take_back(&mut self, cx: &mut ShardCx, lacking: Vec<DbKey>) -> Vec<DbKey> {
        if let Some(journal) = self.journal.take() {
            cx.pubsub.take_back(self.published);
            cx.journal.take_back(self.gathered);
            journal.undo(cx);
        }
        if !self.run.is_overdue() {
            // Else they have been shown already.
            cx.monitored.truncate(self.monitored);
        }
        self.run.end(cx);
        if lacking.is_empty() {
            cx.learns = true;
        }
        lacking
    }
}
