//! The library `cmsgpack` (lua-cmsgpack 0.4.0): MessagePack.

use crate::fiber::Fiber;
use crate::lua::{self, Lua, Text, entry};
use std::ffi::c_int;

/// Tables nested deeper are packed as nil, so that circles end.
const PACK_DEPTH_MAX: u32 = 16;

/// Pushes the library.
pub fn push(lua: Lua) {
    lua.new_table(0, 8);
    lua.set_function(c"pack", entry!(pack));
    lua.set_function(c"unpack", entry!(unpack));
    lua.set_function(c"unpack_one", entry!(unpack_one));
    lua.set_function(c"unpack_limit", entry!(unpack_limit));
    lua.set_text(c"_NAME", b"cmsgpack");
    lua.set_text(c"_VERSION", b"lua-cmsgpack 0.4.0");
    lua.set_text(c"_COPYRIGHT", b"Copyright (C) 2012, Salvatore Sanfilippo");
    lua.set_text(c"_DESCRIPTION", b"MessagePack C implementation for Lua");
}

/// cmsgpack.pack(value, …): one after the other.
fn pack(lua: Lua) -> c_int {
    let count = lua.top();
    if count == 0 {
        lua.argument_error(0, c"MessagePack pack needs input.");
    }
    if !lua.check_stack(count.max(4)) {
        lua.argument_error(0, c"Too many arguments for MessagePack pack.");
    }
    let fiber = lua.vm().fiber();
    fiber.text.get().clear();
    for index in 1..=count {
        lua.push_value(index);
        pack_value(lua, fiber, 0);
    }
    lua.push_text(fiber.text.get());
    1
}

/// Packs the value on top and pops it.
fn pack_value(lua: Lua, fiber: &Fiber, depth: u32) {
    let out = fiber.text.get();
    match lua.kind(-1) {
        lua::STRING => {
            let text = lua.text(-1).expect("a string has a text");
            fiber.check_room(lua, text.len());
            pack_bytes(out, &text);
        }
        lua::BOOLEAN => out.push(if lua.boolean(-1) { 0xc3 } else { 0xc2 }),
        lua::NUMBER => pack_number(out, lua.number(-1)),
        lua::TABLE if depth < PACK_DEPTH_MAX => pack_table(lua, fiber, depth),
        _ => out.push(0xc0),
    }
    lua.pop(1);
}

