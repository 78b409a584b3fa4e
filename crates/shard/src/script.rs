//! Scripts, as this crate sees them: where they run, and those that cannot run in one piece.
//!
//! A script runs like any other command where its declared keys are, or among them when they have been brought together. It is taken
//! back and runs as an operation that learns as it goes ([`crate::multi::open`]) when it turns out to touch other keys.

use crate::block;
use crate::busy::Busy;
use crate::execute;
use crate::execute::{Asked, Caller};
use crate::message::Message;
use crate::shard::Shard;
use crate::steps::{Call, Once, Step, Steps};
use base::hash::HashSeed;
use command::change::DbKey;
use command::families::scripting;
use command::scripting::Form;
use command::scripting::run::{Next, ScriptRun};
use command::scripting::whole::{self, Inside};
use command::spec::flag;
use command::{Args, Command, Cx, OwnArgs, Plan, ShardCx};
use resp::Reply;

/// How commands inside others are run, for the `command` crate.
pub(crate) fn run_inside(
    cx: &mut ShardCx,
    command: &'static Command,
    args: Args<'_>,
    inside: Inside,
    out: &mut Reply,
) -> Option<Vec<DbKey>> {
    let Inside { conn, db, resp3, began_us } = inside;
    let caller = Caller { conn, admitted: true, ..Caller::elsewhere(db, resp3) };
    if let Plan::All(_, merge) = command.plan {
        block::run_all(cx, command, merge, args, caller, out);
        return None;
    }
    cx.in_script = Some(began_us);
    let needed = execute::run_inside(cx, command, args, caller, out);
    cx.in_script = None;
    needed
}

/// A script as an operation that can stop and go on.
pub(crate) struct ScriptSteps {
    form: Form,
    args: OwnArgs,
    db: u16,
    resp3: bool,
    run: Option<ScriptRun>,
}

impl ScriptSteps {
    pub fn new(command: &Command, args: OwnArgs, db: u16, resp3: bool) -> Self {
        Self { form: Form::of(command), args, db, resp3, run: None }
    }
}

impl Steps for ScriptSteps {
    fn resume(&mut self, cx: &mut ShardCx, reply: Option<&Reply>) -> Step {
        let seed = cx.seed.clone();
        let args = self.args.args(&seed);
        let next = match (&mut self.run, reply) {
            (Some(run), Some(reply)) => run.resume(cx, Some(reply)),
            (Some(run), None) => run.go_on(cx, args),
            (None, _) => {
                let mut of =
                    Cx { shard: cx, db: self.db, resp3: self.resp3, conn: None, deny_blocking: true };
                match whole::start(&mut of, self.form, args) {
                    Ok(run) => self.run.insert(run).resume(cx, None),
                    Err(error) => {
                        let mut out = Reply::new(self.resp3);
                        cx.count_error(&error);
                        out.error(error.line());
                        Next::Done(out)
                    }
                }
            }
        };
        match next {
            Next::Call => Step::Call,
            Next::Tick => Step::Tick,
            Next::Done(out) => Step::Done(out),
        }
    }

    fn in_script(&self) -> Option<u64> {
        self.run.as_ref().map(ScriptRun::began_us)
    }

    fn overdue(&self) -> Option<bool> {
        self.run.as_ref().filter(|run| run.is_overdue()).map(ScriptRun::is_function)
    }

    fn call<'a>(&'a self, seed: &'a HashSeed) -> Call<'a> {
        let called = self.run.as_ref().expect("it has begun").call(seed);
        Call { command: called.command, args: called.args, db: called.db, resp3: called.resp3 }
    }
}

impl Shard {
    /// Before a script that a client brings along goes where its keys are: has all shards know it, since the client may name it by its
    /// digest from now on, wherever it is connected then. Whether it may go; answers the error if not.
    pub(crate) fn spread_script(&mut self, index: usize, command: &Command, args: Args<'_>) -> bool {
        match scripting::learn(&mut self.cx, Form::of(command), args) {
            Ok(false) => true,
            Ok(true) => {
                let others = (0..self.cx.shards).filter(|shard| *shard != self.cx.id);
                for shard in others.collect::<Vec<_>>() {
                    let source = args.at(1).to_vec();
                    self.outgoing.posts.push((shard as usize, Message::Script { source }));
                }
                true
            }
            Err(error) => {
                self.reply_error(index, &error);
                false
            }
        }
    }

    /// Another shard has met a new script.
    pub(crate) fn on_script(&mut self, source: &[u8]) {
        // It compiled there.
        let _ = self.cx.scripts.load(source, true);
    }

    /// Whether nothing that a connection sends after this command may run before it is done: it waits, or nobody knows what it will touch.
    #[inline]
    pub(crate) fn is_fence(&self, command: &Command, args: Args<'_>) -> bool {
        let is_script = command.flags & flag::SCRIPT != 0 && self.cx.shards > 1;
        command.is_fence(self.cx.shards)
            || is_script && !self.cx.scripts.is_known_tame(Form::of(command), args)
    }

