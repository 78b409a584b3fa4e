//! The record of one hash field in a table: `[header 3][expire 6, if any][field][value]`.
//!
//! The header packs, from the low bits: bytes of the field slot (10 bits), bytes of the value slot (10), has
//! an expire time, field is out of line, value is out of line. A slot out of line holds a reference to a
//! block that the table of the record owns. The expire time is unix milliseconds, 48 bits, little endian.
#![allow(unsafe_code)]

use crate::outline;
use ::table::Layout;
use std::ops::Range;

/// Longest field or value kept in the record.
pub const INLINE_BYTES_MAX: usize = 400;
const HEADER_BYTES: usize = 3;
const EXPIRE_BYTES: usize = 6;
/// The latest expire time a record can hold.
pub const EXPIRE_MS_MAX: u64 = (1 << (8 * EXPIRE_BYTES)) - 1;

const LEN_BITS: u32 = 10;
const LEN_MASK: u32 = (1 << LEN_BITS) - 1;
const HAS_EXPIRE: u32 = 1 << 20;
const FIELD_OUT: u32 = 1 << 21;
const VALUE_OUT: u32 = 1 << 22;

/// The earliest expire time in a segment of the table, or earlier; `u64::MAX` for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Earliest(pub u64);

impl Default for Earliest {
    fn default() -> Self {
        Self(u64::MAX)
    }
}

/// The table layout of hash fields.
#[derive(Debug)]
pub struct Fields;

impl Layout for Fields {
    type Meta = Earliest;

    #[inline]
    fn record_len(record: &[u8]) -> usize {
        Shape::of(record).len()
    }

    #[inline]
    fn key(record: &[u8]) -> &[u8] {
        Shape::of(record).field(record)
    }

    fn merged_meta(left: &Earliest, right: &Earliest) -> Earliest {
        *left.min(right)
    }
}

/// Where the parts of a record are.
#[derive(Clone, Copy)]
pub struct Shape(u32);

impl Shape {
    /// The shape of an existing record.
    #[inline]
    pub fn of(record: &[u8]) -> Self {
        Self(u32::from_le_bytes([record[0], record[1], record[2], 0]))
    }

    /// The shape for a field and value of these lengths.
    pub fn new(field_bytes: usize, value_bytes: usize, has_expire: bool) -> Self {
        let field = if field_bytes > INLINE_BYTES_MAX { Self::out(FIELD_OUT) } else { field_bytes as u32 };
        Self(field | if has_expire { HAS_EXPIRE } else { 0 }).with_value(value_bytes)
    }

    fn out(flag: u32) -> u32 {
        if flag == FIELD_OUT {
            FIELD_OUT | outline::REF_BYTES as u32
        } else {
            VALUE_OUT | Self::value_len(outline::REF_BYTES)
        }
    }

    fn value_len(bytes: usize) -> u32 {
        (bytes as u32) << LEN_BITS
    }

    /// The same with another length of value.
    pub fn with_value(self, value_bytes: usize) -> Self {
        let rest = self.0 & !(VALUE_OUT | LEN_MASK << LEN_BITS);
        let out = value_bytes > INLINE_BYTES_MAX;
        Self(rest | if out { Self::out(VALUE_OUT) } else { Self::value_len(value_bytes) })
    }

    /// The same with or without an expire time.
    pub fn with_expire(self, has_expire: bool) -> Self {
        Self(self.0 & !HAS_EXPIRE | if has_expire { HAS_EXPIRE } else { 0 })
    }

    #[inline]
    fn field_at(self) -> Range<usize> {
        let start = HEADER_BYTES + if self.0 & HAS_EXPIRE != 0 { EXPIRE_BYTES } else { 0 };
        start..start + (self.0 & LEN_MASK) as usize
    }

    #[inline]
    fn value_at(self) -> Range<usize> {
        let start = self.field_at().end;
        start..start + (self.0 >> LEN_BITS & LEN_MASK) as usize
    }

    /// Bytes of the record.
    #[inline]
    pub fn len(self) -> usize {
        self.value_at().end
    }

    #[inline]
    pub fn has_expire(self) -> bool {
        self.0 & HAS_EXPIRE != 0
    }

    /// Whether the value is inline and `bytes` long.
    #[inline]
    pub fn has_inline_value(self, bytes: usize) -> bool {
        self.0 & VALUE_OUT == 0 && self.value_at().len() == bytes
    }

