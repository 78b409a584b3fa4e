//! A place in the text of a path, and the tokens that paths and expressions share.

use super::DEPTH_MAX;
use super::parse::SyntaxError;

/// Numbers beyond this stand for it: no array is that long.
const INDEX_MAX: i64 = 1 << 60;

/// A text with a place in it.
pub struct Cursor<'t> {
    pub text: &'t [u8],
    pub at: usize,
    depth: usize,
}

impl<'t> Cursor<'t> {
    pub fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    pub fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub fn rest(&self) -> &'t [u8] {
        &self.text[self.at..]
    }

    /// Passes over this, if it comes next.
    pub fn eat(&mut self, token: &[u8]) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    pub fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    pub fn error(&self, expected: &str) -> SyntaxError {
        SyntaxError::new(self.text, self.at, expected)
    }

    /// # Errors
    /// If something else comes next.
    pub fn expect(&mut self, token: &[u8]) -> Result<(), SyntaxError> {
        if self.eat(token) {
            return Ok(());
        }
        Err(self.error(&format!("'{}'", String::from_utf8_lossy(token))))
    }

    /// One level deeper for `inner`.
    ///
    /// # Errors
    /// Below [`DEPTH_MAX`], and what `inner` says.
    pub fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        self.descend()?;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// # Errors
    /// Below [`DEPTH_MAX`].
    pub fn descend(&mut self) -> Result<(), SyntaxError> {
        if self.depth == DEPTH_MAX {
            return Err(self.error("less nesting"));
        }
        self.depth += 1;
        Ok(())
    }

    /// The other way.
    pub fn ascend(&mut self, levels: usize) {
        self.depth -= levels;
    }

    /// A name as it may stand behind a dot; empty if none does.
    pub fn bare_name(&mut self) -> &'t [u8] {
        let len = self.rest().iter().position(|&byte| !is_of_name(byte)).unwrap_or(self.rest().len());
        let name = &self.rest()[..len];
        self.at += len;
        name
    }

    /// A whole number, if one comes next; huge ones are cut.
    pub fn index(&mut self) -> Option<i64> {
        let sign = usize::from(self.peek() == Some(b'-'));
        let digits = self.rest()[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let magnitude = self.rest()[sign..sign + digits].iter().fold(0_i64, |value, &digit| {
            value.saturating_mul(10).saturating_add(i64::from(digit - b'0')).min(INDEX_MAX)
        });
        self.at += sign + digits;
        Some(if sign == 1 { -magnitude } else { magnitude })
    }

    /// A string in quotes of either kind, if one comes next.
    ///
    /// # Errors
    /// If it does not end, or has half of a surrogate pair.
    pub fn quoted(&mut self) -> Result<Option<Vec<u8>>, SyntaxError> {
        let Some(quote @ (b'"' | b'\'')) = self.peek() else { return Ok(None) };
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.peek() {
                None => return Err(self.error("the end of a string")),
                Some(byte) if byte == quote => {
                    self.at += 1;
                    return Ok(Some(out));
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escaped(&mut out)?;
                }
                Some(byte) => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    /// What stands behind a backslash. One that escapes nothing stays, as regular expressions want it.
    fn escaped(&mut self, out: &mut Vec<u8>) -> Result<(), SyntaxError> {
        let Some(byte) = self.peek() else { return Err(self.error("the end of a string")) };
        self.at += 1;
        match byte {
            b'"' | b'\'' | b'\\' | b'/' => out.push(byte),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'u' => {
                let character = self.code_point()?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => out.extend_from_slice(&[b'\\', other]),
        }
        Ok(())
    }

    fn code_point(&mut self) -> Result<char, SyntaxError> {
        let first = self.four_digits()?;
        if let Some(character) = char::from_u32(first) {
            return Ok(character);
        }
        let second = if self.eat(b"\\u") { self.four_digits()? } else { 0 };
        let pair = [first as u16, second as u16];
        let decoded = char::decode_utf16(pair).next().and_then(Result::ok);
        decoded.ok_or_else(|| self.error("both halves of a surrogate pair"))
    }

    fn four_digits(&mut self) -> Result<u32, SyntaxError> {
        let digits = self.rest().get(..4).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let value = value.ok_or_else(|| self.error("four hexadecimal digits"))?;
        self.at += 4;
        Ok(value)
    }
}

/// Whether a byte may be part of a name that stands without quotes.
pub fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_-$+/%^:".contains(&byte)
}

/// Whether a name may be that of a function.
pub fn is_of_function(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}
