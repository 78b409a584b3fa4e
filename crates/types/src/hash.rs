//! Hash: fields with values, and with an expire time for any field, in one of three forms with the names,
//! thresholds and conversions of Redis 7.4.
//!
//! Few and short fields are a listpack of pairs; once a field got an expire time, a listpack of triples
//! ordered by that time ("listpackex", no expire time being 0 and last); all others are a table, or look like one. A hash only ever
//! moves towards the table.
//!
//! A table takes some 2.5 KiB, however few fields it has. So a hash that is no listpack for Redis because it has a long field, or more than the limits of the
//! configuration allow, stays one here while it is small (*long*): the document with a vector is such a hash. To clients, in files and in DUMP it is a hash table.
//!
//! A value of such a hash may lie elsewhere, in an index (*lending*), and is put together when it is read ([`Value`]).
//!
//! A field has expired when its time is not after `now` (unix milliseconds, given by the caller). Reading
//! treats it as absent; `len` still counts it, as HLEN does, until `expire_fields` removes it and tells so, or
//! `remove_expired` does it for one field. Nothing else removes expired fields, but setting one makes it a new
//! field. An empty hash may exist for a moment; deleting its key is the keyspace's business.

mod forms;
mod lending;
mod packed;
mod record;
mod table;
mod value;

use crate::listpack::{self, Corrupt, Item, Listpack, Needle};
use crate::set::pick;
use base::hash::HashSeed;
use lending::Lending;
use packed::{Packed, place_by_expire};
use record::EXPIRE_MS_MAX;
use std::collections::HashSet;
pub use table::HashTable;
use table::{Parts, TableIter};
pub use value::{Value, ValueText};

pub(crate) use table::HashRemains;

/// The latest expire time a field can have, unix milliseconds.
pub const FIELD_EXPIRE_MS_MAX: u64 = EXPIRE_MS_MAX;

/// When a hash changes its form: `hash-max-listpack-entries`, `hash-max-listpack-value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashLimits {
    /// Most fields in a listpack.
    pub max_listpack_entries: usize,
    /// Longest field or value of a listpack in bytes.
    pub max_listpack_value: usize,
}

impl Default for HashLimits {
    fn default() -> Self {
        Self { max_listpack_entries: 128, max_listpack_value: 64 }
    }
}

/// What setting a field does to the expire time it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldTtl {
    Clear,
    Keep,
}

/// A field, its value and its expire time in unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub field: Item<'a>,
    pub value: Value<'a>,
    pub expire: Option<u64>,
}

impl Entry<'_> {
    #[inline]
    pub fn is_live(&self, now: u64) -> bool {
        is_live(self.expire.unwrap_or(0), now)
    }
}

impl<'a> From<Parts<'a>> for Entry<'a> {
    #[inline]
    fn from(parts: Parts<'a>) -> Self {
        let expire = (parts.expire != 0).then_some(parts.expire);
        Self { field: Item::Str(parts.field), value: Value::Str(parts.value), expire }
    }
}

#[inline]
fn is_live(expire: u64, now: u64) -> bool {
    expire == 0 || expire > now
}

/// Fields and values.
pub enum Hash {
    Listpack(Listpack),
    ListpackEx(Listpack),
    /// As [`Hash::Listpack`], but shown as a table.
    Long(Listpack),
    /// As [`Hash::ListpackEx`], likewise.
    LongEx(Listpack),
    /// As [`Hash::Long`] or [`Hash::LongEx`], but that values lie elsewhere.
    Lending(Box<Lending>),
    Table(Box<HashTable>),
}

impl Clone for Hash {
    /// A deep copy: all values are its own.
    fn clone(&self) -> Self {
        match self {
            Self::Listpack(listpack) => Self::Listpack(listpack.clone()),
            Self::ListpackEx(listpack) => Self::ListpackEx(listpack.clone()),
            Self::Long(listpack) => Self::Long(listpack.clone()),
            Self::LongEx(listpack) => Self::LongEx(listpack.clone()),
            Self::Lending(lending) => lending.whole(),
            Self::Table(table) => Self::Table(table.clone()),
        }
    }
}

