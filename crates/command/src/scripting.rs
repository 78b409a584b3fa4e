//! Scripts: the cache of a shard, and what happens when one runs.
//!
//! [`run`] is a script under way: a machine that asks for one command after the other, each checked as Redis checks it ([`call`]). Usually
//! a script runs in one piece ([`whole`]), on a shard that has all its keys. Keys that it has not declared may turn out to be elsewhere: then
//! what it has changed is taken back ([`undo`]), and it runs again with more keys, or as an operation that learns as it goes (the `shard`
//! crate's business). Functions ([`libraries`]) run like scripts.

pub mod call;
mod forecast;
pub mod libraries;
pub mod run;
mod undo;
pub mod whole;

use crate::spec::flag;
use crate::{Args, Command, Error, registry};
use base::sha1::sha1_hex;
use forecast::Forecast;
use libraries::Functions;
use resp::Reply;
use script::{Engine, Flags, Kind, Limits, Script, shebang};
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::sync::{Arc, LazyLock};

/// Undeclared keys of a run that are looked at to foresee those of the next.
pub const USED_MAX: usize = 64;

/// A script's name: the SHA-1 of its source, in hexadecimal digits.
pub type Sha = [u8; 40];

/// Scripts that EVAL has cached, beyond which the oldest of them goes (Redis 7.4).
const EVAL_SCRIPTS_MAX: usize = 500;
/// After so many runs as an operation that learns as it goes, a script is tried in one piece again.
const LEARNING_RUNS: u32 = 256;
/// Runs in a row that had to ask for keys, after which those of a pipeline go together.
const ASKED_RUNS: u32 = 4;
/// Or sooner, after so many in a row that had to ask for nothing: twice as many each time that comes to nothing.
const FORESEEN_RUNS_MIN: u32 = 4;

/// How a command names what it runs, and what it allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// FCALL, not EVAL.
    pub is_function: bool,
    /// A script by its digest.
    pub by_digest: bool,
    /// `…_RO`
    pub read_only: bool,
}

impl Form {
    pub const EVAL: Self = Self { is_function: false, by_digest: false, read_only: false };
    pub const EVALSHA: Self = Self { by_digest: true, ..Self::EVAL };
    pub const FCALL: Self = Self { is_function: true, ..Self::EVAL };

    pub const fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    /// The number of the command.
    pub(crate) fn command_id(self) -> u16 {
        static IDS: LazyLock<Vec<(Form, u16)>> = LazyLock::new(|| {
            let rows = registry::all().filter(|row| row.flags & flag::SCRIPT != 0);
            rows.map(|row| (Form::of(row), row.id)).collect()
        });
        IDS.iter().find(|(form, _)| *form == self).expect("every form has a command").1
    }

    /// That of a command that runs scripts.
    pub fn of(command: &Command) -> Self {
        let name = command.full_name;
        Self {
            is_function: name.starts_with("fcall"),
            by_digest: name.starts_with("evalsha"),
            read_only: name.ends_with("_ro"),
        }
    }
}

/// What a command runs.
pub(crate) enum Named<'a> {
    Script(Sha),
    Function(&'a [u8]),
}

impl Named<'_> {
    /// How it is called on any shard that knows it.
    fn called(&self) -> (Form, Vec<u8>) {
        match self {
            Self::Script(sha) => (Form::EVALSHA, sha.to_vec()),
            Self::Function(name) => (Form::FCALL, name.to_vec()),
        }
    }
}

/// What is known of the keys that a script or function uses.
#[derive(Default)]
pub struct Learning {
    /// All its commands are known to use keys that it has declared.
    pub is_tame: bool,
    /// Runs to come in which it is taken for granted that it touches keys of other shards unannounced.
    runs: u32,
    /// Of these, how many in a row had to ask for nothing; and after how many of them it is tried in one piece again.
    foreseen_runs: u32,
    foreseen_runs_needed: u32,
    /// Runs in a row, held among keys of several shards, that had to ask for more; and runs to come in which those of a pipeline go together for that.
    asked_in_a_row: u32,
    together: u32,
    /// Runs to come in which it does not go together with others, for it has taken long.
    alone: u32,
    /// Runs that learn as they go, have begun and are not over.
    under_way: u32,
    /// Undeclared keys that can be told beforehand.
    forecast: Forecast,
}

