//! Libraries of functions. Every shard has all of them, on an engine of its own.
//!
//! FUNCTION LOAD and its kin are commands for all shards: each does the same to the same libraries, at the same place in the order of
//! all operations, so all succeed or none does. What could differ between shards, the time that a library takes to load, is found out
//! on the client's shard before ([`Trial`]).

use super::Learning;
use crate::{Error, ShardCx};
use resp::Reply;
use script::shebang::library_head;
use script::{Engine, Function, Kind, Limits, Resume, Step};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A library may take so long to load.
const LOAD_MS_MAX: u64 = 500;
/// The same where it has loaded in time on another shard: more than enough.
const LOAD_AGAIN_MS_MAX: u64 = 20 * LOAD_MS_MAX;

/// Garbage that may always lie about.
const GARBAGE_BYTES: usize = 64 * 1024;

/// A library.
pub struct Library {
    pub code: Arc<[u8]>,
    /// In the order in which they were registered.
    pub functions: Vec<Arc<Function>>,
}

/// A function that clients may call.
pub struct Known {
    pub function: Arc<Function>,
    library: Vec<u8>,
    pub learning: Learning,
}

/// Libraries by their names, and all their functions by theirs, in lower case.
#[derive(Default)]
pub struct Shelf {
    libraries: BTreeMap<Vec<u8>, Library>,
    functions: HashMap<Vec<u8>, Known>,
}

/// The functions of a shard.
#[derive(Default)]
pub struct Functions {
    /// Made for the first library.
    engine: Option<Engine>,
    /// Bytes of its memory when garbage was last collected.
    collected_bytes: usize,
    pub shelf: Shelf,
}

impl Functions {
    pub fn engine(&mut self) -> &mut Engine {
        self.engine.get_or_insert_with(|| Engine::new(Kind::Functions, Limits::default()))
    }

    /// Loading leaves garbage behind: it goes when there is enough of it.
    fn tidy_up(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        if engine.memory_bytes() > self.collected_bytes + self.collected_bytes / 16 + GARBAGE_BYTES {
            engine.collect();
            self.collected_bytes = engine.memory_bytes();
        }
    }

    /// Bytes that the interpreter uses.
    pub fn engine_bytes(&self) -> usize {
        self.engine.as_ref().map_or(0, Engine::memory_bytes)
    }

    /// FUNCTION DELETE; whether there was such a library.
    pub fn delete(&mut self, name: &[u8]) -> bool {
        self.shelf.unlink(name)
    }

    /// FUNCTION FLUSH
    pub fn flush(&mut self) {
        self.shelf = Shelf::default();
        match &mut self.engine {
            Some(engine) if !engine.is_idle() => engine.collect(),
            engine => *engine = None,
        }
        self.collected_bytes = 0;
    }
}

impl Shelf {
    pub fn libraries(&self) -> impl ExactSizeIterator<Item = (&[u8], &Library)> {
        self.libraries.iter().map(|(name, library)| (&name[..], library))
    }

    pub fn functions_count(&self) -> usize {
        self.functions.len()
    }

    /// The function of a name, in any case.
    pub fn known(&self, name: &[u8]) -> Option<&Known> {
        self.functions.get(&name.to_ascii_lowercase())
    }

    pub(super) fn known_mut(&mut self, name: &[u8]) -> Option<&mut Known> {
        self.functions.get_mut(&name.to_ascii_lowercase())
    }

    /// Bytes of the libraries' code and of what is known of their functions.
    pub fn bytes(&self) -> usize {
        let library = |(name, library): (&Vec<u8>, &Library)| {
            name.len() + library.code.len() + size_of::<Library>() + size_of::<Vec<u8>>()
        };
        let function = |name: &Vec<u8>| 2 * name.len() + size_of::<Known>() + size_of::<Function>();
        self.libraries.iter().map(library).sum::<usize>() + self.functions.keys().map(function).sum::<usize>()
    }

    fn link(&mut self, name: Vec<u8>, library: Library) {
        for function in &library.functions {
            let (function, library) = (Arc::clone(function), name.clone());
            let known = Known { function, library, learning: Learning::default() };
            self.functions.entry(known.function.name().to_ascii_lowercase()).or_insert(known);
        }
        self.libraries.insert(name, library);
    }

    fn unlink(&mut self, name: &[u8]) -> bool {
        let is_known = self.libraries.remove(name).is_some();
        if is_known {
            self.functions.retain(|_, known| known.library != name);
        }
        is_known
    }

    /// That no function of ours has its name, but for those of libraries that are `replaced`.
    fn admits(&self, function: &Function, replaced: impl Fn(&[u8]) -> bool) -> Result<(), Error> {
        match self.known(function.name()) {
            Some(known) if !replaced(&known.library) => {
                Err(Error::naming("Function ", function.name(), " already exists"))
            }
            _ => Ok(()),
        }
    }

    /// Loads a library that is to stand here; nothing is changed yet.
    fn load(
        &self,
        cx: &mut ShardCx,
        code: &[u8],
        replace: bool,
        failure: Option<&[u8]>,
    ) -> Result<(Vec<u8>, Library), Error> {
        let name = library_head(code).map_err(Error::err)?.name;
        if !replace && self.libraries.contains_key(&name) {
            return Err(Error::naming("Library '", &name, "' already exists"));
        }
        if let Some(line) = failure {
            return Err(Error::Reply(line.to_vec().into()));
        }
        let functions = run(cx, code, LOAD_AGAIN_MS_MAX, false)?;
        if functions.is_empty() {
            return Err(Error::err("No functions registered"));
        }
        functions.iter().try_for_each(|function| self.admits(function, |library| library == name))?;
        let functions = functions.into_iter().map(Arc::new).collect();
        Ok((name, Library { code: Arc::from(code), functions }))
    }

