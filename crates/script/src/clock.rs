//! `os.clock`: the host's clock.

use crate::fiber::{Answer, Signal};
use crate::lua::{Lua, entry};
use std::ffi::c_int;

/// Pushes the library `os`, which has nothing else.
pub fn push(lua: Lua) {
    lua.new_table(0, 1);
    lua.set_function(c"clock", entry!(clock));
}

fn clock(lua: Lua) -> c_int {
    let Answer::Clock(seconds) = lua.vm().fiber().suspend(lua, Signal::Clock) else {
        unreachable!("a question for the time is answered with it");
    };
    lua.push_number(seconds);
    1
}
