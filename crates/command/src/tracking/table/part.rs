//! The keys of one stretch of hashes: an open-addressing index over densely packed entries, so that any of them can be drawn by lot.

use super::Size;
use crate::tracking::ClientRef;
use keyspace::Key;

/// A slot with nothing in it. No entry has this place.
const FREE: Slot = u64::MAX;
/// Slots of an index that is not empty.
const SLOTS_MIN: usize = 16;
/// Longest name that stands in its entry.
pub(super) const INLINE_BYTES: usize = 22;

/// The lower half of a key's hash, by which its slot is found, above the place of its entry.
pub(super) type Slot = u64;

fn slot(hash: u32, at: usize) -> Slot {
    u64::from(hash) << 32 | at as u64
}

fn place(slot: Slot) -> usize {
    slot as u32 as usize
}

enum Name {
    Inline(u8, [u8; INLINE_BYTES]),
    Long(Box<[u8]>),
}

impl Name {
    fn new(bytes: &[u8]) -> Self {
        let mut inline = [0; INLINE_BYTES];
        match inline.get_mut(..bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                Self::Inline(bytes.len() as u8, inline)
            }
            None => Self::Long(bytes.into()),
        }
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Inline(len, bytes) => &bytes[..usize::from(*len)],
            Self::Long(bytes) => bytes,
        }
    }

    /// Bytes outside the entry.
    fn outside(&self) -> usize {
        match self {
            Self::Inline(..) => 0,
            Self::Long(bytes) => bytes.len(),
        }
    }
}

/// One cache line.
#[repr(align(64))]
pub(super) struct Entry {
    name: Name,
    hash: u32,
    /// Flushes that had begun when it was read last.
    flushes: u16,
    /// Most keys have one reader.
    home: u16,
    conn: u32,
    generation: u32,
    /// The others, ascending.
    others: Vec<ClientRef>,
}

const _: () = assert!(size_of::<Entry>() == 64);

impl Entry {
    #[inline]
    pub fn hash(&self) -> u32 {
        self.hash
    }

    /// One of the clients that stand outside the entry.
    #[inline]
    pub fn other(&self) -> Option<&ClientRef> {
        self.others.first()
    }

    #[inline]
    fn first(&self) -> ClientRef {
        ClientRef { home: self.home, conn: self.conn, generation: self.generation }
    }

    /// One more reader; whether there are more than before. One that is gone, of which nobody needs to know, makes room.
    #[inline]
    fn add(&mut self, client: ClientRef, is_gone: impl Fn(ClientRef) -> bool) -> bool {
        self.first() != client && self.add_other(client, is_gone)
    }

    fn add_other(&mut self, client: ClientRef, is_gone: impl Fn(ClientRef) -> bool) -> bool {
        let Err(at) = self.others.binary_search(&client) else { return false };
        if is_gone(self.first()) {
            let ClientRef { home, conn, generation } = client;
            (self.home, self.conn, self.generation) = (home, conn, generation);
            return false;
        }
        self.others.insert(at, client);
        true
    }

    fn readers(&self) -> usize {
        1 + self.others.len()
    }

    /// All clients, ascending.
    fn into_readers(self) -> (Box<[u8]>, Vec<ClientRef>) {
        let first = self.first();
        let mut readers = self.others;
        let at = readers.partition_point(|other| *other < first);
        readers.insert(at, first);
        (self.name.bytes().into(), readers)
    }
}

#[derive(Default)]
pub(super) struct Part {
    /// At the place that the hash says or behind it; a power of two, at most three quarters of them taken.
    slots: Vec<Slot>,
    entries: Vec<Entry>,
    /// Clients of all entries.
    items: usize,
    /// Bytes of names that do not stand in their entries.
    long_bytes: usize,
}

impl Part {
    /// How much there is of what.
    #[inline]
    pub fn size(&self) -> Size {
        let others = self.items - self.entries.len();
        let bytes = self.slots.capacity() * size_of::<Slot>()
            + self.entries.capacity() * size_of::<Entry>()
            + others * size_of::<ClientRef>()
            + self.long_bytes;
        Size { keys: self.entries.len(), items: self.items, bytes }
    }

    #[cfg(test)]
    pub fn long_bytes(&self) -> usize {
        self.long_bytes
    }

    /// The slot with which a look-up begins.
    #[inline]
    pub fn first_slot(&self, hash: u64) -> Slot {
        if self.slots.is_empty() { FREE } else { self.slots[hash as u32 as usize & (self.slots.len() - 1)] }
    }

    /// The entry of the key with a hash, most likely.
    #[inline]
    pub fn likely(&self, hash: u64) -> Option<&Entry> {
        let (hash, mask) = (hash as u32, self.slots.len().checked_sub(1)?);
        let mut number = hash as usize & mask;
        loop {
            match self.slots[number] {
                FREE => return None,
                slot if (slot >> 32) as u32 == hash => return self.entries.get(place(slot)),
                _ => number = (number + 1) & mask,
            }
        }
    }

