//! Which clients have read which key: an open-addressing index over densely packed entries, so that any of them can be drawn by lot.
//!
//! A key is a name only: as in Redis, databases are not told apart. An entry is stamped with the flush before which it was last read,
//! see [`Table::begin_flush`].

use super::ClientRef;
use keyspace::Key;

const FREE: u32 = u32::MAX;
/// Slots of an index that is not empty.
const SLOTS_MIN: usize = 16;

struct Entry {
    hash: u64,
    name: Box<[u8]>,
    /// Most keys have one reader.
    first: ClientRef,
    /// The others, ascending.
    others: Vec<ClientRef>,
    flushes: u32,
}

impl Entry {
    fn add(&mut self, client: ClientRef) -> bool {
        if self.first == client {
            return false;
        }
        match self.others.binary_search(&client) {
            Ok(_) => false,
            Err(at) => {
                self.others.insert(at, client);
                true
            }
        }
    }

    fn readers(&self) -> usize {
        1 + self.others.len()
    }

    /// All clients, ascending.
    fn into_readers(self) -> (Box<[u8]>, Vec<ClientRef>) {
        let mut readers = self.others;
        let at = readers.partition_point(|other| *other < self.first);
        readers.insert(at, self.first);
        (self.name, readers)
    }
}

#[derive(Default)]
pub struct Table {
    /// Places in `entries`, at the hash or behind it; a power of two, at most three quarters of them taken.
    slots: Vec<u32>,
    entries: Vec<Entry>,
    /// Clients of all entries.
    items: usize,
    /// Flushes begun.
    flushes: u32,
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

    /// The slot of a key, or the free one where it would stand. There is a free one.
    #[inline]
    fn slot_of(&self, key: Key<'_>) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = key.hash as usize & mask;
        loop {
            match self.slots[slot] {
                FREE => return slot,
                at => {
                    let entry = &self.entries[at as usize];
                    if entry.hash == key.hash && *entry.name == *key.bytes {
                        return slot;
                    }
                }
            }
            slot = (slot + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(SLOTS_MIN);
        self.index(slots);
    }

    /// Makes the index anew.
    fn index(&mut self, slots: usize) {
        self.slots.clear();
        self.slots.resize(slots, FREE);
        self.slots.shrink_to(slots);
        for (at, entry) in self.entries.iter().enumerate() {
            let mut slot = entry.hash as usize & (slots - 1);
            while self.slots[slot] != FREE {
                slot = (slot + 1) & (slots - 1);
            }
            self.slots[slot] = at as u32;
        }
    }

    /// A client has read a key.
    pub fn add(&mut self, key: Key<'_>, client: ClientRef) {
        if self.entries.len() >= self.slots.len() / 4 * 3 {
            self.grow();
        }
        let slot = self.slot_of(key);
        if self.slots[slot] != FREE {
            let entry = &mut self.entries[self.slots[slot] as usize];
            entry.flushes = self.flushes;
            self.items += usize::from(entry.add(client));
            return;
        }
        self.slots[slot] = u32::try_from(self.entries.len()).expect("fewer keys than there is memory for");
        let (hash, name) = (key.hash, key.bytes.into());
        self.entries.push(Entry { hash, name, first: client, others: Vec::new(), flushes: self.flushes });
        self.items += 1;
    }

    /// Takes out who has read a key, but for one who need not know; ascending.
    pub fn remove(&mut self, key: Key<'_>, spared: Option<ClientRef>) -> Vec<ClientRef> {
        if self.entries.is_empty() {
            return Vec::new();
        }
        let slot = self.slot_of(key);
        if self.slots[slot] == FREE {
            return Vec::new();
        }
        let (_, mut readers) = self.take(slot);
        if let Some(spared) = spared
            && let Ok(at) = readers.binary_search(&spared)
        {
            readers.remove(at);
            self.add(key, spared);
        }
        readers
    }

    /// Takes out the entry at a place, and who had read it.
    pub fn remove_at(&mut self, at: usize) -> (Box<[u8]>, Vec<ClientRef>) {
        let slot = self.slot_at(at);
        self.take(slot)
    }

    fn slot_at(&self, at: usize) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.entries[at].hash as usize & mask;
        while self.slots[slot] != at as u32 {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn take(&mut self, slot: usize) -> (Box<[u8]>, Vec<ClientRef>) {
        let at = self.slots[slot] as usize;
        let last = self.entries.len() - 1;
        self.free_slot(slot);
        if at != last {
            let slot_of_last = self.slot_at(last);
            self.slots[slot_of_last] = at as u32;
        }
        let entry = self.entries.swap_remove(at);
        self.items -= entry.readers();
        if self.entries.is_empty() {
            self.slots = Vec::new();
            self.entries = Vec::new();
        }
        entry.into_readers()
    }

    /// Frees a slot, and moves those up that stand behind it for want of theirs.
    fn free_slot(&mut self, mut free: usize) {
        let mask = self.slots.len() - 1;
        let mut slot = free;
        loop {
            slot = (slot + 1) & mask;
            let at = self.slots[slot];
            if at == FREE {
                break;
            }
            let wish = self.entries[at as usize].hash as usize & mask;
            if (slot.wrapping_sub(wish) & mask) >= (slot.wrapping_sub(free) & mask) {
                self.slots[free] = at;
                free = slot;
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
    pub fn end_flush(&mut self, pending: u32) {
        let oldest = self.flushes.wrapping_sub(pending);
        self.entries.retain(|entry| entry.flushes.wrapping_sub(oldest) <= pending);
        self.entries.shrink_to_fit();
        self.items = self.entries.iter().map(Entry::readers).sum();
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
                let name = format!("key:{}", random.below(names)).into_bytes();
                let key = Key::new(&name, &seed);
                match random.below(20) {
                    0..10 => {
                        let reader = client(random.below(9));
                        table.add(key, reader);
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
    fn a_flush_forgets_what_was_read_before_it_began() {
        let seed = HashSeed::new(1, 2);
        let mut table = Table::default();
        let key = |name: &'static str| Key::new(name.as_bytes(), &seed);
        table.add(key("before"), client(1));
        table.add(key("again"), client(1));
        table.begin_flush();
        table.add(key("between"), client(1));
        table.add(key("again"), client(2));
        table.begin_flush();
        table.add(key("after"), client(1));
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
