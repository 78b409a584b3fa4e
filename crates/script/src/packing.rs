//! The library `struct` (0.2): binary formats.
//!
//! All sizes and positions are checked or wrap as the original's unsigned arithmetic does; no format leads outside the data.

use crate::lua::{Lua, Text, entry};
use crate::reply_out::truncate;
use crate::sandbox::until_zero;
use std::ffi::c_int;

/// Pushes the library.
pub fn push(lua: Lua) {
    lua.new_table(0, 3);
    lua.set_function(c"pack", entry!(pack));
    lua.set_function(c"unpack", entry!(unpack));
    lua.set_function(c"size", entry!(size));
}

/// Bytes of an integer at most.
const INTEGER_BYTES_MAX: usize = 32;
/// `!` without a number.
const ALIGNMENT_DEFAULT: usize = 8;

/// A format, read item by item.
struct Format {
    lua: Lua,
    text: Text,
    at: usize,
    is_big: bool,
    alignment: usize,
}

impl Format {
    fn new(lua: Lua) -> Self {
        Self { lua, text: lua.check_text(1), at: 0, is_big: false, alignment: 1 }
    }

    /// The next item and its size; sizes of other characters are 0.
    fn next(&mut self) -> Option<(u8, usize)> {
        let option = *until_zero(&self.text).get(self.at)?;
        self.at += 1;
        let size = match option {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number(1),
            b'i' | b'I' => {
                let size = self.number(4);
                if size > INTEGER_BYTES_MAX {
                    self.lua.fail_with(format_args!(
                        "integral size {size} is larger than limit of {INTEGER_BYTES_MAX}"
                    ));
                }
                size
            }
            _ => 0,
        };
        Some((option, size))
    }

    fn number(&mut self, otherwise: usize) -> usize {
        let text = self.text;
        let digits = text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return otherwise;
        }
        let number = text[self.at..self.at + digits]
            .iter()
            .try_fold(0i32, |number, digit| number.checked_mul(10)?.checked_add(i32::from(digit - b'0')));
        self.at += digits;
        match number {
            Some(number) => number as usize,
            None => self.lua.fail(b"integral size overflow"),
        }
    }

    /// Bytes to leave out before an item at `at`.
    fn padding(&self, at: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.alignment);
        size.wrapping_sub(at & (size - 1)) & (size - 1)
    }

    /// An item that only changes how the others are read.
    fn control(&mut self, option: u8) {
        match option {
            b' ' => {}
            b'>' => self.is_big = true,
            b'<' => self.is_big = false,
            b'!' => {
                let alignment = self.number(ALIGNMENT_DEFAULT);
                if !alignment.is_power_of_two() {
                    self.lua.fail_with(format_args!("alignment {alignment} is not a power of 2"));
                }
                self.alignment = alignment;
            }
            _ => {
                let mut text = *b"invalid format option '?'\0";
                text[23] = option;
                let text = std::ffi::CStr::from_bytes_until_nul(&text).expect("it ends with a zero byte");
                self.lua.argument_error(1, text);
            }
        }
    }
}

/// struct.pack(format, value, …)
fn pack(lua: Lua) -> c_int {
    let mut format = Format::new(lua);
    // As the original: it stands behind the arguments and shows in messages.
    lua.push_nil();
    let fiber = lua.vm().fiber();
    let out = fiber.text.get();
    out.clear();
    let mut arg = 2;
    while let Some((option, size)) = format.next() {
        out.resize(out.len() + format.padding(out.len(), option, size), 0);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                put_integer(out, lua.check_number(arg), format.is_big, size);
                arg += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                let number = lua.check_number(arg) as f32;
                out.extend(if format.is_big { number.to_be_bytes() } else { number.to_le_bytes() });
                arg += 1;
            }
            b'd' => {
                let number = lua.check_number(arg);
                out.extend(if format.is_big { number.to_be_bytes() } else { number.to_le_bytes() });
                arg += 1;
            }
            b'c' | b's' => {
                let text = lua.check_text(arg);
                arg += 1;
                let size = if size == 0 { text.len() } else { size };
                if text.len() < size {
                    lua.argument_error(arg, c"string too short");
                }
                fiber.check_room(lua, size);
                out.extend_from_slice(&text[..size]);
                if option == b's' {
                    out.push(0);
                }
            }
            _ => format.control(option),
        }
    }
    lua.push_text(out);
    1
}

