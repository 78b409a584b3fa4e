//! Values come under keys, and strings change: every way in keeps the accounts.

use super::Db;
use crate::birth::Birth;
use crate::key::Key;
use crate::record::{self, Code};
use crate::value::{Kind, StrRef, Value};
use std::ops::Range;
use std::sync::Arc;
use table::Pos;

impl Db {
    /// Stores a string under a key that is at `pos`, or absent. Any earlier value and expiry go. `age`: of an entry made now.
    #[inline]
    pub fn put_str(
        &mut self,
        key: Key<'_>,
        pos: Option<Pos>,
        bytes: &[u8],
        expire: Option<u64>,
        age: u32,
    ) -> Pos {
        if !record::fits_inline(key.bytes, bytes.len()) {
            let value = Value::Str { bytes: Arc::new(bytes.to_vec()), raw: false };
            return self.put(key, pos, value, expire, age);
        }
        let len = record::len_for(key.bytes, expire.is_some(), bytes.len());
        let Some(pos) = pos else {
            self.keep_home(key.hash);
            self.births.note(key.bytes, || Birth::New);
            self.live += len;
            self.sizes.enter(Kind::String, bytes.len());
            let pos = self.table.insert(key.hash, len, |new| {
                record::write(new, key.bytes, Code::Inline, expire, age, bytes.len()).copy_from_slice(bytes);
            });
            if key.bytes.len() > record::INLINE_KEY_BYTES_MAX {
                self.outside += key.bytes.len();
            }
            if expire.is_some() {
                self.note_expire(pos, false, expire);
            }
            return pos;
        };
        self.keep_entry(pos);
        let age = self.renewed(pos, age);
        let old = self.table.record(pos);
        self.births.note(key.bytes, || Birth::Overwritten { type_changed: !record::code(old).is_string() });
        let had = self.expire_of(old);
        if record::code(old) == Code::Inline && old.len() == len && had.is_some() == expire.is_some() {
            let record = self.table.record_mut(pos);
            record::payload_mut(record).copy_from_slice(bytes);
            record::set_age(record, age);
            if let Some(at_ms) = expire.filter(|_| expire != had) {
                record::set_expire(record, at_ms);
                self.note_expire(pos, true, expire);
            }
            return pos;
        }
        self.live = self.live + len - old.len();
        self.sizes.leave_record(old);
        self.sizes.enter(Kind::String, bytes.len());
        self.release_value(pos, self.frees.overwritten);
        let pos = self.table.replace(pos, len, |old, new| {
            record::rewrite(old, new, Code::Inline, expire, bytes.len()).copy_from_slice(bytes);
            record::set_age(new, age);
        });
        self.note_expire(pos, had.is_some(), expire);
        pos
    }

    /// Stores a string that is loaded under a key that is absent. A way of its own, so that SET's stays in one piece.
    #[inline(never)]
    pub fn load_str(&mut self, key: Key<'_>, bytes: &[u8], age: u32) -> Pos {
        self.put_str(key, None, bytes, None, age)
    }

    /// Writes bytes over as many of the string at `pos`, if that lies in its record and its encoding is told from its bytes; whether it
    /// does. The expiry stays, and nobody is told that there is another value.
    #[inline]
    pub fn overwrite_str(&mut self, pos: Pos, bytes: &[u8], fresh: u32) -> bool {
        self.keep_entry(pos);
        let record = self.table.record_open(pos);
        let range = record::payload_range(record);
        if record::code(record) != Code::Inline || range.len() != bytes.len() {
            return false;
        }
        let age = self.ages.used(record::age(record), fresh);
        let record = self.table.record_front(pos, range.end);
        record[range].copy_from_slice(bytes);
        record::set_age(record, age);
        true
    }

