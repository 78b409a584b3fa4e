//! A field of a JSON object, without reading more of it than that takes.
//!
//! As in Redis: only fields of the object itself, the first one of a name; numbers, texts with plain escapes, booleans as 1 and 0, null, and arrays of
//! these. Anything else counts as missing, and so does what is no JSON before the end of the field.

use super::{Value, spelled};
use std::borrow::Cow;

/// The field of that name; `None` if it is missing.
pub(super) fn field<'a>(json: &'a [u8], name: &[u8]) -> Option<Value<'a>> {
    let mut reader = Reader { json, at: 0 };
    reader.expect(b'{')?;
    loop {
        reader.skip_blanks();
        let key = reader.raw_string()?;
        reader.expect(b':')?;
        reader.skip_blanks();
        if key == name {
            return reader.value(true);
        }
        reader.skip_value()?;
        reader.expect(b',')?;
    }
}

struct Reader<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// That byte, behind blanks.
    fn expect(&mut self, byte: u8) -> Option<()> {
        self.skip_blanks();
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// What stands between quotes, escapes as they are.
    fn raw_string(&mut self) -> Option<&'a [u8]> {
        if self.peek()? != b'"' {
            return None;
        }
        let start = self.at + 1;
        let mut at = start;
        loop {
            at += memchr::memchr2(b'"', b'\\', self.json.get(at..)?)?;
            if self.json[at] == b'"' {
                self.at = at + 1;
                return Some(&self.json[start..at]);
            }
            at += 2;
        }
    }

    fn run(&mut self, fits: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = &self.json[self.at..];
        let len = rest.iter().position(|byte| !fits(*byte)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    /// Passes over a value, however deep.
    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'"' => drop(self.raw_string()?),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => self.at += 1,
                byte if byte.is_ascii_whitespace() && depth > 0 => self.at += 1,
                byte if is_of_word(byte) => drop(self.run(is_of_word)),
                _ => return None,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn value(&mut self, may_be_array: bool) -> Option<Value<'a>> {
        match self.peek()? {
            b'"' => self.raw_string().and_then(unescaped).map(Value::Text),
            b'[' if may_be_array => self.array(),
            _ => match self.run(is_of_word) {
                b"true" => Some(Value::Number(1.0)),
                b"false" => Some(Value::Number(0.0)),
                b"null" => Some(Value::Null),
                // Words such as `inf` are no numbers here.
                word if word
                    .iter()
                    .all(|byte| !byte.is_ascii_alphabetic() || matches!(byte, b'e' | b'E')) =>
                {
                    spelled(word).map(Value::Number)
                }
                _ => None,
            },
        }
    }

    fn array(&mut self) -> Option<Value<'a>> {
        self.at += 1;
        let mut all = Vec::new();
        self.skip_blanks();
        if self.peek()? == b']' {
            return Some(Value::Tuple(all));
        }
        loop {
            self.skip_blanks();
            all.push(self.value(false)?);
            self.skip_blanks();
            match self.peek()? {
                b']' => return Some(Value::Tuple(all)),
                b',' => self.at += 1,
                _ => return None,
            }
        }
    }
}

/// Of numbers, `true`, `false` and `null`.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

fn unescaped(raw: &[u8]) -> Option<Cow<'_, [u8]>> {
    if memchr::memchr(b'\\', raw).is_none() {
        return Some(Cow::Borrowed(raw));
    }
    let mut text = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'\\' => match bytes.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                same @ (b'"' | b'\\' | b'/') => *same,
                _ => return None,
            },
            byte => *byte,
        });
    }
    Some(Cow::Owned(text))
}
