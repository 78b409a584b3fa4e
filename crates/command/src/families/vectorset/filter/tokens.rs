//! An expression as words: numbers, texts, tuples, fields, operators.

use super::{Fault, Op, Value, spelled};
use std::borrow::Cow;

/// Longer numbers are none.
const NUMBER_BYTES_MAX: usize = 255;

#[derive(Debug, PartialEq)]
pub(super) enum Token {
    Value(Value<'static>),
    Field(Vec<u8>),
    Op(Op),
}

/// The words of an expression, which ends at a zero byte.
pub(super) fn tokens(expression: &[u8]) -> Result<Vec<Token>, Fault> {
    let end = memchr::memchr(0, expression).unwrap_or(expression.len());
    let mut reader = Reader { text: &expression[..end], at: 0 };
    let mut tokens = Vec::new();
    loop {
        reader.skip_blanks();
        if reader.at == end {
            return Ok(tokens);
        }
        // Behind a value a minus takes away; elsewhere it belongs to a number.
        let is_operator = |last: &Token| matches!(last, Token::Op(op) if *op != Op::Close);
        match reader.token(tokens.last().is_none_or(is_operator)) {
            Some(token) => tokens.push(token),
            // As in Redis: where it was given up, or all of it if that was at the end.
            None => return Err(Fault::At(reader.at)),
        }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_blanks(&mut self) {
        // The vertical tab is a blank in C.
        while self.peek(0).is_ascii_whitespace() || self.peek(0) == 0x0b {
            self.at += 1;
        }
    }

    /// Goes on over what `fits`.
    fn run(&mut self, fits: impl Fn(u8) -> bool) -> &[u8] {
        let start = self.at;
        while self.at < self.text.len() && fits(self.text[self.at]) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    fn token(&mut self, may_be_negative: bool) -> Option<Token> {
        match (self.peek(0), self.peek(1)) {
            (b'0'..=b'9', _) => self.number().map(Token::Value),
            (b'-', b'0'..=b'9') if may_be_negative => self.number().map(Token::Value),
            (b'"' | b'\'', _) => self.string().map(Token::Value),
            (b'.', next) if is_of_field(next) => {
                self.at += 1;
                Some(Token::Field(self.run(is_of_field).to_vec()))
            }
            (b'[', _) => self.tuple().map(Token::Value),
            (byte, _) if byte.is_ascii_alphabetic() || is_of_operator(byte) => self.operator(),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Value<'static>> {
        let start = self.at;
        self.at += usize::from(self.peek(0) == b'-');
        self.run(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E'));
        let text = &self.text[start..self.at];
        spelled(text).filter(|_| text.len() <= NUMBER_BYTES_MAX).map(Value::Number)
    }

    fn string(&mut self) -> Option<Value<'static>> {
        let quote = self.peek(0);
        self.at += 1;
        let mut text = Vec::new();
        while self.at < self.text.len() {
            let byte = self.peek(0);
            self.at += 1;
            match byte {
                b'\\' if self.at < self.text.len() => {
                    text.push(match self.peek(0) {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        other => other,
                    });
                    self.at += 1;
                }
                byte if byte == quote => return Some(Value::Text(Cow::Owned(text))),
                byte => text.push(byte),
            }
        }
        None
    }

    /// `[1, "two", 3]`
    fn tuple(&mut self) -> Option<Value<'static>> {
        self.at += 1;
        let mut all = Vec::new();
        loop {
            self.skip_blanks();
            all.push(match self.peek(0) {
                b']' => break,
                b'0'..=b'9' | b'-' => self.number()?,
                b'"' | b'\'' => self.string()?,
                _ => return None,
            });
            self.skip_blanks();
            match self.peek(0) {
                b']' => break,
                b',' => self.at += 1,
                _ => return None,
            }
        }
        self.at += 1;
        Some(Value::Tuple(all))
    }

    /// The longest operator that stands here; of what follows without a blank, it may be the beginning.
    fn operator(&mut self) -> Option<Token> {
        let rest = &self.text[self.at..];
        if rest.starts_with(b"null") && !rest.get(4).is_some_and(u8::is_ascii_alphabetic) {
            self.at += 4;
            return Some(Token::Value(Value::Null));
        }
        let fitting = Op::NAMES.iter().filter(|(name, _)| rest.starts_with(name.as_bytes()));
        let Some((name, op)) = fitting.max_by_key(|(name, _)| name.len()) else {
            self.run(|byte| byte.is_ascii_alphabetic() || is_of_operator(byte));
            return None;
        };
        self.at += name.len();
        Some(Token::Op(*op))
    }
}

fn is_of_field(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_of_operator(byte: u8) -> bool {
    b"+-*%/!()<>=|&".contains(&byte)
}
