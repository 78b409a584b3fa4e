//! Why bytes are no value, or no file.

use std::fmt;
use types::listpack;

/// What is wrong with bytes that should be a value, or a file of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// They end too early. Whoever reads a file in pieces may try again with more.
    Truncated,
    /// They are not what they claim to be; the text says what.
    Corrupt(&'static str),
    /// A collection without elements, which no key can hold. A file's key may be passed over.
    Empty,
    /// A type, or an opcode in a file, that this version cannot read.
    Unsupported(u8),
    /// The value belongs to a module.
    Module(ModuleName),
    /// The value is of a module's type that can be read, in a version of its encoding that cannot.
    ModuleVersion(ModuleName, u16),
    /// A file of a newer version than any that is known.
    Newer(u16),
    /// Libraries of functions in the form that they had before Redis 7.0 was released.
    OldFunctions,
    /// What was read does not add up to what stands at its end.
    CheckSum { stored: u64, found: u64 },
}

/// The name of a module's type: nine characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ModuleName([u8; 9]);

impl ModuleName {
    /// The name in a number, six bits for each character; the ten lowest bits are a version.
    pub fn of(id: u64) -> Self {
        Self(std::array::from_fn(|index| MODULE_CHARACTERS[(id >> (58 - 6 * index) & 63) as usize]))
    }

    /// The six bits that stand for a character.
    pub(crate) const fn digit(character: u8) -> u64 {
        let mut digit = 0;
        while MODULE_CHARACTERS[digit] != character {
            digit += 1;
            assert!(digit < MODULE_CHARACTERS.len(), "not a character of a name");
        }
        digit as u64
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the characters are of ASCII")
    }
}

impl fmt::Debug for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const MODULE_CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the value ends too early"),
            Self::Corrupt(what) => write!(f, "corrupt value: {what}"),
            Self::Empty => f.write_str("the collection is empty"),
            Self::Unsupported(byte) => write!(f, "values of type {byte} cannot be read"),
            Self::Module(name) => write!(f, "values of the module type {name:?} cannot be read"),
            Self::ModuleVersion(name, version) => {
                write!(
                    f,
                    "values of the module type {name:?} in version {version} of their encoding cannot be read"
                )
            }
            Self::Newer(version) => write!(f, "version {version} of the format is not known"),
            Self::OldFunctions => f.write_str("functions in the form of before Redis 7.0 cannot be read"),
            Self::CheckSum { stored, found } => {
                write!(f, "RDB CRC error: the check sum is {found:016x}, but {stored:016x} was written")
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<listpack::Corrupt> for Error {
    fn from(_: listpack::Corrupt) -> Self {
        Self::Corrupt("packed encoding")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_have_names() {
        let id = b"ReJSON-RL".iter().fold(0, |id, byte| {
            let digit = MODULE_CHARACTERS.iter().position(|known| known == byte).expect("a known character");
            id << 6 | digit as u64
        });
        assert_eq!(ModuleName::of(id << 10 | 3).as_str(), "ReJSON-RL");
        assert_eq!(ModuleName::of(u64::MAX).as_str(), "_________");
    }
}