/// A script in the cache.
pub struct Cached {
    pub script: Arc<Script>,
    pub source: Arc<[u8]>,
    pub learning: Learning,
    /// EVAL has brought it: it may go.
    by_eval: bool,
    /// When it was used last, counted in uses of all.
    used: u64,
}

/// The scripts of a shard.
pub struct Scripts {
    pub engine: Engine,
    pub functions: Functions,
    /// Asked several times for every run; the seed is random, for clients choose the digests that they ask for.
    by_sha: HashMap<Sha, Cached, ahash::RandomState>,
    /// How many EVAL has brought; and uses of scripts so far.
    evaluated: usize,
    /// The source that was asked for last, with its digest.
    last: Option<(Arc<[u8]>, Sha)>,
    uses: u64,
    pub evicted: u64,
    /// Those that have run for too long, in the order in which that showed.
    pub overdue_runs: BTreeMap<u64, run::Overdue>,
    next_overdue: u64,
    /// One that has run for too long, on its way from the handler to the shard.
    pub overdue: Option<Box<whole::Whole>>,
    /// Keys that the one which has just run in one piece used without declaring them.
    pub undeclared: Vec<Vec<u8>>,
    /// Memory of scripts that have ended.
    spare: Spare,
}

/// Memory for replies, which serves one script after the other.
#[derive(Default)]
struct Spare {
    /// The reply to a command, and the script's own.
    answer: Reply,
    out: Reply,
}

/// Bytes of a buffer that is kept for the next script.
const SPARE_BYTES_MAX: usize = 16 * 1024;

/// A hash much quicker than the standard library's, with a seed from there.
fn quick_hash() -> ahash::RandomState {
    let random = std::hash::RandomState::new();
    let [a, b, c, d] = [0, 1, 2, 3].map(|part| random.hash_one(part));
    ahash::RandomState::with_seeds(a, b, c, d)
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            engine: Engine::new(Kind::Scripts, Limits::default()),
            functions: Functions::default(),
            by_sha: HashMap::with_hasher(quick_hash()),
            evaluated: 0,
            last: None,
            uses: 0,
            evicted: 0,
            overdue_runs: BTreeMap::new(),
            next_overdue: 0,
            overdue: None,
            undeclared: Vec::new(),
            spare: Spare::default(),
        }
    }
}

impl Scripts {
    pub fn get(&self, sha: &Sha) -> Option<&Cached> {
        self.by_sha.get(sha)
    }

    pub fn len(&self) -> usize {
        self.by_sha.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_sha.is_empty()
    }

    /// Bytes of sources and of what is known of them.
    pub fn cache_bytes(&self) -> usize {
        let sources = self.by_sha.values().map(|cached| cached.source.len()).sum::<usize>();
        sources + self.by_sha.len() * (size_of::<Sha>() + size_of::<Cached>())
    }

    fn add_overdue(&mut self, overdue: run::Overdue) -> u64 {
        self.next_overdue += 1;
        self.overdue_runs.insert(self.next_overdue, overdue);
        self.next_overdue
    }

    pub(crate) fn engine_of(&mut self, is_function: bool) -> &mut Engine {
        if is_function { self.functions.engine() } else { &mut self.engine }
    }

    /// What is known of the keys that a script or function uses, if it is known itself.
    pub(crate) fn learning(&self, named: &Named<'_>) -> Option<&Learning> {
        match named {
            Named::Script(sha) => self.by_sha.get(sha).map(|known| &known.learning),
            Named::Function(name) => self.functions.shelf.known(name).map(|known| &known.learning),
        }
    }

