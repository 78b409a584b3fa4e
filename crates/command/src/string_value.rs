//! String values for all families that work on strings: sending them, and changing them where they lie.
//!
//! Invariant: a string never grows beyond `proto-max-bulk-len`; callers ask [`check_len`] first.

use crate::{Args, Cx, Error};
use keyspace::Pos;
use keyspace::value::StrRef;
use keyspace::{Key, Value};
use resp::Reply;
use std::ops::Range;
use std::sync::Arc;

/// From this length on a value is sent from where it lies.
const SHARE_BYTES_MIN: usize = 32 * 1024;
/// From this length on memory is asked for so that a refusal is an error, and strings no longer double.
const LARGE_BYTES: usize = 1 << 20;

/// Writes a string value as a bulk; large ones are not copied.
#[inline]
pub fn reply(out: &mut Reply, value: StrRef<'_>) {
    match value {
        StrRef::Shared(blob) if blob.len() >= SHARE_BYTES_MIN => out.bulk_shared(blob.clone()),
        value => out.bulk(value.bytes()),
    }
}

/// Refuses strings of `len + more` bytes that are too long.
///
/// # Errors
/// `ERR string exceeds maximum allowed size (proto-max-bulk-len)`
pub fn check_len(cx: &Cx<'_>, len: usize, more: usize) -> Result<usize, Error> {
    let total = len.checked_add(more).ok_or_else(|| Error::STRING_TOO_LONG)?;
    if total > cx.shard.limits.string_bytes_max { Err(Error::STRING_TOO_LONG) } else { Ok(total) }
}

/// Stores a string under a key that is at `pos`, or absent.
#[inline]
pub fn put(cx: &mut Cx<'_>, key: Key<'_>, pos: Option<Pos>, value: &[u8], expire: Option<u64>) {
    let age = cx.shard.clock_age();
    cx.db().put_str(key, pos, value, expire, age);
}

/// As [`put`] of what has been made of the value that was there: it is not another one.
#[inline]
pub fn put_changed(cx: &mut Cx<'_>, key: Key<'_>, pos: Option<Pos>, value: &[u8], expire: Option<u64>) {
    let age = cx.shard.clock_age();
    let db = cx.db();
    match pos {
        Some(_) => db.silently(|db| db.put_str(key, pos, value, expire, age)),
        None => db.put_str(key, pos, value, expire, age),
    };
}

/// As [`put`] for an argument, which is not copied if it stands in a buffer of its own.
#[inline]
pub fn put_arg(
    cx: &mut Cx<'_>,
    key: Key<'_>,
    pos: Option<Pos>,
    args: Args<'_>,
    index: usize,
    expire: Option<u64>,
) {
    let Some(blob) = args.blob(index) else { return put(cx, key, pos, args.at(index), expire) };
    let age = cx.shard.clock_age();
    cx.db().put(key, pos, Value::Str { bytes: blob.clone(), raw: false }, expire, age);
}

/// Changes the bytes of the string at `pos` (or of a new one), which is first filled up with zeros to `len_min` bytes.
/// `changes`: those that `change` may change of what was there before. The expiry stays.
///
/// # Errors
/// WRONGTYPE; no memory. Then nothing has changed.
pub fn edit<R>(
    cx: &mut Cx<'_>,
    key: Key<'_>,
    pos: Option<Pos>,
    len_min: usize,
    changes: impl IntoIterator<Item = Range<usize>>,
    change: impl FnOnce(&mut [u8]) -> R,
) -> Result<R, Error> {
    let age = cx.shard.clock_age();
    let db = cx.db();
    let Some(pos) = pos else {
        let mut bytes = zeros(len_min)?;
        let result = change(&mut bytes);
        db.put(key, None, Value::Str { bytes: Arc::new(bytes), raw: true }, None, age);
        return Ok(result);
    };
    let len = db.str(pos).ok_or_else(|| Error::WRONG_TYPE)?.bytes().len();
    if len >= len_min {
        db.touch(pos, age);
        return Ok(change(db.str_mut(pos, changes).expect("it is a string")));
    }
    db.edit_str(key, Some(pos), true, age, changes, |bytes| {
        lengthen(bytes, len_min)?;
        Ok(change(bytes))
    })
}

/// Zeros that take no time however many they are.
fn zeros(len: usize) -> Result<Vec<u8>, Error> {
    if len >= LARGE_BYTES {
        Vec::<u8>::new().try_reserve_exact(len).map_err(|_| Error::NO_MEMORY_FOR_STRING)?;
    }
    Ok(vec![0; len])
}

/// Appends zeros up to `len` bytes, with room for more.
fn lengthen(bytes: &mut Vec<u8>, len: usize) -> Result<(), Error> {
    let more = len - bytes.len();
    if more >= LARGE_BYTES && more > bytes.len() {
        let mut longer = zeros(len)?;
        longer[..bytes.len()].copy_from_slice(bytes);
        *bytes = longer;
        return Ok(());
    }
    if len > bytes.capacity() {
        let reserved = if len < LARGE_BYTES {
            bytes.try_reserve(more)
        } else {
            bytes.try_reserve_exact(more + LARGE_BYTES)
        };
        reserved.map_err(|_| Error::NO_MEMORY_FOR_STRING)?;
    }
    bytes.resize(len, 0);
    Ok(())
}
