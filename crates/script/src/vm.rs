//! One interpreter: its state, its memory and what its functions find through it.
//!
//! A [`Vm`] lives until the last [`Engine`](crate::Engine), [`Run`](crate::Run), [`Script`](crate::Script) or
//! [`Function`](crate::Function) of it is gone. Only who holds the engine touches the interpreter; whoever drops one of the
//! others leaves what is to be freed in `graves`, for the engine to fetch.

use crate::fiber::Fiber;
use crate::lua::Lua;
use crate::random::Random48;
use crate::sandbox;
use std::alloc::Layout;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What Lua aligns its blocks to.
const ALIGNMENT: usize = 8;

/// Something the interpreter no longer needs.
pub enum Grave {
    /// A value in the registry.
    Reference(c_int),
    /// A run that was given up while it was suspended.
    Fiber(Box<Fiber>),
}

pub struct Vm {
    main: Cell<Option<Lua>>,
    used_bytes: Cell<usize>,
    limit_bytes: usize,
    /// The limit holds for scripts only: what the engine itself allocates (outside protected calls) never fails.
    is_limited: Cell<bool>,
    current: Cell<*const Fiber>,
    /// The fiber whose KEYS and ARGV are the globals, or which loads a library.
    globals_of: Cell<*const Fiber>,
    /// The fiber whose run is the only one since it began: what it makes is freed when it ends, without a look at the rest.
    alone: Cell<*const Fiber>,
    pub random: Cell<Random48>,
    pub globals: Cell<sandbox::Globals>,
    /// Runs library functions, not scripts.
    pub is_for_functions: bool,
    graves: Mutex<Vec<Grave>>,
    has_graves: AtomicBool,
}

// SAFETY: the interpreter and the cells are used only by who holds the engine by `&mut` (and the fibers that it runs, on its
// thread); others use `graves` and `has_graves` alone, and may drop the last reference, when nobody else is left. Neither Lua
// nor this crate keeps anything in thread-local storage.
unsafe impl Send for Vm {}
// SAFETY: as above.
unsafe impl Sync for Vm {}

impl Vm {
    pub fn new(limit_bytes: usize, is_for_functions: bool) -> Arc<Self> {
        let vm = Arc::new(Self {
            main: Cell::new(None),
            used_bytes: Cell::new(0),
            limit_bytes,
            is_limited: Cell::new(false),
            current: Cell::new(ptr::null()),
            globals_of: Cell::new(ptr::null()),
            alone: Cell::new(ptr::null()),
            random: Cell::default(),
            globals: Cell::default(),
            is_for_functions,
            graves: Mutex::default(),
            has_graves: AtomicBool::new(false),
        });
        // SAFETY: `vm` closes the state before it goes, and its address is the Arc's.
        let lua = unsafe { Lua::open(allocate, Arc::as_ptr(&vm)) }.expect("memory for an interpreter");
        vm.main.set(Some(lua));
        lua.at_panic(crate::lua::entry!(panicked));
        sandbox::install(lua);
        // What a run makes can be told from the rest while the collector rests.
        lua.gc(crate::lua::GC_COLLECT, 0);
        vm
    }

    /// The interpreter's first thread, on which the engine itself works.
    pub fn main(&self) -> Lua {
        self.main.get().expect("an interpreter is open while it has users")
    }

    pub fn used_bytes(&self) -> usize {
        self.used_bytes.get()
    }

    pub fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    /// The fiber that runs now. Functions that scripts call have one.
    pub fn fiber(&self) -> &Fiber {
        let fiber = self.current.get();
        assert!(!fiber.is_null(), "scripts run on fibers");
        // SAFETY: it is set while the fiber runs, and cleared before the engine gives it away.
        unsafe { &*fiber }
    }

    /// A script begins on `fiber`. Nothing that is older can come to refer to what it makes: scripts cannot write what they find
    /// (`sandbox`), and their functions have no upvalues.
    pub fn begin_run(&self, fiber: &Fiber) {
        self.alone.set(fiber);
        self.main().begin_run();
    }

    /// Somebody else uses the interpreter: what the run under way makes, if there is one, is left to the collector.
    pub fn keep(&self) {
        if !self.alone.replace(ptr::null()).is_null() {
            self.main().keep();
        }
    }

    /// The script on `fiber` has ended, and left nothing on its stack.
    pub fn end_run(&self, fiber: &Fiber) {
        if self.globals_of.get() == ptr::from_ref(fiber) {
            sandbox::clear_globals(self.main(), self.globals.get(), fiber);
        }
        if self.alone.replace(ptr::null()) == ptr::from_ref(fiber) {
            self.main().end_run();
        }
    }