/// As C casts a double to a 64-bit unsigned integer on the machines Redis runs on: negative numbers are two's complement,
/// what is too large is 0.
fn unsigned(number: f64) -> u64 {
    if number >= 2f64.powi(64) {
        0
    } else if number >= 2f64.powi(63) {
        number as u64
    } else {
        truncate(number) as u64
    }
}

fn put_integer(out: &mut Vec<u8>, number: f64, is_big: bool, size: usize) {
    let value = unsigned(number);
    let mut bytes = [0; INTEGER_BYTES_MAX];
    bytes[..8].copy_from_slice(&value.to_le_bytes());
    let bytes = &mut bytes[..size];
    if is_big {
        bytes.reverse();
    }
    out.extend_from_slice(bytes);
}

fn get_integer(bytes: &[u8], is_big: bool, is_signed: bool) -> f64 {
    let append = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let value = if is_big { bytes.iter().fold(0, append) } else { bytes.iter().rev().fold(0, append) };
    if !is_signed {
        return value as f64;
    }
    // The shift counts modulo 64, as the machine's does.
    let mask = u64::MAX.wrapping_shl((bytes.len() * 8).wrapping_sub(1) as u32);
    let value = if value & mask == 0 { value } else { value | mask };
    value as i64 as f64
}

/// struct.unpack(format, data [, position])
fn unpack(lua: Lua) -> c_int {
    let mut format = Format::new(lua);
    let data = lua.check_text(2);
    let position = if lua.is_none_or_nil(3) { 1 } else { lua.check_integer(3) as usize };
    if position == 0 {
        lua.argument_error(3, c"offset must be 1 or greater");
    }
    let mut at = position - 1;
    let mut count = 0;
    let check = |at: usize, size: usize| {
        if size > data.len() || at > data.len() - size {
            lua.argument_error(2, c"data string too short");
        }
    };
    while let Some((option, mut size)) = format.next() {
        at = at.wrapping_add(format.padding(at, option, size));
        check(at, size);
        if !lua.check_stack(2) {
            lua.fail(b"stack overflow (too many results)");
        }
        let bytes = &data[at..at + size];
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                lua.push_number(get_integer(bytes, format.is_big, option.is_ascii_lowercase()));
                count += 1;
            }
            b'x' => {}
            b'f' => {
                let mut raw = [0; 4];
                raw.copy_from_slice(bytes);
                let number = if format.is_big { f32::from_be_bytes(raw) } else { f32::from_le_bytes(raw) };
                lua.push_number(f64::from(number));
                count += 1;
            }
            b'd' => {
                let mut raw = [0; 8];
                raw.copy_from_slice(bytes);
                lua.push_number(if format.is_big {
                    f64::from_be_bytes(raw)
                } else {
                    f64::from_le_bytes(raw)
                });
                count += 1;
            }
            b'c' => {
                if size == 0 {
                    if count == 0 || !lua.is_number(-1) {
                        lua.fail(b"format 'c0' needs a previous size");
                    }
                    size = unsigned(lua.number(-1)) as usize;
                    lua.pop(1);
                    count -= 1;
                    check(at, size);
                }
                lua.push_text(&data[at..at + size]);
                count += 1;
            }
            b's' => {
                let Some(len) = data[at..].iter().position(|&byte| byte == 0) else {
                    lua.fail(b"unfinished string in data");
                };
                lua.push_text(&data[at..at + len]);
                size = len + 1;
                count += 1;
            }
            _ => format.control(option),
        }
        at += size;
    }
    lua.push_number((at + 1) as f64);
    count + 1
}

/// struct.size(format)
fn size(lua: Lua) -> c_int {
    let mut format = Format::new(lua);
    let mut at = 0usize;
    while let Some((option, size)) = format.next() {
        at = at.wrapping_add(format.padding(at, option, size));
        match option {
            b's' => lua.argument_error(1, c"option 's' has no fixed size"),
            b'c' if size == 0 => lua.argument_error(1, c"option 'c0' has no fixed size"),
            _ => {}
        }
        if !option.is_ascii_alphanumeric() {
            format.control(option);
        }
        at = at.wrapping_add(size);
    }
    lua.push_number(at as f64);
    1
}
