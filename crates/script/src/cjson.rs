//! The library `cjson` (Lua CJSON 2.1.0 as Redis has it).
//!
//! Encoding and decoding keep their place in lists on the heap, not on the C stack: nesting is limited by the library's own
//! depths (1,000 each, to be set by scripts) and by Lua's stack.

mod decode;
mod encode;
mod settings;

pub use encode::Nesting;

use crate::lua::{self, Function, Lua, entry};
use settings::Settings;
use std::ffi::{CStr, c_int};

/// Pushes the library.
pub fn push(lua: Lua) {
    lua.new_table(0, 16);
    Settings::push_new(lua);
    let functions: [(&CStr, Function); 10] = [
        (c"encode", entry!(encode::encode)),
        (c"decode", entry!(decode::decode)),
        (c"encode_sparse_array", entry!(settings::encode_sparse_array)),
        (c"encode_max_depth", entry!(settings::encode_max_depth)),
        (c"decode_max_depth", entry!(settings::decode_max_depth)),
        (c"encode_number_precision", entry!(settings::encode_number_precision)),
        (c"encode_keep_buffer", entry!(settings::encode_keep_buffer)),
        (c"encode_invalid_numbers", entry!(settings::encode_invalid_numbers)),
        (c"decode_invalid_numbers", entry!(settings::decode_invalid_numbers)),
        (c"new", entry!(new)),
    ];
    for (name, function) in functions {
        lua.push_value(-1);
        lua.push_function(function, 1);
        lua.set_field(-3, name);
    }
    lua.pop(1);
    lua.push_light(std::ptr::null_mut());
    lua.set_field(-2, c"null");
    lua.set_text(c"_NAME", b"cjson");
    lua.set_text(c"_VERSION", b"2.1.0");
}

/// cjson.new(): the library again, with settings of its own.
fn new(lua: Lua) -> c_int {
    push(lua);
    1
}

/// The only argument.
fn check_one_argument(lua: Lua) {
    if lua.top() != 1 {
        lua.argument_error(1, c"expected 1 argument");
    }
}

/// The name of a value's type.
fn type_name(lua: Lua, index: c_int) -> &'static str {
    match lua.kind(index) {
        lua::NIL => "nil",
        lua::BOOLEAN => "boolean",
        lua::NUMBER => "number",
        lua::STRING => "string",
        lua::TABLE => "table",
        lua::FUNCTION => "function",
        8 => "thread",
        _ => "userdata",
    }
}
