//! The bytes of a query, read from the front.

use crate::error::{Code, Error, shown};
use crate::text::is_separator;

/// A place in a query's text.
pub(super) struct Scanner<'a> {
    pub text: &'a [u8],
    pub at: usize,
    /// The word or number read last: what errors are near to.
    last: (usize, usize),
    /// How deep in parentheses and signs.
    pub depth: usize,
}

/// Whether a byte is part of a word.
pub(super) fn is_word(byte: u8) -> bool {
    !is_separator(byte)
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, last: (0, 0), depth: 0 }
    }

    pub fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub fn peek_at(&self, offset: usize) -> Option<u8> {
        self.text.get(self.at + offset).copied()
    }

    pub fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    pub fn starts_with(&self, prefix: &[u8]) -> bool {
        self.rest().starts_with(prefix)
    }

    /// Takes `prefix` if it stands here.
    pub fn take(&mut self, prefix: &[u8]) -> bool {
        let stands = self.starts_with(prefix);
        if stands {
            self.at += prefix.len();
        }
        stands
    }

    pub fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace() || byte == 0x0b) {
            self.at += 1;
        }
    }

    /// Remembers that what has been read since `start` is a word.
    pub fn note(&mut self, start: usize) -> &'a [u8] {
        self.last = (start, self.at);
        &self.text[start..self.at]
    }

    /// Reads a word with its backslashes, as it stands; empty if none does.
    pub fn word(&mut self) -> &'a [u8] {
        let start = self.at;
        while let Some(byte) = self.peek() {
            if byte == b'\\' && self.peek_at(1).is_some() {
                self.at += 2;
            } else if is_word(byte) {
                self.at += 1;
            } else {
                break;
            }
        }
        if self.at > start {
            self.note(start);
        }
        &self.text[start..self.at]
    }

    /// Reads a name: a word in which dots may stand, too.
    pub fn name(&mut self) -> &'a [u8] {
        let start = self.at;
        loop {
            self.word();
            if self.at > start && self.peek() == Some(b'.') && self.peek_at(1).is_some_and(is_word) {
                self.at += 1;
            } else {
                break;
            }
        }
        if self.at > start {
            self.note(start);
        }
        &self.text[start..self.at]
    }

    /// Takes `keyword` if it stands here as a whole word, in any case.
    pub fn take_keyword(&mut self, keyword: &[u8]) -> bool {
        let rest = self.rest();
        let stands = rest.len() >= keyword.len()
            && rest[..keyword.len()].eq_ignore_ascii_case(keyword)
            && !rest.get(keyword.len()).is_some_and(|&byte| is_word(byte));
        if stands {
            self.at += keyword.len();
        }
        stands
    }

    /// Reads what stands between the quotation mark here and the next one of its kind, backslashes included.
    pub fn quoted(&mut self) -> Result<&'a [u8], Error> {
        let mark = self.text[self.at];
        self.at += 1;
        let start = self.at;
        while let Some(byte) = self.peek() {
            if byte == b'\\' && self.peek_at(1).is_some() {
                self.at += 2;
            } else if byte == mark {
                let inside = self.note(start);
                self.at += 1;
                return Ok(inside);
            } else {
                self.at += 1;
            }
        }
        self.at = self.text.len();
        self.last = (start, self.at);
        Err(self.syntax())
    }

    /// Whether here is a `'` that has none behind it, which means nothing.
    pub fn is_lone_apostrophe(&self) -> bool {
        self.peek() == Some(b'\'') && !self.text[self.at + 1..].contains(&b'\'')
    }

    /// A syntax error here.
    pub fn syntax(&self) -> Error {
        let (start, end) = self.last;
        let near = shown(&self.text[start..end.min(self.text.len())]);
        Error::new(Code::Syntax, format!("Syntax error at offset {start} near {near}"))
    }

    /// An error about the name at `start`.
    pub fn error_near(&self, what: &str, start: usize, name: &[u8]) -> Error {
        Error::new(Code::Syntax, format!("{what} at offset {start} near {}", shown(name)))
    }

    /// One level deeper, unless that is too deep.
    pub fn descend(&mut self, is_legacy: bool) -> Result<(), Error> {
        self.depth += 1;
        if self.depth <= super::DEPTH_MAX {
            return Ok(());
        }
        Err(if is_legacy { self.syntax() } else { Error::new(Code::Syntax, "Parser stack overflow") })
    }

    /// The length of the number that stands here, sign included; 0 if none does. Dialect 1 knows no point in front, none behind, and no
    /// plus in an exponent.
    pub fn number_length(&self, is_legacy: bool) -> usize {
        let rest = self.rest();
        let digits = |from: usize| {
            rest[from.min(rest.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count()
        };
        let byte = |at: usize| rest.get(at).copied().unwrap_or(0);
        let mut at = usize::from(matches!(byte(0), b'+' | b'-'));
        if rest.len() >= at + 3
            && rest[at..at + 3].eq_ignore_ascii_case(b"inf")
            && !rest.get(at + 3).is_some_and(|&byte| is_word(byte))
        {
            return at + 3;
        }
        let whole = digits(at);
        at += whole;
        if byte(at) == b'.' {
            let fraction = digits(at + 1);
            match (whole, fraction, is_legacy) {
                (0, 0, _) | (0, _, true) => return 0,
                (_, 0, true) => {}
                _ => at += 1 + fraction,
            }
        } else if whole == 0 {
            return 0;
        }
        if matches!(byte(at), b'e' | b'E') {
            let sign = usize::from(byte(at + 1) == b'-' || (byte(at + 1) == b'+' && !is_legacy));
            let exponent = digits(at + 1 + sign);
            if exponent > 0 {
                at += 1 + sign + exponent;
            }
        }
        at
    }
}