    /// Whether all libraries of another can be taken in.
    ///
    /// # Errors
    /// Names that are there already.
    pub fn can_take(&self, other: &Self, replace: bool) -> Result<(), Error> {
        if !replace && let Some(name) = other.libraries.keys().find(|name| self.libraries.contains_key(*name))
        {
            return Err(Error::naming("Library ", name, " already exists"));
        }
        let replaced = |name: &[u8]| other.libraries.contains_key(name);
        let functions = other.libraries.values().flat_map(|library| &library.functions);
        functions.into_iter().try_for_each(|function| self.admits(function, replaced))
    }

    /// Takes all libraries of another in, or none.
    ///
    /// # Errors
    /// Names that are there already.
    pub fn join(&mut self, other: Self, replace: bool) -> Result<(), Error> {
        self.can_take(&other, replace)?;
        for (name, library) in other.libraries {
            self.unlink(&name);
            self.link(name, library);
        }
        Ok(())
    }
}

/// What came of loading libraries on the client's shard, for all shards to go by.
pub struct Trial {
    /// The first that did not load: its number and the line of the error.
    failure: Option<(u32, Vec<u8>)>,
}

impl Trial {
    /// Loads libraries, one after the other, and forgets them. `max_ms` for each.
    pub fn of(cx: &mut ShardCx, codes: impl Iterator<Item = Vec<u8>>) -> Self {
        for (number, code) in codes.enumerate() {
            if let Err(error) = run(cx, &code, LOAD_MS_MAX, true) {
                return Self { failure: Some((number as u32, error.line().to_vec())) };
            }
        }
        Self { failure: None }
    }

    /// As an argument of a command.
    pub fn to_word(&self) -> Vec<u8> {
        match &self.failure {
            None => Vec::new(),
            Some((number, line)) => [&number.to_le_bytes()[..], line].concat(),
        }
    }

    pub fn from_word(word: &[u8]) -> Self {
        let split = word.split_first_chunk();
        Self { failure: split.map(|(number, line)| (u32::from_le_bytes(*number), line.to_vec())) }
    }

    fn failure_of(&self, number: usize) -> Option<&[u8]> {
        self.failure.as_ref().filter(|(failed, _)| *failed as usize == number).map(|(_, line)| &line[..])
    }
}

/// FUNCTION LOAD: the library's name.
///
/// # Errors
/// Why it cannot be loaded; then nothing has changed.
pub fn load(cx: &mut ShardCx, code: &[u8], replace: bool, trial: &Trial) -> Result<Vec<u8>, Error> {
    let shelf = std::mem::take(&mut cx.scripts.functions.shelf);
    let loaded = shelf.load(cx, code, replace, trial.failure_of(0));
    cx.scripts.functions.shelf = shelf;
    let (name, library) = loaded?;
    let shelf = &mut cx.scripts.functions.shelf;
    shelf.unlink(&name);
    shelf.link(name.clone(), library);
    Ok(name)
}

/// Libraries for FUNCTION RESTORE, by themselves.
///
/// # Errors
/// Why one of them cannot be loaded.
pub fn load_all(
    cx: &mut ShardCx,
    codes: impl Iterator<Item = Result<Vec<u8>, Error>>,
    trial: &Trial,
) -> Result<Shelf, Error> {
    let mut shelf = Shelf::default();
    for (number, code) in codes.enumerate() {
        let (name, library) = shelf.load(cx, &code?, false, trial.failure_of(number))?;
        shelf.link(name, library);
    }
    Ok(shelf)
}

/// Compiles and runs a library's code: the functions that it registers. `is_heard`: its log lines go to the log.
fn run(cx: &mut ShardCx, code: &[u8], ms_max: u64, is_heard: bool) -> Result<Vec<Function>, Error> {
    let skip = library_head(code).map_err(Error::err)?.skip;
    let (env, begun_ns) = (cx.script_env(), (cx.platform.clock_ns)());
    cx.scripts.functions.tidy_up();
    let engine = cx.scripts.functions.engine();
    let mut run = engine.start_library(&code[skip..], env);
    let (mut out, mut refusal) = (Reply::default(), Reply::default());
    refusal.error("ERR a library that is being loaded cannot call commands");
    let mut resume = Resume::Go;
    loop {
        resume = match run.resume(engine, resume, &mut out) {
            Step::Tick if (cx.platform.clock_ns)().saturating_sub(begun_ns) / 1_000_000 > ms_max => {
                Resume::Kill("FUNCTION LOAD timeout")
            }
            Step::Tick => Resume::Go,
            Step::Log { level, line } => {
                if is_heard {
                    (cx.platform.log)(level, line);
                }
                Resume::Go
            }
            // No shard must see another time than the others.
            Step::Clock => Resume::Clock(0.0),
            Step::Call(_) => Resume::Reply(&refusal),
            Step::AclCheck(_) => Resume::Allowed(None),
            Step::Done(done) if done.is_raised => return Err(error_in(&out)),
            Step::Done(_) => return Ok(run.take_functions()),
        };
    }
}

/// The error that a reply is.
fn error_in(out: &Reply) -> Error {
    let line = out.buf.strip_prefix(b"-").and_then(|line| line.strip_suffix(b"\r\n"));
    Error::Reply(line.expect("what was raised is an error").to_vec().into())
}
