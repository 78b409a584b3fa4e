//! The type bytes of values (`RDB_TYPE_*` in `rdb.h` of Redis).

use crate::ModuleName;
use keyspace::Kind;

/// How a value is laid out. The names say what stands behind the byte; a type once used keeps its number for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Type {
    String = 0,
    /// Strings, head first.
    List = 1,
    /// Strings.
    Set = 2,
    /// Pairs of string and score, the score as text.
    ZSetText = 3,
    /// Pairs of field and value.
    Hash = 4,
    /// Pairs of string and score, the score as eight bytes.
    ZSet = 5,
    HashZipmap = 9,
    ListZiplist = 10,
    SetIntset = 11,
    ZSetZiplist = 12,
    HashZiplist = 13,
    /// Ziplists.
    ListQuicklist = 14,
    /// Blocks, length and last id of a stream, and its groups.
    Stream = 15,
    HashListpack = 16,
    ZSetListpack = 17,
    /// Nodes, each a listpack or one element.
    ListQuicklist2 = 18,
    /// As `Stream`, with the first id, the greatest deleted one and the number of entries ever added.
    Stream2 = 19,
    SetListpack = 20,
    /// As `Stream2`, with the times at which consumers were active.
    Stream3 = 21,
    /// As `HashMetadata`, with absolute times and without the earliest in front (release candidates of Redis 7.4).
    HashMetadataEarly = 22,
    /// As `HashListpackEx` without the earliest time in front (release candidates of Redis 7.4).
    HashListpackExEarly = 23,
    /// The earliest expire time, then triples of expire time, field and value.
    HashMetadata = 24,
    /// The earliest expire time, then a listpack of field, value and expire time.
    HashListpackEx = 25,
    /// As `Stream3`, with the producers whose messages are added once at most.
    Stream4 = 26,
    /// As `Stream4`, with what was given back to each group (XNACK).
    Stream5 = 27,
    /// The number of elements, 1 and the cursor or 0, then position, kind and element of each.
    Array = 28,
    /// Triples of field, value and expire time. Only in files of Valkey, where its byte is 22.
    HashValkey = 122,
    /// A JSON document, a value of the module type `ReJSON-RL`. Its byte is that of all such values.
    Json = 123,
    /// A value of the module type `vectorset`. Its byte is that of all such values.
    VectorSet = 124,
    /// Suggestions of RediSearch, a value of the module type `trietype0`. Its byte is that of all such values.
    Suggestions = 125,
}

/// The byte of `HashValkey`.
const VALKEY_HASH: u8 = 22;
/// The byte of values of modules: which type it is their ids say.
pub(crate) const MODULE_VALUE: u8 = 7;

/// The types of Redis by their bytes.
static BY_BYTE: [Option<Type>; 29] = {
    let (mut types, mut index) = ([None; 29], 0);
    while index < Type::ALL.len() {
        types[Type::ALL[index] as usize] = Some(Type::ALL[index]);
        index += 1;
    }
    types
};

impl Type {
    /// All types of values that Redis writes and that can be read.
    pub const ALL: [Self; 26] = [
        Self::String,
        Self::List,
        Self::Set,
        Self::ZSetText,
        Self::Hash,
        Self::ZSet,
        Self::HashZipmap,
        Self::ListZiplist,
        Self::SetIntset,
        Self::ZSetZiplist,
        Self::HashZiplist,
        Self::ListQuicklist,
        Self::Stream,
        Self::HashListpack,
        Self::ZSetListpack,
        Self::ListQuicklist2,
        Self::Stream2,
        Self::SetListpack,
        Self::Stream3,
        Self::HashMetadataEarly,
        Self::HashListpackExEarly,
        Self::HashMetadata,
        Self::HashListpackEx,
        Self::Stream4,
        Self::Stream5,
        Self::Array,
    ];

    /// The type of a byte; `None` for what is no value, or none that can be read (modules).
    #[inline]
    pub fn from_byte(byte: u8) -> Option<Self> {
        BY_BYTE.get(usize::from(byte)).copied().flatten()
    }

    /// The type of a module that we know.
    pub fn of_module(name: ModuleName) -> Option<Self> {
        match name.as_str() {
            "ReJSON-RL" => Some(Self::Json),
            "vectorset" => Some(Self::VectorSet),
            "trietype0" => Some(Self::Suggestions),
            _ => None,
        }
    }

    /// The type of a byte in what Valkey writes.
    pub fn from_valkey_byte(byte: u8) -> Option<Self> {
        match byte {
            VALKEY_HASH => Some(Self::HashValkey),
            0..VALKEY_HASH => Self::from_byte(byte),
            _ => None,
        }
    }

    #[inline]
    pub fn byte(self) -> u8 {
        match self {
            Self::HashValkey => VALKEY_HASH,
            Self::Json | Self::VectorSet | Self::Suggestions => MODULE_VALUE,
            other => other as u8,
        }
    }

    /// What kind of value it is.
    pub fn value_kind(self) -> Kind {
        match self {
            Self::String => Kind::String,
            Self::List | Self::ListZiplist | Self::ListQuicklist | Self::ListQuicklist2 => Kind::List,
            Self::Set | Self::SetIntset | Self::SetListpack => Kind::Set,
            Self::ZSetText | Self::ZSet | Self::ZSetZiplist | Self::ZSetListpack => Kind::ZSet,
            Self::Stream | Self::Stream2 | Self::Stream3 | Self::Stream4 | Self::Stream5 => Kind::Stream,
            Self::Array => Kind::Array,
            Self::Json => Kind::Json,
            Self::VectorSet => Kind::VectorSet,
            Self::Suggestions => Kind::Suggestions,
            _ => Kind::Hash,
        }
    }

    /// The oldest version whose readers know the type, as far as it matters to who writes today.
    pub fn version(self) -> u16 {
        match self {
            Self::SetListpack | Self::Stream3 => 11,
            Self::HashMetadataEarly
            | Self::HashListpackExEarly
            | Self::HashMetadata
            | Self::HashListpackEx => 12,
            Self::Stream5 | Self::Array => 14,
            Self::Stream4 => 13,
            _ => super::VERSION_MIN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_types_correspond() {
        for byte in 0..=u8::MAX {
            let known = Type::from_byte(byte);
            assert_eq!(known.map_or(byte, Type::byte), byte);
            let unread = matches!(byte, 6 | 7 | 8 | 29..);
            assert_eq!(known.is_none(), unread, "{byte}");
            let known = Type::from_valkey_byte(byte);
            assert_eq!(known.map_or(byte, Type::byte), byte);
            assert_eq!(known.is_none(), matches!(byte, 6 | 7 | 8 | 23..), "{byte}");
        }
    }
}