    /// Runs `fiber` until it suspends itself.
    pub fn switch_to(&self, fiber: &Fiber) {
        if self.alone.get() != ptr::from_ref(fiber) {
            self.keep();
        }
        if self.globals_of.get() != ptr::from_ref(fiber) {
            self.take_globals(fiber);
        }
        self.current.set(fiber);
        self.is_limited.set(true);
        fiber.go_on();
        self.is_limited.set(false);
        self.current.set(ptr::null());
    }

    /// Puts the globals of the fiber that ran last aside, and this one's in their place.
    #[cold]
    fn take_globals(&self, fiber: &Fiber) {
        let before = self.globals_of.replace(fiber);
        // SAFETY: a fiber that goes is taken out of `globals_of` first (`forget`).
        if let Some(before) = unsafe { before.as_ref() } {
            sandbox::put_globals_aside(self.main(), self.globals.get(), before);
        }
        sandbox::restore_globals(self.main(), self.globals.get(), fiber);
    }

    /// `fiber` has ended: what it left in the globals is nobody's.
    pub fn forget(&self, fiber: &Fiber) {
        if self.globals_of.get() == ptr::from_ref(fiber) {
            self.globals_of.set(ptr::null());
            sandbox::clear_globals(self.main(), self.globals.get(), fiber);
        }
    }

    /// `fiber` has another job now: what stands in the globals is not its own.
    pub fn disown(&self, fiber: &Fiber) {
        if self.globals_of.get() == ptr::from_ref(fiber) {
            self.globals_of.set(ptr::null());
        }
    }

    /// Runs `work` with the limit on memory in force; for protected calls of the engine.
    pub fn limited<R>(&self, work: impl FnOnce() -> R) -> R {
        self.is_limited.set(true);
        let result = work();
        self.is_limited.set(false);
        result
    }

    /// Leaves something for the engine to free. Anybody may.
    pub fn bury(&self, grave: Grave) {
        self.graves.lock().unwrap_or_else(PoisonError::into_inner).push(grave);
        self.has_graves.store(true, Ordering::Release);
    }

    /// What was left to be freed.
    pub fn exhume(&self) -> Vec<Grave> {
        if !self.has_graves.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut graves = self.graves.lock().unwrap_or_else(PoisonError::into_inner);
        self.has_graves.store(false, Ordering::Release);
        std::mem::take(&mut graves)
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        self.exhume();
        if let Some(lua) = self.main.take() {
            // SAFETY: nobody has a reference any more. No finalizer of ours runs: there are no userdata with one.
            unsafe { lua.close() }
        }
    }
}

/// An error outside all protected calls, which only this crate can make.
fn panicked(lua: Lua) -> c_int {
    let text = lua.text(-1).map_or_else(String::new, |text| String::from_utf8_lossy(&text).into_owned());
    eprintln!("error outside a protected call of Lua: {text}");
    std::process::abort();
}

/// Lua's allocator: the program's, counted and limited.
unsafe extern "C" fn allocate(
    vm: *mut c_void,
    block: *mut c_void,
    old_bytes: usize,
    new_bytes: usize,
) -> *mut c_void {
    // SAFETY: the state was opened with its Vm.
    let vm = unsafe { &*(vm as *const Vm) };
    let old_bytes = if block.is_null() { 0 } else { old_bytes };
    let used = vm.used_bytes.get() - old_bytes + new_bytes;
    if new_bytes > old_bytes && used > vm.limit_bytes && vm.is_limited.get() {
        return ptr::null_mut();
    }
    let layout =
        |bytes| Layout::from_size_align(bytes, ALIGNMENT).expect("Lua's blocks are smaller than memory");
    // SAFETY: blocks come from here, with the size that Lua remembers; sizes are not zero where they must not be.
    let result = unsafe {
        match (old_bytes, new_bytes) {
            (0, 0) => ptr::null_mut(),
            (0, _) => std::alloc::alloc(layout(new_bytes)),
            (_, 0) => {
                std::alloc::dealloc(block.cast(), layout(old_bytes));
                ptr::null_mut()
            }
            _ => std::alloc::realloc(block.cast(), layout(old_bytes), new_bytes),
        }
    };
    if new_bytes == 0 || !result.is_null() {
        vm.used_bytes.set(used);
    }
    result.cast()
}
