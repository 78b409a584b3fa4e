//! Reads expressions: `||`, `&&`, comparisons, `+ -`, `* / %`, `^`, signs and `!`, from the loosest to the tightest.

use super::functions::find;
use super::{Node, Operator, Value};
use crate::error::{Code, Error, shown};
use base::number::parse_f64;

/// Parentheses, signs and calls may be nested as deep as this.
const DEPTH_MAX: usize = 100;

pub(super) fn parse(text: &[u8]) -> Result<Node, Error> {
    let mut parser = Parser { text, at: 0, depth: 0, unknown: None };
    let node = parser.binary(0)?;
    parser.skip_blanks();
    if parser.at < text.len() {
        return Err(parser.syntax());
    }
    match parser.unknown {
        None => Ok(node),
        Some(name) => Err(Error::new(Code::Expression, format!("Unknown symbol '{}'", shown(&name)))),
    }
}

/// Operators by how tight they bind. Those that begin like another stand before it.
const LEVELS: [&[(&[u8], Operator)]; 6] = [
    &[(b"||", Operator::Or)],
    &[(b"&&", Operator::And)],
    &[
        (b"==", Operator::Equal),
        (b"!=", Operator::Unequal),
        (b"<=", Operator::LessOrEqual),
        (b">=", Operator::GreaterOrEqual),
        (b"<", Operator::Less),
        (b">", Operator::Greater),
    ],
    &[(b"+", Operator::Add), (b"-", Operator::Subtract)],
    &[(b"*", Operator::Multiply), (b"/", Operator::Divide), (b"%", Operator::Modulo)],
    &[(b"^", Operator::Power)],
];

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    /// The first symbol that means nothing. That something cannot be read at all comes before.
    unknown: Option<Vec<u8>>,
}