fn pack_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.len() {
        len @ 0..32 => out.push(0xa0 | len as u8),
        len @ 32..0x100 => out.extend([0xd9, len as u8]),
        len @ 0x100..0x1_0000 => {
            out.push(0xda);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(0xdb);
            out.extend((len as u32).to_be_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

fn pack_number(out: &mut Vec<u8>, number: f64) {
    let is_integer = number.trunc() == number
        && (-9.223_372_036_854_775_8e18..9.223_372_036_854_775_8e18).contains(&number);
    if is_integer {
        return pack_integer(out, number as i64);
    }
    let single = number as f32;
    if f64::from(single) == number {
        out.push(0xca);
        out.extend(single.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend(number.to_be_bytes());
    }
}

fn pack_integer(out: &mut Vec<u8>, n: i64) {
    match n {
        0..=0x7f => out.push(n as u8),
        0x80..=0xff => out.extend([0xcc, n as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend((n as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend((n as u32).to_be_bytes());
        }
        0x1_0000_0000.. => {
            out.push(0xcf);
            out.extend(n.to_be_bytes());
        }
        -32..0 => out.push(n as u8),
        -128..-32 => out.extend([0xd0, n as u8]),
        -0x8000..-128 => {
            out.push(0xd1);
            out.extend((n as i16).to_be_bytes());
        }
        -0x8000_0000..-0x8000 => {
            out.push(0xd2);
            out.extend((n as i32).to_be_bytes());
        }
        _ => {
            out.push(0xd3);
            out.extend(n.to_be_bytes());
        }
    }
}

/// The head of an array (0x90, 0xdc, 0xdd) or a map (0x80, 0xde, 0xdf).
fn pack_head(out: &mut Vec<u8>, short: u8, long: u8, len: usize) {
    match len {
        0..16 => out.push(short | len as u8),
        16..0x1_0000 => {
            out.push(long);
            out.extend((len as u16).to_be_bytes());
        }
        _ => {
            out.push(long + 1);
            out.extend((len as u32).to_be_bytes());
        }
    }
}

fn pack_table(lua: Lua, fiber: &Fiber, depth: u32) {
    if !lua.check_stack(4) {
        lua.fail(b"stack overflow (in function mp_encode_lua_table_as_map)");
    }
    fiber.check_room(lua, 0);
    let (is_array, pairs) = array_or_count(lua);
    if is_array {
        pack_head(fiber.text.get(), 0x90, 0xdc, pairs);
        for index in 1..=pairs {
            lua.raw_get_at(-1, index as c_int);
            pack_value(lua, fiber, depth + 1);
        }
        return;
    }
    pack_head(fiber.text.get(), 0x80, 0xde, pairs);
    lua.push_nil();
    while lua.next(-2) {
        lua.push_value(-2);
        pack_value(lua, fiber, depth + 1);
        pack_value(lua, fiber, depth + 1);
    }
}

/// Whether the keys of the table on top are 1 to n without a hole, and how many keys there are.
fn array_or_count(lua: Lua) -> (bool, usize) {
    let (mut is_array, mut max, mut count) = (true, 0.0, 0);
    lua.push_nil();
    while lua.next(-2) {
        lua.pop(1);
        count += 1;
        let key = if lua.kind(-1) == lua::NUMBER { lua.number(-1) } else { 0.0 };
        is_array &= key >= 1.0 && key.trunc() == key && key <= f64::from(c_int::MAX);
        max = key.max(max);
    }
    (is_array && max == count as f64, count)
}

/// A container whose elements are being read.
#[derive(Clone, Copy)]
pub enum Level {
    Array { done: u32, len: u32 },
    Map { done: u32, len: u32, is_value_due: bool },
}

const MISSING: &[u8] = b"Missing bytes in input.";
const MALFORMED: &[u8] = b"Bad data format in input.";

struct Unpacker<'a> {
    lua: Lua,
    fiber: &'a Fiber,
    text: Text,
    at: usize,
}

impl Unpacker<'_> {
    fn take(&mut self, len: usize) -> &[u8] {
        if self.text.len() - self.at < len {
            self.lua.fail(MISSING);
        }
        self.at += len;
        &self.text[self.at - len..self.at]
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn fixed<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N));
        bytes
    }

    fn u16(&mut self) -> u32 {
        u32::from(u16::from_be_bytes(self.fixed()))
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.fixed())
    }

    /// Pushes one value, with all that it contains.
    fn value(&mut self) {
        self.fiber.unpacking.get().clear();
        self.begin();
        while let Some(level) = self.fiber.unpacking.get().last_mut() {
            match level {
                Level::Array { done, len } if *done == *len => self.end(),
                Level::Array { .. } => self.begin(),
                Level::Map { done, len, .. } if *done == *len => self.end(),
                Level::Map { .. } => self.begin(),
            }
        }
    }

    /// Pushes the value here: all of it, or the table that its elements go into.
    fn begin(&mut self) {
        if !self.lua.check_stack(4) {
            self.lua.fail(
                b"stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)",
            );
        }
        let lua = self.lua;
        match self.byte() {
            n @ 0..=0x7f => lua.push_number(f64::from(n)),
            n @ 0x80..=0x8f => return self.begin_map(u32::from(n & 15)),
            n @ 0x90..=0x9f => return self.begin_array(u32::from(n & 15)),
            n @ 0xa0..=0xbf => self.string(u32::from(n & 31)),
            0xc0 => lua.push_nil(),
            0xc2 => lua.push_boolean(false),
            0xc3 => lua.push_boolean(true),
            0xca => lua.push_number(f64::from(f32::from_be_bytes(self.fixed()))),
            0xcb => lua.push_number(f64::from_be_bytes(self.fixed())),
            0xcc => lua.push_number(f64::from(self.byte())),
            0xcd => lua.push_number(f64::from(self.u16())),
            0xce => lua.push_number(f64::from(self.u32())),
            // The original has no unsigned 64-bit integers.
            0xcf => lua.push_number(i64::from_be_bytes(self.fixed()) as f64),
            0xd0 => lua.push_number(f64::from(self.byte() as i8)),
            0xd1 => lua.push_number(f64::from(self.u16() as i16)),
            0xd2 => lua.push_number(f64::from(self.u32() as i32)),
            0xd3 => lua.push_number(i64::from_be_bytes(self.fixed()) as f64),
            0xd9 => {
                let len = u32::from(self.byte());
                self.string(len);
            }
            0xda => {
                let len = self.u16();
                self.string(len);
            }
            0xdb => {
                let len = self.u32();
                self.string(len);
            }
            0xdc => {
                let len = self.u16();
                return self.begin_array(len);
            }
            0xdd => {
                let len = self.u32();
                return self.begin_array(len);
            }
            0xde => {
                let len = self.u16();
                return self.begin_map(len);
            }
            0xdf => {
                let len = self.u32();
                return self.begin_map(len);
            }
            n @ 0xe0..=0xff => lua.push_number(f64::from(n as i8)),
            _ => lua.fail(MALFORMED),
        }
        self.place();
    }

    fn string(&mut self, len: u32) {
        let lua = self.lua;
        lua.push_text(self.take(len as usize));
    }

    fn begin_array(&mut self, len: u32) {
        self.lua.new_table(0, 0);
        self.fiber.unpacking.get().push(Level::Array { done: 0, len });
    }

    fn begin_map(&mut self, len: u32) {
        self.lua.new_table(0, 0);
        self.fiber.unpacking.get().push(Level::Map { done: 0, len, is_value_due: false });
    }

    fn end(&self) {
        self.fiber.unpacking.get().pop();
        self.place();
    }

    /// Puts the value on top where it belongs.
    fn place(&self) {
        match self.fiber.unpacking.get().last_mut() {
            None => {}
            Some(Level::Array { done, .. }) => {
                *done += 1;
                self.lua.raw_set_at(-2, *done as c_int);
            }
            Some(Level::Map { is_value_due, .. }) if !*is_value_due => *is_value_due = true,
            Some(Level::Map { done, is_value_due, .. }) => {
                *is_value_due = false;
                *done += 1;
                self.lua.raw_set(-3);
            }
        }
    }
}

/// Unpacks at most `limit` values from `offset` on; all of them if both are zero, else with the next offset in front.
fn unpack_some(lua: Lua, limit: i64, offset: i64) -> c_int {
    let text = lua.check_text(1);
    let len = text.len();
    if offset < 0 || limit < 0 {
        let (offset, len) = (offset as i32, len as i32);
        lua.fail_with(format_args!("Invalid request to unpack with offset of {offset} and limit of {len}."));
    }
    if offset as u64 > len as u64 {
        let (offset, len) = (offset as i32, len as i32);
        lua.fail_with(format_args!("Start offset {offset} greater than input length {len}."));
    }
    let is_all = limit == 0 && offset == 0;
    let limit = if is_all { i64::from(c_int::MAX) } else { limit };
    let mut unpacker = Unpacker { lua, fiber: lua.vm().fiber(), text, at: offset as usize };
    let mut count = 0;
    while unpacker.at < len && i64::from(count) < limit {
        unpacker.value();
        count += 1;
    }
    if is_all {
        return count;
    }
    if !lua.check_stack(1) {
        lua.fail(b"stack overflow (in function mp_unpack_full)");
    }
    lua.push_number(if unpacker.at == len { -1.0 } else { unpacker.at as f64 });
    lua.insert(2);
    count + 1
}

fn optional_integer(lua: Lua, arg: c_int) -> i64 {
    if lua.is_none_or_nil(arg) { 0 } else { lua.check_integer(arg) }
}

/// cmsgpack.unpack(text)
fn unpack(lua: Lua) -> c_int {
    unpack_some(lua, 0, 0)
}

/// cmsgpack.unpack_one(text [, offset])
fn unpack_one(lua: Lua) -> c_int {
    let offset = optional_integer(lua, 2);
    lua.set_top(1);
    unpack_some(lua, 1, offset)
}

/// cmsgpack.unpack_limit(text, limit [, offset])
fn unpack_limit(lua: Lua) -> c_int {
    let limit = lua.check_integer(2);
    let offset = optional_integer(lua, 3);
    lua.set_top(1);
    unpack_some(lua, limit, offset)
}
