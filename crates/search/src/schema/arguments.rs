//! A command's arguments, read from the front.

use base::number::{parse_f64, parse_i64, parse_u64};

/// What is left of the arguments.
pub(crate) struct Arguments<'a> {
    rest: &'a [&'a [u8]],
}

impl<'a> Arguments<'a> {
    pub fn new(rest: &'a [&'a [u8]]) -> Self {
        Self { rest }
    }

    pub fn len(&self) -> usize {
        self.rest.len()
    }

    pub fn peek(&self) -> Option<&'a [u8]> {
        self.rest.first().copied()
    }

    pub fn next(&mut self) -> Option<&'a [u8]> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Takes the next argument if it is `keyword`, in any case.
    pub fn take(&mut self, keyword: &str) -> bool {
        let is_it = self.peek().is_some_and(|next| next.eq_ignore_ascii_case(keyword.as_bytes()));
        if is_it {
            self.next();
        }
        is_it
    }

    /// The next `count` arguments, if there are as many.
    pub fn take_many(&mut self, count: usize) -> Option<&'a [&'a [u8]]> {
        let (many, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(many)
    }
}

/// A double of an argument: no nan.
pub(crate) fn double(text: &[u8]) -> Option<f64> {
    parse_f64(text)
}

/// An unsigned number of an argument; a number below zero is `None` like any other text.
pub(crate) fn unsigned(text: &[u8]) -> Option<u64> {
    parse_u64(text)
}

/// A signed number of an argument.
pub(crate) fn signed(text: &[u8]) -> Option<i64> {
    parse_i64(text)
}
