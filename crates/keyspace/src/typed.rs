//! Typed access to values: reading as `&List`, changing through a guard that keeps the books.

use crate::db::Db;
use crate::record::{self, Code};
use crate::value::{Kind, Value, ValueRef};
use json::Document as Json;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use table::Pos;
use types::{Array, Hash, List, Set, Stream, Suggestions, VectorSet, ZSet};

/// A boxed value type a key can hold.
pub trait Typed: Sized {
    const KIND: Kind;
    fn code() -> Code;
    fn of(value: ValueRef<'_>) -> Option<&Self>;
    fn into_value(self) -> Value;
    /// Bytes it holds on the heap.
    fn heap_bytes(&self) -> usize;
    /// Elements. A key never holds a collection of none. A stream or a document may be empty: it counts as one whole.
    fn size(&self) -> usize;
    /// Nothing within expires before this (unix ms); `None` exactly if nothing ever does.
    fn next_expire(&self) -> Option<u64> {
        None
    }
}

macro_rules! typed {
    ($type:ident, $size:expr $(, $more:item)*) => {
        impl Typed for $type {
            const KIND: Kind = Kind::$type;
            fn code() -> Code {
                Code::$type
            }
            #[inline]
            fn of(value: ValueRef<'_>) -> Option<&Self> {
                if let ValueRef::$type(it) = value { Some(it) } else { None }
            }
            fn into_value(self) -> Value {
                Value::$type(Box::new(self))
            }
            #[inline]
            fn heap_bytes(&self) -> usize {
                self.bytes()
            }
            #[inline]
            fn size(&self) -> usize {
                let size: fn(&Self) -> usize = $size;
                size(self)
            }
            $($more)*
        }
    };
}

typed!(List, List::len);
typed!(Set, Set::len);
typed!(
    Hash,
    Hash::len,
    #[inline]
    fn next_expire(&self) -> Option<u64> {
        Hash::next_expire(self)
    }
);
typed!(ZSet, ZSet::len);
typed!(Stream, |_| 1);
typed!(Array, |array| usize::from(!array.is_empty()));
// A document may be an empty object: that its key goes with what JSON.DEL has left of it is that command's affair.
typed!(Json, |_| 1);
typed!(VectorSet, |set| usize::from(!set.is_empty()));
typed!(Suggestions, |suggestions| usize::from(!suggestions.is_empty()));

/// The right to change one value. When it ends, the database's memory account is brought up to date and a collection
/// left empty is removed with its key.
pub struct Update<'d, T: Typed> {
    db: &'d mut Db,
    pos: Pos,
    value: *mut T,
    bytes_before: usize,
    size_before: usize,
    timed_before: bool,
}

impl<'d, T: Typed> Update<'d, T> {
    /// `pos` must hold a `T`.
    pub(crate) fn new(db: &'d mut Db, pos: Pos) -> Self {
        db.keep_value(pos);
        let record = db.record(pos);
        assert!(record::code(record) == T::code(), "the record holds another type");
        let value = record::boxed::<T>(record);
        Self::of_boxed(db, pos, value)
    }

    /// `value` is the box of the record at `pos`, which holds a `T`.
    #[inline]
    pub(crate) fn of_boxed(db: &'d mut Db, pos: Pos, value: *mut T) -> Self {
        let mut update = Self { db, pos, value, bytes_before: 0, size_before: 0, timed_before: false };
        update.bytes_before = update.heap_bytes();
        update.size_before = T::size(&update);
        update.timed_before = T::next_expire(&update).is_some();
        update
    }

    /// Puts another value in the place of this one, under the same key.
    pub fn exchange(&mut self, new: T) {
        let old = std::mem::replace(&mut **self, new);
        let pos = self.pos;
        drop(self.db.leave_value(|db| db.key_at(pos).to_vec(), old.into_value()));
    }

    /// Ends the change and says whether the key is gone because nothing is left.
    #[inline]
    pub fn finish(self) -> bool {
        ManuallyDrop::new(self).end()
    }

    /// Brings the books up to date, and removes the key if nothing is left; whether that was so.
    #[inline]
    fn end(&mut self) -> bool {
        let (bytes, size) = (self.heap_bytes(), T::size(self));
        self.db.account(self.bytes_before, bytes);
        self.db.sizes.change(T::KIND, self.size_before, size);
        let next_expire = T::next_expire(self);
        self.db.timed_hashes += usize::from(next_expire.is_some());
        self.db.timed_hashes -= usize::from(self.timed_before);
        if self.db.walk.is_some() {
            self.db.take_kept(self.pos);
        }
        if size == 0 {
            self.db.remove(self.pos);
        } else if let Some(at_ms) = next_expire {
            self.db.note_field_expire(self.pos, at_ms);
        }
        size == 0
    }
}

impl<T: Typed> Deref for Update<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the record at `pos` owns the box, its code was checked, and `db` is borrowed mutably for as long as
        // this guard lives, so nobody else can reach or move it.
        unsafe { &*self.value }
    }
}

impl<T: Typed> DerefMut for Update<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; `&mut self` makes it the only reference.
        unsafe { &mut *self.value }
    }
}

impl<T: Typed> Drop for Update<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.end();
    }
}
