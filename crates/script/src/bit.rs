//! The library `bit`: operations on 32-bit integers (BitOp 1.0.2).

use crate::lua::{Lua, entry};
use std::ffi::c_int;

/// Pushes the library.
pub fn push(lua: Lua) {
    lua.new_table(0, 12);
    let functions = [
        (c"tobit", entry!(tobit)),
        (c"bnot", entry!(bnot)),
        (c"band", entry!(band)),
        (c"bor", entry!(bor)),
        (c"bxor", entry!(bxor)),
        (c"lshift", entry!(lshift)),
        (c"rshift", entry!(rshift)),
        (c"arshift", entry!(arshift)),
        (c"rol", entry!(rol)),
        (c"ror", entry!(ror)),
        (c"bswap", entry!(bswap)),
        (c"tohex", entry!(tohex)),
    ];
    functions.into_iter().for_each(|(name, function)| lua.set_function(name, function));
}

/// The low 32 bits of an argument, rounded as adding 2^52 + 2^51 rounds it.
fn bits(lua: Lua, arg: c_int) -> u32 {
    (lua.check_number(arg) + 6_755_399_441_055_744.0).to_bits() as u32
}

fn give(lua: Lua, bits: u32) -> c_int {
    lua.push_number(f64::from(bits as i32));
    1
}

fn tobit(lua: Lua) -> c_int {
    give(lua, bits(lua, 1))
}

fn bnot(lua: Lua) -> c_int {
    give(lua, !bits(lua, 1))
}

fn fold(lua: Lua, operation: impl Fn(u32, u32) -> u32) -> c_int {
    let mut result = bits(lua, 1);
    for arg in 2..=lua.top() {
        result = operation(result, bits(lua, arg));
    }
    give(lua, result)
}

fn band(lua: Lua) -> c_int {
    fold(lua, |a, b| a & b)
}

fn bor(lua: Lua) -> c_int {
    fold(lua, |a, b| a | b)
}

fn bxor(lua: Lua) -> c_int {
    fold(lua, |a, b| a ^ b)
}

fn shift(lua: Lua, operation: impl Fn(u32, u32) -> u32) -> c_int {
    let value = bits(lua, 1);
    give(lua, operation(value, bits(lua, 2) & 31))
}

fn lshift(lua: Lua) -> c_int {
    shift(lua, |value, by| value << by)
}

fn rshift(lua: Lua) -> c_int {
    shift(lua, |value, by| value >> by)
}

fn arshift(lua: Lua) -> c_int {
    shift(lua, |value, by| ((value as i32) >> by) as u32)
}

fn rol(lua: Lua) -> c_int {
    shift(lua, u32::rotate_left)
}

fn ror(lua: Lua) -> c_int {
    shift(lua, u32::rotate_right)
}

fn bswap(lua: Lua) -> c_int {
    give(lua, bits(lua, 1).swap_bytes())
}

/// bit.tohex(x [, n]): the low |n| digits, in capitals if n is negative (CVE-2024-31449: the smallest n has no opposite).
fn tohex(lua: Lua) -> c_int {
    let value = bits(lua, 1);
    let count = if lua.kind(2) == crate::lua::NONE { 8 } else { bits(lua, 2) as i32 };
    let digits: &[u8; 16] = if count < 0 { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let count = count.unsigned_abs().min(8) as usize;
    let mut text = [0; 8];
    for (place, digit) in text[..count].iter_mut().rev().enumerate() {
        *digit = digits[(value >> (4 * place)) as usize & 15];
    }
    lua.push_text(&text[..count]);
    1
}
