//! Hash against a map of the standard library, through all forms and with expire times, and the conversions
//! of Redis.

use super::forms::{LONG_BYTES_MAX, LONG_FIELDS_MAX};
use super::lending::LENT_BYTES_MIN;
use super::*;
use base::random::Random;
use std::collections::BTreeMap;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, u64)>;

fn seed() -> HashSeed {
    HashSeed::new(3, 4)
}

fn random_field(rng: &mut Random, spread: usize) -> Vec<u8> {
    let number = rng.index(spread);
    match number % 5 {
        0 => number.to_string().into_bytes(),
        1 => format!("{number:y>width$}", width = 390 + number % 30).into_bytes(),
        _ => format!("field:{number}").into_bytes(),
    }
}

fn random_value(rng: &mut Random) -> Vec<u8> {
    match rng.index(8) {
        0 => rng.next_u64().to_string().into_bytes(),
        1 => vec![b'v'; 380 + rng.index(50)],
        2 => vec![b'V'; rng.index(3000)],
        3 => vector::Element::F32.bytes(&(0..ELEMENTS).map(|_| rng.unit_f64()).collect::<Vec<_>>()),
        _ => vec![b'w'; rng.index(40)],
    }
}

/// Elements of a vector: such values can be lent.
const ELEMENTS: usize = LENT_BYTES_MIN / 4;

fn graph() -> vector::Handle {
    let space = vector::Space::new(vector::Element::F32, vector::Metric::L2, ELEMENTS).unwrap();
    let graph = vector::Hnsw::new(space, vector::Parameters::default()).unwrap();
    vector::Shared::new(graph).handle()
}