    fn learning_mut(&mut self, named: &Named<'_>) -> Option<&mut Learning> {
        match named {
            Named::Script(sha) => self.by_sha.get_mut(sha).map(|known| &mut known.learning),
            Named::Function(name) => self.functions.shelf.known_mut(name).map(|known| &mut known.learning),
        }
    }

    /// What a command runs, by its first argument.
    fn named<'a>(&self, form: Form, text: &'a [u8]) -> Option<Named<'a>> {
        Some(match form {
            Form { is_function: true, .. } => Named::Function(text),
            Form { by_digest: true, .. } => Named::Script(digest_of(text)?),
            _ => Named::Script(self.digest(text)),
        })
    }

    /// The digest of a source. EVAL asks for it several times on its way, most often for the same source as the last one.
    pub(crate) fn digest(&self, source: &[u8]) -> Sha {
        match &self.last {
            Some((last, sha)) if **last == *source => *sha,
            _ => sha1_hex(source),
        }
    }

    /// Compiles a script, unless it is known, and keeps it.
    ///
    /// # Errors
    /// That it does not compile, as EVAL and SCRIPT LOAD say it.
    pub fn load(&mut self, source: &[u8], by_eval: bool) -> Result<Sha, Error> {
        let sha = self.digest(source);
        if let Some(known) = self.by_sha.get_mut(&sha) {
            self.last = Some((Arc::clone(&known.source), sha));
            if known.by_eval && !by_eval {
                known.by_eval = false;
                self.evaluated -= 1;
            }
            return Ok(sha);
        }
        let error = |text: Vec<u8>| Error::Reply([b"ERR ", &text[..]].concat().into());
        let script = self.engine.load(source).map_err(error)?;
        if by_eval {
            self.make_room();
            self.evaluated += 1;
        }
        let learning = Learning {
            is_tame: self.engine.keys_are_declared(&script, &call::key_places),
            ..Learning::default()
        };
        let (script, source) = (Arc::new(script), Arc::from(source));
        self.uses += 1;
        self.by_sha.insert(sha, Cached { script, source, learning, by_eval, used: self.uses });
        Ok(sha)
    }

    /// Forgets the script, of those that EVAL has brought, that has not been used for longest, if there are as many as may be.
    fn make_room(&mut self) {
        if self.evaluated < EVAL_SCRIPTS_MAX {
            return;
        }
        let brought = self.by_sha.iter().filter(|(_, known)| known.by_eval);
        if let Some(oldest) = brought.min_by_key(|(_, known)| known.used).map(|(sha, _)| *sha) {
            self.by_sha.remove(&oldest);
            self.evaluated -= 1;
            self.evicted += 1;
        }
    }

    /// A script is used, if it is known.
    fn used(&mut self, sha: &Sha) -> Option<Arc<Script>> {
        let known = self.by_sha.get_mut(sha)?;
        self.uses += 1;
        known.used = self.uses;
        Some(Arc::clone(&known.script))
    }

    /// A reply of a script has been read: its memory serves again.
    fn keep_reply(&mut self, mut out: Reply) {
        if out.buf.capacity() <= SPARE_BYTES_MAX {
            out.clear();
            self.spare.out = out;
        }
    }

    /// Has a script, or a function, that runs for too long end.
    pub fn kill(&mut self, is_function: bool) -> Killing {
        let mut killing = Killing::Nothing;
        for overdue in self.overdue_runs.values_mut() {
            overdue.is_killed |= !overdue.has_written && overdue.is_function == is_function;
            killing = killing.max(match overdue {
                run::Overdue { has_written: true, .. } => Killing::HasWritten,
                _ if overdue.is_function == is_function => Killing::Killed,
                _ => Killing::OtherKind,
            });
        }
        killing
    }

    pub fn flush(&mut self) {
        self.by_sha.clear();
        self.last = None;
        self.evaluated = 0;
        if self.engine.is_idle() {
            self.engine = Engine::new(Kind::Scripts, Limits::default());
        } else {
            self.engine.collect();
        }
    }

    /// Whether what a client's command runs can write, as far as it says so: by the command's name or the flags it declares.
    pub fn may_write(&self, form: Form, args: Args<'_>) -> bool {
        let Some(text) = args.get(1) else { return !form.read_only };
        let flags = if form.is_function {
            self.functions.shelf.known(text).map(|known| known.function.flags())
        } else if form.by_digest {
            digest_of(text).and_then(|sha| self.get(&sha)).and_then(|known| known.script.flags())
        } else {
            shebang::script_head(text).ok().and_then(|(flags, _)| flags)
        };
        !form.read_only && !flags.is_some_and(|flags| flags.has(Flags::NO_WRITES))
    }

    /// Whether a client's command runs a script, or a function, that is known to use declared keys only.
    pub fn is_known_tame(&self, form: Form, args: Args<'_>) -> bool {
        let Some(text) = args.get(1) else { return true };
        self.named(form, text).and_then(|named| self.learning(&named)).is_some_and(|known| known.is_tame)
    }

    /// Whether it is known to touch keys of other shards unannounced; counts the runs for which that holds.
    pub(crate) fn learns(&mut self, named: &Named<'_>) -> bool {
        let Some(known) = self.learning_mut(named).filter(|known| known.runs > 0) else { return false };
        known.runs -= 1;
        true
    }

    /// The same of what a client's command runs.
    pub fn is_to_learn(&mut self, form: Form, args: Args<'_>) -> bool {
        let named = args.get(1).and_then(|text| self.named(form, text));
        named.is_some_and(|named| self.learns(&named))
    }

    /// Whether those of a pipeline go together, as operations that learn as they go. It holds for a number of runs, of which this is one.
    pub fn take_run_together(&mut self, form: Form, args: Args<'_>) -> bool {
        let learns = self.is_to_learn(form, args);
        let named = args.get(1).and_then(|text| self.named(form, text));
        let known = named.and_then(|named| self.learning_mut(&named)).filter(|known| known.together > 0);
        known.map(|known| known.together -= 1).is_some() || learns
    }

    /// It takes so long that others should not wait for its end.
    pub fn note_long(&mut self, form: Form, args: Args<'_>) {
        if let Some(known) = self.named(form, args.at(1)).and_then(|named| self.learning_mut(&named)) {
            known.alone = LEARNING_RUNS;
        }
    }

    /// Whether it has done so in one of its last runs; of those for which that counts, this is one.
    pub fn take_run_alone(&mut self, form: Form, args: Args<'_>) -> bool {
        let known = self.named(form, args.at(1)).and_then(|named| self.learning_mut(&named));
        known.filter(|known| known.alone > 0).map(|known| known.alone -= 1).is_some()
    }

    /// Keys that a client's script, or function, is likely to use without declaring them.
    pub fn foreseen(&self, form: Form, args: Args<'_>) -> Vec<Vec<u8>> {
        let known =
            args.get(1).and_then(|text| self.named(form, text)).and_then(|named| self.learning(&named));
        known.map_or_else(Vec::new, |known| known.forecast.keys(args, known.under_way))
    }

    /// It has used these keys, whether it declared them or not; `unforeseen`: it had to ask for some.
    pub fn note_keys(&mut self, form: Form, args: Args<'_>, keys: &[Vec<u8>], unforeseen: bool) {
        let Some(known) = self.named(form, args.at(1)).and_then(|named| self.learning_mut(&named)) else {
            return;
        };
        if known.is_tame || known.forecast.is_settled() && !unforeseen {
            return;
        }
        if let Ok(declared) = run::Evaluation::of(form, args) {
            let used = keys.iter().map(Vec::as_slice);
            known.forecast.learn(args, used.filter(|key| !declared.keys().contains(key)));
        }
    }

    /// A run as an operation that learns as it goes has begun.
    pub fn note_begun(&mut self, form: Form, args: Args<'_>) {
        if let Some(known) = self.named(form, args.at(1)).and_then(|named| self.learning_mut(&named)) {
            known.under_way += 1;
        }
    }

    /// It will not take place.
    pub fn note_given_up(&mut self, form: Form, args: Args<'_>) {
        if let Some(known) = self.named(form, args.at(1)).and_then(|named| self.learning_mut(&named)) {
            known.under_way = known.under_way.saturating_sub(1);
        }
    }

    /// The same of a run as an operation that learns as it goes. If such runs ask for nothing any more, it is tried in one piece again.
    pub fn note_keys_learned(&mut self, form: Form, args: Args<'_>, keys: &[Vec<u8>], unforeseen: bool) {
        self.note_keys(form, args, keys, unforeseen);
        let Some(known) = self.named(form, args.at(1)).and_then(|named| self.learning_mut(&named)) else {
            return;
        };
        known.under_way = known.under_way.saturating_sub(1);
        known.foreseen_runs = if unforeseen { 0 } else { known.foreseen_runs + 1 };
        if known.foreseen_runs >= known.foreseen_runs_needed {
            known.runs = 0;
        }
    }

    /// A client's script, or function, has done so: what it is called by, if that is new.
    pub fn note_learning(&mut self, form: Form, args: Args<'_>) -> Option<(Form, Vec<u8>)> {
        let named = self.named(form, args.at(1))?;
        self.begin_learning(&named).then(|| named.called())
    }

    /// The same, told by the shard where it showed, with what [`Scripts::note_learning`] has said there.
    pub fn hear_of_learning(&mut self, form: Form, name: &[u8]) {
        if let Some(known) = self.named(form, name).and_then(|named| self.learning_mut(&named)) {
            known.together = LEARNING_RUNS;
        }
    }

    /// A run among keys that were held had to ask for some, or not: what it is called by, if it is new that it does so regularly.
    pub fn note_asking(&mut self, form: Form, args: Args<'_>, has_asked: bool) -> Option<(Form, Vec<u8>)> {
        let named = self.named(form, args.at(1))?;
        let known = self.learning_mut(&named)?;
        known.asked_in_a_row = if has_asked { known.asked_in_a_row + 1 } else { 0 };
        if known.asked_in_a_row < ASKED_RUNS {
            return None;
        }
        (known.asked_in_a_row, known.together) = (0, LEARNING_RUNS);
        Some(named.called())
    }

    /// Takes it for granted that a script learns as it goes; whether that is new.
    fn begin_learning(&mut self, named: &Named<'_>) -> bool {
        let Some(known) = self.learning_mut(named).filter(|known| known.runs == 0) else { return false };
        known.runs = LEARNING_RUNS;
        known.foreseen_runs = 0;
        known.foreseen_runs_needed =
            (2 * known.foreseen_runs_needed).clamp(FORESEEN_RUNS_MIN, 2 * LEARNING_RUNS);
        true
    }
}

/// What has come of an attempt to end scripts; what counts more than others stands behind them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Killing {
    /// None runs for too long.
    Nothing,
    /// It is a script that runs, and a function was to end; or the other way round.
    OtherKind,
    /// It can only be ended with the server.
    HasWritten,
    Killed,
}

/// The script that EVAL or EVALSHA names: EVAL brings it along.
///
/// # Errors
/// NOSCRIPT, or that it does not compile.
pub(crate) fn script_of(scripts: &mut Scripts, form: Form, text: &[u8]) -> Result<(Sha, Arc<Script>), Error> {
    let sha = match form.by_digest {
        true => digest_of(text).ok_or_else(|| Error::NO_SCRIPT)?,
        false => scripts.load(text, true)?,
    };
    let script = scripts.used(&sha).ok_or_else(|| Error::NO_SCRIPT)?;
    Ok((sha, script))
}

/// What a client calls a script by, in lower case, if it can be a digest.
fn digest_of(text: &[u8]) -> Option<Sha> {
    let mut sha: Sha = text.try_into().ok()?;
    sha.make_ascii_lowercase();
    Some(sha)
}
