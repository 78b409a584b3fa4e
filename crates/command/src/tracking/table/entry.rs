//! Half a cache line per key: by what it is found, and who has read it.

use super::clients::{NO_NUMBER, Number};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Readers that stand in the entry.
const READERS: usize = 7;

/// A key, by two hashes that have nothing to do with each other: two keys with the same 96 bits would be taken for one, and nobody can look for
/// such keys, for the seed of the first hash is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id {
    pub hash: u64,
    pub check: u32,
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
    check: u32,
    /// The place of its name.
    pub name: u32,
    /// Flushes that had begun when it was read last.
    pub flushes: u16,
    /// The last one first, then zeros. [`NO_NUMBER`] is one of them if there are more readers, who stand elsewhere.
    readers: [u16; READERS],
}

const _: () = assert!(size_of::<Entry>() == 32);

impl Entry {
    pub fn new(id: Id, name: u32) -> Self {
        Self { hash: id.hash, check: id.check, name, flushes: 0, readers: [0; READERS] }
    }

    /// With its first reader.
    #[inline]
    pub fn read_by(reader: Number, id: Id, name: u32, flushes: u16) -> Self {
        let mut readers = [0; READERS];
        readers[0] = reader.get();
        Self { hash: id.hash, check: id.check, name, flushes, readers }
    }

    #[inline]
    pub fn id(&self) -> Id {
        Id { hash: self.hash, check: self.check }
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
    pub fn names(&self, reader: Number) -> bool {
        // All are compared, which is quicker than to stop.
        self.readers.iter().fold(false, |found, other| found | (*other == reader.get()))
    }

    /// Whether there are readers elsewhere.
    #[inline]
    pub fn has_more(&self) -> bool {
        self.names(NO_NUMBER)
    }

    /// Those that stand here.
    pub fn numbers(&self) -> impl Iterator<Item = Number> + use<> {
        self.readers.into_iter().map_while(Number::new).filter(|number| *number != NO_NUMBER)
    }

    /// One more. There must be room.
    #[inline]
    pub fn push(&mut self, reader: Number) {
        debug_assert!(!self.is_full());
        self.readers.copy_within(..READERS - 1, 1);
        self.readers[0] = reader.get();
    }

    /// The last reader, unless it stands elsewhere.
    #[inline]
    pub fn last(&self) -> Option<Number> {
        Number::new(self.readers[0]).filter(|number| *number != NO_NUMBER)
    }

    /// Puts another one in the place of the last reader.
    #[inline]
    pub fn replace_last(&mut self, reader: Number) {
        self.readers[0] = reader.get();
    }

    /// Keeps only those readers (and [`NO_NUMBER`], if it is here).
    pub fn retain(&mut self, mut keep: impl FnMut(Number) -> bool) {
        let mut kept = [0; READERS];
        let readers = self.readers.into_iter().filter(|reader| Number::new(*reader).is_some_and(&mut keep));
        kept.iter_mut().zip(readers).for_each(|(place, reader)| *place = reader);
        self.readers = kept;
    }

    /// Takes out the first reader of a full entry, in whose place there are more elsewhere from now on.
    pub fn make_first_more(&mut self) -> Number {
        let first = std::mem::replace(&mut self.readers[READERS - 1], NO_NUMBER.get());
        Number::new(first).expect("the entry is full")
    }
}
