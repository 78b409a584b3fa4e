//! Which form a hash has, and when it gets another.

use super::{Hash, HashLimits, HashTable};
use crate::listpack::{Item, Listpack};
use base::hash::HashSeed;

/// A long hash has at most so many fields, for finding one takes a look at all; and takes about so many bytes, which are moved when a value changes its length.
pub(super) const LONG_FIELDS_MAX: usize = 16;
pub(super) const LONG_BYTES_MAX: usize = 32 * 1024;

impl Hash {
    /// Whether it is a packed hash that is shown as a table, and changed where it is.
    #[inline]
    pub(super) fn is_long(&self) -> bool {
        matches!(self, Self::Long(_) | Self::LongEx(_))
    }

    /// To be called with all the fields and values of one command before they are set: converts to a table, or a long hash, if
    /// there are too many pairs, one is too long, or all together are.
    pub fn grow<'a>(&mut self, parts: impl Iterator<Item = &'a [u8]>, limits: &HashLimits, seed: &HashSeed) {
        self.take_back();
        let Some(packed) = self.packed() else { return };
        let (mut count, mut sum, mut longest) = (0, 0usize, 0);
        for part in parts {
            count += 1;
            sum += part.len();
            longest = longest.max(part.len());
        }
        let long = longest > limits.max_listpack_value || count / 2 > limits.max_listpack_entries;
        let few = count / 2 <= LONG_FIELDS_MAX && sum <= LONG_BYTES_MAX;
        if self.is_long() {
            // Some of the fields may be there already: how many there are is seen when they have been set.
            if !few {
                self.become_table(seed);
            }
        } else if long || !packed.listpack.fits(sum) {
            self.outgrow(count / 2, sum, seed);
        }
    }

    /// No listpack for Redis any more, with so many fields and bytes that will come: a long hash while it is small, else a table.
    pub(super) fn outgrow(&mut self, fields: usize, bytes: usize, seed: &HashSeed) {
        let now = self.listpack().map_or(0, Listpack::total_bytes);
        if self.len().max(fields) > LONG_FIELDS_MAX || now.saturating_add(bytes) > LONG_BYTES_MAX {
            return self.become_table(seed);
        }
        if self.is_long() {
            return;
        }
        *self = match std::mem::take(self) {
            Self::Listpack(listpack) => Self::Long(listpack),
            Self::ListpackEx(listpack) => Self::LongEx(listpack),
            other => other,
        };
    }

    /// Becomes one whose fields have expire times, if it is packed: as soon as a command looks for fields to give one, though it may find none.
    pub fn expect_expires(&mut self) {
        self.become_triples();
    }

    pub(super) fn become_triples(&mut self) {
        let (Self::Listpack(pairs) | Self::Long(pairs)) = &*self else { return };
        let mut triples = Listpack::with_capacity(pairs.total_bytes() + pairs.len());
        let mut items = pairs.iter();
        while let (Some(field), Some(value)) = (items.next(), items.next()) {
            triples.insert_row(triples.end(), &[field, value, Item::Int(0)]);
        }
        *self = if self.is_long() { Self::LongEx(triples) } else { Self::ListpackEx(triples) };
    }

    pub(super) fn become_table(&mut self, seed: &HashSeed) {
        let mut table = Box::new(HashTable::new(seed.clone()));
        for entry in self.iter_all() {
            table.insert(&entry.field.text(), &entry.value.text(), entry.expire.unwrap_or(0));
        }
        *self = Self::Table(table);
    }
}
