//! Plays an episode on shards in this process and checks after every step what must hold.

use crate::engine::{Engine, Received};
use crate::episode::{Episode, Step, shown};
use crate::saved;
use crate::state::{self, State};
use crate::watchdog;
use base::hash::HashSeed;
use command::spec::flag;
use command::{Args, Command, Plan};
use resp::Span;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::{Duration, Instant};
use testkit::{Value, decode};

/// What did not hold, and at which step.
#[derive(Clone, Debug)]
pub struct Failure {
    pub step: usize,
    pub what: String,
}

/// Steps that take longer are told.
const SLOW: Duration = Duration::from_secs(1);

/// Requests by command, and how many of them were answered without an error.
#[derive(Clone, Debug, Default)]
pub struct Tally(BTreeMap<&'static str, (usize, usize)>);

impl Tally {
    fn count(&mut self, command: &'static str, succeeded: bool) {
        let counts = self.0.entry(command).or_default();
        counts.0 += 1;
        counts.1 += usize::from(succeeded);
    }

    fn add(&mut self, other: &Self) {
        for (command, (requests, successes)) in &other.0 {
            let counts = self.0.entry(command).or_default();
            *counts = (counts.0 + requests, counts.1 + successes);
        }
    }

    /// Requests, and successes.
    pub fn sums(&self) -> (usize, usize) {
        self.0.values().fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1))
    }

    /// Commands that never succeeded.
    pub fn without_success(&self) -> Vec<&'static str> {
        self.0.iter().filter(|(_, counts)| counts.1 == 0).map(|(command, _)| *command).collect()
    }
}

impl Failure {
    /// Failures with the same beginning are taken to be the same.
    pub fn kind(&self) -> String {
        self.what.chars().take(48).collect()
    }
}

thread_local! {
    static PLAYING: Cell<bool> = const { Cell::new(false) };
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the text of panics within an episode instead of printing it: they are reported with the episode.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match PLAYING.get() {
            true => {
                let place = info.location().map(ToString::to_string).unwrap_or_default();
                let payload = info.payload();
                let text = payload.downcast_ref::<&str>().copied();
                let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
                PANIC.set(format!("panic at {place}: {}", text.unwrap_or_default()));
            }
            false => before(info),
        }));
    });
}

/// Plays all steps; adds to `tally` if all goes well.
///
/// # Errors
/// The first thing that did not hold.
pub fn play(episode: &Episode, tally: &mut Tally) -> Result<(), Failure> {
    keep_panics();
    let at = Cell::new(0);
    PLAYING.set(true);
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut player = Player::new(episode);
        for (index, step) in episode.steps.iter().enumerate() {
            at.set(index);
            watchdog::progress(episode, index);
            let begin = Instant::now();
            player.step(step)?;
            if begin.elapsed() > SLOW {
                println!("{} ms, seed {}: {step}", begin.elapsed().as_millis(), episode.seed);
            }
        }
        tally.add(&player.tally);
        Ok(())
    }));
    PLAYING.set(false);
    let result = result.unwrap_or_else(|_| Err(PANIC.take()));
    result.map_err(|what| Failure { step: at.get(), what })
}

/// DUMP payloads of what [`crate::episode::seeding`] stores.
pub fn payloads() -> Vec<Vec<u8>> {
    let mut engine = Engine::new(1, 1, false);
    let mut payloads = Vec::new();
    let words = crate::episode::seeding().into_iter().filter_map(|step| match step {
        Step::Request { words, .. } => Some(words),
        _ => None,
    });
    for words in words {
        let dump = [b"DUMP".to_vec(), words[1].clone()];
        engine.run([(0, words.as_slice()), (0, &dump[..])].into_iter()).expect("one shard ends at once");
        let bytes = engine.received(0).bytes;
        let (_, used) = decode(&bytes).expect("a reply").expect("whole");
        let (payload, _) = decode(&bytes[used..]).expect("a reply").expect("whole");
        payloads.extend(payload.bytes().map(<[u8]>::to_vec));
    }
    payloads
}

struct Player {
    engine: Engine,
    state: State,
    resp3: Vec<bool>,
    tally: Tally,
}

impl Player {
    fn new(episode: &Episode) -> Self {
        let engine = Engine::new(episode.shards, episode.seed, episode.resp3);
        Self {
            engine,
            state: State::new(),
            resp3: vec![episode.resp3; crate::episode::CONNS],
            tally: Tally::default(),
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Pass(ms) => {
                self.engine.pass(*ms);
                self.state = state::of(&self.engine)?;
            }
            Step::Save(version) => saved::check(&self.engine, *version)?,
            Step::Request { conn, words } => {
                self.engine.run(std::iter::once((*conn, words.as_slice())))?;
                let replies = self.replies(*conn, 1)?;
                if let (Some(command), Some(reply)) = (row(words), replies.first()) {
                    self.tally.count(command.full_name, !reply.is_error());
                }
                self.engine.check_quiet()?;
                let after = state::of(&self.engine)?;
                let changed = state::changed(&self.state, &after);
                self.check_changes(words, replies.first(), &changed)?;
                self.state = after;
            }
            Step::Together(requests) => {
                let all = requests.iter().map(|(conn, words)| (*conn, words.as_slice()));
                self.engine.run(all)?;
                for conn in 0..crate::episode::CONNS {
                    let count = requests.iter().filter(|(of, _)| *of == conn).count();
                    self.replies(conn, count)?;
                }
                self.engine.check_quiet()?;
                self.state = state::of(&self.engine)?;
            }
        }
        Ok(())
    }

