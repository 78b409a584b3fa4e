//! The value of a field as it is read: bytes or a number of the hash's own, or a vector that lies in an index.

use crate::listpack::{Item, Text};
use base::number::parse_i64;
use std::ops::Deref;
use vector::Loan;

/// A value. One that lies elsewhere is put together when its bytes are asked for.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Int(i64),
    Str(&'a [u8]),
    Lent(&'a Loan),
}

impl<'a> From<Item<'a>> for Value<'a> {
    #[inline]
    fn from(item: Item<'a>) -> Self {
        match item {
            Item::Int(value) => Self::Int(value),
            Item::Str(bytes) => Self::Str(bytes),
        }
    }
}

impl<'a> Value<'a> {
    /// Length in bytes as a string.
    #[inline]
    pub fn len(&self) -> usize {
        match *self {
            Self::Int(value) => Item::Int(value).len(),
            Self::Str(bytes) => bytes.len(),
            Self::Lent(loan) => loan.sent_bytes(),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value as string bytes.
    #[inline]
    pub fn text(&self) -> ValueText<'a> {
        match *self {
            Self::Int(value) => ValueText::Own(Item::Int(value).text()),
            Self::Str(bytes) => ValueText::Own(Text::Str(bytes)),
            Self::Lent(loan) => ValueText::Joined(loan.to_vec()),
        }
    }

    /// Calls `f` with the value as string bytes.
    #[inline]
    pub fn with_text<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        match *self {
            Self::Int(value) => Item::Int(value).with_text(f),
            Self::Str(bytes) => f(bytes),
            Self::Lent(loan) => f(&loan.to_vec()),
        }
    }

    pub fn to_vec(&self) -> Vec<u8> {
        match self {
            Self::Lent(loan) => loan.to_vec(),
            _ => self.with_text(<[u8]>::to_vec),
        }
    }

    /// The integer, if the value is one.
    #[inline]
    pub fn as_int(&self) -> Option<i64> {
        match *self {
            Self::Int(value) => Some(value),
            Self::Str(bytes) => parse_i64(bytes),
            Self::Lent(loan) => parse_i64(&loan.to_vec()),
        }
    }
}

/// The string bytes of a value: borrowed, the digits of an integer on the stack, or put together.
pub enum ValueText<'a> {
    Own(Text<'a>),
    Joined(Vec<u8>),
}

impl Deref for ValueText<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(text) => text,
            Self::Joined(bytes) => bytes,
        }
    }
}
