//! What the types say they hold against what they take from the allocator, and that dropping gives all of it back.

use base::hash::HashSeed;
use base::random::Random;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use types::hash::{FieldTtl, Hash, HashLimits};
use types::list::{End, List, ListLimit};
use types::set::{Set, SetLimits};

struct Counting;

thread_local! {
    /// Of this thread: the one that runs the tests allocates, too, whenever it likes.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

fn held() -> usize {
    HELD.get()
}

// SAFETY: all calls go to the system's allocator unchanged; the count is kept beside.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get().wrapping_add(layout.size()));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(layout.size()));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Builds a value, compares what it says with what it took, drops it and expects nothing left.
fn check<T>(name: &str, build: impl Fn() -> T, bytes: impl Fn(&T) -> usize) {
    let before = held();
    let value = build();
    let (said, took) = (bytes(&value), held() - before);
    // The allocator rounds up; tables count that.
    assert!(said >= took && said <= took + took / 7 + 64, "{name}: says {said}, took {took}");
    drop(value);
    assert_eq!(held(), before, "{name} leaks");
}

fn set(count: usize) -> Set {
    let (limits, seed, mut rng) = (SetLimits::default(), HashSeed::new(1, 2), Random::from_seed(3));
    let mut set = Set::new(b"x", 1, &limits, &seed);
    for number in 0..count {
        let long = if number % 10 == 3 { 300 } else { 20 };
        set.add(format!("{number:0>long$}").as_bytes(), &limits, &seed);
        if number % 4 == 0 {
            set.pop(&mut || rng.next_u64(), |_| ());
        }
    }
    set.clone()
}

fn hash(count: usize) -> Hash {
    let (limits, seed, mut rng) = (HashLimits::default(), HashSeed::new(1, 2), Random::from_seed(3));
    let mut hash = Hash::new();
    for _ in 0..count {
        let number = rng.index(count);
        let field = format!("{number:0>width$}", width = if number.is_multiple_of(9) { 500 } else { 10 });
        let value = vec![b'v'; rng.index(if count > 100 { 900 } else { 60 })];
        hash.set(field.as_bytes(), &value, FieldTtl::Clear, 1, &limits, &seed);
        match rng.index(4) {
            0 => hash.remove(format!("{:0>10}", rng.index(count)).as_bytes(), 1),
            1 => hash.set_expire(field.as_bytes(), Some(2 + rng.below(1000)), 1),
            _ => false,
        };
    }
    while hash.next_expire().is_some_and(|time| time < 300) {
        hash.expire_fields(300, 100, |_| ());
    }
    hash.clone()
}

fn list(count: usize) -> List {
    let mut list = List::new(ListLimit::default());
    for number in 0..count {
        let end = if number % 3 == 0 { End::Head } else { End::Tail };
        list.push(end, &vec![b'l'; if number % 50 == 7 { 9000 } else { number % 60 }]);
    }
    list.remove_matching(b"l", usize::MAX, End::Head);
    list
}

#[test]
fn bytes_are_honest_and_nothing_leaks() {
    for count in [5, 100, 3000, 20_000] {
        check(&format!("set of {count}"), || set(count), Set::bytes);
        check(&format!("hash of {count}"), || hash(count), Hash::bytes);
        check(&format!("list of {count}"), || list(count), List::bytes);
    }
}
