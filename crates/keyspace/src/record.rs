//! The bytes of one entry in the table.
//!
//! ```text
//! 0      head: bits 0–3 code, 4 has expiry, 5 long key, 6–7 bits 8–9 of the payload length
//! 1..4   age (24 bits, little endian)
//! 4      key length (long key: 0)
//! 5      payload length, low 8 bits
//! [6]    expiry in unix ms (48 bits), if bit 4
//! [12]   long key: address (8) and length (4) of its bytes, if bit 5
//! key bytes, payload bytes
//! ```
//! The payload is the string itself, or the address of a boxed value.
//!
//! Invariant: an address in a record is owned by that record alone. Records move as bytes; whoever removes one releases
//! what it owns first ([`release`]) or takes it over ([`take_value`]).

use crate::value::{StrRef, Value, ValueRef};
use base::blob::Blob;
use json::Document as Json;
use std::ops::Range;
use std::sync::Arc;
use table::{Layout, Pos, Table};
use types::showing::Showable;
use types::{Array, Hash, List, Set, Stream, Suggestions, VectorSet, ZSet};

/// The fixed part at the front, which has the age.
pub(crate) const HEAD_BYTES: usize = 6;
const EXPIRE_BYTES: usize = 6;
const LONG_KEY_BYTES: usize = 12;
const HAS_EXPIRE: u8 = 0x10;
const LONG_KEY: u8 = 0x20;

/// The latest expiry a record can hold, unix ms: in the year 10889. Stands for all later ones as well.
pub const EXPIRE_MAX_MS: u64 = (1 << 48) - 1;
/// Keys up to this length stand in the record.
pub const INLINE_KEY_BYTES_MAX: usize = 255;
/// Strings stand in the record while all of it is at most this long.
pub const INLINE_RECORD_BYTES_MAX: usize = 512;

/// What the payload is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Code {
    Inline = 0,
    InlineRaw = 1,
    Blob = 2,
    BlobRaw = 3,
    List = 4,
    Set = 5,
    Hash = 6,
    ZSet = 7,
    Stream = 8,
    Array = 9,
    Json = 10,
    VectorSet = 11,
    Suggestions = 12,
}

impl Code {
    pub fn is_string(self) -> bool {
        matches!(self, Self::Inline | Self::InlineRaw | Self::Blob | Self::BlobRaw)
    }

    pub fn is_same_type(self, other: Self) -> bool {
        self == other || self.is_string() && other.is_string()
    }

    #[inline]
    fn of(head: u8) -> Self {
        match head & 0x0f {
            0 => Self::Inline,
            1 => Self::InlineRaw,
            2 => Self::Blob,
            3 => Self::BlobRaw,
            4 => Self::List,
            5 => Self::Set,
            6 => Self::Hash,
            7 => Self::ZSet,
            8 => Self::Stream,
            9 => Self::Array,
            10 => Self::Json,
            11 => Self::VectorSet,
            12 => Self::Suggestions,
            other => unreachable!("record code {other}"),
        }
    }
}

/// Lower bounds of the times at which something in a segment expires, unix ms; `u64::MAX` for never.
#[derive(Clone, Debug)]
pub struct SegmentMeta {
    /// Of its keys.
    pub expire_min: u64,
    /// Of the fields of its hashes.
    pub field_min: u64,
}

impl Default for SegmentMeta {
    fn default() -> Self {
        Self { expire_min: u64::MAX, field_min: u64::MAX }
    }
}

/// How the table reads a record.
pub struct KeyLayout;

impl Layout for KeyLayout {
    type Meta = SegmentMeta;

    #[inline]
    fn record_len(record: &[u8]) -> usize {
        key_start(record) + key_inline_len(record) + payload_len(record)
    }

    #[inline]
    fn key(record: &[u8]) -> &[u8] {
        key(record)
    }

    fn merged_meta(left: &SegmentMeta, right: &SegmentMeta) -> SegmentMeta {
        SegmentMeta {
            expire_min: left.expire_min.min(right.expire_min),
            field_min: left.field_min.min(right.field_min),
        }
    }
}

#[inline]
fn payload_len(record: &[u8]) -> usize {
    usize::from(record[5]) | usize::from(record[0] >> 6) << 8
}

#[inline]
fn key_inline_len(record: &[u8]) -> usize {
    usize::from(record[4])
}

