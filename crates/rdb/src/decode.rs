//! Bytes into values. The types of today are here, those of old in `ziplist` and `zipmap`.

mod pairs;
mod ziplist;
mod zipmap;

use crate::encode::{NODE_PACKED, NODE_PLAIN};
use crate::{Error, Reader, Shapes, Type, array, json, stream, suggestions, vectors};
use base::number;
use keyspace::Value;
use pairs::HashBuilder;
use std::sync::Arc;
use types::hash::FIELD_EXPIRE_MS_MAX;
use types::list::End;
use types::listpack::Listpack;
use types::{Hash, List, Set, ZSet};

/// Reads one value of a type. What follows it stays in the reader.
///
/// # Errors
/// See [`Error`].
pub fn value(kind: Type, reader: &mut Reader<'_>, shapes: &Shapes<'_>) -> Result<Value, Error> {
    let list = |list: List| Value::List(Box::new(list));
    let set = |set: Set| Value::Set(Box::new(set));
    let zset = |zset: ZSet| Value::ZSet(Box::new(zset));
    let hash = |hash: Hash| Value::Hash(Box::new(hash));
    match kind {
        Type::String => {
            reader.string().map(|text| Value::Str { bytes: Arc::new(text.into_vec()), raw: false })
        }
        Type::List => linked_list(reader, shapes).map(list),
        Type::ListZiplist => list_of_ziplist(reader, shapes).map(list),
        Type::ListQuicklist => quicklist_of_ziplists(reader, shapes).map(list),
        Type::ListQuicklist2 => quicklist(reader, shapes).map(list),
        Type::Set => table_of_members(reader, shapes).map(set),
        Type::SetIntset => Ok(set(Set::from_intset(reader.string()?.into_vec(), &shapes.set, shapes.seed)?)),
        Type::SetListpack => set_of_listpack(reader, shapes).map(set),
        Type::ZSet => scored(reader, shapes, |reader| reader.f64_le()).map(zset),
        Type::ZSetText => scored(reader, shapes, score_text).map(zset),
        Type::ZSetListpack => {
            zset_of_listpack(Listpack::from_bytes(reader.string()?.into_vec())?, shapes).map(zset)
        }
        Type::ZSetZiplist => zset_of_listpack(ziplist::to_listpack(&reader.string()?)?, shapes).map(zset),
        Type::Stream | Type::Stream2 | Type::Stream3 | Type::Stream4 | Type::Stream5 => {
            stream::read(kind, reader).map(|stream| Value::Stream(Box::new(stream)))
        }
        Type::Hash => hash_of_pairs(reader, shapes).map(hash),
        Type::HashZipmap => zipmap::to_hash(&reader.string()?, shapes).map(hash),
        Type::HashListpack => hash_of_listpack(reader.string()?.into_vec(), shapes).map(hash),
        Type::HashZiplist => {
            hash_of_listpack(ziplist::to_listpack(&reader.string()?)?.into_bytes(), shapes).map(hash)
        }
        Type::HashMetadata | Type::HashMetadataEarly => hash_of_triples(kind, reader, shapes).map(hash),
        Type::HashListpackEx | Type::HashListpackExEarly => {
            hash_of_listpack_ex(kind, reader, shapes).map(hash)
        }
        Type::HashValkey => hash_of_valkey(reader, shapes).map(hash),
        Type::Array => array::read(reader).map(|array| Value::Array(Box::new(array))),
        Type::Json => json::read(reader).map(|json| Value::Json(Box::new(json))),
        Type::VectorSet => vectors::read(reader).map(|set| Value::VectorSet(Box::new(set))),
        Type::Suggestions => suggestions::read(reader).map(|all| Value::Suggestions(Box::new(all))),
    }
}

// ---- lists

fn linked_list(reader: &mut Reader<'_>, shapes: &Shapes<'_>) -> Result<List, Error> {
    let mut list = List::new(shapes.list);
    for _ in 0..reader.count()? {
        list.push(End::Tail, &reader.string()?);
    }
    finished(list)
}

fn list_of_ziplist(reader: &mut Reader<'_>, shapes: &Shapes<'_>) -> Result<List, Error> {
    let mut list = List::new(shapes.list);
    for item in ziplist::to_listpack(&reader.string()?)?.iter() {
        item.with_text(|text| list.push(End::Tail, text));
    }
    finished(list)
}

fn quicklist_of_ziplists(reader: &mut Reader<'_>, shapes: &Shapes<'_>) -> Result<List, Error> {
    let mut list = List::new(shapes.list);
    for _ in 0..reader.count()? {
        list.load_listpack(ziplist::to_listpack(&reader.string()?)?.into_bytes())?;
    }
    finished(list)
}

fn quicklist(reader: &mut Reader<'_>, shapes: &Shapes<'_>) -> Result<List, Error> {
    let mut list = List::new(shapes.list);
    for _ in 0..reader.count()? {
        let (mark, node) = (reader.length()?, reader.string()?);
        match mark {
            NODE_PLAIN if !node.is_empty() => list.load_plain(&node),
            NODE_PACKED => list.load_listpack(node.into_vec())?,
            _ => return Err(Error::Corrupt("node of a list")),
        }
    }
    finished(list)
}

/// Nodes may have been empty, all of them.
fn finished(mut list: List) -> Result<List, Error> {
    list.finish_load();
    if list.is_empty() { Err(Error::Empty) } else { Ok(list) }
}

// ---- sets

