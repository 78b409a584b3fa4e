//! A quarter of a cache line per key: by what it is found, and who has read it.

use super::clients::Number;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Readers that stand in the entry.
const READERS: usize = 3;
/// Stands for the first reader where there is a crowd, whose place the other two say.
const CROWD: u16 = u16::MAX;

/// A key, by two hashes that have nothing to do with each other: two keys with the same 78 bits would be taken for one, and nobody can look for
/// such keys, for the seed of the first hash is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id {
    pub hash: u64,
    /// [`CHECK_BITS`] bits.
    pub check: u16,
}

const CHECK_BITS: u32 = 14;

impl Id {
    #[inline]
    pub fn new(hash: u64, other_hash: u64) -> Self {
        Self { hash, check: other_hash as u16 & ((1 << CHECK_BITS) - 1) }
    }
}

/// When the name of a key was put among the names, in turn; three are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Round(u16);

impl Default for Round {
    fn default() -> Self {
        Self(1)
    }
}

impl Round {
    pub fn next(self) -> Self {
        Self(self.0 % 3 + 1)
    }

    pub fn number(self) -> u16 {
        self.0
    }

    pub fn of(number: u16) -> Self {
        Self(number)
    }
}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// By keys: what is hashed already is not hashed again.
pub(super) type IdMap<T> = HashMap<Id, T, BuildHasherDefault<Hashed>>;

#[derive(Default)]
pub(super) struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    #[inline]
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// All zeros if it is free.
#[derive(Clone, Copy, Default)]
pub(super) struct Entry {
    hash: u64,
    /// Above the bits of the check: the number of the round in which its name was put among the names, 0 if it is not there.
    check: u16,
    /// The last one first, then zeros; or [`CROWD`] and a number of 32 bits.
    readers: [u16; READERS],
}

const _: () = assert!(size_of::<Entry>() == 16);

/// What an entry says of who has read its key.
pub(super) enum Readers {
    Few([Option<Number>; READERS]),
    /// More than there is room for, or one whose number is too great for it: they stand elsewhere.
    Crowd(u32),
}

/// A number as it stands in an entry, if it is small enough for that.
#[inline]
fn short(number: Number) -> Option<u16> {
    u16::try_from(number.get()).ok().filter(|short| *short != CROWD)
}

impl Entry {
    /// With its first reader, if that has room here.
    #[inline]
    pub fn read_by(id: Id, reader: Number) -> Option<Self> {
        Some(Self { hash: id.hash, check: id.check, readers: [short(reader)?, 0, 0] })
    }

    /// Read by a crowd.
    pub fn read_by_crowd(id: Id, crowd: u32) -> Self {
        let mut entry = Self { hash: id.hash, check: id.check, readers: [0; READERS] };
        entry.set_crowd(crowd);
        entry
    }

    #[inline]
    pub fn id(&self) -> Id {
        Id::new(self.hash, self.check.into())
    }

    #[inline]
    pub fn round(&self) -> Option<Round> {
        Some(Round(self.check >> CHECK_BITS)).filter(|round| round.0 > 0)
    }

    /// Its name is not there any more.
    pub fn clear_round(&mut self) {
        self.check = self.id().check;
    }

    pub fn set_round(&mut self, round: Round) {
        self.check = self.id().check | round.0 << CHECK_BITS;
    }

    #[inline]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Nobody has read it: there is no such entry.
    #[inline]
    pub fn is_free(&self) -> bool {
        self.readers[0] == 0
    }

    #[inline]
    pub fn is_full(&self) -> bool {
        self.readers[READERS - 1] != 0
    }

    #[inline]
    pub fn readers(&self) -> Readers {
        let [first, low, high] = self.readers;
        match first {
            CROWD => Readers::Crowd(u32::from(low) | u32::from(high) << 16),
            _ => Readers::Few(self.readers.map(|reader| Number::new(reader.into()))),
        }
    }

    #[inline]
    pub fn has_crowd(&self) -> bool {
        self.readers[0] == CROWD
    }

    /// Whether a reader stands here. (Of an entry with a crowd the answer means nothing.)
    #[inline]
    pub fn names(&self, reader: Number) -> bool {
        // All are compared, which is quicker than to stop.
        self.readers.iter().fold(false, |found, other| found | (u32::from(*other) == reader.get()))
    }

    /// One more, if there is room. There must be no crowd.
    #[inline]
    pub fn push(&mut self, reader: Number) -> bool {
        debug_assert!(!self.has_crowd());
        let Some(reader) = short(reader).filter(|_| !self.is_full()) else { return false };
        self.readers.copy_within(..READERS - 1, 1);
        self.readers[0] = reader;
        true
    }

    /// From now on there is a crowd.
    pub fn set_crowd(&mut self, crowd: u32) {
        self.readers = [CROWD, crowd as u16, (crowd >> 16) as u16];
    }

    /// Keeps only those readers, of which there may be none. There must be no crowd.
    pub fn retain(&mut self, mut keep: impl FnMut(Number) -> bool) {
        debug_assert!(!self.has_crowd());
        let mut kept = [0; READERS];
        let readers =
            self.readers.into_iter().filter(|reader| Number::new((*reader).into()).is_some_and(&mut keep));
        kept.iter_mut().zip(readers).for_each(|(place, reader)| *place = reader);
        self.readers = kept;
    }
}