#[inline]
fn key_start(record: &[u8]) -> usize {
    let head = record[0];
    let mut at = HEAD_BYTES;
    if head & HAS_EXPIRE != 0 {
        at += EXPIRE_BYTES;
    }
    if head & LONG_KEY != 0 {
        at += LONG_KEY_BYTES;
    }
    at
}

/// The key of a record.
#[inline]
pub fn key(record: &[u8]) -> &[u8] {
    let start = key_start(record);
    if record[0] & LONG_KEY != 0 {
        return long_key(&record[start - LONG_KEY_BYTES..start]);
    }
    &record[start..start + key_inline_len(record)]
}

fn long_key(place: &[u8]) -> &[u8] {
    let (address, len) = long_key_parts(place);
    // SAFETY: the address and length were written by `write` from a box that this record owns; it is freed only by
    // `release_key`, after which the record is gone. The result borrows the record's bytes.
    unsafe { std::slice::from_raw_parts(address, len) }
}

/// Address and length of the boxed bytes of a long key.
fn long_key_parts(place: &[u8]) -> (*mut u8, usize) {
    let len = u32::from_le_bytes([place[8], place[9], place[10], place[11]]) as usize;
    (std::ptr::with_exposed_provenance_mut(address_in(place)), len)
}

#[inline]
fn address_in(place: &[u8]) -> usize {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&place[..8]);
    usize::from_le_bytes(bytes)
}

/// Where the payload lies in a record.
#[inline]
pub(crate) fn payload_range(record: &[u8]) -> Range<usize> {
    let start = key_start(record) + key_inline_len(record);
    start..start + payload_len(record)
}

/// The payload of a record.
#[inline]
pub fn payload(record: &[u8]) -> &[u8] {
    &record[payload_range(record)]
}

/// The payload of a record, to be overwritten in place.
#[inline]
pub fn payload_mut(record: &mut [u8]) -> &mut [u8] {
    let range = payload_range(record);
    &mut record[range]
}

#[inline]
pub fn code(record: &[u8]) -> Code {
    Code::of(record[0])
}

/// Changes what an inline payload counts as; the payload must fit the code.
pub fn set_code(record: &mut [u8], code: Code) {
    record[0] = record[0] & 0xf0 | code as u8;
}

/// Expiry in unix ms.
#[inline]
pub fn expire(record: &[u8]) -> Option<u64> {
    if record[0] & HAS_EXPIRE == 0 {
        return None;
    }
    let mut bytes = [0; 8];
    bytes[..6].copy_from_slice(&record[HEAD_BYTES..HEAD_BYTES + EXPIRE_BYTES]);
    Some(u64::from_le_bytes(bytes))
}

/// Overwrites the expiry of a record that has one. A time beyond [`EXPIRE_MAX_MS`] becomes that.
pub fn set_expire(record: &mut [u8], at_ms: u64) {
    debug_assert!(record[0] & HAS_EXPIRE != 0);
    let at_ms = at_ms.min(EXPIRE_MAX_MS);
    record[HEAD_BYTES..HEAD_BYTES + EXPIRE_BYTES].copy_from_slice(&at_ms.to_le_bytes()[..6]);
}

/// The 24-bit age field.
#[inline]
pub fn age(record: &[u8]) -> u32 {
    u32::from_le_bytes([record[1], record[2], record[3], 0])
}

#[inline]
pub fn set_age(record: &mut [u8], age: u32) {
    record[1..4].copy_from_slice(&age.to_le_bytes()[..3]);
}

/// Bytes of a record with this key, with or without expiry and with this payload.
#[inline]
pub fn len_for(key: &[u8], expires: bool, payload_bytes: usize) -> usize {
    let key_bytes = if key.len() > INLINE_KEY_BYTES_MAX { LONG_KEY_BYTES } else { key.len() };
    HEAD_BYTES + if expires { EXPIRE_BYTES } else { 0 } + key_bytes + payload_bytes
}

/// Whether a string of this length stands in its record.
#[inline]
pub fn fits_inline(key: &[u8], value_bytes: usize) -> bool {
    len_for(key, true, value_bytes) <= INLINE_RECORD_BYTES_MAX
}

