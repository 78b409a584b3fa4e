//! What reading a hostile payload or file allocates at most, against its size.

use base::hash::HashSeed;
use base::random::Random;
use rdb::dump::{restore, seal};
use rdb::file::{Feed, Item, Items};
use rdb::{Shapes, Type, append_len, append_string};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// The tests count all that the process holds, so only one of them may run at a time.
static TURN: Mutex<()> = Mutex::new(());

// SAFETY: all calls go to the system's allocator unchanged; the counts are kept beside.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What an empty table takes, and then some.
const BASE_BYTES: usize = 64 << 10;
/// A compressed string grows 88 times, and is copied into its place once.
const GROWTH_MAX: usize = 2 * 88;

fn check(what: &str, mut body: Vec<u8>) {
    let seed = HashSeed::new(1, 2);
    let shapes = Shapes::with_defaults(&seed);
    let file = [b"REDIS0014", &body[..1], b"\x03key", &body[1..]].concat();
    measure(&format!("{what}, in a file"), file.len(), || {
        let items = Items::of_file(&file, true).expect("a header");
        items.map_while(Result::ok).all(|item| match item {
            Item::Record(record) => record.value(&shapes).is_ok(),
            _ => true,
        })
    });
    measure(&format!("{what}, in pieces"), file.len(), || {
        let mut feed = Feed::new(true);
        feed.push(&file);
        feed.close();
        while let Ok(Some(item)) = feed.next_item() {
            if let Item::Record(record) = item {
                let _ = record.value(&shapes);
            }
        }
        feed.is_over()
    });
    seal(&mut body, 12);
    measure(what, body.len(), || restore(&body, &shapes).is_ok());
}

/// Reads what has so many bytes.
fn measure(what: &str, bytes: usize, read: impl FnOnce() -> bool) {
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let accepted = read();
    let took = PEAK.load(Ordering::Relaxed) - before;
    let limit = BASE_BYTES + GROWTH_MAX * bytes;
    assert!(took <= limit, "{what}: {took} bytes for {bytes} (accepted: {accepted})");
}

/// `count` strings as short as distinct strings can be, each followed by `behind`.
fn elements(kind: Type, announced: u64, count: u32, behind: &[u8]) -> Vec<u8> {
    let mut body = vec![kind.byte()];
    append_len(&mut body, announced);
    for number in 0..count {
        append_string(&mut body, number.to_string().as_bytes(), true);
        body.extend_from_slice(behind);
    }
    body
}

#[test]
fn memory_is_bounded_by_the_payload() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for (kind, behind) in
        [(Type::List, &b""[..]), (Type::Set, b""), (Type::Hash, b"\x00"), (Type::ZSet, &[0; 8])]
    {
        for (announced, count) in [(u64::MAX, 0), (u64::MAX, 1), (1 << 40, 1000), (100_000, 100_000)] {
            check(&format!("{kind:?} {announced} {count}"), elements(kind, announced, count, behind));
        }
    }
    let mut listpack = types::listpack::Listpack::new();
    (0..60_000).for_each(|number| listpack.append(types::listpack::Item::Int(number)));
    for kind in [Type::SetListpack, Type::HashListpack, Type::ZSetListpack, Type::HashListpackExEarly] {
        let mut body = vec![kind.byte()];
        append_string(&mut body, listpack.as_bytes(), false);
        check(&format!("{kind:?}"), body);
    }
    let mut nodes = vec![Type::ListQuicklist2.byte()];
    append_len(&mut nodes, 50_000);
    (0..50_000).for_each(|_| nodes.extend_from_slice(b"\x02\x09\x09\0\0\0\x01\0\x01\x01\xff"));
    check("nodes of one element", nodes);
    let mut long = vec![Type::String.byte()];
    append_string(&mut long, &vec![b'x'; 10 << 20], true);
    check("a long string", long);
    let mut random = Random::from_seed(3);
    for kind in Type::ALL {
        for _ in 0..200 {
            let mut noise = vec![0; 64];
            random.fill(&mut noise);
            noise[0] = kind.byte();
            noise[1] = [noise[1], 0x81, 0x80, 0xC3, 1][random.index(5)];
            check(&format!("{kind:?} {}", noise.escape_ascii()), noise);
        }
    }
}

/// A length or a number of each kind, in the place of every byte of values in old forms.
#[test]
fn whatever_old_values_announce() {
    const ANNOUNCED: [&[u8]; 6] = [
        &[0x7F, 0xFF],
        &[0x80, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x81, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0xC3, 0x05, 0x81, 0, 0, 0, 1, 0, 0, 0, 0],
        &[0xFF, 0xFF, 0xFF, 0xFF],
        &[0xFE, 0xFF, 0xFF, 0xFF, 0x7F],
    ];
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for value in testkit::old_values::old_values() {
        for at in 1..value.bytes.len() {
            for announced in ANNOUNCED {
                let (front, rest) = value.bytes.split_at(at);
                let body = [front, announced, rest.get(announced.len()..).unwrap_or_default()].concat();
                check(&format!("{} at {at}: {}", value.name, announced.escape_ascii()), body);
            }
        }
    }
}
