//! Libraries of functions: what `FUNCTION LOAD` compiles and runs, and what that registers.

use crate::api::raise;
use crate::fiber::{Fiber, Job, Registered, Signal};
use crate::lua::{self, Lua, Text};
use crate::run::{append_field, write_error_line};
use crate::sandbox::until_zero;
use crate::shebang::flag_named;
use std::ffi::c_int;

/// What a library's and a function's name may be.
pub const NAME_RULE: &str = "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

pub fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Compiles and runs a library. The reply is `+OK`, or the error that FUNCTION LOAD answers.
pub fn load(lua: Lua, fiber: &Fiber, code: *const [u8]) -> c_int {
    // SAFETY: the host's slice lives until the fiber is suspended, `Ready`.
    let is_compiled = lua.load(unsafe { &*code }, c"@user_function") == 0;
    fiber.suspend(lua, Signal::Ready);
    if !is_compiled {
        let text = fiber.text.get();
        text.clear();
        text.extend_from_slice(b"ERR Error compiling function: ");
        if let Some(message) = lua.text(-1) {
            text.extend_from_slice(until_zero(&message));
        }
        return fail(fiber);
    }
    if lua.protected_call(0, 0, 0) == 0 {
        fiber.out().ok();
        fiber.signal.set(Signal::Done { raised: false, is_counted: false });
        return 0;
    }
    let text = fiber.text.get();
    text.clear();
    text.extend_from_slice(b"ERR Error registering functions: ");
    match lua.text(-1) {
        Some(message) => {
            text.extend_from_slice(b"ERR ");
            text.extend_from_slice(until_zero(&message));
        }
        None if lua.is_table(-1) => {
            append_field(lua, c"err", text, b"ERR unknown error");
        }
        None => text.extend_from_slice(b"ERR unknown error"),
    }
    fail(fiber)
}

/// Ends the loading with the error in `text`.
fn fail(fiber: &Fiber) -> c_int {
    write_error_line(fiber, fiber.text.get());
    fiber.signal.set(Signal::Done { raised: true, is_counted: true });
    0
}

/// What a call of `redis.register_function` says, still on the stack.
struct Registration {
    name: Text,
    description: Option<Text>,
    flags: u64,
    /// Where the function stands.
    callback: c_int,
}

/// redis.register_function(name, function) or redis.register_function{function_name=…, callback=…, …}
pub fn register_function(lua: Lua) -> c_int {
    let fiber = lua.vm().fiber();
    if !matches!(fiber.job.get(), Job::Library(_)) {
        raise(lua, b"redis.register_function can only be called on FUNCTION LOAD command");
    }
    let registration = match lua.top() {
        1 => named(lua),
        2 => positional(lua),
        _ => raise(lua, b"wrong number of arguments to redis.register_function"),
    };
    let Registration { name, description, flags, callback } = registration;
    if !is_name(&name) {
        raise(lua, NAME_RULE.as_bytes());
    }
    if fiber.registered.get().iter().any(|function| *function.name == *name) {
        raise(lua, b"Function already exists in the library");
    }
    lua.push_value(callback);
    let reference = lua.reference();
    // From here on Lua is not asked for anything, so nothing is lost by an error.
    let description = description.map(|text| text.to_vec());
    fiber.registered.get().push(Registered { name: name.to_vec(), description, flags, reference });
    0
}

fn positional(lua: Lua) -> Registration {
    let Some(name) = lua.text(1) else {
        raise(lua, b"first argument to redis.register_function must be a string");
    };
    if lua.kind(2) != lua::FUNCTION {
        raise(lua, b"second argument to redis.register_function must be a function");
    }
    Registration { name, description: None, flags: 0, callback: 2 }
}

/// Slots of what [`named`] finds, below the pair it looks at.
const NAME: c_int = 2;
const DESCRIPTION: c_int = 3;
const CALLBACK: c_int = 4;

fn named(lua: Lua) -> Registration {
    if !lua.is_table(1) {
        raise(
            lua,
            b"calling redis.register_function with a single argument is only applicable to Lua table (representing named \
              arguments).",
        );
    }
    lua.set_top(CALLBACK);
    let mut flags = 0;
    lua.push_nil();
    while lua.next(1) {
        if !lua.is_string(-2) {
            raise(lua, b"named argument key given to redis.register_function is not a string");
        }
        // A number among the keys is an unknown argument; its text must not be made in place.
        let key = if lua.kind(-2) == lua::STRING { lua.text(-2) } else { None };
        let is = |name: &[u8]| key.is_some_and(|key| key.eq_ignore_ascii_case(name));
        if is(b"function_name") {
            keep_text(lua, NAME, b"function_name argument given to redis.register_function must be a string");
        } else if is(b"description") {
            keep_text(
                lua,
                DESCRIPTION,
                b"description argument given to redis.register_function must be a string",
            );
        } else if is(b"callback") {
            if lua.kind(-1) != lua::FUNCTION {
                raise(lua, b"callback argument given to redis.register_function must be a function");
            }
            lua.push_value(-1);
            lua.replace(CALLBACK);
        } else if is(b"flags") {
            flags = read_flags(lua);
        } else {
            raise(lua, b"unknown argument given to redis.register_function");
        }
        lua.pop(1);
    }
    let Some(name) = lua.text(NAME) else {
        raise(lua, b"redis.register_function must get a function name argument");
    };
    if lua.kind(CALLBACK) != lua::FUNCTION {
        raise(lua, b"redis.register_function must get a callback argument");
    }
    Registration { name, description: lua.text(DESCRIPTION), flags, callback: CALLBACK }
}

/// Keeps the string on top of the stack.
fn keep_text(lua: Lua, slot: c_int, otherwise: &[u8]) {
    if !lua.is_string(-1) {
        raise(lua, otherwise);
    }
    lua.push_value(-1);
    lua.replace(slot);
}

/// Reads the flags in the table on top of the stack.
fn read_flags(lua: Lua) -> u64 {
    if !lua.is_table(-1) {
        raise(lua, b"flags argument to redis.register_function must be a table representing function flags");
    }
    let mut flags = 0;
    for index in 1.. {
        lua.push_number(f64::from(index));
        lua.get_table(-2);
        if lua.kind(-1) == lua::NIL {
            lua.pop(1);
            break;
        }
        let flag = lua.text(-1).and_then(|name| flag_named(&name.to_ascii_lowercase_short()));
        let Some(flag) = flag else { raise(lua, b"unknown flag given") };
        flags |= flag;
        lua.pop(1);
    }
    flags
}

/// A flag's name in lower case, without the heap.
struct Short([u8; 32], usize);

impl std::ops::Deref for Short {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0[..self.1]
    }
}

impl Text {
    /// In lower case; a text longer than any flag is cut.
    fn to_ascii_lowercase_short(self) -> Short {
        let mut short = Short([0; 32], self.len().min(32));
        short.0[..short.1].copy_from_slice(&self[..short.1]);
        short.0.make_ascii_lowercase();
        short
    }
}
