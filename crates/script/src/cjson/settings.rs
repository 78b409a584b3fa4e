//! What scripts may set about encoding and decoding; it stays set for later scripts, as in Redis.

use crate::lua::{self, Lua, Message};
use crate::sandbox::until_zero;
use std::ffi::{CStr, c_int};

/// The settings of one instance of the library, kept by Lua as the upvalue of its functions.
#[repr(C)]
pub struct Settings {
    pub sparse_convert: c_int,
    pub sparse_ratio: c_int,
    pub sparse_safe: c_int,
    pub encode_depth_max: c_int,
    pub decode_depth_max: c_int,
    /// 0 refuse, 1 write them, 2 write null.
    pub encode_invalid_numbers: c_int,
    pub decode_invalid_numbers: c_int,
    pub number_precision: c_int,
    keep_buffer: c_int,
}

impl Settings {
    /// Pushes settings as they are at first.
    pub fn push_new(lua: Lua) {
        let place = lua.new_userdata(size_of::<Settings>()).cast::<Settings>();
        let settings = Settings {
            sparse_convert: 0,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth_max: 1000,
            decode_depth_max: 1000,
            encode_invalid_numbers: 0,
            decode_invalid_numbers: 1,
            number_precision: 14,
            keep_buffer: 1,
        };
        // SAFETY: Lua gave the memory, of that size and aligned for any type.
        unsafe { place.write(settings) }
    }

    /// Those of the running function.
    pub fn of<'a>(lua: Lua) -> &'a mut Settings {
        // SAFETY: `push` gave each function its settings; one function runs at a time and does not keep the reference.
        unsafe { &mut *lua.userdata(lua::upvalue(1)).cast::<Settings>() }
    }
}

/// The settings; at most `count` arguments are given, others are nil.
fn arguments<'a>(lua: Lua, count: c_int) -> &'a mut Settings {
    if lua.top() > count {
        lua.argument_error(count + 1, c"found too many arguments");
    }
    lua.set_top(count);
    Settings::of(lua)
}

fn integer(lua: Lua, arg: c_int, setting: &mut c_int, min: c_int, max: c_int) -> c_int {
    if lua.kind(arg) != lua::NIL {
        let value = lua.check_int(arg);
        if !(min..=max).contains(&value) {
            let message = Message::new(format_args!("expected integer between {min} and {max}\0"));
            lua.argument_error(1, CStr::from_bytes_until_nul(message.as_bytes()).unwrap_or(c"bad integer"));
        }
        *setting = value;
    }
    lua.push_number(f64::from(*setting));
    1
}

/// One of `options`, by name, or `true` and `false` for the first two.
fn option(lua: Lua, arg: c_int, setting: &mut c_int, options: &[&str]) -> c_int {
    match lua.kind(arg) {
        lua::NIL => {}
        lua::BOOLEAN => *setting = c_int::from(lua.boolean(arg)),
        _ => {
            let name = lua.check_text(arg);
            let name = until_zero(&name);
            match options.iter().position(|option| option.as_bytes() == name) {
                Some(at) => *setting = at as c_int,
                None => {
                    let name = String::from_utf8_lossy(&name[..name.len().min(100)]);
                    let message = Message::new(format_args!("invalid option '{name}'\0"));
                    // The text is borrowed wherever it is ASCII; what else a script writes here is not kept.
                    drop(name);
                    lua.argument_error(
                        arg,
                        CStr::from_bytes_until_nul(message.as_bytes()).unwrap_or(c"invalid option"),
                    );
                }
            }
        }
    }
    match *setting {
        0 | 1 => lua.push_boolean(*setting == 1),
        other => lua.push_text(options[other as usize].as_bytes()),
    }
    1
}

const SWITCH: [&str; 2] = ["off", "on"];

/// cjson.encode_sparse_array([convert [, ratio [, safe]]])
pub fn encode_sparse_array(lua: Lua) -> c_int {
    let settings = arguments(lua, 3);
    option(lua, 1, &mut settings.sparse_convert, &SWITCH);
    integer(lua, 2, &mut settings.sparse_ratio, 0, c_int::MAX);
    integer(lua, 3, &mut settings.sparse_safe, 0, c_int::MAX);
    3
}

/// cjson.encode_max_depth([depth])
pub fn encode_max_depth(lua: Lua) -> c_int {
    integer(lua, 1, &mut arguments(lua, 1).encode_depth_max, 1, c_int::MAX)
}

/// cjson.decode_max_depth([depth])
pub fn decode_max_depth(lua: Lua) -> c_int {
    integer(lua, 1, &mut arguments(lua, 1).decode_depth_max, 1, c_int::MAX)
}

/// cjson.encode_number_precision([digits])
pub fn encode_number_precision(lua: Lua) -> c_int {
    integer(lua, 1, &mut arguments(lua, 1).number_precision, 1, 14)
}

/// cjson.encode_keep_buffer([keep]): remembered; buffers are kept by the engine anyway.
pub fn encode_keep_buffer(lua: Lua) -> c_int {
    option(lua, 1, &mut arguments(lua, 1).keep_buffer, &SWITCH)
}

/// cjson.encode_invalid_numbers([setting])
pub fn encode_invalid_numbers(lua: Lua) -> c_int {
    option(lua, 1, &mut arguments(lua, 1).encode_invalid_numbers, &["off", "on", "null"])
}

/// cjson.decode_invalid_numbers([setting])
pub fn decode_invalid_numbers(lua: Lua) -> c_int {
    option(lua, 1, &mut arguments(lua, 1).decode_invalid_numbers, &SWITCH)
}
