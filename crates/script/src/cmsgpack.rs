//! To come.

use crate::lua::Lua;

pub fn push(lua: Lua) {
    lua.new_table(0, 0);
}
