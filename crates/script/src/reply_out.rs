//! A script's result as a reply, by the rules of Redis: numbers lose their fraction, `false` is no value, an array ends before
//! its first nil, and tables with `err`, `ok`, `double`, `big_number`, `verbatim_string`, `map` or `set` are what they say.
//!
//! Values nest as deep as Lua's stack lets them; this walks them without recursion.

use crate::fiber::Fiber;
use crate::lua::{self, Lua};
use crate::run::{append_field, write_error_line};
use crate::sandbox::until_zero;
use std::ffi::{CStr, c_int};

/// A table that is being written. Of arrays the table lies on the stack, of maps and sets the wrapping table, the table, and
/// the key that was written last.
pub enum Level {
    Array { next: c_int, len: c_int },
    Map { is_value_due: bool },
    Set,
}

/// Writes the value on top of the stack, and pops it. Whether it is an error that is to be counted.
pub fn write(lua: Lua, fiber: &Fiber) -> bool {
    fiber.levels.get().clear();
    let mut is_counted = false;
    let mark = fiber.out().mark();
    write_value(lua, fiber, &mut is_counted);
    while let Some(level) = fiber.levels.get().last_mut() {
        if fiber.out().buf.len() - mark.0 > lua.vm().limit_bytes() {
            // A small table with many references to itself is a large reply.
            fiber.out().rewind(mark);
            fiber.out().error("ERR the reply of the script does not fit into memory");
            return true;
        }
        match level {
            Level::Array { next, len } if *next <= *len => {
                lua.raw_get_at(-1, *next);
                *next += 1;
                write_value(lua, fiber, &mut is_counted);
            }
            Level::Array { .. } => finish(lua, fiber, 1),
            Level::Map { is_value_due } if *is_value_due => {
                *is_value_due = false;
                write_value(lua, fiber, &mut is_counted);
            }
            Level::Map { is_value_due } => {
                if lua.next(-2) {
                    *is_value_due = true;
                    lua.push_value(-2);
                    write_value(lua, fiber, &mut is_counted);
                } else {
                    finish(lua, fiber, 2);
                }
            }
            Level::Set => {
                if lua.next(-2) {
                    lua.pop(1);
                    lua.push_value(-1);
                    write_value(lua, fiber, &mut is_counted);
                } else {
                    finish(lua, fiber, 2);
                }
            }
        }
    }
    is_counted
}

fn finish(lua: Lua, fiber: &Fiber, values: c_int) {
    fiber.levels.get().pop();
    lua.pop(values);
}

/// Writes the value on top of the stack and pops it, or begins a level for it.
fn write_value(lua: Lua, fiber: &Fiber, is_counted: &mut bool) {
    if !lua.check_stack(4) {
        fiber.out().error("ERR reached lua stack limit");
        *is_counted = true;
        lua.pop(1);
        return;
    }
    let out = fiber.out();
    match lua.kind(-1) {
        lua::STRING => out.bulk(&lua.text(-1).expect("a string has a text")),
        // As C casts: what does not fit is the smallest integer.
        lua::NUMBER => out.int(truncate(lua.number(-1))),
        lua::BOOLEAN if fiber.is_resp3.get() => out.boolean(lua.boolean(-1)),
        lua::BOOLEAN if lua.boolean(-1) => out.int(1),
        lua::TABLE => return write_table(lua, fiber, is_counted),
        _ => out.null(),
    }
    lua.pop(1);
}

/// A double as C's cast to a 64-bit integer gives it on the machines Redis runs on.
pub fn truncate(number: f64) -> i64 {
    let limit = 2f64.powi(63);
    if (-limit..limit).contains(&number) { number as i64 } else { i64::MIN }
}

/// Pushes a field, without metamethods; whether it is of this kind. If not, it is popped again.
fn field(lua: Lua, name: Name, kind: c_int) -> bool {
    lua.raw_get_at(lua::REGISTRY, lua.vm().globals.get().reply_names + name as c_int);
    lua.raw_get(-2);
    let is_so = lua.kind(-1) == kind;
    if !is_so {
        lua.pop(1);
    }
    is_so
}

