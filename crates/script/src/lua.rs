//! Lua's C interface, as far as this crate uses it, and [`Lua`], a thin handle on it.
//!
//! Lua reports errors by `longjmp`. So the rule of this crate: **no function that Lua may jump out of owns anything that must
//! be dropped**; buffers belong to the [`Fiber`](crate::fiber::Fiber) or to the [`Vm`], and are reached through them. Whatever
//! may raise an error runs below a protected call.
//!
//! The methods of [`Lua`] are safe to call by the crate's own code under the rules of Lua's manual: indices name slots that
//! exist, values of the right type are where a function wants them (the debug build of Lua checks both), and a [`Text`] is
//! not used after its value has left the stack.

use crate::vm::Vm;
use std::ffi::{c_char, c_int, c_long, c_void};
use std::fmt::Write;
use std::mem::MaybeUninit;
use std::ops::Deref;

/// An opaque `lua_State`.
#[repr(C)]
pub struct State {
    _private: [u8; 0],
}

pub type Function = unsafe extern "C" fn(*mut State) -> c_int;
pub type Allocator = unsafe extern "C" fn(*mut c_void, *mut c_void, usize, usize) -> *mut c_void;
pub type Hook = unsafe extern "C" fn(*mut State, *mut Debug);
pub type Writer = unsafe extern "C" fn(*mut State, *const c_void, usize, *mut c_void) -> c_int;

pub const REGISTRY: c_int = -10000;
pub const GLOBALS: c_int = -10002;
pub const MULTIPLE: c_int = -1;

pub const NONE: c_int = -1;
pub const NIL: c_int = 0;
pub const BOOLEAN: c_int = 1;
pub const LIGHT_USERDATA: c_int = 2;
pub const NUMBER: c_int = 3;
pub const STRING: c_int = 4;
pub const TABLE: c_int = 5;
pub const FUNCTION: c_int = 6;

pub const GC_STOP: c_int = 0;
pub const GC_RESTART: c_int = 1;
pub const GC_COLLECT: c_int = 2;
pub const GC_COUNT: c_int = 3;
pub const GC_COUNT_BYTES: c_int = 4;
pub const GC_STEP: c_int = 5;
pub const GC_SET_PAUSE: c_int = 6;
pub const GC_SET_STEP_MULTIPLIER: c_int = 7;

const MASK_COUNT: c_int = 1 << 3;

/// The index of an upvalue of the running C function, from 1.
pub const fn upvalue(index: c_int) -> c_int {
    GLOBALS - index
}

/// `lua_Debug`.
#[repr(C)]
pub struct Debug {
    pub event: c_int,
    pub name: *const c_char,
    pub namewhat: *const c_char,
    pub what: *const c_char,
    pub source: *const c_char,
    pub currentline: c_int,
    pub nups: c_int,
    pub linedefined: c_int,
    pub lastlinedefined: c_int,
    pub short_src: [c_char; 60],
    pub i_ci: c_int,
}

