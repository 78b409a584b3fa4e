//! A database against a map: the same random operations on both, and the books checked against the records.

use crate::bin::Free;
use crate::db::{Db, Found};
use crate::key::Key;
use crate::record::EXPIRE_MAX_MS;
use crate::sweep::Swept;
use crate::value::{Value, ValueRef};
use crate::walk::{EntryRef, Scribe};
use base::hash::HashSeed;
use base::random::Random;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
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
                Swept::Field(_) => {}
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

/// What a scribe has been shown: of each key the value and the expiry.
#[derive(Default)]
struct Shown {
    entries: HashMap<Vec<u8>, (String, Option<u64>)>,
    begun: Option<(Vec<u8>, String, usize)>,
}

fn describe(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Str { bytes, .. } => format!("{:?}", bytes.bytes()),
        ValueRef::Hash(hash) => {
            let fields = hash.iter_all().map(|entry| {
                format!("{:?}={:?}", (entry.field.to_vec(), entry.value.to_vec()), entry.expire)
            });
            let mut fields: Vec<String> = fields.collect();
            fields.sort();
            format!("{fields:?}, {:?}", hash.next_expire())
        }
        _ => panic!("another type"),
    }
}

impl Scribe for Shown {
    fn write(&mut self, db: u16, entry: &EntryRef<'_>) {
        let seen = (describe(entry.value), entry.expire);
        assert!(db == 7 && self.entries.insert(entry.key.to_vec(), seen).is_none(), "once");
    }

    fn begin(&mut self, db: u16, entry: &EntryRef<'_>) {
        self.write(db, entry);
        self.begun = Some((entry.key.to_vec(), describe(entry.value), 3));
    }

    fn write_on(&mut self, value: ValueRef<'_>, to_the_end: bool) -> bool {
        let (key, before, steps) = self.begun.take().expect("it was begun");
        assert!(describe(value) == before, "it has not changed");
        if steps > 0 && !to_the_end {
            self.begun = Some((key, before, steps - 1));
            return false;
        }
        true
    }
}

impl Bed {
    /// A value that is written in parts.
    fn put_large(&mut self) {
        let name = self.key();
        let seed = self.seed.clone();
        let key = Key::new(&name, &seed);
        let pos = match self.db.find(key, self.now_ms) {
            Found::Live(pos) => Some(pos),
            Found::Expired | Found::Missing => None,
        };
        let text = vec![b'x'; 70_000 + self.random.index(100)];
        self.db.put_str(key, pos, &text, None, 1);
        self.model.insert(name, (Model::Text(text), None));
    }

    /// Changes a value where it is.
    fn change(&mut self) {
        let (name, seed) = (self.key(), self.seed.clone());
        let Found::Live(pos) = self.db.find(Key::new(&name, &seed), self.now_ms) else { return };
        let (new, way) = (vec![b'a' + self.random.index(26) as u8; 9], self.random.index(2));
        match &mut self.model.get_mut(&name).expect("the same").0 {
            Model::Text(text) => {
                let new = vec![new[0]; text.len()];
                if way == 0 && !self.db.overwrite_str(pos, &new, 1) {
                    return;
                }
                if way == 1 {
                    self.db.str_mut(pos).expect("a string").copy_from_slice(&new);
                }
                *text = new;
            }
            Model::Hash { .. } => {
                let hash = match way {
                    0 => Some(self.db.update::<Hash>(pos)),
                    _ => self.db.update_used::<Hash>(pos, 1),
                };
                let mut hash = hash.expect("a hash");
                hash.set(b"stays", &new, FieldTtl::Keep, self.now_ms, &LIMITS, &seed);
            }
        }
    }

    /// All there is, whose time may be over.
    fn all(&self) -> HashMap<Vec<u8>, (String, Option<u64>)> {
        self.db.iter().map(|(key, value, expire)| (key.to_vec(), (describe(value), expire))).collect()
    }
}

/// A walk that goes on now and then while everything changes writes down what there was when it began.
#[test]
fn a_walk_writes_what_there_was() {
    for round in 0..12 {
        let seed = HashSeed::new(round, 9);
        let random = Random::from_seed(round);
        let mut bed =
            Bed { db: Db::new(seed.clone()), model: HashMap::new(), random, now_ms: 1_000_000, seed };
        for walk in 0..6 {
            (0..400).for_each(|_| bed.step());
            (0..3).for_each(|_| bed.put_large());
            let (before, shown) = (bed.all(), Arc::new(Mutex::new(Shown::default())));
            bed.db.begin_walk(7, shown.clone());
            let clear_at = bed.random.below(90);
            let mut steps = 0;
            loop {
                for _ in 0..bed.random.below(20) {
                    bed.step();
                    bed.change();
                    if bed.random.below(30) == 0 {
                        bed.put_large();
                    }
                }
                if steps == clear_at || steps == clear_at + 3 {
                    bed.db.clear(if walk % 2 == 0 { Free::Now } else { Free::Later });
                    bed.model.clear();
                }
                steps += 1;
                if !bed.db.walk_on() {
                    break;
                }
            }
            bed.check();
            let shown = shown.lock().expect("nobody has panicked");
            assert!(shown.begun.is_none());
            assert!(shown.entries == before, "round {round}, walk {walk}, {steps} steps");
            drop(shown);
            while bed.db.bin.free_step() {}
        }
        // One is given up on the way.
        let shown = Arc::new(Mutex::new(Shown::default()));
        bed.db.begin_walk(7, shown);
        bed.db.walk_on();
        bed.db.clear(Free::Now);
        assert!(bed.db.is_walked());
        bed.db.end_walk();
        while bed.db.bin.free_step() {}
        assert_eq!((bed.db.live_bytes(), bed.db.outside_bytes(), bed.db.bin.bytes()), (0, 0, 0));
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