/// Writes a new record; returns its payload to be filled. A long key is copied to the heap.
pub fn write<'r>(
    record: &'r mut [u8],
    key: &[u8],
    code: Code,
    expire: Option<u64>,
    age: u32,
    payload_bytes: usize,
) -> &'r mut [u8] {
    write_head(record, code, expire, age, payload_bytes);
    let start = HEAD_BYTES + if expire.is_some() { EXPIRE_BYTES } else { 0 };
    if key.len() > INLINE_KEY_BYTES_MAX {
        let address = Box::into_raw(Box::<[u8]>::from(key)).cast::<u8>().expose_provenance();
        record[0] |= LONG_KEY;
        record[4] = 0;
        record[start..start + 8].copy_from_slice(&address.to_le_bytes());
        record[start + 8..start + 12].copy_from_slice(&(key.len() as u32).to_le_bytes());
        return &mut record[start + LONG_KEY_BYTES..start + LONG_KEY_BYTES + payload_bytes];
    }
    record[4] = key.len() as u8;
    record[start..start + key.len()].copy_from_slice(key);
    &mut record[start + key.len()..start + key.len() + payload_bytes]
}

/// Writes the record that takes the place of `old`, with the same key; a long key's bytes change hands.
pub fn rewrite<'r>(
    old: &[u8],
    record: &'r mut [u8],
    code: Code,
    expire: Option<u64>,
    payload_bytes: usize,
) -> &'r mut [u8] {
    write_head(record, code, expire, age(old), payload_bytes);
    record[0] |= old[0] & LONG_KEY;
    record[4] = old[4];
    let start = HEAD_BYTES + if expire.is_some() { EXPIRE_BYTES } else { 0 };
    let key_end = key_start(old) + key_inline_len(old);
    let long = if old[0] & LONG_KEY != 0 { LONG_KEY_BYTES } else { 0 };
    let key_place = &old[key_start(old) - long..key_end];
    record[start..start + key_place.len()].copy_from_slice(key_place);
    let at = start + key_place.len();
    &mut record[at..at + payload_bytes]
}

fn write_head(record: &mut [u8], code: Code, expire: Option<u64>, age: u32, payload_bytes: usize) {
    debug_assert!(payload_bytes < 1024);
    record[0] = code as u8 | (payload_bytes >> 8 << 6) as u8;
    record[5] = payload_bytes as u8;
    set_age(record, age);
    if let Some(at_ms) = expire {
        record[0] |= HAS_EXPIRE;
        set_expire(record, at_ms);
    }
}

/// The value of a record.
#[inline]
pub fn value(record: &[u8]) -> ValueRef<'_> {
    let payload = payload(record);
    // SAFETY: for all arms: the code says which type `leak` boxed, the record owns the box, and the reference borrows the
    // record, so nothing can release it meanwhile.
    unsafe {
        match code(record) {
            Code::Inline => ValueRef::Str { bytes: StrRef::Inline(payload), raw: false },
            Code::InlineRaw => ValueRef::Str { bytes: StrRef::Inline(payload), raw: true },
            Code::Blob => ValueRef::Str { bytes: StrRef::Shared(pointee(payload)), raw: false },
            Code::BlobRaw => ValueRef::Str { bytes: StrRef::Shared(pointee(payload)), raw: true },
            Code::List => ValueRef::List(pointee(payload)),
            Code::Set => ValueRef::Set(pointee(payload)),
            Code::Hash => ValueRef::Hash(pointee(payload)),
            Code::ZSet => ValueRef::ZSet(pointee(payload)),
            Code::Stream => ValueRef::Stream(pointee(payload)),
            Code::Array => ValueRef::Array(pointee(payload)),
            Code::Json => ValueRef::Json(pointee(payload)),
            Code::VectorSet => ValueRef::VectorSet(pointee(payload)),
            Code::Suggestions => ValueRef::Suggestions(pointee(payload)),
        }
    }
}

/// The string of a record, if its value is one.
#[inline]
pub fn str(record: &[u8]) -> Option<StrRef<'_>> {
    match code(record) {
        Code::Inline | Code::InlineRaw => Some(StrRef::Inline(payload(record))),
        // SAFETY: the code says that `leak` boxed a Blob, the record owns the box, and the reference borrows the record.
        Code::Blob | Code::BlobRaw => Some(StrRef::Shared(unsafe { pointee(payload(record)) })),
        _ => None,
    }
}

/// # Safety
/// `payload` must hold the address of a live `T` that outlives the borrow.
unsafe fn pointee<T>(payload: &[u8]) -> &T {
    // SAFETY: the caller's promise.
    unsafe { &*(address_in(payload) as *const T) }
}

