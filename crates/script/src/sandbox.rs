//! What scripts find: the libraries that Redis opens, name for name, in tables that cannot be written.
//!
//! KEYS and ARGV are globals, but several scripts may be under way: those of the one that runs stand in the table of globals,
//! the others' wait in `aside`. While a library loads, the globals are those of loading.

use crate::fiber::{Fiber, Job};
use crate::lua::{Function, Lua, TABLE, entry};
use crate::{api, base_library, bit, cjson, clock, cmsgpack, lua, packing, random};
use std::ffi::{CStr, c_int, c_void};

/// Names of the base library that scripts do not get.
const REMOVED: [&CStr; 6] = [c"dofile", c"loadfile", c"print", c"getfenv", c"setfenv", c"newproxy"];

/// Registry references of what is used at each run.
#[derive(Clone, Copy, Default)]
pub struct Globals {
    pub keys: c_int,
    pub argv: c_int,
    /// Where KEYS and ARGV of suspended scripts wait: two places per fiber.
    pub aside: c_int,
    /// Metatable of the functions' globals, whose `__index` is `library_api` while a library loads, else `functions_api`.
    pub metatable: c_int,
    pub library_api: c_int,
    pub functions_api: c_int,
    /// The first of the names in [`REPLY_NAMES`]; the others follow.
    pub reply_names: c_int,
}

/// Fields that make a table a reply of another kind than an array.
pub const REPLY_NAMES: [&[u8]; 7] =
    [b"err", b"ok", b"double", b"big_number", b"verbatim_string", b"map", b"set"];

/// Fills a new interpreter.
pub fn install(lua: Lua) {
    let status = lua.protect(entry!(install_all), std::ptr::null_mut::<c_void>());
    assert_eq!(status, 0, "the sandbox is set up without errors");
}

fn install_all(lua: Lua) -> c_int {
    let is_for_functions = lua.vm().is_for_functions;
    open_libraries(lua);
    api::install(lua, !is_for_functions);
    let mut globals = Globals { keys: text_reference(lua, b"KEYS"), ..Globals::default() };
    globals.argv = text_reference(lua, b"ARGV");
    let mut names = REPLY_NAMES.iter().map(|name| text_reference(lua, name));
    globals.reply_names = names.next().expect("there are names");
    let first = globals.reply_names;
    assert!(
        names.zip(first + 1..).all(|(reference, expected)| reference == expected),
        "references are counted up"
    );
    lua.new_table(0, 0);
    globals.aside = lua.reference();
    if is_for_functions {
        api::push_library_api(lua);
        protect(lua);
        globals.library_api = lua.reference();
    } else {
        for name in [c"KEYS", c"ARGV"] {
            lua.new_table(0, 0);
            lua.set_field(lua::GLOBALS, name);
        }
        lua.raw_get_at(lua::REGISTRY, globals.keys);
        lua.raw_get_at(lua::REGISTRY, globals.argv);
        lua.name_keys();
    }
    lua.push_value(lua::GLOBALS);
    set_error_metatable(lua);
    protect(lua);
    protect_strings(lua);
    if is_for_functions {
        globals.functions_api = lua.reference();
        replace_globals(lua, &mut globals);
    }
    lua.vm().globals.set(globals);
    0
}

fn text_reference(lua: Lua, text: &[u8]) -> c_int {
    lua.push_text(text);
    lua.reference()
}

fn open_libraries(lua: Lua) {
    let libraries: [(Function, &[u8]); 4] = [
        (lua::luaopen_base, b""),
        (lua::luaopen_table, b"table"),
        (lua::luaopen_string, b"string"),
        (lua::luaopen_math, b"math"),
    ];
    for (open, name) in libraries {
        lua.push_function(open, 0);
        lua.push_text(name);
        lua.call(1, 0);
    }
    for name in REMOVED {
        lua.push_nil();
        lua.set_field(lua::GLOBALS, name);
    }
    base_library::install(lua);
    lua.get_field(lua::GLOBALS, c"math");
    lua.set_function(c"random", entry!(random::random));
    lua.set_function(c"randomseed", entry!(random::seed));
    lua.pop(1);
    let own = [
        (c"os", clock::push as fn(Lua)),
        (c"cjson", cjson::push),
        (c"struct", packing::push),
        (c"cmsgpack", cmsgpack::push),
        (c"bit", bit::push),
    ];
    for (name, push) in own {
        push(lua);
        lua.set_field(lua::GLOBALS, name);
    }
}

/// Gives the table on top of the stack a metatable that raises an error for names that are not there.
pub fn set_error_metatable(lua: Lua) {
    lua.new_table(0, 1);
    lua.set_function(c"__index", entry!(missing_global));
    lua.set_metatable(-2);
}

