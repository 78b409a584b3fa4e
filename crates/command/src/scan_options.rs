//! The options that SSCAN, HSCAN and ZSCAN share.

use crate::{Args, Error};
use base::glob;
use types::listpack::Item;

/// Elements looked at in one step unless COUNT says otherwise.
const COUNT: usize = 10;

pub struct ScanOptions<'a> {
    pub pattern: Option<&'a [u8]>,
    /// At least 1.
    pub count: usize,
    /// Fields without values (HSCAN only).
    pub no_values: bool,
}

impl<'a> ScanOptions<'a> {
    /// Reads the arguments from `index` on. `hash`: NOVALUES is allowed.
    ///
    /// # Errors
    /// Syntax, and a COUNT that is no number.
    pub fn parse(args: Args<'a>, mut index: usize, hash: bool) -> Result<Self, Error> {
        let mut options = Self { pattern: None, count: COUNT, no_values: false };
        while index < args.len() {
            if args.is(index, "NOVALUES") {
                if !hash {
                    return Err(Error::err("NOVALUES option can only be used in HSCAN"));
                }
                options.no_values = true;
                index += 1;
                continue;
            }
            let value = args.get(index + 1).ok_or_else(|| Error::SYNTAX)?;
            if args.is(index, "COUNT") {
                let count = args.int(index + 1)?;
                options.count =
                    usize::try_from(count).ok().filter(|&n| n > 0).ok_or_else(|| Error::SYNTAX)?;
            } else if args.is(index, "MATCH") {
                options.pattern = (value != b"*").then_some(value);
            } else {
                return Err(Error::SYNTAX);
            }
            index += 2;
        }
        Ok(options)
    }

    /// Whether an element is wanted.
    pub fn admits(&self, element: Item<'_>) -> bool {
        self.pattern.is_none_or(|pattern| element.with_text(|text| glob::matches(pattern, text)))
    }
}
