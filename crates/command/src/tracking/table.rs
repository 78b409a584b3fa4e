//! Which clients have read which key.
//!
//! A key is a name only: as in Redis, databases are not told apart. An entry is stamped with the flush before which it was last read,
//! see [`Table::begin_flush`]. The keys lie in many parts, each of which grows by itself: so no growth takes long.

mod part;

use super::ClientRef;
use base::random::Random;
use keyspace::Key;
use part::Part;
use std::hint::black_box;

/// With the million keys that Redis remembers unless told otherwise, a part has 4,000.
const PARTS: usize = 256;

/// How much there is of what.
#[derive(Clone, Copy, Default)]
struct Size {
    keys: usize,
    /// Clients of all keys.
    items: usize,
    bytes: usize,
}

#[derive(Default)]
pub struct Table {
    /// None before the first use, then [`PARTS`], by the upper half of the hash.
    parts: Vec<Part>,
    /// Of all parts together.
    size: Size,
    /// Flushes begun.
    flushes: u16,
}

impl Table {
    pub fn len(&self) -> usize {
        self.size.keys
    }

    pub fn is_empty(&self) -> bool {
        self.size.keys == 0
    }

    /// Clients of all keys.
    pub fn items(&self) -> usize {
        self.size.items
    }

    /// The memory that the keys take.
    pub fn bytes(&self) -> usize {
        self.size.bytes
    }

    #[inline]
    fn number(hash: u64) -> usize {
        (hash >> 32) as usize % PARTS
    }

    /// Does something with a part.
    #[inline]
    fn change<R>(&mut self, number: usize, change: impl FnOnce(&mut Part) -> R) -> R {
        let part = &mut self.parts[number];
        let before = part.size();
        let result = change(part);
        let (after, size) = (part.size(), &mut self.size);
        size.keys = size.keys + after.keys - before.keys;
        size.items = size.items + after.items - before.items;
        size.bytes = size.bytes + after.bytes - before.bytes;
        result
    }

    /// Reads what a look-up of each of these hashes will read first, all at once, so that the waits for memory overlap.
    pub fn look_ahead(&self, hashes: impl Iterator<Item = u64> + Clone) {
        if self.is_empty() {
            return;
        }
        let part = |hash| &self.parts[Self::number(hash)];
        black_box(hashes.clone().fold(0, |all, hash| all ^ part(hash).first_slot(hash)));
        let entries = hashes.filter_map(|hash| part(hash).likely(hash));
        black_box(entries.clone().fold(0, |all, entry| all ^ entry.hash()));
        black_box(entries.filter_map(|entry| entry.other()).fold(0, |all, client| all ^ client.conn));
    }

    /// A client has read a key. `is_gone`: a client is known not to be there any more.
    #[inline]
    pub fn add(&mut self, key: Key<'_>, client: ClientRef, is_gone: impl Fn(ClientRef) -> bool) {
        if self.parts.is_empty() {
            self.parts.resize_with(PARTS, Part::default);
        }
        let flushes = self.flushes;
        self.change(Self::number(key.hash), |part| part.add(key, client, flushes, is_gone));
    }

    /// Takes out who has read a key, but for one who need not know; ascending.
    pub fn remove(&mut self, key: Key<'_>, spared: Option<ClientRef>) -> Vec<ClientRef> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut readers = self.change(Self::number(key.hash), |part| part.remove(key));
        if let Some(spared) = spared
            && let Ok(at) = readers.binary_search(&spared)
        {
            readers.remove(at);
            self.add(key, spared, |_| false);
        }
        readers
    }

    /// Takes out a key drawn by lot, and who had read it.
    ///
    /// # Panics
    /// When there is none.
    pub fn remove_any(&mut self, random: &mut Random) -> (Box<[u8]>, Vec<ClientRef>) {
        // Parts are about as long as each other, and with a full table one key goes for each that comes: so they are not counted through.
        let first = random.index(PARTS);
        let has_keys = |number: &usize| self.parts[*number].size().keys > 0;
        let number = (first..first + PARTS).map(|number| number % PARTS).find(has_keys);
        let number = number.expect("the parts have all keys");
        let at = random.index(self.parts[number].size().keys);
        self.change(number, |part| part.remove_at(at))
    }

    /// Everything is being removed from a database. What has been read before still counts until all clients have been told
    /// to forget everything: what is written meanwhile must reach them.
    pub fn begin_flush(&mut self) {
        self.flushes = self.flushes.wrapping_add(1);
    }

    /// All clients have been told of a flush, of `pending` that have begun and not come to this: what was read before is forgotten.
    pub fn end_flush(&mut self, pending: u16) {
        let flushes = self.flushes;
        (0..self.parts.len()).for_each(|number| self.change(number, |part| part.end_flush(flushes, pending)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::hash::HashSeed;
    use std::collections::{BTreeMap, BTreeSet};

    impl Table {
        fn long_bytes(&self) -> usize {
            self.parts.iter().map(Part::long_bytes).sum()
        }
    }

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
                // Spread over all parts; in one; in one, where many hashes are alike.
                let bits = [u64::MAX, u64::from(u32::MAX), 0x3f][run as usize % 3];
                let hash = Key::new(&name, &seed).hash & bits;
                let key = Key { bytes: &name, hash };
                if step % 64 == 0 {
                    let long: usize =
                        model.keys().map(|name| name.len()).filter(|len| *len > part::INLINE_BYTES).sum();
                    assert_eq!(table.long_bytes(), long, "seed {run}, step {step}");
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
                        let (name, readers) = table.remove_any(&mut random);
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
        assert!(table.is_empty());
        assert_eq!(table.bytes(), 0);
    }
}