unsafe extern "C" {
    fn lua_newstate(allocator: Allocator, data: *mut c_void) -> *mut State;
    fn lua_close(l: *mut State);
    fn lua_atpanic(l: *mut State, function: Function) -> Option<Function>;
    fn lua_newthread(l: *mut State) -> *mut State;
    fn lua_getallocf(l: *mut State, data: *mut *mut c_void) -> Allocator;
    fn lua_gettop(l: *mut State) -> c_int;
    fn lua_settop(l: *mut State, index: c_int);
    fn lua_pushvalue(l: *mut State, index: c_int);
    fn lua_remove(l: *mut State, index: c_int);
    fn lua_insert(l: *mut State, index: c_int);
    fn lua_replace(l: *mut State, index: c_int);
    fn lua_checkstack(l: *mut State, slots: c_int) -> c_int;
    fn lua_type(l: *mut State, index: c_int) -> c_int;
    fn lua_isnumber(l: *mut State, index: c_int) -> c_int;
    fn lua_isstring(l: *mut State, index: c_int) -> c_int;
    fn lua_tonumber(l: *mut State, index: c_int) -> f64;
    fn lua_toboolean(l: *mut State, index: c_int) -> c_int;
    fn lua_tolstring(l: *mut State, index: c_int, len: *mut usize) -> *const c_char;
    fn lua_touserdata(l: *mut State, index: c_int) -> *mut c_void;
    fn lua_topointer(l: *mut State, index: c_int) -> *const c_void;
    fn lua_pushnil(l: *mut State);
    fn lua_pushnumber(l: *mut State, n: f64);
    fn lua_pushlstring(l: *mut State, s: *const c_char, len: usize);
    fn lua_pushcclosure(l: *mut State, function: Function, upvalues: c_int);
    fn lua_pushboolean(l: *mut State, b: c_int);
    fn lua_pushlightuserdata(l: *mut State, p: *mut c_void);
    fn lua_gettable(l: *mut State, index: c_int);
    fn lua_getfield(l: *mut State, index: c_int, name: *const c_char);
    fn lua_rawget(l: *mut State, index: c_int);
    fn lua_rawgeti(l: *mut State, index: c_int, n: c_int);
    fn lua_createtable(l: *mut State, array: c_int, records: c_int);
    fn lua_newuserdata(l: *mut State, size: usize) -> *mut c_void;
    fn lua_getmetatable(l: *mut State, index: c_int) -> c_int;
    fn lua_setfield(l: *mut State, index: c_int, name: *const c_char);
    fn lua_rawset(l: *mut State, index: c_int);
    fn lua_rawseti(l: *mut State, index: c_int, n: c_int);
    fn lua_setmetatable(l: *mut State, index: c_int) -> c_int;
    fn lua_call(l: *mut State, args: c_int, results: c_int);
    fn lua_pcall(l: *mut State, args: c_int, results: c_int, handler: c_int) -> c_int;
    fn lua_cpcall(l: *mut State, function: Function, data: *mut c_void) -> c_int;
    fn lua_dump(l: *mut State, writer: Writer, data: *mut c_void) -> c_int;
    fn lua_gc(l: *mut State, what: c_int, data: c_int) -> c_int;
    fn lua_error(l: *mut State) -> c_int;
    fn lua_next(l: *mut State, index: c_int) -> c_int;
    fn lua_concat(l: *mut State, n: c_int);
    fn lua_sethook(l: *mut State, hook: Option<Hook>, mask: c_int, count: c_int) -> c_int;
    fn lua_getstack(l: *mut State, level: c_int, debug: *mut Debug) -> c_int;
    fn lua_getinfo(l: *mut State, what: *const c_char, debug: *mut Debug) -> c_int;
    fn luaL_ref(l: *mut State, table: c_int) -> c_int;
    fn luaL_unref(l: *mut State, table: c_int, reference: c_int);
    fn luaL_loadbuffer(l: *mut State, code: *const c_char, len: usize, name: *const c_char) -> c_int;
    fn luaL_where(l: *mut State, level: c_int);
    fn luaL_argerror(l: *mut State, arg: c_int, message: *const c_char) -> c_int;
    fn luaL_checklstring(l: *mut State, arg: c_int, len: *mut usize) -> *const c_char;
    fn luaL_checknumber(l: *mut State, arg: c_int) -> f64;
    fn luaL_checkinteger(l: *mut State, arg: c_int) -> isize;
    fn luaL_checktype(l: *mut State, arg: c_int, kind: c_int);
    pub fn luaopen_base(l: *mut State) -> c_int;
    pub fn luaopen_table(l: *mut State) -> c_int;
    pub fn luaopen_string(l: *mut State) -> c_int;
    pub fn luaopen_math(l: *mut State) -> c_int;
    fn weft_arguments(l: *mut State, out: *mut u8, room: usize, ends: *mut u32) -> c_long;
    fn weft_argument(
        l: *mut State,
        index: c_int,
        text: *mut *const c_char,
        len: *mut usize,
        number: *mut f64,
    ) -> c_int;
    fn weft_namekeys(l: *mut State);
    fn weft_setkeys(l: *mut State);
    fn weft_settext(l: *mut State, n: c_int, text: *const c_char, len: usize);
    fn weft_beginrun(l: *mut State);
    fn weft_keep(l: *mut State);
    fn weft_endrun(l: *mut State);
    fn weft_setreadonly(l: *mut State, index: c_int, readonly: c_int);
    fn weft_isreadonly(l: *mut State, index: c_int) -> c_int;
}

