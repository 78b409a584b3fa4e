//! Set: distinct byte strings, in one of three forms with the names, thresholds and conversions of Redis 7.2.
//!
//! Integers alone are an intset, few and short members a listpack, all others a table. A set only ever moves
//! towards the table; removing members does not bring it back. An empty set may exist for a moment; deleting
//! its key is the keyspace's business. Set algebra stands with the commands.

mod table;

use crate::intset::{self, Intset};
use crate::listpack::{self, Corrupt, Item, Listpack, Needle};
use base::hash::HashSeed;
use std::collections::HashSet;
pub use table::SetTable;
use table::TableIter;

pub(crate) use table::SetRemains;

/// More integers than this no intset holds, whatever the configuration says.
const INTSET_ENTRIES_MAX: usize = 1 << 30;

/// When a set changes its form: `set-max-intset-entries`, `set-max-listpack-entries`,
/// `set-max-listpack-value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetLimits {
    pub max_intset_entries: usize,
    pub max_listpack_entries: usize,
    /// Longest member of a listpack in bytes.
    pub max_listpack_value: usize,
}

impl Default for SetLimits {
    fn default() -> Self {
        Self { max_intset_entries: 512, max_listpack_entries: 128, max_listpack_value: 64 }
    }
}

impl SetLimits {
    fn intset_entries_max(&self) -> usize {
        self.max_intset_entries.min(INTSET_ENTRIES_MAX)
    }
}

/// A set of byte strings.
#[derive(Clone)]
pub enum Set {
    Intset(Intset),
    Listpack(Listpack),
    Table(Box<SetTable>),
}

impl Set {
    /// An empty set in the form best for `first`, which will be added, among about `hint` members.
    pub fn new(first: &[u8], hint: usize, limits: &SetLimits, seed: &HashSeed) -> Self {
        if hint <= limits.max_intset_entries && Item::new(first).as_int().is_some() {
            Self::Intset(Intset::new())
        } else if hint <= limits.max_listpack_entries {
            Self::Listpack(Listpack::new())
        } else {
            Self::Table(Box::new(SetTable::new(seed.clone())))
        }
    }

    /// The set of a file's intset.
    pub fn from_intset(raw: Vec<u8>, limits: &SetLimits, seed: &HashSeed) -> Result<Self, Corrupt> {
        let mut set = Self::Intset(Intset::from_bytes(raw)?);
        if set.len() > limits.intset_entries_max() {
            set.become_table(seed);
        }
        Ok(set)
    }

