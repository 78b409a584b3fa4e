//! Which clients have read which key: an open-addressing index over densely packed entries, so that any of them can be drawn by lot.
//!
//! A key is a name only: as in Redis, databases are not told apart. An entry is stamped with the flush before which it was last read,
//! see [`Table::begin_flush`].

use super::ClientRef;
use keyspace::Key;

/// A slot with nothing in it. No entry has this place.
const FREE: Slot = u64::MAX;
/// Slots of an index that is not empty.
const SLOTS_MIN: usize = 16;
/// Longest name that stands in its entry.
const INLINE_BYTES: usize = 22;

/// The lower half of a key's hash, by which its slot is found, above the place of its entry.
type Slot = u64;

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
struct Entry {
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
pub struct Table {
    /// At the place that the hash says or behind it; a power of two, at most three quarters of them taken.
    slots: Vec<Slot>,
    entries: Vec<Entry>,
    /// Clients of all entries.
    items: usize,
    /// Bytes of names that do not stand in their entries.
    long_bytes: usize,
    /// Flushes begun.
    flushes: u16,
}

impl Table {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn items(&self) -> usize {
        self.items
    }

    /// The memory that it takes.
    pub fn bytes(&self) -> usize {
        let others = self.items - self.entries.len();
        self.slots.capacity() * size_of::<Slot>()
            + self.entries.capacity() * size_of::<Entry>()
            + others * size_of::<ClientRef>()
            + self.long_bytes
    }

