//! A script under way: a Lua thread on a stack of its own.
//!
//! The stack is a coroutine's, so whatever a script calls, however deep inside Lua's C code, can suspend all of it and hand
//! something to the host. A fiber runs one script after the other; between them it waits in the engine's pool. One that is
//! given up while suspended is reset: its frames own nothing (see [`crate::lua`]), the Lua thread is left to the collector.

use crate::lua::{Debug, Lua};
use crate::run;
use crate::vm::Vm;
use corosensei::stack::{DefaultStack, Stack};
use corosensei::{Coroutine, Yielder};
use resp::{Reply, Span};
use std::cell::{Cell, UnsafeCell};
use std::ffi::{CStr, c_int};
use std::ptr;

/// Bytes of a stack. Lua allows 200 nested C calls, patterns 1,000 levels; `docs/decisions/lua.md` has the measurement. Only
/// what has been touched takes memory.
pub const STACK_BYTES: usize = 1 << 20;

/// The page below the stack that nobody may touch.
const GUARD_BYTES: usize = 4096;

/// A place whose content is used by one function at a time: by who runs the fiber, or by the host while it is suspended.
#[derive(Default)]
pub struct Slot<T>(UnsafeCell<T>);

impl<T> Slot<T> {
    /// The content. Nobody keeps the reference beyond a look or a change, and never over a call of Lua that comes back here.
    #[allow(clippy::mut_from_ref, reason = "see above")]
    pub fn get(&self) -> &mut T {
        // SAFETY: see above; a fiber is on one thread at a time.
        unsafe { &mut *self.0.get() }
    }
}

/// What a fiber is to do.
#[derive(Clone, Copy, Default)]
pub enum Job {
    #[default]
    Nothing,
    /// A script: a function in the registry, KEYS and ARGV as globals.
    Script(c_int),
    /// A library's function: gets keys and arguments.
    Function(c_int),
    /// The code of a library, which registers functions.
    Library(*const [u8]),
}

/// Why a fiber is suspended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    Ready,
    Call {
        is_pcall: bool,
    },
    AclCheck,
    Log {
        level: u8,
    },
    Clock,
    Tick,
    Done {
        raised: bool,
        is_counted: bool,
    },
    /// Done, but the frames are still there.
    Killed,
}

/// What the host says when it lets a fiber go on.
#[derive(Clone, Copy)]
pub enum Answer {
    Go,
    Reply(*const Reply),
    Allowed(Option<bool>),
    Clock(f64),
    Kill(*const str),
}

/// A function that a library has registered.
pub struct Registered {
    pub name: Vec<u8>,
    pub description: Option<Vec<u8>>,
    pub flags: u64,
    pub reference: c_int,
}

