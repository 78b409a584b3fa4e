//! A database against a map: the same random operations on both, and the books checked against the records.

use crate::bin::Free;
use crate::db::{Db, Found};
use crate::key::Key;
use crate::record::EXPIRE_MAX_MS;
use crate::sweep::Swept;
use crate::value::{Value, ValueRef};
use crate::walk::{EntryRef, RecordId, Scribe};
use base::hash::HashSeed;
use base::random::Random;
use json::edit::Change;
use json::{Document, Node};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use table::Pos;
use types::Hash;
use types::hash::{FieldTtl, HashLimits};
use types::showing::Element;

/// What a key holds: a string, or a hash with a field that stays and one that may expire.
#[derive(Clone, PartialEq, Debug)]
enum Model {
    Text(Vec<u8>),
    Hash {
        field_expire: Option<u64>,
    },
    /// A hash of many fields, some of which expire; what they are is not looked at.
    Large,
    /// A document, likewise.
    Document,
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
            5 if pos.is_some() && self.random.below(2) == 0 => self.rename(&name, pos.expect("checked")),
            5 if pos.is_some() => {
                let entry = self.db.take(pos.expect("checked"));
                assert_eq!(entry.expire, self.model[&name].1);
                self.db.install(key, entry);
            }
            6 => {
                if let (Some(pos), Some((Model::Text(text), _))) = (pos, self.model.get_mut(&name)) {
                    let raw = self.random.below(2) == 1;
                    let more = |bytes: &mut Vec<u8>| bytes.extend_from_slice(b"more");
                    self.db.edit_str(key, Some(pos), raw, 1, [], more);
                    text.extend_from_slice(b"more");
                }
            }
            _ => self.sweep(),
        }
    }

    /// Gives an entry another key, if that is free, or the one that it has.
    fn rename(&mut self, name: &[u8], pos: Pos) {
        let (to, seed) = (self.key(), self.seed.clone());
        let is_free = matches!(self.db.find(Key::new(&to, &seed), self.now_ms), Found::Missing);
        let to = if is_free { to } else { name.to_vec() };
        let moving = self.db.depart(pos);
        self.db.arrive(Key::new(&to, &seed), moving);
        let entry = self.model.remove(name).expect("the same");
        self.model.insert(to, entry);
    }

    fn sweep(&mut self) {
        self.now_ms += self.random.below(60);
        let (now, mut keys) = (self.now_ms, Vec::new());
        let mut note = |swept: Swept<'_>| match swept {
            Swept::Key(key) => keys.push(key.to_vec()),
            Swept::Field(_) => {}
            Swept::Fields { emptied, .. } => assert!(!emptied),
        };
        // Of a large hash one round looks at a part.
        let rounds = if self.model.values().any(|(model, _)| *model == Model::Large) { 4 } else { 1 };
        (0..rounds).for_each(|_| _ = self.db.sweep(now, 1 << 20, || true, &mut note));
        for key in keys {
            let (_, expire) = self.model.remove(&key).expect("swept keys were there");
            assert!(expire.is_some_and(|at| at <= now));
        }
        // So everything has been seen.
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
                (ValueRef::Hash(hash), Model::Large) => assert!(hash.len() > 100),
                (ValueRef::Json(_), Model::Document) => {}
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
    begun: HashMap<u64, BegunValue>,
    next: u64,
    /// Values whose elements came one by one, and those that came whole or in parts.
    by_element: usize,
    large: usize,
}

struct BegunValue {
    key: Vec<u8>,
    /// As it was.
    before: String,
    expire: Option<u64>,
    /// Elements that have come, or parts that are still to be asked for.
    elements: Option<Vec<String>>,
    /// Bytes of a string that have come.
    text: Vec<u8>,
    parts: usize,
}

fn element(number: usize) -> Node {
    json::parse(format!("{{\"number\":{number},\"text\":\"{}\"}}", "x".repeat(90)).as_bytes(), None)
        .expect("JSON")
}

fn large_document() -> Document {
    Document::new(Node::array_of((0..700).map(element)))
}

fn field_text(field: &[u8], value: &[u8], expire: Option<u64>) -> String {
    format!("{:?}={expire:?}", (field, value))
}

/// Fields in one text, and the time before which nothing expires.
fn hash_text(mut fields: Vec<String>) -> String {
    fields.sort();
    format!("{fields:?}")
}

