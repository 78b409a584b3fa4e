//! A command's reply as a Lua value, by the rules of Redis.
//!
//! Replies come from the host, not from clients: a malformed one is a fault of ours. Attributes are skipped.

use crate::api::push_error;
use crate::lua::Lua;
use crate::reply_out::set_flag;
use base::number::parse_f64;
use base::number::{parse_i64, parse_u64};
use resp::Reply;
use std::ffi::c_int;

/// Deepest nesting of a reply.
const DEPTH_MAX: u32 = 128;

/// A reply that is being read. Large values stand beside the bytes.
struct Reader<'a> {
    reply: &'a Reply,
    at: usize,
    blobs: usize,
    is_resp3: bool,
}

/// Pushes what the reply says. Whether it is an error.
pub fn push(lua: Lua, reply: &Reply, is_resp3: bool) -> bool {
    let mut reader = Reader { reply, at: 0, blobs: 0, is_resp3 };
    let is_error = reply.buf.first() == Some(&b'-');
    reader.push(lua, 0);
    is_error
}

impl<'a> Reader<'a> {
    /// The rest of the line; moves behind its end.
    fn line(&mut self) -> &'a [u8] {
        let rest = &self.reply.buf[self.at..];
        let len = rest.iter().position(|&byte| byte == b'\r').expect("replies consist of lines");
        self.at += len + 2;
        &rest[..len]
    }

    fn number(&mut self) -> i64 {
        let line = self.line();
        // The usual case is one digit.
        match line {
            [digit @ b'0'..=b'9'] => i64::from(digit - b'0'),
            _ => parse_i64(line).expect("counts are numbers"),
        }
    }

    /// A number of a reply: positions of arrays may be beyond what is signed.
    fn integer(&mut self) -> f64 {
        let line = self.line();
        if let [digit @ b'0'..=b'9'] = line {
            return f64::from(digit - b'0');
        }
        let number = parse_i64(line).map(|number| number as f64);
        number.or_else(|| parse_u64(line).map(|number| number as f64)).expect("integers are numbers")
    }

    /// The bytes of a bulk string of this length; moves behind its end.
    fn bulk(&mut self, len: usize) -> &'a [u8] {
        if let Some((at, blob)) = self.reply.blobs.get(self.blobs)
            && *at == self.at
        {
            self.blobs += 1;
            self.at += 2;
            return blob;
        }
        let bytes = &self.reply.buf[self.at..self.at + len];
        self.at += len + 2;
        bytes
    }

    fn push(&mut self, lua: Lua, depth: u32) {
        // There is room for the outermost value: the call's arguments have left the stack.
        if depth > 0 && (depth > DEPTH_MAX || !lua.check_stack(8)) {
            lua.fail(b"reached lua stack limit");
        }
        let kind = self.reply.buf[self.at];
        self.at += 1;
        match kind {
            b'$' => match self.number() {
                -1 => lua.push_boolean(false),
                len => lua.push_text(self.bulk(len as usize)),
            },
            b':' => lua.push_number(self.integer()),
            b'+' => self.push_wrapped(lua, b"ok"),
            b'-' => {
                let text = self.line();
                push_error(lua, b"-", text);
                set_flag(lua, c"ignore_error_stats_update");
            }
            b'*' | b'>' => match self.number() {
                -1 => lua.push_boolean(false),
                len => self.push_array(lua, len, depth),
            },
            b'_' => {
                self.line();
                lua.push_nil();
            }
            b'#' => lua.push_boolean(self.line() == b"t"),
            b',' => {
                let line = self.line();
                let number = if line == b"nan" { f64::NAN } else { parse_f64(line).unwrap_or(0.0) };
                lua.new_table(0, 1);
                lua.set_number(c"double", number);
            }
            b'(' => self.push_wrapped(lua, b"big_number"),
            b'=' => self.push_verbatim(lua),
            b'%' => self.push_map(lua, depth),
            b'~' => self.push_set(lua, depth),
            b'|' => self.skip_attributes(lua, depth),
            _ => unreachable!("replies are well-formed"),
        }
    }

    fn push_wrapped(&mut self, lua: Lua, name: &[u8]) {
        lua.new_table(0, 1);
        lua.push_text(name);
        lua.push_text(self.line());
        lua.raw_set(-3);
    }

    fn push_array(&mut self, lua: Lua, len: i64, depth: u32) {
        if self.is_resp3 {
            // There may be nils. As Redis does it, so that `#` gives the same.
            lua.new_table(0, 0);
            for index in 0..len {
                lua.push_number((index + 1) as f64);
                self.push(lua, depth + 1);
                lua.raw_set(-3);
            }
            return;
        }
        lua.new_table(len as usize, 0);
        for index in 0..len {
            self.push(lua, depth + 1);
            lua.raw_set_at(-2, index as c_int + 1);
        }
    }

    fn push_verbatim(&mut self, lua: Lua) {
        let len = self.number() as usize;
        let bytes = self.bulk(len);
        lua.new_table(0, 1);
        lua.new_table(0, 2);
        lua.set_text(c"string", &bytes[4..]);
        lua.set_text(c"format", &bytes[..3]);
        lua.set_field(-2, c"verbatim_string");
    }

    fn push_map(&mut self, lua: Lua, depth: u32) {
        let pairs = self.number();
        lua.new_table(0, 1);
        lua.new_table(0, 0);
        for _ in 0..pairs {
            self.push(lua, depth + 1);
            self.push(lua, depth + 1);
            lua.raw_set(-3);
        }
        lua.set_field(-2, c"map");
    }

    fn push_set(&mut self, lua: Lua, depth: u32) {
        let len = self.number();
        lua.new_table(0, 1);
        lua.new_table(0, 0);
        for _ in 0..len {
            self.push(lua, depth + 1);
            lua.push_boolean(true);
            lua.raw_set(-3);
        }
        lua.set_field(-2, c"set");
    }

    /// Scripts do not see attributes; the value they belong to follows.
    fn skip_attributes(&mut self, lua: Lua, depth: u32) {
        let pairs = self.number();
        for _ in 0..2 * pairs {
            self.push(lua, depth + 1);
            lua.pop(1);
        }
        self.push(lua, depth);
    }
}
