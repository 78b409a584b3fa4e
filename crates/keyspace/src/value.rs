//! What a key can hold.

use crate::record;
use base::blob::Blob;
use json::Document as Json;
use std::sync::Arc;
use types::showing::Showable;
use types::{Array, Hash, List, Set, Stream, Suggestions, VectorSet, ZSet};

/// The type of a value, named as TYPE names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    String,
    List,
    Set,
    Hash,
    ZSet,
    Stream,
    Array,
    Json,
    VectorSet,
    Suggestions,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::Hash => "hash",
            Self::ZSet => "zset",
            Self::Stream => "stream",
            Self::Array => "array",
            Self::Json => "ReJSON-RL",
            Self::VectorSet => "vectorset",
            Self::Suggestions => "trietype0",
        }
    }

    /// All types, for TYPE filters.
    pub const ALL: [Self; 10] = [
        Self::String,
        Self::List,
        Self::Set,
        Self::Hash,
        Self::ZSet,
        Self::Stream,
        Self::Array,
        Self::Json,
        Self::VectorSet,
        Self::Suggestions,
    ];
}

/// A value that belongs to whoever holds it: on its way into, out of or between keyspaces.
pub enum Value {
    /// `raw`: reported as encoding `raw` even if short, because it was built by APPEND or SETRANGE.
    Str {
        bytes: Blob,
        raw: bool,
    },
    List(Box<List>),
    Set(Box<Set>),
    Hash(Box<Hash>),
    ZSet(Box<ZSet>),
    Stream(Box<Stream>),
    Array(Box<Array>),
    Json(Box<Json>),
    VectorSet(Box<VectorSet>),
    Suggestions(Box<Suggestions>),
}

impl Value {
    /// A string value.
    pub fn string(bytes: &[u8]) -> Self {
        Self::Str { bytes: Arc::new(bytes.to_vec()), raw: false }
    }

    /// The value, for reading.
    pub fn view(&self) -> ValueRef<'_> {
        match self {
            Self::Str { bytes, raw } => ValueRef::Str { bytes: StrRef::Shared(bytes), raw: *raw },
            Self::List(list) => ValueRef::List(list),
            Self::Set(set) => ValueRef::Set(set),
            Self::Hash(hash) => ValueRef::Hash(hash),
            Self::ZSet(zset) => ValueRef::ZSet(zset),
            Self::Stream(stream) => ValueRef::Stream(stream),
            Self::Array(array) => ValueRef::Array(array),
            Self::Json(json) => ValueRef::Json(json),
            Self::VectorSet(set) => ValueRef::VectorSet(set),
            Self::Suggestions(suggestions) => ValueRef::Suggestions(suggestions),
        }
    }

    /// The collection, if it can be shown while it changes.
    pub(crate) fn showable(&mut self) -> Option<Showable<'_>> {
        match self {
            Self::Set(set) => Showable::of_set(set),
            Self::Hash(hash) => Showable::of_hash(hash),
            Self::ZSet(zset) => Showable::of_zset(zset),
            Self::List(list) => Some(Showable::List(list)),
            Self::Stream(stream) => Some(Showable::Stream(stream)),
            Self::Array(array) => Some(Showable::Array(array)),
            Self::Suggestions(suggestions) => Some(Showable::Suggestions(suggestions)),
            Self::VectorSet(set) => Some(Showable::VectorSet(set)),
            Self::Str { .. } | Self::Json(_) => None,
        }
    }

    /// The document, if it is one.
    pub(crate) fn document(&mut self) -> Option<&mut Json> {
        if let Self::Json(document) = self { Some(document) } else { None }
    }

    /// Bytes that it takes outside a record.
    pub(crate) fn outside_bytes(&self) -> usize {
        record::bytes_of(self.view())
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Str { .. } => Kind::String,
            Self::List(_) => Kind::List,
            Self::Set(_) => Kind::Set,
            Self::Hash(_) => Kind::Hash,
            Self::ZSet(_) => Kind::ZSet,
            Self::Stream(_) => Kind::Stream,
            Self::Array(_) => Kind::Array,
            Self::Json(_) => Kind::Json,
            Self::VectorSet(_) => Kind::VectorSet,
            Self::Suggestions(_) => Kind::Suggestions,
        }
    }
}

