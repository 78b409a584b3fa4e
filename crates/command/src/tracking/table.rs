//! Which clients have read which key.
//!
//! A key is a name only: as in Redis, databases are not told apart. What has been read is kept apart by the flush before which it was, see
//! [`Table::begin_flush`].
//!
//! A read that is remembered costs one cache line, which is asked for when the command is ([`Table::look_ahead`]): an entry has the hashes of
//! its key and small numbers of its readers. Names are needed only when an entry has to go for want of room, and then found in the
//! keyspace by their hashes; those of keys that are not there are kept.

mod clients;
mod crowds;
mod entry;
mod names;
mod page;
mod pages;
mod reads;

use super::ClientRef;
use base::hash::HashSeed;
use base::random::Random;
use entry::Id;
use keyspace::{Key, prefetch};
use reads::Reads;

/// While no more clients are remembered, those that are gone are not looked for.
const QUIET_MAX: usize = 16_000;
/// How many keys are drawn at most for one whose name is found.
const DRAWS_MAX: usize = 8;

pub struct Table {
    now: Reads,
    /// What was read before flushes that have begun and not been told to all, each with the number of flushes before it.
    before: Vec<(u16, Reads)>,
    /// Of the second hash of keys. It need not be secret: see [`Id`].
    seed: HashSeed,
    quiet_max: usize,
    /// Flushes begun.
    flushes: u16,
}

impl Default for Table {
    fn default() -> Self {
        Self::with_quiet(QUIET_MAX)
    }
}

impl Table {
    fn with_quiet(quiet_max: usize) -> Self {
        let seed = HashSeed::new(0x7261_6465_7220_6f66, 0x206b_6579_2068_6173);
        let now = Reads::new(seed.clone(), quiet_max);
        Self { now, before: Vec::new(), seed, quiet_max, flushes: 0 }
    }

    fn all(&self) -> impl Iterator<Item = &Reads> {
        self.before.iter().map(|(_, reads)| reads).chain([&self.now])
    }

    /// Keys. One that has been read before and after a flush that has begun counts twice until it is over.
    pub fn len(&self) -> usize {
        self.all().map(Reads::len).sum()
    }

    /// Keys of which one can be removed.
    #[inline]
    pub fn len_now(&self) -> usize {
        self.now.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.now.len() == 0 && self.before.is_empty()
    }

    /// Clients of all keys.
    pub fn items(&self) -> usize {
        self.all().map(Reads::items).sum()
    }

    /// The memory that the keys take.
    pub fn bytes(&self) -> usize {
        self.all().map(Reads::bytes).sum()
    }

    #[inline]
    fn id(&self, key: Key<'_>) -> Id {
        Id::new(key.hash, self.seed.hash(key.bytes))
    }

    /// Asks for what a look-up of a hash will read.
    #[inline]
    pub fn look_ahead(&self, hash: u64) {
        prefetch(self.now.line(hash));
    }

    /// A client has read a key that is in the keyspace. `is_gone`: a client is known not to be there any more.
    #[inline]
    pub fn add(&mut self, key: Key<'_>, client: ClientRef, is_gone: impl Fn(ClientRef) -> bool) {
        let id = self.id(key);
        self.now.add(id, client, is_gone);
    }

    /// The same of a key that may not be there.
    #[cold]
    pub fn add_named(&mut self, key: Key<'_>, client: ClientRef, is_gone: impl Fn(ClientRef) -> bool) {
        let id = self.id(key);
        self.now.add(id, client, is_gone);
        self.now.set_name(id, key.bytes);
    }

    /// Takes out who has read a key, but for one who need not know; ascending.
    pub fn remove(&mut self, key: Key<'_>, spared: Option<ClientRef>) -> Vec<ClientRef> {
        if self.is_empty() {
            return Vec::new();
        }
        let id = self.id(key);
        let mut readers = self.now.remove(id);
        self.before.iter_mut().for_each(|(_, reads)| readers.extend(reads.remove(id)));
        readers.sort_unstable();
        readers.dedup();
        if let Some(spared) = spared
            && let Ok(at) = readers.binary_search(&spared)
        {
            readers.remove(at);
            // With its name: who has changed it may have deleted it.
            self.add_named(key, spared, |_| false);
        }
        readers
    }