    #[inline]
    pub fn field(self, record: &[u8]) -> &[u8] {
        let slot = &record[self.field_at()];
        // SAFETY: `write` made the reference; the block lives as long as its record, which is borrowed.
        if self.0 & FIELD_OUT != 0 { unsafe { outline::get(slot) } } else { slot }
    }

    #[inline]
    pub fn value(self, record: &[u8]) -> &[u8] {
        let slot = &record[self.value_at()];
        // SAFETY: as for the field.
        if self.0 & VALUE_OUT != 0 { unsafe { outline::get(slot) } } else { slot }
    }

    /// The bytes of an inline value.
    #[inline]
    pub fn value_mut(self, record: &mut [u8]) -> &mut [u8] {
        debug_assert!(self.0 & VALUE_OUT == 0);
        &mut record[self.value_at()]
    }

    /// The expire time, 0 for none.
    #[inline]
    pub fn expire(self, record: &[u8]) -> u64 {
        if !self.has_expire() {
            return 0;
        }
        let mut word = [0; 8];
        word[..EXPIRE_BYTES].copy_from_slice(&record[HEADER_BYTES..HEADER_BYTES + EXPIRE_BYTES]);
        u64::from_le_bytes(word)
    }

    /// Writes header and expire time (if the shape has one) of a record.
    pub fn write_head(self, expire: u64, record: &mut [u8]) {
        record[..HEADER_BYTES].copy_from_slice(&self.0.to_le_bytes()[..HEADER_BYTES]);
        if self.has_expire() {
            record[HEADER_BYTES..HEADER_BYTES + EXPIRE_BYTES]
                .copy_from_slice(&expire.to_le_bytes()[..EXPIRE_BYTES]);
        }
    }

    /// Writes the field into a new record; a long one gets its block.
    pub fn write_field(self, field: &[u8], record: &mut [u8]) {
        put(field, self.0 & FIELD_OUT != 0, &mut record[self.field_at()]);
    }

    /// Writes a value into a new record; a long one gets its block. What the slot held before is forgotten.
    pub fn write_value(self, value: &[u8], record: &mut [u8]) {
        put(value, self.0 & VALUE_OUT != 0, &mut record[self.value_at()]);
    }

    /// Copies the slot of the field from `old`, a record of shape `from`.
    pub fn move_field(self, from: Self, old: &[u8], record: &mut [u8]) {
        record[self.field_at()].copy_from_slice(&old[from.field_at()]);
    }

    /// Copies the slot of the value from `old`, a record of shape `from`.
    pub fn move_value(self, from: Self, old: &[u8], record: &mut [u8]) {
        record[self.value_at()].copy_from_slice(&old[from.value_at()]);
    }

    /// The blocks of a record, to be freed once the record is gone.
    pub fn blocks(self, record: &[u8]) -> Blocks {
        let field = (self.0 & FIELD_OUT != 0).then(|| slot(&record[self.field_at()]));
        Blocks { field, ..self.value_block(record) }
    }

    /// The block of the value only, to be freed once the value is replaced.
    pub fn value_block(self, record: &[u8]) -> Blocks {
        Blocks { field: None, value: (self.0 & VALUE_OUT != 0).then(|| slot(&record[self.value_at()])) }
    }

    /// Bytes of the blocks that a new record of this shape and content has.
    pub fn block_bytes(field: &[u8], value: &[u8]) -> usize {
        let beyond = |part: &[u8]| if part.len() > INLINE_BYTES_MAX { part.len() } else { 0 };
        beyond(field) + beyond(value)
    }
}

fn put(bytes: &[u8], out: bool, slot: &mut [u8]) {
    if out { outline::put(bytes, slot) } else { slot.copy_from_slice(bytes) }
}

fn slot(bytes: &[u8]) -> [u8; outline::REF_BYTES] {
    bytes.try_into().expect("a slot out of line is a reference")
}

/// References to blocks taken from a record that is about to go.
#[must_use = "blocks leak if not freed"]
pub struct Blocks {
    field: Option<[u8; outline::REF_BYTES]>,
    value: Option<[u8; outline::REF_BYTES]>,
}

impl Blocks {
    /// Frees them; returns how many bytes they had.
    ///
    /// # Safety
    /// The record or value they were taken from is gone, and no other `Blocks` was freed for it.
    pub unsafe fn free(self) -> usize {
        let slots = self.field.iter().chain(&self.value);
        // SAFETY: only `write_field` and `write_value` make slots out of line; the rest is the caller's
        // promise.
        slots.map(|slot| unsafe { outline::free(slot) }).sum()
    }
}