    /// The number of the slot of a key, or of the free one where it would stand. There is a free one.
    #[inline]
    fn slot_of(&self, key: Key<'_>) -> usize {
        let (hash, mask) = (key.hash as u32, self.slots.len() - 1);
        let mut number = hash as usize & mask;
        loop {
            let slot = self.slots[number];
            if slot == FREE {
                return number;
            }
            if (slot >> 32) as u32 == hash && self.entries[place(slot)].name.bytes() == key.bytes {
                return number;
            }
            number = (number + 1) & mask;
        }
    }

    /// Makes the index anew.
    #[cold]
    fn index(&mut self, slots: usize) {
        self.slots = vec![FREE; slots];
        for (at, entry) in self.entries.iter().enumerate() {
            let mut number = entry.hash as usize & (slots - 1);
            while self.slots[number] != FREE {
                number = (number + 1) & (slots - 1);
            }
            self.slots[number] = slot(entry.hash, at);
        }
    }

    /// A client has read a key, after so many flushes had begun. `is_gone`: a client is known not to be there any more.
    #[inline]
    pub fn add(
        &mut self,
        key: Key<'_>,
        client: ClientRef,
        flushes: u16,
        is_gone: impl Fn(ClientRef) -> bool,
    ) {
        if self.entries.len() >= self.slots.len() / 4 * 3 {
            self.index((self.slots.len() * 2).max(SLOTS_MIN));
        }
        let number = self.slot_of(key);
        if self.slots[number] != FREE {
            let entry = &mut self.entries[place(self.slots[number])];
            entry.flushes = flushes;
            self.items += usize::from(entry.add(client, is_gone));
            return;
        }
        let (hash, at) = (key.hash as u32, self.entries.len());
        assert!(at < u32::MAX as usize, "there are fewer keys than would fill the memory");
        self.slots[number] = slot(hash, at);
        let ClientRef { home, conn, generation } = client;
        let (name, others) = (Name::new(key.bytes), Vec::new());
        self.long_bytes += name.outside();
        self.entries.push(Entry { name, hash, flushes, home, conn, generation, others });
        self.items += 1;
    }

    /// Takes out who has read a key, ascending, if anybody has.
    pub fn remove(&mut self, key: Key<'_>) -> Vec<ClientRef> {
        if self.entries.is_empty() {
            return Vec::new();
        }
        let number = self.slot_of(key);
        if self.slots[number] == FREE { Vec::new() } else { self.take(number).1 }
    }

    /// Takes out the entry at a place, and who had read it.
    pub fn remove_at(&mut self, at: usize) -> (Box<[u8]>, Vec<ClientRef>) {
        let number = self.slot_at(at);
        self.take(number)
    }

    /// The number of the slot of an entry.
    fn slot_at(&self, at: usize) -> usize {
        let mask = self.slots.len() - 1;
        let wanted = slot(self.entries[at].hash, at);
        let mut number = self.entries[at].hash as usize & mask;
        while self.slots[number] != wanted {
            number = (number + 1) & mask;
        }
        number
    }

    fn take(&mut self, number: usize) -> (Box<[u8]>, Vec<ClientRef>) {
        let at = place(self.slots[number]);
        let last = self.entries.len() - 1;
        self.free_slot(number);
        if at != last {
            let of_last = self.slot_at(last);
            self.slots[of_last] = slot(self.entries[last].hash, at);
        }
        let entry = self.entries.swap_remove(at);
        self.items -= entry.readers();
        self.long_bytes -= entry.name.outside();
        if self.entries.is_empty() {
            self.slots = Vec::new();
            self.entries = Vec::new();
        }
        entry.into_readers()
    }

    /// Frees a slot, and moves those up that stand behind it for want of theirs.
    fn free_slot(&mut self, mut free: usize) {
        let mask = self.slots.len() - 1;
        let mut number = free;
        loop {
            number = (number + 1) & mask;
            let slot = self.slots[number];
            if slot == FREE {
                break;
            }
            let wish = (slot >> 32) as usize & mask;
            if (number.wrapping_sub(wish) & mask) >= (number.wrapping_sub(free) & mask) {
                self.slots[free] = slot;
                free = number;
            }
        }
        self.slots[free] = FREE;
    }

    /// Forgets what was read last before a flush that all clients have been told of, if so many have begun and `pending` not come to this.
    pub fn end_flush(&mut self, flushes: u16, pending: u16) {
        let oldest = flushes.wrapping_sub(pending);
        self.entries.retain(|entry| entry.flushes.wrapping_sub(oldest) <= pending);
        self.entries.shrink_to_fit();
        self.items = self.entries.iter().map(Entry::readers).sum();
        self.long_bytes = self.entries.iter().map(|entry| entry.name.outside()).sum();
        if self.entries.is_empty() {
            self.slots = Vec::new();
        } else {
            let slots = (self.entries.len() * 2).next_power_of_two().max(SLOTS_MIN);
            self.index(slots);
        }
    }
}
