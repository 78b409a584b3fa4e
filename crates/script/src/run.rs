//! What happens on a fiber: arguments become tables, the function is called, its result or error becomes a reply.

use crate::fiber::{Answer, Fiber, Job, Signal, c_text};
use crate::lua::{self, Debug, Lua};
use crate::sandbox::{is_protected, until_zero};
use crate::{library, reply_out};
use base::number::append_i64;
use std::ffi::c_int;

/// After so many jumps back, and calls of Lua functions, the host is asked whether to go on: without them nothing runs for long.
pub const TICK_JUMPS: c_int = 20_000;

/// Where a fiber's thread keeps its functions.
const RUN_JOB: c_int = 1;
const DESCRIBE_ERROR: c_int = 2;

/// Runs one job: suspended when the arguments are taken (`Ready`), and at its end (`Done`).
pub fn run(fiber: &Fiber, lua: Lua) {
    lua.set_top(DESCRIBE_ERROR);
    lua.push_value(RUN_JOB);
    lua.push_value(DESCRIBE_ERROR);
    if lua.protected_call(1, 0, 0) != 0 {
        // Not the script's error: there was no memory for its arguments or its reply.
        let (raised, is_counted) = (true, true);
        fiber.text.get().clear();
        let text = lua.text(-1).map_or(&b"execution failure"[..], |text| {
            fiber.text.get().extend_from_slice(&text);
            fiber.text.get()
        });
        fiber.await_reply();
        write_plain_failure(fiber, text);
        fiber.signal.set(Signal::Done { raised, is_counted });
    }
    lua.set_top(DESCRIBE_ERROR);
}

/// The job, below a protected call. Its argument is the function that describes errors.
pub fn run_job(lua: Lua) -> c_int {
    let vm = lua.vm();
    let fiber = vm.fiber();
    if !lua.check_stack(16) {
        lua.fail(b"stack overflow");
    }
    let arguments = match fiber.job.get() {
        Job::Script(reference) => {
            push_list(lua, fiber.keys.get());
            push_list(lua, fiber.arguments.get());
            lua.set_keys();
            lua.raw_get_at(lua::REGISTRY, reference);
            0
        }
        Job::Function(reference) => {
            lua.raw_get_at(lua::REGISTRY, reference);
            push_list(lua, fiber.keys.get());
            push_list(lua, fiber.arguments.get());
            2
        }
        Job::Library(code) => return library::load(lua, fiber, code),
        Job::Nothing => unreachable!("a fiber is started with a job"),
    };
    fiber.suspend(lua, Signal::Ready);
    let out_mark = fiber.out().mark();
    let failed = lua.protected_call(arguments, 1, 1) != 0;
    fiber.out().rewind(out_mark);
    let is_counted = if failed { write_error(lua, fiber) } else { reply_out::write(lua, fiber) };
    fiber.signal.set(Signal::Done { raised: failed, is_counted });
    0
}

