//! `cjson.encode`.

use super::settings::Settings;
use super::{check_one_argument, type_name};
use crate::fiber::Fiber;
use crate::lua::{self, Lua};
use crate::number_text::append_general;
use std::ffi::c_int;

/// cjson.encode(value)
pub fn encode(lua: Lua) -> c_int {
    check_one_argument(lua);
    let encoder = Encoder { lua, fiber: lua.vm().fiber(), settings: Settings::of(lua) };
    encoder.fiber.text.get().clear();
    encoder.fiber.nesting.get().clear();
    encoder.value();
    encoder.nested();
    lua.push_text(encoder.fiber.text.get());
    1
}

/// A table that is being written: of an array its length and how many elements are written; of an object the key written
/// last is on the stack.
#[derive(Clone, Copy)]
pub enum Nesting {
    Array { done: c_int, len: c_int },
    Object { is_first: bool },
}

#[derive(Clone, Copy)]
struct Encoder<'a> {
    lua: Lua,
    fiber: &'a Fiber,
    settings: &'a Settings,
}

impl Encoder<'_> {
    fn out(&self) -> &mut Vec<u8> {
        self.fiber.text.get()
    }

    /// Writes the tables that are begun, until none is.
    fn nested(&self) {
        while let Some(level) = self.fiber.nesting.get().last_mut() {
            match level {
                Nesting::Array { done, len } if *done < *len => {
                    if *done > 0 {
                        self.out().push(b',');
                    }
                    *done += 1;
                    self.lua.raw_get_at(-1, *done);
                    self.value();
                }
                Nesting::Array { .. } => self.end(b']'),
                Nesting::Object { is_first } => {
                    if !self.lua.next(-2) {
                        self.end(b'}');
                        continue;
                    }
                    if !std::mem::take(is_first) {
                        self.out().push(b',');
                    }
                    self.key();
                    self.value();
                }
            }
        }
    }

    fn end(&self, bracket: u8) {
        self.out().push(bracket);
        self.fiber.nesting.get().pop();
        self.lua.pop(1);
    }

    fn key(&self) {
        match self.lua.kind(-2) {
            lua::NUMBER => {
                self.out().push(b'"');
                self.number(-2);
                self.out().extend_from_slice(b"\":");
            }
            lua::STRING => {
                self.string(-2);
                self.out().push(b':');
            }
            _ => self.refuse(-2, "table key must be a number or string"),
        }
    }

    /// Writes the value on top and pops it; a table is begun and stays.
    fn value(&self) {
        match self.lua.kind(-1) {
            lua::STRING => self.string(-1),
            lua::NUMBER => self.number(-1),
            lua::BOOLEAN => self.word(if self.lua.boolean(-1) { b"true" } else { b"false" }),
            lua::NIL => self.word(b"null"),
            lua::LIGHT_USERDATA if self.lua.userdata(-1).is_null() => self.word(b"null"),
            lua::TABLE => return self.begin_table(),
            _ => self.refuse(-1, "type not supported"),
        }
        self.lua.pop(1);
    }

    fn word(&self, word: &[u8]) {
        self.out().extend_from_slice(word);
    }

    fn begin_table(&self) {
        self.fiber.check_room(self.lua, 0);
        let nesting = self.fiber.nesting.get();
        let depth = nesting.len() + 1;
        if depth > self.settings.encode_depth_max as usize || !self.lua.check_stack(4) {
            self.lua.fail_with(format_args!("Cannot serialise, excessive nesting ({depth})"));
        }
        let len = self.array_length();
        if len > 0 {
            self.out().push(b'[');
            nesting.push(Nesting::Array { done: 0, len });
        } else {
            self.out().push(b'{');
            self.lua.push_nil();
            nesting.push(Nesting::Object { is_first: true });
        }
    }

    /// The largest index if all keys are positive integers, else -1; an array with few elements for its length is refused,
    /// or an object.
    fn array_length(&self) -> c_int {
        let (mut max, mut items) = (0, 0i64);
        self.lua.push_nil();
        while self.lua.next(-2) {
            let key = if self.lua.kind(-2) == lua::NUMBER { self.lua.number(-2) } else { 0.0 };
            if key.floor() != key || key < 1.0 {
                self.lua.pop(2);
                return -1;
            }
            if key > f64::from(max) {
                // As C's cast: an index that is too large becomes the smallest integer, and the table an object.
                max = if key <= f64::from(c_int::MAX) { key as c_int } else { c_int::MIN };
            }
            items += 1;
            self.lua.pop(1);
        }
        let ratio = i64::from(self.settings.sparse_ratio);
        if ratio > 0 && i64::from(max) > items.saturating_mul(ratio) && max > self.settings.sparse_safe {
            if self.settings.sparse_convert == 0 {
                self.refuse(-1, "excessively sparse array");
            }
            return -1;
        }
        max
    }

    fn number(&self, index: c_int) {
        let number = self.lua.number(index);
        if !number.is_finite() {
            match self.settings.encode_invalid_numbers {
                0 => self.refuse(index, "must not be NaN or Inf"),
                1 if number.is_nan() => return self.word(b"nan"),
                1 => {}
                _ => return self.word(b"null"),
            }
        }
        append_general(self.out(), number, self.settings.number_precision as usize);
    }

    fn string(&self, index: c_int) {
        let text = self.lua.text(index).expect("it is a string");
        self.fiber.check_room(self.lua, text.len());
        let out = self.out();
        out.reserve(text.len() + 2);
        out.push(b'"');
        let mut rest: &[u8] = &text;
        while let Some(at) = rest.iter().position(|&byte| is_escaped(byte)) {
            out.extend_from_slice(&rest[..at]);
            append_escape(out, rest[at]);
            rest = &rest[at + 1..];
        }
        out.extend_from_slice(rest);
        out.push(b'"');
    }

    fn refuse(&self, index: c_int, reason: &str) -> ! {
        let kind = type_name(self.lua, index);
        self.lua.fail_with(format_args!("Cannot serialise {kind}: {reason}"))
    }
}

fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'/' | b'\\' | 0x7f)
}

fn append_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        b'"' | b'/' | b'\\' => byte,
        _ => {
            let digits = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            return out.extend([digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
        }
    };
    out.extend([b'\\', short]);
}