impl Parser<'_> {
    fn binary(&mut self, level: usize) -> Result<Node, Error> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            self.skip_blanks();
            let Some((sign, operator)) =
                operators.iter().find(|(sign, _)| self.text[self.at..].starts_with(sign))
            else {
                return Ok(left);
            };
            self.at += sign.len();
            self.descend()?;
            // Powers group to the right.
            let tighter = if *operator == Operator::Power { level } else { level + 1 };
            let right = self.binary(tighter)?;
            if *operator == Operator::Power {
                self.depth -= 1;
                return Ok(Node::Binary(*operator, Box::new(left), Box::new(right)));
            }
            // Left operands nest as deep as the chain is long, so the chain's length counts, too.
            left = Node::Binary(*operator, Box::new(left), Box::new(right));
        }
    }

    fn unary(&mut self) -> Result<Node, Error> {
        self.skip_blanks();
        let Some(&byte) = self.text.get(self.at) else { return Err(self.syntax()) };
        match byte {
            b'!' => {
                self.at += 1;
                let inner = self.nested(Self::unary)?;
                Ok(Node::Not(Box::new(inner)))
            }
            b'-' => {
                self.at += 1;
                Ok(match self.nested(Self::unary)? {
                    Node::Literal(Value::Number(number)) => Node::Literal(Value::Number(-number)),
                    inner => Node::Negated(Box::new(inner)),
                })
            }
            b'+' => {
                self.at += 1;
                self.nested(Self::unary)
            }
            b'(' => {
                self.at += 1;
                let inner = self.nested(|parser| parser.binary(0))?;
                self.expect(b')')?;
                Ok(inner)
            }
            b'@' => {
                self.at += 1;
                let name = self.name();
                if name.is_empty() { Err(self.syntax()) } else { Ok(Node::Property(name)) }
            }
            b'"' | b'\'' => self.quoted(byte),
            b'0'..=b'9' | b'.' => self.number(),
            _ if byte.is_ascii_alphabetic() || byte == b'_' => self.symbol(),
            _ => Err(self.syntax()),
        }
    }

    fn nested(&mut self, inner: impl FnOnce(&mut Self) -> Result<Node, Error>) -> Result<Node, Error> {
        self.descend()?;
        let node = inner(self)?;
        self.depth -= 1;
        Ok(node)
    }

    fn descend(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > DEPTH_MAX * 4 { Err(self.syntax()) } else { Ok(()) }
    }

    fn skip_blanks(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        self.skip_blanks();
        if self.text.get(self.at) != Some(&byte) {
            return Err(self.syntax());
        }
        self.at += 1;
        Ok(())
    }

    fn syntax(&self) -> Error {
        let near = shown(&self.text[self.at.min(self.text.len())..]);
        Error::new(Code::Expression, format!("Syntax error at offset {} near '{near}'", self.at))
    }

    /// A name: letters, digits, `_`, bytes that are no ASCII, dots inside, and what a backslash protects.
    fn name(&mut self) -> Vec<u8> {
        let mut name = Vec::new();
        while let Some(&byte) = self.text.get(self.at) {
            let inside_dot =
                byte == b'.' && self.text.get(self.at + 1).is_some_and(u8::is_ascii_alphanumeric);
            if byte == b'\\' && self.at + 1 < self.text.len() {
                self.at += 1;
                name.push(self.text[self.at]);
            } else if byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80 || inside_dot {
                name.push(byte);
            } else {
                break;
            }
            self.at += 1;
        }
        name
    }

    fn quoted(&mut self, mark: u8) -> Result<Node, Error> {
        self.at += 1;
        let mut text = Vec::new();
        while let Some(&byte) = self.text.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' if self.at < self.text.len() => {
                    let next = self.text[self.at];
                    self.at += 1;
                    match next {
                        b'n' => text.push(b'\n'),
                        b't' => text.push(b'\t'),
                        b'r' => text.push(b'\r'),
                        _ => text.push(next),
                    }
                }
                _ if byte == mark => return Ok(Node::Literal(Value::Text(text))),
                _ => text.push(byte),
            }
        }
        Err(self.syntax())
    }

    fn number(&mut self) -> Result<Node, Error> {
        let start = self.at;
        let mut is_exponent = false;
        while let Some(&byte) = self.text.get(self.at) {
            let sign = matches!(byte, b'+' | b'-') && is_exponent;
            if !(byte.is_ascii_digit() || byte == b'.' || matches!(byte, b'e' | b'E') || sign) {
                break;
            }
            is_exponent = matches!(byte, b'e' | b'E');
            self.at += 1;
        }
        let number = parse_f64(&self.text[start..self.at]);
        number.map(|number| Node::Literal(Value::Number(number))).ok_or_else(|| self.syntax())
    }

    /// `inf`, `nan`, `NULL`, or a call.
    fn symbol(&mut self) -> Result<Node, Error> {
        let name = self.name();
        self.skip_blanks();
        if self.text.get(self.at) == Some(&b'(') {
            return self.call(&name);
        }
        match name.to_ascii_lowercase().as_slice() {
            b"inf" => Ok(Node::Literal(Value::Number(f64::INFINITY))),
            b"null" => Ok(Node::Literal(Value::Null)),
            _ => {
                self.unknown.get_or_insert(name);
                Ok(Node::Literal(Value::Null))
            }
        }
    }

    fn call(&mut self, name: &[u8]) -> Result<Node, Error> {
        let Some(function) = find(name) else {
            return Err(Error::new(Code::Expression, format!("Unknown function name '{}'", shown(name))));
        };
        self.at += 1;
        let mut arguments = Vec::new();
        self.skip_blanks();
        if self.text.get(self.at) == Some(&b')') {
            self.at += 1;
        } else {
            loop {
                arguments.push(self.nested(|parser| parser.binary(0))?);
                self.skip_blanks();
                match self.text.get(self.at) {
                    Some(b',') => self.at += 1,
                    Some(b')') => break,
                    _ => return Err(self.syntax()),
                }
            }
            self.at += 1;
        }
        function.check_count(arguments.len())?;
        Ok(Node::Call(function, arguments))
    }
}