/// Where the boxed value of a record stands; the record's code must be that of `T`.
pub(crate) fn boxed<T>(record: &[u8]) -> *mut T {
    address_in(payload(record)) as *mut T
}

/// The collection at `pos` of a table, if it can be shown while it changes.
pub(crate) fn showable(table: &mut Table<KeyLayout>, pos: Pos) -> Option<Showable<'_>> {
    let record = table.record_mut(pos);
    // SAFETY: for all arms: the code says what `leak` boxed, the record owns the box, and the table, which is borrowed mutably as long
    // as the result lives, owns the record.
    unsafe {
        match code(record) {
            Code::Set => Showable::of_set(&mut *boxed::<Set>(record)),
            Code::Hash => Showable::of_hash(&mut *boxed::<Hash>(record)),
            Code::ZSet => Showable::of_zset(&mut *boxed::<ZSet>(record)),
            Code::List => Some(Showable::List(&mut *boxed::<List>(record))),
            Code::Stream => Some(Showable::Stream(&mut *boxed::<Stream>(record))),
            Code::Array => Some(Showable::Array(&mut *boxed::<Array>(record))),
            Code::Suggestions => Some(Showable::Suggestions(&mut *boxed::<Suggestions>(record))),
            Code::VectorSet => Some(Showable::VectorSet(&mut *boxed::<VectorSet>(record))),
            _ => None,
        }
    }
}

/// The document at `pos` of a table, if it is one.
pub(crate) fn document(table: &mut Table<KeyLayout>, pos: Pos) -> Option<&mut Json> {
    let record = table.record_mut(pos);
    // SAFETY: as for `showable`.
    (code(record) == Code::Json).then(|| unsafe { &mut *boxed::<Json>(record) })
}

/// The bytes of a string that stands outside its record; unshared first if a reply still holds them.
pub fn blob_mut(record: &mut [u8]) -> &mut Vec<u8> {
    assert!(matches!(code(record), Code::Blob | Code::BlobRaw), "not a blob");
    // SAFETY: the code was checked, the record owns the box and is borrowed mutably.
    Arc::make_mut(unsafe { &mut *boxed::<Blob>(record) })
}

/// Turns a boxed value into payload bytes that own it.
pub fn leak(value: Value) -> (Code, [u8; 8]) {
    let (code, address) = match value {
        Value::Str { bytes, raw } => {
            let code = if raw { Code::BlobRaw } else { Code::Blob };
            (code, Box::into_raw(Box::new(bytes)) as usize)
        }
        Value::List(list) => (Code::List, Box::into_raw(list) as usize),
        Value::Set(set) => (Code::Set, Box::into_raw(set) as usize),
        Value::Hash(hash) => (Code::Hash, Box::into_raw(hash) as usize),
        Value::ZSet(zset) => (Code::ZSet, Box::into_raw(zset) as usize),
        Value::Stream(stream) => (Code::Stream, Box::into_raw(stream) as usize),
        Value::Array(array) => (Code::Array, Box::into_raw(array) as usize),
        Value::Json(json) => (Code::Json, Box::into_raw(json) as usize),
        Value::VectorSet(set) => (Code::VectorSet, Box::into_raw(set) as usize),
        Value::Suggestions(suggestions) => (Code::Suggestions, Box::into_raw(suggestions) as usize),
    };
    (code, address.to_le_bytes())
}

/// Takes the value over from a record that is about to go or to get another payload.
pub fn take_value(record: &[u8]) -> Value {
    // SAFETY: for all arms: the code says what `leak` boxed; the caller removes or rewrites the record, so the address is
    // used by nobody else from here on.
    unsafe {
        match code(record) {
            Code::Inline => Value::Str { bytes: Arc::new(payload(record).to_vec()), raw: false },
            Code::InlineRaw => Value::Str { bytes: Arc::new(payload(record).to_vec()), raw: true },
            Code::Blob => Value::Str { bytes: *Box::from_raw(boxed::<Blob>(record)), raw: false },
            Code::BlobRaw => Value::Str { bytes: *Box::from_raw(boxed::<Blob>(record)), raw: true },
            Code::List => Value::List(Box::from_raw(boxed::<List>(record))),
            Code::Set => Value::Set(Box::from_raw(boxed::<Set>(record))),
            Code::Hash => Value::Hash(Box::from_raw(boxed::<Hash>(record))),
            Code::ZSet => Value::ZSet(Box::from_raw(boxed::<ZSet>(record))),
            Code::Stream => Value::Stream(Box::from_raw(boxed::<Stream>(record))),
            Code::Array => Value::Array(Box::from_raw(boxed::<Array>(record))),
            Code::Json => Value::Json(Box::from_raw(boxed::<Json>(record))),
            Code::VectorSet => Value::VectorSet(Box::from_raw(boxed::<VectorSet>(record))),
            Code::Suggestions => Value::Suggestions(Box::from_raw(boxed::<Suggestions>(record))),
        }
    }
}

