//! A reply as a tree that keeps every byte, also how a number was written.

use std::fmt;
use testkit::text::quote;

/// One value on the wire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reply {
    /// The byte it begins with.
    pub kind: u8,
    /// The text of what is not an aggregate; of the nulls of RESP2, what they look like on the wire.
    pub text: Vec<u8>,
    /// Elements; of a map, keys and values by turns.
    pub items: Vec<Reply>,
}

/// Deeper than any reply.
const DEPTH_MAX: usize = 64;

impl Reply {
    /// The first value of `bytes` and its length; `None` when more bytes are needed.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Reply, usize)>, String> {
        let mut at = 0;
        Ok(value(bytes, &mut at, 0)?.map(|reply| (reply, at)))
    }

    pub fn is_error(&self) -> bool {
        self.kind == b'-'
    }

    /// The number of an integer reply.
    pub fn integer(&self) -> Option<i64> {
        let text = std::str::from_utf8(&self.text).ok()?;
        if self.kind == b':' { text.parse().ok() } else { None }
    }

    /// Its elements in a canonical order, in pairs when they belong together.
    pub fn sorted(mut self, in_pairs: bool) -> Self {
        let mut groups: Vec<Vec<Reply>> =
            self.items.chunks(if in_pairs { 2 } else { 1 }).map(<[Reply]>::to_vec).collect();
        groups.sort();
        self.items = groups.concat();
        self
    }

    /// The same with everything in it passed through `change`, innermost first.
    pub fn map(mut self, change: &impl Fn(Reply) -> Reply) -> Self {
        self.items = self.items.into_iter().map(|item| item.map(change)).collect();
        change(self)
    }
}

/// One value; `Ok(None)` when the bytes end early.
fn value(bytes: &[u8], at: &mut usize, depth: usize) -> Result<Option<Reply>, String> {
    let rest = &bytes[*at..];
    let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
    let line = &rest[..end];
    let wrong = || Err(format!("not a reply: {}", line.escape_ascii()));
    let Some((&kind, text)) = line.split_first() else { return wrong() };
    *at += end + 2;
    let reply = |text: &[u8]| Reply { kind, text: text.to_vec(), items: Vec::new() };
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<usize>().ok());
    match (kind, number) {
        (b'+' | b'-' | b',' | b'#' | b'(' | b'_' | b':', _) => Ok(Some(reply(text))),
        (b'$' | b'*', _) if text == b"-1" => {
            Ok(Some(Reply { kind: b'_', text: line.to_vec(), items: Vec::new() }))
        }
        (b'$' | b'=' | b'!', Some(len)) => {
            let Some(body) = bytes.get(*at..*at + len + 2) else { return Ok(None) };
            if !body.ends_with(b"\r\n") {
                return wrong();
            }
            *at += len + 2;
            Ok(Some(reply(&body[..len])))
        }
        (b'*' | b'~' | b'%' | b'>', Some(count)) if depth < DEPTH_MAX => {
            let mut whole = reply(b"");
            for _ in 0..if kind == b'%' { 2 * count } else { count } {
                match value(bytes, at, depth + 1)? {
                    Some(item) => whole.items.push(item),
                    None => return Ok(None),
                }
            }
            Ok(Some(whole))
        }
        _ => wrong(),
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            b'*' | b'~' | b'%' | b'>' => {
                write!(f, "{}[", self.kind as char)?;
                for (index, item) in self.items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { " " })?;
                }
                write!(f, "]")
            }
            b'$' => write!(f, "{}", quote(&self.text)),
            b'=' | b'!' => write!(f, "{}{}", self.kind as char, quote(&self.text)),
            kind => write!(f, "{}{}", kind as char, self.text.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_whole_or_not_at_all() {
        let wire = b"*3\r\n$3\r\na\r\n\r\n%1\r\n+k\r\n,1.50\r\n~1\r\n_\r\n";
        let (reply, used) = Reply::parse(wire).unwrap().unwrap();
        assert_eq!(used, wire.len());
        assert_eq!(reply.to_string(), "*[\"a\\r\\n\" %[+k ,1.50] ~[_]]");
        for cut in 0..wire.len() {
            assert_eq!(Reply::parse(&wire[..cut]), Ok(None), "cut at {cut}");
        }
        assert!(Reply::parse(b"$1\r\nabc\r\n").is_err());
        assert!(Reply::parse(b"OK\r\n").is_err());
    }

    #[test]
    fn null_and_minus_one_differ() {
        let null = Reply::parse(b"$-1\r\n").unwrap().unwrap().0;
        let text = Reply::parse(b"$2\r\n-1\r\n").unwrap().unwrap().0;
        assert_ne!(null, text);
    }

    #[test]
    fn pairs_stay_together_when_sorted() {
        let reply = Reply::parse(b"*4\r\n$1\r\nb\r\n$1\r\n1\r\n$1\r\na\r\n$1\r\n2\r\n").unwrap().unwrap().0;
        assert_eq!(reply.clone().sorted(true).to_string(), "*[\"a\" \"2\" \"b\" \"1\"]");
        assert_eq!(reply.sorted(false).to_string(), "*[\"1\" \"2\" \"a\" \"b\"]");
    }
}
