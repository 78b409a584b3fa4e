//! Reads one RESP2 or RESP3 value from the front of a buffer.
//!
//! Strict: what a well-behaved server would never send is an error, not a guess. It starts again from the front
//! when the buffer ends early, which is quadratic for huge replies and good enough for tests.

use crate::Value;
use std::fmt;

/// Deeper nesting than any reply of Redis has; keeps the recursion off the end of the stack.
const DEPTH_MAX: usize = 512;

/// The server broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolError(pub String);

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "protocol error: {}", self.0)
    }
}

impl std::error::Error for ProtocolError {}

/// Why decoding stopped before a whole value was read.
enum Stop {
    Incomplete,
    Broken(ProtocolError),
}

/// The first value of `buffer` and the number of bytes it took; `None` when more bytes are needed.
pub fn decode(buffer: &[u8]) -> Result<Option<(Value, usize)>, ProtocolError> {
    let mut reader = Reader { buffer, at: 0 };
    match reader.value(0) {
        Ok(value) => Ok(Some((value, reader.at))),
        Err(Stop::Incomplete) => Ok(None),
        Err(Stop::Broken(error)) => Err(error),
    }
}

struct Reader<'a> {
    buffer: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, Stop> {
        if depth > DEPTH_MAX {
            return Err(broken(format!("nested deeper than {DEPTH_MAX}")));
        }
        let line = self.line()?;
        let Some((&kind, rest)) = line.split_first() else { return Err(broken("an empty line")) };
        Ok(match kind {
            b'+' => Value::Simple(rest.to_vec()),
            b'-' => Value::Error(rest.to_vec()),
            b':' => match text(rest)?.parse() {
                Ok(natural) if natural > i64::MAX as u64 => Value::Natural(natural),
                _ => Value::Integer(number(rest)?),
            },
            b'$' if rest == b"-1" => Value::Null,
            b'$' => Value::Bulk(self.blob(rest)?.to_vec()),
            b'*' if rest == b"-1" => Value::NullArray,
            b'*' => Value::Array(self.values(rest, depth)?),
            b'_' if rest.is_empty() => Value::Null,
            b'#' if rest == b"t" => Value::Boolean(true),
            b'#' if rest == b"f" => Value::Boolean(false),
            b',' => Value::Double(text(rest)?.parse().map_err(|_| bad_line(line))?),
            b'(' => Value::BigNumber(text(rest)?.to_owned()),
            b'!' => Value::BlobError(self.blob(rest)?.to_vec()),
            b'=' => self.verbatim(rest)?,
            b'%' => Value::Map(self.pairs(rest, depth)?),
            b'~' => Value::Set(self.values(rest, depth)?),
            b'>' => Value::Push(self.values(rest, depth)?),
            b'|' => Value::Attributed {
                attributes: self.pairs(rest, depth)?,
                value: Box::new(self.value(depth + 1)?),
            },
            _ => return Err(bad_line(line)),
        })
    }

    /// The bytes up to the next CR LF, which is skipped.
    fn line(&mut self) -> Result<&'a [u8], Stop> {
        let rest = &self.buffer[self.at..];
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { return Err(Stop::Incomplete) };
        self.at += end + 1;
        match rest[..end].split_last() {
            Some((b'\r', line)) if !line.contains(&b'\r') => Ok(line),
            _ => Err(bad_line(&rest[..end])),
        }
    }

    fn blob(&mut self, length: &[u8]) -> Result<&'a [u8], Stop> {
        let length = count(length)?;
        let rest = &self.buffer[self.at..];
        if rest.len() < length + 2 {
            return Err(Stop::Incomplete);
        }
        if &rest[length..length + 2] != b"\r\n" {
            return Err(broken("a blob does not end in CR LF"));
        }
        self.at += length + 2;
        Ok(&rest[..length])
    }

    fn verbatim(&mut self, length: &[u8]) -> Result<Value, Stop> {
        let blob = self.blob(length)?;
        if blob.get(3) != Some(&b':') {
            return Err(broken("a verbatim string without its format"));
        }
        Ok(Value::Verbatim { format: text(&blob[..3])?.to_owned(), text: blob[4..].to_vec() })
    }

    fn values(&mut self, length: &[u8], depth: usize) -> Result<Vec<Value>, Stop> {
        (0..count(length)?).map(|_| self.value(depth + 1)).collect()
    }

    fn pairs(&mut self, length: &[u8], depth: usize) -> Result<Vec<(Value, Value)>, Stop> {
        (0..count(length)?).map(|_| Ok((self.value(depth + 1)?, self.value(depth + 1)?))).collect()
    }
}

