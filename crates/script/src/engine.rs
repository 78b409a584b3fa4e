//! The engine of a shard: an interpreter, and the scripts that run on it.

use crate::bytecode;
use crate::declared::{self, KeyPlaces};
#[cfg(doc)]
use crate::fiber::STACK_BYTES;
use crate::fiber::{Answer, Fiber, Job, Signal};
use crate::lua::{self, Lua};
use crate::sandbox;
use crate::shebang::{Flags, script_head};
use crate::vm::{Grave, Vm};
use base::sha1::sha1_hex;
use resp::{Reply, Span};
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::Arc;

/// What scripts may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the interpreter, garbage included; a script that wants more fails with "not enough memory".
    pub memory_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes_max: 512 << 20 }
    }
}

/// Scripts that may be under way on an engine; each has a stack and a Lua thread.
const FIBERS_MAX: c_int = 10_000;

/// What is run: scripts and library functions have interpreters of their own, as in Redis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Scripts,
    Functions,
}

/// One interpreter. Several [`Run`]s may be under way on it, in any order; one of them runs at a time.
pub struct Engine {
    vm: Arc<Vm>,
    /// Fibers that wait for work. Each is boxed, since its coroutine knows its address.
    #[allow(clippy::vec_box, reason = "see above")]
    pool: Vec<Box<Fiber>>,
    /// Fibers made so far.
    fibers: c_int,
    /// With more bytes in use than these, garbage is collected before a run begins.
    collect_above_bytes: usize,
}

/// A compiled script. Dropping it frees it; runs that are under way are not disturbed.
pub struct Script {
    vm: Arc<Vm>,
    reference: c_int,
    sha: [u8; 40],
    flags: Option<Flags>,
}

/// A function that a library registered. Dropping it frees it; runs that are under way are not disturbed.
pub struct Function {
    vm: Arc<Vm>,
    reference: c_int,
    name: Vec<u8>,
    description: Option<Vec<u8>>,
    flags: Flags,
}

/// Who asks for a script.
#[derive(Clone, Copy, Debug, Default)]
pub struct Env {
    /// Lines of `redis.log` below this level are not even made (0 debug … 3 warning).
    pub log_level_min: u8,
}

/// A script under way.
pub struct Run {
    vm: Arc<Vm>,
    fiber: Option<Box<Fiber>>,
    /// There was no fiber for it: the first step is an error.
    is_refused: bool,
    functions: Vec<Function>,
}

/// What the host says to let a run go on; each [`Step`] says which it wants.
#[derive(Clone, Copy)]
pub enum Resume<'a> {
    /// Begin; or go on after [`Step::Log`] or [`Step::Tick`].
    Go,
    /// The command's reply, in the version of the protocol that [`Call::is_resp3`] says.
    Reply(&'a Reply),
    /// Whether the user may run the command; `None` if there is no such command.
    Allowed(Option<bool>),
    /// Seconds of processor time, for `os.clock`.
    Clock(f64),
    /// Ends the script, whatever it waits for, with this error (without `ERR`): "Script killed by user with SCRIPT KILL...".
    Kill(&'a str),
}

/// A command with its arguments, one after the other in one buffer.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// Where `spans` point, if it is no longer than their positions can tell: the host looks at that.
    pub text: &'a [u8],
    pub spans: &'a [Span],
}

impl<'a> Words<'a> {
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let span = self.spans.get(index)?;
        self.text.get(span.start as usize..)?.get(..span.len as usize)
    }

    /// How many they are, the command's name included.
    #[allow(clippy::len_without_is_empty, reason = "there is always a command")]
    pub fn len(&self) -> usize {
        self.spans.len()
    }
}

/// A command that the script wants run: [`Run::words`].
#[derive(Clone, Copy)]
pub struct Call {
    /// `redis.pcall`: an error is a value, not the end of the script.
    pub is_pcall: bool,
    /// The reply is to be RESP3 (`redis.setresp(3)`).
    pub is_resp3: bool,
    /// What `redis.set_repl` asked for: 1 append-only file, 2 replicas.
    pub replication: u8,
}