/// Pushes a table of strings.
fn push_list(lua: Lua, list: *const [&'static [u8]]) {
    // SAFETY: the host's slices live until the fiber is suspended, `Ready`.
    let list = unsafe { &*list };
    assert!(list.len() <= c_int::MAX as usize, "commands have fewer words");
    lua.new_table(list.len(), 0);
    for (index, text) in list.iter().enumerate() {
        lua.set_text_at(index as c_int + 1, text);
    }
}

/// The hook: asks the host whether to go on.
pub unsafe extern "C" fn tick(state: *mut lua::State, _: *mut Debug) {
    // SAFETY: Lua calls with the state that runs.
    let lua = unsafe { Lua::new(state) };
    let answer = lua.vm().fiber().suspend(lua, Signal::Tick);
    assert!(matches!(answer, Answer::Go), "a tick is answered with Go or Kill");
}

/// The error handler: makes any error a table with `err`, `source` and `line`.
pub fn describe_error(lua: Lua) -> c_int {
    // SAFETY: plain data.
    let mut debug: Debug = unsafe { std::mem::zeroed() };
    let mut is_known = lua.running(1, &mut debug);
    if is_known && c_text(debug.what) == b"C" {
        is_known = lua.running(2, &mut debug);
    }
    lua.set_top(1);
    if is_protected(lua, 1) {
        // Redis's handler is itself a script, which fails to write the table and describes that.
        lua.new_table(0, 3);
        lua.set_text(c"err", b"ERR err_handler_def:10: Attempt to modify a readonly table");
        lua.set_text(c"source", b"@err_handler_def");
        lua.set_number(c"line", 10.0);
        return 1;
    }
    if !lua.is_table(1) {
        let kind = lua.kind(1);
        let fiber = lua.vm().fiber();
        let text = fiber.text.get();
        text.clear();
        text.extend_from_slice(b"ERR ");
        match kind {
            lua::NIL => text.extend_from_slice(b"nil"),
            lua::BOOLEAN if lua.boolean(1) => text.extend_from_slice(b"true"),
            lua::BOOLEAN => text.extend_from_slice(b"false"),
            _ => match lua.text(1) {
                Some(it) => text.extend_from_slice(&it),
                None => append_address(text, lua, 1),
            },
        }
        lua.new_table(0, 3);
        lua.push_text(text);
        lua.set_field(-2, c"err");
    }
    if is_known {
        lua.push_text(c_text(debug.source));
        lua.set_field(-2, c"source");
        lua.push_number(f64::from(debug.currentline));
        lua.set_field(-2, c"line");
    }
    1
}

/// What `tostring` gives for values without a text of their own.
fn append_address(text: &mut Vec<u8>, lua: Lua, index: c_int) {
    let name: &[u8] = match lua.kind(index) {
        lua::FUNCTION => b"function",
        lua::LIGHT_USERDATA => b"userdata",
        _ => b"thread",
    };
    text.extend_from_slice(name);
    let message = lua::Message::new(format_args!(": {:p}", lua.pointer(index)));
    text.extend_from_slice(message.as_bytes());
}

/// Writes the reply of a script that ended with an error: what `describe_error` made of it. Whether the error is one to be
/// counted (an error reply of a command was counted when the command ran).
fn write_error(lua: Lua, fiber: &Fiber) -> bool {
    if !lua.is_table(-1) {
        let text = fiber.text.get();
        text.clear();
        match lua.text(-1) {
            Some(message) => text.extend_from_slice(&message),
            None => text.extend_from_slice(b"execution failure"),
        }
        write_plain_failure(fiber, text);
        return true;
    }
    let text = fiber.text.get();
    text.clear();
    append_field(lua, c"err", text, b"ERR unknown error");
    let at = text.len();
    text.extend_from_slice(b" script: ");
    text.extend_from_slice(fiber.name.get());
    text.extend_from_slice(b", on ");
    let mut is_placed = append_field(lua, c"source", text, b"");
    text.push(b':');
    is_placed &= append_field(lua, c"line", text, b"");
    text.push(b'.');
    if !is_placed {
        text.truncate(at);
    }
    lua.get_field(-1, c"ignore_error_stats_update");
    let is_ignored = lua.boolean(-1);
    lua.pop(1);
    write_error_line(fiber, text);
    !is_ignored
}

/// Appends the text of a field of the table on top; whether it has one.
pub fn append_field(lua: Lua, name: &std::ffi::CStr, text: &mut Vec<u8>, otherwise: &[u8]) -> bool {
    lua.get_field(-1, name);
    let field = lua.text(-1);
    match &field {
        Some(it) => text.extend_from_slice(until_zero(it)),
        None => text.extend_from_slice(otherwise),
    }
    lua.pop(1);
    field.is_some()
}

/// Writes an error as Redis does: line ends around it are cut off, others become spaces.
pub fn write_error_line(fiber: &Fiber, text: &[u8]) {
    let end = text.iter().rposition(|byte| !b"\r\n".contains(byte)).map_or(0, |at| at + 1);
    fiber.out().error(&text[..end]);
}

fn write_plain_failure(fiber: &Fiber, message: &[u8]) {
    let out = fiber.out();
    out.raw(b"-ERR Error running script ");
    out.raw(fiber.name.get());
    out.raw(b", ");
    let message = until_zero(message);
    let message = &message[..message.len().min(100)];
    out.buf.extend(message.iter().map(|&byte| if byte == b'\r' || byte == b'\n' { b' ' } else { byte }));
    out.raw(b"\r\n");
}

/// Writes the reply of a script that the host killed.
pub fn write_killed(fiber: &Fiber, message: &str, debug: &Debug) {
    let text = fiber.text.get();
    text.clear();
    text.extend_from_slice(b"ERR ");
    text.extend_from_slice(message.as_bytes());
    if matches!(fiber.job.get(), Job::Library(_)) {
        text.splice(..0, *b"ERR Error registering functions: ");
    } else if debug.currentline >= 0 {
        text.extend_from_slice(b" script: ");
        text.extend_from_slice(fiber.name.get());
        text.extend_from_slice(b", on ");
        text.extend_from_slice(c_text(debug.source));
        text.push(b':');
        append_i64(text, i64::from(debug.currentline));
        text.push(b'.');
    }
    write_error_line(fiber, text);
}
