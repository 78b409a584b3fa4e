//! The table behind large sets. A record is one length byte and the member; longer members (length byte 255)
//! stand in a block of their own, which this table owns.
#![allow(unsafe_code)]

use crate::outline;
use crate::showing::{Element, Show, Showing};
use ::table::{Layout, Pos, Remains, Table};
use base::hash::HashSeed;

/// Longest member kept in the record.
const INLINE_BYTES_MAX: usize = 250;
/// Length byte of a record that holds a reference.
const OUTLINE: u8 = 255;

#[derive(Debug)]
struct Members;

impl Layout for Members {
    type Meta = ();

    #[inline]
    fn record_len(record: &[u8]) -> usize {
        match record[0] {
            OUTLINE => 1 + outline::REF_BYTES,
            len => 1 + usize::from(len),
        }
    }

    #[inline]
    fn key(record: &[u8]) -> &[u8] {
        match record[0] {
            // SAFETY: `insert` wrote the reference; its block lives until the record is removed or the table
            // dropped.
            OUTLINE => unsafe { outline::get(&record[1..1 + outline::REF_BYTES]) },
            len => &record[1..1 + usize::from(len)],
        }
    }
}

/// The members of a set in a table.
pub struct SetTable {
    table: Table<Members>,
    /// Bytes of the blocks of long members.
    outline_bytes: usize,
    /// The next segment to be shown.
    pub(crate) showing: Showing<u64>,
}

impl SetTable {
    pub fn new(seed: HashSeed) -> Self {
        Self { table: Table::new(seed), outline_bytes: 0, showing: Showing::default() }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Heap bytes held.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.table.bytes() + self.outline_bytes
    }

    /// Stage 1 of a look-up to come: asks for the line of the bucket. Returns the hash for stage 2.
    #[inline]
    pub fn prefetch_bucket(&self, member: &[u8]) -> u64 {
        let hash = self.table.hash(member);
        self.table.prefetch_bucket_for_write(hash);
        hash
    }

    /// Stage 2: reads the bucket and asks for the record, and for the place of a new one.
    #[inline]
    pub fn prefetch_record(&self, hash: u64) {
        self.table.prefetch_record_for_write(hash);
    }

    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.table.find(self.table.hash(member), member).is_some()
    }

    /// Adds `member`; false if it was there.
    #[inline]
    pub fn add(&mut self, member: &[u8]) -> bool {
        let hash = self.table.hash(member);
        if self.table.find(hash, member).is_some() {
            return false;
        }
        self.keep_home(hash);
        if member.len() <= INLINE_BYTES_MAX {
            self.table.insert(hash, 1 + member.len(), |record| {
                record[0] = member.len() as u8;
                record[1..].copy_from_slice(member);
            });
        } else {
            self.table.insert(hash, 1 + outline::REF_BYTES, |record| {
                record[0] = OUTLINE;
                outline::put(member, &mut record[1..]);
            });
            self.outline_bytes += member.len();
        }
        true
    }

    /// Removes `member`; false if it was not there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let found = self.table.find(self.table.hash(member), member);
        found.inspect(|&pos| self.remove_at(pos)).is_some()
    }

    fn remove_at(&mut self, pos: Pos) {
        if self.showing.is_on() {
            self.keep_home(self.table.hash(Members::key(self.table.record(pos))));
        }
        let record = self.table.record(pos);
        let mut slot = [0; outline::REF_BYTES];
        let is_outline = record[0] == OUTLINE;
        if is_outline {
            slot.copy_from_slice(&record[1..]);
        }
        self.table.remove(pos);
        if is_outline {
            // SAFETY: `insert` wrote the reference, and the only record with it is gone.
            self.outline_bytes -= unsafe { outline::free(&slot) };
        }
    }

    // ---- showing all while they change

    pub(crate) fn begin_showing(&mut self) {
        self.table.begin_walk();
        self.showing.begin(0);
    }

    /// To be called before a member with this hash comes or goes.
    #[inline]
    fn keep_home(&mut self, hash: u64) {
        if self.showing.is_on() {
            let showing = &mut self.showing;
            self.table.visit_home(hash, |record| showing.keep(Element::Member(Members::key(record))));
        }
    }

    pub(crate) fn show_on(&mut self, show: Show<'_>) -> bool {
        self.showing.show_kept(show);
        let Some(cursor) = self.showing.take_place() else { return false };
        let next = self.table.visit_rest(cursor, |record| show(Element::Member(Members::key(record))));
        self.showing.go_on_at((next != 0).then_some(next));
        next != 0
    }

    pub(crate) fn end_showing(&mut self) {
        self.table.end_walk();
        self.showing.end();
    }

    /// See `Table::scan`.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8])) -> u64 {
        self.table.scan(cursor, count, |record| visit(Members::key(record)))
    }

    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<&[u8]> {
        self.table.random(random).map(|pos| Members::key(self.table.record(pos)))
    }

    /// Removes a random member after showing it to `see`.
    #[inline]
    pub fn pop<R>(&mut self, random: &mut impl FnMut() -> u64, see: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let pos = self.table.random(random)?;
        let result = see(Members::key(self.table.record(pos)));
        self.remove_at(pos);
        Some(result)
    }

    /// What is left of it, to be freed step by step.
    pub fn into_remains(mut self) -> SetRemains {
        let empty = Table::new(self.table.seed().clone());
        let table = std::mem::replace(&mut self.table, empty).into_remains();
        SetRemains { table, outline_bytes: std::mem::take(&mut self.outline_bytes) }
    }

    pub fn iter(&self) -> TableIter<'_> {
        TableIter(self.table.iter())
    }
}

impl Clone for SetTable {
    /// A deep copy: long members get blocks of their own.
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.table.seed().clone());
        for member in self.iter() {
            copy.add(member);
        }
        copy
    }
}

impl Drop for SetTable {
    fn drop(&mut self) {
        if self.outline_bytes == 0 {
            return;
        }
        for record in self.table.iter() {
            if record[0] == OUTLINE {
                // SAFETY: `insert` wrote the reference; nothing reads the records after this but the table's
                // drop, which frees memory without looking at them.
                unsafe { outline::free(&record[1..]) };
            }
        }
    }
}

/// A table of members on its way out.
pub struct SetRemains {
    table: Remains<Members>,
    outline_bytes: usize,
}

impl SetRemains {
    /// Heap bytes not yet freed.
    pub fn bytes(&self) -> usize {
        self.table.bytes() + self.outline_bytes
    }

    /// Frees one segment with what its members own; false if there was none.
    pub fn free_step(&mut self) -> bool {
        if self.outline_bytes == 0 {
            return self.table.free_segment();
        }
        let outline_bytes = &mut self.outline_bytes;
        self.table.free_segment_showing(|record| {
            if record[0] == OUTLINE {
                // SAFETY: `insert` wrote the reference; the segment goes next, without a look at its records.
                *outline_bytes -= unsafe { outline::free(&record[1..]) };
            }
        })
    }
}

impl Drop for SetRemains {
    fn drop(&mut self) {
        while self.outline_bytes > 0 && self.free_step() {}
    }
}

/// The members in table order.
pub struct TableIter<'a>(::table::Iter<'a, Members>);

impl<'a> Iterator for TableIter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.next().map(Members::key)
    }
}