/// What a run wants, or that it has ended.
pub enum Step<'a> {
    /// Wants [`Resume::Reply`].
    Call(Call),
    /// `redis.acl_check_cmd`; wants [`Resume::Allowed`].
    AclCheck(Words<'a>),
    /// `redis.log`; wants [`Resume::Go`].
    Log { level: u8, line: &'a [u8] },
    /// `os.clock`; wants [`Resume::Clock`].
    Clock,
    /// It has jumped back, and called functions, 20,000 times; wants [`Resume::Go`] or [`Resume::Kill`].
    Tick,
    /// The reply has been written.
    Done(Done),
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Done {
    /// By an error that the script did not catch.
    pub is_raised: bool,
    /// The reply is or contains an error that no command's statistics have yet.
    pub is_error_to_count: bool,
}

impl Engine {
    pub fn new(kind: Kind, limits: Limits) -> Self {
        let vm = Vm::new(limits.memory_bytes_max, kind == Kind::Functions);
        Self { vm, pool: Vec::new(), fibers: 0, collect_above_bytes: limits.memory_bytes_max / 2 }
    }

    /// Compiles a script. The error is what EVAL and SCRIPT LOAD answer, without `ERR`.
    pub fn load(&mut self, source: &[u8]) -> Result<Script, Vec<u8>> {
        self.tidy_up();
        let (flags, skip) = script_head(source).map_err(String::into_bytes)?;
        let reference = self
            .compile(&source[skip..])
            .map_err(|message| [b"Error compiling script (new function): ", &*message].concat())?;
        Ok(Script { vm: Arc::clone(&self.vm), reference, sha: sha1_hex(source), flags })
    }

    /// Compiles `code` into the registry.
    fn compile(&mut self, code: &[u8]) -> Result<c_int, Vec<u8>> {
        let lua = self.vm.main();
        let mut job = Compilation { code, reference: None };
        let data = ptr::from_mut(&mut job).cast::<c_void>();
        let status = self.vm.limited(|| lua.protect(lua::entry!(compile), data));
        let reference = job.reference;
        if status == 0
            && let Some(reference) = reference
        {
            return Ok(reference);
        }
        let message = lua.text(-1).map_or_else(Vec::new, |text| sandbox::until_zero(&text).to_vec());
        lua.pop(1);
        Err(message)
    }

    /// Begins a run of a script; `out` of [`Run::resume`] says in which version the reply is wanted.
    pub fn start(&mut self, script: &Script, keys: &[&[u8]], args: &[&[u8]], env: Env) -> Run {
        assert!(Arc::ptr_eq(&self.vm, &script.vm), "the script belongs to another engine");
        self.begin(Job::Script(script.reference), &script.sha, keys, args, env)
    }

    /// Begins a run of a library's function.
    pub fn start_function(&mut self, function: &Function, keys: &[&[u8]], args: &[&[u8]], env: Env) -> Run {
        assert!(Arc::ptr_eq(&self.vm, &function.vm), "the function belongs to another engine");
        self.begin(Job::Function(function.reference), &function.name, keys, args, env)
    }

    /// Begins to load a library, whose code begins behind its head ([`crate::shebang::library_head`]). When the run is
    /// done with `+OK`, [`Run::take_functions`] has what it registered.
    pub fn start_library(&mut self, code: &[u8], env: Env) -> Run {
        self.pool.iter().for_each(|fiber| self.vm.disown(fiber));
        assert!(self.vm.is_for_functions, "libraries are loaded by an engine of functions");
        self.begin(Job::Library(ptr::from_ref(code)), b"", &[], &[], env)
    }

    fn begin(&mut self, job: Job, name: &[u8], keys: &[&[u8]], args: &[&[u8]], env: Env) -> Run {
        self.tidy_up();
        let vm = Arc::clone(&self.vm);
        let Some(fiber) = self.pool.pop().or_else(|| self.new_fiber()) else {
            return Run { vm, fiber: None, is_refused: true, functions: Vec::new() };
        };
        fiber.job.set(job);
        // SAFETY: the slices are used until the fiber is suspended, below.
        unsafe {
            fiber.keys.set(std::mem::transmute::<&[&[u8]], &'static [&'static [u8]]>(keys));
            fiber.arguments.set(std::mem::transmute::<&[&[u8]], &'static [&'static [u8]]>(args));
        }
        fiber.out.set(ptr::null_mut());
        fiber.name.get().clear();
        fiber.name.get().extend_from_slice(name);
        fiber.is_resp3.set(false);
        fiber.replication.set(crate::api::REPLICATION_ALL);
        fiber.log_level_min.set(env.log_level_min);
        fiber.answer.set(Answer::Go);
        if matches!(job, Job::Script(_)) {
            self.vm.begin_run(&fiber);
        }
        self.vm.switch_to(&fiber);
        assert!(fiber.signal.get() == Signal::Ready, "a run begins by taking its arguments");
        Run { vm, fiber: Some(fiber), is_refused: false, functions: Vec::new() }
    }

    /// `None` if too many scripts are under way, or there is no memory for a stack.
    fn new_fiber(&mut self) -> Option<Box<Fiber>> {
        if self.fibers >= FIBERS_MAX {
            return None;
        }
        let fiber = Fiber::new(&self.vm, 2 * self.fibers + 1)?;
        self.fibers += 1;
        // Its places for globals must be there before they are needed.
        sandbox::clear_aside(self.vm.main(), self.vm.globals.get(), &fiber);
        Some(fiber)
    }

    /// Frees what runs, scripts and functions have left, and garbage if there is so much that the next script would meet the
    /// limit because of it.
    fn tidy_up(&mut self) {
        self.vm.keep();
        self.bury_dead();
        if self.vm.used_bytes() > self.collect_above_bytes {
            self.vm.main().gc(lua::GC_COLLECT, 0);
            let used = self.vm.used_bytes();
            self.collect_above_bytes = (self.vm.limit_bytes() / 2).max(used + used / 2);
        }
    }

    fn bury_dead(&mut self) {
        for grave in self.vm.exhume() {
            match grave {
                Grave::Reference(reference) => self.vm.main().unreference(reference),
                Grave::Fiber(fiber) => self.reset(fiber),
            }
        }
    }

    /// Makes a fiber that was given up fit for work again.
    fn reset(&mut self, fiber: Box<Fiber>) {
        let lua = self.vm.main();
        self.vm.forget(&fiber);
        sandbox::clear_aside(lua, self.vm.globals.get(), &fiber);
        fiber.reset(lua);
        self.pool.push(fiber);
    }

    /// Whether it is certain that all keys of all commands the script calls are elements of KEYS. `places` says which
    /// arguments of a command are keys. Costs some microseconds: ask once per script.
    pub fn keys_are_declared(&mut self, script: &Script, places: &KeyPlaces<'_>) -> bool {
        assert!(Arc::ptr_eq(&self.vm, &script.vm), "the script belongs to another engine");
        self.vm.keep();
        let lua = self.vm.main();
        lua.raw_get_at(lua::REGISTRY, script.reference);
        let main = bytecode::read(lua);
        lua.pop(1);
        main.is_some_and(|main| declared::keys_are_declared(&main, places))
    }

    /// Bytes that the interpreter uses.
    pub fn memory_bytes(&self) -> usize {
        self.vm.used_bytes()
    }

    /// Whether nothing is left of what it has given out: no script, no function, no run.
    pub fn is_idle(&self) -> bool {
        Arc::strong_count(&self.vm) == 1
    }

    /// Collects all garbage.
    pub fn collect(&mut self) {
        self.vm.keep();
        self.bury_dead();
        self.vm.main().gc(lua::GC_COLLECT, 0);
    }

    /// Bytes that the deepest script has used of its stack, which has [`STACK_BYTES`]. For tests.
    pub fn stack_bytes_used(&self) -> usize {
        self.pool.iter().map(|fiber| fiber.stack_bytes_used()).max().unwrap_or(0)
    }

    /// Bytes of all that the interpreter holds, without small blocks that wait for their next use.
    #[cfg(test)]
    pub fn lua_bytes(&self) -> usize {
        let lua = self.vm.main();
        (lua.gc(lua::GC_COUNT, 0) as usize) * 1024 + lua.gc(lua::GC_COUNT_BYTES, 0) as usize
    }

    /// Has the collector do all its work at each chance. For tests.
    pub fn stress_collector(&mut self) {
        self.vm.main().gc(lua::GC_SET_PAUSE, 0);
        self.vm.main().gc(lua::GC_SET_STEP_MULTIPLIER, 0);
    }

    /// Takes a fiber whose run has ended.
    fn take_back(&mut self, fiber: Box<Fiber>, functions: &mut Vec<Function>, is_kept: bool) {
        let lua = self.vm.main();
        for it in fiber.registered.get().drain(..) {
            if is_kept {
                functions.push(Function {
                    vm: Arc::clone(&self.vm),
                    reference: it.reference,
                    name: it.name,
                    description: it.description,
                    flags: Flags(it.flags),
                });
            } else {
                lua.unreference(it.reference);
            }
        }
        match fiber.job.get() {
            Job::Library(_) => self.vm.forget(&fiber),
            Job::Script(_) => self.vm.end_run(&fiber),
            Job::Function(_) | Job::Nothing => {}
        }
        fiber.shrink();
        self.pool.push(fiber);
    }
}

