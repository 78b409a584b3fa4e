//! A hash that is read field by field.

use crate::{Error, Shapes};
use types::Hash;
use types::hash::FieldTtl;

/// While a hash is read no field of it has expired, whatever its time.
const NEVER_EXPIRED_MS: u64 = 0;

/// A hash in the making.
pub struct HashBuilder<'a> {
    hash: Hash,
    shapes: &'a Shapes<'a>,
}

impl<'a> HashBuilder<'a> {
    /// For so many fields, as it was announced: a large number makes a table from the start, no more.
    pub fn new(count: u64, shapes: &'a Shapes<'a>) -> Self {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let hash = Hash::for_fields(count, &shapes.hash, shapes.seed);
        Self { hash, shapes }
    }

    /// Adds a field.
    ///
    /// # Errors
    /// `Corrupt` if it is there.
    pub fn add(&mut self, field: &[u8], value: &[u8], expire: Option<u64>) -> Result<(), Error> {
        let Shapes { hash: limits, seed, .. } = self.shapes;
        if !self.hash.set(field, value, FieldTtl::Clear, NEVER_EXPIRED_MS, limits, seed) {
            return Err(Error::Corrupt("field of a hash comes twice"));
        }
        if expire.is_some() {
            self.hash.set_expire(field, expire, NEVER_EXPIRED_MS);
        }
        Ok(())
    }

    pub fn finish(self) -> Hash {
        self.hash
    }
}