/// Makes a function of this crate, `fn(Lua) -> c_int`, one that Lua can call.
macro_rules! entry {
    ($function:path) => {{
        unsafe extern "C" fn entry(l: *mut $crate::lua::State) -> std::ffi::c_int {
            // SAFETY: Lua calls with the state that runs.
            $function(unsafe { $crate::lua::Lua::new(l) })
        }
        entry as $crate::lua::Function
    }};
}
pub(crate) use entry;

/// The bytes of a string on the stack.
#[derive(Clone, Copy)]
pub struct Text {
    data: *const u8,
    len: usize,
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: strings neither move nor change; by this module's rule the value still stands on the stack.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }
}

/// An argument of a function.
pub enum Argument {
    Text(Text),
    Number(f64),
    Other,
}

/// A message of bounded length, made without the heap.
pub struct Message {
    bytes: [u8; 256],
    len: usize,
}

impl Message {
    pub fn new(text: std::fmt::Arguments<'_>) -> Self {
        let mut message = Self { bytes: [0; 256], len: 0 };
        // What does not fit is cut off.
        let _ = message.write_fmt(text);
        message
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let len = text.len().min(self.bytes.len() - self.len);
        self.bytes[self.len..self.len + len].copy_from_slice(&text.as_bytes()[..len]);
        self.len += len;
        Ok(())
    }
}

/// A Lua thread, and what can be done with its stack.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Lua(*mut State);

// The calls below rest on the rules at the top of this module.
#[allow(
    clippy::undocumented_unsafe_blocks,
    reason = "one reason for all: the rules at the top of this module"
)]
impl Lua {
    /// # Safety
    /// `l` is an open state, used by nobody else while the handle is.
    pub unsafe fn new(l: *mut State) -> Self {
        Self(l)
    }

    /// A new state whose memory comes from `allocator`, called with `vm`; `None` if there is no memory.
    ///
    /// # Safety
    /// `vm` outlives the state.
    pub unsafe fn open(allocator: Allocator, vm: *const Vm) -> Option<Self> {
        let l = unsafe { lua_newstate(allocator, vm as *mut c_void) };
        (!l.is_null()).then_some(Self(l))
    }

    /// # Safety
    /// Nothing of the state is used afterwards.
    pub unsafe fn close(self) {
        unsafe { lua_close(self.0) }
    }

    /// What belongs to this interpreter.
    pub fn vm<'a>(self) -> &'a Vm {
        let mut data = std::ptr::null_mut();
        unsafe { lua_getallocf(self.0, &mut data) };
        unsafe { &*(data as *const Vm) }
    }

    pub fn at_panic(self, function: Function) {
        unsafe { lua_atpanic(self.0, function) };
    }

    /// Pushes a new thread.
    pub fn new_thread(self) -> Lua {
        Lua(unsafe { lua_newthread(self.0) })
    }

    pub fn top(self) -> c_int {
        unsafe { lua_gettop(self.0) }
    }

    pub fn set_top(self, index: c_int) {
        unsafe { lua_settop(self.0, index) }
    }

    pub fn pop(self, count: c_int) {
        unsafe { lua_settop(self.0, -count - 1) }
    }

    pub fn push_value(self, index: c_int) {
        unsafe { lua_pushvalue(self.0, index) }
    }

    pub fn remove(self, index: c_int) {
        unsafe { lua_remove(self.0, index) }
    }

