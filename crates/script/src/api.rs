//! The table `redis` (and `server`, Valkey's name for it): what scripts ask of the server.

use crate::fiber::{Answer, Fiber, Signal};
use crate::lua::{self, Argument, Lua, entry};
use crate::number_text::append_argument;
use crate::{library, reply_in};
use base::sha1::sha1_hex;
use resp::Span;
use std::ffi::{CStr, c_int};

/// The version that scripts see.
const VERSION: &[u8] = b"7.4.0";
const VERSION_NUMBER: f64 = 0x0007_0400 as f64;

const LOG_LEVELS: [(&CStr, f64); 4] =
    [(c"LOG_DEBUG", 0.0), (c"LOG_VERBOSE", 1.0), (c"LOG_NOTICE", 2.0), (c"LOG_WARNING", 3.0)];
const REPLICATION: [(&CStr, f64); 5] = [
    (c"REPL_NONE", 0.0),
    (c"REPL_AOF", 1.0),
    (c"REPL_SLAVE", 2.0),
    (c"REPL_REPLICA", 2.0),
    (c"REPL_ALL", 3.0),
];

/// Propagation to the append-only file and to replicas (`REPL_ALL`).
pub const REPLICATION_ALL: u8 = 3;

/// Sets the globals `redis`, `server` and `__redis__err__handler`.
pub fn install(lua: Lua, is_for_scripts: bool) {
    lua.new_table(0, 32);
    let functions: [(&CStr, lua::Function); 8] = [
        (c"call", entry!(call)),
        (c"pcall", entry!(pcall)),
        (c"setresp", entry!(set_resp)),
        (c"sha1hex", entry!(sha1hex)),
        (c"error_reply", entry!(error_reply)),
        (c"status_reply", entry!(status_reply)),
        (c"set_repl", entry!(set_replication)),
        (c"acl_check_cmd", entry!(acl_check)),
    ];
    functions.into_iter().for_each(|(name, function)| lua.set_function(name, function));
    REPLICATION.into_iter().for_each(|(name, number)| lua.set_number(name, number));
    set_log_and_version(lua);
    if is_for_scripts {
        lua.set_function(c"breakpoint", entry!(breakpoint));
        lua.set_function(c"debug", entry!(debug));
        lua.set_function(c"replicate_commands", entry!(replicate_commands));
        lua.push_function(entry!(crate::run::describe_error), 0);
        lua.set_field(lua::GLOBALS, c"__redis__err__handler");
    }
    lua.push_value(-1);
    lua.set_field(lua::GLOBALS, c"server");
    lua.set_field(lua::GLOBALS, c"redis");
}

fn set_log_and_version(lua: Lua) {
    lua.set_function(c"log", entry!(log));
    LOG_LEVELS.into_iter().for_each(|(name, number)| lua.set_number(name, number));
    lua.set_text(c"REDIS_VERSION", VERSION);
    lua.set_number(c"REDIS_VERSION_NUM", VERSION_NUMBER);
}

/// Pushes the globals of libraries while they load.
pub fn push_library_api(lua: Lua) {
    lua.new_table(0, 2);
    lua.new_table(0, 8);
    lua.set_function(c"register_function", entry!(library::register_function));
    set_log_and_version(lua);
    crate::sandbox::set_error_metatable(lua);
    lua.push_value(-1);
    lua.set_field(-3, c"server");
    lua.set_field(-2, c"redis");
    crate::sandbox::set_error_metatable(lua);
}