    /// The replies a connection got, which must be `count`, whole and of its protocol.
    fn replies(&mut self, conn: usize, count: usize) -> Result<Vec<Value>, String> {
        let Received { bytes, closed, resp3 } = self.engine.received(conn);
        let (mut at, mut replies) = (0, Vec::new());
        while at < bytes.len() {
            match decode(&bytes[at..]) {
                Ok(Some((value, used))) => {
                    at += used;
                    // What a client that tracks is told comes between replies.
                    if !matches!(value, Value::Push(_)) {
                        replies.push(value);
                    }
                }
                Ok(None) => return Err(format!("a reply ends early: {}", bytes[at..].escape_ascii())),
                Err(error) => return Err(format!("{error} in {}", bytes[at..].escape_ascii())),
            }
        }
        let may_be_3 = std::mem::replace(&mut self.resp3[conn], resp3) || resp3 || count > 1;
        if !may_be_3 && let Some(reply) = replies.iter().find(|reply| !is_resp2(reply)) {
            return Err(format!("a RESP3 type for a client that speaks RESP2: {reply}"));
        }
        if closed {
            self.resp3[conn] = self.engine.speaks_resp3();
        }
        match replies.len() == count || closed && replies.len() < count {
            true => Ok(replies),
            false => Err(format!("{} replies to {count} requests on connection {conn}", replies.len())),
        }
    }

    /// Errors change nothing, what only reads neither, and what writes changes the keys it names and no others.
    fn check_changes(
        &self,
        words: &[Vec<u8>],
        reply: Option<&Value>,
        changed: &[(u16, Vec<u8>)],
    ) -> Result<(), String> {
        if changed.is_empty() {
            return Ok(());
        }
        let list = || {
            changed
                .iter()
                .map(|(db, key)| format!("{db}:{}", key.escape_ascii()))
                .collect::<Vec<_>>()
                .join(", ")
        };
        if self.engine.evicts() {
            return Ok(());
        }
        // What a script has done before an error stays, and it uses what keys it will.
        if row(words).is_some_and(|command| command.flags & flag::SCRIPT != 0) {
            return Ok(());
        }
        if let Some(error) = reply.filter(|reply| reply.is_error()) {
            return Err(format!("{error} to {}, yet changed: {}", shown(words), list()));
        }
        let command = row(words).ok_or("an unknown command has changed something")?;
        // It runs what has been queued.
        if command.full_name == "exec" {
            return Ok(());
        }
        // PFCOUNT keeps the count it has found in the value.
        if !command.is_write() && command.flags & flag::MAY_REPLICATE == 0 {
            return Err(format!("{} only reads, yet changed: {}", command.full_name, list()));
        }
        if matches!(command.plan, Plan::All(..)) || command.flags & flag::CROSS_DB != 0 {
            return Ok(());
        }
        let keys = keys(command, words);
        match changed.iter().find(|(_, key)| !keys.contains(key)) {
            Some((db, key)) if !command.has_unknown_keys() => {
                Err(format!("changed {db}:{}, which is none of its keys", key.escape_ascii()))
            }
            _ => Ok(()),
        }
    }
}

fn row(words: &[Vec<u8>]) -> Option<&'static Command> {
    let command = command::lookup(&words[0])?;
    let sub = words.get(1).and_then(|name| command::registry::subcommand(command, name));
    Some(sub.unwrap_or(command))
}

fn keys(command: &Command, words: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let (mut buf, mut spans, mut indexes) = (Vec::new(), Vec::new(), Vec::new());
    for word in words {
        spans.push(Span { start: buf.len() as u32, len: word.len() as u32 });
        buf.extend_from_slice(word);
    }
    let seed = HashSeed::new(1, 2);
    let found = command.key_indexes(&Args::new(&buf, &spans, &seed), &mut indexes);
    if found.is_err() {
        indexes.clear();
    }
    indexes.into_iter().map(|index| words[index].clone()).collect()
}

fn is_resp2(value: &Value) -> bool {
    match value {
        Value::Simple(_)
        | Value::Error(_)
        | Value::Integer(_)
        | Value::Natural(_)
        | Value::Bulk(_)
        | Value::Null
        | Value::NullArray => true,
        Value::Array(items) => items.iter().all(is_resp2),
        _ => false,
    }
}
