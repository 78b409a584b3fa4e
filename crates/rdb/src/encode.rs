//! Values into bytes. Packed collections go out as they lie in memory; tables element by element.

use crate::{Type, append_len, append_string, array, stream};
use keyspace::ValueRef;
use types::list::NodeView;
use types::{Hash, List, Set, ZSet};

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
        ValueRef::Hash(Hash::ListpackEx(_)) => Type::HashListpackEx,
        ValueRef::Hash(table) if table.next_expire().is_some() && earliest(table).is_some() => {
            Type::HashMetadata
        }
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
    }
}

/// Appends a value in the layout of `kind`, which is what [`type_of`] says of it. The type's byte is not written: in
/// files the key stands between the two.
pub fn append_value(out: &mut Vec<u8>, value: ValueRef<'_>, kind: Type, options: &Options) {
    let compress = options.compress;
    match value {
        ValueRef::Str { bytes, .. } => append_string(out, bytes.bytes(), compress),
        ValueRef::List(list) => append_list(out, list, compress),
        ValueRef::Set(set) => append_set(out, set, kind, compress),
        ValueRef::Hash(hash) => append_hash(out, hash, kind, compress),
        ValueRef::ZSet(zset) => append_zset(out, zset, compress),
        ValueRef::Stream(stream) => stream::append(out, stream, kind, compress),
        ValueRef::Array(array) => array::append(out, array, compress),
    }
}

fn append_list(out: &mut Vec<u8>, list: &List, compress: bool) {
    let nodes = list.nodes();
    append_len(out, nodes.len() as u64);
    let mut listpack = Vec::new();
    for node in nodes {
        match node {
            NodeView::Plain(element) => {
                append_len(out, NODE_PLAIN);
                append_string(out, element, compress);
            }
            NodeView::Packed { .. } => {
                append_len(out, NODE_PACKED);
                listpack.clear();
                node.append_to(&mut listpack);
                append_string(out, &listpack, compress);
            }
        }
    }
}

fn append_set(out: &mut Vec<u8>, set: &Set, kind: Type, compress: bool) {
    match (set, kind) {
        (Set::Intset(intset), Type::SetIntset) => append_string(out, intset.as_bytes(), compress),
        (Set::Listpack(listpack), Type::SetListpack) => append_string(out, listpack.as_bytes(), compress),
        _ => {
            assert!(kind == Type::Set, "the type was chosen for this set");
            append_len(out, set.len() as u64);
            set.iter().for_each(|member| member.with_text(|text| append_string(out, text, compress)));
        }
    }
}

/// The earliest expire time among a hash's fields.
fn earliest(hash: &Hash) -> Option<u64> {
    hash.iter_all().filter_map(|entry| entry.expire).min()
}

fn append_hash(out: &mut Vec<u8>, hash: &Hash, kind: Type, compress: bool) {
    let first_ms = match (hash, kind) {
        (Hash::Listpack(listpack), Type::HashListpack) => {
            return append_string(out, listpack.as_bytes(), compress);
        }
        (Hash::ListpackEx(listpack), Type::HashListpackEx) => {
            out.extend_from_slice(&hash.next_expire().unwrap_or(0).to_le_bytes());
            return append_string(out, listpack.as_bytes(), compress);
        }
        (Hash::Table(_), Type::Hash) => None,
        (Hash::Table(_), Type::HashMetadata) => earliest(hash),
        _ => panic!("the type was chosen for this hash"),
    };
    if let Some(first_ms) = first_ms {
        out.extend_from_slice(&first_ms.to_le_bytes());
    }
    append_len(out, hash.len() as u64);
    for entry in hash.iter_all() {
        if let Some(first_ms) = first_ms {
            // Relative to the earliest and one more, since 0 stands for "never".
            append_len(out, entry.expire.map_or(0, |at_ms| at_ms - first_ms + 1));
        }
        entry.field.with_text(|field| append_string(out, field, compress));
        entry.value.with_text(|value| append_string(out, value, compress));
    }
}

fn append_zset(out: &mut Vec<u8>, zset: &ZSet, compress: bool) {
    if let Some(listpack) = zset.as_listpack() {
        return append_string(out, listpack.as_bytes(), compress);
    }
    append_len(out, zset.len() as u64);
    // Highest first, as Redis does: its reader then always inserts at the head.
    for (member, score) in zset.range_back(0..zset.len()) {
        member.with_text(|text| append_string(out, text, compress));
        out.extend_from_slice(&score.to_le_bytes());
    }
}
