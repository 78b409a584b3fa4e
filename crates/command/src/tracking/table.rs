//! Which clients have read which key.
//!
//! A key is a name only: as in Redis, databases are not told apart. An entry is stamped with the flush before which it was last read,
//! see [`Table::begin_flush`]. The keys lie in many parts, each of which grows by itself: so no growth takes long.
//!
//! A read that is remembered costs one cache line, which is asked for when the command is ([`Table::look_ahead`]): an entry has the hashes of
//! its key and small numbers of its readers. Names stand apart; they are needed only when an entry has to go for want of room.

mod clients;
mod entry;
mod names;
mod part;
mod slots;

use super::ClientRef;
use base::hash::HashSeed;
use base::random::Random;
use clients::Clients;
use entry::Id;
use keyspace::{Key, prefetch};
use part::{Part, Read};

/// With the million keys that Redis remembers unless told otherwise, a part has 4,000.
const PARTS: usize = 256;
/// Clients that stand in entries by a number; those that come when so many have one take more room.
const NUMBERS_MAX: usize = 65_000;
/// While no more than one part in so many of the numbers are given, clients that are gone are not looked for.
const GIVEN_SHARE: usize = 4;

/// How much there is of what.
#[derive(Clone, Copy, Default)]
struct Size {
    keys: usize,
    /// Clients of all keys.
    items: usize,
    bytes: usize,
}

pub struct Table {
    /// None before the first use, then [`PARTS`], by the upper half of the hash.
    parts: Vec<Part>,
    clients: Clients,
    /// Of the second hash of keys. It need not be secret: see [`Id`].
    seed: HashSeed,
    /// Of all parts together.
    size: Size,
    /// Flushes begun.
    flushes: u16,
    /// The part where clients that are gone are looked for next.
    next_swept: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self::for_numbers(NUMBERS_MAX)
    }
}

impl Table {
    fn for_numbers(count_max: usize) -> Self {
        let seed = HashSeed::new(0x7261_6465_7220_6f66, 0x206b_6579_2068_6173);
        Self {
            parts: Vec::new(),
            clients: Clients::new(seed.clone(), count_max),
            seed,
            size: Size::default(),
            flushes: 0,
            next_swept: 0,
        }
    }

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

    #[inline]
    fn id(&self, key: Key<'_>) -> Id {
        Id { hash: key.hash, check: self.seed.hash(key.bytes) as u32 }
    }

    /// Does something with a part.
    #[inline]
    fn change<R>(&mut self, number: usize, change: impl FnOnce(&mut Part, &mut Clients) -> R) -> R {
        let part = &mut self.parts[number];
        let before = part.size();
        let result = change(part, &mut self.clients);
        let (after, size) = (part.size(), &mut self.size);
        size.keys = size.keys + after.keys - before.keys;
        size.items = size.items + after.items - before.items;
        size.bytes = size.bytes + after.bytes - before.bytes;
        result
    }

    /// Asks for what a look-up of a hash will read.
    #[inline]
    pub fn look_ahead(&self, hash: u64) {
        if let Some(part) = self.parts.get(Self::number(hash)) {
            prefetch(part.line(hash));
        }
    }

    /// A client has read a key. `is_gone`: a client is known not to be there any more.
    #[inline]
    pub fn add(&mut self, key: Key<'_>, client: ClientRef, is_gone: impl Fn(ClientRef) -> bool) {
        if self.parts.is_empty() {
            self.parts.resize_with(PARTS, Part::default);
        }
        let id = self.id(key);
        let part = &mut self.parts[Self::number(key.hash)];
        match part.add_simply((id, key.bytes), client, self.flushes, &mut self.clients, &is_gone) {
            Read::Known => {}
            Read::Added => self.size.items += 1,
            Read::Entered => {
                self.size.keys += 1;
                self.size.items += 1;
            }
            Read::Nowhere => self.add_elsewhere(key, id, client, is_gone),
        }
    }

    #[inline(never)]
    fn add_elsewhere(
        &mut self,
        key: Key<'_>,
        id: Id,
        client: ClientRef,
        is_gone: impl Fn(ClientRef) -> bool,
    ) {
        let (flushes, known) = (self.flushes, self.clients.len());
        self.change(Self::number(key.hash), |part, clients| {
            part.add((id, key.bytes), client, flushes, clients, &is_gone);
        });
        if self.clients.len() > known.max(self.clients.count_max() / GIVEN_SHARE) {
            self.sweep_next(is_gone);
        }
    }

    /// Looks for clients that are gone in one part: so all parts are looked through for as many clients that come.
    #[cold]
    fn sweep_next(&mut self, is_gone: impl Fn(ClientRef) -> bool) {
        let number = self.next_swept;
        self.next_swept = (number + 1) % PARTS;
        self.change(number, |part, clients| part.sweep(clients, is_gone));
    }