    pub fn insert(self, index: c_int) {
        unsafe { lua_insert(self.0, index) }
    }

    pub fn replace(self, index: c_int) {
        unsafe { lua_replace(self.0, index) }
    }

    /// Makes room for `slots` more values; whether there is.
    #[must_use]
    pub fn check_stack(self, slots: c_int) -> bool {
        unsafe { lua_checkstack(self.0, slots) != 0 }
    }

    pub fn kind(self, index: c_int) -> c_int {
        unsafe { lua_type(self.0, index) }
    }

    /// A number, or a string that is one.
    pub fn is_number(self, index: c_int) -> bool {
        unsafe { lua_isnumber(self.0, index) != 0 }
    }

    /// A string or a number.
    pub fn is_string(self, index: c_int) -> bool {
        unsafe { lua_isstring(self.0, index) != 0 }
    }

    /// The value as a number, 0 if it is none.
    pub fn number(self, index: c_int) -> f64 {
        unsafe { lua_tonumber(self.0, index) }
    }

    pub fn boolean(self, index: c_int) -> bool {
        unsafe { lua_toboolean(self.0, index) != 0 }
    }

    /// The bytes of a string; a number becomes a string where it stands.
    pub fn text(self, index: c_int) -> Option<Text> {
        let mut len = 0;
        let data = unsafe { lua_tolstring(self.0, index, &mut len) };
        (!data.is_null()).then_some(Text { data: data.cast(), len })
    }

    /// Writes the arguments of the running function one after the other to `out`, and where each ends to `ends`, which has room
    /// for so many. How many bytes they are; `None` if `out` is too small, or if one of them is no text and no short integer.
    #[inline]
    pub fn write_arguments(self, out: &mut [MaybeUninit<u8>], ends: &mut [u32]) -> Option<usize> {
        assert!(self.top() as usize <= ends.len(), "there is room for the place of each argument");
        let len = unsafe { weft_arguments(self.0, out.as_mut_ptr().cast(), out.len(), ends.as_mut_ptr()) };
        usize::try_from(len).ok()
    }

    /// What kind of value an argument of the running function is, which is there: a string, a number, or something else.
    #[inline]
    pub fn argument(self, index: c_int) -> Argument {
        let (mut text, mut len, mut number) = (std::ptr::null(), 0, 0.0);
        match unsafe { weft_argument(self.0, index, &mut text, &mut len, &mut number) } {
            STRING => Argument::Text(Text { data: text.cast(), len }),
            NUMBER => Argument::Number(number),
            _ => Argument::Other,
        }
    }

    pub fn userdata(self, index: c_int) -> *mut c_void {
        unsafe { lua_touserdata(self.0, index) }
    }

    pub fn pointer(self, index: c_int) -> *const c_void {
        unsafe { lua_topointer(self.0, index) }
    }

    pub fn push_nil(self) {
        unsafe { lua_pushnil(self.0) }
    }

    pub fn push_number(self, number: f64) {
        unsafe { lua_pushnumber(self.0, number) }
    }

    pub fn push_text(self, text: &[u8]) {
        unsafe { lua_pushlstring(self.0, text.as_ptr().cast(), text.len()) }
    }

    /// Pushes a function with as many upvalues as it takes from the stack.
    pub fn push_function(self, function: Function, upvalues: c_int) {
        unsafe { lua_pushcclosure(self.0, function, upvalues) }
    }

    pub fn push_boolean(self, value: bool) {
        unsafe { lua_pushboolean(self.0, c_int::from(value)) }
    }

    pub fn push_light(self, pointer: *mut c_void) {
        unsafe { lua_pushlightuserdata(self.0, pointer) }
    }

    pub fn get_table(self, index: c_int) {
        unsafe { lua_gettable(self.0, index) }
    }

    pub fn get_field(self, index: c_int, name: &std::ffi::CStr) {
        unsafe { lua_getfield(self.0, index, name.as_ptr()) }
    }