pub struct Fiber {
    coroutine: Slot<Option<Coroutine<(), (), ()>>>,
    yielder: Cell<*const Yielder<(), ()>>,
    thread: Cell<Lua>,
    /// Holds the thread in the registry.
    reference: Cell<c_int>,
    /// Where its globals stand while another fiber runs.
    pub place: c_int,
    pub signal: Cell<Signal>,
    pub answer: Cell<Answer>,
    pub job: Cell<Job>,
    pub keys: Cell<*const [&'static [u8]]>,
    pub arguments: Cell<*const [&'static [u8]]>,
    /// Where the reply goes.
    pub out: Cell<*mut Reply>,
    /// SHA1 or function's name, for messages.
    pub name: Slot<Vec<u8>>,
    /// Arguments of the command that is called, and where each stands.
    pub words: Slot<Vec<u8>>,
    pub spans: Slot<Vec<Span>>,
    /// A text in the making.
    pub text: Slot<Vec<u8>>,
    /// Where the reader and the writer of nested values stand.
    pub levels: Slot<Vec<crate::reply_out::Level>>,
    /// Where the library cjson stands.
    pub nesting: Slot<Vec<crate::cjson::Nesting>>,
    /// Where the library cmsgpack stands.
    pub unpacking: Slot<Vec<crate::cmsgpack::Level>>,
    pub registered: Slot<Vec<Registered>>,
    /// The script's replies are RESP3 (redis.setresp).
    pub is_resp3: Cell<bool>,
    /// The lowest and the highest address of the stack.
    stack: Cell<(usize, usize)>,
    /// What redis.set_repl asked for.
    pub replication: Cell<u8>,
    pub log_level_min: Cell<u8>,
}

impl Fiber {
    /// `None` if there is no memory for a stack.
    pub fn new(vm: &Vm, place: c_int) -> Option<Box<Self>> {
        let stack = DefaultStack::new(STACK_BYTES).ok()?;
        let lua = vm.main();
        let empty: *const [&'static [u8]] = &[];
        let fiber = Box::new(Self {
            coroutine: Slot::default(),
            yielder: Cell::new(ptr::null()),
            thread: Cell::new(lua),
            reference: Cell::new(0),
            place,
            signal: Cell::new(Signal::Ready),
            answer: Cell::new(Answer::Go),
            job: Cell::default(),
            keys: Cell::new(empty),
            arguments: Cell::new(empty),
            out: Cell::new(ptr::null_mut()),
            name: Slot::default(),
            words: Slot::default(),
            spans: Slot::default(),
            text: Slot::default(),
            levels: Slot::default(),
            nesting: Slot::default(),
            unpacking: Slot::default(),
            registered: Slot::default(),
            stack: Cell::default(),
            is_resp3: Cell::new(false),
            replication: Cell::new(0),
            log_level_min: Cell::new(0),
        });
        fiber.set_up(lua, stack);
        Some(fiber)
    }

    /// A new thread and a coroutine at its beginning.
    fn set_up(&self, lua: Lua, stack: DefaultStack) {
        self.stack.set((stack.limit().get(), stack.base().get()));
        let thread = lua.new_thread();
        self.thread.set(thread);
        self.reference.set(lua.reference());
        thread.hook_every(run::tick, run::TICK_JUMPS);
        thread.push_function(crate::lua::entry!(run::run_job), 0);
        thread.push_function(crate::lua::entry!(run::describe_error), 0);
        let this = Address(self);
        *self.coroutine.get() = Some(Coroutine::with_stack(stack, move |yielder, ()| {
            let this = this;
            // SAFETY: the fiber is boxed and outlives its coroutine.
            let fiber = unsafe { &*this.0 };
            fiber.yielder.set(yielder);
            loop {
                run::run(fiber, fiber.thread.get());
                fiber.yield_to_host();
            }
        }));
    }

    /// Gives up a script that is suspended; the fiber is as new afterwards. The engine calls this, nobody else.
    pub fn reset(&self, lua: Lua) {
        let mut coroutine = self.coroutine.get().take().expect("a fiber has a coroutine");
        // SAFETY: the frames on the stack own nothing; nothing on it is used any more.
        unsafe { coroutine.force_reset() };
        lua.unreference(self.reference.get());
        self.registered.get().drain(..).for_each(|function| lua.unreference(function.reference));
        self.job.set(Job::Nothing);
        self.set_up(lua, coroutine.into_stack());
    }

    /// The host's side: runs until the fiber suspends itself.
    pub fn go_on(&self) {
        self.coroutine.get().as_mut().expect("a fiber has a coroutine").resume(());
    }

    fn yield_to_host(&self) {
        // SAFETY: set when the coroutine began, and part of its stack.
        unsafe { (*self.yielder.get()).suspend(()) }
    }

    /// Bytes of the stack that have ever been used.
    pub fn stack_bytes_used(&self) -> usize {
        let (limit, base) = self.stack.get();
        // SAFETY: the stack's memory, which is zero where nobody has written. (The first page is the guard.)
        let is_unused = |at: &usize| unsafe { *(*at as *const u64) == 0 };
        let first = limit + GUARD_BYTES;
        base - (first..base).step_by(8).find(|at| !is_unused(at)).unwrap_or(base)
    }

    /// The script's side: hands `signal` to the host and returns with its answer. If the host kills the script, this does
    /// not return.
    pub fn suspend(&self, lua: Lua, signal: Signal) -> Answer {
        self.signal.set(signal);
        self.yield_to_host();
        let answer = self.answer.get();
        if let Answer::Kill(message) = answer {
            // SAFETY: the host's text lives until it gets control back.
            self.die(lua, unsafe { &*message });
        }
        answer
    }

    /// Waits for the host to say where the reply goes, if it has not yet.
    pub fn await_reply(&self) {
        if self.out.get().is_null() {
            self.signal.set(Signal::Ready);
            self.yield_to_host();
        }
    }

    /// Writes the reply of a killed script. The frames stay as they are, to be given up.
    #[cold]
    fn die(&self, lua: Lua, message: &str) -> ! {
        // SAFETY: plain data.
        let mut debug: Debug = unsafe { std::mem::zeroed() };
        let mut level = 0;
        while lua.running(level, &mut debug) && debug.currentline < 0 {
            level += 1;
        }
        run::write_killed(self, message, &debug);
        self.signal.set(Signal::Killed);
        self.yield_to_host();
        unreachable!("a killed script does not go on")
    }

    /// Raises the error of no memory if `text` is about to grow beyond what the interpreter may use: what a script has
    /// written down from a small table with many references can be very large.
    pub fn check_room(&self, lua: Lua, bytes: usize) {
        if self.text.get().len().saturating_add(bytes) > lua.vm().limit_bytes() {
            lua.push_text(b"not enough memory");
            lua.error();
        }
    }

    /// Gives memory back that an unusual script has taken.
    pub fn shrink(&self) {
        const KEPT_BYTES: usize = 64 << 10;
        self.text.get().clear();
        self.text.get().shrink_to(KEPT_BYTES);
        self.words.get().clear();
        self.words.get().shrink_to(KEPT_BYTES);
        self.spans.get().clear();
        self.spans.get().shrink_to(KEPT_BYTES / size_of::<Span>());
    }

    /// The reply under construction.
    #[allow(clippy::mut_from_ref, reason = "as `Slot::get`")]
    pub fn out(&self) -> &mut Reply {
        // SAFETY: the host's reply is there while the fiber runs.
        unsafe { &mut *self.out.get() }
    }
}

impl Drop for Fiber {
    fn drop(&mut self) {
        if let Some(mut coroutine) = self.coroutine.get().take() {
            // SAFETY: the frames own nothing.
            unsafe { coroutine.force_reset() };
        }
    }
}

/// The fiber's address, for its coroutine.
struct Address(*const Fiber);

/// The text of a C string that Lua keeps (the name of a chunk).
pub fn c_text<'a>(text: *const std::ffi::c_char) -> &'a [u8] {
    if text.is_null() {
        return b"";
    }
    // SAFETY: Lua's own strings end with a zero byte; they belong to functions that are on the stack.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}