    /// Takes out a key drawn by lot, and who had read it, ascending. Its name, unless it is none of those that have one here and `find` (by its
    /// hash and by what is to be true of the name) does not find it.
    ///
    /// # Panics
    /// When there is none.
    pub fn remove_any(
        &mut self,
        random: &mut Random,
        find: impl Fn(u64, &dyn Fn(&[u8]) -> bool) -> Option<Box<[u8]>>,
    ) -> (Option<Box<[u8]>>, Vec<ClientRef>) {
        let (seed, mut draws) = (self.seed.clone(), 0);
        loop {
            let (id, known) = self.now.any(random);
            let name = known.or_else(|| find(id.hash, &|name| Id::new(id.hash, seed.hash(name)) == id));
            draws += 1;
            // Keys are away for a moment while an operation of several shards has them.
            if name.is_some() || draws == DRAWS_MAX {
                let mut readers = self.now.remove(id);
                readers.sort_unstable();
                return (name, readers);
            }
        }
    }

    /// Everything is being removed from a database. What has been read before still counts until all clients have been told
    /// to forget everything: what is written meanwhile must reach them.
    pub fn begin_flush(&mut self) {
        if self.now.len() > 0 {
            let fresh = Reads::new(self.seed.clone(), self.quiet_max);
            self.before.push((self.flushes, std::mem::replace(&mut self.now, fresh)));
        }
        self.flushes = self.flushes.wrapping_add(1);
    }