    pub fn raw_get(self, index: c_int) {
        unsafe { lua_rawget(self.0, index) }
    }

    pub fn raw_get_at(self, index: c_int, n: c_int) {
        unsafe { lua_rawgeti(self.0, index, n) }
    }

    pub fn new_table(self, array: usize, records: usize) {
        let clamp = |n: usize| c_int::try_from(n).unwrap_or(0);
        unsafe { lua_createtable(self.0, clamp(array), clamp(records)) }
    }

    /// Pushes a block of memory that Lua owns.
    pub fn new_userdata(self, size: usize) -> *mut c_void {
        unsafe { lua_newuserdata(self.0, size) }
    }

    /// Pushes the metatable, if there is one.
    pub fn get_metatable(self, index: c_int) -> bool {
        unsafe { lua_getmetatable(self.0, index) != 0 }
    }

    pub fn set_field(self, index: c_int, name: &std::ffi::CStr) {
        unsafe { lua_setfield(self.0, index, name.as_ptr()) }
    }

    pub fn raw_set(self, index: c_int) {
        unsafe { lua_rawset(self.0, index) }
    }

    pub fn raw_set_at(self, index: c_int, n: c_int) {
        unsafe { lua_rawseti(self.0, index, n) }
    }

    pub fn set_metatable(self, index: c_int) {
        unsafe { lua_setmetatable(self.0, index) };
    }

    /// Pops two strings: the names of the globals that [`Lua::set_keys`] sets, which are there.
    pub fn name_keys(self) {
        unsafe { weft_namekeys(self.0) }
    }

    /// Pops the values for KEYS and (on top) ARGV, neither of them nil.
    pub fn set_keys(self) {
        unsafe { weft_setkeys(self.0) }
    }

    /// Sets an element of the table on top of the stack, which was made with room for as many.
    pub fn set_text_at(self, n: c_int, text: &[u8]) {
        unsafe { weft_settext(self.0, n, text.as_ptr().cast(), text.len()) }
    }

    /// A run begins: what is made from now on is known.
    pub fn begin_run(self) {
        unsafe { weft_beginrun(self.0) }
    }

    /// What has been made since [`Lua::begin_run`] is left to the collector.
    pub fn keep(self) {
        unsafe { weft_keep(self.0) }
    }

    /// Frees what has been made since [`Lua::begin_run`], to which nothing refers any more.
    pub fn end_run(self) {
        unsafe { weft_endrun(self.0) }
    }

    pub fn set_read_only(self, index: c_int, read_only: bool) {
        unsafe { weft_setreadonly(self.0, index, c_int::from(read_only)) }
    }

    pub fn is_read_only(self, index: c_int) -> bool {
        unsafe { weft_isreadonly(self.0, index) != 0 }
    }

    pub fn call(self, args: c_int, results: c_int) {
        unsafe { lua_call(self.0, args, results) }
    }

    /// A protected call; 0 or Lua's error status.
    pub fn protected_call(self, args: c_int, results: c_int, handler: c_int) -> c_int {
        unsafe { lua_pcall(self.0, args, results, handler) }
    }

    /// A protected call of a function with `data` as its only argument.
    pub fn protect(self, function: Function, data: *mut c_void) -> c_int {
        unsafe { lua_cpcall(self.0, function, data) }
    }

    /// Compiles text; the function, or the message, is pushed. `name` ends with a zero byte.
    pub fn load(self, code: &[u8], name: &std::ffi::CStr) -> c_int {
        unsafe { luaL_loadbuffer(self.0, code.as_ptr().cast(), code.len(), name.as_ptr()) }
    }

    /// As [`Lua::load`], with a name that stands on the stack (Lua's strings end with a zero byte).
    pub fn load_named(self, code: &[u8], name: Text) -> c_int {
        unsafe { luaL_loadbuffer(self.0, code.as_ptr().cast(), code.len(), name.data.cast()) }
    }

    /// Writes the bytecode of the function on top of the stack.
    pub fn dump(self, writer: Writer, data: *mut c_void) -> c_int {
        unsafe { lua_dump(self.0, writer, data) }
    }

