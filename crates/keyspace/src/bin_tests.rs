//! Freeing step by step: what is let go of is out of the accounts at once, and all of it comes back in the end.

use crate::bin::{Bin, Free, Frees};
use crate::db::{Db, Found};
use crate::key::Key;
use crate::value::Value;
use base::hash::HashSeed;
use types::Set;
use types::set::SetLimits;

fn set(members: usize, seed: &HashSeed) -> Value {
    let limits = SetLimits::default();
    let mut set = Set::new(b"m", members, &limits, seed);
    for n in 0..members {
        set.add(format!("member {n}").as_bytes(), &limits, seed);
    }
    Value::Set(Box::new(set))
}

struct Bed {
    db: Db,
    bin: Bin,
    seed: HashSeed,
}

impl Bed {
    fn new() -> Self {
        let (seed, bin) = (HashSeed::new(7, 8), Bin::default());
        Self { db: Db::with_bin(seed.clone(), bin.clone()), bin, seed }
    }

    fn put(&mut self, name: &[u8], value: Value, expire: Option<u64>) {
        let key = Key::new(name, &self.seed);
        let pos = self.db.find(key, 0);
        let pos = if let Found::Live(pos) = pos { Some(pos) } else { None };
        self.db.put(key, pos, value, expire, 0);
    }

    fn put_set(&mut self, name: &[u8], members: usize, expire: Option<u64>) {
        let value = set(members, &self.seed);
        self.put(name, value, expire);
    }

    fn unlink(&mut self, name: &[u8]) {
        let Found::Live(pos) = self.db.find(Key::new(name, &self.seed), 0) else { panic!("it is there") };
        self.db.discard(pos, Free::Later);
    }

    /// Frees all; how many steps it took.
    fn empty(&self) -> usize {
        let (mut steps, mut bytes) = (0, self.bin.bytes());
        while self.bin.free_step() {
            assert!(self.bin.bytes() <= bytes);
            bytes = self.bin.bytes();
            steps += 1;
        }
        assert_eq!((self.bin.pending(), self.bin.bytes()), (0, 0));
        assert!(self.bin.is_empty());
        steps
    }
}

#[test]
fn large_values_go_step_by_step() {
    let mut bed = Bed::new();
    bed.put_set(b"large", 20_000, None);
    bed.put_set(b"small", 10, None);
    let outside = bed.db.outside_bytes();
    bed.unlink(b"small");
    assert_eq!(bed.bin.pending(), 0);
    bed.unlink(b"large");
    assert_eq!((bed.db.len(), bed.db.outside_bytes(), bed.bin.pending()), (0, 0, 1));
    assert!(bed.bin.bytes() * 10 > outside * 9);
    assert!(bed.empty() > 20);
    assert_eq!(bed.bin.freed(), 1);
    assert!(bed.bin.take_freed_bytes() * 10 > outside * 9);
    assert_eq!(bed.bin.take_freed_bytes(), 0);
}

#[test]
fn a_database_is_let_go_of_at_once() {
    let mut bed = Bed::new();
    for n in 0..5000 {
        bed.put(format!("key {n}").as_bytes(), Value::string(&vec![b'v'; n % 700]), Some(1 << 50));
    }
    bed.put_set(b"large", 20_000, None);
    bed.put(&vec![b'k'; 1000], Value::string(b"v"), None);
    let bytes = bed.db.bytes();
    bed.db.clear(Free::Later);
    assert_eq!((bed.db.len(), bed.db.expiring(), bed.db.outside_bytes(), bed.db.live_bytes()), (0, 0, 0, 0));
    assert!(bed.db.bytes() < 4096);
    assert_eq!((bed.bin.pending(), bed.bin.bytes()), (5002, bytes));
    bed.put_set(b"next", 10, None);
    assert!(bed.empty() > 30);
    assert_eq!((bed.bin.freed(), bed.db.len()), (5002, 1));
    bed.bin.reset_statistics();
    assert_eq!(bed.bin.freed(), 0);
    bed.db.clear(Free::Now);
    bed.db.clear(Free::Later);
    assert!(bed.bin.is_empty());
}

#[test]
fn what_is_overwritten_or_expires_goes_as_configured() {
    let mut bed = Bed::new();
    for free in [Free::Now, Free::Later] {
        bed.db.frees = Frees { overwritten: free, expired: free };
        let pending = u64::from(free == Free::Later);
        bed.put_set(b"a", 1000, None);
        bed.put(b"a", Value::string(b"short"), None);
        assert_eq!(bed.bin.pending(), pending);
        bed.put_set(b"b", 1000, Some(5));
        assert!(matches!(bed.db.find(Key::new(b"b", &bed.seed), 6), Found::Expired));
        assert_eq!(bed.bin.pending(), 2 * pending);
        bed.put_set(b"c", 1000, Some(5));
        bed.db.sweep(6, 1000, || true, |_| {});
        assert_eq!((bed.bin.pending(), bed.db.len()), (3 * pending, 1));
        bed.empty();
    }
    assert_eq!(bed.bin.freed(), 3);
}

#[test]
fn what_is_still_in_the_bin_at_the_end_is_freed() {
    let mut bed = Bed::new();
    for n in 0..5000 {
        bed.put(format!("key {n}").as_bytes(), Value::string(&[b'v'; 600]), None);
    }
    bed.db.clear(Free::Later);
    assert!(bed.bin.free_step());
    drop(bed);
}