fn check(hash: &Hash, model: &Model, now: u64, seed: u64) {
    assert_eq!(hash.len(), model.len(), "seed {seed}");
    let live = |expire: u64| expire == 0 || expire > now;
    let mut ours: Vec<_> =
        hash.iter_all().map(|e| (e.field.to_vec(), e.value.to_vec(), e.expire.unwrap_or(0))).collect();
    ours.sort();
    assert!(
        ours.iter().map(|(f, v, e)| (f, (v, e))).eq(model.iter().map(|(f, (v, e))| (f, (v, e)))),
        "seed {seed}"
    );
    let live_count = model.values().filter(|(_, expire)| live(*expire)).count();
    assert_eq!((hash.live_len(now), hash.iter(now).count()), (live_count, live_count), "seed {seed}");
    let (mut cursor, mut seen) = (0, BTreeMap::new());
    loop {
        cursor = hash.scan(cursor, 7, now, |e| {
            seen.insert(e.field.to_vec(), e.value.to_vec());
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen.len(), live_count, "seed {seed}");
    let earliest = model.values().map(|(_, e)| *e).filter(|&e| e != 0).min();
    assert!(hash.next_expire().unwrap_or(u64::MAX) <= earliest.unwrap_or(u64::MAX), "seed {seed}");
    assert_eq!(hash.next_expire().is_some(), earliest.is_some(), "seed {seed}");
    if let Hash::ListpackEx(listpack) = hash {
        assert!(
            Hash::from_listpack_ex(
                listpack.as_bytes().to_vec(),
                &HashLimits::default(),
                &super::tests::seed()
            )
            .is_ok()
        );
    }
}

struct Run {
    rng: Random,
    hash: Hash,
    model: Model,
    limits: HashLimits,
    now: u64,
    spread: usize,
    seed: u64,
    graph: vector::Handle,
    /// How often values were lent.
    lent: usize,
}

impl Run {
    fn live(&self, field: &[u8]) -> bool {
        self.model.get(field).is_some_and(|(_, expire)| *expire == 0 || *expire > self.now)
    }

    fn step(&mut self) {
        let field = random_field(&mut self.rng, self.spread);
        let (live, now, number) = (self.live(&field), self.now, self.seed);
        match self.rng.index(14) {
            0..=4 => self.set(field, live),
            5..=6 => {
                assert_eq!(self.hash.remove(&field, now), live, "seed {number}");
                if live {
                    self.model.remove(&field);
                }
            }
            7..=8 if !self.seed.is_multiple_of(3) => {
                let time = if self.rng.index(4) == 0 { None } else { Some(now + self.rng.below(60)) };
                assert_eq!(self.hash.set_expire(&field, time, now), live, "seed {number}");
                if live {
                    self.model.get_mut(&field).unwrap().1 = time.unwrap_or(0);
                }
            }
            9 if self.rng.index(6) == 0 => {
                self.now += self.rng.below(20);
                self.expire();
            }
            9 => {
                let due = !live && self.model.contains_key(&field);
                assert_eq!(self.hash.remove_expired(&field, now), due, "seed {number}");
                if due {
                    self.model.remove(&field);
                }
            }
            10 => {
                let found = self.hash.random(now, &mut || self.rng.next_u64()).map(|e| e.field.to_vec());
                let any = self.model.values().any(|(_, e)| *e == 0 || *e > now);
                assert_eq!(found.map(|field| self.live(&field)), any.then_some(true), "seed {number}");
            }
            11..=12 => self.lend(),
            _ => {
                let ours = self.hash.entry(&field, now).map(|e| (e.value.to_vec(), e.expire.unwrap_or(0)));
                assert_eq!(ours, self.model.get(&field).filter(|_| live).cloned(), "seed {number}");
                assert_eq!(self.hash.get(&field, now).is_some(), self.hash.contains(&field, now));
            }
        }
    }

    /// An index has some of the values, and one that is another by now; what it had before has gone from it.
    fn lend(&mut self) {
        if !self.hash.can_lend(LENT_BYTES_MIN) {
            return;
        }
        let mut loans = Vec::new();
        for (field, (value, _)) in &self.model {
            if value.len() == LENT_BYTES_MIN && self.rng.index(4) > 0 {
                let is_other = self.rng.index(10) == 0;
                let vector = if is_other { &vec![0; LENT_BYTES_MIN] } else { value };
                let slot = self.graph.insert(7, vector).unwrap_or_else(|_| panic!("seed {}", self.seed));
                loans.push((field.as_slice(), self.graph.lend(slot).unwrap(), is_other));
                self.graph.remove(slot).unwrap();
            }
        }
        let taken = loans.iter().filter(|(.., is_other)| !is_other).count();
        self.hash.lend(loans.into_iter().map(|(field, loan, _)| (field, loan)));
        assert_eq!(self.hash.lent_len(), taken, "seed {}", self.seed);
        self.lent += taken;
        while self.graph.work(1000) {}
    }

    fn set(&mut self, field: Vec<u8>, live: bool) {
        let value = random_value(&mut self.rng);
        let ttl = if self.rng.index(2) == 0 { FieldTtl::Keep } else { FieldTtl::Clear };
        let created = self.hash.set(&field, &value, ttl, self.now, &self.limits, &seed());
        assert_eq!(created, !live, "seed {}", self.seed);
        let kept = if live && ttl == FieldTtl::Keep { self.model[&field].1 } else { 0 };
        self.model.insert(field, (value, kept));
    }

    fn expire(&mut self) {
        let mut gone = Vec::new();
        let budget = 1 + self.rng.index(50);
        let mut turns = 0;
        while self.hash.next_expire().is_some_and(|time| time <= self.now) {
            let before = gone.len();
            let removed = self.hash.expire_fields(self.now, budget, |field| gone.push(field.to_vec()));
            assert_eq!(removed, gone.len() - before);
            turns += 1;
            assert!(turns < 10_000, "seed {}", self.seed);
        }
        gone.sort();
        let now = self.now;
        let due = |expire: u64| expire != 0 && expire <= now;
        let expect: Vec<_> = self.model.iter().filter(|(_, v)| due(v.1)).map(|(f, _)| f.clone()).collect();
        assert_eq!(gone, expect, "seed {}", self.seed);
        self.model.retain(|_, (_, expire)| !due(*expire));
    }
}

#[test]
fn behaves_like_a_map() {
    let mut lent = 0;
    for number in 0..60 {
        let mut rng = Random::from_seed(number);
        let spread = [20, 300, 3000, 12][number as usize % 4];
        let max_listpack_value = if number % 2 == 0 { 64 } else { 5000 };
        let limits = HashLimits { max_listpack_entries: rng.index(100), max_listpack_value };
        let (hash, model) = (Hash::new(), Model::new());
        let mut run =
            Run { rng, hash, model, limits, now: 1000, spread, seed: number, graph: graph(), lent: 0 };
        for step in 0..2000 {
            run.step();
            if step % 250 == 0 {
                check(&run.hash, &run.model, run.now, number);
            }
        }
        check(&run.hash, &run.model, run.now, number);
        let copy = run.hash.clone();
        assert_eq!(copy.lent_len(), 0);
        drop((run.hash, run.graph));
        check(&copy, &run.model, run.now, number);
        lent += run.lent;
    }
    assert!(lent > 1000, "{lent}");
}

fn hash_of(count: usize, value_bytes: usize) -> Hash {
    let (mut hash, limits) = (Hash::new(), HashLimits::default());
    for number in 0..count {
        let field = format!("f{number}");
        hash.set(field.as_bytes(), &vec![b'v'; value_bytes], FieldTtl::Clear, 0, &limits, &seed());
    }
    hash
}

#[test]
fn encodings_change_as_in_redis() {
    assert_eq!(hash_of(128, 64).encoding(), "listpack");
    assert_eq!(hash_of(129, 1).encoding(), "hashtable");
    assert_eq!(hash_of(1, 65).encoding(), "hashtable");
    let mut hash = hash_of(3, 1);
    assert!(!hash.set_expire(b"none", Some(5), 1));
    assert!(hash.set_expire(b"f1", None, 1));
    assert_eq!(hash.encoding(), "listpack");
    assert!(hash.set_expire(b"f1", Some(5), 1));
    assert_eq!((hash.encoding(), hash.next_expire()), ("listpackex", Some(5)));
    assert_eq!(hash.iter_all().next().map(|e| e.field.to_vec()), Some(b"f1".to_vec()));
    hash.set(b"f1", &[b'x'; 65], FieldTtl::Keep, 1, &HashLimits::default(), &seed());
    assert_eq!((hash.encoding(), hash.next_expire()), ("hashtable", Some(5)));
    assert_eq!((hash.get(b"f1", 4).is_some(), hash.get(b"f1", 5).is_some()), (true, false));
    let mut hash = Hash::new();
    hash.grow([b"f".as_slice(), &[b'v'; 65]].into_iter(), &HashLimits::default(), &seed());
    assert_eq!(hash.encoding(), "hashtable");
}

#[test]
fn a_few_long_fields_stay_in_one_piece() {
    let (mut hash, limits) = (Hash::new(), HashLimits::default());
    let set = |hash: &mut Hash, field: &str, bytes: usize| {
        hash.grow([field.as_bytes(), &vec![b'v'; bytes]].into_iter(), &limits, &seed());
        hash.set(field.as_bytes(), &vec![b'v'; bytes], FieldTtl::Clear, 1, &limits, &seed())
    };
    assert!(set(&mut hash, "title", 20) && set(&mut hash, "vector", 6144) && set(&mut hash, "r", 4));
    assert_eq!((hash.encoding(), hash.table().is_none()), ("hashtable", true));
    assert!(hash.bytes() < 7000, "{} bytes", hash.bytes());
    assert!(!set(&mut hash, "vector", 9000) && !set(&mut hash, "vector", 6144));
    assert!(hash.set_expire(b"r", Some(5), 1));
    assert_eq!((hash.encoding(), hash.next_expire(), hash.table().is_none()), ("hashtable", Some(5), true));
    assert_eq!(hash.expire_fields(5, 10, |_| ()), 1);
    // What has become long never looks like a listpack again.
    assert!(hash.remove(b"vector", 1));
    assert_eq!((hash.encoding(), hash.len()), ("hashtable", 1));
    let mut large = hash.clone();
    set(&mut large, "vector", LONG_BYTES_MAX);
    assert!(large.table().is_some() && large.len() == 2);
    for field in 1..LONG_FIELDS_MAX {
        set(&mut hash, &field.to_string(), 1);
    }
    assert!(hash.table().is_none() && !set(&mut hash, "title", 2) && hash.table().is_none());
    set(&mut hash, "one more", 1);
    assert!(hash.table().is_some() && hash.len() == LONG_FIELDS_MAX + 1);
}

#[test]
fn a_vector_that_is_lent_takes_no_memory_here() {
    let (mut hash, limits, graph) = (Hash::new(), HashLimits::default(), graph());
    let vector = vector::Element::F32.bytes(&[0.5; ELEMENTS]);
    let slot = graph.insert(1, &vector).unwrap();
    let mut set = |field: &str, value: &[u8]| {
        hash.set(field.as_bytes(), value, FieldTtl::Clear, 1, &limits, &seed());
    };
    set("title", b"A title");
    set("embedding", &vector);
    set("year", b"1984");
    let shown =
        |hash: &Hash| hash.iter_all().map(|e| (e.field.to_vec(), e.value.to_vec())).collect::<Vec<_>>();
    let (before, before_bytes) = (shown(&hash), hash.bytes());
    hash.lend([(b"embedding".as_slice(), graph.lend(slot).unwrap())]);
    assert_eq!((shown(&hash), hash.encoding()), (before.clone(), "hashtable"));
    assert_eq!((hash.lent_len(), hash.lent_bytes()), (1, LENT_BYTES_MIN));
    let own = hash.bytes() - hash.lent_bytes();
    assert!(own + LENT_BYTES_MIN / 2 < before_bytes, "{own} of {before_bytes}");
    assert!(graph.has_lent(slot, hash.lent(b"embedding").unwrap()) && hash.lent(b"year").is_none());
    assert_eq!(hash.get(b"embedding", 1).unwrap().len(), LENT_BYTES_MIN);
    // Whatever becomes of the graph.
    graph.remove(slot).unwrap();
    drop(graph);
    assert_eq!(shown(&hash), before);
    assert!(hash.remove(b"year", 1));
    assert_eq!((shown(&hash), hash.lent_len()), (before[..2].to_vec(), 0));
}

#[test]
fn files_are_checked() {
    let limits = HashLimits::default();
    let load = |items: &[Item<'_>], ex: bool| {
        let mut listpack = Listpack::new();
        listpack.insert_row(listpack.end(), items);
        let raw = listpack.into_bytes();
        if ex {
            Hash::from_listpack_ex(raw, &limits, &seed())
        } else {
            Hash::from_listpack(raw, &limits, &seed())
        }
    };
    let (a, b, one) = (Item::Str(b"a"), Item::Str(b"b"), Item::Int(1));
    assert!(load(&[a, one, b, one], false).is_ok_and(|hash| hash.len() == 2));
    assert!(load(&[a, one, a, one], false).is_err(), "a field twice");
    assert!(load(&[a, one, b], false).is_err(), "a field without value");
    assert!(load(&[], false).is_err(), "empty");
    assert!(load(&[a, one, Item::Int(9), b, one, Item::Int(0)], true).is_ok());
    assert!(load(&[a, one, Item::Int(0), b, one, Item::Int(9)], true).is_err(), "not in order");
    assert!(load(&[a, one, b], true).is_err(), "a time that is no integer");
    assert!(load(&[a, one, Item::Int(-1)], true).is_err(), "a time before time");
    assert!(load(&[a, one, Item::Int(i64::MAX)], true).is_err(), "a time too late");
}

#[test]
fn a_large_hash_is_small_in_memory() {
    let mut hash = Hash::new();
    for number in 0..200_000 {
        let field = format!("field:{number:010}");
        hash.set(field.as_bytes(), &[b'v'; 32], FieldTtl::Clear, 0, &HashLimits::default(), &seed());
    }
    assert!(hash.bytes() / hash.len() <= 72, "{} bytes each", hash.bytes() / hash.len());
}

#[test]
fn expiring_a_few_fields_visits_few_segments() {
    let mut hash = Hash::new();
    for number in 0..100_000u64 {
        let field = number.to_string();
        hash.set(field.as_bytes(), b"v", FieldTtl::Clear, 0, &HashLimits::default(), &seed());
        hash.set_expire(field.as_bytes(), Some(1000 + number), 0);
    }
    let mut expire = |now| {
        let (mut turns, mut removed) = (0, 0);
        while hash.next_expire().is_some_and(|time| time <= now) {
            removed += hash.expire_fields(now, 100, |_| ());
            turns += 1;
        }
        (turns, removed, hash.next_expire())
    };
    // The first pass visits all, as segments inherited the bound of those they were split from.
    assert_eq!(expire(1000).1, 1);
    let (turns, removed, next) = expire(1003);
    assert_eq!((removed, next), (3, Some(1004)));
    assert!(turns <= 10, "{turns}");
}