fn missing_global(lua: Lua) -> c_int {
    if lua.top() != 2 {
        lua.fail(b"Wrong number of arguments to luaProtectedTableError");
    }
    if !lua.is_string(-1) {
        lua.fail(b"Second argument to luaProtectedTableError must be a string or number");
    }
    let name = lua.text(-1).expect("strings and numbers have a text");
    let fiber = lua.vm().fiber();
    let text = fiber.text.get();
    text.clear();
    text.extend_from_slice(b"Script attempted to access nonexistent global variable '");
    text.extend_from_slice(until_zero(&name));
    text.push(b'\'');
    lua.fail(text)
}

/// A text as C reads it.
pub fn until_zero(text: &[u8]) -> &[u8] {
    &text[..text.iter().position(|&byte| byte == 0).unwrap_or(text.len())]
}

/// Makes the table on top of the stack, and all that it leads to, read-only.
fn protect(lua: Lua) {
    if lua.is_read_only(-1) {
        return;
    }
    lua.set_read_only(-1, true);
    assert!(lua.check_stack(4), "the sandbox is not deep");
    lua.push_nil();
    while lua.next(-2) {
        if lua.is_table(-1) {
            protect(lua);
        }
        lua.pop(1);
    }
    if lua.get_metatable(-1) {
        protect(lua);
        lua.pop(1);
    }
}

/// The metatable that all strings share (CVE-2025-46818); other basic types have none, and no function sets one.
fn protect_strings(lua: Lua) {
    lua.push_text(b"");
    assert!(lua.get_metatable(-1), "strings have a metatable");
    protect(lua);
    lua.pop(2);
}

/// Puts an empty table in the place of the globals, behind which the real ones can be exchanged.
fn replace_globals(lua: Lua, globals: &mut Globals) {
    lua.new_table(0, 0);
    lua.new_table(0, 1);
    lua.raw_get_at(lua::REGISTRY, globals.functions_api);
    lua.set_field(-2, c"__index");
    lua.set_read_only(-1, true);
    lua.push_value(-1);
    globals.metatable = lua.reference();
    lua.set_metatable(-2);
    lua.set_read_only(-1, true);
    lua.replace(lua::GLOBALS);
}

/// Keeps KEYS and ARGV of a script that another one displaces. Nothing here allocates: all places exist.
pub fn put_globals_aside(lua: Lua, globals: Globals, fiber: &Fiber) {
    if matches!(fiber.job.get(), Job::Script(_)) {
        lua.raw_get_at(lua::REGISTRY, globals.aside);
        for (name, place) in [(globals.keys, fiber.place), (globals.argv, fiber.place + 1)] {
            lua.raw_get_at(lua::REGISTRY, name);
            lua.raw_get(lua::GLOBALS);
            lua.raw_set_at(-2, place);
        }
        lua.pop(1);
    }
    if matches!(fiber.job.get(), Job::Library(_)) {
        show(lua, globals, globals.functions_api);
    }
}

/// Puts the globals of a fiber that goes on (or begins) in place.
pub fn restore_globals(lua: Lua, globals: Globals, fiber: &Fiber) {
    if matches!(fiber.job.get(), Job::Script(_)) {
        lua.set_read_only(lua::GLOBALS, false);
        lua.raw_get_at(lua::REGISTRY, globals.aside);
        for (name, place) in [(globals.keys, fiber.place), (globals.argv, fiber.place + 1)] {
            lua.raw_get_at(lua::REGISTRY, name);
            lua.raw_get_at(-2, place);
            lua.raw_set(lua::GLOBALS);
            lua.push_boolean(false);
            lua.raw_set_at(-2, place);
        }
        lua.pop(1);
        lua.set_read_only(lua::GLOBALS, true);
    }
    if matches!(fiber.job.get(), Job::Library(_)) {
        show(lua, globals, globals.library_api);
    }
}

/// Takes what a fiber left in the globals away, so that it can be freed.
pub fn clear_globals(lua: Lua, globals: Globals, fiber: &Fiber) {
    if matches!(fiber.job.get(), Job::Script(_)) {
        lua.push_boolean(false);
        lua.push_boolean(false);
        lua.set_keys();
    }
    if matches!(fiber.job.get(), Job::Library(_)) {
        show(lua, globals, globals.functions_api);
    }
}

/// Takes what a fiber has aside away.
pub fn clear_aside(lua: Lua, globals: Globals, fiber: &Fiber) {
    lua.raw_get_at(lua::REGISTRY, globals.aside);
    for place in [fiber.place, fiber.place + 1] {
        lua.push_boolean(false);
        lua.raw_set_at(-2, place);
    }
    lua.pop(1);
}

fn show(lua: Lua, globals: Globals, api: c_int) {
    lua.raw_get_at(lua::REGISTRY, globals.metatable);
    lua.set_read_only(-1, false);
    lua.raw_get_at(lua::REGISTRY, api);
    lua.set_field(-2, c"__index");
    lua.set_read_only(-1, true);
    lua.pop(1);
}

/// Whether the value at `index` is a table that cannot be written.
pub fn is_protected(lua: Lua, index: c_int) -> bool {
    lua.kind(index) == TABLE && lua.is_read_only(index)
}
