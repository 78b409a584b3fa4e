//! `cjson.decode`.

use super::check_one_argument;
use super::encode::Nesting;
use super::settings::Settings;
use crate::fiber::Fiber;
use crate::lua::{Lua, Text};
use crate::number_text::read_leading;
use std::ffi::c_int;

/// cjson.decode(text)
pub fn decode(lua: Lua) -> c_int {
    check_one_argument(lua);
    let text = lua.check_text(1);
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        lua.fail(b"JSON parser does not support UTF-16 or UTF-32");
    }
    let mut decoder = Decoder { lua, fiber: lua.vm().fiber(), settings: Settings::of(lua), text, at: 0 };
    decoder.fiber.nesting.get().clear();
    decoder.values();
    let token = decoder.next();
    if !matches!(token.kind, Kind::End) {
        decoder.expected("the end", token);
    }
    1
}

#[derive(Clone, Copy)]
enum Kind {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    /// Where it stands in the text.
    String {
        from: usize,
        to: usize,
    },
    /// It had escapes: it stands in the fiber's text.
    Unescaped,
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

#[derive(Clone, Copy)]
struct Token {
    kind: Kind,
    at: usize,
}

struct Decoder<'a> {
    lua: Lua,
    fiber: &'a Fiber,
    settings: &'a Settings,
    text: Text,
    at: usize,
}

