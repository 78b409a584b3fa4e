//! A database against a map: the same random operations on both, and the books checked against the records.

use crate::bin::Free;
use crate::db::{Db, Found};
use crate::key::Key;
use crate::record::EXPIRE_MAX_MS;
use crate::sweep::Swept;
use crate::value::{Value, ValueRef};
use base::hash::HashSeed;
use base::random::Random;
use std::collections::HashMap;
use types::Hash;
use types::hash::{FieldTtl, HashLimits};

/// What a key holds: a string, or a hash with a field that stays and one that may expire.
#[derive(Clone, PartialEq, Debug)]
enum Model {
    Text(Vec<u8>),
    Hash { field_expire: Option<u64> },
}

struct Bed {
    db: Db,
    model: HashMap<Vec<u8>, (Model, Option<u64>)>,
    random: Random,
    now_ms: u64,
    seed: HashSeed,
}

const LIMITS: HashLimits = HashLimits { max_listpack_entries: 8, max_listpack_value: 64 };

impl Bed {
    fn key(&mut self) -> Vec<u8> {
        let number = self.random.below(300);
        let pad = if number.is_multiple_of(50) { 300 } else { number as usize % 20 };
        format!("{number}{}", "k".repeat(pad)).into_bytes()
    }

    fn expire(&mut self) -> Option<u64> {
        match self.random.below(8) {
            0..=3 => None,
            4 => Some(EXPIRE_MAX_MS - 1 + self.random.below(4)),
            _ => Some(self.now_ms + 1 + self.random.below(500)),
        }
    }

    fn hash(&mut self, field_expire: Option<u64>) -> Value {
        let mut hash = Hash::new();
        let value = vec![b'v'; self.random.index(100)];
        hash.set(b"stays", &value, FieldTtl::Clear, self.now_ms, &LIMITS, &self.seed);
        if field_expire.is_some() {
            hash.set(b"goes", b"1", FieldTtl::Clear, self.now_ms, &LIMITS, &self.seed);
            hash.set_expire(b"goes", field_expire, self.now_ms);
        }
        Value::Hash(Box::new(hash))
    }

    fn step(&mut self) {
        let name = self.key();
        let key = Key::new(&name, &self.seed.clone());
        let pos = match self.db.find(key, self.now_ms) {
            Found::Live(pos) => Some(pos),
            Found::Expired | Found::Missing => None,
        };
        let live = |expire: Option<u64>, now: u64| expire.is_none_or(|at| at > now);
        self.model.retain(|k, (_, expire)| *k != name || live(*expire, self.now_ms));
        assert_eq!(pos.is_some(), self.model.contains_key(&name));
        let expire = self.expire();
        match self.random.below(8) {
            0 | 1 => {
                let text = vec![b'x'; [0, 3, 40, 700][self.random.index(4)]];
                self.db.put_str(key, pos, &text, expire, 1);
                self.model.insert(name, (Model::Text(text), expire));
            }
            2 => {
                let field_expire =
                    self.random.below(2).is_multiple_of(2).then(|| self.now_ms + 1 + self.random.below(500));
                let value = self.hash(field_expire);
                self.db.put(key, pos, value, expire, 1);
                self.model.insert(name, (Model::Hash { field_expire }, expire));
            }
            3 if pos.is_some() => {
                self.db.set_expire(pos.expect("checked"), expire);
                self.model.get_mut(&name).expect("same").1 = expire;
            }
            4 if pos.is_some() => {
                self.db.remove(pos.expect("checked"));
                self.model.remove(&name);
            }
            5 if pos.is_some() => {
                let entry = self.db.take(pos.expect("checked"));
                assert_eq!(entry.expire, self.model[&name].1);
                self.db.install(key, entry);
            }
            6 => {
                if let (Some(pos), Some((Model::Text(text), _))) = (pos, self.model.get_mut(&name)) {
                    let raw = self.random.below(2) == 1;
                    self.db.edit_str(key, Some(pos), raw, 1, |bytes| bytes.extend_from_slice(b"more"));
                    text.extend_from_slice(b"more");
                }
            }
            _ => self.sweep(),
        }
    }

    fn sweep(&mut self) {
        self.now_ms += self.random.below(60);
        let (now, mut keys) = (self.now_ms, Vec::new());
        self.db.sweep(
            now,
            1 << 20,
            || true,
            |swept| match swept {
                Swept::Key(key) => keys.push(key.to_vec()),
                Swept::Fields { emptied, .. } => assert!(!emptied),
            },
        );
        for key in keys {
            let (_, expire) = self.model.remove(&key).expect("swept keys were there");
            assert!(expire.is_some_and(|at| at <= now));
        }
        // One round has seen everything.
        for (model, expire) in self.model.values_mut() {
            assert!(expire.is_none_or(|at| at > now));
            if let Model::Hash { field_expire } = model {
                *field_expire = field_expire.filter(|at| *at > now);
            }
        }
        assert!(self.db.next_due_ms(usize::MAX).is_some_and(|due| due > now));
    }

    fn check(&self) {
        let db = &self.db;
        let field =
            |model: &Model| if let Model::Hash { field_expire } = model { *field_expire } else { None };
        let times = self.model.values().flat_map(|(model, expire)| [*expire, field(model)]).flatten();
        let due_ms = db.next_due_ms(usize::MAX).expect("as many segments as there are");
        assert!(due_ms <= times.min().unwrap_or(u64::MAX));
        assert!(db.has_expiry() || due_ms == u64::MAX);
        assert_eq!(db.len(), self.model.len());
        assert_eq!(db.audit(), Ok(()));
        for (name, value, expire) in db.iter() {
            let (model, at) = &self.model[name];
            assert_eq!(expire, *at);
            match (value, model) {
                (ValueRef::Str { bytes, .. }, Model::Text(text)) => assert_eq!(bytes.bytes(), text),
                (ValueRef::Hash(hash), Model::Hash { field_expire }) => {
                    assert_eq!(
                        hash.live_len(self.now_ms),
                        1 + usize::from(field_expire.is_some_and(|at| at > self.now_ms))
                    );
                }
                _ => panic!("another type"),
            }
        }
        let far = self.model.values().filter(|(_, at)| at.is_some_and(|at| at >= EXPIRE_MAX_MS)).count();
        assert_eq!(db.far.len(), far);
    }
}

#[test]
fn a_database_is_a_map_whose_entries_expire() {
    for round in 0..6 {
        let seed = HashSeed::new(round, 9);
        let random = Random::from_seed(round);
        let mut bed =
            Bed { db: Db::new(seed.clone()), model: HashMap::new(), random, now_ms: 1_000_000, seed };
        for step in 0..4000 {
            bed.step();
            if step % 97 == 0 {
                bed.check();
            }
        }
        bed.now_ms += 1_000_000;
        bed.sweep();
        bed.check();
        bed.db.clear(Free::Now);
        assert_eq!((bed.db.live_bytes(), bed.db.outside_bytes(), bed.db.expiring()), (0, 0, 0));
    }
}
