//! What is wrong with a file, and where.

use crate::{Error, Type};
use std::fmt;

/// What was being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Header,
    Opcode,
    Aux,
    Database,
    Function,
    ModuleAux,
    SlotImport,
    Hints,
    Key,
    Value(Type),
    ModuleValue,
    CheckSum,
    Index,
    /// A chunk of our own files, counted from 0.
    Chunk(usize),
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("the header"),
            Self::Opcode => f.write_str("what comes next"),
            Self::Aux => f.write_str("an AUX field"),
            Self::Database => f.write_str("number or size of a database"),
            Self::Function => f.write_str("a library of functions"),
            Self::ModuleAux => f.write_str("data of a module"),
            Self::SlotImport => f.write_str("a slot that comes from another node"),
            Self::Hints => f.write_str("what is known of a key"),
            Self::Key => f.write_str("a key"),
            Self::Value(kind) => write!(f, "a value ({kind:?}, type {})", kind.byte()),
            Self::ModuleValue => f.write_str("a value of a module"),
            Self::CheckSum => f.write_str("the check sum at the end"),
            Self::Index => f.write_str("the index of chunks"),
            Self::Chunk(number) => write!(f, "chunk {number}"),
        }
    }
}

/// The first thing in a file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// How far reading came, from the beginning of the file.
    pub offset: u64,
    /// Where the item begins that could not be read.
    pub item: u64,
    pub doing: Doing,
    /// Whose value it is: the database, and as much of the key as may stand in a log.
    pub key: Option<(u32, Box<[u8]>)>,
    pub error: Error,
}

/// Keys are cut to this length.
const KEY_BYTES_MAX: usize = 128;

impl Damage {
    pub(super) fn of_key(mut self, db: u32, key: &[u8]) -> Self {
        self.key = Some((db, key[..key.len().min(KEY_BYTES_MAX)].into()));
        self
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}, reading {}", self.offset, self.doing)?;
        if self.item != self.offset {
            write!(f, " that begins at byte {}", self.item)?;
        }
        if let Some((db, key)) = &self.key {
            write!(f, " of key \"{}\" in database {db}", key.escape_ascii())?;
        }
        match self.error {
            Error::Truncated => f.write_str(": the file ends too early"),
            Error::Unsupported(byte) if self.doing == Doing::Opcode => {
                write!(f, ": neither an opcode nor a type that is known: {byte}")
            }
            error => write!(f, ": {error}"),
        }
    }
}

impl std::error::Error for Damage {}
