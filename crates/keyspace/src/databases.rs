//! The logical databases of one shard, by number.
//!
//! The first few are there from the start; one beyond comes into being when it is first asked for to be changed, so that a
//! large `databases` costs nothing until it is used. To who only reads, a database that is not there is an empty one.
//! Asking for a number of [`Databases::count`] or above is a bug of the caller.

use crate::age::AgeRule;
use crate::bin::{Bin, Frees};
use crate::birth::Births;
use crate::db::Db;
use base::hash::HashSeed;
use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

/// Databases that are there from the start: as many as Redis has by default.
const NEAR: usize = 16;

pub struct Databases {
    /// In place, and as many however few may be selected: a look-up needs neither a pointer nor a length.
    near: [Db; NEAR],
    far: BTreeMap<u16, Db>,
    count: usize,
    /// What is shown for one that is not there; never changed. New ones are made after it.
    empty: Db,
    bin: Bin,
}

impl Databases {
    /// `count`: at least 1 and at most 65,536, for their numbers are `u16`s.
    pub fn new(count: usize, seed: HashSeed, bin: Bin) -> Self {
        assert!((1..=1 << 16).contains(&count), "{count} databases");
        let make = || Db::with_bin(seed.clone(), bin.clone());
        let near = std::array::from_fn(|_| make());
        Self { near, far: BTreeMap::new(), count, empty: make(), bin }
    }

    /// How many a client may select.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The number as which a client's database is known, if it may select it.
    pub fn number(&self, index: i64) -> Option<u16> {
        usize::try_from(index).is_ok_and(|index| index < self.count).then_some(index as u16)
    }

    /// Those that are there, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Db> {
        self.near.iter().chain(self.far.values())
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Db> {
        self.near.iter_mut().chain(self.far.values_mut())
    }

    /// The name of a key of any database, by its hash and by what is to be true of it.
    pub fn key_of(&self, hash: u64, is_name: &dyn Fn(&[u8]) -> bool) -> Option<Box<[u8]>> {
        self.iter().filter(|db| !db.is_empty()).find_map(|db| db.key_of(hash, is_name)).map(Box::from)
    }

    /// Those that are there, with their numbers, in order.
    pub fn numbered(&self) -> impl Iterator<Item = (u16, &Db)> {
        (0..).zip(&self.near).chain(self.far.iter().map(|(number, db)| (*number, db)))
    }

    /// The same, to be changed.
    pub fn iter_mut_numbered(&mut self) -> impl Iterator<Item = (u16, &mut Db)> {
        let far = self.far.iter_mut().map(|(number, db)| (*number, db));
        (0..).zip(&mut self.near).chain(far)
    }

    /// Exchanges two databases.
    pub fn swap(&mut self, first: u16, second: u16) {
        if first != second {
            let fresh = self.fresh();
            let left = std::mem::replace(&mut self[first.into()], fresh);
            let right = std::mem::replace(&mut self[second.into()], left);
            self[first.into()] = right;
        }
    }

    /// How ages are renewed from now on.
    pub fn set_ages(&mut self, rule: AgeRule) {
        self.iter_mut().for_each(|db| db.ages = rule);
        self.empty.ages = rule;
    }

    /// Whether it is noted from now on which keys come.
    pub fn set_births(&mut self, are_noted: bool) {
        self.empty.births.are_noted = are_noted;
        self.iter_mut().for_each(|db| db.births = Births::noted_if(are_noted));
    }

    /// When memory is freed from now on.
    pub fn set_frees(&mut self, frees: Frees) {
        self.iter_mut().for_each(|db| db.frees = frees);
        self.empty.frees = frees;
    }

    /// As many without keys, to which the same applies.
    pub fn anew(&self) -> Self {
        let near = std::array::from_fn(|_| self.fresh());
        Self { near, far: BTreeMap::new(), count: self.count, empty: self.fresh(), bin: self.bin.clone() }
    }

    fn fresh(&self) -> Db {
        let mut db = Db::with_bin(self.empty.seed().clone(), self.bin.clone());
        (db.ages, db.frees) = (self.empty.ages, self.empty.frees);
        db.births.are_noted = self.empty.births.are_noted;
        db
    }

    #[cold]
    fn far(&self, index: usize) -> &Db {
        assert!(index < self.count, "there is no database {index}");
        self.far.get(&(index as u16)).unwrap_or(&self.empty)
    }

    #[cold]
    fn far_mut(&mut self, index: usize) -> &mut Db {
        assert!(index < self.count, "there is no database {index}");
        if !self.far.contains_key(&(index as u16)) {
            let fresh = self.fresh();
            self.far.insert(index as u16, fresh);
        }
        self.far.get_mut(&(index as u16)).expect("just seen to")
    }
}

impl Index<usize> for Databases {
    type Output = Db;

    #[inline(always)]
    fn index(&self, index: usize) -> &Db {
        if index < NEAR { &self.near[index] } else { self.far(index) }
    }
}

impl IndexMut<usize> for Databases {
    #[inline(always)]
    fn index_mut(&mut self, index: usize) -> &mut Db {
        if index < NEAR { &mut self.near[index] } else { self.far_mut(index) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Key, Value};

    fn databases(count: usize) -> Databases {
        Databases::new(count, HashSeed::new(1, 2), Bin::default())
    }

    fn put(databases: &mut Databases, db: usize, name: &[u8]) {
        let key = Key::new(name, databases[db].seed());
        databases[db].put(key, None, Value::string(b"v"), None, 0);
    }

    #[test]
    fn many_databases_are_made_when_they_are_used() {
        let mut all = databases(65_536);
        assert_eq!((all.count(), all.iter().count()), (65_536, NEAR));
        assert!(all[65_535].is_empty());
        assert_eq!(all.iter().count(), NEAR);
        put(&mut all, 65_535, b"a");
        put(&mut all, 20, b"b");
        put(&mut all, 3, b"c");
        let used = all.numbered().filter(|(_, db)| !db.is_empty()).map(|(number, _)| number);
        assert_eq!(used.collect::<Vec<_>>(), [3, 20, 65_535]);
        assert!(all.bin.is_empty());
    }

    #[test]
    fn numbers_are_those_that_may_be_selected() {
        let all = databases(300);
        assert_eq!([all.number(0), all.number(299)], [Some(0), Some(299)]);
        assert_eq!([all.number(-1), all.number(300), all.number(65_536)], [None; 3]);
    }

    #[test]
    fn swapped_databases_change_places_wherever_they_are() {
        let mut all = databases(100);
        put(&mut all, 1, b"a");
        put(&mut all, 50, b"b");
        put(&mut all, 50, b"c");
        for (first, second) in [(1, 50), (1, 1), (50, 99)] {
            all.swap(first, second);
        }
        assert_eq!([all[1].len(), all[50].len(), all[99].len()], [2, 0, 1]);
    }

    #[test]
    fn rules_hold_for_databases_made_later() {
        let mut all = databases(100);
        let frees = Frees { overwritten: crate::Free::Later, expired: crate::Free::Later };
        all.set_frees(frees);
        assert!(matches!(all[99].frees.expired, crate::Free::Later));
        put(&mut all, 99, b"a");
        assert!(matches!(all[99].frees.expired, crate::Free::Later));
    }
}