    /// Takes out who has read a key, but for one who need not know; ascending.
    pub fn remove(&mut self, key: Key<'_>, spared: Option<ClientRef>) -> Vec<ClientRef> {
        if self.is_empty() {
            return Vec::new();
        }
        let id = self.id(key);
        let mut readers = self.change(Self::number(key.hash), |part, clients| part.remove(id, clients));
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
        let at = random.index(self.parts[number].slots());
        self.change(number, |part, clients| part.remove_near(at, clients))
    }

    /// Everything is being removed from a database. What has been read before still counts until all clients have been told
    /// to forget everything: what is written meanwhile must reach them.
    pub fn begin_flush(&mut self) {
        self.flushes = self.flushes.wrapping_add(1);
    }

    /// All clients have been told of a flush, of `pending` that have begun and not come to this: what was read before is forgotten.
    pub fn end_flush(&mut self, pending: u16) {
        let flushes = self.flushes;
        for number in 0..self.parts.len() {
            self.change(number, |part, clients| part.end_flush(flushes, pending, clients));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::hash::HashSeed;
    use std::collections::{BTreeMap, BTreeSet};

    impl Table {
        fn name_bytes(&self) -> usize {
            self.parts.iter().map(Part::name_bytes).sum()
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
            // Readers that all have room and numbers, or not all room, or not all numbers.
            let (readers, numbers) = [(5, 5), (20, 20), (20, 6)][run as usize / 3 % 3];
            let (mut table, mut model) =
                (Table::for_numbers(numbers), BTreeMap::<Vec<u8>, BTreeSet<ClientRef>>::new());
            let names = 1 + random.below(400);
            for step in 0..6000 {
                let number = random.below(names);
                let name = format!("{}{number}", "long".repeat(number as usize % 8)).into_bytes();
                // Spread over all parts; in one; in one, where many hashes are alike.
                let bits = [u64::MAX, u64::from(u32::MAX), 0x3f][run as usize % 3];
                let hash = Key::new(&name, &seed).hash & bits;
                let key = Key { bytes: &name, hash };
                if step % 64 == 0 {
                    let names: usize = model.keys().map(|name| (4 + name.len()).next_multiple_of(8)).sum();
                    assert_eq!(table.name_bytes(), names, "seed {run}, step {step}");
                    let named: usize = table.parts.iter().map(Part::named).sum();
                    assert_eq!(table.clients.entries(), named, "seed {run}, step {step}");
                }
                match random.below(20) {
                    0..10 => {
                        let reader = client(random.below(readers));
                        table.add(key, reader, |_| false);
                        model.entry(name).or_default().insert(reader);
                    }
                    10..17 => {
                        let spared = (random.below(2) == 0).then(|| client(random.below(readers)));
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
        (1..=10).for_each(|number| table.add(key, client(number), |_| false));
        assert_eq!((table.len(), table.items()), (1, 10));
        table.add(key, client(11), |other| other.conn <= 9);
        assert_eq!((table.len(), table.items()), (1, 2));
        // Who is known already takes no other place, and nobody's.
        table.add(key, client(10), |_| true);
        let sorted = |mut clients: [ClientRef; 2]| {
            clients.sort_unstable();
            clients
        };
        assert_eq!(table.remove(key, None), sorted([client(10), client(11)]));
        // Of those who come one after the other, and go, there is never more than one.
        (1..=3).for_each(|number| table.add(Key::new(b"other", &seed), client(number), |_| false));
        for number in 1..=3 {
            table.add(key, client(number), |other| other.conn < number as u32);
            assert_eq!(table.items(), 4, "client {number}");
        }
        assert_eq!(table.remove(key, None), [client(3)]);
        assert_eq!(table.remove(Key::new(b"other", &seed), None).len(), 3);
        assert_eq!((table.items(), table.clients.len()), (0, 0));
    }

    #[test]
    fn clients_that_come_and_go_leave_no_number_and_no_key() {
        let seed = HashSeed::new(1, 2);
        let mut table = Table::for_numbers(1000);
        let keys: Vec<_> = (0..2000_u32).map(|number| number.to_le_bytes()).collect();
        for number in 0..20_000_usize {
            let of = |number: usize| ClientRef { home: 0, conn: number as u32, generation: 1 };
            // The last ten are there.
            let is_gone = |other: ClientRef| (other.conn as usize) + 10 <= number;
            let name = &keys[number * 7919 % keys.len()];
            table.add(Key::new(name, &seed), of(number), is_gone);
            assert!(table.clients.len() <= 1000 / GIVEN_SHARE + PARTS + 10, "client {number}");
        }
        // Keys whose only reader is gone are forgotten one day.
        assert!(table.len() <= 1000 / GIVEN_SHARE + PARTS + 10);
        while !table.is_empty() {
            table.remove_any(&mut Random::from_seed(1));
        }
        assert_eq!((table.bytes(), table.clients.len()), (0, 0));
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