    /// All clients have been told of a flush, of `pending` that have begun and not come to this: what was read before is forgotten.
    pub fn end_flush(&mut self, pending: u16) {
        let oldest = self.flushes.wrapping_sub(pending);
        self.before.retain(|(flushes, _)| flushes.wrapping_sub(oldest) < pending);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reads::SWEEPS;
    use std::collections::{BTreeMap, BTreeSet};

    fn client(number: u64) -> ClientRef {
        ClientRef { home: (number % 3) as u16, conn: number as u32, generation: 1 }
    }

    #[test]
    fn as_a_map_of_sets_would_do() {
        let seed = HashSeed::new(1, 2);
        for run in 0..20 {
            let mut random = Random::from_seed(run);
            // Readers that all have room, or not.
            let readers = [3, 5, 20][run as usize / 3 % 3];
            let (mut table, mut model) = (Table::default(), BTreeMap::<Vec<u8>, BTreeSet<ClientRef>>::new());
            let names = 1 + random.below([2000, 2000, 400][run as usize % 3]);
            for step in 0..6000 {
                let number = random.below(names);
                let name = format!("{}{number}", "long".repeat(number as usize % 8)).into_bytes();
                // Spread over all pages; in one; in one, where many hashes are alike.
                let bits = [u64::MAX, u64::from(u32::MAX), 0x3f][run as usize % 3];
                let hash_of = |name: &[u8]| Key::new(name, &seed).hash & bits;
                let key = Key { bytes: &name, hash: hash_of(&name) };
                let is_there = |name: &[u8]| !name.ends_with(b"7");
                if step % 64 == 0 {
                    let [keys, items, names] = table.now.counts();
                    assert_eq!((keys, items), (table.len(), table.items()), "seed {run}, step {step}");
                    assert_eq!(table.now.named(), names, "seed {run}, step {step}");
                    assert_eq!(table.now.clients.entries(), items, "seed {run}, step {step}");
                }
                match random.below(20) {
                    0..10 => {
                        let reader = client(random.below(readers));
                        match is_there(&name) {
                            true => table.add(key, reader, |_| false),
                            false => table.add_named(key, reader, |_| false),
                        }
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
                        let (name, readers) = table.remove_any(&mut random, |hash, is_name| {
                            let mut names =
                                model.keys().filter(|name| is_there(name) && hash_of(name) == hash);
                            names.find(|name| is_name(name)).map(|name| name.as_slice().into())
                        });
                        let known = model.remove(&*name.expect("an entry has a name"));
                        let known = known.expect("an entry has a key");
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
        (1..=8).for_each(|number| table.add(key, client(number), |_| false));
        assert_eq!((table.len(), table.items()), (1, 8));
        table.add(key, client(11), |other| other.conn <= 7);
        assert_eq!((table.len(), table.items()), (1, 2));
        // Who is known already takes no other place, and nobody's.
        table.add(key, client(8), |_| true);
        let sorted = |mut clients: [ClientRef; 2]| {
            clients.sort_unstable();
            clients
        };
        assert_eq!(table.remove(key, None), sorted([client(8), client(11)]));
        // Of those who come one after the other, and go, there is never more than an entry has room for.
        (1..=3).for_each(|number| table.add(Key::new(b"other", &seed), client(number), |_| false));
        for number in 1..=9 {
            table.add(key, client(number), |other| other.conn < number as u32);
            assert!((4..=6).contains(&table.items()), "client {number}");
        }
        assert!(table.remove(key, None).contains(&client(9)));
        assert_eq!(table.remove(Key::new(b"other", &seed), None).len(), 3);
        assert_eq!((table.items(), table.now.clients.len()), (0, 0));
    }

    #[test]
    fn more_readers_than_an_entry_has_room_for() {
        let seed = HashSeed::new(1, 2);
        let (mut table, key) = (Table::default(), Key::new(b"key", &seed));
        let other = Key::new(b"other", &seed);
        // Their numbers are beyond what an entry has room for.
        let count = u64::from(u16::MAX) + 100;
        for number in 0..count {
            table.add(key, client(number), |_| false);
            table.add(key, client(number / 2), |_| false);
        }
        (count - 3..count).for_each(|number| table.add(other, client(number), |_| false));
        assert_eq!((table.len(), table.items()), (2, count as usize + 3));
        assert_eq!(table.remove(other, None).len(), 3);
        let mut all: Vec<_> = (0..count).map(client).collect();
        all.sort_unstable();
        assert_eq!(table.remove(key, None), all);
        assert_eq!((table.bytes(), table.now.clients.len()), (0, 0));
    }

    #[test]
    fn a_key_without_a_name_is_left_for_others_and_goes_when_there_is_none() {
        let seed = HashSeed::new(1, 2);
        let (mut table, random) = (Table::default(), &mut Random::from_seed(1));
        table.add(Key::new(b"there", &seed), client(1), |_| false);
        table.add_named(Key::new(b"missing", &seed), client(2), |_| false);
        let (name, readers) = table.remove_any(random, |_, _| None);
        assert_eq!((name.as_deref(), readers), (Some(&b"missing"[..]), vec![client(2)]));
        assert_eq!(table.remove_any(random, |_, _| None), (None, vec![client(1)]));
        assert_eq!((table.len(), table.bytes()), (0, 0));
    }

    #[test]
    fn names_of_keys_that_come_and_go_do_not_pile_up() {
        let seed = HashSeed::new(1, 2);
        let (mut table, mut random) = (Table::default(), Random::from_seed(3));
        let keys: Vec<_> = (0..500_u32).map(|number| number.to_le_bytes()).collect();
        let mut bytes_max = 0;
        for step in 0..200_000 {
            let key = Key::new(&keys[random.index(keys.len())], &seed);
            // Most are there at any time.
            match random.below(3) {
                0 => drop(table.remove(key, None)),
                _ => table.add_named(key, client(1), |_| false),
            }
            if step > 50_000 {
                bytes_max = bytes_max.max(table.bytes());
            }
        }
        assert!(bytes_max < 100_000, "{bytes_max} bytes for 500 keys");
        while !table.is_empty() {
            let (name, _) = table.remove_any(&mut random, |_, _| None);
            assert!(keys.iter().any(|key| Some(&key[..]) == name.as_deref()));
        }
        assert_eq!(table.bytes(), 0);
    }

    #[test]
    fn clients_that_come_and_go_leave_no_number_and_no_key() {
        let seed = HashSeed::new(1, 2);
        let mut table = Table::with_quiet(250);
        let keys: Vec<_> = (0..2000_u32).map(|number| number.to_le_bytes()).collect();
        for number in 0..20_000_usize {
            let of = |number: usize| ClientRef { home: 0, conn: number as u32, generation: 1 };
            // The last ten are there.
            let is_gone = |other: ClientRef| (other.conn as usize) + 10 <= number;
            let name = &keys[number * 7919 % keys.len()];
            table.add(Key::new(name, &seed), of(number), is_gone);
            assert!(table.now.clients.len() <= 250 + SWEEPS + 10, "client {number}");
        }
        // Keys whose only reader is gone are forgotten one day.
        assert!(table.len() <= 250 + SWEEPS + 10);
        while !table.is_empty() {
            table.remove_any(&mut Random::from_seed(1), |_, _| None);
        }
        assert_eq!((table.bytes(), table.now.clients.len()), (0, 0));
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
        assert_eq!((table.len(), table.items()), (3, 3));
        assert_eq!(table.remove(key("before"), None), []);
        assert_eq!(table.remove(key("again"), None), [client(2)]);
        table.end_flush(0);
        assert_eq!(table.remove(key("between"), None), []);
        assert_eq!(table.remove(key("after"), None), [client(1)]);
        assert!(table.is_empty());
        assert_eq!(table.bytes(), 0);
    }
}