impl Decoder<'_> {
    /// The byte at `at`; behind the end stands a zero, which ends the text wherever it is.
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    /// Pushes one value, with all that it contains.
    fn values(&mut self) {
        let mut token = self.next();
        loop {
            if !self.begin(&mut token) {
                continue;
            }
            loop {
                let Some(level) = self.fiber.nesting.get().last_mut() else { return };
                let is_object = match level {
                    Nesting::Object { .. } => {
                        self.lua.raw_set(-3);
                        true
                    }
                    Nesting::Array { done, .. } => {
                        *done += 1;
                        self.lua.raw_set_at(-2, *done);
                        false
                    }
                };
                token = self.next();
                match token.kind {
                    Kind::Comma => {
                        token = self.next();
                        if is_object {
                            self.key(&mut token);
                        }
                        break;
                    }
                    Kind::ObjectEnd if is_object => self.ascend(),
                    Kind::ArrayEnd if !is_object => self.ascend(),
                    _ if is_object => self.expected("comma or object end", token),
                    _ => self.expected("comma or array end", token),
                }
            }
        }
    }

    /// Pushes the value that begins with `token`. `false` if it is a container that is not empty: then `token` begins its
    /// first value.
    fn begin(&mut self, token: &mut Token) -> bool {
        match token.kind {
            Kind::String { .. } | Kind::Unescaped => self.push_string(*token),
            Kind::Number(number) => self.lua.push_number(number),
            Kind::Boolean(value) => self.lua.push_boolean(value),
            Kind::Null => self.lua.push_light(std::ptr::null_mut()),
            Kind::ObjectBegin => {
                self.descend(Nesting::Object { is_first: true });
                *token = self.next();
                if matches!(token.kind, Kind::ObjectEnd) {
                    self.ascend();
                    return true;
                }
                self.key(token);
                return false;
            }
            Kind::ArrayBegin => {
                self.descend(Nesting::Array { done: 0, len: 0 });
                *token = self.next();
                if matches!(token.kind, Kind::ArrayEnd) {
                    self.ascend();
                    return true;
                }
                return false;
            }
            _ => self.expected("value", *token),
        }
        true
    }

    fn push_string(&self, token: Token) {
        match token.kind {
            Kind::String { from, to } => self.lua.push_text(&self.text[from..to]),
            _ => self.lua.push_text(self.fiber.text.get()),
        }
    }

    /// Pushes the key that `token` is; afterwards `token` begins its value.
    fn key(&mut self, token: &mut Token) {
        if !matches!(token.kind, Kind::String { .. } | Kind::Unescaped) {
            self.expected("object key string", *token);
        }
        self.push_string(*token);
        let colon = self.next();
        if !matches!(colon.kind, Kind::Colon) {
            self.expected("colon", colon);
        }
        *token = self.next();
    }

    fn descend(&mut self, level: Nesting) {
        let nesting = self.fiber.nesting.get();
        nesting.push(level);
        let (depth, at) = (nesting.len(), self.at);
        if depth > self.settings.decode_depth_max as usize || !self.lua.check_stack(4) {
            self.lua
                .fail_with(format_args!("Found too many nested data structures ({depth}) at character {at}"));
        }
        self.lua.new_table(0, 0);
    }

    fn ascend(&self) {
        self.fiber.nesting.get().pop();
    }

    fn expected(&self, what: &str, token: Token) -> ! {
        let found = match token.kind {
            Kind::ObjectBegin => "T_OBJ_BEGIN",
            Kind::ObjectEnd => "T_OBJ_END",
            Kind::ArrayBegin => "T_ARR_BEGIN",
            Kind::ArrayEnd => "T_ARR_END",
            Kind::String { .. } | Kind::Unescaped => "T_STRING",
            Kind::Number(_) => "T_NUMBER",
            Kind::Boolean(_) => "T_BOOLEAN",
            Kind::Null => "T_NULL",
            Kind::Colon => "T_COLON",
            Kind::Comma => "T_COMMA",
            Kind::End => "T_END",
            Kind::Error(text) => text,
        };
        let at = token.at + 1;
        self.lua.fail_with(format_args!("Expected {what} but found {found} at character {at}"))
    }

    fn next(&mut self) -> Token {
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        let at = self.at;
        let kind = match self.byte(at) {
            b'{' => Kind::ObjectBegin,
            b'}' => Kind::ObjectEnd,
            b'[' => Kind::ArrayBegin,
            b']' => Kind::ArrayEnd,
            b':' => Kind::Colon,
            b',' => Kind::Comma,
            0 => return Token { kind: Kind::End, at },
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => {
                if self.settings.decode_invalid_numbers == 0 && self.is_invalid_number() {
                    return Token { kind: Kind::Error("invalid number"), at };
                }
                return self.number();
            }
            b'f' | b'i' | b'I' | b'n' | b'N' | b't' | b'+' => return self.word(),
            _ => return Token { kind: Kind::Error("invalid token"), at },
        };
        self.at += 1;
        Token { kind, at }
    }

    fn word(&mut self) -> Token {
        let at = self.at;
        let rest = &self.text[at..];
        let words = [
            (&b"true"[..], Kind::Boolean(true)),
            (&b"false"[..], Kind::Boolean(false)),
            (&b"null"[..], Kind::Null),
        ];
        if let Some((word, kind)) = words.into_iter().find(|(word, _)| rest.starts_with(word)) {
            self.at += word.len();
            return Token { kind, at };
        }
        if self.settings.decode_invalid_numbers != 0 && self.is_invalid_number() {
            return self.number();
        }
        Token { kind: Kind::Error("invalid token"), at }
    }

    /// Whether what begins here is a number that JSON does not know: with `+`, leading zeros, hexadecimal, inf, nan.
    fn is_invalid_number(&self) -> bool {
        let mut at = self.at;
        if self.byte(at) == b'+' {
            return true;
        }
        at += usize::from(self.byte(at) == b'-');
        match self.byte(at) {
            b'0' => matches!(self.byte(at + 1), b'x' | b'X' | b'0'..=b'9'),
            byte if byte <= b'9' => false,
            _ => {
                let word = [self.byte(at), self.byte(at + 1), self.byte(at + 2)]
                    .map(|byte| byte.to_ascii_lowercase());
                &word == b"inf" || &word == b"nan"
            }
        }
    }

    fn number(&mut self) -> Token {
        let at = self.at;
        let (number, len) = read_leading(&self.text[at..]);
        self.at += len;
        let kind = if len == 0 { Kind::Error("invalid number") } else { Kind::Number(number) };
        Token { kind, at }
    }

    fn string(&mut self) -> Token {
        let at = self.at;
        let from = at + 1;
        let is_plain = |byte: u8| !matches!(byte, b'"' | b'\\' | 0);
        let to = self.text[from..]
            .iter()
            .position(|&byte| !is_plain(byte))
            .map_or(self.text.len(), |len| from + len);
        self.at = to;
        if self.byte(to) == b'"' {
            self.at += 1;
            return Token { kind: Kind::String { from, to }, at };
        }
        let out = self.fiber.text.get();
        out.clear();
        out.extend_from_slice(&self.text[from..to]);
        loop {
            match self.byte(self.at) {
                b'"' => break,
                0 => return self.string_error("unexpected end of string"),
                b'\\' => match self.escape(out) {
                    Ok(len) => self.at += len,
                    Err(text) => return self.string_error(text),
                },
                byte => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        Token { kind: Kind::Unescaped, at }
    }

    fn string_error(&self, text: &'static str) -> Token {
        Token { kind: Kind::Error(text), at: self.at }
    }

    /// Decodes the escape here; its length.
    fn escape(&self, out: &mut Vec<u8>) -> Result<usize, &'static str> {
        let byte = match self.byte(self.at + 1) {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 0x08,
            b't' => b'\t',
            b'n' => b'\n',
            b'f' => 0x0c,
            b'r' => b'\r',
            b'u' => return self.unicode(out).ok_or("invalid unicode escape code"),
            _ => return Err("invalid escape code"),
        };
        out.push(byte);
        Ok(2)
    }

    fn unicode(&self, out: &mut Vec<u8>) -> Option<usize> {
        let first = self.hex4(self.at + 2)?;
        let (code, len) = if first & 0xf800 == 0xd800 {
            if first & 0x400 != 0 || self.byte(self.at + 6) != b'\\' || self.byte(self.at + 7) != b'u' {
                return None;
            }
            let second = self.hex4(self.at + 8)?;
            if second & 0xfc00 != 0xdc00 {
                return None;
            }
            ((((first & 0x3ff) << 10) | (second & 0x3ff)) + 0x10000, 12)
        } else {
            (first, 6)
        };
        let character = char::from_u32(code)?;
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Some(len)
    }

    fn hex4(&self, at: usize) -> Option<u32> {
        (at..at + 4).try_fold(0, |code, at| Some(code << 4 | char::from(self.byte(at)).to_digit(16)?))
    }
}