fn describe(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Str { bytes, .. } => format!("{:?}", bytes.bytes()),
        ValueRef::Hash(hash) => {
            let fields = hash.iter_all().map(|e| field_text(&e.field.to_vec(), &e.value.to_vec(), e.expire));
            hash_text(fields.collect())
        }
        ValueRef::Json(document) => format!("{:?}", format!("{document:?}").as_bytes()),
        _ => panic!("another type"),
    }
}

impl Shown {
    fn note(&mut self, key: Vec<u8>, value: String, expire: Option<u64>) {
        assert!(self.entries.insert(key, (value, expire)).is_none(), "once");
    }
}

impl Scribe for Shown {
    fn write(&mut self, db: u16, entry: &EntryRef<'_>) {
        assert_eq!(db, 7);
        self.note(entry.key.to_vec(), describe(entry.value), entry.expire);
    }

    fn begin(&mut self, db: u16, entry: &EntryRef<'_>, by_element: bool) -> RecordId {
        assert_eq!(db, 7);
        self.next += 1;
        let begun = BegunValue {
            key: entry.key.to_vec(),
            before: describe(entry.value),
            expire: entry.expire,
            elements: by_element.then(Vec::new),
            text: Vec::new(),
            parts: 3,
        };
        self.begun.insert(self.next, begun);
        RecordId(self.next)
    }

    fn write_on(&mut self, record: RecordId, value: ValueRef<'_>, to_the_end: bool) -> bool {
        let begun = self.begun.get_mut(&record.0).expect("it was begun");
        assert!(begun.elements.is_none() && describe(value) == begun.before, "it has not changed");
        begun.parts -= 1;
        let is_over = begun.parts == 0 || to_the_end;
        if is_over {
            let begun = self.begun.remove(&record.0).expect("looked at");
            self.note(begun.key, begun.before, begun.expire);
            self.large += 1;
        }
        is_over
    }

    fn element(&mut self, record: RecordId, element: Element<'_>) {
        let BegunValue { elements, text, .. } = self.begun.get_mut(&record.0).expect("it was begun");
        let (field, value, expire) = match element {
            Element::Field { field, value, expire } => (field, value, expire),
            Element::Text(part) => return text.extend_from_slice(part),
            Element::TextLen(_) => return assert!(text.is_empty(), "it comes first"),
            _ => panic!("another type"),
        };
        let field = field_text(field, value, Some(expire).filter(|&at_ms| at_ms != 0));
        elements.as_mut().expect("element by element").push(field);
    }

    fn begin_rest(&mut self, _: RecordId) {
        panic!("there are no streams");
    }

    fn end_elements(&mut self, record: RecordId) {
        let begun = self.begun.remove(&record.0).expect("it was begun");
        let fields = begun.elements.expect("element by element");
        let text = if begun.text.is_empty() { hash_text(fields) } else { format!("{:?}", begun.text) };
        assert!(text == begun.before, "all elements as they were, each once");
        self.note(begun.key, text, begun.expire);
        self.by_element += 1;
    }

    fn field(&mut self, _: &str, _: &[u8]) {
        unreachable!("databases have entries only")
    }

