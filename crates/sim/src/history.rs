//! What clients saw: the only thing the check of orders looks at.

use crate::op::Op;
use testkit::Value;

/// One operation of one connection.
#[derive(Clone, Debug)]
pub struct Record {
    /// The connection, unique in the run. Its operations stand in the history in the order it sent them.
    pub link: usize,
    pub op: Op,
    /// As it was sent; see [`crate::op::spell`].
    pub request: Vec<Vec<u8>>,
    /// When it was sent, in steps of the run; when its reply was read, with the reply. `None`: it may or may not have been done.
    pub invoked: u64,
    pub returned: Option<(u64, Value)>,
    /// When a client with MONITOR saw that it had been asked: who looks later sees what it did.
    pub seen: Option<u64>,
}

impl Record {
    /// Whether it touches several keys and was under way at this time.
    pub fn runs_over(&self, at: u64) -> bool {
        let returned = self.returned.as_ref().map_or(u64::MAX, |(at, _)| *at);
        self.op.keys().is_none_or(|keys| keys.len() > 1) && self.invoked < at && at <= returned
    }
}

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>6}", self.invoked)?;
        match &self.returned {
            Some((at, _)) => write!(f, "–{at:<6}")?,
            None => write!(f, "–      ")?,
        }
        write!(f, " connection {:<2} {}", self.link, Shown(&self.op))?;
        match &self.returned {
            Some((_, reply)) => write!(f, " → {}", flat(reply)),
            None => write!(f, " → ?"),
        }
    }
}

/// A reply on one line.
pub fn flat(reply: &Value) -> String {
    reply.to_string().replace('\n', ", ")
}

/// An operation on one line, keys by number.
struct Shown<'a>(&'a Op);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<String> = (0..100).map(|index| format!("k{index}")).collect();
        let line = |op: &Op| {
            let words = op.args(&names);
            let words = words.iter().map(|word| String::from_utf8_lossy(word).into_owned());
            words.collect::<Vec<_>>().join(" ")
        };
        let parts: Vec<String> = self.0.parts().iter().map(line).collect();
        match self.0 {
            Op::Block { seen, .. } => {
                let seen = seen.iter().map(|(key, reply)| format!("k{key} watched: {}; ", flat(reply)));
                write!(f, "{}MULTI {} EXEC", seen.collect::<String>(), parts.join("; "))
            }
            Op::Script { declared, .. } => write!(f, "EVAL, {declared} keys declared: {}", parts.join("; ")),
            Op::Follow { string, lists, .. } => write!(f, "EVAL, from k{string} to one of {lists:?}"),
            op => f.write_str(&line(op)),
        }
    }
}