fn broken(what: impl Into<String>) -> Stop {
    Stop::Broken(ProtocolError(what.into()))
}

fn bad_line(line: &[u8]) -> Stop {
    broken(format!("not a RESP line: {}", line.escape_ascii()))
}

fn text(bytes: &[u8]) -> Result<&str, Stop> {
    std::str::from_utf8(bytes).map_err(|_| bad_line(bytes))
}

fn number(bytes: &[u8]) -> Result<i64, Stop> {
    text(bytes)?.parse().map_err(|_| bad_line(bytes))
}

fn count(bytes: &[u8]) -> Result<usize, Stop> {
    let count: usize = text(bytes)?.parse().map_err(|_| bad_line(bytes))?;
    if count > 1 << 32 { Err(bad_line(bytes)) } else { Ok(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY_TYPE: &[(&[u8], &str)] = &[
        (b"+OK\r\n", "OK"),
        (b"-ERR no\r\n", "(error) ERR no"),
        (b":-5\r\n", "(integer) -5"),
        (b"$3\r\na\r\n\r\n", "\"a\\r\\n\""),
        (b"$-1\r\n", "(nil)"),
        (b"*-1\r\n", "(nil array)"),
        (b"_\r\n", "(nil)"),
        (b"*0\r\n", "(empty array)"),
        (b"#t\r\n", "(true)"),
        (b",1.5\r\n", "(double) 1.5"),
        (b",-inf\r\n", "(double) -inf"),
        (b"(123456789012345678901234567890\r\n", "(big number) 123456789012345678901234567890"),
        (b"!5\r\nERR x\r\n", "(blob error) \"ERR x\""),
        (b"=5\r\ntxt:a\r\n", "(verbatim txt) \"a\""),
        (b"*2\r\n:1\r\n*1\r\n$1\r\nb\r\n", "1) (integer) 1\n2) 1) \"b\""),
        (b"%1\r\n+k\r\n:1\r\n", "1# k => (integer) 1"),
        (b"~1\r\n$1\r\na\r\n", "1~ \"a\""),
        (b">1\r\n$1\r\na\r\n", "1> \"a\""),
    ];

    #[test]
    fn every_type_is_read_and_shown() {
        for (wire, shown) in EVERY_TYPE {
            let (value, used) = decode(wire).unwrap().unwrap();
            assert_eq!(used, wire.len());
            assert_eq!(value.to_string(), *shown);
        }
    }

    #[test]
    fn a_value_cut_short_asks_for_more() {
        for (wire, _) in EVERY_TYPE {
            for cut in 0..wire.len() {
                assert_eq!(decode(&wire[..cut]), Ok(None), "{} cut at {cut}", wire.escape_ascii());
            }
        }
    }

    #[test]
    fn what_is_not_resp_is_an_error() {
        for wire in [&b"OK\r\n"[..], b"+OK\n", b"+a\rb\r\n", b":1x\r\n", b"$1\r\nabc\r\n", b"#x\r\n", b"\r\n"]
        {
            assert!(decode(wire).is_err(), "{}", wire.escape_ascii());
        }
        assert!(decode(&b"*1\r\n".repeat(DEPTH_MAX + 2)).is_err());
    }
}
