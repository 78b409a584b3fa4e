//! Functions of the base library that are not Lua's own here: `pcall` as Redis changes it, loading without bytecode, and a
//! collector that a script cannot stop for others.

use crate::lua::{self, Lua, entry};
use std::ffi::c_int;

/// Replaces globals.
pub fn install(lua: Lua) {
    let functions = [
        (c"pcall", entry!(pcall)),
        (c"loadstring", entry!(load_string)),
        (c"load", entry!(load)),
        (c"collectgarbage", entry!(collect_garbage)),
    ];
    for (name, function) in functions {
        lua.push_function(function, 0);
        lua.set_field(lua::GLOBALS, name);
    }
}

/// pcall(f, …): errors that are tables with `err` are caught as that text.
fn pcall(lua: Lua) -> c_int {
    if lua.top() == 0 {
        lua.push_boolean(false);
        lua.push_text(b"attempt to call a nil value");
        return 2;
    }
    lua.push_boolean(true);
    lua.insert(1);
    if lua.protected_call(lua.top() - 2, lua::MULTIPLE, 0) != 0 {
        lua.remove(1);
        if lua.is_table(-1) {
            lua.get_field(-1, c"err");
            if lua.is_string(-1) {
                lua.replace(-2);
            }
        }
        lua.push_boolean(false);
        lua.insert(1);
    }
    lua.top()
}

/// loadstring(text [, name])
fn load_string(lua: Lua) -> c_int {
    let code = lua.check_text(1);
    let name = if lua.is_none_or_nil(2) { code } else { lua.check_text(2) };
    // Both stand on the stack while they are used.
    finish_load(lua, lua.load_named(&code, name))
}

fn finish_load(lua: Lua, status: c_int) -> c_int {
    if status == 0 {
        return 1;
    }
    lua.push_nil();
    lua.insert(-2);
    2
}

/// load(f [, name]): all pieces are fetched before the first is parsed, so that nothing else runs inside the parser.
fn load(lua: Lua) -> c_int {
    lua.check_kind(1, lua::FUNCTION);
    let has_name = !lua.is_none_or_nil(2);
    if has_name {
        lua.check_text(2);
    }
    lua.set_top(2);
    lua.push_text(b"");
    lua.new_table(0, 0);
    let mut pieces = 0;
    loop {
        lua.push_value(1);
        lua.call(0, 1);
        if lua.kind(-1) == lua::NIL {
            lua.pop(1);
            break;
        }
        if !lua.is_string(-1) {
            lua.push_nil();
            lua.push_text(b"reader function must return a string");
            return 2;
        }
        if lua.text(-1).is_none_or(|text| text.is_empty()) {
            lua.pop(1);
            break;
        }
        pieces += 1;
        lua.raw_set_at(4, pieces);
    }
    join(lua, pieces);
    let code = lua.text(-1).expect("joined pieces are a string");
    if has_name {
        let name = lua.text(2).expect("checked above");
        return finish_load(lua, lua.load_named(&code, name));
    }
    finish_load(lua, lua.load(&code, c"=(load)"))
}

/// Pushes the pieces in the table on top as one string: pairs of neighbours first, so that nothing is copied often.
fn join(lua: Lua, mut pieces: c_int) {
    while pieces > 1 {
        let mut joined = 0;
        for first in (1..=pieces).step_by(64) {
            let count = (pieces - first + 1).min(64);
            if !lua.check_stack(count + 2) {
                lua.fail(b"stack overflow");
            }
            (first..first + count).for_each(|index| lua.raw_get_at(4, index));
            lua.concat(count);
            joined += 1;
            lua.raw_set_at(4, joined);
        }
        pieces = joined;
    }
    if pieces == 1 { lua.raw_get_at(4, 1) } else { lua.push_value(3) }
}

const GC_OPTIONS: [(&[u8], c_int); 7] = [
    (b"stop", lua::GC_STOP),
    (b"restart", lua::GC_RESTART),
    (b"collect", lua::GC_COLLECT),
    (b"count", lua::GC_COUNT),
    (b"step", lua::GC_STEP),
    (b"setpause", lua::GC_SET_PAUSE),
    (b"setstepmul", lua::GC_SET_STEP_MULTIPLIER),
];

/// collectgarbage([option [, value]]): collects and counts; the collector's rhythm is the engine's alone.
fn collect_garbage(lua: Lua) -> c_int {
    let what = if lua.is_none_or_nil(1) {
        lua::GC_COLLECT
    } else {
        let name = lua.check_text(1);
        match GC_OPTIONS.iter().find(|(option, _)| *option == &*name) {
            Some((_, what)) => *what,
            None => {
                let text = lua.vm().fiber().text.get();
                text.clear();
                text.extend_from_slice(b"bad argument #1 to 'collectgarbage' (invalid option '");
                text.extend_from_slice(crate::sandbox::until_zero(&name));
                text.extend_from_slice(b"')");
                lua.fail(text)
            }
        }
    };
    let value = if lua.is_none_or_nil(2) { 0 } else { lua.check_int(2) };
    match what {
        lua::GC_COUNT => {
            let kilobytes = lua.gc(lua::GC_COUNT, 0);
            lua.push_number(f64::from(kilobytes) + f64::from(lua.gc(lua::GC_COUNT_BYTES, 0)) / 1024.0);
        }
        lua::GC_STEP => lua.push_boolean(lua.gc(lua::GC_STEP, value) != 0),
        lua::GC_COLLECT => lua.push_number(f64::from(lua.gc(lua::GC_COLLECT, 0))),
        lua::GC_SET_PAUSE => lua.push_number(200.0),
        lua::GC_SET_STEP_MULTIPLIER => lua.push_number(200.0),
        _ => lua.push_number(0.0),
    }
    1
}
