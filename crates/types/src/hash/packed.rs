//! A hash that is a listpack: pairs of field and value, or triples with the expire time.

use super::{Entry, Iter};
use crate::listpack::{At, Listpack};

/// Entries of a listpack that make one field, and the listpack.
#[derive(Clone, Copy)]
pub struct Packed<'a> {
    pub listpack: &'a Listpack,
    pub width: usize,
}

impl<'a> Packed<'a> {
    /// Fields.
    pub fn len(self) -> usize {
        self.listpack.len() / self.width
    }

    pub fn find(self, field: &[u8]) -> Option<At> {
        self.listpack.find_first(field, self.width - 1)
    }

    /// The field that starts at `at`, and the place of the next.
    pub fn read(self, at: At) -> (Entry<'a>, Option<At>) {
        let (field, at) = self.listpack.get_next(at);
        let (value, mut next) = self.listpack.get_next(at.expect("a value follows its field"));
        let mut expire = 0;
        if self.width == 3 {
            let time;
            (time, next) = self.listpack.get_next(next.expect("an expire time follows its value"));
            expire = time.as_int().map_or(0, |time| time as u64);
        }
        (Entry { field, value: value.into(), expire: (expire != 0).then_some(expire) }, next)
    }

    pub fn get(self, field: &[u8]) -> Option<(At, Entry<'a>)> {
        let at = self.find(field)?;
        Some((at, self.read(at).0))
    }

    /// How many fields at the front have expired.
    pub fn expired(self, now: u64) -> usize {
        if self.width == 2 { 0 } else { self.iter().take_while(|entry| !entry.is_live(now)).count() }
    }

    pub fn iter(self) -> Iter<'a> {
        Iter::Packed { entries: self.listpack.iter(), width: self.width }
    }
}

/// Where a triple with this expire time belongs: before the first that expires no earlier.
pub fn place_by_expire(listpack: &Listpack, expire: u64) -> At {
    let packed = Packed { listpack, width: 3 };
    let mut place = listpack.first().filter(|_| expire != 0);
    while let Some(at) = place {
        let (entry, next) = packed.read(at);
        if entry.expire.is_none_or(|time| time >= expire) {
            return at;
        }
        place = next;
    }
    listpack.end()
}