fn table_of_members(reader: &mut Reader<'_>, shapes: &Shapes<'_>) -> Result<Set, Error> {
    let count = reader.count()?;
    let hint = usize::try_from(count).unwrap_or(usize::MAX);
    let mut set = None;
    for _ in 0..count {
        let member = reader.string()?;
        let set = set.get_or_insert_with(|| Set::new(&member, hint, &shapes.set, shapes.seed));
        if !set.add(&member, &shapes.set, shapes.seed) {
            return Err(Error::Corrupt("member of a set comes twice"));
        }
    }
    set.ok_or(Error::Empty)
}

fn set_of_listpack(reader: &mut Reader<'_>, shapes: &Shapes<'_>) -> Result<Set, Error> {
    Ok(Set::from_listpack(filled(reader.string()?.into_vec())?, &shapes.set, shapes.seed)?)
}

/// A listpack that says it is empty makes an empty collection, not a corrupt one.
fn filled(listpack: Vec<u8>) -> Result<Vec<u8>, Error> {
    if listpack == Listpack::new().as_bytes() { Err(Error::Empty) } else { Ok(listpack) }
}

// ---- sorted sets

fn scored(
    reader: &mut Reader<'_>,
    shapes: &Shapes<'_>,
    score: impl Fn(&mut Reader<'_>) -> Result<f64, Error>,
) -> Result<ZSet, Error> {
    let count = reader.count()?;
    let len = usize::try_from(count).unwrap_or(usize::MAX);
    let mut zset = ZSet::for_members(len, 0, &shapes.zset, shapes.seed);
    for _ in 0..count {
        let member = reader.string()?;
        let score = score(reader)?;
        if score.is_nan() {
            return Err(Error::Corrupt("score is not a number"));
        }
        if zset.insert(&member, score, &shapes.zset, shapes.seed).old.is_some() {
            return Err(Error::Corrupt("member of a sorted set comes twice"));
        }
    }
    Ok(zset)
}

/// Scores of old files: a length and so many digits, or one byte for what is not finite.
fn score_text(reader: &mut Reader<'_>) -> Result<f64, Error> {
    match reader.byte()? {
        253 => Ok(f64::NAN),
        254 => Ok(f64::INFINITY),
        255 => Ok(f64::NEG_INFINITY),
        len => number::parse_f64(reader.take(len.into())?).ok_or(Error::Corrupt("score")),
    }
}

fn zset_of_listpack(listpack: Listpack, shapes: &Shapes<'_>) -> Result<ZSet, Error> {
    if listpack.is_empty() {
        return Err(Error::Empty);
    }
    let mut zset = ZSet::from_listpack(listpack)?;
    zset.settle(&shapes.zset, shapes.seed);
    Ok(zset)
}

// ---- hashes

fn hash_of_listpack(listpack: Vec<u8>, shapes: &Shapes<'_>) -> Result<Hash, Error> {
    Ok(Hash::from_listpack(filled(listpack)?, &shapes.hash, shapes.seed)?)
}

fn hash_of_listpack_ex(kind: Type, reader: &mut Reader<'_>, shapes: &Shapes<'_>) -> Result<Hash, Error> {
    if kind == Type::HashListpackEx {
        // The earliest expire time: the fields have it too.
        reader.u64_le()?;
    }
    Ok(Hash::from_listpack_ex(filled(reader.string()?.into_vec())?, &shapes.hash, shapes.seed)?)
}

fn hash_of_pairs(reader: &mut Reader<'_>, shapes: &Shapes<'_>) -> Result<Hash, Error> {
    let count = reader.count()?;
    let mut hash = HashBuilder::new(count, shapes);
    for _ in 0..count {
        let (field, value) = (reader.string()?, reader.string()?);
        hash.add(&field, &value, None)?;
    }
    Ok(hash.finish())
}

fn hash_of_triples(kind: Type, reader: &mut Reader<'_>, shapes: &Shapes<'_>) -> Result<Hash, Error> {
    // Times are kept relative to the earliest and one more, since 0 stands for "never".
    let base_ms = match kind {
        Type::HashMetadata => i128::from(reader.u64_le()?) - 1,
        _ => 0,
    };
    if base_ms > i128::from(FIELD_EXPIRE_MS_MAX) {
        return Err(Error::Corrupt("earliest expire time"));
    }
    let count = reader.count()?;
    let mut hash = HashBuilder::new(count, shapes);
    for _ in 0..count {
        let offset_ms = reader.length()?;
        let at_ms = if offset_ms == 0 { 0 } else { i128::from(offset_ms) + base_ms };
        let at_ms = u64::try_from(at_ms).ok().filter(|&at_ms| at_ms <= FIELD_EXPIRE_MS_MAX);
        let at_ms = at_ms.ok_or(Error::Corrupt("expire time of a field"))?;
        let (field, value) = (reader.string()?, reader.string()?);
        hash.add(&field, &value, Some(at_ms).filter(|&at_ms| at_ms != 0))?;
    }
    Ok(hash.finish())
}

/// What stands for "never" in files of Valkey.
const NEVER_MS: u64 = u64::MAX;

fn hash_of_valkey(reader: &mut Reader<'_>, shapes: &Shapes<'_>) -> Result<Hash, Error> {
    let count = reader.count()?;
    let mut hash = HashBuilder::new(count, shapes);
    for _ in 0..count {
        let (field, value, at_ms) = (reader.string()?, reader.string()?, reader.u64_le()?);
        if at_ms != NEVER_MS && !(1..=FIELD_EXPIRE_MS_MAX).contains(&at_ms) {
            return Err(Error::Corrupt("expire time of a field"));
        }
        hash.add(&field, &value, Some(at_ms).filter(|&at_ms| at_ms != NEVER_MS))?;
    }
    Ok(hash.finish())
}