    /// The command that has just asked for keys in vain, as an operation that can ask as it goes.
    pub(crate) fn steps_of(&mut self, asked: &Asked<'_>) -> Box<dyn Steps> {
        let (args, caller) = (OwnArgs::of(asked.args), asked.caller);
        if asked.command.flags & flag::SCRIPT != 0 {
            let news = self.cx.scripts.note_learning(Form::of(asked.command), asked.args);
            self.tell_learning(asked.home, news);
            return Box::new(ScriptSteps::new(asked.command, args, caller.db, caller.resp3));
        }
        Box::new(Once { command: asked.command, args, db: caller.db, resp3: caller.resp3 })
    }

    /// A command has stopped for another reason than keys; whether it has.
    pub(crate) fn take_over(&mut self, asked: &Asked<'_>, keys: &mut Vec<DbKey>) -> bool {
        if let Some(whole) = self.cx.scripts.overdue.take() {
            self.begin_busy(Busy::new(asked, whole));
            return true;
        }
        if !std::mem::take(&mut self.cx.learns) {
            return false;
        }
        let steps = self.steps_of(asked);
        self.start_open(*asked, std::mem::take(keys), steps);
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::trial::{Trial, request};

    fn calls_of(trial: &Trial, name: &str) -> u64 {
        let command = command::lookup(name.as_bytes()).expect("a command");
        trial.shards.iter().map(|shard| shard.cx.commands.row(command.id).calls).sum()
    }

    /// It turns out to need a key of another shard: what it has done by then has never happened.
    #[test]
    fn a_script_that_is_taken_back_leaves_nothing_behind() {
        let mut trial = Trial::new(2);
        let (runner, watcher) = (trial.connect(), trial.connect_to(0, 2));
        let (here, there) = (trial.key_on(0, "here"), trial.key_on(1, "there"));
        trial.ask(runner, &request(&["SET", &here, "old"]));
        assert_eq!(trial.ask(watcher, &request(&["WATCH", &here])), b"+OK\r\n");
        let code =
            "redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], 'new') return redis.call('INCR', ARGV[1])";
        trial.send(runner, &request(&["EVAL", code, "1", &here, &there]));
        let exec = [&["MULTI"][..], &["GET", &here], &["EXEC"]].map(request).concat();
        trial.send(watcher, &exec);
        assert_eq!(trial.take_replies(watcher), b"+OK\r\n+QUEUED\r\n*1\r\n$3\r\nold\r\n");
        trial.settle();
        assert_eq!(trial.take_replies(runner), b":1\r\n");
        let calls = ["EVAL", "GET", "SET", "INCR"].map(|name| calls_of(&trial, name));
        assert_eq!(calls, [1, 2, 2, 1]);
        let hits: u64 = trial.shards.iter().map(|shard| shard.cx.stats.hits).sum();
        assert_eq!(hits, 2);
    }

    /// It is at once done, however large the stream is: nobody need be asked to wait.
    #[test]
    fn a_script_that_adds_to_a_stream_and_trims_it_stays_in_one_piece() {
        let mut trial = Trial::new(2);
        let (runner, stream) = (trial.connect(), trial.key_on(0, "events"));
        let add = request(&["XADD", &stream, "*", "event", "progress", "job", "a job of some length"]);
        (0..1000).for_each(|_| assert!(!trial.ask(runner, &add).is_empty()));
        let mut run = |call: &str| {
            let code = format!("redis.call({call}, 'field', 'value') return redis.call('XLEN', ARGV[1])");
            trial.send(runner, &request(&["EVAL", &code, "1", &stream, &stream]));
            let at_once = trial.take_replies(runner);
            trial.settle();
            String::from_utf8([at_once, b" later ".to_vec(), trial.take_replies(runner)].concat())
                .expect("text")
        };
        assert_eq!(run("'XADD', ARGV[1], '*'"), ":1001\r\n later ");
        assert_eq!(run("'XADD', ARGV[1], 'MAXLEN', '~', '10000', '*'"), ":1002\r\n later ");
        assert_eq!(run("'XADD', ARGV[1], 'IDMP', 'me', 'once', '*'"), ":1003\r\n later ");
        assert_eq!(run("'XADD', ARGV[1], 'MAXLEN', '=', '900', '*'"), ":900\r\n later ");
        // This takes from the block that the entry is added to.
        assert_eq!(run("'XADD', ARGV[1], 'MAXLEN', '=', '1', '*'"), " later :1\r\n");
    }

    /// Those who watch are told of what is not taken back: a key whose time was over.
    #[test]
    fn what_has_expired_while_a_script_was_tried_is_told() {
        let mut trial = Trial::new(2);
        let (runner, watcher) = (trial.connect(), trial.connect_to(0, 2));
        let (here, there) = (trial.key_on(0, "here"), trial.key_on(1, "there"));
        trial.ask(runner, &request(&["SET", &here, "old", "PX", "5"]));
        assert_eq!(trial.ask(watcher, &request(&["WATCH", &here])), b"+OK\r\n");
        trial.set_time(10_000);
        let code = "redis.call('GET', KEYS[1]) return redis.call('INCR', ARGV[1])";
        trial.ask(runner, &request(&["EVAL", code, "1", &here, &there]));
        assert_eq!(trial.ask(watcher, b"MULTI\r\nEXEC\r\n"), b"+OK\r\n*-1\r\n");
    }
}