    /// Reads what a look-up of each of these hashes will read first, all at once, so that the waits for memory overlap.
    pub fn look_ahead(&self, hashes: impl Iterator<Item = u64> + Clone) {
        if self.entries.is_empty() {
            return;
        }
        let mask = self.slots.len() - 1;
        let slots = hashes.map(|hash| self.slots[hash as u32 as usize & mask]);
        std::hint::black_box(slots.clone().fold(0, |all, slot| all ^ slot));
        let hash_at = |slot| self.entries.get(place(slot)).map_or(0, |entry| entry.hash);
        std::hint::black_box(slots.fold(0, |all, slot| all ^ hash_at(slot)));
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

    /// A client has read a key. `is_gone`: a client is known not to be there any more.
    pub fn add(&mut self, key: Key<'_>, client: ClientRef, is_gone: impl Fn(ClientRef) -> bool) {
        if self.entries.len() >= self.slots.len() / 4 * 3 {
            self.index((self.slots.len() * 2).max(SLOTS_MIN));
        }
        let number = self.slot_of(key);
        if self.slots[number] != FREE {
            let entry = &mut self.entries[place(self.slots[number])];
            entry.flushes = self.flushes;
            self.items += usize::from(entry.add(client, is_gone));
            return;
        }
        let (hash, at) = (key.hash as u32, self.entries.len());
        assert!(at < u32::MAX as usize, "there are fewer keys than would fill the memory");
        self.slots[number] = slot(hash, at);
        let ClientRef { home, conn, generation } = client;
        let (name, flushes, others) = (Name::new(key.bytes), self.flushes, Vec::new());
        self.long_bytes += name.outside();
        self.entries.push(Entry { name, hash, flushes, home, conn, generation, others });
        self.items += 1;
    }

    /// Takes out who has read a key, but for one who need not know; ascending.
    pub fn remove(&mut self, key: Key<'_>, spared: Option<ClientRef>) -> Vec<ClientRef> {
        if self.entries.is_empty() {
            return Vec::new();
        }
        let number = self.slot_of(key);
        if self.slots[number] == FREE {
            return Vec::new();
        }
        let (_, mut readers) = self.take(number);
        if let Some(spared) = spared
            && let Ok(at) = readers.binary_search(&spared)
        {
            readers.remove(at);
            self.add(key, spared, |_| false);
        }
        readers
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

    /// Everything is being removed from a database. What has been read before still counts until all clients have been told
    /// to forget everything: what is written meanwhile must reach them.
    pub fn begin_flush(&mut self) {
        self.flushes = self.flushes.wrapping_add(1);
    }

    /// All clients have been told of a flush, of `pending` that have begun and not come to this: what was read before is forgotten.
    pub fn end_flush(&mut self, pending: u16) {
        let oldest = self.flushes.wrapping_sub(pending);
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

#[cfg(test)]
mod tests {
    use super::*;
    use base::hash::HashSeed;
    use base::random::Random;
    use std::collections::{BTreeMap, BTreeSet};

    fn client(number: u64) -> ClientRef {
        ClientRef { home: (number % 3) as u16, conn: number as u32, generation: 1 }
    }

    #[test]
    fn as_a_map_of_sets_would_do() {
        let seed = HashSeed::new(1, 2);
        for run in 0..20 {
            let mut random = Random::from_seed(run);
            let (mut table, mut model) = (Table::default(), BTreeMap::<Vec<u8>, BTreeSet<ClientRef>>::new());
            let names = 1 + random.below(400);
            for step in 0..6000 {
                let number = random.below(names);
                let name = format!("{}{number}", "long".repeat(number as usize % 8)).into_bytes();
                let key = Key::new(&name, &seed);
                if step % 64 == 0 {
                    let long: usize =
                        model.keys().map(|name| name.len()).filter(|len| *len > INLINE_BYTES).sum();
                    assert_eq!(table.long_bytes, long, "seed {run}, step {step}");
                }
                match random.below(20) {
                    0..10 => {
                        let reader = client(random.below(9));
                        table.add(key, reader, |_| false);
                        model.entry(name).or_default().insert(reader);
                    }
                    10..17 => {
                        let spared = (random.below(2) == 0).then(|| client(random.below(9)));
                        let removed = table.remove(key, spared);
                        let mut known = model.remove(&name).unwrap_or_default();
                        if let Some(spared) = spared
                            && known.remove(&spared)
                        {
                            model.insert(name, BTreeSet::from([spared]));
                        }
                        assert!(removed.iter().eq(&known), "seed {run}, step {step}");
                    }
                    17 | 18 if !table.is_empty() => {
                        let (name, readers) = table.remove_at(random.index(table.len()));
                        let known = model.remove(&*name).expect("an entry has a key");
                        assert!(readers.iter().eq(&known), "seed {run}, step {step}");
                    }
                    _ if random.below(50) == 0 => {
                        table.begin_flush();
                        table.end_flush(0);
                        model.clear();
                    }
                    _ => {}
                }
                assert_eq!(table.len(), model.len());
                assert_eq!(table.items(), model.values().map(BTreeSet::len).sum::<usize>());
            }
        }
    }

    #[test]
    fn who_is_gone_makes_room_for_others() {
        let seed = HashSeed::new(1, 2);
        let (mut table, key) = (Table::default(), Key::new(b"key", &seed));
        (1..=3).for_each(|number| table.add(key, client(number), |_| false));
        table.add(key, client(4), |other| other == client(1));
        assert_eq!((table.len(), table.items()), (1, 3));
        // Who is known already takes no other place.
        table.add(key, client(2), |other| other == client(4));
        table.add(key, client(4), |_| true);
        assert_eq!(table.remove(key, None), [client(3), client(4), client(2)]);
        assert_eq!(table.items(), 0);
    }

    #[test]
    fn a_flush_forgets_what_was_read_before_it_began() {
        let seed = HashSeed::new(1, 2);
        let mut table = Table::default();
        let key = |name: &'static str| Key::new(name.as_bytes(), &seed);
        table.add(key("before"), client(1), |_| false);
        table.add(key("again"), client(1), |_| false);
        table.begin_flush();
        table.add(key("between"), client(1), |_| false);
        table.add(key("again"), client(2), |_| false);
        table.begin_flush();
        table.add(key("after"), client(1), |_| false);
        table.end_flush(1);
        assert_eq!((table.len(), table.items()), (3, 4));
        assert_eq!(table.remove(key("before"), None), []);
        assert_eq!(table.remove(key("again"), None), [client(1), client(2)]);
        table.end_flush(0);
        assert_eq!(table.remove(key("between"), None), []);
        assert_eq!(table.remove(key("after"), None), [client(1)]);
        assert!(table.is_empty() && table.slots.is_empty());
    }
}