impl Default for Hash {
    fn default() -> Self {
        Self::Listpack(Listpack::new())
    }
}

impl Hash {
    /// An empty hash.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty hash that is to take `count` fields, and is a table, or long, if they are too many for a listpack.
    pub fn for_fields(count: usize, limits: &HashLimits, seed: &HashSeed) -> Self {
        let mut hash = Self::new();
        if count > limits.max_listpack_entries {
            hash.outgrow(count, 0, seed);
        }
        hash
    }

    /// The hash of a file's listpack of pairs; fields that come twice make it corrupt.
    pub fn from_listpack(raw: Vec<u8>, limits: &HashLimits, seed: &HashSeed) -> Result<Self, Corrupt> {
        Self::load(Self::Listpack(Listpack::from_bytes(raw)?), limits, seed)
    }

    /// The hash of a file's listpack of triples, which must be ordered by expire time.
    pub fn from_listpack_ex(raw: Vec<u8>, limits: &HashLimits, seed: &HashSeed) -> Result<Self, Corrupt> {
        let listpack = Listpack::from_bytes(raw)?;
        let mut last = 1;
        for time in listpack.iter().skip(2).step_by(3) {
            let time = match time {
                Item::Int(0) => u64::MAX,
                Item::Int(time) => u64::try_from(time).map_err(|_| Corrupt)?,
                Item::Str(_) => return Err(Corrupt),
            };
            if time < last || (time > FIELD_EXPIRE_MS_MAX && time != u64::MAX) {
                return Err(Corrupt);
            }
            last = time;
        }
        Self::load(Self::ListpackEx(listpack), limits, seed)
    }

    fn load(mut hash: Self, limits: &HashLimits, seed: &HashSeed) -> Result<Self, Corrupt> {
        let Some(packed) = hash.packed() else { unreachable!("files hold listpacks here") };
        let count = packed.listpack.len();
        if count == 0 || !count.is_multiple_of(packed.width) {
            return Err(Corrupt);
        }
        let (mut seen, mut longest) = (HashSet::with_capacity(count / packed.width), 0);
        for entry in packed.iter() {
            longest = longest.max(entry.field.len()).max(entry.value.len());
            if !seen.insert(entry.field.to_vec()) {
                return Err(Corrupt);
            }
        }
        if seen.len() > limits.max_listpack_entries || longest > limits.max_listpack_value {
            hash.outgrow(0, 0, seed);
        }
        Ok(hash)
    }