    /// Stores any value under a key that is at `pos`, or absent. Any earlier value and expiry go.
    pub fn put(
        &mut self,
        key: Key<'_>,
        pos: Option<Pos>,
        value: Value,
        expire: Option<u64>,
        age: u32,
    ) -> Pos {
        let value = match value {
            Value::Str { bytes, raw: false } if record::fits_inline(key.bytes, bytes.len()) => {
                return self.put_str(key, pos, &bytes, expire, age);
            }
            Value::Str { bytes, raw: true } if record::fits_inline(key.bytes, bytes.len()) => {
                let pos = self.put_str(key, pos, &bytes, expire, age);
                record::set_code(self.table.record_mut(pos), Code::InlineRaw);
                return pos;
            }
            value => value,
        };
        let field_expire = if let Value::Hash(hash) = &value { hash.next_expire() } else { None };
        let (code, payload) = record::leak(value);
        let len = record::len_for(key.bytes, expire.is_some(), payload.len());
        let (pos, had) = match pos {
            Some(pos) => {
                self.keep_entry(pos);
                let age = self.renewed(pos, age);
                let old = self.table.record(pos);
                let type_changed = !code.is_same_type(record::code(old));
                self.births.note(key.bytes, || Birth::Overwritten { type_changed });
                let had = record::expire(old).is_some();
                self.live = self.live + len - old.len();
                self.sizes.leave_record(old);
                self.release_value(pos, self.frees.overwritten);
                let pos = self.table.replace(pos, len, |old, new| {
                    record::rewrite(old, new, code, expire, payload.len()).copy_from_slice(&payload);
                    record::set_age(new, age);
                });
                (pos, had)
            }
            None => {
                self.keep_home(key.hash);
                self.births.note(key.bytes, || Birth::New);
                self.live += len;
                let pos = self.table.insert(key.hash, len, |new| {
                    record::write(new, key.bytes, code, expire, age, payload.len()).copy_from_slice(&payload);
                });
                if key.bytes.len() > record::INLINE_KEY_BYTES_MAX {
                    self.outside += key.bytes.len();
                }
                (pos, false)
            }
        };
        let record = self.table.record(pos);
        self.outside += record::value_outside_bytes(record);
        self.sizes.enter_record(record);
        self.note_expire(pos, had, expire);
        if let Some(at_ms) = field_expire {
            self.timed_hashes += 1;
            self.note_field_expire(pos, at_ms);
        }
        pos
    }

    /// Changes a string byte by byte: the bytes as they are (empty if the key is absent) go to `edit`. Keeps the
    /// expiry. `raw`: from now on the encoding is reported as `raw`. `changes`: those of its bytes that may change or go; what is appended
    /// is no change.
    pub fn edit_str<R>(
        &mut self,
        key: Key<'_>,
        pos: Option<Pos>,
        raw: bool,
        age: u32,
        changes: impl IntoIterator<Item = Range<usize>>,
        edit: impl FnOnce(&mut Vec<u8>) -> R,
    ) -> R {
        let Some(pos) = pos else {
            let mut bytes = Vec::new();
            let result = edit(&mut bytes);
            self.put(key, None, Value::Str { bytes: Arc::new(bytes), raw }, None, age);
            return result;
        };
        self.keep_bytes(pos, changes);
        let record = self.table.record(pos);
        if matches!(record::code(record), Code::Blob | Code::BlobRaw) {
            self.touch(pos, age);
            let record = self.table.record_mut(pos);
            let before = record::value_outside_bytes(record);
            let blob = record::blob_mut(record);
            let size_before = blob.len();
            let result = edit(blob);
            self.sizes.change(Kind::String, size_before, blob.len());
            if raw {
                record::set_code(record, Code::BlobRaw);
            }
            let after = record::value_outside_bytes(record);
            self.account(before, after);
            return result;
        }
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        bytes.extend_from_slice(record::payload(record));
        let expire = self.expire(pos);
        let was_raw = record::code(record) == Code::InlineRaw;
        let result = edit(&mut bytes);
        let raw = raw || was_raw;
        if !record::fits_inline(key.bytes, bytes.len()) {
            let value = Value::Str { bytes: Arc::new(bytes), raw };
            self.silently(|db| db.put(key, Some(pos), value, expire, age));
            return result;
        }
        let pos = self.silently(|db| db.put_str(key, Some(pos), &bytes, expire, age));
        if raw {
            record::set_code(self.table.record_mut(pos), Code::InlineRaw);
        }
        self.scratch = bytes;
        result
    }

    /// The bytes of the string at `pos`, of which only `changes` may be changed where they are; `None` if the value is none. From now on its
    /// encoding is reported as `raw`.
    pub fn str_mut(
        &mut self,
        pos: Pos,
        changes: impl IntoIterator<Item = Range<usize>>,
    ) -> Option<&mut [u8]> {
        self.keep_bytes(pos, changes);
        let record = self.table.record_mut(pos);
        match record::code(record) {
            Code::Inline | Code::InlineRaw => {
                record::set_code(record, Code::InlineRaw);
                return Some(record::payload_mut(self.table.record_mut(pos)));
            }
            Code::Blob | Code::BlobRaw => record::set_code(record, Code::BlobRaw),
            _ => return None,
        }
        let before = record::value_outside_bytes(record);
        // A reply may still hold the bytes; then this copies them, into less memory perhaps.
        record::blob_mut(record);
        let after = record::value_outside_bytes(record);
        self.account(before, after);
        Some(record::blob_mut(self.table.record_mut(pos)))
    }

    /// The string at `pos`, if the value is one.
    #[inline]
    pub fn str(&self, pos: Pos) -> Option<StrRef<'_>> {
        record::str(self.table.record_open(pos))
    }

    #[inline]
    fn renewed(&mut self, pos: Pos, fresh: u32) -> u32 {
        self.ages.used(record::age(self.table.record_open(pos)), fresh)
    }
}