    /// The set of a file's listpack; members that come twice make it corrupt.
    pub fn from_listpack(raw: Vec<u8>, limits: &SetLimits, seed: &HashSeed) -> Result<Self, Corrupt> {
        let listpack = Listpack::from_bytes(raw)?;
        let mut seen = HashSet::with_capacity(listpack.len());
        if listpack.is_empty() || !listpack.iter().all(|item| seen.insert(item.to_vec())) {
            return Err(Corrupt);
        }
        let longest = seen.iter().map(Vec::len).max().unwrap_or(0);
        let mut set = Self::Listpack(listpack);
        if seen.len() > limits.max_listpack_entries || longest > limits.max_listpack_value {
            set.become_table(seed);
        }
        Ok(set)
    }

    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Self::Intset(intset) => intset.len(),
            Self::Listpack(listpack) => listpack.len(),
            Self::Table(table) => table.len(),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The table, if it has become one.
    #[inline]
    pub fn table(&self) -> Option<&SetTable> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Heap bytes held.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Intset(intset) => intset.bytes(),
            Self::Listpack(listpack) => listpack.bytes(),
            Self::Table(table) => table.bytes(),
        }
    }

    /// The name for OBJECT ENCODING.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Intset(_) => "intset",
            Self::Listpack(_) => "listpack",
            Self::Table(_) => "hashtable",
        }
    }

    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        match self {
            Self::Intset(intset) => Item::new(member).as_int().is_some_and(|value| intset.contains(value)),
            Self::Listpack(listpack) => listpack.find_first(member, 0).is_some(),
            Self::Table(table) => table.contains(member),
        }
    }

    /// Whether another set's member is one of this set.
    #[inline]
    pub fn contains_item(&self, member: Item<'_>) -> bool {
        match (self, member) {
            (Self::Intset(intset), Item::Int(value)) => intset.contains(value),
            _ => member.with_text(|text| self.contains(text)),
        }
    }

    /// Adds `member`; false if it was there.
    #[inline]
    pub fn add(&mut self, member: &[u8], limits: &SetLimits, seed: &HashSeed) -> bool {
        match self {
            Self::Intset(intset) => match Item::new(member).as_int() {
                Some(value) => {
                    let added = intset.add(value);
                    if intset.len() > limits.intset_entries_max() {
                        self.become_table(seed);
                    }
                    return added;
                }
                None => self.leave_intset(member.len(), limits, seed),
            },
            Self::Listpack(listpack) => {
                if listpack.find_first(member, 0).is_some() {
                    return false;
                }
                if listpack.len() >= limits.max_listpack_entries
                    || member.len() > limits.max_listpack_value
                    || !listpack.fits(member.len())
                {
                    self.become_table(seed);
                }
            }
            Self::Table(table) => return table.add(member),
        }
        match self {
            Self::Listpack(listpack) => listpack.append(Needle::new(member).item()),
            Self::Table(table) => {
                table.add(member);
            }
            Self::Intset(_) => unreachable!("just left"),
        }
        true
    }

    /// Converts an intset that a string of `len` bytes is to be added to.
    fn leave_intset(&mut self, len: usize, limits: &SetLimits, seed: &HashSeed) {
        let Self::Intset(intset) = self else { unreachable!("called for an intset") };
        let digits = |value: Option<i64>| value.map_or(0, |value| Item::Int(value).len());
        let longest = len.max(digits(intset.min())).max(digits(intset.max()));
        if intset.len() >= limits.max_listpack_entries || longest > limits.max_listpack_value {
            return self.become_table(seed);
        }
        let mut listpack = Listpack::with_capacity(intset.len() * 4 + len);
        for value in intset.iter() {
            listpack.append(Item::Int(value));
        }
        *self = Self::Listpack(listpack);
    }

    fn become_table(&mut self, seed: &HashSeed) {
        let mut table = Box::new(SetTable::new(seed.clone()));
        for item in self.iter() {
            item.with_text(|member| table.add(member));
        }
        *self = Self::Table(table);
    }

    /// Removes `member`; false if it was not there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Self::Intset(intset) => Item::new(member).as_int().is_some_and(|value| intset.remove(value)),
            Self::Listpack(listpack) => match listpack.find_first(member, 0) {
                Some(at) => {
                    listpack.remove(at, 1);
                    true
                }
                None => false,
            },
            Self::Table(table) => table.remove(member),
        }
    }

    /// A random member, each about as likely as any other.
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<Item<'_>> {
        match self {
            Self::Intset(intset) => intset.get(pick(intset.len(), random)?).map(Item::Int),
            Self::Listpack(listpack) => listpack.get_index(pick(listpack.len(), random)? as i64),
            Self::Table(table) => table.random(random).map(Item::Str),
        }
    }

    /// Removes a random member after showing it to `see`.
    #[inline]
    pub fn pop<R>(&mut self, random: &mut impl FnMut() -> u64, see: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        match self {
            Self::Intset(intset) => {
                let value = intset.get(pick(intset.len(), random)?)?;
                intset.remove(value);
                Some(see(Item::Int(value)))
            }
            Self::Listpack(listpack) => {
                let at = listpack.seek(pick(listpack.len(), random)? as i64)?;
                let result = see(listpack.get(at));
                listpack.remove(at, 1);
                Some(result)
            }
            Self::Table(table) => table.pop(random, |member| see(Item::Str(member))),
        }
    }

    /// To be called before `count` members are added at once: a packed set becomes a table now if so many could not stay
    /// packed.
    pub fn expect(&mut self, count: usize, limits: &SetLimits, seed: &HashSeed) {
        let too_many = match self {
            Self::Intset(_) => count > limits.max_intset_entries,
            Self::Listpack(_) => count > limits.max_listpack_entries,
            Self::Table(_) => false,
        };
        if too_many {
            self.become_table(seed);
        }
    }

    /// What is left of a table, to be freed step by step; nothing of what is one block.
    pub(crate) fn into_remains(self) -> Option<SetRemains> {
        if let Self::Table(table) = self { Some(table.into_remains()) } else { None }
    }

    /// All members: ascending in an intset, in order of arrival in a listpack, in hash order in a table.
    pub fn iter(&self) -> Iter<'_> {
        match self {
            Self::Intset(intset) => Iter::Intset(intset.iter()),
            Self::Listpack(listpack) => Iter::Listpack(listpack.iter()),
            Self::Table(table) => Iter::Table(table.iter()),
        }
    }

    /// Visits members from `cursor` on, at least `count` unless the end comes first; the next cursor, 0 at
    /// the end. Packed forms are visited whole. Members present all the while are visited at least once, also
    /// when the set changes its form in between (a packed form is then visited from the beginning).
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Item<'_>)) -> u64 {
        match self {
            Self::Table(table) => table.scan(cursor, count, |member| visit(Item::Str(member))),
            _ => {
                self.iter().for_each(visit);
                0
            }
        }
    }
}

/// A random index below `len`; none for 0.
pub(crate) fn pick(len: usize, random: &mut impl FnMut() -> u64) -> Option<usize> {
    // The high half of a product: unbiased enough for lengths far below 2^64, and without division.
    (len > 0).then(|| ((u128::from(random()) * len as u128) >> 64) as usize)
}

/// The members of a set.
pub enum Iter<'a> {
    Intset(intset::Iter<'a>),
    Listpack(listpack::Iter<'a>),
    Table(TableIter<'a>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Self::Intset(iter) => iter.next().map(Item::Int),
            Self::Listpack(iter) => iter.next(),
            Self::Table(iter) => iter.next().map(Item::Str),
        }
    }
}

#[cfg(test)]
mod tests;
