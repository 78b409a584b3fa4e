//! Why bytes are no value.

use std::fmt;
use types::listpack;

/// What is wrong with bytes that should be a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// They end too early. Whoever reads a file in pieces may try again with more.
    Truncated,
    /// They are not what they claim to be; the text says what.
    Corrupt(&'static str),
    /// A collection without elements, which no key can hold. A file's key may be passed over.
    Empty,
    /// A type this version cannot read: of a module, or none at all.
    Unsupported(u8),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the value ends too early"),
            Self::Corrupt(what) => write!(f, "corrupt value: {what}"),
            Self::Empty => f.write_str("the collection is empty"),
            Self::Unsupported(byte) => write!(f, "values of type {byte} cannot be read"),
        }
    }
}

impl std::error::Error for Error {}

impl From<listpack::Corrupt> for Error {
    fn from(_: listpack::Corrupt) -> Self {
        Self::Corrupt("packed encoding")
    }
}
