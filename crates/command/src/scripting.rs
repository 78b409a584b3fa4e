//! Scripts: the cache of a shard, and what happens when one runs.
//!
//! [`run`] is a script under way: a machine that asks for one command after the other, each checked as Redis checks it ([`call`]). Usually
//! a script runs in one piece ([`whole`]), on a shard that has all its keys. Keys that it has not declared may turn out to be elsewhere: then
//! what it has changed is taken back ([`undo`]), and it runs again with more keys, or as an operation that learns as it goes (the `shard`
//! crate's business).

pub mod call;
pub mod run;
mod undo;
pub mod whole;

use crate::{Args, Error};
use base::sha1::sha1_hex;
use script::{Engine, Kind, Limits, Script};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// A script's name: the SHA-1 of its source, in hexadecimal digits.
pub type Sha = [u8; 40];

/// Scripts that EVAL has cached, beyond which the oldest of them goes (Redis 7.4).
const EVAL_SCRIPTS_MAX: usize = 500;
/// After so many runs as an operation that learns as it goes, a script is tried in one piece again.
const LEARNING_RUNS: u32 = 256;

/// A script in the cache.
pub struct Cached {
    pub script: Arc<Script>,
    pub source: Arc<[u8]>,
    /// All its commands are known to use keys that it has declared.
    pub is_tame: bool,
    /// EVAL has brought it: it may go.
    by_eval: bool,
    /// Runs to come in which it is taken for granted that it touches keys of other shards unannounced.
    learns: u32,
}

/// The scripts of a shard.
pub struct Scripts {
    pub engine: Engine,
    by_sha: HashMap<Sha, Cached>,
    /// Those that EVAL has brought, oldest first.
    evaluated: VecDeque<Sha>,
    pub evicted: u64,
    /// Those that have run for too long, in the order in which that showed.
    pub overdue_runs: BTreeMap<u64, run::Overdue>,
    next_overdue: u64,
    /// One that has run for too long, on its way from the handler to the shard.
    pub overdue: Option<Box<whole::Whole>>,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            engine: Engine::new(Kind::Scripts, Limits::default()),
            by_sha: HashMap::new(),
            evaluated: VecDeque::new(),
            evicted: 0,
            overdue_runs: BTreeMap::new(),
            next_overdue: 0,
            overdue: None,
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
        debug_assert!(!is_function, "functions have an engine of their own");
        &mut self.engine
    }

    pub(crate) fn is_tame(&self, sha: &Sha) -> bool {
        self.by_sha.get(sha).is_some_and(|known| known.is_tame)
    }

    /// Compiles a script, unless it is known, and keeps it.
    ///
    /// # Errors
    /// That it does not compile, as EVAL and SCRIPT LOAD say it.
    pub fn load(&mut self, source: &[u8], by_eval: bool) -> Result<Sha, Error> {
        let sha = sha1_hex(source);
        if let Some(known) = self.by_sha.get_mut(&sha) {
            if known.by_eval && !by_eval {
                known.by_eval = false;
                self.evaluated.retain(|other| *other != sha);
            }
            return Ok(sha);
        }
        let error = |text: Vec<u8>| Error::Reply([b"ERR ", &text[..]].concat().into());
        let script = self.engine.load(source).map_err(error)?;
        if by_eval {
            self.make_room();
            self.evaluated.push_back(sha);
        }
        let is_tame = false;
        let (script, source) = (Arc::new(script), Arc::from(source));
        self.by_sha.insert(sha, Cached { script, source, is_tame, by_eval, learns: 0 });
        Ok(sha)
    }

    fn make_room(&mut self) {
        while self.evaluated.len() >= EVAL_SCRIPTS_MAX
            && let Some(oldest) = self.evaluated.pop_front()
        {
            self.by_sha.remove(&oldest);
            self.evicted += 1;
        }
    }

    /// A script that EVAL has brought is used: it is the youngest.
    pub(crate) fn touch(&mut self, sha: &Sha) {
        if self.by_sha.get(sha).is_some_and(|known| known.by_eval) && self.evaluated.back() != Some(sha) {
            self.evaluated.retain(|other| other != sha);
            self.evaluated.push_back(*sha);
        }
    }

    /// Has a script, or a function, that runs for too long end; false if it has written. `None` if there is none.
    pub fn kill(&mut self, is_function: bool) -> Option<bool> {
        let mut result = None;
        for overdue in self.overdue_runs.values_mut().filter(|overdue| overdue.is_function == is_function) {
            overdue.is_killed |= !overdue.has_written;
            result = Some(result == Some(true) || !overdue.has_written);
        }
        result
    }

    pub fn flush(&mut self) {
        self.by_sha.clear();
        self.evaluated.clear();
        self.engine.collect();
    }

    /// Whether a client's command runs a script that is known to use declared keys only.
    pub fn is_known_tame(&self, args: Args<'_>) -> bool {
        let Some(text) = args.get(1) else { return true };
        if !is_by_name(args.at(0)) {
            return self.is_tame(&sha1_hex(text));
        }
        Sha::try_from(text.to_ascii_lowercase()).is_ok_and(|sha| self.is_tame(&sha))
    }

    /// Whether a script is known to touch keys of other shards unannounced; counts the runs for which that holds.
    pub fn learns(&mut self, sha: &Sha) -> bool {
        let Some(known) = self.by_sha.get_mut(sha).filter(|known| known.learns > 0) else { return false };
        known.learns -= 1;
        true
    }

    /// A client's script has done so.
    pub fn note_learning(&mut self, args: Args<'_>) {
        if let Ok(sha) = sha_of(self, args)
            && let Some(known) = self.by_sha.get_mut(&sha)
            && known.learns == 0
        {
            known.learns = LEARNING_RUNS;
        }
    }
}

/// The script that EVAL or EVALSHA names: EVAL brings it along.
///
/// # Errors
/// NOSCRIPT, or that it does not compile.
pub fn sha_of(scripts: &mut Scripts, args: Args<'_>) -> Result<Sha, Error> {
    let (by_name, text) = (is_by_name(args.at(0)), args.at(1));
    if !by_name {
        let sha = scripts.load(text, true)?;
        scripts.touch(&sha);
        return Ok(sha);
    }
    let sha: Sha = text.to_ascii_lowercase().try_into().map_err(|_| Error::NO_SCRIPT)?;
    if scripts.get(&sha).is_none() {
        return Err(Error::NO_SCRIPT);
    }
    scripts.touch(&sha);
    Ok(sha)
}

/// Whether a command (EVALSHA, EVALSHA_RO) names its script by its digest.
pub fn is_by_name(command: &[u8]) -> bool {
    command.get(4..7).is_some_and(|part| part.eq_ignore_ascii_case(b"sha"))
}