/// Places in [`crate::sandbox::REPLY_NAMES`].
#[derive(Clone, Copy)]
enum Name {
    Err,
    Ok,
    Double,
    BigNumber,
    VerbatimString,
    Map,
    Set,
}

fn write_table(lua: Lua, fiber: &Fiber, is_counted: &mut bool) {
    if field(lua, Name::Err, lua::STRING) {
        lua.pop(1);
        write_error_table(lua, fiber, is_counted);
    } else if field(lua, Name::Ok, lua::STRING) {
        let text = lua.text(-1).expect("a string has a text");
        write_line(fiber, b'+', until_zero(&text));
        lua.pop(2);
    } else if field(lua, Name::Double, lua::NUMBER) {
        fiber.out().double(lua.number(-1));
        lua.pop(2);
    } else if field(lua, Name::BigNumber, lua::STRING) {
        write_big_number(lua, fiber);
        lua.pop(2);
    } else if write_verbatim(lua, fiber) {
        lua.pop(1);
    } else if field(lua, Name::Map, lua::TABLE) {
        fiber.out().map(count_pairs(lua));
        lua.push_nil();
        fiber.levels.get().push(Level::Map { is_value_due: false });
    } else if field(lua, Name::Set, lua::TABLE) {
        fiber.out().set(count_pairs(lua));
        lua.push_nil();
        fiber.levels.get().push(Level::Set);
    } else {
        begin_array(lua, fiber);
    }
}

fn begin_array(lua: Lua, fiber: &Fiber) {
    let mut len = 0;
    loop {
        lua.raw_get_at(-1, len + 1);
        let is_end = lua.kind(-1) == lua::NIL;
        lua.pop(1);
        if is_end {
            break;
        }
        len += 1;
    }
    fiber.out().array(len as usize);
    fiber.levels.get().push(Level::Array { next: 1, len });
}

fn write_error_table(lua: Lua, fiber: &Fiber, is_counted: &mut bool) {
    let text = fiber.text.get();
    text.clear();
    append_field(lua, c"err", text, b"");
    lua.get_field(-1, c"ignore_error_stats_update");
    *is_counted |= !lua.boolean(-1);
    lua.pop(2);
    write_error_line(fiber, text);
}

fn write_line(fiber: &Fiber, kind: u8, text: &[u8]) {
    let out = &mut fiber.out().buf;
    out.push(kind);
    out.extend(text.iter().map(|&byte| if byte == b'\r' || byte == b'\n' { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}

fn write_big_number(lua: Lua, fiber: &Fiber) {
    let text = fiber.text.get();
    text.clear();
    text.extend_from_slice(&lua.text(-1).expect("a string has a text"));
    text.iter_mut().filter(|byte| b"\r\n".contains(byte)).for_each(|byte| *byte = b' ');
    fiber.out().big_number(text);
}

fn write_verbatim(lua: Lua, fiber: &Fiber) -> bool {
    if !field(lua, Name::VerbatimString, lua::TABLE) {
        return false;
    }
    lua.push_text(b"format");
    lua.raw_get(-2);
    if lua.kind(-1) != lua::STRING {
        lua.pop(2);
        return false;
    }
    lua.push_text(b"string");
    lua.raw_get(-3);
    let is_text = lua.kind(-1) == lua::STRING;
    if is_text {
        let given = lua.text(-2).expect("a string has a text");
        let mut format = [b' '; 3];
        let given = until_zero(&given);
        let len = given.len().min(3);
        format[..len].copy_from_slice(&given[..len]);
        fiber.out().verbatim(&format, &lua.text(-1).expect("a string has a text"));
    }
    lua.pop(3);
    is_text
}

fn count_pairs(lua: Lua) -> usize {
    let mut pairs = 0;
    lua.push_nil();
    while lua.next(-2) {
        lua.pop(1);
        pairs += 1;
    }
    pairs
}

/// Raises nothing: the name is constant. (For `field` of other modules.)
pub fn set_flag(lua: Lua, name: &CStr) {
    lua.push_boolean(true);
    lua.set_field(-2, name);
}