/// Whether the payload owns something outside the record.
#[inline]
pub fn owns_box(record: &[u8]) -> bool {
    code(record) as u8 >= Code::Blob as u8
}

/// Releases what the key of a record owns. The record must be removed next.
pub fn release_key(record: &[u8]) {
    if record[0] & LONG_KEY != 0 {
        let (address, len) = long_key_parts(&record[key_start(record) - LONG_KEY_BYTES..key_start(record)]);
        // SAFETY: `write` gave up exactly this boxed slice, and the record that owned it goes away.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(address, len)) });
    }
}

/// Releases what the records of a table own, which must not be looked at again.
pub(crate) fn release_all(table: &Table<KeyLayout>) {
    for record in table.iter() {
        if owns_box(record) {
            drop(take_value(record));
        }
        release_key(record);
    }
}

/// Bytes a record owns outside the table.
pub fn outside_bytes(record: &[u8]) -> usize {
    key_outside_bytes(record) + value_outside_bytes(record)
}

/// Whether the value is a hash with fields that have expire times.
pub fn has_timed_fields(record: &[u8]) -> bool {
    match value(record) {
        ValueRef::Hash(hash) => hash.next_expire().is_some(),
        _ => false,
    }
}

/// Bytes of a long key.
pub fn key_outside_bytes(record: &[u8]) -> usize {
    if record[0] & LONG_KEY != 0 { key(record).len() } else { 0 }
}

/// Bytes of a value that does not stand in its record.
pub fn value_outside_bytes(record: &[u8]) -> usize {
    bytes_of(value(record))
}

/// Bytes that a value would take outside its record.
pub(crate) fn bytes_of(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Str { bytes: StrRef::Inline(_), .. } => 0,
        ValueRef::Str { bytes: StrRef::Shared(blob), .. } => BLOB_HEADER_BYTES + blob.capacity(),
        ValueRef::List(list) => size_of::<List>() + list.bytes(),
        ValueRef::Set(set) => size_of::<Set>() + set.bytes(),
        ValueRef::Hash(hash) => size_of::<Hash>() + hash.bytes(),
        ValueRef::ZSet(zset) => size_of::<ZSet>() + zset.bytes(),
        ValueRef::Stream(stream) => size_of::<Stream>() + stream.bytes(),
        ValueRef::Array(array) => size_of::<Array>() + array.bytes(),
        ValueRef::Json(json) => size_of::<Json>() + json.bytes(),
        ValueRef::VectorSet(set) => size_of::<VectorSet>() + set.bytes(),
        ValueRef::Suggestions(suggestions) => size_of::<Suggestions>() + suggestions.bytes(),
    }
}

/// The boxed `Arc`, its counters and the `Vec` header.
const BLOB_HEADER_BYTES: usize = 8 + 16 + 24;

#[cfg(test)]
mod tests {
    use super::*;

    /// To be run by Miri as well: `cargo +nightly miri test -p keyspace record`.
    #[test]
    fn long_keys_are_read_moved_and_freed() {
        let (name, mut old, mut new) = (vec![b'k'; INLINE_KEY_BYTES_MAX + 1], [0; 64], [0; 64]);
        write(&mut old, &name, Code::Inline, None, 7, 3).copy_from_slice(b"abc");
        assert_eq!((key(&old), payload(&old), expire(&old)), (name.as_slice(), &b"abc"[..], None));
        rewrite(&old, &mut new, Code::Inline, Some(5), 2).copy_from_slice(b"de");
        assert_eq!((key(&new), payload(&new), expire(&new)), (name.as_slice(), &b"de"[..], Some(5)));
        assert_eq!(KeyLayout::record_len(&new), len_for(&name, true, 2));
        release_key(&new);
    }
}
