//! Strings under random changes against a plain map; at every step the memory accounts must be exact.

use crate::db::{Db, Found};
use crate::key::Key;
use crate::record;
use crate::value::{Value, ValueRef};
use base::blob::Blob;
use base::hash::HashSeed;
use base::random::Random;
use std::collections::HashMap;
use std::sync::Arc;
use table::Pos;

#[derive(Clone, PartialEq, Debug)]
struct Model {
    bytes: Vec<u8>,
    raw: bool,
    expire: Option<u64>,
}

const NOW_MS: u64 = 1000;

struct Bed {
    db: Db,
    seed: HashSeed,
    model: HashMap<Vec<u8>, Model>,
    random: Random,
    /// Values that replies still hold.
    held: Vec<(Blob, Vec<u8>)>,
}

impl Bed {
    fn place(&mut self, key: &[u8]) -> Option<Pos> {
        match self.db.find(Key::new(key, &self.seed), NOW_MS) {
            Found::Live(pos) => Some(pos),
            Found::Expired | Found::Missing => None,
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let max = [4, 30, 60, 600, 5000][self.random.index(5)];
        let mut bytes = vec![0; self.random.index(max)];
        self.random.fill(&mut bytes);
        bytes
    }

    fn expire(&mut self) -> Option<u64> {
        [None, Some(NOW_MS + 1), Some(1 << 40), Some(1 << 50)][self.random.index(4)]
    }

    fn step(&mut self) {
        let long = if self.random.index(4) == 0 { "k".repeat(300) } else { String::new() };
        let key = format!("{long}{}", self.random.index(12)).into_bytes();
        let pos = self.place(&key);
        assert_eq!(pos.is_some(), self.model.contains_key(&key));
        let hashed = Key::new(&key, &self.seed);
        match (self.random.index(7), pos) {
            (0 | 1, pos) => {
                let (bytes, expire) = (self.bytes(), self.expire());
                self.db.put_str(hashed, pos, &bytes, expire, 0);
                self.model.insert(key, Model { bytes, raw: false, expire });
            }
            (2, pos) => {
                let (bytes, expire, raw) = (self.bytes(), self.expire(), self.random.index(2) == 0);
                let value = Value::Str { bytes: Arc::new(bytes.clone()), raw };
                self.db.put(hashed, pos, value, expire, 0);
                self.model.insert(key, Model { bytes, raw, expire });
            }
            (3, pos) => {
                let (len, raw) = (self.bytes().len(), self.random.index(2) == 0);
                let edited = self.db.edit_str(hashed, pos, raw, 0, Some(0..usize::MAX), |bytes| {
                    bytes.resize(len, b'x');
                    bytes.clone()
                });
                let entry =
                    self.model.entry(key).or_insert(Model { bytes: Vec::new(), raw: false, expire: None });
                entry.bytes.resize(len, b'x');
                assert_eq!(entry.bytes, edited);
                entry.raw |= raw;
            }
            (4, Some(pos)) => {
                let bytes = self.db.str_mut(pos, Some(0..usize::MAX)).expect("it is a string");
                bytes.iter_mut().for_each(|byte| *byte ^= 1);
                let entry = self.model.get_mut(&key).expect("there");
                entry.bytes.iter_mut().for_each(|byte| *byte ^= 1);
                entry.raw = true;
            }
            (5, Some(pos)) => {
                let expire = self.expire();
                self.db.set_expire(pos, expire);
                self.model.get_mut(&key).expect("there").expire = expire;
            }
            (_, Some(pos)) if self.random.index(2) == 0 => {
                self.db.remove(pos);
                self.model.remove(&key);
            }
            (_, Some(pos)) => {
                if let ValueRef::Str { bytes: crate::value::StrRef::Shared(blob), .. } = self.db.value(pos) {
                    self.held.push((Arc::clone(blob), blob.to_vec()));
                }
                let entry = self.db.take(pos);
                self.db.install(hashed, entry);
            }
            (_, None) => {}
        }
    }

    fn check(&mut self) {
        let keys: Vec<_> = self.model.keys().cloned().collect();
        for key in keys {
            let pos = self.place(&key).expect("no key is lost");
            let ValueRef::Str { bytes, raw } = self.db.value(pos) else { panic!("a string") };
            let found = Model { bytes: bytes.bytes().to_vec(), raw, expire: self.db.expire(pos) };
            assert_eq!(found, self.model[&key]);
        }
        assert_eq!(self.db.len(), self.model.len());
        assert_eq!(self.db.expiring(), self.model.values().filter(|m| m.expire.is_some()).count());
        let outside: usize = self.db.table.iter().map(record::outside_bytes).sum();
        assert_eq!(self.db.outside_bytes(), outside);
        let live: usize = self.db.table.iter().map(<[u8]>::len).sum();
        assert_eq!(self.db.live, live);
        assert!(self.held.iter().all(|(blob, bytes)| **blob == *bytes), "a reply changed under way");
        self.held.truncate(4);
    }
}

#[test]
fn random_changes_equal_the_model() {
    for seed in 1..=8 {
        println!("seed {seed}");
        let hash = HashSeed::new(seed, 2);
        let mut bed = Bed {
            db: Db::new(hash.clone()),
            seed: hash,
            model: HashMap::new(),
            random: Random::from_seed(seed),
            held: Vec::new(),
        };
        for _ in 0..4000 {
            bed.step();
            bed.check();
        }
        bed.db.clear(crate::Free::Now);
        assert_eq!((bed.db.outside_bytes(), bed.db.expiring()), (0, 0));
    }
}