/// Pushes a table whose `err` is `lead` and `text`: `-CODE message` as it is, anything else behind `ERR`.
pub fn push_error(lua: Lua, lead: &[u8], text: &[u8]) {
    let text = crate::sandbox::until_zero(text);
    let (code, message) = match (lead, text) {
        ([b'-', ..], rest) | ([], [b'-', rest @ ..]) => match rest.iter().position(|&byte| byte == b' ') {
            Some(space) => (&rest[..space], &rest[space + 1..]),
            None => (&b"ERR"[..], rest),
        },
        _ => (&b"ERR"[..], text),
    };
    let is_end = |byte: &u8| b"\r\n".contains(byte);
    let start = message.iter().position(|byte| !is_end(byte)).unwrap_or(message.len());
    let end = message.iter().rposition(|byte| !is_end(byte)).map_or(start, |at| at + 1);
    lua.new_table(0, 3);
    let full = lua.vm().fiber().text.get();
    full.clear();
    full.extend_from_slice(code);
    full.push(b' ');
    full.extend_from_slice(&message[start..end]);
    lua.push_text(full);
    lua.set_field(-2, c"err");
}

/// Raises an error table.
pub fn raise(lua: Lua, text: &[u8]) -> ! {
    push_error(lua, b"", text);
    lua.error()
}

/// redis.call(command, …)
fn call(lua: Lua) -> c_int {
    if !run_command(lua, false) {
        return 1;
    }
    lua.error()
}

/// redis.pcall(command, …)
fn pcall(lua: Lua) -> c_int {
    run_command(lua, true);
    1
}

/// Has the host run the command on the stack and pushes its reply; whether that is an error.
fn run_command(lua: Lua, is_pcall: bool) -> bool {
    let fiber = lua.vm().fiber();
    if !take_arguments(lua, fiber) {
        return true;
    }
    let Answer::Reply(reply) = fiber.suspend(lua, Signal::Call { is_pcall }) else {
        unreachable!("a call is answered with a reply");
    };
    lua.set_top(0);
    // SAFETY: the host's reply lives until it gets control back.
    reply_in::push(lua, unsafe { &*reply }, fiber.is_resp3.get())
}

/// Writes the arguments on the stack down as texts; or pushes an error, `false`.
fn take_arguments(lua: Lua, fiber: &Fiber) -> bool {
    let count = lua.top();
    if count == 0 {
        push_error(lua, b"", b"Please specify at least one argument for this redis lib call");
        return false;
    }
    let (text, spans) = (fiber.words.get(), fiber.spans.get());
    text.clear();
    spans.clear();
    take_usual_arguments(lua, count, text, spans) || take_any_arguments(lua, count, text, spans)
}

/// A few arguments, which are short texts and integers; `false` if they are not, then nothing has been written.
#[inline]
fn take_usual_arguments(lua: Lua, count: c_int, text: &mut Vec<u8>, spans: &mut Vec<Span>) -> bool {
    let mut ends = [0; 16];
    if count as usize > ends.len() {
        return false;
    }
    let Some(len) = lua.write_arguments(text.spare_capacity_mut(), &mut ends) else { return false };
    // SAFETY: so many bytes have been written there.
    unsafe { text.set_len(len) };
    let mut start = 0;
    spans.extend(ends[..count as usize].iter().map(|&end| {
        let span = Span { start, len: end - start };
        start = end;
        span
    }));
    true
}

/// All arguments there may be; or pushes an error, `false`.
fn take_any_arguments(lua: Lua, count: c_int, text: &mut Vec<u8>, spans: &mut Vec<Span>) -> bool {
    // So that the next ones find room.
    text.reserve(512);
    for index in 1..=count {
        let start = text.len();
        match lua.argument(index) {
            // Positions beyond are none: the host refuses so many bytes, so they need not be there.
            Argument::Text(argument) if start <= u32::MAX as usize => text.extend_from_slice(&argument),
            Argument::Text(_) => {}
            Argument::Number(number) => append_argument(text, number),
            Argument::Other => {
                lua.set_top(0);
                push_error(lua, b"", b"Lua redis lib command arguments must be strings or integers");
                return false;
            }
        }
        spans.push(Span { start: start as u32, len: (text.len() - start) as u32 });
    }
    true
}