    pub fn gc(self, what: c_int, data: c_int) -> c_int {
        unsafe { lua_gc(self.0, what, data) }
    }

    /// Pops a key, pushes the next key and its value; `false` and nothing at the end.
    pub fn next(self, index: c_int) -> bool {
        unsafe { lua_next(self.0, index) != 0 }
    }

    pub fn concat(self, count: c_int) {
        unsafe { lua_concat(self.0, count) }
    }

    /// Has `hook` called after each `count` jumps back, and calls, of this thread and those it makes.
    pub fn hook_every(self, hook: Hook, count: c_int) {
        unsafe { lua_sethook(self.0, Some(hook), MASK_COUNT, count) };
    }

    /// What runs at `level` of the call stack: kind of function (`C`, `Lua`, `main`), source and line.
    pub fn running(self, level: c_int, debug: &mut Debug) -> bool {
        unsafe { lua_getstack(self.0, level, debug) != 0 && lua_getinfo(self.0, c"nSl".as_ptr(), debug) != 0 }
    }

    /// Takes the value on top of the stack into the registry.
    pub fn reference(self) -> c_int {
        unsafe { luaL_ref(self.0, REGISTRY) }
    }

    pub fn unreference(self, reference: c_int) {
        unsafe { luaL_unref(self.0, REGISTRY, reference) }
    }

    /// Raises what is on top of the stack.
    pub fn error(self) -> ! {
        unsafe { lua_error(self.0) };
        unreachable!("lua_error does not return")
    }

    /// Raises a message, with the position of the caller in front (as `luaL_error`).
    pub fn fail(self, message: &[u8]) -> ! {
        if !self.check_stack(3) {
            // What the function had there is lost anyway.
            self.pop(3);
        }
        unsafe { luaL_where(self.0, 1) };
        self.push_text(message);
        self.concat(2);
        self.error()
    }

    /// As [`Lua::fail`], for composed messages.
    pub fn fail_with(self, text: std::fmt::Arguments<'_>) -> ! {
        let message = Message::new(text);
        self.fail(message.as_bytes())
    }

    pub fn argument_error(self, arg: c_int, message: &std::ffi::CStr) -> ! {
        unsafe { luaL_argerror(self.0, arg, message.as_ptr()) };
        unreachable!("luaL_argerror does not return")
    }

    pub fn check_text(self, arg: c_int) -> Text {
        let mut len = 0;
        let data = unsafe { luaL_checklstring(self.0, arg, &mut len) };
        Text { data: data.cast(), len }
    }

    pub fn check_number(self, arg: c_int) -> f64 {
        unsafe { luaL_checknumber(self.0, arg) }
    }

    /// An integer, as C casts it from a double.
    pub fn check_integer(self, arg: c_int) -> i64 {
        unsafe { luaL_checkinteger(self.0, arg) as i64 }
    }

    /// An `int`: the low half of [`Lua::check_integer`].
    pub fn check_int(self, arg: c_int) -> i32 {
        self.check_integer(arg) as i32
    }

    pub fn check_kind(self, arg: c_int, kind: c_int) {
        unsafe { luaL_checktype(self.0, arg, kind) }
    }

    pub fn is_none_or_nil(self, arg: c_int) -> bool {
        self.kind(arg) <= NIL
    }

    pub fn is_table(self, index: c_int) -> bool {
        self.kind(index) == TABLE
    }

    /// Sets a function in the table on top of the stack.
    pub fn set_function(self, name: &std::ffi::CStr, function: Function) {
        self.push_function(function, 0);
        self.set_field(-2, name);
    }

    pub fn set_number(self, name: &std::ffi::CStr, number: f64) {
        self.push_number(number);
        self.set_field(-2, name);
    }

    pub fn set_text(self, name: &std::ffi::CStr, text: &[u8]) {
        self.push_text(text);
        self.set_field(-2, name);
    }
}
