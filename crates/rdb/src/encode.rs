//! Values into bytes. Packed collections go out as they lie in memory; tables element by element, and all at once or in
//! steps ([`Encoder`]).

mod steps;

use crate::Type;
use keyspace::ValueRef;
use types::{Hash, Set, ZSet};

pub(crate) use steps::Room;
pub use steps::{Encoder, Progress};

/// How a node of a list is marked: one element by itself, or a listpack.
pub(crate) const NODE_PLAIN: u64 = 1;
pub(crate) const NODE_PACKED: u64 = 2;

/// How values are written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The newest version that the readers understand. The types of newer versions are avoided where the value can be
    /// told without them, which is everywhere but in hashes whose fields expire, which need 12, in streams that remember messages of
    /// producers, which need 13, and in arrays, which need 14.
    pub version: u16,
    /// Compress strings that shrink (`rdbcompression`).
    pub compress: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { version: crate::VERSION, compress: true }
    }
}

/// The type a value is written as.
pub fn type_of(value: ValueRef<'_>, options: &Options) -> Type {
    match value {
        ValueRef::Str { .. } => Type::String,
        ValueRef::List(_) => Type::ListQuicklist2,
        ValueRef::Set(Set::Intset(_)) => Type::SetIntset,
        ValueRef::Set(Set::Listpack(_)) if options.version >= Type::SetListpack.version() => {
            Type::SetListpack
        }
        ValueRef::Set(_) => Type::Set,
        ValueRef::Hash(Hash::Listpack(_)) => Type::HashListpack,
        // It had times, or none was found to get one: who knows no times can read it.
        ValueRef::Hash(hash @ Hash::ListpackEx(_))
            if options.version < Type::HashListpackEx.version() && hash.next_expire().is_none() =>
        {
            Type::Hash
        }
        ValueRef::Hash(Hash::ListpackEx(_)) => Type::HashListpackEx,
        ValueRef::Hash(table) if table.next_expire().is_some() => Type::HashMetadata,
        ValueRef::Hash(_) => Type::Hash,
        ValueRef::ZSet(ZSet::Listpack(_)) => Type::ZSetListpack,
        ValueRef::ZSet(ZSet::Tree(_)) => Type::ZSet,
        ValueRef::Stream(stream) if stream.groups.iter().any(|group| group.given_back() != 0) => {
            Type::Stream5
        }
        ValueRef::Stream(stream) if stream.producers().is_some() => Type::Stream4,
        ValueRef::Stream(_) if options.version >= Type::Stream3.version() => Type::Stream3,
        ValueRef::Stream(_) => Type::Stream2,
        ValueRef::Array(_) => Type::Array,
        ValueRef::Json(_) => Type::Json,
        ValueRef::VectorSet(_) => Type::VectorSet,
        ValueRef::Suggestions(_) => Type::Suggestions,
    }
}

/// Appends a value in the layout of `kind`, which is what [`type_of`] says of it. The type's byte is not written: in
/// files the key stands between the two.
pub fn append_value(out: &mut Vec<u8>, value: ValueRef<'_>, kind: Type, options: &Options) {
    let done = Encoder::for_type(kind, options).step(value, out, usize::MAX);
    assert!(done == Progress::Done, "the budget has no end");
}
