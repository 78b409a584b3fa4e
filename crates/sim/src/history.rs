//! What clients saw: the only thing the check of orders looks at.

use crate::workload::Op;
use testkit::Value;

/// One operation of one connection.
#[derive(Clone, Debug)]
pub struct Record {
    /// The connection, unique in the run. Its operations stand in the history in the order it sent them.
    pub link: usize,
    pub op: Op,
    /// When it was sent, in steps of the run; when its reply was read, with the reply. `None`: it may or may not have been done.
    pub invoked: u64,
    pub returned: Option<(u64, Value)>,
    /// When the simulator first saw what it wrote in the keyspace. A hint where in the order to look for it, no more.
    pub applied: Option<u64>,
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
        let names = (0..100).map(|index| format!("k{index}")).collect();
        let bytes = self.0.encode(&crate::workload::Keys::named(names));
        let request = testkit::decode(&bytes).expect("a request is an array").expect("a whole one").0;
        let words: Vec<String> =
            request.items().unwrap_or_default().iter().filter_map(Value::string).collect();
        f.write_str(&words.join(" "))
    }
}