    fn end(&mut self) {}
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
        let expire = self.expire();
        if self.random.below(4) == 0 {
            let value = Value::Json(Box::new(large_document()));
            self.db.put(key, pos, value, expire, 1);
            self.model.insert(name, (Model::Document, expire));
        } else if self.random.below(2) == 0 {
            // A little too short to be written while it changes, or long enough.
            let len = if self.random.below(2) == 0 { 65_500 } else { 66_000 + self.random.index(150_000) };
            let text = vec![b'x'; len];
            self.db.put_str(key, pos, &text, expire, 1);
            self.model.insert(name, (Model::Text(text), expire));
        } else {
            let value = self.large_hash();
            self.db.put(key, pos, value, expire, 1);
            self.model.insert(name, (Model::Large, expire));
        }
    }

    fn large_hash(&mut self) -> Value {
        let mut hash = Hash::new();
        for number in 0..1100 {
            let field = format!("field:{number}").into_bytes();
            hash.set(&field, &[b'v'; 60], FieldTtl::Clear, self.now_ms, &LIMITS, &self.seed);
            if number % 100 == 99 {
                hash.set_expire(&field, Some(self.now_ms + 1 + self.random.below(500)), self.now_ms);
            }
        }
        Value::Hash(Box::new(hash))
    }

    /// Changes some fields of a large hash, or all of it.
    fn change_large(&mut self, name: &[u8]) {
        let (now_ms, seed) = (self.now_ms, self.seed.clone());
        let Found::Live(pos) = self.db.find(Key::new(name, &seed), now_ms) else { return };
        let other = (self.random.below(10) == 0).then(|| self.large_hash());
        let way = self.random.below(2);
        let mut hash = match way {
            0 => self.db.update::<Hash>(pos),
            _ => self.db.update_used::<Hash>(pos, 1).expect("a hash"),
        };
        for _ in 0..self.random.below(60) {
            let field = format!("field:{}", self.random.below(2000)).into_bytes();
            match self.random.below(4) {
                0 => _ = hash.remove(&field, now_ms),
                1 => _ = hash.set_expire(&field, Some(now_ms + 300), now_ms),
                _ => _ = hash.set(&field, b"new", FieldTtl::Keep, now_ms, &LIMITS, &seed),
            }
        }
        if let Some(Value::Hash(other)) = other {
            hash.exchange(*other);
        }
    }

    /// Changes a value where it is.
    fn change(&mut self) {
        let (name, seed) = (self.key(), self.seed.clone());
        let Found::Live(pos) = self.db.find(Key::new(&name, &seed), self.now_ms) else { return };
        let (new, way) = (vec![b'a' + self.random.index(26) as u8; 9], self.random.index(2));
        match &mut self.model.get_mut(&name).expect("the same").0 {
            Model::Large => self.change_large(&name),
            Model::Document => {
                let mut document = self.db.update::<Document>(pos);
                for _ in 0..self.random.below(5) {
                    let at = self.random.index(300);
                    document.apply(&[], Change::Splice(at..at + self.random.index(3), vec![element(at)]));
                }
                if self.random.below(20) == 0 {
                    document.exchange(large_document());
                }
            }
            Model::Text(text) => {
                let new = vec![new[0]; text.len()];
                if way == 0 && !self.db.overwrite_str(pos, &new, 1) {
                    return;
                }
                if way == 1 {
                    let start = self.random.index(text.len() + 1);
                    let end = (start + self.random.index(9000)).min(text.len());
                    let bytes = self.db.str_mut(pos, Some(start..end)).expect("a string");
                    bytes[start..end].copy_from_slice(&new[start..end]);
                    text[start..end].copy_from_slice(&new[start..end]);
                    return;
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
        let mut large = (0, 0);
        for walk in 0..8 {
            (0..400).for_each(|_| bed.step());
            (0..5).for_each(|_| bed.put_large());
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
            assert!(shown.begun.is_empty());
            assert!(shown.entries == before, "round {round}, walk {walk}, {steps} steps");
            large.0 += shown.large;
            large.1 += shown.by_element;
            drop(shown);
            while bed.db.bin.free_step() {}
        }
        assert!(large.0 > 5 && large.1 > 5, "{large:?} large values");
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

/// Large values that go from database to database while both are written, also when one of them has been written or emptied, or has come since.
#[test]
fn what_moves_is_written_once_as_it_was() {
    for round in 0..40 {
        let seed = HashSeed::new(round, 9);
        let fresh = || Db::new(seed.clone());
        let (mut random, mut dbs) = (Random::from_seed(round), [fresh(), fresh(), fresh()]);
        let keys: Vec<Vec<u8>> = (0..12).map(|n| format!("key {n}").into_bytes()).collect();
        for (n, name) in keys.iter().enumerate() {
            let mut text = vec![b'a' + n as u8; 300_000];
            text.truncate(if n < 8 { 300_000 } else { 30 });
            dbs[n % 2].put_str(Key::new(name, &seed), None, &text, None, 1);
        }
        let shown = Arc::new(Mutex::new(Shown::default()));
        let before: HashMap<_, _> = dbs
            .iter()
            .flat_map(Db::iter)
            .map(|(key, value, expire)| (key.to_vec(), (describe(value), expire)))
            .collect();
        // The last comes when the save is under way.
        dbs[..2].iter_mut().for_each(|db| db.begin_walk(7, shown.clone()));
        let clear_at = random.below(40);
        let mut steps = 0;
        while dbs.iter().any(Db::is_walked) {
            steps += 1;
            if steps == clear_at {
                dbs[random.index(3)].clear(Free::Later);
            }
            for _ in 0..random.below(4) {
                let (from, to) = (random.index(3), random.index(3));
                let (name, new) = (&keys[random.index(12)], &keys[random.index(12)]);
                let (key, new) = (Key::new(name, &seed), Key::new(new, &seed));
                let Found::Live(pos) = dbs[from].find(key, 0) else { continue };
                if let Some(bytes) = dbs[from].str_mut(pos, Some(0..3)) {
                    bytes[..3].copy_from_slice(b"new");
                }
                if matches!(dbs[to].find(new, 0), Found::Missing) {
                    let moving = dbs[from].depart(pos);
                    dbs[to].arrive(new, moving);
                }
            }
            let walked = random.index(3);
            dbs[walked].walk_on();
        }
        let shown = shown.lock().expect("nobody has panicked");
        assert!(shown.begun.is_empty());
        assert!(shown.entries == before, "round {round}");
        dbs.iter().for_each(|db| assert_eq!(db.audit(), Ok(())));
    }
}

fn hash_of(fields: usize, seed: &HashSeed) -> Value {
    let mut hash = Hash::new();
    for number in 0..fields {
        hash.set(format!("field:{number}").as_bytes(), &[b'v'; 60], FieldTtl::Clear, 0, &LIMITS, seed);
    }
    Value::Hash(Box::new(hash))
}

/// Large values that are lent from shard to shard while each is written by its own scribe: changed there, or gone for good; they come back when the walk here is
/// over, or find one that begins.
#[test]
fn what_is_lent_is_written_by_whom_it_belongs_to() {
    let mut returned_late = 0;
    for round in 0..60 {
        let seed = HashSeed::new(round, 9);
        let (mut random, mut dbs) = (Random::from_seed(round), [(); 3].map(|()| Db::new(seed.clone())));
        let keys: Vec<Vec<u8>> = (0..12).map(|n| format!("key {n}").into_bytes()).collect();
        for (n, name) in keys.iter().enumerate() {
            let (db, key) = (&mut dbs[n % 3], Key::new(name, &seed));
            let text = vec![b'a' + n as u8; if n < 9 { 300_000 } else { 30 }];
            match n % 2 {
                0 => db.put_str(key, None, &text, None, 1),
                _ => db.put(key, None, hash_of(if n < 9 { 1100 } else { 3 }, &seed), None, 1),
            };
        }
        let all = |db: &Db| -> HashMap<_, _> {
            db.iter().map(|(key, value, expire)| (key.to_vec(), (describe(value), expire))).collect()
        };
        let shown = [(); 3].map(|()| Arc::new(Mutex::new(Shown::default())));
        let before = [all(&dbs[0]), all(&dbs[1]), all(&dbs[2])];
        (0..2).for_each(|at| dbs[at].begin_walk(7, shown[at].clone()));
        // The last part of the save comes later: what belongs to that shard is there, unchanged until then.
        let mut third_at = Some(random.below(30));
        let mut steps = 0;
        while third_at.is_some() || dbs.iter().any(Db::is_walked) {
            steps += 1;
            if third_at.is_some_and(|at| steps > at) {
                third_at = None;
                dbs[2].begin_walk(7, shown[2].clone());
            }
            for _ in 0..random.below(4) {
                let number = random.index(12);
                let (from, to) = (number % 3, random.index(3));
                if from == 2 && third_at.is_some() {
                    continue;
                }
                let key = Key::new(&keys[number], &seed);
                let Found::Live(pos) = dbs[from].find(key, 0) else { continue };
                let moving = dbs[from].depart(pos);
                dbs[to].come_in(key, moving);
                let Found::Live(pos) = dbs[to].find(key, 0) else { panic!("it has come") };
                match number % 2 {
                    0 => dbs[to].str_mut(pos, Some(0..3)).expect("a string")[..3].copy_from_slice(b"new"),
                    _ => {
                        let field = format!("field:{}", random.below(1200)).into_bytes();
                        let mut hash = dbs[to].update::<Hash>(pos);
                        hash.set(&field, b"new", FieldTtl::Keep, 0, &LIMITS, &seed);
                    }
                }
                if random.below(6) == 0 {
                    dbs[to].discard(pos, Free::Later);
                    continue;
                }
                let moving = dbs[to].depart(pos);
                // The walk here may end while it is away.
                while random.below(9) > 0 && dbs[from].walk_on() {}
                returned_late += usize::from(moving.is_begun() && !dbs[from].is_walked());
                dbs[from].come_in(key, moving);
            }
            dbs[random.index(3)].walk_on();
        }
        for (shown, before) in shown.iter().zip(&before) {
            let shown = shown.lock().expect("nobody has panicked");
            assert!(shown.begun.is_empty() && shown.entries == *before, "round {round}");
        }
        dbs.iter().for_each(|db| assert_eq!(db.audit(), Ok(())));
    }
    assert!(returned_late > 10, "{returned_late}");
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