/// What [`compile`] is to do and has done.
struct Compilation<'a> {
    code: &'a [u8],
    reference: Option<c_int>,
}

fn compile(lua: Lua) -> c_int {
    // SAFETY: `Engine::compile` passes it.
    let job = unsafe { &mut *lua.userdata(1).cast::<Compilation<'_>>() };
    if lua.load(job.code, c"@user_script") != 0 {
        lua.error();
    }
    job.reference = Some(lua.reference());
    0
}

impl Script {
    /// The SHA1 of the source, in hexadecimal digits.
    pub fn sha(&self) -> &[u8; 40] {
        &self.sha
    }

    /// What its first line declares; `None` without one.
    pub fn flags(&self) -> Option<Flags> {
        self.flags
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.vm.bury(Grave::Reference(self.reference));
    }
}

impl Function {
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    pub fn description(&self) -> Option<&[u8]> {
        self.description.as_deref()
    }

    pub fn flags(&self) -> Flags {
        self.flags
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.vm.bury(Grave::Reference(self.reference));
    }
}

impl Run {
    /// Runs on until the script wants something of the host. `out` is where the reply is written when it ends; its
    /// `resp3` says in which version.
    pub fn resume<'a>(&'a mut self, engine: &mut Engine, with: Resume<'_>, out: &mut Reply) -> Step<'a> {
        assert!(Arc::ptr_eq(&self.vm, &engine.vm), "the run belongs to another engine");
        if std::mem::take(&mut self.is_refused) {
            out.error("ERR too many scripts are running at the same time");
            return Step::Done(Done { is_raised: true, is_error_to_count: true });
        }
        let fiber = self.fiber.as_deref().expect("a run that has ended is not resumed");
        fiber.answer.set(match with {
            Resume::Go => Answer::Go,
            Resume::Reply(reply) => Answer::Reply(reply),
            Resume::Allowed(allowed) => Answer::Allowed(allowed),
            Resume::Clock(seconds) => Answer::Clock(seconds),
            Resume::Kill(message) => Answer::Kill(message),
        });
        fiber.out.set(out);
        engine.vm.switch_to(fiber);
        match fiber.signal.get() {
            Signal::Done { raised, is_counted } => {
                let fiber = self.fiber.take().expect("it is there");
                engine.take_back(fiber, &mut self.functions, !raised);
                Step::Done(Done { is_raised: raised, is_error_to_count: is_counted })
            }
            Signal::Killed => {
                let fiber = self.fiber.take().expect("it is there");
                engine.reset(fiber);
                Step::Done(Done { is_raised: true, is_error_to_count: true })
            }
            signal => self.step(signal),
        }
    }

    fn step(&self, signal: Signal) -> Step<'_> {
        let fiber = self.fiber.as_deref().expect("the run is suspended");
        match signal {
            Signal::Call { is_pcall } => Step::Call(Call {
                is_pcall,
                is_resp3: fiber.is_resp3.get(),
                replication: fiber.replication.get(),
            }),
            Signal::AclCheck => Step::AclCheck(self.words()),
            Signal::Log { level } => Step::Log { level, line: fiber.text.get() },
            Signal::Clock => Step::Clock,
            Signal::Tick => Step::Tick,
            Signal::Ready | Signal::Done { .. } | Signal::Killed => unreachable!("handled before"),
        }
    }

    /// The command that it has called, while it waits for the reply.
    #[inline]
    pub fn words(&self) -> Words<'_> {
        let fiber = self.fiber.as_deref().expect("the run is suspended");
        Words { text: fiber.words.get(), spans: fiber.spans.get() }
    }

    /// What a library registered, once it is loaded.
    pub fn take_functions(&mut self) -> Vec<Function> {
        std::mem::take(&mut self.functions)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(fiber) = self.fiber.take() {
            self.vm.bury(Grave::Fiber(fiber));
        }
    }
}

// SAFETY: a fiber is used by who holds its run, and runs only while the engine is held too; its stack holds frames of Lua
// and of this crate, which keep nothing in thread-local storage. A dropped run leaves the fiber to the engine.
unsafe impl Send for Fiber {}
