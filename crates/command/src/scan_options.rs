//! The options that HSCAN, SSCAN and ZSCAN share.

use crate::{Args, Error};
use base::glob;

/// Elements looked at in one step unless COUNT says otherwise.
const COUNT: usize = 10;

/// MATCH and COUNT, and NOVALUES of HSCAN.
pub struct ScanOptions<'a> {
    pattern: Option<&'a [u8]>,
    /// How many elements to look at, at least 1.
    pub count: usize,
    /// Whether the values of fields are wanted.
    pub values: bool,
}

impl<'a> ScanOptions<'a> {
    /// Reads the options from argument `index` on.
    ///
    /// # Errors
    /// `ERR syntax error`, `ERR value is not an integer or out of range`
    pub fn parse(args: Args<'a>, index: usize) -> Result<Self, Error> {
        Self::read(args, index, false)
    }

    /// As [`ScanOptions::parse`] for HSCAN.
    ///
    /// # Errors
    /// The same.
    pub fn parse_for_hash(args: Args<'a>, index: usize) -> Result<Self, Error> {
        Self::read(args, index, true)
    }

    fn read(args: Args<'a>, mut index: usize, has_values: bool) -> Result<Self, Error> {
        let mut options = Self { pattern: None, count: COUNT, values: has_values };
        while index < args.len() {
            if has_values && args.is(index, "NOVALUES") {
                options.values = false;
                index += 1;
                continue;
            }
            let value = args.get(index + 1).ok_or(Error::SYNTAX)?;
            if args.is(index, "COUNT") {
                let count = args.int(index + 1)?;
                options.count = usize::try_from(count).ok().filter(|&n| n > 0).ok_or(Error::SYNTAX)?;
            } else if args.is(index, "MATCH") {
                options.pattern = (value != b"*").then_some(value);
            } else {
                return Err(Error::SYNTAX);
            }
            index += 2;
        }
        Ok(options)
    }

    /// Whether an element of this name is wanted.
    pub fn admits(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name))
    }
}