/// A value in its keyspace, for reading.
#[derive(Clone, Copy)]
pub enum ValueRef<'a> {
    Str { bytes: StrRef<'a>, raw: bool },
    List(&'a List),
    Set(&'a Set),
    Hash(&'a Hash),
    ZSet(&'a ZSet),
    Stream(&'a Stream),
    Array(&'a Array),
    Json(&'a Json),
    VectorSet(&'a VectorSet),
    Suggestions(&'a Suggestions),
}

/// A string value: in its record, or shared.
#[derive(Clone, Copy)]
pub enum StrRef<'a> {
    Inline(&'a [u8]),
    Shared(&'a Blob),
}

impl<'a> StrRef<'a> {
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Inline(bytes) => bytes,
            Self::Shared(blob) => blob,
        }
    }
}

impl ValueRef<'_> {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Str { .. } => Kind::String,
            Self::List(_) => Kind::List,
            Self::Set(_) => Kind::Set,
            Self::Hash(_) => Kind::Hash,
            Self::ZSet(_) => Kind::ZSet,
            Self::Stream(_) => Kind::Stream,
            Self::Array(_) => Kind::Array,
            Self::Json(_) => Kind::Json,
            Self::VectorSet(_) => Kind::VectorSet,
            Self::Suggestions(_) => Kind::Suggestions,
        }
    }

    /// The bytes of a string.
    pub fn string(&self) -> Option<&[u8]> {
        match self {
            Self::Str { bytes, .. } => Some(bytes.bytes()),
            _ => None,
        }
    }

    /// The name OBJECT ENCODING gives.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Str { raw: true, .. } => "raw",
            Self::Str { bytes, .. } => match bytes.bytes() {
                text if text.len() <= 20 && base::number::parse_i64(text).is_some() => "int",
                text if text.len() <= EMBSTR_BYTES_MAX => "embstr",
                _ => "raw",
            },
            Self::List(list) => list.encoding(),
            Self::Set(set) => set.encoding(),
            Self::Hash(hash) => hash.encoding(),
            Self::ZSet(zset) => zset.encoding(),
            Self::Stream(_) => "stream",
            Self::Array(array) => array.encoding(),
            // As of all values of modules.
            Self::Json(_) | Self::Suggestions(_) => "raw",
            Self::VectorSet(set) => set.encoding(),
        }
    }

    /// A copy that shares nothing that can change.
    pub fn duplicate(&self) -> Value {
        match self {
            Self::Str { bytes: StrRef::Shared(blob), raw } => {
                Value::Str { bytes: Arc::clone(blob), raw: *raw }
            }
            Self::Str { bytes, raw } => Value::Str { bytes: Arc::new(bytes.bytes().to_vec()), raw: *raw },
            Self::List(list) => Value::List(Box::new(List::clone(list))),
            Self::Set(set) => Value::Set(Box::new(Set::clone(set))),
            Self::Hash(hash) => Value::Hash(Box::new(Hash::clone(hash))),
            Self::ZSet(zset) => Value::ZSet(Box::new(ZSet::clone(zset))),
            Self::Stream(stream) => Value::Stream(Box::new(Stream::clone(stream))),
            Self::Array(array) => Value::Array(Box::new(Array::clone(array))),
            Self::Json(json) => Value::Json(Box::new(Json::clone(json))),
            Self::VectorSet(set) => Value::VectorSet(Box::new(VectorSet::clone(set))),
            Self::Suggestions(suggestions) => Value::Suggestions(Box::new(Suggestions::clone(suggestions))),
        }
    }
}

/// Strings up to this length are reported as `embstr` (Redis: OBJ_ENCODING_EMBSTR_SIZE_LIMIT).
const EMBSTR_BYTES_MAX: usize = 44;