    /// Fields and expire times, if it has not become a table. Where values lie elsewhere they are not here.
    #[inline]
    fn packed(&self) -> Option<Packed<'_>> {
        match self {
            Self::Listpack(listpack) | Self::Long(listpack) => Some(Packed { listpack, width: 2 }),
            Self::ListpackEx(listpack) | Self::LongEx(listpack) => Some(Packed { listpack, width: 3 }),
            Self::Lending(lending) => Some(lending.packed()),
            Self::Table(_) => None,
        }
    }

    /// Fields, expired ones that are still there included.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Self::Listpack(listpack) | Self::Long(listpack) => listpack.len() / 2,
            Self::ListpackEx(listpack) | Self::LongEx(listpack) => listpack.len() / 3,
            Self::Lending(lending) => lending.packed().len(),
            Self::Table(table) => table.len(),
        }
    }

    /// Fields that have not expired.
    pub fn live_len(&self, now: u64) -> usize {
        match self {
            Self::Table(table) => table.live_len(now),
            _ => self.len() - self.packed().map_or(0, |packed| packed.expired(now)),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Table(table) => table.len() == 0,
            _ => self.listpack().is_none_or(Listpack::is_empty),
        }
    }

    /// The fields in one piece, if it has not become a table; without values that lie elsewhere.
    #[inline]
    pub fn listpack(&self) -> Option<&Listpack> {
        self.packed().map(|packed| packed.listpack)
    }

    #[inline]
    fn listpack_mut(&mut self) -> Option<&mut Listpack> {
        match self {
            Self::Listpack(listpack)
            | Self::ListpackEx(listpack)
            | Self::Long(listpack)
            | Self::LongEx(listpack) => Some(listpack),
            Self::Lending(_) | Self::Table(_) => None,
        }
    }

    /// The table, if it has become one.
    #[inline]
    pub fn table(&self) -> Option<&HashTable> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Heap bytes held, and those of values that lie elsewhere.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Lending(lending) => lending.bytes(),
            Self::Table(table) => table.bytes(),
            _ => self.listpack().map_or(0, Listpack::bytes),
        }
    }

    /// The name for OBJECT ENCODING.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Listpack(_) => "listpack",
            Self::ListpackEx(_) => "listpackex",
            Self::Long(_) | Self::LongEx(_) | Self::Lending(_) | Self::Table(_) => "hashtable",
        }
    }

    /// What is left of a table, to be freed step by step; nothing of what is one block.
    pub(crate) fn into_remains(self) -> Option<HashRemains> {
        if let Self::Table(table) = self { Some(table.into_remains()) } else { None }
    }

    // ---- reading

    /// The value of a field.
    #[inline]
    pub fn get(&self, field: &[u8], now: u64) -> Option<Value<'_>> {
        self.entry(field, now).map(|entry| entry.value)
    }

    /// A field with its value and expire time.
    #[inline]
    pub fn entry(&self, field: &[u8], now: u64) -> Option<Entry<'_>> {
        let entry = match self {
            Self::Table(table) => table.parts(table.find(field)?).into(),
            Self::Lending(lending) => lending.entry(field)?,
            _ => self.packed()?.get(field)?.1,
        };
        entry.is_live(now).then_some(entry)
    }

    #[inline]
    pub fn contains(&self, field: &[u8], now: u64) -> bool {
        self.entry(field, now).is_some()
    }

    /// All fields, expired ones included: in order of arrival or expire time when packed, else in hash order.
    pub fn iter_all(&self) -> Iter<'_> {
        match self {
            Self::Table(table) => Iter::Table(table.iter()),
            Self::Lending(lending) => lending.iter(),
            _ => self.packed().expect("not a table").iter(),
        }
    }

    /// The fields that have not expired.
    pub fn iter(&self, now: u64) -> impl Iterator<Item = Entry<'_>> {
        self.iter_all().filter(move |entry| entry.is_live(now))
    }

    /// Visits fields from `cursor` on, at least `count` (expired ones, which are not shown, counted) unless
    /// the end comes first; the next cursor, 0 at the end. Packed forms are visited whole. Fields present all
    /// the while are visited at least once, also when the hash changes its form in between.
    pub fn scan(&self, cursor: u64, count: usize, now: u64, mut visit: impl FnMut(Entry<'_>)) -> u64 {
        match self {
            Self::Table(table) => table.scan(cursor, count, |parts| {
                if parts.is_live(now) {
                    visit(parts.into());
                }
            }),
            _ => {
                self.iter(now).for_each(visit);
                0
            }
        }
    }

    /// A random field that has not expired, each about as likely as any other.
    pub fn random(&self, now: u64, random: &mut impl FnMut() -> u64) -> Option<Entry<'_>> {
        if let Self::Table(table) = self {
            return table.random(now, random).map(Entry::from);
        }
        let packed = self.packed()?;
        let expired = packed.expired(now);
        let nth = expired + pick(self.len() - expired, random)?;
        let at = packed.listpack.seek((nth * packed.width) as i64)?;
        Some(if let Self::Lending(lending) = self { lending.read(at).0 } else { packed.read(at).0 })
    }

    // ---- changing

    /// Sets a field; true if it is new (or had expired).
    pub fn set(
        &mut self,
        field: &[u8],
        value: &[u8],
        ttl: FieldTtl,
        now: u64,
        limits: &HashLimits,
        seed: &HashSeed,
    ) -> bool {
        if field.len().max(value.len()) > limits.max_listpack_value {
            self.grow([field, value].into_iter(), limits, seed);
        }
        self.take_back();
        if let Self::Table(table) = self {
            return set_in_table(table, field, value, ttl, now);
        }
        let created = self.set_packed(field, value, ttl, now);
        let is_outgrown = if self.is_long() {
            true
        } else {
            self.len() > limits.max_listpack_entries || !self.listpack().is_some_and(|it| it.fits(0))
        };
        if is_outgrown {
            self.outgrow(0, 0, seed);
        }
        created
    }

    fn set_packed(&mut self, field: &[u8], value: &[u8], ttl: FieldTtl, now: u64) -> bool {
        let packed = self.packed().expect("the table was dealt with");
        let found = packed.get(field).map(|(at, entry)| (at, entry.expire.unwrap_or(0)));
        let (field, value) = (Needle::new(field).item(), Item::new(value));
        let row = [field, value, Item::Int(0)];
        let row = &row[..packed.width];
        let listpack = self.listpack_mut().expect("the table was dealt with");
        let Some((at, expire)) = found else {
            listpack.insert_row(listpack.end(), row);
            return true;
        };
        let live = is_live(expire, now);
        if expire != 0 && (ttl == FieldTtl::Clear || !live) {
            listpack.remove(at, row.len());
            listpack.insert_row(listpack.end(), row);
        } else {
            let at = listpack.next(at).expect("a value follows its field");
            listpack.replace(at, value);
        }
        !live
    }

    /// Removes a field; false if it was not there or had expired (then `expire_fields` will remove it).
    pub fn remove(&mut self, field: &[u8], now: u64) -> bool {
        self.take_back_if(|lending| lending.entry(field).is_some_and(|entry| entry.is_live(now)));
        match self {
            Self::Table(table) => match table.find(field) {
                Some(pos) if table.parts(pos).is_live(now) => table.remove(pos),
                _ => return false,
            },
            Self::Lending(_) => return false,
            _ => {
                let packed = self.packed().expect("not a table");
                let (width, found) = (packed.width, packed.get(field));
                let Some(at) = found.and_then(|(at, entry)| entry.is_live(now).then_some(at)) else {
                    return false;
                };
                self.listpack_mut().expect("not a table").remove(at, width);
            }
        }
        true
    }

    /// Removes a field if it is there and has expired; whether it was so.
    pub fn remove_expired(&mut self, field: &[u8], now: u64) -> bool {
        self.take_back_if(|lending| lending.entry(field).is_some_and(|entry| !entry.is_live(now)));
        match self {
            Self::Listpack(_) | Self::Long(_) | Self::Lending(_) => false,
            Self::ListpackEx(listpack) | Self::LongEx(listpack) => {
                let found = Packed { listpack, width: 3 }.get(field);
                let Some((at, _)) = found.filter(|(_, entry)| !entry.is_live(now)) else { return false };
                listpack.remove(at, 3);
                true
            }
            Self::Table(table) => {
                let found = table.find(field).filter(|&pos| !table.parts(pos).is_live(now));
                found.map(|pos| table.remove(pos)).is_some()
            }
        }
    }

    /// Gives a field an expire time, at most [`FIELD_EXPIRE_MS_MAX`], or takes it away (`None`); false if
    /// there is no such field. A time that is not after `now` leaves an expired field for `expire_fields`.
    pub fn set_expire(&mut self, field: &[u8], expire: Option<u64>, now: u64) -> bool {
        let expire = expire.map_or(0, |time| time.clamp(1, FIELD_EXPIRE_MS_MAX));
        self.take_back_if(|lending| {
            let entry = lending.entry(field).filter(|entry| entry.is_live(now));
            entry.is_some_and(|entry| entry.expire.unwrap_or(0) != expire)
        });
        if let Self::Table(table) = self {
            let Some(pos) = table.find(field).filter(|&pos| table.parts(pos).is_live(now)) else {
                return false;
            };
            if table.parts(pos).expire != expire {
                table.rewrite(pos, None, expire);
            }
            return true;
        }
        let packed = self.packed().expect("not a table");
        let Some((at, entry)) = packed.get(field).filter(|(_, entry)| entry.is_live(now)) else {
            return false;
        };
        if entry.expire.unwrap_or(0) == expire {
            return true;
        }
        let value = entry.value.to_vec();
        let row = [Needle::new(field).item(), Item::new(&value), Item::Int(expire as i64)];
        match self {
            Self::Listpack(_) | Self::Long(_) => {
                self.become_triples();
                self.set_expire(field, Some(expire), now)
            }
            Self::ListpackEx(listpack) | Self::LongEx(listpack) => {
                listpack.remove(at, 3);
                let place = place_by_expire(listpack, expire);
                listpack.insert_row(place, &row);
                true
            }
            Self::Lending(_) | Self::Table(_) => unreachable!("dealt with"),
        }
    }

    /// No field expires before this; `None` exactly if no field has an expire time. In a table the time may be too early (never
    /// too late) until `expire_fields` has come round.
    pub fn next_expire(&self) -> Option<u64> {
        match self {
            Self::Listpack(_) | Self::Long(_) => None,
            Self::ListpackEx(_) | Self::LongEx(_) | Self::Lending(_) => {
                self.packed()?.iter().next().and_then(|entry| entry.expire)
            }
            Self::Table(table) => Some(table.next_expire()).filter(|&time| time != u64::MAX),
        }
    }

    /// Removes fields whose time has come, showing each to `on_expired` first; returns how many. Visits about
    /// `budget` fields, at least one segment of a table. As long as `next_expire` is not after `now` there is
    /// more to do.
    pub fn expire_fields(&mut self, now: u64, budget: usize, mut on_expired: impl FnMut(&[u8])) -> usize {
        self.take_back_if(|lending| lending.packed().expired(now) > 0);
        match self {
            Self::Listpack(_) | Self::Long(_) | Self::Lending(_) => 0,
            Self::ListpackEx(listpack) | Self::LongEx(listpack) => {
                let packed = Packed { listpack, width: 3 };
                let expired = packed.iter().take(budget).take_while(|entry| !entry.is_live(now));
                let removed = expired.inspect(|entry| entry.field.with_text(&mut on_expired)).count();
                listpack.remove_range(0, 3 * removed);
                removed
            }
            Self::Table(table) => table.expire_fields(now, budget, on_expired),
        }
    }
}

fn set_in_table(table: &mut HashTable, field: &[u8], value: &[u8], ttl: FieldTtl, now: u64) -> bool {
    let Some(pos) = table.find(field) else {
        table.insert(field, value, 0);
        return true;
    };
    let old = table.parts(pos);
    let live = old.is_live(now);
    let expire = if live && ttl == FieldTtl::Keep { old.expire } else { 0 };
    table.rewrite(pos, Some(value), expire);
    !live
}

/// The fields of a hash.
pub enum Iter<'a> {
    Packed { entries: listpack::Iter<'a>, width: usize },
    Lending { hash: &'a Lending, next: Option<listpack::At> },
    Table(TableIter<'a>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        match self {
            Self::Packed { entries, width } => {
                let (field, value) = (entries.next()?, entries.next()?);
                let expire =
                    if *width == 3 { entries.next()?.as_int().map(|time| time as u64) } else { None };
                Some(Entry { field, value: value.into(), expire: expire.filter(|&time| time != 0) })
            }
            Self::Lending { hash, next } => {
                let (entry, following) = hash.read((*next)?);
                *next = following;
                Some(entry)
            }
            Self::Table(iter) => iter.next().map(Entry::from),
        }
    }
}

#[cfg(test)]
mod tests;