/// redis.acl_check_cmd(command, …)
fn acl_check(lua: Lua) -> c_int {
    let fiber = lua.vm().fiber();
    if !take_arguments(lua, fiber) {
        lua.error();
    }
    let Answer::Allowed(allowed) = fiber.suspend(lua, Signal::AclCheck) else {
        unreachable!("a question for rights is answered so");
    };
    lua.set_top(0);
    match allowed {
        Some(is_allowed) => lua.push_boolean(is_allowed),
        None => raise(lua, b"Invalid command passed to redis.acl_check_cmd()"),
    }
    1
}

/// redis.log(level, text, …)
fn log(lua: Lua) -> c_int {
    let count = lua.top();
    if count < 2 {
        raise(lua, b"redis.log() requires two arguments or more.");
    }
    if !lua.is_number(1) {
        raise(lua, b"First argument must be a number (log level).");
    }
    let level = lua.number(1) as i32;
    if !(0..=3).contains(&level) {
        raise(lua, b"Invalid log level.");
    }
    let fiber = lua.vm().fiber();
    if level < i32::from(fiber.log_level_min.get()) {
        return 0;
    }
    let line = fiber.text.get();
    line.clear();
    for index in 2..=count {
        // A number's text may have to be made, which may fail: nothing is owned here.
        if let Some(text) = lua.text(index) {
            fiber.check_room(lua, text.len());
            if index > 2 {
                line.push(b' ');
            }
            line.extend_from_slice(&text);
        }
    }
    fiber.suspend(lua, Signal::Log { level: level as u8 });
    0
}

/// redis.setresp(2 | 3)
fn set_resp(lua: Lua) -> c_int {
    if lua.top() != 1 {
        raise(lua, b"redis.setresp() requires one argument.");
    }
    let version = lua.number(1) as i32;
    if version != 2 && version != 3 {
        raise(lua, b"RESP version must be 2 or 3.");
    }
    lua.vm().fiber().is_resp3.set(version == 3);
    0
}

/// redis.set_repl(flags)
fn set_replication(lua: Lua) -> c_int {
    if lua.top() != 1 {
        raise(lua, b"redis.set_repl() requires one argument.");
    }
    let flags = lua.number(1) as i32;
    if flags & !i32::from(REPLICATION_ALL) != 0 {
        raise(lua, b"Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
    }
    lua.vm().fiber().replication.set(flags as u8);
    0
}

/// redis.sha1hex(text)
fn sha1hex(lua: Lua) -> c_int {
    if lua.top() != 1 {
        raise(lua, b"wrong number of arguments");
    }
    let digest = match lua.text(1) {
        Some(text) => sha1_hex(&text),
        None => sha1_hex(b""),
    };
    lua.push_text(&digest);
    1
}

/// redis.error_reply(text)
fn error_reply(lua: Lua) -> c_int {
    if lua.top() != 1 || lua.kind(1) != lua::STRING {
        push_error(lua, b"", b"wrong number or type of arguments");
        return 1;
    }
    let text = lua.text(1).expect("a string has a text");
    match text.first() {
        Some(b'-') => push_error(lua, b"", &text),
        _ => push_error(lua, b"-", &text),
    }
    1
}

/// redis.status_reply(text)
fn status_reply(lua: Lua) -> c_int {
    if lua.top() != 1 || lua.kind(1) != lua::STRING {
        push_error(lua, b"", b"wrong number or type of arguments");
        return 1;
    }
    lua.new_table(0, 1);
    lua.push_value(1);
    lua.set_field(-2, c"ok");
    1
}

/// redis.breakpoint(): there is no debugger.
fn breakpoint(lua: Lua) -> c_int {
    lua.push_boolean(false);
    1
}

/// redis.debug(…): there is no debugger.
fn debug(_: Lua) -> c_int {
    0
}

/// redis.replicate_commands(): effects are always what is replicated.
fn replicate_commands(lua: Lua) -> c_int {
    lua.push_boolean(true);
    1
}
